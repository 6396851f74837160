/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The floor that the relay's cost is measured against (tools/bench): copies the bytes of one
 * TCP connection to N others, in one epoll loop, and nothing else.
 *
 *     fanout SINK_PORT COUNT GATHER_MS    prints the port the source connects to
 *     fanout sink                         prints its port; reads and forgets
 *
 * Loopback only. Bytes that a destination does not take at once are lost; it says so at the end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define DESTINATIONS_MAX 1024
#define BUFFER_BYTES (4 << 20)

static uint8_t buffer[BUFFER_BYTES];
static size_t gathered;
static int destinations[DESTINATIONS_MAX];
static int count;

static int must(int result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(1);
	}
	return result;
}

static int listen_anywhere(void)
{
	struct sockaddr_in where = { .sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(where);
	int fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket");

	must(bind(fd, (struct sockaddr *)&where, sizeof(where)), "bind");
	must(listen(fd, 1024), "listen");
	must(getsockname(fd, (struct sockaddr *)&where, &size), "getsockname");
	printf("%d\n", ntohs(where.sin_port));
	fflush(stdout);
	return fd;
}

static int connect_to(int port)
{
	struct sockaddr_in where = { .sin_family = AF_INET,
				     .sin_port = htons((uint16_t)port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1, fd = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");

	must(connect(fd, (struct sockaddr *)&where, sizeof(where)), "connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void watch(int epoll, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e), "epoll_ctl");
}

static void write_all(void)
{
	for (int i = 0; i < count && gathered > 0; i++) {
		ssize_t n = send(destinations[i], buffer, gathered, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n != (ssize_t)gathered) {
			fprintf(stderr, "destination %d is too slow\n", i);
		}
	}
	gathered = 0;
}

/* False at the end of the source. */
static bool take(int source)
{
	ssize_t n = recv(source, buffer + gathered, BUFFER_BYTES - gathered, MSG_DONTWAIT);

	if (n > 0) {
		gathered += (size_t)n;
	}
	return n > 0 || (n < 0 && errno == EAGAIN);
}

static int fan_out(int port, int gather_ms)
{
	int listener, source, timer = -1, epoll = must(epoll_create1(0), "epoll_create1");

	for (int i = 0; i < count; i++) {
		destinations[i] = connect_to(port);
	}
	listener = listen_anywhere();
	source = must(accept(listener, NULL, NULL), "accept");
	watch(epoll, source);
	if (gather_ms > 0) {
		const struct timespec every = { .tv_nsec = gather_ms * 1000000L };
		const struct itimerspec times = { every, every };

		timer = must(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), "timerfd_create");
		must(timerfd_settime(timer, 0, &times, NULL), "timerfd_settime");
		/* The source is read when it is time, as our relays look into their ring. */
		must(epoll_ctl(epoll, EPOLL_CTL_DEL, source, NULL), "epoll_ctl");
		watch(epoll, timer);
	}
	for (;;) {
		struct epoll_event e;
		uint64_t ticks;

		if (epoll_wait(epoll, &e, 1, -1) < 0 && errno != EINTR) {
			return 1;
		}
		if (timer >= 0 && read(timer, &ticks, sizeof(ticks)) < 0) {
			continue;
		}
		if (!take(source)) {
			return 0;
		}
		write_all();
	}
}

static _Noreturn void sink(void)
{
	int listener = listen_anywhere(), epoll = must(epoll_create1(0), "epoll_create1");

	watch(epoll, listener);
	for (;;) {
		struct epoll_event e;

		if (epoll_wait(epoll, &e, 1, -1) <= 0) {
			continue;
		}
		if (e.data.fd == listener) {
			watch(epoll, must(accept(listener, NULL, NULL), "accept"));
		} else if (recv(e.data.fd, buffer, 65536, MSG_DONTWAIT) == 0) {
			close(e.data.fd);
		}
	}
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "sink") == 0) {
		sink();
	}
	count = argc == 4 ? atoi(argv[2]) : 0;
	if (count < 1 || count > DESTINATIONS_MAX) {
		fputs("usage: fanout SINK_PORT COUNT GATHER_MS | fanout sink\n", stderr);
		return 2;
	}
	return fan_out(atoi(argv[1]), atoi(argv[3]));
}
