/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The shared ring: one writer, any number of read-only readers in other processes,
 * overwrite-oldest, no locks. The writer never waits for anyone.
 *
 *   memfd   +--------+---------------------------+----------------------------------+
 *           | header | slots: packet + offset,   | data: payloads, each contiguous, |
 *           | 8 KiB  | number n at n % slots     | logical capacity grows with need |
 *           +--------+---------------------------+----------------------------------+
 *   header: magic, version, geometry, `oldest` and `next` (packet numbers) and, in a
 *   show ring, a two-copy checkpoint.
 *
 * Packets are numbered from 0. A reader may read n while oldest <= n < next. Before
 * the writer reuses a slot or payload bytes it moves `oldest` past them (release);
 * a reader copies and then looks at `oldest` again (acquire): if n fell behind, the
 * copy is thrown away and the result is "lapped", which is normal.
 *
 * Trust: a writer may be compromised. Readers map read-only, take the geometry from
 * the file's size, clamp every offset and size, and validate the copied packet
 * (packet_is_sane()). From a hostile ring anything may come, but only sane headers and
 * bytes of the ring; ring_next() may even go backwards: bound every loop by your own count.
 */
#ifndef UNDERSTUDY_RING_H
#define UNDERSTUDY_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <understudy/packet.h>

#define RING_BYTES_DEFAULT ((size_t)64 << 20)
#define RING_BYTES_MIN ((size_t)1 << 20)
#define RING_CHECKPOINT_MAX 3584 /* bytes of one checkpoint copy */

struct ring_writer;
struct ring_reader;

/* Supervisor: a memfd of `bytes` (>= RING_BYTES_MIN, rounded up to whole pages) with the header's
 * geometry filled in, close-on-exec. It has 1024..16384 slots, one for every 8 KiB.
 * Untouched pages cost nothing. Returns the descriptor or a negative errno. */
int ring_create(const char *name, size_t bytes);
/* Supervisor: 0 if the writer sealed the ring as it must (SHRINK GROW FUTURE_WRITE SEAL)
 * and the size is `bytes`; -EPERM otherwise. Only then may readers get it. */
int ring_check(int fd, size_t bytes);

/* Writer: maps the ring writable, then seals it so that nobody maps it writable again.
 * `span_us`: how much of the recent past the logical capacity shall hold (arrival time);
 * capacity (at least 1 MiB) grows to the real rate times span, up to the whole ring, and never
 * shrinks. Exact, without a margin: add what you need. Takes no ownership of fd (may be closed
 * afterwards). -EPERM if it has had a writer already, -EPROTO if it is no ring. */
int ring_writer_open(int fd, int64_t span_us, struct ring_writer **ret);
void ring_writer_close(struct ring_writer **w);
/* Another span from now on. What was overwritten does not come back, of course. */
void ring_writer_set_span(struct ring_writer *w, int64_t span_us);
/* A reader to be woken by ring_publish(); the descriptor is an eventfd, not owned;
 * at most 16 (-ENOSPC). Writer calls write(2) on it once per publish and ignores errors. */
int ring_writer_add_wake(struct ring_writer *w, int eventfd);
void ring_writer_remove_wake(struct ring_writer *w, int eventfd);
/* Copies the packet and its payload (gathered; total must equal p->size) into the ring.
 * Invisible to readers until ring_publish(). -EMSGSIZE if it can never fit, -EINVAL if the
 * sizes disagree. On success ret_seq (may be NULL) is its number. */
int ring_write(struct ring_writer *w, const struct packet *p, const struct iovec *payload,
	       int payload_count, uint64_t *ret_seq);
/* As ring_write(), but gives the place for `p->size` payload bytes to be filled before
 * the next call on the writer; for copying straight from another ring. */
int ring_reserve(struct ring_writer *w, const struct packet *p, void **ret_place);
/* Takes back the last ring_reserve(), unpublished, once (its payload turned out to be stale).
 * Its number will be that of the next packet. */
void ring_cancel(struct ring_writer *w);
/* Makes everything written so far visible and wakes the readers, once per batch. */
void ring_publish(struct ring_writer *w);
/* Stores a checkpoint (size <= RING_CHECKPOINT_MAX) so that a reader always finds one
 * whole copy, even if the writer is killed half-way. */
void ring_checkpoint_write(struct ring_writer *w, const void *checkpoint, size_t size);

/* Reader: -EPERM if the writer has not sealed it, -EPROTO if header and size disagree. */
int ring_reader_open(int fd, struct ring_reader **ret);
void ring_reader_close(struct ring_reader **r);
uint64_t ring_oldest(const struct ring_reader *r); /* clamped to [.., next] */
uint64_t ring_next(const struct ring_reader *r);   /* number of the packet to come */
/* Copies header `seq`. 0; -EAGAIN not written yet; -ESTALE lapped; -EBADMSG insane header. */
int ring_peek(struct ring_reader *r, uint64_t seq, struct packet *ret);
/* Copies header and payload; `to` has room for `room` bytes (-ENOBUFS if too small). Else as
 * above. */
int ring_read(struct ring_reader *r, uint64_t seq, struct packet *ret, void *to, size_t room);
/* A pointer to the payload in the map, valid only until the writer laps it: after use the
 * caller must ask ring_is_valid(seq) and drop what it derived if false. Contents may change
 * while being read: derive, copy, check; never trust two reads to agree. */
int ring_map(struct ring_reader *r, uint64_t seq, struct packet *ret, const uint8_t **ret_payload);
/* True if all that was read of packet `seq` before this call was whole. */
bool ring_is_valid(const struct ring_reader *r, uint64_t seq);
/* Newest whole checkpoint: its size, 0 if there is none, -EBADMSG if all are damaged, -ENOBUFS if
 * it is larger than `room`. What it says is the writer's word: check it. */
int ring_checkpoint_read(struct ring_reader *r, void *to, size_t room);

#endif
