/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What feeds are made of and how they differ (format.h). Pure. */
#include <understudy/format.h>
#include <understudy/text.h>

#include <string.h>

#define FRAME_RATE_PERCENT 2 /* 59.94 and 60 are told apart by nobody who measures */
#define GOP_PERCENT 10
#define VIDEO_BITRATE_PERCENT 50
#define AUDIO_BITRATE_PERCENT 30
#define TEXT_MAX 48

static const struct {
	const char *text, *name;
} fields[FORMAT_FIELDS] = {
	[FORMAT_VIDEO] = { "video", "noVideoStream" },
	[FORMAT_AUDIO] = { "audio", "noAudioStream" },
	[FORMAT_VIDEO_CODEC] = { "video codec", "videoCodecMismatch" },
	[FORMAT_PROFILE] = { "video profile", "videoProfileMismatch" },
	[FORMAT_LEVEL] = { "video level", "videoProfileMismatch" },
	[FORMAT_RESOLUTION] = { "resolution", "resolutionMismatch" },
	[FORMAT_CHROMA] = { "chroma format", "videoProfileMismatch" },
	[FORMAT_BIT_DEPTH] = { "bit depth", "videoProfileMismatch" },
	[FORMAT_SCAN] = { "scan", "videoInterlaceMismatch" },
	[FORMAT_FRAME_RATE] = { "frame rate", "framerateMismatch" },
	[FORMAT_GOP] = { "key frame interval", "gopMismatch" },
	[FORMAT_OPEN_GOPS] = { "GOPs", "gopMismatch" },
	[FORMAT_B_FRAMES] = { "B-frames", "gopMismatch" },
	[FORMAT_VIDEO_BITRATE] = { "video bit rate", "videoBitrateMismatch" },
	[FORMAT_AUDIO_CODEC] = { "audio codec", "audioCodecMismatch" },
	[FORMAT_SAMPLE_RATE] = { "audio sample rate", "audioSampleRateMismatch" },
	[FORMAT_CHANNELS] = { "audio channels", "audioStereoMismatch" },
	[FORMAT_AUDIO_BITRATE] = { "audio bit rate", "audioBitrateMismatch" },
};

const char *format_field_str(enum format_field field)
{
	return fields[field].text;
}

const char *format_field_name(enum format_field field)
{
	return fields[field].name;
}

/* ---- comparing ---- */

static uint32_t bit_if(bool differs, enum format_field field)
{
	return differs ? FORMAT_BIT(field) : 0;
}

/* Both known, and not the same. */
static bool is_other(uint64_t a, uint64_t b)
{
	return a != 0 && b != 0 && a != b;
}

/* Both known, and the larger more than `percent` above the smaller. */
static bool is_far(uint64_t a, uint64_t b, uint64_t percent)
{
	uint64_t smaller = a < b ? a : b, larger = a < b ? b : a;

	return smaller != 0 && larger * 100 > smaller * (100 + percent);
}

/* Frames a second: as measured, else as the header says. */
static uint32_t fps_of(const struct format *f)
{
	return f->fps_milli != 0 ? f->fps_milli : f->video.fps_milli;
}

static uint32_t compare_video(const struct format *a, const struct format *b)
{
	const struct codec_params *is = &a->video, *want = &b->video;
	bool is_timed = a->gop_ms != 0 && b->gop_ms != 0;

	if (is->codec != want->codec) {
		return FORMAT_BIT(FORMAT_VIDEO_CODEC);
	}
	return bit_if(is_other(is->profile, want->profile), FORMAT_PROFILE) |
	       bit_if(is_other(is->level, want->level), FORMAT_LEVEL) |
	       bit_if(is_other(is->width, want->width) || is_other(is->height, want->height),
		      FORMAT_RESOLUTION) |
	       bit_if(is_other(is->chroma, want->chroma), FORMAT_CHROMA) |
	       bit_if(is_other(is->bit_depth, want->bit_depth), FORMAT_BIT_DEPTH) |
	       bit_if(is_other(is->scan, want->scan), FORMAT_SCAN) |
	       bit_if(is_far(fps_of(a), fps_of(b), FRAME_RATE_PERCENT), FORMAT_FRAME_RATE) |
	       bit_if(is_far(a->gop_ms, b->gop_ms, GOP_PERCENT), FORMAT_GOP) |
	       bit_if(is_timed && a->has_open_gops != b->has_open_gops, FORMAT_OPEN_GOPS) |
	       bit_if(is_timed && a->has_b_frames != b->has_b_frames, FORMAT_B_FRAMES) |
	       bit_if(is_far(a->video_kbps, b->video_kbps, VIDEO_BITRATE_PERCENT),
		      FORMAT_VIDEO_BITRATE);
}

static uint32_t compare_audio(const struct format *a, const struct format *b)
{
	const struct codec_params *is = &a->audio, *want = &b->audio;

	if (is->codec != want->codec) {
		return FORMAT_BIT(FORMAT_AUDIO_CODEC);
	}
	return bit_if(is_other(is->sample_rate, want->sample_rate), FORMAT_SAMPLE_RATE) |
	       bit_if(is_other(is->channels, want->channels), FORMAT_CHANNELS) |
	       bit_if(is_far(a->audio_kbps, b->audio_kbps, AUDIO_BITRATE_PERCENT),
		      FORMAT_AUDIO_BITRATE);
}

