/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The whole of understudy-relay-rtmp, as its supervisor and its platforms see it. */
#include "relay_world.h"

#include <understudy/follow.h>

#include "../net/certificates.h"

static void nothing_is_dialed_before_the_show_has_media(void **state)
{
	struct world *w = *state;

	start(w, 20000);
	add(w, 1, platform_host(), false);
	assert_int_equal(w->status[1].state, DESTINATION_IDLE);
	add(w, 2, platform_host(), false);
	assert_int_equal(w->platforms[0].accepted, 0);
	put_gop(w, 1000);
	WAIT_FOR(w, w->platforms[0].published == 1 && w->platforms[1].published == 1);
	finish(w);
}

static void a_session_begins_with_metadata_headers_and_a_key_frame_at_time_zero(void **state)
{
	struct world *w = *state;
	const struct platform_message *m;
	struct body config = avc_config(0x1e);
	unsigned i;

	start(w, 20000);
	go_on_air(w);
	assert_string_equal(w->platforms[0].stream_name, KEY);
	m = w->platforms[0].messages;
	assert_int_equal(m[0].type, 18);
	assert_int_equal(m[1].type, 9);
	assert_int_equal(m[1].body[1], 0);
	assert_memory_equal(m[1].body + 5, config.bytes, config.size);
	assert_int_equal(m[2].type, 8);
	assert_int_equal(m[2].body[1], 0);
	for (i = 0; i < 4; i++) {
		assert_int_equal(m[i].timestamp_ms, 0);
	}
	for (i = 0; i < GOP; i++) {
		const struct platform_message *v = &m[3 + 2 * i], *a = v + 1;

		assert_int_equal(v->type, 9);
		assert_int_equal(v->body[0], i == 0 ? 0x17 : 0x27);
		assert_int_equal(number_of(v), GOP + i);
		assert_int_equal(v->size, 1000 + 5);
		assert_int_equal(v->timestamp_ms, follow_ms(i * FRAME_90K, 0));
		assert_in_range(get_be24(v->body + 2), 33, 34);
		assert_int_equal(a->type, 8);
		assert_int_equal(get_be32(a->body + 2), GOP + i);
	}
	finish(w);
}

/* Compares a received video message with what put_frame() made. */
static void assert_frame(const struct platform_message *m, uint32_t number, size_t bytes)
{
	size_t i;

	assert_int_equal(m->size, bytes + 5);
	assert_int_equal(number_of(m), number);
	for (i = 9; i < bytes; i++) {
		if (m->body[5 + i] != (uint8_t)((i * 31 + number) | 1)) {
			fail_msg("byte %zu of frame %u is wrong", i, number);
		}
	}
}

static void large_frames_arrive_whole_also_beyond_four_hours(void **state)
{
	struct world *w = *state;
	const struct platform_message *m;

	start(w, 20000);
	go_on_air(w);
	platform_forget(&w->platforms[0]);
	put_frame(w, false, BIG_BYTES);
	w->next_90k += INT64_C(5) * 3600 * MEDIA_HZ;
	put_frame(w, true, BIG_BYTES);
	put_frame(w, false, 3 * 65536 - 5);
	ring_publish(w->writer);
	WAIT_FOR(w, w->platforms[0].count == 6);
	m = w->platforms[0].messages;
	assert_frame(&m[0], 2 * GOP, BIG_BYTES);
	assert_frame(&m[2], 2 * GOP + 1, BIG_BYTES);
	assert_frame(&m[4], 2 * GOP + 2, 3 * 65536 - 5);
	assert_true(m[2].timestamp_ms > 5 * 3600 * 1000);
	assert_int_equal(m[2].timestamp_ms,
			 5 * 3600 * 1000 + follow_ms(GOP * FRAME_90K + FRAME_90K, 0));
	finish(w);
}

static void with_no_batch_the_eventfd_is_enough(void **state)
{
	struct world *w = *state;
	int64_t began_us;

	start(w, 0);
	go_on_air(w);
	platform_forget(&w->platforms[0]);
	began_us = clock_monotonic_us();
	put_frame(w, false, 500);
	ring_publish(w->writer);
	WAIT_FOR(w, w->platforms[0].count == 2);
	assert_true(clock_monotonic_us() - began_us < 500000);
	finish(w);
}

