/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The client session on whatever a server may answer. The first byte says how the answer is
 * cut, the second whether the handshake is part of it. Whole and cut must come to the same.
 */
#include <stdlib.h>
#include <string.h>

#include "../../../src/rtmp/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1000000)

static void check(bool condition)
{
	if (!condition) {
		abort();
	}
}

struct run {
	struct rtmp_client *c;
	uint64_t hash; /* of all events */
	int end;
};

static void hash_text(struct run *r, const char *text)
{
	while (text && *text) {
		check((unsigned char)*text >= 0x20); /* made safe for a log line */
		r->hash = (r->hash ^ (uint8_t)*text++) * UINT64_C(0x100000001b3);
	}
}

static void take_event(struct run *r, const struct rtmp_event *e)
{
	r->hash = (r->hash ^ e->type) * UINT64_C(0x100000001b3);
	hash_text(r, e->code);
	hash_text(r, e->description);
}

/* False once the session has ended. */
static bool feed(struct run *r, const uint8_t *bytes, size_t n)
{
	struct rtmp_event e;

	while (n > 0) {
		ssize_t used = rtmp_client_feed(r->c, bytes, n, NOW);
		bool has_event = false;

		check(r->c->wire.in.body_bytes <= r->c->wire.limits.partial_bytes);
		check(buffer_size(&r->c->wire.out) <= 64 * 1024);
		if (used < 0) {
			r->end = (int)used;
			return false;
		}
		check((size_t)used <= n);
		bytes += used;
		n -= (size_t)used;
		while (rtmp_client_next(r->c, &e)) {
			has_event = true;
			take_event(r, &e);
		}
		check(used > 0 || has_event);
	}
	return true;
}

static void begin(struct run *r, bool has_handshake)
{
	static const uint8_t random[1528];
	static const uint8_t hello[1 + 2 * 1536] = { 3 };
	const struct rtmp_client_config config = {
		.app = "a", .stream = "k", .tc_url = "rtmp://h/a", .agent = "g", .is_enhanced = true
	};
	struct rtmp_limits limits;

	rtmp_limits_default(&limits);
	r->c = rtmp_client_create(&config, &limits, random, 0);
	check(r->c != NULL);
	if (!has_handshake) {
		check(feed(r, hello, sizeof(hello)));
	}
}

static void feed_cut(struct run *r, const uint8_t *bytes, size_t n, uint32_t seed)
{
	while (n > 0) {
		size_t cut;

		seed = seed * 1103515245u + 12345u;
		cut = 1 + (seed >> 16) % ((seed >> 8) % 2 ? 5 : 300);
		cut = cut < n ? cut : n;
		if (!feed(r, bytes, cut)) {
			return;
		}
		bytes += cut;
		n -= cut;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run whole = { 0 }, cut = { 0 };

	if (size < 2) {
		return 0;
	}
	begin(&whole, data[1] & 1);
	begin(&cut, data[1] & 1);
	feed(&whole, data + 2, size - 2);
	feed_cut(&cut, data + 2, size - 2, data[0]);
	check(whole.hash == cut.hash);
	check(whole.end == cut.end);
	rtmp_client_unpublish(whole.c);
	rtmp_client_destroy(&whole.c);
	rtmp_client_destroy(&cut.c);
	return 0;
}
