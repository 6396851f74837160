/* SPDX-License-Identifier: GPL-3.0-or-later */
/* understudy-switch makes one show of its feeds. */
#include "switch_scene.h"
#include "tries.h"

static void one_feed_passes_through_whole(void **state)
{
	struct scene *s = scene_create(300);

	scene_add(s, true);
	scene_run(s, 1700);
	check_unbroken(&s->show, 20);
	check_joins(&s->show, 2);
	assert_true(s->status.timeline.is_on);
	assert_int_equal(s->status.timeline.live, 1);
	assert_true(s->status.packets > 0);
	for (unsigned i = 0; i < s->show.count; i++) {
		const struct packet *p = &s->show.packets[i].packet;

		assert_int_equal(p->feed, 1);
		assert_int_equal(p->incarnation, 10);
	}
	scene_destroy(s);
}

static void without_delay_packets_leave_as_they_come(void **state)
{
	struct scene *s = scene_create(0);
	const struct feed *f = scene_add(s, true);
	unsigned late = 0, frames = 0;

	scene_run(s, 1500);
	check_unbroken(&s->show, 30);
	for (unsigned i = 0; i < s->show.count; i++) {
		const struct shown *p = &s->show.packets[i];

		if (is_frame(p, PACKET_VIDEO) && p->number > 20) { /* it has settled */
			int64_t due_us = f->start_us + (int64_t)p->number * 40000;

			late += p->packet.arrival_us - due_us > 100000;
			frames++;
		}
	}
	assert_true(late * 10 < frames); /* a machine under load may be late now and then */
	scene_destroy(s);
}

static void the_backup_goes_on_where_the_primary_was_closed(void **state)
{
	struct scene *s = scene_create(1100);
	struct feed *primary = scene_add(s, true);
	bool has_new_header = false;
	unsigned feed = 1;

	scene_add(s, true);
	scene_run(s, LOST_MS);
	primary->is_silent = true;
	scene_close(s, primary);
	scene_run(s, 1800);
	check_unbroken(&s->show, 40);
	assert_int_equal(s->status.timeline.live, 2);
	assert_true(s->released & 1u << 1);
	for (unsigned i = 0; i < s->show.count; i++) {
		const struct shown *p = &s->show.packets[i];

		has_new_header = has_new_header || p->level == 32;
		if (is_frame(p, PACKET_VIDEO) && p->packet.feed != feed) {
			assert_int_equal(feed, 1);
			assert_true(p->packet.flags & PACKET_SPLICE);
			assert_true(p->packet.flags & PACKET_KEY);
			assert_true(has_new_header);
			feed = p->packet.feed;
		}
	}
	assert_int_equal(feed, 2);
	scene_destroy(s);
}

static void the_backup_goes_on_when_the_primary_freezes(void **state)
{
	struct scene *s = scene_create(1300);
	struct feed *primary = scene_add(s, true);

	scene_add(s, true);
	scene_run(s, LOST_MS);
	primary->is_silent = true;
	scene_run(s, 2300);
	check_unbroken(&s->show, 40);
	assert_int_equal(s->status.timeline.live, 2);
	assert_int_equal(s->released, 0);
	scene_destroy(s);
}

static void a_show_without_video_can_be_joined_anywhere(void **state)
{
	struct scene *s = scene_create(300);
	unsigned audios = 0, joins = 0, repeats = 0;

	scene_add(s, false);
	scene_run(s, 3000);
	for (unsigned i = 0; i < s->show.count; i++) {
		const struct packet *p = &s->show.packets[i].packet;

		repeats += (p->flags & PACKET_REPEAT) != 0;
		audios += is_frame(&s->show.packets[i], PACKET_AUDIO);
		joins += (p->flags & PACKET_JOIN) != 0;
	}
	assert_true(audios > 50);
	assert_int_equal(joins, audios);
	assert_true(repeats >= 1 && repeats <= 4);
	check_steps(&s->show, PACKET_AUDIO, SAMPLES_90K);
	scene_destroy(s);
}

static void a_take_is_obeyed(void **state)
{
	struct scene *s = scene_create(500);

	scene_add(s, true);
	scene_add(s, true);
	scene_run(s, 1100);
	assert_int_equal(s->status.timeline.live, 1);
	stage_send(&s->worker, IPC_TAKE, &(struct ipc_take){ .feed = 2 }, NULL, 0);
	scene_run(s, 1300);
	assert_int_equal(s->status.timeline.live, 2);
	assert_int_equal(s->status.timeline.taken, 2);
	check_unbroken(&s->show, 30);
	scene_destroy(s);
}

