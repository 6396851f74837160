/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * SIGHUP: the config is read again; what did not change is not touched. A file with errors
 * changes nothing.
 *
 *   destination removed or re-addressed   unpublished (the operator ended it there)
 *   its manners changed (retry, hold ...) connected anew; the broadcast goes on
 *   feed removed, or its key changed      its encoder is disconnected when the show has left it
 *                                         (leave.c)
 *   pulled feed's source changed          it is fetched anew; what is fetched goes likewise
 *   feeds, delay, fill, failover changed  the switch is replaced and goes on where it was
 *   failover.health changed               the switch is told
 *   listener changed                      the new one must open before the old one closes, unless
 *                                         both have the same port
 *   batch_ms changed                      taken by ingests, switches and relays that start from
 *                                         now on
 */
#include <errno.h>
#include <string.h>

#include <understudy/log.h>
#include <understudy/text.h>

#include "rehearsal.h"
#include "supervisor.h"

static bool is_same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* ---- one show ---- */

static bool is_same_for_switch(const struct config_show *a, const struct config_show *b)
{
	if (a->delay_ms != b->delay_ms || a->fill != b->fill || a->feeds_count != b->feeds_count ||
	    a->failover.stall_ms != b->failover.stall_ms ||
	    a->failover.hole_ms != b->failover.hole_ms ||
	    a->failover.return_after_s != b->failover.return_after_s ||
	    a->failover.return_mode != b->failover.return_mode ||
	    a->failover.on_mismatch != b->failover.on_mismatch) {
		return false;
	}
	for (unsigned i = 0; i < a->feeds_count; i++) {
		if (strcmp(a->feeds[i].name, b->feeds[i].name) != 0 ||
		    a->feeds[i].offset_ms != b->feeds[i].offset_ms ||
		    !is_same_text(a->feeds[i].file, b->feeds[i].file)) {
			return false;
		}
	}
	return true;
}

static const struct config_feed *config_find_feed(const struct config_show *config,
						  const char *name)
{
	for (unsigned i = 0; i < config->feeds_count; i++) {
		if (strcmp(config->feeds[i].name, name) == 0) {
			return &config->feeds[i];
		}
	}
	return NULL;
}

/* What a worker that fetches the feed was told. */
static bool is_same_pull(const struct config_feed *a, const struct config_feed *b)
{
	return is_same_text(a->pull, b->pull) && is_same_text(a->file, b->file) &&
	       is_same_text(a->passphrase, b->passphrase) && a->latency_ms == b->latency_ms &&
	       a->max_kbps == b->max_kbps && a->allow_private == b->allow_private;
}

/* Why what comes by that connection is not the feed any more; NULL: it is. */
static const char *feed_misfit(const struct source *source, const struct config_feed *to)
{
	const struct config_feed *from = source->config;
	const struct connection *c = source->connection;

	if (to == NULL) {
		return "its feed was removed from the configuration";
	}
	if (c->pulled != NULL) {
		return is_same_pull(from, to) ? NULL : "its source was changed";
	}
	if (c->is_srt && !is_same_text(from->passphrase, to->passphrase)) {
		return "its passphrase was changed";
	}
	if (c->is_srt && from->srt_port != to->srt_port) {
		return "its SRT port was changed";
	}
	if (c->srt_port != NULL && c->srt_port->is_leaving) {
		return "its SRT port was closed";
	}
	return is_same_text(from->key, to->key) ? NULL : "its stream key was changed";
}

/* What was to go may stay, if nothing has taken its place. */
static void feed_give_back(struct feed *feed, const struct config_feed *to)
{
	struct source *source;

	TAILQ_FOREACH_REVERSE(source, &feed->sources, source_list, entry)
	{
		if (feed_connected(feed) == NULL && source->is_leaving &&
		    feed_misfit(source, to) == NULL) {
			source->config = to;
			source_stay(source);
		}
	}
}

