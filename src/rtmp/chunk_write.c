/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Messages to chunks. Pure. Every message starts with fmt 0 and goes on with fmt 3: receivers
 * disagree on what fmt 3 means at the start of a message and on the base of deltas, never on
 * this.
 */
#include <errno.h>
#include <string.h>

#include "chunk.h"

#define EXTENDED 0xFFFFFFu

#define HEAD_BYTES (1 + 11)
#define FORMAT_CONTINUE 0xC0

static size_t write_head(uint8_t *to, uint32_t csid, const struct message *m)
{
	bool has_extended = m->timestamp_ms >= EXTENDED;

	to[0] = (uint8_t)csid; /* fmt 0 */
	put_be24(to + 1, has_extended ? EXTENDED : m->timestamp_ms);
	put_be24(to + 4, (uint32_t)m->size);
	to[7] = m->type;
	put_le32(to + 8, m->stream);
	if (!has_extended) {
		return HEAD_BYTES;
	}
	put_be32(to + HEAD_BYTES, m->timestamp_ms);
	return HEAD_BYTES + 4;
}

static size_t write_separator(uint8_t *to, uint32_t csid, uint32_t timestamp_ms)
{
	to[0] = (uint8_t)(FORMAT_CONTINUE | csid);
	if (timestamp_ms < EXTENDED) {
		return 1;
	}
	put_be32(to + 1, timestamp_ms);
	return 5;
}

static uint32_t media_csid(uint8_t message)
{
	return message == MESSAGE_VIDEO ? CSID_VIDEO : CSID_AUDIO;
}

size_t rtmp_write_message_head(uint8_t ret[RTMP_MESSAGE_HEAD_MAX], uint8_t message,
			       uint32_t timestamp_ms, uint32_t size, uint32_t message_stream)
{
	const struct message m = {
		.type = message,
		.timestamp_ms = timestamp_ms,
		.stream = message_stream,
		.size = size,
	};

	return write_head(ret, media_csid(message), &m);
}

size_t rtmp_write_separator(uint8_t ret[RTMP_SEPARATOR_MAX], uint8_t message, uint32_t timestamp_ms)
{
	return write_separator(ret, media_csid(message), timestamp_ms);
}

int chunk_write(struct buffer *out, uint32_t csid, const struct message *m, uint32_t chunk_size)
{
	size_t chunks = m->size ? (m->size + chunk_size - 1) / chunk_size : 1;
	uint8_t *start = buffer_reserve(out, RTMP_MESSAGE_HEAD_MAX + m->size +
						     (chunks - 1) * RTMP_SEPARATOR_MAX);
	uint8_t *to = start;
	size_t n;

	if (!start) {
		return -ENOBUFS;
	}
	to += write_head(to, csid, m);
	for (size_t done = 0; done < m->size; done += n) {
		if (done > 0) {
			to += write_separator(to, csid, m->timestamp_ms);
		}
		n = m->size - done < chunk_size ? m->size - done : chunk_size;
		memcpy(to, m->body + done, n);
		to += n;
	}
	buffer_grew(out, (size_t)(to - start));
	return 0;
}
