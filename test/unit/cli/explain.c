/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `understudy explain` says of a show: every word once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <understudy/text.h>

#include "explaining.h"

static char *render(const struct explain_facts *facts)
{
	static struct explanation explanation;
	char *out = NULL;
	size_t size;
	struct terminal t = { .out = open_memstream(&out, &size) };

	explain_make(facts, &explanation);
	explain_print(&t, facts, &explanation);
	fclose(t.out);
	return out;
}

static void a_running_show_is_explained_by_its_measured_numbers(void **state)
{
	static struct explain_facts facts;

	facts_of(answer, &facts);
	char *out = render(&facts);
	/* clang-format off */
	assert_string_equal(out,
"main: its feeds, as measured now\n"
"  primary         live: H.264 1920x1080, AAC 48 kHz, 29.97 frames a second, key frames\n"
"                  2.0 s apart, B-frames (2 held back)\n"
"  backup          standby: H.264 1920x1080, AAC 48 kHz, 30 frames a second, key frames\n"
"                  4.0 s apart, no B-frames\n"
"  spare           offline, no encoder is connected\n"
"\n"
"main: how it is set up\n"
"  Feeds           primary, then backup, then spare. The first that can go on is live; one\n"
"                  in good health goes before one in bad, and one of another format is only\n"
"                  shown when no other can go on.\n"
"  Delay           The destinations get what the encoders sent 3.0 s ago. You move backup\n"
"                  by 120 ms (offset_ms), to where it is shown later. A reload with a\n"
"                  longer delay_ms makes the show stand still for the difference, once;\n"
"                  with a shorter one nothing is left out, the delay shrinks by 5 ms a\n"
"                  second.\n"
"  A feed is left  when its connection closes, when its picture or its sound has not come\n"
"                  for 500 ms (stall_ms), or when a hole of more than 200 ms (hole_ms) in\n"
"                  either is not filled by then. One that a reload takes away is left\n"
"                  without a gap, as with `take`.\n"
"  Degraded        is a feed where 10 % of 20 s are missing in several holes, or picture or\n"
"                  sound stay away (failover.health). The show leaves it for a healthy one\n"
"                  as soon as that shows no gap.\n"
"  No gap          The key frames of backup are 4.0 s apart and the delay is 3.0 s, so a\n"
"                  change to it can leave a gap: to promise none takes 4.75 s (key frame\n"
"                  distance + stall_ms + 250 ms) and the difference between the two\n"
"                  encoders' lags. Set delay_ms to at least 4750, or the encoder's key\n"
"                  frames at most 2.25 s apart.\n"
"\n"
"main: what the audience will see if\n"
"  primary is killed: its connection closes\n"
"    The picture stands still until the next key frame of backup, for up to 1.0 s. The\n"
"    sound goes on from backup without a pause.\n"
"  primary freezes or its network is cut: nothing comes, nothing closes\n"
"    The picture stands still until the next key frame of backup, for up to 1.5 s. The\n"
"    sound goes on from backup without a pause.\n"
"  primary starves: its connection stands, but packets are missing\n"
"    Holes of up to 200 ms are sent as they are: the picture hitches. A longer one counts\n"
"    as a loss. The picture stands still until the next key frame of backup, for up to\n"
"    1.5 s. The sound goes on from backup without a pause. If holes go on, the feed counts\n"
"    as degraded and the show stays with backup.\n"
"  primary sends sound only: its picture has stopped\n"
"    The picture stands still until the next key frame of backup, for up to 1.5 s. The\n"
"    sound goes on from primary meanwhile, and changes with the picture.\n"
"  All feeds are gone\n"
"    What has been sent is shown to its end, 3.0 s later. Then picture and sound stop:\n"
"    understudy invents nothing. It keeps the connections to the destinations, ends no\n"
"    broadcast, and goes on with whichever feed is back first, at a key frame of it. How\n"
"    long a platform waits is the platform's affair.\n"
"  primary returns\n"
"    Once it has been healthy for 30 s (return_after_s), the show goes back to it at one of\n"
"    its key frames, and only when that leaves no gap. If it fails again within 10 minutes,\n"
"    the wait is doubled, up to 10 minutes.\n"
"\n"
"main: what no delay hides\n"
"  Two encoders that are not synchronised differ by their lag: at a change words may be\n"
"  repeated or skipped by that much, and one frame of sound may click. Timestamps do not\n"
"  jump. Between different encodes the lag cannot be measured; what you see of it can be\n"
"  taken off with offset_ms.\n"
"  primary sends B-frames: where the show leaves it, the picture may hold for up to 66 ms\n"
"  more than one frame.\n"
"  Feeds that carry the same encode are found to be twins after some key frames, and merged\n"
"  packet by packet: losing one of them, or holes they do not share, cannot be seen or\n"
"  heard where the delay is 100 ms more than one comes behind the other. Without a delay\n"
"  the loss of one is a pause of at most that, and no frame is lost.\n");
	/* clang-format on */
	free(out);
}

