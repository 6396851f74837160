/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <understudy/text.h>

static void copy_terminates_and_tells_if_it_fitted(void **state)
{
	char to[4];

	assert_true(text_copy(to, sizeof to, "abc"));
	assert_string_equal(to, "abc");
	assert_false(text_copy(to, sizeof to, "abcd"));
	assert_string_equal(to, "abc");
	assert_true(text_copy(to, 1, ""));
	assert_string_equal(to, "");
	assert_false(text_copy(to, 1, "a"));
	assert_string_equal(to, "");
	assert_true(text_copy_bytes(to, sizeof to, NULL, 0));
	assert_string_equal(to, "");
}

static void copy_with_a_nul_inside_is_not_whole(void **state)
{
	char to[8];

	assert_false(text_copy_bytes(to, sizeof to, "ab\0cd", 5));
	assert_string_equal(to, "ab");
}

static void copy_never_cuts_a_character_in_two(void **state)
{
	char to[4];

	assert_false(text_copy(to, sizeof to, "ab\xc3\xa9"));
	assert_string_equal(to, "ab");
	assert_false(text_copy(to, sizeof to, "\xf0\x9f\x8e\xa5"));
	assert_string_equal(to, "");
	assert_true(text_copy(to, sizeof to, "\xe2\x82\xac"));
	/* Stray continuation bytes are no characters: cut anywhere. */
	assert_false(text_copy(to, sizeof to, "\x80\x80\x80\x80\x80\x80"));
	assert_int_equal(strlen(to), 3);
}

static void format_terminates_and_tells_if_it_fitted(void **state)
{
	char to[6];

	assert_true(text_format(to, sizeof to, "%d-%s", 12, "ab"));
	assert_string_equal(to, "12-ab");
	assert_false(text_format(to, sizeof to, "%d-%s", 123, "ab"));
	assert_string_equal(to, "123-a");
}

static void format_never_cuts_a_character_in_two(void **state)
{
	char to[6];

	assert_false(text_format(to, sizeof to, "%s", "abcd\xc3\xa9"));
	assert_string_equal(to, "abcd");
	assert_false(text_format(to, sizeof to, "%s!", "abc\xc3\xa9"));
	assert_string_equal(to, "abc\xc3\xa9");
	assert_false(text_format(to, sizeof to, "%s", "ab\xf0\x9f\x8e\xa5"));
	assert_string_equal(to, "ab");
	assert_true(text_format(to, sizeof to, "%s", "ab\xe2\x82\xac"));
	/* Stray continuation bytes are no characters: cut anywhere. */
	assert_false(text_format(to, sizeof to, "%s", "\x80\x80\x80\x80\x80\x80"));
	assert_int_equal(strlen(to), 5);
}

static void assert_escaped(const char *from, size_t bytes, const char *expected)
{
	char to[64];

	text_escape(to, sizeof to, from, bytes);
	assert_string_equal(to, expected);
}

static void escape_keeps_utf8_and_hides_control_bytes(void **state)
{
	assert_escaped("", 0, "");
	assert_escaped("caf\xc3\xa9 \xf0\x9f\x8e\xa5", 10, "caf\xc3\xa9 \xf0\x9f\x8e\xa5");
	assert_escaped("a\nb\r\0\x1b[1m\x7f", 10, "a\\x0ab\\x0d\\x00\\x1b[1m\\x7f");
	assert_escaped("say \"\\\"", 7, "say \\\"\\\\\\\"");
	assert_escaped("\xff\xc3(\xc2\x9b", 5, "\\xff\\xc3(\\xc2\\x9b");
	assert_escaped("\xc3", 1, "\\xc3");
}

static void escape_is_cut_at_a_whole_character(void **state)
{
	char to[6];

	text_escape(to, sizeof to, "abc\n", 4);
	assert_string_equal(to, "abc");
	text_escape(to, sizeof to, "abcd\xc3\xa9", 6);
	assert_string_equal(to, "abcd");
	text_escape(to, 1, "abc", 3);
	assert_string_equal(to, "");
}

static void utf8_is_checked_by_rfc_3629(void **state)
{
	assert_true(text_is_utf8("", 0));
	assert_true(text_is_utf8("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf", 10));
	assert_false(text_is_utf8("\xc0\x80", 2));         /* overlong */
	assert_false(text_is_utf8("\xe0\x9f\xbf", 3));     /* overlong */
	assert_false(text_is_utf8("\xf0\x8f\xbf\xbf", 4)); /* overlong */
	assert_false(text_is_utf8("\xed\xa0\x80", 3));     /* surrogate */
	assert_false(text_is_utf8("\xf4\x90\x80\x80", 4)); /* beyond U+10FFFF */
	assert_false(text_is_utf8("\xe2\x82", 2));         /* cut */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copy_terminates_and_tells_if_it_fitted),
		cmocka_unit_test(copy_with_a_nul_inside_is_not_whole),
		cmocka_unit_test(copy_never_cuts_a_character_in_two),
		cmocka_unit_test(format_terminates_and_tells_if_it_fitted),
		cmocka_unit_test(format_never_cuts_a_character_in_two),
		cmocka_unit_test(escape_keeps_utf8_and_hides_control_bytes),
		cmocka_unit_test(escape_is_cut_at_a_whole_character),
		cmocka_unit_test(utf8_is_checked_by_rfc_3629),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
