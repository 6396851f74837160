/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * AMF0 values, read in place and written into a buffer. Runs in every worker that speaks
 * RTMP, on foreign bytes; blocks on nothing, allocates only through the caller's buffer.
 */
#include <math.h>
#include <string.h>

#include <understudy/amf.h>

#define DEPTH_MAX 8
#define PROPERTIES_MAX 256

static bool fail(struct amf_reader *r)
{
	r->in.failed = true;
	return false;
}

static double double_from_bits(uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static uint64_t bits_from_double(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

/* ---- reading ---- */

struct amf_reader amf_reader_over(const void *data, size_t size)
{
	return (struct amf_reader){ .in = reader_over(data, size) };
}

static void read_text(struct reader *in, uint32_t size, struct amf_value *v)
{
	v->string = (const char *)reader_take(in, size);
	v->size = size;
}

/* Every element takes at least its marker, so a count beyond the bytes left is a lie. */
static void read_strict_count(struct reader *in, struct amf_value *v)
{
	v->size = reader_be32(in);
	if (v->size > reader_left(in)) {
		in->failed = true;
	}
}

bool amf_read(struct amf_reader *r, struct amf_value *ret)
{
	struct reader *in = &r->in;
	struct amf_value v = { .type = reader_u8(in) };

	switch (v.type) {
	case AMF_NUMBER:
		v.number = double_from_bits(reader_be64(in));
		break;
	case AMF_BOOLEAN:
		v.number = reader_u8(in) != 0;
		break;
	case AMF_STRING:
		read_text(in, reader_be16(in), &v);
		break;
	case AMF_LONG_STRING:
		read_text(in, reader_be32(in), &v);
		break;
	case AMF_ECMA_ARRAY:
		reader_be32(in); /* advisory, and often wrong */
		break;
	case AMF_STRICT_ARRAY:
		read_strict_count(in, &v);
		break;
	case AMF_DATE:
		v.number = double_from_bits(reader_be64(in));
		reader_be16(in); /* time zone, reserved */
		break;
	case AMF_OBJECT:
	case AMF_NULL:
	case AMF_UNDEFINED:
		break;
	case AMF_OBJECT_END:
	default:
		return fail(r);
	}
	if (in->failed) {
		return false;
	}
	*ret = v;
	return true;
}

bool amf_read_key(struct amf_reader *r, const char **ret_name, uint32_t *ret_size)
{
	struct reader *in = &r->in;
	uint16_t size = reader_be16(in);
	const uint8_t *name = reader_take(in, size);

	if (in->failed) {
		return false;
	}
	if (size == 0 && reader_left(in) > 0 && in->at[0] == AMF_OBJECT_END) {
		in->at++;
		*ret_name = NULL;
		*ret_size = 0;
		return true;
	}
	if (++r->properties > PROPERTIES_MAX) {
		return fail(r);
	}
	*ret_name = (const char *)name;
	*ret_size = size;
	return true;
}

static bool skip_members(struct amf_reader *r, const struct amf_value *v, unsigned depth);

static bool skip_value(struct amf_reader *r, unsigned depth)
{
	struct amf_value v;

	return amf_read(r, &v) && skip_members(r, &v, depth);
}

static bool skip_properties(struct amf_reader *r, unsigned depth)
{
	const char *name;
	uint32_t size;

	for (;;) {
		if (!amf_read_key(r, &name, &size)) {
			return false;
		}
		if (!name) {
			return true;
		}
		if (!skip_value(r, depth)) {
			return false;
		}
	}
}

static bool skip_elements(struct amf_reader *r, uint32_t count, unsigned depth)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!skip_value(r, depth)) {
			return false;
		}
	}
	return true;
}

/* Recursion is as deep as the foreign nesting, which DEPTH_MAX bounds. */
static bool skip_members(struct amf_reader *r, const struct amf_value *v, unsigned depth)
{
	if (v->type != AMF_OBJECT && v->type != AMF_ECMA_ARRAY && v->type != AMF_STRICT_ARRAY) {
		return true;
	}
	if (depth >= DEPTH_MAX) {
		return fail(r);
	}
	if (v->type == AMF_STRICT_ARRAY) {
		return skip_elements(r, v->size, depth + 1);
	}
	return skip_properties(r, depth + 1);
}

