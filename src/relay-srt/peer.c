/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SRT connections (peer.h), over libsrt. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <srt/access_control.h>
#include <srt/srt.h>

#include <understudy/text.h>

#include "peer.h"

#define CONNECT_WAIT_MS 3000
#define WAITING_PLAYERS 8
#define HAS_STREAM_ID_MIN 0x010300 /* older peers know no stream id */

int peer_library_start(void)
{
	if (srt_startup() < 0) {
		return -EIO;
	}
	srt_setloglevel(LOG_CRIT); /* what failed is said by us, once */
	return 0;
}

void peer_library_stop(void)
{
	srt_cleanup();
}

/* ---- words ---- */

static const char *application_reason(int code)
{
	switch (code) {
	case SRT_REJX_UNAUTHORIZED:
		return "the peer says that the stream id is not authorised";
	case SRT_REJX_FORBIDDEN:
		return "the peer forbids it (stream id?)";
	case SRT_REJX_NOTFOUND:
		return "the peer does not know this stream id";
	case SRT_REJX_CONFLICT:
		return "somebody is publishing to this stream id already";
	case SRT_REJX_OVERLOAD:
		return "the peer is overloaded";
	default:
		return NULL;
	}
}

/* What the peer answered; NULL: nothing that is a refusal. */
static const char *refusal(int code)
{
	switch (code) {
	case SRT_REJ_BADSECRET:
		return "refused: the passphrase is not the peer's";
	case SRT_REJ_UNSECURE:
		return "refused: one side has a passphrase and the other has none";
	case SRT_REJ_PEER:
		return "refused by the peer";
	case SRT_REJ_VERSION:
		return "refused: the peer's SRT is too old or too new";
	case SRT_REJ_BACKLOG:
		return "refused: the peer has enough connections";
	default:
		return code >= SRT_REJC_PREDEFINED ? application_reason(code) : NULL;
	}
}

static int failed(char why[IPC_TEXT], const char *what)
{
	text_format(why, IPC_TEXT, "%s: %s", what, srt_getlasterror_str());
	return -EIO;
}

/* ---- options ---- */

static bool set(int socket, SRT_SOCKOPT option, const void *value, size_t size)
{
	return srt_setsockflag(socket, option, value, (int)size) == 0;
}

static int prepare(int socket, const struct ipc_output_start *start, char why[IPC_TEXT])
{
	bool no = false;
	int32_t live = SRTT_LIVE, wait_ms = CONNECT_WAIT_MS, unit = PEER_UNIT_BYTES;
	int32_t latency_ms = (int32_t)start->latency_ms, oldest = HAS_STREAM_ID_MIN;
	bool is_good = set(socket, SRTO_TRANSTYPE, &live, sizeof(live)) &&
		       set(socket, SRTO_SNDSYN, &no, sizeof(no)) &&
		       set(socket, SRTO_RCVSYN, &no, sizeof(no)) &&
		       set(socket, SRTO_CONNTIMEO, &wait_ms, sizeof(wait_ms)) &&
		       set(socket, SRTO_PAYLOADSIZE, &unit, sizeof(unit)) &&
		       set(socket, SRTO_MINVERSION, &oldest, sizeof(oldest));

	if (is_good && latency_ms > 0) {
		is_good = set(socket, SRTO_LATENCY, &latency_ms, sizeof(latency_ms));
	}
	if (is_good && start->passphrase[0] != '\0') {
		is_good = set(socket, SRTO_PASSPHRASE, start->passphrase,
			      strlen(start->passphrase));
	}
	if (is_good && start->stream[0] != '\0' && !start->is_listener) {
		is_good = set(socket, SRTO_STREAMID, start->stream, strlen(start->stream));
	}
	return is_good ? 0 : failed(why, "cannot set up the connection");
}

static socklen_t address_bytes(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					      : sizeof(struct sockaddr_in);
}

static void take_name(struct peer *p, const struct sockaddr_storage *address)
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;
	bool is_v6 = address->ss_family == AF_INET6;
	char number[INET6_ADDRSTRLEN] = "?";

	inet_ntop(is_v6 ? AF_INET6 : AF_INET,
		  is_v6 ? (const void *)&v6->sin6_addr : (const void *)&v4->sin_addr, number,
		  sizeof(number));
	text_format(p->name, sizeof(p->name), is_v6 ? "[%s]:%u" : "%s:%u", number,
		    (unsigned)ntohs(is_v6 ? v6->sin6_port : v4->sin_port));
}

/* ---- calling ---- */

int peer_dial(struct peer *p, const struct ipc_output_start *start,
	      const struct sockaddr_storage *address, char why[IPC_TEXT])
{
	int socket = srt_create_socket();
	int error;

	if (socket == SRT_INVALID_SOCK) {
		return failed(why, "cannot make a socket");
	}
	error = prepare(socket, start, why);
	if (error == 0 && srt_connect(socket, (const struct sockaddr *)address,
				      (int)address_bytes(address)) < 0) {
		error = failed(why, "cannot dial");
	}
	if (error < 0) {
		srt_close(socket);
		return error;
	}
	*p = (struct peer){ .state = PEER_CONNECTING, .socket = socket };
	take_name(p, address);
	return 0;
}

