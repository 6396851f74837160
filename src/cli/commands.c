/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of commands, and how a command line is taken apart along it (commands.h). */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/supervisor.h>

#include "client.h"
#include "commands.h"
#include "demo.h"

static int command_run(const struct command_line *line);
static int command_version(const struct command_line *line);
static int command_help(const struct command_line *line);

const struct command commands[] = {
	{ "run", "", "the relay, in the foreground; without -c a default show with generated keys",
	  OPTION_CONFIG | OPTION_DEMO, 0, 0, command_run },
	{ "check", "", "says what is wrong with a configuration: every error with line and key",
	  OPTION_CONFIG, 0, 0, command_check },
	{ "status", "", "feeds, health, what is live and why, destinations",
	  OPTION_JSON | OPTION_WATCH | OPTION_SOCKET, 0, 0, command_status },
	{ "explain", "SHOW",
	  "in plain words: what the audience will see when a feed is lost, and when it returns",
	  OPTION_CONFIG | OPTION_JSON | OPTION_SOCKET, 1, 1, command_explain },
	{ "start", "SHOW", "goes on air", OPTION_SOCKET, 1, 1, command_start },
	{ "end", "SHOW", "ends the show at its destinations", OPTION_SOCKET, 1, 1, command_end },
	{ "take", "SHOW FEED", "switches to a feed and holds it", OPTION_SOCKET, 2, 2,
	  command_take },
	{ "auto", "SHOW", "gives the choice of feed back", OPTION_SOCKET, 1, 1, command_auto },
	{ "pause", "SHOW DESTINATION", "leaves a destination without ending its broadcast",
	  OPTION_SOCKET, 2, 2, command_pause },
	{ "resume", "SHOW DESTINATION", "serves a paused destination again", OPTION_SOCKET, 2, 2,
	  command_resume },
	{ "events", "", "what has happened, or with --follow what happens",
	  OPTION_FOLLOW | OPTION_JSON | OPTION_SINCE | OPTION_SOCKET | OPTION_STATE, 0, 0,
	  command_events },
	{ "ledger", "[SHOW]", "how long shows and destinations were on and off air, and why",
	  OPTION_JSON | OPTION_CSV | OPTION_SINCE | OPTION_SOCKET | OPTION_STATE, 0, 1,
	  command_ledger },
	{ "preflight", "SHOW", "what would go wrong if the event began now",
	  OPTION_JSON | OPTION_SOCKET, 1, 1, command_preflight },
	{ "drill", "SHOW", "a rehearsal: makes a fault, and says whether the show held",
	  OPTION_SCENARIO | OPTION_SECONDS | OPTION_HARD | OPTION_LIVE | OPTION_PRACTICE |
		  OPTION_REPORT | OPTION_JSON | OPTION_SOCKET,
	  1, 1, command_drill },
	{ "report", "SHOW", "what happened, as a page for a browser",
	  OPTION_SINCE | OPTION_REPORT | OPTION_SOCKET | OPTION_STATE, 1, 1, command_report },
	{ "witness", "FILE", "is this recording of a show unbroken?", OPTION_JSON, 1, 1,
	  command_witness },
	{ "version", "", "the version of this program", 0, 0, 0, command_version },
	{ "help", "[COMMAND]", "this overview, or what a command does", 0, 0, 1, command_help },
};
const size_t command_count = sizeof(commands) / sizeof(commands[0]);

