/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Links (link.h). Runs in relay-rtmp, in its loop; never blocks. Owns the dial, the session and
 * the events of its socket.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/text.h>

#include "relay.h"

#define QUEUE_BYTES ((size_t)16 << 20)

static void on_dialed(void *context, int fd, const char *error);

struct link *link_create(struct relay *r, const struct ipc_destination_add *config,
			 const struct ipc_endpoint *endpoint, link_told *told, void *owner)
{
	struct link *l = calloc(1, sizeof(*l));

	if (l) {
		l->relay = r;
		l->config = config;
		l->endpoint = *endpoint;
		l->told = told;
		l->owner = owner;
	}
	return l;
}

static void unwatch(struct event **event)
{
	if (*event) {
		event_free(*event);
		*event = NULL;
	}
}

static void hang_up(struct link *l, bool unclean)
{
	dial_destroy(&l->dial);
	unwatch(&l->readable);
	unwatch(&l->writable);
	session_destroy(&l->session, unclean);
}

void link_destroy(struct link **l, bool unclean)
{
	struct link *gone = *l;

	*l = NULL;
	if (gone) {
		hang_up(gone, unclean);
		explicit_bzero(gone, sizeof(*gone));
		free(gone);
	}
}

bool link_start(struct link *l)
{
	l->dial = dial_create(l->relay->base, on_dialed, l, ++l->relay->next_query);
	if (!l->dial) {
		return false;
	}
	dial_start(l->dial, l->endpoint.host, l->endpoint.port);
	return true;
}

void link_resolved(struct link *l, const struct ipc_resolve_answer *answer)
{
	if (l->dial && dial_query(l->dial) == answer->query) {
		dial_resolved(l->dial, answer);
	}
}

/* ---- what a session comes to ---- */

static enum session_result fail(struct link *l, const char *error)
{
	(void)text_copy(l->error, sizeof(l->error), error);
	return SESSION_BROKEN;
}

/* A login is asked for: true if it goes on, on a connection anew. */
static bool answer_challenge(struct link *l)
{
	enum auth_result result;
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), 0) < 0) {
		random = l->relay->next_query;
	}
	result = auth_answer(&l->auth, session_demand(l->session), l->endpoint.app, l->config->user,
			     l->config->password, random);
	if (result != AUTH_AGAIN) {
		(void)text_format(l->error, sizeof(l->error), "rejected by the platform: %s",
				  auth_str(result));
		return false;
	}
	hang_up(l, false);
	if (!link_start(l)) {
		(void)text_copy(l->error, sizeof(l->error), "out of memory");
		return false;
	}
	return true;
}

/* Brings the events in line with the session and keeps the reason of its end. */
static enum session_result settle(struct link *l, enum session_result result)
{
	if (result == SESSION_REJECTED || result == SESSION_BROKEN) {
		(void)text_copy(l->error, sizeof(l->error), session_error(l->session));
		if (result == SESSION_REJECTED && *session_demand(l->session) &&
		    answer_challenge(l)) {
			return SESSION_GOES_ON;
		}
		return result;
	}
	if (session_wants(l->session) & STREAM_WANT_WRITE) {
		event_add(l->writable, NULL);
	} else {
		event_del(l->writable);
	}
	return result;
}

static void conclude(struct link *l, enum session_result result, int64_t now_us)
{
	if (result != SESSION_GOES_ON) {
		l->told(l->owner, l, result, now_us);
	}
}

static void on_socket(evutil_socket_t fd, short what, void *context)
{
	struct link *l = context;
	int64_t now_us = clock_monotonic_us();

	(void)fd;
	(void)what;
	conclude(l, settle(l, session_step(l->session, now_us)), now_us);
}

/* ---- from a socket to a session ---- */

static struct outlet_limits limits_of(const struct ipc_destination_add *config)
{
	int64_t twice_us = 2 * config->max_backlog_us;

	return (struct outlet_limits){
		.behind_us = config->max_backlog_us,
		.bytes = QUEUE_BYTES,
		.give_up_us = config->stall_us > twice_us ? config->stall_us : twice_us,
	};
}

/* Takes the descriptor on success only; what went wrong is in the link's error. */
static bool begin_session(struct link *l, int fd, int64_t now_us)
{
	const struct ipc_endpoint *e = &l->endpoint;
	char app[IPC_KEY + AUTH_PARAMETERS_MAX], tc_url[sizeof(app) + IPC_HOST];
	const char *error = "out of memory";
	struct session_config config = {
		.host = e->host,
		.app = app,
		.stream = e->stream,
		.tc_url = tc_url,
		.is_enhanced = show_needs_enhanced(&l->relay->show),
		.tracks = (enum ipc_tracks)l->config->tracks,
		.stall_us = l->config->stall_us,
		.limits = limits_of(l->config),
	};

	(void)text_format(app, sizeof(app), "%s%s", e->app, l->auth.parameters);
	(void)text_format(tc_url, sizeof(tc_url), "%s%s", e->tc_url, l->auth.parameters);
	metadata_needed_codec(&l->relay->show.shape, config.needs);
	if (e->is_tls) {
		config.trust = relay_trust(l->relay, &error);
	}
	if (!e->is_tls || config.trust) {
		l->session = session_create(&config, fd, now_us);
	}
	explicit_bzero(app, sizeof(app));
	explicit_bzero(tc_url, sizeof(tc_url));
	if (!l->session) {
		(void)fail(l, error);
	}
	return l->session;
}

static bool watch_socket(struct link *l)
{
	struct event_base *base = l->relay->base;
	int fd = session_fd(l->session);

	l->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_socket, l);
	l->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_socket, l);
	return l->readable && l->writable && event_add(l->readable, NULL) == 0;
}

static void on_dialed(void *context, int fd, const char *error)
{
	struct link *l = context;
	int64_t now_us = clock_monotonic_us();

	if (fd < 0) {
		conclude(l, fail(l, error), now_us);
		return;
	}
	dial_destroy(&l->dial);
	if (!begin_session(l, fd, now_us)) {
		close(fd);
		conclude(l, SESSION_BROKEN, now_us);
	} else if (!watch_socket(l)) {
		conclude(l, fail(l, "out of memory"), now_us);
	} else {
		conclude(l, settle(l, session_step(l->session, now_us)), now_us);
	}
}

/* ---- media ---- */

bool link_is_publishing(const struct link *l)
{
	return l && l->session && session_is_publishing(l->session);
}

struct session_counts link_counts(const struct link *l)
{
	return l && l->session ? session_counts(l->session) : (struct session_counts){ 0 };
}

enum session_result link_offer(struct link *l, struct message *m, const struct outlet_start *start)
{
	enum session_result result = session_offer(l->session, m, start);

	return result == SESSION_GOES_ON ? result : settle(l, result);
}

enum session_result link_flush(struct link *l)
{
	enum session_result result;

	if (!l->session) {
		return SESSION_GOES_ON;
	}
	result = session_flush(l->session);
	if (result == SESSION_GOES_ON && !(session_wants(l->session) & STREAM_WANT_WRITE)) {
		return result; /* the usual case costs no change of events */
	}
	return settle(l, result);
}

enum session_result link_tick(struct link *l, int64_t now_us)
{
	return l->session ? settle(l, session_tick(l->session, now_us)) : SESSION_GOES_ON;
}

enum session_result link_leave(struct link *l)
{
	session_leave(l->session);
	return settle(l, session_flush(l->session));
}
