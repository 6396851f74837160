/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ledger as people and spreadsheets read it. Rendering only. */
#ifndef CLI_LEDGER_H
#define CLI_LEDGER_H

#include <jansson.h>

#include "terminal.h"

/* `accounts`: array of the accounts of history.h; `end`: the answer's last line. */
void ledger_print(const struct terminal *t, const json_t *accounts, const json_t *end);
void ledger_print_csv(FILE *out, const json_t *accounts);

#endif
