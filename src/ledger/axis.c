/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The runs of the relay laid end to end (ledger.h). */
#include <understudy/ledger.h>

static int64_t positive(int64_t us)
{
	return us > 0 ? us : 0;
}

/* How long understudy did not run between two runs. */
static int64_t gap_us(const struct ledger_run *left, const struct ledger_run *right)
{
	return positive(left->boot == right->boot ? right->began.boot_us - left->last.boot_us
						  : right->began.wall_us - left->last.wall_us);
}

static int64_t length_us(const struct ledger_run *run)
{
	return positive(run->last.boot_us - run->began.boot_us);
}

void ledger_axis(struct ledger_run *runs, size_t count)
{
	int64_t at_us;

	if (count == 0) {
		return;
	}
	at_us = runs[count - 1].last.wall_us;
	for (size_t i = count; i > 0; i--) {
		struct ledger_run *run = &runs[i - 1];

		at_us -= length_us(run);
		run->axis_us = at_us;
		if (i > 1) {
			at_us -= gap_us(&runs[i - 2], run);
		}
	}
}

int64_t ledger_place(const struct ledger_run *run, int64_t boot_us)
{
	return run->axis_us + positive(boot_us - run->began.boot_us);
}
