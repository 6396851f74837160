/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The stage of the demo: a temporary directory and the processes in it. Every process has a
 * group of its own (Ctrl-C is for the demo alone) and ends with the demo, whatever happens.
 */
#ifndef CLI_STAGE_H
#define CLI_STAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum stage_role { STAGE_PLATFORM, STAGE_RELAY, STAGE_PRIMARY, STAGE_BACKUP, STAGE_ROLES };

struct stage {
	char directory[64]; /* "" = none yet */
	char socket[96];
	char nginx[64], ffmpeg[64]; /* paths of the programs */
	char keys[2][33];           /* of primary and backup */
	uint16_t relay_port, platform_port;
	pid_t pids[STAGE_ROLES]; /* 0 = not running */
};

/* Finds the programs, makes the directory, the keys and the configurations. An exit code; says
 * what is missing. stage_finish() is due in any case. */
int stage_init(struct stage *s);
/* Ends what runs; the recordings stay. */
void stage_finish(struct stage *s);

/* Exit codes; each waits until what it started is there. */
int stage_start_platform(struct stage *s);
int stage_start_relay(struct stage *s);
/* STAGE_PRIMARY or STAGE_BACKUP; does not wait. */
int stage_start_encoder(struct stage *s, enum stage_role role);
/* kill -9 and reap. */
void stage_kill(struct stage *s, enum stage_role role);
/* Reaps whatever has ended by itself. True if `role` runs. */
bool stage_is_running(struct stage *s, enum stage_role role);

#endif
