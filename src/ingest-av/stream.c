/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Elementary streams into the feed ring (stream.h). ingest-av; never blocks. */
#include <errno.h>
#include <string.h>

#include <understudy/log.h>

#include "stream.h"

#define UNIT_BYTES_MAX ((size_t)6 << 20)

int streams_init(struct streams *s, int ring_fd, int64_t span_us, int wake)
{
	*s = (struct streams){ 0 };
	buffer_init(&s->unit, UNIT_BYTES_MAX);
	return feed_writer_init(&s->feed, ring_fd, span_us, wake);
}

static void stream_finish(struct stream *st)
{
	if (st->kind == PACKET_VIDEO) {
		annexb_finish(&st->annexb);
	} else if (st->kind == PACKET_AUDIO) {
		audio_split_finish(&st->audio);
	}
	*st = (struct stream){ 0 };
}

void streams_finish(struct streams *s)
{
	for (unsigned i = 0; i < STREAMS_MAX; i++) {
		stream_finish(&s->items[i]);
	}
	feed_writer_finish(&s->feed);
	buffer_finish(&s->unit);
}

/* ---- which stream is which track ---- */

static enum packet_kind kind_of(enum input_format format)
{
	return format == INPUT_UNKNOWN                       ? PACKET_NONE
	       : format == INPUT_AVC || format == INPUT_HEVC ? PACKET_VIDEO
							     : PACKET_AUDIO;
}

static uint32_t codec_of(enum input_format format)
{
	static const uint32_t codecs[] = {
		[INPUT_AVC] = CODEC_AVC,   [INPUT_HEVC] = CODEC_HEVC,      [INPUT_ADTS] = CODEC_AAC,
		[INPUT_LATM] = CODEC_AAC,  [INPUT_MPEG_AUDIO] = CODEC_MP3, [INPUT_AC3] = CODEC_AC3,
		[INPUT_EAC3] = CODEC_EAC3, [INPUT_OPUS] = CODEC_OPUS,      [INPUT_AAC] = CODEC_AAC,
	};

	return codecs[format];
}

static enum audio_format audio_of(enum input_format format)
{
	static const enum audio_format formats[] = {
		[INPUT_ADTS] = AUDIO_ADTS,       [INPUT_LATM] = AUDIO_LATM,
		[INPUT_MPEG_AUDIO] = AUDIO_MPEG, [INPUT_AC3] = AUDIO_AC3,
		[INPUT_EAC3] = AUDIO_AC3,        [INPUT_OPUS] = AUDIO_OPUS,
		[INPUT_AAC] = AUDIO_ADTS, /* not used: it comes framed */
	};

	return formats[format];
}

/* The lowest number no current stream of the kind has. */
static unsigned free_track(const struct streams *s, enum packet_kind kind)
{
	unsigned track = 0;

	for (unsigned i = 0; i < STREAMS_MAX; i++) {
		const struct stream *st = &s->items[i];

		if (st->is_used && st->kind == kind && st->track == track) {
			track++;
			i = (unsigned)-1; /* from the start, with the next number */
		}
	}
	return track;
}

static void forget_gone(struct streams *s, const struct input *input)
{
	for (unsigned i = 0; i < STREAMS_MAX; i++) {
		if (s->items[i].is_used && input != NULL &&
		    !input_is_current(input, s->items[i].index)) {
			stream_finish(&s->items[i]);
		}
	}
}

static struct stream *stream_new(struct streams *s, const struct input_packet *p)
{
	enum packet_kind kind = kind_of(p->format);
	struct stream *st = NULL;

	for (unsigned i = 0; i < STREAMS_MAX && st == NULL; i++) {
		st = !s->items[i].is_used ? &s->items[i] : NULL;
	}
	if (st == NULL || free_track(s, kind) >= PACKET_TRACKS_MAX) {
		return NULL;
	}
	*st = (struct stream){ .index = p->stream,
			       .pid = p->pid,
			       .format = p->format,
			       .kind = kind,
			       .track = (uint8_t)free_track(s, kind),
			       .is_used = true };
	if (kind == PACKET_VIDEO) {
		annexb_init(&st->annexb, codec_of(p->format));
	} else {
		audio_split_init(&st->audio, audio_of(p->format));
	}
	s->has_codec[kind == PACKET_AUDIO] = true;
	log_info("stream found pid=%u codec=%s kind=%s track=%u", p->pid, p->codec,
		 kind == PACKET_VIDEO ? "video" : "audio", st->track);
	return st;
}

static void warn_once(struct streams *s, const struct input_packet *p)
{
	uint32_t bit = UINT32_C(1) << (p->stream & 31);

	if (!(s->warned & bit)) {
		s->warned |= bit;
		log_warn("stream not carried pid=%u codec=%s: the encoder has to send H.264 or "
			 "HEVC with AAC, MP3, AC-3 or Opus",
			 p->pid, p->codec);
	}
}

static struct stream *stream_of(struct streams *s, const struct input *input,
				const struct input_packet *p)
{
	for (unsigned i = 0; i < STREAMS_MAX; i++) {
		struct stream *st = &s->items[i];

		if (!st->is_used || st->index != p->stream) {
			continue;
		}
		if (st->format == p->format) {
			return st;
		}
		stream_finish(st); /* the program map says otherwise now */
	}
	if (p->format == INPUT_UNKNOWN) {
		warn_once(s, p);
		return NULL;
	}
	forget_gone(s, input);
	return stream_new(s, p);
}

