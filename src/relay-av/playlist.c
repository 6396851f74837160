/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The media playlist of HLS (RFC 8216, 4.3). Pure. */
#include <stdio.h>
#include <string.h>

#include "output.h"

void playlist_add(struct playlist *p, const struct segment *segment)
{
	if (p->count == p->keep) {
		p->breaks_gone += p->items[0].is_break;
		memmove(&p->items[0], &p->items[1], (p->count - 1) * sizeof(p->items[0]));
		p->count--;
	}
	p->items[p->count++] = *segment;
}

static bool put(struct buffer *to, const char *text)
{
	return buffer_append(to, text, strlen(text)) == 0;
}

static uint32_t longest_s(const struct playlist *p, uint32_t target_s)
{
	for (unsigned i = 0; i < p->count; i++) {
		int64_t length_s = (p->items[i].length_90k + MEDIA_HZ - 1) / MEDIA_HZ;

		target_s = length_s > target_s ? (uint32_t)length_s : target_s;
	}
	return target_s;
}

bool playlist_write(const struct playlist *p, uint32_t target_s, struct buffer *to)
{
	char line[IPC_NAME + 128];
	bool is_good;

	snprintf(line, sizeof(line),
		 "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:%u\n#EXT-X-MEDIA-SEQUENCE:%u\n"
		 "#EXT-X-DISCONTINUITY-SEQUENCE:%u\n",
		 (unsigned)longest_s(p, target_s), p->count > 0 ? (unsigned)p->items[0].number : 0,
		 (unsigned)p->breaks_gone);
	is_good = put(to, line);
	for (unsigned i = 0; is_good && i < p->count; i++) {
		const struct segment *s = &p->items[i];

		snprintf(line, sizeof(line), "%s#EXTINF:%.3f,\n%s\n",
			 s->is_break && i > 0 ? "#EXT-X-DISCONTINUITY\n" : "",
			 (double)s->length_90k / MEDIA_HZ, s->name);
		is_good = put(to, line);
	}
	return is_good;
}
