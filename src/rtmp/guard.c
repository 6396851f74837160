/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The guard (guard.h): two sessions, back to back. Runs in the tunnel of a pulled feed; pure, so
 * it blocks on nothing. Owns both sessions' memory, bounded by struct rtmp_limits on the server's
 * side and by one message of the largest kind on the player's.
 *
 * What librtmp would stumble over cannot be said to it: chunk headers are all of fmt 0, on three
 * chunk streams, a message is only begun when it is whole, and what its AMF decoder sees was
 * written by us. (It keeps a buffer while it takes a new length, reserves by declared length on
 * each of 65599 chunk streams, and recurses as deep as it is told.)
 */
#include <stdlib.h>
#include <string.h>

#include <understudy/clock.h>
#include <understudy/text.h>

#include "aggregate.h"
#include "guard.h"

/* What is there already, one message of the largest kind, and heads of many small ones. */
#define PLAYER_BYTES(limits) ((limits)->video_bytes + 4 * GUARD_AHEAD_BYTES)

static struct rtmp_limits player_limits(const struct rtmp_limits *server)
{
	struct rtmp_limits limits;

	rtmp_limits_default(&limits);
	/* It is to ask for a stream, nothing else. */
	limits.audio_bytes = limits.video_bytes = limits.data_bytes = 0;
	limits.partial_bytes = 2 * limits.command_bytes;
	limits.output_bytes = PLAYER_BYTES(server);
	return limits;
}

struct guard *guard_create(const struct guard_config *config, const struct rtmp_limits *limits,
			   const uint8_t random[1528])
{
	struct guard *g = calloc(1, sizeof(*g));
	struct rtmp_limits player = player_limits(limits);

	if (!g) {
		return NULL;
	}
	g->limits = *limits;
	g->first_us = config->first_us;
	if (!text_copy(g->stream, sizeof(g->stream), config->stream) ||
	    wire_init(&g->player, true, &player, random) < 0) {
		guard_destroy(&g);
	}
	return g;
}

void guard_destroy(struct guard **g)
{
	if (!*g) {
		return;
	}
	wire_finish(&(*g)->server);
	wire_finish(&(*g)->player);
	free(*g);
	*g = NULL;
}

int guard_begin(struct guard *g, const char *app, const char *tc_url, const uint8_t random[1528],
		int64_t now_us)
{
	if (g->create > 0) {
		return RTMP_ENDED;
	}
	if (!text_copy(g->app, sizeof(g->app), app) ||
	    !text_copy(g->tc_url, sizeof(g->tc_url), tc_url)) {
		return RTMP_TOO_LARGE;
	}
	wire_finish(&g->server);
	if (wire_init(&g->server, false, &g->limits, random) < 0) {
		return RTMP_NO_MEMORY;
	}
	g->began_us = now_us;
	g->event = (struct guard_event){ .type = GUARD_NOTHING };
	guard_enter(g, GUARD_HANDSHAKE);
	return 0;
}

void guard_enter(struct guard *g, enum guard_state state)
{
	g->state = state;
	if (state == GUARD_STREAMING) {
		g->media_us = g->now_us;
		g->server.chunk_size_min = 1; /* as publishers may, once they are trusted */
	}
}

/* ---- media, towards the player ---- */

static bool is_readable(const struct message *m)
{
	struct amf_reader r = amf_reader_over(m->body, m->size);

	while (reader_left(&r.in) > 0) {
		if (!amf_skip(&r)) {
			return false;
		}
	}
	return true;
}

static int pass_on(struct guard *g, const struct message *m)
{
	struct message out = *m;

	out.stream = GUARD_PLAYER_STREAM;
	return wire_send(&g->player, m->type == MESSAGE_VIDEO ? CSID_VIDEO : CSID_AUDIO, &out);
}

/* Audio, video, and data that our own reader understands. A message of type 15 is one of type 18
 * behind a format byte. */
static int take_part(struct guard *g, const struct message *m)
{
	struct message part = *m;

	if (part.type == MESSAGE_DATA_AMF3 && part.size > 0 && part.body[0] == 0) {
		part.type = MESSAGE_DATA;
		part.body++;
		part.size--;
	}
	if (part.type == MESSAGE_AUDIO || part.type == MESSAGE_VIDEO) {
		g->media_us = g->now_us;
		g->has_media = true;
		return pass_on(g, &part);
	}
	if (part.type == MESSAGE_DATA && is_readable(&part)) {
		return pass_on(g, &part);
	}
	g->left_out++;
	return 0;
}

static int take_aggregate(struct guard *g, const struct message *m)
{
	struct aggregate parts = aggregate_over(m);
	struct message part;
	int status = aggregate_check(m, &g->limits);

	status = status < 0 ? status : 0;
	while (status == 0 && aggregate_next(&parts, &part)) {
		if (!rate_take(&g->server.messages, g->limits.messages_per_second, g->now_us)) {
			return RTMP_TOO_FAST;
		}
		status = take_part(g, &part);
	}
	return status;
}

static bool is_media(uint8_t type)
{
	return type == MESSAGE_AUDIO || type == MESSAGE_VIDEO || type == MESSAGE_AGGREGATE;
}

