/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bounded strings: copying, escaping for logs, comparing. No allocation. */
#ifndef UNDERSTUDY_TEXT_H
#define UNDERSTUDY_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* Copies at most size - 1 bytes, cut at a character border, and always terminates (size >= 1).
 * Returns true if all fitted; false also if the bytes hold a NUL, as the string then is not
 * what came in. */
bool text_copy(char *to, size_t size, const char *from);
bool text_copy_bytes(char *to, size_t size, const void *from, size_t from_bytes);

/* printf into `to`, cut at a character border, always terminated. Returns true if all fitted. */
bool text_format(char *to, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool text_format_list(char *to, size_t size, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));

/* Copies foreign bytes so that they are safe in a log line or JSON: valid UTF-8 is
 * kept, control bytes and invalid sequences become \xNN, quotes and backslashes are
 * escaped; cut at a character border. Always terminated. */
void text_escape(char *to, size_t size, const void *from, size_t from_bytes);

bool text_is_utf8(const void *bytes, size_t size);

#endif
