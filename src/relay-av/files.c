/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Files of a recording and segments of HLS: asked for, given as descriptors, done. Runs in
 * relay-file; blocks on the disk.
 *
 * The worker opens nothing and names nothing. It asks the supervisor for the next file when it
 * needs one, and holds the show's packets back for the moment until it is given; so it needs no
 * right to any directory, and works the same as another user.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/log.h>
#include <understudy/text.h>

#include "output.h"

#define CUT_SLACK_90K (MEDIA_HZ / 20)
#define PLAYLIST_BYTES_MAX 16384

int files_write_all(int file, const uint8_t *bytes, size_t size)
{
	while (size > 0) {
		ssize_t written = write(file, bytes, size);

		if (written < 0 && errno == EINTR) {
			continue;
		}
		if (written <= 0) {
			return written < 0 ? -errno : -EIO;
		}
		bytes += written;
		size -= (size_t)written;
	}
	return 0;
}

int files_write(void *context, const uint8_t *bytes, size_t size)
{
	struct output *o = context;
	int error = files_write_all(o->file, bytes, size);

	if (error == 0) {
		o->file_bytes += size;
		o->carrier->status.bytes += size;
	}
	return error;
}

int64_t files_seek(void *context, int64_t offset, int whence)
{
	struct output *o = context;
	off_t at = lseek(o->file, (off_t)offset, whence);

	return at < 0 ? -errno : at;
}

void files_ask(struct output *o, enum file_role role)
{
	struct ipc_file_ask ask = { .role = role, .number = o->number };

	if (ipc_send(WORKER_CONTROL_FD, IPC_FILE_ASK, &ask, NULL, 0) < 0) {
		/* The playlist is asked for again with the next segment. */
		o->playlist.is_asked = false;
		if (role != FILE_PLAYLIST) {
			output_fail(o, -EIO, "the supervisor takes no questions");
		}
	}
}

static void tell_done(enum file_role role, uint32_t number, bool is_kept)
{
	struct ipc_file_done done = { .role = role, .number = number, .is_kept = is_kept };

	if (ipc_send(WORKER_CONTROL_FD, IPC_FILE_DONE, &done, NULL, 0) < 0) {
		log_warn("the supervisor was not told of a finished file");
	}
}

/* ---- the playlist ---- */

static void playlist_ask(struct output *o)
{
	o->playlist.is_stale = true;
	if (!o->playlist.is_asked) {
		o->playlist.is_asked = true;
		files_ask(o, FILE_PLAYLIST);
	}
}

static void playlist_given(struct output *o, int file, const struct ipc_file_give *give)
{
	uint32_t last = o->playlist.items[o->playlist.count - 1].number;
	struct buffer text;
	int error = -ENOBUFS;

	o->playlist.is_asked = false;
	if (file < 0) {
		log_warn("no playlist show=%s destination=%s: %s", o->carrier->show,
			 o->carrier->name, give->error);
		return;
	}
	buffer_init(&text, PLAYLIST_BYTES_MAX);
	if (playlist_write(&o->playlist, o->start.segment_s, &text)) {
		error = files_write_all(file, buffer_bytes(&text), buffer_size(&text));
	}
	buffer_finish(&text);
	o->playlist.is_stale = false;
	tell_done(FILE_PLAYLIST, last, error == 0);
	if (error < 0) {
		log_warn("cannot write the playlist show=%s destination=%s: %s", o->carrier->show,
			 o->carrier->name, strerror(-error));
	}
}

/* ---- the media ---- */

void files_given(struct output *o, struct ipc_message *m)
{
	const struct ipc_file_give *give = (const void *)m->body;
	int file = ipc_take_fd(m, 0);

	if (give->role == FILE_PLAYLIST) {
		if (o->playlist.is_asked) {
			playlist_given(o, file, give);
		}
		if (file >= 0) {
			close(file);
		}
	} else if (!o->is_waiting || o->file >= 0) {
		/* Asked for before a failure: nobody needs it now. */
		if (file >= 0) {
			close(file);
			tell_done((enum file_role)give->role, give->number, false);
		}
	} else if (file < 0) {
		output_fail(o, -EIO, give->error);
	} else {
		o->file = file;
		o->file_bytes = 0;
		text_copy(o->segment_name, sizeof(o->segment_name), give->name);
		output_begin(o);
	}
}

void files_done(struct output *o, int64_t length_90k)
{
	bool is_hls = o->start.kind == OUTPUT_HLS;
	bool is_kept = o->file_bytes > 0 && (!is_hls || length_90k > 0);
	struct segment segment = { .number = o->number,
				   .length_90k = length_90k,
				   .is_break = o->is_break };

	if (o->file < 0) {
		return;
	}
	close(o->file);
	o->file = -1;
	tell_done(is_hls ? FILE_SEGMENT : FILE_RECORDING, o->number, is_kept);
	if (!is_hls) {
		return;
	}
	o->number++;
	if (is_kept) {
		text_copy(segment.name, sizeof(segment.name), o->segment_name);
		playlist_add(&o->playlist, &segment);
		o->is_break = false;
		playlist_ask(o);
	}
}

bool files_want_cut(const struct output *o, const struct packet *p)
{
	int64_t length_90k = p->dts_90k - o->reel.base_90k - o->reel.began_90k;
	int64_t most_90k = (int64_t)o->start.segment_s * MEDIA_HZ;
	uint64_t most_bytes = (uint64_t)o->start.segment_mb * 1000000;

	return (most_90k > 0 && length_90k + CUT_SLACK_90K >= most_90k) ||
	       (most_bytes > 0 && o->file_bytes >= most_bytes);
}
