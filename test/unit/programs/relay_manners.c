/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How understudy-relay-rtmp treats platforms that are away, slow, full of wishes or hostile. */
#include "relay_world.h"

#include <understudy/amf.h>

#define REDIAL_MS ((INT64_C(1) << 31) - 3600 * 1000)

static void go_on_air_with(struct world *w, const struct ipc_destination_add *order)
{
	struct platform *f = &w->platforms[order->id - 1];
	unsigned published = f->published;

	add_order(w, order);
	put_gop(w, 1000);
	WAIT_FOR(w, f->published == published + 1);
	WAIT_FOR(w, w->status[order->id].state == DESTINATION_HELD);
	put_gop(w, 1000);
	WAIT_FOR(w, w->status[order->id].state == DESTINATION_LIVE);
	WAIT_FOR(w, f->count >= 3 + 2 * GOP);
}

/* ---- retry and backup ---- */

static void backup_ingest_is_dialled_when_the_first_cannot_be_reached(void **state)
{
	struct world *w = *state;
	struct ipc_destination_add order;

	start(w, 20000);
	order = order_for(w, 1, platform_host(), false);
	order.endpoint_count = 2;
	order.endpoints[1] = endpoint_at(w->platforms[1].port, platform_host(), false);
	close(w->platforms[0].listener);
	w->platforms[0].listener = -1;
	add_order(w, &order);
	put_gop(w, 1000);
	WAIT_FOR(w, w->platforms[1].published == 1);
	WAIT_FOR(w, w->status[1].state == DESTINATION_HELD);
	assert_int_equal(w->status[1].endpoint, 1);
	assert_true(w->status[1].accepted_us > 0);
	put_gop(w, 1000);
	WAIT_FOR(w, w->status[1].state == DESTINATION_LIVE);
	finish(w);
}

static void first_ingest_is_dialled_again_when_the_backup_ends_the_connection_soon(void **state)
{
	struct world *w = *state;
	struct ipc_destination_add order;

	start(w, 20000);
	order = order_for(w, 1, platform_host(), false);
	order.first_us = order.cap_us = 100000;
	order.endpoint_count = 2;
	order.endpoints[1] = endpoint_at(w->platforms[1].port, platform_host(), false);
	w->platforms[0].manner = PLATFORM_RESETS;
	w->platforms[1].manner = PLATFORM_RESETS;
	add_order(w, &order);
	put_gop(w, 1000);
	WAIT_FOR(w, w->platforms[0].accepted >= 2 && w->platforms[1].accepted >= 2);
	finish(w);
}

static void waits_never_exceed_the_configured_cap(void **state)
{
	struct world *w = *state;
	struct ipc_destination_add order;
	int64_t began_us;

	start(w, 20000);
	order = order_for(w, 1, platform_host(), false);
	order.first_us = 50000;
	order.cap_us = 100000;
	close(w->platforms[0].listener);
	w->platforms[0].listener = -1;
	add_order(w, &order);
	put_gop(w, 1000);
	began_us = clock_monotonic_us();
	WAIT_FOR(w, w->status[1].restarts >= 12);
	/* with the default cap these would take more than a minute */
	assert_true(clock_monotonic_us() - began_us < 10000000);
	finish(w);
}

/* ---- hold ---- */

static void connection_without_media_is_closed_after_hold_and_comes_back_with_it(void **state)
{
	struct world *w = *state;
	struct ipc_destination_add order;

	start(w, 20000);
	order = order_for(w, 1, platform_host(), false);
	order.hold_us = 1000000;
	go_on_air_with(w, &order);
	WAIT_FOR(w, w->status[1].state == DESTINATION_IDLE);
	assert_non_null(strstr(w->status[1].why, "no media for 1 s"));
	WAIT_FOR(w, !w->platforms[0].stream);
	assert_true(w->platforms[0].was_reset);
	assert_int_equal(w->platforms[0].unpublished, 0);
	put_gop(w, 1000);
	WAIT_FOR(w, w->platforms[0].published == 2);
	WAIT_FOR(w, w->status[1].state == DESTINATION_HELD);
	put_gop(w, 1000);
	WAIT_FOR(w, w->status[1].state == DESTINATION_LIVE);
	finish(w);
}

