/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Faults made on purpose where packets come in, for rehearsals. Every ingest; never blocks, and
 * allocates for the picture that stands still only. Ends by itself, by the time of what arrives.
 */
#ifndef RING_SPOIL_H
#define RING_SPOIL_H

#include <understudy/feed.h>

/* What becomes of anything but a header. False: it is lost. If true, *p and *payload may be those
 * of another picture, which lives until the next call. */
bool spoil_packet(struct feed_spoiler *s, struct packet *p, const uint8_t **payload);
void spoil_begin(struct feed_spoiler *s, enum feed_fault fault, int64_t until_us);
void spoil_finish(struct feed_spoiler *s);

#endif
