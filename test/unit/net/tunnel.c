/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tunnel between socketpairs: a server written by hand, a player written by hand, and a clock
 * of the test's own. What ends it is told in words that hold no secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <understudy/amf.h>
#include <understudy/bytes.h>
#include <understudy/clock.h>
#include <understudy/rtmp.h>
#include <understudy/tunnel.h>

#define T0 INT64_C(1000000000)
#define SECOND INT64_C(1000000)

struct world {
	struct tunnel *t;
	int server, player; /* our ends */
};

static int pair(int *ret_ours)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	*ret_ours = fds[0];
	return fds[1];
}

static void attach(struct world *w, int64_t now_us)
{
	const struct tunnel_place place = { .host = "h",
					    .app = "live?auth=app-secret",
					    .tc_url = "rtmp://h/live" };

	tunnel_attach(w->t, &place, pair(&w->server), now_us);
}

static int set_up(void **state)
{
	static struct world w;
	const struct tunnel_config config = { .stream = "stage-key?token=t0ken",
					      .connect_us = 10 * SECOND,
					      .silence_us = 5 * SECOND };

	w = (struct world){ .server = -1 };
	w.t = tunnel_create(&config, pair(&w.player));
	assert_non_null(w.t);
	*state = &w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	tunnel_destroy(&w->t);
	if (w->server >= 0) {
		close(w->server);
	}
	close(w->player);
	return 0;
}

static void say(int fd, const struct buffer *b)
{
	assert_int_equal(send(fd, buffer_bytes(b), buffer_size(b), 0), buffer_size(b));
}

static void put_hello(struct buffer *b)
{
	static const uint8_t hello[1 + 2 * 1536] = { 3 };

	assert_int_equal(buffer_append(b, hello, sizeof(hello)), 0);
}

/* One message in one chunk: `size` is at most 128. */
static void put_message(struct buffer *b, uint8_t type, const struct buffer *body)
{
	uint8_t head[12] = { 3 };

	assert_true(buffer_size(body) <= 128);
	put_be24(head + 4, (uint32_t)buffer_size(body));
	head[7] = type;
	assert_int_equal(buffer_append(b, head, sizeof(head)), 0);
	assert_int_equal(buffer_append(b, buffer_bytes(body), buffer_size(body)), 0);
}

/* name(transaction, null [, {code, description}]) */
static void put_command(struct buffer *b, const char *name, double transaction, const char *code,
			const char *description)
{
	struct buffer body;

	buffer_init(&body, 4096);
	amf_put_string(&body, name);
	amf_put_number(&body, transaction);
	amf_put_null(&body);
	if (code) {
		amf_put_object(&body);
		amf_put_key(&body, "code");
		amf_put_string(&body, code);
		amf_put_key(&body, "description");
		amf_put_string(&body, description);
		amf_put_end(&body);
	} else {
		amf_put_number(&body, 1);
	}
	put_message(b, 20, &body);
	buffer_finish(&body);
}

static void server_says(struct world *w, const char *name, double transaction, const char *code,
			const char *description)
{
	struct buffer b;

	buffer_init(&b, 4096);
	put_command(&b, name, transaction, code, description);
	say(w->server, &b);
	buffer_finish(&b);
	tunnel_step(w->t, T0);
}

static void player_says(struct world *w, const char *name, double transaction, bool has_hello)
{
	struct buffer b;

	buffer_init(&b, 8192);
	if (has_hello) {
		put_hello(&b);
	}
	put_command(&b, name, transaction, NULL, NULL);
	say(w->player, &b);
	buffer_finish(&b);
	tunnel_step(w->t, T0);
}

static void shake_hands(struct world *w)
{
	struct buffer b;

	buffer_init(&b, 8192);
	put_hello(&b);
	say(w->server, &b);
	buffer_finish(&b);
	tunnel_step(w->t, T0);
}

static void ask_to_play(struct world *w)
{
	player_says(w, "connect", 1, true);
	attach(w, T0);
	shake_hands(w);
	server_says(w, "_result", 1, "NetConnection.Connect.Success", "");
	player_says(w, "createStream", 2, false);
	server_says(w, "_result", 2, NULL, NULL);
	player_says(w, "play", 3, false);
	assert_int_equal(tunnel_phase(w->t), TUNNEL_TALKING);
}

static void assert_left(struct world *w, const char *cause)
{
	assert_true(tunnel_phase(w->t) >= TUNNEL_LEAVING);
	assert_string_equal(tunnel_cause(w->t), cause);
}

static void refusal_is_told_in_words(void **state)
{
	struct world *w = *state;

	ask_to_play(w);
	server_says(w, "onStatus", 0, "NetStream.Play.StreamNotFound", "go away");
	assert_left(w, "the server has no such stream (NetStream.Play.StreamNotFound): go away");
	assert_false(tunnel_is_clean(w->t));
}

static void words_that_hold_a_secret_are_kept_back(void **state)
{
	static const char *const words[] = { "no stage-key here", "t0ken: stage-key?token=t0ken",
					     "auth=app-secret is wrong" };

	tear_down(state);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		set_up(state);
		ask_to_play(*state);
		server_says(*state, "onStatus", 0, "NetStream.Play.Failed", words[i]);
		assert_left(*state, "the server cannot play the stream (NetStream.Play.Failed)");
		tear_down(state);
	}
	set_up(state);
}

