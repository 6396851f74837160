/* SPDX-License-Identifier: GPL-3.0-or-later */
/* AMF0, both ways. */
#include <math.h>

#include "commands.h"

static void everything_written_is_read_back(void **state)
{
	struct buffer b;
	struct amf_reader r;
	struct amf_value v;
	const char *name;
	uint32_t size;

	buffer_init(&b, 4096);
	assert_true(amf_put_number(&b, 2.5) && amf_put_boolean(&b, true) &&
		    amf_put_string(&b, "text") && amf_put_null(&b) && amf_put_object(&b) &&
		    amf_put_key(&b, "k") && amf_put_number(&b, -1) && amf_put_end(&b) &&
		    amf_put_ecma_array(&b, 7) && amf_put_end(&b) && amf_put_strict_array(&b, 1) &&
		    amf_put_string(&b, ""));
	r = amf_reader_over(buffer_bytes(&b), buffer_size(&b));
	assert_true(amf_read(&r, &v));
	assert_true(v.type == AMF_NUMBER && v.number == 2.5);
	assert_true(amf_read(&r, &v));
	assert_true(v.type == AMF_BOOLEAN && v.number == 1);
	assert_true(amf_read(&r, &v));
	assert_true(amf_is_string(&v, "text"));
	assert_false(amf_is_string(&v, "tex"));
	assert_true(amf_read(&r, &v));
	assert_int_equal(v.type, AMF_NULL);
	assert_true(amf_read(&r, &v));
	assert_int_equal(v.type, AMF_OBJECT);
	assert_true(amf_read_key(&r, &name, &size));
	assert_int_equal(size, 1);
	assert_memory_equal(name, "k", 1);
	assert_true(amf_skip(&r));
	assert_true(amf_read_key(&r, &name, &size));
	assert_null(name);
	assert_true(amf_skip(&r)); /* the ECMA array, whose count is a lie */
	assert_true(amf_read(&r, &v));
	assert_true(v.type == AMF_STRICT_ARRAY && v.size == 1);
	assert_true(amf_skip_rest(&r, &v));
	assert_int_equal(reader_left(&r.in), 0);
	buffer_finish(&b);
	(void)state;
}

static void strings_beyond_16_bits_become_long_strings(void **state)
{
	struct buffer b;
	struct amf_reader r;
	struct amf_value v;
	char *text = malloc(70001);

	assert_non_null(text);
	memset(text, 'x', 70000);
	text[70000] = '\0';
	buffer_init(&b, 100000);
	assert_true(amf_put_string(&b, text));
	assert_false(amf_put_key(&b, text));
	r = amf_reader_over(buffer_bytes(&b), buffer_size(&b));
	assert_true(amf_read(&r, &v));
	assert_int_equal(v.type, AMF_LONG_STRING);
	assert_true(amf_is_string(&v, text));
	free(text);
	buffer_finish(&b);
	(void)state;
}

static void full_buffer_stays_as_it_was(void **state)
{
	struct buffer b;

	buffer_init(&b, 8);
	assert_false(amf_put_number(&b, 1));
	assert_false(amf_put_string(&b, "123456"));
	assert_false(amf_put_key(&b, "1234567"));
	assert_int_equal(buffer_size(&b), 0);
	assert_true(amf_put_string(&b, "12345"));
	assert_false(amf_put_null(&b));
	assert_int_equal(buffer_size(&b), 8);
	buffer_finish(&b);
	(void)state;
}

static bool skips(const void *bytes, size_t n)
{
	/* a copy of the exact size, so that a sanitizer sees any read beyond it */
	uint8_t *copy = malloc(n ? n : 1);
	struct amf_reader r;
	bool ok;

	assert_non_null(copy);
	memcpy(copy, bytes, n);
	r = amf_reader_over(copy, n);
	ok = amf_skip(&r);
	assert_int_equal(r.in.failed, !ok);
	if (!ok) {
		assert_false(amf_skip(&r)); /* stays failed */
	}
	free(copy);
	return ok;
}

static void values_cut_short_fail(void **state)
{
	static const uint8_t value[] = {
		3,   0,  1, 'a', 0, 0, 0,   0, 0, 0,   0,  0, 0, 0, 1, 'b', 2, 0, 2, 'x', 'y', 0, 1,
		'c', 10, 0, 0,   0, 1, 5,   0, 1, 'd', 11, 0, 0, 0, 0, 0,   0, 0, 0, 0,   0,   0, 1,
		'e', 12, 0, 0,   0, 1, 'z', 0, 1, 'f', 8,  0, 0, 0, 0, 0,   0, 9, 0, 0,   9,
	};

	assert_true(skips(value, sizeof(value)));
	for (size_t n = 0; n < sizeof(value); n++) {
		assert_false(skips(value, n));
	}
	(void)state;
}

