/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A destination's queue: wire form, partial writes, whole messages only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../../../src/relay-rtmp/queue.h"

#define BASE_90K 900017

static struct message *video(uint32_t size, int64_t ms, unsigned flags)
{
	const struct packet p = {
		.kind = PACKET_VIDEO,
		.type = PACKET_FRAME,
		.codec = CODEC_AVC,
		.head = flags & PACKET_KEY ? 0x17 : 0x27,
		.flags = (uint16_t)flags,
		.size = size,
		.dts_90k = BASE_90K + ms * 90,
		.pts_90k = BASE_90K + ms * 90 + 3000,
		.arrival_us = ms * 1000,
	};
	uint8_t *payload = malloc(size);
	struct message *m;
	uint32_t i;

	assert_non_null(payload);
	for (i = 0; i < size; i++) {
		payload[i] = (uint8_t)(i * 7 + (uint32_t)ms);
	}
	m = message_create(&p, payload);
	assert_non_null(m);
	free(payload);
	return m;
}

static void push(struct queue *q, struct message *m)
{
	assert_int_equal(queue_push(q, m, BASE_90K, 1), 0);
	message_unref(&m);
}

/* Sends everything, `step` bytes at a time, into `to`; the bytes sent. */
static size_t drain(struct queue *q, uint8_t *to, size_t step)
{
	static struct gather g;
	size_t total = 0;

	while (q->count) {
		size_t n = 0, i, part;

		g = (struct gather){ 0 };
		queue_gather(q, 0, q->count, &g);
		for (i = 0; i < (size_t)g.count && n < step; i++) {
			part = g.iov[i].iov_len < step - n ? g.iov[i].iov_len : step - n;
			memcpy(to + total + n, g.iov[i].iov_base, part);
			n += part;
		}
		queue_sent(q, n);
		total += n;
	}
	return total;
}

static void a_message_on_the_wire_is_head_payload_and_separators(void **state)
{
	static uint8_t wire[200000];
	struct queue q = { 0 };
	struct message *m = video(150000, 40, PACKET_KEY);
	const uint8_t expected[] = {
		6, 0, 0, 40, 0x02, 0x49, 0xf5, 9, 1, 0, 0, 0, 0x17, 1, 0, 0, 33
	};
	const size_t first = RTMP_CHUNK_OUT - 5;

	push(&q, message_ref(m));
	assert_int_equal(q.bytes, 12 + 5 + 150000 + 2);
	assert_int_equal(drain(&q, wire, sizeof(wire)), 12 + 5 + 150000 + 2);
	assert_memory_equal(wire, expected, sizeof(expected));
	assert_memory_equal(wire + 17, m->payload, first);
	assert_int_equal(wire[17 + first], 0xc6);
	assert_memory_equal(wire + 18 + first, m->payload + first, RTMP_CHUNK_OUT);
	assert_int_equal(wire[18 + first + RTMP_CHUNK_OUT], 0xc6);
	assert_int_equal(q.bytes, 0);
	assert_int_equal(m->refs, 1);
	message_unref(&m);
	queue_finish(&q);
}

static void times_beyond_24_bits_are_extended_in_every_chunk(void **state)
{
	static uint8_t wire[80000];
	struct queue q = { 0 };
	const uint8_t time[] = { 0x01, 0x00, 0x00, 0x00 };

	push(&q, video(70000, 0x1000000, 0));
	assert_int_equal(drain(&q, wire, sizeof(wire)), 16 + 5 + 70000 + 5);
	assert_memory_equal(wire + 1, "\xff\xff\xff", 3);
	assert_memory_equal(wire + 12, time, 4);
	assert_int_equal(wire[16 + RTMP_CHUNK_OUT], 0xc6);
	assert_memory_equal(wire + 17 + RTMP_CHUNK_OUT, time, 4);
	queue_finish(&q);
}

static void partial_writes_of_any_size_make_the_same_bytes(void **state)
{
	static const size_t steps[] = { 1, 2, 16, 17, 1000, 65535, 65536, 65537 };
	static uint8_t whole[300000], pieces[300000];
	size_t i, j, size = 0;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]) + 1; i++) {
		struct queue q = { 0 };
		size_t n;

		for (j = 0; j < 40; j++) {
			push(&q, video((uint32_t)(j == 7 ? 140000 : j * 10), (int64_t)j * 33, 0));
		}
		n = drain(&q, i ? pieces : whole, i ? steps[i - 1] : sizeof(whole));
		if (i) {
			assert_int_equal(n, size);
			assert_memory_equal(pieces, whole, size);
		}
		size = n;
		queue_finish(&q);
	}
}

static void what_does_not_fit_one_gather_stays_for_the_next(void **state)
{
	static uint8_t wire[2000000];
	static struct gather g;
	struct queue q = { 0 };
	unsigned i;

	for (i = 0; i < 1000; i++) {
		push(&q, video(1000, i, 0));
	}
	queue_gather(&q, 0, q.count, &g);
	assert_true(g.is_full);
	assert_int_equal(g.count, GATHER_IOV);
	assert_int_equal(drain(&q, wire, sizeof(wire)), 1000 * (12 + 5 + 1000));
	queue_finish(&q);
}

static void a_message_that_has_been_begun_is_never_dropped(void **state)
{
	struct queue q = { 0 };
	const bool keep[3] = { false, false, true };

	push(&q, video(100, 0, 0));
	push(&q, video(100, 33, 0));
	push(&q, video(100, 66, 0));
	queue_sent(&q, 5);
	assert_int_equal(queue_begun_bytes(&q), 112);
	assert_int_equal(queue_filter(&q, keep), 1);
	assert_int_equal(q.count, 2);
	assert_int_equal(q.bytes, 112 + 117);
	queue_cut(&q);
	assert_int_equal(q.count, 1);
	assert_int_equal(q.bytes, 112);
	queue_sent(&q, 112);
	assert_int_equal(queue_begun_bytes(&q), 0);
	queue_finish(&q);
}

static void one_message_is_shared_by_many_queues(void **state)
{
	struct message *m = video(5000, 0, PACKET_KEY);
	struct queue q[3] = { { 0 } };
	static uint8_t wire[6000];
	unsigned i;

	for (i = 0; i < 3; i++) {
		push(&q[i], message_ref(m));
	}
	assert_int_equal(m->refs, 4);
	drain(&q[0], wire, sizeof(wire));
	queue_cut(&q[1]);
	queue_finish(&q[2]);
	assert_int_equal(m->refs, 1);
	queue_finish(&q[0]);
	queue_finish(&q[1]);
	message_unref(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_on_the_wire_is_head_payload_and_separators),
		cmocka_unit_test(times_beyond_24_bits_are_extended_in_every_chunk),
		cmocka_unit_test(partial_writes_of_any_size_make_the_same_bytes),
		cmocka_unit_test(what_does_not_fit_one_gather_stays_for_the_next),
		cmocka_unit_test(a_message_that_has_been_begun_is_never_dropped),
		cmocka_unit_test(one_message_is_shared_by_many_queues),
	};

	return cmocka_run_group_tests_name("relay_queue", tests, NULL, NULL);
}
