/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a ReconnectRequest leads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <understudy/redirect.h>
#include <understudy/text.h>

static struct ipc_endpoint ours(bool is_tls)
{
	struct ipc_endpoint e = { .is_tls = is_tls, .port = is_tls ? 443 : 1935 };

	text_copy(e.host, sizeof(e.host), "a.example");
	text_copy(e.app, sizeof(e.app), "live2/x");
	text_copy(e.stream, sizeof(e.stream), "KEY");
	text_copy(e.tc_url, sizeof(e.tc_url), "old");
	return e;
}

static void addresses_are_resolved_against_ours(void **state)
{
	static const struct {
		const char *url, *host, *app, *tc_url;
		uint16_t port;
	} rows[] = {
		{ "rtmps://a.example/live3", "a.example", "live3", "rtmps://a.example/live3", 443 },
		{ "RTMPS://a.example:444/l/m?t=1", "a.example", "l/m?t=1",
		  "rtmps://a.example:444/l/m?t=1", 444 },
		{ "rtmps://b.example", "b.example", "live2/x", "rtmps://b.example/live2/x", 443 },
		{ "//b.example:99/q", "b.example", "q", "rtmps://b.example:99/q", 99 },
		{ "rtmps://[2001:db8::1]:99/q", "2001:db8::1", "q", "rtmps://[2001:db8::1]:99/q",
		  99 },
		{ "/other", "a.example", "other", "rtmps://a.example/other", 443 },
		{ "y", "a.example", "live2/y", "rtmps://a.example/live2/y", 443 },
		{ "", "a.example", "live2/x", "old", 443 },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ipc_endpoint now = ours(true), to;

		assert_int_equal(redirect_resolve(&now, rows[i].url, true, &to), REDIRECT_OK);
		assert_string_equal(to.host, rows[i].host);
		assert_string_equal(to.app, rows[i].app);
		assert_string_equal(to.tc_url, rows[i].tc_url);
		assert_string_equal(to.stream, "KEY");
		assert_int_equal(to.port, rows[i].port);
		assert_true(to.is_tls);
	}
}

static void other_hosts_need_consent_and_tls_is_never_given_up(void **state)
{
	struct ipc_endpoint now = ours(true), plain = ours(false), to = { .port = 7 };

	assert_int_equal(redirect_resolve(&now, "rtmps://b.example/live2", false, &to),
			 REDIRECT_FOREIGN);
	assert_int_equal(redirect_resolve(&now, "rtmps://a.example.evil/live2", false, &to),
			 REDIRECT_FOREIGN);
	assert_int_equal(redirect_resolve(&now, "rtmp://a.example/live2", true, &to),
			 REDIRECT_LESS_SECURE);
	assert_int_equal(redirect_resolve(&now, "rtmp://b.example/live2", false, &to),
			 REDIRECT_LESS_SECURE);
	assert_int_equal(to.port, 7);
	assert_int_equal(redirect_resolve(&plain, "rtmps://A.Example/live2", false, &to),
			 REDIRECT_OK);
	assert_true(to.is_tls);
	assert_int_equal(redirect_resolve(&plain, "/live2", false, &to), REDIRECT_OK);
	assert_int_equal(to.port, 1935);
}

static void nonsense_is_refused(void **state)
{
	static const char *const urls[] = {
		"http://a.example/x",
		"rtmps:a.example",
		"rtmps://",
		"rtmps:///x",
		"rtmps://a b/x",
		"rtmps://user:p@a.example/x",
		"rtmps://a.example:/x",
		"rtmps://a.example:0/x",
		"rtmps://a.example:65536/x",
		"rtmps://a.example:123456/x",
		"rtmps://a.example:1x/y",
		"rtmps://[::1/x",
		"rtmps://[zz]/x",
		"rtmps://[::1]x/y",
		"/a/../b",
		"/a b",
		"/a#b",
		"//",
		"x:y",
	};
	struct ipc_endpoint now = ours(true), to = { .port = 7 };
	char large[2000];
	size_t i;

	for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		if (redirect_resolve(&now, urls[i], true, &to) != REDIRECT_MALFORMED) {
			fail_msg("taken: %s", urls[i]);
		}
	}
	memset(large, 'a', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	assert_int_equal(redirect_resolve(&now, large, true, &to), REDIRECT_MALFORMED);
	memcpy(large, "rtmps://", 8);
	assert_int_equal(redirect_resolve(&now, large, true, &to), REDIRECT_MALFORMED);
	assert_int_equal(to.port, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_resolved_against_ours),
		cmocka_unit_test(other_hosts_need_consent_and_tls_is_never_given_up),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests_name("relay-rtmp redirect", tests, NULL, NULL);
}
