/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The commands a publisher gives, one table row each. Pure.
 *
 * Encoders differ in everything that is not in the table: transaction ids may be 0, publish
 * may come on any message stream, deleteStream may name the stream instead of its number.
 * After publish nothing is said but onStatus: OBS reads none of it.
 */
#include <string.h>

#include "server.h"

#define WINDOW_BYTES 2500000
#define BANDWIDTH_DYNAMIC 2
#define CHUNK_OUT 4096 /* every reply fits in one chunk; never changed later */
#define STREAMS_MAX 4

void server_enter(struct rtmp_server *s, enum server_state state)
{
	s->state = state;
	if (state == SERVER_LIVE) {
		s->media_us = s->now_us;
		s->wire.chunk_size_min = 1; /* GStreamer and others may go below the default now */
	}
}

/* ---- connect ---- */

static bool read_connect_property(struct rtmp_server *s, struct amf_reader *r, const char *name,
				  uint32_t size, bool *ret_has_app)
{
	struct amf_value v;

	if (!amf_read(r, &v) || !amf_skip_rest(r, &v)) {
		return false;
	}
	if (size == 3 && memcmp(name, "app", 3) == 0) {
		*ret_has_app = command_copy_string(&v, s->app, sizeof(s->app));
	} else if (size == 8 && memcmp(name, "flashVer", 8) == 0) {
		command_copy_string(&v, s->encoder, sizeof(s->encoder));
	}
	s->is_enhanced |= command_is_enhanced_key(name, size);
	return true;
}

/* False if the object is malformed; *ret_has_app false if it names no usable app. */
static bool read_connect(struct rtmp_server *s, struct amf_reader *r, bool *ret_has_app)
{
	struct amf_value v;
	const char *name;
	uint32_t size;

	if (!amf_read(r, &v) || (v.type != AMF_OBJECT && v.type != AMF_ECMA_ARRAY)) {
		return false;
	}
	for (;;) {
		if (!amf_read_key(r, &name, &size)) {
			return false;
		}
		if (!name) {
			return true;
		}
		if (!read_connect_property(s, r, name, size, ret_has_app)) {
			return false;
		}
	}
}

static int send_bandwidth(struct rtmp_server *s)
{
	uint8_t body[5];
	const struct message m = {
		.type = MESSAGE_SET_PEER_BANDWIDTH,
		.body = body,
		.size = sizeof(body),
	};

	put_be32(body, WINDOW_BYTES);
	body[4] = BANDWIDTH_DYNAMIC;
	return wire_send(&s->wire, CSID_CONTROL, &m);
}

static void put_enhanced_answer(const struct rtmp_server *s, struct buffer *b)
{
	static const char *const any_codec[] = { "*", NULL };

	if (s->is_enhanced) {
		command_put_enhanced(b, any_codec, CAPS_EX);
	}
}

static int send_connected(struct rtmp_server *s, double transaction)
{
	struct buffer b;

	command_begin(&b, "_result", transaction);
	amf_put_object(&b);
	command_put_property(&b, "fmsVer", "FMS/3,0,1,123");
	amf_put_key(&b, "capabilities");
	amf_put_number(&b, 31);
	put_enhanced_answer(s, &b); /* clients look for it in either object */
	amf_put_end(&b);
	amf_put_object(&b);
	command_put_property(&b, "level", "status");
	command_put_property(&b, "code", "NetConnection.Connect.Success");
	command_put_property(&b, "description", "Connection succeeded.");
	amf_put_key(&b, "objectEncoding");
	amf_put_number(&b, 0);
	put_enhanced_answer(s, &b);
	amf_put_end(&b);
	return command_send(&s->wire, &b, CSID_COMMAND, 0);
}

static int reject_connect(struct rtmp_server *s, double transaction)
{
	static const char *const status[3] = {
		"error", "NetConnection.Connect.Rejected",
		"The connect command names no application this server can take."
	};

	command_send_status(&s->wire, "_error", transaction, 0, status);
	return RTMP_BAD_COMMAND;
}

static int run_connect(struct rtmp_server *s, struct command *c)
{
	bool has_app = false;
	int status;

	if (!read_connect(s, &c->arguments, &has_app) || !has_app) {
		return reject_connect(s, c->transaction);
	}
	status = wire_send_u32(&s->wire, MESSAGE_WINDOW_ACK_SIZE, WINDOW_BYTES);
	if (status == 0) {
		status = send_bandwidth(s);
	}
	if (status == 0) {
		status = wire_send_chunk_size(&s->wire, CHUNK_OUT);
	}
	if (status == 0) {
		status = send_connected(s, c->transaction);
	}
	server_enter(s, SERVER_READY);
	return status;
}

/* ---- before publish ---- */

static int send_result(struct rtmp_server *s, double transaction)
{
	struct buffer b;

	command_begin(&b, "_result", transaction);
	amf_put_null(&b);
	return command_send(&s->wire, &b, CSID_COMMAND, 0);
}

/* releaseStream, _checkbw: nothing to do. Transaction 0 asks for no answer. */
static int run_acknowledged(struct rtmp_server *s, struct command *c)
{
	return c->transaction > 0 ? send_result(s, c->transaction) : 0;
}

/* Some encoders wait for onFCPublish before they go on. */
static int run_fc_publish(struct rtmp_server *s, struct command *c)
{
	static const char *const info[3] = { "status", "NetStream.Publish.Start", "FCPublish" };
	int status = run_acknowledged(s, c);

	return status < 0 ? status : command_send_status(&s->wire, "onFCPublish", 0, 0, info);
}

