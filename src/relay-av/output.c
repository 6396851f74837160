/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One destination written by libavformat (output.h): when to begin, to cut and to try again. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/log.h>
#include <understudy/text.h>

#include "output.h"

#define HELD_AFTER_US 2000000   /* without a packet */
#define CODEC_RETRY_US 30000000 /* a show whose codecs do not fit seldom changes them */

static bool is_file(const struct output *o)
{
	return o->start.kind == OUTPUT_FILE || o->start.kind == OUTPUT_HLS;
}

/* ---- failing ---- */

void output_fail(struct output *o, int error, const char *why)
{
	int64_t now_us = clock_monotonic_us();
	int64_t ran_us = o->began_us > 0 ? now_us - o->began_us : 0;

	reel_drop(&o->reel, false);
	files_done(o, 0);
	o->is_waiting = false;
	o->is_break = true;
	o->began_us = 0;
	o->attempt++;
	/* Spread by the clock's low digits: destinations that fail together come back apart. */
	o->retry_us = restart_after(&o->restart, &o->carrier->retry, ran_us, (uint32_t)now_us,
				    now_us);
	o->carrier->status.restarts = o->restart.restarts;
	if (error == -ENOTSUP) {
		o->retry_us = now_us + CODEC_RETRY_US;
		carrier_set_state(o->carrier, DESTINATION_REFUSED, why);
	} else {
		carrier_set_state(o->carrier, DESTINATION_BACKING_OFF, why);
	}
}

/* ---- beginning ---- */

static enum mux_format radio_format(const struct output *o)
{
	for (unsigned i = 0; i < o->reel.tracks.count; i++) {
		const struct track *t = &o->reel.tracks.items[i];

		if (t->kind == PACKET_AUDIO && mux_format_for_radio(t->codec) != MUX_NONE) {
			return mux_format_for_radio(t->codec);
		}
	}
	return MUX_ADTS; /* which then says what it cannot carry */
}

static enum mux_format output_format(const struct output *o)
{
	switch (o->start.kind) {
	case OUTPUT_FILE:
		return mux_format_of(o->start.path);
	case OUTPUT_ICECAST:
		return radio_format(o);
	case OUTPUT_RTSP:
		return MUX_RTSP;
	case OUTPUT_RTP:
		return MUX_RTP_TS;
	default:
		return MUX_TS;
	}
}

static const char *content_type(enum mux_format format)
{
	return format == MUX_MP3   ? "audio/mpeg"
	       : format == MUX_OGG ? "application/ogg"
				   : "audio/aac";
}

void output_begin(struct output *o)
{
	enum mux_format format = output_format(o);
	struct mux_sink sink = { .write = files_write, .seek = files_seek, .context = o };
	struct mux_address address = { .url = o->url };
	char why[MUX_TEXT];
	int error;

	if (o->start.kind == OUTPUT_ICECAST) {
		address.headers = o->headers;
		address.content_type = content_type(format);
	}
	o->is_waiting = false;
	if (!is_file(o)) {
		carrier_tell(o->carrier); /* dialling may take its time */
	}
	error = reel_begin(&o->reel, format, is_file(o) ? &sink : NULL,
			   is_file(o) ? NULL : &address, o->carrier->status.remark, why);
	explicit_bzero(o->url, sizeof(o->url));
	if (error < 0) {
		output_fail(o, error, why);
		return;
	}
	if (o->began_us == 0) {
		o->began_us = clock_monotonic_us();
	}
	o->packet_us = clock_monotonic_us();
	carrier_set_state(o->carrier, DESTINATION_LIVE,
			  is_file(o) ? "a file is open" : "connected");
	if (o->carrier->status.remark[0] != '\0') {
		log_warn("destination show=%s destination=%s: %s", o->carrier->show,
			 o->carrier->name, o->carrier->status.remark);
	}
}

/* The reel is READY: says what it needs, once. */
static void output_need(struct output *o)
{
	struct ipc_resolve_ask ask = { .query = o->query + 1, .port = o->start.port };

	if (o->is_waiting) {
		return;
	}
	o->is_waiting = true;
	if (is_file(o)) {
		files_ask(o, o->start.kind == OUTPUT_HLS ? FILE_SEGMENT : FILE_RECORDING);
		return;
	}
	o->query++;
	carrier_set_state(o->carrier, DESTINATION_DIALING, "there is something to send");
	text_copy(ask.host, sizeof(ask.host), o->start.host);
	if (ipc_send(WORKER_CONTROL_FD, IPC_RESOLVE_ASK, &ask, NULL, 0) < 0) {
		output_fail(o, -EIO, "the supervisor takes no questions");
	}
}

