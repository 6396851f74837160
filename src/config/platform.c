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
