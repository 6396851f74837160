/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Recordings of real encoders, replayed against the server session in many cuts. */
#include "support.h"

static char *read_file(const char *name, const char *suffix, size_t *ret_size)
{
	char path[512];
	FILE *file;
	long size;
	char *data;

	snprintf(path, sizeof(path), "%s/%s%s", RTMP_DATA, name, suffix);
	file = fopen(path, "rb");
	if (!file) {
		fail_msg("cannot open %s", path);
	}
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	size = ftell(file);
	assert_true(size > 0);
	rewind(file);
	data = calloc(1, (size_t)size + 1);
	assert_non_null(data);
	assert_int_equal(fread(data, 1, (size_t)size, file), size);
	fclose(file);
	*ret_size = (size_t)size;
	return data;
}

static void replay(const char *bytes, size_t n, unsigned seed, const char *golden)
{
	struct rtmp_server *s = new_server();
	struct digest d;

	digest_init(&d);
	assert_int_equal(feed_server(s, (const uint8_t *)bytes, n, seed, T0, &d), RTMP_OK);
	assert_string_equal(digest_text(&d), golden);
	assert_int_equal(rtmp_server_received(s), n);
	digest_finish(&d);
	rtmp_server_destroy(&s);
}

static void recording_gives_the_same_events_however_it_is_cut(void **state)
{
	size_t size, golden_size;
	char *bytes = read_file(*state, ".bin", &size);
	char *golden = read_file(*state, ".txt", &golden_size);

	for (unsigned seed = 0; seed < 12; seed++) {
		replay(bytes, size, seed, golden);
	}
	free(bytes);
	free(golden);
}

#define RECORDING(name)                                                                           \
	{                                                                                         \
		name, recording_gives_the_same_events_however_it_is_cut, NULL, NULL, (void *)name \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RECORDING("ffmpeg71-av1-aac"),  RECORDING("ffmpeg71-h264-aac"),
		RECORDING("ffmpeg71-hevc-aac"), RECORDING("ffmpeg71-vp9-aac"),
		RECORDING("gst126-librtmp"),    RECORDING("gst126-rtmp2sink"),
		RECORDING("liquidsoap"),        RECORDING("obs30-h264"),
	};

	return cmocka_run_group_tests_name("rtmp replay", tests, NULL, NULL);
}
