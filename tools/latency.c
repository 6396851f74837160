/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How long a message takes through the relay (tools/bench): encoder and platforms in one process,
 * so that one clock sees both ends. Each video frame carries the time it was sent at.
 *
 *     latency PLATFORM_PORT RELAY_PORT KEY COUNT SECONDS [TROUBLE]
 *
 * Listens for the relay's destinations, waits until COUNT of them publish, measures, and prints
 * JSON. With TROUBLE the first of them is not counted: from then on it reads no more (stalled),
 * reads too little (crawling), or resets its connection again and again (reset).
 *
 * Loopback only. The encoder sends what a camera does: 60 frames a second of 6 Mb/s, a key frame
 * every 2 s (of 8 times the size), AAC beside it.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <understudy/bytes.h>
#include <understudy/clock.h>
#include <understudy/net.h>
#include <understudy/rtmp.h>

#define PLATFORMS_MAX 200
#define SAMPLES_MAX 1000000
#define FRAME_US 16667
#define AUDIO_US 21333
#define GOP 120
#define FRAME_BYTES 11800
#define KEY_BYTES 64000 /* one chunk */
#define AUDIO_BYTES 400
#define START_US 30000000 /* until all destinations publish */
#define BEGIN_US 3000000  /* until each session has begun at its key frame */
#define STAMP_AT 10       /* behind FLV head, NAL length and NAL header */
#define NUMBER_AT (STAMP_AT + 8)
#define CRAWL_US 50000 /* between two reads of CRAWL_BYTES: 0.6 Mb/s */
#define CRAWL_BYTES 4096
#define RESET_US 1000000

enum trouble { TROUBLE_NONE, TROUBLE_STALLED, TROUBLE_CRAWLING, TROUBLE_RESET };

static const char *const trouble_names[] = { "none", "stalled", "crawling", "reset" };

struct encoder {
	struct stream *stream;
	struct rtmp_client *client;
	bool is_publishing;
	int64_t began_us, frame_us, audio_us; /* when the next ones are sent */
	unsigned frames;
};

struct platform {
	struct stream *stream;
	struct rtmp_server *server;
	uint32_t next; /* number of the next frame; 0: none came yet */
	bool is_in_trouble;
};

static struct encoder encoder;
static struct platform platforms[PLATFORMS_MAX];
static unsigned platform_count, published;
static uint32_t samples[SAMPLES_MAX]; /* us */
static unsigned sample_count, lost;
static bool is_measuring;
static enum trouble trouble;
static int64_t trouble_us; /* when it strikes next */

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "latency: %s\n", what);
	exit(1);
}

/* ---- the encoder ---- */

static void send_all(const void *bytes, size_t size)
{
	const uint8_t *at = bytes;

	while (size > 0) {
		struct iovec part = { .iov_base = (void *)(uintptr_t)at, .iov_len = size };
		ssize_t n = stream_write(encoder.stream, &part, 1);

		if (n < 0 && n != -EAGAIN) {
			fail("the relay has ended the encoder's connection");
		}
		if (n > 0) {
			at += n;
			size -= (size_t)n;
		}
	}
}

/* due_us: when it should have been sent, as that is when it was filmed. */
static void send_message(uint8_t type, int64_t due_us, const uint8_t *body, size_t size)
{
	static uint8_t message[RTMP_MESSAGE_HEAD_MAX + KEY_BYTES];
	uint32_t ms = (uint32_t)((due_us - encoder.began_us) / 1000);
	size_t head = rtmp_write_message_head(message, type, ms, (uint32_t)size,
					      rtmp_client_message_stream(encoder.client));

	memcpy(message + head, body, size);
	send_all(message, head + size);
}

static void send_headers(void)
{
	static const uint8_t video[] = {
		0x17,
		0,
		0,
		0,
		0,
		1,
		0x64,
		0,
		0x1e,
		0xff,
		0xe1,
		0,
		25,
		/* SPS: 640x360, high */
		0x67,
		0x64,
		0x00,
		0x1e,
		0xac,
		0xb4,
		0x05,
		0x01,
		0x7f,
		0xcb,
		0x80,
		0x88,
		0x00,
		0x00,
		0x03,
		0x00,
		0x08,
		0x00,
		0x00,
		0x03,
		0x01,
		0xe4,
		0x78,
		0xb1,
		0x75,
		/* PPS */
		1,
		0,
		4,
		0x68,
		0xef,
		0x3c,
		0xb0,
	};
	static const uint8_t audio[] = { 0xaf, 0, 0x11, 0x90 };

	send_message(9, encoder.began_us, video, sizeof(video));
	send_message(8, encoder.began_us, audio, sizeof(audio));
}

static void send_frame(void)
{
	static uint8_t body[KEY_BYTES];
	bool is_key = encoder.frames++ % GOP == 0;
	size_t size = is_key ? KEY_BYTES : FRAME_BYTES;

	memset(body, 0xa5, size);
	body[0] = is_key ? 0x17 : 0x27;
	body[1] = 1;
	body[2] = body[3] = body[4] = 0;
	put_be32(body + 5, (uint32_t)size - 9);
	body[9] = is_key ? 0x65 : 0x41;
	put_be64(body + STAMP_AT, (uint64_t)clock_monotonic_us());
	put_be32(body + NUMBER_AT, encoder.frames); /* from 1 */
	send_message(9, encoder.frame_us, body, size);
}

