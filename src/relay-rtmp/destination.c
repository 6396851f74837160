/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Destinations (destination.h). Runs in relay-rtmp, in its loop; never blocks. Owns the dial, the
 * session and the events of each. Logs decisions: the state machine is the program's, its parts
 * only report.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/log.h>
#include <understudy/text.h>
#include <understudy/worker.h>

#include "relay.h"

#define QUICK_SPAN_US 1500000
#define QUICK_STEP_US 300000
#define REFUSED_ONCE_US 5000000
#define REFUSED_AGAIN_US 30000000
#define STALE_SESSION_US 120000000 /* how long a platform may hold a broken connection for alive */
#define QUIET_US 2000000
#define GOODBYE_US 800000

/* ---- state ---- */

/* Bit n of row s: state s may be followed by state n. */
static const unsigned allowed[DESTINATION_STATES] = {
	[DESTINATION_IDLE] = 1u << DESTINATION_DIALING | 1u << DESTINATION_STOPPED,
	[DESTINATION_DIALING] = 1u << DESTINATION_HELD | 1u << DESTINATION_BACKING_OFF |
				1u << DESTINATION_REFUSED | 1u << DESTINATION_STOPPED,
	[DESTINATION_HELD] = 1u << DESTINATION_LIVE | 1u << DESTINATION_BACKING_OFF |
			     1u << DESTINATION_REFUSED | 1u << DESTINATION_STOPPED,
	[DESTINATION_LIVE] = 1u << DESTINATION_HELD | 1u << DESTINATION_BACKING_OFF |
			     1u << DESTINATION_REFUSED | 1u << DESTINATION_STOPPED,
	[DESTINATION_BACKING_OFF] = 1u << DESTINATION_DIALING | 1u << DESTINATION_STOPPED,
	[DESTINATION_REFUSED] = 1u << DESTINATION_DIALING | 1u << DESTINATION_STOPPED,
	[DESTINATION_STOPPED] = 0,
};

static void tell(struct destination *d)
{
	struct session_counts counts = { 0 };
	struct ipc_destination_status status = {
		.id = d->config.id,
		.state = d->state,
		.restarts = d->restart.restarts,
		.since_us = d->since_us,
	};

	if (d->session) {
		counts = session_counts(d->session);
	}
	status.kbps = d->state == DESTINATION_LIVE ? d->kbps : 0;
	status.backlog_ms = counts.backlog_ms;
	status.bytes = d->past_bytes + counts.bytes;
	status.dropped = d->past_dropped + counts.dropped;
	(void)text_copy(status.last_error, sizeof(status.last_error), d->last_error);
	/* If the supervisor is busy, the next second tells it. */
	(void)ipc_send(WORKER_CONTROL_FD, IPC_DESTINATION_STATUS, &status, NULL, 0);
}

static enum log_level level_of(enum destination_state state)
{
	switch (state) {
	case DESTINATION_REFUSED:
		return LOG_ERROR;
	case DESTINATION_BACKING_OFF:
		return LOG_WARN;
	default:
		return LOG_INFO;
	}
}

/* The one way from a state to another. */
static void enter(struct destination *d, enum destination_state to, const char *cause,
		  int64_t now_us)
{
	enum destination_state from = d->state;

	assert(allowed[from] & 1u << to);
	d->state = to;
	d->since_us = now_us;
	log_line(level_of(to), "destination show=%s name=%s state=%s was=%s cause=\"%s\"",
		 d->relay->name, d->config.name, destination_state_str(to),
		 destination_state_str(from), cause);
	tell(d);
}

/* ---- ends of sessions and dials ---- */

/* The list is not changed here: its owner may be walking it. */
static void over(struct destination *d)
{
	event_active(d->relay->reap, EV_TIMEOUT, 0);
}

static void unwatch(struct event **event)
{
	if (*event) {
		event_free(*event);
		*event = NULL;
	}
}

static void drop_connection(struct destination *d, bool unclean)
{
	struct session_counts counts;

	dial_destroy(&d->dial);
	unwatch(&d->readable);
	unwatch(&d->writable);
	if (d->session) {
		counts = session_counts(d->session);
		d->past_bytes += counts.bytes;
		d->past_dropped += counts.dropped;
		session_destroy(&d->session, unclean);
	}
}

static void wait_until(struct destination *d, int64_t at_us, int64_t now_us)
{
	int64_t us = at_us > now_us ? at_us - now_us : 0;
	const struct timeval wait = { .tv_sec = us / 1000000, .tv_usec = us % 1000000 };

	evtimer_add(d->timer, &wait);
}

