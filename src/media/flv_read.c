/* SPDX-License-Identifier: GPL-3.0-or-later */
/* FLV file framing taken apart (flv.h); Adobe FLV 10.1 annex E.2 and E.4.1. Pure. */
#include <string.h>

#include <understudy/bytes.h>
#include <understudy/flv.h>

#define FILTERED 0x20 /* encrypted: of no use to anybody without the key */
#define OFFSET_AT 5   /* of the size of the header, in the header */
#define OFFSET_MAX 1024

int flv_read_file_header(const uint8_t *data, size_t size)
{
	uint32_t offset;

	if (size < FLV_FILE_HEADER_BYTES) {
		return 0;
	}
	offset = get_be32(data + OFFSET_AT);
	if (memcmp(data, "FLV", 3) != 0 || offset < FLV_FILE_HEADER_BYTES - 4 ||
	    offset > OFFSET_MAX) {
		return FLV_TRUNCATED;
	}
	return size < offset + 4 ? 0 : (int)offset + 4;
}

int flv_read_tag(const uint8_t *data, size_t size, struct flv_tag *ret)
{
	uint32_t body;
	uint8_t type;

	if (size < FLV_TAG_HEADER_BYTES) {
		return 0;
	}
	type = data[0] & 0x1f;
	body = get_be24(data + 1);
	if ((type != FLV_AUDIO && type != FLV_VIDEO && type != FLV_DATA) ||
	    get_be24(data + 8) != 0) {
		return FLV_TRUNCATED;
	}
	if (size - FLV_TAG_HEADER_BYTES < body + FLV_TAG_TRAILER_BYTES) {
		return 0;
	}
	*ret = (struct flv_tag){
		.message = (enum flv_message)type,
		.timestamp_ms = get_be24(data + 4) | (uint32_t)data[7] << 24,
		.body = data + FLV_TAG_HEADER_BYTES,
		.size = data[0] & FILTERED ? 0 : body,
	};
	return (int)(FLV_TAG_HEADER_BYTES + body + FLV_TAG_TRAILER_BYTES);
}
