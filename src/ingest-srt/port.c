/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The port and its callers (port.h). ingest-srt. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <srt/access_control.h>

#include <understudy/clock.h>
#include <understudy/log.h>
#include <understudy/net.h>
#include <understudy/text.h>

#include "port.h"

#define WAIT_MS 20
#define SECOND_US 1000000
#define PAYLOAD_BYTES_MAX 1456
#define READS_MAX 256      /* a caller and turn */
#define GATHER_US 2000     /* packets of one message are no further apart */
#define SILENCE_US 4000000 /* libsrt itself notices nothing for 5 s */
#define CARRY_WAIT_US 5000000
#define ENTER_WAIT_US 3000000    /* between our yes and being connected */
#define SRT_VERSION_MIN 0x010300 /* what is older has no streamid */

/* ---- callers come ---- */

/* Runs in libsrt's receiving thread. */
static int on_caller(void *opaque, SRTSOCKET socket, int version, const struct sockaddr *peer,
		     const char *streamid)
{
	static const int reasons[DOOR_ANSWERS] = {
		[DOOR_UNKNOWN] = SRT_REJX_UNAUTHORIZED,
		[DOOR_FORBIDDEN] = SRT_REJX_FORBIDDEN,
		[DOOR_CONFLICT] = SRT_REJX_CONFLICT,
	};
	struct port *p = opaque;
	struct ipc_srt_feed feed;
	char text[IPC_NAME];
	int error = 0;

	net_format_address(peer, text, sizeof(text));
	enum door_answer answer = door_ask(&p->door, streamid != NULL ? streamid : "", text, peer,
					   clock_monotonic_us(), &feed);
	if (answer != DOOR_OPEN) {
		srt_setrejectreason(socket, reasons[answer]);
		return -1;
	}
	int latency_ms = (int)feed.latency_ms;
	size_t size = strnlen(feed.passphrase, sizeof(feed.passphrase));
	error |= srt_setsockflag(socket, SRTO_RCVLATENCY, &latency_ms, sizeof(latency_ms));
	if (size > 0) {
		error |= srt_setsockflag(socket, SRTO_PASSPHRASE, feed.passphrase, (int)size);
	}
	explicit_bzero(&feed, sizeof(feed));
	if (error != 0) {
		srt_setrejectreason(socket, SRT_REJX_ISE); /* never without the passphrase */
		return -1;
	}
	return 0;
}

static void port_report(struct port *p, enum ipc_type type, const void *body)
{
	int error = ipc_send(p->control, type, body, NULL, 0);

	if (error != 0 && (error != -EAGAIN || (type != IPC_CALLER_STATUS && type != IPC_ALIVE))) {
		p->is_lost = true;
	}
}

static void caller_close(struct port *p, struct caller *c, const char *cause)
{
	struct ipc_srt_closed closed = { .connection = c->id };

	text_copy(closed.cause, sizeof(closed.cause), cause);
	port_report(p, IPC_SRT_CLOSED, &closed);
	srt_close(c->socket);
	if (c->out >= 0) {
		close(c->out);
	}
	*c = (struct caller){ .socket = SRT_INVALID_SOCK, .out = -1 };
}

static struct caller *caller_free(struct port *p)
{
	for (unsigned i = 0; i < PORT_CONNECTIONS_MAX; i++) {
		if (p->callers[i].socket == SRT_INVALID_SOCK) {
			return &p->callers[i];
		}
	}
	return NULL;
}

static struct caller *caller_by_id(struct port *p, uint64_t id)
{
	for (unsigned i = 0; i < PORT_CONNECTIONS_MAX; i++) {
		if (p->callers[i].socket != SRT_INVALID_SOCK && p->callers[i].id == id) {
			return &p->callers[i];
		}
	}
	return NULL;
}

