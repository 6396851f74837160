/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The ring between real processes: readers that are fast, slow or killed, and a writer that is
 * killed. What a packet must hold follows from its number alone, so any torn copy is found.
 * Readers end with the last packet (nobody overwrites it), and wait on their eventfds: no sleeps.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <understudy/ring.h>

#define PACKETS 400000
#define PAYLOAD_MAX 8192
#define CHECKPOINT_BYTES 2000

enum pace { FAST, SLOW, DYING, MAPPING, PACES };

static uint64_t mix(uint64_t x)
{
	x = (x + 1) * UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
	return x ^ x >> 32;
}

static struct packet packet_of(uint64_t seq)
{
	uint64_t random = mix(seq);

	return (struct packet){
		.dts_90k = (int64_t)seq * 3000,
		.pts_90k = (int64_t)(random >> 8),
		.arrival_us = (int64_t)seq * 10,
		.fingerprint = random,
		.source_seq = seq,
		.size = (uint32_t)(random % (seq % 16 == 0 ? PAYLOAD_MAX : 1500)),
		.kind = PACKET_VIDEO,
		.type = PACKET_FRAME,
		.codec = (uint32_t)random,
	};
}

static void fill(uint64_t seq, uint64_t *words, size_t count)
{
	uint64_t value = mix(seq ^ UINT64_C(0x5555));

	for (size_t i = 0; i < count; i++) {
		words[i] = value + i;
	}
}

static bool is_whole(uint64_t seq, const struct packet *p, const void *payload)
{
	struct packet expected = packet_of(seq);
	uint64_t words[PAYLOAD_MAX / 8 + 1];

	if (memcmp(p, &expected, sizeof expected) != 0) {
		return false;
	}
	fill(seq, words, p->size / 8 + 1);
	return memcmp(payload, words, p->size) == 0;
}

static void write_packet(struct ring_writer *w, uint64_t seq)
{
	static uint64_t words[PAYLOAD_MAX / 8 + 1];
	struct packet p = packet_of(seq);
	struct iovec payload[2] = { { words, p.size / 3 },
				    { (char *)words + p.size / 3, p.size - p.size / 3 } };

	fill(seq, words, p.size / 8 + 1);
	if (ring_write(w, &p, payload, 2, NULL) < 0) {
		abort();
	}
}

static void write_checkpoint(struct ring_writer *w, uint64_t number)
{
	uint8_t bytes[CHECKPOINT_BYTES];

	memset(bytes, (int)number, sizeof bytes);
	ring_checkpoint_write(w, bytes, CHECKPOINT_BYTES - number % 8);
}

/* Reads packet `seq` in the reader's way: as ring_read(); -EIO if the copy is not whole. */
static int read_packet(struct ring_reader *r, uint64_t seq, enum pace pace)
{
	static uint8_t copy[PAYLOAD_MAX];
	const uint8_t *payload;
	struct packet p;
	int error;

	if (pace != MAPPING) {
		error = ring_read(r, seq, &p, copy, sizeof copy);
	} else {
		error = ring_map(r, seq, &p, &payload);
		if (error == 0 && p.size <= sizeof copy) {
			memcpy(copy, payload, p.size);
			error = ring_is_valid(r, seq) ? 0 : -ESTALE;
		}
	}
	if (error < 0) {
		return error;
	}
	return is_whole(seq, &p, copy) ? 0 : -EIO;
}

static bool is_checkpoint_whole(struct ring_reader *r)
{
	uint8_t to[RING_CHECKPOINT_MAX];
	int size = ring_checkpoint_read(r, to, sizeof to);

	for (int i = 1; i < size; i++) {
		if (to[i] != to[0]) {
			return false;
		}
	}
	return size == -EBADMSG || size == 0 || size == CHECKPOINT_BYTES - to[0] % 8;
}

struct tally {
	uint64_t read, lapped;
};

/* Waits for a wake-up; false if none will come. */
static bool wait_for_packet(int wake)
{
	uint64_t count;

	return read(wake, &count, sizeof count) == sizeof count;
}

