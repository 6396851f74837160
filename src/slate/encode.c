/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A still picture and silence, encoded (encode.h). slate. Written for FFmpeg 5.1 to 7.1. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>

#include <understudy/text.h>

#include "encode.h"

#define IO_BYTES 65536
#define LENGTH_S 10 /* at least */
#define AUDIO_BPS 96000
#define HD_LINES 720 /* from there on colours are those of HD television */
#define DEFAULT_SAMPLES 1024
#define FPS_MAX 240 /* beyond it an encoder says nonsense of itself */
#define GOP_MS_DEFAULT 2000
#define GOP_MS_MIN 500
#define GOP_MS_MAX 4000

struct encoder {
	AVCodecContext *context;
	AVStream *stream;
	AVFrame *frame;       /* a picture, or a stretch of silence: the same one again and again */
	int64_t next, length; /* in the context's time base */
};

struct slate {
	AVFormatContext *format;
	AVPacket *packet;
	struct encoder video, audio; /* context NULL: none */
	int file;
};

/* ---- the file ---- */

#if LIBAVFORMAT_VERSION_MAJOR >= 61
static int on_write(void *opaque, const uint8_t *bytes, int size)
#else
static int on_write(void *opaque, uint8_t *bytes, int size)
#endif
{
	const struct slate *s = opaque;

	for (int at = 0; at < size;) {
		ssize_t put = write(s->file, bytes + at, (size_t)(size - at));

		if (put < 0 && errno != EINTR) {
			return AVERROR(errno);
		}
		at += put > 0 ? (int)put : 0;
	}
	return size;
}

static int64_t on_seek(void *opaque, int64_t offset, int whence)
{
	const struct slate *s = opaque;
	int64_t at = whence & AVSEEK_SIZE ? -1 : lseek(s->file, offset, whence & ~AVSEEK_FORCE);

	return at < 0 ? AVERROR(EINVAL) : at;
}

static int slate_open(struct slate *s)
{
	uint8_t *buffer = av_malloc(IO_BYTES);
	int error = avformat_alloc_output_context2(&s->format, NULL, "mp4", NULL);

	s->packet = av_packet_alloc();
	if (error < 0 || buffer == NULL || s->packet == NULL) {
		av_free(buffer);
		return error < 0 ? error : AVERROR(ENOMEM);
	}
	s->format->pb = avio_alloc_context(buffer, IO_BYTES, 1, s, NULL, on_write, on_seek);
	if (s->format->pb == NULL) {
		av_free(buffer);
		return AVERROR(ENOMEM);
	}
	s->format->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL; /* FLAC in MP4 */
	return 0;
}

/* ---- pictures ---- */

static AVRational frame_rate(uint32_t fps_milli)
{
	unsigned whole = (fps_milli + 500) / 1000;

	if (whole == 0 || whole > FPS_MAX) {
		return (AVRational){ 30, 1 };
	}
	/* 29.97 and its like are 30000/1001; what is measured is off by some. */
	unsigned drop_milli = (unsigned)((uint64_t)whole * 1000000 / 1001);
	unsigned from_whole = abs((int)fps_milli - (int)(whole * 1000));
	unsigned from_drop = abs((int)fps_milli - (int)drop_milli);
	bool may_drop = whole == 24 || whole == 30 || whole == 60 || whole == 120;
	return may_drop && from_drop < from_whole ? (AVRational){ (int)whole * 1000, 1001 }
						  : (AVRational){ (int)whole, 1 };
}

/* Within what platforms take. */
static int gop_frames(uint32_t gop_ms, AVRational rate)
{
	uint32_t bounded_ms = gop_ms == 0           ? GOP_MS_DEFAULT
			      : gop_ms < GOP_MS_MIN ? GOP_MS_MIN
			      : gop_ms > GOP_MS_MAX ? GOP_MS_MAX
						    : gop_ms;

	return (int)av_rescale(bounded_ms, rate.num, (int64_t)rate.den * 1000);
}

