/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What URLs of destinations mean, what is wrong with them, and how they are shown to people. */
#include <stdlib.h>

#include "loading.h"

static struct loading load_destination(const char *destination)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "rtmp: {}\n"
		 "shows:\n"
		 "  - name: main\n"
		 "    feeds: [ { name: a, key: first-key-1 } ]\n"
		 "    destinations: [ { name: d, %s } ]\n",
		 destination);
	return load_text(text);
}

static void rtmp_urls_are_taken_apart(void **state)
{
	static const struct {
		const char *destination, *host, *app, *stream, *tc_url;
		uint16_t port;
		bool is_tls;
	} rows[] = {
		{ "url: \"rtmp://a.example/live2\", key: K", "a.example", "live2", "K",
		  "rtmp://a.example/live2", 1935, false },
		{ "url: \"rtmps://a.example/live2/\", key: K", "a.example", "live2", "K",
		  "rtmps://a.example/live2", 443, true },
		{ "url: \"RTMPS://a.example:444/a/b/c\", key: K", "a.example", "a/b/c", "K",
		  "rtmps://a.example:444/a/b/c", 444, true },
		{ "url: \"rtmp://a.example/app/K\"", "a.example", "app", "K",
		  "rtmp://a.example/app", 1935, false },
		{ "url: \"rtmp://a.example/a/b/K?sig=x/y&z=1\"", "a.example", "a/b",
		  "K?sig=x/y&z=1", "rtmp://a.example/a/b", 1935, false },
		{ "url: \"rtmp://a.example/app?auth=1\", key: K", "a.example", "app?auth=1", "K",
		  "rtmp://a.example/app?auth=1", 1935, false },
		{ "url: \"rtmp://[2001:db8::1]/app\", key: K", "2001:db8::1", "app", "K",
		  "rtmp://[2001:db8::1]/app", 1935, false },
		{ "url: \"rtmps://[::1]:1936/app\", key: \"live_1?bandwidthtest=true\"", "::1",
		  "app", "live_1?bandwidthtest=true", "rtmps://[::1]:1936/app", 1936, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct loading l = load_destination(rows[i].destination);

		print_findings(&l);
		assert_int_equal(l.result, 0);
		const struct config_destination *d = &l.config->shows[0].destinations[0];
		assert_int_equal(d->kind, DESTINATION_RTMP);
		assert_string_equal(d->host, rows[i].host);
		assert_string_equal(d->app, rows[i].app);
		assert_string_equal(d->stream, rows[i].stream);
		assert_string_equal(d->tc_url, rows[i].tc_url);
		assert_int_equal(d->port, rows[i].port);
		assert_int_equal(d->is_tls, rows[i].is_tls);
		assert_null(d->path);
		loading_finish(&l);
	}
}

static void files_are_recordings(void **state)
{
	static const struct {
		const char *destination, *path;
	} rows[] = {
		{ "url: \"file:r/x-%Y%m%d.flv\"", "r/x-%Y%m%d.flv" },
		{ "url: \"file:/abs/x.FLV\"", "/abs/x.FLV" },
		{ "url: \"file:///abs/x.flv\"", "/abs/x.flv" },
		{ "url: \"file:100%%.flv\"", "100%%.flv" },
		{ "url: \"file:a name.flv\"", "a name.flv" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct loading l = load_destination(rows[i].destination);

		print_findings(&l);
		assert_int_equal(l.result, 0);
		assert_int_equal(l.config->shows[0].destinations[0].kind, DESTINATION_FLV_FILE);
		assert_string_equal(l.config->shows[0].destinations[0].path, rows[i].path);
		loading_finish(&l);
	}
}

static void bad_urls_say_what_is_wrong_and_how_it_is_right(void **state)
{
	static const struct {
		const char *destination, *words;
	} rows[] = {
		{ "url: \"a.example/live\", key: K",
		  "does not begin with a scheme; for example rtmp://" },
		{ "url: \"rmtp://a.example/live\", key: K",
		  "unknown scheme; write rtmp://HOST/APP" },
		{ "url: \"averyveryverylongscheme://h/a\", key: K", "unknown scheme" },
		{ "url: \"rtmp:///live\", key: K", "has no host; for example rtmp://" },
		{ "url: \"rtmp://a_b!c/live\", key: K", "no name and no address" },
		{ "url: \"rtmp://h:0/live\", key: K", "1 to 65535" },
		{ "url: \"rtmp://h:x/live\", key: K", "1 to 65535" },
		{ "url: \"rtmp://h:/live\", key: K", "1 to 65535" },
		{ "url: \"rtmp://[::1/live\", key: K", "both brackets" },
		{ "url: \"rtmp://[::g]/live\", key: K", "no IPv6 address" },
		{ "url: \"rtmp://[::1]x/live\", key: K", "after the IPv6 address" },
		{ "url: \"rtmp://h\", key: K", "names no application" },
		{ "url: \"rtmp://h/\", key: K", "names no application" },
		{ "url: \"rtmp://h/live\"", "has no stream key" },
		{ "url: \"rtmp://h/live/\"", "has no stream key" },
		{ "url: \"rtmp://h/a b\", key: K", "write those as %XX" },
		{ "url: \"rtmp://h/live#x\", key: K", "has a #" },
		{ "url: \"rtmp://u:p@h/live\", key: K", "user name before the host" },
		{ "url: \"file:\"", "names no file" },
		{ "url: \"file:x-%Q.flv\"", "letter that stands for date or time" },
		{ "url: \"file:x.flv%\"", "letter that stands for date or time" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct loading l = load_destination(rows[i].destination);

		assert_int_equal(l.result, -22);
		assert_int_equal(count_errors(&l), 1);
		assert_finding(&l, CONFIG_ERROR, 5, "shows[0].destinations[0].url", rows[i].words);
		loading_finish(&l);
	}
}

static void people_see_urls_without_secrets(void **state)
{
	static const char *const rows[][2] = {
		{ "rtmp://a.example/live2", "rtmp://a.example/live2" },
		{ "rtmp://a.example:1936/live2/KEY", "rtmp://a.example:1936/live2/***" },
		{ "rtmps://a.example/live2/x/KEY", "rtmps://a.example/live2/***/***" },
		{ "rtmp://user:pass@a.example/app", "rtmp://***@a.example/app" },
		{ "rtmp://us@er:pass@a.example/app", "rtmp://***@a.example/app" },
		{ "rtmp://a.example/app?token=KEY&b=KEY", "rtmp://a.example/app?token=***&b=***" },
		{ "rtmp://a.example/app/KEY?KEY", "rtmp://a.example/app/***?***" },
		{ "srt://a.example:9000?streamid=KEY", "srt://a.example:9000?streamid=***" },
		{ "https://a.example/hook/KEY#KEY", "https://a.example/hook/***#***" },
		{ "rtmp://a.example/app/", "rtmp://a.example/app/" },
		{ "rtmp://[::1]:1935/app", "rtmp://[::1]:1935/app" },
		{ "rtmp://a.example", "rtmp://a.example" },
		{ "file:recordings/a.flv", "file:recordings/a.flv" },
		{ "KEY", "***" },
		{ "", "***" },
		{ "rtmp://a\033[31m/app", "rtmp://a\\x1b[31m/app" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[128];

		config_redact_url(text, sizeof(text), rows[i][0]);
		assert_string_equal(text, rows[i][1]);
		char small[16];
		config_redact_url(small, sizeof(small), rows[i][0]);
		assert_true(strlen(small) < sizeof(small));
		assert_null(strstr(small, "KEY"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rtmp_urls_are_taken_apart),
		cmocka_unit_test(files_are_recordings),
		cmocka_unit_test(bad_urls_say_what_is_wrong_and_how_it_is_right),
		cmocka_unit_test(people_see_urls_without_secrets),
	};

	return cmocka_run_group_tests_name("config destinations", tests, NULL, NULL);
}
