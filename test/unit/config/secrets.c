/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whatever is wrong with a configuration, no finding holds a secret of it. */
#include <stdlib.h>

#include "loading.h"

#define SENTINEL "Sen7inel"

static const char *secret_environment(void *context, const char *name)
{
	return strcmp(name, "SECRET") == 0 ? SENTINEL "-of-the-environment" : NULL;
}

static const char good[] = "rtmp: { listen: \"127.0.0.1:1935\" }\n"
			   "control: { listen: \"127.0.0.1:8080\", token: \"" SENTINEL
			   "-token\" }\n"
			   "notify: [ { kind: webhook, url: \"https://u:" SENTINEL "@h/" SENTINEL
			   "?x=" SENTINEL "\" } ]\n"
			   "shows:\n"
			   "  - name: main\n"
			   "    delay_ms: 3000\n"
			   "    feeds:\n"
			   "      - { name: primary, key: " SENTINEL "-1, passphrase: \"" SENTINEL
			   "-pass\" }\n"
			   "      - { name: backup, key: \"${SECRET}\" }\n"
			   "      - name: remote\n"
			   "        pull: \"srt://h:9000?streamid=" SENTINEL "\"\n"
			   "    failover: { stall_ms: 500, return: auto }\n"
			   "    destinations:\n"
			   "      - { name: a, url: \"rtmps://h.example/live2\", key: \"" SENTINEL
			   "-2\" }\n"
			   "      - { name: b, url: \"rtmp://h.example/live2/" SENTINEL
			   "-3?t=" SENTINEL "\" }\n"
			   "      - { name: c, url: \"file:x-%Y.flv\" }\n";

static void assert_no_secret(const char *text, size_t size)
{
	struct config_findings findings = { .count = 0 };
	struct config *config = NULL;
	int result = config_load_text("test.yaml", text, size, secret_environment, NULL, &config,
				      &findings);

	assert_true((result == 0) == (config != NULL));
	for (size_t i = 0; i < findings.count; i++) {
		char line[512];

		config_finding_format(line, sizeof(line), "test.yaml", &findings.items[i]);
		if (strcasestr(line, SENTINEL) != NULL) {
			fail_msg("a secret in: %s\n(of: %.*s)", line, (int)size, text);
		}
	}
	config_destroy(&config);
	config_findings_finish(&findings);
}

static void the_whole_is_good(void **state)
{
	struct config_findings findings = { .count = 0 };
	struct config *config = NULL;

	assert_int_equal(config_load_text("test.yaml", good, strlen(good), secret_environment, NULL,
					  &config, &findings),
			 0);
	config_destroy(&config);
	config_findings_finish(&findings);
}

static void cut_anywhere_it_tells_nothing(void **state)
{
	for (size_t size = 0; size < strlen(good); size++) {
		assert_no_secret(good, size);
	}
}

static void without_any_one_byte_it_tells_nothing(void **state)
{
	char text[sizeof(good)];
	size_t size = strlen(good);

	for (size_t at = 0; at < size; at++) {
		memcpy(text, good, at);
		memcpy(text + at, good + at + 1, size - at - 1);
		assert_no_secret(text, size - 1);
	}
}

static void with_any_byte_made_syntax_it_tells_nothing(void **state)
{
	static const char syntax[] = ":{}[],&*!|>'\"%@`#-\n \t$\\?\xff";
	char text[sizeof(good)];
	size_t size = strlen(good);

	for (size_t at = 0; at < size; at++) {
		memcpy(text, good, size);
		text[at] = syntax[at % (sizeof(syntax) - 1)];
		assert_no_secret(text, size);
		text[at] = syntax[(at * 7 + 3) % (sizeof(syntax) - 1)];
		assert_no_secret(text, size);
	}
}

/* A generator of our own, so that a failure comes again. */
static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static void torn_to_pieces_it_tells_nothing(void **state)
{
	size_t size = strlen(good);
	uint32_t random = 20261121;

	for (int round = 0; round < 2000; round++) {
		char text[2 * sizeof(good)];
		size_t used = 0;

		while (used < size) {
			size_t from = next_random(&random) % size,
			       length = next_random(&random) % 60;

			if (length > size - from) {
				length = size - from;
			}
			if (used + length > sizeof(text)) {
				break;
			}
			memcpy(text + used, good + from, length);
			used += length;
		}
		assert_no_secret(text, used);
	}
}

static void a_secret_in_the_place_of_anything_is_not_shown(void **state)
{
	static const char *const texts[] = {
		"rtmp: { listen: \"" SENTINEL "\" }\n",
		"rtmp: " SENTINEL "\n",
		SENTINEL ": x\n",
		SENTINEL "\n",
		"shows: [ { name: \"" SENTINEL " x\" } ]\n",
		"shows: [ { name: x, feeds: [ { name: a, key: \"${" SENTINEL "!}\" } ] } ]\n",
		"shows: [ { name: x, feeds: [ { name: a, key_file: " SENTINEL " } ] } ]\n",
		"shows: [ { name: x, feeds: [ { name: a, key: k, " SENTINEL " } ] } ]\n",
		"shows: [ { name: x, delay_ms: " SENTINEL " } ]\n",
		"shows: [ { name: x, autostart: " SENTINEL " } ]\n",
		"shows: [ { name: x, failover: { return: " SENTINEL " } } ]\n",
		"shows: [ { name: x, destinations: [ { name: a, url: \"" SENTINEL
		"://h\" } ] } ]\n",
		"shows: [ { name: x, destinations: [ { name: a, url: \"rtmp://h/" SENTINEL
		"\" } ] } ]\n",
		"shows: [ { name: x, destinations: [ { name: a, url: \"rtmp://h:" SENTINEL
		"/a/b\" } ] } ]\n",
		"shows: [ { name: x, destinations: [ { name: a, url: \"rtmp://[" SENTINEL
		"]/a/b\" } ] } ]\n",
		"shows: [ { name: x, destinations: [ { name: a, url: \"rtmp://" SENTINEL
		"@h/a/b\" } ] } ]\n",
		"shows: &" SENTINEL " [ *other" SENTINEL " ]\n",
		"shows: !" SENTINEL "!x []\n",
		"%TAG " SENTINEL "\n---\nx: y\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_no_secret(texts[i], strlen(texts[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_whole_is_good),
		cmocka_unit_test(cut_anywhere_it_tells_nothing),
		cmocka_unit_test(without_any_one_byte_it_tells_nothing),
		cmocka_unit_test(with_any_byte_made_syntax_it_tells_nothing),
		cmocka_unit_test(torn_to_pieces_it_tells_nothing),
		cmocka_unit_test(a_secret_in_the_place_of_anything_is_not_shown),
	};

	return cmocka_run_group_tests_name("config secrets", tests, NULL, NULL);
}
