/* SPDX-License-Identifier: GPL-3.0-or-later */
/* URLs and addresses as the configuration uses them. Pure; errors are fixed sentences that hold
 * nothing of the text looked at. */
#ifndef CONFIG_URL_H
#define CONFIG_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct url {
	char scheme[12]; /* lower case */
	char host[256];  /* without brackets */
	bool is_ipv6;
	bool has_user;    /* NAME[:PASSWORD]@ stands before the host: */
	const char *user; /* in the text, percent-encoded as it stands there */
	size_t user_bytes;
	uint16_t port;    /* 0 = not given */
	const char *path; /* in the text, after the slash that ends the host; "" if none */
};

/* NULL, or what is wrong and what to do. */
const char *url_parse(const char *text, struct url *ret);

/* An address to listen on: 192.0.2.1:1935, [::1]:1935, :1935. NULL, or what is wrong. */
const char *url_check_address(const char *text, uint16_t *ret_port);

/* What the letters after `%` in a file name pattern may be. */
const char *url_check_pattern(const char *path);

#endif