static void a_switch_that_got_no_turn_leaves_nothing_out(void **state)
{
	struct scene *s = scene_create(300);

	scene_add(s, true);
	scene_run(s, 1000);
	assert_int_equal(kill(s->worker.pid, SIGSTOP), 0);
	scene_run(s, 900);
	assert_int_equal(kill(s->worker.pid, SIGCONT), 0);
	scene_run(s, 1500);
	check_unbroken(&s->show, 45);
	scene_destroy(s);
}

static void a_feed_that_is_to_go_is_released_when_another_is_shown(void **state)
{
	struct scene *s = scene_create(500);
	struct feed *primary = scene_add(s, true), *backup;

	scene_run(s, 1100);
	scene_take_away(s, primary);
	scene_run(s, 300);
	assert_int_equal(s->status.timeline.live, 1); /* there is no other */
	assert_int_equal(s->released, 0);
	backup = scene_add(s, true);
	for (int i = 0; i < 50 && s->released == 0; i++) {
		scene_run(s, 100);
	}
	assert_int_equal(s->released, 1u << 1);
	scene_close(s, primary); /* which nobody knows there any more */
	scene_run(s, 300);
	assert_int_equal(s->status.timeline.live, backup->id);
	check_unbroken(&s->show, 30);
	scene_destroy(s);
}

static void a_switch_that_was_asleep_is_lapped_and_goes_on(void **state)
{
	struct scene *s = scene_create(300);
	struct feed *f = scene_add(s, true);
	unsigned before;

	f->frame_bytes = 8000;
	scene_run(s, 1000);
	before = s->show.count;
	assert_true(before > 0);
	assert_int_equal(kill(s->worker.pid, SIGSTOP), 0);
	f->start_us -= 60 * INT64_C(1000000); /* a minute's worth of packets at once */
	scene_run(s, 100);
	assert_int_equal(kill(s->worker.pid, SIGCONT), 0);
	scene_run(s, 3500);
	assert_true(s->status.lapped > 0);
	assert_true(s->show.count > before + 25);
	check_order(&s->show);
	scene_destroy(s);
}

static void readers_are_woken_for_each_batch(void **state)
{
	struct scene *s = scene_create(300);
	const struct ipc_reader_add add = { .reader = 5 };
	int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	uint64_t count = 0;

	assert_true(wake >= 0);
	stage_send(&s->worker, IPC_READER_ADD, &add, &wake, 1);
	scene_add(s, true);
	scene_run(s, 1200);
	assert_int_equal(read(wake, &count, sizeof(count)), sizeof(count));
	assert_true(count > 20 && count <= s->show.count);
	stage_send(&s->worker, IPC_READER_REMOVE, &(struct ipc_reader_remove){ .reader = 5 }, NULL,
		   0);
	scene_run(s, 100);
	(void)!read(wake, &count, sizeof(count));
	scene_run(s, 200);
	assert_int_equal(read(wake, &count, sizeof(count)), -1);
	close(wake);
	scene_destroy(s);
}

/* A source that does not wake the switch is looked at once a round, without a delay as well. */
static void without_delay_a_show_may_work_in_rounds(void **state)
{
	struct scene *s = scene_create_with(0, 300, false);
	const struct ipc_reader_add add = { .reader = 5 };
	int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	uint64_t count = 0;

	assert_true(wake >= 0);
	s->feeds[0] = feed_start(1, true, false);
	s->feed_count = 1;
	scene_open(s, &s->feeds[0]);
	scene_run(s, 500);
	stage_send(&s->worker, IPC_READER_ADD, &add, &wake, 1);
	scene_run(s, 1200);
	assert_int_equal(read(wake, &count, sizeof(count)), sizeof(count));
	assert_true(count >= 1 && count <= 1200 / 300 + 2);
	check_unbroken(&s->show, 20);
	close(wake);
	scene_destroy(s);
}

