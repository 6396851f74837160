/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The demultiplexer (input.h). ingest-av; blocks in the caller's callback only.
 *
 * avformat_find_stream_info() is never called: on a live stream it waits, and throws away what
 * it has looked at. The callback never answers EAGAIN: libavformat then loses data. Parsers are
 * off: they hold every frame back until the next one has begun, and our own code knows where
 * frames of audio begin. max_packet_size keeps large pictures in one piece.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/mathematics.h>

#include <understudy/input.h>

#define IO_BYTES 32768
#define PROBE_BYTES 200000 /* for a program map, and per stream of unknown kind */
#define PES_BYTES_MAX "4194304"
#define STREAMS_MAX 64
#define ERRORS_MAX 1000 /* in a row: such a stream is none */
#define TIME_MASK ((INT64_C(1) << 33) - 1)

struct input {
	AVFormatContext *format;
	AVIOContext *io;
	AVPacket *packet;
	input_read *read;
	void *context;
};

static int on_read(void *opaque, uint8_t *to, int room)
{
	struct input *in = opaque;
	int got = in->read(in->context, to, room);

	return got > 0 ? got : AVERROR_EOF;
}

void input_prepare(AVFormatContext *format)
{
	format->flags |= AVFMT_FLAG_NOPARSE | AVFMT_FLAG_NOFILLIN | AVFMT_FLAG_NOBUFFER;
	format->correct_ts_overflow = 0;
	format->probesize = PROBE_BYTES;
	format->format_probesize = PROBE_BYTES;
	format->max_streams = STREAMS_MAX;
}

static bool input_prepare_io(struct input *in)
{
	uint8_t *buffer = av_malloc(IO_BYTES);

	in->packet = av_packet_alloc();
	in->format = avformat_alloc_context();
	in->io = buffer != NULL ? avio_alloc_context(buffer, IO_BYTES, 0, in, on_read, NULL, NULL)
				: NULL;
	if (in->io == NULL) {
		av_free(buffer);
	}
	if (in->io == NULL || in->format == NULL || in->packet == NULL) {
		return false;
	}
	in->io->seekable = 0;
	in->format->pb = in->io;
	in->format->flags |= AVFMT_FLAG_CUSTOM_IO;
	input_prepare(in->format);
	return true;
}

int input_open_ts(input_read *read, void *context, struct input **ret)
{
	const AVInputFormat *ts = av_find_input_format("mpegts");
	struct input *in = calloc(1, sizeof(*in));
	AVDictionary *options = NULL;
	int error = AVERROR(ENOMEM);

	av_log_set_level(AV_LOG_FATAL); /* what is wrong with a stream is said by us, once */
	if (in == NULL) {
		return -ENOMEM;
	}
	in->read = read;
	in->context = context;
	if (ts == NULL) {
		error = AVERROR(ENOSYS);
	} else if (input_prepare_io(in) &&
		   av_dict_set(&options, "max_packet_size", PES_BYTES_MAX, 0) >= 0) {
		error = avformat_open_input(&in->format, "", ts, &options); /* frees on failure */
	}
	av_dict_free(&options);
	if (error < 0) {
		input_close(&in);
		return error == AVERROR_EOF ? -ENODATA : error > -1000 ? error : -EIO;
	}
	*ret = in;
	return 0;
}

int input_take(AVFormatContext **format, struct input **ret)
{
	struct input *in = calloc(1, sizeof(*in));
	AVPacket *packet = av_packet_alloc();

	if (in == NULL || packet == NULL) {
		free(in);
		av_packet_free(&packet);
		avformat_close_input(format);
		return -ENOMEM;
	}
	in->format = *format;
	in->packet = packet;
	*format = NULL;
	*ret = in;
	return 0;
}

void input_close(struct input **input)
{
	struct input *in = *input;

	if (in == NULL) {
		return;
	}
	avformat_close_input(&in->format);
	if (in->io != NULL) {
		av_freep(&in->io->buffer); /* may have become another one meanwhile */
		avio_context_free(&in->io);
	}
	av_packet_free(&in->packet);
	free(in);
	*input = NULL;
}

