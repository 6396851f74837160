/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the contract in follow.h promises relays, with the writer in the same process. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <understudy/follow.h>
#include <understudy/ring.h>

#define FRAME_90K 3000

struct show {
	int fd;
	struct ring_writer *writer;
	uint64_t source_seq;
	int64_t arrival_us;
};

static uint8_t bytes[1 << 16];

static void show_open(struct show *s, uint64_t source_seq)
{
	*s = (struct show){ .fd = ring_create("show", RING_BYTES_MIN), .source_seq = source_seq };
	assert_true(s->fd >= 0);
	assert_int_equal(ring_writer_open(s->fd, 1000000, &s->writer), 0);
}

static void show_close(struct show *s)
{
	ring_writer_close(&s->writer);
	close(s->fd);
}

static void put(struct show *s, struct packet p, const void *payload)
{
	struct iovec iov = { (void *)(uintptr_t)payload, p.size };

	p.feed = 1;
	p.source_seq = s->source_seq++;
	p.arrival_us = s->arrival_us;
	s->arrival_us += 1000;
	assert_int_equal(ring_write(s->writer, &p, &iov, 1, NULL), 0);
	ring_publish(s->writer);
}

static void put_config(struct show *s, const char *text, unsigned flags)
{
	struct packet p = {
		.kind = PACKET_VIDEO,
		.type = PACKET_CONFIG,
		.codec = CODEC_AVC,
		.flags = (uint16_t)flags,
		.size = (uint32_t)strlen(text),
	};

	put(s, p, text);
}

/* Frame `n` of the show: 33 ms apart, its number in every byte. */
static void put_frame(struct show *s, int64_t n, unsigned flags, uint32_t size)
{
	struct packet p = {
		.kind = PACKET_VIDEO,
		.type = PACKET_FRAME,
		.codec = CODEC_AVC,
		.flags = (uint16_t)flags,
		.size = size,
		.fingerprint = (uint64_t)n + 1,
		.dts_90k = n * FRAME_90K,
		.pts_90k = n * FRAME_90K,
	};

	memset(bytes, (int)n, size);
	put(s, p, bytes);
}

static struct follower *follow(const struct show *s)
{
	struct follower *f = NULL;

	assert_int_equal(follower_open(s->fd, &f), 0);
	return f;
}

static void expect_frame(struct follower *f, int64_t n)
{
	struct follow next;

	assert_int_equal(follower_next(f, &next), FOLLOW_PACKET);
	assert_int_equal(next.packet.type, PACKET_FRAME);
	assert_int_equal(next.packet.dts_90k, n * FRAME_90K);
	assert_int_equal(next.payload[next.packet.size - 1], n & 0xff);
	assert_true(follower_is_valid(f));
}

static void expect_config(struct follower *f, const char *text)
{
	const struct header *h;
	struct follow next;

	assert_int_equal(follower_next(f, &next), FOLLOW_PACKET);
	assert_int_equal(next.packet.type, PACKET_CONFIG);
	assert_int_equal(next.packet.flags & PACKET_REPEAT, 0);
	assert_int_equal(next.packet.size, strlen(text));
	assert_memory_equal(next.payload, text, next.packet.size);
	h = header_set_find(follower_headers(f), PACKET_VIDEO, PACKET_CONFIG, 0);
	assert_non_null(h);
	assert_memory_equal(h->payload, text, next.packet.size);
}

static void expect_event(struct follower *f, enum follow_event event)
{
	struct follow next;

	assert_int_equal(follower_next(f, &next), event);
	assert_int_equal(next.event, event);
}

