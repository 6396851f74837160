/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the witness found in a recording (verdict.h). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <understudy/text.h>

#include "verdict.h"

void verdict_add_media(struct verdict *v, const struct ipc_witness_media *media)
{
	if (v->media_count < VERDICT_MEDIA) {
		v->media[v->media_count++] = *media;
	}
}

void verdict_add_event(struct verdict *v, const struct witness_event *event)
{
	if (v->event_count == v->event_room && v->event_room < VERDICT_EVENTS) {
		size_t room = v->event_room == 0 ? 16 : 2 * v->event_room;
		struct witness_event *events;

		room = room > VERDICT_EVENTS ? VERDICT_EVENTS : room;
		events = reallocarray(v->events, room, sizeof(*events));
		if (events != NULL) {
			v->events = events;
			v->event_room = room;
		}
	}
	if (v->event_count < v->event_room) {
		v->events[v->event_count++] = *event;
	}
}

void verdict_finish(struct verdict *v)
{
	free(v->events);
	v->events = NULL;
}

bool verdict_is_unbroken(const struct verdict *v)
{
	return v->error[0] == '\0' && v->summary.packets > 0 && witness_is_unbroken(&v->summary);
}

/* ---- times ---- */

/* Of the earliest frame: positions are counted from there. */
static int64_t base_90k(const struct verdict *v)
{
	int64_t video = v->summary.video.first_90k, audio = v->summary.audio.first_90k;

	if (video == INT64_MIN || (audio != INT64_MIN && audio < video)) {
		return audio;
	}
	return video;
}

static int64_t end_90k(const struct verdict *v)
{
	int64_t video = v->summary.video.last_90k, audio = v->summary.audio.last_90k;

	return video > audio ? video : audio;
}

static int64_t duration_90k(const struct verdict *v)
{
	return end_90k(v) != INT64_MIN ? end_90k(v) - base_90k(v) : 0;
}

/* "01:02:03.456" */
static void format_place(char *to, size_t size, int64_t at_90k)
{
	int64_t ms = at_90k > 0 ? at_90k / 90 : 0;

	text_format(to, size, "%02" PRId64 ":%02d:%02d.%03d", ms / 3600000, (int)(ms / 60000 % 60),
		    (int)(ms / 1000 % 60), (int)(ms % 1000));
}

/* Frames a second, as if none were missing; 0 = not known. */
static double rate_of(const struct witness_track *t)
{
	int64_t steps = (int64_t)t->packets - 1 + (int64_t)t->missing - (int64_t)t->doubled;

	return steps > 0 && t->last_90k > t->first_90k
		       ? (double)steps * MEDIA_HZ / (double)(t->last_90k - t->first_90k)
		       : 0;
}

/* ---- for people ---- */

static const char *media_str(unsigned media)
{
	return media == PACKET_VIDEO ? "video" : "audio";
}

static void print_media(const struct verdict *v, const struct terminal *t)
{
	for (unsigned i = 0; i < v->media_count; i++) {
		const struct ipc_witness_media *m = &v->media[i];
		char codec[IPC_NAME];

		terminal_copy(codec, sizeof(codec), m->codec);
		if (m->kind == PACKET_VIDEO) {
			fprintf(t->out, "  video  %s %ux%u", codec, m->width, m->height);
			if (m->track == 0) {
				fprintf(t->out, "  %.4g frames/s  %" PRIu64 " frames",
					rate_of(&v->summary.video), v->summary.video.packets);
			}
		} else {
			fprintf(t->out, "  audio  %s %u Hz %u channel%s", codec, m->sample_rate,
				m->channels, m->channels == 1 ? "" : "s");
			if (m->track == 0) {
				fprintf(t->out, "  %" PRIu64 " frames", v->summary.audio.packets);
			}
		}
		fputc('\n', t->out);
	}
}

static void describe(const struct witness_event *e, char *to, size_t size)
{
	double step_ms = (double)e->step_90k / 90;

	switch (e->kind) {
	case WITNESS_MISSING:
		text_format(to, size, "%" PRIu32 " frame%s missing (%.0f ms from one to the next)",
			    e->frames, e->frames == 1 ? "" : "s", step_ms);
		break;
	case WITNESS_DOUBLED:
		text_format(to, size, "a frame too many (%.0f ms after the one before)", step_ms);
		break;
	case WITNESS_DISORDER:
		text_copy(to, size, "timestamps run backwards or stand still");
		break;
	case WITNESS_ENDED:
		text_format(to, size, "ends %.1f s before the other track", step_ms / 1000);
		break;
	default:
		text_copy(to, size, witness_kind_str((enum witness_kind)e->kind));
		break;
	}
}

static uint64_t fault_count(const struct verdict *v)
{
	uint64_t count = 0;

	for (unsigned kind = 0; kind < WITNESS_KINDS; kind++) {
		count += kind == WITNESS_SPLICE || kind == WITNESS_LAPPED ? 0
									  : v->summary.counts[kind];
	}
	return count;
}

