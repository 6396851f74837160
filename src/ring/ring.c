/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Making, checking and mapping rings. ring_create() and ring_check() run in the supervisor,
 * ring_map_file() in every process that opens a ring. Blocks on nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layout.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

#define RING_SLOTS_MIN 1024
#define RING_SLOTS_MAX 16384
#define RING_BYTES_PER_SLOT 8192
#define RING_BYTES_LIMIT ((uint64_t)1 << 40)

static uint64_t round_up(uint64_t value, uint64_t step)
{
	return (value + step - 1) / step * step;
}

int ring_geometry_of(uint64_t bytes, struct ring_geometry *ret)
{
	uint64_t slots = RING_SLOTS_MIN;
	uint64_t offset;

	if (bytes < RING_BYTES_MIN || bytes > RING_BYTES_LIMIT || bytes % RING_PAGE != 0) {
		return -EINVAL;
	}
	while (slots < RING_SLOTS_MAX && slots * 2 * RING_BYTES_PER_SLOT <= bytes) {
		slots *= 2;
	}
	offset = round_up(RING_HEADER_BYTES + slots * sizeof(struct ring_slot), RING_PAGE);
	*ret = (struct ring_geometry){
		.bytes = bytes,
		.slots = slots,
		.data_offset = offset,
		.data_bytes = bytes - offset,
	};
	return 0;
}

static int ring_write_header(int fd, const struct ring_geometry *geometry)
{
	/* The rest of the header is zero, as the fresh file is. */
	const struct {
		uint32_t magic, version;
		struct ring_geometry geometry;
	} head = { RING_MAGIC, RING_VERSION, *geometry };
	ssize_t done;

	static_assert(offsetof(struct ring_header, geometry) == 8, "the header starts like this");
	if (ftruncate(fd, (off_t)geometry->bytes) < 0) {
		return -errno;
	}
	done = pwrite(fd, &head, sizeof head, 0);
	if (done < 0) {
		return -errno;
	}
	return done == sizeof head ? 0 : -EIO;
}

int ring_create(const char *name, size_t bytes)
{
	struct ring_geometry geometry;
	int fd, error;

	if (bytes > RING_BYTES_LIMIT ||
	    ring_geometry_of(round_up(bytes, RING_PAGE), &geometry) < 0) {
		return -EINVAL;
	}
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL) {
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	}
	if (fd < 0) {
		return -errno;
	}
	error = ring_write_header(fd, &geometry);
	if (error < 0) {
		close(fd);
		return error;
	}
	return fd;
}

static int ring_check_seals(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & RING_SEALS) == RING_SEALS ? 0 : -EPERM;
}

int ring_check(int fd, size_t bytes)
{
	struct stat st;

	if (ring_check_seals(fd) < 0 || fstat(fd, &st) < 0 || st.st_size < 0 ||
	    bytes > RING_BYTES_LIMIT || (uint64_t)st.st_size != round_up(bytes, RING_PAGE)) {
		return -EPERM;
	}
	return 0;
}

int ring_map_file(int fd, int protection, struct ring_geometry *ret_geometry, void **ret_map)
{
	struct ring_geometry geometry;
	const struct ring_header *header;
	struct stat st;
	void *map;

	/* Without these seals the file could shrink under a reader, which would then die. */
	if ((protection & PROT_WRITE) == 0 && ring_check_seals(fd) < 0) {
		return -EPERM;
	}
	if (fstat(fd, &st) < 0) {
		return -errno;
	}
	if (st.st_size < 0 || ring_geometry_of((uint64_t)st.st_size, &geometry) < 0) {
		return -EPROTO;
	}
	map = mmap(NULL, geometry.bytes, protection, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		return -errno;
	}
	header = map;
	if (header->magic != RING_MAGIC || header->version != RING_VERSION ||
	    memcmp(&header->geometry, &geometry, sizeof geometry) != 0) {
		munmap(map, geometry.bytes);
		return -EPROTO;
	}
	*ret_geometry = geometry;
	*ret_map = map;
	return 0;
}
