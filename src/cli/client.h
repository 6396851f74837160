/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The command's end of the relay's Unix socket: one JSON object a line, both ways. Blocks, but
 * never for longer than a few seconds on a reply. Says on stderr what went wrong and returns the
 * exit code for it.
 */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NO_RELAY = 3 };

struct client {
	int fd; /* -1 = not connected */
	char path[108];
	char *line; /* owned; bytes received and not yet taken */
	size_t used, capacity;
};

/* The socket to use: `option` (may be NULL), else UNDERSTUDY_SOCKET, else the default place. */
const char *client_socket(const char *option);

/* EXIT_DONE, or an exit code after saying why. */
int client_open(struct client *c, const char *path);
/* Takes a connected socket whose other end writes lines; `name` is for complaints. */
void client_adopt(struct client *c, int fd, const char *name);
void client_close(struct client *c);
/* Sends the request (taken) and waits for its reply, which must say ok. ret may be NULL. */
int client_ask(struct client *c, json_t *request, json_t **ret);
/* Sends the request (taken) and waits for nothing. */
int client_send(struct client *c, json_t *request);
/* The next line; *ret is NULL if none came in time. */
int client_wait(struct client *c, int timeout_ms, json_t **ret);
/* The next line, waiting as long as it takes. */
int client_next(struct client *c, json_t **ret);
/* True if client_next() would return a line that has arrived already. */
bool client_has_line(const struct client *c);

/* One line on stdout, there at once for whoever reads along. */
int print_json(const json_t *json);
/* `understudy: what and where; what to do` on stderr. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
