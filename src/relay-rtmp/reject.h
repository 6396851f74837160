/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A platform's "no" in words a streamer can act on. Pure. */
#ifndef RELAY_REJECT_H
#define RELAY_REJECT_H

#include <stdbool.h>
#include <stddef.h>

/* "rejected by the platform: WHAT IT MEANS (CODE: DESCRIPTION)". Code and description are the
 * platform's (escaped, either may be ""); the caller has made sure they hold no secret. */
void reject_describe(const char *code, const char *description, char *to, size_t size);

/* False if a platform that lists `codecs` (" av01 hvc1"; "" = says nothing) does not take
 * `needed` (a FourCC; "" = nothing that would have to be listed). */
bool reject_takes_codec(const char *codecs, const char *needed);

#endif
