/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From RTMP messages to packets in a feed ring: ingest-rtmp's intake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <understudy/ring.h>
#include <understudy/rtmp.h>

#include <understudy/intake.h>
#include "bodies.h"

#define AUDIO 8
#define VIDEO 9
#define DATA 18
#define SECOND 1000000

struct feed {
	int ring;
	struct intake intake;
	struct ring_reader *reader;
	uint64_t next; /* to be read */
};

static int setup(void **state)
{
	struct feed *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->ring = ring_create("test", RING_BYTES_DEFAULT);
	assert_true(f->ring >= 0);
	assert_int_equal(intake_init(&f->intake, f->ring, INT64_C(60) * SECOND, -1), 0);
	assert_int_equal(ring_check(f->ring, RING_BYTES_DEFAULT), 0);
	assert_int_equal(ring_reader_open(f->ring, &f->reader), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct feed *f = *state;

	ring_reader_close(&f->reader);
	intake_finish(&f->intake);
	close(f->ring);
	free(f);
	return 0;
}

static void give(struct feed *f, uint8_t message, uint32_t ms, struct body body, int64_t now_us)
{
	intake_message(&f->intake, message, ms, body.bytes, body.size, now_us);
	intake_publish(&f->intake);
}

/* The next packet, which must be of this kind and type. */
static struct packet take(struct feed *f, enum packet_kind kind, enum packet_type type)
{
	struct packet p;
	static uint8_t payload[PACKET_SIZE_MAX];

	assert_int_equal(ring_read(f->reader, f->next++, &p, payload, sizeof(payload)), 0);
	assert_int_equal(p.kind, kind);
	assert_int_equal(p.type, type);
	return p;
}

static void assert_nothing_more(struct feed *f)
{
	assert_int_equal(ring_next(f->reader), f->next);
}

static void give_headers(struct feed *f, int64_t now_us)
{
	give(f, DATA, 0, metadata_message(30), now_us);
	give(f, VIDEO, 0, video_config_message(30), now_us);
	give(f, AUDIO, 0, audio_message(0, aac_config()), now_us);
	take(f, PACKET_DATA, PACKET_META);
	take(f, PACKET_VIDEO, PACKET_CONFIG);
	take(f, PACKET_AUDIO, PACKET_CONFIG);
	assert_nothing_more(f);
}

static void take_repeated_headers(struct feed *f, int64_t dts_90k)
{
	static const struct {
		enum packet_kind kind;
		enum packet_type type;
	} headers[] = {
		{ PACKET_DATA, PACKET_META },
		{ PACKET_VIDEO, PACKET_CONFIG },
		{ PACKET_AUDIO, PACKET_CONFIG },
	};

	for (unsigned i = 0; i < 3; i++) {
		struct packet p = take(f, headers[i].kind, headers[i].type);

		assert_true(p.flags & PACKET_REPEAT);
		assert_int_equal(p.dts_90k, dts_90k);
	}
}

static void headers_are_repeated_before_key_frames_at_most_once_a_second(void **state)
{
	struct feed *f = *state;
	struct packet p;

	give_headers(f, SECOND);
	give(f, VIDEO, 0, video_frame_message(true, 0, 100), SECOND);
	take_repeated_headers(f, 0);
	p = take(f, PACKET_VIDEO, PACKET_FRAME);
	assert_int_equal(p.flags, PACKET_KEY);
	assert_int_equal(p.arrival_us, SECOND);

	give(f, VIDEO, 500, video_frame_message(true, 1, 100), SECOND + SECOND / 2);
	take(f, PACKET_VIDEO, PACKET_FRAME);
	give(f, VIDEO, 1000, video_frame_message(false, 2, 100), 2 * SECOND);
	take(f, PACKET_VIDEO, PACKET_FRAME);
	give(f, VIDEO, 1033, video_frame_message(true, 3, 100), 2 * SECOND + 33000);
	take_repeated_headers(f, 1033 * 90);
	take(f, PACKET_VIDEO, PACKET_FRAME);
	assert_nothing_more(f);
}

static void headers_of_audio_feeds_are_repeated_every_two_seconds(void **state)
{
	struct feed *f = *state;
	unsigned repeats = 0;

	give(f, AUDIO, 0, audio_message(0, aac_config()), SECOND);
	take(f, PACKET_AUDIO, PACKET_CONFIG);
	for (uint32_t ms = 0; ms < 10000; ms += 20) {
		give(f, AUDIO, ms, audio_message(1, aac_frame(ms, 60)), SECOND + ms * 1000);
	}
	while (f->next < ring_next(f->reader)) {
		struct packet p;

		assert_int_equal(ring_peek(f->reader, f->next++, &p), 0);
		repeats += (p.flags & PACKET_REPEAT) != 0;
	}
	assert_int_equal(repeats, 5);
}

static void only_changed_headers_are_written(void **state)
{
	struct feed *f = *state;

	give_headers(f, SECOND);
	for (unsigned i = 0; i < 25; i++) {
		give(f, DATA, 40 * i, metadata_message(30), SECOND);
	}
	give(f, VIDEO, 0, video_config_message(30), SECOND);
	assert_nothing_more(f);
	give(f, DATA, 1000, metadata_message(60), SECOND);
	take(f, PACKET_DATA, PACKET_META);
	give(f, VIDEO, 1000, video_config_message(31), SECOND);
	take(f, PACKET_VIDEO, PACKET_CONFIG);
	assert_nothing_more(f);
	assert_int_equal(f->intake.feed.dropped, 0);
}

static void the_encoder_names_itself_in_its_metadata(void **state)
{
	struct feed *f = *state;

	give_headers(f, SECOND);
	assert_string_equal(f->intake.encoder, "Test\\x01v1");
}

static void a_frame_is_a_key_frame_by_its_slices_not_by_its_label(void **state)
{
	struct feed *f = *state;

	give_headers(f, SECOND);
	give(f, VIDEO, 0, video_message(0x17, 1, 0, avc_frame(false, 0, 50)), SECOND);
	assert_int_equal(take(f, PACKET_VIDEO, PACKET_FRAME).flags & PACKET_KEY, 0);
	give(f, VIDEO, 33, video_message(0x27, 1, 0, avc_frame(true, 1, 50)), SECOND);
	take_repeated_headers(f, 33 * 90);
	assert_int_equal(take(f, PACKET_VIDEO, PACKET_FRAME).flags & PACKET_KEY, PACKET_KEY);
}

static void check_wrap(struct feed *f, uint32_t last_before)
{
	/* video before, audio after, video before, both after */
	const uint32_t wire[] = { last_before - 40, last_before - 20, 1, last_before, 21, 14 };
	const int64_t since_ms[] = { 0, 20, 42, 40, 62, 55 };
	int64_t first = 0;

	give_headers(f, SECOND);
	for (unsigned i = 0; i < 6; i++) {
		struct packet p;

		give(f, i == 2 || i == 4 ? AUDIO : VIDEO, wire[i],
		     i == 2 || i == 4 ? audio_message(1, aac_frame(i, 60))
				      : video_frame_message(false, i, 60),
		     SECOND);
		p = take(f, i == 2 || i == 4 ? PACKET_AUDIO : PACKET_VIDEO, PACKET_FRAME);
		first = i == 0 ? p.dts_90k : first;
		assert_int_equal(p.dts_90k - first, since_ms[i] * 90);
	}
}

static void time_goes_on_through_a_31_bit_wrap_that_parts_audio_and_video(void **state)
{
	check_wrap(*state, 0x7fffffff);
}

static void time_goes_on_through_a_32_bit_wrap_that_parts_audio_and_video(void **state)
{
	check_wrap(*state, 0xffffffff);
}

static void an_end_marker_with_time_zero_stays_in_its_place(void **state)
{
	struct feed *f = *state;

	give_headers(f, SECOND);
	give(f, VIDEO, 3000000000u, video_frame_message(false, 0, 60), SECOND);
	take(f, PACKET_VIDEO, PACKET_FRAME);
	give(f, VIDEO, 0, video_message(0x17, 2, 0, (struct body){ 0 }), SECOND);
	assert_int_equal(take(f, PACKET_VIDEO, PACKET_END).dts_90k, INT64_C(3000000000) * 90);
	give(f, VIDEO, 3000000033u, video_frame_message(false, 1, 60), SECOND);
	assert_int_equal(take(f, PACKET_VIDEO, PACKET_FRAME).dts_90k, INT64_C(3000000033) * 90);
}

static void a_broken_body_is_dropped_and_counted(void **state)
{
	struct feed *f = *state;
	struct body cut = { .bytes = { 0x17, 1, 0 }, .size = 3 };

	give_headers(f, SECOND);
	give(f, VIDEO, 0, cut, SECOND);
	assert_int_equal(f->intake.feed.dropped, 1);
	assert_nothing_more(f);
	give(f, VIDEO, 33, video_frame_message(false, 0, 60), SECOND);
	take(f, PACKET_VIDEO, PACKET_FRAME);
}

/* ---- what real encoders sent ---- */

static void replay(struct feed *f, const char *name)
{
	static const uint8_t random[1528];
	char path[512];
	uint8_t bytes[1021]; /* cuts messages anywhere */
	struct rtmp_limits limits;
	struct rtmp_event event;
	int64_t now_us = SECOND;
	size_t size;

	snprintf(path, sizeof(path), "%s/%s.bin", RTMP_DATA, name);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	rtmp_limits_default(&limits);
	struct rtmp_server *server = rtmp_server_create(&limits, random, now_us);
	assert_non_null(server);
	while ((size = fread(bytes, 1, sizeof(bytes), file)) > 0) {
		for (size_t at = 0; at < size;) {
			ssize_t used = rtmp_server_feed(server, bytes + at, size - at, now_us);

			assert_true(used > 0);
			at += (size_t)used;
			while (rtmp_server_next(server, &event)) {
				if (event.type == RTMP_EVENT_PUBLISH) {
					rtmp_server_answer(server, true, NULL);
				} else {
					intake_message(&f->intake, event.message,
						       event.timestamp_ms, event.body, event.size,
						       now_us);
				}
			}
		}
		now_us += 10000;
	}
	intake_publish(&f->intake);
	rtmp_server_destroy(&server);
	fclose(file);
}

/* The next packet that is none of the headers repeated or sent beside the media. */
static struct packet take_media(struct feed *f)
{
	struct packet p;

	do {
		assert_int_equal(ring_peek(f->reader, f->next++, &p), 0);
	} while ((p.flags & PACKET_REPEAT) != 0 || p.kind == PACKET_DATA);
	return p;
}

/* Every audio and video message is in the ring once, in order, with its time. */
static void check_replay(struct feed *f, const char *name, uint32_t video_codec)
{
	char path[512], line[256];
	unsigned keys = 0, configs = 0, frames = 0;

	replay(f, name);
	assert_int_equal(f->intake.feed.dropped, 0);
	snprintf(path, sizeof(path), "%s/%s.txt", RTMP_DATA, name);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		unsigned message, ms, size;

		if (sscanf(line, "%u %u %u", &message, &ms, &size) != 3 || message == DATA) {
			continue;
		}
		struct packet p = take_media(f);
		assert_int_equal(p.kind, message == AUDIO ? PACKET_AUDIO : PACKET_VIDEO);
		assert_int_equal(p.dts_90k, (int64_t)ms * 90);
		assert_int_equal(p.codec, message == AUDIO ? CODEC_AAC : video_codec);
		assert_true(p.pts_90k >= p.dts_90k);
		configs += p.type == PACKET_CONFIG;
		frames += p.kind == PACKET_VIDEO && p.type == PACKET_FRAME;
		keys += (p.flags & PACKET_KEY) != 0;
		/* the first picture is where one may start */
		assert_true(frames != 1 || keys == 1);
	}
	fclose(file);
	assert_int_equal(configs, 2);
	assert_true(frames > 1 && keys > 0 && keys < frames);
}

