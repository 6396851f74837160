/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What workers, and the libraries in them, print: line by line into our log, bounded, with no
 * control bytes, and every secret blanked. Runs in the supervisor; blocks on nothing.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <understudy/log.h>
#include <understudy/text.h>

#include "supervisor.h"

static enum log_level line_level(const char **text)
{
	for (enum log_level level = LOG_ERROR; level <= LOG_DEBUG; level++) {
		const char *word = log_level_str(level);
		size_t size = strlen(word);

		if (strncmp(*text, word, size) == 0 && (*text)[size] == ' ') {
			*text += size;
			*text += strspn(*text, " ");
			return level;
		}
	}
	return LOG_WARN; /* a library or the C runtime speaks */
}

/* Workers escape what is foreign; this is for workers that are not themselves any more. */
static void line_tame(char *line)
{
	bool is_text = text_is_utf8(line, strlen(line));

	for (unsigned char *p = (unsigned char *)line; *p != '\0'; p++) {
		if (*p < 0x20 || *p == 0x7f || (*p >= 0x80 && !is_text)) {
			*p = '?';
		}
	}
}

static void child_log_line(struct child *child, const char *bytes, size_t size)
{
	char line[LOG_LINE_MAX];
	const char *text = line;

	text_copy_bytes(line, sizeof(line), bytes, size);
	secrets_redact(&child->supervisor->secrets, line);
	line_tame(line);
	enum log_level level = line_level(&text);
	if (*text != '\0') {
		log_line(level, "%s: %s", child->label, text);
	}
}

static void child_log_flush(struct child *child)
{
	if (child->line_bytes > 0) {
		child_log_line(child, child->line, child->line_bytes);
		child->line_bytes = 0;
	}
}

static void child_log_bytes(struct child *child, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '\n' || child->line_bytes == sizeof(child->line) - 1) {
			child_log_flush(child);
		}
		if (bytes[i] != '\n') {
			child->line[child->line_bytes++] = bytes[i];
		}
	}
}

void child_log_ready(evutil_socket_t fd, short what, void *context)
{
	struct child *child = context;
	char bytes[4096];
	ssize_t got = read(fd, bytes, sizeof(bytes));

	(void)what;
	if (got > 0) {
		child_log_bytes(child, bytes, (size_t)got);
	} else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
		event_del(child->log_event);
	}
}

void child_log_finish(struct child *child)
{
	char bytes[4096];
	ssize_t got;

	while ((got = read(child->log_fd, bytes, sizeof(bytes))) > 0) {
		child_log_bytes(child, bytes, (size_t)got);
	}
	child_log_flush(child);
}
