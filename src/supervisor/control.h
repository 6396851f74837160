/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Clients of the Unix socket: control.c has their connections, orders.c does what they ask for. */
#ifndef SUPERVISOR_CONTROL_H
#define SUPERVISOR_CONTROL_H

#include <event2/bufferevent.h>

#include "rehearsal.h"

struct client {
	TAILQ_ENTRY(client) entry;
	struct control *control;
	struct bufferevent *stream;
	bool follows;
	char watches[IPC_NAME]; /* the show whose witness it listens to, "" = none */
};

struct control {
	struct supervisor *supervisor;
	int fd, lock_fd;
	struct event *event;
	unsigned count;
	TAILQ_HEAD(, client) clients;
};

/* Sends one line (taken). */
void client_reply(struct client *client, json_t *reply);
void client_ok(struct client *client);
void client_error(struct client *client, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void client_stop_watching(struct client *client);
/* orders.c: carries the request out and replies. */
void client_obey(struct client *client, const json_t *request);

#endif
