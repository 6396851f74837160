/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Silence: a decoder hears nothing in it, and it goes exactly where sound is missing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <libavcodec/avcodec.h>

#include <understudy/silence.h>

#define PICTURE 3000
#define SOUND 1920

/* ---- frames ---- */

static AVCodecContext *decoder_of(const uint8_t config[SILENCE_CONFIG_BYTES])
{
	AVCodecContext *c = avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_AAC));

	c->extradata = av_mallocz(SILENCE_CONFIG_BYTES + AV_INPUT_BUFFER_PADDING_SIZE);
	memcpy(c->extradata, config, SILENCE_CONFIG_BYTES);
	c->extradata_size = SILENCE_CONFIG_BYTES;
	c->err_recognition = AV_EF_EXPLODE;
	assert_int_equal(avcodec_open2(c, NULL, NULL), 0);
	return c;
}

static void assert_silent(const AVFrame *frame, unsigned channels)
{
	assert_int_equal(frame->format, AV_SAMPLE_FMT_FLTP);
	assert_int_equal(frame->nb_samples, 1024);
	for (unsigned channel = 0; channel < channels; channel++) {
		const float *samples = (const float *)(const void *)frame->extended_data[channel];

		for (int i = 0; i < frame->nb_samples; i++) {
			assert_true(samples[i] == 0.0F);
		}
	}
}

static void hear(uint32_t rate, unsigned channels)
{
	uint8_t bytes[SILENCE_BYTES_MAX], config[SILENCE_CONFIG_BYTES];
	size_t size = silence_frame(channels, bytes);
	struct codec_params params = { 0 };

	assert_true(size > 0 && size < 30);
	assert_true(silence_config(rate, channels, config));
	assert_int_equal(codec_parse_config(CODEC_AAC, config, sizeof(config), &params), CODEC_OK);
	assert_int_equal(params.sample_rate, rate);
	assert_int_equal(params.channels, channels);
	AVCodecContext *decoder = decoder_of(config);
	AVPacket *packet = av_packet_alloc();
	AVFrame *frame = av_frame_alloc();
	for (int i = 0; i < 3; i++) {
		assert_int_equal(av_new_packet(packet, (int)size), 0);
		memcpy(packet->data, bytes, size);
		assert_int_equal(avcodec_send_packet(decoder, packet), 0);
		assert_int_equal(avcodec_receive_frame(decoder, frame), 0);
		assert_silent(frame, channels);
		av_packet_unref(packet);
	}
	av_frame_free(&frame);
	av_packet_free(&packet);
	avcodec_free_context(&decoder);
}

static void a_decoder_hears_nothing_in_it(void **state)
{
	static const unsigned channels[] = { 1, 2, 3, 4, 5, 6, 8 };

	for (size_t i = 0; i < sizeof(channels) / sizeof(channels[0]); i++) {
		hear(48000, channels[i]);
	}
	hear(44100, 2);
	hear(22050, 1);
}

static void there_is_none_of_what_aac_has_no_code_for(void **state)
{
	uint8_t bytes[SILENCE_BYTES_MAX], config[SILENCE_CONFIG_BYTES];

	assert_int_equal(silence_frame(0, bytes), 0);
	assert_int_equal(silence_frame(7, bytes), 0);
	assert_int_equal(silence_frame(255, bytes), 0);
	assert_false(silence_config(48000, 7, config));
	assert_false(silence_config(47999, 2, config));
}

/* ---- the rule ---- */

struct track {
	int64_t last_90k; /* of sound or silence */
	int64_t left_90k; /* dts of the last frame of any kind that left */
	unsigned silences, dropped;
};

static void leave(struct track *t, int64_t dts_90k)
{
	assert_true(dts_90k >= t->left_90k);
	t->left_90k = dts_90k;
}

static void picture(struct silence *s, struct track *t, int64_t dts_90k)
{
	int64_t at_90k;

	while (silence_before_picture(s, dts_90k, &at_90k)) {
		if (t->silences++ > 0) {
			assert_in_range(at_90k - t->last_90k, SOUND - 1, SOUND + 1);
		}
		t->last_90k = at_90k;
		leave(t, at_90k);
	}
	leave(t, dts_90k);
}

