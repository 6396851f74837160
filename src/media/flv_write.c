/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packets back into FLV and (Enhanced) RTMP message bodies, and the framing of FLV files.
 * Pure; runs in relays; owns nothing.
 */
#include <string.h>

#include <understudy/bytes.h>
#include <understudy/flv.h>

#include "flv_wire.h"

static size_t put_amf_string(uint8_t *to, const char *text)
{
	size_t size = strlen(text);

	to[0] = 2;
	put_be16(to + 1, (uint32_t)size);
	memcpy(to + 3, text, size);
	return 3 + size;
}

static size_t write_data_head(const struct packet *p, uint8_t *head)
{
	size_t size = 0;

	if (p->type == PACKET_META) {
		size = put_amf_string(head, FLV_SET_DATA_FRAME);
		size += put_amf_string(head + size, FLV_ON_META_DATA);
	}
	return size;
}

/* The frame type as the encoder sent it, or from the flags where there was none. A command
 * frame has no codec and no payload: it never leaves from here. */
static unsigned frame_type_of(const struct packet *p)
{
	unsigned frame_type = p->head >> 4 & 7;

	if (p->head == 0 || frame_type == FLV_FRAME_COMMAND) {
		bool is_key = p->type == PACKET_CONFIG || (p->flags & PACKET_KEY);

		frame_type = is_key ? FLV_FRAME_KEY : FLV_FRAME_INTER;
	}
	return frame_type;
}

static bool is_legacy_video(const struct packet *p)
{
	bool is_stream = p->type == PACKET_CONFIG || p->type == PACKET_FRAME ||
			 p->type == PACKET_END;

	if ((p->flags & PACKET_EX) || p->track > 0) {
		return false;
	}
	if (p->codec == CODEC_HEVC) {
		return is_stream && (p->head & 0x8f) == FLV_VIDEO_HEVC;
	}
	return (p->codec == CODEC_AVC && is_stream) ||
	       (p->codec == CODEC_NONE && p->type == PACKET_FRAME);
}

static size_t write_legacy_video_head(const struct packet *p, int32_t cts_ms, uint8_t *head)
{
	if (p->codec == CODEC_NONE) {
		head[0] = p->head;
		return 1;
	}
	head[0] = (uint8_t)(frame_type_of(p) << 4 |
			    (p->codec == CODEC_HEVC ? FLV_VIDEO_HEVC : FLV_VIDEO_AVC));
	head[1] = p->type == PACKET_CONFIG ? 0 : p->type == PACKET_FRAME ? 1 : 2;
	put_be24(head + 2, (uint32_t)cts_ms);
	return 5;
}

static bool is_legacy_audio(const struct packet *p)
{
	if ((p->flags & PACKET_EX) || p->track > 0) {
		return false;
	}
	if (p->codec == CODEC_AAC) {
		return p->type == PACKET_CONFIG || p->type == PACKET_FRAME;
	}
	return (p->codec == CODEC_MP3 || p->codec == CODEC_NONE) && p->type == PACKET_FRAME;
}

static size_t write_legacy_audio_head(const struct packet *p, uint8_t *head)
{
	unsigned format = p->head >> 4;

	if (p->flags & PACKET_SILENCE) {
		return 0;
	}
	head[0] = p->head;
	if (p->codec == CODEC_AAC) {
		if (format != FLV_AUDIO_AAC) {
			head[0] = FLV_AUDIO_AAC << 4 | 0x0f; /* the values fixed for AAC */
		}
		head[1] = p->type == PACKET_FRAME;
		return 2;
	}
	if (p->codec == CODEC_MP3 && format != FLV_AUDIO_MP3 && format != FLV_AUDIO_MP3_8K) {
		head[0] = FLV_AUDIO_MP3 << 4 | 0x0f;
	}
	return 1;
}

static unsigned ex_video_type(const struct packet *p, int32_t cts_ms)
{
	unsigned sent = p->head & 0x80 ? p->head & 0x0f : FLV_EX_FRAMES;

	switch (p->type) {
	case PACKET_CONFIG:
		return sent == FLV_EX_TS_START ? FLV_EX_TS_START : FLV_EX_START;
	case PACKET_END:
		return FLV_EX_END;
	case PACKET_COLOR:
		return FLV_EX_META;
	default:
		return sent == FLV_EX_FRAMES_X && (cts_ms == 0 || !flv_has_cts(p->codec))
			       ? FLV_EX_FRAMES_X
			       : FLV_EX_FRAMES;
	}
}

