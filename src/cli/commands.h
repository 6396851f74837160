/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The one table of commands, and the one of their options. They feed the command line, the help
 * texts, and the tests that hold the manual page and the shell completion to them.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum command_option {
	OPTION_CONFIG = 1,
	OPTION_DEMO = 2,
	OPTION_JSON = 4,
	OPTION_WATCH = 8,
	OPTION_FOLLOW = 16,
	OPTION_SINCE = 32,
	OPTION_SOCKET = 64,
	OPTION_SCENARIO = 128,
	OPTION_SECONDS = 256,
	OPTION_REPORT = 512,
	OPTION_LIVE = 1024,
	OPTION_HARD = 2048,
	OPTION_CSV = 4096,
	OPTION_STATE = 8192,
	OPTION_PRACTICE = 16384,
};

/* A command line taken apart; texts belong to argv. */
struct command_line {
	char **argv;                         /* of main() */
	unsigned given;                      /* of enum command_option */
	const char *config, *since, *socket; /* NULL = not given */
	const char *scenario, *seconds, *report, *state;
	const char *arguments[2];
};

struct command {
	const char *name, *usage; /* "take", "SHOW FEED" */
	const char *help;
	unsigned options; /* of enum command_option */
	unsigned arguments_min, arguments_max;
	int (*run)(const struct command_line *line); /* returns the exit code */
};
extern const struct command commands[];
extern const size_t command_count;

struct option_row {
	enum command_option option;
	char letter;                 /* 0 = none */
	const char *name, *argument; /* NULL = takes none */
	const char *help;
};
extern const struct option_row option_rows[];
extern const size_t option_count;

/* Everything main() does. */
int commands_main(int argc, char **argv);
void commands_print_help(FILE *out);
void command_print_help(FILE *out, const struct command *command);

/* order.c */
int command_start(const struct command_line *line);
int command_end(const struct command_line *line);
int command_take(const struct command_line *line);
int command_auto(const struct command_line *line);
int command_pause(const struct command_line *line);
int command_resume(const struct command_line *line);
/* watch.c */
int command_status(const struct command_line *line);
/* events.c */
int command_events(const struct command_line *line);
/* ledger.c */
int command_ledger(const struct command_line *line);
/* witness.c */
int command_witness(const struct command_line *line);
/* explain.c */
int command_explain(const struct command_line *line);
/* report.c */
int command_report(const struct command_line *line);
/* preflight.c */
int command_preflight(const struct command_line *line);
/* drill.c */
int command_drill(const struct command_line *line);
/* check.c */
int command_check(const struct command_line *line);

#endif
