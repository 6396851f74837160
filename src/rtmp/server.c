/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The server session: a publisher talks to us. Runs in ingest-rtmp, one per process; pure, so
 * it blocks on nothing. Owns all memory of the connection above the socket, bounded by struct
 * rtmp_limits.
 */
#include <assert.h>
#include <stdlib.h>

#include <understudy/clock.h>

#include "server.h"

struct rtmp_server *rtmp_server_create(const struct rtmp_limits *limits, const uint8_t random[1528],
				       int64_t now_us)
{
	struct rtmp_server *s = calloc(1, sizeof(*s));

	if (!s) {
		return NULL;
	}
	if (wire_init(&s->wire, true, limits, random) < 0) {
		rtmp_server_destroy(&s);
		return NULL;
	}
	s->created_us = now_us;
	s->now_us = now_us;
	return s;
}

void rtmp_server_destroy(struct rtmp_server **s)
{
	if (!*s) {
		return;
	}
	wire_finish(&(*s)->wire);
	free(*s);
	*s = NULL;
}

static bool is_authorised(const struct rtmp_server *s)
{
	return s->state == SERVER_LIVE || s->state == SERVER_DONE;
}

static bool has_event(const struct rtmp_server *s)
{
	return s->has_parts || s->event.type != RTMP_EVENT_NONE;
}

/* ---- messages ---- */

static bool is_media(uint8_t type)
{
	return type == MESSAGE_AUDIO || type == MESSAGE_VIDEO || type == MESSAGE_AGGREGATE;
}

/* A message of type 15 is one of type 18 behind a format byte. False: nothing to hand out. */
static bool fill_media_event(const struct message *m, struct rtmp_event *ret)
{
	size_t skip = 0;

	switch (m->type) {
	case MESSAGE_AUDIO:
	case MESSAGE_VIDEO:
	case MESSAGE_DATA:
		break;
	case MESSAGE_DATA_AMF3:
		if (m->size == 0) {
			return false;
		}
		skip = 1;
		break;
	default:
		return false;
	}
	*ret = (struct rtmp_event){
		.type = RTMP_EVENT_MEDIA,
		.message = skip ? MESSAGE_DATA : m->type,
		.timestamp_ms = m->timestamp_ms,
		.body = m->body + skip,
		.size = m->size - skip,
	};
	return true;
}

static bool next_part(struct rtmp_server *s, struct rtmp_event *ret)
{
	struct message part;

	while (aggregate_next(&s->parts, &part)) {
		if (fill_media_event(&part, ret)) {
			return true;
		}
	}
	s->has_parts = false;
	return false;
}

static int take_aggregate(struct rtmp_server *s, const struct message *m)
{
	int parts = aggregate_check(m, &s->wire.limits);

	if (parts < 0) {
		return parts;
	}
	for (int i = 0; i < parts; i++) {
		if (!rate_take(&s->wire.messages, s->wire.limits.messages_per_second, s->now_us)) {
			return RTMP_TOO_FAST;
		}
	}
	s->parts = aggregate_over(m);
	s->has_parts = next_part(s, &s->event);
	return 0;
}

static int take_media(struct rtmp_server *s, const struct message *m)
{
	if (!is_authorised(s)) {
		/* data before publish is harmless chatter; media means the key is not waited for */
		return is_media(m->type) ? RTMP_TOO_EARLY : 0;
	}
	if (is_media(m->type)) {
		s->media_us = s->now_us;
	}
	if (s->state == SERVER_DONE) {
		return 0;
	}
	if (m->type == MESSAGE_AGGREGATE) {
		return take_aggregate(s, m);
	}
	fill_media_event(m, &s->event);
	return 0;
}

static int take_message(struct rtmp_server *s, const struct message *m)
{
	if (command_is(m)) {
		return server_run_command(s, m);
	}
	return take_media(s, m);
}

/* ---- bytes ---- */

/* Reads on until there is something for the caller, or nothing more to read. */
static int read_messages(struct rtmp_server *s, struct reader *in)
{
	struct message m;
	int status;

	while (!has_event(s)) {
		status = wire_read(&s->wire, in, s->now_us, &m);
		if (s->state == SERVER_HANDSHAKE && s->wire.handshake.phase == HANDSHAKE_DONE) {
			server_enter(s, SERVER_CONNECT);
		}
		if (status <= 0) {
			return status;
		}
		status = take_message(s, &m);
		if (status < 0) {
			return status;
		}
	}
	return 0;
}

