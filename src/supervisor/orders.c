/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a client of the Unix socket may ask for: one JSON object a line, one or more back.
 *
 *   {"command":"status"}                       -> {"ok":true,"status":{...}}
 *   {"command":"explain","show":S}             -> {"ok":true,"explain":{...}}
 *   {"command":"take","show":S,"feed":F}       -> {"ok":true} | {"ok":false,"error":"..."}
 *   {"command":"auto"|"start"|"end","show":S}  -> likewise; with "note" if it does nothing yet
 *   {"command":"fault","show":S,"kind":K,"target":T,"seconds":N,"live":B}  -> likewise; undone by
 *   {"command":"mend"}                         -> likewise, or when the client goes away
 *   {"command":"practice","show":S}            -> {"ok":true,"practice":{...}}, until it goes away
 *   {"command":"preflight","show":S}           -> {"ok":true,"preflight":{...}}, some seconds later
 *   {"command":"witness","show":S}             -> likewise, then {"witness":{}}s, {"summary":{}}s
 *   {"command":"witness_mark","show":S,"mark":N}  -> likewise, and a summary with that mark
 *   {"command":"history","subject":X,"show":S,"since":S,"limit":N}  -> as history.h says
 *   {"command":"drilled","show":S,"report":{}}  -> {"ok":true}: a rehearsal, for the history
 *   {"command":"events","follow":B,"since":S}  -> {"ok":true}, {"event":{...}}..., {"end":true}
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/bufferevent.h>

#include <understudy/clock.h>
#include <understudy/log.h>
#include <understudy/text.h>

#include "condition.h"
#include "control.h"

#define ORDER_NOTE_MAX 512

static bool client_who(const struct client *client, struct ucred *ret)
{
	socklen_t size = sizeof(*ret);

	return getsockopt(bufferevent_getfd(client->stream), SOL_SOCKET, SO_PEERCRED, ret, &size) ==
	       0;
}

/* Who gave an order belongs to the event; `extra` (taken) may be NULL. */
static json_t *signed_by(const struct client *client, json_t *extra)
{
	json_t *event = extra != NULL ? extra : json_object();
	struct ucred who;

	if (client_who(client, &who)) {
		json_object_set_new(event, "uid", json_integer(who.uid));
	}
	return event;
}

/* For "there is no show ...": as the client called it. */
static const char *named(const char *name)
{
	return name != NULL ? name : "without a name";
}

static void do_status(struct client *client, struct show *show, const json_t *request)
{
	(void)show;
	(void)request;
	client_reply(client, json_pack("{s:b, s:o}", "ok", true, "status",
				       status_json(client->control->supervisor)));
}

static void do_explain(struct client *client, struct show *show, const json_t *request)
{
	(void)request;
	client_reply(client, json_pack("{s:b, s:o}", "ok", true, "explain", explain_json(show)));
}

static void do_start(struct client *client, struct show *show, const json_t *request)
{
	(void)request;
	practice_end(show);
	if (!show->is_started) {
		show_go(show);
		events_add(show->supervisor, show->config->name, "start", signed_by(client, NULL),
			   "the operator started the show");
	}
	client_ok(client);
}

static void do_end(struct client *client, struct show *show, const json_t *request)
{
	(void)request;
	practice_end(show);
	if (show->is_started) {
		show_end(show);
		events_add(show->supervisor, show->config->name, "end", signed_by(client, NULL),
			   "the operator ended the show");
	}
	client_ok(client);
}

static void do_take(struct client *client, struct show *show, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "feed"));
	struct feed *feed = name != NULL ? feed_find(show, name) : NULL;
	char why[2 * TIMELINE_TEXT_MAX];

	if (feed == NULL) {
		client_error(client, "show %s has no feed %s; `understudy status` lists them",
			     show->config->name, named(name));
		return;
	}
	if (!condition_can_be_shown(feed, why, sizeof(why))) {
		client_error(client, "feed %s cannot be taken: %s", name, why);
		return;
	}
	show_take(show, feed->id);
	events_add(show->supervisor, show->config->name, "take_ordered",
		   signed_by(client, json_pack("{s:s}", "feed", name)),
		   "the operator takes feed %s", name);
	client_ok(client);
}

static void do_auto(struct client *client, struct show *show, const json_t *request)
{
	const char *meaning = show_give_back(show);
	char why[ORDER_NOTE_MAX];
	bool stays = condition_stays(show, why, sizeof(why));

	(void)request;
	if (meaning != NULL) {
		events_add(show->supervisor, show->config->name, "auto", signed_by(client, NULL),
			   "the operator %s%s%s", meaning, stays ? "; " : "", stays ? why : "");
	}
	client_reply(client, json_pack("{s:b, s:s?}", "ok", true, "note", stays ? why : NULL));
}

static void do_events(struct client *client, struct show *show, const json_t *request)
{
	const json_t *since = json_object_get(request, "since"), *event;
	double from_s = json_is_number(since) ? json_number_value(since) : 0;
	char from[32];
	size_t i;

	(void)show;
	status_time(from, (int64_t)(from_s > 0 && from_s < 1e11 ? from_s * 1e6 : 0));
	client_ok(client);
	json_array_foreach(client->control->supervisor->events, i, event) {
		if (strcmp(json_string_value(json_object_get(event, "time")), from) >= 0) {
			client_reply(client, json_pack("{s:O}", "event", event));
		}
	}
	client->follows = json_is_true(json_object_get(request, "follow"));
	if (!client->follows) {
		client_reply(client, json_pack("{s:b}", "end", true));
	}
}

