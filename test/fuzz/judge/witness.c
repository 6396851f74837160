/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The witness fed with any packets: it never fails, what it counts agrees with what it says, and
 * summaries add up to the same whatever they are cut into.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/witness.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RECORD 12 /* bytes of input a packet takes */

static void require(bool holds)
{
	if (!holds) {
		abort();
	}
}

/* Times near each other, so that steps, splices and disorder all come; now and then far ones. */
static struct packet packet_of(const uint8_t *in, int64_t *clock_90k)
{
	struct packet p = {
		.kind = in[0] % 4,
		.type = in[1] % 12 == 0   ? PACKET_CONFIG
			: in[1] % 12 == 1 ? in[2] % 9
					  : PACKET_FRAME,
		.track = in[2] % 18 < 14 ? 0 : in[2] % 18,
		.flags = (uint16_t)(in[3] | in[4] << 8),
		.feed = in[5] % 3,
		.incarnation = in[5] / 128,
		.source_seq = in[6],
		.codec = in[7] % 2 == 0 ? CODEC_AVC : CODEC_OPUS,
	};

	*clock_90k += (int8_t)in[8] * 100;
	if (in[9] == 255) {
		memcpy(clock_90k, in, sizeof(*clock_90k));
	}
	p.dts_90k = *clock_90k;
	p.pts_90k = (int64_t)((uint64_t)*clock_90k + (uint64_t)(in[10] * 300));
	return p;
}

static void drain(struct witness *w, uint64_t said[WITNESS_KINDS])
{
	struct witness_event event;

	while (witness_next(w, &event)) {
		require(event.kind > WITNESS_NONE && event.kind < WITNESS_KINDS);
		require(event.kind != WITNESS_MISSING || (event.frames > 0 && event.step_90k > 0));
		require(event.kind != WITNESS_DOUBLED || event.frames == 1);
		said[event.kind]++;
	}
}

static void run(const uint8_t *data, size_t size, bool is_ring, bool is_cut,
		struct witness_summary *ret)
{
	const struct witness_config config = { .is_ring = is_ring, .mixes_freely = !is_ring };
	struct witness *w = witness_create(&config, 1);
	struct witness_summary part;
	uint64_t said[WITNESS_KINDS] = { 0 };
	int64_t clock_90k = 0, now_us = 1;
	bool has_summary = false;

	require(w != NULL);
	witness_set_encode(w, 0, 1);
	witness_set_encode(w, 1, 1);
	for (; size >= RECORD; data += RECORD, size -= RECORD) {
		const struct packet p = packet_of(data, &clock_90k);

		now_us += data[11] * 1000;
		witness_push(w, &p, now_us);
		if (data[11] == 7) {
			witness_lapped(w, data[6], now_us);
		}
		drain(w, said);
		if (is_cut && data[11] % 8 == 0) {
			witness_take(w, now_us, &part);
			if (has_summary) {
				witness_add(ret, &part);
			} else {
				*ret = part;
			}
			has_summary = true;
		}
	}
	witness_end(w);
	drain(w, said);
	witness_take(w, now_us, &part);
	if (has_summary) {
		witness_add(ret, &part);
	} else {
		*ret = part;
	}
	for (int i = 0; i < WITNESS_KINDS; i++) {
		require(ret->counts[i] == said[i]);
	}
	require(ret->unsaid == 0);
	witness_destroy(&w);
	require(w == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct witness_summary whole, cut;

	for (int is_ring = 0; is_ring < 2; is_ring++) {
		run(data, size, is_ring, false, &whole);
		run(data, size, is_ring, true, &cut);
		require(memcmp(whole.counts, cut.counts, sizeof(whole.counts)) == 0);
		require(whole.packets == cut.packets);
		require(whole.video.missing == cut.video.missing);
		require(whole.audio.doubled == cut.audio.doubled);
		require(whole.video.last_90k == cut.video.last_90k);
		require(whole.longest_silence_us == cut.longest_silence_us);
	}
	return 0;
}
