/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Errands: work on files that others name, each done by a short-lived process of its own, as a
 * network file system whose server is gone keeps whoever touches it, for ever if need be, and
 * nobody else may wait for that. Runs in the supervisor, which waits for nothing.
 *
 *   QUEUED --none other in that directory--> RUNNING --says how it went--> OVER --reaped--> freed
 *     |                                         |                           ^
 *     '---ERRAND_MAX_S are over: freed          '---likewise, and killed----'
 *
 * One at a time in each directory: what is done there is done in the order in which it was ordered,
 * and a file system that hangs holds one process, not a crowd. The process keeps no descriptor but
 * the socket it answers by, so that nothing that belongs to the relay lives on in it.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <understudy/log.h>
#include <understudy/text.h>

#include "supervisor.h"

#define ERRAND_MAX_S 10
#define WAITING_MAX 64 /* in one directory */

enum errand_state { ERRAND_QUEUED, ERRAND_RUNNING, ERRAND_OVER };

struct errand {
	TAILQ_ENTRY(errand) entry;
	struct supervisor *supervisor;
	enum errand_state state;
	enum errand_work work;
	uint32_t number;
	errand_done *done; /* NULL: nobody waits for it */
	void *owner;
	pid_t pid;
	int fd; /* where it answers, -1 = not yet, or not any more */
	struct event *answer, *deadline;
	char path[PATH_MAX];
};

const char *errand_error_str(int error)
{
	return error == -ETIMEDOUT ? "the file system does not answer" : strerror(-error);
}

/* ---- the process ---- */

/* Standard output and errors may be pipes whose readers wait for the relay's end. */
static void leave_everything(const struct supervisor *sup, int fd)
{
	for (int i = 0; i < ERRAND_ANSWER_FD; i++) {
		dup2(sup->null_fd, i);
	}
	if (fd != ERRAND_ANSWER_FD) {
		dup2(fd, ERRAND_ANSWER_FD);
	}
	close_range(ERRAND_ANSWER_FD + 1, ~0U, 0);
}

/* Our signals are none of the child's: it would tell us of them as if they were ours. */
pid_t errand_fork(const struct supervisor *sup, int answer)
{
	sigset_t all, before;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NAME, "errand");
		leave_everything(sup, answer);
		return 0;
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

static void run(const struct errand *e)
{
	struct ipc_errand_done done = { .work = e->work, .number = e->number };
	int file = -1;

	done.error = filing_do(e->work, e->path, e->number, &file, &done);
	if (ipc_send(ERRAND_ANSWER_FD, IPC_ERRAND_DONE, &done, &file, file >= 0 ? 1 : 0) < 0 &&
	    done.path[0] != '\0') {
		unlink(done.path); /* the relay has ended */
	}
	_exit(0);
}

/* ---- its end ---- */

static void stop_listening(struct errand *e)
{
	if (e->answer != NULL) {
		event_free(e->answer);
		e->answer = NULL;
	}
	if (e->fd >= 0) {
		close(e->fd);
		e->fd = -1;
	}
}

static void errand_free(struct errand *e)
{
	stop_listening(e);
	event_free(e->deadline);
	TAILQ_REMOVE(&e->supervisor->errands, e, entry);
	free(e);
}

/* Who waits for it is told, once. */
static void tell(struct errand *e, const struct ipc_errand_done *done, struct ipc_message *m)
{
	errand_done *to = e->done;

	e->done = NULL;
	if (to != NULL) {
		to(e->owner, done, m);
		return;
	}
	if (done->error < 0) {
		log_warn("a file was not dealt with path=%s: %s", e->path,
			 errand_error_str(done->error));
	}
	if (done->path[0] != '\0') {
		errand_begin(e->supervisor, ERRAND_REMOVE, done->path, 0, NULL, NULL);
	}
}

static void tell_error(struct errand *e, int error)
{
	struct ipc_errand_done done = { .error = error, .work = e->work, .number = e->number };
	struct ipc_message m = { .fd_count = 0 };

	tell(e, &done, &m);
}

static void give_up(struct errand *e)
{
	bool is_queued = e->state == ERRAND_QUEUED;

	if (!is_queued) {
		kill(e->pid, SIGKILL); /* where that is of use */
		stop_listening(e);
		e->state = ERRAND_OVER;
	}
	tell_error(e, -ETIMEDOUT);
	if (is_queued) {
		errand_free(e);
	}
}

static void deadline_passed(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	give_up(context);
}

