/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Semantic checks of a filled configuration (check.h). Looks at files that are named, without
 * reading them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <understudy/text.h>

#include "check.h"
#include "url.h"

#define SHORT_KEY_BYTES 8
#define PULL_BYTES_MAX 2048
#define SLATE_TEXT_BYTES 512

static void format_path(char to[CONFIG_PATH_MAX], const char *parent, const char *name)
{
	text_format(to, CONFIG_PATH_MAX, "%s%s%s", parent, parent[0] == '\0' ? "" : ".", name);
}

/* ---- listeners ---- */

static void check_readable(const char *file, const char *path, struct report *r)
{
	if (file == NULL || access(file, R_OK) == 0) {
		return;
	}
	/* a check may be run by someone who is not allowed what the relay is */
	report_add_at(r, errno == EACCES ? CONFIG_WARNING : CONFIG_ERROR, path,
		      "the file it names cannot be read: %s; correct the path (it begins at the "
		      "directory of this file) or its permissions",
		      strerror(errno));
}

static void check_private(const char *file, const char *path, struct report *r)
{
	struct stat status;

	if (file != NULL && stat(file, &status) == 0 && (status.st_mode & S_IROTH)) {
		report_add_at(
			r, CONFIG_WARNING, path,
			"every user of this machine can read the file it names; run chmod 600 on "
			"it");
	}
}

static void check_listeners(const struct config *c, struct report *r)
{
	uint16_t rtmp_port = 0, rtmps_port = 0;

	if (c->rtmps != NULL) {
		check_readable(c->rtmps->certificate, "rtmps.certificate", r);
		check_readable(c->rtmps->private_key, "rtmps.private_key", r);
		check_private(c->rtmps->private_key, "rtmps.private_key", r);
	}
	check_readable(c->ca_file, "tls.ca_file", r);
	if (c->rtmp == NULL || c->rtmps == NULL || c->rtmp->listen == NULL ||
	    c->rtmps->listen == NULL) {
		return;
	}
	url_check_address(c->rtmp->listen, &rtmp_port);
	url_check_address(c->rtmps->listen, &rtmps_port);
	if (rtmp_port != 0 && strcmp(c->rtmp->listen, c->rtmps->listen) == 0) {
		report_add_at(r, CONFIG_ERROR, "rtmps.listen",
			      "is the address of rtmp.listen; give each a port of its own");
	}
}

/* ---- feeds ---- */

static void check_key_text(const char *key, const char *path, struct report *r)
{
	for (const unsigned char *p = (const unsigned char *)key; *p != '\0'; p++) {
		if (*p <= ' ' || *p >= 0x7f || strchr("/?&#%\"'\\", *p) != NULL) {
			report_add_at(
				r, CONFIG_ERROR, path,
				"has a character that encoders change on the way; use letters, "
				"digits "
				"and - _ . ~ + =");
			return;
		}
	}
	if (strlen(key) < SHORT_KEY_BYTES) {
		report_add_at(
			r, CONFIG_WARNING, path,
			"is shorter than %d characters: whoever guesses it is on air; make one "
			"with "
			"`openssl rand -hex 16`",
			SHORT_KEY_BYTES);
	}
}

/* What can be fetched, and by which kind of worker. */
static const struct scheme {
	const char *name;
	enum config_source source;
	bool needs_port;
} schemes[] = {
	{ "srt", SOURCE_PULL, true },        { "http", SOURCE_PULL, false },
	{ "https", SOURCE_PULL, false },     { "rtsp", SOURCE_PULL, false },
	{ "udp", SOURCE_PULL, true },        { "rtp", SOURCE_PULL, true },
	{ "rtmp", SOURCE_PULL_RTMP, false }, { "rtmps", SOURCE_PULL_RTMP, false },
};

static const struct scheme *find_scheme(const char *name)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (strcmp(schemes[i].name, name) == 0) {
			return &schemes[i];
		}
	}
	return NULL;
}

