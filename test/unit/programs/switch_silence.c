/* SPDX-License-Identifier: GPL-3.0-or-later */
/* understudy-switch stands in with silence where the show is to have sound and no feed has any. */
#include <understudy/silence.h>

#include "switch_scene.h"
#include "tries.h"

struct heard {
	unsigned silences, sounds, headers;
};

/* In order, and without a hole or an overlap. */
static struct heard hear(const struct show *show)
{
	const struct packet *last = NULL;
	struct heard heard = { 0 };

	check_order(show);
	for (unsigned i = 0; i < show->count; i++) {
		const struct packet *p = &show->packets[i].packet;

		heard.headers += p->kind == PACKET_AUDIO && p->type == PACKET_CONFIG &&
				 (p->flags & PACKET_REPEAT) == 0;
		if (!is_frame(&show->packets[i], PACKET_AUDIO)) {
			continue;
		}
		heard.silences += p->feed == 0;
		heard.sounds += p->feed != 0;
		assert_true(heard.headers > 0);
		if (last != NULL && (p->feed == 0) == (last->feed == 0)) {
			assert_in_range(p->pts_90k - last->pts_90k, SAMPLES_90K - 2,
					SAMPLES_90K + 2);
		} else if (last != NULL && last->feed == 0) {
			assert_in_range(p->pts_90k - last->pts_90k, SAMPLES_90K / 2,
					SAMPLES_90K * 3 / 2);
		}
		last = p;
	}
	return heard;
}

static void a_feed_without_sound_gets_silence(void **state)
{
	struct scene *s = scene_create_filled(300, true);

	scene_add_mute(s);
	scene_run(s, 3000);
	struct heard heard = hear(&s->show);
	assert_int_equal(heard.sounds, 0);
	assert_int_equal(heard.headers, 1);
	assert_true(heard.silences > 30);
	check_steps(&s->show, PACKET_VIDEO, FRAME_90K);
	scene_destroy(s);
}

static void sound_that_comes_late_takes_its_place(void **state)
{
	struct scene *s = scene_create_filled(300, true);
	struct feed *f = scene_add_mute(s);

	scene_run(s, 2600);
	f->is_mute = false;
	feed_write_headers(f, (int64_t)f->videos * FRAME_90K, 0, clock_monotonic_us());
	scene_run(s, 1500);
	struct heard heard = hear(&s->show);
	assert_true(heard.silences > 20 && heard.sounds > 20);
	scene_destroy(s);
}

static void sound_that_vanishes_is_stood_in_for(void **state)
{
	struct scene *s = scene_create_filled(300, true);
	struct feed *f = scene_add(s, true);

	scene_run(s, 1500);
	f->is_mute = true;
	scene_run(s, 2500);
	struct heard heard = hear(&s->show);
	assert_true(heard.silences > 20 && heard.sounds > 20);
	assert_int_equal(heard.headers, 1); /* it is of the format of the sound */
	scene_destroy(s);
}

static void silence_goes_on_behind_a_switch_that_was_killed(void **state)
{
	struct scene *s = scene_create_filled(500, true);

	scene_add_mute(s);
	scene_run(s, 2800);
	scene_replace_switch(s);
	scene_run(s, 1200);
	struct heard heard = hear(&s->show);
	assert_true(heard.silences > 50);
	assert_int_equal(heard.headers, 1);
	check_steps(&s->show, PACKET_VIDEO, FRAME_90K);
	check_steps(&s->show, PACKET_AUDIO, SAMPLES_90K);
	scene_destroy(s);
}

static void a_show_that_does_not_ask_for_it_gets_none(void **state)
{
	struct scene *s = scene_create(300);

	scene_add_mute(s);
	scene_run(s, 2500);
	assert_int_equal(hear(&s->show).silences, 0);
	scene_destroy(s);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_feed_without_sound_gets_silence),
		cmocka_unit_test(sound_that_comes_late_takes_its_place),
		cmocka_unit_test(sound_that_vanishes_is_stood_in_for),
		cmocka_unit_test(silence_goes_on_behind_a_switch_that_was_killed),
		cmocka_unit_test(a_show_that_does_not_ask_for_it_gets_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return run_tries(run);
}
