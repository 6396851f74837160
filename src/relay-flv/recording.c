/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One FLV file of a show (recording.h). Runs in relay-flv. Payloads are copied once, from the
 * ring into the batch; what was overwritten meanwhile is cut off again.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <understudy/bytes.h>
#include <understudy/flv.h>

#include "recording.h"
#include "script.h"

/* A batch is written when it has grown to this, at the latest. */
#define BATCH_BYTES (1u << 20)
#define TAG_ROOM (FLV_TAG_HEADER_BYTES + FLV_HEAD_MAX + FLV_TAG_TRAILER_BYTES)
#define BODY_MAX 0xffffffu

void recording_init(struct recording *r, int file)
{
	*r = (struct recording){ .file = file };
	buffer_init(&r->out, BATCH_BYTES + PACKET_SIZE_MAX + TAG_ROOM);
}

void recording_finish(struct recording *r)
{
	buffer_finish(&r->out);
}

static int write_all(int file, const uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t written = write(file, data, size);

		if (written < 0 && errno == EINTR) {
			continue;
		}
		if (written <= 0) {
			return written < 0 ? -errno : -EIO;
		}
		data += written;
		size -= (size_t)written;
	}
	return 0;
}

static int flush(struct recording *r)
{
	size_t size = buffer_size(&r->out);
	int error = size > 0 ? write_all(r->file, buffer_bytes(&r->out), size) : 0;

	if (error == 0) {
		r->bytes += size;
		buffer_clear(&r->out);
	}
	return error;
}

/* One tag: `head` and `payload` are its body. */
static int put_tag(struct recording *r, enum flv_message message, int64_t at_ms,
		   const uint8_t *head, size_t head_bytes, const uint8_t *payload, size_t size)
{
	uint32_t body_bytes = (uint32_t)(head_bytes + size);
	uint8_t *to = buffer_reserve(&r->out, TAG_ROOM + size);

	if (to == NULL) {
		return -ENOMEM;
	}
	flv_write_tag_header(to, message, (uint32_t)at_ms, body_bytes);
	to += FLV_TAG_HEADER_BYTES;
	if (head_bytes > 0) {
		memcpy(to, head, head_bytes);
	}
	if (size > 0) {
		memcpy(to + head_bytes, payload, size);
	}
	flv_write_tag_trailer(to + body_bytes, body_bytes);
	buffer_grew(&r->out, FLV_TAG_HEADER_BYTES + body_bytes + FLV_TAG_TRAILER_BYTES);
	return 0;
}

static int put_packet(struct recording *r, const struct packet *p, const uint8_t *payload)
{
	int64_t at_ms = follow_ms(p->dts_90k, r->base_90k);
	uint8_t head[FLV_HEAD_MAX];
	enum flv_message message;
	size_t head_bytes = flv_write_head(p, follow_cts_ms(p, r->base_90k), head, &message);

	/* A header may be older than what it stands before, or be of a new show time. */
	if (packet_is_header(p) && (at_ms < r->latest_ms || r->is_rebased)) {
		at_ms = r->latest_ms;
	}
	return put_tag(r, message, at_ms, head, head_bytes, payload, p->size);
}

static int put_script(struct recording *r, const struct header_set *headers)
{
	uint8_t storage[1024];
	struct buffer body = { .data = storage,
			       .capacity = sizeof(storage),
			       .max = sizeof(storage) };
	size_t duration_at;

	if (!script_write(headers, &body, &duration_at)) {
		return -ENOBUFS;
	}
	r->duration_at = (int64_t)(r->bytes + buffer_size(&r->out) + FLV_TAG_HEADER_BYTES +
				   duration_at);
	return put_tag(r, FLV_DATA, 0, NULL, 0, buffer_bytes(&body), buffer_size(&body));
}

/* onMetaData is our own, and an encoder's goodbye is the end of a feed, never of the show. */
static bool is_wanted(const struct packet *p)
{
	return p->type != PACKET_META && p->type != PACKET_END &&
	       p->size <= BODY_MAX - FLV_HEAD_MAX;
}

static int put_headers(struct recording *r, const struct header_set *headers)
{
	int error = 0;

	for (unsigned i = 0; i < headers->count && error == 0; i++) {
		const struct header *h = &headers->items[i];

		if (is_wanted(&h->packet)) {
			struct packet p = h->packet;

			p.pts_90k = r->base_90k + p.pts_90k - p.dts_90k;
			p.dts_90k = r->base_90k;
			error = put_packet(r, &p, h->payload);
		}
	}
	return error;
}

static bool has_kind(const struct header_set *headers, const struct packet *first,
		     enum packet_kind kind)
{
	return first->kind == kind || header_set_find(headers, kind, PACKET_CONFIG, 0) != NULL;
}

