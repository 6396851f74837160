/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Dice, and texts with dice in them. The same seed throws the same whatever compiler built the
 * program: two throws among the arguments of one call would not, since C leaves their order open.
 * Tests only.
 */
#ifndef UNDERSTUDY_TEST_SCENARIO_DICE_H
#define UNDERSTUDY_TEST_SCENARIO_DICE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct dice {
	uint64_t state;
};

void dice_init(struct dice *d, uint64_t seed);

/* A number of [from, to]. */
int64_t dice_roll(struct dice *d, int64_t from, int64_t to);

/* True in `percent` of 100 cases. */
bool dice_chance(struct dice *d, unsigned percent);

/* Writes `text` with its braces thrown, in their order: {1..9} is a number, {a|b|c} one of them,
 * {30%a|b} in 30 of 100 cases a, else b; nothing where the part behind '|' is missing. What stands
 * in braces may have braces in it. */
void dice_say(struct dice *d, FILE *to, const char *text);

#endif
