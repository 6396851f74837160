/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How a worker begins (worker.h). Every worker, first thing in main(), before its first foreign
 * byte; blocks on nothing. What cannot be given up ends the process: a worker without its
 * sandbox must not run.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <understudy/ipc.h>
#include <understudy/log.h>

#include "sandbox.h"

#define EXIT_USAGE 2

#if WORKER_HAS_ASAN
/* The leak checker traces its own process from a second one, which a worker may not. */
static bool is_worker;
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return is_worker;
}
#endif

static bool has_control_socket(void)
{
	int domain = 0, type = 0;
	socklen_t size = sizeof domain;

	return getsockopt(WORKER_CONTROL_FD, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
	       getsockopt(WORKER_CONTROL_FD, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
	       domain == AF_UNIX && type == SOCK_SEQPACKET;
}

/* Nothing beyond the control socket stays open, and nothing new will be taken for 0, 1 or 2. */
static int settle_descriptors(void)
{
	int fd;

	if (close_range(WORKER_CONTROL_FD + 1, ~0U, 0) < 0) {
		return -errno;
	}
	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd < WORKER_CONTROL_FD);
	if (fd < 0) {
		return -errno;
	}
	close(fd);
	return 0;
}

/* The supervisor decides when a worker ends, by closing its socket or by SIGKILL: Ctrl-C in its
 * terminal and a service manager's SIGTERM reach the whole group, but are meant for it alone. */
static int settle_signals(void)
{
	static const int ignored[] = { SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 };
	sigset_t none;

	for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) {
		if (signal(ignored[i], SIG_IGN) == SIG_ERR) {
			return -errno;
		}
	}
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}

/* Even a worker that still runs as root has no power over others' files. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	return syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

static int settle_process(enum worker_role role)
{
	if (prctl(PR_SET_NAME, worker_role_str(role)) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		return -errno;
	}
	umask(077);
	return drop_capabilities();
}

static void require(enum worker_role role, const char *what, int error)
{
	if (error < 0) {
		log_error("worker cannot be sandboxed role=%s step=%s: %s", worker_role_str(role),
			  what, strerror(-error));
		exit(EXIT_USAGE);
	}
}

static void begin(enum worker_role role)
{
	if (!has_control_socket()) {
		log_error("understudy-%s is started by `understudy run`, not by hand",
			  worker_role_str(role));
		exit(EXIT_USAGE);
	}
#if WORKER_HAS_ASAN
	is_worker = true;
#endif
	require(role, "descriptors", settle_descriptors());
	require(role, "signals", settle_signals());
	require(role, "process", settle_process(role));
	require(role, "limits", sandbox_limit(role));
}

void worker_begin(enum worker_role role)
{
	begin(role);
	require(role, "landlock", sandbox_confine(role, -1));
	require(role, "seccomp", sandbox_filter(role));
}

void worker_begin_in_directory(enum worker_role role, struct ipc_message *ret)
{
	struct pollfd control = { .fd = WORKER_CONTROL_FD, .events = POLLIN };
	int result;

	begin(role);
	while ((result = ipc_recv(WORKER_CONTROL_FD, ret)) == -EAGAIN) {
		poll(&control, 1, -1);
	}
	if (result != 1 || ret->fd_count == 0) {
		exit(result == 0 ? EXIT_SUCCESS : EXIT_USAGE);
	}
	require(role, "directory", fchdir(ret->fds[0]) < 0 ? -errno : 0);
	require(role, "landlock", sandbox_confine(role, ret->fds[0]));
	require(role, "seccomp", sandbox_filter(role));
}
