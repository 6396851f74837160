/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A pulled URL as bytes, by libavformat's protocols. ingest-av-pull; blocks in fetch_open() and
 * fetch_read(), which the interrupt callback ends. What libavformat prints is kept to itself: its
 * last words, without URLs, become part of the reason for an error.
 */
#ifndef INGEST_AV_FETCH_H
#define INGEST_AV_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libavformat/avio.h>

#include <understudy/ipc.h>

#define FETCH_HOST 256

/* The configured URL, taken apart. */
struct fetch_address {
	char scheme[16], host[FETCH_HOST];
	int port;          /* -1 = not given */
	const char *query; /* in the URL, behind the question mark; "" if none */
};
void fetch_split(const char *url, struct fetch_address *ret);
/* How long SRT holds back what has come; 0: it is another protocol, or as the library likes it. */
uint32_t fetch_latency_ms(const struct ipc_pull_start *start, const struct fetch_address *address);

struct AVFormatContext;
typedef int fetch_default_open(struct AVFormatContext *format, AVIOContext **io, const char *url,
			       int flags, AVDictionary **options);

struct fetch {
	AVIOContext *io;
	AVIOInterruptCB interrupt;
	int trust;   /* descriptor of the trusted certificates */
	bool is_rtp; /* each read is one datagram, which begins with a header */
	/* of a demultiplexer that opens URLs itself */
	fetch_default_open *open;
	unsigned opened;        /* since there was media last */
	char trouble[IPC_TEXT]; /* why one of them was refused */
};

/* `f` holds the interrupt callback and `trust`. 0 or an AVERROR. */
int fetch_open(struct fetch *f, const struct ipc_pull_start *start);
void fetch_close(struct fetch *f);
/* The same by a demultiplexer of libavformat's ("hls", "rtsp", "ogg"); every URL that it opens in
 * turn has to be of the kinds that are allowed, and not too many of them without media between. */
int fetch_open_format(struct fetch *f, const struct ipc_pull_start *start, const char *name,
		      struct AVFormatContext **ret);
void fetch_mark_progress(struct fetch *f);
/* Why a URL was refused, which is the end; "" if none was. */
const char *fetch_trouble(const struct fetch *f);
/* Bytes; 0 at the end; an AVERROR. */
int fetch_read(struct fetch *f, uint8_t *to, int room);
/* Options for a URL of this scheme. 0 or an AVERROR. */
int fetch_options(const struct fetch *f, const char *scheme, AVDictionary **options);
/* An AVERROR, and what libavformat said of it, in words. */
void fetch_explain(int error, char *to, size_t size);
/* Before anything else: nothing of what libavformat prints goes anywhere by itself. */
void fetch_begin_log(void);

#endif
