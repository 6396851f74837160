/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The event loop of workers (loop.h). */
#include <stddef.h>

#include <understudy/clock.h>
#include <understudy/loop.h>

struct event_base *loop_create(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config != NULL) {
		event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
		base = event_base_new_with_config(config);
		event_config_free(config);
	}
	return base;
}

void loop_set_timer(struct event *timer, int64_t at_us)
{
	int64_t left_us = at_us - clock_monotonic_us();

	left_us = left_us > 0 ? left_us : 0;
	event_add(timer,
		  &(struct timeval){ .tv_sec = left_us / 1000000, .tv_usec = left_us % 1000000 });
}
