/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What went wrong with TLS, in words a streamer understands. Everything here is constant text:
 * nothing a peer sent gets into it. Used by tls.c and tls-context.c; no I/O, owns nothing.
 */
#include <openssl/err.h>
#include <openssl/pemerr.h>
#include <openssl/x509err.h>
#include <openssl/x509_vfy.h>

#include "stream.h"

struct words {
	long code;
	const char *text;
};

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

static const char *words_find(const struct words *table, size_t count, long code)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (table[i].code == code) {
			return table[i].text;
		}
	}
	return NULL;
}

static const char *certificate_error(long result)
{
	static const struct words table[] = {
		{ X509_V_ERR_CERT_HAS_EXPIRED, "certificate has expired" },
		{ X509_V_ERR_CERT_NOT_YET_VALID,
		  "certificate is not valid yet (is this machine's clock right?)" },
		{ X509_V_ERR_HOSTNAME_MISMATCH, "certificate is for another name" },
		{ X509_V_ERR_IP_ADDRESS_MISMATCH, "certificate is for another address" },
		{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "certificate is self-signed" },
		{ X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "certificate is not trusted" },
		{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "certificate is not trusted" },
		{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "certificate is not trusted" },
		{ X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "certificate is not trusted" },
		{ X509_V_ERR_CERT_UNTRUSTED, "certificate is not trusted" },
		{ X509_V_ERR_CERT_REVOKED, "certificate is revoked" },
		{ X509_V_ERR_INVALID_CA, "certificate was issued by one that may not" },
		{ X509_V_ERR_INVALID_PURPOSE, "certificate is not one for servers" },
		{ X509_V_ERR_EE_KEY_TOO_SMALL, "certificate has too weak a key" },
		{ X509_V_ERR_CA_KEY_TOO_SMALL, "certificate has too weak a key" },
		{ X509_V_ERR_CA_MD_TOO_WEAK, "certificate has too weak a signature" },
	};
	const char *text = words_find(table, LENGTH(table), result);

	return text ? text : "certificate cannot be verified";
}

/* What OpenSSL's queue says about the peer; NULL if that helps nobody. */
static const char *alert_error(const struct stream *s)
{
	static const struct words common[] = {
		{ SSL_R_UNSUPPORTED_PROTOCOL, "peer has no TLS 1.2 or newer" },
		{ SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "peer has no TLS 1.2 or newer" },
		{ SSL_R_NO_SHARED_CIPHER, "no cipher in common with the peer" },
		{ SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, "peer refused the TLS handshake" },
		{ SSL_R_TLSV1_ALERT_INTERNAL_ERROR, "peer refused the TLS handshake" },
		{ SSL_R_TLSV1_UNRECOGNIZED_NAME, "server does not know this host name" },
		{ SSL_R_UNEXPECTED_EOF_WHILE_READING, "closed in the TLS handshake" },
	};
	static const struct words from_client[] = {
		{ SSL_R_TLSV1_ALERT_UNKNOWN_CA, "encoder does not trust our certificate" },
		{ SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "encoder does not accept our certificate" },
		{ SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
		  "encoder does not accept our certificate" },
		{ SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "our certificate has expired" },
	};
	unsigned long code = ERR_peek_error();
	int reason = ERR_GET_REASON(code);
	const char *text;

	if (ERR_GET_LIB(code) != ERR_LIB_SSL) {
		return NULL;
	}
	text = words_find(common, LENGTH(common), reason);
	if (!text && s->is_server) {
		text = words_find(from_client, LENGTH(from_client), reason);
	}
	return text;
}

const char *tls_handshake_error(const struct stream *s)
{
	bool is_tls = s->first_byte >= SSL3_RT_CHANGE_CIPHER_SPEC &&
		      s->first_byte <= SSL3_RT_APPLICATION_DATA;
	long verified = SSL_get_verify_result(s->ssl);
	const char *text;

	if (s->has_heard && !is_tls) {
		return s->is_server ? "encoder does not speak TLS (this port is for rtmps://)"
				    : "the server does not speak TLS on this port";
	}
	if (!s->is_server && verified != X509_V_OK) {
		return certificate_error(verified);
	}
	if (s->socket_error) {
		return net_error_str(-s->socket_error);
	}
	if (!s->has_heard) {
		return s->is_server ? "closed before the TLS handshake"
				    : "closed in the TLS handshake (is TLS spoken on this port?)";
	}
	text = alert_error(s);
	return text ? text : "TLS handshake failed";
}

const char *tls_record_error(const struct stream *s)
{
	const char *text = alert_error(s);

	return text ? text : "broken TLS record";
}

const char *tls_file_error(const char *fallback)
{
	unsigned long code = ERR_peek_last_error();
	const char *text = fallback;

	if (ERR_GET_LIB(code) == ERR_LIB_X509 &&
	    ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH) {
		text = "private key does not belong to the certificate";
	} else if (ERR_GET_LIB(code) == ERR_LIB_SSL &&
		   ERR_GET_REASON(code) == SSL_R_EE_KEY_TOO_SMALL) {
		text = "certificate has too weak a key";
	} else if (ERR_GET_LIB(code) == ERR_LIB_PEM &&
		   ERR_GET_REASON(code) == PEM_R_BAD_PASSWORD_READ) {
		text = "private key is encrypted; give one without a passphrase";
	}
	ERR_clear_error();
	return text;
}
