/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Audio streams taken apart into frames (elementary.h). Pure. A PES packet may hold several
 * frames or begin in the middle of one; its time stamp is that of the first frame that begins
 * in it, and those behind follow by their length.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/bytes.h>
#include <understudy/elementary.h>

#include "audio-split.h"

#define BYTES_MAX ((size_t)256 << 10)
#define NOT_MARKED SIZE_MAX

static const uint32_t aac_rates[] = { 96000, 88200, 64000, 48000, 44100, 32000, 24000,
				      22050, 16000, 12000, 11025, 8000,  7350 };

void audio_split_init(struct audio_split *s, enum audio_format format)
{
	*s = (struct audio_split){ .format = format,
				   .next_90k = AUDIO_NO_TIME,
				   .mark_90k = AUDIO_NO_TIME,
				   .mark_at = NOT_MARKED };
	buffer_init(&s->bytes, BYTES_MAX);
}

void audio_split_finish(struct audio_split *s)
{
	buffer_finish(&s->bytes);
	free(s->frame);
	s->frame = NULL;
}

void audio_split_reset(struct audio_split *s)
{
	buffer_clear(&s->bytes);
	s->taken = 0;
	s->next_90k = AUDIO_NO_TIME;
	s->mark_at = NOT_MARKED;
}

static void consume(struct audio_split *s, size_t size)
{
	buffer_consume(&s->bytes, size);
	if (s->mark_at != NOT_MARKED) {
		s->mark_at -= size < s->mark_at ? size : s->mark_at;
	}
}

static void consume_taken(struct audio_split *s)
{
	consume(s, s->taken);
	s->taken = 0;
}

int audio_split_push(struct audio_split *s, const uint8_t *data, size_t size, int64_t pts_90k)
{
	int error;

	consume_taken(s);
	if (s->format == AUDIO_OPUS) {
		audio_split_reset(s); /* its access units never go on in another packet */
	}
	if (pts_90k != AUDIO_NO_TIME) {
		s->mark_90k = pts_90k;
		s->mark_at = buffer_size(&s->bytes);
	}
	error = buffer_append(&s->bytes, data, size);
	if (error != 0) {
		audio_split_reset(s);
	}
	return error;
}

void audio_split_describe(struct audio_split *s, uint32_t sample_rate, uint32_t frame_samples)
{
	s->sample_rate = sample_rate;
	s->frame_samples = frame_samples;
}

void audio_split_configure(struct audio_split *s, const uint8_t *config, size_t size)
{
	if (size > sizeof(s->config) ||
	    (size == s->config_size && memcmp(config, s->config, size) == 0)) {
		return;
	}
	memcpy(s->config, config, size);
	s->config_size = size;
	s->is_config_new = true;
}

/* ---- ADTS ---- */

static int find_adts(struct audio_split *s, const uint8_t *p, size_t size, struct audio_piece *ret)
{
	uint8_t config[2];
	unsigned object_type, rate, channels;
	size_t head, length;

	if (size < 7) {
		return AUDIO_MORE;
	}
	if (p[0] != 0xff || (p[1] & 0xf6) != 0xf0) {
		return AUDIO_NONE;
	}
	head = p[1] & 1 ? 7 : 9;
	object_type = (p[2] >> 6u) + 1u;
	rate = p[2] >> 2 & 15;
	channels = (p[2] & 1u) << 2 | p[3] >> 6u;
	length = (size_t)(p[3] & 3) << 11 | (size_t)p[4] << 3 | p[5] >> 5u;
	if (rate >= sizeof(aac_rates) / sizeof(aac_rates[0]) || length <= head) {
		return AUDIO_NONE;
	}
	if (size < length) {
		return AUDIO_MORE;
	}
	/* Several blocks in one frame, or channels described inside: nobody sends them. */
	ret->is_left_out = (p[6] & 3) != 0 || channels == 0;
	ret->head = head;
	ret->size = length;
	if (!ret->is_left_out) {
		config[0] = (uint8_t)(object_type << 3 | rate >> 1);
		config[1] = (uint8_t)((rate & 1) << 7 | channels << 3);
		audio_split_configure(s, config, sizeof(config));
		audio_split_describe(s, aac_rates[rate], 1024);
	}
	return AUDIO_FOUND;
}

/* ---- MPEG audio, layer III (and II, which is left out) ---- */

