/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A connection to a platform (session.h). Runs in relay-rtmp. Never blocks. Owns its stream, its
 * RTMP client and its outlet.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/random.h>

#include <understudy/rtmp.h>
#include <understudy/text.h>

#include "auth.h"
#include "reject.h"
#include "session.h"

#define AGENT "FMLE/3.0 (compatible; understudy/" UNDERSTUDY_VERSION ")"
#define SECURING_US 5000000
#define ASKING_US 10000000
#define READ_BYTES 16384
#define READS_MAX 64 /* in one step: a platform has next to nothing to say */

enum phase { PHASE_SECURING, PHASE_ASKING, PHASE_PUBLISHING, PHASE_LEAVING };

struct session {
	enum phase phase;
	struct stream *stream;
	struct rtmp_client *client;
	struct outlet outlet;
	int64_t deadline_us; /* SECURING */
	uint64_t taken;      /* bytes the platform's system has acknowledged, at the last look */
	int64_t taken_us;    /* when that were more than before, or all there are */
	bool is_full;        /* the socket took less than there was: wait for it */
	bool has_demand;     /* a ReconnectRequest nobody was told of yet */
	bool has_finished;   /* LEAVING: our direction is closed */
	bool is_enhanced;
	enum ipc_tracks tracks;
	char needs[5];
	char codecs[RTMP_CODECS_MAX]; /* what the platform lists */
	int64_t stall_us;
	struct outlet_limits limits;
	uint64_t bytes;
	char demand[512]; /* session_demand() */
	char *secrets[2]; /* owned: stream name and parameters of the app, kept out of texts */
	char error[160];
};

static enum session_result fail(struct session *s, enum session_result result, const char *text)
{
	if (text != s->error) {
		(void)text_copy(s->error, sizeof(s->error), text);
	}
	return result;
}

static struct rtmp_client *client_create(const struct session_config *c, int64_t now_us)
{
	const struct rtmp_client_config config = {
		.app = c->app,
		.stream = c->stream,
		.tc_url = c->tc_url,
		.agent = AGENT,
		.is_enhanced = c->is_enhanced,
	};
	struct rtmp_limits limits;
	uint8_t random[1528];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
		return NULL;
	}
	rtmp_limits_default(&limits);
	limits.handshake_us = limits.connect_us = limits.publish_us = ASKING_US;
	return rtmp_client_create(&config, &limits, random, now_us);
}

struct session *session_create(const struct session_config *config, int fd, int64_t now_us)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s) {
		return NULL;
	}
	s->phase = config->trust ? PHASE_SECURING : PHASE_ASKING;
	s->deadline_us = now_us + SECURING_US;
	s->taken_us = now_us;
	s->is_enhanced = config->is_enhanced;
	s->tracks = config->tracks;
	memcpy(s->needs, config->needs, sizeof(s->needs));
	s->stall_us = config->stall_us;
	s->limits = config->limits;
	s->secrets[0] = strdup(config->stream);
	s->secrets[1] = strdup(config->app + strcspn(config->app, "?"));
	s->client = client_create(config, now_us);
	if (s->secrets[0] && s->secrets[1] && s->client) {
		s->stream = config->trust
				    ? stream_create_tls_client(fd, config->trust, config->host)
				    : stream_create_plain(fd);
	}
	if (!s->stream) {
		session_destroy(&s, true);
		return NULL;
	}
	return s;
}

static void secret_destroy(char **secret)
{
	if (*secret) {
		explicit_bzero(*secret, strlen(*secret));
		free(*secret);
		*secret = NULL;
	}
}

void session_destroy(struct session **s, bool unclean)
{
	struct session *gone = *s;

	if (!gone) {
		return;
	}
	*s = NULL;
	stream_destroy(&gone->stream, unclean);
	rtmp_client_destroy(&gone->client);
	outlet_finish(&gone->outlet);
	secret_destroy(&gone->secrets[0]);
	secret_destroy(&gone->secrets[1]);
	explicit_bzero(gone->demand, sizeof(gone->demand));
	free(gone);
}

int session_fd(const struct session *s)
{
	return stream_fd(s->stream);
}

unsigned session_wants(const struct session *s)
{
	if (s->phase == PHASE_SECURING) {
		return stream_wants(s->stream);
	}
	return STREAM_WANT_READ | (s->is_full ? STREAM_WANT_WRITE : 0u);
}

