/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Elementary streams: what an encoder sends over MPEG-TS becomes what it sends over RTMP. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <understudy/codec.h>
#include <understudy/elementary.h>

#include "sample.h"

static struct sample sample;
static uint8_t made[16384], stream[131072], expected[131072];
static size_t expected_bytes;

static const uint8_t start_code[] = { 0, 0, 0, 1 };

static size_t append(size_t at, const void *data, size_t size)
{
	memcpy(stream + at, data, size);
	return at + size;
}

static size_t append_nal(size_t at, const void *nal, size_t size)
{
	return append(append(at, start_code, sizeof(start_code)), nal, size);
}

/* The parameter sets of an avcC or hvcC as a byte stream. */
static size_t append_sets(size_t at, uint32_t codec, const uint8_t *config, size_t size)
{
	struct reader r = reader_over(config, size);
	unsigned arrays = 2;

	reader_take(&r, codec == CODEC_AVC ? 5 : 22);
	if (codec == CODEC_HEVC) {
		reader_u8(&r);
		arrays = 3; /* behind the parameter sets the sample is cut */
	}
	for (unsigned i = 0; i < arrays; i++) {
		unsigned count;

		if (codec == CODEC_AVC) {
			count = reader_u8(&r) & (i == 0 ? 0x1f : 0xff);
		} else {
			reader_u8(&r);
			count = reader_be16(&r);
		}
		while (count-- > 0) {
			size_t bytes = reader_be16(&r);

			at = append_nal(at, reader_take(&r, bytes), bytes);
		}
	}
	assert_false(r.failed);
	return at;
}

static bool is_set(uint32_t codec, uint8_t first)
{
	unsigned type = codec == CODEC_AVC ? first & 31 : first >> 1 & 63;

	return codec == CODEC_AVC ? type == 7 || type == 8 : type >= 32 && type <= 34;
}

/* Samples are cut short: so is their last NAL unit, which then must not end in a zero. */
static size_t append_frame(size_t at, uint32_t codec, const uint8_t *payload, size_t size)
{
	struct reader r = reader_over(payload, size);

	expected_bytes = 0;
	while (reader_left(&r) > 4) {
		size_t bytes = reader_be32(&r);

		bytes = bytes < reader_left(&r) ? bytes : reader_left(&r);
		const uint8_t *nal = reader_take(&r, bytes);
		while (bytes > 0 && nal[bytes - 1] == 0) {
			bytes--;
		}
		at = append_nal(at, nal, bytes);
		if (is_set(codec, nal[0])) {
			continue; /* some encoders send them in band, too */
		}
		put_be32(expected + expected_bytes, (uint32_t)bytes);
		memcpy(expected + expected_bytes + 4, nal, bytes);
		expected_bytes += 4 + bytes;
	}
	return at;
}

/* Every frame of an RTMP sample goes out as TS encoders send it, and comes back as it was. */
static void check_round_trip(const char *name, uint32_t codec, const void *delimiter,
			     size_t delimiter_bytes, bool is_config_equal)
{
	struct flv_item items[FLV_ITEMS_MAX];
	uint8_t config[4096];
	size_t config_bytes = 0, compared = 0;
	struct sample_tag tag;
	struct annexb a;
	struct buffer out;

	annexb_init(&a, codec);
	buffer_init(&out, sizeof(stream));
	sample_open(&sample, name);
	while (sample_next(&sample, &tag)) {
		struct packet *p = &items[0].packet;
		size_t at = append_nal(0, delimiter, delimiter_bytes);

		if (tag.message != FLV_VIDEO ||
		    flv_parse(tag.message, 0, tag.body, tag.size, items) != 1) {
			continue;
		}
		if (p->type == PACKET_CONFIG) {
			memcpy(config, items[0].payload, p->size);
			config_bytes = p->size;
			continue;
		}
		if (p->type != PACKET_FRAME) {
			continue;
		}
		if (p->flags & PACKET_KEY) {
			at = append_sets(at, codec, config, config_bytes);
		}
		at = append_frame(at, codec, items[0].payload, p->size);
		buffer_clear(&out);
		assert_true(annexb_convert(&a, stream, at, &out) > 0);
		assert_int_equal(buffer_size(&out), expected_bytes);
		assert_memory_equal(buffer_bytes(&out), expected, expected_bytes);
		compared++;
		int bytes = annexb_config(&a, made, sizeof(made));
		if (compared > 1) {
			assert_int_equal(bytes, 0); /* nothing has changed */
			continue;
		}
		assert_true(bytes > 0);
		if (is_config_equal) {
			assert_int_equal(bytes, config_bytes);
			assert_memory_equal(made, config, config_bytes);
		}
		struct codec_params ours, theirs;
		assert_int_equal(codec_parse_config(codec, made, (size_t)bytes, &ours), CODEC_OK);
		assert_int_equal(codec_parse_config(codec, config, config_bytes, &theirs),
				 CODEC_OK);
		assert_memory_equal(&ours, &theirs, sizeof(ours));
	}
	assert_true(compared > 0);
	buffer_finish(&out);
	annexb_finish(&a);
}

