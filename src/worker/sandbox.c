/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The table of roles: what each kind of worker may ask of the kernel. Every worker, once, from
 * worker_begin(). Everything not named here fails with EPERM; names of files do not exist
 * (ENOENT), which libraries take in their stride; what only an intruder would try kills.
 *
 * Calls a worker makes for every packet are allowed without looking at arguments, because the
 * kernel then answers from a bitmap and does not run the filter at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sockios.h>
#include <seccomp.h>

#include "sandbox.h"

struct rule {
	int call;
	unsigned count;
	struct scmp_arg_cmp arguments[3];
};

/* Tables are laid out by subject. */
/* clang-format off */
#define ANY(call) { SCMP_SYS(call), 0, { { 0 } } }
#define IF(call, ...) \
	{ SCMP_SYS(call), COUNT(((struct scmp_arg_cmp[]){ __VA_ARGS__ })), { __VA_ARGS__ } }
#define EQ(n, value) { n, SCMP_CMP_EQ, (scmp_datum_t)(value), 0 }
#define BITS(n, mask, value) { n, SCMP_CMP_MASKED_EQ, (scmp_datum_t)(mask), (scmp_datum_t)(value) }
#define SOCKET_TYPE 0xf /* without SOCK_CLOEXEC and SOCK_NONBLOCK */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define RULES(array) array, COUNT(array)

/* Everybody: descriptors they were given, time, memory, their own signals, the end. */
static const struct rule common[] = {
	ANY(read), ANY(write), ANY(readv), ANY(writev), ANY(recvmsg), ANY(recvfrom), ANY(close),
	ANY(shutdown), ANY(getsockopt), ANY(getsockname), ANY(getpeername),
	/* MSG_FASTOPEN would connect a socket that was reset to somewhere else. */
	IF(sendmsg, BITS(2, MSG_FASTOPEN, 0)), IF(sendto, BITS(3, MSG_FASTOPEN, 0)),
	ANY(fstat), ANY(newfstatat), ANY(lseek),
	IF(fcntl, EQ(1, F_GETFD)), IF(fcntl, EQ(1, F_SETFD)), IF(fcntl, EQ(1, F_GETFL)),
	IF(fcntl, EQ(1, F_SETFL)), IF(fcntl, EQ(1, F_DUPFD_CLOEXEC)), IF(fcntl, EQ(1, F_GET_SEALS)),
	ANY(epoll_create1), ANY(epoll_ctl), ANY(epoll_wait), ANY(epoll_pwait), ANY(epoll_pwait2),
	ANY(poll), ANY(ppoll), ANY(eventfd2), ANY(pipe2),
	ANY(timerfd_create), ANY(timerfd_settime), ANY(timerfd_gettime),
	ANY(clock_gettime), ANY(clock_getres), ANY(clock_nanosleep), ANY(nanosleep),
	ANY(gettimeofday), ANY(time),
	ANY(futex), ANY(sched_yield), ANY(sched_getaffinity), ANY(getcpu), ANY(restart_syscall),
	ANY(brk), ANY(munmap), ANY(mremap), ANY(madvise),
	IF(mmap, BITS(2, PROT_EXEC, 0)), IF(mprotect, BITS(2, PROT_EXEC, 0)),
	ANY(getrandom), ANY(sysinfo), ANY(uname), ANY(getrusage), ANY(getrlimit),
	IF(prlimit64, EQ(0, 0), EQ(2, 0)),
	ANY(getpid), ANY(gettid), ANY(getppid),
	ANY(getuid), ANY(geteuid), ANY(getgid), ANY(getegid),
	ANY(rt_sigaction), ANY(rt_sigprocmask), ANY(rt_sigreturn), ANY(sigaltstack),
	ANY(set_robust_list), ANY(rseq), ANY(exit), ANY(exit_group),
};

static const struct rule ingest_rtmp[] = {
	ANY(pread64), /* certificate and key, in descriptors others share */
	IF(setsockopt, EQ(1, SOL_SOCKET)), IF(setsockopt, EQ(1, IPPROTO_TCP)),
	IF(ioctl, EQ(1, FIONREAD)), IF(ioctl, EQ(1, SIOCOUTQ)),
	IF(fcntl, EQ(1, F_ADD_SEALS)),
};

