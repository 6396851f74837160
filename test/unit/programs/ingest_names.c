/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where a pulled URL may lead. The test is the supervisor: it answers questions from a table, on
 * the other end of the worker's control socket.
 */
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <understudy/net.h>
#include <understudy/worker.h>

#include "../../../src/ingest-av/names.h"

static int supervisor;
static bool is_deaf; /* gives no answers */

static const struct {
	const char *name, *addresses[2];
} hosts[] = {
	{ "tv.example.com", { "198.51.100.7" } }, { "cdn.example.net", { "203.0.113.9" } },
	{ "inside.example.com", { "10.1.2.3" } }, { "both.example.com", { "198.51.100.8", "::1" } },
	{ "encoder", { "192.168.1.20" } },        { "localhost", { "127.0.0.1" } },
};

static void find_host(const char *name, uint16_t port, struct ipc_resolve_answer *ret)
{
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		for (size_t k = 0; k < 2 && strcmp(hosts[i].name, name) == 0; k++) {
			if (hosts[i].addresses[k] != NULL) {
				net_parse_address(hosts[i].addresses[k], port,
						  &ret->addresses[ret->count++]);
			}
		}
	}
	strcpy(ret->error, ret->count == 0 ? "name not found" : "");
}

static bool answer(void *owner)
{
	static struct ipc_message m;
	struct ipc_resolve_answer found = { .count = 0 };

	if (is_deaf) {
		return false;
	}
	assert_int_equal(ipc_recv_no_fds(supervisor, &m), 1);
	assert_int_equal(m.type, IPC_RESOLVE_ASK);
	const struct ipc_resolve_ask *ask = (const void *)m.body;
	find_host(ask->host, ask->port, &found);
	found.query = ask->query + 1; /* somebody else's, or one given up */
	names_answer(&found);
	found.query = ask->query;
	names_answer(&found);
	return true;
}

static void begin(const char *origin, bool allow_private)
{
	static const struct names_ops ops = { answer };

	names_begin(origin, allow_private, &ops, NULL);
}

static bool leads_to(const char *host)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
	bool is_led = getaddrinfo(host, "80", &hints, &found) == 0;

	freeaddrinfo(found);
	return is_led;
}

static void public_url_leads_to_the_world_and_nowhere_else(void **state)
{
	begin("tv.example.com", false);
	assert_true(leads_to("tv.example.com"));
	assert_true(leads_to("cdn.example.net"));
	assert_true(leads_to("192.0.2.1"));
	assert_string_equal(names_refusal(), "");
	assert_false(leads_to("inside.example.com"));
	assert_non_null(strstr(names_refusal(), "inside.example.com is at the private address "
						"10.1.2.3:80; set allow_private: true"));
	assert_false(leads_to("encoder"));
	assert_false(leads_to("localhost"));
	assert_false(leads_to("169.254.169.254"));
	assert_false(leads_to("::ffff:127.0.0.1"));
}

static void url_without_a_host_leads_nowhere(void **state)
{
	begin("tv.example.com", false);
	assert_false(leads_to(NULL)); /* "http://:8080/", as libavformat asks for it */
	assert_non_null(strstr(names_refusal(), "no host is at the private address"));
	assert_false(leads_to(""));
	begin("tv.example.com", true);
	assert_true(leads_to(NULL));
}

static void public_name_at_a_private_address_is_refused_from_the_first_look(void **state)
{
	begin("inside.example.com", false);
	assert_false(leads_to("inside.example.com"));
	assert_non_null(strstr(names_refusal(), "private address"));
}

static void of_many_addresses_only_those_are_used_that_may_be(void **state)
{
	struct addrinfo *found = NULL;

	begin("both.example.com", false);
	assert_int_equal(getaddrinfo("both.example.com", "80", NULL, &found), 0);
	assert_int_equal(found->ai_family, AF_INET);
	assert_null(found->ai_next);
	freeaddrinfo(found);
	assert_string_equal(names_refusal(), "");
}

