/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Can the destinations be reached, is there room on the disks, is the clock right? (preflight.h) */
#include <string.h>

#include <understudy/text.h>

#include "preflight.h"

#define CERTIFICATE_DAYS 14
#define HOURS_BAD 1
#define HOURS_NOTE 6

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static const json_t *destination_named(const json_t *show, const char *name)
{
	const json_t *d;
	size_t i;

	json_array_foreach(json_object_get(show, "destinations"), i, d) {
		if (strcmp(text_of(d, "name"), name) == 0) {
			return d;
		}
	}
	return NULL;
}

static void judge_certificate(const json_t *probe, const char *subject, struct findings *to)
{
	const json_t *days = json_object_get(probe, "certificate_days");

	if (json_is_integer(days) && json_integer_value(days) < CERTIFICATE_DAYS) {
		findings_add(to, FINDING_NOTE, subject, "its certificate expires in %lld days",
			     (long long)json_integer_value(days));
	}
}

/* On air tells more than any probe. */
static bool judge_state(const json_t *d, const char *subject, struct findings *to)
{
	const char *state = text_of(d, "state"), *error = text_of(d, "last_error");

	if (strcmp(state, "live") == 0 || strcmp(state, "held") == 0) {
		findings_add(to, FINDING_GOOD, subject, "connected and published");
		return true;
	}
	if (strcmp(state, "refused") == 0) {
		findings_add(to, FINDING_BAD, subject, "refused: %s", error);
		return true;
	}
	if (strcmp(text_of(d, "admin"), "paused") == 0) {
		findings_add(to, FINDING_NOTE, subject, "paused; `understudy resume` serves it");
		return true;
	}
	return false;
}

static void judge_probe(const json_t *show, const json_t *probe, struct findings *to)
{
	const json_t *d = destination_named(show, text_of(probe, "destination"));
	bool is_backup = strcmp(text_of(probe, "ingest"), "backup") == 0;
	const char *error = text_of(probe, "error");
	char subject[80];

	text_format(subject, sizeof(subject), "destination %s%s", text_of(probe, "destination"),
		    is_backup ? " (backup ingest)" : "");
	if (d != NULL && !is_backup && judge_state(d, subject, to)) {
		judge_certificate(probe, subject, to);
		return;
	}
	if (error[0] != '\0') {
		findings_add(to, is_backup ? FINDING_NOTE : FINDING_BAD, subject,
			     "cannot be reached: %s", error);
		return;
	}
	findings_add(to, FINDING_GOOD, subject, "reached in %lld ms, not published to",
		     (long long)json_integer_value(json_object_get(probe, "connect_ms")));
	judge_certificate(probe, subject, to);
}

static int64_t live_kbps(const json_t *show)
{
	const json_t *feed;
	int64_t most = 0, kbps;
	size_t i;

	json_array_foreach(json_object_get(show, "feeds"), i, feed) {
		kbps = json_integer_value(json_object_get(feed, "kbps"));
		most = kbps > most ? kbps : most;
	}
	return most;
}

static void judge_disk(const json_t *show, const json_t *disk, struct findings *to)
{
	int64_t free_bytes = json_integer_value(json_object_get(disk, "free_bytes"));
	int64_t kbps = live_kbps(show);
	const char *error = text_of(disk, "error");
	char subject[80];

	text_format(subject, sizeof(subject), "recording %s", text_of(disk, "destination"));
	if (error[0] != '\0') {
		findings_add(to, FINDING_BAD, subject, "%s", error);
		return;
	}
	if (kbps == 0) {
		findings_add(to, FINDING_NOTE, subject,
			     "%.1f GB free; for how long is not known "
			     "without a feed",
			     (double)free_bytes / 1e9);
		return;
	}
	double hours = (double)free_bytes / ((double)kbps * 125.0) / 3600.0;
	findings_add(to,
		     hours < HOURS_BAD    ? FINDING_BAD
		     : hours < HOURS_NOTE ? FINDING_NOTE
					  : FINDING_GOOD,
		     subject, "%.1f GB free: %.1f hours at %lld kb/s", (double)free_bytes / 1e9,
		     hours, (long long)kbps);
}

void preflight_places(const json_t *show, const json_t *places, struct findings *to)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(places, "destinations"), i, item) {
		judge_probe(show, item, to);
	}
	json_array_foreach(json_object_get(places, "disks"), i, item) {
		judge_disk(show, item, to);
	}
	if (json_is_false(json_object_get(places, "clock_is_synchronised"))) {
		findings_add(
			to, FINDING_NOTE, "clock",
			"not synchronised (no NTP): certificates and the times in reports go by "
			"it");
	} else if (json_is_true(json_object_get(places, "clock_is_synchronised"))) {
		findings_add(to, FINDING_GOOD, "clock", "synchronised");
	}
}
