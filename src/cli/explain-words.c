/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A show in plain words (explain.h): its feeds, how it is set up. Computes only. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <understudy/text.h>

#include "explain-words.h"

/* ---- pieces ---- */

/* "800 ms", "3.0 s", "2.25 s" */
const char *explain_seconds(char to[SECONDS_SIZE], int64_t ms)
{
	int64_t hundredths = (ms + 5) / 10;

	if (ms < 1000) {
		text_format(to, SECONDS_SIZE, "%lld ms", (long long)ms);
	} else if (hundredths % 10 == 0) {
		text_format(to, SECONDS_SIZE, "%lld.%lld s", (long long)(hundredths / 100),
			    (long long)(hundredths / 10 % 10));
	} else {
		text_format(to, SECONDS_SIZE, "%lld.%02lld s", (long long)(hundredths / 100),
			    (long long)(hundredths % 100));
	}
	return to;
}

void explain_add(char *to, size_t size, const char *format, ...)
{
	size_t used = strlen(to);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(to + used, size - used, format, arguments);
	va_end(arguments);
}

struct explain_item *explain_item_add(struct explanation *e, enum explain_section section,
				      const char *key)
{
	/* A show has at most so many feeds, and the rest of the items is fixed. */
	struct explain_item *item = &e->items[e->count++];

	*item = (struct explain_item){ .section = section,
				       .key = key,
				       .picture_ms = EXPLAIN_UNKNOWN,
				       .silence_ms = EXPLAIN_UNKNOWN,
				       .left_ms = EXPLAIN_UNKNOWN };
	return item;
}

/* ---- who follows whom ---- */

static bool feed_is_there(const struct explain_facts *facts, const struct explain_feed *feed,
			  bool is_measured)
{
	if (feed->is_inactive || feed->leaving[0] != '\0' ||
	    (facts->on_mismatch == MISMATCH_REFUSE && feed->mismatch[0] != '\0')) {
		return false;
	}
	return !is_measured ||
	       (strcmp(feed->state, "offline") != 0 && strcmp(feed->state, "stalled") != 0);
}

/* As the timeline ranks them: encoders, the healthy, the matching, those with a picture. */
static unsigned feed_rank(const struct explain_facts *facts, const struct explain_feed *feed)
{
	bool is_matching = facts->on_mismatch == MISMATCH_ALLOW || feed->mismatch[0] == '\0';

	return (feed->is_slate ? 0u : 8u) + (feed->health[0] == '\0' ? 4u : 0u) +
	       (is_matching ? 2u : 0u) + (is_matching || feed->has_video ? 1u : 0u);
}

static bool is_anybody_there(const struct explain_facts *facts)
{
	for (unsigned i = 0; i < facts->feed_count; i++) {
		if (strcmp(facts->feeds[i].state, "offline") != 0) {
			return true;
		}
	}
	return false;
}

/* Each of several twins names one of the others. */
static bool are_twins(const struct explain_feed *a, const struct explain_feed *b)
{
	return strcmp(a->twin_of, b->name) == 0 || strcmp(b->twin_of, a->name) == 0;
}

/* Then any packet will do to change feeds. */
static bool has_sound_only(const struct outlook *o)
{
	return !o->subject->has_video && !o->next->has_video;
}

