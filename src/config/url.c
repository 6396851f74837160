/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Taking URLs and addresses apart (url.h), and redacting them for people (config.h). Pure. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/config.h>
#include <understudy/text.h>

#include "url.h"

#define EXAMPLE "for example rtmp://a.rtmp.youtube.com/live2"

static bool is_graphic(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		if (*p <= ' ' || *p >= 0x7f) {
			return false;
		}
	}
	return true;
}

/* The scheme is everything before "://", or before ":" for file. 0 if there is none. */
static size_t scheme_size(const char *text)
{
	size_t size = 0;

	while (isalnum((unsigned char)text[size]) ||
	       (size > 0 && strchr("+-.", text[size]) != NULL && text[size] != '\0')) {
		size++;
	}
	if (strncmp(text + size, "://", 3) == 0) {
		return size;
	}
	return size == 4 && text[4] == ':' && strncasecmp(text, "file", 4) == 0 ? size : 0;
}

static bool parse_port(const char *text, size_t size, uint16_t *ret)
{
	unsigned long value = 0;

	if (size == 0 || size > 5) {
		return false;
	}
	for (size_t i = 0; i < size; i++) {
		if (!isdigit((unsigned char)text[i])) {
			return false;
		}
		value = value * 10 + (unsigned long)(text[i] - '0');
	}
	if (value > UINT16_MAX) {
		return false;
	}
	*ret = (uint16_t)value;
	return true;
}

static bool is_host_name(const char *host)
{
	size_t size = strlen(host);

	if (size == 0 || host[0] == '-' || host[0] == '.') {
		return false;
	}
	for (size_t i = 0; i < size; i++) {
		if (!isalnum((unsigned char)host[i]) && strchr("-._", host[i]) == NULL) {
			return false;
		}
	}
	return true;
}

static const char *parse_host(const char *text, size_t size, struct url *url)
{
	const char *colon;
	size_t host;

	if (size > 0 && text[0] == '[') {
		const char *end = memchr(text, ']', size);
		struct in6_addr address;

		if (end == NULL) {
			return "an IPv6 address needs both brackets; write [2001:db8::1]:1935";
		}
		host = (size_t)(end - text) - 1;
		text_copy_bytes(url->host, sizeof(url->host), text + 1, host);
		if (inet_pton(AF_INET6, url->host, &address) != 1) {
			return "between the brackets is no IPv6 address; write [2001:db8::1]:1935";
		}
		url->is_ipv6 = true;
		colon = (size_t)(end + 1 - text) < size ? end + 1 : NULL;
		if (colon != NULL && *colon != ':') {
			return "after the IPv6 address may only be a port; write "
			       "[2001:db8::1]:1935";
		}
	} else {
		colon = memchr(text, ':', size);
		host = colon != NULL ? (size_t)(colon - text) : size;
		if (!text_copy_bytes(url->host, sizeof(url->host), text, host) ||
		    !is_host_name(url->host)) {
			return host == 0 ? "has no host; " EXAMPLE
					 : "the host is no name and no address; " EXAMPLE;
		}
	}
	if (colon != NULL &&
	    (!parse_port(colon + 1, size - (size_t)(colon + 1 - text), &url->port) ||
	     url->port == 0)) {
		return "the port is not a number from 1 to 65535; write rtmp://HOST:1935/APP, or "
		       "leave "
		       "it out";
	}
	return NULL;
}

const char *url_parse(const char *text, struct url *ret)
{
	struct url url = { .port = 0 };
	size_t scheme = scheme_size(text);

	if (!is_graphic(text) && strncasecmp(text, "file:", 5) != 0) {
		return "has a space or a character that is not plain ASCII; write those as %XX";
	}
	if (scheme == 0) {
		return "does not begin with a scheme; " EXAMPLE ", or file:NAME.flv";
	}
	if (!text_copy_bytes(url.scheme, sizeof(url.scheme), text, scheme)) {
		return "has an unknown scheme; " EXAMPLE ", or file:NAME.flv";
	}
	for (char *p = url.scheme; *p != '\0'; p++) {
		*p = (char)tolower((unsigned char)*p);
	}
	if (strcmp(url.scheme, "file") == 0) {
		url.path = text + scheme + 1;
		if (strncmp(url.path, "//", 2) == 0) {
			url.path += 2;
		}
		*ret = url;
		return NULL;
	}
	const char *authority = text + scheme + 3;
	size_t size = strcspn(authority, "/?#");
	const char *at = memrchr(authority, '@', size);

	if (at != NULL) {
		url.has_user = true;
		url.user = authority;
		url.user_bytes = (size_t)(at - authority);
		size -= (size_t)(at + 1 - authority);
		authority = at + 1;
	}
	const char *error = parse_host(authority, size, &url);
	if (error != NULL) {
		return error;
	}
	url.path = authority + size + (authority[size] == '/');
	*ret = url;
	return NULL;
}

