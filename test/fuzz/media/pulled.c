/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What pulled URLs bring in frames of their own: the first byte chooses FLV or a datagram of RTP.
 * What is found lies inside what came, and a reader always gets on or stops.
 */
#include <stdlib.h>
#include <string.h>

#include <understudy/flv.h>
#include <understudy/ts.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_so)
{
	if (!is_so) {
		abort();
	}
}

static void flv(const uint8_t *data, size_t size)
{
	int used = flv_read_file_header(data, size);
	size_t at = used > 0 ? (size_t)used : 0;
	struct flv_tag tag;

	require(at <= size);
	while (used > 0 && (used = flv_read_tag(data + at, size - at, &tag)) > 0) {
		require((size_t)used <= size - at && tag.size < (size_t)used);
		require(tag.body >= data + at && tag.body + tag.size <= data + at + used);
		at += (size_t)used;
	}
}

static void rtp(const uint8_t *data, size_t size)
{
	size_t at = 0, found = ts_in_rtp(data, size, &at);

	require(found == 0 || (at >= 12 && at + found <= size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	if (size < 1) {
		return 0;
	}
	copy = malloc(size); /* of exactly this size, so that a sanitizer sees a byte too many */
	require(copy != NULL);
	memcpy(copy, data + 1, size - 1);
	if (data[0] & 1) {
		rtp(copy, size - 1);
	} else {
		flv(copy, size - 1);
	}
	free(copy);
	return 0;
}
