/* SPDX-License-Identifier: GPL-3.0-or-later */
/* TLS streams against each other and against peers that are not TLS at all, over socketpairs. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>

#include <cmocka.h>

#include <understudy/net.h>

#include "certificates.h"

#define MASK 0x5a
#define SECRET_BYTES 32

struct fixture {
	struct certificate authority;
	struct ssl_ctx_st *trust;
};

struct pair {
	int fds[2];
	struct stream *client, *server;
};

static int setup(void **state)
{
	static struct fixture f;
	const char *error = NULL;
	int bundle;

	f.authority = certificate_make("Test CA", NULL, NULL, 30, "critical,CA:TRUE");
	bundle = certificate_bundle(&f.authority);
	f.trust = stream_trust_create(bundle, &error);
	close(bundle);
	*state = &f;
	return f.trust ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	stream_trust_destroy(&f->trust);
	certificate_free(&f->authority);
	return 0;
}

static struct stream *server_with(int fd, const struct certificate *c)
{
	const char *error = "none";
	size_t chain_bytes, key_bytes;
	char *chain = certificate_pem(c, &chain_bytes), *key = key_pem(c, &key_bytes);
	struct stream *s = stream_create_tls_server(fd, chain, chain_bytes, key, key_bytes, &error);

	assert_non_null(s);
	free(chain);
	free(key);
	return s;
}

static void pair_open(struct pair *p, struct fixture *f, const struct certificate *c,
		      const char *host)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fds), 0);
	p->client = stream_create_tls_client(p->fds[0], f->trust, host);
	p->server = server_with(p->fds[1], c);
	assert_non_null(p->client);
}

static void pair_close(struct pair *p)
{
	stream_destroy(&p->client, true);
	stream_destroy(&p->server, true);
}

/* Runs both handshakes until the client's is over; its result. */
static int pair_handshake(struct pair *p)
{
	int client = -EAGAIN, server = -EAGAIN, rounds;

	for (rounds = 0; rounds < 20 && (client == -EAGAIN || server == -EAGAIN); rounds++) {
		if (client == -EAGAIN) {
			client = stream_handshake(p->client);
		}
		if (server == -EAGAIN) {
			server = stream_handshake(p->server);
		}
	}
	return client;
}

static void assert_refused(struct fixture *f, const struct certificate *c, const char *host,
			   const char *words)
{
	struct pair p;

	pair_open(&p, f, c, host);
	assert_true(pair_handshake(&p) < 0);
	assert_string_equal(stream_error_str(p.client), words);
	pair_close(&p);
}

static struct certificate good_leaf(struct fixture *f)
{
	return certificate_make("live.example", "DNS:live.example,IP:127.0.0.1", &f->authority, 30,
				"CA:FALSE");
}

static void bytes_arrive_in_both_directions(void **state)
{
	struct certificate leaf = good_leaf(*state);
	struct iovec iov[3] = { { "one ", 4 }, { "", 0 }, { "two", 3 } };
	struct pair p;
	char got[16];

	pair_open(&p, *state, &leaf, "live.example");
	assert_true(stream_is_tls(p.client));
	assert_int_equal(pair_handshake(&p), 0);
	assert_int_equal(stream_write(p.client, iov, 3), 7);
	assert_int_equal(stream_read(p.server, got, sizeof(got)), 7);
	assert_memory_equal(got, "one two", 7);
	assert_int_equal(stream_read(p.server, got, sizeof(got)), -EAGAIN);
	assert_int_equal(stream_write(p.server, iov, 1), 4);
	assert_int_equal(stream_read(p.client, got, sizeof(got)), 4);
	stream_destroy(&p.client, false);
	assert_int_equal(stream_read(p.server, got, sizeof(got)), 0);
	pair_close(&p);
	certificate_free(&leaf);
}

static void an_address_in_the_certificate_is_accepted(void **state)
{
	struct certificate leaf = good_leaf(*state);
	struct pair p;

	pair_open(&p, *state, &leaf, "127.0.0.1");
	assert_int_equal(pair_handshake(&p), 0);
	pair_close(&p);
	certificate_free(&leaf);
}

static void bad_certificates_are_named_for_what_they_are(void **state)
{
	struct fixture *f = *state;
	struct certificate leaf = good_leaf(f), expired, self, stranger, strange;

	expired = certificate_make("live.example", "DNS:live.example", &f->authority, 0,
				   "CA:FALSE");
	self = certificate_make("live.example", "DNS:live.example", NULL, 30, "CA:FALSE");
	stranger = certificate_make("Other CA", NULL, NULL, 30, "critical,CA:TRUE");
	strange = certificate_make("live.example", "DNS:live.example", &stranger, 30, "CA:FALSE");
	assert_refused(f, &leaf, "other.example", "certificate is for another name");
	assert_refused(f, &leaf, "127.0.0.2", "certificate is for another address");
	assert_refused(f, &expired, "live.example", "certificate has expired");
	assert_refused(f, &self, "live.example", "certificate is self-signed");
	assert_refused(f, &strange, "live.example", "certificate is not trusted");
	certificate_free(&leaf);
	certificate_free(&expired);
	certificate_free(&self);
	certificate_free(&strange);
	certificate_free(&stranger);
}

