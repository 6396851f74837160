/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A show: its switch, kept running from the show's creation to its removal so that feeds are
 * watched before they are on air, and the show ring.
 *
 * A switch that dies is replaced at once. The new one gets a new show ring to write (the old one
 * is sealed), the old ring to read where it stopped, and every source again; relays are handed
 * the new ring when it is ready and drain the old one first.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/log.h>
#include <understudy/loop.h>
#include <understudy/ring.h>
#include <understudy/text.h>

#include "condition.h"
#include "rehearsal.h"
#include "supervisor.h"

#define SHOW_SPAN_US 6000000  /* what a relay may be behind before it is lapped */
#define RESUME_FAILURES_MAX 2 /* then a new switch starts afresh: its state may be what kills it */
#define ROUNDS_PER_DELAY 40
#define ROUND_LEAST_US 20000
#define ROUND_MOST_US 75000
#define ROUND_AT_ONCE_US 10000 /* batch_ms: 0 */
#define ROUND_LIVE_US 29000    /* without a delay; in step with no usual frame rate */
#define ROUND_LIVE_MS 20       /* ... where packets may be gathered for so long */

/* Behind a delay nobody notices when within a round a packet leaves, so the longer the delay, the
 * less often a show wakes up. What the delay promises has 250 ms to spare, of which a round and
 * the time between two looks at an encoder are a part. Without one, what packets may be gathered
 * for is spent where they come in, so that everybody behind wakes up as rarely. */
int64_t show_round_us(const struct show *show)
{
	const struct config_show *config = show->config;
	int64_t round_us = (int64_t)config->delay_ms * 1000 / ROUNDS_PER_DELAY;

	if (config->delay_ms == 0) {
		return config->batch_ms >= ROUND_LIVE_MS ? ROUND_LIVE_US : 0;
	}
	if (config->batch_ms == 0) {
		return ROUND_AT_ONCE_US;
	}
	round_us = round_us < ROUND_MOST_US ? round_us : ROUND_MOST_US;
	return round_us > ROUND_LEAST_US ? round_us : ROUND_LEAST_US;
}

struct show *show_find(struct supervisor *sup, const char *name)
{
	struct show *show;

	TAILQ_FOREACH(show, &sup->shows, entry) {
		if (strcmp(show->config->name, name) == 0) {
			return show;
		}
	}
	return NULL;
}

/* ---- what the switch is told ---- */

void show_tell_settled(struct show *show, bool is_settled)
{
	struct ipc_switch_settle settle = { .is_settled = is_settled };

	show->is_on_air = is_settled;
	if (show->switcher != NULL) {
		child_send(show->switcher, IPC_SWITCH_SETTLE, &settle, NULL, 0);
	}
}

void show_settle_reference(struct show *show)
{
	if (!show->is_on_air) {
		show_tell_settled(show, true);
	}
}

void show_tell_thresholds(struct show *show)
{
	struct ipc_switch_health order = { .health = show->config->failover.health };

	if (show->switcher != NULL) {
		child_send(show->switcher, IPC_SWITCH_HEALTH, &order, NULL, 0);
	}
}

void show_note_loss(struct show *show, const struct source *source,
		    const struct ipc_caller_status *srt)
{
	struct ipc_source_loss loss = { .feed = source->feed->id,
					.incarnation = source->incarnation,
					.packets = srt->packets,
					.lost = srt->dropped + srt->undecrypted };

	if (show->switcher != NULL) {
		child_send(show->switcher, IPC_SOURCE_LOSS, &loss, NULL, 0);
	}
}

/* ---- the switch ---- */

static void switch_describe(const struct show *show, struct ipc_switch_start *start)
{
	const struct config_show *config = show->config;
	const struct feed *feed;

	*start = (struct ipc_switch_start){
		.delay_us = (int64_t)config->delay_ms * 1000,
		.stall_us = (int64_t)config->failover.stall_ms * 1000,
		.hole_us = (int64_t)config->failover.hole_ms * 1000,
		.return_after_us = (int64_t)config->failover.return_after_s * 1000000,
		.span_us = SHOW_SPAN_US,
		.round_us = show_round_us(show),
		.return_mode = (uint32_t)config->failover.return_mode,
		.on_mismatch = (uint32_t)config->failover.on_mismatch,
		.health = config->failover.health,
		.reference = show->status.timeline.reference,
		.reference_feed = show->status.timeline.reference_feed,
		.is_reference_settled = show->status.timeline.is_reference_settled != 0,
		.taken_feed = show->taken_feed,
		.fills_silence = config->fill == FILL_SILENCE,
	};
	text_copy(start->show, sizeof(start->show), config->name);
	/* In the order of preference; those that are leaving come last. */
	TAILQ_FOREACH(feed, &show->feeds, entry) {
		struct ipc_feed *to = &start->feeds[start->feed_count++];

		to->id = feed->id;
		to->is_slate = feed->config->file != NULL;
		to->offset_ms = feed->config->offset_ms;
		text_copy(to->name, sizeof(to->name), feed->config->name);
	}
}

