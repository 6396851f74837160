/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One scalar of the configuration: variables and files are put in, then its type is checked.
 * No finding repeats a value: it may be a secret in the wrong place.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <understudy/text.h>

#include "reader.h"
#include "url.h"

#define VARIABLE_MAX 64
#define NAME_MAX_BYTES 40
#define SECRET_MAX_BYTES 500

struct value {
	struct reader *reader;
	const struct config_key *key;
	const char *path;
	unsigned line;
	char *text; /* READER_VALUE_MAX bytes */
	size_t size;
};

#define refuse(v, ...) \
	report_add((v)->reader->report, CONFIG_ERROR, (v)->line, (v)->path, __VA_ARGS__)

static bool append(struct value *v, const char *bytes, size_t size)
{
	if (size >= READER_VALUE_MAX - v->size) {
		refuse(v, "is too long; a value may have %d bytes", READER_VALUE_MAX - 1);
		return false;
	}
	memcpy(v->text + v->size, bytes, size);
	v->size += size;
	v->text[v->size] = '\0';
	return true;
}

static bool is_variable(const char *name, size_t size)
{
	if (size == 0 || size > VARIABLE_MAX || isdigit((unsigned char)name[0])) {
		return false;
	}
	for (size_t i = 0; i < size; i++) {
		if (!isalnum((unsigned char)name[i]) && name[i] != '_') {
			return false;
		}
	}
	return true;
}

static bool append_variable(struct value *v, const char *from, size_t size)
{
	const struct reader *rd = v->reader;
	char name[VARIABLE_MAX + 1];

	if (!is_variable(from, size)) {
		refuse(v,
		       "between ${ and } must stand the name of a variable (letters, digits, _); "
		       "write $${ for a plain ${");
		return false;
	}
	text_copy_bytes(name, sizeof(name), from, size);
	const char *value = rd->environment != NULL ? rd->environment(rd->context, name) : NULL;
	if (value == NULL) {
		refuse(v,
		       "the variable %s is not set; set it in the environment of understudy, or "
		       "put "
		       "the value into a file and name that with %s_file",
		       name, config_key_name(v->key));
		return false;
	}
	return append(v, value, strlen(value));
}

static bool expand(struct value *v, const char *from, size_t size)
{
	for (size_t at = 0; at < size;) {
		size_t left = size - at;

		if (left >= 3 && memcmp(from + at, "$${", 3) == 0) {
			if (!append(v, "${", 2)) {
				return false;
			}
			at += 3;
		} else if (left >= 2 && memcmp(from + at, "${", 2) == 0) {
			const char *end = memchr(from + at, '}', left);

			if (end == NULL) {
				refuse(v, "has ${ without }; write $${ for a plain ${");
				return false;
			}
			size_t name = (size_t)(end - from) - at - 2;
			if (!append_variable(v, from + at + 2, name)) {
				return false;
			}
			at += name + 3;
		} else {
			if (!append(v, from + at, 1)) {
				return false;
			}
			at++;
		}
	}
	return true;
}

static bool make_absolute(struct value *v)
{
	char plain[READER_VALUE_MAX];

	if (v->text[0] == '/') {
		return true;
	}
	text_copy(plain, sizeof(plain), v->text);
	v->size = 0;
	return append(v, v->reader->directory, strlen(v->reader->directory)) &&
	       append(v, plain, strlen(plain));
}

static bool read_open_file(struct value *v, int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
		refuse(v, "the file it names is not a plain file; write the value into one");
		return false;
	}
	if (status.st_mode & S_IROTH) {
		report_add(
			v->reader->report, CONFIG_WARNING, v->line, v->path,
			"every user of this machine can read the file it names; run chmod 600 on "
			"it");
	}
	ssize_t got = read(fd, v->text, READER_VALUE_MAX);
	if (got < 0 || got == READER_VALUE_MAX) {
		refuse(v,
		       "the file it names cannot be read or is longer than %d bytes; write the "
		       "value "
		       "alone into it",
		       READER_VALUE_MAX - 1);
		return false;
	}
	v->size = (size_t)got;
	while (v->size > 0 && strchr("\r\n", v->text[v->size - 1]) != NULL) {
		v->size--;
	}
	v->text[v->size] = '\0';
	return true;
}

/* The value so far names a file; its content takes the place. */
static bool replace_by_file(struct value *v)
{
	if (!make_absolute(v)) {
		return false;
	}
	int fd = open(v->text, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		refuse(v,
		       "the file it names cannot be read: %s; write the value into a file that "
		       "understudy may read",
		       strerror(errno));
		return false;
	}
	bool is_read = read_open_file(v, fd);
	close(fd);
	return is_read;
}

static const char *unit_of(const struct config_key *key)
{
	static const char *const units[][2] = { { "_ms", " milliseconds" },
						{ "_s", " seconds" },
						{ "_kbps", " kb/s" },
						{ "_bytes", " bytes" } };
	size_t size = strlen(key->pattern);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t suffix = strlen(units[i][0]);

		if (size > suffix && strcmp(key->pattern + size - suffix, units[i][0]) == 0) {
			return units[i][1];
		}
	}
	return "";
}