static void streams_of_real_encoders_arrive_whole(void **state)
{
	static const struct {
		const char *name;
		uint32_t codec;
	} streams[] = {
		{ "obs30-h264", CODEC_AVC },         { "ffmpeg71-h264-aac", CODEC_AVC },
		{ "ffmpeg71-hevc-aac", CODEC_HEVC }, { "ffmpeg71-av1-aac", CODEC_AV1 },
		{ "ffmpeg71-vp9-aac", CODEC_VP9 },   { "gst126-rtmp2sink", CODEC_AVC },
		{ "gst126-librtmp", CODEC_AVC },
	};

	for (unsigned i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		void *feed = NULL;

		print_message("# %s\n", streams[i].name);
		setup(&feed);
		check_replay(feed, streams[i].name, streams[i].codec);
		teardown(&feed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(headers_are_repeated_before_key_frames_at_most_once_a_second),
		TEST(headers_of_audio_feeds_are_repeated_every_two_seconds),
		TEST(only_changed_headers_are_written),
		TEST(the_encoder_names_itself_in_its_metadata),
		TEST(a_frame_is_a_key_frame_by_its_slices_not_by_its_label),
		TEST(time_goes_on_through_a_31_bit_wrap_that_parts_audio_and_video),
		TEST(time_goes_on_through_a_32_bit_wrap_that_parts_audio_and_video),
		TEST(an_end_marker_with_time_zero_stays_in_its_place),
		TEST(a_broken_body_is_dropped_and_counted),
		cmocka_unit_test(streams_of_real_encoders_arrive_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
