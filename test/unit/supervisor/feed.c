/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is asked of the rings of feeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/supervisor/supervisor.h"

static void a_ring_holds_what_waits_for_the_delay_and_the_offset(void **state)
{
	static struct config_show show_config = { .delay_ms = 3000 };
	static struct config_feed config;
	static struct show show = { .config = &show_config };
	static const struct feed feed = { .show = &show, .config = &config };
	int64_t span_us = feed_span_us(&feed);

	assert_true(span_us > 3000000 + 2000000); /* and what a switch that is held up takes up */
	config.offset_ms = 30000;
	assert_int_equal(feed_span_us(&feed), span_us + 30000000);
	config.offset_ms = -2000;
	assert_int_equal(feed_span_us(&feed), span_us);
}

static void a_ring_made_while_the_delay_comes_down_holds_what_it_still_is(void **state)
{
	static struct config_show longer = { .delay_ms = 30000 }, shorter = { .delay_ms = 1000 };
	static struct config_feed config;
	static struct show show = { .config = &longer };
	static const struct feed feed = { .show = &show, .config = &config };
	int64_t long_us = feed_span_us(&feed);

	show_note_lower_delay(&show);
	show.config = &shorter;
	assert_in_range(feed_span_us(&feed), long_us - 1000000, long_us);
	show.lowered_us -= INT64_C(1000000000);
	assert_in_range(feed_span_us(&feed), long_us - 6000000, long_us - 5000000);
	show_note_lower_delay(&show); /* and lower still, from where it is by now */
	assert_in_range(feed_span_us(&feed), long_us - 6000000, long_us - 5000000);
	show.lowered_us -= INT64_C(10000000000);
	assert_int_equal(feed_span_us(&feed), long_us - 29000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ring_holds_what_waits_for_the_delay_and_the_offset),
		cmocka_unit_test(a_ring_made_while_the_delay_comes_down_holds_what_it_still_is),
	};

	return cmocka_run_group_tests_name("supervisor feed", tests, NULL, NULL);
}