static enum input_format format_of(enum AVCodecID id)
{
	switch (id) {
	case AV_CODEC_ID_H264:
		return INPUT_AVC;
	case AV_CODEC_ID_HEVC:
		return INPUT_HEVC;
	case AV_CODEC_ID_AAC:
		return INPUT_ADTS;
	case AV_CODEC_ID_AAC_LATM:
		return INPUT_LATM;
	case AV_CODEC_ID_MP2:
	case AV_CODEC_ID_MP3:
		return INPUT_MPEG_AUDIO;
	case AV_CODEC_ID_AC3:
		return INPUT_AC3;
	case AV_CODEC_ID_EAC3:
		return INPUT_EAC3;
	case AV_CODEC_ID_OPUS:
		return INPUT_OPUS;
	default:
		return INPUT_UNKNOWN;
	}
}

static int64_t time_of(int64_t timestamp, AVRational base)
{
	if (timestamp == AV_NOPTS_VALUE) {
		return INPUT_NO_TIME;
	}
	/* Also of negative times. */
	return av_rescale_q(timestamp, base, (AVRational){ 1, MEDIA_HZ }) & TIME_MASK;
}

/* Is the packet what MPEG-TS would not have: NAL units behind their lengths, AAC without ADTS, Opus
 * without its control header? */
static bool is_framed(const AVCodecParameters *par, const AVPacket *p)
{
	if (par->extradata_size <= 0) {
		return false;
	}
	switch (par->codec_id) {
	case AV_CODEC_ID_H264:
	case AV_CODEC_ID_HEVC:
		return par->extradata[0] == 1; /* avcC, hvcC; else start codes */
	case AV_CODEC_ID_AAC:
		return p->size < 2 || p->data[0] != 0xff || (p->data[1] & 0xf6) != 0xf0;
	case AV_CODEC_ID_OPUS:
		return par->extradata_size >= 8 && memcmp(par->extradata, "OpusHead", 8) == 0 &&
		       !(p->size >= 2 && p->data[0] == 0x7f && (p->data[1] & 0xe0) == 0xe0);
	default:
		return false;
	}
}

static void describe(const struct input *in, struct input_packet *ret)
{
	const AVPacket *p = in->packet;
	const AVStream *stream = in->format->streams[p->stream_index];
	const AVCodecParameters *par = stream->codecpar;
	enum input_format format = format_of(par->codec_id);
	bool is_frame = is_framed(par, p);

	*ret = (struct input_packet){
		.stream = (unsigned)p->stream_index,
		.pid = (unsigned)stream->id,
		.format = is_frame && format == INPUT_ADTS ? INPUT_AAC : format,
		.codec = avcodec_get_name(par->codec_id),
		.data = p->data,
		.size = p->size > 0 ? (size_t)p->size : 0,
		.pts_90k = time_of(p->pts, stream->time_base),
		.dts_90k = time_of(p->dts, stream->time_base),
		.is_damaged = (p->flags & AV_PKT_FLAG_CORRUPT) != 0,
		.is_framed = is_frame,
		.is_clocked = av_packet_get_side_data(p, AV_PKT_DATA_PRFT, NULL) != NULL,
		.config = par->extradata,
		.config_size = par->extradata_size > 0 ? (size_t)par->extradata_size : 0,
	};
}

static bool is_noise(int error)
{
	return error == AVERROR_INVALIDDATA || error == AVERROR(EAGAIN);
}

int input_next(struct input *in, struct input_packet *ret)
{
	for (int errors = 0; errors < ERRORS_MAX; errors++) {
		av_packet_unref(in->packet);
		int error = av_read_frame(in->format, in->packet);

		if (error == 0) {
			describe(in, ret);
			return 1;
		}
		if (error == AVERROR_EOF || (in->io != NULL && in->io->eof_reached)) {
			return 0;
		}
		if (error == AVERROR(ENOMEM) || (in->io == NULL && !is_noise(error))) {
			return error;
		}
		/* Anything else is noise in the stream: what follows may be whole. */
	}
	return -EBADMSG;
}

bool input_is_current(const struct input *in, unsigned stream)
{
	for (unsigned i = 0; i < in->format->nb_programs; i++) {
		const AVProgram *program = in->format->programs[i];

		for (unsigned k = 0; k < program->nb_stream_indexes; k++) {
			if (program->stream_index[k] == stream) {
				return true;
			}
		}
	}
	return in->format->nb_programs == 0;
}
