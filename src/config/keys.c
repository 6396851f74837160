/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of configuration keys and how names are found in it. Pure. */
#include <string.h>

#include <understudy/config.h>
#include <understudy/text.h>
#include <understudy/timeline.h>

#include "keys.h"

#define NAME_MAX_BYTES 40

#define MEMBER(structure, member)                     \
	.offset = offsetof(struct structure, member), \
	.size = sizeof(((struct structure *)NULL)->member)
#define ITEMS(structure, member)                             \
	.offset = offsetof(struct structure, member),        \
	.size = sizeof(*((struct structure *)NULL)->member), \
	.count_offset = offsetof(struct structure, member##_count)
#define POINTED(structure, member)                    \
	.offset = offsetof(struct structure, member), \
	.size = sizeof(*((struct structure *)NULL)->member)

/* One signal of a feed's health (enum timeline_signal): when it is entered and left. */
#define SIGNAL(signal, name, unit, most, enter_text, hold_text, about)                             \
	{ "shows[].failover.health." name, KEY_MAP, MEMBER(timeline_thresholds, of[signal]),       \
	  .help = about },                                                                         \
		{ "shows[].failover.health." name ".enter_" unit,                                  \
		  KEY_INTEGER,                                                                     \
		  0,                                                                               \
		  0,                                                                               \
		  most,                                                                            \
		  enter_text,                                                                      \
		  MEMBER(timeline_threshold, enter),                                               \
		  .help = "trouble begins here; 0 = off" },                                        \
		{ "shows[].failover.health." name ".leave_" unit,                                  \
		  KEY_INTEGER,                                                                     \
		  0,                                                                               \
		  0,                                                                               \
		  most,                                                                            \
		  MEMBER(timeline_threshold, leave),                                               \
		  .help = "and is over from here on" },                                            \
	{                                                                                          \
		"shows[].failover.health." name ".hold_ms", KEY_INTEGER, 0, 0, 3600000, hold_text, \
			MEMBER(timeline_threshold, hold_ms),                                       \
			.help = "once it has been so for this long"                                \
	}

static const char *const return_modes[] = {
	[RETURN_AUTO] = "auto",
	[RETURN_MANUAL] = "manual",
	[RETURN_NEVER] = "never",
	NULL,
};
static const char *const mismatch_modes[] = {
	[MISMATCH_PREFER_MATCHING] = "prefer_matching",
	[MISMATCH_ALLOW] = "allow",
	[MISMATCH_REFUSE] = "refuse",
	NULL,
};
static const char *const fills[] = { [FILL_NONE] = "none", [FILL_SILENCE] = "silence", NULL };
static const char *const platforms[] = {
	[PLATFORM_CUSTOM] = "custom", [PLATFORM_YOUTUBE] = "youtube",
	[PLATFORM_TWITCH] = "twitch", [PLATFORM_FACEBOOK] = "facebook",
	[PLATFORM_KICK] = "kick",     NULL,
};
static const char *const tracks[] = {
	[TRACKS_AUTO] = "auto",
	[TRACKS_ALL] = "all",
	[TRACKS_MAIN] = "main",
	NULL,
};
static const char *const notify_kinds[] = { "webhook", NULL };

/* clang-format off */
const struct config_key config_keys[] = {
	{ "rtmp", KEY_MAP, KEY_POINTER, POINTED(config, rtmp),
	  .help = "where encoders publish by RTMP; without it nobody listens" },
	{ "rtmp.listen", KEY_ADDRESS, .default_text = "0.0.0.0:1935",
	  MEMBER(config_listener, listen), .help = "address and port" },
	{ "rtmps", KEY_MAP, KEY_POINTER, POINTED(config, rtmps),
	  .help = "where encoders publish by RTMP over TLS" },
	{ "rtmps.listen", KEY_ADDRESS, .default_text = "0.0.0.0:1936",
	  MEMBER(config_listener, listen), .help = "address and port" },
	{ "rtmps.certificate", KEY_FILE, KEY_REQUIRED, MEMBER(config_listener, certificate),
	  .help = "certificate and its chain, PEM" },
	{ "rtmps.private_key", KEY_FILE, KEY_REQUIRED, MEMBER(config_listener, private_key),
	  .help = "the certificate's private key, PEM" },
	{ "tls", KEY_MAP, .offset = 0, .size = sizeof(struct config),
	  .help = "how destinations are verified" },
	{ "tls.ca_file", KEY_FILE, MEMBER(config, ca_file),
	  .help = "bundle of the authorities that RTMPS destinations are verified against" },
	{ "srt", KEY_MAP, KEY_POINTER, POINTED(config, srt),
	  .help = "where encoders publish by SRT" },
	{ "srt.listen", KEY_ADDRESS, .default_text = "0.0.0.0:9000", MEMBER(config_srt, listen),
	  .help = "address and UDP port" },
	{ "srt.latency_ms", KEY_INTEGER, 0, 20, 10000, "200", MEMBER(config_srt, latency_ms),
	  .help = "time for lost packets to be sent again" },
	{ "control", KEY_MAP, KEY_INACTIVE | KEY_UNBOUND, .help = "HTTP: dashboard, API, metrics" },
	{ "control.listen", KEY_ADDRESS, KEY_INACTIVE | KEY_UNBOUND,
	  .default_text = "127.0.0.1:8080", .help = "address and port" },
	{ "control.token", KEY_SECRET, KEY_INACTIVE | KEY_UNBOUND, .help = "bearer token" },
	{ "notify", KEY_LIST, KEY_INACTIVE | KEY_UNBOUND, 0, 64, .help = "who is told of events" },
	{ "notify[].kind", KEY_CHOICE, KEY_INACTIVE | KEY_UNBOUND | KEY_REQUIRED,
	  .choices = notify_kinds, .help = "how" },
	{ "notify[].url", KEY_URL, KEY_INACTIVE | KEY_UNBOUND | KEY_REQUIRED, .help = "where to" },
	{ "notify[].events", KEY_WORDS, KEY_INACTIVE | KEY_UNBOUND, .help = "which events" },
	{ "state_directory", KEY_FILE, MEMBER(config, state_directory),
	  .help = "generated keys and recordings of the default show" },
	{ "history", KEY_MAP, MEMBER(config, history), .help = "what is kept of what happened" },
	{ "history.keep_days", KEY_INTEGER, 0, 1, 3650, "90", MEMBER(config_history, keep_days),
	  .help = "older events are forgotten" },
	{ "history.max_mb", KEY_INTEGER, 0, 1, 100000, "256", MEMBER(config_history, max_mb),
	  .help = "the oldest go when the database is larger" },
	{ "socket", KEY_FILE, MEMBER(config, socket), .help = "the commands' way in" },
	{ "ring_max_bytes", KEY_INTEGER, 0, 4194304, 1073741824, "67108864",
	  MEMBER(config, ring_max_bytes), .help = "memory one feed or show may use at most" },
	{ "watchdog_s", KEY_INTEGER, 0, 2, 3600, "5", MEMBER(config, watchdog_s),
	  .help = "a worker process that is silent for so long is replaced" },

	{ "shows", KEY_LIST, KEY_REQUIRED, 1, 64, ITEMS(config, shows), .help = "what is on air" },
	{ "shows[].name", KEY_NAME, KEY_REQUIRED, MEMBER(config_show, name),
	  .help = "name of the show, unique" },
	{ "shows[].delay_ms", KEY_INTEGER, 0, 0, 60000, "3000", MEMBER(config_show, delay_ms),
	  .help = "how far the show runs behind its feeds" },
	{ "shows[].batch_ms", KEY_INTEGER, 0, 0, 1000, "20", MEMBER(config_show, batch_ms),
	  .help = "how long a relay may gather packets before it writes" },
	{ "shows[].autostart", KEY_BOOLEAN, .default_text = "true", MEMBER(config_show, autostart),
	  .help = "serve the destinations without waiting for the start command" },
	{ "shows[].feeds", KEY_LIST, KEY_REQUIRED, 1, TIMELINE_CHAIN_MAX, ITEMS(config_show, feeds),
	  .help = "sources in order of preference" },
	{ "shows[].feeds[].name", KEY_NAME, KEY_REQUIRED, MEMBER(config_feed, name),
	  .help = "name of the feed, unique in its show" },
	{ "shows[].feeds[].key", KEY_SECRET, MEMBER(config_feed, key),
	  .help = "the stream key its encoder publishes with, unique" },
	{ "shows[].feeds[].offset_ms", KEY_INTEGER, 0, -60000, 60000, "0",
	  MEMBER(config_feed, offset_ms), .help = "moves the feed on the timeline, later if "
						  "positive" },
	{ "shows[].feeds[].max_kbps", KEY_INTEGER, 0, 0, 1000000, "0",
	  MEMBER(config_feed, max_kbps), .help = "bit rate it may have at most; 0 = any" },
	{ "shows[].feeds[].passphrase", KEY_SECRET, MEMBER(config_feed, passphrase),
	  .help = "SRT encryption" },
	{ "shows[].feeds[].pull", KEY_URL, MEMBER(config_feed, pull),
	  .help = "rtmp(s)://, srt://, http(s)://, rtsp://, udp:// or rtp:// URL" },
	{ "shows[].feeds[].file", KEY_FILE, KEY_AUTO, MEMBER(config_feed, file),
	  .help = "recording to play over and over, or auto: a slate made to match the show" },
	{ "shows[].feeds[].text", KEY_TEXT, KEY_LINES, MEMBER(config_feed, text),
	  .help = "words on a slate that is made" },
	{ "shows[].feeds[].picture", KEY_FILE, MEMBER(config_feed, picture),
	  .help = "PNG, JPEG or WebP on a slate that is made" },
	{ "shows[].feeds[].latency_ms", KEY_INTEGER, 0, 20, 10000,
	  MEMBER(config_feed, latency_ms), .help = "SRT latency of this feed" },
	{ "shows[].feeds[].srt_port", KEY_INTEGER, 0, 1, 65535,
	  MEMBER(config_feed, srt_port), .help = "an SRT port of its own" },
	{ "shows[].feeds[].allow_private", KEY_BOOLEAN, .default_text = "false",
	  MEMBER(config_feed, allow_private),
	  .help = "a pulled URL may lead from a public address to a private one" },
	{ "shows[].failover", KEY_MAP, MEMBER(config_show, failover),
	  .help = "when feeds are left and returned to" },
	{ "shows[].failover.stall_ms", KEY_INTEGER, 0, 50, 60000, "500",
	  MEMBER(config_failover, stall_ms), .help = "silence after which a feed is left" },
	{ "shows[].failover.hole_ms", KEY_INTEGER, 0, 20, 10000, "200",
	  MEMBER(config_failover, hole_ms), .help = "a longer gap in its media ends a feed" },
	{ "shows[].failover.return", KEY_CHOICE, .default_text = "auto", .choices = return_modes,
	  MEMBER(config_failover, return_mode), .help = "going back to a preferred feed" },
	{ "shows[].failover.return_after_s", KEY_INTEGER, 0, 0, 86400, "30",
	  MEMBER(config_failover, return_after_s), .help = "how long it must be healthy first" },
	{ "shows[].failover.on_mismatch", KEY_CHOICE, .default_text = "prefer_matching",
	  .choices = mismatch_modes, MEMBER(config_failover, on_mismatch),
	  .help = "feeds of another format" },
	{ "shows[].failover.health", KEY_MAP, MEMBER(config_failover, health),
	  .help = "what makes a feed degraded" },
	SIGNAL(SIGNAL_NO_VIDEO, "no_video", "ms", 60000, "0", "2000", "no picture comes"),
	SIGNAL(SIGNAL_NO_AUDIO, "no_audio", "ms", 60000, "0", "2000", "no sound comes"),
	SIGNAL(SIGNAL_LOW_BITRATE, "low_bitrate", "kbps", 1000000, "0", "5000", "too little comes"),
	SIGNAL(SIGNAL_HOLES, "holes", "percent", 100, "10", "10000", "media is missing repeatedly"),
	SIGNAL(SIGNAL_STARVED, "starved", "percent", 100, "80", "5000", "media comes too slowly"),
	SIGNAL(SIGNAL_NO_KEY_FRAME, "no_key_frame", "ms", 3600000, "15000", "1000",
	       "no key frame comes"),
	SIGNAL(SIGNAL_STUCK, "stuck", "packets", 100000, "10", "5000", "time does not move on"),
	SIGNAL(SIGNAL_JUMPS, "jumps", "times", 1000, "3", "5000", "time leaps"),
	SIGNAL(SIGNAL_UNUSABLE, "unusable", "packets", 100000, "10", "5000",
	       "packets make no sense"),
	SIGNAL(SIGNAL_AV_DRIFT, "av_drift", "ms", 60000, "500", "5000", "picture and sound part"),
	SIGNAL(SIGNAL_FRAME_RATE, "frame_rate", "percent", 100, "65", "5000",
	       "frames are left out"),
	SIGNAL(SIGNAL_SRT_LOSS, "srt_loss", "permille", 1000, "5", "5000",
	       "SRT loses packets for good"),
	{ "shows[].fill", KEY_CHOICE, .default_text = "none", .choices = fills,
	  MEMBER(config_show, fill), .help = "what goes out where a show has no sound" },
	{ "shows[].destinations", KEY_LIST, 0, 0, 200, ITEMS(config_show, destinations),
	  .help = "where the show is sent to" },
	{ "shows[].destinations[].name", KEY_NAME, KEY_REQUIRED, MEMBER(config_destination, name),
	  .help = "name of the destination, unique in its show" },
	{ "shows[].destinations[].platform", KEY_CHOICE, .default_text = "custom",
	  .choices = platforms, MEMBER(config_destination, platform),
	  .help = "fills in url and backup_url, and warns of what it does not take" },
	{ "shows[].destinations[].url", KEY_URL, MEMBER(config_destination, url),
	  .help = "rtmp://, rtmps://, srt://, icecast://, rtsp://, udp://, rtp:// or file:NAME" },
	{ "shows[].destinations[].key", KEY_SECRET, MEMBER(config_destination, key),
	  .help = "stream key; else the last part of the URL's path" },
	{ "shows[].destinations[].isolate", KEY_BOOLEAN, .default_text = "false",
	  MEMBER(config_destination, isolate), .help = "a worker process of its own" },
	{ "shows[].destinations[].backup_url", KEY_URL, MEMBER(config_destination, backup_url),
	  .help = "the platform's second ingest, taken by turns when one fails" },
	{ "shows[].destinations[].both", KEY_BOOLEAN, .default_text = "false",
	  MEMBER(config_destination, both), .help = "publish to url and backup_url at once" },
	{ "shows[].destinations[].user", KEY_TEXT, MEMBER(config_destination, user),
	  .help = "user name where the platform asks for one" },
	{ "shows[].destinations[].password", KEY_SECRET, MEMBER(config_destination, password),
	  .help = "the user's password" },
	{ "shows[].destinations[].allow_redirect", KEY_BOOLEAN, .default_text = "false",
	  MEMBER(config_destination, allow_redirect),
	  .help = "the platform may ask us over to another host" },
	{ "shows[].destinations[].tracks", KEY_CHOICE, .default_text = "auto", .choices = tracks,
	  MEMBER(config_destination, tracks),
	  .help = "whether it is sent more than one track of picture and sound" },
	{ "shows[].destinations[].hold_s", KEY_INTEGER, 0, 0, 86400, "120",
	  MEMBER(config_destination, hold_s),
	  .help = "how long a connection without media is kept; 0 = as long as it lasts" },
	{ "shows[].destinations[].max_backlog_ms", KEY_INTEGER, 0, 200, 60000, "3000",
	  MEMBER(config_destination, max_backlog_ms),
	  .help = "show waiting to be taken beyond which pictures are left out" },
	{ "shows[].destinations[].stall_s", KEY_INTEGER, 0, 1, 600, "10",
	  MEMBER(config_destination, stall_s),
	  .help = "a platform that takes nothing for so long is dialled anew" },
	{ "shows[].destinations[].retry", KEY_MAP, MEMBER(config_destination, retry),
	  .help = "when a lost destination is dialled again" },
	{ "shows[].destinations[].retry.first_s", KEY_INTEGER, 0, 1, 600, "1",
	  MEMBER(config_retry, first_s), .help = "first wait, doubled after each failure" },
	{ "shows[].destinations[].retry.cap_s", KEY_INTEGER, 0, 1, 3600, "10",
	  MEMBER(config_retry, cap_s), .help = "longest wait" },
	{ "shows[].destinations[].retry.healthy_s", KEY_INTEGER, 0, 1, 3600, "5",
	  MEMBER(config_retry, healthy_s),
	  .help = "after a connection that lasted so long there is no wait" },
	{ "shows[].destinations[].passphrase", KEY_SECRET, MEMBER(config_destination, passphrase),
	  .help = "SRT encryption, 10 to 79 characters" },
	{ "shows[].destinations[].latency_ms", KEY_INTEGER, 0, 20, 10000,
	  MEMBER(config_destination, latency_ms), .help = "SRT: time for lost packets to be sent "
							  "again" },
	{ "shows[].destinations[].segment_s", KEY_INTEGER, 0, 1, 86400,
	  MEMBER(config_destination, segment_s), .help = "a new file after so long" },
	{ "shows[].destinations[].segment_mb", KEY_INTEGER, 0, 1, 1000000,
	  MEMBER(config_destination, segment_mb), .help = "a new file after so much" },
	{ "shows[].destinations[].keep_segments", KEY_INTEGER, 0, 3, 60, "6",
	  MEMBER(config_destination, keep_segments), .help = "HLS: segments the playlist names" },
	{ "shows[].destinations[].rehearsal", KEY_BOOLEAN, .default_text = "false",
	  MEMBER(config_destination, rehearsal),
	  .help = "nobody watches there: rehearsals need not ask" },
};
/* clang-format on */
const size_t config_key_count = sizeof(config_keys) / sizeof(config_keys[0]);
_Static_assert(sizeof(config_keys) / sizeof(config_keys[0]) <= CONFIG_KEYS_MAX, "CONFIG_KEYS_MAX");

size_t config_key_parent(const struct config_key *key)
{
	const char *dot = strrchr(key->pattern, '.');

	return dot == NULL ? 0 : (size_t)(dot - key->pattern);
}

const char *config_key_name(const struct config_key *key)
{
	size_t parent = config_key_parent(key);

	return key->pattern + parent + (parent > 0);
}

bool config_key_is_in(const struct config_key *key, const char *parent)
{
	size_t size = config_key_parent(key);

	return strlen(parent) == size && memcmp(key->pattern, parent, size) == 0;
}

static const struct config_key *find_exactly(const char *parent, const char *name, size_t size)
{
	for (size_t i = 0; i < config_key_count; i++) {
		const char *known = config_key_name(&config_keys[i]);

		if (config_key_is_in(&config_keys[i], parent) && strlen(known) == size &&
		    memcmp(known, name, size) == 0) {
			return &config_keys[i];
		}
	}
	return NULL;
}

const struct config_key *config_key_find(const char *parent, const char *name, bool *ret_is_file)
{
	static const char suffix[] = "_file";
	size_t size = strlen(name);
	const struct config_key *key = find_exactly(parent, name, size);

	if (key != NULL) {
		*ret_is_file = false;
		return key;
	}
	if (size < sizeof(suffix) || strcmp(name + size - (sizeof(suffix) - 1), suffix) != 0) {
		return NULL;
	}
	key = find_exactly(parent, name, size - (sizeof(suffix) - 1));
	if (key == NULL || key->type == KEY_MAP || key->type == KEY_LIST ||
	    key->type == KEY_WORDS) {
		return NULL;
	}
	*ret_is_file = true;
	return key;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours between two short names. */
static unsigned distance(const char *a, const char *b)
{
	unsigned rows[3][NAME_MAX_BYTES + 1];
	size_t size = strlen(b);

	for (unsigned j = 0; j <= size; j++) {
		rows[0][j] = j;
	}
	for (unsigned i = 1; a[i - 1] != '\0'; i++) {
		unsigned *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

		now[0] = i;
		for (unsigned j = 1; j <= size; j++) {
			unsigned cost = a[i - 1] != b[j - 1];

			now[j] = least(last[j - 1] + cost, least(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
				now[j] = least(now[j], before[j - 2] + 1);
			}
		}
	}
	return rows[strlen(a) % 3][size];
}

const struct config_key *config_key_nearest(const char *parent, const char *name)
{
	const struct config_key *nearest = NULL;
	unsigned best = UINT32_MAX;

	if (strlen(name) > NAME_MAX_BYTES) {
		return NULL;
	}
	for (size_t i = 0; i < config_key_count; i++) {
		const char *known = config_key_name(&config_keys[i]);

		if (!config_key_is_in(&config_keys[i], parent)) {
			continue;
		}
		unsigned steps = distance(name, known);
		unsigned bearable = strlen(known) <= 4 ? 1 : strlen(known) <= 8 ? 2 : 3;
		if (steps <= bearable && steps < best) {
			best = steps;
			nearest = &config_keys[i];
		}
	}
	return nearest;
}

const struct config_key *config_key_elsewhere(const char *name)
{
	for (size_t i = 0; i < config_key_count; i++) {
		if (strcmp(config_key_name(&config_keys[i]), name) == 0) {
			return &config_keys[i];
		}
	}
	return NULL;
}

static const char *type_str(enum key_type type)
{
	static const char *const words[] = {
		[KEY_MAP] = "section",
		[KEY_LIST] = "list",
		[KEY_WORDS] = "list of words",
		[KEY_TEXT] = "text",
		[KEY_NAME] = "name",
		[KEY_SECRET] = "secret",
		[KEY_URL] = "URL",
		[KEY_ADDRESS] = "address",
		[KEY_FILE] = "path",
		[KEY_INTEGER] = "integer",
		[KEY_BOOLEAN] = "true or false",
		[KEY_CHOICE] = "one of",
	};

	return words[type];
}

void config_key_describe(const struct config_key *key, char *to, size_t size)
{
	text_copy(to, size, type_str(key->type));
	size_t used = strlen(to);

	if (key->type == KEY_INTEGER) {
		text_format(to + used, size - used, " %lld to %lld", (long long)key->min,
			    (long long)key->max);
	}
	for (const char *const *choice = key->choices; choice != NULL && *choice != NULL;
	     choice++) {
		used = strlen(to);
		text_format(to + used, size - used, "%s%s", choice == key->choices ? " " : ", ",
			    *choice);
	}
	used = strlen(to);
	if (key->flags & KEY_REQUIRED) {
		text_format(to + used, size - used, ", required");
	} else if (key->default_text != NULL) {
		text_format(to + used, size - used, ", default %s", key->default_text);
	}
	used = strlen(to);
	if (key->flags & KEY_INACTIVE) {
		text_format(to + used, size - used, ", inactive");
	}
}
