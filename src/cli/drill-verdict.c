/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whether the show held (drill.h). Computes only. A show with a delay promises that nothing is to
 * be seen; one without it promises what `explain` says, to within TOLERANCE_MS.
 */
#include <string.h>

#include "drill.h"

#define TOLERANCE_MS 100
#define QUIET_MS 1000 /* players have more in their buffers */
#define BACK_MS 11000 /* the longest usual wait of a destination, and a second */

#define find(verdict, judgement, ...) findings_add(verdict, judgement, "", __VA_ARGS__)

/* What `explain` says of such a loss; NULL: nothing. */
static const struct explain_item *promise_of(enum drill_kind kind,
					     const struct explanation *promise)
{
	static const char *const keys[DRILL_KINDS] = {
		[DRILL_PULL] = "killed",  [DRILL_CLOSE] = "killed",   [DRILL_FLAP] = "killed",
		[DRILL_STALL] = "frozen", [DRILL_STARVE] = "starved",
	};

	for (unsigned i = 0; keys[kind] != NULL && i < promise->count; i++) {
		const struct explain_item *item = &promise->items[i];

		if (item->section == EXPLAIN_CASE && strcmp(item->key, keys[kind]) == 0) {
			return item;
		}
	}
	return NULL;
}

/* ---- picture and sound ---- */

static int64_t beyond_a_frame_ms(const struct drill_track *t)
{
	int64_t more_ms = t->longest_ms - t->frame_ms;

	return more_ms > 0 ? more_ms : 0;
}

static void judge_track(struct findings *v, const char *what, const struct drill_track *t,
			int64_t promised_ms)
{
	int64_t gap_ms = beyond_a_frame_ms(t);

	if (t->doubled > 0) {
		find(v, FINDING_BAD, "%s: %lld frames were doubled", what, (long long)t->doubled);
	}
	if (t->missing == 0) {
		return;
	}
	if (promised_ms != DRILL_NONE && gap_ms <= promised_ms + TOLERANCE_MS) {
		find(v, FINDING_NOTE, "%s: a gap of %lld ms; up to %lld ms are to be expected",
		     what, (long long)gap_ms, (long long)promised_ms);
	} else {
		find(v, FINDING_BAD, "%s: %lld frames were missing, the longest gap was %lld ms",
		     what, (long long)t->missing, (long long)gap_ms);
	}
}

static void advise_delay(struct findings *v, const struct explain_facts *facts,
			 const struct explanation *promise)
{
	if (promise->needed_ms != EXPLAIN_UNKNOWN && facts->delay_ms > 0 &&
	    promise->needed_ms > facts->delay_ms) {
		find(v, FINDING_NOTE,
		     "for no gap, delay_ms would have to be %lld at these key frame intervals (it "
		     "is %lld); or set the encoders' key frame interval shorter",
		     (long long)promise->needed_ms, (long long)facts->delay_ms);
	}
}

static bool has_twin(const struct explain_facts *facts, const char *feed)
{
	for (unsigned i = 0; i < facts->feed_count; i++) {
		if (strcmp(facts->feeds[i].name, feed) == 0) {
			return facts->feeds[i].twin_of[0] != '\0';
		}
	}
	return false;
}

/* There is no reason to leave a feed whose holes its twin fills. */
static bool is_filled(const struct drill_step *step, const struct drill_seen *seen,
		      const struct explain_facts *facts)
{
	return step->kind == DRILL_STARVE && seen->left_ms == DRILL_NONE &&
	       has_twin(facts, step->targets[0]);
}

/* What the audience saw and heard. */
static void judge_media(struct findings *v, const struct drill_step *step,
			const struct drill_seen *seen, const struct explain_facts *facts,
			const struct explanation *promise)
{
	const struct explain_item *item = promise_of(step->kind, promise);
	bool has_delay = facts->delay_ms > 0, was_good = !v->has_bad;

	if (!seen->has_witness) {
		find(v, FINDING_BAD, "the witness saw nothing of the show");
		return;
	}
	if (step->kind == DRILL_STARVE && !is_filled(step, seen, facts)) {
		return; /* that frames were missing is what was rehearsed */
	}
	bool is_bounded = !has_delay && item != NULL;
	judge_track(v, "picture", &seen->picture, is_bounded ? item->picture_ms : DRILL_NONE);
	judge_track(v, "sound", &seen->sound, is_bounded ? item->silence_ms : DRILL_NONE);
	if (seen->disorders > 0) {
		find(v, FINDING_BAD,
		     "%lld packets were out of order, without their header, or no "
		     "key frame where one was due",
		     (long long)seen->disorders);
	}
	if (!v->has_bad && seen->picture.missing + seen->sound.missing == 0) {
		find(v, FINDING_GOOD, "no frame was missing or doubled");
	} else if (was_good && v->has_bad) {
		advise_delay(v, facts, promise);
	}
}