static void avc_frames_and_header_equal_those_of_an_rtmp_encoder(void **state)
{
	static const uint8_t delimiter[] = { 9, 0xf0 };

	(void)state;
	check_round_trip("obs-h264", CODEC_AVC, delimiter, sizeof(delimiter), true);
	check_round_trip("x264-baseline", CODEC_AVC, delimiter, sizeof(delimiter), true);
	check_round_trip("x264-high422", CODEC_AVC, delimiter, sizeof(delimiter), true);
}

static void hevc_frames_equal_those_of_an_rtmp_encoder(void **state)
{
	static const uint8_t delimiter[] = { 35 << 1, 1, 0x50 };

	(void)state;
	check_round_trip("ffmpeg-hevc", CODEC_HEVC, delimiter, sizeof(delimiter), false);
}

static void wrapping_is_left_out_and_short_start_codes_are_understood(void **state)
{
	static const uint8_t unit[] = {
		0, 0, 0, 1,  9,    0xf0,             /* delimiter */
		0, 0, 1, 12, 0xff, 0xff, 0x80,       /* filler */
		0, 0, 1, 6,  5,    1,    0x80,       /* SEI: kept */
		0, 0, 0, 0,  1,    0x65, 1,    0x80, /* slice behind three zeros */
		0, 0, 1, 11, 0,    0,                /* end of stream */
	};
	static const uint8_t kept[] = { 0, 0, 0, 4, 6, 5, 1, 0x80, 0, 0, 0, 3, 0x65, 1, 0x80 };
	struct annexb a;
	struct buffer out;

	(void)state;
	annexb_init(&a, CODEC_AVC);
	buffer_init(&out, 64);
	assert_int_equal(annexb_convert(&a, unit, sizeof(unit), &out), 2);
	assert_int_equal(buffer_size(&out), sizeof(kept));
	assert_memory_equal(buffer_bytes(&out), kept, sizeof(kept));
	assert_int_equal(annexb_config(&a, made, sizeof(made)), 0);
	buffer_finish(&out);
	annexb_finish(&a);
}

static void an_access_unit_too_large_leaves_the_buffer_as_it_was(void **state)
{
	static const uint8_t unit[] = { 0, 0, 1, 0x65, 1, 2, 3, 0, 0, 1, 0x65, 4, 5, 6, 7, 8, 9 };
	struct annexb a;
	struct buffer out;

	(void)state;
	annexb_init(&a, CODEC_AVC);
	buffer_init(&out, 10);
	assert_int_equal(annexb_convert(&a, unit, sizeof(unit), &out), -ENOBUFS);
	assert_int_equal(buffer_size(&out), 0);
	buffer_finish(&out);
	annexb_finish(&a);
}

/* ---- audio ---- */

static size_t adts(uint8_t *to, size_t payload_bytes, uint8_t fill)
{
	size_t size = payload_bytes + 7;

	to[0] = 0xff;
	to[1] = 0xf1;
	to[2] = 1 << 6 | 3 << 2; /* LC, 48 kHz */
	to[3] = (uint8_t)(2 << 6 | size >> 11);
	to[4] = (uint8_t)(size >> 3);
	to[5] = (uint8_t)((size & 7) << 5 | 0x1f);
	to[6] = 0xfc;
	memset(to + 7, fill, payload_bytes);
	return size;
}

