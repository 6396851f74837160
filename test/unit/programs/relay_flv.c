/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A show ring into an FLV file: the recording by itself, then understudy-relay-flv around it. */
#include "stage.h"

#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <understudy/bytes.h>
#include <understudy/flv.h>
#include <understudy/ring.h>

#include "../../../src/relay-flv/recording.h"

#define FRAME_90K 3000

/* ---- the switch ---- */

struct show {
	int fd;
	struct ring_writer *writer;
};

static uint8_t bytes[1 << 16];

static void show_open(struct show *s)
{
	s->fd = ring_create("show", RING_BYTES_MIN);
	assert_true(s->fd >= 0);
	assert_int_equal(ring_writer_open(s->fd, 1000000, &s->writer), 0);
}

static void show_close(struct show *s)
{
	ring_writer_close(&s->writer);
	close(s->fd);
}

static void put(struct show *s, struct packet p, const void *payload)
{
	struct iovec iov = { (void *)(uintptr_t)payload, p.size };

	assert_int_equal(ring_write(s->writer, &p, &iov, 1, NULL), 0);
	ring_publish(s->writer);
}

static void put_config(struct show *s, const char *text, unsigned flags)
{
	put(s,
	    (struct packet){ .kind = PACKET_VIDEO,
			     .type = PACKET_CONFIG,
			     .codec = CODEC_AVC,
			     .head = 0x17,
			     .flags = (uint16_t)flags,
			     .size = (uint32_t)strlen(text) },
	    text);
}

/* Frame `n`: 33.3 ms each, its number in every byte. */
static struct packet frame(int64_t n, unsigned flags)
{
	return (struct packet){ .kind = PACKET_VIDEO,
				.type = PACKET_FRAME,
				.codec = CODEC_AVC,
				.head = flags & PACKET_KEY ? 0x17 : 0x27,
				.flags = (uint16_t)flags,
				.fingerprint = (uint64_t)n + 1,
				.dts_90k = n * FRAME_90K,
				.pts_90k = n * FRAME_90K,
				.size = 4 };
}

static void put_frame(struct show *s, int64_t n, unsigned flags)
{
	memset(bytes, (int)n, 4);
	put(s, frame(n, flags), bytes);
}

#define JOIN (PACKET_JOIN | PACKET_KEY)

/* ---- the file ---- */

struct file {
	int fd;
	uint8_t bytes[65536];
	size_t size, at;
};

static void file_open(struct file *f)
{
	f->fd = memfd_create("recording", MFD_CLOEXEC);
	assert_true(f->fd >= 0);
}

/* Reads it from the start and checks its header and script. Returns the duration. */
static double file_read(struct file *f)
{
	static const char name[] = "\x02\x00\x0aonMetaData\x08\x00\x00\x00\x00\x00\x08"
				   "duration";
	ssize_t got = pread(f->fd, f->bytes, sizeof(f->bytes), 0);
	const uint8_t *script = f->bytes + FLV_FILE_HEADER_BYTES + FLV_TAG_HEADER_BYTES;
	uint64_t bits;
	double duration;

	assert_true(got > FLV_FILE_HEADER_BYTES + FLV_TAG_HEADER_BYTES + (ssize_t)sizeof(name));
	f->size = (size_t)got;
	assert_memory_equal(f->bytes, "FLV\x01\x01\x00\x00\x00\x09\x00\x00\x00\x00", 13);
	assert_int_equal(f->bytes[FLV_FILE_HEADER_BYTES], FLV_DATA);
	assert_memory_equal(script, name, sizeof(name) - 1);
	bits = get_be64(script + sizeof(name));
	memcpy(&duration, &bits, sizeof(duration));
	f->at = FLV_FILE_HEADER_BYTES + FLV_TAG_HEADER_BYTES + get_be24(script - 10) +
		FLV_TAG_TRAILER_BYTES;
	return duration;
}

