/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * SRT connections, never blocking. Runs in relay-srt; libsrt brings threads of its own, which
 * touch nothing of ours but the expected stream id (constant). libsrt is seen in peer.c alone: its
 * headers define the names of log levels.
 *
 *   PEER_NONE --dial, accept--> PEER_CONNECTING --> PEER_CONNECTED --lost, stalled--> PEER_NONE
 *                                     '----------------refused------------------------^
 *
 * Sending goes into libsrt's own buffer, which drops what comes too late for the latency agreed
 * on; one that is full answers -EAGAIN, and the peer goes on at the next joining point.
 */
#ifndef RELAY_SRT_PEER_H
#define RELAY_SRT_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <understudy/ipc.h>

#define PEER_UNIT_BYTES 1316

enum peer_state { PEER_NONE, PEER_CONNECTING, PEER_CONNECTED };

struct peer {
	enum peer_state state;
	int socket;
	bool is_running;    /* has been given a point to join at */
	uint64_t sent;      /* units since it was connected */
	uint64_t sent_seen; /* at the last sign of life */
	int64_t acks;
	int64_t acked_us;    /* when its acknowledgements last rose */
	char name[IPC_NAME]; /* address and port */
};

/* Once, after worker_begin(): starts libsrt's threads. */
int peer_library_start(void);
void peer_library_stop(void);

/* 0, or a negative errno with `why` in words. */
int peer_dial(struct peer *p, const struct ipc_output_start *start,
	      const struct sockaddr_storage *address, char why[IPC_TEXT]);
/* Looks how it stands. -ECONNREFUSED (the peer said no), -ECONNABORTED (never was or is no more),
 * with `why`; else 0. */
int peer_poll(struct peer *p, int64_t now_us, char why[IPC_TEXT]);
/* 0, -EAGAIN (no room now) or -EPIPE (lost). At most PEER_UNIT_BYTES. */
int peer_send(struct peer *p, const uint8_t *bytes, size_t size);
/* Adds what the connection has seen. For how long the peer has acknowledged nothing of what it was
 * sent (us). libsrt itself takes five seconds and more to notice. */
int64_t peer_count(struct peer *p, int64_t now_us, struct ipc_srt_status *sum, int64_t *backlog_ms);
void peer_close(struct peer *p);

/* The socket that players come to; as peer_dial(). *ret stays open until peer_close_listener(). */
int peer_listen(const struct ipc_output_start *start, int *ret, char why[IPC_TEXT]);
void peer_close_listener(int *listener);
/* True if somebody came. */
bool peer_accept(struct peer *p, int listener, int64_t now_us);

#endif
