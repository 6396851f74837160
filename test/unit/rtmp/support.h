/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shared by the RTMP tests: a peer that writes bytes by hand, and a digest of what came out. */
#ifndef UNDERSTUDY_TEST_RTMP_SUPPORT_H
#define UNDERSTUDY_TEST_RTMP_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <understudy/buffer.h>
#include <understudy/bytes.h>
#include <understudy/rtmp.h>

#define T0 INT64_C(1000000000)
#define MS INT64_C(1000)
#define SECOND INT64_C(1000000)
#define HANDSHAKE_SIZE 1536

/* ---- bytes by hand ---- */

#define BYTES(buffer, ...)                                  \
	put_bytes(buffer, (const uint8_t[]){ __VA_ARGS__ }, \
		  sizeof((const uint8_t[]){ __VA_ARGS__ }))

static inline void put_bytes(struct buffer *b, const void *bytes, size_t n)
{
	assert_int_equal(buffer_append(b, bytes, n), 0);
}

static inline void put_fill(struct buffer *b, uint8_t value, size_t n)
{
	uint8_t *to = buffer_reserve(b, n);

	assert_non_null(to);
	memset(to, value, n);
	buffer_grew(b, n);
}

static inline struct buffer new_stream(void)
{
	struct buffer b;

	buffer_init(&b, 64u << 20);
	return b;
}

/* fmt 0 header, extended where it has to be */
static inline void put_head(struct buffer *b, uint8_t csid, uint32_t timestamp, uint32_t size,
			    uint8_t type, uint32_t stream)
{
	uint8_t head[16] = { csid };

	put_be24(head + 1, timestamp < 0xFFFFFF ? timestamp : 0xFFFFFF);
	put_be24(head + 4, size);
	head[7] = type;
	put_le32(head + 8, stream);
	put_be32(head + 12, timestamp);
	put_bytes(b, head, timestamp < 0xFFFFFF ? 12 : 16);
}

/* A whole message in chunks of `chunk` bytes. */
static inline void put_message(struct buffer *b, uint8_t csid, uint32_t timestamp, uint8_t type,
			       uint32_t stream, const void *body, size_t size, size_t chunk)
{
	const uint8_t *p = body;

	put_head(b, csid, timestamp, (uint32_t)size, type, stream);
	for (size_t done = 0; done < size; done += chunk) {
		if (done > 0) {
			uint8_t again[5] = { (uint8_t)(0xC0 | csid) };

			put_be32(again + 1, timestamp);
			put_bytes(b, again, timestamp < 0xFFFFFF ? 1 : 5);
		}
		put_bytes(b, p + done, size - done < chunk ? size - done : chunk);
	}
}

static inline void put_control(struct buffer *b, uint8_t type, uint32_t value)
{
	uint8_t body[4];

	put_be32(body, value);
	put_message(b, 2, 0, type, 0, body, 4, 128);
}

static inline void put_client_handshake(struct buffer *b)
{
	BYTES(b, 3);
	put_fill(b, 0, 8);
	put_fill(b, 0x5A, HANDSHAKE_SIZE - 8);
	put_fill(b, 0xC2, HANDSHAKE_SIZE); /* C2 is not compared */
}

/* ---- sessions ---- */

static inline struct rtmp_server *new_server(void)
{
	static const uint8_t random[1528] = { 1, 2, 3 };
	struct rtmp_limits limits;
	struct rtmp_server *s;

	rtmp_limits_default(&limits);
	s = rtmp_server_create(&limits, random, T0);
	assert_non_null(s);
	return s;
}

static inline uint64_t fnv1a(const uint8_t *p, size_t n)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	while (n--) {
		h = (h ^ *p++) * UINT64_C(0x100000001b3);
	}
	return h;
}

/* One line an event: "18 0 308 hash", "publish live key", "unpublish". */
struct digest {
	char *text; /* owned */
	size_t size;
	FILE *to;
	unsigned media;
};

/* Stays where it is: the stream writes into it. */
static inline void digest_init(struct digest *d)
{
	*d = (struct digest){ 0 };
	d->to = open_memstream(&d->text, &d->size);
	assert_non_null(d->to);
}

static inline const char *digest_text(struct digest *d)
{
	fflush(d->to);
	return d->text;
}

static inline void digest_finish(struct digest *d)
{
	fclose(d->to);
	free(d->text);
}

static inline void digest_event(struct digest *d, const struct rtmp_event *e)
{
	switch (e->type) {
	case RTMP_EVENT_MEDIA:
		d->media++;
		fprintf(d->to, "%u %u %zu %016llx\n", e->message, e->timestamp_ms, e->size,
			(unsigned long long)fnv1a(e->body, e->size));
		break;
	case RTMP_EVENT_PUBLISH:
		fprintf(d->to, "publish %s %s\n", e->app, e->stream);
		break;
	case RTMP_EVENT_UNPUBLISH:
		fprintf(d->to, "unpublish\n");
		break;
	default:
		fprintf(d->to, "event %d %s %s\n", e->type, e->code ? e->code : "",
			e->description ? e->description : "");
	}
}

/* How a stream is cut before it is fed: 0 whole, 1 single bytes, else pseudo-random pieces. */
static inline size_t piece(unsigned *seed, size_t left)
{
	size_t n = left;

	if (*seed == 1) {
		n = 1;
	} else if (*seed > 1) {
		*seed = *seed * 1103515245u + 12345u;
		*seed |= 2;
		n = 1 + (*seed >> 16) % ((*seed >> 8) % 3 ? 40 : 6000);
	}
	return n < left ? n : left;
}

/* Feeds everything, allowing any publish; RTMP_OK or the error that ended the session. */
static inline int feed_server(struct rtmp_server *s, const uint8_t *bytes, size_t n, unsigned seed,
			      int64_t now_us, struct digest *d)
{
	struct rtmp_event e;

	while (n > 0) {
		size_t cut = piece(&seed, n);

		for (size_t at = 0; at < cut;) {
			ssize_t used = rtmp_server_feed(s, bytes + at, cut - at, now_us);
			bool has_event = false;

			if (used < 0) {
				return (int)used;
			}
			at += (size_t)used;
			while (rtmp_server_next(s, &e)) {
				has_event = true;
				if (d) {
					digest_event(d, &e);
				}
				if (e.type == RTMP_EVENT_PUBLISH) {
					rtmp_server_answer(s, true, NULL);
				}
			}
			assert_true(used > 0 || has_event);
		}
		bytes += cut;
		n -= cut;
	}
	return RTMP_OK;
}

static inline int feed_stream(struct rtmp_server *s, const struct buffer *b, struct digest *d)
{
	return feed_server(s, buffer_bytes(b), buffer_size(b), 0, T0, d);
}

static inline void drop_output(struct rtmp_server *s)
{
	const uint8_t *p;

	rtmp_server_sent(s, rtmp_server_output(s, &p));
}

/* Is `text` somewhere in the bytes to be sent? */
static inline bool output_has(struct rtmp_server *s, const char *text)
{
	const uint8_t *p;
	size_t n = rtmp_server_output(s, &p);

	return n > 0 && memmem(p, n, text, strlen(text)) != NULL;
}

#endif
