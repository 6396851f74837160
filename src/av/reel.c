/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the show ring into a container (reel.h). Blocks where the container does. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/reel.h>
#include <understudy/text.h>

/* A show without sound, or with sound that has no codec header, is known as such after this. */
#define GATHER_90K (MEDIA_HZ / 2)
#define HELD_BYTES_MAX (32u << 20)

struct held {
	struct held *next;
	struct packet packet;
	uint8_t payload[];
};

/* ---- packets held back ---- */

static void held_clear(struct reel *r)
{
	while (r->held != NULL) {
		struct held *h = r->held;

		r->held = h->next;
		free(h);
	}
	r->held_end = &r->held;
	r->held_bytes = 0;
}

/* A copy of the packet; NULL without -ENOMEM if it was overwritten meanwhile. */
static int held_copy(const struct follow *next, struct follower *follower, struct held **ret)
{
	size_t size = next->packet.size;
	struct held *h = malloc(sizeof(*h) + size);

	*ret = NULL;
	if (h == NULL) {
		return -ENOMEM;
	}
	h->next = NULL;
	h->packet = next->packet;
	if (size > 0) {
		memcpy(h->payload, next->payload, size);
	}
	if (!follower_is_valid(follower)) {
		free(h); /* FOLLOW_LAPPED comes next */
		return 0;
	}
	*ret = h;
	return 0;
}

static void held_add(struct reel *r, struct held *h)
{
	*r->held_end = h;
	r->held_end = &h->next;
	r->held_bytes += h->packet.size;
}

/* ---- life ---- */

void reel_init(struct reel *r)
{
	*r = (struct reel){ .state = REEL_WAITING };
	r->held_end = &r->held;
}

void reel_finish(struct reel *r)
{
	mux_destroy(&r->mux, false);
	tracks_finish(&r->tracks);
	held_clear(r);
}

int reel_drop(struct reel *r, bool is_whole)
{
	int error = mux_destroy(&r->mux, is_whole);

	held_clear(r);
	tracks_finish(&r->tracks);
	r->state = REEL_WAITING;
	r->is_rebased = false;
	return error;
}

int64_t reel_length_90k(const struct reel *r)
{
	return r->latest_90k - r->began_90k;
}

/* ---- joining ---- */

bool reel_next(struct reel *r, struct follower *follower, struct follow *next)
{
	return r->state != REEL_READY && follower_next(follower, next) != FOLLOW_EMPTY;
}

static bool is_media(const struct packet *p)
{
	return p->type == PACKET_FRAME && (p->kind == PACKET_VIDEO || p->kind == PACKET_AUDIO);
}

bool reel_is_cut(const struct reel *r, const struct follow *next)
{
	return r->state == REEL_RUNNING && next->event == FOLLOW_PACKET &&
	       is_media(&next->packet) && (next->packet.flags & PACKET_JOIN) != 0;
}

static void note_join(struct reel *r, const struct packet *p)
{
	r->is_open_join = p->kind == PACKET_VIDEO && (p->flags & PACKET_RECOVERY) != 0;
	r->join_pts_90k = p->pts_90k;
}

/* The packet that everything begins with. */
static int join(struct reel *r, const struct packet *p, struct follower *follower)
{
	held_clear(r);
	note_join(r, p);
	if (r->mux == NULL) {
		r->base_90k = p->dts_90k;
		r->latest_90k = 0;
		r->began_90k = 0;
	}
	r->state = REEL_GATHERING;
	return r->mux == NULL ? tracks_read(&r->tracks, follower_headers(follower)) : 0;
}

/* Pictures of before the point joined at lack what they refer to; so does what is older. */
static bool is_useless(const struct reel *r, const struct packet *p)
{
	return p->dts_90k < r->base_90k || (r->is_open_join && p->kind == PACKET_VIDEO &&
					    p->track == 0 && p->pts_90k < r->join_pts_90k);
}

static bool is_gathered(const struct reel *r, const struct packet *p)
{
	return r->mux != NULL || p->dts_90k - r->held->packet.dts_90k >= GATHER_90K ||
	       r->held_bytes > HELD_BYTES_MAX ||
	       (tracks_have(&r->tracks, PACKET_VIDEO) && tracks_have(&r->tracks, PACKET_AUDIO));
}

static int gather(struct reel *r, struct held *h)
{
	int error = tracks_see(&r->tracks, &h->packet, h->payload);

	held_add(r, h);
	if (error == 0 && is_gathered(r, &h->packet)) {
		r->state = REEL_READY;
	}
	return error;
}

/* ---- running ---- */

