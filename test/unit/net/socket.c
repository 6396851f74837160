/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sockets and plain streams, over loopback. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <understudy/net.h>

static void wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	assert_int_equal(poll(&p, 1, 5000), 1);
}

static socklen_t address_of(int fd, struct sockaddr_storage *ret)
{
	socklen_t size = sizeof(*ret);

	assert_int_equal(getsockname(fd, (struct sockaddr *)ret, &size), 0);
	return size;
}

/* A connected TCP pair: [0] dialed, [1] accepted. */
static void tcp_pair(int ret[2])
{
	struct sockaddr_storage where;
	int listener = net_listen("127.0.0.1:0", 4);
	socklen_t size;

	assert_true(listener >= 0);
	size = address_of(listener, &where);
	ret[0] = net_dial((struct sockaddr *)&where, size);
	assert_true(ret[0] >= 0);
	wait_for(listener, POLLIN);
	ret[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(ret[1] >= 0);
	wait_for(ret[0], POLLOUT);
	assert_int_equal(net_dial_result(ret[0]), 0);
	close(listener);
}

static void listen_refuses_what_is_no_address(void **state)
{
	static const char *const bad[] = { "",
					   "1935",
					   "127.0.0.1",
					   "127.0.0.1:",
					   "127.0.0.1:x",
					   "127.0.0.1:65536",
					   "::1:1935",
					   "[::1:1935",
					   "name:1",
					   "127.0.0.1:-1",
					   "127.0.0.1: 1" };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(net_listen(bad[i], 1), -EINVAL);
	}
}

static void listen_takes_every_way_to_write_an_address(void **state)
{
	static const char *const good[] = { "127.0.0.1:0", "0.0.0.0:0", ":0", "localhost:0" };
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int fd = net_listen(good[i], 1);

		assert_true(fd >= 0);
		close(fd);
	}
}

static void a_port_in_use_is_reported(void **state)
{
	struct sockaddr_storage where;
	char text[64];
	int fd = net_listen("127.0.0.1:0", 1);

	address_of(fd, &where);
	net_format_address((struct sockaddr *)&where, text, sizeof(text));
	assert_int_equal(net_listen(text, 1), -EADDRINUSE);
	close(fd);
}

static void a_closed_port_is_connection_refused(void **state)
{
	struct sockaddr_storage where;
	int listener = net_listen("127.0.0.1:0", 1), fd, result;
	socklen_t size = address_of(listener, &where);

	close(listener);
	fd = net_dial((struct sockaddr *)&where, size);
	if (fd >= 0) {
		wait_for(fd, POLLOUT);
		result = net_dial_result(fd);
		close(fd);
	} else {
		result = fd;
	}
	assert_int_equal(result, -ECONNREFUSED);
	assert_string_equal(net_error_str(result), "connection refused");
}

static void addresses_are_written_as_people_write_them(void **state)
{
	struct sockaddr_storage a;
	char text[64];

	assert_int_equal(net_parse_address("192.0.2.1", 1935, &a), sizeof(struct sockaddr_in));
	net_format_address((struct sockaddr *)&a, text, sizeof(text));
	assert_string_equal(text, "192.0.2.1:1935");
	assert_int_equal(net_parse_address("2001:db8::1", 443, &a), sizeof(struct sockaddr_in6));
	net_format_address((struct sockaddr *)&a, text, sizeof(text));
	assert_string_equal(text, "[2001:db8::1]:443");
	assert_int_equal(net_parse_address("live.example", 443, &a), 0);
}

static void relay_sockets_are_tuned(void **state)
{
	int pair[2], value = 0;
	socklen_t size = sizeof(value);

	tcp_pair(pair);
	net_tune_relay(pair[0]);
	getsockopt(pair[0], IPPROTO_TCP, TCP_NODELAY, &value, &size);
	assert_int_not_equal(value, 0);
	getsockopt(pair[0], IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &size);
	assert_int_equal(value, 10000);
	close(pair[0]);
	close(pair[1]);
}

