/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * TCP sockets: listen, dial, tune, and addresses as text (net.h). Used by the supervisor (listen)
 * and by the workers that dial. Never blocks, looks up no names, owns nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <understudy/net.h>
#include <understudy/text.h>

#define NOTSENT_LOWAT_BYTES (128 * 1024)
#define USER_TIMEOUT_MS 10000

static void set_int(int fd, int level, int option, int value)
{
	/* A socket that cannot be tuned (a socketpair in tests) still works. */
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

void net_tune_ingest(int fd)
{
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

void net_tune_relay(int fd)
{
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, NOTSENT_LOWAT_BYTES);
	set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
}

void net_set_low_water(int fd, int bytes)
{
	set_int(fd, SOL_SOCKET, SO_RCVLOWAT, bytes);
}

socklen_t net_parse_address(const char *text, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
		memset(ret, 0, sizeof(*ret));
		memcpy(ret, &v4, sizeof(v4));
		return sizeof(v4);
	}
	if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
		memset(ret, 0, sizeof(*ret));
		memcpy(ret, &v6, sizeof(v6));
		return sizeof(v6);
	}
	return 0;
}

static bool parse_port(const char *text, uint16_t *ret)
{
	unsigned long port;
	char *end;

	if (*text < '0' || *text > '9') {
		return false;
	}
	errno = 0;
	port = strtoul(text, &end, 10);
	if (errno || *end || port > UINT16_MAX) {
		return false;
	}
	*ret = (uint16_t)port;
	return true;
}

/* "HOST:PORT" with HOST "", a literal, "[literal]" or "localhost". The address' size or 0. */
static socklen_t parse_listen(const char *text, struct sockaddr_storage *ret)
{
	const char *colon = strrchr(text, ':');
	char host[64];
	size_t size;
	uint16_t port;

	if (!colon || !parse_port(colon + 1, &port)) {
		return 0;
	}
	size = (size_t)(colon - text);
	if (size >= 2 && text[0] == '[' && text[size - 1] == ']') {
		text++;
		size -= 2;
	} else if (memchr(text, ':', size)) {
		return 0;
	}
	if (!text_copy_bytes(host, sizeof(host), text, size)) {
		return 0;
	}
	if (!*host) {
		return net_parse_address("::", port, ret);
	}
	return net_parse_address(strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, port, ret);
}

/* `backlog` < 0: a UDP socket, which listens by being bound; it blocks and shares its port with
 * nobody. */
static int listen_at(const struct sockaddr_storage *address, socklen_t size, int is_v6_only,
		     int backlog)
{
	int type = backlog < 0 ? SOCK_DGRAM : SOCK_STREAM | SOCK_NONBLOCK;
	int fd, error;

	fd = socket(address->ss_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return -errno;
	}
	if (backlog >= 0) {
		set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	}
	if (address->ss_family == AF_INET6) {
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, is_v6_only);
	}
	if (bind(fd, (const struct sockaddr *)address, size) < 0 ||
	    (backlog >= 0 && listen(fd, backlog) < 0)) {
		error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

static int open_at(const char *address, int backlog)
{
	struct sockaddr_storage where;
	socklen_t size = parse_listen(address, &where);
	int fd;

	if (!size) {
		return -EINVAL;
	}
	fd = listen_at(&where, size, *address != ':', backlog);
	if ((fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL) && *address == ':') {
		/* A machine without IPv6. */
		char v4[16];

		(void)text_format(v4, sizeof(v4), "0.0.0.0%s", address);
		size = parse_listen(v4, &where);
		fd = size ? listen_at(&where, size, 0, backlog) : -EINVAL;
	}
	return fd;
}

int net_listen(const char *address, int backlog)
{
	return open_at(address, backlog);
}

int net_bind_udp(const char *address)
{
	return open_at(address, -1);
}

int net_dial(const struct sockaddr *address, socklen_t size)
{
	int fd, error;

	fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return -errno;
	}
	if (connect(fd, address, size) < 0 && errno != EINPROGRESS) {
		error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

int net_dial_result(int fd)
{
	struct sockaddr_storage peer;
	socklen_t peer_size = sizeof(peer), size = sizeof(int);
	int error = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) {
		return -errno;
	}
	if (error) {
		return -error;
	}
	if (getpeername(fd, (struct sockaddr *)&peer, &peer_size) < 0) {
		return errno == ENOTCONN ? -EINPROGRESS : -errno;
	}
	return 0;
}

void net_format_address(const struct sockaddr *address, char *to, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)address;

		(void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
		(void)text_format(to, size, "%s:%u", host, ntohs(v4->sin_port));
	} else if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)address;

		(void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
		(void)text_format(to, size, "[%s]:%u", host, ntohs(v6->sin6_port));
	} else {
		(void)text_copy(to, size, "unknown address");
	}
}

const char *net_error_str(int error)
{
	static const struct {
		int error;
		const char *text;
	} words[] = {
		{ 0, "" },
		{ ECONNREFUSED, "connection refused" },
		{ ECONNRESET, "connection reset by peer" },
		{ EPIPE, "connection closed by peer" },
		{ ETIMEDOUT, "connection timed out" },
		{ EHOSTUNREACH, "host unreachable" },
		{ ENETUNREACH, "network unreachable" },
		{ ENETDOWN, "network is down" },
		{ ECONNABORTED, "connection aborted" },
		{ EADDRNOTAVAIL, "no local address or port left" },
		{ EMFILE, "too many open descriptors" },
		{ ENFILE, "too many open files on this machine" },
		{ ENOMEM, "out of memory" },
		{ EACCES, "not allowed (firewall?)" },
		{ EPERM, "not allowed (firewall?)" },
	};
	const char *text;
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (words[i].error == -error) {
			return words[i].text;
		}
	}
	text = strerrordesc_np(-error);
	return text ? text : "unknown error";
}
