/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The headers of one source, by position. switch; pure but for memory.
 *
 * The switch reads a feed long before its packets are due, so the newest headers are not those
 * in force where the show is. A header that changes waits here until the show has come to it.
 * Bounded: where a feed changes headers faster than they are used, the oldest changes are
 * taken as passed.
 */
#ifndef SWITCH_HEADERS_H
#define SWITCH_HEADERS_H

#include <stddef.h>
#include <stdint.h>

#include <understudy/codec.h>

#define HEADER_CHANGES_MAX 256
#define HEADER_CHANGES_BYTES_MAX ((size_t)256 << 10)

struct header_change {
	struct packet packet; /* source_seq is its place in the feed ring */
	uint8_t *payload;     /* owned */
};

struct header_history {
	struct header_set passed;                         /* in force where the show is */
	struct header_set newest;                         /* in force where reading is */
	struct header_change changes[HEADER_CHANGES_MAX]; /* between the two, oldest first */
	unsigned count;
	size_t bytes;
};

void header_history_finish(struct header_history *h);

/* A header packet of the feed, read at p->source_seq, new or repeated. 1 if it is a change, 0 if
 * not, -ENOBUFS or -ENOMEM (left out). */
int header_history_put(struct header_history *h, const struct packet *p, const uint8_t *payload);

/* The headers in force at packet `seq` as far as those of `kind` are concerned; valid until the
 * next call. For each kind, `seq` should not fall. */
const struct header_set *header_history_at(struct header_history *h, enum packet_kind kind,
					   uint64_t seq);

#endif