/* ---- of a configuration alone ---- */

static const char *no_environment(void *context, const char *name)
{
	(void)context;
	(void)name;
	return NULL;
}

static void facts_of_config(const char *text, struct explain_facts *ret)
{
	struct config_findings findings = { .count = 0 };
	struct config *config = NULL;

	assert_int_equal(config_load_text("test", text, strlen(text), no_environment, NULL, &config,
					  &findings),
			 0);
	explain_from_config(config, 0, &findings, ret);
	config_destroy(&config);
	config_findings_finish(&findings);
}

static void a_configuration_is_explained_without_numbers_nobody_measured(void **state)
{
	static struct explain_facts facts;

	facts_of_config("rtmp: {}\n"
			"shows:\n"
			"  - name: main\n"
			"    delay_ms: 0\n"
			"    feeds:\n"
			"      - { name: primary, key: primary-key }\n"
			"      - { name: backup, key: backup-key }\n",
			&facts);
	char *out = render(&facts);
	/* clang-format off */
	assert_string_equal(out,
"main: how it is set up\n"
"  Feeds           primary, then backup. The first that can go on is live; one in good\n"
"                  health goes before one in bad, and one of another format is only shown\n"
"                  when no other can go on.\n"
"  Delay           None: every packet goes out as it comes. A change of feed can be seen. A\n"
"                  reload with a longer delay_ms makes the show stand still for the\n"
"                  difference, once.\n"
"  A feed is left  when its connection closes, when its picture or its sound has not come\n"
"                  for 500 ms (stall_ms), or when a hole of more than 200 ms (hole_ms) in\n"
"                  either is not filled by then. One that a reload takes away is left\n"
"                  without a gap, as with `take`.\n"
"  Degraded        is a feed where 10 % of 20 s are missing in several holes, media comes\n"
"                  at less than 80 % of real time, no key frame comes for 15000 ms, the\n"
"                  time of 10 packets in 10 s does not move on, timestamps leap 3 times in\n"
"                  20 s, 10 packets in 10 s make no sense, picture and sound part by\n"
"                  500 ms, the frame rate falls below 65 % of the usual, SRT loses 5 of\n"
"                  1000 packets for good, or picture or sound stay away (failover.health).\n"
"                  The show leaves it for a healthy one as soon as that shows no gap.\n"
"  No gap          A delay of 0 ms is too short to promise that, whatever the key frames.\n"
"                  With key frames 2.0 s apart it takes at least 2.75 s (key frame distance\n"
"                  + stall_ms + 250 ms), more if the two encoders' lags differ.\n"
"\n"
"main: what the audience will see if\n"
"  primary is killed: its connection closes\n"
"    The picture stands still until the next key frame of backup, for up to the distance of\n"
"    two of them. The sound goes on from backup within 50 ms, if the formats match.\n"
"  primary freezes or its network is cut: nothing comes, nothing closes\n"
"    The picture stands still until the next key frame of backup, for up to the distance of\n"
"    two of them and 500 ms. The sound goes on from backup within 550 ms, if the formats\n"
"    match.\n"
"  primary starves: its connection stands, but packets are missing\n"
"    Holes of up to 200 ms are sent as they are: the picture hitches. A longer one counts\n"
"    as a loss. The picture stands still until the next key frame of backup, for up to the\n"
"    distance of two of them and 500 ms. The sound goes on from backup within 550 ms, if\n"
"    the formats match. If holes go on, the feed counts as degraded and the show stays with\n"
"    backup.\n"
"  primary sends sound only: its picture has stopped\n"
"    The picture stands still until the next key frame of backup, for up to the distance of\n"
"    two of them and 500 ms. The sound goes on from primary meanwhile, and changes with the\n"
"    picture.\n"
"  All feeds are gone\n"
"    Then picture and sound stop: understudy invents nothing. It keeps the connections to\n"
"    the destinations, ends no broadcast, and goes on with whichever feed is back first, at\n"
"    a key frame of it. How long a platform waits is the platform's affair.\n"
"  primary returns\n"
"    Once it has been healthy for 30 s (return_after_s), the show goes back to it at one of\n"
"    its key frames, and only when that leaves no gap. If it fails again within 10 minutes,\n"
"    the wait is doubled, up to 10 minutes.\n"
"\n"
"main: what no delay hides\n"
"  Two encoders that are not synchronised differ by their lag: at a change words may be\n"
"  repeated or skipped by that much, and one frame of sound may click. Timestamps do not\n"
"  jump. Between different encodes the lag cannot be measured; what you see of it can be\n"
"  taken off with offset_ms.\n"
"  Feeds that carry the same encode are found to be twins after some key frames, and merged\n"
"  packet by packet: losing one of them, or holes they do not share, cannot be seen or\n"
"  heard where the delay is 100 ms more than one comes behind the other. Without a delay\n"
"  the loss of one is a pause of at most that, and no frame is lost.\n");
	/* clang-format on */
	free(out);
}

