/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the table of keys cannot say: things that depend on each other (unique names and keys, one
 * source for a feed) and what a destination's URL means.
 */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include <understudy/config.h>

#include "report.h"
#include "url.h"

/* Finds everything that is wrong and fills the derived members of destinations. Members may be
 * NULL where the reader has refused or missed a value (it has said so). */
void check_config(struct config *config, struct report *report);
/* check-destination.c */
void check_destination(struct config_destination *d, const char *path, struct report *report);
/* Fills the endpoint of a feed that is pulled by RTMP; `path` is that of its URL. */
void check_pulled_rtmp(struct config_feed *feed, const struct url *url, const char *path,
		       struct report *report);

#endif
