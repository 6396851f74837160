/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One connection of a feed: from its ring to the timeline (source.h). switch. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "source.h"

#define SECOND_US 1000000
#define NAL_LENGTH_BYTES 4 /* until the codec header says */

/* Flags that a feed may set; the others are the timeline's. */
#define FEED_FLAGS (PACKET_DISPOSABLE | PACKET_REPEAT | PACKET_EX | PACKET_SILENCE)

int source_create(struct timeline *tl, int ring_fd, uint16_t feed, uint32_t incarnation,
		  uint64_t seed, int64_t now_us, struct source **ret)
{
	struct source *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		return -ENOMEM;
	}
	s->feed = feed;
	s->incarnation = incarnation;
	s->seed = seed;
	s->second_us = now_us;
	memset(s->nal_length_bytes, NAL_LENGTH_BYTES, sizeof(s->nal_length_bytes));

	int error = ring_reader_open(ring_fd, &s->ring);
	if (error == 0) {
		s->handle = timeline_open(tl, feed, incarnation, now_us);
		error = s->handle < 0 ? s->handle : 0;
	}
	if (error != 0) {
		source_destroy(&s);
		return error;
	}
	s->next_seq = ring_oldest(s->ring);
	*ret = s;
	return 0;
}

void source_destroy(struct source **s)
{
	if (*s != NULL) {
		ring_reader_close(&(*s)->ring);
		header_history_finish(&(*s)->headers);
		free(*s);
		*s = NULL;
	}
}

/* Keeps a header for later and reads a codec header's parameters. The payload is copied first, as
 * it may change while it is read. True if *ret_params was filled. */
static bool source_examine_header(struct source *s, const struct packet *p, const uint8_t *payload,
				  struct codec_params *ret_params)
{
	uint8_t copy[HEADER_BYTES_MAX];
	bool is_parsed;

	if (p->size > sizeof(copy)) {
		return false;
	}
	memcpy(copy, payload, p->size);
	if (!ring_is_valid(s->ring, s->next_seq)) {
		return false;
	}
	is_parsed = p->type == PACKET_CONFIG &&
		    codec_parse_config(p->codec, copy, p->size, ret_params) == CODEC_OK;
	if (is_parsed && p->kind == PACKET_VIDEO && ret_params->nal_length_bytes != 0) {
		s->nal_length_bytes[p->track] = ret_params->nal_length_bytes;
	}
	if (p->kind == PACKET_AUDIO && p->track == 0 && is_parsed && ret_params->channels != 0) {
		s->sound = *ret_params;
		s->has_sound_header = true;
	}
	header_history_put(&s->headers, p, copy);
	return is_parsed;
}

/* What the frame is and holds, from its bytes. */
static void source_examine_frame(const struct source *s, struct packet *p, const uint8_t *payload,
				 unsigned claimed)
{
	unsigned nal_length_bytes = 0;

	if (p->kind == PACKET_VIDEO) {
		nal_length_bytes = s->nal_length_bytes[p->track];
		p->flags |= (uint16_t)codec_random_access(p->codec, nal_length_bytes, payload,
							  p->size, claimed);
	}
	p->fingerprint = media_fingerprint(p->codec, nal_length_bytes, payload, p->size, s->seed);
}

static void source_lapped(struct source *s, struct timeline *tl, int64_t now_us)
{
	uint64_t oldest = ring_oldest(s->ring);

	if (oldest <= s->next_seq) {
		oldest = s->next_seq + 1; /* whatever the writer says, forward it goes */
	}
	s->lapped += oldest - s->next_seq;
	s->next_seq = oldest;
	timeline_lapped(tl, s->handle, oldest, now_us);
}

/* Sound whose frames say what they are, and that no header has told of: true if it is news. */
static bool source_examine_sound(struct source *s, const struct packet *p, const uint8_t *payload,
				 struct codec_params *ret_params)
{
	uint8_t head[CODEC_FRAME_HEAD_BYTES];
	size_t size = p->size < sizeof(head) ? p->size : sizeof(head);
	struct codec_params *known = &s->sound;

	if (p->kind != PACKET_AUDIO || p->track != 0 || size == 0 ||
	    (s->has_sound_header && p->codec == known->codec)) {
		return false;
	}
	memcpy(head, payload, size); /* it may change while it is read */
	if (!ring_is_valid(s->ring, s->next_seq) ||
	    codec_parse_frame(p->codec, head, size, ret_params) != CODEC_OK) {
		return false;
	}
	if (known->codec == ret_params->codec && known->sample_rate == ret_params->sample_rate &&
	    known->channels == ret_params->channels) {
		return false;
	}
	*known = *ret_params;
	s->has_sound_header = false;
	return true;
}

/* One packet. False if there is none. */
static bool source_take(struct source *s, struct timeline *tl, int64_t now_us)
{
	struct packet p = { 0 };
	struct codec_params params;
	const uint8_t *payload = NULL;
	bool has_params = false;
	int error = ring_map(s->ring, s->next_seq, &p, &payload);

	if (error == -EAGAIN) {
		return false;
	}
	if (error == 0) {
		unsigned claimed = p.flags & (PACKET_KEY | PACKET_RECOVERY);

		p.flags &= FEED_FLAGS;
		p.source_seq = s->next_seq;
		if (packet_is_header(&p)) {
			has_params = source_examine_header(s, &p, payload, &params);
		} else if (p.type == PACKET_FRAME) {
			source_examine_frame(s, &p, payload, claimed);
			has_params = source_examine_sound(s, &p, payload, &params);
		}
	}
	if (error == -ESTALE || (error == 0 && !ring_is_valid(s->ring, s->next_seq))) {
		source_lapped(s, tl, now_us);
		return true;
	}
	/* A slot without a sane packet goes in as PACKET_NONE, for the timeline to hold against the
	 * feed; so does what it refuses otherwise. */
	timeline_push(tl, s->handle, s->next_seq, &p, has_params ? &params : NULL, now_us);
	s->next_seq++;
	return true;
}

bool source_drain(struct source *s, struct timeline *tl, int64_t now_us)
{
	if (now_us - s->second_us >= SECOND_US) {
		s->second_us = now_us;
		s->taken = 0;
	}
	while (s->taken < SOURCE_PACKETS_PER_SECOND) {
		if (!source_take(s, tl, now_us)) {
			return true;
		}
		s->taken++;
	}
	return false;
}

int64_t source_resumes_us(const struct source *s)
{
	return s->second_us + SECOND_US;
}

void source_close(struct source *s, struct timeline *tl, const char *cause, int64_t now_us)
{
	source_drain(s, tl, now_us);
	s->is_closed = true;
	timeline_close(tl, s->handle, cause, now_us);
}
