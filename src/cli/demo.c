/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The story of the demo (demo.h): both feeds come, the primary is pulled, and comes back. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/text.h>

#include "client.h"
#include "demo.h"
#include "events.h"
#include "stage.h"
#include "status.h"
#include "terminal.h"

#define SECOND_US 1000000ll
#define ON_AIR_US (30 * SECOND_US)
#define CHANGE_US (40 * SECOND_US)
#define LOOK_US (10 * SECOND_US) /* where nobody presses Enter */

enum { DEMO_INTERRUPTED = -1 }; /* besides exit codes: Ctrl-C */

struct demo {
	struct stage stage;
	struct client events; /* follows */
	struct terminal terminal;
	int signal_fd;
	bool has_person; /* at the keyboard */
};

/* ---- waiting ---- */

static bool take_interrupt(struct demo *d)
{
	struct signalfd_siginfo info;

	return read(d->signal_fd, &info, sizeof(info)) == sizeof(info);
}

/* Prints the events that have arrived. Sets *ret_seen if one of them is of the kind. */
static int take_events(struct demo *d, const char *kind, bool *ret_seen)
{
	do {
		json_t *line;
		int code = client_next(&d->events, &line);

		if (code != EXIT_DONE) {
			return code;
		}
		const json_t *event = json_object_get(line, "event");
		const char *what = json_string_value(json_object_get(event, "kind"));
		if (event != NULL) {
			fputs("  ", stdout);
			event_print(&d->terminal, event);
		}
		*ret_seen |= kind != NULL && what != NULL && strcmp(kind, what) == 0;
		json_decref(line);
	} while (client_has_line(&d->events));
	return EXIT_DONE;
}

static bool take_enter(void)
{
	char text[256];

	return read(STDIN_FILENO, text, sizeof(text)) >= 0;
}

/* Shows events until one of the kind (NULL = none) or Enter (if wanted) or the time is over.
 * *ret_seen says whether it was what was waited for. */
static int wait_for(struct demo *d, const char *kind, bool wants_enter, int64_t time_us,
		    bool *ret_seen)
{
	int64_t deadline_us = clock_monotonic_us() + time_us;

	*ret_seen = false;
	while (!*ret_seen) {
		struct pollfd fds[3] = {
			{ .fd = d->signal_fd, .events = POLLIN },
			{ .fd = d->events.fd, .events = POLLIN },
			{ .fd = wants_enter ? STDIN_FILENO : -1, .events = POLLIN },
		};
		int64_t left_ms = (deadline_us - clock_monotonic_us()) / 1000;

		if (left_ms <= 0) {
			return EXIT_DONE;
		}
		if (poll(fds, 3, (int)(left_ms < 60000 ? left_ms : 60000)) < 0 && errno != EINTR) {
			return EXIT_FAILED;
		}
		if ((fds[0].revents & POLLIN) && take_interrupt(d)) {
			return DEMO_INTERRUPTED;
		}
		if (fds[1].revents != 0) {
			int code = take_events(d, kind, ret_seen);
			if (code != EXIT_DONE) {
				return code;
			}
		}
		if (fds[2].revents != 0) {
			*ret_seen |= take_enter();
		}
	}
	return EXIT_DONE;
}

/* Gives a person the word, or ten seconds to nobody. */
static int let_look(struct demo *d, const char *what)
{
	bool is_seen;

	if (d->has_person) {
		printf("\nPress Enter to %s (Ctrl-C ends the demo).\n", what);
	} else {
		printf("\nIn ten seconds: %s.\n", what);
	}
	fflush(stdout);
	return wait_for(d, NULL, d->has_person, d->has_person ? INT64_MAX / 2 : LOOK_US, &is_seen);
}

static int wait_for_change(struct demo *d, const char *kind)
{
	bool is_seen;
	int code = wait_for(d, kind, false, CHANGE_US, &is_seen);

	if (code == EXIT_DONE && !is_seen) {
		complain("the demo waited in vain for a %s; see %s/relay.log", kind,
			 d->stage.directory);
		return EXIT_FAILED;
	}
	return code;
}

/* ---- status ---- */

static int ask_status(struct demo *d, json_t **ret)
{
	struct client client;
	int code = client_open(&client, d->stage.socket);

	if (code == EXIT_DONE) {
		code = client_ask(&client, json_pack("{s:s}", "command", "status"), ret);
		client_close(&client);
	}
	return code;
}

static bool all_are(const json_t *list, const char *first, const char *others)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		const char *state = json_string_value(json_object_get(item, "state"));

		if (state == NULL || strcmp(state, i == 0 ? first : others) != 0) {
			return false;
		}
	}
	return json_array_size(list) > 0;
}

