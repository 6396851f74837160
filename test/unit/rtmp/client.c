/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The client session against servers written by hand: usual ones, odd ones, hostile ones. */
#include <understudy/clock.h>

#include "commands.h"

struct fixture {
	struct rtmp_client *c;
	struct buffer b;
};

static struct rtmp_client *new_client(bool is_enhanced)
{
	static const uint8_t random[1528] = { 4, 5, 6 };
	const struct rtmp_client_config config = {
		.app = "live2",
		.stream = "secret-key?backup=1",
		.tc_url = "rtmp://a.example/live2",
		.agent = "FMLE/3.0 (compatible; test)",
		.is_enhanced = is_enhanced,
	};
	struct rtmp_limits limits;

	rtmp_limits_default(&limits);
	return rtmp_client_create(&config, &limits, random, T0);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->c = new_client(false);
	assert_non_null(f->c);
	f->b = new_stream();
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	rtmp_client_destroy(&f->c);
	buffer_finish(&f->b);
	free(f);
	return 0;
}

/* Feeds what was put, in pieces; the event it led to, or the error as a negative type. */
static struct rtmp_event feed(struct fixture *f)
{
	struct rtmp_event e = { 0 };
	const uint8_t *p = buffer_bytes(&f->b);
	size_t n = buffer_size(&f->b), at = 0;

	while (at < n && e.type == RTMP_EVENT_NONE) {
		size_t cut = n - at < 7 ? n - at : 7;
		ssize_t used = rtmp_client_feed(f->c, p + at, cut, T0);

		if (used < 0) {
			buffer_clear(&f->b);
			return (struct rtmp_event){ .type = (enum rtmp_event_type)used };
		}
		at += (size_t)used;
		rtmp_client_next(f->c, &e);
	}
	buffer_consume(&f->b, at);
	return e;
}

static bool says(struct fixture *f, const char *text)
{
	const uint8_t *p;
	size_t n = rtmp_client_output(f->c, &p);

	return n > 0 && memmem(p, n, text, strlen(text)) != NULL;
}

static void drop(struct fixture *f)
{
	const uint8_t *p;

	rtmp_client_sent(f->c, rtmp_client_output(f->c, &p));
}

static void put_server_handshake(struct buffer *b)
{
	BYTES(b, 3);
	put_fill(b, 0xA1, HANDSHAKE_SIZE);
	put_fill(b, 0xA2, HANDSHAKE_SIZE);
}

static void put_info(struct buffer *amf, const char *level, const char *code, const char *text)
{
	amf_put_object(amf);
	if (level) {
		amf_put_key(amf, "level");
		amf_put_string(amf, level);
	}
	amf_put_key(amf, "code");
	amf_put_string(amf, code);
	amf_put_key(amf, "description");
	amf_put_string(amf, text);
	amf_put_end(amf);
}

static void put_answer(struct buffer *b, const char *name, double transaction, uint32_t stream,
		       const char *level, const char *code, const char *text)
{
	struct buffer amf = new_command(name, transaction);

	amf_put_null(&amf);
	put_info(&amf, level, code, text);
	put_amf(b, 3, stream, &amf);
}

static void put_connected(struct buffer *b)
{
	put_answer(b, "_result", 1, 0, "status", "NetConnection.Connect.Success", "ok");
}

static void put_created(struct buffer *b, double id)
{
	struct buffer amf = new_command("_result", 4);

	amf_put_null(&amf);
	amf_put_number(&amf, id);
	put_amf(b, 3, 0, &amf);
}

static void put_started(struct buffer *b)
{
	put_answer(b, "onStatus", 0, 5, "status", "NetStream.Publish.Start", "go");
}

static void connect_it(struct fixture *f)
{
	put_server_handshake(&f->b);
	feed(f);
	put_connected(&f->b);
	assert_int_equal(feed(f).type, RTMP_EVENT_CONNECTED);
}