static void references_typed_objects_recordsets_and_amf3_are_refused(void **state)
{
	static const uint8_t markers[] = { 4, 7, 9, 13, 14, 15, 16, 17, 18, 255 };

	for (size_t i = 0; i < sizeof(markers); i++) {
		uint8_t bytes[16] = { markers[i] };

		assert_false(skips(bytes, sizeof(bytes)));
	}
	(void)state;
}

static bool skips_nested(unsigned depth)
{
	struct buffer b;
	bool ok;

	buffer_init(&b, 1u << 20);
	for (unsigned i = 0; i < depth; i++) {
		if (i % 2) {
			amf_put_strict_array(&b, 1);
		} else {
			amf_put_object(&b);
			amf_put_key(&b, "k");
		}
	}
	amf_put_null(&b);
	for (unsigned i = depth; i-- > 0;) {
		if (i % 2 == 0) {
			amf_put_end(&b);
		}
	}
	ok = skips(buffer_bytes(&b), buffer_size(&b));
	buffer_finish(&b);
	return ok;
}

static void nesting_is_bounded_at_eight(void **state)
{
	assert_true(skips_nested(8));
	assert_false(skips_nested(9));
	assert_false(skips_nested(40000));
	(void)state;
}

static void properties_are_bounded_at_256_a_message(void **state)
{
	for (unsigned n = 256; n <= 257; n++) {
		struct buffer b;

		buffer_init(&b, 1u << 20);
		amf_put_object(&b);
		for (unsigned i = 0; i < n; i++) {
			amf_put_key(&b, "k");
			amf_put_null(&b);
		}
		amf_put_end(&b);
		assert_int_equal(skips(buffer_bytes(&b), buffer_size(&b)), n == 256);
		buffer_finish(&b);
	}
	(void)state;
}

static void strict_array_may_not_count_more_than_there_are_bytes(void **state)
{
	static const uint8_t lie[] = { 10, 0xFF, 0xFF, 0xFF, 0xFF, 5, 5, 5 };
	static const uint8_t one_more[] = { 10, 0, 0, 0, 4, 5, 5, 5 };
	static const uint8_t right[] = { 10, 0, 0, 0, 3, 5, 5, 5 };

	assert_false(skips(lie, sizeof(lie)));
	assert_false(skips(one_more, sizeof(one_more)));
	assert_true(skips(right, sizeof(right)));
	(void)state;
}

static void empty_name_is_a_name_unless_the_end_follows(void **state)
{
	static const uint8_t object[] = { 3, 0, 0, 5, 0, 0, 9 };

	assert_true(skips(object, sizeof(object)));
	(void)state;
}

static void integers_are_taken_only_where_they_fit(void **state)
{
	const double bad[] = { NAN, INFINITY, -INFINITY, -1, 4294967296.0, 1e300 };
	struct amf_value v = { .type = AMF_NUMBER };
	uint32_t out = 77;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		v.number = bad[i];
		assert_false(amf_get_u32(&v, &out));
	}
	assert_int_equal(out, 77);
	v.number = 4294967295.0;
	assert_true(amf_get_u32(&v, &out));
	assert_int_equal(out, UINT32_MAX);
	v.number = 1.9;
	assert_true(amf_get_u32(&v, &out));
	assert_int_equal(out, 1);
	v.type = AMF_BOOLEAN;
	assert_false(amf_get_u32(&v, &out));
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_written_is_read_back),
		cmocka_unit_test(strings_beyond_16_bits_become_long_strings),
		cmocka_unit_test(full_buffer_stays_as_it_was),
		cmocka_unit_test(values_cut_short_fail),
		cmocka_unit_test(references_typed_objects_recordsets_and_amf3_are_refused),
		cmocka_unit_test(nesting_is_bounded_at_eight),
		cmocka_unit_test(properties_are_bounded_at_256_a_message),
		cmocka_unit_test(strict_array_may_not_count_more_than_there_are_bytes),
		cmocka_unit_test(empty_name_is_a_name_unless_the_end_follows),
		cmocka_unit_test(integers_are_taken_only_where_they_fit),
	};

	return cmocka_run_group_tests_name("rtmp amf", tests, NULL, NULL);
}
