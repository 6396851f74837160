/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A scenario that says what it cannot mean is told so, and where, instead of meaning something. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "script.h"

#define SHOW "show delay=3000\n"
#define FEED SHOW "feed a\n"

static void assert_fails(const char *text, const char *with)
{
	struct scenario *sc = calloc(1, sizeof(*sc));

	assert_non_null(sc);
	assert_false(script_play(sc, text));
	if (strstr(sc->stage.watch.failure, with) == NULL) {
		fail_msg("not \"%s\" in: %s", with, sc->stage.watch.failure);
	}
	stage_close(&sc->stage);
	free(sc);
}

static void what_comes_too_early_is_told(void **state)
{
	assert_fails("feed a\n", "line 1: the show comes first");
	assert_fails("until 1000\n", "line 1: no feed");
	assert_fails("at 1000 kill a\n", "line 1: no feed");
	assert_fails(FEED SHOW, "line 3: a second show");
	assert_fails(FEED "at 2000 kill a\nat 1000 connect a\n", "line 4: times must not fall");
	assert_fails(FEED "feed a\n", "line 3: there is a feed of that name");
}

static void what_is_no_number_or_word_is_told(void **state)
{
	assert_fails("show delay=long\n", "line 1: long is no number");
	assert_fails("show return=perhaps\n", "line 1: perhaps?");
	assert_fails(SHOW "feed a lag=4O\n", "line 2: 4O is no number");
	assert_fails(SHOW "feed a gop=0\n", "line 2: no frame would be an IDR");
	assert_fails(SHOW "feed a video=vp9\n", "line 2: vp9?");
	assert_fails(SHOW "feed a colour=red\n", "line 2: red is no number");
	assert_fails(SHOW "feed a colour=1\n", "line 2: colour?");
	assert_fails(FEED "at 1000 stall a sound\n", "line 3: sound?");
	assert_fails(FEED "at 1000 hole a vidio 300\n", "line 3: vidio?");
	assert_fails(FEED "at 1000 kill b\n", "line 3: no feed b");
	assert_fails(FEED "at 1000 explode a\n", "line 3: explode?");
	assert_fails(FEED "until 1000\nexpect peace\n", "at 1.000 s: line 4: expect peace?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_too_early_is_told),
		cmocka_unit_test(what_is_no_number_or_word_is_told),
	};

	return cmocka_run_group_tests_name("script", tests, NULL, NULL);
}
