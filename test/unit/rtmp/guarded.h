/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the guard may say to its player: an oracle of its own, far stricter than RTMP, and apart
 * from the code it judges. Shared by the guard's unit tests and its fuzz target.
 */
#ifndef UNDERSTUDY_TEST_RTMP_GUARDED_H
#define UNDERSTUDY_TEST_RTMP_GUARDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <understudy/amf.h>
#include <understudy/bytes.h>

#define GUARDED_HELLO (1 + 2 * 1536) /* S0 S1 S2 */
#define GUARDED_CHUNK 65536

struct guarded {
	uint32_t chunk_size;    /* 0 = before the first look */
	unsigned messages[256]; /* by type */
	uint32_t last_timestamp;
	size_t last_size;
	uint64_t media_bytes;
};

/* Any values, to the last byte. */
static inline bool guarded_is_amf(const uint8_t *body, size_t size)
{
	struct amf_reader r = amf_reader_over(body, size);

	while (reader_left(&r.in) > 0) {
		if (!amf_skip(&r)) {
			return false;
		}
	}
	return true;
}

static inline const char *guarded_check_body(struct guarded *g, uint8_t type, const uint8_t *body,
					     size_t size)
{
	switch (type) {
	case 1:
		if (size != 4 || g->chunk_size != 128 || get_be32(body) != GUARDED_CHUNK) {
			return "a chunk size that is not ours";
		}
		g->chunk_size = GUARDED_CHUNK;
		return NULL;
	case 3:
		return size == 4 ? NULL : "acknowledgement of another size";
	case 4:
		return size == 6 ? NULL : "user control of another size";
	case 8:
		g->media_bytes += size;
		return size <= 256 * 1024 ? NULL : "too much audio";
	case 9:
		g->media_bytes += size;
		return size <= 8 * 1024 * 1024 ? NULL : "too much video";
	case 18:
		return size <= 64 * 1024 && guarded_is_amf(body, size) ? NULL : "data that is none";
	case 20:
		return size > 0 && size <= 1024 && body[0] == AMF_STRING &&
				       guarded_is_amf(body, size)
			       ? NULL
			       : "a command that is none";
	default:
		return "a message of another type";
	}
}

/* One message, whole and not mixed with others. Its bytes, or 0 and why it must not have been
 * said. `scratch` has room for the largest body. */
static inline size_t guarded_take(struct guarded *g, const uint8_t *p, size_t n, uint8_t *scratch,
				  const char **ret_why)
{
	size_t at = 12, done = 0, size;
	uint32_t timestamp;
	uint8_t csid = n > 0 ? p[0] : 0;

	*ret_why = "not a whole message on a header of its own";
	if (n < at || csid < 2 || csid > 6) { /* fmt 0, a chunk stream of ours */
		return 0;
	}
	timestamp = get_be24(p + 1);
	size = get_be24(p + 4);
	if (get_le32(p + 8) > 1) {
		*ret_why = "another message stream";
		return 0;
	}
	if (timestamp == 0xFFFFFF) {
		if (n < at + 4) {
			return 0;
		}
		timestamp = get_be32(p + at);
		at += 4;
	}
	while (done < size) {
		size_t chunk = size - done < g->chunk_size ? size - done : g->chunk_size;

		if (done > 0) {
			bool is_extended = timestamp >= 0xFFFFFF;

			if (n < at + 1 || p[at] != (0xC0 | csid)) {
				return 0;
			}
			at++;
			if (is_extended && (n < at + 4 || get_be32(p + at) != timestamp)) {
				return 0;
			}
			at += is_extended ? 4 : 0;
		}
		if (n < at + chunk) {
			return 0;
		}
		memcpy(scratch + done, p + at, chunk);
		at += chunk;
		done += chunk;
	}
	*ret_why = guarded_check_body(g, p[7], scratch, size);
	g->messages[p[7]]++;
	g->last_timestamp = timestamp;
	g->last_size = size;
	return *ret_why ? 0 : at;
}

#endif
