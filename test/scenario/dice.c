/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Throws dice, and writes what they say (dice.h). Tests only. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "dice.h"
#include "encoder.h"

void dice_init(struct dice *d, uint64_t seed)
{
	d->state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	random_next(&d->state);
}

int64_t dice_roll(struct dice *d, int64_t from, int64_t to)
{
	return from + (int64_t)(random_next(&d->state) % (uint32_t)(to - from + 1));
}

bool dice_chance(struct dice *d, unsigned percent)
{
	return random_next(&d->state) % 100 < percent;
}

/* Where the alternative at `at` ends: at its '|', at the '}' behind it or at the text's end. */
static const char *alternative_end(const char *at)
{
	unsigned depth = 0;

	for (; *at != '\0'; at++) {
		if (depth == 0 && (*at == '|' || *at == '}')) {
			break;
		}
		depth += *at == '{' ? 1 : 0;
		depth -= *at == '}' ? 1 : 0;
	}
	return at;
}

static unsigned alternative_count(const char *at)
{
	unsigned count = 1;

	for (at = alternative_end(at); *at == '|'; at = alternative_end(at + 1)) {
		count++;
	}
	return count;
}

static void say_alternative(struct dice *d, FILE *to, const char *at, const char *end);

/* Writes one of the alternatives from `at` on. Returns where they end. */
static const char *say_one(struct dice *d, FILE *to, const char *at, unsigned chosen)
{
	for (unsigned i = 0;; i++, at++) {
		const char *end = alternative_end(at);

		if (i == chosen) {
			say_alternative(d, to, at, end);
		}
		at = end;
		if (*at != '|') {
			assert(*at == '}');
			return at;
		}
	}
}

/* What stands in braces, from behind the first one on. Returns where the last one is. */
static const char *say_thrown(struct dice *d, FILE *to, const char *at)
{
	int64_t from, until;
	unsigned percent;
	int length = 0;

	if (sscanf(at, "%" SCNd64 "..%" SCNd64 "}%n", &from, &until, &length) == 2 && length > 0) {
		fprintf(to, "%" PRId64, dice_roll(d, from, until));
		return at + length - 1;
	}
	if (sscanf(at, "%u%%%n", &percent, &length) == 1 && length > 0) {
		return say_one(d, to, at + length, dice_chance(d, percent) ? 0 : 1);
	}
	return say_one(d, to, at, (unsigned)dice_roll(d, 0, alternative_count(at) - 1));
}

static void say_alternative(struct dice *d, FILE *to, const char *at, const char *end)
{
	for (; at < end; at++) {
		if (*at == '{') {
			at = say_thrown(d, to, at + 1);
		} else {
			fputc(*at, to);
		}
	}
}

void dice_say(struct dice *d, FILE *to, const char *text)
{
	say_alternative(d, to, text, text + strlen(text));
}
