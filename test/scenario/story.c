/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A scenario told to people: what happened, what the timeline made of it, what was seen. */
#include <inttypes.h>
#include <string.h>

#include "script.h"

static void tell_time(FILE *to, int64_t at_us)
{
	fprintf(to, "%10.3f  ", (double)(at_us - START_US) / 1e6);
}

static void tell_gap(FILE *to, int64_t gap_90k)
{
	if (gap_90k > 0) {
		fprintf(to, ", %" PRId64 " ms missing", gap_90k / 90);
	}
}

static void tell_event(const struct stage *st, FILE *to, const struct timeline_event *e)
{
	const char *from = stage_name(st, e->from), *name = stage_name(st, e->to);

	switch (e->kind) {
	case TIMELINE_ON:
		fprintf(to, "the show begins with %s", name);
		break;
	case TIMELINE_SPLICED:
		fprintf(to, "%s -> %s at show %.3f", from, name, (double)e->show_90k / MEDIA_HZ);
		tell_gap(to, e->gap_90k);
		break;
	case TIMELINE_STARVED:
		fprintf(to, "nothing to go on with after %s: the show pauses", from);
		break;
	case TIMELINE_RESUMED:
		fprintf(to, "the show goes on with %s", name);
		tell_gap(to, e->gap_90k);
		break;
	case TIMELINE_GAP:
		fprintf(to, "%s goes on at show %.3f", name, (double)e->show_90k / MEDIA_HZ);
		tell_gap(to, e->gap_90k);
		break;
	case TIMELINE_STATE:
		fprintf(to, "  %s is", name);
		break;
	case TIMELINE_TWINS:
		fprintf(to, "%s is a twin of %s", name, from);
		break;
	case TIMELINE_PARTED:
		fprintf(to, "%s is no twin of %s any more", name, from);
		break;
	case TIMELINE_CARRIED:
		fprintf(to, "%s carries on for %s", name, from);
		break;
	case TIMELINE_HELD_UP:
		fprintf(to, "the switch was held up");
		break;
	}
	fprintf(to, "%s %s\n", e->kind == TIMELINE_STATE ? "" : ":", e->cause);
}

static void tell_events(struct scenario *sc)
{
	const struct watch *w = &sc->stage.watch;

	for (; sc->told < w->event_count; sc->told++) {
		tell_time(sc->story, w->event_us[sc->told]);
		tell_event(&sc->stage, sc->story, &w->events[sc->told]);
	}
}

void script_tell(struct scenario *sc, char *words[], unsigned count)
{
	if (sc->story == NULL) {
		return;
	}
	tell_events(sc);
	tell_time(sc->story, sc->stage.now_us);
	fprintf(sc->story, "*");
	for (unsigned i = 0; i < count; i++) {
		fprintf(sc->story, " %s", words[i]);
	}
	fprintf(sc->story, "\n");
}

static void tell_kind(FILE *to, const struct watch *w, enum packet_kind kind, const char *name)
{
	struct watch_measure m = watch_measure(w, kind, INT64_MIN, INT64_MAX);

	if (m.frames < 2) {
		fprintf(to, "%12s%s: nothing to measure\n", "", name);
		return;
	}
	fprintf(to,
		"%12s%s: %zu frames, steps of %d to %d %% of a frame; at most %" PRId64
		" ms missing at once (show %.3f)\n",
		"", name, m.frames, m.shortest_percent, m.longest_percent,
		m.longest_percent > 150 ? m.longest_90k / 90 : 0,
		(double)m.longest_at_90k / MEDIA_HZ);
}

void script_tell_end(struct scenario *sc)
{
	const struct stage *st = &sc->stage;

	if (sc->story == NULL || !sc->is_started) {
		return;
	}
	tell_events(sc);
	tell_kind(sc->story, &st->watch, PACKET_VIDEO, "video");
	tell_kind(sc->story, &st->watch, PACKET_AUDIO, "audio");
}
