/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One container of libavformat (mux.h). Blocks in the sink or, for URLs, in the network, there
 * bounded by the interrupt callback. Owns the context, its I/O buffer and one packet.
 *
 * Packets are written in the order of the show ring (dts never falls across tracks), so nothing is
 * held back for interleaving. Built with FFmpeg 5.1 to 7.1.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/mathematics.h>
#include <libavutil/opt.h>

#include <understudy/clock.h>
#include <understudy/text.h>

#include "formats.h"

#define BUFFER_BYTES (64 << 10)
#define TS_UNIT_BYTES 1316 /* seven packets: what UDP and SRT carry at once */
/* PCR this much (twice, as the muxer counts) before DTS: hardware decoders want a lead. */
#define TS_LEAD_US 100000
#define DEFAULT_STEP_90K 3000
#define SETTLE_US 1500

struct mux {
	enum mux_format format;
	AVFormatContext *context;
	AVPacket *packet;
	struct mux_sink sink;
	int64_t deadline_us;
	uint64_t bytes;
	int sink_error; /* what the sink said: the library only knows that it failed */
	bool is_begun;
	bool has_own_io;
};

/* ---- words ---- */

static void say_error(char why[MUX_TEXT], const char *what, int error)
{
	char text[96];

	switch (error) {
	case AVERROR_HTTP_UNAUTHORIZED:
		text_copy(text, sizeof(text), "the server refuses the user name or password");
		break;
	case AVERROR_HTTP_FORBIDDEN:
		text_copy(text, sizeof(text),
			  "the server refuses (is the mount in use, or the "
			  "content type not allowed?)");
		break;
	case AVERROR_HTTP_NOT_FOUND:
		text_copy(text, sizeof(text), "the server does not know that path");
		break;
	case AVERROR_EXIT:
		text_copy(text, sizeof(text), "no answer in time");
		break;
	default:
		if (av_strerror(error, text, sizeof(text)) < 0) {
			text_format(text, sizeof(text), "error %d", error);
		}
	}
	text_format(why, MUX_TEXT, "%s: %s", what, text);
}

/* Errors of the library are negative errnos or tags of its own, which become EIO. */
static int to_errno(int error)
{
	return error > -4096 ? error : error == AVERROR_EXIT ? -ETIMEDOUT : -EIO;
}

static int fail(struct mux *m, char why[MUX_TEXT], const char *what, int error)
{
	if (m->sink_error < 0) {
		error = m->sink_error;
	}
	say_error(why, what, error);
	return to_errno(error);
}

/* ---- the library's ways out ---- */

static int on_interrupt(void *opaque)
{
	const struct mux *m = opaque;

	return clock_monotonic_us() > m->deadline_us;
}

static void be_patient(struct mux *m)
{
	m->deadline_us = clock_monotonic_us() + MUX_PATIENCE_US;
}

#if LIBAVFORMAT_VERSION_MAJOR >= 61
static int on_write(void *opaque, const uint8_t *bytes, int size)
#else
static int on_write(void *opaque, uint8_t *bytes, int size)
#endif
{
	struct mux *m = opaque;
	int error = m->sink_error; /* after a failure nothing follows */

	if (error == 0) {
		error = m->sink.write(m->sink.context, bytes, (size_t)size);
	}
	if (error < 0) {
		m->sink_error = error;
		return error;
	}
	m->bytes += (uint64_t)size;
	return size;
}

static int64_t on_seek(void *opaque, int64_t offset, int whence)
{
	struct mux *m = opaque;

	if (whence & AVSEEK_SIZE) {
		return AVERROR(ENOSYS);
	}
	return m->sink.seek(m->sink.context, offset, whence & ~AVSEEK_FORCE);
}

static int open_sink(struct mux *m, const struct mux_sink *sink)
{
	size_t size = sink->unit_bytes > 0 ? sink->unit_bytes : BUFFER_BYTES;
	uint8_t *buffer = av_malloc(size);

	m->sink = *sink;
	m->context->pb = buffer == NULL
				 ? NULL
				 : avio_alloc_context(buffer, (int)size, 1, m, NULL, on_write,
						      sink->seek != NULL ? on_seek : NULL);
	if (m->context->pb == NULL) {
		av_free(buffer);
		return -ENOMEM;
	}
	m->context->pb->max_packet_size = (int)sink->unit_bytes;
	m->context->pb->min_packet_size = (int)sink->unit_bytes;
	m->context->flags |= AVFMT_FLAG_CUSTOM_IO;
	m->has_own_io = true;
	return 0;
}