static void send_audio(void)
{
	uint8_t body[AUDIO_BYTES] = { 0xaf, 1 };

	memset(body + 2, (int)encoder.frames, sizeof(body) - 2);
	send_message(8, encoder.audio_us, body, sizeof(body));
}

static void encoder_flush(void)
{
	const uint8_t *bytes;
	size_t size = rtmp_client_output(encoder.client, &bytes);

	if (size > 0) {
		send_all(bytes, size);
		rtmp_client_sent(encoder.client, size);
	}
}

static void encoder_begin(void)
{
	encoder.is_publishing = true;
	encoder.began_us = encoder.frame_us = encoder.audio_us = clock_monotonic_us();
	encoder_flush();
	send_headers();
}

static void encoder_read(void)
{
	uint8_t bytes[4096];
	struct rtmp_event event;
	ssize_t n = stream_read(encoder.stream, bytes, sizeof(bytes));

	if (n == 0 || (n < 0 && n != -EAGAIN)) {
		fail("the relay has ended the encoder's connection");
	}
	for (ssize_t at = 0; at < n;) {
		ssize_t used = rtmp_client_feed(encoder.client, bytes + at, (size_t)(n - at),
						clock_monotonic_us());

		if (used < 0) {
			fail(rtmp_error_str((int)used));
		}
		at += used;
		while (rtmp_client_next(encoder.client, &event)) {
			if (event.type == RTMP_EVENT_PUBLISHING) {
				encoder_begin();
			} else if (event.type == RTMP_EVENT_REFUSED) {
				fail("the relay refuses the key");
			}
		}
	}
	encoder_flush();
}

/* Sends what is due, in order of time as every muxer does; returns when something is due again. */
static int64_t encoder_send_due(void)
{
	int64_t now_us = clock_monotonic_us();

	if (!encoder.is_publishing) {
		return now_us + 100000;
	}
	for (;;) {
		bool is_frame = encoder.frame_us < encoder.audio_us;
		int64_t due_us = is_frame ? encoder.frame_us : encoder.audio_us;

		if (due_us > now_us) {
			return due_us;
		}
		if (is_frame) {
			send_frame();
			encoder.frame_us += FRAME_US;
		} else {
			send_audio();
			encoder.audio_us += AUDIO_US;
		}
	}
}

static void encoder_dial(uint16_t port, const char *key)
{
	const struct sockaddr_in where = { .sin_family = AF_INET,
					   .sin_port = htons(port),
					   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct rtmp_client_config config = {
		.app = "live", .stream = key, .tc_url = "rtmp://127.0.0.1/live", .agent = "latency"
	};
	static const uint8_t random[1528];
	struct rtmp_limits limits;
	int fd = net_dial((const struct sockaddr *)&where, sizeof(where));
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	rtmp_limits_default(&limits);
	if (fd < 0 || poll(&p, 1, 5000) != 1 || net_dial_result(fd) != 0) {
		fail("the relay does not listen");
	}
	net_tune_ingest(fd);
	encoder.stream = stream_create_plain(fd);
	encoder.client = rtmp_client_create(&config, &limits, random, clock_monotonic_us());
	if (encoder.stream == NULL || encoder.client == NULL) {
		fail("out of memory");
	}
	encoder_flush();
}

/* ---- the platforms ---- */

static void platform_accept(int listener)
{
	static const uint8_t random[1528];
	struct platform *p = &platforms[platform_count];
	struct rtmp_limits limits;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0 || platform_count == PLATFORMS_MAX) {
		return;
	}
	rtmp_limits_default(&limits);
	p->stream = stream_create_plain(fd);
	p->server = rtmp_server_create(&limits, random, clock_monotonic_us());
	if (p->stream == NULL || p->server == NULL) {
		fail("out of memory");
	}
	p->is_in_trouble = is_measuring; /* only that one dials again */
	platform_count++;
}

static void platform_event(struct platform *p, const struct rtmp_event *event, int64_t now_us)
{
	if (event->type == RTMP_EVENT_PUBLISH) {
		rtmp_server_answer(p->server, true, NULL);
		published++;
	}
	if (is_measuring && !p->is_in_trouble && event->type == RTMP_EVENT_MEDIA &&
	    event->message == 9 && event->size >= NUMBER_AT + 4 && event->body[1] == 1 &&
	    sample_count < SAMPLES_MAX) {
		int64_t sent_us = (int64_t)get_be64(event->body + STAMP_AT);
		uint32_t number = get_be32(event->body + NUMBER_AT);

		samples[sample_count++] = (uint32_t)(now_us - sent_us);
		lost += p->next > 0 ? number - p->next : 0;
		p->next = number + 1;
	}
}

static void platform_answer(struct platform *p)
{
	const uint8_t *bytes;
	size_t size = rtmp_server_output(p->server, &bytes);
	struct iovec part = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = size };

	if (size > 0 && stream_write(p->stream, &part, 1) == (ssize_t)size) {
		rtmp_server_sent(p->server, size);
	}
}

