/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which tracks a container gets, what may change within it, and what a container makes of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <understudy/mux.h>

/* 320x180, High; the second one of the same size with another picture parameter set. */
#define SPS                                                                                       \
	0x67, 0x64, 0x00, 0x0d, 0xac, 0xd9, 0x41, 0x41, 0x9f, 0x9e, 0x10, 0x00, 0x00, 0x03, 0x00, \
		0x10, 0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x42, 0x99, 0x60
#define SPS_BYTES 25
static const uint8_t avc[] = { 1, 0x64, 0, 0x0d, 0xff, 0xe1, 0,    SPS_BYTES, SPS,
			       1, 0,    6, 0x68, 0xeb, 0xe3, 0xcb, 0x22,      0xc0 };
static const uint8_t other_avc[] = { 1, 0x64, 0, 0x0d, 0xff, 0xe1, 0,    SPS_BYTES, SPS,
				     1, 0,    5, 0x68, 0xef, 0x8f, 0x2c, 0x8b };
static const uint8_t stereo[] = { 0x11, 0x90 }; /* AAC LC, 48 kHz, 2 channels */
static const uint8_t stereo_more[] = { 0x11, 0x90, 0x56, 0xe5, 0x00 }; /* and no SBR, said */
static const uint8_t mono[] = { 0x11, 0x88 };

static struct packet config_of(enum packet_kind kind, uint32_t codec, size_t size)
{
	return (struct packet){
		.kind = (uint8_t)kind, .type = PACKET_CONFIG, .codec = codec, .size = (uint32_t)size
	};
}

static void put(struct header_set *set, enum packet_kind kind, uint32_t codec, const void *bytes,
		size_t size)
{
	struct packet p = config_of(kind, codec, size);

	assert_int_equal(header_set_put(set, &p, bytes), 1);
}

static void read_avc_and_aac(struct tracks *t)
{
	struct header_set set = { 0 };

	/* Sound comes first here: a container gets the picture first all the same. */
	put(&set, PACKET_AUDIO, CODEC_AAC, stereo, sizeof(stereo));
	put(&set, PACKET_VIDEO, CODEC_AVC, avc, sizeof(avc));
	*t = (struct tracks){ 0 };
	assert_int_equal(tracks_read(t, &set), 0);
	header_set_finish(&set);
}

static void tracks_come_from_the_headers_in_force(void **state)
{
	struct tracks t;
	char remark[MUX_TEXT];

	read_avc_and_aac(&t);
	assert_int_equal(t.count, 2);
	assert_int_equal(t.items[0].kind, PACKET_VIDEO);
	assert_int_equal(t.items[0].params.width, 320);
	assert_int_equal(t.items[1].params.sample_rate, 48000);
	assert_int_equal(tracks_choose(&t, MUX_TS, remark), 2);
	assert_string_equal(remark, "");
	assert_int_equal(tracks_choose(&t, MUX_ADTS, remark), 1);
	assert_int_equal(t.items[0].stream, -1);
	assert_int_equal(t.items[1].stream, 0);
	tracks_finish(&t);
}

static void codec_that_the_container_cannot_carry_is_left_out_in_words(void **state)
{
	static const uint8_t vp9[] = { 1, 0, 0, 0, 0, 10, 0x82, 1, 1, 1, 0, 0 };
	struct header_set set = { 0 };
	struct tracks t = { 0 };
	char remark[MUX_TEXT];

	put(&set, PACKET_VIDEO, CODEC_VP9, vp9, sizeof(vp9));
	put(&set, PACKET_AUDIO, CODEC_AAC, stereo, sizeof(stereo));
	assert_int_equal(tracks_read(&t, &set), 0);
	assert_int_equal(tracks_choose(&t, MUX_TS, remark), 1);
	assert_string_equal(remark, "video (VP9) is left out: MPEG-TS cannot carry it");
	assert_int_equal(tracks_choose(&t, MUX_MATROSKA, remark), 2);
	assert_string_equal(remark, "");
	assert_int_equal(tracks_choose(&t, MUX_MP3, remark), 0);
	assert_non_null(strstr(remark, "audio (AAC)"));
	tracks_finish(&t);
	header_set_finish(&set);
}

