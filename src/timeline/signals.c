/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The signals that something is wrong with a source (timeline; pure): what each measures, how it
 * is said, what it is held against. When they are entered and left: health.c.
 */
#include <inttypes.h>

#include <understudy/text.h>

#include "signals.h"

#define SHORT_S 5 /* what changes at once */
#define MIDDLE_S 10
#define PACE_S 2 /* whole seconds within the time that another frame rate has to be kept to */
#define MEASURED_US ((SHORT_S + 1) * INT64_C(1000000))
#define SKEW_AFTER_US 10000000 /* by then a start burst is over */
#define SRT_PACKETS_MIN 100
#define HOLES_MIN 2

static uint32_t milliseconds(int64_t us)
{
	return (uint32_t)tl_min(tl_max(us, 0) / 1000, UINT32_MAX);
}

static const struct tl_flow *main_flow(const struct view *v)
{
	return &v->s->flows[tl_source_main_kind(v->s)];
}

static bool main_is_silent(const struct view *v)
{
	return tl_flow_is_silent(main_flow(v), v->tl->config.stall_us, v->now_us);
}

/* Media has come without a silence for long enough to say how fast. */
static bool flows_for_long(const struct view *v)
{
	return !main_is_silent(v) && v->now_us - v->s->gauge.resumed_us >= MEASURED_US;
}

/* ---- what is measured: false if it cannot be said now ---- */

static bool measure_silence(const struct view *v, enum packet_kind kind, struct reading *ret)
{
	const struct tl_flow *flow = &v->s->flows[kind];

	ret->value = milliseconds(v->now_us - flow->last_us);
	ret->least = milliseconds(tl_flow_patience_us(flow, 0));
	return tl_source_has(v->s, kind);
}

static bool measure_no_video(const struct view *v, struct reading *ret)
{
	return measure_silence(v, PACKET_VIDEO, ret);
}

static bool measure_no_audio(const struct view *v, struct reading *ret)
{
	return measure_silence(v, PACKET_AUDIO, ret);
}

static bool measure_bitrate(const struct view *v, struct reading *ret)
{
	uint64_t bytes = v->brief.bytes[PACKET_VIDEO] + v->brief.bytes[PACKET_AUDIO];

	ret->value = (uint32_t)(bytes * 8000 / (uint64_t)v->brief_us);
	return flows_for_long(v);
}

static bool measure_holes(const struct view *v, struct reading *ret)
{
	for (unsigned kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		uint32_t percent = (uint32_t)(tl_min(v->all.missing_us[kind],
						     TL_SECONDS * INT64_C(1000000)) /
					      (TL_SECONDS * 10000));

		if (v->all.holes[kind] >= HOLES_MIN && percent > ret->value) {
			ret->value = percent;
			ret->detail = kind;
		}
	}
	return true;
}

/* Up to the last packet: how long there may be none is for stall_ms to say. */
static bool measure_starvation(const struct view *v, struct reading *ret)
{
	int64_t media_us = tl_us(tl_max(v->brief.media_90k, 0));
	int64_t fed_us = v->brief_us - (v->now_us - main_flow(v)->last_us);

	if (fed_us <= 0 || !flows_for_long(v)) {
		return false;
	}
	ret->value = (uint32_t)tl_min(media_us * 100 / fed_us, 1000);
	return true;
}

static bool measure_key_frame(const struct view *v, struct reading *ret)
{
	ret->value = milliseconds(v->now_us - tl_max(v->s->key_us, v->s->gauge.resumed_us));
	ret->least = milliseconds(2 * tl_us(v->s->gop_90k));
	return !main_is_silent(v);
}

static bool measure_stuck(const struct view *v, struct reading *ret)
{
	ret->value = v->middle.stuck;
	return true;
}

static bool measure_jumps(const struct view *v, struct reading *ret)
{
	ret->value = v->all.jumps;
	ret->detail = v->s->jump_ms;
	return true;
}