/* With a reset. */
static void platform_close(struct platform *p)
{
	rtmp_server_destroy(&p->server);
	stream_destroy(&p->stream, true);
}

static void platform_read(struct platform *p)
{
	static uint8_t bytes[262144];
	struct rtmp_event event;
	ssize_t n = stream_read(p->stream, bytes, p->is_in_trouble ? CRAWL_BYTES : sizeof(bytes));
	int64_t now_us = clock_monotonic_us();

	if (n == 0 || (n < 0 && n != -EAGAIN)) {
		if (!p->is_in_trouble) {
			fail("the relay has ended a platform's connection");
		}
		platform_close(p); /* it does not wait for a bad one for ever */
		return;
	}
	for (ssize_t at = 0; at < n;) {
		ssize_t used = rtmp_server_feed(p->server, bytes + at, (size_t)(n - at), now_us);

		if (used < 0) {
			fail(rtmp_error_str((int)used));
		}
		at += used;
		while (rtmp_server_next(p->server, &event)) {
			platform_event(p, &event, now_us);
		}
	}
	platform_answer(p);
}

/* Whether the relay may write to it now; what is wrong with one of them happens here. */
static bool platform_is_reading(struct platform *p)
{
	if (p->stream == NULL || !p->is_in_trouble) {
		return p->stream != NULL;
	}
	if (trouble == TROUBLE_STALLED || clock_monotonic_us() < trouble_us) {
		return trouble == TROUBLE_RESET;
	}
	if (trouble == TROUBLE_RESET) {
		trouble_us = clock_monotonic_us() + RESET_US;
		platform_close(p);
		return false;
	}
	trouble_us = clock_monotonic_us() + CRAWL_US;
	return true;
}

/* ---- both ---- */

static void go_round(int listener)
{
	static struct pollfd fds[PLATFORMS_MAX + 2];
	int64_t due_us = encoder_send_due();
	int64_t left_us = due_us - clock_monotonic_us();
	const struct timespec wait = { .tv_nsec = left_us > 0 ? left_us * 1000 : 0 };
	unsigned count = platform_count;

	fds[0] = (struct pollfd){ .fd = listener, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = stream_fd(encoder.stream), .events = POLLIN };
	for (unsigned i = 0; i < count; i++) {
		bool is_reading = platform_is_reading(&platforms[i]);

		fds[2 + i] = (struct pollfd){ .fd = is_reading ? stream_fd(platforms[i].stream)
							       : -1,
					      .events = POLLIN };
	}
	if (ppoll(fds, count + 2, &wait, NULL) <= 0) {
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		if (fds[2 + i].revents != 0) {
			platform_read(&platforms[i]);
		}
	}
	if (fds[1].revents != 0) {
		encoder_read();
	}
	if (fds[0].revents != 0) {
		platform_accept(listener);
	}
}

static void go_on_for(int listener, int64_t us)
{
	int64_t until_us = clock_monotonic_us() + us;

	while (clock_monotonic_us() < until_us) {
		go_round(listener);
	}
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double ms_at(double part)
{
	return samples[(unsigned)((double)(sample_count - 1) * part)] / 1000.0;
}

static enum trouble trouble_named(const char *name)
{
	for (unsigned i = 0; i < sizeof(trouble_names) / sizeof(trouble_names[0]); i++) {
		if (strcmp(name, trouble_names[i]) == 0) {
			return (enum trouble)i;
		}
	}
	fail("no such trouble");
}

int main(int argc, char **argv)
{
	unsigned wanted = argc >= 6 ? (unsigned)atoi(argv[4]) : 0;
	char address[32];

	if (wanted < 1 || wanted > PLATFORMS_MAX) {
		fail("usage: latency PLATFORM_PORT RELAY_PORT KEY COUNT SECONDS [TROUBLE]");
	}
	trouble = argc > 6 ? trouble_named(argv[6]) : TROUBLE_NONE;
	snprintf(address, sizeof(address), "127.0.0.1:%d", atoi(argv[1]));
	int listener = net_listen(address, 256);
	if (listener < 0) {
		fail("cannot listen");
	}
	encoder_dial((uint16_t)atoi(argv[2]), argv[3]);
	for (int64_t began_us = clock_monotonic_us(); published < wanted;) {
		go_round(listener);
		if (clock_monotonic_us() - began_us > START_US) {
			fail("the relay does not publish to all");
		}
	}
	go_on_for(listener, BEGIN_US);
	is_measuring = true;
	platforms[0].is_in_trouble = trouble != TROUBLE_NONE;
	go_on_for(listener, (int64_t)(atof(argv[5]) * 1e6));
	if (sample_count == 0) {
		fail("nothing came back");
	}
	qsort(samples, sample_count, sizeof(samples[0]), compare);
	printf("{\"messages\": %u, \"lost\": %u, \"p50_ms\": %.2f, \"p99_ms\": %.2f, "
	       "\"max_ms\": %.2f}\n",
	       sample_count, lost, ms_at(0.5), ms_at(0.99), ms_at(1));
	return 0;
}