/* libsrt: threads, and a UDP socket that came bound. */
static const struct rule ingest_srt[] = {
	IF(clone, BITS(0, CLONE_VM | CLONE_THREAD, CLONE_VM | CLONE_THREAD)),
	IF(prctl, EQ(0, PR_SET_NAME)), ANY(epoll_create),
	IF(setsockopt, EQ(1, SOL_SOCKET)), IF(setsockopt, EQ(1, IPPROTO_IP)),
	IF(setsockopt, EQ(1, IPPROTO_IPV6)),
};

static const struct rule ingest_av[] = {
	IF(fcntl, EQ(1, F_ADD_SEALS)),
};

/* libavformat's own TCP and UDP, libsrt's threads (no processes), and one file: the certificates,
 * which are a memfd of its own opened by its name in /proc. Landlock gives it no other. */
static const struct rule ingest_av_pull[] = {
	IF(fcntl, EQ(1, F_ADD_SEALS)),
	IF(openat, BITS(2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)),
	IF(open, BITS(1, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)),
	ANY(sendmsg), ANY(sendto), ANY(connect), ANY(bind), ANY(recvmmsg), ANY(sendmmsg),
	IF(socket, EQ(0, AF_INET), BITS(1, SOCKET_TYPE, SOCK_STREAM)),
	IF(socket, EQ(0, AF_INET), BITS(1, SOCKET_TYPE, SOCK_DGRAM)),
	IF(socket, EQ(0, AF_INET6), BITS(1, SOCKET_TYPE, SOCK_STREAM)),
	IF(socket, EQ(0, AF_INET6), BITS(1, SOCKET_TYPE, SOCK_DGRAM)),
	IF(setsockopt, EQ(1, SOL_SOCKET)), IF(setsockopt, EQ(1, IPPROTO_TCP)),
	IF(setsockopt, EQ(1, IPPROTO_IP)), IF(setsockopt, EQ(1, IPPROTO_IPV6)),
	IF(setsockopt, EQ(1, IPPROTO_UDP)),
	IF(ioctl, EQ(1, FIONREAD)), IF(ioctl, EQ(1, FIONBIO)),
	IF(clone, BITS(0, CLONE_VM | CLONE_THREAD, CLONE_VM | CLONE_THREAD)), ANY(set_tid_address),
	IF(prctl, EQ(0, PR_SET_NAME)), ANY(epoll_create),
};

/* The file may be one others read, too: by position. */
static const struct rule ingest_file[] = {
	ANY(pread64), IF(fcntl, EQ(1, F_ADD_SEALS)),
};

/* libx265 has a thread for a frame; and it steps behind everybody. */
static const struct rule slate[] = {
	ANY(pread64), ANY(fsync), IF(sched_setscheduler, EQ(0, 0), EQ(1, SCHED_IDLE)),
	IF(clone, BITS(0, CLONE_THREAD, CLONE_THREAD)), ANY(set_tid_address),
	IF(prctl, EQ(0, PR_SET_NAME)),
};

/* librtmp: a socketpair, and what it takes for the time. */
static const struct rule ingest_rtmp_pull[] = {
	IF(fcntl, EQ(1, F_ADD_SEALS)), ANY(times),
};

static const struct rule ingest_rtmp_tunnel[] = {
	ANY(pread64), /* trusted certificates, in a descriptor others share */
	ANY(sendmsg), ANY(sendto), ANY(connect),
	IF(socket, EQ(0, AF_INET), BITS(1, SOCKET_TYPE, SOCK_STREAM)),
	IF(socket, EQ(0, AF_INET6), BITS(1, SOCKET_TYPE, SOCK_STREAM)),
	IF(setsockopt, EQ(1, SOL_SOCKET)), IF(setsockopt, EQ(1, IPPROTO_TCP)),
	IF(ioctl, EQ(1, FIONREAD)),
};

/* librtmp likewise, for who comes to a listening socket. */
static const struct rule practice[] = {
	IF(accept4, EQ(3, SOCK_CLOEXEC)), ANY(times), IF(setsockopt, EQ(1, SOL_SOCKET)),
};

static const struct rule switch_[] = {
	IF(fcntl, EQ(1, F_ADD_SEALS)),
};

