/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `understudy ledger`: how long shows and destinations were on air, and why they were not. */
#include <stdlib.h>
#include <string.h>

#include <understudy/text.h>

#include "archive.h"
#include "ledger.h"

/* ---- rendering ---- */

static double number_of(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "-";
}

/* "0:00:12.345": failures last less than a second as well. */
static void format_seconds(char *to, size_t size, double seconds)
{
	long long ms = (long long)(seconds * 1000 + 0.5);

	text_format(to, size, "%lld:%02lld:%02lld.%03lld", ms / 3600000, ms / 60000 % 60,
		    ms / 1000 % 60, ms % 1000);
}

/* As many nines as there are, never 100 % of something that was interrupted. */
static void format_percent(struct table_cell *cell, const json_t *account)
{
	double percent = number_of(account, "percent");
	bool is_whole = number_of(account, "off_s") <= 0;

	cell_set(cell, is_whole ? PAINT_GOOD : PAINT_WARN, "%.*f %%", is_whole ? 0 : 4,
		 is_whole || percent < 99.9999 ? percent : 99.9999);
}

static void set_seconds(struct table_cell *cell, const json_t *account, const char *key)
{
	char text[40];

	format_seconds(text, sizeof(text), number_of(account, key));
	cell_set(cell, PAINT_NONE, "%s", text);
}

static void add_account(struct table *table, const json_t *account)
{
	const char *destination = json_string_value(json_object_get(account, "destination"));
	const char *now = text_of(account, "now");
	struct table_cell *row = table_add_row(table);

	if (row == NULL) {
		return;
	}
	cell_set(&row[0], PAINT_NONE, "%s", text_of(account, "show"));
	cell_set(&row[1], PAINT_NONE, "%s", destination != NULL ? destination : "(the show)");
	set_seconds(&row[2], account, "on_s");
	set_seconds(&row[3], account, "off_s");
	format_percent(&row[4], account);
	cell_set(&row[5], PAINT_NONE, "%d", (int)number_of(account, "interruptions"));
	set_seconds(&row[6], account, "longest_off_s");
	cell_set(&row[7],
		 strcmp(now, "on") == 0    ? PAINT_GOOD
		 : strcmp(now, "off") == 0 ? PAINT_BAD
					   : PAINT_NONE,
		 "%s", now);
}

static const char *who_of(const json_t *account)
{
	const char *destination = json_string_value(json_object_get(account, "destination"));

	return destination != NULL ? destination : text_of(account, "show");
}

/* Names before causes stand in a column of this width. */
static int who_columns(const json_t *accounts)
{
	const json_t *account;
	size_t i, widest = 0;

	json_array_foreach(accounts, i, account) {
		size_t size = strlen(who_of(account));
		widest = size > widest ? size : widest;
	}
	return (int)widest;
}

static void print_causes(const struct terminal *t, const json_t *account, int columns)
{
	const json_t *cause;
	size_t i;

	json_array_foreach(json_object_get(account, "causes"), i, cause) {
		char text[256], time[40], who[160];

		terminal_copy(text, sizeof(text), text_of(cause, "cause"));
		terminal_copy(who, sizeof(who), who_of(account));
		format_seconds(time, sizeof(time), number_of(cause, "s"));
		fprintf(t->out, "  %-*s  %s  %dx  %s\n", columns, who, time,
			(int)number_of(cause, "times"), text);
	}
}

static void print_rest(const struct terminal *t, const json_t *accounts, const char *key,
		       int columns, const char *what)
{
	const json_t *account;
	size_t i;

	json_array_foreach(accounts, i, account) {
		char time[40], name[160];

		if (number_of(account, key) <= 0) {
			continue;
		}
		terminal_copy(name, sizeof(name), who_of(account));
		format_seconds(time, sizeof(time), number_of(account, key));
		fprintf(t->out, "  %-*s  %s  %s\n", columns, name, time, what);
	}
}

static void print_period(const struct terminal *t, const json_t *account)
{
	char from[40] = "-", to[40] = "-";
	int64_t from_ms = parse_time_ms(text_of(account, "from"));
	int64_t to_ms = parse_time_ms(text_of(account, "to"));

	if (from_ms >= 0 && to_ms >= 0) {
		format_local_time(from, sizeof(from), from_ms);
		format_local_time(to, sizeof(to), to_ms);
	}
	fprintf(t->out, "%s to %s\n\n", from, to);
}

