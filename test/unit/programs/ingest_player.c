/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Recordings of every container, as ffmpeg writes them, played through many seams. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../src/ingest-av/player.h"

#define PASSES 4

static char directory[] = "/tmp/understudy-player-XXXXXX";

static void in_directory(char to[256], const char *name)
{
	assert_true(snprintf(to, 256, "%s/%s", directory, name) < 256);
}

/* The file, or a skipped test where there is no ffmpeg. */
static int encode(const char *name, const char *options)
{
	char command[1024], path[256];

	in_directory(path, name);
	assert_true(snprintf(command, sizeof(command),
			     "ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=size=64x48:rate=30 "
			     "-f lavfi -i sine=sample_rate=48000 %s %s 2>/dev/null",
			     options, path) < (int)sizeof(command));
	if (system("command -v ffmpeg >/dev/null") != 0) {
		skip();
	}
	assert_int_equal(system(command), 0);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void begin(struct player *p, int fd)
{
	char why[CLIP_TEXT] = "";
	int more = player_init(p, fd, why);

	for (more = more == 0 ? 1 : more; more > 0;) {
		more = player_survey(p, why);
	}
	if (more != 0) {
		fail_msg("%s", why);
	}
}

struct seen {
	int64_t dts_90k, pts_90k;
	unsigned frames, configs;
};

static void see(struct seen *s, const struct packet *p, int64_t frame_90k)
{
	if (p->type == PACKET_CONFIG) {
		s->configs++;
		return;
	}
	if (s->frames++ > 0) {
		int64_t step_90k = p->dts_90k - s->dts_90k;

		/* Matroska and FLV round to milliseconds. */
		if (step_90k < frame_90k / 2 - 90 || step_90k > frame_90k * 3 / 2 + 90) {
			fail_msg("frame %u of kind %u: a step of %lld", s->frames, p->kind,
				 (long long)step_90k);
		}
	}
	assert_true(p->pts_90k >= p->dts_90k);
	assert_true(s->configs > 0 || p->codec == CODEC_MP3);
	s->dts_90k = p->dts_90k;
}

/* Every step is one frame, the tracks come in the order in which they leave. */
static void play(int fd, bool has_video, bool has_audio)
{
	struct seen seen[PACKET_KINDS] = { 0 };
	int64_t latest_90k = INT64_MIN;
	char why[CLIP_TEXT];
	struct player p;
	struct held *h;

	begin(&p, fd);
	assert_int_equal(p.params[PACKET_VIDEO].codec != CODEC_NONE, has_video);
	assert_int_equal(p.params[PACKET_AUDIO].codec != CODEC_NONE, has_audio);
	assert_in_range(p.loop.period_90k, 2 * MEDIA_HZ - 9000, 3 * MEDIA_HZ);
	while (p.loop.passes < PASSES) {
		assert_int_equal(player_next(&p, &h, why), 0);
		see(&seen[h->packet.kind], &h->packet,
		    h->packet.kind == PACKET_VIDEO ? 3000 : p.loop.tracks[PACKET_AUDIO].frame_90k);
		if (h->packet.type == PACKET_FRAME) {
			assert_true(h->packet.dts_90k >= latest_90k);
			latest_90k = h->packet.dts_90k;
		}
		free(h);
	}
	assert_true(!has_video || seen[PACKET_VIDEO].frames > (PASSES - 1) * 59);
	assert_true(!has_audio || seen[PACKET_AUDIO].frames > (PASSES - 1) * 70);
	player_finish(&p);
	close(fd);
}

#define H264 "-c:v libx264 -preset ultrafast -g 30 "
#define ORDERED "-c:v libx264 -preset ultrafast -g 30 -bf 2 "
#define AAC "-c:a aac -b:a 64k "

static void every_container_is_played(void **state)
{
	play(encode("a.mp4", "-t 2 " H264 AAC), true, true);
	play(encode("a.mkv", "-t 2 " H264 AAC), true, true);
	play(encode("a.flv", "-t 2 " H264 AAC), true, true);
	play(encode("a.ts", "-t 2 " H264 AAC), true, true);
	play(encode("a.mov", "-t 2 " H264 "-c:a libmp3lame "), true, true);
	play(encode("b.mkv", "-t 2 " H264 "-c:a libopus "), true, true);
}

static void reordered_pictures_keep_their_order(void **state)
{
	play(encode("b.mp4", "-t 2 " ORDERED AAC), true, true);
	play(encode("c.mkv", "-t 2 " ORDERED AAC), true, true);
	play(encode("b.flv", "-t 2 " ORDERED AAC), true, true);
	play(encode("b.ts", "-t 2 " ORDERED AAC), true, true);
}

static void tracks_of_other_lengths_are_cut_and_filled(void **state)
{
	play(encode("short.mp4", "-t 2 -af atrim=end=0.7 " H264 AAC), true, true);
	play(encode("short.ts", "-t 2 -af atrim=end=0.7 " H264 AAC), true, true);
	play(encode("long.mkv", "-t 2.7 -vf trim=end=2 " H264 AAC), true, true);
	play(encode("late.mkv", "-t 2 -af adelay=500,atrim=start=0.5 " H264 AAC), true, true);
}

static void one_track_alone_is_played(void **state)
{
	play(encode("video.mp4", "-t 2 -map 0 " H264), true, false);
	play(encode("audio.m4a", "-t 2 -map 1 " AAC), false, true);
	play(encode("audio.mp3", "-t 2 -map 1 -c:a libmp3lame "), false, true);
	play(encode("audio.aac", "-t 2 -map 1 " AAC), false, true);
}

static void what_is_no_recording_is_refused_in_words(void **state)
{
	static const char *const names[] = { "/dev/null", "/proc/self/exe", "/etc/passwd" };
	char why[CLIP_TEXT];
	struct player p;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int fd = open(names[i], O_RDONLY | O_CLOEXEC);
		int more = player_init(&p, fd, why);

		for (more = more == 0 ? 1 : more; more > 0;) {
			more = player_survey(&p, why);
		}
		assert_true(more < 0);
		assert_true(strlen(why) > 10);
		player_finish(&p);
		close(fd);
	}
}

