/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Media of pulled URLs (carry.h). ingest-av-pull; blocks in libavformat and in pull_wait(). */
#include <errno.h>
#include <string.h>

#include <libavutil/error.h>

#include <understudy/clock.h>
#include <understudy/input.h>
#include <understudy/log.h>
#include <understudy/text.h>

#include "carry.h"
#include "names.h"

#define BURST_US 5000000 /* what a server of a live stream may send at once at the beginning */
#define REDIRECTS_MAX 8  /* as many as libavformat follows */
#define CHUNK_BYTES 8192

/* ---- what all have in common ---- */

void carry_flow(struct pull *p)
{
	struct ipc_ring_ready ready = { 0 };
	const uint8_t *payload;
	struct packet packet;

	while (p->streams.sink != NULL &&
	       reservoir_take(&p->reservoir, clock_monotonic_us(), &packet, &payload)) {
		feed_writer_put(&p->streams.feed, &packet, payload);
	}
	feed_writer_publish(&p->streams.feed);
	if (!p->has_media && p->streams.feed.packets > 0) {
		p->has_media = true; /* from now on the switch may have it */
		pull_report(p, IPC_RING_READY, &ready);
	}
}

void carry_mark_progress(struct pull *p)
{
	p->arrival_us = clock_monotonic_us();
	if (p->has_media) {
		p->deadline_us = p->arrival_us + p->start.silence_us;
	}
}

void carry_fail(struct pull *p, int error)
{
	char cause[IPC_TEXT];

	if (names_refusal()[0] != '\0') {
		pull_end(p, names_refusal());
	} else if (fetch_trouble(&p->fetch)[0] != '\0') {
		pull_end(p, fetch_trouble(&p->fetch));
	} else if (names_trouble()[0] != '\0') {
		pull_end(p, names_trouble());
	} else if (error == AVERROR(EIO) && !p->has_media && names_count() > REDIRECTS_MAX) {
		pull_end(p, "it is redirected from one URL to the next");
	} else {
		fetch_explain(error, cause, sizeof(cause));
		pull_end(p, cause);
	}
}

static void carry_hold(void *pull, const struct packet *packet, const uint8_t *payload)
{
	struct pull *p = pull;

	if (reservoir_put(&p->reservoir, packet, payload, clock_monotonic_us()) != 0) {
		p->streams.feed.dropped++;
	}
	while (!p->is_ended && reservoir_is_full(&p->reservoir, clock_monotonic_us())) {
		pull_wait(p, reservoir_next_us(&p->reservoir));
		carry_mark_progress(p);
	}
}

void carry_slowly(struct pull *p, int64_t lead_us)
{
	reservoir_init(&p->reservoir, lead_us);
	p->streams.sink = carry_hold;
	p->streams.sink_owner = p;
}

/* The source has ended, what it has sent goes on. */
static void carry_rest(struct pull *p)
{
	while (p->streams.sink != NULL && !p->is_over &&
	       reservoir_next_us(&p->reservoir) != INT64_MAX) {
		carry_mark_progress(p);
		pull_wait(p, reservoir_next_us(&p->reservoir));
	}
	reservoir_finish(&p->reservoir);
	p->streams.sink = NULL;
}

int carry_read(void *pull, uint8_t *to, int room)
{
	struct pull *p = pull;
	int got;

	carry_flow(p);
	if (p->head_at < p->head_bytes) {
		got = p->head_bytes - p->head_at < room ? p->head_bytes - p->head_at : room;
		memcpy(to, p->head + p->head_at, (size_t)got);
		p->head_at += got;
	} else {
		pull_attend(p);
		got = p->is_ended ? 0 : fetch_read(&p->fetch, to, room);
		if (got < 0 && !p->is_ended) {
			carry_fail(p, got);
		}
		p->bytes += got > 0 ? (uint64_t)got : 0;
	}
	if (got <= 0) {
		p->is_ended = true;
		return 0;
	}
	carry_mark_progress(p);
	return got;
}

/* ---- MPEG-TS ---- */

static int ts_read(void *pull, uint8_t *to, int room)
{
	struct pull *p = pull;
	int got = carry_read(p, to, room);

	ts_inspect(&p->inspector, to, (size_t)got, p->arrival_us);
	return got;
}

/* A PES packet of video ends where the next one begins: what comes out behind the end of the
 * stream may be half a picture. */
static bool is_cut(const struct pull *p, const struct input_packet *packet)
{
	return p->is_ended && (packet->format == INPUT_AVC || packet->format == INPUT_HEVC);
}

