/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How often something may happen in a second: counted in windows that start with the first. */
#ifndef UNDERSTUDY_RTMP_RATE_H
#define UNDERSTUDY_RTMP_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate {
	int64_t since_us;
	uint32_t count;
};

/* Counts one at now_us; false if that is more than `per_second` in this window. */
static inline bool rate_take(struct rate *r, uint32_t per_second, int64_t now_us)
{
	if (r->count == 0 || now_us - r->since_us >= 1000000) {
		*r = (struct rate){ .since_us = now_us };
	}
	if (r->count >= per_second) {
		return false;
	}
	r->count++;
	return true;
}

#endif
