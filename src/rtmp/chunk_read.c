/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Chunks to messages. Runs in every worker that reads RTMP, before any authentication: each
 * byte here is hostile until proven otherwise. Pure: no I/O, no clock; owns the bodies.
 *
 * Where the specification leaves room, in the order in which readers get hurt:
 * - A header with a length in the middle of a message on the same chunk stream drops that
 *   message and starts a new one. The old body is never filled under the new length.
 * - A fmt 3 chunk that starts a message repeats the last timestamp field (5.3.1.2.4), which
 *   after fmt 0 is the absolute timestamp itself.
 * - A fmt 3 chunk that continues a message has an extended timestamp if the header had one,
 *   but some encoders leave it out: it is taken only if it is the number expected.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "chunk.h"

#define BODY_BYTES_MIN 4096
/* A body larger than this is given back after so many messages that needed less than a
 * quarter of it: about ten seconds of a usual stream, so longer than most GOPs. */
#define BODY_BYTES_KEPT (64 * 1024)
#define SMALL_MESSAGES 1024

#define EXTENDED 0xFFFFFF

enum chunk_format { FORMAT_FULL, FORMAT_SAME_STREAM, FORMAT_TIME_ONLY, FORMAT_NOTHING };

static const uint8_t no_body[1];

int chunk_reader_init(struct chunk_reader *r, const struct rtmp_limits *limits)
{
	*r = (struct chunk_reader){ .limits = limits, .chunk_size = CHUNK_SIZE_DEFAULT };
	r->streams = calloc(limits->chunk_streams, sizeof(*r->streams));
	return r->streams ? 0 : RTMP_NO_MEMORY;
}

void chunk_reader_finish(struct chunk_reader *r)
{
	if (r->streams) {
		for (uint32_t i = 0; i < r->limits->chunk_streams; i++) {
			free(r->streams[i].body);
		}
	}
	free(r->streams);
	*r = (struct chunk_reader){ 0 };
}

void chunk_set_size(struct chunk_reader *r, uint32_t size)
{
	assert(size > 0);
	r->chunk_size = size < CHUNK_SIZE_MAX ? size : CHUNK_SIZE_MAX;
}

/* ---- chunk streams ---- */

static struct chunk_stream *find_stream(const struct chunk_reader *r, uint32_t csid)
{
	for (uint32_t i = 0; i < r->limits->chunk_streams; i++) {
		if (r->streams[i].id == csid) {
			return &r->streams[i];
		}
	}
	return NULL;
}

static void release_body(struct chunk_reader *r, struct chunk_stream *cs)
{
	r->body_bytes -= cs->capacity;
	free(cs->body);
	cs->body = NULL;
	cs->capacity = 0;
	cs->small_messages = 0;
}

/* A free slot, or that of the chunk stream that has been idle longest; NULL if a message is
 * under way on all of them. */
static struct chunk_stream *claim_slot(struct chunk_reader *r)
{
	struct chunk_stream *oldest = NULL;

	for (uint32_t i = 0; i < r->limits->chunk_streams; i++) {
		struct chunk_stream *cs = &r->streams[i];

		if (cs->id == 0) {
			return cs;
		}
		if (!cs->is_partial && (!oldest || cs->last_used < oldest->last_used)) {
			oldest = cs;
		}
	}
	return oldest;
}

static struct chunk_stream *open_stream(struct chunk_reader *r, uint32_t csid)
{
	struct chunk_stream *cs = claim_slot(r);

	if (cs) {
		release_body(r, cs);
		*cs = (struct chunk_stream){ .id = csid };
	}
	return cs;
}

void chunk_abort(struct chunk_reader *r, uint32_t csid)
{
	struct chunk_stream *cs = find_stream(r, csid);

	if (cs) {
		cs->is_partial = false;
	}
}

/* ---- bodies ---- */

static void release_idle_bodies(struct chunk_reader *r)
{
	for (uint32_t i = 0; i < r->limits->chunk_streams; i++) {
		if (!r->streams[i].is_partial) {
			release_body(r, &r->streams[i]);
		}
	}
}

static bool is_affordable(const struct chunk_reader *r, const struct chunk_stream *cs,
			  uint32_t capacity)
{
	return r->body_bytes - cs->capacity + capacity <= r->limits->partial_bytes;
}

static int grow_body(struct chunk_reader *r, struct chunk_stream *cs, uint32_t need)
{
	uint32_t capacity = cs->capacity ? cs->capacity : BODY_BYTES_MIN;
	uint8_t *body;

	while (capacity < need) {
		capacity *= 2; /* need is at most 24 bits */
	}
	if (!is_affordable(r, cs, capacity)) {
		release_idle_bodies(r);
	}
	if (!is_affordable(r, cs, capacity)) {
		capacity = need;
	}
	if (!is_affordable(r, cs, capacity)) {
		return RTMP_TOO_LARGE;
	}
	body = realloc(cs->body, capacity);
	if (!body) {
		return RTMP_NO_MEMORY;
	}
	r->body_bytes += capacity - cs->capacity;
	cs->body = body;
	cs->capacity = capacity;
	return 0;
}

