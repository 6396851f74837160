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

static void keys_without_effect_are_named(void **state)
{
	static const struct {
		const char *destination;
		unsigned warnings;
	} rows[] = {
		{ "url: \"rtmp://a.example/a\", key: K, hold_s: 5, stall_s: 5, isolate: true", 0 },
		{ "url: \"srt://a.example:9000\", stall_s: 5, latency_ms: 100", 0 },
		{ "url: \"srt://a.example:9000\", hold_s: 5, max_backlog_ms: 500", 2 },
		{ "url: \"file:a.mkv\", segment_s: 5, retry: { cap_s: 5 }", 0 },
		{ "url: \"file:a.mkv\", stall_s: 5, keep_segments: 5", 2 },
		{ "url: \"udp://127.0.0.1:5000\", isolate: true, user: u, password: p", 3 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct loading l = load_destination(rows[i].destination);
		unsigned warnings = 0;

		print_findings(&l);
		assert_int_equal(l.result, 0);
		for (size_t n = 0; n < l.findings.count; n++) {
			warnings += strstr(l.findings.items[n].text, "no effect") != NULL;
		}
		assert_int_equal(warnings, rows[i].warnings);
		loading_finish(&l);
	}
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
		assert_string_equal(d->endpoint.host, rows[i].host);
		assert_string_equal(d->endpoint.app, rows[i].app);
		assert_string_equal(d->endpoint.stream, rows[i].stream);
		assert_string_equal(d->endpoint.tc_url, rows[i].tc_url);
		assert_int_equal(d->endpoint.port, rows[i].port);
		assert_int_equal(d->endpoint.is_tls, rows[i].is_tls);
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

static void other_outputs_are_taken_apart(void **state)
{
	static const struct {
		const char *destination, *host, *path, *user, *password, *stream, *passphrase;
		int kind;
		uint16_t port;
		bool is_listener;
	} rows[] = {
		{ "url: \"srt://a.example:9000\"", "a.example", NULL, NULL, NULL, NULL, NULL,
		  DESTINATION_SRT, 9000, false },
		{ "url: \"srt://0.0.0.0:9000?mode=listener&streamid=%23!::r=x"
		  "&passphrase=ten%2Bcharacters\"",
		  "0.0.0.0", NULL, NULL, NULL, "#!::r=x", "ten+characters", DESTINATION_SRT, 9000,
		  true },
		{ "url: \"srt://h:1?latency=300\", key: stream, passphrase: ten-characters", "h",
		  NULL, NULL, NULL, "stream", "ten-characters", DESTINATION_SRT, 1, false },
		{ "url: \"icecast://source:p%40ss@h/show.aac\"", "h", "show.aac", "source", "p@ss",
		  NULL, NULL, DESTINATION_ICECAST, 8000, false },
		{ "url: \"icecast://h:8010/show.mp3\", user: source, password: secret", "h",
		  "show.mp3", "source", "secret", NULL, NULL, DESTINATION_ICECAST, 8010, false },
		{ "url: \"rtsp://h/a/b?c=d\"", "h", "a/b?c=d", NULL, NULL, NULL, NULL,
		  DESTINATION_RTSP, 554, false },
		{ "url: \"udp://239.1.2.3:5000\"", "239.1.2.3", NULL, NULL, NULL, NULL, NULL,
		  DESTINATION_UDP, 5000, false },
		{ "url: \"rtp://[ff02::1]:5004\"", "ff02::1", NULL, NULL, NULL, NULL, NULL,
		  DESTINATION_RTP, 5004, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct loading l = load_destination(rows[i].destination);

		print_findings(&l);
		assert_int_equal(l.result, 0);
		const struct config_destination *d = &l.config->shows[0].destinations[0];
		const char *const pairs[][2] = {
			{ d->output.host, rows[i].host },
			{ d->output.path, rows[i].path },
			{ d->output.user, rows[i].user },
			{ d->output.password, rows[i].password },
			{ d->output.stream, rows[i].stream },
			{ d->output.passphrase, rows[i].passphrase },
		};
		for (size_t k = 0; k < sizeof(pairs) / sizeof(pairs[0]); k++) {
			assert_true((pairs[k][0] == NULL) == (pairs[k][1] == NULL));
			if (pairs[k][0] != NULL) {
				assert_string_equal(pairs[k][0], pairs[k][1]);
			}
		}
		assert_int_equal(d->kind, rows[i].kind);
		assert_int_equal(d->output.port, rows[i].port);
		assert_int_equal(d->output.is_listener, rows[i].is_listener);
		loading_finish(&l);
	}
}

static void bad_outputs_say_what_is_wrong(void **state)
{
	static const char *const rows[][2] = {
		{ "url: \"srt://h\"", "needs a port" },
		{ "url: \"srt://h:1?mode=rendezvous\"", "mode=caller" },
		{ "url: \"srt://h:1?mode=listener\"", "an address of this machine" },
		{ "url: \"srt://h:1?latency=200000\"", "milliseconds" },
		{ "url: \"srt://h:1?pbkeylen=16\"", "not known for SRT" },
		{ "url: \"srt://h:1\", passphrase: short", "10 to 79" },
		{ "url: \"icecast://h/x\"", "source password" },
		{ "url: \"icecast://u:p@h\"", "names no mount" },
		{ "url: \"udp://h\"", "needs a port" },
		{ "url: \"udp://h:1/x\"", "behind the port" },
		{ "url: \"file:x.avi\"", ".mkv, .mp4" },
		{ "url: \"file:x-%H.m3u8\"", "keeps its name" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct loading l = load_destination(rows[i][0]);

		print_findings(&l);
		assert_int_not_equal(l.result, 0);
		assert_true(l.findings.count >= 1);
		assert_non_null(strstr(l.findings.items[0].text, rows[i][1]));
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
		{ "url: \"icecasts://h/m.aac\", user: u, password: p", "asks for TLS" },
		{ "url: \"rtsps://h/a\"", "asks for TLS" },
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

static void platform_names_fill_in_addresses(void **state)
{
	struct loading l = load_destination("platform: youtube, key: K");

	print_findings(&l);
	assert_int_equal(l.result, 0);
	const struct config_destination *d = &l.config->shows[0].destinations[0];
	assert_int_equal(d->kind, DESTINATION_RTMP);
	assert_string_equal(d->endpoint.host, "a.rtmps.youtube.com");
	assert_string_equal(d->endpoint.app, "live2");
	assert_true(d->endpoint.is_tls);
	assert_string_equal(d->backup.host, "b.rtmps.youtube.com");
	assert_string_equal(d->backup.app, "live2?backup=1");
	assert_string_equal(d->backup.stream, "K");
	assert_int_equal(l.config->shows[0].destinations_count, 1);
	loading_finish(&l);
	for (int i = PLATFORM_CUSTOM + 1; i < PLATFORMS; i++) {
		assert_non_null(config_platform_facts(i));
		assert_non_null(config_platform_facts(i)->url);
	}
	assert_null(config_platform_facts(PLATFORM_CUSTOM));
	assert_null(config_platform_facts(PLATFORMS));
}

static void both_makes_a_second_destination_of_the_backup(void **state)
{
	struct loading l = load_destination("platform: youtube, key: K, both: true, hold_s: 7, "
					    "user: u, password: p");

	print_findings(&l);
	assert_int_equal(l.result, 0);
	assert_int_equal(l.config->shows[0].destinations_count, 2);
	const struct config_destination *d = l.config->shows[0].destinations;
	assert_string_equal(d[0].name, "d");
	assert_string_equal(d[0].endpoint.host, "a.rtmps.youtube.com");
	assert_null(d[0].backup.host);
	assert_string_equal(d[1].name, "d/backup");
	assert_string_equal(d[1].endpoint.host, "b.rtmps.youtube.com");
	assert_null(d[1].backup.host);
	assert_int_equal(d[1].hold_s, 7);
	assert_string_equal(d[1].password, "p");
	loading_finish(&l);
}

static void manners_have_defaults_and_bounds(void **state)
{
	struct loading l = load_destination("url: \"rtmp://h/a\", key: K");

	assert_int_equal(l.result, 0);
	const struct config_destination *d = &l.config->shows[0].destinations[0];
	assert_int_equal(d->retry.first_s, 1);
	assert_int_equal(d->retry.cap_s, 10);
	assert_int_equal(d->retry.healthy_s, 5);
	assert_int_equal(d->hold_s, 120);
	assert_int_equal(d->max_backlog_ms, 3000);
	assert_int_equal(d->stall_s, 10);
	assert_false(d->allow_redirect);
	assert_int_equal(d->platform, PLATFORM_CUSTOM);
	loading_finish(&l);
	l = load_destination("url: \"rtmp://h/a\", key: K, retry: { cap_s: 60 }");
	assert_int_equal(l.result, 0);
	assert_int_equal(l.config->shows[0].destinations[0].retry.cap_s, 60);
	assert_int_equal(l.config->shows[0].destinations[0].retry.first_s, 1);
	loading_finish(&l);
	l = load_destination("url: \"rtmp://h/a\", key: K, retry: { cap_s: 0 }, stall_s: 601");
	assert_int_equal(count_errors(&l), 2);
	loading_finish(&l);
}

static void what_is_missing_or_contradicts_is_said(void **state)
{
	static const struct {
		const char *destination, *key, *words;
		enum config_severity severity;
	} rows[] = {
		{ "key: K", "url", "give the destination a `url`, or a `platform`", CONFIG_ERROR },
		{ "platform: twitch", "key", "is missing", CONFIG_ERROR },
		{ "url: \"rtmp://h/a\", key: K, both: true", "both", "needs a `backup_url`",
		  CONFIG_ERROR },
		{ "url: \"rtmp://h/a\", key: K, backup_url: \"file:x.flv\"", "backup_url",
		  "has to be an RTMP address", CONFIG_ERROR },
		{ "url: \"rtmp://h/a\", key: K, user: me", "user", "of no use alone",
		  CONFIG_ERROR },
		{ "url: \"rtmp://h/a\", key: K, password: me", "password", "of no use alone",
		  CONFIG_ERROR },
		{ "url: \"rtmp://h/a\", key: K, platform: facebook", "url", "takes RTMPS only",
		  CONFIG_WARNING },
		{ "url: \"rtmp://h/a\", key: K, platform: vimeo", "platform", "", CONFIG_ERROR },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct loading l = load_destination(rows[i].destination);
		char key[96];

		snprintf(key, sizeof(key), "shows[0].destinations[0].%s", rows[i].key);
		assert_finding(&l, rows[i].severity, 5, key, rows[i].words);
		assert_int_equal(count_errors(&l), rows[i].severity == CONFIG_ERROR);
		loading_finish(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(platform_names_fill_in_addresses),
		cmocka_unit_test(both_makes_a_second_destination_of_the_backup),
		cmocka_unit_test(manners_have_defaults_and_bounds),
		cmocka_unit_test(what_is_missing_or_contradicts_is_said),
		cmocka_unit_test(keys_without_effect_are_named),
		cmocka_unit_test(rtmp_urls_are_taken_apart),
		cmocka_unit_test(files_are_recordings),
		cmocka_unit_test(other_outputs_are_taken_apart),
		cmocka_unit_test(bad_outputs_say_what_is_wrong),
		cmocka_unit_test(bad_urls_say_what_is_wrong_and_how_it_is_right),
		cmocka_unit_test(people_see_urls_without_secrets),
	};

	return cmocka_run_group_tests_name("config destinations", tests, NULL, NULL);
}
