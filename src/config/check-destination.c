/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a destination's URL and key mean: host, port, application, stream and tcUrl of RTMP, or
 * the path of a recording. Pure but for memory.
 */
#include <stdlib.h>
#include <string.h>

#include <understudy/text.h>

#include "check-output.h"
#include "check.h"
#include "url.h"

#define RTMP_PORT 1935
#define RTMPS_PORT 443
#define PART_MAX 500 /* of app and stream */
#define USER_MAX 60

static void refuse(struct report *r, const char *path, const char *name, const char *text)
{
	char of_key[CONFIG_PATH_MAX];

	text_format(of_key, sizeof(of_key), "%s.%s", path, name);
	report_add_at(r, CONFIG_ERROR, of_key, "%s", text);
}

static void inactive(struct report *r, const char *path, const char *what)
{
	char of_key[CONFIG_PATH_MAX];

	text_format(of_key, sizeof(of_key), "%s.url", path);
	report_add_at(r, CONFIG_INACTIVE, of_key, "%s: accepted; not carried out by this version",
		      what);
}

static char *copy_part(const char *from, size_t size, struct report *r)
{
	char *copy = strndup(from, size);

	r->is_out_of_memory |= copy == NULL;
	return copy;
}

/* scheme://host[:port]/app, as encoders write it */
static char *make_tc_url(const struct config_endpoint *e, const struct url *url, struct report *r)
{
	char text[PART_MAX + sizeof(url->host) + 32], port[8] = "";

	if (url->port != 0) {
		text_format(port, sizeof(port), ":%u", (unsigned)url->port);
	}
	text_format(text, sizeof(text), "%s://%s%s%s%s/%s", url->scheme, url->is_ipv6 ? "[" : "",
		    url->host, url->is_ipv6 ? "]" : "", port, e->app);
	char *copy = copy_part(text, strlen(text), r);
	explicit_bzero(text, sizeof(text)); /* the application may hold a token */
	return copy;
}

/* Splits the path into application and stream: with a key all of it is the application, else
 * its last part is the stream. `key` may be NULL where the reader has refused it. */
static const char *split_path(struct config_endpoint *e, const char *url_path, bool has_key,
			      const char *key, struct report *r)
{
	size_t path = strcspn(url_path, "?#"), app = path;
	const char *slash;

	if (url_path[path] == '#') {
		return "has a #; take it and what follows out";
	}
	while (app > 0 && url_path[app - 1] == '/') {
		app--;
	}
	if (app == 0) {
		return "names no application after the host; for example "
		       "rtmp://a.rtmp.youtube.com/live2";
	}
	if (has_key) {
		/* parameters go with the application, as encoders do it */
		char joined[2 * PART_MAX];
		text_format(joined, sizeof(joined), "%.*s%s", (int)app, url_path, url_path + path);
		e->app = copy_part(joined, strlen(joined), r);
		explicit_bzero(joined, sizeof(joined));
		e->stream = key != NULL ? copy_part(key, strlen(key), r) : NULL;
	} else {
		slash = memrchr(url_path, '/', app);
		if (slash == NULL || slash == url_path) {
			return "has no stream key; add `key: \"${NAME}\"`, or put it last in the "
			       "URL: "
			       "rtmp://HOST/APP/KEY";
		}
		e->app = copy_part(url_path, (size_t)(slash - url_path), r);
		e->stream = copy_part(slash + 1, strlen(slash + 1), r);
	}
	if (e->app != NULL && strlen(e->app) > PART_MAX) {
		return "is too long; an application may have 500 characters";
	}
	if (e->stream != NULL && strlen(e->stream) > PART_MAX) {
		return "is too long; a stream key may have 500 characters";
	}
	return NULL;
}

static bool is_rtmp(const struct url *url)
{
	return strcmp(url->scheme, "rtmp") == 0 || strcmp(url->scheme, "rtmps") == 0;
}

/* Takes the URL apart. NULL, or what is wrong with it. */
static const char *fill_endpoint(struct config_endpoint *e, const struct url *url, bool has_key,
				 const char *key, struct report *r)
{
	const char *error = split_path(e, url->path, has_key, key, r);

	e->is_tls = strcmp(url->scheme, "rtmps") == 0;
	e->port = url->port != 0 ? url->port : e->is_tls ? RTMPS_PORT : RTMP_PORT;
	if (error == NULL) {
		e->host = copy_part(url->host, strlen(url->host), r);
	}
	if (error == NULL && e->app != NULL) {
		e->tc_url = make_tc_url(e, url, r);
	}
	return error;
}

