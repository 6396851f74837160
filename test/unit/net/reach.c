/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a foreign server may lead to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <understudy/net.h>

static enum net_reach reach(const char *address)
{
	struct sockaddr_storage at;

	assert_true(net_parse_address(address, 80, &at) > 0);
	return net_reach_of((struct sockaddr *)&at);
}

static void assert_reach(const char *const *addresses, enum net_reach expected)
{
	for (; *addresses != NULL; addresses++) {
		if (reach(*addresses) != expected) {
			fail_msg("%s is taken for %d, not %d", *addresses, reach(*addresses),
				 expected);
		}
	}
}

static void addresses_of_the_world_are_public(void **state)
{
	static const char *const addresses[] = {
		"8.8.8.8",        "9.255.255.255",    "11.0.0.0",
		"172.15.255.255", "172.32.0.0",       "192.167.255.255",
		"192.169.0.0",    "223.255.255.255",  "2a00:1450::8888",
		"::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1",
		"100.63.255.255", "100.128.0.0",      NULL
	};

	assert_reach(addresses, NET_PUBLIC);
}

static void local_networks_are_private_however_they_are_wrapped(void **state)
{
	static const char *const addresses[] = { "10.0.0.1",
						 "172.16.0.1",
						 "172.31.255.255",
						 "192.168.1.1",
						 "100.64.0.1",
						 "198.18.0.1",
						 "224.0.0.1",
						 "255.255.255.255",
						 "fd00::1",
						 "fec0::1",
						 "ff02::1",
						 "::ffff:10.0.0.1",
						 "64:ff9b::192.168.1.1",
						 "2002:a00:1::1",
						 "64:ff9b:1::a00:1",
						 NULL };

	assert_reach(addresses, NET_PRIVATE);
}

static void this_host_and_its_link_are_furthest_inside(void **state)
{
	static const char *const addresses[] = { "127.0.0.1",
						 "127.255.255.254",
						 "0.0.0.0",
						 "169.254.169.254",
						 "::1",
						 "::",
						 "fe80::1",
						 "::ffff:127.0.0.1",
						 "::ffff:169.254.169.254",
						 "64:ff9b::7f00:1",
						 "2002:7f00:1::",
						 NULL };

	assert_reach(addresses, NET_HOST);
}

static void names_that_only_mean_something_locally_are_told_apart(void **state)
{
	assert_true(net_is_public_name("encoder.example.com"));
	assert_true(net_is_public_name("example.com."));
	assert_true(net_is_public_name("local.example"));
	assert_false(net_is_public_name("encoder"));
	assert_false(net_is_public_name("encoder."));
	assert_false(net_is_public_name("localhost"));
	assert_false(net_is_public_name("camera.LOCAL"));
	assert_false(net_is_public_name("camera.home.arpa."));
	assert_false(net_is_public_name("x.internal"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_of_the_world_are_public),
		cmocka_unit_test(local_networks_are_private_however_they_are_wrapped),
		cmocka_unit_test(this_host_and_its_link_are_furthest_inside),
		cmocka_unit_test(names_that_only_mean_something_locally_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