/* `to` is NULL if the feed was removed. */
static void sync_feed(struct feed *feed, const struct config_feed *to)
{
	bool was_removed = feed->is_leaving;
	struct source *source;

	if (pull_is_pulled(feed) && (to == NULL || !is_same_pull(feed->config, to))) {
		pull_retire(feed, to == NULL ? "its feed was removed from the configuration"
					     : "its source was changed");
	} else if (pull_is_pulled(feed)) {
		pull_compare(feed);
	}
	TAILQ_FOREACH(source, &feed->sources, entry) {
		const struct connection *c = source->connection;
		const char *misfit;

		if (c == NULL || c->child->is_stopping) {
			continue; /* it has ended: its config may be gone */
		}
		misfit = feed_misfit(source, to);
		if (misfit != NULL) {
			source_leave(source, misfit);
		} else if (!source->is_leaving) {
			source->config = to;
		}
	}
	feed->is_leaving = to == NULL;
	if (to == NULL) {
		return;
	}
	/* A file that was changed leaves for itself, unless it was to go for another reason. */
	if (to->file == NULL || was_removed) {
		feed_give_back(feed, to);
	}
	if (to->source != SOURCE_SLATE) {
		slate_forget(feed);
	}
	feed->config = to;
	slate_find(feed);
}

static void remove_feed(struct feed *feed)
{
	struct show *show = feed->show;

	if (show->taken_feed == feed->id) {
		show->taken_feed = 0;
	}
	slate_forget(feed);
	sync_feed(feed, NULL);
	if (TAILQ_EMPTY(&feed->sources)) {
		feed_destroy(feed, "its feed was removed from the configuration");
	}
}

/* A switch has room for a full chain and one feed that is leaving: of several it is the live one,
 * as the show can do without the others. */
static void make_room(struct show *show)
{
	uint16_t live = show->status.timeline.live;
	struct feed *feed, *next;
	unsigned count = 0;

	TAILQ_FOREACH(feed, &show->feeds, entry) {
		count++;
	}
	for (feed = TAILQ_FIRST(&show->feeds); feed != NULL; feed = next) {
		next = TAILQ_NEXT(feed, entry);
		if (count > TIMELINE_FEEDS_MAX && feed->is_leaving && feed->id != live) {
			feed_destroy(feed, "its feed was removed from the configuration");
		}
	}
}

static void sync_feeds(struct show *show, const struct config_show *config)
{
	struct feed_list ordered = TAILQ_HEAD_INITIALIZER(ordered);
	struct feed *feed, *next;

	for (feed = TAILQ_FIRST(&show->feeds); feed != NULL; feed = next) {
		const struct config_feed *to = config_find_feed(config, feed->config->name);

		next = TAILQ_NEXT(feed, entry);
		if (to == NULL) {
			remove_feed(feed);
		} else {
			sync_feed(feed, to);
		}
	}
	/* In the order of preference; behind them those that are leaving. */
	for (unsigned i = 0; i < config->feeds_count; i++) {
		feed = feed_find(show, config->feeds[i].name);
		if (feed == NULL) {
			feed = feed_create(show, &config->feeds[i]);
		}
		if (feed != NULL) {
			TAILQ_REMOVE(&show->feeds, feed, entry);
			TAILQ_INSERT_TAIL(&ordered, feed, entry);
		}
	}
	TAILQ_CONCAT(&ordered, &show->feeds, entry);
	TAILQ_CONCAT(&show->feeds, &ordered, entry);
	make_room(show);
}

static bool is_same_endpoint(const struct config_endpoint *a, const struct config_endpoint *b)
{
	return a->is_tls == b->is_tls && a->port == b->port && is_same_text(a->host, b->host) &&
	       is_same_text(a->app, b->app) && is_same_text(a->stream, b->stream) &&
	       is_same_text(a->tc_url, b->tc_url);
}

static bool is_same_manner(const struct config_destination *a, const struct config_destination *b)
{
	return a->isolate == b->isolate && a->allow_redirect == b->allow_redirect &&
	       a->tracks == b->tracks && a->platform == b->platform && a->hold_s == b->hold_s &&
	       a->max_backlog_ms == b->max_backlog_ms && a->stall_s == b->stall_s &&
	       a->retry.first_s == b->retry.first_s && a->retry.cap_s == b->retry.cap_s &&
	       a->retry.healthy_s == b->retry.healthy_s && is_same_text(a->user, b->user) &&
	       is_same_text(a->password, b->password);
}