static void starts_at_the_live_edge_with_headers_in_force(void **state)
{
	struct follower *f;
	struct show s;

	show_open(&s, 0);
	put_config(&s, "one", 0);
	put_frame(&s, 0, PACKET_JOIN, 10);
	put_config(&s, "two", 0);
	put_frame(&s, 1, 0, 10);
	f = follow(&s);
	put_frame(&s, 2, PACKET_JOIN, 10);
	expect_config(f, "one");
	expect_config(f, "two");
	expect_frame(f, 2);
	expect_event(f, FOLLOW_EMPTY);
	follower_close(&f);
	assert_null(f);
	show_close(&s);
}

static void repeats_are_left_out_unless_they_were_missed(void **state)
{
	struct follower *f;
	struct show s;

	show_open(&s, 0);
	f = follow(&s);
	put_config(&s, "one", 0);
	put_frame(&s, 0, PACKET_JOIN, 10);
	put_config(&s, "one", PACKET_REPEAT);
	put_config(&s, "one", 0);
	put_frame(&s, 1, PACKET_JOIN, 10);
	put_config(&s, "two", PACKET_REPEAT);
	put_frame(&s, 2, PACKET_JOIN, 10);
	put_frame(&s, 3, PACKET_REPEAT, 10);
	expect_config(f, "one");
	expect_frame(f, 0);
	expect_frame(f, 1);
	expect_config(f, "two");
	expect_frame(f, 2);
	expect_event(f, FOLLOW_EMPTY);
	follower_close(&f);
	show_close(&s);
}

static void lapped_reader_goes_to_the_live_edge_and_learns_new_headers(void **state)
{
	struct follower *f;
	struct follow next;
	struct show s;

	show_open(&s, 0);
	f = follow(&s);
	put_config(&s, "one", 0);
	expect_config(f, "one");
	for (int64_t n = 0; n < 100; n++) {
		put_frame(&s, n, 0, 60000);
	}
	put_config(&s, "two", 0);
	put_frame(&s, 100, 0, 10);
	assert_int_equal(follower_next(f, &next), FOLLOW_LAPPED);
	assert_int_equal(next.lost, 102);
	expect_config(f, "two");
	expect_event(f, FOLLOW_EMPTY);
	put_frame(&s, 101, PACKET_JOIN, 10);
	expect_frame(f, 101);
	assert_int_equal(follower_counts(f).lapped, 102);
	follower_close(&f);
	show_close(&s);
}

static void payload_overwritten_while_in_use_is_reported(void **state)
{
	struct follower *f;
	struct show s;

	show_open(&s, 0);
	f = follow(&s);
	put_frame(&s, 0, PACKET_JOIN, 100);
	put_frame(&s, 1, 0, 100);
	expect_frame(f, 0);
	for (int64_t n = 2; n < 100; n++) {
		put_frame(&s, n, 0, 60000);
	}
	assert_false(follower_is_valid(f));
	expect_event(f, FOLLOW_LAPPED);
	expect_event(f, FOLLOW_EMPTY);
	put_frame(&s, 100, 0, 10);
	expect_frame(f, 100);
	follower_close(&f);
	show_close(&s);
}

static void validity_of_a_header_does_not_depend_on_the_ring(void **state)
{
	struct follower *f;
	struct show s;

	show_open(&s, 0);
	f = follow(&s);
	put_config(&s, "one", 0);
	expect_config(f, "one");
	for (int64_t n = 0; n < 100; n++) {
		put_frame(&s, n, 0, 60000);
	}
	assert_true(follower_is_valid(f));
	follower_close(&f);
	show_close(&s);
}

