/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of messages: what ipc.c checks before anybody sees a message. */
#ifndef UNDERSTUDY_IPC_MESSAGES_H
#define UNDERSTUDY_IPC_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <understudy/ipc.h>

/* A field a receiver relies on: a terminated text, or a number (1, 2 or 4 bytes: bool, enum,
 * count) that is at most `max`. In an array of structures, `count` fields `stride` apart. */
struct ipc_field {
	size_t offset, size;
	bool is_text;
	uint32_t max;
	size_t count, stride;
};

#define IPC_FIELDS_MAX 12

struct ipc_kind {
	const char *name; /* NULL: there is no such type */
	size_t size;
	unsigned fds_min, fds_max;
	struct ipc_field fields[IPC_FIELDS_MAX]; /* size 0 ends them */
};

/* NULL if there is no such type. */
const struct ipc_kind *ipc_kind_of(uint32_t type);
bool ipc_is_body_sound(const struct ipc_kind *kind, const void *body);

#endif
