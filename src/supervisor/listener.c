/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Accepting encoders: every connection gets a worker of its own; the supervisor reads not a
 * byte from it. Limits are counted here, where the peer's address is known from accept(2):
 * unauthorised connections in all and per address, and wrong keys per address.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <xxhash.h>

#include <understudy/clock.h>
#include <understudy/log.h>
#include <understudy/net.h>
#include <understudy/text.h>

#include "supervisor.h"

#define UNAUTHORISED_MAX 64
#define UNAUTHORISED_PER_ADDRESS 8
#define WRONG_KEYS_MAX 10 /* in a minute, from one address */
#define WRONG_KEYS_WINDOW_US 60000000
#define BACKLOG 64
#define ACCEPTS_PER_WAKE 16

/* One host is one key: an IPv4 address, or an IPv6 /64. Never 0, which means "none". */
static uint64_t address_key(const struct sockaddr_storage *address)
{
	const void *bytes = &((const struct sockaddr_in *)address)->sin_addr;
	size_t size = sizeof(struct in_addr);

	if (address->ss_family == AF_INET6) {
		const struct in6_addr *in6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
		bool is_mapped = IN6_IS_ADDR_V4MAPPED(in6);

		bytes = in6->s6_addr + (is_mapped ? 12 : 0);
		size = is_mapped ? 4 : 8;
	}
	return XXH3_64bits(bytes, size) | 1;
}

static void listener_welcome(struct listener *l, int fd, const struct sockaddr_storage *address)
{
	struct supervisor *sup = l->supervisor;
	uint64_t key = address_key(address);
	char peer[IPC_NAME];

	net_format_address((const struct sockaddr *)address, peer, sizeof(peer));
	if (rate_get(&sup->failures, key, WRONG_KEYS_WINDOW_US, clock_monotonic_us()) >=
	    WRONG_KEYS_MAX) {
		log_debug("connection turned away peer=%s: too many wrong keys in the last minute",
			  peer);
		close(fd);
		return;
	}
	if (connection_count_unauthorised(sup, key) >= UNAUTHORISED_PER_ADDRESS) {
		log_warn("connection turned away peer=%s: %d connections from there have not shown "
			 "a key yet",
			 peer, UNAUTHORISED_PER_ADDRESS);
		close(fd);
		return;
	}
	connection_create(sup, fd, l->is_tls, key, peer);
}

/* Descriptors are out: with the one kept for this the caller is let in and shown out, since the
 * event would come again and again otherwise. */
static void listener_turn_away(struct listener *l)
{
	close(l->supervisor->null_fd);
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		log_error("connection turned away: this process has no descriptors left");
	}
	l->supervisor->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
}

static void listener_ready(evutil_socket_t fd, short what, void *context)
{
	struct listener *l = context;

	(void)what;
	for (int i = 0; i < ACCEPTS_PER_WAKE; i++) {
		struct sockaddr_storage address;
		socklen_t size = sizeof(address);

		if (connection_count_unauthorised(l->supervisor, 0) >= UNAUTHORISED_MAX) {
			listener_update(l->supervisor);
			return;
		}
		int accepted = accept4(fd, (struct sockaddr *)&address, &size,
				       SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (accepted < 0) {
			if (errno == EMFILE || errno == ENFILE) {
				listener_turn_away(l);
			}
			return;
		}
		listener_welcome(l, accepted, &address);
	}
}

static int listener_port(int fd, struct sockaddr_storage *bound)
{
	socklen_t size = sizeof(*bound);

	return getsockname(fd, (struct sockaddr *)bound, &size) < 0 ? -errno : 0;
}

void listener_adopt(struct supervisor *sup, struct listener *l, const char *address, bool is_tls,
		    int fd)
{
	struct sockaddr_storage bound;

	l->supervisor = sup;
	l->is_tls = is_tls;
	l->fd = fd;
	text_copy(l->address, sizeof(l->address), address);
	if (listener_port(fd, &bound) == 0) {
		net_format_address((struct sockaddr *)&bound, l->bound, sizeof(l->bound));
	}
	l->event = event_new(sup->base, fd, EV_READ | EV_PERSIST, listener_ready, l);
	event_add(l->event, NULL);
}

int listener_open(struct supervisor *sup, struct listener *l, const char *address, bool is_tls)
{
	int fd = net_listen(address, BACKLOG);

	if (fd < 0) {
		log_error("cannot listen address=%s for=%s: %s%s", address,
			  is_tls ? "rtmps" : "rtmp", strerror(-fd),
			  fd == -EADDRINUSE
				  ? "; another program (or another understudy) has this port"
				  : "");
		return fd;
	}
	listener_adopt(sup, l, address, is_tls, fd);
	return 0;
}

void listener_close(struct listener *l)
{
	if (l->event != NULL) {
		event_free(l->event);
		close(l->fd);
	}
	memset(l, 0, sizeof(*l));
	l->fd = -1;
}

static void listener_pause(struct listener *l, bool pause)
{
	if (l->event == NULL || !event_pending(l->event, EV_READ, NULL) == pause) {
		return;
	}
	if (pause) {
		log_warn("accepting pauses for=%s: %d connections have not shown a key yet",
			 l->is_tls ? "rtmps" : "rtmp", UNAUTHORISED_MAX);
		event_del(l->event);
	} else {
		event_add(l->event, NULL);
	}
}

void listener_update(struct supervisor *sup)
{
	bool pause = connection_count_unauthorised(sup, 0) >= UNAUTHORISED_MAX;

	listener_pause(&sup->rtmp, pause);
	listener_pause(&sup->rtmps, pause);
}
