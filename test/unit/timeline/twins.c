/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What makes two feeds twins, and what does not; what a copy that lies can do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <understudy/timeline.h>

#include "../../../src/timeline/private.h"

#define START_US INT64_C(1000000000)
#define FRAME_90k 3600 /* 25 frames a second */
#define FRAME_US 40000
#define GOP 25
#define BASE_90k 900000 /* the backup's timestamps begin here */

static const struct timeline_config show = {
	.delay_us = 1000000,
	.stall_us = 500000,
	.hole_us = 200000,
	.return_after_us = 30000000,
	.feed_count = 2,
	.feeds = { { .id = 1 }, { .id = 2 } },
};

struct world {
	struct timeline *tl;
	int sources[2];
	uint64_t seqs[2];
	unsigned twins, parted;
	uint64_t last;             /* content that went out last */
	unsigned wrong;            /* contents that did not follow the one before */
	unsigned forged;           /* that are no content of the encode */
	uint64_t content[2][4096]; /* by feed and number in its ring */
};

static struct world *world_create_delayed(int64_t delay_us)
{
	struct world *w = calloc(1, sizeof(*w));
	struct timeline_config config = show;

	assert_non_null(w);
	config.delay_us = delay_us;
	w->tl = timeline_create(&config, START_US);
	for (uint16_t feed = 1; feed <= 2; feed++) {
		w->sources[feed - 1] = timeline_open(w->tl, feed, 1, START_US);
	}
	return w;
}

static struct world *world_create(void)
{
	return world_create_delayed(show.delay_us);
}