static int put(struct reel *r, const struct held *h, char why[MUX_TEXT])
{
	int64_t at_90k = h->packet.dts_90k - r->base_90k;
	int error;

	if (is_useless(r, &h->packet)) {
		return 0;
	}
	error = mux_write(r->mux, &r->tracks, &h->packet, h->payload, r->base_90k, why);
	if (error == 0) {
		r->latest_90k = at_90k > r->latest_90k ? at_90k : r->latest_90k;
		r->packets++;
	}
	return error;
}

/* Goes on after a loss; in a new show time, right behind what there is. */
static void rejoin(struct reel *r, const struct packet *p)
{
	if (r->is_rebased) {
		r->base_90k = p->dts_90k - r->latest_90k - MEDIA_HZ / 50;
		r->is_rebased = false;
	}
	note_join(r, p);
	r->state = REEL_RUNNING;
}

static int take_header(struct reel *r, const struct follow *next, char why[MUX_TEXT])
{
	if ((r->state == REEL_WAITING && r->mux == NULL) ||
	    tracks_update(&r->tracks, &next->packet, next->payload) != TRACKS_ANEW) {
		return 0;
	}
	if (r->state == REEL_GATHERING) {
		r->state = REEL_WAITING; /* too early to be worth a file */
		return 0;
	}
	/* What follows up to the next joining point could not be decoded by this container. */
	int error = mux_destroy(&r->mux, true);
	r->state = REEL_WAITING;
	if (error < 0) {
		text_format(why, MUX_TEXT, "cannot finish: %s", strerror(-error));
	}
	return error;
}

static int take_media(struct reel *r, const struct follow *next, struct follower *follower,
		      char why[MUX_TEXT])
{
	bool is_join = (next->packet.flags & PACKET_JOIN) != 0;
	struct held *h;
	int error = 0;

	if (r->state == REEL_WAITING && is_join) {
		error = join(r, &next->packet, follower);
	} else if (r->state == REEL_REJOINING && is_join) {
		rejoin(r, &next->packet);
	}
	if (error < 0 || r->state == REEL_WAITING || r->state == REEL_REJOINING) {
		r->dropped += r->state == REEL_REJOINING;
		return error;
	}
	error = held_copy(next, follower, &h);
	if (h == NULL) {
		return error;
	}
	if (r->state == REEL_GATHERING) {
		return gather(r, h);
	}
	error = put(r, h, why);
	free(h);
	return error;
}

static void lose(struct reel *r, const struct follow *next)
{
	if (r->state == REEL_GATHERING) {
		held_clear(r);
		r->state = REEL_WAITING;
	}
	if (r->state == REEL_WAITING) {
		r->is_rebased |= r->mux != NULL && next->event == FOLLOW_RESTARTED;
		return;
	}
	r->state = REEL_REJOINING;
	r->dropped += next->lost;
	r->is_rebased |= next->event == FOLLOW_RESTARTED;
}

int reel_take(struct reel *r, const struct follow *next, struct follower *follower,
	      char why[MUX_TEXT])
{
	text_copy(why, MUX_TEXT, "no memory");
	if (next->event != FOLLOW_PACKET) {
		lose(r, next);
		return 0;
	}
	if (packet_is_header(&next->packet)) {
		return take_header(r, next, why);
	}
	return is_media(&next->packet) ? take_media(r, next, follower, why) : 0;
}

/* ---- containers ---- */

int reel_cut(struct reel *r, char why[MUX_TEXT])
{
	int error;

	r->state = REEL_WAITING; /* for the packet that comes now */
	if (mux_can_move(r->mux)) {
		return mux_flush(r->mux, why);
	}
	error = mux_destroy(&r->mux, true);
	if (error < 0) {
		text_format(why, MUX_TEXT, "cannot finish: %s", strerror(-error));
	}
	return error;
}

int reel_begin(struct reel *r, enum mux_format format, const struct mux_sink *sink,
	       const struct mux_address *address, char remark[MUX_TEXT], char why[MUX_TEXT])
{
	int error = 0;

	if (r->mux == NULL) {
		if (tracks_choose(&r->tracks, format, remark) == 0) {
			text_format(why, MUX_TEXT, "%s can carry nothing of this show%s%s",
				    mux_format_str(format), remark[0] != '\0' ? ": " : "", remark);
			return -ENOTSUP;
		}
		error = mux_create(format, &r->tracks, sink, address, &r->mux, why);
	}
	r->began_90k = r->held->packet.dts_90k - r->base_90k;
	for (const struct held *h = r->held; error == 0 && h != NULL; h = h->next) {
		error = put(r, h, why);
	}
	held_clear(r);
	r->state = REEL_RUNNING;
	return error;
}
