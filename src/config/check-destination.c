/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a destination's URL and key mean: host, port, application, stream and tcUrl of RTMP, or
 * the path of a recording. Pure but for memory.
 */
#include <stdlib.h>
#include <string.h>

#include <understudy/text.h>

#include "check.h"
#include "url.h"

#define RTMP_PORT 1935
#define RTMPS_PORT 443
#define PART_MAX 500 /* of app and stream */

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
static char *make_tc_url(const struct config_destination *d, const struct url *url,
			 struct report *r)
{
	char text[PART_MAX + sizeof(url->host) + 32], port[8] = "";

	if (url->port != 0) {
		text_format(port, sizeof(port), ":%u", (unsigned)url->port);
	}
	text_format(text, sizeof(text), "%s://%s%s%s%s/%s", url->scheme, url->is_ipv6 ? "[" : "",
		    url->host, url->is_ipv6 ? "]" : "", port, d->app);
	char *copy = copy_part(text, strlen(text), r);
	explicit_bzero(text, sizeof(text)); /* the application may hold a token */
	return copy;
}

/* Splits the path into application and stream: with a key all of it is the application, else
 * its last part is the stream. */
static const char *split_path(struct config_destination *d, const char *url_path, bool has_key,
			      struct report *r)
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
		d->app = copy_part(joined, strlen(joined), r);
		explicit_bzero(joined, sizeof(joined));
		d->stream = d->key != NULL ? copy_part(d->key, strlen(d->key), r) : NULL;
	} else {
		slash = memrchr(url_path, '/', app);
		if (slash == NULL || slash == url_path) {
			return "has no stream key; add `key: \"${NAME}\"`, or put it last in the "
			       "URL: "
			       "rtmp://HOST/APP/KEY";
		}
		d->app = copy_part(url_path, (size_t)(slash - url_path), r);
		d->stream = copy_part(slash + 1, strlen(slash + 1), r);
	}
	if (d->app != NULL && strlen(d->app) > PART_MAX) {
		return "is too long; an application may have 500 characters";
	}
	if (d->stream != NULL && strlen(d->stream) > PART_MAX) {
		return "is too long; a stream key may have 500 characters";
	}
	return NULL;
}

static void check_rtmp(struct config_destination *d, const struct url *url, const char *path,
		       struct report *r)
{
	char of_key[CONFIG_PATH_MAX];
	const char *error;

	text_format(of_key, sizeof(of_key), "%s.key", path);
	d->is_tls = strcmp(url->scheme, "rtmps") == 0;
	d->kind = DESTINATION_RTMP;
	d->port = url->port != 0 ? url->port : d->is_tls ? RTMPS_PORT : RTMP_PORT;
	if (url->has_user) {
		refuse(r, path, "url",
		       "has a user name before the host, which RTMP destinations here do not "
		       "take; put the "
		       "stream key into `key`");
		return;
	}
	error = split_path(d, url->path, report_has(r, of_key), r);
	if (error != NULL) {
		refuse(r, path, "url", error);
		return;
	}
	d->host = copy_part(url->host, strlen(url->host), r);
	if (d->app != NULL) {
		d->tc_url = make_tc_url(d, url, r);
	}
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
		d->kind = DESTINATION_INACTIVE;
		inactive(r, path, "a recording that is not .flv");
	} else {
		d->kind = DESTINATION_FLV_FILE;
		d->path = copy_part(url->path, strlen(url->path), r);
	}
}

static bool is_known_scheme(const char *scheme)
{
	static const char *const known[] = { "srt",  "udp",   "rtp",     "tcp",
					     "http", "https", "icecast", "rist" };

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
	if (d->url == NULL) {
		return;
	}
	const char *error = url_parse(d->url, &url);
	if (error != NULL) {
		refuse(r, path, "url", error);
	} else if (strcmp(url.scheme, "rtmp") == 0 || strcmp(url.scheme, "rtmps") == 0) {
		check_rtmp(d, &url, path, r);
	} else if (strcmp(url.scheme, "file") == 0) {
		check_file(d, &url, path, r);
	} else if (is_known_scheme(url.scheme)) {
		inactive(r, path, "a destination of this kind");
	} else {
		refuse(r, path, "url",
		       "has an unknown scheme; write rtmp://HOST/APP, rtmps://HOST/APP or "
		       "file:NAME.flv");
	}
}
