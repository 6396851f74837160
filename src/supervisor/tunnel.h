/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The second process of a pulled RTMP feed (tunnel.c). */
#ifndef SUPERVISOR_TUNNEL_H
#define SUPERVISOR_TUNNEL_H

#include "supervisor.h"

extern const struct child_ops tunnel_ops;

/* Starts it beside the connection's own worker and begins both. `trust` is -1 without TLS. False:
 * it could not be done. */
bool tunnel_brief(struct connection *c, const struct ipc_tunnel_start *start,
		  const struct ipc_stream_start *player, int trust);
/* The connection's own worker is gone, or nobody's any more. */
void tunnel_end(struct connection *c);

#endif
