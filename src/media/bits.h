/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A bounded bit reader. Past the end it gives zeros and sets `failed`. With `is_escaped`
 * it drops the emulation prevention bytes of H.264, HEVC and VVC on the way (00 00 03), so
 * that no unescaped copy is needed.
 */
#ifndef UNDERSTUDY_MEDIA_BITS_H
#define UNDERSTUDY_MEDIA_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bits {
	const uint8_t *at;
	const uint8_t *end;
	uint8_t byte;  /* being consumed */
	uint8_t left;  /* bits of it not yet consumed */
	uint8_t zeros; /* zero bytes seen in a row */
	bool is_escaped;
	bool failed;
};

struct bits bits_over(const uint8_t *data, size_t size, bool is_escaped);
/* `count` <= 32. */
uint32_t bits_u(struct bits *b, unsigned count);
bool bits_flag(struct bits *b);
void bits_skip(struct bits *b, size_t count);
/* Exp-Golomb, at most 32 bits of value; a longer code fails. */
uint32_t bits_ue(struct bits *b);
int32_t bits_se(struct bits *b);
/* What the VUI of H.264 (E.1.1) and HEVC (E.2.1) begins with: up to the location of chroma. */
void bits_skip_vui_look(struct bits *b);
/* Whether `count` more bits can be read. Exact only without escapes, else an upper bound. */
bool bits_has(const struct bits *b, size_t count);

#endif
