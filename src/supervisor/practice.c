/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A show that is rehearsed in private: for the time of a rehearsal each RTMP destination is played
 * by a practice platform on this machine, a worker of its own that the relay publishes to over the
 * loopback interface. Destinations of other kinds are left out. The real ones are not touched:
 * while one of them is on air nothing is replaced.
 *
 * A lease like the faults: it belongs to the client that ordered it, and all is as it was when that
 * client goes away or dies, when the operator starts or ends the show, and before a reload or a
 * re-execution.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/log.h>
#include <understudy/net.h>
#include <understudy/text.h>

#include "rehearsal.h"

struct practice {
	const void *holder;
	bool was_started, was_settled; /* is_started and is_on_air of the show */
};

struct stand_in {
	struct destination *destination;
	struct child *child; /* NULL: it has died */
	uint16_t port;
	char stream[IPC_NAME]; /* nobody else's guess */
	struct ipc_practice_status status;
	int64_t silence_us; /* the longest since the last mark */
};

/* ---- one platform ---- */

static void stand_in_message(struct child *child, struct ipc_message *m)
{
	struct stand_in *s = child->owner;

	if (m->type != IPC_PRACTICE_STATUS) {
		child_kill(child, "it sent a message that is not its business");
		return;
	}
	memcpy(&s->status, m->body, sizeof(s->status));
	if (s->status.silence_us > s->silence_us) {
		s->silence_us = s->status.silence_us;
	}
}

/* Nobody takes its place: the rehearsal shall show it. */
static void stand_in_exited(struct child *child, const char *cause)
{
	struct stand_in *s = child->owner;

	s->child = NULL;
	log_warn("the practice platform %s destination=%s", cause, s->destination->config->name);
}

static const struct child_ops stand_in_ops = { stand_in_message, stand_in_exited };

/* A listening socket, and a name to be published that tells ours from who comes by chance. */
static int stand_in_listen(struct stand_in *s)
{
	struct sockaddr_in address = { 0 };
	socklen_t size = sizeof(address);
	uint64_t name[2];
	int fd = net_listen("127.0.0.1:0", 2);

	if (fd >= 0 && (getsockname(fd, (struct sockaddr *)&address, &size) < 0 ||
			getrandom(name, sizeof(name), 0) != (ssize_t)sizeof(name))) {
		close(fd);
		return -1;
	}
	if (fd >= 0) {
		s->port = ntohs(address.sin_port);
		text_format(s->stream, sizeof(s->stream), "practice-%016llx%016llx",
			    (unsigned long long)name[0], (unsigned long long)name[1]);
	}
	return fd;
}

static void stand_in_dismiss(struct destination *d)
{
	struct stand_in *s = d->stand_in;

	d->stand_in = NULL;
	if (s != NULL && s->child != NULL) {
		child_stop(s->child, false);
		child_disown(s->child);
	}
	free(s);
}

static bool stand_in_hire(struct destination *d)
{
	struct supervisor *sup = d->show->supervisor;
	struct stand_in *s = calloc(1, sizeof(*s));
	struct ipc_practice_start start = { 0 };
	char label[2 * IPC_NAME];
	int fd = s != NULL ? stand_in_listen(s) : -1;

	if (fd < 0) {
		free(s);
		return false;
	}
	s->destination = d;
	text_format(label, sizeof(label), "practice %s/%s", d->show->config->name, d->config->name);
	text_copy(start.stream, sizeof(start.stream), s->stream);
	s->child = child_spawn(sup, ROLE_PRACTICE, &stand_in_ops, s, label);
	d->stand_in = s;
	if (s->child == NULL || !child_send(s->child, IPC_PRACTICE_START, &start, &fd, 1)) {
		stand_in_dismiss(d);
	}
	close(fd);
	return d->stand_in != NULL;
}

void practice_divert(const struct destination *d, struct ipc_destination_add *add)
{
	struct ipc_endpoint *to = &add->endpoints[0];

	explicit_bzero(add->endpoints, sizeof(add->endpoints));
	explicit_bzero(add->user, sizeof(add->user));
	explicit_bzero(add->password, sizeof(add->password));
	add->endpoint_count = 1;
	to->port = d->stand_in->port;
	text_copy(to->host, sizeof(to->host), "127.0.0.1");
	text_copy(to->app, sizeof(to->app), "practice");
	text_copy(to->stream, sizeof(to->stream), d->stand_in->stream);
	text_format(to->tc_url, sizeof(to->tc_url), "rtmp://127.0.0.1:%u/practice",
		    (unsigned)d->stand_in->port);
}

