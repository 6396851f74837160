/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the URLs of SRT, Icecast, RTSP, UDP and RTP destinations mean, and files that are not .flv.
 * Passwords and passphrases written into a URL are taken out of it, decoded. Pure but for memory.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/text.h>

#include "check-output.h"

#define PART_MAX 500
#define USER_MAX 60
#define PASSPHRASE_MIN 10
#define PASSPHRASE_MAX 79
#define LATENCY_MAX_MS 10000
#define HLS_SEGMENT_S 4

static void refuse(struct report *r, const char *path, const char *name, const char *text)
{
	char of_key[CONFIG_PATH_MAX];

	text_format(of_key, sizeof(of_key), "%s.%s", path, name);
	report_add_at(r, CONFIG_ERROR, of_key, "%s", text);
}

static char *copy_part(const char *from, size_t size, struct report *r)
{
	char *copy = strndup(from, size);

	r->is_out_of_memory |= copy == NULL;
	return copy;
}

/* ---- parts of URLs ---- */

static int hex_value(char c)
{
	return isdigit((unsigned char)c)    ? c - '0'
	       : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
					    : -1;
}

/* %XX becomes the byte it stands for; what is no such escape stays as it is. */
static char *decode(const char *from, size_t size, struct report *r)
{
	char *text = copy_part(from, size, r), *to = text;

	for (const char *at = text; at != NULL && *at != '\0';) {
		if (at[0] == '%' && hex_value(at[1]) >= 0 && hex_value(at[2]) >= 0 &&
		    (hex_value(at[1]) > 0 || hex_value(at[2]) > 0)) {
			*to++ = (char)(hex_value(at[1]) << 4 | hex_value(at[2]));
			at += 3;
		} else {
			*to++ = *at++;
		}
	}
	if (to != NULL) {
		*to = '\0';
	}
	return text;
}

struct parameter {
	const char *name, *value;
	size_t name_bytes, value_bytes;
};

static bool next_parameter(const char **query, struct parameter *ret)
{
	size_t size;

	while (**query == '?' || **query == '&') {
		(*query)++;
	}
	size = strcspn(*query, "&#");
	if (size == 0) {
		return false;
	}
	ret->name = *query;
	ret->name_bytes = strcspn(*query, "=&#");
	ret->value = ret->name + ret->name_bytes + (ret->name_bytes < size);
	ret->value_bytes = (size_t)(*query + size - ret->value);
	*query += size;
	return true;
}

static bool is_named(const struct parameter *p, const char *name)
{
	return strlen(name) == p->name_bytes && memcmp(p->name, name, p->name_bytes) == 0;
}

static bool has_value(const struct parameter *p, const char *value)
{
	return strlen(value) == p->value_bytes && memcmp(p->value, value, p->value_bytes) == 0;
}

/* ---- SRT ---- */

static const char *take_latency(struct config_output *o, const struct parameter *p)
{
	uint32_t value = 0;

	for (size_t i = 0; i < p->value_bytes; i++) {
		if (!isdigit((unsigned char)p->value[i]) || value > LATENCY_MAX_MS) {
			return "the latency in the URL counts milliseconds, up to 10000; write "
			       "latency=200, or use the key latency_ms";
		}
		value = value * 10 + (uint32_t)(p->value[i] - '0');
	}
	if (value > LATENCY_MAX_MS) {
		return "the latency in the URL counts milliseconds, up to 10000; write "
		       "latency=200, or use the key latency_ms";
	}
	o->latency_ms = value;
	return NULL;
}

static void replace(char **text, char *by)
{
	if (*text != NULL) {
		explicit_bzero(*text, strlen(*text));
		free(*text);
	}
	*text = by;
}

static const char *take_srt_parameter(struct config_output *o, const struct parameter *p,
				      struct report *r)
{
	if (is_named(p, "mode")) {
		o->is_listener = has_value(p, "listener");
		return o->is_listener || has_value(p, "caller")
			       ? NULL
			       : "has a mode that is neither; write mode=caller (we dial) or "
				 "mode=listener (players dial us)";
	}
	if (is_named(p, "streamid")) {
		replace(&o->stream, decode(p->value, p->value_bytes, r));
		return NULL;
	}
	if (is_named(p, "passphrase")) {
		replace(&o->passphrase, decode(p->value, p->value_bytes, r));
		return NULL;
	}
	if (is_named(p, "latency")) {
		return take_latency(o, p);
	}
	return "has a parameter that is not known for SRT; mode, streamid, passphrase and latency "
	       "are";
}

static const char *check_srt_lengths(const struct config_output *o)
{
	size_t size = o->passphrase != NULL ? strlen(o->passphrase) : PASSPHRASE_MIN;

	if (size < PASSPHRASE_MIN || size > PASSPHRASE_MAX) {
		return "the passphrase has to have 10 to 79 characters";
	}
	return o->stream != NULL && strlen(o->stream) > PART_MAX
		       ? "the stream id is too long; it may have 500 characters"
		       : NULL;
}

