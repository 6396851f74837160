/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Events as lines, and what --since understands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "events.h"

static int use_utc(void **state)
{
	setenv("TZ", "UTC", 1);
	tzset();
	return 0;
}

static char *render(const char *text)
{
	json_t *event = json_loads(text, 0, NULL);
	char *out = NULL;
	size_t size;
	struct terminal t = { .out = open_memstream(&out, &size) };

	assert_non_null(event);
	event_print(&t, event);
	fclose(t.out);
	json_decref(event);
	return out;
}

static void a_failover_is_one_line(void **state)
{
	char *out = render(
		"{\"time\":\"2026-11-21T10:00:00.123Z\",\"show\":\"main\",\"kind\":\"failover\","
		"\"from\":\"primary\",\"to\":\"backup\",\"text\":\"connection closed\"}");

	assert_string_equal(out, "2026-11-21 10:00:00.123  main  failover primary -> backup: "
				 "connection closed\n");
	free(out);
}

static void an_event_without_feeds_is_one_line(void **state)
{
	char *out = render(
		"{\"time\":\"2026-11-21T10:00:00.123Z\",\"show\":\"main\",\"kind\":\"end\","
		"\"from\":null,\"text\":\"a\\nb\\u001bc\"}");

	assert_string_equal(out, "2026-11-21 10:00:00.123  main  end: a?b?c\n");
	free(out);
}

static void since_takes_ages_and_times(void **state)
{
	static const struct {
		const char *text;
		int64_t time_s;
	} rows[] = {
		{ "90", 999910 },
		{ "90s", 999910 },
		{ "10m", 999400 },
		{ "2h", 992800 },
		{ "1d", 913600 },
		{ "0", 1000000 },
		{ "1970-01-02T00:00:30", 86430 },
		{ "1970-01-02T00:00:30Z", 86430 },
		{ "1970-01-02 00:01", 86460 },
		{ "1970-01-02", 86400 },
		{ "12:00", 950400 + 43200 },
		{ "12:00:05", 950400 + 43205 }, /* of 12 January */
		{ "", -1 },
		{ "m", -1 },
		{ "10x", -1 },
		{ "10mm", -1 },
		{ "-5", -1 },
		{ "yesterday", -1 },
		{ "25:00", -1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t found = since_parse(rows[i].text, 1000000);

		if (found != rows[i].time_s) {
			fail_msg("%s is %lld", rows[i].text, (long long)found);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failover_is_one_line),
		cmocka_unit_test(an_event_without_feeds_is_one_line),
		cmocka_unit_test(since_takes_ages_and_times),
	};

	return cmocka_run_group_tests_name("cli events", tests, use_utc, NULL);
}