static unsigned ex_audio_type(const struct packet *p)
{
	switch (p->type) {
	case PACKET_CONFIG:
		return FLV_EX_START;
	case PACKET_END:
		return FLV_EX_END;
	case PACKET_CHANNELS:
		return FLV_EX_CHANNELS;
	default:
		return FLV_EX_FRAMES;
	}
}

static size_t write_ex_head(const struct packet *p, int32_t cts_ms, uint8_t *head)
{
	bool is_video = p->kind == PACKET_VIDEO;
	unsigned real = is_video ? ex_video_type(p, cts_ms) : ex_audio_type(p);
	unsigned multitrack = is_video ? FLV_EX_VIDEO_MULTITRACK : FLV_EX_AUDIO_MULTITRACK;
	unsigned type = p->track > 0 ? multitrack : real;
	unsigned first = FLV_AUDIO_EX << 4;
	size_t n = 1;

	if (is_video) {
		bool keeps = p->type == PACKET_COLOR && p->head != 0 && p->track == 0;

		first = 0x80 | (keeps ? p->head & 0x70u : frame_type_of(p) << 4);
	}
	head[0] = (uint8_t)(first | type);
	if (p->nano > 0) {
		head[0] = (uint8_t)(first | FLV_EX_MODEX);
		head[n++] = 2; /* three bytes */
		put_be24(head + n, p->nano);
		n += 3;
		head[n++] = (uint8_t)(FLV_MODEX_NANO << 4 | type);
	}
	if (p->track > 0) {
		head[n++] = (uint8_t)(FLV_ONE_TRACK << 4 | real);
	}
	put_be32(head + n, p->codec);
	n += 4;
	if (p->track > 0) {
		head[n++] = p->track;
	}
	if (real == FLV_EX_FRAMES && flv_has_cts(p->codec)) {
		put_be24(head + n, (uint32_t)cts_ms);
		n += 3;
	}
	return n;
}

size_t flv_write_head(const struct packet *p, int32_t cts_ms, uint8_t ret_head[FLV_HEAD_MAX],
		      enum flv_message *ret_message)
{
	*ret_message = p->kind == PACKET_VIDEO   ? FLV_VIDEO
		       : p->kind == PACKET_AUDIO ? FLV_AUDIO
						 : FLV_DATA;
	if (p->kind == PACKET_DATA) {
		return write_data_head(p, ret_head);
	}
	if (p->type == PACKET_OPAQUE) {
		return 0;
	}
	if (p->kind == PACKET_VIDEO) {
		return is_legacy_video(p) ? write_legacy_video_head(p, cts_ms, ret_head)
					  : write_ex_head(p, cts_ms, ret_head);
	}
	return is_legacy_audio(p) ? write_legacy_audio_head(p, ret_head)
				  : write_ex_head(p, cts_ms, ret_head);
}

void flv_write_file_header(uint8_t ret[FLV_FILE_HEADER_BYTES], bool has_audio, bool has_video)
{
	memcpy(ret, "FLV\x01", 4);
	ret[4] = (uint8_t)((has_audio ? 4 : 0) | (has_video ? 1 : 0));
	put_be32(ret + 5, 9); /* size of this header */
	put_be32(ret + 9, 0); /* there is no tag before the first */
}

void flv_write_tag_header(uint8_t ret[FLV_TAG_HEADER_BYTES], enum flv_message message,
			  uint32_t timestamp_ms, uint32_t body_bytes)
{
	ret[0] = (uint8_t)message;
	put_be24(ret + 1, body_bytes);
	put_be24(ret + 4, timestamp_ms);
	ret[7] = (uint8_t)(timestamp_ms >> 24);
	put_be24(ret + 8, 0); /* stream id */
}

void flv_write_tag_trailer(uint8_t ret[FLV_TAG_TRAILER_BYTES], uint32_t body_bytes)
{
	put_be32(ret, body_bytes + FLV_TAG_HEADER_BYTES);
}
