/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A recording as packets (clip.h). ingest-file; blocks on the file only. Owns the library's
 * context, its I/O buffer and what is being taken apart.
 *
 * avformat_find_stream_info() is not called: it decodes, and takes longer than a frame lasts each
 * time a file begins anew. Parsers are off for the same reason. So times that a container does
 * not keep (Matroska has no decoding times) are made here, and frames of sound are found by our
 * own code.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/common.h>
#include <libavutil/mathematics.h>

#include <understudy/clip.h>
#include <understudy/codec.h>
#include <understudy/elementary.h>
#include <understudy/carousel.h>
#include <understudy/text.h>

#define IO_BYTES 65536
#define UNIT_BYTES_MAX ((size_t)6 << 20)
#define STREAMS_MAX 64
#define DEPTH_UNKNOWN 4 /* pictures that wait for others, where the codec header does not say */
#define DEFAULT_FRAME_90k 3000
#define FRAME_MAX_90k 9000000
#define TIME_MAX_90k (INT64_C(1) << 48) /* a file that says more is nonsense: ninety years */

enum part_form {
	FORM_RAW,    /* packets are frames, the codec header is apart */
	FORM_ANNEXB, /* pictures with parameter sets among them */
	FORM_SPLIT,  /* stretches of sound */
};

/* One of the two tracks. */
struct part {
	int stream; /* in the file, -1 = none yet */
	uint32_t codec;
	enum part_form form;
	struct annexb annexb;
	struct audio_split split;
	struct unwrap33 unwrap;
	struct order order;
	struct codec_params params;
	uint8_t config[HEADER_BYTES_MAX];
	size_t config_bytes;
	bool has_config, is_config_due, is_order_known;
	int64_t next_90k; /* where a frame of sound without a time belongs */
};

struct clip {
	int fd;
	int64_t at; /* in the file */
	AVFormatContext *format;
	AVIOContext *io;
	AVPacket *packet;
	struct part parts[PACKET_KINDS];
	struct buffer unit;
	bool is_pending;   /* `pending` goes out after its codec header */
	bool is_splitting; /* of the sound there may be another frame */
	struct clip_packet pending;
	char remark[CLIP_TEXT];
};

/* ---- the file ---- */

static int on_read(void *opaque, uint8_t *to, int room)
{
	struct clip *c = opaque;
	ssize_t got = pread(c->fd, to, (size_t)room, c->at);

	if (got <= 0) {
		return got == 0 ? AVERROR_EOF : AVERROR(errno);
	}
	c->at += got;
	return (int)got;
}

static int64_t on_seek(void *opaque, int64_t offset, int whence)
{
	struct clip *c = opaque;
	int64_t size = lseek(c->fd, 0, SEEK_END);

	if (size < 0 || (whence & AVSEEK_SIZE)) {
		return size < 0 ? AVERROR(errno) : size;
	}
	whence &= ~AVSEEK_FORCE;
	offset += whence == SEEK_CUR ? c->at : whence == SEEK_END ? size : 0;
	if (offset < 0) {
		return AVERROR(EINVAL);
	}
	c->at = offset;
	return offset;
}

static bool clip_prepare(struct clip *c)
{
	uint8_t *buffer = av_malloc(IO_BYTES);

	c->packet = av_packet_alloc();
	c->format = avformat_alloc_context();
	c->io = buffer != NULL ? avio_alloc_context(buffer, IO_BYTES, 0, c, on_read, NULL, on_seek)
			       : NULL;
	if (c->io == NULL) {
		av_free(buffer);
	}
	if (c->io == NULL || c->format == NULL || c->packet == NULL) {
		return false;
	}
	c->format->pb = c->io;
	c->format->flags |= AVFMT_FLAG_NOPARSE | AVFMT_FLAG_NOFILLIN | AVFMT_FLAG_CUSTOM_IO;
	c->format->correct_ts_overflow = 0;
	c->format->max_streams = STREAMS_MAX;
	return true;
}