static void caller_welcome(struct port *p, SRTSOCKET socket, const struct sockaddr *address)
{
	struct ipc_srt_accepted accepted = { .connection = p->next_id + 1 };
	struct caller *c = caller_free(p);
	struct ipc_srt_feed feed;
	char streamid[IPC_KEY + 1] = "";
	int size = sizeof(streamid) - 1, latency_ms = 0, latency_size = sizeof(latency_ms);
	int key_bytes = 0, key_size = sizeof(key_bytes);
	int64_t now_us = clock_monotonic_us();

	net_format_address(address, accepted.peer, sizeof(accepted.peer));
	srt_getsockflag(socket, SRTO_STREAMID, streamid, &size);
	bool is_known = door_enter(&p->door, streamid, accepted.peer, now_us, &feed);
	explicit_bzero(streamid, sizeof(streamid));
	if (!is_known || c == NULL) {
		log_warn("caller turned away peer=%s: %s", accepted.peer,
			 is_known ? "too many connections" : "its feed is gone");
		srt_close(socket);
		return;
	}
	srt_getsockflag(socket, SRTO_RCVLATENCY, &latency_ms, &latency_size);
	srt_getsockflag(socket, SRTO_PBKEYLEN, &key_bytes, &key_size);
	*c = (struct caller){ .socket = socket,
			      .id = ++p->next_id,
			      .out = -1,
			      .accepted_us = now_us,
			      .last_us = now_us,
			      .latency_us = (uint32_t)latency_ms * 1000 };
	c->status.connection = c->id;
	c->status.latency_ms = (uint32_t)latency_ms;
	c->status.key_bits = feed.passphrase[0] != '\0' ? (uint32_t)key_bytes * 8 : 0;
	text_copy(c->peer, sizeof(c->peer), accepted.peer);
	text_copy(accepted.show, sizeof(accepted.show), feed.show);
	text_copy(accepted.feed, sizeof(accepted.feed), feed.feed);
	explicit_bzero(&feed, sizeof(feed));
	port_report(p, IPC_SRT_ACCEPTED, &accepted);
}

static void port_accept(struct port *p)
{
	for (;;) {
		struct sockaddr_storage address;
		int size = sizeof(address);
		SRTSOCKET socket = srt_accept(p->listener, (struct sockaddr *)&address, &size);

		if (socket == SRT_INVALID_SOCK) {
			return;
		}
		caller_welcome(p, socket, (const struct sockaddr *)&address);
	}
}

/* ---- their streams ---- */

