/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The real librtmp behind the guard, as ingest-rtmp-pull uses it: it plays a stream to the byte,
 * and servers that crash it alone do it no harm. librtmp blocks, so it runs in a child, whose exit
 * status says what it saw.
 */
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <understudy/guard.h>

#include "../../../src/ingest-rtmp-pull/player.h"
#include "support.h"

#define WATCHDOG_S 60

struct stage {
	struct guard *g;
	int fd; /* the player's */
	pid_t pid;
	struct buffer b; /* the server's next words */
	bool is_playing;
};

/* Plays to the end. Its result: a hash of all that came, in its low 7 bits. */
static int run_player(int fd)
{
	struct player *p = player_create(fd);
	struct player_message m;
	uint64_t hash = 0;

	if (!p) {
		return 0x80;
	}
	while (player_next(p, &m)) {
		if (m.type) {
			hash = hash * 31 + m.type + m.timestamp_ms + m.size + fnv1a(m.body, m.size);
		}
	}
	player_destroy(&p);
	return (int)(hash & 0x7F);
}

static const uint8_t random_bytes[1528] = { 3, 2, 1 };

static void begin(struct stage *s)
{
	const struct guard_config config = { .stream = "stage", .first_us = SECOND };
	struct rtmp_limits limits;
	int fds[2];

	*s = (struct stage){ .b = new_stream() };
	rtmp_limits_default(&limits);
	s->g = guard_create(&config, &limits, random_bytes);
	assert_non_null(s->g);
	assert_int_equal(guard_begin(s->g, "live", "rtmp://h/live", random_bytes, T0), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	s->fd = fds[0];
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0) {
		close(fds[0]);
		signal(SIGPIPE, SIG_IGN);
		alarm(WATCHDOG_S);
		_exit(run_player(fds[1]));
	}
	close(fds[1]);
}

/* Everything that waits for the player. */
static void flush(struct stage *s)
{
	const uint8_t *p;
	size_t n;

	while ((n = guard_player_output(s->g, &p)) > 0) {
		ssize_t sent = send(s->fd, p, n, MSG_NOSIGNAL);

		assert_true(sent > 0);
		guard_player_sent(s->g, (size_t)sent);
	}
}

/* RTMP_OK, or how the guard refused it. */
static int say(struct stage *s)
{
	size_t n = buffer_size(&s->b);
	struct guard_event e;
	int result = RTMP_OK;

	while (n > 0 && result == RTMP_OK) {
		ssize_t used = guard_feed_server(s->g, buffer_bytes(&s->b), n < 700 ? n : 700, T0);

		result = used < 0 ? (int)used : RTMP_OK;
		buffer_consume(&s->b, used > 0 ? (size_t)used : 0);
		while (guard_next(s->g, &e)) {
			s->is_playing |= e.type == GUARD_PLAYING;
		}
		n = buffer_size(&s->b);
		flush(s);
	}
	return result;
}

/* Until the guard asks the server for `what`. */
static void wait_question(struct stage *s, const char *what)
{
	const uint8_t *p;
	uint8_t bytes[4096];
	size_t n;

	while ((n = guard_server_output(s->g, &p)) == 0 || !memmem(p, n, what, strlen(what))) {
		ssize_t got = recv(s->fd, bytes, sizeof(bytes), 0);

		assert_true(got > 0);
		assert_true(guard_feed_player(s->g, bytes, (size_t)got, T0) > 0);
		flush(s);
	}
	guard_server_sent(s->g, n);
}

static void put_text(struct buffer *b, const char *text)
{
	BYTES(b, 2, 0, (uint8_t)strlen(text));
	put_bytes(b, text, strlen(text));
}

/* name(transaction, null, more), the numbers below 2 */
static void put_answer(struct buffer *b, const char *name, bool is_two, const char *code)
{
	struct buffer body = new_stream();

	put_text(&body, name);
	BYTES(&body, 0, is_two ? 0x40 : 0x3F, is_two ? 0 : 0xF0, 0, 0, 0, 0, 0, 0, 5);
	if (code) {
		BYTES(&body, 3, 0, 4, 'c', 'o', 'd', 'e');
		put_text(&body, code);
		BYTES(&body, 0, 0, 9);
	} else {
		BYTES(&body, 0, 0x3F, 0xF0, 0, 0, 0, 0, 0, 0);
	}
	put_message(b, 3, 0, 20, 0, buffer_bytes(&body), buffer_size(&body), 128);
	buffer_finish(&body);
}

static void play(struct stage *s)
{
	put_client_handshake(&s->b);
	assert_int_equal(say(s), RTMP_OK);
	wait_question(s, "connect");
	put_answer(&s->b, "_result", false, "NetConnection.Connect.Success");
	assert_int_equal(say(s), RTMP_OK);
	wait_question(s, "createStream");
	put_answer(&s->b, "_result", true, NULL);
	assert_int_equal(say(s), RTMP_OK);
	wait_question(s, "play");
	put_answer(&s->b, "onStatus", false, "NetStream.Play.Start");
	assert_int_equal(say(s), RTMP_OK);
	assert_true(s->is_playing);
}

