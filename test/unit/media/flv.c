/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Message bodies taken apart and put together again: real ones, and every shape there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sample.h"

#define DTS INT64_C(90000)

static struct flv_item items[FLV_ITEMS_MAX];

/* Puts an item together again, with the composition time it came with. */
static size_t join(const struct flv_item *item, enum flv_message *ret_message, uint8_t *to)
{
	const struct packet *p = &item->packet;
	int32_t cts_ms = (int32_t)((p->pts_90k - p->dts_90k) / 90);
	size_t head = flv_write_head(p, cts_ms, to, ret_message);

	assert_true(head <= FLV_HEAD_MAX);
	if (p->size > 0) {
		memcpy(to + head, item->payload, p->size);
	}
	return head + p->size;
}

static void assert_same_again(enum flv_message message, const uint8_t *body, size_t size)
{
	static uint8_t again[65536];
	enum flv_message kind;

	assert_int_equal(flv_parse(message, DTS, body, size, items), 1);
	assert_int_equal(join(&items[0], &kind, again), size);
	assert_int_equal(kind, message);
	assert_memory_equal(again, body, size);
}

#define BODY(...) ((const uint8_t[]){ __VA_ARGS__ })
#define PARSE(message, ...) \
	flv_parse(message, DTS, BODY(__VA_ARGS__), sizeof((const uint8_t[]){ __VA_ARGS__ }), items)
#define SAME_AGAIN(message, ...) \
	assert_same_again(message, BODY(__VA_ARGS__), sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void real_streams_come_out_as_they_went_in(void **state)
{
	static const char *const names[] = {
		"obs-h264",   "gstreamer-h264", "liquidsoap-h264", "ffmpeg-hevc",   "ffmpeg-av1",
		"ffmpeg-vp9", "x264-baseline",  "x264-interlaced", "x264-open-gop", "x265-open-gop",
		"libaom-av1", "libvpx-vp9",     "libvpx-vp8",      "mp3",           "g711",
		"speex",
	};
	static struct sample sample;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct sample_tag tag;
		unsigned count = 0;

		sample_open(&sample, names[i]);
		while (sample_next(&sample, &tag)) {
			assert_same_again(tag.message, tag.body, tag.size);
			assert_int_not_equal(items[0].packet.type, PACKET_OPAQUE);
			count++;
		}
		assert_true(count > 2);
	}
}

static void legacy_avc_says_type_key_and_composition_time(void **state)
{
	const struct packet *p = &items[0].packet;

	assert_int_equal(PARSE(FLV_VIDEO, 0x17, 0, 0, 0, 0, 1, 2, 3), 1);
	assert_int_equal(p->kind, PACKET_VIDEO);
	assert_int_equal(p->type, PACKET_CONFIG);
	assert_int_equal(p->codec, CODEC_AVC);
	assert_int_equal(p->flags, 0);
	assert_int_equal(p->size, 3);
	assert_int_equal(items[0].payload[0], 1);

	assert_int_equal(PARSE(FLV_VIDEO, 0x17, 1, 0, 0, 66, 9), 1);
	assert_int_equal(p->type, PACKET_FRAME);
	assert_int_equal(p->flags, PACKET_KEY);
	assert_int_equal(p->dts_90k, DTS);
	assert_int_equal(p->pts_90k, DTS + 66 * 90);

	assert_int_equal(PARSE(FLV_VIDEO, 0x37, 1, 0xff, 0xff, 0xff, 9), 1);
	assert_int_equal(p->flags, PACKET_DISPOSABLE);
	assert_int_equal(p->pts_90k, DTS - 90);

	assert_int_equal(PARSE(FLV_VIDEO, 0x17, 2, 0, 0, 0), 1);
	assert_int_equal(p->type, PACKET_END);
	assert_int_equal(p->size, 0);
}

