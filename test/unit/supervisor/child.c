/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long a worker that is told to stop may take. The workers here are forks of the test. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cmocka.h>

#include <understudy/log.h>
#include <understudy/text.h>

#include "../../../src/supervisor/supervisor.h"

#define TELL_MS 50

static struct config config;
static struct supervisor sup;
static struct event *reaper;
static char cause[IPC_TEXT]; /* of the worker's end */
static char cut_short[LOG_LINE_MAX];
static char path[64];

static void note_line(enum log_level level, const char *line)
{
	if (strstr(line, "recording cut short") != NULL) {
		text_copy(cut_short, sizeof(cut_short), line);
	}
}

static void reap(evutil_socket_t fd, short what, void *context)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		child_reap_all(&sup);
	}
}

static void note_message(struct child *child, struct ipc_message *m)
{
	fail_msg("%s is told by nobody here", ipc_type_str(m->type));
}

static void note_end(struct child *child, const char *why)
{
	text_copy(cause, sizeof(cause), why);
}

static int set_up(void **state)
{
	sigset_t signals;
	int file;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	sup = (struct supervisor){ .base = event_base_new(),
				   .config = &config,
				   .null_fd = open("/dev/null", O_RDWR | O_CLOEXEC),
				   .signal_fd = signalfd(-1, &signals,
							 SFD_CLOEXEC | SFD_NONBLOCK) };
	TAILQ_INIT(&sup.errands);
	TAILQ_INIT(&sup.children);
	reaper = event_new(sup.base, sup.signal_fd, EV_READ | EV_PERSIST, reap, NULL);
	event_add(reaper, NULL);
	text_copy(path, sizeof(path), "/tmp/understudy-child-XXXXXX");
	file = mkstemp(path);
	assert_true(file >= 0);
	close(file);
	cause[0] = cut_short[0] = '\0';
	log_set_sink(note_line);
	return 0;
}

static int tear_down(void **state)
{
	log_set_sink(NULL);
	errand_finish(&sup);
	event_free(reaper);
	event_base_free(sup.base);
	close(sup.signal_fd);
	close(sup.null_fd);
	unlink(path);
	return 0;
}

/* Takes its time over an order to stop: so many times it tells that it lives, and ends. */
static struct child *start(unsigned tells)
{
	static const struct child_ops ops = { note_message, note_end };
	struct ipc_message m;
	int control[2], output[2];
	pid_t pid;

	assert_int_equal(ipc_pair(control), 0);
	assert_int_equal(pipe2(output, O_CLOEXEC | O_NONBLOCK), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(control[0]);
		poll(&(struct pollfd){ .fd = control[1], .events = POLLIN }, 1, -1);
		while (ipc_recv(control[1], &m) != 1) {
		}
		for (unsigned i = 0; i < tells; i++) {
			(void)ipc_send(control[1], IPC_ALIVE, &(struct ipc_alive){ 0 }, NULL, 0);
			poll(NULL, 0, TELL_MS);
		}
		if (tells == 0) {
			pause();
		}
		_exit(EXIT_SUCCESS);
	}
	close(control[1]);
	close(output[1]);
	return child_adopt(&sup, ROLE_RELAY_FLV, &ops, &sup, "relay main/record", pid, control[0],
			   output[0], 0);
}

static void run_to_its_end(void)
{
	while (!TAILQ_EMPTY(&sup.children) || !TAILQ_EMPTY(&sup.errands)) {
		event_base_loop(sup.base, EVLOOP_ONCE);
	}
}

static void a_worker_that_does_not_stop_is_killed(void **state)
{
	child_stop(start(10000 / TELL_MS), false);
	run_to_its_end();
	assert_non_null(strstr(cause, "killed by signal 9"));
	assert_string_equal(cut_short, "");
}

static void one_that_goes_on_writing_a_file_is_let_finish(void **state)
{
	struct child *child = start(2500 / TELL_MS);

	child_set_file(child, path);
	child_stop(child, false);
	run_to_its_end();
	assert_string_equal(cause, "ended with exit code 0");
	assert_string_equal(cut_short, "");
	assert_int_equal(access(path, F_OK), -1); /* nothing was written into it */
}

static void one_that_hangs_over_its_file_is_killed_and_the_file_named(void **state)
{
	struct child *child = start(0);

	child_set_file(child, path);
	child_stop(child, false);
	run_to_its_end();
	assert_non_null(strstr(cause, "killed by signal 9"));
	assert_non_null(strstr(cut_short, path));
}

static void one_that_never_comes_to_the_end_of_its_file_is_killed(void **state)
{
	struct child *child = start(60000 / TELL_MS);

	child_set_file(child, path);
	child_stop(child, false);
	child->stopped_us -= 10000000; /* so long ago */
	run_to_its_end();
	assert_non_null(strstr(cause, "killed by signal 9"));
	assert_non_null(strstr(cut_short, path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_worker_that_does_not_stop_is_killed, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(one_that_goes_on_writing_a_file_is_let_finish,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			one_that_hangs_over_its_file_is_killed_and_the_file_named, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			one_that_never_comes_to_the_end_of_its_file_is_killed, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
