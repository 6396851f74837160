/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every kind of mistake is found at its line and key, all at once, with what to do. */
#include <stdlib.h>

#include "loading.h"

/* One mistake in an otherwise good configuration. */
struct mistake {
	const char *text;
	unsigned line;
	const char *key, *words;
};

#define FEED "feeds: [ { name: a, key: first-key-1 } ]"
#define SHOW "shows: [ { name: main, " FEED " } ]\n"
#define IN_SHOW(line) "shows:\n  - name: main\n    " FEED "\n    " line "\n"
#define IN_FEED(text) "shows:\n  - name: main\n    feeds:\n      - " text "\n"

/* clang-format off */
static const struct mistake mistakes[] = {
	/* what is no configuration */
	{ "", 0, "shows", "is missing" },
	{ "just words\n", 1, "", "begin with `shows:`" },
	{ "- a\n", 1, "", "begin with `shows:`" },
	{ "shows:\n\t- name: x\n", 2, "", "indent with spaces" },
	{ "shows: [\n", 2, "", "this is not YAML" },
	{ "shows: \"\xff\"\n", 1, "", "UTF-8" },
	{ SHOW "---\nshows: []\n", 3, "", "second document" },
	{ SHOW "? [a]\n: b\n", 2, "", "name of a key" },
	/* keys */
	{ "rtpm: {}\n" SHOW, 1, "rtpm", "did you mean `rtmp`?" },
	{ "rtmp: { listne: \":1\" }\n" SHOW, 1, "rtmp.listne", "did you mean `listen`?" },
	{ "delay_ms: 1\n" SHOW, 1, "delay_ms", "belongs at `shows[].delay_ms`" },
	{ "banana: yes\n" SHOW, 1, "banana", "known here: rtmp, rtmps" },
	{ "rtmp: {}\nrtmp: {}\n" SHOW, 2, "rtmp", "given twice, first at line 1" },
	{ IN_FEED("{ name: a, key: first-key-1, key_file: x }"), 4, "shows[0].feeds[0].key",
	  "given twice" },
	{ "rtmp_file: x\n" SHOW, 1, "rtmp_file", "unknown" },
	/* kinds of values */
	{ "rtmp: 1935\n" SHOW, 1, "rtmp", "is not a section" },
	{ "shows: main\n", 1, "shows", "is not a list" },
	{ "shows: []\n", 1, "shows", "is empty" },
	{ "shows:\n", 1, "shows", "is empty" },
	{ "shows:\n  - main\n", 2, "shows[0]", "is a single value" },
	{ "socket: [a]\n" SHOW, 1, "socket", "is a list; write a single value" },
	{ "socket: { a: b }\n" SHOW, 1, "socket", "is a section" },
	{ "socket:\n" SHOW, 1, "socket", "has no value" },
	{ "socket: ~\n" SHOW, 1, "socket", "has no value" },
	{ "socket: \"\"\n" SHOW, 1, "socket", "is empty" },
	{ "socket: \"a\\tb\"\n" SHOW, 1, "socket", "control character" },
	{ "socket: \"a\\0b\"\n" SHOW, 1, "socket", "UTF-8" },
	{ IN_SHOW("delay_ms: 3s"), 4, "shows[0].delay_ms", "is not a whole number; write 0 to "
							   "60000 milli" },
	{ IN_SHOW("delay_ms: 1.5"), 4, "shows[0].delay_ms", "is not a whole number" },
	{ IN_SHOW("delay_ms: 0x10"), 4, "shows[0].delay_ms", "is not a whole number" },
	{ IN_SHOW("delay_ms: 60001"), 4, "shows[0].delay_ms", "out of range; write 0 to 60000" },
	{ IN_SHOW("delay_ms: -1"), 4, "shows[0].delay_ms", "out of range" },
	{ IN_SHOW("delay_ms: 99999999999999999999"), 4, "shows[0].delay_ms", "out of range" },
	{ IN_SHOW("batch_ms: 1001"), 4, "shows[0].batch_ms", "out of range" },
	{ IN_SHOW("failover: { stall_ms: 49 }"), 4, "shows[0].failover.stall_ms", "50 to 60000" },
	{ IN_SHOW("failover: { hole_ms: 19 }"), 4, "shows[0].failover.hole_ms", "20 to 10000" },
	{ IN_SHOW("failover: { return_after_s: 86401 }"), 4, "shows[0].failover.return_after_s",
	  "0 to 86400 seconds" },
	{ IN_SHOW("failover: { return: always }"), 4, "shows[0].failover.return",
	  "write one of: auto, manual, never" },
	{ IN_SHOW("failover: { on_mismatch: 1 }"), 4, "shows[0].failover.on_mismatch",
	  "prefer_matching, allow, refuse" },
	{ IN_SHOW("failover: { health: { holes: { enter_percent: 5, leave_percent: 5 } } }"), 4,
	  "shows[0].failover.health.holes.leave_percent", "less than enter_percent, which is 5" },
	{ IN_SHOW("failover: { health: { starved: { leave_percent: 70 } } }"), 4,
	  "shows[0].failover.health.starved.leave_percent", "more than enter_percent, which is "
							    "80" },
	{ IN_SHOW("failover: { health: { jump: {} } }"), 4, "shows[0].failover.health.jump",
	  "did you mean `jumps`?" },
	{ IN_FEED("{ name: a, key: first-key-1, offset_ms: -3001 }"), 4,
	  "shows[0].feeds[0].offset_ms", "before it is here; write at least -3000" },
	{ IN_SHOW("autostart: perhaps"), 4, "shows[0].autostart", "write true or false" },
	{ "ring_max_bytes: 1024\n" SHOW, 1, "ring_max_bytes", "out of range" },
	{ "rtmp: { listen: 1935 }\n" SHOW, 1, "rtmp.listen", "0.0.0.0:1935" },
	{ "rtmp: { listen: \"localhost:1935\" }\n" SHOW, 1, "rtmp.listen", "0.0.0.0:1935" },
	{ "rtmp: { listen: \"0.0.0.0:65536\" }\n" SHOW, 1, "rtmp.listen", "0.0.0.0:1935" },
	{ "rtmp: { listen: \"[::1:1935\" }\n" SHOW, 1, "rtmp.listen", "0.0.0.0:1935" },
	/* names */
	{ "shows: [ { " FEED " } ]\n", 1, "shows[0].name", "is missing" },
	{ "shows: [ { name: main show, " FEED " } ]\n", 1, "shows[0].name", "is not a name" },
	{ "shows: [ { name: 12345678901234567890123456789012345678901, " FEED " } ]\n", 1,
	  "shows[0].name", "1 to 40" },
	{ SHOW "  \n", 0, NULL, NULL },
	{ "shows:\n  - { name: m, " FEED " }\n  - { name: m, feeds: [ { name: a, key: other-key } "
					 "] }\n",
	  3, "shows[1].name", "the same name of a show as at line 2" },
	{ IN_FEED("{ name: a, key: first-key-1 }\n      - { name: a, key: other-key-2 }"), 5,
	  "shows[0].feeds[1].name", "the same name of a feed as at line 4" },
	{ IN_SHOW("destinations:\n      - { name: x, url: \"file:a.flv\" }\n"
		  "      - { name: x, url: \"file:b.flv\" }"), 6,
	  "shows[0].destinations[1].name", "the same name of a destination as at line 5" },
	/* feeds */
	{ "shows: [ { name: main } ]\n", 1, "shows[0].feeds", "is missing" },
	{ "shows: [ { name: main, feeds: [] } ]\n", 1, "shows[0].feeds", "is empty" },
	{ IN_FEED("{ name: a }"), 4, "shows[0].feeds[0]", "has no source" },
	{ IN_FEED("{ name: a, key: first-key-1, file: x.mp4 "
		  "}"), 4, "shows[0].feeds[0]", "2 sources" },
	{ IN_FEED("{ name: a, key: first/key }"), 4, "shows[0].feeds[0].key", "encoders change" },
	{ IN_FEED("{ name: a, key: \"first key\" "
		  "}"), 4, "shows[0].feeds[0].key", "encoders change" },
	{ IN_FEED("{ name: a, key: first-key-1 }\n      - { name: b, key: first-key-1 }"), 5,
	  "shows[0].feeds[1].key", "the same key as at line 4" },
	{ "shows:\n  - { name: m, " FEED " }\n  - { name: n, "
					 "" FEED " }\n", 3, "shows[1].feeds[0].key",
	  "the same key as at line 2" },
	{ IN_FEED("{ name: a, pull: somewhere }"), 4, "shows[0].feeds[0].pull", "scheme" },
	{ IN_FEED("{ name: a, pull: \"file:///etc/passwd\" }"), 4, "shows[0].feeds[0].pull",
	  "cannot be pulled; use rtmp://" },
	{ IN_FEED("{ name: a, pull: \"rtmp://h/app\" }"), 4, "shows[0].feeds[0].pull",
	  "application and stream" },
	{ IN_FEED("{ name: a, pull: \"rtmps://h/app/?x=1\" }"), 4, "shows[0].feeds[0].pull",
	  "application and stream" },
	{ IN_FEED("{ name: a, pull: \"rtmp://u:p@h/a/s\" }"), 4, "shows[0].feeds[0].pull",
	  "user name" },
	{ IN_FEED("{ name: a, pull: \"srt://h?streamid=x\" }"), 4, "shows[0].feeds[0].pull",
	  "write srt://HOST:PORT" },
	/* variables and files */
	{ IN_FEED("{ name: a, key: \"${NOT_SET}\" }"), 4, "shows[0].feeds[0].key",
	  "the variable NOT_SET is not set" },
	{ IN_FEED("{ name: a, key: \"${KEY_ONE\" }"), 4, "shows[0].feeds[0].key", "without }" },
	{ IN_FEED("{ name: a, key: \"${}\" }"), 4, "shows[0].feeds[0].key", "name of a variable" },
	{ IN_FEED("{ name: a, key: \"${A-B}\" "
		  "}"), 4, "shows[0].feeds[0].key", "name of a variable" },
	{ IN_FEED("{ name: a, key: \"${EMPTY}\" }"), 4, "shows[0].feeds[0].key", "is empty" },
	{ IN_FEED("{ name: a, key: \"${LINES}\" }"), 4, "shows[0].feeds[0].key", "line break" },
	{ IN_FEED("{ name: a, key: \"${NOT_TEXT}\" }"), 4, "shows[0].feeds[0].key", "UTF-8" },
	{ IN_FEED("{ name: a, key_file: /nowhere/key "
		  "}"), 4, "shows[0].feeds[0].key", "cannot be read" },
	{ IN_FEED("{ name: a, key_file: / }"), 4, "shows[0].feeds[0].key", "not a plain file" },
	{ IN_SHOW("delay_ms: ${KEY_ONE}"), 4, "shows[0].delay_ms", "is not a whole number" },
	/* listeners */
	{ "rtmps: {}\n" SHOW, 1, "rtmps.certificate", "is missing" },
	{ "rtmps: { certificate: /nowhere/c, private_key: /nowhere/k "
	  "}\n" SHOW, 1, "rtmps.private_key",
	  "cannot be read" },
	{ "tls: { ca_file: /nowhere/c }\n" SHOW, 1, "tls.ca_file", "cannot be read" },
	{ "rtmp: { listen: \":1\" }\nrtmps: { listen: \":1\" }\n" SHOW, 2, "rtmps.listen",
	  "is the address of rtmp.listen" },
};
/* clang-format on */