uint32_t format_compare(const struct format *is, const struct format *reference)
{
	bool has_video = is->video.codec != CODEC_NONE, has_audio = is->audio.codec != CODEC_NONE;
	bool wants_video = reference->video.codec != CODEC_NONE,
	     wants_audio = reference->audio.codec != CODEC_NONE;

	return (has_video && wants_video ? compare_video(is, reference) : 0) |
	       (has_audio && wants_audio ? compare_audio(is, reference) : 0) |
	       bit_if(wants_video && !has_video && (has_audio || is->is_measured != 0),
		      FORMAT_VIDEO) |
	       bit_if(wants_audio && !has_audio && is->is_measured != 0, FORMAT_AUDIO);
}

/* ---- words ---- */

static const char *chroma_str(uint8_t chroma)
{
	static const char *const names[] = { "unknown", "4:0:0", "4:2:0", "4:2:2", "4:4:4" };

	return names[chroma < sizeof(names) / sizeof(names[0]) ? chroma : 0];
}

static void say_fps(uint32_t fps_milli, char *to, size_t size)
{
	unsigned hundredths = (fps_milli + 5) / 10;

	if (hundredths % 100 == 0) {
		text_format(to, size, "%u", hundredths / 100);
	} else {
		text_format(to, size, "%u.%02u", hundredths / 100, hundredths % 100);
	}
}

static void say_video_field(const struct format *f, enum format_field field, char *to, size_t size)
{
	switch (field) {
	case FORMAT_VIDEO:
		text_copy(to, size, f->video.codec != CODEC_NONE ? "present" : "none");
		break;
	case FORMAT_VIDEO_CODEC:
		text_copy(to, size, codec_str(f->video.codec));
		break;
	case FORMAT_PROFILE:
		codec_profile_str(&f->video, to, size);
		break;
	case FORMAT_LEVEL:
		codec_level_str(&f->video, to, size);
		break;
	case FORMAT_RESOLUTION:
		text_format(to, size, "%ux%u", f->video.width, f->video.height);
		break;
	case FORMAT_CHROMA:
		text_copy(to, size, chroma_str(f->video.chroma));
		break;
	case FORMAT_BIT_DEPTH:
		text_format(to, size, "%u bits", f->video.bit_depth);
		break;
	case FORMAT_SCAN:
		text_copy(to, size,
			  f->video.scan == SCAN_INTERLACED ? "interlaced" : "progressive");
		break;
	case FORMAT_FRAME_RATE:
		say_fps(fps_of(f), to, size);
		break;
	case FORMAT_GOP:
		text_format(to, size, "%u ms", f->gop_ms);
		break;
	case FORMAT_OPEN_GOPS:
		text_copy(to, size, f->has_open_gops ? "open" : "closed");
		break;
	case FORMAT_B_FRAMES:
		text_copy(to, size, f->has_b_frames ? "some" : "none");
		break;
	default:
		text_format(to, size, "%u kb/s", f->video_kbps);
		break;
	}
}

void format_field_value(const struct format *f, enum format_field field, char *to, size_t size)
{
	switch (field) {
	case FORMAT_AUDIO:
		text_copy(to, size, f->audio.codec != CODEC_NONE ? "present" : "none");
		break;
	case FORMAT_AUDIO_CODEC:
		text_copy(to, size, codec_str(f->audio.codec));
		break;
	case FORMAT_SAMPLE_RATE:
		text_format(to, size, "%u Hz", f->audio.sample_rate);
		break;
	case FORMAT_CHANNELS:
		text_format(to, size, "%u", f->audio.channels);
		break;
	case FORMAT_AUDIO_BITRATE:
		text_format(to, size, "%u kb/s", f->audio_kbps);
		break;
	default:
		say_video_field(f, field, to, size);
		break;
	}
}

static void add(char *to, size_t size, const char *before, const char *what, const char *behind)
{
	size_t used = strlen(to);

	if (what[0] != '\0') {
		text_format(to + used, size - used, "%s%s%s", before, what, behind);
	}
}

static void describe_video(const struct format *f, char *to, size_t size)
{
	char text[TEXT_MAX];

	add(to, size, "", codec_str(f->video.codec), "");
	codec_profile_str(&f->video, text, sizeof(text));
	add(to, size, " ", text, "");
	codec_level_str(&f->video, text, sizeof(text));
	add(to, size, " ", text, "");
	format_field_value(f, FORMAT_RESOLUTION, text, sizeof(text));
	add(to, size, ", ", text, f->video.scan == SCAN_INTERLACED ? " interlaced" : "");
	if (fps_of(f) != 0) {
		say_fps(fps_of(f), text, sizeof(text));
		add(to, size, ", ", text, " frames/s");
	}
	if (f->gop_ms != 0) {
		format_field_value(f, FORMAT_GOP, text, sizeof(text));
		add(to, size, ", key frames every ", text, f->has_open_gops ? " (open GOPs)" : "");
	}
	if (f->gop_ms != 0) {
		add(to, size, ", ", f->has_b_frames ? "B-frames" : "no B-frames", "");
	}
}

void format_describe(const struct format *f, char *to, size_t size)
{
	char text[TEXT_MAX];

	text_copy(to, size, "");
	if (f->video.codec != CODEC_NONE) {
		describe_video(f, to, size);
	}
	if (f->audio.codec != CODEC_NONE) {
		add(to, size, to[0] != '\0' ? "; " : "", codec_str(f->audio.codec), "");
		format_field_value(f, FORMAT_SAMPLE_RATE, text, sizeof(text));
		add(to, size, " ", f->audio.sample_rate != 0 ? text : "", "");
		format_field_value(f, FORMAT_CHANNELS, text, sizeof(text));
		add(to, size, ", ", f->audio.channels != 0 ? text : "",
		    f->audio.channels == 1 ? " channel" : " channels");
	}
}