static bool is_address(const char *host)
{
	struct in6_addr address;

	return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

static void check_srt(struct config_destination *d, const struct url *url, const char *path,
		      struct report *r)
{
	struct config_output *o = &d->output;
	const char *query = url->path + strcspn(url->path, "?");
	struct parameter p;
	const char *error = url->port == 0 ? "needs a port; write srt://HOST:9000" : NULL;

	d->kind = DESTINATION_SRT;
	o->latency_ms = d->latency_ms;
	if (d->key != NULL) {
		o->stream = copy_part(d->key, strlen(d->key), r);
	}
	if (d->passphrase != NULL) {
		o->passphrase = copy_part(d->passphrase, strlen(d->passphrase), r);
	}
	while (error == NULL && next_parameter(&query, &p)) {
		error = take_srt_parameter(o, &p, r);
	}
	if (error == NULL) {
		error = check_srt_lengths(o);
	}
	if (error == NULL && o->is_listener && !is_address(url->host)) {
		error = "waits for players, so its host has to be an address of this machine; "
			"write srt://0.0.0.0:9000?mode=listener";
	}
	if (error != NULL) {
		refuse(r, path, "url", error);
	}
}

/* ---- Icecast, RTSP ---- */

/* NAME[:PASSWORD] of the URL, else the keys `user` and `password`. */
static void take_login(struct config_destination *d, const struct url *url, struct report *r)
{
	struct config_output *o = &d->output;

	if (url->has_user) {
		const char *colon = memchr(url->user, ':', url->user_bytes);
		size_t name = colon != NULL ? (size_t)(colon - url->user) : url->user_bytes;

		o->user = decode(url->user, name, r);
		if (colon != NULL) {
			o->password = decode(colon + 1, url->user_bytes - name - 1, r);
		}
		return;
	}
	if (d->user != NULL) {
		o->user = copy_part(d->user, strlen(d->user), r);
	}
	if (d->password != NULL) {
		o->password = copy_part(d->password, strlen(d->password), r);
	}
}

static void check_served(struct config_destination *d, const struct url *url, const char *path,
			 struct report *r)
{
	struct config_output *o = &d->output;

	take_login(d, url, r);
	o->path = copy_part(url->path, strlen(url->path), r);
	if (strlen(url->path) > PART_MAX) {
		refuse(r, path, "url", "is too long");
	}
	if (o->user != NULL && strlen(o->user) > USER_MAX) {
		refuse(r, path, "url",
		       "has a user name that is too long; 60 characters are allowed");
	}
	if (o->password != NULL && strlen(o->password) > PART_MAX) {
		refuse(r, path, "url", "has a password that is too long");
	}
}

static void check_icecast(struct config_destination *d, const struct url *url, const char *path,
			  struct report *r)
{
	d->kind = DESTINATION_ICECAST;
	check_served(d, url, path, r);
	d->output.port = url->port != 0 ? url->port : 8000;
	if (url->path[0] == '\0' || url->path[0] == '?') {
		refuse(r, path, "url", "names no mount; write icecast://HOST:8000/radio.aac");
	}
	if (d->output.password == NULL) {
		refuse(r, path, "url",
		       "needs the source password; add `user: source` and "
		       "`password: \"${NAME}\"`");
	}
}

static void check_rtsp(struct config_destination *d, const struct url *url, const char *path,
		       struct report *r)
{
	d->kind = DESTINATION_RTSP;
	check_served(d, url, path, r);
	d->output.port = url->port != 0 ? url->port : 554;
}

/* ---- UDP, RTP ---- */

static void check_datagrams(struct config_destination *d, const struct url *url, const char *path,
			    struct report *r)
{
	d->kind = strcmp(url->scheme, "rtp") == 0 ? DESTINATION_RTP : DESTINATION_UDP;
	if (url->port == 0) {
		refuse(r, path, "url", "needs a port; write udp://HOST:5000");
	} else if (url->path[0] != '\0') {
		refuse(r, path, "url",
		       "has something behind the port, which UDP and RTP destinations do not take");
	}
}

/* ---- all ---- */

bool check_output(struct config_destination *d, const struct url *url, const char *path,
		  struct report *r)
{
	static const struct {
		const char *scheme;
		void (*check)(struct config_destination *d, const struct url *url, const char *path,
			      struct report *r);
	} rows[] = {
		{ "srt", check_srt },       { "icecast", check_icecast }, { "rtsp", check_rtsp },
		{ "udp", check_datagrams }, { "rtp", check_datagrams },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(url->scheme, rows[i].scheme) == 0) {
			d->output.port = url->port;
			rows[i].check(d, url, path, r);
			d->output.host = copy_part(url->host, strlen(url->host), r);
			return true;
		}
	}
	return false;
}

static bool ends_with(const char *text, const char *ending)
{
	size_t size = strlen(text), tail = strlen(ending);

	return size > tail && strcasecmp(text + size - tail, ending) == 0;
}

void check_output_file(struct config_destination *d, const struct url *url, const char *path,
		       struct report *r)
{
	if (strlen(url->path) > PART_MAX) {
		refuse(r, path, "url", "is too long; a file's name may have 500 characters");
	} else if (ends_with(url->path, ".m3u8")) {
		d->kind = DESTINATION_HLS;
		if (strchr(url->path, '%') != NULL) {
			refuse(r, path, "url",
			       "has a % in it; a playlist keeps its name, so that players find it");
		}
		if (d->segment_s == 0) {
			d->segment_s = HLS_SEGMENT_S;
		}
	} else if (ends_with(url->path, ".mkv") || ends_with(url->path, ".mp4") ||
		   ends_with(url->path, ".ts")) {
		d->kind = DESTINATION_FILE;
	} else {
		refuse(r, path, "url",
		       "is a kind of file that is not known; its name has to end in .mkv, .mp4, "
		       ".ts, .flv or, for HLS, .m3u8");
	}
	d->path = copy_part(url->path, strlen(url->path), r);
}
