/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A bounded bit reader. Pure; borrows the bytes. */
#include "bits.h"

struct bits bits_over(const uint8_t *data, size_t size, bool is_escaped)
{
	return (struct bits){ .at = data,
			      .end = size ? data + size : data,
			      .is_escaped = is_escaped };
}

static bool next_byte(struct bits *b)
{
	uint8_t byte;

	if (b->at == b->end) {
		b->failed = true;
		return false;
	}
	byte = *b->at++;
	if (b->is_escaped && b->zeros >= 2 && byte == 3) {
		b->zeros = 0;
		return next_byte(b); /* zeros is 0 now: goes no deeper */
	}
	b->zeros = byte == 0 ? (uint8_t)(b->zeros < 2 ? b->zeros + 1 : 2) : 0;
	b->byte = byte;
	b->left = 8;
	return true;
}

uint32_t bits_u(struct bits *b, unsigned count)
{
	uint32_t value = 0;

	while (count > 0) {
		unsigned n;

		if (b->left == 0 && !next_byte(b)) {
			return 0;
		}
		n = count < b->left ? count : b->left;
		b->left = (uint8_t)(b->left - n);
		value = value << n | ((uint32_t)(b->byte >> b->left) & ((1u << n) - 1));
		count -= n;
	}
	return value;
}

bool bits_flag(struct bits *b)
{
	return bits_u(b, 1) != 0;
}

void bits_skip(struct bits *b, size_t count)
{
	while (count > 0 && !b->failed) {
		unsigned n = count < 32 ? (unsigned)count : 32;

		bits_u(b, n);
		count -= n;
	}
}

uint32_t bits_ue(struct bits *b)
{
	unsigned zeros = 0;
	uint64_t value;

	while (!b->failed && !bits_flag(b)) {
		if (++zeros > 32) {
			b->failed = true;
		}
	}
	if (b->failed) {
		return 0;
	}
	value = ((uint64_t)1 << zeros) - 1 + bits_u(b, zeros);
	if (value > UINT32_MAX) {
		b->failed = true;
		return 0;
	}
	return b->failed ? 0 : (uint32_t)value;
}

int32_t bits_se(struct bits *b)
{
	uint32_t code = bits_ue(b);

	return code & 1 ? (int32_t)(code / 2 + (code == UINT32_MAX ? 0 : 1)) : -(int32_t)(code / 2);
}

void bits_skip_vui_look(struct bits *b)
{
	if (bits_flag(b) && bits_u(b, 8) == 255) { /* aspect ratio, written out */
		bits_skip(b, 32);
	}
	if (bits_flag(b)) { /* overscan */
		bits_skip(b, 1);
	}
	if (bits_flag(b)) { /* video signal type */
		bits_skip(b, 4);
		if (bits_flag(b)) {
			bits_skip(b, 24);
		}
	}
	if (bits_flag(b)) { /* chroma location */
		bits_ue(b);
		bits_ue(b);
	}
}

bool bits_has(const struct bits *b, size_t count)
{
	return !b->failed && count <= (size_t)(b->end - b->at) * 8 + b->left;
}
