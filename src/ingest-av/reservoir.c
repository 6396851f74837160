/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bursts spread over time (reservoir.h). ingest-av-pull. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reservoir.h"

#define JUMP_US 1000000  /* a step of this size is no frame rate */
#define FULL_US 12000000 /* more than a segment, whose tracks may follow one another */
#define FULL_BYTES ((uint64_t)64 << 20)

struct held {
	TAILQ_ENTRY(held) entry;
	int64_t due_us;
	struct packet packet;
	uint8_t payload[];
};

void reservoir_init(struct reservoir *r, int64_t lead_us)
{
	*r = (struct reservoir){ .lead_us = lead_us };
	TAILQ_INIT(&r->held);
}

void reservoir_finish(struct reservoir *r)
{
	struct held *h;

	free(r->taken);
	while (r->held.tqh_last != NULL && (h = TAILQ_FIRST(&r->held)) != NULL) {
		TAILQ_REMOVE(&r->held, h, entry);
		free(h);
	}
	*r = (struct reservoir){ 0 };
}

static void reservoir_anchor(struct reservoir *r, int64_t dts_90k, int64_t at_us)
{
	r->anchor_us = at_us;
	r->anchor_90k = dts_90k;
}

static int64_t reservoir_due(struct reservoir *r, const struct packet *p, int64_t now_us)
{
	bool *is_known = &r->tracks[p->kind][p->track].is_known;
	int64_t *last_us = &r->tracks[p->kind][p->track].due_us;
	int64_t due_us;

	if (!r->is_started) {
		r->is_started = true;
		reservoir_anchor(r, p->dts_90k, now_us);
	}
	due_us = r->anchor_us + (p->dts_90k - r->anchor_90k) * 100 / 9;
	if (*is_known && (due_us - *last_us > JUMP_US || *last_us - due_us > JUMP_US)) {
		reservoir_anchor(r, p->dts_90k, *last_us);
		due_us = *last_us;
	}
	if (due_us < now_us) {
		reservoir_anchor(r, p->dts_90k, now_us);
		due_us = now_us;
	}
	*is_known = true;
	*last_us = due_us;
	return due_us;
}

int reservoir_put(struct reservoir *r, const struct packet *p, const uint8_t *payload,
		  int64_t now_us)
{
	struct held *h = malloc(sizeof(*h) + p->size), *before;

	if (h == NULL) {
		return -ENOMEM;
	}
	h->packet = *p;
	h->due_us = reservoir_due(r, p, now_us);
	memcpy(h->payload, payload, p->size);
	before = TAILQ_LAST(&r->held, held_list);
	while (before != NULL && before->due_us > h->due_us) {
		before = TAILQ_PREV(before, held_list, entry);
	}
	if (before != NULL) {
		TAILQ_INSERT_AFTER(&r->held, before, h, entry);
	} else {
		TAILQ_INSERT_HEAD(&r->held, h, entry);
	}
	r->bytes += p->size;
	r->newest_us = h->due_us > r->newest_us ? h->due_us : r->newest_us;
	return 0;
}

bool reservoir_take(struct reservoir *r, int64_t now_us, struct packet *ret,
		    const uint8_t **ret_payload)
{
	struct held *h = TAILQ_FIRST(&r->held);
	int64_t out_us = h != NULL ? h->due_us - r->lead_us : 0;

	free(r->taken);
	r->taken = NULL;
	if (h == NULL || out_us > now_us) {
		return false;
	}
	TAILQ_REMOVE(&r->held, h, entry);
	r->taken = h;
	r->bytes -= h->packet.size;
	*ret = h->packet;
	ret->arrival_us = out_us > ret->arrival_us ? out_us : ret->arrival_us;
	*ret_payload = h->payload;
	return true;
}

int64_t reservoir_next_us(const struct reservoir *r)
{
	const struct held *h = TAILQ_FIRST(&r->held);

	return h != NULL ? h->due_us - r->lead_us : INT64_MAX;
}

bool reservoir_is_full(const struct reservoir *r, int64_t now_us)
{
	return !TAILQ_EMPTY(&r->held) &&
	       (r->newest_us - r->lead_us - now_us > FULL_US || r->bytes > FULL_BYTES);
}