/* ---- a show ---- */

static bool is_replaceable(const struct destination *d)
{
	return d->config->kind == DESTINATION_RTMP && !d->is_paused;
}

/* A real destination that cannot be put aside now, or NULL. */
static const struct destination *practice_hindrance(const struct show *show)
{
	const struct destination *d;

	TAILQ_FOREACH(d, &show->destinations, entry) {
		if (d->status.state == DESTINATION_LIVE || d->status.state == DESTINATION_HELD) {
			return d;
		}
	}
	return NULL;
}

static json_t *practice_json(const struct show *show)
{
	json_t *replaced = json_array(), *left_out = json_array();
	const struct destination *d;

	TAILQ_FOREACH(d, &show->destinations, entry) {
		json_array_append_new(d->stand_in != NULL ? replaced : left_out,
				      json_string(d->config->name));
	}
	return json_pack("{s:o, s:o}", "replaced", replaced, "left_out", left_out);
}

static void practice_tell(struct show *show, const char *kind, const char *text)
{
	events_add(show->supervisor, show->config->name, kind, practice_json(show), "rehearsal: %s",
		   text);
}

static void put_aside(struct show *show)
{
	struct destination *d;

	TAILQ_FOREACH(d, &show->destinations, entry) {
		if (!d->is_paused) {
			destination_rest(d, "left out of a rehearsal with --practice");
		}
	}
}

void practice_end(struct show *show)
{
	struct practice *p = show->practice;
	struct destination *d;

	if (p == NULL) {
		return;
	}
	practice_tell(show, "practice_over", "the real destinations are in charge again");
	put_aside(show);
	TAILQ_FOREACH(d, &show->destinations, entry) {
		stand_in_dismiss(d);
		if (!d->is_paused) {
			d->status.why[0] = '\0';
		}
	}
	show->practice = NULL;
	if (!p->was_started) {
		show_end(show);
	} else if (!show->supervisor->is_ending) {
		show_tell_settled(show, p->was_settled);
		show_go(show);
	}
	free(p);
}

void practice_undo(struct supervisor *sup, const void *holder)
{
	struct show *show;

	TAILQ_FOREACH(show, &sup->shows, entry) {
		if (show->practice != NULL &&
		    (holder == NULL || show->practice->holder == holder)) {
			practice_end(show);
		}
	}
}

static bool practice_hire_all(struct show *show)
{
	struct destination *d;

	TAILQ_FOREACH(d, &show->destinations, entry) {
		if (is_replaceable(d) && !stand_in_hire(d)) {
			return false;
		}
	}
	return true;
}

json_t *practice_begin(struct show *show, const void *holder, char *error, size_t size)
{
	const struct destination *hindrance = practice_hindrance(show);

	if (show->practice != NULL) {
		text_format(error, size, "show %s is part of a rehearsal with --practice already",
			    show->config->name);
		return NULL;
	}
	if (hindrance != NULL) {
		text_format(error, size,
			    "destination %s is on air: --practice is for shows that are not. End "
			    "the show first (`understudy end %s`), or rehearse without --practice",
			    hindrance->config->name, show->config->name);
		return NULL;
	}
	show->practice = calloc(1, sizeof(*show->practice));
	if (show->practice == NULL) {
		text_format(error, size, "the relay is out of memory");
		return NULL;
	}
	*show->practice = (struct practice){ .holder = holder,
					     .was_started = show->is_started,
					     .was_settled = show->is_on_air };
	put_aside(show);
	if (!practice_hire_all(show)) {
		text_format(error, size, "no practice platform could be started; see the log");
		practice_end(show);
		return NULL;
	}
	practice_tell(show, "practice", "destinations are played by practice platforms");
	show_go(show);
	return practice_json(show);
}

/* ---- what they got ---- */

void practice_mark(struct show *show)
{
	struct destination *d;

	TAILQ_FOREACH(d, &show->destinations, entry) {
		if (d->stand_in != NULL) {
			d->stand_in->silence_us = 0;
		}
	}
}

json_t *practice_destination_json(const struct destination *d)
{
	const struct stand_in *s = d->stand_in;

	if (s == NULL) {
		return json_null();
	}
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "publishes", (json_int_t)s->status.publishes,
			 "bytes", (json_int_t)s->status.bytes, "messages",
			 (json_int_t)s->status.messages, "backwards",
			 (json_int_t)s->status.backwards, "longest_silence_ms",
			 (json_int_t)(s->silence_us / 1000));
}
