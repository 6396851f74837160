/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writes random scenarios (random.h). Tests only. */
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dice.h"
#include "random.h"

#define HAPPENINGS_MAX 160
#define HAPPENING_BYTES 64
#define SAYING_BYTES 512

/* What happens, in the order of its times. */
struct happening {
	int64_t ms;
	char what[HAPPENING_BYTES];
};

struct author {
	struct dice dice;
	FILE *to;
	struct happening happenings[HAPPENINGS_MAX];
	unsigned count;
	unsigned feeds;
	bool is_starved; /* the switch gets no turn now and then */
};

static int64_t roll(struct author *a, int64_t from, int64_t to)
{
	return dice_roll(&a->dice, from, to);
}

static bool chance(struct author *a, unsigned percent)
{
	return dice_chance(&a->dice, percent);
}

/* Formats as printf() does, then throws the dice in the text (dice.h). */
__attribute__((format(printf, 2, 3))) static void say(struct author *a, const char *format, ...)
{
	char text[SAYING_BYTES];
	va_list args;

	va_start(args, format);
	int length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	assert(length < (int)sizeof(text));
	dice_say(&a->dice, a->to, text);
}

/* Likewise, what happens at a time. */
__attribute__((format(printf, 3, 4))) static void happen(struct author *a, int64_t ms,
							 const char *format, ...)
{
	struct happening *h = &a->happenings[a->count];
	char text[SAYING_BYTES];
	va_list args;

	if (a->count == HAPPENINGS_MAX) {
		return;
	}
	a->count++;
	h->ms = ms;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	FILE *to = fmemopen(h->what, sizeof(h->what), "w");
	assert(to != NULL);
	dice_say(&a->dice, to, text);
	fclose(to);
}

/* Times may be equal: those keep their order. */
static void write_happenings(struct author *a, int64_t until_ms)
{
	for (unsigned i = 1; i < a->count; i++) {
		for (unsigned n = i; n > 0 && a->happenings[n - 1].ms > a->happenings[n].ms; n--) {
			struct happening h = a->happenings[n];

			a->happenings[n] = a->happenings[n - 1];
			a->happenings[n - 1] = h;
		}
	}
	for (unsigned i = 0; i < a->count && a->happenings[i].ms <= until_ms; i++) {
		fprintf(a->to, "at %" PRId64 " %s\n", a->happenings[i].ms, a->happenings[i].what);
	}
	fprintf(a->to, "until %" PRId64 "\n", until_ms);
}

/* ---- feeds ---- */

static const char *const feed_names[] = { "primary", "backup", "third", "fourth" };

static void write_feed(struct author *a, const char *name, bool is_slow, unsigned audio_hz,
		       int64_t lag_most_ms)
{
	static const char *const slow[] = { "5", "8", "10", "12.5", "15", "24", "30" };
	static const char *const rates[] = { "24", "25", "29.97", "30", "50", "59.94", "60" };
	const char *fps = (is_slow ? slow : rates)[roll(a, 0, 6)];
	double gop_s = (double)roll(a, 5, 20) / 10;

	say(a, "feed %s fps=%s gop=%d audio=%u lag={10..%" PRId64 "} jitter={0..60}", name, fps,
	    (int)(strtod(fps, NULL) * gop_s), audio_hz, lag_most_ms);
	say(a, " audio-late={0..90} ppm={-200..200}{50%% bframes={1..4}{50%% pyramid}}");
	/* some near the end of 31 and of 32 bits of ms */
	say(a, "{50%% base={70%%{0..100000000}|{{2147443648..2147483648}|"
	       "{4294927296..4294967296}}}}");
}

static void write_oddities(struct author *a, unsigned feed)
{
	say(a, "{15%% unordered}");
	say(a, feed > 0 ? "{15%% open-gop|{5%% leading={1..3}|{3%% intra-refresh}}}"
			: "{5%% leading={1..3}|{3%% intra-refresh}}");
	say(a, "{15%% burst={100..2500}}{10%% drop={1..40}}{10%% size=640x360}");
	say(a, "{10%% offset={-500..500}}{15%% extra-audio}{10%% extra-video}{15%% data=700}");
	say(a, feed >= 2 ? "{50%% slate} connect={0..4000}\n" : " connect={0..4000}\n");
}

/* Silence and tones: the sound repeats, whoever encodes it. */
static void write_sameness(struct author *a)
{
	say(a, "{20%% same-audio={40%%1|{2..800}}}");
}

