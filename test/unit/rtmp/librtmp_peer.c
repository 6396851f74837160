/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An implementation that is not ours on the other side of a socketpair: librtmp publishes to
 * our server, and reads what our client and the relay's media writer send. librtmp blocks, so
 * it runs in a child; the exit status says what it saw.
 */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <librtmp/log.h>
#include <librtmp/rtmp.h>

#include "support.h"

#define WATCHDOG_S 60

/* librtmp's macros are casts of string literals */
#define AVAL(text) ((AVal){ (char *)(text), (int)strlen(text) })

struct piece {
	uint8_t message;
	uint32_t timestamp;
	uint32_t size;
};

static const struct piece pieces[] = {
	{ 18, 0, 20 },           { 9, 0, 127 },
	{ 9, 1, 128 },           { 8, 1, 129 },
	{ 9, 40, 5000 },         { 8, 0xFFFFFE, 300 },
	{ 9, 0xFFFFFF, 300 },    { 9, 0x1000000, 100000 },
	{ 8, 0x7FFFFFF0, 1000 }, { 9, 0x7FFFFFFF, 256 },
	{ 8, 0x7FFFFFFF, 7 },
};

#define PIECES (sizeof(pieces) / sizeof(pieces[0]))

static const uint8_t *body_of(const struct piece *p)
{
	static uint8_t body[100000];

	for (uint32_t i = 0; i < p->size; i++) {
		body[i] = (uint8_t)(i * 31 + p->timestamp + p->message);
	}
	return body;
}

static void expect(struct digest *d)
{
	for (size_t i = 0; i < PIECES; i++) {
		const struct rtmp_event e = {
			.type = RTMP_EVENT_MEDIA,
			.message = pieces[i].message,
			.timestamp_ms = pieces[i].timestamp,
			.body = body_of(&pieces[i]),
			.size = pieces[i].size,
		};

		digest_event(d, &e);
	}
}

static void write_all(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t done = send(fd, p, n, MSG_NOSIGNAL);

		if (done < 0 && errno == EINTR) {
			continue;
		}
		assert_true(done > 0);
		p += done;
		n -= (size_t)done;
	}
}

/* Runs `run` in a child on one end of a socketpair. */
static pid_t start_child(int (*run)(int fd), int *ret_fd)
{
	int fds[2];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fds[0]);
		signal(SIGPIPE, SIG_IGN);
		RTMP_LogSetLevel(RTMP_LOGCRIT);
		alarm(WATCHDOG_S); /* a blocked library must not hang the test */
		_exit(run(fds[1]));
	}
	close(fds[1]);
	*ret_fd = fds[0];
	return pid;
}

static void check_child(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- librtmp publishes ---- */

static int send_piece(RTMP *r, const struct piece *p)
{
	RTMPPacket packet = { 0 };
	int ok;

	if (!RTMPPacket_Alloc(&packet, p->size)) {
		return 0;
	}
	packet.m_headerType = RTMP_PACKET_SIZE_LARGE;
	packet.m_packetType = p->message;
	packet.m_nChannel = 4;
	packet.m_nTimeStamp = p->timestamp;
	packet.m_nInfoField2 = r->m_stream_id;
	packet.m_nBodySize = p->size;
	memcpy(packet.m_body, body_of(p), p->size);
	ok = RTMP_SendPacket(r, &packet, FALSE);
	RTMPPacket_Free(&packet);
	return ok;
}

static int run_publisher(int fd)
{
	char url[] = "rtmp://127.0.0.1/live/key1";
	RTMP *r = RTMP_Alloc();

	RTMP_Init(r);
	if (!RTMP_SetupURL(r, url)) {
		return 2;
	}
	RTMP_EnableWrite(r);
	r->m_sb.sb_socket = fd;
	if (!RTMP_Connect1(r, NULL)) {
		return 3;
	}
	if (!RTMP_ConnectStream(r, 0)) {
		return 4;
	}
	for (size_t i = 0; i < PIECES; i++) {
		if (!send_piece(r, &pieces[i])) {
			return 5;
		}
	}
	RTMP_Close(r);
	RTMP_Free(r);
	return 0;
}

static void librtmp_publishes_to_our_server(void **state)
{
	struct rtmp_server *s = new_server();
	struct digest got, expected;
	uint8_t bytes[4096];
	const uint8_t *out;
	ssize_t n;
	size_t size;
	int fd;
	pid_t pid = start_child(run_publisher, &fd);

	digest_init(&got);
	digest_init(&expected);
	fputs("publish live key1\n", expected.to);
	expect(&expected);
	fputs("unpublish\n", expected.to);
	while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
		assert_int_equal(feed_server(s, bytes, (size_t)n, 0, T0, &got), RTMP_OK);
		size = rtmp_server_output(s, &out);
		write_all(fd, out, size);
		rtmp_server_sent(s, size);
	}
	assert_string_equal(digest_text(&got), digest_text(&expected));
	check_child(pid);
	close(fd);
	digest_finish(&got);
	digest_finish(&expected);
	rtmp_server_destroy(&s);
	(void)state;
}

