/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The chunk layer, driven through a live session so that whole messages are seen. */
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
	f->s = new_live_server();
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

static void check(struct fixture *f, const char *expected)
{
	assert_int_equal(feed_stream(f->s, &f->b, &f->d), RTMP_OK);
	assert_string_equal(digest_text(&f->d), expected);
}

/* Feeds the same bytes to fresh sessions whole, byte by byte and in random pieces. */
static void check_any_split(const struct buffer *b, const char *expected)
{
	for (unsigned seed = 0; seed < 40; seed++) {
		struct rtmp_server *s = new_live_server();
		struct digest d;

		digest_init(&d);
		assert_int_equal(feed_server(s, buffer_bytes(b), buffer_size(b), seed, T0, &d),
				 RTMP_OK);
		assert_string_equal(digest_text(&d), expected);
		digest_finish(&d);
		rtmp_server_destroy(&s);
	}
}

static char *line(char *to, unsigned type, uint32_t timestamp, const void *body, size_t size)
{
	return to + sprintf(to, "%u %u %zu %016llx\n", type, timestamp, size,
			    (unsigned long long)fnv1a(body, size));
}

static void message_in_default_chunks_is_put_together(void **state)
{
	struct fixture *f = *state;
	uint8_t body[300];
	char expected[64];

	memset(body, 7, sizeof(body));
	put_message(&f->b, 6, 40, 9, 1, body, sizeof(body), 128);
	line(expected, 9, 40, body, sizeof(body));
	check(f, expected);
}

static void chunk_streams_interleave(void **state)
{
	struct fixture *f = *state;
	uint8_t video[200];
	char expected[128];

	memset(video, 1, sizeof(video));
	put_head(&f->b, 6, 10, 200, 9, 1);
	put_bytes(&f->b, video, 128);
	put_message(&f->b, 4, 12, 8, 1, "audio", 5, 128);
	BYTES(&f->b, 0xC6);
	put_bytes(&f->b, video + 128, 72);
	line(line(expected, 8, 12, "audio", 5), 9, 10, video, 200);
	check(f, expected);
}

static void two_and_three_byte_chunk_stream_ids_are_read(void **state)
{
	struct fixture *f = *state;
	char expected[256];

	BYTES(&f->b, 0x00, 6, 0, 0, 1, 0, 0, 1, 8, 1, 0, 0, 0, 'a');    /* 70 */
	BYTES(&f->b, 0x01, 6, 1, 0, 0, 2, 0, 0, 1, 8, 1, 0, 0, 0, 'b'); /* 326 */
	BYTES(&f->b, 0x81, 6, 1, 0, 0, 5, 'c');                         /* 326 again */
	BYTES(&f->b, 0x81, 6, 0, 0, 0, 5, 'd');                         /* 70, long form */
	line(line(line(line(expected, 8, 1, "a", 1), 8, 2, "b", 1), 8, 7, "c", 1), 8, 6, "d", 1);
	check_any_split(&f->b, expected);
}

static void type_3_at_the_start_of_a_message_repeats_the_last_timestamp_field(void **state)
{
	struct fixture *f = *state;
	char expected[512], *to = expected;

	BYTES(&f->b, 4, 0, 0, 10, 0, 0, 1, 8, 1, 0, 0, 0, 'a'); /* at 10 */
	BYTES(&f->b, 0xC4, 'b');                                /* 10 + 10: absolute repeated */
	BYTES(&f->b, 0x84, 0, 0, 21, 'c');                      /* + 21 */
	BYTES(&f->b, 0xC4, 'd');                                /* + 21 */
	to = line(to, 8, 10, "a", 1);
	to = line(to, 8, 20, "b", 1);
	to = line(to, 8, 41, "c", 1);
	line(to, 8, 62, "d", 1);
	check_any_split(&f->b, expected);
}

static void timestamps_wrap_at_32_bits(void **state)
{
	struct fixture *f = *state;
	char expected[128];

	put_message(&f->b, 4, 0xFFFFFFF0, 8, 1, "a", 1, 128);
	BYTES(&f->b, 0x84, 0, 0, 0x20, 'b');
	line(line(expected, 8, 0xFFFFFFF0, "a", 1), 8, 0x10, "b", 1);
	check_any_split(&f->b, expected);
}

