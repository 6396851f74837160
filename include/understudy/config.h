/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The configuration as programs see it: filled by libcyaml after our own pass over the file
 * (src/config/). Every string is expanded already; secrets are plain strings in here and are
 * wiped by config_destroy().
 */
#ifndef UNDERSTUDY_CONFIG_H
#define UNDERSTUDY_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <understudy/timeline.h>

struct config_listener {
	char *listen;            /* "0.0.0.0:1935" */
	char *certificate, *private_key; /* rtmps: PEM file paths */
};

struct config_srt {
	char *listen;            /* "0.0.0.0:9000" */
	uint32_t latency_ms;     /* of feeds that do not say their own */
};

/* A place at an RTMP(S) server, taken apart; host NULL: none. */
struct config_endpoint {
	bool is_tls;
	uint16_t port;
	char *host, *app, *stream, *tc_url;
};

/* Where a feed comes from. */
enum config_source {
	SOURCE_PUBLISHED,
	SOURCE_INACTIVE,
	SOURCE_PULL,             /* libavformat's URLs */
	SOURCE_FILE,
	SOURCE_SLATE,            /* file: auto */
	SOURCE_PULL_RTMP,        /* rtmp:// and rtmps://, by librtmp */
	CONFIG_SOURCES
};

struct config_feed {
	char *name;
	char *key;               /* publish key; NULL for pull and file feeds */
	char *passphrase, *pull, *file;
	char *text, *picture;    /* of file: auto */
	int32_t offset_ms;
	uint32_t max_kbps, latency_ms, srt_port;
	bool allow_private;      /* a pulled URL may lead from public to private addresses */
	/* derived by config_load() */
	enum config_source source;
	struct config_endpoint endpoint; /* of PULL_RTMP */
};

enum config_platform {
	PLATFORM_CUSTOM,
	PLATFORM_YOUTUBE,
	PLATFORM_TWITCH,
	PLATFORM_FACEBOOK,
	PLATFORM_KICK,
	PLATFORMS
};

/* Which tracks of a show a platform is sent (RTMP). */
enum config_tracks {
	TRACKS_AUTO, /* more than one of each kind to those that say they take them */
	TRACKS_ALL,
	TRACKS_MAIN,
};

/* When a destination is dialled again. */
struct config_retry {
	uint32_t first_s, cap_s, healthy_s;
};

/* A destination that is neither RTMP nor a file, taken apart and decoded; host NULL: none. */
struct config_output {
	char *host;              /* of a listener "0.0.0.0" and the like */
	char *path;              /* RTSP, Icecast: what follows the host's slash */
	char *user, *password;
	char *stream;            /* SRT stream id */
	char *passphrase;        /* SRT */
	uint32_t latency_ms;     /* SRT; 0 = the library's */
	uint16_t port;
	bool is_listener;        /* SRT: players come to us */
};

enum config_destination_kind {
	DESTINATION_RTMP,
	DESTINATION_FLV_FILE,
	DESTINATION_INACTIVE,
	DESTINATION_FILE, /* .mkv, .mp4, .ts */
	DESTINATION_HLS,
	DESTINATION_ICECAST,
	DESTINATION_RTSP,
	DESTINATION_UDP,  /* MPEG-TS */
	DESTINATION_RTP,  /* MPEG-TS in RTP */
	DESTINATION_SRT,
};

struct config_destination {
	char *name;
	char *url, *backup_url;
	char *key;
	char *user, *password;   /* RTMP: for platforms that ask for them */
	int platform;            /* enum config_platform */
	int tracks;              /* enum config_tracks */
	bool isolate, rehearsal, both, allow_redirect;
	uint32_t hold_s, max_backlog_ms, stall_s;
	char *passphrase;        /* SRT */
	uint32_t latency_ms;     /* SRT; 0 = the library's */
	uint32_t segment_s, segment_mb, keep_segments; /* files, HLS */
	struct config_retry retry;
	/* derived by config_load() from url and key */
	enum config_destination_kind kind;
	struct config_endpoint endpoint, backup; /* RTMP */
	struct config_output output;
	char *path;              /* file, strftime pattern */
};

struct config_failover {
	uint32_t stall_ms, hole_ms, return_after_s;
	int return_mode;         /* enum timeline_return */
	int on_mismatch;         /* enum timeline_mismatch */
	struct timeline_thresholds health;
};