static void adts_frames_come_one_by_one_with_their_times(void **state)
{
	static const uint8_t lc_48k_stereo[] = { 0x11, 0x90 };
	struct audio_split s;
	struct audio_frame f;
	size_t first = adts(stream, 100, 1), size = first;

	(void)state;
	size += adts(stream + size, 50, 2);
	size += adts(stream + size, 70, 3);
	audio_split_init(&s, AUDIO_ADTS);
	/* The second one ends in the next packet, whose time is that of the third. */
	assert_int_equal(audio_split_push(&s, stream, first + 20, 9000), 0);
	assert_true(audio_split_next(&s, &f));
	assert_int_equal(f.size, 100);
	assert_int_equal(f.data[0], 1);
	assert_int_equal(f.pts_90k, 9000);
	assert_false(audio_split_next(&s, &f));
	assert_int_equal(audio_split_push(&s, stream + first + 20, size - first - 20, 12841), 0);
	assert_true(audio_split_next(&s, &f));
	assert_int_equal(f.size, 50);
	assert_int_equal(f.pts_90k, 9000 + 1920);
	assert_true(audio_split_next(&s, &f));
	assert_int_equal(f.data[0], 3);
	assert_int_equal(f.pts_90k, 12841);
	assert_false(audio_split_next(&s, &f));
	assert_true(s.is_config_new);
	assert_int_equal(s.config_size, 2);
	assert_memory_equal(s.config, lc_48k_stereo, 2);
	assert_int_equal(s.skipped, 0);
	audio_split_finish(&s);
}

static void noise_before_a_frame_is_skipped(void **state)
{
	struct audio_split s;
	struct audio_frame f;
	size_t size;

	(void)state;
	memset(stream, 0x55, 40);
	size = 40 + adts(stream + 40, 60, 7);
	audio_split_init(&s, AUDIO_ADTS);
	assert_int_equal(audio_split_push(&s, stream, size, 500), 0);
	assert_true(audio_split_next(&s, &f));
	assert_int_equal(f.pts_90k, 500);
	assert_int_equal(f.size, 60);
	assert_int_equal(s.skipped, 40);
	audio_split_finish(&s);
}

/* As FFmpeg's muxer writes it: version 0, LC, 48 kHz, stereo. */
static void latm_frame_is_shifted_into_place(void **state)
{
	static const uint8_t payload[] = { 0xde, 0xad, 0xbe, 0xef };
	/* useSameStreamMux 0, version 0, sameTimeFraming 1, subframes 0 (6), program 0 (4),
	 * layer 0 (3); ASC 00010 0011 0010 000; frameLengthType 0 (3), fullness ff, other 0,
	 * crc 0; slot length 4; payload, not aligned. */
	static const char head[] = "0"
				   "0"
				   "1"
				   "000000"
				   "0000"
				   "000"
				   "0001000110010000"
				   "000"
				   "11111111"
				   "0"
				   "0"
				   "00000100";
	uint8_t *body = stream + 3;
	size_t bits = strlen(head), bytes;
	struct audio_split s;
	struct audio_frame f;

	(void)state;
	memset(stream, 0, 64);
	for (size_t i = 0; i < bits; i++) {
		body[i / 8] |= (uint8_t)((head[i] - '0') << (7 - i % 8));
	}
	for (size_t i = 0; i < sizeof(payload) * 8; i++) {
		size_t at = bits + i;

		body[at / 8] |= (uint8_t)((payload[i / 8] >> (7 - i % 8) & 1) << (7 - at % 8));
	}
	bytes = (bits + sizeof(payload) * 8 + 7) / 8;
	stream[0] = 0x56;
	stream[1] = (uint8_t)(0xe0 | bytes >> 8);
	stream[2] = (uint8_t)bytes;
	audio_split_init(&s, AUDIO_LATM);
	assert_int_equal(audio_split_push(&s, stream, bytes + 3, 90000), 0);
	assert_true(audio_split_next(&s, &f));
	assert_int_equal(f.size, sizeof(payload));
	assert_memory_equal(f.data, payload, sizeof(payload));
	assert_int_equal(s.config_size, 2);
	assert_int_equal(s.config[0], 0x11);
	assert_int_equal(s.config[1], 0x90);
	assert_int_equal(s.frame_samples, 1024);
	audio_split_finish(&s);
}

