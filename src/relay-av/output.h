/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One destination that libavformat writes. Two programs run this: relay-file, which has no
 * network and is given every file as a descriptor, and relay-av, which has no files and dials
 * addresses that the supervisor has looked up. Library calls may block: the ring's writer does
 * not wait, and the supervisor ends a worker that has told nothing for long.
 *
 *   reel READY --> file asked for, or address --> given --> begun --> LIVE
 *        ^                                                    |
 *        '--JOIN-- waiting (policy: when to try again) <------' failed
 */
#ifndef RELAY_AV_OUTPUT_H
#define RELAY_AV_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include <understudy/buffer.h>
#include <understudy/carrier.h>
#include <understudy/policy.h>
#include <understudy/reel.h>

#define SEGMENTS_MAX 64
#define ADDRESS_URL_MAX 2048

struct segment {
	uint32_t number;
	int64_t length_90k;
	bool is_break; /* does not go on where the one before ended */
	char name[IPC_NAME];
};

/* What the playlist names, and some more are kept on disk. */
struct playlist {
	struct segment items[SEGMENTS_MAX];
	unsigned count, keep;
	uint32_t breaks_gone; /* of segments that are named no more */
	bool is_stale;        /* there is something to be written */
	bool is_asked;
};

struct output {
	struct carrier *carrier;
	struct ipc_output_start start; /* holds secrets: wiped at the end */
	struct reel reel;
	struct restart restart;
	int64_t retry_us;  /* not before; 0 = at once */
	int64_t began_us;  /* of the present container */
	int64_t packet_us; /* when the last packet came */
	bool is_waiting;   /* asked the supervisor for what it needs */
	/* files */
	int file; /* -1 = none */
	uint64_t file_bytes;
	uint32_t number; /* of HLS segments, rising over restarts */
	bool is_break;
	char segment_name[IPC_NAME];
	struct playlist playlist;
	/* addresses */
	uint32_t query;
	unsigned attempt;
	char url[ADDRESS_URL_MAX], headers[IPC_HOST + 2 * IPC_NAME + 64];
	uint64_t past_bytes; /* of containers that have ended */
};

int output_run(enum worker_role role);

/* The container cannot go on: tried again by policy. */
void output_fail(struct output *o, int error, const char *why);
/* What was needed is here: begins with what the reel holds. */
void output_begin(struct output *o);

/* ---- files.c ---- */

void files_ask(struct output *o, enum file_role role);
void files_given(struct output *o, struct ipc_message *m);
/* Of the present file, up to its last packet or the cut. */
void files_done(struct output *o, int64_t length_90k);
bool files_want_cut(const struct output *o, const struct packet *p);
int files_write(void *context, const uint8_t *bytes, size_t size);
int64_t files_seek(void *context, int64_t offset, int whence);
int files_write_all(int file, const uint8_t *bytes, size_t size);

/* ---- playlist.c: pure ---- */

void playlist_add(struct playlist *p, const struct segment *segment);
/* The text, appended. False if there is no room. */
bool playlist_write(const struct playlist *p, uint32_t target_s, struct buffer *to);

/* ---- address.c: pure ---- */

/* URL and header lines for the address; false if they do not fit. */
bool address_make(struct output *o, const struct sockaddr_storage *address);

#endif