static void sound_without_a_header_is_known_by_its_first_frame(void **state)
{
	static const uint8_t mp3[4] = { 0xff, 0xfb, 0x90, 0x00 }; /* layer III, 44.1 kHz */
	struct packet p = {
		.kind = PACKET_AUDIO, .type = PACKET_FRAME, .codec = CODEC_MP3, .size = sizeof(mp3)
	};
	struct tracks t = { 0 };
	char remark[MUX_TEXT];

	assert_int_equal(tracks_see(&t, &p, mp3), 0);
	assert_int_equal(tracks_see(&t, &p, mp3), 0);
	assert_int_equal(t.count, 1);
	assert_int_equal(t.items[0].params.sample_rate, 44100);
	assert_int_equal(mux_format_for_radio(t.items[0].codec), MUX_MP3);
	assert_int_equal(tracks_choose(&t, MUX_MP3, remark), 1);
	tracks_finish(&t);
}

static void parameter_sets_that_change_go_in_band(void **state)
{
	struct packet p = config_of(PACKET_VIDEO, CODEC_AVC, sizeof(avc));
	struct tracks t;

	read_avc_and_aac(&t);
	assert_int_equal(tracks_update(&t, &p, avc), TRACKS_SAME);
	assert_null(t.items[0].sets);
	p.size = sizeof(other_avc);
	assert_int_equal(tracks_update(&t, &p, other_avc), TRACKS_IN_BAND);
	assert_int_equal(t.items[0].sets_bytes, 4 + SPS_BYTES + 4 + 5);
	assert_memory_equal(t.items[0].sets + 4 + SPS_BYTES, "\0\0\0\5\x68\xef", 6);
	p.size = sizeof(avc); /* and back again: the container's own are not in force any more */
	assert_int_equal(tracks_update(&t, &p, avc), TRACKS_IN_BAND);
	assert_int_equal(t.items[0].sets_bytes, 4 + SPS_BYTES + 4 + 6);
	p.size = 20; /* torn */
	assert_int_equal(tracks_update(&t, &p, avc), TRACKS_ANEW);
	tracks_finish(&t);
}

static void another_sound_needs_a_new_container(void **state)
{
	struct packet p = config_of(PACKET_AUDIO, CODEC_AAC, sizeof(stereo_more));
	struct tracks t;

	read_avc_and_aac(&t);
	assert_int_equal(tracks_update(&t, &p, stereo_more), TRACKS_SAME);
	p.size = sizeof(mono);
	assert_int_equal(tracks_update(&t, &p, mono), TRACKS_ANEW);
	p = config_of(PACKET_AUDIO, CODEC_OPUS, 0);
	assert_int_equal(tracks_update(&t, &p, mono), TRACKS_ANEW);
	tracks_finish(&t);
}

/* ---- a container in memory ---- */

struct sunk {
	uint8_t bytes[65536];
	size_t size, writes;
	int error;
};

static int sink_write(void *context, const uint8_t *bytes, size_t size)
{
	struct sunk *s = context;

	if (s->error < 0) {
		return s->error;
	}
	assert_true(s->size + size <= sizeof(s->bytes));
	memcpy(s->bytes + s->size, bytes, size);
	s->size += size;
	s->writes++;
	return 0;
}

static int write_frames(struct mux *m, struct tracks *t, char why[MUX_TEXT])
{
	static const uint8_t picture[] = { 0, 0, 0, 4, 0x65, 0x88, 0x84, 0x00 };
	static const uint8_t sound[] = { 0x21, 0x10, 0x04, 0x60, 0x8c, 0x1c };
	int error = 0;

	for (int i = 0; error == 0 && i < 10; i++) {
		struct packet p = { .kind = PACKET_VIDEO,
				    .type = PACKET_FRAME,
				    .codec = CODEC_AVC,
				    .flags = PACKET_KEY,
				    .size = sizeof(picture),
				    .dts_90k = 1000000 + i * 3000 };

		p.pts_90k = p.dts_90k;
		error = mux_write(m, t, &p, picture, 1000000, why);
		p.kind = PACKET_AUDIO;
		p.codec = CODEC_AAC;
		p.size = sizeof(sound);
		if (error == 0) {
			error = mux_write(m, t, &p, sound, 1000000, why);
		}
	}
	return error;
}

