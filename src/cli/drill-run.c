/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One step of a rehearsal (drill.h): waits until the show is steady, makes the fault, waits for
 * what it leads to, undoes it, and waits until all is as before. Blocks, each wait with a limit
 * taken from the show's own delay and thresholds.
 */
#include <string.h>

#include <understudy/text.h>

#include "drill.h"

#define SETTLE_MS 1500 /* the witness judges a step when the eight after it are known */
#define WATCH_MS 2000  /* at least so long on air with what took over */
#define SLACK_MS 10000 /* beyond what the show itself needs */
#define FLAP_MS 2000
#define SAMPLE_MS 500
#define MEASURE_MS 7000 /* of a sound feed, for its usual frame rate to be known */
#define MEASURE_MAX_MS 30000

/* ---- the show's own times ---- */

static int64_t longest_gop_ms(const struct drill *d)
{
	int64_t most_ms = 2000;

	for (unsigned i = 0; i < d->facts.feed_count; i++) {
		if (d->facts.feeds[i].gop_ms > most_ms) {
			most_ms = d->facts.feeds[i].gop_ms;
		}
	}
	return most_ms;
}

/* A feed is lost: until another is on air. */
static int64_t leave_ms(const struct drill *d)
{
	return d->facts.delay_ms + d->facts.stall_ms + 2 * longest_gop_ms(d) + SLACK_MS;
}

/* A feed is back: until the show is back with it. A failure before may have doubled the wait. */
static int64_t return_ms(const struct drill *d)
{
	return 2 * d->facts.return_after_s * 1000 + leave_ms(d);
}

/* ---- what waits wait for ---- */

static bool has_left(const struct drill *d)
{
	return d->seen->left_ms != DRILL_NONE;
}

static bool has_returned(const struct drill *d)
{
	return d->seen->returned_ms != DRILL_NONE;
}

static bool is_on_air(const struct drill *d)
{
	return d->seen->off_since_ms == DRILL_NONE;
}

static bool is_off_air(const struct drill *d)
{
	return d->seen->off_since_ms != DRILL_NONE;
}

static bool is_mended(const struct drill *d)
{
	return d->seen->mended_ms != DRILL_NONE;
}

static bool has_lost(const struct drill *d)
{
	return d->seen->down_ms != DRILL_NONE;
}

static bool is_back(const struct drill *d)
{
	return d->seen->up_ms != DRILL_NONE;
}

static bool has_died(const struct drill *d)
{
	return d->seen->deaths > 0;
}

static const char *live_feed(const struct drill *d)
{
	const char *live = json_string_value(json_object_get(d->status, "live"));

	return live != NULL && json_is_true(json_object_get(d->status, "on_air")) ? live : "";
}

/* Looks until this feed is live, or so long. */
static int wait_live(struct drill *d, const char *feed, int64_t most_ms)
{
	int64_t until_ms = drill_now_ms() + most_ms;
	int code = drill_look(d);

	while (code == EXIT_DONE && strcmp(live_feed(d), feed) != 0 && drill_now_ms() < until_ms) {
		code = drill_wait(d, NULL, SAMPLE_MS);
		code = code == EXIT_DONE ? drill_look(d) : code;
	}
	return code;
}

/* ---- destinations ---- */

static int64_t restarts_of(const json_t *destination)
{
	return json_integer_value(json_object_get(destination, "restarts"));
}

static bool is_up(const json_t *destination)
{
	const char *state = json_string_value(json_object_get(destination, "state"));

	return state != NULL && (strcmp(state, "live") == 0 || strcmp(state, "held") == 0);
}

/* What the practice platform got so far: `sign` 1 adds it, -1 takes it off. */
static void note_practice(struct drill_destination *to, const json_t *destination, int sign)
{
	const json_t *practice = json_object_get(destination, "practice");

	to->is_practised = json_is_object(practice);
	to->publishes += sign * json_integer_value(json_object_get(practice, "publishes"));
	to->bytes += sign * json_integer_value(json_object_get(practice, "bytes"));
	to->backwards += sign * json_integer_value(json_object_get(practice, "backwards"));
	to->heard_ms = json_integer_value(json_object_get(practice, "longest_silence_ms"));
}

