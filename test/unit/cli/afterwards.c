/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ledger and the witness's verdict as people, programs and spreadsheets read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "ledger.h"
#include "verdict.h"

static char *out;
static size_t out_size;

static int use_utc(void **state)
{
	setenv("TZ", "UTC", 1);
	tzset();
	return 0;
}

static struct terminal begin(void)
{
	return (struct terminal){ .out = open_memstream(&out, &out_size) };
}

static void expect(const char *text)
{
	if (strstr(out, text) == NULL) {
		fail_msg("\"%s\" is not in:\n%s", text, out);
	}
}

static const char accounts_text[] =
	"[{\"show\":\"main\",\"destination\":\"=you\\\"tube\","
	"\"from\":\"2026-11-21T20:00:00.000Z\",\"to\":\"2026-11-21T22:00:00.000Z\","
	"\"on_s\":7192.38,\"off_s\":0.001,\"rest_s\":7.619,\"unknown_s\":0,"
	"\"percent\":99.99999,\"interruptions\":1,\"longest_off_s\":0.001,"
	"\"longest_off_at\":null,\"now\":\"on\","
	"\"causes\":[{\"cause\":\"reset\\u001b[2J\",\"s\":0.001,\"times\":1}]}]";

static void ledger_is_a_table_with_its_causes(void **state)
{
	json_t *accounts = json_loads(accounts_text, 0, NULL);
	json_t *end = json_loads("{\"end\":true,\"lost\":3}", 0, NULL);
	struct terminal t = begin();

	ledger_print(&t, accounts, end);
	fclose(t.out);
	expect("2026-11-21 20:00:00.000 to 2026-11-21 22:00:00.000\n");
	expect("1:59:52.380  0:00:00.001");
	expect("99.9999 %");                    /* not 100: it was interrupted */
	expect("0:00:00.001  1x  reset?[2J\n"); /* nothing steers the terminal */
	expect("0:00:07.619  not counted: not wanted on air\n");
	expect("3 records of this time could not be written");
	free(out);
	json_decref(accounts);
	json_decref(end);
}

static void nothing_known_is_said(void **state)
{
	json_t *accounts = json_array();
	struct terminal t = begin();

	ledger_print(&t, accounts, NULL);
	fclose(t.out);
	expect("nothing is known");
	free(out);
	json_decref(accounts);
}

static void spreadsheet_is_given_no_formula(void **state)
{
	json_t *accounts = json_loads(accounts_text, 0, NULL);
	struct terminal t = begin();

	ledger_print_csv(t.out, accounts);
	fclose(t.out);
	expect("show,destination,from,to,on_s,off_s,rest_s,unknown_s,percent,");
	expect("\n\"main\",\"'=you\"\"tube\",\"2026-11-21T20:00:00.000Z\",");
	expect(",7192.380,0.001,7.619,0.000,");
	free(out);
	json_decref(accounts);
}

static struct verdict verdict_of(bool is_broken)
{
	struct verdict v = { .path = "show.mkv", .has_summary = true };
	const struct ipc_witness_media media = {
		.kind = PACKET_VIDEO, .width = 1920, .height = 1080, .codec = "h264"
	};
	const struct witness_event event = { .kind = WITNESS_MISSING,
					     .media = PACKET_VIDEO,
					     .frames = 7,
					     .at_90k = 1000 + 90000 * 3661 + 45000,
					     .step_90k = 8 * 3000 };

	verdict_add_media(&v, &media);
	v.summary.packets = v.summary.video.packets = 200000;
	v.summary.video.first_90k = 1000;
	v.summary.video.last_90k = 1000 + 3000 * INT64_C(199999);
	v.summary.audio.first_90k = v.summary.audio.last_90k = INT64_MIN;
	if (is_broken) {
		verdict_add_event(&v, &event);
		v.summary.counts[WITNESS_MISSING] = 2; /* one more than was kept */
		v.summary.video.missing = 9;
		v.summary.video.holes = 2;
	}
	return v;
}

static void verdict_lists_each_place(void **state)
{
	struct verdict v = verdict_of(true);
	struct terminal t = begin();

	verdict_print(&v, &t);
	fclose(t.out);
	expect("show.mkv  01:51:06.633\n");
	expect("h264 1920x1080  30 frames/s  200000 frames\n");
	expect("01:01:01.500  video  7 frames missing (267 ms from one to the next)\n");
	expect("and 1 more\n");
	expect("broken; video: 9 missing in 2 places, 0 too many\n");
	assert_false(verdict_is_unbroken(&v));
	free(out);
	verdict_finish(&v);
}

static void unbroken_recording_is_one(void **state)
{
	struct verdict v = verdict_of(false);
	struct terminal t = begin();

	verdict_print(&v, &t);
	fclose(t.out);
	expect("\nunbroken\n");
	assert_true(verdict_is_unbroken(&v));
	free(out);
	verdict_finish(&v);
}

static void what_could_not_be_read_to_its_end_is_not_unbroken(void **state)
{
	struct verdict v = verdict_of(false), empty = { .path = "empty.mkv", .has_summary = true };

	strcpy(v.error, "it is damaged");
	assert_false(verdict_is_unbroken(&v));
	assert_false(verdict_is_unbroken(&empty));
	verdict_finish(&v);
}

static void verdict_is_json_for_programs(void **state)
{
	struct verdict v = verdict_of(true);
	struct terminal t = begin();

	verdict_print_json(&v, t.out);
	fclose(t.out);
	json_t *json = json_loads(out, 0, NULL);
	json_t *finding = json_array_get(json_object_get(json, "findings"), 0);
	assert_true(json_is_false(json_object_get(json, "unbroken")));
	assert_string_equal(json_string_value(json_object_get(finding, "kind")), "missing");
	assert_string_equal(json_string_value(json_object_get(finding, "at")), "01:01:01.500");
	assert_int_equal(json_integer_value(json_object_get(finding, "frames")), 7);
	json_decref(json);
	free(out);
	verdict_finish(&v);
}

static void findings_beyond_the_room_are_counted_only(void **state)
{
	struct verdict v = { .path = "x" };
	const struct witness_event event = { .kind = WITNESS_DISORDER };

	for (int i = 0; i < VERDICT_EVENTS + 10; i++) {
		verdict_add_event(&v, &event);
	}
	assert_int_equal(v.event_count, VERDICT_EVENTS);
	verdict_finish(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ledger_is_a_table_with_its_causes),
		cmocka_unit_test(nothing_known_is_said),
		cmocka_unit_test(spreadsheet_is_given_no_formula),
		cmocka_unit_test(verdict_lists_each_place),
		cmocka_unit_test(unbroken_recording_is_one),
		cmocka_unit_test(what_could_not_be_read_to_its_end_is_not_unbroken),
		cmocka_unit_test(verdict_is_json_for_programs),
		cmocka_unit_test(findings_beyond_the_room_are_counted_only),
	};

	return cmocka_run_group_tests(tests, use_utc, NULL);
}
