/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Worker processes: starting them with nothing but their two descriptors, listening to
 * what they say, and telling their owners when they end. Runs in the supervisor; fork is
 * the only thing here that takes time, and the supervisor is small.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/log.h>
#include <understudy/text.h>

#include "supervisor.h"
#include "tunnel.h"

#define STOP_GRACE_S 1
/* One that writes a recording to its end may have a slow disk: longer, while it tells something. */
#define WRITING_SILENCE_US 3000000
#define WRITING_MAX_US 10000000
#define PROGRAM_FD 4
#define MESSAGES_PER_WAKE 64
#define ORDERS_MAX 1024
/* How often we look who is silent. So late we do so only if we were held up ourselves: what a
 * worker tells may lie there unread, and it may have been held up with us (a machine that stood
 * still for a while), however long that was. */
#define LOOK_S 1
#define HELD_UP_US 500000

/* How many times `watchdog_s` a worker may tell nothing until it counts as hanging; nearly all of
 * these report once a second. Some wait for disks or in libraries; slates and probes tell their
 * results only. */
static const unsigned patience[ROLES] = {
	[ROLE_INGEST_RTMP] = 1,      [ROLE_INGEST_SRT] = 1,
	[ROLE_INGEST_AV] = 1,        [ROLE_SWITCH] = 1,
	[ROLE_RELAY_RTMP] = 1,       [ROLE_RELAY_FLV] = 4,
	[ROLE_RELAY_FILE] = 4,       [ROLE_RELAY_AV] = 4,
	[ROLE_RELAY_SRT] = 4,        [ROLE_INGEST_AV_PULL] = 4,
	[ROLE_INGEST_RTMP_PULL] = 1, [ROLE_INGEST_RTMP_TUNNEL] = 1,
	[ROLE_SLATE] = 360,          [ROLE_PROBE] = 6,
};

const struct child_ops *child_ops_of(enum worker_role role)
{
	static const struct child_ops *const ops[ROLES] = {
		[ROLE_INGEST_SRT] = &srt_ops,
		[ROLE_INGEST_AV] = &connection_ops,
		[ROLE_INGEST_RTMP] = &connection_ops,
		[ROLE_SWITCH] = &show_ops,
		[ROLE_RELAY_RTMP] = &relay_ops,
		[ROLE_RELAY_FLV] = &relay_ops,
		[ROLE_RELAY_FILE] = &relay_ops,
		[ROLE_RELAY_AV] = &relay_ops,
		[ROLE_RELAY_SRT] = &relay_ops,
		[ROLE_RESOLVE] = &resolver_ops,
		[ROLE_INGEST_AV_PULL] = &connection_ops,
		[ROLE_HISTORY] = &history_ops,
		[ROLE_INGEST_FILE] = &connection_ops,
		[ROLE_SLATE] = &slate_ops,
		[ROLE_INGEST_RTMP_PULL] = &connection_ops,
		[ROLE_INGEST_RTMP_TUNNEL] = &tunnel_ops,
	};

	return role < ROLES ? ops[role] : NULL;
}

int child_open_programs(struct supervisor *sup)
{
	char directory[sizeof(sup->exe_path)];
	char path[sizeof(directory) + IPC_NAME];

	text_copy(directory, sizeof(directory), sup->exe_path);
	*strrchr(directory, '/') = '\0';
	for (int role = ROLE_NONE + 1; role < ROLES; role++) {
		const char *name = worker_role_str((enum worker_role)role);

		text_format(path, sizeof(path), "%s/understudy-%s", directory, name);
		sup->programs[role] = open(path, O_PATH | O_CLOEXEC);
		if (sup->programs[role] < 0) {
			text_format(path, sizeof(path), "%s/understudy-%s", UNDERSTUDY_LIBEXEC,
				    name);
			sup->programs[role] = open(path, O_PATH | O_CLOEXEC);
		}
		if (sup->programs[role] < 0) {
			log_error("worker program not found path=%s: build or install understudy "
				  "completely",
				  path);
			return -ENOENT;
		}
	}
	return 0;
}

/* ---- what a worker reports ---- */

static unsigned child_patience_s(const struct child *child)
{
	return patience[child->role] * child->supervisor->config->watchdog_s;
}

static void child_look_again(struct child *child)
{
	const struct timeval look = { .tv_sec = LOOK_S };

	child->watch_us = clock_monotonic_us() + LOOK_S * INT64_C(1000000);
	evtimer_add(child->watch, &look);
}