static void note_before(struct drill *d)
{
	const json_t *destination;
	size_t i;

	json_array_foreach(json_object_get(d->status, "destinations"), i, destination) {
		if (i >= DRILL_DESTINATIONS) {
			return;
		}
		struct drill_destination *to = &d->seen->destinations[d->seen->destination_count++];
		const char *name = json_string_value(json_object_get(destination, "name"));

		text_copy(to->name, sizeof(to->name), name != NULL ? name : "");
		to->was_up = is_up(destination);
		to->restarts = -restarts_of(destination);
		to->silence_ms = DRILL_NONE;
		note_practice(to, destination, -1);
	}
}

static struct drill_destination *destination_named(struct drill_seen *seen, const char *name)
{
	for (unsigned i = 0; i < seen->destination_count; i++) {
		if (strcmp(seen->destinations[i].name, name) == 0) {
			return &seen->destinations[i];
		}
	}
	return NULL;
}

static int64_t silence_of(const json_t *destination)
{
	const json_t *silence = json_object_get(destination, "longest_silence_ms");

	return json_is_integer(silence) ? json_integer_value(silence) : DRILL_NONE;
}

static void note_after(struct drill *d)
{
	const json_t *destination;
	size_t i;

	json_array_foreach(json_object_get(d->status, "destinations"), i, destination) {
		const char *name = json_string_value(json_object_get(destination, "name"));
		struct drill_destination *to = name != NULL ? destination_named(d->seen, name)
							    : NULL;

		if (to != NULL) {
			to->is_up = is_up(destination);
			to->restarts += restarts_of(destination);
			to->silence_ms = silence_of(destination);
			note_practice(to, destination, 1);
		}
	}
}

/* ---- the kinds of steps ---- */

/* Watches what took over for a while, undoes the fault, and waits for the return. */
static int run_home(struct drill *d)
{
	int64_t rest_ms = d->seconds * 1000 - (drill_now_ms() - d->seen->began_ms);
	int code = drill_wait(d, NULL, rest_ms > WATCH_MS ? rest_ms : WATCH_MS);

	if (code == EXIT_DONE) {
		code = drill_mend(d);
	}
	if (code == EXIT_DONE && d->facts.return_mode == RETURN_AUTO) {
		code = drill_wait(d, has_returned, return_ms(d));
	}
	return code;
}

static int run_loss(struct drill *d, const char *kind)
{
	int code = drill_fault(d, kind, d->step->targets[0]);

	code = code == EXIT_DONE ? drill_wait(d, has_left, leave_ms(d)) : code;
	return code == EXIT_DONE ? run_home(d) : code;
}

static bool is_measured(const struct drill *d)
{
	int64_t since_ms = d->seen->stirred_ms > d->seen->began_ms ? d->seen->stirred_ms
								   : d->seen->began_ms;

	return drill_now_ms() - since_ms >= MEASURE_MS;
}

/* What comes is held against what came before: a step before this one may have ended just now, and
 * a feed that stood still meanwhile is measured anew. */
static int run_starve(struct drill *d)
{
	int code = drill_wait(d, is_measured, MEASURE_MAX_MS);

	return code == EXIT_DONE ? run_loss(d, "starve") : code;
}

/* Not a lease: the encoder has to dial again by itself. */
static int run_close(struct drill *d)
{
	d->seen->fault_ms = drill_now_ms();
	int code = drill_fault(d, "close", d->step->targets[0]);

	d->seen->mended_ms = d->seen->fault_ms;
	code = code == EXIT_DONE ? drill_wait(d, has_left, leave_ms(d)) : code;
	if (code == EXIT_DONE && d->facts.return_mode == RETURN_AUTO) {
		code = drill_wait(d, has_returned, return_ms(d));
	}
	return code;
}

/* Nobody ought to notice. */
static int run_freeze(struct drill *d)
{
	int code = drill_fault(d, "freeze", d->step->targets[0]);

	code = code == EXIT_DONE ? drill_wait(d, has_left, d->seconds * 1000) : code;
	return code == EXIT_DONE ? drill_mend(d) : code;
}