static void nothing_is_dialled_again_while_the_show_is_away(void **state)
{
	struct world *w = *state;
	struct ipc_destination_add order;

	start(w, 20000);
	order = order_for(w, 1, platform_host(), false);
	order.hold_us = 1000000;
	order.first_us = order.cap_us = 300000;
	close(w->platforms[0].listener);
	w->platforms[0].listener = -1;
	add_order(w, &order);
	put_gop(w, 1000);
	WAIT_FOR(w, w->status[1].state == DESTINATION_BACKING_OFF);
	WAIT_FOR(w, w->status[1].state == DESTINATION_IDLE);
	assert_string_equal(w->status[1].why, "nothing to send");
	finish(w);
}

/* ---- going over ---- */

/* Every frame has come exactly once, the later connection began at a key frame and time 0. */
static void assert_went_over(const struct platform *f, uint32_t first, uint32_t end)
{
	unsigned i, now = 0;
	uint32_t next = first;
	bool has_begun = false;

	for (i = 0; i < f->count; i++) {
		const struct platform_message *m = &f->messages[i];

		if (!is_video_frame(m) || number_of(m) < first) {
			continue;
		}
		assert_int_equal(number_of(m), next);
		assert_true(m->connection >= now);
		if (now && m->connection > now) {
			assert_true(is_key_frame(m));
			assert_int_equal(m->timestamp_ms, 0);
			has_begun = true;
		}
		now = m->connection;
		next++;
	}
	assert_int_equal(next, end);
	assert_true(has_begun);
}

static void ask_over(struct platform *f, const char *tc_url)
{
	uint8_t bytes[1024];
	struct buffer b;
	size_t head;

	buffer_init(&b, 512);
	amf_put_string(&b, "onStatus");
	amf_put_number(&b, 0);
	amf_put_null(&b);
	amf_put_object(&b);
	amf_put_key(&b, "code");
	amf_put_string(&b, "NetConnection.Connect.ReconnectRequest");
	amf_put_key(&b, "level");
	amf_put_string(&b, "status");
	if (tc_url) {
		amf_put_key(&b, "tcUrl");
		amf_put_string(&b, tc_url);
	}
	amf_put_end(&b);
	head = rtmp_write_message_head(bytes, 20, 0, (uint32_t)buffer_size(&b), 0);
	memcpy(bytes + head, buffer_bytes(&b), buffer_size(&b));
	platform_say(f, bytes, head + buffer_size(&b));
	buffer_finish(&b);
}

static void obey_reconnect_request(struct world *w)
{
	struct ipc_destination_add order;
	struct platform *f = &w->platforms[0];
	unsigned i;

	start(w, 20000);
	f->takes_two = true;
	order = order_for(w, 1, platform_host(), false);
	go_on_air_with(w, &order);
	ask_over(f, "/live");
	for (i = 0; i < 5; i++) { /* media goes on meanwhile */
		put_frame(w, false, 1000);
		ring_publish(w->writer);
	}
	WAIT_FOR(w, f->published == 2);
	put_gop(w, 1000);
	put_gop(w, 1000);
	WAIT_FOR(w, f->count > 0 && f->messages[f->count - 1].type == 8 &&
			    get_be32(f->messages[f->count - 1].body + 2) == w->number - 1);
	WAIT_FOR(w, !f->old_stream);
	assert_went_over(f, GOP, w->number);
	assert_int_equal(f->accepted, 2);
	assert_int_equal(f->unpublished, 0);
	assert_int_equal(w->status[1].restarts, 0);
	assert_int_equal(w->status[1].state, DESTINATION_LIVE);
	finish(w);
}

static void reconnect_request_is_obeyed_without_a_missing_frame(void **state)
{
	obey_reconnect_request(*state);
}

static void reconnect_request_is_obeyed_in_the_middle_of_hevc(void **state)
{
	struct world *w = *state;
	const struct platform *f = &w->platforms[0];
	unsigned headers = 0;

	w->is_hevc = true;
	obey_reconnect_request(w);
	for (unsigned i = 0; i < f->count; i++) {
		const struct platform_message *m = &f->messages[i];

		if (m->type == 9) {
			assert_memory_equal(m->body + 1, "hvc1", 4);
			headers += (m->body[0] & 0xf) == 0;
		}
	}
	assert_int_equal(headers, 2); /* each connection begins with one */
}

