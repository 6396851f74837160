/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names and addresses for libavformat. ingest-av-pull.
 *
 * The process has no files and so no resolver. It defines getaddrinfo() itself, and by the rules
 * of the dynamic linker libavformat and whatever it brings call that one: the supervisor's
 * resolver is asked, and every address a library is about to use, of whatever redirect, playlist
 * or session description, comes by here and is held to the rule:
 *
 *   nothing leads further inside than the configured URL itself: from the world to a local network,
 *   from a local network to this host; unless the feed has allow_private
 *
 * What the URL says counts: a name that looks like one of the world (encoder.example.com) has to
 * be there. The answer that was checked is the one that is used, so names that change between look
 * and use are no way around.
 */
#ifndef INGEST_AV_NAMES_H
#define INGEST_AV_NAMES_H

#include <stdbool.h>

#include <understudy/ipc.h>

struct names_ops {
	/* Waits a little for an order of the supervisor and obeys it. An answer to a question of
	 * ours goes to names_answer(). False: give up. */
	bool (*wait)(void *owner);
};

/* `host`: of the configured URL, without brackets. */
void names_begin(const char *host, bool allow_private, const struct names_ops *ops, void *owner);
void names_answer(const struct ipc_resolve_answer *answer);
/* Why the last look-up failed, in words; "" if it did not. */
const char *names_trouble(void);
/* Which address something led to that it must not lead to; "" if nothing did so far. */
const char *names_refusal(void);
/* Connections that were begun since it was asked last. */
unsigned names_count(void);

#endif
