/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Faults made on purpose, for rehearsals. Each is a lease: it belongs to the client that ordered
 * it and is undone when that client orders so, goes away or dies, when its time is over, and
 * before the supervisor re-executes. Workers are told the end as well and come to it by themselves.
 *
 * Names are kept and looked up again at the end: a reload may have removed what they stand for.
 */
#include <stdlib.h>
#include <string.h>

#include <understudy/clock.h>
#include <understudy/text.h>

#include "rehearsal.h"

#define SECONDS_MAX 3600
#define PULLED "pulled in a rehearsal"

enum fault_kind { FAULT_NONE, FAULT_PULL, FAULT_STALL, FAULT_STARVE, FAULT_FREEZE, FAULT_LOSE };

static const struct {
	const char *name;
	enum feed_fault in_feed; /* what the feed's ingest does */
	const char *said;
} kinds[] = {
	[FAULT_PULL] = { "pull", FEED_SILENT, "is pulled" },
	[FAULT_STALL] = { "stall", FEED_SILENT, "is stalled" },
	[FAULT_STARVE] = { "starve", FEED_STARVED, "is starved of every second frame" },
	[FAULT_FREEZE] = { "freeze", FEED_FROZEN, "is frozen" },
	[FAULT_LOSE] = { "lose", FEED_SOUND, "is cut off" },
};

struct fault {
	TAILQ_ENTRY(fault) entry;
	struct supervisor *supervisor;
	const void *holder;
	enum fault_kind kind;
	char show[IPC_NAME], target[IPC_NAME]; /* the target is a feed, or a destination to lose */
	int64_t until_us;
	struct event *end;
};

static enum fault_kind fault_kind_of(const char *name)
{
	for (unsigned i = FAULT_PULL; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].name, name) == 0) {
			return (enum fault_kind)i;
		}
	}
	return FAULT_NONE;
}

static const char *fault_target_word(enum fault_kind kind)
{
	return kind == FAULT_LOSE ? "destination" : "feed";
}

static void fault_tell(const struct fault *f, const char *what)
{
	const char *word = fault_target_word(f->kind);

	events_add(f->supervisor, f->show, what,
		   json_pack("{s:s, s:s}", word, f->target, "fault", kinds[f->kind].name),
		   "rehearsal: %s %s %s", word, f->target,
		   strcmp(what, "fault") == 0 ? kinds[f->kind].said : "is left alone again");
}

/* ---- in force ---- */

static void fault_spoil(const struct source *source, enum feed_fault fault, int64_t until_us)
{
	struct ipc_feed_fault order = { .fault = fault, .until_us = until_us };

	child_send(source->connection->child, IPC_FEED_FAULT, &order, NULL, 0);
}

void fault_excuse(const struct feed *feed)
{
	struct ipc_feed_rehearse order = { .feed = feed->id,
					   .is_rehearsed = fault_of(feed) != NULL };

	if (feed->show->switcher != NULL) {
		child_send(feed->show->switcher, IPC_FEED_REHEARSE, &order, NULL, 0);
	}
}

static void fault_begin(struct fault *f, struct show *show)
{
	struct feed *feed = feed_find(show, f->target);

	if (f->kind == FAULT_LOSE) {
		destination_cut(destination_find(show, f->target), f->until_us);
		return;
	}
	fault_excuse(feed);
	struct source *source = feed_connected(feed);
	fault_spoil(source, kinds[f->kind].in_feed, f->until_us);
	if (f->kind == FAULT_PULL) {
		source_close(source, PULLED);
	}
}

/* What the encoder sends counts again; a pulled feed comes back as a new source. */
static void fault_mend(const struct fault *f, struct feed *feed)
{
	struct source *source = feed_connected(feed);

	fault_excuse(feed);
	if (source == NULL || !source->is_ready) {
		return;
	}
	fault_spoil(source, FEED_SOUND, 0);
	if (f->kind == FAULT_PULL && source->is_closed) {
		source_renew(source);
	} else if (f->kind == FAULT_PULL && source->is_withheld) {
		source->is_withheld = false;
		source_ready(source);
	}
}