static bool measure_unusable(const struct view *v, struct reading *ret)
{
	ret->value = v->middle.unusable;
	return true;
}

/* Both flows' paths are the same: what lies between their lags is for the encoder to explain. */
static bool measure_drift(const struct view *v, struct reading *ret)
{
	int64_t video_us = v->brief.least_lag_us[PACKET_VIDEO],
		audio_us = v->brief.least_lag_us[PACKET_AUDIO];

	if (video_us == INT64_MAX || audio_us == INT64_MAX ||
	    v->now_us - v->s->first_us < SKEW_AFTER_US) {
		return false;
	}
	if (v->s->skew_us == TL_UNKNOWN) {
		v->s->skew_us = audio_us - video_us;
	}
	ret->value = milliseconds(tl_abs(audio_us - video_us - v->s->skew_us));
	return true;
}

/* As much sound came as there is time in it; how long it lasts is said by its header. */
static bool sound_is_whole(const struct view *v)
{
	const struct codec_params *params = &v->s->params[PACKET_AUDIO];
	struct tl_second sum = tl_gauge_sum(&v->s->gauge, PACE_S, v->now_us, NULL);
	int64_t came_90k = 0;

	if (params->sample_rate > 0) {
		came_90k = (int64_t)sum.frames[PACKET_AUDIO] * params->frame_samples * MEDIA_HZ /
			   params->sample_rate;
	}
	return sum.holes[PACKET_AUDIO] == 0 &&
	       (params->sample_rate == 0 || params->frame_samples == 0 ||
		came_90k * 10 >= sum.frames_90k[PACKET_AUDIO] * 9);
}

static uint32_t mean_fps_milli(const struct view *v, int64_t seconds)
{
	struct tl_second sum = tl_gauge_sum(&v->s->gauge, (unsigned)seconds, v->now_us, NULL);

	return tl_fps_milli(&sum);
}

/* The encoder keeps to another frame rate than before, be it a lower one: as if by a header. */
static void learn_other_rate(const struct view *v, struct tl_pace *pace)
{
	if (tl_pace_differs(v->s->best_fps_milli, pace->fps_milli)) {
		v->s->best_fps_milli = mean_fps_milli(v, PACE_S);
		v->s->format_us = pace->since_us;
	}
	pace->kept_milli = v->s->best_fps_milli;
}

/* Of how many pictures those are that came. */
static void learn_whole_rate(const struct view *v, const struct tl_pace *pace)
{
	uint32_t whole_milli = tl_pace_whole_milli(pace);

	if (whole_milli > v->s->best_fps_milli &&
	    tl_pace_differs(v->s->best_fps_milli, whole_milli)) {
		v->s->best_fps_milli = whole_milli;
	}
}

/* The best it had, for what the header says is often untrue. It is learned before anything can be
 * held against it, but not from the first second, which may be a burst. Even pictures beside sound
 * that is whole are all that the encoder makes; where some are missing here and there from the
 * first one on, the others tell. False: it may just have gone over to fewer. */
static bool learn_usual_fps(const struct view *v, int64_t flows_us)
{
	struct tl_pace *pace = &v->s->gauge.pace;
	int64_t seconds = tl_min(flows_us / 1000000 - 2, SHORT_S);
	bool is_even, is_kept;

	tl_pace_look(pace, v->now_us);
	is_even = pace->fps_milli != 0 && sound_is_whole(v);
	is_kept = tl_pace_is_kept(pace, v->now_us);
	if (seconds > 0) {
		v->s->best_fps_milli = (uint32_t)tl_max(v->s->best_fps_milli,
							mean_fps_milli(v, seconds));
	}
	if (is_even && is_kept) {
		learn_other_rate(v, pace);
	} else if (pace->fps_milli == 0 && is_kept) {
		learn_whole_rate(v, pace);
	}
	return !is_even || pace->fps_milli >= v->s->best_fps_milli ||
	       !tl_pace_differs(v->s->best_fps_milli, pace->fps_milli);
}