/* Containers that are lists of other files open them: here there are none. */
static int refuse_open(AVFormatContext *format, AVIOContext **ret, const char *url, int flags,
		       AVDictionary **options)
{
	return AVERROR(EPERM);
}

static int clip_begin(struct clip *c, char why[CLIP_TEXT])
{
	int error = AVERROR(ENOMEM);
	char text[64];

	c->at = 0;
	for (unsigned kind = 0; kind < PACKET_KINDS; kind++) {
		c->parts[kind].stream = -1;
	}
	if (clip_prepare(c)) {
		c->format->io_open = refuse_open;
		error = avformat_open_input(&c->format, "", NULL, NULL); /* frees on failure */
	}
	if (error >= 0) {
		return 0;
	}
	av_strerror(error, text, sizeof(text));
	text_format(why, CLIP_TEXT, "it is no recording that can be read: %s", text);
	return error > -4096 ? error : -EBADMSG;
}

static void part_finish(struct part *part)
{
	if (part->form == FORM_ANNEXB) {
		annexb_finish(&part->annexb);
	} else if (part->form == FORM_SPLIT) {
		audio_split_finish(&part->split);
	}
	*part = (struct part){ .stream = -1 };
}

static void clip_end(struct clip *c)
{
	avformat_close_input(&c->format);
	if (c->io != NULL) {
		av_freep(&c->io->buffer); /* may have become another one meanwhile */
		avio_context_free(&c->io);
	}
	av_packet_free(&c->packet);
	for (unsigned kind = 0; kind < PACKET_KINDS; kind++) {
		part_finish(&c->parts[kind]);
	}
	c->is_pending = c->is_splitting = false;
}

int clip_open(int fd, struct clip **ret, char why[CLIP_TEXT])
{
	struct clip *c = calloc(1, sizeof(*c));
	int error = c != NULL ? 0 : -ENOMEM;

	av_log_set_level(AV_LOG_FATAL); /* what is wrong with a file is said by us, once */
	if (error == 0) {
		c->fd = fd;
		buffer_init(&c->unit, UNIT_BYTES_MAX);
		error = clip_begin(c, why);
	}
	if (error != 0) {
		clip_close(&c);
		return error;
	}
	*ret = c;
	return 0;
}

int clip_rewind(struct clip *c, char why[CLIP_TEXT])
{
	clip_end(c);
	return clip_begin(c, why);
}

void clip_close(struct clip **clip)
{
	struct clip *c = *clip;

	if (c == NULL) {
		return;
	}
	clip_end(c);
	buffer_finish(&c->unit);
	free(c);
	*clip = NULL;
}

const char *clip_remark(const struct clip *c)
{
	return c->remark;
}

/* ---- tracks ---- */

static const struct codec_row {
	enum AVCodecID id;
	uint32_t codec;
	enum packet_kind kind;
	enum audio_format split; /* where there is no codec header apart */
	bool needs_config;
} codecs[] = {
	{ AV_CODEC_ID_H264, CODEC_AVC, PACKET_VIDEO, 0, true },
	{ AV_CODEC_ID_HEVC, CODEC_HEVC, PACKET_VIDEO, 0, true },
	{ AV_CODEC_ID_AV1, CODEC_AV1, PACKET_VIDEO, 0, true },
	{ AV_CODEC_ID_VP8, CODEC_VP8, PACKET_VIDEO, 0, false },
	{ AV_CODEC_ID_AAC, CODEC_AAC, PACKET_AUDIO, AUDIO_ADTS, true },
	{ AV_CODEC_ID_AAC_LATM, CODEC_AAC, PACKET_AUDIO, AUDIO_LATM, true },
	{ AV_CODEC_ID_MP3, CODEC_MP3, PACKET_AUDIO, AUDIO_MPEG, false },
	{ AV_CODEC_ID_AC3, CODEC_AC3, PACKET_AUDIO, AUDIO_AC3, false },
	{ AV_CODEC_ID_EAC3, CODEC_EAC3, PACKET_AUDIO, AUDIO_AC3, false },
	{ AV_CODEC_ID_OPUS, CODEC_OPUS, PACKET_AUDIO, AUDIO_OPUS, true },
	{ AV_CODEC_ID_FLAC, CODEC_FLAC, PACKET_AUDIO, 0, true },
};

