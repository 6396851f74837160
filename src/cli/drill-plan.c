/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a scenario consists of (drill.h). Computes only. */
#include <stdio.h>
#include <string.h>

#include <understudy/text.h>

#include "drill.h"

enum subject { ON_FIRST, ON_FEEDS, ON_DESTINATION, ON_ROLE };

static const struct scenario {
	const char *name;
	enum drill_kind kind;
	enum subject subject;
} scenarios[] = {
	{ "pull-primary", DRILL_PULL, ON_FIRST },
	{ "stall-primary", DRILL_STALL, ON_FIRST },
	{ "starve-primary", DRILL_STARVE, ON_FIRST },
	{ "freeze-primary", DRILL_FREEZE, ON_FIRST },
	{ "flap", DRILL_FLAP, ON_FIRST },
	{ "chain", DRILL_CHAIN, ON_FEEDS },
	{ "pull-all", DRILL_ALL, ON_FEEDS },
	{ "lose-destination", DRILL_LOSE, ON_DESTINATION },
	{ "kill-worker", DRILL_KILL, ON_ROLE },
};
#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

/* What there is to rehearse with. */
struct scene {
	const struct explain_facts *facts;
	const json_t *show; /* its part of the status */
};

void drill_list_scenarios(char *to, size_t size)
{
	to[0] = '\0';
	for (size_t i = 0; i < SCENARIOS; i++) {
		static const char *const arguments[] = { "", "", " NAME", " ROLE" };
		size_t used = strlen(to);

		text_format(to + used, size - used, "%s%s, ", scenarios[i].name,
			    arguments[scenarios[i].subject]);
	}
	size_t used = strlen(to);
	text_format(to + used, size - used, "all");
}

static const char *name_of(const json_t *object)
{
	const char *name = json_string_value(json_object_get(object, "name"));

	return name != NULL ? name : "";
}

static const char *state_of(const json_t *object)
{
	const char *state = json_string_value(json_object_get(object, "state"));

	return state != NULL ? state : "";
}

/* The feeds of encoders that are there, in order of preference. */
static unsigned add_feeds(struct drill_step *step, const struct explain_facts *facts, unsigned most)
{
	for (unsigned i = 0; i < facts->feed_count && step->target_count < most; i++) {
		const struct explain_feed *feed = &facts->feeds[i];

		if (!feed->is_slate && strcmp(feed->state, "offline") != 0) {
			text_copy(step->targets[step->target_count++], EXPLAIN_NAME, feed->name);
		}
	}
	return step->target_count;
}

static struct drill_step *add_step(struct drill_plan *plan, const struct scenario *scenario,
				   const char *argument)
{
	struct drill_step *step = &plan->steps[plan->count++];

	*step = (struct drill_step){ .kind = scenario->kind };
	text_format(step->name, sizeof(step->name), "%s%s%s", scenario->name,
		    argument[0] != '\0' ? " " : "", argument);
	return step;
}

static bool has_destination(const json_t *show, const char *name)
{
	const json_t *d;
	size_t i;

	json_array_foreach(json_object_get(show, "destinations"), i, d) {
		if (strcmp(name_of(d), name) == 0) {
			return true;
		}
	}
	return false;
}

static bool plan_feeds(struct drill_step *step, const struct explain_facts *facts, unsigned most,
		       char *error, size_t size)
{
	if (add_feeds(step, facts, most) == 0) {
		text_format(error, size, "no encoder is connected: start the encoders first");
		return false;
	}
	return true;
}

static bool plan_named(struct drill_step *step, const char *argument, bool is_known,
		       const char *what, char *error, size_t size)
{
	if (!is_known) {
		text_format(error, size, "%s needs %s", step->name, what);
		return false;
	}
	step->target_count = 1;
	text_copy(step->targets[0], EXPLAIN_NAME, argument);
	return true;
}

static bool plan_one(const struct scene *scene, const struct scenario *scenario,
		     const char *argument, struct drill_plan *plan, char *error, size_t size)
{
	struct drill_step *step = add_step(plan, scenario, argument);

	switch (scenario->subject) {
	case ON_FIRST:
		return plan_feeds(step, scene->facts, 1, error, size);
	case ON_FEEDS:
		return plan_feeds(step, scene->facts, DRILL_TARGETS, error, size);
	case ON_DESTINATION:
		return plan_named(step, argument, has_destination(scene->show, argument),
				  "the name of a destination; `understudy status` lists them",
				  error, size);
	default:
		return plan_named(step, argument, argument[0] != '\0',
				  "a worker's role: switch, ingest-rtmp, relay-rtmp, ...", error,
				  size);
	}
}

static void plan_if_possible(const struct scene *scene, const struct scenario *scenario,
			     const char *argument, struct drill_plan *plan)
{
	char unused[256];

	if (plan->count < DRILL_STEPS_MAX &&
	    !plan_one(scene, scenario, argument, plan, unused, sizeof(unused))) {
		plan->count--;
	}
}

static void plan_destinations(const struct scene *scene, const struct scenario *scenario,
			      struct drill_plan *plan)
{
	const json_t *d;
	size_t i;

	json_array_foreach(json_object_get(scene->show, "destinations"), i, d) {
		if (strcmp(state_of(d), "live") == 0) {
			plan_if_possible(scene, scenario, name_of(d), plan);
		}
	}
}

/* Whatever can be rehearsed with what is there now. */
static void plan_all(const struct scene *scene, struct drill_plan *plan)
{
	for (size_t i = 0; i < SCENARIOS; i++) {
		if (scenarios[i].subject == ON_DESTINATION) {
			plan_destinations(scene, &scenarios[i], plan);
		} else {
			plan_if_possible(scene, &scenarios[i],
					 scenarios[i].subject == ON_ROLE ? "switch" : "", plan);
		}
	}
}

/* "lose-destination youtube", also with `=` or `:` between. */
static const char *split(const char *text, char *name, size_t size)
{
	size_t length = strcspn(text, " =:");

	text_format(name, size, "%.*s", (int)length, text);
	return text[length] == '\0' ? "" : text + length + 1;
}

bool drill_plan(const struct explain_facts *facts, const json_t *show, const char *scenario,
		bool is_hard, struct drill_plan *ret, char *error, size_t size)
{
	const struct scene scene = { .facts = facts, .show = show };
	char name[EXPLAIN_NAME], list[256];
	const char *argument = split(scenario, name, sizeof(name));

	ret->count = 0;
	if (strcmp(name, "all") == 0) {
		plan_all(&scene, ret);
		return true;
	}
	for (size_t i = 0; i < SCENARIOS; i++) {
		if (strcmp(name, scenarios[i].name) == 0) {
			bool is_planned = plan_one(&scene, &scenarios[i], argument, ret, error,
						   size);

			if (is_hard && ret->steps[0].kind == DRILL_PULL) {
				ret->steps[0].kind = DRILL_CLOSE;
			}
			return is_planned;
		}
	}
	drill_list_scenarios(list, sizeof(list));
	text_format(error, size, "there is no scenario `%s`; there are %s", name, list);
	return false;
}
