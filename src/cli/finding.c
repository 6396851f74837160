/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Findings and their words (finding.h). */
#include <stdarg.h>
#include <string.h>

#include <understudy/text.h>

#include "finding.h"

static const struct {
	const char *word, *sign;
	enum paint paint;
} judgements[] = {
	[FINDING_GOOD] = { "good", "+", PAINT_GOOD },
	[FINDING_NOTE] = { "note", "-", PAINT_WARN },
	[FINDING_BAD] = { "bad", "!", PAINT_BAD },
};

void findings_add(struct findings *f, enum judgement judgement, const char *subject,
		  const char *format, ...)
{
	va_list arguments;

	f->has_bad |= judgement == FINDING_BAD;
	if (f->count == FINDINGS_MAX) {
		return;
	}
	struct finding *finding = &f->items[f->count++];
	finding->judgement = judgement;
	text_copy(finding->subject, sizeof(finding->subject), subject);
	va_start(arguments, format);
	vsnprintf(finding->text, sizeof(finding->text), format, arguments);
	va_end(arguments);
}

json_t *findings_json(const struct findings *f)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < f->count; i++) {
		const struct finding *finding = &f->items[i];
		json_t *json = json_pack("{s:s, s:s}", "judgement",
					 judgements[finding->judgement].word, "text",
					 finding->text);

		if (finding->subject[0] != '\0') {
			json_object_set_new(json, "subject", json_string(finding->subject));
		}
		json_array_append_new(list, json);
	}
	return list;
}

static enum judgement judgement_of(const json_t *finding)
{
	const char *word = json_string_value(json_object_get(finding, "judgement"));

	for (unsigned i = 0; word != NULL && i < sizeof(judgements) / sizeof(judgements[0]); i++) {
		if (strcmp(judgements[i].word, word) == 0) {
			return (enum judgement)i;
		}
	}
	return FINDING_BAD;
}

static void print_text(const struct terminal *t, const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	char safe[512];

	terminal_copy(safe, sizeof(safe), text != NULL ? text : "");
	fputs(safe, t->out);
}

void findings_print(const struct terminal *t, const json_t *findings)
{
	const json_t *finding;
	size_t i;

	json_array_foreach(findings, i, finding) {
		enum judgement judgement = judgement_of(finding);
		enum paint paint = judgements[judgement].paint;

		fprintf(t->out, "  %s%s%s ", terminal_begin(t, paint), judgements[judgement].sign,
			terminal_end(t, paint));
		if (json_object_get(finding, "subject") != NULL) {
			print_text(t, finding, "subject");
			fputs(": ", t->out);
		}
		print_text(t, finding, "text");
		fputc('\n', t->out);
	}
}