static enum AVPixelFormat pixel_format(const struct codec_params *p)
{
	static const enum AVPixelFormat formats[3][2] = {
		{ AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV420P10 },
		{ AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUV422P10 },
		{ AV_PIX_FMT_YUV444P, AV_PIX_FMT_YUV444P10 },
	};
	unsigned chroma = p->chroma >= 2 && p->chroma <= 4 ? p->chroma - 2 : 0;

	return formats[chroma][p->bit_depth == 10];
}

/* Frames that go between others: as many as the feed's decoders wait for already. */
static int reordered(const struct codec_params *p)
{
	return p->profile == 66 || p->reorder_frames > 16 ? 0
	       : p->reorder_frames > 2                    ? 2
							  : p->reorder_frames;
}

static void set_avc(AVCodecContext *c, const struct codec_params *p, AVDictionary **options)
{
	const char *profile = p->profile == 66    ? "baseline"
			      : p->profile == 77  ? "main"
			      : p->profile == 110 ? "high10"
			      : p->profile == 122 ? "high422"
			      : p->profile == 244 ? "high444"
						  : "high";

	c->level = p->level > 0 ? p->level : -1;
	c->max_b_frames = reordered(p);
	av_dict_set(options, "profile", profile, 0);
	av_dict_set(options, "preset", "veryfast", 0);
	av_dict_set(options, "x264-params",
		    reordered(p) > 1 ? "scenecut=0:open-gop=0:b-adapt=0:b-pyramid=normal"
				     : "scenecut=0:open-gop=0:b-adapt=0:b-pyramid=none",
		    0);
}

static void set_hevc(AVCodecContext *c, const struct codec_params *p, AVDictionary **options)
{
	char params[160];
	size_t used;

	text_format(params, sizeof(params),
		    "log-level=none:pools=none:frame-threads=1:scenecut=0:open-gop=0:keyint=%d:"
		    "min-keyint=%d:bframes=%d:b-adapt=0:high-tier=0",
		    c->gop_size, c->gop_size, reordered(p));
	used = strlen(params);
	if (p->level >= 30 && p->level % 3 == 0) {
		text_format(params + used, sizeof(params) - used, ":level-idc=%d", p->level / 3);
	}
	av_dict_set(options, "preset", "veryfast", 0);
	av_dict_set(options, "x265-params", params, 0);
}

static int draw(AVFrame *frame, const struct canvas *canvas)
{
	struct SwsContext *scaler = sws_getContext((int)canvas->width, (int)canvas->height,
						   AV_PIX_FMT_RGB24, frame->width, frame->height,
						   (enum AVPixelFormat)frame->format, SWS_BICUBIC,
						   NULL, NULL, NULL);
	const int *matrix = sws_getCoefficients(frame->height >= HD_LINES ? SWS_CS_ITU709
									  : SWS_CS_ITU601);
	const uint8_t *planes[4] = { canvas->pixels };
	int strides[4] = { (int)canvas->width * 3 };

	if (scaler == NULL) {
		return AVERROR(ENOMEM);
	}
	sws_setColorspaceDetails(scaler, sws_getCoefficients(SWS_CS_DEFAULT), 1, matrix, 0, 0,
				 1 << 16, 1 << 16);
	sws_scale(scaler, planes, strides, 0, (int)canvas->height, frame->data, frame->linesize);
	sws_freeContext(scaler);
	return 0;
}

static int make_picture(struct encoder *e, const struct canvas *canvas)
{
	e->frame->format = e->context->pix_fmt;
	e->frame->width = e->context->width;
	e->frame->height = e->context->height;
	int error = av_frame_get_buffer(e->frame, 0);

	return error < 0 ? error : draw(e->frame, canvas);
}

static int set_video(struct encoder *e, const struct format *f, AVDictionary **options)
{
	const struct codec_params *p = &f->video;
	AVCodecContext *c = e->context;
	AVRational rate = frame_rate(f->fps_milli);
	int gop = gop_frames(f->gop_ms, rate);
	int frames = LENGTH_S * rate.num / rate.den;

	c->width = p->width;
	c->height = p->height;
	c->pix_fmt = pixel_format(p);
	c->time_base = av_inv_q(rate);
	c->framerate = rate;
	c->sample_aspect_ratio = (AVRational){ 1, 1 };
	c->gop_size = c->keyint_min = gop;
	e->length = (frames + gop - 1) / gop * gop;
	if (p->codec == CODEC_AVC) {
		set_avc(c, p, options);
	} else {
		set_hevc(c, p, options);
	}
	return 0;
}

