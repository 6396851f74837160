/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Connections that a reload, or a new slate, ends: not at once, but when the show has left them.
 *
 *            source_leave             the switch released it
 *   in use --------------> leaving --------------------------> ended, and its worker
 *     ^                     |   |  LEAVE_MAX_S are over: nothing else could carry the show
 *     '---- source_stay ----'   '--closed by itself--> a lost feed like any
 *
 * The switch is told (SOURCE_LEAVING), and each one that replaces it is told again. A feed that was
 * removed is there until its last connection is released, at the end of the list; nobody may
 * publish to it. What leaves was let in under a config that is no more: that config is kept as
 * long, so that another reload can tell whether the connection fits again. A re-execution waits
 * until nobody is leaving, so nothing of this is in its state; as long as a connection may take,
 * and no longer, as a switch that does not run releases nothing.
 */
#include <stdlib.h>

#include <understudy/log.h>
#include <understudy/text.h>

#include "supervisor.h"

#define LEAVE_MAX_S 30

/* ---- a connection ---- */

/* Nobody fetches the feed by it any more. */
static void leave_end(struct source *source, const char *cause)
{
	source->connection->pulled = NULL;
	connection_end(source->connection, cause);
}

static void leave_is_over(evutil_socket_t fd, short what, void *context)
{
	struct source *source = context;
	const struct feed *feed = source->feed;
	char cause[IPC_TEXT];

	(void)fd;
	(void)what;
	events_add(feed->show->supervisor, feed->show->config->name, "feed_leaving",
		   json_pack("{s:s}", "feed", feed->config->name),
		   "feed %s: nothing else could carry the show for %d s; it is ended now",
		   feed->config->name, LEAVE_MAX_S);
	text_copy(cause, sizeof(cause), source->cause);
	leave_end(source, cause);
}

void leave_tell(const struct source *source)
{
	struct ipc_source_leaving order = { .feed = source->feed->id,
					    .incarnation = source->incarnation,
					    .is_leaving = source->is_leaving };
	struct child *switcher = source->feed->show->switcher;

	if (switcher != NULL && source->is_ready && !source->is_withheld) {
		text_copy(order.cause, sizeof(order.cause), source->cause);
		child_send(switcher, IPC_SOURCE_LEAVING, &order, NULL, 0);
	}
}

void source_leave(struct source *source, const char *cause)
{
	struct show *show = source->feed->show;

	if (source->is_leaving) {
		return;
	}
	if (!show->is_started || !source->is_ready || source->is_closed || source->is_withheld) {
		leave_end(source, cause); /* nobody sees it */
		return;
	}
	source->is_leaving = true;
	text_copy(source->cause, sizeof(source->cause), cause);
	source->leave_end = evtimer_new(show->supervisor->base, leave_is_over, source);
	if (source->leave_end == NULL) {
		abort(); /* libevent is out of memory for a few bytes: nothing can be saved */
	}
	evtimer_add(source->leave_end, &(struct timeval){ .tv_sec = LEAVE_MAX_S });
	events_add(show->supervisor, show->config->name, "feed_leaving",
		   json_pack("{s:s}", "feed", source->feed->config->name),
		   "feed %s: %s; it goes when the show can do without it, in %d s at the latest",
		   source->feed->config->name, cause, LEAVE_MAX_S);
	leave_tell(source);
}

void leave_forget(struct source *source)
{
	source->is_leaving = false;
	if (source->leave_end != NULL) {
		event_free(source->leave_end);
		source->leave_end = NULL;
	}
}

void source_stay(struct source *source)
{
	struct feed *feed = source->feed;

	leave_forget(source);
	source->is_returning = true;
	source->cause[0] = '\0';
	if (source->connection->pulled != NULL) {
		feed->pull.connection = source->connection;
	}
	events_add(feed->show->supervisor, feed->show->config->name, "feed_stays",
		   json_pack("{s:s}", "feed", feed->config->name), "feed %s: it stays after all",
		   feed->config->name);
	leave_tell(source);
}

bool leave_released(struct source *source)
{
	struct feed *feed = source->feed;
	struct connection *c = source->connection;

	if (source->is_closed) {
		return false;
	}
	if (source->is_leaving) {
		source->is_closed = true;
		events_add(feed->show->supervisor, feed->show->config->name, "feed_left",
			   json_pack("{s:s}", "feed", feed->config->name),
			   "feed %s: %s; the show has left that connection", feed->config->name,
			   source->cause);
		leave_end(source, source->cause);
		source_release(source);
	} else if (source->is_returning) {
		/* It had left before it heard that it may stay: it comes back as another. */
		source_renew(source);
		if (c->source != source) {
			source_release(source);
		}
	}
	return true;
}