const char *url_check_address(const char *text, uint16_t *ret_port)
{
	static const char help[] = "is not an address and a port; write 0.0.0.0:1935 for every "
				   "interface, 127.0.0.1:1935 for this machine, [::]:1935 for IPv6";
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2];
	struct in6_addr address;
	uint16_t port;

	if (colon == NULL || !parse_port(colon + 1, strlen(colon + 1), &port) ||
	    !text_copy_bytes(host, sizeof(host), text, (size_t)(colon - text))) {
		return help;
	}
	size_t size = strlen(host);
	if (size > 0 && host[0] == '[') {
		if (host[size - 1] != ']') {
			return help;
		}
		host[size - 1] = '\0';
		if (inet_pton(AF_INET6, host + 1, &address) != 1) {
			return help;
		}
	} else if (size > 0 && inet_pton(AF_INET, host, &address) != 1) {
		return help;
	}
	*ret_port = port;
	return NULL;
}

const char *url_check_pattern(const char *path)
{
	for (const char *p = strchr(path, '%'); p != NULL; p = strchr(p + 2, '%')) {
		if (p[1] == '\0' ||
		    strchr("aAbBcCdDeFgGhHIjklmMnpPrRsSTuUVwWyYzZ%", p[1]) == NULL) {
			return "has a % without a letter that stands for date or time; write for "
			       "example "
			       "file:recordings/main-%Y%m%d-%H%M%S.flv, and %% for a percent sign";
		}
	}
	return NULL;
}

/* ---- redaction ---- */

struct output {
	char *to;
	size_t size, used;
};

static void put(struct output *out, const char *text, size_t size)
{
	if (out->used < out->size) {
		text_escape(out->to + out->used, out->size - out->used, text, size);
		out->used += strlen(out->to + out->used);
	}
}

/* Parts between slashes: the first is kept, the others become stars. */
static const char *put_path(struct output *out, const char *path)
{
	for (unsigned part = 0; *path == '/'; part++) {
		size_t size = strcspn(path + 1, "/?#");

		put(out, "/", 1);
		if (size > 0) {
			put(out, part == 0 ? path + 1 : "***", part == 0 ? size : 3);
		}
		path += 1 + size;
	}
	return path;
}

static const char *put_query(struct output *out, const char *query)
{
	while (*query == '?' || *query == '&') {
		size_t size = strcspn(query + 1, "&#"), name = strcspn(query + 1, "=&#");

		put(out, query, 1);
		if (name < size) {
			put(out, query + 1, name + 1);
		}
		put(out, "***", 3);
		query += 1 + size;
	}
	return query;
}

void config_redact_url(char *to, size_t size, const char *url)
{
	struct output out = { .to = to, .size = size };
	size_t scheme = scheme_size(url);

	to[0] = '\0';
	if (strncasecmp(url, "file:", 5) == 0) {
		put(&out, url, strlen(url));
		return;
	}
	if (scheme == 0) {
		put(&out, "***", 3);
		return;
	}
	const char *authority = url + scheme + 3;
	size_t host = strcspn(authority, "/?#");
	const char *at = memrchr(authority, '@', host);

	put(&out, url, scheme + 3);
	if (at != NULL) {
		put(&out, "***@", 4);
		host -= (size_t)(at + 1 - authority);
		authority = at + 1;
	}
	put(&out, authority, host);
	const char *rest = put_query(&out, put_path(&out, authority + host));
	if (*rest == '#') {
		put(&out, "#***", 4);
	}
}
