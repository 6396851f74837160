/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who may come in: the table of feeds, and what a caller's streamid says. ingest-srt; asked from
 * libsrt's receiving thread, so everything is in memory and nothing blocks but the door's own lock.
 */
#ifndef INGEST_SRT_DOOR_H
#define INGEST_SRT_DOOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <understudy/ipc.h>
#include <understudy/policy.h>

#define DOOR_FEEDS_MAX 1024
#define DOOR_WAITING_MAX 16

enum door_answer {
	DOOR_OPEN,
	DOOR_UNKNOWN,   /* no feed has this key */
	DOOR_FORBIDDEN, /* not to publish, or too many wrong keys from there */
	DOOR_CONFLICT,  /* another encoder with this key came in less than a second ago */
	DOOR_ANSWERS
};

/* Let in, but not there yet: the passphrase is tried after we have said yes. */
struct door_waiting {
	int64_t since_us; /* 0 = free */
	char peer[IPC_NAME];
	char show[IPC_NAME], feed[IPC_NAME];
};

struct door {
	pthread_mutex_t lock; /* for all of it */
	uint8_t salt[16];
	struct ipc_srt_feed *feeds, *staged; /* owned */
	int64_t *taken_us;                   /* of each feed: when an encoder came in last */
	uint32_t count, staged_count;
	struct rate_table wrong;
	struct door_waiting waiting[DOOR_WAITING_MAX];
	uint64_t refused[DOOR_ANSWERS];
	char refused_peer[DOOR_ANSWERS][IPC_NAME]; /* the last one */
};

/* What a streamid asks for. */
struct door_wish {
	char key[IPC_KEY];
	bool is_publish;
};

/* "KEY", "#!::r=KEY,m=publish", both also URL-encoded; `u=` and the like are ignored. */
void door_read_streamid(const char *streamid, struct door_wish *ret);

int door_init(struct door *d);
void door_finish(struct door *d);
/* A piece of the table; true once it is whole and in force. */
bool door_learn(struct door *d, const struct ipc_srt_feeds *piece);
/* Copies the feed of the key into *ret (which holds a secret) if the answer is DOOR_OPEN. */
enum door_answer door_ask(struct door *d, const char *streamid, const char *peer,
			  const struct sockaddr *address, int64_t now_us, struct ipc_srt_feed *ret);
/* The caller has come in: *ret is its feed; false if the table does not know it any more. */
bool door_enter(struct door *d, const char *streamid, const char *peer, int64_t now_us,
		struct ipc_srt_feed *ret);
/* One who was let in and did not come within `limit_us`; false if there is none. */
bool door_missing(struct door *d, int64_t now_us, int64_t limit_us, struct door_waiting *ret);
/* How many were refused so since the last call; *ret_peer is the last one's address. */
uint64_t door_refused(struct door *d, enum door_answer answer, char ret_peer[IPC_NAME]);

#endif
