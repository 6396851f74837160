/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a hostile peer tries. Each test sends the attack and checks the refusal, and where
 * memory is the aim, that it does not grow.
 */
#include <malloc.h>

#include "commands.h"

/* Bytes in use on the heap; 0 where a sanitizer replaces it (then only the refusal counts). */
static size_t heap_bytes(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static int attack(struct rtmp_server *s, struct buffer *b)
{
	int status = feed_server(s, buffer_bytes(b), buffer_size(b), 0, T0, NULL);

	rtmp_server_destroy(&s);
	buffer_finish(b);
	return status;
}

static struct buffer connected(void)
{
	struct buffer b = new_stream();

	put_client_handshake(&b);
	put_connect(&b, "live");
	return b;
}

static void declared_lengths_cost_nothing(void **state)
{
	struct rtmp_server *s = new_live_server();
	struct buffer b = new_stream();
	size_t before;

	/* 16 chunk streams announce 8 MiB each and send one byte; chunks are as small as allowed */
	put_control(&b, 1, 1);
	for (uint8_t csid = 4; csid < 19; csid++) {
		put_head(&b, csid, 0, 8u << 20, 9, 1);
		BYTES(&b, 0);
	}
	before = heap_bytes();
	assert_int_equal(feed_stream(s, &b, NULL), RTMP_OK);
	assert_true(heap_bytes() - before < 256 * 1024);
	rtmp_server_destroy(&s);
	buffer_finish(&b);
	(void)state;
}

static int send_video(struct rtmp_server *s, uint8_t csid, uint32_t size, size_t sent)
{
	struct buffer b = new_stream();
	int status;

	put_head(&b, csid, 0, size, 9, 1);
	put_fill(&b, 0, sent);
	status = feed_stream(s, &b, NULL);
	buffer_finish(&b);
	return status;
}

static void unfinished_messages_share_one_budget(void **state)
{
	struct rtmp_server *s = new_live_server();
	struct buffer b = new_stream();
	size_t before;
	uint8_t csid;
	int status = RTMP_OK;

	put_control(&b, 1, 1000000);
	assert_int_equal(feed_stream(s, &b, NULL), RTMP_OK);
	buffer_finish(&b);
	before = heap_bytes();
	for (csid = 4; csid < 19; csid++) { /* finished ones make room for the next */
		assert_int_equal(send_video(s, csid, 1000000, 1000000), RTMP_OK);
	}
	for (csid = 4; status == RTMP_OK && csid < 19; csid++) {
		status = send_video(s, csid, 1500000, 1000000);
	}
	assert_int_equal(status, RTMP_TOO_LARGE);
	assert_true(csid > 4 + 10);
	assert_true(heap_bytes() - before < 13u << 20);
	rtmp_server_destroy(&s);
	(void)state;
}

static void memory_of_one_huge_message_is_given_back(void **state)
{
	struct rtmp_server *s = new_live_server();
	struct buffer b = new_stream();
	size_t before;

	put_control(&b, 1, 0xFFFFFF);
	assert_int_equal(feed_stream(s, &b, NULL), RTMP_OK);
	before = heap_bytes();
	buffer_clear(&b);
	put_head(&b, 6, 0, 8u << 20, 9, 1);
	put_fill(&b, 0, 8u << 20);
	assert_int_equal(feed_stream(s, &b, NULL), RTMP_OK);
	buffer_finish(&b);
	b = new_stream();
	for (int i = 0; i < 1100; i++) {
		put_message(&b, 6, 0, 9, 1, "frame", 5, 128);
	}
	assert_int_equal(feed_stream(s, &b, NULL), RTMP_OK);
	buffer_finish(&b);
	assert_true(heap_bytes() < before + 64 * 1024);
	rtmp_server_destroy(&s);
	(void)state;
}

static void messages_larger_than_their_kind_are_refused_by_their_header(void **state)
{
	static const struct {
		uint8_t type;
		uint32_t size;
	} cases[] = {
		{ 1, 5 },
		{ 2, 5 },
		{ 3, 5 },
		{ 5, 5 },
		{ 6, 6 },
		{ 4, 65 },
		{ 8, 256 * 1024 + 1 },
		{ 9, (8u << 20) + 1 },
		{ 22, (8u << 20) + 1 },
		{ 15, 64 * 1024 + 1 },
		{ 18, 64 * 1024 + 1 },
		{ 19, 64 * 1024 + 1 },
		{ 17, 16 * 1024 + 1 },
		{ 20, 16 * 1024 + 1 },
		{ 99, 64 * 1024 + 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buffer b = new_stream();

		put_head(&b, 6, 0, cases[i].size, cases[i].type, 1);
		assert_int_equal(attack(new_live_server(), &b), RTMP_TOO_LARGE);
		b = new_stream();
		put_head(&b, 6, 0, cases[i].size - 1, cases[i].type, 1);
		assert_int_equal(attack(new_live_server(), &b), RTMP_OK);
	}
	(void)state;
}

static void control_messages_cut_short_are_errors(void **state)
{
	struct buffer b;
	static const uint8_t types[] = { 1, 2, 3, 4, 5, 6 };
	static const uint8_t ping[] = { 0, 6, 0, 0, 0 };

	for (size_t i = 0; i < sizeof(types); i++) {
		b = new_stream();
		put_message(&b, 2, 0, types[i], 0, "x", 1, 128);
		assert_int_equal(attack(new_live_server(), &b), RTMP_BAD_MESSAGE);
		b = new_stream();
		put_message(&b, 2, 0, types[i], 0, "", 0, 128);
		assert_int_equal(attack(new_live_server(), &b), RTMP_BAD_MESSAGE);
	}
	b = new_stream();
	put_message(&b, 2, 0, 4, 0, ping, sizeof(ping), 128);
	assert_int_equal(attack(new_live_server(), &b), RTMP_BAD_MESSAGE);
	(void)state;
}

static void media_before_publish_is_refused(void **state)
{
	static const uint8_t types[] = { 8, 9, 22 };

	for (size_t i = 0; i < 3; i++) {
		struct buffer b = connected();

		put_message(&b, 4, 0, types[i], 1, "x", 1, 128);
		assert_int_equal(attack(new_server(), &b), RTMP_TOO_EARLY);
	}
	(void)state;
}

static void bytes_before_publish_are_bounded_at_any_cut(void **state)
{
	struct buffer b = connected();

	for (int i = 0; i < 10; i++) {
		put_head(&b, 4, 0, 10000, 18, 0);
		for (size_t at = 0; at < 10000; at += 128) {
			if (at > 0) {
				BYTES(&b, 0xC4);
			}
			put_fill(&b, 0, 10000 - at < 128 ? 10000 - at : 128);
		}
	}
	for (unsigned seed = 0; seed < 5; seed++) {
		struct rtmp_server *s = new_server();

		assert_int_equal(feed_server(s, buffer_bytes(&b), buffer_size(&b), seed, T0, NULL),
				 RTMP_TOO_EARLY);
		assert_int_equal(rtmp_server_received(s), 1 + 2 * HANDSHAKE_SIZE + 64 * 1024);
		rtmp_server_destroy(&s);
	}
	buffer_finish(&b);
	(void)state;
}

static void tiny_chunks_before_publish_are_refused(void **state)
{
	struct buffer b = connected();

	put_control(&b, 1, 127);
	assert_int_equal(attack(new_server(), &b), RTMP_BAD_MESSAGE);
	(void)state;
}

static void flood_of_chunks_is_refused(void **state)
{
	struct buffer b = new_stream();

	put_control(&b, 1, 1);
	put_head(&b, 6, 0, 150000, 9, 1);
	BYTES(&b, 0);
	for (int i = 0; i < 120000; i++) {
		BYTES(&b, 0xC6, 0);
	}
	assert_int_equal(attack(new_live_server(), &b), RTMP_TOO_FAST);
	(void)state;
}

static void flood_of_empty_messages_is_refused(void **state)
{
	struct buffer b = new_stream();

	for (int i = 0; i < 5001; i++) {
		put_message(&b, 4, 0, 8, 1, "", 0, 128);
	}
	assert_int_equal(attack(new_live_server(), &b), RTMP_TOO_FAST);
	(void)state;
}

static void parts_of_aggregates_count_as_messages(void **state)
{
	static const uint8_t part[] = { 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11 };
	struct buffer b = new_stream(), body = new_stream();

	for (int i = 0; i < 5001; i++) {
		put_bytes(&body, part, sizeof(part));
	}
	put_message(&b, 6, 0, 22, 1, buffer_bytes(&body), buffer_size(&body), 128);
	buffer_finish(&body);
	assert_int_equal(attack(new_live_server(), &b), RTMP_TOO_FAST);
	(void)state;
}

static void connect_of_nested_objects_is_refused(void **state)
{
	struct buffer b = new_stream(), amf = new_command("connect", 1);

	/* 5000 objects in each other: with librtmp, enough of them end on the stack's guard page */
	for (int i = 0; i < 5000; i++) {
		BYTES(&amf, 3, 0, 0);
	}
	put_client_handshake(&b);
	put_amf(&b, 3, 0, &amf);
	assert_int_equal(attack(new_server(), &b), RTMP_BAD_COMMAND);
	(void)state;
}

static void commands_cut_short_are_refused(void **state)
{
	struct buffer amf = new_command("connect", 1);
	size_t size;

	amf_put_object(&amf);
	amf_put_key(&amf, "app");
	amf_put_string(&amf, "live");
	amf_put_end(&amf);
	size = buffer_size(&amf);
	for (size_t n = 0; n < size; n++) {
		struct buffer b = new_stream();

		put_client_handshake(&b);
		put_message(&b, 3, 0, 20, 0, buffer_bytes(&amf), n, 128);
		assert_int_equal(attack(new_server(), &b), RTMP_BAD_COMMAND);
	}
	buffer_finish(&amf);
	(void)state;
}

static void names_beyond_512_bytes_are_refused(void **state)
{
	char name[514];
	struct buffer b = new_stream();

	memset(name, 'x', 513);
	name[513] = '\0';
	put_client_handshake(&b);
	put_connect(&b, name);
	assert_int_equal(attack(new_server(), &b), RTMP_BAD_COMMAND);
	b = connected();
	put_named(&b, "publish", 5, 1, name);
	assert_int_equal(attack(new_server(), &b), RTMP_BAD_COMMAND);
	name[512] = '\0';
	b = connected();
	put_named(&b, "publish", 5, 1, name);
	assert_int_equal(attack(new_server(), &b), RTMP_OK);
	(void)state;
}

static void strange_numbers_do_no_harm(void **state)
{
	static const uint8_t numbers[][8] = {
		{ 0x7F, 0xF8 }, { 0x7F, 0xF0 }, { 0xFF, 0xF0 }, { 0xBF, 0xF0 }, { 0x7F, 0xE0 },
	};

	for (size_t i = 0; i < 5; i++) {
		struct rtmp_server *s = new_server();
		struct buffer b = connected(), amf = new_stream();
		struct digest d;

		digest_init(&d);
		amf_put_string(&amf, "createStream");
		BYTES(&amf, 0);
		put_bytes(&amf, numbers[i], 8);
		amf_put_null(&amf);
		put_amf(&b, 3, 0, &amf);
		put_named(&b, "publish", 5, 1, "k");
		amf = new_command("deleteStream", 1);
		amf_put_null(&amf);
		BYTES(&amf, 0);
		put_bytes(&amf, numbers[i], 8);
		put_amf(&b, 3, 0, &amf);
		assert_int_equal(feed_stream(s, &b, &d), RTMP_OK);
		digest_finish(&d);
		buffer_finish(&b);
		rtmp_server_destroy(&s);
	}
	(void)state;
}

static void replies_to_a_flood_of_commands_are_bounded(void **state)
{
	struct rtmp_server *s = new_server();
	struct buffer b = connected();
	const uint8_t *p;
	int status;

	for (int i = 0; i < 1000; i++) {
		put_named(&b, "FCPublish", 3 + i, 0, "k");
	}
	status = feed_stream(s, &b, NULL);
	assert_true(status == RTMP_TOO_FAST || status == RTMP_TOO_EARLY);
	assert_true(rtmp_server_output(s, &p) <= 64 * 1024);
	rtmp_server_destroy(&s);
	buffer_finish(&b);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(declared_lengths_cost_nothing),
		cmocka_unit_test(unfinished_messages_share_one_budget),
		cmocka_unit_test(memory_of_one_huge_message_is_given_back),
		cmocka_unit_test(messages_larger_than_their_kind_are_refused_by_their_header),
		cmocka_unit_test(control_messages_cut_short_are_errors),
		cmocka_unit_test(media_before_publish_is_refused),
		cmocka_unit_test(bytes_before_publish_are_bounded_at_any_cut),
		cmocka_unit_test(tiny_chunks_before_publish_are_refused),
		cmocka_unit_test(flood_of_chunks_is_refused),
		cmocka_unit_test(flood_of_empty_messages_is_refused),
		cmocka_unit_test(parts_of_aggregates_count_as_messages),
		cmocka_unit_test(connect_of_nested_objects_is_refused),
		cmocka_unit_test(commands_cut_short_are_refused),
		cmocka_unit_test(names_beyond_512_bytes_are_refused),
		cmocka_unit_test(strange_numbers_do_no_harm),
		cmocka_unit_test(replies_to_a_flood_of_commands_are_bounded),
	};

	return cmocka_run_group_tests_name("rtmp hostile", tests, NULL, NULL);
}