static void a_long_delay_says_how_far_key_frames_may_be_apart(void **state)
{
	static struct explain_facts facts;

	facts_of_config(
		"rtmp: {}\n"
		"shows: [{ name: a, delay_ms: 4000, feeds: [{ name: x, key: primary-key },\n"
		"  { name: y, key: backup-key }], failover: { stall_ms: 1000, return: never } }]\n",
		&facts);
	assert_says(&facts, "promise", "at most 2.75 s apart");
	assert_says(&facts, "frozen", "at most 2.75 s apart");
	assert_says(&facts, "left_when", "1.0 s (stall_ms)");
	assert_says(&facts, "returns", "return is `never`");
	facts.delay_ms = 500;
	assert_says(&facts, "killed", "for up to the distance of two of them less 500 ms.");
	assert_says(&facts, "frozen", "for up to the distance of two of them and 500 ms.");
}

static void feeds_that_differ_from_the_reference_alike_do_not_differ(void **state)
{
	static const char mismatch[] = "audio rate 44100 instead of 48000";
	static struct explain_facts facts;
	char *out;

	facts_of(answer, &facts);
	strcpy(facts.feeds[1].mismatch, mismatch);
	assert_says(&facts, "promise", "of another format, though: audio rate");
	assert_says(&facts, "killed", "But backup is of another format (audio rate");
	strcpy(facts.feeds[0].mismatch, mismatch);
	out = render(&facts);
	assert_null(strstr(out, "of another format, though"));
	assert_null(strstr(out, "But backup is of another format"));
	assert_null(strstr(out, "it changes with the picture"));
	free(out);
}