static const struct codec_row *row_of(enum AVCodecID id)
{
	for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
		if (codecs[i].id == id) {
			return &codecs[i];
		}
	}
	return NULL;
}

static void clip_leave_out(struct clip *c, const AVStream *stream)
{
	size_t used = strlen(c->remark);
	const char *codec = avcodec_get_name(stream->codecpar->codec_id);

	if (strstr(c->remark, codec) == NULL) {
		text_format(c->remark + used, sizeof(c->remark) - used, "%s%s",
			    used > 0 ? ", " : "", codec);
	}
}

/* How a file keeps the codec: by the first byte of what it has of a codec header. */
static enum part_form form_of(const struct clip *c, const struct codec_row *row,
			      const AVStream *stream)
{
	bool has_config = stream->codecpar->extradata_size > 0;

	if (row->codec == CODEC_AVC || row->codec == CODEC_HEVC) {
		return has_config && stream->codecpar->extradata[0] == 1 ? FORM_RAW : FORM_ANNEXB;
	}
	if (row->kind == PACKET_AUDIO && row->split != 0 &&
	    (strcmp(c->format->iformat->name, "mpegts") == 0 ||
	     (row->codec == CODEC_AAC && !has_config) || row->codec == CODEC_MP3)) {
		return FORM_SPLIT;
	}
	return FORM_RAW;
}

static void part_begin(struct part *part, const struct clip *c, const struct codec_row *row,
		       const AVStream *stream)
{
	part->stream = stream->index;
	part->codec = row->codec;
	part->form = form_of(c, row, stream);
	part->next_90k = AUDIO_NO_TIME;
	if (part->form == FORM_ANNEXB) {
		annexb_init(&part->annexb, row->codec);
	} else if (part->form == FORM_SPLIT) {
		audio_split_init(&part->split, row->split);
	}
}

/* The track the library's packet belongs to, NULL if it is not carried. */
static struct part *clip_part(struct clip *c)
{
	const AVStream *stream = c->format->streams[c->packet->stream_index];
	const struct codec_row *row = row_of(stream->codecpar->codec_id);
	struct part *part;

	if (row == NULL || (stream->disposition & AV_DISPOSITION_ATTACHED_PIC)) {
		clip_leave_out(c, stream);
		return NULL;
	}
	part = &c->parts[row->kind];
	if (part->stream < 0) {
		part_begin(part, c, row, stream);
	}
	return part->stream == stream->index ? part : NULL;
}

/* ---- codec headers ---- */

static void part_set_config(struct part *part, const uint8_t *config, size_t size)
{
	if (size == 0 || size > sizeof(part->config) ||
	    (part->has_config && size == part->config_bytes &&
	     memcmp(config, part->config, size) == 0)) {
		return;
	}
	memcpy(part->config, config, size);
	part->config_bytes = size;
	part->has_config = part->is_config_due = true;
	(void)codec_parse_config(part->codec, config, size, &part->params);
}

static void part_learn_config(struct part *part, const struct clip *c)
{
	const AVStream *stream = c->format->streams[part->stream];
	size_t size = 0;
	const uint8_t *fresh = av_packet_get_side_data(c->packet, AV_PKT_DATA_NEW_EXTRADATA, &size);

	if (fresh != NULL) {
		part_set_config(part, fresh, size);
	} else if (!part->has_config && stream->codecpar->extradata_size > 0) {
		part_set_config(part, stream->codecpar->extradata,
				(size_t)stream->codecpar->extradata_size);
	}
}

/* ---- times ---- */

