/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The headers of a source by position: those in force are not always the newest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../../src/switch/headers.h"

static int put(struct header_history *h, uint64_t seq, enum packet_kind kind, const char *text)
{
	const struct packet p = {
		.kind = kind,
		.type = kind == PACKET_DATA ? PACKET_META : PACKET_CONFIG,
		.codec = kind == PACKET_VIDEO ? CODEC_AVC : CODEC_NONE,
		.size = (uint32_t)strlen(text),
		.source_seq = seq,
	};

	return header_history_put(h, &p, (const uint8_t *)text);
}

static void assert_in_force(struct header_history *h, uint64_t seq, enum packet_kind kind,
			    const char *text)
{
	const struct header_set *set = header_history_at(h, kind, seq);
	const struct header *header = header_set_find(
		set, kind, kind == PACKET_DATA ? PACKET_META : PACKET_CONFIG, 0);

	if (text == NULL) {
		assert_null(header);
		return;
	}
	assert_non_null(header);
	assert_int_equal(header->packet.size, strlen(text));
	assert_memory_equal(header->payload, text, strlen(text));
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct header_history));
	return *state == NULL;
}

static int teardown(void **state)
{
	header_history_finish(*state);
	free(*state);
	return 0;
}

static void a_header_is_in_force_from_its_place_on(void **state)
{
	struct header_history *h = *state;

	assert_int_equal(put(h, 3, PACKET_VIDEO, "old"), 1);
	assert_int_equal(put(h, 90, PACKET_VIDEO, "new"), 1);
	assert_in_force(h, 2, PACKET_VIDEO, NULL);
	assert_in_force(h, 3, PACKET_VIDEO, "old");
	assert_in_force(h, 89, PACKET_VIDEO, "old");
	assert_in_force(h, 90, PACKET_VIDEO, "new");
	assert_int_equal(h->count, 0);
}

static void each_kind_has_a_place_of_its_own(void **state)
{
	struct header_history *h = *state;

	put(h, 3, PACKET_VIDEO, "video");
	put(h, 4, PACKET_AUDIO, "audio");
	put(h, 50, PACKET_AUDIO, "audio 2");
	assert_in_force(h, 60, PACKET_VIDEO, "video");
	assert_in_force(h, 40, PACKET_AUDIO, "audio");
	assert_in_force(h, 60, PACKET_AUDIO, "audio 2");
}

static void a_repeated_header_is_no_change(void **state)
{
	struct header_history *h = *state;

	assert_int_equal(put(h, 3, PACKET_VIDEO, "same"), 1);
	assert_int_equal(put(h, 30, PACKET_VIDEO, "same"), 0);
	assert_in_force(h, 3, PACKET_VIDEO, "same");
}

static void a_flood_of_changes_pushes_out_the_oldest(void **state)
{
	struct header_history *h = *state;
	char text[32];

	for (unsigned i = 0; i < 3 * HEADER_CHANGES_MAX; i++) {
		text[0] = (char)('a' + i % 26);
		text[1] = '\0';
		assert_int_equal(put(h, i, PACKET_DATA, text), 1);
		assert_true(h->count <= HEADER_CHANGES_MAX);
	}
	text[0] = (char)('a' + (2 * HEADER_CHANGES_MAX - 1) % 26);
	assert_in_force(h, 0, PACKET_DATA, text);
}

static void a_flood_of_bytes_is_bounded(void **state)
{
	struct header_history *h = *state;
	static char text[HEADER_BYTES_MAX + 1];

	memset(text, 'x', HEADER_BYTES_MAX);
	for (unsigned i = 0; i < 100; i++) {
		text[0] = (char)('a' + i % 26);
		assert_int_equal(put(h, i, PACKET_DATA, text), 1);
		assert_true(h->bytes <= HEADER_CHANGES_BYTES_MAX);
	}
}

static void a_header_too_large_is_left_out(void **state)
{
	struct header_history *h = *state;
	static char text[HEADER_BYTES_MAX + 2];

	memset(text, 'x', HEADER_BYTES_MAX + 1);
	assert_int_equal(put(h, 1, PACKET_VIDEO, text), -ENOBUFS);
	assert_in_force(h, 1, PACKET_VIDEO, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_header_is_in_force_from_its_place_on),
		TEST(each_kind_has_a_place_of_its_own),
		TEST(a_repeated_header_is_no_change),
		TEST(a_flood_of_changes_pushes_out_the_oldest),
		TEST(a_flood_of_bytes_is_bounded),
		TEST(a_header_too_large_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
