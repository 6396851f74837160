/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * TLS on a stream: handshake, records in and out (stream.h). Runs in ingest-rtmp and relay-rtmp.
 * Never blocks. OpenSSL's error queue is empty between calls.
 *
 * Writing: OpenSSL wants a record that could not be sent whole to be offered again, byte for
 * byte. What callers have queued behind it may change meanwhile, so such a record is kept here and
 * counts as taken.
 */
#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"

/* Turns what OpenSSL says about a call that did not succeed into 0 (end of stream) or a negative
 * errno, and notes what to wait for. */
static int tls_result(struct stream *s, int returned)
{
	int kind = SSL_get_error(s->ssl, returned);
	unsigned long code = ERR_peek_error();

	switch (kind) {
	case SSL_ERROR_WANT_READ:
		s->wants = STREAM_WANT_READ;
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		s->wants = STREAM_WANT_WRITE;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		s->error = net_error_str(-EPIPE);
		return 0;
	default:
		break;
	}
	s->has_failed = true;
	if (s->socket_error) {
		s->error = net_error_str(-s->socket_error);
		return -s->socket_error;
	}
	if (ERR_GET_LIB(code) == ERR_LIB_SSL &&
	    ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		/* A TCP end without close_notify: nearly every encoder leaves like that. */
		s->error = net_error_str(-EPIPE);
		return 0;
	}
	s->error = tls_record_error(s);
	return -EPROTO;
}

int tls_handshake(struct stream *s)
{
	int returned, error;

	if (s->is_established) {
		return 0;
	}
	ERR_clear_error();
	s->socket_error = 0;
	returned = SSL_do_handshake(s->ssl);
	if (returned == 1) {
		s->is_established = true;
		s->wants = 0;
		tls_forget_key(s);
		return 0;
	}
	error = tls_result(s, returned);
	if (error == -EAGAIN) {
		return error;
	}
	s->has_failed = true;
	s->error = tls_handshake_error(s);
	ERR_clear_error();
	return error ? error : -ECONNRESET;
}

/* One record's worth, at most. Bytes taken or negative errno. */
static ssize_t write_record(struct stream *s, const void *bytes, size_t size)
{
	size_t written;
	int error;

	ERR_clear_error();
	s->socket_error = 0;
	if (SSL_write_ex(s->ssl, bytes, size, &written) == 1) {
		return (ssize_t)written;
	}
	error = tls_result(s, 0);
	ERR_clear_error();
	/* The peer's close_notify does not end our direction; this end does. */
	return error ? error : -EPIPE;
}

int tls_flush(struct stream *s)
{
	ssize_t n;

	while (s->held_bytes) {
		n = write_record(s, s->held, s->held_bytes);
		if (n < 0) {
			return (int)n;
		}
		s->held_bytes -= (size_t)n;
		memmove(s->held, s->held + n, s->held_bytes);
	}
	free(s->held);
	s->held = NULL;
	s->wants &= ~(unsigned)STREAM_WANT_WRITE;
	return 0;
}

static int hold(struct stream *s, const void *bytes, size_t size)
{
	assert(!s->held);
	s->held = malloc(size);
	if (!s->held) {
		s->has_failed = true;
		s->error = net_error_str(-ENOMEM);
		return -ENOMEM;
	}
	memcpy(s->held, bytes, size);
	s->held_bytes = size;
	return 0;
}

/* Where the unsent rest of an iovec array begins. */
struct cursor {
	const struct iovec *iov;
	int count;
	size_t offset; /* in the first iovec */
};

static void cursor_advance(struct cursor *c, size_t n)
{
	while (c->count > 0 && n >= c->iov->iov_len - c->offset) {
		n -= c->iov->iov_len - c->offset;
		c->iov++;
		c->count--;
		c->offset = 0;
	}
	c->offset += n;
	assert(c->count > 0 || n == 0);
}

/* The next record's plaintext: straight from the caller's memory if the first piece fills a
 * record or is the last one, gathered into `scratch` otherwise. */
static const uint8_t *cursor_record(const struct cursor *c, uint8_t scratch[TLS_RECORD_BYTES],
				    size_t *ret_size)
{
	const uint8_t *first = (const uint8_t *)c->iov->iov_base + c->offset;
	size_t left = c->iov->iov_len - c->offset, filled = 0;
	int i;

	if (left >= TLS_RECORD_BYTES || c->count == 1) {
		*ret_size = left < TLS_RECORD_BYTES ? left : TLS_RECORD_BYTES;
		return first;
	}
	for (i = 0; i < c->count && filled < TLS_RECORD_BYTES; i++) {
		const uint8_t *from = i ? c->iov[i].iov_base : first;
		size_t n = i ? c->iov[i].iov_len : left;

		if (n > TLS_RECORD_BYTES - filled) {
			n = TLS_RECORD_BYTES - filled;
		}
		if (n) {
			memcpy(scratch + filled, from, n);
		}
		filled += n;
	}
	*ret_size = filled;
	return scratch;
}

ssize_t tls_write(struct stream *s, const struct iovec *iov, int count)
{
	static uint8_t scratch[TLS_RECORD_BYTES];
	struct cursor c = { .iov = iov, .count = count };
	size_t taken = 0;
	int error = tls_flush(s);

	if (error) {
		return error;
	}
	cursor_advance(&c, 0);
	while (c.count > 0) {
		size_t size;
		const uint8_t *bytes = cursor_record(&c, scratch, &size);
		ssize_t n = write_record(s, bytes, size);

		if (n == -EAGAIN) {
			error = hold(s, bytes, size);
			n = error ? error : (ssize_t)size;
		}
		if (n < 0) {
			return taken ? (ssize_t)taken : n;
		}
		taken += (size_t)n;
		if (s->held_bytes) {
			break;
		}
		cursor_advance(&c, (size_t)n);
	}
	return (ssize_t)taken;
}

ssize_t tls_read(struct stream *s, void *to, size_t room)
{
	size_t got;
	int error;

	if (s->held_bytes) {
		error = tls_flush(s);
		if (error && error != -EAGAIN) {
			return error;
		}
	}
	ERR_clear_error();
	s->socket_error = 0;
	if (SSL_read_ex(s->ssl, to, room, &got) == 1) {
		return (ssize_t)got;
	}
	error = tls_result(s, 0);
	ERR_clear_error();
	return error;
}

void tls_finish(struct stream *s)
{
	if (s->is_established && !s->has_failed &&
	    !(SSL_get_shutdown(s->ssl) & SSL_SENT_SHUTDOWN)) {
		ERR_clear_error();
		(void)SSL_shutdown(s->ssl);
		ERR_clear_error();
	}
}

void tls_destroy(struct stream *s)
{
	if (s->held) {
		OPENSSL_cleanse(s->held, s->held_bytes);
		free(s->held);
	}
	SSL_free(s->ssl);
	s->ssl = NULL;
}
