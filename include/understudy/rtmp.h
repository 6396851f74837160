/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * RTMP, sans I/O: bytes in, events and bytes out. No clock, no socket, no log; memory
 * bounded by struct rtmp_limits whatever the peer sends.
 * Sources: Adobe RTMP 1.0; Enhanced RTMP v2 for connect properties; traps in
 * docs/internals.
 *
 *     server                                   client
 *     HANDSHAKE -> CONNECT -> READY            HANDSHAKE -> CONNECTING -> CREATING
 *        -> ASKING (publish seen, waiting         -> PUBLISHING (events PUBLISHING)
 *           for rtmp_server_answer)               -> any: REFUSED
 *        -> LIVE -> DONE
 *
 * Use, both sides alike:
 *     while (n > 0) {
 *         used = rtmp_server_feed(s, p, n, now_us);   // stops after one event
 *         if (used < 0) -> rtmp_error_str(used), flush output, close
 *         p += used; n -= used;
 *         while (rtmp_server_next(s, &event)) ...      // event.body valid until next feed
 *     }
 *     write rtmp_server_output() to the socket, in one write
 */
#ifndef UNDERSTUDY_RTMP_H
#define UNDERSTUDY_RTMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Limits for hostile input; rtmp_limits_default() fills in the values the docs explain. */
struct rtmp_limits {
	uint32_t command_bytes;       /* one AMF command message: 16 KiB */
	uint32_t data_bytes;          /* one data message: 64 KiB */
	uint32_t audio_bytes;         /* 256 KiB */
	uint32_t video_bytes;         /* 8 MiB */
	uint32_t partial_bytes;       /* all unfinished messages together: 12 MiB */
	uint32_t chunk_streams;       /* in use: 16 */
	uint32_t output_bytes;        /* waiting to be sent: 64 KiB */
	uint32_t unauthorised_bytes;  /* after the handshake, before publish is allowed: 64 KiB */
	uint32_t messages_per_second; /* 5000 */
	uint32_t chunks_per_second;   /* 100000 */
	int64_t handshake_us, connect_us, publish_us; /* deadlines from creation: 5, 10, 20 s */
	int64_t idle_us;              /* no media once live: 30 s */
};
void rtmp_limits_default(struct rtmp_limits *ret);

enum rtmp_error {
	RTMP_OK = 0,
	RTMP_NOT_RTMP = -1000, /* first byte is not 3; see rtmp_error_str for TLS and HTTP hints */
	RTMP_IS_TLS,
	RTMP_IS_HTTP,
	RTMP_BAD_CHUNK,
	RTMP_BAD_MESSAGE,
	RTMP_BAD_COMMAND,
	RTMP_TOO_LARGE,
	RTMP_TOO_FAST,
	RTMP_TOO_EARLY,   /* media before publish was allowed */
	RTMP_TIMEOUT,
	RTMP_NO_MEMORY,
	RTMP_ENDED,       /* fed after the end */
};
/* A sentence for the log: what is wrong and, where it helps, what to do. */
const char *rtmp_error_str(int error);

enum rtmp_event_type {
	RTMP_EVENT_NONE,
	RTMP_EVENT_PUBLISH,    /* server: may this key publish? answer with rtmp_server_answer() */
	/* server: message with audio (8), video (9) or data (18) body; types 15 and 22
	 * (aggregates) already taken apart */
	RTMP_EVENT_MEDIA,
	RTMP_EVENT_UNPUBLISH,  /* server: FCUnpublish/deleteStream/closeStream of the live stream */
	RTMP_EVENT_CONNECTED,  /* client: connect accepted */
	RTMP_EVENT_PUBLISHING, /* client: publish accepted, media may be written */
	RTMP_EVENT_REFUSED,    /* client: `code` and `description` say why (escaped, bounded) */
	RTMP_EVENT_RECONNECT,  /* client: ReconnectRequest; `description` is the tcUrl or "" */
};

#define RTMP_CODECS_MAX 96

struct rtmp_event {
	enum rtmp_event_type type;
	/* MEDIA */
	uint8_t message;         /* 8, 9 or 18 */
	uint32_t timestamp_ms;   /* as on the wire, to be unwrapped */
	const uint8_t *body;     /* valid until the next feed */
	size_t size;
	/* PUBLISH: as sent, terminated, valid until the next feed; may hold secrets: never log */
	const char *app;         /* "live", "app/inst?u=1" */
	const char *stream;      /* "KEY", "KEY?token=..." */
	const char *encoder;     /* flashVer or "" */
	bool is_enhanced;        /* PUBLISH, CONNECTED: the peer announced Enhanced RTMP */
	/* CONNECTED: the FourCCs of the server's fourCcList, each behind a blank; "" = none */
	const char *codecs;
	bool takes_tracks, takes_nano; /* and what its capsEx says: multitrack, ModEx */
	/* REFUSED, RECONNECT */
	const char *code, *description;
};

