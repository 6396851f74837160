/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `understudy check`: everything that is wrong with a configuration, at once. */
#include <stdlib.h>
#include <string.h>

#include <understudy/config.h>

#include "client.h"
#include "commands.h"
#include "terminal.h"

#define EMBEDDED_NAME "default show"

static const char *read_environment(void *context, const char *name)
{
	return getenv(name);
}

/* Stands in for what the relay generates when it starts. */
static const char *stand_in(void *context, const char *name)
{
	static const char *const generated[][2] = {
		{ "PRIMARY_KEY", "generated-primary" },
		{ "BACKUP_KEY", "generated-backup" },
	};

	for (size_t i = 0; i < sizeof(generated) / sizeof(generated[0]); i++) {
		if (strcmp(name, generated[i][0]) == 0) {
			return generated[i][1];
		}
	}
	return strcmp(name, "UNDERSTUDY_STATE_DIRECTORY") == 0 ? config_default_state_directory()
							       : getenv(name);
}

static void print_finding(const struct terminal *t, const char *name,
			  const struct config_finding *finding)
{
	static const enum paint paints[] = { [CONFIG_ERROR] = PAINT_BAD,
					     [CONFIG_WARNING] = PAINT_WARN,
					     [CONFIG_INACTIVE] = PAINT_DIM };
	char text[768], safe[768];

	config_finding_format(text, sizeof(text), name, finding);
	terminal_copy(safe, sizeof(safe), text);
	fprintf(t->out, "%s%s%s\n", terminal_begin(t, paints[finding->severity]), safe,
		terminal_end(t, paints[finding->severity]));
}

static void print_count(FILE *out, const char *before, size_t count, const char *one,
			const char *many)
{
	fprintf(out, "%s%zu %s", before, count, count == 1 ? one : many);
}

static void print_summary(FILE *out, const char *name, const struct config_findings *findings,
			  const struct config *config)
{
	size_t counts[3] = { 0 }, feeds = 0, destinations = 0;
	char safe[512];

	for (size_t i = 0; i < findings->count; i++) {
		counts[findings->items[i].severity]++;
	}
	terminal_copy(safe, sizeof(safe), name);
	fprintf(out, "%s: ", safe);
	if (config != NULL) {
		for (unsigned i = 0; i < config->shows_count; i++) {
			feeds += config->shows[i].feeds_count;
			destinations += config->shows[i].destinations_count;
		}
		print_count(out, "good: ", config->shows_count, "show", "shows");
		print_count(out, ", ", feeds, "feed", "feeds");
		print_count(out, ", ", destinations, "destination", "destinations");
		fputs("; ", out);
	}
	print_count(out, "", counts[CONFIG_ERROR], "error", "errors");
	print_count(out, ", ", counts[CONFIG_WARNING], "warning", "warnings");
	fprintf(out, ", %zu inactive\n", counts[CONFIG_INACTIVE]);
}

int command_check(const struct command_line *line)
{
	const char *name = line->config != NULL ? line->config : EMBEDDED_NAME;
	struct config_findings findings = { .count = 0 };
	struct config *config = NULL;
	struct terminal terminal;
	int result;

	if (line->config != NULL) {
		result = config_load(name, read_environment, NULL, &config, &findings);
	} else {
		result = config_load_text(name, config_default_text, config_default_size, stand_in,
					  NULL, &config, &findings);
	}
	terminal_init(&terminal, stdout);
	for (size_t i = 0; i < findings.count; i++) {
		print_finding(&terminal, name, &findings.items[i]);
	}
	print_summary(stdout, name, &findings, config);
	config_destroy(&config);
	config_findings_finish(&findings);
	return result < 0 ? EXIT_USAGE : EXIT_DONE;
}
