/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Streams (net.h): plain TCP, and the way to TLS. Runs in ingest-rtmp and relay-rtmp. Never blocks.
 * A stream owns its descriptor.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "stream.h"

struct stream *stream_create_plain(int fd)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (s) {
		s->fd = fd;
	}
	return s;
}

static ssize_t plain_result(struct stream *s, ssize_t n, unsigned wants)
{
	int error;

	if (n >= 0) {
		return n;
	}
	error = errno;
	if (error == EAGAIN || error == EINTR) {
		s->wants = wants;
		return -EAGAIN;
	}
	s->error = net_error_str(-error);
	return -error;
}

int stream_handshake(struct stream *s)
{
	return s->ssl ? tls_handshake(s) : 0;
}

ssize_t stream_read(struct stream *s, void *to, size_t room)
{
	if (s->ssl) {
		return tls_read(s, to, room);
	}
	return plain_result(s, recv(s->fd, to, room, 0), STREAM_WANT_READ);
}

ssize_t stream_write(struct stream *s, const struct iovec *iov, int count)
{
	struct msghdr m = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count };

	if (s->ssl) {
		return tls_write(s, iov, count);
	}
	return plain_result(s, sendmsg(s->fd, &m, MSG_NOSIGNAL), STREAM_WANT_WRITE);
}

int stream_flush(struct stream *s)
{
	return s->ssl ? tls_flush(s) : 0;
}

void stream_finish(struct stream *s)
{
	if (s->ssl) {
		tls_finish(s);
	}
	(void)shutdown(s->fd, SHUT_WR);
}

unsigned stream_wants(const struct stream *s)
{
	return s->held_bytes ? s->wants | STREAM_WANT_WRITE : s->wants;
}

int stream_fd(const struct stream *s)
{
	return s->fd;
}

bool stream_is_tls(const struct stream *s)
{
	return s->ssl != NULL;
}

const char *stream_error_str(const struct stream *s)
{
	return s->error ? s->error : "";
}

void stream_destroy(struct stream **s, bool unclean)
{
	struct stream *gone = *s;

	if (!gone) {
		return;
	}
	*s = NULL;
	if (unclean) {
		const struct linger now = { .l_onoff = 1, .l_linger = 0 };

		(void)setsockopt(gone->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	} else if (gone->ssl) {
		tls_finish(gone);
	}
	tls_destroy(gone);
	close(gone->fd);
	free(gone);
}
