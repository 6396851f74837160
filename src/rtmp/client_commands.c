/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What we ask of a platform, and what we make of its answers. Pure.
 *
 * Servers answer in orders of their own and say more than they are asked: onBWDone and
 * onFCPublish come before, after or instead of other answers, FCPublish and releaseStream are
 * refused by servers that then take the publish. Only four answers count: that to connect, to
 * createStream, the onStatus for publish, and anything of level "error".
 */
#include <string.h>

#include <understudy/text.h>

#include "client.h"

#define WINDOW_BYTES 2500000 /* how often the platform tells us what it has taken */

enum transaction {
	TRANSACTION_CONNECT = 1,
	TRANSACTION_RELEASE,
	TRANSACTION_FC_PUBLISH,
	TRANSACTION_CREATE,
	TRANSACTION_PUBLISH,
	TRANSACTION_UNPUBLISH,
	TRANSACTION_DELETE,
};

void client_enter(struct rtmp_client *c, enum client_state state)
{
	c->state = state;
	if (state == CLIENT_PUBLISHING) {
		c->wire.chunk_size_min = 1;
	}
}

/* ---- sending ---- */

int client_connect(struct rtmp_client *c)
{
	static const char *const codecs[] = { "av01", "vp09", "hvc1", "avc1", NULL };
	struct buffer b;
	int status = wire_send_chunk_size(&c->wire, RTMP_CHUNK_OUT);

	if (status < 0) {
		return status;
	}
	command_begin(&b, "connect", TRANSACTION_CONNECT);
	amf_put_object(&b);
	command_put_property(&b, "app", c->app);
	command_put_property(&b, "type", "nonprivate");
	command_put_property(&b, "flashVer", c->agent);
	command_put_property(&b, "tcUrl", c->tc_url);
	if (c->is_enhanced) {
		command_put_enhanced(&b, codecs, CAPS_EX | CAPS_RECONNECT);
	}
	amf_put_end(&b);
	client_enter(c, CLIENT_CONNECTING);
	return command_send(&c->wire, &b, CSID_COMMAND, 0);
}

/* name(transaction, null, stream) */
static int send_named(struct rtmp_client *c, const char *name, enum transaction transaction)
{
	struct buffer b;

	command_begin(&b, name, transaction);
	amf_put_null(&b);
	amf_put_string(&b, c->stream);
	return command_send(&c->wire, &b, CSID_COMMAND, 0);
}

static int send_create_stream(struct rtmp_client *c)
{
	struct buffer b;

	command_begin(&b, "createStream", TRANSACTION_CREATE);
	amf_put_null(&b);
	return command_send(&c->wire, &b, CSID_COMMAND, 0);
}

static int send_publish(struct rtmp_client *c)
{
	struct buffer b;

	command_begin(&b, "publish", TRANSACTION_PUBLISH);
	amf_put_null(&b);
	amf_put_string(&b, c->stream);
	amf_put_string(&b, "live");
	return command_send(&c->wire, &b, CSID_AUDIO, c->stream_id);
}

int client_send_unpublish(struct rtmp_client *c)
{
	struct buffer b;
	int status = send_named(c, "FCUnpublish", TRANSACTION_UNPUBLISH);

	if (status < 0) {
		return status;
	}
	command_begin(&b, "deleteStream", TRANSACTION_DELETE);
	amf_put_null(&b);
	amf_put_number(&b, c->stream_id);
	return command_send(&c->wire, &b, CSID_COMMAND, 0);
}

/* ---- answers ---- */

static int refuse(struct rtmp_client *c, const struct command_info *info, const char *code)
{
	command_escape_value(&info->code, c->code, sizeof(c->code));
	command_escape_value(&info->description, c->description, sizeof(c->description));
	if (!c->code[0]) {
		text_copy(c->code, sizeof(c->code), code);
	}
	c->event = (struct rtmp_event){
		.type = RTMP_EVENT_REFUSED,
		.code = c->code,
		.description = c->description,
	};
	client_enter(c, CLIENT_REFUSED);
	return 0;
}

static int take_reconnect(struct rtmp_client *c, const struct command_info *info)
{
	command_escape_value(&info->code, c->code, sizeof(c->code));
	command_escape_value(&info->tc_url, c->description, sizeof(c->description));
	c->event = (struct rtmp_event){
		.type = RTMP_EVENT_RECONNECT,
		.code = c->code,
		.description = c->description,
	};
	return 0;
}