/* It lives: the time within which it has to tell something begins anew. */
static void child_heard(struct child *child)
{
	child->heard_us = clock_monotonic_us();
	child->silent_s = 0;
	if (child_patience_s(child) > 0) {
		child_look_again(child);
	}
}

static void child_is_silent(evutil_socket_t fd, short what, void *context)
{
	struct child *child = context;
	char why[IPC_TEXT];

	(void)fd;
	(void)what;
	if (clock_monotonic_us() - child->watch_us <= HELD_UP_US) {
		child->silent_s += LOOK_S;
	}
	if (child->silent_s < child_patience_s(child)) {
		child_look_again(child);
		return;
	}
	text_format(why, sizeof(why), "it has told nothing for %u s", child_patience_s(child));
	child_kill(child, why);
}

void child_hear(struct child *child)
{
	static struct ipc_message message; /* 16 KiB, used by this single thread only */

	for (int i = 0; i < MESSAGES_PER_WAKE; i++) {
		int got = ipc_recv_no_fds(child->control_fd, &message);

		if (got == -EAGAIN) {
			return;
		}
		if (got <= 0) {
			event_del(child->control_event);
			/* One that cannot be told anything any more has ended or shall. */
			child_kill(child, got < 0 ? "it sent a malformed message" : NULL);
			return;
		}
		child_heard(child);
		if (message.type != IPC_ALIVE) {
			child->ops->message(child, &message);
		}
		ipc_message_finish(&message);
	}
}

static void child_control_ready(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	child_hear(context);
}

/* ---- orders ---- */

static void order_free(struct child *child, struct order *order)
{
	TAILQ_REMOVE(&child->orders, order, entry);
	child->order_count--;
	for (unsigned i = 0; i < order->fd_count; i++) {
		close(order->fds[i]);
	}
	explicit_bzero(order->body, ipc_body_size(order->type));
	free(order);
}

static void child_writable(evutil_socket_t fd, short what, void *context)
{
	struct child *child = context;
	struct order *order;

	(void)what;
	while ((order = TAILQ_FIRST(&child->orders)) != NULL) {
		if (ipc_send(fd, order->type, order->body, order->fds, order->fd_count) ==
		    -EAGAIN) {
			return;
		}
		order_free(child, order);
	}
	event_del(child->writable);
}

/* A socket holds about a hundred orders; a show with more destinations waits its turn. */
static bool child_queue(struct child *child, enum ipc_type type, const void *body, const int *fds,
			unsigned fd_count)
{
	size_t size = ipc_body_size(type);
	struct order *order = child->order_count < ORDERS_MAX ? calloc(1, sizeof(*order) + size)
							      : NULL;

	if (order == NULL) {
		child_kill(child, "it takes no orders");
		return false;
	}
	order->type = type;
	memcpy(order->body, body, size);
	TAILQ_INSERT_TAIL(&child->orders, order, entry);
	child->order_count++;
	for (unsigned i = 0; i < fd_count; i++) {
		int fd = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);

		if (fd < 0) {
			child_kill(child, "its orders cannot be kept: descriptors are out");
			order_free(child, order);
			return false;
		}
		order->fds[order->fd_count++] = fd;
	}
	event_add(child->writable, NULL);
	return true;
}

bool child_send(struct child *child, enum ipc_type type, const void *body, const int *fds,
		unsigned fd_count)
{
	int result = -EAGAIN;

	if (TAILQ_EMPTY(&child->orders)) {
		result = ipc_send(child->control_fd, type, body, fds, fd_count);
	}
	if (result == -EAGAIN) {
		return child_queue(child, type, body, fds, fd_count);
	}
	if (result < 0) {
		/* Half-informed is worse than started anew. A closed socket: it has ended. */
		child_kill(child, result == -EPIPE || result == -ECONNRESET
					  ? NULL
					  : "an order cannot be sent");
	}
	return result == 0;
}

/* ---- starting ---- */

/* After fork: only async-signal-safe calls. */
static void child_become(const struct supervisor *sup, enum worker_role role, int control_fd,
			 int log_fd, char *const argv[], char *const envp[])
{
	int program = fcntl(sup->programs[role], F_DUPFD_CLOEXEC, 10);
	int control = fcntl(control_fd, F_DUPFD_CLOEXEC, 10);
	int output = fcntl(log_fd, F_DUPFD_CLOEXEC, 10);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (program < 0 || control < 0 || output < 0 || dup2(sup->null_fd, 0) < 0 ||
	    dup2(sup->null_fd, 1) < 0 || dup2(output, 2) < 0 ||
	    dup2(control, WORKER_CONTROL_FD) < 0 || dup3(program, PROGRAM_FD, O_CLOEXEC) < 0) {
		_exit(126);
	}
	close_range(PROGRAM_FD + 1, ~0U, 0);
	if (sup->drops_privileges &&
	    (setgroups(0, NULL) < 0 ||
	     setresgid(sup->worker_gid, sup->worker_gid, sup->worker_gid) < 0 ||
	     setresuid(sup->worker_uid, sup->worker_uid, sup->worker_uid) < 0)) {
		_exit(126);
	}
	fexecve(PROGRAM_FD, argv, envp);
	_exit(127);
}

