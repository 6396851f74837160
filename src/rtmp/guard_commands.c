/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the player wants, what the server is asked, and what comes of it. Pure.
 *
 * librtmp asks on its own chunk streams with its own transactions, and so do we: an answer finds
 * its way by what was asked. Servers say far more than they are asked (onBWDone, bandwidth checks,
 * Play.Reset); all of that ends here.
 */
#include <string.h>

#include <understudy/text.h>

#include "guard.h"

#define PLAY_CSID 8        /* as players do */
#define PLAY_ANY (-2000.0) /* live, or recorded if nothing is live */
#define BUFFER_MS 3000     /* what servers are told of our buffer; usual, and none relies on it */
#define AGENT "LNX 9,0,124,2" /* the oldest player every server knows */

enum transaction { TRANSACTION_CONNECT = 1, TRANSACTION_CREATE, TRANSACTION_PLAY };

/* ---- asking ---- */

static void put_number(struct buffer *b, const char *key, double value)
{
	amf_put_key(b, key);
	amf_put_number(b, value);
}

static int ask_connect(struct guard *g)
{
	static const char *const any_codec[] = { "*", NULL };
	struct buffer b;

	command_begin(&b, "connect", TRANSACTION_CONNECT);
	amf_put_object(&b);
	command_put_property(&b, "app", g->app);
	command_put_property(&b, "flashVer", AGENT);
	command_put_property(&b, "tcUrl", g->tc_url);
	amf_put_key(&b, "fpad");
	amf_put_boolean(&b, false);
	put_number(&b, "capabilities", 15);
	put_number(&b, "audioCodecs", 0x0FFF); /* all that are defined, as for video */
	put_number(&b, "videoCodecs", 0x00FF);
	put_number(&b, "videoFunction", 1);
	command_put_enhanced(&b, any_codec, CAPS_EX);
	amf_put_end(&b);
	guard_enter(g, GUARD_CONNECTING);
	return command_send(&g->server, &b, CSID_COMMAND, 0);
}

static int ask_create(struct guard *g)
{
	struct buffer b;

	command_begin(&b, "createStream", TRANSACTION_CREATE);
	amf_put_null(&b);
	guard_enter(g, GUARD_CREATING);
	return command_send(&g->server, &b, CSID_COMMAND, 0);
}

static int tell_buffer(struct guard *g)
{
	uint8_t body[10];
	const struct message m = { .type = MESSAGE_USER_CONTROL,
				   .body = body,
				   .size = sizeof(body) };

	put_be16(body, USER_SET_BUFFER_LENGTH);
	put_be32(body + 2, g->stream_id);
	put_be32(body + 6, BUFFER_MS);
	return wire_send(&g->server, CSID_CONTROL, &m);
}

static int ask_play(struct guard *g)
{
	struct buffer b;
	int status;

	command_begin(&b, "play", TRANSACTION_PLAY);
	amf_put_null(&b);
	amf_put_string(&b, g->stream);
	amf_put_number(&b, PLAY_ANY);
	guard_enter(g, GUARD_ASKING);
	status = command_send(&g->server, &b, PLAY_CSID, g->stream_id);
	return status < 0 ? status : tell_buffer(g);
}

int guard_ask(struct guard *g)
{
	if (g->state == GUARD_HANDSHAKE && g->connect > 0 &&
	    g->server.handshake.phase == HANDSHAKE_DONE) {
		return ask_connect(g);
	}
	if (g->state == GUARD_CONNECTED && g->create > 0) {
		return ask_create(g);
	}
	if (g->state == GUARD_CREATED && g->play > 0) {
		return ask_play(g);
	}
	return 0;
}

/* ---- the player's wishes ---- */

static int want_connect(struct guard *g, const struct command *c)
{
	if (g->connect > 0 || c->transaction <= 0) {
		return RTMP_BAD_COMMAND;
	}
	g->connect = c->transaction;
	return wire_send_chunk_size(&g->player, GUARD_PLAYER_CHUNK);
}

static int want_stream(struct guard *g, const struct command *c)
{
	if (g->state != GUARD_CONNECTED || g->create > 0 || c->transaction <= 0) {
		return RTMP_BAD_COMMAND;
	}
	g->create = c->transaction;
	return 0;
}

