/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of commands against the command line, the manual page and the shell completion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>

#include <understudy/supervisor.h>

#include "client.h"
#include "commands.h"

/* Takes the place of the relay. */
static struct supervisor_options started;
static int start_count;

int supervisor_run(const struct supervisor_options *options)
{
	started = *options;
	start_count++;
	return 7;
}

static char *read_text(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 1 << 18);

	assert_non_null(file);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 18) - 1, file) > 0);
	fclose(file);
	return text;
}

static void assert_contains(const char *text, const char *part, const char *where)
{
	if (strstr(text, part) == NULL) {
		fail_msg("not in %s: %s", where, part);
	}
}

/* "*take* _SHOW_ _FEED_ [*--socket* _PATH_]" */
static void describe(const struct command *command, char *to, size_t size)
{
	char usage[64];
	int used = snprintf(to, size, "\n*%s*", command->name);

	snprintf(usage, sizeof(usage), "%s", command->usage);
	for (char *word = strtok(usage, " "); word != NULL; word = strtok(NULL, " ")) {
		size_t inner = strspn(word, "[");

		used += snprintf(to + used, size - (size_t)used, " %.*s_%.*s_%s", (int)inner, word,
				 (int)strcspn(word + inner, "]"), word + inner, inner ? "]" : "");
	}
	for (size_t i = 0; i < option_count; i++) {
		const struct option_row *row = &option_rows[i];
		char name[32];

		if (!(command->options & row->option)) {
			continue;
		}
		if (row->letter != 0) {
			snprintf(name, sizeof(name), "-%c", row->letter);
		} else {
			snprintf(name, sizeof(name), "--%s", row->name);
		}
		used += snprintf(to + used, size - (size_t)used, " [*%s*%s%s%s]", name,
				 row->argument ? " _" : "", row->argument ? row->argument : "",
				 row->argument ? "_" : "");
	}
	snprintf(to + used, size - (size_t)used, "\n\t");
}

static void the_manual_describes_every_command_and_option(void **state)
{
	char *manual = read_text(SOURCE_ROOT "/docs/man/understudy.1.scd");
	char line[256];

	for (size_t i = 0; i < command_count; i++) {
		describe(&commands[i], line, sizeof(line));
		assert_contains(manual, line, "understudy(1)");
	}
	for (size_t i = 0; i < option_count; i++) {
		const struct option_row *row = &option_rows[i];

		snprintf(line, sizeof(line), "*--%s*%s%s%s\n\t", row->name,
			 row->argument ? " _" : "", row->argument ? row->argument : "",
			 row->argument ? "_" : "");
		assert_contains(manual, line, "understudy(1)");
	}
	free(manual);
}

static void the_completion_knows_every_command_and_option(void **state)
{
	char *script = read_text(SOURCE_ROOT "/docs/completion/understudy.bash");
	char words[256] = " commands=\"", option[32];

	for (size_t i = 0; i < command_count; i++) {
		strcat(words, i > 0 ? " " : "");
		strcat(words, commands[i].name);
	}
	strcat(words, "\" ");
	assert_contains(script, words, "the completion");
	for (size_t i = 0; i < option_count; i++) {
		snprintf(option, sizeof(option), "--%s", option_rows[i].name);
		assert_contains(script, option, "the completion");
	}
	free(script);
}

/* Asks bash itself: what does it offer for `understudy WORDS...`? */
static void complete(const char *words, int count, char *to, size_t size)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "bash --norc -c '. %s/docs/completion/understudy.bash; COMP_WORDS=(understudy %s "
		 "\"\"); "
		 "COMP_CWORD=%d; _understudy; echo \" ${COMPREPLY[*]} \"'",
		 SOURCE_ROOT, words, count);
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_non_null(fgets(to, (int)size, pipe));
	pclose(pipe);
}

static void bash_offers_what_the_table_has(void **state)
{
	char offered[512], word[40];

	complete("", 1, offered, sizeof(offered));
	for (size_t i = 0; i < command_count; i++) {
		snprintf(word, sizeof(word), " %s ", commands[i].name);
		assert_contains(offered, word, "what bash offers");
	}
	for (size_t i = 0; i < command_count; i++) {
		if (commands[i].arguments_max > 0) {
			continue;
		}
		complete(commands[i].name, 2, offered, sizeof(offered));
		for (size_t j = 0; j < option_count; j++) {
			snprintf(word, sizeof(word), " --%s ", option_rows[j].name);
			assert_int_equal(strstr(offered, word) != NULL,
					 (commands[i].options & option_rows[j].option) != 0);
		}
	}
}

