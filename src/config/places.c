/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Default places (places.h, config.h). */
#include <stdlib.h>
#include <unistd.h>

#include <understudy/config.h>
#include <understudy/text.h>

#include "places.h"

#define SYSTEM_BUNDLE "/etc/ssl/certs/ca-certificates.crt"

static bool is_given(const char *variable)
{
	return variable != NULL && variable[0] == '/';
}

void places_state_directory(char *to, size_t size, bool is_root, const char *xdg_state_home,
			    const char *home)
{
	if (is_root) {
		text_copy(to, size, "/var/lib/understudy");
	} else if (is_given(xdg_state_home)) {
		text_format(to, size, "%s/understudy", xdg_state_home);
	} else {
		text_format(to, size, "%s/.local/state/understudy", is_given(home) ? home : "/tmp");
	}
}

void places_socket(char *to, size_t size, bool is_root, const char *xdg_runtime_dir,
		   const char *state_directory)
{
	if (is_root) {
		text_copy(to, size, "/run/understudy/understudy.sock");
	} else if (is_given(xdg_runtime_dir)) {
		text_format(to, size, "%s/understudy/understudy.sock", xdg_runtime_dir);
	} else {
		text_format(to, size, "%s/understudy.sock", state_directory);
	}
}

const char *config_default_state_directory(void)
{
	static char path[512];

	if (path[0] == '\0') {
		places_state_directory(path, sizeof(path), geteuid() == 0, getenv("XDG_STATE_HOME"),
				       getenv("HOME"));
	}
	return path;
}

const char *config_default_socket(void)
{
	static char path[512];

	if (path[0] == '\0') {
		places_socket(path, sizeof(path), geteuid() == 0, getenv("XDG_RUNTIME_DIR"),
			      config_default_state_directory());
	}
	return path;
}

const char *config_ca_file(const struct config *c, config_environment *environment, void *context)
{
	const char *variable = environment != NULL ? environment(context, "SSL_CERT_FILE") : NULL;

	if (c->ca_file != NULL) {
		return c->ca_file;
	}
	return variable != NULL && variable[0] != '\0' ? variable : SYSTEM_BUNDLE;
}
