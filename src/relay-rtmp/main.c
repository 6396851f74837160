/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * understudy-relay-rtmp: sends a show to RTMP and RTMPS platforms. One loop, many destinations;
 * orders come from the supervisor on the control socket, media from the show ring. Blocks on
 * nothing but its loop. Owns the ring's mapping and the destinations' connections.
 *
 * With batch_us > 0 the ring is looked at every batch_us, and less often once nothing has come
 * for a while; with 0 the switch wakes us by an eventfd, which is never read. Which of the two
 * is said with each ring.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/log.h>
#include <understudy/loop.h>
#include <understudy/net.h>
#include <understudy/worker.h>

#include "relay.h"

#define QUIET_AFTER_US 2000000
#define QUIET_POLL_US 200000

struct worker {
	struct relay relay;
	struct event *control, *second, *batch, *wake;
	int wake_fd;         /* -1: none */
	int64_t interval_us; /* of `batch` now */
	int64_t packet_us;   /* when the ring last had something */
	bool has_started;
	int exit_code;
};

struct ssl_ctx_st *relay_trust(struct relay *r, const char **ret_error)
{
	if (!r->trust && r->trust_fd < 0) {
		*ret_error = "TLS: there is no bundle of trusted certificates";
	} else if (!r->trust) {
		r->trust = stream_trust_create(r->trust_fd, ret_error);
	}
	return r->trust;
}

static struct timeval timeval_of(int64_t us)
{
	return (struct timeval){ .tv_sec = us / 1000000, .tv_usec = us % 1000000 };
}

/* ---- media ---- */

static void flush_all(struct relay *r, int64_t now_us)
{
	struct destination *d;

	LIST_FOREACH(d, &r->destinations, entry) {
		destination_flush(d, now_us);
	}
}

static void wake_all(struct relay *r, int64_t now_us)
{
	struct destination *d;

	LIST_FOREACH(d, &r->destinations, entry) {
		destination_wake(d, now_us);
	}
}

static void set_interval(struct worker *w, int64_t us)
{
	const struct timeval every = timeval_of(us);

	if (w->interval_us == us) {
		return;
	}
	w->interval_us = us;
	if (us) {
		event_add(w->batch, &every);
	} else {
		event_del(w->batch);
	}
}

static void read_show(struct worker *w)
{
	struct relay *r = &w->relay;
	int64_t now_us = clock_monotonic_us();

	if (show_read(r, now_us)) {
		w->packet_us = now_us;
		if (r->show.media_us == now_us) {
			wake_all(r, now_us);
		}
		flush_all(r, now_us);
	}
	if (r->batch_us && now_us - w->packet_us >= QUIET_AFTER_US) {
		set_interval(w, QUIET_POLL_US);
	} else {
		set_interval(w, r->batch_us);
	}
}

static void on_media(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	read_show(context);
}

/* ---- time ---- */

static void on_over(evutil_socket_t fd, short what, void *context)
{
	struct worker *w = context;
	struct destination *d, *next;

	(void)fd;
	(void)what;
	for (d = LIST_FIRST(&w->relay.destinations); d; d = next) {
		next = LIST_NEXT(d, entry);
		if (destination_is_over(d)) {
			destination_destroy(&d);
		}
	}
	if (w->relay.is_stopping && LIST_EMPTY(&w->relay.destinations)) {
		event_base_loopbreak(w->relay.base);
	}
}

static void on_second(evutil_socket_t fd, short what, void *context)
{
	struct worker *w = context;
	int64_t now_us = clock_monotonic_us();
	struct destination *d;

	(void)fd;
	(void)what;
	LIST_FOREACH(d, &w->relay.destinations, entry) {
		destination_second(d, now_us);
	}
	/* Destinations that rest tell nothing. If the supervisor is busy, it hears the next one. */
	(void)ipc_send(WORKER_CONTROL_FD, IPC_ALIVE, &(struct ipc_alive){ 0 }, NULL, 0);
}

/* ---- orders ---- */

static void drop_wake(struct worker *w)
{
	if (w->wake) {
		event_free(w->wake);
		close(w->wake_fd);
		w->wake = NULL;
	}
}

/* How the ring is looked into from now on. The eventfd is the same each time. */
static void take_pace(struct worker *w, int64_t batch_us, int fd)
{
	w->relay.batch_us = batch_us > 0 ? batch_us : 0;
	if (w->relay.batch_us) {
		drop_wake(w);
	}
	if (w->relay.batch_us || w->wake || fd < 0) {
		if (fd >= 0) {
			close(fd);
		}
		return;
	}
	w->wake_fd = fd;
	w->wake = event_new(w->relay.base, fd, EV_READ | EV_PERSIST | EV_ET, on_media, w);
	event_add(w->wake, NULL);
}

/* 0 or negative errno. */
static int take_ring(struct worker *w, struct ipc_message *m, int64_t batch_us)
{
	int fd = ipc_take_fd(m, 0), error;

	if (fd < 0) {
		return -EBADMSG;
	}
	error = show_take_ring(&w->relay.show, fd);
	close(fd);
	if (error) {
		log_error("show=%s show ring cannot be read error=%s", w->relay.name,
			  strerror(-error));
		return error;
	}
	take_pace(w, batch_us, ipc_take_fd(m, 1));
	read_show(w);
	return 0;
}

