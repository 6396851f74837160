/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The socket under OpenSSL. OpenSSL's own socket BIO raises SIGPIPE and keeps no errno; this
 * one does neither harm, and remembers the first byte a peer sends, which tells a server that
 * does not speak TLS from one whose certificate is bad. Never blocks; the stream outlives it.
 */
#include <errno.h>
#include <string.h>

#include "stream.h"

static int bio_write(BIO *bio, const char *bytes, int size)
{
	struct stream *s = BIO_get_data(bio);
	ssize_t n = send(s->fd, bytes, (size_t)size, MSG_NOSIGNAL);

	BIO_clear_retry_flags(bio);
	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR) {
			BIO_set_retry_write(bio);
		} else {
			s->socket_error = errno;
		}
		return -1;
	}
	return (int)n;
}

static int bio_read(BIO *bio, char *to, int room)
{
	struct stream *s = BIO_get_data(bio);
	ssize_t n = recv(s->fd, to, (size_t)room, 0);

	BIO_clear_retry_flags(bio);
	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR) {
			BIO_set_retry_read(bio);
		} else {
			s->socket_error = errno;
		}
		return -1;
	}
	if (n > 0 && !s->has_heard) {
		s->has_heard = true;
		s->first_byte = (uint8_t)to[0];
	}
	return (int)n;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP;
}

BIO *tls_bio_create(struct stream *s)
{
	static BIO_METHOD *method;
	BIO *bio;

	if (!method) {
		BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");

		if (!m || !BIO_meth_set_write(m, bio_write) || !BIO_meth_set_read(m, bio_read) ||
		    !BIO_meth_set_ctrl(m, bio_ctrl)) {
			BIO_meth_free(m);
			return NULL;
		}
		method = m;
	}
	bio = BIO_new(method);
	if (bio) {
		BIO_set_data(bio, s);
		BIO_set_init(bio, 1);
	}
	return bio;
}
