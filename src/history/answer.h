/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Answers to questions about the history (history.h). Blocks on the disk and on the asker. */
#ifndef HISTORY_ANSWER_H
#define HISTORY_ANSWER_H

#include <understudy/ipc.h>

/* Writes the whole answer, or why there is none. */
void answer(const char *file, const struct ipc_history_read *question, int output);

#endif
