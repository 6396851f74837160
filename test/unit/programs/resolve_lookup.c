/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Looking up what needs no name server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "../../../src/resolve/lookup.h"

static void a_v4_literal_is_its_own_answer(void **state)
{
	struct ipc_resolve_answer a;
	const struct sockaddr_in *where = (const void *)&a.addresses[0];

	lookup_host("192.0.2.7", 1935, &a);
	assert_int_equal(a.count, 1);
	assert_int_equal(where->sin_family, AF_INET);
	assert_int_equal(ntohs(where->sin_port), 1935);
	assert_int_equal(ntohl(where->sin_addr.s_addr), 0xc0000207);
}

static void a_v6_literal_is_its_own_answer(void **state)
{
	struct ipc_resolve_answer a;
	const struct sockaddr_in6 *where = (const void *)&a.addresses[0];

	lookup_host("2001:db8::1", 443, &a);
	assert_int_equal(a.count, 1);
	assert_int_equal(where->sin6_family, AF_INET6);
	assert_int_equal(ntohs(where->sin6_port), 443);
}

static void localhost_is_loopback_in_both_families(void **state)
{
	struct ipc_resolve_answer a;

	lookup_host("LocalHost", 1935, &a);
	assert_int_equal(a.count, 2);
	assert_int_equal(a.addresses[0].ss_family, AF_INET);
	assert_int_equal(a.addresses[1].ss_family, AF_INET6);
	assert_string_equal(a.error, "");
}

static void no_name_is_an_error_in_words(void **state)
{
	struct ipc_resolve_answer a;

	lookup_host("", 1935, &a);
	assert_int_equal(a.count, 0);
	assert_string_equal(a.error, "there is no host name");
}

static void a_name_that_cannot_be_one_is_an_error_in_words(void **state)
{
	struct ipc_resolve_answer a;

	/* Longer than a label may be: refused before anybody is asked. */
	lookup_host("a-label-that-is-longer-than-the-sixty-three-characters-a-label-has.invalid",
		    1935, &a);
	assert_int_equal(a.count, 0);
	assert_true(strlen(a.error) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_v4_literal_is_its_own_answer),
		cmocka_unit_test(a_v6_literal_is_its_own_answer),
		cmocka_unit_test(localhost_is_loopback_in_both_families),
		cmocka_unit_test(no_name_is_an_error_in_words),
		cmocka_unit_test(a_name_that_cannot_be_one_is_an_error_in_words),
	};

	return cmocka_run_group_tests_name("resolve_lookup", tests, NULL, NULL);
}