static int64_t time_90k(struct part *part, const AVStream *stream, int64_t timestamp)
{
	int64_t at_90k = av_rescale_q(timestamp, stream->time_base, (AVRational){ 1, MEDIA_HZ });

	at_90k = av_clip64(at_90k, -TIME_MAX_90k, TIME_MAX_90k);
	return stream->pts_wrap_bits == 33 ? unwrap_33(&part->unwrap, (uint64_t)at_90k) : at_90k;
}

static int64_t frame_90k(const AVStream *stream, const AVPacket *p)
{
	int64_t duration_90k = av_rescale_q(p->duration, stream->time_base,
					    (AVRational){ 1, MEDIA_HZ });

	return duration_90k > 0 && duration_90k < FRAME_MAX_90k ? duration_90k : DEFAULT_FRAME_90k;
}

static unsigned part_depth(const struct part *part)
{
	if (part->codec != CODEC_AVC && part->codec != CODEC_HEVC) {
		return 0;
	}
	return part->params.reorder_frames <= ORDER_DEPTH_MAX ? part->params.reorder_frames
							      : DEPTH_UNKNOWN;
}

/* False: it has no time, and none can be made up. */
static bool picture_times(struct part *part, const struct clip *c, struct packet *p)
{
	const AVStream *stream = c->format->streams[part->stream];
	const AVPacket *from = c->packet;
	int64_t pts = from->pts != AV_NOPTS_VALUE ? from->pts : from->dts;

	if (pts == AV_NOPTS_VALUE) {
		return false;
	}
	if (from->dts != AV_NOPTS_VALUE) {
		p->dts_90k = time_90k(part, stream, from->dts);
		p->pts_90k = time_90k(part, stream, pts);
		return true;
	}
	p->pts_90k = time_90k(part, stream, pts);
	if (stream->pts_wrap_bits == 33) { /* PES: a time that is not there is the other one */
		p->dts_90k = p->pts_90k;
		return true;
	}
	if (!part->is_order_known) {
		order_init(&part->order, part_depth(part));
		part->is_order_known = true;
	}
	p->dts_90k = order_dts_90k(&part->order, p->pts_90k, frame_90k(stream, from));
	return true;
}

/* ---- packets ---- */

static int clip_give(struct clip *c, struct part *part, const struct packet *p,
		     const uint8_t *payload, struct clip_packet *ret)
{
	*ret = (struct clip_packet){ .packet = *p, .payload = payload };
	if (!part->is_config_due) {
		return 1;
	}
	part->is_config_due = false;
	c->pending = *ret;
	c->is_pending = true;
	ret->packet.type = PACKET_CONFIG;
	ret->packet.pts_90k = ret->packet.dts_90k;
	ret->packet.flags = 0;
	ret->packet.size = (uint32_t)part->config_bytes;
	ret->payload = part->config;
	return 1;
}

static bool part_is_ready(const struct part *part)
{
	return part->has_config || part->codec == CODEC_MP3 || part->codec == CODEC_AC3 ||
	       part->codec == CODEC_EAC3 || part->codec == CODEC_VP8;
}

/* Each of these: 1 a packet, 0 nothing comes of it. */
static int clip_picture(struct clip *c, struct part *part, struct clip_packet *ret)
{
	struct packet p = { .kind = PACKET_VIDEO, .type = PACKET_FRAME, .codec = part->codec };
	const uint8_t *payload = c->packet->data;
	uint8_t config[HEADER_BYTES_MAX];

	p.size = (uint32_t)c->packet->size;
	p.flags = c->packet->flags & AV_PKT_FLAG_KEY ? PACKET_KEY : 0;
	if (part->form == FORM_ANNEXB) {
		buffer_clear(&c->unit);
		if (annexb_convert(&part->annexb, payload, p.size, &c->unit) <= 0) {
			return 0;
		}
		int size = annexb_config(&part->annexb, config, sizeof(config));
		part_set_config(part, config, size > 0 ? (size_t)size : 0);
		payload = buffer_bytes(&c->unit);
		p.size = (uint32_t)buffer_size(&c->unit);
	} else {
		part_learn_config(part, c);
	}
	if (!part_is_ready(part) || p.size == 0 || p.size > PACKET_SIZE_MAX ||
	    !picture_times(part, c, &p)) {
		return 0;
	}
	p.flags = (uint16_t)codec_random_access(part->codec, part->params.nal_length_bytes, payload,
						p.size, p.flags);
	return clip_give(c, part, &p, payload, ret);
}

