/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of the configuration share: loading text, and looking for findings. */
#ifndef TEST_CONFIG_LOADING_H
#define TEST_CONFIG_LOADING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <understudy/config.h>

struct loading {
	struct config *config;
	struct config_findings findings;
	int result;
};

static inline const char *test_environment(void *context, const char *name)
{
	static const char *const variables[][2] = {
		{ "KEY_ONE", "first-key-0001" },
		{ "KEY_TWO", "second-key-0002" },
		{ "DELAY", "1500" },
		{ "ODD", "a\"b\\c: {d} #e" },
		{ "EMPTY", "" },
		{ "LINES", "one\ntwo" },
		{ "NOT_TEXT", "a\xff" },
		{ "ACCENT", "caf\xc3\xa9 \xe2\x80\xa8 \xf0\x9f\x8e\xac" },
	};

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		if (strcmp(variables[i][0], name) == 0) {
			return variables[i][1];
		}
	}
	return NULL;
}

static inline struct loading load_text(const char *text)
{
	struct loading l = { .config = NULL };

	l.result = config_load_text("test.yaml", text, strlen(text), test_environment, NULL,
				    &l.config, &l.findings);
	return l;
}

static inline void loading_finish(struct loading *l)
{
	config_destroy(&l->config);
	config_findings_finish(&l->findings);
}

static inline void print_findings(const struct loading *l)
{
	for (size_t i = 0; i < l->findings.count; i++) {
		char line[512];

		config_finding_format(line, sizeof(line), "test.yaml", &l->findings.items[i]);
		print_message("# %s\n", line);
	}
}

static inline const struct config_finding *find(const struct loading *l,
						enum config_severity severity, unsigned line,
						const char *key, const char *words)
{
	for (size_t i = 0; i < l->findings.count; i++) {
		const struct config_finding *f = &l->findings.items[i];

		if (f->severity == severity && f->line == line && strcmp(f->key, key) == 0 &&
		    strstr(f->text, words) != NULL) {
			return f;
		}
	}
	print_message("# not found: line %u, %s, \"%s\"; there are:\n", line, key, words);
	print_findings(l);
	return NULL;
}

#define assert_finding(l, severity, line, key, words) \
	assert_non_null(find(l, severity, line, key, words))

static inline size_t count_errors(const struct loading *l)
{
	size_t count = 0;

	for (size_t i = 0; i < l->findings.count; i++) {
		count += l->findings.items[i].severity == CONFIG_ERROR;
	}
	return count;
}

#endif
