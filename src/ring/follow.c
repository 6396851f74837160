/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Following a show ring, for the relays. Blocks on nothing. Owns its readers and the headers
 * in force; what it reads is checked by the ring's reader, packet by packet.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/follow.h>
#include <understudy/ring.h>

#define RINGS_MAX 4
#define STEPS_MAX 65536 /* packets looked at in one call */
#define OTHERS_KEPT 32

/* At a hand-over: how long after the old ring's end the new one may still repeat it, by how much
 * two copies of a frame may differ in time, and how far back show time may fall without being
 * a new one. */
#define OVERLAP_90K (1 * MEDIA_HZ)
#define SAME_FRAME_90K (2 * MEDIA_HZ / 1000)
#define RESTART_90K (10 * MEDIA_HZ)

/* The last frame given of one track. */
struct last_frame {
	int64_t dts_90k;
	uint64_t fingerprint;
	bool is_set;
};

/* A packet that is neither frame nor header, by its origin. */
struct origin {
	uint64_t source_seq;
	uint32_t incarnation;
	uint16_t feed;
};

struct follower {
	struct ring_reader *rings[RINGS_MAX]; /* owned; [0] is being read */
	unsigned ring_count;
	uint64_t at;      /* number of the packet to look at next */
	uint64_t resume;  /* below it only headers are taken in */
	uint64_t lost;    /* to be reported */
	bool is_mapped;   /* the payload given last lies in the ring ... */
	bool is_torn;     /* ... and was overwritten */
	bool is_handover; /* the new ring may repeat what the old one held */
	int64_t latest_90k;
	bool has_latest;
	struct last_frame frames[PACKET_KINDS][PACKET_TRACKS_MAX];
	struct origin others[OTHERS_KEPT];
	unsigned other_count;
	struct header_set headers;
	struct follower_counts counts;
	uint8_t scratch[HEADER_BYTES_MAX];
};

int follower_open(int ring_fd, struct follower **ret)
{
	struct follower *f = calloc(1, sizeof(*f));
	int r;

	if (f == NULL) {
		return -ENOMEM;
	}
	r = ring_reader_open(ring_fd, &f->rings[0]);
	if (r < 0) {
		free(f);
		return r;
	}
	f->ring_count = 1;
	f->at = ring_oldest(f->rings[0]);
	f->resume = ring_next(f->rings[0]);
	*ret = f;
	return 0;
}

void follower_close(struct follower **f)
{
	if (*f == NULL) {
		return;
	}
	for (unsigned i = 0; i < (*f)->ring_count; i++) {
		ring_reader_close(&(*f)->rings[i]);
	}
	header_set_finish(&(*f)->headers);
	free(*f);
	*f = NULL;
}

static void note_lost(struct follower *f, uint64_t lost)
{
	f->lost += lost;
	f->counts.lapped += lost;
}

/* Leaves the ring being read for the next one, from its oldest packet on. */
static void enter_next_ring(struct follower *f)
{
	ring_reader_close(&f->rings[0]);
	f->ring_count--;
	memmove(&f->rings[0], &f->rings[1], f->ring_count * sizeof(f->rings[0]));
	f->rings[f->ring_count] = NULL;
	f->at = ring_oldest(f->rings[0]);
	f->resume = f->at;
	f->is_handover = f->has_latest;
	f->is_mapped = false;
	f->is_torn = false;
	note_lost(f, f->at); /* numbers start at 0 */
}

int follower_switch(struct follower *f, int ring_fd)
{
	struct ring_reader *reader;
	int r = ring_reader_open(ring_fd, &reader);

	if (r < 0) {
		return r;
	}
	if (f->ring_count == RINGS_MAX) {
		uint64_t next = ring_next(f->rings[0]);

		note_lost(f, next > f->at ? next - f->at : 0);
		enter_next_ring(f);
	}
	f->rings[f->ring_count++] = reader;
	return 0;
}

/* The packet at `from` is gone: goes to the live edge, past headers that may have changed. */
static void lap(struct follower *f, uint64_t from)
{
	uint64_t next = ring_next(f->rings[0]);

	if (from < f->resume) {
		from = f->resume;
	}
	note_lost(f, next > from ? next - from : 0);
	f->at = ring_oldest(f->rings[0]);
	f->resume = next;
}

static bool is_other_given(const struct follower *f, const struct packet *p)
{
	unsigned kept = f->other_count < OTHERS_KEPT ? f->other_count : OTHERS_KEPT;

	for (unsigned i = 0; i < kept; i++) {
		const struct origin *o = &f->others[i];

		if (o->source_seq == p->source_seq && o->incarnation == p->incarnation &&
		    o->feed == p->feed) {
			return true;
		}
	}
	return false;
}

/* Whether the old ring has given this packet. Show time rises strictly within a track; two
 * twins' copies of a frame may be a millisecond apart. */
static bool is_duplicate(const struct follower *f, const struct packet *p)
{
	const struct last_frame *last = &f->frames[p->kind][p->track];

	if (p->type != PACKET_FRAME) {
		return is_other_given(f, p);
	}
	if (!last->is_set) {
		return false;
	}
	return p->dts_90k <= last->dts_90k ||
	       (p->fingerprint == last->fingerprint && p->dts_90k - last->dts_90k < SAME_FRAME_90K);
}