static int find_mpeg(struct audio_split *s, const uint8_t *p, size_t size, struct audio_piece *ret)
{
	static const uint16_t rates[3] = { 44100, 48000, 32000 };
	static const uint16_t kbps[3][15] = {
		{ 0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160 },
		{ 0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320 },
		{ 0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384 },
	};
	unsigned version, layer, rate_index, bitrate;
	uint32_t rate, samples;
	size_t length;

	if (size < 4) {
		return AUDIO_MORE;
	}
	version = p[1] >> 3 & 3; /* 3 MPEG-1, 2 MPEG-2, 0 MPEG-2.5 */
	layer = p[1] >> 1 & 3;   /* 1 is layer III, 2 is II */
	bitrate = p[2] >> 4u;
	rate_index = p[2] >> 2 & 3;
	if (p[0] != 0xff || (p[1] & 0xe0) != 0xe0 || version == 1 || layer == 0 || layer == 3 ||
	    bitrate == 0 || bitrate == 15 || rate_index == 3) {
		return AUDIO_NONE;
	}
	rate = (uint32_t)rates[rate_index] >> (version == 3 ? 0 : version == 2 ? 1 : 2);
	samples = version == 3 || layer == 2 ? 1152 : 576;
	length = samples / 8 * 1000 * kbps[version == 3 ? layer : 0][bitrate] / rate +
		 (p[2] >> 1 & 1);
	if (size < length) {
		return AUDIO_MORE;
	}
	ret->size = length;
	ret->is_left_out = layer == 2; /* which FLV and most platforms do not know */
	audio_split_describe(s, rate, samples);
	return AUDIO_FOUND;
}

/* ---- AC-3 and E-AC-3 ---- */

static size_t ac3_length(const uint8_t *p)
{
	static const uint16_t kbps[19] = { 32,  40,  48,  56,  64,  80,  96,  112, 128, 160,
					   192, 224, 256, 320, 384, 448, 512, 576, 640 };
	unsigned rate = p[4] >> 6u, code = p[4] & 63;

	if (rate == 3 || code >= 38) {
		return 0;
	}
	switch (rate) {
	case 0:
		return (size_t)kbps[code / 2] * 4;
	case 1:
		return ((size_t)kbps[code / 2] * 320 / 147 + (code & 1)) * 2;
	default:
		return (size_t)kbps[code / 2] * 6;
	}
}

static int find_ac3(struct audio_split *s, const uint8_t *p, size_t size, struct audio_piece *ret)
{
	static const uint16_t rates[3] = { 48000, 44100, 32000 };
	static const uint8_t blocks[4] = { 1, 2, 3, 6 };
	size_t length;
	unsigned rate;
	bool is_enhanced;

	if (size < 6) {
		return AUDIO_MORE;
	}
	if (p[0] != 0x0b || p[1] != 0x77) {
		return AUDIO_NONE;
	}
	is_enhanced = p[5] >> 3 > 10;
	rate = p[4] >> 6u;
	length = is_enhanced ? ((size_t)(p[2] & 7) << 8 | p[3]) * 2 + 2 : ac3_length(p);
	if (length < 6 || (is_enhanced && rate == 3 && (p[4] >> 4 & 3) == 3)) {
		return AUDIO_NONE;
	}
	if (size < length) {
		return AUDIO_MORE;
	}
	ret->size = length;
	/* A substream that only adds to the one before it (more than 5.1 channels). */
	ret->is_left_out = is_enhanced && p[2] >> 6 == 1;
	if (ret->is_left_out) {
		return AUDIO_FOUND;
	}
	if (is_enhanced && rate == 3) {
		audio_split_describe(s, rates[p[4] >> 4 & 3] / 2u, 1536);
	} else {
		audio_split_describe(s, rates[rate],
				     is_enhanced ? blocks[p[4] >> 4 & 3] * 256u : 1536u);
	}
	return AUDIO_FOUND;
}

/* ---- Opus ---- */

/* Samples at 48 kHz in a packet (RFC 6716 3.1). */
static uint32_t opus_samples(const uint8_t *p, size_t size)
{
	static const uint16_t silk[4] = { 480, 960, 1920, 2880 };
	unsigned config = p[0] >> 3u, code = p[0] & 3;
	unsigned frames = code == 0 ? 1 : code < 3 ? 2 : size > 1 ? p[1] & 63u : 0;
	unsigned samples = config < 12   ? silk[config & 3]
			   : config < 16 ? silk[config & 1]
					 : 120u << (config & 3);

	return frames * samples;
}

