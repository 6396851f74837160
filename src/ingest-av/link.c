/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The stream's socket and all waiting (link.h). ingest-av. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/log.h>

#include "link.h"

#define SECOND_US 1000000

void link_init(struct link *l)
{
	l->second_us = clock_monotonic_us() + SECOND_US;
}

void link_finish(struct link *l)
{
	if (l->socket >= 0) {
		close(l->socket);
		l->socket = -1;
	}
}

void link_end(struct link *l)
{
	l->is_ended = true;
}

static void link_obey(struct link *l)
{
	struct ipc_message m;
	int got = ipc_recv(l->control, &m);

	if (got == -EAGAIN) {
		return;
	}
	if (got <= 0 || m.type == IPC_STOP) {
		l->is_ended = true;
		l->is_told = true;
	} else if (!l->ops->order(l->owner, &m)) {
		log_warn("unexpected order type=%s", ipc_type_str(m.type));
	}
	if (got > 0) {
		ipc_message_finish(&m);
	}
}

/* When its first byte left the encoder's side, as far as can be known. */
static int64_t link_arrival(const struct link *l, const struct tslink_head *head, int64_t now_us)
{
	int64_t delivered_us = head->delivered_us < now_us ? head->delivered_us : now_us;
	int64_t latency_us = head->latency_us;

	return delivered_us - (latency_us < l->backdate_us ? latency_us : l->backdate_us);
}

static void link_receive(struct link *l)
{
	struct tslink_head head;
	ssize_t got = recv(l->socket, l->message, sizeof(l->message), MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (got < (ssize_t)sizeof(head)) {
		l->is_ended = true; /* the end of the socket, or of ingest-srt's wits */
		return;
	}
	memcpy(&head, l->message, sizeof(head));
	l->arrival_us = link_arrival(l, &head, clock_monotonic_us());
	l->at = sizeof(head);
	l->filled = (size_t)got;
	l->bytes += (size_t)got - sizeof(head);
	if (head.flags & TSLINK_GAP) {
		l->gaps++;
		ts_inspect_gap(&l->inspector);
	}
}

static void link_wait(struct link *l)
{
	struct pollfd fds[2] = { { .fd = l->socket, .events = POLLIN },
				 { .fd = l->control, .events = POLLIN } };
	int64_t left_us = l->second_us - clock_monotonic_us();
	int ready = poll(fds, 2, left_us > 0 ? (int)(left_us / 1000) + 1 : 0);

	if (ready > 0 && fds[1].revents != 0) {
		link_obey(l);
	}
	if (ready > 0 && fds[0].revents != 0 && !l->is_ended) {
		link_receive(l);
	}
}

/* Also in the midst of a flood. */
static void link_mark_second(struct link *l)
{
	int64_t now_us = clock_monotonic_us();

	if (now_us >= l->second_us) {
		l->second_us = now_us + SECOND_US;
		l->ops->second(l->owner);
	}
}

int link_read(void *link, uint8_t *to, int room)
{
	struct link *l = link;

	while (l->at == l->filled && !l->is_ended) {
		l->ops->idle(l->owner);
		link_mark_second(l);
		if (!l->is_ended) {
			link_wait(l);
		}
	}
	if (l->at == l->filled || room <= 0) {
		return 0;
	}
	size_t size = l->filled - l->at;
	size = size < (size_t)room ? size : (size_t)room;
	memcpy(to, l->message + l->at, size);
	ts_inspect(&l->inspector, to, size, l->arrival_us);
	l->at += size;
	return (int)size;
}
