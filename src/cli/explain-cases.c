/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the audience will see (explain-words.h). Computes only.
 *
 * What can be said of a change, with D the delay, G the distance of the next feed's key frames
 * and T how long it takes to notice (0: the connection closed; else stall_ms):
 *
 *     leaves at h      noticed at h + T
 *   --------|---------------|-------------> arrival time
 *     k          k          k             key frames of the next feed, G apart
 *
 * The audience has seen up to h + T - D by then. If the last key frame before h, at most G
 * earlier, lies behind that, nothing shows: D >= G + T. Else the first key frame after h is
 * taken, and the picture stands still for at most G + T - D. The sound needs no key frame: it
 * goes on SOUND_MS after the relay knows, T + SOUND_MS - D after the loss is heard. What is
 * promised has EXPLAIN_MARGIN_MS more, and leaves room for the difference between the feeds' lags.
 * Where an operator has a feed shown earlier than it comes (offset_ms), D is as much shorter.
 */
#include <string.h>

#include "explain-words.h"

#define SOUND_MS 50        /* from knowing that a feed is lost to the next one's sound */
#define FRAME_RATE_MS 5000 /* over which frames are counted; it is noticed before its end */

static void say_nobody(struct explain_item *item, const struct outlook *o)
{
	SAY(item, "Nobody is there to take over%s: the show stops, see below.",
	    o->is_measured ? " now" : "");
}

/* How far behind a loss the audience is when that is noticed after `notice_ms`; below 0: it has yet
 * to get there. */
static int64_t behind_ms(const struct outlook *o, int64_t notice_ms)
{
	return notice_ms + o->earlier_ms - o->facts->delay_ms;
}

/* Silence after a loss that takes `notice_ms` to be noticed. */
static int64_t silence_ms(const struct outlook *o, int64_t notice_ms)
{
	int64_t silence = behind_ms(o, notice_ms) + SOUND_MS;

	return silence > 0 ? silence : 0;
}

static void say_sound(struct explain_item *item, const struct outlook *o)
{
	const char *condition = o->is_measured ? "" : ", if the formats match";
	char text[SECONDS_SIZE];

	if (strstr(explain_format_change(o), "audio") != NULL) {
		item->silence_ms = item->picture_ms;
		SAY(item, "The sound of %s is of another format: it changes with the picture.",
		    o->next->name);
	} else if (item->silence_ms == 0) {
		SAY(item, "The sound goes on from %s without a pause%s.", o->next->name, condition);
	} else {
		SAY(item, "The sound goes on from %s within %s%s.", o->next->name,
		    explain_seconds(text, item->silence_ms), condition);
	}
}

/* The distance of the key frames is not known. */
static void say_picture_unmeasured(struct explain_item *item, const struct outlook *o,
				   int64_t notice_ms)
{
	int64_t gop_ms = explain_promised_gop_ms(o), more_ms = behind_ms(o, notice_ms);
	char text[SECONDS_SIZE];

	if (gop_ms > 0) {
		SAY(item,
		    "Nothing is to be seen if the key frames of %s are at most %s apart. If they "
		    "are further apart, the picture can stand still until the next one. ",
		    o->next->name, explain_seconds(text, gop_ms));
		return;
	}
	SAY(item,
	    "The picture stands still until the next key frame of %s, for up to the distance of "
	    "two of them",
	    o->next->name);
	if (more_ms != 0) {
		SAY(item, more_ms > 0 ? " and %s" : " less %s",
		    explain_seconds(text, more_ms > 0 ? more_ms : -more_ms));
	}
	SAY(item, ". ");
}

static void say_picture(struct explain_item *item, const struct outlook *o, int64_t notice_ms)
{
	int64_t worst_ms = o->next->gop_ms + behind_ms(o, notice_ms);
	char text[SECONDS_SIZE];

	if (o->needed_ms == EXPLAIN_UNKNOWN) {
		say_picture_unmeasured(item, o, notice_ms);
		return;
	}
	item->picture_ms = worst_ms > 0 ? worst_ms : 0;
	if (worst_ms > 0) {
		SAY(item, "The picture stands still until the next key frame of %s, for up to %s. ",
		    o->next->name, explain_seconds(text, worst_ms));
	} else {
		SAY(item,
		    "Most likely nothing is to be seen: a key frame of %s lies in time. It is "
		    "not promised, as the delay leaves only %s for jitter and a difference in "
		    "lag. ",
		    o->next->name, explain_seconds(text, -worst_ms));
	}
}

static bool is_kept(const struct outlook *o)
{
	return o->needed_ms != EXPLAIN_UNKNOWN && o->facts->delay_ms >= o->needed_ms;
}