bool session_is_publishing(const struct session *s)
{
	return s->phase == PHASE_PUBLISHING;
}

const char *session_error(const struct session *s)
{
	return s->error;
}

const char *session_demand(const struct session *s)
{
	return s->demand;
}

/* The stream name, what stands before its parameters, or those of the app occur in the text. */
static bool tells_secret(const struct session *s, const char *text)
{
	char name[512];

	(void)text_copy_bytes(name, sizeof(name), s->secrets[0], strcspn(s->secrets[0], "?&"));
	return (*name && strstr(text, name)) || (*s->secrets[0] && strstr(text, s->secrets[0])) ||
	       (*s->secrets[1] && strstr(text, s->secrets[1] + 1));
}

static enum session_result reject(struct session *s, const struct rtmp_event *e)
{
	const char *code = e->code && *e->code ? e->code : "no reason given";
	const char *why = e->description ? e->description : "";

	if (auth_is_challenge(why)) {
		(void)text_copy(s->demand, sizeof(s->demand), why);
	}
	if (tells_secret(s, code)) {
		code = "reason withheld: it holds the key";
	}
	reject_describe(code, tells_secret(s, why) ? "" : why, s->error, sizeof(s->error));
	return SESSION_REJECTED;
}

/* The platform has said what it knows, if it says that at all. */
static enum session_result learn(struct session *s, const struct rtmp_event *e)
{
	s->limits.leaves_tracks = s->tracks == IPC_TRACKS_MAIN ||
				  (s->tracks == IPC_TRACKS_ANNOUNCED && !e->takes_tracks);
	s->limits.leaves_nano = !e->takes_nano;
	(void)text_copy(s->codecs, sizeof(s->codecs), e->codecs);
	if (reject_takes_codec(e->codecs, s->needs)) {
		return SESSION_GOES_ON;
	}
	(void)text_format(s->error, sizeof(s->error),
			  "codec not accepted: the show is %s, the platform takes%s", s->needs,
			  e->codecs);
	return SESSION_REJECTED;
}

static enum session_result handle(struct session *s, const struct rtmp_event *e, int64_t now_us)
{
	switch (e->type) {
	case RTMP_EVENT_PUBLISHING:
		if (s->phase != PHASE_ASKING) {
			return SESSION_GOES_ON;
		}
		s->phase = PHASE_PUBLISHING;
		s->taken_us = now_us;
		outlet_init(&s->outlet, rtmp_client_message_stream(s->client), &s->limits);
		return SESSION_ACCEPTED;
	case RTMP_EVENT_CONNECTED:
		return learn(s, e);
	case RTMP_EVENT_REFUSED:
		return reject(s, e);
	case RTMP_EVENT_RECONNECT:
		if (s->phase != PHASE_PUBLISHING) {
			return SESSION_GOES_ON;
		}
		(void)text_copy(s->demand, sizeof(s->demand), e->description);
		s->has_demand = true;
		return SESSION_GOES_ON;
	default:
		return SESSION_GOES_ON;
	}
}

/* Feeds what was read. ACCEPTED does not end it: what follows belongs to the session too. */
static enum session_result feed(struct session *s, const uint8_t *bytes, size_t n, int64_t now_us)
{
	enum session_result accepted = SESSION_GOES_ON, result;
	struct rtmp_event event;

	while (n > 0) {
		ssize_t used = rtmp_client_feed(s->client, bytes, n, now_us);
		bool has_event = false;

		if (used < 0) {
			return fail(s, SESSION_BROKEN, rtmp_error_str((int)used));
		}
		bytes += used;
		n -= (size_t)used;
		while (rtmp_client_next(s->client, &event)) {
			has_event = true;
			result = handle(s, &event, now_us);
			if (result == SESSION_ACCEPTED) {
				accepted = result;
			} else if (result != SESSION_GOES_ON) {
				return result;
			}
		}
		if (used == 0 && !has_event) {
			return fail(s, SESSION_BROKEN, "RTMP session does not go on");
		}
	}
	return accepted;
}

static enum session_result end_of_stream(struct session *s)
{
	if (s->phase == PHASE_LEAVING) {
		return SESSION_LEFT;
	}
	return fail(s, SESSION_BROKEN, "closed by the platform");
}

