/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From where an address can be reached (net.h): what a foreign server may lead us to. Pure. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include <understudy/net.h>

struct range {
	uint32_t address, bits;
	enum net_reach reach;
};

/* The IANA registry of special addresses, as far as something may listen there. */
static const struct range special[] = {
	{ 0x00000000, 8, NET_HOST },     { 0x7f000000, 8, NET_HOST },
	{ 0xa9fe0000, 16, NET_HOST },    { 0x0a000000, 8, NET_PRIVATE },
	{ 0x64400000, 10, NET_PRIVATE }, { 0xac100000, 12, NET_PRIVATE },
	{ 0xc0000000, 24, NET_PRIVATE }, { 0xc0a80000, 16, NET_PRIVATE },
	{ 0xc6120000, 15, NET_PRIVATE }, { 0xe0000000, 3, NET_PRIVATE }, /* multicast, reserved */
};

static enum net_reach reach_of_ipv4(uint32_t address)
{
	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
		if ((address ^ special[i].address) >> (32 - special[i].bits) == 0) {
			return special[i].reach;
		}
	}
	return NET_PUBLIC;
}

static uint32_t ipv4_inside(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static enum net_reach reach_of_ipv6(const struct in6_addr *address)
{
	static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
	static const uint8_t local_nat64[6] = { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 };
	const uint8_t *a = address->s6_addr;

	if (IN6_IS_ADDR_UNSPECIFIED(address) || IN6_IS_ADDR_LOOPBACK(address) ||
	    IN6_IS_ADDR_LINKLOCAL(address)) {
		return NET_HOST;
	}
	if (IN6_IS_ADDR_V4MAPPED(address) || IN6_IS_ADDR_V4COMPAT(address) ||
	    memcmp(a, nat64, sizeof(nat64)) == 0) {
		return reach_of_ipv4(ipv4_inside(a + 12));
	}
	if (a[0] == 0x20 && a[1] == 0x02) { /* 6to4 */
		return reach_of_ipv4(ipv4_inside(a + 2));
	}
	if ((a[0] & 0xfe) == 0xfc || a[0] == 0xff || IN6_IS_ADDR_SITELOCAL(address) ||
	    memcmp(a, local_nat64, sizeof(local_nat64)) == 0) {
		return NET_PRIVATE;
	}
	return NET_PUBLIC;
}

enum net_reach net_reach_of(const struct sockaddr *address)
{
	switch (address->sa_family) {
	case AF_INET:
		return reach_of_ipv4(ntohl(
			((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr));
	case AF_INET6:
		return reach_of_ipv6(
			&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
	default:
		return NET_HOST;
	}
}

static bool ends_with(const char *name, size_t size, const char *tail)
{
	size_t bytes = strlen(tail);

	return size > bytes && strncasecmp(name + size - bytes, tail, bytes) == 0;
}

bool net_is_public_name(const char *name)
{
	static const char *const inner[] = { ".local",     ".localhost", ".lan",      ".home",
					     ".home.arpa", ".internal",  ".intranet", ".private",
					     ".corp",      ".test" };
	size_t size = strlen(name);
	const char *dot = strchr(name, '.');

	size -= size > 0 && name[size - 1] == '.';
	if (dot == NULL || dot == name + size) {
		return false;
	}
	for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]); i++) {
		if (ends_with(name, size, inner[i])) {
			return false;
		}
	}
	return true;
}
