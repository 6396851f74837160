/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is sent otherwise than it came, or on trust (remark.h). Runs in relay-rtmp; no I/O. */
#include <string.h>

#include <understudy/text.h>

#include "reject.h"
#include "remark.h"

static void add(char *to, size_t size, const char *separator, const char *text)
{
	size_t used = strlen(to);

	(void)text_format(to + used, size - used, "%s%s", used > 0 ? separator : "", text);
}

/* Old ones have numbers every platform knows. */
static void add_codec(const struct packet *frame, const char *codecs, char *to, size_t size)
{
	const uint32_t c = frame->codec;
	const char name[] = { (char)(c >> 24), (char)(c >> 16), (char)(c >> 8), (char)c, '\0' };

	if (!(frame->flags & PACKET_EX) || c == CODEC_NONE ||
	    (*codecs && reject_takes_codec(codecs, name))) {
		return;
	}
	add(to, size, ", ", name);
}

static void add_tracks(const struct session_counts *counts, char *to, size_t size)
{
	static const char *const kinds[PACKET_KINDS] = {
		[PACKET_VIDEO] = "video", [PACKET_AUDIO] = "audio"
	};
	char one[32];

	for (unsigned kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		for (unsigned track = 1; track < PACKET_TRACKS_MAX; track++) {
			if (counts->left_out[kind] & 1u << track) {
				(void)text_format(one, sizeof(one), "%s track %u", kinds[kind],
						  track);
				add(to, size, ", ", one);
			}
		}
	}
}

void remark_write(const struct metadata_source *shape, const struct session_counts *counts,
		  char *to, size_t size)
{
	char tracks[96] = "", codecs[16] = "", text[160];

	*to = '\0';
	add_tracks(counts, tracks, sizeof(tracks));
	if (*tracks) {
		(void)text_format(text, sizeof(text), "left out: %s%s", tracks,
				  counts->is_asked_for_main
					  ? ", as configured"
					  : "; the platform did not ask for more than one of each");
		add(to, size, "; ", text);
	}
	if (!counts->is_publishing) {
		return;
	}
	add_codec(&shape->video, counts->codecs, codecs, sizeof(codecs));
	add_codec(&shape->audio, counts->codecs, codecs, sizeof(codecs));
	if (*codecs) {
		(void)text_format(text, sizeof(text), "the platform has not said that it takes %s",
				  codecs);
		add(to, size, "; ", text);
	}
}
