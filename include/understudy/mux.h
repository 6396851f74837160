/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The show's packets into a container of libavformat (src/av).
 *
 * tracks   which streams there are, from the codec headers in force; what may change without
 *          beginning the container anew
 * mux      one container: header, packets, trailer, to a sink of ours or to a URL
 *
 * Times are 1/90000 s. May block in the sink and, for URLs, in the network, but not beyond
 * MUX_PATIENCE_US without an answer. No descriptors are opened but those of URLs.
 */
#ifndef UNDERSTUDY_MUX_H
#define UNDERSTUDY_MUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <understudy/codec.h>
#include <understudy/packet.h>

#define MUX_TEXT 192
#define MUX_PATIENCE_US 10000000

enum mux_format {
	MUX_NONE,
	MUX_MATROSKA,
	MUX_MP4,  /* fragmented: what is written can be played after a crash */
	MUX_TS,   /* joined at any key frame: PAT, PMT and parameter sets before each */
	MUX_ADTS, /* AAC alone */
	MUX_MP3,
	MUX_OGG,
	MUX_RTSP,   /* by URL only */
	MUX_RTP_TS, /* by URL only */
	MUX_FORMATS
};
const char *mux_format_str(enum mux_format format); /* for people: "MPEG-TS" */
bool mux_can_carry(enum mux_format format, uint32_t codec);
/* By the ending of a file's name; MUX_NONE if it is none of ours. */
enum mux_format mux_format_of(const char *path);
/* What players of web radio take for a codec of sound; MUX_NONE if nothing. */
enum mux_format mux_format_for_radio(uint32_t codec);

/* ---- tracks ---- */

#define TRACKS_MAX 8

struct track {
	uint8_t kind; /* enum packet_kind */
	uint8_t track;
	uint32_t codec;
	uint8_t *config; /* owned: the codec header the container was begun with */
	size_t config_bytes;
	uint8_t *sets; /* owned: later parameter sets, to go in before each key frame */
	size_t sets_bytes;
	struct codec_params params;
	int stream; /* its number in the container; -1 = left out */
	int64_t last_dts_90k, step_90k;
	int64_t next_samples; /* MP4: when the next frame of sound is due, in samples */
	bool is_settled;
};
struct tracks {
	struct track items[TRACKS_MAX];
	unsigned count;
};

enum tracks_change {
	TRACKS_SAME,    /* nothing, or nothing that matters */
	TRACKS_IN_BAND, /* parameter sets that will go before key frames */
	TRACKS_ANEW,    /* the container cannot go on with this */
};

/* Tracks by the headers in force; replaces what was there. 0 or -ENOMEM. */
int tracks_read(struct tracks *t, const struct header_set *headers);
/* A frame: may be of a track without a header (MP3, AC-3). `payload` is the caller's own. */
int tracks_see(struct tracks *t, const struct packet *p, const uint8_t *payload);
/* A codec header that differs from the one in force. */
enum tracks_change tracks_update(struct tracks *t, const struct packet *p, const uint8_t *payload);
bool tracks_have(const struct tracks *t, enum packet_kind kind);
struct track *tracks_find(struct tracks *t, const struct packet *p);
/* Chooses the streams of a format; the number of them. `remark` says which tracks are left out
 * and why, "" if none. */
unsigned tracks_choose(struct tracks *t, enum mux_format format, char remark[MUX_TEXT]);
void tracks_finish(struct tracks *t);

/* ---- mux ---- */

/* `seek` may be NULL: a sink that cannot go back. */
struct mux_sink {
	int (*write)(void *context, const uint8_t *bytes, size_t size); /* 0 or -errno */
	int64_t (*seek)(void *context, int64_t offset, int whence);     /* or -errno */
	void *context;
	size_t unit_bytes; /* how much is written at once; 0 = any */
};

struct mux_address {         /* where URL formats go; secrets are wiped by the owner */
	const char *url;     /* host and port are numbers: no name is looked up */
	const char *headers; /* HTTP: further header lines, or NULL */
	const char *content_type;
};

struct mux;

/* Begins a container with the streams chosen. Exactly one of sink and address. 0, or a negative
 * errno with `why` in words. */
int mux_create(enum mux_format format, struct tracks *t, const struct mux_sink *sink,
	       const struct mux_address *address, struct mux **ret, char why[MUX_TEXT]);
/* Packets of tracks left out are passed over. `base_90k` is the container's time 0. */
int mux_write(struct mux *m, struct tracks *t, const struct packet *p, const uint8_t *payload,
	      int64_t base_90k, char why[MUX_TEXT]);
/* Everything so far goes to the sink. */
int mux_flush(struct mux *m, char why[MUX_TEXT]);
/* Writes the trailer if `is_whole`, and frees. */
int mux_destroy(struct mux **m, bool is_whole);
uint64_t mux_bytes(const struct mux *m);
/* True if the container can go on in another sink (TS). */
bool mux_can_move(const struct mux *m);

/* The library's warnings and errors, bounded and few; secrets are the caller's affair. */
void mux_set_log(void (*say)(const char *line));

#endif
