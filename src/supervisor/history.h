/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What happened, for good: the supervisor's end of the history (history.c; a part of
 * supervisor.h). */
#ifndef SUPERVISOR_HISTORY_H
#define SUPERVISOR_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include <understudy/history.h>
#include <understudy/ipc.h>
#include <understudy/policy.h>

struct child;
struct child_ops;
struct event;
struct show;
struct supervisor;

/* What was told to the history last, and the sums since the relay was started. */
struct account {
	char state[HISTORY_WORD], cause[LEDGER_CAUSE]; /* "" = nothing yet */
	enum ledger_class class;
	struct ledger ledger; /* by boot time; not of feeds */
};

struct history {
	struct supervisor *supervisor;
	struct child *child; /* the writer */
	struct event *retry;
	struct restart restart;
	uint64_t boot;            /* this run: ... */
	struct ledger_time began; /* ... it goes on over re-executions */
	uint64_t sent;            /* records, to the present writer */
	uint64_t losing;          /* records that could not be sent since ... */
	struct ledger_time lost_at;
	unsigned reader_count;
	bool is_said; /* that it cannot be written */
	struct ipc_history_status status;
};

extern const struct child_ops history_ops;
void history_begin(struct supervisor *sup);
void history_finish(struct supervisor *sup);
void history_event(struct supervisor *sup, int64_t id, const char *show, const char *kind,
		   const char *text, const json_t *extra);
/* A rehearsal has been: {"report":{"scenario":X,"passed":B,...}}. */
void history_drill(struct show *show, const json_t *request);
/* Tells what has changed of the show, its destinations and feeds. */
void history_look(struct show *show);
/* It is taken out of the configuration. */
void history_gone(struct show *show, struct account *account, enum history_what what,
		  const char *name);
/* Tells how everything is. */
void history_tell_all(struct supervisor *sup);
/* {"subject":X,"show":S,...}: a reader shall answer into `output` (not taken). 0 or -errno. */
int history_ask(struct supervisor *sup, const json_t *request, int output);
json_t *history_json(const struct supervisor *sup);
json_t *account_json(const struct account *account);
json_t *account_save(const struct account *account);
void account_restore(struct account *account, const json_t *saved);
json_t *history_save(const struct supervisor *sup);
/* `child`: the writer, NULL if there was none. */
void history_restore(struct supervisor *sup, const json_t *saved, struct child *child);

#endif