/* The same encode as an earlier feed's, sent once more. */
static void write_copy(struct author *a, unsigned feed)
{
	say(a, "feed %s twin=%s lag={80%%{10..500}|{10..4000}} jitter={0..60} base={0..1000000}",
	    feed_names[feed], feed_names[roll(a, 0, feed - 1)]);
	say(a, " connect={70%%{0..3000}|{0..30000}}{50%% exact}{15%% extra-audio}"
	       "{10%% unordered}{10%% data=700}\n");
}

/* ---- what happens ---- */

static void happen_to_connection(struct author *a, int64_t ms, const char *feed)
{
	switch (roll(a, 0, 7)) {
	case 0:
		happen(a, ms, "kill %s", feed);
		break;
	case 1:
		happen(a, ms, "kill %s", feed);
		happen(a, ms + roll(a, 0, 6000), "connect %s", feed);
		break;
	case 2:
		if (chance(a, 50)) {
			happen(a, ms, "set %s base={0..1000000} ppm={-200..200} lag={0..400}",
			       feed);
		}
		if (chance(a, 10)) {
			happen(a, ms, "set %s size={640x360|1280x720}", feed);
		}
		happen(a, ms, "connect %s", feed);
		break;
	case 3:
		happen(a, ms, "stall %s{| video| audio}", feed);
		if (chance(a, 80)) {
			happen(a, ms + roll(a, 10, 5000), "flow %s", feed);
		}
		break;
	case 4:
		happen(a, ms, "freeze %s", feed);
		happen(a, ms + roll(a, 10, 5000), "thaw %s", feed);
		break;
	case 5:
		happen(a, ms, "hole %s {video|audio} {10..2000}", feed);
		break;
	case 6:
		happen(a, ms, "jump %s {{-100000..100000}|{-300..300}}", feed);
		break;
	default:
		happen(a, ms, "{30%%lapped|swap} %s", feed);
	}
}

static void happen_in_encoder(struct author *a, int64_t ms, const char *feed)
{
	switch (roll(a, 0, 3)) {
	case 0:
		happen(a, ms, "gop %s {1..120}", feed);
		break;
	case 1:
		happen(a, ms, "drop %s {60%%0|{1..40}}", feed);
		break;
	case 2:
		happen(a, ms, "jitter %s {0..200}", feed);
		break;
	default:
		happen(a, ms, "header %s {40%%640x360|1280x720}", feed);
	}
}

static void happen_to_show(struct author *a, int64_t ms, const char *feed)
{
	switch (roll(a, 0, 4)) {
	case 0:
	case 1:
		happen(a, ms, "take %s", feed);
		if (chance(a, 80)) {
			happen(a, ms + roll(a, 0, 8000), "auto");
		}
		break;
	case 2:
	case 3:
		happen(a, ms, "restart {1..1000}");
		break;
	default:
		happen(a, ms, "delay {0|300|500|1000|3000|6000}");
	}
}

/* What matters to who carries the same as others, more than to others. */
static void happen_to_copy_of_many(struct author *a, int64_t ms, const char *feed)
{
	switch (roll(a, 0, 3)) {
	case 0:
	case 1:
		happen(a, ms, "kill %s", feed);
		happen(a, ms + roll(a, 0, 2000), "set %s base={0|{0..1000000}} lag={10..1500}",
		       feed);
		happen(a, ms + roll(a, 2000, 4000), "connect %s", feed);
		break;
	case 2:
		happen(a, ms, "lose %s {1..40} {0..2}", feed);
		happen(a, ms + roll(a, 500, 6000), "lose %s 0 0", feed);
		break;
	default:
		happen(a, ms, "hole %s {video|audio} {10..2000}", feed);
	}
}

/* Copies that step in time or become something else at the moment another one is lost cannot be
 * told from others: what they promise is held where one thing happens at a time (RANDOM_TWINS). */
static bool is_for_copies(const char *what)
{
	return strncmp(what, "jump", 4) != 0 && strncmp(what, "swap", 4) != 0 &&
	       strncmp(what, "gop", 3) != 0 && strncmp(what, "header", 6) != 0;
}

static void write_any_feeds(struct author *a, bool has_copies)
{
	unsigned audio_hz = chance(a, 50) ? 8000 : chance(a, 50) ? 48000 : 22050;

	for (unsigned i = 0; i < a->feeds; i++) {
		if (i > 0 && has_copies && chance(a, 65)) {
			write_copy(a, i);
			continue;
		}
		write_feed(a, feed_names[i], true, chance(a, 95) ? audio_hz : 44100,
			   i < 2 ? 300 : 1000);
		say(a, "{3%% fps=0}"); /* sound alone */
		if (has_copies) {
			write_sameness(a);
		}
		write_oddities(a, i);
	}
}

