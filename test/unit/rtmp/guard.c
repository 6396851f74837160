/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the guard passes on, what it says of the server, and how long it waits. */
#include <understudy/clock.h>

#include "guard_world.h"

static void player_asks_in_the_streams_name_and_gets_answers_of_ours(void **state)
{
	struct fixture *f = *state;

	player_says(f, put_player_connect, RTMP_OK);
	assert_int_equal(f->heard.messages[20], 0);
	connect_server(f);
	assert_true(asks(f, "connect") && asks(f, "rtmp://a.example/live"));
	assert_true(asks(f, "fourCcList"));
	assert_false(asks(f, "nowhere"));
	put_connected(&f->b);
	assert_int_equal(feed(f, T0).type, GUARD_NOTHING);
	assert_int_equal(f->heard.messages[20], 1);
	assert_int_equal(f->heard.messages[5], 0);
	player_says(f, put_player_create, RTMP_OK);
	assert_true(asks(f, "createStream"));
	put_created(&f->b, 7);
	assert_int_equal(feed(f, T0).type, GUARD_NOTHING);
	player_says(f, put_player_play, RTMP_OK);
	assert_true(asks(f, "play") && asks(f, "stage?token=abc"));
	assert_false(asks(f, "nothing"));
	put_status(&f->b, "onStatus", 0, "status", "NetStream.Play.Reset", "");
	assert_int_equal(feed(f, T0).type, GUARD_NOTHING);
	put_status(&f->b, "onStatus", 0, "status", "NetStream.Play.Start", "");
	assert_int_equal(feed(f, T0).type, GUARD_PLAYING);
	assert_int_equal(f->heard.messages[20], 3);
	drop_questions(f);
	player_says(f, put_player_delete, RTMP_OK);
	assert_true(asks(f, "deleteStream"));
}

static void media_passes_whole_and_in_order(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 127, 128, 65536, 65537, 200000 };
	static const uint32_t times[] = { 0, 1, 0xFFFFFE, 0xFFFFFF, 0x1000000, 0x7FFFFFFF, 40 };
	struct fixture *f = *state;
	static uint8_t body[200000];

	for (size_t i = 0; i < sizeof(body); i++) {
		body[i] = (uint8_t)(i * 31);
	}
	play(f);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		put_message(&f->b, 6, times[i], 9, 7, body, sizes[i], 128);
		assert_int_equal(feed(f, T0).type, GUARD_NOTHING);
		assert_int_equal(f->heard.messages[9], i + 1);
		assert_int_equal(f->heard.last_size, sizes[i]);
		assert_int_equal(f->heard.last_timestamp, times[i]);
		assert_memory_equal(f->scratch, body, sizes[i]);
	}
}

static void interleaved_chunks_come_out_unmixed(void **state)
{
	struct fixture *f = *state;

	play(f);
	put_head(&f->b, 6, 100, 300, 9, 7);
	put_fill(&f->b, 'v', 128);
	put_head(&f->b, 4, 90, 200, 8, 7);
	put_fill(&f->b, 'a', 128);
	BYTES(&f->b, 0xC6);
	put_fill(&f->b, 'v', 128);
	BYTES(&f->b, 0xC4);
	put_fill(&f->b, 'a', 72);
	assert_int_equal(feed(f, T0).type, GUARD_NOTHING);
	assert_int_equal(f->heard.messages[8], 1);
	assert_int_equal(f->heard.last_timestamp, 90);
	assert_int_equal(f->heard.messages[9], 0);
	BYTES(&f->b, 0xC6);
	put_fill(&f->b, 'v', 44);
	assert_int_equal(feed(f, T0).type, GUARD_NOTHING);
	assert_int_equal(f->heard.messages[9], 1);
	assert_int_equal(f->heard.last_size, 300);
}

static void put_part(struct buffer *b, uint8_t type, uint32_t time_ms, uint8_t size)
{
	BYTES(b, type, 0, 0, size, 0, 0, (uint8_t)time_ms, 0, 0, 0, 0);
	put_fill(b, type, size);
	BYTES(b, 0, 0, 0, (uint8_t)(11 + size));
}

static void aggregates_and_amf3_data_come_out_as_plain_messages(void **state)
{
	struct fixture *f = *state;
	struct buffer parts = new_stream();

	play(f);
	put_part(&parts, 8, 5, 20);
	put_part(&parts, 9, 15, 30);
	put_message(&f->b, 6, 1000, 22, 7, buffer_bytes(&parts), buffer_size(&parts), 128);
	buffer_finish(&parts);
	put_message(&f->b, 4, 1000, 15, 7, "\0\2\0\1x\5", 6, 128);
	assert_int_equal(feed(f, T0).type, GUARD_NOTHING);
	assert_int_equal(f->heard.messages[8], 1);
	assert_int_equal(f->heard.messages[9], 1);
	assert_int_equal(f->heard.messages[18], 1);
	assert_int_equal(f->heard.messages[22] + f->heard.messages[15], 0);
}

