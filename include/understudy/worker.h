/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How every worker begins. The supervisor starts `understudy-ROLE` with
 *   fd 2  a pipe to the supervisor (log lines)
 *   fd 3  the control socket, SOCK_SEQPACKET (ipc.h)
 * and nothing else open, a clean environment, no argument that matters. worker_begin() closes
 * what lies beyond fd 3, sets the process name, drops dumpability and capabilities, sets
 * no_new_privs, rlimits and the role's Landlock rules and seccomp filter. SIGPIPE, SIGINT, SIGTERM,
 * SIGHUP, SIGUSR1 and SIGUSR2 are ignored: the worker ends when fd 3 closes, or by SIGKILL.
 *
 * Afterwards a forbidden call fails with EPERM, opening a file with ENOENT (resolve: EACCES
 * outside its list), and what only an intruder tries (execve, fork, ptrace, threads except libsrt's
 * own, ...) ends the process with SIGSYS. Memory that is out is NULL from malloc(): private
 * memory is limited.
 */
#ifndef UNDERSTUDY_WORKER_H
#define UNDERSTUDY_WORKER_H

#include <stdbool.h>

#include <understudy/ipc.h>

#define WORKER_CONTROL_FD 3

/* One row of the sandbox table each (src/worker/sandbox.c). */
enum worker_role {
	ROLE_NONE,
	ROLE_INGEST_RTMP,
	ROLE_INGEST_SRT,
	ROLE_INGEST_AV,
	ROLE_SWITCH,
	ROLE_RELAY_RTMP,
	ROLE_RELAY_FLV,
	ROLE_RESOLVE,
	ROLE_RELAY_FILE,
	ROLE_RELAY_AV,
	ROLE_RELAY_SRT,
	ROLE_WITNESS,
	ROLE_WITNESS_FILE,
	ROLE_PROBE,
	ROLE_INGEST_AV_PULL,
	ROLE_HISTORY,
	ROLE_INGEST_FILE,
	ROLE_SLATE,
	ROLE_INGEST_RTMP_PULL,
	ROLE_INGEST_RTMP_TUNNEL,
	ROLE_PRACTICE,
	ROLES
};

/* "ingest-rtmp" ...: the program is understudy-<this>. */
const char *worker_role_str(enum worker_role role);

/* First thing in main(). Ends the process with a message (exit 2) if it was not started by
 * a supervisor, or if the sandbox cannot be set up. */
void worker_begin(enum worker_role role);

/* Waits for the first order, which is to be of this type and the caller's to finish. False after
 * saying on the log that it did not come. */
bool worker_first_order(enum ipc_type type, struct ipc_message *ret);

/* worker_begin() for a role that works in a directory: waits for its first order, whose first
 * descriptor (not taken) is the directory. That becomes the working directory, and no other files
 * exist. The process ends if the order does not come. */
void worker_begin_in_directory(enum worker_role role, struct ipc_message *ret);

#endif
