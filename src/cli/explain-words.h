/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside the words of `explain`: explain-words.c and explain-cases.c. */
#ifndef CLI_EXPLAIN_WORDS_H
#define CLI_EXPLAIN_WORDS_H

#include "explain.h"

#define TWIN_MARGIN_MS 100 /* likewise, beyond what twins' lags differ by */
#define TWIN_LATE_MS 400   /* what comes later than this is not sent as it is */

struct outlook {
	const struct explain_facts *facts;
	const struct explain_feed *subject; /* live, or the most preferred one */
	const struct explain_feed *next;    /* takes over; NULL = none */
	const struct explain_feed *twin;    /* can carry on the subject's encode; NULL = none */
	int64_t earlier_ms;                 /* than it comes a feed is shown at most: offset_ms */
	int64_t needed_ms;                  /* for the promise; EXPLAIN_UNKNOWN */
	bool is_measured;                   /* a relay runs, and some feed has come */
};

/* How long the subject may be silent. A feed is silent only after three of its frames. */
int64_t explain_stall_ms(const struct outlook *o);
/* No gap is promised while key frames are at most so far apart; none are near enough if it is
 * not above 0. */
int64_t explain_promised_gop_ms(const struct outlook *o);

/* What platforms will see change with the next feed, "" if nothing. */
const char *explain_format_change(const struct outlook *o);

/* By how much the twins' lags differ. */
int64_t explain_twin_lag_ms(const struct outlook *o);
/* What losing the one that comes first is worth: 0 if the delay covers it. */
int64_t explain_twin_pause_ms(const struct outlook *o);

struct explain_item *explain_item_add(struct explanation *e, enum explain_section section,
				      const char *key);
void explain_cases(struct explanation *e, const struct outlook *o);

/* ---- text ---- */

#define SECONDS_SIZE 24
/* "800 ms", "3.0 s", "2.25 s" */
const char *explain_seconds(char to[SECONDS_SIZE], int64_t ms);

/* Appends, as far as there is room. */
void explain_add(char *to, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
#define SAY(item, ...) explain_add((item)->text, sizeof((item)->text), __VA_ARGS__)
#define TITLE(item, ...) explain_add((item)->head, sizeof((item)->head), __VA_ARGS__)

#endif