static void sound(struct silence *s, struct track *t, int64_t dts_90k)
{
	bool is_dropped;
	int64_t at_90k;

	while (silence_before_sound(s, dts_90k, &at_90k, &is_dropped)) {
		assert_in_range(at_90k - t->last_90k, SOUND - 1, SOUND + 1);
		t->silences++;
		t->last_90k = at_90k;
		leave(t, at_90k);
	}
	if (is_dropped) {
		t->dropped++;
		return;
	}
	if (t->last_90k != 0) {
		assert_in_range(dts_90k - t->last_90k, SOUND / 2, SOUND + SOUND / 2);
	}
	t->last_90k = dts_90k;
	leave(t, dts_90k);
}

static void a_picture_without_sound_gets_silence_after_a_second(void **state)
{
	struct track t = { 0 };
	struct silence s;

	silence_init(&s, true);
	for (int64_t i = 0; i < 300; i++) {
		picture(&s, &t, i * PICTURE);
		assert_true(i * PICTURE >= SILENCE_AFTER_90k || t.silences == 0);
	}
	assert_in_range(t.silences, (299 * PICTURE - SILENCE_AFTER_90k) / SOUND,
			(299 * PICTURE - SILENCE_AFTER_90k) / SOUND + 1);
}

static void sound_takes_over_wherever_it_begins(void **state)
{
	for (int64_t offset_90k = 0; offset_90k < SOUND; offset_90k += 37) {
		struct track t = { 0 };
		struct silence s;
		int64_t sound_90k = 150 * PICTURE + offset_90k;

		silence_init(&s, true);
		for (int64_t i = 0; i < 300; i++) {
			for (; sound_90k < i * PICTURE; sound_90k += SOUND) {
				sound(&s, &t, sound_90k);
			}
			picture(&s, &t, i * PICTURE);
		}
		assert_true(t.silences > 100 && t.dropped <= 1);
		assert_false(s.is_filling);
	}
}

static void sound_that_vanishes_is_stood_in_for(void **state)
{
	struct track t = { 0 };
	struct silence s;
	int64_t sound_90k = 0;

	silence_init(&s, true);
	for (int64_t i = 0; i < 150; i++) {
		for (; sound_90k < i * PICTURE; sound_90k += SOUND) {
			sound(&s, &t, sound_90k);
		}
		picture(&s, &t, i * PICTURE);
	}
	assert_int_equal(t.silences, 0);
	for (int64_t i = 150; i < 300; i++) {
		picture(&s, &t, i * PICTURE);
	}
	assert_true(t.silences > 150);
}

static void who_does_not_want_it_gets_none(void **state)
{
	struct track t = { 0 };
	struct silence s;

	silence_init(&s, false);
	for (int64_t i = 0; i < 300; i++) {
		picture(&s, &t, i * PICTURE);
	}
	assert_int_equal(t.silences, 0);
}

static void a_pause_of_the_show_is_not_filled_afterwards(void **state)
{
	struct track t = { 0 };
	struct silence s;

	silence_init(&s, true);
	for (int64_t i = 0; i < 60; i++) {
		picture(&s, &t, i * PICTURE);
	}
	unsigned before = t.silences;
	t.silences = 0; /* the step over the pause is no step of a frame */
	picture(&s, &t, 90 * MEDIA_HZ);
	assert_true(before > 0);
	assert_int_equal(t.silences, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_decoder_hears_nothing_in_it),
		cmocka_unit_test(there_is_none_of_what_aac_has_no_code_for),
		cmocka_unit_test(a_picture_without_sound_gets_silence_after_a_second),
		cmocka_unit_test(sound_takes_over_wherever_it_begins),
		cmocka_unit_test(sound_that_vanishes_is_stood_in_for),
		cmocka_unit_test(who_does_not_want_it_gets_none),
		cmocka_unit_test(a_pause_of_the_show_is_not_filled_afterwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