static void carry_ts(struct pull *p)
{
	struct input *input = NULL;
	struct input_packet packet;
	int got = input_open_ts(ts_read, p, &input);

	while (got >= 0 && (got = input_next(input, &packet)) > 0) {
		bool is_video = packet.format == INPUT_AVC || packet.format == INPUT_HEVC;
		int64_t arrival_us = ts_arrival_us(&p->inspector, packet.pid, is_video);

		if (!is_cut(p, &packet)) {
			streams_put(&p->streams, input, &packet,
				    arrival_us != INT64_MIN ? arrival_us : p->arrival_us);
		}
	}
	if (got < 0) {
		pull_end(p, p->inspector.report.packets == 0
				    ? "what comes is no stream that can be read"
				    : "the transport stream cannot be read");
	}
	input_close(&input);
}

/* ---- a stream of sound alone ---- */

static void carry_sound(struct pull *p, enum input_format format)
{
	uint8_t bytes[CHUNK_BYTES];
	struct input_packet packet = { .format = format,
				       .codec = format == INPUT_ADTS ? "aac" : "mp3",
				       .data = bytes };
	int got;

	carry_slowly(p, 0);
	while ((got = carry_read(p, bytes, sizeof(bytes))) > 0) {
		packet.size = (size_t)got;
		streams_put(&p->streams, NULL, &packet, p->arrival_us);
		packet.pts_90k = packet.dts_90k = INPUT_NO_TIME; /* the first began at 0 */
	}
}

/* ---- what is it? ---- */

static bool is_ts(const uint8_t *head, int size)
{
	for (int i = 0; i < TS_PACKET_BYTES && i < size; i++) {
		int at = i;

		while (at < size && head[at] == 0x47) {
			at += TS_PACKET_BYTES;
		}
		if (at >= size && at > i) {
			return true;
		}
	}
	return false;
}

static bool begins_with(const struct pull *p, const char *words)
{
	size_t size = strlen(words);

	return (size_t)p->head_bytes >= size && memcmp(p->head, words, size) == 0;
}

static bool is_sound(const struct pull *p, enum input_format *ret)
{
	const uint8_t *head = p->head;

	if (begins_with(p, "ID3")) {
		*ret = INPUT_MPEG_AUDIO;
		return true;
	}
	for (int i = 0; i + 1 < p->head_bytes; i++) {
		if (head[i] != 0xff || (head[i + 1] & 0xe0) != 0xe0) {
			continue; /* a station is joined in the middle of a frame */
		}
		bool is_adts = (head[i + 1] & 0xf6) == 0xf0;
		struct audio_split split;
		struct audio_frame frame;

		audio_split_init(&split, is_adts ? AUDIO_ADTS : AUDIO_MPEG);
		bool is_found = audio_split_push(&split, head + i, (size_t)(p->head_bytes - i),
						 0) == 0 &&
				audio_split_next(&split, &frame) &&
				audio_split_next(&split, &frame) && split.skipped == 0;
		audio_split_finish(&split);
		if (is_found) {
			*ret = is_adts ? INPUT_ADTS : INPUT_MPEG_AUDIO;
			return true;
		}
	}
	return false;
}

/* Enough of the beginning to tell; less if that is all there is. */
static bool carry_peek(struct pull *p)
{
	while (p->head_bytes < (int)sizeof(p->head) && !p->is_ended) {
		uint8_t *to = p->head + p->head_bytes;
		int got = carry_read(p, to, (int)sizeof(p->head) - p->head_bytes);

		p->head_bytes += got;
		p->head_at = p->head_bytes;
		if (begins_with(p, "#EXTM3U") || begins_with(p, "FLV")) {
			break;
		}
	}
	if (p->cause[0] == '\0' && p->head_bytes > 0) {
		p->is_ended = p->is_over;
	}
	p->head_at = 0;
	return !p->is_ended;
}

static void carry_http(struct pull *p)
{
	enum input_format sound;

	if (!carry_peek(p)) {
		return;
	}
	if (begins_with(p, "#EXTM3U") || begins_with(p, "OggS")) {
		const char *format = begins_with(p, "OggS") ? "ogg" : "hls";

		fetch_close(&p->fetch);
		carry_format(p, format);
	} else if (begins_with(p, "FLV")) {
		carry_slowly(p, BURST_US);
		carry_flv(p);
	} else if (is_ts(p->head, p->head_bytes)) {
		carry_slowly(p, BURST_US);
		carry_ts(p);
	} else if (is_sound(p, &sound)) {
		carry_sound(p, sound);
	} else {
		pull_end(p, "what comes is no MPEG-TS, FLV, HLS, AAC, MP3 or Ogg");
	}
}

void carry_all(struct pull *p)
{
	int error;

	if (strcmp(p->address.scheme, "rtsp") == 0) {
		carry_rtsp(p);
		return;
	}
	error = fetch_open(&p->fetch, &p->start);
	if (error < 0) {
		carry_fail(p, error);
	} else if (strncmp(p->address.scheme, "http", 4) == 0) {
		carry_http(p);
	} else {
		carry_ts(p);
	}
	fetch_close(&p->fetch);
	carry_rest(p);
}
