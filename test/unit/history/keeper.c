/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The history written and read again: in a directory of the test's own, with clocks made by hand.
 * What goes in are messages as the supervisor sends them; what is judged are the answers.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include <understudy/text.h>

#include "answer.h"
#include "keeper.h"

#define SECOND INT64_C(1000000)
#define DAY (86400 * SECOND)
#define NOON (INT64_C(1790000000) * SECOND)

struct world {
	struct keeper keeper;
	struct ledger_time now;
	int64_t monotonic_us, next_id;
	uint64_t boot;
	char directory[64];
};

static int make_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	text_copy(w->directory, sizeof(w->directory), "/tmp/understudy-history-XXXXXX");
	if (mkdtemp(w->directory) == NULL || chdir(w->directory) < 0) {
		return -1;
	}
	w->now = (struct ledger_time){ 1000 * SECOND, NOON };
	w->monotonic_us = 1000 * SECOND;
	w->boot = 1;
	*state = w;
	return 0;
}

static int end_world(void **state)
{
	static const char *const names[] = { "history.db", "history.db-wal", "history.db-shm",
					     "answer", "damaged-1790000000.db" };
	char directory[128];
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		unlink(names[i]);
	}
	if (getcwd(directory, sizeof(directory)) == NULL || chdir("/") < 0) {
		return -1;
	}
	free(w);
	return rmdir(directory);
}

static void begin(struct world *w)
{
	const struct ipc_history_start start = {
		.boot = w->boot, .began = w->now, .keep_days = 30, .max_mb = 64
	};

	keeper_begin(&w->keeper, HISTORY_FILE, &start);
	keeper_beat(&w->keeper, &w->now, w->monotonic_us);
}

static void end(struct world *w)
{
	keeper_beat(&w->keeper, &w->now, w->monotonic_us);
	keeper_finish(&w->keeper);
}

static void pass(struct world *w, int64_t us)
{
	w->now.boot_us += us;
	w->now.wall_us += us;
	w->monotonic_us += us;
}

static void take(struct world *w, enum ipc_type type, const void *body, size_t size)
{
	static struct ipc_message m;

	m.type = type;
	memcpy(m.body, body, size);
	keeper_take(&w->keeper, &m);
}

static void say_state(struct world *w, const char *name, enum ledger_class class, const char *cause)
{
	struct ipc_history_state s = { .at = w->now,
				       .what = name[0] != '\0' ? HISTORY_DESTINATION : HISTORY_SHOW,
				       .class = class };

	text_copy(s.show, sizeof(s.show), "main");
	text_copy(s.name, sizeof(s.name), name);
	text_copy(s.state, sizeof(s.state), class == LEDGER_ON ? "live" : "backing_off");
	text_copy(s.cause, sizeof(s.cause), cause);
	take(w, IPC_HISTORY_STATE, &s, sizeof(s));
}

static void say_whole(struct world *w)
{
	const struct ipc_history_whole whole = { .at = w->now };

	take(w, IPC_HISTORY_WHOLE, &whole, sizeof(whole));
	keeper_commit(&w->keeper);
}

static void say_event(struct world *w, const char *text)
{
	struct ipc_history_event e = { .id = ++w->next_id, .at = w->now };

	text_copy(e.show, sizeof(e.show), "main");
	text_copy(e.kind, sizeof(e.kind), "failover");
	text_copy(e.text, sizeof(e.text), text);
	text_copy(e.extra, sizeof(e.extra), "{\"gap_ms\":3}");
	take(w, IPC_HISTORY_EVENT, &e, sizeof(e));
}

/* The answer's lines as one array. */
static json_t *ask(struct world *w, enum history_subject subject, int64_t since_us, bool is_running,
		   uint32_t limit)
{
	const struct ipc_history_read question = { .subject = subject,
						   .is_running = is_running,
						   .limit = limit,
						   .boot = w->boot,
						   .now = w->now,
						   .since_us = since_us };
	int fd = open("answer", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	json_t *lines = json_array(), *line;
	FILE *file;

	answer(HISTORY_FILE, &question, fd);
	lseek(fd, 0, SEEK_SET);
	file = fdopen(fd, "r");
	while ((line = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL)) != NULL) {
		json_array_append_new(lines, line);
	}
	fclose(file);
	return lines;
}

static double number(const json_t *lines, size_t index, const char *object, const char *key)
{
	const json_t *value = json_object_get(json_object_get(json_array_get(lines, index), object),
					      key);

	assert_non_null(value);
	return json_number_value(value);
}

