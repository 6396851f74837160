/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An encoder on a virtual clock (encoder.h). Tests only. */
#include "encoder.h"

#define SAMPLES 1024

uint32_t random_next(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static unsigned encoder_reorder(const struct encoder_config *c)
{
	return c->bframes == 0 ? 0 : c->has_pyramid && c->bframes > 1 ? 2 : 1;
}

/* The picture sent as number n, and whether it is a B-frame. */
static uint64_t encoder_picture(const struct encoder_config *c, uint64_t n)
{
	uint64_t base = n / c->gop * c->gop, in_gop = n % c->gop, group, first, last, count, at;

	if (in_gop == 0 || c->bframes == 0) {
		return n;
	}
	group = (in_gop - 1) / (c->bframes + 1);
	first = 1 + group * (c->bframes + 1);
	last = least(first + c->bframes, c->gop - 1);
	count = last - first; /* B-frames */
	at = in_gop - first;
	if (at == 0) {
		return base + last;
	}
	if (c->has_pyramid && count > 1) {
		uint64_t middle = count / 2;

		return base + first + (at == 1 ? middle : at - 2 < middle ? at - 2 : at - 1);
	}
	return base + first + at - 1;
}

static int64_t round_ms(double ms)
{
	return (int64_t)(ms + 0.5);
}

/* Real time at which media time `ms` of the encoder is captured. */
static int64_t encoder_capture_us(const struct encoder *e, double ms)
{
	return e->start_us + e->frozen_us + (int64_t)(ms * 1000.0 / (1.0 + e->config.ppm / 1e6));
}

static void encoder_make_video(struct encoder *e, struct encoder_packet *out)
{
	const struct encoder_config *c = &e->config;
	uint64_t n = e->frame[ENCODER_VIDEO]++;
	uint64_t picture = encoder_picture(c, n);
	unsigned reorder = encoder_reorder(c);
	bool is_point = n % c->gop == 0;
	int64_t dts_ms = round_ms((double)n * 1000 / c->fps);
	int64_t pts_ms = round_ms((double)(picture + reorder) * 1000 / c->fps);
	int64_t base_ms = c->base_ms + e->shift_ms;

	out->packet = (struct packet){
		.kind = PACKET_VIDEO,
		.type = PACKET_FRAME,
		.codec = c->video_codec,
		.dts_90k = (base_ms + dts_ms) * 90,
		.pts_90k = (base_ms + pts_ms) * 90,
		.flags = is_point ? (c->is_open_gop && n > 0 ? PACKET_RECOVERY : PACKET_KEY) : 0,
		.size = is_point ? 60000 : 9000,
		.fingerprint = n,
	};
	out->arrival_us = encoder_capture_us(e, (double)(n + c->bframes) * 1000 / c->fps);
}

static void encoder_make_audio(struct encoder *e, struct encoder_packet *out)
{
	const struct encoder_config *c = &e->config;
	double ms = (double)c->audio_late_ms +
		    (double)e->frame[ENCODER_AUDIO]++ * SAMPLES * 1000 / c->audio_hz;
	int64_t dts_90k = (c->base_ms + e->shift_ms + round_ms(ms)) * 90;

	out->packet = (struct packet){
		.kind = PACKET_AUDIO,
		.type = PACKET_FRAME,
		.codec = c->audio_codec,
		.dts_90k = dts_90k,
		.pts_90k = dts_90k,
		.size = 350,
	};
	/* a muxer holds audio until the video of the same dts is there */
	out->arrival_us = encoder_capture_us(e, ms + SAMPLES * 1000.0 / c->audio_hz +
							(c->fps > 0 ? c->bframes * 1000.0 / c->fps
								    : 0));
}

static void encoder_make(struct encoder *e, enum encoder_stream stream)
{
	const struct encoder_config *c = &e->config;
	struct encoder_packet *out = &e->next[stream];
	int64_t late_ms = c->lag_ms;

	do {
		if (stream == ENCODER_VIDEO) {
			encoder_make_video(e, out);
		} else {
			encoder_make_audio(e, out);
		}
	} while (c->keep > 1 && (out->packet.flags & PACKET_KEY) == 0 &&
		 e->frame[stream] % c->keep != 0);
	if (c->jitter_ms > 0) {
		late_ms += random_next(&e->random) % (uint32_t)(c->jitter_ms + 1);
	}
	out->arrival_us += late_ms * 1000;
	if (out->arrival_us < e->start_us + c->lag_ms * 1000 + c->burst_ms * 1000) {
		out->arrival_us -= c->burst_ms * 1000;
	}
	if (out->arrival_us < e->start_us) {
		out->arrival_us = e->start_us;
	}
	out->is_ready = true;
}

void encoder_start(struct encoder *e, const struct encoder_config *config, uint64_t seed,
		   int64_t now_us)
{
	*e = (struct encoder){ .config = *config, .start_us = now_us, .random = seed };
}

static bool encoder_has(const struct encoder *e, unsigned stream)
{
	return stream == ENCODER_VIDEO ? e->config.fps > 0 : e->config.audio_hz > 0;
}

/* Arrival of the stream's next packet as things stand. */
static int64_t encoder_stream_us(struct encoder *e, unsigned stream)
{
	struct encoder_packet *next = &e->next[stream];
	int64_t at_us;

	if (!encoder_has(e, stream)) {
		return INT64_MAX;
	}
	if (!next->is_ready) {
		encoder_make(e, (enum encoder_stream)stream);
	}
	while (next->arrival_us < e->skip_until_us[stream]) {
		encoder_make(e, (enum encoder_stream)stream);
	}
	at_us = next->arrival_us;
	if (at_us < e->held_us[stream]) {
		at_us = e->held_us[stream];
	}
	return at_us < e->arrival_us ? e->arrival_us : at_us;
}

/* A muxer sends in order of dts, whichever was there first, unless one of them does not come. */
static unsigned encoder_first_stream(struct encoder *e, int64_t *ret_us)
{
	int64_t video_us = encoder_stream_us(e, ENCODER_VIDEO);
	int64_t audio_us = encoder_stream_us(e, ENCODER_AUDIO);
	bool is_video = video_us <= audio_us;

	if (encoder_has(e, ENCODER_VIDEO) && encoder_has(e, ENCODER_AUDIO) &&
	    !e->config.is_unordered && e->held_us[ENCODER_VIDEO] == e->held_us[ENCODER_AUDIO]) {
		is_video = e->next[ENCODER_VIDEO].packet.dts_90k <=
			   e->next[ENCODER_AUDIO].packet.dts_90k;
	}
	*ret_us = is_video ? video_us : audio_us;
	return is_video ? ENCODER_VIDEO : ENCODER_AUDIO;
}

int64_t encoder_next_us(struct encoder *e)
{
	int64_t at_us = INT64_MAX;

	encoder_first_stream(e, &at_us);
	return at_us;
}

struct packet encoder_take(struct encoder *e)
{
	unsigned stream = encoder_first_stream(e, &e->arrival_us);
	struct packet p = e->next[stream].packet;

	p.arrival_us = e->arrival_us;
	e->next[stream].is_ready = false;
	return p;
}

void encoder_freeze(struct encoder *e, int64_t from_us, int64_t to_us)
{
	e->frozen_us += to_us - from_us;
	for (unsigned stream = 0; stream < ENCODER_STREAMS; stream++) {
		if (e->next[stream].is_ready) {
			e->next[stream].arrival_us += to_us - from_us;
		}
	}
}

struct codec_params encoder_params(const struct encoder *e, enum packet_kind kind)
{
	if (kind == PACKET_VIDEO) {
		return (struct codec_params){ .codec = e->config.video_codec,
					      .width = e->config.width,
					      .height = e->config.height,
					      .chroma = 2,
					      .bit_depth = 8 };
	}
	return (struct codec_params){ .codec = e->config.audio_codec,
				      .sample_rate = e->config.audio_hz,
				      .channels = 2,
				      .frame_samples = SAMPLES };
}

int64_t encoder_frame_90k(const struct encoder_config *config, enum packet_kind kind)
{
	return kind == PACKET_VIDEO ? (int64_t)(MEDIA_HZ / config->fps)
				    : (int64_t)SAMPLES * MEDIA_HZ / config->audio_hz;
}
