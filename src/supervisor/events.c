/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Events: what people want to know as it happens. Logged, kept in the history, the newest also in
 * memory, and sent to those who follow.
 */
#include <stdarg.h>
#include <string.h>

#include <understudy/clock.h>
#include <understudy/log.h>
#include <understudy/text.h>

#include "supervisor.h"

#define EVENTS_KEPT 1000

/* " gap_ms=0 noticed_ms_ago=3": what of an event is a number. */
static void event_numbers(const json_t *extra, char *to, size_t size)
{
	const json_t *value;
	const char *key;
	size_t used = 0;

	to[0] = '\0';
	json_object_foreach((json_t *)extra, key, value) {
		if (json_is_integer(value)) {
			text_format(to + used, size - used, " %s=%" JSON_INTEGER_FORMAT, key,
				    json_integer_value(value));
			used += strlen(to + used);
		}
	}
}

/* Unique, and rising whatever is done to the clock. */
static int64_t next_id(struct supervisor *sup, int64_t wall_us)
{
	sup->last_event = wall_us > sup->last_event ? wall_us : sup->last_event + 1;
	return sup->last_event;
}

void events_add(struct supervisor *sup, const char *show, const char *kind, json_t *extra,
		const char *format, ...)
{
	char text[512], when[32], numbers[128];
	int64_t wall_us = clock_wall_us();
	va_list args;

	va_start(args, format);
	text_format_list(text, sizeof(text), format, args);
	va_end(args);
	secrets_redact(&sup->secrets, text);
	status_time(when, wall_us);
	event_numbers(extra, numbers, sizeof(numbers));
	log_info("%s show=%s: %s%s", kind, show, text, numbers);
	int64_t id = next_id(sup, wall_us);
	json_t *event = json_pack("{s:I, s:s, s:s, s:s, s:s}", "id", (json_int_t)id, "time", when,
				  "show", show, "kind", kind, "text", text);

	history_event(sup, id, show, kind, text, extra);
	if (extra != NULL) {
		json_object_update(event, extra);
		json_decref(extra);
	}
	json_array_append_new(sup->events, event);
	if (json_array_size(sup->events) > EVENTS_KEPT) {
		json_array_remove(sup->events, 0);
	}
	control_publish(sup, event);
}