static void a_reset_connection_is_dialed_again_and_begins_anew_at_time_zero(void **state)
{
	struct world *w = *state;

	start(w, 20000);
	go_on_air(w);
	platform_hang_up(&w->platforms[0], true);
	platform_forget(&w->platforms[0]);
	WAIT_FOR(w, w->platforms[0].published == 2);
	WAIT_FOR(w,
		 w->status[1].state == DESTINATION_HELD); /* else the key frame comes too early */
	put_frame(w, false, 100);
	put_gop(w, 1000);
	WAIT_FOR(w, w->platforms[0].count == 3 + 2 * GOP);
	assert_int_equal(w->platforms[0].messages[0].type, 18);
	assert_int_equal(w->platforms[0].messages[3].body[0], 0x17);
	assert_int_equal(w->platforms[0].messages[3].timestamp_ms, 0);
	assert_int_equal(number_of(&w->platforms[0].messages[3]), 2 * GOP + 1);
	assert_int_equal(w->status[1].restarts, 1);
	assert_true(*w->status[1].last_error);
	assert_int_equal(w->platforms[0].unpublished, 0);
	finish(w);
}

static void a_platform_that_stops_reading_holds_up_no_other(void **state)
{
	struct world *w = *state;
	unsigned i;

	start(w, 20000);
	w->platforms[1].is_deaf = true;
	add(w, 2, platform_host(), false);
	go_on_air(w);
	WAIT_FOR(w, w->platforms[1].published == 1);
	platform_forget(&w->platforms[0]);
	for (i = 0; i < 8; i++) {
		put_gop(w, 60000);
		WAIT_FOR(w, w->platforms[0].count == 2 * GOP * (i + 1));
		assert_int_equal(w->status[1].dropped, 0);
	}
	WAIT_FOR(w, w->status[2].dropped > 0);
	assert_true(w->status[2].backlog_ms <= 10000);
	assert_int_equal(w->platforms[0].accepted, 1);
	finish(w);
}

static void a_slow_platform_goes_on_at_a_key_frame_with_all_of_the_audio(void **state)
{
	struct world *w = *state;
	struct platform *f = &w->platforms[1];
	unsigned i, audio = 0;
	uint32_t last = 0;
	bool has_gap = false;

	start(w, 20000);
	f->is_deaf = true;
	add(w, 2, platform_host(), false);
	go_on_air(w);
	WAIT_FOR(w, f->published == 1);
	for (i = 0; i < 6; i++) {
		put_gop(w, 120000);
		WAIT_FOR(w, w->platforms[0].count == 3 + 2 * GOP * (i + 2));
	}
	f->is_deaf = false;
	put_gop(w, 1000);
	WAIT_FOR(w, f->count > 0 && f->messages[f->count - 1].type == 8 &&
			    get_be32(f->messages[f->count - 1].body + 2) == w->number - 1);
	for (i = 0; i < f->count; i++) {
		const struct platform_message *m = &f->messages[i];

		if (m->type == 8 && m->body[1] == 1) {
			audio++;
		} else if (m->type == 9 && m->body[1] == 1) {
			if (last && number_of(m) != last + 1) {
				assert_int_equal(m->body[0], 0x17);
				has_gap = true;
			}
			last = number_of(m);
		}
	}
	assert_true(has_gap);
	assert_int_equal(last, w->number - 1);
	assert_int_equal(audio % GOP, 0);
	assert_true(audio >= 7 * GOP);
	assert_int_equal(f->accepted, 1);
	finish(w);
}

/* Another show ring, with some frames in it. */
static void change_ring(struct world *w, int64_t batch_us, unsigned frames)
{
	const struct ipc_show_ring order = { .batch_us = batch_us };
	int fds[2];

	ring_writer_close(&w->writer);
	close(w->ring);
	w->batch_us = batch_us;
	open_ring(w);
	while (frames-- > 0) {
		put_frame(w, false, 700);
	}
	ring_publish(w->writer);
	fds[0] = w->ring;
	fds[1] = w->wake;
	stage_send(&w->relay, IPC_SHOW_RING, &order, fds, 2);
}

static void a_new_show_ring_does_not_disturb_the_connection(void **state)
{
	struct world *w = *state;
	unsigned i;

	start(w, 20000);
	go_on_air(w);
	platform_forget(&w->platforms[0]);
	put_frame(w, false, 700); /* to be drained from the old ring */
	ring_publish(w->writer);
	change_ring(w, 20000, 5);
	WAIT_FOR(w, w->platforms[0].count == 12);
	for (i = 0; i < 6; i++) {
		assert_int_equal(number_of(&w->platforms[0].messages[2 * i]), 2 * GOP + i);
		assert_int_equal(w->platforms[0].messages[2 * i].timestamp_ms,
				 follow_ms((GOP + i) * FRAME_90K, 0));
	}
	assert_int_equal(w->platforms[0].accepted, 1);
	finish(w);
}

