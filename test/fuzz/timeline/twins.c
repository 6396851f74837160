/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One encode, sent by feeds that lag, stall, leave frames out, jump in time, close and come back,
 * lie, part, and are taken away: the output keeps its order, each packet leaves once and is its
 * feed's, no frame of the encode leaves twice between twins, nobody goes but who may, and nothing
 * is kept of feeds that have gone.
 *
 *   frame n of the encode     V0 A0 V1 A1 V2 A2 ...   at n * 33 ms; a key frame now and then
 *   a feed                    sends frames up to n - lag, told in a time of its own
 */
#include <stdlib.h>
#include <string.h>

#include <understudy/bytes.h>
#include <understudy/clock.h>
#include <understudy/timeline.h>

#define FEEDS 3
#define FRAME_90k 2970
#define FRAME_US 33000
#define GOP 4
#define STEPS_MAX 100000
#define PACKETS_MAX 20000 /* of a connection: then it sends no more */
#define ACTS_MAX 600
#define LINGER_S 10     /* all that waits is sent or given up by then */
#define START_FRAMES 90 /* enough for twins to be known */

struct feed {
	bool is_open;
	bool is_leaving, may_go; /* since it was to leave it may have been let go */
	int handle;
	uint32_t incarnation;
	int64_t next;      /* frame to be sent */
	int64_t lag;       /* frames */
	int64_t base_90k;  /* its time of frame 0 */
	uint64_t differs;  /* what it encodes; 0: the encode of all */
	uint8_t lies_left; /* frames that carry something else, the encode's time */
	uint64_t seq;
};

struct pushed {
	int64_t number; /* in the encode, of its kind; -1: something else */
	bool is_sent;
};

struct play {
	struct reader input;
	struct timeline *tl;
	struct timeline_config config;
	int64_t now_us, frame;
	struct feed feeds[FEEDS];
	struct {
		bool is_used;
		uint16_t feed;
		uint64_t count;
		struct pushed *packets;
	} rings[TIMELINE_SOURCES_MAX];
	uint32_t incarnations;
	bool is_plain; /* see check_encode() */
	int64_t last_90k, last_dts_90k[PACKET_KINDS], last_number[PACKET_KINDS];
};

static void must(bool is_so)
{
	if (!is_so) {
		abort();
	}
}

/* Between twins frames follow each other in the encode's order. A feed that jumps may be taken for
 * one that has a hole until payloads tell, and after a crash connections are new: then this is not
 * held. */
static void check_encode(struct play *p, const struct packet *q, int64_t number)
{
	if (p->is_plain && number >= 0 && (q->flags & PACKET_SPLICE) == 0) {
		must(number > p->last_number[q->kind]);
	}
	p->last_number[q->kind] = number;
}

static void check_sent(struct play *p, const struct timeline_step *step)
{
	const struct packet *q = &step->packet;
	struct pushed *pushed;

	must(step->source >= 0 && step->source < TIMELINE_SOURCES_MAX);
	must(p->rings[step->source].is_used && step->seq < p->rings[step->source].count);
	must(q->source_seq == step->seq && q->feed == p->rings[step->source].feed);
	must(q->pts_90k >= q->dts_90k && q->dts_90k >= p->last_90k);
	must(q->dts_90k > p->last_dts_90k[q->kind]);
	p->last_90k = p->last_dts_90k[q->kind] = q->dts_90k;
	pushed = &p->rings[step->source].packets[step->seq];
	must(!pushed->is_sent);
	pushed->is_sent = true;
	check_encode(p, q, pushed->number);
}

static void forget_ring(struct play *p, int handle)
{
	free(p->rings[handle].packets);
	memset(&p->rings[handle], 0, sizeof(p->rings[handle]));
}

