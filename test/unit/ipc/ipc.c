/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include <understudy/ipc.h>

static int pair[2];
static struct ipc_message message;

static int open_pair(void **state)
{
	return ipc_pair(pair);
}

static int close_pair(void **state)
{
	close(pair[0]);
	close(pair[1]);
	return 0;
}

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(dir) != NULL) {
		count++;
	}
	closedir(dir);
	return count;
}

/* Sends raw bytes, with descriptors, past all checks of ipc_send(). */
static void send_raw(const void *bytes, size_t size, const int *fds, unsigned fd_count)
{
	struct iovec part = { (void *)(uintptr_t)bytes, size };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(16 * sizeof(int))];
	} control = { 0 };
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd_count > 0) {
		struct cmsghdr *c = &control.align;

		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
	}
	assert_int_equal(sendmsg(pair[0], &msg, MSG_NOSIGNAL), size);
}

static void send_raw_message(uint32_t type, uint32_t size, const void *body, size_t body_bytes)
{
	unsigned char bytes[8 + 20000];

	memcpy(bytes, &type, 4);
	memcpy(bytes + 4, &size, 4);
	memcpy(bytes + 8, body, body_bytes);
	send_raw(bytes, 8 + body_bytes, NULL, 0);
}

static void message_arrives_with_its_descriptors(void **state)
{
	struct ipc_source_open body = { .feed = 3, .incarnation = 7 };
	struct ipc_source_open got;
	int fds[2] = { eventfd(5, 0), eventfd(6, 0) };
	uint64_t value;
	int fd;

	assert_int_equal(ipc_recv(pair[1], &message), -EAGAIN);
	assert_int_equal(ipc_send(pair[0], IPC_SOURCE_OPEN, &body, fds, 2), 0);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(ipc_recv(pair[1], &message), 1);
	assert_int_equal(message.type, IPC_SOURCE_OPEN);
	assert_int_equal(message.size, sizeof got);
	memcpy(&got, message.body, sizeof got);
	assert_int_equal(got.feed, 3);
	assert_int_equal(got.incarnation, 7);
	fd = ipc_take_fd(&message, 1);
	assert_int_equal(read(fd, &value, sizeof value), 8);
	assert_int_equal(value, 6);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(ipc_take_fd(&message, 1), -1);
	assert_int_equal(ipc_take_fd(&message, 2), -1);
	close(fd);
	ipc_message_finish(&message);
	ipc_message_finish(&message);
}

static void untaken_descriptors_are_closed(void **state)
{
	struct ipc_show_ring body = { 0 };
	int before = count_fds();
	int fds[2] = { eventfd(0, 0), eventfd(0, 0) };

	assert_int_equal(ipc_send(pair[0], IPC_SHOW_RING, &body, fds, 2), 0);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(ipc_recv(pair[1], &message), 1);
	ipc_message_finish(&message);
	assert_int_equal(count_fds(), before);
}

static void sender_is_told_of_its_mistakes(void **state)
{
	struct ipc_ingest_closed text = { .is_clean = 1 };
	struct ipc_ring_ready ready = { 0 };
	int fds[5] = { 0, 0, 0, 0, 0 };

	assert_int_equal(ipc_send(pair[0], IPC_NONE, &ready, NULL, 0), -EINVAL);
	assert_int_equal(ipc_send(pair[0], IPC_TYPES, &ready, NULL, 0), -EINVAL);
	assert_int_equal(ipc_send(pair[0], IPC_RING_READY, &ready, fds, 1), -EINVAL);
	assert_int_equal(ipc_send(pair[0], IPC_SHOW_RING, &ready, NULL, 0), -EINVAL);
	assert_int_equal(ipc_send(pair[0], IPC_SHOW_RING, &ready, fds, 5), -EINVAL);
	memset(text.cause, 'x', sizeof text.cause);
	assert_int_equal(ipc_send(pair[0], IPC_INGEST_CLOSED, &text, NULL, 0), -EINVAL);
	assert_int_equal(ipc_recv(pair[1], &message), -EAGAIN);
}

static void closed_peer_is_the_end(void **state)
{
	struct ipc_ring_ready ready = { 0 };

	assert_int_equal(ipc_send(pair[0], IPC_RING_READY, &ready, NULL, 0), 0);
	assert_int_equal(ipc_send(pair[1], IPC_RING_READY, &ready, NULL, 0), 0);
	close(pair[0]);
	assert_int_equal(ipc_recv(pair[1], &message), 0); /* what it left unread resets us once */
	assert_int_equal(ipc_recv(pair[1], &message), 1);
	assert_int_equal(ipc_recv_no_fds(pair[1], &message), 0);
	assert_int_equal(ipc_send(pair[1], IPC_RING_READY, &ready, NULL, 0), -EPIPE);
	pair[0] = dup(pair[1]);
}

static void reader_that_does_not_read_never_blocks_the_sender(void **state)
{
	struct ipc_resolve_answer body = { .count = 1 };
	int sent = 0, got = 0, error;

	while ((error = ipc_send(pair[0], IPC_RESOLVE_ANSWER, &body, NULL, 0)) == 0) {
		sent++;
	}
	assert_int_equal(error, -EAGAIN);
	while (ipc_recv(pair[1], &message) == 1) {
		got++;
	}
	assert_int_equal(got, sent);
}

static void burst_of_destinations_fits_in_the_buffer(void **state)
{
	struct ipc_destination_add body = { .endpoint_count = 1 };

	for (uint32_t i = 0; i < 64; i++) {
		body.id = i;
		assert_int_equal(ipc_send(pair[0], IPC_DESTINATION_ADD, &body, NULL, 0), 0);
	}
}

