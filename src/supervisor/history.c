/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The history: its writer is told what happens, and nobody waits for it. What it cannot take is
 * counted; when it can again, it is told how much is missing and then everything that is so now.
 *
 *   events    as they happen (events.c)
 *   states    of shows, destinations and feeds, whenever they change: looked at each time a worker
 *             has reported something, and compared with what was told last
 *
 * Questions are answered by a reader of its own, a second process of the same program, straight
 * into the asker's socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/log.h>
#include <understudy/loop.h>
#include <understudy/text.h>

#include "supervisor.h"

#define QUEUE_MAX 512 /* records that may wait for the writer; then they are lost */
#define READERS_MAX 4
#define PRACTICE "a rehearsal without public"
#define SINCE_MAX_S INT64_C(100000000000)

static struct ledger_time now(void)
{
	return (struct ledger_time){ clock_boot_us(), clock_wall_us() };
}

/* ---- the writer ---- */

static void lose(struct history *h, uint64_t count)
{
	if (h->losing == 0) {
		h->lost_at = now();
	}
	h->losing += count;
}

static void put(struct history *h, enum ipc_type type, const void *body)
{
	if (h->child == NULL || h->child->order_count >= QUEUE_MAX) {
		lose(h, 1);
		return;
	}
	h->sent++;
	child_send(h->child, type, body, NULL, 0);
}

/* What could not be told meanwhile. */
static void catch_up(struct supervisor *sup)
{
	struct history *h = &sup->history;
	struct ipc_history_lost lost = { .at = h->lost_at, .count = h->losing };

	if (h->losing == 0 || h->child == NULL || h->child->order_count > 0) {
		return;
	}
	h->losing = 0;
	put(h, IPC_HISTORY_LOST, &lost);
	history_tell_all(sup);
}

/* The writer makes its files itself; as root that is another user than ours. */
static int give_away(const struct supervisor *sup, int directory)
{
	struct stat st;

	if (!sup->drops_privileges ||
	    (fstat(directory, &st) == 0 && st.st_uid == sup->worker_uid)) {
		return 0;
	}
	return fchown(directory, sup->worker_uid, sup->worker_gid) < 0 ? -errno : 0;
}

static int make_directory(struct supervisor *sup)
{
	char path[sizeof(sup->state_directory) + 16];
	int fd, result;

	text_format(path, sizeof(path), "%s/%s/", sup->state_directory, HISTORY_FOLDER);
	result = files_make_parents(path, 0750);
	if (result < 0) {
		return result;
	}
	path[strlen(path) - 1] = '\0';
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	result = give_away(sup, fd);
	if (result < 0) {
		close(fd);
	}
	return result < 0 ? result : fd;
}

static void start_later(struct history *h, int64_t ran_us)
{
	int64_t now_us = clock_monotonic_us();

	loop_set_timer(h->retry,
		       restart_after(&h->restart, &restart_policy_destination, ran_us, 0, now_us));
}

static void start_writer(struct supervisor *sup)
{
	struct history *h = &sup->history;
	struct ipc_history_start start = { .boot = h->boot,
					   .began = h->began,
					   .keep_days = sup->config->history.keep_days,
					   .max_mb = sup->config->history.max_mb };
	int directory = make_directory(sup);

	if (directory >= 0) {
		h->child = child_spawn(sup, ROLE_HISTORY, &history_ops, h, "history");
	} else if (!h->is_said) {
		log_warn("no history is kept: cannot use %s/%s: %s; the show is not affected",
			 sup->state_directory, HISTORY_FOLDER, strerror(-directory));
		h->is_said = true;
	}
	if (h->child == NULL) {
		start_later(h, 0);
	} else {
		h->sent = 0;
		memset(&h->status, 0, sizeof(h->status));
		child_send(h->child, IPC_HISTORY_START, &start, &directory, 1);
		catch_up(sup);
	}
	if (directory >= 0) {
		close(directory);
	}
}

static void retry(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	start_writer(context);
}

