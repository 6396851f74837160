/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What audio-split.c and latm.c share. */
#ifndef UNDERSTUDY_MEDIA_AUDIO_SPLIT_H
#define UNDERSTUDY_MEDIA_AUDIO_SPLIT_H

#include <understudy/elementary.h>

enum { AUDIO_FOUND, AUDIO_MORE, AUDIO_NONE };

/* One frame with its head; `data` if its payload does not lie behind the head as it is. */
struct audio_piece {
	size_t head, size;
	const uint8_t *data;
	size_t data_size;
	bool is_left_out; /* nothing that could be passed on */
};

void audio_split_describe(struct audio_split *s, uint32_t sample_rate, uint32_t frame_samples);
/* A codec header; remembered as new if it is. */
void audio_split_configure(struct audio_split *s, const uint8_t *config, size_t size);
/* One LOAS frame at `p`; AUDIO_NONE if none begins there. */
int latm_find(struct audio_split *s, const uint8_t *p, size_t size, struct audio_piece *ret);

#endif
