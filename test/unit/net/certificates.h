/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Certificates made while a test runs: an authority, and leaves good and bad. */
#ifndef TEST_CERTIFICATES_H
#define TEST_CERTIFICATES_H

#include <assert.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct certificate {
	X509 *x509;
	EVP_PKEY *key;
};

/* `names` as in subjectAltName: "DNS:live.example,IP:127.0.0.1". Issuer NULL: signs itself. Valid
 * from yesterday for `days` days (0 or less: expired). */
static inline struct certificate certificate_make(const char *common_name, const char *names,
						  const struct certificate *issuer, int days,
						  const char *is_ca)
{
	struct certificate c = { .x509 = X509_new(), .key = EVP_EC_gen("P-256") };
	X509_NAME *name = X509_get_subject_name(c.x509);
	X509_EXTENSION *extension;
	static long serial;

	assert(c.x509 && c.key);
	X509_set_version(c.x509, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(c.x509), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(c.x509), -2 * 86400L);
	X509_gmtime_adj(X509_getm_notAfter(c.x509), (days - 1) * 86400L);
	X509_set_pubkey(c.x509, c.key);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1,
				   -1, 0);
	X509_set_issuer_name(c.x509, issuer ? X509_get_subject_name(issuer->x509) : name);
	extension = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, is_ca);
	X509_add_ext(c.x509, extension, -1);
	X509_EXTENSION_free(extension);
	if (names) {
		extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
		X509_add_ext(c.x509, extension, -1);
		X509_EXTENSION_free(extension);
	}
	X509_sign(c.x509, issuer ? issuer->key : c.key, EVP_sha256());
	return c;
}

static inline void certificate_free(struct certificate *c)
{
	X509_free(c->x509);
	EVP_PKEY_free(c->key);
}

/* PEM as a string to be free()d. */
static inline char *pem_take(BIO *bio, size_t *ret_bytes)
{
	char *data, *copy;
	long size = BIO_get_mem_data(bio, &data);

	copy = malloc((size_t)size + 1);
	assert(copy);
	memcpy(copy, data, (size_t)size);
	copy[size] = 0;
	*ret_bytes = (size_t)size;
	BIO_free(bio);
	return copy;
}

static inline char *certificate_pem(const struct certificate *c, size_t *ret_bytes)
{
	BIO *bio = BIO_new(BIO_s_mem());

	PEM_write_bio_X509(bio, c->x509);
	return pem_take(bio, ret_bytes);
}

static inline char *key_pem(const struct certificate *c, size_t *ret_bytes)
{
	BIO *bio = BIO_new(BIO_s_mem());

	PEM_write_bio_PrivateKey(bio, c->key, NULL, NULL, 0, NULL, NULL);
	return pem_take(bio, ret_bytes);
}

/* A memfd holding the PEM of one certificate: a bundle of trusted ones. */
static inline int certificate_bundle(const struct certificate *c)
{
	size_t size;
	char *pem = certificate_pem(c, &size);
	int fd = memfd_create("bundle", MFD_CLOEXEC);
	ssize_t n = write(fd, pem, size);

	assert(n == (ssize_t)size);
	free(pem);
	return fd;
}

#endif
