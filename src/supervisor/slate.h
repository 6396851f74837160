/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Slates that are made (slate.c). The supervisor's inventory includes this. */
#ifndef SUPERVISOR_SLATE_H
#define SUPERVISOR_SLATE_H

#include <limits.h>
#include <stdint.h>
#include <sys/stat.h>

struct child;
struct child_ops;
struct feed;
struct show;

/* That of a feed. */
struct slate {
	struct child *maker;  /* NULL while none is being made */
	char path[PATH_MAX];  /* the one that is ready, "" = none */
	uint64_t mark;        /* stands for what it looks like */
	uint64_t next_mark;   /* of the one being made, or of what it ought to look like */
	uint64_t failed_mark; /* of what could not be made, 0 = none */
	unsigned steady;      /* statuses in a row that ask for next_mark */
	struct stat picture;  /* as it was when the config was read: disks may hang */
};

extern const struct child_ops slate_ops;
/* The config was read: looks at the picture, and for a slate that was made earlier. */
void slate_find(struct feed *feed);
/* After each status of the switch: has one made where there is none of the show's format. */
void slate_consider(struct show *show);
/* Its feed goes away. */
void slate_forget(struct feed *feed);

#endif
