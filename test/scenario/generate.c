/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writes random scenarios (random.h). Tests only. */
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encoder.h"
#include "random.h"

#define COUNT_OF(x) (sizeof(x) / sizeof((x)[0]))
#define HAPPENINGS_MAX 160
#define HAPPENING_BYTES 64

/* What happens, in the order of its times. */
struct happening {
	int64_t ms;
	char what[HAPPENING_BYTES];
};

struct dice {
	uint64_t state;
	FILE *to;
	struct happening happenings[HAPPENINGS_MAX];
	unsigned count;
	unsigned feeds;
	bool is_starved; /* the switch gets no turn now and then */
};

static int64_t roll(struct dice *d, int64_t from, int64_t to)
{
	return from + (int64_t)(random_next(&d->state) % (uint32_t)(to - from + 1));
}

static bool chance(struct dice *d, unsigned percent)
{
	return random_next(&d->state) % 100 < percent;
}

static const char *one_of(struct dice *d, const char *const names[], unsigned count)
{
	return names[roll(d, 0, count - 1)];
}

__attribute__((format(printf, 3, 4))) static void happen(struct dice *d, int64_t ms,
							 const char *format, ...)
{
	struct happening *h = &d->happenings[d->count];
	va_list args;

	if (d->count == HAPPENINGS_MAX) {
		return;
	}
	d->count++;
	h->ms = ms;
	va_start(args, format);
	vsnprintf(h->what, sizeof(h->what), format, args);
	va_end(args);
}

/* Times may be equal: those keep their order. */
static void write_happenings(struct dice *d, int64_t until_ms)
{
	for (unsigned i = 1; i < d->count; i++) {
		for (unsigned n = i; n > 0 && d->happenings[n - 1].ms > d->happenings[n].ms; n--) {
			struct happening h = d->happenings[n];

			d->happenings[n] = d->happenings[n - 1];
			d->happenings[n - 1] = h;
		}
	}
	for (unsigned i = 0; i < d->count && d->happenings[i].ms <= until_ms; i++) {
		fprintf(d->to, "at %" PRId64 " %s\n", d->happenings[i].ms, d->happenings[i].what);
	}
	fprintf(d->to, "until %" PRId64 "\n", until_ms);
}

/* ---- feeds ---- */

static const char *const feed_names[] = { "primary", "backup", "third", "fourth" };

static void write_feed(struct dice *d, const char *name, bool is_slow, unsigned audio_hz,
		       int64_t lag_most_ms)
{
	static const char *const slow[] = { "5", "8", "10", "12.5", "15", "24", "30" };
	static const char *const rates[] = { "24", "25", "29.97", "30", "50", "59.94", "60" };
	const char *fps = one_of(d, is_slow ? slow : rates, 7);

	fprintf(d->to, "feed %s fps=%s gop=%d audio=%u lag=%d jitter=%d audio-late=%d ppm=%d", name,
		fps, (int)(strtod(fps, NULL) * (double)roll(d, 5, 20) / 10), audio_hz,
		(int)roll(d, 10, lag_most_ms), (int)roll(d, 0, 60), (int)roll(d, 0, 90),
		(int)roll(d, -200, 200));
	if (chance(d, 50)) {
		fprintf(d->to, " bframes=%d%s", (int)roll(d, 1, 4),
			chance(d, 50) ? " pyramid" : "");
	}
	if (chance(d, 50)) { /* some near the end of 31 and of 32 bits of ms */
		fprintf(d->to, " base=%" PRId64,
			chance(d, 70) ? roll(d, 0, 100000000)
				      : (INT64_C(1) << roll(d, 31, 32)) - roll(d, 0, 40000));
	}
}

static void write_oddities(struct dice *d, unsigned feed)
{
	if (chance(d, 15)) {
		fprintf(d->to, " unordered");
	}
	if (feed > 0 && chance(d, 15)) {
		fprintf(d->to, " open-gop");
	} else if (chance(d, 5)) {
		fprintf(d->to, " leading=%d", (int)roll(d, 1, 3));
	} else if (chance(d, 3)) {
		fprintf(d->to, " intra-refresh");
	}
	if (chance(d, 15)) {
		fprintf(d->to, " burst=%d", (int)roll(d, 100, 2500));
	}
	if (chance(d, 10)) {
		fprintf(d->to, " drop=%d", (int)roll(d, 1, 40));
	}
	if (chance(d, 10)) {
		fprintf(d->to, " size=640x360");
	}
	if (chance(d, 10)) {
		fprintf(d->to, " offset=%d", (int)roll(d, -500, 500));
	}
	fprintf(d->to, "%s%s%s", chance(d, 15) ? " extra-audio" : "",
		chance(d, 10) ? " extra-video" : "", chance(d, 15) ? " data=700" : "");
	if (feed >= 2 && chance(d, 50)) {
		fprintf(d->to, " slate");
	}
	fprintf(d->to, " connect=%d\n", (int)roll(d, 0, 4000));
}

