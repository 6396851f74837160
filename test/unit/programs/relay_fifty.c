/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One of fifty platforms stalls, then crawls, then resets: what the other forty-nine see of it. */
#define PLATFORMS 50
#include "relay_world.h"

#define BAD (PLATFORMS - 1)
#define FRAME_BYTES 4000
#define BUFFERED_GOPS 20 /* more than max_backlog_ms and sockets hold */

static bool is_everywhere(const struct world *w, unsigned count)
{
	for (unsigned i = 0; i < BAD; i++) {
		if (w->platforms[i].count < count) {
			return false;
		}
	}
	return true;
}

/* A group of pictures is given to all. The next one comes only when everybody else has this one
 * whole: who waited for the bad one would end the test. */
static void play(struct world *w)
{
	uint32_t first = w->number;

	put_gop(w, FRAME_BYTES);
	WAIT_FOR(w, is_everywhere(w, 2 * GOP));
	for (unsigned i = 0; i < BAD; i++) {
		const struct platform *f = &w->platforms[i];

		assert_int_equal(f->count, 2 * GOP);
		for (unsigned n = 0; n < GOP; n++) {
			assert_int_equal(f->messages[2 * n].type, 9);
			assert_int_equal(f->messages[2 * n].size, 5 + FRAME_BYTES);
			assert_int_equal(number_of(&f->messages[2 * n]), first + n);
			assert_int_equal(f->messages[2 * n + 1].type, 8);
		}
	}
	for (unsigned i = 0; i < PLATFORMS; i++) {
		platform_forget(&w->platforms[i]);
	}
}

/* Until the bad one is said to have lost frames, more of them than `before`. */
static void play_until_dropped(struct world *w, uint64_t before)
{
	const struct ipc_destination_status *status = &w->status[BAD + 1];

	for (unsigned gop = 0; gop < BUFFERED_GOPS; gop++) {
		play(w);
	}
	WAIT_FOR(w, status->dropped > before);
}

static void forty_nine_feel_nothing_of_one_that_stalls_crawls_and_resets(void **state)
{
	struct world *w = *state;
	struct platform *bad = &w->platforms[BAD];

	start(w, 20000);
	bad->is_deaf = true;
	for (unsigned i = 0; i < PLATFORMS; i++) {
		struct ipc_destination_add order = order_for(w, i + 1, platform_host(), false);

		order.stall_us = INT64_C(600) * 1000000; /* the show runs faster than the clock */
		add_order(w, &order);
	}
	put_gop(w, FRAME_BYTES);
	for (unsigned i = 0; i < PLATFORMS; i++) {
		WAIT_FOR(w, w->platforms[i].published == 1);
		WAIT_FOR(w, w->status[i + 1].state == DESTINATION_HELD);
	}
	put_gop(w, FRAME_BYTES);
	WAIT_FOR(w, is_everywhere(w, 3 + 2 * GOP));
	for (unsigned i = 0; i < BAD; i++) {
		platform_forget(&w->platforms[i]);
	}
	play_until_dropped(w, 0); /* it stalls */
	bad->is_deaf = false;
	bad->manner = PLATFORM_CRAWLS;
	play_until_dropped(w, w->status[BAD + 1].dropped);
	bad->manner = PLATFORM_RESETS;
	WAIT_FOR(w, bad->accepted == 2);
	play(w);
	WAIT_FOR(w, bad->accepted == 3);
	play(w);
	for (unsigned i = 0; i < BAD; i++) {
		assert_int_equal(w->platforms[i].accepted, 1);
		assert_int_equal(w->status[i + 1].dropped, 0);
		assert_int_equal(w->status[i + 1].restarts, 0);
		assert_int_equal(w->status[i + 1].state, DESTINATION_LIVE);
	}
	finish(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			forty_nine_feel_nothing_of_one_that_stalls_crawls_and_resets, setup,
			teardown),
	};

	return cmocka_run_group_tests_name("relay_fifty", tests, NULL, NULL);
}
