/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Messages between supervisor and workers: SOCK_SEQPACKET, one fixed structure a message, same
 * build on both ends. ipc_recv() checks from one table: exact size for the type, number of
 * descriptors, terminated strings, bools, enums and counts in range. Ids, times and the like are
 * the receiver's to check. Descriptors travel from the supervisor downwards only.
 *
 *   ingest-rtmp   <- INGEST_START(socket [,chain, key])      -> PUBLISH_ASK
 *                 <- PUBLISH_ANSWER([ring [,wake]])          -> RING_READY, INGEST_STATUS,
 *                 <- FEED_PACE, FEED_FAULT                      INGEST_CLOSED
 *                 <- FEED_RING(ring [,wake])                 -> RING_READY
 *   ingest-srt    <- SRT_START(UDP socket), SRT_FEEDS        -> SRT_ACCEPTED, CALLER_STATUS,
 *                 <- SRT_CARRY(socket), SRT_DROP                SRT_CLOSED
 *   ingest-av     <- STREAM_START(socket, ring [,wake])      -> RING_READY, INGEST_STATUS,
 *                 <- FEED_PACE, FEED_FAULT                      TS_STATUS, INGEST_CLOSED
 *                 <- FEED_RING(ring [,wake])                 -> RING_READY
 *   ingest-av-pull <- PULL_START(ring, trust [,wake])        -> RING_READY, INGEST_STATUS,
 *                 <- FEED_PACE, FEED_FAULT, RESOLVE_ANSWER      TS_STATUS, INGEST_CLOSED,
 *                 <- FEED_RING(ring [,wake])                 -> RING_READY, RESOLVE_ASK
 *   ingest-file   <- LOOP_START(file [,ring [,wake]])        -> LOOP_REPORT, RING_READY,
 *                 <- FEED_PACE, FEED_FAULT                      INGEST_STATUS, INGEST_CLOSED
 *                 <- FEED_RING(ring [,wake])                 -> RING_READY
 *   slate         <- SLATE_START(file, font [,picture])      -> SLATE_DONE
 *   ingest-rtmp-pull <- STREAM_START(socket, ring [,wake])  -> RING_READY, INGEST_STATUS,
 *                 <- FEED_PACE, FEED_FAULT                      INGEST_CLOSED
 *                 <- FEED_RING(ring [,wake])                 -> RING_READY
 *   ingest-rtmp-tunnel <- TUNNEL_START(socket [,trust])     -> ALIVE, RESOLVE_ASK, INGEST_CLOSED
 *                 <- RESOLVE_ANSWER
 *   switch        <- SWITCH_START(show ring [,old ring])     -> RING_READY, SWITCH_STATUS,
 *                                                               SWITCH_EVENT
 *                 <- SOURCE_OPEN(ring [,wake]), SOURCE_CLOSE -> SOURCE_RELEASED
 *                 <- SOURCE_LEAVING, READER_ADD(wake), READER_REMOVE, TAKE,
 *                    SWITCH_HEALTH, SWITCH_SETTLE, SWITCH_BEGIN, FEED_REHEARSE, SOURCE_LOSS
 *   relay-rtmp    <- RELAY_START(ring [,wake [,trust]])      -> DESTINATION_STATUS, RESOLVE_ASK
 *                 <- SHOW_RING(ring [,wake]), DESTINATION_ADD, DESTINATION_REMOVE, RESOLVE_ANSWER,
 *                 <- DESTINATION_CUT
 *   relay-flv     <- OUTPUT_START(ring, wake, file)          -> DESTINATION_STATUS
 *                 <- SHOW_RING(ring [,wake])
 *   relay-file    <- OUTPUT_START(ring [,wake])              -> DESTINATION_STATUS, FILE_ASK,
 *                 <- SHOW_RING(ring [,wake]), FILE_GIVE([file]) FILE_DONE
 *   relay-av      <- OUTPUT_START(ring [,wake])              -> DESTINATION_STATUS, RESOLVE_ASK
 *   relay-srt     <- SHOW_RING(ring [,wake]), RESOLVE_ANSWER
 *   resolve       <- RESOLVE_ASK                             -> RESOLVE_ANSWER
 *   witness       <- WITNESS_START(ring), SHOW_RING(ring),   -> WITNESS_EVENT, WITNESS_SUMMARY
 *                 <- WITNESS_TWINS, WITNESS_MARK
 *   witness-file  <- WITNESS_FILE(file)                      -> WITNESS_MEDIA, WITNESS_EVENT,
 *                                                               WITNESS_SUMMARY, WITNESS_END
 *   history       <- HISTORY_START(directory), HISTORY_EVENT -> HISTORY_STATUS
 *                 <- HISTORY_STATE, HISTORY_WHOLE, HISTORY_LOST, HISTORY_DRILL
 *      or         <- HISTORY_READ(directory, output)         then exit 0
 *   probe         <- PROBE_START([trust]), PROBE_ASK         -> PROBE_ANSWER, RESOLVE_ASK
 *                 <- RESOLVE_ANSWER
 *   practice      <- PRACTICE_START(listening socket)        -> PRACTICE_STATUS
 *   all           <- STOP                                    then exit 0 within 1 s; one that
 *                                                            writes a file, in its time
 */
