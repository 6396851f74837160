/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Feeds and their sources. A source is one connection's ring; it outlives the connection until
 * the switch has sent what was still due of it, and is given again to a switch that was restarted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/log.h>
#include <understudy/ring.h>
#include <understudy/text.h>

#include "rehearsal.h"
#include "supervisor.h"

#define TAKEOVER_US 1000000 /* the newest connection wins at most this often */
#define TAKEOVER_SERIES_US 30000000
#define SOURCES_PER_FEED 8
#define GATHER_US 37000
#define GATHER_LONG_US 47000 /* where rounds are at least as long */
#define GATHER_LONGEST_US 71000
#define GATHER_DELAY_MS 400
#define GATHER_STALL_MS 300
#define DELAY_LOWERED_PARTS 200
#define FEED_SPAN_MARGIN_US 6000000 /* beyond the delay: a long GOP and a restart of the switch */

/* A delay that was made shorter is come down from by 0.5 % of the time that passes. */
static int64_t show_delay_us(const struct show *show, int64_t now_us)
{
	int64_t wanted_us = (int64_t)show->config->delay_ms * 1000;
	int64_t is_us = show->lowered_from_us - (now_us - show->lowered_us) / DELAY_LOWERED_PARTS;

	return is_us > wanted_us ? is_us : wanted_us;
}

void show_note_lower_delay(struct show *show)
{
	int64_t now_us = clock_monotonic_us();

	show->lowered_from_us = show_delay_us(show, now_us);
	show->lowered_us = now_us;
}

/* What waits for the delay, and for being shown later than others (offset_ms). */
int64_t feed_span_us(const struct feed *feed)
{
	int64_t later_ms = feed->config->offset_ms > 0 ? feed->config->offset_ms : 0;

	return show_delay_us(feed->show, clock_monotonic_us()) + later_ms * 1000 +
	       FEED_SPAN_MARGIN_US;
}

/* Behind a delay nobody notices when a packet was read, so a worker that listens less often costs
 * less. It listens often enough that silence is told from a pause, and not in step with any usual
 * frame rate, as the least lag of all packets stands for the feed's. Without a delay it listens
 * once a round and begins it: its switch is woken, and wakes the relays. */
int64_t show_feed_gather_us(const struct show *show)
{
	const struct config_show *config = show->config;

	if (config->failover.stall_ms < GATHER_STALL_MS) {
		return 0;
	}
	if (config->delay_ms == 0) {
		return show_round_us(show);
	}
	if (config->delay_ms < GATHER_DELAY_MS) {
		return 0;
	}
	if (show_round_us(show) < GATHER_LONG_US) {
		return GATHER_US;
	}
	return show_round_us(show) < GATHER_LONGEST_US ? GATHER_LONG_US : GATHER_LONGEST_US;
}

void show_tell_pace(struct show *show)
{
	struct ipc_feed_pace order = { .gather_us = show_feed_gather_us(show) };
	struct feed *feed;
	struct source *source;

	TAILQ_FOREACH(feed, &show->feeds, entry) {
		order.span_us = feed_span_us(feed);
		TAILQ_FOREACH(source, &feed->sources, entry) {
			if (source->connection != NULL) {
				child_send(source->connection->child, IPC_FEED_PACE, &order, NULL,
					   0);
			}
		}
	}
}

struct feed *feed_create(struct show *show, const struct config_feed *config)
{
	struct feed *feed = calloc(1, sizeof(*feed));

	if (feed == NULL) {
		return NULL;
	}
	feed->show = show;
	feed->config = config;
	feed->id = ++show->next_feed_id;
	TAILQ_INIT(&feed->sources);
	TAILQ_INSERT_TAIL(&show->feeds, feed, entry);
	slate_find(feed);
	return feed;
}

void feed_destroy(struct feed *feed, const char *cause)
{
	struct source *source;

	slate_forget(feed);
	pull_stop(feed, cause);
	while ((source = TAILQ_FIRST(&feed->sources)) != NULL) {
		if (source->connection != NULL) {
			connection_end(source->connection, cause);
		}
		source_release(source);
	}
	history_gone(feed->show, &feed->account, HISTORY_FEED, feed->config->name);
	TAILQ_REMOVE(&feed->show->feeds, feed, entry);
	free(feed);
}