static void each_mistake_is_named_with_line_key_and_remedy(void **state)
{
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		const struct mistake *m = &mistakes[i];
		struct loading l = load_text(m->text);

		if (m->key == NULL) {
			assert_int_equal(l.result, 0);
		} else {
			assert_int_equal(l.result, -22);
			assert_null(l.config);
			assert_finding(&l, CONFIG_ERROR, m->line, m->key, m->words);
		}
		loading_finish(&l);
	}
}

static void every_error_says_what_to_do(void **state)
{
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct loading l = load_text(mistakes[i].text);

		for (size_t j = 0; j < l.findings.count; j++) {
			const char *text = l.findings.items[j].text;

			if (strpbrk(text, ";:?") == NULL) {
				fail_msg("no remedy in: %s", text);
			}
			assert_true(strlen(text) < sizeof(l.findings.items[j].text) - 1);
		}
		loading_finish(&l);
	}
}

static void all_mistakes_are_found_at_once_in_the_order_of_lines(void **state)
{
	struct loading l = load_text("rtpm: {}\n"
				     "shows:\n"
				     "  - name: main\n"
				     "    delay_ms: x\n"
				     "    feeds:\n"
				     "      - { name: a, key: \"${NOT_SET}\" }\n"
				     "      - { name: a, key: second-key-2 }\n"
				     "      - wrong\n"
				     "    destinations:\n"
				     "      - { name: d, url: \"rmtp://h/a\" }\n");

	print_findings(&l);
	assert_int_equal(count_errors(&l), 6);
	assert_finding(&l, CONFIG_ERROR, 1, "rtpm", "did you mean");
	assert_finding(&l, CONFIG_ERROR, 4, "shows[0].delay_ms", "whole number");
	assert_finding(&l, CONFIG_ERROR, 6, "shows[0].feeds[0].key", "NOT_SET");
	assert_finding(&l, CONFIG_ERROR, 7, "shows[0].feeds[1].name", "line 6");
	assert_finding(&l, CONFIG_ERROR, 8, "shows[0].feeds[2]", "single value");
	assert_finding(&l, CONFIG_ERROR, 10, "shows[0].destinations[0].url", "scheme");
	for (size_t i = 1; i < l.findings.count; i++) {
		assert_true(l.findings.items[i - 1].line <= l.findings.items[i].line);
	}
	loading_finish(&l);
}

