/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reads the samples in test/data/media: FLV files of the first messages that real encoders
 * sent, most of them cut to their first bytes.
 */
#ifndef UNDERSTUDY_TEST_MEDIA_SAMPLE_H
#define UNDERSTUDY_TEST_MEDIA_SAMPLE_H

#include <stdio.h>
#include <stdlib.h>

#include <understudy/bytes.h>
#include <understudy/flv.h>

struct sample {
	uint8_t bytes[65536];
	size_t size;
	size_t at;
};

struct sample_tag {
	enum flv_message message;
	uint32_t timestamp_ms;
	const uint8_t *body;
	size_t size;
};

static inline void sample_open(struct sample *s, const char *name)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.flv", MEDIA_DATA, name);
	file = fopen(path, "rb");
	if (file == NULL) {
		perror(path);
		abort();
	}
	s->size = fread(s->bytes, 1, sizeof(s->bytes), file);
	s->at = FLV_FILE_HEADER_BYTES;
	fclose(file);
}

static inline bool sample_next(struct sample *s, struct sample_tag *ret)
{
	const uint8_t *tag = s->bytes + s->at;

	if (s->at + FLV_TAG_HEADER_BYTES > s->size) {
		return false;
	}
	ret->message = (enum flv_message)tag[0];
	ret->size = get_be24(tag + 1);
	ret->timestamp_ms = get_be24(tag + 4) | (uint32_t)tag[7] << 24;
	ret->body = tag + FLV_TAG_HEADER_BYTES;
	s->at += FLV_TAG_HEADER_BYTES + ret->size + FLV_TAG_TRAILER_BYTES;
	return s->at <= s->size;
}

#endif
