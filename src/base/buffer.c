/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The growable byte buffer (buffer.h). Pure: any process, no I/O, never blocks. The buffer
 * owns its storage; pointers into it live until the next call that reserves or appends.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/buffer.h>

#define BUFFER_CAPACITY_MIN 256

void buffer_init(struct buffer *b, size_t max_bytes)
{
	*b = (struct buffer){ .max = max_bytes };
}

void buffer_finish(struct buffer *b)
{
	free(b->data);
	buffer_init(b, b->max);
}

/* Moves what is stored to the front. */
static void buffer_compact(struct buffer *b)
{
	size_t size = buffer_size(b);

	if (b->head == 0) {
		return;
	}
	memmove(b->data, b->data + b->head, size);
	b->head = 0;
	b->tail = size;
}

static int buffer_grow(struct buffer *b, size_t need)
{
	size_t capacity = b->capacity > b->max / 2 ? b->max : b->capacity * 2;
	uint8_t *data;

	if (capacity < BUFFER_CAPACITY_MIN) {
		capacity = BUFFER_CAPACITY_MIN;
	}
	if (capacity > b->max) {
		capacity = b->max;
	}
	if (capacity < need) {
		capacity = need;
	}
	buffer_compact(b);
	data = realloc(b->data, capacity);
	if (data == NULL) {
		return -ENOMEM;
	}
	b->data = data;
	b->capacity = capacity;
	return 0;
}

uint8_t *buffer_reserve(struct buffer *b, size_t size)
{
	size_t stored = buffer_size(b);

	if (stored > b->max || size > b->max - stored || b->max == 0) {
		return NULL;
	}
	if (b->data != NULL && size <= b->capacity - b->tail) {
		return b->data + b->tail;
	}
	/* Moving is cheap if no more is moved than was consumed before; otherwise it is worth it
	 * only where growing is no longer possible. */
	if (b->data != NULL && stored + size <= b->capacity &&
	    (stored <= b->head || b->capacity >= b->max)) {
		buffer_compact(b);
	} else if (buffer_grow(b, stored + size) < 0) {
		return NULL;
	}
	return b->data + b->tail;
}

void buffer_grew(struct buffer *b, size_t size)
{
	assert(size <= b->capacity - b->tail);
	b->tail += size;
}

int buffer_append(struct buffer *b, const void *data, size_t size)
{
	size_t stored = buffer_size(b);
	uint8_t *to;

	if (size == 0) {
		return 0;
	}
	if (stored > b->max || size > b->max - stored) {
		return -ENOBUFS;
	}
	to = buffer_reserve(b, size);
	if (to == NULL) {
		return -ENOMEM;
	}
	memcpy(to, data, size);
	b->tail += size;
	return 0;
}

void buffer_consume(struct buffer *b, size_t size)
{
	assert(size <= buffer_size(b));
	b->head += size;
	if (b->head == b->tail) {
		b->head = b->tail = 0;
	}
}

void buffer_clear(struct buffer *b)
{
	b->head = b->tail = 0;
}
