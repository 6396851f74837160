/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HLS playlists, and URLs for libavformat. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../../src/relay-av/output.h"

static void add(struct playlist *p, uint32_t number, int64_t length_90k, bool is_break)
{
	struct segment s = { .number = number, .length_90k = length_90k, .is_break = is_break };

	snprintf(s.name, sizeof(s.name), "live-%u.ts", number);
	playlist_add(p, &s);
}

static void assert_text(const struct playlist *p, const char *expected)
{
	struct buffer text;

	buffer_init(&text, 4096);
	assert_true(playlist_write(p, 4, &text));
	assert_int_equal(buffer_append(&text, "", 1), 0);
	assert_string_equal((const char *)buffer_bytes(&text), expected);
	buffer_finish(&text);
}

static void playlist_names_the_last_segments(void **state)
{
	struct playlist p = { .keep = 2 };

	add(&p, 7, 360000, true);
	assert_text(&p, "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n"
			"#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n"
			"#EXTINF:4.000,\nlive-7.ts\n");
	add(&p, 8, 450090, false);
	add(&p, 9, 180000, true);
	assert_text(&p, "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:6\n"
			"#EXT-X-MEDIA-SEQUENCE:8\n#EXT-X-DISCONTINUITY-SEQUENCE:1\n"
			"#EXTINF:5.001,\nlive-8.ts\n#EXT-X-DISCONTINUITY\n"
			"#EXTINF:2.000,\nlive-9.ts\n");
}

static void playlist_without_room_is_refused(void **state)
{
	struct playlist p = { .keep = 2 };
	struct buffer text;

	add(&p, 1, 1, false);
	buffer_init(&text, 64);
	assert_false(playlist_write(&p, 4, &text));
	buffer_finish(&text);
}

static void make_url(struct output *o, const char *expected)
{
	struct sockaddr_storage address = { 0 };
	struct sockaddr_in *v4 = (void *)&address;

	v4->sin_family = AF_INET;
	assert_int_equal(inet_pton(AF_INET, "192.0.2.1", &v4->sin_addr), 1);
	assert_true(address_make(o, &address));
	assert_string_equal(o->url, expected);
}

static void urls_have_numbers_for_names(void **state)
{
	static struct output o = { .start = { .kind = OUTPUT_ICECAST,
					      .port = 8000,
					      .host = "radio.example",
					      .path = "show.aac",
					      .user = "source",
					      .password = "p@ss/w%rd" } };
	struct sockaddr_storage address = { 0 };
	struct sockaddr_in6 *v6 = (void *)&address;

	make_url(&o, "http://source:p%40ss%2Fw%25rd@192.0.2.1:8000/show.aac");
	assert_non_null(strstr(o.headers, "Host: radio.example:8000\r\n"));
	o.start.kind = OUTPUT_UDP;
	o.start.user[0] = '\0';
	make_url(&o, "udp://192.0.2.1:8000?pkt_size=1316");
	v6->sin6_family = AF_INET6;
	v6->sin6_addr = in6addr_loopback;
	o.start.kind = OUTPUT_RTSP;
	assert_true(address_make(&o, &address));
	assert_string_equal(o.url, "rtsp://[::1]:8000/show.aac");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(playlist_names_the_last_segments),
		cmocka_unit_test(playlist_without_room_is_refused),
		cmocka_unit_test(urls_have_numbers_for_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
