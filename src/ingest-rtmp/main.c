/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * understudy-ingest-rtmp: one encoder's RTMP or RTMPS connection into a feed ring.
 *
 * One process per connection, started by the supervisor, which accepted it. It blocks only
 * for its first order; then it waits in the event loop for the socket, the control socket and the
 * next deadline. It ends when the connection does, on STOP, or when the control socket closes.
 * Holds no stream keys: the supervisor says whether the encoder may publish.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include <understudy/clock.h>
#include <understudy/ipc.h>
#include <understudy/log.h>
#include <understudy/loop.h>
#include <understudy/text.h>
#include <understudy/worker.h>

#include "session.h"

struct program {
	struct event_base *base;
	struct event *socket, *control, *timer;
	struct session *session;
	unsigned waits;   /* enum stream_want the socket's event is armed for */
	int64_t timer_us; /* when the timer goes off, CLOCK_NEVER = not armed */
};

/* The first order, or NULL; says why on the log and to the supervisor. */
static struct session *program_start(void)
{
	struct ipc_message m;

	if (!worker_first_order(IPC_INGEST_START, &m)) {
		return NULL;
	}
	const struct ipc_ingest_start *start = (const void *)m.body;
	struct ipc_ingest_closed closed = { 0 };
	const char *error = NULL;
	int fd = ipc_take_fd(&m, 0);
	int chain = ipc_take_fd(&m, 1), key = ipc_take_fd(&m, 2);
	struct session *session = session_create(fd, start->is_tls != 0, chain, key,
						 WORKER_CONTROL_FD, &error);

	if (session == NULL) {
		log_error("cannot serve the connection: %s", error);
		text_copy(closed.cause, sizeof(closed.cause), error);
		ipc_send(WORKER_CONTROL_FD, IPC_INGEST_CLOSED, &closed, NULL, 0);
	}
	if (chain >= 0) {
		close(chain);
	}
	if (key >= 0) {
		close(key);
	}
	ipc_message_finish(&m);
	return session;
}

static short program_events(unsigned wants)
{
	return (short)((wants & STREAM_WANT_READ ? EV_READ : 0) |
		       (wants & STREAM_WANT_WRITE ? EV_WRITE : 0));
}

static void program_on_socket(evutil_socket_t fd, short what, void *arg);

/* Waits for what the session waits for now; touches the event only if that has changed. */
static void program_arm_socket(struct program *p)
{
	unsigned wants = session_wants(p->session);

	if (wants != p->waits) {
		event_del(p->socket);
		event_assign(p->socket, p->base, stream_fd(p->session->stream),
			     (short)(program_events(wants) | EV_PERSIST), program_on_socket, p);
		if (wants != 0) {
			event_add(p->socket, NULL);
		}
		p->waits = wants;
	}
	if (session_wants_more(p->session)) {
		event_active(p->socket, EV_READ, 0);
	}
}

/* A deadline that moves away costs one idle tick, not a system call at every batch. */
static void program_arm_timer(struct program *p)
{
	int64_t at_us = session_deadline(p->session);

	if (at_us < p->timer_us) {
		loop_set_timer(p->timer, at_us);
		p->timer_us = at_us;
	}
}

/* After whatever happened: go on waiting, or end. */
static void program_settle(struct program *p)
{
	if (p->session->phase == SESSION_GONE) {
		event_base_loopbreak(p->base);
		return;
	}
	program_arm_socket(p);
	program_arm_timer(p);
}

static void program_on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;

	session_step(p->session);
	program_settle(p);
}

static void program_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;

	p->timer_us = CLOCK_NEVER;
	session_tick(p->session);
	program_settle(p);
}

static void program_on_control(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;
	struct ipc_message m;
	int got = ipc_recv(WORKER_CONTROL_FD, &m);

	if (got == -EAGAIN) {
		return;
	}
	if (got <= 0) {
		p->session->phase = SESSION_GONE;
	} else {
		switch (m.type) {
		case IPC_PUBLISH_ANSWER:
			session_answer(p->session, &m);
			break;
		case IPC_FEED_PACE:
			session_set_pace(p->session, (const void *)m.body);
			break;
		case IPC_FEED_FAULT:
			session_spoil(p->session, (const void *)m.body);
			break;
		case IPC_FEED_RING:
			session_move(p->session, &m);
			break;
		case IPC_STOP:
			p->session->phase = SESSION_GONE;
			break;
		default:
			log_warn("unexpected order type=%s", ipc_type_str(m.type));
			break;
		}
		ipc_message_finish(&m);
	}
	program_settle(p);
}

static bool program_init(struct program *p)
{
	p->base = loop_create();
	if (p->base == NULL) {
		return false;
	}
	p->control = event_new(p->base, WORKER_CONTROL_FD, EV_READ | EV_PERSIST, program_on_control,
			       p);
	p->timer = event_new(p->base, -1, 0, program_on_timer, p);
	p->socket = event_new(p->base, stream_fd(p->session->stream), EV_READ | EV_PERSIST,
			      program_on_socket, p);
	return p->control != NULL && p->timer != NULL && p->socket != NULL &&
	       event_add(p->control, NULL) == 0;
}

static void program_finish(struct program *p)
{
	struct event *const events[] = { p->control, p->timer, p->socket };

	for (unsigned i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (events[i] != NULL) {
			event_free(events[i]);
		}
	}
	if (p->base != NULL) {
		event_base_free(p->base);
	}
	session_destroy(&p->session);
}

int main(void)
{
	struct program p = { .timer_us = CLOCK_NEVER };

	worker_begin(ROLE_INGEST_RTMP);
	p.session = program_start();
	if (p.session == NULL) {
		return EXIT_FAILURE;
	}
	if (!program_init(&p)) {
		log_error("cannot set up the event loop: %s", strerror(errno));
		program_finish(&p);
		return EXIT_FAILURE;
	}
	program_settle(&p);
	event_base_dispatch(p.base);
	program_finish(&p);
	return EXIT_SUCCESS;
}
