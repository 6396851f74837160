/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an errand does: the files of recordings, and of HLS. Runs in a process of its own
 * (errand.c), which may block on the file system for as long as that pleases.
 *
 *   recording   NAME by strftime, never over an existing file
 *   HLS         DIR/NAME-NUMBER.ts; the playlist is written beside its place and moved there
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <understudy/text.h>

#include "supervisor.h"

#define ROOM_MIN_BYTES (4u << 20) /* with less left on the disk no file is begun */

/* ---- where ---- */

/* HLS: where the segment lies. */
static bool segment_path(const char *playlist, uint32_t number, char *to, size_t size)
{
	size_t stem = strlen(playlist) - strlen(".m3u8");

	return text_format(to, size, "%.*s-%u.ts", (int)stem, playlist, number);
}

/* A playlist in the making: hidden, in the same directory. */
static bool part_path(const char *playlist, char *to, size_t size)
{
	const char *slash = strrchr(playlist, '/');
	size_t directory = slash != NULL ? (size_t)(slash + 1 - playlist) : 0;

	return text_format(to, size, "%.*s.%s.part", (int)directory, playlist,
			   playlist + directory);
}

/* The directory has to be there. */
static int has_room(const char *path)
{
	char directory[PATH_MAX];
	struct statvfs disk;
	char *slash;

	text_copy(directory, sizeof(directory), path);
	slash = strrchr(directory, '/');
	if (slash != NULL) {
		slash[1] = '\0';
	}
	if (statvfs(slash != NULL ? directory : ".", &disk) < 0) {
		return -errno;
	}
	return (uint64_t)disk.f_bavail * disk.f_frsize < ROOM_MIN_BYTES ? -ENOSPC : 0;
}

static int open_new(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

	return fd < 0 ? -errno : fd;
}

/* ---- opening ---- */

/* Never over an existing file: a second one in the same second gets a number. */
static int recording_open(const char *pattern, char *path, size_t size)
{
	time_t now = time(NULL);
	struct tm local;
	char base[PATH_MAX];

	localtime_r(&now, &local);
	if (strftime(base, sizeof(base), pattern, &local) == 0) {
		return -ENAMETOOLONG;
	}
	int result = files_make_parents(base, 0755);
	for (int i = 0; result == 0 && i < 100; i++) {
		const char *ending = strrchr(base, '.'); /* the check of the config saw to it */

		if (i == 0) {
			text_copy(path, size, base);
		} else {
			text_format(path, size, "%.*s-%d%s", (int)(ending - base), base, i, ending);
		}
		int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NONBLOCK, 0644);
		if (fd >= 0 || errno != EEXIST) {
			return fd >= 0 ? fd : -errno;
		}
	}
	return result < 0 ? result : -EEXIST;
}

static int open_read(const char *path, int *ret_fd, struct ipc_errand_done *ret)
{
	int fd = files_open_regular(path, &ret->mark);

	*ret_fd = fd;
	return fd < 0 ? fd : 0;
}

static int open_recording(const char *pattern, int *ret_fd, struct ipc_errand_done *ret)
{
	int fd = recording_open(pattern, ret->path, sizeof(ret->path));
	int error = fd < 0 ? fd : has_room(ret->path);

	if (error < 0) {
		if (fd >= 0) {
			unlink(ret->path);
			close(fd);
		}
		ret->path[0] = '\0';
		return error;
	}
	*ret_fd = fd;
	return 0;
}

static int open_hls(enum errand_work work, const char *playlist, uint32_t number, int *ret_fd,
		    struct ipc_errand_done *ret)
{
	int error = files_make_parents(playlist, 0755);
	const char *slash = strrchr(playlist, '/');
	size_t directory = slash != NULL ? (size_t)(slash + 1 - playlist) : 0;
	bool fits = work == ERRAND_SEGMENT
			    ? segment_path(playlist, number, ret->path, sizeof(ret->path)) &&
				      strlen(ret->path + directory) < IPC_NAME
			    : part_path(playlist, ret->path, sizeof(ret->path));

	if (error == 0) {
		error = fits ? has_room(playlist) : -ENAMETOOLONG;
	}
	if (error == 0) {
		*ret_fd = open_new(ret->path);
		error = *ret_fd < 0 ? *ret_fd : 0;
	}
	if (error < 0) {
		*ret_fd = -1;
		ret->path[0] = '\0';
	}
	return error;
}

/* ---- the rest ---- */

/* Segments that no playlist names any more, also those of workers that have ended. */
static void sweep(const char *playlist, uint32_t oldest)
{
	const char *slash = strrchr(playlist, '/');
	size_t directory = slash != NULL ? (size_t)(slash + 1 - playlist) : 0;
	const char *name = playlist + directory;
	size_t stem = strlen(name) - strlen(".m3u8");
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	text_format(path, sizeof(path), "%.*s", (int)directory, playlist);
	dir = opendir(directory > 0 ? path : ".");
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		char *end;

		if (strncmp(entry->d_name, name, stem) != 0 || entry->d_name[stem] != '-') {
			continue;
		}
		unsigned long number = strtoul(entry->d_name + stem + 1, &end, 10);
		if (end != entry->d_name + stem + 1 && strcmp(end, ".ts") == 0 && number < oldest) {
			unlinkat(dirfd(dir), entry->d_name, 0);
		}
	}
	if (dir != NULL) {
		closedir(dir);
	}
}

static int publish(const char *playlist, uint32_t oldest)
{
	char part[PATH_MAX];

	if (!part_path(playlist, part, sizeof(part))) {
		return -ENAMETOOLONG;
	}
	if (rename(part, playlist) < 0) {
		return -errno;
	}
	if (oldest > 0) {
		sweep(playlist, oldest);
	}
	return 0;
}

static int discard(const char *playlist)
{
	char part[PATH_MAX];

	return part_path(playlist, part, sizeof(part)) && unlink(part) < 0 ? -errno : 0;
}

/* There may be none yet. */
static int end(const char *playlist)
{
	static const char words[] = "#EXT-X-ENDLIST\n";
	int fd = open(playlist, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
	int error = fd < 0 ? (errno == ENOENT ? 0 : -errno) : 0;

	if (fd >= 0) {
		error = write(fd, words, sizeof(words) - 1) < 0 ? -errno : 0;
		close(fd);
	}
	return error;
}

/* A file that nothing could be written to (the disk is full) helps nobody. */
static int tidy(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_size == 0 && unlink(path) < 0 ? -errno : 0;
}

int filing_do(enum errand_work work, const char *path, uint32_t number, int *ret_fd,
	      struct ipc_errand_done *ret)
{
	switch (work) {
	case ERRAND_READ:
		return open_read(path, ret_fd, ret);
	case ERRAND_RECORDING:
		return open_recording(path, ret_fd, ret);
	case ERRAND_SEGMENT:
	case ERRAND_PLAYLIST:
		return open_hls(work, path, number, ret_fd, ret);
	case ERRAND_PUBLISH:
		return publish(path, number);
	case ERRAND_DISCARD:
		return discard(path);
	case ERRAND_END:
		return end(path);
	case ERRAND_TIDY:
		return tidy(path);
	case ERRAND_REMOVE:
		return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
	default:
		return -EINVAL;
	}
}
