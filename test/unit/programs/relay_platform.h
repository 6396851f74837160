/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A platform as relay-rtmp sees one, for tests: accepts RTMP or RTMPS on loopback, answers
 * publish, keeps what it is sent. One thread: it moves when platform_step() is called.
 */
#ifndef TEST_RELAY_PLATFORM_H
#define TEST_RELAY_PLATFORM_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/net.h>
#include <understudy/rtmp.h>
#include <understudy/text.h>

#define PLATFORM_MESSAGES_MAX 4096

/* What a platform does once it has taken the show. */
enum platform_manner {
	PLATFORM_GOOD,
	PLATFORM_CRAWLS,      /* takes a few KB/s */
	PLATFORM_RESETS,      /* at once */
	PLATFORM_HALF_CLOSES, /* says no more, reads on */
	PLATFORM_FLOODS,      /* pings without end */
	PLATFORM_LIES,        /* about its chunk size */
};

struct platform_message {
	unsigned connection; /* the n-th that was accepted, from 1 */
	uint8_t type;
	uint32_t timestamp_ms;
	size_t size;
	uint8_t *body; /* owned */
};

struct platform {
	int listener, port;
	struct stream *stream;
	struct rtmp_server *server;
	unsigned accepted, published, unpublished; /* connections, sessions, goodbyes */
	bool refuses, is_deaf;                     /* says no to every key; reads nothing */
	bool takes_two, refuses_second;            /* sessions at a time: the older one stays */
	bool is_older;                             /* the older one is served just now */
	struct stream *old_stream;
	struct rtmp_server *old_server;
	enum platform_manner manner;
	int64_t next_us; /* CRAWLS: when to read again */
	bool has_acted;
	bool was_reset, was_closed; /* how the last connection ended */
	const char *chain, *key;    /* PEM; NULL: plain */
	struct platform_message messages[PLATFORM_MESSAGES_MAX];
	unsigned count; /* of messages, of all connections */
	char stream_name[64];
};

/* An address of this process alone: a port of the common one may have been another program's a
 * moment ago, whose relay dials it again. */
static inline const char *platform_host(void)
{
	static char host[INET_ADDRSTRLEN];
	unsigned pid = (unsigned)getpid();

	(void)text_format(host, sizeof(host), "127.%u.%u.%u", 1 + (pid >> 16) % 254, pid >> 8 & 255,
			  pid & 255);
	return host;
}

static inline void platform_open(struct platform *p)
{
	struct sockaddr_storage where;
	char address[INET_ADDRSTRLEN + 8];
	socklen_t size = sizeof(where);

	memset(p, 0, sizeof(*p));
	(void)text_format(address, sizeof(address), "%s:0", platform_host());
	p->listener = net_listen(address, 8);
	assert_true(p->listener >= 0);
	assert_int_equal(getsockname(p->listener, (struct sockaddr *)&where, &size), 0);
	p->port = ntohs(((struct sockaddr_in *)(void *)&where)->sin_port);
}

static inline void platform_hang_up(struct platform *p, bool unclean)
{
	stream_destroy(&p->stream, unclean);
	rtmp_server_destroy(&p->server);
}

static inline void platform_swap(struct platform *p)
{
	struct stream *stream = p->stream;
	struct rtmp_server *server = p->server;

	p->stream = p->old_stream;
	p->server = p->old_server;
	p->old_stream = stream;
	p->old_server = server;
}

static inline void platform_forget(struct platform *p)
{
	while (p->count) {
		free(p->messages[--p->count].body);
	}
}

static inline void platform_close(struct platform *p)
{
	platform_hang_up(p, true);
	platform_swap(p);
	platform_hang_up(p, true);
	platform_forget(p);
	if (p->listener >= 0) {
		close(p->listener);
	}
}

static inline void platform_accept(struct platform *p)
{
	uint8_t random[1528] = { 7 };
	struct rtmp_limits limits;
	const char *error = "";
	int fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		return;
	}
	if (p->takes_two && p->stream) {
		platform_swap(p);
	}
	platform_hang_up(p, true);
	p->has_acted = false;
	if (p->is_deaf || p->manner == PLATFORM_CRAWLS) {
		int small = 4096;

		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	}
	if (p->chain) {
		char *key = strdup(p->key);

		p->stream = stream_create_tls_server(fd, p->chain, strlen(p->chain), key,
						     strlen(key), &error);
		free(key);
	} else {
		p->stream = stream_create_plain(fd);
	}
	assert_non_null(p->stream);
	rtmp_limits_default(&limits);
	limits.messages_per_second = 1000000;
	p->server = rtmp_server_create(&limits, random, clock_monotonic_us());
	p->accepted++;
}

static inline void platform_keep(struct platform *p, const struct rtmp_event *e)
{
	struct platform_message *m = &p->messages[p->count];

	assert_true(p->count < PLATFORM_MESSAGES_MAX);
	*m = (struct platform_message){ p->accepted - p->is_older, e->message, e->timestamp_ms,
					e->size, malloc(e->size + 1) };
	assert_non_null(m->body);
	memcpy(m->body, e->body, e->size);
	p->count++;
}

