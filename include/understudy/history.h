/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the history keeps, for whoever writes it (the supervisor) and whoever reads it (the
 * command, reports). The database is known to understudy-history alone: records go there by
 * message, answers come back as lines of JSON.
 *
 * Answers are written into a descriptor of the asker's: one object a line, {"ok":true} first,
 * {"end":true} last, or {"ok":false,"error":"..."}. By subject:
 *
 *   events   {"event":{"id":N,"time":T,"show":S,"kind":K,"text":X, ...}}       oldest first
 *   ledger   {"account":{"show":S,"destination":D|null,"from":T,"to":T,"on_s":..,"off_s":..,
 *              "rest_s":..,"unknown_s":..,"percent":..,"interruptions":N,"longest_off_s":..,
 *              "longest_off_at":T|null,"now":C,"causes":[{"cause":X,"s":..,"times":N}]}}
 *   spans    {"span":{"what":"show|destination|feed","show":S,"name":N,"from":T,"to":T,
 *              "state":X,"class":C,"cause":X}}       states one after the other, for drawing
 *   drills   {"drill":{"time":T,"show":S,"scenario":X,"passed":B,"report":{...}}}
 * Times are RFC 3339 in UTC. The end says {"end":true,"lost":N,"oldest":T|null}: records lost in
 * the period, and where the history begins.
 */
#ifndef UNDERSTUDY_HISTORY_H
#define UNDERSTUDY_HISTORY_H

#include <stdint.h>

#include <understudy/ledger.h>

#define HISTORY_NAME 64
#define HISTORY_WORD 32
#define HISTORY_TEXT 512
#define HISTORY_EXTRA 2048  /* JSON of an event beside its text */
#define HISTORY_REPORT 15360 /* JSON of a drill's report */
#define HISTORY_FOLDER "history" /* in the state directory */
#define HISTORY_FILE "history.db"

enum history_subject {
	HISTORY_NONE, HISTORY_EVENTS, HISTORY_LEDGER, HISTORY_SPANS, HISTORY_DRILLS,
	HISTORY_SUBJECTS
};
/* HISTORY_NONE for a name that is none. */
enum history_subject history_subject_of(const char *name);

enum history_what { HISTORY_SHOW, HISTORY_DESTINATION, HISTORY_FEED, HISTORY_WHATS };

#endif