static int want_play(struct guard *g, const struct command *c)
{
	if (g->state != GUARD_CREATED || g->play > 0 || c->transaction <= 0) {
		return RTMP_BAD_COMMAND;
	}
	g->play = c->transaction;
	return 0;
}

/* It leaves: so do we, politely. */
static int want_nothing(struct guard *g, const struct command *c)
{
	struct buffer b;

	(void)c;
	if (g->state != GUARD_ASKING && g->state != GUARD_STREAMING) {
		return 0;
	}
	command_begin(&b, "deleteStream", 0);
	amf_put_null(&b);
	amf_put_number(&b, g->stream_id);
	guard_enter(g, GUARD_ENDED);
	return command_send(&g->server, &b, CSID_COMMAND, 0);
}

int guard_take_wish(struct guard *g, const struct message *m)
{
	static const struct {
		const char *name;
		int (*take)(struct guard *g, const struct command *c);
	} wishes[] = {
		{ "connect", want_connect },
		{ "createStream", want_stream },
		{ "play", want_play },
		{ "deleteStream", want_nothing },
	};
	struct command c;

	if (!command_parse(m, &c)) {
		return RTMP_BAD_COMMAND;
	}
	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		if (strcmp(wishes[i].name, c.name) == 0) {
			int status = wishes[i].take(g, &c);

			return status < 0 ? status : guard_ask(g);
		}
	}
	return RTMP_BAD_COMMAND;
}

/* ---- the server's answers ---- */

static int conclude(struct guard *g, enum guard_event_type type, const struct command_info *info,
		    const char *code)
{
	command_escape_value(&info->code, g->code, sizeof(g->code));
	command_escape_value(&info->description, g->description, sizeof(g->description));
	if (!g->code[0]) {
		text_copy(g->code, sizeof(g->code), code);
	}
	g->event = (struct guard_event){
		.type = type,
		.code = g->code,
		.description = g->description,
	};
	guard_enter(g, GUARD_ENDED);
	return 0;
}

/* `to` is an address, or "" for the one we are at. */
static int move(struct guard *g, const struct command_info *info, const struct amf_value *to)
{
	const bool is_text = to->type == AMF_STRING || to->type == AMF_LONG_STRING;

	command_escape_value(&info->code, g->code, sizeof(g->code));
	if (!text_copy_bytes(g->description, sizeof(g->description), is_text ? to->string : "",
			     is_text ? to->size : 0)) {
		text_copy(g->description, sizeof(g->description), "?"); /* is none, and too long */
	}
	g->event = (struct guard_event){
		.type = GUARD_MOVED,
		.code = g->code,
		.description = g->description,
	};
	guard_enter(g, GUARD_ENDED);
	return 0;
}

static int answer_connect(struct guard *g)
{
	struct buffer b;

	command_begin(&b, "_result", g->connect);
	amf_put_object(&b);
	amf_put_end(&b);
	amf_put_object(&b);
	command_put_property(&b, "level", "status");
	command_put_property(&b, "code", "NetConnection.Connect.Success");
	amf_put_end(&b);
	guard_enter(g, GUARD_CONNECTED);
	return command_send(&g->player, &b, CSID_COMMAND, 0);
}

/* _result(1, properties, info): either may be null. */
static int take_connected(struct guard *g, struct command *m)
{
	struct command_info properties, info;

	if (!command_read_connected(m, &properties, &info)) {
		return RTMP_BAD_COMMAND;
	}
	if (amf_is_string(&info.level, "error")) {
		return conclude(g, GUARD_REFUSED, &info, "NetConnection.Connect.Failed");
	}
	return answer_connect(g);
}

/* _result(2, null, message stream id) */
static int take_created(struct guard *g, struct command *m)
{
	struct buffer b;

	if (!command_read_created(m, &g->stream_id)) {
		return RTMP_BAD_COMMAND;
	}
	command_begin(&b, "_result", g->create);
	amf_put_null(&b);
	amf_put_number(&b, GUARD_PLAYER_STREAM);
	guard_enter(g, GUARD_CREATED);
	return command_send(&g->player, &b, CSID_COMMAND, 0);
}

