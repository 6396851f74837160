/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One message body, its type in the first byte. Every item lies inside the body and is sane,
 * and what flv_write_head() makes of it parses to the same item again.
 */
#include <stdlib.h>
#include <string.h>

#include <understudy/flv.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_so)
{
	if (!is_so) {
		abort();
	}
}

static bool is_same(const struct flv_item *a, const struct flv_item *b)
{
	const struct packet *p = &a->packet, *q = &b->packet;

	return p->dts_90k == q->dts_90k && p->pts_90k == q->pts_90k && p->codec == q->codec &&
	       p->size == q->size && p->nano == q->nano && p->flags == q->flags &&
	       p->kind == q->kind && p->type == q->type && p->track == q->track &&
	       p->head == q->head && (p->size == 0 || memcmp(a->payload, b->payload, p->size) == 0);
}

static void check_again(const struct flv_item *item, enum flv_message message)
{
	struct flv_item again[FLV_ITEMS_MAX];
	const struct packet *p = &item->packet;
	uint8_t head[FLV_HEAD_MAX];
	enum flv_message kind;
	size_t head_size = flv_write_head(p, (int32_t)((p->pts_90k - p->dts_90k) / 90), head,
					  &kind);
	uint8_t *body = malloc(head_size + p->size + 1);

	require(body != NULL && head_size <= FLV_HEAD_MAX && kind == message);
	memcpy(body, head, head_size);
	if (p->size > 0) {
		memcpy(body + head_size, item->payload, p->size);
	}
	require(flv_parse(kind, p->dts_90k, body, head_size + p->size, again) == 1);
	require(is_same(item, &again[0]));
	free(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum flv_message messages[] = { FLV_AUDIO, FLV_VIDEO, FLV_DATA };
	struct flv_item items[FLV_ITEMS_MAX];
	enum flv_message message;
	int count;

	if (size == 0) {
		return 0;
	}
	message = messages[data[0] % 3];
	data++;
	size--;
	count = flv_parse(message, 1234567, data, size, items);
	require(count <= (int)FLV_ITEMS_MAX);
	for (int i = 0; i < count; i++) {
		const struct flv_item *item = &items[i];

		require(packet_is_sane(&item->packet));
		require(item->packet.size == 0 ||
			(item->payload >= data &&
			 item->payload + item->packet.size <= data + size));
		check_again(item, message);
	}
	return 0;
}
