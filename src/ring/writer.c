/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The ring's only writer: an ingest (feed ring) or the switch (show ring). Waits for nobody and
 * blocks on nothing; the map is its own, wake-up descriptors belong to the caller.
 *
 * The live payloads lie in circular order within [0, capacity) of the data area:
 *
 *       0          head                       capacity         data_bytes
 *       | newer     |xx free xx| older         |   untouched    |
 *                              ^ payload of `oldest`
 *
 * Where a payload does not fit between head and capacity, capacity is extended as long as the
 * ring holds less than span_us of the past; nothing is lost by that, because the new room
 * follows the newest payload. Only then the writer goes back to 0. So memory touched is what
 * the bitrate needs, and no more.
 *
 * Memory order. Overwriting: `oldest` is stored, then a release fence, then bytes change. A
 * reader copies, then an acquire fence, then loads `oldest`: if any copied byte was new, the
 * fences pair and the reader sees `oldest` past its packet. Publishing is a release store of
 * `next`, paired with the reader's acquire load.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xxhash.h>

#include "layout.h"

#define WAKES_MAX 16
#define CAPACITY_START ((uint64_t)1 << 20)
#define CAPACITY_STEP ((uint64_t)256 << 10)
#define NO_WRAP UINT64_MAX
#define NO_CANCEL UINT64_MAX

struct ring_writer {
	struct ring_header *header; /* the map, owned */
	struct ring_slot *slots;
	uint8_t *data;
	struct ring_geometry geometry;
	int64_t span_us;
	uint64_t capacity; /* logical size of the data area, <= geometry.data_bytes */
	uint64_t head;     /* where the next payload goes */
	uint64_t oldest, next, published; /* packet numbers; published <= next */
	uint64_t cancel_head;             /* head before the last ring_reserve(), or NO_CANCEL */
	uint64_t checkpoints;             /* written so far */
	unsigned wake_count;
	int wakes[WAKES_MAX];
};

int ring_writer_open(int fd, int64_t span_us, struct ring_writer **ret)
{
	struct ring_writer *w = calloc(1, sizeof *w);
	void *map;
	int error;

	if (w == NULL) {
		return -ENOMEM;
	}
	error = ring_map_file(fd, PROT_READ | PROT_WRITE, &w->geometry, &map);
	if (error < 0) {
		free(w);
		return error;
	}
	w->header = map;
	w->slots = (struct ring_slot *)(void *)((uint8_t *)map + RING_HEADER_BYTES);
	w->data = (uint8_t *)map + w->geometry.data_offset;
	w->span_us = span_us;
	w->cancel_head = NO_CANCEL;
	w->capacity = CAPACITY_START;
	if (w->capacity > w->geometry.data_bytes) {
		w->capacity = w->geometry.data_bytes;
	}
	if (fcntl(fd, F_ADD_SEALS, RING_SEALS) < 0) {
		error = -errno;
		ring_writer_close(&w);
		return error;
	}
	*ret = w;
	return 0;
}

void ring_writer_close(struct ring_writer **w)
{
	if (*w != NULL) {
		munmap((*w)->header, (*w)->geometry.bytes);
		free(*w);
		*w = NULL;
	}
}

void ring_writer_set_span(struct ring_writer *w, int64_t span_us)
{
	w->span_us = span_us;
}

int ring_writer_add_wake(struct ring_writer *w, int eventfd)
{
	if (w->wake_count == WAKES_MAX) {
		return -ENOSPC;
	}
	w->wakes[w->wake_count++] = eventfd;
	return 0;
}

void ring_writer_remove_wake(struct ring_writer *w, int eventfd)
{
	for (unsigned i = 0; i < w->wake_count; i++) {
		if (w->wakes[i] == eventfd) {
			w->wakes[i] = w->wakes[--w->wake_count];
			return;
		}
	}
}

static struct ring_slot *writer_slot(const struct ring_writer *w, uint64_t number)
{
	return &w->slots[number & (w->geometry.slots - 1)];
}

/* One field of a slot of ours. */
static uint64_t writer_word(const struct ring_writer *w, uint64_t number, size_t byte)
{
	return atomic_load_explicit(&writer_slot(w, number)->words[byte / sizeof(uint64_t)],
				    memory_order_relaxed);
}

static uint64_t writer_offset(const struct ring_writer *w, uint64_t number)
{
	return writer_word(w, number, offsetof(struct ring_entry, offset));
}

static void writer_set_entry(struct ring_writer *w, const struct ring_entry *entry)
{
	struct ring_slot *slot = writer_slot(w, entry->number);
	uint64_t words[RING_SLOT_WORDS];

	memcpy(words, entry, sizeof words);
	for (size_t i = 0; i < RING_SLOT_WORDS; i++) {
		atomic_store_explicit(&slot->words[i], words[i], memory_order_relaxed);
	}
}

/* Gives up the oldest packets until nobody needs the payload bytes [from, to), nor those from
 * `wrap_from` on, nor the slot of the packet to come. Their circular order makes it enough to
 * look at the oldest one each time. */
