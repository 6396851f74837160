/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What each container can carry (mux.h): our own table, since libavformat takes some codecs into
 * some containers in a way that no player reads. Pure. */
#include <string.h>

#include "formats.h"

static const uint32_t matroska[] = { CODEC_AVC,  CODEC_HEVC, CODEC_AV1,  CODEC_VP8,
				     CODEC_VP9,  CODEC_AAC,  CODEC_MP3,  CODEC_OPUS,
				     CODEC_FLAC, CODEC_AC3,  CODEC_EAC3, 0 };
static const uint32_t mp4[] = { CODEC_AVC,  CODEC_HEVC, CODEC_AV1, CODEC_VP9,  CODEC_AAC, CODEC_MP3,
				CODEC_OPUS, CODEC_FLAC, CODEC_AC3, CODEC_EAC3, 0 };
static const uint32_t ts[] = { CODEC_AVC,  CODEC_HEVC, CODEC_AAC,  CODEC_MP3,
			       CODEC_OPUS, CODEC_AC3,  CODEC_EAC3, 0 };
static const uint32_t adts[] = { CODEC_AAC, 0 };
static const uint32_t mp3[] = { CODEC_MP3, 0 };
static const uint32_t ogg[] = { CODEC_OPUS, CODEC_FLAC, 0 };
static const uint32_t rtsp[] = { CODEC_AVC, CODEC_HEVC, CODEC_VP8, CODEC_VP9, CODEC_AAC,
				 CODEC_MP3, CODEC_OPUS, CODEC_AC3, 0 };

static const struct format formats[MUX_FORMATS] = {
	[MUX_MATROSKA] = { "matroska", "Matroska", ".mkv", matroska, TRACKS_MAX },
	[MUX_MP4] = { "mp4", "MP4", ".mp4", mp4, TRACKS_MAX },
	[MUX_TS] = { "mpegts", "MPEG-TS", ".ts", ts, TRACKS_MAX },
	[MUX_ADTS] = { "adts", "an AAC stream", NULL, adts, 1 },
	[MUX_MP3] = { "mp3", "an MP3 stream", NULL, mp3, 1 },
	[MUX_OGG] = { "ogg", "Ogg", NULL, ogg, 1 },
	[MUX_RTSP] = { "rtsp", "RTSP", NULL, rtsp, TRACKS_MAX },
	[MUX_RTP_TS] = { "rtp_mpegts", "MPEG-TS", NULL, ts, TRACKS_MAX },
};

const struct format *format_of(enum mux_format format)
{
	return (unsigned)format < MUX_FORMATS ? &formats[format] : &formats[MUX_NONE];
}

const char *mux_format_str(enum mux_format format)
{
	const char *name = format_of(format)->name;

	return name != NULL ? name : "nothing";
}

bool mux_can_carry(enum mux_format format, uint32_t codec)
{
	const uint32_t *codecs = format_of(format)->codecs;

	for (; codecs != NULL && *codecs != 0; codecs++) {
		if (*codecs == codec) {
			return true;
		}
	}
	return false;
}

enum mux_format mux_format_of(const char *path)
{
	size_t size = strlen(path);

	for (int i = MUX_NONE + 1; i < MUX_FORMATS; i++) {
		size_t tail = formats[i].ending != NULL ? strlen(formats[i].ending) : 0;

		if (tail > 0 && size > tail &&
		    strcasecmp(path + size - tail, formats[i].ending) == 0) {
			return (enum mux_format)i;
		}
	}
	return MUX_NONE;
}

enum mux_format mux_format_for_radio(uint32_t codec)
{
	static const enum mux_format radio[] = { MUX_ADTS, MUX_MP3, MUX_OGG };

	for (size_t i = 0; i < sizeof(radio) / sizeof(radio[0]); i++) {
		if (mux_can_carry(radio[i], codec)) {
			return radio[i];
		}
	}
	return MUX_NONE;
}