/* ---- sound ---- */

/* The first that the encoder takes. */
static enum AVSampleFormat sample_format(const AVCodec *codec)
{
	const enum AVSampleFormat *formats = NULL;

#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(61, 13, 100)
	const void *all = NULL;

	if (avcodec_get_supported_config(NULL, codec, AV_CODEC_CONFIG_SAMPLE_FORMAT, 0, &all,
					 NULL) >= 0) {
		formats = all;
	}
#else
	formats = codec->sample_fmts;
#endif
	return formats != NULL ? formats[0] : AV_SAMPLE_FMT_FLTP;
}

static int set_audio(struct encoder *e, const AVCodec *codec, const struct format *f)
{
	AVCodecContext *c = e->context;

	c->sample_rate = (int)f->audio.sample_rate;
	c->sample_fmt = sample_format(codec);
	c->bit_rate = AUDIO_BPS;
	c->time_base = (AVRational){ 1, c->sample_rate };
	av_channel_layout_default(&c->ch_layout, f->audio.channels);
	return 0;
}

static int make_silence(struct encoder *e, int64_t length)
{
	AVFrame *frame = e->frame;

	frame->format = e->context->sample_fmt;
	frame->sample_rate = e->context->sample_rate;
	frame->nb_samples = e->context->frame_size > 0 ? e->context->frame_size : DEFAULT_SAMPLES;
	e->length = length;
	int error = av_channel_layout_copy(&frame->ch_layout, &e->context->ch_layout);
	if (error >= 0) {
		error = av_frame_get_buffer(frame, 0);
	}
	return error < 0 ? error
			 : av_samples_set_silence(frame->extended_data, 0, frame->nb_samples,
						  frame->ch_layout.nb_channels,
						  e->context->sample_fmt);
}

/* ---- encoders ---- */

static const char *encoder_name(uint32_t codec)
{
	static const struct {
		uint32_t codec;
		const char *name;
	} names[] = {
		{ CODEC_AVC, "libx264" },    { CODEC_HEVC, "libx265" }, { CODEC_AAC, "aac" },
		{ CODEC_MP3, "libmp3lame" }, { CODEC_OPUS, "libopus" }, { CODEC_AC3, "ac3" },
		{ CODEC_EAC3, "eac3" },      { CODEC_FLAC, "flac" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].codec == codec) {
			return names[i].name;
		}
	}
	return "";
}

static int encoder_open(struct slate *s, struct encoder *e, const struct format *f,
			uint32_t codec_id)
{
	const AVCodec *codec = avcodec_find_encoder_by_name(encoder_name(codec_id));
	AVDictionary *options = NULL;
	int error;

	if (codec == NULL) {
		return AVERROR_ENCODER_NOT_FOUND;
	}
	e->context = avcodec_alloc_context3(codec);
	e->stream = avformat_new_stream(s->format, NULL);
	e->frame = av_frame_alloc();
	if (e->context == NULL || e->stream == NULL || e->frame == NULL) {
		return AVERROR(ENOMEM);
	}
	e->context->thread_count = 1;
	e->context->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL;
	e->context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
	error = codec->type == AVMEDIA_TYPE_VIDEO ? set_video(e, f, &options)
						  : set_audio(e, codec, f);
	if (error >= 0) {
		error = avcodec_open2(e->context, codec, &options);
	}
	av_dict_free(&options);
	if (error >= 0) {
		error = avcodec_parameters_from_context(e->stream->codecpar, e->context);
	}
	if (error >= 0) {
		e->stream->time_base = e->context->time_base;
	}
	return error;
}

static void encoder_finish(struct encoder *e)
{
	av_frame_free(&e->frame);
	avcodec_free_context(&e->context);
}

