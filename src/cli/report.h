/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reports as pages: of a rehearsal, and of a time that the history knows. Blocks on the history. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <jansson.h>

#include "commands.h"

/* A drill's report into a page, with what the history has of that time if there is any. An exit
 * code, said. */
int report_write_drill(const struct command_line *line, const char *path, const json_t *report);

#endif
