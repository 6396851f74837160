/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Workers that carry one destination other than RTMP: their orders, and the files they ask
 * for. Only the supervisor names, opens, renames and removes files, by errands (errand.c); the
 * worker gets a descriptor, so it needs no right to any directory and no path says anything to it.
 */
#include <string.h>

#include <understudy/log.h>
#include <understudy/text.h>

#include "supervisor.h"

#define SEGMENTS_SPARE 3 /* kept for players that still read an older playlist */

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

static void file_given(void *owner, const struct ipc_errand_done *done, struct ipc_message *m)
{
	static const uint32_t roles[ERRAND_WORKS] = { [ERRAND_RECORDING] = FILE_RECORDING,
						      [ERRAND_SEGMENT] = FILE_SEGMENT,
						      [ERRAND_PLAYLIST] = FILE_PLAYLIST };
	struct relay *relay = owner;
	struct ipc_file_give give = { .role = roles[done->work], .number = done->number };
	const char *slash = strrchr(done->path, '/');

	if (give.role != FILE_PLAYLIST) {
		child_set_file(relay->child, done->error == 0 ? done->path : NULL);
	}
	if (done->error < 0) {
		text_format(give.error, sizeof(give.error), "cannot open a file: %s",
			    errand_error_str(done->error));
	} else if (give.role == FILE_SEGMENT) {
		text_copy(give.name, sizeof(give.name), slash != NULL ? slash + 1 : done->path);
	} else if (give.role == FILE_RECORDING) {
		log_info("recording show=%s destination=%s path=%s", relay->show->config->name,
			 relay_only_destination(relay)->config->name, done->path);
	}
	child_send(relay->child, IPC_FILE_GIVE, &give, m->fds, m->fd_count);
}

static void give_file(struct relay *relay, const struct destination *d,
		      const struct ipc_file_ask *ask)
{
	static const enum errand_work works[FILE_ROLES] = { [FILE_RECORDING] = ERRAND_RECORDING,
							    [FILE_SEGMENT] = ERRAND_SEGMENT,
							    [FILE_PLAYLIST] = ERRAND_PLAYLIST };

	if (errand_begin(relay->show->supervisor, works[ask->role], d->config->path, ask->number,
			 file_given, relay) < 0) {
		child_kill(relay->child, "it asked for more files than can be opened");
	}
}

static void playlist_done(struct supervisor *sup, const struct destination *d,
			  const struct ipc_file_done *done)
{
	uint32_t kept = d->config->keep_segments + SEGMENTS_SPARE;
	uint32_t oldest = done->number > kept ? done->number - kept : 0;

	errand_begin(sup, done->is_kept ? ERRAND_PUBLISH : ERRAND_DISCARD, d->config->path, oldest,
		     NULL, NULL);
}

void output_over(const struct destination *d)
{
	if (d->config->kind == DESTINATION_HLS) {
		errand_begin(d->show->supervisor, ERRAND_END, d->config->path, 0, NULL, NULL);
	}
}

static void file_done(struct relay *relay, const struct destination *d,
		      const struct ipc_file_done *done)
{
	struct supervisor *sup = relay->show->supervisor;

	if (done->role == FILE_PLAYLIST) {
		playlist_done(sup, d, done);
		return;
	}
	if (!done->is_kept && relay->child->file != NULL) {
		errand_begin(sup, ERRAND_REMOVE, relay->child->file, 0, NULL, NULL);
	}
	child_set_file(relay->child, NULL);
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
