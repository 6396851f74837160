/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * understudy-relay-flv: records a show into one FLV file.
 *
 * One process per recording, with no network and no names: show ring, file and wake-up come as
 * descriptors over the control socket. It blocks for its first order and on the disk, which
 * costs nobody else anything: the ring's writer waits for no reader. A file that cannot be
 * written to is reported, and the process ends; the supervisor begins another file.
 *
 * Wake-ups: a show with batch_ms is looked at every so many milliseconds, one without has an
 * eventfd, edge-triggered and never read.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include <understudy/clock.h>
#include <understudy/ipc.h>
#include <understudy/log.h>
#include <understudy/loop.h>
#include <understudy/text.h>
#include <understudy/worker.h>

#include "recording.h"

#define START_WAIT_MS 5000
#define STATUS_US 1000000
#define BATCH_MAX_US 1000000
#define HELD_AFTER_US 2000000 /* without a packet */

struct program {
	struct event_base *base;
	struct event *control, *timer, *wake, *second;
	struct follower *follower;
	struct recording recording;
	struct ipc_destination_status status;
	int64_t batch_us;
	int64_t packet_us;     /* when the last packet came */
	uint64_t bytes_before; /* in the file at the last count of kbps */
	int64_t counted_us;
	char show[IPC_NAME], name[IPC_NAME];
	int exit_code;
};

/* ---- what the supervisor is told ---- */

static void program_tell(struct program *p)
{
	p->status.bytes = p->recording.bytes;
	p->status.dropped = p->recording.dropped;
	/* A supervisor that does not read now gets the next one. */
	(void)ipc_send(WORKER_CONTROL_FD, IPC_DESTINATION_STATUS, &p->status, NULL, 0);
}

static void program_set_state(struct program *p, enum destination_state state, const char *cause)
{
	if (p->status.state == state) {
		return;
	}
	log_info("recording show=%s destination=%s state=%s was=%s cause=\"%s\" bytes=%llu",
		 p->show, p->name, destination_state_str(state),
		 destination_state_str((enum destination_state)p->status.state), cause,
		 (unsigned long long)p->recording.bytes);
	p->status.state = state;
	p->status.since_us = clock_monotonic_us();
	program_tell(p);
}

static void program_fail(struct program *p, const char *what, int error)
{
	text_format(p->status.last_error, sizeof(p->status.last_error), "%s: %s", what,
		    strerror(-error));
	log_error("recording failed show=%s destination=%s: %s", p->show, p->name,
		  p->status.last_error);
	p->exit_code = EXIT_FAILURE;
	program_set_state(p, DESTINATION_BACKING_OFF, p->status.last_error);
	event_base_loopbreak(p->base);
}

/* ---- the round ---- */

static void program_round(struct program *p)
{
	int64_t now_us = clock_monotonic_us();
	int count;

	if (p->exit_code != EXIT_SUCCESS) {
		return;
	}
	count = recording_follow(&p->recording, p->follower);
	if (count < 0) {
		program_fail(p, "cannot write the recording", count);
	} else if (count > 0 && p->recording.state == RECORDING_RUNNING) {
		p->packet_us = now_us;
		program_set_state(p, DESTINATION_LIVE, "media");
	} else if (p->status.state == DESTINATION_LIVE && now_us - p->packet_us > HELD_AFTER_US) {
		program_set_state(p, DESTINATION_HELD, "nothing to record");
	}
}

static void program_on_timer(evutil_socket_t fd, short what, void *arg)
{
	program_round(arg);
}

static void program_on_wake(evutil_socket_t fd, short what, void *arg)
{
	program_round(arg);
}

static void program_on_second(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;
	int64_t now_us = clock_monotonic_us();
	int64_t elapsed_us = now_us - p->counted_us;

	program_round(p);
	if (elapsed_us > 0) {
		uint64_t bits = (p->recording.bytes - p->bytes_before) * 8;

		p->status.kbps = (uint32_t)(bits * 1000 / (uint64_t)elapsed_us);
		p->bytes_before = p->recording.bytes;
		p->counted_us = now_us;
	}
	program_tell(p);
}

/* ---- orders ---- */

static void program_drop_wake(struct program *p)
{
	if (p->wake != NULL) {
		close(event_get_fd(p->wake));
		event_free(p->wake);
		p->wake = NULL;
	}
}

/* Takes the descriptor. A show that gathers packets wakes by its timer alone. */
static int program_set_wake(struct program *p, int fd)
{
	program_drop_wake(p);
	if (fd < 0 || p->batch_us > 0) {
		if (fd >= 0) {
			close(fd);
		}
		return 0;
	}
	p->wake = event_new(p->base, fd, EV_READ | EV_ET | EV_PERSIST, program_on_wake, p);
	if (p->wake == NULL || event_add(p->wake, NULL) != 0) {
		return -ENOMEM;
	}
	return 0;
}

