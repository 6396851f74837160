/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The guard between a foreign RTMP server and librtmp, which plays a stream of it: sans I/O, as
 * rtmp.h. Nothing of the server's reaches the player as it came. Every message is put together by
 * our own bounded decoder and written anew: whole, each on its own header, never mixed with
 * others; what a server answers becomes an answer of ours. Neither does anything of the player's
 * reach the server: it says what it wants, and the guard asks for it, in the stream's name, which
 * the player is never told.
 *
 *     server                                                        player
 *       |<---- handshake ----->|  HANDSHAKE  |<---- handshake ------>|
 *       |<---- connect --------|  CONNECTING |<----- connect --------|  (may come first)
 *       |----- _result ------->|  CONNECTED  |------ _result ------->|
 *       |<---- createStream ---|  CREATING   |<----- createStream ---|
 *       |----- _result ------->|  CREATED    |------ _result ------->|
 *       |<---- play -----------|  ASKING     |<----- play -----------|
 *       |----- onStatus ------>|  PLAYING    |------ onStatus ------>|
 *       |----- media --------->|             |------ media --------->|
 *                              any: ENDED (refused, ended, redirected)
 *
 * Acknowledgements, pings and sizes are each side's own affair and end in here.
 *
 *     guard_create -> [guard_begin -> guard_feed_server / guard_feed_player]*
 *     after each step: guard_next() until false; guard_..._output() to the sockets
 */
#ifndef UNDERSTUDY_GUARD_H
#define UNDERSTUDY_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <understudy/rtmp.h>

/* What waits for the player at most, before the server is to be read on. */
#define GUARD_AHEAD_BYTES (256 * 1024)

enum guard_event_type {
	GUARD_NOTHING,
	GUARD_PLAYING,  /* the server has begun the stream */
	GUARD_REFUSED,  /* `code` and `description` say why (escaped, bounded) */
	GUARD_FINISHED, /* the server says that the stream is over; `code` says how */
	GUARD_MOVED,    /* the server sends us to another address: `description`, as it came */
};

struct guard_event {
	enum guard_event_type type;
	const char *code, *description; /* valid until the next feed */
};

struct guard_config {
	const char *stream;             /* copied, <= 512 bytes; may hold secrets */
	int64_t first_us;               /* how long the first media may take once it plays */
};

struct guard;

/* NULL if memory is out or the stream's name is too long. `limits` are those for the server;
 * idle_us is how long media may pause. */
struct guard *guard_create(const struct guard_config *config, const struct rtmp_limits *limits,
			   const uint8_t random[1528]);
void guard_destroy(struct guard **g);

/* A connection to the server stands: begins a session there, instead of an earlier one. 0,
 * RTMP_NO_MEMORY, RTMP_TOO_LARGE (a name beyond 512 bytes), or RTMP_ENDED (the player has asked for
 * more than connect already: it cannot begin anew). */
int guard_begin(struct guard *g, const char *app, const char *tc_url, const uint8_t random[1528],
		int64_t now_us);

/* Bytes taken (fewer than n only behind an event) or enum rtmp_error, after which only output may
 * be taken. To be fed only while guard_player_output() is below GUARD_AHEAD_BYTES. */
ssize_t guard_feed_server(struct guard *g, const uint8_t *bytes, size_t n, int64_t now_us);
/* All of them, or enum rtmp_error: librtmp is not itself any more. */
ssize_t guard_feed_player(struct guard *g, const uint8_t *bytes, size_t n, int64_t now_us);
bool guard_next(struct guard *g, struct guard_event *ret);

/* Bytes to send. Pointers valid until the next call. */
size_t guard_server_output(struct guard *g, const uint8_t **ret);
void guard_server_sent(struct guard *g, size_t n);
size_t guard_player_output(struct guard *g, const uint8_t **ret);
void guard_player_sent(struct guard *g, size_t n);

/* RTMP_OK, or RTMP_TIMEOUT once a deadline has passed; guard_waits_for() says what for. */
int guard_tick(struct guard *g, int64_t now_us);
int64_t guard_deadline(const struct guard *g); /* monotonic us; CLOCK_NEVER */
const char *guard_waits_for(const struct guard *g);
int64_t guard_patience_us(const struct guard *g); /* and for how long */
bool guard_is_playing(const struct guard *g);
uint64_t guard_left_out(const struct guard *g); /* messages that were not passed on */

#endif
