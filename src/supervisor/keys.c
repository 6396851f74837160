/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who may publish: finding the feed that belongs to a key, in constant time over all keys,
 * and making the keys of the embedded default show.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include <understudy/log.h>
#include <understudy/text.h>

#include "supervisor.h"

#define CANDIDATES_MAX 8

struct candidates {
	char text[CANDIDATES_MAX][IPC_KEY];
	unsigned count;
};

static void candidate_add(struct candidates *c, const char *from, size_t size)
{
	if (size > 0 && c->count < CANDIDATES_MAX) {
		text_copy_bytes(c->text[c->count++], IPC_KEY, from, size);
	}
}

/* Encoders put the key into the stream name, with or without parameters behind it, into the
 * path of the application, or into a parameter. */
static void candidates_collect(struct candidates *c, const char *app, const char *stream)
{
	size_t name = strcspn(stream, "?");
	const char *path = strchr(app, '/');

	candidate_add(c, stream, strlen(stream));
	if (stream[name] == '?') {
		candidate_add(c, stream, name);
	}
	if (path != NULL) {
		candidate_add(c, path + 1, strcspn(path + 1, "?"));
	}
	for (const char *p = strpbrk(stream, "?&"); p != NULL; p = strpbrk(p + 1, "&")) {
		const char *value = p + 1 + strcspn(p + 1, "=&");

		if (*value == '=') {
			candidate_add(c, value + 1, strcspn(value + 1, "&"));
		}
	}
}

/* Time depends on the length of the key configured, not on how much of it was guessed. */
static bool key_is_equal(const char *key, const char *candidate)
{
	char padded[IPC_KEY] = { 0 };
	size_t size = strlen(key);

	text_copy(padded, sizeof(padded), candidate);
	bool is_equal = size < sizeof(padded) && CRYPTO_memcmp(padded, key, size + 1) == 0;
	OPENSSL_cleanse(padded, sizeof(padded));
	return is_equal;
}

struct feed *keys_find_feed(struct supervisor *sup, const char *app, const char *stream)
{
	struct candidates candidates = { .count = 0 };
	struct feed *found = NULL;
	struct show *show;
	struct feed *feed;

	candidates_collect(&candidates, app, stream);
	TAILQ_FOREACH(show, &sup->shows, entry) {
		TAILQ_FOREACH(feed, &show->feeds, entry) {
			for (unsigned i = 0;
			     i < candidates.count && feed->config->key != NULL && !feed->is_leaving;
			     i++) {
				if (key_is_equal(feed->config->key, candidates.text[i])) {
					found = feed;
				}
			}
		}
	}
	OPENSSL_cleanse(&candidates, sizeof(candidates));
	return found;
}

/* ---- keys of the embedded show ---- */

static const char *const generated_feeds[2] = { "primary", "backup" };
static const char *const generated_names[2] = { "PRIMARY_KEY", "BACKUP_KEY" };

static int key_create(const char *path, char *to, size_t size)
{
	static const char alphabet[] = "abcdefghijkmnpqrstuvwxyz23456789"; /* 32, none alike */
	uint8_t random[20];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random) ||
	    size <= sizeof(random)) {
		return -EIO;
	}
	for (size_t i = 0; i < sizeof(random); i++) {
		to[i] = alphabet[random[i] % 32];
	}
	to[sizeof(random)] = '\0';
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		return -errno;
	}
	ssize_t wrote = dprintf(fd, "%s\n", to);
	return close(fd) == 0 && wrote > 0 ? 0 : -EIO;
}

static int key_read(const char *path, char *to, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	ssize_t got = read(fd, to, size - 1);
	close(fd);
	if (got <= 0) {
		return got < 0 ? -errno : -ENODATA;
	}
	to[got] = '\0';
	to[strcspn(to, "\r\n")] = '\0';
	return 0;
}

int keys_generate(struct supervisor *sup, const char *state_directory)
{
	char path[512];

	text_format(path, sizeof(path), "%s/keys", state_directory);
	if (mkdir(path, 0700) < 0 && errno != EEXIST) {
		log_error("cannot make directory path=%s: %s", path, strerror(errno));
		return -errno;
	}
	for (int i = 0; i < 2; i++) {
		text_format(path, sizeof(path), "%s/keys/main-%s.key", state_directory,
			    generated_feeds[i]);
		int result = key_read(path, sup->generated[i], sizeof(sup->generated[i]));
		if (result == -ENOENT) {
			result = key_create(path, sup->generated[i], sizeof(sup->generated[i]));
		}
		if (result < 0) {
			log_error("cannot keep the stream key path=%s: %s", path,
				  strerror(-result));
			return result;
		}
	}
	return 0;
}

const char *keys_environment(void *supervisor, const char *name)
{
	const struct supervisor *sup = supervisor;

	if (sup->options.config_path == NULL) {
		for (int i = 0; i < 2; i++) {
			if (strcmp(name, generated_names[i]) == 0) {
				return sup->generated[i];
			}
		}
		if (strcmp(name, "UNDERSTUDY_STATE_DIRECTORY") == 0) {
			return sup->state_directory;
		}
	}
	return getenv(name);
}
