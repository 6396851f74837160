/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys and streamids (door.h). ingest-srt; its own thread and libsrt's receiving thread. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <xxhash.h>

#include <understudy/text.h>

#include "door.h"

#define CONFLICT_US 1000000
#define WRONG_KEYS_MAX 10 /* in a minute, from one address */
#define WRONG_KEYS_WINDOW_US 60000000
#define HASH_BYTES 32

/* ---- streamid ---- */

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

static void url_decode(char *to, size_t size, const char *from)
{
	size_t at = 0;

	for (; *from != '\0' && at + 1 < size; from++) {
		int high = *from == '%' ? hex_digit(from[1]) : -1;
		int low = high >= 0 ? hex_digit(from[2]) : -1;

		if (low > 0 || high > 0) {
			to[at++] = (char)(high << 4 | low);
			from += 2;
		} else {
			to[at++] = *from;
		}
	}
	to[at] = '\0';
}

void door_read_streamid(const char *streamid, struct door_wish *ret)
{
	char text[IPC_KEY];
	char *rest = text + strlen("#!::"), *item;

	*ret = (struct door_wish){ .is_publish = true };
	url_decode(text, sizeof(text), streamid);
	if (strncmp(text, "#!::", strlen("#!::")) != 0) {
		text_copy(ret->key, sizeof(ret->key), text);
	} else {
		while ((item = strsep(&rest, ",")) != NULL) {
			if (strncmp(item, "r=", 2) == 0) {
				text_copy(ret->key, sizeof(ret->key), item + 2);
			} else if (strncmp(item, "m=", 2) == 0) {
				ret->is_publish = strcmp(item + 2, "publish") == 0;
			}
		}
	}
	explicit_bzero(text, sizeof(text));
}

/* ---- the table ---- */

int door_init(struct door *d)
{
	memset(d, 0, sizeof(*d));
	return -pthread_mutex_init(&d->lock, NULL);
}

static void forget(struct ipc_srt_feed **feeds)
{
	if (*feeds != NULL) {
		explicit_bzero(*feeds, DOOR_FEEDS_MAX * sizeof(**feeds));
		free(*feeds);
		*feeds = NULL;
	}
}

void door_finish(struct door *d)
{
	forget(&d->feeds);
	forget(&d->staged);
	free(d->taken_us);
	pthread_mutex_destroy(&d->lock);
}

bool door_learn(struct door *d, const struct ipc_srt_feeds *piece)
{
	int64_t *taken_us;

	if (piece->first == 0) {
		forget(&d->staged);
		d->staged = calloc(DOOR_FEEDS_MAX, sizeof(*d->staged));
		d->staged_count = 0;
	}
	if (d->staged == NULL || piece->first != d->staged_count || piece->total > DOOR_FEEDS_MAX ||
	    piece->first + piece->count > piece->total) {
		return false;
	}
	memcpy(&d->staged[piece->first], piece->feeds, piece->count * sizeof(piece->feeds[0]));
	d->staged_count += piece->count;
	if (d->staged_count < piece->total) {
		return false;
	}
	taken_us = calloc(DOOR_FEEDS_MAX, sizeof(*taken_us));
	if (taken_us == NULL) {
		return false;
	}
	pthread_mutex_lock(&d->lock);
	forget(&d->feeds);
	free(d->taken_us);
	d->feeds = d->staged;
	d->taken_us = taken_us;
	d->count = d->staged_count;
	memcpy(d->salt, piece->salt, sizeof(d->salt));
	pthread_mutex_unlock(&d->lock);
	d->staged = NULL;
	return true;
}

/* Looks at every feed, in constant time. -1 if none has the key. */
static int find_key(const struct door *d, const char *key)
{
	uint8_t hash[HASH_BYTES] = { 0 };
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	int found = -1;

	if (context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
	    EVP_DigestUpdate(context, d->salt, sizeof(d->salt)) == 1 &&
	    EVP_DigestUpdate(context, key, strlen(key)) == 1 &&
	    EVP_DigestFinal_ex(context, hash, NULL) == 1) {
		for (uint32_t i = 0; i < d->count; i++) {
			if (CRYPTO_memcmp(hash, d->feeds[i].key_hash, sizeof(hash)) == 0) {
				found = (int)i;
			}
		}
	}
	EVP_MD_CTX_free(context);
	return found;
}

