/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A report as one self-contained HTML page: what happened drawn along the time, then in words. No
 * script, nothing loaded from anywhere; every text of others is escaped.
 *
 *   page.c        the page: verdict, steps, ledger, events
 *   page-lanes.c  the drawing: a lane for each feed and destination
 */
#ifndef CLI_PAGE_H
#define CLI_PAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

/* Arrays as the history tells them (history.h) and as a drill reports them; any may be NULL. */
struct page {
	const char *show;
	const char *title; /* "Rehearsal pull-primary" */
	bool has_verdict, has_held;
	int64_t from_ms, to_ms; /* Unix time */
	const json_t *spans, *events, *accounts, *steps;
};

void page_write(FILE *out, const struct page *page);

/* ---- for page-lanes.c ---- */

/* Escaped for HTML, attributes as well. */
void page_text(FILE *out, const char *text);
const char *page_string(const json_t *object, const char *key);
void page_write_lanes(FILE *out, const struct page *page);

#endif