static inline void platform_handle(struct platform *p, const struct rtmp_event *e)
{
	switch (e->type) {
	case RTMP_EVENT_PUBLISH:
		snprintf(p->stream_name, sizeof(p->stream_name), "%s", e->stream);
		if (p->refuses_second && p->old_stream) {
			rtmp_server_answer(p->server, false, "already publishing");
			break;
		}
		rtmp_server_answer(p->server, !p->refuses, "no such key");
		p->published += !p->refuses;
		break;
	case RTMP_EVENT_MEDIA:
		platform_keep(p, e);
		break;
	case RTMP_EVENT_UNPUBLISH:
		p->unpublished++;
		break;
	default:
		break;
	}
}

static inline void platform_feed(struct platform *p, const uint8_t *bytes, size_t n)
{
	struct rtmp_event event;

	while (n > 0) {
		ssize_t used = rtmp_server_feed(p->server, bytes, n, clock_monotonic_us());

		if (used < 0) {
			fail_msg("the relay sent what is no RTMP: %s", rtmp_error_str((int)used));
		}
		bytes += used;
		n -= (size_t)used;
		while (rtmp_server_next(p->server, &event)) {
			platform_handle(p, &event);
		}
	}
}

static inline void platform_answer(struct platform *p)
{
	const uint8_t *bytes;
	struct iovec iov;

	iov.iov_len = rtmp_server_output(p->server, &bytes);
	iov.iov_base = (void *)bytes;
	if (iov.iov_len) {
		ssize_t n = stream_write(p->stream, &iov, 1);

		if (n > 0) {
			rtmp_server_sent(p->server, (size_t)n);
		}
	}
}

/* Writes whatever fits, past the server session. */
static inline void platform_say(struct platform *p, const void *bytes, size_t size)
{
	const struct iovec iov = { .iov_base = (void *)bytes, .iov_len = size };

	(void)stream_write(p->stream, &iov, 1);
}

static inline void platform_flood(struct platform *p)
{
	static const uint8_t ping[] = { 2, 0, 0, 0, 0, 0, 6, 4, 0, 0, 0, 0, 0, 6, 0, 0, 0, 1 };
	uint8_t pings[64 * sizeof(ping)];
	unsigned i;

	for (i = 0; i < 64; i++) {
		memcpy(pings + i * sizeof(ping), ping, sizeof(ping));
	}
	platform_say(p, pings, sizeof(pings));
}

/* True if the connection is not to be read now. */
static inline bool platform_misbehaves(struct platform *p)
{
	static const uint8_t lie[] = { 2, 0, 0, 0, 0,    0,    4,    1,  0, 0, 0, 0, 0, 0, 0,
				       0, /* 0 */
				       4, 0, 0, 0, 0xff, 0xff, 0xff, 20, 0, 0, 0, 0, 1, 2, 3 };
	bool acts = !p->has_acted;

	switch (p->manner) {
	case PLATFORM_GOOD:
		return false;
	case PLATFORM_CRAWLS:
		if (clock_monotonic_us() < p->next_us) {
			return true;
		}
		p->next_us = clock_monotonic_us() + 500000;
		return false;
	case PLATFORM_RESETS:
		platform_hang_up(p, true);
		return true;
	case PLATFORM_HALF_CLOSES:
		p->has_acted = true;
		if (acts) {
			shutdown(stream_fd(p->stream), SHUT_WR);
		}
		return false;
	case PLATFORM_FLOODS:
		platform_flood(p);
		return false;
	case PLATFORM_LIES:
		p->has_acted = true;
		if (acts) {
			platform_say(p, lie, sizeof(lie));
		}
		return false;
	}
	return false;
}

static inline void platform_serve(struct platform *p)
{
	static uint8_t bytes[65536];
	size_t room = p->manner == PLATFORM_CRAWLS ? 2048 : sizeof(bytes);
	ssize_t n = -EAGAIN;

	if (!p->stream || (p->is_deaf && p->published)) {
		return;
	}
	if (p->published && platform_misbehaves(p)) {
		return;
	}
	if (stream_handshake(p->stream) == 0) {
		while ((n = stream_read(p->stream, bytes, room)) > 0) {
			platform_feed(p, bytes, (size_t)n);
			platform_answer(p);
			if (p->published && (p->is_deaf || p->manner == PLATFORM_CRAWLS)) {
				return;
			}
		}
	} else if (!(stream_wants(p->stream) & (STREAM_WANT_READ | STREAM_WANT_WRITE)) ||
		   *stream_error_str(p->stream)) {
		n = -EPROTO;
	}
	if (n != -EAGAIN) {
		p->was_reset = n == -ECONNRESET;
		p->was_closed = n == 0;
		platform_hang_up(p, false);
	}
}

/* Takes what has come. The connections may be gone afterwards. */
static inline void platform_step(struct platform *p)
{
	platform_accept(p);
	if (p->old_stream) {
		platform_swap(p);
		p->is_older = true;
		platform_serve(p);
		p->is_older = false;
		platform_swap(p);
	}
	platform_serve(p);
}

#endif
