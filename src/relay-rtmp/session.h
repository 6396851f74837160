/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One connection to a platform, from the connected socket to the goodbye: TLS, the RTMP client,
 * and media out. Does the socket's I/O, never blocks, knows no event loop: the destination
 * watches session_fd() for session_wants() and calls session_step() and session_flush().
 *
 *   SECURING --TLS done--> ASKING --publish accepted--> PUBLISHING --session_leave()--> LEAVING
 *
 * Session bytes (acknowledgements, pongs) go out between two messages, never inside one.
 */
#ifndef RELAY_SESSION_H
#define RELAY_SESSION_H

#include <understudy/net.h>

#include <understudy/ipc.h>

#include "outlet.h"

struct session;

struct session_config {
	const char *host; /* what the certificate must be for */
	const char *app, *stream, *tc_url;
	struct ssl_ctx_st *trust; /* NULL: plain */
	bool is_enhanced;
	enum ipc_tracks tracks;
	char needs[5];    /* FourCC of a codec the platform must know; "" = none in particular */
	int64_t stall_us; /* a platform that takes nothing for so long is broken */
	struct outlet_limits limits;
};

enum session_result {
	SESSION_GOES_ON,
	SESSION_ACCEPTED,  /* once: the platform takes the show from now on */
	SESSION_REJECTED,  /* the platform said no */
	SESSION_RECONNECT, /* of session_tick(): the platform asks for a new connection */
	SESSION_BROKEN,    /* error, stall, time-out, end of stream */
	SESSION_LEFT,      /* after session_leave(): all said */
};

/* Takes the connected descriptor on success only. NULL if memory is out. */
struct session *session_create(const struct session_config *config, int fd, int64_t now_us);
/* unclean: the platform sees a reset and keeps the broadcast for our return. */
void session_destroy(struct session **s, bool unclean);

int session_fd(const struct session *s);
unsigned session_wants(const struct session *s); /* enum stream_want */

/* Reads what is there, answers, writes what there is to write. */
enum session_result session_step(struct session *s, int64_t now_us);
/* Writes what is queued unless the socket is known to be full. */
enum session_result session_flush(struct session *s);
/* The time-outs of every phase; to be called at least once a second. */
enum session_result session_tick(struct session *s, int64_t now_us);
/* In words, without secrets; for REJECTED and BROKEN. Valid while the session lives. */
const char *session_error(const struct session *s);
/* REJECTED: the challenge the platform sent with it (auth.h), or "". RECONNECT: the tcUrl, or "".
 * Foreign and perhaps secret: not for people. */
const char *session_demand(const struct session *s);

bool session_is_publishing(const struct session *s);
/* A message of the show; BROKEN if the platform is too slow or memory is out. */
enum session_result session_offer(struct session *s, struct message *m,
				  const struct outlet_start *start);
void session_rejoin(struct session *s);
void session_rebase(struct session *s);
/* The broadcast is over: what has been begun is finished, then unpublish and an orderly end:
 * SESSION_LEFT. How long to wait for it is the caller's to decide. */
void session_leave(struct session *s);
/* Nothing is left to send, neither here nor in the socket. */
bool session_is_drained(const struct session *s);

struct session_counts {
	uint64_t bytes;   /* written */
	uint64_t dropped; /* frames */
	int64_t backlog_ms;
	int64_t time_ms;  /* session time of the newest frame */
	bool has_started; /* media goes out */
	bool is_enhanced; /* announced so */
	bool is_publishing;
	bool is_asked_for_main; /* by the configuration, whatever the platform takes */
	const char *codecs;     /* what the platform lists, see struct rtmp_event; its session's */
	uint16_t left_out[PACKET_KINDS]; /* tracks that are not sent, one bit each */
};
struct session_counts session_counts(const struct session *s);

#endif
