/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * understudy-witness-file: judges one recording, given as a descriptor, by the same rules as a
 * show. It parses a foreign file with libavformat and has no rights but to read that file. Blocks
 * on the disk and on whoever listens to it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/text.h>
#include <understudy/worker.h>

#include "recording.h"
#include "tell.h"

#define TELL_EVERY 64 /* packets: the queue of findings never runs over */

static void tell_tracks(const struct recording *r, unsigned from)
{
	for (unsigned i = from; i < recording_track_count(r); i++) {
		const struct recording_track t = recording_track(r, i);
		struct ipc_witness_media media = { .kind = t.kind,
						   .track = t.track,
						   .width = t.width,
						   .height = t.height,
						   .sample_rate = t.sample_rate,
						   .channels = t.channels };

		text_copy(media.codec, sizeof(media.codec), t.codec);
		if (t.kind != PACKET_NONE) {
			tell(IPC_WITNESS_MEDIA, &media, true);
		}
	}
}

static void judge(struct recording *r, struct witness *w, char why[RECORDING_TEXT])
{
	unsigned told = recording_track_count(r);
	struct packet p;

	tell_tracks(r, 0);
	for (uint64_t n = 1; recording_next(r, &p, why) == 1; n++) {
		witness_push(w, &p, 0);
		if (n % TELL_EVERY == 0) {
			tell_events(w, true);
		}
		if (recording_track_count(r) > told) {
			tell_tracks(r, told);
			told = recording_track_count(r);
		}
	}
	witness_end(w);
	tell_events(w, true);
	tell_summary(w, 0, 0, true);
}

static void serve(int fd)
{
	/* In what order tracks lie is the container's affair; so are codec headers, which packets
	 * of a recording do not ask for. */
	const struct witness_config config = { .mixes_freely = true };
	struct witness *witness = witness_create(&config, 0);
	struct ipc_witness_end end = { .error = "" };
	struct recording *recording = NULL;
	char why[RECORDING_TEXT] = "";

	if (witness == NULL) {
		text_copy(why, sizeof(why), "out of memory");
	} else if (recording_open(fd, &recording, why) == 0) {
		judge(recording, witness, why);
	}
	text_copy(end.error, sizeof(end.error), why);
	tell(IPC_WITNESS_END, &end, true);
	recording_close(&recording);
	witness_destroy(&witness);
}

int main(void)
{
	static struct ipc_message m;

	worker_begin(ROLE_WITNESS_FILE);
	if (take_order(&m, -1) != 1) {
		return EXIT_SUCCESS;
	}
	if (m.type == IPC_WITNESS_FILE) {
		serve(m.fds[0]);
	}
	ipc_message_finish(&m);
	return EXIT_SUCCESS;
}