static void below_low_water_only_the_end_is_announced(void **state)
{
	uint8_t bytes[4096] = { 0 };
	int much[2], end[2];
	struct pollfd p;

	tcp_pair(much);
	tcp_pair(end);
	net_set_low_water(much[1], 16 * (int)sizeof(bytes));
	net_set_low_water(end[1], 16 * (int)sizeof(bytes));
	for (int i = 0; i < 16; i++) {
		p = (struct pollfd){ .fd = much[1], .events = POLLIN };
		assert_int_equal(poll(&p, 1, 5), 0);
		assert_int_equal(write(much[0], bytes, sizeof(bytes)), sizeof(bytes));
	}
	wait_for(much[1], POLLIN);
	assert_int_equal(write(end[0], bytes, 1), 1);
	p = (struct pollfd){ .fd = end[1], .events = POLLIN };
	assert_int_equal(poll(&p, 1, 5), 0);
	close(end[0]);
	wait_for(end[1], POLLIN);
	close(end[1]);
	close(much[0]);
	close(much[1]);
}

static void plain_stream_carries_gathered_bytes(void **state)
{
	struct iovec iov[2] = { { "hello ", 6 }, { "world", 5 } };
	struct stream *a, *b;
	char got[32];
	int pair[2];

	tcp_pair(pair);
	a = stream_create_plain(pair[0]);
	b = stream_create_plain(pair[1]);
	assert_int_equal(stream_handshake(a), 0);
	assert_int_equal(stream_read(b, got, sizeof(got)), -EAGAIN);
	assert_int_equal(stream_wants(b), STREAM_WANT_READ);
	assert_int_equal(stream_write(a, iov, 2), 11);
	wait_for(pair[1], POLLIN);
	assert_int_equal(stream_read(b, got, sizeof(got)), 11);
	assert_memory_equal(got, "hello world", 11);
	stream_destroy(&a, false);
	assert_null(a);
	wait_for(pair[1], POLLIN);
	assert_int_equal(stream_read(b, got, sizeof(got)), 0);
	stream_destroy(&b, false);
}

static void unclean_destroy_resets_the_connection(void **state)
{
	struct stream *a, *b;
	char got[8];
	int pair[2];

	tcp_pair(pair);
	a = stream_create_plain(pair[0]);
	b = stream_create_plain(pair[1]);
	stream_destroy(&a, true);
	wait_for(pair[1], POLLIN);
	assert_int_equal(stream_read(b, got, sizeof(got)), -ECONNRESET);
	assert_string_equal(stream_error_str(b), "connection reset by peer");
	stream_destroy(&b, true);
}

static void finish_ends_one_direction_only(void **state)
{
	struct iovec iov = { "x", 1 };
	struct stream *a, *b;
	char got[8];
	int pair[2];

	tcp_pair(pair);
	a = stream_create_plain(pair[0]);
	b = stream_create_plain(pair[1]);
	stream_finish(a);
	wait_for(pair[1], POLLIN);
	assert_int_equal(stream_read(b, got, sizeof(got)), 0);
	assert_int_equal(stream_write(b, &iov, 1), 1);
	wait_for(pair[0], POLLIN);
	assert_int_equal(stream_read(a, got, sizeof(got)), 1);
	stream_destroy(&a, false);
	stream_destroy(&b, false);
}

static void writing_to_a_gone_peer_is_an_error_and_no_signal(void **state)
{
	struct iovec iov = { "x", 1 };
	struct stream *a;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	close(pair[1]);
	a = stream_create_plain(pair[0]);
	assert_int_equal(stream_write(a, &iov, 1), -EPIPE);
	assert_string_equal(stream_error_str(a), "connection closed by peer");
	stream_destroy(&a, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listen_refuses_what_is_no_address),
		cmocka_unit_test(listen_takes_every_way_to_write_an_address),
		cmocka_unit_test(a_port_in_use_is_reported),
		cmocka_unit_test(a_closed_port_is_connection_refused),
		cmocka_unit_test(addresses_are_written_as_people_write_them),
		cmocka_unit_test(relay_sockets_are_tuned),
		cmocka_unit_test(below_low_water_only_the_end_is_announced),
		cmocka_unit_test(plain_stream_carries_gathered_bytes),
		cmocka_unit_test(unclean_destroy_resets_the_connection),
		cmocka_unit_test(finish_ends_one_direction_only),
		cmocka_unit_test(writing_to_a_gone_peer_is_an_error_and_no_signal),
	};

	return cmocka_run_group_tests_name("socket", tests, NULL, NULL);
}