static bool check_integer(struct value *v)
{
	const struct config_key *key = v->key;
	char *end;

	errno = 0;
	long long number = strtoll(v->text, &end, 10);
	if (v->size == 0 || isspace((unsigned char)v->text[0]) || *end != '\0') {
		refuse(v, "is not a whole number; write %lld to %lld%s, as digits only",
		       (long long)key->min, (long long)key->max, unit_of(key));
		return false;
	}
	if (errno == ERANGE || number < key->min || number > key->max) {
		refuse(v, "is out of range; write %lld to %lld%s", (long long)key->min,
		       (long long)key->max, unit_of(key));
		return false;
	}
	/* canonical: no sign, no leading zeros that could be taken for octal */
	text_format(v->text, READER_VALUE_MAX, "%lld", number);
	return true;
}

static bool check_boolean(struct value *v)
{
	static const char *const words[2][4] = { { "false", "no", "off", "n" },
						 { "true", "yes", "on", "y" } };

	for (int truth = 0; truth < 2; truth++) {
		for (int i = 0; i < 4; i++) {
			if (strcasecmp(v->text, words[truth][i]) == 0) {
				text_copy(v->text, READER_VALUE_MAX, words[truth][0]);
				return true;
			}
		}
	}
	refuse(v, "is neither true nor false; write true or false");
	return false;
}

static bool check_choice(struct value *v)
{
	char known[128] = "";

	for (const char *const *choice = v->key->choices; *choice != NULL; choice++) {
		size_t used = strlen(known);

		if (strcmp(v->text, *choice) == 0) {
			return true;
		}
		text_format(known + used, sizeof(known) - used, "%s%s", used > 0 ? ", " : "",
			    *choice);
	}
	refuse(v, "is not a known choice; write one of: %s", known);
	return false;
}

static bool check_name(struct value *v)
{
	bool is_good = v->size > 0 && v->size <= NAME_MAX_BYTES;

	for (size_t i = 0; i < v->size && is_good; i++) {
		is_good = isalnum((unsigned char)v->text[i]) || strchr("-_", v->text[i]) != NULL;
	}
	if (!is_good) {
		refuse(v, "is not a name; use 1 to %d letters, digits, - and _", NAME_MAX_BYTES);
	}
	return is_good;
}

static bool check_secret(struct value *v)
{
	if (v->size > SECRET_MAX_BYTES) {
		refuse(v, "is too long; a secret may have %d bytes", SECRET_MAX_BYTES);
		return false;
	}
	return true;
}

static bool check_address(struct value *v)
{
	uint16_t port;
	const char *error = url_check_address(v->text, &port);

	if (error != NULL) {
		refuse(v, "%s", error);
	}
	return error == NULL;
}

static bool check_text(struct value *v)
{
	bool has_lines = (v->key->flags & KEY_LINES) != 0;

	if (v->size == 0 && !has_lines) {
		refuse(v, "is empty; give it a value or take the line out");
		return false;
	}
	if (strlen(v->text) != v->size || !text_is_utf8(v->text, v->size)) {
		refuse(v, "is not UTF-8 text; write plain text");
		return false;
	}
	for (size_t i = 0; i < v->size; i++) {
		if (iscntrl((unsigned char)v->text[i]) && !(has_lines && v->text[i] == '\n')) {
			refuse(v, "has a line break or another control character; write it on one "
				  "line");
			return false;
		}
	}
	return true;
}

static bool check_type(struct value *v)
{
	if (!check_text(v)) {
		return false;
	}
	switch (v->key->type) {
	case KEY_INTEGER:
		return check_integer(v);
	case KEY_BOOLEAN:
		return check_boolean(v);
	case KEY_CHOICE:
		return check_choice(v);
	case KEY_NAME:
		return check_name(v);
	case KEY_SECRET:
		return check_secret(v);
	case KEY_ADDRESS:
		return check_address(v);
	case KEY_FILE:
		return ((v->key->flags & KEY_AUTO) && strcmp(v->text, "auto") == 0) ||
		       make_absolute(v);
	default:
		return true;
	}
}

bool reader_is_null(const yaml_node_t *node)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL" };

	if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) {
		return false;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp((const char *)node->data.scalar.value, words[i]) == 0) {
			return true;
		}
	}
	return false;
}

bool reader_scalar(struct reader *rd, const struct config_key *key, const yaml_node_t *node,
		   bool is_file, const char *path, unsigned line, char value[READER_VALUE_MAX])
{
	struct value v = { .reader = rd, .key = key, .path = path, .line = line, .text = value };

	value[0] = '\0';
	if (node->type != YAML_SCALAR_NODE) {
		refuse(&v, "is a %s; write a single value",
		       node->type == YAML_SEQUENCE_NODE ? "list" : "section of its own");
		return false;
	}
	if (reader_is_null(node)) {
		refuse(&v, "has no value; give it one or take the line out");
		return false;
	}
	const char *text = (const char *)node->data.scalar.value;
	if (key->type == KEY_SECRET && !is_file && strstr(text, "${") == NULL &&
	    rd->literal_secret_line == 0) {
		rd->literal_secret_line = line;
	}
	return expand(&v, text, node->data.scalar.length) && (!is_file || replace_by_file(&v)) &&
	       check_type(&v);
}
