/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The client session's insides, shared by client.c (its life) and client_commands.c. */
#ifndef UNDERSTUDY_RTMP_CLIENT_H
#define UNDERSTUDY_RTMP_CLIENT_H

#include "command.h"

#define CLIENT_NAME_MAX (512 + 1)
#define CLIENT_CODE_MAX 128
#define CLIENT_DESCRIPTION_MAX 512

/*
 *     HANDSHAKE --S2--> CONNECTING --_result(1)--> CREATING --_result(4)--> ASKING
 *     ASKING --NetStream.Publish.Start--> PUBLISHING --unpublish--> DONE
 *     any --_error(1, 4, 5), level error, close--> REFUSED
 * Errors end the session from anywhere (wire.error).
 */
enum client_state {
	CLIENT_HANDSHAKE,
	CLIENT_CONNECTING,
	CLIENT_CREATING,
	CLIENT_ASKING,
	CLIENT_PUBLISHING,
	CLIENT_DONE,
	CLIENT_REFUSED,
};

struct rtmp_client {
	struct wire wire;
	enum client_state state;
	int64_t created_us, now_us;
	uint32_t stream_id; /* message stream the server has given us */
	bool is_enhanced;
	char app[CLIENT_NAME_MAX], stream[CLIENT_NAME_MAX];
	char tc_url[CLIENT_NAME_MAX], agent[CLIENT_NAME_MAX];
	struct rtmp_event event;      /* type NONE: nothing to hand out */
	char codecs[RTMP_CODECS_MAX]; /* likewise */
	char code[CLIENT_CODE_MAX], description[CLIENT_DESCRIPTION_MAX]; /* of the event, escaped */
};

/* The one place where the state changes. */
void client_enter(struct rtmp_client *c, enum client_state state);
/* Sends what comes first after the handshake. 0 or enum rtmp_error. */
int client_connect(struct rtmp_client *c);
/* Takes a command message of the server. 0 or enum rtmp_error. */
int client_take_command(struct rtmp_client *c, const struct message *m);
/* FCUnpublish and deleteStream. 0 or enum rtmp_error. */
int client_send_unpublish(struct rtmp_client *c);

#endif
