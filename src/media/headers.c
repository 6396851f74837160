/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The headers in force. Pure; each set belongs to one ingest, switch or follower. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/codec.h>

/* Says something of one packet's way, not of the header. */
#define PASSING_FLAGS (PACKET_REPEAT | PACKET_JOIN | PACKET_SPLICE | PACKET_GAP)

static struct header *find(struct header_set *set, unsigned kind, unsigned type, unsigned track)
{
	for (unsigned i = 0; i < set->count; i++) {
		const struct packet *p = &set->items[i].packet;

		if (p->kind == kind && p->type == type && p->track == track) {
			return &set->items[i];
		}
	}
	return NULL;
}

const struct header *header_set_find(const struct header_set *set, enum packet_kind kind,
				     enum packet_type type, unsigned track)
{
	return find((struct header_set *)(uintptr_t)set, kind, type, track);
}

/* With another codec, what was said of the old one's colours and channels is void. */
static void drop_stale(struct header_set *set, const struct packet *config)
{
	for (unsigned i = 0; i < set->count;) {
		struct header *h = &set->items[i];
		bool is_about = h->packet.type == PACKET_COLOR || h->packet.type == PACKET_CHANNELS;

		if (is_about && h->packet.kind == config->kind &&
		    h->packet.track == config->track && h->packet.codec != config->codec) {
			free(h->payload);
			set->count--;
			memmove(h, h + 1, (set->count - i) * sizeof(*h));
			set->items[set->count] = (struct header){ 0 };
		} else {
			i++;
		}
	}
}

static void remember(struct header *h, const struct packet *p)
{
	h->packet = *p;
	h->packet.flags &= (uint16_t)~PASSING_FLAGS;
}

int header_set_put(struct header_set *set, const struct packet *p, const uint8_t *payload)
{
	struct header *h = find(set, p->kind, p->type, p->track);
	uint8_t *copy = NULL;

	if (p->size > HEADER_BYTES_MAX || (h == NULL && set->count == HEADERS_MAX)) {
		return -ENOBUFS;
	}
	if (h != NULL && h->packet.codec == p->codec && h->packet.size == p->size &&
	    (p->size == 0 || memcmp(h->payload, payload, p->size) == 0)) {
		remember(h, p);
		return 0;
	}
	if (p->size > 0) {
		copy = malloc(p->size);
		if (copy == NULL) {
			return -ENOMEM;
		}
		memcpy(copy, payload, p->size);
	}
	if (h == NULL) {
		h = &set->items[set->count++];
		*h = (struct header){ 0 };
	}
	free(h->payload);
	h->payload = copy;
	remember(h, p);
	if (p->type == PACKET_CONFIG) {
		drop_stale(set, p);
	}
	return 1;
}

void header_set_finish(struct header_set *set)
{
	for (unsigned i = 0; i < set->count; i++) {
		free(set->items[i].payload);
	}
	*set = (struct header_set){ 0 };
}
