/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading a ring: the switch (feed rings), relays, witness (show ring). Blocks on nothing and
 * cannot disturb the writer: the map is read-only. The writer may be compromised, so nothing
 * read here is used before it was copied and the copy was checked; the geometry is our own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xxhash.h>

#include "layout.h"

#define CHECKPOINT_TRIES 4

struct ring_reader {
	const struct ring_header *header; /* the map, owned */
	const struct ring_slot *slots;
	const uint8_t *data;
	struct ring_geometry geometry;
};

int ring_reader_open(int fd, struct ring_reader **ret)
{
	struct ring_reader *r = calloc(1, sizeof *r);
	void *map;
	int error;

	if (r == NULL) {
		return -ENOMEM;
	}
	error = ring_map_file(fd, PROT_READ, &r->geometry, &map);
	if (error < 0) {
		free(r);
		return error;
	}
	r->header = map;
	r->slots = (const struct ring_slot *)(void *)((uint8_t *)map + RING_HEADER_BYTES);
	r->data = (const uint8_t *)map + r->geometry.data_offset;
	*ret = r;
	return 0;
}

void ring_reader_close(struct ring_reader **r)
{
	if (*r != NULL) {
		munmap((void *)(uintptr_t)(*r)->header, (*r)->geometry.bytes);
		free(*r);
		*r = NULL;
	}
}

uint64_t ring_next(const struct ring_reader *r)
{
	return atomic_load_explicit(&r->header->next, memory_order_acquire);
}

uint64_t ring_oldest(const struct ring_reader *r)
{
	uint64_t oldest = atomic_load_explicit(&r->header->oldest, memory_order_acquire);
	uint64_t next = ring_next(r);

	if (oldest > next) {
		return next;
	}
	return next - oldest > r->geometry.slots ? next - r->geometry.slots : oldest;
}

bool ring_is_valid(const struct ring_reader *r, uint64_t seq)
{
	atomic_thread_fence(memory_order_acquire);
	return seq >= atomic_load_explicit(&r->header->oldest, memory_order_relaxed);
}

/* A checked copy of the slot of packet `seq`. */
static int reader_entry(const struct ring_reader *r, uint64_t seq, struct ring_entry *ret)
{
	const struct ring_slot *slot = &r->slots[seq & (r->geometry.slots - 1)];
	uint64_t words[RING_SLOT_WORDS];
	struct ring_entry entry;

	if (seq >= ring_next(r)) {
		return -EAGAIN;
	}
	for (size_t i = 0; i < RING_SLOT_WORDS; i++) {
		words[i] = atomic_load_explicit(&slot->words[i], memory_order_relaxed);
	}
	if (!ring_is_valid(r, seq)) {
		return -ESTALE;
	}
	memcpy(&entry, words, sizeof entry);
	if (entry.number != seq || !packet_is_sane(&entry.packet) ||
	    entry.offset > r->geometry.data_bytes ||
	    entry.packet.size > r->geometry.data_bytes - entry.offset) {
		return -EBADMSG;
	}
	*ret = entry;
	return 0;
}

int ring_peek(struct ring_reader *r, uint64_t seq, struct packet *ret)
{
	struct ring_entry entry;
	int error = reader_entry(r, seq, &entry);

	if (error < 0) {
		return error;
	}
	*ret = entry.packet;
	return 0;
}

int ring_map(struct ring_reader *r, uint64_t seq, struct packet *ret, const uint8_t **ret_payload)
{
	struct ring_entry entry;
	int error = reader_entry(r, seq, &entry);

	if (error < 0) {
		return error;
	}
	*ret = entry.packet;
	*ret_payload = r->data + entry.offset;
	return 0;
}

int ring_read(struct ring_reader *r, uint64_t seq, struct packet *ret, void *to, size_t room)
{
	struct ring_entry entry;
	int error = reader_entry(r, seq, &entry);

	if (error < 0) {
		return error;
	}
	if (entry.packet.size > room) {
		return -ENOBUFS;
	}
	if (entry.packet.size > 0) {
		memcpy(to, r->data + entry.offset, entry.packet.size);
	}
	if (!ring_is_valid(r, seq)) {
		return -ESTALE;
	}
	*ret = entry.packet;
	return 0;
}

/* Copies one checkpoint. Its sequence, or 0 if it is none, being written, or not whole. */
static uint64_t reader_checkpoint(const struct ring_checkpoint *from, struct ring_checkpoint *to)
{
	uint64_t sequence = atomic_load_explicit(&from->sequence, memory_order_acquire);

	if (sequence == 0) {
		return 0;
	}
	memcpy(to->bytes, from->bytes, sizeof to->bytes);
	to->size = from->size;
	to->checksum = from->checksum;
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&from->sequence, memory_order_relaxed) != sequence ||
	    to->size > sizeof to->bytes ||
	    to->checksum != XXH3_64bits_withSeed(to->bytes, to->size, sequence)) {
		return 0;
	}
	return sequence;
}

static bool reader_has_checkpoint(const struct ring_reader *r)
{
	const struct ring_checkpoint *copies = r->header->checkpoints;

	return atomic_load_explicit(&copies[0].sequence, memory_order_relaxed) != 0 ||
	       atomic_load_explicit(&copies[1].sequence, memory_order_relaxed) != 0;
}

int ring_checkpoint_read(struct ring_reader *r, void *to, size_t room)
{
	struct ring_checkpoint copies[2];

	/* Both can only be unreadable if the writer came round once more meanwhile. */
	for (int i = 0; i < CHECKPOINT_TRIES; i++) {
		uint64_t first = reader_checkpoint(&r->header->checkpoints[0], &copies[0]);
		uint64_t second = reader_checkpoint(&r->header->checkpoints[1], &copies[1]);
		const struct ring_checkpoint *newest = &copies[first > second ? 0 : 1];

		if (first != 0 || second != 0) {
			if (newest->size > room) {
				return -ENOBUFS;
			}
			memcpy(to, newest->bytes, newest->size);
			return (int)newest->size;
		}
	}
	return reader_has_checkpoint(r) ? -EBADMSG : 0;
}