/* Silence and tones: the sound repeats, whoever encodes it. */
static void write_sameness(struct dice *d)
{
	if (chance(d, 20)) {
		fprintf(d->to, " same-audio=%d", (int)(chance(d, 40) ? 1 : roll(d, 2, 800)));
	}
}

/* The same encode as an earlier feed's, sent once more. */
static void write_copy(struct dice *d, unsigned feed)
{
	fprintf(d->to, "feed %s twin=%s lag=%d jitter=%d base=%d connect=%d%s%s", feed_names[feed],
		feed_names[roll(d, 0, feed - 1)], (int)roll(d, 10, chance(d, 80) ? 500 : 4000),
		(int)roll(d, 0, 60), (int)roll(d, 0, 1000000),
		(int)roll(d, 0, chance(d, 70) ? 3000 : 30000), chance(d, 50) ? " exact" : "",
		chance(d, 15) ? " extra-audio" : "");
	fprintf(d->to, "%s%s\n", chance(d, 10) ? " unordered" : "",
		chance(d, 10) ? " data=700" : "");
}

/* ---- what happens ---- */

static void happen_to_connection(struct dice *d, int64_t ms, const char *feed)
{
	static const char *const streams[] = { "", " video", " audio" };

	switch (roll(d, 0, 7)) {
	case 0:
		happen(d, ms, "kill %s", feed);
		break;
	case 1:
		happen(d, ms, "kill %s", feed);
		happen(d, ms + roll(d, 0, 6000), "connect %s", feed);
		break;
	case 2:
		if (chance(d, 50)) {
			happen(d, ms, "set %s base=%d ppm=%d lag=%d", feed,
			       (int)roll(d, 0, 1000000), (int)roll(d, -200, 200),
			       (int)roll(d, 0, 400));
		}
		if (chance(d, 10)) {
			happen(d, ms, "set %s size=%s", feed,
			       chance(d, 50) ? "640x360" : "1280x720");
		}
		happen(d, ms, "connect %s", feed);
		break;
	case 3:
		happen(d, ms, "stall %s%s", feed, one_of(d, streams, 3));
		if (chance(d, 80)) {
			happen(d, ms + roll(d, 10, 5000), "flow %s", feed);
		}
		break;
	case 4:
		happen(d, ms, "freeze %s", feed);
		happen(d, ms + roll(d, 10, 5000), "thaw %s", feed);
		break;
	case 5:
		happen(d, ms, "hole %s %s %d", feed, chance(d, 50) ? "video" : "audio",
		       (int)roll(d, 10, 2000));
		break;
	case 6:
		happen(d, ms, "jump %s %d", feed,
		       (int)(chance(d, 50) ? roll(d, -100000, 100000) : roll(d, -300, 300)));
		break;
	default:
		happen(d, ms, chance(d, 30) ? "lapped %s" : "swap %s", feed);
	}
}

static void happen_in_encoder(struct dice *d, int64_t ms, const char *feed)
{
	switch (roll(d, 0, 3)) {
	case 0:
		happen(d, ms, "gop %s %d", feed, (int)roll(d, 1, 120));
		break;
	case 1:
		happen(d, ms, "drop %s %d", feed, chance(d, 60) ? 0 : (int)roll(d, 1, 40));
		break;
	case 2:
		happen(d, ms, "jitter %s %d", feed, (int)roll(d, 0, 200));
		break;
	default:
		happen(d, ms, "header %s %s", feed, chance(d, 40) ? "640x360" : "1280x720");
	}
}

static void happen_to_show(struct dice *d, int64_t ms, const char *feed)
{
	static const int delays_ms[] = { 0, 300, 500, 1000, 3000, 6000 };

	switch (roll(d, 0, 4)) {
	case 0:
	case 1:
		happen(d, ms, "take %s", feed);
		if (chance(d, 80)) {
			happen(d, ms + roll(d, 0, 8000), "auto");
		}
		break;
	case 2:
	case 3:
		happen(d, ms, "restart %d", (int)roll(d, 1, 1000));
		break;
	default:
		happen(d, ms, "delay %d", delays_ms[roll(d, 0, COUNT_OF(delays_ms) - 1)]);
	}
}

/* What matters to who carries the same as others, more than to others. */
static void happen_to_copy_of_many(struct dice *d, int64_t ms, const char *feed)
{
	switch (roll(d, 0, 3)) {
	case 0:
	case 1:
		happen(d, ms, "kill %s", feed);
		happen(d, ms + roll(d, 0, 2000), "set %s base=%d lag=%d", feed,
		       chance(d, 50) ? 0 : (int)roll(d, 0, 1000000), (int)roll(d, 10, 1500));
		happen(d, ms + roll(d, 2000, 4000), "connect %s", feed);
		break;
	case 2:
		happen(d, ms, "lose %s %d %d", feed, (int)roll(d, 1, 40), (int)roll(d, 0, 2));
		happen(d, ms + roll(d, 500, 6000), "lose %s 0 0", feed);
		break;
	default:
		happen(d, ms, "hole %s %s %d", feed, chance(d, 50) ? "video" : "audio",
		       (int)roll(d, 10, 2000));
	}
}

