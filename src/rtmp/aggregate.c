/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Aggregates, taken apart in place. Pure, no allocation. They are checked as a whole before the
 * first part is handed out, so that a malformed one costs the session and not half a picture.
 */
#include "aggregate.h"

#define BACK_POINTER_BYTES 4

struct aggregate aggregate_over(const struct message *m)
{
	return (struct aggregate){
		.in = reader_over(m->body, m->size),
		.stream = m->stream,
		.base_ms = m->timestamp_ms,
	};
}

/* The size of the part again, for reading backwards: ignored, and often left out at the end. */
static void skip_back_pointer(struct reader *in)
{
	size_t left = reader_left(in);

	in->at += left < BACK_POINTER_BYTES ? left : BACK_POINTER_BYTES;
}

bool aggregate_next(struct aggregate *a, struct message *ret)
{
	struct reader *in = &a->in;
	struct message m = { .stream = a->stream };
	uint32_t time_ms;

	if (in->failed || reader_left(in) == 0) {
		return false;
	}
	m.type = reader_u8(in);
	m.size = reader_be24(in);
	time_ms = reader_be24(in);
	time_ms |= (uint32_t)reader_u8(in) << 24;
	reader_be24(in); /* message stream */
	m.body = reader_take(in, m.size);
	if (in->failed) {
		return false;
	}
	skip_back_pointer(in);
	if (!a->is_started) {
		a->is_started = true;
		a->first_ms = time_ms;
	}
	m.timestamp_ms = a->base_ms + (time_ms - a->first_ms);
	*ret = m;
	return true;
}

int aggregate_check(const struct message *m, const struct rtmp_limits *limits)
{
	struct aggregate a = aggregate_over(m);
	struct message part;
	int count = 0;

	while (aggregate_next(&a, &part)) {
		if (part.type == MESSAGE_AGGREGATE) {
			return RTMP_BAD_MESSAGE;
		}
		if (part.size > message_size_limit(limits, part.type)) {
			return RTMP_TOO_LARGE;
		}
		count++;
	}
	return a.in.failed ? RTMP_BAD_MESSAGE : count;
}
