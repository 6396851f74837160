/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is known of the platforms a destination may name (`platform: youtube`): public documents
 * of theirs, as of 2026. Pure. A limit nobody has published is left out rather than guessed.
 */
#include <understudy/config.h>

static const struct config_platform_facts facts[PLATFORMS] = {
	[PLATFORM_YOUTUBE] = {
		.name = "YouTube",
		.url = "rtmps://a.rtmps.youtube.com/live2",
		.backup_url = "rtmps://b.rtmps.youtube.com/live2?backup=1",
		.max_kbps = 51000,
		.has_least_kbps = true,
		.max_gop_ms = 4000,
		.video = { "H.264", "HEVC", "AV1" },
		.audio = { "AAC", "MP3" },
	},
	[PLATFORM_TWITCH] = {
		.name = "Twitch",
		.url = "rtmps://live.twitch.tv/app",
		.session_s = 48 * 3600,
		.max_kbps = 6320,
		.max_gop_ms = 4000,
		.video = { "H.264" },
		.audio = { "AAC", "MP3" },
	},
	[PLATFORM_FACEBOOK] = {
		.name = "Facebook",
		.url = "rtmps://live-api-s.facebook.com/rtmp",
		.session_s = 8 * 3600,
		.max_gop_ms = 4000,
		.needs_tls = true,
		.needs_audio = true,
		.video = { "H.264" },
		.audio = { "AAC" },
	},
	[PLATFORM_KICK] = {
		.name = "Kick",
		.url = "rtmps://fa723fc1b171.global-contribute.live-video.net/app",
		.max_gop_ms = 4000,
		.max_width = 1920,
		.max_height = 1080,
		.needs_tls = true,
		.video = { "H.264" },
		.audio = { "AAC" },
	},
};

const struct config_platform_facts *config_platform_facts(int platform)
{
	return platform > PLATFORM_CUSTOM && platform < PLATFORMS ? &facts[platform] : NULL;
}

/* YouTube's ranges for H.264: the lower ends, for up to 30 frames a second and for more. */
uint32_t config_platform_least_kbps(const struct config_platform_facts *platform, uint32_t height,
				    uint32_t fps_milli)
{
	static const struct {
		uint32_t height, kbps, kbps_fast;
	} least[] = {
		{ 2160, 13000, 20000 }, { 1440, 6000, 9000 }, { 1080, 3000, 4500 },
		{ 720, 1500, 2250 },    { 480, 500, 500 },    { 360, 400, 400 },
		{ 240, 300, 300 },
	};

	for (size_t i = 0; platform->has_least_kbps && i < sizeof(least) / sizeof(least[0]); i++) {
		if (height >= least[i].height) {
			return fps_milli > 31000 ? least[i].kbps_fast : least[i].kbps;
		}
	}
	return 0;
}