/* ---- librtmp reads what we publish ---- */

static char *encode_command(char *to, char *end, const char *name, double transaction)
{
	AVal value = AVAL(name);

	to = AMF_EncodeString(to, end, &value);
	to = AMF_EncodeNumber(to, end, transaction);
	*to++ = AMF_NULL;
	return to;
}

static char *encode_info(char *to, char *end, const char *code)
{
	static const AVal level = { (char *)"level", 5 }, status = { (char *)"status", 6 };
	static const AVal code_name = { (char *)"code", 4 };
	AVal value = AVAL(code);

	*to++ = AMF_OBJECT;
	to = AMF_EncodeNamedString(to, end, &level, &status);
	to = AMF_EncodeNamedString(to, end, &code_name, &value);
	return AMF_EncodeInt24(to, end, AMF_OBJECT_END);
}

static int answer(RTMP *r, const char *name)
{
	char bytes[RTMP_MAX_HEADER_SIZE + 512];
	char *body = bytes + RTMP_MAX_HEADER_SIZE, *end = bytes + sizeof(bytes), *to = body;
	RTMPPacket packet = {
		.m_headerType = RTMP_PACKET_SIZE_LARGE,
		.m_packetType = RTMP_PACKET_TYPE_INVOKE,
		.m_nChannel = 3,
		.m_body = body,
	};

	if (strcmp(name, "connect") == 0) {
		to = encode_info(encode_command(to, end, "_result", 1), end,
				 "NetConnection.Connect.Success");
	} else if (strcmp(name, "createStream") == 0) {
		to = AMF_EncodeNumber(encode_command(to, end, "_result", 4), end, 3);
	} else if (strcmp(name, "publish") == 0) {
		to = encode_info(encode_command(to, end, "onStatus", 0), end,
				 "NetStream.Publish.Start");
	} else {
		return 1;
	}
	packet.m_nBodySize = (uint32_t)(to - body);
	return RTMP_SendPacket(r, &packet, FALSE);
}

static int take_command(RTMP *r, const RTMPPacket *packet)
{
	char name[64] = "";
	AMFObject object;
	AVal method;

	if (AMF_Decode(&object, packet->m_body, (int)packet->m_nBodySize, FALSE) < 0) {
		return 0;
	}
	AMFProp_GetString(AMF_GetProp(&object, NULL, 0), &method);
	snprintf(name, sizeof(name), "%.*s", method.av_len, method.av_val);
	AMF_Reset(&object);
	return answer(r, name);
}

