/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What platforms say no with (reject.h). Runs in relay-rtmp; no I/O. */
#include <string.h>

#include <understudy/text.h>

#include "reject.h"

/* The first row of which a word occurs decides: the more telling ones stand first, as many
 * platforms have BadName for whatever it is. */
static const struct {
	const char *word, *meaning;
} rows[] = {
	{ "authmod=", "it asks for a user name: set `user` and `password`" },
	{ "AccessManager", "it asks for a user name: set `user` and `password`" },
	{ "already", "somebody publishes with this stream key already" },
	{ "in use", "somebody publishes with this stream key already" },
	{ "busy", "somebody publishes with this stream key already" },
	{ "StreamBusy", "somebody publishes with this stream key already" },
	{ "codec", "codec not accepted: set the encoders to one it takes" },
	{ "InvalidApp", "application not known: check the path of `url`" },
	{ "no such app", "application not known: check the path of `url`" },
	{ "expired", "stream key expired: take a new one from the platform" },
	{ "BadName", "stream key not accepted, or in use already: check `key`" },
	{ "Denied", "stream key not accepted: check `key`" },
	{ "Unauthorized", "stream key not accepted: check `key`" },
	{ "Publish.Failed", "stream key not accepted: check `key`" },
	{ "Connect.Rejected", "connection not accepted: check `url` and `key`" },
};

static const char *meaning_of(const char *code, const char *description)
{
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcasestr(code, rows[i].word) || strcasestr(description, rows[i].word)) {
			return rows[i].meaning;
		}
	}
	return "it gives no reason known here";
}

void reject_describe(const char *code, const char *description, char *to, size_t size)
{
	(void)text_format(to, size, "rejected by the platform: %s (%s%s%s)",
			  meaning_of(code, description), *code ? code : "no code",
			  *description ? ": " : "", description);
}

bool reject_takes_codec(const char *codecs, const char *needed)
{
	const char *at = codecs;

	if (!*codecs || !*needed || strstr(codecs, " *")) {
		return true;
	}
	while ((at = strstr(at, needed))) {
		if (at > codecs && at[-1] == ' ') {
			return true;
		}
		at++;
	}
	return false;
}
