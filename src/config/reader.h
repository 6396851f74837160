/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Pass one: from the text of a file to a clean copy of it that libcyaml can take without
 * surprises.
 *
 *   text --libyaml--> nodes with lines --reader--> clean text --filler (libcyaml)--> struct config
 *                                        |
 *                                        '--> findings, places
 *
 * In the clean text every key is known and occurs once, every value is expanded, checked for
 * its type and range, defaults are filled in, and each value stands in quotes with everything
 * but plain ASCII escaped: a value can never become syntax.
 */
#ifndef CONFIG_READER_H
#define CONFIG_READER_H

#include <stdbool.h>
#include <stddef.h>

#include <yaml.h>

#include <understudy/buffer.h>
#include <understudy/config.h>

#include "keys.h"
#include "report.h"

#define READER_VALUE_MAX 4096

struct reader {
	struct report *report;
	const char *directory; /* of the file, with its last slash; "" = working directory */
	config_environment *environment;
	void *context;
	yaml_document_t *document;
	struct buffer clean; /* holds secrets */
	/* line of the first secret that stands in the file itself, 0 = none */
	unsigned literal_secret_line;
	bool is_inside_inactive;
};

/* Reads the text and fills reader->clean (empty if the text is no YAML at all). */
void reader_run(struct reader *rd, const char *text, size_t size);
/* Wipes and frees. */
void reader_finish(struct reader *rd);

/* value.c: one scalar, expanded, checked for the key's type, in its canonical form. False if it
 * was refused, with a finding. */
bool reader_scalar(struct reader *rd, const struct config_key *key, const yaml_node_t *node,
		   bool is_file, const char *path, unsigned line, char value[READER_VALUE_MAX]);
bool reader_is_null(const yaml_node_t *node);

/* filler.c: clean text to structures. 0, -ENOMEM, or -EINVAL (our own fault: it was clean). */
int filler_run(const struct buffer *clean, struct config **ret);
/* Frees what libcyaml made, wiping it. */
void filler_free(struct config *config);

#endif