#ifndef UNDERSTUDY_IPC_H
#define UNDERSTUDY_IPC_H

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <understudy/fault.h>
#include <understudy/history.h>
#include <understudy/timeline.h>
#include <understudy/witness.h>

#define IPC_NAME 64   /* show, feed and destination names, terminated */
#define IPC_TEXT 192
#define IPC_HOST 256
#define IPC_KEY 512
#define IPC_FDS_MAX 4
#define IPC_BODY_MAX 16384

enum ipc_type {
	IPC_NONE,
	IPC_STOP, IPC_ALIVE,
	IPC_INGEST_START, IPC_PUBLISH_ASK, IPC_PUBLISH_ANSWER, IPC_RING_READY,
	IPC_INGEST_STATUS, IPC_INGEST_CLOSED, IPC_FEED_PACE,
	IPC_SRT_START, IPC_SRT_FEEDS, IPC_SRT_ACCEPTED, IPC_SRT_CARRY, IPC_SRT_DROP,
	IPC_CALLER_STATUS, IPC_SRT_CLOSED, IPC_STREAM_START, IPC_TS_STATUS,
	IPC_SWITCH_START, IPC_SOURCE_OPEN, IPC_SOURCE_CLOSE, IPC_SOURCE_LEAVING,
	IPC_SOURCE_RELEASED,
	IPC_READER_ADD, IPC_READER_REMOVE, IPC_TAKE, IPC_SWITCH_HEALTH, IPC_SWITCH_SETTLE,
	IPC_SWITCH_BEGIN, IPC_FEED_REHEARSE, IPC_SOURCE_LOSS, IPC_SWITCH_STATUS, IPC_SWITCH_EVENT,
	IPC_RELAY_START, IPC_SHOW_RING, IPC_DESTINATION_ADD, IPC_DESTINATION_REMOVE,
	IPC_DESTINATION_STATUS, IPC_RESOLVE_ASK, IPC_RESOLVE_ANSWER,
	IPC_OUTPUT_START, IPC_FILE_ASK, IPC_FILE_GIVE, IPC_FILE_DONE, IPC_ERRAND_DONE,
	IPC_FEED_FAULT, IPC_FEED_RING, IPC_DESTINATION_CUT,
	IPC_PROBE_START, IPC_PROBE_ASK, IPC_PROBE_ANSWER,
	IPC_WITNESS_START, IPC_WITNESS_TWINS, IPC_WITNESS_MARK, IPC_WITNESS_FILE, IPC_WITNESS_MEDIA,
	IPC_WITNESS_EVENT, IPC_WITNESS_SUMMARY, IPC_WITNESS_END, IPC_PULL_START, IPC_TUNNEL_START,
	IPC_HISTORY_START, IPC_HISTORY_EVENT, IPC_HISTORY_STATE, IPC_HISTORY_WHOLE,
	IPC_HISTORY_LOST, IPC_HISTORY_DRILL, IPC_HISTORY_STATUS, IPC_HISTORY_READ,
	IPC_LOOP_START, IPC_LOOP_REPORT, IPC_SLATE_START, IPC_SLATE_DONE,
	IPC_PRACTICE_START, IPC_PRACTICE_STATUS,
	IPC_TYPES
};
const char *ipc_type_str(enum ipc_type type);

