/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pass one over the configuration (reader.h): the walk along the table of keys. May read the
 * files that `..._file` keys name, otherwise no I/O. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/text.h>

#include "reader.h"

#define CLEAN_MAX_BYTES (8u << 20)
#define CLEAN_FIRST_BYTES (256u << 10)

/* ---- clean text ---- */

static void put(struct reader *rd, const char *text, size_t size)
{
	if (buffer_append(&rd->clean, text, size) < 0) {
		rd->report->is_out_of_memory = true;
	}
}

static void put_text(struct reader *rd, const char *text)
{
	put(rd, text, strlen(text));
}

/* One character of valid UTF-8 as a number; returns its bytes. */
static size_t decode(const unsigned char *p, unsigned *ret)
{
	size_t size = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	unsigned value = size == 1 ? p[0] : p[0] & (0x7fu >> size);

	for (size_t i = 1; i < size; i++) {
		value = value << 6 | (p[i] & 0x3fu);
	}
	*ret = value;
	return size;
}

/* The value has passed check_text(): UTF-8 without control characters. */
static void put_quoted(struct reader *rd, const char *value)
{
	put_text(rd, "\"");
	for (const unsigned char *p = (const unsigned char *)value; *p != '\0';) {
		char escaped[16];
		unsigned character;

		p += decode(p, &character);
		if (character == '"' || character == '\\') {
			text_format(escaped, sizeof(escaped), "\\%c", (int)character);
		} else {
			text_format(escaped, sizeof(escaped),
				    character >= 0x20 && character < 0x7f ? "%c" : "\\U%08X",
				    character);
		}
		put_text(rd, escaped);
	}
	put_text(rd, "\"");
}

static size_t mark(const struct reader *rd)
{
	return rd->clean.tail;
}

static void forget_since(struct reader *rd, size_t mark)
{
	explicit_bzero(rd->clean.data + mark, rd->clean.tail - mark);
	rd->clean.tail = mark;
}

/* ---- the walk ---- */

static void read_map(struct reader *rd, const yaml_node_t *map, const char *parent,
		     const char *path, unsigned line);

static unsigned line_of(const yaml_node_t *node)
{
	return (unsigned)node->start_mark.line + 1;
}

static void join(char to[CONFIG_PATH_MAX], const char *path, const char *name)
{
	text_format(to, CONFIG_PATH_MAX, "%s%s%s", path, path[0] == '\0' ? "" : ".", name);
}

/* Below a list the keys' parent ends with []. */
static void parent_of_children(const struct config_key *key, char to[CONFIG_PATH_MAX])
{
	text_format(to, CONFIG_PATH_MAX, "%s%s", key->pattern, key->type == KEY_LIST ? "[]" : "");
}

static void check_count(struct reader *rd, const struct config_key *key, size_t count,
			const char *path, unsigned line)
{
	if ((int64_t)count < key->min) {
		report_add(rd->report, CONFIG_ERROR, line, path, "is empty; add at least one: %s",
			   key->help);
	} else if ((int64_t)count > key->max) {
		report_add(rd->report, CONFIG_ERROR, line, path,
			   "has %zu items; at most %lld are possible", count, (long long)key->max);
	}
}

static void read_item(struct reader *rd, const struct config_key *key, const yaml_node_t *item,
		      const char *path)
{
	char parent[CONFIG_PATH_MAX];

	if (item->type != YAML_MAPPING_NODE) {
		report_add(rd->report, CONFIG_ERROR, line_of(item), path,
			   "is a single value; write keys in it, as in `- { name: ... }`");
		put_text(rd, "{},"); /* keeps the numbers of the others */
		return;
	}
	report_note_place(rd->report, path, line_of(item));
	parent_of_children(key, parent);
	read_map(rd, item, parent, path, line_of(item));
	put_text(rd, ",");
}