static void switch_introduce(struct show *show)
{
	struct ipc_switch_begin begin = { 0 };
	struct relay *relay;
	struct feed *feed;
	struct source *source;

	TAILQ_FOREACH(relay, &show->relays, entry) {
		relay_choose_batch(relay);
	}
	TAILQ_FOREACH(feed, &show->feeds, entry) {
		if (fault_of(feed) != NULL) {
			fault_excuse(feed);
		}
		TAILQ_FOREACH(source, &feed->sources, entry) {
			source_announce(source);
		}
	}
	if (show->is_on_air) {
		show_tell_settled(show, true);
	}
	child_send(show->switcher, IPC_SWITCH_BEGIN, &begin, NULL, 0);
}

/* The ring the dead switch wrote stays until its successor has read it and is ready. */
static bool show_renew_ring(struct show *show)
{
	int ring_fd = ring_create(show->config->name, show->supervisor->config->ring_max_bytes);

	if (ring_fd < 0) {
		log_error("no memory for the show ring show=%s", show->config->name);
		return false;
	}
	if (show->is_ring_ready) {
		if (show->old_ring_fd >= 0) {
			close(show->old_ring_fd);
		}
		show->old_ring_fd = show->ring_fd;
	} else if (show->ring_fd >= 0) {
		close(show->ring_fd);
	}
	show->ring_fd = ring_fd;
	show->is_ring_ready = false;
	return true;
}

static void show_retry(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	show_start_switch(context);
}

void show_start_switch(struct show *show)
{
	struct supervisor *sup = show->supervisor;
	struct ipc_switch_start start;
	char label[2 * IPC_NAME];

	text_format(label, sizeof(label), "switch %s", show->config->name);
	if (!show_renew_ring(show)) {
		loop_set_timer(show->retry, clock_monotonic_us() + 1000000);
		return;
	}
	show->switcher = child_spawn(sup, ROLE_SWITCH, &show_ops, show, label);
	if (show->switcher == NULL) {
		loop_set_timer(show->retry, clock_monotonic_us() + 1000000);
		return;
	}
	bool resume = show->old_ring_fd >= 0 && show->restart.failures < RESUME_FAILURES_MAX;
	int fds[2] = { show->ring_fd, show->old_ring_fd };
	switch_describe(show, &start);
	child_send(show->switcher, IPC_SWITCH_START, &start, fds, resume ? 2 : 1);
	switch_introduce(show);
}

void show_restart_switch(struct show *show)
{
	if (show->switcher != NULL) {
		child_stop(show->switcher, false);
	}
}

static void switch_exited(struct child *child, const char *cause)
{
	struct show *show = child->owner;
	int64_t now_us = clock_monotonic_us();
	bool was_asked = child->is_stopping;

	show->switcher = NULL;
	if (show->supervisor->is_ending) {
		return;
	}
	int64_t ran_us = was_asked ? INT64_MAX : now_us - child->started_us;
	uint32_t random = 0;
	int64_t at_us = restart_after(&show->restart, &restart_policy_worker, ran_us, random,
				      now_us);
	if (!was_asked) {
		events_add(show->supervisor, show->config->name, "worker_died",
			   json_pack("{s:s}", "role", "switch"),
			   "the switch %s; a new one goes on with the show", cause);
	}
	loop_set_timer(show->retry, at_us);
}

static void switch_ring_ready(struct show *show)
{
	struct relay *relay;

	if (ring_check(show->ring_fd, show->supervisor->config->ring_max_bytes) < 0) {
		child_kill(show->switcher, "its ring is not sealed as it must be");
		return;
	}
	show->is_ring_ready = true;
	if (show->old_ring_fd >= 0) {
		close(show->old_ring_fd); /* read by now; its checkpoint is in the new one */
		show->old_ring_fd = -1;
	}
	TAILQ_FOREACH(relay, &show->relays, entry) {
		relay_give_ring(relay);
	}
	witness_give_ring(show);
}

/* ---- what the switch reports ---- */

static const char *event_kind(const struct show *show, const struct timeline_event *e)
{
	if (e->kind != TIMELINE_SPLICED) {
		static const char *const kinds[] = {
			[TIMELINE_ON] = "on_air",           [TIMELINE_STARVED] = "off_air",
			[TIMELINE_RESUMED] = "on_air",      [TIMELINE_GAP] = "gap",
			[TIMELINE_STATE] = "feed_state",    [TIMELINE_TWINS] = "twins",
			[TIMELINE_PARTED] = "twins_parted", [TIMELINE_CARRIED] = "twin_carries_on",
			[TIMELINE_HELD_UP] = "held_up",
		};
		return kinds[e->kind];
	}
	if (e->is_wish) {
		return show->taken_feed != 0 && show->taken_feed == e->to ? "take" : "failback";
	}
	const struct feed *from = feed_by_id((struct show *)show, e->from);

	if (from != NULL && e->from != e->to && leave_is_under_way(from)) {
		return "leave";
	}
	return e->from == e->to ? "reconnect" : "failover";
}