static int open_address(struct mux *m, const struct mux_address *a, char why[MUX_TEXT])
{
	AVDictionary *options = NULL;
	int error;

	m->context->interrupt_callback = (AVIOInterruptCB){ on_interrupt, m };
	be_patient(m);
	if (m->context->oformat->flags & AVFMT_NOFILE) {
		return 0; /* the muxer dials when it writes its header */
	}
	if (a->headers != NULL) {
		av_dict_set(&options, "method", "PUT", 0);
		av_dict_set(&options, "headers", a->headers, 0);
		av_dict_set(&options, "content_type", a->content_type, 0);
		av_dict_set(&options, "auth_type", "basic", 0);
		av_dict_set(&options, "chunked_post", "0", 0);
		av_dict_set(&options, "send_expect_100", "1", 0);
		av_dict_set(&options, "user_agent", "understudy/" UNDERSTUDY_VERSION, 0);
	}
	error = avio_open2(&m->context->pb, a->url, AVIO_FLAG_WRITE,
			   &m->context->interrupt_callback, &options);
	av_dict_free(&options);
	return error < 0 ? fail(m, why, "cannot connect", error) : 0;
}

/* ---- streams ---- */

static enum AVCodecID codec_id(uint32_t codec)
{
	static const struct {
		uint32_t codec;
		enum AVCodecID id;
	} ids[] = {
		{ CODEC_AVC, AV_CODEC_ID_H264 },  { CODEC_HEVC, AV_CODEC_ID_HEVC },
		{ CODEC_AV1, AV_CODEC_ID_AV1 },   { CODEC_VP8, AV_CODEC_ID_VP8 },
		{ CODEC_VP9, AV_CODEC_ID_VP9 },   { CODEC_AAC, AV_CODEC_ID_AAC },
		{ CODEC_MP3, AV_CODEC_ID_MP3 },   { CODEC_OPUS, AV_CODEC_ID_OPUS },
		{ CODEC_FLAC, AV_CODEC_ID_FLAC }, { CODEC_AC3, AV_CODEC_ID_AC3 },
		{ CODEC_EAC3, AV_CODEC_ID_EAC3 },
	};

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		if (ids[i].codec == codec) {
			return ids[i].id;
		}
	}
	return AV_CODEC_ID_NONE;
}

/* Where libavcodec wants other bytes than the encoder's codec header: FLAC's STREAMINFO is bare,
 * and VP9's is no extradata at all. */
static void native_config(const struct track *t, const uint8_t **ret, size_t *ret_bytes)
{
	size_t bare = 34;

	*ret = t->config;
	*ret_bytes = t->config_bytes;
	if (t->codec == CODEC_FLAC && t->config_bytes > bare) {
		size_t skip = memcmp(t->config, "fLaC", 4) == 0 ? 8 : 4;

		*ret = t->config + skip;
		*ret_bytes = t->config_bytes - skip < bare ? t->config_bytes - skip : bare;
	} else if (t->codec == CODEC_VP9) {
		*ret_bytes = 0;
	}
}

static void describe_video(AVCodecParameters *par, const struct codec_params *params)
{
	static const enum AVPixelFormat eight[] = { AV_PIX_FMT_GRAY8, AV_PIX_FMT_YUV420P,
						    AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUV444P };
	static const enum AVPixelFormat ten[] = { AV_PIX_FMT_GRAY10, AV_PIX_FMT_YUV420P10,
						  AV_PIX_FMT_YUV422P10, AV_PIX_FMT_YUV444P10 };
	unsigned chroma = params->chroma > 0 && params->chroma <= 4 ? params->chroma - 1u : 1u;

	par->codec_type = AVMEDIA_TYPE_VIDEO;
	par->width = params->width;
	par->height = params->height;
	par->format = params->bit_depth > 8 ? ten[chroma] : eight[chroma];
	par->profile = params->profile;
	par->level = params->level;
}

static void describe_audio(AVCodecParameters *par, const struct codec_params *params)
{
	par->codec_type = AVMEDIA_TYPE_AUDIO;
	par->sample_rate = (int)params->sample_rate;
	par->frame_size = params->frame_samples;
	av_channel_layout_default(&par->ch_layout, params->channels > 0 ? params->channels : 2);
}

static int add_stream(struct mux *m, struct track *t)
{
	AVStream *stream = avformat_new_stream(m->context, NULL);
	const uint8_t *config;
	size_t bytes;

	if (stream == NULL) {
		return -ENOMEM;
	}
	stream->time_base = (AVRational){ 1, MEDIA_HZ };
	stream->codecpar->codec_id = codec_id(t->codec);
	if (t->kind == PACKET_VIDEO) {
		describe_video(stream->codecpar, &t->params);
		t->step_90k = t->params.fps_milli > 0
				      ? (int64_t)MEDIA_HZ * 1000 / t->params.fps_milli
				      : DEFAULT_STEP_90K;
	} else {
		describe_audio(stream->codecpar, &t->params);
		t->step_90k = t->params.sample_rate > 0
				      ? (int64_t)t->params.frame_samples * MEDIA_HZ /
						(int64_t)t->params.sample_rate
				      : 0;
	}
	native_config(t, &config, &bytes);
	if (bytes > 0) {
		stream->codecpar->extradata = av_mallocz(bytes + AV_INPUT_BUFFER_PADDING_SIZE);
		if (stream->codecpar->extradata == NULL) {
			return -ENOMEM;
		}
		memcpy(stream->codecpar->extradata, config, bytes);
		stream->codecpar->extradata_size = (int)bytes;
	}
	t->last_dts_90k = INT64_MIN;
	t->is_settled = false;
	return 0;
}