static bool is_same_output(const struct config_destination *a, const struct config_destination *b)
{
	const struct config_output *x = &a->output, *y = &b->output;

	return a->segment_s == b->segment_s && a->segment_mb == b->segment_mb &&
	       a->keep_segments == b->keep_segments && x->port == y->port &&
	       x->is_listener == y->is_listener && x->latency_ms == y->latency_ms &&
	       is_same_text(x->host, y->host) && is_same_text(x->path, y->path) &&
	       is_same_text(x->user, y->user) && is_same_text(x->password, y->password) &&
	       is_same_text(x->stream, y->stream) && is_same_text(x->passphrase, y->passphrase);
}

/* What is on air there may go on. */
static bool is_same_place(const struct config_destination *a, const struct config_destination *b)
{
	return a->kind == b->kind && is_same_endpoint(&a->endpoint, &b->endpoint) &&
	       is_same_text(a->path, b->path);
}

static bool is_same_destination(const struct config_destination *a,
				const struct config_destination *b)
{
	return a->kind == b->kind && is_same_endpoint(&a->endpoint, &b->endpoint) &&
	       is_same_endpoint(&a->backup, &b->backup) && is_same_output(a, b) &&
	       is_same_manner(a, b) && is_same_text(a->path, b->path);
}

static const struct config_destination *config_find_destination(const struct config_show *config,
								const char *name)
{
	for (unsigned i = 0; i < config->destinations_count; i++) {
		if (strcmp(config->destinations[i].name, name) == 0) {
			return &config->destinations[i];
		}
	}
	return NULL;
}

/* Another place, or another key, is another broadcast: the old one ends there. Another manner is
 * not: it goes on. A destination that is paused stays so. */
static void replace_destination(struct destination *d, const struct config_destination *to)
{
	struct show *show = d->show;
	bool is_paused = d->is_paused;
	struct destination *fresh;

	destination_remove(d, to == NULL || !is_same_place(d->config, to));
	fresh = to != NULL ? destination_create(show, to) : NULL;
	if (fresh != NULL && is_paused) {
		destination_pause(fresh);
	}
}

static void sync_destinations(struct show *show, const struct config_show *config)
{
	struct destination *d, *next;

	for (d = TAILQ_FIRST(&show->destinations); d != NULL; d = next) {
		const struct config_destination *to = config_find_destination(config,
									      d->config->name);

		next = TAILQ_NEXT(d, entry);
		if (to != NULL && is_same_destination(d->config, to)) {
			d->config = to;
		} else {
			replace_destination(d, to);
		}
	}
	for (unsigned i = 0; i < config->destinations_count; i++) {
		if (destination_find(show, config->destinations[i].name) == NULL) {
			destination_create(show, &config->destinations[i]);
		}
	}
}

/* How long the show takes to get there is the timeline's affair. */
static void tell_delay(struct show *show, uint32_t delay_ms)
{
	uint32_t was_ms = show->config->delay_ms;

	if (delay_ms < was_ms) {
		show_note_lower_delay(show);
		events_add(show->supervisor, show->config->name, "delay", NULL,
			   "the delay goes from %u to %u ms, by 5 ms a second (%u s): nothing is "
			   "left out",
			   was_ms, delay_ms, (was_ms - delay_ms) / 5);
	} else if (delay_ms > was_ms) {
		events_add(show->supervisor, show->config->name, "delay", NULL,
			   "the delay goes from %u to %u ms: the show stands still for %u ms, once",
			   was_ms, delay_ms, delay_ms - was_ms);
	}
}

/* Brings the show in line with `config`, touching nothing that did not change. */
static void show_sync(struct show *show, const struct config_show *config)
{
	bool keeps_switch = is_same_for_switch(show->config, config);
	bool keeps_thresholds = memcmp(&show->config->failover.health, &config->failover.health,
				       sizeof(config->failover.health)) == 0;

	practice_end(show);
	tell_delay(show, config->delay_ms);
	sync_feeds(show, config);
	sync_destinations(show, config);
	show->config = config;
	if (!keeps_switch) {
		show_tell_pace(show);
		show_restart_switch(show);
	} else if (!keeps_thresholds) {
		show_tell_thresholds(show);
	}
	if (show->is_started) {
		show_go(show);
	}
}

