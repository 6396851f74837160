/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How two feeds differ, and how that is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <understudy/format.h>

static const struct format usual = {
	.video = { .codec = CODEC_AVC,
		   .width = 1920,
		   .height = 1080,
		   .profile = 100,
		   .level = 41,
		   .bit_depth = 8,
		   .chroma = 2,
		   .scan = SCAN_PROGRESSIVE },
	.audio = { .codec = CODEC_AAC, .sample_rate = 48000, .channels = 2 },
	.fps_milli = 30000,
	.video_kbps = 6000,
	.audio_kbps = 160,
	.gop_ms = 2000,
	.is_measured = 1,
};

/* Exactly this field differs, and is said with these values. */
static void assert_differs(const struct format *is, enum format_field field, const char *value,
			   const char *wanted, const char *name)
{
	char text[64];

	assert_int_equal(format_compare(is, &usual), FORMAT_BIT(field));
	format_field_value(is, field, text, sizeof(text));
	assert_string_equal(text, value);
	format_field_value(&usual, field, text, sizeof(text));
	assert_string_equal(text, wanted);
	assert_string_equal(format_field_name(field), name);
}

static void each_field_is_compared_and_named_in_youtubes_words(void **state)
{
	struct format f;

	assert_int_equal(format_compare(&usual, &usual), 0);
#define WITH(member, set) (f = usual, f.member = (set), &f)
	assert_differs(WITH(video.codec, CODEC_HEVC), FORMAT_VIDEO_CODEC, "HEVC", "H.264",
		       "videoCodecMismatch");
	assert_differs(WITH(video.profile, 77), FORMAT_PROFILE, "Main", "High",
		       "videoProfileMismatch");
	assert_differs(WITH(video.level, 31), FORMAT_LEVEL, "3.1", "4.1", "videoProfileMismatch");
	assert_differs(WITH(video.height, 720), FORMAT_RESOLUTION, "1920x720", "1920x1080",
		       "resolutionMismatch");
	assert_differs(WITH(video.chroma, 3), FORMAT_CHROMA, "4:2:2", "4:2:0",
		       "videoProfileMismatch");
	assert_differs(WITH(video.bit_depth, 10), FORMAT_BIT_DEPTH, "10 bits", "8 bits",
		       "videoProfileMismatch");
	assert_differs(WITH(video.scan, SCAN_INTERLACED), FORMAT_SCAN, "interlaced", "progressive",
		       "videoInterlaceMismatch");
	assert_differs(WITH(fps_milli, 25000), FORMAT_FRAME_RATE, "25", "30", "framerateMismatch");
	assert_differs(WITH(gop_ms, 4000), FORMAT_GOP, "4000 ms", "2000 ms", "gopMismatch");
	assert_differs(WITH(has_open_gops, 1), FORMAT_OPEN_GOPS, "open", "closed", "gopMismatch");
	assert_differs(WITH(has_b_frames, 1), FORMAT_B_FRAMES, "some", "none", "gopMismatch");
	assert_differs(WITH(video_kbps, 3000), FORMAT_VIDEO_BITRATE, "3000 kb/s", "6000 kb/s",
		       "videoBitrateMismatch");
	assert_differs(WITH(audio.codec, CODEC_MP3), FORMAT_AUDIO_CODEC, "MP3", "AAC",
		       "audioCodecMismatch");
	assert_differs(WITH(audio.sample_rate, 44100), FORMAT_SAMPLE_RATE, "44100 Hz", "48000 Hz",
		       "audioSampleRateMismatch");
	assert_differs(WITH(audio.channels, 1), FORMAT_CHANNELS, "1", "2", "audioStereoMismatch");
	assert_differs(WITH(audio_kbps, 96), FORMAT_AUDIO_BITRATE, "96 kb/s", "160 kb/s",
		       "audioBitrateMismatch");
	assert_differs(WITH(audio.codec, CODEC_NONE), FORMAT_AUDIO, "none", "present",
		       "noAudioStream");
	assert_differs(WITH(video.codec, CODEC_NONE), FORMAT_VIDEO, "none", "present",
		       "noVideoStream");
}

