/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ledger: sums, causes, clocks that are set, and simulated months in which every second has
 * to be accounted for exactly once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <understudy/ledger.h>

#define SECOND INT64_C(1000000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

static int64_t sum(const struct ledger *l)
{
	int64_t us = 0;

	for (int i = 0; i < LEDGER_CLASSES; i++) {
		us += l->us[i];
	}
	return us;
}

static int64_t sum_of_causes(const struct ledger *l)
{
	int64_t us = 0;

	for (unsigned i = 0; i < l->cause_count; i++) {
		us += l->causes[i].us;
	}
	return us;
}

static void on_and_off_are_counted_with_their_causes(void **state)
{
	struct ledger l = { 0 };

	ledger_set(&l, 100, LEDGER_ON, NULL);
	ledger_set(&l, 1100, LEDGER_OFF, "connection reset");
	ledger_set(&l, 1400, LEDGER_OFF, "refused");
	ledger_set(&l, 1500, LEDGER_ON, NULL);
	ledger_set(&l, 2000, LEDGER_OFF, "connection reset");
	ledger_advance(&l, 2100);
	assert_int_equal(l.us[LEDGER_ON], 1500);
	assert_int_equal(l.us[LEDGER_OFF], 500);
	assert_int_equal(l.interruptions, 2);
	assert_int_equal(l.longest_off_us, 400); /* across causes */
	assert_int_equal(l.longest_off_at_us, 1100);
	assert_int_equal(l.cause_count, 2);
	assert_string_equal(l.causes[0].text, "connection reset");
	assert_int_equal(l.causes[0].us, 400);
	assert_int_equal(l.causes[0].times, 2);
	assert_int_equal(l.causes[1].us, 100);
	assert_true(ledger_percent(&l) > 74.9 && ledger_percent(&l) < 75.1);
}

static void rest_is_no_interruption_and_not_in_the_percentage(void **state)
{
	struct ledger l = { 0 };

	ledger_set(&l, 0, LEDGER_ON, NULL);
	ledger_set(&l, 100, LEDGER_REST, "ended by the operator");
	ledger_set(&l, 900, LEDGER_ON, NULL);
	ledger_advance(&l, 1000);
	assert_int_equal(l.interruptions, 0);
	assert_int_equal(l.us[LEDGER_REST], 800);
	assert_int_equal((int)ledger_percent(&l), 100);
}

static void period_may_begin_in_the_middle_of_a_stretch(void **state)
{
	struct ledger l = { 0 };

	ledger_set(&l, 0, LEDGER_ON, NULL);
	ledger_set(&l, 50, LEDGER_OFF, "no feed");
	ledger_begin(&l, 80);
	ledger_advance(&l, 100);
	assert_int_equal(l.from_us, 80);
	assert_int_equal(sum(&l), 20);
	assert_int_equal(l.us[LEDGER_OFF], 20);
	assert_string_equal(l.causes[0].text, "no feed");
}

static void more_causes_than_there_is_room_for_are_gathered(void **state)
{
	struct ledger l = { 0 };
	char cause[32];

	for (int i = 0; i < 100; i++) {
		snprintf(cause, sizeof(cause), "cause %d", i);
		ledger_set(&l, i * 10, LEDGER_OFF, cause);
	}
	ledger_advance(&l, 1000);
	assert_int_equal(l.cause_count, LEDGER_CAUSES);
	assert_int_equal(sum_of_causes(&l), 1000);
	assert_string_equal(l.causes[LEDGER_CAUSES - 1].text, "other causes");
	assert_int_equal(l.causes[LEDGER_CAUSES - 1].us, 1000 - 10 * (LEDGER_CAUSES - 1));
}

static void time_that_runs_backwards_counts_as_none(void **state)
{
	struct ledger l = { 0 };

	ledger_set(&l, 1000, LEDGER_ON, NULL);
	ledger_set(&l, 500, LEDGER_OFF, "x");
	ledger_advance(&l, 1500);
	assert_int_equal(sum(&l), 500);
	assert_int_equal(l.us[LEDGER_OFF], 500);
}

static struct ledger_time at(int64_t boot_us, int64_t wall_us)
{
	return (struct ledger_time){ .boot_us = boot_us, .wall_us = wall_us };
}

static void clock_that_is_set_bends_no_durations(void **state)
{
	/* One run of an hour, in the middle of which the wall clock jumped back by a day; then a
	 * second run of the same boot, ten minutes later. */
	struct ledger_run runs[] = {
		{ .boot = 1, .began = at(0, 5 * DAY), .last = at(HOUR, 4 * DAY + HOUR) },
		{ .boot = 1,
		  .began = at(HOUR + 600 * SECOND, 4 * DAY + HOUR + 600 * SECOND),
		  .last = at(3 * HOUR, 4 * DAY + 3 * HOUR) },
	};

	ledger_axis(runs, 2);
	assert_int_equal(runs[0].axis_us, 4 * DAY);
	assert_int_equal(ledger_place(&runs[0], HOUR), 4 * DAY + HOUR);
	assert_int_equal(runs[1].axis_us, 4 * DAY + HOUR + 600 * SECOND);
}

