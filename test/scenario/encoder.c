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
	return c->bframes == 0 ? c->leading > 0 : c->has_pyramid && c->bframes > 1 ? 2 : 1;
}

/* The picture of a mini-GOP (`count` B-frames before a reference) that is sent as its `at`th. */
static uint64_t encoder_in_group(const struct encoder_config *c, uint64_t at, uint64_t count)
{
	if (at == 0) {
		return count;
	}
	if (c->has_pyramid && count > 1) {
		uint64_t middle = count / 2;

		return at == 1 ? middle : at - 2 < middle ? at - 2 : at - 1;
	}
	return at - 1;
}

/* The picture of a GOP that is sent as its `in_gop`th; the first `leading` are shown before the
 * one that was sent first. */
static uint64_t encoder_in_gop(const struct encoder_config *c, uint64_t in_gop, uint64_t leading)
{
	uint64_t first, last;

	if (in_gop <= leading) {
		return in_gop == 0 ? leading : in_gop - 1;
	}
	if (c->bframes == 0) {
		return in_gop;
	}
	first = 1 + leading + (in_gop - 1 - leading) / (c->bframes + 1) * (c->bframes + 1);
	last = least(first + c->bframes, c->gop - 1);
	return first + encoder_in_group(c, in_gop - first, last - first);
}

/* Media time of `ms`, as the connection's protocol tells it. */
static int64_t encoder_time_90k(const struct encoder *e, double ms)
{
	int64_t base_90k = (e->config.base_ms + e->shift_ms) * 90;

	return base_90k +
	       (e->config.is_exact ? (int64_t)(ms * 90 + 0.5) : (int64_t)(ms + 0.5) * 90);
}

/* After how many frames what is carried repeats; 0: never. */
static unsigned encoder_period(const struct encoder *e, enum encoder_stream stream)
{
	return stream == ENCODER_AUDIO   ? e->config.same_audio
	       : stream == ENCODER_VIDEO ? e->config.same_video
					 : 0;
}

/* Silence is the same whoever encodes it. */
static uint64_t encoder_content(const struct encoder *e, enum encoder_stream stream)
{
	return encoder_period(e, stream) > 0 ? e->config.encode : e->content;
}