static void publish_it(struct fixture *f)
{
	connect_it(f);
	put_created(&f->b, 5);
	assert_int_equal(feed(f).type, RTMP_EVENT_NONE);
	put_started(&f->b);
	assert_int_equal(feed(f).type, RTMP_EVENT_PUBLISHING);
	drop(f);
}

static void client_publishes_step_by_step(void **state)
{
	struct fixture *f = *state;
	const uint8_t *p;

	assert_int_equal(rtmp_client_output(f->c, &p), 1 + HANDSHAKE_SIZE);
	assert_int_equal(p[0], 3);
	drop(f);
	put_server_handshake(&f->b);
	assert_int_equal(feed(f).type, RTMP_EVENT_NONE);
	rtmp_client_output(f->c, &p);
	assert_int_equal(p[0], 0xA1);               /* C2 echoes S1 */
	assert_int_equal(p[HANDSHAKE_SIZE + 7], 1); /* SetChunkSize */
	assert_int_equal(get_be32(p + HANDSHAKE_SIZE + 12), RTMP_CHUNK_OUT);
	assert_true(says(f, "connect"));
	assert_true(says(f, "rtmp://a.example/live2"));
	assert_true(says(f, "FMLE/3.0 (compatible; test)"));
	assert_false(says(f, "fourCcList"));
	assert_false(says(f, "secret-key"));
	drop(f);
	put_connected(&f->b);
	assert_int_equal(feed(f).type, RTMP_EVENT_CONNECTED);
	assert_true(says(f, "releaseStream"));
	assert_true(says(f, "FCPublish"));
	assert_true(says(f, "createStream"));
	drop(f);
	put_created(&f->b, 5);
	assert_int_equal(feed(f).type, RTMP_EVENT_NONE);
	assert_true(says(f, "publish"));
	assert_true(says(f, "secret-key?backup=1"));
	rtmp_client_output(f->c, &p);
	assert_int_equal(get_le32(p + 8), 5);
	put_started(&f->b);
	assert_int_equal(feed(f).type, RTMP_EVENT_PUBLISHING);
	assert_int_equal(rtmp_client_message_stream(f->c), 5);
	assert_int_equal(rtmp_client_deadline(f->c), CLOCK_NEVER);
}

static void chatter_in_any_order_is_passed_over(void **state)
{
	struct fixture *f = *state;
	uint8_t bandwidth[5] = { 0, 38, 37, 160, 2 };

	put_server_handshake(&f->b);
	put_control(&f->b, 5, 2500000);
	put_message(&f->b, 2, 0, 6, 0, bandwidth, 5, 128);
	put_control(&f->b, 1, 60000);
	put_named(&f->b, "onBWDone", 0, 0, NULL);
	put_answer(&f->b, "onFCPublish", 0, 0, "status", "NetStream.Publish.Start", "early");
	assert_int_equal(feed(f).type, RTMP_EVENT_NONE);
	put_connected(&f->b);
	assert_int_equal(feed(f).type, RTMP_EVENT_CONNECTED);
	put_answer(&f->b, "_error", 2, 0, "error", "NetConnection.Call.Failed", "no releaseStream");
	put_answer(&f->b, "_error", 3, 0, "error", "NetConnection.Call.Failed", "no FCPublish");
	put_connected(&f->b); /* again */
	put_started(&f->b);   /* nothing was asked yet */
	assert_int_equal(feed(f).type, RTMP_EVENT_NONE);
	put_created(&f->b, 5);
	put_created(&f->b, 6);
	put_message(&f->b, 4, 0, 18, 1, "\2\0\1x", 4, 60000);
	put_message(&f->b, 4, 0, 8, 1, "xx", 2, 60000);
	BYTES(&f->b, 0x42, 0, 0, 0, 0, 0, 6, 4, 0, 0, 0, 0, 0, 5); /* StreamBegin */
	put_answer(&f->b, "onFCPublish", 0, 0, "status", "NetStream.Publish.Start", "early");
	assert_int_equal(feed(f).type, RTMP_EVENT_NONE);
	put_started(&f->b);
	assert_int_equal(feed(f).type, RTMP_EVENT_PUBLISHING);
	assert_int_equal(rtmp_client_message_stream(f->c), 5);
}

