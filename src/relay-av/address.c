/* SPDX-License-Identifier: GPL-3.0-or-later */
/* URLs for libavformat: addresses as numbers, since the worker looks up no names, and HTTP told of
 * the host's name by a header. Pure. */
#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <string.h>

#include <understudy/text.h>

#include "output.h"

static bool put_number(char *to, size_t size, const struct sockaddr_storage *address)
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;
	char number[INET6_ADDRSTRLEN];

	if (address->ss_family == AF_INET) {
		return inet_ntop(AF_INET, &v4->sin_addr, to, (socklen_t)size) != NULL;
	}
	return address->ss_family == AF_INET6 &&
	       inet_ntop(AF_INET6, &v6->sin6_addr, number, sizeof(number)) != NULL &&
	       text_format(to, size, "[%s]", number);
}

/* What stands before the @, each part percent-encoded. */
static bool put_encoded(char *to, size_t size, const char *text)
{
	size_t used = 0;

	for (; *text != '\0'; text++) {
		bool is_plain = isalnum((unsigned char)*text) || strchr("-_.~", *text) != NULL;

		if (size - used < 4) {
			return false;
		}
		used += (size_t)(is_plain ? 1 : 3);
		text_format(to + used - (is_plain ? 1 : 3), 4, is_plain ? "%c" : "%%%02X",
			    (unsigned char)*text);
	}
	to[used] = '\0';
	return true;
}

static bool make_login(const struct ipc_output_start *start, char *to, size_t size)
{
	char user[3 * IPC_NAME + 4], password[3 * IPC_KEY + 4];
	bool fits = put_encoded(user, sizeof(user), start->user) &&
		    put_encoded(password, sizeof(password), start->password);

	to[0] = '\0';
	if (start->user[0] != '\0') {
		fits = fits && text_format(to, size, "%s:%s@", user, password);
	}
	explicit_bzero(password, sizeof(password));
	return fits;
}

bool address_make(struct output *o, const struct sockaddr_storage *address)
{
	static const char *const schemes[OUTPUT_KINDS] = {
		[OUTPUT_ICECAST] = "http",
		[OUTPUT_RTSP] = "rtsp",
		[OUTPUT_UDP] = "udp",
		[OUTPUT_RTP] = "rtp",
	};
	bool is_datagram = o->start.kind == OUTPUT_UDP || o->start.kind == OUTPUT_RTP;
	char host[INET6_ADDRSTRLEN + 2], login[ADDRESS_URL_MAX];
	bool fits = schemes[o->start.kind] != NULL && put_number(host, sizeof(host), address) &&
		    make_login(&o->start, login, sizeof(login));

	fits = fits &&
	       text_format(o->url, sizeof(o->url), "%s://%s%s:%u%s%s", schemes[o->start.kind],
			   login, host, (unsigned)o->start.port,
			   is_datagram ? "?pkt_size=1316" : "/", is_datagram ? "" : o->start.path);
	explicit_bzero(login, sizeof(login));
	return fits && text_format(o->headers, sizeof(o->headers),
				   "Host: %s:%u\r\nIce-Name: %s\r\nIce-Public: 0\r\n",
				   o->start.host, (unsigned)o->start.port, o->start.show);
}
