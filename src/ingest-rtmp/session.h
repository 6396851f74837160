/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One encoder's connection: stream, RTMP session, and the order of things. ingest-rtmp; never
 * blocks. The program (main.c) owns the control socket and the event loop and calls in here.
 *
 *      session_create
 *           |
 *      SECURING --handshake done--> TALKING --publish--> ASKING --allowed--> LIVE
 *       (TLS only)                     |                   |                   |
 *           |                          |   refused, protocol error, time-out,  |
 *           |                          v   the encoder's own end               v
 *           '----------------------> LEAVING --peer closed, or 500 ms later--> GONE
 *
 * LEAVING: INGEST_CLOSED is sent, replies are flushed, our side of the connection is shut, and
 * what still comes in is thrown away, so that the last reply is not lost to a reset. A peer that
 * is gone already, or whom nobody has to tell, is left at once.
 */
#ifndef INGEST_RTMP_SESSION_H
#define INGEST_RTMP_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include <understudy/intake.h>
#include <understudy/ipc.h>
#include <understudy/net.h>
#include <understudy/rtmp.h>

#define SESSION_READ_BYTES 65536

enum session_phase {
	SESSION_IDLE,
	SESSION_SECURING,
	SESSION_TALKING,
	SESSION_ASKING,
	SESSION_LIVE,
	SESSION_LEAVING,
	SESSION_GONE,
};

struct session {
	enum session_phase phase;
	struct stream *stream;
	struct rtmp_server *rtmp;
	struct rtmp_limits limits;
	struct intake intake;   /* LIVE */
	int control;            /* not owned */
	int wake;               /* signals the switch; owned, -1 = none */
	char encoder[IPC_TEXT]; /* flashVer, escaped */

	uint32_t max_kbps; /* 0 = no limit */
	unsigned seconds_over_limit;
	uint64_t bytes_at_status;
	int64_t status_us;   /* when the last status was due */
	int64_t leave_us;    /* LEAVING ends; CLOCK_NEVER before */
	int64_t read_us;     /* when the bytes in `in` were read */
	int64_t gather_us;   /* LIVE: how often to read; 0 = whenever something comes */
	int64_t gathered_us; /* LIVE, gathering: when it was read last */
	bool is_readable;    /* there may be more to read, whatever the socket says */
	bool is_finished;    /* LEAVING: the last reply is out, our side is shut */

	size_t at, filled; /* unparsed part of `in` */
	uint8_t in[SESSION_READ_BYTES];
};

/* Takes over the connected socket, in any case. NULL if memory is out or the TLS material is no
 * good; *ret_error then says which. `chain` and `key` are for TLS, and the caller's. */
struct session *session_create(int socket, bool is_tls, int chain, int key, int control,
			       const char **ret_error);
void session_destroy(struct session **s);

/* The socket is ready, or session_wants_more(): reads a batch, answers it, publishes it. */
void session_step(struct session *s);
/* The supervisor's answer; takes its descriptors. */
void session_answer(struct session *s, struct ipc_message *m);
/* The show's delay was changed: how much the ring has to hold, how often to listen. */
void session_set_pace(struct session *s, const struct ipc_feed_pace *order);
/* A rehearsal: spoils what comes in. */
void session_spoil(struct session *s, const struct ipc_feed_fault *order);
/* The end of one: goes on in another ring, as if the encoder had come back; takes the order's
 * descriptors. */
void session_move(struct session *s, struct ipc_message *m);
/* Deadlines and the status of each second; call when session_deadline() has passed. */
void session_tick(struct session *s);

int64_t session_deadline(const struct session *s);
/* What to wait for: enum stream_want; 0 = the supervisor's answer only. */
unsigned session_wants(struct session *s);
/* A bounded step left bytes unread that the socket may not announce again. */
bool session_wants_more(const struct session *s);

#endif
