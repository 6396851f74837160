/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Opus, FLAC, MP3 and (E-)AC-3 headers. Pure.
 * Sources: RFC 7845 5.1; RFC 9639 8.2; ISO/IEC 11172-3 2.4.1.3 and 13818-3; ETSI TS 102 366
 * 4.3 and E.1.2. Of frames: RFC 6716 3.1 (Opus); RFC 9639 9.1 (FLAC).
 */
#include <string.h>

#include <understudy/bytes.h>

#include "bits.h"
#include "parse.h"

#define OPUS_RATE 48000
#define FLAC_STREAMINFO_BYTES 34
#define AC3_BLOCK_SAMPLES 256

int opus_parse_config(const uint8_t *data, size_t size, struct codec_params *p)
{
	/* Without a header the channels come from MultichannelConfig. */
	p->sample_rate = OPUS_RATE;
	if (size == 0) {
		return CODEC_OK;
	}
	if (size < 19) {
		return CODEC_TRUNCATED;
	}
	if (memcmp(data, "OpusHead", 8) != 0 || data[8] >> 4 != 0 || data[9] == 0) {
		return CODEC_BAD;
	}
	p->channels = data[9];
	return CODEC_OK;
}

int flac_parse_config(const uint8_t *data, size_t size, struct codec_params *p)
{
	struct reader in = reader_over(data, size);
	bool is_stream = size >= 4 && memcmp(data, "fLaC", 4) == 0;
	const uint8_t *info;
	uint64_t packed;

	if (is_stream) {
		reader_take(&in, 4);
	}
	if (is_stream || size > FLAC_STREAMINFO_BYTES) { /* with a block header */
		if (reader_be32(&in) << 1 != FLAC_STREAMINFO_BYTES << 1 && !in.failed) {
			return CODEC_BAD; /* the top bit only says that it is the last */
		}
	}
	info = reader_take(&in, FLAC_STREAMINFO_BYTES);
	if (info == NULL) {
		return CODEC_TRUNCATED;
	}
	packed = get_be64(info + 10);
	p->sample_rate = (uint32_t)(packed >> 44);
	p->channels = (uint8_t)((packed >> 41 & 7) + 1);
	p->bit_depth = 0;
	if (get_be16(info) == get_be16(info + 2)) {
		p->frame_samples = get_be16(info);
	}
	return p->sample_rate == 0 ? CODEC_BAD : CODEC_OK;
}

/* The table of contents says how many channels the first stream has: of more, only the header
 * knows. */
int opus_parse_frame(const uint8_t *data, size_t size, struct codec_params *p)
{
	if (size == 0) {
		return CODEC_TRUNCATED;
	}
	p->sample_rate = OPUS_RATE;
	p->channels = data[0] & 4 ? 2 : 1;
	return CODEC_OK;
}

int flac_parse_frame(const uint8_t *data, size_t size, struct codec_params *p)
{
	/* 0: as in STREAMINFO; above 11: written out further on. */
	static const uint32_t rates[12] = { 0,     88200, 176400, 192000, 8000,  16000,
					    22050, 24000, 32000,  44100,  48000, 96000 };
	struct bits b = bits_over(data, size, false);
	uint32_t sync = bits_u(&b, 15);
	unsigned rate, channels;

	bits_skip(&b, 1 + 4);
	rate = bits_u(&b, 4);
	channels = bits_u(&b, 4);
	if (b.failed) {
		return CODEC_TRUNCATED;
	}
	if (sync != 0x7ffc || channels > 10) {
		return CODEC_BAD;
	}
	p->sample_rate = rate < 12 ? rates[rate] : 0;
	p->channels = (uint8_t)(channels < 8 ? channels + 1 : 2);
	return CODEC_OK;
}

