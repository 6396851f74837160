/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The event loop of workers that have deadlines of some ten milliseconds; timers of all. */
#ifndef UNDERSTUDY_LOOP_H
#define UNDERSTUDY_LOOP_H

#include <stdint.h>

#include <event2/event.h>

/* A loop whose timers are exact. libevent's usual clock goes by ticks of the kernel (4 ms): a timer
 * of 20 ms then wakes, finds that its time has not come, and wakes a second time. NULL: no
 * memory. */
struct event_base *loop_create(void);

/* The timer goes off at that moment (monotonic), or at once if that is past. */
void loop_set_timer(struct event *timer, int64_t at_us);

#endif