static uint64_t encoder_fingerprint(const struct encoder *e, enum encoder_stream stream, uint64_t n)
{
	unsigned period = encoder_period(e, stream);
	uint64_t x = period > 0 ? n % period * ENCODER_STREAMS + stream
				: e->content * UINT64_C(0x9e3779b97f4a7c15) + n * ENCODER_STREAMS +
					  stream;

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static bool encoder_loses(struct encoder *e, enum encoder_stream stream)
{
	const struct encoder_config *c = &e->config;
	uint64_t stretch = (e->frame[stream] - 1) / 8;

	return c->lose_percent > 0 && random_next(&e->random) % 100 < c->lose_percent &&
	       (c->lose_turn == 0 || stretch % 2 == c->lose_turn % 2);
}

/* Real time at which media time `ms` of the encoder is captured. */
static int64_t encoder_capture_us(const struct encoder *e, double ms)
{
	return e->start_us + e->frozen_us + (int64_t)(ms * 1000.0 / (1.0 + e->config.ppm / 1e6));
}

static bool encoder_drops(struct encoder *e, uint64_t in_gop)
{
	if (e->config.every > 0 && in_gop % e->config.every != 0) {
		return true;
	}
	return e->config.drop_percent > 0 && in_gop != 0 &&
	       random_next(&e->random) % 100 < e->config.drop_percent;
}

/* What kind of random access the first picture of a GOP is. */
static uint16_t encoder_access(const struct encoder_config *c, uint64_t n)
{
	if (n == 0) {
		return PACKET_KEY;
	}
	return c->is_refreshed                    ? 0
	       : c->is_open_gop || c->leading > 0 ? PACKET_RECOVERY
						  : PACKET_KEY;
}

static void encoder_make_video(struct encoder *e, struct encoder_packet *out)
{
	struct encoder_config *c = &e->config;
	uint64_t n = e->frame[ENCODER_VIDEO]++, in_gop = (n - e->gop_first) % c->gop, picture,
		 leading;
	unsigned reorder = encoder_reorder(c);

	if (in_gop == 0 && e->next_gop > 0) {
		c->gop = e->next_gop;
		e->next_gop = 0;
		e->gop_first = n;
	}
	leading = n - in_gop > 0 ? least(c->leading, c->gop - 1) : 0;
	picture = n - in_gop + encoder_in_gop(c, in_gop, leading);
	out->packet = (struct packet){
		.kind = PACKET_VIDEO,
		.type = PACKET_FRAME,
		.codec = c->video_codec,
		.dts_90k = encoder_time_90k(e, (double)n * 1000 / c->fps),
		.pts_90k = encoder_time_90k(e, (double)(picture + reorder) * 1000 / c->fps),
		.flags = in_gop == 0         ? encoder_access(c, n)
			 : in_gop <= leading ? PACKET_LEADING
					     : 0,
		.size = (in_gop == 0 ? 60000u : 9000u) * e->size_percent / 100,
		.fingerprint = encoder_fingerprint(e, ENCODER_VIDEO, n),
	};
	out->arrival_us = encoder_capture_us(e, (double)(n + c->bframes) * 1000 / c->fps);
	out->is_dropped = encoder_drops(e, in_gop);
}

/* A small picture beside the main one, with key frames of its own. */
static void encoder_make_extra_video(struct encoder *e, struct encoder_packet *out)
{
	const struct encoder_config *c = &e->config;
	uint64_t n = e->frame[ENCODER_EXTRA_VIDEO]++;
	double ms = (double)n * 1000 / c->fps;
	int64_t dts_90k = encoder_time_90k(e, ms);

	out->packet = (struct packet){
		.kind = PACKET_VIDEO,
		.type = PACKET_FRAME,
		.track = 1,
		.codec = c->video_codec,
		.dts_90k = dts_90k,
		.pts_90k = dts_90k,
		.flags = (n + c->gop / 2) % c->gop == 0 ? PACKET_KEY : 0,
		.size = 1000,
		.fingerprint = encoder_fingerprint(e, ENCODER_EXTRA_VIDEO, n),
	};
	out->arrival_us = encoder_capture_us(e, ms + c->bframes * 1000.0 / c->fps);
}

static void encoder_make_audio(struct encoder *e, enum encoder_stream stream,
			       struct encoder_packet *out)
{
	const struct encoder_config *c = &e->config;
	uint64_t n = e->frame[stream]++;
	double frame_ms = SAMPLES * 1000.0 / c->audio_hz;
	double ms = (double)c->audio_late_ms + (double)n * SAMPLES * 1000 / c->audio_hz;
	uint64_t heap = c->heap_ms > frame_ms ? (uint64_t)(c->heap_ms / frame_ms) : 1;
	int64_t dts_90k = encoder_time_90k(e, ms) +
			  (stream == ENCODER_AUDIO ? e->audio_shift_ms * 90 : 0);

	out->packet = (struct packet){
		.kind = PACKET_AUDIO,
		.type = PACKET_FRAME,
		.track = stream == ENCODER_AUDIO ? 0 : 1,
		.codec = c->audio_codec,
		.dts_90k = dts_90k,
		.pts_90k = dts_90k,
		.size = 350,
		.fingerprint = encoder_fingerprint(e, stream, n),
	};
	/* a muxer holds audio until the video of the same dts is there, and the heap is whole */
	out->arrival_us = encoder_capture_us(e, ms + (double)(heap - n % heap) * frame_ms +
							(c->fps > 0 ? c->bframes * 1000.0 / c->fps
								    : 0));
}

static void encoder_make_data(struct encoder *e, struct encoder_packet *out)
{
	const struct encoder_config *c = &e->config;
	uint64_t n = e->frame[ENCODER_DATA]++;
	int64_t ms = (int64_t)(n * c->data_ms);
	int64_t dts_90k = encoder_time_90k(e, (double)ms);

	out->packet = (struct packet){
		.kind = PACKET_DATA,
		.type = PACKET_SCRIPT,
		.dts_90k = dts_90k,
		.pts_90k = dts_90k,
		.size = 50,
		.fingerprint = encoder_fingerprint(e, ENCODER_DATA, n),
	};
	out->arrival_us = encoder_capture_us(e, (double)ms);
}

static void encoder_make_any(struct encoder *e, enum encoder_stream stream,
			     struct encoder_packet *out)
{
	out->is_dropped = false;
	switch (stream) {
	case ENCODER_VIDEO:
		encoder_make_video(e, out);
		break;
	case ENCODER_EXTRA_VIDEO:
		encoder_make_extra_video(e, out);
		break;
	case ENCODER_DATA:
		encoder_make_data(e, out);
		break;
	default:
		encoder_make_audio(e, stream, out);
	}
}

static void encoder_make(struct encoder *e, enum encoder_stream stream)
{
	const struct encoder_config *c = &e->config;
	struct encoder_packet *out = &e->next[stream];
	int64_t late_ms = c->lag_ms;

	do {
		out->number = e->frame[stream];
		out->shift_90k = (e->config.base_ms + e->shift_ms) * 90;
		out->content = encoder_content(e, stream);
		encoder_make_any(e, stream, out);
	} while (out->is_dropped || encoder_loses(e, stream) ||
		 (c->keep > 1 && (out->packet.flags & PACKET_KEY) == 0 &&
		  e->frame[stream] % c->keep != 0));
	if (c->jitter_ms > 0) {
		late_ms += random_next(&e->random) % (uint32_t)(c->jitter_ms + 1);
	}
	out->arrival_us += late_ms * 1000;
	if (c->encode == 0 &&
	    out->arrival_us < e->start_us + c->lag_ms * 1000 + c->burst_ms * 1000) {
		out->arrival_us -= c->burst_ms * 1000;
	}
	if (out->arrival_us < e->start_us) {
		out->arrival_us = e->start_us;
	}
	out->is_ready = true;
}

/* A connection to an encode that runs: begins with its next key frame, and a time of its own. */
static void encoder_join(struct encoder *e, int64_t now_us)
{
	const struct encoder_config *c = &e->config;
	int64_t gone_ms = (now_us - c->encode_us) / 1000;
	double gop_ms = c->fps > 0 ? c->gop * 1000 / c->fps : 1;
	uint64_t gops = gone_ms > 0 ? (uint64_t)((double)gone_ms / gop_ms) + 1 : 0;
	double first_ms = (double)gops * gop_ms;

	e->content = c->encode;
	e->start_us = c->encode_us;
	e->shift_ms = -(int64_t)first_ms;
	e->frame[ENCODER_VIDEO] = e->frame[ENCODER_EXTRA_VIDEO] = gops * c->gop;
	e->frame[ENCODER_AUDIO] = e->frame[ENCODER_EXTRA_AUDIO] =
		(uint64_t)(first_ms * c->audio_hz / SAMPLES / 1000 + 0.999);
	e->frame[ENCODER_DATA] = c->data_ms > 0 ? (uint64_t)(first_ms / c->data_ms + 0.999) : 0;
}

void encoder_start(struct encoder *e, const struct encoder_config *config, uint64_t seed,
		   int64_t now_us)
{
	*e = (struct encoder){ .config = *config,
			       .content = seed,
			       .start_us = now_us,
			       .random = seed,
			       .size_percent = 100 };
	if (config->encode != 0) {
		encoder_join(e, now_us);
	}
}

static bool encoder_has(const struct encoder *e, unsigned stream)
{
	const struct encoder_config *c = &e->config;

	switch (stream) {
	case ENCODER_VIDEO:
		return c->fps > 0;
	case ENCODER_EXTRA_VIDEO:
		return c->fps > 0 && c->has_extra_video;
	case ENCODER_AUDIO:
		return c->audio_hz > 0;
	case ENCODER_EXTRA_AUDIO:
		return c->audio_hz > 0 && c->has_extra_audio;
	default:
		return c->data_ms > 0;
	}
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

/* Whether the streams are held apart: then each comes when it comes. */
static bool encoder_is_held_apart(const struct encoder *e)
{
	int64_t held_us = INT64_MIN;

	for (unsigned stream = 0; stream < ENCODER_STREAMS; stream++) {
		int64_t this_us = e->held_us[stream] > e->arrival_us ? e->held_us[stream] : 0;

		if (!encoder_has(e, stream)) {
			continue;
		}
		if (held_us != INT64_MIN && held_us != this_us) {
			return true;
		}
		held_us = this_us;
	}
	return false;
}

/* A muxer sends in order of dts, whichever was there first, unless one of them does not come. */
static unsigned encoder_first_stream(struct encoder *e, int64_t *ret_us)
{
	bool is_by_arrival = e->config.is_unordered || encoder_is_held_apart(e);
	int64_t best = INT64_MAX;
	unsigned first = ENCODER_VIDEO;

	*ret_us = INT64_MAX;
	for (unsigned stream = 0; stream < ENCODER_STREAMS; stream++) {
		int64_t at_us = encoder_stream_us(e, stream), key;

		if (at_us == INT64_MAX && !encoder_has(e, stream)) {
			continue;
		}
		key = is_by_arrival ? at_us : e->next[stream].packet.dts_90k;
		if (key < best) {
			best = key;
			first = stream;
			*ret_us = at_us;
		}
	}
	return first;
}

int64_t encoder_next_us(struct encoder *e)
{
	int64_t at_us = INT64_MAX;

	encoder_first_stream(e, &at_us);
	return at_us;
}

struct encoder_packet encoder_take(struct encoder *e)
{
	int64_t at_us;
	unsigned stream = encoder_first_stream(e, &at_us);
	struct encoder_packet p = e->next[stream];

	p.packet.arrival_us = e->arrival_us = at_us;
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

void encoder_slow(struct encoder *e, double percent, int64_t now_us)
{
	double before = 1.0 + e->config.ppm / 1e6, rate = percent / 100;
	double ran_us = (double)(now_us - e->start_us - e->frozen_us);

	/* What was captured by now stays where it is. */
	e->config.ppm = (rate - 1) * 1e6;
	e->frozen_us = now_us - e->start_us - (int64_t)(ran_us * before / rate);
	for (unsigned stream = 0; stream < ENCODER_STREAMS; stream++) {
		e->next[stream].arrival_us = now_us;
	}
}

void encoder_part(struct encoder *e, int64_t ms)
{
	e->audio_shift_ms += ms;
	e->next[ENCODER_AUDIO].shift_90k += ms * 90;
	e->next[ENCODER_AUDIO].packet.dts_90k += ms * 90;
	e->next[ENCODER_AUDIO].packet.pts_90k += ms * 90;
}

void encoder_differ(struct encoder *e, uint64_t by)
{
	e->content = e->content * UINT64_C(0x9e3779b97f4a7c15) + by;
}

void encoder_jump(struct encoder *e, int64_t ms)
{
	e->shift_ms += ms;
	for (unsigned stream = 0; stream < ENCODER_STREAMS; stream++) {
		e->next[stream].shift_90k += ms * 90;
		e->next[stream].packet.dts_90k += ms * 90;
		e->next[stream].packet.pts_90k += ms * 90;
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