static const struct rule relay_rtmp[] = {
	ANY(pread64), /* trusted certificates, likewise */
	ANY(sendmsg), ANY(sendto), ANY(connect),
	IF(socket, EQ(0, AF_INET), BITS(1, SOCKET_TYPE, SOCK_STREAM)),
	IF(socket, EQ(0, AF_INET6), BITS(1, SOCKET_TYPE, SOCK_STREAM)),
	IF(setsockopt, EQ(1, SOL_SOCKET)), IF(setsockopt, EQ(1, IPPROTO_TCP)),
	IF(ioctl, EQ(1, FIONREAD)), IF(ioctl, EQ(1, SIOCOUTQ)),
};

static const struct rule relay_flv[] = {
	ANY(fsync), ANY(fdatasync),
};

static const struct rule relay_file[] = {
	ANY(fsync), ANY(fdatasync),
};

/* libavformat's own TCP and UDP; addresses are numbers. */
static const struct rule relay_av[] = {
	ANY(sendmsg), ANY(sendto), ANY(connect), ANY(bind),
	IF(socket, EQ(0, AF_INET), BITS(1, SOCKET_TYPE, SOCK_STREAM)),
	IF(socket, EQ(0, AF_INET), BITS(1, SOCKET_TYPE, SOCK_DGRAM)),
	IF(socket, EQ(0, AF_INET6), BITS(1, SOCKET_TYPE, SOCK_STREAM)),
	IF(socket, EQ(0, AF_INET6), BITS(1, SOCKET_TYPE, SOCK_DGRAM)),
	IF(setsockopt, EQ(1, SOL_SOCKET)), IF(setsockopt, EQ(1, IPPROTO_TCP)),
	IF(setsockopt, EQ(1, IPPROTO_IP)), IF(setsockopt, EQ(1, IPPROTO_IPV6)),
	IF(setsockopt, EQ(1, IPPROTO_UDP)),
	IF(ioctl, EQ(1, FIONREAD)),
};

/* libsrt: UDP, and threads of its own (no processes). */
static const struct rule relay_srt[] = {
	ANY(sendmsg), ANY(sendto), ANY(sendmmsg), ANY(recvmmsg), ANY(bind),
	IF(socket, EQ(0, AF_INET), BITS(1, SOCKET_TYPE, SOCK_DGRAM)),
	IF(socket, EQ(0, AF_INET6), BITS(1, SOCKET_TYPE, SOCK_DGRAM)),
	IF(setsockopt, EQ(1, SOL_SOCKET)), IF(setsockopt, EQ(1, IPPROTO_IP)),
	IF(setsockopt, EQ(1, IPPROTO_IPV6)),
	IF(ioctl, EQ(1, FIONREAD)),
	IF(clone, BITS(0, CLONE_THREAD, CLONE_THREAD)), ANY(set_tid_address),
	IF(prctl, EQ(0, PR_SET_NAME)), ANY(gettid),
};

/* getaddrinfo() and the name service modules it loads. */
static const struct rule resolve[] = {
	IF(openat, BITS(2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)),
	IF(open, BITS(1, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)),
	IF(mmap, BITS(2, PROT_WRITE | PROT_EXEC, PROT_EXEC)),
	ANY(pread64), ANY(stat), ANY(lstat), ANY(statx), ANY(fstatfs), ANY(access), ANY(faccessat),
	ANY(faccessat2), ANY(readlink), ANY(readlinkat), ANY(getdents64),
	ANY(connect), ANY(bind), ANY(sendto), ANY(sendmsg), ANY(sendmmsg), ANY(recvmmsg),
	IF(socket, EQ(0, AF_INET), BITS(1, SOCKET_TYPE, SOCK_STREAM)),
	IF(socket, EQ(0, AF_INET), BITS(1, SOCKET_TYPE, SOCK_DGRAM)),
	IF(socket, EQ(0, AF_INET6), BITS(1, SOCKET_TYPE, SOCK_STREAM)),
	IF(socket, EQ(0, AF_INET6), BITS(1, SOCKET_TYPE, SOCK_DGRAM)),
	IF(socket, EQ(0, AF_UNIX)),
	IF(socket, EQ(0, AF_NETLINK), EQ(2, 0)), /* NETLINK_ROUTE: which addresses are ours */
	IF(setsockopt, EQ(1, SOL_SOCKET)), IF(setsockopt, EQ(1, IPPROTO_TCP)),
	IF(setsockopt, EQ(1, IPPROTO_IP)), IF(setsockopt, EQ(1, IPPROTO_IPV6)),
	IF(ioctl, EQ(1, FIONREAD)),
};

