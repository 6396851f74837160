/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What feed.h promises of faults made on purpose and of a change of ring, read back by a reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <understudy/feed.h>

#define FRAME_90K 3000
#define FRAME_US 33333
#define NEVER_US INT64_MAX

/* One IDR slice, one other slice, in AVC's length-prefixed form. */
static const uint8_t key_payload[] = { 0, 0, 0, 3, 0x65, 0x88, 0x80 };
static const uint8_t inter_payload[] = { 0, 0, 0, 2, 0x41, 0x9a };

struct feed {
	struct feed_writer writer;
	struct ring_reader *reader;
	int64_t frame; /* number of the next */
};

static void reader_renew(struct feed *f, int fd)
{
	ring_reader_close(&f->reader);
	assert_int_equal(ring_reader_open(fd, &f->reader), 0);
	close(fd);
}

static int new_ring(void)
{
	int fd = ring_create("feed", RING_BYTES_MIN);

	assert_true(fd >= 0);
	return fd;
}

static void feed_open(struct feed *f)
{
	int fd = new_ring();

	*f = (struct feed){ 0 };
	assert_int_equal(feed_writer_init(&f->writer, fd, 1000000, -1), 0);
	reader_renew(f, fd);
}

static void feed_close(struct feed *f)
{
	feed_writer_finish(&f->writer);
	ring_reader_close(&f->reader);
}

static void put(struct feed *f, uint8_t kind, uint8_t type, unsigned flags, const void *payload,
		size_t size)
{
	struct packet p = { .kind = kind,
			    .type = type,
			    .codec = kind == PACKET_VIDEO ? CODEC_AVC : CODEC_AAC,
			    .flags = (uint16_t)flags,
			    .size = (uint32_t)size,
			    .dts_90k = f->frame * FRAME_90K,
			    .pts_90k = (f->frame + (flags & PACKET_KEY ? 2 : 1)) * FRAME_90K,
			    .arrival_us = f->frame * FRAME_US };

	feed_writer_put(&f->writer, &p, payload);
	feed_writer_publish(&f->writer);
}

/* Frames of video and audio, a key frame every five. */
static void put_frames(struct feed *f, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		bool is_key = f->frame % 5 == 0;

		put(f, PACKET_VIDEO, PACKET_FRAME, is_key ? PACKET_KEY : 0,
		    is_key ? key_payload : inter_payload,
		    is_key ? sizeof(key_payload) : sizeof(inter_payload));
		put(f, PACKET_AUDIO, PACKET_FRAME, 0, "sound", 5);
		f->frame++;
	}
}

static unsigned count_frames(const struct feed *f, uint8_t kind)
{
	struct packet p;
	unsigned count = 0;

	for (uint64_t seq = 0; ring_peek(f->reader, seq, &p) == 0; seq++) {
		count += p.kind == kind && p.type == PACKET_FRAME;
	}
	return count;
}

static void a_silent_feed_loses_every_frame_until_the_moment_named(void **state)
{
	struct feed f;

	(void)state;
	feed_open(&f);
	feed_writer_spoil(&f.writer, FEED_SILENT, 10 * FRAME_US);
	put_frames(&f, 15);
	assert_int_equal(count_frames(&f, PACKET_VIDEO), 5);
	assert_int_equal(count_frames(&f, PACKET_AUDIO), 5);
	feed_close(&f);
}

static void headers_get_through_a_silence(void **state)
{
	struct feed f;
	struct packet p;

	(void)state;
	feed_open(&f);
	feed_writer_spoil(&f.writer, FEED_SILENT, NEVER_US);
	put(&f, PACKET_AUDIO, PACKET_CONFIG, 0, "\x11\x90", 2);
	put_frames(&f, 1);
	assert_int_equal(ring_peek(f.reader, 0, &p), 0);
	assert_int_equal(p.type, PACKET_CONFIG);
	assert_int_equal(ring_next(f.reader), 1);
	feed_close(&f);
}