static const uint8_t *expect_tag(struct file *f, uint32_t timestamp_ms, size_t size)
{
	const uint8_t *tag = f->bytes + f->at;

	assert_true(f->at + FLV_TAG_HEADER_BYTES + size + FLV_TAG_TRAILER_BYTES <= f->size);
	assert_int_equal(tag[0], FLV_VIDEO);
	assert_int_equal(get_be24(tag + 1), size);
	assert_int_equal(get_be24(tag + 4) | (uint32_t)tag[7] << 24, timestamp_ms);
	assert_int_equal(get_be32(tag + FLV_TAG_HEADER_BYTES + size), FLV_TAG_HEADER_BYTES + size);
	f->at += FLV_TAG_HEADER_BYTES + size + FLV_TAG_TRAILER_BYTES;
	return tag + FLV_TAG_HEADER_BYTES;
}

static void expect_config(struct file *f, uint32_t timestamp_ms, const char *text)
{
	const uint8_t *body = expect_tag(f, timestamp_ms, 5 + strlen(text));

	assert_memory_equal(body, "\x17\x00\x00\x00\x00", 5);
	assert_memory_equal(body + 5, text, strlen(text));
}

static void expect_frame(struct file *f, uint32_t timestamp_ms, int64_t n)
{
	const uint8_t *body = expect_tag(f, timestamp_ms, 9);

	assert_int_equal(body[1], 1);
	assert_int_equal(body[5], n & 0xff);
	assert_int_equal(body[8], n & 0xff);
}

static void expect_end(struct file *f)
{
	assert_int_equal(f->at, f->size);
}

/* ---- the recording ---- */

struct take {
	struct show show;
	struct follower *follower;
	struct recording recording;
	struct file file;
};

static void take_begin(struct take *t)
{
	show_open(&t->show);
	file_open(&t->file);
	assert_int_equal(follower_open(t->show.fd, &t->follower), 0);
	recording_init(&t->recording, t->file.fd);
}

static void take_end(struct take *t)
{
	recording_finish(&t->recording);
	follower_close(&t->follower);
	show_close(&t->show);
	close(t->file.fd);
}

static struct take take;

static void recording_begins_at_the_first_joining_point(void **state)
{
	take_begin(&take);
	put_config(&take.show, "avcC", 0);
	put_frame(&take.show, 100, 0);
	assert_int_equal(recording_follow(&take.recording, take.follower), 2);
	assert_int_equal(take.recording.bytes, 0);
	put_config(&take.show, "avcC", PACKET_REPEAT);
	put_frame(&take.show, 101, JOIN);
	put_frame(&take.show, 102, 0);
	put_frame(&take.show, 103, 0);
	assert_int_equal(recording_follow(&take.recording, take.follower), 3);
	assert_int_equal(recording_end(&take.recording), 0);
	assert_true(file_read(&take.file) == 0.067);
	expect_config(&take.file, 0, "avcC");
	expect_frame(&take.file, 0, 101);
	expect_frame(&take.file, 33, 102);
	expect_frame(&take.file, 67, 103);
	expect_end(&take.file);
	assert_int_equal(take.recording.bytes, take.file.size);
	assert_int_equal(take.recording.dropped, 0);
	take_end(&take);
}

static void nothing_is_written_of_a_show_that_was_never_on_air(void **state)
{
	take_begin(&take);
	assert_int_equal(recording_follow(&take.recording, take.follower), 0);
	assert_int_equal(recording_end(&take.recording), 0);
	assert_int_equal(lseek(take.file.fd, 0, SEEK_END), 0);
	take_end(&take);
}

static void new_codec_header_is_written_in_its_place(void **state)
{
	take_begin(&take);
	put_config(&take.show, "one", 0);
	put_frame(&take.show, 0, JOIN);
	put(&take.show,
	    (struct packet){ .kind = PACKET_VIDEO,
			     .type = PACKET_CONFIG,
			     .codec = CODEC_AVC,
			     .head = 0x17,
			     .size = 3,
			     .dts_90k = FRAME_90K,
			     .pts_90k = FRAME_90K },
	    "two");
	put_frame(&take.show, 1, JOIN);
	assert_int_equal(recording_follow(&take.recording, take.follower), 4);
	file_read(&take.file);
	expect_config(&take.file, 0, "one");
	expect_frame(&take.file, 0, 0);
	expect_config(&take.file, 33, "two");
	expect_frame(&take.file, 33, 1);
	expect_end(&take.file);
	take_end(&take);
}