static void a_server_without_tls_is_named(void **state)
{
	struct fixture *f = *state;
	struct stream *client;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	client = stream_create_tls_client(fds[0], f->trust, "live.example");
	assert_int_equal(stream_handshake(client), -EAGAIN);
	assert_int_equal(stream_wants(client), STREAM_WANT_READ);
	assert_int_equal(write(fds[1], "\x03not TLS at all", 15), 15);
	assert_true(stream_handshake(client) < 0);
	assert_string_equal(stream_error_str(client), "the server does not speak TLS on this port");
	stream_destroy(&client, true);
	close(fds[1]);
}

static void a_server_that_hangs_up_is_named(void **state)
{
	struct fixture *f = *state;
	struct stream *client;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	client = stream_create_tls_client(fds[0], f->trust, "live.example");
	assert_int_equal(stream_handshake(client), -EAGAIN);
	close(fds[1]);
	assert_true(stream_handshake(client) < 0);
	assert_true(strlen(stream_error_str(client)) > 0);
	stream_destroy(&client, true);
}

static void an_encoder_without_tls_is_named(void **state)
{
	struct certificate leaf = good_leaf(*state);
	struct stream *server;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	server = server_with(fds[1], &leaf);
	assert_int_equal(write(fds[0], "\x03RTMP without TLS", 17), 17);
	assert_true(stream_handshake(server) < 0);
	assert_string_equal(stream_error_str(server),
			    "encoder does not speak TLS (this port is for rtmps://)");
	stream_destroy(&server, true);
	close(fds[0]);
	certificate_free(&leaf);
}

static void no_session_ticket_follows_the_handshake(void **state)
{
	struct certificate leaf = good_leaf(*state);
	struct pair p;
	char c;

	pair_open(&p, *state, &leaf, "live.example");
	assert_int_equal(pair_handshake(&p), 0);
	assert_int_equal(recv(p.fds[0], &c, 1, MSG_PEEK | MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	pair_close(&p);
	certificate_free(&leaf);
}

/* Byte `i` of a test stream that has no short period. */
static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 2654435761u >> 13);
}

/* Pieces of many sizes are offered again and again through a socket that takes little at a time;
 * the memory of what was taken is reused for something else at once. */
static void partial_writes_keep_the_stream_intact(void **state)
{
	static const size_t sizes[] = { 1, 12, 300, 16384, 7, 16383, 70000, 2, 5000, 16385 };
	static uint8_t pieces[10][70000], got[65536];
	struct certificate leaf = good_leaf(*state);
	size_t sent = 0, received = 0, total = 3000000, i, j, refused = 0;
	struct pair p;
	int small = 4096;

	pair_open(&p, *state, &leaf, "live.example");
	assert_int_equal(pair_handshake(&p), 0);
	setsockopt(p.fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	while (received < total) {
		struct iovec iov[10];
		size_t at = sent;
		ssize_t n;

		for (i = 0; i < 10 && sent < total; i++) {
			for (j = 0; j < sizes[i]; j++) {
				pieces[i][j] = pattern(at++);
			}
			iov[i] = (struct iovec){ pieces[i], sizes[i] };
		}
		n = sent < total ? stream_write(p.client, iov, 10) : stream_flush(p.client);
		memset(pieces, 0xee, sizeof(pieces));
		if (n == -EAGAIN) {
			assert_true(stream_wants(p.client) & STREAM_WANT_WRITE);
			refused++;
		} else {
			assert_true(n >= 0);
			sent += (size_t)n;
		}
		n = stream_read(p.server, got, sent % 5000 + 1);
		assert_true(n > 0 || n == -EAGAIN);
		for (i = 0; n > 0 && i < (size_t)n; i++) {
			assert_int_equal(got[i], pattern(received++));
		}
	}
	assert_true(refused > 0);
	pair_close(&p);
	certificate_free(&leaf);
}

/* Makes certificate and key in another process, so that this one has never held the key but in
 * the buffer it is given. `ret_masked` is the raw private key, not to be found by a search. */
static void make_elsewhere(struct certificate *ca, char *chain, size_t *chain_bytes, char *key,
			   size_t *key_bytes, uint8_t ret_masked[SECRET_BYTES])
{
	int pipes[3][2], i, status;
	pid_t child;

	for (i = 0; i < 3; i++) {
		assert_int_equal(pipe(pipes[i]), 0);
	}
	child = fork();
	if (child == 0) {
		struct certificate c = certificate_make("x", "DNS:live.example", ca, 30,
							"CA:FALSE");
		size_t a, b;
		char *chain_pem = certificate_pem(&c, &a), *private_pem = key_pem(&c, &b);
		BIGNUM *secret = NULL;
		uint8_t raw[SECRET_BYTES];

		EVP_PKEY_get_bn_param(c.key, "priv", &secret);
		BN_bn2lebinpad(secret, raw, sizeof(raw));
		for (i = 0; i < SECRET_BYTES; i++) {
			raw[i] ^= MASK;
		}
		if (write(pipes[0][1], chain_pem, a) < 0 ||
		    write(pipes[1][1], private_pem, b) < 0 ||
		    write(pipes[2][1], raw, sizeof(raw)) < 0) {
			_exit(1);
		}
		_exit(0);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	*chain_bytes = (size_t)read(pipes[0][0], chain, 4096);
	*key_bytes = (size_t)read(pipes[1][0], key, 4096);
	assert_int_equal(read(pipes[2][0], ret_masked, SECRET_BYTES), SECRET_BYTES);
	for (i = 0; i < 3; i++) {
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
}

static unsigned count_in(const uint8_t *bytes, size_t size, const uint8_t masked[SECRET_BYTES])
{
	unsigned found = 0;
	size_t i, j;

	for (i = 0; i + SECRET_BYTES <= size; i++) {
		if (bytes[i] != (masked[0] ^ MASK)) {
			continue;
		}
		for (j = 1; j < SECRET_BYTES && bytes[i + j] == (masked[j] ^ MASK); j++) {
		}
		found += j == SECRET_BYTES;
	}
	return found;
}

/* How often the key lies in this process's writable memory. */
static unsigned count_secret(const uint8_t masked[SECRET_BYTES])
{
	static uint8_t window[1 << 16];
	FILE *maps = fopen("/proc/self/maps", "re");
	int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	char line[512], permissions[8];
	unsigned long from, to, at;
	unsigned found = 0;

	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, permissions) != 3 ||
		    strncmp(permissions, "rw", 2) != 0 || to - from > 1UL << 30) {
			continue;
		}
		for (at = from; at < to; at += sizeof(window) - SECRET_BYTES) {
			ssize_t n = pread(memory, window, sizeof(window), (off_t)at);
			bool is_window = at <= (unsigned long)window + sizeof(window) &&
					 at + sizeof(window) >= (unsigned long)window;

			if (n > 0 && !is_window) {
				found += count_in(window, (size_t)n, masked);
			}
			memset(window, 0, sizeof(window));
		}
	}
	close(memory);
	fclose(maps);
	return found;
}