/* One huge key frame must not cost its memory for the rest of the connection. */
static void shrink_body(struct chunk_reader *r, struct chunk_stream *cs)
{
	if (cs->capacity <= BODY_BYTES_KEPT || cs->length >= cs->capacity / 4) {
		cs->small_messages = 0;
	} else if (++cs->small_messages >= SMALL_MESSAGES) {
		release_body(r, cs);
	}
}

static int fill_body(struct chunk_reader *r, const uint8_t *bytes, uint32_t n)
{
	struct chunk_stream *cs = r->current;
	int status;

	if (n == 0) {
		return 0;
	}
	if (n > cs->capacity - cs->filled) {
		status = grow_body(r, cs, cs->filled + n);
		if (status < 0) {
			return status;
		}
	}
	memcpy(cs->body + cs->filled, bytes, n);
	cs->filled += n;
	r->left -= n;
	return 0;
}

/* ---- chunk headers ---- */

/* The parts of the header collected so far; `csid` and `stream` once `basic` bytes are there. */
struct chunk_head {
	enum chunk_format format;
	uint32_t csid;
	size_t basic;  /* bytes of the basic header */
	size_t fields; /* bytes of the message header, without the extended timestamp */
	struct chunk_stream *stream; /* NULL if the id is new */
};

static struct chunk_head parse_basic(const struct chunk_reader *r)
{
	static const uint8_t basic_bytes[2] = { 2, 3 };
	static const uint8_t field_bytes[4] = { 11, 7, 3, 0 };
	uint8_t first = r->head[0];
	uint32_t low = first & 0x3F;
	struct chunk_head h = {
		.format = first >> 6,
		.basic = low < 2 ? basic_bytes[low] : 1,
		.fields = field_bytes[first >> 6],
		.csid = low,
	};

	if (r->head_bytes < h.basic) {
		return h;
	}
	if (low == 0) {
		h.csid = 64u + r->head[1];
	} else if (low == 1) {
		h.csid = 64u + r->head[1] + 256u * r->head[2];
	}
	h.stream = find_stream(r, h.csid);
	return h;
}

static bool is_continuation(const struct chunk_head *h)
{
	return h->format == FORMAT_NOTHING && h->stream && h->stream->is_partial;
}

/* Are the bytes after the basic header, as far as they are there, the timestamp expected? */
static bool repeats_timestamp(const struct chunk_reader *r, const struct chunk_head *h)
{
	uint8_t expected[4];
	size_t there = r->head_bytes - h->basic;

	put_be32(expected, h->stream->field);
	return memcmp(r->head + h->basic, expected, there < 4 ? there : 4) == 0;
}

/* Bytes of the whole header as far as can be told; asks for the next one at a time while it
 * is open whether a continuation has an extended timestamp. */
static size_t head_size(const struct chunk_reader *r, const struct chunk_head *h)
{
	size_t plain = h->basic + h->fields;

	if (r->head_bytes < plain) {
		return plain;
	}
	if (h->format != FORMAT_NOTHING) {
		return plain + (get_be24(r->head + h->basic) == EXTENDED ? 4 : 0);
	}
	if (!h->stream || !h->stream->has_extended) {
		return plain;
	}
	if (!is_continuation(h)) {
		return plain + 4;
	}
	if (!repeats_timestamp(r, h)) {
		return plain;
	}
	return r->head_bytes < plain + 4 ? r->head_bytes + 1u : plain + 4;
}

/* 1: *ret_head is complete and takes *ret_size of the bytes collected (what is beyond them is
 * payload already); 0: more input is needed. */
static int take_head(struct chunk_reader *r, struct reader *in, struct chunk_head *ret_head,
		     size_t *ret_size)
{
	struct chunk_head h = { 0 };
	size_t need = 1, more;

	for (;;) {
		if (r->head_bytes > 0) {
			h = parse_basic(r);
			need = r->head_bytes < h.basic ? h.basic : head_size(r, &h);
		}
		if (r->head_bytes >= need && r->head_bytes > 0) {
			*ret_head = h;
			*ret_size = need;
			return 1;
		}
		if (reader_left(in) == 0) {
			return 0;
		}
		more = need - r->head_bytes;
		more = more < reader_left(in) ? more : reader_left(in);
		memcpy(r->head + r->head_bytes, reader_take(in, more), more);
		r->head_bytes = (uint8_t)(r->head_bytes + more);
	}
}

uint32_t message_size_limit(const struct rtmp_limits *limits, uint8_t type)
{
	switch (type) {
	case MESSAGE_SET_CHUNK_SIZE:
	case MESSAGE_ABORT:
	case MESSAGE_ACK:
	case MESSAGE_WINDOW_ACK_SIZE:
		return 4;
	case MESSAGE_SET_PEER_BANDWIDTH:
		return 5;
	case MESSAGE_USER_CONTROL:
		return 64; /* the events known take 6 or 10 */
	case MESSAGE_AUDIO:
		return limits->audio_bytes;
	case MESSAGE_VIDEO:
	case MESSAGE_AGGREGATE:
		return limits->video_bytes;
	case MESSAGE_COMMAND:
	case MESSAGE_COMMAND_AMF3:
		return limits->command_bytes;
	default:
		return limits->data_bytes;
	}
}