struct ipc_stop { uint32_t unpublish; /* relays: 1 = the operator ended the show */ };

/* fds: connected socket; for TLS also certificate chain and private key (memfds, PEM) */
struct ipc_ingest_start {
	uint64_t connection;
	uint32_t is_tls;
	char peer[IPC_NAME];
};
struct ipc_publish_ask { /* may hold secrets: never logged */
	char app[IPC_KEY];
	char stream[IPC_KEY];
	char encoder[IPC_TEXT];
};
/* fds if allowed: feed ring (to write), and the wake-up of the switch unless it has a delay */
struct ipc_publish_answer {
	uint32_t is_allowed;
	uint32_t max_kbps;      /* 0 = no limit */
	int64_t span_us;        /* ring_writer_open() */
	int64_t gather_us;      /* as in ipc_feed_pace */
	char reason[IPC_TEXT];  /* for the encoder's user */
	char show[IPC_NAME], feed[IPC_NAME];
};
/* The show's delay was changed. */
struct ipc_feed_pace {
	int64_t span_us;        /* how much of the past the ring shall hold from now on */
	int64_t gather_us;      /* how often the encoder is listened to; 0: whenever it speaks */
};
/* Rehearsals: what comes in is spoilt, and sound again by itself from until_us on. */
struct ipc_feed_fault {
	uint32_t fault;         /* enum feed_fault */
	uint32_t reserved;
	int64_t until_us;
};
/* The connection counts as a new one from here. fds: feed ring (to write), wake-up if any */
struct ipc_feed_ring { int64_t span_us; };
struct ipc_alive { uint32_t reserved; }; /* of workers that have nothing else to report */
struct ipc_ring_ready { uint32_t reserved; }; /* mapped and sealed */
struct ipc_ingest_status { /* once a second while live */
	uint64_t bytes, packets, dropped;
	char encoder[IPC_TEXT];
};
struct ipc_ingest_closed { /* last message, why the connection ends */
	uint32_t is_clean;      /* the encoder said goodbye */
	char cause[IPC_TEXT];
};

/* fds: a bound UDP socket */
struct ipc_srt_start { uint32_t reserved; };
#define IPC_SRT_FEEDS_MAX 64
#define IPC_SRT_SECRET 80 /* SRT's passphrases have 10..79 characters */
struct ipc_srt_feed { /* holds a secret: never logged */
	uint8_t key_hash[32]; /* SHA-256 of the salt and the feed's key */
	uint32_t latency_ms;
	uint32_t reserved;
	char passphrase[IPC_SRT_SECRET]; /* "" = not encrypted */
	char show[IPC_NAME], feed[IPC_NAME];
};
/* Who may publish, in pieces; the table is in force once all of `total` have come. */
struct ipc_srt_feeds {
	uint32_t first, count, total;
	uint32_t reserved;
	uint8_t salt[16];
	struct ipc_srt_feed feeds[IPC_SRT_FEEDS_MAX];
};
struct ipc_srt_accepted {
	uint64_t connection;    /* ingest-srt's number */
	char show[IPC_NAME], feed[IPC_NAME], peer[IPC_NAME];
};
/* fds: where its transport stream goes (tslink.h) */
struct ipc_srt_carry { uint64_t connection; };
struct ipc_srt_drop { uint64_t connection; };
struct ipc_caller_status { /* once a second for each connection that is carried */
	uint64_t connection;
	uint64_t packets, bytes, lost, dropped, retransmitted, undecrypted, belated;
	uint64_t discarded;     /* pieces its ingest-av had no room for */
	uint32_t rtt_us, kbps, buffer_ms;
	uint32_t latency_ms;    /* as agreed on */
	uint32_t key_bits;      /* 0 = not encrypted */
	uint32_t reserved;
};
struct ipc_srt_closed { uint64_t connection; char cause[IPC_TEXT]; };

