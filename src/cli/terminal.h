/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What people see: text of others made safe, colours only where they are wanted, tables. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

enum paint { PAINT_NONE, PAINT_BOLD, PAINT_DIM, PAINT_GOOD, PAINT_STANDBY, PAINT_WARN, PAINT_BAD };

struct terminal {
	FILE *out;
	bool has_colour;
	unsigned columns; /* 0 = any number */
};

/* Colours if `out` is a terminal and NO_COLOR is not set. */
void terminal_init(struct terminal *t, FILE *out);
/* Before and after painted text; "" without colours. */
const char *terminal_begin(const struct terminal *t, enum paint paint);
const char *terminal_end(const struct terminal *t, enum paint paint);

/* Copies text of others (valid UTF-8, as JSON is) with `?` for everything that could steer a
 * terminal: control characters and those that turn the direction of writing. */
void terminal_copy(char *to, size_t size, const char *from);

#define TABLE_COLUMNS 8
#define TABLE_CELL 192

struct table_cell {
	char text[TABLE_CELL];
	enum paint paint;
};
struct table {
	unsigned columns;
	size_t rows, capacity;
	struct table_cell (*cells)[TABLE_COLUMNS]; /* owned */
};

/* `heads` has `columns` texts. */
void table_init(struct table *t, unsigned columns, const char *const heads[]);
void table_finish(struct table *t);
/* A new, empty row, or NULL if memory is out. */
struct table_cell *table_add_row(struct table *t);
/* Printf into a cell, then made safe. */
void cell_set(struct table_cell *cell, enum paint paint, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Two spaces before and between columns; the last one is not padded. Where a row is wider than the
 * terminal, its last cell goes to a line of its own. */
void table_print(const struct table *t, const struct terminal *terminal);

/* "1:02:33" */
void format_duration(char *to, size_t size, int64_t seconds);
/* Unix time of "2026-11-21T09:10:11.123Z" in milliseconds, or -1. */
int64_t parse_time_ms(const char *text);
/* The reverse. */
void format_utc_time(char *to, size_t size, int64_t time_ms);
/* The same moment in local time: "2026-11-21 10:10:11.123". */
void format_local_time(char *to, size_t size, int64_t time_ms);

#endif