/* ---- feeds ---- */

static void judge_leaving(struct findings *v, const struct drill_step *step,
			  const struct drill_seen *seen)
{
	if (seen->left_ms == DRILL_NONE) {
		find(v, FINDING_BAD, "the show did not leave %s", step->targets[0]);
		return;
	}
	find(v, FINDING_GOOD,
	     "%s took over %lld ms after the fault, which was noticed after %lld ms", seen->to,
	     (long long)seen->left_ms, (long long)seen->noticed_ms);
	if (seen->mismatch[0] != '\0') {
		find(v, FINDING_BAD,
		     "the format changed on air (%s): platforms may end the broadcast; set both "
		     "encoders alike",
		     seen->mismatch);
	}
}

static void judge_return(struct findings *v, const struct drill_step *step,
			 const struct drill_seen *seen, const struct explain_facts *facts)
{
	if (facts->return_mode != RETURN_AUTO) {
		find(v, FINDING_NOTE, "return is not automatic: the show stays with %s", seen->to);
	} else if (seen->returned_ms == DRILL_NONE) {
		find(v, FINDING_BAD, "the show did not return to %s", step->targets[0]);
	} else {
		find(v, FINDING_GOOD, "back with %s %lld ms after it was sound again",
		     step->targets[0], (long long)seen->returned_ms);
	}
}

static void judge_loss(struct findings *v, const struct drill_step *step,
		       const struct drill_seen *seen, const struct explain_facts *facts)
{
	if (is_filled(step, seen, facts)) {
		find(v, FINDING_GOOD, "a twin of %s brought what it lacked", step->targets[0]);
		return;
	}
	judge_leaving(v, step, seen);
	if (seen->left_ms != DRILL_NONE) {
		judge_return(v, step, seen, facts);
	}
}

/* `explain` says within which time; until then the audience sees what is left of the feed. */
static void judge_starvation(struct findings *v, const struct drill_seen *seen,
			     const struct explain_facts *facts, const struct explanation *promise)
{
	int64_t hitched_ms = seen->left_ms - facts->delay_ms;
	const struct explain_item *item = promise_of(DRILL_STARVE, promise);

	if (seen->left_ms == DRILL_NONE || item == NULL) {
		return;
	}
	find(v, FINDING_NOTE, "the picture hitched for %lld ms until the feed was left",
	     (long long)(hitched_ms > 0 ? hitched_ms : 0));
	if (item->left_ms != EXPLAIN_UNKNOWN && seen->left_ms > item->left_ms + TOLERANCE_MS) {
		find(v, FINDING_BAD, "the feed was left %lld ms after the fault; promised are %lld",
		     (long long)seen->left_ms, (long long)item->left_ms);
	}
}

static void judge_freeze(struct findings *v, const struct drill_seen *seen)
{
	if (seen->failovers == 0) {
		find(v, FINDING_NOTE,
		     "not noticeable without decoding: the audience would have seen a frozen "
		     "picture until somebody takes another feed");
	} else {
		find(v, FINDING_GOOD, "noticed after %lld ms; %s took over",
		     (long long)seen->noticed_ms, seen->to);
	}
}

static void judge_flap(struct findings *v, const struct drill_step *step,
		       const struct drill_seen *seen, const struct explain_facts *facts)
{
	if (has_twin(facts, step->targets[0])) {
		find(v, FINDING_GOOD, "a twin carried on each time: nothing is to be seen of that");
	} else if (seen->failbacks > 1) {
		find(v, FINDING_BAD, "the show followed the flapping: it returned %u times",
		     seen->failbacks);
	} else {
		find(v, FINDING_GOOD,
		     "the show did not follow the flapping: %u failovers, %u returns",
		     seen->failovers, seen->failbacks);
	}
	if (facts->return_mode == RETURN_AUTO && seen->failovers > 0 && seen->failbacks == 0) {
		find(v, FINDING_BAD, "the show did not return to %s", step->targets[0]);
	}
}

