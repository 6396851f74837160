/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * understudy-probe: can destinations be reached? Connects, shakes hands where there is TLS, and
 * hangs up; nothing is published. Started for a preflight, ended after it. Never blocks but for its
 * orders; holds no key.
 *
 *   PROBE_ASK --> dial --connected--> (TLS: handshake) --> PROBE_ANSWER
 *                   '--refused, no answer in 5 s, not trusted--'
 */
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/event.h>

#include <understudy/clock.h>
#include <understudy/dial.h>
#include <understudy/log.h>
#include <understudy/net.h>
#include <understudy/text.h>
#include <understudy/worker.h>

#define PATIENCE_S 6

struct program;

struct probe {
	LIST_ENTRY(probe) entry;
	struct program *program;
	struct ipc_probe_ask ask;
	struct dial *dial;
	struct stream *stream;
	struct event *socket, *timer;
	int64_t started_us;
};

struct program {
	struct event_base *base;
	struct event *control;
	struct ssl_ctx_st *trust;
	const char *trust_error;
	LIST_HEAD(, probe) probes;
};

static void probe_destroy(struct probe *p)
{
	dial_destroy(&p->dial);
	if (p->socket != NULL) {
		event_free(p->socket);
	}
	if (p->timer != NULL) {
		event_free(p->timer);
	}
	stream_destroy(&p->stream, false);
	LIST_REMOVE(p, entry);
	free(p);
}

/* `error` "" = reached. */
static void probe_answer(struct probe *p, const char *error)
{
	struct ipc_probe_answer answer = {
		.id = p->ask.id,
		.certificate_days = error[0] == '\0' && p->ask.is_tls != 0
					    ? stream_certificate_days(p->stream)
					    : IPC_NO_DAYS,
		.took_us = clock_monotonic_us() - p->started_us,
	};

	text_copy(answer.error, sizeof(answer.error), error);
	ipc_send(WORKER_CONTROL_FD, IPC_PROBE_ANSWER, &answer, NULL, 0);
	probe_destroy(p);
}

static void probe_on_timer(evutil_socket_t fd, short what, void *context)
{
	probe_answer(context, "no answer within 6 s");
}

/* ---- TLS ---- */

static void probe_shake(struct probe *p);

static void probe_on_socket(evutil_socket_t fd, short what, void *context)
{
	probe_shake(context);
}

static void probe_shake(struct probe *p)
{
	int error = stream_handshake(p->stream);
	unsigned wants = stream_wants(p->stream);

	if (error == 0) {
		probe_answer(p, "");
	} else if (error != -EAGAIN) {
		probe_answer(p, stream_error_str(p->stream));
	} else {
		event_assign(p->socket, p->program->base, stream_fd(p->stream),
			     (short)((wants & STREAM_WANT_WRITE ? EV_WRITE : 0) |
				     (wants & STREAM_WANT_READ ? EV_READ : 0)),
			     probe_on_socket, p);
		event_add(p->socket, NULL);
	}
}

static void probe_on_dialed(void *owner, int fd, const char *error)
{
	struct probe *p = owner;
	const struct program *program = p->program;

	if (fd < 0) {
		probe_answer(p, error);
		return;
	}
	if (p->ask.is_tls != 0 && program->trust == NULL) {
		close(fd);
		probe_answer(p, program->trust_error);
		return;
	}
	p->stream = p->ask.is_tls != 0 ? stream_create_tls_client(fd, program->trust, p->ask.host)
				       : stream_create_plain(fd);
	if (p->stream == NULL) {
		close(fd);
		probe_answer(p, "out of memory");
		return;
	}
	probe_shake(p);
}

/* ---- orders ---- */

static void program_ask(struct program *program, const struct ipc_probe_ask *ask)
{
	struct probe *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		abort();
	}
	p->program = program;
	p->ask = *ask;
	p->started_us = clock_monotonic_us();
	p->socket = event_new(program->base, -1, 0, probe_on_socket, p);
	p->timer = evtimer_new(program->base, probe_on_timer, p);
	p->dial = dial_create(program->base, probe_on_dialed, p, ask->id);
	LIST_INSERT_HEAD(&program->probes, p, entry);
	if (p->socket == NULL || p->timer == NULL || p->dial == NULL) {
		probe_answer(p, "out of memory");
		return;
	}
	evtimer_add(p->timer, &(struct timeval){ .tv_sec = PATIENCE_S });
	dial_start(p->dial, p->ask.host, p->ask.port);
}

static void program_resolved(struct program *program, const struct ipc_resolve_answer *answer)
{
	struct probe *p;

	LIST_FOREACH(p, &program->probes, entry) {
		if (p->dial != NULL && dial_query(p->dial) == answer->query) {
			dial_resolved(p->dial, answer);
			return;
		}
	}
}

static void program_trust(struct program *program, struct ipc_message *m)
{
	int fd = ipc_take_fd(m, 0);

	program->trust_error = "there are no trusted certificates to judge it by";
	if (fd >= 0) {
		program->trust = stream_trust_create(fd, &program->trust_error);
		close(fd);
	}
}

static void program_on_control(evutil_socket_t fd, short what, void *context)
{
	static struct ipc_message m;
	struct program *program = context;
	int got = ipc_recv(fd, &m);

	if (got == -EAGAIN) {
		return;
	}
	if (got <= 0 || m.type == IPC_STOP) {
		event_base_loopbreak(program->base);
	} else if (m.type == IPC_PROBE_START) {
		program_trust(program, &m);
	} else if (m.type == IPC_PROBE_ASK) {
		program_ask(program, (const void *)m.body);
	} else if (m.type == IPC_RESOLVE_ANSWER) {
		program_resolved(program, (const void *)m.body);
	} else {
		log_warn("unexpected order type=%s", ipc_type_str(m.type));
	}
	if (got > 0) {
		ipc_message_finish(&m);
	}
}

int main(void)
{
	static struct program program;
	struct probe *p;

	worker_begin(ROLE_PROBE);
	LIST_INIT(&program.probes);
	program.base = event_base_new();
	program.control = program.base == NULL
				  ? NULL
				  : event_new(program.base, WORKER_CONTROL_FD, EV_READ | EV_PERSIST,
					      program_on_control, &program);
	if (program.control == NULL || event_add(program.control, NULL) != 0) {
		log_error("cannot set up the event loop");
		return EXIT_FAILURE;
	}
	event_base_dispatch(program.base);
	while ((p = LIST_FIRST(&program.probes)) != NULL) {
		probe_destroy(p);
	}
	stream_trust_destroy(&program.trust);
	event_free(program.control);
	event_base_free(program.base);
	return EXIT_SUCCESS;
}