static void check_pull(struct config_feed *feed, const char *path, struct report *r)
{
	struct url url;
	const char *error = url_parse(feed->pull, &url);
	const struct scheme *scheme = error == NULL ? find_scheme(url.scheme) : NULL;

	feed->source = scheme != NULL ? scheme->source : SOURCE_INACTIVE;
	if (error != NULL) {
		report_add_at(r, CONFIG_ERROR, path, "%s", error);
	} else if (scheme == NULL) {
		report_add_at(r, CONFIG_ERROR, path,
			      "cannot be pulled; use rtmp://, rtmps://, srt://, http://, https://, "
			      "rtsp://, udp:// or rtp://");
	} else if (strlen(feed->pull) >= PULL_BYTES_MAX) {
		report_add_at(r, CONFIG_ERROR, path, "is longer than %d characters",
			      PULL_BYTES_MAX - 1);
	} else if (scheme->needs_port && url.port == 0) {
		report_add_at(r, CONFIG_ERROR, path, "has no port; write %s://HOST:PORT",
			      scheme->name);
	} else if (scheme->source == SOURCE_PULL_RTMP) {
		check_pulled_rtmp(feed, &url, path, r);
	}
}

/* Exactly one of key, pull and file; what the reader has refused counts as given. */
static void check_source(const char *parent, struct report *r)
{
	static const char *const names[] = { "key", "pull", "file" };
	char path[CONFIG_PATH_MAX];
	unsigned given = 0;

	for (int i = 0; i < 3; i++) {
		format_path(path, parent, names[i]);
		given += report_has(r, path);
	}
	if (given == 0) {
		report_add_at(
			r, CONFIG_ERROR, parent,
			"the feed has no source; give it a key (key: \"${NAME}\"), a pull URL or a "
			"file");
	} else if (given > 1) {
		report_add_at(r, CONFIG_ERROR, parent,
			      "the feed has %u sources; keep one of key, pull and file", given);
	}
}

/* The show goes on without it, and takes it when it is there. */
static void check_recording(const char *file, const char *path, struct report *r)
{
	if (file != NULL && !r->findings->leaves_recordings && access(file, R_OK) < 0) {
		report_add_at(
			r, CONFIG_WARNING, path,
			"the file it names cannot be read: %s; correct the path (it begins at "
			"the directory of this file) or its permissions",
			strerror(errno));
	}
}

static void check_file(const struct config_feed *feed, const char *parent, struct report *r)
{
	char path[CONFIG_PATH_MAX];

	if (feed->source == SOURCE_FILE) {
		format_path(path, parent, "file");
		check_recording(feed->file, path, r);
	}
}

/* What only a slate of our own has. */
static void check_slate(const struct config_feed *feed, const char *parent, struct report *r)
{
	const char *given = feed->text != NULL ? "text" : feed->picture != NULL ? "picture" : NULL;
	char path[CONFIG_PATH_MAX];

	if (given != NULL && feed->source != SOURCE_SLATE) {
		format_path(path, parent, given);
		report_add_at(r, CONFIG_ERROR, path,
			      "is for slates that are made; write file: auto beside it, or take it "
			      "out");
	}
	format_path(path, parent, "picture");
	check_recording(feed->picture, path, r);
	format_path(path, parent, "text");
	if (feed->text != NULL && strlen(feed->text) >= SLATE_TEXT_BYTES) {
		report_add_at(r, CONFIG_ERROR, path, "is longer than %d characters",
			      SLATE_TEXT_BYTES - 1);
	}
}

static void check_feed(struct config_feed *feed, const char *parent, struct report *r)
{
	char path[CONFIG_PATH_MAX];

	check_source(parent, r);
	if (feed->key != NULL) {
		format_path(path, parent, "key");
		check_key_text(feed->key, path, r);
	}
	if (feed->passphrase != NULL) {
		size_t size = strlen(feed->passphrase);

		format_path(path, parent, "passphrase");
		if (size < 10 || size > 79) {
			report_add_at(r, CONFIG_ERROR, path,
				      "has %zu characters; SRT takes 10 to 79", size);
		}
	}
	if (feed->pull != NULL) {
		format_path(path, parent, "pull");
		check_pull(feed, path, r);
	} else if (feed->file != NULL) {
		feed->source = strcmp(feed->file, "auto") == 0 ? SOURCE_SLATE : SOURCE_FILE;
		check_file(feed, parent, r);
	} else if (feed->key == NULL) {
		feed->source = SOURCE_INACTIVE;
	}
	check_slate(feed, parent, r);
}

