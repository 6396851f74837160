/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long a re-execution waits for those who are leaving. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../src/supervisor/supervisor.h"

static struct config config;
static struct config_show show_config = { .name = "main" };
static struct config_feed feed_config = { .name = "primary" };
static struct supervisor sup;
static struct show show;

/* A feed that was removed; its encoder has gone, and the switch, if one ran, would still read what
 * it left. */
static int set_up(void **state)
{
	sup = (struct supervisor){ .base = event_base_new(), .config = &config };
	show = (struct show){ .supervisor = &sup, .config = &show_config };
	TAILQ_INIT(&sup.shows);
	TAILQ_INIT(&sup.srt_ports);
	TAILQ_INSERT_TAIL(&sup.shows, &show, entry);
	TAILQ_INIT(&show.feeds);
	struct feed *feed = feed_create(&show, &feed_config);
	struct source *source = calloc(1, sizeof(*source));
	assert_non_null(feed);
	assert_non_null(source);
	*source = (struct source){ .feed = feed,
				   .ring_fd = dup(STDERR_FILENO),
				   .wake_fd = -1,
				   .is_ready = true,
				   .is_closed = true };
	TAILQ_INSERT_TAIL(&feed->sources, source, entry);
	feed->is_leaving = true;
	return 0;
}

static int tear_down(void **state)
{
	if (sup.reexec_due != NULL) {
		event_free(sup.reexec_due);
	}
	secrets_finish(&sup.secrets);
	event_base_free(sup.base);
	return 0;
}

static void re_execution_waits_until_the_switch_has_released_what_is_leaving(void **state)
{
	struct feed *feed = TAILQ_FIRST(&show.feeds);

	leave_await(&sup);
	leave_settle(&sup);
	assert_non_null(sup.reexec_due);
	source_release(TAILQ_FIRST(&feed->sources));
	feed_settle(feed);
	assert_true(TAILQ_EMPTY(&show.feeds));
	assert_null(sup.reexec_due);
}

static void re_execution_does_not_wait_for_ever_for_a_switch_that_does_not_run(void **state)
{
	struct timeval end, now;

	leave_await(&sup);
	assert_true(event_pending(sup.reexec_due, EV_TIMEOUT, &end));
	event_base_gettimeofday_cached(sup.base, &now);
	assert_in_range(end.tv_sec - now.tv_sec, 29, 31);
	event_active(sup.reexec_due, EV_TIMEOUT, 1);
	event_base_loop(sup.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	assert_true(TAILQ_EMPTY(&show.feeds));
	assert_false(leave_is_pending(&sup));
	assert_null(sup.reexec_due);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			re_execution_waits_until_the_switch_has_released_what_is_leaving, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			re_execution_does_not_wait_for_ever_for_a_switch_that_does_not_run, set_up,
			tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