static int lost(struct peer *p, char why[IPC_TEXT])
{
	const char *said = refusal(srt_getrejectreason(p->socket));

	if (p->state == PEER_CONNECTED) {
		text_copy(why, IPC_TEXT, "the peer has gone");
		return -ECONNABORTED;
	}
	text_copy(why, IPC_TEXT,
		  said != NULL ? said
			       : "no answer: nobody listens there, or the way "
				 "is closed");
	return said != NULL ? -ECONNREFUSED : -ECONNABORTED;
}

int peer_poll(struct peer *p, int64_t now_us, char why[IPC_TEXT])
{
	switch (p->state == PEER_NONE ? SRTS_INIT : srt_getsockstate(p->socket)) {
	case SRTS_CONNECTED:
		if (p->state == PEER_CONNECTING) {
			p->state = PEER_CONNECTED;
			p->acked_us = now_us;
		}
		return 0;
	case SRTS_BROKEN:
	case SRTS_CLOSING:
	case SRTS_CLOSED:
	case SRTS_NONEXIST:
		return lost(p, why);
	default:
		return 0;
	}
}

int peer_send(struct peer *p, const uint8_t *bytes, size_t size)
{
	if (srt_sendmsg2(p->socket, (const char *)bytes, (int)size, NULL) >= 0) {
		p->sent++;
		return 0;
	}
	return srt_getlasterror(NULL) == SRT_EASYNCSND ? -EAGAIN : -EPIPE;
}

int64_t peer_count(struct peer *p, int64_t now_us, struct ipc_srt_status *sum, int64_t *backlog_ms)
{
	SRT_TRACEBSTATS stats;

	/* What it leaves in the structure when it fails is worth nothing. */
	if (p->state != PEER_CONNECTED || srt_bstats(p->socket, &stats, 0) != 0) {
		return 0;
	}
	sum->is_known = 1;
	sum->peers++;
	if (stats.msRTT > 0 && (uint32_t)(stats.msRTT * 1000) > sum->rtt_us) {
		sum->rtt_us = (uint32_t)(stats.msRTT * 1000);
	}
	sum->packets += (uint64_t)stats.pktSentTotal;
	sum->lost += (uint64_t)stats.pktSndLossTotal;
	sum->retransmitted += (uint64_t)stats.pktRetransTotal;
	sum->dropped += (uint64_t)stats.pktSndDropTotal;
	*backlog_ms = stats.msSndBuf > *backlog_ms ? stats.msSndBuf : *backlog_ms;
	if (stats.pktRecvACKTotal != p->acks || p->sent == p->sent_seen) {
		p->acks = stats.pktRecvACKTotal;
		p->sent_seen = p->sent;
		p->acked_us = now_us;
	}
	return now_us - p->acked_us;
}

void peer_close(struct peer *p)
{
	if (p->state != PEER_NONE) {
		srt_close(p->socket);
	}
	*p = (struct peer){ .state = PEER_NONE };
}

/* ---- being called ---- */

static bool listening_address(const struct ipc_output_start *start, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (void *)ret;
	struct sockaddr_in6 *v6 = (void *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, start->host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(start->port);
		return true;
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(start->port);
	return inet_pton(AF_INET6, start->host, &v6->sin6_addr) == 1;
}

/* In libsrt's receiving thread: looks at constants and returns. */
static int on_player(void *opaque, SRTSOCKET socket, int version, const struct sockaddr *address,
		     const char *stream)
{
	const struct ipc_output_start *start = opaque;

	if (start->stream[0] == '\0' || strcmp(stream, start->stream) == 0) {
		return 0;
	}
	srt_setrejectreason(socket, SRT_REJX_NOTFOUND);
	return -1;
}

int peer_listen(const struct ipc_output_start *start, int *ret, char why[IPC_TEXT])
{
	struct sockaddr_storage address;
	int32_t v6_only = 0;
	int socket = srt_create_socket();
	int error;

	if (socket == SRT_INVALID_SOCK) {
		return failed(why, "cannot make a socket");
	}
	error = prepare(socket, start, why);
	if (error == 0 && !listening_address(start, &address)) {
		text_copy(why, IPC_TEXT, "cannot listen: the host is no address of this machine");
		error = -EADDRNOTAVAIL;
	}
	if (error == 0 &&
	    ((address.ss_family == AF_INET6 &&
	      !set(socket, SRTO_IPV6ONLY, &v6_only, sizeof(v6_only))) ||
	     srt_listen_callback(socket, on_player, (void *)start) < 0 ||
	     srt_bind(socket, (struct sockaddr *)&address, (int)address_bytes(&address)) < 0 ||
	     srt_listen(socket, WAITING_PLAYERS) < 0)) {
		error = failed(why, "cannot listen");
	}
	if (error < 0) {
		srt_close(socket);
		return error;
	}
	*ret = socket;
	return 0;
}

void peer_close_listener(int *listener)
{
	if (*listener >= 0) {
		srt_close(*listener);
		*listener = -1;
	}
}

bool peer_accept(struct peer *p, int listener, int64_t now_us)
{
	struct sockaddr_storage address = { 0 };
	int size = sizeof(address);
	int socket = srt_accept(listener, (struct sockaddr *)&address, &size);

	if (socket == SRT_INVALID_SOCK) {
		return false;
	}
	*p = (struct peer){ .state = PEER_CONNECTED, .socket = socket, .acked_us = now_us };
	take_name(p, &address);
	return true;
}