static void world_destroy(struct world *w)
{
	timeline_destroy(&w->tl);
	free(w);
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* Frame `n` of the feed's timeline, which shows `content`. */
static void push(struct world *w, unsigned feed, int64_t n, uint64_t content, int64_t now_us)
{
	struct packet p = { .kind = PACKET_VIDEO,
			    .type = PACKET_FRAME,
			    .codec = CODEC_AVC,
			    .dts_90k = n * FRAME_90k + (feed == 1 ? BASE_90k : 0),
			    .pts_90k = n * FRAME_90k + (feed == 1 ? BASE_90k : 0),
			    .flags = n % GOP == 0 ? PACKET_KEY : 0,
			    .size = 1000,
			    .fingerprint = mix(content),
			    .arrival_us = now_us };

	w->content[feed][w->seqs[feed]] = content;
	assert_int_equal(timeline_push(w->tl, w->sources[feed], w->seqs[feed]++, &p, NULL, now_us),
			 0);
}

static void run(struct world *w, int64_t now_us)
{
	struct timeline_step step;

	for (;;) {
		timeline_next(w->tl, now_us, &step);
		if (step.action == TIMELINE_WAIT) {
			return;
		}
		w->twins += step.action == TIMELINE_EVENT && step.event.kind == TIMELINE_TWINS;
		w->parted += step.action == TIMELINE_EVENT && step.event.kind == TIMELINE_PARTED;
		if (step.action == TIMELINE_SEND) {
			uint64_t content = w->content[step.source][step.seq];

			w->wrong += w->last != 0 && content != w->last + 1;
			w->forged += content >= 1000000;
			w->last = content;
		}
	}
}

/* Both feeds send what these say they show in frame n. */
static void play(struct world *w, int64_t from, int64_t to, uint64_t (*primary)(int64_t),
		 uint64_t (*backup)(int64_t), int64_t ahead)
{
	for (int64_t n = from; n < to; n++) {
		int64_t now_us = START_US + n * FRAME_US;

		push(w, 0, n, primary(n), now_us);
		push(w, 1, n + ahead, backup(n + ahead), now_us);
		run(w, now_us);
	}
}

static uint64_t encode(int64_t n)
{
	return (uint64_t)n + 100;
}

static uint64_t forgery(int64_t n)
{
	return (uint64_t)n + 1000000;
}

/* A black picture: the same GOP over and over, IDRs numbered in turn. */
static uint64_t black(int64_t n)
{
	return (uint64_t)(n % (2 * GOP)) + 10;
}

/* Black at first, then each shows what it has. */
static uint64_t black_then_one(int64_t n)
{
	return n < 200 ? black(n) : (uint64_t)n + 100000;
}

static uint64_t black_then_other(int64_t n)
{
	return n < 200 ? black(n) : (uint64_t)n + 200000;
}

static void same_encode_makes_twins(void **state)
{
	struct world *w = world_create();
	struct timeline_status status;

	play(w, 0, 250, encode, encode, 0);
	assert_int_equal(w->twins, 1);
	timeline_get_status(w->tl, START_US + 250 * FRAME_US, &status);
	assert_int_equal(status.feeds[0].twin_of, 2);
	assert_int_equal(status.feeds[1].twin_of, 1);
	assert_int_equal(status.feeds[1].lag_ms, 0);
	assert_int_equal(w->wrong, 0);
	world_destroy(w);
}

static void other_encodes_are_no_twins(void **state)
{
	struct world *w = world_create();

	play(w, 0, 400, encode, forgery, 0);
	assert_int_equal(w->twins, 0);
	world_destroy(w);
}

static void two_black_pictures_are_no_twins(void **state)
{
	struct world *w = world_create();

	play(w, 0, 1000, black, black, 0);
	assert_int_equal(w->twins, 0);
	world_destroy(w);
}

static void black_at_the_beginning_makes_no_twins(void **state)
{
	struct world *w = world_create();

	play(w, 0, 1000, black_then_one, black_then_other, 0);
	assert_int_equal(w->twins, 0);
	assert_int_equal(w->parted, 0);
	world_destroy(w);
}

/* It was a twin, is 8 frames ahead, and now makes up what is to come. */
static void copy_that_forges_what_is_to_come_gains_nothing(void **state)
{
	struct world *w = world_create();

	play(w, 0, 250, encode, encode, 8);
	assert_int_equal(w->twins, 1);
	play(w, 250, 400, encode, forgery, 8);
	assert_int_equal(w->parted, 1);
	assert_int_equal(w->forged, 0);
	assert_int_equal(w->wrong, 0);
	assert_true(w->last > encode(370));
	world_destroy(w);
}

/* Without a delay, beside the leading copy and behind it. */
static void copy_that_forges_gains_nothing_without_delay(void **state)
{
	for (int64_t ahead = -8; ahead <= 0; ahead += 8) {
		struct world *w = world_create_delayed(0);

		play(w, 0, 250, encode, encode, ahead);
		assert_int_equal(w->twins, 1);
		play(w, 250, 400, encode, forgery, ahead);
		assert_int_equal(w->parted, 1);
		assert_int_equal(w->forged, 0);
		assert_int_equal(w->wrong, 0);
		assert_true(w->last >= encode(395));
		world_destroy(w);
	}
}

/* Payloads of the encode, some later than they are: the copy seems to step, again and again. */
static uint64_t stutter(int64_t n)
{
	return encode(n - n / 7 % 5);
}

static void copy_that_claims_other_times_gains_nothing(void **state)
{
	struct world *w = world_create();

	play(w, 0, 250, encode, encode, 0);
	assert_int_equal(w->twins, 1);
	play(w, 250, 600, encode, stutter, 0);
	assert_int_equal(w->parted, 1);
	assert_int_equal(w->wrong, 0);
	assert_true(w->last > encode(570));
	world_destroy(w);
}

/* The one that leads begins another encode: it stays what the show is made of. */
static void leader_that_encodes_something_else_goes_on(void **state)
{
	for (int64_t delay_us = 0; delay_us <= 1000000; delay_us += 1000000) {
		struct world *w = world_create_delayed(delay_us);

		play(w, 0, 250, encode, encode, 0);
		assert_int_equal(w->twins, 1);
		play(w, 250, 400, forgery, encode, 0);
		assert_int_equal(w->parted, 1);
		assert_int_equal(w->wrong, 1); /* where it began */
		assert_true(w->last >= forgery(delay_us > 0 ? 370 : 395));
		world_destroy(w);
	}
}

/* The same frames again and again: each was there before. */
static uint64_t replay(int64_t n)
{
	return encode(n < 100 ? n : n % 50);
}

static void replayed_frames_make_no_twin(void **state)
{
	struct world *w = world_create();

	play(w, 0, 100, encode, replay, 0);
	play(w, 100, 600, encode, replay, 0);
	assert_int_equal(w->forged, 0);
	assert_int_equal(w->wrong, 0);
	world_destroy(w);
}

/* Nothing that was told of its connection is kept, but the show still has frames of it to send. */
static void copy_that_parts_may_be_taken_away_at_once(void **state)
{
	struct world *w = world_create();

	play(w, 0, 218, encode, encode, 0);
	assert_int_equal(w->twins, 1);
	for (int64_t n = 218; n < 240; n++) {
		int64_t now_us = START_US + n * FRAME_US;

		if (n < 219 || n > 222) {
			push(w, 0, n, encode(n), now_us);
		}
		push(w, 1, n, n < 225 ? encode(n) : forgery(n), now_us);
		run(w, now_us);
		if (n == 226) {
			assert_int_equal(w->parted, 1);
			timeline_set_leaving(w->tl, w->sources[1], true, "removed");
			run(w, now_us);
		}
	}
	timeline_note_loss(w->tl, w->sources[1], 10, 1, START_US + 240 * FRAME_US);
	timeline_set_leaving(w->tl, w->sources[1], false, "");
	timeline_close(w->tl, w->sources[1], NULL, START_US + 240 * FRAME_US);
	assert_int_equal(w->wrong, 0);
	world_destroy(w);
}

/* Each step is less than what begins a new media time. */
static void copy_that_runs_away_in_time_is_one_no_more(void **state)
{
	struct world *w = world_create();

	play(w, 0, 218, encode, encode, 0);
	assert_int_equal(w->twins, 1);
	for (int64_t n = 218; n < 230; n++) {
		int64_t now_us = START_US + n * FRAME_US;

		push(w, 0, n, encode(n), now_us);
		push(w, 1, n + (n - 217) * 100, forgery(n), now_us);
		run(w, now_us);
	}
	assert_int_equal(w->parted, 1);
	assert_int_equal(w->forged, 0);
	assert_int_equal(w->wrong, 0);
	world_destroy(w);
}

/* Without reordering every frame is closed, and the newest one to be. */
static void assert_closed_frames_are_where_they_lie(const struct world *w)
{
	for (unsigned i = 0; i < TL_SLOTS_MAX; i++) {
		const struct tl_source *s = w->tl->sources[i];

		for (uint64_t n = s != NULL ? s->index.first : 0; s != NULL && n < s->index.next;
		     n++) {
			const struct tl_entry *e = tl_index_at(&s->index, n);

			assert_true((e->flags & TL_ENTRY_GONE) != 0 ||
				    e->closed_90k == e->packet.pts_90k);
		}
	}
}

/* The backup is ten frames ahead, then claims to be two: its encoder was set anew. */
static void what_waits_of_a_copy_moves_with_it(void **state)
{
	struct world *w = world_create();

	play(w, 0, 250, encode, encode, 10);
	assert_int_equal(w->twins, 1);
	for (int64_t n = 250; n < 280; n++) {
		int64_t now_us = START_US + n * FRAME_US;

		push(w, 0, n, encode(n), now_us);
		push(w, 1, n + 2, encode(n + 10), now_us);
		assert_closed_frames_are_where_they_lie(w);
		run(w, now_us);
	}
	assert_int_equal(w->parted, 0);
	assert_int_equal(w->wrong, 0);
	world_destroy(w);
}

/* Commentary, in a second track of sound. */
static void push_extra(struct world *w, unsigned feed, int64_t n, int64_t now_us)
{
	struct packet p = { .kind = PACKET_AUDIO,
			    .type = PACKET_FRAME,
			    .track = 1,
			    .codec = CODEC_AAC,
			    .dts_90k = n * FRAME_90k + (feed == 1 ? BASE_90k : 0),
			    .size = 100,
			    .fingerprint = mix((uint64_t)n + 5000000),
			    .arrival_us = now_us };

	p.pts_90k = p.dts_90k;
	w->content[feed][w->seqs[feed]] = 0;
	timeline_push(w->tl, w->sources[feed], w->seqs[feed]++, &p, NULL, now_us);
}

static unsigned count_extras(struct world *w, int64_t now_us)
{
	struct timeline_step step;
	unsigned count = 0;

	for (;;) {
		timeline_next(w->tl, now_us, &step);
		if (step.action == TIMELINE_WAIT) {
			return count;
		}
		count += step.action == TIMELINE_SEND && step.packet.track == 1;
	}
}

/* A picture that lies elsewhere, once, seems to say that the leading copy's time has moved. It has
 * not, so that what waited for that goes on. */
static void more_sound_goes_on_where_a_picture_comes_again(void **state)
{
	struct world *w = world_create();
	unsigned count = 0;

	for (int64_t n = 0; n < 600; n++) {
		int64_t now_us = START_US + n * FRAME_US, ahead = n + 10;

		if (n != 300) {
			push(w, 0, n, n == 301 ? encode(305) : encode(n), now_us);
		}
		push_extra(w, 0, n, now_us);
		if (ahead != 300 && ahead != 301) {
			push(w, 1, ahead, encode(ahead), now_us);
		}
		push_extra(w, 1, ahead, now_us);
		count += count_extras(w, now_us);
	}
	assert_true(count > 550);
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_encode_makes_twins),
		cmocka_unit_test(other_encodes_are_no_twins),
		cmocka_unit_test(two_black_pictures_are_no_twins),
		cmocka_unit_test(black_at_the_beginning_makes_no_twins),
		cmocka_unit_test(copy_that_forges_what_is_to_come_gains_nothing),
		cmocka_unit_test(copy_that_forges_gains_nothing_without_delay),
		cmocka_unit_test(copy_that_claims_other_times_gains_nothing),
		cmocka_unit_test(leader_that_encodes_something_else_goes_on),
		cmocka_unit_test(replayed_frames_make_no_twin),
		cmocka_unit_test(more_sound_goes_on_where_a_picture_comes_again),
		cmocka_unit_test(copy_that_parts_may_be_taken_away_at_once),
		cmocka_unit_test(copy_that_runs_away_in_time_is_one_no_more),
		cmocka_unit_test(what_waits_of_a_copy_moves_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