/* rtmp://HOST/APP/STREAM, the stream with its parameters */
void check_pulled_rtmp(struct config_feed *feed, const struct url *url, const char *path,
		       struct report *r)
{
	size_t size = strcspn(url->path, "?#");
	const char *slash = memrchr(url->path, '/', size);
	const char *error;

	if (url->has_user) {
		error = "has a user name before the host, which RTMP servers do not take from "
			"players; give parameters behind the stream's name";
	} else if (slash == NULL || slash == url->path || slash + 1 == url->path + size) {
		error = "has to name application and stream: rtmp://HOST/APP/STREAM";
	} else {
		error = fill_endpoint(&feed->endpoint, url, false, NULL, r);
	}
	if (error != NULL) {
		report_add_at(r, CONFIG_ERROR, path, "%s", error);
	}
}

/* One ingest, the URL of which is the value of `name`. */
static void check_endpoint(struct config_endpoint *e, const struct config_destination *d,
			   const struct url *url, const char *path, const char *name,
			   struct report *r)
{
	char of_key[CONFIG_PATH_MAX];
	const char *error;

	text_format(of_key, sizeof(of_key), "%s.key", path);
	if (url->has_user) {
		refuse(r, path, name,
		       "has a user name before the host; put it into `user` and `password`, and "
		       "the stream key into `key`");
		return;
	}
	error = fill_endpoint(e, url, report_has(r, of_key), d->key, r);
	if (error != NULL) {
		refuse(r, path, name, error);
	}
}

static void check_backup(struct config_destination *d, const char *path, struct report *r)
{
	struct url url;
	const char *error;

	if (d->backup_url == NULL) {
		if (d->both) {
			refuse(r, path, "both", "needs a `backup_url` to publish to");
		}
		return;
	}
	error = url_parse(d->backup_url, &url);
	if (error == NULL && !is_rtmp(&url)) {
		error = "has to be an RTMP address, as `url` is one; write rtmp://HOST/APP";
	}
	if (error != NULL) {
		refuse(r, path, "backup_url", error);
		return;
	}
	check_endpoint(&d->backup, d, &url, path, "backup_url", r);
}

static void check_login(const struct config_destination *d, const char *path, struct report *r)
{
	char user[CONFIG_PATH_MAX], password[CONFIG_PATH_MAX];

	text_format(user, sizeof(user), "%s.user", path);
	text_format(password, sizeof(password), "%s.password", path);
	if (report_has(r, user) != report_has(r, password)) {
		refuse(r, path, report_has(r, user) ? "user" : "password",
		       "is of no use alone; give `user` and `password` both");
	}
	if (d->user != NULL && strlen(d->user) > USER_MAX) {
		refuse(r, path, "user", "is too long; a user name may have 60 characters");
	}
}

static void check_platform(const struct config_destination *d, const char *path, struct report *r)
{
	const struct config_platform_facts *facts = config_platform_facts(d->platform);
	char of_url[CONFIG_PATH_MAX];

	if (facts != NULL && facts->needs_tls && !d->endpoint.is_tls) {
		text_format(of_url, sizeof(of_url), "%s.url", path);
		report_add_at(r, CONFIG_WARNING, of_url,
			      "%s takes RTMPS only; write rtmps://, or leave `url` out",
			      facts->name);
	}
}

static void check_rtmp(struct config_destination *d, const struct url *url, const char *path,
		       struct report *r)
{
	d->kind = DESTINATION_RTMP;
	if (d->tracks == TRACKS_AUTO && d->platform == PLATFORM_TWITCH) {
		d->tracks = TRACKS_ALL; /* takes a second sound (its "VOD track") unannounced */
	}
	check_endpoint(&d->endpoint, d, url, path, "url", r);
	check_backup(d, path, r);
	check_login(d, path, r);
	check_platform(d, path, r);
}

/* Fills in what the platform's name says. False if there is no URL then. */
static bool complete(struct config_destination *d, const char *path, struct report *r)
{
	const struct config_platform_facts *facts = config_platform_facts(d->platform);
	char of_key[CONFIG_PATH_MAX], of_url[CONFIG_PATH_MAX];

	text_format(of_url, sizeof(of_url), "%s.url", path);
	if (d->url != NULL || report_has(r, of_url)) {
		return d->url != NULL;
	}
	if (facts == NULL) {
		report_add_at(r, CONFIG_ERROR, of_url,
			      "is missing; give the destination a `url`, or a `platform` (youtube, "
			      "twitch, facebook, kick) and its `key`");
		return false;
	}
	text_format(of_key, sizeof(of_key), "%s.key", path);
	if (!report_has(r, of_key)) {
		report_add_at(r, CONFIG_ERROR, of_key, "is missing; add key: \"${NAME}\"");
		return false;
	}
	d->url = copy_part(facts->url, strlen(facts->url), r);
	if (d->backup_url == NULL && facts->backup_url != NULL) {
		d->backup_url = copy_part(facts->backup_url, strlen(facts->backup_url), r);
	}
	return d->url != NULL;
}

