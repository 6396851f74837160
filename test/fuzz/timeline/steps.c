/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any packets, at any time, from feeds that come and go: the timeline's output keeps its order,
 * every step refers to something that was there, and it always comes to rest.
 */
#include <stdlib.h>
#include <string.h>

#include <understudy/bytes.h>
#include <understudy/clock.h>
#include <understudy/timeline.h>

#define FEEDS 3
#define HANDLES 6
#define STEPS_MAX 200000

struct play {
	struct reader input;
	struct timeline *tl;
	struct timeline_config config;
	int64_t now_us;
	struct {
		bool is_open, is_used, is_leaving;
		uint16_t feed;
		uint32_t incarnation;
		uint64_t seq;
		int64_t dts_90k[PACKET_KINDS];
	} sources[TIMELINE_SOURCES_MAX];
	uint32_t incarnations;
	int64_t last_90k;
	int64_t last_dts_90k[PACKET_KINDS][PACKET_TRACKS_MAX];
};

static void must(bool is_so)
{
	if (!is_so) {
		abort();
	}
}

static void forget_order(struct play *p)
{
	p->last_90k = INT64_MIN;
	for (unsigned kind = 0; kind < PACKET_KINDS; kind++) {
		for (unsigned track = 0; track < PACKET_TRACKS_MAX; track++) {
			p->last_dts_90k[kind][track] = INT64_MIN;
		}
	}
}

static void check_sent(struct play *p, const struct timeline_step *step)
{
	const struct packet *q = &step->packet;
	int64_t *last = &p->last_dts_90k[q->kind][q->track];

	must(step->source >= 0 && step->source < TIMELINE_SOURCES_MAX);
	must(p->sources[step->source].is_used && step->seq < p->sources[step->source].seq);
	must(q->source_seq == step->seq && q->feed == p->sources[step->source].feed);
	must(packet_is_sane(q) && q->pts_90k >= q->dts_90k && q->dts_90k >= p->last_90k);
	if (q->type == PACKET_FRAME && q->kind != PACKET_DATA) {
		must(q->dts_90k > *last);
		*last = q->dts_90k;
	}
	p->last_90k = q->dts_90k;
}

static void drain(struct play *p)
{
	struct timeline_step step;

	for (unsigned i = 0; i < STEPS_MAX; i++) {
		timeline_next(p->tl, p->now_us, &step);
		switch (step.action) {
		case TIMELINE_WAIT:
			must(step.deadline_us > p->now_us);
			return;
		case TIMELINE_SEND:
			check_sent(p, &step);
			break;
		case TIMELINE_EVENT:
			must(memchr(step.event.cause, '\0', sizeof(step.event.cause)) != NULL);
			break;
		case TIMELINE_RELEASE:
			must(p->sources[step.source].is_used &&
			     (!p->sources[step.source].is_open ||
			      p->sources[step.source].is_leaving));
			p->sources[step.source].is_used = p->sources[step.source].is_open = false;
			break;
		}
	}
	abort();
}

static void do_open(struct play *p, unsigned feed)
{
	int handle = timeline_open(p->tl, (uint16_t)(feed % FEEDS + 1), ++p->incarnations,
				   p->now_us);

	if (handle < 0) {
		return;
	}
	must(handle < TIMELINE_SOURCES_MAX && !p->sources[handle].is_used);
	memset(&p->sources[handle], 0, sizeof(p->sources[handle]));
	p->sources[handle].is_open = p->sources[handle].is_used = true;
	p->sources[handle].feed = (uint16_t)(feed % FEEDS + 1);
	p->sources[handle].incarnation = p->incarnations;
}

static void do_close(struct play *p, int handle)
{
	if (p->sources[handle].is_open) {
		p->sources[handle].is_open = false;
		timeline_close(p->tl, handle, "closed", p->now_us);
	}
}

static void push(struct play *p, int handle, const struct packet *q)
{
	struct codec_params params = { .codec = CODEC_AVC, .width = (uint16_t)(q->size & 0xff) };

	if (p->sources[handle].is_open) {
		timeline_push(p->tl, handle, p->sources[handle].seq++, q,
			      q->type == PACKET_CONFIG ? &params : NULL, p->now_us);
	}
}