static void end_of_the_stream_is_clean(void **state)
{
	struct world *w = *state;

	ask_to_play(w);
	server_says(w, "onStatus", 0, "NetStream.Play.Start", "");
	server_says(w, "onStatus", 0, "NetStream.Play.UnpublishNotify", "");
	assert_left(w, "its publisher has left the server (NetStream.Play.UnpublishNotify)");
	assert_true(tunnel_is_clean(w->t));
}

static void server_that_hangs_up_is_told_by_when(void **state)
{
	struct world *w = *state;

	ask_to_play(w);
	shutdown(w->server, SHUT_RDWR);
	tunnel_step(w->t, T0);
	assert_left(w, "the server closed the connection before the stream began");
	tear_down(state);
	set_up(state);
	ask_to_play(w);
	server_says(w, "onStatus", 0, "NetStream.Play.Start", "");
	shutdown(w->server, SHUT_RDWR);
	tunnel_step(w->t, T0);
	assert_left(w, "the server closed the connection");
}

static void silence_ends_it(void **state)
{
	struct world *w = *state;
	struct buffer b, body;

	ask_to_play(w);
	buffer_init(&body, 16);
	buffer_init(&b, 64);
	assert_int_equal(buffer_append(&body, "media", 5), 0);
	put_message(&b, 9, &body);
	say(w->server, &b);
	tunnel_step(w->t, T0);
	assert_int_equal(tunnel_deadline(w->t), T0 + 5 * SECOND);
	tunnel_tick(w->t, T0 + 5 * SECOND);
	assert_left(w, "waited 5 s for media, in vain");
	buffer_finish(&b);
	buffer_finish(&body);
}

static void server_that_never_answers_is_left(void **state)
{
	struct world *w = *state;

	player_says(w, "connect", 1, true);
	attach(w, T0);
	tunnel_tick(w->t, T0 + 10 * SECOND);
	assert_left(w, "waited 10 s for its RTMP handshake, in vain");
}

static void redirect_waits_for_a_connection_to_the_new_place(void **state)
{
	struct world *w = *state;
	struct buffer b, body;

	player_says(w, "connect", 1, true);
	attach(w, T0);
	shake_hands(w);
	buffer_init(&b, 4096);
	buffer_init(&body, 4096);
	amf_put_string(&body, "_error");
	amf_put_number(&body, 1);
	amf_put_null(&body);
	amf_put_object(&body);
	amf_put_key(&body, "ex");
	amf_put_object(&body);
	amf_put_key(&body, "redirect");
	amf_put_string(&body, "rtmp://b.example/edge");
	amf_put_end(&body);
	amf_put_end(&body);
	put_message(&b, 20, &body);
	say(w->server, &b);
	tunnel_step(w->t, T0);
	assert_int_equal(tunnel_phase(w->t), TUNNEL_WAITING);
	assert_string_equal(tunnel_moved_to(w->t), "rtmp://b.example/edge");
	assert_int_equal(tunnel_server_fd(w->t), -1);
	close(w->server);
	attach(w, T0);
	shake_hands(w);
	server_says(w, "_result", 1, "NetConnection.Connect.Success", "");
	assert_int_equal(tunnel_phase(w->t), TUNNEL_TALKING);
	buffer_finish(&b);
	buffer_finish(&body);
}

static void player_that_goes_ends_it_without_a_cause(void **state)
{
	struct world *w = *state;

	ask_to_play(w);
	shutdown(w->player, SHUT_WR);
	tunnel_step(w->t, T0);
	assert_left(w, "");
}

static void player_that_asks_for_other_things_is_left(void **state)
{
	struct world *w = *state;

	ask_to_play(w);
	player_says(w, "publish", 4, false);
	assert_left(w, "librtmp asks for what no player asks for");
}

static void player_that_does_not_read_holds_up_the_server(void **state)
{
	static const uint8_t size[12 + 4] = { 2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 1, 0, 0 };
	static const uint8_t message[12 + 8000] = { 6, 0, 0, 0, 0, 0x1F, 0x40, 9 };
	struct world *w = *state;
	unsigned held = 0;

	ask_to_play(w);
	server_says(w, "onStatus", 0, "NetStream.Play.Start", "");
	assert_int_equal(send(w->server, size, sizeof(size), 0), sizeof(size));
	for (unsigned i = 0; i < 1000 && held < 20; i++) {
		if (send(w->server, message, sizeof(message), 0) < 0) {
			held++;
			tunnel_step(w->t, T0);
		}
	}
	assert_int_equal(held, 20);
	assert_false(tunnel_server_wants(w->t) & STREAM_WANT_READ);
	assert_true(tunnel_player_wants(w->t) & STREAM_WANT_WRITE);
	tunnel_tick(w->t, T0 + 10 * SECOND);
	assert_left(w, "librtmp hangs");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(refusal_is_told_in_words),
		TEST(words_that_hold_a_secret_are_kept_back),
		TEST(end_of_the_stream_is_clean),
		TEST(server_that_hangs_up_is_told_by_when),
		TEST(silence_ends_it),
		TEST(server_that_never_answers_is_left),
		TEST(redirect_waits_for_a_connection_to_the_new_place),
		TEST(player_that_goes_ends_it_without_a_cause),
		TEST(player_that_asks_for_other_things_is_left),
		TEST(player_that_does_not_read_holds_up_the_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