static bool ends_with(const char *text, const char *ending)
{
	size_t size = strlen(text), tail = strlen(ending);

	return size > tail && strcasecmp(text + size - tail, ending) == 0;
}

static void check_file(struct config_destination *d, const struct url *url, const char *path,
		       struct report *r)
{
	char of_key[CONFIG_PATH_MAX];
	const char *error = url_check_pattern(url->path);

	text_format(of_key, sizeof(of_key), "%s.key", path);
	if (report_has(r, of_key)) {
		report_add_at(r, CONFIG_WARNING, of_key, "a file needs no key; take the line out");
	}
	if (url->path[0] == '\0') {
		refuse(r, path, "url",
		       "names no file; write file:recordings/main-%Y%m%d-%H%M%S.flv");
	} else if (error != NULL) {
		refuse(r, path, "url", error);
	} else if (!ends_with(url->path, ".flv")) {
		check_output_file(d, url, path, r);
	} else {
		d->kind = DESTINATION_FLV_FILE;
		d->path = copy_part(url->path, strlen(url->path), r);
	}
}

#define KIND(name) (1u << DESTINATION_##name)

/* A key that has no effect is a promise nobody keeps. */
static void warn_of_idle_keys(const struct config_destination *d, const char *path,
			      struct report *r)
{
	static const struct {
		const char *key;
		unsigned kinds; /* that go by it */
	} rows[] = {
		{ "backup_url", KIND(RTMP) },
		{ "both", KIND(RTMP) },
		{ "isolate", KIND(RTMP) },
		{ "allow_redirect", KIND(RTMP) },
		{ "tracks", KIND(RTMP) },
		{ "hold_s", KIND(RTMP) },
		{ "max_backlog_ms", KIND(RTMP) },
		{ "stall_s", KIND(RTMP) | KIND(SRT) },
		{ "user", KIND(RTMP) | KIND(ICECAST) | KIND(RTSP) },
		{ "password", KIND(RTMP) | KIND(ICECAST) | KIND(RTSP) },
		{ "passphrase", KIND(SRT) },
		{ "latency_ms", KIND(SRT) },
		{ "segment_s", KIND(FILE) | KIND(HLS) },
		{ "segment_mb", KIND(FILE) | KIND(HLS) },
		{ "keep_segments", KIND(HLS) },
	};
	char of_key[CONFIG_PATH_MAX];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text_format(of_key, sizeof(of_key), "%s.%s", path, rows[i].key);
		if (!(rows[i].kinds & 1u << d->kind) && report_has(r, of_key)) {
			report_add_at(r, CONFIG_WARNING, of_key,
				      "has no effect on this kind of destination; take the line "
				      "out");
		}
	}
}

static bool is_known_scheme(const char *scheme)
{
	static const char *const known[] = { "tcp", "http", "https", "rist" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(scheme, known[i]) == 0) {
			return true;
		}
	}
	return false;
}

void check_destination(struct config_destination *d, const char *path, struct report *r)
{
	struct url url;

	d->kind = DESTINATION_INACTIVE;
	if (!complete(d, path, r)) {
		return;
	}
	const char *error = url_parse(d->url, &url);
	if (error != NULL) {
		refuse(r, path, "url", error);
	} else if (is_rtmp(&url)) {
		check_rtmp(d, &url, path, r);
	} else if (strcmp(url.scheme, "file") == 0) {
		check_file(d, &url, path, r);
	} else if (strcmp(url.scheme, "icecasts") == 0 || strcmp(url.scheme, "rtsps") == 0) {
		refuse(r, path, "url",
		       "asks for TLS, which Icecast and RTSP destinations do not have; write "
		       "icecast:// or rtsp://, to a TLS tunnel on this machine if the way there is "
		       "public");
	} else if (is_known_scheme(url.scheme)) {
		inactive(r, path, "a destination of this kind");
	} else if (!check_output(d, &url, path, r)) {
		refuse(r, path, "url",
		       "has an unknown scheme; write rtmp://HOST/APP, rtmps://HOST/APP, "
		       "srt://HOST:PORT, icecast://HOST/MOUNT, rtsp://, udp:// or file:NAME.mkv");
	}
	if (d->kind != DESTINATION_INACTIVE) {
		warn_of_idle_keys(d, path, r);
	}
}
