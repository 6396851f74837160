/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One UDP port and everybody who publishes to it. ingest-srt.
 *
 *   caller --> door (libsrt's thread) --> accepted: SRT_ACCEPTED --> SRT_CARRY: its stream goes
 *   to the socket that came with it --> closed: SRT_CLOSED
 *
 * Between accepting and carrying, libsrt keeps what comes. Owns the SRT sockets and the sockets
 * towards the ingest-av processes, which are never waited for: what has no room is dropped,
 * counted, and marked as a gap.
 */
#ifndef INGEST_SRT_PORT_H
#define INGEST_SRT_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include <srt/srt.h>
/* It brings in syslog.h, whose levels are not those of our log. */
#undef LOG_INFO
#undef LOG_DEBUG

#include <understudy/ipc.h>
#include <understudy/tslink.h>

#include "door.h"

#define PORT_CONNECTIONS_MAX 64

struct caller {
	SRTSOCKET socket; /* SRT_INVALID_SOCK = free */
	uint64_t id;
	int out;                      /* -1 until it is carried */
	int64_t accepted_us, last_us; /* last_us: when a packet came last */
	uint32_t latency_us;
	int32_t next_sequence;
	bool has_sequence, has_gap;
	struct ipc_caller_status status;
	char peer[IPC_NAME];
};

struct port {
	struct door door;
	SRTSOCKET listener;
	int poll; /* SRT's */
	int control;
	uint64_t next_id;
	int64_t second_us;
	bool is_lost; /* the supervisor is gone */
	struct caller callers[PORT_CONNECTIONS_MAX];
	size_t filled;
	uint8_t message[TSLINK_BYTES_MAX];
};

/* Takes the bound UDP socket, in any case. 0, or -1 with the reason logged. */
int port_open(struct port *p, int udp_fd, int control);
void port_close(struct port *p);
/* Waits some milliseconds for callers and serves them. */
void port_serve(struct port *p);
/* Orders of the supervisor. `fd` is taken. */
void port_carry(struct port *p, uint64_t id, int fd);
void port_drop(struct port *p, uint64_t id);

#endif