static bool has_slate(const struct explain_facts *facts)
{
	for (unsigned i = 0; i < facts->feed_count; i++) {
		if (facts->feeds[i].is_slate && strcmp(facts->feeds[i].state, "offline") != 0) {
			return true;
		}
	}
	return false;
}

/* Every encoder was gone. Returns whether picture and sound are still to be judged. */
static bool judge_emptiness(struct findings *v, const struct drill_seen *seen,
			    const struct explain_facts *facts)
{
	if (seen->off_since_ms != DRILL_NONE) {
		find(v, FINDING_BAD, "the show is still off air");
	} else if (has_slate(facts) && seen->off_ms == 0) {
		find(v, FINDING_GOOD, "the show went on down to the slate");
		return true;
	} else if (has_slate(facts)) {
		find(v, FINDING_BAD, "off air for %lld ms, although there is a slate",
		     (long long)seen->off_ms);
	} else {
		find(v, FINDING_NOTE,
		     "without a slate nothing was left to send for %lld ms: add a feed with `file: "
		     "auto`",
		     (long long)seen->off_ms);
	}
	return false;
}

/* ---- destinations and workers ---- */

static bool is_meant(const struct drill_step *step, const char *name)
{
	return step->kind == DRILL_LOSE && strcmp(step->targets[0], name) == 0;
}

/* What an audience may see as a spinning wheel: the longest at any that was up. */
static void judge_silence(struct findings *v, const struct drill_step *step,
			  const struct drill_seen *seen)
{
	const struct drill_destination *worst = NULL;

	for (unsigned i = 0; i < seen->destination_count; i++) {
		const struct drill_destination *d = &seen->destinations[i];

		if (d->was_up && !is_meant(step, d->name) && d->silence_ms != DRILL_NONE &&
		    (worst == NULL || d->silence_ms > worst->silence_ms)) {
			worst = d;
		}
	}
	if (worst != NULL) {
		find(v, worst->silence_ms < QUIET_MS ? FINDING_GOOD : FINDING_NOTE,
		     "the longest time without a write was %lld ms, at %s",
		     (long long)worst->silence_ms, worst->name);
	}
}

/* What the practice platforms got, understood by another implementation than ours. */
static void judge_practice(struct findings *v, const struct drill_step *step,
			   const struct drill_seen *seen)
{
	const struct drill_destination *worst = NULL;

	for (unsigned i = 0; i < seen->destination_count; i++) {
		const struct drill_destination *d = &seen->destinations[i];

		if (!d->is_practised || is_meant(step, d->name)) {
			continue;
		}
		if (d->bytes == 0) {
			find(v, FINDING_BAD, "the practice platform of %s got nothing", d->name);
		} else if (d->backwards > 0) {
			find(v, FINDING_BAD,
			     "at the practice platform of %s timestamps ran backwards %lld times",
			     d->name, (long long)d->backwards);
		} else if (worst == NULL || d->heard_ms > worst->heard_ms) {
			worst = d;
		}
	}
	if (worst != NULL) {
		find(v, worst->heard_ms < QUIET_MS ? FINDING_GOOD : FINDING_NOTE,
		     "practice platforms got all in order; the longest time without media was "
		     "%lld ms, at %s",
		     (long long)worst->heard_ms, worst->name);
	}
}

static void judge_destinations(struct findings *v, const struct drill_step *step,
			       const struct drill_seen *seen)
{
	bool may_dial = step->kind == DRILL_KILL && strncmp(step->targets[0], "relay", 5) == 0;
	unsigned kept = 0;

	for (unsigned i = 0; i < seen->destination_count; i++) {
		const struct drill_destination *d = &seen->destinations[i];

		if (!d->was_up || is_meant(step, d->name)) {
			continue;
		}
		if (!d->is_up) {
			find(v, FINDING_BAD, "destination %s is off air since", d->name);
		} else if (d->restarts > 0) {
			find(v, may_dial ? FINDING_NOTE : FINDING_BAD,
			     "destination %s lost its connection", d->name);
		} else {
			kept++;
		}
	}
	judge_silence(v, step, seen);
	judge_practice(v, step, seen);
	if (kept > 0) {
		find(v, FINDING_GOOD, "%u destination%s kept %s connection%s", kept,
		     kept > 1 ? "s" : "", kept > 1 ? "their" : "its", kept > 1 ? "s" : "");
	}
}