/* fds: socket its transport stream comes from (of librtmp: the tunnel's), feed ring (to write),
 * wake-up if any */
struct ipc_stream_start {
	int64_t span_us;        /* ring_writer_open() */
	int64_t backdate_us;    /* a sender's latency is taken off arrival times up to this */
	uint32_t max_kbps;      /* 0 = no limit */
	uint32_t reserved;
	char show[IPC_NAME], feed[IPC_NAME];
};
struct ipc_ts_status { /* once a second */
	uint64_t packets, nulls, sync_losses, continuity_errors, damaged, gaps;
	uint32_t clock_jitter_us, reserved;
};

#define IPC_URL 2048
/* A feed to fetch. The worker says RING_READY when media comes, not before: until then the feed is
 * offline. fds: feed ring (to write); trusted certificates (a memfd, PEM); wake-up if any */
struct ipc_pull_start { /* holds secrets: never logged */
	int64_t span_us;        /* ring_writer_open() */
	int64_t connect_us;     /* within which media has to come */
	int64_t silence_us;     /* a source that then sends nothing for so long is left */
	uint32_t max_kbps;      /* 0 = no limit */
	uint32_t latency_ms;    /* SRT; 0 = the library's */
	uint32_t allow_private; /* a public address may lead to a private one */
	uint32_t reserved;
	char show[IPC_NAME], feed[IPC_NAME];
	char url[IPC_URL];
	char passphrase[IPC_SRT_SECRET]; /* "" = not encrypted */
};

/* A recording to play over and over. fds: the file; feed ring (to write), without which it is only
 * looked at; wake-up if any. The worker says RING_READY when it has seen all of it. */
struct ipc_loop_start { int64_t span_us; /* ring_writer_open() */ };
struct ipc_loop_report { /* what the file is, once */
	uint32_t is_usable;
	uint32_t length_ms;
	uint32_t gop_ms;        /* the longest distance of its key frames; 0 = no video */
	uint32_t fps_milli;
	struct codec_params video, audio; /* codec 0 = none */
	char remark[IPC_TEXT];  /* what is wrong with it or not carried of it; "" = nothing */
};

#define IPC_SLATE_TEXT 512
/* A slate to encode. fds: the file, empty, to write; the font; a picture to show, if any */
struct ipc_slate_start {
	struct format format;      /* of the show: what it has to look like to a platform */
	char text[IPC_SLATE_TEXT]; /* UTF-8, lines end in \n; "" = none */
};
struct ipc_slate_done { /* last message */
	uint32_t is_good;
	uint32_t length_ms;
	char error[IPC_TEXT];
};

