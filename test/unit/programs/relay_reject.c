/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A platform's "no" in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../src/relay-rtmp/reject.h"

static void every_refusal_says_what_to_do(void **state)
{
	static const struct {
		const char *code, *description, *words;
	} rows[] = {
		{ "NetStream.Publish.BadName", "Already publishing", "somebody publishes" },
		{ "NetStream.Publish.BadName", "Stream is busy", "somebody publishes" },
		{ "NetStream.Publish.BadName", "", "check `key`" },
		{ "NetStream.Publish.Denied", "nope", "check `key`" },
		{ "NetStream.Publish.BadName", "key expired", "take a new one" },
		{ "NetConnection.Connect.Rejected", "[ AccessManager.Reject ] : [ authmod=adobe ]",
		  "set `user` and `password`" },
		{ "NetConnection.Connect.InvalidApp", "", "check the path of `url`" },
		{ "NetConnection.Connect.Rejected", "", "check `url` and `key`" },
		{ "NetStream.Publish.Failed", "Unsupported codec", "codec not accepted" },
		{ "Some.Thing", "else", "no reason known here (Some.Thing: else)" },
		{ "", "", "(no code)" },
	};
	char text[160];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		reject_describe(rows[i].code, rows[i].description, text, sizeof(text));
		if (!strstr(text, rows[i].words) ||
		    strncmp(text, "rejected by the platform: ", 26) != 0) {
			fail_msg("\"%s\" does not say \"%s\"", text, rows[i].words);
		}
	}
}

static void codec_is_missed_only_in_a_list_that_does_not_have_it(void **state)
{
	assert_true(reject_takes_codec("", "av01"));
	assert_true(reject_takes_codec(" hvc1", ""));
	assert_true(reject_takes_codec(" hvc1 av01", "av01"));
	assert_true(reject_takes_codec(" *", "av01"));
	assert_true(reject_takes_codec(" avc1 *", "av01"));
	assert_false(reject_takes_codec(" avc1 hvc1", "av01"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_refusal_says_what_to_do),
		cmocka_unit_test(codec_is_missed_only_in_a_list_that_does_not_have_it),
	};

	return cmocka_run_group_tests_name("relay-rtmp reject", tests, NULL, NULL);
}
