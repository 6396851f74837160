/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What one load collects: findings, and where each path of the configuration stands in the file.
 * Texts are written by us from fixed words, names of keys and numbers; values of secrets, of
 * URLs and of anything that came from the environment or a file never get in here.
 */
#ifndef CONFIG_REPORT_H
#define CONFIG_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include <understudy/config.h>

#define CONFIG_PATH_MAX sizeof(((struct config_finding *)NULL)->key)

struct report_place {
	char path[CONFIG_PATH_MAX];
	unsigned line;
};

struct report {
	struct config_findings *findings; /* the caller's */
	struct report_place *places;      /* owned */
	size_t place_count, place_capacity;
	unsigned errors;
	bool is_out_of_memory; /* something was not noted: the load must fail */
};

void report_init(struct report *r, struct config_findings *findings);
/* Frees the places and puts the findings into the order of lines. */
void report_finish(struct report *r);

void report_add(struct report *r, enum config_severity severity, unsigned line, const char *path,
		const char *format, ...) __attribute__((format(printf, 5, 6)));
/* A finding about a path whose line is known already, or else that of its nearest parent. */
void report_add_at(struct report *r, enum config_severity severity, const char *path,
		   const char *format, ...) __attribute__((format(printf, 4, 5)));

void report_note_place(struct report *r, const char *path, unsigned line);
/* 0 = the path is not in the file. */
unsigned report_line(const struct report *r, const char *path);
/* True if the file has the path, even if its value was refused. */
bool report_has(const struct report *r, const char *path);

#endif
