/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Length-prefixed NAL units, read once: the bytes may lie in shared memory and change while
 * they are looked at, so every length is pinned in a register before it is checked and used.
 */
#ifndef UNDERSTUDY_MEDIA_NAL_H
#define UNDERSTUDY_MEDIA_NAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nal {
	const uint8_t *data;
	size_t size; /* >= 1 */
};

struct nal_reader {
	const uint8_t *at;
	const uint8_t *end;
	unsigned length_bytes;
};

/* A value the compiler may not fetch again from where it came. */
static inline size_t media_pin(size_t value)
{
	__asm__ volatile("" : "+r"(value));
	return value;
}

/* `length_bytes` other than 1..4 counts as 4. */
static inline struct nal_reader nal_reader_over(const uint8_t *data, size_t size,
						unsigned length_bytes)
{
	return (struct nal_reader){
		.at = data,
		.end = size ? data + size : data,
		.length_bytes = length_bytes >= 1 && length_bytes <= 4 ? length_bytes : 4,
	};
}

/* The next NAL unit that is not empty; the last one is cut at the end of the data. */
static inline bool nal_next(struct nal_reader *r, struct nal *ret)
{
	while ((size_t)(r->end - r->at) > r->length_bytes) {
		size_t length = 0;
		size_t left;

		for (unsigned i = 0; i < r->length_bytes; i++) {
			length = length << 8 | r->at[i];
		}
		length = media_pin(length);
		r->at += r->length_bytes;
		left = (size_t)(r->end - r->at);
		if (length > left) {
			length = left;
		}
		if (length > 0) {
			*ret = (struct nal){ .data = r->at, .size = length };
			r->at += length;
			return true;
		}
	}
	return false;
}

#endif
