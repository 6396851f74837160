/* SPDX-License-Identifier: GPL-3.0-or-later */
/* librtmp as a server (platform.h). Runs in practice; blocks on its socket. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <librtmp/amf.h>
#include <librtmp/log.h>
#include <librtmp/rtmp.h>

#include "platform.h"

#define STREAM 1 /* the one message stream we give away */
#define STREAM_NAME 64
#define CHUNK_MIN 128
#define CHUNK_MAX (1 << 20)
#define REPLY_MAX 512
#define COMMAND_CHANNEL 3
#define STATUS_CHANNEL 5

struct platform {
	RTMP *rtmp;        /* owned */
	RTMPPacket packet; /* its body is owned once it is whole */
	char stream[STREAM_NAME];
	bool is_publishing;
	bool is_refused;
};

struct platform *platform_create(int fd, const char *stream)
{
	struct platform *p = calloc(1, sizeof(*p));

	RTMP_LogSetLevel(RTMP_LOGCRIT);
	if (p != NULL) {
		p->rtmp = RTMP_Alloc();
	}
	if (p == NULL || p->rtmp == NULL) {
		close(fd);
		free(p);
		return NULL;
	}
	RTMP_Init(p->rtmp);
	p->rtmp->m_sb.sb_socket = fd;
	strncpy(p->stream, stream, sizeof(p->stream) - 1);
	if (!RTMP_Serve(p->rtmp)) {
		platform_destroy(&p);
	}
	return p;
}

void platform_destroy(struct platform **p)
{
	struct platform *gone = *p;

	*p = NULL;
	if (gone != NULL) {
		RTMPPacket_Free(&gone->packet);
		RTMP_Close(gone->rtmp);
		RTMP_Free(gone->rtmp);
		free(gone);
	}
}

bool platform_has_more(const struct platform *p)
{
	return p->rtmp->m_sb.sb_size > 0;
}

int platform_fd(const struct platform *p)
{
	return RTMP_Socket(p->rtmp);
}

bool platform_is_publishing(const struct platform *p)
{
	return p->is_publishing;
}

/* ---- commands: string, number, and what follows ---- */

struct command {
	AVal name;
	double transaction;
	const char *rest, *end;
};

/* A string with its marker at `from`; where it ends, or NULL. */
static const char *read_string(const char *from, const char *end, AVal *ret)
{
	if (end - from < 3 || *from != AMF_STRING || end - from - 3 < AMF_DecodeInt16(from + 1)) {
		return NULL;
	}
	AMF_DecodeString(from + 1, ret);
	return from + 3 + ret->av_len;
}

static bool read_command(const RTMPPacket *packet, struct command *ret)
{
	const char *at;

	ret->end = packet->m_body + packet->m_nBodySize;
	at = read_string(packet->m_body, ret->end, &ret->name);
	if (at == NULL || ret->end - at < 9 || *at != AMF_NUMBER) {
		return false;
	}
	ret->transaction = AMF_DecodeNumber(at + 1);
	ret->rest = at + 9;
	return true;
}

static bool is_command(const struct command *c, const char *name)
{
	return c->name.av_len == (int)strlen(name) &&
	       memcmp(c->name.av_val, name, strlen(name)) == 0;
}

/* ---- replies ---- */

struct reply {
	char bytes[RTMP_MAX_HEADER_SIZE + REPLY_MAX];
	char *at, *end; /* at NULL: it has become too long */
};

static AVal text(const char *from)
{
	return (AVal){ (char *)(uintptr_t)from, (int)strlen(from) };
}

static void put_byte(struct reply *r, char byte)
{
	if (r->at != NULL && r->at < r->end) {
		*r->at++ = byte;
	}
}

static void put_named(struct reply *r, const char *name, const char *value)
{
	const AVal key = text(name), is = text(value);

	r->at = r->at != NULL ? AMF_EncodeNamedString(r->at, r->end, &key, &is) : NULL;
}

static void reply_begin(struct reply *r, const char *name, double transaction)
{
	const AVal command = text(name);

	r->end = r->bytes + sizeof(r->bytes);
	r->at = AMF_EncodeString(r->bytes + RTMP_MAX_HEADER_SIZE, r->end, &command);
	r->at = r->at != NULL ? AMF_EncodeNumber(r->at, r->end, transaction) : NULL;
}

static void put_object_end(struct reply *r)
{
	put_byte(r, 0);
	put_byte(r, 0);
	put_byte(r, AMF_OBJECT_END);
}

static void put_status(struct reply *r, const char *level, const char *code,
		       const char *description)
{
	put_byte(r, AMF_OBJECT);
	put_named(r, "level", level);
	put_named(r, "code", code);
	put_named(r, "description", description);
	put_object_end(r);
}

