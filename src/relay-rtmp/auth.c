/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Answers to challenges (auth.h). Runs in relay-rtmp; no I/O. */
#include <stdarg.h>
#include <string.h>

#include <openssl/evp.h>

#include <understudy/text.h>

#include "auth.h"

#define STEPS_MAX 2
#define MD5_BYTES 16
#define VALUE_MAX 128

struct digest {
	uint8_t bytes[MD5_BYTES];
	char base64[4 * ((MD5_BYTES + 2) / 3) + 1];
	char hex[2 * MD5_BYTES + 1];
};

const char *auth_str(enum auth_result result)
{
	static const char *const texts[] = {
		[AUTH_AGAIN] = "",
		[AUTH_NO_LOGIN] = "the platform asks for a user name: set `user` and `password`",
		[AUTH_REFUSED] = "user or password not accepted: check `user` and `password`",
		[AUTH_UNKNOWN] = "the platform asks for a login of a kind unknown here",
	};

	return texts[result];
}

bool auth_is_challenge(const char *description)
{
	return strstr(description, "authmod=") != NULL;
}

/* The value of `name` among the parameters in the text; "" if it is missing or too long. */
static void find_value(const char *text, const char *name, char to[VALUE_MAX])
{
	size_t size = strlen(name);
	const char *at = text;

	to[0] = '\0';
	while ((at = strstr(at, name))) {
		bool begins = at == text || strchr("?&; [", at[-1]);

		at += size;
		if (begins && *at == '=') {
			size_t length = strcspn(at + 1, "&; ]");

			if (!text_copy_bytes(to, VALUE_MAX, at + 1, length)) {
				to[0] = '\0';
			}
			return;
		}
	}
}

/* MD5 over `count` texts, one after the other. */
static bool digest_make(struct digest *ret, unsigned count, ...)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned i;
	va_list texts;
	bool is_good = context && EVP_DigestInit_ex(context, EVP_md5(), NULL) == 1;

	va_start(texts, count);
	for (i = 0; i < count && is_good; i++) {
		const char *text = va_arg(texts, const char *);

		is_good = EVP_DigestUpdate(context, text, strlen(text)) == 1;
	}
	va_end(texts);
	is_good = is_good && EVP_DigestFinal_ex(context, ret->bytes, NULL) == 1;
	EVP_MD_CTX_free(context);
	if (!is_good) {
		return false;
	}
	(void)EVP_EncodeBlock((unsigned char *)ret->base64, ret->bytes, MD5_BYTES);
	for (i = 0; i < MD5_BYTES; i++) {
		(void)text_format(ret->hex + (size_t)2 * i, 3, "%02x", ret->bytes[i]);
	}
	return true;
}

/* '?' begins the parameters of the application, unless it has some already. */
static char first_sign(const char *app)
{
	return strchr(app, '?') ? '&' : '?';
}

static bool answer_adobe(struct auth *a, const char *text, const char *app, const char *user,
			 const char *password, uint32_t random)
{
	char salt[VALUE_MAX], challenge[VALUE_MAX], opaque[VALUE_MAX], own[16];
	struct digest first, second;
	bool fits;

	find_value(text, "salt", salt);
	find_value(text, "challenge", challenge);
	find_value(text, "opaque", opaque);
	(void)text_format(own, sizeof(own), "%08x", (unsigned)random);
	if (!digest_make(&first, 3, user, salt, password) ||
	    !digest_make(&second, 3, first.base64, *opaque ? opaque : challenge, own)) {
		return false;
	}
	fits = text_format(a->parameters, sizeof(a->parameters),
			   "%cauthmod=adobe&user=%s&challenge=%s&response=%s%s%s", first_sign(app),
			   user, own, second.base64, *opaque ? "&opaque=" : "", opaque);
	explicit_bzero(&first, sizeof(first));
	return fits;
}

static bool answer_limelight(struct auth *a, const char *text, const char *app, const char *user,
			     const char *password, uint32_t random)
{
	char nonce[VALUE_MAX], own[16], path[AUTH_PARAMETERS_MAX];
	struct digest login, place, response;
	bool fits;

	find_value(text, "nonce", nonce);
	(void)text_format(own, sizeof(own), "%08x", (unsigned)random);
	fits = text_copy_bytes(path, sizeof(path) - sizeof("/_definst_"), app, strcspn(app, "?"));
	if (fits && !strchr(path, '/')) {
		strcat(path, "/_definst_");
	}
	if (!fits || !digest_make(&login, 3, user, ":live:", password) ||
	    !digest_make(&place, 2, "publish:/", path) ||
	    !digest_make(&response, 7, login.hex, ":", nonce, ":00000001:", own,
			 ":auth:", place.hex)) {
		return false;
	}
	fits = text_format(a->parameters, sizeof(a->parameters),
			   "%cauthmod=llnw&user=%s&nonce=%s&cnonce=%s&nc=00000001&response=%s",
			   first_sign(app), user, nonce, own, response.hex);
	explicit_bzero(&login, sizeof(login));
	return fits;
}

enum auth_result auth_answer(struct auth *a, const char *description, const char *app,
			     const char *user, const char *password, uint32_t random)
{
	char kind[VALUE_MAX], reason[VALUE_MAX];
	bool is_adobe, is_limelight, is_made;

	find_value(description, "authmod", kind);
	find_value(description, "reason", reason);
	is_adobe = strcmp(kind, "adobe") == 0;
	is_limelight = strcmp(kind, "llnw") == 0;
	if (!is_adobe && !is_limelight) {
		return AUTH_UNKNOWN;
	}
	if (!*user) {
		return AUTH_NO_LOGIN;
	}
	if (strcmp(reason, "authfailed") == 0 || strcmp(reason, "nosuchuser") == 0 ||
	    a->steps == STEPS_MAX) {
		return AUTH_REFUSED;
	}
	if (*reason && strcmp(reason, "needauth") != 0) {
		return AUTH_UNKNOWN;
	}
	a->steps++;
	if (!*reason) {
		is_made = text_format(a->parameters, sizeof(a->parameters), "%cauthmod=%s&user=%s",
				      first_sign(app), kind, user);
	} else if (is_adobe) {
		is_made = answer_adobe(a, description, app, user, password, random);
	} else {
		is_made = answer_limelight(a, description, app, user, password, random);
	}
	return is_made ? AUTH_AGAIN : AUTH_UNKNOWN;
}
