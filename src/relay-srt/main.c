/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * understudy-relay-srt: carries a show as MPEG-TS over SRT, either to one peer that it dials, or
 * to players that come to its port. Nothing blocks: libsrt is used without waiting and asked how
 * things stand at every round. The container exists only while somebody listens, and every peer
 * begins at a joining point with tables and parameter sets before it.
 */
#include <errno.h>
#include <string.h>

#include <understudy/carrier.h>
#include <understudy/clock.h>
#include <understudy/log.h>
#include <understudy/policy.h>
#include <understudy/reel.h>
#include <understudy/text.h>

#include "peer.h"

#define PEERS_MAX 16
#define POLL_US 10000
#define HELD_AFTER_US 2000000
#define REFUSED_RETRY_US 10000000 /* a wrong passphrase does not mend itself */

struct program {
	struct carrier *carrier;
	struct ipc_output_start start; /* holds secrets: wiped at the end */
	struct reel reel;
	struct restart restart;
	struct peer peers[PEERS_MAX]; /* a caller uses the first */
	struct event *poll;
	int listener; /* -1 = none */
	int64_t retry_us, dialled_us, packet_us;
	bool is_waiting; /* for the resolver */
	bool has_media;  /* the show has been seen */
	uint32_t query;
	unsigned attempt;
	uint64_t left_out; /* units that found no room */
};

static bool is_listener(const struct program *p)
{
	return p->start.is_listener;
}

static unsigned count_peers(const struct program *p, enum peer_state state)
{
	unsigned count = 0;

	for (unsigned i = 0; i < PEERS_MAX; i++) {
		count += p->peers[i].state == state;
	}
	return count;
}

/* ---- failing ---- */

static void program_fail(struct program *p, int error, const char *why)
{
	int64_t now_us = clock_monotonic_us();
	int64_t ran_us = p->peers[0].state == PEER_CONNECTED ? now_us - p->dialled_us : 0;
	bool is_refused = error == -ECONNREFUSED || error == -ENOTSUP;

	peer_close(&p->peers[0]);
	peer_close_listener(&p->listener);
	reel_drop(&p->reel, false);
	p->is_waiting = false;
	p->attempt++;
	p->retry_us = restart_after(&p->restart, &p->carrier->retry, ran_us, (uint32_t)now_us,
				    now_us);
	if (is_refused) {
		p->retry_us = now_us + REFUSED_RETRY_US;
	}
	p->carrier->status.restarts = p->restart.restarts;
	carrier_set_state(p->carrier, is_refused ? DESTINATION_REFUSED : DESTINATION_BACKING_OFF,
			  why);
}

static void player_left(struct program *p, struct peer *peer, const char *why)
{
	log_info("player left show=%s destination=%s peer=%s: %s", p->carrier->show,
		 p->carrier->name, peer->name, why);
	peer_close(peer);
}

static void peer_lost(struct program *p, struct peer *peer, int error, const char *why)
{
	if (is_listener(p)) {
		player_left(p, peer, why);
	} else {
		program_fail(p, error, why);
	}
}

/* ---- the network ---- */

static void program_dial(struct program *p)
{
	struct ipc_resolve_ask ask = { .query = ++p->query, .port = p->start.port };

	p->is_waiting = true;
	carrier_set_state(p->carrier, DESTINATION_DIALING, "there is something to send");
	text_copy(ask.host, sizeof(ask.host), p->start.host);
	if (ipc_send(WORKER_CONTROL_FD, IPC_RESOLVE_ASK, &ask, NULL, 0) < 0) {
		program_fail(p, -EIO, "the supervisor takes no questions");
	}
}

static void program_resolved(struct program *p, const struct ipc_resolve_answer *answer)
{
	char why[IPC_TEXT];
	int error;

	if (!p->is_waiting || answer->query != p->query) {
		return; /* too late */
	}
	p->is_waiting = false;
	if (answer->count == 0) {
		program_fail(p, -EHOSTUNREACH, answer->error);
		return;
	}
	error = peer_dial(&p->peers[0], &p->start, &answer->addresses[p->attempt % answer->count],
			  why);
	if (error < 0) {
		program_fail(p, error, why);
	}
}

