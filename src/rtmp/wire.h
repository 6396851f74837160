/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What both ends of a session share: handshake, chunks, protocol control (sizes, aborts,
 * acknowledgements, pings), limits on the rate of messages, and the output. Internal to the
 * RTMP room.
 */
#ifndef UNDERSTUDY_RTMP_WIRE_H
#define UNDERSTUDY_RTMP_WIRE_H

#include "chunk.h"
#include "handshake.h"

struct wire {
	struct rtmp_limits limits;
	struct handshake handshake;
	struct chunk_reader in;
	struct buffer out;
	uint32_t chunk_out;      /* what we have announced, or the default */
	uint32_t chunk_size_min; /* the smallest the peer may set now */
	struct rate messages, pongs;
	uint64_t received;     /* bytes fed, handshake included */
	uint64_t acknowledged; /* `received` when we last sent an Acknowledgement */
	uint32_t window;       /* the peer wants one after so many bytes */
	uint32_t peer_acknowledged;
	int error; /* sticky: the first one ends the session */
};

/* 0 or RTMP_NO_MEMORY; wire_finish() is right after both. */
int wire_init(struct wire *w, bool is_server, const struct rtmp_limits *limits,
	      const uint8_t random[HANDSHAKE_RANDOM_BYTES]);
void wire_finish(struct wire *w);

/* Reads on until a message for the session is complete (1: *ret, valid until the next call)
 * or `in` is used up (0); or enum rtmp_error. Handshake and protocol control stay in here. */
int wire_read(struct wire *w, struct reader *in, int64_t now_us, struct message *ret);
/* After each step: counts its bytes and acknowledges when a window is full. */
void wire_count(struct wire *w, size_t bytes);

/* What waits to be sent: whole messages, but for what the socket has already taken. */
size_t wire_output(const struct wire *w, const uint8_t **ret);
/* Whole messages, in order. 0, or RTMP_TOO_FAST if the peer does not read our answers. */
int wire_send(struct wire *w, uint32_t csid, const struct message *m);
int wire_send_u32(struct wire *w, uint8_t type, uint32_t value);
int wire_send_user_control(struct wire *w, uint16_t event, uint32_t value);
/* Announces what we send from now on; only before the peer has stopped listening. */
int wire_send_chunk_size(struct wire *w, uint32_t size);

enum user_control_event {
	USER_STREAM_BEGIN = 0,
	USER_SET_BUFFER_LENGTH = 3,
	USER_PING_REQUEST = 6,
	USER_PING_RESPONSE = 7,
};

#endif
