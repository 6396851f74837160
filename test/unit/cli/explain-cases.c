/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `understudy explain` promises and foretells: numbers, and who takes over. */
#include "explaining.h"

static void what_is_promised_and_what_is_lost_at_worst(void **state)
{
	static const struct {
		int64_t delay_ms, gop_ms, stall_ms;
		const char *key;
		bool is_promised;
		int64_t picture_ms, silence_ms, earlier_ms;
	} rows[] = {
		{ 3000, 2000, 500, "killed", true, 0, 0, 0 },
		{ 3000, 2000, 500, "frozen", true, 0, 0, 0 },
		{ 2750, 2000, 500, "frozen", true, 0, 0, 0 },
		{ 2749, 2000, 500, "frozen", false, 0, 0, 0 },
		{ 3000, 4000, 500, "killed", false, 1000, 0, 0 },
		{ 3000, 4000, 500, "frozen", false, 1500, 0, 0 },
		{ 3000, 4000, 500, "starved", false, 1500, 0, 0 },
		{ 3000, 4000, 500, "audio_only", false, 1500, 0, 0 },
		{ 500, 2000, 500, "killed", false, 1500, 0, 0 },
		{ 500, 2000, 500, "frozen", false, 2000, 50, 0 },
		{ 500, 2000, 800, "frozen", false, 2300, 350, 0 },
		{ 0, 2000, 500, "killed", false, 2000, 50, 0 },
		{ 0, 2000, 500, "frozen", false, 2500, 550, 0 },
		{ 0, 2000, 500, "audio_only", false, 2500, 0, 0 },
		{ 0, 2000, 50, "frozen", false, 2100, 150, 0 }, /* three frames of 30 a second */
		{ 3250, 2000, 500, "frozen", true, 0, 0, 500 },
		{ 3249, 2000, 500, "frozen", false, 0, 0, 500 },
		{ 3000, 4000, 500, "killed", false, 1500, 0, 500 },
		{ 900, 2000, 500, "frozen", false, 2100, 150, 500 },
	};
	static struct explain_facts facts;
	static struct explanation explanation;

	facts_of(answer, &facts);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		facts.delay_ms = rows[i].delay_ms;
		facts.stall_ms = rows[i].stall_ms;
		facts.feeds[1].gop_ms = rows[i].gop_ms;
		facts.feeds[i % 2].offset_ms = -rows[i].earlier_ms; /* whosever it is */
		facts.feeds[(i + 1) % 2].offset_ms = 0;
		explain_make(&facts, &explanation);
		const struct explain_item *item = item_of(&explanation, rows[i].key);

		if (item->is_promised != rows[i].is_promised ||
		    item->picture_ms != rows[i].picture_ms ||
		    item->silence_ms != rows[i].silence_ms) {
			fail_msg("row %zu: promised %d, picture %lld ms, silence %lld ms", i,
				 item->is_promised, (long long)item->picture_ms,
				 (long long)item->silence_ms);
		}
		assert_int_equal(explanation.needed_ms,
				 rows[i].gop_ms + rows[i].stall_ms + 250 + rows[i].earlier_ms);
	}
}

static void a_feed_that_is_shown_earlier_uses_up_the_delay(void **state)
{
	static struct explain_facts facts;

	facts_of(answer, &facts);
	facts.feeds[0].offset_ms = -400;
	facts.feeds[1].gop_ms = 2000;
	assert_says(&facts, "delay", "shown earlier: so much of the delay is used up");
	assert_says(&facts, "promise",
		    "takes 3.15 s (key frame distance + stall_ms + 250 ms + what "
		    "offset_ms uses up)");
	facts.feeds[1].gop_ms = EXPLAIN_UNKNOWN;
	assert_says(&facts, "promise",
		    "at most 1.85 s apart: that is the delay of 3.0 s less "
		    "stall_ms, offset_ms, 250 ms");
	facts.delay_ms = 0; /* nothing can be moved then */
	assert_says(&facts, "promise", "it takes at least 2.75 s");
}

static void the_next_feed_is_the_one_the_timeline_would_choose(void **state)
{
	static struct explain_facts facts;

	facts_of(answer, &facts);
	facts.delay_ms = 6000;
	strcpy(facts.feeds[2].state, "standby");
	facts.feeds[2].gop_ms = 2000;
	facts.feeds[2].has_video = true;
	assert_says(&facts, "killed", "goes on with backup");
	strcpy(facts.feeds[1].mismatch, "resolution 1280x720 instead of 1920x1080");
	assert_says(&facts, "killed", "goes on with spare");
	facts.on_mismatch = MISMATCH_ALLOW;
	assert_says(&facts, "killed", "goes on with backup");
	strcpy(facts.feeds[1].health, "no audio for 700 ms");
	assert_says(&facts, "killed", "goes on with spare");
	facts.feeds[2].is_slate = true;
	assert_says(&facts, "killed", "goes on with backup");
	assert_says(&facts, "all_gone",
		    "What they have sent is shown up to a key frame of what "
		    "follows: spare (a slate)");
	facts.return_mode = RETURN_NEVER;
	assert_says(&facts, "returns", "while that can go on; but a slate is left for it.");
	strcpy(facts.feeds[2].state, "offline");
	assert_says(&facts, "returns", "while that can go on. `understudy take");
	assert_says(&facts, "all_gone", "Then picture and sound stop");
	strcpy(facts.live, "backup");
	assert_says(&facts, "killed", "goes on with primary");
}

