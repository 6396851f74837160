/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Answers to login challenges; the expected digests were computed by another implementation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../src/relay-rtmp/auth.h"

#define ASKS "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : "
#define NEED_ADOBE "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=me"

static void adobe_is_answered_in_two_steps(void **state)
{
	struct auth a = { 0 };

	assert_true(auth_is_challenge(ASKS));
	assert_int_equal(auth_answer(&a, ASKS, "app", "me", "secret", 42), AUTH_AGAIN);
	assert_string_equal(a.parameters, "?authmod=adobe&user=me");
	assert_int_equal(auth_answer(&a, NEED_ADOBE "&salt=SaLt&challenge=ChAl&opaque=OpAq", "app",
				     "me", "secret", 42),
			 AUTH_AGAIN);
	assert_string_equal(a.parameters, "?authmod=adobe&user=me&challenge=0000002a"
					  "&response=ur7HCfygGIrj5ka2IlJKtw==&opaque=OpAq");
	assert_int_equal(auth_answer(&a, ASKS, "app", "me", "secret", 42), AUTH_REFUSED);
}

static void challenge_stands_in_where_there_is_no_opaque(void **state)
{
	struct auth a = { 0 };

	assert_int_equal(auth_answer(&a, NEED_ADOBE "&salt=SaLt&challenge=ChAl", "app?x=1", "me",
				     "secret", 42),
			 AUTH_AGAIN);
	assert_string_equal(a.parameters, "&authmod=adobe&user=me&challenge=0000002a"
					  "&response=WJf8phC52SQ/4EKLmWvGiA==");
}

static void limelight_is_answered(void **state)
{
	struct auth a = { 0 };

	assert_int_equal(auth_answer(&a, "[ authmod=llnw ] : ?reason=needauth&user=me&nonce=NoNcE",
				     "app", "me", "secret", 42),
			 AUTH_AGAIN);
	assert_string_equal(a.parameters,
			    "?authmod=llnw&user=me&nonce=NoNcE&cnonce=0000002a&nc=00000001"
			    "&response=93e117a980fc16f1a941eb345324a0ca");
}

static void refusals_and_nonsense_end_it(void **state)
{
	static const struct {
		const char *text, *user;
		enum auth_result result;
	} rows[] = {
		{ ASKS, "", AUTH_NO_LOGIN },
		{ "[ authmod=adobe ] : ?reason=authfailed", "me", AUTH_REFUSED },
		{ "[ authmod=adobe ] : ?reason=nosuchuser", "me", AUTH_REFUSED },
		{ "[ authmod=adobe ] : ?reason=moon", "me", AUTH_UNKNOWN },
		{ "[ authmod=ldap ]", "me", AUTH_UNKNOWN },
		{ "authmod=", "me", AUTH_UNKNOWN },
		{ "xauthmod=adobe", "me", AUTH_UNKNOWN },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct auth a = { 0 };

		assert_int_equal(auth_answer(&a, rows[i].text, "app", rows[i].user, "x", 1),
				 rows[i].result);
		assert_string_equal(a.parameters, "");
		assert_true(*auth_str(rows[i].result));
	}
}

static void long_values_never_overflow(void **state)
{
	char text[512] = "authmod=adobe&reason=needauth&salt=", user[500];
	struct auth a = { 0 };
	size_t used = strlen(text);

	memset(text + used, 's', sizeof(text) - used - 1);
	assert_int_equal(auth_answer(&a, text, "app", "me", "x", 1), AUTH_AGAIN);
	memset(user, 'u', sizeof(user) - 1);
	user[sizeof(user) - 1] = '\0';
	a = (struct auth){ 0 };
	assert_int_equal(auth_answer(&a, "authmod=adobe&reason=needauth&salt=1", "app", user, "x",
				     1),
			 AUTH_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adobe_is_answered_in_two_steps),
		cmocka_unit_test(challenge_stands_in_where_there_is_no_opaque),
		cmocka_unit_test(limelight_is_answered),
		cmocka_unit_test(refusals_and_nonsense_end_it),
		cmocka_unit_test(long_values_never_overflow),
	};

	return cmocka_run_group_tests_name("relay-rtmp auth", tests, NULL, NULL);
}
