/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Questions to the history (history.h): of a running relay by its socket, else of the database
 * itself by a sandboxed reader. Blocks on either.
 *
 *   --state DIR           the database there, whether a relay runs or not
 *   a relay runs          it is asked
 *   none, no socket named the database at the default place, if there is one
 */
#ifndef CLI_ARCHIVE_H
#define CLI_ARCHIVE_H

#include <stdint.h>

#include "client.h"
#include "commands.h"
#include "helper.h"

struct archive {
	struct client client;
	struct helper helper; /* pid 0 = none: a relay answers */
};

/* Asks; EXIT_DONE, or what to exit with (complained). `since_s` INT64_MIN = all there is; `show`
 * may be NULL; `limit` 0 = all. */
int archive_open(struct archive *a, const struct command_line *line, const char *subject,
		 const char *show, int64_t since_s, unsigned limit);
/* The next line of the answer; its last one has "end". */
int archive_next(struct archive *a, json_t **ret);
void archive_close(struct archive *a);

/* Reads --since; false if it is no time (complained). */
bool archive_since(const struct command_line *line, int64_t *ret_s);

#endif