static void extended_timestamp_in_continuations_is_taken(void **state)
{
	struct fixture *f = *state;
	uint8_t body[400];
	char expected[64];

	memset(body, 1, sizeof(body));
	put_message(&f->b, 6, 0x01020304, 9, 1, body, sizeof(body), 128);
	line(expected, 9, 0x01020304, body, sizeof(body));
	check_any_split(&f->b, expected);
}

/* The payload is chosen so that it begins like the timestamp that was left out, in each way. */
static void extended_timestamp_left_out_of_continuations_is_tolerated(void **state)
{
	static const uint8_t starts[][4] = {
		{ 9, 9, 9, 9 },
		{ 1, 9, 9, 9 },
		{ 1, 2, 9, 9 },
		{ 1, 2, 3, 9 },
	};
	static const size_t sizes[] = { 400, 129, 130, 131, 132, 257, 258, 259 };

	for (size_t i = 0; i < 4; i++) {
		for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
			struct buffer b = new_stream();
			uint8_t body[400];
			char expected[128];

			memset(body, 9, sizeof(body));
			memcpy(body + 128, starts[i], 4);
			memcpy(body + 256, starts[i], 4);
			put_head(&b, 6, 0x01020305, (uint32_t)sizes[k], 9, 1);
			for (size_t at = 0; at < sizes[k]; at += 128) {
				if (at > 0) {
					BYTES(&b, 0xC6);
				}
				put_bytes(&b, body + at, sizes[k] - at < 128 ? sizes[k] - at : 128);
			}
			put_message(&b, 4, 7, 8, 1, "next", 4, 128);
			line(line(expected, 9, 0x01020305, body, sizes[k]), 8, 7, "next", 4);
			check_any_split(&b, expected);
			buffer_finish(&b);
		}
	}
	(void)state;
}

static void extended_delta_is_repeated_in_continuations(void **state)
{
	struct fixture *f = *state;
	uint8_t body[130] = { 0 };
	char expected[128];

	put_message(&f->b, 4, 5, 8, 1, "a", 1, 128);
	BYTES(&f->b, 0x44, 0xFF, 0xFF, 0xFF, 0, 0, 130, 8, 2, 0, 0, 0);
	put_bytes(&f->b, body, 128);
	BYTES(&f->b, 0xC4, 2, 0, 0, 0);
	put_bytes(&f->b, body, 2);
	line(line(expected, 8, 5, "a", 1), 8, 0x02000005, body, 130);
	check_any_split(&f->b, expected);
}

static void new_length_in_the_middle_of_a_message_starts_a_new_message(void **state)
{
	struct fixture *f = *state;
	uint8_t *body = calloc(1, 100000);
	char expected[64];

	/* fmt 0 with 200 bytes, 128 sent; then fmt 1 with 100000: librtmp keeps the old buffer */
	assert_non_null(body);
	put_head(&f->b, 6, 10, 200, 9, 1);
	put_fill(&f->b, 0xEE, 128);
	BYTES(&f->b, 0x46, 0, 0, 5, 0x01, 0x86, 0xA0, 9);
	for (size_t at = 0; at < 100000; at += 128) {
		if (at > 0) {
			BYTES(&f->b, 0xC6);
		}
		put_bytes(&f->b, body + at, 100000 - at < 128 ? 100000 - at : 128);
	}
	line(expected, 9, 15, body, 100000);
	free(body);
	check_any_split(&f->b, expected);
}

static void abort_drops_the_partial_message(void **state)
{
	struct fixture *f = *state;
	char expected[64];

	put_head(&f->b, 6, 10, 200, 9, 1);
	put_fill(&f->b, 0xEE, 128);
	put_control(&f->b, 2, 6);
	put_message(&f->b, 6, 20, 9, 1, "new", 3, 128);
	line(expected, 9, 20, "new", 3);
	check_any_split(&f->b, expected);
}

static void abort_of_an_unknown_chunk_stream_does_nothing(void **state)
{
	struct fixture *f = *state;

	put_control(&f->b, 2, 0);
	put_control(&f->b, 2, 77);
	check(f, "");
}