/* The program map calls layer II by the name of layer III. */
static void layer_ii_is_left_out_whole(void **state)
{
	struct audio_split s;
	struct audio_frame f;

	(void)state;
	memset(stream, 0xff, 768); /* what looks like heads of frames is none */
	for (size_t at = 0; at < 768; at += 384) {
		memcpy(stream + at, (const uint8_t[]){ 0xff, 0xfd, 0x84, 0 }, 4);
	}
	audio_split_init(&s, AUDIO_MPEG);
	assert_int_equal(audio_split_push(&s, stream, 768, 0), 0);
	assert_false(audio_split_next(&s, &f));
	assert_int_equal(s.skipped, 768);
	audio_split_finish(&s);
}

static void layer_iii_frames_come_one_by_one(void **state)
{
	struct audio_split s;
	struct audio_frame f;

	(void)state;
	memset(stream, 0, 768);
	for (size_t at = 0; at < 768; at += 384) { /* 128 kb/s at 48 kHz */
		memcpy(stream + at, (const uint8_t[]){ 0xff, 0xfb, 0x94, 0 }, 4);
	}
	audio_split_init(&s, AUDIO_MPEG);
	assert_int_equal(audio_split_push(&s, stream, 768, 900), 0);
	assert_true(audio_split_next(&s, &f));
	assert_int_equal(f.size, 384);
	assert_true(audio_split_next(&s, &f));
	assert_int_equal(f.pts_90k, 900 + 2160);
	assert_false(audio_split_next(&s, &f));
	audio_split_finish(&s);
}

static void opus_access_units_lose_their_control_header(void **state)
{
	static const uint8_t units[] = { 0x7f, 0xe0, 3, 0xfc, 1, 2, 0x7f, 0xe0, 2, 0xfc, 9 };
	struct audio_split s;
	struct audio_frame f;

	(void)state;
	audio_split_init(&s, AUDIO_OPUS);
	assert_int_equal(audio_split_push(&s, units, sizeof(units), 0), 0);
	assert_true(audio_split_next(&s, &f));
	assert_int_equal(f.size, 3);
	assert_int_equal(f.data[2], 2);
	assert_true(audio_split_next(&s, &f));
	assert_int_equal(f.size, 2);
	assert_int_equal(f.pts_90k, 1800); /* 20 ms */
	assert_false(audio_split_next(&s, &f));
	audio_split_finish(&s);
}

static void frame_times_of_44100_hz_do_not_drift(void **state)
{
	struct audio_split s;
	struct audio_frame f;
	size_t size = 0;

	(void)state;
	for (int i = 0; i < 441; i++) {
		size_t bytes = adts(stream + size, 8, 0);

		stream[size + 2] = 1 << 6 | 4 << 2;
		size += bytes;
	}
	audio_split_init(&s, AUDIO_ADTS);
	assert_int_equal(audio_split_push(&s, stream, size, 0), 0);
	for (int i = 0; i < 441; i++) {
		assert_true(audio_split_next(&s, &f));
		assert_int_equal(f.pts_90k, (int64_t)i * 1024 * 90000 / 44100);
	}
	audio_split_finish(&s);
}

static void clock_of_33_bits_goes_on_beyond_its_wrap(void **state)
{
	const uint64_t end = (uint64_t)1 << 33;
	struct unwrap33 u = { 0 };

	(void)state;
	assert_int_equal(unwrap_33(&u, end - 3000), end - 3000);
	assert_int_equal(unwrap_33(&u, 600), end + 600);
	assert_int_equal(unwrap_33(&u, end - 1), end - 1);
	assert_int_equal(unwrap_33(&u, 90000), end + 90000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(avc_frames_and_header_equal_those_of_an_rtmp_encoder),
		cmocka_unit_test(hevc_frames_equal_those_of_an_rtmp_encoder),
		cmocka_unit_test(wrapping_is_left_out_and_short_start_codes_are_understood),
		cmocka_unit_test(an_access_unit_too_large_leaves_the_buffer_as_it_was),
		cmocka_unit_test(adts_frames_come_one_by_one_with_their_times),
		cmocka_unit_test(noise_before_a_frame_is_skipped),
		cmocka_unit_test(latm_frame_is_shifted_into_place),
		cmocka_unit_test(layer_ii_is_left_out_whole),
		cmocka_unit_test(layer_iii_frames_come_one_by_one),
		cmocka_unit_test(opus_access_units_lose_their_control_header),
		cmocka_unit_test(frame_times_of_44100_hz_do_not_drift),
		cmocka_unit_test(clock_of_33_bits_goes_on_beyond_its_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