static json_t *feed_name_json(struct show *show, uint16_t id)
{
	struct feed *feed = feed_by_id(show, id);

	return feed != NULL ? json_string(feed->config->name) : json_null();
}

static json_t *event_numbers(struct show *show, const struct ipc_switch_event *message)
{
	const struct timeline_event *e = &message->event;
	json_t *extra = json_pack("{s:o, s:o}", "from", feed_name_json(show, e->from), "to",
				  feed_name_json(show, e->to));

	if (e->kind != TIMELINE_STATE) {
		json_object_set_new(extra, "timeline_90k", json_integer(e->show_90k));
		json_object_set_new(extra, "gap_ms", json_integer(e->gap_90k / 90));
		json_object_set_new(extra, "noticed_ms_ago",
				    json_integer(message->at_us / 1000 - e->noticed_us / 1000));
	}
	return extra;
}

static void event_text(struct show *show, const struct timeline_event *e, const char *cause,
		       char *to, size_t size)
{
	struct feed *from = feed_by_id(show, e->from), *goes_to = feed_by_id(show, e->to);
	bool has_both = from != NULL && goes_to != NULL;
	char missing[48] = "";

	if (e->gap_90k >= 90) {
		text_format(missing, sizeof(missing), "; %lld ms are missing",
			    (long long)(e->gap_90k / 90));
	}
	if (has_both && (e->kind == TIMELINE_SPLICED || e->kind == TIMELINE_CARRIED)) {
		text_format(to, size, "%s -> %s: %s%s", from->config->name, goes_to->config->name,
			    cause, missing);
	} else if (has_both && (e->kind == TIMELINE_TWINS || e->kind == TIMELINE_PARTED)) {
		text_format(to, size, "%s and %s: %s", goes_to->config->name, from->config->name,
			    cause);
	} else if (has_both && e->kind == TIMELINE_RESUMED) {
		text_format(to, size, "with %s, after %s: %s%s", goes_to->config->name,
			    from->config->name, cause, missing);
	} else if (e->kind == TIMELINE_STARVED && from != NULL) {
		text_format(to, size, "nothing to go on with after %s: %s", from->config->name,
			    cause);
	} else if ((e->kind == TIMELINE_STATE || e->kind == TIMELINE_GAP) && goes_to != NULL) {
		text_format(to, size, "feed %s: %s%s", goes_to->config->name, cause, missing);
	} else {
		text_copy(to, size, cause);
	}
}

static void switch_event(struct show *show, struct ipc_switch_event *message)
{
	struct timeline_event *e = &message->event;
	char cause[2 * TIMELINE_TEXT_MAX], text[3 * TIMELINE_TEXT_MAX];

	if (e->kind < TIMELINE_ON || e->kind >= TIMELINE_EVENT_KINDS) {
		return;
	}
	e->cause[sizeof(e->cause) - 1] = '\0';
	text_escape(cause, sizeof(cause), e->cause, strlen(e->cause));
	event_text(show, e, cause, text, sizeof(text));
	events_add(show->supervisor, show->config->name, event_kind(show, e),
		   event_numbers(show, message), "%s", text);
	if (e->kind == TIMELINE_STARVED) {
		text_copy(show->off_cause, sizeof(show->off_cause), cause);
	}
}

static void switch_released(struct show *show, const struct ipc_source_released *released)
{
	struct feed *feed = feed_by_id(show, released->feed);
	struct source *source;

	if (feed == NULL) {
		return;
	}
	TAILQ_FOREACH(source, &feed->sources, entry) {
		if (source->incarnation != released->incarnation) {
			continue;
		}
		if (leave_released(source)) {
			/* nothing more of it */
		} else if (source == feed_connected(feed)) {
			source->is_withheld = true; /* pulled; its encoder is still there */
		} else {
			source_release(source);
		}
		feed_settle(feed);
		return;
	}
}

/* What a worker says is made sane before anybody relies on it. */
static void feed_status_tame(struct timeline_feed_status *s)
{
	s->mismatch &= FORMAT_BIT(FORMAT_FIELDS) - 1;
	for (unsigned i = 0; i < s->symptom_count; i++) {
		if (s->symptoms[i].signal >= TIMELINE_SIGNALS) {
			s->symptom_count = i;
		}
	}
}

