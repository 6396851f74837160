/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What annexb.c and annexb-config.c share. */
#ifndef UNDERSTUDY_MEDIA_ANNEXB_H
#define UNDERSTUDY_MEDIA_ANNEXB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order of a codec header. */
enum { ANNEXB_VPS = 1, ANNEXB_SPS, ANNEXB_PPS };

#define HEVC_PROFILE_BYTES 12

/* What an hvcC repeats of the sequence parameter set. */
struct hevc_sps {
	uint32_t id;
	uint8_t profile[HEVC_PROFILE_BYTES]; /* general profile, tier, constraints, level */
	uint8_t sub_layers;
	bool is_nested;
	uint8_t chroma, luma_depth, chroma_depth; /* as coded: depths less 8 */
};

unsigned annexb_type(uint32_t codec, const uint8_t *nal);
/* False if it is broken; *ret untouched then. */
bool hevc_read_sps(const uint8_t *data, size_t size, struct hevc_sps *ret);

#endif
