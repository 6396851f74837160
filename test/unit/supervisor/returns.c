/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why the word `auto` lets the show return to nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../src/supervisor/condition.h"

enum { PRIMARY, BACKUP, SLATE, FEEDS };

static struct config_show show_config;
static struct config_feed configs[FEEDS];
static struct show show;
static struct feed feeds[FEEDS];
static struct source sources[FEEDS];

/* The backup is live, the primary on standby, and the operator lets the show return. */
static struct timeline_feed_status *reset(void)
{
	show_config = (struct config_show){ .name = "main" };
	show_config.failover.return_mode = RETURN_MANUAL;
	configs[PRIMARY] = (struct config_feed){ .name = "primary" };
	configs[BACKUP] = (struct config_feed){ .name = "backup" };
	configs[SLATE] = (struct config_feed){ .name = "slate", .file = (char[]){ "slate.mp4" } };
	memset(&show, 0, sizeof(show));
	show.config = &show_config;
	TAILQ_INIT(&show.feeds);
	show.status.timeline.feed_count = FEEDS;
	for (unsigned i = 0; i < FEEDS; i++) {
		feeds[i] = (struct feed){ .show = &show,
					  .config = &configs[i],
					  .id = (uint16_t)(i + 1) };
		sources[i] = (struct source){ .feed = &feeds[i], .is_ready = true };
		TAILQ_INIT(&feeds[i].sources);
		TAILQ_INSERT_TAIL(&feeds[i].sources, &sources[i], entry);
		TAILQ_INSERT_TAIL(&show.feeds, &feeds[i], entry);
		show.status.timeline.feeds[i] = (struct timeline_feed_status){
			.id = feeds[i].id, .state = FEED_STANDBY, .is_compatible = true
		};
	}
	show.status.timeline.live = feeds[BACKUP].id;
	return &show.status.timeline.feeds[PRIMARY];
}

static void assert_stays(const char *words)
{
	char why[512];

	if (!condition_stays(&show, why, sizeof(why))) {
		fail_msg("it returns");
	}
	if (strstr(why, words) == NULL) {
		fail_msg("\"%s\" does not say \"%s\"", why, words);
	}
}

static void assert_returns(void)
{
	char why[512];

	assert_false(condition_stays(&show, why, sizeof(why)));
}

static void what_keeps_the_preferred_feed_off_is_told(void **state)
{
	reset();
	assert_returns();
	reset()->state = FEED_DEGRADED;
	assert_stays("primary cannot be returned to now: it is in bad health");
	reset()->state = FEED_STALLED;
	assert_stays("nothing comes from it");
	sources[PRIMARY].is_closed = true;
	assert_stays("no encoder is connected to it");
}

static void a_feed_of_another_format_is_refused_where_a_matching_one_is_live(void **state)
{
	reset()->is_compatible = false;
	assert_stays("its format does not match");
	show.status.timeline.feeds[BACKUP].is_compatible = false;
	assert_returns();
	show_config.failover.on_mismatch = MISMATCH_REFUSE;
	assert_stays("its format does not match");
	show_config.failover.on_mismatch = MISMATCH_ALLOW;
	assert_returns();
}

static void any_preferred_encoder_will_do(void **state)
{
	reset()->state = FEED_STALLED;
	show.status.timeline.live = feeds[SLATE].id;
	assert_returns(); /* a slate is left for whoever is steady */
	configs[SLATE].file = NULL;
	assert_returns(); /* to the backup */
	show.status.timeline.feeds[BACKUP].state = FEED_DEGRADED;
	assert_stays("primary cannot be returned to now: its encoder is connected, but nothing "
		     "comes from it; backup cannot be returned to now: it is in bad health");
	configs[PRIMARY].file = configs[BACKUP].file = (char[]){ "slate.mp4" };
	assert_returns(); /* there is nobody to return to */
}

static void what_is_said_is_true_of_the_mode_of_return(void **state)
{
	reset()->is_compatible = false;
	show_config.failover.return_mode = RETURN_AUTO; /* the backup was taken before */
	assert_stays("its format does not match");
	show_config.failover.return_mode = RETURN_NEVER;
	assert_stays("return is `never`: the show stays with backup");
	show.status.timeline.live = feeds[PRIMARY].id;
	assert_returns();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_keeps_the_preferred_feed_off_is_told),
		cmocka_unit_test(a_feed_of_another_format_is_refused_where_a_matching_one_is_live),
		cmocka_unit_test(any_preferred_encoder_will_do),
		cmocka_unit_test(what_is_said_is_true_of_the_mode_of_return),
	};

	return cmocka_run_group_tests_name("supervisor returns", tests, NULL, NULL);
}
