/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Each role in a child of its own: worker_begin() as in life, then one attempt. The exit status
 * tells what the kernel said. Runs as root and as anybody else.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <understudy/ipc.h>
#include <understudy/ring.h>
#include <understudy/worker.h>

/* Not an errno: a resource the test needs is missing, or the result makes no sense. */
#define BROKEN 250

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif
#ifndef HAS_ASAN
#define HAS_ASAN 0
#endif
/* Address sanitizers start their symbolizer with these, so they are only refused. */
#define DEATH_OR_EPERM (HAS_ASAN ? EPERM : -SIGSYS)

typedef int attempt_fn(void);

/* Made before the sandbox closes; the control socket's other end is in the parent. */
static int listener_port;
static int ring_fd_in_message;

/* Returns the child's exit status (an errno, 0 for success), or minus the signal it died of. */
static int outcome(enum worker_role role, attempt_fn *attempt)
{
	int fds[2], status;
	pid_t child;

	assert_int_equal(ipc_pair(fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (fds[1] != WORKER_CONTROL_FD && dup2(fds[1], WORKER_CONTROL_FD) < 0) {
			_exit(BROKEN);
		}
		worker_begin(role);
		_exit(attempt());
	}
	close(fds[1]);
	if (ring_fd_in_message >= 0) {
		struct ipc_show_ring body = { 0 };

		assert_int_equal(ipc_send(fds[0], IPC_SHOW_RING, &body, &ring_fd_in_message, 1), 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	close(fds[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int said(long result)
{
	return result < 0 ? errno : 0;
}

static int open_a_file(void)
{
	return said(open("/etc/passwd", O_RDONLY));
}

static int stat_a_file(void)
{
	return said(syscall(SYS_statx, AT_FDCWD, "/etc/passwd", 0, 0, NULL));
}

static int open_for_writing(void)
{
	return said(open("/etc/nsswitch.conf", O_WRONLY));
}

static int read_nsswitch(void)
{
	return said(open("/etc/nsswitch.conf", O_RDONLY));
}

static int make_tcp_socket(void)
{
	return said(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
}

static int make_udp_socket(void)
{
	return said(socket(AF_INET6, SOCK_DGRAM, 0));
}

static int make_unix_socket(void)
{
	return said(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int connect_to_listener(void)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)listener_port),
		.sin_addr = { htonl(INADDR_LOOPBACK) },
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	const int one = 1;

	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof one) < 0) {
		return errno;
	}
	return said(connect(fd, (struct sockaddr *)&to, sizeof to));
}

static int listen_somewhere(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? errno : said(listen(fd, 1));
}

static int accept_one(void)
{
	return said(accept4(WORKER_CONTROL_FD, NULL, NULL, 0));
}

static int send_with_fastopen(void)
{
	return said(sendto(WORKER_CONTROL_FD, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, NULL, 0));
}

static int map_executable(void)
{
	void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return map == MAP_FAILED ? errno : 0;
}

static int make_executable(void)
{
	void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return map == MAP_FAILED ? BROKEN : said(mprotect(map, 4096, PROT_READ | PROT_EXEC));
}

static int execute(void)
{
	char *const none[] = { NULL };

	return said(execve("/bin/true", none, none));
}

static int fork_child(void)
{
	/* Not fork(): a clone() that glibc wraps with handlers of sanitizers. */
	return said(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static int start_thread(void)
{
	return said(syscall(SYS_clone3, NULL, 0));
}

static int trace_parent(void)
{
	return said(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static int read_parent_memory(void)
{
	char byte;
	struct iovec local = { &byte, 1 }, remote = { &byte, 1 };

	return said(process_vm_readv(getppid(), &local, 1, &remote, 1, 0));
}

static int take_parent_descriptor(void)
{
	return said(syscall(SYS_pidfd_open, getppid(), 0));
}

static int make_user_namespace(void)
{
	return said(syscall(SYS_unshare, 0x10000000));
}

static int use_io_uring(void)
{
	return said(syscall(SYS_io_uring_setup, 1, NULL));
}

static int signal_parent(void)
{
	return said(kill(getppid(), 0));
}

static int ask_for_a_dump(void)
{
	return said(prctl(PR_SET_DUMPABLE, 1));
}

static int raise_limit(void)
{
	struct rlimit more = { 1000, 1000 };

	return said(prlimit(0, RLIMIT_NOFILE, &more, NULL));
}

static int change_identity(void)
{
	return said(syscall(SYS_setuid, 0));
}

static int abort_itself(void)
{
	abort();
}

static int survive_terminal_signals(void)
{
	raise(SIGINT);
	raise(SIGTERM);
	raise(SIGHUP);
	raise(SIGPIPE);
	return 0;
}

static int find_nothing_open(void)
{
	for (int fd = 0; fd < 200; fd++) {
		if ((fcntl(fd, F_GETFD) >= 0) != (fd <= WORKER_CONTROL_FD)) {
			return BROKEN;
		}
	}
	return 0;
}

/* What libevent, malloc and our own rooms do. */
static int run_a_loop(void)
{
	int loop = epoll_create1(EPOLL_CLOEXEC), wake = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	struct itimerspec soon = { .it_value = { .tv_nsec = 1 } };
	struct epoll_event event = { .events = EPOLLIN };
	char *memory = malloc(20 << 20);

	if (loop < 0 || wake < 0 || timer < 0 || memory == NULL ||
	    timerfd_settime(timer, 0, &soon, NULL) < 0 ||
	    epoll_ctl(loop, EPOLL_CTL_ADD, wake, &event) < 0 ||
	    epoll_ctl(loop, EPOLL_CTL_ADD, timer, &event) < 0 ||
	    epoll_wait(loop, &event, 1, -1) != 1) {
		return errno;
	}
	memset(memory, 1, 20 << 20);
	memory = realloc(memory, 40 << 20);
	free(memory);
	return memory == NULL ? errno : 0;
}

static int receive_ring(void)
{
	static struct ipc_message m;
	int result;

	while ((result = ipc_recv(WORKER_CONTROL_FD, &m)) == -EAGAIN) {
		struct pollfd control = { .fd = WORKER_CONTROL_FD, .events = POLLIN };

		poll(&control, 1, -1);
	}
	return result == 1 ? ipc_take_fd(&m, 0) : -1;
}

/* As the trusted certificates come: in memory, and libraries want a name. */
static int open_given_memory(void)
{
	char path[32];

	snprintf(path, sizeof path, "/proc/self/fd/%d", receive_ring());
	return said(open(path, O_RDONLY));
}

static int write_a_ring(void)
{
	struct packet p = { .kind = PACKET_DATA, .type = PACKET_META, .size = 1 };
	struct iovec payload = { "x", 1 };
	struct ring_writer *w;
	int error = ring_writer_open(receive_ring(), 0, &w);

	if (error == 0) {
		error = ring_write(w, &p, &payload, 1, NULL);
		ring_publish(w);
	}
	return -error;
}

static int read_a_ring(void)
{
	struct ring_reader *r;
	int error = ring_reader_open(receive_ring(), &r);

	return error < 0 ? -error : ring_next(r) == 1 ? 0 : BROKEN;
}

static int sync_standard_input(void)
{
	int error = said(fdatasync(STDIN_FILENO)); /* not a file here, but that is not EPERM */

	return error == EINVAL || error == EROFS ? 0 : error;
}

static int find_localhost(void)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;

	return getaddrinfo("localhost", "1935", &hints, &found) == 0 && found != NULL ? 0 : BROKEN;
}

static void assert_all_roles(attempt_fn *attempt, int expected)
{
	for (int role = ROLE_NONE + 1; role < ROLES; role++) {
		assert_int_equal(outcome((enum worker_role)role, attempt), expected);
	}
}

static void every_role_can_run_a_loop(void **state)
{
	assert_all_roles(run_a_loop, 0);
}

static void nothing_but_the_standard_and_control_descriptors_stays_open(void **state)
{
	assert_all_roles(find_nothing_open, 0);
}

static void signals_for_the_supervisor_do_not_end_a_worker(void **state)
{
	assert_all_roles(survive_terminal_signals, 0);
}

static void failed_assertion_still_aborts(void **state)
{
	assert_all_roles(abort_itself, -SIGABRT);
}

static void files_do_not_exist(void **state)
{
	for (int role = ROLE_NONE + 1; role < ROLES; role++) {
		if (role != ROLE_RESOLVE && role != ROLE_INGEST_AV_PULL && role != ROLE_HISTORY) {
			assert_int_equal(outcome((enum worker_role)role, open_a_file), ENOENT);
			assert_int_equal(outcome((enum worker_role)role, stat_a_file), ENOENT);
		}
	}
	assert_int_equal(outcome(ROLE_RESOLVE, open_for_writing), EPERM);
}

static bool has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) >= 1;
}

static void resolve_reads_its_own_files_only(void **state)
{
	assert_int_equal(outcome(ROLE_RESOLVE, read_nsswitch), 0);
	assert_int_equal(outcome(ROLE_RESOLVE, open_a_file), has_landlock() ? EACCES : 0);
	assert_int_equal(outcome(ROLE_RESOLVE, find_localhost), 0);
}

static void pull_opens_what_it_was_given_and_nothing_else(void **state)
{
	ring_fd_in_message = ring_create("test", RING_BYTES_MIN);
	assert_int_equal(outcome(ROLE_INGEST_AV_PULL, open_given_memory), 0);
	close(ring_fd_in_message);
	ring_fd_in_message = -1;
	assert_int_equal(outcome(ROLE_INGEST_AV_PULL, open_a_file), has_landlock() ? EACCES : 0);
	assert_int_equal(outcome(ROLE_INGEST_AV_PULL, open_for_writing), EPERM);
	assert_int_equal(outcome(ROLE_INGEST_AV_PULL, stat_a_file), ENOENT);
}

static int work_in_directory(void)
{
	int fd = open("database", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };

	bool is_done = fd >= 0 && pwrite(fd, "x", 1, 0) == 1 && fcntl(fd, F_SETLK, &lock) == 0 &&
		       ftruncate(fd, 0) == 0 && fdatasync(fd) == 0 &&
		       rename("database", "other") == 0 && unlink("other") == 0;

	return is_done ? 0 : errno;
}

static int in_directory(attempt_fn *attempt)
{
	static struct ipc_message m;
	char directory[] = "/tmp/understudy-sandbox-XXXXXX";
	struct ipc_history_read body = { .subject = HISTORY_NONE };
	int pair[2], fds[2], status;

	assert_non_null(mkdtemp(directory));
	fds[0] = fds[1] = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(ipc_pair(pair), 0);
	assert_int_equal(ipc_send(pair[0], IPC_HISTORY_READ, &body, fds, 2), 0);
	pid_t child = fork();
	if (child == 0) {
		dup2(pair[1], WORKER_CONTROL_FD);
		worker_begin_in_directory(ROLE_HISTORY, &m);
		_exit(attempt());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	close(pair[0]);
	close(fds[0]);
	rmdir(directory);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void history_works_in_its_directory_only(void **state)
{
	assert_int_equal(in_directory(work_in_directory), 0);
	assert_int_equal(in_directory(open_a_file), has_landlock() ? EACCES : 0);
	assert_int_equal(in_directory(make_tcp_socket), EPERM);
}

static void only_pulls_relays_and_resolve_reach_the_network(void **state)
{
	assert_int_equal(outcome(ROLE_INGEST_RTMP, make_tcp_socket), EPERM);
	assert_int_equal(outcome(ROLE_INGEST_AV, make_tcp_socket), EPERM);
	assert_int_equal(outcome(ROLE_INGEST_AV_PULL, connect_to_listener), 0);
	assert_int_equal(outcome(ROLE_INGEST_AV_PULL, make_unix_socket), EPERM);
	assert_int_equal(outcome(ROLE_INGEST_AV_PULL, listen_somewhere), EPERM);
	assert_int_equal(outcome(ROLE_SWITCH, make_tcp_socket), EPERM);
	assert_int_equal(outcome(ROLE_RELAY_FLV, make_tcp_socket), EPERM);
	assert_int_equal(outcome(ROLE_RELAY_FILE, make_tcp_socket), EPERM);
	assert_int_equal(outcome(ROLE_RELAY_FILE, make_udp_socket), EPERM);
	assert_int_equal(outcome(ROLE_RELAY_SRT, make_tcp_socket), EPERM);
	assert_int_equal(outcome(ROLE_RELAY_SRT, make_udp_socket), 0);
	assert_int_equal(outcome(ROLE_RELAY_AV, connect_to_listener), 0);
	assert_int_equal(outcome(ROLE_RELAY_AV, make_unix_socket), EPERM);
	assert_int_equal(outcome(ROLE_RELAY_RTMP, connect_to_listener), 0);
	assert_int_equal(outcome(ROLE_RELAY_RTMP, make_udp_socket), EPERM);
	assert_int_equal(outcome(ROLE_RELAY_RTMP, make_unix_socket), EPERM);
	assert_int_equal(outcome(ROLE_RELAY_RTMP, listen_somewhere), EPERM);
	assert_int_equal(outcome(ROLE_RESOLVE, make_udp_socket), 0);
	assert_int_equal(outcome(ROLE_RESOLVE, listen_somewhere), EPERM);
	assert_all_roles(accept_one, EPERM);
}

static void reset_connection_cannot_be_sent_elsewhere(void **state)
{
	assert_int_equal(outcome(ROLE_INGEST_RTMP, send_with_fastopen), EPERM);
	assert_int_equal(outcome(ROLE_SWITCH, send_with_fastopen), EPERM);
	assert_int_equal(outcome(ROLE_RELAY_FLV, send_with_fastopen), EPERM);
}

static void memory_is_never_writable_and_executable(void **state)
{
	assert_all_roles(map_executable, EPERM);
	assert_all_roles(make_executable, EPERM);
}

static void new_programs_processes_and_threads_are_impossible(void **state)
{
	assert_all_roles(execute, DEATH_OR_EPERM);
	assert_all_roles(fork_child, DEATH_OR_EPERM);
	assert_all_roles(start_thread, ENOSYS); /* by clone3; libsrt's threads come by clone */
}

static void other_processes_are_out_of_reach(void **state)
{
	assert_all_roles(trace_parent, -SIGSYS);
	assert_all_roles(read_parent_memory, -SIGSYS);
	assert_all_roles(take_parent_descriptor, -SIGSYS);
	assert_all_roles(signal_parent, EPERM);
}

static void kernel_features_for_intruders_kill(void **state)
{
	assert_all_roles(make_user_namespace, -SIGSYS);
	assert_all_roles(use_io_uring, -SIGSYS);
}

static void what_was_given_up_cannot_be_had_back(void **state)
{
	assert_all_roles(ask_for_a_dump, EPERM);
	assert_all_roles(raise_limit, EPERM);
	assert_all_roles(change_identity, EPERM);
}

static void ring_is_written_and_read_inside_the_sandbox(void **state)
{
	ring_fd_in_message = ring_create("test", RING_BYTES_MIN);
	assert_true(ring_fd_in_message >= 0);
	assert_int_equal(outcome(ROLE_INGEST_RTMP, write_a_ring), 0);
	assert_int_equal(ring_check(ring_fd_in_message, RING_BYTES_MIN), 0);
	assert_int_equal(outcome(ROLE_SWITCH, read_a_ring), 0);
	assert_int_equal(outcome(ROLE_RELAY_RTMP, read_a_ring), 0);
	assert_int_equal(outcome(ROLE_RELAY_FLV, read_a_ring), 0);
	assert_int_equal(outcome(ROLE_SWITCH, write_a_ring), EPERM); /* one writer in its life */
	close(ring_fd_in_message);
	ring_fd_in_message = -1;
}

static void recorder_may_sync_its_file(void **state)
{
	assert_int_equal(outcome(ROLE_RELAY_FLV, sync_standard_input), 0);
	assert_int_equal(outcome(ROLE_SWITCH, sync_standard_input), EPERM);
}

static void worker_started_by_hand_says_so_and_ends(void **state)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		close(STDERR_FILENO);
		close(WORKER_CONTROL_FD);
		worker_begin(ROLE_SWITCH);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 2);
}

static void every_role_has_a_name(void **state)
{
	assert_string_equal(worker_role_str(ROLE_INGEST_RTMP), "ingest-rtmp");
	assert_string_equal(worker_role_str(ROLE_RESOLVE), "resolve");
	assert_string_equal(worker_role_str(ROLES), "unknown");
}

static int listen_on_loopback(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ring_fd_in_message = -1;
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) < 0 || listen(fd, 8) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &size) < 0) {
		return -1;
	}
	listener_port = ntohs(at.sin_port);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_role_can_run_a_loop),
		cmocka_unit_test(nothing_but_the_standard_and_control_descriptors_stays_open),
		cmocka_unit_test(signals_for_the_supervisor_do_not_end_a_worker),
		cmocka_unit_test(failed_assertion_still_aborts),
		cmocka_unit_test(files_do_not_exist),
		cmocka_unit_test(resolve_reads_its_own_files_only),
		cmocka_unit_test(history_works_in_its_directory_only),
		cmocka_unit_test(pull_opens_what_it_was_given_and_nothing_else),
		cmocka_unit_test(only_pulls_relays_and_resolve_reach_the_network),
		cmocka_unit_test(reset_connection_cannot_be_sent_elsewhere),
		cmocka_unit_test(memory_is_never_writable_and_executable),
		cmocka_unit_test(new_programs_processes_and_threads_are_impossible),
		cmocka_unit_test(other_processes_are_out_of_reach),
		cmocka_unit_test(kernel_features_for_intruders_kill),
		cmocka_unit_test(what_was_given_up_cannot_be_had_back),
		cmocka_unit_test(ring_is_written_and_read_inside_the_sandbox),
		cmocka_unit_test(recorder_may_sync_its_file),
		cmocka_unit_test(worker_started_by_hand_says_so_and_ends),
		cmocka_unit_test(every_role_has_a_name),
	};

	return cmocka_run_group_tests(tests, listen_on_loopback, NULL);
}
