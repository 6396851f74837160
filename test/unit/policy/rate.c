/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Events per key: unit tests of the rate table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <understudy/policy.h>

#define WINDOW_US 60000000

static void events_of_a_key_are_counted_within_the_window(void **state)
{
	struct rate_table t = { 0 };

	assert_int_equal(rate_get(&t, 42, WINDOW_US, 0), 0);
	assert_int_equal(rate_count(&t, 42, WINDOW_US, 0), 1);
	assert_int_equal(rate_count(&t, 42, WINDOW_US, 1000), 2);
	assert_int_equal(rate_get(&t, 42, WINDOW_US, 2000), 2);
	assert_int_equal(rate_get(&t, 43, WINDOW_US, 2000), 0);
}

static void a_window_that_is_over_counts_no_more(void **state)
{
	struct rate_table t = { 0 };

	rate_count(&t, 42, WINDOW_US, 0);
	rate_count(&t, 42, WINDOW_US, WINDOW_US - 1);
	assert_int_equal(rate_get(&t, 42, WINDOW_US, WINDOW_US - 1), 2);
	assert_int_equal(rate_get(&t, 42, WINDOW_US, WINDOW_US), 0);
	assert_int_equal(rate_count(&t, 42, WINDOW_US, WINDOW_US), 1);
}

static void key_zero_is_a_key(void **state)
{
	struct rate_table t = { 0 };

	assert_int_equal(rate_count(&t, 0, WINDOW_US, 5), 1);
	assert_int_equal(rate_count(&t, 0, WINDOW_US, 5), 2);
}

static void a_full_table_gives_up_the_oldest_window(void **state)
{
	struct rate_table t = { 0 };

	for (uint64_t key = 1; key <= RATE_ENTRIES; key++) {
		rate_count(&t, key, WINDOW_US, (int64_t)key);
	}
	assert_int_equal(rate_count(&t, 1000, WINDOW_US, 1000), 1);
	assert_int_equal(rate_get(&t, 1, WINDOW_US, 1000), 0);
	assert_int_equal(rate_get(&t, 2, WINDOW_US, 1000), 1);
	assert_int_equal(rate_get(&t, RATE_ENTRIES, WINDOW_US, 1000), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_of_a_key_are_counted_within_the_window),
		cmocka_unit_test(a_window_that_is_over_counts_no_more),
		cmocka_unit_test(key_zero_is_a_key),
		cmocka_unit_test(a_full_table_gives_up_the_oldest_window),
	};

	return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
