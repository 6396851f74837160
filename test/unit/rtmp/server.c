/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The server session: the command flow and the quirks of encoders. */
#include "commands.h"

struct fixture {
	struct rtmp_server *s;
	struct buffer b;
	struct digest d;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->s = new_server();
	f->b = new_stream();
	digest_init(&f->d);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	rtmp_server_destroy(&f->s);
	buffer_finish(&f->b);
	digest_finish(&f->d);
	free(f);
	return 0;
}

static int feed(struct fixture *f)
{
	int status = feed_stream(f->s, &f->b, &f->d);

	buffer_clear(&f->b);
	return status;
}

static void check(struct fixture *f, const char *expected)
{
	assert_int_equal(feed(f), RTMP_OK);
	assert_string_equal(digest_text(&f->d), expected);
}

static size_t output_size(struct rtmp_server *s)
{
	const uint8_t *p;

	return rtmp_server_output(s, &p);
}

static void handshake_echoes_c1_once_it_is_complete(void **state)
{
	struct fixture *f = *state;
	const uint8_t *out, *in;

	put_client_handshake(&f->b);
	in = buffer_bytes(&f->b);
	assert_int_equal(feed_server(f->s, in, HANDSHAKE_SIZE, 0, T0, NULL), RTMP_OK);
	assert_int_equal(rtmp_server_output(f->s, &out), 0);
	assert_int_equal(feed_server(f->s, in + HANDSHAKE_SIZE, 1, 0, T0, NULL), RTMP_OK);
	assert_int_equal(rtmp_server_output(f->s, &out), 1 + 2 * HANDSHAKE_SIZE);
	assert_int_equal(out[0], 3);
	assert_int_equal(get_be32(out + 5), 0); /* plain, no digest */
	assert_memory_equal(out + 1 + HANDSHAKE_SIZE, in + 1, HANDSHAKE_SIZE);
}

static void handshakes_of_other_protocols_are_named(void **state)
{
	static const struct {
		const char *bytes;
		int error;
	} cases[] = {
		{ "\x16\x03\x01", RTMP_IS_TLS },  { "GET / HTTP/1.1\r\n", RTMP_IS_HTTP },
		{ "POST /open/1", RTMP_IS_HTTP }, { "\x06", RTMP_NOT_RTMP },
		{ "\x08", RTMP_NOT_RTMP },        { "SSH-2.0", RTMP_NOT_RTMP },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rtmp_server *s = new_server();

		assert_int_equal(feed_server(s, (const uint8_t *)cases[i].bytes,
					     strlen(cases[i].bytes), 0, T0, NULL),
				 cases[i].error);
		assert_int_equal(output_size(s), 0);
		rtmp_server_destroy(&s);
	}
	assert_non_null(strstr(rtmp_error_str(RTMP_IS_TLS), "rtmps"));
	(void)state;
}

static void zero_byte_is_no_handshake(void **state)
{
	struct fixture *f = *state;

	BYTES(&f->b, 0);
	assert_int_equal(feed(f), RTMP_NOT_RTMP);
}

static void publisher_is_asked_about_and_let_in(void **state)
{
	struct fixture *f = *state;

	put_publisher(&f->b, "key1?token=abc&x=1");
	put_message(&f->b, 4, 0, 8, 1, "a", 1, 128);
	check(f, "publish live key1?token=abc&x=1\n8 0 1 af63dc4c8601ec8c\n");
	assert_true(output_has(f->s, "NetConnection.Connect.Success"));
	assert_true(output_has(f->s, "onFCPublish"));
	assert_true(output_has(f->s, "NetStream.Publish.Start"));
}

static void replies_of_a_step_come_in_one_piece_and_in_order(void **state)
{
	struct fixture *f = *state;
	const uint8_t *p;
	size_t n;

	put_client_handshake(&f->b);
	assert_int_equal(feed(f), RTMP_OK);
	drop_output(f->s);
	put_connect(&f->b, "live");
	assert_int_equal(feed(f), RTMP_OK);
	n = rtmp_server_output(f->s, &p);
	assert_true(n > 16 + 17 + 16);
	assert_int_equal(p[7], 5); /* WindowAckSize */
	assert_int_equal(get_be32(p + 12), 2500000);
	assert_int_equal(p[16 + 7], 6); /* SetPeerBandwidth */
	assert_int_equal(p[33 + 7], 1); /* SetChunkSize */
	assert_int_equal(get_be32(p + 33 + 12), 4096);
	assert_int_equal(p[49 + 7], 20); /* _result, in one chunk */
	assert_int_equal(n, 49 + 12 + get_be24(p + 49 + 4));
}

