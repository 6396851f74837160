/* SPDX-License-Identifier: GPL-3.0-or-later */
/* RTMP message bodies as an encoder sends them (640x360 H.264, 48 kHz stereo AAC), for tests. */
#ifndef TEST_BODIES_H
#define TEST_BODIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <understudy/bytes.h>

#define BODY_MAX 8192

struct body {
	size_t size;
	uint8_t bytes[BODY_MAX];
};

static inline void body_put(struct body *b, const void *bytes, size_t size)
{
	memcpy(b->bytes + b->size, bytes, size);
	b->size += size;
}

/* What goes into a PACKET_CONFIG; `level` makes it another one. */
static inline struct body avc_config(uint8_t level)
{
	static const uint8_t sps[] = {
		0x67, 0x64, 0x00, 0x1e, 0xac, 0xb4, 0x05, 0x01, 0x7f, 0xcb, 0x80, 0x88, 0x00,
		0x00, 0x03, 0x00, 0x08, 0x00, 0x00, 0x03, 0x01, 0xe4, 0x78, 0xb1, 0x75,
	};
	static const uint8_t pps[] = { 0x68, 0xef, 0x3c, 0xb0 };
	const uint8_t head[] = { 1, 0x64, 0, level, 0xff, 0xe1, 0, sizeof(sps) };
	const uint8_t middle[] = { 1, 0, sizeof(pps) };
	struct body b = { 0 };

	body_put(&b, head, sizeof(head));
	body_put(&b, sps, sizeof(sps));
	body_put(&b, middle, sizeof(middle));
	body_put(&b, pps, sizeof(pps));
	return b;
}

static inline struct body aac_config(void)
{
	static const uint8_t config[] = { 0x11, 0x90 };
	struct body b = { 0 };

	body_put(&b, config, sizeof(config));
	return b;
}

/* One slice NAL, IDR or not, that holds `number` and `nal_bytes` in all. */
static inline struct body avc_frame(bool is_idr, uint32_t number, size_t nal_bytes)
{
	struct body b = { .size = 4 + nal_bytes };

	memset(b.bytes, (int)(number & 0x7f) | 0x80, b.size);
	put_be32(b.bytes, (uint32_t)nal_bytes);
	b.bytes[4] = is_idr ? 0x65 : 0x41;
	put_be32(b.bytes + 5, number);
	return b;
}

static inline struct body aac_frame(uint32_t number, size_t bytes)
{
	struct body b = { .size = bytes };

	memset(b.bytes, (int)(number & 0xff), bytes);
	put_be32(b.bytes, number);
	return b;
}

static inline struct body video_message(uint8_t head, uint8_t type, int32_t cts_ms,
					struct body payload)
{
	struct body b = { .bytes = { head, type }, .size = 5 };

	put_be24(b.bytes + 2, (uint32_t)cts_ms);
	body_put(&b, payload.bytes, payload.size);
	return b;
}

static inline struct body video_config_message(uint8_t level)
{
	return video_message(0x17, 0, 0, avc_config(level));
}

static inline struct body video_frame_message(bool is_idr, uint32_t number, size_t nal_bytes)
{
	return video_message(is_idr ? 0x17 : 0x27, 1, 0, avc_frame(is_idr, number, nal_bytes));
}

static inline struct body audio_message(uint8_t type, struct body payload)
{
	struct body b = { .bytes = { 0xaf, type }, .size = 2 };

	body_put(&b, payload.bytes, payload.size);
	return b;
}

/* onMetaData with one number and the encoder's name. */
static inline struct body metadata_message(double rate)
{
	static const uint8_t before[] = "\x02\x00\x0aonMetaData\x08\x00\x00\x00\x02\x00\x09"
					"framerate\x00";
	static const uint8_t after[] = "\x00\x07"
				       "encoder\x02\x00\x07"
				       "Test\x01v1\x00\x00\x09";
	struct body b = { 0 };
	uint64_t bits;

	memcpy(&bits, &rate, sizeof(bits));
	body_put(&b, before, sizeof(before) - 1);
	put_be64(b.bytes + b.size, bits);
	b.size += 8;
	body_put(&b, after, sizeof(after) - 1);
	return b;
}

#endif