static void help_names_every_command(void **state)
{
	char *text = NULL, line[64];
	size_t size;
	FILE *out = open_memstream(&text, &size);

	commands_print_help(out);
	fclose(out);
	for (size_t i = 0; i < command_count; i++) {
		snprintf(line, sizeof(line), "\n  %s", commands[i].name);
		assert_contains(text, line, "help");
		assert_contains(text, commands[i].help, "help");
	}
	free(text);
}

static int run(const char *words)
{
	static char text[256];
	static char program[] = "understudy";
	char *argv[16] = { program };
	int argc = 1;

	snprintf(text, sizeof(text), "%s", words);
	for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " ")) {
		argv[argc++] = word;
	}
	/* what it prints is not for the reader of the results */
	fflush(stdout);
	int before = dup(STDOUT_FILENO), nowhere = open("/dev/null", O_WRONLY);
	assert_true(dup2(nowhere, STDOUT_FILENO) >= 0);
	int code = commands_main(argc, argv);
	fflush(stdout);
	assert_true(dup2(before, STDOUT_FILENO) >= 0);
	close(before);
	close(nowhere);
	return code;
}

static void run_hands_over_to_the_relay(void **state)
{
	start_count = 0;
	assert_int_equal(run("run"), 7);
	assert_null(started.config_path);
	assert_int_equal(run("run -c a.yaml"), 7);
	assert_string_equal(started.config_path, "a.yaml");
	assert_int_equal(run("run --config=b.yaml"), 7);
	assert_string_equal(started.config_path, "b.yaml");
	assert_string_equal(started.argv[0], "understudy");
	assert_string_equal(started.argv[1], "run");
	assert_string_equal(started.argv[2], "--config=b.yaml");
	assert_int_equal(start_count, 3);
}

static void wrong_usage_ends_with_2(void **state)
{
	static const char *const lines[] = {
		"",
		"fly",
		"take",
		"take main",
		"take main backup more",
		"start",
		"status more",
		"run -x",
		"run -c",
		"status --watched",
		"run --demo -c x",
		"events --since never",
		"help fly",
		"check --json",
		"explain",
		"explain main -c /nowhere/understudy.yaml",
		"take main backup --config x",
	};

	start_count = 0;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (run(lines[i]) != EXIT_USAGE) {
			fail_msg("understudy %s", lines[i]);
		}
	}
	assert_int_equal(start_count, 0);
}

static void help_and_version_end_with_0(void **state)
{
	static const char *const lines[] = { "help",      "--help",    "-h",          "version",
					     "--version", "help take", "take --help", "run -h" };

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(run(lines[i]), EXIT_DONE);
	}
}

static void without_a_relay_it_ends_with_3(void **state)
{
	static const char *const lines[] = { "status", "start a", "end a",    "take a b",
					     "auto a", "events",  "explain a" };

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char line[128];

		snprintf(line, sizeof(line), "%s --socket /nowhere/understudy.sock", lines[i]);
		assert_int_equal(run(line), EXIT_NO_RELAY);
	}
}

static void check_tells_good_from_bad(void **state)
{
	assert_int_equal(run("check"), EXIT_DONE);
	assert_int_equal(run("check -c /nowhere/understudy.yaml"), EXIT_USAGE);
	assert_int_equal(run("check -c " SOURCE_ROOT "/meson.build"), EXIT_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_manual_describes_every_command_and_option),
		cmocka_unit_test(the_completion_knows_every_command_and_option),
		cmocka_unit_test(bash_offers_what_the_table_has),
		cmocka_unit_test(help_names_every_command),
		cmocka_unit_test(run_hands_over_to_the_relay),
		cmocka_unit_test(wrong_usage_ends_with_2),
		cmocka_unit_test(help_and_version_end_with_0),
		cmocka_unit_test(without_a_relay_it_ends_with_3),
		cmocka_unit_test(check_tells_good_from_bad),
	};

	return cmocka_run_group_tests_name("cli commands", tests, NULL, NULL);
}
