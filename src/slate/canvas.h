/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a slate shows: a plain ground, a picture on it, words on that. slate; blocks on the files it
 * is given only.
 */
#ifndef SLATE_CANVAS_H
#define SLATE_CANVAS_H

#include <stdbool.h>
#include <stdint.h>

#define CANVAS_TEXT 160

struct canvas {
	unsigned width, height;
	uint8_t *pixels; /* owned: red, green, blue, red, ... */
};

/* 0 or -ENOMEM. */
int canvas_init(struct canvas *c, unsigned width, unsigned height);
void canvas_finish(struct canvas *c);
/* A PNG, JPEG or WebP file, as large as it fits, in the middle. 0, or a negative errno with `why`
 * in words. */
int canvas_draw_picture(struct canvas *c, int fd, char why[CANVAS_TEXT]);
/* UTF-8, a line each; in the middle, or at the foot where there is a picture. Likewise. */
int canvas_draw_text(struct canvas *c, int font, const char *text, bool is_at_foot,
		     char why[CANVAS_TEXT]);

#endif