int guard_start(struct guard *g)
{
	static const char *const started[3] = { "status", "NetStream.Play.Start", "" };

	if (g->state != GUARD_ASKING) {
		return 0;
	}
	g->event = (struct guard_event){ .type = GUARD_PLAYING, .code = "", .description = "" };
	guard_enter(g, GUARD_STREAMING);
	return command_send_status(&g->player, "onStatus", 0, GUARD_PLAYER_STREAM, started);
}

static bool is_for(const struct command *m, enum transaction transaction)
{
	return m->transaction == (double)transaction;
}

static int take_result(struct guard *g, struct command *m)
{
	if (is_for(m, TRANSACTION_CONNECT) && g->state == GUARD_CONNECTING) {
		return take_connected(g, m);
	}
	if (is_for(m, TRANSACTION_CREATE) && g->state == GUARD_CREATING) {
		return take_created(g, m);
	}
	return 0;
}

static int take_error(struct guard *g, struct command *m)
{
	struct command_info info;

	if (!command_read_status(m, &info)) {
		return RTMP_BAD_COMMAND;
	}
	if (is_for(m, TRANSACTION_CONNECT)) {
		if (info.redirect.type != AMF_UNDEFINED) {
			return move(g, &info, &info.redirect);
		}
		return conclude(g, GUARD_REFUSED, &info, "NetConnection.Connect.Rejected");
	}
	if (is_for(m, TRANSACTION_CREATE)) {
		return conclude(g, GUARD_REFUSED, &info, "NetConnection.Call.Failed");
	}
	if (is_for(m, TRANSACTION_PLAY)) {
		return conclude(g, GUARD_REFUSED, &info, "NetStream.Play.Failed");
	}
	return 0;
}

static bool is_one_of(const struct amf_value *v, const char *const *texts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (amf_is_string(v, texts[i])) {
			return true;
		}
	}
	return false;
}

static int take_status(struct guard *g, struct command *m)
{
	/* Not all servers call these errors. */
	static const char *const failed[] = {
		"NetStream.Failed",
		"NetStream.Play.Failed",
		"NetStream.Play.StreamNotFound",
		"NetStream.Play.NoSupportedTrackFound",
		"NetStream.Play.FileStructureInvalid",
		"NetConnection.Connect.InvalidApp",
		"NetConnection.Connect.Rejected",
	};
	static const char *const over[] = {
		"NetStream.Play.Stop",
		"NetStream.Play.Complete",
		"NetStream.Play.UnpublishNotify",
		"NetConnection.Connect.Closed",
	};
	static const char *const begun[] = {
		"NetStream.Play.Start",
		"NetStream.Play.PublishNotify",
	};
	struct command_info info;

	if (!command_read_status(m, &info)) {
		return RTMP_BAD_COMMAND;
	}
	if (amf_is_string(&info.code, "NetConnection.Connect.ReconnectRequest")) {
		return move(g, &info, &info.tc_url);
	}
	if (amf_is_string(&info.level, "error") ||
	    is_one_of(&info.code, failed, sizeof(failed) / sizeof(failed[0]))) {
		return conclude(g, GUARD_REFUSED, &info, "NetStream.Failed");
	}
	if (is_one_of(&info.code, over, sizeof(over) / sizeof(over[0]))) {
		return conclude(g, GUARD_FINISHED, &info, "");
	}
	if (is_one_of(&info.code, begun, sizeof(begun) / sizeof(begun[0]))) {
		return guard_start(g);
	}
	return 0;
}

static int take_end(struct guard *g, struct command *m)
{
	const struct command_info nothing = { .code.type = AMF_UNDEFINED,
					      .description.type = AMF_UNDEFINED };

	return conclude(g, GUARD_FINISHED, &nothing, m->name);
}

int guard_take_answer(struct guard *g, const struct message *m)
{
	static const struct {
		const char *name;
		int (*take)(struct guard *g, struct command *m);
	} answers[] = {
		{ "_result", take_result },  { "_error", take_error },
		{ "onStatus", take_status }, { "onFCUnsubscribe", take_end },
		{ "close", take_end },
	};
	struct command c;

	if (!command_parse(m, &c)) {
		return RTMP_BAD_COMMAND;
	}
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		if (strcmp(answers[i].name, c.name) == 0) {
			return answers[i].take(g, &c);
		}
	}
	return 0; /* onBWDone and the like */
}
