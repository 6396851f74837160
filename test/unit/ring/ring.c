/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One process on both ends of a ring: what the contract in ring.h promises, step by step. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <understudy/ring.h>

#define SECOND_US INT64_C(1000000)

struct fixture {
	int fd;
	struct ring_writer *writer;
	struct ring_reader *reader;
};

static uint8_t bytes[PACKET_SIZE_MAX];

static void open_ring(struct fixture *f, size_t size, int64_t span_us)
{
	f->fd = ring_create("test", size);
	assert_true(f->fd >= 0);
	assert_int_equal(ring_writer_open(f->fd, span_us, &f->writer), 0);
	assert_int_equal(ring_reader_open(f->fd, &f->reader), 0);
}

static void close_ring(struct fixture *f)
{
	ring_writer_close(&f->writer);
	ring_reader_close(&f->reader);
	close(f->fd);
}

/* Writes a packet whose payload is `size` times `fill`. */
static int put(struct fixture *f, uint32_t size, uint8_t fill, int64_t arrival_us)
{
	struct packet p = {
		.kind = PACKET_VIDEO,
		.type = PACKET_FRAME,
		.size = size,
		.dts_90k = fill,
		.arrival_us = arrival_us,
	};
	struct iovec payload = { bytes, size };

	memset(bytes, fill, size);
	return ring_write(f->writer, &p, &payload, 1, NULL);
}

static void assert_packet(struct fixture *f, uint64_t seq, uint32_t size, uint8_t fill)
{
	uint8_t *to = malloc(size + 1);
	struct packet p;

	assert_int_equal(ring_read(f->reader, seq, &p, to, size), 0);
	assert_int_equal(p.size, size);
	assert_int_equal(p.dts_90k, fill);
	for (uint32_t i = 0; i < size; i++) {
		assert_int_equal(to[i], fill);
	}
	free(to);
}

static void packet_is_visible_only_after_publish(void **state)
{
	struct fixture f;
	struct packet p = { .kind = PACKET_DATA };

	open_ring(&f, RING_BYTES_MIN, 0);
	assert_int_equal(ring_next(f.reader), 0);
	assert_int_equal(put(&f, 100, 1, 0), 0);
	assert_int_equal(ring_peek(f.reader, 0, &p), -EAGAIN);
	assert_int_equal(p.kind, PACKET_DATA);
	ring_publish(f.writer);
	assert_int_equal(ring_next(f.reader), 1);
	assert_int_equal(ring_oldest(f.reader), 0);
	assert_packet(&f, 0, 100, 1);
	assert_int_equal(ring_peek(f.reader, 1, &p), -EAGAIN);
	close_ring(&f);
}

static void gathered_payload_becomes_one_piece(void **state)
{
	struct fixture f;
	struct packet p = { .kind = PACKET_AUDIO, .type = PACKET_FRAME, .size = 6 };
	struct iovec parts[] = { { "ab", 2 }, { NULL, 0 }, { "cdef", 4 } };
	const uint8_t *payload;
	uint64_t seq = 77;
	char to[6];

	open_ring(&f, RING_BYTES_MIN, 0);
	assert_int_equal(ring_write(f.writer, &p, parts, 2, &seq), -EINVAL);
	assert_int_equal(seq, 77);
	assert_int_equal(ring_write(f.writer, &p, parts, 3, &seq), 0);
	assert_int_equal(seq, 0);
	ring_publish(f.writer);
	assert_int_equal(ring_read(f.reader, 0, &p, to, 5), -ENOBUFS);
	assert_int_equal(ring_read(f.reader, 0, &p, to, 6), 0);
	assert_memory_equal(to, "abcdef", 6);
	assert_int_equal(ring_map(f.reader, 0, &p, &payload), 0);
	assert_memory_equal(payload, "abcdef", 6);
	assert_true(ring_is_valid(f.reader, 0));
	close_ring(&f);
}