/* Sanitizers and tests may steer the runtime; nothing else of our environment goes down. */
static void worker_environment(char *envp[4])
{
	static const char *const names[] = { "ASAN_OPTIONS", "UBSAN_OPTIONS", "LLVM_PROFILE_FILE" };
	static char kept[3][256];
	size_t count = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);

		if (value != NULL) {
			text_format(kept[count], sizeof(kept[count]), "%s=%s", names[i], value);
			envp[count] = kept[count];
			count++;
		}
	}
	envp[count] = NULL;
}

static pid_t child_fork(const struct supervisor *sup, enum worker_role role, int control_fd,
			int log_fd)
{
	char name[IPC_NAME];
	char *argv[] = { name, NULL };
	char *envp[4];

	text_format(name, sizeof(name), "understudy-%s", worker_role_str(role));
	worker_environment(envp);
	pid_t pid = fork();
	if (pid == 0) {
		child_become(sup, role, control_fd, log_fd, argv, envp);
	}
	return pid;
}

struct child *child_adopt(struct supervisor *sup, enum worker_role role,
			  const struct child_ops *ops, void *owner, const char *label, pid_t pid,
			  int control_fd, int log_fd, int64_t started_us)
{
	struct child *child = calloc(1, sizeof(*child));

	if (child == NULL) {
		return NULL;
	}
	*child = (struct child){ .supervisor = sup,
				 .ops = ops,
				 .owner = owner,
				 .role = role,
				 .pid = pid,
				 .control_fd = control_fd,
				 .log_fd = log_fd,
				 .started_us = started_us };
	text_copy(child->label, sizeof(child->label), label);
	child->control_event = event_new(sup->base, control_fd, EV_READ | EV_PERSIST,
					 child_control_ready, child);
	child->log_event = event_new(sup->base, log_fd, EV_READ | EV_PERSIST, child_log_ready,
				     child);
	child->writable = event_new(sup->base, control_fd, EV_WRITE | EV_PERSIST, child_writable,
				    child);
	child->watch = evtimer_new(sup->base, child_is_silent, child);
	TAILQ_INIT(&child->orders);
	if (child->control_event == NULL || child->log_event == NULL || child->writable == NULL ||
	    child->watch == NULL) {
		abort(); /* libevent is out of memory for a few bytes: nothing can be saved */
	}
	event_add(child->control_event, NULL);
	event_add(child->log_event, NULL);
	child_heard(child);
	TAILQ_INSERT_TAIL(&sup->children, child, entry);
	return child;
}

struct child *child_spawn(struct supervisor *sup, enum worker_role role,
			  const struct child_ops *ops, void *owner, const char *label)
{
	int control[2] = { -1, -1 }, output[2] = { -1, -1 };
	struct child *child = NULL;
	pid_t pid = -1;

	if (sup->is_ending) {
		return NULL; /* who is late starts nothing any more */
	}
	if (ipc_pair(control) == 0 && pipe2(output, O_CLOEXEC | O_NONBLOCK) == 0) {
		pid = child_fork(sup, role, control[1], output[1]);
	}
	if (pid > 0) {
		child = child_adopt(sup, role, ops, owner, label, pid, control[0], output[0],
				    clock_monotonic_us());
	}
	if (child == NULL) {
		log_error("cannot start worker role=%s: %s", worker_role_str(role),
			  strerror(errno));
		close(control[0]);
		close(output[0]);
	}
	close(control[1]);
	close(output[1]);
	return child;
}

/* ---- stopping ---- */

void child_kill(struct child *child, const char *why)
{
	if (child->is_reaped) {
		return;
	}
	if (why != NULL) {
		log_warn("killing worker role=%s pid=%d: %s", worker_role_str(child->role),
			 (int)child->pid, why);
	}
	kill(child->pid, SIGKILL);
}

