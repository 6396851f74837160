/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Publisher authentication of Adobe Media Server and Limelight, as its users know it from FMLE:
 * connect is refused with a description that holds a challenge, and asked again on a new
 * connection with the answer in the application's parameters.
 *
 *     connect app                                 -> _error "... authmod=adobe ..."
 *     connect app?authmod=adobe&user=U            -> _error "... ?reason=needauth&salt=..."
 *     connect app?authmod=adobe&user=U&response=R -> _result
 *
 * The challenge is foreign text: read by a bounded reader of our own. MD5 is what the scheme
 * asks for; it guards nothing here but the platform's own door.
 */
#ifndef RELAY_AUTH_H
#define RELAY_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUTH_PARAMETERS_MAX 512

struct auth {
	unsigned steps;                       /* answers given for this dial */
	char parameters[AUTH_PARAMETERS_MAX]; /* what follows the application; "" = nothing */
};

enum auth_result {
	AUTH_AGAIN,    /* connect anew with the parameters */
	AUTH_NO_LOGIN, /* it asks, and the destination has no user and password */
	AUTH_REFUSED,  /* user or password are wrong */
	AUTH_UNKNOWN,  /* not understood */
};
/* A sentence for people; "" for AGAIN. */
const char *auth_str(enum auth_result result);

/* Is this description of a refused connect a challenge? */
bool auth_is_challenge(const char *description);
/* `random` any 32 bits. */
enum auth_result auth_answer(struct auth *a, const char *description, const char *app,
			     const char *user, const char *password, uint32_t random);

#endif
