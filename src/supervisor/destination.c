/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Destinations: which relay carries each, and whether it is to be served now. */
#include <stdlib.h>
#include <string.h>

#include <understudy/clock.h>
#include <understudy/text.h>

#include "supervisor.h"

struct destination *destination_create(struct show *show, const struct config_destination *config)
{
	struct destination *d = calloc(1, sizeof(*d));

	if (d == NULL) {
		return NULL;
	}
	d->show = show;
	d->config = config;
	d->id = ++show->supervisor->next_destination;
	d->status.state = DESTINATION_STOPPED;
	d->status.since_us = clock_monotonic_us();
	TAILQ_INSERT_TAIL(&show->destinations, d, entry);
	return d;
}

static struct relay *shared_relay(struct show *show)
{
	struct relay *relay;

	TAILQ_FOREACH(relay, &show->relays, entry) {
		if (relay->is_shared) {
			return relay;
		}
	}
	return relay_create(show, ROLE_RELAY_RTMP, true);
}

void destination_assign(struct destination *d)
{
	bool is_left_out = d->show->practice != NULL && d->stand_in == NULL;

	if (d->config->kind == DESTINATION_INACTIVE || d->is_paused || is_left_out) {
		return;
	}
	if (output_role(d->config) != ROLE_NONE) {
		d->relay = relay_create(d->show, output_role(d->config), false);
	} else if (d->config->isolate) {
		d->relay = relay_create(d->show, ROLE_RELAY_RTMP, false);
	} else {
		d->relay = shared_relay(d->show);
	}
	if (d->relay == NULL) {
		return;
	}
	d->status.state = DESTINATION_IDLE;
	d->status.why[0] = '\0';
	if (d->relay->child != NULL) {
		destination_send(d);
	} else {
		relay_start(d->relay);
	}
}

/* Takes it from its relay. */
static void destination_detach(struct destination *d, bool unpublish)
{
	struct relay *relay = d->relay;

	d->relay = NULL;
	if (relay != NULL && relay_is_idle(relay)) {
		relay_destroy(relay, unpublish);
		if (unpublish) {
			output_over(d);
		}
	} else if (relay != NULL && relay->child != NULL) {
		struct ipc_destination_remove remove = { .id = d->id, .unpublish = unpublish };

		child_send(relay->child, IPC_DESTINATION_REMOVE, &remove, NULL, 0);
	}
}

void destination_rest(struct destination *d, const char *why)
{
	destination_detach(d, false);
	memset(&d->status, 0, sizeof(d->status));
	d->status.state = DESTINATION_STOPPED;
	d->status.since_us = clock_monotonic_us();
	text_copy(d->status.why, sizeof(d->status.why), why);
}

void destination_pause(struct destination *d)
{
	d->is_paused = true;
	destination_rest(d, "paused by the operator");
	history_look(d->show);
}

void destination_resume(struct destination *d)
{
	d->is_paused = false;
	d->status.why[0] = '\0';
	if (d->show->is_started) {
		destination_assign(d);
	}
}

void destination_cut(struct destination *d, int64_t until_us)
{
	struct ipc_destination_cut order = { .id = d->id, .until_us = until_us };
	struct relay *relay = d->relay;

	if (relay == NULL) {
		return;
	}
	if (relay->role == ROLE_RELAY_RTMP) {
		if (relay->child != NULL) {
			child_send(relay->child, IPC_DESTINATION_CUT, &order, NULL, 0);
		}
		return;
	}
	relay->cut_until_us = until_us;
	if (until_us == 0) {
		relay_start(relay);
	} else if (relay->child != NULL) {
		child_kill(relay->child, "it was cut off in a rehearsal");
	}
}

void destination_remove(struct destination *d, bool unpublish)
{
	destination_detach(d, unpublish);
	history_gone(d->show, &d->account, HISTORY_DESTINATION, d->config->name);
	TAILQ_REMOVE(&d->show->destinations, d, entry);
	free(d);
}

struct destination *destination_by_id(struct show *show, uint32_t id)
{
	struct destination *d;

	TAILQ_FOREACH(d, &show->destinations, entry) {
		if (d->id == id) {
			return d;
		}
	}
	return NULL;
}

struct destination *destination_find(struct show *show, const char *name)
{
	struct destination *d;

	TAILQ_FOREACH(d, &show->destinations, entry) {
		if (strcmp(d->config->name, name) == 0) {
			return d;
		}
	}
	return NULL;
}