static void happen_somehow(struct author *a, int64_t ms, bool has_copies)
{
	const char *feed = feed_names[roll(a, 0, a->feeds - 1)];

	if (a->is_starved && chance(a, 8)) {
		happen(a, ms, "sleep {10..2500}");
	}
	if (has_copies && chance(a, 40)) {
		happen_to_copy_of_many(a, ms, feed);
	} else if (chance(a, 65)) {
		happen_to_connection(a, ms, feed);
	} else if (chance(a, 55)) {
		happen_in_encoder(a, ms, feed);
	} else {
		happen_to_show(a, ms, feed);
	}
}

static void write_any(struct author *a, uint64_t seed, bool has_copies)
{
	int64_t ms = 5000;

	say(a, "show delay={0|0|300|500|1000|3000|3000|6000} after={0..10}000");
	say(a, " return={auto|auto|auto|manual|never} mismatch={prefer|allow|refuse}");
	/* every second one works in rounds, as shows do that may gather */
	say(a, " wake-late={30%%{1..30}|0} seed=%" PRIu64 "%s\n", seed,
	    seed % 2 == 0 ? " gather=29 round=29" : "");
	a->feeds = (unsigned)roll(a, 2, 4);
	write_any_feeds(a, has_copies);
	for (int i = 0; i < 80; i++) {
		ms += chance(a, 20) ? 0 : chance(a, 10) ? roll(a, 3000, 12000) : roll(a, 1, 1500);
		happen_somehow(a, ms, has_copies);
	}
	if (chance(a, 30)) { /* a reload takes a feed away */
		int64_t away_ms = roll(a, 5000, ms);

		happen(a, away_ms, "leave primary");
		happen(a, away_ms + roll(a, 0, 3000), "{30%%stay|connect} primary");
	}
	for (unsigned i = 0; has_copies && i < a->count; i++) {
		while (i < a->count && !is_for_copies(a->happenings[i].what)) {
			a->happenings[i] = a->happenings[--a->count];
		}
	}
	write_happenings(a, ms + 10000);
}

/* ---- one fault, and the promise ---- */

static void write_promise(struct author *a, uint64_t seed)
{
	static const unsigned audio_hz[] = { 48000, 48000, 44100, 22050 };
	unsigned hz = audio_hz[roll(a, 0, 3)];
	int64_t at_ms = roll(a, 12000, 16000);

	/* every second one gathers, as shows of such a delay do */
	say(a, "show delay={2750..3250} seed=%" PRIu64 " wake-late={30%%{1..30}|0}%s\n", seed,
	    seed % 2 == 0 ? " gather=71 round=75" : "");
	write_feed(a, "primary", false, hz, 200);
	say(a, " connect=0\n");
	write_feed(a, "backup", false, hz, 200);
	say(a, " connect={0..2000}\n");
	happen(a, at_ms,
	       "{kill primary|stall primary|stall primary video|freeze primary|"
	       "hole primary video 1500|take backup|leave primary}");
	if (a->is_starved) { /* twice, no longer than a show can stand still in all */
		happen(a, at_ms - roll(a, 0, 1500), "sleep {10..1500}");
		happen(a, at_ms + roll(a, 0, 4000), "sleep {10..700}");
	} else if (chance(a, 25)) {
		happen(a, at_ms + roll(a, 0, 3000), "restart {20..250}");
	}
	write_happenings(a, at_ms + 10000);
	say(a, "expect unbroken\n");
}

/* ---- all of them close ---- */

/* It may come back, and fail again and again. */
static void happen_to_lost(struct author *a, int64_t ms, const char *feed)
{
	happen(a, ms, "kill %s", feed);
	for (int times = 0; times < 4 && chance(a, 60); times++) {
		ms += chance(a, 50) ? roll(a, 0, 1000) : roll(a, 0, 5000);
		happen(a, ms, "set %s base={0..1000000} lag={10..400}", feed);
		happen(a, ms, "connect %s", feed);
		if (chance(a, 50)) {
			return;
		}
		ms += roll(a, 0, 4000);
		happen(a, ms, "kill %s", feed);
	}
}

