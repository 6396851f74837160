/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The chunk layer (Adobe RTMP 1.0, 5.3): bytes <-> messages. Internal to the RTMP room.
 *
 * Reading, one chunk after the other:
 *
 *     HEAD --all header bytes there--> PAYLOAD --chunk full--> HEAD
 *                                         '--message full--> returned to the caller
 *
 * Memory: a chunk stream's body grows as its bytes arrive, never by its declared length, and
 * is kept for the next message. All bodies together stay within limits->partial_bytes.
 */
#ifndef UNDERSTUDY_RTMP_CHUNK_H
#define UNDERSTUDY_RTMP_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <understudy/buffer.h>
#include <understudy/bytes.h>
#include <understudy/rtmp.h>

#include "rate.h"

enum message_type {
	MESSAGE_SET_CHUNK_SIZE = 1,
	MESSAGE_ABORT = 2,
	MESSAGE_ACK = 3,
	MESSAGE_USER_CONTROL = 4,
	MESSAGE_WINDOW_ACK_SIZE = 5,
	MESSAGE_SET_PEER_BANDWIDTH = 6,
	MESSAGE_AUDIO = 8,
	MESSAGE_VIDEO = 9,
	MESSAGE_DATA_AMF3 = 15,
	MESSAGE_COMMAND_AMF3 = 17,
	MESSAGE_DATA = 18,
	MESSAGE_COMMAND = 20,
	MESSAGE_AGGREGATE = 22,
};

enum chunk_stream_id {
	CSID_CONTROL = 2,
	CSID_COMMAND = 3,
	CSID_AUDIO = 4, /* and data */
	CSID_STATUS = 5,
	CSID_VIDEO = 6,
};

#define CHUNK_SIZE_DEFAULT 128
#define CHUNK_SIZE_MAX 0xFFFFFF /* no message is longer, so larger sizes mean the same */

struct message {
	uint8_t type;
	uint32_t timestamp_ms;
	uint32_t stream; /* message stream id */
	const uint8_t *body;
	size_t size;
};

/* The most a message of this type may declare. */
uint32_t message_size_limit(const struct rtmp_limits *limits, uint8_t type);

/* ---- reading ---- */

struct chunk_stream {
	uint32_t id; /* 0: slot is free */
	/* The last header on this id, which later ones refer to. */
	uint32_t timestamp_ms;
	uint32_t field; /* last timestamp field on the wire: absolute after fmt 0, else a delta */
	uint32_t length;
	uint32_t message_stream;
	uint8_t type;
	bool has_extended; /* `field` came as an extended timestamp */
	bool is_partial;   /* a message is being put together */
	uint64_t last_used;
	uint8_t *body; /* owned */
	uint32_t filled, capacity;
	uint32_t small_messages; /* in a row that would have done with far less capacity */
};

#define CHUNK_HEAD_MAX (3 + 11 + 4)

struct chunk_reader {
	const struct rtmp_limits *limits;
	struct chunk_stream *streams; /* owned; limits->chunk_streams slots */
	struct chunk_stream *current; /* whose payload is being read; NULL between chunks */
	uint32_t left;                /* payload bytes of this chunk to come */
	uint32_t chunk_size;          /* what the peer has set */
	uint8_t head[CHUNK_HEAD_MAX]; /* of the chunk to come */
	uint8_t head_bytes;
	uint64_t chunks;
	size_t body_bytes; /* capacity of all bodies */
	struct rate rate;
};

/* 0 or RTMP_NO_MEMORY. `limits` must outlive the reader. */
int chunk_reader_init(struct chunk_reader *r, const struct rtmp_limits *limits);
void chunk_reader_finish(struct chunk_reader *r);
/* Takes bytes from `in` until a message is complete (1: *ret filled, its body valid until the
 * next call) or they are used up (0); or enum rtmp_error, after which the reader is unusable. */
int chunk_read(struct chunk_reader *r, struct reader *in, int64_t now_us, struct message *ret);
/* Set Chunk Size from the peer: 1..0x7FFFFFFF. */
void chunk_set_size(struct chunk_reader *r, uint32_t size);
/* Abort from the peer: drops what has come of the message on that chunk stream. */
void chunk_abort(struct chunk_reader *r, uint32_t csid);

/* ---- writing ---- */

/* Appends a whole message, fmt 0 (Adobe 5.3.1.2.1: always understood), in chunks of
 * `chunk_size`. All of it or nothing: 0 or a negative errno of the buffer. */
int chunk_write(struct buffer *out, uint32_t csid, const struct message *m, uint32_t chunk_size);

#endif
