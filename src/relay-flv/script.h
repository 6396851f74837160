/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The onMetaData of a recording: our own, from the codec headers in force. */
#ifndef RELAY_FLV_SCRIPT_H
#define RELAY_FLV_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include <understudy/buffer.h>
#include <understudy/codec.h>

/* Appends the body of a script tag. *ret_duration_at is where in the body the eight bytes of
 * the duration are, which is 0 until the file is finished. False if it did not fit. */
bool script_write(const struct header_set *headers, struct buffer *to, size_t *ret_duration_at);

#endif