/* ---- beginning ---- */

static void format_options(const struct mux *m, bool has_video, AVDictionary **options)
{
	switch (m->format) {
	case MUX_MATROSKA:
		av_dict_set(options, "cluster_time_limit", "1000", 0);
		break;
	case MUX_MP4:
		av_dict_set(options, "movflags",
			    has_video ? "frag_keyframe+delay_moov+default_base_moof"
				      : "delay_moov+default_base_moof",
			    0);
		if (!has_video) {
			av_dict_set(options, "frag_duration", "2000000", 0);
		}
		break;
	case MUX_TS:
		av_dict_set(options, "mpegts_flags", "resend_headers+pat_pmt_at_frames", 0);
		av_dict_set(options, "pes_payload_size", "0", 0); /* sound is not held back */
		break;
	case MUX_RTP_TS:
		av_dict_set(options, "mpegts_muxer_options",
			    "mpegts_flags=resend_headers+pat_pmt_at_frames:pes_payload_size=0", 0);
		break;
	case MUX_MP3:
		av_dict_set(options, "write_xing", "0", 0);
		av_dict_set(options, "id3v2_version", "0", 0);
		break;
	case MUX_OGG:
		av_dict_set(options, "page_duration", "200000", 0);
		break;
	case MUX_RTSP:
		av_dict_set(options, "rtsp_transport", "tcp", 0);
		break;
	default:
		break;
	}
}

static int write_header(struct mux *m, const struct tracks *t, char why[MUX_TEXT])
{
	AVDictionary *options = NULL;
	int error;

	format_options(m, tracks_have(t, PACKET_VIDEO), &options);
	m->context->max_delay = m->format == MUX_TS || m->format == MUX_RTP_TS ? TS_LEAD_US : 0;
	m->context->flags |= AVFMT_FLAG_FLUSH_PACKETS;
	m->context->max_interleave_delta = 0;
	m->context->avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED;
	be_patient(m);
	error = avformat_write_header(m->context, &options);
	av_dict_free(&options);
	if (error < 0) {
		return fail(m, why, m->has_own_io ? "cannot begin" : "cannot connect", error);
	}
	m->is_begun = true;
	return 0;
}

static int build(struct mux *m, struct tracks *t, const struct mux_sink *sink,
		 const struct mux_address *address, char why[MUX_TEXT])
{
	int error = avformat_alloc_output_context2(&m->context, NULL, format_of(m->format)->muxer,
						   address != NULL ? address->url : NULL);

	m->packet = av_packet_alloc();
	if (error < 0 || m->packet == NULL) {
		return fail(m, why, "cannot begin", error < 0 ? error : -ENOMEM);
	}
	/* FLAC in MP4, which 5.1 still calls an experiment. */
	m->context->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL;
	for (int stream = 0; error == 0; stream++) {
		struct track *track = NULL;

		for (unsigned i = 0; i < t->count; i++) {
			if (t->items[i].stream == stream) {
				track = &t->items[i];
			}
		}
		if (track == NULL) {
			break;
		}
		error = add_stream(m, track);
	}
	if (error < 0) {
		return fail(m, why, "cannot begin", error);
	}
	error = sink != NULL ? open_sink(m, sink) : open_address(m, address, why);
	return error < 0 ? error : write_header(m, t, why);
}

int mux_create(enum mux_format format, struct tracks *t, const struct mux_sink *sink,
	       const struct mux_address *address, struct mux **ret, char why[MUX_TEXT])
{
	struct mux *m = calloc(1, sizeof(*m));
	int error;

	if (m == NULL) {
		text_copy(why, MUX_TEXT, "no memory");
		return -ENOMEM;
	}
	m->format = format;
	error = build(m, t, sink, address, why);
	if (error < 0) {
		mux_destroy(&m, false);
		return error;
	}
	*ret = m;
	return 0;
}

/* ---- packets ---- */

