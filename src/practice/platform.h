/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The platform of a rehearsal: librtmp as a server for one publisher. It shakes hands, reads the
 * chunks and writes the replies, all by librtmp, so that what reaches it has been understood by an
 * implementation that is not ours.
 *
 * librtmp's reader is not to be trusted with foreign bytes. It meets none here: the publisher is
 * our own relay, the socket is on the loopback interface, and whoever else comes there reaches a
 * process that has nothing but that socket. Its recursive AMF decoder is not used.
 */
#ifndef PRACTICE_PLATFORM_H
#define PRACTICE_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

struct platform;

/* Shakes hands with the publisher (blocks, as long as the socket's timeout allows). Takes `fd`.
 * `stream` (copied) is the only name that may be published. NULL: no RTMP, or no memory. */
struct platform *platform_create(int fd, const char *stream);
void platform_destroy(struct platform **p);

struct platform_message {
	uint8_t type; /* 8 audio, 9 video, 18 data; 0: nothing for the caller */
	uint32_t timestamp_ms, size;
};
/* Reads a chunk and answers what has to be answered (blocks likewise). False: it is over. */
bool platform_next(struct platform *p, struct platform_message *ret);
/* A chunk has been read in part: platform_next() need not wait for the socket. */
bool platform_has_more(const struct platform *p);
int platform_fd(const struct platform *p);
bool platform_is_publishing(const struct platform *p);

#endif