/* When to dial after a failure. */
static int64_t next_dial(struct destination *d, int64_t now_us)
{
	int64_t ran_us = d->was_accepted ? now_us - d->accepted_us : 0;
	uint32_t random = 0;

	if (d->was_accepted) {
		bool is_healthy = ran_us >= restart_policy_destination.healthy_us;

		d->healthy_lost_us = is_healthy ? now_us : 0;
		d->lost_us = now_us;
	} else if (d->healthy_lost_us && now_us - d->healthy_lost_us < QUICK_SPAN_US) {
		d->restart.restarts++;
		return now_us + QUICK_STEP_US;
	}
	if (getrandom(&random, sizeof(random), 0) < 0) {
		random = (uint32_t)now_us;
	}
	return restart_after(&d->restart, &restart_policy_destination, ran_us, random, now_us);
}

/* The platform took the show not long ago. */
static bool is_known_there(const struct destination *d, int64_t now_us)
{
	return d->lost_us && now_us - d->lost_us < STALE_SESSION_US;
}

/* `error` may lie in the session that is about to go. */
static void give_up(struct destination *d, const char *error, bool is_refused, int64_t now_us)
{
	int64_t again_us;

	(void)text_copy(d->last_error, sizeof(d->last_error), error);
	drop_connection(d, true);
	if (d->state == DESTINATION_STOPPED) {
		over(d);
		return;
	}
	again_us = next_dial(d, now_us);
	is_refused = is_refused && !is_known_there(d, now_us);
	if (is_refused) {
		again_us = now_us + (d->refusals++ ? REFUSED_AGAIN_US : REFUSED_ONCE_US);
	}
	d->was_accepted = false;
	enter(d, is_refused ? DESTINATION_REFUSED : DESTINATION_BACKING_OFF, d->last_error, now_us);
	wait_until(d, again_us, now_us);
}

/* ---- a session and its events ---- */

static void watch(struct destination *d)
{
	if (session_wants(d->session) & STREAM_WANT_WRITE) {
		event_add(d->writable, NULL);
	} else {
		event_del(d->writable);
	}
}

static void conclude(struct destination *d, enum session_result result, int64_t now_us)
{
	switch (result) {
	case SESSION_ACCEPTED:
		d->accepted_us = now_us;
		d->was_accepted = true;
		d->refusals = 0;
		d->media_us = now_us;
		enter(d, DESTINATION_HELD, "publish accepted, waiting for a key frame", now_us);
		break;
	case SESSION_GOES_ON:
		break;
	case SESSION_REJECTED:
		give_up(d, session_error(d->session), true, now_us);
		return;
	case SESSION_RECONNECT:
	case SESSION_BROKEN:
		give_up(d, session_error(d->session), false, now_us);
		return;
	case SESSION_LEFT:
		drop_connection(d, false);
		over(d);
		return;
	}
	watch(d);
}

static void on_socket(evutil_socket_t fd, short what, void *context)
{
	struct destination *d = context;
	int64_t now_us = clock_monotonic_us();

	(void)fd;
	(void)what;
	conclude(d, session_step(d->session, now_us), now_us);
}

static bool watch_socket(struct destination *d)
{
	struct event_base *base = d->relay->base;
	int fd = session_fd(d->session);

	d->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_socket, d);
	d->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_socket, d);
	return d->readable && d->writable && event_add(d->readable, NULL) == 0;
}

static void on_dialed(void *context, int fd, const char *error)
{
	struct destination *d = context;
	int64_t now_us = clock_monotonic_us();
	struct session_config config = {
		.host = d->config.host,
		.app = d->config.app,
		.stream = d->config.stream,
		.tc_url = d->config.tc_url,
		.is_enhanced = show_needs_enhanced(&d->relay->show),
	};

	if (fd < 0) {
		give_up(d, error, false, now_us);
		return;
	}
	dial_destroy(&d->dial);
	if (d->config.is_tls) {
		config.trust = relay_trust(d->relay, &error);
	}
	if (!d->config.is_tls || config.trust) {
		error = "out of memory";
		d->session = session_create(&config, fd, now_us);
	}
	if (!d->session) {
		close(fd);
		give_up(d, error, false, now_us);
		return;
	}
	if (!watch_socket(d)) {
		give_up(d, "out of memory", false, now_us);
		return;
	}
	conclude(d, session_step(d->session, now_us), now_us);
}

static void dial(struct destination *d, int64_t now_us)
{
	enter(d, DESTINATION_DIALING, *d->last_error ? "dialing again" : "the show has media",
	      now_us);
	d->dial = dial_create(d->relay->base, on_dialed, d, ++d->relay->next_query);
	if (d->dial) {
		dial_start(d->dial, d->config.host, d->config.port);
	} else {
		give_up(d, "out of memory", false, now_us);
	}
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct destination *d = context;
	int64_t now_us = clock_monotonic_us();

	(void)fd;
	(void)what;
	if (d->state == DESTINATION_STOPPED) {
		give_up(d, "no goodbye from the platform", false, now_us);
	} else {
		dial(d, now_us);
	}
}

