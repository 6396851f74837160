/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From RTMP messages to packets in the feed ring, for every ingest of RTMP; never blocks.
 *
 * Owns the feed's writer and its clock. A body that cannot be taken apart is dropped and counted,
 * never the connection.
 */
#ifndef UNDERSTUDY_INTAKE_H
#define UNDERSTUDY_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <understudy/codec.h>
#include <understudy/feed.h>
#include <understudy/flv.h>

#define INTAKE_ENCODER_MAX 128

/* One for all kinds, as encoders have one; moved by media only. Zeroed = fresh. */
struct intake_clock {
	struct unwrap unwrap;
	int64_t newest_dts_90k; /* of the newest media */
};

/* Takes a message apart that came in at now_us; each item gets its time and arrival. How many there
 * are, or enum flv_error. */
int intake_items(struct intake_clock *clock, enum flv_message message, uint32_t timestamp_ms,
		 const uint8_t *body, size_t size, int64_t now_us,
		 struct flv_item ret_items[FLV_ITEMS_MAX]);

struct intake {
	struct feed_writer feed;
	struct intake_clock clock;
	char encoder[INTAKE_ENCODER_MAX]; /* named by onMetaData, escaped; "" if it was not */
};

/* Opens the ring for writing and seals it; `wake` is an eventfd to signal after each batch,
 * or -1. Both descriptors stay the caller's; the wake-up must outlive the intake. 0 or a
 * negative errno, then *in is zeroed. */
int intake_init(struct intake *in, int ring_fd, int64_t span_us, int wake);
void intake_finish(struct intake *in);

/* One RTMP message (8, 9 or 18) as it came in at now_us. */
void intake_message(struct intake *in, uint8_t message, uint32_t timestamp_ms, const uint8_t *body,
		    size_t size, int64_t now_us);

/* Shows the readers what was written since the last call, if anything was. */
void intake_publish(struct intake *in);

#endif
