/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The simple handshake (Adobe RTMP 1.0, 5.2), both sides. Internal to the RTMP room.
 *
 *     server: FIRST (C0 C1) -> ECHO (C2, contents ignored) -> DONE
 *     client: FIRST (S0 S1) -> ECHO (S2, contents ignored) -> DONE
 */
#ifndef UNDERSTUDY_RTMP_HANDSHAKE_H
#define UNDERSTUDY_RTMP_HANDSHAKE_H

#include <understudy/buffer.h>
#include <understudy/bytes.h>

#define HANDSHAKE_BYTES 1536
#define HANDSHAKE_RANDOM_BYTES 1528

enum handshake_phase { HANDSHAKE_FIRST, HANDSHAKE_ECHO, HANDSHAKE_DONE };

struct handshake {
	enum handshake_phase phase;
	bool is_server;
	size_t got; /* bytes of this phase */
	uint8_t own[1 + HANDSHAKE_BYTES];
	uint8_t peer[1 + HANDSHAKE_BYTES];
};

void handshake_init(struct handshake *h, bool is_server,
		    const uint8_t random[HANDSHAKE_RANDOM_BYTES]);
/* What the side that speaks first says at once: C0 C1 for the client, nothing for the server.
 * 0 or a negative errno of the buffer. */
int handshake_start(struct handshake *h, struct buffer *out);
/* Takes bytes from `in`; answers go to `out`, all of a step together. 0, or enum rtmp_error. */
int handshake_read(struct handshake *h, struct reader *in, struct buffer *out);

#endif
