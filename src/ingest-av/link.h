/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where the transport stream comes from: the socket of ingest-srt (tslink.h). ingest-av.
 *
 * All waiting of the process is in link_read(): for the stream, for the supervisor, and for the
 * second to be over. What it gives out it has inspected first. Owns the socket.
 */
#ifndef INGEST_AV_LINK_H
#define INGEST_AV_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include <understudy/ipc.h>
#include <understudy/ts.h>
#include <understudy/tslink.h>

struct link_ops {
	void (*idle)(void *owner);   /* before it waits: show what was written */
	void (*second)(void *owner); /* once a second */
	/* An order that is not the link's; false if it is nobody's. */
	bool (*order)(void *owner, struct ipc_message *m);
};

struct link {
	int socket, control;
	const struct link_ops *ops;
	void *owner;
	int64_t backdate_us, second_us;
	int64_t arrival_us; /* of what is being given out */
	uint64_t bytes, gaps;
	struct ts_inspector inspector;
	bool is_ended; /* nothing more will be given out */
	bool is_told;  /* because the supervisor said so */
	size_t at, filled;
	uint8_t message[TSLINK_BYTES_MAX];
};

/* `l` is zeroed but for socket, control, ops, owner and backdate_us. */
void link_init(struct link *l);
void link_finish(struct link *l);
/* Ends the stream from our side. */
void link_end(struct link *l);
/* An input_read: waits for bytes; 0 at the end. */
int link_read(void *link, uint8_t *to, int room);

#endif