static void a_feed_of_nonsense_is_not_chosen(void **state)
{
	struct scene *s = scene_create(300);
	struct feed bad = feed_start(1, true, false);
	struct body body = { .size = 100 };

	s->feeds[0] = feed_start(2, true, false);
	s->feed_count = 1;
	for (unsigned i = 0; i < 500; i++) {
		struct packet p = { .kind = 77, .type = 99, .arrival_us = clock_monotonic_us() };

		feed_write(&bad, p, &body);
	}
	ring_publish(bad.writer);
	scene_open(s, &bad);
	scene_open(s, &s->feeds[0]);
	scene_run(s, 1700);
	assert_int_equal(s->status.timeline.live, 2);
	assert_true(s->status.timeline.feeds[0].nonsense >= 500);
	check_unbroken(&s->show, 20);
	feed_finish(&bad);
	scene_destroy(s);
}

static void a_switch_that_is_never_told_all_begins_all_the_same(void **state)
{
	struct scene *s = scene_create_untold(300, 20, false);

	scene_add(s, true);
	for (int i = 0; i < 100 && s->show.count < 50; i++) {
		scene_run(s, 100);
	}
	assert_true(s->show.count >= 50);
	assert_int_equal(s->status.timeline.live, 1);
	scene_destroy(s);
}

/* The primary's encoder is lost and connects again. */
static void lose_primary(struct scene *s)
{
	struct feed *f = &s->feeds[0];
	uint32_t incarnation = f->incarnation + 1;

	f->is_silent = true;
	scene_close(s, f);
	for (int i = 0; i < 100 && s->status.timeline.live != 2; i++) {
		scene_run(s, 100);
	}
	assert_int_equal(s->status.timeline.live, 2);
	feed_finish(f);
	*f = feed_start(1, true, false);
	f->incarnation = incarnation;
	scene_open(s, f);
}

static void take_primary(struct scene *s)
{
	stage_send(&s->worker, IPC_TAKE, &(struct ipc_take){ .feed = 1 }, NULL, 0);
	for (int i = 0; i < 100 && s->status.timeline.live != 1; i++) {
		scene_run(s, 100);
	}
	assert_int_equal(s->status.timeline.live, 1);
	stage_send(&s->worker, IPC_TAKE, &(struct ipc_take){ .feed = 0 }, NULL, 0);
}

static void rehearse_primary(struct scene *s, bool is_rehearsed)
{
	struct ipc_feed_rehearse order = { .feed = 1, .is_rehearsed = is_rehearsed };

	stage_send(&s->worker, IPC_FEED_REHEARSE, &order, NULL, 0);
}

/* Which doubles the wait, had it been in earnest. */
static void a_second_loss_that_is_rehearsed_is_not_learned(void **state)
{
	struct scene *s = scene_create(300);

	scene_add(s, true);
	scene_add(s, true);
	scene_run(s, 1000);
	lose_primary(s);
	take_primary(s);
	rehearse_primary(s, true);
	lose_primary(s);
	rehearse_primary(s, false);
	for (int i = 0; i < 100 && s->status.timeline.next_feed != 1; i++) {
		scene_run(s, 100);
	}
	assert_int_equal(s->status.timeline.next_feed, 1);
	assert_true(s->status.timeline.next_at_us - clock_monotonic_us() <= 30000000);
	scene_destroy(s);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_feed_passes_through_whole),
		cmocka_unit_test(without_delay_packets_leave_as_they_come),
		cmocka_unit_test(the_backup_goes_on_where_the_primary_was_closed),
		cmocka_unit_test(the_backup_goes_on_when_the_primary_freezes),
		cmocka_unit_test(a_show_without_video_can_be_joined_anywhere),
		cmocka_unit_test(a_take_is_obeyed),
		cmocka_unit_test(a_switch_that_got_no_turn_leaves_nothing_out),
		cmocka_unit_test(a_feed_that_is_to_go_is_released_when_another_is_shown),
		cmocka_unit_test(a_switch_that_was_asleep_is_lapped_and_goes_on),
		cmocka_unit_test(readers_are_woken_for_each_batch),
		cmocka_unit_test(without_delay_a_show_may_work_in_rounds),
		cmocka_unit_test(a_feed_of_nonsense_is_not_chosen),
		cmocka_unit_test(a_switch_that_is_never_told_all_begins_all_the_same),
		cmocka_unit_test(a_second_loss_that_is_rehearsed_is_not_learned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return run_tries(run);
}
