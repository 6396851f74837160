/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The words of a scenario (script.h). Tests only. */
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- words ---- */

unsigned script_split(char *line, char *words[WORDS_MAX])
{
	unsigned count = 0;
	char *save = NULL;

	for (char *word = strtok_r(line, " \t\n", &save); word != NULL && count < WORDS_MAX;
	     word = strtok_r(NULL, " \t\n", &save)) {
		words[count++] = word;
	}
	return count;
}

int64_t script_number(struct scenario *sc, const char *word)
{
	char *end = NULL;
	long long value = strtoll(word, &end, 10);

	if (end == word || *end != '\0') {
		FAIL(sc, "line %d: %s is no number", sc->line, word);
	}
	return value;
}

int64_t script_positive(struct scenario *sc, const char *word)
{
	int64_t value = script_number(sc, word);

	if (value <= 0) {
		FAIL(sc, "line %d: %s is not positive", sc->line, word);
		return 1;
	}
	return value;
}

/* With a fraction: frames a second, parts per million. */
static double number(struct scenario *sc, const char *word)
{
	char *end = NULL;
	double value = strtod(word, &end);

	if (end == word || *end != '\0') {
		FAIL(sc, "line %d: %s is no number", sc->line, word);
	}
	return value;
}

int script_feed(struct scenario *sc, const char *name)
{
	int feed = stage_find(&sc->stage, name);

	if (feed < 0) {
		FAIL(sc, "line %d: no feed %s", sc->line, name);
		return 0;
	}
	return feed;
}

int script_choice(struct scenario *sc, const char *word, const char *const names[], int count)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(word, names[i]) == 0) {
			return i;
		}
	}
	FAIL(sc, "line %d: %s?", sc->line, word);
	return 0;
}

/* ---- show and feeds ---- */

/* SIGNAL=ENTER, of the feeds' health. */
static bool set_threshold(struct scenario *sc, const char *name, const char *value)
{
	for (unsigned i = 0; i < TIMELINE_SIGNALS; i++) {
		if (strcmp(name, timeline_signal_str((enum timeline_signal)i)) == 0) {
			sc->stage.config.health.of[i].enter = (uint32_t)script_number(sc, value);
			return true;
		}
	}
	return false;
}

void script_read_show(struct scenario *sc, char *words[], unsigned count)
{
	static const char *const returns[] = { "auto", "manual", "never" };
	static const char *const mismatches[] = { "prefer", "allow", "refuse" };
	struct timeline_config *c = &sc->stage.config;

	*c = (struct timeline_config){ .stall_us = 500000,
				       .hole_us = 200000,
				       .return_after_us = 30000000,
				       .health = timeline_thresholds_usual };
	if (sc->has_show) {
		FAIL(sc, "line %d: a second show", sc->line);
		return;
	}
	sc->has_show = true;
	sc->stage.seed = 1;
	for (unsigned i = 1; i < count; i++) {
		char *value = strchr(words[i], '=');

		if (value == NULL) {
			FAIL(sc, "line %d: %s?", sc->line, words[i]);
			return;
		}
		*value++ = '\0';
		if (strcmp(words[i], "return") == 0) {
			c->return_mode = (enum timeline_return)script_choice(sc, value, returns, 3);
		} else if (strcmp(words[i], "mismatch") == 0) {
			c->on_mismatch = (enum timeline_mismatch)script_choice(sc, value,
									       mismatches, 3);
		} else if (strcmp(words[i], "delay") == 0) {
			c->delay_us = script_number(sc, value) * 1000;
		} else if (strcmp(words[i], "stall") == 0) {
			c->stall_us = script_number(sc, value) * 1000;
		} else if (strcmp(words[i], "hole") == 0) {
			c->hole_us = script_number(sc, value) * 1000;
		} else if (strcmp(words[i], "after") == 0) {
			c->return_after_us = script_number(sc, value) * 1000;
		} else if (strcmp(words[i], "seed") == 0) {
			sc->stage.seed = (uint64_t)script_number(sc, value);
		} else if (strcmp(words[i], "wake-late") == 0) {
			sc->stage.wake_late_us = script_number(sc, value) * 1000;
		} else if (strcmp(words[i], "gather") == 0) {
			sc->stage.gather_us = script_number(sc, value) * 1000;
		} else if (strcmp(words[i], "round") == 0) {
			sc->stage.round_us = script_number(sc, value) * 1000;
		} else if (!set_threshold(sc, words[i], value)) {
			FAIL(sc, "line %d: %s?", sc->line, words[i]);
		}
	}
}

static bool set_flag(struct stage_feed *f, const char *name)
{
	struct encoder_config *c = &f->config;
	const struct {
		const char *name;
		bool *to;
	} flags[] = { { "pyramid", &c->has_pyramid },
		      { "open-gop", &c->is_open_gop },
		      { "intra-refresh", &c->is_refreshed },
		      { "unordered", &c->is_unordered },
		      { "extra-video", &c->has_extra_video },
		      { "extra-audio", &c->has_extra_audio },
		      { "exact", &c->is_exact },
		      { "slate", &f->is_slate } };

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (strcmp(name, flags[i].name) == 0) {
			*flags[i].to = true;
			return true;
		}
	}
	return false;
}