/* Primary live, backup in waiting, platform and recording served. */
static int is_complete(struct demo *d, bool *ret)
{
	json_t *reply;
	int code = ask_status(d, &reply);

	if (code == EXIT_DONE) {
		const json_t *shows = json_object_get(json_object_get(reply, "status"), "shows");
		const json_t *show = json_array_get(shows, 0);

		*ret = all_are(json_object_get(show, "feeds"), "live", "standby") &&
		       all_are(json_object_get(show, "destinations"), "live", "live");
		json_decref(reply);
	}
	return code;
}

static int wait_until_complete(struct demo *d)
{
	int64_t deadline_us = clock_monotonic_us() + ON_AIR_US;
	bool is_there = false, is_seen;
	int code = EXIT_DONE;

	while (code == EXIT_DONE && !is_there) {
		code = wait_for(d, NULL, false, SECOND_US / 4, &is_seen);
		if (code == EXIT_DONE) {
			code = is_complete(d, &is_there);
		}
		if (code == EXIT_DONE && !is_there && clock_monotonic_us() > deadline_us) {
			complain("the demo did not come on air; see the logs in %s",
				 d->stage.directory);
			return EXIT_FAILED;
		}
	}
	return code;
}

static int print_status(struct demo *d)
{
	json_t *reply;
	int code = ask_status(d, &reply);

	if (code == EXIT_DONE) {
		fputc('\n', stdout);
		status_print(&d->terminal, json_object_get(reply, "status"),
			     clock_wall_us() / 1000);
		json_decref(reply);
	}
	return code;
}

/* ---- the acts ---- */

static int set_up(struct demo *d)
{
	int code = stage_init(&d->stage);

	if (code != EXIT_DONE) {
		return code;
	}
	printf("Setting up in %s: a platform, the relay, two encoders ...\n", d->stage.directory);
	fflush(stdout);
	code = stage_start_platform(&d->stage);
	if (code == EXIT_DONE) {
		code = stage_start_relay(&d->stage);
	}
	if (code == EXIT_DONE) {
		code = client_open(&d->events, d->stage.socket);
	}
	if (code == EXIT_DONE) {
		code = client_ask(&d->events,
				  json_pack("{s:s, s:b}", "command", "events", "follow", true),
				  NULL);
	}
	if (code == EXIT_DONE) {
		code = stage_start_encoder(&d->stage, STAGE_PRIMARY);
	}
	if (code == EXIT_DONE) {
		code = stage_start_encoder(&d->stage, STAGE_BACKUP);
	}
	return code == EXIT_DONE ? wait_until_complete(d) : code;
}

static int pull_primary(struct demo *d)
{
	int code = let_look(d, "pull the primary encoder (kill -9)");

	if (code != EXIT_DONE) {
		return code;
	}
	puts("Pulling the primary. The show runs 3 s behind, so the change is on air 3 s later:");
	fflush(stdout);
	stage_kill(&d->stage, STAGE_PRIMARY);
	return wait_for_change(d, "failover");
}

static int return_primary(struct demo *d)
{
	int code = let_look(d, "start the primary encoder again");

	if (code != EXIT_DONE) {
		return code;
	}
	puts("Starting the primary. It must be healthy for 5 s before the show returns to it:");
	fflush(stdout);
	code = stage_start_encoder(&d->stage, STAGE_PRIMARY);
	return code == EXIT_DONE ? wait_for_change(d, "failback") : code;
}

static int play(struct demo *d)
{
	int code = set_up(d);

	if (code != EXIT_DONE) {
		return code;
	}
	printf("\nOn air. Watch what the platform's audience sees, in another terminal:\n\n"
	       "    ffplay -fflags nobuffer rtmp://127.0.0.1:%u/live/audience\n\n"
	       "and the relay at work:\n\n"
	       "    understudy status --watch --socket %s\n",
	       (unsigned)d->stage.platform_port, d->stage.socket);
	code = print_status(d);
	if (code == EXIT_DONE) {
		code = pull_primary(d);
	}
	if (code == EXIT_DONE) {
		code = return_primary(d);
	}
	if (code == EXIT_DONE) {
		code = print_status(d);
	}
	if (code == EXIT_DONE) {
		code = let_look(d, "end the demo");
	}
	return code;
}

int demo_run(void)
{
	struct demo d = { .events = { .fd = -1 }, .has_person = isatty(STDIN_FILENO) };
	sigset_t signals, before;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, &before);
	d.signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (d.signal_fd < 0) {
		complain("cannot take signals: %s", strerror(errno));
		return EXIT_FAILED;
	}
	terminal_init(&d.terminal, stdout);
	int code = play(&d);
	client_close(&d.events);
	stage_finish(&d.stage);
	close(d.signal_fd);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (d.stage.directory[0] != '\0') {
		printf("\nEverything has ended. The recordings and logs are in %s.\n",
		       d.stage.directory);
	}
	return code == DEMO_INTERRUPTED ? EXIT_DONE : code;
}