static int start(struct worker *w, struct ipc_message *m)
{
	const struct ipc_relay_start *order = (const void *)m->body;
	struct relay *r = &w->relay;

	if (w->has_started) {
		return -EBADMSG;
	}
	w->has_started = true;
	memcpy(r->name, order->show, sizeof(r->name));
	r->trust_fd = ipc_take_fd(m, 2);
	w->packet_us = clock_monotonic_us();
	return take_ring(w, m, order->batch_us);
}

static struct destination *find(struct relay *r, uint32_t id)
{
	struct destination *d;

	LIST_FOREACH(d, &r->destinations, entry) {
		if (d->config.id == id && d->state != DESTINATION_STOPPED) {
			return d;
		}
	}
	return NULL;
}

static int add(struct worker *w, struct ipc_message *m)
{
	int64_t now_us = clock_monotonic_us();
	struct ipc_destination_add order;
	struct destination *d;

	memcpy(&order, m->body, sizeof(order));
	explicit_bzero(m->body, sizeof(order));
	if (find(&w->relay, order.id)) {
		log_warn("show=%s destination=%s is there already", w->relay.name, order.name);
		d = NULL;
	} else {
		d = destination_create(&w->relay, &order, now_us);
		if (!d) {
			log_error("show=%s destination=%s: out of memory", w->relay.name,
				  order.name);
		}
	}
	explicit_bzero(&order, sizeof(order));
	if (d && w->relay.show.has_media) {
		destination_wake(d, now_us);
	}
	return 0;
}

static void remove_destination(struct worker *w, const struct ipc_destination_remove *order)
{
	struct destination *d = find(&w->relay, order->id);

	if (d) {
		read_show(w);
		destination_stop(d, order->unpublish, clock_monotonic_us());
	}
}

static void cut_destination(struct worker *w, const struct ipc_destination_cut *order)
{
	struct destination *d = find(&w->relay, order->id);

	if (d) {
		destination_cut(d, order->until_us, clock_monotonic_us());
	}
}

static void resolved(struct relay *r, const struct ipc_resolve_answer *answer)
{
	struct destination *d;

	LIST_FOREACH(d, &r->destinations, entry) {
		destination_resolved(d, answer);
	}
}

static void stop(struct worker *w, bool unpublish)
{
	struct destination *d;

	read_show(w);
	w->relay.is_stopping = true;
	LIST_FOREACH(d, &w->relay.destinations, entry) {
		destination_stop(d, unpublish, clock_monotonic_us());
	}
	event_active(w->relay.reap, EV_TIMEOUT, 0);
}

/* 0 or negative errno: the supervisor is not one of ours. */
static int obey(struct worker *w, struct ipc_message *m)
{
	switch (m->type) {
	case IPC_RELAY_START:
		return start(w, m);
	case IPC_SHOW_RING:
		/* A ring that cannot be read leaves the present one in place. */
		(void)take_ring(w, m,
				((const struct ipc_show_ring *)(const void *)m->body)->batch_us);
		return 0;
	case IPC_DESTINATION_ADD:
		return add(w, m);
	case IPC_DESTINATION_REMOVE:
		remove_destination(w, (const void *)m->body);
		return 0;
	case IPC_DESTINATION_CUT:
		cut_destination(w, (const void *)m->body);
		return 0;
	case IPC_RESOLVE_ANSWER:
		resolved(&w->relay, (const void *)m->body);
		return 0;
	case IPC_STOP:
		stop(w, ((const struct ipc_stop *)(const void *)m->body)->unpublish);
		return 0;
	default:
		log_error("unexpected message type=%s", ipc_type_str(m->type));
		return -EBADMSG;
	}
}

static void on_control(evutil_socket_t fd, short what, void *context)
{
	static struct ipc_message m;
	struct worker *w = context;
	int result, error = 0;

	(void)what;
	while (!error && (result = ipc_recv(fd, &m)) == 1) {
		error = obey(w, &m);
		ipc_message_finish(&m);
	}
	if (error || (result != -EAGAIN && result != 0)) {
		w->exit_code = 1;
		event_base_loopbreak(w->relay.base);
	} else if (result == 0) {
		event_base_loopbreak(w->relay.base);
	}
}

/* ---- the program ---- */

static bool set_up(struct worker *w)
{
	const struct timeval second = { .tv_sec = 1 };
	struct event_base *base = loop_create();

	w->relay.base = base;
	if (!base) {
		return false;
	}
	w->control = event_new(base, WORKER_CONTROL_FD, EV_READ | EV_PERSIST, on_control, w);
	w->second = event_new(base, -1, EV_PERSIST, on_second, w);
	w->batch = event_new(base, -1, EV_PERSIST, on_media, w);
	w->relay.reap = event_new(base, -1, 0, on_over, w);
	return w->control && w->second && w->batch && w->relay.reap &&
	       event_add(w->control, NULL) == 0 && event_add(w->second, &second) == 0;
}

int main(void)
{
	static struct worker w = { .wake_fd = -1, .relay.trust_fd = -1 };
	struct destination *d;

	worker_begin(ROLE_RELAY_RTMP);
	if (!set_up(&w)) {
		log_error("out of memory");
		return 1;
	}
	(void)event_base_dispatch(w.relay.base);
	while ((d = LIST_FIRST(&w.relay.destinations))) {
		destination_destroy(
			&d); /* uncleanly: platforms keep the broadcast for our return */
	}
	show_finish(&w.relay.show);
	return w.exit_code;
}
