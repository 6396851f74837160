/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A recording as an endless row of packets (player.h). ingest-file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/text.h>

#include "player.h"

#define SURVEY_FRAMES 2000 /* at a time */
#define APART_90k 720000   /* what a container may keep sound and pictures apart */
#define HELD_BYTES_MAX ((uint64_t)64 << 20)

int player_init(struct player *p, int fd, char why[CLIP_TEXT])
{
	*p = (struct player){ .fd = fd };
	for (unsigned kind = 0; kind < PACKET_KINDS; kind++) {
		p->lanes[kind].end = &p->lanes[kind].first;
	}
	carousel_init(&p->loop);
	if (fstat(fd, &p->file) < 0) {
		text_format(why, CLIP_TEXT, "it cannot be read: %s", strerror(errno));
		return -errno;
	}
	return clip_open(fd, &p->clip, why);
}

static struct held *lane_take(struct player *p, struct lane *lane)
{
	struct held *h = lane->first;

	lane->first = h->next;
	if (lane->first == NULL) {
		lane->end = &lane->first;
	}
	p->held_bytes -= sizeof(*h) + h->packet.size;
	return h;
}

void player_finish(struct player *p)
{
	for (unsigned kind = 0; kind < PACKET_KINDS; kind++) {
		while (p->lanes[kind].end != NULL && p->lanes[kind].first != NULL) {
			free(lane_take(p, &p->lanes[kind]));
		}
	}
	clip_close(&p->clip);
}

/* ---- the survey ---- */

static void player_learn(struct player *p, const struct clip_packet *c)
{
	struct codec_params *params = &p->params[c->packet.kind];

	if (c->packet.type == PACKET_CONFIG) {
		(void)codec_parse_config(c->packet.codec, c->payload, c->packet.size, params);
	} else if (params->codec == CODEC_NONE && c->packet.kind == PACKET_AUDIO) {
		(void)codec_parse_frame(c->packet.codec, c->payload, c->packet.size, params);
	}
	params->codec = c->packet.codec;
}

static struct carousel_frame frame_of(const struct packet *packet)
{
	return (struct carousel_frame){
		.kind = (enum packet_kind)packet->kind,
		.dts_90k = packet->dts_90k,
		.pts_90k = packet->pts_90k,
		.is_key = (packet->flags & (PACKET_KEY | PACKET_RECOVERY)) != 0,
	};
}

static int player_settle(struct player *p, char why[CLIP_TEXT])
{
	const struct codec_params *sound = &p->params[PACKET_AUDIO];
	struct carousel_track *track = &p->loop.tracks[PACKET_AUDIO];

	if (sound->sample_rate > 0 && sound->frame_samples > 0) {
		track->frame_90k = ((int64_t)sound->frame_samples * MEDIA_HZ +
				    sound->sample_rate / 2) /
				   sound->sample_rate;
	}
	if (carousel_settle(&p->loop) != 0 ||
	    (p->params[PACKET_VIDEO].codec != CODEC_NONE && !p->loop.has_key)) {
		text_copy(why, CLIP_TEXT,
			  p->params[PACKET_VIDEO].codec != CODEC_NONE
				  ? "there is no key frame in it"
				  : "there is nothing in it that can be carried (H.264, HEVC, AV1 "
				    "with AAC, MP3, Opus, AC-3 or FLAC)");
		return -ENODATA;
	}
	if (sound->codec == CODEC_AAC) {
		p->silence_bytes = silence_frame(sound->channels, p->silence);
	}
	if (clip_remark(p->clip)[0] != '\0') {
		text_format(p->remark, sizeof(p->remark), "left out: %s", clip_remark(p->clip));
	} else if (p->loop.silences > 0 && p->silence_bytes == 0) {
		text_format(p->remark, sizeof(p->remark),
			    "its sound is %lld ms shorter than its picture: a hole at each seam",
			    (long long)(p->loop.silences * track->frame_90k / 90));
	}
	return 0;
}

int player_survey(struct player *p, char why[CLIP_TEXT])
{
	struct clip_packet c;

	for (unsigned n = 0; n < SURVEY_FRAMES; n++) {
		int got = clip_next(p->clip, &c);

		if (got < 0) {
			text_format(why, CLIP_TEXT, "it cannot be read: %s", strerror(-got));
			return got;
		}
		if (got == 0) {
			got = player_settle(p, why);
			return got == 0 ? clip_rewind(p->clip, why) : got;
		}
		player_learn(p, &c);
		if (c.packet.type == PACKET_FRAME) {
			const struct carousel_frame f = frame_of(&c.packet);

			carousel_survey(&p->loop, &f);
		}
	}
	return 1;
}

