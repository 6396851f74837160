/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The server session over time: acknowledgements, pings and deadlines. */
#include <understudy/clock.h>

#include "commands.h"

struct fixture {
	struct rtmp_server *s;
	struct buffer b;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->s = new_server();
	f->b = new_stream();
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	rtmp_server_destroy(&f->s);
	buffer_finish(&f->b);
	free(f);
	return 0;
}

static int feed(struct fixture *f)
{
	int status = feed_stream(f->s, &f->b, NULL);

	buffer_clear(&f->b);
	return status;
}

static size_t output_size(struct rtmp_server *s)
{
	const uint8_t *p;

	return rtmp_server_output(s, &p);
}

static void put_ping(struct buffer *b, uint32_t stamp)
{
	uint8_t body[6] = { 0, 6 };

	put_be32(body + 2, stamp);
	put_message(b, 2, 0, 4, 0, body, 6, 128);
}

static void pings_are_answered_ten_times_a_second(void **state)
{
	struct fixture *f = *state;
	const uint8_t *p;

	rtmp_server_destroy(&f->s);
	f->s = new_live_server();
	for (uint32_t i = 0; i < 30; i++) {
		put_ping(&f->b, 0xABCD0000 + i);
	}
	assert_int_equal(feed(f), RTMP_OK);
	assert_int_equal(rtmp_server_output(f->s, &p), 10 * 18);
	assert_int_equal(get_be16(p + 12), 7);
	assert_int_equal(get_be32(p + 14), 0xABCD0000);
	drop_output(f->s);
	put_ping(&f->b, 1);
	assert_int_equal(feed_server(f->s, buffer_bytes(&f->b), buffer_size(&f->b), 0, T0 + SECOND,
				     NULL),
			 RTMP_OK);
	assert_int_equal(output_size(f->s), 18);
}

static void put_junk(struct buffer *b, size_t bytes)
{
	uint8_t *body = calloc(1, bytes);

	assert_non_null(body);
	put_message(b, 6, 0, 9, 1, body, bytes, 128);
	free(body);
}

static void each_window_is_acknowledged(void **state)
{
	struct fixture *f = *state;
	const uint8_t *p;

	rtmp_server_destroy(&f->s);
	f->s = new_live_server();
	put_control(&f->b, 5, 100000);
	put_junk(&f->b, 110000);
	assert_int_equal(feed(f), RTMP_OK);
	assert_int_equal(rtmp_server_output(f->s, &p), 16);
	assert_int_equal(p[7], 3);
	assert_int_equal(get_be32(p + 12), (uint32_t)rtmp_server_received(f->s));
}

static void tiny_window_cannot_be_used_to_amplify(void **state)
{
	struct fixture *f = *state;

	for (uint32_t window = 0; window < 2; window++) {
		rtmp_server_destroy(&f->s);
		f->s = new_live_server();
		put_control(&f->b, 5, window);
		put_junk(&f->b, 60000);
		assert_int_equal(feed(f), RTMP_OK);
		assert_int_equal(output_size(f->s), 0);
		put_junk(&f->b, 60000);
		assert_int_equal(feed(f), RTMP_OK);
		assert_int_equal(output_size(f->s), 16);
	}
}

static void peer_that_never_reads_acks_is_kept(void **state)
{
	struct fixture *f = *state;
	size_t before = 0;

	rtmp_server_destroy(&f->s);
	f->s = new_live_server();
	put_control(&f->b, 5, 0);
	assert_int_equal(feed(f), RTMP_OK);
	put_junk(&f->b, 1000000);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(feed_server(f->s, buffer_bytes(&f->b), buffer_size(&f->b), 7,
					     T0 + i * SECOND, NULL),
				 RTMP_OK);
		assert_true(output_size(f->s) < 16 * 1024);
		if (i == 199) {
			assert_int_equal(output_size(f->s), before);
		}
		before = output_size(f->s);
	}
	drop_output(f->s);
	assert_int_equal(feed_server(f->s, buffer_bytes(&f->b), buffer_size(&f->b), 0,
				     T0 + 200 * SECOND, NULL),
			 RTMP_OK);
	assert_true(output_size(f->s) >= 16);
}