static void prepare(struct supervisor *sup)
{
	sup->history.supervisor = sup;
	sup->history.retry = evtimer_new(sup->base, retry, sup);
}

void history_begin(struct supervisor *sup)
{
	prepare(sup);
	sup->history.boot = clock_boot();
	sup->history.began = now();
	start_writer(sup);
}

void history_finish(struct supervisor *sup)
{
	if (sup->history.retry != NULL) {
		event_free(sup->history.retry);
	}
}

static void say_trouble(struct history *h, const struct ipc_history_status *status)
{
	if (status->is_broken && !h->status.is_broken && !h->is_said) {
		log_warn("the history cannot be written: %s; the show is not affected",
			 status->error);
		h->is_said = true;
	} else if (!status->is_broken && h->is_said) {
		log_info("the history is written again; records lost=%llu",
			 (unsigned long long)status->lost);
		h->is_said = false;
	}
	if (status->remark[0] != '\0') {
		log_warn("%s", status->remark);
	}
}

static void history_message(struct child *child, struct ipc_message *m)
{
	struct history *h = child->owner;
	struct ipc_history_status *status = (struct ipc_history_status *)m->body;
	bool was_broken = h->status.is_broken;

	if (m->type != IPC_HISTORY_STATUS) {
		child_kill(child, "it sent a message that is not its business");
		return;
	}
	say_trouble(h, status);
	h->status = *status;
	if (was_broken && !status->is_broken) {
		history_tell_all(h->supervisor); /* it has noted itself what it lost */
	}
	catch_up(h->supervisor);
}

static void history_exited(struct child *child, const char *cause)
{
	struct history *h = child->owner;

	(void)cause;
	h->child = NULL;
	if (h->supervisor->is_ending) {
		return;
	}
	lose(h, h->sent > h->status.taken ? h->sent - h->status.taken : 0);
	start_later(h, clock_monotonic_us() - child->started_us);
}

const struct child_ops history_ops = { history_message, history_exited };

/* ---- events and drills ---- */

void history_event(struct supervisor *sup, int64_t id, const char *show, const char *kind,
		   const char *text, const json_t *extra)
{
	struct ipc_history_event event = { .id = id, .at = now() };
	char *json = extra != NULL ? json_dumps(extra, JSON_COMPACT) : NULL;

	text_copy(event.show, sizeof(event.show), show);
	text_copy(event.kind, sizeof(event.kind), kind);
	text_copy(event.text, sizeof(event.text), text);
	if (json != NULL && !text_copy(event.extra, sizeof(event.extra), json)) {
		event.extra[0] = '\0'; /* half an object is none */
	}
	free(json);
	put(&sup->history, IPC_HISTORY_EVENT, &event);
}

void history_drill(struct show *show, const json_t *request)
{
	const json_t *report = json_object_get(request, "report");
	const char *scenario = json_string_value(json_object_get(report, "scenario"));
	struct ipc_history_drill drill = {
		.at = now(), .passed = json_is_true(json_object_get(report, "passed"))
	};
	char *json = json_dumps(report, JSON_COMPACT);

	text_copy(drill.show, sizeof(drill.show), show->config->name);
	text_copy(drill.scenario, sizeof(drill.scenario), scenario != NULL ? scenario : "");
	if (json != NULL && !text_copy(drill.report, sizeof(drill.report), json)) {
		drill.report[0] = '\0'; /* half a report is none */
	}
	free(json);
	put(&show->supervisor->history, IPC_HISTORY_DRILL, &drill);
}

/* ---- states ---- */

struct state {
	enum ledger_class class;
	const char *word, *cause;
};

