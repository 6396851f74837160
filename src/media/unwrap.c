/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wire timestamps, which wrap at 2^32 ms or, with some encoders, at 2^31, as int64. Pure. */
#include <understudy/codec.h>

/* Near the end and near the start of the 31-bit range: 24.66 days and 4.66 hours. */
#define LATE_31 0x7f000000u
#define EARLY_31 0x01000000u
#define WRAP_31 ((int64_t)1 << 31)
#define WRAP_32 ((int64_t)1 << 32)

static bool is_late(uint32_t ms)
{
	return ms > LATE_31 && ms < 0x80000000u;
}

int64_t unwrap_ms(struct unwrap *u, uint32_t wire_ms)
{
	if (!u->started) {
		u->started = true;
	} else if (is_late(u->last_ms) && wire_ms < EARLY_31) {
		u->offset_ms += WRAP_31;
	} else if (u->last_ms < EARLY_31 && is_late(wire_ms)) {
		u->offset_ms -= WRAP_31; /* jitter back over the wrap */
	} else {
		int64_t step = (int64_t)wire_ms - u->last_ms;

		if (step < -WRAP_31) {
			u->offset_ms += WRAP_32;
		} else if (step >= WRAP_31) {
			u->offset_ms -= WRAP_32;
		}
	}
	u->last_ms = wire_ms;
	return u->offset_ms + wire_ms;
}