static void caller_send(struct port *p, struct caller *c, int64_t delivered_us)
{
	struct tslink_head head = { .delivered_us = delivered_us,
				    .latency_us = c->latency_us,
				    .flags = c->has_gap ? TSLINK_GAP : 0 };

	memcpy(p->message, &head, sizeof(head));
	if (send(c->out, p->message, p->filled, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		c->status.discarded++; /* the supervisor notices if its ingest-av is gone */
		c->has_gap = true;
	} else {
		c->has_gap = false;
	}
	p->filled = sizeof(head);
}

static void caller_follow(struct caller *c, int32_t sequence)
{
	if (c->has_sequence && sequence != c->next_sequence) {
		c->has_gap = true;
	}
	c->has_sequence = true;
	c->next_sequence = (sequence + 1) & 0x7fffffff;
}

/* False if the connection is over. */
static bool caller_read(struct port *p, struct caller *c)
{
	int64_t first_us = 0;
	bool is_open = true;

	p->filled = sizeof(struct tslink_head);
	for (unsigned i = 0; i < READS_MAX; i++) {
		uint8_t packet[PAYLOAD_BYTES_MAX];
		SRT_MSGCTRL about = srt_msgctrl_default;
		int got = srt_recvmsg2(c->socket, (char *)packet, sizeof(packet), &about);

		if (got <= 0) {
			is_open = got < 0 && srt_getlasterror(NULL) == SRT_EASYNCRCV;
			break;
		}
		c->last_us = clock_monotonic_us();
		bool is_next = !c->has_sequence || about.pktseq == c->next_sequence;
		bool is_near = about.srctime - first_us <= GATHER_US;
		if (p->filled > sizeof(struct tslink_head) &&
		    (!is_next || !is_near || p->filled + (size_t)got > sizeof(p->message))) {
			caller_send(p, c, first_us);
		}
		caller_follow(c, about.pktseq);
		if (p->filled == sizeof(struct tslink_head)) {
			first_us = about.srctime != 0 ? about.srctime : c->last_us;
		}
		memcpy(p->message + p->filled, packet, (size_t)got);
		p->filled += (size_t)got;
	}
	if (p->filled > sizeof(struct tslink_head)) {
		caller_send(p, c, first_us);
	}
	return is_open;
}

static void caller_ready(struct port *p, SRTSOCKET socket)
{
	for (unsigned i = 0; i < PORT_CONNECTIONS_MAX; i++) {
		struct caller *c = &p->callers[i];

		if (c->socket != socket) {
			continue;
		}
		if (c->out >= 0 && !caller_read(p, c)) {
			bool is_silent = clock_monotonic_us() - c->last_us > SILENCE_US / 2;

			caller_close(p, c,
				     is_silent ? "the encoder has fallen silent"
					       : "connection closed by encoder");
		}
		return;
	}
}

static void caller_measure(struct port *p, struct caller *c)
{
	SRT_TRACEBSTATS stats;
	struct ipc_caller_status *s = &c->status;

	if (srt_bstats(c->socket, &stats, 1) != 0) {
		return; /* nothing in it then */
	}
	s->packets = (uint64_t)stats.pktRecvTotal;
	s->bytes = stats.byteRecvTotal;
	s->lost = (uint64_t)stats.pktRcvLossTotal;
	s->dropped = (uint64_t)stats.pktRcvDropTotal;
	s->undecrypted = (uint64_t)stats.pktRcvUndecryptTotal;
	s->retransmitted += (uint64_t)stats.pktRcvRetrans;
	s->belated += (uint64_t)stats.pktRcvBelated;
	s->rtt_us = (uint32_t)(stats.msRTT * 1000);
	s->kbps = (uint32_t)(stats.mbpsRecvRate * 1000);
	s->buffer_ms = (uint32_t)(stats.msRcvBuf > 0 ? stats.msRcvBuf : 0);
	port_report(p, IPC_CALLER_STATUS, s);
}

/* ---- every turn ---- */

static void port_tell_refusals(struct port *p, int64_t now_us)
{
	static const char *const causes[DOOR_ANSWERS] = {
		[DOOR_UNKNOWN] = "no feed has the key in its streamid",
		[DOOR_FORBIDDEN] = "it does not publish, or showed too many wrong keys",
		[DOOR_CONFLICT] = "another encoder with this key came less than a second ago",
	};
	struct door_waiting waiting;
	char peer[IPC_NAME];

	for (int answer = DOOR_UNKNOWN; answer < DOOR_ANSWERS; answer++) {
		uint64_t count = door_refused(&p->door, (enum door_answer)answer, peer);

		if (count > 0) {
			log_warn("publish refused peer=%s: %s (%llu in the last second)", peer,
				 causes[answer], (unsigned long long)count);
		}
	}
	while (door_missing(&p->door, now_us, ENTER_WAIT_US, &waiting)) {
		log_warn("publish failed show=%s feed=%s peer=%s: wrong passphrase, one missing on "
			 "one side, or the connection broke",
			 waiting.show, waiting.feed, waiting.peer);
	}
}

static void port_second(struct port *p, int64_t now_us)
{
	for (unsigned i = 0; i < PORT_CONNECTIONS_MAX; i++) {
		struct caller *c = &p->callers[i];

		if (c->socket == SRT_INVALID_SOCK) {
			continue;
		}
		if (c->out >= 0) {
			caller_measure(p, c);
		} else if (now_us - c->accepted_us > CARRY_WAIT_US) {
			caller_close(p, c, "the relay did not take it in time");
		}
	}
	port_tell_refusals(p, now_us);
	port_report(p, IPC_ALIVE, &(struct ipc_alive){ 0 });
}

static void port_find_silent(struct port *p, int64_t now_us)
{
	for (unsigned i = 0; i < PORT_CONNECTIONS_MAX; i++) {
		struct caller *c = &p->callers[i];

		if (c->socket != SRT_INVALID_SOCK && c->out >= 0 &&
		    now_us - c->last_us > SILENCE_US) {
			caller_close(p, c, "no packets for 4 s");
		}
	}
}

void port_serve(struct port *p)
{
	SRTSOCKET ready[PORT_CONNECTIONS_MAX + 1];
	int count = PORT_CONNECTIONS_MAX + 1;
	int64_t now_us;

	if (srt_epoll_wait(p->poll, ready, &count, NULL, NULL, WAIT_MS, NULL, NULL, NULL, NULL) >
	    0) {
		for (int i = 0; i < count && i <= PORT_CONNECTIONS_MAX; i++) {
			if (ready[i] == p->listener) {
				port_accept(p);
			} else {
				caller_ready(p, ready[i]);
			}
		}
	}
	now_us = clock_monotonic_us();
	port_find_silent(p, now_us);
	if (now_us >= p->second_us) {
		p->second_us = now_us + SECOND_US;
		port_second(p, now_us);
	}
}

void port_carry(struct port *p, uint64_t id, int fd)
{
	const int events = SRT_EPOLL_IN | SRT_EPOLL_ERR;
	struct caller *c = caller_by_id(p, id);

	if (c == NULL || c->out >= 0 || srt_epoll_add_usock(p->poll, c->socket, &events) != 0) {
		close(fd);
		return;
	}
	c->out = fd;
	c->last_us = clock_monotonic_us();
}

void port_drop(struct port *p, uint64_t id)
{
	struct caller *c = caller_by_id(p, id);

	if (c != NULL) {
		caller_close(p, c, "the relay ended it");
	}
}

/* ---- begin and end ---- */

static int listener_open(struct port *p, int udp_fd)
{
	const int no = 0, version = SRT_VERSION_MIN, events = SRT_EPOLL_IN | SRT_EPOLL_ERR;
	const int payload = PAYLOAD_BYTES_MAX;

	p->listener = srt_create_socket();
	if (p->listener == SRT_INVALID_SOCK) {
		close(udp_fd);
		return -1;
	}
	if (srt_setsockflag(p->listener, SRTO_RCVSYN, &no, sizeof(no)) != 0 ||
	    srt_setsockflag(p->listener, SRTO_MINVERSION, &version, sizeof(version)) != 0 ||
	    srt_setsockflag(p->listener, SRTO_PAYLOADSIZE, &payload, sizeof(payload)) != 0 ||
	    srt_setsockflag(p->listener, SRTO_IPV6ONLY, &no, sizeof(no)) != 0 ||
	    srt_bind_acquire(p->listener, udp_fd) != 0) {
		close(udp_fd);
		return -1;
	}
	/* Before listening: later ones do not take it any more. */
	return srt_listen_callback(p->listener, on_caller, p) != 0 ||
			       srt_listen(p->listener, PORT_CONNECTIONS_MAX) != 0 ||
			       srt_epoll_add_usock(p->poll, p->listener, &events) != 0
		       ? -1
		       : 0;
}

int port_open(struct port *p, int udp_fd, int control)
{
	p->control = control;
	p->poll = -1;
	p->listener = SRT_INVALID_SOCK;
	for (unsigned i = 0; i < PORT_CONNECTIONS_MAX; i++) {
		p->callers[i] = (struct caller){ .socket = SRT_INVALID_SOCK, .out = -1 };
	}
	if (door_init(&p->door) != 0 || srt_startup() < 0) {
		log_error("cannot start libsrt");
		close(udp_fd);
		return -1;
	}
	srt_setloglevel(LOG_CRIT); /* what matters is said by us, with bounds */
	p->poll = srt_epoll_create();
	p->second_us = clock_monotonic_us() + SECOND_US;
	if (p->poll < 0 || listener_open(p, udp_fd) != 0) {
		log_error("cannot listen for SRT: %s", srt_getlasterror_str());
		return -1;
	}
	return 0;
}

void port_close(struct port *p)
{
	for (unsigned i = 0; i < PORT_CONNECTIONS_MAX; i++) {
		if (p->callers[i].socket != SRT_INVALID_SOCK) {
			caller_close(p, &p->callers[i], "the relay ended");
		}
	}
	if (p->listener != SRT_INVALID_SOCK) {
		srt_close(p->listener);
	}
	if (p->poll >= 0) {
		srt_epoll_release(p->poll);
	}
	srt_cleanup(); /* ends libsrt's threads, which use the door */
	door_finish(&p->door);
}