static void handover_drains_the_old_ring_and_gives_nothing_twice(void **state)
{
	struct packet script = { .kind = PACKET_DATA, .type = PACKET_SCRIPT, .size = 3 };
	struct follower *f;
	struct show old, new;

	show_open(&old, 0);
	show_open(&new, 3); /* goes on from a checkpoint two packets old */
	f = follow(&old);
	put_config(&old, "one", 0);
	put_frame(&old, 0, PACKET_JOIN, 10);
	expect_config(f, "one");
	put_frame(&old, 1, 0, 10);
	script.dts_90k = FRAME_90K;
	put(&old, script, "cue"); /* source_seq 3 */
	put_frame(&old, 2, 0, 10);
	put_config(&new, "one", PACKET_REPEAT);
	new.source_seq = 3;
	put(&new, script, "cue");
	put_frame(&new, 2, 0, 10);
	put_frame(&new, 3, 0, 10);
	assert_int_equal(follower_switch(f, new.fd), 0);
	expect_frame(f, 0);
	expect_frame(f, 1);
	expect_event(f, FOLLOW_PACKET);
	expect_frame(f, 2);
	expect_frame(f, 3);
	expect_event(f, FOLLOW_EMPTY);
	assert_int_equal(follower_counts(f).duplicates, 2);
	follower_close(&f);
	show_close(&old);
	show_close(&new);
}

static void handover_knows_a_twins_copy_of_the_last_frame(void **state)
{
	struct packet p = {
		.kind = PACKET_VIDEO,
		.type = PACKET_FRAME,
		.codec = CODEC_AVC,
		.size = 10,
		.fingerprint = 77,
		.dts_90k = 90000,
		.pts_90k = 90000,
	};
	struct follower *f;
	struct show old, new;

	show_open(&old, 0);
	show_open(&new, 500);
	f = follow(&old);
	put(&old, p, bytes);
	p.dts_90k += 90;
	put(&new, p, bytes);
	put_frame(&new, 31, 0, 10);
	assert_int_equal(follower_switch(f, new.fd), 0);
	expect_event(f, FOLLOW_PACKET);
	expect_frame(f, 31);
	assert_int_equal(follower_counts(f).duplicates, 1);
	follower_close(&f);
	show_close(&old);
	show_close(&new);
}

static void new_show_time_is_said_before_its_first_frame(void **state)
{
	struct follower *f;
	struct show old, new;

	show_open(&old, 0);
	show_open(&new, 0);
	f = follow(&old);
	put_frame(&old, 10000, PACKET_JOIN, 10);
	put_frame(&new, 0, PACKET_JOIN, 10);
	put_frame(&new, 1, 0, 10);
	assert_int_equal(follower_switch(f, new.fd), 0);
	expect_frame(f, 10000);
	expect_event(f, FOLLOW_RESTARTED);
	expect_frame(f, 0);
	expect_frame(f, 1);
	expect_event(f, FOLLOW_EMPTY);
	follower_close(&f);
	show_close(&old);
	show_close(&new);
}

static void rings_that_queue_up_are_cut_short_from_the_oldest(void **state)
{
	struct follower *f;
	struct follow next;
	struct show shows[6];

	for (int i = 0; i < 6; i++) {
		show_open(&shows[i], 0);
	}
	f = follow(&shows[0]);
	for (int i = 0; i < 6; i++) {
		put_frame(&shows[i], i, PACKET_JOIN, 10);
		if (i > 0) {
			assert_int_equal(follower_switch(f, shows[i].fd), 0);
		}
	}
	assert_int_equal(follower_next(f, &next), FOLLOW_LAPPED);
	assert_int_equal(next.lost, 2);
	for (int i = 2; i < 6; i++) {
		expect_frame(f, i);
	}
	expect_event(f, FOLLOW_EMPTY);
	follower_close(&f);
	for (int i = 0; i < 6; i++) {
		show_close(&shows[i]);
	}
}

static void ring_without_seals_is_refused_and_the_present_one_stays(void **state)
{
	struct follower *f;
	struct show s;
	int unsealed = ring_create("unsealed", RING_BYTES_MIN);

	assert_true(unsealed >= 0);
	show_open(&s, 0);
	f = follow(&s);
	assert_int_equal(follower_switch(f, unsealed), -EPERM);
	put_frame(&s, 1, PACKET_JOIN, 10);
	expect_frame(f, 1);
	follower_close(&f);
	close(unsealed);
	show_close(&s);
}

