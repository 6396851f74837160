/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * understudy-ingest-rtmp-tunnel: the way from librtmp to the server of a pulled feed.
 *
 * One process per pulled feed, started by the supervisor beside understudy-ingest-rtmp-pull, to
 * whom its socketpair leads. It blocks only for its first order; then it waits in the event loop
 * for both sockets, the control socket and the next deadline. It ends when either side does, on
 * STOP, or when the control socket closes. Names are looked up by the supervisor's resolver.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include <understudy/clock.h>
#include <understudy/dial.h>
#include <understudy/ipc.h>
#include <understudy/log.h>
#include <understudy/loop.h>
#include <understudy/redirect.h>
#include <understudy/text.h>
#include <understudy/tunnel.h>
#include <understudy/worker.h>

#define MOVES_MAX 3 /* from server to server, for one stream */

struct watch {
	struct event *event;
	int fd; /* -1 = none */
	unsigned waits;
};

struct program {
	struct event_base *base;
	struct event *control, *timer, *second;
	struct watch server, player;
	struct tunnel *tunnel;
	struct dial *dial; /* while a server is looked for */
	struct ipc_tunnel_start start;
	struct ipc_endpoint place; /* where we are, or are going */
	struct ssl_ctx_st *trust;
	int trust_fd;
	uint32_t queries;
	unsigned moves;
	enum net_reach furthest; /* what a server may lead to */
	bool is_reach_settled;   /* else the first address settles it */
};

static void program_settle(struct program *p);

/* ---- where to ---- */

/* Nothing leads further inside than the configured URL itself. What the URL says counts: a name
 * that looks like one of the world has to be there. */
static void program_settle_reach(struct program *p)
{
	struct sockaddr_storage address;

	p->is_reach_settled = true;
	p->furthest = NET_HOST;
	if (p->start.allow_private) {
		return;
	}
	if (net_parse_address(p->place.host, 0, &address) > 0) {
		p->furthest = net_reach_of((const struct sockaddr *)&address);
	} else if (net_is_public_name(p->place.host)) {
		p->furthest = NET_PUBLIC;
	} else {
		p->is_reach_settled = false;
	}
}

static void program_note_reach(struct program *p, int fd)
{
	struct sockaddr_storage address = { 0 };
	socklen_t size = sizeof(address);

	if (!p->is_reach_settled && getpeername(fd, (struct sockaddr *)&address, &size) == 0) {
		p->furthest = net_reach_of((const struct sockaddr *)&address);
		p->is_reach_settled = true;
	}
}

static void program_attach(struct program *p, int fd)
{
	const char *error = "no trusted certificates";
	struct tunnel_place place = {
		.host = p->place.host,
		.app = p->place.app,
		.tc_url = p->place.tc_url,
	};

	if (p->place.is_tls && p->trust == NULL) {
		p->trust = stream_trust_create(p->trust_fd, &error);
	}
	if (p->place.is_tls && p->trust == NULL) {
		close(fd);
		tunnel_fail(p->tunnel, error);
		return;
	}
	place.trust = p->place.is_tls ? p->trust : NULL;
	program_note_reach(p, fd);
	tunnel_attach(p->tunnel, &place, fd, clock_monotonic_us());
}

static void program_on_dialed(void *owner, int fd, const char *error)
{
	struct program *p = owner;

	if (fd >= 0) {
		program_attach(p, fd);
	} else {
		tunnel_fail(p->tunnel, error); /* which the dial may own */
	}
	dial_destroy(&p->dial);
	program_settle(p);
}

static void program_dial(struct program *p)
{
	p->dial = dial_create(p->base, program_on_dialed, p, ++p->queries);
	if (p->dial == NULL) {
		tunnel_fail(p->tunnel, "out of memory");
		return;
	}
	dial_limit(p->dial, p->furthest);
	dial_start(p->dial, p->place.host, p->place.port);
}

/* The server has sent us elsewhere: foreign words, followed a few times and never to less. */
static void program_move(struct program *p)
{
	struct ipc_endpoint to;
	enum redirect_result result = redirect_resolve(&p->place, tunnel_moved_to(p->tunnel), true,
						       &to);
	char cause[IPC_TEXT];

	if (result != REDIRECT_OK) {
		text_format(cause, sizeof(cause), "the server sends us to %s",
			    redirect_str(result));
		tunnel_fail(p->tunnel, cause);
	} else if (++p->moves > MOVES_MAX) {
		tunnel_fail(p->tunnel, "servers send us from one to the other without end");
	} else {
		log_info("the server sends us elsewhere host=%s port=%u", to.host,
			 (unsigned)to.port);
		p->place = to;
		program_dial(p);
	}
	explicit_bzero(&to, sizeof(to));
}

/* ---- waiting ---- */

static void program_on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;

	(void)fd;
	(void)what;
	tunnel_step(p->tunnel, clock_monotonic_us());
	program_settle(p);
}

static void program_unwatch(struct watch *w)
{
	if (w->event != NULL) {
		event_free(w->event);
	}
	*w = (struct watch){ .fd = -1 };
}