static int start_message(struct chunk_reader *r, struct chunk_stream *cs)
{
	cs->filled = 0;
	cs->is_partial = cs->length <= message_size_limit(r->limits, cs->type);
	if (!cs->is_partial) {
		return RTMP_TOO_LARGE;
	}
	shrink_body(r, cs);
	return 0;
}

/* fmt 0, 1 or 2. The timestamp fields are absolute in fmt 0 and a delta otherwise. */
static void read_fields(const struct chunk_reader *r, const struct chunk_head *h,
			struct chunk_stream *cs)
{
	const uint8_t *p = r->head + h->basic;

	cs->field = get_be24(p);
	cs->has_extended = cs->field == EXTENDED;
	if (cs->has_extended) {
		cs->field = get_be32(p + h->fields);
	}
	if (h->format <= FORMAT_SAME_STREAM) {
		cs->length = get_be24(p + 3);
		cs->type = p[6];
	}
	if (h->format == FORMAT_FULL) {
		cs->message_stream = get_le32(p + 7);
		cs->timestamp_ms = 0;
	}
	cs->timestamp_ms += cs->field;
}

/* The chunk stream a header belongs to, or NULL. Only fmt 0 may open one, but for the control
 * stream: time and message stream are 0 there by definition, and librtmp starts it with fmt 1. */
static struct chunk_stream *stream_for(struct chunk_reader *r, const struct chunk_head *h)
{
	if (h->stream) {
		return h->stream;
	}
	if (h->format == FORMAT_FULL ||
	    (h->format == FORMAT_SAME_STREAM && h->csid == CSID_CONTROL)) {
		return open_stream(r, h->csid);
	}
	return NULL;
}

static int begin_chunk(struct chunk_reader *r, const struct chunk_head *h)
{
	bool is_new_message = !is_continuation(h);
	struct chunk_stream *cs = stream_for(r, h);
	uint32_t missing;
	int status;

	if (!cs) {
		return RTMP_BAD_CHUNK;
	}
	if (h->format != FORMAT_NOTHING) {
		read_fields(r, h, cs);
	} else if (is_new_message) {
		if (cs->has_extended) {
			cs->field = get_be32(r->head + h->basic);
		}
		cs->timestamp_ms += cs->field;
	}
	if (is_new_message) {
		status = start_message(r, cs);
		if (status < 0) {
			return status;
		}
	}
	missing = cs->length - cs->filled;
	r->left = missing < r->chunk_size ? missing : r->chunk_size;
	r->current = cs;
	cs->last_used = ++r->chunks;
	return 0;
}

/* Bytes that were looked at as a possible extended timestamp and are none: payload first, and
 * what is left belongs to the next header. */
static int give_back(struct chunk_reader *r, size_t head_bytes)
{
	uint8_t spare[CHUNK_HEAD_MAX];
	uint32_t n = (uint32_t)(r->head_bytes - head_bytes);
	uint32_t payload = n < r->left ? n : r->left;

	memcpy(spare, r->head + head_bytes, n);
	memcpy(r->head, spare + payload, n - payload);
	r->head_bytes = (uint8_t)(n - payload);
	return fill_body(r, spare, payload);
}

static int take_payload(struct chunk_reader *r, struct reader *in)
{
	size_t there = reader_left(in);
	uint32_t n = there < r->left ? (uint32_t)there : r->left;

	return fill_body(r, reader_take(in, n), n);
}

/* True if the chunk that is full was the last of its message. */
static bool end_chunk(struct chunk_reader *r, struct message *ret)
{
	struct chunk_stream *cs = r->current;

	r->current = NULL;
	if (cs->filled < cs->length) {
		return false;
	}
	cs->is_partial = false;
	*ret = (struct message){
		.type = cs->type,
		.timestamp_ms = cs->timestamp_ms,
		.stream = cs->message_stream,
		.body = cs->length ? cs->body : no_body,
		.size = cs->length,
	};
	return true;
}

/* 1: a chunk is open; 0: its header is not complete yet. */
static int open_chunk(struct chunk_reader *r, struct reader *in, int64_t now_us)
{
	struct chunk_head h;
	size_t head_bytes;
	int status = take_head(r, in, &h, &head_bytes);

	if (status <= 0) {
		return status;
	}
	if (!rate_take(&r->rate, r->limits->chunks_per_second, now_us)) {
		return RTMP_TOO_FAST;
	}
	status = begin_chunk(r, &h);
	if (status == 0) {
		status = give_back(r, head_bytes);
	}
	return status < 0 ? status : 1;
}

int chunk_read(struct chunk_reader *r, struct reader *in, int64_t now_us, struct message *ret)
{
	int status;

	for (;;) {
		if (!r->current) {
			status = open_chunk(r, in, now_us);
			if (status <= 0) {
				return status;
			}
		}
		status = take_payload(r, in);
		if (status < 0) {
			return status;
		}
		if (r->left > 0) {
			return 0;
		}
		if (end_chunk(r, ret)) {
			return 1;
		}
	}
}
