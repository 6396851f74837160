/* SPDX-License-Identifier: GPL-3.0-or-later */
/* FLV over HTTP (carry.h), by our own reader: what Enhanced RTMP brought into it comes out byte for
 * byte. ingest-av-pull. */
#include <understudy/intake.h>

#include "carry.h"

#define TAG_BYTES_MAX ((size_t)17 << 20) /* what three bytes of length can say, and more */
#define CHUNK_BYTES 32768

struct tags {
	struct buffer bytes;
	struct intake_clock clock;
	bool is_begun, is_broken;
};

static void put_tag(struct pull *p, struct tags *t, const struct flv_tag *tag)
{
	struct flv_item items[FLV_ITEMS_MAX];
	int count = intake_items(&t->clock, tag->message, tag->timestamp_ms, tag->body, tag->size,
				 p->arrival_us, items);

	p->streams.feed.dropped += count < 0;
	for (int i = 0; i < count; i++) {
		p->streams.sink(p->streams.sink_owner, &items[i].packet, items[i].payload);
	}
}

static void put_tags(struct pull *p, struct tags *t)
{
	struct flv_tag tag = { .size = 0 };
	int used;

	if (!t->is_begun) {
		used = flv_read_file_header(buffer_bytes(&t->bytes), buffer_size(&t->bytes));
		t->is_begun = used > 0;
		t->is_broken = used < 0;
		buffer_consume(&t->bytes, used > 0 ? (size_t)used : 0);
	}
	while (t->is_begun && !t->is_broken && !p->is_ended) {
		used = flv_read_tag(buffer_bytes(&t->bytes), buffer_size(&t->bytes), &tag);
		t->is_broken = used < 0;
		if (used <= 0) {
			break;
		}
		put_tag(p, t, &tag);
		buffer_consume(&t->bytes, (size_t)used);
	}
}

void carry_flv(struct pull *p)
{
	struct tags tags = { .is_begun = false };
	int got = 1;

	buffer_init(&tags.bytes, TAG_BYTES_MAX);
	while (got > 0 && !tags.is_broken) {
		uint8_t *to = buffer_reserve(&tags.bytes, CHUNK_BYTES);

		got = to != NULL ? carry_read(p, to, CHUNK_BYTES) : 0;
		buffer_grew(&tags.bytes, (size_t)got);
		put_tags(p, &tags);
	}
	if (tags.is_broken) {
		pull_end(p, "what comes is no FLV any more");
	}
	buffer_finish(&tags.bytes);
}
