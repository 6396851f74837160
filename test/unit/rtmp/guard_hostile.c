/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the guard is there for: servers that would crash librtmp, and a librtmp that was bent. */
#include "guard_world.h"

/* ---- what crashes librtmp alone ---- */

static void message_that_grows_under_way_is_begun_anew(void **state)
{
	struct fixture *f = *state;

	play(f);
	put_head(&f->b, 6, 0, 200, 9, 7);
	put_fill(&f->b, 'A', 128);
	BYTES(&f->b, 0x46, 0, 0, 0, 0x01, 0x86, 0xA0, 9); /* fmt 1, 100000 bytes */
	put_fill(&f->b, 'B', 128);
	for (int i = 0; i < 2000; i++) {
		BYTES(&f->b, 0xC6);
		put_fill(&f->b, 'B', 128);
	}
	/* The chunk that is longer than what was left ends it: what is behind is no header. */
	assert_int_equal(feed_error(f), RTMP_TOO_LARGE);
	assert_int_equal(f->heard.messages[9], 1);
	assert_int_equal(f->heard.last_size, 100000);
	assert_null(memchr(f->scratch, 'A', 100000));
}

static void deep_nesting_is_refused(void **state)
{
	struct fixture *f = *state;
	struct buffer amf = new_command("onStatus", 0);

	play(f);
	for (int i = 0; i < 5000; i++) { /* within the limit of a command */
		BYTES(&amf, 3, 0, 0);
	}
	put_amf(&f->b, 3, 0, &amf);
	assert_int_equal(feed_error(f), RTMP_BAD_COMMAND);
	assert_int_equal(f->heard.messages[20], 3);
}

static void nesting_of_150_kilobytes_is_refused_by_its_length(void **state)
{
	struct fixture *f = *state;
	struct buffer amf = new_command("onStatus", 0);

	play(f);
	for (int i = 0; i < 50000; i++) {
		BYTES(&amf, 3, 0, 0);
	}
	put_amf(&f->b, 3, 0, &amf);
	assert_int_equal(feed_error(f), RTMP_TOO_LARGE);
}

static void nested_data_is_left_out(void **state)
{
	struct fixture *f = *state;
	struct buffer amf = new_stream();

	play(f);
	for (int i = 0; i < 20000; i++) {
		BYTES(&amf, 3, 0, 0);
	}
	put_message(&f->b, 4, 0, 18, 7, buffer_bytes(&amf), buffer_size(&amf), 128);
	buffer_finish(&amf);
	assert_int_equal(feed(f, T0).type, GUARD_NOTHING);
	assert_int_equal(f->heard.messages[18], 0);
	assert_int_equal(guard_left_out(f->g), 1);
}

static void truncated_values_are_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
	} bodies[] = {
		{ "\2\xFF\xFFonStatus", 11 },                            /* a string past the end */
		{ "\2\0\10onStatus\0\0\0\0\0\0\0\0\0\n\0\1\0\0\5", 25 }, /* an array past it */
		{ "\2\0\10onStatus\0\0\0", 14 },                         /* half a number */
		{ "", 0 },
	};

	tear_down(state);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct fixture *f;

		set_up(state);
		f = *state;
		play(f);
		put_message(&f->b, 3, 0, 20, 0, bodies[i].bytes, bodies[i].size, 128);
		assert_int_equal(feed_error(f), RTMP_BAD_COMMAND);
		tear_down(state);
	}
	set_up(state);
}

static void declared_lengths_on_many_chunk_streams_are_refused(void **state)
{
	struct fixture *f = *state;
	int status;

	play(f);
	for (unsigned i = 0; i < 400; i++) {
		BYTES(&f->b, 1, (uint8_t)i, (uint8_t)(i >> 8), 0, 0, 0, 0x7F, 0xFF, 0xFF, 9, 1, 0,
		      0, 0);
		put_fill(&f->b, 0, 128);
	}
	status = feed_error(f);
	assert_true(status == RTMP_TOO_LARGE || status == RTMP_BAD_CHUNK);
	assert_int_equal(f->heard.messages[9], 0);
}

static void senseless_chunk_sizes_are_refused(void **state)
{
	static const uint32_t sizes[] = { 0, 0x80000000, 0xFFFFFFFF };

	tear_down(state);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct fixture *f;

		set_up(state);
		f = *state;
		play(f);
		put_control(&f->b, 1, sizes[i]);
		assert_int_equal(feed_error(f), RTMP_BAD_MESSAGE);
		tear_down(state);
	}
	set_up(state);
}

static void servers_of_something_else_are_told_apart(void **state)
{
	static const struct {
		const char *words;
		int error;
	} cases[] = {
		{ "HTTP/1.1 400 Bad Request\r\n", RTMP_IS_HTTP },
		{ "\x15\3\1\0\2\2\50", RTMP_IS_TLS },
		{ "SSH-2.0-x\r\n", RTMP_NOT_RTMP },
	};

	tear_down(state);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f;

		set_up(state);
		f = *state;
		assert_int_equal(guard_begin(f->g, "a", "rtmp://h/a", random_bytes, T0), 0);
		put_bytes(&f->b, cases[i].words, strlen(cases[i].words));
		assert_int_equal(feed_error(f), cases[i].error);
		tear_down(state);
	}
	set_up(state);
}

/* ---- a player that is not itself any more ---- */

static void put_player_publish(struct buffer *b)
{
	put_player_connect(b);
	put_named(b, "publish", 2, 0, "key");
}

static void put_player_media(struct buffer *b)
{
	put_player_connect(b);
	put_message(b, 6, 0, 9, 1, "media", 5, 128);
}

static void put_player_twice(struct buffer *b)
{
	put_player_connect(b);
	put_connect(b, "again");
}

static void player_can_ask_for_nothing_else(void **state)
{
	void (*const wishes[])(struct buffer *) = { put_player_publish, put_player_twice };

	tear_down(state);
	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		set_up(state);
		connect_server(*state);
		player_says(*state, wishes[i], RTMP_BAD_COMMAND);
		assert_false(asks(*state, "publish"));
		tear_down(state);
	}
	set_up(state);
	connect_server(*state);
	player_says(*state, put_player_media, RTMP_TOO_LARGE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(message_that_grows_under_way_is_begun_anew),
		TEST(deep_nesting_is_refused),
		TEST(nesting_of_150_kilobytes_is_refused_by_its_length),
		TEST(nested_data_is_left_out),
		TEST(truncated_values_are_refused),
		TEST(declared_lengths_on_many_chunk_streams_are_refused),
		TEST(senseless_chunk_sizes_are_refused),
		TEST(servers_of_something_else_are_told_apart),
		TEST(player_can_ask_for_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
