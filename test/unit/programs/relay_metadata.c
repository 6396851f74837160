/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Our own onMetaData, from codec headers and what of the encoder's words can be believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include <understudy/amf.h>

#include "../../../src/relay-rtmp/metadata.h"
#include "bodies.h"

struct told {
	struct metadata_source source;
	struct header_set headers;
	struct buffer body;
};

static void setup(struct told *t)
{
	*t = (struct told){ .source.encoder = "understudy/test" };
	t->source.headers = &t->headers;
	buffer_init(&t->body, METADATA_BYTES_MAX);
}

static void finish(struct told *t)
{
	buffer_finish(&t->body);
	header_set_finish(&t->headers);
}

static void put(struct told *t, enum packet_kind kind, enum packet_type type, uint32_t codec,
		unsigned flags, const void *payload, size_t size)
{
	const struct packet p = { .kind = (uint8_t)kind,
				  .type = (uint8_t)type,
				  .codec = codec,
				  .flags = (uint16_t)flags,
				  .size = (uint32_t)size };

	assert_int_equal(header_set_put(&t->headers, &p, payload), 1);
}

static void put_number(struct buffer *b, const char *name, double value)
{
	assert_true(amf_put_key(b, name) && amf_put_number(b, value));
}

/* The value of a property of what was built; type AMF_UNDEFINED if there is none. */
static struct amf_value value_of(struct told *t, const char *wanted)
{
	struct amf_reader r;
	struct amf_value v, none = { .type = AMF_UNDEFINED };
	const char *name;
	uint32_t size;

	buffer_clear(&t->body);
	assert_true(metadata_build(&t->source, &t->body));
	r = amf_reader_over(buffer_bytes(&t->body), buffer_size(&t->body));
	assert_true(amf_read(&r, &v) && amf_is_string(&v, "@setDataFrame"));
	assert_true(amf_read(&r, &v) && amf_is_string(&v, "onMetaData"));
	assert_true(amf_read(&r, &v) && v.type == AMF_ECMA_ARRAY);
	while (amf_read_key(&r, &name, &size) && name) {
		assert_true(amf_read(&r, &v));
		if (size == strlen(wanted) && memcmp(name, wanted, size) == 0) {
			return v;
		}
	}
	assert_false(r.in.failed);
	assert_int_equal(reader_left(&r.in), 0);
	return none;
}

static void assert_number(struct told *t, const char *name, double expected)
{
	struct amf_value v = value_of(t, name);

	assert_int_equal(v.type, AMF_NUMBER);
	assert_true(v.number == expected);
}

static void assert_absent(struct told *t, const char *name)
{
	assert_int_equal(value_of(t, name).type, AMF_UNDEFINED);
}

static void codec_headers_say_what_is_sent(void **state)
{
	struct body video = avc_config(0x1e), audio = aac_config();
	struct amf_value v;
	struct told t;

	setup(&t);
	put(&t, PACKET_VIDEO, PACKET_CONFIG, CODEC_AVC, 0, video.bytes, video.size);
	put(&t, PACKET_AUDIO, PACKET_CONFIG, CODEC_AAC, 0, audio.bytes, audio.size);
	assert_number(&t, "width", 640);
	assert_number(&t, "height", 360);
	assert_number(&t, "videocodecid", 7);
	assert_number(&t, "audiosamplerate", 48000);
	assert_number(&t, "audiochannels", 2);
	assert_number(&t, "audiocodecid", 10);
	assert_int_equal(value_of(&t, "stereo").type, AMF_BOOLEAN);
	v = value_of(&t, "encoder");
	assert_true(amf_is_string(&v, "understudy/test"));
	assert_false(metadata_needs_enhanced(&t.source));
	finish(&t);
}

static void the_encoder_is_believed_in_rates_and_in_nothing_else(void **state)
{
	struct body video = avc_config(0x1e);
	struct told t;
	struct buffer b;

	setup(&t);
	buffer_init(&b, 4096);
	assert_true(amf_put_ecma_array(&b, 6));
	put_number(&b, "framerate", 29.97);
	put_number(&b, "videodatarate", 2500);
	put_number(&b, "audiodatarate", NAN);
	put_number(&b, "videocodecid", 828601960);
	put_number(&b, "width", 1);
	assert_true(amf_put_key(&b, "nested") && amf_put_object(&b));
	put_number(&b, "videodatarate", 9);
	assert_true(amf_put_end(&b) && amf_put_end(&b));
	put(&t, PACKET_VIDEO, PACKET_CONFIG, CODEC_AVC, 0, video.bytes, video.size);
	put(&t, PACKET_DATA, PACKET_META, 0, 0, buffer_bytes(&b), buffer_size(&b));
	assert_number(&t, "framerate", 29.97);
	assert_number(&t, "videodatarate", 2500);
	assert_number(&t, "videocodecid", 7);
	assert_number(&t, "width", 640);
	assert_absent(&t, "audiodatarate");
	assert_absent(&t, "audiocodecid");
	buffer_finish(&b);
	finish(&t);
}

static void broken_metadata_of_an_encoder_does_no_harm(void **state)
{
	struct body video = avc_config(0x1e);
	struct told t;

	setup(&t);
	put(&t, PACKET_VIDEO, PACKET_CONFIG, CODEC_AVC, 0, video.bytes, video.size);
	put(&t, PACKET_DATA, PACKET_META, 0, 0, "\x08\x00\x00\x00\x01\x00\xff", 7);
	assert_number(&t, "width", 640);
	finish(&t);
}

static void enhanced_codecs_are_told_by_their_fourcc(void **state)
{
	struct told t;

	setup(&t);
	put(&t, PACKET_VIDEO, PACKET_CONFIG, CODEC_AV1, PACKET_EX, "\x81\x00\x0c\x00", 4);
	assert_number(&t, "videocodecid", CODEC_AV1);
	assert_true(metadata_needs_enhanced(&t.source));
	finish(&t);
}

static void codecs_without_a_header_are_known_by_their_frames(void **state)
{
	struct told t;

	setup(&t);
	t.source.audio = (struct packet){
		.kind = PACKET_AUDIO, .type = PACKET_FRAME, .codec = CODEC_MP3, .head = 0x2f
	};
	assert_number(&t, "audiocodecid", 2);
	assert_absent(&t, "videocodecid");
	finish(&t);
}

static void what_does_not_fit_is_said(void **state)
{
	struct body video = avc_config(0x1e);
	struct told t;

	setup(&t);
	put(&t, PACKET_VIDEO, PACKET_CONFIG, CODEC_AVC, 0, video.bytes, video.size);
	buffer_init(&t.body, 60);
	assert_false(metadata_build(&t.source, &t.body));
	finish(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codec_headers_say_what_is_sent),
		cmocka_unit_test(the_encoder_is_believed_in_rates_and_in_nothing_else),
		cmocka_unit_test(broken_metadata_of_an_encoder_does_no_harm),
		cmocka_unit_test(enhanced_codecs_are_told_by_their_fourcc),
		cmocka_unit_test(codecs_without_a_header_are_known_by_their_frames),
		cmocka_unit_test(what_does_not_fit_is_said),
	};

	return cmocka_run_group_tests_name("relay_metadata", tests, NULL, NULL);
}