bool amf_skip(struct amf_reader *r)
{
	return skip_value(r, 0);
}

bool amf_skip_rest(struct amf_reader *r, const struct amf_value *v)
{
	return !r->in.failed && skip_members(r, v, 0);
}

bool amf_is_string(const struct amf_value *v, const char *text)
{
	return (v->type == AMF_STRING || v->type == AMF_LONG_STRING) && v->size == strlen(text) &&
	       memcmp(v->string, text, v->size) == 0;
}

bool amf_get_u32(const struct amf_value *v, uint32_t *ret)
{
	if (v->type != AMF_NUMBER || !isfinite(v->number) || v->number < 0 ||
	    v->number > (double)UINT32_MAX) {
		return false;
	}
	*ret = (uint32_t)v->number;
	return true;
}

/* ---- writing: a value goes in whole or not at all ---- */

static bool put_marker(struct buffer *b, enum amf_type type)
{
	uint8_t marker = (uint8_t)type;

	return buffer_append(b, &marker, 1) == 0;
}

static bool put_marker_u32(struct buffer *b, enum amf_type type, uint32_t value)
{
	uint8_t bytes[5] = { (uint8_t)type };

	put_be32(bytes + 1, value);
	return buffer_append(b, bytes, sizeof(bytes)) == 0;
}

static bool put_text(struct buffer *b, const uint8_t *head, size_t head_bytes, const char *text,
		     size_t size)
{
	uint8_t *to = buffer_reserve(b, head_bytes + size);

	if (!to) {
		return false;
	}
	memcpy(to, head, head_bytes);
	memcpy(to + head_bytes, text, size);
	buffer_grew(b, head_bytes + size);
	return true;
}

bool amf_put_number(struct buffer *b, double value)
{
	uint8_t bytes[9] = { AMF_NUMBER };

	put_be64(bytes + 1, bits_from_double(value));
	return buffer_append(b, bytes, sizeof(bytes)) == 0;
}

bool amf_put_boolean(struct buffer *b, bool value)
{
	uint8_t bytes[2] = { AMF_BOOLEAN, value };

	return buffer_append(b, bytes, sizeof(bytes)) == 0;
}

bool amf_put_string(struct buffer *b, const char *text)
{
	size_t size = strlen(text);
	uint8_t head[5];

	if (size <= UINT16_MAX) {
		head[0] = AMF_STRING;
		put_be16(head + 1, (uint32_t)size);
		return put_text(b, head, 3, text, size);
	}
	if (size > UINT32_MAX) {
		return false;
	}
	head[0] = AMF_LONG_STRING;
	put_be32(head + 1, (uint32_t)size);
	return put_text(b, head, 5, text, size);
}

bool amf_put_null(struct buffer *b)
{
	return put_marker(b, AMF_NULL);
}

bool amf_put_object(struct buffer *b)
{
	return put_marker(b, AMF_OBJECT);
}

bool amf_put_ecma_array(struct buffer *b, uint32_t count)
{
	return put_marker_u32(b, AMF_ECMA_ARRAY, count);
}

bool amf_put_strict_array(struct buffer *b, uint32_t count)
{
	return put_marker_u32(b, AMF_STRICT_ARRAY, count);
}

bool amf_put_key(struct buffer *b, const char *name)
{
	size_t size = strlen(name);
	uint8_t head[2];

	if (size > UINT16_MAX) {
		return false;
	}
	put_be16(head, (uint32_t)size);
	return put_text(b, head, sizeof(head), name, size);
}

bool amf_put_end(struct buffer *b)
{
	static const uint8_t end[3] = { 0, 0, AMF_OBJECT_END };

	return buffer_append(b, end, sizeof(end)) == 0;
}
