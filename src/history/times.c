/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Times in answers (times.h). */
#include <time.h>

#include <understudy/text.h>

#include "times.h"

void time_format(char to[TIME_TEXT], int64_t wall_us)
{
	time_t seconds = (time_t)(wall_us / 1000000);
	struct tm utc;

	gmtime_r(&seconds, &utc);
	size_t size = strftime(to, TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &utc);
	text_format(to + size, TIME_TEXT - size, ".%03dZ", (int)(wall_us / 1000 % 1000));
}
