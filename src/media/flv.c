/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * FLV and (Enhanced) RTMP message bodies: taking them apart. Pure; runs in ingests on foreign
 * bytes; borrows the body and owns nothing.
 * Sources: Adobe FLV 10.1 annex E; veovera Enhanced RTMP v1 and v2.
 */
#include <string.h>

#include <understudy/bytes.h>
#include <understudy/flv.h>

#include "flv_wire.h"

#define MODEX_MAX 4
#define NANO_MAX 999999

/* One message on its way to items. */
struct body {
	const uint8_t *data;
	size_t size;
	struct reader in;
	enum packet_kind kind;
	uint8_t first;       /* first byte, packet type bits cleared */
	uint8_t packet_type; /* the real one, behind ModEx and Multitrack */
	uint32_t nano;
	int64_t dts_90k;
	struct flv_item *items;
	int count;
};

static const struct {
	enum packet_kind kind;
	uint32_t codec;
} known_codecs[] = {
	{ PACKET_VIDEO, CODEC_AVC },  { PACKET_VIDEO, CODEC_HEVC }, { PACKET_VIDEO, CODEC_VVC },
	{ PACKET_VIDEO, CODEC_AV1 },  { PACKET_VIDEO, CODEC_VP8 },  { PACKET_VIDEO, CODEC_VP9 },
	{ PACKET_AUDIO, CODEC_AAC },  { PACKET_AUDIO, CODEC_MP3 },  { PACKET_AUDIO, CODEC_OPUS },
	{ PACKET_AUDIO, CODEC_FLAC }, { PACKET_AUDIO, CODEC_AC3 },  { PACKET_AUDIO, CODEC_EAC3 },
};

static bool is_known(enum packet_kind kind, uint32_t codec)
{
	for (size_t i = 0; i < sizeof(known_codecs) / sizeof(known_codecs[0]); i++) {
		if (known_codecs[i].kind == kind && known_codecs[i].codec == codec) {
			return true;
		}
	}
	return false;
}

static int32_t signed24(uint32_t v)
{
	return (int32_t)v - ((v & 0x800000) ? 0x1000000 : 0);
}

static unsigned frame_flags(unsigned frame_type)
{
	switch (frame_type) {
	case FLV_FRAME_KEY:
	case FLV_FRAME_GENERATED_KEY:
		return PACKET_KEY;
	case FLV_FRAME_DISPOSABLE:
		return PACKET_DISPOSABLE;
	default:
		return 0;
	}
}

static struct flv_item *add_item(struct body *b, enum packet_type type, uint32_t codec,
				 const uint8_t *payload, size_t size)
{
	struct flv_item *item = &b->items[b->count++];

	*item = (struct flv_item){
		.packet = {
			.dts_90k = b->dts_90k,
			.pts_90k = b->dts_90k,
			.kind = (uint8_t)b->kind,
			.type = (uint8_t)type,
			.codec = codec,
			.nano = b->nano,
			.size = (uint32_t)size,
		},
		.payload = payload,
	};
	return item;
}

/* The whole body, not understood. */
static int opaque(struct body *b)
{
	struct flv_item *item;

	b->count = 0;
	b->nano = 0;
	item = add_item(b, PACKET_OPAQUE, CODEC_NONE, b->data, b->size);
	item->packet.head = b->data[0];
	return 1;
}

/* AVC, and the widespread unofficial HEVC of the same shape. */
static int parse_legacy_nal_video(struct body *b, uint32_t codec)
{
	static const uint8_t types[] = { PACKET_CONFIG, PACKET_FRAME, PACKET_END };
	uint8_t head = b->data[0];
	uint8_t kind = reader_u8(&b->in);
	int32_t cts_ms = signed24(reader_be24(&b->in));
	struct flv_item *item;

	if (b->in.failed) {
		return FLV_TRUNCATED;
	}
	if (kind >= sizeof(types)) {
		return opaque(b);
	}
	item = add_item(b, types[kind], codec, b->in.at, reader_left(&b->in));
	item->packet.head = head;
	item->packet.pts_90k += (int64_t)cts_ms * FLV_90K_PER_MS;
	if (types[kind] == PACKET_FRAME) {
		item->packet.flags = (uint16_t)frame_flags(head >> 4);
	}
	return 1;
}

static int parse_legacy_video(struct body *b)
{
	uint8_t head = reader_u8(&b->in);
	struct flv_item *item;

	if (head >> 4 == FLV_FRAME_COMMAND) {
		return opaque(b);
	}
	switch (head & 0x0f) {
	case FLV_VIDEO_AVC:
		return parse_legacy_nal_video(b, CODEC_AVC);
	case FLV_VIDEO_HEVC:
		return parse_legacy_nal_video(b, CODEC_HEVC);
	default:
		item = add_item(b, PACKET_FRAME, CODEC_NONE, b->in.at, reader_left(&b->in));
		item->packet.head = head;
		item->packet.flags = (uint16_t)frame_flags(head >> 4);
		return 1;
	}
}