static int find_opus(struct audio_split *s, const uint8_t *p, size_t size, struct audio_piece *ret)
{
	struct reader r = reader_over(p, size);
	unsigned control = reader_be16(&r);
	size_t length = 0;
	uint8_t part;

	if (!r.failed && (control & 0xffe0) != 0x7fe0) {
		return AUDIO_NONE;
	}
	do {
		part = reader_u8(&r);
		length += part;
	} while (part == 255 && !r.failed);
	reader_take(&r, control & 0x10 ? 2 : 0); /* trimmed at the start */
	reader_take(&r, control & 0x08 ? 2 : 0); /* and at the end */
	if (control & 0x04) {
		reader_take(&r, reader_u8(&r));
	}
	ret->head = (size_t)(r.at - p);
	if (reader_take(&r, length) == NULL || length == 0) {
		return AUDIO_MORE; /* it will not come: dropped with the next packet */
	}
	ret->size = ret->head + length;
	audio_split_describe(s, 48000, opus_samples(p + ret->head, length));
	return AUDIO_FOUND;
}

/* ---- all ---- */

static int find_piece(struct audio_split *s, const uint8_t *p, size_t size, struct audio_piece *ret)
{
	*ret = (struct audio_piece){ 0 };
	switch (s->format) {
	case AUDIO_ADTS:
		return find_adts(s, p, size, ret);
	case AUDIO_LATM:
		return latm_find(s, p, size, ret);
	case AUDIO_MPEG:
		return find_mpeg(s, p, size, ret);
	case AUDIO_AC3:
		return find_ac3(s, p, size, ret);
	default:
		return find_opus(s, p, size, ret);
	}
}

/* The time of the frame that begins here, and of the next one. */
static int64_t take_time(struct audio_split *s)
{
	int64_t pts_90k = s->next_90k;
	uint64_t ticks;

	if (s->mark_at == 0) {
		pts_90k = s->mark_90k;
		s->mark_at = NOT_MARKED;
		s->fraction = 0;
	}
	if (pts_90k == AUDIO_NO_TIME || s->sample_rate == 0) {
		return AUDIO_NO_TIME;
	}
	ticks = (uint64_t)s->frame_samples * MEDIA_HZ + s->fraction;
	s->next_90k = pts_90k + (int64_t)(ticks / s->sample_rate);
	s->fraction = (uint32_t)(ticks % s->sample_rate);
	return pts_90k;
}

bool audio_split_next(struct audio_split *s, struct audio_frame *ret)
{
	struct audio_piece piece;
	int found;

	for (;;) {
		consume_taken(s);
		found = find_piece(s, buffer_bytes(&s->bytes), buffer_size(&s->bytes), &piece);
		if (found == AUDIO_MORE) {
			return false;
		}
		if (found == AUDIO_NONE) {
			s->skipped++;
			consume(s, 1);
			continue;
		}
		s->taken = piece.size;
		if (piece.is_left_out) {
			s->skipped += piece.size;
			s->mark_at = s->mark_at == 0 ? NOT_MARKED : s->mark_at;
			continue;
		}
		int64_t pts_90k = take_time(s);
		if (pts_90k == AUDIO_NO_TIME) {
			continue;
		}
		*ret = (struct audio_frame){
			.data = piece.data != NULL ? piece.data
						   : buffer_bytes(&s->bytes) + piece.head,
			.size = piece.data != NULL ? piece.data_size : piece.size - piece.head,
			.pts_90k = pts_90k,
		};
		return true;
	}
}

#define WRAP_33 ((int64_t)1 << 33)

int64_t unwrap_33(struct unwrap33 *u, uint64_t wire_90k)
{
	int64_t wire = (int64_t)(wire_90k & (uint64_t)(WRAP_33 - 1));
	int64_t step;

	if (!u->is_started) {
		u->is_started = true;
		u->last_90k = wire;
		return wire;
	}
	step = (wire - u->last_90k) & (WRAP_33 - 1);
	u->last_90k += step < WRAP_33 / 2 ? step : step - WRAP_33;
	return u->last_90k;
}