/* The server is gone; the player ends by itself. Its exit status. */
static int end(struct stage *s)
{
	int status;

	shutdown(s->fd, SHUT_WR);
	assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
	assert_true(WIFEXITED(status)); /* it did not crash, nor hang */
	assert_int_equal(WEXITSTATUS(status) & 0x80, 0);
	close(s->fd);
	guard_destroy(&s->g);
	buffer_finish(&s->b);
	return WEXITSTATUS(status);
}

static void librtmp_plays_what_the_guard_passes_on(void **state)
{
	static const struct {
		uint8_t type;
		uint32_t timestamp, size;
	} pieces[] = {
		{ 18, 0, 1 },
		{ 9, 0, 127 },
		{ 8, 1, 129 },
		{ 9, 40, 65536 },
		{ 9, 40, 65537 },
		{ 8, 0xFFFFFE, 300 },
		{ 9, 0xFFFFFF, 300 },
		{ 9, 0x1000000, 200000 },
		{ 9, 0x1000000, 200000 },
		{ 9, 0x7FFFFFFF, 256 },
		{ 8, 0x7FFFFFFF, 7 },
	};
	static uint8_t body[200000];
	struct stage s;
	uint64_t hash = 0;

	begin(&s);
	play(&s);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		memset(body, (int)i, sizeof(body));
		body[0] = 5; /* a null, as AMF goes */
		put_message(&s.b, 4, pieces[i].timestamp, pieces[i].type, 1, body, pieces[i].size,
			    128);
		hash = hash * 31 + pieces[i].type + pieces[i].timestamp + pieces[i].size +
		       fnv1a(body, pieces[i].size);
		assert_int_equal(say(&s), RTMP_OK);
	}
	assert_int_equal(end(&s), hash & 0x7F);
	(void)state;
}

/* ---- what crashes it alone ---- */

static void message_that_grows_under_way(struct buffer *b)
{
	put_head(b, 6, 0, 200, 9, 1);
	put_fill(b, 'A', 128);
	BYTES(b, 0x46, 0, 0, 0, 0x01, 0x86, 0xA0, 9);
	for (int i = 0; i < 900; i++) {
		put_fill(b, 'B', 128);
		BYTES(b, 0xC6);
	}
}

static void nesting(struct buffer *b, uint8_t type, size_t count)
{
	struct buffer body = new_stream();

	put_text(&body, "onStatus");
	BYTES(&body, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	for (size_t i = 0; i < count; i++) {
		BYTES(&body, 3, 0, 0);
	}
	put_message(b, 3, 0, type, 1, buffer_bytes(&body), buffer_size(&body), 128);
	buffer_finish(&body);
}

static void nested_command(struct buffer *b)
{
	nesting(b, 20, 50000);
}

static void nested_data(struct buffer *b)
{
	nesting(b, 18, 20000);
	nesting(b, 18, 50000);
}

static void truncated_string(struct buffer *b)
{
	put_message(b, 3, 0, 20, 0, "\2\xFF\xFF", 3, 128);
}

static void truncated_array(struct buffer *b)
{
	static const char body[] = "\2\0\10onStatus\0\0\0\0\0\0\0\0\0\n\x7F\xFF\xFF\xFF\5";

	put_message(b, 3, 0, 20, 0, body, sizeof(body) - 1, 128);
}

static void lengths_declared(struct buffer *b)
{
	for (unsigned i = 0; i < 400; i++) {
		BYTES(b, 1, (uint8_t)i, (uint8_t)(i >> 8), 0, 0, 0, 0x7F, 0xFF, 0xFF, 9, 1, 0, 0,
		      0);
		put_fill(b, 0, 128);
	}
}

static void chunk_size_of_nothing(struct buffer *b)
{
	put_control(b, 1, 0);
	put_message(b, 6, 0, 9, 1, "media", 5, 128);
}

static void negative_chunk_size(struct buffer *b)
{
	put_control(b, 1, 0x80000001);
	put_message(b, 6, 0, 9, 1, "media", 5, 128);
}

static void servers_that_crash_librtmp_alone_are_refused(void **state)
{
	void (*const attacks[])(struct buffer *) = {
		message_that_grows_under_way,
		nested_command,
		nested_data,
		truncated_string,
		truncated_array,
		lengths_declared,
		chunk_size_of_nothing,
		negative_chunk_size,
	};

	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
		struct stage s;
		int refusal;

		begin(&s);
		play(&s);
		attacks[i](&s.b);
		refusal = say(&s);
		assert_true(refusal < 0);
		assert_true(strlen(rtmp_error_str(refusal)) > 0);
		end(&s);
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(librtmp_plays_what_the_guard_passes_on),
		cmocka_unit_test(servers_that_crash_librtmp_alone_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
