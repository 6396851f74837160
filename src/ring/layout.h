/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The ring's bytes in shared memory, known to writer and reader only.
 *
 *   0        struct ring_header (8 KiB): constant geometry, `oldest`, `next`, checkpoints
 *   8 KiB    slots x struct ring_slot, packet number n at n & (slots - 1)
 *   data     page-aligned, to the end: payloads, each contiguous, 16-byte aligned
 *
 * The geometry follows from the file's size alone; the header's copy of it only proves that
 * both ends are the same build. Everything that changes is a C11 atomic, payload bytes and
 * checkpoint bytes excepted: those are copied and thrown away if they may have changed.
 */
#ifndef UNDERSTUDY_RING_LAYOUT_H
#define UNDERSTUDY_RING_LAYOUT_H

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <understudy/packet.h>
#include <understudy/ring.h>

#define RING_MAGIC 0x474e4952u /* "RING" */
#define RING_VERSION 2u
#define RING_PAGE ((size_t)4096)
#define RING_ALIGN ((size_t)16)
#define RING_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)

static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "the ring needs lock-free 64-bit atomics");

struct ring_geometry {
	uint64_t bytes; /* of the whole file */
	uint64_t slots; /* a power of two */
	uint64_t data_offset;
	uint64_t data_bytes;
};

/* One copy of the checkpoint. `sequence` is 0 while the rest is being written. */
struct ring_checkpoint {
	_Atomic uint64_t sequence;
	uint64_t checksum; /* XXH3 of the bytes, seeded with the sequence */
	uint64_t size;
	uint8_t bytes[RING_CHECKPOINT_MAX];
};

struct ring_header {
	uint32_t magic, version;
	struct ring_geometry geometry;
	alignas(64) _Atomic uint64_t oldest; /* first number whose slot and payload are whole */
	alignas(64) _Atomic uint64_t next;   /* first number not yet published */
	alignas(64) struct ring_checkpoint checkpoints[2];
};

#define RING_HEADER_BYTES ((size_t)8192)
static_assert(sizeof(struct ring_header) <= RING_HEADER_BYTES, "two checkpoints must fit");

/* What a slot says, as a private copy. */
struct ring_entry {
	struct packet packet;
	uint64_t offset; /* of the payload in the data area */
	uint64_t number;
};

#define RING_SLOT_WORDS (sizeof(struct ring_entry) / sizeof(uint64_t))
struct ring_slot {
	_Atomic uint64_t words[RING_SLOT_WORDS];
};
static_assert(sizeof(struct ring_slot) == sizeof(struct ring_entry), "a slot holds an entry");

/* The only source of the geometry: 0, or -EINVAL if no ring has this size. */
int ring_geometry_of(uint64_t bytes, struct ring_geometry *ret);
/* Maps the ring with `protection` and checks header against size: 0, -EPROTO, ... */
int ring_map_file(int fd, int protection, struct ring_geometry *ret_geometry, void **ret_map);

#endif