static void read_list(struct reader *rd, const struct config_key *key, const yaml_node_t *list,
		      const char *path, unsigned line)
{
	size_t count = 0;

	put_text(rd, "[");
	if (list->type == YAML_SEQUENCE_NODE) {
		yaml_node_item_t *item = list->data.sequence.items.start;

		count = (size_t)(list->data.sequence.items.top - item);
		for (size_t i = 0; i < count && (int64_t)i < key->max; i++) {
			char of_item[CONFIG_PATH_MAX];

			text_format(of_item, sizeof(of_item), "%s[%zu]", path, i);
			read_item(rd, key, yaml_document_get_node(rd->document, item[i]), of_item);
		}
		check_count(rd, key, count, path, line);
	} else if (reader_is_null(list)) {
		check_count(rd, key, 0, path, line);
	} else {
		report_add(
			rd->report, CONFIG_ERROR, line, path,
			"is not a list; write each item on a line of its own that begins with `- "
			"`");
	}
	put_text(rd, "]");
}

static void read_words(struct reader *rd, const struct config_key *key, const yaml_node_t *list,
		       const char *path, unsigned line)
{
	char value[READER_VALUE_MAX];

	if (list->type != YAML_SEQUENCE_NODE) {
		report_add(rd->report, CONFIG_ERROR, line, path, "is not a list; write [one, two]");
		return;
	}
	for (yaml_node_item_t *item = list->data.sequence.items.start;
	     item < list->data.sequence.items.top; item++) {
		const yaml_node_t *word = yaml_document_get_node(rd->document, *item);

		reader_scalar(rd, key, word, false, path, line_of(word), value);
	}
}

static bool read_section(struct reader *rd, const struct config_key *key, const yaml_node_t *node,
			 const char *path, unsigned line)
{
	if (node->type != YAML_MAPPING_NODE && !reader_is_null(node)) {
		report_add(rd->report, CONFIG_ERROR, line, path,
			   "is not a section; write keys in it, as in `%s: { key: value }`",
			   config_key_name(key));
		return false;
	}
	read_map(rd, node->type == YAML_MAPPING_NODE ? node : NULL, key->pattern, path, line);
	return true;
}

/* Appends the clean value, or nothing: false. */
static bool read_value(struct reader *rd, const struct config_key *key, const yaml_node_t *node,
		       bool is_file, const char *path, unsigned line)
{
	char value[READER_VALUE_MAX];
	bool is_good = true;

	switch (key->type) {
	case KEY_MAP:
		return read_section(rd, key, node, path, line);
	case KEY_LIST:
		read_list(rd, key, node, path, line);
		return true;
	case KEY_WORDS:
		read_words(rd, key, node, path, line);
		return false;
	default:
		is_good = reader_scalar(rd, key, node, is_file, path, line, value);
		if (is_good) {
			put_quoted(rd, value);
		}
		explicit_bzero(value, sizeof(value));
		return is_good;
	}
}

static void read_known(struct reader *rd, const struct config_key *key, const yaml_node_t *node,
		       bool is_file, const char *path, unsigned line)
{
	size_t before = mark(rd);
	bool was_inside_inactive = rd->is_inside_inactive;

	if ((key->flags & KEY_INACTIVE) && !rd->is_inside_inactive) {
		report_add(rd->report, CONFIG_INACTIVE, line, path,
			   "accepted; not carried out by this version");
		rd->is_inside_inactive = true;
	}
	put_quoted(rd, config_key_name(key));
	put_text(rd, ":");
	bool has_value = read_value(rd, key, node, is_file, path, line);
	put_text(rd, ",");
	if (!has_value || (key->flags & KEY_UNBOUND)) {
		forget_since(rd, before);
	}
	rd->is_inside_inactive = was_inside_inactive;
}

/* A name may be shown if it looks like one: what stands in a wrong place may be a secret. */
static bool is_presentable(const char *name, const yaml_node_t *value)
{
	size_t size = strspn(name, "abcdefghijklmnopqrstuvwxyz_");

	return size > 0 && size <= 24 && name[size] == '\0' && !reader_is_null(value);
}

static void list_known(const char *parent, char *to, size_t size)
{
	to[0] = '\0';
	for (size_t i = 0; i < config_key_count; i++) {
		size_t used = strlen(to);

		if (config_key_is_in(&config_keys[i], parent)) {
			text_format(to + used, size - used, "%s%s", used > 0 ? ", " : "",
				    config_key_name(&config_keys[i]));
		}
	}
}