static int run_reader(int fd)
{
	RTMP *r = RTMP_Alloc();
	RTMPPacket packet = { 0 };
	struct digest got, expected;
	int status;

	RTMP_Init(r);
	r->m_sb.sb_socket = fd;
	if (!RTMP_Serve(r)) {
		return 2;
	}
	digest_init(&got);
	digest_init(&expected);
	expect(&expected);
	while (RTMP_ReadPacket(r, &packet)) {
		const struct rtmp_event e = {
			.type = RTMP_EVENT_MEDIA,
			.message = packet.m_packetType,
			.timestamp_ms = packet.m_nTimeStamp,
			.body = (const uint8_t *)packet.m_body,
			.size = packet.m_nBodySize,
		};

		if (!RTMPPacket_IsReady(&packet)) {
			continue;
		}
		if (packet.m_packetType == RTMP_PACKET_TYPE_CHUNK_SIZE) {
			RTMP_ClientPacket(r, &packet);
		} else if (packet.m_packetType == RTMP_PACKET_TYPE_INVOKE) {
			if (!take_command(r, &packet)) {
				return 3;
			}
		} else if (packet.m_packetType >= RTMP_PACKET_TYPE_AUDIO) {
			if (packet.m_nInfoField2 != 3) {
				return 4;
			}
			digest_event(&got, &e);
		}
		RTMPPacket_Free(&packet);
	}
	status = strcmp(digest_text(&got), digest_text(&expected)) == 0 ? 0 : 5;
	digest_finish(&got);
	digest_finish(&expected);
	RTMP_Close(r);
	RTMP_Free(r);
	return status;
}

static void flush_client(struct rtmp_client *c, int fd)
{
	const uint8_t *out;
	size_t size = rtmp_client_output(c, &out);

	write_all(fd, out, size);
	rtmp_client_sent(c, size);
}

static void wait_for_publishing(struct rtmp_client *c, int fd)
{
	enum rtmp_event_type last = RTMP_EVENT_NONE;
	uint8_t bytes[4096];
	struct rtmp_event e;

	while (last != RTMP_EVENT_PUBLISHING) {
		ssize_t n;

		flush_client(c, fd);
		n = read(fd, bytes, sizeof(bytes));
		assert_true(n > 0);
		for (ssize_t at = 0, used; at < n; at += used) {
			used = rtmp_client_feed(c, bytes + at, (size_t)(n - at), T0);
			assert_true(used >= 0);
			while (rtmp_client_next(c, &e)) {
				last = e.type;
			}
		}
	}
}

static void librtmp_reads_what_we_publish(void **state)
{
	static const uint8_t random[1528];
	const struct rtmp_client_config config = {
		.app = "live", .stream = "key", .tc_url = "rtmp://host/live", .agent = "FMLE/3.0"
	};
	struct rtmp_limits limits;
	struct rtmp_client *c;
	int fd;
	pid_t pid = start_child(run_reader, &fd);

	rtmp_limits_default(&limits);
	c = rtmp_client_create(&config, &limits, random, T0);
	assert_non_null(c);
	wait_for_publishing(c, fd);
	for (size_t i = 0; i < PIECES; i++) {
		const struct piece *p = &pieces[i];
		const uint8_t *body = body_of(p);
		uint8_t head[RTMP_MESSAGE_HEAD_MAX], between[RTMP_SEPARATOR_MAX];

		write_all(fd, head,
			  rtmp_write_message_head(head, p->message, p->timestamp, p->size,
						  rtmp_client_message_stream(c)));
		for (uint32_t at = 0; at < p->size; at += RTMP_CHUNK_OUT) {
			uint32_t left = p->size - at;

			if (at > 0) {
				write_all(fd, between,
					  rtmp_write_separator(between, p->message, p->timestamp));
			}
			write_all(fd, body + at, left < RTMP_CHUNK_OUT ? left : RTMP_CHUNK_OUT);
		}
	}
	rtmp_client_unpublish(c);
	flush_client(c, fd);
	close(fd);
	check_child(pid);
	rtmp_client_destroy(&c);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(librtmp_publishes_to_our_server),
		cmocka_unit_test(librtmp_reads_what_we_publish),
	};

	return cmocka_run_group_tests_name("rtmp librtmp_peer", tests, NULL, NULL);
}