static void of_two_that_do_not_match_one_with_pictures_is_next(void **state)
{
	static struct explain_facts facts;

	facts_of(answer, &facts);
	strcpy(facts.feeds[1].mismatch, "video none instead of present");
	facts.feeds[1].has_video = false;
	strcpy(facts.feeds[2].mismatch, "resolution 640x360 instead of 1920x1080");
	strcpy(facts.feeds[2].state, "standby");
	facts.feeds[2].has_video = true;
	assert_says(&facts, "killed", "spare");
	facts.on_mismatch = MISMATCH_ALLOW;
	assert_says(&facts, "killed", "backup sends sound only");
}

static void without_a_standby_nothing_is_promised(void **state)
{
	static struct explain_facts facts;

	facts_of(answer, &facts);
	strcpy(facts.feeds[1].state, "stalled");
	assert_says(&facts, "promise", "Nothing can be promised now");
	assert_says(&facts, "killed", "Nobody is there to take over now");
	strcpy(facts.feeds[1].state, "standby");
	facts.on_mismatch = MISMATCH_REFUSE;
	strcpy(facts.feeds[1].mismatch, "video AV1 instead of H.264");
	assert_says(&facts, "frozen", "Nobody is there to take over now");
	facts.feed_count = 1;
	assert_says(&facts, "chain", "alone");
	assert_says(&facts, "killed", "Nobody is there to take over now");
}

static void sound_of_another_format_changes_with_the_picture(void **state)
{
	static struct explain_facts facts;

	facts_of(answer, &facts);
	strcpy(facts.feeds[1].mismatch, "audio rate 44100 instead of 48000");
	assert_says(&facts, "killed", "it changes with the picture");
}

static void sound_alone_needs_no_key_frame(void **state)
{
	static struct explain_facts facts;

	facts_of(answer, &facts);
	facts.feeds[1].has_video = false;
	assert_says(&facts, "promise", "a change to it ends the picture");
	assert_says(&facts, "killed", "The picture ends, as backup sends sound only.");
	assert_says(&facts, "audio_only", "the picture stands still: nobody is there");
	facts.feeds[0].has_video = false;
	assert_says(&facts, "promise", "To promise no gap takes a delay of 750 ms");
	assert_says(&facts, "starved", "the sound hitches");
}

static void twins_need_no_key_frame(void **state)
{
	static struct explain_facts facts;
	static struct explanation explanation;
	static const struct {
		int64_t delay_ms, pause_ms;
	} rows[] = { { 3000, 0 }, { 420, 0 }, { 419, 1 }, { 100, 320 }, { 0, 320 } };
	const struct explain_item *item;

	facts_of(answer, &facts); /* the key frames are too far apart for the delay */
	strcpy(facts.feeds[0].twin_of, "backup");
	strcpy(facts.feeds[1].twin_of, "primary");
	facts.feeds[0].lag_ms = -320;
	facts.feeds[1].lag_ms = 320;
	assert_says(&facts, "feed", "twin of backup, 320 ms earlier");
	assert_says(&facts, "promise", "That takes a delay of 420 ms");
	assert_says(&facts, "starved", "What is missing is taken from backup");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		facts.delay_ms = rows[i].delay_ms;
		explain_make(&facts, &explanation);
		item = item_of(&explanation, "frozen");
		assert_int_equal(item->is_promised, rows[i].pause_ms == 0);
		assert_int_equal(item->picture_ms, rows[i].pause_ms);
		assert_int_equal(item->silence_ms, rows[i].pause_ms);
		assert_int_equal(explanation.needed_ms, 420); /* whatever the key frames */
		assert_true(explanation.has_twin);
	}
	assert_says(&facts, "killed", "A pause of up to 320 ms");
	assert_says(&facts, "promise", "is a pause of up to 320 ms");
	facts.feeds[0].offset_ms = -80; /* which leaves less of a delay */
	facts.delay_ms = 400;
	assert_says(&facts, "killed", "A pause of up to 100 ms");
	assert_says(&facts, "promise", "(what they are apart + 100 ms + what offset_ms uses up)");
	facts.delay_ms = 500; /* it comes too late to go on as it is */
	facts.feeds[1].lag_ms = 901;
	assert_says(&facts, "killed", "The picture stands still until the next key frame");
	strcpy(facts.live, "spare"); /* which is no twin of theirs */
	assert_says(&facts, "killed", "goes on from primary");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_promised_and_what_is_lost_at_worst),
		cmocka_unit_test(a_feed_that_is_shown_earlier_uses_up_the_delay),
		cmocka_unit_test(the_next_feed_is_the_one_the_timeline_would_choose),
		cmocka_unit_test(of_two_that_do_not_match_one_with_pictures_is_next),
		cmocka_unit_test(without_a_standby_nothing_is_promised),
		cmocka_unit_test(sound_of_another_format_changes_with_the_picture),
		cmocka_unit_test(sound_alone_needs_no_key_frame),
		cmocka_unit_test(twins_need_no_key_frame),
	};

	return cmocka_run_group_tests_name("cli explain cases", tests, NULL, NULL);
}
