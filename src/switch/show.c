/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the timeline to the show ring (show.h). switch. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "show.h"

#define REPEAT_US 1000000

static_assert(sizeof(struct show_checkpoint) <= RING_CHECKPOINT_MAX, "it must fit the ring");

int show_init(struct show *show, int ring_fd, int64_t span_us, bool fills_silence)
{
	*show = (struct show){ .repeated_us = INT64_MIN / 2 };
	silence_init(&show->silence, fills_silence);
	return ring_writer_open(ring_fd, span_us, &show->ring);
}

void show_finish(struct show *show)
{
	ring_writer_close(&show->ring);
	header_set_finish(&show->headers);
}

/* A header at the place of packet `at`. */
static void show_write_header(struct show *show, const struct header *header,
			      const struct packet *at, unsigned flags, int64_t now_us)
{
	struct packet p = header->packet;
	struct iovec part = { .iov_base = header->payload, .iov_len = p.size };

	p.flags |= (uint16_t)flags;
	p.feed = at->feed;
	p.incarnation = at->incarnation;
	p.dts_90k = at->dts_90k;
	p.pts_90k = at->dts_90k;
	p.arrival_us = now_us;
	if (ring_write(show->ring, &p, &part, 1, NULL) == 0) {
		show->next_seq++;
	}
}

static void show_forget_header(struct show *show, unsigned index)
{
	struct header_set *set = &show->headers;

	free(set->items[index].payload);
	set->count--;
	memmove(&set->items[index], &set->items[index + 1],
		(set->count - index) * sizeof(set->items[0]));
}

/* The show's headers of this kind and track that the source of packet `p` does not have, ended
 * with the source before it. A reader that came in the middle of a feed knows none at first;
 * that proves nothing, unless it is another codec. */
static void show_forget_headers(struct show *show, const struct header_set *source,
				enum packet_kind kind, unsigned track, const struct packet *p)
{
	bool is_known = header_set_find(source, (enum packet_kind)p->kind, PACKET_CONFIG,
					p->track) != NULL;

	for (unsigned i = 0; i < show->headers.count;) {
		const struct packet *h = &show->headers.items[i].packet;
		bool is_other_codec = kind == p->kind && p->codec != CODEC_NONE &&
				      h->codec != p->codec;

		if (h->kind == kind && h->track == track &&
		    (is_other_codec ||
		     (is_known &&
		      header_set_find(source, kind, (enum packet_type)h->type, track) == NULL))) {
			show_forget_header(show, i);
		} else {
			i++;
		}
	}
}

/* The source's headers of this kind and track become the show's; those that differ go out. */
static void show_take_headers(struct show *show, const struct header_set *source,
			      enum packet_kind kind, unsigned track, const struct packet *at,
			      int64_t now_us)
{
	for (unsigned i = 0; i < source->count; i++) {
		const struct header *h = &source->items[i];

		if (h->packet.kind == kind && h->packet.track == track &&
		    header_set_put(&show->headers, &h->packet, h->payload) == 1) {
			show_write_header(show, h, at, 0, now_us);
		}
	}
}

/* onMetaData describes the main video, or the audio where there is no video. */
static bool show_is_described_by(const struct header_set *source, const struct packet *p)
{
	return p->track == 0 && (p->kind == PACKET_VIDEO ||
				 header_set_find(source, PACKET_VIDEO, PACKET_CONFIG, 0) == NULL);
}

/* The first frame of the show: every header known by then, so that whoever starts with it knows
 * all there will be. */
static void show_begin(struct show *show, struct source *source, const struct packet *p,
		       int64_t now_us)
{
	for (unsigned kind = PACKET_NONE + 1; kind < PACKET_KINDS; kind++) {
		const struct header_set *set = header_history_at(
			&source->headers, (enum packet_kind)kind, p->source_seq);

		for (unsigned track = 0; track < PACKET_TRACKS_MAX; track++) {
			show_take_headers(show, set, (enum packet_kind)kind, track, p, now_us);
		}
	}
	show->has_begun = true;
}

/* A frame from which the show goes on with what its source has in force. */
static void show_adopt_headers(struct show *show, struct source *source, const struct packet *p,
			       int64_t now_us)
{
	enum packet_kind kind = (enum packet_kind)p->kind;
	const struct header_set *set = header_history_at(&source->headers, kind, p->source_seq);

	show_forget_headers(show, set, kind, p->track, p);
	show_take_headers(show, set, kind, p->track, p, now_us);
	if (show_is_described_by(set, p)) {
		set = header_history_at(&source->headers, PACKET_DATA, p->source_seq);
		show_forget_headers(show, set, PACKET_DATA, 0, p);
		show_take_headers(show, set, PACKET_DATA, 0, p, now_us);
	}
}