static void a_return_that_the_format_forbids_is_told(void **state)
{
	static struct explain_facts facts;

	facts_of(answer, &facts);
	strcpy(facts.live, "backup"); /* taken, and so the one that others are held against */
	assert_says(&facts, "returns", "Once it has been healthy for 30 s");
	strcpy(facts.feeds[0].mismatch, "resolution 1920x1080 instead of 1280x720");
	assert_says(&facts, "returns", "Nothing while it is of another format (resolution");
	facts.return_mode = RETURN_NEVER;
	assert_says(&facts, "returns", "return is `never`");
	facts.return_mode = RETURN_MANUAL;
	facts.on_mismatch = MISMATCH_REFUSE;
	assert_says(&facts, "returns", "`understudy take main primary` goes there, and makes its");
	facts.on_mismatch = MISMATCH_ALLOW;
	assert_says(&facts, "returns", "Nothing by itself: return is `manual`");
}

static void a_take_and_a_manual_return_are_told(void **state)
{
	static struct explain_facts facts;

	facts_of(answer, &facts);
	strcpy(facts.taken, "backup");
	facts.return_mode = RETURN_MANUAL;
	assert_says(&facts, "taken", "You have taken backup");
	assert_says(&facts, "returns", "`understudy auto main` lets it go back once");
	assert_says(&facts, "returns", "`understudy take main primary` goes there and stays");
}

/* ---- twins, formats, those who are not there ---- */

static void what_another_format_does_is_told(void **state)
{
	static struct explain_facts facts;

	facts_of(answer, &facts);
	facts.feeds[1].gop_ms = 2000;
	strcpy(facts.feeds[1].mismatch, "resolution 1280x720 instead of 1920x1080");
	assert_says(&facts, "promise", "of another format, though: resolution 1280x720");
	assert_says(&facts, "killed", "some platforms end the broadcast for it");
	facts.on_mismatch = MISMATCH_REFUSE;
	assert_says(&facts, "promise", "backup is of another format, which on_mismatch: refuse");
}

static void a_feed_that_is_leaving_takes_nothing_over(void **state)
{
	static struct explain_facts facts;

	facts_of(answer, &facts);
	strcpy(facts.feeds[1].leaving, "its feed was removed");
	assert_says(&facts, "killed", "Nobody is there to take over now");
	strcpy(facts.live, "backup");
	assert_says(&facts, "killed", "goes on with primary");
	strcpy(facts.feeds[0].leaving, "its feed was removed");
	assert_says(&facts, "feed", "leaving: its feed was removed; it goes when another can");
}

static void before_any_feed_has_come_the_configuration_speaks(void **state)
{
	static struct explain_facts facts;

	facts_of(answer, &facts);
	for (unsigned i = 0; i < facts.feed_count; i++) {
		strcpy(facts.feeds[i].state, "offline");
		facts.feeds[i].gop_ms = EXPLAIN_UNKNOWN;
	}
	facts.live[0] = '\0';
	assert_says(&facts, "promise", "No feed has come yet");
	assert_says(&facts, "promise", "at most 2.25 s apart");
	assert_says(&facts, "killed", "if the key frames of backup are at most 2.25 s apart");
	assert_says(&facts, "feed", "no encoder is connected");
	facts.feeds[0].is_pulled = true;
	assert_says(&facts, "feed", "nothing comes from where it is fetched");
	strcpy(facts.feeds[0].health, "cannot be reached");
	assert_says(&facts, "feed", "offline, cannot be reached");
}

/* ---- what may come in ---- */

static void a_slate_is_counted_on_before_the_show_is_started(void **state)
{
	static const char show[] =
		"{\"name\":\"main\",\"started\":%s,\"delay_ms\":3500,\"failover\":{},\"feeds\":["
		"{\"name\":\"primary\",\"kind\":\"publish\",\"state\":\"standby\"},"
		"{\"name\":\"board\",\"kind\":\"slate\",\"state\":\"offline\"}]}";
	struct explain_facts facts;
	char text[512];

	text_format(text, sizeof(text), show, "false");
	facts_of(text, &facts);
	assert_says(&facts, "all_gone", "board (a slate)");
	text_format(text, sizeof(text), show, "true");
	facts_of(text, &facts);
	assert_says(&facts, "all_gone", "Then picture and sound stop");
}