static void header_on_a_chunk_stream_that_is_not_open_is_an_error(void **state)
{
	static const uint8_t heads[3] = { 0x47, 0x87, 0xC7 };

	for (size_t i = 0; i < 3; i++) {
		struct rtmp_server *s = new_live_server();
		struct buffer b = new_stream();

		BYTES(&b, heads[i], 0, 0, 0, 0, 0, 1, 8, 'a');
		assert_int_equal(feed_stream(s, &b, NULL), RTMP_BAD_CHUNK);
		/* and it stays ended */
		assert_int_equal(feed_stream(s, &b, NULL), RTMP_BAD_CHUNK);
		buffer_finish(&b);
		rtmp_server_destroy(&s);
	}
	(void)state;
}

static void control_stream_may_start_with_type_1(void **state)
{
	struct fixture *f = *state;

	BYTES(&f->b, 0x42, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 9); /* librtmp's acknowledgement */
	check(f, "");
}

static void idle_chunk_stream_is_given_up_for_a_new_one(void **state)
{
	struct fixture *f = *state;
	char expected[4096], *to = expected;

	for (uint8_t csid = 4; csid < 40; csid++) {
		put_message(&f->b, csid, csid, 8, 1, &csid, 1, 128);
		to = line(to, 8, csid, &csid, 1);
	}
	check(f, expected);
	buffer_clear(&f->b);
	BYTES(&f->b, 0x44, 0, 0, 0, 0, 0, 1, 8, 'a'); /* 4 is long forgotten */
	assert_int_equal(feed_stream(f->s, &f->b, &f->d), RTMP_BAD_CHUNK);
}

static void more_unfinished_messages_than_chunk_streams_is_an_error(void **state)
{
	struct fixture *f = *state;

	for (uint8_t csid = 4; csid < 40; csid++) {
		put_head(&f->b, csid, 0, 500, 8, 1);
		put_fill(&f->b, 0, 128);
	}
	assert_int_equal(feed_stream(f->s, &f->b, &f->d), RTMP_BAD_CHUNK);
}

static void chunk_size_applies_from_the_next_chunk(void **state)
{
	struct fixture *f = *state;
	uint8_t body[300] = { 0 };
	char expected[128];

	put_head(&f->b, 6, 0, 300, 9, 1);
	put_fill(&f->b, 0, 128);
	put_control(&f->b, 1, 4096);
	BYTES(&f->b, 0xC6);
	put_fill(&f->b, 0, 172);
	put_message(&f->b, 6, 1, 9, 1, body, 300, 4096);
	line(line(expected, 9, 0, body, 300), 9, 1, body, 300);
	check_any_split(&f->b, expected);
}

static void chunk_size_of_one_works_once_live(void **state)
{
	struct fixture *f = *state;
	char expected[128];

	put_control(&f->b, 1, 1);
	put_message(&f->b, 6, 0x01020304, 9, 1, "\1\2\3\4\1\2", 6, 1);
	line(expected, 9, 0x01020304, "\1\2\3\4\1\2", 6);
	check_any_split(&f->b, expected);
}

static void huge_chunk_size_is_the_same_as_24_bits(void **state)
{
	struct fixture *f = *state;
	uint8_t body[70000] = { 0 };
	char expected[128];

	put_control(&f->b, 1, 0x7FFFFFFF);
	put_message(&f->b, 6, 0, 9, 1, body, sizeof(body), sizeof(body));
	line(expected, 9, 0, body, sizeof(body));
	check(f, expected);
}

static void chunk_size_of_zero_or_with_the_top_bit_is_an_error(void **state)
{
	static const uint32_t sizes[] = { 0, 0x80000000, 0xFFFFFFFF };

	for (size_t i = 0; i < 3; i++) {
		struct rtmp_server *s = new_live_server();
		struct buffer b = new_stream();

		put_control(&b, 1, sizes[i]);
		assert_int_equal(feed_stream(s, &b, NULL), RTMP_BAD_MESSAGE);
		buffer_finish(&b);
		rtmp_server_destroy(&s);
	}
	(void)state;
}

static void empty_messages_are_legal(void **state)
{
	struct fixture *f = *state;
	char expected[256];

	put_message(&f->b, 4, 20, 8, 1, "", 0, 128); /* silence */
	BYTES(&f->b, 0x84, 0, 0, 20);                /* again, fmt 2 */
	BYTES(&f->b, 0xC4);                          /* again, fmt 3 */
	line(line(line(expected, 8, 20, "", 0), 8, 40, "", 0), 8, 60, "", 0);
	check_any_split(&f->b, expected);
}