struct ipc_feed {
	uint16_t id;
	uint16_t is_slate;
	int32_t offset_ms;
	char name[IPC_NAME];
};
/* fds: show ring (to write); when resuming also the ring of the switch that died (to read) */
struct ipc_switch_start {
	char show[IPC_NAME];
	int64_t delay_us, stall_us, hole_us, return_after_us, span_us;
	int64_t round_us;       /* how often it looks; 0: whenever something comes */
	uint32_t return_mode, on_mismatch; /* enum timeline_return, timeline_mismatch */
	uint32_t feed_count;
	uint16_t taken_feed;
	uint16_t fills_silence; /* where sound is missing */
	uint16_t reference_feed, is_reference_settled;
	struct format reference; /* of the show so far, if it is settled */
	struct timeline_thresholds health;
	struct ipc_feed feeds[TIMELINE_FEEDS_MAX];
};
/* The thresholds were changed. */
struct ipc_switch_health { struct timeline_thresholds health; };
/* timeline_settle_reference() */
struct ipc_switch_settle { uint32_t is_settled; };
/* It was told of all that is there: nothing is decided, or sent, before. */
struct ipc_switch_begin { uint32_t reserved; };
/* timeline_set_rehearsed() */
struct ipc_feed_rehearse { uint16_t feed, is_rehearsed; };
/* timeline_note_loss() */
struct ipc_source_loss {
	uint16_t feed, reserved;
	uint32_t incarnation;
	uint64_t packets, lost;
};
/* fds: feed ring (sealed, to read), wake-up unless the show has a delay */
struct ipc_source_open { uint16_t feed, reserved; uint32_t incarnation; };
struct ipc_source_close { uint16_t feed, reserved; uint32_t incarnation; char cause[IPC_TEXT]; };
/* timeline_set_leaving(); SOURCE_RELEASED follows when the show has left it */
struct ipc_source_leaving {
	uint16_t feed, is_leaving;
	uint32_t incarnation;
	char cause[IPC_TEXT];
};
struct ipc_source_released { uint16_t feed, reserved; uint32_t incarnation; };
/* fds: eventfd to signal after each batch */
struct ipc_reader_add { uint32_t reader; };
struct ipc_reader_remove { uint32_t reader; };
struct ipc_take { uint16_t feed, reserved; }; /* 0 = auto */
struct ipc_switch_status { /* on change and once a second */
	struct timeline_status timeline;
	uint64_t packets, lapped;
};
struct ipc_switch_event {
	struct timeline_event event;
	int64_t at_us;          /* monotonic */
};

/* fds: show ring (to read); wake-up if batch_us is 0 (else an unused eventfd); CA bundle */
struct ipc_relay_start {
	char show[IPC_NAME];
	int64_t batch_us;       /* how often to look into the ring; 0: whenever woken */
};
/* The switch was replaced. fds: new show ring, wake-up as at the start. The reader first drains
 * the old ring and then goes on with the first packet of the new one. */
struct ipc_show_ring { int64_t batch_us; };
struct ipc_endpoint {
	uint32_t is_tls;
	uint16_t port, reserved;
	char host[IPC_HOST];
	char app[IPC_KEY];
	char stream[IPC_KEY];
	char tc_url[IPC_KEY + IPC_HOST];
};
#define IPC_ENDPOINTS_MAX 2
/* Of a pulled RTMP feed, to the process that has the network. fds: the player's socket; trusted
 * certificates (a memfd, PEM), without which there is no TLS */
struct ipc_tunnel_start { /* holds secrets: never logged */
	int64_t connect_us;     /* within which the server has to begin the stream */
	int64_t silence_us;     /* a stream that then pauses for so long is left */
	uint32_t allow_private; /* the server may lead to addresses further inside */
	uint32_t reserved;
	struct ipc_endpoint endpoint;
};
/* More than one track of a kind goes to platforms that announce that they take them, to any, to
 * none. */
enum ipc_tracks { IPC_TRACKS_ANNOUNCED, IPC_TRACKS_ALL, IPC_TRACKS_MAIN };

struct ipc_destination_add { /* holds secrets: never logged */
	uint32_t id;
	uint32_t endpoint_count; /* 1, or 2 with a backup: tried by turns */
	uint32_t allow_redirect; /* the platform may send us to another host */
	uint32_t tracks;         /* enum ipc_tracks */
	int64_t first_us, cap_us, healthy_us; /* of struct restart_policy */
	int64_t hold_us;         /* how long a connection without media is kept; 0 = no limit */
	int64_t max_backlog_us;  /* beyond it video is left out */
	int64_t stall_us;        /* a platform that takes nothing for so long is left */
	char name[IPC_NAME];
	char user[IPC_NAME], password[IPC_KEY]; /* for platforms that ask for them */
	struct ipc_endpoint endpoints[IPC_ENDPOINTS_MAX];
};
struct ipc_destination_remove { uint32_t id; uint32_t unpublish; };

