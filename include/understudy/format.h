/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a feed is made of, and how two feeds differ: field by field, in the words of YouTube's
 * health messages, which streamers know. Pure; used by the timeline, which decides by it, and by
 * the supervisor, which tells people.
 */
#ifndef UNDERSTUDY_FORMAT_H
#define UNDERSTUDY_FORMAT_H

#include <stdbool.h>

#include <understudy/codec.h>

/* Zero means unknown. */
struct format {
	struct codec_params video, audio; /* codec 0: not there, or not known */
	uint32_t fps_milli;               /* measured */
	uint32_t video_kbps, audio_kbps;  /* measured over 20 s */
	uint32_t gop_ms;                  /* last distance of random-access points */
	uint32_t has_b_frames;            /* pictures were sent out of their order */
	uint32_t has_open_gops;           /* random-access points that are no IDR */
	uint32_t is_measured;             /* long enough: what is not there is missing */
	uint32_t reserved;
};

/* What two feeds can differ in. */
enum format_field {
	FORMAT_VIDEO,    /* there is none */
	FORMAT_AUDIO,    /* likewise */
	FORMAT_VIDEO_CODEC, FORMAT_PROFILE, FORMAT_LEVEL, FORMAT_RESOLUTION, FORMAT_CHROMA,
	FORMAT_BIT_DEPTH, FORMAT_SCAN, FORMAT_FRAME_RATE, FORMAT_GOP, FORMAT_OPEN_GOPS,
	FORMAT_B_FRAMES, FORMAT_VIDEO_BITRATE,
	FORMAT_AUDIO_CODEC, FORMAT_SAMPLE_RATE, FORMAT_CHANNELS, FORMAT_AUDIO_BITRATE,
	FORMAT_FIELDS
};

#define FORMAT_BIT(field) (UINT32_C(1) << (field))
/* A decoder, or a platform, that was shown the one may fail at the other. Anything else is a
 * warning. */
#define FORMAT_AUDIO_INCOMPATIBLE                                           \
	(FORMAT_BIT(FORMAT_AUDIO) | FORMAT_BIT(FORMAT_AUDIO_CODEC) |        \
	 FORMAT_BIT(FORMAT_SAMPLE_RATE) | FORMAT_BIT(FORMAT_CHANNELS))
#define FORMAT_INCOMPATIBLE                                                 \
	(FORMAT_AUDIO_INCOMPATIBLE | FORMAT_BIT(FORMAT_VIDEO) |             \
	 FORMAT_BIT(FORMAT_VIDEO_CODEC) | FORMAT_BIT(FORMAT_RESOLUTION) |   \
	 FORMAT_BIT(FORMAT_CHROMA) | FORMAT_BIT(FORMAT_BIT_DEPTH))
/* Without a picture, or without sound. */
#define FORMAT_INCOMPLETE (FORMAT_BIT(FORMAT_VIDEO) | FORMAT_BIT(FORMAT_AUDIO))
/* They come and go with the picture. */
#define FORMAT_BITRATES                                                     \
	(FORMAT_BIT(FORMAT_VIDEO_BITRATE) | FORMAT_BIT(FORMAT_AUDIO_BITRATE))

/* The fields in which the two differ, as FORMAT_BITs. What is not known of either is not held
 * against anybody. Where the codecs differ their details are not compared. */
uint32_t format_compare(const struct format *is, const struct format *reference);

/* For people: "resolution". */
const char *format_field_str(enum format_field field);
/* In YouTube's words: "resolutionMismatch". Where it has none for it, that of what is nearest. */
const char *format_field_name(enum format_field field);
/* The field's value: "1280x720". */
void format_field_value(const struct format *f, enum format_field field, char *to, size_t size);
/* "H.264 High 3.1, 1280x720, 30 frames/s, key frames every 2.0 s; AAC 48000 Hz, 2 channels" */
void format_describe(const struct format *f, char *to, size_t size);

#endif
