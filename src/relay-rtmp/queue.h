/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What one destination has yet to send: references to shared messages, each with the few bytes
 * of its own that go before and between the chunks of the payload:
 *
 *     head (RTMP message header, FLV head) | payload up to chunk border | separator | payload ...
 *
 * Only whole messages are ever dropped, never one that has been begun. Pure: no I/O, no clock.
 */
#ifndef RELAY_QUEUE_H
#define RELAY_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <understudy/flv.h>
#include <understudy/rtmp.h>

#include "message.h"

struct queue_entry {
	struct message *message; /* one reference */
	uint32_t wire_bytes;     /* all of it, head and separators included */
	uint8_t head_bytes;      /* RTMP header and FLV head */
	uint8_t flv_bytes;       /* the FLV head alone: it counts into the first chunk */
	uint8_t separator_bytes;
	uint8_t separator[RTMP_SEPARATOR_MAX];
	uint8_t head[RTMP_MESSAGE_HEAD_MAX + FLV_HEAD_MAX];
};

struct queue {
	struct queue_entry *entries; /* ring of `capacity`, a power of two or 0 */
	unsigned first, count, capacity;
	size_t sent_bytes; /* of the first entry: it has been begun if not 0 */
	size_t bytes;      /* on the wire, not yet sent */
};

/* A zeroed queue is valid and empty. */
void queue_finish(struct queue *q);

/* Appends the message (a new reference is taken) as it goes out in a session whose time 0 is
 * `base_90k` and whose message stream is `message_stream`. 0; -ENOMEM (queue unchanged). */
int queue_push(struct queue *q, struct message *m, int64_t base_90k, uint32_t message_stream);

/* What goes into one write, in order. */
#define GATHER_IOV 512
struct gather {
	struct iovec iov[GATHER_IOV];
	int count;
	size_t bytes;
	bool is_full; /* something did not fit: nothing may be put behind it */
};
void gather_put(struct gather *g, const void *bytes, size_t size);
/* Adds up to `count` messages from the `from`-th on (0: the one that may have been begun). */
void queue_gather(const struct queue *q, unsigned from, unsigned count, struct gather *g);
/* `n` bytes of the messages gathered from 0 on have left. */
void queue_sent(struct queue *q, size_t n);
/* Bytes still to go of a message that has been begun; 0 at a message border. */
size_t queue_begun_bytes(const struct queue *q);

/* The `i`-th message, i < count. */
const struct message *queue_at(const struct queue *q, unsigned i);
/* How long the oldest message had been waiting when the newest one was published. Not media
 * time: that jumps where the show was off air. */
int64_t queue_span_us(const struct queue *q);
/* Drops every message for which keep[i] is false, except one that has been begun; `keep` has
 * `count` elements. Returns how many were dropped. */
unsigned queue_filter(struct queue *q, const bool *keep);
/* Drops everything but a message that has been begun. */
void queue_cut(struct queue *q);

#endif
