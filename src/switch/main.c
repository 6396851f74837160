/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * understudy-switch: one show's timeline. Reads the feed rings, asks the timeline what goes out
 * and when, and writes the show ring.
 *
 * One process per show, with no network and no files: everything comes as descriptors over the
 * control socket. It blocks only for its first order. Each round drains the feed rings, carries
 * out the timeline's steps, publishes once and stores a checkpoint, so that a switch that is
 * killed is replaced by one that goes on with the next packet.
 *
 *     feed rings --source--> timeline --show--> show ring --> relays
 *                               '--report--> supervisor, log
 *
 * Wake-ups: a source that brings packets at the right moment has an eventfd; those behind a delay
 * have none, nor those that would interrupt too often: while one is open the show looks every
 * round_us. The relays that do not look by themselves are woken once a round.
 * Where there are no rounds the show goes by the timeline's deadline, and looks every POLL_US at
 * sources that were opened before the config said so.
 *
 * What is there when it starts, perhaps in the place of one that died, it is told by many orders,
 * and nothing may be decided between two of them: a standby is not chosen because the live source
 * has yet to be named, nor one taken for open of which the next order says that it is closed. So
 * the first round waits for IPC_SWITCH_BEGIN, though not for ever.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <event2/event.h>

#include <understudy/clock.h>
#include <understudy/ipc.h>
#include <understudy/log.h>
#include <understudy/loop.h>
#include <understudy/worker.h>

#include "report.h"
#include "show.h"
#include "source.h"

#define POLL_US 10000 /* without a delay, at sources that do not wake us */
#define READERS_MAX 16
#define BEGIN_MAX_US 1000000 /* so long it waits until it is told what is there */

struct slot {
	struct source *source; /* NULL = free */
	struct event *wake;    /* NULL = none */
};

struct reader {
	uint32_t id;
	int wake; /* owned */
};

struct program {
	struct event_base *base;
	struct event *control, *timer;
	struct timeline *timeline;
	struct show show;
	struct report report;
	struct slot slots[TIMELINE_SOURCES_MAX]; /* by the timeline's handle */
	struct reader readers[READERS_MAX];
	unsigned reader_count;
	uint64_t seed;               /* of fingerprints */
	int64_t begins_us;           /* it may not yet know all that is there */
	int64_t round_us;            /* 0: whenever there is something */
	bool has_changed;            /* since the last checkpoint, other than by packets sent */
	uint64_t lapped_of_released; /* packets lapped in sources that are gone */
};

/* ---- the round ---- */

static void program_release(struct program *p, int handle)
{
	struct slot *slot = &p->slots[handle];

	if (slot->source == NULL) {
		return;
	}
	report_released(&p->report, slot->source->feed, slot->source->incarnation);
	p->lapped_of_released += slot->source->lapped;
	if (slot->wake != NULL) {
		close(event_get_fd(slot->wake));
		event_free(slot->wake);
		slot->wake = NULL;
	}
	source_destroy(&slot->source);
}

static void program_send(struct program *p, const struct timeline_step *step, int64_t now_us)
{
	struct source *source = p->slots[step->source].source;
	int error = show_send(&p->show, source, &step->packet, now_us);

	if (error == 0) {
		p->report.packets++;
	} else if (error != -EEXIST) {
		/* What lies before the ring's oldest is gone; a packet that was changed under our
		 * hands, or that no ring can hold, is gone as well. */
		uint64_t oldest = ring_oldest(source->ring);

		source->lapped++;
		timeline_lapped(p->timeline, step->source,
				oldest > step->seq ? oldest : step->seq + 1, now_us);
	}
}

/* What was sent, and, for a switch that goes on, from where. */
static void program_publish(struct program *p)
{
	if (show_publish(&p->show) || p->has_changed) {
		show_write_checkpoint(&p->show, p->timeline);
		p->has_changed = false;
	}
}

/* Returns when the timeline wants to be called again. */
static int64_t program_carry_out(struct program *p, int64_t now_us)
{
	struct timeline_step step;

	for (;;) {
		timeline_next(p->timeline, now_us, &step);
		switch (step.action) {
		case TIMELINE_SEND:
			program_send(p, &step, now_us);
			break;
		case TIMELINE_EVENT:
			report_event(&p->report, &step.event, now_us);
			p->has_changed = true;
			if (step.event.kind == TIMELINE_TWINS) { /* packets do not tell */
				program_publish(p);
			}
			break;
		case TIMELINE_RELEASE:
			program_release(p, step.source);
			p->has_changed = true;
			break;
		default:
			return step.deadline_us;
		}
	}
}

