/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading the address a server sends us to (redirect.h). Every worker that dials RTMP; no I/O. */
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include <understudy/redirect.h>
#include <understudy/text.h>

#define RTMP_PORT 1935
#define RTMPS_PORT 443
#define PORT_MAX 65535

const char *redirect_str(enum redirect_result result)
{
	static const char *const texts[] = {
		[REDIRECT_OK] = "",
		[REDIRECT_MALFORMED] = "an address that is none",
		[REDIRECT_LESS_SECURE] = "a connection without TLS, which is never followed",
		[REDIRECT_FOREIGN] = "another host; `allow_redirect: true` would follow it",
	};

	return texts[result];
}

/* Takes "rtmp:" or "rtmps:" off; false for any other scheme. */
static bool take_scheme(const char **at, struct ipc_endpoint *to)
{
	size_t size = strcspn(*at, ":/?#");

	if ((*at)[size] != ':') {
		return true; /* relative */
	}
	if (size == 4 && strncasecmp(*at, "rtmp", 4) == 0) {
		to->is_tls = 0;
	} else if (size == 5 && strncasecmp(*at, "rtmps", 5) == 0) {
		to->is_tls = 1;
	} else {
		return false;
	}
	*at += size + 1;
	return strncmp(*at, "//", 2) == 0;
}

static bool is_name(const char *host, bool is_bracketed)
{
	struct in6_addr address;

	if (is_bracketed) {
		return inet_pton(AF_INET6, host, &address) == 1;
	}
	return *host && !host[strspn(host, "abcdefghijklmnopqrstuvwxyz"
					   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")];
}

/* Digits up to the end of the authority; nothing at all is the scheme's own port. */
static bool take_port(const char **at, struct ipc_endpoint *to)
{
	unsigned long port = 0;
	size_t digits;

	to->port = to->is_tls ? RTMPS_PORT : RTMP_PORT;
	if (**at != ':') {
		return true;
	}
	++*at;
	digits = strspn(*at, "0123456789");
	if (digits == 0 || digits > 5) {
		return false;
	}
	for (; digits; digits--) {
		port = port * 10 + (unsigned long)(*(*at)++ - '0');
	}
	to->port = (uint16_t)port;
	return port > 0 && port <= PORT_MAX;
}

/* "//host:port" or "//[address]:port"; user info is refused as no name. */
static bool take_authority(const char **at, struct ipc_endpoint *to)
{
	bool is_bracketed;
	size_t size;

	if (strncmp(*at, "//", 2) != 0) {
		return true;
	}
	*at += 2;
	is_bracketed = **at == '[';
	*at += is_bracketed;
	size = strcspn(*at, is_bracketed ? "]" : ":/?#");
	if (!text_copy_bytes(to->host, sizeof(to->host), *at, size) ||
	    !is_name(to->host, is_bracketed)) {
		return false;
	}
	*at += size;
	if (is_bracketed && *(*at)++ != ']') {
		return false;
	}
	return take_port(at, to) && (**at == '\0' || strchr("/?", **at));
}

/* What follows is the application. Relative to ours: beside its last part. */
static bool take_app(const char *at, struct ipc_endpoint *to)
{
	char app[IPC_KEY];
	const char *last = strrchr(to->app, '/');
	size_t keeps = last && *at != '/' ? (size_t)(last - to->app) + 1 : 0;

	at += *at == '/';
	if (*at == '\0') {
		return true; /* no path: the same application */
	}
	if (!text_format(app, sizeof(app), "%.*s%s", (int)keeps, to->app, at) ||
	    strpbrk(app, "#\\ ") || strstr(app, "..")) {
		return false;
	}
	return text_copy(to->app, sizeof(to->app), app);
}

static bool make_tc_url(struct ipc_endpoint *to)
{
	bool is_ipv6 = strchr(to->host, ':');
	bool is_usual = to->port == (to->is_tls ? RTMPS_PORT : RTMP_PORT);
	char port[8] = "";

	if (!is_usual) {
		(void)text_format(port, sizeof(port), ":%u", (unsigned)to->port);
	}
	return text_format(to->tc_url, sizeof(to->tc_url), "rtmp%s://%s%s%s%s/%s",
			   to->is_tls ? "s" : "", is_ipv6 ? "[" : "", to->host, is_ipv6 ? "]" : "",
			   port, to->app);
}

enum redirect_result redirect_resolve(const struct ipc_endpoint *now, const char *url,
				      bool allows_foreign, struct ipc_endpoint *ret)
{
	struct ipc_endpoint to = *now;
	enum redirect_result result = REDIRECT_MALFORMED;

	if (*url == '\0') {
		*ret = to;
		return REDIRECT_OK;
	}
	if (take_scheme(&url, &to) && take_authority(&url, &to) && take_app(url, &to) &&
	    make_tc_url(&to)) {
		if (now->is_tls && !to.is_tls) {
			result = REDIRECT_LESS_SECURE;
		} else if (!allows_foreign && strcasecmp(now->host, to.host) != 0) {
			result = REDIRECT_FOREIGN;
		} else {
			*ret = to;
			result = REDIRECT_OK;
		}
	}
	explicit_bzero(&to, sizeof(to));
	return result;
}