static void foreign_text_cannot_steer_the_terminal(void **state)
{
	static struct explain_facts facts;

	facts_of("{\"name\":\"a\\u001b[2J\",\"failover\":{},\"feeds\":[{\"name\":\"f\\r\\u0007\","
		 "\"state\":\"\\u009bx\",\"health\":[{\"text\":\"h\\u0008\"}],"
		 "\"video\":{\"codec\":\"\\u001b\"}}]}",
		 &facts);
	char *out = render(&facts);

	for (const unsigned char *p = (unsigned char *)out; *p != '\0'; p++) {
		assert_true(*p == '\n' || (*p >= ' ' && *p < 0x7f));
	}
	free(out);
}

static void anything_may_be_missing_or_of_another_kind(void **state)
{
	static const char *const wrong[] = { "{}", "[]", "{\"failover\":1,\"feeds\":[]}",
					     "{\"failover\":{},\"feeds\":7}" };
	static struct explain_facts facts;
	char many[4096] = "{\"failover\":{\"stall_ms\":1e300,\"return\":[]},\"feeds\":[[],1,null";

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		json_t *json = json_loads(wrong[i], 0, NULL);

		assert_false(explain_from_json(json, &facts));
		json_decref(json);
	}
	for (int i = 0; i < 100; i++) {
		strcat(many, ",{\"gop_ms\":-1e9}");
	}
	strcat(many, "]}");
	facts_of(many, &facts);
	assert_int_equal(facts.feed_count, TIMELINE_FEEDS_MAX);
	free(render(&facts));
	facts_of("{\"failover\":{},\"feeds\":[]}", &facts);
	char *out = render(&facts);
	assert_string_equal(out, "");
	free(out);
}

static void programs_get_the_same_words_and_the_numbers(void **state)
{
	static struct explain_facts facts;
	static struct explanation explanation;
	size_t i, cases = 0;
	json_t *item;

	facts_of(answer, &facts);
	explain_make(&facts, &explanation);
	json_t *json = explain_to_json(&facts, &explanation);
	assert_string_equal(json_string_value(json_object_get(json, "live")), "primary");
	assert_int_equal(json_integer_value(json_object_get(json, "needed_delay_ms")), 4750);
	json_array_foreach(json_object_get(json, "items"), i, item) {
		assert_string_equal(json_string_value(json_object_get(item, "text")),
				    explanation.items[i].text);
		if (json_is_boolean(json_object_get(item, "promised"))) {
			cases++;
		}
	}
	assert_int_equal(i, explanation.count);
	assert_int_equal(cases, 6);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_running_show_is_explained_by_its_measured_numbers),
		cmocka_unit_test(a_configuration_is_explained_without_numbers_nobody_measured),
		cmocka_unit_test(a_long_delay_says_how_far_key_frames_may_be_apart),
		cmocka_unit_test(feeds_that_differ_from_the_reference_alike_do_not_differ),
		cmocka_unit_test(a_return_that_the_format_forbids_is_told),
		cmocka_unit_test(a_take_and_a_manual_return_are_told),
		cmocka_unit_test(what_another_format_does_is_told),
		cmocka_unit_test(a_feed_that_is_leaving_takes_nothing_over),
		cmocka_unit_test(before_any_feed_has_come_the_configuration_speaks),
		cmocka_unit_test(a_slate_is_counted_on_before_the_show_is_started),
		cmocka_unit_test(foreign_text_cannot_steer_the_terminal),
		cmocka_unit_test(anything_may_be_missing_or_of_another_kind),
		cmocka_unit_test(programs_get_the_same_words_and_the_numbers),
	};

	return cmocka_run_group_tests_name("cli explain", tests, NULL, NULL);
}
