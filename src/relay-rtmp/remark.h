/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What people should know of a platform that works: tracks it is not sent, codecs it has not
 * said it takes. Runs in relay-rtmp; no I/O.
 */
#ifndef RELAY_REMARK_H
#define RELAY_REMARK_H

#include <stddef.h>

#include "metadata.h"
#include "session.h"

/* "" if there is nothing to say. */
void remark_write(const struct metadata_source *shape, const struct session_counts *counts,
		  char *to, size_t size);

#endif