static void write_closing(struct author *a, uint64_t seed)
{
	unsigned hz = chance(a, 50) ? 48000 : 44100;
	int64_t at_ms = roll(a, 10000, 14000);

	say(a, "show delay={1000..6000} seed=%" PRIu64 " wake-late={30%%{1..30}|0}%s\n", seed,
	    seed % 2 == 0 ? " gather=71 round=75" : "");
	a->feeds = (unsigned)roll(a, 2, 3);
	for (unsigned i = 0; i < a->feeds; i++) {
		write_feed(a, feed_names[i], false, hz, 300);
		say(a, i == 2 ? "{50%% slate} connect={0..2000}\n" : " connect={0..2000}\n");
		if (i < 2 || chance(a, 50)) {
			happen_to_lost(a, at_ms + roll(a, 0, 4000), feed_names[i]);
		}
	}
	if (chance(a, 25)) {
		happen(a, at_ms + roll(a, 0, 6000), "restart {20..250}");
	}
	write_happenings(a, at_ms + 20000);
}

/* ---- one encode, sent twice ---- */

/* Something happens to one copy, and is over after 8 s at the latest. */
static void happen_to_copy(struct author *a, int64_t ms)
{
	const char *copy = feed_names[roll(a, 0, 1)];

	switch (roll(a, 0, a->is_starved ? 5 : 6)) {
	case 0:
	case 1:
		happen(a, ms, "{leave|kill} %s", copy);
		happen(a, ms + roll(a, 0, 3000), "connect %s", copy);
		break;
	case 6:
		happen(a, ms, "jump %s {-1900..4900}", copy);
		break;
	case 2:
		happen(a, ms, "stall %s", copy);
		happen(a, ms + roll(a, 10, 4000), "flow %s", copy);
		break;
	case 3:
		happen(a, ms, "hole %s {video|audio} {10..3000}", copy);
		break;
	case 4: /* random holes, never the same */
		happen(a, ms, "lose primary {1..40} 1");
		happen(a, ms, "lose backup {1..40} 2");
		happen(a, ms + 4000, "lose primary 0 0");
		happen(a, ms + 4000, "lose backup 0 0");
		break;
	default:
		happen(a, ms, "restart {1..60}");
	}
}

static void write_twins(struct author *a, uint64_t seed)
{
	int64_t lag_ms = roll(a, 0, 1200), jitter_ms = roll(a, 0, 60), ms = 20000;
	bool is_first_later = chance(a, 30);

	/* what the copies' lags differ by, 100 ms, and what reordering and late wake-ups take */
	say(a, "show delay=%" PRId64 " seed=%" PRIu64 " wake-late={30%%{1..30}|0}%s\n",
	    lag_ms + 100 + jitter_ms + 250, seed, seed % 2 == 0 ? " gather=37 round=40" : "");
	write_feed(a, "primary", false, chance(a, 70) ? 48000 : 44100, 30);
	write_sameness(a);
	say(a, is_first_later ? " connect=2500\n" : "\n");
	say(a, "feed backup twin=primary lag=%" PRId64 " jitter=%" PRId64, 30 + lag_ms, jitter_ms);
	say(a, is_first_later ? " base={0..1000000}{50%% exact} connect=0\n"
			      : " base={0..1000000}{50%% exact} connect={0..3000}\n");
	for (int i = 0; i < 4; i++, ms += 16000) {
		happen_to_copy(a, ms + roll(a, 0, 2000));
		if (a->is_starved) {
			happen(a, ms + roll(a, 0, 4000), "sleep {10..600}");
		}
	}
	write_happenings(a, ms + 4000);
	say(a, "expect unbroken\nexpect splices 0\n");
}

/* ---- */

const char *random_kind_str(enum random_kind kind)
{
	static const char *const names[] = {
		[RANDOM_ANY] = "any",       [RANDOM_PROMISE] = "promise",
		[RANDOM_TWINS] = "twins",   [RANDOM_STARVED] = "starved",
		[RANDOM_COPIES] = "copies", [RANDOM_CLOSING] = "closing",
	};

	return names[kind];
}

char *random_scenario(enum random_kind kind, uint64_t seed)
{
	struct author *a = calloc(1, sizeof(*a));
	char *text = NULL;
	size_t size = 0;

	assert(a != NULL);
	dice_init(&a->dice, seed);
	a->to = open_memstream(&text, &size);
	assert(a->to != NULL);
	if (kind == RANDOM_STARVED) {
		a->is_starved = true;
		kind = (enum random_kind)roll(a, RANDOM_ANY, RANDOM_TWINS);
	}
	if (kind == RANDOM_PROMISE) {
		write_promise(a, seed);
	} else if (kind == RANDOM_TWINS) {
		write_twins(a, seed);
	} else if (kind == RANDOM_CLOSING) {
		write_closing(a, seed);
	} else {
		write_any(a, seed, kind == RANDOM_COPIES);
	}
	fclose(a->to);
	free(a);
	return text;
}
