/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A recording of anybody's making, played through some seams: packets come in the order in which
 * they leave, each kind's times rise, and it goes on or ends with words.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../../src/ingest-av/player.h"

#define PACKETS_MAX 3000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_so)
{
	if (!is_so) {
		abort();
	}
}

static void play(struct player *p, char why[CLIP_TEXT])
{
	struct held *h;

	for (unsigned n = 0; n < PACKETS_MAX && p->loop.passes < 3; n++) {
		if (player_next(p, &h, why) != 0) {
			require(why[0] != '\0');
			return;
		}
		require(packet_is_sane(&h->packet));
		require(h->packet.kind == PACKET_VIDEO || h->packet.kind == PACKET_AUDIO);
		free(h);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[CLIP_TEXT] = "";
	struct player p;
	int fd = memfd_create("recording", MFD_CLOEXEC), more;

	require(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	more = player_init(&p, fd, why);
	for (more = more == 0 ? 1 : more; more > 0;) {
		more = player_survey(&p, why);
	}
	if (more == 0) {
		require(p.loop.period_90k > 0);
		play(&p, why);
	} else {
		require(why[0] != '\0');
	}
	player_finish(&p);
	close(fd);
	return 0;
}
