/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <understudy/buffer.h>

static void zeroed_buffer_with_max_is_valid_and_empty(void **state)
{
	struct buffer b = { .max = 10 };

	assert_int_equal(buffer_size(&b), 0);
	assert_null(buffer_bytes(&b));
	assert_int_equal(buffer_append(&b, "abc", 3), 0);
	assert_int_equal(buffer_size(&b), 3);
	buffer_finish(&b);
	assert_int_equal(buffer_append(&b, "abc", 3), 0);
	buffer_finish(&b);
	buffer_finish(&b);
}

static void stores_nothing_without_max(void **state)
{
	struct buffer b = { 0 };

	assert_null(buffer_reserve(&b, 0));
	assert_int_equal(buffer_append(&b, "", 0), 0);
	assert_int_equal(buffer_append(&b, "a", 1), -ENOBUFS);
	buffer_finish(&b);
}

static void refuses_to_pass_max_and_stays_unchanged(void **state)
{
	struct buffer b;

	buffer_init(&b, 1000);
	assert_int_equal(buffer_append(&b, "0123456789", 10), 0);
	assert_null(buffer_reserve(&b, 991));
	assert_null(buffer_reserve(&b, SIZE_MAX));
	assert_int_equal(buffer_append(&b, &b, SIZE_MAX), -ENOBUFS);
	assert_non_null(buffer_reserve(&b, 990));
	assert_true(b.capacity <= 1000);
	assert_memory_equal(buffer_bytes(&b), "0123456789", 10);
	assert_int_equal(buffer_size(&b), 10);
	buffer_finish(&b);
}

static void reserve_of_nothing_is_not_a_failure(void **state)
{
	struct buffer b;

	buffer_init(&b, 4);
	assert_non_null(buffer_reserve(&b, 0));
	assert_int_equal(buffer_append(&b, "abcd", 4), 0);
	assert_non_null(buffer_reserve(&b, 0));
	buffer_finish(&b);
}

/* A long stream through a small buffer comes out as it went in, within the ceiling. */
static void bytes_come_out_in_order(void **state)
{
	struct buffer b;
	uint32_t random = 1;
	uint8_t in = 0, out = 0;

	buffer_init(&b, 3000);
	for (int i = 0; i < 20000; i++) {
		size_t size, j;
		uint8_t *to;

		random = random * 1664525 + 1013904223;
		size = random >> 21;
		to = buffer_reserve(&b, size);
		if (to != NULL) {
			for (j = 0; j < size; j++) {
				to[j] = in++;
			}
			buffer_grew(&b, size);
		}
		assert_true(b.capacity <= 3000);
		random = random * 1664525 + 1013904223;
		size = random >> 20;
		if (size > buffer_size(&b)) {
			size = buffer_size(&b);
		}
		for (j = 0; j < size; j++) {
			assert_int_equal(buffer_bytes(&b)[j], out++);
		}
		buffer_consume(&b, size);
	}
	buffer_clear(&b);
	assert_int_equal(buffer_size(&b), 0);
	buffer_finish(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zeroed_buffer_with_max_is_valid_and_empty),
		cmocka_unit_test(stores_nothing_without_max),
		cmocka_unit_test(refuses_to_pass_max_and_stays_unchanged),
		cmocka_unit_test(reserve_of_nothing_is_not_a_failure),
		cmocka_unit_test(bytes_come_out_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