/* Nothing more of it is asked for. Only who was closed or is to go is let go. */
static void check_released(struct play *p, int handle)
{
	must(p->rings[handle].is_used);
	for (unsigned i = 0; i < FEEDS; i++) {
		struct feed *f = &p->feeds[i];

		if (f->is_open && f->handle == handle) {
			must(f->may_go);
			f->is_open = false;
		}
	}
	forget_ring(p, handle);
}

static void drain(struct play *p)
{
	struct timeline_step step;

	for (unsigned i = 0; i < STEPS_MAX; i++) {
		timeline_next(p->tl, p->now_us, &step);
		if (step.action == TIMELINE_WAIT) {
			must(step.deadline_us > p->now_us);
			return;
		}
		if (step.action == TIMELINE_SEND) {
			check_sent(p, &step);
		} else if (step.action == TIMELINE_RELEASE) {
			check_released(p, step.source);
		}
	}
	abort();
}

static void open_feed(struct play *p, unsigned place)
{
	struct feed *f = &p->feeds[place];
	int handle = timeline_open(p->tl, (uint16_t)(place + 1), ++p->incarnations, p->now_us);

	if (handle < 0) {
		return;
	}
	must(handle < TIMELINE_SOURCES_MAX && !p->rings[handle].is_used);
	p->rings[handle].is_used = true;
	p->rings[handle].feed = (uint16_t)(place + 1);
	p->rings[handle].packets = calloc(PACKETS_MAX, sizeof(struct pushed));
	must(p->rings[handle].packets != NULL);
	*f = (struct feed){ .is_open = true,
			    .handle = handle,
			    .incarnation = p->incarnations,
			    .next = p->frame > f->lag ? p->frame - f->lag : 0,
			    .lag = f->lag,
			    .base_90k = (int64_t)place * 900000 - (p->frame - f->lag) * FRAME_90k };
}