static void fault_end(struct fault *f)
{
	struct supervisor *sup = f->supervisor;
	struct show *show = show_find(sup, f->show);
	struct destination *d;
	struct feed *feed;

	TAILQ_REMOVE(&sup->faults, f, entry);
	fault_tell(f, "fault_over");
	if (show != NULL && f->kind == FAULT_LOSE) {
		d = destination_find(show, f->target);
		if (d != NULL) {
			destination_cut(d, 0);
		}
	} else if (show != NULL) {
		feed = feed_find(show, f->target);
		if (feed != NULL) {
			fault_mend(f, feed);
		}
	}
	event_free(f->end);
	free(f);
}

static void fault_is_over(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	fault_end(context);
}

static struct fault *fault_find(struct supervisor *sup, const char *show, const char *target,
				bool is_destination)
{
	struct fault *f;

	TAILQ_FOREACH(f, &sup->faults, entry) {
		if ((f->kind == FAULT_LOSE) == is_destination && strcmp(f->show, show) == 0 &&
		    strcmp(f->target, target) == 0) {
			return f;
		}
	}
	return NULL;
}

bool fault_meet(struct source *source)
{
	const struct feed *feed = source->feed;
	const struct fault *f = fault_find(feed->show->supervisor, feed->show->config->name,
					   feed->config->name, false);

	if (f == NULL) {
		return false;
	}
	fault_spoil(source, kinds[f->kind].in_feed, f->until_us);
	source->is_withheld = f->kind == FAULT_PULL;
	return source->is_withheld;
}

const char *fault_of(const struct feed *feed)
{
	const struct fault *f = fault_find(feed->show->supervisor, feed->show->config->name,
					   feed->config->name, false);

	return f != NULL ? kinds[f->kind].said : NULL;
}

void fault_undo(struct supervisor *sup, const void *holder)
{
	struct fault *f, *next;

	for (f = TAILQ_FIRST(&sup->faults); f != NULL; f = next) {
		next = TAILQ_NEXT(f, entry);
		if (holder == NULL || f->holder == holder) {
			fault_end(f);
		}
	}
}

/* ---- orders ---- */

/* Somebody may be watching. Recordings and what is marked for rehearsals have no public. */
static const struct destination *fault_public(const struct show *show)
{
	const struct destination *d;

	TAILQ_FOREACH(d, &show->destinations, entry) {
		bool is_up = d->status.state == DESTINATION_LIVE ||
			     d->status.state == DESTINATION_HELD;

		if (is_up && !d->config->rehearsal && d->config->path == NULL &&
		    d->stand_in == NULL) {
			return d;
		}
	}
	return NULL;
}

static bool fault_has_target(struct show *show, enum fault_kind kind, const char *target,
			     char *error, size_t size)
{
	struct feed *feed;

	if (kind == FAULT_LOSE) {
		if (destination_find(show, target) != NULL) {
			return true;
		}
		text_format(error, size,
			    "show %s has no destination %s; `understudy status` lists them",
			    show->config->name, target);
		return false;
	}
	feed = feed_find(show, target);
	if (feed == NULL) {
		text_format(error, size, "show %s has no feed %s; `understudy status` lists them",
			    show->config->name, target);
		return false;
	}
	if (feed_connected(feed) == NULL || feed_current(feed) == NULL) {
		text_format(
			error, size,
			"nothing comes of feed %s, so there is nothing to rehearse with: start its "
			"encoder, or see `understudy status` for why it cannot be fetched",
			target);
		return false;
	}
	return true;
}

