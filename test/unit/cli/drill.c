/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a rehearsal consists of, and when it says that the show held. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <understudy/history.h>
#include <understudy/text.h>

#include "drill.h"

static struct explain_facts facts;
static struct explanation promise;
static struct drill_plan plan;
static struct drill_seen seen;
static struct findings verdict;
static char error[512];

static json_t *show_json(void)
{
	return json_pack("{s:[{s:s, s:s}, {s:s, s:s}]}", "destinations", "name", "youtube", "state",
			 "live", "name", "twitch", "state", "backing_off");
}

static void add_feed(const char *name, const char *state, bool is_slate)
{
	struct explain_feed *feed = &facts.feeds[facts.feed_count++];

	*feed = (struct explain_feed){ .is_slate = is_slate, .gop_ms = 2000, .has_video = true };
	text_copy(feed->name, sizeof(feed->name), name);
	text_copy(feed->state, sizeof(feed->state), state);
}

/* Two encoders and a delay that is enough for their key frames. */
static int setup(void **state)
{
	(void)state;
	facts = (struct explain_facts){
		.is_running = true, .delay_ms = 3500, .stall_ms = 500, .return_after_s = 30
	};
	text_copy(facts.live, sizeof(facts.live), "primary");
	add_feed("primary", "live", false);
	add_feed("backup", "standby", false);
	explain_make(&facts, &promise);
	/* Everything as it should be after a loss of the first. */
	seen = (struct drill_seen){ .fault_ms = 1000,
				    .mended_ms = 5000,
				    .noticed_ms = 500,
				    .left_ms = 2000,
				    .off_since_ms = DRILL_NONE,
				    .returned_ms = 31000,
				    .down_ms = DRILL_NONE,
				    .up_ms = DRILL_NONE,
				    .failovers = 1,
				    .failbacks = 1,
				    .has_witness = true,
				    .picture = { 0, 0, 34, 33 },
				    .sound = { 0, 0, 22, 21 },
				    .destination_count = 1 };
	text_copy(seen.to, sizeof(seen.to), "backup");
	seen.destinations[0] = (struct drill_destination){ .was_up = true, .is_up = true };
	text_copy(seen.destinations[0].name, sizeof(seen.destinations[0].name), "youtube");
	return 0;
}

static bool make_plan(const char *scenario)
{
	json_t *show = show_json();
	bool is_made = drill_plan(&facts, show, scenario, false, &plan, error, sizeof(error));

	json_decref(show);
	return is_made;
}

static void judge(const char *scenario)
{
	assert_true(make_plan(scenario));
	drill_judge(&plan.steps[0], &seen, &facts, &promise, &verdict);
}

static void assert_says(const char *words)
{
	for (unsigned i = 0; i < verdict.count; i++) {
		if (strstr(verdict.items[i].text, words) != NULL) {
			return;
		}
	}
	for (unsigned i = 0; i < verdict.count; i++) {
		print_message("said: %s\n", verdict.items[i].text);
	}
	fail_msg("nothing is said of: %s", words);
}

/* ---- plans ---- */

static void the_first_encoder_that_is_there_is_the_primary(void **state)
{
	(void)state;
	text_copy(facts.feeds[0].state, sizeof(facts.feeds[0].state), "offline");
	assert_true(make_plan("pull-primary"));
	assert_int_equal(plan.count, 1);
	assert_string_equal(plan.steps[0].targets[0], "backup");
}

static void a_slate_is_never_pulled(void **state)
{
	(void)state;
	add_feed("slate", "standby", true);
	assert_true(make_plan("pull-all"));
	assert_int_equal(plan.steps[0].target_count, 2);
	assert_string_equal(plan.steps[0].targets[1], "backup");
}

static void everything_loses_destinations_that_are_live_only(void **state)
{
	bool loses_youtube = false;

	(void)state;
	assert_true(make_plan("all"));
	for (unsigned i = 0; i < plan.count; i++) {
		assert_string_not_equal(plan.steps[i].name, "lose-destination twitch");
		loses_youtube |= strcmp(plan.steps[i].name, "lose-destination youtube") == 0;
	}
	assert_true(loses_youtube);
}

