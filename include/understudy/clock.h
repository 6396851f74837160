/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The clocks. Programs read them and hand the value to the pure rooms as `now_us`. */
#ifndef UNDERSTUDY_CLOCK_H
#define UNDERSTUDY_CLOCK_H

#include <stdint.h>

#define CLOCK_NEVER INT64_MAX

int64_t clock_monotonic_us(void); /* CLOCK_MONOTONIC, the same in every process */
int64_t clock_wall_us(void);      /* CLOCK_REALTIME, for people only */
int64_t clock_boot_us(void);      /* CLOCK_BOOTTIME: counts on while the machine sleeps */
uint64_t clock_boot(void);        /* which boot of the machine this is; 0 if it does not say */

/* The first multiple of every_us (> 0) beyond after_us: what is done at such beats of the
 * monotonic clock is done at the same time in all processes. */
int64_t clock_next_beat_us(int64_t after_us, int64_t every_us);

#endif