static enum session_result read_all(struct session *s, int64_t now_us)
{
	static uint8_t bytes[READ_BYTES];
	enum session_result accepted = SESSION_GOES_ON, result;
	int reads;

	for (reads = 0; reads < READS_MAX; reads++) {
		ssize_t n = stream_read(s->stream, bytes, sizeof(bytes));

		if (n == -EAGAIN) {
			return accepted;
		}
		if (n == 0) {
			return end_of_stream(s);
		}
		if (n < 0) {
			return s->phase == PHASE_LEAVING
				       ? SESSION_LEFT
				       : fail(s, SESSION_BROKEN, stream_error_str(s->stream));
		}
		result = feed(s, bytes, (size_t)n, now_us);
		if (result == SESSION_ACCEPTED) {
			accepted = result;
		} else if (result != SESSION_GOES_ON) {
			return result;
		}
		if ((size_t)n < sizeof(bytes) && !stream_is_tls(s->stream)) {
			return accepted; /* the socket is drained */
		}
	}
	return fail(s, SESSION_BROKEN, "the platform sends far too much");
}

/* Everything that may go into one write: the rest of a message that has been begun, then session
 * bytes, then further messages. Returns the number of session bytes. */
static size_t gather(struct session *s, struct gather *g)
{
	const struct queue *q = &s->outlet.queue;
	unsigned begun = queue_begun_bytes(q) > 0;
	const uint8_t *bytes;
	size_t size;

	g->count = 0;
	g->bytes = 0;
	g->is_full = false;
	queue_gather(q, 0, begun, g);
	if (g->is_full) {
		return 0;
	}
	size = rtmp_client_output(s->client, &bytes);
	gather_put(g, bytes, size);
	queue_gather(q, begun, q->count, g);
	return size;
}

/* `n` bytes of what was gathered have left: `begun` of a message, then `session` bytes, then
 * messages. */
static void account(struct session *s, size_t n, size_t begun, size_t session)
{
	size_t part = n < begun ? n : begun;

	s->bytes += n;
	queue_sent(&s->outlet.queue, part);
	n -= part;
	part = n < session ? n : session;
	rtmp_client_sent(s->client, part);
	queue_sent(&s->outlet.queue, n - part);
}

static enum session_result write_failed(struct session *s)
{
	return s->phase == PHASE_LEAVING ? SESSION_LEFT
					 : fail(s, SESSION_BROKEN, stream_error_str(s->stream));
}

static enum session_result write_all(struct session *s)
{
	static struct gather g;

	for (;;) {
		size_t begun = queue_begun_bytes(&s->outlet.queue);
		size_t session = gather(s, &g);
		ssize_t n;

		if (!g.bytes) {
			int error = stream_flush(s->stream);

			if (error && error != -EAGAIN) {
				return write_failed(s);
			}
			s->is_full = error == -EAGAIN;
			return SESSION_GOES_ON;
		}
		n = stream_write(s->stream, g.iov, g.count);
		if (n < 0 && n != -EAGAIN) {
			return write_failed(s);
		}
		if (n > 0) {
			account(s, (size_t)n, begun, session);
		}
		s->is_full = n < 0 || (size_t)n < g.bytes;
		if (s->is_full) {
			return SESSION_GOES_ON;
		}
		if (!stream_is_tls(s->stream) && !s->outlet.queue.count) {
			return SESSION_GOES_ON;
		}
	}
}

/* Once all is said, our direction is closed; the platform's end of stream completes it. */
static void finish_leaving(struct session *s)
{
	if (s->phase == PHASE_LEAVING && !s->is_full) {
		stream_finish(s->stream);
		s->has_finished = true;
	}
}

static enum session_result secure(struct session *s)
{
	int error = stream_handshake(s->stream);

	if (error == -EAGAIN) {
		return SESSION_GOES_ON;
	}
	if (error) {
		(void)text_format(s->error, sizeof(s->error), "TLS: %s",
				  stream_error_str(s->stream));
		return SESSION_BROKEN;
	}
	s->phase = PHASE_ASKING;
	return SESSION_GOES_ON;
}

enum session_result session_flush(struct session *s)
{
	enum session_result result;

	if (s->phase == PHASE_SECURING || s->is_full || s->has_finished) {
		return SESSION_GOES_ON;
	}
	result = write_all(s);
	if (result == SESSION_GOES_ON) {
		finish_leaving(s);
	}
	return result;
}

