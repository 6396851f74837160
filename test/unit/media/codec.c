/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Codec headers and kinds of frames: those of real encoders, and broken ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <understudy/codec.h>

#include "sample.h"

static struct sample sample;

/* The parameters in the first codec header of a sample's video or audio. */
static struct codec_params params_of(const char *name, enum flv_message message)
{
	struct flv_item items[FLV_ITEMS_MAX];
	struct codec_params params = { 0 };
	struct sample_tag tag;

	sample_open(&sample, name);
	while (sample_next(&sample, &tag)) {
		int count = flv_parse(tag.message, 0, tag.body, tag.size, items);
		const struct packet *p = &items[0].packet;

		if (tag.message == message && count == 1 &&
		    (p->type == PACKET_CONFIG || p->codec == CODEC_MP3)) {
			assert_int_equal(codec_parse_config(p->codec, items[0].payload, p->size,
							    &params),
					 CODEC_OK);
			return params;
		}
	}
	fail_msg("%s has no codec header", name);
	return params;
}

/* One letter a frame: K key, R recovery, L leading, - none. */
static const char *access_of(const char *name)
{
	static char text[64];
	struct flv_item items[FLV_ITEMS_MAX];
	struct sample_tag tag;
	size_t count = 0;

	sample_open(&sample, name);
	while (sample_next(&sample, &tag)) {
		const struct packet *p = &items[0].packet;

		if (tag.message == FLV_VIDEO &&
		    flv_parse(tag.message, 0, tag.body, tag.size, items) == 1 &&
		    p->type == PACKET_FRAME) {
			unsigned access = codec_random_access(p->codec, 4, items[0].payload,
							      p->size, 0);

			text[count++] = access == PACKET_KEY        ? 'K'
					: access == PACKET_RECOVERY ? 'R'
					: access == PACKET_LEADING  ? 'L'
								    : '-';
		}
	}
	text[count] = '\0';
	return text;
}

struct expected_video {
	const char *sample;
	uint32_t codec;
	unsigned width, height, profile, level, bit_depth, chroma, reorder;
	uint32_t fps_milli;
};

