/* SPDX-License-Identifier: GPL-3.0-or-later */
/* onMetaData of a recording (script.h). Runs in relay-flv; no I/O, never blocks. */
#include <understudy/amf.h>

#include "script.h"

#define ENCODER "understudy " UNDERSTUDY_VERSION

/* Codec ids of legacy messages (Adobe FLV 10.1, E.4.2.1 and E.4.3.1). */
#define VIDEO_ID_AVC 7
#define AUDIO_ID_AAC 10

static bool put(struct buffer *b, const char *name, double value)
{
	return amf_put_key(b, name) && amf_put_number(b, value);
}

/* Numbers that are not known are left out. */
static bool put_known(struct buffer *b, const char *name, double value)
{
	return value <= 0 || put(b, name, value);
}

/* The codec header of the main track and what it says; false if there is none. */
static bool find_config(const struct header_set *headers, enum packet_kind kind,
			const struct packet **ret_packet, struct codec_params *ret_params)
{
	const struct header *h = header_set_find(headers, kind, PACKET_CONFIG, 0);

	*ret_params = (struct codec_params){ 0 };
	if (h == NULL) {
		return false;
	}
	/* Fields stay 0 where the header cannot be parsed. */
	(void)codec_parse_config(h->packet.codec, h->payload, h->packet.size, ret_params);
	*ret_packet = &h->packet;
	return true;
}

static bool put_video(struct buffer *b, const struct header_set *headers)
{
	const struct packet *p;
	struct codec_params params;
	bool is_legacy;

	if (!find_config(headers, PACKET_VIDEO, &p, &params)) {
		return true;
	}
	is_legacy = p->codec == CODEC_AVC && !(p->flags & PACKET_EX);
	return put_known(b, "width", params.width) && put_known(b, "height", params.height) &&
	       put_known(b, "framerate", params.fps_milli / 1000.0) &&
	       put(b, "videocodecid", is_legacy ? VIDEO_ID_AVC : p->codec);
}

static bool put_audio(struct buffer *b, const struct header_set *headers)
{
	const struct packet *p;
	struct codec_params params;
	bool is_legacy;

	if (!find_config(headers, PACKET_AUDIO, &p, &params)) {
		return true;
	}
	is_legacy = p->codec == CODEC_AAC && !(p->flags & PACKET_EX);
	return put_known(b, "audiosamplerate", params.sample_rate) &&
	       put_known(b, "audiochannels", params.channels) && amf_put_key(b, "stereo") &&
	       amf_put_boolean(b, params.channels == 2) &&
	       put(b, "audiocodecid", is_legacy ? AUDIO_ID_AAC : p->codec);
}

bool script_write(const struct header_set *headers, struct buffer *to, size_t *ret_duration_at)
{
	size_t before = buffer_size(to);

	/* The count of an ECMA array is advisory; 0 is what it is when it is not known yet. */
	if (!amf_put_string(to, "onMetaData") || !amf_put_ecma_array(to, 0) ||
	    !put(to, "duration", 0)) {
		return false;
	}
	*ret_duration_at = buffer_size(to) - before - sizeof(double);
	return put_video(to, headers) && put_audio(to, headers) && amf_put_key(to, "encoder") &&
	       amf_put_string(to, ENCODER) && amf_put_end(to);
}