static void reconnect_request_to_another_host_is_not_obeyed(void **state)
{
	struct world *w = *state;
	struct ipc_destination_add order;

	start(w, 20000);
	order = order_for(w, 1, platform_host(), false);
	go_on_air_with(w, &order);
	ask_over(&w->platforms[0], "rtmp://127.0.0.2/live");
	WAIT_FOR(w, w->status[1].state == DESTINATION_HELD); /* after 2 s without media */
	put_gop(w, 1000);
	WAIT_FOR(w, w->status[1].state == DESTINATION_LIVE);
	assert_int_equal(w->platforms[0].accepted, 1);
	assert_int_equal(w->questions, 0);
	finish(w);
}

static void reconnect_request_to_another_host_is_obeyed_where_that_is_allowed(void **state)
{
	struct world *w = *state;
	struct ipc_destination_add order;
	char url[64];

	start(w, 20000);
	order = order_for(w, 1, platform_host(), false);
	order.allow_redirect = 1;
	go_on_air_with(w, &order);
	(void)text_format(url, sizeof(url), "rtmp://localhost:%d/other", w->platforms[1].port);
	ask_over(&w->platforms[0], url);
	WAIT_FOR(w, w->platforms[1].published == 1);
	put_gop(w, 1000);
	WAIT_FOR(w, w->platforms[1].count == 3 + 2 * GOP);
	WAIT_FOR(w, !w->platforms[0].stream);
	assert_string_equal(w->platforms[1].stream_name, KEY);
	assert_int_equal(w->platforms[0].unpublished, 0);
	finish(w);
}

static void session_is_replaced_before_timestamps_reach_two_to_the_31(void **state)
{
	struct world *w = *state;
	struct ipc_destination_add order;
	struct platform *f = &w->platforms[0];
	uint32_t first;

	start(w, 20000);
	f->takes_two = true;
	order = order_for(w, 1, platform_host(), false);
	go_on_air_with(w, &order);
	w->next_90k += REDIAL_MS * 90;
	first = w->number;
	put_gop(w, 1000);
	WAIT_FOR(w, f->published == 2);
	put_gop(w, 1000);
	WAIT_FOR(w, f->count > 0 && f->messages[f->count - 1].type == 8 &&
			    get_be32(f->messages[f->count - 1].body + 2) == w->number - 1);
	assert_went_over(f, first, w->number);
	WAIT_FOR(w, !f->old_stream);
	assert_int_equal(f->accepted, 2);
	finish(w);
}

static void platform_that_takes_one_session_only_is_left_before_it_is_dialled(void **state)
{
	struct world *w = *state;
	struct ipc_destination_add order;
	struct platform *f = &w->platforms[0];

	start(w, 20000);
	f->takes_two = f->refuses_second = true;
	order = order_for(w, 1, platform_host(), false);
	go_on_air_with(w, &order);
	ask_over(f, NULL);
	WAIT_FOR(w, f->published == 2);
	assert_int_equal(f->accepted, 3);
	put_gop(w, 1000);
	WAIT_FOR(w, w->status[1].state == DESTINATION_LIVE);
	assert_int_equal(f->unpublished, 0);
	finish(w);
}

static void platform_that_ends_the_first_session_for_the_second_loses_nothing_later(void **state)
{
	struct world *w = *state;
	struct ipc_destination_add order;
	struct platform *f = &w->platforms[0];

	start(w, 20000);
	order = order_for(w, 1, platform_host(), false);
	go_on_air_with(w, &order);
	ask_over(f, NULL); /* this platform resets the older connection when another comes */
	WAIT_FOR(w, f->published == 2);
	put_gop(w, 1000);
	WAIT_FOR(w, w->status[1].state == DESTINATION_LIVE);
	finish(w);
}

/* ---- slow and hostile ones ---- */

