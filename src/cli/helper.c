/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Workers that a command starts for itself (helper.h). */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <understudy/text.h>

#include "client.h"
#include "helper.h"

#define WORKER_USER "understudy"
#define NOBODY 65534
#define FIRST_SPARE 10 /* descriptors above those a worker is started with */

/* Beside our own program, or where it was installed. */
static int open_program(enum worker_role role)
{
	char path[PATH_MAX + 64], own[PATH_MAX];
	ssize_t size = readlink("/proc/self/exe", own, sizeof(own) - 1);
	int fd = -1;

	if (size > 0) {
		own[size] = '\0';
		*strrchr(own, '/') = '\0';
		text_format(path, sizeof(path), "%s/understudy-%s", own, worker_role_str(role));
		fd = open(path, O_PATH | O_CLOEXEC);
	}
	if (fd < 0) {
		text_format(path, sizeof(path), "%s/understudy-%s", UNDERSTUDY_LIBEXEC,
			    worker_role_str(role));
		fd = open(path, O_PATH | O_CLOEXEC);
	}
	return fd;
}

/* Between fork and exec. */
static void become(int program, int control, const struct passwd *user, char *const argv[])
{
	uid_t uid = user != NULL ? user->pw_uid : NOBODY;
	gid_t gid = user != NULL ? user->pw_gid : NOBODY;
	int null = open("/dev/null", O_RDWR), kept;
	char *none[] = { NULL };

	kept = fcntl(program, F_DUPFD_CLOEXEC, FIRST_SPARE);
	control = fcntl(control, F_DUPFD_CLOEXEC, FIRST_SPARE);
	if (null < 0 || kept < 0 || control < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
	    dup2(null, 2) < 0 || dup2(control, WORKER_CONTROL_FD) < 0) {
		_exit(126);
	}
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
			       setresuid(uid, uid, uid) < 0)) {
		_exit(126);
	}
	fexecve(kept, argv, none);
	_exit(127);
}

int helper_start(enum worker_role role, struct helper *ret)
{
	const struct passwd *user = getpwnam(WORKER_USER);
	char name[IPC_NAME];
	char *argv[] = { name, NULL };
	int pair[2] = { -1, -1 }, program = open_program(role);
	pid_t pid = -1;

	text_format(name, sizeof(name), "understudy-%s", worker_role_str(role));
	if (program < 0) {
		complain("the program %s is not there; build or install understudy completely",
			 name);
		return EXIT_FAILED;
	}
	if (ipc_pair(pair) == 0) {
		pid = fork();
	}
	if (pid == 0) {
		become(program, pair[1], user, argv);
	}
	close(program);
	close(pair[1]);
	if (pid < 0) {
		complain("cannot start %s: %s", name, strerror(errno));
		close(pair[0]);
		return EXIT_FAILED;
	}
	*ret = (struct helper){ .pid = pid, .fd = pair[0] };
	return EXIT_DONE;
}

int helper_wait(struct helper *h, struct ipc_message *ret)
{
	int result;

	while ((result = ipc_recv_no_fds(h->fd, ret)) == -EAGAIN) {
		struct pollfd control = { .fd = h->fd, .events = POLLIN };

		poll(&control, 1, -1);
	}
	if (result != 1) {
		complain("a helper process ended before its work was done");
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

void helper_end(struct helper *h)
{
	close(h->fd);
	kill(h->pid, SIGKILL);
	while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR) {
	}
}