/* SQLite, in the one directory that Landlock leaves it. */
static const struct rule history[] = {
	ANY(open), ANY(openat), ANY(stat), ANY(lstat), ANY(statx), ANY(access), ANY(faccessat),
	ANY(faccessat2), ANY(readlink), ANY(readlinkat), ANY(getcwd), ANY(unlink), ANY(unlinkat),
	ANY(rename), ANY(renameat), ANY(renameat2), ANY(fchmod),
	ANY(pread64), ANY(pwrite64), ANY(ftruncate), ANY(fsync), ANY(fdatasync),
	IF(fcntl, EQ(1, F_SETLK)), IF(fcntl, EQ(1, F_GETLK)),
};

/* Directories that are named here are replaced as a whole by those who write resolv.conf. */
static const char *const resolve_files[] = {
	"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/host.conf",
	"/etc/hostname", "/etc/services", "/etc/protocols", "/etc/ld.so.cache",
	"/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager",
	"/usr/lib", "/usr/lib64", "/lib", "/lib64",
	NULL
};

#define MIB ((rlim_t)1 << 20)

static const struct row {
	rlim_t files;      /* descriptors */
	rlim_t data_bytes; /* private memory; shared rings do not count */
	bool may_connect;
	const char *const *readable;
	const struct rule *rules;
	size_t rule_count;
} rows[ROLES] = {
	[ROLE_INGEST_RTMP] = { 32, 256 * MIB, false, NULL, RULES(ingest_rtmp) },
	[ROLE_INGEST_SRT] = { 256, 4096 * MIB, false, NULL, RULES(ingest_srt) },
	[ROLE_INGEST_AV] = { 32, 512 * MIB, false, NULL, RULES(ingest_av) },
	[ROLE_INGEST_AV_PULL] = { 64, 1024 * MIB, true, NULL, RULES(ingest_av_pull) },
	[ROLE_INGEST_RTMP_PULL] = { 32, 256 * MIB, false, NULL, RULES(ingest_rtmp_pull) },
	[ROLE_INGEST_RTMP_TUNNEL] = { 32, 256 * MIB, true, NULL, RULES(ingest_rtmp_tunnel) },
	[ROLE_PRACTICE] = { 32, 256 * MIB, false, NULL, RULES(practice) },
	[ROLE_SWITCH] = { 256, 512 * MIB, false, NULL, RULES(switch_) },
	[ROLE_RELAY_RTMP] = { 1024, 1024 * MIB, true, NULL, RULES(relay_rtmp) },
	[ROLE_RELAY_FLV] = { 32, 128 * MIB, false, NULL, RULES(relay_flv) },
	[ROLE_RESOLVE] = { 64, 128 * MIB, true, resolve_files, RULES(resolve) },
	[ROLE_RELAY_FILE] = { 32, 512 * MIB, false, NULL, RULES(relay_file) },
	[ROLE_RELAY_AV] = { 64, 512 * MIB, true, NULL, RULES(relay_av) },
	[ROLE_INGEST_FILE] = { 32, 512 * MIB, false, NULL, RULES(ingest_file) },
	[ROLE_SLATE] = { 32, 2048 * MIB, false, NULL, RULES(slate) },
	[ROLE_RELAY_SRT] = { 128, 1024 * MIB, false, NULL, RULES(relay_srt) },
	[ROLE_WITNESS] = { 32, 64 * MIB, false, NULL, NULL, 0 },
	[ROLE_HISTORY] = { 32, 256 * MIB, false, NULL, RULES(history) },
	[ROLE_WITNESS_FILE] = { 32, 512 * MIB, false, NULL, NULL, 0 },
	[ROLE_PROBE] = { 256, 256 * MIB, true, NULL, RULES(relay_rtmp) },
};

/* In nobody's world are there files, unless a row opens them. */
static const int files[] = {
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(stat), SCMP_SYS(lstat),
	SCMP_SYS(statx), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
	SCMP_SYS(readlink), SCMP_SYS(readlinkat),
};