static void acknowledgements_wrap_at_32_bits(void **state)
{
	struct fixture *f = *state;
	const uint8_t *p;
	uint8_t *body = calloc(1, 8u << 20);
	uint64_t i = 0;

	assert_non_null(body);
	rtmp_server_destroy(&f->s);
	f->s = new_live_server();
	put_control(&f->b, 1, 0x7FFFFFFF);
	put_control(&f->b, 5, 64u << 20);
	assert_int_equal(feed(f), RTMP_OK);
	put_message(&f->b, 6, 0, 9, 1, body, 8u << 20, 8u << 20);
	free(body);
	while (rtmp_server_received(f->s) <= UINT32_MAX) {
		drop_output(f->s);
		assert_int_equal(feed_server(f->s, buffer_bytes(&f->b), buffer_size(&f->b), 0,
					     T0 + (int64_t)i++ * SECOND, NULL),
				 RTMP_OK);
	}
	while (output_size(f->s) == 0) {
		assert_int_equal(feed_server(f->s, buffer_bytes(&f->b), buffer_size(&f->b), 0,
					     T0 + (int64_t)i++ * SECOND, NULL),
				 RTMP_OK);
	}
	rtmp_server_output(f->s, &p);
	assert_int_equal(p[7], 3);
	assert_true(get_be32(p + 12) < 256u << 20);
}

static void deadlines_are_absolute(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(rtmp_server_deadline(f->s), T0 + 5 * SECOND);
	put_client_handshake(&f->b);
	assert_int_equal(feed(f), RTMP_OK);
	assert_int_equal(rtmp_server_deadline(f->s), T0 + 10 * SECOND);
	put_connect(&f->b, "live");
	assert_int_equal(feed_server(f->s, buffer_bytes(&f->b), buffer_size(&f->b), 0,
				     T0 + 9 * SECOND, NULL),
			 RTMP_OK);
	assert_int_equal(rtmp_server_deadline(f->s), T0 + 20 * SECOND);
	assert_int_equal(rtmp_server_tick(f->s, T0 + 20 * SECOND - 1), RTMP_OK);
	assert_int_equal(rtmp_server_tick(f->s, T0 + 20 * SECOND), RTMP_TIMEOUT);
	assert_int_equal(rtmp_server_feed(f->s, buffer_bytes(&f->b), 1, T0 + 20 * SECOND),
			 RTMP_TIMEOUT);
	assert_int_equal(rtmp_server_deadline(f->s), CLOCK_NEVER);
}

static void dripping_bytes_do_not_move_a_deadline(void **state)
{
	struct fixture *f = *state;
	int64_t now_us = T0;
	int status = RTMP_OK;

	put_client_handshake(&f->b);
	for (size_t i = 0; status == RTMP_OK; i++, now_us += 100 * MS) {
		status = feed_server(f->s, buffer_bytes(&f->b) + i, 1, 0, now_us, NULL);
	}
	assert_int_equal(status, RTMP_TIMEOUT);
	assert_int_equal(now_us, T0 + 5 * SECOND + 100 * MS);
}

static void live_session_lasts_while_media_comes(void **state)
{
	struct fixture *f = *state;

	rtmp_server_destroy(&f->s);
	f->s = new_live_server();
	assert_int_equal(rtmp_server_deadline(f->s), T0 + 30 * SECOND);
	put_message(&f->b, 4, 0, 8, 1, "a", 1, 128);
	assert_int_equal(feed_server(f->s, buffer_bytes(&f->b), buffer_size(&f->b), 0,
				     T0 + 29 * SECOND, NULL),
			 RTMP_OK);
	assert_int_equal(rtmp_server_deadline(f->s), T0 + 59 * SECOND);
	buffer_clear(&f->b);
	put_ping(&f->b, 0); /* no media */
	assert_int_equal(feed_server(f->s, buffer_bytes(&f->b), buffer_size(&f->b), 0,
				     T0 + 40 * SECOND, NULL),
			 RTMP_OK);
	assert_int_equal(rtmp_server_deadline(f->s), T0 + 59 * SECOND);
	/* this process slept: what has come meanwhile counts */
	buffer_clear(&f->b);
	put_message(&f->b, 4, 0, 8, 1, "a", 1, 128);
	assert_int_equal(feed_server(f->s, buffer_bytes(&f->b), buffer_size(&f->b), 0,
				     T0 + 80 * SECOND, NULL),
			 RTMP_OK);
	assert_int_equal(rtmp_server_tick(f->s, T0 + 109 * SECOND), RTMP_OK);
	assert_int_equal(rtmp_server_tick(f->s, T0 + 110 * SECOND), RTMP_TIMEOUT);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(pings_are_answered_ten_times_a_second), T(each_window_is_acknowledged),
		T(tiny_window_cannot_be_used_to_amplify), T(peer_that_never_reads_acks_is_kept),
		T(acknowledgements_wrap_at_32_bits),      T(deadlines_are_absolute),
		T(dripping_bytes_do_not_move_a_deadline), T(live_session_lasts_while_media_comes),
	};

	return cmocka_run_group_tests_name("rtmp liveness", tests, NULL, NULL);
}
