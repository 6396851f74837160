/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `understudy drill`: a rehearsal. The relay makes the faults (each a lease of our connection, so
 * that whatever becomes of this command, all is put back) and its witness looks at every packet.
 *
 *   drill-plan.c     a scenario's steps, from the show's status. No socket, no clock
 *   drill-practice.c destinations that are replaced for the time being
 *   drill-watch.c    the connection: orders, events, the witness's counts
 *   drill-run.c      carries a step out and notes what is seen of it
 *   drill-verdict.c  holds what was seen against what `explain` says. No socket, no clock
 *   drill-report.c   the report, for programs and for people
 *   drill.c          the command
 */
#ifndef CLI_DRILL_H
#define CLI_DRILL_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "client.h"
#include "explain.h"
#include "finding.h"

#define DRILL_NONE (-1) /* a moment that never came, a number that nobody measured */
#define DRILL_TARGETS TIMELINE_FEEDS_MAX
#define DRILL_STEPS_MAX 256
#define DRILL_FLAPS 3
#define DRILL_TEXT 160

enum drill_kind {
	DRILL_PULL,   /* the feed counts as closed, its encoder stays connected */
	DRILL_CLOSE,  /* the encoder's connection is closed */
	DRILL_STALL,  /* nothing comes, nothing closes */
	DRILL_STARVE, /* every second frame is lost */
	DRILL_FREEZE, /* the picture stands still */
	DRILL_FLAP,   /* pulled and let go again and again */
	DRILL_CHAIN,  /* every feed of an encoder is pulled, one after the other */
	DRILL_ALL,    /* likewise, all at once */
	DRILL_LOSE,   /* a destination's connection breaks */
	DRILL_KILL,   /* a worker process is killed */
	DRILL_KINDS
};

struct drill_step {
	enum drill_kind kind;
	char name[2 * EXPLAIN_NAME]; /* "pull-primary", "lose-destination youtube" */
	unsigned target_count;
	char targets[DRILL_TARGETS][EXPLAIN_NAME]; /* feeds, a destination, or a role */
};
struct drill_plan {
	unsigned count;
	struct drill_step steps[DRILL_STEPS_MAX];
};

/* `show` is the show's part of the status. False: the scenario cannot be rehearsed there, and
 * `error` says why and what there is instead. */
bool drill_plan(const struct explain_facts *facts, const json_t *show, const char *scenario,
		bool is_hard, struct drill_plan *ret, char *error, size_t size);
/* "pull-primary, stall-primary, ..." */
void drill_list_scenarios(char *to, size_t size);

/* ---- what is seen of a step: times are Unix milliseconds or spans of them ---- */

struct drill_track {
	int64_t missing, doubled; /* frames */
	int64_t longest_ms;       /* step in presentation */
	int64_t frame_ms;
};
struct drill_destination {
	char name[EXPLAIN_NAME];
	bool was_up, is_up;
	int64_t restarts;   /* during the step */
	int64_t silence_ms; /* longest time without a write */
	bool is_practised;  /* played by a practice platform, and this is what it got: */
	int64_t publishes, bytes, backwards;
	int64_t heard_ms; /* longest time without media */
};
#define DRILL_DESTINATIONS 200
enum drill_hindrance {
	DRILL_FREE,
	DRILL_NOT_LIVE, /* the feed meant was not on air, and did not come */
	DRILL_ALONE,    /* no other feed was there to take over */
};
struct drill_seen {
	enum drill_hindrance hindrance; /* nothing was done */
	char live[EXPLAIN_NAME];        /* what was on air instead, "" = nothing ... */
	char why[TIMELINE_TEXT_MAX];    /* ... and why */
	int64_t began_ms, ended_ms;
	int64_t fault_ms, mended_ms; /* when the first fault was made, when all were undone */
	int64_t noticed_ms;          /* after the fault */
	int64_t left_ms;             /* after the fault: the splice was on air */
	char from[EXPLAIN_NAME], to[EXPLAIN_NAME];
	int64_t gap_ms; /* of that splice */
	unsigned failovers, failbacks, deaths;
	unsigned held_ups;        /* the relay itself got no turn in time, since the step before */
	char held_up[DRILL_TEXT]; /* what was said of the first time */
	int64_t stirred_ms;       /* the newest event of a feed meant */
	int64_t off_since_ms, off_ms;       /* without anything to send */
	int64_t returned_ms, return_gap_ms; /* after all was undone */
	int64_t down_ms, up_ms; /* of the destination meant: after the fault, after its end */
	bool has_witness;
	int64_t disorders; /* what else the witness found wrong */
	struct drill_track picture, sound;
	char mismatch[TIMELINE_TEXT_MAX]; /* of the feed gone to, if it is incompatible */
	unsigned destination_count;
	struct drill_destination destinations[DRILL_DESTINATIONS];
};