static void what_is_not_carried_out_is_named_once(void **state)
{
	struct loading l = load_text(
		"rtmp: {}\n"
		"srt: { listen: \"0.0.0.0:9000\", latency_ms: 200 }\n"
		"control: { token: abcdefgh }\n"
		"notify: [ { kind: webhook, url: \"https://h/x\", events: [failover] } ]\n"
		"shows:\n"
		"  - name: main\n"
		"    feeds:\n"
		"      - { name: a, key: first-key-1, passphrase: abcdefghij }\n"
		"      - { name: b, pull: \"rtmp://h/a/b/x?t=1\" }\n"
		"      - { name: c, srt_port: 9001, key: third-key-3 }\n"
		"    destinations:\n"
		"      - { name: x, url: \"rtmp://h/a/k\" }\n"
		"      - { name: y, url: \"rist://h:9000\" }\n");

	print_findings(&l);
	assert_int_equal(l.result, 0);
	assert_int_equal(l.findings.count, 3);
	assert_finding(&l, CONFIG_INACTIVE, 3, "control", "not carried out by this version");
	assert_finding(&l, CONFIG_INACTIVE, 4, "notify", "not carried out");
	assert_finding(&l, CONFIG_INACTIVE, 13, "shows[0].destinations[1].url", "not carried out");
	assert_int_equal(l.config->shows[0].feeds[1].source, SOURCE_PULL_RTMP);
	assert_string_equal(l.config->shows[0].feeds[1].endpoint.app, "a/b");
	assert_string_equal(l.config->shows[0].feeds[1].endpoint.stream, "x?t=1");
	assert_string_equal(l.config->shows[0].feeds[1].endpoint.tc_url, "rtmp://h/a/b");
	loading_finish(&l);
}