/* What came before a silence, or in another format, tells nothing of what comes now. */
static bool measure_frame_rate(const struct view *v, struct reading *ret)
{
	int64_t since_us = tl_max(v->s->gauge.resumed_us, v->s->format_us);
	int64_t flows_us = main_is_silent(v) ? 0 : v->now_us - since_us;
	uint32_t fps_milli = tl_fps_milli(&v->brief);

	if (!learn_usual_fps(v, flows_us) || flows_us < MEASURED_US || fps_milli == 0 ||
	    v->s->best_fps_milli == 0) {
		return false;
	}
	ret->value = (uint32_t)((uint64_t)fps_milli * 100 / v->s->best_fps_milli);
	ret->detail = v->s->best_fps_milli;
	return true;
}

static bool measure_loss(const struct view *v, struct reading *ret)
{
	uint64_t packets = v->middle.carried + v->middle.lost;

	if (packets < SRT_PACKETS_MIN) {
		return false;
	}
	ret->value = (uint32_t)(v->middle.lost * 1000 / packets);
	return true;
}

/* ---- the table ---- */

static const struct {
	const char *name, *unit;
	bool is_floor;
	bool (*measure)(const struct view *v, struct reading *ret);
} signals[TIMELINE_SIGNALS] = {
	[SIGNAL_NO_VIDEO] = { "no_video", "ms", false, measure_no_video },
	[SIGNAL_NO_AUDIO] = { "no_audio", "ms", false, measure_no_audio },
	[SIGNAL_LOW_BITRATE] = { "low_bitrate", "kbps", true, measure_bitrate },
	[SIGNAL_HOLES] = { "holes", "percent", false, measure_holes },
	[SIGNAL_STARVED] = { "starved", "percent", true, measure_starvation },
	[SIGNAL_NO_KEY_FRAME] = { "no_key_frame", "ms", false, measure_key_frame },
	[SIGNAL_STUCK] = { "stuck", "packets", false, measure_stuck },
	[SIGNAL_JUMPS] = { "jumps", "times", false, measure_jumps },
	[SIGNAL_UNUSABLE] = { "unusable", "packets", false, measure_unusable },
	[SIGNAL_AV_DRIFT] = { "av_drift", "ms", false, measure_drift },
	[SIGNAL_FRAME_RATE] = { "frame_rate", "percent", true, measure_frame_rate },
	[SIGNAL_SRT_LOSS] = { "srt_loss", "permille", false, measure_loss },
};

const struct timeline_thresholds timeline_thresholds_usual = { {
	[SIGNAL_NO_VIDEO] = { .enter = 0, .hold_ms = 2000 },
	[SIGNAL_NO_AUDIO] = { .enter = 0, .hold_ms = 2000 },
	[SIGNAL_LOW_BITRATE] = { .enter = 0, .hold_ms = 5000 },
	[SIGNAL_HOLES] = { .enter = 10, .hold_ms = 10000 },
	[SIGNAL_STARVED] = { .enter = 80, .hold_ms = 5000 },
	[SIGNAL_NO_KEY_FRAME] = { .enter = 15000, .hold_ms = 1000 },
	[SIGNAL_STUCK] = { .enter = 10, .hold_ms = 5000 },
	[SIGNAL_JUMPS] = { .enter = 3, .hold_ms = 5000 },
	[SIGNAL_UNUSABLE] = { .enter = 10, .hold_ms = 5000 },
	[SIGNAL_AV_DRIFT] = { .enter = 500, .hold_ms = 5000 },
	[SIGNAL_FRAME_RATE] = { .enter = 65, .hold_ms = 5000 },
	[SIGNAL_SRT_LOSS] = { .enter = 5, .hold_ms = 5000 },
} };

const char *timeline_signal_str(enum timeline_signal signal)
{
	return signals[signal].name;
}

const char *timeline_signal_unit(enum timeline_signal signal)
{
	return signals[signal].unit;
}