static void program_change_ring(struct program *p, struct ipc_message *m)
{
	int ring = ipc_take_fd(m, 0);
	int error = follower_switch(p->follower, ring);

	close(ring);
	if (error == 0) {
		error = program_set_wake(p, ipc_take_fd(m, 1));
	}
	if (error < 0) {
		program_fail(p, "cannot follow the new show ring", error);
		return;
	}
	log_info("new show ring show=%s destination=%s", p->show, p->name);
	program_round(p);
}

static void program_obey(struct program *p, struct ipc_message *m)
{
	switch (m->type) {
	case IPC_SHOW_RING:
		program_change_ring(p, m);
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
	}
}

/* ---- beginning and end ---- */

static int program_start(struct program *p, struct ipc_message *m)
{
	const struct ipc_record_start *start = (const void *)m->body;
	int ring = ipc_take_fd(m, 0), file = ipc_take_fd(m, 1);
	int error = follower_open(ring, &p->follower);

	close(ring);
	recording_init(&p->recording, file);
	p->status.id = start->id;
	p->status.since_us = clock_monotonic_us();
	p->counted_us = p->status.since_us;
	p->batch_us = start->batch_us < BATCH_MAX_US ? start->batch_us : BATCH_MAX_US;
	text_copy(p->show, sizeof(p->show), start->show);
	text_copy(p->name, sizeof(p->name), start->name);
	return error < 0 ? error : program_set_wake(p, ipc_take_fd(m, 2));
}

/* The first order. 0 or a negative errno. */
static int program_wait_start(struct program *p)
{
	struct pollfd control = { .fd = WORKER_CONTROL_FD, .events = POLLIN };
	struct ipc_message m;
	int error;

	if (poll(&control, 1, START_WAIT_MS) <= 0 || ipc_recv(WORKER_CONTROL_FD, &m) <= 0) {
		return -ETIMEDOUT;
	}
	error = m.type == IPC_RECORD_START ? program_start(p, &m) : -EPROTO;
	ipc_message_finish(&m);
	return error;
}

static struct event *add_timer(struct program *p, event_callback_fn callback, int64_t period_us)
{
	struct timeval period = { .tv_sec = period_us / 1000000, .tv_usec = period_us % 1000000 };
	struct event *event = event_new(p->base, -1, EV_PERSIST, callback, p);

	if (event != NULL && event_add(event, &period) != 0) {
		event_free(event);
		event = NULL;
	}
	return event;
}

static int program_arm(struct program *p)
{
	p->control = event_new(p->base, WORKER_CONTROL_FD, EV_READ | EV_PERSIST, program_on_control,
			       p);
	p->second = add_timer(p, program_on_second, STATUS_US);
	if (p->control == NULL || p->second == NULL || event_add(p->control, NULL) != 0) {
		return -ENOMEM;
	}
	if (p->batch_us > 0) {
		p->timer = add_timer(p, program_on_timer, p->batch_us);
		return p->timer == NULL ? -ENOMEM : 0;
	}
	return 0;
}

/* Everything that is in the ring goes into the file before the end. */
static void program_end(struct program *p)
{
	int error;

	program_round(p);
	if (p->exit_code != EXIT_SUCCESS) {
		return;
	}
	error = recording_end(&p->recording);
	if (error < 0) {
		program_fail(p, "cannot finish the recording", error);
		return;
	}
	program_set_state(p, DESTINATION_STOPPED, "told to stop");
}

static void program_finish(struct program *p)
{
	struct event *events[] = { p->control, p->timer, p->second };

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (events[i] != NULL) {
			event_free(events[i]);
		}
	}
	program_drop_wake(p);
	follower_close(&p->follower);
	recording_finish(&p->recording);
	event_base_free(p->base);
}

int main(void)
{
	struct program p = { .exit_code = EXIT_SUCCESS };
	int error;

	worker_begin(ROLE_RELAY_FLV);
	p.base = loop_create();
	if (p.base == NULL) {
		log_error("no memory for the event loop");
		return EXIT_FAILURE;
	}
	error = program_wait_start(&p);
	if (error == 0) {
		error = program_arm(&p);
	}
	if (error < 0) {
		log_error("cannot start the recording: %s", strerror(-error));
		p.exit_code = EXIT_FAILURE;
	} else {
		program_tell(&p);
		/* Timer or wake-up, which may be up already, begin the first round: one before the
		 * loop could not end it. */
		event_base_dispatch(p.base);
		program_end(&p);
	}
	program_finish(&p);
	return p.exit_code;
}