static void legacy_bodies_of_every_kind_come_out_as_they_went_in(void **state)
{
	SAME_AGAIN(FLV_VIDEO, 0x17, 0, 0, 0, 0, 1, 2, 3);
	SAME_AGAIN(FLV_VIDEO, 0x27, 1, 0xff, 0xff, 0xf0, 1);
	SAME_AGAIN(FLV_VIDEO, 0x17, 2, 0, 0, 0);
	SAME_AGAIN(FLV_VIDEO, 0x47, 1, 0, 0, 7, 5);
	SAME_AGAIN(FLV_VIDEO, 0x1c, 0, 0, 0, 0, 1, 1); /* unofficial HEVC */
	SAME_AGAIN(FLV_VIDEO, 0x2c, 1, 0, 0, 40, 1, 1);
	SAME_AGAIN(FLV_VIDEO, 0x22, 1, 2, 3);       /* H.263 */
	SAME_AGAIN(FLV_VIDEO, 0x57, 0);             /* seek command */
	SAME_AGAIN(FLV_VIDEO, 0x17, 9, 0, 0, 0, 1); /* unknown AVC packet type */
	SAME_AGAIN(FLV_AUDIO, 0xaf, 0, 0x11, 0x90);
	SAME_AGAIN(FLV_AUDIO, 0xae, 1, 0x21);
	SAME_AGAIN(FLV_AUDIO, 0xaf, 1);
	SAME_AGAIN(FLV_AUDIO, 0xaf, 7, 1);       /* unknown AAC packet type */
	SAME_AGAIN(FLV_AUDIO, 0x2b, 0xff, 0xfb); /* MP3 */
	SAME_AGAIN(FLV_AUDIO, 0xe2, 0xff, 0xfb); /* MP3 at 8 kHz */
	SAME_AGAIN(FLV_AUDIO, 0x82, 1, 2, 3);    /* G.711 */
	SAME_AGAIN(FLV_AUDIO, 0xb2, 1, 2, 3);    /* Speex */
	SAME_AGAIN(FLV_AUDIO, 0x00, 1, 2, 3);    /* PCM */
	SAME_AGAIN(FLV_AUDIO, 0x3e);
	SAME_AGAIN(FLV_DATA, 2, 0, 3, 'c', 'u', 'e', 5);
	SAME_AGAIN(FLV_DATA, 0, 1, 2);
}

static void enhanced_bodies_of_every_kind_come_out_as_they_went_in(void **state)
{
	SAME_AGAIN(FLV_VIDEO, 0x90, 'h', 'v', 'c', '1', 1, 2);
	SAME_AGAIN(FLV_VIDEO, 0x91, 'h', 'v', 'c', '1', 0, 0, 40, 1, 2);
	SAME_AGAIN(FLV_VIDEO, 0xa1, 'a', 'v', 'c', '1', 0, 0, 0, 1, 2);
	SAME_AGAIN(FLV_VIDEO, 0xa3, 'h', 'v', 'c', '1', 1, 2);
	SAME_AGAIN(FLV_VIDEO, 0xa3, 'a', 'v', '0', '1', 1, 2);
	SAME_AGAIN(FLV_VIDEO, 0x92, 'v', 'v', 'c', '1');
	SAME_AGAIN(FLV_VIDEO, 0xd4, 'h', 'v', 'c', '1', 2, 0, 1, 'c');
	SAME_AGAIN(FLV_VIDEO, 0x95, 'a', 'v', '0', '1', 0x80, 4);
	SAME_AGAIN(FLV_VIDEO, 0xd1, 0);                           /* seek command */
	SAME_AGAIN(FLV_VIDEO, 0x91, 'x', 'y', 'z', '1', 1, 2);    /* unknown codec */
	SAME_AGAIN(FLV_VIDEO, 0x9b, 'h', 'v', 'c', '1', 1, 2);    /* reserved packet type */
	SAME_AGAIN(FLV_VIDEO, 0x96, 0x30, 'h', 'v', 'c', '1', 1); /* reserved multitrack type */
	SAME_AGAIN(FLV_VIDEO, 0x97, 2, 0, 0, 9, 0x03, 'h', 'v', 'c', '1', 1);
	SAME_AGAIN(FLV_AUDIO, 0x90, 'O', 'p', 'u', 's');
	SAME_AGAIN(FLV_AUDIO, 0x91, 'm', 'p', '4', 'a', 0x21);
	SAME_AGAIN(FLV_AUDIO, 0x92, 'f', 'L', 'a', 'C');
	SAME_AGAIN(FLV_AUDIO, 0x94, 'O', 'p', 'u', 's', 1, 2, 0, 0, 0, 3);
	SAME_AGAIN(FLV_AUDIO, 0x91, 'h', 'v', 'c', '1', 1); /* a video codec */
	SAME_AGAIN(FLV_AUDIO, 0x93, 'm', 'p', '4', 'a', 1); /* reserved packet type */
	SAME_AGAIN(FLV_AUDIO, 0x95, 0x01, 'm', 'p', '4', 'a', 2, 0x21);
	SAME_AGAIN(FLV_AUDIO, 0x97, 2, 0x0f, 0x42, 0x3f, 0x01, 'm', 'p', '4', 'a', 0x21);
}