static void outlook_init(struct outlook *o, const struct explain_facts *facts)
{
	*o = (struct outlook){ .facts = facts,
			       .needed_ms = EXPLAIN_UNKNOWN,
			       .is_measured = facts->is_running && is_anybody_there(facts) };
	for (unsigned i = 0; i < facts->feed_count; i++) {
		const struct explain_feed *feed = &facts->feeds[i];

		if (facts->delay_ms > 0 && -feed->offset_ms > o->earlier_ms) {
			o->earlier_ms = -feed->offset_ms;
		}
		if (i == 0 || (facts->live[0] != '\0' && strcmp(feed->name, facts->live) == 0)) {
			o->subject = feed;
		}
	}
	for (unsigned i = 0; i < facts->feed_count; i++) {
		const struct explain_feed *feed = &facts->feeds[i];

		if (feed == o->subject || !feed_is_there(facts, feed, o->is_measured)) {
			continue;
		}
		if (o->next == NULL || feed_rank(facts, feed) > feed_rank(facts, o->next)) {
			o->next = feed;
		}
		if (o->twin == NULL && are_twins(feed, o->subject)) {
			o->twin = feed;
		}
	}
	if (o->twin != NULL && facts->delay_ms > 0 &&
	    explain_twin_lag_ms(o) > facts->delay_ms + TWIN_LATE_MS) {
		o->twin = NULL; /* it comes too late to be one */
	}
	if (o->twin != NULL) {
		o->needed_ms = explain_twin_lag_ms(o) + TWIN_MARGIN_MS + o->earlier_ms;
	} else if (o->next != NULL && (o->next->gop_ms > 0 || has_sound_only(o))) {
		o->needed_ms = (has_sound_only(o) ? 0 : o->next->gop_ms) + facts->stall_ms +
			       EXPLAIN_MARGIN_MS + o->earlier_ms;
	}
}

int64_t explain_stall_ms(const struct outlook *o)
{
	int64_t frames_ms = o->subject->fps_milli > 0 ? 3000000 / o->subject->fps_milli : 0;

	return o->facts->stall_ms > frames_ms ? o->facts->stall_ms : frames_ms;
}

int64_t explain_twin_lag_ms(const struct outlook *o)
{
	bool is_the_twins = strcmp(o->twin->twin_of, o->subject->name) == 0;
	int64_t lag_ms = is_the_twins ? o->twin->lag_ms : -o->subject->lag_ms;

	return lag_ms < 0 ? -lag_ms : lag_ms;
}

int64_t explain_twin_pause_ms(const struct outlook *o)
{
	int64_t lag_ms = explain_twin_lag_ms(o), delay_ms = o->facts->delay_ms;
	int64_t pause_ms = lag_ms + TWIN_MARGIN_MS + o->earlier_ms - delay_ms;

	return delay_ms == 0 ? lag_ms : pause_ms > 0 ? pause_ms : 0;
}

const char *explain_format_change(const struct outlook *o)
{
	bool is_alike = strcmp(o->next->mismatch, o->subject->mismatch) == 0;

	return is_alike ? "" : o->next->mismatch;
}

int64_t explain_promised_gop_ms(const struct outlook *o)
{
	return o->facts->delay_ms - o->facts->stall_ms - EXPLAIN_MARGIN_MS - o->earlier_ms;
}

/* ---- feeds, as measured ---- */

static void say_feed(struct explanation *e, const struct explain_feed *feed)
{
	struct explain_item *item = explain_item_add(e, EXPLAIN_FEED, "feed");
	char text[SECONDS_SIZE];

	TITLE(item, "%s", feed->name);
	SAY(item, "%s%s", feed->state, feed->is_slate ? " (a slate)" : "");
	if (strcmp(feed->state, "awaited") == 0) {
		SAY(item, ", played once the show is started");
		return;
	}
	if (strcmp(feed->state, "offline") == 0) {
		SAY(item, ", %s",
		    feed->health[0] != '\0' ? feed->health
		    : feed->is_slate        ? "it cannot be played"
		    : feed->is_pulled       ? "nothing comes from where it is fetched"
					    : "no encoder is connected");
		return;
	}
	if (feed->format[0] != '\0') {
		SAY(item, ": %s", feed->format);
	}
	if (feed->fps_milli > 0) {
		SAY(item, ", %.4g frames a second", (double)feed->fps_milli / 1000);
	}
	if (feed->gop_ms > 0) {
		SAY(item, ", key frames %s apart", explain_seconds(text, feed->gop_ms));
	}
	if (feed->reorder_frames == 0) {
		SAY(item, ", no B-frames");
	} else if (feed->reorder_frames > 0) {
		SAY(item, ", B-frames (%lld held back)", (long long)feed->reorder_frames);
	}
	if (feed->twin_of[0] != '\0') {
		SAY(item, "; twin of %s, %s %s", feed->twin_of,
		    explain_seconds(text, feed->lag_ms < 0 ? -feed->lag_ms : feed->lag_ms),
		    feed->lag_ms < 0 ? "earlier" : "later");
	}
	if (feed->leaving[0] != '\0') {
		SAY(item, "; leaving: %s; it goes when another can carry the show, or after 30 s",
		    feed->leaving);
	}
	if (feed->health[0] != '\0') {
		SAY(item, "; %s", feed->health);
	}
	if (feed->mismatch[0] != '\0') {
		SAY(item, "; does not match: %s", feed->mismatch);
	}
	if (feed->differs[0] != '\0') {
		SAY(item, "; differs in %s", feed->differs);
	}
}

