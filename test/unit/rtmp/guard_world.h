/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A guard between a server written by hand and a player written by hand. Every byte for the player
 * is held to guarded.h. */
#ifndef UNDERSTUDY_TEST_RTMP_GUARD_WORLD_H
#define UNDERSTUDY_TEST_RTMP_GUARD_WORLD_H

#include <understudy/guard.h>

#include "commands.h"
#include "guarded.h"

#define FIRST_US (60 * SECOND)

struct fixture {
	struct guard *g;
	struct buffer b; /* the server's next words */
	struct guarded heard;
	bool has_hello; /* the player's handshake is out of the way */
	uint8_t scratch[8u << 20];
};

static const uint8_t random_bytes[1528] = { 7, 8, 9 };

static inline int set_up(void **state)
{
	const struct guard_config config = { .stream = "stage?token=abc", .first_us = FIRST_US };
	struct fixture *f = calloc(1, sizeof(*f));
	struct rtmp_limits limits;

	assert_non_null(f);
	rtmp_limits_default(&limits);
	limits.idle_us = 10 * SECOND;
	f->g = guard_create(&config, &limits, random_bytes);
	assert_non_null(f->g);
	f->b = new_stream();
	f->heard.chunk_size = 128;
	*state = f;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;

	guard_destroy(&f->g);
	buffer_finish(&f->b);
	free(f);
	return 0;
}

/* Holds what waits for the player to the rules. */
static inline void hear(struct fixture *f)
{
	const uint8_t *p;
	size_t n = guard_player_output(f->g, &p);

	if (!f->has_hello && n >= GUARDED_HELLO) {
		guard_player_sent(f->g, GUARDED_HELLO);
		f->has_hello = true;
	}
	while (f->has_hello && (n = guard_player_output(f->g, &p)) > 0) {
		const char *why = NULL;
		size_t used = guarded_take(&f->heard, p, n, f->scratch, &why);

		if (used == 0) {
			fail_msg("%s", why);
		}
		guard_player_sent(f->g, used);
	}
}

/* Feeds what the server says, in pieces; the event it led to, or the error as a negative type. */
static inline struct guard_event feed(struct fixture *f, int64_t now_us)
{
	struct guard_event e = { 0 };
	const uint8_t *p = buffer_bytes(&f->b);
	size_t n = buffer_size(&f->b), at = 0;

	while (at < n && e.type == GUARD_NOTHING) {
		size_t cut = n - at < 700 ? n - at : 700;
		ssize_t used = guard_feed_server(f->g, p + at, cut, now_us);

		if (used < 0) {
			buffer_clear(&f->b);
			hear(f);
			return (struct guard_event){ .type = (enum guard_event_type)used };
		}
		at += (size_t)used;
		guard_next(f->g, &e);
		hear(f);
	}
	buffer_consume(&f->b, at);
	return e;
}

static inline int feed_error(struct fixture *f)
{
	return (int)feed(f, T0).type;
}

static inline void player_says(struct fixture *f, void (*put)(struct buffer *b), int result)
{
	struct buffer b = new_stream();
	ssize_t used;

	put(&b);
	used = guard_feed_player(f->g, buffer_bytes(&b), buffer_size(&b), T0);
	assert_int_equal(used < 0 ? used : RTMP_OK, result);
	buffer_finish(&b);
	hear(f);
}

static inline void put_player_connect(struct buffer *b)
{
	put_client_handshake(b);
	put_connect(b, "nowhere");
}

static inline void put_player_create(struct buffer *b)
{
	put_named(b, "createStream", 2, 0, NULL);
}

static inline void put_player_play(struct buffer *b)
{
	put_named(b, "play", 3, 1, "nothing");
}

static inline void put_player_delete(struct buffer *b)
{
	put_named(b, "deleteStream", 4, 0, NULL);
}

/* ---- the server's usual words ---- */

static inline void put_status(struct buffer *b, const char *name, double transaction,
			      const char *level, const char *code, const char *description)
{
	struct buffer amf = new_command(name, transaction);

	amf_put_null(&amf);
	amf_put_object(&amf);
	amf_put_key(&amf, "level");
	amf_put_string(&amf, level);
	amf_put_key(&amf, "code");
	amf_put_string(&amf, code);
	amf_put_key(&amf, "description");
	amf_put_string(&amf, description);
	amf_put_end(&amf);
	put_amf(b, 5, 1, &amf);
}

static inline void put_connected(struct buffer *b)
{
	put_control(b, 5, 2500000);
	put_status(b, "_result", 1, "status", "NetConnection.Connect.Success", "ok");
}

static inline void put_created(struct buffer *b, double stream)
{
	struct buffer amf = new_command("_result", 2);

	amf_put_null(&amf);
	amf_put_number(&amf, stream);
	put_amf(b, 3, 0, &amf);
}

static inline bool asks(struct fixture *f, const char *text)
{
	const uint8_t *p;
	size_t n = guard_server_output(f->g, &p);

	return n > 0 && memmem(p, n, text, strlen(text)) != NULL;
}

static inline void drop_questions(struct fixture *f)
{
	const uint8_t *p;

	guard_server_sent(f->g, guard_server_output(f->g, &p));
}

static inline void connect_server(struct fixture *f)
{
	assert_int_equal(guard_begin(f->g, "live", "rtmp://a.example/live", random_bytes, T0), 0);
	put_client_handshake(&f->b);
	assert_int_equal(feed(f, T0).type, GUARD_NOTHING);
}

/* Everything up to the media. */
static inline void play(struct fixture *f)
{
	connect_server(f);
	player_says(f, put_player_connect, RTMP_OK);
	put_connected(&f->b);
	assert_int_equal(feed(f, T0).type, GUARD_NOTHING);
	player_says(f, put_player_create, RTMP_OK);
	put_created(&f->b, 7);
	assert_int_equal(feed(f, T0).type, GUARD_NOTHING);
	player_says(f, put_player_play, RTMP_OK);
	drop_questions(f);
	put_status(&f->b, "onStatus", 0, "status", "NetStream.Play.Start", "");
	assert_int_equal(feed(f, T0).type, GUARD_PLAYING);
}

#endif
