/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Bounded strings (text.h). Pure: any process, no I/O, no allocation, never blocks. Whatever
 * is cut is cut at a character border, so that cut text is still valid UTF-8.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <understudy/text.h>

/* Length of the UTF-8 character at `p` (RFC 3629: no overlong forms, no surrogates, at most
 * U+10FFFF), 0 if the bytes are none. `left` >= 1. */
static size_t utf8_length(const uint8_t *p, size_t left)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t length, i;

	if (p[0] < 0x80) {
		return 1;
	}
	if (p[0] >= 0xc2 && p[0] <= 0xdf) {
		length = 2;
	} else if ((p[0] & 0xf0) == 0xe0) {
		length = 3;
		low = p[0] == 0xe0 ? 0xa0 : 0x80;
		high = p[0] == 0xed ? 0x9f : 0xbf;
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		length = 4;
		low = p[0] == 0xf0 ? 0x90 : 0x80;
		high = p[0] == 0xf4 ? 0x8f : 0xbf;
	} else {
		return 0;
	}
	if (left < length || p[1] < low || p[1] > high) {
		return 0;
	}
	for (i = 2; i < length; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			return 0;
		}
	}
	return length;
}

/* How many of the first `limit` bytes to keep so that no character is cut in two. There are
 * more than `limit` bytes. */
static size_t text_border(const uint8_t *bytes, size_t limit)
{
	size_t at = limit;

	while (at > 0 && limit - at < 3 && (bytes[at] & 0xc0) == 0x80) {
		at--;
	}
	return (bytes[at] & 0xc0) == 0x80 ? limit : at;
}

bool text_copy(char *to, size_t size, const char *from)
{
	return text_copy_bytes(to, size, from, strlen(from));
}

bool text_copy_bytes(char *to, size_t size, const void *from, size_t from_bytes)
{
	size_t keep = from_bytes;
	bool is_whole = true;

	assert(size > 0);
	if (from_bytes == 0) {
		to[0] = '\0';
		return true;
	}
	if (memchr(from, '\0', from_bytes) != NULL) {
		is_whole = false;
	}
	if (keep > size - 1) {
		keep = text_border(from, size - 1);
		is_whole = false;
	}
	memcpy(to, from, keep);
	to[keep] = '\0';
	return is_whole;
}

/* How many of the `kept` first bytes of something longer to keep, likewise, where what followed
 * them is not known. */
static size_t text_whole(const uint8_t *bytes, size_t kept)
{
	size_t at = kept;

	while (at > 0 && kept - at < 3 && (bytes[at - 1] & 0xc0) == 0x80) {
		at--;
	}
	if (at == 0 || bytes[at - 1] < 0xc0) {
		return kept;
	}
	return utf8_length(bytes + at - 1, kept - at + 1) != 0 ? kept : at - 1;
}

bool text_format_list(char *to, size_t size, const char *format, va_list arguments)
{
	int length;

	assert(size > 0);
	length = vsnprintf(to, size, format, arguments);
	if (length < 0) {
		to[0] = '\0';
		return false;
	}
	if ((size_t)length >= size) {
		to[text_whole((const uint8_t *)to, size - 1)] = '\0';
		return false;
	}
	return true;
}

bool text_format(char *to, size_t size, const char *format, ...)
{
	va_list arguments;
	bool is_whole;

	va_start(arguments, format);
	is_whole = text_format_list(to, size, format, arguments);
	va_end(arguments);
	return is_whole;
}

/* One escaped character into `out` (at least 4 bytes). Returns its length; ret_used is how many
 * bytes it took. */
static size_t text_escape_one(char *out, const uint8_t *p, size_t left, size_t *ret_used)
{
	static const char digits[] = "0123456789abcdef";
	size_t length = utf8_length(p, left);
	bool is_c1 = length == 2 && p[0] == 0xc2 && p[1] < 0xa0; /* terminals obey these too */

	*ret_used = 1;
	if (length == 0 || is_c1 || p[0] < 0x20 || p[0] == 0x7f) {
		out[0] = '\\';
		out[1] = 'x';
		out[2] = digits[p[0] >> 4];
		out[3] = digits[p[0] & 15];
		return 4;
	}
	if (p[0] == '"' || p[0] == '\\') {
		out[0] = '\\';
		out[1] = (char)p[0];
		return 2;
	}
	memcpy(out, p, length);
	*ret_used = length;
	return length;
}

void text_escape(char *to, size_t size, const void *from, size_t from_bytes)
{
	const uint8_t *p = from;
	size_t at = 0;

	assert(size > 0);
	while (from_bytes > 0) {
		char one[4];
		size_t used;
		size_t length = text_escape_one(one, p, from_bytes, &used);

		if (length > size - 1 - at) {
			break;
		}
		memcpy(to + at, one, length);
		at += length;
		p += used;
		from_bytes -= used;
	}
	to[at] = '\0';
}

bool text_is_utf8(const void *bytes, size_t size)
{
	const uint8_t *p = bytes;

	while (size > 0) {
		size_t length = utf8_length(p, size);

		if (length == 0) {
			return false;
		}
		p += length;
		size -= length;
	}
	return true;
}
