/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Numbers on the wire of FLV and Enhanced RTMP, shared by the reader and the writer. */
#ifndef UNDERSTUDY_MEDIA_FLV_WIRE_H
#define UNDERSTUDY_MEDIA_FLV_WIRE_H

#include <understudy/packet.h>

#define FLV_90K_PER_MS 90
#define FLV_SET_DATA_FRAME "@setDataFrame"
#define FLV_ON_META_DATA "onMetaData"

/* Upper half of a video message's first byte (Enhanced: without its top bit). */
enum flv_frame_type {
	FLV_FRAME_KEY = 1,
	FLV_FRAME_INTER = 2,
	FLV_FRAME_DISPOSABLE = 3,
	FLV_FRAME_GENERATED_KEY = 4,
	FLV_FRAME_COMMAND = 5,
};

/* Lower half of a legacy video message's first byte. 12 was never standardised, but hardware
 * encoders send HEVC with it, shaped like AVC. */
enum flv_video_codec { FLV_VIDEO_AVC = 7, FLV_VIDEO_HEVC = 12 };

/* Upper half of an audio message's first byte. */
enum flv_audio_format {
	FLV_AUDIO_MP3 = 2,
	FLV_AUDIO_EX = 9,
	FLV_AUDIO_AAC = 10,
	FLV_AUDIO_MP3_8K = 14,
};

/* Enhanced packet types; where video and audio differ the name says whose it is. */
enum flv_ex_type {
	FLV_EX_START = 0,
	FLV_EX_FRAMES = 1,
	FLV_EX_END = 2,
	FLV_EX_FRAMES_X = 3,         /* video */
	FLV_EX_META = 4,             /* video */
	FLV_EX_CHANNELS = 4,         /* audio */
	FLV_EX_TS_START = 5,         /* video */
	FLV_EX_AUDIO_MULTITRACK = 5, /* audio */
	FLV_EX_VIDEO_MULTITRACK = 6, /* video */
	FLV_EX_MODEX = 7,
};

enum flv_multitrack { FLV_ONE_TRACK = 0, FLV_MANY_TRACKS = 1, FLV_MANY_CODECS = 2 };
enum flv_modex { FLV_MODEX_NANO = 0 };

/* Whether CodedFrames of this codec begin with a composition time. */
static inline bool flv_has_cts(uint32_t codec)
{
	return codec == CODEC_AVC || codec == CODEC_HEVC || codec == CODEC_VVC;
}

#endif