/* What stands in for a track that no feed has. */
enum config_fill { FILL_NONE, FILL_SILENCE };

struct config_show {
	char *name;
	uint32_t delay_ms, batch_ms;
	uint32_t earlier_ms;     /* derived: how much earlier than it comes a feed is shown at most
				  * (offset_ms); the delay is as much shorter */
	bool autostart;
	struct config_feed *feeds;
	unsigned feeds_count;
	struct config_failover failover;
	int fill;                /* enum config_fill */
	struct config_destination *destinations;
	unsigned destinations_count;
};

struct config_history {
	uint32_t keep_days, max_mb;
};

struct config {
	struct config_listener *rtmp, *rtmps; /* NULL = not listening */
	struct config_srt *srt;  /* likewise */
	char *ca_file;           /* tls.ca_file as configured; NULL: see config_ca_file() */
	char *state_directory, *socket; /* never NULL */
	uint64_t ring_max_bytes;
	struct config_history history;
	uint32_t watchdog_s;
	struct config_show *shows;
	unsigned shows_count;
};

/* What is known of a platform: where its ingest is and what it takes. */
struct config_platform_facts {
	const char *name;
	const char *url, *backup_url; /* NULL = none that is the same for everybody */
	uint32_t session_s;           /* it ends a broadcast after so long, 0 = never */
	uint32_t max_kbps;            /* picture and sound together, 0 = not known */
	uint32_t max_gop_ms;          /* key frames further apart are not taken well */
	uint32_t max_width, max_height; /* 0 = any */
	bool needs_tls, needs_audio, has_least_kbps;
	const char *video[4], *audio[4]; /* codecs it takes, as codec_str() names them */
};
/* The lowest bit rate the platform recommends for such a picture; 0 = not known. */
uint32_t config_platform_least_kbps(const struct config_platform_facts *facts, uint32_t height,
				    uint32_t fps_milli);
/* NULL for PLATFORM_CUSTOM. */
const struct config_platform_facts *config_platform_facts(int platform);

/* One finding, for people: `file:line: key: what is wrong; what to do`. Never holds a secret. */
enum config_severity { CONFIG_ERROR, CONFIG_WARNING, CONFIG_INACTIVE };
struct config_finding {
	enum config_severity severity;
	unsigned line;           /* 1-based, 0 = whole file */
	char key[96];            /* "shows[0].feeds[1].key" */
	char text[256];
};
struct config_findings {
	struct config_finding *items;
	size_t count;
	bool leaves_recordings; /* the caller's wish: nobody looks whether they are there */
};
void config_findings_finish(struct config_findings *f);
/* One finding as a line for people, without a line break; `name` is that of the file. */
void config_finding_format(char *to, size_t size, const char *name,
			   const struct config_finding *finding);

/* `environment` gives the value of a name or NULL (the supervisor keeps a copy of its own, since it
 * overwrites the real one). Collects all findings; returns 0 with *ret set if there was no
 * CONFIG_ERROR, else -EINVAL (or -errno if the file could not be read, said as a finding). */
typedef const char *config_environment(void *context, const char *name);
int config_load(const char *path, config_environment *environment, void *context,
		struct config **ret, struct config_findings *findings);
/* The same from memory; files named in it are looked for beside `name`. The embedded default show
 * comes this way. */
int config_load_text(const char *name, const char *text, size_t size,
		     config_environment *environment, void *context, struct config **ret,
		     struct config_findings *findings);
/* Wipes every secret. */
void config_destroy(struct config **c);

/* The default show that is used where no file is given. Needs the variables PRIMARY_KEY,
 * BACKUP_KEY and UNDERSTUDY_STATE_DIRECTORY. */
extern const char config_default_text[];
extern const size_t config_default_size;

/* The bundle of certificates that RTMPS destinations are verified against: tls.ca_file, else
 * SSL_CERT_FILE of the environment, else the system's. Never NULL. */
const char *config_ca_file(const struct config *c, config_environment *environment, void *context);

/* "rtmp://HOST/app" as people may see it: user info, every part of the path after the first (where
 * stream keys are) and query values become `***`. A file: URL is kept; what is no URL vanishes. */
void config_redact_url(char *to, size_t size, const char *url);

/* Places used when the config does not say: root or not. Never NULL, and the same for the whole
 * life of the process, whatever becomes of its environment after the first call. */
const char *config_default_state_directory(void);
const char *config_default_socket(void);

#endif