static void program_accept(struct program *p, int64_t now_us)
{
	char why[IPC_TEXT];
	int error;

	if (p->listener < 0) {
		error = now_us < p->retry_us ? 0 : peer_listen(&p->start, &p->listener, why);
		if (error < 0) {
			program_fail(p, error, why);
		} else if (p->listener >= 0) {
			carrier_set_state(p->carrier, DESTINATION_HELD, "waiting for players");
		}
		return;
	}
	for (unsigned i = 0; i < PEERS_MAX; i++) {
		struct peer *peer = &p->peers[i];

		if (peer->state != PEER_NONE) {
			continue;
		}
		if (!peer_accept(peer, p->listener, now_us)) {
			return;
		}
		log_info("player came show=%s destination=%s peer=%s", p->carrier->show,
			 p->carrier->name, peer->name);
	}
}

static void program_network(struct program *p, int64_t now_us)
{
	char why[IPC_TEXT];

	if (is_listener(p)) {
		program_accept(p, now_us);
	} else if (p->has_media && p->peers[0].state == PEER_NONE && !p->is_waiting &&
		   now_us >= p->retry_us) {
		program_dial(p);
	}
	for (unsigned i = 0; i < PEERS_MAX; i++) {
		struct peer *peer = &p->peers[i];
		bool was_connected = peer->state == PEER_CONNECTED;
		int error = peer_poll(peer, now_us, why);

		if (error < 0) {
			peer_lost(p, peer, error, why);
		} else if (!was_connected && peer->state == PEER_CONNECTED) {
			p->dialled_us = now_us;
			log_info("connected show=%s destination=%s peer=%s", p->carrier->show,
				 p->carrier->name, peer->name);
		}
	}
}

/* ---- media ---- */

/* The container's way out: to everybody who has joined. Never fails: a peer that does is gone. */
static int program_write(void *context, const uint8_t *bytes, size_t size)
{
	struct program *p = context;
	bool is_sent = false;

	for (unsigned i = 0; i < PEERS_MAX; i++) {
		struct peer *peer = &p->peers[i];

		if (!peer->is_running) {
			continue;
		}
		switch (peer_send(peer, bytes, size)) {
		case 0:
			is_sent = true;
			break;
		case -EAGAIN:
			peer->is_running = false; /* until the next joining point */
			p->left_out++;
			break;
		default:
			peer->is_running = false; /* peer_poll() says why */
			break;
		}
	}
	p->carrier->status.bytes += is_sent ? size : 0;
	return 0;
}

/* Before a joining point is written: those who wait get everything from it on. */
static int program_join(struct program *p, char why[MUX_TEXT])
{
	int error = p->reel.mux != NULL ? mux_flush(p->reel.mux, why) : 0;

	for (unsigned i = 0; error == 0 && i < PEERS_MAX; i++) {
		p->peers[i].is_running |= p->peers[i].state == PEER_CONNECTED;
	}
	return error;
}

static void program_take(struct program *p, const struct follow *next)
{
	struct mux_sink sink = { .write = program_write,
				 .context = p,
				 .unit_bytes = PEER_UNIT_BYTES };
	bool is_join = next->event == FOLLOW_PACKET && packet_is_main(&next->packet) &&
		       (next->packet.flags & PACKET_JOIN) != 0;
	char why[MUX_TEXT];
	int error = is_join ? program_join(p, why) : 0;

	if (error == 0) {
		error = reel_take(&p->reel, next, p->carrier->follower, why);
	}
	if (error == 0 && p->reel.state == REEL_READY) {
		error = reel_begin(&p->reel, MUX_TS, &sink, NULL, p->carrier->status.remark, why);
		if (error == 0 && p->carrier->status.remark[0] != '\0') {
			log_warn("destination show=%s destination=%s: %s", p->carrier->show,
				 p->carrier->name, p->carrier->status.remark);
		}
	}
	if (error < 0) {
		program_fail(p, error, why);
	}
}