/* Reads all sources. Returns when one that talks too fast may be read again, or CLOCK_NEVER;
 * *ret_is_polled says whether any is open that does not wake us. */
static int64_t program_drain(struct program *p, int64_t now_us, bool *ret_is_polled)
{
	int64_t at_us = CLOCK_NEVER;
	uint64_t lapped = p->lapped_of_released;

	*ret_is_polled = false;
	for (unsigned i = 0; i < TIMELINE_SOURCES_MAX; i++) {
		struct source *source = p->slots[i].source;

		if (source == NULL) {
			continue;
		}
		if (!source->is_closed) {
			*ret_is_polled |= p->slots[i].wake == NULL;
			if (!source_drain(source, p->timeline, now_us) &&
			    source_resumes_us(source) < at_us) {
				at_us = source_resumes_us(source);
			}
		}
		lapped += source->lapped;
	}
	p->report.lapped = lapped;
	return at_us;
}

static int64_t earlier(int64_t a_us, int64_t b_us)
{
	return a_us < b_us ? a_us : b_us;
}

static int64_t program_next_us(const struct program *p, int64_t at_us, bool is_polled,
			       int64_t now_us)
{
	at_us = earlier(at_us, report_deadline(&p->report));
	if (p->round_us > 0) {
		int64_t round_us = clock_next_beat_us(now_us, p->round_us);

		return is_polled || at_us < round_us ? round_us : at_us;
	}
	return is_polled ? earlier(at_us, now_us + POLL_US) : at_us;
}

static void program_round(struct program *p)
{
	int64_t now_us = clock_monotonic_us();
	bool is_polled;

	if (now_us < p->begins_us) {
		loop_set_timer(p->timer, p->begins_us);
		return;
	}
	int64_t resume_us = program_drain(p, now_us, &is_polled);
	int64_t deadline_us = program_carry_out(p, now_us);

	program_publish(p);
	report_settle(&p->report, p->timeline, now_us);
	loop_set_timer(p->timer,
		       program_next_us(p, earlier(deadline_us, resume_us), is_polled, now_us));
}

static void program_on_timer(evutil_socket_t fd, short what, void *arg)
{
	program_round(arg);
}

/* The eventfd is edge-triggered and never read: each batch of the writer wakes once. */
static void program_on_wake(evutil_socket_t fd, short what, void *arg)
{
	program_round(arg);
}

/* ---- orders ---- */

static struct slot *program_find(struct program *p, uint16_t feed, uint32_t incarnation)
{
	for (unsigned i = 0; i < TIMELINE_SOURCES_MAX; i++) {
		const struct source *source = p->slots[i].source;

		if (source != NULL && source->feed == feed && source->incarnation == incarnation) {
			return &p->slots[i];
		}
	}
	return NULL;
}

static void program_open(struct program *p, struct ipc_message *m)
{
	const struct ipc_source_open *order = (const void *)m->body;
	const char *name = report_feed_name(&p->report, order->feed);
	struct source *source = NULL;
	int ring = ipc_take_fd(m, 0), wake = ipc_take_fd(m, 1);
	int error = program_find(p, order->feed, order->incarnation) != NULL
			    ? -EEXIST
			    : source_create(p->timeline, ring, order->feed, order->incarnation,
					    p->seed, clock_monotonic_us(), &source);

	if (ring >= 0) {
		close(ring);
	}
	if (error != 0) {
		log_error("cannot open a source show=%s feed=%s incarnation=%u: %s", p->report.show,
			  name, order->incarnation, strerror(-error));
		if (wake >= 0) {
			close(wake);
		}
		if (error != -EEXIST) {
			report_released(&p->report, order->feed, order->incarnation);
		}
		return;
	}
	struct slot *slot = &p->slots[source->handle];
	slot->source = source;
	if (wake >= 0) {
		slot->wake = event_new(p->base, wake, EV_READ | EV_ET | EV_PERSIST, program_on_wake,
				       p);
		event_add(slot->wake, NULL);
	}
	log_info("source opened show=%s feed=%s incarnation=%u", p->report.show, name,
		 order->incarnation);
	p->has_changed = true;
}

static void program_close(struct program *p, const struct ipc_source_close *order)
{
	struct slot *slot = program_find(p, order->feed, order->incarnation);

	if (slot != NULL && !slot->source->is_closed) {
		source_close(slot->source, p->timeline, order->cause, clock_monotonic_us());
		p->has_changed = true;
	}
}

static void program_leave(struct program *p, const struct ipc_source_leaving *order)
{
	struct slot *slot = program_find(p, order->feed, order->incarnation);

	if (slot != NULL) { /* else it has left */
		timeline_set_leaving(p->timeline, slot->source->handle, order->is_leaving != 0,
				     order->cause);
		p->has_changed = true;
	}
}

