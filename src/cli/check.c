/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `understudy check`: everything that is wrong with a configuration, at once, and with the
 * recordings it names. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <understudy/config.h>
#include <understudy/format.h>
#include <understudy/text.h>

#include "client.h"
#include "commands.h"
#include "helper.h"
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

/* ---- recordings ---- */

struct inspection {
	const struct terminal *terminal;
	const char *name; /* of the config */
	unsigned bad;
};

static void print_recording(struct inspection *i, const struct config_show *show,
			    const struct config_feed *feed, enum paint paint, const char *what)
{
	char safe[768], text[768];

	text_format(text, sizeof(text), "%s: show %s, feed %s: %s: %s", i->name, show->name,
		    feed->name, feed->file, what);
	terminal_copy(safe, sizeof(safe), text);
	fprintf(i->terminal->out, "%s%s%s\n", terminal_begin(i->terminal, paint), safe,
		terminal_end(i->terminal, paint));
}

static void judge_recording(struct inspection *i, const struct config_show *show,
			    const struct config_feed *feed, const struct ipc_loop_report *report)
{
	int64_t needed_ms = (int64_t)report->gop_ms + show->failover.stall_ms + 250 +
			    show->earlier_ms;
	char text[512];

	if (!report->is_usable) {
		text_format(text, sizeof(text), "error: %s", report->remark);
		print_recording(i, show, feed, PAINT_BAD, text);
		i->bad++;
		return;
	}
	const struct format format = { .video = report->video,
				       .audio = report->audio,
				       .fps_milli = report->fps_milli,
				       .gop_ms = report->gop_ms };
	size_t used = (size_t)snprintf(text, sizeof(text), "%.1f s, ", report->length_ms / 1000.0);
	format_describe(&format, text + used, sizeof(text) - used);
	print_recording(i, show, feed, PAINT_DIM, text);
	if (report->remark[0] != '\0') {
		text_format(text, sizeof(text), "warning: %s", report->remark);
		print_recording(i, show, feed, PAINT_WARN, text);
	}
	if (report->gop_ms > 0 && show->delay_ms > 0 && needed_ms > show->delay_ms) {
		text_format(text, sizeof(text),
			    "warning: key frames are up to %u ms apart, too far for a delay of %u "
			    "ms: leaving a feed for it can show a gap; encode it with one every 2 "
			    "s, or set delay_ms to at least %lld",
			    report->gop_ms, show->delay_ms, (long long)needed_ms);
		print_recording(i, show, feed, PAINT_WARN, text);
	}
}

/* By a sandboxed process that gets nothing but the file. A file that is not there has been
 * reported with the config. EXIT_DONE, or EXIT_FAILED (complained). */
static int inspect(struct inspection *i, const struct config_show *show,
		   const struct config_feed *feed)
{
	const struct ipc_loop_start order = { 0 };
	static struct ipc_message m;
	struct helper helper;
	int fd = open(feed->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int result;

	if (fd < 0) {
		i->bad++;
		return EXIT_DONE;
	}
	result = helper_start(ROLE_INGEST_FILE, &helper);
	if (result == EXIT_DONE) {
		ipc_send(helper.fd, IPC_LOOP_START, &order, &fd, 1);
		while ((result = helper_wait(&helper, &m)) == EXIT_DONE &&
		       m.type == IPC_INGEST_STATUS) {
			ipc_message_finish(&m);
		}
		if (result == EXIT_DONE && m.type == IPC_LOOP_REPORT) {
			judge_recording(i, show, feed, (const void *)m.body);
			ipc_message_finish(&m);
		}
		helper_end(&helper);
	}
	close(fd);
	return result;
}

static int inspect_all(struct inspection *i, const struct config *config)
{
	int result = EXIT_DONE;

	for (unsigned s = 0; s < config->shows_count; s++) {
		const struct config_show *show = &config->shows[s];

		for (unsigned f = 0; f < show->feeds_count && result == EXIT_DONE; f++) {
			if (show->feeds[f].source == SOURCE_FILE) {
				result = inspect(i, show, &show->feeds[f]);
			}
		}
	}
	return result == EXIT_DONE && i->bad > 0 ? EXIT_USAGE : result;
}

int command_check(const struct command_line *line)
{
	const char *name = line->config != NULL ? line->config : EMBEDDED_NAME;
	struct config_findings findings = { .count = 0 };
	struct config *config = NULL;
	struct terminal terminal;
	int result, exit_code = EXIT_USAGE;

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
	if (result == 0) {
		struct inspection inspection = { .terminal = &terminal, .name = name };

		exit_code = inspect_all(&inspection, config);
	}
	print_summary(stdout, name, &findings, config);
	config_destroy(&config);
	config_findings_finish(&findings);
	return exit_code;
}
