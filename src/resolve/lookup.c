/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Name lookup (lookup.h). Runs in resolve only: getaddrinfo(3) blocks as long as it likes, reads
 * files and talks to name servers; the supervisor ends the process if it takes too long.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include <understudy/text.h>

#include "lookup.h"

static const char *error_words(int result)
{
	switch (result) {
	case EAI_NONAME:
		return "name not found";
	case EAI_AGAIN:
		return "name server does not answer";
	case EAI_NODATA:
	case EAI_ADDRFAMILY:
		return "name has no address";
	case EAI_FAIL:
		return "name server reports a failure";
	case EAI_MEMORY:
		return "out of memory";
	default:
		return "name cannot be looked up";
	}
}

static void put(struct ipc_resolve_answer *ret, const void *address, size_t size)
{
	if (ret->count < IPC_ADDRESSES_MAX && size <= sizeof(ret->addresses[0])) {
		memcpy(&ret->addresses[ret->count++], address, size);
	}
}

static void put_v4(struct ipc_resolve_answer *ret, struct in_addr where, uint16_t port)
{
	const struct sockaddr_in a = { .sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr = where };

	put(ret, &a, sizeof(a));
}

static void put_v6(struct ipc_resolve_answer *ret, struct in6_addr where, uint16_t port)
{
	const struct sockaddr_in6 a = { .sin6_family = AF_INET6,
					.sin6_port = htons(port),
					.sin6_addr = where };

	put(ret, &a, sizeof(a));
}

/* What needs no name server. */
static bool lookup_locally(const char *host, uint16_t port, struct ipc_resolve_answer *ret)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, host, &v4) == 1) {
		put_v4(ret, v4, port);
	} else if (inet_pton(AF_INET6, host, &v6) == 1) {
		put_v6(ret, v6, port);
	} else if (strcasecmp(host, "localhost") == 0) {
		put_v4(ret, (struct in_addr){ htonl(INADDR_LOOPBACK) }, port);
		put_v6(ret, in6addr_loopback, port);
	} else {
		return false;
	}
	return true;
}

/* The next address of the wanted family from `from` on (`same` false: of any other). */
static const struct addrinfo *find(const struct addrinfo *from, int family, bool same)
{
	while (from && (from->ai_family == family) != same) {
		from = from->ai_next;
	}
	return from;
}

static void interleave(const struct addrinfo *list, struct ipc_resolve_answer *ret)
{
	int first = list->ai_family;
	const struct addrinfo *one = list, *other = find(list, first, false);

	while ((one || other) && ret->count < IPC_ADDRESSES_MAX) {
		if (one) {
			put(ret, one->ai_addr, one->ai_addrlen);
			one = find(one->ai_next, first, true);
		}
		if (other) {
			put(ret, other->ai_addr, other->ai_addrlen);
			other = find(other->ai_next, first, false);
		}
	}
}

void lookup_host(const char *host, uint16_t port, struct ipc_resolve_answer *ret)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC,
					.ai_socktype = SOCK_STREAM,
					.ai_flags = AI_NUMERICSERV };
	struct addrinfo *list = NULL;
	char service[8];
	int result;

	memset(ret, 0, sizeof(*ret));
	if (!*host) {
		(void)text_copy(ret->error, sizeof(ret->error), "there is no host name");
		return;
	}
	if (lookup_locally(host, port, ret)) {
		return;
	}
	(void)text_format(service, sizeof(service), "%u", port);
	result = getaddrinfo(host, service, &hints, &list);
	if (result == 0 && list) {
		interleave(list, ret);
	} else {
		(void)text_copy(ret->error, sizeof(ret->error), error_words(result));
	}
	if (list) {
		freeaddrinfo(list);
	}
}