static void nothing_is_read_while_the_answer_is_owed(void **state)
{
	struct fixture *f = *state;
	struct rtmp_event e;
	size_t at = 0;

	put_publisher(&f->b, "key1");
	put_message(&f->b, 4, 0, 8, 1, "a", 1, 128);
	while (!rtmp_server_next(f->s, &e)) {
		at += (size_t)rtmp_server_feed(f->s, buffer_bytes(&f->b) + at,
					       buffer_size(&f->b) - at, T0);
	}
	assert_int_equal(e.type, RTMP_EVENT_PUBLISH);
	assert_string_equal(e.app, "live");
	assert_string_equal(e.stream, "key1");
	assert_string_equal(e.encoder, "FMLE/3.0 (test)");
	assert_false(e.is_enhanced);
	assert_int_equal(
		rtmp_server_feed(f->s, buffer_bytes(&f->b) + at, buffer_size(&f->b) - at, T0), 0);
	rtmp_server_answer(f->s, true, NULL);
	assert_int_equal(feed_server(f->s, buffer_bytes(&f->b) + at, buffer_size(&f->b) - at, 0, T0,
				     &f->d),
			 RTMP_OK);
	assert_int_equal(f->d.media, 1);
}

static void refused_publisher_is_told_bad_name(void **state)
{
	struct fixture *f = *state;
	struct rtmp_event e;
	const uint8_t *p;
	size_t at = 0;

	put_publisher(&f->b, "wrong");
	while (!rtmp_server_next(f->s, &e)) {
		at += (size_t)rtmp_server_feed(f->s, buffer_bytes(&f->b) + at,
					       buffer_size(&f->b) - at, T0);
	}
	drop_output(f->s);
	rtmp_server_answer(f->s, false, "no such key");
	assert_true(output_has(f->s, "NetStream.Publish.BadName"));
	assert_true(output_has(f->s, "no such key"));
	assert_true(output_has(f->s, "error"));
	rtmp_server_output(f->s, &p);
	assert_int_equal(get_le32(p + 8), 1); /* on the stream it wanted */
	assert_int_equal(rtmp_server_feed(f->s, p, 1, T0), RTMP_ENDED);
}

static void connect_without_app_is_rejected(void **state)
{
	struct fixture *f = *state;
	struct buffer amf = new_command("connect", 1);

	amf_put_object(&amf);
	amf_put_end(&amf);
	put_client_handshake(&f->b);
	put_amf(&f->b, 3, 0, &amf);
	assert_int_equal(feed(f), RTMP_BAD_COMMAND);
	assert_true(output_has(f->s, "_error"));
	assert_true(output_has(f->s, "NetConnection.Connect.Rejected"));
}

static void second_connect_is_an_error(void **state)
{
	struct fixture *f = *state;

	put_client_handshake(&f->b);
	put_connect(&f->b, "live");
	put_connect(&f->b, "live");
	assert_int_equal(feed(f), RTMP_BAD_COMMAND);
}

static void commands_before_connect_are_errors(void **state)
{
	static const char *const names[] = { "createStream", "publish", "releaseStream" };

	for (size_t i = 0; i < 3; i++) {
		struct rtmp_server *s = new_server();
		struct buffer b = new_stream();

		put_client_handshake(&b);
		put_named(&b, names[i], 1, 0, "key1");
		assert_int_equal(feed_stream(s, &b, NULL), RTMP_BAD_COMMAND);
		buffer_finish(&b);
		rtmp_server_destroy(&s);
	}
	(void)state;
}

static void players_are_refused(void **state)
{
	struct fixture *f = *state;

	put_client_handshake(&f->b);
	put_connect(&f->b, "live");
	put_named(&f->b, "createStream", 2, 0, NULL);
	put_named(&f->b, "play", 0, 1, "key1");
	assert_int_equal(feed(f), RTMP_BAD_COMMAND);
	assert_true(output_has(f->s, "NetStream.Play.Failed"));
}

static void at_most_four_streams_are_created(void **state)
{
	struct fixture *f = *state;

	put_client_handshake(&f->b);
	put_connect(&f->b, "live");
	for (int i = 0; i < 4; i++) {
		put_named(&f->b, "createStream", 2 + i, 0, NULL);
	}
	assert_int_equal(feed(f), RTMP_OK);
	put_named(&f->b, "createStream", 9, 0, NULL);
	assert_int_equal(feed(f), RTMP_BAD_COMMAND);
}

