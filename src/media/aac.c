/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * AAC: AudioSpecificConfig. Pure.
 * Sources: ISO/IEC 14496-3 1.6.2.1 (AudioSpecificConfig), 4.4.1 (GASpecificConfig),
 * 4.5.1.2 (program_config_element), 1.6.5 (SBR and PS signalling).
 */
#include "bits.h"
#include "parse.h"

enum {
	AOT_LC = 2,
	AOT_SBR = 5,
	AOT_ER_BSAC = 22,
	AOT_ER_LD = 23,
	AOT_PS = 29,
	AOT_ESCAPE = 31,
	AOT_ER_ELD = 39,
};

#define SYNC_EXTENSION 0x2b7

static unsigned read_object_type(struct bits *b)
{
	unsigned type = bits_u(b, 5);

	return type == AOT_ESCAPE ? 32 + bits_u(b, 6) : type;
}

/* 0 for a reserved one. */
static uint32_t read_sample_rate(struct bits *b)
{
	static const uint32_t rates[] = { 96000, 88200, 64000, 48000, 44100, 32000, 24000,
					  22050, 16000, 12000, 11025, 8000,  7350 };
	unsigned index = bits_u(b, 4);

	if (index == 15) {
		return bits_u(b, 24);
	}
	return index < sizeof(rates) / sizeof(rates[0]) ? rates[index] : 0;
}

/* program_config_element: returns the number of channels it lists. */
static unsigned read_program_config(struct bits *b)
{
	unsigned elements, lfe, data, coupling;
	unsigned channels = 0;

	bits_skip(b, 4 + 2 + 4);
	elements = bits_u(b, 4);
	elements += bits_u(b, 4);
	elements += bits_u(b, 4);
	lfe = bits_u(b, 2);
	data = bits_u(b, 3);
	coupling = bits_u(b, 4);
	bits_skip(b, bits_flag(b) ? 4 : 0);
	bits_skip(b, bits_flag(b) ? 4 : 0);
	bits_skip(b, bits_flag(b) ? 3 : 0);
	for (unsigned i = 0; i < elements; i++) {
		channels += bits_flag(b) ? 2 : 1;
		bits_skip(b, 4);
	}
	bits_skip(b, (size_t)lfe * 4 + (size_t)data * 4 + (size_t)coupling * 5);
	bits_skip(b, b->left); /* byte alignment; the element began on a byte of the stream */
	bits_skip(b, (size_t)bits_u(b, 8) * 8);
	return channels + lfe;
}

static uint8_t channels_of(unsigned config)
{
	static const uint8_t channels[16] = { 0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 24, 8, 0 };

	return channels[config & 15];
}

/* Reads the part of the general audio codecs; returns samples in a frame at the core rate. */
static uint16_t read_general(struct bits *b, unsigned object_type, unsigned channel_config,
			     struct codec_params *p)
{
	bool is_short = bits_flag(b);
	bool has_extension;

	if (bits_flag(b)) { /* depends on a core coder */
		bits_skip(b, 14);
	}
	has_extension = bits_flag(b);
	if (channel_config == 0) {
		p->channels = (uint8_t)read_program_config(b);
	}
	if (object_type == 6 || object_type == 20) {
		bits_skip(b, 3);
	}
	if (has_extension) {
		if (object_type == AOT_ER_BSAC) {
			bits_skip(b, 5 + 11);
		} else if (object_type >= 17 && object_type <= AOT_ER_LD && object_type != 18) {
			bits_skip(b, 3);
		}
		bits_skip(b, 1);
	}
	if (object_type == AOT_ER_LD) {
		return is_short ? 480 : 512;
	}
	return is_short ? 960 : 1024;
}

static bool is_general(unsigned object_type)
{
	return (object_type >= 1 && object_type <= 4) || object_type == 6 || object_type == 7 ||
	       object_type == 17 || (object_type >= 19 && object_type <= AOT_ER_LD);
}

/* SBR announced behind a plain header, so that old decoders need not understand it. */
static void read_sync_extension(struct bits *b, struct codec_params *p)
{
	struct bits ahead = *b;
	uint32_t rate;

	if (!bits_has(&ahead, 16) || bits_u(&ahead, 11) != SYNC_EXTENSION ||
	    read_object_type(&ahead) != AOT_SBR || !bits_flag(&ahead)) {
		return;
	}
	rate = read_sample_rate(&ahead);
	if (ahead.failed || rate == 0) {
		return;
	}
	p->audio_object_type = AOT_SBR;
	if (rate == p->sample_rate * 2) {
		p->frame_samples = (uint16_t)(p->frame_samples * 2);
	}
	p->sample_rate = rate;
	if (bits_has(&ahead, 12) && bits_u(&ahead, 11) == 0x548 && bits_flag(&ahead)) {
		p->audio_object_type = AOT_PS;
		p->channels = p->channels == 1 ? 2 : p->channels;
	}
}

int aac_parse_config(const uint8_t *data, size_t size, struct codec_params *p)
{
	struct bits b = bits_over(data, size, false);
	unsigned signalled = read_object_type(&b);
	uint32_t core_rate = read_sample_rate(&b);
	unsigned channel_config = bits_u(&b, 4);
	unsigned core = signalled;

	p->audio_object_type = (uint8_t)signalled;
	p->sample_rate = core_rate;
	p->channels = channels_of(channel_config);
	if (signalled == AOT_SBR || signalled == AOT_PS) {
		p->sample_rate = read_sample_rate(&b);
		core = read_object_type(&b);
		bits_skip(&b, core == AOT_ER_BSAC ? 4 : 0);
		if (signalled == AOT_PS && p->channels == 1) {
			p->channels = 2;
		}
	}
	if (b.failed) {
		return CODEC_TRUNCATED;
	}
	if (signalled == 0 || core_rate == 0 || p->sample_rate == 0) {
		return CODEC_BAD;
	}
	if (core == AOT_ER_ELD) {
		p->frame_samples = bits_flag(&b) ? 480 : 512;
	} else if (is_general(core)) {
		p->frame_samples = read_general(&b, core, channel_config, p);
	}
	if (core != signalled && p->sample_rate == core_rate * 2) {
		p->frame_samples = (uint16_t)(p->frame_samples * 2);
	} else if (core == signalled && core == AOT_LC && !b.failed) {
		read_sync_extension(&b, p);
	}
	return b.failed ? CODEC_TRUNCATED : CODEC_OK;
}