/* The encode goes on from the other copy, packet by packet. */
static void say_twin(struct explain_item *item, const struct outlook *o)
{
	char text[SECONDS_SIZE];

	item->picture_ms = item->silence_ms = explain_twin_pause_ms(o);
	item->is_promised = item->picture_ms == 0;
	if (item->is_promised) {
		SAY(item,
		    "Nothing is to be seen or heard: %s brings the same encode, packet by packet, "
		    "and no frame is missing, repeated or skipped.",
		    o->twin->name);
	} else {
		SAY(item,
		    "A pause of up to %s: %s brings the same encode later, and no frame is "
		    "missing.",
		    explain_seconds(text, item->picture_ms), o->twin->name);
	}
}

/* Platforms see another format than before, whenever that comes. */
static void say_mismatch(struct explain_item *item, const struct outlook *o)
{
	const char *change = explain_format_change(o);

	if (change[0] != '\0') {
		SAY(item,
		    " But %s is of another format (%s): players may hitch, and some platforms end "
		    "the broadcast for it.",
		    o->next->name, change);
	}
}

/* The loss of the subject, noticed after `notice_ms`. */
static void say_loss(struct explain_item *item, const struct outlook *o, int64_t notice_ms)
{
	if (o->next == NULL) {
		say_nobody(item, o);
		return;
	}
	item->silence_ms = silence_ms(o, notice_ms);
	item->is_promised = is_kept(o);
	if (o->twin != NULL) {
		say_twin(item, o);
		return;
	}
	if (!o->next->has_video) {
		if (o->subject->has_video) {
			SAY(item, "The picture ends, as %s sends sound only. ", o->next->name);
		}
		say_sound(item, o);
	} else if (item->is_promised) {
		item->picture_ms = 0;
		SAY(item,
		    "Nothing is to be seen: the show goes on with %s at its last key frame "
		    "before the loss, and no frame is missing or doubled.",
		    o->next->name);
	} else {
		say_picture(item, o, notice_ms);
		say_sound(item, o);
	}
	say_mismatch(item, o);
}

/* Half of the frames are lost: the health of the feed notices, over FRAME_RATE_MS. */
static void say_half(struct explain_item *item, const struct outlook *o)
{
	uint32_t percent = o->facts->health.of[SIGNAL_FRAME_RATE].enter;
	char text[SECONDS_SIZE];

	if (percent <= 50 || o->next->gop_ms <= 0) {
		return;
	}
	item->left_ms = FRAME_RATE_MS + o->facts->delay_ms + o->next->gop_ms;
	SAY(item, " If less than %u %% of the pictures come (frame_rate), %s takes over within %s.",
	    (unsigned)percent, o->next->name, explain_seconds(text, item->left_ms));
}

static void say_starved(struct explanation *e, const struct outlook *o)
{
	struct explain_item *item = explain_item_add(e, EXPLAIN_CASE, "starved");
	char hole[SECONDS_SIZE];

	TITLE(item, "%s starves: its connection stands, but packets are missing", o->subject->name);
	if (o->twin != NULL) {
		SAY(item, "What is missing is taken from %s, as far as that has it. ",
		    o->twin->name);
		say_twin(item, o);
		return;
	}
	SAY(item,
	    "Holes of up to %s are sent as they are: the %s hitches. A longer one counts as a "
	    "loss. ",
	    explain_seconds(hole, o->facts->hole_ms), o->subject->has_video ? "picture" : "sound");
	say_loss(item, o, explain_stall_ms(o));
	if (o->next != NULL) {
		SAY(item,
		    " If holes go on, the feed counts as degraded and the show stays with %s.",
		    o->next->name);
		say_half(item, o);
	}
}

static void say_audio_only(struct explanation *e, const struct outlook *o)
{
	struct explain_item *item = explain_item_add(e, EXPLAIN_CASE, "audio_only");

	TITLE(item, "%s sends sound only: its picture has stopped", o->subject->name);
	if (o->next == NULL || !o->next->has_video) {
		SAY(item, "The sound goes on and the picture stands still: nobody is there to take "
			  "over with one.");
	} else if (o->twin != NULL) {
		say_twin(item, o);
		return;
	} else if (is_kept(o)) {
		say_loss(item, o, explain_stall_ms(o));
		SAY(item, " Its picture and its sound change together.");
		return;
	} else {
		say_picture(item, o, explain_stall_ms(o));
		SAY(item, "The sound goes on from %s meanwhile, and changes with the picture.",
		    o->subject->name);
	}
	item->silence_ms = 0;
}

