/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Looks at an MPEG transport stream as it passes: is it in sync, what is missing, how evenly do
 * its clock references come. Changes nothing, finds no programs. ISO/IEC 13818-1 2.4.3.
 */
#ifndef UNDERSTUDY_TS_H
#define UNDERSTUDY_TS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TS_PACKET_BYTES 188
#define TS_PIDS_MAX 32

struct ts_pid {
	uint16_t pid;
	uint8_t counter; /* continuity */
	bool is_counted, was_repeated;
	int64_t last_us;  /* arrival of its newest packet */
	int64_t before_us; /* of the packet before the newest start of a PES packet */
};

struct ts_report {
	uint64_t packets, null_packets;
	uint64_t sync_losses;       /* times the sync byte was not where it should be */
	uint64_t continuity_errors; /* packets of a PID that did not follow the one before */
	uint64_t transport_errors, scrambled;
	uint64_t clocks;        /* PCRs */
	uint32_t clock_jitter_us; /* smoothed deviation of their arrival */
};

struct ts_inspector {
	struct ts_report report;
	struct ts_pid pids[TS_PIDS_MAX]; /* further PIDs are counted, not followed */
	unsigned pid_count;
	uint8_t partial[TS_PACKET_BYTES];
	unsigned partial_bytes;
	bool is_lost;         /* looking for the sync byte */
	bool has_clock;
	uint16_t clock_pid;
	int64_t clock_27m, clock_us;
	uint32_t jitter_sixteenths;
};

/* Zeroed = fresh. The next bytes, in pieces of any size. */
void ts_inspect(struct ts_inspector *t, const uint8_t *data, size_t size, int64_t arrival_us);
/* Data was lost on the way, which is no fault of the stream's: counters begin anew. */
void ts_inspect_gap(struct ts_inspector *t);
/* When the last byte of the PES packet that the stream of `pid` just finished came in: the one
 * before the newest start if it `is_open` (no length of its own), else the newest. INT64_MIN if
 * the PID is not followed. */
int64_t ts_arrival_us(const struct ts_inspector *t, unsigned pid, bool is_open);

/* What of a datagram of RTP (RFC 3550 5.1) is MPEG-TS (RFC 2250): its size and, in *ret_at, where
 * it begins. 0: nothing. */
size_t ts_in_rtp(const uint8_t *datagram, size_t size, size_t *ret_at);

#endif
