/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tests that play the supervisor: start a worker as the supervisor does and speak with it over
 * its control socket. Waiting is for messages, with a limit, never for time.
 */
#ifndef TEST_STAGE_H
#define TEST_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/ipc.h>
#include <understudy/worker.h>

#define STAGE_WAIT_MS 30000

struct stage_worker {
	pid_t pid;
	int control;
};

static inline struct stage_worker stage_start(enum worker_role role)
{
	struct stage_worker w;
	char path[512];
	char *const environment[] = { NULL };
	int pair[2];

	snprintf(path, sizeof(path), "%s/understudy-%s", STAGE_PROGRAMS, worker_role_str(role));
	assert_int_equal(ipc_pair(pair), 0);
	w.pid = fork();
	assert_true(w.pid >= 0);
	if (w.pid == 0) {
		/* dup2() onto itself would keep close-on-exec */
		int control = fcntl(pair[1], F_DUPFD, WORKER_CONTROL_FD + 1);

		dup2(control, WORKER_CONTROL_FD);
		close_range(WORKER_CONTROL_FD + 1, ~0u, 0);
		execle(path, path, (char *)NULL, environment);
		_exit(127);
	}
	close(pair[1]);
	w.control = pair[0];
	return w;
}

/* The next message of this type; statuses and events that come before it are passed over. */
static inline void stage_expect(const struct stage_worker *w, enum ipc_type type,
				struct ipc_message *ret)
{
	struct pollfd p = { .fd = w->control, .events = POLLIN };

	for (;;) {
		assert_int_equal(poll(&p, 1, STAGE_WAIT_MS), 1);
		int got = ipc_recv(w->control, ret);
		if (got != 1) {
			fail_msg("control socket: %d instead of %s", got, ipc_type_str(type));
		}
		if (ret->type == type) {
			return;
		}
		if (ret->type != IPC_SWITCH_STATUS && ret->type != IPC_SWITCH_EVENT &&
		    ret->type != IPC_INGEST_STATUS && ret->type != IPC_ALIVE) {
			fail_msg("%s instead of %s: %s", ipc_type_str(ret->type),
				 ipc_type_str(type),
				 ret->type == IPC_INGEST_CLOSED
					 ? ((const struct ipc_ingest_closed *)(const void *)
						    ret->body)
						   ->cause
					 : "");
		}
		ipc_message_finish(ret);
	}
}

static inline void stage_send(const struct stage_worker *w, enum ipc_type type, const void *body,
			      const int *fds, unsigned count)
{
	assert_int_equal(ipc_send(w->control, type, body, fds, count), 0);
}

static inline void stage_stop(const struct stage_worker *w)
{
	stage_send(w, IPC_STOP, &(struct ipc_stop){ 0 }, NULL, 0);
}

/* Waits for the end of the worker, which must have been by itself and without complaint. */
static inline void stage_finish(struct stage_worker *w)
{
	int64_t until_us = clock_monotonic_us() + STAGE_WAIT_MS * INT64_C(1000);
	struct pollfd p = { .fd = w->control, .events = POLLIN };
	struct ipc_message m;
	int status = 0;

	for (int got = 1; got > 0 || got == -EAGAIN;) {
		assert_true(clock_monotonic_us() < until_us);
		poll(&p, 1, STAGE_WAIT_MS);
		got = ipc_recv(w->control, &m);
		if (got > 0) {
			ipc_message_finish(&m);
		}
	}
	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	close(w->control);
}

static inline void stage_kill(struct stage_worker *w)
{
	int status;

	assert_int_equal(kill(w->pid, SIGKILL), 0);
	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	close(w->control);
}

#endif
