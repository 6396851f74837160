/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When to start again what ended (policy.h). Pure. */
#include <understudy/policy.h>

const struct restart_policy restart_policy_destination = {
	.healthy_us = 5000000,
	.first_us = 1000000,
	.cap_us = 10000000,
	.jitter_percent = 20,
};

const struct restart_policy restart_policy_worker = {
	.healthy_us = 5000000,
	.first_us = 200000,
	.cap_us = 5000000,
	.jitter_percent = 0,
};

const struct restart_policy restart_policy_pull = {
	.healthy_us = 5000000,
	.first_us = 500000,
	.cap_us = 10000000,
	.jitter_percent = 20,
};

/* first_us doubled once for each failure after the first, up to the cap. */
static int64_t restart_wait_us(const struct restart_policy *policy, unsigned failures)
{
	int64_t wait_us = policy->first_us;

	while (failures > 1 && wait_us < policy->cap_us) {
		wait_us *= 2;
		failures--;
	}
	return wait_us < policy->cap_us ? wait_us : policy->cap_us;
}

static int64_t restart_vary_us(int64_t wait_us, unsigned percent, uint32_t random)
{
	int64_t spread_us = wait_us * (int64_t)percent / 100;

	if (spread_us == 0) {
		return wait_us;
	}
	return wait_us - spread_us + (int64_t)((uint64_t)random % (uint64_t)(2 * spread_us + 1));
}

int64_t restart_after(struct restart *r, const struct restart_policy *policy, int64_t ran_us,
		      uint32_t random, int64_t now_us)
{
	r->restarts++;
	if (ran_us >= policy->healthy_us) {
		r->failures = 0;
		return now_us;
	}
	r->failures++;
	return now_us + restart_vary_us(restart_wait_us(policy, r->failures),
					policy->jitter_percent, random);
}