static void tell(struct show *show, struct account *account, enum history_what what,
		 const char *name, const struct state *state)
{
	struct ipc_history_state message = { .at = now(), .what = what, .class = state->class };

	text_copy(message.show, sizeof(message.show), show->config->name);
	text_copy(message.name, sizeof(message.name), name);
	text_copy(message.state, sizeof(message.state), state->word);
	text_copy(message.cause, sizeof(message.cause), state->cause);
	/* One that fails for one reason, again and again, tells it once. */
	bool is_same_outage = account->class == LEDGER_OFF && state->class == LEDGER_OFF;
	bool is_new = account->class != state->class ||
		      strcmp(account->cause, message.cause) != 0 ||
		      (!is_same_outage && strcmp(account->state, message.state) != 0) ||
		      account->state[0] == '\0';
	if (!is_new) {
		return;
	}
	text_copy(account->state, sizeof(account->state), message.state);
	text_copy(account->cause, sizeof(account->cause), message.cause);
	account->class = state->class;
	if (what != HISTORY_FEED) {
		ledger_set(&account->ledger, message.at.boot_us, state->class, message.cause);
	}
	put(&show->supervisor->history, IPC_HISTORY_STATE, &message);
}

static struct state state_of_show(const struct show *show)
{
	if (!show->is_started) {
		return (struct state){ LEDGER_REST, "ended", "not started by the operator" };
	}
	if (show->practice != NULL) {
		return (struct state){ LEDGER_REST, "practice", PRACTICE };
	}
	if (show->status.timeline.is_on) {
		return (struct state){ LEDGER_ON, "on_air", "" };
	}
	return (struct state){ LEDGER_OFF, "off_air",
			       show->off_cause[0] != '\0' ? show->off_cause
							  : "no feed has come yet" };
}

static struct state state_of_destination(const struct destination *d)
{
	const struct ipc_destination_status *s = &d->status;
	const char *word = destination_state_str((enum destination_state)s->state);

	if (!d->show->is_started) {
		return (struct state){ LEDGER_REST, "ended", "not started by the operator" };
	}
	if (d->show->practice != NULL) {
		return (struct state){ LEDGER_REST, "practice", PRACTICE };
	}
	if (d->is_paused) {
		return (struct state){ LEDGER_REST, "paused", "paused by the operator" };
	}
	switch (s->state) {
	case DESTINATION_LIVE:
		return (struct state){ LEDGER_ON, word, "" };
	case DESTINATION_IDLE:
	case DESTINATION_HELD:
		return (struct state){ LEDGER_OFF, word,
				       d->show->status.timeline.is_on
					       ? "waiting for the show's next key frame"
					       : "nothing to send: no feed is live" };
	default:
		return (struct state){ LEDGER_OFF, word,
				       s->last_error[0] != '\0' ? s->last_error : "connecting" };
	}
}

/* With the names of the signals that are on: "no_audio low_bitrate". */
static void tell_feed(struct feed *feed)
{
	const struct timeline_feed_status *s = status_of_feed(feed->show, feed->id);
	char signals[LEDGER_CAUSE] = "";

	for (unsigned i = 0; i < s->symptom_count; i++) {
		size_t used = strlen(signals);

		text_format(signals + used, sizeof(signals) - used, "%s%s", used > 0 ? " " : "",
			    timeline_signal_str((enum timeline_signal)s->symptoms[i].signal));
	}
	const struct state state = { LEDGER_NOTHING, timeline_feed_state_str(s->state), signals };
	tell(feed->show, &feed->account, HISTORY_FEED, feed->config->name, &state);
}

void history_look(struct show *show)
{
	const struct state state = state_of_show(show);
	struct destination *d;
	struct feed *feed;

	if (show->supervisor->is_ending || show->supervisor->history.retry == NULL) {
		return; /* not any more, or not yet */
	}
	/* A supervisor that took over waits for what the switch says. */
	if (show->status.timeline.feed_count > 0 || !show->is_inherited) {
		tell(show, &show->account, HISTORY_SHOW, "", &state);
		TAILQ_FOREACH(feed, &show->feeds, entry) {
			tell_feed(feed);
		}
	}
	TAILQ_FOREACH(d, &show->destinations, entry) {
		if (d->config->kind != DESTINATION_INACTIVE) {
			const struct state of = state_of_destination(d);

			tell(show, &d->account, HISTORY_DESTINATION, d->config->name, &of);
		}
	}
}