/* ---- how it is set up ---- */

static const char *chain_remark(const struct explain_feed *feed)
{
	if (feed->is_inactive) {
		return " (not carried out by this version)";
	}
	return feed->is_slate ? " (a slate)" : "";
}

static void say_chain(struct explanation *e, const struct explain_facts *facts)
{
	static const char *const mismatches[] = {
		[MISMATCH_PREFER_MATCHING] =
			"one of another format is only shown when no other can go on",
		[MISMATCH_ALLOW] = "one of another format is shown like any other",
		[MISMATCH_REFUSE] = "one of another format is never shown",
	};
	struct explain_item *item = explain_item_add(e, EXPLAIN_SETUP, "chain");

	TITLE(item, "Feeds");
	for (unsigned i = 0; i < facts->feed_count; i++) {
		const struct explain_feed *feed = &facts->feeds[i];

		SAY(item, "%s%s%s", i > 0 ? ", then " : "", feed->name, chain_remark(feed));
	}
	if (facts->feed_count == 1) {
		SAY(item, " alone: nobody is there to take over.");
		return;
	}
	SAY(item,
	    ". The first that can go on is live; one in good health goes before one in bad, and "
	    "%s.",
	    mismatches[facts->on_mismatch]);
}

static void say_delay(struct explanation *e, const struct explain_facts *facts)
{
	struct explain_item *item = explain_item_add(e, EXPLAIN_SETUP, "delay");
	char text[SECONDS_SIZE];

	TITLE(item, "Delay");
	if (facts->delay_ms == 0) {
		SAY(item, "None: every packet goes out as it comes. A change of feed can be seen.");
	} else {
		SAY(item, "The destinations get what the encoders sent %s ago.",
		    explain_seconds(text, facts->delay_ms));
	}
	for (unsigned i = 0; i < facts->feed_count; i++) {
		const struct explain_feed *feed = &facts->feeds[i];

		if (feed->offset_ms != 0 && facts->delay_ms == 0) {
			SAY(item, " The offset_ms of %s counts for nothing then.", feed->name);
		} else if (feed->offset_ms != 0) {
			SAY(item, " You move %s by %lld ms (offset_ms), to where %s.", feed->name,
			    (long long)(feed->offset_ms < 0 ? -feed->offset_ms : feed->offset_ms),
			    feed->offset_ms > 0
				    ? "it is shown later"
				    : "it is shown earlier: so much of the delay is used up");
		}
	}
	SAY(item,
	    " A reload with a longer delay_ms makes the show stand still for the difference, "
	    "once%s.",
	    facts->delay_ms > 0 ? "; with a shorter one nothing is left out, the delay shrinks by "
				  "5 ms a second"
				: "");
}