static const char *text(const json_t *lines, size_t index, const char *object, const char *key)
{
	const char *value = json_string_value(
		json_object_get(json_object_get(json_array_get(lines, index), object), key));

	return value != NULL ? value : "";
}

static void events_are_kept_in_order_and_found_by_time(void **state)
{
	struct world *w = *state;

	begin(w);
	say_event(w, "one");
	pass(w, 10 * SECOND);
	say_event(w, "two");
	pass(w, 10 * SECOND);
	say_event(w, "three");
	end(w);

	json_t *all = ask(w, HISTORY_EVENTS, INT64_MIN, false, 0);
	assert_int_equal(json_array_size(all), 5); /* ok, three, end */
	assert_string_equal(text(all, 1, "event", "text"), "one");
	assert_string_equal(text(all, 3, "event", "text"), "three");
	assert_int_equal(number(all, 2, "event", "gap_ms"), 3);
	assert_true(json_is_true(json_object_get(json_array_get(all, 4), "end")));
	json_decref(all);
	json_t *late = ask(w, HISTORY_EVENTS, NOON + 5 * SECOND, false, 0);
	assert_int_equal(json_array_size(late), 4);
	json_decref(late);
	json_t *newest = ask(w, HISTORY_EVENTS, INT64_MIN, false, 1);
	assert_int_equal(json_array_size(newest), 3);
	assert_string_equal(text(newest, 1, "event", "text"), "three");
	json_decref(newest);
}

static void ledger_says_how_long_and_why(void **state)
{
	struct world *w = *state;

	begin(w);
	say_state(w, "youtube", LEDGER_OFF, "connecting");
	say_whole(w);
	pass(w, 2 * SECOND);
	say_state(w, "youtube", LEDGER_ON, "");
	pass(w, 90 * SECOND);
	say_state(w, "youtube", LEDGER_OFF, "connection reset");
	pass(w, 5 * SECOND);
	say_state(w, "youtube", LEDGER_ON, "");
	pass(w, 3 * SECOND);
	keeper_commit(&w->keeper);
	json_t *lines = ask(w, HISTORY_LEDGER, INT64_MIN, true, 0); /* beside the writer */
	assert_int_equal(json_array_size(lines), 3);
	assert_string_equal(text(lines, 1, "account", "destination"), "youtube");
	assert_int_equal(number(lines, 1, "account", "on_s"), 93);
	assert_int_equal(number(lines, 1, "account", "off_s"), 7);
	assert_int_equal(number(lines, 1, "account", "interruptions"), 1);
	assert_int_equal(number(lines, 1, "account", "longest_off_s"), 5);
	assert_string_equal(text(lines, 1, "account", "now"), "on");
	json_decref(lines);
	end(w);
}

static void time_without_a_relay_is_off_air(void **state)
{
	struct world *w = *state;

	begin(w);
	say_state(w, "youtube", LEDGER_ON, "");
	say_state(w, "old", LEDGER_ON, "");
	say_whole(w);
	pass(w, 60 * SECOND);
	end(w); /* a crash: nothing was said of it */
	pass(w, 40 * SECOND);
	w->boot = 2; /* the machine was started anew */
	w->now.boot_us = 10 * SECOND;
	begin(w);
	say_state(w, "youtube", LEDGER_ON, "");
	say_whole(w);
	pass(w, 100 * SECOND);
	end(w);

	json_t *lines = ask(w, HISTORY_LEDGER, INT64_MIN, true, 0);
	assert_int_equal(json_array_size(lines), 4);
	assert_int_equal(number(lines, 1, "account", "on_s"), 160);
	assert_int_equal(number(lines, 1, "account", "off_s"), 40);
	assert_string_equal(
		json_string_value(json_object_get(
			json_array_get(json_object_get(json_object_get(json_array_get(lines, 1),
								       "account"),
						       "causes"),
				       0),
			"cause")),
		LEDGER_NOT_RUNNING);
	/* What the config no longer names rests. */
	assert_string_equal(text(lines, 2, "account", "destination"), "old");
	assert_int_equal(number(lines, 2, "account", "rest_s"), 100);
	json_decref(lines);
	/* After the end: off until now, and any period adds up. */
	pass(w, 50 * SECOND);
	lines = ask(w, HISTORY_LEDGER, w->now.wall_us - 70 * SECOND, false, 0);
	assert_int_equal(number(lines, 1, "account", "on_s"), 20);
	assert_int_equal(number(lines, 1, "account", "off_s"), 50);
	json_decref(lines);
}

