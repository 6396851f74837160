/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of containers, inside the room. */
#ifndef AV_FORMATS_H
#define AV_FORMATS_H

#include <understudy/mux.h>

struct format {
	const char *muxer;      /* libavformat's name */
	const char *name;       /* for people */
	const char *ending;     /* of files; NULL = not for files */
	const uint32_t *codecs; /* ends with 0 */
	unsigned streams_max;
};
const struct format *format_of(enum mux_format format);

#endif