/* ---- life ---- */

struct destination *destination_create(struct relay *r, const struct ipc_destination_add *config,
				       int64_t now_us)
{
	struct destination *d = calloc(1, sizeof(*d));

	if (!d) {
		return NULL;
	}
	d->relay = r;
	d->config = *config;
	d->since_us = now_us;
	d->told_us = now_us;
	d->timer = evtimer_new(r->base, on_timer, d);
	if (!d->timer) {
		explicit_bzero(&d->config, sizeof(d->config));
		free(d);
		return NULL;
	}
	LIST_INSERT_HEAD(&r->destinations, d, link);
	tell(d);
	return d;
}

void destination_destroy(struct destination **d)
{
	struct destination *gone = *d;

	*d = NULL;
	if (!gone) {
		return;
	}
	drop_connection(gone, true);
	event_free(gone->timer);
	LIST_REMOVE(gone, link);
	explicit_bzero(&gone->config, sizeof(gone->config));
	free(gone);
}

void destination_wake(struct destination *d, int64_t now_us)
{
	if (d->state == DESTINATION_IDLE) {
		dial(d, now_us);
	}
}

void destination_resolved(struct destination *d, const struct ipc_resolve_answer *answer)
{
	if (d->dial && dial_query(d->dial) == answer->query) {
		dial_resolved(d->dial, answer);
	}
}

/* ---- media ---- */

bool destination_is_listening(const struct destination *d)
{
	return d->session && session_is_publishing(d->session);
}

void destination_offer(struct destination *d, struct message *m, const struct outlet_start *start)
{
	enum session_result result;
	int64_t now_us;

	if (!destination_is_listening(d)) {
		return;
	}
	result = session_offer(d->session, m, start);
	if (result != SESSION_GOES_ON) {
		conclude(d, result, clock_monotonic_us());
		return;
	}
	if (m->packet.type == PACKET_FRAME && session_counts(d->session).has_started) {
		now_us = d->relay->show.media_us;
		d->media_us = now_us;
		if (d->state == DESTINATION_HELD) {
			enter(d, DESTINATION_LIVE, "media goes out", now_us);
		}
	}
}

void destination_interrupt(struct destination *d, bool is_restarted)
{
	if (!destination_is_listening(d)) {
		return;
	}
	if (is_restarted) {
		session_rebase(d->session);
	} else {
		session_rejoin(d->session);
	}
}

void destination_flush(struct destination *d, int64_t now_us)
{
	if (d->session) {
		enum session_result result = session_flush(d->session, now_us);

		if (result != SESSION_GOES_ON || session_wants(d->session) & STREAM_WANT_WRITE) {
			conclude(d, result, now_us);
		}
	}
}

static void measure(struct destination *d, int64_t now_us)
{
	uint64_t bytes = d->past_bytes + (d->session ? session_counts(d->session).bytes : 0);
	int64_t us = now_us - d->told_us;

	if (us > 0) {
		d->kbps = (uint32_t)((bytes - d->told_bytes) * 8000 / (uint64_t)us);
	}
	d->told_bytes = bytes;
	d->told_us = now_us;
}

void destination_second(struct destination *d, int64_t now_us)
{
	enum session_result result;

	if (d->session) {
		result = session_tick(d->session, now_us);
		if (result != SESSION_GOES_ON) {
			conclude(d, result, now_us);
		}
	}
	measure(d, now_us);
	if (d->state == DESTINATION_LIVE && now_us - d->media_us >= QUIET_US) {
		enter(d, DESTINATION_HELD, "the show has nothing to send", now_us);
	} else if (d->state == DESTINATION_LIVE) {
		tell(d);
	}
}

/* ---- the end ---- */

void destination_stop(struct destination *d, bool unpublish, int64_t now_us)
{
	if (d->state == DESTINATION_STOPPED) {
		return;
	}
	evtimer_del(d->timer);
	if (unpublish && destination_is_listening(d)) {
		session_leave(d->session);
		enter(d, DESTINATION_STOPPED, "the operator ended it", now_us);
		wait_until(d, now_us + GOODBYE_US, now_us);
		conclude(d, session_flush(d->session, now_us), now_us);
		return;
	}
	drop_connection(d, true);
	enter(d, DESTINATION_STOPPED, unpublish ? "the operator ended it" : "stopped", now_us);
	over(d);
}

bool destination_is_over(const struct destination *d)
{
	return d->state == DESTINATION_STOPPED && !d->session;
}
