/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The one table of configuration keys. It feeds the reader (unknown keys, types, ranges,
 * defaults, what is inactive), the schema that fills the structures, and the test that holds
 * the manual page to it.
 *
 * A pattern is a path with `[]` for "each item": `shows[].feeds[].key`. Its parent is what
 * stands before the last dot; keys at the top have the parent "".
 */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum key_type {
	KEY_MAP = 1,
	KEY_LIST,  /* of maps */
	KEY_WORDS, /* list of text */
	KEY_TEXT,
	KEY_NAME,    /* [A-Za-z0-9_-]{1,40} */
	KEY_SECRET,  /* never shown */
	KEY_URL,     /* may hold secrets: never shown whole */
	KEY_ADDRESS, /* HOST:PORT to listen on */
	KEY_FILE,    /* relative to the directory of the configuration */
	KEY_INTEGER,
	KEY_BOOLEAN,
	KEY_CHOICE,
};

enum {
	KEY_REQUIRED = 1,
	KEY_INACTIVE = 2, /* accepted; not carried out by this version */
	KEY_UNBOUND = 4,  /* no structure member takes it */
	KEY_POINTER = 8,  /* map: a pointer, NULL where the key is missing */
	KEY_AUTO = 16,    /* path: the word auto stands for itself, not for a file of that name */
	KEY_LINES = 32,   /* text of several lines, or of none */
};

struct config_key {
	const char *pattern;
	enum key_type type;
	unsigned flags;
	int64_t min, max;           /* value of integers, items of lists */
	const char *default_text;   /* as it would be written; NULL = none */
	const char *const *choices; /* ends with NULL; the index is the value */
	uint32_t offset, size;      /* the member in the structure of the parent */
	uint32_t count_offset;      /* lists: the member that counts */
	const char *help;
};

#define CONFIG_KEYS_MAX 192
extern const struct config_key config_keys[];
extern const size_t config_key_count;

/* How many bytes of the pattern are its parent, and its last name. */
size_t config_key_parent(const struct config_key *key);
const char *config_key_name(const struct config_key *key);
bool config_key_is_in(const struct config_key *key, const char *parent);

/* The key `name` below `parent`, or NULL. For `x_file` where only `x` is known and takes a
 * scalar, returns `x` and sets *ret_is_file. */
const struct config_key *config_key_find(const char *parent, const char *name, bool *ret_is_file);
/* What a person who wrote `name` may have meant: a key of the same parent, or NULL. */
const struct config_key *config_key_nearest(const char *parent, const char *name);
/* A key of that name below some other parent, or NULL. */
const struct config_key *config_key_elsewhere(const char *name);

/* "integer 0 to 60000, default 3000" */
void config_key_describe(const struct config_key *key, char *to, size_t size);

#endif