/* ---- the whole config ---- */

static bool is_same_port(const struct listener *l, const char *address)
{
	const char *is = strrchr(l->bound, ':'), *shall_be = strrchr(address, ':');

	return l->event != NULL && is != NULL && shall_be != NULL && strcmp(is, shall_be) == 0;
}

/* One port on all addresses and on one of them cannot be open at once. */
static int move_listener(struct supervisor *sup, struct listener *l, const char *address,
			 bool is_tls)
{
	char old[sizeof(l->address)];

	text_copy(old, sizeof(old), l->address);
	listener_close(l);
	int result = listener_open(sup, l, address, is_tls);
	if (result < 0) {
		listener_open(sup, l, old, is_tls);
	}
	return result;
}

static int reload_listener(struct supervisor *sup, struct listener *l,
			   const struct config_listener *config, bool is_tls)
{
	struct listener fresh = { .fd = -1 };
	int result;

	if (config == NULL) {
		listener_close(l);
		return 0;
	}
	if (l->event != NULL && strcmp(l->address, config->listen) == 0) {
		return 0;
	}
	if (is_same_port(l, config->listen)) {
		return move_listener(sup, l, config->listen, is_tls);
	}
	result = listener_open(sup, &fresh, config->listen, is_tls);
	if (result < 0) {
		return result; /* the old one, if any, goes on */
	}
	listener_close(l);
	/* The event must point to the listener's place for good. */
	int fd = fresh.fd;
	event_free(fresh.event);
	listener_adopt(sup, l, config->listen, is_tls, fd);
	return 0;
}

int reload_listeners(struct supervisor *sup, const struct config *config)
{
	int rtmp = reload_listener(sup, &sup->rtmp, config->rtmp, false);
	int rtmps = reload_listener(sup, &sup->rtmps, config->rtmps, true);
	int srt = srt_sync(sup, config);

	return rtmp < 0 ? rtmp : rtmps < 0 ? rtmps : srt;
}

static const struct config_show *config_find_show(const struct config *config, const char *name)
{
	for (unsigned i = 0; i < config->shows_count; i++) {
		if (strcmp(config->shows[i].name, name) == 0) {
			return &config->shows[i];
		}
	}
	return NULL;
}

static void reload_shows(struct supervisor *sup, const struct config *config)
{
	struct show *show, *next;

	for (show = TAILQ_FIRST(&sup->shows); show != NULL; show = next) {
		const struct config_show *to = config_find_show(config, show->config->name);

		next = TAILQ_NEXT(show, entry);
		if (to != NULL) {
			show_sync(show, to);
		} else {
			show_destroy(show);
		}
	}
	for (unsigned i = 0; i < config->shows_count; i++) {
		if (show_find(sup, config->shows[i].name) == NULL) {
			show = show_create(sup, &config->shows[i]);
			if (show != NULL) {
				show_start_switch(show);
				show->is_started = config->shows[i].autostart;
				if (show->is_started) {
					show_go(show);
				}
			}
		}
	}
}

bool reload_config(struct supervisor *sup)
{
	struct config *config = NULL, *old = sup->config;

	notify_send("RELOADING=1");
	if (supervisor_load_config(sup, &config) < 0) {
		log_error(
			"config not reloaded: mend the errors above; the relay goes on as it was");
		notify_send("READY=1");
		return false;
	}
	if (config->ring_max_bytes != old->ring_max_bytes ||
	    !is_same_text(config->socket, old->socket) ||
	    !is_same_text(config->state_directory, old->state_directory)) {
		log_warn("changes of socket, state_directory and ring_max_bytes take effect at the "
			 "next start");
		config->ring_max_bytes = old->ring_max_bytes;
	}
	secrets_collect(&sup->secrets, config);
	leave_keep_config(sup, old);
	reload_shows(sup, config);
	reload_listeners(sup, config); /* a port stays open for those who are leaving by now */
	sup->config = config;
	srt_tell_feeds(sup);
	leave_settle(sup);
	log_info("config reloaded");
	notify_send("READY=1");
	return true;
}
