/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Feeds that we fetch: pulled URLs and recordings (pull.c). The supervisor's inventory includes
 * this. */
#ifndef SUPERVISOR_PULL_H
#define SUPERVISOR_PULL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>

#include <understudy/config.h>
#include <understudy/ipc.h>
#include <understudy/policy.h>

struct connection;
struct feed;

/* That of a feed. */
struct pull {
	struct connection *connection; /* NULL while no worker runs */
	struct restart restart;
	struct event *retry;
	bool is_opening;           /* its file */
	char trouble[IPC_TEXT];    /* why the last worker got nothing, "" = it did */
	struct ipc_file_mark file; /* of a recording: which one the worker was given */
};

bool pull_is_pulled(const struct feed *feed);
/* "srt://host:9000" of a longer URL: what may be shown of where a feed comes from. */
void pull_place(const struct config_feed *config, char *to, size_t size);
/* Begins if the feed is one that is fetched, its show is started and no worker runs. */
void pull_start(struct feed *feed);
/* Ends the worker, and all trying; its source is closed with `cause`. */
void pull_stop(struct feed *feed, const char *cause);
/* The same for a feed that is changed or removed: what comes of it goes when the show has left it
 * (leave.c). */
void pull_retire(struct feed *feed, const char *cause);
/* Looks whether the recording still is the one that the worker was given; if not, it is retired
 * and another one begins. */
void pull_compare(struct feed *feed);
/* What the connection's worker has found out of its recording. */
void pull_looked(struct connection *c, const struct ipc_loop_report *report);
/* The connection's worker has media. */
void pull_ready(struct connection *c);
/* The connection's worker has ended. */
void pull_ended(struct connection *c, const char *why);

#endif
