/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The process's own getaddrinfo() (names.h). ingest-av-pull; waits for the supervisor. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/net.h>
#include <understudy/text.h>
#include <understudy/worker.h>

#include "names.h"

static struct {
	enum net_reach furthest; /* what may be led to; NET_HOST = anything */
	bool is_settled;         /* else the first answer settles it */
	const struct names_ops *ops;
	void *owner;
	uint32_t query;
	bool is_answered;
	struct ipc_resolve_answer answer;
	char trouble[IPC_TEXT], refusal[IPC_TEXT];
	unsigned count;
} names;

void names_begin(const char *host, bool allow_private, const struct names_ops *ops, void *owner)
{
	struct sockaddr_storage address;

	names.ops = ops;
	names.owner = owner;
	names.furthest = NET_PUBLIC;
	names.refusal[0] = names.trouble[0] = '\0';
	names.is_settled = true;
	if (allow_private) {
		names.furthest = NET_HOST;
	} else if (net_parse_address(host, 0, &address) > 0) {
		names.furthest = net_reach_of((struct sockaddr *)&address);
	} else {
		names.is_settled = net_is_public_name(host); /* "encoder": wherever that is */
	}
}

void names_answer(const struct ipc_resolve_answer *answer)
{
	if (answer->query == names.query) {
		names.answer = *answer;
		names.is_answered = true;
	}
}

const char *names_trouble(void)
{
	return names.trouble;
}

const char *names_refusal(void)
{
	return names.refusal;
}

unsigned names_count(void)
{
	unsigned count = names.count;

	names.count = 0;
	return count;
}

/* ---- asking ---- */

static bool names_ask(const char *host, uint16_t port)
{
	struct ipc_resolve_ask ask = { .query = ++names.query, .port = port };

	names.is_answered = false;
	names.trouble[0] = '\0';
	if (!text_copy(ask.host, sizeof(ask.host), host)) {
		text_copy(names.trouble, sizeof(names.trouble), "a host name is too long");
		return false;
	}
	if (ipc_send(WORKER_CONTROL_FD, IPC_RESOLVE_ASK, &ask, NULL, 0) < 0) {
		return false;
	}
	while (!names.is_answered) {
		if (!names.ops->wait(names.owner)) {
			return false;
		}
	}
	if (names.answer.count == 0) {
		char name[100];

		text_copy(name, sizeof(name), host);
		text_format(names.trouble, sizeof(names.trouble), "%s: %s", name,
			    names.answer.error);
	}
	return names.answer.count > 0;
}

/* The first answer for a host that is neither of the world nor an address. */
static void names_settle(void)
{
	for (uint32_t i = 0; i < names.answer.count; i++) {
		enum net_reach reach = net_reach_of((struct sockaddr *)&names.answer.addresses[i]);

		names.furthest = reach > names.furthest ? reach : names.furthest;
	}
	names.is_settled = true;
}

static void names_refuse(const char *host, const struct sockaddr *address)
{
	char where[IPC_NAME], name[IPC_NAME];

	net_format_address(address, where, sizeof(where));
	text_copy(name, sizeof(name), host != NULL && host[0] != '\0' ? host : "no host");
	text_format(names.refusal, sizeof(names.refusal),
		    "%s is at the private address %s; set allow_private: true if the feed may "
		    "lead there",
		    name, where);
}

/* ---- the C library's interface ---- */

static struct addrinfo *info_create(const struct sockaddr *address, const struct addrinfo *hints)
{
	bool is_ipv6 = address->sa_family == AF_INET6;
	socklen_t size = is_ipv6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	struct addrinfo *info = calloc(1, sizeof(*info) + sizeof(struct sockaddr_storage));

	if (info != NULL) {
		*info = (struct addrinfo){
			.ai_family = address->sa_family,
			.ai_socktype = hints != NULL ? hints->ai_socktype : SOCK_STREAM,
			.ai_protocol = hints != NULL ? hints->ai_protocol : 0,
			.ai_addrlen = size,
			.ai_addr = (struct sockaddr *)(info + 1),
		};
		memcpy(info->ai_addr, address, size);
	}
	return info;
}

/* Fills the answer: from an address in figures, for listening, or by asking. */
static int find_addresses(const char *host, uint16_t port, const struct addrinfo *hints)
{
	struct ipc_resolve_answer *answer = &names.answer;
	int flags = hints != NULL ? hints->ai_flags : 0;

	if (host == NULL || host[0] == '\0') {
		bool is_ipv6 = hints != NULL && hints->ai_family == AF_INET6;

		host = flags & AI_PASSIVE ? (is_ipv6 ? "::" : "0.0.0.0")
					  : (is_ipv6 ? "::1" : "127.0.0.1");
	}
	memset(answer, 0, sizeof(*answer));
	if (net_parse_address(host, port, &answer->addresses[0]) > 0) {
		answer->count = 1;
	} else if ((flags & AI_NUMERICHOST) || !names_ask(host, port)) {
		return EAI_NONAME;
	}
	if (!names.is_settled && !(flags & (AI_PASSIVE | AI_NUMERICHOST))) {
		names_settle();
	}
	return 0;
}

/* Those of the answer that may be used. */
static int list_addresses(const char *host, const struct addrinfo *hints, struct addrinfo **ret)
{
	int family = hints != NULL ? hints->ai_family : AF_UNSPEC;
	/* A URL without a host leads to this machine, and is foreign like any other. */
	bool is_ours = hints != NULL && (hints->ai_flags & AI_PASSIVE);
	const struct sockaddr *refused = NULL;
	struct addrinfo *first = NULL, **next = &first;

	for (uint32_t i = 0; i < names.answer.count; i++) {
		const struct sockaddr *at = (struct sockaddr *)&names.answer.addresses[i];

		if (family != AF_UNSPEC && at->sa_family != family) {
			continue;
		}
		if (!is_ours && net_reach_of(at) > names.furthest) {
			refused = at;
			continue;
		}
		*next = info_create(at, hints);
		if (*next == NULL) {
			freeaddrinfo(first);
			return EAI_MEMORY;
		}
		next = &(*next)->ai_next;
	}
	if (first == NULL && refused != NULL) {
		names_refuse(host, refused);
	}
	*ret = first;
	return first != NULL ? 0 : EAI_NONAME;
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
		struct addrinfo **ret)
{
	char *end = NULL;
	unsigned long port = service != NULL ? strtoul(service, &end, 10) : 0;
	int error;

	if (port > UINT16_MAX || (end != NULL && *end != '\0')) {
		return EAI_SERVICE;
	}
	names.count += hints == NULL || !(hints->ai_flags & (AI_PASSIVE | AI_NUMERICHOST));
	error = find_addresses(host, (uint16_t)port, hints);
	return error != 0 ? error : list_addresses(host, hints, ret);
}

void freeaddrinfo(struct addrinfo *info)
{
	while (info != NULL) {
		struct addrinfo *next = info->ai_next;

		free(info);
		info = next;
	}
}