static void srt_ports_of_feeds_are_checked(void **state)
{
	struct loading l = load_text("srt: { listen: \"0.0.0.0:9000\" }\n"
				     "shows:\n"
				     "  - name: main\n"
				     "    feeds:\n"
				     "      - { name: a, key: first-key-1, srt_port: 9001 }\n"
				     "      - { name: b, key: second-key-2, srt_port: 9000 }\n"
				     "      - { name: c, key: third-key-3, srt_port: 9001 }\n"
				     "      - { name: d, file: auto, srt_port: 9002 }\n"
				     "    destinations: [ { name: x, url: \"rtmp://h/a/k\" } ]\n");

	print_findings(&l);
	assert_int_equal(l.result, -22);
	assert_int_equal(l.findings.count, 3);
	assert_finding(&l, CONFIG_ERROR, 6, "shows[0].feeds[1].srt_port", "port of srt.listen");
	assert_finding(&l, CONFIG_ERROR, 7, "shows[0].feeds[2].srt_port",
		       "the same SRT port as at line 5");
	assert_finding(&l, CONFIG_ERROR, 8, "shows[0].feeds[3].srt_port", "give the feed a key");
	loading_finish(&l);

	l = load_text("rtmp: {}\n"
		      "shows:\n"
		      "  - name: main\n"
		      "    feeds: [ { name: a, key: first-key-1, srt_port: 9001 } ]\n"
		      "    destinations: [ { name: x, url: \"rtmp://h/a/k\" } ]\n");
	assert_int_equal(l.result, -22);
	assert_finding(&l, CONFIG_ERROR, 4, "shows[0].feeds[0].srt_port", "has no address");
	loading_finish(&l);
}

