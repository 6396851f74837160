/* SPDX-License-Identifier: GPL-3.0-or-later */
/* No secret survives in a line that leaves the supervisor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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
	{ .name = "main",
	  .feeds = feeds,
	  .feeds_count = 2,
	  .destinations = destinations,
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

static void password_and_query_of_a_pulled_url_are_secrets_and_its_words_are_not(void **state)
{
	struct config_feed feed = {
		.name = "a",
		.pull = "https://me:pass:w0rd@h.example/live?mode=caller&token=t0kent0ken#x"
	};
	struct config_show show = { .name = "main", .feeds = &feed, .feeds_count = 1 };
	const struct config one = { .shows = &show, .shows_count = 1 };
	struct secrets secrets = { .count = 0 };
	char line[] = "me:pass:w0rd as caller of live with t0kent0ken";

	(void)state;
	secrets_collect(&secrets, &one);
	secrets_redact(&secrets, line);
	secrets_finish(&secrets);
	assert_string_equal(line, "me:*** as caller of live with ***");
}

static void the_key_in_a_pulled_stream_id_is_a_secret(void **state)
{
	struct config_feed feed = { .name = "a",
				    .pull = "srt://h:9000?streamid=#!::r=s3cretkey,m=request" };
	struct config_show show = { .name = "main", .feeds = &feed, .feeds_count = 1 };
	const struct config one = { .shows = &show, .shows_count = 1 };
	struct secrets secrets = { .count = 0 };
	char line[] = "resource s3cretkey unknown";

	(void)state;
	secrets_collect(&secrets, &one);
	secrets_redact(&secrets, line);
	secrets_finish(&secrets);
	assert_string_equal(line, "resource *** unknown");
}

static void a_key_that_begins_another_does_not_bare_its_end(void **state)
{
	struct config_feed pair[] = { { .name = "a", .key = "studio" },
				      { .name = "b", .key = "studio-5f1c9a" } };
	struct config_show show = { .name = "main", .feeds = pair, .feeds_count = 2 };
	const struct config two = { .shows = &show, .shows_count = 1 };
	struct secrets secrets = { .count = 0 };
	char line[] = "no feed has the key studio-5f1c9a";

	(void)state;
	secrets_collect(&secrets, &two);
	secrets_redact(&secrets, line);
	secrets_finish(&secrets);
	assert_string_equal(line, "no feed has the key ***");
}

static void keys_of_an_old_config_stay_secret_while_it_is_kept(void **state)
{
	struct config_feed feed = { .name = "a", .key = "s3cret/key" }; /* begins another one */
	struct config_show show = { .name = "main", .feeds = &feed, .feeds_count = 1 };
	const struct config old = { .shows = &show, .shows_count = 1 };
	struct secrets secrets = { .count = 0 };
	char line[] = "s3cret/key and s3cret/key+1", later[] = "s3cret/key";

	(void)state;
	secrets_collect(&secrets, &old);
	secrets_keep(&secrets, &config);
	secrets_redact(&secrets, line);
	assert_string_equal(line, "*** and ***");
	secrets_collect(&secrets, &config);
	secrets_redact(&secrets, later);
	secrets_finish(&secrets);
	assert_string_equal(later, "s3cret/key");
}

static void the_last_of_very_many_keys_is_replaced_as_well(void **state)
{
	enum { MANY = 2000 };
	static struct config_destination many[MANY];
	static char keys[MANY][16];
	struct config_show show = { .name = "main",
				    .destinations = many,
				    .destinations_count = MANY };
	const struct config large = { .shows = &show, .shows_count = 1 };
	struct secrets secrets = { .count = 0 };
	char line[] = "sent to key-1999-x";

	(void)state;
	for (int i = 0; i < MANY; i++) {
		snprintf(keys[i], sizeof(keys[i]), "key-%04d-x", i);
		many[i].key = keys[i];
	}
	secrets_collect(&secrets, &large);
	secrets_redact(&secrets, line);
	secrets_finish(&secrets);
	assert_string_equal(line, "sent to ***");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_known_key_is_replaced_wherever_it_stands),
		cmocka_unit_test(url_encoded_keys_are_replaced_as_well),
		cmocka_unit_test(very_short_keys_do_not_blank_out_ordinary_words),
		cmocka_unit_test(a_line_that_is_only_a_key_shrinks_to_stars),
		cmocka_unit_test(
			password_and_query_of_a_pulled_url_are_secrets_and_its_words_are_not),
		cmocka_unit_test(the_key_in_a_pulled_stream_id_is_a_secret),
		cmocka_unit_test(a_key_that_begins_another_does_not_bare_its_end),
		cmocka_unit_test(keys_of_an_old_config_stay_secret_while_it_is_kept),
		cmocka_unit_test(the_last_of_very_many_keys_is_replaced_as_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
