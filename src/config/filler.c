/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Pass two: libcyaml fills the structures from the clean text. Its schema is made from the
 * table of keys, once; its log is off (it prints values) and its memory is wiped on release.
 */
#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <cyaml/cyaml.h>

#include <understudy/text.h>

#include "reader.h"

/* every key, and an end for every map or list of maps */
static struct cyaml_schema_field fields[2 * CONFIG_KEYS_MAX];
static struct cyaml_schema_value items[CONFIG_KEYS_MAX];
static struct cyaml_strval choices[CONFIG_KEYS_MAX];
static struct cyaml_schema_value root;
static size_t field_count, item_count, choice_count;

static void *allocate(void *context, void *old, size_t size)
{
	size_t had = old != NULL ? malloc_usable_size(old) : 0;

	if (size == 0) {
		if (old != NULL) {
			explicit_bzero(old, had);
		}
		free(old);
		return NULL;
	}
	void *fresh = calloc(1, size);
	if (fresh != NULL && old != NULL) {
		memcpy(fresh, old, had < size ? had : size);
		explicit_bzero(old, had);
		free(old);
	}
	return fresh;
}

static const struct cyaml_config settings = {
	.log_fn = NULL,
	.mem_fn = allocate,
	.log_level = CYAML_LOG_ERROR,
};

static struct cyaml_schema_field *build_fields(const char *parent);

static void build_choices(const struct config_key *key, struct cyaml_schema_value *value)
{
	value->type = CYAML_ENUM;
	value->flags = CYAML_FLAG_STRICT;
	value->enumeration.strings = &choices[choice_count];
	for (size_t i = 0; key->choices[i] != NULL; i++) {
		assert(choice_count < CONFIG_KEYS_MAX);
		choices[choice_count++] = (struct cyaml_strval){ key->choices[i], (int64_t)i };
		value->enumeration.count++;
	}
}

static void build_list(const struct config_key *key, struct cyaml_schema_field *field)
{
	char parent[CONFIG_PATH_MAX];
	struct cyaml_schema_value *item = &items[item_count++];

	text_format(parent, sizeof(parent), "%s[]", key->pattern);
	item->type = CYAML_MAPPING;
	item->data_size = key->size;
	item->mapping.fields = build_fields(parent);
	field->value.type = CYAML_SEQUENCE;
	field->value.flags = CYAML_FLAG_POINTER;
	field->value.sequence.entry = item;
	field->value.sequence.max = CYAML_UNLIMITED;
	field->count_offset = key->count_offset;
	field->count_size = sizeof(unsigned);
}

static void build_field(const struct config_key *key, struct cyaml_schema_field *field)
{
	field->key = config_key_name(key);
	field->data_offset = key->offset;
	field->value.data_size = key->size;
	switch (key->type) {
	case KEY_MAP:
		field->value.type = CYAML_MAPPING;
		field->value.flags = key->flags & KEY_POINTER ? CYAML_FLAG_POINTER : 0;
		field->value.mapping.fields = build_fields(key->pattern);
		break;
	case KEY_LIST:
		build_list(key, field);
		break;
	case KEY_INTEGER:
		field->value.type = key->min < 0 ? CYAML_INT : CYAML_UINT;
		break;
	case KEY_BOOLEAN:
		field->value.type = CYAML_BOOL;
		break;
	case KEY_CHOICE:
		build_choices(key, &field->value);
		break;
	default:
		field->value.type = CYAML_STRING;
		field->value.flags = CYAML_FLAG_POINTER;
		field->value.data_size = sizeof(char);
		field->value.string.max = CYAML_UNLIMITED;
		break;
	}
	field->value.flags |= CYAML_FLAG_OPTIONAL;
}

/* The fields of one map stand together; those of the maps in it come behind. */
static struct cyaml_schema_field *build_fields(const char *parent)
{
	struct cyaml_schema_field *first = &fields[field_count], *next = first;

	for (size_t i = 0; i < config_key_count; i++) {
		field_count += config_key_is_in(&config_keys[i], parent) &&
			       !(config_keys[i].flags & KEY_UNBOUND);
	}
	field_count++;
	assert(field_count <= sizeof(fields) / sizeof(fields[0]));
	for (size_t i = 0; i < config_key_count; i++) {
		if (config_key_is_in(&config_keys[i], parent) &&
		    !(config_keys[i].flags & KEY_UNBOUND)) {
			build_field(&config_keys[i], next++);
		}
	}
	return first;
}

static const struct cyaml_schema_value *schema(void)
{
	if (root.mapping.fields == NULL) {
		root.type = CYAML_MAPPING;
		root.flags = CYAML_FLAG_POINTER;
		root.data_size = sizeof(struct config);
		root.mapping.fields = build_fields("");
	}
	return &root;
}

int filler_run(const struct buffer *clean, struct config **ret)
{
	cyaml_data_t *data = NULL;
	cyaml_err_t error = cyaml_load_data(buffer_bytes(clean), buffer_size(clean), &settings,
					    schema(), &data, NULL);

	if (error != CYAML_OK) {
		return error == CYAML_ERR_OOM ? -ENOMEM : -EINVAL;
	}
	*ret = data;
	return 0;
}

void filler_free(struct config *config)
{
	cyaml_free(&settings, schema(), config, 0);
}
