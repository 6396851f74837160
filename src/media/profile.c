/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Profiles and levels as people know them. Pure.
 * Sources: ISO/IEC 14496-10 annex A; 23008-2 annex A; AV1 bitstream specification, annex A.
 */
#include <understudy/codec.h>
#include <understudy/text.h>

#define CONSTRAINT_SET_1 0x40
#define CONSTRAINT_SETS_4_5 0x0c
#define AVC_BASELINE 66
#define AVC_HIGH 100

static const struct {
	uint32_t codec;
	uint8_t profile;
	const char *name;
} profiles[] = {
	{ CODEC_AVC, AVC_BASELINE, "Baseline" },
	{ CODEC_AVC, 77, "Main" },
	{ CODEC_AVC, 88, "Extended" },
	{ CODEC_AVC, AVC_HIGH, "High" },
	{ CODEC_AVC, 110, "High 10" },
	{ CODEC_AVC, 122, "High 4:2:2" },
	{ CODEC_AVC, 244, "High 4:4:4" },
	{ CODEC_AVC, 44, "CAVLC 4:4:4" },
	{ CODEC_HEVC, 1, "Main" },
	{ CODEC_HEVC, 2, "Main 10" },
	{ CODEC_HEVC, 3, "Main Still Picture" },
	{ CODEC_HEVC, 4, "Range Extensions" },
	{ CODEC_AV1, 0, "Main" },
	{ CODEC_AV1, 1, "High" },
	{ CODEC_AV1, 2, "Professional" },
};

/* The same profile without what hardly anybody uses: any decoder of it will do. */
static bool is_constrained(const struct codec_params *p)
{
	if (p->codec != CODEC_AVC) {
		return false;
	}
	return (p->profile == AVC_BASELINE && (p->constraints & CONSTRAINT_SET_1) != 0) ||
	       (p->profile == AVC_HIGH &&
		(p->constraints & CONSTRAINT_SETS_4_5) == CONSTRAINT_SETS_4_5);
}

void codec_profile_str(const struct codec_params *p, char *to, size_t size)
{
	for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
		if (profiles[i].codec == p->codec && profiles[i].profile == p->profile) {
			text_format(to, size, "%s%s", is_constrained(p) ? "Constrained " : "",
				    profiles[i].name);
			return;
		}
	}
	text_copy(to, size, "");
	if (p->profile != 0) {
		text_format(to, size, "profile %u", p->profile);
	}
}

void codec_level_str(const struct codec_params *p, char *to, size_t size)
{
	unsigned tenths = 0;

	switch (p->codec) {
	case CODEC_AVC:
	case CODEC_VP9:
		tenths = p->level;
		break;
	case CODEC_HEVC:
		tenths = p->level / 3u;
		break;
	case CODEC_AV1:
		/* Index 0 is level 2.0, so this is what it says; 31 sets no limits. */
		tenths = p->level < 31 ? 20u + p->level / 4u * 10u + p->level % 4u : 0;
		break;
	default:
		break;
	}
	text_copy(to, size, "");
	if (tenths > 0) {
		text_format(to, size, "%u.%u", tenths / 10, tenths % 10);
	}
}