static void say_thresholds(struct explanation *e, const struct outlook *o)
{
	struct explain_item *item = explain_item_add(e, EXPLAIN_SETUP, "left_when");
	char stall[SECONDS_SIZE], hole[SECONDS_SIZE];

	TITLE(item, "A feed is left");
	SAY(item,
	    "when its connection closes, when its picture or its sound has not come for %s "
	    "(stall_ms), or when a hole of more than %s (hole_ms) in either is not filled by "
	    "then.",
	    explain_seconds(stall, explain_stall_ms(o)), explain_seconds(hole, o->facts->hole_ms));
	if (o->facts->feed_count > 1) {
		SAY(item, " One that a reload takes away is left without a gap, as with `take`.");
	}
}

/* What counts as bad health, as it stands in the configuration. */
static void say_health(struct explanation *e, const struct explain_facts *facts)
{
	static const struct {
		const char *before, *behind;
	} words[TIMELINE_SIGNALS] = {
		[SIGNAL_LOW_BITRATE] = { "it sends less than ", " kb/s" },
		[SIGNAL_HOLES] = { "", " % of 20 s are missing in several holes" },
		[SIGNAL_STARVED] = { "media comes at less than ", " % of real time" },
		[SIGNAL_NO_KEY_FRAME] = { "no key frame comes for ", " ms" },
		[SIGNAL_STUCK] = { "the time of ", " packets in 10 s does not move on" },
		[SIGNAL_JUMPS] = { "timestamps leap ", " times in 20 s" },
		[SIGNAL_UNUSABLE] = { "", " packets in 10 s make no sense" },
		[SIGNAL_AV_DRIFT] = { "picture and sound part by ", " ms" },
		[SIGNAL_FRAME_RATE] = { "the frame rate falls below ", " % of the usual" },
		[SIGNAL_SRT_LOSS] = { "SRT loses ", " of 1000 packets for good" },
	};
	struct explain_item *item = explain_item_add(e, EXPLAIN_SETUP, "health");

	TITLE(item, "Degraded");
	SAY(item, "is a feed where ");
	for (unsigned i = 0; i < TIMELINE_SIGNALS; i++) {
		uint32_t enter = facts->health.of[i].enter;

		if (words[i].before != NULL && enter > 0) {
			SAY(item, "%s%u%s, ", words[i].before, enter, words[i].behind);
		}
	}
	SAY(item, "or picture or sound stay away (failover.health).");
	if (facts->feed_count > 1) {
		SAY(item, " The show leaves it for a healthy one as soon as that shows no gap.");
	}
}

static void say_operator(struct explanation *e, const struct explain_facts *facts)
{
	if (facts->taken[0] == '\0') {
		return;
	}
	struct explain_item *item = explain_item_add(e, EXPLAIN_SETUP, "taken");

	TITLE(item, "By hand");
	SAY(item,
	    "You have taken %s: it stays live while it can go on, whatever the order says. "
	    "`understudy auto %s` gives the choice back.",
	    facts->taken, facts->show);
}

/* ---- the promise ---- */

/* Whoever is connected and is not shown, whatever happens. */
static const struct explain_feed *find_refused(const struct outlook *o)
{
	for (unsigned i = 0; i < o->facts->feed_count; i++) {
		const struct explain_feed *feed = &o->facts->feeds[i];

		if (o->facts->on_mismatch == MISMATCH_REFUSE && feed != o->subject &&
		    feed->mismatch[0] != '\0' && strcmp(feed->state, "offline") != 0) {
			return feed;
		}
	}
	return NULL;
}

static void promise_nothing(struct explain_item *item, const struct outlook *o)
{
	const struct explain_feed *refused = find_refused(o);

	SAY(item, "Nothing can be promised now: no other feed could take over from %s.",
	    o->subject->name);
	if (refused != NULL) {
		SAY(item, " %s is of another format, which on_mismatch: refuse keeps off the air.",
		    refused->name);
	}
}

/* Behind what a change of feed takes. */
static const char *terms_offset(const struct outlook *o)
{
	return o->earlier_ms > 0 ? " + what offset_ms uses up" : "";
}