static void remember(struct follower *f, const struct packet *p)
{
	if (p->type == PACKET_FRAME) {
		f->frames[p->kind][p->track] = (struct last_frame){
			.dts_90k = p->dts_90k,
			.fingerprint = p->fingerprint,
			.is_set = true,
		};
	} else {
		f->others[f->other_count++ % OTHERS_KEPT] = (struct origin){
			.source_seq = p->source_seq,
			.incarnation = p->incarnation,
			.feed = p->feed,
		};
	}
	if (!f->has_latest || p->dts_90k > f->latest_90k) {
		f->latest_90k = p->dts_90k;
		f->has_latest = true;
	}
}

static void forget(struct follower *f)
{
	memset(f->frames, 0, sizeof(f->frames));
	f->other_count = 0;
	f->has_latest = false;
	f->is_handover = false;
}

static enum follow_event give(struct follower *f, const struct packet *p, const uint8_t *payload,
			      struct follow *ret)
{
	ret->event = FOLLOW_PACKET;
	ret->packet = *p;
	ret->packet.flags &= (uint16_t)~PACKET_REPEAT;
	ret->payload = p->size > 0 ? payload : NULL;
	f->at++;
	f->counts.packets++;
	return FOLLOW_PACKET;
}

/* A header is given only if it changes what is in force. */
static enum follow_event take_header(struct follower *f, struct follow *ret)
{
	const struct header *h;
	struct packet p;
	int r = ring_read(f->rings[0], f->at, &p, f->scratch, sizeof(f->scratch));

	if (r == -ESTALE) {
		lap(f, f->at);
		return FOLLOW_EMPTY;
	}
	if (r == 0 && packet_is_header(&p)) {
		r = header_set_put(&f->headers, &p, f->scratch);
	} else {
		r = -EBADMSG;
	}
	if (r <= 0) {
		f->counts.insane += r < 0;
		f->at++;
		return FOLLOW_EMPTY;
	}
	h = header_set_find(&f->headers, p.kind, p.type, p.track);
	return give(f, &p, h->payload, ret);
}

/* Anything but a header. FOLLOW_EMPTY: not to be given. */
static enum follow_event take_packet(struct follower *f, const struct packet *p,
				     const uint8_t *payload, struct follow *ret)
{
	if (f->at < f->resume || (p->flags & PACKET_REPEAT)) {
		f->at++;
		return FOLLOW_EMPTY;
	}
	if (f->is_handover && p->type == PACKET_FRAME) {
		if (p->dts_90k < f->latest_90k - RESTART_90K) {
			forget(f);
			ret->event = FOLLOW_RESTARTED;
			return FOLLOW_RESTARTED;
		}
		f->is_handover = p->dts_90k <= f->latest_90k + OVERLAP_90K;
	}
	if (f->is_handover && is_duplicate(f, p)) {
		f->counts.duplicates++;
		f->at++;
		return FOLLOW_EMPTY;
	}
	remember(f, p);
	f->is_mapped = p->size > 0;
	return give(f, p, payload, ret);
}

/* Looks at one packet; true if there is something to tell. */
static bool step(struct follower *f, struct follow *ret, bool *ret_is_drained)
{
	const uint8_t *payload = NULL;
	struct packet p;

	switch (ring_map(f->rings[0], f->at, &p, &payload)) {
	case 0:
		return (packet_is_header(&p) ? take_header(f, ret)
					     : take_packet(f, &p, payload, ret)) != FOLLOW_EMPTY;
	case -EAGAIN:
		*ret_is_drained = true;
		return false;
	case -ESTALE:
		lap(f, f->at);
		return false;
	default:
		f->counts.insane++;
		f->at++;
		return false;
	}
}

enum follow_event follower_next(struct follower *f, struct follow *ret)
{
	*ret = (struct follow){ .event = FOLLOW_EMPTY };
	if (f->is_torn) {
		lap(f, f->at - 1);
	}
	f->is_mapped = false;
	f->is_torn = false;
	for (unsigned steps = 0; steps < STEPS_MAX; steps++) {
		bool is_drained = false;

		if (f->lost > 0) {
			ret->event = FOLLOW_LAPPED;
			ret->lost = f->lost;
			f->lost = 0;
			return FOLLOW_LAPPED;
		}
		if (step(f, ret, &is_drained)) {
			return ret->event;
		}
		if (is_drained && f->ring_count == 1) {
			break;
		}
		if (is_drained) {
			enter_next_ring(f);
		}
	}
	return FOLLOW_EMPTY;
}

bool follower_is_valid(struct follower *f)
{
	if (f->is_mapped && !ring_is_valid(f->rings[0], f->at - 1)) {
		f->is_torn = true;
	}
	return !f->is_torn;
}

const struct header_set *follower_headers(const struct follower *f)
{
	return &f->headers;
}

struct follower_counts follower_counts(const struct follower *f)
{
	return f->counts;
}
