/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One account of the ledger (ledger.h). */
#include <string.h>

#include <understudy/ledger.h>
#include <understudy/text.h>

const char *ledger_class_str(enum ledger_class c)
{
	static const char *const names[LEDGER_CLASSES] = {
		[LEDGER_NOTHING] = "nothing", [LEDGER_ON] = "on",           [LEDGER_OFF] = "off",
		[LEDGER_REST] = "rest",       [LEDGER_UNKNOWN] = "unknown",
	};

	return (unsigned)c < LEDGER_CLASSES ? names[c] : "nothing";
}

/* The cause's line; the last line takes what is one too many. */
static struct ledger_cause *find_cause(struct ledger *l, const char *text)
{
	for (unsigned i = 0; i < l->cause_count; i++) {
		if (strcmp(l->causes[i].text, text) == 0) {
			return &l->causes[i];
		}
	}
	if (l->cause_count < LEDGER_CAUSES) {
		struct ledger_cause *cause = &l->causes[l->cause_count++];
		bool is_last = l->cause_count == LEDGER_CAUSES;

		*cause = (struct ledger_cause){ .us = 0 };
		text_copy(cause->text, sizeof(cause->text), is_last ? "other causes" : text);
		return cause;
	}
	return &l->causes[LEDGER_CAUSES - 1];
}

static void pass(struct ledger *l, int64_t us)
{
	l->us[l->now] += us;
	if (l->now != LEDGER_OFF) {
		return;
	}
	find_cause(l, l->cause)->us += us;
	if (l->at_us + us - l->off_since_us > l->longest_off_us) {
		l->longest_off_us = l->at_us + us - l->off_since_us;
		l->longest_off_at_us = l->off_since_us;
	}
}

void ledger_advance(struct ledger *l, int64_t at_us)
{
	if (!l->has_begun || at_us <= l->at_us) {
		return;
	}
	pass(l, at_us - l->at_us);
	l->at_us = at_us;
}

void ledger_set(struct ledger *l, int64_t at_us, enum ledger_class now, const char *cause)
{
	char why[LEDGER_CAUSE];
	bool was_off = l->now == LEDGER_OFF, was_on = l->now == LEDGER_ON;

	text_copy(why, sizeof(why), cause != NULL ? cause : "");
	if (!l->has_begun) {
		l->has_begun = true;
		l->from_us = l->at_us = at_us;
	}
	ledger_advance(l, at_us);
	if (now == LEDGER_OFF && !was_off) {
		l->off_since_us = l->at_us;
		l->interruptions += was_on;
	}
	if (now == LEDGER_OFF && (!was_off || strcmp(l->cause, why) != 0)) {
		find_cause(l, why)->times++;
	}
	memcpy(l->cause, why, sizeof(why));
	l->now = now;
}

void ledger_begin(struct ledger *l, int64_t at_us)
{
	struct ledger fresh = { .now = LEDGER_NOTHING };
	char cause[LEDGER_CAUSE];

	ledger_advance(l, at_us);
	if (!l->has_begun || at_us < l->at_us) {
		return;
	}
	memcpy(cause, l->cause, sizeof(cause));
	ledger_set(&fresh, at_us, l->now, cause);
	*l = fresh;
}

double ledger_percent(const struct ledger *l)
{
	int64_t wanted_us = l->us[LEDGER_ON] + l->us[LEDGER_OFF];

	return wanted_us > 0 ? 100.0 * (double)l->us[LEDGER_ON] / (double)wanted_us : 100.0;
}