/* One that is there: it needs no encoder, so if it is offline, it will not come. */
static const struct explain_feed *find_slate(const struct explain_facts *facts)
{
	for (unsigned i = 0; i < facts->feed_count; i++) {
		const struct explain_feed *feed = &facts->feeds[i];

		if (feed->is_slate && !feed->is_inactive && strcmp(feed->state, "offline") != 0) {
			return feed;
		}
	}
	return NULL;
}

static void say_all_gone(struct explanation *e, const struct outlook *o)
{
	struct explain_item *item = explain_item_add(e, EXPLAIN_CASE, "all_gone");
	const struct explain_feed *slate = find_slate(o->facts);
	char delay[SECONDS_SIZE];

	if (slate != NULL) {
		TITLE(item, "All encoders are gone");
		SAY(item, "%s%s (a slate), until an encoder is back and steady.",
		    o->facts->delay_ms > 0 ? "What they have sent is shown up to a key frame of "
					     "what follows: "
					   : "",
		    slate->name);
		return;
	}
	TITLE(item, "%s", o->facts->feed_count > 1 ? "All feeds are gone" : "The feed is gone");
	if (o->facts->delay_ms > 0) {
		SAY(item, "What has been sent is shown to its end, %s later. ",
		    explain_seconds(delay, o->facts->delay_ms));
	}
	SAY(item,
	    "Then picture and sound stop: understudy invents nothing. It keeps the connections "
	    "to the destinations, ends no broadcast, and goes on with whichever feed is back "
	    "first, at a key frame of it. How long a platform waits is the platform's affair.");
}

/* The most preferred feed is there, and the show stays with another for its format. */
static bool is_kept_off(const struct outlook *o)
{
	const struct explain_feed *first = &o->facts->feeds[0];

	return first != o->subject && first->mismatch[0] != '\0' &&
	       (o->facts->on_mismatch == MISMATCH_REFUSE ||
		(o->facts->on_mismatch == MISMATCH_PREFER_MATCHING &&
		 o->subject->mismatch[0] == '\0'));
}

static void say_returns(struct explanation *e, const struct outlook *o)
{
	const struct explain_facts *facts = o->facts;
	const char *first = facts->feeds[0].name;
	const char *but_slate = find_slate(facts) != NULL ? "; but a slate is left for it" : "";
	struct explain_item *item;

	if (facts->feed_count < 2) {
		return;
	}
	item = explain_item_add(e, EXPLAIN_CASE, "returns");
	TITLE(item, "%s returns", first);
	if (facts->return_mode != RETURN_NEVER && is_kept_off(o)) {
		SAY(item,
		    "Nothing while it is of another format (%s): the show stays where it is while "
		    "that can go on. `understudy take %s %s` goes there, and makes its format the "
		    "show's.",
		    facts->feeds[0].mismatch, facts->show, first);
	} else if (facts->return_mode == RETURN_AUTO) {
		SAY(item,
		    "Once it has been healthy for %lld s (return_after_s), the show goes back to "
		    "it at one of its key frames, and only when that leaves no gap. If it fails "
		    "again within 10 minutes, the wait is doubled, up to 10 minutes.",
		    (long long)facts->return_after_s);
		item->picture_ms = item->silence_ms = 0;
		item->is_promised = true;
	} else if (facts->return_mode == RETURN_MANUAL) {
		SAY(item,
		    "Nothing by itself: return is `manual`, the show stays where it is while "
		    "that can go on%s. `understudy auto %s` lets it go back once, to %s if that is "
		    "healthy, at one of its key frames and only when that leaves no gap; "
		    "`understudy take %s %s` goes there and stays.",
		    but_slate, facts->show, first, facts->show, first);
	} else {
		SAY(item,
		    "Nothing: return is `never`, the show stays where it is while that can go "
		    "on%s. `understudy take %s %s` goes back to it, at one of its key frames.",
		    but_slate, facts->show, first);
	}
}

void explain_cases(struct explanation *e, const struct outlook *o)
{
	struct explain_item *item = explain_item_add(e, EXPLAIN_CASE, "killed");

	TITLE(item, "%s is killed: its connection closes", o->subject->name);
	say_loss(item, o, 0);
	item = explain_item_add(e, EXPLAIN_CASE, "frozen");
	TITLE(item, "%s freezes or its network is cut: nothing comes, nothing closes",
	      o->subject->name);
	say_loss(item, o, explain_stall_ms(o));
	say_starved(e, o);
	if (o->subject->has_video) {
		say_audio_only(e, o);
	}
	say_all_gone(e, o);
	say_returns(e, o);
}
