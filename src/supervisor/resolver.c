/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Looking up names for relays. getaddrinfo may block for as long as it likes, so it runs in a
 * worker which is killed after five seconds and sent home when nobody has asked for a while.
 * One question at a time; the others wait here.
 */
#include <stdlib.h>
#include <string.h>

#include <understudy/log.h>
#include <understudy/text.h>

#include "supervisor.h"

#define LOOKUP_S 5
#define IDLE_S 10
#define QUESTIONS_MAX 8        /* of one asker, who dials one place ... */
#define QUESTIONS_MANY_MAX 256 /* ... or many */

struct question {
	TAILQ_ENTRY(question) entry;
	struct child *relay;  /* NULL: has ended, nobody waits for the answer */
	uint32_t relay_query; /* its own number for the question */
	struct ipc_resolve_ask ask;
};

struct resolver {
	struct supervisor *supervisor;
	struct child *child;
	struct event *timer;              /* the time-out of a look-up, or the end of idling */
	TAILQ_HEAD(, question) questions; /* the first has been asked if is_busy */
	bool is_busy;
	uint32_t next_query;
};

static void resolver_next(struct resolver *r);

static void resolver_answer(struct resolver *r, struct ipc_resolve_answer *answer)
{
	struct question *q = TAILQ_FIRST(&r->questions);

	answer->query = q->relay_query;
	if (q->relay != NULL) {
		child_send(q->relay, IPC_RESOLVE_ANSWER, answer, NULL, 0);
	}
	TAILQ_REMOVE(&r->questions, q, entry);
	free(q);
	r->is_busy = false;
}

static void resolver_failed(struct resolver *r, const char *error)
{
	struct ipc_resolve_answer answer = { .count = 0 };

	text_copy(answer.error, sizeof(answer.error), error);
	resolver_answer(r, &answer);
}

static void resolver_fail_all(struct resolver *r, const char *error)
{
	while (!TAILQ_EMPTY(&r->questions)) {
		resolver_failed(r, error);
	}
}

static void resolver_timer(evutil_socket_t fd, short what, void *context)
{
	struct resolver *r = context;

	(void)fd;
	(void)what;
	if (r->is_busy) {
		child_kill(r->child, "a name took longer than 5 s to look up");
	} else if (r->child != NULL) {
		child_stop(r->child, false);
	}
}

static void resolver_wait(struct resolver *r, int seconds)
{
	struct timeval wait = { .tv_sec = seconds };

	evtimer_add(r->timer, &wait);
}

static void resolver_next(struct resolver *r)
{
	struct question *q = TAILQ_FIRST(&r->questions);

	if (r->is_busy) {
		return;
	}
	if (q == NULL) {
		resolver_wait(r, IDLE_S);
		return;
	}
	if (r->child != NULL && r->child->is_stopping) {
		return; /* its end brings us back here */
	}
	if (r->child == NULL) {
		r->child = child_spawn(r->supervisor, ROLE_RESOLVE, &resolver_ops, r, "resolve");
	}
	if (r->child == NULL) {
		resolver_fail_all(r, "names cannot be looked up: no process could be started");
		return;
	}
	r->is_busy = true;
	q->ask.query = ++r->next_query;
	child_send(r->child, IPC_RESOLVE_ASK, &q->ask, NULL, 0);
	resolver_wait(r, LOOKUP_S);
}

static struct resolver *resolver_create(struct supervisor *sup)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (r != NULL) {
		r->supervisor = sup;
		TAILQ_INIT(&r->questions);
		r->timer = evtimer_new(sup->base, resolver_timer, r);
	}
	return r;
}

/* A worker that asks without end takes nobody's turn but its own. */
static bool resolver_has_room(const struct resolver *r, const struct child *relay)
{
	bool is_many = relay->role == ROLE_RELAY_RTMP || relay->role == ROLE_PROBE;
	const struct question *q;
	unsigned count = 0;

	TAILQ_FOREACH(q, &r->questions, entry) {
		count += q->relay == relay;
	}
	return count < (is_many ? QUESTIONS_MANY_MAX : QUESTIONS_MAX);
}

void resolver_ask(struct supervisor *sup, struct child *relay, const struct ipc_resolve_ask *ask)
{
	struct question *q = calloc(1, sizeof(*q));

	if (sup->resolver == NULL) {
		sup->resolver = resolver_create(sup);
	}
	if (q == NULL || sup->resolver == NULL || !resolver_has_room(sup->resolver, relay)) {
		child_kill(relay, "it asks for more names than can be looked up");
		free(q);
		return;
	}
	q->relay = relay;
	q->relay_query = ask->query;
	q->ask = *ask;
	TAILQ_INSERT_TAIL(&sup->resolver->questions, q, entry);
	resolver_next(sup->resolver);
}

void resolver_forget(struct supervisor *sup, const struct child *relay)
{
	struct resolver *r = sup->resolver;
	struct question *q, *next;

	for (q = r != NULL ? TAILQ_FIRST(&r->questions) : NULL; q != NULL; q = next) {
		next = TAILQ_NEXT(q, entry);
		if (q->relay != relay) {
			continue;
		}
		if (r->is_busy && q == TAILQ_FIRST(&r->questions)) {
			q->relay = NULL; /* asked already */
		} else {
			TAILQ_REMOVE(&r->questions, q, entry);
			free(q);
		}
	}
}

static void resolver_message(struct child *child, struct ipc_message *m)
{
	struct resolver *r = child->owner;
	struct ipc_resolve_answer *answer = (struct ipc_resolve_answer *)m->body;

	if (m->type != IPC_RESOLVE_ANSWER || !r->is_busy || answer->query != r->next_query ||
	    answer->count > IPC_ADDRESSES_MAX) {
		child_kill(child, "it sent a message that is not its business");
		return;
	}
	resolver_answer(r, answer);
	resolver_next(r);
}

static void resolver_exited(struct child *child, const char *cause)
{
	struct resolver *r = child->owner;

	(void)cause;
	r->child = NULL;
	if (r->is_busy) {
		resolver_failed(r, "name lookup took longer than 5 s or failed");
	}
	if (!r->supervisor->is_ending && !TAILQ_EMPTY(&r->questions)) {
		resolver_next(r);
	}
}

const struct child_ops resolver_ops = { resolver_message, resolver_exited };

void resolver_finish(struct supervisor *sup)
{
	struct resolver *r = sup->resolver;

	if (r == NULL) {
		return;
	}
	resolver_fail_all(r, "the look-up was given up; it begins anew");
	if (r->child != NULL) {
		child_kill(r->child, NULL);
		child_disown(r->child);
	}
	event_free(r->timer);
	free(r);
	sup->resolver = NULL;
}