void history_gone(struct show *show, struct account *account, enum history_what what,
		  const char *name)
{
	const struct state state = { what == HISTORY_FEED ? LEDGER_NOTHING : LEDGER_REST, "gone",
				     "not in the configuration" };

	if (!show->supervisor->is_ending) {
		tell(show, account, what, name, &state);
	}
}

void history_tell_all(struct supervisor *sup)
{
	const struct ipc_history_whole whole = { .at = now() };
	struct destination *d;
	struct feed *feed;
	struct show *show;

	TAILQ_FOREACH(show, &sup->shows, entry) {
		show->account.state[0] = '\0';
		TAILQ_FOREACH(feed, &show->feeds, entry) {
			feed->account.state[0] = '\0';
		}
		TAILQ_FOREACH(d, &show->destinations, entry) {
			d->account.state[0] = '\0';
		}
		history_look(show);
	}
	put(&sup->history, IPC_HISTORY_WHOLE, &whole);
}

/* ---- questions ---- */

static void reader_message(struct child *child, struct ipc_message *m)
{
	(void)m;
	child_kill(child, "it sent a message that is not its business");
}

static void reader_exited(struct child *child, const char *cause)
{
	struct history *h = &child->supervisor->history;

	(void)cause;
	h->reader_count--;
}

static bool read_question(const json_t *request, struct ipc_history_read *ret)
{
	const char *subject = json_string_value(json_object_get(request, "subject"));
	const char *show = json_string_value(json_object_get(request, "show"));
	const json_t *since = json_object_get(request, "since");
	json_int_t limit = json_integer_value(json_object_get(request, "limit"));
	json_int_t since_s = json_is_integer(since) ? json_integer_value(since) : -1;

	*ret = (struct ipc_history_read){
		.subject = subject != NULL ? history_subject_of(subject) : HISTORY_NONE,
		.since_us = since_s >= 0 && since_s < SINCE_MAX_S ? since_s * 1000000 : INT64_MIN,
		.limit = limit > 0 && limit < UINT32_MAX ? (uint32_t)limit : 0,
		.is_running = true,
		.now = now(),
	};
	return ret->subject != HISTORY_NONE &&
	       text_copy(ret->show, sizeof(ret->show), show != NULL ? show : "");
}

int history_ask(struct supervisor *sup, const json_t *request, int output)
{
	static const struct child_ops reader_ops = { reader_message, reader_exited };
	struct history *h = &sup->history;
	struct ipc_history_read question;
	struct child *reader;
	int directory;

	if (!read_question(request, &question)) {
		return -EINVAL;
	}
	question.boot = h->boot;
	if (h->reader_count >= READERS_MAX) {
		return -EBUSY;
	}
	directory = make_directory(sup);
	if (directory < 0) {
		return directory;
	}
	reader = child_spawn(sup, ROLE_HISTORY, &reader_ops, NULL, "history reader");
	if (reader != NULL) {
		const int fds[2] = { directory, output };

		h->reader_count++;
		child_send(reader, IPC_HISTORY_READ, &question, fds, 2);
	}
	close(directory);
	return reader != NULL ? 0 : -EAGAIN;
}

/* ---- what people see ---- */

json_t *history_json(const struct supervisor *sup)
{
	const struct history *h = &sup->history;
	bool is_kept = h->child != NULL && !h->status.is_broken;

	return json_pack("{s:b, s:I, s:I, s:o}", "kept", is_kept, "lost",
			 (json_int_t)(h->status.lost + h->losing), "bytes",
			 (json_int_t)h->status.bytes, "error",
			 h->status.error[0] != '\0' ? json_string(h->status.error) : json_null());
}

json_t *account_json(const struct account *account)
{
	struct ledger l = account->ledger;
	char since[32];
	int64_t present_us = clock_boot_us();

	ledger_advance(&l, present_us);
	status_time(since, clock_wall_us() - (l.has_begun ? l.at_us - l.from_us : 0));
	return json_pack("{s:s, s:f, s:f, s:f, s:f, s:i, s:f}", "since", since, "on_s",
			 (double)l.us[LEDGER_ON] / 1e6, "off_s", (double)l.us[LEDGER_OFF] / 1e6,
			 "rest_s", (double)l.us[LEDGER_REST] / 1e6, "percent", ledger_percent(&l),
			 "interruptions", (int)l.interruptions, "longest_off_s",
			 (double)l.longest_off_us / 1e6);
}

