/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Orders about the feed that all who fetch one take: how much its ring holds, another ring, faults
 * in rehearsals. Never blocks. */
#ifndef UNDERSTUDY_ORDERS_H
#define UNDERSTUDY_ORDERS_H

#include <understudy/feed.h>
#include <understudy/ipc.h>

enum orders_result {
	ORDERS_UNKNOWN, /* not such an order */
	ORDERS_DONE,
	ORDERS_MOVED, /* there is another ring now: the supervisor waits for RING_READY */
};

/* `wake`: the descriptor the feed's ring was opened with, or -1; replaced if the ring is. */
enum orders_result orders_obey(struct feed_writer *feed, int *wake, struct ipc_message *m);

#endif
