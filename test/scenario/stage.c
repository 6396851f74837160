/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A timeline on a virtual clock, fed and watched (stage.h). Tests only. */
#include "stage.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/clock.h>

#include "../../src/timeline/private.h"

#define SLEW_PARTS 200
#define RING_PACKETS 4000 /* how far back a restarted switch can read */

int stage_find(const struct stage *st, const char *name)
{
	for (unsigned i = 0; i < st->feed_count; i++) {
		if (strcmp(st->feeds[i].name, name) == 0) {
			return (int)i;
		}
	}
	return -1;
}

const char *stage_name(const struct stage *st, uint16_t id)
{
	return id >= 1 && id <= st->feed_count ? st->feeds[id - 1].name : "-";
}

static void stage_create(struct stage *st)
{
	memory_enter();
	st->tl = timeline_create(&st->config, st->now_us);
	memory_leave();
	assert(st->tl != NULL);
}

static void stage_destroy(struct stage *st)
{
	memory_enter();
	timeline_destroy(&st->tl);
	memory_leave();
}

void stage_open(struct stage *st)
{
	st->open_us = st->now_us;
	st->config.feed_count = st->feed_count;
	for (unsigned i = 0; i < st->feed_count; i++) {
		st->config.feeds[i] = (struct timeline_feed_config){
			.id = (uint16_t)(i + 1),
			.is_slate = st->feeds[i].is_slate,
			.offset_90k = st->feeds[i].offset_ms * 90,
		};
	}
	watch_init(&st->watch, &st->config);
	stage_create(st);
}

void stage_close(struct stage *st)
{
	stage_destroy(st);
	watch_finish(&st->watch);
}

/* ---- what goes in ---- */

static struct watch_connection *stage_connection(struct stage *st, const struct stage_feed *f)
{
	return &st->watch.connections[f->connection];
}

/* All that lies in the ring of the connection that `handle` is. */
static void stage_push_all(struct stage *st, struct stage_feed *f, unsigned connection)
{
	const struct watch_connection *c = &st->watch.connections[connection];

	memory_enter();
	for (; f->pushed < c->count; f->pushed++) {
		const struct watch_packet *p = &c->packets[f->pushed];

		timeline_push(st->tl, f->handle, f->pushed, &p->packet,
			      p->has_params ? &p->params : NULL, st->now_us);
	}
	memory_leave();
}

static bool stage_is_attentive(const struct stage *st)
{
	return !st->is_down && !st->is_asleep;
}

static void stage_write(struct stage *st, struct stage_feed *f, const struct watch_packet *p)
{
	watch_arrived(&st->watch, f->connection, p);
	if (stage_is_attentive(st)) {
		stage_push_all(st, f, f->connection);
	}
}

void stage_push_nonsense(struct stage *st, unsigned feed, unsigned count)
{
	struct stage_feed *f = &st->feeds[feed];
	const struct watch_packet p = { .packet = { .arrival_us = st->now_us } };

	for (unsigned i = 0; f->is_connected && i < count; i++) {
		stage_write(st, f, &p);
	}
}

/* A second of an SRT connection. */
void stage_note_loss(struct stage *st, unsigned feed, unsigned permille)
{
	struct stage_feed *f = &st->feeds[feed];

	f->srt_packets += 1000 - permille;
	f->srt_lost += permille;
	if (f->is_connected && stage_is_attentive(st)) {
		timeline_note_loss(st->tl, f->handle, f->srt_packets, f->srt_lost, st->now_us);
	}
}

static void stage_write_header(struct stage *st, struct stage_feed *f, enum packet_kind kind,
			       int64_t dts_90k)
{
	struct watch_packet p = { .packet = { .kind = (uint8_t)kind,
					      .type = PACKET_CONFIG,
					      .size = 40,
					      .dts_90k = dts_90k,
					      .pts_90k = dts_90k,
					      .arrival_us = st->now_us },
				  .params = encoder_params(&f->encoder, kind),
				  .has_params = true };

	p.packet.codec = p.params.codec;
	stage_write(st, f, &p);
}

static bool stage_is_odd(const struct stage *st, const struct encoder_config *c)
{
	const struct encoder_config *first = &st->feeds[0].config;

	return c->width != first->width || c->height != first->height ||
	       c->video_codec != first->video_codec || c->audio_codec != first->audio_codec ||
	       c->audio_hz != first->audio_hz || (c->fps > 0) != (first->fps > 0);
}

