/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Destinations that are neither RTMP nor FLV: what their URLs mean. */
#ifndef CONFIG_CHECK_OUTPUT_H
#define CONFIG_CHECK_OUTPUT_H

#include "check.h"
#include "url.h"

/* False if the scheme is none of these. Fills kind and `output`. */
bool check_output(struct config_destination *d, const struct url *url, const char *path,
		  struct report *r);
/* A file whose name does not end in .flv: fills kind, path and segment_s. */
void check_output_file(struct config_destination *d, const struct url *url, const char *path,
		       struct report *r);

#endif