/* A key frame is needed only for feeds that are not twins. */
static void promise_twins(struct explain_item *item, const struct outlook *o)
{
	int64_t lag_ms = explain_twin_lag_ms(o);
	char lag[SECONDS_SIZE], needed[SECONDS_SIZE], delay[SECONDS_SIZE];

	SAY(item, "%s and %s carry the same encode, %s apart: ", o->subject->name, o->twin->name,
	    explain_seconds(lag, lag_ms));
	explain_seconds(needed, lag_ms + TWIN_MARGIN_MS + o->earlier_ms);
	explain_seconds(delay, o->facts->delay_ms);
	if (explain_twin_pause_ms(o) == 0) {
		SAY(item,
		    "losing one of them costs nothing and waits for no key frame. That takes a "
		    "delay of %s (what they are apart + 100 ms%s); it is %s.",
		    needed, terms_offset(o), delay);
		item->is_promised = true;
	} else {
		SAY(item,
		    "losing one of them is a pause of up to %s, and no frame is lost. For no pause "
		    "the delay has to be at least %s (what they are apart + 100 ms%s); it is %s.",
		    explain_seconds(lag, explain_twin_pause_ms(o)), needed, terms_offset(o), delay);
	}
}

static void promise_unmeasured(struct explain_item *item, const struct outlook *o)
{
	int64_t gop_ms = explain_promised_gop_ms(o);
	char text[SECONDS_SIZE], delay[SECONDS_SIZE];

	explain_seconds(delay, o->facts->delay_ms);
	if (gop_ms > 0) {
		SAY(item,
		    "Promised if the key frames of the feed that takes over are at most %s "
		    "apart: that is the delay of %s less stall_ms%s, 250 ms and the difference "
		    "between the two encoders' lags.",
		    explain_seconds(text, gop_ms), delay, o->earlier_ms > 0 ? ", offset_ms" : "");
		return;
	}
	SAY(item,
	    "A delay of %s is too short to promise that, whatever the key frames. With key "
	    "frames 2.0 s apart it takes at least %s (key frame distance + stall_ms + 250 ms%s), "
	    "more if the two encoders' lags differ.",
	    delay, explain_seconds(text, 2000 + o->facts->delay_ms - gop_ms), terms_offset(o));
}

static void promise_sound(struct explain_item *item, const struct outlook *o)
{
	char delay[SECONDS_SIZE], needed[SECONDS_SIZE];

	if (o->subject->has_video) {
		SAY(item, "%s sends sound only: a change to it ends the picture.", o->next->name);
		return;
	}
	item->is_promised = o->facts->delay_ms >= o->needed_ms;
	SAY(item,
	    "The show has sound only, and any packet will do to change feeds. To promise no gap "
	    "takes a delay of %s (stall_ms + 250 ms%s) and the difference between the two "
	    "encoders' lags; it is %s.",
	    explain_seconds(needed, o->needed_ms), terms_offset(o),
	    explain_seconds(delay, o->facts->delay_ms));
}

static void promise_measured(struct explain_item *item, const struct outlook *o)
{
	int64_t spare_ms = o->facts->delay_ms - o->needed_ms;
	char gop[SECONDS_SIZE], delay[SECONDS_SIZE], needed[SECONDS_SIZE], spare[SECONDS_SIZE];

	explain_seconds(gop, o->next->gop_ms);
	explain_seconds(delay, o->facts->delay_ms);
	explain_seconds(needed, o->needed_ms);
	SAY(item, "The key frames of %s are %s apart and the delay is %s, ", o->next->name, gop,
	    delay);
	if (spare_ms >= 0) {
		SAY(item,
		    "so a change to it is promised to leave no gap: that takes %s (key frame "
		    "distance + stall_ms + 250 ms%s) and the difference between the two encoders' "
		    "lags, for which %s are left.",
		    needed, terms_offset(o), explain_seconds(spare, spare_ms));
		item->is_promised = true;
	} else {
		SAY(item,
		    "so a change to it can leave a gap: to promise none takes %s (key frame "
		    "distance + stall_ms + 250 ms%s) and the difference between the two encoders' "
		    "lags. Set delay_ms to at least %lld",
		    needed, terms_offset(o), (long long)o->needed_ms);
		if (explain_promised_gop_ms(o) >= 500) {
			SAY(item, ", or the encoder's key frames at most %s apart",
			    explain_seconds(spare, explain_promised_gop_ms(o)));
		}
		SAY(item, ".");
	}
}

