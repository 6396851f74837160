/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Byte streams as a transport stream carries them: the first byte chooses video or audio and the
 * format, the second how large the pieces are. Nothing may be read past the end, and what comes
 * out is within its bounds.
 */
#include <stdlib.h>

#include <understudy/bytes.h>
#include <understudy/codec.h>
#include <understudy/elementary.h>
#include <understudy/ts.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_so)
{
	if (!is_so) {
		abort();
	}
}

static void video(uint32_t codec, const uint8_t *data, size_t size)
{
	uint8_t config[HEADER_BYTES_MAX];
	struct annexb a;
	struct buffer out;

	annexb_init(&a, codec);
	buffer_init(&out, 1 << 20);
	int count = annexb_convert(&a, data, size, &out);
	require(count >= 0);
	struct reader r = reader_over(buffer_bytes(&out), buffer_size(&out));
	for (int i = 0; i < count; i++) {
		require(reader_take(&r, reader_be32(&r)) != NULL);
	}
	require(reader_left(&r) == 0);
	int bytes = annexb_config(&a, config, sizeof(config));
	if (bytes > 0) {
		struct codec_params params;

		codec_parse_config(codec, config, (size_t)bytes, &params);
	}
	require(annexb_config(&a, config, sizeof(config)) == 0);
	buffer_finish(&out);
	annexb_finish(&a);
}

static void audio(enum audio_format format, size_t piece, const uint8_t *data, size_t size)
{
	struct audio_split s;
	struct audio_frame f;
	int64_t pts_90k = 0;

	audio_split_init(&s, format);
	while (size > 0) {
		size_t part = size < piece ? size : piece;

		audio_split_push(&s, data, part, pts_90k);
		while (audio_split_next(&s, &f)) {
			require(f.size > 0 && f.size <= 8192);
			require(media_fingerprint(CODEC_AAC, 0, f.data, f.size, 1) ==
				media_fingerprint(CODEC_AAC, 0, f.data, f.size, 1));
			require(s.config_size <= AUDIO_CONFIG_MAX);
		}
		pts_90k += 1920;
		data += part;
		size -= part;
	}
	audio_split_finish(&s);
}

static void transport(size_t piece, const uint8_t *data, size_t size)
{
	static struct ts_inspector t;

	t = (struct ts_inspector){ 0 };
	for (int64_t now_us = 0; size > 0; now_us += 1000) {
		size_t part = size < piece ? size : piece;

		ts_inspect(&t, data, part, now_us);
		data += part;
		size -= part;
	}
	require(t.pid_count <= TS_PIDS_MAX && t.partial_bytes < TS_PACKET_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece;

	if (size < 2) {
		return 0;
	}
	piece = (size_t)data[1] * 4 + 1;
	switch (data[0] & 7) {
	case 0:
		video(CODEC_AVC, data + 2, size - 2);
		break;
	case 1:
		video(CODEC_HEVC, data + 2, size - 2);
		break;
	case 2:
		transport(piece, data + 2, size - 2);
		break;
	default:
		audio((enum audio_format)((data[0] & 7) - 2), piece, data + 2, size - 2);
		break;
	}
	return 0;
}