static int run_flap(struct drill *d)
{
	int code = EXIT_DONE;

	for (unsigned i = 0; i < DRILL_FLAPS && code == EXIT_DONE; i++) {
		code = drill_fault(d, "pull", d->step->targets[0]);
		code = code == EXIT_DONE ? drill_wait(d, NULL, FLAP_MS) : code;
		code = code == EXIT_DONE ? drill_mend(d) : code;
		if (i + 1 < DRILL_FLAPS && code == EXIT_DONE) {
			code = drill_wait(d, NULL, FLAP_MS);
		}
	}
	if (code == EXIT_DONE && d->facts.return_mode == RETURN_AUTO) {
		code = wait_live(d, d->step->targets[0], return_ms(d));
	}
	return code;
}

static int run_chain(struct drill *d, bool waits)
{
	int code = EXIT_DONE;

	for (unsigned i = 0; i < d->step->target_count && code == EXIT_DONE; i++) {
		unsigned before = d->seen->failovers;

		code = drill_fault(d, "pull", d->step->targets[i]);
		for (int64_t until_ms = drill_now_ms() + leave_ms(d);
		     waits && code == EXIT_DONE && d->seen->failovers == before && !is_off_air(d) &&
		     drill_now_ms() < until_ms;) {
			code = drill_wait(d, NULL, SAMPLE_MS);
		}
	}
	if (code == EXIT_DONE && !waits) {
		code = drill_wait(d, NULL, d->facts.delay_ms + WATCH_MS);
	}
	code = code == EXIT_DONE ? run_home(d) : code;
	return code == EXIT_DONE ? drill_wait(d, is_on_air, return_ms(d)) : code;
}

static int run_lose(struct drill *d)
{
	int code = drill_fault(d, "lose", d->step->targets[0]);

	code = code == EXIT_DONE ? drill_wait(d, has_lost, SLACK_MS) : code;
	code = code == EXIT_DONE ? drill_wait(d, NULL, WATCH_MS) : code;
	code = code == EXIT_DONE ? drill_mend(d) : code;
	return code == EXIT_DONE ? drill_wait(d, is_back, 2 * SLACK_MS) : code;
}

static int run_kill(struct drill *d)
{
	d->seen->fault_ms = drill_now_ms();
	int code = drill_fault(d, "kill", d->step->targets[0]);

	d->seen->mended_ms = d->seen->fault_ms;
	code = code == EXIT_DONE ? drill_wait(d, has_died, SLACK_MS) : code;
	/* An encoder, or a platform, has to be connected again. */
	bool is_inside = strcmp(d->step->targets[0], "switch") == 0;
	return code == EXIT_DONE
		       ? drill_wait(d, NULL, d->facts.delay_ms + (is_inside ? WATCH_MS : SLACK_MS))
		       : code;
}

static int run_kind(struct drill *d)
{
	switch (d->step->kind) {
	case DRILL_PULL:
		return run_loss(d, "pull");
	case DRILL_STALL:
		return run_loss(d, "stall");
	case DRILL_STARVE:
		return run_starve(d);
	case DRILL_CLOSE:
		return run_close(d);
	case DRILL_FREEZE:
		return run_freeze(d);
	case DRILL_FLAP:
		return run_flap(d);
	case DRILL_CHAIN:
		return run_chain(d, true);
	case DRILL_ALL:
		return run_chain(d, false);
	case DRILL_LOSE:
		return run_lose(d);
	default:
		return run_kill(d);
	}
}

static bool is_about_feeds(enum drill_kind kind)
{
	return kind != DRILL_LOSE && kind != DRILL_KILL;
}

static void see_nothing_yet(struct drill_seen *seen)
{
	*seen = (struct drill_seen){ .began_ms = drill_now_ms(),
				     .fault_ms = DRILL_NONE,
				     .mended_ms = DRILL_NONE,
				     .noticed_ms = DRILL_NONE,
				     .left_ms = DRILL_NONE,
				     .off_since_ms = DRILL_NONE,
				     .returned_ms = DRILL_NONE,
				     .down_ms = DRILL_NONE,
				     .up_ms = DRILL_NONE };
}