static void cancelled_packet_leaves_no_trace(void **state)
{
	struct fixture f;
	struct packet p = { .kind = PACKET_AUDIO, .type = PACKET_FRAME, .size = 1000 };
	void *place;

	open_ring(&f, RING_BYTES_MIN, 0);
	put(&f, 10, 1, 0);
	assert_int_equal(ring_reserve(f.writer, &p, &place), 0);
	memset(place, 9, 1000);
	ring_cancel(f.writer);
	put(&f, 20, 2, 0);
	ring_publish(f.writer);
	assert_int_equal(ring_next(f.reader), 2);
	assert_packet(&f, 0, 10, 1);
	assert_packet(&f, 1, 20, 2);
	close_ring(&f);
}

static void slow_reader_is_lapped_and_told_so(void **state)
{
	struct fixture f;
	struct packet p;
	const uint8_t *payload;
	uint64_t oldest;

	open_ring(&f, RING_BYTES_MIN, 0);
	put(&f, 5000, 0, 0);
	ring_publish(f.writer);
	assert_int_equal(ring_map(f.reader, 0, &p, &payload), 0);
	for (int i = 1; i < 1000; i++) {
		put(&f, 5000, (uint8_t)i, 0);
	}
	ring_publish(f.writer);
	assert_false(ring_is_valid(f.reader, 0));
	assert_int_equal(ring_peek(f.reader, 0, &p), -ESTALE);
	assert_int_equal(ring_read(f.reader, 0, &p, bytes, sizeof bytes), -ESTALE);
	oldest = ring_oldest(f.reader);
	assert_in_range(oldest, 700, 900);
	assert_int_equal(ring_peek(f.reader, oldest - 1, &p), -ESTALE);
	for (; oldest < 1000; oldest++) {
		assert_packet(&f, oldest, 5000, (uint8_t)oldest);
	}
	close_ring(&f);
}

static void small_packets_are_limited_by_the_slots(void **state)
{
	struct fixture f;

	open_ring(&f, RING_BYTES_MIN, 0);
	for (int i = 0; i < 5000; i++) {
		assert_int_equal(put(&f, 0, (uint8_t)i, 0), 0);
	}
	ring_publish(f.writer);
	assert_int_equal(ring_oldest(f.reader), 5000 - 1024);
	assert_packet(&f, 4999, 0, (uint8_t)4999);
	close_ring(&f);
}

/* Every packet a reader may read is whole, whatever sizes came in which order. */
static void all_packets_in_reach_are_whole(void **state)
{
	static uint32_t sizes[20000];
	struct fixture f;
	uint32_t random = 5;

	open_ring(&f, 4 * RING_BYTES_MIN, SECOND_US);
	for (int i = 0; i < 20000; i++) {
		random = random * 1664525 + 1013904223;
		sizes[i] = (random >> 8) % (i % 50 == 0 ? 300000 : i % 7 == 0 ? 1 : 3000);
		assert_int_equal(put(&f, sizes[i], (uint8_t)i, i * INT64_C(2500)), 0);
		if (i % 3 == 0) {
			ring_publish(f.writer);
		}
		if (i % 997 == 0) {
			for (uint64_t n = ring_oldest(f.reader); n < ring_next(f.reader); n++) {
				assert_packet(&f, n, sizes[n], (uint8_t)n);
			}
		}
	}
	close_ring(&f);
}

static void packet_that_can_never_fit_is_refused(void **state)
{
	struct fixture f;

	open_ring(&f, RING_BYTES_MIN, 0);
	assert_int_equal(put(&f, RING_BYTES_MIN, 1, 0), -EMSGSIZE);
	assert_int_equal(put(&f, 900000, 2, 0), 0);
	assert_int_equal(put(&f, 900000, 3, 0), 0);
	ring_publish(f.writer);
	assert_int_equal(ring_oldest(f.reader), 1);
	assert_packet(&f, 1, 900000, 3);
	close_ring(&f);
}