static void video_headers_of_real_encoders_are_understood(void **state)
{
	static const struct expected_video expected[] = {
		{ "obs-h264", CODEC_AVC, 640, 360, 100, 30, 8, 2, 2, 30000 },
		{ "gstreamer-h264", CODEC_AVC, 640, 360, 100, 30, 8, 2, 0, 30000 },
		{ "liquidsoap-h264", CODEC_AVC, 1280, 720, 66, 31, 8, 2, 0, 25000 },
		{ "x264-baseline", CODEC_AVC, 318, 180, 66, 13, 8, 2, 0, 29970 },
		{ "x264-interlaced", CODEC_AVC, 1920, 1080, 100, 62, 8, 2, 2, 50000 },
		{ "x264-high422", CODEC_AVC, 318, 180, 122, 13, 10, 3, 2, 29970 },
		{ "ffmpeg-hevc", CODEC_HEVC, 640, 360, 1, 63, 8, 2, 0, 30000 },
		{ "x265-open-gop", CODEC_HEVC, 318, 180, 1, 60, 8, 2, 2, 29970 },
		{ "ffmpeg-av1", CODEC_AV1, 640, 360, 0, 1, 8, 2, 0, 0 },
		{ "libaom-av1", CODEC_AV1, 318, 180, 0, 0, 8, 2, 0, 0 },
		{ "ffmpeg-vp9", CODEC_VP9, 0, 0, 0, 21, 8, 2, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		const struct expected_video *e = &expected[i];
		struct codec_params p = params_of(e->sample, FLV_VIDEO);

		assert_int_equal(p.codec, e->codec);
		assert_int_equal(p.width, e->width);
		assert_int_equal(p.height, e->height);
		assert_int_equal(p.profile, e->profile);
		assert_int_equal(p.level, e->level);
		assert_int_equal(p.bit_depth, e->bit_depth);
		assert_int_equal(p.chroma, e->chroma);
		assert_int_equal(p.reorder_frames, e->reorder);
		assert_int_equal(p.fps_milli, e->fps_milli);
	}
}

static void frames_of_real_encoders_are_told_apart(void **state)
{
	assert_string_equal(access_of("obs-h264"), "K-----");
	assert_string_equal(access_of("gstreamer-h264"), "K---");
	assert_string_equal(access_of("x264-open-gop"), "K---------R---------R----");
	assert_string_equal(access_of("x264-intra-refresh"), "K------------------------");
	assert_string_equal(access_of("ffmpeg-hevc"), "K---");
	assert_string_equal(access_of("x265-open-gop"), "K---------R---------R-----");
	assert_string_equal(access_of("ffmpeg-av1"), "K---");
	assert_string_equal(access_of("libaom-av1"), "K-------");
	assert_string_equal(access_of("ffmpeg-vp9"), "K---");
	assert_string_equal(access_of("libvpx-vp9"), "K-------");
	assert_string_equal(access_of("libvpx-vp8"), "K-------");
}

static void vp8_and_vp9_key_frames_say_how_large_they_are(void **state)
{
	static const uint8_t vp9[] = { 0x82, 0x49, 0x83, 0x42, 0x00, 0x27, 0xf0, 0x16, 0x70 };
	static const uint8_t vp8[] = { 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a,
				       0x3e, 0x41, 0xb4, 0x00, 0x00 };
	uint16_t width = 0, height = 0;

	assert_true(codec_frame_size(CODEC_VP9, vp9, sizeof(vp9), &width, &height));
	assert_int_equal(width, 640);
	assert_int_equal(height, 360);
	assert_true(codec_frame_size(CODEC_VP8, vp8, sizeof(vp8), &width, &height));
	assert_int_equal(width, 318); /* the upper two bits are a scale */
	assert_int_equal(height, 180);
	for (size_t size = 0; size < sizeof(vp9) - 1; size++) {
		assert_false(codec_frame_size(CODEC_VP9, vp9, size, &width, &height));
		assert_false(codec_frame_size(CODEC_VP8, vp8, size, &width, &height));
	}
	assert_false(codec_frame_size(CODEC_AVC, vp8, sizeof(vp8), &width, &height));
}

#define BYTES(...) ((const uint8_t[]){ __VA_ARGS__ })
#define COUNT(...) sizeof((const uint8_t[]){ __VA_ARGS__ })
#define ACCESS(codec, claimed, ...) \
	codec_random_access(codec, 4, BYTES(__VA_ARGS__), COUNT(__VA_ARGS__), claimed)
#define PARSE(codec, ret, ...) \
	codec_parse_config(codec, BYTES(__VA_ARGS__), COUNT(__VA_ARGS__), ret)

static void kinds_of_hevc_pictures_are_known(void **state)
{
	static const struct {
		uint8_t type;
		unsigned access;
	} kinds[] = {
		{ 0, 0 },
		{ 1, 0 },
		{ 6, PACKET_LEADING },
		{ 7, PACKET_LEADING },
		{ 8, PACKET_LEADING },
		{ 9, PACKET_LEADING },
		{ 16, PACKET_KEY },
		{ 18, PACKET_KEY },
		{ 19, PACKET_KEY },
		{ 20, PACKET_KEY },
		{ 21, PACKET_RECOVERY },
		{ 39, 0 },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		uint8_t type = (uint8_t)(kinds[i].type << 1);

		assert_int_equal(ACCESS(CODEC_HEVC, 0, 0, 0, 0, 2, 70, 1, 0, 0, 0, 3, type, 1,
					0x80),
				 kinds[i].access);
	}
	assert_int_equal(ACCESS(CODEC_VVC, 0, 0, 0, 0, 3, 0, 8 << 3 | 1, 1), PACKET_KEY);
	assert_int_equal(ACCESS(CODEC_VVC, 0, 0, 0, 0, 3, 0, 9 << 3 | 1, 1), PACKET_RECOVERY);
	assert_int_equal(ACCESS(CODEC_VVC, 0, 0, 0, 0, 3, 0, 3 << 3 | 1, 1), PACKET_LEADING);
	assert_int_equal(ACCESS(CODEC_VVC, 0, 0, 0, 0, 3, 0, 1, 1), 0);
}

static void intra_picture_counts_only_if_somebody_says_so(void **state)
{
	/* first_mb 0, slice type 7 (I); slice type 5 (P) */
	assert_int_equal(ACCESS(CODEC_AVC, 0, 0, 0, 0, 2, 0x41, 0x88), 0);
	assert_int_equal(ACCESS(CODEC_AVC, PACKET_KEY, 0, 0, 0, 2, 0x41, 0x88), PACKET_RECOVERY);
	assert_int_equal(ACCESS(CODEC_AVC, PACKET_RECOVERY, 0, 0, 0, 2, 0x41, 0x88),
			 PACKET_RECOVERY);
	assert_int_equal(ACCESS(CODEC_AVC, PACKET_KEY, 0, 0, 0, 2, 0x41, 0x98), 0);
	/* Recovery point SEI: recovery_frame_cnt 0, then 1. */
	assert_int_equal(ACCESS(CODEC_AVC, 0, 0, 0, 0, 5, 6, 6, 1, 0x84, 0x80, 0, 0, 0, 2, 0x41,
				0x88),
			 PACKET_RECOVERY);
	assert_int_equal(
		ACCESS(CODEC_AVC, 0, 0, 0, 0, 5, 6, 6, 1, 0x44, 0x80, 0, 0, 0, 2, 0x41, 0x88), 0);
	/* One of two slices is not intra. */
	assert_int_equal(
		ACCESS(CODEC_AVC, PACKET_KEY, 0, 0, 0, 2, 0x41, 0x88, 0, 0, 0, 2, 0x41, 0x98), 0);
}

static void unknown_codecs_are_taken_at_their_word(void **state)
{
	assert_int_equal(ACCESS(CODEC_NONE, PACKET_KEY, 1, 2), PACKET_KEY);
	assert_int_equal(ACCESS(CODEC_NONE, 0, 1, 2), 0);
	assert_string_equal(codec_str(CODEC_AVC), "H.264");
	assert_string_equal(codec_str(42), "unknown");
}

static void av1_key_frame_needs_its_sequence_header(void **state)
{
	/* Temporal delimiter, then a frame OBU: show_existing 0, key, show_frame 1. */
	assert_int_equal(ACCESS(CODEC_AV1, 0, 0x12, 0, 0x32, 1, 0x10), 0);
	assert_int_equal(ACCESS(CODEC_AV1, PACKET_KEY, 0x12, 0, 0x32, 1, 0x10), PACKET_RECOVERY);
	assert_int_equal(ACCESS(CODEC_AV1, 0, 0x12, 0, 0x0a, 1, 0, 0x32, 1, 0x10), PACKET_KEY);
	assert_int_equal(ACCESS(CODEC_AV1, PACKET_KEY, 0x0a, 1, 0, 0x32, 1, 0x00), 0);
	assert_int_equal(ACCESS(CODEC_AV1, PACKET_KEY, 0x0a, 1, 0, 0x1a, 1, 0x80), 0);
}

static void aac_extensions_change_rate_channels_and_frame(void **state)
{
	struct codec_params p;

	assert_int_equal(PARSE(CODEC_AAC, &p, 0x11, 0x90), CODEC_OK); /* LC, 48000, stereo */
	assert_int_equal(p.audio_object_type, 2);
	assert_int_equal(p.sample_rate, 48000);
	assert_int_equal(p.channels, 2);
	assert_int_equal(p.frame_samples, 1024);
	assert_int_equal(PARSE(CODEC_AAC, &p, 0x11, 0x94), CODEC_OK);
	assert_int_equal(p.frame_samples, 960);
	/* SBR: 24000 mono core, 48000 out; PS: the same in stereo */
	assert_int_equal(PARSE(CODEC_AAC, &p, 0x2b, 0x09, 0x88, 0x00), CODEC_OK);
	assert_int_equal(p.audio_object_type, 5);
	assert_int_equal(p.sample_rate, 48000);
	assert_int_equal(p.channels, 1);
	assert_int_equal(p.frame_samples, 2048);
	assert_int_equal(PARSE(CODEC_AAC, &p, 0xeb, 0x09, 0x88, 0x00), CODEC_OK);
	assert_int_equal(p.audio_object_type, 29);
	assert_int_equal(p.channels, 2);
	/* Backward compatible SBR: LC 24000 stereo, sync extension, 48000 */
	assert_int_equal(PARSE(CODEC_AAC, &p, 0x13, 0x10, 0x56, 0xe5, 0x98), CODEC_OK);
	assert_int_equal(p.audio_object_type, 5);
	assert_int_equal(p.sample_rate, 48000);
	assert_int_equal(p.frame_samples, 2048);
	/* What ffmpeg writes: extension says there is none */
	assert_int_equal(PARSE(CODEC_AAC, &p, 0x11, 0x90, 0x56, 0xe5, 0x00), CODEC_OK);
	assert_int_equal(p.audio_object_type, 2);
	assert_int_equal(p.sample_rate, 48000);
	/* Written out rate 44099, 5.1 */
	assert_int_equal(PARSE(CODEC_AAC, &p, 0x17, 0x80, 0x56, 0x21, 0xb0), CODEC_OK);
	assert_int_equal(p.sample_rate, 44099);
	assert_int_equal(p.channels, 6);
	/* Channels by program config: one front pair, one LFE */
	assert_int_equal(PARSE(CODEC_AAC, &p, 0x11, 0x80, 0x04, 0xc4, 0x01, 0x00, 0x20, 0x00, 0x00),
			 CODEC_OK);
	assert_int_equal(p.channels, 3);
	assert_int_equal(PARSE(CODEC_AAC, &p, 0x11), CODEC_TRUNCATED);
	assert_int_equal(PARSE(CODEC_AAC, &p, 0x16, 0x90), CODEC_BAD);
}

static void other_audio_headers_are_understood(void **state)
{
	static const uint8_t flac[] = { 'f', 'L', 'a',  'C',  0,  0,  0,    34,   0x12, 0,    0x12,
					0,   0,   2,    0xf1, 0,  4,  0xf3, 0x0a, 0xc4, 0x40, 0xf0,
					0,   0,   0xac, 0x44, 1,  2,  3,    4,    5,    6,    7,
					8,   9,   10,   11,   12, 13, 14,   15,   16 };
	struct codec_params p;

	assert_int_equal(codec_parse_config(CODEC_FLAC, flac, sizeof(flac), &p), CODEC_OK);
	assert_int_equal(p.sample_rate, 44100);
	assert_int_equal(p.channels, 1);
	assert_int_equal(p.frame_samples, 4608);
	assert_int_equal(codec_parse_config(CODEC_FLAC, flac + 8, 34, &p), CODEC_OK);
	assert_int_equal(codec_parse_config(CODEC_FLAC, flac + 4, sizeof(flac) - 4, &p), CODEC_OK);
	assert_int_equal(codec_parse_config(CODEC_FLAC, flac + 5, sizeof(flac) - 5, &p), CODEC_BAD);
	assert_int_equal(codec_parse_config(CODEC_FLAC, flac, 41, &p), CODEC_TRUNCATED);
	assert_int_equal(codec_parse_config(CODEC_FLAC, flac, 20, &p), CODEC_TRUNCATED);
	assert_int_equal(PARSE(CODEC_OPUS, &p, 'O', 'p', 'u', 's', 'H', 'e', 'a', 'd', 1, 6, 0x38,
			       1, 0x80, 0xbb, 0, 0, 0, 0, 1),
			 CODEC_OK);
	assert_int_equal(p.sample_rate, 48000);
	assert_int_equal(p.channels, 6);
	assert_int_equal(codec_parse_config(CODEC_OPUS, NULL, 0, &p), CODEC_OK);
	assert_int_equal(p.channels, 0);
	assert_int_equal(PARSE(CODEC_AC3, &p, 0x0b, 0x77, 0xb5, 0x0b, 0x1e, 0x40, 0xeb, 0xf8),
			 CODEC_OK);
	assert_int_equal(p.sample_rate, 48000);
	assert_int_equal(p.channels, 6);
	assert_int_equal(p.frame_samples, 1536);
	assert_int_equal(PARSE(CODEC_EAC3, &p, 0x0b, 0x77, 0x01, 0x7f, 0x34, 0x87, 0xc0, 0x00),
			 CODEC_OK);
	assert_int_equal(p.sample_rate, 48000);
	assert_int_equal(p.channels, 2);
	assert_int_equal(p.frame_samples, 1536);
	p = params_of("mp3", FLV_AUDIO);
	assert_int_equal(p.sample_rate, 44100);
	assert_int_equal(p.channels, 1);
	assert_int_equal(p.frame_samples, 1152);
	assert_int_equal(codec_parse_config(CODEC_NONE, flac, 4, &p), CODEC_UNSUPPORTED);
	p = params_of("obs-h264", FLV_AUDIO);
	assert_int_equal(p.channels, 2);
}

/* What the head of an audio frame says. */
static struct codec_params frame_of(uint32_t codec, const uint8_t *data, size_t size)
{
	struct codec_params p = { 0 };

	assert_int_equal(codec_parse_frame(codec, data, size, &p), CODEC_OK);
	assert_int_equal(p.codec, codec);
	for (size_t i = 0; i < size; i++) { /* cut short: refused, or the same */
		struct codec_params cut = { .codec = 77 };

		if (codec_parse_frame(codec, data, i, &cut) != CODEC_OK) {
			assert_int_equal(cut.codec, 77);
		} else {
			assert_int_equal(cut.channels, p.channels);
		}
	}
	return p;
}

static void frames_without_a_header_say_what_they_are(void **state)
{
	static const uint8_t mp3[] = { 0xff, 0xfb, 0x90, 0xc4 };
	static const uint8_t ac3[] = { 0x0b, 0x77, 0, 0, 0x1e, 0x40, 0xe1, 0xde, 0x05 };
	static const uint8_t eac3[] = { 0x0b, 0x77, 0x02, 0xff, 0x34, 0x87, 0xe0 };
	static const uint8_t opus[] = { 0xfc, 0xff };
	static const uint8_t flac[] = { 0xff, 0xf8, 0xc9, 0x18, 0 };
	static const uint8_t flac_untold[] = { 0xff, 0xf8, 0xc0, 0xa8 };
	struct codec_params p = frame_of(CODEC_MP3, mp3, sizeof(mp3));

	assert_int_equal(p.sample_rate, 44100);
	assert_int_equal(p.channels, 1);
	p = frame_of(CODEC_AC3, ac3, sizeof(ac3));
	assert_int_equal(p.sample_rate, 48000);
	assert_int_equal(p.channels, 6);
	p = frame_of(CODEC_EAC3, eac3, sizeof(eac3));
	assert_int_equal(p.sample_rate, 48000);
	assert_true(p.channels > 0);
	p = frame_of(CODEC_OPUS, opus, sizeof(opus));
	assert_int_equal(p.sample_rate, 48000);
	assert_int_equal(p.channels, 2);
	p = frame_of(CODEC_FLAC, flac, sizeof(flac));
	assert_int_equal(p.sample_rate, 44100);
	assert_int_equal(p.channels, 2);
	p = frame_of(CODEC_FLAC, flac_untold, sizeof(flac_untold));
	assert_int_equal(p.sample_rate, 0);
	assert_int_equal(p.channels, 2);
	assert_int_equal(codec_parse_frame(CODEC_AAC, opus, sizeof(opus), &p), CODEC_UNSUPPORTED);
	assert_int_equal(codec_parse_frame(CODEC_MP3, opus, sizeof(opus), &p), CODEC_TRUNCATED);
	assert_int_equal(codec_parse_frame(CODEC_FLAC, mp3, sizeof(mp3), &p), CODEC_BAD);
}

static void record_without_parameter_sets_still_says_the_length_size(void **state)
{
	struct codec_params p;

	assert_int_equal(PARSE(CODEC_AVC, &p, 1, 77, 0, 31, 0xfd, 0xe0, 0), CODEC_OK);
	assert_int_equal(p.nal_length_bytes, 2);
	assert_int_equal(p.profile, 77);
	assert_int_equal(p.width, 0);
	assert_int_equal(p.reorder_frames, 255);
	assert_int_equal(PARSE(CODEC_AVC, &p, 1, 77, 0, 31, 0xfe, 0xe0, 0), CODEC_BAD);
	assert_int_equal(PARSE(CODEC_AVC, &p, 2, 77, 0, 31, 0xff, 0xe0, 0), CODEC_BAD);
	assert_int_equal(PARSE(CODEC_VVC, &p, 0xfe), CODEC_OK);
	assert_int_equal(p.nal_length_bytes, 4);
	/* One layer, 4:2:0, 10 bit, level 51, one constraint byte, 1920x1080, 50 a second */
	assert_int_equal(PARSE(CODEC_VVC, &p, 0xff, 0, 0x11, 0x5f, 1, 2, 51, 0, 0, 0x07, 0x80, 0x04,
			       0x38, 0x32, 0x00),
			 CODEC_OK);
	assert_int_equal(p.width, 1920);
	assert_int_equal(p.height, 1080);
	assert_int_equal(p.bit_depth, 10);
	assert_int_equal(p.chroma, 2);
	assert_int_equal(p.profile, 1);
	assert_int_equal(p.level, 51);
	assert_int_equal(p.fps_milli, 50000);
}

static void descriptor_of_a_transport_stream_serves_for_av1(void **state)
{
	struct codec_params p;

	assert_int_equal(PARSE(CODEC_AV1, &p, 0x80, 4, 0x81, 0x08, 0x4c, 0), CODEC_OK);
	assert_int_equal(p.level, 8);
	assert_int_equal(p.bit_depth, 10);
	assert_int_equal(PARSE(CODEC_AV1, &p, 0x01, 0x08, 0x4c, 0), CODEC_BAD);
}

static void headers_cut_short_never_pass_for_whole(void **state)
{
	static const char *const names[] = { "obs-h264", "ffmpeg-hevc", "x264-high422" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct flv_item items[FLV_ITEMS_MAX];
		struct codec_params p, whole = params_of(names[i], FLV_VIDEO);
		struct sample_tag tag = { 0 };
		size_t size;

		sample_open(&sample, names[i]);
		do {
			assert_true(sample_next(&sample, &tag));
			assert_int_equal(flv_parse(tag.message, 0, tag.body, tag.size, items), 1);
		} while (items[0].packet.kind != PACKET_VIDEO);
		for (size = 0; size < items[0].packet.size; size++) {
			/* On the heap, so that a read past the end is found out. */
			uint8_t *copy = malloc(size ? size : 1);

			memcpy(copy, items[0].payload, size);
			memset(&p, 0x55, sizeof(p));
			if (codec_parse_config(whole.codec, copy, size, &p) == CODEC_OK) {
				assert_int_equal(p.width, whole.width);
				assert_int_equal(p.height, whole.height);
			} else {
				assert_int_equal(p.codec, 0x55555555);
			}
			free(copy);
		}
	}
}

static void fingerprint_sees_slices_only(void **state)
{
	static const uint8_t plain[] = { 0, 0, 0, 3, 0x65, 1, 2, 0, 0, 0, 2, 0x41, 9 };
	static const uint8_t dressed[] = { 0,    0, 0, 2, 9, 0xf0, 0, 0,    0, 2, 0x67,
					   1,    0, 0, 0, 2, 6,    5, 0,    0, 0, 3,
					   0x65, 1, 2, 0, 0, 0,    2, 0x41, 9 };
	static const uint8_t other[] = { 0, 0, 0, 3, 0x65, 1, 2, 0, 0, 0, 2, 0x41, 8 };
	uint64_t a = media_fingerprint(CODEC_AVC, 4, plain, sizeof(plain), 7);

	assert_true(a == media_fingerprint(CODEC_AVC, 4, dressed, sizeof(dressed), 7));
	assert_true(a != media_fingerprint(CODEC_AVC, 4, other, sizeof(other), 7));
	assert_true(a != media_fingerprint(CODEC_AVC, 4, plain, sizeof(plain), 8));
	assert_true(media_fingerprint(CODEC_AAC, 0, plain, sizeof(plain), 7) !=
		    media_fingerprint(CODEC_AAC, 0, dressed, sizeof(dressed), 7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(video_headers_of_real_encoders_are_understood),
		cmocka_unit_test(frames_of_real_encoders_are_told_apart),
		cmocka_unit_test(vp8_and_vp9_key_frames_say_how_large_they_are),
		cmocka_unit_test(kinds_of_hevc_pictures_are_known),
		cmocka_unit_test(intra_picture_counts_only_if_somebody_says_so),
		cmocka_unit_test(unknown_codecs_are_taken_at_their_word),
		cmocka_unit_test(av1_key_frame_needs_its_sequence_header),
		cmocka_unit_test(aac_extensions_change_rate_channels_and_frame),
		cmocka_unit_test(other_audio_headers_are_understood),
		cmocka_unit_test(frames_without_a_header_say_what_they_are),
		cmocka_unit_test(record_without_parameter_sets_still_says_the_length_size),
		cmocka_unit_test(descriptor_of_a_transport_stream_serves_for_av1),
		cmocka_unit_test(headers_cut_short_never_pass_for_whole),
		cmocka_unit_test(fingerprint_sees_slices_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
