/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `understudy preflight`: what would go wrong if the event began now.
 *
 *   preflight-feeds.c   feeds, formats, delay: from the status. No socket, no clock
 *   preflight-places.c  destinations, disks, the clock: from what the relay looked at for us
 *   preflight.c         the command
 */
#ifndef CLI_PREFLIGHT_H
#define CLI_PREFLIGHT_H

#include <stdint.h>

#include <jansson.h>

#include "explain.h"
#include "finding.h"

/* `show` is its part of the status, `now_ms` Unix time. */
void preflight_feeds(const json_t *show, const struct explain_facts *facts,
		     const struct explanation *promise, int64_t now_ms, struct findings *to);
/* `places` is the relay's answer (src/supervisor/preflight.c). */
void preflight_places(const json_t *show, const json_t *places, struct findings *to);

#endif
