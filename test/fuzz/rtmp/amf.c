/* SPDX-License-Identifier: GPL-3.0-or-later */
/* AMF0 on any bytes: the reader stays inside them, ends, and stays failed once it has. */
#include <stdlib.h>

#include <understudy/amf.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition) {
		abort();
	}
}

static void walk_properties(struct amf_reader *r)
{
	const char *name = "";
	uint32_t size;
	struct amf_value v;

	while (name && amf_read_key(r, &name, &size)) {
		if (name && (!amf_read(r, &v) || !amf_skip_rest(r, &v))) {
			check(r->in.failed);
			return;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct amf_reader r = amf_reader_over(data, size);
	struct amf_value v;
	uint32_t number;

	while (reader_left(&r.in) > 0 && amf_read(&r, &v)) {
		const uint8_t *before = r.in.at;

		amf_get_u32(&v, &number);
		if (v.string) {
			check((const uint8_t *)v.string >= data);
			check((const uint8_t *)v.string + v.size <= data + size);
			amf_is_string(&v, "onMetaData");
		}
		if (v.type == AMF_OBJECT || v.type == AMF_ECMA_ARRAY) {
			walk_properties(&r);
		} else {
			amf_skip_rest(&r, &v);
		}
		check(r.in.at >= before && r.in.at <= r.in.end);
	}
	if (r.in.failed) {
		check(!amf_read(&r, &v) && !amf_skip(&r));
	}
	return 0;
}
