/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Landlock by raw system calls: every worker, once, at its start. The kernel's ABI decides how
 * much is handled (1: files, 4: TCP, 6: signals and abstract sockets), so what is built with old
 * headers still uses a new kernel, and an old kernel only gives less.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox.h"

/* The kernel's interface (linux/landlock.h of Linux 6.12). */
struct ruleset_attr {
	uint64_t handled_access_fs, handled_access_net, scoped;
};
struct path_beneath_attr {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH 1
#define FS_WRITE_FILE (UINT64_C(1) << 1)
#define FS_READ_FILE (UINT64_C(1) << 2)
#define FS_READ_DIR (UINT64_C(1) << 3)
#define FS_REMOVE_FILE (UINT64_C(1) << 5)
#define FS_MAKE_REG (UINT64_C(1) << 8)
#define FS_TRUNCATE (UINT64_C(1) << 14)
#define NET_BIND_TCP (UINT64_C(1) << 0)
#define NET_CONNECT_TCP (UINT64_C(1) << 1)
#define SCOPE_ALL UINT64_C(3) /* abstract sockets, signals */

/* All file rights an ABI knows, and the size of its structure. */
static uint64_t fs_rights(int abi)
{
	static const unsigned counts[] = { 0, 13, 14, 15, 15 };

	return (UINT64_C(1) << (abi < 5 ? counts[abi] : 16)) - 1;
}

static size_t attr_bytes(int abi)
{
	return abi < 4 ? 8 : abi < 6 ? 16 : 24;
}

static int landlock_allow_read(int ruleset, const char *path)
{
	struct path_beneath_attr rule = { .allowed_access = FS_READ_FILE };
	struct stat st;
	int error = 0;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0) {
		return errno == ENOENT || errno == EACCES || errno == ENOTDIR ? 0 : -errno;
	}
	if (fstat(rule.parent_fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		rule.allowed_access |= FS_READ_DIR;
	}
	if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0) {
		error = -errno;
	}
	close(rule.parent_fd);
	return error;
}

static int landlock_allow_directory(int ruleset, int directory, int abi)
{
	const struct path_beneath_attr rule = {
		.allowed_access = (FS_WRITE_FILE | FS_READ_FILE | FS_READ_DIR | FS_REMOVE_FILE |
				   FS_MAKE_REG | FS_TRUNCATE) &
				  fs_rights(abi),
		.parent_fd = directory,
	};

	return syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno
											: 0;
}

int landlock_apply(const char *const *readable, int directory, bool may_connect)
{
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
	struct ruleset_attr attr;
	int ruleset, error = 0;

	if (abi < 1) {
		return 0; /* not built in, or switched off: seccomp has to do */
	}
	attr = (struct ruleset_attr){
		.handled_access_fs = fs_rights(abi),
		.handled_access_net = NET_BIND_TCP | (may_connect ? 0 : NET_CONNECT_TCP),
		.scoped = SCOPE_ALL,
	};
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, attr_bytes(abi), 0);
	if (ruleset < 0) {
		return -errno;
	}
	for (; readable != NULL && *readable != NULL && error == 0; readable++) {
		error = landlock_allow_read(ruleset, *readable);
	}
	if (error == 0 && directory >= 0) {
		error = landlock_allow_directory(ruleset, directory, abi);
	}
	if (error == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0) {
		error = -errno;
	}
	close(ruleset);
	return error;
}