static void assert_refused(uint32_t type, const void *body, size_t size)
{
	send_raw_message(type, (uint32_t)size, body, size);
	assert_int_equal(ipc_recv(pair[1], &message), -EBADMSG);
}

static void wrong_sizes_and_types_are_refused(void **state)
{
	static const unsigned char zero[20000];

	assert_refused(IPC_NONE, zero, 4);
	assert_refused(IPC_TYPES, zero, 4);
	assert_refused(UINT32_MAX, zero, 4);
	for (uint32_t type = IPC_NONE + 1; type < IPC_TYPES; type++) {
		size_t size = ipc_body_size((enum ipc_type)type);

		assert_true(size > 0 && size <= IPC_BODY_MAX);
		assert_refused(type, zero, size - 1);
		assert_refused(type, zero, size + 1);
		assert_refused(type, zero, 0);
		assert_refused(type, zero, 20000); /* truncated by the kernel */
		send_raw_message(type, (uint32_t)size + 1, zero, size);
		assert_int_equal(ipc_recv(pair[1], &message), -EBADMSG);
	}
	send_raw(zero, 3, NULL, 0);
	assert_int_equal(ipc_recv(pair[1], &message), -EBADMSG);
	assert_int_equal(ipc_recv(pair[1], &message), -EAGAIN);
}

static void unterminated_text_is_refused(void **state)
{
	struct ipc_publish_ask ask = { 0 };

	memset(ask.stream, 'k', sizeof ask.stream);
	assert_refused(IPC_PUBLISH_ASK, &ask, sizeof ask);
	ask.stream[sizeof ask.stream - 1] = '\0';
	send_raw_message(IPC_PUBLISH_ASK, sizeof ask, &ask, sizeof ask);
	assert_int_equal(ipc_recv(pair[1], &message), 1);
}

static void numbers_out_of_range_are_refused(void **state)
{
	struct ipc_switch_status status = { 0 };
	struct ipc_destination_status destination = { .state = DESTINATION_STATES };
	struct ipc_resolve_answer answer = { .count = IPC_ADDRESSES_MAX + 1 };
	unsigned char two = 2;

	assert_refused(IPC_DESTINATION_STATUS, &destination, sizeof destination);
	assert_refused(IPC_RESOLVE_ANSWER, &answer, sizeof answer);
	status.timeline.feed_count = TIMELINE_FEEDS_MAX + 1;
	assert_refused(IPC_SWITCH_STATUS, &status, sizeof status);
	status.timeline.feed_count = 1;
	memcpy(&status.timeline.feeds[15].has_audio, &two, 1); /* no value of a bool */
	assert_refused(IPC_SWITCH_STATUS, &status, sizeof status);
	status.timeline.feeds[15].has_audio = true;
	status.timeline.feeds[15].symptom_count = TIMELINE_SIGNALS + 1;
	assert_refused(IPC_SWITCH_STATUS, &status, sizeof status);
	status.timeline.feeds[15].symptom_count = TIMELINE_SIGNALS;
	send_raw_message(IPC_SWITCH_STATUS, sizeof status, &status, sizeof status);
	assert_int_equal(ipc_recv(pair[1], &message), 1);
}

static void descriptors_from_a_worker_are_dropped_and_refused(void **state)
{
	uint32_t bytes[3] = { IPC_RING_READY, sizeof(struct ipc_ring_ready), 0 };
	int before = count_fds();

	send_raw(bytes, sizeof bytes, pair, 1);
	assert_int_equal(ipc_recv_no_fds(pair[1], &message), -EBADMSG);
	assert_int_equal(message.fd_count, 0);
	assert_int_equal(count_fds(), before);
	send_raw(bytes, sizeof bytes, NULL, 0);
	assert_int_equal(ipc_recv_no_fds(pair[1], &message), 1);
}

static void surplus_descriptors_are_closed_and_refused(void **state)
{
	const int fds[6] = { 2, 2, 2, 2, 2, 2 };
	uint32_t bytes[3] = { IPC_SHOW_RING, sizeof(struct ipc_show_ring), 0 };
	int before = count_fds();

	for (unsigned count = 3; count <= 6; count++) {
		send_raw(bytes, sizeof bytes, fds, count);
		assert_int_equal(ipc_recv(pair[1], &message), -EBADMSG);
		assert_int_equal(count_fds(), before);
	}
	send_raw(bytes, sizeof bytes, NULL, 0); /* and too few */
	assert_int_equal(ipc_recv(pair[1], &message), -EBADMSG);
}

static void every_name_is_known(void **state)
{
	assert_string_equal(ipc_type_str(IPC_PUBLISH_ASK), "publish_ask");
	assert_string_equal(ipc_type_str(IPC_NONE), "unknown");
	assert_string_equal(ipc_type_str((enum ipc_type)1000), "unknown");
	assert_string_equal(destination_state_str(DESTINATION_BACKING_OFF), "backing_off");
	for (int i = 0; i < DESTINATION_STATES; i++) {
		assert_non_null(destination_state_str((enum destination_state)i));
	}
	assert_string_equal(destination_state_str(DESTINATION_STATES), "unknown");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_pair, close_pair)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(message_arrives_with_its_descriptors),
		TEST(untaken_descriptors_are_closed),
		TEST(sender_is_told_of_its_mistakes),
		TEST(closed_peer_is_the_end),
		TEST(reader_that_does_not_read_never_blocks_the_sender),
		TEST(burst_of_destinations_fits_in_the_buffer),
		TEST(wrong_sizes_and_types_are_refused),
		TEST(unterminated_text_is_refused),
		TEST(numbers_out_of_range_are_refused),
		TEST(descriptors_from_a_worker_are_dropped_and_refused),
		TEST(surplus_descriptors_are_closed_and_refused),
		TEST(every_name_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