static int parse_legacy_audio(struct body *b)
{
	uint8_t head = reader_u8(&b->in);
	unsigned format = head >> 4;
	enum packet_type type = PACKET_FRAME;
	uint32_t codec = CODEC_NONE;

	if (format == FLV_AUDIO_AAC) {
		uint8_t kind = reader_u8(&b->in);

		if (b->in.failed) {
			return FLV_TRUNCATED;
		}
		if (kind > 1) {
			return opaque(b);
		}
		type = kind == 0 ? PACKET_CONFIG : PACKET_FRAME;
		codec = CODEC_AAC;
	} else if (format == FLV_AUDIO_MP3 || format == FLV_AUDIO_MP3_8K) {
		codec = CODEC_MP3;
	}
	add_item(b, type, codec, b->in.at, reader_left(&b->in))->packet.head = head;
	return 1;
}

/* Skips ModEx prefixes; the only type there is gives `nano`. */
static int parse_modex(struct body *b)
{
	for (unsigned i = 0; b->packet_type == FLV_EX_MODEX; i++) {
		size_t size = (size_t)reader_u8(&b->in) + 1;
		const uint8_t *data;
		uint8_t next;

		if (size == 256) {
			size = (size_t)reader_be16(&b->in) + 1;
		}
		data = reader_take(&b->in, size);
		next = reader_u8(&b->in);
		if (b->in.failed) {
			return FLV_TRUNCATED;
		}
		if (i >= MODEX_MAX) {
			return FLV_BAD_MODEX;
		}
		if (next >> 4 == FLV_MODEX_NANO) {
			if (size < 3 || get_be24(data) > NANO_MAX) {
				return FLV_BAD_MODEX;
			}
			b->nano = get_be24(data);
		}
		b->packet_type = next & 0x0f;
	}
	return FLV_OK;
}

static enum packet_type ex_type(enum packet_kind kind, unsigned wire)
{
	static const uint8_t video[16] = {
		[FLV_EX_START] = PACKET_CONFIG, [FLV_EX_FRAMES] = PACKET_FRAME,
		[FLV_EX_END] = PACKET_END,      [FLV_EX_FRAMES_X] = PACKET_FRAME,
		[FLV_EX_META] = PACKET_COLOR,   [FLV_EX_TS_START] = PACKET_CONFIG,
	};
	static const uint8_t audio[16] = {
		[FLV_EX_START] = PACKET_CONFIG,
		[FLV_EX_FRAMES] = PACKET_FRAME,
		[FLV_EX_END] = PACKET_END,
		[FLV_EX_CHANNELS] = PACKET_CHANNELS,
	};

	return kind == PACKET_VIDEO ? video[wire & 15] : audio[wire & 15];
}

/* One track's part of an Enhanced body, its FourCC already read. */
static int parse_ex_track(struct body *b, uint32_t codec, unsigned track, const uint8_t *data,
			  size_t size)
{
	enum packet_type type = ex_type(b->kind, b->packet_type);
	struct reader in = reader_over(data, size);
	int32_t cts_ms = 0;
	struct flv_item *item;

	if (b->packet_type == FLV_EX_FRAMES && flv_has_cts(codec)) {
		cts_ms = signed24(reader_be24(&in));
		if (in.failed) {
			return FLV_TRUNCATED;
		}
	}
	item = add_item(b, type, codec, in.at, reader_left(&in));
	item->packet.head = (uint8_t)(b->first | b->packet_type);
	item->packet.track = (uint8_t)track;
	item->packet.pts_90k += (int64_t)cts_ms * FLV_90K_PER_MS;
	item->packet.flags = PACKET_EX;
	if (b->kind == PACKET_VIDEO && type == PACKET_FRAME) {
		item->packet.flags |= (uint16_t)frame_flags(b->first >> 4 & 7);
	}
	return FLV_OK;
}

/* Reads the next track of a multitrack body. FLV_OK also for a track that is not carried
 * (unknown codec, id beyond PACKET_TRACKS_MAX). */
static int parse_next_track(struct body *b, unsigned shape, uint32_t codec)
{
	const uint8_t *data;
	unsigned track;
	size_t size;

	if (shape == FLV_MANY_CODECS) {
		codec = reader_be32(&b->in);
	}
	track = reader_u8(&b->in);
	size = shape == FLV_ONE_TRACK ? reader_left(&b->in) : reader_be24(&b->in);
	data = reader_take(&b->in, size);
	if (b->in.failed) {
		return FLV_TRUNCATED;
	}
	if (track >= PACKET_TRACKS_MAX || !is_known(b->kind, codec)) {
		return FLV_OK;
	}
	if (b->count == FLV_ITEMS_MAX) {
		return FLV_TOO_MANY_TRACKS;
	}
	return parse_ex_track(b, codec, track, data, size);
}

