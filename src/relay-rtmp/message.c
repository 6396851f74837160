/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shared messages (message.h). Runs in relay-rtmp; no I/O, never blocks. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"

struct message *message_create(const struct packet *p, const uint8_t *payload)
{
	struct message *m = malloc(sizeof(*m) + p->size);

	if (!m) {
		return NULL;
	}
	m->refs = 1;
	m->packet = *p;
	if (p->size) {
		memcpy(m->payload, payload, p->size);
	}
	return m;
}

struct message *message_ref(struct message *m)
{
	m->refs++;
	return m;
}

void message_unref(struct message **m)
{
	struct message *gone = *m;

	*m = NULL;
	if (gone) {
		assert(gone->refs > 0);
		if (--gone->refs == 0) {
			free(gone);
		}
	}
}
