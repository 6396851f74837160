/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Workers that carry one destination other than RTMP: their orders, and the files they ask
 * for. Only the supervisor names, opens, renames and removes files; the worker gets a descriptor,
 * so it needs no right to any directory and no path says anything to it.
 *
 *   recording   NAME by strftime, never over an existing file
 *   HLS         DIR/NAME-NUMBER.ts; the playlist is written beside its place and moved there
 */
#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <understudy/log.h>
#include <understudy/text.h>

#include "supervisor.h"

#define ROOM_MIN_BYTES (4u << 20) /* with less left on the disk no file is begun */
#define SEGMENTS_SPARE 3          /* kept for players that still read an older playlist */

enum worker_role output_role(const struct config_destination *config)
{
	switch (config->kind) {
	case DESTINATION_FLV_FILE:
		return ROLE_RELAY_FLV;
	case DESTINATION_FILE:
	case DESTINATION_HLS:
		return ROLE_RELAY_FILE;
	case DESTINATION_SRT:
		return ROLE_RELAY_SRT;
	case DESTINATION_ICECAST:
	case DESTINATION_RTSP:
	case DESTINATION_UDP:
	case DESTINATION_RTP:
		return ROLE_RELAY_AV;
	default:
		return ROLE_NONE;
	}
}

/* ---- orders ---- */

static uint32_t output_kind(enum config_destination_kind kind)
{
	static const uint32_t kinds[] = {
		[DESTINATION_FLV_FILE] = OUTPUT_FLV, [DESTINATION_FILE] = OUTPUT_FILE,
		[DESTINATION_HLS] = OUTPUT_HLS,      [DESTINATION_ICECAST] = OUTPUT_ICECAST,
		[DESTINATION_RTSP] = OUTPUT_RTSP,    [DESTINATION_UDP] = OUTPUT_UDP,
		[DESTINATION_RTP] = OUTPUT_RTP,      [DESTINATION_SRT] = OUTPUT_SRT,
	};

	return kinds[kind];
}

static void copy_if(char *to, size_t size, const char *from)
{
	text_copy(to, size, from != NULL ? from : "");
}

void output_brief(struct relay *relay, struct destination *d, int file)
{
	struct show *show = relay->show;
	const struct config_destination *c = d->config;
	struct ipc_output_start start = {
		.id = d->id,
		.kind = output_kind(c->kind),
		.is_listener = c->output.is_listener,
		.latency_ms = c->output.latency_ms,
		.segment_s = c->segment_s,
		.segment_mb = c->segment_mb,
		.keep_segments = c->keep_segments,
		.port = c->output.port,
		.batch_us = relay->batch_us,
		.first_us = (int64_t)c->retry.first_s * 1000000,
		.cap_us = (int64_t)c->retry.cap_s * 1000000,
		.healthy_us = (int64_t)c->retry.healthy_s * 1000000,
		.stall_us = (int64_t)c->stall_s * 1000000,
	};
	int fds[3] = { show->ring_fd, relay->wake_fd, file };

	text_copy(start.show, sizeof(start.show), show->config->name);
	text_copy(start.name, sizeof(start.name), c->name);
	copy_if(start.host, sizeof(start.host), c->output.host);
	copy_if(start.path, sizeof(start.path), c->path != NULL ? c->path : c->output.path);
	copy_if(start.user, sizeof(start.user), c->output.user);
	copy_if(start.password, sizeof(start.password), c->output.password);
	copy_if(start.stream, sizeof(start.stream), c->output.stream);
	copy_if(start.passphrase, sizeof(start.passphrase), c->output.passphrase);
	child_send(relay->child, IPC_OUTPUT_START, &start, fds, file >= 0 ? 3 : 2);
	explicit_bzero(&start, sizeof(start));
}

/* ---- files ---- */

/* HLS: where the segment lies; its name alone is `*ret_name`. */
static bool segment_path(const char *playlist, uint32_t number, char *to, size_t size,
			 const char **ret_name)
{
	size_t stem = strlen(playlist) - strlen(".m3u8");
	const char *slash = strrchr(playlist, '/');

	*ret_name = to + (slash != NULL ? slash + 1 - playlist : 0);
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
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
		      0644);

	return fd < 0 ? -errno : fd;
}