static void expect_one_more_frame(struct world *w)
{
	platform_forget(&w->platforms[0]);
	put_frame(w, false, 700);
	ring_publish(w->writer);
	WAIT_FOR(w, w->platforms[0].count == 2);
}

/* Its writer wakes us from now on, or wakes us no longer. */
static void a_new_show_ring_says_how_it_is_looked_into(void **state)
{
	const int64_t batches_us[] = { 0, 0, 20000, 0 };
	struct world *w = *state;

	start(w, 20000);
	go_on_air(w);
	for (unsigned i = 0; i < sizeof(batches_us) / sizeof(batches_us[0]); i++) {
		platform_forget(&w->platforms[0]);
		change_ring(w, batches_us[i], 1);
		WAIT_FOR(w, w->platforms[0].count == 2);
		expect_one_more_frame(w);
	}
	assert_int_equal(w->platforms[0].accepted, 1);
	finish(w);
}

static void stop_alone_leaves_uncleanly_at_once(void **state)
{
	struct world *w = *state;

	start(w, 20000);
	go_on_air(w);
	stage_stop(&w->relay);
	WAIT_FOR(w, !w->platforms[0].stream);
	assert_true(w->platforms[0].was_reset);
	assert_int_equal(w->platforms[0].unpublished, 0);
	stage_finish(&w->relay);
}

static void a_killed_relay_unpublishes_nothing(void **state)
{
	struct world *w = *state;

	start(w, 20000);
	go_on_air(w);
	stage_kill(&w->relay);
	w->is_over = true;
	WAIT_FOR(w, !w->platforms[0].stream);
	assert_int_equal(w->platforms[0].unpublished, 0);
}

static void stop_with_unpublish_says_goodbye_after_the_last_message(void **state)
{
	struct world *w = *state;
	int64_t began_us;

	start(w, 20000);
	go_on_air(w);
	put_frame(w, false, 900);
	ring_publish(w->writer);
	began_us = clock_monotonic_us();
	stage_send(&w->relay, IPC_STOP, &(struct ipc_stop){ .unpublish = 1 }, NULL, 0);
	WAIT_FOR(w, !w->platforms[0].stream);
	assert_true(w->platforms[0].unpublished > 0);
	assert_true(w->platforms[0].was_closed);
	assert_int_equal(w->platforms[0].count, 3 + 2 * GOP + 2);
	stage_finish(&w->relay);
	/* else the supervisor would kill it */
	assert_true(clock_monotonic_us() - began_us < 2000000);
}

static void a_removed_destination_is_unpublished_and_the_others_stay(void **state)
{
	struct world *w = *state;
	const struct ipc_destination_remove order = { .id = 2, .unpublish = 1 };

	start(w, 20000);
	add(w, 2, platform_host(), false);
	go_on_air(w);
	WAIT_FOR(w, w->platforms[1].published == 1);
	stage_send(&w->relay, IPC_DESTINATION_REMOVE, &order, NULL, 0);
	WAIT_FOR(w, !w->platforms[1].stream);
	assert_int_equal(w->status[2].state, DESTINATION_STOPPED);
	assert_true(w->platforms[1].unpublished > 0);
	put_gop(w, 1000);
	WAIT_FOR(w, w->platforms[0].count == 3 + 4 * GOP);
	assert_int_equal(w->platforms[0].accepted, 1);
	finish(w);
}

static void a_key_that_is_refused_is_said_so_without_telling_it(void **state)
{
	struct world *w = *state;

	start(w, 20000);
	w->platforms[0].refuses = true;
	add(w, 1, platform_host(), false);
	put_gop(w, 1000);
	WAIT_FOR(w, w->status[1].state == DESTINATION_REFUSED);
	assert_non_null(strstr(w->status[1].last_error, "rejected by the platform: "));
	assert_non_null(strstr(w->status[1].last_error, "BadName"));
	finish(w);
}

static void names_are_looked_up_anew_at_each_dial(void **state)
{
	struct world *w = *state;

	start(w, 20000);
	add(w, 1, "platform.example", false);
	put_gop(w, 1000);
	WAIT_FOR(w, w->platforms[0].published == 1);
	assert_int_equal(w->questions, 1);
	platform_hang_up(&w->platforms[0], true);
	WAIT_FOR(w, w->platforms[0].published == 2);
	assert_int_equal(w->questions, 2);
	finish(w);
}