static void status_without_level_starts(void **state)
{
	struct fixture *f = *state;

	connect_it(f);
	put_created(&f->b, 1);
	put_answer(&f->b, "onStatus", 0, 1, NULL, "NetStream.Publish.Start", "");
	assert_int_equal(feed(f).type, RTMP_EVENT_PUBLISHING);
}

static void rejected_connect_is_told(void **state)
{
	struct fixture *f = *state;
	struct rtmp_event e;

	put_server_handshake(&f->b);
	put_answer(&f->b, "_error", 1, 0, "error", "NetConnection.Connect.Rejected",
		   "bad \"app\"\n");
	e = feed(f);
	assert_int_equal(e.type, RTMP_EVENT_REFUSED);
	assert_string_equal(e.code, "NetConnection.Connect.Rejected");
	assert_null(strchr(e.description, '\n')); /* escaped for the log */
	assert_non_null(strstr(e.description, "bad "));
	put_connected(&f->b);
	assert_int_equal((int)feed(f).type, RTMP_ENDED);
}

static void result_of_level_error_is_a_rejection(void **state)
{
	struct fixture *f = *state;
	struct rtmp_event e;

	put_server_handshake(&f->b);
	put_answer(&f->b, "_result", 1, 0, "error", "NetConnection.Connect.InvalidApp", "no");
	e = feed(f);
	assert_int_equal(e.type, RTMP_EVENT_REFUSED);
	assert_string_equal(e.code, "NetConnection.Connect.InvalidApp");
}

static void refused_key_is_told(void **state)
{
	struct fixture *f = *state;
	struct rtmp_event e;

	connect_it(f);
	put_created(&f->b, 1);
	put_answer(&f->b, "onStatus", 0, 1, "error", "NetStream.Publish.BadName", "in use");
	e = feed(f);
	assert_int_equal(e.type, RTMP_EVENT_REFUSED);
	assert_string_equal(e.code, "NetStream.Publish.BadName");
	assert_string_equal(e.description, "in use");
}