/* ---- re-execution ---- */

json_t *account_save(const struct account *a)
{
	const struct ledger *l = &a->ledger;

	return json_pack("[s, s, i, b, I, I, I, I, I, i, I, I, I]", a->state, a->cause,
			 (int)a->class, (int)l->has_begun, (json_int_t)l->from_us,
			 (json_int_t)l->at_us, (json_int_t)l->us[LEDGER_ON],
			 (json_int_t)l->us[LEDGER_OFF], (json_int_t)l->us[LEDGER_REST],
			 (int)l->interruptions, (json_int_t)l->longest_off_us,
			 (json_int_t)l->longest_off_at_us, (json_int_t)l->off_since_us);
}

void account_restore(struct account *a, const json_t *saved)
{
	struct ledger *l = &a->ledger;
	json_int_t from, at, on, off, rest, longest, longest_at, since;
	const char *state, *cause;
	int class, begun, interruptions;

	if (json_unpack((json_t *)saved, "[s, s, i, b, I, I, I, I, I, i, I, I, I]", &state, &cause,
			&class, &begun, &from, &at, &on, &off, &rest, &interruptions, &longest,
			&longest_at, &since) != 0 ||
	    class < 0 || class >= LEDGER_CLASSES) {
		return;
	}
	text_copy(a->state, sizeof(a->state), state);
	text_copy(a->cause, sizeof(a->cause), cause);
	a->class = (enum ledger_class) class;
	*l = (struct ledger){ .now = a->class,
			      .has_begun = begun,
			      .from_us = from,
			      .at_us = at,
			      .interruptions = (uint32_t)interruptions,
			      .longest_off_us = longest,
			      .longest_off_at_us = longest_at,
			      .off_since_us = since };
	l->us[LEDGER_ON] = on;
	l->us[LEDGER_OFF] = off;
	l->us[LEDGER_REST] = rest;
	text_copy(l->cause, sizeof(l->cause), cause);
}

/* Records that still wait here for the writer are lost. */
json_t *history_save(const struct supervisor *sup)
{
	const struct history *h = &sup->history;
	unsigned waiting = h->child != NULL ? h->child->order_count : 0;
	const struct ledger_time lost_at = h->losing > 0 ? h->lost_at : now();

	return json_pack("{s:o, s:I, s:[I, I], s:I, s:I, s:I, s:[I, I]}", "child",
			 h->child != NULL ? json_integer(h->child->pid) : json_null(), "boot",
			 (json_int_t)h->boot, "began", (json_int_t)h->began.boot_us,
			 (json_int_t)h->began.wall_us, "sent", (json_int_t)(h->sent - waiting),
			 "taken", (json_int_t)h->status.taken, "losing",
			 (json_int_t)(h->losing + waiting), "lost_at", (json_int_t)lost_at.boot_us,
			 (json_int_t)lost_at.wall_us);
}

static struct ledger_time saved_time(const json_t *saved, const char *key)
{
	const json_t *pair = json_object_get(saved, key);

	return (struct ledger_time){ json_integer_value(json_array_get(pair, 0)),
				     json_integer_value(json_array_get(pair, 1)) };
}

static uint64_t saved_count(const json_t *saved, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(saved, key));
}

void history_restore(struct supervisor *sup, const json_t *saved, struct child *child)
{
	struct history *h = &sup->history;

	prepare(sup);
	h->boot = saved_count(saved, "boot");
	h->began = saved_time(saved, "began");
	h->sent = saved_count(saved, "sent");
	h->status.taken = saved_count(saved, "taken");
	h->losing = saved_count(saved, "losing");
	h->lost_at = saved_time(saved, "lost_at");
	h->child = child;
	if (child == NULL) {
		start_writer(sup);
	}
}