static void the_private_key_is_gone_after_the_handshake(void **state)
{
	struct fixture *f = *state;
	char chain[4096], key[4096];
	size_t chain_bytes, key_bytes, i;
	uint8_t masked[SECRET_BYTES];
	const char *error = "";
	struct pair p;

	make_elsewhere(&f->authority, chain, &chain_bytes, key, &key_bytes, masked);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p.fds), 0);
	p.client = stream_create_tls_client(p.fds[0], f->trust, "live.example");
	p.server = stream_create_tls_server(p.fds[1], chain, chain_bytes, key, key_bytes, &error);
	assert_non_null(p.server);
	for (i = 0; i < key_bytes; i++) {
		assert_int_equal(key[i], 0);
	}
	assert_true(count_secret(masked) > 0);
	assert_int_equal(pair_handshake(&p), 0);
	assert_int_equal(count_secret(masked), 0);
	pair_close(&p);
}

static void unusable_material_is_explained(void **state)
{
	struct fixture *f = *state;
	struct certificate leaf = good_leaf(f), other = good_leaf(f);
	size_t chain_bytes, key_bytes;
	char *chain = certificate_pem(&leaf, &chain_bytes), *key = key_pem(&other, &key_bytes);
	char nothing[] = "nothing";
	const char *error = NULL;
	int empty = memfd_create("empty", MFD_CLOEXEC);

	assert_null(stream_create_tls_server(0, chain, chain_bytes, key, key_bytes, &error));
	assert_string_equal(error, "private key does not belong to the certificate");
	assert_null(stream_create_tls_server(0, nothing, 7, nothing, 7, &error));
	assert_string_equal(error, "there is no certificate in the file");
	assert_null(stream_create_tls_server(0, chain, chain_bytes, nothing, 7, &error));
	assert_string_equal(error, "there is no private key in the file");
	assert_null(stream_trust_create(empty, &error));
	assert_string_equal(error, "the bundle of trusted certificates cannot be read");
	assert_int_equal(write(empty, "none", 4), 4);
	assert_null(stream_trust_create(empty, &error));
	assert_string_equal(error, "there is no certificate in the bundle of trusted ones");
	close(empty);
	free(chain);
	free(key);
	certificate_free(&leaf);
	certificate_free(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_private_key_is_gone_after_the_handshake),
		cmocka_unit_test(bytes_arrive_in_both_directions),
		cmocka_unit_test(an_address_in_the_certificate_is_accepted),
		cmocka_unit_test(bad_certificates_are_named_for_what_they_are),
		cmocka_unit_test(a_server_without_tls_is_named),
		cmocka_unit_test(a_server_that_hangs_up_is_named),
		cmocka_unit_test(an_encoder_without_tls_is_named),
		cmocka_unit_test(no_session_ticket_follows_the_handshake),
		cmocka_unit_test(partial_writes_keep_the_stream_intact),
		cmocka_unit_test(unusable_material_is_explained),
	};

	return cmocka_run_group_tests_name("tls", tests, setup, teardown);
}
