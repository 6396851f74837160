/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Events as people read them. */
#ifndef CLI_EVENTS_H
#define CLI_EVENTS_H

#include <stdint.h>

#include <jansson.h>

#include "terminal.h"

/* One line: time, show, kind, feeds, text. */
void event_print(const struct terminal *t, const json_t *event);

/* What `--since` may say: "90s", "10m", "2h", "1d" (ago), "20:15", "20:15:30" (today),
 * "2026-11-21T20:15:00" (local, or UTC with a Z). Unix seconds, or -1. */
int64_t since_parse(const char *text, int64_t now_s);

#endif