/* _result(1, properties, info): either may be null. */
static int take_connected(struct rtmp_client *c, struct command *m)
{
	struct command_info properties, info;
	int status;

	if (!command_read_connected(m, &properties, &info)) {
		return RTMP_BAD_COMMAND;
	}
	if (amf_is_string(&info.level, "error")) {
		return refuse(c, &info, "NetConnection.Connect.Failed");
	}
	text_copy(c->codecs, sizeof(c->codecs),
		  properties.codecs[0] ? properties.codecs : info.codecs);
	c->event = (struct rtmp_event){
		.type = RTMP_EVENT_CONNECTED,
		.is_enhanced = properties.is_enhanced || info.is_enhanced,
		.codecs = c->codecs,
		.takes_tracks = (properties.caps | info.caps) & CAPS_MULTITRACK,
		.takes_nano = (properties.caps | info.caps) & CAPS_MODEX,
	};
	client_enter(c, CLIENT_CREATING);
	status = wire_send_u32(&c->wire, MESSAGE_WINDOW_ACK_SIZE, WINDOW_BYTES);
	if (status == 0) {
		status = send_named(c, "releaseStream", TRANSACTION_RELEASE);
	}
	if (status == 0) {
		status = send_named(c, "FCPublish", TRANSACTION_FC_PUBLISH);
	}
	return status < 0 ? status : send_create_stream(c);
}

/* _result(4, null, message stream id) */
static int take_created(struct rtmp_client *c, struct command *m)
{
	if (!command_read_created(m, &c->stream_id)) {
		return RTMP_BAD_COMMAND;
	}
	client_enter(c, CLIENT_ASKING);
	return send_publish(c);
}

static bool is_for(const struct command *m, enum transaction transaction)
{
	return m->transaction == (double)transaction;
}

static int take_result(struct rtmp_client *c, struct command *m)
{
	if (is_for(m, TRANSACTION_CONNECT) && c->state == CLIENT_CONNECTING) {
		return take_connected(c, m);
	}
	if (is_for(m, TRANSACTION_CREATE) && c->state == CLIENT_CREATING) {
		return take_created(c, m);
	}
	return 0;
}

static int take_error(struct rtmp_client *c, struct command *m)
{
	struct command_info info;

	if (!command_read_status(m, &info)) {
		return RTMP_BAD_COMMAND;
	}
	if (is_for(m, TRANSACTION_CONNECT)) {
		return refuse(c, &info, "NetConnection.Connect.Rejected");
	}
	if (is_for(m, TRANSACTION_CREATE)) {
		return refuse(c, &info, "NetConnection.Call.Failed");
	}
	if (is_for(m, TRANSACTION_PUBLISH)) {
		return refuse(c, &info, "NetStream.Publish.Failed");
	}
	return 0; /* releaseStream and FCPublish may fail */
}

static int take_status(struct rtmp_client *c, struct command *m)
{
	struct command_info info;

	if (!command_read_status(m, &info)) {
		return RTMP_BAD_COMMAND;
	}
	if (amf_is_string(&info.level, "error")) {
		return refuse(c, &info, "NetStream.Failed");
	}
	if (amf_is_string(&info.code, "NetConnection.Connect.ReconnectRequest")) {
		return take_reconnect(c, &info);
	}
	if (amf_is_string(&info.code, "NetStream.Publish.Start") && c->state == CLIENT_ASKING) {
		c->event = (struct rtmp_event){ .type = RTMP_EVENT_PUBLISHING };
		client_enter(c, CLIENT_PUBLISHING);
	}
	return 0;
}

/* onFCPublish tells of FCPublish only: good news in it starts nothing, bad news is final. */
static int take_fc_status(struct rtmp_client *c, struct command *m)
{
	struct command_info info;

	if (!command_read_status(m, &info)) {
		return RTMP_BAD_COMMAND;
	}
	if (amf_is_string(&info.level, "error")) {
		return refuse(c, &info, "NetStream.Publish.Failed");
	}
	return 0;
}

static int take_close(struct rtmp_client *c, struct command *m)
{
	const struct command_info nothing = { .code.type = AMF_UNDEFINED,
					      .description.type = AMF_UNDEFINED };

	return refuse(c, &nothing, "NetConnection.Connect.Closed");
}

static const struct {
	const char *name;
	int (*take)(struct rtmp_client *c, struct command *m);
} answers[] = {
	{ "_result", take_result },        { "_error", take_error }, { "onStatus", take_status },
	{ "onFCPublish", take_fc_status }, { "close", take_close },
};

int client_take_command(struct rtmp_client *c, const struct message *m)
{
	struct command command;

	if (!command_parse(m, &command)) {
		return RTMP_BAD_COMMAND;
	}
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		if (strcmp(answers[i].name, command.name) == 0) {
			return answers[i].take(c, &command);
		}
	}
	return 0; /* onBWDone and the like */
}