static void between_two_boots_wall_time_counts(void **state)
{
	struct ledger_run runs[] = {
		{ .boot = 1, .began = at(900 * HOUR, DAY), .last = at(901 * HOUR, DAY + HOUR) },
		{ .boot = 2,
		  .began = at(SECOND, DAY + 2 * HOUR),
		  .last = at(HOUR, DAY + 3 * HOUR) },
	};

	ledger_axis(runs, 2);
	assert_int_equal(ledger_place(&runs[0], 901 * HOUR), DAY + HOUR + SECOND);
	assert_int_equal(ledger_place(&runs[1], SECOND), DAY + 2 * HOUR + SECOND);
}

/* ---- simulated months ---- */

#define RUNS 400
#define EVENTS 60

struct world {
	uint64_t random;
	int64_t boot_us, wall_us; /* the machine's clocks */
	uint64_t boot;
	int64_t true_us; /* what a perfect clock would say */
};

static int64_t roll(struct world *w, int64_t below)
{
	w->random = w->random * 6364136223846793005u + 1442695040888963407u;
	return (int64_t)((w->random >> 33) % (uint64_t)below);
}

static void pass(struct world *w, int64_t us)
{
	w->boot_us += us;
	w->wall_us += us;
	w->true_us += us;
	if (roll(w, 20) == 0) {
		w->wall_us += roll(w, 4 * HOUR) - 2 * HOUR; /* somebody sets the clock */
	}
}

struct moment {
	unsigned run;
	int64_t boot_us, true_us;
	enum ledger_class now;
};

/* Runs that crash, are restarted and rebooted; the clock is set only while one runs (between
 * boots there is nothing else to go by). */
static unsigned simulate(struct world *w, struct ledger_run *runs, struct moment *moments)
{
	static const enum ledger_class classes[] = { LEDGER_ON, LEDGER_ON, LEDGER_OFF, LEDGER_REST,
						     LEDGER_UNKNOWN };
	unsigned count = 0;

	for (unsigned i = 0; i < RUNS; i++) {
		int64_t gap_us = roll(w, 6 * HOUR);

		w->boot_us += gap_us;
		w->wall_us += gap_us;
		w->true_us += gap_us;
		if (roll(w, 3) == 0) {
			w->boot++;
			w->boot_us = roll(w, 100 * SECOND);
		}
		runs[i] = (struct ledger_run){ .boot = w->boot,
					       .began = at(w->boot_us, w->wall_us) };
		for (int64_t n = roll(w, EVENTS) + 1; n > 0; n--) {
			moments[count++] = (struct moment){ i, w->boot_us, w->true_us,
							    classes[roll(w, 5)] };
			pass(w, roll(w, HOUR / 2));
		}
		runs[i].last = at(w->boot_us, w->wall_us);
		moments[count++] = (struct moment){ i, w->boot_us, w->true_us, LEDGER_NOTHING };
	}
	return count;
}

static void months_of_random_events_are_accounted_for_to_the_second(void **state)
{
	static struct ledger_run runs[RUNS];
	static struct moment moments[RUNS * (EVENTS + 1)];

	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct world w = { .random = seed, .wall_us = 20000 * DAY };
		unsigned count = simulate(&w, runs, moments);
		int64_t true_us[LEDGER_CLASSES] = { 0 };
		struct ledger l = { 0 };

		ledger_axis(runs, RUNS);
		assert_int_equal(ledger_place(&runs[RUNS - 1], w.boot_us), w.wall_us);
		for (unsigned i = 0; i < count; i++) {
			const struct moment *m = &moments[i];
			bool is_end = m->now == LEDGER_NOTHING;
			enum ledger_class now = is_end ? LEDGER_OFF : m->now;

			ledger_set(&l, ledger_place(&runs[m->run], m->boot_us), now,
				   is_end ? LEDGER_NOT_RUNNING : "lost");
			true_us[now] += i + 1 < count ? moments[i + 1].true_us - m->true_us : 0;
		}
		assert_int_equal(sum(&l), l.at_us - l.from_us);
		assert_int_equal(sum_of_causes(&l), l.us[LEDGER_OFF]);
		assert_int_equal(l.at_us, w.wall_us);
		assert_true(w.true_us > 60 * DAY);
		for (int c = 0; c < LEDGER_CLASSES; c++) {
			assert_int_equal(l.us[c], true_us[c]);
		}
		/* Any later beginning: the sums are that period. */
		int64_t from_us = l.from_us + roll(&w, l.at_us - l.from_us);
		struct ledger part = { 0 };
		bool has_begun = false;
		for (unsigned i = 0; i < count; i++) {
			const struct moment *m = &moments[i];
			int64_t at_us = ledger_place(&runs[m->run], m->boot_us);

			if (!has_begun && at_us >= from_us) {
				ledger_begin(&part, from_us);
				has_begun = true;
			}
			ledger_set(&part, at_us, m->now == LEDGER_NOTHING ? LEDGER_OFF : m->now,
				   "lost");
		}
		assert_int_equal(sum(&part), w.wall_us - from_us);
		assert_int_equal(part.from_us, from_us);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(on_and_off_are_counted_with_their_causes),
		cmocka_unit_test(rest_is_no_interruption_and_not_in_the_percentage),
		cmocka_unit_test(period_may_begin_in_the_middle_of_a_stretch),
		cmocka_unit_test(more_causes_than_there_is_room_for_are_gathered),
		cmocka_unit_test(time_that_runs_backwards_counts_as_none),
		cmocka_unit_test(clock_that_is_set_bends_no_durations),
		cmocka_unit_test(between_two_boots_wall_time_counts),
		cmocka_unit_test(months_of_random_events_are_accounted_for_to_the_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