void feed_settle(struct feed *feed)
{
	struct supervisor *sup = feed->show->supervisor;

	if (feed->is_leaving && TAILQ_EMPTY(&feed->sources)) {
		feed_destroy(feed, "its feed was removed from the configuration");
	}
	leave_settle(sup);
}

struct feed *feed_find(struct show *show, const char *name)
{
	struct feed *feed;

	TAILQ_FOREACH(feed, &show->feeds, entry) {
		if (strcmp(feed->config->name, name) == 0) {
			return feed;
		}
	}
	return NULL;
}

struct feed *feed_by_id(struct show *show, uint16_t id)
{
	struct feed *feed;

	TAILQ_FOREACH(feed, &show->feeds, entry) {
		if (feed->id == id) {
			return feed;
		}
	}
	return NULL;
}

struct source *feed_current(const struct feed *feed)
{
	struct source *source;

	TAILQ_FOREACH_REVERSE(source, &feed->sources, source_list, entry)
	{
		if (!source->is_closed) {
			return source;
		}
	}
	return NULL;
}

struct source *feed_connected(const struct feed *feed)
{
	struct source *source;

	TAILQ_FOREACH_REVERSE(source, &feed->sources, source_list, entry)
	{
		if (source->connection != NULL && !source->is_leaving &&
		    !source->connection->child->is_stopping) {
			return source;
		}
	}
	return NULL;
}

/* A reconnecting encoder must never wait for its dead connection; two encoders with one key
 * must not throw each other out for ever without anybody being told. */
static bool feed_take_over(struct feed *feed, struct source *old, const char *peer,
			   char reason[IPC_TEXT])
{
	int64_t now_us = clock_monotonic_us();
	int64_t since_us = now_us - feed->takeover_us;

	if (feed->takeover_us != 0 && since_us < TAKEOVER_US) {
		text_copy(reason, IPC_TEXT,
			  "another encoder with this key connected less than a second ago");
		return false;
	}
	feed->takeovers = feed->takeover_us != 0 && since_us < TAKEOVER_SERIES_US
				  ? feed->takeovers + 1
				  : 1;
	feed->takeover_us = now_us;
	if (feed->takeovers >= 3) {
		log_warn(
			"two encoders seem to use one stream key show=%s feed=%s peers=%s,%s: they "
			"take over from each other; give each its own feed and key",
			feed->show->config->name, feed->config->name, old->connection->peer, peer);
	}
	connection_end(old->connection, "replaced by a new connection with the same key");
	return true;
}

/* Who writes whenever something comes would spoil the rounds of a show that has them: the switch
 * looks once a round by itself. So it does behind a delay, whoever writes. */
static bool source_wakes(const struct show *show, const struct connection *c)
{
	bool is_gathering = !c->is_srt && c->pulled == NULL && show_feed_gather_us(show) > 0;

	return show->config->delay_ms == 0 && (show_round_us(show) == 0 || is_gathering);
}

/* An encoder that reconnects over and over while the switch cannot keep up must not pile up
 * rings. */
static void feed_forget_oldest(struct feed *feed)
{
	struct source *source;
	unsigned count = 0;

	TAILQ_FOREACH(source, &feed->sources, entry) {
		count++;
	}
	source = TAILQ_FIRST(&feed->sources);
	if (count >= SOURCES_PER_FEED && source->is_closed) {
		source_release(source);
	}
}

static struct source *source_create(struct feed *feed, struct connection *c)
{
	struct supervisor *sup = feed->show->supervisor;
	struct source *source = calloc(1, sizeof(*source));
	int ring_fd = ring_create(feed->config->name, sup->config->ring_max_bytes);

	if (source == NULL || ring_fd < 0) {
		log_error("no memory for a ring show=%s feed=%s", feed->show->config->name,
			  feed->config->name);
		if (ring_fd >= 0) {
			close(ring_fd);
		}
		free(source);
		return NULL;
	}
	*source = (struct source){ .feed = feed,
				   .config = feed->config,
				   .connection = c,
				   .ring_fd = ring_fd,
				   .wake_fd = source_wakes(feed->show, c)
						      ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)
						      : -1,
				   .incarnation = ++feed->show->next_incarnation };
	c->source = source;
	TAILQ_INSERT_TAIL(&feed->sources, source, entry);
	return source;
}