static void other_refusals_are_told(void **state)
{
	static const struct {
		const char *name;
		double transaction;
		const char *code;
	} cases[] = {
		{ "_error", 4, "NetConnection.Call.Failed" },
		{ "_error", 5, "NetStream.Publish.Failed" },
		{ "onFCPublish", 0, "NetStream.Publish.Denied" },
		{ "close", 0, "NetConnection.Connect.Closed" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f;
		struct rtmp_event e;

		assert_int_equal(set_up((void **)&f), 0);
		connect_it(f);
		put_answer(&f->b, cases[i].name, cases[i].transaction, 0, "error", cases[i].code,
			   "");
		e = feed(f);
		assert_int_equal(e.type, RTMP_EVENT_REFUSED);
		assert_string_equal(e.code, cases[i].code);
		tear_down((void **)&f);
	}
	(void)state;
}

static void error_while_publishing_is_told(void **state)
{
	struct fixture *f = *state;

	publish_it(f);
	put_answer(&f->b, "onStatus", 0, 5, "error", "NetStream.Failed", "quota");
	assert_int_equal(feed(f).type, RTMP_EVENT_REFUSED);
}

static void unpublish_from_the_server_is_no_refusal(void **state)
{
	struct fixture *f = *state;

	publish_it(f);
	put_answer(&f->b, "onStatus", 0, 5, "status", "NetStream.Unpublish.Success", "bye");
	assert_int_equal(feed(f).type, RTMP_EVENT_NONE);
}

static void reconnect_request_is_told_with_its_url(void **state)
{
	struct fixture *f = *state;
	struct buffer amf = new_command("onStatus", 0);
	struct rtmp_event e;

	publish_it(f);
	amf_put_null(&amf);
	amf_put_object(&amf);
	amf_put_key(&amf, "level");
	amf_put_string(&amf, "status");
	amf_put_key(&amf, "code");
	amf_put_string(&amf, "NetConnection.Connect.ReconnectRequest");
	amf_put_key(&amf, "tcUrl");
	amf_put_string(&amf, "rtmp://b.example/live2");
	amf_put_end(&amf);
	put_amf(&f->b, 3, 0, &amf);
	e = feed(f);
	assert_int_equal(e.type, RTMP_EVENT_RECONNECT);
	assert_string_equal(e.description, "rtmp://b.example/live2");
	put_answer(&f->b, "onStatus", 0, 0, "status", "NetConnection.Connect.ReconnectRequest", "");
	e = feed(f);
	assert_int_equal(e.type, RTMP_EVENT_RECONNECT);
	assert_string_equal(e.description, "");
}

static void pings_are_answered_and_acks_noted(void **state)
{
	struct fixture *f = *state;
	const uint8_t *p;

	publish_it(f);
	BYTES(&f->b, 2, 0, 0, 0, 0, 0, 6, 4, 0, 0, 0, 0, 0, 6, 1, 2, 3, 4);
	put_control(&f->b, 3, 123456);
	assert_int_equal(feed(f).type, RTMP_EVENT_NONE);
	assert_int_equal(rtmp_client_output(f->c, &p), 18);
	assert_int_equal(get_be16(p + 12), 7);
	assert_int_equal(get_be32(p + 14), 0x01020304);
	assert_int_equal(rtmp_client_acked(f->c), 123456);
}

static void what_the_server_sends_is_acknowledged(void **state)
{
	struct fixture *f = *state;
	uint8_t body[60000] = { 0 };
	const uint8_t *p;

	publish_it(f);
	put_control(&f->b, 5, 70000);
	put_message(&f->b, 4, 0, 18, 1, body, sizeof(body), 128);
	put_message(&f->b, 4, 0, 18, 1, body, sizeof(body), 128);
	assert_int_equal(feed(f).type, RTMP_EVENT_NONE);
	assert_int_equal(rtmp_client_output(f->c, &p), 16);
	assert_int_equal(p[7], 3);
}

static void enhanced_client_announces_and_hears(void **state)
{
	struct fixture *f = *state;
	struct buffer amf = new_command("_result", 1);
	struct rtmp_event e;

	rtmp_client_destroy(&f->c);
	f->c = new_client(true);
	put_server_handshake(&f->b);
	feed(f);
	assert_true(says(f, "fourCcList"));
	assert_true(says(f, "hvc1"));
	assert_true(says(f, "videoFourCcInfoMap"));
	amf_put_object(&amf);
	amf_put_key(&amf, "capsEx");
	amf_put_number(&amf, 2);
	amf_put_end(&amf);
	put_info(&amf, "status", "NetConnection.Connect.Success", "");
	put_amf(&f->b, 3, 0, &amf);
	e = feed(f);
	assert_int_equal(e.type, RTMP_EVENT_CONNECTED);
	assert_true(e.is_enhanced);
}

static void codecs_a_server_lists_are_handed_on(void **state)
{
	struct fixture *f = *state;
	struct buffer amf = new_command("_result", 1);
	struct rtmp_event e;
	unsigned i;

	put_server_handshake(&f->b);
	amf_put_object(&amf);
	amf_put_key(&amf, "fourCcList");
	amf_put_strict_array(&amf, 43);
	amf_put_string(&amf, "hvc1");
	amf_put_number(&amf, 7);
	amf_put_string(&amf, "too long");
	for (i = 0; i < 40; i++) { /* more than there is room for */
		amf_put_string(&amf, "av01");
	}
	amf_put_end(&amf);
	put_info(&amf, "status", "NetConnection.Connect.Success", "");
	put_amf(&f->b, 3, 0, &amf);
	e = feed(f);
	assert_int_equal(e.type, RTMP_EVENT_CONNECTED);
	assert_true(e.is_enhanced);
	assert_int_equal(strncmp(e.codecs, " hvc1 av01 av01", 15), 0);
	assert_true(strlen(e.codecs) < 100);
}

static void plain_server_is_known_as_such(void **state)
{
	struct fixture *f = *state;
	struct rtmp_event e;

	put_server_handshake(&f->b);
	put_connected(&f->b);
	e = feed(f);
	assert_false(e.is_enhanced);
	assert_string_equal(e.codecs, "");
}

static void unpublish_says_the_broadcast_is_over(void **state)
{
	struct fixture *f = *state;
	const uint8_t *p;

	rtmp_client_unpublish(f->c); /* nothing is on air yet */
	assert_false(says(f, "FCUnpublish"));
	publish_it(f);
	rtmp_client_unpublish(f->c);
	rtmp_client_unpublish(f->c);
	assert_true(says(f, "FCUnpublish"));
	assert_true(says(f, "deleteStream"));
	assert_int_equal(rtmp_client_output(f->c, &p), 12 + 46 + 12 + 34); /* each once */
}

static void hostile_servers_are_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		int error;
	} cases[] = {
		{ "\x15\x03\x03", 3, RTMP_IS_TLS },
		{ "HTTP/1.1 400 Bad", 16, RTMP_IS_HTTP },
		{ "\x00", 1, RTMP_NOT_RTMP },
	};

	for (size_t i = 0; i < 3; i++) {
		struct fixture *f;

		assert_int_equal(set_up((void **)&f), 0);
		put_bytes(&f->b, cases[i].bytes, cases[i].n);
		assert_int_equal((int)feed(f).type, cases[i].error);
		tear_down((void **)&f);
	}
	(void)state;
}