const struct option_row option_rows[] = {
	{ OPTION_CONFIG, 'c', "config", "FILE", "the configuration, see understudy(5)" },
	{ OPTION_DEMO, 0, "demo", NULL,
	  "shows a failover with two test encoders and a local platform" },
	{ OPTION_FOLLOW, 0, "follow", NULL, "waits for more until Ctrl-C" },
	{ OPTION_JSON, 0, "json", NULL, "for programs: JSON, one object a line" },
	{ OPTION_WATCH, 0, "watch", NULL, "draws it anew every second until Ctrl-C" },
	{ OPTION_SINCE, 0, "since", "T",
	  "from this time on: 90s, 10m, 2h, 1d ago, 20:15 or "
	  "2026-11-21T20:15:00" },
	{ OPTION_SCENARIO, 0, "scenario", "NAME",
	  "what to rehearse, by default pull-primary; `all` for everything" },
	{ OPTION_SECONDS, 0, "seconds", "N", "how long a fault lasts at least, by default 10" },
	{ OPTION_HARD, 0, "hard", NULL,
	  "pull-primary closes the encoder's connection: many never dial again" },
	{ OPTION_LIVE, 0, "live", NULL, "yes, while the public is watching" },
	{ OPTION_PRACTICE, 0, "practice", NULL,
	  "before the show: destinations are replaced by practice platforms" },
	{ OPTION_REPORT, 0, "report", "FILE",
	  "writes the report there; of a drill a page if it ends in .html, else JSON" },
	{ OPTION_CSV, 0, "csv", NULL, "for spreadsheets: comma-separated, one account a line" },
	{ OPTION_STATE, 0, "state", "DIR", "reads the history in this state directory itself" },
	{ OPTION_SOCKET, 0, "socket", "PATH", "the socket of the running relay" },
};
const size_t option_count = sizeof(option_rows) / sizeof(option_rows[0]);

enum { LONG_HELP = 256, LONG_FIRST };

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < command_count; i++) {
		if (strcmp(commands[i].name, name) == 0) {
			return &commands[i];
		}
	}
	return NULL;
}

/* ---- help ---- */

static void print_usage(FILE *out, const struct command *command)
{
	fprintf(out, "understudy %s", command->name);
	if (command->usage[0] != '\0') {
		fprintf(out, " %s", command->usage);
	}
	for (size_t i = 0; i < option_count; i++) {
		const struct option_row *row = &option_rows[i];

		if (!(command->options & row->option)) {
			continue;
		}
		if (row->letter != 0) {
			fprintf(out, " [-%c %s]", row->letter, row->argument);
		} else if (row->argument != NULL) {
			fprintf(out, " [--%s %s]", row->name, row->argument);
		} else {
			fprintf(out, " [--%s]", row->name);
		}
	}
}

void command_print_help(FILE *out, const struct command *command)
{
	fputs("usage: ", out);
	print_usage(out, command);
	fprintf(out, "\n\n%s\n", command->help);
	for (size_t i = 0; i < option_count; i++) {
		const struct option_row *row = &option_rows[i];
		char option[48];

		if (!(command->options & row->option)) {
			continue;
		}
		snprintf(option, sizeof(option), "%c%c%s--%s%s%s", row->letter ? '-' : ' ',
			 row->letter ? row->letter : ' ', row->letter ? ", " : "  ", row->name,
			 row->argument != NULL ? " " : "",
			 row->argument != NULL ? row->argument : "");
		fprintf(out, "  %-20s %s\n", option, row->help);
	}
}

void commands_print_help(FILE *out)
{
	fputs("usage: understudy COMMAND ...\n\n", out);
	for (size_t i = 0; i < command_count; i++) {
		char left[32];

		snprintf(left, sizeof(left), "%s%s%s", commands[i].name,
			 commands[i].usage[0] ? " " : "", commands[i].usage);
		fprintf(out, "  %-24s %s\n", left, commands[i].help);
	}
	fputs("\n`understudy help COMMAND` says more; see also understudy(1) and understudy(5).\n",
	      out);
}

/* ---- taking it apart ---- */

static void build_options(const struct command *command, struct option *options)
{
	size_t count = 0;

	for (size_t i = 0; i < option_count; i++) {
		if (command->options & option_rows[i].option) {
			options[count++] = (struct option){
				.name = option_rows[i].name,
				.has_arg = option_rows[i].argument != NULL ? required_argument
									   : no_argument,
				.val = LONG_FIRST + (int)i,
			};
		}
	}
	options[count++] = (struct option){ .name = "help", .val = LONG_HELP };
	options[count] = (struct option){ .name = NULL };
}

