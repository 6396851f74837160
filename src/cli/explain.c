/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `understudy explain SHOW`: of the running relay, or with -c of a configuration alone. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/text.h>

#include "client.h"
#include "commands.h"
#include "explain.h"

#define COLUMNS 90
#define HEAD_COLUMNS 18

/* ---- printing ---- */

/* Bytes up to where a line may be broken: a space, but not between a number and its unit. */
static size_t unbroken(const char *text)
{
	size_t size = strcspn(text, " ");

	while (size > 0 && text[size] == ' ' && isdigit((unsigned char)text[size - 1]) &&
	       isalpha((unsigned char)text[size + 1])) {
		size += 1 + strcspn(text + size + 1, " ");
	}
	return size;
}

/* Text of others made safe and broken into lines; the first one begins at column `indent`. */
static void print_wrapped(FILE *out, const char *text, size_t indent)
{
	char safe[sizeof(((struct explain_item *)NULL)->text)];
	const char *rest = safe;
	size_t column = indent;

	terminal_copy(safe, sizeof(safe), text);
	while (*rest != '\0') {
		size_t size = unbroken(rest);

		if (column > indent && column + 1 + size > COLUMNS) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', out);
			column++;
		}
		fprintf(out, "%.*s", (int)size, rest);
		column += size;
		rest += size;
		rest += strspn(rest, " ");
	}
	fputc('\n', out);
}

static void print_item(const struct terminal *t, const struct explain_item *item)
{
	char head[sizeof(item->head)];

	terminal_copy(head, sizeof(head), item->head);
	if (item->section == EXPLAIN_CASE) {
		fprintf(t->out, "  %s%s%s\n    ", terminal_begin(t, PAINT_BOLD), head,
			terminal_end(t, PAINT_BOLD));
		print_wrapped(t->out, item->text, 4);
	} else if (item->section == EXPLAIN_NOTE) {
		fputs("  ", t->out);
		print_wrapped(t->out, item->text, 2);
	} else {
		fprintf(t->out, "  %s%-*s%s", terminal_begin(t, PAINT_BOLD), HEAD_COLUMNS - 2, head,
			terminal_end(t, PAINT_BOLD));
		if (strlen(head) > HEAD_COLUMNS - 3) {
			fprintf(t->out, "\n%*s", HEAD_COLUMNS, "");
		}
		print_wrapped(t->out, item->text, HEAD_COLUMNS);
	}
}

void explain_print(const struct terminal *t, const struct explain_facts *facts,
		   const struct explanation *explanation)
{
	static const char *const titles[EXPLAIN_SECTIONS] = {
		[EXPLAIN_FEED] = "its feeds, as measured now",
		[EXPLAIN_SETUP] = "how it is set up",
		[EXPLAIN_CASE] = "what the audience will see if",
		[EXPLAIN_NOTE] = "what no delay hides",
	};
	char show[sizeof(facts->show)];

	terminal_copy(show, sizeof(show), facts->show);
	for (unsigned i = 0; i < explanation->count; i++) {
		const struct explain_item *item = &explanation->items[i];

		if (i == 0 || item->section != item[-1].section) {
			fprintf(t->out, "%s%s: %s\n", i > 0 ? "\n" : "", show,
				titles[item->section]);
		}
		print_item(t, item);
	}
}

/* ---- for programs ---- */

static json_t *number_json(int64_t number)
{
	return number == EXPLAIN_UNKNOWN ? json_null() : json_integer(number);
}

static json_t *item_to_json(const struct explain_item *item)
{
	static const char *const sections[EXPLAIN_SECTIONS] = {
		[EXPLAIN_FEED] = "feed",
		[EXPLAIN_SETUP] = "setup",
		[EXPLAIN_CASE] = "case",
		[EXPLAIN_NOTE] = "note",
	};
	json_t *json = json_pack("{s:s, s:s, s:s, s:s}", "section", sections[item->section], "key",
				 item->key, "head", item->head, "text", item->text);

	if (json != NULL && item->section == EXPLAIN_CASE) {
		json_object_set_new(json, "promised", json_boolean(item->is_promised));
		json_object_set_new(json, "picture_ms", number_json(item->picture_ms));
		json_object_set_new(json, "silence_ms", number_json(item->silence_ms));
	}
	return json;
}

