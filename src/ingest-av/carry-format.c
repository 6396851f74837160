/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pulled URLs that libavformat takes apart: HLS, Ogg, RTSP (carry.h). ingest-av-pull. */
#include <stdlib.h>

#include <libavformat/avformat.h>

#include <understudy/clock.h>
#include <understudy/input.h>

#include "carry.h"

#define CLOCKS_WAIT_US 3000000
#define UNIT_BYTES_MAX ((size_t)6 << 20)

static struct input *open_input(struct pull *p, const char *name, AVFormatContext **ret_inside)
{
	AVFormatContext *format = NULL;
	struct input *input = NULL;
	int error = fetch_open_format(&p->fetch, &p->start, name, &format);

	*ret_inside = format;
	if (error >= 0) {
		error = input_take(&format, &input);
	}
	if (error < 0 && !p->is_ended) {
		carry_fail(p, error);
	}
	return input;
}

static bool next_packet(struct pull *p, struct input *input, struct input_packet *packet)
{
	int got;

	carry_flow(p);
	pull_attend(p);
	got = p->is_ended ? 0 : input_next(input, packet);
	if (got < 0 && !p->is_ended) {
		carry_fail(p, got);
	}
	if (got <= 0) {
		return false;
	}
	carry_mark_progress(p);
	fetch_mark_progress(&p->fetch);
	p->bytes += packet->size;
	return true;
}

/* ---- playlists ---- */

/* Of the encodings a playlist offers, the best: the others are not even fetched. */
static void choose_variant(AVFormatContext *format)
{
	const AVProgram *best = NULL;
	int64_t best_bps = -1;

	for (unsigned i = 0; i < format->nb_programs; i++) {
		const AVDictionaryEntry *rate = av_dict_get(format->programs[i]->metadata,
							    "variant_bitrate", NULL, 0);
		int64_t bps = rate != NULL ? strtoll(rate->value, NULL, 10) : 0;

		if (bps > best_bps) {
			best = format->programs[i];
			best_bps = bps;
		}
	}
	for (unsigned i = 0; best != NULL && i < format->nb_streams; i++) {
		format->streams[i]->discard = AVDISCARD_ALL;
	}
	for (unsigned i = 0; best != NULL && i < best->nb_stream_indexes; i++) {
		format->streams[best->stream_index[i]]->discard = AVDISCARD_DEFAULT;
	}
}

void carry_format(struct pull *p, const char *name)
{
	AVFormatContext *inside;
	struct input *input = open_input(p, name, &inside);
	struct input_packet packet;
	unsigned seen = 0; /* streams */

	carry_slowly(p, 0);
	while (input != NULL) {
		if (inside->nb_programs > 1 && inside->nb_streams != seen) {
			seen = inside->nb_streams;
			choose_variant(inside);
		}
		if (!next_packet(p, input, &packet)) {
			break;
		}
		streams_put(&p->streams, input, &packet, p->arrival_us);
	}
	input_close(&input);
}

/* ---- RTSP ---- */

/* Pictures come in as many pieces as RTP has packets, each with the picture's time. */
struct gathering {
	struct buffer bytes;
	struct input_packet packet; /* of the first piece */
	int64_t arrival_us;         /* of the last */
};

static void gathering_flush(struct gathering *g, struct pull *p, const struct input *input)
{
	if (buffer_size(&g->bytes) > 0) {
		g->packet.data = buffer_bytes(&g->bytes);
		g->packet.size = buffer_size(&g->bytes);
		streams_put(&p->streams, input, &g->packet, g->arrival_us);
		buffer_clear(&g->bytes);
	}
}

static void gathering_add(struct gathering *g, struct pull *p, const struct input *input,
			  const struct input_packet *piece)
{
	if (piece->stream != g->packet.stream || piece->pts_90k != g->packet.pts_90k) {
		gathering_flush(g, p, input);
	}
	if (buffer_size(&g->bytes) == 0) {
		g->packet = *piece;
	}
	g->packet.is_damaged |= piece->is_damaged;
	g->arrival_us = p->arrival_us;
	if (buffer_append(&g->bytes, piece->data, piece->size) != 0) {
		buffer_clear(&g->bytes);
		p->streams.feed.dropped++;
	}
}

/* The times of RTP streams fit each other only once the server has said how, which moves them:
 * nothing goes out before, unless it never says so. */
static bool is_clocked(const struct input_packet *packet, int64_t since_us)
{
	return packet->is_clocked || clock_monotonic_us() - since_us > CLOCKS_WAIT_US;
}

void carry_rtsp(struct pull *p)
{
	AVFormatContext *inside;
	struct input *input = open_input(p, "rtsp", &inside);
	struct gathering gathering = { .packet = { .format = INPUT_UNKNOWN } };
	struct input_packet packet;
	int64_t since_us = clock_monotonic_us();
	bool is_settled = false;

	buffer_init(&gathering.bytes, UNIT_BYTES_MAX);
	while (input != NULL && next_packet(p, input, &packet)) {
		bool is_video = packet.format == INPUT_AVC || packet.format == INPUT_HEVC;

		is_settled = is_settled || is_clocked(&packet, since_us);
		if (is_settled && is_video) {
			gathering_add(&gathering, p, input, &packet);
		} else if (is_settled) {
			streams_put(&p->streams, input, &packet, p->arrival_us);
		}
	}
	buffer_finish(&gathering.bytes);
	input_close(&input);
}
