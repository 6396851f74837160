/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The transport stream inspector. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <understudy/bytes.h>
#include <understudy/ts.h>

static struct ts_inspector t;

static int fresh(void **state)
{
	(void)state;
	t = (struct ts_inspector){ 0 };
	return 0;
}

static void make(uint8_t packet[TS_PACKET_BYTES], unsigned pid, unsigned counter, bool is_start)
{
	memset(packet, 0xff, TS_PACKET_BYTES);
	packet[0] = 0x47;
	put_be16(packet + 1, pid | (is_start ? 0x4000 : 0));
	packet[3] = (uint8_t)(0x10 | (counter & 15));
}

static void put(unsigned pid, unsigned counter, bool is_start, int64_t at_us)
{
	uint8_t packet[TS_PACKET_BYTES];

	make(packet, pid, counter, is_start);
	ts_inspect(&t, packet, sizeof(packet), at_us);
}

static void put_clock(int64_t clock_90k, int64_t at_us)
{
	uint8_t packet[TS_PACKET_BYTES];

	make(packet, 256, 0, false);
	packet[3] = 0x20; /* adaptation field only */
	packet[4] = 183;
	packet[5] = 0x10;
	put_be32(packet + 6, (uint32_t)(clock_90k >> 1));
	packet[10] = (uint8_t)((clock_90k & 1) << 7 | 0x7e);
	packet[11] = 0;
	ts_inspect(&t, packet, sizeof(packet), at_us);
}

static void counters_that_follow_are_no_error(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		put(256, i, false, 0);
		put(257, i + 5, false, 0);
		put(0x1fff, 3, false, 0);
	}
	put(256, 39, false, 0); /* one may be sent twice */
	put(256, 40, false, 0);
	assert_int_equal(t.report.continuity_errors, 0);
	assert_int_equal(t.report.packets, 122);
	assert_int_equal(t.report.null_packets, 40);
}

static void missing_packet_is_one_error(void **state)
{
	(void)state;
	put(256, 1, false, 0);
	put(256, 3, false, 0);
	put(256, 4, false, 0);
	assert_int_equal(t.report.continuity_errors, 1);
}

static void reported_gap_is_no_error(void **state)
{
	(void)state;
	put(256, 1, false, 0);
	ts_inspect_gap(&t);
	put(256, 9, false, 0);
	assert_int_equal(t.report.continuity_errors, 0);
}

static void packets_are_found_again_in_pieces_and_behind_noise(void **state)
{
	uint8_t bytes[3 * TS_PACKET_BYTES];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		make(bytes + (size_t)i * TS_PACKET_BYTES, 256, i, false);
	}
	for (size_t i = 0; i < sizeof(bytes); i += 47) {
		ts_inspect(&t, bytes + i, 47, 0);
	}
	assert_int_equal(t.report.packets, 3);
	ts_inspect(&t, (const uint8_t *)"noise", 5, 0);
	put(256, 3, false, 0);
	assert_int_equal(t.report.packets, 4);
	assert_int_equal(t.report.sync_losses, 1);
	assert_int_equal(t.report.continuity_errors, 0);
}

static void even_clock_has_no_jitter_and_an_uneven_one_has(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		put_clock(i * 3000, i * INT64_C(1000000) / 30);
	}
	assert_int_equal(t.report.clocks, 50);
	assert_true(t.report.clock_jitter_us <= 1);
	for (int i = 50; i < 100; i++) {
		put_clock(i * 3000, i * INT64_C(1000000) / 30 + (i % 2) * 10000);
	}
	assert_in_range(t.report.clock_jitter_us, 8000, 10500);
}

static void arrival_is_that_of_the_last_byte(void **state)
{
	(void)state;
	put(256, 0, true, 100);
	put(256, 1, false, 200);
	put(256, 2, true, 300);
	assert_int_equal(ts_arrival_us(&t, 256, true), 200);
	assert_int_equal(ts_arrival_us(&t, 256, false), 300);
	assert_true(ts_arrival_us(&t, 99, true) == INT64_MIN);
}

static void transport_stream_is_found_in_rtp_whatever_the_head_has(void **state)
{
	uint8_t plain[12 + 5] = { 0x80, 0x80 | 33 };
	uint8_t full[12 + 8 + 4 + 4 + 5 + 3] = { 0xb2, 33 };
	size_t at = 0;

	(void)state;
	assert_int_equal(ts_in_rtp(plain, sizeof(plain), &at), 5);
	assert_int_equal(at, 12);
	full[12 + 8 + 3] = 1; /* words of the extension */
	full[sizeof(full) - 1] = 3;
	assert_int_equal(ts_in_rtp(full, sizeof(full), &at), 5);
	assert_int_equal(at, 28);
}

static void datagram_that_is_no_such_rtp_holds_nothing(void **state)
{
	uint8_t other[20] = { 0x80, 96 }, cut[20] = { 0x90, 33 }, padded[20] = { 0xa0, 33 };
	uint8_t plain[12] = { 0x80, 33 }, old[20] = { 0x40, 33 };
	size_t at;

	(void)state;
	cut[14] = 0xff;
	padded[19] = 8;
	assert_int_equal(ts_in_rtp(other, sizeof(other), &at), 0);
	assert_int_equal(ts_in_rtp(cut, sizeof(cut), &at), 0);
	assert_int_equal(ts_in_rtp(cut, 13, &at), 0);
	assert_int_equal(ts_in_rtp(padded, sizeof(padded), &at), 0);
	assert_int_equal(ts_in_rtp(plain, sizeof(plain), &at), 0);
	assert_int_equal(ts_in_rtp(old, sizeof(old), &at), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(counters_that_follow_are_no_error, fresh),
		cmocka_unit_test_setup(missing_packet_is_one_error, fresh),
		cmocka_unit_test_setup(reported_gap_is_no_error, fresh),
		cmocka_unit_test_setup(packets_are_found_again_in_pieces_and_behind_noise, fresh),
		cmocka_unit_test_setup(even_clock_has_no_jitter_and_an_uneven_one_has, fresh),
		cmocka_unit_test_setup(arrival_is_that_of_the_last_byte, fresh),
		cmocka_unit_test(transport_stream_is_found_in_rtp_whatever_the_head_has),
		cmocka_unit_test(datagram_that_is_no_such_rtp_holds_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