void leave_all(struct show *show, const char *cause)
{
	struct feed *feed;
	struct source *source;

	TAILQ_FOREACH(feed, &show->feeds, entry) {
		TAILQ_FOREACH(source, &feed->sources, entry) {
			if (source->is_leaving) {
				leave_end(source, cause);
			}
		}
	}
}

const char *leave_cause(const struct feed *feed)
{
	const struct source *source = feed_current(feed);

	return source != NULL && source->is_leaving ? source->cause
	       : feed->is_leaving                   ? "it was removed from the configuration"
						    : NULL;
}

bool leave_is_under_way(const struct feed *feed)
{
	const struct source *source;

	TAILQ_FOREACH(source, &feed->sources, entry) {
		if (source->is_leaving) {
			return true;
		}
	}
	return false;
}

/* ---- the configs of those who leave ---- */

struct old_config {
	LIST_ENTRY(old_config) entry;
	struct config *config;
};

bool leave_is_pending(const struct supervisor *sup)
{
	const struct show *show;
	const struct feed *feed;

	TAILQ_FOREACH(show, &sup->shows, entry) {
		TAILQ_FOREACH(feed, &show->feeds, entry) {
			if (feed->is_leaving || leave_is_under_way(feed)) {
				return true;
			}
		}
	}
	return false;
}

void leave_keep_config(struct supervisor *sup, struct config *config)
{
	struct old_config *old = calloc(1, sizeof(*old));

	if (old == NULL) {
		abort(); /* who leaves needs it */
	}
	old->config = config;
	LIST_INSERT_HEAD(&sup->old_configs, old, entry);
	LIST_FOREACH(old, &sup->old_configs, entry) {
		secrets_keep(&sup->secrets, old->config);
	}
}

void leave_drop_configs(struct supervisor *sup)
{
	struct old_config *old;

	while ((old = LIST_FIRST(&sup->old_configs)) != NULL) {
		LIST_REMOVE(old, entry);
		config_destroy(&old->config);
		free(old);
	}
}

/* ---- a re-execution ---- */

static void leave_reexecute(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	reexec_begin(context);
}

/* A switch that still reads what is forgotten here has it mapped. */
static void leave_forget_feeds(struct show *show)
{
	struct feed *feed, *next;

	for (feed = TAILQ_FIRST(&show->feeds); feed != NULL; feed = next) {
		next = TAILQ_NEXT(feed, entry);
		if (feed->is_leaving) {
			log_warn("no switch has released what was left, within %d s: it is "
				 "forgotten show=%s feed=%s",
				 LEAVE_MAX_S, show->config->name, feed->config->name);
			feed_destroy(feed, "its feed was removed from the configuration");
		}
	}
}

static void leave_waited(evutil_socket_t fd, short what, void *context)
{
	struct supervisor *sup = context;
	struct show *show;

	(void)fd;
	(void)what;
	TAILQ_FOREACH(show, &sup->shows, entry) {
		leave_all(show, "the relay is re-executed");
		leave_forget_feeds(show);
	}
	leave_settle(sup);
}

void leave_await(struct supervisor *sup)
{
	const struct show *show;
	const struct feed *feed;

	TAILQ_FOREACH(show, &sup->shows, entry) {
		TAILQ_FOREACH(feed, &show->feeds, entry) {
			if (feed->is_leaving || leave_is_under_way(feed)) {
				log_info("re-execution waits for a feed that is leaving, %d s at "
					 "most show=%s feed=%s",
					 LEAVE_MAX_S, show->config->name, feed->config->name);
			}
		}
	}
	if (sup->reexec_due != NULL) {
		return; /* the time runs */
	}
	sup->reexec_due = evtimer_new(sup->base, leave_waited, sup);
	if (sup->reexec_due == NULL) {
		abort(); /* libevent is out of memory for a few bytes: nothing can be saved */
	}
	evtimer_add(sup->reexec_due, &(struct timeval){ .tv_sec = LEAVE_MAX_S });
}

/* ---- nobody is leaving any more ---- */

void leave_settle(struct supervisor *sup)
{
	if (sup->is_ending || leave_is_pending(sup)) {
		return;
	}
	leave_drop_configs(sup);
	secrets_collect(&sup->secrets, sup->config);
	srt_settle(sup);
	if (sup->reexec_due != NULL) {
		event_free(sup->reexec_due);
		sup->reexec_due = NULL;
		event_base_once(sup->base, -1, EV_TIMEOUT, leave_reexecute, sup,
				&(struct timeval){ .tv_sec = 0 });
	}
}
