/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The server session on any bytes. The first byte says how the stream is cut, the second what
 * comes before it; the rest is fed whole to one session and cut to another. Both must come to
 * the same events and the same end, and never hold more memory than the limits allow.
 */
#include <stdlib.h>
#include <string.h>

#include "../../../src/rtmp/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BEGIN_RAW = 1, BEGIN_LIVE = 2, REFUSE = 4 };

#define NOW INT64_C(1000000)

/* connect({app:"a"}), publish("k") */
static const uint8_t to_publish[] = {
	3,   0,   0,   0,    0,    0,   32, 20,   0, 0, 0,  0,  2, 0, 7,   'c', 'o', 'n', 'n', 'e',
	'c', 't', 0,   0x3F, 0xF0, 0,   0,  0,    0, 0, 0,  3,  0, 3, 'a', 'p', 'p', 2,   0,   1,
	'a', 0,   0,   9,    3,    0,   0,  0,    0, 0, 24, 20, 1, 0, 0,   0,   2,   0,   7,   'p',
	'u', 'b', 'l', 'i',  's',  'h', 0,  0x40, 0, 0, 0,  0,  0, 0, 0,   5,   2,   0,   1,   'k',
};

static void check(bool condition)
{
	if (!condition) {
		abort();
	}
}

struct run {
	struct rtmp_server *s;
	uint64_t hash; /* of all events */
	bool refuses;
	int end;
};

static void hash_bytes(struct run *r, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	while (n--) {
		r->hash = (r->hash ^ *p++) * UINT64_C(0x100000001b3);
	}
}

static void check_memory(const struct rtmp_server *s)
{
	const struct chunk_reader *in = &s->wire.in;
	size_t bodies = 0;

	for (uint32_t i = 0; i < s->wire.limits.chunk_streams; i++) {
		const struct chunk_stream *cs = &in->streams[i];

		check(cs->filled <= cs->length);
		check(!cs->is_partial || cs->filled <= cs->capacity);
		bodies += cs->capacity;
	}
	check(bodies == in->body_bytes);
	check(bodies <= s->wire.limits.partial_bytes);
	check(bodies <= s->wire.limits.chunk_streams * 4096 + 2 * s->wire.received);
	check(buffer_size(&s->wire.out) <= 64 * 1024);
}

static void take_event(struct run *r, const struct rtmp_event *e)
{
	uint32_t head[4] = { e->type, e->message, e->timestamp_ms, (uint32_t)e->size };

	hash_bytes(r, head, sizeof(head));
	hash_bytes(r, e->body, e->size);
	if (e->type == RTMP_EVENT_PUBLISH) {
		hash_bytes(r, e->app, strlen(e->app));
		hash_bytes(r, e->stream, strlen(e->stream));
		rtmp_server_answer(r->s, !r->refuses, NULL);
	}
}

/* False once the session has ended. */
static bool feed(struct run *r, const uint8_t *bytes, size_t n)
{
	struct rtmp_event e;

	while (n > 0) {
		ssize_t used = rtmp_server_feed(r->s, bytes, n, NOW);
		bool has_event = false;

		check_memory(r->s);
		if (used < 0) {
			r->end = (int)used;
			return false;
		}
		check((size_t)used <= n);
		bytes += used;
		n -= (size_t)used;
		while (rtmp_server_next(r->s, &e)) {
			has_event = true;
			take_event(r, &e);
		}
		check(used > 0 || has_event);
	}
	return true;
}

static void begin(struct run *r, uint8_t flags)
{
	static const uint8_t random[1528];
	static const uint8_t hello[1 + 2 * 1536] = { 3 };
	struct rtmp_limits limits;

	rtmp_limits_default(&limits);
	r->refuses = flags & REFUSE;
	r->s = rtmp_server_create(&limits, random, 0);
	check(r->s != NULL);
	if (!(flags & BEGIN_RAW)) {
		check(feed(r, hello, sizeof(hello)));
	}
	if ((flags & (BEGIN_RAW | BEGIN_LIVE | REFUSE)) == BEGIN_LIVE) {
		check(feed(r, to_publish, sizeof(to_publish)));
		check(r->s->state == SERVER_LIVE);
	}
}

static void feed_cut(struct run *r, const uint8_t *bytes, size_t n, uint32_t seed)
{
	size_t cut;

	do {
		seed = seed * 1103515245u + 12345u;
		cut = 1 + (seed >> 16) % ((seed >> 8) % 2 ? 5 : 300);
		cut = cut < n ? cut : n;
		if (!feed(r, bytes, cut)) {
			return;
		}
		bytes += cut;
		n -= cut;
	} while (n > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run whole = { 0 }, cut = { 0 };

	if (size < 2) {
		return 0;
	}
	begin(&whole, data[1]);
	begin(&cut, data[1]);
	feed(&whole, data + 2, size - 2);
	feed_cut(&cut, data + 2, size - 2, data[0]);
	check(whole.hash == cut.hash);
	check(whole.end == cut.end);
	rtmp_server_destroy(&whole.s);
	rtmp_server_destroy(&cut.s);
	return 0;
}