static void second_publish_is_an_error(void **state)
{
	struct fixture *f = *state;

	put_publisher(&f->b, "key1");
	put_named(&f->b, "publish", 6, 1, "key2");
	assert_int_equal(feed(f), RTMP_BAD_COMMAND);
}

/* rtmp2sink: no flashVer, WindowAckSize, transaction 0, chunk size 128 after publish, the
 * stream's name in deleteStream. */
static void gstreamer_publishes(void **state)
{
	struct fixture *f = *state;

	put_client_handshake(&f->b);
	put_connect(&f->b, "live");
	put_control(&f->b, 5, 2500000);
	assert_int_equal(feed(f), RTMP_OK);
	drop_output(f->s);
	put_named(&f->b, "releaseStream", 0, 0, "k");
	assert_int_equal(feed(f), RTMP_OK);
	assert_int_equal(output_size(f->s), 0); /* transaction 0 asks for no answer */
	put_named(&f->b, "FCPublish", 0, 0, "k");
	put_named(&f->b, "createStream", 2, 0, NULL);
	put_named(&f->b, "publish", 0, 1, "k");
	BYTES(&f->b, 0x42, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 128);
	put_message(&f->b, 5, 0, 8, 1, "a", 1, 128);
	put_named(&f->b, "deleteStream", 0, 0, "k");
	check(f, "publish live k\n8 0 1 af63dc4c8601ec8c\nunpublish\n");
}

static void put_delete(struct buffer *b, double id)
{
	struct buffer amf = new_command("deleteStream", 7);

	amf_put_null(&amf);
	amf_put_number(&amf, id);
	put_amf(b, 3, 0, &amf);
}

static void only_deleting_the_live_stream_ends_it(void **state)
{
	struct fixture *f = *state;

	put_publisher(&f->b, "k");
	put_delete(&f->b, 2);
	check(f, "publish live k\n");
	put_delete(&f->b, 1);
	check(f, "publish live k\nunpublish\n");
}

static void unpublish_is_told_once(void **state)
{
	struct fixture *f = *state;

	put_publisher(&f->b, "k");
	put_named(&f->b, "FCUnpublish", 6, 0, "k");
	put_delete(&f->b, 1);
	put_named(&f->b, "closeStream", 0, 1, NULL);
	put_message(&f->b, 4, 0, 8, 1, "late", 4, 128);
	check(f, "publish live k\nunpublish\n");
}

static void close_stream_ends_it(void **state)
{
	struct fixture *f = *state;

	put_publisher(&f->b, "k");
	put_named(&f->b, "closeStream", 0, 1, NULL);
	check(f, "publish live k\nunpublish\n");
}

static void publish_is_taken_on_any_message_and_chunk_stream(void **state)
{
	struct fixture *f = *state;
	struct buffer amf = new_command("publish", 5);
	const uint8_t *p;

	put_client_handshake(&f->b);
	put_connect(&f->b, "app/inst?u=1");
	assert_int_equal(feed(f), RTMP_OK);
	drop_output(f->s);
	amf_put_null(&amf);
	amf_put_string(&amf, "k");
	put_amf(&f->b, 8, 0x00030201, &amf);
	check(f, "publish app/inst?u=1 k\n");
	rtmp_server_output(f->s, &p);
	assert_int_equal(p[7], 4); /* StreamBegin */
	assert_int_equal(get_be32(p + 14), 0x00030201);
	assert_int_equal(get_le32(p + 18 + 8), 0x00030201); /* onStatus */
}

static void commands_in_amf3_frames_are_understood(void **state)
{
	struct fixture *f = *state;
	struct buffer amf = new_command("publish", 5), framed = new_stream();

	put_client_handshake(&f->b);
	put_connect(&f->b, "live");
	amf_put_null(&amf);
	amf_put_string(&amf, "k");
	BYTES(&framed, 0);
	put_bytes(&framed, buffer_bytes(&amf), buffer_size(&amf));
	put_message(&f->b, 3, 0, 17, 1, buffer_bytes(&framed), buffer_size(&framed), 128);
	check(f, "publish live k\n");
	buffer_finish(&amf);
	buffer_finish(&framed);
}

static void key_with_a_nul_inside_is_refused(void **state)
{
	static const uint8_t publish[] = {
		2, 0, 7, 'p', 'u', 'b', 'l', 'i', 's', 'h', 0,   0, 0,
		0, 0, 0, 0,   0,   0,   5,   2,   0,   3,   'k', 0, 'x'
	};
	struct fixture *f = *state;

	put_client_handshake(&f->b);
	put_connect(&f->b, "live");
	put_message(&f->b, 3, 0, 20, 1, publish, sizeof(publish), 128);
	assert_int_equal(feed(f), RTMP_BAD_COMMAND);
	assert_string_equal(digest_text(&f->d), "");
}