static void stage_open_source(struct stage *st, struct stage_feed *f, unsigned connection)
{
	memory_enter();
	f->handle = timeline_open(st->tl, (uint16_t)(f - st->feeds + 1),
				  st->watch.connections[connection].incarnation, st->now_us);
	memory_leave();
	f->pushed = 0;
	if (f->handle < 0) {
		watch_fail(&st->watch, "memory", st->now_us, "no place for a source: %d",
			   f->handle);
		f->handle = 0;
		return;
	}
	f->has_handle = true;
	f->handles_connection = connection;
	st->handles++;
}

/* The newest connection is another one now: the timeline may still have what is left of this. */
static void stage_keep_old(struct stage *st, struct stage_feed *f)
{
	if (f->has_handle && st->old_count < TIMELINE_SOURCES_MAX) {
		st->olds[st->old_count++] = (struct stage_old){ .feed = (unsigned)(f - st->feeds),
								.connection = f->handles_connection,
								.handle = f->handle };
	}
	f->has_handle = false;
}

static void stage_close_source(struct stage *st, struct stage_feed *f, unsigned connection)
{
	stage_push_all(st, f, connection);
	memory_enter();
	timeline_close(st->tl, f->handle, "connection closed", st->now_us);
	memory_leave();
}

static void stage_lap_source(struct stage *st, struct stage_feed *f, uint64_t seq)
{
	f->pushed = f->pushed > seq ? f->pushed : seq;
	memory_enter();
	timeline_lapped(st->tl, f->handle, seq, st->now_us);
	memory_leave();
}

static void stage_tell_leaving(struct stage *st, const struct stage_feed *f)
{
	timeline_set_leaving(st->tl, f->handle, f->is_leaving,
			     "its feed was removed from the configuration");
}

static void stage_obey(struct stage *st, const struct stage_order *order)
{
	struct stage_feed *f = &st->feeds[order->feed];

	switch (order->what) {
	case ORDER_OPEN:
		stage_keep_old(st, f);
		stage_open_source(st, f, order->connection);
		break;
	case ORDER_CLOSE:
		stage_close_source(st, f, order->connection);
		break;
	case ORDER_LAPPED:
		stage_lap_source(st, f, order->seq);
		break;
	case ORDER_LEAVE:
		stage_tell_leaving(st, f);
		break;
	case ORDER_TAKE:
		timeline_take(st->tl, (uint16_t)order->feed, st->now_us);
		break;
	}
}

/* Now, or when the switch wakes up. One that is down will find things as they are. */
static void stage_order(struct stage *st, const struct stage_order *order)
{
	if (stage_is_attentive(st)) {
		stage_obey(st, order);
	} else if (!st->is_down && st->order_count < STAGE_ORDERS) {
		st->orders[st->order_count++] = *order;
	} else if (!st->is_down) {
		watch_fail(&st->watch, "script", st->now_us, "too much happens while it sleeps");
	}
}

void stage_connect(struct stage *st, unsigned feed)
{
	struct stage_feed *f = &st->feeds[feed];
	const struct encoder_config *c = &f->config;
	struct watch_connection how = { .feed = (uint16_t)(feed + 1),
					.incarnation = ++f->incarnation,
					.is_slate = f->is_slate,
					.is_odd = stage_is_odd(st, c),
					.encode = c->encode };

	if (c->fps > 0) {
		how.frame_90k[PACKET_VIDEO] = encoder_frame_90k(c, PACKET_VIDEO);
	}
	if (c->audio_hz > 0) {
		how.frame_90k[PACKET_AUDIO] = encoder_frame_90k(c, PACKET_AUDIO);
	}
	f->connection = watch_connected(&st->watch, &how, st->now_us);
	f->is_connected = f->is_held = true;
	f->is_leaving = false;
	f->changes_header = f->swaps = f->has_swapped = false;
	f->froze_us = 0;
	stage_order(st, &(struct stage_order){
				.what = ORDER_OPEN, .feed = feed, .connection = f->connection });
	f->config.encode_us = st->open_us;
	encoder_start(&f->encoder, c, st->seed * 31 + feed, st->now_us);
	if (c->audio_hz > 0) {
		stage_write_header(st, f, PACKET_AUDIO, c->base_ms * 90);
	}
	if (c->fps > 0) {
		stage_write_header(st, f, PACKET_VIDEO, c->base_ms * 90);
	}
}

void stage_kill(struct stage *st, unsigned feed)
{
	struct stage_feed *f = &st->feeds[feed];

	if (f->is_connected) {
		f->is_connected = false;
		watch_closed(&st->watch, f->connection, st->now_us);
		stage_order(st, &(struct stage_order){ .what = ORDER_CLOSE,
						       .feed = feed,
						       .connection = f->connection });
	}
}

