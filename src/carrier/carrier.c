/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The frame of a worker with one destination (carrier.h). Owns the events and the follower. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <understudy/carrier.h>
#include <understudy/clock.h>
#include <understudy/log.h>
#include <understudy/loop.h>
#include <understudy/text.h>

#define STATUS_US 1000000
#define BATCH_MAX_US 1000000

/* ---- what the supervisor is told ---- */

void carrier_tell(struct carrier *c)
{
	/* A supervisor that does not read now gets the next one. */
	(void)ipc_send(WORKER_CONTROL_FD, IPC_DESTINATION_STATUS, &c->status, NULL, 0);
}

static bool is_failure(enum destination_state state)
{
	return state == DESTINATION_BACKING_OFF || state == DESTINATION_REFUSED;
}

void carrier_set_state(struct carrier *c, enum destination_state state, const char *cause)
{
	enum destination_state was = (enum destination_state)c->status.state;

	if (was == state && (!is_failure(state) || strcmp(c->status.last_error, cause) == 0)) {
		return;
	}
	if (is_failure(state)) {
		text_copy(c->status.last_error, sizeof(c->status.last_error), cause);
	}
	log_line(is_failure(state) ? LOG_WARN : LOG_INFO,
		 "destination show=%s destination=%s state=%s was=%s cause=\"%s\"", c->show,
		 c->name, destination_state_str(state), destination_state_str(was), cause);
	if (was != state) {
		c->status.since_us = clock_monotonic_us();
	}
	c->status.state = state;
	carrier_tell(c);
}

void carrier_fail(struct carrier *c, const char *cause)
{
	carrier_set_state(c, DESTINATION_BACKING_OFF, cause);
	c->is_ended = true;
	event_base_loopbreak(c->base);
}

/* ---- the loop ---- */

static void carrier_round(struct carrier *c)
{
	if (!c->is_ended) {
		c->ops->round(c);
	}
}

static void carrier_on_timer(evutil_socket_t fd, short what, void *arg)
{
	carrier_round(arg);
}

static void carrier_on_second(evutil_socket_t fd, short what, void *arg)
{
	struct carrier *c = arg;
	int64_t elapsed_us;

	carrier_round(c);
	c->ops->count(c);
	elapsed_us = clock_monotonic_us() - c->counted_us;
	if (elapsed_us > 0) {
		uint64_t bits = (c->status.bytes - c->counted_bytes) * 8;

		c->status.kbps = (uint32_t)(bits * 1000 / (uint64_t)elapsed_us);
		c->counted_bytes = c->status.bytes;
		c->counted_us += elapsed_us;
	}
	carrier_tell(c);
}

static void carrier_drop_wake(struct carrier *c)
{
	if (c->wake != NULL) {
		close(event_get_fd(c->wake));
		event_free(c->wake);
		c->wake = NULL;
	}
}

static int carrier_set_timer(struct carrier *c, int64_t period_us)
{
	if (c->timer != NULL) {
		event_free(c->timer);
		c->timer = NULL;
	}
	if (period_us > 0) {
		period_us = period_us < BATCH_MAX_US ? period_us : BATCH_MAX_US;
		c->timer = carrier_add_timer(c, carrier_on_timer, c, period_us);
	}
	return period_us > 0 && c->timer == NULL ? -ENOMEM : 0;
}

/* Looks into the ring every batch_us; 0: whenever woken. Takes the descriptor: the same eventfd
 * each time. */
static int carrier_set_pace(struct carrier *c, int64_t batch_us, int fd)
{
	int error = carrier_set_timer(c, batch_us);

	if (batch_us > 0) {
		carrier_drop_wake(c);
	}
	if (fd < 0 || batch_us > 0 || c->wake != NULL) {
		if (fd >= 0) {
			close(fd);
		}
		return error;
	}
	c->wake = event_new(c->base, fd, EV_READ | EV_ET | EV_PERSIST, carrier_on_timer, c);
	if (c->wake == NULL || event_add(c->wake, NULL) != 0) {
		return -ENOMEM;
	}
	return 0;
}

static void carrier_change_ring(struct carrier *c, struct ipc_message *m)
{
	const struct ipc_show_ring *order = (const void *)m->body;
	int ring = ipc_take_fd(m, 0);
	int error = follower_switch(c->follower, ring);

	close(ring);
	if (error == 0) {
		error = carrier_set_pace(c, order->batch_us, ipc_take_fd(m, 1));
	}
	if (error < 0) {
		carrier_fail(c, "cannot follow the new show ring");
		return;
	}
	log_info("new show ring show=%s destination=%s", c->show, c->name);
	carrier_round(c);
}