static int run_create_stream(struct rtmp_server *s, struct command *c)
{
	struct buffer b;

	if (s->streams >= STREAMS_MAX) {
		return RTMP_BAD_COMMAND;
	}
	s->streams++;
	command_begin(&b, "_result", c->transaction);
	amf_put_null(&b);
	amf_put_number(&b, s->streams);
	return command_send(&s->wire, &b, CSID_COMMAND, 0);
}

static int refuse_publish(struct rtmp_server *s, uint32_t stream, const char *reason)
{
	const char *const status[3] = { "error", "NetStream.Publish.BadName", reason };

	return command_send_status(&s->wire, "onStatus", 0, stream, status);
}

/* publish(null, name, kind): live, record and append are all the same here. */
static int run_publish(struct rtmp_server *s, struct command *c)
{
	if (!amf_skip(&c->arguments) || !command_read_string(c, s->stream, sizeof(s->stream))) {
		refuse_publish(s, c->stream, "The stream name is missing or too long.");
		return RTMP_BAD_COMMAND;
	}
	s->live_stream = c->stream;
	s->event = (struct rtmp_event){
		.type = RTMP_EVENT_PUBLISH,
		.app = s->app,
		.stream = s->stream,
		.encoder = s->encoder,
		.is_enhanced = s->is_enhanced,
	};
	server_enter(s, SERVER_ASKING);
	return 0;
}

int server_send_publish_answer(struct rtmp_server *s, bool allowed, const char *reason)
{
	static const char *const started[3] = { "status", "NetStream.Publish.Start",
						"Publishing has started." };
	int status;

	if (!allowed) {
		return refuse_publish(s, s->live_stream,
				      reason ? reason : "The stream key is not valid.");
	}
	status = wire_send_user_control(&s->wire, USER_STREAM_BEGIN, s->live_stream);
	if (status < 0) {
		return status;
	}
	return command_send_status(&s->wire, "onStatus", 0, s->live_stream, started);
}

/* ---- after publish ---- */

static int end_publish(struct rtmp_server *s)
{
	s->event = (struct rtmp_event){ .type = RTMP_EVENT_UNPUBLISH };
	server_enter(s, SERVER_DONE);
	return 0;
}

static int run_unpublish(struct rtmp_server *s, struct command *c)
{
	return end_publish(s);
}

static int run_close_stream(struct rtmp_server *s, struct command *c)
{
	return c->stream == s->live_stream || c->stream == 0 ? end_publish(s) : 0;
}

/* deleteStream(null, id): a number, or with GStreamer the name. Only another number is about
 * another stream. */
static int run_delete_stream(struct rtmp_server *s, struct command *c)
{
	struct amf_value v;
	uint32_t id;

	if (!amf_skip(&c->arguments) || !amf_read(&c->arguments, &v)) {
		return RTMP_BAD_COMMAND;
	}
	if (amf_get_u32(&v, &id) && id != s->live_stream) {
		return 0;
	}
	return end_publish(s);
}

static int refuse_play(struct rtmp_server *s, struct command *c)
{
	static const char *const status[3] = { "error", "NetStream.Play.Failed",
					       "This server takes publishers only." };

	command_send_status(&s->wire, "onStatus", 0, c->stream, status);
	return RTMP_BAD_COMMAND;
}

/* ---- the table ---- */

#define IN(state) (1u << (state))
#define CONNECTED (IN(SERVER_READY) | IN(SERVER_LIVE) | IN(SERVER_DONE))
#define ANY (IN(SERVER_CONNECT) | CONNECTED)

/* A command runs in the states of `run`, is passed over in those of `ignored` and is an error
 * in all others. Commands that are not here are passed over. */
static const struct {
	const char *name;
	int (*run)(struct rtmp_server *s, struct command *c);
	unsigned runs, ignored;
} commands[] = {
	{ "connect", run_connect, IN(SERVER_CONNECT), 0 },
	{ "releaseStream", run_acknowledged, IN(SERVER_READY), CONNECTED },
	{ "FCPublish", run_fc_publish, IN(SERVER_READY), CONNECTED },
	{ "_checkbw", run_acknowledged, IN(SERVER_READY), CONNECTED },
	{ "createStream", run_create_stream, IN(SERVER_READY), CONNECTED },
	{ "publish", run_publish, IN(SERVER_READY), 0 },
	{ "FCUnpublish", run_unpublish, IN(SERVER_LIVE), ANY },
	{ "closeStream", run_close_stream, IN(SERVER_LIVE), ANY },
	{ "deleteStream", run_delete_stream, IN(SERVER_LIVE), ANY },
	{ "play", refuse_play, ANY, 0 },
	{ "play2", refuse_play, ANY, 0 },
	{ "pause", refuse_play, ANY, 0 },
	{ "seek", refuse_play, ANY, 0 },
	{ "getStreamLength", refuse_play, ANY, 0 },
};

int server_run_command(struct rtmp_server *s, const struct message *m)
{
	struct command c;

	if (!command_parse(m, &c)) {
		return RTMP_BAD_COMMAND;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, c.name) != 0) {
			continue;
		}
		if (commands[i].runs & IN(s->state)) {
			return commands[i].run(s, &c);
		}
		return commands[i].ignored & IN(s->state) ? 0 : RTMP_BAD_COMMAND;
	}
	return 0;
}