static void stream_id_that_is_no_number_is_an_error(void **state)
{
	struct fixture *f = *state;

	connect_it(f);
	put_created(&f->b, -1);
	assert_int_equal((int)feed(f).type, RTMP_BAD_COMMAND);
}

static void steps_have_deadlines(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(rtmp_client_deadline(f->c), T0 + 5 * SECOND);
	put_server_handshake(&f->b);
	feed(f);
	assert_int_equal(rtmp_client_deadline(f->c), T0 + 10 * SECOND);
	put_connected(&f->b);
	feed(f);
	assert_int_equal(rtmp_client_deadline(f->c), T0 + 20 * SECOND);
	assert_int_equal(rtmp_client_tick(f->c, T0 + 19 * SECOND), RTMP_OK);
	assert_int_equal(rtmp_client_tick(f->c, T0 + 20 * SECOND), RTMP_TIMEOUT);
}

static void names_that_do_not_fit_make_no_client(void **state)
{
	static const uint8_t random[1528];
	char name[514];
	struct rtmp_client_config config = {
		.app = "a", .stream = name, .tc_url = "t", .agent = "g"
	};
	struct rtmp_limits limits;
	struct rtmp_client *c;

	rtmp_limits_default(&limits);
	memset(name, 'x', 513);
	name[513] = '\0';
	assert_null(rtmp_client_create(&config, &limits, random, T0));
	name[512] = '\0';
	c = rtmp_client_create(&config, &limits, random, T0);
	assert_non_null(c);
	rtmp_client_destroy(&c);
	(void)state;
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(client_publishes_step_by_step),
		T(chatter_in_any_order_is_passed_over),
		T(status_without_level_starts),
		T(rejected_connect_is_told),
		T(result_of_level_error_is_a_rejection),
		T(refused_key_is_told),
		T(other_refusals_are_told),
		T(error_while_publishing_is_told),
		T(unpublish_from_the_server_is_no_refusal),
		T(reconnect_request_is_told_with_its_url),
		T(pings_are_answered_and_acks_noted),
		T(what_the_server_sends_is_acknowledged),
		T(enhanced_client_announces_and_hears),
		T(codecs_a_server_lists_are_handed_on),
		T(plain_server_is_known_as_such),
		T(unpublish_says_the_broadcast_is_over),
		T(hostile_servers_are_refused),
		T(stream_id_that_is_no_number_is_an_error),
		T(steps_have_deadlines),
		T(names_that_do_not_fit_make_no_client),
	};

	return cmocka_run_group_tests_name("rtmp client", tests, NULL, NULL);
}