static void aggregate_is_taken_apart(void **state)
{
	struct fixture *f = *state;
	struct buffer body = new_stream();
	char expected[256], *to = expected;

	/* sub-timestamps start at 1000; the aggregate is at 50000 */
	BYTES(&body, 8, 0, 0, 2, 0, 3, 0xE8, 0, 0, 0, 0, 'a', 'b', 0, 0, 0, 13);
	BYTES(&body, 9, 0, 0, 1, 0, 4, 0x10, 0, 0, 0, 0, 'v', 9, 9, 9, 9);
	BYTES(&body, 15, 0, 0, 2, 0, 4, 0x10, 0, 0, 0, 0, 0, 'd', 9, 9, 9, 9);
	BYTES(&body, 20, 0, 0, 1, 0, 4, 0x10, 0, 0, 0, 0, 'x', 9, 9, 9, 9); /* no media */
	BYTES(&body, 8, 0, 0, 0, 0, 4, 0x38, 0, 0, 0, 0); /* empty, back pointer left out */
	put_message(&f->b, 6, 50000, 22, 1, buffer_bytes(&body), buffer_size(&body), 128);
	put_message(&f->b, 4, 50100, 8, 1, "z", 1, 128);
	to = line(to, 8, 50000, "ab", 2);
	to = line(to, 9, 50040, "v", 1);
	to = line(to, 18, 50040, "d", 1);
	to = line(to, 8, 50080, "", 0);
	line(to, 8, 50100, "z", 1);
	check_any_split(&f->b, expected);
	buffer_finish(&body);
}

static void malformed_aggregate_is_an_error(void **state)
{
	static const uint8_t nested[] = { 22, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11 };
	static const uint8_t too_long[] = { 8, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 'a', 0, 0, 0, 0 };
	static const uint8_t cut[] = { 8, 0, 0 };
	static const struct {
		const uint8_t *body;
		size_t size;
	} cases[] = { { nested, sizeof(nested) }, { too_long, sizeof(too_long) }, { cut, 3 } };

	for (size_t i = 0; i < 3; i++) {
		struct rtmp_server *s = new_live_server();
		struct buffer b = new_stream();
		struct digest d;

		digest_init(&d);
		put_message(&b, 6, 0, 22, 1, cases[i].body, cases[i].size, 128);
		assert_int_equal(feed_stream(s, &b, &d), RTMP_BAD_MESSAGE);
		assert_string_equal(digest_text(&d), "");
		digest_finish(&d);
		buffer_finish(&b);
		rtmp_server_destroy(&s);
	}
	(void)state;
}

static void data_of_type_15_comes_out_as_18_without_its_format_byte(void **state)
{
	struct fixture *f = *state;
	char expected[128];

	put_message(&f->b, 4, 9, 15, 1, "\0data", 5, 128);
	put_message(&f->b, 4, 9, 15, 1, "", 0, 128);
	line(expected, 18, 9, "data", 4);
	check(f, expected);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(message_in_default_chunks_is_put_together),
		T(chunk_streams_interleave),
		T(two_and_three_byte_chunk_stream_ids_are_read),
		T(type_3_at_the_start_of_a_message_repeats_the_last_timestamp_field),
		T(timestamps_wrap_at_32_bits),
		T(extended_timestamp_in_continuations_is_taken),
		T(extended_timestamp_left_out_of_continuations_is_tolerated),
		T(extended_delta_is_repeated_in_continuations),
		T(new_length_in_the_middle_of_a_message_starts_a_new_message),
		T(abort_drops_the_partial_message),
		T(abort_of_an_unknown_chunk_stream_does_nothing),
		T(header_on_a_chunk_stream_that_is_not_open_is_an_error),
		T(control_stream_may_start_with_type_1),
		T(idle_chunk_stream_is_given_up_for_a_new_one),
		T(more_unfinished_messages_than_chunk_streams_is_an_error),
		T(chunk_size_applies_from_the_next_chunk),
		T(chunk_size_of_one_works_once_live),
		T(huge_chunk_size_is_the_same_as_24_bits),
		T(chunk_size_of_zero_or_with_the_top_bit_is_an_error),
		T(empty_messages_are_legal),
		T(aggregate_is_taken_apart),
		T(malformed_aggregate_is_an_error),
		T(data_of_type_15_comes_out_as_18_without_its_format_byte),
	};

	return cmocka_run_group_tests_name("rtmp chunk", tests, NULL, NULL);
}
