/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How feeds are, for people and programs (condition.c). In the supervisor; reads its inventory. */
#ifndef SUPERVISOR_CONDITION_H
#define SUPERVISOR_CONDITION_H

#include "supervisor.h"

/* [{signal, text, acute, value, unit, since, enter, leave, hold_ms}]: what is wrong with it now. */
json_t *condition_health_json(const struct feed *feed);
/* [{field, name, severity, this, reference}]: how it differs from the reference format. */
json_t *condition_mismatch_json(const struct feed *feed);
/* [{name, text}]: what is unwise about it, whatever the others are like. */
json_t *condition_warnings_json(const struct feed *feed);
/* False, and why, if the show could not go to it now. */
bool condition_can_be_shown(const struct feed *feed, char *why, size_t size);
/* True, and why, if the word `auto` lets the show return to nobody as things are now. */
bool condition_stays(const struct show *show, char *why, size_t size);
/* {feed, format, settled} or null. */
json_t *condition_reference_json(const struct show *show);
/* A new status has come: tells people once of each connection's format. */
void condition_update(struct show *show);

#endif