static void take_option(struct command_line *line, const struct option_row *row)
{
	const struct {
		enum command_option option;
		const char **value;
	} values[] = {
		{ OPTION_CONFIG, &line->config },   { OPTION_SINCE, &line->since },
		{ OPTION_SOCKET, &line->socket },   { OPTION_SCENARIO, &line->scenario },
		{ OPTION_SECONDS, &line->seconds }, { OPTION_REPORT, &line->report },
		{ OPTION_STATE, &line->state },
	};

	line->given |= row->option;
	for (size_t n = 0; n < sizeof(values) / sizeof(values[0]); n++) {
		if (values[n].option == row->option) {
			*values[n].value = optarg;
		}
	}
}

static int complain_usage(const struct command *command, const char *what)
{
	complain("%s %s; see `understudy help %s`", command->name, what, command->name);
	return EXIT_USAGE;
}

/* The option is not among the command's, or is given a value and takes none. */
static int complain_option(const struct command *command, char **argv)
{
	const char *given = argv[optind - 1];

	complain("%s does not take %.*s; see `understudy help %s`", command->name,
		 (int)strcspn(given, "="), given, command->name);
	return EXIT_USAGE;
}

static int take_arguments(const struct command *command, int count, char **arguments,
			  struct command_line *line)
{
	if (count < (int)command->arguments_min) {
		complain("%s needs %s; see `understudy help %s`", command->name, command->usage,
			 command->name);
		return EXIT_USAGE;
	}
	if (count > (int)command->arguments_max) {
		return complain_usage(command, command->arguments_max == 0
						       ? "takes no argument"
						       : "has too many arguments");
	}
	for (int i = 0; i < count; i++) {
		line->arguments[i] = arguments[i];
	}
	return EXIT_DONE;
}

static int run_command(const struct command *command, int argc, char **argv,
		       struct command_line *line)
{
	struct option options[16];
	const char *letters = command->options & OPTION_CONFIG ? ":c:h" : ":h";
	int found;

	build_options(command, options);
	optind = 1;
	while ((found = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		if (found == LONG_HELP || found == 'h') {
			command_print_help(stdout, command);
			return EXIT_DONE;
		}
		if (found == ':') {
			return complain_usage(command, "has an option without its value");
		}
		if (found == '?') {
			return complain_option(command, argv);
		}
		take_option(line,
			    found == 'c' ? &option_rows[0] : &option_rows[found - LONG_FIRST]);
	}
	int code = take_arguments(command, argc - optind, argv + optind, line);
	return code == EXIT_DONE ? command->run(line) : code;
}

int commands_main(int argc, char **argv)
{
	struct command_line line = { .argv = argv };

	opterr = 0;
	if (argc < 2) {
		commands_print_help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		return command_help(&line);
	}
	if (strcmp(argv[1], "--version") == 0) {
		return command_version(&line);
	}
	const struct command *command = find_command(argv[1]);
	if (command == NULL) {
		complain("there is no command %s; `understudy help` lists them", argv[1]);
		return EXIT_USAGE;
	}
	/* getopt moves arguments about; the supervisor needs argv as it was */
	char **copy = calloc((size_t)argc, sizeof(*copy));
	if (copy == NULL) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	memcpy(copy, argv + 1, (size_t)argc * sizeof(*copy));
	int code = run_command(command, argc - 1, copy, &line);
	free(copy);
	return code;
}

/* ---- commands that are one call ---- */

static int command_run(const struct command_line *line)
{
	if (line->given & OPTION_DEMO) {
		if (line->config != NULL) {
			complain("run --demo brings its own configuration; leave -c out");
			return EXIT_USAGE;
		}
		return demo_run();
	}
	struct supervisor_options options = { .config_path = line->config, .argv = line->argv };
	return supervisor_run(&options);
}

static int command_version(const struct command_line *line)
{
	puts("understudy " UNDERSTUDY_VERSION);
	return EXIT_DONE;
}

static int command_help(const struct command_line *line)
{
	if (line->arguments[0] == NULL) {
		commands_print_help(stdout);
		return EXIT_DONE;
	}
	const struct command *command = find_command(line->arguments[0]);
	if (command == NULL) {
		complain("there is no command %s; `understudy help` lists them",
			 line->arguments[0]);
		return EXIT_USAGE;
	}
	command_print_help(stdout, command);
	return EXIT_DONE;
}