static void show_repeat_headers(struct show *show, const struct packet *p, int64_t now_us)
{
	for (unsigned i = 0; i < show->headers.count; i++) {
		show_write_header(show, &show->headers.items[i], p, PACKET_REPEAT, now_us);
	}
	show->repeated_us = now_us;
}

/* What has to go out before the frame. */
static void show_prepare(struct show *show, struct source *source, const struct packet *p,
			 int64_t now_us)
{
	bool is_back = show->is_filled && p->kind == PACKET_AUDIO && p->track == 0;

	if (!show->has_begun) {
		show_begin(show, source, p, now_us);
	} else if (is_back || (p->flags & (PACKET_SPLICE | PACKET_JOIN)) != 0) {
		show_adopt_headers(show, source, p, now_us);
	}
	show->is_filled &= !is_back;
	if ((p->flags & PACKET_JOIN) != 0 && now_us - show->repeated_us >= REPEAT_US) {
		show_repeat_headers(show, p, now_us);
	}
}

/* ---- silence ---- */

#define SILENCE_RATE 48000
#define SILENCE_CHANNELS 2

/* In the format of the show's sound; where it never had any, one is chosen, and its header goes
 * out. */
static void show_choose_silence(struct show *show, const struct packet *at, int64_t now_us)
{
	struct codec_params params = { .sample_rate = SILENCE_RATE,
				       .channels = SILENCE_CHANNELS,
				       .frame_samples = 1024 };
	const struct header *known = header_set_find(&show->headers, PACKET_AUDIO, PACKET_CONFIG,
						     0);
	uint8_t config[SILENCE_CONFIG_BYTES];

	show->silence_bytes = 0;
	if (known == NULL) {
		struct header made = { .packet = { .kind = PACKET_AUDIO,
						   .type = PACKET_CONFIG,
						   .codec = CODEC_AAC,
						   .size = sizeof(config) },
				       .payload = config };

		if (!silence_config(SILENCE_RATE, SILENCE_CHANNELS, config) ||
		    header_set_put(&show->headers, &made.packet, config) < 0) {
			return;
		}
		show_write_header(show, &made, at, 0, now_us);
	} else if (known->packet.codec != CODEC_AAC ||
		   codec_parse_config(CODEC_AAC, known->payload, known->packet.size, &params) !=
			   CODEC_OK) {
		return;
	}
	show->silence_bytes = silence_frame(params.channels, show->silence_frame);
	silence_set_format(&show->silence, params.sample_rate, params.frame_samples);
}

static void show_write_silence(struct show *show, int64_t at_90k, int64_t now_us)
{
	const struct packet p = { .kind = PACKET_AUDIO,
				  .type = PACKET_FRAME,
				  .codec = CODEC_AAC,
				  .dts_90k = at_90k,
				  .pts_90k = at_90k,
				  .arrival_us = now_us,
				  .source_seq = UINT64_MAX,
				  .size = (uint32_t)show->silence_bytes };
	struct iovec part = { .iov_base = show->silence_frame, .iov_len = show->silence_bytes };

	if (show->silence_bytes > 0 && ring_write(show->ring, &p, &part, 1, NULL) == 0) {
		show->next_seq++;
		show->is_filled = true;
	}
}

/* Before a frame goes out. False: it is sound that comes where silence has been already. */
static bool show_fill(struct show *show, const struct packet *p, int64_t now_us)
{
	bool is_dropped = false;
	int64_t at_90k;

	if (!packet_is_main(p) || p->kind == PACKET_DATA || !show->silence.is_wanted) {
		return true;
	}
	if (p->kind == PACKET_VIDEO) {
		if (silence_is_due(&show->silence, p->dts_90k)) {
			show_choose_silence(show, p, now_us);
		}
		while (silence_before_picture(&show->silence, p->dts_90k, &at_90k)) {
			show_write_silence(show, at_90k, now_us);
		}
		return true;
	}
	while (silence_before_sound(&show->silence, p->dts_90k, &at_90k, &is_dropped)) {
		show_write_silence(show, at_90k, now_us);
	}
	return !is_dropped;
}

/* ---- packets ---- */