static void report_unknown(struct reader *rd, const char *name, const yaml_node_t *value,
			   const char *parent, const char *path, unsigned line)
{
	const struct config_key *nearest = config_key_nearest(parent, name);
	const struct config_key *elsewhere = config_key_elsewhere(name);
	bool is_shown = nearest != NULL || elsewhere != NULL || is_presentable(name, value);
	char shown[CONFIG_PATH_MAX], known[200];

	join(shown, path, is_shown ? name : "?");
	if (nearest != NULL) {
		report_add(rd->report, CONFIG_ERROR, line, shown, "unknown key; did you mean `%s`?",
			   config_key_name(nearest));
	} else if (elsewhere != NULL) {
		report_add(rd->report, CONFIG_ERROR, line, shown,
			   "unknown here; it belongs at `%s`, check the indentation",
			   elsewhere->pattern);
	} else {
		list_known(parent, known, sizeof(known));
		report_add(rd->report, CONFIG_ERROR, line, shown, "unknown key; known here: %s",
			   known);
	}
}

static void read_pair(struct reader *rd, const yaml_node_pair_t *pair, const char *parent,
		      const char *path, unsigned seen[CONFIG_KEYS_MAX])
{
	const yaml_node_t *name = yaml_document_get_node(rd->document, pair->key);
	const yaml_node_t *value = yaml_document_get_node(rd->document, pair->value);
	unsigned line = line_of(name);
	char of_key[CONFIG_PATH_MAX];
	bool is_file;

	if (name->type != YAML_SCALAR_NODE) {
		report_add(rd->report, CONFIG_ERROR, line, path,
			   "has a list or section where the name of a key should be; write `key: "
			   "value`");
		return;
	}
	const char *text = (const char *)name->data.scalar.value;
	const struct config_key *key = config_key_find(parent, text, &is_file);
	if (key == NULL) {
		report_unknown(rd, text, value, parent, path, line);
		return;
	}
	join(of_key, path, config_key_name(key));
	unsigned *first = &seen[key - config_keys];
	if (*first != 0) {
		report_add(rd->report, CONFIG_ERROR, line, of_key,
			   "is given twice, first at line %u; keep one", *first);
		return;
	}
	*first = line;
	report_note_place(rd->report, of_key, line);
	read_known(rd, key, value, is_file, of_key, line);
}

static void fill_missing(struct reader *rd, const struct config_key *key, const char *path,
			 unsigned line)
{
	char of_key[CONFIG_PATH_MAX];

	join(of_key, path, config_key_name(key));
	if (key->flags & KEY_REQUIRED) {
		report_add(rd->report, CONFIG_ERROR, line, of_key, "is missing; add it: %s",
			   key->help);
	} else if (key->type == KEY_MAP && !(key->flags & (KEY_POINTER | KEY_UNBOUND))) {
		put_quoted(rd, config_key_name(key));
		put_text(rd, ":");
		read_map(rd, NULL, key->pattern, of_key, line);
		put_text(rd, ",");
	} else if (key->default_text != NULL && !(key->flags & KEY_UNBOUND)) {
		put_quoted(rd, config_key_name(key));
		put_text(rd, ":");
		put_quoted(rd, key->default_text);
		put_text(rd, ",");
	}
}

/* `map` may be NULL: nothing but defaults. */
static void read_map(struct reader *rd, const yaml_node_t *map, const char *parent,
		     const char *path, unsigned line)
{
	unsigned seen[CONFIG_KEYS_MAX] = { 0 };

	put_text(rd, "{");
	if (map != NULL) {
		for (yaml_node_pair_t *pair = map->data.mapping.pairs.start;
		     pair < map->data.mapping.pairs.top; pair++) {
			read_pair(rd, pair, parent, path, seen);
		}
	}
	for (size_t i = 0; i < config_key_count; i++) {
		if (seen[i] == 0 && config_key_is_in(&config_keys[i], parent)) {
			fill_missing(rd, &config_keys[i], path, line);
		}
	}
	put_text(rd, "}");
}