static void what_cannot_be_rehearsed_is_refused_with_the_reason(void **state)
{
	(void)state;
	assert_false(make_plan("juggle"));
	assert_non_null(strstr(error, "stall-primary"));
	assert_false(make_plan("lose-destination nobody"));
	assert_false(make_plan("kill-worker"));
	assert_true(make_plan("lose-destination=youtube"));
	facts.feed_count = 0;
	assert_false(make_plan("pull-primary"));
	assert_non_null(strstr(error, "start the encoders"));
}

/* ---- verdicts ---- */

static void an_unbroken_show_held(void **state)
{
	(void)state;
	judge("pull-primary");
	assert_false(verdict.has_bad);
	assert_says("no frame was missing");
	assert_says("kept its connection");
}

static void a_missing_or_doubled_frame_fails_a_show_with_a_delay(void **state)
{
	(void)state;
	seen.picture = (struct drill_track){ 3, 0, 133, 33 };
	judge("stall-primary");
	assert_true(verdict.has_bad);
	assert_says("3 frames were missing");
	setup(state);
	seen.sound.doubled = 1;
	judge("stall-primary");
	assert_true(verdict.has_bad);
}

static void without_a_delay_a_gap_is_held_against_what_is_promised(void **state)
{
	(void)state;
	facts.delay_ms = 0;
	explain_make(&facts, &promise);
	seen.picture = (struct drill_track){ 50, 0, 1700, 33 };
	judge("pull-primary");
	assert_false(verdict.has_bad);
	seen.picture = (struct drill_track){ 120, 0, 4000, 33 };
	judge("pull-primary");
	assert_true(verdict.has_bad);
}

static void key_frames_too_far_apart_come_with_advice(void **state)
{
	(void)state;
	facts.feeds[1].gop_ms = 8000;
	explain_make(&facts, &promise);
	seen.picture = (struct drill_track){ 100, 0, 3400, 33 };
	judge("pull-primary");
	assert_true(verdict.has_bad);
	assert_says("delay_ms would have to be");
}

static void a_show_that_stays_or_does_not_return_fails(void **state)
{
	(void)state;
	seen.left_ms = DRILL_NONE;
	judge("pull-primary");
	assert_true(verdict.has_bad);
	setup(state);
	seen.returned_ms = DRILL_NONE;
	judge("pull-primary");
	assert_true(verdict.has_bad);
	facts.return_mode = RETURN_MANUAL;
	judge("pull-primary");
	assert_false(verdict.has_bad);
}

static void another_format_on_air_fails(void **state)
{
	(void)state;
	text_copy(seen.mismatch, sizeof(seen.mismatch), "resolution 1280x720");
	judge("pull-primary");
	assert_true(verdict.has_bad);
	assert_says("1280x720");
}

static void a_lost_connection_fails_unless_it_was_meant(void **state)
{
	(void)state;
	seen.destinations[0].restarts = 1;
	judge("pull-primary");
	assert_true(verdict.has_bad);
	seen.down_ms = 10;
	seen.up_ms = 900;
	judge("lose-destination youtube");
	assert_false(verdict.has_bad);
	seen.up_ms = DRILL_NONE;
	judge("lose-destination youtube");
	assert_true(verdict.has_bad);
}

static void a_frozen_picture_is_said_to_be_unnoticeable(void **state)
{
	(void)state;
	seen.failovers = 0;
	judge("freeze-primary");
	assert_false(verdict.has_bad);
	assert_says("not noticeable without decoding");
}

static void a_show_that_follows_the_flapping_fails(void **state)
{
	(void)state;
	seen.failbacks = 3;
	judge("flap");
	assert_true(verdict.has_bad);
}

static void twins_are_not_left_for_holes_and_may_take_turns(void **state)
{
	(void)state;
	text_copy(facts.feeds[0].twin_of, sizeof(facts.feeds[0].twin_of), "backup");
	seen.left_ms = DRILL_NONE;
	judge("starve-primary");
	assert_false(verdict.has_bad);
	assert_says("no frame was missing");
	seen.picture.missing = 20;
	judge("starve-primary");
	assert_true(verdict.has_bad);
	setup(state);
	text_copy(facts.feeds[0].twin_of, sizeof(facts.feeds[0].twin_of), "backup");
	seen.failbacks = 3;
	judge("flap");
	assert_false(verdict.has_bad);
}

