/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who may come in by SRT: streamids and the table of feeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <openssl/sha.h>

#include "../../../src/ingest-srt/door.h"

static struct door door;
static struct ipc_srt_feeds piece;
static const struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { 0x0100007f } };

static void add(const char *key, const char *passphrase, const char *feed)
{
	struct ipc_srt_feed *to = &piece.feeds[piece.count++];
	uint8_t salted[sizeof(piece.salt) + 64];
	size_t size = strlen(key);

	memcpy(salted, piece.salt, sizeof(piece.salt));
	memcpy(salted + sizeof(piece.salt), key, size);
	SHA256(salted, sizeof(piece.salt) + size, to->key_hash);
	strcpy(to->passphrase, passphrase);
	strcpy(to->show, "main");
	strcpy(to->feed, feed);
	piece.total = piece.count;
}

static int set_up(void **state)
{
	(void)state;
	piece = (struct ipc_srt_feeds){ .salt = "a salt of 16 b." };
	assert_int_equal(door_init(&door), 0);
	add("primary-key", "", "primary");
	add("backup-key", "a passphrase", "backup");
	assert_true(door_learn(&door, &piece));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	door_finish(&door);
	return 0;
}

static enum door_answer ask(const char *streamid, int64_t now_us, struct ipc_srt_feed *ret)
{
	return door_ask(&door, streamid, "192.0.2.1:1", (const struct sockaddr *)&address, now_us,
			ret);
}

static void key_is_found_in_every_form_of_streamid(void **state)
{
	static const char *const forms[] = {
		"backup-key",
		"#!::r=backup-key,m=publish",
		"#!::u=me,m=publish,r=backup-key,s=1",
		"%23!::r=backup-key%2Cm=publish",
		"backup%2Dkey",
	};
	struct ipc_srt_feed feed;

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		assert_int_equal(ask(forms[i], 1, &feed), DOOR_OPEN);
		assert_string_equal(feed.feed, "backup");
		assert_string_equal(feed.passphrase, "a passphrase");
	}
}

static void other_keys_are_unknown_and_players_are_turned_away(void **state)
{
	struct ipc_srt_feed feed;
	char peer[IPC_NAME], longest[513];

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(ask("", 1, &feed), DOOR_UNKNOWN);
	assert_int_equal(ask("#!::", 1, &feed), DOOR_UNKNOWN);
	assert_int_equal(ask("primary-ke", 1, &feed), DOOR_UNKNOWN);
	assert_int_equal(ask(longest, 1, &feed), DOOR_UNKNOWN);
	assert_int_equal(ask("#!::m=request,r=primary-key", 1, &feed), DOOR_FORBIDDEN);
	assert_int_equal(door_refused(&door, DOOR_UNKNOWN, peer), 4);
	assert_string_equal(peer, "192.0.2.1:1");
	assert_int_equal(door_refused(&door, DOOR_UNKNOWN, peer), 0);
}

static void address_that_guesses_is_shut_out_for_a_minute(void **state)
{
	struct ipc_srt_feed feed;

	(void)state;
	for (int i = 0; i < 10; i++) {
		assert_int_equal(ask("guess", 1000000, &feed), DOOR_UNKNOWN);
	}
	assert_int_equal(ask("primary-key", 2000000, &feed), DOOR_FORBIDDEN);
	assert_int_equal(ask("primary-key", 62000000, &feed), DOOR_OPEN);
}

static void newest_encoder_wins_but_at_most_once_a_second(void **state)
{
	struct ipc_srt_feed feed;

	(void)state;
	assert_int_equal(ask("primary-key", 5000000, &feed), DOOR_OPEN);
	assert_true(door_enter(&door, "primary-key", "192.0.2.1:1", 5000000, &feed));
	assert_int_equal(ask("primary-key", 5900000, &feed), DOOR_CONFLICT);
	assert_int_equal(ask("backup-key", 5900000, &feed), DOOR_OPEN);
	assert_int_equal(ask("primary-key", 6100000, &feed), DOOR_OPEN);
}

static void caller_that_never_came_is_told_once(void **state)
{
	struct door_waiting waiting;
	struct ipc_srt_feed feed;

	(void)state;
	assert_int_equal(ask("backup-key", 1000000, &feed), DOOR_OPEN);
	assert_false(door_missing(&door, 2000000, 3000000, &waiting));
	assert_true(door_missing(&door, 5000000, 3000000, &waiting));
	assert_string_equal(waiting.feed, "backup");
	assert_false(door_missing(&door, 5000000, 3000000, &waiting));
	assert_int_equal(ask("primary-key", 6000000, &feed), DOOR_OPEN);
	assert_true(door_enter(&door, "primary-key", "192.0.2.1:1", 6000000, &feed));
	assert_false(door_missing(&door, 60000000, 3000000, &waiting));
}

static void table_in_pieces_is_in_force_when_it_is_whole(void **state)
{
	struct ipc_srt_feeds second;
	struct ipc_srt_feed feed;

	(void)state;
	piece.count = 0;
	add("new-key", "", "new");
	second = piece;
	piece.total = second.total = 2;
	second.first = 1;
	assert_false(door_learn(&door, &second)); /* without the first */
	assert_false(door_learn(&door, &piece));
	assert_int_equal(ask("primary-key", 1, &feed), DOOR_OPEN);
	assert_true(door_learn(&door, &second));
	assert_int_equal(ask("primary-key", 1, &feed), DOOR_UNKNOWN);
	assert_int_equal(ask("new-key", 1, &feed), DOOR_OPEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(key_is_found_in_every_form_of_streamid, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(other_keys_are_unknown_and_players_are_turned_away,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(address_that_guesses_is_shut_out_for_a_minute,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(newest_encoder_wins_but_at_most_once_a_second,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(caller_that_never_came_is_told_once, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(table_in_pieces_is_in_force_when_it_is_whole,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
