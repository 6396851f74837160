/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The supervisor: the process behind `understudy run`. Single-threaded; owns the config, the
 * listening sockets, the keys, the inventory of workers and rings. Parses no media and no
 * network bytes.
 */
#ifndef UNDERSTUDY_SUPERVISOR_H
#define UNDERSTUDY_SUPERVISOR_H

struct supervisor_options {
	const char *config_path; /* NULL: the embedded default show */
	char **argv;             /* of main(), for SIGUSR2's re-execution */
};

/* Runs until SIGINT or SIGTERM. Returns the exit code: 0, 1 (could not start or go on, said on
 * stderr), 2 (config). */
int supervisor_run(const struct supervisor_options *options);

#endif