/* Some servers say nothing when the stream begins but its media. */
static int take_media(struct guard *g, const struct message *m)
{
	int status = 0;

	if (g->state == GUARD_ASKING && is_media(m->type)) {
		status = guard_start(g);
	}
	if (g->state != GUARD_STREAMING && g->state != GUARD_ASKING) {
		g->left_out++;
		return 0;
	}
	if (status < 0) {
		return status;
	}
	return m->type == MESSAGE_AGGREGATE ? take_aggregate(g, m) : take_part(g, m);
}

/* ---- bytes ---- */

static int read_server(struct guard *g, struct reader *in)
{
	struct message m;
	int status;

	while (g->event.type == GUARD_NOTHING && g->state != GUARD_ENDED) {
		int got = wire_read(&g->server, in, g->now_us, &m);

		if (got < 0) {
			return got;
		}
		status = guard_ask(g); /* the handshake may be over */
		if (status < 0 || got == 0) {
			return status;
		}
		status = command_is(&m) ? guard_take_answer(g, &m) : take_media(g, &m);
		if (status < 0) {
			return status;
		}
	}
	return 0;
}

ssize_t guard_feed_server(struct guard *g, const uint8_t *bytes, size_t n, int64_t now_us)
{
	struct reader in = reader_over(bytes, n);
	size_t used;
	int status;

	if (g->error) {
		return g->error;
	}
	if (g->event.type != GUARD_NOTHING) {
		return 0;
	}
	if (g->state == GUARD_ENDED || g->state == GUARD_IDLE) {
		return RTMP_ENDED;
	}
	g->now_us = now_us;
	status = read_server(g, &in);
	used = (size_t)(in.at - bytes);
	wire_count(&g->server, used);
	g->error = status;
	return status < 0 ? status : (ssize_t)used;
}

static int read_player(struct guard *g, struct reader *in)
{
	struct message m;
	int status;

	while ((status = wire_read(&g->player, in, g->now_us, &m)) > 0) {
		status = command_is(&m) ? guard_take_wish(g, &m) : RTMP_BAD_MESSAGE;
		if (status < 0) {
			return status;
		}
	}
	return status;
}

ssize_t guard_feed_player(struct guard *g, const uint8_t *bytes, size_t n, int64_t now_us)
{
	struct reader in = reader_over(bytes, n);

	if (!g->error) {
		g->now_us = now_us;
		g->error = read_player(g, &in);
		wire_count(&g->player, (size_t)(in.at - bytes));
	}
	return g->error ? g->error : (ssize_t)n;
}

bool guard_next(struct guard *g, struct guard_event *ret)
{
	if (g->event.type == GUARD_NOTHING) {
		return false;
	}
	*ret = g->event;
	g->event = (struct guard_event){ .type = GUARD_NOTHING };
	return true;
}

size_t guard_server_output(struct guard *g, const uint8_t **ret)
{
	return wire_output(&g->server, ret);
}

void guard_server_sent(struct guard *g, size_t n)
{
	buffer_consume(&g->server.out, n);
}

size_t guard_player_output(struct guard *g, const uint8_t **ret)
{
	return wire_output(&g->player, ret);
}

void guard_player_sent(struct guard *g, size_t n)
{
	buffer_consume(&g->player.out, n);
}

/* ---- time ---- */

int64_t guard_patience_us(const struct guard *g)
{
	switch (g->state) {
	case GUARD_HANDSHAKE:
		return g->limits.handshake_us;
	case GUARD_CONNECTING:
		return g->limits.connect_us;
	case GUARD_CONNECTED:
	case GUARD_CREATING:
	case GUARD_CREATED:
	case GUARD_ASKING:
		return g->limits.publish_us;
	case GUARD_STREAMING:
		return g->has_media ? g->limits.idle_us : g->first_us;
	case GUARD_IDLE:
	case GUARD_ENDED:
		break;
	}
	return CLOCK_NEVER;
}

int64_t guard_deadline(const struct guard *g)
{
	int64_t patience_us = guard_patience_us(g);

	if (g->error || patience_us == CLOCK_NEVER) {
		return CLOCK_NEVER;
	}
	return patience_us + (g->state == GUARD_STREAMING ? g->media_us : g->began_us);
}

int guard_tick(struct guard *g, int64_t now_us)
{
	if (g->error || now_us < guard_deadline(g)) {
		return g->error;
	}
	g->error = RTMP_TIMEOUT;
	return RTMP_TIMEOUT;
}

const char *guard_waits_for(const struct guard *g)
{
	static const char *const texts[] = {
		[GUARD_IDLE] = "a connection",
		[GUARD_HANDSHAKE] = "its RTMP handshake",
		[GUARD_CONNECTING] = "an answer to connect",
		[GUARD_CONNECTED] = "the player",
		[GUARD_CREATING] = "an answer to createStream",
		[GUARD_CREATED] = "the player",
		[GUARD_ASKING] = "an answer to play",
		[GUARD_STREAMING] = "media",
		[GUARD_ENDED] = "the end",
	};

	return texts[g->state];
}

bool guard_is_playing(const struct guard *g)
{
	return g->state == GUARD_STREAMING;
}

uint64_t guard_left_out(const struct guard *g)
{
	return g->left_out;
}
