/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Recordings through libavformat (recording.h). Runs in witness-file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include <understudy/text.h>

#include "recording.h"

#define BUFFER_BYTES 65536
#define TRACKS_MAX 64
#define UNKNOWN_LEAD_90K MEDIA_HZ /* a first dts that is not known: surely before its pts */

struct recording {
	int fd;
	AVIOContext *io;
	AVFormatContext *format;
	AVPacket *packet;
	struct recording_track tracks[TRACKS_MAX];
	int64_t dts_90k[TRACKS_MAX];
	unsigned track_count;
};

static int read_some(void *context, uint8_t *to, int size)
{
	const struct recording *r = context;
	ssize_t got;

	do {
		got = read(r->fd, to, (size_t)size);
	} while (got < 0 && errno == EINTR);
	return got > 0 ? (int)got : got == 0 ? AVERROR_EOF : AVERROR(errno);
}

static int64_t seek_to(void *context, int64_t offset, int whence)
{
	const struct recording *r = context;
	off_t at = whence == AVSEEK_SIZE ? lseek(r->fd, 0, SEEK_CUR) : 0;
	off_t result = lseek(r->fd, whence == AVSEEK_SIZE ? 0 : offset,
			     whence == AVSEEK_SIZE ? SEEK_END : whence & ~AVSEEK_FORCE);

	if (result < 0) {
		return AVERROR(errno);
	}
	if (whence == AVSEEK_SIZE) {
		lseek(r->fd, at, SEEK_SET);
	}
	return result;
}

static void describe_error(int error, char why[RECORDING_TEXT])
{
	if (error == AVERROR_INVALIDDATA) {
		text_copy(why, RECORDING_TEXT, "it is damaged, or no recording of a known format");
	} else {
		av_strerror(error, why, RECORDING_TEXT);
	}
}

static enum packet_kind kind_of(const AVStream *stream)
{
	if (stream->disposition & AV_DISPOSITION_ATTACHED_PIC) {
		return PACKET_NONE;
	}
	switch (stream->codecpar->codec_type) {
	case AVMEDIA_TYPE_VIDEO:
		return PACKET_VIDEO;
	case AVMEDIA_TYPE_AUDIO:
		return PACKET_AUDIO;
	default:
		return PACKET_NONE;
	}
}

/* A stream that is found while reading is taken in then. */
static void learn_tracks(struct recording *r)
{
	for (; r->track_count < r->format->nb_streams && r->track_count < TRACKS_MAX;
	     r->track_count++) {
		const AVStream *stream = r->format->streams[r->track_count];
		struct recording_track *t = &r->tracks[r->track_count];

		*t = (struct recording_track){ .kind = kind_of(stream) };
		r->dts_90k[r->track_count] = INT64_MIN;
		t->codec = avcodec_get_name(stream->codecpar->codec_id);
		t->width = (unsigned)stream->codecpar->width;
		t->height = (unsigned)stream->codecpar->height;
		t->sample_rate = (unsigned)stream->codecpar->sample_rate;
		t->channels = (unsigned)stream->codecpar->ch_layout.nb_channels;
		for (unsigned i = 0; i < r->track_count; i++) {
			t->track += r->tracks[i].kind == t->kind;
		}
		if (t->track >= PACKET_TRACKS_MAX) {
			t->kind = PACKET_NONE;
		}
	}
}

static int open_format(struct recording *r)
{
	uint8_t *buffer = av_malloc(BUFFER_BYTES);
	int error;

	r->packet = av_packet_alloc();
	r->format = avformat_alloc_context();
	r->io = buffer != NULL
			? avio_alloc_context(buffer, BUFFER_BYTES, 0, r, read_some, NULL, seek_to)
			: NULL;
	if (r->packet == NULL || r->format == NULL || r->io == NULL) {
		if (r->io == NULL) {
			av_free(buffer);
		}
		return AVERROR(ENOMEM);
	}
	r->io->seekable = lseek(r->fd, 0, SEEK_CUR) >= 0 ? AVIO_SEEKABLE_NORMAL : 0;
	r->format->pb = r->io;
	error = avformat_open_input(&r->format, NULL, NULL, NULL); /* frees it on failure */
	return error < 0 ? error : avformat_find_stream_info(r->format, NULL);
}

int recording_open(int fd, struct recording **ret, char why[RECORDING_TEXT])
{
	struct recording *r = calloc(1, sizeof(*r));
	int error;

	if (r == NULL) {
		text_copy(why, RECORDING_TEXT, "out of memory");
		return -ENOMEM;
	}
	av_log_set_level(AV_LOG_QUIET); /* what is wrong with a file is our business to say */
	r->fd = fd;
	error = open_format(r);
	if (error < 0) {
		describe_error(error, why);
		recording_close(&r);
		return -EINVAL;
	}
	learn_tracks(r);
	*ret = r;
	return 0;
}

void recording_close(struct recording **r)
{
	if (*r == NULL) {
		return;
	}
	avformat_close_input(&(*r)->format);
	if ((*r)->io != NULL) {
		av_freep(&(*r)->io->buffer);
		avio_context_free(&(*r)->io);
	}
	av_packet_free(&(*r)->packet);
	free(*r);
	*r = NULL;
}

unsigned recording_track_count(const struct recording *r)
{
	return r->track_count;
}

struct recording_track recording_track(const struct recording *r, unsigned index)
{
	return r->tracks[index];
}

static int64_t to_90k(const struct recording *r, int64_t at)
{
	const AVRational ours = { 1, MEDIA_HZ };

	return av_rescale_q(at, r->format->streams[r->packet->stream_index]->time_base, ours);
}

/* False if it is nothing to judge: another kind of track, no time at all, or not to be shown. */
static bool convert(struct recording *r, struct packet *to)
{
	const AVPacket *p = r->packet;
	int64_t at = p->pts != AV_NOPTS_VALUE ? p->pts : p->dts;

	if ((unsigned)p->stream_index >= r->track_count || at == AV_NOPTS_VALUE ||
	    (p->flags & AV_PKT_FLAG_DISCARD) != 0 ||
	    r->tracks[p->stream_index].kind == PACKET_NONE) {
		return false;
	}
	const struct recording_track *t = &r->tracks[p->stream_index];
	int64_t *dts_90k = &r->dts_90k[p->stream_index];
	*to = (struct packet){ .kind = (uint8_t)t->kind,
			       .type = PACKET_FRAME,
			       .track = (uint8_t)t->track,
			       .pts_90k = to_90k(r, at) };
	if (p->dts != AV_NOPTS_VALUE) {
		to->dts_90k = to_90k(r, p->dts);
	} else {
		to->dts_90k = *dts_90k != INT64_MIN ? *dts_90k + 1 : to->pts_90k - UNKNOWN_LEAD_90K;
	}
	*dts_90k = to->dts_90k;
	to->flags = (p->flags & AV_PKT_FLAG_KEY) != 0 ? PACKET_KEY : 0;
	return packet_is_sane(to);
}

int recording_next(struct recording *r, struct packet *ret, char why[RECORDING_TEXT])
{
	for (;;) {
		int error = av_read_frame(r->format, r->packet);

		if (error == AVERROR_EOF) {
			return 0;
		}
		if (error < 0) {
			describe_error(error, why);
			return -EIO;
		}
		learn_tracks(r);
		bool is_wanted = convert(r, ret);
		av_packet_unref(r->packet);
		if (is_wanted) {
			return 1;
		}
	}
}