/* Fills m->packet: parameter sets that go in-band, then the frame. */
static int fill(struct mux *m, const struct track *t, const struct packet *p,
		const uint8_t *payload)
{
	bool is_key = (p->flags & (PACKET_KEY | PACKET_RECOVERY)) != 0;
	size_t sets = is_key && p->kind == PACKET_VIDEO ? t->sets_bytes : 0;
	int error = av_new_packet(m->packet, (int)(sets + p->size));

	if (error < 0) {
		return error;
	}
	if (sets > 0) {
		memcpy(m->packet->data, t->sets, sets);
	}
	memcpy(m->packet->data + sets, payload, p->size);
	if (is_key || p->kind == PACKET_AUDIO) {
		m->packet->flags |= AV_PKT_FLAG_KEY;
	}
	m->packet->stream_index = t->stream;
	return 0;
}

/* MP4 counts sound in samples: RTMP's milliseconds would make every frame a little too long or too
 * short, and the muxer complain at each fragment. As long as the frames' times are those of
 * their samples, to within that rounding, the samples are what counts. */
static void settle_sound(struct mux *m, struct track *t)
{
	AVRational samples = { 1, (int)t->params.sample_rate };
	int64_t at = av_rescale_q(m->packet->dts, (AVRational){ 1, MEDIA_HZ }, samples);

	if (!t->is_settled ||
	    llabs(at - t->next_samples) > av_rescale(SETTLE_US, samples.den, 1000000)) {
		t->next_samples = at;
		t->is_settled = true;
	}
	m->packet->dts = m->packet->pts = t->next_samples;
	m->packet->duration = t->params.frame_samples;
	t->next_samples += t->params.frame_samples;
	av_packet_rescale_ts(m->packet, samples, m->context->streams[t->stream]->time_base);
}

static void set_times(struct mux *m, struct track *t, const struct packet *p, int64_t base_90k)
{
	AVStream *stream = m->context->streams[t->stream];
	int64_t dts = p->dts_90k - base_90k;
	int64_t pts = p->pts_90k - base_90k;

	if (t->last_dts_90k != INT64_MIN) {
		int64_t step = dts - t->last_dts_90k;

		if (step <= 0) {
			dts = t->last_dts_90k + 1;
		} else if (p->kind == PACKET_VIDEO && step < MEDIA_HZ) {
			t->step_90k = step;
		}
	}
	t->last_dts_90k = dts;
	m->packet->dts = dts;
	m->packet->pts = pts > dts ? pts : dts;
	m->packet->duration = t->step_90k;
	if (m->format == MUX_MP4 && p->kind == PACKET_AUDIO && t->params.frame_samples > 0) {
		settle_sound(m, t);
	} else {
		av_packet_rescale_ts(m->packet, (AVRational){ 1, MEDIA_HZ }, stream->time_base);
	}
}

int mux_write(struct mux *m, struct tracks *t, const struct packet *p, const uint8_t *payload,
	      int64_t base_90k, char why[MUX_TEXT])
{
	struct track *track = tracks_find(t, p);
	int error;

	if (track == NULL || track->stream < 0 || p->type != PACKET_FRAME || p->size == 0) {
		return 0;
	}
	error = fill(m, track, p, payload);
	if (error < 0) {
		return fail(m, why, "cannot write", error);
	}
	set_times(m, track, p, base_90k);
	be_patient(m);
	if (!m->has_own_io) {
		m->bytes += p->size;
	}
	error = av_write_frame(m->context, m->packet);
	av_packet_unref(m->packet);
	if (error == AVERROR_INVALIDDATA) {
		return 0; /* a damaged frame (said by the library) ends no show */
	}
	return error < 0 || m->sink_error < 0 ? fail(m, why, "cannot write", error) : 0;
}

int mux_flush(struct mux *m, char why[MUX_TEXT])
{
	int error;

	be_patient(m);
	error = av_write_frame(m->context, NULL);
	if (m->context->pb != NULL) {
		avio_flush(m->context->pb);
		error = error < 0 ? error : m->context->pb->error;
	}
	return error < 0 || m->sink_error < 0 ? fail(m, why, "cannot write", error) : 0;
}

int mux_destroy(struct mux **mux, bool is_whole)
{
	struct mux *m = *mux;
	int error = 0;

	*mux = NULL;
	if (m == NULL) {
		return 0;
	}
	be_patient(m);
	if (m->is_begun && is_whole) {
		error = av_write_trailer(m->context);
	}
	if (m->context != NULL && m->has_own_io) {
		error = m->sink_error < 0 ? m->sink_error : error;
		av_freep(&m->context->pb->buffer);
		avio_context_free(&m->context->pb);
	} else if (m->context != NULL && !(m->context->oformat->flags & AVFMT_NOFILE)) {
		avio_closep(&m->context->pb);
	}
	avformat_free_context(m->context);
	av_packet_free(&m->packet);
	free(m);
	return is_whole && error < 0 ? to_errno(error) : 0;
}

uint64_t mux_bytes(const struct mux *m)
{
	return m->bytes;
}

bool mux_can_move(const struct mux *m)
{
	return m->format == MUX_TS && m->has_own_io;
}