static void a_machine_that_is_too_busy_is_named_and_no_excuse(void **state)
{
	(void)state;
	seen.held_ups = 2;
	text_copy(seen.held_up, sizeof(seen.held_up), "nothing could be sent for 628 ms");
	judge("stall-primary");
	assert_false(verdict.has_bad);
	assert_says("stood still (2 x, first: nothing could be sent for 628");
	seen.picture.missing = 3;
	judge("stall-primary");
	assert_true(verdict.has_bad);
	assert_says("rehearse again");
}

static void without_a_slate_silence_is_no_failure_but_said(void **state)
{
	(void)state;
	seen.off_ms = 4000;
	seen.picture.missing = 120;
	judge("pull-all");
	assert_false(verdict.has_bad);
	assert_says("file: auto");
	add_feed("slate", "standby", true);
	judge("pull-all");
	assert_true(verdict.has_bad);
}

static void nothing_seen_is_nothing_proved(void **state)
{
	(void)state;
	seen.has_witness = false;
	judge("pull-primary");
	assert_true(verdict.has_bad);
	seen.hindrance = DRILL_ALONE;
	judge("pull-primary");
	assert_true(verdict.has_bad);
	assert_says("nothing was done");
}

/* ---- a step that cannot begin ---- */

#define SHOW                                                                                      \
	"{\"name\":\"main\",\"on_air\":true,\"live\":\"backup\",\"why\":\"no video for 500 ms\"," \
	"\"feeds\":[],\"destinations\":[],\"failover\":{\"return\":\"never\"}}"

/* A relay that makes no faults. */
static void answer(FILE *in, FILE *out)
{
	char line[512];

	while (fgets(line, sizeof(line), in) != NULL) {
		json_t *request = json_loads(line, 0, NULL);
		const char *command = json_string_value(json_object_get(request, "command"));
		int mark = (int)json_integer_value(json_object_get(request, "mark"));

		if (strcmp(command, "witness_mark") == 0) {
			fprintf(out, "{\"ok\":true}\n{\"summary\":{\"mark\":%d}}\n", mark);
		} else if (strcmp(command, "status") == 0) {
			fprintf(out, "{\"ok\":true,\"status\":{\"shows\":[%s]}}\n", SHOW);
		} else if (strcmp(command, "explain") == 0) {
			fprintf(out, "{\"ok\":true,\"explain\":%s}\n", SHOW);
		} else {
			fprintf(out, "{\"ok\":false,\"error\":\"not that\"}\n");
		}
		fflush(out);
		json_decref(request);
	}
}

static void another_feed_on_air_is_named_and_nothing_is_done(void **state)
{
	static struct drill drill = { .show = "main" };
	int ends[2];

	(void)state;
	facts.return_mode = RETURN_NEVER;
	facts.delay_ms = 0;
	drill.facts = facts;
	drill.events = json_array();
	assert_true(make_plan("pull-primary"));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[0]);
		answer(fdopen(ends[1], "r"), fdopen(dup(ends[1]), "w"));
		_exit(0);
	}
	close(ends[1]);
	client_adopt(&drill.client, ends[0], "the relay");
	assert_int_equal(drill_run(&drill, &plan.steps[0], &seen), EXIT_DONE);
	assert_int_equal(seen.fault_ms, DRILL_NONE);
	drill_judge(&plan.steps[0], &seen, &facts, &promise, &verdict);
	assert_true(verdict.has_bad);
	assert_says(
		"primary is not on air: feed backup is (no video for 500 ms); nothing was done");
	assert_says("understudy take");
	drill_close(&drill);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* ---- starvation ---- */

static void a_starved_feed_is_left_within_what_explain_says(void **state)
{
	(void)state;
	facts.health.of[SIGNAL_FRAME_RATE].enter = 65;
	explain_make(&facts, &promise);
	seen.left_ms = 9000;
	seen.picture.missing = 120;
	judge("starve-primary");
	assert_false(verdict.has_bad);
	assert_says("hitched for 5500 ms");
	seen.left_ms = 13000;
	judge("starve-primary");
	assert_true(verdict.has_bad);
	assert_says("promised are 10500");
}

