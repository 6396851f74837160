/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From RTMP messages to packets in the feed ring (intake.h). Every ingest of RTMP; never blocks,
 * and allocates for new headers only.
 */
#include <string.h>

#include <understudy/amf.h>
#include <understudy/flv.h>
#include <understudy/intake.h>
#include <understudy/text.h>

#define STALE_90K MEDIA_HZ /* how far from the media a header's own time may lie */

int intake_init(struct intake *in, int ring_fd, int64_t span_us, int wake)
{
	*in = (struct intake){ 0 };
	return feed_writer_init(&in->feed, ring_fd, span_us, wake);
}

void intake_finish(struct intake *in)
{
	feed_writer_finish(&in->feed);
	*in = (struct intake){ 0 };
}

void intake_publish(struct intake *in)
{
	feed_writer_publish(&in->feed);
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
static int64_t intake_place(const struct intake_clock *clock, int64_t dts_90k)
{
	int64_t off = dts_90k - clock->newest_dts_90k;
	bool is_stale = clock->unwrap.started && (off > STALE_90K || off < -STALE_90K);

	return is_stale ? clock->newest_dts_90k : dts_90k;
}

int intake_items(struct intake_clock *clock, enum flv_message message, uint32_t timestamp_ms,
		 const uint8_t *body, size_t size, int64_t now_us,
		 struct flv_item items[FLV_ITEMS_MAX])
{
	struct unwrap unwrap = clock->unwrap;
	int64_t dts_90k = unwrap_ms(&unwrap, timestamp_ms) * (MEDIA_HZ / 1000);
	int count = flv_parse(message, dts_90k, body, size, items);

	if (intake_has_media(items, count)) {
		clock->unwrap = unwrap;
		clock->newest_dts_90k = dts_90k;
	}
	for (int i = 0; i < count; i++) {
		struct packet *p = &items[i].packet;

		p->arrival_us = now_us;
		if (!intake_is_media(p)) {
			p->dts_90k = intake_place(clock, dts_90k);
			p->pts_90k = p->dts_90k;
		}
	}
	return count;
}

void intake_message(struct intake *in, uint8_t message, uint32_t timestamp_ms, const uint8_t *body,
		    size_t size, int64_t now_us)
{
	struct flv_item items[FLV_ITEMS_MAX];
	int count = intake_items(&in->clock, (enum flv_message)message, timestamp_ms, body, size,
				 now_us, items);

	in->feed.dropped += count < 0;
	for (int i = 0; i < count; i++) {
		const struct packet *p = &items[i].packet;

		if (feed_writer_put(&in->feed, p, items[i].payload) && p->type == PACKET_META) {
			intake_note_encoder(in, items[i].payload, p->size);
		}
	}
}
