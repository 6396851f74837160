/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A slate is of the format it was asked for, and plays as a loop without a seam. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <understudy/clip.h>
#include <understudy/carousel.h>

#include "../../../src/slate/encode.h"

#define FONT "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"

/* libx265 keeps some of its parameters for ever. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libx265";
}

static struct format format_of(uint32_t video, uint32_t audio)
{
	struct format f = { .fps_milli = 29970, .gop_ms = 1502 };

	if (video != CODEC_NONE) {
		f.video = (struct codec_params){ .codec = video,
						 .width = 322,
						 .height = 182,
						 .profile = video == CODEC_AVC ? 100 : 1,
						 .level = video == CODEC_AVC ? 31 : 93,
						 .bit_depth = 8,
						 .chroma = 2 };
	}
	if (audio != CODEC_NONE) {
		f.audio = (struct codec_params){ .codec = audio,
						 .sample_rate = 48000,
						 .channels = 2 };
	}
	return f;
}

/* What the file says of itself. */
struct found {
	struct codec_params params[PACKET_KINDS];
	struct carousel loop;
};

static void look(int fd, struct found *found)
{
	char why[CLIP_TEXT] = "";
	struct clip *clip = NULL;
	struct clip_packet c;

	*found = (struct found){ 0 };
	if (clip_open(fd, &clip, why) != 0) {
		fail_msg("%s", why);
	}
	while (clip_next(clip, &c) > 0) {
		struct codec_params *params = &found->params[c.packet.kind];
		const struct carousel_frame f = { .kind = (enum packet_kind)c.packet.kind,
						  .dts_90k = c.packet.dts_90k,
						  .pts_90k = c.packet.pts_90k,
						  .is_key = (c.packet.flags & PACKET_KEY) != 0 };

		if (c.packet.type == PACKET_CONFIG || params->codec == CODEC_NONE) {
			(void)codec_parse_config(c.packet.codec, c.payload, c.packet.size, params);
		}
		if (c.packet.type == PACKET_FRAME) {
			carousel_survey(&found->loop, &f);
		}
	}
	clip_close(&clip);
	assert_int_equal(carousel_settle(&found->loop), 0);
}

static void make(const struct format *f, struct found *found)
{
	bool has_video = f->video.codec != CODEC_NONE;
	int fd = memfd_create("slate", MFD_CLOEXEC), font = open(FONT, O_RDONLY | O_CLOEXEC);
	char why[IPC_TEXT] = "", text_why[CANVAS_TEXT];
	struct canvas canvas = { 0 };

	assert_true(fd >= 0);
	if (has_video) {
		assert_int_equal(canvas_init(&canvas, f->video.width, f->video.height), 0);
		if (font >= 0) {
			assert_int_equal(canvas_draw_text(&canvas, font, "We’ll be\nright back",
							  false, text_why),
					 0);
		}
	}
	int length_ms = encode_slate(f, has_video ? &canvas : NULL, fd, why);
	if (length_ms <= 0) {
		fail_msg("%s", why);
	}
	look(fd, found);
	assert_in_range(length_ms - found->loop.period_90k / 90 + 60, 0, 120);
	canvas_finish(&canvas);
	close(font);
	close(fd);
}

static void assert_is(const struct found *found, const struct format *f)
{
	const struct codec_params *video = &found->params[PACKET_VIDEO];
	const struct codec_params *audio = &found->params[PACKET_AUDIO];

	assert_int_equal(video->codec, f->video.codec);
	assert_int_equal(video->width, f->video.width);
	assert_int_equal(video->height, f->video.height);
	assert_int_equal(video->profile, f->video.profile);
	assert_int_equal(video->level, f->video.level);
	assert_int_equal(video->chroma, f->video.chroma);
	assert_int_equal(video->bit_depth, f->video.bit_depth);
	assert_int_equal(video->reorder_frames, f->video.reorder_frames);
	assert_int_equal(audio->codec, f->audio.codec);
	assert_int_equal(audio->sample_rate, f->audio.sample_rate);
	assert_int_equal(audio->channels, f->audio.channels);
}