static void writer_evict(struct ring_writer *w, uint64_t from, uint64_t to, uint64_t wrap_from)
{
	uint64_t oldest = w->oldest;

	while (oldest < w->next) {
		uint64_t offset = writer_offset(w, oldest);

		if (w->next - oldest < w->geometry.slots && offset < wrap_from &&
		    (offset < from || offset >= to)) {
			break;
		}
		if (offset < wrap_from) {
			/* The order goes on at 0: everything behind is newer. */
			wrap_from = NO_WRAP;
		}
		oldest++;
	}
	if (oldest != w->oldest) {
		w->oldest = oldest;
		atomic_store_explicit(&w->header->oldest, oldest, memory_order_relaxed);
		atomic_thread_fence(memory_order_release);
	}
}

/* How much of the past the ring holds, seen from `arrival_us`. */
static int64_t writer_held_us(const struct ring_writer *w, int64_t arrival_us)
{
	uint64_t oldest_us;

	if (w->oldest == w->next) {
		return 0;
	}
	oldest_us = writer_word(w, w->oldest, offsetof(struct ring_entry, packet.arrival_us));
	return (int64_t)((uint64_t)arrival_us - oldest_us);
}

/* Called where `size` bytes do not fit behind head: more room if the ring shall hold more. */
static void writer_extend(struct ring_writer *w, uint64_t size, int64_t arrival_us)
{
	bool has_slots = w->next - w->oldest < w->geometry.slots;
	uint64_t capacity = w->capacity + CAPACITY_STEP;

	if (size <= w->capacity && (!has_slots || writer_held_us(w, arrival_us) >= w->span_us)) {
		return;
	}
	if (capacity < w->head + size) {
		capacity = w->head + size;
	}
	w->capacity = capacity < w->geometry.data_bytes ? capacity : w->geometry.data_bytes;
}

/* Finds the place for a payload of `size` (aligned) bytes and clears it. */
static uint64_t writer_place(struct ring_writer *w, uint64_t size, int64_t arrival_us)
{
	if (w->head + size > w->capacity) {
		writer_extend(w, size, arrival_us);
	}
	if (w->head + size > w->capacity) {
		writer_evict(w, 0, size, w->head);
		return 0;
	}
	writer_evict(w, w->head, w->head + size, NO_WRAP);
	return w->head;
}

int ring_reserve(struct ring_writer *w, const struct packet *p, void **ret_place)
{
	uint64_t size = (p->size + RING_ALIGN - 1) / RING_ALIGN * RING_ALIGN;
	struct ring_entry entry = { .packet = *p };

	if (p->size > PACKET_SIZE_MAX || size > w->geometry.data_bytes) {
		return -EMSGSIZE;
	}
	entry.offset = writer_place(w, size, p->arrival_us);
	entry.number = w->next;
	writer_set_entry(w, &entry);
	w->cancel_head = w->head;
	w->head = entry.offset + size;
	w->next++;
	*ret_place = w->data + entry.offset;
	return 0;
}

void ring_cancel(struct ring_writer *w)
{
	assert(w->next > w->published && w->cancel_head != NO_CANCEL);
	w->next--;
	w->head = w->cancel_head;
	w->cancel_head = NO_CANCEL;
}

int ring_write(struct ring_writer *w, const struct packet *p, const struct iovec *payload,
	       int payload_count, uint64_t *ret_seq)
{
	uint64_t number = w->next;
	size_t total = 0;
	void *place;
	uint8_t *to;
	int error;

	for (int i = 0; i < payload_count; i++) {
		total += payload[i].iov_len;
	}
	if (total != p->size) {
		return -EINVAL;
	}
	error = ring_reserve(w, p, &place);
	if (error < 0) {
		return error;
	}
	to = place;
	for (int i = 0; i < payload_count; i++) {
		if (payload[i].iov_len > 0) {
			memcpy(to, payload[i].iov_base, payload[i].iov_len);
			to += payload[i].iov_len;
		}
	}
	if (ret_seq != NULL) {
		*ret_seq = number;
	}
	return 0;
}

void ring_publish(struct ring_writer *w)
{
	const uint64_t one = 1;

	if (w->published == w->next) {
		return;
	}
	w->published = w->next;
	w->cancel_head = NO_CANCEL;
	atomic_store_explicit(&w->header->next, w->next, memory_order_release);
	for (unsigned i = 0; i < w->wake_count; i++) {
		/* A full counter means the reader was woken already; a broken one is its loss. */
		ssize_t done = write(w->wakes[i], &one, sizeof one);

		(void)done;
	}
}

void ring_checkpoint_write(struct ring_writer *w, const void *checkpoint, size_t size)
{
	uint64_t sequence = w->checkpoints + 1;
	struct ring_checkpoint *copy = &w->header->checkpoints[sequence % 2];

	assert(size <= RING_CHECKPOINT_MAX);
	atomic_store_explicit(&copy->sequence, 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	memcpy(copy->bytes, checkpoint, size);
	copy->size = size;
	copy->checksum = XXH3_64bits_withSeed(checkpoint, size, sequence);
	atomic_store_explicit(&copy->sequence, sequence, memory_order_release);
	w->checkpoints = sequence;
}