static void a_list_of_other_files_opens_none(void **state)
{
	char path[256], why[CLIP_TEXT], list[512];
	struct player p;

	close(encode("listed.mp4", "-t 2 " H264));
	in_directory(path, "list");
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	in_directory(path, "listed.mp4");
	int size = snprintf(list, sizeof(list), "ffconcat version 1.0\nfile '%s'\n", path);
	assert_int_equal(write(fd, list, (size_t)size), size);
	int more = player_init(&p, fd, why);
	for (more = more == 0 ? 1 : more; more > 0;) {
		more = player_survey(&p, why);
	}
	assert_true(more < 0);
	player_finish(&p);
	close(fd);
}

static void a_file_that_changes_ends(void **state)
{
	int fd = encode("changes.mp4", "-t 2 " H264 AAC);
	char path[256], why[CLIP_TEXT] = "";
	struct player p;
	struct held *h;
	int error = 0;

	begin(&p, fd);
	in_directory(path, "changes.mp4");
	assert_int_equal(truncate(path, p.file.st_size - 1), 0);
	while (error == 0 && p.loop.passes == 0) {
		error = player_next(&p, &h, why);
		if (error == 0) {
			free(h);
		}
	}
	assert_int_equal(error, -ESTALE);
	assert_string_equal(why, "the file has changed");
	player_finish(&p);
	close(fd);
}

static int set_up(void **state)
{
	return mkdtemp(directory) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[300];

	snprintf(command, sizeof(command), "rm -r %s", directory);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_container_is_played),
		cmocka_unit_test(reordered_pictures_keep_their_order),
		cmocka_unit_test(tracks_of_other_lengths_are_cut_and_filled),
		cmocka_unit_test(one_track_alone_is_played),
		cmocka_unit_test(what_is_no_recording_is_refused_in_words),
		cmocka_unit_test(a_list_of_other_files_opens_none),
		cmocka_unit_test(a_file_that_changes_ends),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