static void print_findings(const struct verdict *v, const struct terminal *t)
{
	uint64_t unsaid = fault_count(v) - v->event_count;

	for (size_t i = 0; i < v->event_count; i++) {
		const struct witness_event *e = &v->events[i];
		char place[32], what[96];

		format_place(place, sizeof(place), e->at_90k - base_90k(v));
		describe(e, what, sizeof(what));
		fprintf(t->out, "  %s  %s  %s\n", place, media_str(e->media), what);
	}
	if (unsaid > 0) {
		fprintf(t->out, "  and %" PRIu64 " more\n", unsaid);
	}
}

static void print_total(const struct verdict *v, const struct terminal *t)
{
	const struct witness_summary *s = &v->summary;
	enum paint paint = verdict_is_unbroken(v) ? PAINT_GOOD : PAINT_BAD;

	fprintf(t->out, "%s%s%s", terminal_begin(t, paint),
		verdict_is_unbroken(v) ? "unbroken" : "broken", terminal_end(t, paint));
	if (s->video.missing + s->video.doubled > 0) {
		fprintf(t->out, "; video: %" PRIu64 " missing in %u places, %" PRIu64 " too many",
			s->video.missing, s->video.holes, s->video.doubled);
	}
	if (s->audio.missing + s->audio.doubled > 0) {
		fprintf(t->out, "; audio: %" PRIu64 " missing in %u places, %" PRIu64 " too many",
			s->audio.missing, s->audio.holes, s->audio.doubled);
	}
	if (v->error[0] != '\0') {
		char safe[IPC_TEXT];

		terminal_copy(safe, sizeof(safe), v->error);
		fprintf(t->out, "; not read to its end: %s", safe);
	} else if (s->packets == 0) {
		fputs("; nothing to see or hear is in it", t->out);
	}
	fputc('\n', t->out);
}

void verdict_print(const struct verdict *v, const struct terminal *t)
{
	char path[512], duration[32];

	terminal_copy(path, sizeof(path), v->path);
	format_place(duration, sizeof(duration), duration_90k(v));
	fprintf(t->out, "%s  %s\n", path, duration);
	print_media(v, t);
	print_findings(v, t);
	print_total(v, t);
}

/* ---- for programs ---- */

static json_t *track_json(const struct verdict *v, const struct ipc_witness_media *m)
{
	const struct witness_track *c = m->kind == PACKET_VIDEO ? &v->summary.video
								: &v->summary.audio;
	json_t *json = json_pack("{s:s, s:i, s:s}", "kind", media_str(m->kind), "track",
				 (int)m->track, "codec", m->codec);

	if (m->kind == PACKET_VIDEO) {
		json_object_set_new(json, "width", json_integer(m->width));
		json_object_set_new(json, "height", json_integer(m->height));
	} else {
		json_object_set_new(json, "sample_rate", json_integer(m->sample_rate));
		json_object_set_new(json, "channels", json_integer(m->channels));
	}
	if (m->track == 0) {
		json_object_set_new(json, "frames", json_integer((json_int_t)c->packets));
		json_object_set_new(json, "missing", json_integer((json_int_t)c->missing));
		json_object_set_new(json, "doubled", json_integer((json_int_t)c->doubled));
		json_object_set_new(json, "holes", json_integer(c->holes));
		json_object_set_new(json, "frames_per_s", json_real(rate_of(c)));
		json_object_set_new(json, "longest_ms", json_real((double)c->longest_90k / 90));
	}
	return json;
}

static json_t *finding_json(const struct verdict *v, const struct witness_event *e)
{
	int64_t at_90k = e->at_90k - base_90k(v);
	char place[32];

	format_place(place, sizeof(place), at_90k);
	return json_pack("{s:s, s:s, s:i, s:s, s:f, s:f, s:i}", "kind",
			 witness_kind_str((enum witness_kind)e->kind), "media", media_str(e->media),
			 "track", e->track, "at", place, "at_s", (double)at_90k / MEDIA_HZ,
			 "step_ms", (double)e->step_90k / 90, "frames", (int)e->frames);
}

void verdict_print_json(const struct verdict *v, FILE *out)
{
	json_t *tracks = json_array(), *findings = json_array();

	for (unsigned i = 0; i < v->media_count; i++) {
		json_array_append_new(tracks, track_json(v, &v->media[i]));
	}
	for (size_t i = 0; i < v->event_count; i++) {
		json_array_append_new(findings, finding_json(v, &v->events[i]));
	}
	json_t *json = json_pack("{s:s, s:b, s:f, s:o, s:o, s:I}", "file", v->path, "unbroken",
				 verdict_is_unbroken(v), "duration_s",
				 (double)duration_90k(v) / MEDIA_HZ, "tracks", tracks, "findings",
				 findings, "faults", (json_int_t)fault_count(v));

	json_object_set_new(json, "error",
			    v->error[0] != '\0' ? json_string(v->error) : json_null());
	json_dumpf(json, out, JSON_COMPACT);
	fputc('\n', out);
	json_decref(json);
}