static void nobody_feels_what_another_platform_does(void **state)
{
	static const enum platform_manner manners[PLATFORMS] = {
		PLATFORM_GOOD,   PLATFORM_GOOD,        PLATFORM_GOOD,   PLATFORM_CRAWLS,
		PLATFORM_RESETS, PLATFORM_HALF_CLOSES, PLATFORM_FLOODS, PLATFORM_LIES,
	};
	struct world *w = *state;
	struct platform *f = w->platforms;
	unsigned i, gop;

	start(w, 20000);
	f[2].is_deaf = true;
	for (i = 0; i < PLATFORMS; i++) {
		f[i].manner = manners[i];
		add(w, i + 1, platform_host(), false);
	}
	put_gop(w, 1000);
	WAIT_FOR(w, f[0].published && f[1].published && f[2].published && f[3].published &&
			    f[4].published && f[5].published && f[6].published && f[7].published);
	put_gop(w, 1000);
	WAIT_FOR(w, f[0].count == 3 + 2 * GOP && f[1].count == 3 + 2 * GOP);
	for (gop = 0; gop < 8; gop++) {
		platform_forget(&f[0]);
		platform_forget(&f[1]);
		put_gop(w, 60000);
		WAIT_FOR(w, f[0].count == 2 * GOP && f[1].count == 2 * GOP);
		for (i = 0; i < 2 * GOP; i++) {
			assert_int_equal(f[0].messages[i].timestamp_ms,
					 f[1].messages[i].timestamp_ms);
		}
		for (i = 2; i < PLATFORMS; i++) {
			platform_forget(&f[i]);
		}
	}
	assert_int_equal(f[0].accepted, 1);
	assert_int_equal(f[1].accepted, 1);
	for (i = 1; i <= 2; i++) {
		assert_int_equal(w->status[i].dropped, 0);
		assert_int_equal(w->status[i].restarts, 0);
		assert_true(w->status[i].backlog_ms < 1000);
	}
	WAIT_FOR(w, w->status[3].dropped > 0);  /* stalled */
	WAIT_FOR(w, w->status[4].dropped > 0);  /* crawls */
	WAIT_FOR(w, w->status[5].restarts > 0); /* resets */
	WAIT_FOR(w, w->status[6].restarts > 0); /* half-closes */
	WAIT_FOR(w, w->status[8].restarts > 0); /* lies */
	finish(w);
}

static void platform_that_takes_nothing_for_stall_s_is_dialled_anew(void **state)
{
	struct world *w = *state;
	struct ipc_destination_add order;
	unsigned i;

	start(w, 20000);
	w->platforms[0].is_deaf = true;
	order = order_for(w, 1, platform_host(), false);
	order.stall_us = 1000000;
	order.max_backlog_us = 60000000;
	add_order(w, &order);
	put_gop(w, 1000);
	WAIT_FOR(w, w->platforms[0].published == 1);
	for (i = 0; i < 4; i++) {
		put_gop(w, 120000);
	}
	WAIT_FOR(w, w->status[1].restarts == 1);
	assert_string_equal(w->status[1].last_error, "stalled: nothing taken for 1 s");
	finish(w);
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(backup_ingest_is_dialled_when_the_first_cannot_be_reached),
		WORLD_TEST(first_ingest_is_dialled_again_when_the_backup_ends_the_connection_soon),
		WORLD_TEST(waits_never_exceed_the_configured_cap),
		WORLD_TEST(connection_without_media_is_closed_after_hold_and_comes_back_with_it),
		WORLD_TEST(nothing_is_dialled_again_while_the_show_is_away),
		WORLD_TEST(reconnect_request_is_obeyed_without_a_missing_frame),
		WORLD_TEST(reconnect_request_is_obeyed_in_the_middle_of_hevc),
		WORLD_TEST(reconnect_request_to_another_host_is_not_obeyed),
		WORLD_TEST(reconnect_request_to_another_host_is_obeyed_where_that_is_allowed),
		WORLD_TEST(session_is_replaced_before_timestamps_reach_two_to_the_31),
		WORLD_TEST(platform_that_takes_one_session_only_is_left_before_it_is_dialled),
		WORLD_TEST(platform_that_ends_the_first_session_for_the_second_loses_nothing_later),
		WORLD_TEST(nobody_feels_what_another_platform_does),
		WORLD_TEST(platform_that_takes_nothing_for_stall_s_is_dialled_anew),
	};

	return cmocka_run_group_tests_name("relay-rtmp manners", tests, NULL, NULL);
}
