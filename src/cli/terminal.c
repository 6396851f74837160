/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Terminal output (terminal.h). */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <understudy/text.h>

#include "terminal.h"

void terminal_init(struct terminal *t, FILE *out)
{
	const char *no_colour = getenv("NO_COLOR"), *kind = getenv("TERM");
	struct winsize size = { .ws_col = 0 };

	if (ioctl(fileno(out), TIOCGWINSZ, &size) < 0) {
		size.ws_col = 0; /* no terminal */
	}

	*t = (struct terminal){
		.out = out,
		.has_colour = isatty(fileno(out)) && (no_colour == NULL || no_colour[0] == '\0') &&
			      (kind == NULL || strcmp(kind, "dumb") != 0),
		.columns = size.ws_col,
	};
}

const char *terminal_begin(const struct terminal *t, enum paint paint)
{
	static const char *const codes[] = {
		[PAINT_NONE] = "",
		[PAINT_BOLD] = "\033[1m",
		[PAINT_DIM] = "\033[2m",
		[PAINT_GOOD] = "\033[1;32m",
		[PAINT_STANDBY] = "\033[36m",
		[PAINT_WARN] = "\033[33m",
		[PAINT_BAD] = "\033[1;31m",
	};

	return t->has_colour ? codes[paint] : "";
}

const char *terminal_end(const struct terminal *t, enum paint paint)
{
	return t->has_colour && paint != PAINT_NONE ? "\033[0m" : "";
}

/* ---- foreign text ---- */

/* Bytes of a character that must not reach a terminal, 0 if it may. */
static size_t steering(const unsigned char *p)
{
	if (p[0] < 0x20 || p[0] == 0x7f) {
		return 1;
	}
	if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f) {
		return 2; /* C1 controls */
	}
	if (p[0] == 0xe2 && p[1] == 0x80 &&
	    ((p[2] >= 0x8e && p[2] <= 0x8f) || (p[2] >= 0xa8 && p[2] <= 0xae))) {
		return 3; /* U+200E, 200F, 2028-202E */
	}
	if (p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9) {
		return 3; /* U+2066-2069 */
	}
	return 0;
}

static size_t character_size(unsigned char first)
{
	return first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

void terminal_copy(char *to, size_t size, const char *from)
{
	const unsigned char *p = (const unsigned char *)from;
	size_t used = 0;

	while (*p != '\0') {
		size_t bad = steering(p), bytes = bad > 0 ? bad : character_size(*p);

		bytes = strnlen((const char *)p, bytes);
		if (used + (bad > 0 ? 1 : bytes) >= size) {
			break;
		}
		if (bad > 0) {
			to[used++] = '?';
		} else {
			memcpy(to + used, p, bytes);
			used += bytes;
		}
		p += bytes;
	}
	to[used] = '\0';
}

static size_t width(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++) {
		count += ((unsigned char)*text & 0xc0) != 0x80;
	}
	return count;
}

/* ---- tables ---- */

void table_init(struct table *t, unsigned columns, const char *const heads[])
{
	*t = (struct table){ .columns = columns };
	struct table_cell *row = table_add_row(t);

	for (unsigned i = 0; row != NULL && i < columns; i++) {
		cell_set(&row[i], PAINT_DIM, "%s", heads[i]);
	}
}

void table_finish(struct table *t)
{
	free(t->cells);
	*t = (struct table){ .columns = 0 };
}

struct table_cell *table_add_row(struct table *t)
{
	if (t->rows == t->capacity) {
		size_t capacity = t->capacity == 0 ? 8 : 2 * t->capacity;
		void *cells = realloc(t->cells, capacity * sizeof(*t->cells));

		if (cells == NULL) {
			return NULL;
		}
		t->cells = cells;
		t->capacity = capacity;
	}
	memset(t->cells[t->rows], 0, sizeof(*t->cells));
	return t->cells[t->rows++];
}

void cell_set(struct table_cell *cell, enum paint paint, const char *format, ...)
{
	char raw[2 * TABLE_CELL];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(raw, sizeof(raw), format, arguments);
	va_end(arguments);
	terminal_copy(cell->text, sizeof(cell->text), raw);
	cell->paint = paint;
}

static void print_row(const struct table *t, const struct table_cell *row, const size_t *widest,
		      const struct terminal *terminal)
{
	unsigned last = t->columns - 1;
	size_t total = 2 + width(row[last].text);

	for (unsigned i = 0; i < last; i++) {
		total += 2 + widest[i];
	}
	bool is_broken = terminal->columns > 0 && total > terminal->columns;

	for (unsigned i = 0; i <= last; i++) {
		bool is_padded = i + (is_broken ? 1 : 0) < last;

		fprintf(terminal->out, "%s  %s%s%s%*s", is_broken && i == last ? "\n    " : "",
			terminal_begin(terminal, row[i].paint), row[i].text,
			terminal_end(terminal, row[i].paint),
			is_padded ? (int)(widest[i] - width(row[i].text)) : 0, "");
	}
	fputc('\n', terminal->out);
}

void table_print(const struct table *t, const struct terminal *terminal)
{
	size_t widest[TABLE_COLUMNS] = { 0 };

	for (size_t row = 0; row < t->rows; row++) {
		for (unsigned i = 0; i < t->columns; i++) {
			size_t w = width(t->cells[row][i].text);
			widest[i] = w > widest[i] ? w : widest[i];
		}
	}
	for (size_t row = 0; row < t->rows; row++) {
		print_row(t, t->cells[row], widest, terminal);
	}
}

/* ---- times ---- */

void format_duration(char *to, size_t size, int64_t seconds)
{
	if (seconds < 0) {
		seconds = 0;
	}
	text_format(to, size, "%lld:%02d:%02d", (long long)(seconds / 3600),
		    (int)(seconds / 60 % 60), (int)(seconds % 60));
}

int64_t parse_time_ms(const char *text)
{
	struct tm utc = { 0 };
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
	int ms = 0;

	if (rest == NULL) {
		return -1;
	}
	if (*rest == '.') {
		int scale = 100;
		for (rest++; *rest >= '0' && *rest <= '9'; rest++, scale /= 10) {
			ms += (*rest - '0') * scale;
		}
	}
	return strcmp(rest, "Z") == 0 ? (int64_t)timegm(&utc) * 1000 + ms : -1;
}

void format_utc_time(char *to, size_t size, int64_t time_ms)
{
	time_t seconds = (time_t)(time_ms / 1000);
	struct tm utc;
	char text[32];

	gmtime_r(&seconds, &utc);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	text_format(to, size, "%s.%03dZ", text, (int)(time_ms % 1000));
}

void format_local_time(char *to, size_t size, int64_t time_ms)
{
	time_t seconds = (time_t)(time_ms / 1000);
	struct tm local;
	char text[32];

	localtime_r(&seconds, &local);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local);
	text_format(to, size, "%s.%03d", text, (int)(time_ms % 1000));
}
