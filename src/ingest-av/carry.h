/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A pulled URL on its way into the feed ring, and what its process knows. ingest-av-pull.
 *
 * main-pull.c looks after the supervisor and the clock; carry.c after the media, by what comes:
 *
 *   MPEG-TS   by srt, udp, rtp, http   inspected, demultiplexed as from ingest-srt
 *   FLV       by http                  taken apart as from an encoder
 *   AAC, MP3  by http                  frames are counted, as there are no times
 *   HLS       by http                  libavformat's demultiplexer, paced
 *   Ogg       by http                  likewise
 *   RTSP                               libavformat's, from the moment the streams' clocks are known
 */
#ifndef INGEST_AV_CARRY_H
#define INGEST_AV_CARRY_H

#include <stdbool.h>
#include <stdint.h>

#include <understudy/ipc.h>
#include <understudy/ts.h>

#include "fetch.h"
#include "reservoir.h"
#include "stream.h"

#define PULL_HEAD_BYTES 4096

struct pull {
	struct ipc_pull_start start; /* holds secrets: wiped at the end */
	struct fetch_address address;
	struct streams streams;
	struct fetch fetch;
	struct ts_inspector inspector;
	struct reservoir reservoir;
	int wake;
	int64_t looked_us, second_us, status_us, deadline_us;
	int64_t arrival_us; /* of what was read last */
	uint64_t bytes, bytes_at_status;
	unsigned seconds_over_limit;
	bool has_media; /* the supervisor knows that there is some */
	bool is_ended;  /* nothing more will be read */
	bool is_over;   /* told to stop, or nobody is there to be told anything */
	char cause[IPC_TEXT];
	uint8_t head[PULL_HEAD_BYTES]; /* the first bytes, which tell what it is */
	int head_bytes, head_at;
};

/* Fetches until the end; then `p->cause` says why. */
void carry_all(struct pull *p);

/* By libavformat's demultiplexer of that name; RTSP. */
void carry_format(struct pull *p, const char *name);
void carry_rtsp(struct pull *p);
void carry_flv(struct pull *p);
/* The next bytes of the stream; 0 at its end. An input_read. */
int carry_read(void *pull, uint8_t *to, int room);

/* For those: something came; something went wrong; from now on packets go out at the speed of their
 * clock, this much ahead of it at most. */
void carry_mark_progress(struct pull *p);
void carry_fail(struct pull *p, int error);
void carry_slowly(struct pull *p, int64_t lead_us);
/* What is due goes into the ring, and its readers see it. */
void carry_flow(struct pull *p);

/* Ends the stream from our side; the first cause counts. */
void pull_end(struct pull *p, const char *cause);
/* Orders, the second, the time limit; cheap when asked often. */
void pull_attend(struct pull *p);
/* The same, and waits until `until_us` or an order comes. */
void pull_wait(struct pull *p, int64_t until_us);
void pull_report(struct pull *p, enum ipc_type type, const void *body);

#endif