static void local_url_leads_to_its_network_and_not_to_this_host(void **state)
{
	begin("encoder", false);
	assert_true(leads_to("encoder"));
	assert_true(leads_to("10.1.2.3"));
	assert_true(leads_to("tv.example.com"));
	assert_false(leads_to("localhost"));
	begin("192.168.1.20", false);
	assert_true(leads_to("encoder"));
	assert_false(leads_to("127.0.0.1"));
}

static void allow_private_leads_anywhere(void **state)
{
	begin("tv.example.com", true);
	assert_true(leads_to("inside.example.com"));
	assert_true(leads_to("localhost"));
}

static void name_that_is_not_found_is_said(void **state)
{
	begin("tv.example.com", false);
	assert_false(leads_to("nowhere.example.com"));
	assert_string_equal(names_trouble(), "nowhere.example.com: name not found");
	assert_true(leads_to("tv.example.com"));
	assert_string_equal(names_trouble(), "");
}

static void look_up_ends_when_the_worker_is_told_to(void **state)
{
	static struct ipc_message m;

	begin("tv.example.com", false);
	is_deaf = true;
	assert_false(leads_to("tv.example.com"));
	is_deaf = false;
	assert_int_equal(ipc_recv_no_fds(supervisor, &m), 1);
}

static void figures_and_listening_need_no_question(void **state)
{
	struct addrinfo numeric = { .ai_flags = AI_NUMERICHOST }, *found = NULL;
	struct addrinfo passive = { .ai_flags = AI_PASSIVE, .ai_family = AF_INET6 };

	begin("tv.example.com", false);
	is_deaf = true;
	assert_int_equal(getaddrinfo("tv.example.com", NULL, &numeric, &found), EAI_NONAME);
	assert_int_equal(getaddrinfo(NULL, "5000", &passive, &found), 0);
	assert_int_equal(found->ai_family, AF_INET6);
	freeaddrinfo(found);
	assert_int_equal(getaddrinfo("192.0.2.1", "65536", NULL, &found), EAI_SERVICE);
	assert_int_equal(getaddrinfo("192.0.2.1", "http", NULL, &found), EAI_SERVICE);
	is_deaf = false;
}

static void connections_are_counted_and_not_other_questions(void **state)
{
	struct addrinfo numeric = { .ai_flags = AI_NUMERICHOST }, *found = NULL;

	begin("tv.example.com", false);
	names_count();
	leads_to("tv.example.com");
	leads_to("192.0.2.1");
	getaddrinfo("tv.example.com", NULL, &numeric, &found);
	assert_int_equal(names_count(), 2);
	assert_int_equal(names_count(), 0);
}

static int connect_supervisor(void **state)
{
	int fds[2];

	if (ipc_pair(fds) != 0) {
		return -1;
	}
	supervisor = fds[0];
	if (supervisor == WORKER_CONTROL_FD) {
		supervisor = dup(supervisor);
	}
	return dup2(fds[1], WORKER_CONTROL_FD) == WORKER_CONTROL_FD ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(public_url_leads_to_the_world_and_nowhere_else),
		cmocka_unit_test(url_without_a_host_leads_nowhere),
		cmocka_unit_test(public_name_at_a_private_address_is_refused_from_the_first_look),
		cmocka_unit_test(of_many_addresses_only_those_are_used_that_may_be),
		cmocka_unit_test(local_url_leads_to_its_network_and_not_to_this_host),
		cmocka_unit_test(allow_private_leads_anywhere),
		cmocka_unit_test(name_that_is_not_found_is_said),
		cmocka_unit_test(look_up_ends_when_the_worker_is_told_to),
		cmocka_unit_test(figures_and_listening_need_no_question),
		cmocka_unit_test(connections_are_counted_and_not_other_questions),
	};

	return cmocka_run_group_tests(tests, connect_supervisor, NULL);
}
