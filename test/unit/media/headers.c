/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The headers in force and the unwrapping of wire timestamps. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <understudy/codec.h>

static int put(struct header_set *set, enum packet_type type, unsigned track, uint32_t codec,
	       const char *text)
{
	struct packet p = {
		.kind = PACKET_VIDEO,
		.type = (uint8_t)type,
		.track = (uint8_t)track,
		.codec = codec,
		.size = (uint32_t)strlen(text),
		.flags = PACKET_REPEAT | PACKET_EX,
	};

	return header_set_put(set, &p, (const uint8_t *)text);
}

static void only_a_change_counts_as_new(void **state)
{
	struct header_set set = { 0 };
	const struct header *h;

	assert_int_equal(put(&set, PACKET_CONFIG, 0, CODEC_AVC, "one"), 1);
	assert_int_equal(put(&set, PACKET_CONFIG, 0, CODEC_AVC, "one"), 0);
	assert_int_equal(put(&set, PACKET_CONFIG, 1, CODEC_AVC, "one"), 1);
	assert_int_equal(put(&set, PACKET_COLOR, 0, CODEC_AVC, ""), 1);
	assert_int_equal(put(&set, PACKET_COLOR, 0, CODEC_AVC, ""), 0);
	assert_int_equal(put(&set, PACKET_CONFIG, 0, CODEC_AVC, "two"), 1);
	assert_int_equal(set.count, 3);
	h = header_set_find(&set, PACKET_VIDEO, PACKET_CONFIG, 0);
	assert_memory_equal(h->payload, "two", 3);
	assert_int_equal(h->packet.flags, PACKET_EX);
	assert_null(header_set_find(&set, PACKET_AUDIO, PACKET_CONFIG, 0));
	header_set_finish(&set);
	assert_int_equal(set.count, 0);
}

static void another_codec_voids_what_was_said_of_the_old_ones_colours(void **state)
{
	struct header_set set = { 0 };

	put(&set, PACKET_CONFIG, 0, CODEC_HEVC, "hvcC");
	put(&set, PACKET_COLOR, 0, CODEC_HEVC, "hdr");
	put(&set, PACKET_COLOR, 1, CODEC_HEVC, "hdr");
	assert_int_equal(put(&set, PACKET_CONFIG, 0, CODEC_AVC, "avcC"), 1);
	assert_int_equal(set.count, 2);
	assert_null(header_set_find(&set, PACKET_VIDEO, PACKET_COLOR, 0));
	assert_non_null(header_set_find(&set, PACKET_VIDEO, PACKET_COLOR, 1));
	header_set_finish(&set);
}

static void too_big_and_too_many_leave_the_set_alone(void **state)
{
	static uint8_t big[HEADER_BYTES_MAX + 1];
	struct packet p = {
		.kind = PACKET_VIDEO,
		.type = PACKET_CONFIG,
		.codec = CODEC_AVC,
		.size = sizeof(big),
	};
	struct header_set set = { 0 };

	assert_int_equal(header_set_put(&set, &p, big), -ENOBUFS);
	for (unsigned i = 0; i < HEADERS_MAX; i++) {
		assert_int_equal(put(&set, i < 16 ? PACKET_CONFIG : PACKET_COLOR, i & 15, CODEC_AVC,
				     "x"),
				 1);
	}
	assert_int_equal(put(&set, PACKET_META, 0, CODEC_NONE, "x"), -ENOBUFS);
	assert_int_equal(put(&set, PACKET_CONFIG, 15, CODEC_AVC, "y"), 1);
	assert_int_equal(set.count, HEADERS_MAX);
	header_set_finish(&set);
}

static void timestamps_go_on_after_a_wrap_of_32_bits(void **state)
{
	struct unwrap u = { 0 };

	assert_int_equal(unwrap_ms(&u, 0xfffffff0), INT64_C(0xfffffff0));
	assert_int_equal(unwrap_ms(&u, 0x10), INT64_C(0x100000010));
	assert_int_equal(unwrap_ms(&u, 0xfffffff8), INT64_C(0xfffffff8));
	assert_int_equal(unwrap_ms(&u, 0x20), INT64_C(0x100000020));
}

static void timestamps_go_on_after_a_wrap_of_31_bits(void **state)
{
	struct unwrap u = { 0 };

	assert_int_equal(unwrap_ms(&u, 0x7ffffff0), INT64_C(0x7ffffff0));
	assert_int_equal(unwrap_ms(&u, 0x10), INT64_C(0x80000010));
	assert_int_equal(unwrap_ms(&u, 0x7ffffff8), INT64_C(0x7ffffff8));
	assert_int_equal(unwrap_ms(&u, 0x20), INT64_C(0x80000020));
	assert_int_equal(unwrap_ms(&u, 0x7fffffff), INT64_C(0x7fffffff));
	assert_int_equal(unwrap_ms(&u, 0x80000005), INT64_C(0x80000005));
}

static void backward_steps_stay_backward_steps(void **state)
{
	struct unwrap u = { 0 };

	assert_int_equal(unwrap_ms(&u, 5000), 5000);
	assert_int_equal(unwrap_ms(&u, 4990), 4990);
	assert_int_equal(unwrap_ms(&u, 0x40000000), 0x40000000);
	assert_int_equal(unwrap_ms(&u, 0), 0);
	assert_int_equal(unwrap_ms(&u, 0x70000000), 0x70000000);
	assert_int_equal(unwrap_ms(&u, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_change_counts_as_new),
		cmocka_unit_test(another_codec_voids_what_was_said_of_the_old_ones_colours),
		cmocka_unit_test(too_big_and_too_many_leave_the_set_alone),
		cmocka_unit_test(timestamps_go_on_after_a_wrap_of_32_bits),
		cmocka_unit_test(timestamps_go_on_after_a_wrap_of_31_bits),
		cmocka_unit_test(backward_steps_stay_backward_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