static void program_note_loss(struct program *p, const struct ipc_source_loss *loss)
{
	struct slot *slot = program_find(p, loss->feed, loss->incarnation);

	if (slot != NULL && !slot->source->is_closed) {
		timeline_note_loss(p->timeline, slot->source->handle, loss->packets, loss->lost,
				   clock_monotonic_us());
	}
}

static void program_remove_reader(struct program *p, uint32_t id)
{
	for (unsigned i = 0; i < p->reader_count; i++) {
		if (p->readers[i].id == id) {
			ring_writer_remove_wake(p->show.ring, p->readers[i].wake);
			close(p->readers[i].wake);
			p->readers[i] = p->readers[--p->reader_count];
			return;
		}
	}
}

static void program_add_reader(struct program *p, struct ipc_message *m)
{
	const struct ipc_reader_add *order = (const void *)m->body;
	int wake = ipc_take_fd(m, 0);

	program_remove_reader(p, order->reader);
	if (wake < 0 || p->reader_count == READERS_MAX ||
	    ring_writer_add_wake(p->show.ring, wake) != 0) {
		log_error("cannot add a reader show=%s reader=%u", p->report.show, order->reader);
		if (wake >= 0) {
			close(wake);
		}
		return;
	}
	p->readers[p->reader_count++] = (struct reader){ .id = order->reader, .wake = wake };
}

static void program_take(struct program *p, uint16_t feed)
{
	if (timeline_take(p->timeline, feed, clock_monotonic_us()) != 0) {
		log_error("cannot take a feed that is not there show=%s feed=%u", p->report.show,
			  feed);
		return;
	}
	log_info("take show=%s feed=%s", p->report.show,
		 feed != 0 ? report_feed_name(&p->report, feed) : "auto");
	p->has_changed = true;
	p->report.has_news = true;
}

static void program_rehearse(struct program *p, const struct ipc_feed_rehearse *order)
{
	timeline_set_rehearsed(p->timeline, order->feed, order->is_rehearsed != 0,
			       clock_monotonic_us());
}

static void program_obey(struct program *p, struct ipc_message *m)
{
	switch (m->type) {
	case IPC_SOURCE_OPEN:
		program_open(p, m);
		break;
	case IPC_SOURCE_CLOSE:
		program_close(p, (const void *)m->body);
		break;
	case IPC_SOURCE_LEAVING:
		program_leave(p, (const void *)m->body);
		break;
	case IPC_READER_ADD:
		program_add_reader(p, m);
		break;
	case IPC_READER_REMOVE:
		program_remove_reader(
			p, ((const struct ipc_reader_remove *)(const void *)m->body)->reader);
		break;
	case IPC_TAKE:
		program_take(p, ((const struct ipc_take *)(const void *)m->body)->feed);
		break;
	case IPC_SWITCH_HEALTH:
		timeline_set_thresholds(
			p->timeline,
			&((const struct ipc_switch_health *)(const void *)m->body)->health);
		break;
	case IPC_SWITCH_SETTLE:
		timeline_settle_reference(
			p->timeline,
			((const struct ipc_switch_settle *)(const void *)m->body)->is_settled != 0);
		break;
	case IPC_SWITCH_BEGIN:
		p->begins_us = 0;
		break;
	case IPC_FEED_REHEARSE:
		program_rehearse(p, (const void *)m->body);
		break;
	case IPC_SOURCE_LOSS:
		program_note_loss(p, (const void *)m->body);
		break;
	case IPC_STOP:
		event_base_loopbreak(p->base);
		break;
	default:
		log_warn("unexpected order type=%s", ipc_type_str(m->type));
		break;
	}
}

static void program_on_control(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;
	struct ipc_message m;
	int got;

	while ((got = ipc_recv(WORKER_CONTROL_FD, &m)) > 0) {
		program_obey(p, &m);
		ipc_message_finish(&m);
	}
	if (got != -EAGAIN) {
		event_base_loopbreak(p->base);
		return;
	}
	program_round(p);
}

/* ---- beginning and end ---- */

static struct timeline *program_timeline(const struct ipc_switch_start *start, int64_t now_us)
{
	struct timeline_config config = {
		.delay_us = start->delay_us,
		.stall_us = start->stall_us,
		.hole_us = start->hole_us,
		.return_after_us = start->return_after_us,
		.return_mode = (enum timeline_return)start->return_mode,
		.on_mismatch = (enum timeline_mismatch)start->on_mismatch,
		.health = start->health,
		.feed_count = start->feed_count,
	};

