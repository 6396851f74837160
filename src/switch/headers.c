/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The headers of one source, by position (headers.h). switch. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "headers.h"

/* The change is over: it is in force from now on. */
static void header_history_pass(struct header_history *h, unsigned index)
{
	struct header_change *change = &h->changes[index];

	/* Room for it was found when it came in; without memory the old one stays in force. */
	header_set_put(&h->passed, &change->packet, change->payload);
	h->bytes -= change->packet.size;
	free(change->payload);
	h->count--;
	memmove(change, change + 1, (h->count - index) * sizeof(*change));
}

void header_history_finish(struct header_history *h)
{
	while (h->count > 0) {
		free(h->changes[--h->count].payload);
	}
	header_set_finish(&h->passed);
	header_set_finish(&h->newest);
	h->bytes = 0;
}

int header_history_put(struct header_history *h, const struct packet *p, const uint8_t *payload)
{
	uint8_t *copy = malloc(p->size > 0 ? p->size : 1);
	int change;

	if (copy == NULL) {
		return -ENOMEM;
	}
	change = header_set_put(&h->newest, p, payload);
	if (change <= 0) {
		free(copy);
		return change;
	}
	while (h->count > 0 &&
	       (h->count == HEADER_CHANGES_MAX || h->bytes + p->size > HEADER_CHANGES_BYTES_MAX)) {
		header_history_pass(h, 0);
	}
	if (p->size > 0) {
		memcpy(copy, payload, p->size);
	}
	h->changes[h->count++] = (struct header_change){ .packet = *p, .payload = copy };
	h->bytes += p->size;
	return change;
}

const struct header_set *header_history_at(struct header_history *h, enum packet_kind kind,
					   uint64_t seq)
{
	for (unsigned i = 0; i < h->count;) {
		const struct packet *p = &h->changes[i].packet;

		if (p->kind == kind && p->source_seq <= seq) {
			header_history_pass(h, i);
		} else {
			i++;
		}
	}
	return &h->passed;
}
