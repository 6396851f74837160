/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How ingest-srt hands a transport stream to its ingest-av: messages over a SOCK_SEQPACKET pair
 * made by the supervisor, never blocking the sender. Each has this head and then one or several
 * payloads of the sender, in order. The end of the stream is the end of the socket.
 */
#ifndef UNDERSTUDY_TSLINK_H
#define UNDERSTUDY_TSLINK_H

#include <assert.h>
#include <stdint.h>

#define TSLINK_BYTES_MAX 16384 /* head and payloads */

enum tslink_flag { TSLINK_GAP = 1 }; /* something before this was lost */

struct tslink_head {
	int64_t delivered_us; /* monotonic: when SRT let it go, jitter and drift taken out */
	uint32_t latency_us;  /* of which SRT held it for so long */
	uint32_t flags;       /* enum tslink_flag */
};
static_assert(sizeof(struct tslink_head) == 16, "struct tslink_head is an interface");

#endif