/* ---- documents ---- */

static void wipe_document(yaml_document_t *document)
{
	yaml_node_t *node;

	for (int i = 1; (node = yaml_document_get_node(document, i)) != NULL; i++) {
		if (node->type == YAML_SCALAR_NODE) {
			explicit_bzero(node->data.scalar.value, node->data.scalar.length);
		}
	}
	yaml_document_delete(document);
}

static void wipe_parser(yaml_parser_t *parser)
{
	if (parser->raw_buffer.start != NULL) {
		explicit_bzero(parser->raw_buffer.start,
			       (size_t)(parser->raw_buffer.end - parser->raw_buffer.start));
	}
	if (parser->buffer.start != NULL) {
		explicit_bzero(parser->buffer.start,
			       (size_t)(parser->buffer.end - parser->buffer.start));
	}
	yaml_parser_delete(parser);
}

/* libyaml's problems are fixed sentences without a word of the file. */
static void report_syntax(struct reader *rd, const yaml_parser_t *parser, const char *text)
{
	unsigned line = (unsigned)parser->problem_mark.line + 1;

	if (parser->error == YAML_MEMORY_ERROR) {
		rd->report->is_out_of_memory = true;
		return;
	}
	if (parser->error == YAML_READER_ERROR) {
		line = 1;
		for (size_t i = 0; i < parser->problem_offset; i++) {
			line += text[i] == '\n';
		}
		report_add(rd->report, CONFIG_ERROR, line, "",
			   "this is not UTF-8 text (%s); save the file as UTF-8", parser->problem);
		return;
	}
	report_add(rd->report, CONFIG_ERROR, line, "",
		   "this is not YAML (%s); indent with spaces, put one space after each colon, and "
		   "quote values that have : # { } [ ] , & * ! | > ' \" %% @ or ` in them",
		   parser->problem != NULL ? parser->problem : "syntax error");
}

static void read_root(struct reader *rd)
{
	const yaml_node_t *root = yaml_document_get_root_node(rd->document);

	if (root != NULL && root->type != YAML_MAPPING_NODE && !reader_is_null(root)) {
		report_add(rd->report, CONFIG_ERROR, line_of(root), "",
			   "the file holds no keys; begin with `shows:`, see understudy(5)");
		return;
	}
	read_map(rd, root != NULL && root->type == YAML_MAPPING_NODE ? root : NULL, "", "", 0);
}

static void check_end(struct reader *rd, yaml_parser_t *parser, const char *text)
{
	yaml_document_t second;

	if (!yaml_parser_load(parser, &second)) {
		report_syntax(rd, parser, text);
		return;
	}
	const yaml_node_t *root = yaml_document_get_root_node(&second);
	if (root != NULL) {
		report_add(rd->report, CONFIG_ERROR, line_of(root), "",
			   "a second document begins here; keep one, without lines of `---`");
	}
	wipe_document(&second);
}

void reader_run(struct reader *rd, const char *text, size_t size)
{
	yaml_parser_t parser;
	yaml_document_t document;

	buffer_init(&rd->clean, CLEAN_MAX_BYTES);
	/* enough for nearly every file, so that no outgrown copy of secrets is left behind */
	if (buffer_reserve(&rd->clean, CLEAN_FIRST_BYTES) == NULL ||
	    !yaml_parser_initialize(&parser)) {
		rd->report->is_out_of_memory = true;
		return;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	if (yaml_parser_load(&parser, &document)) {
		rd->document = &document;
		read_root(rd);
		rd->document = NULL;
		if (yaml_document_get_root_node(&document) != NULL) {
			check_end(rd, &parser, text);
		}
		wipe_document(&document);
	} else {
		report_syntax(rd, &parser, text);
	}
	wipe_parser(&parser);
}

void reader_finish(struct reader *rd)
{
	if (rd->clean.data != NULL) {
		explicit_bzero(rd->clean.data, rd->clean.capacity);
	}
	buffer_finish(&rd->clean);
}
