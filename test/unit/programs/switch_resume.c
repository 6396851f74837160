/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A switch that is killed is replaced by one that goes on with the next packet. */
#include "switch_scene.h"
#include "tries.h"

static void a_killed_switch_costs_nothing(void **state)
{
	struct scene *s = scene_create(500);

	scene_add(s, true);
	scene_add(s, true);
	scene_run(s, 1200);
	for (unsigned i = 0; i < 4; i++) {
		scene_replace_switch(s);
		scene_run(s, 500);
	}
	check_unbroken(&s->show, 45);
	assert_int_equal(s->status.timeline.live, 1);
	/* the codec headers did not change, so they were not sent again but for joiners */
	unsigned configs = 0;
	for (unsigned i = 0; i < s->show.count; i++) {
		const struct packet *p = &s->show.packets[i].packet;

		configs += p->type == PACKET_CONFIG && (p->flags & PACKET_REPEAT) == 0;
	}
	assert_int_equal(configs, 2);
	scene_destroy(s);
}

static void a_switch_killed_after_a_failover_stays_with_the_backup(void **state)
{
	struct scene *s = scene_create(900);
	struct feed *primary = scene_add(s, true);

	scene_add(s, true);
	scene_run(s, LOST_MS);
	primary->is_silent = true;
	scene_close(s, primary);
	scene_run(s, 1400);
	assert_int_equal(s->status.timeline.live, 2);
	scene_replace_switch(s);
	scene_close(s, primary);
	scene_run(s, 900);
	check_unbroken(&s->show, 30);
	assert_int_equal(s->status.timeline.live, 2);
	scene_destroy(s);
}

/* The backup alone could go on at once, with its sound. */
static void a_switch_that_was_told_of_the_backup_alone_waits_for_the_rest(void **state)
{
	struct scene *s = scene_create(0);
	unsigned before;

	scene_add(s, true);
	scene_add(s, true);
	scene_run(s, 1200);
	assert_int_equal(s->status.timeline.live, 1);
	scene_renew_switch(s);
	scene_open(s, &s->feeds[1]);
	scene_run(s, 150);
	before = s->show.count;
	scene_open(s, &s->feeds[0]);
	scene_begin(s);
	for (int i = 0; i < 100 && s->show.count < before + 50; i++) {
		scene_run(s, 100);
	}
	assert_true(s->show.count >= before + 50);
	for (unsigned i = 0; i < s->show.count; i++) {
		assert_int_equal(s->show.packets[i].packet.feed, 1);
	}
	scene_destroy(s);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_killed_switch_costs_nothing),
		cmocka_unit_test(a_switch_killed_after_a_failover_stays_with_the_backup),
		cmocka_unit_test(a_switch_that_was_told_of_the_backup_alone_waits_for_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return run_tries(run);
}