static void hear(struct errand *e)
{
	struct ipc_message m;
	int result = ipc_recv(e->fd, &m);

	if (result == -EAGAIN) {
		return;
	}
	stop_listening(e);
	event_del(e->deadline);
	e->state = ERRAND_OVER;
	if (result == 1 && m.type == IPC_ERRAND_DONE) {
		tell(e, (const struct ipc_errand_done *)m.body, &m);
	} else {
		tell_error(e, -EIO); /* it was killed */
	}
	if (result == 1) {
		ipc_message_finish(&m);
	}
}

static void answered(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	hear(context);
}

/* ---- its beginning ---- */

static bool is_same_directory(const char *a, const char *b)
{
	const char *x = strrchr(a, '/'), *y = strrchr(b, '/');
	size_t size = x != NULL ? (size_t)(x - a) : 0;

	return (x != NULL) == (y != NULL) && size == (y != NULL ? (size_t)(y - b) : 0) &&
	       strncmp(a, b, size) == 0;
}

static void errand_start(struct errand *e)
{
	int ends[2], error = ipc_pair(ends);

	if (error == 0) {
		e->fd = ends[0];
		e->pid = errand_fork(e->supervisor, ends[1]);
		error = e->pid < 0 ? -errno : 0;
		if (e->pid == 0) {
			run(e);
		}
		close(ends[1]);
	}
	if (error < 0) { /* tried again with the next one, until it has waited for too long */
		log_error("cannot start a process for a file path=%s: %s", e->path,
			  strerror(-error));
		stop_listening(e);
		return;
	}
	e->state = ERRAND_RUNNING;
	e->answer = event_new(e->supervisor->base, e->fd, EV_READ | EV_PERSIST, answered, e);
	if (e->answer == NULL) {
		abort(); /* libevent is out of memory for a few bytes: nothing can be saved */
	}
	event_add(e->answer, NULL);
}

/* The first that waits in a directory where nobody is at work. */
static void start_next(struct supervisor *sup)
{
	struct errand *e, *before;

	TAILQ_FOREACH(e, &sup->errands, entry) {
		TAILQ_FOREACH(before, &sup->errands, entry) {
			if (before == e || is_same_directory(before->path, e->path)) {
				break;
			}
		}
		if (before == e && e->state == ERRAND_QUEUED) {
			errand_start(e);
		}
	}
}

static unsigned count_waiting(const struct supervisor *sup, const char *path)
{
	const struct errand *e;
	unsigned count = 0;

	TAILQ_FOREACH(e, &sup->errands, entry) {
		count += is_same_directory(e->path, path);
	}
	return count;
}

int errand_begin(struct supervisor *sup, enum errand_work work, const char *path, uint32_t number,
		 errand_done *done, void *owner)
{
	struct errand *e = NULL;

	if (strlen(path) >= sizeof(e->path)) {
		return -ENAMETOOLONG;
	}
	if (count_waiting(sup, path) >= WAITING_MAX) {
		return -EBUSY;
	}
	e = calloc(1, sizeof(*e));
	if (e == NULL) {
		return -ENOMEM;
	}
	*e = (struct errand){ .supervisor = sup,
			      .work = work,
			      .number = number,
			      .done = done,
			      .owner = owner,
			      .fd = -1,
			      .deadline = evtimer_new(sup->base, deadline_passed, e) };
	if (e->deadline == NULL) {
		abort(); /* libevent is out of memory for a few bytes: nothing can be saved */
	}
	text_copy(e->path, sizeof(e->path), path);
	evtimer_add(e->deadline, &(struct timeval){ .tv_sec = ERRAND_MAX_S });
	TAILQ_INSERT_TAIL(&sup->errands, e, entry);
	start_next(sup);
	return 0;
}

/* ---- all of them ---- */

void errand_forget(struct supervisor *sup, const void *owner)
{
	struct errand *e;

	TAILQ_FOREACH(e, &sup->errands, entry) {
		if (e->owner == owner) {
			e->done = NULL;
		}
	}
}

void errand_end_all(struct supervisor *sup)
{
	struct errand *e;

	TAILQ_FOREACH(e, &sup->errands, entry) {
		if (e->done != NULL) {
			tell_error(e, -ECANCELED);
		}
	}
}

bool errand_reaped(struct supervisor *sup, pid_t pid)
{
	struct errand *e;

	TAILQ_FOREACH(e, &sup->errands, entry) {
		if (e->state != ERRAND_QUEUED && e->pid == pid) {
			if (e->state == ERRAND_RUNNING) {
				hear(e);
			}
			errand_free(e);
			start_next(sup);
			return true;
		}
	}
	return false;
}

void errand_finish(struct supervisor *sup)
{
	struct errand *e;

	while ((e = TAILQ_FIRST(&sup->errands)) != NULL) {
		if (e->state == ERRAND_QUEUED) {
			errand_start(e);
		}
		errand_free(e);
	}
}