int show_send(struct show *show, struct source *source, const struct packet *p, int64_t now_us)
{
	struct packet sent = *p, original;
	const uint8_t *payload = NULL;
	void *place = NULL;
	int error = ring_map(source->ring, p->source_seq, &original, &payload);

	if (error == 0 &&
	    (original.size != p->size || original.kind != p->kind || original.type != p->type)) {
		error = -EBADMSG;
	}
	if (error != 0) {
		return error == -EAGAIN ? -EBADMSG : error;
	}
	if (!show_fill(show, p, now_us)) {
		return -EEXIST;
	}
	if (p->type == PACKET_FRAME) {
		show_prepare(show, source, p, now_us);
	}
	sent.arrival_us = now_us;
	error = ring_reserve(show->ring, &sent, &place);
	if (error != 0) {
		return error;
	}
	if (p->size > 0) {
		memcpy(place, payload, p->size);
	}
	if (!ring_is_valid(source->ring, p->source_seq)) {
		error = -ESTALE;
	} else if (packet_is_header(p) && header_set_put(&show->headers, &sent, place) == 0) {
		error = -EEXIST;
	}
	if (error != 0) {
		ring_cancel(show->ring);
		return error;
	}
	show->next_seq++;
	return 0;
}

bool show_publish(struct show *show)
{
	if (show->published_seq == show->next_seq) {
		return false;
	}
	ring_publish(show->ring);
	show->published_seq = show->next_seq;
	return true;
}

void show_write_checkpoint(struct show *show, const struct timeline *tl)
{
	struct show_checkpoint checkpoint = { .next_seq = show->published_seq };

	timeline_get_checkpoint(tl, &checkpoint.timeline);
	ring_checkpoint_write(show->ring, &checkpoint, sizeof(checkpoint));
}

/* One packet of the old ring. */
static void show_inherit_packet(struct show *show, struct ring_reader *old, uint64_t seq,
				struct show_checkpoint *checkpoint)
{
	uint8_t payload[HEADER_BYTES_MAX];
	struct packet p;

	if (ring_peek(old, seq, &p) != 0) {
		return;
	}
	if (packet_is_header(&p)) {
		if (ring_read(old, seq, &p, payload, sizeof(payload)) == 0) {
			header_set_put(&show->headers, &p, payload);
		}
		if ((p.flags & PACKET_REPEAT) != 0) {
			show->repeated_us = p.arrival_us;
		}
		return;
	}
	if (packet_is_main(&p) && p.kind == PACKET_AUDIO && p.feed == 0) {
		silence_resume(&show->silence, p.dts_90k);
		return; /* no source's: the timeline knows nothing of it */
	}
	if (packet_is_main(&p) && p.kind == PACKET_AUDIO) {
		silence_hear(&show->silence, p.dts_90k);
	}
	if (p.type == PACKET_FRAME) {
		show->has_begun = true;
	}
	if (seq >= checkpoint->next_seq) {
		timeline_checkpoint_advance(&checkpoint->timeline, &p);
	}
}

/* The new ring begins with all the headers in force, for whoever knows only this one: a reader that
 * joins, or the next switch if this one is killed, too. */
static void show_hand_on_headers(struct show *show, const struct timeline_checkpoint *checkpoint,
				 int64_t now_us)
{
	const struct packet at = {
		.dts_90k = checkpoint->show_90k,
		.feed = checkpoint->live_feed,
		.incarnation = checkpoint->live_incarnation,
	};

	show_repeat_headers(show, &at, now_us);
	if (show->silence.is_filling) {
		show_choose_silence(show, &at, now_us);
	}
	show_publish(show);
}

int show_inherit(struct show *show, int old_ring_fd, int64_t now_us,
		 struct timeline_checkpoint *ret)
{
	struct show_checkpoint checkpoint;
	struct ring_reader *old = NULL;
	int size, error = ring_reader_open(old_ring_fd, &old);

	if (error != 0) {
		return error;
	}
	size = ring_checkpoint_read(old, &checkpoint, sizeof(checkpoint));
	if (size != (int)sizeof(checkpoint)) {
		ring_reader_close(&old);
		return size < 0 ? size : size == 0 ? -ENOENT : -EBADMSG;
	}
	for (uint64_t seq = ring_oldest(old), next = ring_next(old); seq < next; seq++) {
		show_inherit_packet(show, old, seq, &checkpoint);
	}
	ring_reader_close(&old);
	show_hand_on_headers(show, &checkpoint.timeline, now_us);
	*ret = checkpoint.timeline;
	return 0;
}