static bool fault_add(struct show *show, const void *holder, enum fault_kind kind,
		      const char *target, int64_t seconds)
{
	struct supervisor *sup = show->supervisor;
	struct fault *f = calloc(1, sizeof(*f));

	if (f == NULL) {
		return false;
	}
	*f = (struct fault){ .supervisor = sup,
			     .holder = holder,
			     .kind = kind,
			     .until_us = clock_monotonic_us() + seconds * 1000000 };
	text_copy(f->show, sizeof(f->show), show->config->name);
	text_copy(f->target, sizeof(f->target), target);
	f->end = evtimer_new(sup->base, fault_is_over, f);
	evtimer_add(f->end, &(struct timeval){ .tv_sec = seconds });
	TAILQ_INSERT_TAIL(&sup->faults, f, entry);
	fault_tell(f, "fault");
	fault_begin(f, show);
	return true;
}

static unsigned fault_kill_if(struct child *child, const char *role)
{
	if (child == NULL || child->is_stopping ||
	    strcmp(worker_role_str(child->role), role) != 0) {
		return 0;
	}
	child_kill(child, "it was killed in a rehearsal");
	return 1;
}

/* Not undone, as nothing has to be: the worker is replaced, the encoder dials again. */
static unsigned fault_kill(struct show *show, const char *role)
{
	struct relay *relay;
	struct feed *feed;
	unsigned count = fault_kill_if(show->switcher, role);

	TAILQ_FOREACH(relay, &show->relays, entry) {
		count += fault_kill_if(relay->child, role);
	}
	TAILQ_FOREACH(feed, &show->feeds, entry) {
		struct source *source = feed_connected(feed);

		count += source != NULL ? fault_kill_if(source->connection->child, role) : 0;
	}
	return count;
}

static bool fault_do_once(struct show *show, const char *kind, const char *target, char *error,
			  size_t size)
{
	bool is_kill = strcmp(kind, "kill") == 0;

	if (is_kill && fault_kill(show, target) == 0) {
		text_format(error, size, "show %s has no worker %s running", show->config->name,
			    target);
		return false;
	}
	if (!is_kill) {
		connection_end(feed_connected(feed_find(show, target))->connection,
			       "closed in a rehearsal");
	}
	return true;
}

bool fault_order(struct show *show, const void *holder, const json_t *request, char *error,
		 size_t size)
{
	const char *name = json_string_value(json_object_get(request, "kind"));
	const char *target = json_string_value(json_object_get(request, "target"));
	int64_t seconds = json_integer_value(json_object_get(request, "seconds"));
	const struct destination *public = fault_public(show);
	enum fault_kind kind = name != NULL ? fault_kind_of(name) : FAULT_NONE;
	bool is_close = name != NULL && strcmp(name, "close") == 0;
	bool is_kill = name != NULL && strcmp(name, "kill") == 0;

	if ((kind == FAULT_NONE && !is_close && !is_kill) || target == NULL ||
	    (kind != FAULT_NONE && (seconds < 1 || seconds > SECONDS_MAX))) {
		text_format(error, size, "a fault has a kind, a target and 1 to %d seconds",
			    SECONDS_MAX);
		return false;
	}
	if (public != NULL && !json_is_true(json_object_get(request, "live"))) {
		text_format(error, size,
			    "destination %s is on air to the public: rehearse before the event, or "
			    "mark it `rehearsal: true`, or add --live if you mean it",
			    public->config->name);
		return false;
	}
	if (show->supervisor->validator != 0) {
		text_format(error, size, "the relay is about to re-execute: try again in a moment");
		return false;
	}
	if (!is_kill && !fault_has_target(show, kind, target, error, size)) {
		return false;
	}
	if (kind == FAULT_NONE) {
		return fault_do_once(show, name, target, error, size);
	}
	if (fault_find(show->supervisor, show->config->name, target, kind == FAULT_LOSE) != NULL) {
		text_format(error, size, "%s %s is part of a rehearsal already",
			    fault_target_word(kind), target);
		return false;
	}
	if (!fault_add(show, holder, kind, target, seconds)) {
		text_format(error, size, "the relay is out of memory");
		return false;
	}
	return true;
}
