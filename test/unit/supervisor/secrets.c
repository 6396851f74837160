/* SPDX-License-Identifier: GPL-3.0-or-later */
/* No secret survives in a line that leaves the supervisor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../../src/supervisor/supervisor.h"

static struct config_feed feeds[] = {
	{ .name = "primary", .key = "s3cret/key+1" },
	{ .name = "backup", .key = "abc" },
};
static struct config_destination destinations[] = {
	{ .name = "youtube", .key = "yt-1234-5678", .endpoint.stream = "yt-1234-5678?backup=1" },
};
static struct config_show shows[] = {
	{ .name = "main", .feeds = feeds, .feeds_count = 2, .destinations = destinations,
	  .destinations_count = 1 },
};
static const struct config config = { .shows = shows, .shows_count = 1 };

static void redact(char *line)
{
	struct secrets secrets = { .count = 0 };

	secrets_collect(&secrets, &config);
	secrets_redact(&secrets, line);
	secrets_finish(&secrets);
}

static void every_known_key_is_replaced_wherever_it_stands(void **state)
{
	char line[] = "publish s3cret/key+1 to yt-1234-5678, again s3cret/key+1";

	(void)state;
	redact(line);
	assert_null(strstr(line, "s3cret"));
	assert_null(strstr(line, "1234"));
	assert_non_null(strstr(line, "publish ***"));
}

static void url_encoded_keys_are_replaced_as_well(void **state)
{
	char line[] = "GET /live/s3cret%2Fkey%2B1 failed";

	(void)state;
	redact(line);
	assert_string_equal(line, "GET /live/*** failed");
}

static void very_short_keys_do_not_blank_out_ordinary_words(void **state)
{
	char line[] = "abcdef";

	(void)state;
	redact(line);
	assert_string_equal(line, "abcdef");
}

static void a_line_that_is_only_a_key_shrinks_to_stars(void **state)
{
	char line[] = "yt-1234-5678";

	(void)state;
	redact(line);
	assert_string_equal(line, "***");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_known_key_is_replaced_wherever_it_stands),
		cmocka_unit_test(url_encoded_keys_are_replaced_as_well),
		cmocka_unit_test(very_short_keys_do_not_blank_out_ordinary_words),
		cmocka_unit_test(a_line_that_is_only_a_key_shrinks_to_stars),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
