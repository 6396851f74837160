/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What each codec's file gives to codec.c. Every parse function fills `p` (its codec is set,
 * the rest zero) and returns CODEC_OK or enum codec_error, in which case `p` is worthless;
 * every access function returns packet flags, as codec_random_access() does.
 */
#ifndef UNDERSTUDY_MEDIA_PARSE_H
#define UNDERSTUDY_MEDIA_PARSE_H

#include <understudy/codec.h>

#define CODEC_REORDER_UNKNOWN 255

int avc_parse_config(const uint8_t *data, size_t size, struct codec_params *p);
unsigned avc_random_access(unsigned nal_length_bytes, const uint8_t *data, size_t size,
			   unsigned claimed);

int hevc_parse_config(const uint8_t *data, size_t size, struct codec_params *p);
unsigned hevc_random_access(unsigned nal_length_bytes, const uint8_t *data, size_t size);

int vvc_parse_config(const uint8_t *data, size_t size, struct codec_params *p);
unsigned vvc_random_access(unsigned nal_length_bytes, const uint8_t *data, size_t size);

int av1_parse_config(const uint8_t *data, size_t size, struct codec_params *p);
unsigned av1_random_access(const uint8_t *data, size_t size, unsigned claimed);

int vpx_parse_config(const uint8_t *data, size_t size, struct codec_params *p);
unsigned vp8_random_access(const uint8_t *data, size_t size);
unsigned vp9_random_access(const uint8_t *data, size_t size);

int aac_parse_config(const uint8_t *data, size_t size, struct codec_params *p);
int mp3_parse_frame(const uint8_t *data, size_t size, struct codec_params *p);
int ac3_parse_frame(const uint8_t *data, size_t size, struct codec_params *p);
int opus_parse_config(const uint8_t *data, size_t size, struct codec_params *p);
int flac_parse_config(const uint8_t *data, size_t size, struct codec_params *p);
int opus_parse_frame(const uint8_t *data, size_t size, struct codec_params *p);
int flac_parse_frame(const uint8_t *data, size_t size, struct codec_params *p);

/* Frames per 1000 s of `ticks` a second with `ticks_per_frame` each; 0 if that is no rate. */
static inline uint32_t fps_milli_of(uint64_t ticks, uint64_t ticks_per_frame)
{
	uint64_t fps;

	if (ticks_per_frame == 0) {
		return 0;
	}
	fps = (ticks * 1000 + ticks_per_frame / 2) / ticks_per_frame;
	return fps <= 1000000 ? (uint32_t)fps : 0;
}

/* Coded size less cropping; false if that leaves nothing or more than can be said. */
static inline bool set_picture_size(struct codec_params *p, uint64_t width, uint64_t height,
				    uint64_t crop_x, uint64_t crop_y)
{
	if (crop_x >= width || crop_y >= height || width - crop_x > UINT16_MAX ||
	    height - crop_y > UINT16_MAX) {
		return false;
	}
	p->width = (uint16_t)(width - crop_x);
	p->height = (uint16_t)(height - crop_y);
	return true;
}

#endif