	for (unsigned i = 0; i < config.feed_count; i++) {
		config.feeds[i] = (struct timeline_feed_config){
			.id = start->feeds[i].id,
			.is_slate = start->feeds[i].is_slate != 0,
			.offset_90k = (int64_t)start->feeds[i].offset_ms * (MEDIA_HZ / 1000),
		};
	}
	return timeline_create(&config, now_us);
}

/* Goes on where another switch was killed. If that cannot be done the show begins anew, which
 * relays notice as a gap. */
static void program_inherit(struct program *p, int old_ring, int64_t now_us)
{
	struct timeline_checkpoint checkpoint;
	int error = show_inherit(&p->show, old_ring, now_us, &checkpoint);

	if (error == 0) {
		error = timeline_resume(p->timeline, &checkpoint, now_us);
	}
	if (error != 0) {
		log_warn("cannot resume the show, it begins anew show=%s: %s", p->report.show,
			 error == -ENOENT ? "nothing was on air" : strerror(-error));
		return;
	}
	log_info("show resumed show=%s live=%s at_90k=%lld", p->report.show,
		 report_feed_name(&p->report, checkpoint.live_feed),
		 (long long)checkpoint.show_90k);
}

static int program_start(struct program *p, struct ipc_message *m)
{
	const struct ipc_switch_start *start = (const void *)m->body;
	const struct ipc_ring_ready ready = { 0 };
	int ring = ipc_take_fd(m, 0), old_ring = ipc_take_fd(m, 1);
	int64_t now_us = clock_monotonic_us();
	int error = show_init(&p->show, ring, start->span_us, start->fills_silence != 0);

	if (error == 0) {
		report_init(&p->report, WORKER_CONTROL_FD, start);
		p->begins_us = now_us + BEGIN_MAX_US;
		p->round_us = start->round_us;
		p->timeline = program_timeline(start, now_us);
		error = p->timeline == NULL ? -ENOMEM : 0;
	}
	if (error == 0 && old_ring >= 0) {
		program_inherit(p, old_ring, now_us);
	}
	if (error == 0 && timeline_take(p->timeline, start->taken_feed, now_us) != 0) {
		log_warn("the feed taken is not there any more show=%s", p->report.show);
	}
	if (error == 0 && start->is_reference_settled != 0) {
		timeline_restore_reference(p->timeline, &start->reference, start->reference_feed);
	}
	if (error == 0) {
		show_write_checkpoint(&p->show, p->timeline);
		error = ipc_send(WORKER_CONTROL_FD, IPC_RING_READY, &ready, NULL, 0);
	}
	if (ring >= 0) {
		close(ring);
	}
	if (old_ring >= 0) {
		close(old_ring);
	}
	return error;
}

/* The first order. 0 or a negative errno. */
static int program_wait_start(struct program *p)
{
	struct ipc_message m;

	if (!worker_first_order(IPC_SWITCH_START, &m)) {
		return -ECANCELED;
	}
	int error = program_start(p, &m);
	ipc_message_finish(&m);
	return error;
}

static bool program_init_loop(struct program *p)
{
	p->base = loop_create();
	if (p->base == NULL) {
		return false;
	}
	p->control = event_new(p->base, WORKER_CONTROL_FD, EV_READ | EV_PERSIST, program_on_control,
			       p);
	p->timer = event_new(p->base, -1, 0, program_on_timer, p);
	return p->control != NULL && p->timer != NULL && event_add(p->control, NULL) == 0;
}

static void program_finish(struct program *p)
{
	for (int i = 0; i < TIMELINE_SOURCES_MAX; i++) {
		program_release(p, i);
	}
	while (p->reader_count > 0) {
		program_remove_reader(p, p->readers[0].id);
	}
	if (p->control != NULL) {
		event_free(p->control);
	}
	if (p->timer != NULL) {
		event_free(p->timer);
	}
	if (p->base != NULL) {
		event_base_free(p->base);
	}
	timeline_destroy(&p->timeline);
	show_finish(&p->show);
}

int main(void)
{
	struct program p = { 0 };
	int error;

	worker_begin(ROLE_SWITCH);
	if (getrandom(&p.seed, sizeof(p.seed), 0) != (ssize_t)sizeof(p.seed)) {
		log_error("no random numbers: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	error = program_wait_start(&p);
	if (error == 0 && !program_init_loop(&p)) {
		error = -ENOMEM;
	}
	if (error == 0) {
		program_round(&p);
		event_base_dispatch(p.base);
	} else {
		log_error("cannot start: %s", strerror(-error));
	}
	program_finish(&p);
	return error == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
