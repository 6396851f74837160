/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Our client publishes to our server in memory; what arrives is compared byte for byte. */
#include "support.h"

static const uint8_t random_bytes[1528];

struct pair {
	struct rtmp_client *c;
	struct rtmp_server *s;
	struct digest got;
	enum rtmp_event_type last; /* of the client */
};

static void pair_init(struct pair *p, bool is_enhanced)
{
	const struct rtmp_client_config config = {
		.app = "live",
		.stream = "key",
		.tc_url = "rtmp://host/live",
		.agent = "FMLE/3.0 (compatible; understudy)",
		.is_enhanced = is_enhanced,
	};
	struct rtmp_limits limits;

	rtmp_limits_default(&limits);
	*p = (struct pair){ 0 };
	p->c = rtmp_client_create(&config, &limits, random_bytes, T0);
	assert_non_null(p->c);
	p->s = rtmp_server_create(&limits, random_bytes, T0);
	assert_non_null(p->s);
	digest_init(&p->got);
}

static void pair_finish(struct pair *p)
{
	rtmp_client_destroy(&p->c);
	rtmp_server_destroy(&p->s);
	digest_finish(&p->got);
}

static size_t client_to_server(struct pair *p)
{
	const uint8_t *bytes;
	size_t n = rtmp_client_output(p->c, &bytes);

	if (n > 0) {
		assert_int_equal(feed_server(p->s, bytes, n, 3, T0, &p->got), RTMP_OK);
		rtmp_client_sent(p->c, n);
	}
	return n;
}

static size_t server_to_client(struct pair *p)
{
	const uint8_t *bytes;
	struct rtmp_event e;
	size_t n = rtmp_server_output(p->s, &bytes);

	for (size_t at = 0; at < n;) {
		ssize_t used = rtmp_client_feed(p->c, bytes + at, n - at, T0);

		assert_true(used >= 0);
		at += (size_t)used;
		while (rtmp_client_next(p->c, &e)) {
			p->last = e.type;
			if (e.type == RTMP_EVENT_CONNECTED) {
				assert_true(e.is_enhanced);
			}
		}
	}
	if (n > 0) {
		rtmp_server_sent(p->s, n);
	}
	return n;
}

static void talk(struct pair *p)
{
	while (client_to_server(p) + server_to_client(p) > 0) {
	}
}

/* As the relay does it: head, chunks, separators. */
static void send_media(struct pair *p, uint8_t message, uint32_t timestamp, const uint8_t *body,
		       uint32_t size, unsigned seed)
{
	struct buffer b = new_stream();
	uint8_t head[RTMP_MESSAGE_HEAD_MAX], separator[RTMP_SEPARATOR_MAX];

	put_bytes(&b, head,
		  rtmp_write_message_head(head, message, timestamp, size,
					  rtmp_client_message_stream(p->c)));
	for (uint32_t at = 0; at < size; at += RTMP_CHUNK_OUT) {
		if (at > 0) {
			put_bytes(&b, separator,
				  rtmp_write_separator(separator, message, timestamp));
		}
		put_bytes(&b, body + at, size - at < RTMP_CHUNK_OUT ? size - at : RTMP_CHUNK_OUT);
	}
	assert_int_equal(feed_server(p->s, buffer_bytes(&b), buffer_size(&b), seed, T0, &p->got),
			 RTMP_OK);
	buffer_finish(&b);
}

static void media_arrives_as_it_was_sent(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 65535, 65536, 65537, 131072, 400000 };
	static const uint32_t times[] = { 0,         40,         0xFFFFFE,   0xFFFFFF,
					  0x1000000, 0x7FFFFFFF, 0xFFFFFFFF, 3 };
	uint8_t *body = malloc(400000);
	struct digest sent;
	struct pair p;

	assert_non_null(body);
	for (size_t i = 0; i < 400000; i++) {
		body[i] = (uint8_t)(i * 7 + (i >> 8));
	}
	for (unsigned seed = 0; seed < 4; seed++) {
		pair_init(&p, true);
		digest_init(&sent);
		talk(&p);
		assert_int_equal(p.last, RTMP_EVENT_PUBLISHING);
		fputs("publish live key\n", sent.to);
		for (size_t k = 0; k < sizeof(times) / sizeof(times[0]); k++) {
			for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
				uint8_t message = i % 3 == 0 ? 9 : i % 3 == 1 ? 8 : 18;
				uint32_t most = message == 9 ? 400000 : 65536;
				uint32_t size = sizes[i] < most ? sizes[i] : most;
				const struct rtmp_event e = {
					.type = RTMP_EVENT_MEDIA,
					.message = message,
					.timestamp_ms = times[k],
					.body = body,
					.size = size,
				};

				digest_event(&sent, &e);
				send_media(&p, message, times[k], body, size, seed);
			}
		}
		assert_string_equal(digest_text(&p.got), digest_text(&sent));
		digest_finish(&sent);
		pair_finish(&p);
	}
	free(body);
	(void)state;
}

static void heads_and_separators_are_laid_out_as_specified(void **state)
{
	static const uint8_t audio[] = { 4, 0, 0, 40, 0, 1, 44, 8, 5, 0, 0, 0 };
	static const uint8_t video[] = { 6, 0xFF, 0xFF, 0xFF, 1, 0,    0,    9,
					 2, 1,    0,    0,    0, 0xFF, 0xFF, 0xFF };
	static const uint8_t between[] = { 0xC6, 0, 0xFF, 0xFF, 0xFF };
	uint8_t head[RTMP_MESSAGE_HEAD_MAX], separator[RTMP_SEPARATOR_MAX];

	assert_int_equal(rtmp_write_message_head(head, 8, 40, 300, 5), sizeof(audio));
	assert_memory_equal(head, audio, sizeof(audio));
	assert_int_equal(rtmp_write_message_head(head, 9, 0xFFFFFF, 65536, 0x102), sizeof(video));
	assert_memory_equal(head, video, sizeof(video));
	assert_int_equal(rtmp_write_separator(separator, 9, 0xFFFFFF), sizeof(between));
	assert_memory_equal(separator, between, sizeof(between));
	assert_int_equal(rtmp_write_separator(separator, 18, 0xFFFFFE), 1);
	assert_int_equal(separator[0], 0xC4);
	(void)state;
}

static void unpublish_reaches_the_server(void **state)
{
	struct pair p;

	pair_init(&p, true);
	talk(&p);
	rtmp_client_unpublish(p.c);
	talk(&p);
	assert_string_equal(digest_text(&p.got), "publish live key\nunpublish\n");
	pair_finish(&p);
	(void)state;
}

static void acknowledgements_tell_what_the_server_has_taken(void **state)
{
	static uint8_t body[200000];
	struct pair p;

	pair_init(&p, true);
	talk(&p);
	for (int i = 0; i < 20; i++) {
		send_media(&p, 9, (uint32_t)i * 40, body, sizeof(body), 2);
		talk(&p);
	}
	/* the client asked for one every 2.5 MB */
	assert_true(rtmp_client_acked(p.c) >= 2500000);
	assert_true(rtmp_client_acked(p.c) <= rtmp_server_received(p.s));
	pair_finish(&p);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(media_arrives_as_it_was_sent),
		cmocka_unit_test(heads_and_separators_are_laid_out_as_specified),
		cmocka_unit_test(unpublish_reaches_the_server),
		cmocka_unit_test(acknowledgements_tell_what_the_server_has_taken),
	};

	return cmocka_run_group_tests_name("rtmp loopback", tests, NULL, NULL);
}
