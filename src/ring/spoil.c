/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Faults made on purpose (spoil.h). Every ingest. */
#include <stdlib.h>
#include <string.h>

#include "spoil.h"

#define PICTURE_FLAGS (PACKET_KEY | PACKET_RECOVERY | PACKET_LEADING | PACKET_DISPOSABLE)

void spoil_finish(struct feed_spoiler *s)
{
	free(s->still);
	*s = (struct feed_spoiler){ 0 };
}

void spoil_begin(struct feed_spoiler *s, enum feed_fault fault, int64_t until_us)
{
	spoil_finish(s);
	s->fault = fault;
	s->until_us = until_us;
}

static bool spoil_starve(struct feed_spoiler *s, const struct packet *p)
{
	return p->type != PACKET_FRAME || s->seen[p->kind]++ % 2 == 1;
}

/* A key frame to hold on to. Without memory for it the picture moves on. */
static void spoil_keep(struct feed_spoiler *s, const struct packet *p, const uint8_t *payload)
{
	uint8_t *copy = malloc(p->size);

	if (copy != NULL) {
		memcpy(copy, payload, p->size);
		s->still = copy;
		s->still_packet = *p;
	}
}

/* From the next key frame on each frame is that one, in the order of decoding. */
static void spoil_freeze(struct feed_spoiler *s, struct packet *p, const uint8_t **payload)
{
	if (p->kind != PACKET_VIDEO || !packet_is_main(p)) {
		return;
	}
	if (s->still == NULL) {
		if ((p->flags & PACKET_KEY) != 0) {
			spoil_keep(s, p, *payload);
		}
		return;
	}
	p->flags = (uint16_t)((p->flags & ~PICTURE_FLAGS) |
			      (s->still_packet.flags & PICTURE_FLAGS));
	p->codec = s->still_packet.codec;
	p->size = s->still_packet.size;
	p->pts_90k = p->dts_90k + (s->still_packet.pts_90k - s->still_packet.dts_90k);
	*payload = s->still;
}

bool spoil_packet(struct feed_spoiler *s, struct packet *p, const uint8_t **payload)
{
	if (s->fault == FEED_SOUND) {
		return true;
	}
	if (p->arrival_us >= s->until_us) {
		spoil_finish(s);
		return true;
	}
	switch (s->fault) {
	case FEED_SILENT:
		return false;
	case FEED_STARVED:
		return spoil_starve(s, p);
	case FEED_FROZEN:
		spoil_freeze(s, p, payload);
		return true;
	default:
		return true;
	}
}