static void switch_status(struct show *show, const struct ipc_switch_status *status)
{
	struct timeline_status *t = &show->status.timeline;

	memcpy(&show->status, status, sizeof(show->status));
	for (unsigned i = 0; i < t->feed_count; i++) {
		feed_status_tame(&t->feeds[i]);
	}
	condition_update(show);
}

static void switch_message(struct child *child, struct ipc_message *m)
{
	struct show *show = child->owner;

	if (m->type == IPC_SWITCH_STATUS) {
		switch_status(show, (struct ipc_switch_status *)m->body);
		history_look(show);
		witness_tell_twins(show);
		slate_consider(show);
	} else if (m->type == IPC_SWITCH_EVENT) {
		switch_event(show, (struct ipc_switch_event *)m->body);
	} else if (m->type == IPC_SOURCE_RELEASED) {
		switch_released(show, (struct ipc_source_released *)m->body);
	} else if (m->type == IPC_RING_READY && !show->is_ring_ready) {
		switch_ring_ready(show);
	} else {
		child_kill(child, "it sent a message that is not its business");
	}
}

const struct child_ops show_ops = { switch_message, switch_exited };

/* ---- the operator ---- */

void show_take(struct show *show, uint16_t feed)
{
	struct ipc_take take = { .feed = feed };

	show->taken_feed = feed;
	if (show->switcher != NULL) {
		child_send(show->switcher, IPC_TAKE, &take, NULL, 0);
	}
}

const char *show_give_back(struct show *show)
{
	const struct feed *first = TAILQ_FIRST(&show->feeds);
	uint16_t live = show->status.timeline.live;
	bool was_taken = show->taken_feed != 0;
	bool waits = show->config->failover.return_mode == RETURN_MANUAL && live != 0 &&
		     live != first->id;

	if (!was_taken && !waits) {
		return NULL;
	}
	show_take(show, 0);
	return was_taken ? "gave the choice of feed back"
			 : "lets the show return to a preferred feed";
}

void show_go(struct show *show)
{
	struct destination *d;
	struct feed *feed;

	show->is_started = true;
	TAILQ_FOREACH(feed, &show->feeds, entry) {
		pull_start(feed);
	}
	TAILQ_FOREACH(d, &show->destinations, entry) {
		if (d->relay == NULL) {
			destination_assign(d);
		}
	}
	history_look(show);
}

void show_end(struct show *show)
{
	struct destination *d;
	struct relay *relay;
	struct feed *feed;

	show->is_started = false;
	leave_all(show, "the show was ended");
	TAILQ_FOREACH(feed, &show->feeds, entry) {
		pull_stop(feed, "the show was ended");
	}
	show_tell_settled(show, false);
	TAILQ_FOREACH(d, &show->destinations, entry) {
		if (d->relay != NULL && !show->supervisor->is_ending) {
			output_over(d);
		}
		d->relay = NULL;
		memset(&d->status, 0, sizeof(d->status));
		d->status.state = DESTINATION_STOPPED;
		d->status.since_us = clock_monotonic_us();
	}
	while ((relay = TAILQ_FIRST(&show->relays)) != NULL) {
		relay_destroy(relay, true);
	}
	history_look(show);
}

/* ---- life ---- */

struct show *show_create(struct supervisor *sup, const struct config_show *config)
{
	struct show *show = calloc(1, sizeof(*show));

	if (show == NULL) {
		return NULL;
	}
	*show = (struct show){
		.supervisor = sup, .config = config, .ring_fd = -1, .old_ring_fd = -1
	};
	TAILQ_INIT(&show->feeds);
	TAILQ_INIT(&show->relays);
	TAILQ_INIT(&show->destinations);
	show->retry = evtimer_new(sup->base, show_retry, show);
	for (unsigned i = 0; i < config->feeds_count; i++) {
		feed_create(show, &config->feeds[i]);
	}
	for (unsigned i = 0; i < config->destinations_count; i++) {
		destination_create(show, &config->destinations[i]);
	}
	TAILQ_INSERT_TAIL(&sup->shows, show, entry);
	return show;
}

void show_destroy(struct show *show)
{
	struct feed *feed;
	struct destination *d;

	practice_end(show);
	show_end(show);
	while ((feed = TAILQ_FIRST(&show->feeds)) != NULL) {
		feed_destroy(feed, "its show was removed from the configuration");
	}
	while ((d = TAILQ_FIRST(&show->destinations)) != NULL) {
		destination_remove(d, true);
	}
	history_gone(show, &show->account, HISTORY_SHOW, "");
	witness_leave(show);
	if (show->switcher != NULL) {
		child_stop(show->switcher, false);
		child_disown(show->switcher);
	}
	event_free(show->retry);
	if (show->ring_fd >= 0) {
		close(show->ring_fd);
	}
	if (show->old_ring_fd >= 0) {
		close(show->old_ring_fd);
	}
	TAILQ_REMOVE(&show->supervisor->shows, show, entry);
	free(show);
}
