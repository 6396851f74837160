/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Findings and places of one load (report.h). No I/O. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/text.h>

#include "report.h"

void report_init(struct report *r, struct config_findings *findings)
{
	*r = (struct report){ .findings = findings };
}

/* Few and nearly sorted: insertion keeps findings of one line in the order they were made. */
static void sort_by_line(struct config_findings *f)
{
	for (size_t i = 1; i < f->count; i++) {
		struct config_finding moving = f->items[i];
		size_t at = i;

		for (; at > 0 && f->items[at - 1].line > moving.line; at--) {
			f->items[at] = f->items[at - 1];
		}
		f->items[at] = moving;
	}
}

void report_finish(struct report *r)
{
	sort_by_line(r->findings);
	free(r->places);
	r->places = NULL;
	r->place_count = r->place_capacity = 0;
}

__attribute__((format(printf, 5, 0))) static void add_arguments(struct report *r,
								enum config_severity severity,
								unsigned line, const char *path,
								const char *format,
								va_list arguments)
{
	struct config_findings *f = r->findings;

	r->errors += severity == CONFIG_ERROR;
	struct config_finding *items = realloc(f->items, (f->count + 1) * sizeof(*items));
	if (items == NULL) {
		r->is_out_of_memory = true;
		return;
	}
	f->items = items;
	struct config_finding *finding = &items[f->count++];
	*finding = (struct config_finding){ .severity = severity, .line = line };
	text_copy(finding->key, sizeof(finding->key), path);
	vsnprintf(finding->text, sizeof(finding->text), format, arguments);
}

void report_add(struct report *r, enum config_severity severity, unsigned line, const char *path,
		const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add_arguments(r, severity, line, path, format, arguments);
	va_end(arguments);
}

static unsigned nearest_line(const struct report *r, const char *path)
{
	char parent[CONFIG_PATH_MAX];
	unsigned line = report_line(r, path);

	text_copy(parent, sizeof(parent), path);
	while (line == 0 && parent[0] != '\0') {
		char *dot = strrchr(parent, '.'), *bracket = strrchr(parent, '[');
		char *end = dot == NULL || (bracket != NULL && bracket > dot) ? bracket : dot;

		if (end == NULL) {
			end = parent;
		}
		*end = '\0';
		line = report_line(r, parent);
	}
	return line;
}

void report_add_at(struct report *r, enum config_severity severity, const char *path,
		   const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add_arguments(r, severity, nearest_line(r, path), path, format, arguments);
	va_end(arguments);
}

void report_note_place(struct report *r, const char *path, unsigned line)
{
	if (r->place_count == r->place_capacity) {
		size_t capacity = r->place_capacity == 0 ? 64 : 2 * r->place_capacity;
		struct report_place *places = realloc(r->places, capacity * sizeof(*places));

		if (places == NULL) {
			r->is_out_of_memory = true;
			return;
		}
		r->places = places;
		r->place_capacity = capacity;
	}
	struct report_place *place = &r->places[r->place_count++];
	text_copy(place->path, sizeof(place->path), path);
	place->line = line;
}

unsigned report_line(const struct report *r, const char *path)
{
	for (size_t i = 0; i < r->place_count; i++) {
		if (strcmp(r->places[i].path, path) == 0) {
			return r->places[i].line;
		}
	}
	return 0;
}

bool report_has(const struct report *r, const char *path)
{
	return report_line(r, path) != 0;
}

void config_findings_finish(struct config_findings *f)
{
	free(f->items);
	*f = (struct config_findings){ .count = 0 };
}

void config_finding_format(char *to, size_t size, const char *name,
			   const struct config_finding *finding)
{
	static const char *const words[] = { [CONFIG_ERROR] = "",
					     [CONFIG_WARNING] = "warning: ",
					     [CONFIG_INACTIVE] = "inactive: " };
	char line[16] = "", file[256];

	text_escape(file, sizeof(file), name, strlen(name));
	if (finding->line != 0) {
		text_format(line, sizeof(line), "%u:", finding->line);
	}
	text_format(to, size, "%s:%s %s%s%s%s", file, line, words[finding->severity], finding->key,
		    finding->key[0] == '\0' ? "" : ": ", finding->text);
}