static void a_name_that_does_not_exist_is_reported(void **state)
{
	struct world *w = *state;

	start(w, 20000);
	w->unknown = "nowhere.example";
	add(w, 1, "nowhere.example", false);
	put_gop(w, 1000);
	WAIT_FOR(w, w->status[1].state == DESTINATION_BACKING_OFF);
	assert_string_equal(w->status[1].last_error, "name not found");
	finish(w);
}

static void a_port_nobody_listens_on_is_reported(void **state)
{
	struct world *w = *state;

	start(w, 20000);
	close(w->platforms[0].listener);
	w->platforms[0].listener = -1;
	add(w, 1, platform_host(), false);
	put_gop(w, 1000);
	WAIT_FOR(w, w->status[1].state == DESTINATION_BACKING_OFF);
	assert_string_equal(w->status[1].last_error, "connection refused");
	finish(w);
}

static void rtmps_is_verified_before_a_key_is_said(void **state)
{
	struct world *w = *state;
	struct certificate ca = certificate_make("CA", NULL, NULL, 9, "critical,CA:TRUE"), good,
			   bad;
	size_t size;
	char *pem[4];

	good = certificate_make("good", "DNS:platform.example", &ca, 9, "CA:FALSE");
	bad = certificate_make("bad", "DNS:other.example", &ca, 9, "CA:FALSE");
	w->trust = certificate_bundle(&ca);
	start(w, 20000);
	w->platforms[0].chain = pem[0] = certificate_pem(&good, &size);
	w->platforms[0].key = pem[1] = key_pem(&good, &size);
	w->platforms[1].chain = pem[2] = certificate_pem(&bad, &size);
	w->platforms[1].key = pem[3] = key_pem(&bad, &size);
	add(w, 1, "platform.example", true);
	add(w, 2, "platform.example", true);
	put_gop(w, 1000);
	WAIT_FOR(w, w->platforms[0].published == 1);
	put_gop(w, 60000);
	WAIT_FOR(w, w->platforms[0].count == 3 + 2 * GOP);
	assert_frame(&w->platforms[0].messages[3], GOP, 60000);
	WAIT_FOR(w, w->status[2].state == DESTINATION_BACKING_OFF);
	assert_string_equal(w->status[2].last_error, "TLS: certificate is for another name");
	assert_int_equal(w->platforms[1].published, 0);
	finish(w);
	for (unsigned i = 0; i < 4; i++) {
		free(pem[i]);
	}
	certificate_free(&ca);
	certificate_free(&good);
	certificate_free(&bad);
}

static void media_that_stops_makes_the_destination_held_and_keeps_the_connection(void **state)
{
	struct world *w = *state;

	start(w, 20000);
	go_on_air(w);
	WAIT_FOR(w, w->status[1].state == DESTINATION_HELD);
	put_frame(w, false, 800);
	ring_publish(w->writer);
	WAIT_FOR(w, w->status[1].state == DESTINATION_LIVE);
	assert_int_equal(w->platforms[0].accepted, 1);
	finish(w);
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(nothing_is_dialed_before_the_show_has_media),
		WORLD_TEST(a_session_begins_with_metadata_headers_and_a_key_frame_at_time_zero),
		WORLD_TEST(large_frames_arrive_whole_also_beyond_four_hours),
		WORLD_TEST(with_no_batch_the_eventfd_is_enough),
		WORLD_TEST(a_reset_connection_is_dialed_again_and_begins_anew_at_time_zero),
		WORLD_TEST(a_platform_that_stops_reading_holds_up_no_other),
		WORLD_TEST(a_slow_platform_goes_on_at_a_key_frame_with_all_of_the_audio),
		WORLD_TEST(a_new_show_ring_does_not_disturb_the_connection),
		WORLD_TEST(a_new_show_ring_says_how_it_is_looked_into),
		WORLD_TEST(stop_alone_leaves_uncleanly_at_once),
		WORLD_TEST(a_killed_relay_unpublishes_nothing),
		WORLD_TEST(stop_with_unpublish_says_goodbye_after_the_last_message),
		WORLD_TEST(a_removed_destination_is_unpublished_and_the_others_stay),
		WORLD_TEST(a_key_that_is_refused_is_said_so_without_telling_it),
		WORLD_TEST(names_are_looked_up_anew_at_each_dial),
		WORLD_TEST(a_name_that_does_not_exist_is_reported),
		WORLD_TEST(a_port_nobody_listens_on_is_reported),
		WORLD_TEST(rtmps_is_verified_before_a_key_is_said),
		WORLD_TEST(media_that_stops_makes_the_destination_held_and_keeps_the_connection),
	};

	return cmocka_run_group_tests_name("relay-rtmp", tests, NULL, NULL);
}
