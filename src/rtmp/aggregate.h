/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Aggregate messages (type 22, Adobe RTMP 1.0, 7.1.6): FLV tags one after the other. Internal
 * to the RTMP room.
 */
#ifndef UNDERSTUDY_RTMP_AGGREGATE_H
#define UNDERSTUDY_RTMP_AGGREGATE_H

#include "chunk.h"

struct aggregate {
	struct reader in;
	uint32_t stream;
	uint32_t base_ms; /* of the aggregate; its first part starts there */
	uint32_t first_ms;
	bool is_started;
};

struct aggregate aggregate_over(const struct message *m);
/* The next part; false at the end or at the first malformed part (then in.failed is set). */
bool aggregate_next(struct aggregate *a, struct message *ret);
/* Number of parts, or RTMP_BAD_MESSAGE or RTMP_TOO_LARGE if one is malformed, nested or larger
 * than a message of its type may be. */
int aggregate_check(const struct message *m, const struct rtmp_limits *limits);

#endif