static void an_avc_slate_is_of_the_feeds_profile_level_and_reordering(void **state)
{
	static const struct {
		uint8_t profile, level, reorder, chroma, bits;
	} rows[] = {
		{ 66, 30, 0, 2, 8 },  { 77, 31, 0, 2, 8 },   { 77, 31, 1, 2, 8 },
		{ 100, 41, 2, 2, 8 }, { 110, 42, 0, 2, 10 }, { 122, 41, 0, 3, 10 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct format f = format_of(CODEC_AVC, CODEC_AAC);
		struct found found;

		f.video.profile = rows[i].profile;
		f.video.level = rows[i].level;
		f.video.reorder_frames = rows[i].reorder;
		f.video.chroma = rows[i].chroma;
		f.video.bit_depth = rows[i].bits;
		make(&f, &found);
		assert_is(&found, &f);
		assert_int_equal(found.loop.gop_90k * 30 / MEDIA_HZ, 45);
		assert_in_range(found.loop.tracks[PACKET_VIDEO].frame_90k, 3002, 3004);
		assert_true(found.loop.tracks[PACKET_VIDEO].frames % 45 == 0);
	}
}

static void an_hevc_slate_stands_in_for_an_hevc_feed(void **state)
{
	struct format f = format_of(CODEC_HEVC, CODEC_AAC);
	struct found found;

	make(&f, &found);
	assert_is(&found, &f);
	f.video.profile = 2;
	f.video.bit_depth = 10;
	make(&f, &found);
	assert_is(&found, &f);
}

static void sound_is_of_the_feeds_codec_rate_and_channels(void **state)
{
	struct format f = format_of(CODEC_AVC, CODEC_AAC);
	struct found found;

	f.audio.sample_rate = 44100;
	f.audio.channels = 1;
	make(&f, &found);
	assert_is(&found, &f);
	f = format_of(CODEC_AVC, CODEC_OPUS);
	make(&f, &found);
	assert_is(&found, &f);
}

static void one_track_alone_is_made(void **state)
{
	struct format video = format_of(CODEC_AVC, CODEC_NONE);
	struct format audio = format_of(CODEC_NONE, CODEC_AAC);
	struct found found;

	make(&video, &found);
	assert_int_equal(found.params[PACKET_AUDIO].codec, CODEC_NONE);
	make(&audio, &found);
	assert_is(&found, &audio);
}

static void what_cannot_be_encoded_is_said(void **state)
{
	struct format f = format_of(CODEC_VP9, CODEC_AAC);
	char why[IPC_TEXT] = "";
	struct canvas canvas;
	int fd = memfd_create("slate", MFD_CLOEXEC);

	assert_int_equal(canvas_init(&canvas, 64, 64), 0);
	assert_true(encode_slate(&f, &canvas, fd, why) < 0);
	assert_non_null(strstr(why, "VP9"));
	canvas_finish(&canvas);
	close(fd);
}

/* ---- the canvas ---- */

static unsigned long brightness(const struct canvas *c, unsigned from, unsigned to)
{
	unsigned long sum = 0;

	for (size_t i = (size_t)from * c->width * 3; i < (size_t)to * c->width * 3; i++) {
		sum += c->pixels[i];
	}
	return sum;
}

static void words_are_drawn_in_the_middle_and_fit(void **state)
{
	static const char text[] = "A line that is much longer than anybody would put on a slate, "
				   "\xff\xc3 broken bytes and all, to see it shrunk";
	int font = open(FONT, O_RDONLY | O_CLOEXEC);
	struct canvas plain, c;
	char why[CANVAS_TEXT];

	if (font < 0) {
		skip();
	}
	assert_int_equal(canvas_init(&plain, 320, 180), 0);
	assert_int_equal(canvas_init(&c, 320, 180), 0);
	assert_int_equal(canvas_draw_text(&c, font, text, false, why), 0);
	assert_int_equal(brightness(&c, 0, 60), brightness(&plain, 0, 60));
	assert_true(brightness(&c, 60, 120) > brightness(&plain, 60, 120) + 10000);
	assert_int_equal(brightness(&c, 120, 180), brightness(&plain, 120, 180));
	for (unsigned y = 0; y < 180; y++) { /* nothing at the very edge */
		assert_memory_equal(c.pixels + (size_t)y * 320 * 3, plain.pixels, 3);
	}
	canvas_finish(&c);
	canvas_finish(&plain);
	close(font);
}

static void a_picture_is_shown_as_large_as_it_fits(void **state)
{
	/* 1x1, white, PNG */
	static const uint8_t png[] = {
		0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48,
		0x44, 0x52, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00, 0x00, 0x00,
		0x00, 0x3a, 0x7e, 0x9b, 0x55, 0x00, 0x00, 0x00, 0x0a, 0x49, 0x44, 0x41, 0x54, 0x78,
		0x9c, 0x63, 0xf8, 0x0f, 0x00, 0x01, 0x01, 0x01, 0x00, 0x1b, 0xb6, 0xee, 0x56, 0x00,
		0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
	};
	int fd = memfd_create("picture", MFD_CLOEXEC);
	char why[CANVAS_TEXT];
	struct canvas c;

	assert_int_equal(write(fd, png, sizeof(png)), (int)sizeof(png));
	assert_int_equal(canvas_init(&c, 32, 16), 0);
	assert_int_equal(canvas_draw_picture(&c, fd, why), 0);
	for (unsigned y = 0; y < 16; y++) {
		for (unsigned x = 0; x < 32; x++) {
			bool is_inside = x >= 8 && x < 24;

			assert_int_equal(c.pixels[(y * 32 + x) * 3] > 250, is_inside);
		}
	}
	assert_int_equal(ftruncate(fd, 40), 0);
	assert_true(canvas_draw_picture(&c, fd, why) < 0);
	canvas_finish(&c);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_avc_slate_is_of_the_feeds_profile_level_and_reordering),
		cmocka_unit_test(an_hevc_slate_stands_in_for_an_hevc_feed),
		cmocka_unit_test(sound_is_of_the_feeds_codec_rate_and_channels),
		cmocka_unit_test(one_track_alone_is_made),
		cmocka_unit_test(what_cannot_be_encoded_is_said),
		cmocka_unit_test(words_are_drawn_in_the_middle_and_fit),
		cmocka_unit_test(a_picture_is_shown_as_large_as_it_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