/* A reader's whole life. Its exit status: 0 if all it saw was whole. */
static int read_all(int fd, int wake, enum pace pace, struct tally *tally)
{
	struct ring_reader *r;
	uint64_t seq = 0;

	if (ring_reader_open(fd, &r) < 0) {
		return 2;
	}
	while (seq < PACKETS) {
		int error = 0;

		for (int i = pace == SLOW ? 40 : 1; i > 0 && error == 0; i--) {
			error = read_packet(r, seq, pace);
		}
		if (error == -EAGAIN) {
			if (!wait_for_packet(wake)) {
				return 3;
			}
			continue;
		}
		if (error == -ESTALE) {
			uint64_t oldest = ring_oldest(r);

			tally->lapped += oldest - seq;
			seq = oldest;
			continue;
		}
		if (error < 0 || (seq % 256 == 0 && !is_checkpoint_whole(r))) {
			return 4;
		}
		if (pace == DYING && seq > PACKETS / 8) {
			raise(SIGKILL);
		}
		tally->read++;
		seq++;
	}
	ring_reader_close(&r);
	return tally->read + tally->lapped == PACKETS ? 0 : 5;
}

static pid_t start_reader(int fd, int wake, enum pace pace)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		struct tally tally = { 0 };

		alarm(60);
		_exit(read_all(fd, wake, pace, &tally));
	}
	return child;
}

static void readers_of_any_pace_see_whole_packets_only(void **state)
{
	int fd = ring_create("stress", RING_BYTES_MIN), wakes[PACES], status;
	struct ring_writer *w;
	pid_t readers[PACES];

	assert_int_equal(ring_writer_open(fd, 0, &w), 0);
	for (int i = 0; i < PACES; i++) {
		wakes[i] = eventfd(0, EFD_CLOEXEC);
		assert_int_equal(ring_writer_add_wake(w, wakes[i]), 0);
		readers[i] = start_reader(fd, wakes[i], (enum pace)i);
	}
	for (uint64_t seq = 0; seq < PACKETS; seq++) {
		write_packet(w, seq);
		if (seq % 100 == 0) {
			write_checkpoint(w, seq / 100);
		}
		if (mix(seq) % 4 == 0 || seq == PACKETS - 1) {
			ring_publish(w);
		}
	}
	for (int i = 0; i < PACES; i++) {
		assert_int_equal(waitpid(readers[i], &status, 0), readers[i]);
		if (i == DYING && WIFSIGNALED(status)) {
			assert_int_equal(WTERMSIG(status), SIGKILL);
		} else {
			/* A dying one may also have been lapped to the end. */
			assert_int_equal(status, 0);
		}
		close(wakes[i]);
	}
	ring_writer_close(&w);
	close(fd);
}

/* Writes until it is killed. */
static pid_t start_writer(int fd, int wake)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		struct ring_writer *w;

		alarm(60);
		if (ring_writer_open(fd, 0, &w) < 0 || ring_writer_add_wake(w, wake) < 0) {
			_exit(2);
		}
		for (uint64_t seq = 0;; seq++) {
			write_packet(w, seq);
			write_checkpoint(w, seq);
			if (seq % 16 == 0) {
				ring_publish(w);
			}
		}
	}
	return child;
}

static void assert_all_in_reach_is_whole(int fd)
{
	struct ring_reader *r;
	uint64_t seq;

	assert_int_equal(ring_reader_open(fd, &r), 0);
	for (seq = ring_oldest(r); seq < ring_next(r); seq++) {
		assert_int_equal(read_packet(r, seq, FAST), 0);
	}
	assert_int_equal(read_packet(r, seq, FAST), -EAGAIN);
	assert_true(is_checkpoint_whole(r));
	assert_true(ring_checkpoint_read(r, &(uint8_t[RING_CHECKPOINT_MAX]){ 0 },
					 RING_CHECKPOINT_MAX) > 0);
	ring_reader_close(&r);
}

static void killed_writer_leaves_whole_packets_and_a_checkpoint(void **state)
{
	for (uint64_t round = 0; round < 20; round++) {
		int fd = ring_create("stress", RING_BYTES_MIN);
		int wake = eventfd(0, EFD_CLOEXEC), status;
		pid_t writer = start_writer(fd, wake);
		uint64_t batches = 0, count;

		/* It goes on meanwhile, so it is killed anywhere. */
		while (batches < 30 + mix(round) % 200) {
			assert_int_equal(read(wake, &count, sizeof count), sizeof count);
			batches += count;
		}
		kill(writer, SIGKILL);
		assert_int_equal(waitpid(writer, &status, 0), writer);
		assert_int_equal(WTERMSIG(status), SIGKILL);
		assert_int_equal(ring_check(fd, RING_BYTES_MIN), 0);
		assert_all_in_reach_is_whole(fd);
		close(fd);
		close(wake);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readers_of_any_pace_see_whole_packets_only),
		cmocka_unit_test(killed_writer_leaves_whole_packets_and_a_checkpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