static void silence_is_carried_as_such(void **state)
{
	enum flv_message message;
	uint8_t body[FLV_HEAD_MAX];

	assert_int_equal(flv_parse(FLV_AUDIO, DTS, NULL, 0, items), 1);
	assert_int_equal(items[0].packet.flags, PACKET_SILENCE);
	assert_int_equal(items[0].packet.type, PACKET_FRAME);
	assert_int_equal(join(&items[0], &message, body), 0);
	assert_int_equal(message, FLV_AUDIO);
	assert_int_equal(flv_parse(FLV_VIDEO, DTS, NULL, 0, items), 0);
	assert_int_equal(flv_parse(FLV_DATA, DTS, NULL, 0, items), 0);
}

static void metadata_is_told_from_other_data(void **state)
{
	static const uint8_t set[] = "\x02\x00\x0d@setDataFrame\x02\x00\x0aonMetaData\x08";
	static const uint8_t plain[] = "\x02\x00\x0aonMetaData\x03\x00";
	static const uint8_t other[] = "\x02\x00\x0d@setDataFrame\x02\x00\x03xyz";
	uint8_t body[128];
	enum flv_message message;

	assert_int_equal(flv_parse(FLV_DATA, DTS, set, sizeof(set) - 1, items), 1);
	assert_int_equal(items[0].packet.type, PACKET_META);
	assert_int_equal(items[0].packet.size, 1);
	assert_int_equal(items[0].payload[0], 8);
	assert_int_equal(join(&items[0], &message, body), sizeof(set) - 1);
	assert_memory_equal(body, set, sizeof(set) - 1);
	assert_int_equal(message, FLV_DATA);
	assert_int_equal(flv_parse(FLV_DATA, DTS, plain, sizeof(plain) - 1, items), 1);
	assert_int_equal(items[0].packet.type, PACKET_META);
	assert_int_equal(items[0].packet.size, 2);
	assert_int_equal(flv_parse(FLV_DATA, DTS, plain, 13, items), 0);
	assert_int_equal(flv_parse(FLV_DATA, DTS, plain, 9, items), FLV_TRUNCATED);
	assert_int_equal(flv_parse(FLV_DATA, DTS, other, sizeof(other) - 1, items), 1);
	assert_int_equal(items[0].packet.type, PACKET_SCRIPT);
}

static void tracks_of_one_codec_are_told_apart(void **state)
{
	assert_int_equal(PARSE(FLV_VIDEO, 0x96, 0x11, 'a', 'v', 'c', '1', 0, 0, 0, 5, 0, 0, 10, 1,
			       2, 1, 0, 0, 4, 0, 0, 20, 3),
			 2);
	assert_int_equal(items[0].packet.track, 0);
	assert_int_equal(items[0].packet.size, 2);
	assert_int_equal(items[0].packet.pts_90k, DTS + 900);
	assert_int_equal(items[0].packet.flags, PACKET_EX | PACKET_KEY);
	assert_int_equal(items[1].packet.track, 1);
	assert_int_equal(items[1].packet.size, 1);
	assert_int_equal(items[1].packet.pts_90k, DTS + 1800);
	assert_int_equal(items[1].payload[0], 3);
}