bool timeline_signal_is_floor(enum timeline_signal signal)
{
	return signals[signal].is_floor;
}

uint32_t timeline_leave_of(const struct timeline_thresholds *t, enum timeline_signal signal)
{
	const struct timeline_threshold *threshold = &t->of[signal];

	if (threshold->leave != 0) {
		return threshold->leave;
	}
	switch (signal) {
	case SIGNAL_NO_VIDEO:
	case SIGNAL_NO_AUDIO: /* MPEG-TS gathers sound: gaps just below are usual */
		return threshold->enter > 0 ? threshold->enter - 1 : 0;
	case SIGNAL_LOW_BITRATE:
		return threshold->enter + threshold->enter / 4;
	case SIGNAL_STARVED:
	case SIGNAL_FRAME_RATE:
		return (threshold->enter + 100) / 2;
	default:
		return threshold->enter / 2;
	}
}

bool tl_signal_measure(const struct view *v, enum timeline_signal signal, struct reading *ret)
{
	*ret = (struct reading){ 0 };
	return signals[signal].measure(v, ret);
}

/* ---- words ---- */

static void say_duration(const char *what, uint32_t ms, char *to, size_t size)
{
	if (ms < 10000) {
		text_format(to, size, "%s for %" PRIu32 " ms", what, ms);
	} else {
		text_format(to, size, "%s for %" PRIu32 " s", what, ms / 1000);
	}
}

static void say_symptom(const struct timeline_symptom *symptom, char *to, size_t size)
{
	uint32_t value = symptom->value, detail = symptom->detail;

	switch (symptom->signal) {
	case SIGNAL_NO_VIDEO:
		say_duration("no video", value, to, size);
		break;
	case SIGNAL_NO_AUDIO:
		say_duration("no audio", value, to, size);
		break;
	case SIGNAL_LOW_BITRATE:
		text_format(to, size, "only %" PRIu32 " kb/s", value);
		break;
	case SIGNAL_HOLES:
		text_format(to, size, "holes in the %s: %" PRIu32 " %% of the last %d s missing",
			    detail == PACKET_AUDIO ? "audio" : "video", value, TL_SECONDS);
		break;
	case SIGNAL_STARVED:
		text_format(to, size, "starved: media comes at %" PRIu32 " %% of real time", value);
		break;
	case SIGNAL_NO_KEY_FRAME:
		say_duration("unspliceable: no key frame", value, to, size);
		break;
	case SIGNAL_STUCK:
		text_format(to, size,
			    "timestamps stuck: %" PRIu32 " packets in %d s did not move on", value,
			    MIDDLE_S);
		break;
	case SIGNAL_JUMPS:
		text_format(to, size,
			    "timestamps jump: %" PRIu32 " times in %d s, last by %" PRIu32 " ms",
			    value, TL_SECONDS, detail);
		break;
	case SIGNAL_UNUSABLE:
		text_format(to, size, "unusable packets: %" PRIu32 " in %d s", value, MIDDLE_S);
		break;
	case SIGNAL_AV_DRIFT:
		text_format(to, size, "audio and video drift apart: by %" PRIu32 " ms so far",
			    value);
		break;
	case SIGNAL_FRAME_RATE:
		text_format(to, size,
			    "frame rate at %" PRIu32 " %% of the usual %" PRIu32 ".%02" PRIu32,
			    value, detail / 1000, detail % 1000 / 10);
		break;
	case SIGNAL_SRT_LOSS:
		text_format(to, size, "SRT loses %" PRIu32 " of 1000 packets for good", value);
		break;
	default:
		text_copy(to, size, "");
		break;
	}
}

void timeline_symptom_str(const struct timeline_symptom *symptom, char *to, size_t size)
{
	char text[TIMELINE_TEXT_MAX];

	say_symptom(symptom, text, sizeof(text));
	text_format(to, size, "%s%s", text, symptom->is_calm != 0 ? ", over for now" : "");
}
