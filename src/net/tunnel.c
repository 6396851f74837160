/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The tunnel (tunnel.h). Runs in ingest-rtmp-tunnel; never blocks. Owns both descriptors, the
 * stream over the server's, and the guard.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/guard.h>
#include <understudy/text.h>
#include <understudy/tunnel.h>

#define READ_BYTES 65536
#define READS_MAX 16       /* in one step, so that the control socket gets its turn */
#define FIRST_US 60000000  /* servers that hold players until somebody publishes */
#define LEAVE_US 1000000   /* for what is on its way to the player */
#define PLAYER_US 10000000 /* a player that takes nothing for so long is left */
#define CAUSE_MAX 192
#define SECRET_BYTES_MIN 3 /* of a name that is looked for in a server's words */

struct tunnel {
	enum tunnel_phase phase;
	struct guard *guard;
	struct stream *server;
	int player;
	int64_t connect_us;
	int64_t began_us; /* SECURING */
	int64_t leave_us; /* LEAVING: when it is over */
	int64_t taken_us; /* when the player last took something, or had nothing to take */
	bool is_clean, is_player_gone, is_readable, is_full;
	char cause[CAUSE_MAX];
	char moved_to[512];
	char stream[513], app[513]; /* for what must not be told */
	uint8_t in[READ_BYTES];
};

struct tunnel *tunnel_create(const struct tunnel_config *config, int player_fd)
{
	struct tunnel *t = calloc(1, sizeof(*t));
	const struct guard_config guard = { .stream = config->stream, .first_us = FIRST_US };
	struct rtmp_limits limits;
	uint8_t random[1528];

	if (!t) {
		close(player_fd);
		return NULL;
	}
	t->player = player_fd;
	t->connect_us = config->connect_us;
	t->taken_us = CLOCK_NEVER;
	rtmp_limits_default(&limits);
	limits.handshake_us = limits.connect_us = limits.publish_us = config->connect_us;
	limits.idle_us = config->silence_us;
	if (getrandom(random, sizeof(random), 0) == sizeof(random) &&
	    text_copy(t->stream, sizeof(t->stream), config->stream)) {
		t->guard = guard_create(&guard, &limits, random);
	}
	if (!t->guard) {
		tunnel_destroy(&t);
	}
	return t;
}

void tunnel_destroy(struct tunnel **t)
{
	struct tunnel *gone = *t;

	*t = NULL;
	if (gone) {
		stream_destroy(&gone->server, false);
		guard_destroy(&gone->guard);
		close(gone->player);
		explicit_bzero(gone, sizeof(*gone));
		free(gone);
	}
}

/* ---- ends ---- */

static void leave(struct tunnel *t, const char *cause, int64_t now_us)
{
	if (t->phase < TUNNEL_LEAVING) {
		text_copy(t->cause, sizeof(t->cause), cause);
		t->phase = TUNNEL_LEAVING;
		t->leave_us = now_us + LEAVE_US;
	}
}

void tunnel_fail(struct tunnel *t, const char *cause)
{
	leave(t, cause, 0);
	t->phase = TUNNEL_GONE;
}

static bool tells(const char *text, const char *secret, size_t size)
{
	return size >= SECRET_BYTES_MIN && memmem(text, strlen(text), secret, size) != NULL;
}

/* The stream's name, which may be a key, or parameters occur in the text. */
static bool tells_secret(const struct tunnel *t, const char *text)
{
	const char *parameters = strchr(t->app, '?');

	return tells(text, t->stream, strcspn(t->stream, "?&")) ||
	       tells(text, t->stream, strlen(t->stream)) ||
	       (parameters && tells(text, parameters + 1, strlen(parameters + 1)));
}

/* What the codes of servers mean. */
static const char *code_words(const char *code)
{
	static const struct {
		const char *code, *words;
	} table[] = {
		{ "NetStream.Play.StreamNotFound", "the server has no such stream" },
		{ "NetStream.Play.Failed", "the server cannot play the stream" },
		{ "NetStream.Failed", "the server cannot play the stream" },
		{ "NetConnection.Connect.InvalidApp", "the server has no such application" },
		{ "NetConnection.Connect.Rejected", "the server rejects the connection" },
		{ "NetStream.Play.UnpublishNotify", "its publisher has left the server" },
		{ "NetStream.Play.Stop", "the server has ended the stream" },
		{ "NetStream.Play.Complete", "the server has ended the stream" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(table[i].code, code) == 0) {
			return table[i].words;
		}
	}
	return NULL;
}

static void tell(struct tunnel *t, const struct guard_event *e, const char *otherwise,
		 int64_t now_us)
{
	const char *words = code_words(e->code);
	const char *code = tells_secret(t, e->code) ? "reason withheld: it holds the key" : e->code;
	bool has_more = *e->description && !tells_secret(t, e->description);
	char cause[CAUSE_MAX];

	text_format(cause, sizeof(cause), "%s (%s)%s%s", words ? words : otherwise,
		    *code ? code : "no reason given", has_more ? ": " : "",
		    has_more ? e->description : "");
	leave(t, cause, now_us);
}

