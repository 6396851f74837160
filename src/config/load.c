/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Loading a configuration: read, fill, check; and the life of the result. Used by the
 * supervisor and by `understudy check`; blocks on the files it reads.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <understudy/text.h>

#include "check.h"
#include "reader.h"

#define FILE_MAX_BYTES (1u << 20)

static char *default_text(char *configured, const char *otherwise, struct report *r)
{
	if (configured != NULL) {
		return configured;
	}
	char *copy = strdup(otherwise);
	r->is_out_of_memory |= copy == NULL;
	return copy;
}

/* From clean text to a checked config, as far as there is one. */
static int fill_and_check(struct reader *rd, struct config **ret)
{
	struct report *r = rd->report;
	struct config *config = NULL;

	if (buffer_size(&rd->clean) > 0) {
		int error = filler_run(&rd->clean, &config);
		if (error == -ENOMEM) {
			r->is_out_of_memory = true;
		} else if (error < 0) {
			report_add(r, CONFIG_ERROR, 0, "",
				   "the configuration could not be taken over; "
				   "correct the other errors first, or report this as a bug");
		}
	}
	if (config != NULL) {
		check_config(config, r);
		config->state_directory = default_text(config->state_directory,
						       config_default_state_directory(), r);
		config->socket = default_text(config->socket, config_default_socket(), r);
	}
	if (config == NULL || r->errors > 0 || r->is_out_of_memory) {
		config_destroy(&config);
		return r->is_out_of_memory ? -ENOMEM : -EINVAL;
	}
	*ret = config;
	return 0;
}

static int load(const char *name, const char *text, size_t size, bool is_public,
		config_environment *environment, void *context, struct config **ret,
		struct config_findings *findings)
{
	const char *slash = strrchr(name, '/');
	char *directory = strndup(name, slash != NULL ? (size_t)(slash + 1 - name) : 0);
	struct report report;
	struct reader reader = {
		.report = &report,
		.directory = directory,
		.environment = environment,
		.context = context,
	};
	int result = -ENOMEM;

	report_init(&report, findings);
	report.is_out_of_memory = directory == NULL;
	if (directory != NULL) {
		reader_run(&reader, text, size);
		result = fill_and_check(&reader, ret);
	}
	if (is_public && reader.literal_secret_line != 0) {
		report_add(
			&report, CONFIG_WARNING, reader.literal_secret_line, "",
			"here stands a secret, and every user of this machine can read the file; "
			"run "
			"chmod 640 on it, or keep secrets in the environment or in files of their "
			"own");
	}
	if (report.is_out_of_memory) {
		report_add(&report, CONFIG_ERROR, 0, "", "out of memory; free some and try again");
	}
	reader_finish(&reader);
	report_finish(&report);
	free(directory);
	return result;
}

int config_load_text(const char *name, const char *text, size_t size,
		     config_environment *environment, void *context, struct config **ret,
		     struct config_findings *findings)
{
	return load(name, text, size, false, environment, context, ret, findings);
}

/* Fills `text` (FILE_MAX_BYTES + 1 bytes). Returns the size or a negative errno. */
static ssize_t read_file(const char *path, char *text, bool *ret_is_public)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat status;
	size_t size = 0;
	ssize_t got = 1;

	if (fd < 0 || fstat(fd, &status) < 0) {
		return -errno;
	}
	while (got > 0 && size <= FILE_MAX_BYTES) {
		got = TEMP_FAILURE_RETRY(read(fd, text + size, FILE_MAX_BYTES + 1 - size));
		if (got < 0) {
			int error = errno;
			close(fd);
			return -error;
		}
		size += (size_t)got;
	}
	close(fd);
	*ret_is_public = S_ISREG(status.st_mode) && (status.st_mode & S_IROTH);
	return size > FILE_MAX_BYTES ? -EFBIG : (ssize_t)size;
}

int config_load(const char *path, config_environment *environment, void *context,
		struct config **ret, struct config_findings *findings)
{
	char *text = malloc(FILE_MAX_BYTES + 1);
	bool is_public = false;
	ssize_t size = text != NULL ? read_file(path, text, &is_public) : -ENOMEM;
	int result = (int)size;

	if (size >= 0) {
		result = load(path, text, (size_t)size, is_public, environment, context, ret,
			      findings);
		explicit_bzero(text, (size_t)size);
	} else {
		struct report report;

		report_init(&report, findings);
		report_add(
			&report, CONFIG_ERROR, 0, "",
			"cannot be read: %s; name a configuration with -c FILE, see understudy(5)",
			strerror(-result));
		report_finish(&report);
	}
	free(text);
	return result;
}

static void destroy_text(char **text)
{
	if (*text != NULL) {
		explicit_bzero(*text, strlen(*text));
		free(*text);
		*text = NULL;
	}
}

static void destroy_endpoint(struct config_endpoint *e)
{
	destroy_text(&e->host);
	destroy_text(&e->app);
	destroy_text(&e->stream);
	destroy_text(&e->tc_url);
}

static void destroy_output(struct config_output *o)
{
	destroy_text(&o->host);
	destroy_text(&o->path);
	destroy_text(&o->user);
	destroy_text(&o->password);
	destroy_text(&o->stream);
	destroy_text(&o->passphrase);
}

void config_destroy(struct config **c)
{
	struct config *config = *c;

	if (config == NULL) {
		return;
	}
	for (unsigned s = 0; s < config->shows_count; s++) {
		for (unsigned i = 0; i < config->shows[s].feeds_count; i++) {
			destroy_endpoint(&config->shows[s].feeds[i].endpoint);
		}
		for (unsigned i = 0; i < config->shows[s].destinations_count; i++) {
			struct config_destination *d = &config->shows[s].destinations[i];

			destroy_endpoint(&d->endpoint);
			destroy_endpoint(&d->backup);
			destroy_output(&d->output);
			destroy_text(&d->path);
		}
	}
	filler_free(config);
	*c = NULL;
}
