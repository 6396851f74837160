/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a rehearsal or a check before the event found: good, worth knowing, or to be mended. */
#ifndef CLI_FINDING_H
#define CLI_FINDING_H

#include <stdbool.h>

#include <jansson.h>

#include "terminal.h"

enum judgement { FINDING_GOOD, FINDING_NOTE, FINDING_BAD };

#define FINDINGS_MAX 160 /* more are left out, but a bad one counts */
struct finding {
	enum judgement judgement;
	char subject[80]; /* "feed primary", "" = what it is about goes without saying */
	char text[320];
};
struct findings {
	bool has_bad;
	unsigned count;
	struct finding items[FINDINGS_MAX];
};

void findings_add(struct findings *f, enum judgement judgement, const char *subject,
		  const char *format, ...) __attribute__((format(printf, 4, 5)));
/* [{"judgement":"good|note|bad", "subject":S, "text":X}]; without a subject, none. */
json_t *findings_json(const struct findings *f);
/* A line for each, indented. */
void findings_print(const struct terminal *t, const json_t *findings);

#endif
