/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * AMF0, reading and writing, without building trees. (Adobe AMF0 1.0.)
 * Reading: depth <= 8, properties <= 256 a message, no references, typed objects or
 * recordsets; AMF3 values (0x11) end the message with an error. NaN, infinite and
 * out-of-range numbers are refused by the integer getters.
 */
#ifndef UNDERSTUDY_AMF_H
#define UNDERSTUDY_AMF_H

#include <understudy/buffer.h>
#include <understudy/bytes.h>

enum amf_type {
	AMF_NUMBER = 0, AMF_BOOLEAN = 1, AMF_STRING = 2, AMF_OBJECT = 3, AMF_NULL = 5,
	AMF_UNDEFINED = 6, AMF_ECMA_ARRAY = 8, AMF_OBJECT_END = 9, AMF_STRICT_ARRAY = 10,
	AMF_DATE = 11, AMF_LONG_STRING = 12,
};

/* Scalars: value filled. OBJECT/ECMA_ARRAY/STRICT_ARRAY: only the marker (and count) is
 * consumed; members follow. */
struct amf_value {
	enum amf_type type;
	double number;          /* NUMBER, BOOLEAN (0/1), DATE */
	const char *string;     /* STRING, LONG_STRING: not terminated */
	uint32_t size;          /* of string; count of STRICT_ARRAY */
};

struct amf_reader {
	struct reader in;
	unsigned properties;    /* seen in this message */
};

struct amf_reader amf_reader_over(const void *data, size_t size);
/* All return false on malformed input or past a limit, and stay failed. */
bool amf_read(struct amf_reader *r, struct amf_value *ret);
/* Next property name of an object or ECMA array; *ret_name NULL at its end (end consumed). */
bool amf_read_key(struct amf_reader *r, const char **ret_name, uint32_t *ret_size);
/* Skips one whole value, nested ones included. */
bool amf_skip(struct amf_reader *r);
/* Skips the rest of a value whose marker amf_read() has just consumed. */
bool amf_skip_rest(struct amf_reader *r, const struct amf_value *v);
bool amf_is_string(const struct amf_value *v, const char *text);
/* A NUMBER as an integer, fraction dropped; false for anything that does not fit. */
bool amf_get_u32(const struct amf_value *v, uint32_t *ret);

/* Writing into a buffer; a full buffer makes them return false and stays as it was. */
bool amf_put_number(struct buffer *b, double value);
bool amf_put_boolean(struct buffer *b, bool value);
bool amf_put_string(struct buffer *b, const char *text);
bool amf_put_null(struct buffer *b);
bool amf_put_object(struct buffer *b);
bool amf_put_ecma_array(struct buffer *b, uint32_t count);
bool amf_put_strict_array(struct buffer *b, uint32_t count);
bool amf_put_key(struct buffer *b, const char *name);
bool amf_put_end(struct buffer *b);

#endif