static void slates_are_checked(void **state)
{
	struct loading l = load_text("rtmp: {}\n"
				     "shows:\n"
				     "  - name: main\n"
				     "    fill: silence\n"
				     "    feeds:\n"
				     "      - { name: a, key: \"${KEY}\", text: hello }\n"
				     "      - { name: b, file: auto, text: hello }\n"
				     "      - { name: c, file: missing.mp4 }\n"
				     "      - { name: d, file: auto, picture: missing.png }\n"
				     "    destinations: [ { name: x, url: \"rtmp://h/a/k\" } ]\n");

	print_findings(&l);
	assert_finding(&l, CONFIG_ERROR, 6, "shows[0].feeds[0].text", "file: auto");
	assert_finding(&l, CONFIG_WARNING, 8, "shows[0].feeds[2].file", "cannot be read");
	assert_finding(&l, CONFIG_WARNING, 9, "shows[0].feeds[3].picture", "cannot be read");
	loading_finish(&l);
}

static void a_file_named_auto_is_made_and_others_are_found_beside_the_config(void **state)
{
	struct loading l = load_text("rtmp: {}\n"
				     "shows:\n"
				     "  - name: main\n"
				     "    feeds:\n"
				     "      - { name: a, file: auto, text: \"one\\ntwo\" }\n"
				     "      - { name: b, file: ./auto }\n"
				     "      - { name: c, file: auto, text: \"\" }\n"
				     "    destinations: [ { name: x, url: \"rtmp://h/a/k\" } ]\n");

	assert_int_equal(l.result, 0);
	assert_int_equal(l.config->shows[0].fill, FILL_NONE);
	assert_int_equal(l.config->shows[0].feeds[0].source, SOURCE_SLATE);
	assert_string_equal(l.config->shows[0].feeds[0].file, "auto");
	assert_string_equal(l.config->shows[0].feeds[0].text, "one\ntwo");
	assert_string_equal(l.config->shows[0].feeds[2].text, "");
	assert_int_equal(l.config->shows[0].feeds[1].source, SOURCE_FILE);
	assert_string_not_equal(l.config->shows[0].feeds[1].file, "auto");
	loading_finish(&l);
}

