/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A name into addresses to dial, in the order to try them. */
#ifndef RESOLVE_LOOKUP_H
#define RESOLVE_LOOKUP_H

#include <stdint.h>
#include <sys/socket.h>

#include <understudy/ipc.h>

/* Fills `ret` but for its query number: up to IPC_ADDRESSES_MAX addresses with `port`, families
 * taking turns beginning with the one the system prefers; or none, and `error` in words.
 * Literals and "localhost" (RFC 6761) need no name server. Blocks as long as getaddrinfo(3)
 * does. */
void lookup_host(const char *host, uint16_t port, struct ipc_resolve_answer *ret);

#endif