static void judge_lost(struct findings *v, const struct drill_seen *seen)
{
	if (seen->down_ms == DRILL_NONE) {
		find(v, FINDING_BAD, "the destination was not on air, or nobody noticed its loss");
	} else if (seen->up_ms == DRILL_NONE || seen->up_ms > BACK_MS) {
		find(v, FINDING_BAD, "the destination did not come back in time");
	} else {
		find(v, FINDING_GOOD, "live again %lld ms after it could be reached",
		     (long long)seen->up_ms);
	}
}

static void judge_death(struct findings *v, const struct drill_seen *seen)
{
	find(v, seen->deaths > 0 ? FINDING_GOOD : FINDING_BAD,
	     seen->deaths > 0 ? "the worker was killed and replaced" : "no worker died");
}

/* Returns whether picture and sound are to be judged. */
static bool judge_kind(struct findings *v, const struct drill_step *step,
		       const struct drill_seen *seen, const struct explain_facts *facts)
{
	switch (step->kind) {
	case DRILL_FREEZE:
		judge_freeze(v, seen);
		return true;
	case DRILL_FLAP:
		judge_flap(v, step, seen, facts);
		return true;
	case DRILL_CHAIN:
	case DRILL_ALL:
		return judge_emptiness(v, seen, facts);
	case DRILL_LOSE:
		judge_lost(v, seen);
		return true;
	case DRILL_KILL:
		judge_death(v, seen);
		return true;
	default:
		judge_loss(v, step, seen, facts);
		return true;
	}
}

/* No excuse: the audience saw it. But nobody shall look for it in the wrong place. */
static void judge_machine(struct findings *v, const struct drill_step *step,
			  const struct drill_seen *seen)
{
	if (seen->held_ups > 0 && step->kind != DRILL_KILL) { /* a new worker may be late */
		find(v, FINDING_NOTE,
		     "the relay got no turn in time, as this machine was too busy or stood still "
		     "(%u x, first: %s)%s",
		     seen->held_ups, seen->held_up,
		     v->has_bad ? "; rehearse again with less beside it, to see what is left of "
				  "what is bad here"
				: "");
	}
}

/* Returns whether there is anything else to judge. */
static bool judge_hindrance(struct findings *v, const struct drill_step *step,
			    const struct drill_seen *seen, const struct explain_facts *facts)
{
	if (seen->hindrance == DRILL_ALONE) {
		find(v, FINDING_BAD,
		     "no other feed is there to take over: nothing was done; start the backup "
		     "encoder");
	} else if (seen->hindrance == DRILL_NOT_LIVE) {
		find(v, FINDING_BAD, "%s is not on air%s: %s%s is%s%s%s; nothing was done",
		     step->targets[0],
		     facts->return_mode == RETURN_AUTO ? ", and did not return in time" : "",
		     seen->live[0] != '\0' ? "feed " : "",
		     seen->live[0] != '\0' ? seen->live : "nothing",
		     seen->why[0] != '\0' ? " (" : "", seen->why, seen->why[0] != '\0' ? ")" : "");
	}
	if (seen->hindrance == DRILL_NOT_LIVE && facts->return_mode != RETURN_AUTO) {
		find(v, FINDING_NOTE,
		     "return is not automatic: put %s on air (`understudy take`), give the choice "
		     "back (`understudy auto`), and rehearse again",
		     step->targets[0]);
	}
	return seen->hindrance == DRILL_FREE;
}

void drill_judge(const struct drill_step *step, const struct drill_seen *seen,
		 const struct explain_facts *facts, const struct explanation *promise,
		 struct findings *ret)
{
	*ret = (struct findings){ .count = 0 };
	if (!judge_hindrance(ret, step, seen, facts)) {
		return;
	}
	if (step->kind == DRILL_STARVE) {
		judge_starvation(ret, seen, facts, promise);
	}
	if (judge_kind(ret, step, seen, facts)) {
		judge_media(ret, step, seen, facts, promise);
	}
	judge_destinations(ret, step, seen);
	judge_machine(ret, step, seen);
}