static void inactive_parts_are_checked_all_the_same(void **state)
{
	struct loading l = load_text("srt: { latency_ms: fast, lisen: x }\n"
				     "notify: [ { kind: pigeon } ]\n" SHOW);

	assert_finding(&l, CONFIG_ERROR, 1, "srt.latency_ms", "whole number");
	assert_finding(&l, CONFIG_ERROR, 1, "srt.lisen", "did you mean `listen`");
	assert_finding(&l, CONFIG_ERROR, 2, "notify[0].kind", "webhook");
	assert_finding(&l, CONFIG_ERROR, 2, "notify[0].url", "is missing");
	loading_finish(&l);
}

static void risks_are_warned_about(void **state)
{
	struct loading l = load_text("shows:\n"
				     "  - name: main\n"
				     "    delay_ms: 700\n"
				     "    feeds: [ { name: a, key: short } ]\n");

	assert_int_equal(l.result, 0);
	assert_finding(&l, CONFIG_WARNING, 3, "shows[0].delay_ms", "too short");
	assert_finding(&l, CONFIG_WARNING, 4, "shows[0].feeds[0].key", "openssl rand");
	assert_finding(&l, CONFIG_WARNING, 2, "shows[0].destinations", "sent nowhere");
	assert_finding(&l, CONFIG_WARNING, 0, "rtmp", "nobody can publish");
	loading_finish(&l);
}

static void what_an_offset_takes_off_the_delay_is_reckoned_with(void **state)
{
	struct loading l = load_text("shows:\n  - name: m\n    delay_ms: 1200\n    feeds:\n"
				     "      - { name: a, key: first-key-1, offset_ms: 700 }\n"
				     "      - { name: b, key: second-key-2, offset_ms: -450 }\n"
				     "  - name: n\n    delay_ms: 0\n    feeds:\n"
				     "      - { name: a, key: third-key-3, offset_ms: 40 }\n");

	assert_int_equal(l.result, 0);
	assert_finding(&l, CONFIG_WARNING, 3, "shows[0].delay_ms", "+ 450 (a feed's offset_ms)");
	assert_finding(&l, CONFIG_WARNING, 10, "shows[1].feeds[0].offset_ms", "counts for nothing");
	assert_int_equal(l.config->shows[0].earlier_ms, 450);
	assert_int_equal(l.config->shows[1].earlier_ms, 0);
	loading_finish(&l);
}

static void too_many_feeds_are_refused(void **state)
{
	char text[4096] = "shows:\n  - name: main\n    feeds:\n";

	for (int i = 0; i < 17; i++) {
		char feed[64];

		snprintf(feed, sizeof(feed), "      - { name: f%d, key: some-key-%d }\n", i, i);
		strcat(text, feed);
	}
	struct loading l = load_text(text);
	assert_finding(&l, CONFIG_ERROR, 3, "shows[0].feeds", "has 17 items; at most 16");
	loading_finish(&l);
}

static void a_nest_of_aliases_does_no_harm(void **state)
{
	struct loading l = load_text(
		"shows: &s\n  - name: main\n    feeds: *s\n    destinations: *s\n");

	assert_int_equal(l.result, -22);
	loading_finish(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mistake_is_named_with_line_key_and_remedy),
		cmocka_unit_test(every_error_says_what_to_do),
		cmocka_unit_test(all_mistakes_are_found_at_once_in_the_order_of_lines),
		cmocka_unit_test(what_is_not_carried_out_is_named_once),
		cmocka_unit_test(srt_ports_of_feeds_are_checked),
		cmocka_unit_test(slates_are_checked),
		cmocka_unit_test(a_file_named_auto_is_made_and_others_are_found_beside_the_config),
		cmocka_unit_test(inactive_parts_are_checked_all_the_same),
		cmocka_unit_test(risks_are_warned_about),
		cmocka_unit_test(what_an_offset_takes_off_the_delay_is_reckoned_with),
		cmocka_unit_test(too_many_feeds_are_refused),
		cmocka_unit_test(a_nest_of_aliases_does_no_harm),
	};

	return cmocka_run_group_tests_name("config errors", tests, NULL, NULL);
}
