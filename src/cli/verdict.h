/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the witness found in a recording, for people and for programs. No I/O but printing. */
#ifndef CLI_VERDICT_H
#define CLI_VERDICT_H

#include <stdbool.h>
#include <stdio.h>

#include <understudy/ipc.h>

#include "terminal.h"

#define VERDICT_MEDIA 32
#define VERDICT_EVENTS 1000 /* more are counted only */

struct verdict {
	const char *path;
	struct ipc_witness_media media[VERDICT_MEDIA];
	unsigned media_count;
	struct witness_event *events; /* owned */
	size_t event_count, event_room;
	struct witness_summary summary;
	bool has_summary;
	char error[IPC_TEXT]; /* why it could not be read to its end, "" = it could */
};

void verdict_add_media(struct verdict *v, const struct ipc_witness_media *media);
void verdict_add_event(struct verdict *v, const struct witness_event *event);
void verdict_finish(struct verdict *v);
/* Read to its end, with something in it, and nothing wrong. */
bool verdict_is_unbroken(const struct verdict *v);
void verdict_print(const struct verdict *v, const struct terminal *t);
void verdict_print_json(const struct verdict *v, FILE *out);

#endif
