/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which feed a publish command belongs to: encoders put keys in several places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../src/supervisor/supervisor.h"

static const struct config_feed primary = { .name = "primary", .key = "key-of-primary" };
static const struct config_feed backup = { .name = "backup", .key = "key-of-backup?token=1" };
static const struct config_feed pulled = { .name = "remote", .pull = "srt://host:9000" };
static const struct config_show show_config = { .name = "main" };

static struct show show;
static struct feed feeds[3];
static struct supervisor sup;

static int set_up(void **state)
{
	const struct config_feed *configs[] = { &primary, &backup, &pulled };

	(void)state;
	TAILQ_INIT(&sup.shows);
	TAILQ_INIT(&show.feeds);
	show.config = &show_config;
	TAILQ_INSERT_TAIL(&sup.shows, &show, entry);
	for (int i = 0; i < 3; i++) {
		feeds[i] = (struct feed){ .show = &show, .config = configs[i] };
		TAILQ_INSERT_TAIL(&show.feeds, &feeds[i], entry);
	}
	return 0;
}

static void a_stream_name_that_is_a_key_finds_its_feed(void **state)
{
	(void)state;
	assert_ptr_equal(keys_find_feed(&sup, "live", "key-of-primary"), &feeds[0]);
	assert_ptr_equal(keys_find_feed(&sup, "anything", "key-of-backup?token=1"), &feeds[1]);
}

static void parameters_behind_the_key_do_not_matter(void **state)
{
	(void)state;
	assert_ptr_equal(keys_find_feed(&sup, "live", "key-of-primary?x=1&y=2"), &feeds[0]);
}

static void a_key_in_the_path_or_in_a_parameter_is_found(void **state)
{
	(void)state;
	assert_ptr_equal(keys_find_feed(&sup, "live/key-of-primary", ""), &feeds[0]);
	assert_ptr_equal(keys_find_feed(&sup, "live/key-of-primary?u=1", "stream"), &feeds[0]);
	assert_ptr_equal(keys_find_feed(&sup, "live", "cam?user=a&key=key-of-primary"), &feeds[0]);
}

static void what_is_no_key_finds_nothing(void **state)
{
	char longest[IPC_KEY];

	(void)state;
	memset(longest, 'k', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_null(keys_find_feed(&sup, "live", ""));
	assert_null(keys_find_feed(&sup, "live", "key-of-primar"));
	assert_null(keys_find_feed(&sup, "live", "key-of-primaryx"));
	assert_null(keys_find_feed(&sup, "", "?&=&?"));
	assert_null(keys_find_feed(&sup, longest, longest));
}

static void generated_keys_are_made_once_and_kept_private(void **state)
{
	char directory[] = "/tmp/understudy-keys-XXXXXX", path[64];
	char first[64];

	(void)state;
	assert_non_null(mkdtemp(directory));
	assert_int_equal(keys_generate(&sup, directory), 0);
	strcpy(first, sup.generated[0]);
	assert_true(strlen(first) >= 16);
	assert_string_not_equal(first, sup.generated[1]);
	memset(sup.generated, 0, sizeof(sup.generated));
	assert_int_equal(keys_generate(&sup, directory), 0);
	assert_string_equal(sup.generated[0], first);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/keys/main-%s.key", directory,
			 i ? "backup" : "primary");
		assert_int_equal(unlink(path), 0);
	}
	snprintf(path, sizeof(path), "%s/keys", directory);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stream_name_that_is_a_key_finds_its_feed),
		cmocka_unit_test(parameters_behind_the_key_do_not_matter),
		cmocka_unit_test(a_key_in_the_path_or_in_a_parameter_is_found),
		cmocka_unit_test(what_is_no_key_finds_nothing),
		cmocka_unit_test(generated_keys_are_made_once_and_kept_private),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