static void writer_that_is_replaced_goes_on_with_the_run(void **state)
{
	struct world *w = *state;
	const struct ipc_history_start start = {
		.boot = w->boot, .began = w->now, .keep_days = 30, .max_mb = 64
	};

	begin(w);
	say_state(w, "youtube", LEDGER_ON, "");
	say_whole(w);
	keeper_finish(&w->keeper);
	pass(w, 30 * SECOND);
	keeper_begin(&w->keeper, HISTORY_FILE, &start);
	end(w);
	json_t *lines = ask(w, HISTORY_LEDGER, INT64_MIN, true, 0);
	assert_int_equal(number(lines, 1, "account", "on_s"), 30);
	assert_int_equal(number(lines, 1, "account", "off_s"), 0);
	json_decref(lines);
}

static void sleep_of_the_machine_is_off_air(void **state)
{
	struct world *w = *state;

	begin(w);
	say_state(w, "youtube", LEDGER_ON, "");
	say_whole(w);
	pass(w, 10 * SECOND);
	keeper_beat(&w->keeper, &w->now, w->monotonic_us);
	w->now.boot_us += 600 * SECOND; /* monotonic time stands still in sleep */
	w->now.wall_us += 600 * SECOND;
	keeper_beat(&w->keeper, &w->now, w->monotonic_us);
	pass(w, 20 * SECOND);
	end(w);
	json_t *lines = ask(w, HISTORY_LEDGER, INT64_MIN, true, 0);
	assert_int_equal(number(lines, 1, "account", "on_s"), 30);
	assert_int_equal(number(lines, 1, "account", "off_s"), 600);
	json_decref(lines);
}

static void spans_are_the_states_one_after_the_other(void **state)
{
	struct world *w = *state;

	begin(w);
	say_state(w, "", LEDGER_ON, "");
	say_whole(w);
	pass(w, 10 * SECOND);
	say_state(w, "", LEDGER_OFF, "no feed");
	pass(w, 10 * SECOND);
	end(w);
	json_t *lines = ask(w, HISTORY_SPANS, INT64_MIN, true, 0);
	assert_int_equal(json_array_size(lines), 4);
	assert_string_equal(text(lines, 1, "span", "class"), "on");
	assert_string_equal(text(lines, 1, "span", "to"), text(lines, 2, "span", "from"));
	assert_string_equal(text(lines, 2, "span", "cause"), "no feed");
	json_decref(lines);
}

static void drills_are_kept_with_their_reports(void **state)
{
	struct world *w = *state;
	struct ipc_history_drill d = { .at = w->now, .passed = 1 };

	text_copy(d.show, sizeof(d.show), "main");
	text_copy(d.scenario, sizeof(d.scenario), "pull-primary");
	text_copy(d.report, sizeof(d.report), "{\"missing\":0}");
	begin(w);
	take(w, IPC_HISTORY_DRILL, &d, sizeof(d));
	end(w);
	json_t *lines = ask(w, HISTORY_DRILLS, INT64_MIN, false, 0);
	assert_string_equal(text(lines, 1, "drill", "scenario"), "pull-primary");
	assert_true(json_is_object(
		json_object_get(json_object_get(json_array_get(lines, 1), "drill"), "report")));
	json_decref(lines);
}

static void disk_that_is_full_costs_history_and_is_said(void **state)
{
	struct world *w = *state;
	struct rlimit all, none;

	begin(w);
	say_state(w, "youtube", LEDGER_ON, "");
	say_whole(w);
	pass(w, 10 * SECOND);
	keeper_beat(&w->keeper, &w->now, w->monotonic_us);
	assert_false(w->keeper.status.is_broken);

	/* No file may grow any more. */
	getrlimit(RLIMIT_FSIZE, &all);
	none = (struct rlimit){ 0, all.rlim_max };
	setrlimit(RLIMIT_FSIZE, &none);
	for (int i = 0; i < 50; i++) {
		say_event(w, "lost");
		keeper_commit(&w->keeper);
	}
	assert_true(w->keeper.status.is_broken);
	assert_int_equal(w->keeper.status.lost, 50);
	assert_true(w->keeper.status.error[0] != '\0');
	pass(w, 20 * SECOND);
	keeper_beat(&w->keeper, &w->now, w->monotonic_us);
	assert_true(w->keeper.status.is_broken);

	setrlimit(RLIMIT_FSIZE, &all);
	pass(w, 5 * SECOND);
	keeper_beat(&w->keeper, &w->now, w->monotonic_us);
	assert_false(w->keeper.status.is_broken);
	say_state(w, "youtube", LEDGER_ON, ""); /* the supervisor tells all states again */
	say_whole(w);
	say_event(w, "kept");
	pass(w, 5 * SECOND);
	end(w);

	json_t *lines = ask(w, HISTORY_EVENTS, INT64_MIN, true, 0);
	assert_int_equal(json_array_size(lines), 3);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(lines, 2), "lost")), 50);
	json_decref(lines);
	lines = ask(w, HISTORY_LEDGER, INT64_MIN, true, 0);
	assert_int_equal(number(lines, 1, "account", "on_s"), 15);
	assert_int_equal(number(lines, 1, "account", "unknown_s"), 25);
	json_decref(lines);
}