static void close_feed(struct play *p, struct feed *f)
{
	if (f->is_open) {
		f->is_open = false;
		timeline_close(p->tl, f->handle, "closed", p->now_us);
	}
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static void push(struct play *p, struct feed *f, enum packet_kind kind)
{
	int64_t time_90k = f->base_90k + f->next * FRAME_90k + (kind == PACKET_AUDIO ? 900 : 0);
	bool is_lie = f->lies_left > 0 || f->differs != 0;
	struct packet q = {
		.kind = (uint8_t)kind,
		.type = PACKET_FRAME,
		.codec = kind == PACKET_VIDEO ? CODEC_AVC : CODEC_AAC,
		.flags = kind == PACKET_VIDEO && f->next % GOP == 0 ? PACKET_KEY : 0,
		.size = 500,
		.dts_90k = time_90k,
		.pts_90k = time_90k,
		.arrival_us = p->now_us,
		.fingerprint = mix((uint64_t)f->next * 4 + kind + f->differs +
				   ((uint64_t)f->lies_left << 32)),
	};

	if (f->seq < PACKETS_MAX) {
		p->rings[f->handle].packets[f->seq].number = is_lie ? -1 : f->next;
		p->rings[f->handle].count = f->seq + 1;
		timeline_push(p->tl, f->handle, f->seq++, &q, NULL, p->now_us);
	}
}

static void pass_frame(struct play *p)
{
	p->now_us += FRAME_US;
	p->frame++;
	for (unsigned i = 0; i < FEEDS; i++) {
		struct feed *f = &p->feeds[i];

		while (f->is_open && f->next <= p->frame - f->lag) {
			push(p, f, PACKET_VIDEO);
			push(p, f, PACKET_AUDIO);
			f->lies_left = (uint8_t)(f->lies_left - (f->lies_left > 0));
			f->next++;
		}
	}
	drain(p);
}

/* The switch dies, and another one reads what still lies in the rings: what comes from now on. */
static void restart(struct play *p)
{
	struct timeline_checkpoint c;

	timeline_get_checkpoint(p->tl, &c);
	timeline_destroy(&p->tl);
	p->tl = timeline_create(&p->config, p->now_us);
	must(p->tl != NULL);
	timeline_resume(p->tl, &c, p->now_us);
	p->is_plain = false;
	for (int handle = 0; handle < TIMELINE_SOURCES_MAX; handle++) {
		forget_ring(p, handle);
	}
	for (unsigned i = 0; i < FEEDS; i++) {
		if (p->feeds[i].is_open) {
			open_feed(p, i);
		}
	}
}

static void act(struct play *p)
{
	uint8_t op = reader_u8(&p->input), argument = op >> 3;
	unsigned place = argument % FEEDS;
	struct feed *f = &p->feeds[place];

	switch (op & 7) {
	case 0:
	case 1:
		for (unsigned i = 0; i <= argument; i++) {
			pass_frame(p);
		}
		break;
	case 2:
		f->lag = argument / FEEDS * 3;
		break;
	case 3:
		f->base_90k += (int64_t)(int8_t)reader_u8(&p->input) * 1800;
		p->is_plain = false;
		break;
	case 4:
		f->next += argument / FEEDS + 1;
		break;
	case 5:
		if (f->is_open) {
			close_feed(p, f);
		} else {
			open_feed(p, place);
		}
		break;
	case 6:
		if (argument < 16) {
			f->lies_left = reader_u8(&p->input) % 16;
		} else {
			f->differs ^= UINT64_C(1) << 60;
		}
		break;
	case 7:
		if (argument == 0) {
			restart(p);
		} else if (argument < 16) {
			timeline_take(p->tl, (uint16_t)(argument % (FEEDS + 1)), p->now_us);
		} else if (f->is_open && argument >= 24) {
			f->may_go = true;
			f->is_leaving = !f->is_leaving;
			timeline_set_leaving(p->tl, f->handle, f->is_leaving, "taken away");
		} else if (f->is_open) {
			timeline_lapped(p->tl, f->handle, f->seq - f->seq % 3, p->now_us);
		}
		break;
	}
	drain(p);
}

/* All go: nothing of them is kept. */
static void finish(struct play *p)
{
	for (unsigned i = 0; i < FEEDS; i++) {
		close_feed(p, &p->feeds[i]);
	}
	drain(p);
	for (unsigned i = 0; i < LINGER_S; i++) {
		p->now_us += 1000000;
		drain(p);
	}
	for (unsigned i = 0; i < TIMELINE_SOURCES_MAX; i++) {
		must(!p->rings[i].is_used);
	}
	timeline_destroy(&p->tl);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t delays_us[] = { 0, 200000, 1000000, 3000000 };
	struct play p = { .input = reader_over(data, size),
			  .now_us = 1000000000,
			  .frame = 1000,
			  .is_plain = true,
			  .last_90k = INT64_MIN };
	uint8_t shape = reader_u8(&p.input);

	p.config = (struct timeline_config){ .delay_us = delays_us[shape & 3],
					     .stall_us = 500000,
					     .hole_us = 200000,
					     .return_after_us = 1000000,
					     .feed_count = FEEDS };
	for (unsigned i = 0; i < FEEDS; i++) {
		p.config.feeds[i].id = (uint16_t)(i + 1);
		p.feeds[i].lag = (shape >> (2 + i) & 1) * 7 * (i + 1);
	}
	for (unsigned kind = 0; kind < PACKET_KINDS; kind++) {
		p.last_dts_90k[kind] = INT64_MIN;
		p.last_number[kind] = -1;
	}
	p.tl = timeline_create(&p.config, p.now_us);
	must(p.tl != NULL);
	for (unsigned i = 0; i < FEEDS; i++) {
		open_feed(&p, i);
	}
	for (unsigned i = 0; i < START_FRAMES; i++) {
		pass_frame(&p);
	}
	for (unsigned i = 0; i < ACTS_MAX && reader_left(&p.input) > 0 && !p.input.failed; i++) {
		act(&p);
	}
	finish(&p);
	return 0;
}
