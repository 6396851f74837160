/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A turn of the switch: what the timeline says is carried out and watched (stage.h). Tests only. */
#include <string.h>

#include "stage.h"

#include "../../src/timeline/private.h"

#define HELD_UP_MOST_US 2000000

static void stage_release(struct stage *st, int handle)
{
	st->handles--;
	for (unsigned i = 0; i < st->old_count; i++) {
		if (st->olds[i].handle == handle) {
			st->old_count--;
			memmove(&st->olds[i], &st->olds[i + 1],
				(st->old_count - i) * sizeof(st->olds[0]));
			return;
		}
	}
	for (unsigned i = 0; i < st->feed_count; i++) {
		struct stage_feed *f = &st->feeds[i];

		if (f->handle != handle || !f->has_handle) {
			continue;
		}
		f->has_handle = false;
		if (!f->is_held || f->handles_connection != f->connection) {
			continue;
		}
		f->is_held = false;
		if (f->is_connected) {
			f->is_connected = false;
			watch_closed(&st->watch, f->connection, st->now_us);
		}
	}
}

/* What is late beyond what the show can take up is lost. */
static void stage_note_held_up(struct stage *st)
{
	timeline_get_checkpoint(st->tl, &st->checkpoint);
	if (st->checkpoint.held_up_us >= HELD_UP_MOST_US) {
		watch_excused(&st->watch, st->slept_us, st->now_us);
	}
}

/* One step of the timeline's. False: nothing more now; *ret_next_us is when to come again. */
static bool stage_step(struct stage *st, int64_t *ret_next_us)
{
	struct timeline_step step;

	memory_enter();
	timeline_next(st->tl, st->now_us, &step);
	memory_leave();
	switch (step.action) {
	case TIMELINE_WAIT:
		*ret_next_us = step.deadline_us;
		if (step.deadline_us <= st->now_us) {
			watch_fail(&st->watch, "deadline", st->now_us, "it has passed");
			*ret_next_us = st->now_us + 1000;
		}
		return false;
	case TIMELINE_SEND:
		st->watch.behind_us = st->checkpoint.delay_us - st->config.delay_us;
		timeline_checkpoint_advance(&st->checkpoint, &step.packet);
		watch_sent(&st->watch, &step, tl_due_us(st->tl, 0), st->now_us);
		break;
	case TIMELINE_EVENT:
		if (step.event.kind == TIMELINE_HELD_UP) { /* it says so before all else */
			stage_note_held_up(st);
		} else if (step.event.kind == TIMELINE_TWINS) { /* packets do not tell */
			timeline_get_checkpoint(st->tl, &st->checkpoint);
		}
		watch_event(&st->watch, &step.event, st->now_us);
		break;
	case TIMELINE_RELEASE:
		stage_release(st, step.source);
		watch_held(&st->watch, memory_held(), st->handles, st->now_us);
		break;
	}
	return true;
}

int64_t stage_take_turn(struct stage *st)
{
	int64_t next_us = st->now_us + 1000;

	timeline_get_checkpoint(st->tl, &st->checkpoint);
	for (unsigned steps = 0; steps < 100000; steps++) {
		if (!stage_step(st, &next_us)) {
			return next_us;
		}
	}
	watch_fail(&st->watch, "deadline", st->now_us, "steps never end");
	return next_us;
}
