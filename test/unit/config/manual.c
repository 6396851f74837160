/* SPDX-License-Identifier: GPL-3.0-or-later */
/* understudy(5) and the example say what the table of keys says. */
#include <stdlib.h>

#include "keys.h"
#include "loading.h"

static char *read_text(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	assert_non_null(file);
	assert_non_null(text);
	size_t size = fread(text, 1, (1 << 20) - 1, file);
	assert_true(size > 0);
	fclose(file);
	return text;
}

static void every_key_is_described_with_its_type_range_and_default(void **state)
{
	char *manual = read_text(SOURCE_ROOT "/docs/man/understudy.5.scd");

	for (size_t i = 0; i < config_key_count; i++) {
		char about[192], line[320];

		config_key_describe(&config_keys[i], about, sizeof(about));
		snprintf(line, sizeof(line), "\n*%s* (%s)\n\t", config_keys[i].pattern, about);
		if (strstr(manual, line) == NULL) {
			fail_msg("understudy(5) has no line%s", line);
		}
	}
	free(manual);
}

static void every_described_key_exists(void **state)
{
	char *manual = read_text(SOURCE_ROOT "/docs/man/understudy.5.scd");
	size_t count = 0;

	for (char *line = strtok(manual, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		char *end = strstr(line, "* (");
		bool is_known = false;

		if (line[0] != '*' || end == NULL) {
			continue;
		}
		*end = '\0';
		for (size_t i = 0; i < config_key_count; i++) {
			is_known |= strcmp(config_keys[i].pattern, line + 1) == 0;
		}
		if (!is_known) {
			fail_msg("understudy(5) describes %s, which is no key", line + 1);
		}
		count++;
	}
	assert_int_equal(count, config_key_count);
	free(manual);
}

static void the_table_is_sound(void **state)
{
	for (size_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		char parent[64];
		bool is_file, has_parent = config_key_parent(key) == 0;

		snprintf(parent, sizeof(parent), "%.*s", (int)config_key_parent(key), key->pattern);
		assert_ptr_equal(config_key_find(parent, config_key_name(key), &is_file), key);
		assert_false(is_file);
		assert_true((key->flags & KEY_UNBOUND) || key->size > 0);
		assert_false((key->flags & KEY_REQUIRED) && key->default_text != NULL);
		for (size_t j = 0; j < config_key_count; j++) {
			char map[64];

			snprintf(map, sizeof(map), "%s%s", config_keys[j].pattern,
				 config_keys[j].type == KEY_LIST ? "[]" : "");
			has_parent |= strcmp(map, parent) == 0;
		}
		assert_true(has_parent);
	}
}

static const char *anything(void *context, const char *name)
{
	return name;
}

static void the_example_is_good(void **state)
{
	struct loading l = { .config = NULL };

	l.result = config_load(SOURCE_ROOT "/config/understudy.yaml", anything, NULL, &l.config,
			       &l.findings);
	print_findings(&l);
	assert_int_equal(l.result, 0);
	assert_int_equal(l.findings.count, 0);
	loading_finish(&l);
}

static void near_names_are_suggested(void **state)
{
	static const char *const rows[][3] = {
		{ "", "rtpm", "rtmp" },
		{ "", "show", "shows" },
		{ "shows[]", "delay", NULL },
		{ "shows[]", "delayms", "delay_ms" },
		{ "shows[]", "feed", "feeds" },
		{ "shows[]", "detsinations", "destinations" },
		{ "shows[].feeds[]", "kye", "key" },
		{ "shows[].feeds[]", "url", NULL },
		{ "", "a-name-that-is-longer-than-any-name-of-a-key-can-be", NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct config_key *key = config_key_nearest(rows[i][0], rows[i][1]);

		if (rows[i][2] == NULL) {
			assert_null(key);
		} else {
			assert_non_null(key);
			assert_string_equal(config_key_name(key), rows[i][2]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_is_described_with_its_type_range_and_default),
		cmocka_unit_test(every_described_key_exists),
		cmocka_unit_test(the_table_is_sound),
		cmocka_unit_test(the_example_is_good),
		cmocka_unit_test(near_names_are_suggested),
	};

	return cmocka_run_group_tests_name("config manual", tests, NULL, NULL);
}