/* One host is one key: an IPv4 address, or an IPv6 /64. Never 0. */
static uint64_t address_key(const struct sockaddr *address)
{
	const void *bytes = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
	size_t size = sizeof(struct in_addr);

	if (address->sa_family == AF_INET6) {
		const struct in6_addr *in6 =
			&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
		bool is_mapped = IN6_IS_ADDR_V4MAPPED(in6);

		bytes = in6->s6_addr + (is_mapped ? 12 : 0);
		size = is_mapped ? 4 : 8;
	}
	return XXH3_64bits(bytes, size) | 1;
}

static void note_waiting(struct door *d, const char *peer, const struct ipc_srt_feed *feed,
			 int64_t now_us)
{
	struct door_waiting *place = &d->waiting[0];

	for (unsigned i = 0; i < DOOR_WAITING_MAX; i++) {
		if (d->waiting[i].since_us < place->since_us) {
			place = &d->waiting[i];
		}
		if (strcmp(d->waiting[i].peer, peer) == 0) {
			place = &d->waiting[i]; /* it asks again */
			break;
		}
	}
	*place = (struct door_waiting){ .since_us = now_us };
	text_copy(place->peer, sizeof(place->peer), peer);
	text_copy(place->show, sizeof(place->show), feed->show);
	text_copy(place->feed, sizeof(place->feed), feed->feed);
}

static enum door_answer door_judge(struct door *d, const struct door_wish *wish, uint64_t address,
				   int64_t now_us, int *ret_found)
{
	if (rate_get(&d->wrong, address, WRONG_KEYS_WINDOW_US, now_us) >= WRONG_KEYS_MAX) {
		return DOOR_FORBIDDEN;
	}
	*ret_found = find_key(d, wish->key);
	if (*ret_found < 0) {
		rate_count(&d->wrong, address, WRONG_KEYS_WINDOW_US, now_us);
		return DOOR_UNKNOWN;
	}
	if (!wish->is_publish) {
		return DOOR_FORBIDDEN;
	}
	if (d->taken_us[*ret_found] != 0 && now_us - d->taken_us[*ret_found] < CONFLICT_US) {
		return DOOR_CONFLICT;
	}
	return DOOR_OPEN;
}

enum door_answer door_ask(struct door *d, const char *streamid, const char *peer,
			  const struct sockaddr *address, int64_t now_us, struct ipc_srt_feed *ret)
{
	struct door_wish wish;
	enum door_answer answer;
	int found = -1;

	door_read_streamid(streamid, &wish);
	pthread_mutex_lock(&d->lock);
	answer = door_judge(d, &wish, address_key(address), now_us, &found);
	if (answer == DOOR_OPEN) {
		*ret = d->feeds[found];
		note_waiting(d, peer, ret, now_us);
	} else {
		d->refused[answer]++;
		text_copy(d->refused_peer[answer], IPC_NAME, peer);
	}
	pthread_mutex_unlock(&d->lock);
	explicit_bzero(&wish, sizeof(wish));
	return answer;
}

bool door_enter(struct door *d, const char *streamid, const char *peer, int64_t now_us,
		struct ipc_srt_feed *ret)
{
	struct door_wish wish;
	int found;

	door_read_streamid(streamid, &wish);
	pthread_mutex_lock(&d->lock);
	found = find_key(d, wish.key);
	if (found >= 0) {
		*ret = d->feeds[found];
		d->taken_us[found] = now_us;
	}
	for (unsigned i = 0; i < DOOR_WAITING_MAX; i++) {
		if (strcmp(d->waiting[i].peer, peer) == 0) {
			d->waiting[i] = (struct door_waiting){ 0 };
		}
	}
	pthread_mutex_unlock(&d->lock);
	explicit_bzero(&wish, sizeof(wish));
	return found >= 0;
}

bool door_missing(struct door *d, int64_t now_us, int64_t limit_us, struct door_waiting *ret)
{
	bool is_found = false;

	pthread_mutex_lock(&d->lock);
	for (unsigned i = 0; i < DOOR_WAITING_MAX && !is_found; i++) {
		if (d->waiting[i].since_us != 0 && now_us - d->waiting[i].since_us > limit_us) {
			*ret = d->waiting[i];
			d->waiting[i] = (struct door_waiting){ 0 };
			is_found = true;
		}
	}
	pthread_mutex_unlock(&d->lock);
	return is_found;
}

uint64_t door_refused(struct door *d, enum door_answer answer, char ret_peer[IPC_NAME])
{
	pthread_mutex_lock(&d->lock);
	uint64_t count = d->refused[answer];
	d->refused[answer] = 0;
	text_copy(ret_peer, IPC_NAME, d->refused_peer[answer]);
	pthread_mutex_unlock(&d->lock);
	return count;
}
