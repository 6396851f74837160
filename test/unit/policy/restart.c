/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When to start again: unit tests of the restart policy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <understudy/policy.h>

#define SECOND_US 1000000

static void a_healthy_run_is_followed_at_once(void **state)
{
	struct restart r = { .failures = 3 };

	assert_int_equal(restart_after(&r, &restart_policy_worker, 5 * SECOND_US, 7, 1000), 1000);
	assert_int_equal(r.failures, 0);
	assert_int_equal(r.restarts, 1);
}

static void waits_double_up_to_the_cap(void **state)
{
	static const int64_t waits_us[] = { 200000,  400000,  800000, 1600000,
					    3200000, 5000000, 5000000 };
	struct restart r = { 0 };

	for (size_t i = 0; i < sizeof(waits_us) / sizeof(waits_us[0]); i++) {
		assert_int_equal(restart_after(&r, &restart_policy_worker, 0, 0, 10),
				 10 + waits_us[i]);
	}
	assert_int_equal(r.restarts, 7);
}

static void the_series_begins_anew_after_a_healthy_run(void **state)
{
	struct restart r = { 0 };

	restart_after(&r, &restart_policy_worker, 0, 0, 0);
	restart_after(&r, &restart_policy_worker, 0, 0, 0);
	restart_after(&r, &restart_policy_worker, 60 * SECOND_US, 0, 0);
	assert_int_equal(restart_after(&r, &restart_policy_worker, 0, 0, 0), 200000);
}

static void jitter_stays_within_its_percentage(void **state)
{
	static const uint32_t randoms[] = { 0, 1, 399999, 400000, 400001, 0x7fffffff, UINT32_MAX };

	for (size_t i = 0; i < sizeof(randoms) / sizeof(randoms[0]); i++) {
		struct restart r = { 0 };
		int64_t at_us = restart_after(&r, &restart_policy_destination, 0, randoms[i], 0);

		assert_in_range(at_us, 800000, 1200000);
	}
}

static void a_destination_is_never_kept_waiting_much_over_its_cap(void **state)
{
	struct restart r = { 0 };
	int64_t at_us = 0;

	for (unsigned i = 0; i < 100; i++) {
		at_us = restart_after(&r, &restart_policy_destination, 0, i * 40503u, 0);
	}
	assert_in_range(at_us, 8 * SECOND_US, 12 * SECOND_US);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_healthy_run_is_followed_at_once),
		cmocka_unit_test(waits_double_up_to_the_cap),
		cmocka_unit_test(the_series_begins_anew_after_a_healthy_run),
		cmocka_unit_test(jitter_stays_within_its_percentage),
		cmocka_unit_test(a_destination_is_never_kept_waiting_much_over_its_cap),
	};

	return cmocka_run_group_tests_name("restart", tests, NULL, NULL);
}
