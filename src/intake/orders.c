/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Orders about the feed (orders.h). */
#include <string.h>
#include <unistd.h>

#include <understudy/log.h>
#include <understudy/orders.h>

static enum orders_result orders_move(struct feed_writer *feed, int *wake, struct ipc_message *m)
{
	const struct ipc_feed_ring *order = (const void *)m->body;
	int ring = ipc_take_fd(m, 0), fresh = ipc_take_fd(m, 1);
	int error = feed_writer_move(feed, ring, order->span_us, fresh);
	int unused = fresh;

	close(ring);
	if (error != 0) {
		log_error("cannot open another feed ring: %s", strerror(-error));
	} else {
		unused = *wake;
		*wake = fresh;
	}
	if (unused >= 0) {
		close(unused);
	}
	return error != 0 ? ORDERS_DONE : ORDERS_MOVED;
}

enum orders_result orders_obey(struct feed_writer *feed, int *wake, struct ipc_message *m)
{
	const struct ipc_feed_pace *pace = (const void *)m->body;
	const struct ipc_feed_fault *fault = (const void *)m->body;

	switch (m->type) {
	case IPC_FEED_PACE:
		ring_writer_set_span(feed->ring, pace->span_us);
		return ORDERS_DONE;
	case IPC_FEED_FAULT:
		feed_writer_spoil(feed, (enum feed_fault)fault->fault, fault->until_us);
		return ORDERS_DONE;
	case IPC_FEED_RING:
		return orders_move(feed, wake, m);
	default:
		return ORDERS_UNKNOWN;
	}
}