static void tracks_of_many_codecs_go_out_one_by_one(void **state)
{
	static const uint8_t single[] = { 0x91, 'm', 'p', '4', 'a', 7, 8 };
	static const uint8_t one_track[] = { 0x95, 0x01, 'O', 'p', 'u', 's', 3, 9 };
	enum flv_message message;
	uint8_t body[64];

	assert_int_equal(PARSE(FLV_AUDIO, 0x95, 0x21, 'm', 'p', '4', 'a', 0, 0, 0, 2, 7, 8, 'O',
			       'p', 'u', 's', 3, 0, 0, 1, 9),
			 2);
	assert_int_equal(items[0].packet.codec, CODEC_AAC);
	assert_int_equal(items[1].packet.codec, CODEC_OPUS);
	assert_int_equal(join(&items[0], &message, body), sizeof(single));
	assert_memory_equal(body, single, sizeof(single));
	assert_int_equal(join(&items[1], &message, body), sizeof(one_track));
	assert_memory_equal(body, one_track, sizeof(one_track));
}

static void tracks_that_cannot_be_carried_do_not_take_the_others_along(void **state)
{
	assert_int_equal(PARSE(FLV_AUDIO, 0x95, 0x21, 'm', 'p', '4', 'a', 0, 0, 0, 1, 7, 'x', 'y',
			       'z', '!', 1, 0, 0, 1, 9, 'm', 'p', '4', 'a', 16, 0, 0, 1, 8),
			 1);
	assert_int_equal(items[0].packet.track, 0);
	assert_int_equal(PARSE(FLV_AUDIO, 0x95, 0x21, 'x', 'y', 'z', '!', 1, 0, 0, 1, 9), 1);
	assert_int_equal(items[0].packet.type, PACKET_OPAQUE);
}

static void too_many_tracks_are_refused(void **state)
{
	uint8_t body[6 + 17 * 5] = { 0x95, 0x11, 'm', 'p', '4', 'a' };

	for (uint8_t i = 0; i < 17; i++) {
		body[6 + i * 5] = i & 15;
		body[6 + i * 5 + 3] = 1;
	}
	assert_int_equal(flv_parse(FLV_AUDIO, DTS, body, sizeof(body), items), FLV_TOO_MANY_TRACKS);
	assert_int_equal(flv_parse(FLV_AUDIO, DTS, body, sizeof(body) - 5, items), 16);
}

static void modex_gives_nanoseconds_to_every_track(void **state)
{
	assert_int_equal(PARSE(FLV_VIDEO, 0x97, 2, 0x01, 0x86, 0xa0, 0x06, 0x13, 'h', 'v', 'c', '1',
			       0, 0, 0, 1, 5, 2, 0, 0, 1, 6),
			 2);
	assert_int_equal(items[0].packet.nano, 100000);
	assert_int_equal(items[1].packet.nano, 100000);
	assert_int_equal(items[1].packet.track, 2);
	assert_int_equal(items[1].packet.type, PACKET_FRAME);
}

static void unknown_modex_of_any_length_is_skipped(void **state)
{
	uint8_t body[1 + 3 + 300 + 1 + 9] = { 0x97, 255, 1, 43 }; /* 0x12b + 1 bytes */

	body[304] = 0x17;
	memcpy(body + 305, "\x02\x00\x00\x07\x03hvc1", 9);
	assert_int_equal(flv_parse(FLV_VIDEO, DTS, body, sizeof(body), items), 1);
	assert_int_equal(items[0].packet.nano, 7);
	assert_int_equal(items[0].packet.size, 0);
}

static void bad_modex_is_refused(void **state)
{
	assert_int_equal(PARSE(FLV_VIDEO, 0x97, 2, 0x0f, 0x42, 0x40, 0x01, 'h', 'v', 'c', '1', 0, 0,
			       0),
			 FLV_BAD_MODEX);
	assert_int_equal(PARSE(FLV_VIDEO, 0x97, 0, 1, 0x01, 'h', 'v', 'c', '1', 0, 0, 0),
			 FLV_BAD_MODEX);
	assert_int_equal(PARSE(FLV_VIDEO, 0x97, 0, 1, 0x17, 0, 1, 0x17, 0, 1, 0x17, 0, 1, 0x17, 0,
			       1, 0x13, 'h', 'v', 'c', '1'),
			 FLV_BAD_MODEX);
	assert_int_equal(PARSE(FLV_VIDEO, 0x97, 0, 1, 0x17, 0, 1, 0x17, 0, 1, 0x17, 0, 1, 0x13, 'h',
			       'v', 'c', '1'),
			 1);
	assert_int_equal(PARSE(FLV_VIDEO, 0x97, 200, 1, 2, 3), FLV_TRUNCATED);
}