static int open_asked(struct relay *relay, const struct destination *d,
		      const struct ipc_file_ask *ask, struct ipc_file_give *give)
{
	const char *path = d->config->path, *name;
	char part[PATH_MAX];
	int result = files_make_parents(path, 0755);

	if (result < 0) {
		return result;
	}
	if (ask->role == FILE_RECORDING) {
		result = recording_open(path, relay->path, sizeof(relay->path));
		if (result >= 0 && has_room(relay->path) < 0) {
			close(result);
			unlink(relay->path);
			result = -ENOSPC;
		}
		return result;
	}
	result = has_room(path);
	if (result < 0) {
		return result;
	}
	if (ask->role == FILE_PLAYLIST) {
		return part_path(path, part, sizeof(part)) ? open_new(part) : -ENAMETOOLONG;
	}
	if (!segment_path(path, ask->number, relay->path, sizeof(relay->path), &name) ||
	    !text_copy(give->name, sizeof(give->name), name)) {
		return -ENAMETOOLONG;
	}
	return open_new(relay->path);
}

static void give_file(struct relay *relay, const struct destination *d,
		      const struct ipc_file_ask *ask)
{
	struct ipc_file_give give = { .role = ask->role, .number = ask->number };
	int fd = open_asked(relay, d, ask, &give);

	if (fd < 0) {
		relay->path[0] = '\0';
		text_format(give.error, sizeof(give.error), "cannot open a file: %s",
			    strerror(-fd));
	} else if (ask->role == FILE_RECORDING) {
		log_info("recording show=%s destination=%s path=%s", relay->show->config->name,
			 d->config->name, relay->path);
	}
	child_send(relay->child, IPC_FILE_GIVE, &give, &fd, fd >= 0 ? 1 : 0);
	if (fd >= 0) {
		close(fd);
	}
}

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

static void playlist_done(const struct destination *d, const struct ipc_file_done *done)
{
	const char *path = d->config->path;
	uint32_t kept = d->config->keep_segments + SEGMENTS_SPARE;
	char part[PATH_MAX];

	if (!part_path(path, part, sizeof(part))) {
		return;
	}
	if (!done->is_kept) {
		unlink(part);
	} else if (rename(part, path) < 0) {
		log_warn("cannot put the playlist in its place path=%s: %s", path, strerror(errno));
	} else if (done->number > kept) {
		sweep(path, done->number - kept);
	}
}

void output_over(const struct destination *d)
{
	static const char end[] = "#EXT-X-ENDLIST\n";
	int fd = -1;

	if (d->config->kind == DESTINATION_HLS) {
		fd = open(d->config->path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd >= 0 && write(fd, end, sizeof(end) - 1) < 0) {
		log_warn("cannot end the playlist path=%s: %s", d->config->path, strerror(errno));
	}
	if (fd >= 0) {
		close(fd);
	}
}

static void file_done(struct relay *relay, const struct destination *d,
		      const struct ipc_file_done *done)
{
	if (done->role == FILE_PLAYLIST) {
		playlist_done(d, done);
		return;
	}
	if (!done->is_kept && relay->path[0] != '\0') {
		unlink(relay->path);
	}
	relay->path[0] = '\0';
}

bool output_message(struct relay *relay, struct destination *d, const struct ipc_message *m)
{
	const struct ipc_file_ask *ask = (const void *)m->body;
	const struct ipc_file_done *done = (const void *)m->body;
	bool is_asking = m->type == IPC_FILE_ASK;

	if (relay->role != ROLE_RELAY_FILE || d == NULL ||
	    (!is_asking && m->type != IPC_FILE_DONE) ||
	    (d->config->kind == DESTINATION_FILE) !=
		    ((is_asking ? ask->role : done->role) == FILE_RECORDING)) {
		return false;
	}
	if (is_asking) {
		give_file(relay, d, ask);
	} else {
		file_done(relay, d, done);
	}
	return true;
}
