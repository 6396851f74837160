/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The relay's status object as people read it. */
#ifndef CLI_STATUS_H
#define CLI_STATUS_H

#include <stdint.h>

#include <jansson.h>

#include "terminal.h"

/* Whatever is missing in the object is shown as "-". `now_ms` is the Unix time. */
void status_print(const struct terminal *t, const json_t *status, int64_t now_ms);

/* One item of a feed's `mismatch`: "resolution 1280x720 instead of 1920x1080". */
void mismatch_str(const json_t *item, char *to, size_t size);

#endif