static void bodies_cut_short_are_errors_and_leave_the_result_alone(void **state)
{
	static const uint8_t body[] = {
		0x97, 2, 0, 0,  9, 0x06, 0x11, 'h', 'v', 'c', '1', 0,  0, 0,
		4,    0, 0, 40, 1, 1,    0,    0,   5,   0,   0,   40, 1, 2
	};

	memset(items, 0x55, sizeof(items));
	for (size_t size = 1; size < sizeof(body); size++) {
		if (size == 19) { /* just the first track */
			continue;
		}
		assert_int_equal(flv_parse(FLV_VIDEO, DTS, body, size, items), FLV_TRUNCATED);
		assert_int_equal(items[0].packet.size, 0x55555555);
	}
	assert_int_equal(flv_parse(FLV_VIDEO, DTS, body, sizeof(body), items), 2);
	assert_int_equal(PARSE(FLV_VIDEO, 0x17, 1, 0, 0), FLV_TRUNCATED);
	assert_int_equal(PARSE(FLV_AUDIO, 0xaf), FLV_TRUNCATED);
	assert_int_equal(flv_parse(FLV_VIDEO, DTS, body, PACKET_SIZE_MAX + 1, items), FLV_TOO_BIG);
}

static void packets_from_elsewhere_get_legacy_form_where_there_is_one(void **state)
{
	struct packet p = {
		.kind = PACKET_VIDEO, .type = PACKET_FRAME, .codec = CODEC_AVC, .flags = PACKET_KEY
	};
	enum flv_message message;
	uint8_t head[FLV_HEAD_MAX];

	assert_int_equal(flv_write_head(&p, -2, head, &message), 5);
	assert_memory_equal(head, "\x17\x01\xff\xff\xfe", 5);
	p.codec = CODEC_HEVC;
	p.flags = 0;
	assert_int_equal(flv_write_head(&p, 33, head, &message), 8);
	assert_memory_equal(head, "\xa1hvc1\x00\x00\x21", 8);
	p = (struct packet){ .kind = PACKET_AUDIO, .type = PACKET_CONFIG, .codec = CODEC_AAC };
	assert_int_equal(flv_write_head(&p, 0, head, &message), 2);
	assert_memory_equal(head, "\xaf\x00", 2);
	p.type = PACKET_FRAME;
	p.codec = CODEC_MP3;
	assert_int_equal(flv_write_head(&p, 0, head, &message), 1);
	assert_memory_equal(head, "\x2f", 1);
	p.codec = CODEC_OPUS;
	assert_int_equal(flv_write_head(&p, 0, head, &message), 5);
	assert_memory_equal(head, "\x91Opus", 5);
	p.codec = CODEC_AAC;
	p.track = 2;
	p.nano = 5;
	assert_int_equal(flv_write_head(&p, 0, head, &message), 12);
	assert_memory_equal(head, "\x97\x02\x00\x00\x05\x05\x01mp4a\x02", 12);
}

static void frame_that_moved_gives_up_its_implied_composition_time(void **state)
{
	enum flv_message message;
	uint8_t head[FLV_HEAD_MAX];

	assert_int_equal(PARSE(FLV_VIDEO, 0xa3, 'h', 'v', 'c', '1', 1, 2), 1);
	assert_int_equal(flv_write_head(&items[0].packet, 1, head, &message), 8);
	assert_memory_equal(head, "\xa1hvc1\x00\x00\x01", 8);
}

static void file_framing_is_as_specified(void **state)
{
	uint8_t head[FLV_FILE_HEADER_BYTES], tag[FLV_TAG_HEADER_BYTES], trailer[4];

	flv_write_file_header(head, true, true);
	assert_memory_equal(head, "FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00", sizeof(head));
	flv_write_tag_header(tag, FLV_VIDEO, 0x12345678, 0xabcdef);
	assert_memory_equal(tag, "\x09\xab\xcd\xef\x34\x56\x78\x12\x00\x00\x00", sizeof(tag));
	flv_write_tag_trailer(trailer, 100);
	assert_memory_equal(trailer, "\x00\x00\x00\x6f", 4);
}

