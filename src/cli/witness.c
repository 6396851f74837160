/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `understudy witness FILE`: is this recording unbroken? The file is opened here and judged by a
 * sandboxed process that gets nothing but the descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include <understudy/text.h>

#include "client.h"
#include "commands.h"
#include "helper.h"
#include "verdict.h"

static int open_recording(const char *path, int *ret)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		complain("cannot open %s: %s", path, strerror(errno));
		return EXIT_USAGE;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		complain("%s is no file", path);
		close(fd);
		return EXIT_USAGE;
	}
	*ret = fd;
	return EXIT_DONE;
}

/* False once everything has been said. */
static bool take(struct verdict *v, const struct ipc_message *m)
{
	switch (m->type) {
	case IPC_WITNESS_MEDIA:
		verdict_add_media(v, (const void *)m->body);
		return true;
	case IPC_WITNESS_EVENT:
		verdict_add_event(
			v, &((const struct ipc_witness_event *)(const void *)m->body)->event);
		return true;
	case IPC_WITNESS_SUMMARY:
		v->summary = ((const struct ipc_witness_summary *)(const void *)m->body)->summary;
		v->has_summary = true;
		return true;
	case IPC_WITNESS_END:
		text_copy(v->error, sizeof(v->error),
			  ((const struct ipc_witness_end *)(const void *)m->body)->error);
		return false;
	default:
		return true;
	}
}

static int judge(int fd, struct verdict *v)
{
	static struct ipc_message m;
	const struct ipc_witness_file order = { 0 };
	struct helper helper;
	int code = helper_start(ROLE_WITNESS_FILE, &helper);
	bool goes_on = true;

	if (code != EXIT_DONE) {
		return code;
	}
	ipc_send(helper.fd, IPC_WITNESS_FILE, &order, &fd, 1); /* a failure shows as its end */
	while (goes_on && code == EXIT_DONE) {
		code = helper_wait(&helper, &m);
		if (code == EXIT_DONE) {
			goes_on = take(v, &m);
			ipc_message_finish(&m);
		}
	}
	helper_end(&helper);
	return code;
}

int command_witness(const struct command_line *line)
{
	const char *path = line->arguments[0];
	struct verdict verdict = { .path = path };
	struct terminal terminal;
	int fd, code = open_recording(path, &fd);

	if (code != EXIT_DONE) {
		return code;
	}
	code = judge(fd, &verdict);
	close(fd);
	if (code == EXIT_DONE && !verdict.has_summary) {
		complain("cannot read %s: %s", path, verdict.error);
		code = EXIT_USAGE;
	}
	if (code == EXIT_DONE) {
		terminal_init(&terminal, stdout);
		if (line->given & OPTION_JSON) {
			verdict_print_json(&verdict, stdout);
		} else {
			verdict_print(&verdict, &terminal);
		}
		code = verdict_is_unbroken(&verdict) ? EXIT_DONE : EXIT_FAILED;
	}
	verdict_finish(&verdict);
	return code;
}