/* The feed meant is on air, and stays so while what was before is counted, which is not ours. */
static int begin(struct drill *d, const struct drill_step *step, struct drill_seen *seen)
{
	/* Where the return is no affair of the relay's, at most twins still take turns. */
	int64_t most_ms = d->facts.return_mode == RETURN_AUTO ? return_ms(d)
							      : d->facts.delay_ms + WATCH_MS;
	int64_t until_ms = drill_now_ms() + most_ms;
	const char *wanted = is_about_feeds(step->kind) ? step->targets[0] : NULL;
	int code;

	do {
		code = wanted != NULL ? wait_live(d, wanted, most_ms) : EXIT_DONE;
		code = code == EXIT_DONE ? drill_count(d) : code;
		see_nothing_yet(seen);
		d->seen = seen;
		d->step = step;
		code = code == EXIT_DONE ? drill_look(d) : code;
	} while (code == EXIT_DONE && wanted != NULL && strcmp(live_feed(d), wanted) != 0 &&
		 drill_now_ms() < until_ms);
	if (code == EXIT_DONE) {
		note_before(d);
	}
	return code;
}

static bool has_another(const struct drill *d)
{
	const json_t *feed;
	size_t i;

	json_array_foreach(json_object_get(d->status, "feeds"), i, feed) {
		const char *name = json_string_value(json_object_get(feed, "name"));
		const char *state = json_string_value(json_object_get(feed, "state"));

		if (name != NULL && state != NULL && strcmp(name, d->step->targets[0]) != 0 &&
		    strcmp(state, "offline") != 0 && strcmp(state, "stalled") != 0) {
			return true;
		}
	}
	return false;
}

/* Why the step would prove nothing, or do harm. */
static void note_hindrance(struct drill *d)
{
	const char *why = json_string_value(json_object_get(d->status, "why"));
	struct drill_seen *seen = d->seen;

	if (!is_about_feeds(d->step->kind)) {
		return;
	}
	if (strcmp(live_feed(d), d->step->targets[0]) != 0) {
		seen->hindrance = DRILL_NOT_LIVE;
		text_copy(seen->live, sizeof(seen->live), live_feed(d));
		text_copy(seen->why, sizeof(seen->why), why != NULL ? why : "");
	} else if (d->step->kind != DRILL_FREEZE && !has_another(d)) {
		seen->hindrance = DRILL_ALONE;
	}
}

/* The fault, what it leads to, and until all is as before. */
static int run_and_settle(struct drill *d)
{
	int code = run_kind(d);

	code = code == EXIT_DONE ? drill_wait(d, is_mended, SETTLE_MS) : code;
	return code == EXIT_DONE ? drill_wait(d, NULL, SETTLE_MS) : code;
}

static const char *mismatch_of(const struct drill *d, const char *feed)
{
	for (unsigned i = 0; i < d->facts.feed_count; i++) {
		if (strcmp(d->facts.feeds[i].name, feed) == 0) {
			return d->facts.feeds[i].mismatch;
		}
	}
	return "";
}

/* How the feed gone to differs from the reference, if a platform would mind: not where the one that
 * was left differed likewise. */
static void note_mismatch(struct drill *d)
{
	const char *to = mismatch_of(d, d->seen->to);

	if (strcmp(to, mismatch_of(d, d->step->targets[0])) != 0) {
		text_copy(d->seen->mismatch, sizeof(d->seen->mismatch), to);
	}
}

int drill_run(struct drill *d, const struct drill_step *step, struct drill_seen *ret)
{
	int code = begin(d, step, ret);

	if (code == EXIT_DONE) {
		note_hindrance(d);
		code = ret->hindrance == DRILL_FREE ? run_and_settle(d) : code;
	}
	code = code == EXIT_DONE ? drill_look(d) : code;
	code = code == EXIT_DONE ? drill_count(d) : code; /* a mark ends what the status counts */
	code = code == EXIT_DONE ? drill_ask_promise(d) : code;
	if (code == EXIT_DONE) {
		note_after(d);
		note_mismatch(d);
	}
	ret->held_ups = d->held_ups;
	text_copy(ret->held_up, sizeof(ret->held_up), d->held_up);
	d->held_ups = 0;
	ret->ended_ms = drill_now_ms();
	d->seen = NULL;
	return code;
}