static bool child_is_writing(const struct child *child)
{
	int64_t now_us = clock_monotonic_us();

	return child->file != NULL && now_us - child->heard_us < WRITING_SILENCE_US &&
	       now_us - child->stopped_us < WRITING_MAX_US;
}

static void child_grace_over(evutil_socket_t fd, short what, void *context)
{
	struct child *child = context;

	(void)fd;
	(void)what;
	if (child_is_writing(child)) {
		evtimer_add(child->deadline, &(struct timeval){ .tv_sec = STOP_GRACE_S });
	} else {
		child_kill(child, "it did not stop in time");
	}
}

void child_stop(struct child *child, bool unpublish)
{
	struct ipc_stop stop = { .unpublish = unpublish };
	/* A clean goodbye to a platform may take a second of its own. */
	struct timeval grace = { .tv_sec = STOP_GRACE_S + (unpublish ? 1 : 0) };

	child->stopped_us = child->is_stopping ? child->stopped_us : clock_monotonic_us();
	child->is_stopping = true;
	if (!child_send(child, IPC_STOP, &stop, NULL, 0)) {
		child_kill(child, NULL);
		return;
	}
	if (child->deadline == NULL) {
		child->deadline = evtimer_new(child->supervisor->base, child_grace_over, child);
	}
	if (child->deadline != NULL) {
		evtimer_add(child->deadline, &grace);
	}
}

static void nobody_message(struct child *child, struct ipc_message *m)
{
	(void)child;
	(void)m;
}

static void nobody_exited(struct child *child, const char *cause)
{
	(void)child;
	(void)cause;
}

void child_disown(struct child *child)
{
	static const struct child_ops nobody = { nobody_message, nobody_exited };

	child->ops = &nobody;
	child->owner = NULL;
}

/* ---- the file it writes ---- */

void child_set_file(struct child *child, const char *path)
{
	free(child->file);
	child->file = path != NULL ? strdup(path) : NULL;
}

/* It writes to it no more. */
static void child_leave_file(struct child *child, const char *cause)
{
	if (child->file == NULL) {
		return;
	}
	if (child->has_failed) {
		log_warn("recording cut short path=%s: its process %s, %.1f s after it last told "
			 "anything; what the show had since then may be missing",
			 child->file, cause,
			 (double)(clock_monotonic_us() - child->heard_us) / 1e6);
	}
	errand_begin(child->supervisor, ERRAND_TIDY, child->file, 0, NULL, NULL);
}

/* ---- ends ---- */

static void child_free(struct child *child)
{
	TAILQ_REMOVE(&child->supervisor->children, child, entry);
	event_free(child->control_event);
	event_free(child->log_event);
	event_free(child->writable);
	event_free(child->watch);
	while (!TAILQ_EMPTY(&child->orders)) {
		order_free(child, TAILQ_FIRST(&child->orders));
	}
	if (child->deadline != NULL) {
		event_free(child->deadline);
	}
	close(child->control_fd);
	close(child->log_fd);
	free(child->file);
	free(child);
}

static void obituary(struct child *child, int status, char *to, size_t size)
{
	if (WIFSIGNALED(status)) {
		text_format(to, size, "killed by signal %d (%s)", WTERMSIG(status),
			    strsignal(WTERMSIG(status)));
	} else {
		text_format(to, size, "ended with exit code %d", WEXITSTATUS(status));
	}
	child->has_failed = WIFSIGNALED(status) || WEXITSTATUS(status) != 0;
	if (!child->is_stopping && child->has_failed) {
		double ran_s = (double)(clock_monotonic_us() - child->started_us) / 1e6;

		log_warn("worker died role=%s for=\"%s\" pid=%d after=%.1fs cause=\"%s\"",
			 worker_role_str(child->role), child->label, (int)child->pid, ran_s, to);
	}
}

static void child_ended(struct child *child, int status)
{
	char cause[IPC_TEXT];

	child->is_reaped = true;
	/* Its last words first, in the order it said them. */
	child_hear(child);
	child_log_finish(child);
	obituary(child, status, cause, sizeof(cause));
	child_leave_file(child, cause);
	child->ops->exited(child, cause);
	child_free(child);
}

void child_bury(struct child *child)
{
	waitpid(child->pid, NULL, 0);
	child_free(child);
}

void child_reap_all(struct supervisor *sup)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct child *child;

		if (reexec_reaped(sup, pid, status) || errand_reaped(sup, pid)) {
			continue;
		}
		TAILQ_FOREACH(child, &sup->children, entry) {
			if (child->pid == pid) {
				child_ended(child, status);
				break;
			}
		}
	}
}