void ledger_print(const struct terminal *t, const json_t *accounts, const json_t *end)
{
	static const char *const heads[] = { "SHOW", "DESTINATION",   "ON AIR",  "OFF AIR",
					     "%",    "INTERRUPTIONS", "LONGEST", "NOW" };
	struct table table;
	const json_t *account;
	bool has_causes = false;
	int columns = who_columns(accounts);
	size_t i;

	if (json_array_size(accounts) == 0) {
		fputs("nothing is known of that show and time\n", t->out);
		return;
	}
	print_period(t, json_array_get(accounts, 0));
	table_init(&table, sizeof(heads) / sizeof(heads[0]), heads);
	json_array_foreach(accounts, i, account) {
		add_account(&table, account);
		has_causes |= json_array_size(json_object_get(account, "causes")) > 0;
	}
	table_print(&table, t);
	table_finish(&table);
	if (has_causes) {
		fputs("\nOff air because of:\n", t->out);
	}
	json_array_foreach(accounts, i, account) {
		print_causes(t, account, columns);
	}
	print_rest(t, accounts, "rest_s", columns, "not counted: not wanted on air");
	print_rest(t, accounts, "unknown_s", columns,
		   "not known: the history could not be written");
	if (number_of(end, "lost") > 0) {
		fprintf(t->out, "\n%.0f records of this time could not be written and are lost\n",
			number_of(end, "lost"));
	}
}

static void put_csv_text(FILE *out, const char *text)
{
	fputc('"', out);
	/* a spreadsheet takes these at the beginning for a formula */
	if (strchr("=+-@\t\r", text[0]) != NULL && text[0] != '\0') {
		fputc('\'', out);
	}
	for (; *text != '\0'; text++) {
		if (*text == '"') {
			fputc('"', out);
		}
		fputc(*text, out);
	}
	fputc('"', out);
}

static void put_csv_causes(FILE *out, const json_t *account)
{
	char all[2048] = "";
	const json_t *cause;
	size_t i;

	json_array_foreach(json_object_get(account, "causes"), i, cause) {
		size_t used = strlen(all);

		text_format(all + used, sizeof(all) - used, "%s%s: %.3f s", i > 0 ? "; " : "",
			    text_of(cause, "cause"), number_of(cause, "s"));
	}
	put_csv_text(out, all);
}

void ledger_print_csv(FILE *out, const json_t *accounts)
{
	static const char *const numbers[] = { "on_s",         "off_s",   "rest_s",
					       "unknown_s",    "percent", "interruptions",
					       "longest_off_s" };
	static const char *const texts[] = { "show", "destination", "from", "to" };
	const json_t *account;
	size_t i;

	fputs("show,destination,from,to,on_s,off_s,rest_s,unknown_s,percent,interruptions,"
	      "longest_off_s,now,causes\n",
	      out);
	json_array_foreach(accounts, i, account) {
		for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {
			const char *text = json_string_value(json_object_get(account, texts[k]));

			put_csv_text(out, text != NULL ? text : "");
			fputc(',', out);
		}
		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++) {
			fprintf(out, "%.3f,", number_of(account, numbers[k]));
		}
		put_csv_text(out, text_of(account, "now"));
		fputc(',', out);
		put_csv_causes(out, account);
		fputc('\n', out);
	}
}

/* ---- the command ---- */

static int collect(struct archive *a, json_t *accounts, json_t **ret_end)
{
	for (;;) {
		json_t *line, *account;
		int code = archive_next(a, &line);

		if (code != EXIT_DONE) {
			return code;
		}
		account = json_object_get(line, "account");
		if (account != NULL) {
			json_array_append(accounts, account);
		}
		if (json_is_true(json_object_get(line, "end"))) {
			*ret_end = line;
			return EXIT_DONE;
		}
		json_decref(line);
	}
}

static void print_accounts(const json_t *accounts)
{
	const json_t *account;
	size_t i;

	json_array_foreach(accounts, i, account) {
		json_dumpf(account, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
		fputc('\n', stdout);
	}
}

int command_ledger(const struct command_line *line)
{
	json_t *accounts = json_array(), *end = NULL;
	int64_t since_s = INT64_MIN;
	struct terminal terminal;
	struct archive archive;
	int code = archive_since(line, &since_s) ? EXIT_DONE : EXIT_USAGE;

	if (code == EXIT_DONE) {
		code = archive_open(&archive, line, "ledger", line->arguments[0], since_s, 0);
		code = code == EXIT_DONE ? collect(&archive, accounts, &end) : code;
		archive_close(&archive);
	}
	if (code == EXIT_DONE && (line->given & OPTION_JSON)) {
		print_accounts(accounts);
	} else if (code == EXIT_DONE && (line->given & OPTION_CSV)) {
		ledger_print_csv(stdout, accounts);
	} else if (code == EXIT_DONE) {
		terminal_init(&terminal, stdout);
		ledger_print(&terminal, accounts, end);
	}
	json_decref(accounts);
	json_decref(end);
	return code;
}
