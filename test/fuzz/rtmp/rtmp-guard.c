/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The guard on whatever a server may say to a player. The first byte says how it is cut, the second
 * how far the session has come before. What comes out for the player is held to guarded.h, which
 * knows librtmp's weak spots, and once it has asked to play, is the same however it was cut.
 */
#include <stdlib.h>
#include <string.h>

#include "../../../src/rtmp/guard.h"
#include "../../unit/rtmp/guarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1000000)
#define STEPS_MAX 3 /* connect, createStream, play */

static void check(bool condition)
{
	if (!condition) {
		abort();
	}
}

struct run {
	struct guard *g;
	struct guarded heard;
	bool has_hello;
	unsigned steps; /* the player has taken */
	uint64_t hash;  /* of all that came out */
	int end;
};

static uint8_t scratch[8u << 20];

static void put_wish(struct buffer *b, const char *name, double transaction, uint32_t stream)
{
	struct buffer amf;
	struct message m = { .type = MESSAGE_COMMAND, .stream = stream };

	command_begin(&amf, name, transaction);
	amf_put_null(&amf);
	m.body = buffer_bytes(&amf);
	m.size = buffer_size(&amf);
	check(chunk_write(b, CSID_COMMAND, &m, CHUNK_SIZE_DEFAULT) == 0);
	buffer_finish(&amf);
}

/* A player that does what librtmp does as soon as it may. */
static void wish(struct run *r)
{
	static const char *const names[STEPS_MAX] = { "connect", "createStream", "play" };
	static const uint8_t hello[1 + 2 * 1536] = { 3 };
	struct buffer b;

	buffer_init(&b, 64 * 1024);
	if (r->steps == 0) {
		check(buffer_append(&b, hello, sizeof(hello)) == 0);
	}
	put_wish(&b, names[r->steps], r->steps + 1, r->steps == 2);
	r->steps++;
	ssize_t used = guard_feed_player(r->g, buffer_bytes(&b), buffer_size(&b), NOW);
	check(used == (ssize_t)buffer_size(&b) || r->g->error || r->g->state == GUARD_ENDED);
	buffer_finish(&b);
}

/* What came out, every message of it. The answers to connect and createStream lead on. */
static void hear(struct run *r)
{
	const uint8_t *p;
	size_t n = guard_player_output(r->g, &p);

	if (!r->has_hello && n >= GUARDED_HELLO) {
		guard_player_sent(r->g, GUARDED_HELLO);
		r->has_hello = true;
	}
	while (r->has_hello && (n = guard_player_output(r->g, &p)) > 0) {
		const char *why = NULL;
		unsigned answers = r->heard.messages[20];
		size_t used = guarded_take(&r->heard, p, n, scratch, &why);

		check(used > 0);
		for (size_t i = 0; i < used; i++) {
			r->hash = (r->hash ^ p[i]) * UINT64_C(0x100000001b3);
		}
		guard_player_sent(r->g, used);
		if (r->heard.messages[20] > answers && r->steps < STEPS_MAX) {
			wish(r);
		}
	}
}

static void drop_questions(struct run *r)
{
	const uint8_t *p;

	guard_server_sent(r->g, guard_server_output(r->g, &p));
}

/* False once the session has ended. */
static bool feed(struct run *r, const uint8_t *bytes, size_t n)
{
	struct guard_event e;

	while (n > 0) {
		ssize_t used = guard_feed_server(r->g, bytes, n, NOW);
		bool has_event = false;

		hear(r);
		drop_questions(r);
		check(r->g->server.in.body_bytes <= r->g->limits.partial_bytes);
		if (used < 0) {
			r->end = (int)used;
			return false;
		}
		check((size_t)used <= n);
		bytes += used;
		n -= (size_t)used;
		while (guard_next(r->g, &e)) {
			has_event = true;
			check(strlen(e.code) < GUARD_CODE_MAX);
			check(strlen(e.description) < GUARD_DESCRIPTION_MAX);
		}
		check(used > 0 || has_event);
	}
	return true;
}

static void feed_answer(struct run *r, double transaction, bool has_number)
{
	struct buffer b, amf;
	struct message m = { .type = MESSAGE_COMMAND };

	command_begin(&amf, "_result", transaction);
	amf_put_null(&amf);
	if (has_number) {
		amf_put_number(&amf, 1);
	}
	m.body = buffer_bytes(&amf);
	m.size = buffer_size(&amf);
	buffer_init(&b, 64 * 1024);
	check(chunk_write(&b, CSID_COMMAND, &m, CHUNK_SIZE_DEFAULT) == 0);
	check(feed(r, buffer_bytes(&b), buffer_size(&b)));
	buffer_finish(&b);
	buffer_finish(&amf);
}

static void begin(struct run *r, unsigned how_far)
{
	static const uint8_t random[1528], hello[1 + 2 * 1536] = { 3 };
	const struct guard_config config = { .stream = "s", .first_us = 1 };
	struct rtmp_limits limits;

	rtmp_limits_default(&limits);
	r->heard.chunk_size = 128;
	r->g = guard_create(&config, &limits, random);
	check(r->g != NULL);
	check(guard_begin(r->g, "a", "rtmp://h/a", random, NOW) == 0);
	wish(r);
	if (how_far > 0) {
		check(feed(r, hello, sizeof(hello)));
	}
	if (how_far > 1) {
		feed_answer(r, 1, false);
	}
	if (how_far > 2) {
		feed_answer(r, 2, true);
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
	begin(&whole, data[1] % 4);
	begin(&cut, data[1] % 4);
	feed(&whole, data + 2, size - 2);
	feed_cut(&cut, data + 2, size - 2, data[0]);
	if (data[1] % 4 == STEPS_MAX) { /* else it matters when the player hears of an answer */
		check(whole.hash == cut.hash);
		check(whole.end == cut.end);
	}
	guard_destroy(&whole.g);
	guard_destroy(&cut.g);
	return 0;
}