static void say_promise(struct explanation *e, const struct outlook *o)
{
	if (o->facts->feed_count < 2) {
		return;
	}
	struct explain_item *item = explain_item_add(e, EXPLAIN_SETUP, "promise");

	TITLE(item, "No gap");
	if (o->facts->is_running && !o->is_measured) {
		SAY(item, "No feed has come yet, so this is what the configuration says. ");
	}
	if (o->next == NULL) {
		promise_nothing(item, o);
	} else if (o->twin != NULL) {
		promise_twins(item, o);
	} else if (!o->next->has_video) {
		promise_sound(item, o);
	} else if (o->needed_ms == EXPLAIN_UNKNOWN) {
		promise_unmeasured(item, o);
	} else {
		promise_measured(item, o);
	}
	if (o->next != NULL && explain_format_change(o)[0] != '\0') {
		SAY(item, " What the platforms get then is of another format, though: %s.",
		    explain_format_change(o));
	}
}

/* ---- what is true at any delay ---- */

static void say_notes(struct explanation *e, const struct outlook *o)
{
	struct explain_item *item;
	char text[SECONDS_SIZE];

	if (o->facts->feed_count < 2) {
		return;
	}
	item = explain_item_add(e, EXPLAIN_NOTE, "lag");
	SAY(item,
	    "Two encoders that are not synchronised differ by their lag: at a change words may "
	    "be repeated or skipped by that much, and one frame of sound may click. Timestamps "
	    "do not jump. Between different encodes the lag cannot be measured; what you see of it "
	    "can be taken off with offset_ms.");
	if (o->subject->reorder_frames > 0 && o->subject->fps_milli > 0) {
		item = explain_item_add(e, EXPLAIN_NOTE, "reorder");
		SAY(item,
		    "%s sends B-frames: where the show leaves it, the picture may hold for up to "
		    "%s more than one frame.",
		    o->subject->name,
		    explain_seconds(text,
				    o->subject->reorder_frames * 1000000 / o->subject->fps_milli));
	}
	item = explain_item_add(e, EXPLAIN_NOTE, "twins");
	SAY(item,
	    "Feeds that carry the same encode are found to be twins after some key frames, and "
	    "merged packet by packet: losing one of them, or holes they do not share, cannot be "
	    "seen or heard where the delay is 100 ms more than one comes behind the other. Without "
	    "a delay the loss of one is a pause of at most that, and no frame is lost.");
}

void explain_make(const struct explain_facts *facts, struct explanation *ret)
{
	struct outlook outlook;

	*ret = (struct explanation){ .count = 0 };
	if (facts->feed_count == 0) {
		return;
	}
	outlook_init(&outlook, facts);
	ret->needed_ms = outlook.needed_ms;
	ret->has_twin = outlook.twin != NULL;
	for (unsigned i = 0; facts->is_running && i < facts->feed_count; i++) {
		say_feed(ret, &facts->feeds[i]);
	}
	say_chain(ret, facts);
	say_delay(ret, facts);
	say_thresholds(ret, &outlook);
	say_health(ret, facts);
	say_operator(ret, facts);
	say_promise(ret, &outlook);
	explain_cases(ret, &outlook);
	say_notes(ret, &outlook);
}