/* Copies that step in time or become something else at the moment another one is lost cannot be
 * told from others: what they promise is held where one thing happens at a time (RANDOM_TWINS). */
static bool is_for_copies(const char *what)
{
	return strncmp(what, "jump", 4) != 0 && strncmp(what, "swap", 4) != 0 &&
	       strncmp(what, "gop", 3) != 0 && strncmp(what, "header", 6) != 0;
}

static void write_any(struct dice *d, uint64_t seed, bool has_copies)
{
	static const int delays_ms[] = { 0, 0, 300, 500, 1000, 3000, 3000, 6000 };
	static const char *const modes[] = { "auto", "auto", "auto", "manual", "never" };
	static const char *const mismatches[] = { "prefer", "allow", "refuse" };
	unsigned audio_hz = chance(d, 50) ? 8000 : chance(d, 50) ? 48000 : 22050;
	int64_t ms = 5000;

	fprintf(d->to,
		"show delay=%d after=%d return=%s mismatch=%s wake-late=%d seed=%" PRIu64 "\n",
		delays_ms[roll(d, 0, COUNT_OF(delays_ms) - 1)], (int)roll(d, 0, 10) * 1000,
		one_of(d, modes, COUNT_OF(modes)), one_of(d, mismatches, COUNT_OF(mismatches)),
		chance(d, 30) ? (int)roll(d, 1, 30) : 0, seed);
	d->feeds = (unsigned)roll(d, 2, 4);
	for (unsigned i = 0; i < d->feeds; i++) {
		bool is_audio_only = chance(d, 3);

		if (i > 0 && has_copies && chance(d, 65)) {
			write_copy(d, i);
			continue;
		}
		write_feed(d, feed_names[i], true, chance(d, 95) ? audio_hz : 44100,
			   i < 2 ? 300 : 1000);
		if (is_audio_only) {
			fprintf(d->to, " fps=0");
		}
		if (has_copies) {
			write_sameness(d);
		}
		write_oddities(d, i);
	}
	for (int i = 0; i < 80; i++) {
		const char *feed = feed_names[roll(d, 0, d->feeds - 1)];

		ms += chance(d, 20) ? 0 : chance(d, 10) ? roll(d, 3000, 12000) : roll(d, 1, 1500);
		if (d->is_starved && chance(d, 8)) {
			happen(d, ms, "sleep %d", (int)roll(d, 10, 2500));
		}
		if (has_copies && chance(d, 40)) {
			happen_to_copy_of_many(d, ms, feed);
		} else if (chance(d, 65)) {
			happen_to_connection(d, ms, feed);
		} else if (chance(d, 55)) {
			happen_in_encoder(d, ms, feed);
		} else {
			happen_to_show(d, ms, feed);
		}
	}
	if (chance(d, 30)) { /* a reload takes a feed away */
		int64_t away_ms = roll(d, 5000, ms);

		happen(d, away_ms, "leave primary");
		happen(d, away_ms + roll(d, 0, 3000),
		       chance(d, 30) ? "stay primary" : "connect primary");
	}
	for (unsigned i = 0; has_copies && i < d->count; i++) {
		while (i < d->count && !is_for_copies(d->happenings[i].what)) {
			d->happenings[i] = d->happenings[--d->count];
		}
	}
	write_happenings(d, ms + 10000);
}

/* ---- one fault, and the promise ---- */

static void write_promise(struct dice *d, uint64_t seed)
{
	static const char *const faults[] = {
		"kill primary",   "stall primary",           "stall primary video",
		"freeze primary", "hole primary video 1500", "take backup",
		"leave primary"
	};
	static const unsigned audio_hz[] = { 48000, 48000, 44100, 22050 };
	unsigned hz = audio_hz[roll(d, 0, 3)];
	int64_t at_ms = roll(d, 12000, 16000), restart_ms = at_ms + roll(d, 0, 3000);

	fprintf(d->to, "show delay=%d seed=%" PRIu64 " wake-late=%d%s\n", (int)roll(d, 2750, 3250),
		seed, chance(d, 30) ? (int)roll(d, 1, 30) : 0,
		/* as shows of such a delay do it */
		seed % 2 == 0 ? " gather=47 round=50" : "");
	write_feed(d, "primary", false, hz, 200);
	fprintf(d->to, " connect=0\n");
	write_feed(d, "backup", false, hz, 200);
	fprintf(d->to, " connect=%d\n", (int)roll(d, 0, 2000));
	happen(d, at_ms, "%s", one_of(d, faults, COUNT_OF(faults)));
	if (d->is_starved) { /* twice, no longer than a show can stand still in all */
		happen(d, at_ms - roll(d, 0, 1500), "sleep %d", (int)roll(d, 10, 1500));
		happen(d, at_ms + roll(d, 0, 4000), "sleep %d", (int)roll(d, 10, 700));
	} else if (chance(d, 25)) {
		happen(d, restart_ms, "restart %d", (int)roll(d, 20, 250));
	}
	write_happenings(d, at_ms + 10000);
	fprintf(d->to, "expect unbroken\n");
}

