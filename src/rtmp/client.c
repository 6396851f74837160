/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The client session: we publish to a platform. Runs in relay-rtmp, one per destination; pure,
 * so it blocks on nothing. The server is not trusted: the same limits hold for it as for any
 * publisher. Media is written by the relay beside it (rtmp_write_message_head).
 */
#include <stdlib.h>
#include <string.h>

#include <understudy/clock.h>
#include <understudy/text.h>

#include "client.h"

static bool copy_config(struct rtmp_client *c, const struct rtmp_client_config *config)
{
	c->is_enhanced = config->is_enhanced;
	return text_copy(c->app, sizeof(c->app), config->app) &&
	       text_copy(c->stream, sizeof(c->stream), config->stream) &&
	       text_copy(c->tc_url, sizeof(c->tc_url), config->tc_url) &&
	       text_copy(c->agent, sizeof(c->agent), config->agent);
}

struct rtmp_client *rtmp_client_create(const struct rtmp_client_config *config,
				       const struct rtmp_limits *limits, const uint8_t random[1528],
				       int64_t now_us)
{
	struct rtmp_client *c = calloc(1, sizeof(*c));

	if (!c) {
		return NULL;
	}
	if (wire_init(&c->wire, false, limits, random) < 0 || !copy_config(c, config)) {
		rtmp_client_destroy(&c);
		return NULL;
	}
	c->created_us = now_us;
	return c;
}

void rtmp_client_destroy(struct rtmp_client **c)
{
	if (!*c) {
		return;
	}
	wire_finish(&(*c)->wire);
	free(*c);
	*c = NULL;
}

/* ---- bytes ---- */

/* Whatever is no command, a publisher has no use for. */
static int read_messages(struct rtmp_client *c, struct reader *in)
{
	struct message m;
	int status;

	while (c->event.type == RTMP_EVENT_NONE && c->state != CLIENT_REFUSED) {
		status = wire_read(&c->wire, in, c->now_us, &m);
		if (status < 0) {
			return status;
		}
		if (c->state == CLIENT_HANDSHAKE && c->wire.handshake.phase == HANDSHAKE_DONE) {
			int connected = client_connect(c);

			if (connected < 0) {
				return connected;
			}
		}
		if (status == 0) {
			return 0;
		}
		status = command_is(&m) ? client_take_command(c, &m) : 0;
		if (status < 0) {
			return status;
		}
	}
	return 0;
}

ssize_t rtmp_client_feed(struct rtmp_client *c, const uint8_t *bytes, size_t n, int64_t now_us)
{
	struct reader in = reader_over(bytes, n);
	size_t used;
	int status;

	if (c->wire.error) {
		return c->wire.error;
	}
	if (c->event.type != RTMP_EVENT_NONE) {
		return 0;
	}
	if (c->state == CLIENT_REFUSED) {
		return RTMP_ENDED;
	}
	c->now_us = now_us;
	status = read_messages(c, &in);
	used = (size_t)(in.at - bytes);
	wire_count(&c->wire, used);
	if (status < 0) {
		c->wire.error = status;
		return status;
	}
	return (ssize_t)used;
}

bool rtmp_client_next(struct rtmp_client *c, struct rtmp_event *ret)
{
	if (c->event.type == RTMP_EVENT_NONE) {
		return false;
	}
	*ret = c->event;
	c->event = (struct rtmp_event){ .type = RTMP_EVENT_NONE };
	return true;
}

/* ---- time and output ---- */

int64_t rtmp_client_deadline(const struct rtmp_client *c)
{
	const struct rtmp_limits *limits = &c->wire.limits;

	if (c->wire.error) {
		return CLOCK_NEVER;
	}
	switch (c->state) {
	case CLIENT_HANDSHAKE:
		return c->created_us + limits->handshake_us;
	case CLIENT_CONNECTING:
		return c->created_us + limits->connect_us;
	case CLIENT_CREATING:
	case CLIENT_ASKING:
		return c->created_us + limits->publish_us;
	case CLIENT_PUBLISHING: /* how long a platform may stall is the relay's to decide */
	case CLIENT_DONE:
	case CLIENT_REFUSED:
		break;
	}
	return CLOCK_NEVER;
}

int rtmp_client_tick(struct rtmp_client *c, int64_t now_us)
{
	if (c->wire.error) {
		return c->wire.error;
	}
	if (now_us < rtmp_client_deadline(c)) {
		return RTMP_OK;
	}
	c->wire.error = RTMP_TIMEOUT;
	return RTMP_TIMEOUT;
}

size_t rtmp_client_output(struct rtmp_client *c, const uint8_t **ret)
{
	return wire_output(&c->wire, ret);
}

void rtmp_client_sent(struct rtmp_client *c, size_t n)
{
	buffer_consume(&c->wire.out, n);
}

void rtmp_client_unpublish(struct rtmp_client *c)
{
	if (c->state != CLIENT_PUBLISHING || c->wire.error) {
		return;
	}
	c->wire.error = client_send_unpublish(c);
	client_enter(c, CLIENT_DONE);
}

uint32_t rtmp_client_message_stream(const struct rtmp_client *c)
{
	return c->stream_id;
}

uint32_t rtmp_client_acked(const struct rtmp_client *c)
{
	return c->wire.peer_acknowledged;
}
