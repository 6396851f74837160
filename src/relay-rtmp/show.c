/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading the show ring (show.h). Runs in relay-rtmp; never blocks. Owns the follower and our
 * onMetaData.
 */
#include <string.h>

#include <understudy/log.h>

#include "relay.h"

int show_take_ring(struct show *s, int ring_fd)
{
	int error = s->follower ? follower_switch(s->follower, ring_fd)
				: follower_open(ring_fd, &s->follower);

	if (!error) {
		s->shape.headers = follower_headers(s->follower);
		s->shape.encoder = "understudy/" UNDERSTUDY_VERSION;
		s->is_metadata_stale = true;
	}
	return error;
}

void show_finish(struct show *s)
{
	message_unref(&s->metadata);
	follower_close(&s->follower);
}

bool show_needs_enhanced(const struct show *s)
{
	return s->follower && metadata_needs_enhanced(&s->shape);
}

static bool is_same(const struct message *m, const struct buffer *b)
{
	return m && m->packet.size == buffer_size(b) &&
	       memcmp(m->payload, buffer_bytes(b), buffer_size(b)) == 0;
}

static void offer_all(struct relay *r, struct message *m)
{
	const struct outlet_start start = { r->show.shape.headers, r->show.metadata };
	struct destination *d;

	LIST_FOREACH(d, &r->destinations, entry) {
		destination_offer(d, m, &start);
	}
}

/* Makes our onMetaData anew before the first frame after a change of headers; those who have had
 * the old one get the new one at that frame's time. */
static void refresh_metadata(struct relay *r, const struct packet *frame)
{
	struct show *s = &r->show;
	struct packet p = { .kind = PACKET_DATA,
			    .type = PACKET_SCRIPT,
			    .dts_90k = frame->dts_90k,
			    .pts_90k = frame->pts_90k,
			    .arrival_us = frame->arrival_us };
	struct message *m;
	struct buffer b;

	s->is_metadata_stale = false;
	buffer_init(&b, METADATA_BYTES_MAX);
	if (metadata_build(&s->shape, &b) && !is_same(s->metadata, &b)) {
		p.size = (uint32_t)buffer_size(&b);
		m = message_create(&p, buffer_bytes(&b));
		if (m) {
			message_unref(&s->metadata);
			s->metadata = m;
			offer_all(r, m);
		}
	}
	buffer_finish(&b);
}

/* Learns what the show is made of; headers tell most, frames what has none. */
static void learn(struct relay *r, const struct packet *p, int64_t now_us)
{
	struct show *s = &r->show;

	if (packet_is_header(p)) {
		s->is_metadata_stale = true;
		return;
	}
	if (p->type != PACKET_FRAME) {
		return;
	}
	s->has_media = true;
	s->media_us = now_us;
	if (p->track == 0 && (p->kind == PACKET_VIDEO || p->kind == PACKET_AUDIO)) {
		struct packet *shape = p->kind == PACKET_VIDEO ? &s->shape.video : &s->shape.audio;

		s->is_metadata_stale |= shape->codec != p->codec || shape->kind != p->kind;
		*shape = *p;
	}
	if (s->is_metadata_stale) {
		refresh_metadata(r, p);
	}
}

static bool is_anybody_listening(const struct relay *r)
{
	const struct destination *d;

	LIST_FOREACH(d, &r->destinations, entry) {
		if (destination_is_listening(d)) {
			return true;
		}
	}
	return false;
}

static void hand_out(struct relay *r, const struct follow *f, int64_t now_us)
{
	struct message *m;

	learn(r, &f->packet, now_us);
	if (f->packet.type == PACKET_META || !is_anybody_listening(r)) {
		return;
	}
	m = message_create(&f->packet, f->payload);
	if (m && !follower_is_valid(r->show.follower)) {
		message_unref(&m); /* overwritten while it was copied: "lapped" comes next */
	}
	if (m) {
		offer_all(r, m);
		message_unref(&m);
	}
}

static void interrupt(struct relay *r, const struct follow *f)
{
	struct destination *d;

	log_warn("show=%s %s lost=%llu: destinations go on at the next key frame", r->name,
		 f->event == FOLLOW_LAPPED ? "reader lapped" : "show time began anew",
		 (unsigned long long)f->lost);
	LIST_FOREACH(d, &r->destinations, entry) {
		destination_interrupt(d, f->event == FOLLOW_RESTARTED);
	}
}

unsigned show_read(struct relay *r, int64_t now_us)
{
	struct follow f;
	unsigned packets = 0;

	if (!r->show.follower) {
		return 0;
	}
	while (follower_next(r->show.follower, &f) != FOLLOW_EMPTY) {
		if (f.event == FOLLOW_PACKET) {
			hand_out(r, &f, now_us);
			packets++;
		} else {
			interrupt(r, &f);
		}
	}
	return packets;
}
