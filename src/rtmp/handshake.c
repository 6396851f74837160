/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The handshake. Pure. The digests of the "complex" one matter only to players that want
 * protected content: every publisher and every platform takes a plain echo. What the peer
 * echoes is not compared: many send something else.
 */
#include <string.h>

#include <understudy/rtmp.h>

#include "handshake.h"

#define VERSION 3
#define TLS_ALERT 0x15
#define TLS_HANDSHAKE 0x16

void handshake_init(struct handshake *h, bool is_server,
		    const uint8_t random[HANDSHAKE_RANDOM_BYTES])
{
	memset(h, 0, sizeof(*h));
	h->is_server = is_server;
	h->own[0] = VERSION;
	/* time and version stay zero: the plain form, which no peer takes for a digest */
	memcpy(h->own + 1 + 8, random, HANDSHAKE_RANDOM_BYTES);
}

int handshake_start(struct handshake *h, struct buffer *out)
{
	return h->is_server ? 0 : buffer_append(out, h->own, sizeof(h->own));
}

static int check_version(uint8_t first)
{
	if (first == VERSION) {
		return 0;
	}
	if (first == TLS_HANDSHAKE || first == TLS_ALERT) {
		return RTMP_IS_TLS;
	}
	/* GET, POST, PUT, PATCH, HEAD, OPTIONS, DELETE, CONNECT; an answer to one: HTTP/ */
	return first && strchr("GPHODC", first) ? RTMP_IS_HTTP : RTMP_NOT_RTMP;
}

/* The peer's first packet is there: the echo of it, after our own first if we speak second. */
static int answer(struct handshake *h, struct buffer *out)
{
	size_t first = h->is_server ? sizeof(h->own) : 0;
	uint8_t *to = buffer_reserve(out, first + HANDSHAKE_BYTES);

	if (!to) {
		return RTMP_NO_MEMORY;
	}
	memcpy(to, h->own, first);
	memcpy(to + first, h->peer + 1, HANDSHAKE_BYTES);
	buffer_grew(out, first + HANDSHAKE_BYTES);
	return 0;
}

/* Takes what is missing of `size` bytes, into `to` if it is given. True once all are there. */
static bool collect(struct handshake *h, struct reader *in, uint8_t *to, size_t size)
{
	size_t n = size - h->got;

	n = n < reader_left(in) ? n : reader_left(in);
	if (to && n > 0) {
		memcpy(to + h->got, in->at, n);
	}
	in->at += n;
	h->got += n;
	return h->got == size;
}

static int read_first(struct handshake *h, struct reader *in, struct buffer *out)
{
	int status;

	if (h->got == 0 && reader_left(in) > 0) {
		status = check_version(in->at[0]);
		if (status < 0) {
			return status;
		}
	}
	if (!collect(h, in, h->peer, sizeof(h->peer))) {
		return 0;
	}
	h->got = 0;
	h->phase = HANDSHAKE_ECHO;
	return answer(h, out);
}

int handshake_read(struct handshake *h, struct reader *in, struct buffer *out)
{
	int status;

	if (h->phase == HANDSHAKE_FIRST) {
		status = read_first(h, in, out);
		if (status < 0) {
			return status;
		}
	}
	if (h->phase == HANDSHAKE_ECHO && collect(h, in, NULL, HANDSHAKE_BYTES)) {
		h->phase = HANDSHAKE_DONE;
	}
	return 0;
}
