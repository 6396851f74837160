/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A packet of the show, copied once from the ring and shared by every destination that has
 * not sent it yet. Reference-counted within one thread; the last unref frees it.
 */
#ifndef RELAY_MESSAGE_H
#define RELAY_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include <understudy/packet.h>

struct message {
	unsigned refs;
	struct packet packet; /* times in show time */
	uint8_t payload[];    /* packet.size bytes */
};

/* A copy of `payload` (packet.size bytes) with one reference. NULL if memory is out. */
struct message *message_create(const struct packet *p, const uint8_t *payload);
struct message *message_ref(struct message *m);
/* Gives one reference back and NULLs the pointer; *m may be NULL. */
void message_unref(struct message **m);

#endif
