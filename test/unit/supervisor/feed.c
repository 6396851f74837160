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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ring_holds_what_waits_for_the_delay_and_the_offset),
	};

	return cmocka_run_group_tests_name("supervisor feed", tests, NULL, NULL);
}
