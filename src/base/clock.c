/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The two clocks (clock.h). Every program; never blocks (vDSO). */
#include <time.h>

#include <understudy/clock.h>

static int64_t clock_read_us(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_monotonic_us(void)
{
	return clock_read_us(CLOCK_MONOTONIC);
}

int64_t clock_wall_us(void)
{
	return clock_read_us(CLOCK_REALTIME);
}
