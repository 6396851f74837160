/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Workers that a command starts for itself, without a relay: sandboxed like the relay's, given
 * nothing but a descriptor or two. As root they run as the relay's workers do.
 */
#ifndef CLI_HELPER_H
#define CLI_HELPER_H

#include <sys/types.h>

#include <understudy/ipc.h>
#include <understudy/worker.h>

struct helper {
	pid_t pid;
	int fd; /* control socket, non-blocking */
};

/* EXIT_DONE, or what to exit with (complained). */
int helper_start(enum worker_role role, struct helper *ret);
/* The next message from it; EXIT_DONE, or EXIT_FAILED if it has ended (complained). */
int helper_wait(struct helper *h, struct ipc_message *ret);
/* Ends it. */
void helper_end(struct helper *h);

#endif