static void what_no_player_needs_is_left_out(void **state)
{
	struct fixture *f = *state;

	play(f);
	put_message(&f->b, 4, 0, 18, 7, "\3\0", 2, 128);        /* an object that is cut */
	put_message(&f->b, 4, 0, 18, 7, "\x11\1", 2, 128);      /* AMF3 inside */
	put_message(&f->b, 4, 0, 16, 7, "shared", 6, 128);      /* shared object */
	put_message(&f->b, 2, 0, 4, 0, "\0\1\0\0\0\1", 6, 128); /* StreamEOF */
	put_message(&f->b, 2, 0, 6, 0, "\0\0\1\0\2", 5, 128);
	put_named(&f->b, "onBWDone", 0, 0, NULL);
	put_named(&f->b, "_onbwcheck", 9, 0, NULL);
	put_named(&f->b, "ping", 9, 0, NULL);
	assert_int_equal(feed(f, T0).type, GUARD_NOTHING);
	assert_int_equal(guard_left_out(f->g), 3);
	assert_int_equal(f->heard.messages[18], 0);
	assert_int_equal(f->heard.messages[20], 3);
}

static void media_before_play_goes_nowhere(void **state)
{
	struct fixture *f = *state;

	connect_server(f);
	player_says(f, put_player_connect, RTMP_OK);
	put_message(&f->b, 6, 0, 9, 1, "early", 5, 128);
	assert_int_equal(feed(f, T0).type, GUARD_NOTHING);
	assert_int_equal(f->heard.messages[9], 0);
}

static void media_without_a_word_begins_the_stream(void **state)
{
	struct fixture *f = *state;

	connect_server(f);
	player_says(f, put_player_connect, RTMP_OK);
	put_connected(&f->b);
	feed(f, T0);
	player_says(f, put_player_create, RTMP_OK);
	put_created(&f->b, 1);
	feed(f, T0);
	player_says(f, put_player_play, RTMP_OK);
	put_message(&f->b, 6, 0, 9, 1, "media", 5, 128);
	assert_int_equal(feed(f, T0).type, GUARD_PLAYING);
	assert_int_equal(f->heard.messages[9], 1);
}

static void refusals_are_told(void **state)
{
	static const struct {
		const char *name, *level, *code;
		double transaction;
		enum guard_event_type type;
	} cases[] = {
		{ "onStatus", "error", "NetStream.Play.StreamNotFound", 0, GUARD_REFUSED },
		{ "onStatus", "status", "NetStream.Play.StreamNotFound", 0, GUARD_REFUSED },
		{ "onStatus", "error", "NetStream.Play.Whatever", 0, GUARD_REFUSED },
		{ "_error", "error", "NetStream.Play.Failed", 3, GUARD_REFUSED },
		{ "onStatus", "status", "NetStream.Play.UnpublishNotify", 0, GUARD_FINISHED },
		{ "onStatus", "status", "NetStream.Play.Stop", 0, GUARD_FINISHED },
		{ "close", "status", "", 0, GUARD_FINISHED },
		{ "onFCUnsubscribe", "status", "x", 0, GUARD_FINISHED },
	};
	struct guard_event e;

	tear_down(state);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f;

		set_up(state);
		f = *state;
		play(f);
		put_status(&f->b, cases[i].name, cases[i].transaction, cases[i].level,
			   cases[i].code, "it \"says\"\n so");
		e = feed(f, T0);
		assert_int_equal(e.type, cases[i].type);
		assert_null(strchr(e.description, '\n'));
		assert_int_equal(guard_feed_server(f->g, (const uint8_t *)"x", 1, T0), RTMP_ENDED);
		assert_int_equal(f->heard.messages[20], 3);
		tear_down(state);
	}
	set_up(state);
}

static void put_redirect(struct buffer *b, const char *url)
{
	struct buffer amf = new_command("_error", 1);

	amf_put_null(&amf);
	amf_put_object(&amf);
	amf_put_key(&amf, "level");
	amf_put_string(&amf, "error");
	amf_put_key(&amf, "code");
	amf_put_string(&amf, "NetConnection.Connect.Rejected");
	amf_put_key(&amf, "ex");
	amf_put_object(&amf);
	amf_put_key(&amf, "code");
	amf_put_number(&amf, 302);
	amf_put_key(&amf, "redirect");
	amf_put_string(&amf, url);
	amf_put_end(&amf);
	amf_put_end(&amf);
	put_amf(b, 3, 0, &amf);
}

