/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * FLV / (Enhanced) RTMP message bodies <-> canonical packets, without loss.
 * Sources: Adobe FLV 10.1 annex E, veovera Enhanced RTMP v1 and v2.
 *
 * One message may carry several packets (multitrack); one ModEx prefix belongs to all
 * of them. Bodies with reserved or unknown parts become one PACKET_OPAQUE, never an error;
 * a truncated body is an error and the message is dropped by the caller, not the connection.
 * Not carried on: ModEx types other than the nanosecond offset, tracks beyond
 * PACKET_TRACKS_MAX, and tracks of unknown codecs beside known ones in one message.
 */
#ifndef UNDERSTUDY_FLV_H
#define UNDERSTUDY_FLV_H

#include <stddef.h>

#include <understudy/packet.h>

enum flv_message { FLV_AUDIO = 8, FLV_VIDEO = 9, FLV_DATA = 18 };

enum flv_error {
	FLV_OK = 0,
	FLV_TRUNCATED = -1,
	FLV_TOO_MANY_TRACKS = -2,
	FLV_BAD_MODEX = -3,
	FLV_TOO_BIG = -4, /* more than PACKET_SIZE_MAX */
};

#define FLV_ITEMS_MAX PACKET_TRACKS_MAX

struct flv_item {
	/* kind, type, codec, track, head, flags (KEY, DISPOSABLE, EX, SILENCE), nano, size
	 * filled; dts = the time given, pts = dts + composition time; the rest 0. For
	 * AVC/HEVC KEY is the encoder's word; codec_random_access() verifies it. `head` behind
	 * ModEx or Multitrack has the packet type they lead to. Zero-length audio has codec
	 * CODEC_NONE and no head; so have legacy codecs other than AVC, HEVC, AAC and MP3, but
	 * with their head. */
	struct packet packet;
	const uint8_t *payload; /* inside the body given */
};

/* Takes a message body apart. `dts_90k` is its unwrapped time. Returns the number of items
 * (0: nothing worth carrying, such as an empty data message) or enum flv_error.
 * onMetaData (with or without @setDataFrame) becomes PACKET_META with the values after the
 * name; other data messages PACKET_SCRIPT. Type 15 (AMF3 data): skip its format byte first. */
int flv_parse(enum flv_message message, int64_t dts_90k, const uint8_t *body, size_t size,
	      struct flv_item ret_items[FLV_ITEMS_MAX]);

#define FLV_HEAD_MAX 32

/* The bytes that go before the payload to make a message body of it again, byte for byte as
 * it came if it was a legacy or single-track Enhanced one; packets that came from no FLV message
 * go out in legacy form where there is one (AVC, AAC, MP3), else Enhanced; track > 0 as
 * OneTrack multitrack; nano as ModEx. `cts_ms` is the composition time of the outgoing session.
 * PACKET_META gets "@setDataFrame" and "onMetaData". Returns the size, <= FLV_HEAD_MAX, and
 * sets *ret_message to the RTMP message type. */
size_t flv_write_head(const struct packet *p, int32_t cts_ms, uint8_t ret_head[FLV_HEAD_MAX],
		      enum flv_message *ret_message);

/* FLV file framing (Adobe FLV E.2, E.4.1). */
#define FLV_FILE_HEADER_BYTES 13 /* signature, flags, PreviousTagSize0 */
#define FLV_TAG_HEADER_BYTES 11
#define FLV_TAG_TRAILER_BYTES 4
void flv_write_file_header(uint8_t ret[FLV_FILE_HEADER_BYTES], bool has_audio, bool has_video);
void flv_write_tag_header(uint8_t ret[FLV_TAG_HEADER_BYTES], enum flv_message message,
			  uint32_t timestamp_ms, uint32_t body_bytes);
void flv_write_tag_trailer(uint8_t ret[FLV_TAG_TRAILER_BYTES], uint32_t body_bytes);

/* And back. Both return how many bytes they took, 0 if there are not enough yet, or FLV_TRUNCATED
 * if this is no FLV (any more). */
struct flv_tag {
	enum flv_message message;
	uint32_t timestamp_ms;
	const uint8_t *body; /* inside the bytes given */
	size_t size;         /* 0 of one that is encrypted */
};
int flv_read_file_header(const uint8_t *data, size_t size);
int flv_read_tag(const uint8_t *data, size_t size, struct flv_tag *ret);

#endif
