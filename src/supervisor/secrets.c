/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Secrets never appear in what the supervisor prints or passes on: every line goes through
 * secrets_redact() with all keys known, as they are and URL-encoded.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <understudy/text.h>

#include "supervisor.h"

#define SECRET_BYTES_MIN 4       /* shorter ones would blank out ordinary words */
#define QUERY_SECRET_BYTES_MIN 8 /* of a pulled URL, whose queries hold ordinary words, too */

static void secrets_add(struct secrets *s, const char *secret)
{
	if (secret == NULL || strlen(secret) < SECRET_BYTES_MIN) {
		return;
	}
	if (s->count == s->room) {
		s->room = s->room > 0 ? 2 * s->room : 64;
		s->items = realloc(s->items, s->room * sizeof(s->items[0]));
	}
	char *copy = strdup(secret);
	if (s->items == NULL || copy == NULL) {
		abort(); /* better no relay than one that tells keys */
	}
	s->items[s->count++] = copy;
}

static int longer_first(const void *a, const void *b)
{
	size_t a_size = strlen(*(char *const *)a), b_size = strlen(*(char *const *)b);

	return (a_size < b_size) - (a_size > b_size);
}

static void secrets_add_encoded(struct secrets *s, const char *secret)
{
	char encoded[3 * IPC_KEY];
	size_t size = 0;

	for (const char *p = secret; p != NULL && *p != '\0' && size + 4 < sizeof(encoded); p++) {
		if (isalnum((unsigned char)*p) || strchr("-_.~", *p) != NULL) {
			encoded[size++] = *p;
		} else {
			text_format(encoded + size, 4, "%%%02X", (unsigned char)*p);
			size += 3;
		}
	}
	encoded[size] = '\0';
	if (secret != NULL && strcmp(encoded, secret) != 0) {
		secrets_add(s, encoded);
	}
	explicit_bzero(encoded, sizeof(encoded));
}

static void secrets_add_both(struct secrets *s, const char *secret)
{
	secrets_add(s, secret);
	secrets_add_encoded(s, secret);
}

/* "#!::r=KEY,m=request", as SRT's access control writes stream ids. */
static void secrets_add_access(struct secrets *s, char *access)
{
	char *part;

	while ((part = strsep(&access, ",")) != NULL) {
		while ((part = strchr(part, '=')) != NULL) {
			part++;
			if (strlen(part) >= QUERY_SECRET_BYTES_MIN) {
				secrets_add_both(s, part);
			}
		}
	}
}

/* The password and what a query gives to the server; words of a few letters are none. */
static void secrets_add_url(struct secrets *s, const char *url)
{
	const char *host = url != NULL ? strstr(url, "://") : NULL;

	if (host == NULL) {
		return;
	}
	char *copy = strdup(host + 3);
	if (copy == NULL) {
		abort();
	}
	char *query = copy + strcspn(copy, "?"), *piece;
	size_t authority = strcspn(copy, "/?#");
	char *at = memrchr(copy, '@', authority), *colon = at != NULL ? strchr(copy, ':') : NULL;
	if (colon != NULL && colon < at) {
		*at = '\0';
		secrets_add_both(s, colon + 1);
	}
	for (char *rest = query; (piece = strsep(&rest, "?&#")) != NULL;) {
		const char *value = strchr(piece, '=');

		if (value != NULL && strlen(value + 1) >= QUERY_SECRET_BYTES_MIN) {
			secrets_add_both(s, value + 1);
			secrets_add_access(s, piece);
		}
	}
	explicit_bzero(copy, strlen(host + 3));
	free(copy);
}

void secrets_collect(struct secrets *s, const struct config *config)
{
	secrets_finish(s);
	secrets_keep(s, config);
}

void secrets_keep(struct secrets *s, const struct config *config)
{
	for (unsigned i = 0; i < config->shows_count; i++) {
		const struct config_show *show = &config->shows[i];

		for (unsigned f = 0; f < show->feeds_count; f++) {
			secrets_add_both(s, show->feeds[f].key);
			secrets_add_both(s, show->feeds[f].passphrase);
			secrets_add_url(s, show->feeds[f].pull);
		}
		for (unsigned d = 0; d < show->destinations_count; d++) {
			secrets_add_both(s, show->destinations[d].key);
			secrets_add_both(s, show->destinations[d].endpoint.stream);
			secrets_add_both(s, show->destinations[d].backup.stream);
			secrets_add_both(s, show->destinations[d].password);
			secrets_add_both(s, show->destinations[d].passphrase);
			secrets_add_both(s, show->destinations[d].output.password);
			secrets_add_both(s, show->destinations[d].output.passphrase);
			secrets_add_both(s, show->destinations[d].output.stream);
		}
	}
	if (s->count > 0) { /* a key may be the beginning of another */
		qsort(s->items, s->count, sizeof(s->items[0]), longer_first);
	}
}

void secrets_finish(struct secrets *s)
{
	for (size_t i = 0; i < s->count; i++) {
		explicit_bzero(s->items[i], strlen(s->items[i]));
		free(s->items[i]);
	}
	free(s->items);
	*s = (struct secrets){ .count = 0 };
}

void secrets_redact(const struct secrets *s, char *line)
{
	for (size_t i = 0; i < s->count; i++) {
		size_t size = strlen(s->items[i]);

		for (char *at = line; (at = strstr(at, s->items[i])) != NULL;) {
			memset(at, '*', 3);
			memmove(at + 3, at + size, strlen(at + size) + 1);
			at += 3;
		}
	}
}

void secrets_hide_environment(void)
{
	for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
		char *copy = strdup(*entry);

		if (copy != NULL) {
			explicit_bzero(*entry, strlen(*entry));
			*entry = copy;
		}
	}
}