/* ---- packets ---- */

static void write_packet(struct streams *s, const struct packet *p, const uint8_t *payload)
{
	if (s->sink != NULL) {
		s->sink(s->sink_owner, p, payload);
	} else {
		feed_writer_put(&s->feed, p, payload);
	}
}

static void write_frame(struct streams *s, struct packet *p, const uint8_t *data, size_t size)
{
	p->size = (uint32_t)size;
	write_packet(s, p, data);
}

static void write_header(struct streams *s, struct stream *st, const struct packet *at,
			 const uint8_t *config, size_t size)
{
	struct packet p = *at;

	p.type = PACKET_CONFIG;
	p.pts_90k = p.dts_90k;
	p.size = (uint32_t)size;
	write_packet(s, &p, config);
	st->has_header = true;
}

/* The header goes with every frame: it is written only if it has changed. */
static void put_framed(struct streams *s, struct stream *st, const struct input_packet *in,
		       struct packet *p)
{
	if (in->pts_90k == INPUT_NO_TIME || in->config_size == 0 ||
	    in->config_size > HEADER_BYTES_MAX) {
		s->feed.dropped++;
		return;
	}
	int64_t dts_90k = in->dts_90k != INPUT_NO_TIME && st->kind == PACKET_VIDEO ? in->dts_90k
										   : in->pts_90k;
	p->dts_90k = unwrap_33(&s->clock, (uint64_t)dts_90k);
	p->pts_90k = unwrap_33(&s->clock, (uint64_t)in->pts_90k);
	write_header(s, st, p, in->config, in->config_size);
	write_frame(s, p, in->data, in->size);
}

static void put_video(struct streams *s, struct stream *st, const struct input_packet *in,
		      struct packet *p)
{
	uint8_t config[HEADER_BYTES_MAX];
	int count, config_bytes;

	if (in->pts_90k == INPUT_NO_TIME) {
		s->damaged++; /* the rest of a picture too large to be one */
		return;
	}
	int64_t dts_90k = in->dts_90k != INPUT_NO_TIME ? in->dts_90k : in->pts_90k;
	p->dts_90k = unwrap_33(&s->clock, (uint64_t)dts_90k);
	p->pts_90k = unwrap_33(&s->clock, (uint64_t)in->pts_90k);
	buffer_clear(&s->unit);
	if (!st->has_header && in->config_size > 0) {
		annexb_convert(&st->annexb, in->config, in->config_size, &s->unit);
		buffer_clear(&s->unit); /* parameter sets are kept aside: nothing is in it */
	}
	count = annexb_convert(&st->annexb, in->data, in->size, &s->unit);
	config_bytes = annexb_config(&st->annexb, config, sizeof(config));
	if (config_bytes > 0) {
		write_header(s, st, p, config, (size_t)config_bytes);
	}
	if (count < 0) {
		s->feed.dropped++;
	} else if (count > 0 && st->has_header) {
		write_frame(s, p, buffer_bytes(&s->unit), buffer_size(&s->unit));
	}
}

static void put_audio(struct streams *s, struct stream *st, const struct input_packet *in,
		      struct packet *p)
{
	bool has_time = in->pts_90k != INPUT_NO_TIME;
	int64_t pts_90k = has_time ? unwrap_33(&s->clock, (uint64_t)in->pts_90k) : AUDIO_NO_TIME;
	struct audio_frame frame;

	if (audio_split_push(&st->audio, in->data, in->size, pts_90k) != 0) {
		s->feed.dropped++;
		return;
	}
	while (audio_split_next(&st->audio, &frame)) {
		p->type = PACKET_FRAME;
		p->dts_90k = p->pts_90k = frame.pts_90k;
		if (st->audio.is_config_new) {
			st->audio.is_config_new = false;
			write_header(s, st, p, st->audio.config, st->audio.config_size);
		} else if (in->format == INPUT_OPUS && !st->has_header && in->config_size > 0 &&
			   in->config_size <= HEADER_BYTES_MAX) {
			write_header(s, st, p, in->config, in->config_size);
		}
		write_frame(s, p, frame.data, frame.size);
	}
}

void streams_put(struct streams *s, const struct input *input, const struct input_packet *in,
		 int64_t arrival_us)
{
	struct stream *st = stream_of(s, input, in);

	if (st == NULL) {
		return;
	}
	struct packet p = { .arrival_us = arrival_us,
			    .codec = codec_of(st->format),
			    .kind = (uint8_t)st->kind,
			    .type = PACKET_FRAME,
			    .track = st->track };
	if (in->is_damaged) {
		s->damaged++;
		if (st->kind == PACKET_AUDIO) {
			audio_split_reset(&st->audio);
		}
		return;
	}
	if (in->is_framed) {
		put_framed(s, st, in, &p);
	} else if (st->kind == PACKET_VIDEO) {
		put_video(s, st, in, &p);
	} else {
		put_audio(s, st, in, &p);
	}
}

struct ipc_ts_status streams_transport(const struct streams *s, const struct ts_report *ts)
{
	return (struct ipc_ts_status){
		.packets = ts->packets,
		.nulls = ts->null_packets,
		.sync_losses = ts->sync_losses,
		.continuity_errors = ts->continuity_errors,
		.damaged = s->damaged,
		.clock_jitter_us = ts->clock_jitter_us,
	};
}