static bool reply_send(struct platform *p, struct reply *r, int channel, int stream)
{
	char *body = r->bytes + RTMP_MAX_HEADER_SIZE;
	RTMPPacket packet = { .m_headerType = RTMP_PACKET_SIZE_LARGE,
			      .m_packetType = RTMP_PACKET_TYPE_INVOKE,
			      .m_nChannel = channel,
			      .m_nInfoField2 = stream,
			      .m_body = body };

	if (r->at == NULL) {
		return false;
	}
	packet.m_nBodySize = (uint32_t)(r->at - body);
	return RTMP_SendPacket(p->rtmp, &packet, FALSE);
}

static bool answer_connect(struct platform *p, const struct command *c)
{
	struct reply r;

	reply_begin(&r, "_result", c->transaction);
	put_byte(&r, AMF_OBJECT);
	put_named(&r, "fmsVer", "FMS/3,5,3,824");
	put_object_end(&r);
	put_status(&r, "status", "NetConnection.Connect.Success", "The show may be rehearsed.");
	return RTMP_SendServerBW(p->rtmp) && RTMP_SendClientBW(p->rtmp) &&
	       reply_send(p, &r, COMMAND_CHANNEL, 0);
}

static bool answer_create(struct platform *p, const struct command *c)
{
	struct reply r;

	reply_begin(&r, "_result", c->transaction);
	put_byte(&r, AMF_NULL);
	r.at = r.at != NULL ? AMF_EncodeNumber(r.at, r.end, STREAM) : NULL;
	return reply_send(p, &r, COMMAND_CHANNEL, 0);
}

/* publish(null, name, "live") */
static bool answer_publish(struct platform *p, const struct command *c)
{
	AVal name = { NULL, 0 };
	bool is_ours = c->rest < c->end && *c->rest == AMF_NULL &&
		       read_string(c->rest + 1, c->end, &name) != NULL &&
		       name.av_len == (int)strlen(p->stream) &&
		       memcmp(name.av_val, p->stream, strlen(p->stream)) == 0;
	struct reply r;

	reply_begin(&r, "onStatus", 0);
	put_byte(&r, AMF_NULL);
	put_status(&r, is_ours ? "status" : "error",
		   is_ours ? "NetStream.Publish.Start" : "NetStream.Publish.BadName",
		   is_ours ? "The rehearsal is on air." : "Not the stream that is rehearsed.");
	p->is_publishing = is_ours;
	p->is_refused = !is_ours;
	return reply_send(p, &r, STATUS_CHANNEL, STREAM);
}

static bool take_command(struct platform *p, const RTMPPacket *packet)
{
	struct command c;

	if (!read_command(packet, &c)) {
		return false;
	}
	if (is_command(&c, "connect")) {
		return answer_connect(p, &c);
	}
	if (is_command(&c, "createStream")) {
		return answer_create(p, &c);
	}
	if (is_command(&c, "publish")) {
		return answer_publish(p, &c);
	}
	return true; /* releaseStream, FCPublish and the like expect no answer */
}

/* ---- reading ---- */

static bool take_chunk_size(struct platform *p, const RTMPPacket *packet)
{
	unsigned size = packet->m_nBodySize >= 4 ? AMF_DecodeInt32(packet->m_body) : 0;

	if (size < CHUNK_MIN || size > CHUNK_MAX) {
		return false;
	}
	p->rtmp->m_inChunkSize = (int)size;
	return true;
}

static bool take_packet(struct platform *p, const RTMPPacket *packet, struct platform_message *ret)
{
	switch (packet->m_packetType) {
	case RTMP_PACKET_TYPE_CHUNK_SIZE:
		return take_chunk_size(p, packet);
	case RTMP_PACKET_TYPE_INVOKE:
		return take_command(p, packet);
	case RTMP_PACKET_TYPE_AUDIO:
	case RTMP_PACKET_TYPE_VIDEO:
	case RTMP_PACKET_TYPE_INFO:
		*ret = (struct platform_message){ .type = packet->m_packetType,
						  .timestamp_ms = packet->m_nTimeStamp,
						  .size = packet->m_nBodySize };
		return p->is_publishing; /* nothing comes before it was allowed */
	default:
		return true;
	}
}

bool platform_next(struct platform *p, struct platform_message *ret)
{
	*ret = (struct platform_message){ 0 };
	RTMPPacket_Free(&p->packet);
	if (!RTMP_ReadPacket(p->rtmp, &p->packet)) {
		return false;
	}
	return !RTMPPacket_IsReady(&p->packet) ||
	       (take_packet(p, &p->packet, ret) && !p->is_refused);
}