static void lapped_recording_goes_on_at_the_next_joining_point(void **state)
{
	struct packet big = frame(1, 0);

	take_begin(&take);
	put_config(&take.show, "one", 0);
	put_frame(&take.show, 0, JOIN);
	assert_int_equal(recording_follow(&take.recording, take.follower), 2);
	big.size = sizeof(bytes);
	for (int i = 0; i < 50; i++) {
		put(&take.show, big, bytes);
	}
	put_config(&take.show, "two", PACKET_REPEAT);
	assert_int_equal(recording_follow(&take.recording, take.follower), 1);
	put_frame(&take.show, 2, 0);
	put_frame(&take.show, 3, JOIN);
	put_frame(&take.show, 4, 0);
	assert_int_equal(recording_follow(&take.recording, take.follower), 3);
	assert_int_equal(take.recording.dropped, 52); /* the frames, the header's first copy, 2 */
	file_read(&take.file);
	expect_config(&take.file, 0, "one");
	expect_frame(&take.file, 0, 0);
	expect_config(&take.file, 0, "two");
	expect_frame(&take.file, 100, 3);
	expect_frame(&take.file, 133, 4);
	expect_end(&take.file);
	take_end(&take);
}

static void new_show_time_goes_on_behind_what_is_there(void **state)
{
	struct show new;

	take_begin(&take);
	show_open(&new);
	put_config(&take.show, "one", 0);
	put_frame(&take.show, 1000, JOIN);
	put_frame(&take.show, 1001, 0);
	put_config(&new, "two", 0);
	put_frame(&new, 0, 0);
	put_frame(&new, 1, JOIN);
	put_frame(&new, 2, 0);
	assert_int_equal(follower_switch(take.follower, new.fd), 0);
	assert_true(recording_follow(&take.recording, take.follower) > 0);
	file_read(&take.file);
	expect_config(&take.file, 0, "one");
	expect_frame(&take.file, 0, 1000);
	expect_frame(&take.file, 33, 1001);
	expect_config(&take.file, 33, "two");
	expect_frame(&take.file, 34, 1);
	expect_frame(&take.file, 67, 2);
	expect_end(&take.file);
	show_close(&new);
	take_end(&take);
}

static void pictures_before_an_open_joining_point_are_left_out(void **state)
{
	struct packet open = frame(4, PACKET_JOIN | PACKET_RECOVERY);

	take_begin(&take);
	put_config(&take.show, "one", 0);
	open.pts_90k += 2 * FRAME_90K;
	put(&take.show, open, "\4\4\4\4");
	put_frame(&take.show, 5, 0);
	put_frame(&take.show, 6, 0);
	assert_int_equal(recording_follow(&take.recording, take.follower), 4);
	file_read(&take.file);
	expect_config(&take.file, 0, "one");
	expect_frame(&take.file, 0, 4);
	expect_frame(&take.file, 67, 6);
	expect_end(&take.file);
	take_end(&take);
}

static void full_disk_is_an_error(void **state)
{
	take_begin(&take);
	close(take.file.fd);
	take.file.fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	take.recording.file = take.file.fd;
	put_frame(&take.show, 0, JOIN);
	assert_int_equal(recording_follow(&take.recording, take.follower), -ENOSPC);
	take_end(&take);
}

/* ---- the program ---- */

static struct stage_worker start_recorder(const struct show *show, int file, int wake,
					  int64_t batch_us)
{
	struct stage_worker w = stage_start(ROLE_RELAY_FLV);
	const struct ipc_output_start start = {
		.id = 7,
		.kind = OUTPUT_FLV,
		.batch_us = batch_us,
		.show = "main",
		.name = "record",
	};
	struct ipc_message m;

	stage_send(&w, IPC_OUTPUT_START, &start, (int[]){ show->fd, wake, file }, 3);
	/* The first status says that the ring is being followed. */
	stage_expect(&w, IPC_DESTINATION_STATUS, &m);
	assert_int_equal(((const struct ipc_destination_status *)(const void *)m.body)->id, 7);
	ipc_message_finish(&m);
	return w;
}

