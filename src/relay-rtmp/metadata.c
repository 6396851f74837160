/* SPDX-License-Identifier: GPL-3.0-or-later */
/* onMetaData for platforms (metadata.h). Runs in relay-rtmp; no I/O, never blocks. */
#include <math.h>
#include <string.h>

#include <understudy/amf.h>

#include "metadata.h"

#define VIDEO_ID_AVC 7
#define AUDIO_ID_AAC 10
#define AUDIO_ID_MP3 2
#define ENTRIES_MAX 16 /* more than there are in the functions below */

/* One property; a text if `text` is set. */
struct entry {
	const char *name;
	const char *text;
	double number;
	bool is_boolean;
};

struct entries {
	struct entry items[ENTRIES_MAX];
	unsigned count;
};

/* What the encoder said, where it is believable; 0 = nothing. */
struct hints {
	double framerate, videodatarate, audiodatarate, width, height, audiosamplerate;
	double audiochannels;
};

static void add(struct entries *e, const char *name, double number)
{
	if (number > 0) {
		e->items[e->count++] = (struct entry){ .name = name, .number = number };
	}
}

static void hint(struct hints *h, const char *name, size_t size, double value)
{
	const struct {
		const char *name;
		double *to;
		double max;
	} known[] = {
		{ "framerate", &h->framerate, 1000 },
		{ "videodatarate", &h->videodatarate, 1e6 },
		{ "audiodatarate", &h->audiodatarate, 1e5 },
		{ "width", &h->width, 65535 },
		{ "height", &h->height, 65535 },
		{ "audiosamplerate", &h->audiosamplerate, 1e6 },
		{ "audiochannels", &h->audiochannels, 255 },
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strlen(known[i].name) == size && memcmp(known[i].name, name, size) == 0 &&
		    isfinite(value) && value > 0 && value <= known[i].max) {
			*known[i].to = value;
		}
	}
}

static void read_hints(const struct header_set *headers, struct hints *h)
{
	const struct header *meta = header_set_find(headers, PACKET_DATA, PACKET_META, 0);
	struct amf_reader r;
	struct amf_value v;
	const char *name;
	uint32_t size;

	if (!meta) {
		return;
	}
	r = amf_reader_over(meta->payload, meta->packet.size);
	if (!amf_read(&r, &v) || (v.type != AMF_OBJECT && v.type != AMF_ECMA_ARRAY)) {
		return;
	}
	while (amf_read_key(&r, &name, &size) && name) {
		if (!amf_read(&r, &v)) {
			return;
		}
		if (v.type == AMF_NUMBER) {
			hint(h, name, size, v.number);
		} else if (!amf_skip_rest(&r, &v)) {
			return;
		}
	}
}

/* Codec header of the main track, or NULL. */
static const struct header *config_of(const struct metadata_source *s, enum packet_kind kind)
{
	return header_set_find(s->headers, kind, PACKET_CONFIG, 0);
}

/* The packet that says what the main track of this kind is: kind 0 if there is no such track. */
static struct packet shape_of(const struct metadata_source *s, enum packet_kind kind)
{
	const struct header *config = config_of(s, kind);

	if (config) {
		return config->packet;
	}
	return kind == PACKET_VIDEO ? s->video : s->audio;
}

static void params_of(const struct metadata_source *s, enum packet_kind kind,
		      struct codec_params *ret)
{
	const struct header *config = config_of(s, kind);

	*ret = (struct codec_params){ 0 };
	if (config) {
		/* Fields stay 0, and are left out, where the header cannot be parsed. */
		(void)codec_parse_config(config->packet.codec, config->payload, config->packet.size,
					 ret);
	}
}

static double video_id(const struct packet *p)
{
	return p->codec == CODEC_AVC && !(p->flags & PACKET_EX) ? VIDEO_ID_AVC : p->codec;
}

static double audio_id(const struct packet *p)
{
	if (!(p->flags & PACKET_EX)) {
		if (p->codec == CODEC_AAC) {
			return AUDIO_ID_AAC;
		}
		if (p->codec == CODEC_MP3) {
			return AUDIO_ID_MP3;
		}
	}
	return p->codec;
}

static double first_of(double better, double other)
{
	return better > 0 ? better : other;
}

static void add_video(const struct metadata_source *s, const struct hints *h, struct entries *e)
{
	struct packet shape = shape_of(s, PACKET_VIDEO);
	struct codec_params params;

	if (shape.kind != PACKET_VIDEO) {
		return;
	}
	params_of(s, PACKET_VIDEO, &params);
	add(e, "width", first_of(params.width, h->width));
	add(e, "height", first_of(params.height, h->height));
	add(e, "framerate", first_of(h->framerate, params.fps_milli / 1000.0));
	add(e, "videodatarate", h->videodatarate);
	add(e, "videocodecid", video_id(&shape));
}

static void add_audio(const struct metadata_source *s, const struct hints *h, struct entries *e)
{
	struct packet shape = shape_of(s, PACKET_AUDIO);
	struct codec_params params;
	double channels;

	if (shape.kind != PACKET_AUDIO) {
		return;
	}
	params_of(s, PACKET_AUDIO, &params);
	channels = first_of(params.channels, h->audiochannels);
	add(e, "audiosamplerate", first_of(params.sample_rate, h->audiosamplerate));
	add(e, "audiosamplesize", 16);
	add(e, "audiochannels", channels);
	if (channels > 0) {
		e->items[e->count++] = (struct entry){ .name = "stereo",
						       .is_boolean = true,
						       .number = channels > 1 };
	}
	add(e, "audiodatarate", h->audiodatarate);
	add(e, "audiocodecid", audio_id(&shape));
}

static bool put_entry(struct buffer *b, const struct entry *e)
{
	if (!amf_put_key(b, e->name)) {
		return false;
	}
	if (e->text) {
		return amf_put_string(b, e->text);
	}
	return e->is_boolean ? amf_put_boolean(b, e->number > 0) : amf_put_number(b, e->number);
}

bool metadata_build(const struct metadata_source *source, struct buffer *to)
{
	struct entries e = { .count = 0 };
	struct hints h = { 0 };
	unsigned i;
	bool fits;

	read_hints(source->headers, &h);
	add_video(source, &h, &e);
	add_audio(source, &h, &e);
	e.items[e.count++] = (struct entry){ .name = "encoder", .text = source->encoder };
	fits = amf_put_string(to, "@setDataFrame") && amf_put_string(to, "onMetaData") &&
	       amf_put_ecma_array(to, e.count);
	for (i = 0; i < e.count && fits; i++) {
		fits = put_entry(to, &e.items[i]);
	}
	return fits && amf_put_end(to);
}

static bool is_plain(const struct packet *p)
{
	return !(p->flags & PACKET_EX) && p->track == 0;
}

bool metadata_needs_enhanced(const struct metadata_source *source)
{
	unsigned i;

	for (i = 0; i < source->headers->count; i++) {
		if (!is_plain(&source->headers->items[i].packet)) {
			return true;
		}
	}
	return !is_plain(&source->video) || !is_plain(&source->audio);
}

void metadata_needed_codec(const struct metadata_source *source, char ret[5])
{
	uint32_t codec = source->video.flags & PACKET_EX ? source->video.codec : CODEC_NONE;
	unsigned i;

	for (i = 0; i < 4; i++) {
		ret[i] = (char)(codec >> (24 - 8 * i) & 0xff);
	}
	ret[4] = '\0';
}
