/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Work on files that may take for ever (errand.c). The supervisor's inventory includes this. */
#ifndef SUPERVISOR_ERRAND_H
#define SUPERVISOR_ERRAND_H

#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include <understudy/ipc.h>

struct errand;
struct supervisor;
TAILQ_HEAD(errand_list, errand);

enum errand_work {
	ERRAND_READ,      /* opens a recording, and says which one it is */
	ERRAND_RECORDING, /* a new file by strftime pattern */
	ERRAND_SEGMENT,   /* HLS, of the playlist `path`: its segment `number` */
	ERRAND_PLAYLIST,  /* the next state of the playlist `path` */
	ERRAND_PUBLISH,   /* which takes its place; segments before `number` are removed */
	ERRAND_DISCARD,   /* which does not */
	ERRAND_END,       /* players of the playlist are told that the show is over */
	ERRAND_REMOVE,    /* a file */
	ERRAND_TIDY,      /* a file, if it is empty */
	ERRAND_WORKS
};

/* It is done, or will not be: `error` is 0 or a negative errno, -ETIMEDOUT if the file system does
 * not answer. The descriptor, if it is for one, is the message's until it is taken. */
typedef void errand_done(void *owner, const struct ipc_errand_done *done, struct ipc_message *m);

/* Has the work done, after all that was to be done before in that directory. `done` is called
 * later, once, unless it is NULL (then a failure is logged). -EBUSY, -ENAMETOOLONG or -ENOMEM: it
 * is not called. */
int errand_begin(struct supervisor *sup, enum errand_work work, const char *path, uint32_t number,
		 errand_done *done, void *owner);
/* The owner is not called any more; a file that is made for it all the same is removed. */
void errand_forget(struct supervisor *sup, const void *owner);
/* Nobody can wait any longer: who does is told so. */
void errand_end_all(struct supervisor *sup);
/* A child that is not a worker. True if `pid` was one. */
bool errand_reaped(struct supervisor *sup, pid_t pid);
/* At the end of all. What was begun is brought to its end by processes of its own. */
void errand_finish(struct supervisor *sup);
/* fork(), for other work of that kind: the child (0) keeps nothing open but `answer`, as
 * ERRAND_ANSWER_FD, and ends by _exit(). */
#define ERRAND_ANSWER_FD 3
pid_t errand_fork(const struct supervisor *sup, int answer);
/* For people; `error` is negative. */
const char *errand_error_str(int error);

/* ---- filing.c ---- */

/* What the process does. 0 or a negative errno; the descriptor, where the work is to open a file,
 * and in `ret` what is known of that. */
int filing_do(enum errand_work work, const char *path, uint32_t number, int *ret_fd,
	      struct ipc_errand_done *ret);

#endif
