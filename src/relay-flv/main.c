/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * understudy-relay-flv: records a show into one FLV file.
 *
 * One process per recording, with no network and no names: the file comes as a descriptor with
 * the first order. It blocks on the disk, which costs nobody else anything: the ring's writer
 * waits for no reader. A file that cannot be written to is reported, and the process ends; the
 * supervisor begins another file.
 */
#include <errno.h>
#include <string.h>

#include <understudy/carrier.h>
#include <understudy/clock.h>
#include <understudy/log.h>
#include <understudy/text.h>

#include "recording.h"

#define HELD_AFTER_US 2000000 /* without a packet */

struct program {
	struct recording recording;
	int64_t packet_us; /* when the last packet came */
};

static void program_fail(struct carrier *c, const char *what, int error)
{
	char why[IPC_TEXT];

	text_format(why, sizeof(why), "%s: %s", what, strerror(-error));
	carrier_fail(c, why);
}

static int program_begin(struct carrier *c, const struct ipc_output_start *start)
{
	struct program *p = c->context;

	recording_init(&p->recording, c->file);
	return c->file < 0 ? -EBADF : 0;
}

static void program_round(struct carrier *c)
{
	struct program *p = c->context;
	int64_t now_us = clock_monotonic_us();
	int count = recording_follow(&p->recording, c->follower);

	if (count < 0) {
		program_fail(c, "cannot write the recording", count);
	} else if (count > 0 && p->recording.state == RECORDING_RUNNING) {
		p->packet_us = now_us;
		carrier_set_state(c, DESTINATION_LIVE, "media");
	} else if (c->status.state == DESTINATION_LIVE && now_us - p->packet_us > HELD_AFTER_US) {
		carrier_set_state(c, DESTINATION_HELD, "nothing to record");
	}
}

static void program_count(struct carrier *c)
{
	const struct program *p = c->context;

	c->status.bytes = p->recording.bytes;
	c->status.dropped = p->recording.dropped;
}

static void program_obey(struct carrier *c, struct ipc_message *m)
{
	log_warn("unexpected order type=%s", ipc_type_str(m->type));
}

/* Everything that is in the ring has gone into the file. */
static void program_end(struct carrier *c)
{
	struct program *p = c->context;
	int error = c->is_ended ? 0 : recording_end(&p->recording);

	program_count(c);
	if (error < 0) {
		program_fail(c, "cannot finish the recording", error);
	} else if (!c->is_ended) {
		carrier_set_state(c, DESTINATION_STOPPED, "told to stop");
	}
}

int main(void)
{
	static const struct carrier_ops ops = { program_begin, program_round, program_count,
						program_obey, program_end };
	struct program p = { 0 };
	int status = carrier_run(ROLE_RELAY_FLV, &ops, &p);

	recording_finish(&p.recording);
	return status;
}
