/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What libavformat has to say, for the program that uses it: warnings and worse, a line each,
 * bounded in length and number. Never blocks. */
#include <stdio.h>
#include <string.h>

#include <libavutil/log.h>

#include <understudy/clock.h>
#include <understudy/mux.h>

#define LINE_BYTES 300
#define WINDOW_US 10000000
#define LINES_MAX 8 /* in a window */

static void (*log_say)(const char *line);

static bool is_within_bounds(void)
{
	static int64_t window_us;
	static unsigned lines;
	int64_t now_us = clock_monotonic_us();

	if (now_us - window_us > WINDOW_US || window_us == 0) {
		window_us = now_us;
		lines = 0;
	}
	return lines++ < LINES_MAX;
}

static void on_library_log(void *object, int level, const char *format, va_list arguments)
{
	char line[LINE_BYTES];
	int prefix = 1;

	if (level > AV_LOG_WARNING || log_say == NULL || !is_within_bounds()) {
		return;
	}
	av_log_format_line2(object, level, format, arguments, line, sizeof(line), &prefix);
	line[strcspn(line, "\r\n")] = '\0';
	if (line[0] != '\0') {
		log_say(line);
	}
}

void mux_set_log(void (*say)(const char *line))
{
	log_say = say;
	av_log_set_callback(on_library_log);
}