static struct mux *mux_into(struct sunk *s, enum mux_format format, struct tracks *t)
{
	struct mux_sink sink = { .write = sink_write,
				 .context = s,
				 .unit_bytes = format == MUX_TS ? 1316 : 0 };
	char remark[MUX_TEXT], why[MUX_TEXT];
	struct mux *m = NULL;

	read_avc_and_aac(t);
	assert_int_not_equal(tracks_choose(t, format, remark), 0);
	if (mux_create(format, t, &sink, NULL, &m, why) < 0) {
		fail_msg("%s: %s", mux_format_str(format), why);
	}
	return m;
}

static void transport_stream_has_tables_and_parameter_sets_before_each_key_frame(void **state)
{
	static struct sunk s;
	struct tracks t;
	struct mux *m = mux_into(&s, MUX_TS, &t);
	char why[MUX_TEXT];
	unsigned tables = 0, sets = 0;

	assert_int_equal(write_frames(m, &t, why), 0);
	assert_int_equal(mux_flush(m, why), 0);
	assert_true(mux_can_move(m));
	assert_int_equal(s.size % 188, 0);
	for (size_t at = 0; at < s.size; at += 188) {
		assert_int_equal(s.bytes[at], 0x47);
		tables += (s.bytes[at + 1] & 0x1f) == 0 && s.bytes[at + 2] == 0;
		sets += memmem(s.bytes + at, 188, "\x67\x64\x00\x0d", 4) != NULL;
	}
	assert_int_equal(tables, 10);
	assert_int_equal(sets, 10);
	assert_int_equal(mux_destroy(&m, true), 0);
	tracks_finish(&t);
}

static void every_file_format_can_be_written(void **state)
{
	static const enum mux_format formats[] = { MUX_MATROSKA, MUX_MP4, MUX_TS, MUX_ADTS };
	static const char *const marks[] = { "\x1a\x45\xdf\xa3", "ftyp", "\x47\x40", "\xff\xf1" };

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		static struct sunk s;
		struct tracks t;
		struct mux *m;
		char why[MUX_TEXT];

		s = (struct sunk){ .error = 0 };
		m = mux_into(&s, formats[i], &t);
		assert_int_equal(write_frames(m, &t, why), 0);
		assert_int_equal(mux_destroy(&m, true), 0);
		assert_null(m);
		assert_true(s.size > 100);
		assert_non_null(memmem(s.bytes, 16, marks[i], strlen(marks[i])));
		tracks_finish(&t);
	}
}

static void failing_sink_is_told_as_it_failed(void **state)
{
	static struct sunk s;
	struct tracks t;
	struct mux *m = mux_into(&s, MUX_TS, &t);
	char why[MUX_TEXT];

	s.error = -ENOSPC;
	assert_int_equal(write_frames(m, &t, why), -ENOSPC);
	assert_non_null(strstr(why, "No space left"));
	mux_destroy(&m, false);
	tracks_finish(&t);
}

static void endings_of_files_name_their_format(void **state)
{
	assert_int_equal(mux_format_of("a/b.mkv"), MUX_MATROSKA);
	assert_int_equal(mux_format_of("x.MP4"), MUX_MP4);
	assert_int_equal(mux_format_of("x.ts"), MUX_TS);
	assert_int_equal(mux_format_of(".ts"), MUX_NONE);
	assert_int_equal(mux_format_of("x.avi"), MUX_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tracks_come_from_the_headers_in_force),
		cmocka_unit_test(codec_that_the_container_cannot_carry_is_left_out_in_words),
		cmocka_unit_test(sound_without_a_header_is_known_by_its_first_frame),
		cmocka_unit_test(parameter_sets_that_change_go_in_band),
		cmocka_unit_test(another_sound_needs_a_new_container),
		cmocka_unit_test(
			transport_stream_has_tables_and_parameter_sets_before_each_key_frame),
		cmocka_unit_test(every_file_format_can_be_written),
		cmocka_unit_test(failing_sink_is_told_as_it_failed),
		cmocka_unit_test(endings_of_files_name_their_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
