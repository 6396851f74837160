/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Small things about files and descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <understudy/text.h>

#include "supervisor.h"

int files_make_parents(const char *path, mode_t mode)
{
	char part[PATH_MAX];

	if (!text_copy(part, sizeof(part), path)) {
		return -ENAMETOOLONG;
	}
	for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, mode) < 0 && errno != EEXIST) {
			return -errno;
		}
		*slash = '/';
	}
	return 0;
}

static int copy_all(int from, int to, off_t left)
{
	char bytes[4096];
	int result = 0;

	while (result == 0 && left > 0) {
		ssize_t got = read(from, bytes, sizeof(bytes));

		if (got <= 0 || write(to, bytes, (size_t)got) != got) {
			result = -EIO;
		}
		left -= got;
	}
	explicit_bzero(bytes, sizeof(bytes));
	lseek(to, 0, SEEK_SET);
	return result;
}

int files_snapshot(const char *path, off_t most_bytes)
{
	struct stat st;
	int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int to = from >= 0 ? memfd_create("snapshot", MFD_CLOEXEC) : -1;
	int result = to < 0 || fstat(from, &st) < 0 ? -errno : 0;

	if (result == 0 && (!S_ISREG(st.st_mode) || st.st_size > most_bytes)) {
		result = S_ISREG(st.st_mode) ? -EFBIG : -EINVAL;
	}
	if (result == 0) {
		result = copy_all(from, to, st.st_size);
	}
	if (from >= 0) {
		close(from);
	}
	if (result < 0 && to >= 0) {
		close(to);
	}
	return result < 0 ? result : to;
}

/* To open what is no file (a pipe) might wait for somebody. */
static int look_for_regular(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -EINVAL;
}

int files_open_regular(const char *path, struct ipc_file_mark *ret)
{
	struct stat st;
	int error = look_for_regular(path);
	int fd = error == 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (error == 0 && (fd < 0 || fstat(fd, &st) < 0)) {
		error = -errno;
	}
	if (error == 0 && !S_ISREG(st.st_mode)) { /* another one since */
		error = -EINVAL;
	}
	if (error != 0) {
		if (fd >= 0) {
			close(fd);
		}
		return error;
	}
	*ret = (struct ipc_file_mark){ .device = st.st_dev,
				       .inode = st.st_ino,
				       .bytes = (uint64_t)st.st_size,
				       .changed_ns = st.st_mtim.tv_sec * INT64_C(1000000000) +
						     st.st_mtim.tv_nsec };
	return fd;
}

void files_set_cloexec(int fd, bool on)
{
	if (fd >= 0) {
		fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0);
	}
}
