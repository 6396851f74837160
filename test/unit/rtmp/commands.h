/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands written by hand; apart from support.h because librtmp's header has AMF_ names too. */
#ifndef UNDERSTUDY_TEST_RTMP_COMMANDS_H
#define UNDERSTUDY_TEST_RTMP_COMMANDS_H

#include <understudy/amf.h>

#include "support.h"

/* Sends and empties the AMF body. */
static inline void put_amf(struct buffer *b, uint8_t csid, uint32_t stream, struct buffer *amf)
{
	put_message(b, csid, 0, 20, stream, buffer_bytes(amf), buffer_size(amf), 128);
	buffer_finish(amf);
}

static inline struct buffer new_command(const char *name, double transaction)
{
	struct buffer amf;

	buffer_init(&amf, 1u << 20);
	assert_true(amf_put_string(&amf, name) && amf_put_number(&amf, transaction));
	return amf;
}

static inline void put_connect(struct buffer *b, const char *app)
{
	struct buffer amf = new_command("connect", 1);

	amf_put_object(&amf);
	amf_put_key(&amf, "app");
	amf_put_string(&amf, app);
	amf_put_key(&amf, "flashVer");
	amf_put_string(&amf, "FMLE/3.0 (test)");
	amf_put_end(&amf);
	put_amf(b, 3, 0, &amf);
}

static inline void put_named(struct buffer *b, const char *name, double transaction,
			     uint32_t stream, const char *argument)
{
	struct buffer amf = new_command(name, transaction);

	amf_put_null(&amf);
	if (argument) {
		amf_put_string(&amf, argument);
	}
	put_amf(b, 3, stream, &amf);
}

/* Handshake to publish, as most encoders do it. */
static inline void put_publisher(struct buffer *b, const char *key)
{
	put_client_handshake(b);
	put_connect(b, "live");
	put_named(b, "releaseStream", 2, 0, key);
	put_named(b, "FCPublish", 3, 0, key);
	put_named(b, "createStream", 4, 0, NULL);
	put_named(b, "publish", 5, 1, key);
}

/* A server in state LIVE with its output taken. */
static inline struct rtmp_server *new_live_server(void)
{
	struct rtmp_server *s = new_server();
	struct buffer b = new_stream();

	put_publisher(&b, "key1");
	assert_int_equal(feed_stream(s, &b, NULL), RTMP_OK);
	drop_output(s);
	buffer_finish(&b);
	return s;
}

#endif
