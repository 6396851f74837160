/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside src/net: what a stream is made of. stream.c dispatches and does plain TCP, tls.c does
 * TLS records, tls-context.c certificates and keys, tls-error.c the words, tls-bio.c the socket
 * under OpenSSL.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <openssl/ssl.h>

#include <understudy/net.h>

#define TLS_RECORD_BYTES 16384

struct stream {
	int fd;
	unsigned wants;    /* enum stream_want */
	const char *error; /* a constant text; NULL = none */
	/* TLS only */
	SSL *ssl; /* owned */
	bool is_server;
	bool is_established; /* handshake done */
	bool has_failed;    /* OpenSSL forbids any further call on `ssl`, SSL_shutdown() included */
	bool has_heard;     /* something came from the peer */
	uint8_t first_byte; /* the first byte it sent: 0x14..0x17 if it speaks TLS */
	int socket_error;   /* errno of the last failed system call under OpenSSL, or 0 */
	uint8_t *held;      /* owned: plaintext of a record that is sealed, but not yet sent */
	size_t held_bytes;
};

/* tls.c */
int tls_handshake(struct stream *s);
ssize_t tls_read(struct stream *s, void *to, size_t room);
ssize_t tls_write(struct stream *s, const struct iovec *iov, int count);
int tls_flush(struct stream *s);
void tls_finish(struct stream *s);
void tls_destroy(struct stream *s);

/* tls-bio.c: a BIO over s->fd that never raises SIGPIPE; owned by the SSL it is given to. */
BIO *tls_bio_create(struct stream *s);

/* tls-context.c: frees certificate and key of a server whose handshake is over. */
void tls_forget_key(struct stream *s);

/* tls-error.c: words for a failed handshake; constant text. */
const char *tls_handshake_error(const struct stream *s);
/* Words for a connection that broke later; constant text. */
const char *tls_record_error(const struct stream *s);
/* Words for the newest entry of OpenSSL's queue in a certificate or key file; constant text. */
const char *tls_file_error(const char *fallback);

#endif