static void output_resolved(struct output *o, const struct ipc_resolve_answer *answer)
{
	if (answer->query != o->query || o->reel.state != REEL_READY || !o->is_waiting) {
		return; /* too late */
	}
	if (answer->count == 0) {
		output_fail(o, -EHOSTUNREACH, answer->error);
	} else if (!address_make(o, &answer->addresses[o->attempt % answer->count])) {
		output_fail(o, -ENAMETOOLONG, "the address is too long");
	} else {
		output_begin(o);
	}
}

/* ---- the round ---- */

static void output_take(struct output *o, const struct follow *next)
{
	char why[MUX_TEXT];
	int error = 0;

	if (reel_is_cut(&o->reel, next) && is_file(o) && files_want_cut(o, &next->packet)) {
		int64_t length_90k = next->packet.dts_90k - o->reel.base_90k - o->reel.began_90k;

		error = reel_cut(&o->reel, why);
		if (error == 0) {
			files_done(o, length_90k);
		}
	}
	if (error == 0) {
		bool was_running = o->reel.mux != NULL;

		error = reel_take(&o->reel, next, o->carrier->follower, why);
		if (error == 0 && was_running && o->reel.mux == NULL) {
			/* A codec header that this container cannot go on with. */
			files_done(o, reel_length_90k(&o->reel));
			o->is_break = true;
		}
	}
	if (error < 0) {
		output_fail(o, error, why);
	}
}

static void output_round(struct carrier *c)
{
	struct output *o = c->context;
	int64_t now_us = clock_monotonic_us();
	struct follow next;
	bool is_media = false;

	while (reel_next(&o->reel, c->follower, &next)) {
		bool is_resting = o->reel.state == REEL_WAITING && now_us < o->retry_us;

		is_media |= next.event == FOLLOW_PACKET;
		if (!is_resting) {
			output_take(o, &next);
		}
	}
	if (o->reel.state == REEL_READY) {
		output_need(o);
	}
	if (is_media) {
		o->packet_us = now_us;
		if (c->status.state == DESTINATION_HELD && o->reel.state == REEL_RUNNING) {
			carrier_set_state(c, DESTINATION_LIVE, "media again");
		}
	} else if (c->status.state == DESTINATION_LIVE && now_us - o->packet_us > HELD_AFTER_US) {
		carrier_set_state(c, DESTINATION_HELD, "nothing to send");
	}
}

/* What the container has in memory goes out, so that little is lost with the machine. */
static void output_count(struct carrier *c)
{
	struct output *o = c->context;

	if (o->reel.mux != NULL && !is_file(o)) {
		c->status.bytes = o->past_bytes + mux_bytes(o->reel.mux);
	}
	c->status.dropped = o->reel.dropped;
}

/* ---- orders ---- */

static void output_obey(struct carrier *c, struct ipc_message *m)
{
	struct output *o = c->context;

	switch (m->type) {
	case IPC_FILE_GIVE:
		files_given(o, m);
		output_round(c);
		break;
	case IPC_RESOLVE_ANSWER:
		output_resolved(o, (const void *)m->body);
		output_round(c);
		break;
	default:
		log_warn("unexpected order type=%s", ipc_type_str(m->type));
		break;
	}
}

static int output_start(struct carrier *c, const struct ipc_output_start *start)
{
	struct output *o = c->context;

	o->carrier = c;
	o->start = *start;
	o->playlist.keep = start->keep_segments < SEGMENTS_MAX ? start->keep_segments
							       : SEGMENTS_MAX - 1;
	/* Seconds as numbers: players never see a segment's name twice. */
	o->number = (uint32_t)(clock_wall_us() / 1000000);
	if (start->kind == OUTPUT_FILE && mux_format_of(start->path) == MUX_NONE) {
		return -EINVAL;
	}
	return 0;
}

static void output_end(struct carrier *c)
{
	struct output *o = c->context;
	int error = reel_drop(&o->reel, true);

	files_done(o, reel_length_90k(&o->reel));
	if (error < 0 && !c->is_ended) {
		carrier_set_state(c, DESTINATION_BACKING_OFF, "cannot finish what was written");
	} else {
		carrier_set_state(c, DESTINATION_STOPPED, "told to stop");
	}
}

static void say(const char *line)
{
	log_warn("libavformat: %s", line);
}

int output_run(enum worker_role role)
{
	static const struct carrier_ops ops = { output_start, output_round, output_count,
						output_obey, output_end };
	static struct output o = { .file = -1 };
	int status;

	reel_init(&o.reel);
	mux_set_log(say);
	status = carrier_run(role, &ops, &o);
	reel_finish(&o.reel);
	explicit_bzero(&o.start, sizeof(o.start));
	return status;
}