/* Small steps in time, now and then a large one. */
static void do_push(struct play *p, int handle)
{
	uint8_t what = reader_u8(&p->input), flags = reader_u8(&p->input);
	int8_t step = (int8_t)reader_u8(&p->input), offset = (int8_t)reader_u8(&p->input);
	struct packet q = { .kind = (uint8_t)(1 + what % 3),
			    .type = (what & 0x70) == 0x70 ? (uint8_t)(1 + (what >> 2) % 8)
							  : (uint8_t)PACKET_FRAME,
			    .track = (what & 0x0c) == 0x0c ? what >> 4 : 0,
			    .flags = flags & 0x1f,
			    .size = 100u + flags,
			    .arrival_us = p->now_us };
	int64_t *dts = &p->sources[handle].dts_90k[q.kind];

	*dts += (int64_t)step * ((flags & 0xc0) == 0xc0 ? 9000000 : 90);
	q.dts_90k = *dts;
	q.pts_90k = q.dts_90k + (int64_t)offset * 300;
	push(p, handle, &q);
}

static void do_push_anything(struct play *p, int handle)
{
	const uint8_t *bytes = reader_take(&p->input, sizeof(struct packet));
	struct packet q;

	if (bytes != NULL) {
		memcpy(&q, bytes, sizeof(q));
		push(p, handle, &q);
	}
}

/* A new timeline goes on from a checkpoint, a true or a foreign one. */
static void do_restart(struct play *p, bool is_true)
{
	struct timeline_checkpoint c;
	const uint8_t *bytes = is_true ? NULL : reader_take(&p->input, sizeof(c) / 16);

	timeline_get_checkpoint(p->tl, &c);
	if (bytes != NULL) {
		memcpy(&c, bytes, sizeof(c) / 16);
		forget_order(p);
	}
	timeline_destroy(&p->tl);
	p->tl = timeline_create(&p->config, p->now_us);
	must(p->tl != NULL);
	if (timeline_resume(p->tl, &c, p->now_us) != 0) {
		forget_order(p);
	}
	memset(p->sources, 0, sizeof(p->sources));
}

static void do_leave(struct play *p, int handle, bool is_leaving)
{
	if (p->sources[handle].is_open) {
		p->sources[handle].is_leaving |= is_leaving; /* it may have left already */
		timeline_set_leaving(p->tl, handle, is_leaving, "taken away");
	}
}

static void do_report(struct play *p)
{
	struct timeline_status status;

	timeline_get_status(p->tl, p->now_us, &status);
	must(status.feed_count == FEEDS);
}

static void act(struct play *p)
{
	uint8_t op = reader_u8(&p->input), argument = op >> 3;
	int handle = argument % HANDLES;

	switch (op & 7) {
	case 0:
		p->now_us += (int64_t)reader_u8(&p->input) * 20000;
		break;
	case 1:
		p->now_us += (int64_t)argument * 2000;
		/* fall through */
	case 2:
	case 3:
		do_push(p, handle);
		break;
	case 4:
		do_push_anything(p, handle);
		break;
	case 5:
		if ((argument & 1) != 0) {
			do_open(p, argument >> 1);
		} else {
			do_close(p, argument >> 1);
		}
		break;
	case 6:
		if ((argument & 1) != 0) {
			timeline_take(p->tl, argument >> 1, p->now_us);
		} else if (p->sources[handle].is_used) {
			timeline_lapped(p->tl, handle, p->sources[handle].seq - (argument >> 3),
					p->now_us);
		}
		break;
	case 7:
		do_report(p);
		if (argument >= 16) {
			do_leave(p, handle, argument < 28);
		} else if (argument < 2) {
			do_restart(p, argument == 0);
		}
		break;
	}
	drain(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t delays_us[] = { 0, 200000, 1000000, 3000000 };
	struct play p = { .input = reader_over(data, size), .now_us = 1000000000 };
	uint8_t shape = reader_u8(&p.input);

	p.config = (struct timeline_config){
		.delay_us = delays_us[shape & 3],
		.stall_us = 500000,
		.hole_us = 200000,
		.return_after_us = 1000000,
		.return_mode = (enum timeline_return)((shape >> 2) % 3),
		.on_mismatch = (enum timeline_mismatch)((shape >> 4) % 3),
		.feed_count = FEEDS
	};
	for (unsigned i = 0; i < FEEDS; i++) {
		p.config.feeds[i] = (struct timeline_feed_config){
			.id = (uint16_t)(i + 1), .is_slate = i == 2 && shape >> 7
		};
	}
	p.tl = timeline_create(&p.config, p.now_us);
	must(p.tl != NULL);
	forget_order(&p);
	do_open(&p, 0);
	do_open(&p, 1);
	while (reader_left(&p.input) > 0 && !p.input.failed) {
		act(&p);
	}
	timeline_destroy(&p.tl);
	return 0;
}