static void carrier_obey(struct carrier *c, struct ipc_message *m)
{
	if (m->type == IPC_SHOW_RING) {
		carrier_change_ring(c, m);
	} else if (m->type == IPC_STOP) {
		event_base_loopbreak(c->base);
	} else {
		c->ops->obey(c, m);
	}
}

static void carrier_on_control(evutil_socket_t fd, short what, void *arg)
{
	struct carrier *c = arg;
	struct ipc_message m;
	int got;

	while ((got = ipc_recv(WORKER_CONTROL_FD, &m)) > 0) {
		carrier_obey(c, &m);
		explicit_bzero(m.body, sizeof(m.body)); /* it may have held secrets */
		ipc_message_finish(&m);
	}
	if (got != -EAGAIN) {
		event_base_loopbreak(c->base);
	}
}

/* ---- beginning and end ---- */

static int carrier_start(struct carrier *c, struct ipc_message *m)
{
	const struct ipc_output_start *start = (const void *)m->body;
	int ring = ipc_take_fd(m, 0);
	int error = follower_open(ring, &c->follower);

	close(ring);
	c->file = ipc_take_fd(m, 2);
	c->status.id = start->id;
	c->status.since_us = clock_monotonic_us();
	c->counted_us = c->status.since_us;
	c->retry = (struct restart_policy){
		.healthy_us = start->healthy_us,
		.first_us = start->first_us,
		.cap_us = start->cap_us,
		.jitter_percent = restart_policy_destination.jitter_percent,
	};
	text_copy(c->show, sizeof(c->show), start->show);
	text_copy(c->name, sizeof(c->name), start->name);
	if (error == 0) {
		error = carrier_set_pace(c, start->batch_us, ipc_take_fd(m, 1));
	}
	return error < 0 ? error : c->ops->begin(c, start);
}

static int carrier_wait_start(struct carrier *c)
{
	struct ipc_message m;

	if (!worker_first_order(IPC_OUTPUT_START, &m)) {
		return -ECANCELED;
	}
	int error = carrier_start(c, &m);
	explicit_bzero(m.body, sizeof(m.body));
	ipc_message_finish(&m);
	return error;
}

struct event *carrier_add_timer(struct carrier *c, event_callback_fn callback, void *context,
				int64_t period_us)
{
	struct timeval period = { .tv_sec = period_us / 1000000, .tv_usec = period_us % 1000000 };
	struct event *event = event_new(c->base, -1, EV_PERSIST, callback, context);

	if (event != NULL && event_add(event, &period) != 0) {
		event_free(event);
		event = NULL;
	}
	return event;
}

static int carrier_arm(struct carrier *c)
{
	c->control = event_new(c->base, WORKER_CONTROL_FD, EV_READ | EV_PERSIST, carrier_on_control,
			       c);
	c->second = carrier_add_timer(c, carrier_on_second, c, STATUS_US);
	if (c->control == NULL || c->second == NULL || event_add(c->control, NULL) != 0) {
		return -ENOMEM;
	}
	return 0;
}

static void carrier_finish(struct carrier *c)
{
	struct event *events[] = { c->control, c->timer, c->second };

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (events[i] != NULL) {
			event_free(events[i]);
		}
	}
	carrier_drop_wake(c);
	follower_close(&c->follower);
	if (c->file >= 0) {
		close(c->file);
	}
	event_base_free(c->base);
}

int carrier_run(enum worker_role role, const struct carrier_ops *ops, void *context)
{
	struct carrier c = { .ops = ops, .context = context, .file = -1 };
	int error;

	worker_begin(role);
	c.base = loop_create();
	if (c.base == NULL) {
		log_error("no memory for the event loop");
		return EXIT_FAILURE;
	}
	error = carrier_wait_start(&c);
	if (error == 0) {
		error = carrier_arm(&c);
	}
	if (error < 0) {
		log_error("cannot start carrying the destination: %s", strerror(-error));
		c.is_ended = true;
	} else {
		carrier_tell(&c);
		event_base_dispatch(c.base);
		carrier_tell(&c); /* what is left may take its time to be written */
		carrier_round(&c);
		ops->end(&c);
	}
	carrier_finish(&c);
	return c.is_ended ? EXIT_FAILURE : EXIT_SUCCESS;
}