static void what_is_near_enough_or_unknown_is_no_difference(void **state)
{
	struct format f;

	assert_int_equal(format_compare(WITH(fps_milli, 29970), &usual), 0);
	assert_int_equal(format_compare(WITH(gop_ms, 2150), &usual), 0);
	assert_int_equal(format_compare(WITH(video_kbps, 8900), &usual), 0);
	assert_int_equal(format_compare(WITH(audio_kbps, 128), &usual), 0);
	assert_int_equal(format_compare(WITH(video.profile, 0), &usual), 0);
	assert_int_equal(format_compare(WITH(video.scan, SCAN_UNKNOWN), &usual), 0);
	assert_int_equal(format_compare(WITH(video.width, 0), &usual), 0);
	assert_int_equal(format_compare(WITH(audio.channels, 0), &usual), 0);
	assert_int_equal(format_compare(WITH(gop_ms, 0), &usual), 0);
	f = usual; /* sound that may still come */
	f.audio.codec = CODEC_NONE;
	f.is_measured = 0;
	assert_int_equal(format_compare(&f, &usual), 0);
	assert_int_equal(format_compare(&usual, &(struct format){ 0 }), 0);
	assert_int_equal(format_compare(&(struct format){ 0 }, &usual), 0);
}

static void only_what_a_decoder_may_fail_at_is_incompatible(void **state)
{
	static const enum format_field incompatible[] = {
		FORMAT_VIDEO,       FORMAT_AUDIO,       FORMAT_VIDEO_CODEC,
		FORMAT_RESOLUTION,  FORMAT_CHROMA,      FORMAT_BIT_DEPTH,
		FORMAT_AUDIO_CODEC, FORMAT_SAMPLE_RATE, FORMAT_CHANNELS,
	};
	uint32_t bits = 0;

	for (size_t i = 0; i < sizeof(incompatible) / sizeof(incompatible[0]); i++) {
		bits |= FORMAT_BIT(incompatible[i]);
	}
	assert_int_equal(FORMAT_INCOMPATIBLE, bits);
}

static void a_format_is_described_in_a_line(void **state)
{
	struct format f = usual;
	char text[256];

	format_describe(&f, text, sizeof(text));
	assert_string_equal(text, "H.264 High 4.1, 1920x1080, 30 frames/s, key frames every 2000 "
				  "ms, no B-frames; AAC 48000 Hz, 2 channels");
	f.video = (struct codec_params){ .codec = CODEC_HEVC,
					 .profile = 2,
					 .level = 93,
					 .width = 640,
					 .height = 480,
					 .scan = SCAN_INTERLACED };
	f.fps_milli = 29970;
	f.gop_ms = 0;
	f.audio = (struct codec_params){ .codec = CODEC_OPUS, .channels = 1 };
	format_describe(&f, text, sizeof(text));
	assert_string_equal(text, "HEVC Main 10 3.1, 640x480 interlaced, 29.97 frames/s; Opus, 1 "
				  "channel");
	format_describe(&f, text, 12);
	assert_string_equal(text, "HEVC Main 1");
	format_describe(&(struct format){ 0 }, text, sizeof(text));
	assert_string_equal(text, "");
}

static void profiles_and_levels_have_the_names_people_know(void **state)
{
	static const struct {
		struct codec_params p;
		const char *profile, *level;
	} cases[] = {
		{ { .codec = CODEC_AVC, .profile = 66, .level = 30 }, "Baseline", "3.0" },
		{ { .codec = CODEC_AVC, .profile = 66, .constraints = 0xc0, .level = 31 },
		  "Constrained Baseline",
		  "3.1" },
		{ { .codec = CODEC_AVC, .profile = 100, .constraints = 0x0c, .level = 52 },
		  "Constrained High",
		  "5.2" },
		{ { .codec = CODEC_AVC, .profile = 99 }, "profile 99", "" },
		{ { .codec = CODEC_HEVC, .profile = 1, .level = 153 }, "Main", "5.1" },
		{ { .codec = CODEC_AV1, .level = 13 }, "Main", "5.1" },
		{ { .codec = CODEC_AV1, .profile = 2, .level = 31 }, "Professional", "" },
		{ { .codec = CODEC_AAC }, "", "" },
	};
	char text[32];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		codec_profile_str(&cases[i].p, text, sizeof(text));
		assert_string_equal(text, cases[i].profile);
		codec_level_str(&cases[i].p, text, sizeof(text));
		assert_string_equal(text, cases[i].level);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_field_is_compared_and_named_in_youtubes_words),
		cmocka_unit_test(what_is_near_enough_or_unknown_is_no_difference),
		cmocka_unit_test(only_what_a_decoder_may_fail_at_is_incompatible),
		cmocka_unit_test(a_format_is_described_in_a_line),
		cmocka_unit_test(profiles_and_levels_have_the_names_people_know),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