static int clip_raw_sound(struct clip *c, struct part *part, struct clip_packet *ret)
{
	const AVStream *stream = c->format->streams[part->stream];
	int64_t pts = c->packet->pts != AV_NOPTS_VALUE ? c->packet->pts : c->packet->dts;
	struct packet p = { .kind = PACKET_AUDIO,
			    .type = PACKET_FRAME,
			    .codec = part->codec,
			    .size = (uint32_t)c->packet->size };

	part_learn_config(part, c);
	p.pts_90k = pts != AV_NOPTS_VALUE ? time_90k(part, stream, pts) : part->next_90k;
	p.dts_90k = p.pts_90k;
	if (!part_is_ready(part) || p.size == 0 || p.size > PACKET_SIZE_MAX ||
	    p.pts_90k == AUDIO_NO_TIME) {
		return 0;
	}
	part->next_90k = p.pts_90k + frame_90k(stream, c->packet);
	return clip_give(c, part, &p, c->packet->data, ret);
}

static int clip_split_sound(struct clip *c, struct part *part, struct clip_packet *ret)
{
	struct audio_frame frame;

	if (!audio_split_next(&part->split, &frame)) {
		c->is_splitting = false;
		return 0;
	}
	if (part->split.is_config_new) {
		part->split.is_config_new = false;
		part_set_config(part, part->split.config, part->split.config_size);
	} else if (part->codec == CODEC_OPUS) {
		part_learn_config(part, c);
	}
	if (!part_is_ready(part)) {
		return 0;
	}
	const struct packet p = { .kind = PACKET_AUDIO,
				  .type = PACKET_FRAME,
				  .codec = part->codec,
				  .dts_90k = frame.pts_90k,
				  .pts_90k = frame.pts_90k,
				  .size = (uint32_t)frame.size };
	return clip_give(c, part, &p, frame.data, ret);
}

static int clip_take(struct clip *c, struct clip_packet *ret)
{
	struct part *part = clip_part(c);

	if (part == NULL || (c->packet->flags & AV_PKT_FLAG_CORRUPT)) {
		return 0;
	}
	if (part == &c->parts[PACKET_VIDEO]) {
		return clip_picture(c, part, ret);
	}
	if (part->form == FORM_RAW) {
		return clip_raw_sound(c, part, ret);
	}
	int64_t pts = c->packet->pts;
	/* A bare stream has no times at all: it begins at 0. */
	int64_t pts_90k = pts != AV_NOPTS_VALUE
				  ? time_90k(part, c->format->streams[part->stream], pts)
			  : part->split.next_90k == AUDIO_NO_TIME ? 0
								  : AUDIO_NO_TIME;
	c->is_splitting = audio_split_push(&part->split, c->packet->data, (size_t)c->packet->size,
					   pts_90k) == 0;
	return 0;
}

int clip_next(struct clip *c, struct clip_packet *ret)
{
	int got = 0;

	if (c->is_pending) {
		c->is_pending = false;
		*ret = c->pending;
		return 1;
	}
	while (got == 0) {
		if (c->is_splitting) {
			got = clip_split_sound(c, &c->parts[PACKET_AUDIO], ret);
			continue;
		}
		av_packet_unref(c->packet);
		int error = av_read_frame(c->format, c->packet);

		if (error == AVERROR_EOF) {
			return 0;
		}
		if (error < 0) {
			return error > -4096 ? error : -EBADMSG;
		}
		got = clip_take(c, ret);
	}
	return got;
}
