/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A still picture and silence as a recording in a given format. slate; blocks on its file only.
 *
 * It looks to a platform like the feed it stands in for: codecs, resolution, frame rate, profile,
 * level, chroma and bit depth, distance of key frames, reordering, sample rate and channels.
 */
#ifndef SLATE_ENCODE_H
#define SLATE_ENCODE_H

#include <understudy/ipc.h>

#include "canvas.h"

/* Into the file, from its beginning. The length in milliseconds, or a negative errno with `why` in
 * words. `canvas` NULL: sound only. */
int encode_slate(const struct format *format, const struct canvas *canvas, int file,
		 char why[IPC_TEXT]);

#endif