static void redirected_connect_begins_anew_elsewhere(void **state)
{
	struct fixture *f = *state;
	struct guard_event e;

	connect_server(f);
	player_says(f, put_player_connect, RTMP_OK);
	put_redirect(&f->b, "rtmp://b.example/edge");
	e = feed(f, T0);
	assert_int_equal(e.type, GUARD_MOVED);
	assert_string_equal(e.description, "rtmp://b.example/edge");
	assert_int_equal(guard_begin(f->g, "edge", "rtmp://b.example/edge", random_bytes, T0), 0);
	drop_questions(f);
	put_client_handshake(&f->b);
	assert_int_equal(feed(f, T0).type, GUARD_NOTHING);
	assert_true(asks(f, "rtmp://b.example/edge"));
	put_connected(&f->b);
	assert_int_equal(feed(f, T0).type, GUARD_NOTHING);
	assert_int_equal(f->heard.messages[20], 1);
	player_says(f, put_player_create, RTMP_OK);
	assert_int_equal(guard_begin(f->g, "edge", "rtmp://c.example/edge", random_bytes, T0),
			 RTMP_ENDED);
}

static void reconnect_request_is_told_with_its_address(void **state)
{
	struct fixture *f = *state;
	struct guard_event e;
	struct buffer amf = new_command("onStatus", 0);

	play(f);
	amf_put_null(&amf);
	amf_put_object(&amf);
	amf_put_key(&amf, "code");
	amf_put_string(&amf, "NetConnection.Connect.ReconnectRequest");
	amf_put_key(&amf, "tcUrl");
	amf_put_string(&amf, "rtmp://d.example/live");
	amf_put_end(&amf);
	put_amf(&f->b, 3, 0, &amf);
	e = feed(f, T0);
	assert_int_equal(e.type, GUARD_MOVED);
	assert_string_equal(e.description, "rtmp://d.example/live");
}

/* ---- time ---- */

static void each_step_has_its_time(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(guard_deadline(f->g), CLOCK_NEVER);
	connect_server(f);
	assert_int_equal(guard_deadline(f->g), T0 + 5 * SECOND);
	player_says(f, put_player_connect, RTMP_OK);
	assert_int_equal(guard_deadline(f->g), T0 + 10 * SECOND);
	assert_int_equal(guard_tick(f->g, T0 + 10 * SECOND - 1), RTMP_OK);
	assert_int_equal(guard_tick(f->g, T0 + 10 * SECOND), RTMP_TIMEOUT);
	assert_string_equal(guard_waits_for(f->g), "an answer to connect");
}

static void silence_is_noticed_sooner_than_a_late_beginning(void **state)
{
	struct fixture *f = *state;

	play(f);
	assert_int_equal(guard_deadline(f->g), T0 + FIRST_US);
	put_message(&f->b, 6, 0, 9, 7, "media", 5, 128);
	assert_int_equal(feed(f, T0 + SECOND).type, GUARD_NOTHING);
	assert_int_equal(guard_deadline(f->g), T0 + 11 * SECOND);
	put_message(&f->b, 4, 0, 18, 7, "\5", 1, 128);
	assert_int_equal(feed(f, T0 + 5 * SECOND).type, GUARD_NOTHING);
	assert_int_equal(guard_deadline(f->g), T0 + 11 * SECOND);
	assert_int_equal(guard_tick(f->g, T0 + 11 * SECOND), RTMP_TIMEOUT);
}

static void what_the_server_sends_is_acknowledged(void **state)
{
	struct fixture *f = *state;
	static uint8_t body[100000];

	play(f);
	put_control(&f->b, 5, 200000);
	assert_int_equal(feed(f, T0).type, GUARD_NOTHING);
	drop_questions(f);
	for (int i = 0; i < 3; i++) {
		const uint8_t *p;
		size_t n;

		put_message(&f->b, 6, 0, 9, 7, body, sizeof(body), 128);
		assert_int_equal(feed(f, T0).type, GUARD_NOTHING);
		n = guard_server_output(f->g, &p);
		assert_int_equal(n > 0 ? p[7] : 0, i < 1 ? 0 : 3);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(player_asks_in_the_streams_name_and_gets_answers_of_ours),
		TEST(media_passes_whole_and_in_order),
		TEST(interleaved_chunks_come_out_unmixed),
		TEST(aggregates_and_amf3_data_come_out_as_plain_messages),
		TEST(what_no_player_needs_is_left_out),
		TEST(media_before_play_goes_nowhere),
		TEST(media_without_a_word_begins_the_stream),
		TEST(refusals_are_told),
		TEST(redirected_connect_begins_anew_elsewhere),
		TEST(reconnect_request_is_told_with_its_address),
		TEST(each_step_has_its_time),
		TEST(silence_is_noticed_sooner_than_a_late_beginning),
		TEST(what_the_server_sends_is_acknowledged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
