/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A growable byte buffer with a ceiling. Bytes are appended at the tail and
 * consumed at the head. A zeroed buffer with `max` set is valid and empty.
 */
#ifndef UNDERSTUDY_BUFFER_H
#define UNDERSTUDY_BUFFER_H

#include <stddef.h>
#include <stdint.h>

struct buffer {
	uint8_t *data;   /* owned */
	size_t head;     /* first unconsumed byte */
	size_t tail;     /* one past the last byte */
	size_t capacity;
	size_t max;      /* never grows beyond; 0 means nothing may be stored */
};

void buffer_init(struct buffer *b, size_t max_bytes);
/* Frees the storage; the buffer may be used again. */
void buffer_finish(struct buffer *b);

static inline size_t buffer_size(const struct buffer *b)
{
	return b->tail - b->head;
}

/* NULL only if nothing was ever stored. */
static inline const uint8_t *buffer_bytes(const struct buffer *b)
{
	return b->data ? b->data + b->head : NULL;
}

/* Makes room for `size` more bytes and returns where they go, to be confirmed by
 * buffer_grew(); NULL if `max` would be passed or memory is out (buffer unchanged). */
uint8_t *buffer_reserve(struct buffer *b, size_t size);
void buffer_grew(struct buffer *b, size_t size);
/* Appends; 0, or -ENOBUFS (over max) or -ENOMEM with the buffer unchanged. */
int buffer_append(struct buffer *b, const void *data, size_t size);
/* Drops `size` bytes (at most buffer_size()) from the head. */
void buffer_consume(struct buffer *b, size_t size);
void buffer_clear(struct buffer *b);

#endif
