/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the status warns of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <understudy/clock.h>

#include "../../../src/supervisor/supervisor.h"

static struct config_show show_config = { .name = "main" };
static struct config_feed feed_config = { .name = "primary" };
static struct config_destination destination_config = { .name = "there" };
static struct show show;
static struct feed feed;
static struct destination destination;

/* What an encoder sends that every platform likes. */
static struct timeline_feed_status *reset(int platform)
{
	struct timeline_feed_status *s = &show.status.timeline.feeds[0];

	memset(&show, 0, sizeof(show));
	show.config = &show_config;
	TAILQ_INIT(&show.feeds);
	TAILQ_INIT(&show.destinations);
	feed = (struct feed){ .show = &show, .config = &feed_config, .id = 1 };
	TAILQ_INSERT_TAIL(&show.feeds, &feed, entry);
	destination_config.platform = platform;
	destination = (struct destination){ .show = &show, .config = &destination_config };
	TAILQ_INSERT_TAIL(&show.destinations, &destination, entry);
	show.status.timeline.feed_count = 1;
	*s = (struct timeline_feed_status){
		.id = 1,
		.state = FEED_LIVE,
		.has_video = true,
		.has_audio = true,
		.format = { .video = { .codec = CODEC_AVC, .width = 1280, .height = 720 },
			    .audio = { .codec = CODEC_AAC },
			    .gop_ms = 2000 },
		.kbps = 5000,
	};
	return s;
}

/* Exactly one warning, with these words; NULL: none. */
static void assert_warned(const char *words)
{
	json_t *list = warnings_json(&show);

	assert_int_equal(json_array_size(list), words != NULL);
	if (words != NULL && strstr(json_string_value(json_array_get(list, 0)), words) == NULL) {
		fail_msg("\"%s\" does not say \"%s\"", json_string_value(json_array_get(list, 0)),
			 words);
	}
	json_decref(list);
}

static void usual_feed_suits_every_platform(void **state)
{
	for (int i = PLATFORM_CUSTOM; i < PLATFORMS; i++) {
		reset(i);
		assert_warned(NULL);
	}
}

static void broken_limits_are_named_with_the_remedy(void **state)
{
	reset(PLATFORM_YOUTUBE)->format.gop_ms = 5000;
	assert_warned(
		"key frames are 5000 ms apart, YouTube takes 4000 at most (gopSizeOver); set");
	reset(PLATFORM_TWITCH)->kbps = 9000;
	assert_warned("9000 kb/s are sent, Twitch takes 6320 (bitrateHigh); lower");
	reset(PLATFORM_TWITCH)->kbps = 6800;
	assert_warned(NULL);
	reset(PLATFORM_TWITCH)->format.video.codec = CODEC_AV1;
	assert_warned("Twitch does not take AV1 (videoCodec)");
	reset(PLATFORM_YOUTUBE)->format.video.codec = CODEC_AV1;
	assert_warned(NULL);
	reset(PLATFORM_KICK)->format.audio.codec = CODEC_OPUS;
	assert_warned("Kick does not take Opus (audioCodec)");
	reset(PLATFORM_FACEBOOK)->has_audio = false;
	assert_warned("Facebook needs sound (noAudioStream)");
	reset(PLATFORM_KICK)->format.video.width = 2560;
	assert_warned("2560x720 is more than the 1920x1080 that Kick takes");
	reset(PLATFORM_CUSTOM)->format.gop_ms = 9000;
	assert_warned("feed primary: key frames are 9000 ms apart; set the key frame interval to "
		      "2 s (gopSizeLong)");
	reset(PLATFORM_TWITCH)->format.gop_ms = 9000;
	show.status.timeline.feeds[0].state = FEED_OFFLINE;
	assert_warned(NULL);
	reset(PLATFORM_TWITCH)->kbps = 9000;
	destination.is_paused = true;
	assert_warned(NULL);
}

static void a_delay_that_is_too_short_comes_with_advice_that_helps(void **state)
{
	show_config.failover.stall_ms = 500;
	show_config.delay_ms = 3000;
	reset(PLATFORM_CUSTOM)->format.gop_ms = 4000;
	assert_warned(
		"set the key frame interval to 2 s in the encoder or delay_ms to at least 4750");
	show_config.delay_ms = 500; /* too short for 2 s as well */
	assert_warned("can show a gap; set delay_ms to at least 4750");
	show_config.earlier_ms = 300; /* a feed's offset_ms takes that off it */
	assert_warned("can show a gap; set delay_ms to at least 5050");
	show_config.earlier_ms = 0;
	show.status.timeline.feeds[0].twin_of = 2; /* from that one at any frame */
	assert_warned(NULL);
	show.status.timeline.feeds[0].twin_of = 0;
	show.status.timeline.feeds[0].state = FEED_OFFLINE;
	assert_warned(NULL);
	show_config.delay_ms = 0;
}

static void a_feed_that_is_refused_is_warned_of(void **state)
{
	reset(PLATFORM_CUSTOM)->mismatch = FORMAT_BIT(FORMAT_RESOLUTION);
	assert_warned(NULL);
	show_config.failover.on_mismatch = MISMATCH_REFUSE;
	assert_warned("is never shown unless an operator takes it (on_mismatch: refuse)");
	show_config.failover.on_mismatch = MISMATCH_PREFER_MATCHING;
}

static void a_feed_by_itself_is_warned_of_in_youtubes_words(void **state)
{
	struct timeline_feed_status *s;

	reset(PLATFORM_CUSTOM)->format.has_open_gops = 1;
	assert_warned("(openGop)");
	reset(PLATFORM_CUSTOM)->format.video.scan = SCAN_INTERLACED;
	assert_warned("(interlacedVideo)");
	reset(PLATFORM_CUSTOM)->format.audio.channels = 6;
	assert_warned("its sound has 6 channels; platforms take 2 (audioTooManyChannels)");
	s = reset(PLATFORM_CUSTOM);
	s->has_audio = false;
	assert_warned(NULL); /* it may still come */
	s->format.is_measured = 1;
	assert_warned("(noAudioStream)");
	s->state = FEED_OFFLINE;
	assert_warned(NULL);
	s = reset(PLATFORM_YOUTUBE);
	s->format.is_measured = 1;
	s->format.fps_milli = 60000;
	s->kbps = 2000;
	assert_warned("YouTube wants at least 2250 for a picture of this size (bitrateLow)");
	s->format.fps_milli = 30000;
	assert_warned(NULL);
}

static void long_broadcasts_are_warned_of_an_hour_before(void **state)
{
	int64_t now_us = clock_monotonic_us();

	reset(PLATFORM_FACEBOOK);
	destination.status.accepted_us = now_us - INT64_C(6) * 3600 * 1000000;
	assert_warned(NULL);
	destination.status.accepted_us = now_us - (INT64_C(7) * 3600 + 601) * 1000000;
	assert_warned("on air for 7 h 10 min, Facebook ends a broadcast after 8 h");
	destination_config.platform = PLATFORM_YOUTUBE;
	assert_warned(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usual_feed_suits_every_platform),
		cmocka_unit_test(broken_limits_are_named_with_the_remedy),
		cmocka_unit_test(a_delay_that_is_too_short_comes_with_advice_that_helps),
		cmocka_unit_test(a_feed_that_is_refused_is_warned_of),
		cmocka_unit_test(a_feed_by_itself_is_warned_of_in_youtubes_words),
		cmocka_unit_test(long_broadcasts_are_warned_of_an_hour_before),
	};

	return cmocka_run_group_tests_name("supervisor warnings", tests, NULL, NULL);
}