enum session_result session_step(struct session *s, int64_t now_us)
{
	enum session_result result = SESSION_GOES_ON, written;

	if (s->phase == PHASE_SECURING) {
		result = secure(s);
		if (result != SESSION_GOES_ON || s->phase == PHASE_SECURING) {
			return result;
		}
	}
	result = read_all(s, now_us);
	if (result != SESSION_GOES_ON && result != SESSION_ACCEPTED) {
		return result;
	}
	s->is_full = false;
	written = session_flush(s);
	return written == SESSION_GOES_ON ? result : written;
}

/* A socket takes megabytes before it is full: only what is acknowledged says that somebody
 * reads. */
static void note_taken(struct session *s, int64_t now_us)
{
	int waiting = 0;
	uint64_t taken;

	if (ioctl(session_fd(s), SIOCOUTQ, &waiting) < 0 || waiting < 0) {
		waiting = 0;
	}
	taken = s->bytes > (uint64_t)waiting ? s->bytes - (uint64_t)waiting : 0;
	if (taken > s->taken || (waiting == 0 && !s->is_full)) {
		s->taken = taken;
		s->taken_us = now_us;
	}
}

enum session_result session_tick(struct session *s, int64_t now_us)
{
	int error;

	switch (s->phase) {
	case PHASE_SECURING:
		return now_us < s->deadline_us
			       ? SESSION_GOES_ON
			       : fail(s, SESSION_BROKEN, "TLS: no answer within 5 s");
	case PHASE_LEAVING:
		return SESSION_GOES_ON;
	case PHASE_ASKING:
	case PHASE_PUBLISHING:
		break;
	}
	error = rtmp_client_tick(s->client, now_us);
	if (error != RTMP_OK) {
		return fail(s, SESSION_BROKEN,
			    s->phase == PHASE_ASKING ? "RTMP: no answer within 10 s"
						     : rtmp_error_str(error));
	}
	note_taken(s, now_us);
	if (now_us - s->taken_us >= s->stall_us) {
		(void)text_format(s->error, sizeof(s->error), "stalled: nothing taken for %d s",
				  (int)(s->stall_us / 1000000));
		return SESSION_BROKEN;
	}
	if (s->has_demand) {
		s->has_demand = false;
		return SESSION_RECONNECT;
	}
	return SESSION_GOES_ON;
}

enum session_result session_offer(struct session *s, struct message *m,
				  const struct outlet_start *start)
{
	int error = outlet_offer(&s->outlet, m, start);

	if (error == -ETIMEDOUT) {
		(void)text_format(s->error, sizeof(s->error), "too slow: more than %d s behind",
				  (int)(s->limits.give_up_us / 1000000));
		return SESSION_BROKEN;
	}
	return error ? fail(s, SESSION_BROKEN, net_error_str(error)) : SESSION_GOES_ON;
}

void session_rejoin(struct session *s)
{
	outlet_rejoin(&s->outlet);
}

void session_rebase(struct session *s)
{
	outlet_rebase(&s->outlet);
}

void session_leave(struct session *s)
{
	assert(s->phase == PHASE_PUBLISHING);
	s->phase = PHASE_LEAVING;

	queue_cut(&s->outlet.queue);
	rtmp_client_unpublish(s->client);
}

struct session_counts session_counts(const struct session *s)
{
	struct session_counts counts = {
		.bytes = s->bytes,
		.dropped = s->outlet.dropped,
		.backlog_ms = queue_span_us(&s->outlet.queue) / 1000,
		.time_ms = s->outlet.last_90k / 90,
		.has_started = s->outlet.state != OUTLET_WAITING,
		.is_enhanced = s->is_enhanced,
		.is_publishing = s->phase == PHASE_PUBLISHING,
		.is_asked_for_main = s->tracks == IPC_TRACKS_MAIN,
		.codecs = s->codecs,
	};

	memcpy(counts.left_out, s->outlet.left_out, sizeof(counts.left_out));
	return counts;
}

bool session_is_drained(const struct session *s)
{
	int unsent = 0;

	return !s->outlet.queue.count && !s->is_full &&
	       (ioctl(session_fd(s), SIOCOUTQ, &unsent) < 0 || unsent == 0);
}
