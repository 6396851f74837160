/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Dialing (dial.h). Runs in every worker that dials RTMP, in its loop; never blocks: names are
 * looked up by another process, by way of the supervisor. Owns the descriptors of its attempts
 * until one connects.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <understudy/dial.h>
#include <understudy/net.h>
#include <understudy/text.h>
#include <understudy/worker.h>

#define LOOKUP_S 30 /* the supervisor gives up earlier; it may have many names to look up */
#define NEXT_US 250000
#define CONNECT_US 5000000

struct attempt {
	struct dial *dial;
	struct event *event; /* owned; NULL: not begun, or over */
	int fd;
};

struct dial {
	dial_done *done;
	void *owner;
	struct event_base *base;
	struct event *timer;
	uint32_t query;
	bool is_asking;
	enum net_reach furthest;
	struct ipc_resolve_answer answer;
	unsigned next;    /* the address to try next */
	unsigned open;    /* attempts under way */
	int error;        /* the most telling one so far */
	const char *text; /* what to say where it is not about an errno */
	struct attempt attempts[IPC_ADDRESSES_MAX];
};

static void on_timer(evutil_socket_t fd, short what, void *context);
static void on_attempt(evutil_socket_t fd, short what, void *context);

struct dial *dial_create(struct event_base *base, dial_done *done, void *owner, uint32_t query)
{
	struct dial *d = calloc(1, sizeof(*d));

	if (!d) {
		return NULL;
	}
	d->base = base;
	d->done = done;
	d->owner = owner;
	d->query = query;
	d->furthest = NET_HOST;
	d->timer = evtimer_new(base, on_timer, d);
	if (!d->timer) {
		free(d);
		return NULL;
	}
	return d;
}

uint32_t dial_query(const struct dial *d)
{
	return d->query;
}

static void attempt_end(struct attempt *a, bool closes)
{
	if (a->event) {
		event_free(a->event);
		a->event = NULL;
		a->dial->open--;
		if (closes) {
			close(a->fd);
		}
	}
}

void dial_destroy(struct dial **d)
{
	struct dial *gone = *d;
	unsigned i;

	*d = NULL;
	if (!gone) {
		return;
	}
	for (i = 0; i < IPC_ADDRESSES_MAX; i++) {
		attempt_end(&gone->attempts[i], true);
	}
	event_free(gone->timer);
	free(gone);
}

static void wait_us(struct dial *d, int64_t us)
{
	const struct timeval wait = { .tv_sec = us / 1000000, .tv_usec = us % 1000000 };

	evtimer_add(d->timer, &wait);
}

/* Ends the dial from the loop, not from within the caller. */
static void fail_soon(struct dial *d, const char *text)
{
	d->text = text;
	wait_us(d, 0);
}

/* An address that answers "no" tells more than one without a route. */
static int telling(int error)
{
	switch (-error) {
	case 0:
		return 0;
	case ENETUNREACH:
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
		return 1;
	case EHOSTUNREACH:
		return 2;
	case ETIMEDOUT:
		return 3;
	default:
		return 4;
	}
}

static void note(struct dial *d, int error)
{
	if (telling(error) > telling(d->error)) {
		d->error = error;
	}
}

static socklen_t address_size(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

/* Begins the next attempt. */
static int attempt_begin(struct dial *d)
{
	const struct sockaddr_storage *address = &d->answer.addresses[d->next];
	struct attempt *a = &d->attempts[d->next++];
	int fd = net_dial((const struct sockaddr *)address, address_size(address));

	if (fd < 0) {
		return fd;
	}
	net_tune_relay(fd);
	*a = (struct attempt){ .dial = d, .fd = fd };
	a->event = event_new(d->base, fd, EV_WRITE, on_attempt, a);
	if (!a->event || event_add(a->event, NULL) < 0) {
		if (a->event) {
			event_free(a->event);
			a->event = NULL;
		}
		close(fd);
		return -ENOMEM;
	}
	d->open++;
	return 0;
}

/* Tries the next address that can be tried; without any left, waits for those under way. */
static void go_on(struct dial *d)
{
	while (d->next < d->answer.count) {
		int error = attempt_begin(d);

		if (!error) {
			wait_us(d, d->next < d->answer.count ? NEXT_US : CONNECT_US);
			return;
		}
		note(d, error);
	}
	if (!d->open) {
		d->done(d->owner, -1, net_error_str(d->error));
	}
}

static void on_attempt(evutil_socket_t fd, short what, void *context)
{
	struct attempt *a = context;
	struct dial *d = a->dial;
	int result = net_dial_result(fd);

	(void)what;
	if (result == -EINPROGRESS) {
		event_add(a->event, NULL);
		return;
	}
	attempt_end(a, result != 0);
	if (result == 0) {
		d->done(d->owner, fd, NULL);
		return;
	}
	note(d, result);
	go_on(d);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct dial *d = context;

	(void)fd;
	(void)what;
	if (d->is_asking) {
		d->text = "name look-up took too long";
	}
	if (d->text) {
		d->done(d->owner, -1, d->text);
	} else if (d->next < d->answer.count) {
		go_on(d);
	} else {
		note(d, -ETIMEDOUT);
		d->done(d->owner, -1, net_error_str(d->error));
	}
}

void dial_limit(struct dial *d, enum net_reach furthest)
{
	d->furthest = furthest;
}

/* Leaves out the addresses that lie further inside than allowed. */
static void leave_out(struct dial *d)
{
	struct ipc_resolve_answer *a = &d->answer;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < a->count; i++) {
		if (net_reach_of((const struct sockaddr *)&a->addresses[i]) <= d->furthest) {
			a->addresses[kept++] = a->addresses[i];
		}
	}
	a->count = kept;
}

/* The addresses are known. */
static void begin(struct dial *d, const char *otherwise)
{
	static const char inward[] = "leads from outside to an inner address; `allow_private` "
				     "would follow it";

	if (d->answer.count) {
		leave_out(d);
		otherwise = inward;
	}
	if (d->answer.count) {
		wait_us(d, 0);
	} else {
		fail_soon(d, otherwise);
	}
}

void dial_resolved(struct dial *d, const struct ipc_resolve_answer *answer)
{
	if (!d->is_asking || answer->count > IPC_ADDRESSES_MAX) {
		return;
	}
	d->is_asking = false;
	d->answer = *answer;
	begin(d, *d->answer.error ? d->answer.error : "name not found");
}

void dial_start(struct dial *d, const char *host, uint16_t port)
{
	struct ipc_resolve_ask ask = { .query = d->query, .port = port };

	if (net_parse_address(host, port, &d->answer.addresses[0])) {
		d->answer.count = 1;
		begin(d, "");
		return;
	}
	(void)text_copy(ask.host, sizeof(ask.host), host);
	d->is_asking = true;
	if (ipc_send(WORKER_CONTROL_FD, IPC_RESOLVE_ASK, &ask, NULL, 0) < 0) {
		d->is_asking = false;
		fail_soon(d, "name look-up is not available");
		return;
	}
	wait_us(d, LOOKUP_S * 1000000LL);
}