/* ---- the server sends us elsewhere ---- */

static void move(struct tunnel *t, const struct guard_event *e)
{
	text_copy(t->moved_to, sizeof(t->moved_to), e->description);
	stream_destroy(&t->server, false);
	t->phase = TUNNEL_WAITING;
}

static void handle(struct tunnel *t, const struct guard_event *e, int64_t now_us)
{
	switch (e->type) {
	case GUARD_NOTHING:
	case GUARD_PLAYING:
		break;
	case GUARD_REFUSED:
		tell(t, e, "the server refuses", now_us);
		break;
	case GUARD_FINISHED:
		t->is_clean = true;
		tell(t, e, "the server has ended the stream", now_us);
		break;
	case GUARD_MOVED:
		move(t, e);
		break;
	}
}

/* ---- the player's side ---- */

static void player_gone(struct tunnel *t, int64_t now_us)
{
	t->is_player_gone = true;
	leave(t, "", now_us);
}

static void read_player(struct tunnel *t, int64_t now_us)
{
	uint8_t bytes[4096];
	ssize_t n;

	while (!t->is_player_gone &&
	       (n = recv(t->player, bytes, sizeof(bytes), MSG_DONTWAIT)) != 0) {
		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR) {
				player_gone(t, now_us);
			}
			return;
		}
		if (t->phase < TUNNEL_LEAVING &&
		    guard_feed_player(t->guard, bytes, (size_t)n, now_us) < 0) {
			leave(t, "librtmp asks for what no player asks for", now_us);
		}
	}
	player_gone(t, now_us);
}

static void flush_player(struct tunnel *t, int64_t now_us)
{
	const uint8_t *bytes;
	size_t n;

	while (!t->is_player_gone && (n = guard_player_output(t->guard, &bytes)) > 0) {
		ssize_t sent = send(t->player, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
			if (t->taken_us == CLOCK_NEVER) {
				t->taken_us = now_us;
			}
			return;
		}
		if (sent < 0) {
			player_gone(t, now_us);
			return;
		}
		t->taken_us = now_us;
		guard_player_sent(t->guard, (size_t)sent);
	}
	t->taken_us = CLOCK_NEVER;
}

/* ---- the server's side ---- */

static void lose_server(struct tunnel *t, ssize_t result, int64_t now_us)
{
	const char *why = stream_error_str(t->server);
	char cause[CAUSE_MAX];

	if (result == 0) {
		why = "the server closed the connection";
	} else if (!*why) {
		why = net_error_str((int)result);
	}
	text_format(cause, sizeof(cause), "%s%s", why,
		    guard_is_playing(t->guard) ? "" : " before the stream began");
	leave(t, cause, now_us);
}

static void flush_server(struct tunnel *t, int64_t now_us)
{
	const uint8_t *bytes;
	size_t n;

	t->is_full = false;
	while (t->server && (n = guard_server_output(t->guard, &bytes)) > 0) {
		const struct iovec part = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = n };
		ssize_t sent = stream_write(t->server, &part, 1);

		if (sent == -EAGAIN) {
			t->is_full = true;
			return;
		}
		if (sent < 0) {
			lose_server(t, sent, now_us);
			return;
		}
		guard_server_sent(t->guard, (size_t)sent);
	}
	if (t->server && stream_flush(t->server) == -EAGAIN) {
		t->is_full = true;
	}
}

/* False if there is no sense in reading on. */
static bool feed(struct tunnel *t, size_t n, int64_t now_us)
{
	size_t at = 0;

	while (at < n && t->phase == TUNNEL_TALKING) {
		struct guard_event e;
		ssize_t used = guard_feed_server(t->guard, t->in + at, n - at, now_us);

		if (used < 0) {
			leave(t, rtmp_error_str((int)used), now_us);
			return false;
		}
		at += (size_t)used;
		while (guard_next(t->guard, &e)) {
			handle(t, &e, now_us);
		}
	}
	return t->phase == TUNNEL_TALKING;
}

static bool is_ahead(struct tunnel *t)
{
	const uint8_t *bytes;

	return guard_player_output(t->guard, &bytes) >= GUARD_AHEAD_BYTES;
}

static void read_server(struct tunnel *t, int64_t now_us)
{
	t->is_readable = false;
	for (unsigned i = 0; i < READS_MAX; i++) {
		ssize_t n;

		if (is_ahead(t)) {
			flush_player(t, now_us);
			if (is_ahead(t)) {
				return; /* goes on when the player has read */
			}
		}
		n = stream_read(t->server, t->in, sizeof(t->in));
		if (n == -EAGAIN) {
			return;
		}
		if (n <= 0) {
			lose_server(t, n, now_us);
			return;
		}
		if (!feed(t, (size_t)n, now_us)) {
			return;
		}
	}
	t->is_readable = true;
}

static void secure(struct tunnel *t, int64_t now_us)
{
	char cause[CAUSE_MAX];
	int error = stream_handshake(t->server);

	if (error == 0) {
		t->phase = TUNNEL_TALKING;
	} else if (error != -EAGAIN) {
		text_format(cause, sizeof(cause), "TLS handshake failed: %s",
			    stream_error_str(t->server));
		leave(t, cause, now_us);
	}
}