struct source *feed_publish(struct feed *feed, struct connection *c, char reason[IPC_TEXT])
{
	struct source *old = feed_connected(feed);

	if (old != NULL && !feed_take_over(feed, old, c->peer, reason)) {
		return NULL;
	}
	feed_forget_oldest(feed);
	struct source *source = source_create(feed, c);
	if (source == NULL) {
		text_copy(reason, IPC_TEXT, "the relay is out of memory");
	}
	return source;
}

void source_renew(struct source *source)
{
	struct connection *c = source->connection;
	struct ipc_feed_ring order = { .span_us = feed_span_us(source->feed) };

	feed_forget_oldest(source->feed);
	struct source *renewed = source_create(source->feed, c);
	if (renewed == NULL) {
		return;
	}
	source->connection = NULL;
	if (source->is_withheld) {
		source_release(source);
	}
	int fds[2] = { renewed->ring_fd, renewed->wake_fd };
	child_send(c->child, IPC_FEED_RING, &order, fds, renewed->wake_fd >= 0 ? 2 : 1);
}

void source_announce(struct source *source)
{
	struct ipc_source_open open = { .feed = source->feed->id,
					.incarnation = source->incarnation };
	struct ipc_source_close close = { .feed = source->feed->id,
					  .incarnation = source->incarnation };
	struct child *switcher = source->feed->show->switcher;
	int fds[2] = { source->ring_fd, source->wake_fd };

	if (switcher == NULL || !source->is_ready || source->is_withheld) {
		return;
	}
	child_send(switcher, IPC_SOURCE_OPEN, &open, fds, source->wake_fd >= 0 ? 2 : 1);
	if (source->is_closed) {
		text_copy(close.cause, sizeof(close.cause), source->cause);
		child_send(switcher, IPC_SOURCE_CLOSE, &close, NULL, 0);
	} else if (source->is_leaving) {
		leave_tell(source);
	}
}

bool source_ready(struct source *source)
{
	struct supervisor *sup = source->feed->show->supervisor;

	if (ring_check(source->ring_fd, sup->config->ring_max_bytes) < 0) {
		return false;
	}
	source->is_ready = true;
	if (fault_meet(source)) {
		return true;
	}
	source_announce(source);
	events_add(sup, source->feed->show->config->name, "feed_connected",
		   json_pack("{s:s}", "feed", source->feed->config->name), "feed %s: %s %s",
		   source->feed->config->name,
		   source->connection->pulled == NULL   ? "encoder connected from"
		   : source->feed->config->file != NULL ? "plays"
							: "pulled from",
		   source->connection->peer);
	return true;
}

void source_close(struct source *source, const char *cause)
{
	struct ipc_source_close close = { .feed = source->feed->id,
					  .incarnation = source->incarnation };
	struct show *show = source->feed->show;

	if (source->is_closed) {
		return;
	}
	leave_forget(source);
	source->is_closed = true;
	text_copy(source->cause, sizeof(source->cause), cause);
	if (show->switcher != NULL && source->is_ready && !source->is_withheld) {
		text_copy(close.cause, sizeof(close.cause), cause);
		child_send(show->switcher, IPC_SOURCE_CLOSE, &close, NULL, 0);
	}
	if (!show->supervisor->is_ending) {
		events_add(show->supervisor, show->config->name, "feed_lost",
			   json_pack("{s:s}", "feed", source->feed->config->name), "feed %s: %s",
			   source->feed->config->name, cause);
	}
}

void source_release(struct source *source)
{
	leave_forget(source);
	if (source->connection != NULL) {
		source->connection->source = NULL;
	}
	TAILQ_REMOVE(&source->feed->sources, source, entry);
	close(source->ring_fd);
	if (source->wake_fd >= 0) {
		close(source->wake_fd);
	}
	free(source);
}
