/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From one connection to the next (succession.h). Runs in relay-rtmp, in its loop; never blocks. */
#include <string.h>

#include <understudy/clock.h>
#include <understudy/log.h>
#include <understudy/redirect.h>

#include "relay.h"

#define LEFT_US 2000000 /* what was queued for the connection that is left goes out */
#define AGAIN_US 10000000
#define REDIAL_MS ((INT64_C(1) << 31) - 3600 * 1000) /* platforms differ in what comes after 2^31 */
#define LATEST_MS ((INT64_C(1) << 31) - 60 * 1000)

static void close_left(struct destination *d)
{
	destination_account(d, d->succession.left);
	link_destroy(&d->succession.left, true);
}

static void forget(struct destination *d)
{
	d->succession.why = NULL;
	explicit_bzero(&d->succession.to, sizeof(d->succession.to));
}

void succession_finish(struct destination *d)
{
	destination_account(d, d->succession.heir);
	link_destroy(&d->succession.heir, true);
	close_left(d);
	forget(d);
}

static void want(struct destination *d, const char *why, const struct ipc_endpoint *to)
{
	d->succession.why = why;
	d->succession.to = *to;
	log_info("destination show=%s name=%s goes over to a new connection: %s", d->relay->name,
		 d->config.name, why);
}

void succession_ask(struct destination *d, const char *url, int64_t now_us)
{
	struct ipc_endpoint to;
	enum redirect_result result = redirect_resolve(&d->link->endpoint, url,
						       d->config.allow_redirect, &to);

	if (d->succession.why || now_us < d->succession.not_before_us) {
		return;
	}
	if (result != REDIRECT_OK) {
		log_warn("destination show=%s name=%s: the platform asks us over to %s; the "
			 "connection stays",
			 d->relay->name, d->config.name, redirect_str(result));
		return;
	}
	want(d, "the platform asked to connect anew", &to);
	explicit_bzero(&to, sizeof(to));
	succession_second(d, now_us);
}

void succession_resolved(struct destination *d, const struct ipc_resolve_answer *answer)
{
	if (d->succession.heir) {
		link_resolved(d->succession.heir, answer);
	}
}

/* ---- the second link ---- */

static void begin(struct destination *d, int64_t now_us)
{
	struct succession *s = &d->succession;

	s->not_before_us = now_us + AGAIN_US;
	s->heir = link_create(d->relay, &d->config, &s->to, destination_told, d);
	if (s->heir && !link_start(s->heir)) {
		link_destroy(&s->heir, true);
	}
}

static void renew(struct destination *d, int64_t now_us)
{
	destination_renew(d, &d->succession.to, d->succession.why, now_us);
}

static void fail(struct destination *d, bool is_rejected, int64_t now_us)
{
	struct succession *s = &d->succession;

	log_warn("destination show=%s name=%s: second connection failed: %s", d->relay->name,
		 d->config.name, s->heir->error);
	link_destroy(&s->heir, true);
	if (is_rejected) {
		s->refuses_two = true;
		renew(d, now_us);
	}
}

void succession_told(struct destination *d, struct link *l, enum session_result result,
		     int64_t now_us)
{
	if (l == d->succession.left) {
		close_left(d);
	} else if (result == SESSION_REJECTED || result == SESSION_BROKEN) {
		fail(d, result == SESSION_REJECTED, now_us);
	}
}

/* The second link is the first from now on. */
static void succeed(struct destination *d, int64_t now_us)
{
	d->link = d->succession.heir;
	d->succession.heir = NULL;
	d->accepted_us = now_us;
	d->was_accepted = true;
	forget(d);
}

bool succession_offer(struct destination *d, struct message *m, const struct outlet_start *start)
{
	struct succession *s = &d->succession;
	enum session_result result;
	int64_t now_us;

	if (!s->heir || !link_is_publishing(s->heir)) {
		return false;
	}
	result = link_offer(s->heir, m, start);
	now_us = clock_monotonic_us();
	if (result != SESSION_GOES_ON) {
		fail(d, false, now_us);
		return false;
	}
	if (!link_counts(s->heir).has_started) {
		return false;
	}
	close_left(d);
	s->left = d->link;
	s->left_until_us = now_us + LEFT_US;
	succeed(d, now_us);
	log_info("destination show=%s name=%s has gone over to its new connection", d->relay->name,
		 d->config.name);
	return true;
}

bool succession_rescue(struct destination *d, int64_t now_us)
{
	struct succession *s = &d->succession;

	if (!link_is_publishing(s->heir)) {
		return false;
	}
	log_info("destination show=%s name=%s: connection lost (%s), its second one takes over",
		 d->relay->name, d->config.name, d->link->error);
	destination_account(d, d->link);
	link_destroy(&d->link, true);
	succeed(d, now_us);
	if (d->state == DESTINATION_LIVE) {
		destination_enter(d, DESTINATION_HELD,
				  "gone over to a second connection, waiting for a key frame",
				  now_us);
	}
	return true;
}

void succession_flush(struct destination *d, int64_t now_us)
{
	struct link *left = d->succession.left;

	if (left && link_flush(left) != SESSION_GOES_ON) {
		close_left(d);
	}
}

/* ---- time ---- */

static void look_for_cause(struct destination *d, const struct session_counts *counts)
{
	if (counts->time_ms >= REDIAL_MS) {
		want(d, "timestamps come near their limit of 24.8 days", &d->link->endpoint);
	} else if (!counts->is_enhanced && show_needs_enhanced(&d->relay->show)) {
		want(d, "the show has got a codec that needs Enhanced RTMP", &d->link->endpoint);
	}
}

void succession_second(struct destination *d, int64_t now_us)
{
	struct succession *s = &d->succession;
	struct session_counts counts = link_counts(d->link);
	enum session_result result;

	if (s->left && (now_us >= s->left_until_us || session_is_drained(s->left->session))) {
		close_left(d);
	}
	if (s->heir) {
		result = link_tick(s->heir, now_us);
		if (result == SESSION_REJECTED || result == SESSION_BROKEN) {
			fail(d, result == SESSION_REJECTED, now_us);
		}
	}
	if ((d->state != DESTINATION_LIVE && d->state != DESTINATION_HELD) || !d->link) {
		return;
	}
	if (!s->why) {
		look_for_cause(d, &counts);
	}
	if (!s->why || (s->heir && counts.time_ms < LATEST_MS)) {
		return;
	}
	if (s->refuses_two || counts.time_ms >= LATEST_MS) {
		renew(d, now_us);
	} else if (now_us >= s->not_before_us) {
		begin(d, now_us);
	}
}