static void damaged_database_is_put_aside(void **state)
{
	struct world *w = *state;
	int fd = open(HISTORY_FILE, O_WRONLY | O_CREAT, 0600);
	struct stat st;

	for (int i = 0; i < 1000; i++) {
		assert_int_equal(write(fd, "this is no database ", 20), 20);
	}
	close(fd);
	begin(w);
	assert_false(w->keeper.status.is_broken);
	assert_non_null(strstr(w->keeper.status.remark, "put aside"));
	say_event(w, "kept");
	end(w);
	json_t *lines = ask(w, HISTORY_EVENTS, INT64_MIN, false, 0);
	assert_int_equal(json_array_size(lines), 3);
	json_decref(lines);
	assert_int_equal(stat("damaged-1790000000.db", &st), 0);
}

static void what_is_old_is_forgotten_but_states_stay_known(void **state)
{
	struct world *w = *state;

	begin(w);
	say_state(w, "youtube", LEDGER_OFF, "connecting");
	pass(w, SECOND);
	say_state(w, "youtube", LEDGER_ON, "");
	say_event(w, "old");
	say_whole(w);
	pass(w, 40 * DAY);
	say_event(w, "new");
	keeper_beat(&w->keeper, &w->now, w->monotonic_us);
	end(w);
	json_t *lines = ask(w, HISTORY_EVENTS, INT64_MIN, true, 0);
	assert_int_equal(json_array_size(lines), 3);
	assert_string_equal(text(lines, 1, "event", "text"), "new");
	json_decref(lines);
	lines = ask(w, HISTORY_LEDGER, w->now.wall_us - DAY, true, 0);
	assert_int_equal(number(lines, 1, "account", "on_s"), 86400);
	json_decref(lines);
}

static void size_is_bounded(void **state)
{
	struct world *w = *state;

	begin(w);
	w->keeper.start.max_mb = 1;
	for (int i = 0; i < 20000; i++) {
		say_event(w, "an event that takes some room, as events do, in the database");
		pass(w, SECOND / 10);
		if (i % 1000 == 0) {
			keeper_beat(&w->keeper, &w->now, w->monotonic_us);
		}
	}
	keeper_beat(&w->keeper, &w->now, w->monotonic_us);
	keeper_beat(&w->keeper, &w->now, w->monotonic_us);
	assert_true(w->keeper.status.bytes < (1200 << 10));
	json_t *lines = ask(w, HISTORY_EVENTS, INT64_MIN, true, 0);
	assert_true(json_array_size(lines) > 1000);
	json_decref(lines);
	end(w);
}

static void database_of_a_newer_version_is_left_alone(void **state)
{
	struct world *w = *state;

	begin(w);
	sqlite3_exec(w->keeper.store.db, "PRAGMA user_version = 99", NULL, NULL, NULL);
	end(w);
	begin(w);
	assert_true(w->keeper.status.is_broken);
	assert_non_null(strstr(w->keeper.status.error, "newer version"));
	json_t *lines = ask(w, HISTORY_EVENTS, INT64_MIN, false, 0);
	assert_true(json_is_false(json_object_get(json_array_get(lines, 0), "ok")));
	json_decref(lines);
	end(w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_world, end_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(events_are_kept_in_order_and_found_by_time),
		TEST(ledger_says_how_long_and_why),
		TEST(time_without_a_relay_is_off_air),
		TEST(writer_that_is_replaced_goes_on_with_the_run),
		TEST(sleep_of_the_machine_is_off_air),
		TEST(spans_are_the_states_one_after_the_other),
		TEST(drills_are_kept_with_their_reports),
		TEST(disk_that_is_full_costs_history_and_is_said),
		TEST(damaged_database_is_put_aside),
		TEST(what_is_old_is_forgotten_but_states_stay_known),
		TEST(size_is_bounded),
		TEST(database_of_a_newer_version_is_left_alone),
	};

	/* A file that may not grow is an error, not the end. */
	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