/* ---- the connection ---- */

struct drill {
	struct client client;
	char show[EXPLAIN_NAME];
	bool is_live_meant;
	int64_t seconds; /* how long a fault lasts at least */
	json_t *status;  /* the show's, newest */
	struct explain_facts facts;
	struct explanation promise;
	json_t *practice;        /* which destinations are replaced; NULL: none */
	json_t *events;          /* all of the rehearsal */
	struct drill_seen *seen; /* of the step under way, or NULL */
	const struct drill_step *step;
	unsigned held_ups; /* since the last step */
	char held_up[DRILL_TEXT];
	uint32_t mark;  /* the witness's, last */
	bool is_marked; /* its answer has come */
};

/* Connects, follows events, starts the witness. An exit code, said. */
int drill_open(struct drill *d, const char *socket);
void drill_close(struct drill *d);
/* The status, and what is promised with what is measured now. */
int drill_look(struct drill *d);
int drill_ask_promise(struct drill *d);
/* Replaces the destinations by practice platforms, and waits until the show is on air there. */
int drill_practice(struct drill *d);
/* One request and its reply; events that come meanwhile are noted. Refusals are said. `ret` (may be
 * NULL) is the caller's. */
int drill_ask(struct drill *d, json_t *request, json_t **ret);
/* The same for what has no answer but yes or no. */
int drill_order(struct drill *d, json_t *request);
int drill_fault(struct drill *d, const char *kind, const char *target);
int drill_mend(struct drill *d);
/* Waits until it holds, or so long. EXIT_DONE either way; else the relay or we are at an end. */
int drill_wait(struct drill *d, bool (*holds)(const struct drill *d), int64_t most_ms);
/* The witness's counts since the last call go to the step under way. */
int drill_count(struct drill *d);
bool drill_is_interrupted(void);
/* The moment, Unix milliseconds. */
int64_t drill_now_ms(void);

/* Carries one step out. EXIT_DONE, or why the rehearsal is over. */
int drill_run(struct drill *d, const struct drill_step *step, struct drill_seen *ret);

/* ---- the verdict: the show held if nothing is bad ---- */

void drill_judge(const struct drill_step *step, const struct drill_seen *seen,
		 const struct explain_facts *facts, const struct explanation *promise,
		 struct findings *ret);

/* ---- the report ---- */

/* One step of it (docs/internals/rehearsal.md). NULL: no memory. */
json_t *drill_step_json(const struct drill_step *step, const struct drill_seen *seen,
			const struct findings *verdict);
json_t *drill_report_json(const struct drill *d, const char *scenario, json_t *steps,
			  int64_t began_ms);
/* Makes it what the history keeps: without the events, which it has, and where it is too long
 * (HISTORY_REPORT) without the details of steps, least important first. */
void drill_shorten_report(json_t *report);
void drill_print_practice(const struct terminal *t, const struct drill *d);
void drill_print_step(const struct terminal *t, const json_t *step);
void drill_print_end(const struct terminal *t, const json_t *report);

#endif