/* ---- unique ---- */

static void report_twice(const char *what, const char *path, const char *first, struct report *r)
{
	report_add_at(r, CONFIG_ERROR, path, "%s as at line %u; give each its own", what,
		      report_line(r, first));
}

static bool is_same(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* Is the name at `index` one of an earlier item? `names` strides over the items' structures. */
static void check_name(const void *items, size_t stride, size_t name_offset, unsigned index,
		       const char *list, const char *what, struct report *r)
{
	const char *base = items;
	const char *name = *(char *const *)(base + index * stride + name_offset);

	for (unsigned i = 0; i < index; i++) {
		if (is_same(name, *(char *const *)(base + i * stride + name_offset))) {
			char path[CONFIG_PATH_MAX], first[CONFIG_PATH_MAX], text[64];

			text_format(path, sizeof(path), "%s[%u].name", list, index);
			text_format(first, sizeof(first), "%s[%u].name", list, i);
			text_format(text, sizeof(text), "the same name of a %s", what);
			report_twice(text, path, first, r);
			return;
		}
	}
}

/* The first feed of the whole configuration that has the key; true if it is an earlier one. */
static bool find_key(const struct config *c, const struct config_feed *feed,
		     char first[CONFIG_PATH_MAX])
{
	for (unsigned s = 0; s < c->shows_count; s++) {
		for (unsigned f = 0; f < c->shows[s].feeds_count; f++) {
			const struct config_feed *other = &c->shows[s].feeds[f];

			if (other == feed) {
				return false;
			}
			if (is_same(other->key, feed->key)) {
				text_format(first, CONFIG_PATH_MAX, "shows[%u].feeds[%u].key", s,
					    f);
				return true;
			}
		}
	}
	return false;
}

/* The first feed of the whole configuration that has the SRT port for itself, likewise. */
static bool find_srt_port(const struct config *c, const struct config_feed *feed,
			  char first[CONFIG_PATH_MAX])
{
	for (unsigned s = 0; s < c->shows_count; s++) {
		for (unsigned f = 0; f < c->shows[s].feeds_count; f++) {
			const struct config_feed *other = &c->shows[s].feeds[f];

			if (other == feed) {
				return false;
			}
			if (other->srt_port == feed->srt_port) {
				text_format(first, CONFIG_PATH_MAX, "shows[%u].feeds[%u].srt_port",
					    s, f);
				return true;
			}
		}
	}
	return false;
}

static void check_srt_port(const struct config *c, const struct config_feed *feed,
			   const char *parent, struct report *r)
{
	char path[CONFIG_PATH_MAX], first[CONFIG_PATH_MAX];
	uint16_t shared = 0;

	if (feed->srt_port == 0) {
		return;
	}
	format_path(path, parent, "srt_port");
	if (c->srt != NULL && c->srt->listen != NULL) {
		url_check_address(c->srt->listen, &shared);
	}
	if (feed->key == NULL) {
		report_add_at(r, CONFIG_ERROR, path,
			      "is for feeds that are published; give the feed a key, or take it "
			      "out");
	} else if (!report_has(r, "srt")) {
		report_add_at(r, CONFIG_ERROR, path,
			      "has no address: add `srt: { listen: \"0.0.0.0:9000\" }`, whose host "
			      "it is opened at");
	} else if (feed->srt_port == shared) {
		report_add_at(
			r, CONFIG_ERROR, path,
			"is the port of srt.listen, for all feeds; give the feed another one");
	} else if (find_srt_port(c, feed, first)) {
		report_twice("the same SRT port", path, first, r);
	}
}

/* ---- shows ---- */

static void check_feeds(const struct config *c, unsigned index, struct report *r)
{
	const struct config_show *show = &c->shows[index];
	char list[CONFIG_PATH_MAX], path[CONFIG_PATH_MAX], first[CONFIG_PATH_MAX];
	unsigned carried = 0;

	text_format(list, sizeof(list), "shows[%u].feeds", index);
	for (unsigned i = 0; i < show->feeds_count; i++) {
		text_format(path, sizeof(path), "%s[%u]", list, i);
		if (!report_has(r, path)) {
			continue; /* no map: said by the reader */
		}
		check_feed(&show->feeds[i], path, r);
		check_name(show->feeds, sizeof(show->feeds[0]), offsetof(struct config_feed, name),
			   i, list, "feed", r);
		text_format(path, sizeof(path), "%s[%u].key", list, i);
		carried += report_has(r, path) || show->feeds[i].source != SOURCE_INACTIVE;
		if (find_key(c, &show->feeds[i], first)) {
			report_twice("the same key", path, first, r);
		}
		text_format(path, sizeof(path), "%s[%u]", list, i);
		check_srt_port(c, &show->feeds[i], path, r);
	}
	if (show->feeds_count > 0 && carried == 0) {
		report_add_at(r, CONFIG_WARNING, list,
			      "none of these feeds is carried by this version; add one with a key");
	}
}

static void check_destinations(struct config_show *show, unsigned index, struct report *r)
{
	char list[CONFIG_PATH_MAX], path[CONFIG_PATH_MAX];

	text_format(list, sizeof(list), "shows[%u].destinations", index);
	if (show->destinations_count == 0) {
		report_add_at(r, CONFIG_WARNING, list,
			      "the show is sent nowhere; add a destination with a name and a url");
	}
	for (unsigned i = 0; i < show->destinations_count; i++) {
		text_format(path, sizeof(path), "%s[%u]", list, i);
		if (report_has(r, path)) {
			check_destination(&show->destinations[i], path, r);
			check_name(show->destinations, sizeof(show->destinations[0]),
				   offsetof(struct config_destination, name), i, list,
				   "destination", r);
		}
	}
}

/* Notes by how much feeds are shown earlier than they come, at most. */
static void check_offsets(struct config_show *show, unsigned index, struct report *r)
{
	char path[CONFIG_PATH_MAX];

	for (unsigned i = 0; i < show->feeds_count; i++) {
		int64_t earlier_ms = -(int64_t)show->feeds[i].offset_ms;

		text_format(path, sizeof(path), "shows[%u].feeds[%u].offset_ms", index, i);
		if (earlier_ms != 0 && show->delay_ms == 0) {
			report_add_at(r, CONFIG_WARNING, path,
				      "counts for nothing without a delay; set delay_ms");
		} else if (earlier_ms > show->delay_ms) {
			report_add_at(r, CONFIG_ERROR, path,
				      "would have the feed shown before it is here; write at least "
				      "-%u, which is delay_ms",
				      show->delay_ms);
		} else if (earlier_ms > show->earlier_ms) {
			show->earlier_ms = (uint32_t)earlier_ms;
		}
	}
}

/* A change of feed without a gap needs more delay than this in any case. */
static void check_delay(const struct config_show *show, unsigned index, struct report *r)
{
	char path[CONFIG_PATH_MAX], earlier[64] = "";

	if (show->delay_ms > 0 &&
	    show->delay_ms <= show->failover.stall_ms + 250 + show->earlier_ms) {
		text_format(path, sizeof(path), "shows[%u].delay_ms", index);
		if (show->earlier_ms > 0) {
			text_format(earlier, sizeof(earlier), " + %u (a feed's offset_ms)",
				    show->earlier_ms);
		}
		report_add_at(
			r, CONFIG_WARNING, path,
			"is too short for a change without a gap: it takes the encoders' key frame "
			"interval + stall_ms (%u) + 250%s and the lag between the feeds",
			show->failover.stall_ms, earlier);
	}
}

/* A signal that is left where it is entered would come and go. */
static void check_health(const struct config_show *show, unsigned index, struct report *r)
{
	char path[CONFIG_PATH_MAX];

	for (unsigned i = 0; i < TIMELINE_SIGNALS; i++) {
		enum timeline_signal signal = (enum timeline_signal)i;
		const struct timeline_threshold *t = &show->failover.health.of[i];
		bool is_floor = timeline_signal_is_floor(signal);

		if (t->enter == 0 || t->leave == 0 ||
		    (is_floor ? t->leave > t->enter : t->leave < t->enter)) {
			continue;
		}
		text_format(path, sizeof(path), "shows[%u].failover.health.%s.leave_%s", index,
			    timeline_signal_str(signal), timeline_signal_unit(signal));
		report_add_at(r, CONFIG_ERROR, path,
			      "leaves the signal where it is entered; write %s than enter_%s, "
			      "which is %u",
			      is_floor ? "more" : "less", timeline_signal_unit(signal), t->enter);
	}
}

static bool has_keys(const struct config *c)
{
	for (unsigned s = 0; s < c->shows_count; s++) {
		for (unsigned f = 0; f < c->shows[s].feeds_count; f++) {
			if (c->shows[s].feeds[f].key != NULL) {
				return true;
			}
		}
	}
	return false;
}

/* ---- a destination that is two ---- */

static char *copy_text(const char *text, struct report *r)
{
	char *copy = text != NULL ? strdup(text) : NULL;

	r->is_out_of_memory |= text != NULL && copy == NULL;
	return copy;
}

/* The second session of a destination with `both`: another destination, "NAME/backup". */
static struct config_destination make_twin(struct config_destination *d, struct report *r)
{
	struct config_destination twin = {
		.kind = d->kind,
		.platform = d->platform,
		.isolate = d->isolate,
		.rehearsal = d->rehearsal,
		.allow_redirect = d->allow_redirect,
		.tracks = d->tracks,
		.hold_s = d->hold_s,
		.max_backlog_ms = d->max_backlog_ms,
		.stall_s = d->stall_s,
		.retry = d->retry,
		.endpoint = d->backup,
	};
	char name[128];

	text_format(name, sizeof(name), "%s/backup", d->name != NULL ? d->name : "");
	twin.name = copy_text(name, r);
	twin.url = copy_text(d->backup_url, r);
	twin.key = copy_text(d->key, r);
	twin.user = copy_text(d->user, r);
	twin.password = copy_text(d->password, r);
	memset(&d->backup, 0, sizeof(d->backup));
	return twin;
}

/* Behind the loop over what stands in the file: findings are about that alone. */
static void add_twins(struct config_show *show, struct report *r)
{
	unsigned count = show->destinations_count, twins = 0;
	struct config_destination *all;

	for (unsigned i = 0; i < count; i++) {
		twins += show->destinations[i].both && show->destinations[i].backup.host != NULL;
	}
	if (twins == 0) {
		return;
	}
	all = realloc(show->destinations, (count + twins) * sizeof(*all));
	if (all == NULL) {
		r->is_out_of_memory = true;
		return;
	}
	show->destinations = all;
	for (unsigned i = 0; i < count; i++) {
		if (all[i].both && all[i].backup.host != NULL) {
			all[show->destinations_count++] = make_twin(&all[i], r);
		}
	}
}

void check_config(struct config *c, struct report *r)
{
	char path[CONFIG_PATH_MAX];

	check_listeners(c, r);
	for (unsigned i = 0; i < c->shows_count; i++) {
		text_format(path, sizeof(path), "shows[%u]", i);
		if (!report_has(r, path)) {
			continue;
		}
		check_name(c->shows, sizeof(c->shows[0]), offsetof(struct config_show, name), i,
			   "shows", "show", r);
		check_feeds(c, i, r);
		check_destinations(&c->shows[i], i, r);
		add_twins(&c->shows[i], r);
		check_offsets(&c->shows[i], i, r);
		check_delay(&c->shows[i], i, r);
		check_health(&c->shows[i], i, r);
	}
	if (has_keys(c) && !report_has(r, "rtmp") && !report_has(r, "rtmps") &&
	    !report_has(r, "srt")) {
		report_add_at(r, CONFIG_WARNING, "rtmp",
			      "nobody can publish: add `rtmp: { listen: \"0.0.0.0:1935\" }`");
	}
}