static void file_framing_is_read_as_it_is_written(void **state)
{
	uint8_t file[FLV_FILE_HEADER_BYTES + FLV_TAG_HEADER_BYTES + 3 + FLV_TAG_TRAILER_BYTES];
	uint8_t *at = file + FLV_FILE_HEADER_BYTES;
	struct flv_tag tag;

	flv_write_file_header(file, true, true);
	flv_write_tag_header(at, FLV_VIDEO, 0x89abcdef, 3);
	memcpy(at + FLV_TAG_HEADER_BYTES, "xyz", 3);
	flv_write_tag_trailer(at + FLV_TAG_HEADER_BYTES + 3, 3);
	for (size_t size = 0; size < FLV_FILE_HEADER_BYTES; size++) {
		assert_int_equal(flv_read_file_header(file, size), 0);
	}
	assert_int_equal(flv_read_file_header(file, sizeof(file)), FLV_FILE_HEADER_BYTES);
	for (size_t size = 0; size < sizeof(file) - FLV_FILE_HEADER_BYTES; size++) {
		assert_int_equal(flv_read_tag(at, size, &tag), 0);
	}
	assert_int_equal(flv_read_tag(at, 1000, &tag), sizeof(file) - FLV_FILE_HEADER_BYTES);
	assert_int_equal(tag.message, FLV_VIDEO);
	assert_int_equal(tag.timestamp_ms, 0x89abcdef);
	assert_int_equal(tag.size, 3);
	assert_memory_equal(tag.body, "xyz", 3);
	at[0] |= 0x20; /* encrypted */
	assert_int_equal(flv_read_tag(at, 1000, &tag), sizeof(file) - FLV_FILE_HEADER_BYTES);
	assert_int_equal(tag.size, 0);
}

static void what_is_no_flv_is_no_tag(void **state)
{
	uint8_t file[FLV_FILE_HEADER_BYTES];
	uint8_t tag_header[FLV_TAG_HEADER_BYTES];
	struct flv_tag tag;

	flv_write_file_header(file, true, true);
	file[8] = 8; /* a header shorter than one is */
	assert_int_equal(flv_read_file_header(file, sizeof(file)), FLV_TRUNCATED);
	file[5] = 0x7f; /* and one as long as none is */
	assert_int_equal(flv_read_file_header(file, sizeof(file)), FLV_TRUNCATED);
	flv_write_tag_header(tag_header, FLV_AUDIO, 0, 1);
	tag_header[0] = 7;
	assert_int_equal(flv_read_tag(tag_header, sizeof(tag_header), &tag), FLV_TRUNCATED);
	tag_header[0] = FLV_AUDIO;
	tag_header[10] = 1; /* the stream, which is always 0 */
	assert_int_equal(flv_read_tag(tag_header, sizeof(tag_header), &tag), FLV_TRUNCATED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_streams_come_out_as_they_went_in),
		cmocka_unit_test(legacy_avc_says_type_key_and_composition_time),
		cmocka_unit_test(legacy_bodies_of_every_kind_come_out_as_they_went_in),
		cmocka_unit_test(enhanced_bodies_of_every_kind_come_out_as_they_went_in),
		cmocka_unit_test(silence_is_carried_as_such),
		cmocka_unit_test(metadata_is_told_from_other_data),
		cmocka_unit_test(tracks_of_one_codec_are_told_apart),
		cmocka_unit_test(tracks_of_many_codecs_go_out_one_by_one),
		cmocka_unit_test(tracks_that_cannot_be_carried_do_not_take_the_others_along),
		cmocka_unit_test(too_many_tracks_are_refused),
		cmocka_unit_test(modex_gives_nanoseconds_to_every_track),
		cmocka_unit_test(unknown_modex_of_any_length_is_skipped),
		cmocka_unit_test(bad_modex_is_refused),
		cmocka_unit_test(bodies_cut_short_are_errors_and_leave_the_result_alone),
		cmocka_unit_test(packets_from_elsewhere_get_legacy_form_where_there_is_one),
		cmocka_unit_test(frame_that_moved_gives_up_its_implied_composition_time),
		cmocka_unit_test(file_framing_is_as_specified),
		cmocka_unit_test(file_framing_is_read_as_it_is_written),
		cmocka_unit_test(what_is_no_flv_is_no_tag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
