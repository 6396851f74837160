/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Certificates and keys: how TLS streams are made (net.h). Runs in ingest-rtmp (server) and
 * relay-rtmp (client). Opens no files: OpenSSL's configuration file is left alone, PEM comes as
 * bytes or as the descriptor of a memfd or file, so that reading it does not block.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stream.h"

#define TRUST_BYTES_MAX (8 << 20)

/* What both sides share. NULL if memory is out. */
static SSL_CTX *context_create(const SSL_METHOD *method)
{
	SSL_CTX *ctx;

	/* Before anything else of OpenSSL: it would look for its configuration file. */
	if (!OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL)) {
		return NULL;
	}
	ERR_clear_error();
	ctx = SSL_CTX_new(method);
	if (!ctx) {
		return NULL;
	}
	if (!SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_options(ctx,
			    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	/* One recv(2) for header and body of a record, or of several. */
	SSL_CTX_set_read_ahead(ctx, 1);
	return ctx;
}

static struct stream *tls_create(int fd, SSL_CTX *ctx, bool is_server)
{
	struct stream *s = stream_create_plain(fd);
	BIO *bio;

	if (!s) {
		return NULL;
	}
	s->is_server = is_server;
	s->ssl = SSL_new(ctx);
	bio = s->ssl ? tls_bio_create(s) : NULL;
	if (!bio) {
		SSL_free(s->ssl);
		free(s);
		return NULL;
	}
	SSL_set_bio(s->ssl, bio, bio);
	if (is_server) {
		SSL_set_accept_state(s->ssl);
	} else {
		SSL_set_connect_state(s->ssl);
	}
	return s;
}

/* No terminal is asked for a passphrase. */
static int no_passphrase(char *to, int room, int is_writing, void *unused)
{
	(void)to;
	(void)room;
	(void)is_writing;
	(void)unused;
	return -1;
}

static const char *use_chain(SSL *ssl, const char *pem, size_t bytes)
{
	const char *error = NULL;
	X509 *certificate = NULL;
	BIO *bio;
	unsigned count = 0;

	bio = bytes <= INT32_MAX ? BIO_new_mem_buf(pem, (int)bytes) : NULL;
	if (!bio) {
		return "out of memory";
	}
	while (!error && (certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL))) {
		if (count == 0 ? SSL_use_certificate(ssl, certificate) != 1
			       : SSL_add1_chain_cert(ssl, certificate) != 1) {
			error = tls_file_error("certificate cannot be used");
		}
		count++;
		X509_free(certificate);
	}
	BIO_free(bio);
	ERR_clear_error();
	return error ? error : count ? NULL : "there is no certificate in the file";
}

static const char *use_key(SSL *ssl, const char *pem, size_t bytes)
{
	const char *error = NULL;
	EVP_PKEY *key;
	BIO *bio;

	bio = bytes <= INT32_MAX ? BIO_new_mem_buf(pem, (int)bytes) : NULL;
	if (!bio) {
		return "out of memory";
	}
	key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	if (!key) {
		return tls_file_error("there is no private key in the file");
	}
	if (SSL_use_PrivateKey(ssl, key) != 1 || SSL_check_private_key(ssl) != 1) {
		error = tls_file_error("private key cannot be used");
	}
	EVP_PKEY_free(key);
	return error;
}

struct stream *stream_create_tls_server(int fd, const char *chain_pem, size_t chain_bytes,
					char *key_pem, size_t key_bytes, const char **ret_error)
{
	SSL_CTX *ctx = context_create(TLS_server_method());
	struct stream *s = NULL;
	const char *error = "out of memory";

	if (ctx) {
		/* librtmp over GnuTLS fails on the tickets of TLS 1.3. */
		SSL_CTX_set_num_tickets(ctx, 0);
		s = tls_create(fd, ctx, true);
		/* The stream holds the only reference from here on; both go together. */
		SSL_CTX_free(ctx);
	}
	if (s) {
		/* Given to the SSL and not to its SSL_CTX, so that SSL_certs_clear() drops it. */
		error = use_chain(s->ssl, chain_pem, chain_bytes);
		if (!error) {
			error = use_key(s->ssl, key_pem, key_bytes);
		}
	}
	OPENSSL_cleanse(key_pem, key_bytes);
	if (!error) {
		return s;
	}
	if (s) {
		tls_destroy(s);
		free(s);
	}
	*ret_error = error;
	return NULL;
}

int stream_certificate_days(const struct stream *s)
{
	X509 *certificate = s->ssl != NULL ? SSL_get1_peer_certificate(s->ssl) : NULL;
	int days = 0, seconds = 0;

	if (certificate != NULL) {
		ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate));
		X509_free(certificate);
	}
	return days;
}

void tls_forget_key(struct stream *s)
{
	if (s->is_server) {
		SSL_certs_clear(s->ssl);
	}
}

struct stream *stream_create_tls_client(int fd, SSL_CTX *ctx, const char *host)
{
	struct stream *s = tls_create(fd, ctx, false);
	struct sockaddr_storage unused;
	bool is_ready;

	if (!s) {
		return NULL;
	}
	SSL_set_verify(s->ssl, SSL_VERIFY_PEER, NULL);
	if (net_parse_address(host, 0, &unused)) {
		is_ready = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(s->ssl), host) == 1;
	} else {
		SSL_set_hostflags(s->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		is_ready = SSL_set1_host(s->ssl, host) == 1 &&
			   SSL_set_tlsext_host_name(s->ssl, host) == 1;
	}
	if (!is_ready) {
		tls_destroy(s);
		free(s);
		return NULL;
	}
	return s;
}

/* The file at `fd`, whole, malloc()ed. NULL if it cannot be read or is too large. */
static char *read_all(int fd, size_t *ret_bytes)
{
	struct stat st;
	char *bytes;
	size_t size, at = 0;
	ssize_t n;

	if (fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > TRUST_BYTES_MAX) {
		return NULL;
	}
	size = (size_t)st.st_size;
	bytes = malloc(size);
	while (bytes && at < size) {
		n = pread(fd, bytes + at, size - at, (off_t)at);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			break;
		}
		at += (size_t)n;
	}
	*ret_bytes = at;
	return bytes;
}

/* How many certificates of the bundle went into the store. */
static unsigned add_trusted(X509_STORE *store, const char *pem, size_t bytes)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)bytes);
	X509 *certificate;
	unsigned count = 0;

	while (bio && (certificate = PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL))) {
		count += X509_STORE_add_cert(store, certificate) == 1;
		X509_free(certificate);
	}
	BIO_free(bio);
	ERR_clear_error();
	return count;
}

SSL_CTX *stream_trust_create(int fd, const char **ret_error)
{
	SSL_CTX *ctx;
	unsigned count;
	size_t bytes;
	char *pem = read_all(fd, &bytes);

	if (!pem) {
		*ret_error = "the bundle of trusted certificates cannot be read";
		return NULL;
	}
	ctx = context_create(TLS_client_method());
	count = ctx ? add_trusted(SSL_CTX_get_cert_store(ctx), pem, bytes) : 0;
	free(pem);
	if (!count) {
		*ret_error = ctx ? "there is no certificate in the bundle of trusted ones"
				 : "out of memory";
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

void stream_trust_destroy(SSL_CTX **ctx)
{
	SSL_CTX_free(*ctx);
	*ctx = NULL;
}
