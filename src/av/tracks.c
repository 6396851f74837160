/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The streams of a container, from codec headers and first frames (mux.h). No I/O. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/bytes.h>
#include <understudy/text.h>

#include "formats.h"

#define NAL_LENGTH_BYTES 4

static struct track *find(const struct tracks *t, unsigned kind, unsigned track)
{
	for (unsigned i = 0; i < t->count; i++) {
		if (t->items[i].kind == kind && t->items[i].track == track) {
			return (struct track *)&t->items[i];
		}
	}
	return NULL;
}

struct track *tracks_find(struct tracks *t, const struct packet *p)
{
	return find(t, p->kind, p->track);
}

bool tracks_have(const struct tracks *t, enum packet_kind kind)
{
	return find(t, kind, 0) != NULL;
}

static void track_finish(struct track *track)
{
	free(track->config);
	free(track->sets);
	*track = (struct track){ .stream = -1 };
}

void tracks_finish(struct tracks *t)
{
	for (unsigned i = 0; i < t->count; i++) {
		track_finish(&t->items[i]);
	}
	t->count = 0;
}

static int tracks_add(struct tracks *t, const struct packet *p, const uint8_t *config, size_t bytes,
		      const struct codec_params *params)
{
	struct track track = { .kind = p->kind,
			       .track = p->track,
			       .codec = p->codec,
			       .params = *params,
			       .stream = -1,
			       .last_dts_90k = INT64_MIN };

	if (t->count == TRACKS_MAX) {
		return 0; /* more than anybody sends; they are not carried */
	}
	if (bytes > 0) {
		track.config = malloc(bytes);
		if (track.config == NULL) {
			return -ENOMEM;
		}
		memcpy(track.config, config, bytes);
		track.config_bytes = bytes;
	}
	t->items[t->count++] = track;
	return 0;
}

int tracks_read(struct tracks *t, const struct header_set *headers)
{
	int error = 0;

	tracks_finish(t);
	/* Video first: players take the first stream of a kind for the main one. */
	for (int kind = PACKET_VIDEO; error == 0 && kind <= PACKET_AUDIO; kind++) {
		for (unsigned i = 0; error == 0 && i < headers->count; i++) {
			const struct header *h = &headers->items[i];
			struct codec_params params = { .codec = h->packet.codec };

			if (h->packet.kind != kind || h->packet.type != PACKET_CONFIG ||
			    find(t, h->packet.kind, h->packet.track) != NULL) {
				continue;
			}
			(void)codec_parse_config(h->packet.codec, h->payload, h->packet.size,
						 &params);
			error = tracks_add(t, &h->packet, h->payload, h->packet.size, &params);
		}
	}
	return error;
}

static bool needs_no_header(uint32_t codec)
{
	return codec == CODEC_MP3 || codec == CODEC_AC3 || codec == CODEC_EAC3 ||
	       codec == CODEC_VP8;
}

int tracks_see(struct tracks *t, const struct packet *p, const uint8_t *payload)
{
	struct codec_params params = { .codec = p->codec };
	struct track *track = tracks_find(t, p);

	if (track != NULL && track->params.width == 0 && p->type == PACKET_FRAME) {
		(void)codec_frame_size(p->codec, payload, p->size, &track->params.width,
				       &track->params.height);
	}
	if (p->type != PACKET_FRAME || p->kind == PACKET_DATA || p->size == 0 ||
	    !needs_no_header(p->codec) || track != NULL) {
		return 0;
	}
	if (p->codec == CODEC_VP8
		    ? !codec_frame_size(p->codec, payload, p->size, &params.width, &params.height)
		    : codec_parse_config(p->codec, payload, p->size, &params) != CODEC_OK) {
		return 0; /* the next frame may be a sound one */
	}
	return tracks_add(t, p, NULL, 0, &params);
}

/* ---- parameter sets ---- */

static bool put_set(uint8_t **at, const uint8_t *end, struct reader *in)
{
	uint16_t bytes = reader_be16(in);
	const uint8_t *set = reader_take(in, bytes);

	if (set == NULL || (size_t)(end - *at) < NAL_LENGTH_BYTES + (size_t)bytes) {
		return false;
	}
	put_be32(*at, bytes);
	memcpy(*at + NAL_LENGTH_BYTES, set, bytes);
	*at += NAL_LENGTH_BYTES + bytes;
	return true;
}