static struct ipc_destination_status expect_state(const struct stage_worker *w,
						  enum destination_state state)
{
	struct ipc_destination_status status;
	struct ipc_message m;

	do {
		stage_expect(w, IPC_DESTINATION_STATUS, &m);
		memcpy(&status, m.body, sizeof(status));
		ipc_message_finish(&m);
	} while (status.state != state);
	return status;
}

static void expect_exit(const struct stage_worker *w, int code)
{
	int status;

	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), code);
}

static struct show show;
static struct file file;

static void recorder_tells_writes_and_stops(void **state)
{
	struct ipc_destination_status status;
	struct stage_worker w;
	int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	show_open(&show);
	file_open(&file);
	assert_int_equal(ring_writer_add_wake(show.writer, wake), 0);
	w = start_recorder(&show, file.fd, wake, 0);
	put_config(&show, "avcC", 0);
	put_frame(&show, 10, JOIN);
	expect_state(&w, DESTINATION_LIVE);
	put_frame(&show, 11, 0);
	stage_stop(&w);
	status = expect_state(&w, DESTINATION_STOPPED);
	stage_finish(&w);
	assert_true(file_read(&file) == 0.033);
	expect_config(&file, 0, "avcC");
	expect_frame(&file, 0, 10);
	expect_frame(&file, 33, 11);
	expect_end(&file);
	assert_int_equal(status.bytes, file.size);
	assert_string_equal(status.last_error, "");
	close(wake);
	close(file.fd);
	show_close(&show);
}

static void recorder_goes_over_to_a_new_switchs_ring_without_a_frame_twice(void **state)
{
	struct show new;
	struct stage_worker w;
	int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	show_open(&show);
	show_open(&new);
	file_open(&file);
	w = start_recorder(&show, file.fd, wake, 5000);
	put_config(&show, "avcC", 0);
	put_frame(&show, 10, JOIN);
	put_frame(&show, 11, 0);
	put_config(&new, "avcC", PACKET_REPEAT);
	put_frame(&new, 11, 0);
	put_frame(&new, 12, 0);
	stage_send(&w, IPC_SHOW_RING, &(struct ipc_show_ring){ 0 }, (int[]){ new.fd, wake }, 2);
	close(w.control); /* the supervisor is gone: what there is goes into the file first */
	expect_exit(&w, 0);
	file_read(&file);
	expect_config(&file, 0, "avcC");
	expect_frame(&file, 0, 10);
	expect_frame(&file, 33, 11);
	expect_frame(&file, 67, 12);
	expect_end(&file);
	close(wake);
	close(file.fd);
	show_close(&new);
	show_close(&show);
}

static void recorder_says_why_it_gives_up(void **state)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct ipc_destination_status status;
	struct stage_worker w;

	show_open(&show);
	w = start_recorder(&show, full, wake, 5000);
	put_frame(&show, 10, JOIN);
	status = expect_state(&w, DESTINATION_BACKING_OFF);
	assert_non_null(strstr(status.last_error, "No space left on device"));
	expect_exit(&w, 1);
	close(w.control);
	close(wake);
	close(full);
	show_close(&show);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recording_begins_at_the_first_joining_point),
		cmocka_unit_test(nothing_is_written_of_a_show_that_was_never_on_air),
		cmocka_unit_test(new_codec_header_is_written_in_its_place),
		cmocka_unit_test(lapped_recording_goes_on_at_the_next_joining_point),
		cmocka_unit_test(new_show_time_goes_on_behind_what_is_there),
		cmocka_unit_test(pictures_before_an_open_joining_point_are_left_out),
		cmocka_unit_test(full_disk_is_an_error),
		cmocka_unit_test(recorder_tells_writes_and_stops),
		cmocka_unit_test(recorder_goes_over_to_a_new_switchs_ring_without_a_frame_twice),
		cmocka_unit_test(recorder_says_why_it_gives_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
