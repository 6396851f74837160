/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What may be asked of the history (history.h). */
#include <string.h>

#include <understudy/history.h>

enum history_subject history_subject_of(const char *name)
{
	static const char *const names[HISTORY_SUBJECTS] = {
		[HISTORY_NONE] = "",       [HISTORY_EVENTS] = "events", [HISTORY_LEDGER] = "ledger",
		[HISTORY_SPANS] = "spans", [HISTORY_DRILLS] = "drills",
	};

	for (int i = HISTORY_NONE + 1; i < HISTORY_SUBJECTS; i++) {
		if (strcmp(names[i], name) == 0) {
			return (enum history_subject)i;
		}
	}
	return HISTORY_NONE;
}
