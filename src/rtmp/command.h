/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands (Adobe RTMP 1.0, 7): taking them apart and writing them. Internal to the RTMP room. */
#ifndef UNDERSTUDY_RTMP_COMMAND_H
#define UNDERSTUDY_RTMP_COMMAND_H

#include <understudy/amf.h>

#include "wire.h"

#define COMMAND_NAME_MAX 32
#define COMMAND_BYTES_MAX (8 * 1024) /* of one that we write */

/* Capabilities of Enhanced RTMP (v2) that are really parsed here. */
enum {
	CAPS_RECONNECT = 1, /* a client's: it obeys a ReconnectRequest */
	CAPS_MULTITRACK = 2,
	CAPS_MODEX = 4,
	CAPS_TIMESTAMP_NANO = 8,
	CAPS_EX = CAPS_MULTITRACK | CAPS_MODEX | CAPS_TIMESTAMP_NANO,
	CAN_FORWARD = 4, /* mask of the FourCC info maps */
};

struct command {
	char name[COMMAND_NAME_MAX]; /* "" if it is longer: no command of ours is */
	double transaction;
	struct amf_reader arguments; /* what follows the transaction id */
	uint32_t stream;             /* message stream it came on */
};

/* From a message of type 20 or 17; false if it is malformed. */
bool command_parse(const struct message *m, struct command *ret);
/* Does it carry one? Types 20 and 17. */
bool command_is(const struct message *m);
/* The next argument as a terminated string; false if it is none, too long or holds a NUL. */
bool command_read_string(struct command *c, char *to, size_t size);
/* Copies a STRING value; same conditions, and what fits is copied even if they fail. */
bool command_copy_string(const struct amf_value *v, char *to, size_t size);

/* The members of an info object that matter. */
struct command_info {
	struct amf_value level, code, description, tc_url; /* UNDEFINED if missing */
	struct amf_value redirect;                         /* `redirect` inside `ex`; likewise */
	bool is_enhanced;                                  /* lists FourCCs or capabilities */
	unsigned caps;                                     /* capsEx, enum caps */
	char codecs[RTMP_CODECS_MAX]; /* FourCCs of fourCcList, each behind a blank */
};
/* Reads an argument that may be an object; anything else is skipped. False if malformed. */
bool command_read_info(struct command *c, struct command_info *ret);
/* Does a property of this name announce Enhanced RTMP? */
bool command_is_enhanced_key(const char *name, uint32_t size);

/* ---- what servers answer ---- */

/* _result of connect: properties and info object; either may be null, or the only one. */
bool command_read_connected(struct command *c, struct command_info *properties,
			    struct command_info *info);
/* _result of createStream: the message stream id. */
bool command_read_created(struct command *c, uint32_t *ret);
/* onStatus and _error: the info object. */
bool command_read_status(struct command *c, struct command_info *ret);
/* A string for people and logs; "" if it is none. */
void command_escape_value(const struct amf_value *v, char *to, size_t size);

/* ---- writing: command_begin, arguments by amf_put_..., command_send ---- */

/* Name and transaction id into a buffer that command_send() frees. */
void command_begin(struct buffer *b, const char *name, double transaction);
/* Properties of Enhanced RTMP, inside an object. `codecs` ends with NULL; `caps` is capsEx. */
void command_put_enhanced(struct buffer *b, const char *const *codecs, unsigned caps);
void command_put_property(struct buffer *b, const char *key, const char *value);
/* Sends and frees. 0 or enum rtmp_error. */
int command_send(struct wire *w, struct buffer *b, uint32_t csid, uint32_t stream);
/* name(transaction, null, { level, code, description }) */
int command_send_status(struct wire *w, const char *name, double transaction, uint32_t stream,
			const char *const status[3]);

#endif
