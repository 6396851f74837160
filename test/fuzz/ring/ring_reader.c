/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A hostile writer: the input patches the ring's shared bytes, geometry included, before it is
 * opened and between the reader's calls. Whatever comes, the reader stays within the map and
 * hands out sane headers only.
 *
 *   input: bytes of the header (16-bit length first), then steps of 12 bytes:
 *          operation, three bytes of place, eight of value
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <understudy/bytes.h>
#include <understudy/ring.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)
#define STEPS_MAX 400
#define HEADER_BYTES 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t room[PACKET_SIZE_MAX];

static void require(bool holds)
{
	if (!holds) {
		abort();
	}
}

/* Reads all over it: a stray pointer does not survive that. */
static void touch(const volatile uint8_t *payload, size_t size)
{
	for (size_t i = 0; i < size; i += 64) {
		(void)payload[i];
	}
	if (size > 0) {
		(void)payload[size - 1];
	}
}

static void read_one(struct ring_reader *r, uint64_t seq, size_t bytes)
{
	const uint8_t *payload;
	struct packet p;

	if (ring_peek(r, seq, &p) == 0) {
		require(packet_is_sane(&p));
	}
	if (ring_read(r, seq, &p, room, bytes) == 0) {
		require(packet_is_sane(&p) && p.size <= bytes);
	}
	if (ring_map(r, seq, &p, &payload) == 0) {
		require(packet_is_sane(&p));
		touch(payload, p.size);
		(void)ring_is_valid(r, seq);
	}
}

static void read_as_the_writer_says(struct ring_reader *r, size_t bytes)
{
	uint64_t seq = ring_oldest(r);

	/* Bounded by our own count: next may be anything. */
	for (int i = 0; i < 8 && seq < ring_next(r); i++, seq++) {
		read_one(r, seq, bytes);
	}
	require(ring_checkpoint_read(r, room, bytes) <= RING_CHECKPOINT_MAX);
}

static void step(uint8_t *map, struct ring_reader *r, const uint8_t *at)
{
	uint32_t place = get_be24(at + 1);
	uint64_t value = get_be64(at + 4);

	switch (at[0] % 5) {
	case 0: /* anywhere */
		memcpy(map + place % (RING_BYTES_MIN - sizeof value), &value, sizeof value);
		break;
	case 1: /* oldest, next, the checkpoints' heads */
		memcpy(map + place % 256 / 8 * 8, &value, sizeof value);
		break;
	case 2: /* a field of one of the first slots */
		memcpy(map + HEADER_BYTES + place % (8 * 80) / 8 * 8, &value, sizeof value);
		break;
	case 3:
		read_one(r, value, place);
		break;
	default:
		read_as_the_writer_says(r, place);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader input = reader_over(data, size);
	struct ring_reader *r = NULL;
	size_t header_bytes = reader_be16(&input) % (HEADER_BYTES + 1);
	const uint8_t *at;
	uint8_t *map;
	int fd = ring_create("fuzz", RING_BYTES_MIN);

	if (fd < 0) {
		return 0;
	}
	map = mmap(NULL, RING_BYTES_MIN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	require(map != MAP_FAILED);
	at = reader_take(&input, header_bytes);
	if (at != NULL) {
		memcpy(map, at, header_bytes);
	}
	require(fcntl(fd, F_ADD_SEALS, SEALS) == 0);
	if (ring_reader_open(fd, &r) == 0) {
		read_as_the_writer_says(r, sizeof room);
		for (int i = 0; i < STEPS_MAX && (at = reader_take(&input, 12)) != NULL; i++) {
			step(map, r, at);
		}
		read_as_the_writer_says(r, sizeof room);
	}
	ring_reader_close(&r);
	munmap(map, RING_BYTES_MIN);
	close(fd);
	return 0;
}
