/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where a server means us to go: the tcUrl of a ReconnectRequest (Enhanced RTMP v2), or what a
 * refusal names as `redirect`; absolute or relative to the present one (RFC 3986, 4.2). Foreign
 * text: bounded, and never believed further than the configuration allows. Pure.
 */
#ifndef UNDERSTUDY_REDIRECT_H
#define UNDERSTUDY_REDIRECT_H

#include <understudy/ipc.h>

enum redirect_result {
	REDIRECT_OK,
	REDIRECT_MALFORMED,
	REDIRECT_LESS_SECURE, /* from TLS to none: never */
	REDIRECT_FOREIGN,     /* another host, which the destination does not allow */
};
/* A sentence for people. */
const char *redirect_str(enum redirect_result result);

/* Fills *ret (host, port, TLS, application, tcUrl; the stream is kept) for `url` ("" = the same
 * place) as seen from `now`. *ret is untouched unless OK. */
enum redirect_result redirect_resolve(const struct ipc_endpoint *now, const char *url,
				      bool allows_foreign, struct ipc_endpoint *ret);

#endif