/* ISO/IEC 14496-15: avcC 5.3.3.1.2 */
static bool put_avc_sets(uint8_t **at, const uint8_t *end, struct reader *in)
{
	bool is_good = reader_take(in, 5) != NULL;

	for (unsigned list = 0; is_good && list < 2; list++) {
		unsigned count = reader_u8(in) & (list == 0 ? 31 : 255);

		while (is_good && count-- > 0) {
			is_good = put_set(at, end, in);
		}
	}
	return is_good && !in->failed;
}

/* hvcC 8.3.3.1.2 */
static bool put_hevc_sets(uint8_t **at, const uint8_t *end, struct reader *in)
{
	bool is_good = reader_take(in, 22) != NULL;
	unsigned lists = reader_u8(in);

	while (is_good && lists-- > 0) {
		unsigned count;

		reader_u8(in);
		count = reader_be16(in);
		while (is_good && count-- > 0) {
			is_good = put_set(at, end, in);
		}
	}
	return is_good && !in->failed;
}

/* The header's parameter sets as they stand in a frame. Lengths grow from two bytes to four, so
 * twice the header is room enough. */
static bool track_take_sets(struct track *track, const uint8_t *config, size_t bytes)
{
	uint8_t *sets = malloc(2 * bytes), *at = sets;
	struct reader in = reader_over(config, bytes);
	bool is_good = sets != NULL &&
		       (track->codec == CODEC_AVC ? put_avc_sets(&at, sets + 2 * bytes, &in)
						  : put_hevc_sets(&at, sets + 2 * bytes, &in));

	if (!is_good || at == sets) {
		free(sets);
		return false;
	}
	free(track->sets);
	track->sets = sets;
	track->sets_bytes = (size_t)(at - sets);
	return true;
}

static enum tracks_change change_video(struct track *track, const struct codec_params *params,
				       const uint8_t *config, size_t bytes)
{
	bool has_sets = track->codec == CODEC_AVC || track->codec == CODEC_HEVC;

	if (track->codec == CODEC_VP9 || track->codec == CODEC_VP8) {
		return TRACKS_SAME; /* key frames say everything themselves */
	}
	if (params->width != track->params.width || params->height != track->params.height) {
		return TRACKS_ANEW;
	}
	if (track->codec == CODEC_AV1) {
		return TRACKS_SAME;
	}
	if (!has_sets || params->nal_length_bytes != NAL_LENGTH_BYTES ||
	    track->params.nal_length_bytes != NAL_LENGTH_BYTES ||
	    !track_take_sets(track, config, bytes)) {
		return TRACKS_ANEW;
	}
	return TRACKS_IN_BAND;
}

enum tracks_change tracks_update(struct tracks *t, const struct packet *p, const uint8_t *payload)
{
	struct track *track = tracks_find(t, p);
	struct codec_params params;

	if (p->type != PACKET_CONFIG || p->kind == PACKET_DATA) {
		return TRACKS_SAME;
	}
	if (track == NULL || p->codec != track->codec ||
	    codec_parse_config(p->codec, payload, p->size, &params) != CODEC_OK) {
		return TRACKS_ANEW;
	}
	if (track->sets_bytes == 0 && track->config_bytes == p->size &&
	    memcmp(track->config, payload, p->size) == 0) {
		return TRACKS_SAME;
	}
	if (p->kind == PACKET_VIDEO) {
		return change_video(track, &params, payload, p->size);
	}
	return params.sample_rate == track->params.sample_rate &&
			       params.channels == track->params.channels &&
			       params.audio_object_type == track->params.audio_object_type
		       ? TRACKS_SAME
		       : TRACKS_ANEW;
}

/* ---- choosing ---- */

static void say_left_out(char remark[MUX_TEXT], const struct track *track, enum mux_format format)
{
	size_t used = strlen(remark);

	text_format(remark + used, MUX_TEXT - used, "%s%s (%s) is left out: %s cannot carry it",
		    used > 0 ? "; " : "", track->kind == PACKET_VIDEO ? "video" : "audio",
		    codec_str(track->codec), mux_format_str(format));
}

unsigned tracks_choose(struct tracks *t, enum mux_format format, char remark[MUX_TEXT])
{
	unsigned most = format_of(format)->streams_max;
	unsigned count = 0;

	remark[0] = '\0';
	for (unsigned i = 0; i < t->count; i++) {
		struct track *track = &t->items[i];

		track->stream = -1;
		if (mux_can_carry(format, track->codec) && count < most) {
			track->stream = (int)count++;
		} else if (most > 1 || (track->kind == PACKET_AUDIO && count == 0)) {
			say_left_out(remark, track, format);
		}
	}
	return count;
}