static void oversized_header_is_skipped_and_counted(void **state)
{
	struct packet p = {
		.kind = PACKET_VIDEO,
		.type = PACKET_CONFIG,
		.codec = CODEC_AVC,
		.size = HEADER_BYTES_MAX + 1,
	};
	struct follower *f;
	struct show s;

	show_open(&s, 0);
	f = follow(&s);
	put(&s, p, bytes);
	put_frame(&s, 1, PACKET_JOIN, 10);
	expect_frame(f, 1);
	assert_int_equal(follower_counts(f).insane, 1);
	follower_close(&f);
	show_close(&s);
}

static void damaged_packets_are_skipped_and_counted(void **state)
{
	const uint64_t mark = 0x1234567890abcdef;
	struct packet p = {
		.kind = PACKET_VIDEO,
		.type = PACKET_FRAME,
		.size = 10,
		.fingerprint = mark,
	};
	struct show s = { .fd = ring_create("show", RING_BYTES_MIN) };
	struct follower *f;
	struct packet *in_ring;
	uint8_t *map;

	assert_true(s.fd >= 0);
	/* A map that was there before the writer sealed the ring stays writable. */
	map = mmap(NULL, RING_BYTES_MIN, PROT_READ | PROT_WRITE, MAP_SHARED, s.fd, 0);
	assert_true(map != MAP_FAILED);
	assert_int_equal(ring_writer_open(s.fd, 1000000, &s.writer), 0);
	f = follow(&s);
	put_frame(&s, 1, PACKET_JOIN, 10);
	put(&s, p, bytes);
	put_frame(&s, 2, 0, 10);
	in_ring = memmem(map, RING_BYTES_MIN, &mark, sizeof(mark));
	assert_non_null(in_ring);
	in_ring = (void *)((uint8_t *)in_ring - offsetof(struct packet, fingerprint));
	in_ring->size = UINT32_MAX;
	expect_frame(f, 1);
	expect_frame(f, 2);
	assert_int_equal(follower_counts(f).insane, 1);
	munmap(map, RING_BYTES_MIN);
	follower_close(&f);
	show_close(&s);
}

static void session_time_rounds_without_drift(void **state)
{
	struct packet p = { .dts_90k = 1000 + 44, .pts_90k = 1000 + 44 + 3003 };

	assert_int_equal(follow_ms(1000 + 44, 1000), 0);
	assert_int_equal(follow_ms(1000 + 45, 1000), 1);
	assert_int_equal(follow_ms(1000 - 45, 1000), 0);
	assert_int_equal(follow_ms(1000 - 46, 1000), -1);
	assert_int_equal(follow_cts_ms(&p, 1000), 34);
	p.pts_90k = p.dts_90k + INT64_C(90) * 9000000;
	assert_int_equal(follow_cts_ms(&p, 1000), 8388607);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_at_the_live_edge_with_headers_in_force),
		cmocka_unit_test(repeats_are_left_out_unless_they_were_missed),
		cmocka_unit_test(lapped_reader_goes_to_the_live_edge_and_learns_new_headers),
		cmocka_unit_test(payload_overwritten_while_in_use_is_reported),
		cmocka_unit_test(validity_of_a_header_does_not_depend_on_the_ring),
		cmocka_unit_test(handover_drains_the_old_ring_and_gives_nothing_twice),
		cmocka_unit_test(handover_knows_a_twins_copy_of_the_last_frame),
		cmocka_unit_test(new_show_time_is_said_before_its_first_frame),
		cmocka_unit_test(rings_that_queue_up_are_cut_short_from_the_oldest),
		cmocka_unit_test(ring_without_seals_is_refused_and_the_present_one_stays),
		cmocka_unit_test(oversized_header_is_skipped_and_counted),
		cmocka_unit_test(damaged_packets_are_skipped_and_counted),
		cmocka_unit_test(session_time_rounds_without_drift),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
