/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One line per message on stderr: `LEVEL text key=value ...`. Only programs log.
 * Workers' stderr is a pipe to the supervisor, which adds time and origin, bounds
 * and escapes the line and replaces every secret it knows.
 */
#ifndef UNDERSTUDY_LOG_H
#define UNDERSTUDY_LOG_H

enum log_level { LOG_ERROR = 1, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Lines above this level are not written. Default LOG_INFO. */
void log_set_level(enum log_level level);
const char *log_level_str(enum log_level level);

/* Where lines go instead of stderr (the supervisor formats its own); NULL restores stderr. */
void log_set_sink(void (*sink)(enum log_level level, const char *line));

/* Writes one line of at most 1000 bytes in one write(2); never blocks the caller for long,
 * never fails visibly. Line breaks in the text are escaped. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

#endif
