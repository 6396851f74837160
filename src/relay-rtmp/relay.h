/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the parts of understudy-relay-rtmp share: the loop, the show that is sent, the
 * destinations it is sent to.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include <event2/event.h>
#include <sys/queue.h>

#include "destination.h"
#include "show.h"

LIST_HEAD(destination_list, destination);

struct relay {
	struct event_base *base;
	struct destination_list destinations;
	struct show show;
	char name[IPC_NAME];      /* of the show */
	int64_t batch_us;         /* 0: at once, woken by the switch */
	int trust_fd;             /* bundle of trusted certificates, -1: none */
	struct ssl_ctx_st *trust; /* made from it when first needed */
	struct event *reap;       /* made active when a destination is over */
	uint32_t next_query;
	bool is_stopping;
};

/* The trusted certificates, or NULL and why there are none. */
struct ssl_ctx_st *relay_trust(struct relay *r, const char **ret_error);

#endif