/* Rehearsals: the connection is broken, and none comes about until until_us. */
struct ipc_destination_cut {
	uint32_t id;
	uint32_t reserved;
	int64_t until_us;
};

enum destination_state {
	DESTINATION_IDLE,        /* nothing to send yet */
	DESTINATION_DIALING,     /* resolving, connecting, TLS, RTMP handshake, publish */
	DESTINATION_LIVE,
	DESTINATION_BACKING_OFF,
	DESTINATION_REFUSED,     /* the platform said no; tried again slowly */
	DESTINATION_HELD,        /* connected, nothing to send */
	DESTINATION_STOPPED,
	DESTINATION_STATES
};
const char *destination_state_str(enum destination_state state);

/* What an SRT connection (of a listener: all of them together) has seen since it stands. */
struct ipc_srt_status {
	uint32_t is_known;      /* the rest means something */
	uint32_t peers;         /* connected now */
	uint32_t rtt_us;        /* of the slowest peer */
	uint32_t reserved;
	uint64_t packets, lost, retransmitted, dropped;
};

struct ipc_destination_status { /* on change and once a second */
	uint32_t id;
	uint32_t state;
	uint32_t restarts, kbps;
	int64_t since_us;
	int64_t backlog_ms;
	uint64_t dropped, bytes;
	char last_error[IPC_TEXT]; /* "" = none; no secrets */
	char why[IPC_TEXT];        /* the reason for the state, "" = none; likewise */
	uint32_t endpoint;         /* RTMP: which one is used */
	uint32_t reserved;
	int64_t accepted_us;       /* RTMP: when the platform took this session, 0 = none */
	int64_t silence_us;        /* RTMP: longest time without a write since the last status */
	char remark[IPC_TEXT];     /* what is sent otherwise than it came: tracks left out, ... */
	struct ipc_srt_status srt;
};
/* What carries the show to a destination other than RTMP. */
enum output_kind {
	OUTPUT_NONE,
	OUTPUT_FLV,     /* a recording as the encoders sent it */
	OUTPUT_FILE,    /* recordings: the format is that of `path` */
	OUTPUT_HLS,     /* segments and a playlist */
	OUTPUT_ICECAST,
	OUTPUT_RTSP,
	OUTPUT_UDP,     /* MPEG-TS */
	OUTPUT_RTP,     /* MPEG-TS in RTP */
	OUTPUT_SRT,     /* MPEG-TS */
	OUTPUT_KINDS
};
/* fds: show ring, wake-up, and of FLV the file (open for append). Holds secrets: never logged. */
struct ipc_output_start {
	uint32_t id;
	uint32_t kind;          /* enum output_kind */
	uint32_t is_listener;   /* SRT: players come to us */
	uint32_t latency_ms;    /* SRT; 0 = the library's */
	uint32_t segment_s;     /* a new file after so long; 0 = never */
	uint32_t segment_mb;    /* likewise, after so much */
	uint32_t keep_segments; /* HLS: how many the playlist names */
	uint16_t port, reserved;
	int64_t batch_us;
	int64_t first_us, cap_us, healthy_us; /* retries */
	int64_t stall_us;       /* SRT: a peer that acknowledges nothing for so long is left */
	char show[IPC_NAME], name[IPC_NAME];
	char host[IPC_HOST];    /* of a listener: the address, "" = all */
	char path[IPC_KEY];     /* files: name; RTSP, Icecast: what follows the host's slash */
	char user[IPC_NAME], password[IPC_KEY];
	char stream[IPC_KEY];   /* SRT stream id */
	char passphrase[IPC_NAME + IPC_NAME];
};
enum file_role { FILE_RECORDING, FILE_SEGMENT, FILE_PLAYLIST, FILE_ROLES };
/* The next file, please. The worker names nothing: the supervisor knows the destination. Of HLS,
 * `number` counts the segments; the supervisor removes those that no playlist names any more. */
