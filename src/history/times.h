/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Times in answers: RFC 3339 in UTC, with milliseconds. */
#ifndef HISTORY_TIMES_H
#define HISTORY_TIMES_H

#include <stdint.h>

#define TIME_TEXT 40

void time_format(char to[TIME_TEXT], int64_t wall_us);

#endif