/* ---- packets ---- */

static int lane_put(struct player *p, const struct packet *packet, const uint8_t *payload)
{
	struct lane *lane = &p->lanes[packet->kind];
	struct held *h = malloc(sizeof(*h) + packet->size);

	if (h == NULL) {
		return -ENOMEM;
	}
	h->next = NULL;
	h->packet = *packet;
	memcpy(h->payload, payload, packet->size);
	*lane->end = h;
	lane->end = &h->next;
	lane->last_dts_90k = packet->dts_90k;
	p->held_bytes += sizeof(*h) + packet->size;
	return 0;
}

static int player_fill(struct player *p)
{
	struct packet packet = { .kind = PACKET_AUDIO,
				 .type = PACKET_FRAME,
				 .codec = CODEC_AAC,
				 .size = (uint32_t)p->silence_bytes };
	int error = 0;

	for (uint32_t n = 0; error == 0 && p->silence_bytes > 0 && n < p->loop.silences; n++) {
		packet.dts_90k = packet.pts_90k = carousel_silence_90k(&p->loop, n);
		error = lane_put(p, &packet, p->silence);
	}
	return error;
}

static int player_put(struct player *p, const struct clip_packet *c)
{
	struct packet packet = c->packet;
	struct carousel_frame f = frame_of(&packet);
	int error = 0;

	if (packet.type == PACKET_CONFIG) {
		packet.dts_90k = packet.pts_90k += carousel_shift_90k(&p->loop);
		return lane_put(p, &packet, c->payload);
	}
	p->read++;
	if (carousel_place(&p->loop, &f)) {
		packet.dts_90k = f.dts_90k;
		packet.pts_90k = f.pts_90k;
		error = lane_put(p, &packet, c->payload);
	}
	if (error == 0 && packet.kind == PACKET_AUDIO &&
	    carousel_is_last_sound(&p->loop, c->packet.pts_90k)) {
		error = player_fill(p);
	}
	return error;
}

static bool player_has_changed(const struct player *p)
{
	struct stat now;

	return fstat(p->fd, &now) < 0 || now.st_size != p->file.st_size ||
	       now.st_mtim.tv_sec != p->file.st_mtim.tv_sec ||
	       now.st_mtim.tv_nsec != p->file.st_mtim.tv_nsec;
}

static int player_begin_pass(struct player *p, char why[CLIP_TEXT])
{
	if (p->read == 0 || player_has_changed(p)) {
		text_copy(why, CLIP_TEXT, "the file has changed");
		return -ESTALE;
	}
	p->read = 0;
	carousel_next_pass(&p->loop);
	return clip_rewind(p->clip, why);
}

static int player_read(struct player *p, char why[CLIP_TEXT])
{
	struct clip_packet c;
	int got = clip_next(p->clip, &c);

	if (got == 0) {
		return player_begin_pass(p, why);
	}
	if (got > 0) {
		got = player_put(p, &c);
	}
	if (got < 0) {
		text_format(why, CLIP_TEXT, "it cannot be read: %s", strerror(-got));
	}
	return got;
}

/* Something that leaves earlier than what is there may come. */
static bool player_must_read(const struct player *p)
{
	bool has_empty = false, has_any = false;

	for (unsigned kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		const struct lane *lane = &p->lanes[kind];

		if (p->loop.tracks[kind].frames == 0) {
			continue;
		}
		if (lane->first == NULL) {
			has_empty = true;
		} else {
			has_any = true;
			if (lane->last_dts_90k - lane->first->packet.dts_90k > APART_90k) {
				return false;
			}
		}
	}
	return !has_any || (has_empty && p->held_bytes < HELD_BYTES_MAX);
}

int player_next(struct player *p, struct held **ret, char why[CLIP_TEXT])
{
	struct lane *least = NULL;

	while (player_must_read(p)) {
		int error = player_read(p, why);

		if (error < 0) {
			return error;
		}
	}
	for (unsigned kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		struct lane *lane = &p->lanes[kind];

		if (lane->first != NULL &&
		    (least == NULL || lane->first->packet.dts_90k < least->first->packet.dts_90k)) {
			least = lane;
		}
	}
	*ret = lane_take(p, least);
	return 0;
}
