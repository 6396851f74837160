/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Destinations (destination.h). Runs in relay-rtmp, in its loop; never blocks. Owns the links
 * and the timer of each. Logs decisions: the state machine is the program's, its parts
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
#include "remark.h"

#define QUICK_SPAN_US 1500000
#define QUICK_STEP_US 300000
#define REFUSED_ONCE_US 5000000
#define REFUSED_AGAIN_US 30000000
#define STALE_SESSION_US 120000000 /* how long a platform may hold a broken connection for alive */
#define QUIET_US 2000000
#define GOODBYE_US 800000
#define CUT_OFF "cut off in a rehearsal"
#define ABRUPT_US 5000000 /* an end so soon after the beginning has to do with the stream */

/* ---- state ---- */

/* Bit n of row s: state s may be followed by state n. */
static const unsigned allowed[DESTINATION_STATES] = {
	[DESTINATION_IDLE] = 1u << DESTINATION_DIALING | 1u << DESTINATION_STOPPED,
	[DESTINATION_DIALING] = 1u << DESTINATION_HELD | 1u << DESTINATION_BACKING_OFF |
				1u << DESTINATION_REFUSED | 1u << DESTINATION_STOPPED,
	[DESTINATION_HELD] = 1u << DESTINATION_IDLE | 1u << DESTINATION_LIVE |
			     1u << DESTINATION_BACKING_OFF | 1u << DESTINATION_REFUSED |
			     1u << DESTINATION_STOPPED,
	[DESTINATION_LIVE] = 1u << DESTINATION_HELD | 1u << DESTINATION_BACKING_OFF |
			     1u << DESTINATION_REFUSED | 1u << DESTINATION_STOPPED,
	[DESTINATION_BACKING_OFF] = 1u << DESTINATION_IDLE | 1u << DESTINATION_DIALING |
				    1u << DESTINATION_STOPPED,
	[DESTINATION_REFUSED] = 1u << DESTINATION_IDLE | 1u << DESTINATION_DIALING |
				1u << DESTINATION_STOPPED,
	[DESTINATION_STOPPED] = 0,
};