/* The answer comes from a reader, straight into the client's socket. */
static void do_history(struct client *client, struct show *show, const json_t *request)
{
	int result = history_ask(client->control->supervisor, request,
				 bufferevent_getfd(client->stream));

	(void)show;
	if (result < 0) {
		client_error(client, "the history cannot be asked: %s", strerror(-result));
	}
}

static void do_drilled(struct client *client, struct show *show, const json_t *request)
{
	history_drill(show, request);
	client_ok(client);
}

static struct destination *requested_destination(struct client *client, struct show *show,
						 const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "destination"));
	struct destination *d = name != NULL ? destination_find(show, name) : NULL;

	if (d == NULL) {
		client_error(client,
			     "show %s has no destination %s; `understudy status` lists them",
			     show->config->name, named(name));
	}
	return d;
}

static void do_pause(struct client *client, struct show *show, const json_t *request)
{
	struct destination *d = requested_destination(client, show, request);

	if (d == NULL) {
		return;
	}
	if (!d->is_paused) {
		destination_pause(d);
		events_add(show->supervisor, show->config->name, "destination_paused",
			   signed_by(client, json_pack("{s:s}", "destination", d->config->name)),
			   "the operator paused destination %s", d->config->name);
	}
	client_ok(client);
}

static void do_resume(struct client *client, struct show *show, const json_t *request)
{
	struct destination *d = requested_destination(client, show, request);

	if (d == NULL) {
		return;
	}
	if (d->is_paused) {
		destination_resume(d);
		events_add(show->supervisor, show->config->name, "destination_resumed",
			   signed_by(client, json_pack("{s:s}", "destination", d->config->name)),
			   "the operator resumed destination %s", d->config->name);
	}
	client_ok(client);
}

static void do_fault(struct client *client, struct show *show, const json_t *request)
{
	char error[2 * IPC_TEXT];

	if (fault_order(show, client, request, error, sizeof(error))) {
		client_ok(client);
	} else {
		client_error(client, "%s", error);
	}
}

static void do_practice(struct client *client, struct show *show, const json_t *request)
{
	char error[2 * IPC_TEXT];
	json_t *practice = practice_begin(show, client, error, sizeof(error));

	(void)request;
	if (practice != NULL) {
		client_reply(client, json_pack("{s:b, s:o}", "ok", true, "practice", practice));
	} else {
		client_error(client, "%s", error);
	}
}

static void do_witness(struct client *client, struct show *show, const json_t *request)
{
	(void)request;
	client_stop_watching(client);
	text_copy(client->watches, sizeof(client->watches), show->config->name);
	witness_attend(show);
	client_ok(client);
}

static void do_witness_mark(struct client *client, struct show *show, const json_t *request)
{
	json_int_t mark = json_integer_value(json_object_get(request, "mark"));

	if (mark > 0 && mark <= UINT32_MAX && witness_mark(show, (uint32_t)mark)) {
		client_ok(client);
	} else {
		client_error(client, "show %s has no witness now; is it on air?",
			     show->config->name);
	}
}

/* Answered when it is known, see preflight.c. */
static void do_preflight(struct client *client, struct show *show, const json_t *request)
{
	int result = preflight_begin(show, client);

	(void)request;
	if (result < 0) {
		client_error(client, "%s",
			     result == -EBUSY ? "others are having the show checked; try again in "
						"some seconds"
					      : "the relay is out of memory");
	}
}

static void do_mend(struct client *client, struct show *show, const json_t *request)
{
	(void)show;
	(void)request;
	fault_undo(client->control->supervisor, client);
	client_ok(client);
}

static const struct {
	const char *name;
	bool needs_show;
	bool is_order; /* changes something: who gave it is logged */
	void (*run)(struct client *client, struct show *show, const json_t *request);
} commands[] = {
	{ "explain", true, false, do_explain },
	{ "status", false, false, do_status },
	{ "start", true, true, do_start },
	{ "end", true, true, do_end },
	{ "take", true, true, do_take },
	{ "auto", true, true, do_auto },
	{ "events", false, false, do_events },
	{ "history", false, false, do_history },
	{ "drilled", true, false, do_drilled },
	{ "pause", true, true, do_pause },
	{ "resume", true, true, do_resume },
	{ "fault", true, true, do_fault },
	{ "mend", false, false, do_mend },
	{ "practice", true, true, do_practice },
	{ "witness", true, false, do_witness },
	{ "witness_mark", true, false, do_witness_mark },
	{ "preflight", true, false, do_preflight },
};

static void client_log_order(struct client *client, const char *command, const char *show)
{
	struct ucred who;

	if (client_who(client, &who)) {
		log_info("order command=%s show=%s uid=%d pid=%d", command, show, (int)who.uid,
			 (int)who.pid);
	}
}

void client_obey(struct client *client, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "command"));
	const char *show_name = json_string_value(json_object_get(request, "show"));
	struct show *show = NULL;

	for (size_t i = 0; name != NULL && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, name) != 0) {
			continue;
		}
		if (commands[i].needs_show) {
			show = show_name != NULL ? show_find(client->control->supervisor, show_name)
						 : NULL;
			if (show == NULL) {
				client_error(client,
					     "there is no show %s; `understudy status` lists them",
					     named(show_name));
				return;
			}
		}
		if (commands[i].is_order) {
			client_log_order(client, name, show->config->name);
		}
		commands[i].run(client, show, request);
		return;
	}
	client_error(client,
		     "the running relay does not know this command; is it an older version?");
}