json_t *explain_to_json(const struct explain_facts *facts, const struct explanation *explanation)
{
	json_t *items = json_array();

	for (unsigned i = 0; i < explanation->count; i++) {
		json_array_append_new(items, item_to_json(&explanation->items[i]));
	}
	return json_pack("{s:s, s:b, s:s?, s:I, s:o, s:o}", "show", facts->show, "measured",
			 facts->is_running, "live", facts->live[0] ? facts->live : NULL, "delay_ms",
			 (json_int_t)facts->delay_ms, "needed_delay_ms",
			 number_json(explanation->needed_ms), "items", items);
}

static int tell(const struct explain_facts *facts, bool is_json)
{
	static struct explanation explanation; /* too large for a stack frame */
	struct terminal terminal;

	explain_make(facts, &explanation);
	if (!is_json) {
		terminal_init(&terminal, stdout);
		explain_print(&terminal, facts, &explanation);
		return EXIT_DONE;
	}
	json_t *json = explain_to_json(facts, &explanation);
	int code = print_json(json);

	json_decref(json);
	return code;
}

/* ---- where the facts come from ---- */

static int ask_relay(const struct command_line *line, struct explain_facts *ret)
{
	struct client client;
	json_t *reply = NULL;
	json_t *request = json_pack("{s:s, s:s}", "command", "explain", "show", line->arguments[0]);
	int code;

	if (request == NULL) {
		complain("the name is not UTF-8 text; write it as `understudy status` shows it");
		return EXIT_USAGE;
	}
	code = client_open(&client, client_socket(line->socket));
	if (code != EXIT_DONE) {
		json_decref(request);
		return code;
	}
	code = client_ask(&client, request, &reply);
	if (code == EXIT_DONE && !explain_from_json(json_object_get(reply, "explain"), ret)) {
		complain("the answer of the relay at %s makes no sense; is it of another version?",
			 client.path);
		code = EXIT_FAILED;
	}
	json_decref(reply);
	client_close(&client);
	return code;
}

static const char *read_environment(void *context, const char *name)
{
	return getenv(name);
}

static int complain_config(const char *name, const struct config_findings *findings)
{
	char text[768] = "";

	for (size_t i = 0; i < findings->count && text[0] == '\0'; i++) {
		if (findings->items[i].severity == CONFIG_ERROR) {
			config_finding_format(text, sizeof(text), name, &findings->items[i]);
		}
	}
	complain("%s; `understudy check -c %s` lists all errors", text, name);
	return EXIT_USAGE;
}

static int find_show(const struct config *config, const struct config_findings *findings,
		     const struct command_line *line, struct explain_facts *ret)
{
	for (unsigned i = 0; i < config->shows_count; i++) {
		if (strcmp(config->shows[i].name, line->arguments[0]) == 0) {
			explain_from_config(config, i, findings, ret);
			return EXIT_DONE;
		}
	}
	complain("%s has no show %s; its first is %s", line->config, line->arguments[0],
		 config->shows[0].name);
	return EXIT_USAGE;
}

static int read_config(const struct command_line *line, struct explain_facts *ret)
{
	struct config_findings findings = { .count = 0 };
	struct config *config = NULL;
	int code;

	if (config_load(line->config, read_environment, NULL, &config, &findings) < 0) {
		code = complain_config(line->config, &findings);
	} else {
		code = find_show(config, &findings, line, ret);
	}
	config_destroy(&config);
	config_findings_finish(&findings);
	return code;
}

int command_explain(const struct command_line *line)
{
	static struct explain_facts facts;
	int code = line->config != NULL ? read_config(line, &facts) : ask_relay(line, &facts);

	return code == EXIT_DONE ? tell(&facts, (line->given & OPTION_JSON) != 0) : code;
}