/* No code of ours or of our libraries does this. */
static const int deadly[] = {
	SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_getfd), SCMP_SYS(pidfd_send_signal), SCMP_SYS(kcmp),
	SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd),
	SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(request_key),
	SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
	SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot),
	SCMP_SYS(move_mount), SCMP_SYS(open_tree), SCMP_SYS(fsopen), SCMP_SYS(open_by_handle_at),
	SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(init_module), SCMP_SYS(finit_module),
	SCMP_SYS(delete_module), SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot),
};

/* Nor this, but an address sanitizer starts its symbolizer so, and its report is worth more. */
static const int spawning[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(clone),
};

/* clang-format on */

static int limit(int resource, rlim_t value)
{
	struct rlimit now;

	if (prlimit(0, resource, NULL, &now) < 0) {
		return -errno;
	}
	if (now.rlim_max < value) {
		value = now.rlim_max;
	}
	now = (struct rlimit){ .rlim_cur = value, .rlim_max = value };
	return prlimit(0, resource, &now, NULL) < 0 ? -errno : 0;
}

static bool is_in_row(const struct row *row, int call)
{
	for (size_t i = 0; i < row->rule_count; i++) {
		if (row->rules[i].call == call) {
			return true;
		}
	}
	return false;
}

int sandbox_limit(enum worker_role role)
{
	int error = limit(RLIMIT_CORE, 0);

	if (error == 0) {
		error = limit(RLIMIT_NOFILE, rows[role].files);
	}
	if (error == 0 && !is_in_row(&rows[role], SCMP_SYS(clone))) {
		error = limit(RLIMIT_NPROC, 0); /* threads count */
	}
	if (error == 0 && !WORKER_HAS_ASAN) { /* whose shadow is private memory, too */
		error = limit(RLIMIT_DATA, rows[role].data_bytes);
	}
	return error;
}

int sandbox_confine(enum worker_role role, int directory)
{
	return landlock_apply(rows[role].readable, directory, rows[role].may_connect);
}

static int allow(scmp_filter_ctx filter, const struct rule *rules, size_t count)
{
	int error = 0;

	for (size_t i = 0; error == 0 && i < count; i++) {
		error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rules[i].call,
					       rules[i].count, rules[i].arguments);
	}
	return error;
}

/* abort() and raise() signal their own process; nobody else can be reached. */
static int allow_own_signals(scmp_filter_ctx filter)
{
	const struct rule own[] = {
		IF(kill, EQ(0, getpid())),
		IF(tgkill, EQ(0, getpid())),
	};

	return allow(filter, RULES(own));
}

static int answer(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count,
		  const struct row *except)
{
	int error = 0;

	for (size_t i = 0; error == 0 && i < count; i++) {
		if (!is_in_row(except, calls[i])) {
			error = seccomp_rule_add_array(filter, action, calls[i], 0, NULL);
		}
	}
	return error;
}

static int add_row(scmp_filter_ctx filter, const struct row *row)
{
	const int threads[] = { SCMP_SYS(clone3) };
	int error = allow(filter, RULES(common));

	if (error == 0) {
		error = allow(filter, row->rules, row->rule_count);
	}
	if (error == 0) {
		error = allow_own_signals(filter);
	}
	if (error == 0) {
		error = answer(filter, SCMP_ACT_ERRNO(ENOENT), RULES(files), row);
	}
	if (error == 0) {
		error = answer(filter, SCMP_ACT_ERRNO(ENOSYS), RULES(threads), row);
	}
	if (error == 0) {
		error = answer(filter, SCMP_ACT_KILL_PROCESS, RULES(deadly), row);
	}
	if (error == 0 && !WORKER_HAS_ASAN) {
		error = answer(filter, SCMP_ACT_KILL_PROCESS, RULES(spawning), row);
	}
	if (error == 0 && !WORKER_HAS_ASAN && is_in_row(row, SCMP_SYS(clone))) {
		const struct scmp_arg_cmp process = BITS(0, CLONE_THREAD, 0);

		error = seccomp_rule_add_array(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 1,
					       &process);
	}
	return error;
}

int sandbox_filter(enum worker_role role)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int error;

	if (filter == NULL) {
		return -ENOMEM;
	}
	error = add_row(filter, &rows[role]);
	if (error == 0) {
		/* A decision tree instead of a list, where libseccomp has it. */
		(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
		error = seccomp_load(filter);
	}
	seccomp_release(filter);
	return error;
}