static void program_say_state(struct program *p, int64_t now_us)
{
	bool is_flowing = now_us - p->packet_us < HELD_AFTER_US && p->has_media;
	bool is_heard = false;

	for (unsigned i = 0; i < PEERS_MAX; i++) {
		is_heard |= p->peers[i].is_running;
	}
	if (is_heard && is_flowing) {
		carrier_set_state(p->carrier, DESTINATION_LIVE, "media");
	} else if (count_peers(p, PEER_CONNECTED) > 0 && !is_flowing) {
		carrier_set_state(p->carrier, DESTINATION_HELD, "nothing to send");
	} else if (is_listener(p) && p->listener >= 0 && !is_heard) {
		carrier_set_state(p->carrier, DESTINATION_HELD, "waiting for players");
	}
}

static void program_round(struct carrier *c)
{
	struct program *p = c->context;
	int64_t now_us = clock_monotonic_us();
	struct follow next;

	program_network(p, now_us);
	if (count_peers(p, PEER_CONNECTED) == 0 && p->reel.state != REEL_WAITING) {
		reel_drop(&p->reel, false);
	}
	while (reel_next(&p->reel, c->follower, &next)) {
		if (next.event == FOLLOW_PACKET && packet_is_main(&next.packet)) {
			p->has_media = true;
			p->packet_us = now_us;
		}
		if (count_peers(p, PEER_CONNECTED) > 0) {
			program_take(p, &next);
		}
	}
	program_say_state(p, now_us);
}

static void program_count(struct carrier *c)
{
	struct program *p = c->context;
	int64_t now_us = clock_monotonic_us();
	char why[IPC_TEXT];

	c->status.srt = (struct ipc_srt_status){ 0 };
	c->status.backlog_ms = 0;
	c->status.dropped = p->reel.dropped + p->left_out;
	for (unsigned i = 0; i < PEERS_MAX; i++) {
		int64_t stalled_us = peer_count(&p->peers[i], now_us, &c->status.srt,
						&c->status.backlog_ms);

		if (stalled_us >= p->start.stall_us) {
			text_format(why, sizeof(why),
				    "stalled: the peer has acknowledged nothing for %lld s",
				    (long long)stalled_us / 1000000);
			peer_lost(p, &p->peers[i], -ETIMEDOUT, why);
		}
	}
}

/* ---- orders ---- */

static void program_obey(struct carrier *c, struct ipc_message *m)
{
	if (m->type == IPC_RESOLVE_ANSWER) {
		program_resolved(c->context, (const void *)m->body);
	} else {
		log_warn("unexpected order type=%s", ipc_type_str(m->type));
	}
}

static void program_on_poll(evutil_socket_t fd, short what, void *arg)
{
	program_network(arg, clock_monotonic_us());
}

static int program_begin(struct carrier *c, const struct ipc_output_start *start)
{
	struct program *p = c->context;

	p->carrier = c;
	p->start = *start;
	p->poll = carrier_add_timer(c, program_on_poll, p, POLL_US);
	return p->poll == NULL ? -ENOMEM : peer_library_start();
}

static void program_end(struct carrier *c)
{
	struct program *p = c->context;

	for (unsigned i = 0; i < PEERS_MAX; i++) {
		peer_close(&p->peers[i]);
	}
	peer_close_listener(&p->listener);
	event_free(p->poll);
	carrier_set_state(c, DESTINATION_STOPPED, "told to stop");
	peer_library_stop();
}

static void say(const char *line)
{
	log_warn("libavformat: %s", line);
}

int main(void)
{
	static const struct carrier_ops ops = { program_begin, program_round, program_count,
						program_obey, program_end };
	static struct program p = { .listener = -1 };
	int status;

	reel_init(&p.reel);
	mux_set_log(say);
	status = carrier_run(ROLE_RELAY_SRT, &ops, &p);
	reel_finish(&p.reel);
	explicit_bzero(&p.start, sizeof(p.start));
	return status;
}