int mp3_parse_frame(const uint8_t *data, size_t size, struct codec_params *p)
{
	static const uint16_t rates[3] = { 44100, 48000, 32000 };
	struct bits b = bits_over(data, size, false);
	uint32_t sync = bits_u(&b, 11);
	unsigned version = bits_u(&b, 2); /* 3 MPEG-1, 2 MPEG-2, 0 MPEG-2.5 */
	unsigned layer = bits_u(&b, 2);   /* 3 layer I, 2 II, 1 III */
	unsigned bitrate, rate, mode;

	bits_skip(&b, 1);
	bitrate = bits_u(&b, 4);
	rate = bits_u(&b, 2);
	bits_skip(&b, 2);
	mode = bits_u(&b, 2);
	if (b.failed) {
		return CODEC_TRUNCATED;
	}
	if (sync != 0x7ff || version == 1 || layer == 0 || bitrate == 15 || rate == 3) {
		return CODEC_BAD;
	}
	p->sample_rate = (uint32_t)rates[rate] >> (version == 3 ? 0 : version == 2 ? 1 : 2);
	p->channels = mode == 3 ? 1 : 2;
	p->frame_samples = layer == 3 ? 384 : layer == 1 && version != 3 ? 576 : 1152;
	return CODEC_OK;
}

static uint8_t ac3_channels(unsigned mode, bool has_lfe)
{
	static const uint8_t channels[8] = { 2, 1, 2, 3, 3, 4, 4, 5 };

	return (uint8_t)(channels[mode & 7] + (has_lfe ? 1 : 0));
}

static int parse_eac3(struct bits *b, struct codec_params *p)
{
	static const uint16_t rates[3] = { 48000, 44100, 32000 };
	static const uint8_t blocks[4] = { 1, 2, 3, 6 };
	unsigned rate, count, mode;

	bits_skip(b, 2 + 3 + 11);
	rate = bits_u(b, 2);
	count = bits_u(b, 2);
	mode = bits_u(b, 3);
	p->channels = ac3_channels(mode, bits_flag(b));
	if (rate == 3) { /* half the rate, always six blocks */
		if (count == 3) {
			return CODEC_BAD;
		}
		p->sample_rate = rates[count] / 2u;
		count = 3;
	} else {
		p->sample_rate = rates[rate];
	}
	p->frame_samples = (uint16_t)(blocks[count] * AC3_BLOCK_SAMPLES);
	return b->failed ? CODEC_TRUNCATED : CODEC_OK;
}

static int parse_ac3(struct bits *b, struct codec_params *p)
{
	static const uint16_t rates[3] = { 48000, 44100, 32000 };
	unsigned rate, stream, mode;

	bits_skip(b, 16);
	rate = bits_u(b, 2);
	bits_skip(b, 6);
	stream = bits_u(b, 5);
	bits_skip(b, 3);
	mode = bits_u(b, 3);
	bits_skip(b, (mode & 1) && mode != 1 ? 2 : 0); /* centre mix level */
	bits_skip(b, mode & 4 ? 2 : 0);                /* surround mix level */
	bits_skip(b, mode == 2 ? 2 : 0);               /* Dolby Surround mode */
	p->channels = ac3_channels(mode, bits_flag(b));
	if (b->failed) {
		return CODEC_TRUNCATED;
	}
	if (rate == 3) {
		return CODEC_BAD;
	}
	p->sample_rate = (uint32_t)rates[rate] >> (stream > 8 ? stream - 8 : 0);
	p->frame_samples = 6 * AC3_BLOCK_SAMPLES;
	return CODEC_OK;
}

int ac3_parse_frame(const uint8_t *data, size_t size, struct codec_params *p)
{
	struct bits b = bits_over(data, size, false);
	unsigned stream;

	if (size < 6) {
		return CODEC_TRUNCATED;
	}
	if (bits_u(&b, 16) != 0x0b77) {
		return CODEC_BAD;
	}
	stream = data[5] >> 3; /* bsid, at the same place in both */
	if (stream > 16) {
		return CODEC_UNSUPPORTED;
	}
	return stream > 10 ? parse_eac3(&b, p) : parse_ac3(&b, p);
}
