/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Silence as AAC: a frame of a few bytes and its codec header, made from the standard (ISO/IEC
 * 14496-3 1.6.2.1, 4.4.2), and the rule by which it stands in for sound that is missing on a
 * timeline. Pure.
 */
#ifndef UNDERSTUDY_SILENCE_H
#define UNDERSTUDY_SILENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <understudy/codec.h>

#define SILENCE_BYTES_MAX 64
#define SILENCE_CONFIG_BYTES 2

/* One raw frame of silence for 1 to 6 or 8 channels; its size, 0 for other numbers. */
size_t silence_frame(unsigned channels, uint8_t to[SILENCE_BYTES_MAX]);
/* AudioSpecificConfig of AAC-LC; false for rates and numbers of channels it has no code for. */
bool silence_config(uint32_t sample_rate, unsigned channels, uint8_t to[SILENCE_CONFIG_BYTES]);

/*
 * Where silence goes. Told of every frame before it leaves, in the order of the timeline:
 *
 *   QUIET  sound is there, or not missed yet
 *   FILLS  for SILENCE_AFTER_90k of picture there was none: silence goes out with each picture
 *
 * It ends with the first frame of sound: that frame follows the last one of silence by half to one
 * and a half frames; one that comes sooner is left out.
 */
#define SILENCE_AFTER_90k 90000

struct silence {
	bool is_wanted, is_filling, has_begun;
	uint32_t sample_rate, frame_samples;
	int64_t heard_90k; /* when sound was last there, or the picture began */
	int64_t base_90k;  /* of the first frame of silence in this stretch ... */
	uint64_t frames;   /* ... and how many there were */
};

/* `is_wanted` false: it never fills. */
void silence_init(struct silence *s, bool is_wanted);
/* What another process wrote before: a frame of silence, a frame of sound. */
void silence_resume(struct silence *s, int64_t last_90k);
void silence_hear(struct silence *s, int64_t dts_90k);
/* True if a picture of that dts begins a stretch of silence: then is the time to set its format. */
bool silence_is_due(const struct silence *s, int64_t dts_90k);
/* 48 kHz until it is called. */
void silence_set_format(struct silence *s, uint32_t sample_rate, uint32_t frame_samples);
/* A picture of that dts is about to leave. True: silence of time *ret_90k goes before it; ask
 * again. */
bool silence_before_picture(struct silence *s, int64_t dts_90k, int64_t *ret_90k);
/* The same for a frame of sound; *ret_is_dropped: it has to be left out. */
bool silence_before_sound(struct silence *s, int64_t dts_90k, int64_t *ret_90k,
			  bool *ret_is_dropped);

#endif