/* The file begins. */
static int begin(struct recording *r, const struct packet *first, const struct header_set *headers)
{
	uint8_t *to = buffer_reserve(&r->out, FLV_FILE_HEADER_BYTES);
	int error;

	if (to == NULL) {
		return -ENOMEM;
	}
	flv_write_file_header(to, has_kind(headers, first, PACKET_AUDIO),
			      has_kind(headers, first, PACKET_VIDEO));
	buffer_grew(&r->out, FLV_FILE_HEADER_BYTES);
	r->base_90k = first->dts_90k;
	error = put_script(r, headers);
	return error == 0 ? put_headers(r, headers) : error;
}

/* Goes on after a loss; in a new show time, right behind what there is. */
static void resume(struct recording *r, const struct packet *first)
{
	if (r->is_rebased) {
		r->base_90k = first->dts_90k - (r->latest_ms + 1) * (MEDIA_HZ / 1000);
		r->is_rebased = false;
	}
}

static int join(struct recording *r, const struct packet *first, const struct header_set *headers)
{
	int error = 0;

	if (r->state == RECORDING_WAITING) {
		error = begin(r, first, headers);
	} else {
		resume(r, first);
	}
	r->is_open_join = first->kind == PACKET_VIDEO && (first->flags & PACKET_RECOVERY) != 0;
	r->join_pts_90k = first->pts_90k;
	r->state = RECORDING_RUNNING;
	return error;
}

/* Pictures of before the point joined at lack what they refer to; so does what is older. */
static bool is_useless(const struct recording *r, const struct packet *p)
{
	return p->dts_90k < r->base_90k || (r->is_open_join && p->kind == PACKET_VIDEO &&
					    p->track == 0 && p->pts_90k < r->join_pts_90k);
}

static int take_media(struct recording *r, const struct packet *p, const uint8_t *payload,
		      struct follower *follower)
{
	size_t mark = buffer_size(&r->out);
	int error;

	if (is_useless(r, p)) {
		return 0;
	}
	error = put_packet(r, p, payload);
	if (error == 0 && !follower_is_valid(follower)) {
		r->out.tail = r->out.head + mark; /* FOLLOW_LAPPED comes next */
		return 0;
	}
	if (error == 0) {
		int64_t at_ms = follow_ms(p->dts_90k, r->base_90k);

		r->latest_ms = at_ms > r->latest_ms ? at_ms : r->latest_ms;
		r->packets++;
	}
	return error;
}

static int take_packet(struct recording *r, const struct follow *next, struct follower *follower)
{
	const struct packet *p = &next->packet;
	bool is_joining = r->state != RECORDING_RUNNING && (p->flags & PACKET_JOIN);
	int error = 0;

	if (!is_wanted(p)) {
		return 0;
	}
	if (packet_is_header(p)) {
		return r->state == RECORDING_WAITING ? 0 : put_packet(r, p, next->payload);
	}
	if (is_joining) {
		error = join(r, p, follower_headers(follower));
	}
	if (r->state == RECORDING_REJOINING) {
		r->dropped++;
	}
	if (error < 0 || r->state != RECORDING_RUNNING) {
		return error;
	}
	return take_media(r, p, next->payload, follower);
}

static void lose(struct recording *r, const struct follow *next)
{
	if (r->state == RECORDING_WAITING) {
		return;
	}
	r->state = RECORDING_REJOINING;
	r->dropped += next->lost;
	if (next->event == FOLLOW_RESTARTED) {
		r->is_rebased = true;
	}
}

int recording_follow(struct recording *r, struct follower *follower)
{
	struct follow next;
	int count = 0;
	int error = 0;

	while (error == 0 && follower_next(follower, &next) != FOLLOW_EMPTY) {
		if (next.event == FOLLOW_PACKET) {
			error = take_packet(r, &next, follower);
			count++;
		} else {
			lose(r, &next);
		}
		if (error == 0 && buffer_size(&r->out) >= BATCH_BYTES) {
			error = flush(r);
		}
	}
	if (error == 0) {
		error = flush(r);
	}
	return error < 0 ? error : count;
}

int recording_end(struct recording *r)
{
	double seconds = (double)r->latest_ms / 1000;
	uint8_t bytes[sizeof(double)];
	uint64_t bits;

	if (r->state == RECORDING_WAITING) {
		return 0;
	}
	if (lseek(r->file, (off_t)r->duration_at, SEEK_SET) < 0) {
		return errno == ESPIPE ? 0 : -errno;
	}
	memcpy(&bits, &seconds, sizeof(bits));
	put_be64(bytes, bits);
	return write_all(r->file, bytes, sizeof(bytes));
}
