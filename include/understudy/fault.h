/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Faults made on purpose in a feed, for rehearsals: ordered by messages, made by its ingest. */
#ifndef UNDERSTUDY_FAULT_H
#define UNDERSTUDY_FAULT_H

enum feed_fault {
	FEED_SOUND,   /* none */
	FEED_SILENT,  /* every frame is lost */
	FEED_STARVED, /* every second frame is lost */
	FEED_FROZEN,  /* the picture stands still from the next key frame on */
	FEED_FAULTS
};

#endif