/* How much of `n` bytes may be read before publishing has to be allowed. The handshake is not
 * counted, and never longer than its fixed size. */
static size_t allowance(const struct rtmp_server *s, size_t n)
{
	size_t left;

	if (is_authorised(s)) {
		return n;
	}
	left = s->wire.limits.unauthorised_bytes - s->unauthorised_bytes;
	if (s->state == SERVER_HANDSHAKE) {
		left = 1 + 2 * HANDSHAKE_BYTES - (size_t)s->wire.received;
	}
	return n < left ? n : left;
}

static int read_step(struct rtmp_server *s, const uint8_t *bytes, size_t n, size_t *ret_used)
{
	struct reader in = reader_over(bytes, allowance(s, n));
	bool is_counted = s->state != SERVER_HANDSHAKE && !is_authorised(s);
	int status;

	if (n > 0 && reader_left(&in) == 0) {
		return RTMP_TOO_EARLY;
	}
	status = read_messages(s, &in);
	*ret_used = (size_t)(in.at - bytes);
	if (is_counted) {
		s->unauthorised_bytes += (uint32_t)*ret_used;
	}
	wire_count(&s->wire, *ret_used);
	return status;
}

ssize_t rtmp_server_feed(struct rtmp_server *s, const uint8_t *bytes, size_t n, int64_t now_us)
{
	size_t used = 0;
	int status;

	if (s->wire.error) {
		return s->wire.error;
	}
	if (s->state == SERVER_REFUSED) {
		return RTMP_ENDED;
	}
	if (has_event(s) || s->state == SERVER_ASKING) {
		return 0;
	}
	s->now_us = now_us;
	/* Late bytes are no excuse before publishing is allowed, and welcome after. */
	status = is_authorised(s) ? 0 : rtmp_server_tick(s, now_us);
	if (status == 0) {
		status = read_step(s, bytes, n, &used);
	}
	if (status < 0) {
		s->wire.error = status;
		return status;
	}
	return (ssize_t)used;
}

bool rtmp_server_next(struct rtmp_server *s, struct rtmp_event *ret)
{
	if (!has_event(s)) {
		return false;
	}
	*ret = s->event;
	s->event = (struct rtmp_event){ .type = RTMP_EVENT_NONE };
	if (s->has_parts) {
		next_part(s, &s->event);
	}
	return true;
}

void rtmp_server_answer(struct rtmp_server *s, bool allowed, const char *reason)
{
	int status;

	assert(s->state == SERVER_ASKING);
	status = server_send_publish_answer(s, allowed, reason);
	if (status < 0) {
		s->wire.error = status;
	}
	server_enter(s, allowed ? SERVER_LIVE : SERVER_REFUSED);
}

/* ---- time and output ---- */

int64_t rtmp_server_deadline(const struct rtmp_server *s)
{
	const struct rtmp_limits *limits = &s->wire.limits;

	if (s->wire.error) {
		return CLOCK_NEVER;
	}
	switch (s->state) {
	case SERVER_HANDSHAKE:
		return s->created_us + limits->handshake_us;
	case SERVER_CONNECT:
		return s->created_us + limits->connect_us;
	case SERVER_READY:
	case SERVER_ASKING:
		return s->created_us + limits->publish_us;
	case SERVER_LIVE:
	case SERVER_DONE:
		return s->media_us + limits->idle_us;
	case SERVER_REFUSED:
		break;
	}
	return CLOCK_NEVER;
}

int rtmp_server_tick(struct rtmp_server *s, int64_t now_us)
{
	if (s->wire.error) {
		return s->wire.error;
	}
	if (now_us < rtmp_server_deadline(s)) {
		return RTMP_OK;
	}
	s->wire.error = RTMP_TIMEOUT;
	return RTMP_TIMEOUT;
}

size_t rtmp_server_output(struct rtmp_server *s, const uint8_t **ret)
{
	return wire_output(&s->wire, ret);
}

void rtmp_server_sent(struct rtmp_server *s, size_t n)
{
	buffer_consume(&s->wire.out, n);
}

uint64_t rtmp_server_received(const struct rtmp_server *s)
{
	return s->wire.received;
}
