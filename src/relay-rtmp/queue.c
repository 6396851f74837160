/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A destination's queue (queue.h). Runs in relay-rtmp; no I/O, never blocks. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/follow.h>

#include "queue.h"

#define FIRST_CAPACITY 16

static struct queue_entry *entry_at(const struct queue *q, unsigned i)
{
	return &q->entries[(q->first + i) & (q->capacity - 1)];
}

void queue_finish(struct queue *q)
{
	unsigned i;

	for (i = 0; i < q->count; i++) {
		message_unref(&entry_at(q, i)->message);
	}
	free(q->entries);
	*q = (struct queue){ 0 };
}

static int queue_grow(struct queue *q)
{
	unsigned capacity = q->capacity ? q->capacity * 2 : FIRST_CAPACITY, i;
	struct queue_entry *entries = malloc(capacity * sizeof(*entries));

	if (!entries) {
		return -ENOMEM;
	}
	for (i = 0; i < q->count; i++) {
		entries[i] = *entry_at(q, i);
	}
	free(q->entries);
	q->entries = entries;
	q->capacity = capacity;
	q->first = 0;
	return 0;
}

/* Separators in a body of `size` bytes. */
static uint32_t separator_count(uint32_t size)
{
	return size ? (size - 1) / RTMP_CHUNK_OUT : 0;
}

static void entry_build(struct queue_entry *e, const struct packet *p, int64_t base_90k,
			uint32_t message_stream)
{
	int64_t ms = follow_ms(p->dts_90k, base_90k);
	uint32_t wire_ms = ms > 0 ? (uint32_t)ms : 0; /* wraps as RTMP time does */
	enum flv_message type = FLV_DATA;
	uint8_t flv[FLV_HEAD_MAX];
	size_t flv_bytes, rtmp_bytes;

	flv_bytes = flv_write_head(p, follow_cts_ms(p, base_90k), flv, &type);
	assert(flv_bytes <= FLV_HEAD_MAX);
	rtmp_bytes = rtmp_write_message_head(e->head, (uint8_t)type, wire_ms,
					     (uint32_t)flv_bytes + p->size, message_stream);
	memcpy(e->head + rtmp_bytes, flv, flv_bytes);
	e->head_bytes = (uint8_t)(rtmp_bytes + flv_bytes);
	e->flv_bytes = (uint8_t)flv_bytes;
	e->separator_bytes = (uint8_t)rtmp_write_separator(e->separator, (uint8_t)type, wire_ms);
	e->wire_bytes = e->head_bytes + p->size +
			e->separator_bytes * separator_count((uint32_t)flv_bytes + p->size);
}

int queue_push(struct queue *q, struct message *m, int64_t base_90k, uint32_t message_stream)
{
	struct queue_entry *e;

	if (q->count == q->capacity && queue_grow(q) < 0) {
		return -ENOMEM;
	}
	e = entry_at(q, q->count);
	entry_build(e, &m->packet, base_90k, message_stream);
	e->message = message_ref(m);
	q->count++;
	q->bytes += e->wire_bytes;
	return 0;
}

void gather_put(struct gather *g, const void *bytes, size_t size)
{
	if (!size || g->is_full) {
		return;
	}
	if (g->count == GATHER_IOV) {
		g->is_full = true;
		return;
	}
	g->iov[g->count++] = (struct iovec){ .iov_base = (void *)bytes, .iov_len = size };
	g->bytes += size;
}

/* Puts what lies behind the first *skip bytes. */
static void put_rest(struct gather *g, const uint8_t *bytes, size_t size, size_t *skip)
{
	if (*skip >= size) {
		*skip -= size;
		return;
	}
	gather_put(g, bytes + *skip, size - *skip);
	*skip = 0;
}

static void gather_entry(const struct queue_entry *e, size_t skip, struct gather *g)
{
	const uint8_t *payload = e->message->payload;
	size_t left = e->message->packet.size, chunk = RTMP_CHUNK_OUT - e->flv_bytes;

	put_rest(g, e->head, e->head_bytes, &skip);
	while (left > chunk && !g->is_full) {
		put_rest(g, payload, chunk, &skip);
		put_rest(g, e->separator, e->separator_bytes, &skip);
		payload += chunk;
		left -= chunk;
		chunk = RTMP_CHUNK_OUT;
	}
	put_rest(g, payload, left, &skip);
}

void queue_gather(const struct queue *q, unsigned from, unsigned count, struct gather *g)
{
	unsigned i;

	for (i = from; i < q->count && i - from < count && !g->is_full; i++) {
		gather_entry(entry_at(q, i), i == 0 ? q->sent_bytes : 0, g);
	}
}

static void queue_pop(struct queue *q)
{
	message_unref(&entry_at(q, 0)->message);
	q->first = (q->first + 1) & (q->capacity - 1);
	q->count--;
	q->sent_bytes = 0;
}

void queue_sent(struct queue *q, size_t n)
{
	assert(n <= q->bytes);
	q->bytes -= n;
	while (n) {
		size_t left = entry_at(q, 0)->wire_bytes - q->sent_bytes;

		if (n < left) {
			q->sent_bytes += n;
			return;
		}
		n -= left;
		queue_pop(q);
	}
}

size_t queue_begun_bytes(const struct queue *q)
{
	return q->sent_bytes ? entry_at(q, 0)->wire_bytes - q->sent_bytes : 0;
}

const struct message *queue_at(const struct queue *q, unsigned i)
{
	assert(i < q->count);
	return entry_at(q, i)->message;
}

int64_t queue_span_us(const struct queue *q)
{
	int64_t span;

	if (!q->count) {
		return 0;
	}
	span = queue_at(q, q->count - 1)->packet.arrival_us - queue_at(q, 0)->packet.arrival_us;
	return span > 0 ? span : 0;
}

unsigned queue_filter(struct queue *q, const bool *keep)
{
	unsigned i, kept = 0, dropped;

	for (i = 0; i < q->count; i++) {
		struct queue_entry *e = entry_at(q, i);

		if (keep[i] || (i == 0 && q->sent_bytes)) {
			*entry_at(q, kept++) = *e;
		} else {
			q->bytes -= e->wire_bytes;
			message_unref(&e->message);
		}
	}
	dropped = q->count - kept;
	q->count = kept;
	return dropped;
}

void queue_cut(struct queue *q)
{
	while (q->count > (q->sent_bytes ? 1u : 0u)) {
		struct queue_entry *e = entry_at(q, --q->count);

		q->bytes -= e->wire_bytes;
		message_unref(&e->message);
	}
}