/* ---- server: a publisher talks to us ---- */
struct rtmp_server;
/* random: 1528 bytes for S1 from the caller (no RNG in here). NULL if memory is out. */
struct rtmp_server *rtmp_server_create(const struct rtmp_limits *limits, const uint8_t random[1528],
				       int64_t now_us);
void rtmp_server_destroy(struct rtmp_server **s);
/* Bytes consumed (> 0 if n > 0, unless an event or a publish answer is waiting: then 0) or
 * enum rtmp_error; after an error only output may still be taken. Before publishing is allowed a
 * passed deadline is an error here too. */
ssize_t rtmp_server_feed(struct rtmp_server *s, const uint8_t *bytes, size_t n, int64_t now_us);
bool rtmp_server_next(struct rtmp_server *s, struct rtmp_event *ret);
/* The answer to RTMP_EVENT_PUBLISH, once. Refused: onStatus level error with code BadName and
 * `reason` (may be NULL) is queued; the caller flushes and closes. */
void rtmp_server_answer(struct rtmp_server *s, bool allowed, const char *reason);
/* RTMP_OK or the error of a deadline that has passed at now_us. */
int rtmp_server_tick(struct rtmp_server *s, int64_t now_us);
int64_t rtmp_server_deadline(const struct rtmp_server *s); /* monotonic us; CLOCK_NEVER */
/* Bytes to send: all replies of a step together. Pointer valid until the next call. */
size_t rtmp_server_output(struct rtmp_server *s, const uint8_t **ret);
void rtmp_server_sent(struct rtmp_server *s, size_t n);
uint64_t rtmp_server_received(const struct rtmp_server *s); /* bytes fed */

/* ---- client: we publish to a platform ---- */
#define RTMP_CHUNK_OUT 65536 /* announced by the client before publishing */

struct rtmp_client_config {
	const char *app;       /* copied, <= 512 bytes each */
	const char *stream;    /* the key */
	const char *tc_url;
	const char *agent;     /* flashVer */
	bool is_enhanced;      /* announce fourCcList and capability maps, Reconnect among them */
};
struct rtmp_client;
/* NULL if memory is out or a string is too long. */
struct rtmp_client *rtmp_client_create(const struct rtmp_client_config *config,
				       const struct rtmp_limits *limits, const uint8_t random[1528],
				       int64_t now_us);
void rtmp_client_destroy(struct rtmp_client **c);
ssize_t rtmp_client_feed(struct rtmp_client *c, const uint8_t *bytes, size_t n, int64_t now_us);
bool rtmp_client_next(struct rtmp_client *c, struct rtmp_event *ret);
int rtmp_client_tick(struct rtmp_client *c, int64_t now_us);
int64_t rtmp_client_deadline(const struct rtmp_client *c);
/* Session bytes (handshake, commands, acks, pongs). Once PUBLISHING they must be put between
 * two media messages, never inside one. */
size_t rtmp_client_output(struct rtmp_client *c, const uint8_t **ret);
void rtmp_client_sent(struct rtmp_client *c, size_t n);
/* Queues FCUnpublish + deleteStream: the broadcast is over. Only for an operator's end. */
void rtmp_client_unpublish(struct rtmp_client *c);
uint32_t rtmp_client_message_stream(const struct rtmp_client *c); /* msid to put into media heads */
uint32_t rtmp_client_acked(const struct rtmp_client *c); /* last Acknowledgement, wraps */

/* ---- media out: written by the relay beside a client session ---- */
#define RTMP_MESSAGE_HEAD_MAX 16
#define RTMP_SEPARATOR_MAX 5
/* fmt 0 header of a message of `size` bytes; always fmt 0, right with every receiver.
 * Chunk streams: 4 audio and data, 6 video. Returns its bytes. */
size_t rtmp_write_message_head(uint8_t ret[RTMP_MESSAGE_HEAD_MAX], uint8_t message,
			       uint32_t timestamp_ms, uint32_t size, uint32_t message_stream);
/* What goes between two chunks (every RTMP_CHUNK_OUT payload bytes) of that message. */
size_t rtmp_write_separator(uint8_t ret[RTMP_SEPARATOR_MAX], uint8_t message,
			    uint32_t timestamp_ms);

#endif
