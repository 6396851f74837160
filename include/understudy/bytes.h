/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Big-endian fields and a bounded reader.
 *
 * Every parser of foreign bytes goes through `struct reader`: a read past the
 * end returns zero, sets `failed` and never moves the cursor beyond `end`, so a
 * parser may read a whole structure and test `failed` once.
 */
#ifndef UNDERSTUDY_BYTES_H
#define UNDERSTUDY_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline uint16_t get_be16(const uint8_t *p)
{
	return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

static inline uint32_t get_be24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static inline uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | get_be24(p + 1);
}

static inline uint64_t get_be64(const uint8_t *p)
{
	return (uint64_t)get_be32(p) << 32 | get_be32(p + 4);
}

static inline uint32_t get_le32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static inline void put_be16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put_be24(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 16);
	put_be16(p + 1, v);
}

static inline void put_be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	put_be24(p + 1, v);
}

static inline void put_be64(uint8_t *p, uint64_t v)
{
	put_be32(p, (uint32_t)(v >> 32));
	put_be32(p + 4, (uint32_t)v);
}

static inline void put_le32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
}

/* A cursor over bytes somebody else owns. */
struct reader {
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

static inline struct reader reader_over(const void *data, size_t size)
{
	const uint8_t *p = data;

	return (struct reader){ .at = p, .end = size ? p + size : p };
}

static inline size_t reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->at);
}

/* Returns `size` bytes and moves past them, or NULL (and fails) if fewer are left. */
static inline const uint8_t *reader_take(struct reader *r, size_t size)
{
	const uint8_t *p = r->at;

	if (r->failed || reader_left(r) < size) {
		r->failed = true;
		return NULL;
	}
	r->at += size;
	return p;
}

static inline uint8_t reader_u8(struct reader *r)
{
	const uint8_t *p = reader_take(r, 1);

	return p ? p[0] : 0;
}

static inline uint16_t reader_be16(struct reader *r)
{
	const uint8_t *p = reader_take(r, 2);

	return p ? get_be16(p) : 0;
}

static inline uint32_t reader_be24(struct reader *r)
{
	const uint8_t *p = reader_take(r, 3);

	return p ? get_be24(p) : 0;
}

static inline uint32_t reader_be32(struct reader *r)
{
	const uint8_t *p = reader_take(r, 4);

	return p ? get_be32(p) : 0;
}

static inline uint64_t reader_be64(struct reader *r)
{
	const uint8_t *p = reader_take(r, 8);

	return p ? get_be64(p) : 0;
}

#endif