/* Touches the event only if something has changed. */
static void program_watch(struct program *p, struct watch *w, int fd, unsigned wants)
{
	short what = (short)((wants & STREAM_WANT_READ ? EV_READ : 0) |
			     (wants & STREAM_WANT_WRITE ? EV_WRITE : 0));

	if (w->fd == fd && w->waits == wants) {
		return;
	}
	program_unwatch(w);
	if (fd < 0 || wants == 0) {
		return;
	}
	w->event = event_new(p->base, fd, (short)(what | EV_PERSIST), program_on_socket, p);
	if (w->event == NULL || event_add(w->event, NULL) < 0) {
		tunnel_fail(p->tunnel, "out of memory");
		return;
	}
	w->fd = fd;
	w->waits = wants;
}

static void program_arm_timer(struct program *p)
{
	int64_t at_us = tunnel_deadline(p->tunnel);

	if (tunnel_wants_more(p->tunnel)) {
		at_us = 0;
	}
	if (at_us == CLOCK_NEVER) {
		event_del(p->timer);
		return;
	}
	loop_set_timer(p->timer, at_us);
}

static void program_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;
	int64_t now_us = clock_monotonic_us();

	(void)fd;
	(void)what;
	tunnel_tick(p->tunnel, now_us);
	tunnel_step(p->tunnel, now_us);
	program_settle(p);
}

/* After whatever happened: go on waiting, or end. */
static void program_settle(struct program *p)
{
	if (tunnel_phase(p->tunnel) == TUNNEL_WAITING && p->dial == NULL) {
		program_unwatch(&p->server); /* its descriptor is closed */
		program_move(p);
	}
	program_watch(p, &p->server, tunnel_server_fd(p->tunnel), tunnel_server_wants(p->tunnel));
	program_watch(p, &p->player, tunnel_player_fd(p->tunnel), tunnel_player_wants(p->tunnel));
	if (tunnel_phase(p->tunnel) == TUNNEL_GONE) {
		event_base_loopbreak(p->base);
		return;
	}
	program_arm_timer(p);
}

static void program_on_control(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;
	struct ipc_message m;
	int got = ipc_recv(fd, &m);

	(void)what;
	if (got == -EAGAIN) {
		return;
	}
	if (got <= 0 || m.type == IPC_STOP) {
		event_base_loopbreak(p->base);
	} else if (m.type == IPC_RESOLVE_ANSWER) {
		const struct ipc_resolve_answer *answer = (const void *)m.body;

		if (p->dial != NULL && dial_query(p->dial) == answer->query) {
			dial_resolved(p->dial, answer);
		}
	} else {
		log_warn("unexpected order type=%s", ipc_type_str(m.type));
	}
	if (got > 0) {
		ipc_message_finish(&m);
	}
}

/* ---- life ---- */

static bool program_begin(struct program *p, struct ipc_message *m)
{
	struct tunnel_config config;

	memcpy(&p->start, m->body, sizeof(p->start));
	explicit_bzero(m->body, sizeof(p->start));
	p->place = p->start.endpoint;
	p->trust_fd = ipc_take_fd(m, 1);
	program_settle_reach(p);
	config = (struct tunnel_config){
		.stream = p->place.stream,
		.connect_us = p->start.connect_us,
		.silence_us = p->start.silence_us,
	};
	p->tunnel = tunnel_create(&config, ipc_take_fd(m, 0));
	return p->tunnel != NULL;
}

static bool program_start(struct program *p)
{
	struct ipc_message m;

	if (!worker_first_order(IPC_TUNNEL_START, &m)) {
		return false;
	}
	bool is_begun = program_begin(p, &m);
	ipc_message_finish(&m);
	return is_begun;
}

static void program_on_second(evutil_socket_t fd, short what, void *arg)
{
	const struct ipc_alive alive = { 0 };

	(void)fd;
	(void)what;
	(void)arg;
	ipc_send(WORKER_CONTROL_FD, IPC_ALIVE, &alive, NULL, 0);
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
	p->second = event_new(p->base, -1, EV_PERSIST, program_on_second, p);
	return p->control != NULL && p->timer != NULL && p->second != NULL &&
	       event_add(p->control, NULL) == 0 &&
	       event_add(p->second, &(struct timeval){ .tv_sec = 1 }) == 0;
}

/* Why it ends: said before the player sees its socket close. */
static void program_finish(struct program *p)
{
	struct ipc_ingest_closed closed = { .is_clean = tunnel_is_clean(p->tunnel) };

	text_copy(closed.cause, sizeof(closed.cause), tunnel_cause(p->tunnel));
	if (closed.cause[0] != '\0') {
		ipc_send(WORKER_CONTROL_FD, IPC_INGEST_CLOSED, &closed, NULL, 0);
	}
	dial_destroy(&p->dial);
	program_unwatch(&p->server);
	program_unwatch(&p->player);
	tunnel_destroy(&p->tunnel);
	stream_trust_destroy(&p->trust);
}

int main(void)
{
	static struct program p = { .server.fd = -1, .player.fd = -1, .trust_fd = -1 };

	worker_begin(ROLE_INGEST_RTMP_TUNNEL);
	if (!program_start(&p)) {
		return EXIT_FAILURE;
	}
	if (!program_init(&p)) {
		log_error("cannot set up the event loop: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	program_dial(&p);
	program_settle(&p);
	if (tunnel_phase(p.tunnel) != TUNNEL_GONE) {
		event_base_dispatch(p.base);
	}
	program_finish(&p);
	return EXIT_SUCCESS;
}
