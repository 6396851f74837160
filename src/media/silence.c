/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Silence as AAC, and where it goes (silence.h). Pure. */
#include <string.h>

#include <understudy/silence.h>

enum { ELEMENT_SCE = 0, ELEMENT_CPE = 1, ELEMENT_LFE = 3, ELEMENT_END = 7 };
#define ELEMENTS_MAX 6
#define AOT_LC 2

/* ---- frames ---- */

struct bit_writer {
	uint8_t *to;
	size_t bits;
};

static void put(struct bit_writer *w, unsigned count, unsigned value)
{
	while (count-- > 0) {
		if (value >> count & 1) {
			w->to[w->bits / 8] |= (uint8_t)(0x80 >> w->bits % 8);
		}
		w->bits++;
	}
}

/* One long window without a single band. */
static void put_window(struct bit_writer *w)
{
	put(w, 1 + 2 + 1, 0); /* reserved, sequence, shape */
	put(w, 6, 0);         /* max_sfb */
	put(w, 1, 0);         /* predictor */
}

static void put_channel(struct bit_writer *w, bool has_window)
{
	put(w, 8, 0); /* global_gain */
	if (has_window) {
		put_window(w);
	}
	put(w, 3, 0); /* pulse, TNS, gain control */
}

static void put_element(struct bit_writer *w, unsigned element, unsigned tag)
{
	put(w, 3, element);
	put(w, 4, tag);
	if (element == ELEMENT_CPE) {
		put(w, 1, 1); /* common_window */
		put_window(w);
		put(w, 2, 0); /* ms_mask_present */
		put_channel(w, false);
		put_channel(w, false);
	} else {
		put_channel(w, true);
	}
}

/* ISO/IEC 14496-3 table 1.19: channel configurations. */
static const uint8_t layouts[][ELEMENTS_MAX] = {
	[1] = { ELEMENT_SCE, ELEMENT_END },
	[2] = { ELEMENT_CPE, ELEMENT_END },
	[3] = { ELEMENT_SCE, ELEMENT_CPE, ELEMENT_END },
	[4] = { ELEMENT_SCE, ELEMENT_CPE, ELEMENT_SCE, ELEMENT_END },
	[5] = { ELEMENT_SCE, ELEMENT_CPE, ELEMENT_CPE, ELEMENT_END },
	[6] = { ELEMENT_SCE, ELEMENT_CPE, ELEMENT_CPE, ELEMENT_LFE, ELEMENT_END },
	[7] = { ELEMENT_SCE, ELEMENT_CPE, ELEMENT_CPE, ELEMENT_CPE, ELEMENT_LFE, ELEMENT_END },
};

/* 0 = none. */
static unsigned configuration_of(unsigned channels)
{
	return channels == 8 ? 7 : channels <= 6 ? channels : 0;
}

size_t silence_frame(unsigned channels, uint8_t to[SILENCE_BYTES_MAX])
{
	struct bit_writer w = { .to = to };
	unsigned tags[ELEMENT_END] = { 0 };
	unsigned configuration = configuration_of(channels);

	if (configuration == 0) {
		return 0;
	}
	memset(to, 0, SILENCE_BYTES_MAX);
	for (const uint8_t *element = layouts[configuration]; *element != ELEMENT_END; element++) {
		put_element(&w, *element, tags[*element]++);
	}
	put(&w, 3, ELEMENT_END);
	return (w.bits + 7) / 8;
}

bool silence_config(uint32_t sample_rate, unsigned channels, uint8_t to[SILENCE_CONFIG_BYTES])
{
	static const uint32_t rates[] = { 96000, 88200, 64000, 48000, 44100, 32000, 24000,
					  22050, 16000, 12000, 11025, 8000,  7350 };
	struct bit_writer w = { .to = to };
	unsigned index = 0;

	while (index < sizeof(rates) / sizeof(rates[0]) && rates[index] != sample_rate) {
		index++;
	}
	if (index == sizeof(rates) / sizeof(rates[0]) || configuration_of(channels) == 0) {
		return false;
	}
	memset(to, 0, SILENCE_CONFIG_BYTES);
	put(&w, 5, AOT_LC);
	put(&w, 4, index);
	put(&w, 4, configuration_of(channels));
	return true;
}

/* ---- the rule ---- */

void silence_init(struct silence *s, bool is_wanted)
{
	*s = (struct silence){ .is_wanted = is_wanted,
			       .sample_rate = 48000,
			       .frame_samples = 1024 };
}

void silence_resume(struct silence *s, int64_t last_90k)
{
	s->is_filling = s->has_begun = true;
	s->base_90k = last_90k;
	s->frames = 1;
}

void silence_hear(struct silence *s, int64_t dts_90k)
{
	s->is_filling = false;
	s->has_begun = true;
	s->heard_90k = dts_90k;
}

bool silence_is_due(const struct silence *s, int64_t dts_90k)
{
	return s->is_wanted && !s->is_filling && s->has_begun &&
	       dts_90k - s->heard_90k >= SILENCE_AFTER_90k;
}

void silence_set_format(struct silence *s, uint32_t sample_rate, uint32_t frame_samples)
{
	if (sample_rate > 0 && frame_samples > 0) {
		s->sample_rate = sample_rate;
		s->frame_samples = frame_samples;
	}
}

static int64_t silence_time(const struct silence *s, uint64_t frame)
{
	return s->base_90k + (int64_t)(frame * s->frame_samples * MEDIA_HZ / s->sample_rate);
}

static int64_t silence_half(const struct silence *s)
{
	return (int64_t)s->frame_samples * MEDIA_HZ / s->sample_rate / 2;
}

bool silence_before_picture(struct silence *s, int64_t dts_90k, int64_t *ret_90k)
{
	if (!s->has_begun) {
		s->heard_90k = dts_90k;
		s->has_begun = true;
	}
	if (!s->is_wanted || dts_90k - s->heard_90k < SILENCE_AFTER_90k) {
		return false;
	}
	/* A picture that comes after a pause of the show: so does the silence. */
	if (!s->is_filling || dts_90k - silence_time(s, s->frames) > SILENCE_AFTER_90k) {
		s->is_filling = true;
		s->base_90k = dts_90k;
		s->frames = 0;
	}
	if (silence_time(s, s->frames) > dts_90k) {
		return false;
	}
	*ret_90k = silence_time(s, s->frames++);
	return true;
}

bool silence_before_sound(struct silence *s, int64_t dts_90k, int64_t *ret_90k,
			  bool *ret_is_dropped)
{
	*ret_is_dropped = false;
	if (s->is_filling) {
		int64_t next_90k = silence_time(s, s->frames);

		if (next_90k + silence_half(s) <= dts_90k &&
		    dts_90k - next_90k <= SILENCE_AFTER_90k) {
			*ret_90k = next_90k;
			s->frames++;
			return true;
		}
		if (next_90k - silence_half(s) > dts_90k) {
			*ret_is_dropped = true;
			return false;
		}
	}
	silence_hear(s, dts_90k);
	return false;
}