void stage_leave(struct stage *st, unsigned feed, bool is_leaving)
{
	struct stage_feed *f = &st->feeds[feed];

	f->is_leaving = is_leaving && f->is_connected;
	if (f->is_connected) {
		stage_connection(st, f)->was_leaving |= is_leaving;
		stage_order(st, &(struct stage_order){ .what = ORDER_LEAVE, .feed = feed });
	}
}

void stage_take(struct stage *st, uint16_t feed)
{
	st->taken = feed;
	watch_taken(&st->watch, feed);
	stage_order(st, &(struct stage_order){ .what = ORDER_TAKE, .feed = feed });
}

void stage_overwrite(struct stage *st, unsigned feed)
{
	struct stage_feed *f = &st->feeds[feed];

	if (f->is_connected && !st->is_down) {
		stage_order(st, &(struct stage_order){ .what = ORDER_LAPPED,
						       .feed = feed,
						       .seq = stage_connection(st, f)->count });
		watch_overwritten(&st->watch, f->connection, st->now_us);
	}
}

/* From its ring, as far as that reaches back. */
static void stage_give_again(struct stage *st, struct stage_feed *f, unsigned connection)
{
	uint64_t count = st->watch.connections[connection].count;

	stage_open_source(st, f, connection);
	f->pushed = count > RING_PACKETS ? count - RING_PACKETS : 0;
	stage_push_all(st, f, connection);
}

static void stage_give_old_again(struct stage *st)
{
	for (unsigned i = 0; i < st->feed_count; i++) {
		struct stage_feed *f = &st->feeds[i];

		if (f->handles_connection != f->connection) { /* replaced meanwhile */
			stage_keep_old(st, f);
		}
	}
	for (unsigned i = 0; i < st->old_count; i++) {
		struct stage_old *old = &st->olds[i];
		struct stage_feed *f = &st->feeds[old->feed];

		stage_give_again(st, f, old->connection);
		stage_close_source(st, f, old->connection);
		old->handle = f->handle;
	}
}

static void stage_come_back(struct stage *st)
{
	struct timeline_status was;

	timeline_get_status(st->tl, st->now_us, &was);
	stage_destroy(st);
	stage_create(st);
	st->is_down = false;
	st->handles = 0;
	if (timeline_resume(st->tl, &st->checkpoint, st->now_us) != 0 && st->watch.sent > 0) {
		watch_fail(&st->watch, "checkpoint", st->now_us, "it is refused");
	}
	timeline_take(st->tl, st->taken, st->now_us);
	if (was.is_reference_settled != 0) {
		timeline_restore_reference(st->tl, &was.reference, was.reference_feed);
	}
	stage_give_old_again(st);
	for (unsigned i = 0; i < st->feed_count; i++) {
		struct stage_feed *f = &st->feeds[i];

		f->has_handle = false;
		if (!f->is_held) {
			continue;
		}
		stage_give_again(st, f, f->connection);
		if (!f->is_connected) {
			stage_close_source(st, f, f->connection);
		} else if (f->is_leaving) {
			stage_tell_leaving(st, f);
		}
	}
}

void stage_restart(struct stage *st, int64_t down_us)
{
	st->down_until_us = st->now_us + down_us;
	watch_excused(&st->watch, st->is_asleep ? st->slept_us : st->now_us, st->down_until_us);
	st->is_down = true;
	st->is_asleep = false;
	st->order_count = 0;
}

void stage_sleep(struct stage *st, int64_t us)
{
	if (!st->is_down) {
		st->slept_us = st->is_asleep ? st->slept_us : st->now_us;
		st->is_asleep = true;
		st->asleep_until_us = st->now_us + us;
	}
}

static void stage_wake(struct stage *st)
{
	st->is_asleep = false;
	for (unsigned i = 0; i < st->order_count; i++) {
		stage_obey(st, &st->orders[i]);
	}
	st->order_count = 0;
	for (unsigned i = 0; i < st->feed_count; i++) {
		if (st->feeds[i].is_connected) {
			stage_push_all(st, &st->feeds[i], st->feeds[i].connection);
		}
	}
}

void stage_set_delay(struct stage *st, int64_t delay_us)
{
	int64_t shrinks_us = st->config.delay_us > delay_us ? st->config.delay_us - delay_us : 0;

	st->config.delay_us = st->watch.config.delay_us = delay_us;
	stage_restart(st, 0);
	watch_excused(&st->watch, st->now_us, st->now_us + shrinks_us * SLEW_PARTS);
}

void stage_prefer(struct stage *st, unsigned feed)
{
	struct timeline_feed_config *feeds = st->config.feeds, first;
	unsigned place = 0;

	while (feeds[place].id != feed + 1) {
		place++;
	}
	first = feeds[place];
	memmove(feeds + 1, feeds, place * sizeof(*feeds));
	feeds[0] = first;
	stage_restart(st, 0);
}

