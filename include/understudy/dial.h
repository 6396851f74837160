/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From a host name to a connected socket: the name is looked up anew for each dial, and the
 * addresses are tried in turn, the next one 250 ms after the one before or as soon as that has
 * failed; the first to connect wins. (RFC 8305, the simple part of it.)
 *
 *   dial_start() --literal------------------> CONNECTING --one connects--> done(fd)
 *        `--name--> asks for a look-up --dial_resolved()--^  `--all failed, time-out--> done(error)
 */
#ifndef UNDERSTUDY_DIAL_H
#define UNDERSTUDY_DIAL_H

#include <event2/event.h>

#include <understudy/ipc.h>
#include <understudy/net.h>

struct dial;

/* Called once, from the loop: a connected non-blocking descriptor (the callee's), or -1 and why.
 * The dial may be destroyed in it. */
typedef void dial_done(void *owner, int fd, const char *error);

/* NULL if memory is out. `query` names the look-up. */
struct dial *dial_create(struct event_base *base, dial_done *done, void *owner, uint32_t query);
void dial_destroy(struct dial **d);
/* Before it starts: addresses that lie further inside are not tried. Without it, all are. */
void dial_limit(struct dial *d, enum net_reach furthest);
/* Never calls done() before it has returned. */
void dial_start(struct dial *d, const char *host, uint16_t port);
uint32_t dial_query(const struct dial *d);
void dial_resolved(struct dial *d, const struct ipc_resolve_answer *answer);

#endif