static void tell(struct destination *d)
{
	struct session_counts counts = link_counts(d->link);
	struct ipc_destination_status status = {
		.id = d->config.id,
		.state = d->state,
		.restarts = d->restart.restarts,
		.since_us = d->since_us,
		.endpoint = d->endpoint,
		.accepted_us = d->was_accepted ? d->accepted_us : 0,
	};

	status.kbps = d->state == DESTINATION_LIVE ? d->kbps : 0;
	status.backlog_ms = counts.backlog_ms;
	status.bytes = d->past_bytes + counts.bytes;
	status.dropped = d->past_dropped + counts.dropped;
	(void)text_copy(status.last_error, sizeof(status.last_error), d->last_error);
	(void)text_copy(status.why, sizeof(status.why), d->why);
	remark_write(&d->relay->show.shape, &counts, status.remark, sizeof(status.remark));
	if (*status.remark && strcmp(status.remark, d->remark) != 0) {
		log_warn("destination show=%s name=%s: %s", d->relay->name, d->config.name,
			 status.remark);
	}
	(void)text_copy(d->remark, sizeof(d->remark), status.remark);
	status.silence_us = d->silence_us;
	d->silence_us = 0;
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

void destination_enter(struct destination *d, enum destination_state to, const char *cause,
		       int64_t now_us)
{
	enum destination_state from = d->state;

	assert(allowed[from] & 1u << to);
	d->state = to;
	d->since_us = now_us;
	(void)text_copy(d->why, sizeof(d->why), cause);
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

void destination_account(struct destination *d, const struct link *l)
{
	struct session_counts counts = link_counts(l);

	d->past_bytes += counts.bytes;
	d->past_dropped += counts.dropped;
}

static void drop_connections(struct destination *d, bool unclean)
{
	destination_account(d, d->link);
	link_destroy(&d->link, unclean);
	succession_finish(d);
}

static void wait_until(struct destination *d, int64_t at_us, int64_t now_us)
{
	int64_t us = at_us > now_us ? at_us - now_us : 0;
	const struct timeval wait = { .tv_sec = us / 1000000, .tv_usec = us % 1000000 };

	evtimer_add(d->timer, &wait);
}

/* When to dial after a failure, and where. */
static int64_t next_dial(struct destination *d, int64_t now_us)
{
	int64_t ran_us = d->was_accepted ? now_us - d->accepted_us : 0;
	bool is_healthy = d->was_accepted && ran_us >= d->policy.healthy_us;
	uint32_t random = 0;

	if (!is_healthy) {
		d->endpoint = (d->endpoint + 1) % d->config.endpoint_count;
	}
	if (d->was_accepted) {
		d->healthy_lost_us = is_healthy ? now_us : 0;
		d->lost_us = now_us;
	} else if (d->healthy_lost_us && now_us - d->healthy_lost_us < QUICK_SPAN_US) {
		d->restart.restarts++;
		return now_us + QUICK_STEP_US;
	}
	if (getrandom(&random, sizeof(random), 0) < 0) {
		random = (uint32_t)now_us;
	}
	return restart_after(&d->restart, &d->policy, ran_us, random, now_us);
}

/* The platform took the show not long ago. */
static bool is_known_there(const struct destination *d, int64_t now_us)
{
	return d->lost_us && now_us - d->lost_us < STALE_SESSION_US;
}

/* Some platforms say no to a key by taking it and hanging up. */
static void note_error(struct destination *d, const char *error, int64_t now_us)
{
	bool is_abrupt = d->was_accepted && now_us - d->accepted_us < ABRUPT_US &&
			 strcmp(error, "closed by the platform") == 0;

	(void)text_format(d->last_error, sizeof(d->last_error), "%s%s", error,
			  is_abrupt ? " right after it took the stream: check `key`, and that "
				      "nobody else publishes with it"
				    : "");
}

/* `error` may lie in the link that is about to go. */
static void give_up(struct destination *d, const char *error, bool is_refused, int64_t now_us)
{
	int64_t again_us;

	note_error(d, error, now_us);
	drop_connections(d, true);
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
	destination_enter(d, is_refused ? DESTINATION_REFUSED : DESTINATION_BACKING_OFF,
			  d->last_error, now_us);
	wait_until(d, again_us, now_us);
}

/* ---- what links tell ---- */

static void conclude(struct destination *d, enum session_result result, int64_t now_us)
{
	switch (result) {
	case SESSION_ACCEPTED:
		d->accepted_us = now_us;
		d->was_accepted = true;
		d->refusals = 0;
		d->media_us = now_us;
		destination_enter(d, DESTINATION_HELD, "publish accepted, waiting for a key frame",
				  now_us);
		break;
	case SESSION_GOES_ON:
		break;
	case SESSION_RECONNECT:
		succession_ask(d, session_demand(d->link->session), now_us);
		break;
	case SESSION_REJECTED:
	case SESSION_BROKEN:
		if (!succession_rescue(d, now_us)) {
			give_up(d, d->link->error, result == SESSION_REJECTED, now_us);
		}
		break;
	case SESSION_LEFT:
		drop_connections(d, false);
		over(d);
		break;
	}
}

void destination_told(void *owner, struct link *l, enum session_result result, int64_t now_us)
{
	struct destination *d = owner;

	if (l == d->link) {
		conclude(d, result, now_us);
	} else {
		succession_told(d, l, result, now_us);
	}
}

/* ---- dialling ---- */

static const char *why_dial(const struct destination *d)
{
	if (d->endpoint > 0) {
		return "dialling the backup ingest";
	}
	return *d->last_error ? "dialling again" : "the show has media";
}

static void dial_endpoint(struct destination *d, const struct ipc_endpoint *endpoint,
			  const char *why, int64_t now_us)
{
	destination_enter(d, DESTINATION_DIALING, why, now_us);
	if (now_us < d->cut_until_us) {
		give_up(d, CUT_OFF, false, now_us);
		return;
	}
	d->link = link_create(d->relay, &d->config, endpoint, destination_told, d);
	if (!d->link || !link_start(d->link)) {
		give_up(d, "out of memory", false, now_us);
	}
}

static void dial(struct destination *d, int64_t now_us)
{
	dial_endpoint(d, &d->config.endpoints[d->endpoint], why_dial(d), now_us);
}

void destination_renew(struct destination *d, const struct ipc_endpoint *to, const char *why,
		       int64_t now_us)
{
	struct ipc_endpoint endpoint = *to; /* it may lie in what is dropped */

	drop_connections(d, true);
	d->lost_us = now_us;
	d->healthy_lost_us = now_us;
	d->was_accepted = false;
	d->restart.restarts++;
	destination_enter(d, DESTINATION_BACKING_OFF, why, now_us);
	dial_endpoint(d, &endpoint, why, now_us);
	explicit_bzero(&endpoint, sizeof(endpoint));
}

/* Nothing has come for so long that no connection is kept. */
static bool is_show_away(const struct destination *d, int64_t media_us, int64_t now_us)
{
	return d->config.hold_us > 0 && now_us - media_us >= d->config.hold_us;
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct destination *d = context;
	int64_t now_us = clock_monotonic_us();

	(void)fd;
	(void)what;
	if (d->state == DESTINATION_STOPPED) {
		give_up(d, "no goodbye from the platform", false, now_us);
	} else if (is_show_away(d, d->relay->show.media_us, now_us)) {
		destination_enter(d, DESTINATION_IDLE, "nothing to send", now_us);
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
	d->policy = (struct restart_policy){
		.healthy_us = config->healthy_us,
		.first_us = config->first_us,
		.cap_us = config->cap_us,
		.jitter_percent = restart_policy_destination.jitter_percent,
	};
	(void)text_copy(d->why, sizeof(d->why), "nothing to send yet");
	d->timer = evtimer_new(r->base, on_timer, d);
	if (!d->timer) {
		explicit_bzero(&d->config, sizeof(d->config));
		free(d);
		return NULL;
	}
	LIST_INSERT_HEAD(&r->destinations, d, entry);
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
	drop_connections(gone, true);
	event_free(gone->timer);
	LIST_REMOVE(gone, entry);
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
	if (d->link) {
		link_resolved(d->link, answer);
	}
	succession_resolved(d, answer);
}

/* ---- media ---- */

bool destination_is_listening(const struct destination *d)
{
	return link_is_publishing(d->link);
}

void destination_offer(struct destination *d, struct message *m, const struct outlet_start *start)
{
	enum session_result result;
	int64_t now_us;

	if (!destination_is_listening(d) || succession_offer(d, m, start)) {
		return;
	}
	result = link_offer(d->link, m, start);
	if (result != SESSION_GOES_ON) {
		conclude(d, result, clock_monotonic_us());
		return;
	}
	if (m->packet.type == PACKET_FRAME && link_counts(d->link).has_started) {
		now_us = d->relay->show.media_us;
		d->media_us = now_us;
		if (d->state == DESTINATION_HELD) {
			destination_enter(d, DESTINATION_LIVE, "media goes out", now_us);
		}
	}
}

void destination_interrupt(struct destination *d, bool is_restarted)
{
	if (!destination_is_listening(d)) {
		return;
	}
	if (is_restarted) {
		session_rebase(d->link->session);
	} else {
		session_rejoin(d->link->session);
	}
}

/* Across connections: what the platform's audience may have noticed. */
static void note_silence(struct destination *d, int64_t now_us)
{
	uint64_t bytes = d->past_bytes + link_counts(d->link).bytes;
	int64_t silence_us = d->written_us ? now_us - d->written_us : 0;

	d->silence_us = silence_us > d->silence_us ? silence_us : d->silence_us;
	if (bytes != d->written_bytes) {
		d->written_bytes = bytes;
		d->written_us = now_us;
	}
}

void destination_flush(struct destination *d, int64_t now_us)
{
	if (d->link) {
		conclude(d, link_flush(d->link), now_us);
	}
	succession_flush(d, now_us);
	note_silence(d, now_us);
}

static void measure(struct destination *d, int64_t now_us)
{
	uint64_t bytes = d->past_bytes + link_counts(d->link).bytes;
	int64_t us = now_us - d->told_us;

	if (us > 0 && bytes >= d->told_bytes) { /* a connection that is left counts at its end */
		d->kbps = (uint32_t)((bytes - d->told_bytes) * 8000 / (uint64_t)us);
	}
	d->told_bytes = bytes;
	d->told_us = now_us;
}

static void release(struct destination *d, int64_t now_us)
{
	char why[IPC_TEXT];

	(void)text_format(why, sizeof(why),
			  "no media for %d s: connection closed, dials when it is back",
			  (int)(d->config.hold_us / 1000000));
	drop_connections(d, true);
	d->was_accepted = false;
	destination_enter(d, DESTINATION_IDLE, why, now_us);
}

void destination_second(struct destination *d, int64_t now_us)
{
	if (d->link) {
		conclude(d, link_tick(d->link, now_us), now_us);
	}
	succession_second(d, now_us);
	measure(d, now_us);
	if (d->state == DESTINATION_LIVE && now_us - d->media_us >= QUIET_US) {
		destination_enter(d, DESTINATION_HELD, "the show has nothing to send", now_us);
	} else if (d->state == DESTINATION_HELD && is_show_away(d, d->media_us, now_us)) {
		release(d, now_us);
	} else if (d->state == DESTINATION_LIVE) {
		tell(d);
	}
}

/* ---- the end ---- */

void destination_cut(struct destination *d, int64_t until_us, int64_t now_us)
{
	d->cut_until_us = until_us;
	if (d->link && d->state != DESTINATION_STOPPED && now_us < until_us) {
		give_up(d, CUT_OFF, false, now_us);
	}
}

void destination_stop(struct destination *d, bool unpublish, int64_t now_us)
{
	if (d->state == DESTINATION_STOPPED) {
		return;
	}
	evtimer_del(d->timer);
	succession_finish(d);
	if (unpublish && destination_is_listening(d)) {
		destination_enter(d, DESTINATION_STOPPED, "the operator ended it", now_us);
		wait_until(d, now_us + GOODBYE_US, now_us);
		conclude(d, link_leave(d->link), now_us);
		return;
	}
	drop_connections(d, true);
	destination_enter(d, DESTINATION_STOPPED, unpublish ? "the operator ended it" : "stopped",
			  now_us);
	over(d);
}

bool destination_is_over(const struct destination *d)
{
	return d->state == DESTINATION_STOPPED && !d->link;
}