static bool set_number(struct stage_feed *f, const char *name, double value)
{
	struct encoder_config *c = &f->config;
	const struct {
		const char *name;
		int64_t *to;
	} times[] = { { "lag", &c->lag_ms },       { "jitter", &c->jitter_ms },
		      { "base", &c->base_ms },     { "burst", &c->burst_ms },
		      { "offset", &f->offset_ms }, { "audio-late", &c->audio_late_ms } };
	const struct {
		const char *name;
		unsigned *to;
	} counts[] = { { "gop", &c->gop },
		       { "bframes", &c->bframes },
		       { "audio", &c->audio_hz },
		       { "leading", &c->leading },
		       { "drop", &c->drop_percent },
		       { "data", &c->data_ms },
		       { "same-audio", &c->same_audio },
		       { "same-video", &c->same_video },
		       { "heap", &c->heap_ms },
		       { "dated", &c->dated_ms },
		       { "keep", &c->keep } };

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		if (strcmp(name, times[i].name) == 0) {
			*times[i].to = (int64_t)value;
			return true;
		}
	}
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		if (strcmp(name, counts[i].name) == 0) {
			*counts[i].to = (unsigned)value;
			return true;
		}
	}
	if (strcmp(name, "fps") == 0) {
		c->fps = value;
	} else if (strcmp(name, "ppm") == 0) {
		c->ppm = value;
	} else {
		return false;
	}
	return true;
}

static bool set_codec(struct scenario *sc, struct stage_feed *f, const char *name,
		      const char *value)
{
	static const char *const names[] = { "avc", "hevc" };
	static const enum packet_codec codecs[] = { CODEC_AVC, CODEC_HEVC };
	unsigned width, height;

	if (strcmp(name, "size") == 0 && sscanf(value, "%ux%u", &width, &height) == 2) {
		f->config.width = (uint16_t)width;
		f->config.height = (uint16_t)height;
	} else if (strcmp(name, "video") == 0) {
		f->config.video_codec = codecs[script_choice(sc, value, names, 2)];
	} else {
		return false;
	}
	return true;
}

/* The same encode as another feed's, sent a second time: what follows on the line may differ in how
 * it is sent, not in what. */
static void set_twin(struct scenario *sc, struct stage_feed *f, int feed)
{
	struct encoder_config *of = &sc->stage.feeds[feed].config;

	of->encode = of->encode != 0 ? of->encode : (uint64_t)feed + 1;
	f->config = *of;
}

void script_set_feed(struct scenario *sc, int feed, char *word)
{
	struct stage_feed *f = &sc->stage.feeds[feed];
	char *value = strchr(word, '=');

	if (value == NULL) {
		if (!set_flag(f, word)) {
			FAIL(sc, "line %d: %s?", sc->line, word);
		}
		return;
	}
	*value++ = '\0';
	if (strcmp(word, "connect") == 0) {
		sc->is_never[feed] = strcmp(value, "never") == 0;
		sc->connect_ms[feed] = sc->is_never[feed] ? 0 : script_number(sc, value);
	} else if (strcmp(word, "twin") == 0) {
		set_twin(sc, f, script_feed(sc, value));
	} else if (!set_codec(sc, f, word, value) && !set_number(f, word, number(sc, value))) {
		FAIL(sc, "line %d: %s?", sc->line, word);
	}
	if (f->config.gop == 0) {
		FAIL(sc, "line %d: no frame would be an IDR", sc->line);
	}
}

void script_read_feed(struct scenario *sc, char *words[], unsigned count)
{
	struct stage *st = &sc->stage;
	struct stage_feed *f = &st->feeds[st->feed_count];

	if (!sc->has_show || count < 2 || stage_find(st, words[1]) >= 0) {
		FAIL(sc, "line %d: %s", sc->line,
		     !sc->has_show ? "the show comes first"
		     : count < 2   ? "a feed has a name"
				   : "there is a feed of that name");
		return;
	}
	if (st->feed_count == STAGE_FEEDS) {
		FAIL(sc, "line %d: too many feeds", sc->line);
		return;
	}
	snprintf(f->name, sizeof(f->name), "%s", words[1]);
	f->config = (struct encoder_config){ .fps = 30,
					     .gop = 60,
					     .audio_hz = 48000,
					     .audio_late_ms = 21,
					     .lag_ms = 40,
					     .width = 1280,
					     .height = 720,
					     .video_codec = CODEC_AVC,
					     .audio_codec = CODEC_AAC };
	st->feed_count++;
	for (unsigned i = 2; i < count; i++) {
		script_set_feed(sc, (int)st->feed_count - 1, words[i]);
	}
}
