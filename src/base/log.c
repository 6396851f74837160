/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Log lines (log.h). Every program, never the pure rooms. One write(2) a line, at most PIPE_BUF
 * bytes, so lines of several processes never mix; it may block for as long as the reader of a
 * full pipe takes, unless the descriptor is non-blocking: then the line is lost.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <understudy/log.h>
#include <understudy/text.h>

#define LOG_LINE_MAX 1000

static enum log_level log_limit = LOG_INFO;
static void (*log_sink)(enum log_level level, const char *line);

void log_set_level(enum log_level level)
{
	log_limit = level;
}

const char *log_level_str(enum log_level level)
{
	static const char *const names[] = {
		[LOG_ERROR] = "error",
		[LOG_WARN] = "warn",
		[LOG_INFO] = "info",
		[LOG_DEBUG] = "debug",
	};

	return level >= LOG_ERROR && level <= LOG_DEBUG ? names[level] : "unknown";
}

void log_set_sink(void (*sink)(enum log_level level, const char *line))
{
	log_sink = sink;
}

/* Escapes control bytes, and only them: the text is ours, foreign parts were escaped already. */
static void log_flatten(char *to, size_t size, const char *from)
{
	static const char digits[] = "0123456789abcdef";
	size_t at = 0;

	for (; *from != '\0'; from++) {
		unsigned char c = (unsigned char)*from;
		bool is_control = c < 0x20 || c == 0x7f;

		if (at + (is_control ? 4 : 1) >= size) {
			break;
		}
		if (!is_control) {
			to[at++] = *from;
			continue;
		}
		to[at++] = '\\';
		to[at++] = 'x';
		to[at++] = digits[c >> 4];
		to[at++] = digits[c & 15];
	}
	to[at] = '\0';
}

static void log_write_stderr(enum log_level level, const char *text)
{
	char line[LOG_LINE_MAX + 1];
	size_t length;
	ssize_t done;

	text_format(line, sizeof line - 1, "%s %s", log_level_str(level), text);
	length = strlen(line);
	line[length++] = '\n';
	do {
		done = write(STDERR_FILENO, line, length);
	} while (done < 0 && errno == EINTR);
}

void log_line(enum log_level level, const char *format, ...)
{
	int saved_errno = errno;
	char raw[LOG_LINE_MAX], text[LOG_LINE_MAX];
	va_list arguments;
	int length;

	if (level > log_limit) {
		return;
	}
	va_start(arguments, format);
	length = vsnprintf(raw, sizeof raw, format, arguments);
	va_end(arguments);
	if (length >= 0) {
		log_flatten(text, sizeof text, raw);
		if (log_sink != NULL) {
			log_sink(level, text);
		} else {
			log_write_stderr(level, text);
		}
	}
	errno = saved_errno;
}
