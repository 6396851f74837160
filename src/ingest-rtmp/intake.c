/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From RTMP messages to packets in the feed ring (intake.h). ingest-rtmp; never blocks, and
 * allocates for new headers only.
 */
#include <string.h>
#include <sys/uio.h>

#include <understudy/amf.h>
#include <understudy/flv.h>
#include <understudy/text.h>

#include "intake.h"

#define REPEAT_VIDEO_US 1000000 /* before a key frame, at most once in this time */
#define REPEAT_AUDIO_US 2000000 /* feeds without video */
#define STALE_90K MEDIA_HZ      /* how far from the media a header's own time may lie */
#define NAL_LENGTH_BYTES 4      /* what encoders use, until the codec header says */

int intake_init(struct intake *in, int ring_fd, int64_t span_us, int wake)
{
	*in = (struct intake){ .repeated_us = INT64_MIN / 2 };
	memset(in->nal_length_bytes, NAL_LENGTH_BYTES, sizeof(in->nal_length_bytes));

	int error = ring_writer_open(ring_fd, span_us, &in->ring);
	if (error == 0 && wake >= 0) {
		error = ring_writer_add_wake(in->ring, wake);
	}
	if (error != 0) {
		intake_finish(in);
	}
	return error;
}

void intake_finish(struct intake *in)
{
	ring_writer_close(&in->ring);
	header_set_finish(&in->headers);
	*in = (struct intake){ 0 };
}

void intake_publish(struct intake *in)
{
	if (in->has_unpublished) {
		ring_publish(in->ring);
		in->has_unpublished = false;
	}
}

static void intake_write(struct intake *in, const struct packet *p, const uint8_t *payload)
{
	struct iovec part = { .iov_base = (void *)(uintptr_t)payload, .iov_len = p->size };

	if (ring_write(in->ring, p, &part, 1, NULL) != 0) {
		in->dropped++;
		return;
	}
	in->packets++;
	in->has_unpublished = true;
}

/* For whoever starts to read here: the headers in force, before the packet `at`. */
static void intake_repeat_headers(struct intake *in, const struct packet *at)
{
	for (unsigned i = 0; i < in->headers.count; i++) {
		struct packet p = in->headers.items[i].packet;

		p.flags |= PACKET_REPEAT;
		p.dts_90k = at->dts_90k;
		p.pts_90k = at->dts_90k;
		p.arrival_us = at->arrival_us;
		intake_write(in, &p, in->headers.items[i].payload);
	}
	in->repeated_us = at->arrival_us;
}

static bool intake_should_repeat(const struct intake *in, const struct packet *p)
{
	if (!packet_is_main(p)) {
		return false;
	}
	if (p->kind == PACKET_VIDEO) {
		return (p->flags & (PACKET_KEY | PACKET_RECOVERY)) != 0 &&
		       p->arrival_us - in->repeated_us >= REPEAT_VIDEO_US;
	}
	return p->kind == PACKET_AUDIO && !in->has_video &&
	       p->arrival_us - in->repeated_us >= REPEAT_AUDIO_US;
}

/* OBS calls itself FMLE in its flashVer and by its name only here. */
static void intake_note_encoder(struct intake *in, const uint8_t *payload, size_t size)
{
	struct amf_reader r = amf_reader_over(payload, size);
	struct amf_value v;
	const char *name = NULL;
	uint32_t name_bytes = 0;

	if (!amf_read(&r, &v) || (v.type != AMF_OBJECT && v.type != AMF_ECMA_ARRAY)) {
		return;
	}
	while (amf_read_key(&r, &name, &name_bytes) && name != NULL) {
		bool is_encoder = name_bytes == 7 && memcmp(name, "encoder", 7) == 0;

		if (!is_encoder) {
			if (!amf_skip(&r)) {
				return;
			}
			continue;
		}
		if (amf_read(&r, &v) && v.type == AMF_STRING) {
			text_escape(in->encoder, sizeof(in->encoder), v.string, v.size);
		}
		return;
	}
}

static void intake_header(struct intake *in, const struct packet *p, const uint8_t *payload)
{
	struct codec_params params;
	int change = header_set_put(&in->headers, p, payload);

	if (change < 0) {
		in->dropped++;
	}
	if (change <= 0) {
		return; /* GStreamer sends the same onMetaData 25 times a second */
	}
	if (p->type == PACKET_META) {
		intake_note_encoder(in, payload, p->size);
	} else if (p->type == PACKET_CONFIG && p->kind == PACKET_VIDEO &&
		   codec_parse_config(p->codec, payload, p->size, &params) == CODEC_OK &&
		   params.nal_length_bytes != 0) {
		in->nal_length_bytes[p->track] = params.nal_length_bytes;
	}
	intake_write(in, p, payload);
}

static void intake_item(struct intake *in, const struct flv_item *item)
{
	const unsigned random_access = PACKET_KEY | PACKET_RECOVERY | PACKET_LEADING;
	struct packet p = item->packet;
	unsigned nal_length_bytes = 0;

	if (p.kind == PACKET_VIDEO) {
		in->has_video = true;
		nal_length_bytes = in->nal_length_bytes[p.track];
	}
	if (p.type == PACKET_FRAME) {
		if (p.kind == PACKET_VIDEO) {
			unsigned seen = codec_random_access(p.codec, nal_length_bytes,
							    item->payload, p.size,
							    p.flags & PACKET_KEY);

			p.flags = (uint16_t)((p.flags & ~random_access) | seen);
		}
		p.fingerprint = media_fingerprint(p.codec, nal_length_bytes, item->payload, p.size,
						  0);
	}
	if (packet_is_header(&p)) {
		intake_header(in, &p, item->payload);
		return;
	}
	if (intake_should_repeat(in, &p)) {
		intake_repeat_headers(in, &p);
	}
	intake_write(in, &p, item->payload);
}

static bool intake_is_media(const struct packet *p)
{
	return p->type == PACKET_FRAME || (p->type == PACKET_OPAQUE && p->kind != PACKET_DATA);
}

static bool intake_has_media(const struct flv_item *items, int count)
{
	for (int i = 0; i < count; i++) {
		if (intake_is_media(&items[i].packet)) {
			return true;
		}
	}
	return false;
}

/* Only media moves the clock. The rest may bear a time that means nothing (OBS ends AV1 with time
 * 0; headers sent anew often have 0): then it happens now. */
static int64_t intake_place(const struct intake *in, int64_t dts_90k)
{
	int64_t off = dts_90k - in->newest_dts_90k;
	bool is_stale = in->clock.started && (off > STALE_90K || off < -STALE_90K);

	return is_stale ? in->newest_dts_90k : dts_90k;
}

void intake_message(struct intake *in, uint8_t message, uint32_t timestamp_ms, const uint8_t *body,
		    size_t size, int64_t now_us)
{
	struct unwrap clock = in->clock;
	int64_t dts_90k = unwrap_ms(&clock, timestamp_ms) * (MEDIA_HZ / 1000);
	struct flv_item items[FLV_ITEMS_MAX];
	int count = flv_parse((enum flv_message)message, dts_90k, body, size, items);

	if (count < 0) {
		in->dropped++;
		return;
	}
	if (intake_has_media(items, count)) {
		in->clock = clock;
		in->newest_dts_90k = dts_90k;
	}
	for (int i = 0; i < count; i++) {
		struct packet *p = &items[i].packet;

		p->arrival_us = now_us;
		if (!intake_is_media(p)) {
			p->dts_90k = intake_place(in, dts_90k);
			p->pts_90k = p->dts_90k;
		}
		intake_item(in, &items[i]);
	}
}