/* ---- practice platforms ---- */

static void a_practice_platform_has_to_get_something_and_in_order(void **state)
{
	struct drill_destination *d = &seen.destinations[0];

	(void)state;
	d->is_practised = true;
	d->bytes = 1000000;
	d->heard_ms = 42;
	judge("pull-primary");
	assert_false(verdict.has_bad);
	assert_says("42 ms, at youtube");
	d->backwards = 2;
	judge("pull-primary");
	assert_true(verdict.has_bad);
	assert_says("ran backwards 2 times");
	d->bytes = 0;
	judge("pull-primary");
	assert_says("got nothing");
}

static json_t *shortened_report(unsigned steps)
{
	json_t *report = json_pack("{s:s, s:[]}", "events", "they are there already", "steps");

	for (unsigned i = 0; i < steps; i++) {
		json_array_append_new(json_object_get(report, "steps"),
				      drill_step_json(&plan.steps[0], &seen, &verdict));
	}
	drill_shorten_report(report);
	assert_null(json_object_get(report, "events"));
	assert_true(json_dumpb(report, NULL, 0, JSON_COMPACT) < HISTORY_REPORT);
	return report;
}

static bool report_has(const json_t *report, const char *detail)
{
	const json_t *step = json_array_get(json_object_get(report, "steps"), 0);

	assert_string_equal(json_string_value(json_object_get(step, "scenario")), "pull-primary");
	return json_object_get(step, detail) != NULL;
}

static void the_history_keeps_what_it_can_of_a_long_report(void **state)
{
	json_t *few, *more, *many;

	seen.destination_count = 40;
	judge("pull-primary");
	few = shortened_report(1);
	more = shortened_report(10);
	many = shortened_report(30);
	assert_true(report_has(few, "destinations"));
	assert_true(!report_has(more, "destinations") && report_has(more, "findings"));
	assert_true(!report_has(many, "findings") && report_has(many, "gap_ms"));
	json_decref(few);
	json_decref(more);
	json_decref(many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_first_encoder_that_is_there_is_the_primary, setup),
		cmocka_unit_test_setup(a_slate_is_never_pulled, setup),
		cmocka_unit_test_setup(everything_loses_destinations_that_are_live_only, setup),
		cmocka_unit_test_setup(what_cannot_be_rehearsed_is_refused_with_the_reason, setup),
		cmocka_unit_test_setup(an_unbroken_show_held, setup),
		cmocka_unit_test_setup(a_missing_or_doubled_frame_fails_a_show_with_a_delay, setup),
		cmocka_unit_test_setup(without_a_delay_a_gap_is_held_against_what_is_promised,
				       setup),
		cmocka_unit_test_setup(key_frames_too_far_apart_come_with_advice, setup),
		cmocka_unit_test_setup(a_show_that_stays_or_does_not_return_fails, setup),
		cmocka_unit_test_setup(another_format_on_air_fails, setup),
		cmocka_unit_test_setup(a_lost_connection_fails_unless_it_was_meant, setup),
		cmocka_unit_test_setup(a_frozen_picture_is_said_to_be_unnoticeable, setup),
		cmocka_unit_test_setup(a_show_that_follows_the_flapping_fails, setup),
		cmocka_unit_test_setup(twins_are_not_left_for_holes_and_may_take_turns, setup),
		cmocka_unit_test_setup(a_machine_that_is_too_busy_is_named_and_no_excuse, setup),
		cmocka_unit_test_setup(without_a_slate_silence_is_no_failure_but_said, setup),
		cmocka_unit_test_setup(nothing_seen_is_nothing_proved, setup),
		cmocka_unit_test_setup(another_feed_on_air_is_named_and_nothing_is_done, setup),
		cmocka_unit_test_setup(a_starved_feed_is_left_within_what_explain_says, setup),
		cmocka_unit_test_setup(a_practice_platform_has_to_get_something_and_in_order,
				       setup),
		cmocka_unit_test_setup(the_history_keeps_what_it_can_of_a_long_report, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