static void unknown_commands_are_passed_over(void **state)
{
	struct fixture *f = *state;

	put_client_handshake(&f->b);
	put_named(&f->b, "FCSubscribe", 1, 0, "x");
	put_connect(&f->b, "live");
	put_named(&f->b, "_checkbw", 2, 0, NULL);
	put_named(&f->b, "aNameThatIsLongerThanAnyCommandThereIs", 2, 0, NULL);
	put_message(&f->b, 3, 0, 18, 0, "\2\0\1x", 4, 128); /* data before publish */
	put_named(&f->b, "publish", 5, 1, "k");
	check(f, "publish live k\n");
}

static void enhanced_clients_are_told_what_is_parsed(void **state)
{
	static const char *const keys[] = { "fourCcList", "videoFourCcInfoMap",
					    "audioFourCcInfoMap", "capsEx" };

	for (size_t i = 0; i < 4; i++) {
		struct rtmp_server *s = new_server();
		struct buffer b = new_stream(), amf = new_command("connect", 1);
		struct digest d;

		digest_init(&d);
		amf_put_object(&amf);
		amf_put_key(&amf, "app");
		amf_put_string(&amf, "live");
		amf_put_key(&amf, keys[i]);
		amf_put_strict_array(&amf, 1);
		amf_put_string(&amf, "hvc1");
		amf_put_end(&amf);
		put_client_handshake(&b);
		put_amf(&b, 3, 0, &amf);
		assert_int_equal(feed_stream(s, &b, &d), RTMP_OK);
		assert_true(output_has(s, "fourCcList"));
		assert_true(output_has(s, "videoFourCcInfoMap"));
		assert_true(output_has(s, "capsEx"));
		digest_finish(&d);
		buffer_finish(&b);
		rtmp_server_destroy(&s);
	}
	(void)state;
}

static void others_are_not_told_of_enhancements(void **state)
{
	struct fixture *f = *state;

	put_client_handshake(&f->b);
	put_connect(&f->b, "live");
	assert_int_equal(feed(f), RTMP_OK);
	assert_false(output_has(f->s, "fourCcList"));
}

static void nothing_but_acks_and_pongs_is_said_while_live(void **state)
{
	struct fixture *f = *state;

	rtmp_server_destroy(&f->s);
	f->s = new_live_server();
	put_named(&f->b, "releaseStream", 9, 0, "k");
	put_named(&f->b, "FCPublish", 10, 0, "k");
	put_named(&f->b, "createStream", 11, 0, NULL);
	put_named(&f->b, "_checkbw", 12, 0, NULL);
	put_message(&f->b, 4, 0, 18, 1, "\2\0\1x", 4, 128);
	assert_int_equal(feed(f), RTMP_OK);
	assert_int_equal(output_size(f->s), 0);
}

static void every_error_has_words(void **state)
{
	for (int e = RTMP_NOT_RTMP; e <= RTMP_ENDED; e++) {
		assert_string_not_equal(rtmp_error_str(e), "unknown error");
	}
	assert_string_equal(rtmp_error_str(-1), "unknown error");
	(void)state;
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(handshake_echoes_c1_once_it_is_complete),
		T(handshakes_of_other_protocols_are_named),
		T(zero_byte_is_no_handshake),
		T(publisher_is_asked_about_and_let_in),
		T(replies_of_a_step_come_in_one_piece_and_in_order),
		T(nothing_is_read_while_the_answer_is_owed),
		T(refused_publisher_is_told_bad_name),
		T(connect_without_app_is_rejected),
		T(second_connect_is_an_error),
		T(commands_before_connect_are_errors),
		T(players_are_refused),
		T(at_most_four_streams_are_created),
		T(second_publish_is_an_error),
		T(gstreamer_publishes),
		T(only_deleting_the_live_stream_ends_it),
		T(unpublish_is_told_once),
		T(close_stream_ends_it),
		T(publish_is_taken_on_any_message_and_chunk_stream),
		T(commands_in_amf3_frames_are_understood),
		T(key_with_a_nul_inside_is_refused),
		T(unknown_commands_are_passed_over),
		T(enhanced_clients_are_told_what_is_parsed),
		T(others_are_not_told_of_enhancements),
		T(nothing_but_acks_and_pongs_is_said_while_live),
		T(every_error_has_words),
	};

	return cmocka_run_group_tests_name("rtmp server", tests, NULL, NULL);
}