struct ipc_file_ask { uint32_t role; uint32_t number; };
/* fds: the file, empty, to write; none if there is none, and then `error` says why */
struct ipc_file_give {
	uint32_t role;
	uint32_t number;
	char error[IPC_TEXT];
	char name[IPC_NAME];    /* of a segment, as a playlist names it; cut if it is too long */
};
/* The file is finished. Not kept: nothing of worth is in it. A playlist takes its place now. */
struct ipc_file_done { uint32_t role; uint32_t number; uint32_t is_kept; uint32_t reserved; };
/* Tells one version of a file from the next; all 0: none. */
struct ipc_file_mark { uint64_t device, inode, bytes; int64_t changed_ns; };
/* Of the supervisor's own processes for files (src/supervisor/errand.c). fds: the file, if the
 * errand was to open one */
struct ipc_errand_done {
	int32_t error;          /* 0 or a negative errno */
	uint32_t work, number;  /* as it was told to; enum errand_work */
	uint32_t reserved;
	struct ipc_file_mark mark;
	char path[4096];        /* of a file that was made; else "" */
};
struct ipc_resolve_ask { uint32_t query; uint16_t port, reserved; char host[IPC_HOST]; };
#define IPC_ADDRESSES_MAX 16
struct ipc_resolve_answer {
	uint32_t query;
	uint32_t count;
	char error[IPC_TEXT]; /* if count is 0: "name not found", ... */
	struct sockaddr_storage addresses[IPC_ADDRESSES_MAX];
};

/* fds: CA bundle */
struct ipc_probe_start { uint32_t reserved; };
/* Can it be reached? Nothing is published. */
struct ipc_probe_ask {
	uint32_t id;
	uint32_t is_tls;
	uint16_t port, reserved;
	char host[IPC_HOST];
};
#define IPC_NO_DAYS INT32_MIN
struct ipc_probe_answer {
	uint32_t id;
	int32_t certificate_days; /* until it expires; IPC_NO_DAYS: no TLS, or not reached */
	int64_t took_us;
	char error[IPC_TEXT];     /* "" = reached */
};

/* Stands in for a destination. fds: a listening socket */
struct ipc_practice_start { char stream[IPC_NAME]; }; /* the name that may be published */
struct ipc_practice_status { /* five times a second: all since the start, but for the silence */
	uint64_t bytes;
	uint64_t messages;      /* of audio and video */
	uint64_t backwards;     /* of them: with a timestamp before that of the one before */
	uint64_t publishes;     /* how often the relay came and was let in */
	int64_t silence_us;     /* the longest time without media, since the status before */
};

/* fds: show ring (to read) */
struct ipc_witness_start {
	char show[IPC_NAME];
	int64_t period_us;      /* how often it looks into the ring */
};
/* Which feeds carry the same encode: those of the same group, 0 = none. */
struct ipc_witness_twins {
	uint32_t count;
	struct { uint16_t feed, group; } feeds[TIMELINE_FEEDS_MAX];
};
/* Ends the present summary, which is sent with this number, and begins another. */
struct ipc_witness_mark { uint32_t mark; uint32_t reserved; };
/* fds: a recording, to be read from its beginning */
struct ipc_witness_file { uint32_t reserved; };
struct ipc_witness_media { /* one a track */
	uint32_t kind;          /* PACKET_VIDEO, PACKET_AUDIO */
	uint32_t track;
	uint32_t width, height; /* video */
	uint32_t sample_rate, channels; /* audio */
	char codec[IPC_NAME];
};
struct ipc_witness_event { struct witness_event event; };
/* Once a second (mark 0), for each mark, and at the end of a recording. */
struct ipc_witness_summary {
	uint32_t mark;
	uint32_t reserved;
	struct witness_summary summary;
};
/* The recording is read; `error` "" if to its end. */
struct ipc_witness_end { char error[IPC_TEXT]; };

/* The writer. fds: the directory of the database. The same run goes on in a writer that replaces
 * another. */