/* What the encoder has ready goes into the file. */
static int encoder_flush(struct slate *s, struct encoder *e)
{
	int error;

	while ((error = avcodec_receive_packet(e->context, s->packet)) >= 0) {
		av_packet_rescale_ts(s->packet, e->context->time_base, e->stream->time_base);
		s->packet->stream_index = e->stream->index;
		error = av_interleaved_write_frame(s->format, s->packet);
		if (error < 0) {
			return error;
		}
	}
	return error == AVERROR(EAGAIN) || error == AVERROR_EOF ? 0 : error;
}

/* One frame more, or the end. */
static int encoder_step(struct slate *s, struct encoder *e)
{
	bool is_over = e->next >= e->length;
	int error;

	e->frame->pts = e->next;
	error = avcodec_send_frame(e->context, is_over ? NULL : e->frame);
	e->next = is_over ? INT64_MAX
			  : e->next + (e->frame->nb_samples > 0 ? e->frame->nb_samples : 1);
	return error < 0 ? error : encoder_flush(s, e);
}

static bool encoder_is_done(const struct encoder *e)
{
	return e->context == NULL || e->next == INT64_MAX;
}

static bool is_behind(const struct encoder *e, const struct encoder *other)
{
	return !encoder_is_done(e) &&
	       (encoder_is_done(other) || av_compare_ts(e->next, e->context->time_base, other->next,
							other->context->time_base) <= 0);
}

/* ---- the slate ---- */

static int slate_prepare(struct slate *s, const struct format *f, const struct canvas *canvas)
{
	int error = slate_open(s);

	if (error >= 0 && canvas != NULL) {
		error = encoder_open(s, &s->video, f, f->video.codec);
	}
	if (error >= 0 && canvas != NULL) {
		error = make_picture(&s->video, canvas);
	}
	if (error >= 0 && f->audio.codec != CODEC_NONE) {
		int64_t length = (int64_t)LENGTH_S * f->audio.sample_rate;

		error = encoder_open(s, &s->audio, f, f->audio.codec);
		if (error >= 0 && canvas != NULL) {
			length = av_rescale_q(s->video.length, s->video.context->time_base,
					      s->audio.context->time_base);
		}
		if (error >= 0) {
			error = make_silence(&s->audio, length);
		}
	}
	return error;
}

static int slate_run(struct slate *s)
{
	int error = avformat_write_header(s->format, NULL);

	while (error >= 0 && !(encoder_is_done(&s->video) && encoder_is_done(&s->audio))) {
		error = encoder_step(s, is_behind(&s->video, &s->audio) ? &s->video : &s->audio);
	}
	return error < 0 ? error : av_write_trailer(s->format);
}

static void slate_finish(struct slate *s)
{
	encoder_finish(&s->video);
	encoder_finish(&s->audio);
	av_packet_free(&s->packet);
	if (s->format != NULL && s->format->pb != NULL) {
		avio_flush(s->format->pb);
		av_freep(&s->format->pb->buffer);
		avio_context_free(&s->format->pb);
	}
	avformat_free_context(s->format);
}

static int64_t slate_length_ms(const struct slate *s)
{
	const struct encoder *e = s->video.context != NULL ? &s->video : &s->audio;

	return av_rescale_q(e->length, e->context->time_base, (AVRational){ 1, 1000 });
}

int encode_slate(const struct format *format, const struct canvas *canvas, int file,
		 char why[IPC_TEXT])
{
	struct slate s = { .file = file };
	char text[96];
	int error = slate_prepare(&s, format, canvas);

	if (error >= 0) {
		error = slate_run(&s);
	}
	int length_ms = error >= 0 ? (int)slate_length_ms(&s) : 0;
	slate_finish(&s);
	if (error >= 0) {
		return length_ms;
	}
	av_strerror(error, text, sizeof(text));
	text_format(why, IPC_TEXT, "no slate of %s%s%s can be made: %s",
		    canvas != NULL ? codec_str(format->video.codec) : "",
		    canvas != NULL && format->audio.codec != CODEC_NONE ? " and " : "",
		    format->audio.codec != CODEC_NONE ? codec_str(format->audio.codec) : "", text);
	return error > -4096 ? error : -ENOTSUP;
}
