/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The server session's insides, shared by server.c (its life) and server_commands.c. */
#ifndef UNDERSTUDY_RTMP_SERVER_H
#define UNDERSTUDY_RTMP_SERVER_H

#include "aggregate.h"
#include "command.h"

#define SERVER_NAME_MAX (512 + 1)
#define SERVER_ENCODER_MAX (256 + 1)

/*
 *     HANDSHAKE --C2--> CONNECT --connect--> READY --publish--> ASKING
 *     ASKING --allowed--> LIVE --FCUnpublish, deleteStream, closeStream--> DONE
 *     ASKING --refused--> REFUSED
 * Errors end the session from anywhere (wire.error).
 */
enum server_state {
	SERVER_HANDSHAKE,
	SERVER_CONNECT,
	SERVER_READY,
	SERVER_ASKING,
	SERVER_LIVE,
	SERVER_DONE,
	SERVER_REFUSED,
};

struct rtmp_server {
	struct wire wire;
	enum server_state state;
	int64_t created_us, now_us;
	int64_t media_us;            /* when audio or video last came, once live */
	uint32_t unauthorised_bytes; /* fed since the handshake, until live */
	uint32_t streams;            /* createStream answered so far */
	uint32_t live_stream;        /* message stream id of the publish command */
	bool is_enhanced;
	char app[SERVER_NAME_MAX], stream[SERVER_NAME_MAX], encoder[SERVER_ENCODER_MAX];
	/* What rtmp_server_next() has to hand out: one event, or the parts of an aggregate. */
	struct rtmp_event event; /* type NONE: nothing */
	struct aggregate parts;
	bool has_parts;
};

/* The one place where the state changes. */
void server_enter(struct rtmp_server *s, enum server_state state);
/* Runs a command message. 0 or enum rtmp_error. */
int server_run_command(struct rtmp_server *s, const struct message *m);
/* The onStatus that lets the publisher start, or that refuses it. 0 or enum rtmp_error. */
int server_send_publish_answer(struct rtmp_server *s, bool allowed, const char *reason);

#endif