struct ipc_history_start {
	uint64_t boot;          /* clock_boot() */
	struct ledger_time began; /* when the relay was started: names the run */
	uint32_t keep_days;
	uint32_t max_mb;
};
struct ipc_history_event {
	int64_t id;             /* unique and rising within a run */
	struct ledger_time at;
	char show[HISTORY_NAME];
	char kind[HISTORY_WORD];
	char text[HISTORY_TEXT];
	char extra[HISTORY_EXTRA]; /* JSON object, or "" */
};
struct ipc_history_state { /* from `at` on */
	struct ledger_time at;
	uint32_t what;          /* enum history_what */
	uint32_t class;         /* enum ledger_class; of feeds 0 */
	char show[HISTORY_NAME];
	char name[HISTORY_NAME]; /* of the destination or feed */
	char state[HISTORY_WORD];
	char cause[LEDGER_CAUSE];
};
/* The states of everything there is have been told: what was not named is no more. */
struct ipc_history_whole { struct ledger_time at; };
/* `count` records since `at` are lost; the states of everything follow. */
struct ipc_history_lost { struct ledger_time at; uint64_t count; };
struct ipc_history_drill {
	struct ledger_time at;
	uint32_t passed;
	uint32_t reserved;
	char show[HISTORY_NAME];
	char scenario[HISTORY_NAME];
	char report[HISTORY_REPORT]; /* JSON object, or "" */
};
struct ipc_history_status { /* on change and once in five seconds */
	uint64_t taken;         /* records since HISTORY_START, with those lost */
	uint64_t lost;          /* of them: could not be written */
	uint64_t bytes;         /* of the database */
	uint32_t is_broken;     /* nothing can be written at the moment; `error` says why */
	uint32_t reserved;
	char error[IPC_TEXT];
	char remark[IPC_TEXT];  /* something people should know once, or "" */
};
/* A reader: answers one question (history.h) and ends. fds: the directory, where the answer goes
 * (may be non-blocking). */
struct ipc_history_read {
	uint32_t subject;       /* enum history_subject */
	uint32_t is_running;    /* the last run still goes on */
	uint32_t limit;         /* events: the newest so many, 0 = all */
	uint32_t reserved;
	uint64_t boot;          /* clock_boot() */
	struct ledger_time now;
	int64_t since_us;       /* wall; INT64_MIN = all there is */
	char show[HISTORY_NAME]; /* "" = all */
};

struct ipc_message {
	enum ipc_type type;
	size_t size;
	int fds[IPC_FDS_MAX]; /* the receiver's; ipc_message_finish() closes the untaken */
	unsigned fd_count;
	alignas(16) unsigned char body[IPC_BODY_MAX];
};

/* A connected pair, non-blocking and close-on-exec: [0] supervisor's, [1] worker's. It holds at
 * least 64 messages of 2 KiB (without privilege, at the kernel's default limits), as root about a
 * thousand. */
int ipc_pair(int ret_fds[2]);
/* 0; -EAGAIN (peer does not read); -EPIPE, -ECONNRESET (peer is gone). `body` is the type's
 * structure, all of it set; -EINVAL if the receiver would refuse it. Descriptors stay the
 * caller's. */
int ipc_send(int fd, enum ipc_type type, const void *body, const int *fds, unsigned fd_count);
/* 1 message; 0 peer closed; -EAGAIN; -EBADMSG (wrong size, unknown type, unterminated string, an
 * enum, bool or count out of range, wrong number of descriptors: the peer is broken or hostile;
 * descriptors that came are closed). Only after 1 there is something to finish. */
int ipc_recv(int fd, struct ipc_message *ret);
/* The same for messages from a worker: descriptors never travel upwards; the kernel drops what
 * comes with a message and the result is -EBADMSG. */
int ipc_recv_no_fds(int fd, struct ipc_message *ret);
int ipc_take_fd(struct ipc_message *m, unsigned index); /* -1 if there is none */
void ipc_message_finish(struct ipc_message *m);
size_t ipc_body_size(enum ipc_type type);

#endif
