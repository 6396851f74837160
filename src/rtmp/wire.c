/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The part of a session that both ends share. Pure: bytes and now_us in, messages and bytes
 * out; owns the chunk reader and the output buffer.
 *
 * Acknowledgements and pongs are the only things said while media flows, and some publishers
 * never read them (librtmp): once a backlog has built up they are left out, never an error.
 */
#include <string.h>

#include "wire.h"

#define OUT_BACKLOG (8 * 1024) /* beyond this no acknowledgement or pong is queued */

#define WINDOW_DEFAULT 2500000
#define WINDOW_MIN (64 * 1024) /* else acknowledgements could be used to amplify */
#define PONGS_PER_SECOND 10

int wire_init(struct wire *w, bool is_server, const struct rtmp_limits *limits,
	      const uint8_t random[HANDSHAKE_RANDOM_BYTES])
{
	memset(w, 0, sizeof(*w));
	w->limits = *limits;
	w->chunk_out = CHUNK_SIZE_DEFAULT;
	w->chunk_size_min = CHUNK_SIZE_DEFAULT;
	w->window = WINDOW_DEFAULT;
	buffer_init(&w->out, limits->output_bytes);
	handshake_init(&w->handshake, is_server, random);
	if (handshake_start(&w->handshake, &w->out) < 0) {
		return RTMP_NO_MEMORY;
	}
	return chunk_reader_init(&w->in, &w->limits);
}

void wire_finish(struct wire *w)
{
	chunk_reader_finish(&w->in);
	buffer_finish(&w->out);
}

/* ---- output ---- */

size_t wire_output(const struct wire *w, const uint8_t **ret)
{
	*ret = w->out.data ? buffer_bytes(&w->out) : NULL;
	return buffer_size(&w->out);
}

int wire_send(struct wire *w, uint32_t csid, const struct message *m)
{
	return chunk_write(&w->out, csid, m, w->chunk_out) < 0 ? RTMP_TOO_FAST : 0;
}

static int send_control(struct wire *w, uint8_t type, const uint8_t *body, size_t size)
{
	const struct message m = { .type = type, .body = body, .size = size };

	return wire_send(w, CSID_CONTROL, &m);
}

int wire_send_u32(struct wire *w, uint8_t type, uint32_t value)
{
	uint8_t body[4];

	put_be32(body, value);
	return send_control(w, type, body, sizeof(body));
}

int wire_send_user_control(struct wire *w, uint16_t event, uint32_t value)
{
	uint8_t body[6];

	put_be16(body, event);
	put_be32(body + 2, value);
	return send_control(w, MESSAGE_USER_CONTROL, body, sizeof(body));
}

int wire_send_chunk_size(struct wire *w, uint32_t size)
{
	int status = wire_send_u32(w, MESSAGE_SET_CHUNK_SIZE, size);

	if (status == 0) {
		w->chunk_out = size;
	}
	return status;
}

static bool has_backlog(const struct wire *w)
{
	return buffer_size(&w->out) > OUT_BACKLOG;
}

void wire_count(struct wire *w, size_t bytes)
{
	w->received += bytes;
	if (w->handshake.phase != HANDSHAKE_DONE || w->received - w->acknowledged < w->window ||
	    has_backlog(w)) {
		return;
	}
	/* 32 bits that wrap, as the peer counts them */
	if (wire_send_u32(w, MESSAGE_ACK, (uint32_t)w->received) == 0) {
		w->acknowledged = w->received;
	}
}

/* ---- protocol control from the peer ---- */

static int take_chunk_size(struct wire *w, uint32_t size)
{
	if (size > INT32_MAX || size < w->chunk_size_min) {
		return RTMP_BAD_MESSAGE;
	}
	chunk_set_size(&w->in, size);
	return 0;
}

static void answer_ping(struct wire *w, uint32_t stamp, int64_t now_us)
{
	if (!has_backlog(w) && rate_take(&w->pongs, PONGS_PER_SECOND, now_us)) {
		wire_send_user_control(w, USER_PING_RESPONSE, stamp);
	}
}

static int take_user_control(struct wire *w, struct reader *in, int64_t now_us)
{
	uint16_t event = reader_be16(in);
	uint32_t value;

	if (event != USER_PING_REQUEST) {
		return in->failed ? RTMP_BAD_MESSAGE : 0; /* streams begin and end: nothing to do */
	}
	value = reader_be32(in);
	if (in->failed) {
		return RTMP_BAD_MESSAGE;
	}
	answer_ping(w, value, now_us);
	return 0;
}

static int take_u32(struct wire *w, uint8_t type, uint32_t value)
{
	switch (type) {
	case MESSAGE_SET_CHUNK_SIZE:
		return take_chunk_size(w, value);
	case MESSAGE_ABORT:
		chunk_abort(&w->in, value);
		return 0;
	case MESSAGE_ACK:
		w->peer_acknowledged = value;
		return 0;
	default:
		w->window = value > WINDOW_MIN ? value : WINDOW_MIN;
		return 0;
	}
}

/* 1: handled in here; 0: it is for the session; or enum rtmp_error. */
static int take_control(struct wire *w, const struct message *m, int64_t now_us)
{
	struct reader in = reader_over(m->body, m->size);
	int status;

	switch (m->type) {
	case MESSAGE_SET_CHUNK_SIZE:
	case MESSAGE_ABORT:
	case MESSAGE_ACK:
	case MESSAGE_WINDOW_ACK_SIZE:
		if (m->size != 4) {
			return RTMP_BAD_MESSAGE;
		}
		status = take_u32(w, m->type, get_be32(m->body));
		break;
	case MESSAGE_USER_CONTROL:
		status = take_user_control(w, &in, now_us);
		break;
	case MESSAGE_SET_PEER_BANDWIDTH:
		/* How much may be unacknowledged is the sender's own affair: TCP and the
		 * destination's queue limit it. */
		status = m->size == 5 ? 0 : RTMP_BAD_MESSAGE;
		break;
	default:
		return 0;
	}
	return status < 0 ? status : 1;
}

int wire_read(struct wire *w, struct reader *in, int64_t now_us, struct message *ret)
{
	int status;

	if (w->handshake.phase != HANDSHAKE_DONE) {
		status = handshake_read(&w->handshake, in, &w->out);
		if (status < 0 || w->handshake.phase != HANDSHAKE_DONE) {
			return status;
		}
	}
	for (;;) {
		status = chunk_read(&w->in, in, now_us, ret);
		if (status <= 0) {
			return status;
		}
		if (!rate_take(&w->messages, w->limits.messages_per_second, now_us)) {
			return RTMP_TOO_FAST;
		}
		status = take_control(w, ret, now_us);
		if (status <= 0) {
			return status < 0 ? status : 1;
		}
	}
}
