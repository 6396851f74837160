/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Our own onMetaData: what platforms are told about the show. Made from the codec headers in
 * force and the numbers in the live feed's PACKET_META; an encoder's codec ids are never
 * trusted. Pure: no I/O, no clock.
 */
#ifndef RELAY_METADATA_H
#define RELAY_METADATA_H

#include <understudy/buffer.h>
#include <understudy/codec.h>

#define METADATA_BYTES_MAX 1024

struct metadata_source {
	const struct header_set *headers;
	/* The newest frame of the main track of each kind; kind 0 if there was none. Says what
	 * codec is on air where there is no header (MP3, VP8). */
	struct packet video, audio;
	const char *encoder; /* our name and version */
};

/* Appends a data message body: "@setDataFrame", "onMetaData", ECMA array. False if it did not
 * fit. */
bool metadata_build(const struct metadata_source *source, struct buffer *to);

/* True if a platform must understand Enhanced RTMP to take this show. */
bool metadata_needs_enhanced(const struct metadata_source *source);

/* FourCC of the main picture if a platform must have heard of it, else "". */
void metadata_needed_codec(const struct metadata_source *source, char ret[5]);

#endif