/* ---- one encode, sent twice ---- */

/* Something happens to one copy, and is over after 8 s at the latest. */
static void happen_to_copy(struct dice *d, int64_t ms)
{
	const char *copy = feed_names[roll(d, 0, 1)];

	switch (roll(d, 0, d->is_starved ? 5 : 6)) {
	case 0:
	case 1:
		happen(d, ms, "%s %s", chance(d, 50) ? "leave" : "kill", copy);
		happen(d, ms + roll(d, 0, 3000), "connect %s", copy);
		break;
	case 6:
		happen(d, ms, "jump %s %d", copy, (int)roll(d, -1900, 4900));
		break;
	case 2:
		happen(d, ms, "stall %s", copy);
		happen(d, ms + roll(d, 10, 4000), "flow %s", copy);
		break;
	case 3:
		happen(d, ms, "hole %s %s %d", copy, chance(d, 50) ? "video" : "audio",
		       (int)roll(d, 10, 3000));
		break;
	case 4: /* random holes, never the same */
		happen(d, ms, "lose primary %d 1", (int)roll(d, 1, 40));
		happen(d, ms, "lose backup %d 2", (int)roll(d, 1, 40));
		happen(d, ms + 4000, "lose primary 0 0");
		happen(d, ms + 4000, "lose backup 0 0");
		break;
	default:
		happen(d, ms, "restart %d", (int)roll(d, 1, 60));
	}
}

static void write_twins(struct dice *d, uint64_t seed)
{
	int lag_ms = (int)roll(d, 0, 1200), jitter_ms = (int)roll(d, 0, 60);
	bool is_first_later = chance(d, 30);
	int64_t ms = 20000;

	/* what the copies' lags differ by, 100 ms, and what reordering and late wake-ups take */
	fprintf(d->to, "show delay=%d seed=%" PRIu64 " wake-late=%d\n",
		lag_ms + 100 + jitter_ms + 250, seed, chance(d, 30) ? (int)roll(d, 1, 30) : 0);
	write_feed(d, "primary", false, chance(d, 70) ? 48000 : 44100, 30);
	write_sameness(d);
	fprintf(d->to, "%s\n", is_first_later ? " connect=2500" : "");
	fprintf(d->to, "feed backup twin=primary lag=%d jitter=%d base=%d%s connect=%d\n",
		30 + lag_ms, jitter_ms, (int)roll(d, 0, 1000000), chance(d, 50) ? " exact" : "",
		is_first_later ? 0 : (int)roll(d, 0, 3000));
	for (int i = 0; i < 4; i++, ms += 16000) {
		happen_to_copy(d, ms + roll(d, 0, 2000));
		if (d->is_starved) {
			happen(d, ms + roll(d, 0, 4000), "sleep %d", (int)roll(d, 10, 600));
		}
	}
	write_happenings(d, ms + 4000);
	fprintf(d->to, "expect unbroken\nexpect splices 0\n");
}

/* ---- */

const char *random_kind_str(enum random_kind kind)
{
	static const char *const names[] = {
		[RANDOM_ANY] = "any",       [RANDOM_PROMISE] = "promise",
		[RANDOM_TWINS] = "twins",   [RANDOM_STARVED] = "starved",
		[RANDOM_COPIES] = "copies",
	};

	return names[kind];
}

char *random_scenario(enum random_kind kind, uint64_t seed)
{
	struct dice *d = calloc(1, sizeof(*d));
	char *text = NULL;
	size_t size = 0;

	assert(d != NULL);
	d->state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	d->to = open_memstream(&text, &size);
	assert(d->to != NULL);
	random_next(&d->state);
	if (kind == RANDOM_STARVED) {
		d->is_starved = true;
		kind = (enum random_kind)roll(d, RANDOM_ANY, RANDOM_TWINS);
	}
	if (kind == RANDOM_PROMISE) {
		write_promise(d, seed);
	} else if (kind == RANDOM_TWINS) {
		write_twins(d, seed);
	} else {
		write_any(d, seed, kind == RANDOM_COPIES);
	}
	fclose(d->to);
	free(d);
	return text;
}
