/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Small things about files and descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

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

void files_set_cloexec(int fd, bool on)
{
	if (fd >= 0) {
		fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0);
	}
}