/* ---- running ---- */

/* A packet on its way from the encoder to the ring, where two may change places. */
static void stage_take_packet(struct stage *st, struct stage_feed *f)
{
	struct encoder_packet made = encoder_take(&f->encoder);
	struct watch_packet p = { .packet = made.packet,
				  .encode = f->encoder.config.encode != 0 ? made.content : 0,
				  .number = made.number,
				  .shift_90k = made.shift_90k };

	bool is_video = p.packet.kind == PACKET_VIDEO && packet_is_main(&p.packet);

	if (st->gather_us > 0) {
		p.packet.arrival_us = st->now_us;
	}
	p.packet.arrival_us -= f->encoder.config.dated_ms * INT64_C(1000);
	if (is_video && f->changes_header && (p.packet.flags & PACKET_KEY) != 0) {
		f->changes_header = false;
		f->encoder.config.width = f->next_width;
		f->encoder.config.height = f->next_height;
		stage_write_header(st, f, PACKET_VIDEO, p.packet.dts_90k);
		stage_connection(st, f)->is_odd |= stage_is_odd(st, &f->encoder.config);
	}
	if (is_video && f->swaps) {
		f->swaps = false;
		f->has_swapped = true;
		f->swapped = p;
		return;
	}
	stage_write(st, f, &p);
	if (is_video && f->has_swapped) {
		f->has_swapped = false;
		f->swapped.packet.arrival_us = st->now_us;
		stage_write(st, f, &f->swapped);
	}
}

static void stage_take_arrivals(struct stage *st)
{
	for (unsigned i = 0; i < st->feed_count; i++) {
		struct stage_feed *f = &st->feeds[i];

		while (f->is_connected && encoder_next_us(&f->encoder) <= st->now_us) {
			stage_take_packet(st, f);
		}
	}
}

static int64_t earlier(int64_t a_us, int64_t b_us)
{
	return a_us < b_us ? a_us : b_us;
}

static int64_t stage_next_arrival(struct stage *st)
{
	int64_t at_us = INT64_MAX;

	for (unsigned i = 0; i < st->feed_count; i++) {
		struct stage_feed *f = &st->feeds[i];

		if (f->is_connected) {
			at_us = earlier(at_us, encoder_next_us(&f->encoder));
		}
	}
	return at_us;
}

/* The switch is there again, if it is time. True if it looked away until now. */
static bool stage_rise(struct stage *st)
{
	if (st->is_down && st->now_us >= st->down_until_us) {
		stage_come_back(st);
	}
	if (st->is_asleep && st->now_us >= st->asleep_until_us) {
		stage_wake(st);
		return true;
	}
	return false;
}

/* When it will be, if it is not there. */
static int64_t stage_rises_us(const struct stage *st)
{
	return st->is_down ? st->down_until_us : st->is_asleep ? st->asleep_until_us : INT64_MAX;
}

static void stage_run_in_rounds(struct stage *st, int64_t until_us)
{
	while (st->now_us < until_us) {
		int64_t to_gather_us = st->gather_us - st->now_us % st->gather_us;
		int64_t to_round_us = st->round_us - st->now_us % st->round_us;

		if (to_gather_us == st->gather_us) {
			stage_take_arrivals(st);
		}
		if ((stage_rise(st) || to_round_us == st->round_us) && stage_is_attentive(st)) {
			stage_take_turn(st);
		}
		st->now_us += earlier(to_gather_us, to_round_us);
		st->now_us = earlier(earlier(st->now_us, stage_rises_us(st)), until_us);
	}
}

static void stage_run_freely(struct stage *st, int64_t until_us)
{
	while (st->now_us < until_us) {
		int64_t next_us;

		stage_take_arrivals(st);
		stage_rise(st);
		next_us = stage_is_attentive(st) ? stage_take_turn(st) : stage_rises_us(st);
		if (st->wake_late_us > 0 && next_us < INT64_MAX / 2) {
			next_us += random_next(&st->wake_random) % (uint32_t)st->wake_late_us;
		}
		if (st->wake_late_us == 0) {
			next_us = earlier(next_us, stage_next_arrival(st));
		}
		st->now_us = earlier(next_us, until_us);
	}
}

void stage_run(struct stage *st, int64_t until_us)
{
	if (st->gather_us > 0 && st->round_us > 0) {
		stage_run_in_rounds(st, until_us);
	} else {
		stage_run_freely(st, until_us);
	}
	watch_held(&st->watch, memory_held(), st->handles, st->now_us);
}