static int parse_multitrack(struct body *b)
{
	uint8_t shape = reader_u8(&b->in);
	uint32_t codec = CODEC_NONE;

	if (b->in.failed) {
		return FLV_TRUNCATED;
	}
	b->packet_type = shape & 0x0f;
	shape >>= 4;
	if (shape > FLV_MANY_CODECS || ex_type(b->kind, b->packet_type) == 0) {
		return opaque(b);
	}
	if (shape != FLV_MANY_CODECS) {
		codec = reader_be32(&b->in);
		if (b->in.failed) {
			return FLV_TRUNCATED;
		}
		if (!is_known(b->kind, codec)) {
			return opaque(b);
		}
	}
	do {
		int r = parse_next_track(b, shape, codec);

		if (r < 0) {
			return r;
		}
	} while (reader_left(&b->in) > 0);
	return b->count > 0 ? b->count : opaque(b);
}

static int parse_enhanced(struct body *b)
{
	uint8_t head = reader_u8(&b->in);
	bool is_video = b->kind == PACKET_VIDEO;
	uint32_t codec;
	int r;

	b->first = head & 0xf0;
	b->packet_type = head & 0x0f;
	r = parse_modex(b);
	if (r < 0) {
		return r;
	}
	if (is_video && (head >> 4 & 7) == FLV_FRAME_COMMAND && b->packet_type != FLV_EX_META) {
		return opaque(b);
	}
	if (b->packet_type == (is_video ? FLV_EX_VIDEO_MULTITRACK : FLV_EX_AUDIO_MULTITRACK)) {
		return parse_multitrack(b);
	}
	if (ex_type(b->kind, b->packet_type) == 0) {
		return opaque(b);
	}
	codec = reader_be32(&b->in);
	if (b->in.failed) {
		return FLV_TRUNCATED;
	}
	if (!is_known(b->kind, codec)) {
		return opaque(b);
	}
	r = parse_ex_track(b, codec, 0, b->in.at, reader_left(&b->in));
	return r < 0 ? r : b->count;
}

/* Takes one AMF0 string. False if what follows is something else or cut short. */
static bool take_string(struct reader *in, const uint8_t **ret_text, size_t *ret_size)
{
	if (reader_u8(in) != 2) {
		return false;
	}
	*ret_size = reader_be16(in);
	*ret_text = reader_take(in, *ret_size);
	return !in->failed;
}

static bool is_text(const uint8_t *text, size_t size, const char *expected)
{
	return size == strlen(expected) && memcmp(text, expected, size) == 0;
}

static int parse_data(struct body *b)
{
	const uint8_t *name;
	size_t size;

	if (b->data[0] != 2) {
		add_item(b, PACKET_SCRIPT, CODEC_NONE, b->data, b->size);
		return 1;
	}
	if (!take_string(&b->in, &name, &size)) {
		return FLV_TRUNCATED;
	}
	if (is_text(name, size, FLV_SET_DATA_FRAME) && !take_string(&b->in, &name, &size)) {
		name = NULL;
	}
	if (name == NULL || !is_text(name, size, FLV_ON_META_DATA)) {
		add_item(b, PACKET_SCRIPT, CODEC_NONE, b->data, b->size);
		return 1;
	}
	if (reader_left(&b->in) == 0) {
		return 0;
	}
	add_item(b, PACKET_META, CODEC_NONE, b->in.at, reader_left(&b->in));
	return 1;
}

static int parse_audio(struct body *b)
{
	if (b->size == 0) {
		add_item(b, PACKET_FRAME, CODEC_NONE, b->data, 0)->packet.flags = PACKET_SILENCE;
		return 1;
	}
	return b->data[0] >> 4 == FLV_AUDIO_EX ? parse_enhanced(b) : parse_legacy_audio(b);
}

int flv_parse(enum flv_message message, int64_t dts_90k, const uint8_t *body, size_t size,
	      struct flv_item ret_items[FLV_ITEMS_MAX])
{
	struct flv_item items[FLV_ITEMS_MAX];
	struct body b = {
		.data = body,
		.size = size,
		.in = reader_over(body, size),
		.kind = message == FLV_AUDIO   ? PACKET_AUDIO
			: message == FLV_VIDEO ? PACKET_VIDEO
					       : PACKET_DATA,
		.dts_90k = dts_90k,
		.items = items,
	};
	int r = 0;

	if (size > PACKET_SIZE_MAX) {
		return FLV_TOO_BIG;
	}
	if (b.kind == PACKET_AUDIO) {
		r = parse_audio(&b);
	} else if (size > 0 && b.kind == PACKET_VIDEO) {
		r = body[0] & 0x80 ? parse_enhanced(&b) : parse_legacy_video(&b);
	} else if (size > 0) {
		r = parse_data(&b);
	}
	if (r > 0) {
		memcpy(ret_items, items, (size_t)r * sizeof(items[0]));
	}
	return r;
}