void tunnel_attach(struct tunnel *t, const struct tunnel_place *place, int fd, int64_t now_us)
{
	uint8_t random[1528];
	int error = RTMP_NO_MEMORY;

	t->moved_to[0] = '\0';
	t->server = place->trust ? stream_create_tls_client(fd, place->trust, place->host)
				 : stream_create_plain(fd);
	if (!t->server) {
		close(fd);
	} else if (getrandom(random, sizeof(random), 0) == sizeof(random)) {
		error = guard_begin(t->guard, place->app, place->tc_url, random, now_us);
	}
	if (error == RTMP_ENDED) {
		leave(t, "the server sends us elsewhere in the middle of the stream", now_us);
	} else if (error != 0) {
		leave(t, rtmp_error_str(error), now_us);
	} else {
		text_copy(t->app, sizeof(t->app), place->app);
		t->began_us = now_us;
		t->phase = TUNNEL_SECURING;
		tunnel_step(t, now_us);
	}
}

/* ---- steps ---- */

static bool has_output(struct tunnel *t)
{
	const uint8_t *bytes;

	return !t->is_player_gone && guard_player_output(t->guard, &bytes) > 0;
}

void tunnel_step(struct tunnel *t, int64_t now_us)
{
	read_player(t, now_us);
	if (t->phase == TUNNEL_SECURING) {
		secure(t, now_us);
	}
	if (t->phase == TUNNEL_TALKING) {
		read_server(t, now_us);
	}
	flush_player(t, now_us);
	if (t->phase != TUNNEL_SECURING) {
		flush_server(t, now_us);
	}
	if (t->phase == TUNNEL_LEAVING && !has_output(t)) {
		t->phase = TUNNEL_GONE;
	}
}

int64_t tunnel_deadline(const struct tunnel *t)
{
	int64_t at_us = CLOCK_NEVER, player_us = CLOCK_NEVER;

	if (t->taken_us != CLOCK_NEVER) {
		player_us = t->taken_us + PLAYER_US;
	}
	switch (t->phase) {
	case TUNNEL_SECURING:
		at_us = t->began_us + t->connect_us;
		break;
	case TUNNEL_TALKING:
		at_us = guard_deadline(t->guard);
		break;
	case TUNNEL_LEAVING:
		return t->leave_us;
	case TUNNEL_WAITING:
	case TUNNEL_GONE:
		return CLOCK_NEVER;
	}
	return at_us < player_us ? at_us : player_us;
}

void tunnel_tick(struct tunnel *t, int64_t now_us)
{
	char cause[CAUSE_MAX];

	if (now_us < tunnel_deadline(t)) {
		return;
	}
	if (t->phase == TUNNEL_LEAVING) {
		t->phase = TUNNEL_GONE;
	} else if (t->phase == TUNNEL_SECURING) {
		leave(t, "TLS handshake failed: not finished in time", now_us);
	} else if (t->taken_us != CLOCK_NEVER && now_us >= t->taken_us + PLAYER_US) {
		leave(t, "librtmp hangs", now_us);
	} else if (guard_tick(t->guard, now_us) != RTMP_OK) {
		text_format(cause, sizeof(cause), "waited %d s for %s, in vain",
			    (int)(guard_patience_us(t->guard) / 1000000),
			    guard_waits_for(t->guard));
		leave(t, cause, now_us);
	}
	tunnel_step(t, now_us);
}

/* ---- looking in ---- */

enum tunnel_phase tunnel_phase(const struct tunnel *t)
{
	return t->phase;
}

const char *tunnel_cause(const struct tunnel *t)
{
	return t->cause;
}

bool tunnel_is_clean(const struct tunnel *t)
{
	return t->is_clean;
}

const char *tunnel_moved_to(const struct tunnel *t)
{
	return t->moved_to;
}

int tunnel_server_fd(const struct tunnel *t)
{
	return t->server ? stream_fd(t->server) : -1;
}

int tunnel_player_fd(const struct tunnel *t)
{
	return t->player;
}

unsigned tunnel_server_wants(struct tunnel *t)
{
	unsigned wants = 0;

	if (!t->server || t->phase >= TUNNEL_LEAVING) {
		return 0;
	}
	if (t->phase == TUNNEL_SECURING) {
		wants = stream_wants(t->server);
		return wants ? wants : STREAM_WANT_READ | STREAM_WANT_WRITE;
	}
	if (!is_ahead(t)) {
		wants |= STREAM_WANT_READ;
	}
	if (t->is_full) {
		wants |= STREAM_WANT_WRITE;
	}
	return wants;
}

unsigned tunnel_player_wants(struct tunnel *t)
{
	if (t->is_player_gone) {
		return 0;
	}
	return STREAM_WANT_READ | (has_output(t) ? STREAM_WANT_WRITE : 0u);
}

bool tunnel_wants_more(const struct tunnel *t)
{
	return t->is_readable && t->phase == TUNNEL_TALKING;
}
