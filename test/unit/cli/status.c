/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What people see of a status object. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <understudy/text.h>

#include "status.h"

#define NOW_MS 1795200000000ll

/* clang-format off */
static const char sample[] =
	"{\"shows\":[{\"name\":\"main\",\"on_air\":true,\"started\":true,\"live\":\"primary\","
	"\"why\":\"most preferred feed that can go on\",\"admin\":\"auto\",\"taken\":null,"
	"\"timeline_90k\":337770000,\"delay_ms\":3000,"
	"\"reference\":{\"feed\":\"primary\"},\"feeds\":["
	"{\"name\":\"primary\",\"state\":\"live\",\"health\":[],\"video\":{\"codec\":\"h264\","
	"\"width\":1920,\"height\":1080,\"fps\":59.94},\"audio\":{\"codec\":\"aac\","
	"\"sample_rate\":48000,\"channels\":2},\"kbps\":6012,\"gop_ms\":2000,\"mismatch\":[]},"
	"{\"name\":\"backup\",\"state\":\"degraded\",\"health\":["
	"{\"signal\":\"no_audio\",\"text\":\"no audio for 700 ms\"}],"
	"\"video\":{\"codec\":\"h264\",\"width\":1280,\"height\":720,\"fps\":30.0},\"audio\":null,"
	"\"kbps\":800,\"gop_ms\":null,\"mismatch\":["
	"{\"field\":\"resolution\",\"name\":\"resolutionMismatch\","
	"\"severity\":\"incompatible\",\"this\":\"1280x720\",\"reference\":\"1920x1080\"}]},"
	"{\"name\":\"spare\",\"state\":\"offline\"}],"
	"\"destinations\":[{\"name\":\"youtube\",\"state\":\"live\",\"since\":\"%s\","
	"\"restarts\":1,\"last_error\":\"connection reset by "
	"peer\",\"kbps\":6010,\"backlog_ms\":15},"
	"{\"name\":\"rec\",\"state\":\"backing_off\"}],"
	"\"warnings\":[\"feed backup: key frames are 8000 ms apart\"]}]}";
/* clang-format on */

static char *render(const char *text, bool has_colour, int64_t now_ms)
{
	json_t *status = json_loads(text, 0, NULL);
	char *out = NULL;
	size_t size;
	struct terminal t = { .out = open_memstream(&out, &size), .has_colour = has_colour };

	assert_non_null(status);
	status_print(&t, status, now_ms);
	fclose(t.out);
	json_decref(status);
	return out;
}

static char *render_sample(bool has_colour)
{
	char text[sizeof(sample) + 32];

	snprintf(text, sizeof(text), sample, "2026-11-21T10:00:00.500Z");
	return render(text, has_colour, parse_time_ms("2026-11-21T11:02:03.900Z"));
}

static void a_show_is_drawn_as_tables(void **state)
{
	char *out = render_sample(false);

	/* clang-format off */
	assert_string_equal(out,
"main  ON AIR  1:02:33  delay 3.0 s\n"
"  live: primary (most preferred feed that can go on)\n"
"\n"
"  FEED     STATE     VIDEO                 AUDIO        KBIT/S  GOP    HEALTH\n"
"  primary  live      h264 1920x1080@59.94  aac 48k 2ch  6012    2.0 s  good\n"
"  backup   degraded  h264 1280x720@30      -            800     -      no audio for 700 ms\n"
"  spare    offline   -                     -            0       -      no encoder connected\n"
"\n"
"  DESTINATION  STATE        FOR      KBIT/S  BACKLOG  RESTARTS  LAST ERROR\n"
"  youtube      live         1:02:03  6010    15 ms    1         connection reset by peer\n"
"  rec          backing_off  -        0       0 ms     0         -\n"
"  ! feed backup: key frames are 8000 ms apart\n"
"  ! feed backup does not match primary: resolution 1280x720 instead of 1920x1080; "
"set both encoders alike\n");
	/* clang-format on */
	free(out);
}

/* The colours are a matter of taste; that they end, and change no letter, is not. */
static void on_a_narrow_terminal_long_rows_end_on_a_line_of_their_own(void **state)
{
	static const char *const heads[] = { "FEED", "STATE", "HEALTH" };
	static const char *const rows[][3] = { { "primary", "live", "good" },
					       { "backup", "stalled", "no video for 700 ms" } };
	struct terminal t = { .columns = 26 };
	struct table table;
	char *out = NULL;
	size_t size;

	t.out = open_memstream(&out, &size);
	table_init(&table, 3, heads);
	for (unsigned i = 0; i < 2; i++) {
		struct table_cell *row = table_add_row(&table);

		for (unsigned k = 0; k < 3; k++) {
			cell_set(&row[k], PAINT_NONE, "%s", rows[i][k]);
		}
	}
	table_print(&table, &t);
	table_finish(&table);
	fclose(t.out);
	assert_string_equal(out, "  FEED     STATE    HEALTH\n"
				 "  primary  live     good\n"
				 "  backup   stalled\n      no video for 700 ms\n");
	free(out);
}

static void colours_change_no_letter(void **state)
{
	char *plain = render_sample(false), *coloured = render_sample(true);
	size_t at = 0;

	assert_non_null(strstr(coloured, "\033["));
	for (const char *p = coloured; *p != '\0';) {
		if (*p == '\033') {
			p = strchr(p, 'm');
			assert_non_null(p);
			p++;
		} else {
			assert_int_equal(*p++, plain[at++]);
		}
	}
	assert_int_equal(at, strlen(plain));
	free(plain);
	free(coloured);
}