static void payload_larger_than_the_capacity_makes_it_grow(void **state)
{
	struct fixture f;

	open_ring(&f, RING_BYTES_DEFAULT, 0);
	put(&f, 600000, 1, 0);
	assert_int_equal(put(&f, PACKET_SIZE_MAX, 2, 0), 0);
	ring_publish(f.writer);
	assert_packet(&f, 0, 600000, 1);
	assert_packet(&f, 1, PACKET_SIZE_MAX, 2);
	assert_int_equal(put(&f, PACKET_SIZE_MAX, 3, 0), 0);
	ring_publish(f.writer);
	assert_packet(&f, 2, PACKET_SIZE_MAX, 3);
	close_ring(&f);
}

static uint64_t touched_bytes(const struct fixture *f)
{
	struct stat st;

	assert_int_equal(fstat(f->fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

/* 100 packets of 10 KB a second for a minute. */
static void feed_a_minute(struct fixture *f, int64_t from_us)
{
	for (int i = 0; i < 6000; i++) {
		put(f, 10000, (uint8_t)i, from_us + i * INT64_C(10000));
		ring_publish(f->writer);
	}
}

static void memory_follows_bitrate_times_span(void **state)
{
	struct fixture f;

	open_ring(&f, RING_BYTES_DEFAULT, 5 * SECOND_US);
	assert_true(touched_bytes(&f) < 64 * 1024);
	feed_a_minute(&f, 0);
	assert_in_range(ring_next(f.reader) - ring_oldest(f.reader), 500, 530);
	assert_in_range(touched_bytes(&f), 5000000, 6500000);
	close_ring(&f);
}

static void growing_loses_nothing_within_the_span(void **state)
{
	struct fixture f;

	open_ring(&f, RING_BYTES_DEFAULT, 5 * SECOND_US);
	for (int i = 0; i < 1000; i++) {
		put(&f, 10000, (uint8_t)i, i * INT64_C(10000));
		ring_publish(f.writer);
		assert_true(ring_next(f.reader) - ring_oldest(f.reader) >=
			    (i < 499 ? i + 1U : 499U));
	}
	close_ring(&f);
}

static void readers_are_woken_once_per_batch(void **state)
{
	struct fixture f;
	int wakes[17];
	uint64_t count;

	open_ring(&f, RING_BYTES_MIN, 0);
	for (int i = 0; i < 17; i++) {
		wakes[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		assert_int_equal(ring_writer_add_wake(f.writer, wakes[i]), i < 16 ? 0 : -ENOSPC);
	}
	ring_publish(f.writer);
	assert_int_equal(read(wakes[0], &count, sizeof count), -1);
	put(&f, 1, 1, 0);
	put(&f, 1, 2, 0);
	ring_publish(f.writer);
	ring_writer_remove_wake(f.writer, wakes[0]);
	put(&f, 1, 3, 0);
	ring_publish(f.writer);
	assert_int_equal(read(wakes[0], &count, sizeof count), 8);
	assert_int_equal(count, 1);
	assert_int_equal(read(wakes[15], &count, sizeof count), 8);
	assert_int_equal(count, 2);
	assert_int_equal(read(wakes[16], &count, sizeof count), -1);
	for (int i = 0; i < 17; i++) {
		close(wakes[i]);
	}
	close_ring(&f);
}

static void newest_checkpoint_is_found(void **state)
{
	struct fixture f;
	uint8_t out[RING_CHECKPOINT_MAX], in[RING_CHECKPOINT_MAX];

	open_ring(&f, RING_BYTES_MIN, 0);
	assert_int_equal(ring_checkpoint_read(f.reader, in, sizeof in), 0);
	for (int i = 1; i <= 10; i++) {
		memset(out, i, sizeof out);
		ring_checkpoint_write(f.writer, out, sizeof out - (size_t)i);
		assert_int_equal(ring_checkpoint_read(f.reader, in, sizeof in),
				 sizeof out - (size_t)i);
		assert_memory_equal(in, out, sizeof out - (size_t)i);
	}
	assert_int_equal(ring_checkpoint_read(f.reader, in, 100), -ENOBUFS);
	close_ring(&f);
}

static void nobody_maps_a_sealed_ring_writable(void **state)
{
	struct fixture f;
	struct ring_writer *second;

	open_ring(&f, RING_BYTES_MIN, 0);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, f.fd, 0), MAP_FAILED);
	assert_int_equal(ring_writer_open(f.fd, 0, &second), -EPERM);
	assert_int_equal(pwrite(f.fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(f.fd, 4096), -1);
	assert_int_equal(fallocate(f.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
	assert_int_equal(fcntl(f.fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	close_ring(&f);
}

static void check_accepts_only_a_sealed_ring_of_the_right_size(void **state)
{
	int fd = ring_create("test", RING_BYTES_MIN + 1);
	struct ring_writer *w;
	struct ring_reader *r;

	assert_int_equal(ring_check(fd, RING_BYTES_MIN + 1), -EPERM);
	assert_int_equal(ring_reader_open(fd, &r), -EPERM);
	assert_int_equal(ring_writer_open(fd, 0, &w), 0);
	assert_int_equal(ring_check(fd, RING_BYTES_MIN + 1), 0);
	assert_int_equal(ring_check(fd, RING_BYTES_MIN), -EPERM);
	assert_int_equal(ring_check(STDIN_FILENO, RING_BYTES_MIN), -EPERM);
	assert_int_equal(ring_check(-1, RING_BYTES_MIN), -EPERM);
	ring_writer_close(&w);
	ring_writer_close(&w);
	close(fd);
	assert_int_equal(ring_create("test", RING_BYTES_MIN - 4096), -EINVAL);
	assert_int_equal(ring_create("test", SIZE_MAX), -EINVAL);
}

static int sealed_file(size_t size, const void *head, size_t head_bytes)
{
	int fd = memfd_create("test", MFD_ALLOW_SEALING | MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(pwrite(fd, head, head_bytes, 0), head_bytes);
	assert_int_equal(fcntl(fd, F_ADD_SEALS,
			       F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL),
			 0);
	return fd;
}

static void header_that_disagrees_with_the_size_is_refused(void **state)
{
	int good = ring_create("test", RING_BYTES_MIN);
	uint8_t head[64];
	struct ring_reader *r = NULL;
	int fd;

	assert_int_equal(pread(good, head, sizeof head, 0), sizeof head);
	close(good);
	for (size_t i = 0; i < 40; i++) {
		head[i] ^= 0x10;
		fd = sealed_file(RING_BYTES_MIN, head, sizeof head);
		assert_int_equal(ring_reader_open(fd, &r), -EPROTO);
		close(fd);
		head[i] ^= 0x10;
	}
	fd = sealed_file(2 * RING_BYTES_MIN, head, sizeof head);
	assert_int_equal(ring_reader_open(fd, &r), -EPROTO);
	close(fd);
	fd = sealed_file(100, head, sizeof head);
	assert_int_equal(ring_reader_open(fd, &r), -EPROTO);
	close(fd);
	assert_null(r);
	fd = sealed_file(RING_BYTES_MIN, head, sizeof head);
	assert_int_equal(ring_reader_open(fd, &r), 0);
	ring_reader_close(&r);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packet_is_visible_only_after_publish),
		cmocka_unit_test(gathered_payload_becomes_one_piece),
		cmocka_unit_test(cancelled_packet_leaves_no_trace),
		cmocka_unit_test(slow_reader_is_lapped_and_told_so),
		cmocka_unit_test(small_packets_are_limited_by_the_slots),
		cmocka_unit_test(all_packets_in_reach_are_whole),
		cmocka_unit_test(packet_that_can_never_fit_is_refused),
		cmocka_unit_test(payload_larger_than_the_capacity_makes_it_grow),
		cmocka_unit_test(memory_follows_bitrate_times_span),
		cmocka_unit_test(growing_loses_nothing_within_the_span),
		cmocka_unit_test(readers_are_woken_once_per_batch),
		cmocka_unit_test(newest_checkpoint_is_found),
		cmocka_unit_test(nobody_maps_a_sealed_ring_writable),
		cmocka_unit_test(check_accepts_only_a_sealed_ring_of_the_right_size),
		cmocka_unit_test(header_that_disagrees_with_the_size_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