static void a_starved_feed_loses_half_of_each_track(void **state)
{
	struct feed f;

	(void)state;
	feed_open(&f);
	feed_writer_spoil(&f.writer, FEED_STARVED, NEVER_US);
	put_frames(&f, 20);
	assert_int_equal(count_frames(&f, PACKET_VIDEO), 10);
	assert_int_equal(count_frames(&f, PACKET_AUDIO), 10);
	feed_close(&f);
}

/* The same picture, each with a time of its own, none before it is decoded. */
static void a_frozen_picture_is_its_key_frame_again_and_again(void **state)
{
	struct feed f;
	struct packet p;
	uint8_t payload[16];
	int64_t pts_90k = INT64_MIN;

	(void)state;
	feed_open(&f);
	put_frames(&f, 2);
	feed_writer_spoil(&f.writer, FEED_FROZEN, 20 * FRAME_US);
	put_frames(&f, 18);
	for (uint64_t seq = 10; seq < ring_next(f.reader); seq++) {
		assert_int_equal(ring_read(f.reader, seq, &p, payload, sizeof(payload)), 0);
		if (p.kind != PACKET_VIDEO) {
			continue;
		}
		assert_int_equal(p.size, sizeof(key_payload));
		assert_memory_equal(payload, key_payload, sizeof(key_payload));
		assert_true(p.flags & PACKET_KEY);
		assert_true(p.pts_90k > pts_90k && p.pts_90k >= p.dts_90k);
		pts_90k = p.pts_90k;
	}
	put_frames(&f, 2);
	assert_int_equal(ring_read(f.reader, ring_next(f.reader) - 2, &p, payload, sizeof(payload)),
			 0);
	assert_int_equal(p.size, sizeof(inter_payload));
	feed_close(&f);
}

static void ordered_sound_ends_a_fault_at_once(void **state)
{
	struct feed f;

	(void)state;
	feed_open(&f);
	feed_writer_spoil(&f.writer, FEED_SILENT, NEVER_US);
	put_frames(&f, 3);
	feed_writer_spoil(&f.writer, FEED_SOUND, 0);
	put_frames(&f, 3);
	assert_int_equal(count_frames(&f, PACKET_VIDEO), 3);
	feed_close(&f);
}

static void a_new_ring_begins_with_the_headers_in_force(void **state)
{
	struct feed f;
	struct packet p;
	int fd = new_ring();

	(void)state;
	feed_open(&f);
	put(&f, PACKET_AUDIO, PACKET_CONFIG, 0, "\x11\x90", 2);
	put_frames(&f, 5);
	assert_int_equal(feed_writer_move(&f.writer, fd, 1000000, -1), 0);
	reader_renew(&f, fd);
	put_frames(&f, 1);
	assert_int_equal(ring_peek(f.reader, 0, &p), 0);
	assert_int_equal(p.type, PACKET_CONFIG);
	assert_true(p.flags & PACKET_REPEAT);
	assert_int_equal(count_frames(&f, PACKET_VIDEO), 1);
	feed_close(&f);
}

static void what_is_no_ring_leaves_the_writer_where_it_is(void **state)
{
	struct feed f;

	(void)state;
	feed_open(&f);
	assert_true(feed_writer_move(&f.writer, STDERR_FILENO, 1000000, -1) < 0);
	put_frames(&f, 2);
	assert_int_equal(count_frames(&f, PACKET_VIDEO), 2);
	feed_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_silent_feed_loses_every_frame_until_the_moment_named),
		cmocka_unit_test(headers_get_through_a_silence),
		cmocka_unit_test(a_starved_feed_loses_half_of_each_track),
		cmocka_unit_test(a_frozen_picture_is_its_key_frame_again_and_again),
		cmocka_unit_test(ordered_sound_ends_a_fault_at_once),
		cmocka_unit_test(a_new_ring_begins_with_the_headers_in_force),
		cmocka_unit_test(what_is_no_ring_leaves_the_writer_where_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