static void an_operators_hold_is_shown(void **state)
{
	char *out = render(
		"{\"shows\":[{\"name\":\"a\",\"on_air\":false,\"started\":false,\"live\":null,"
		"\"taken\":\"backup\",\"feeds\":[],\"destinations\":[]}]}",
		false, NOW_MS);

	assert_string_equal(
		out, "a  OFF AIR  0:00:00  delay 0.0 s  not started\n"
		     "  live: nothing; the operator holds backup, `understudy auto` gives it back\n"
		     "\n"
		     "  FEED  STATE  VIDEO  AUDIO  KBIT/S  GOP  HEALTH\n");
	free(out);
}

static void assert_next(const char *next, const char *words)
{
	char json[512];

	text_format(json, sizeof(json),
		    "{\"shows\":[{\"name\":\"a\",\"live\":\"backup\",\"next\":%s}]}", next);
	char *out = render(json, false, NOW_MS);

	if (strstr(out, words) == NULL) {
		fail_msg("\"%s\" does not say \"%s\"", out, words);
	}
	free(out);
}

static void where_the_show_goes_next_is_said(void **state)
{
	assert_next("null", "live: backup\n");
	assert_next("{\"feed\":\"primary\",\"in_s\":23,\"order\":null}",
		    "live: backup; goes to primary in 23 s\n");
	assert_next("{\"feed\":\"primary\",\"in_s\":0,\"order\":null}",
		    "; goes to primary as soon as that leaves no gap\n");
	assert_next("{\"feed\":\"primary\",\"in_s\":null,\"order\":\"auto\"}",
		    "; primary is well: `understudy auto a` goes there\n");
	assert_next("{\"feed\":\"primary\",\"in_s\":null,\"order\":\"take\"}",
		    "; primary is well: `understudy take a primary` goes there\n");
}

static void foreign_text_cannot_steer_the_terminal(void **state)
{
	char *out = render(
		"{\"shows\":[{\"name\":\"a\\u001b[2J\",\"why\":\"x\\u009b31m\\n\\u202ey\","
		"\"live\":\"\\u0007\",\"warnings\":[\"w\\u001b]0;t\"],"
		"\"feeds\":[{\"name\":\"f\\r\","
		"\"state\":\"\\u001b\",\"health\":[{\"text\":\"h\\u0008\"}],"
		"\"mismatch\":[{\"field\":\"m\\u001b\"}],"
		"\"video\":{\"codec\":\"\\u001b\"}}],"
		"\"destinations\":[{\"name\":\"d\\u007f\",\"last_error\":\"\\u2028e\\u001b\"}]}]}",
		false, NOW_MS);

	for (const unsigned char *p = (unsigned char *)out; *p != '\0'; p++) {
		assert_true(*p == '\n' || (*p >= ' ' && *p < 0x7f));
	}
	assert_non_null(strstr(out, "x?31m??y"));
	free(out);
}

static void anything_may_be_missing_or_of_another_kind(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{\"shows\":7}",
		"{\"shows\":[]}",
		"{\"shows\":[1,null,[]]}",
		"{\"shows\":[{\"feeds\":[1],\"destinations\":[[]],\"warnings\":[1]}]}",
		"{\"shows\":[{\"name\":7,\"timeline_90k\":-5,\"feeds\":[{\"health\":[1],"
		"\"gop_ms\":\"x\","
		"\"video\":{\"fps\":1e300},\"audio\":[]}],"
		"\"destinations\":[{\"since\":\"soon\"}]}]}",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		free(render(texts[i], true, NOW_MS));
	}
}

static void long_text_is_cut_at_a_character(void **state)
{
	char to[6];

	terminal_copy(to, sizeof(to), "abc\xc3\xa9\xc3\xa9");
	assert_string_equal(to, "abc\xc3\xa9");
	terminal_copy(to, sizeof(to), "abcd\xc3\xa9");
	assert_string_equal(to, "abcd");
	terminal_copy(to, sizeof(to), "ab\xf0\x9f");
	assert_string_equal(to, "ab\xf0\x9f");
}

static void times_are_read_and_written(void **state)
{
	char text[32];

	assert_int_equal(parse_time_ms("1970-01-01T00:00:01.250Z"), 1250);
	assert_int_equal(parse_time_ms("1970-01-01T00:01:00Z"), 60000);
	assert_int_equal(parse_time_ms("yesterday"), -1);
	assert_int_equal(parse_time_ms("1970-01-01T00:00:01"), -1);
	format_duration(text, sizeof(text), 36005);
	assert_string_equal(text, "10:00:05");
	format_duration(text, sizeof(text), -3);
	assert_string_equal(text, "0:00:00");
	setenv("TZ", "UTC", 1);
	tzset();
	format_local_time(text, sizeof(text), 1250);
	assert_string_equal(text, "1970-01-01 00:00:01.250");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_show_is_drawn_as_tables),
		cmocka_unit_test(on_a_narrow_terminal_long_rows_end_on_a_line_of_their_own),
		cmocka_unit_test(colours_change_no_letter),
		cmocka_unit_test(an_operators_hold_is_shown),
		cmocka_unit_test(where_the_show_goes_next_is_said),
		cmocka_unit_test(foreign_text_cannot_steer_the_terminal),
		cmocka_unit_test(anything_may_be_missing_or_of_another_kind),
		cmocka_unit_test(long_text_is_cut_at_a_character),
		cmocka_unit_test(times_are_read_and_written),
	};

	return cmocka_run_group_tests_name("cli status", tests, NULL, NULL);
}
