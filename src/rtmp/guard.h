/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The guard's insides, shared by guard.c (its life, media) and guard_commands.c. */
#ifndef UNDERSTUDY_RTMP_GUARD_H
#define UNDERSTUDY_RTMP_GUARD_H

#include <understudy/guard.h>

#include "command.h"

#define GUARD_PLAYER_CHUNK 65536 /* what the player is told, and all it ever hears of sizes */
#define GUARD_PLAYER_STREAM 1    /* the message stream it is given */
#define GUARD_NAME_MAX (512 + 1)
#define GUARD_CODE_MAX 128
#define GUARD_DESCRIPTION_MAX 512

enum guard_state {
	GUARD_IDLE, /* not connected */
	GUARD_HANDSHAKE,
	GUARD_CONNECTING,
	GUARD_CONNECTED,
	GUARD_CREATING,
	GUARD_CREATED,
	GUARD_ASKING,
	GUARD_STREAMING,
	GUARD_ENDED,
};

struct guard {
	struct wire server, player; /* `server` holds nothing while IDLE */
	struct rtmp_limits limits;
	enum guard_state state;
	int error; /* sticky */
	int64_t first_us;
	int64_t began_us, media_us, now_us;
	bool has_media;
	uint64_t left_out;
	/* The player's transactions; 0 = not asked for. */
	double connect, create, play;
	uint32_t stream_id; /* message stream the server has given us */
	char app[GUARD_NAME_MAX], tc_url[GUARD_NAME_MAX], stream[GUARD_NAME_MAX];
	struct guard_event event; /* type NOTHING: nothing to hand out */
	char code[GUARD_CODE_MAX], description[GUARD_DESCRIPTION_MAX]; /* of the event, escaped */
};

/* The one place where the state changes. */
void guard_enter(struct guard *g, enum guard_state state);
/* Asks the server for what the player wants, as soon as it can be asked. 0 or enum rtmp_error. */
int guard_ask(struct guard *g);
/* Take a command message of either side. 0 or enum rtmp_error. */
int guard_take_answer(struct guard *g, const struct message *m);
int guard_take_wish(struct guard *g, const struct message *m);
/* The stream runs: says so to the player and the owner, once. 0 or enum rtmp_error. */
int guard_start(struct guard *g);

#endif
