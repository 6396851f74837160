/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What can be said of a transport stream from its packets' headers (ts.h). Pure. */
#include <stdlib.h>
#include <string.h>

#include <understudy/bytes.h>
#include <understudy/ts.h>

#define SYNC_BYTE 0x47
#define NULL_PID 0x1fff
#define CLOCK_JUMP_US 1000000 /* a new clock, not a late packet */

static struct ts_pid *ts_find(struct ts_inspector *t, unsigned pid)
{
	for (unsigned i = 0; i < t->pid_count; i++) {
		if (t->pids[i].pid == pid) {
			return &t->pids[i];
		}
	}
	if (t->pid_count == TS_PIDS_MAX) {
		return NULL;
	}
	t->pids[t->pid_count] = (struct ts_pid){ .pid = (uint16_t)pid,
						 .last_us = INT64_MIN,
						 .before_us = INT64_MIN };
	return &t->pids[t->pid_count++];
}

static void ts_count(struct ts_inspector *t, struct ts_pid *p, const uint8_t *packet,
		     bool has_payload, bool is_discontinuous)
{
	uint8_t counter = packet[3] & 15;

	if (p->is_counted && !is_discontinuous) {
		bool is_next = counter == ((p->counter + 1) & 15);
		bool is_repeat = counter == p->counter && has_payload && !p->was_repeated;

		if (has_payload ? !is_next && !is_repeat : counter != p->counter) {
			t->report.continuity_errors++;
		}
		p->was_repeated = has_payload && counter == p->counter;
	}
	p->counter = counter;
	p->is_counted = true;
}

/* Interarrival jitter as RFC 3550 A.8 has it, over clock references instead of RTP packets. */
static void ts_clock(struct ts_inspector *t, unsigned pid, const uint8_t *field, int64_t now_us)
{
	int64_t base = (int64_t)get_be32(field) << 1 | field[4] >> 7;
	int64_t clock_27m = base * 300 + ((field[4] & 1) << 8 | field[5]);

	t->report.clocks++;
	if (t->has_clock && t->clock_pid == pid) {
		int64_t late_us = now_us - t->clock_us - (clock_27m - t->clock_27m) / 27;
		int64_t off_us = late_us < 0 ? -late_us : late_us;

		if (off_us < CLOCK_JUMP_US) {
			int64_t change = off_us - (t->jitter_sixteenths + 8) / 16;

			t->jitter_sixteenths = (uint32_t)(t->jitter_sixteenths + change);
			t->report.clock_jitter_us = t->jitter_sixteenths / 16;
		}
	} else if (t->has_clock) {
		return; /* of another program */
	}
	t->has_clock = true;
	t->clock_pid = (uint16_t)pid;
	t->clock_27m = clock_27m;
	t->clock_us = now_us;
}

static void ts_packet(struct ts_inspector *t, const uint8_t *packet, int64_t now_us)
{
	unsigned pid = get_be16(packet + 1) & 0x1fff;
	bool has_field = packet[3] & 0x20, has_payload = packet[3] & 0x10;
	bool is_discontinuous = has_field && packet[4] > 0 && (packet[5] & 0x80);
	struct ts_pid *p;

	t->report.packets++;
	if (pid == NULL_PID) {
		t->report.null_packets++;
		return;
	}
	if (packet[1] & 0x80) {
		t->report.transport_errors++;
		return;
	}
	t->report.scrambled += (packet[3] & 0xc0) != 0;
	p = ts_find(t, pid);
	if (p == NULL) {
		return;
	}
	ts_count(t, p, packet, has_payload, is_discontinuous);
	if (has_payload) {
		if (packet[1] & 0x40) {
			p->before_us = p->last_us;
		}
		p->last_us = now_us;
	}
	if (has_field && packet[4] >= 7 && (packet[5] & 0x10)) {
		if (is_discontinuous) {
			t->has_clock = false;
		}
		ts_clock(t, pid, packet + 6, now_us);
	}
}

/* How many bytes to leave out until something looks like a packet. */
static size_t ts_resync(struct ts_inspector *t, const uint8_t *data, size_t size)
{
	const uint8_t *sync = memchr(data, SYNC_BYTE, size);

	if (!t->is_lost) {
		t->report.sync_losses++;
		t->is_lost = true;
	}
	return sync != NULL ? (size_t)(sync - data) : size;
}

void ts_inspect(struct ts_inspector *t, const uint8_t *data, size_t size, int64_t arrival_us)
{
	while (size > 0) {
		size_t want = TS_PACKET_BYTES - t->partial_bytes;
		const uint8_t *packet = data;
		size_t used = size < want ? size : want;

		if (t->partial_bytes == 0 && data[0] != SYNC_BYTE) {
			used = ts_resync(t, data, size);
			data += used;
			size -= used;
			continue;
		}
		if (t->partial_bytes > 0 || used < TS_PACKET_BYTES) {
			memcpy(t->partial + t->partial_bytes, data, used);
			t->partial_bytes += (unsigned)used;
			packet = t->partial;
		}
		data += used;
		size -= used;
		if (used == want) {
			t->partial_bytes = 0;
			t->is_lost = false;
			ts_packet(t, packet, arrival_us);
		}
	}
}

void ts_inspect_gap(struct ts_inspector *t)
{
	for (unsigned i = 0; i < t->pid_count; i++) {
		t->pids[i].is_counted = false;
	}
	t->partial_bytes = 0;
}

int64_t ts_arrival_us(const struct ts_inspector *t, unsigned pid, bool is_open)
{
	for (unsigned i = 0; i < t->pid_count; i++) {
		const struct ts_pid *p = &t->pids[i];

		if (p->pid == pid) {
			return is_open && p->before_us != INT64_MIN ? p->before_us : p->last_us;
		}
	}
	return INT64_MIN;
}

#define RTP_HEAD_BYTES 12
#define RTP_MPEG_TS 33

size_t ts_in_rtp(const uint8_t *datagram, size_t size, size_t *ret_at)
{
	size_t at, padding = 0;

	if (size < RTP_HEAD_BYTES || datagram[0] >> 6 != 2 || (datagram[1] & 0x7f) != RTP_MPEG_TS) {
		return 0;
	}
	at = RTP_HEAD_BYTES + 4 * (size_t)(datagram[0] & 15); /* contributing sources */
	if (datagram[0] & 0x10) {                             /* a head extension */
		if (at + 4 > size) {
			return 0;
		}
		at += 4 + 4 * ((size_t)datagram[at + 2] << 8 | datagram[at + 3]);
	}
	if (datagram[0] & 0x20) {
		padding = datagram[size - 1];
	}
	if (at + padding >= size) {
		return 0;
	}
	*ret_at = at;
	return size - at - padding;
}
