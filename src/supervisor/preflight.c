/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a preflight wants to know of the world: whether destinations can be reached (by a probe,
 * which publishes nothing), how much room the recordings' disks have (by a child of ours, as a disk
 * may hang), whether the clock is right. The client gets its answer when all is known, or what is
 * left does not answer.
 *
 *   {"destinations":[{"destination":S, "ingest":"primary|backup", "host":S, "error":X|null,
 *                     "connect_ms":N, "certificate_days":N|null}],
 *    "disks":[{"destination":S, "error":X|null, "free_bytes":N}], "clock_is_synchronised":B|null}
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include <understudy/log.h>
#include <understudy/text.h>

#include "rehearsal.h"

#define PREFLIGHTS_MAX 4
#define DISKS_S 3

struct preflight {
	LIST_ENTRY(preflight) entry;
	struct supervisor *supervisor;
	const void *client; /* who asked; NULL: has gone */
	struct child *child;
	json_t *destinations; /* an answer for each question, at its number */
	json_t *disks;        /* likewise, of those with a path */
	unsigned pending;     /* answers of the probe */
	struct event *disk;   /* NULL: nothing is to come any more */
	int disk_fd;          /* where it comes from */
};

/* What the child tells of one disk. */
struct disk_report {
	uint32_t id;
	int32_t error;
	int64_t free_bytes;
};

/* ---- the answer ---- */

static json_t *clock_json(void)
{
	struct timex clock = { .modes = 0 };
	int state = adjtimex(&clock);

	return state < 0 ? json_null() : json_boolean(state != TIME_ERROR);
}

/* The client is answered; the probe goes home. */
static void preflight_finish(struct preflight *p)
{
	json_t *answer = json_pack("{s:o, s:o, s:o}", "destinations", p->destinations, "disks",
				   p->disks, "clock_is_synchronised", clock_json());

	if (p->client != NULL) {
		control_answer(p->supervisor, p->client,
			       json_pack("{s:b, s:O}", "ok", true, "preflight", answer));
	}
	json_decref(answer);
	if (p->child != NULL) {
		resolver_forget(p->supervisor, p->child);
		child_stop(p->child, false);
		child_disown(p->child);
	}
	LIST_REMOVE(p, entry);
	free(p);
}

static void preflight_finish_if_done(struct preflight *p)
{
	if (p->pending == 0 && p->disk == NULL) {
		preflight_finish(p);
	}
}

void preflight_forget(struct supervisor *sup, const void *client)
{
	struct preflight *p;

	LIST_FOREACH(p, &sup->preflights, entry) {
		if (p->client == client) {
			p->client = NULL;
		}
	}
}

static void preflight_answered(struct preflight *p, const struct ipc_probe_answer *answer)
{
	json_t *to = json_array_get(p->destinations, answer->id);
	char error[IPC_TEXT];

	if (to == NULL || json_object_get(to, "connect_ms") != NULL) {
		return; /* not asked, or answered before */
	}
	text_escape(error, sizeof(error), answer->error, strlen(answer->error));
	json_object_set_new(to, "error", error[0] != '\0' ? json_string(error) : json_null());
	json_object_set_new(to, "connect_ms", json_integer(answer->took_us / 1000));
	json_object_set_new(to, "certificate_days",
			    answer->certificate_days == IPC_NO_DAYS
				    ? json_null()
				    : json_integer(answer->certificate_days));
	p->pending--;
	preflight_finish_if_done(p);
}

static void preflight_message(struct child *child, struct ipc_message *m)
{
	struct preflight *p = child->owner;

	if (m->type == IPC_PROBE_ANSWER) {
		preflight_answered(p, (const void *)m->body);
	} else if (m->type == IPC_RESOLVE_ASK) {
		resolver_ask(p->supervisor, child, (struct ipc_resolve_ask *)m->body);
	} else {
		child_kill(child, "it sent a message that is not its business");
	}
}

static void preflight_exited(struct child *child, const char *cause)
{
	struct preflight *p = child->owner;

	if (!child->is_stopping) {
		log_warn("the probe %s: what it did not reach is not known", cause);
	}
	resolver_forget(p->supervisor, child);
	p->child = NULL;
	p->pending = 0;
	preflight_finish_if_done(p);
}

static const struct child_ops preflight_ops = { preflight_message, preflight_exited };

/* ---- the questions ---- */

static void preflight_ask(struct preflight *p, const struct destination *d, const char *ingest,
			  const char *host, uint16_t port, bool is_tls)
{
	struct ipc_probe_ask ask = { .id = (uint32_t)json_array_size(p->destinations),
				     .is_tls = is_tls,
				     .port = port };

	json_array_append_new(p->destinations,
			      json_pack("{s:s, s:s, s:s, s:s}", "destination", d->config->name,
					"ingest", ingest, "host", host, "error",
					"the probe could not look"));
	text_copy(ask.host, sizeof(ask.host), host);
	if (p->child != NULL && child_send(p->child, IPC_PROBE_ASK, &ask, NULL, 0)) {
		p->pending++;
	}
}

static void preflight_ask_destination(struct preflight *p, const struct destination *d)
{
	const struct config_destination *c = d->config;

	if (c->kind == DESTINATION_RTMP) {
		preflight_ask(p, d, "primary", c->endpoint.host, c->endpoint.port,
			      c->endpoint.is_tls);
		if (c->backup.host != NULL) {
			preflight_ask(p, d, "backup", c->backup.host, c->backup.port,
				      c->backup.is_tls);
		}
	} else if (c->kind == DESTINATION_ICECAST || c->kind == DESTINATION_RTSP) {
		preflight_ask(p, d, "primary", c->output.host, c->output.port, false);
	}
}

/* The folder a recording goes to, or the nearest above it that is there already. */
static int disk_free(const char *pattern, int64_t *ret_bytes)
{
	char path[PATH_MAX];
	struct statvfs disk;
	char *end;

	text_copy(path, sizeof(path), pattern);
	path[strcspn(path, "%")] = '\0';
	for (;;) {
		end = strrchr(path, '/');
		if (end == NULL) {
			text_copy(path, sizeof(path), ".");
		} else {
			end[end == path] = '\0';
		}
		if (statvfs(path, &disk) == 0) {
			*ret_bytes = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
			return 0;
		}
		if (errno != ENOENT || end == NULL || end == path) {
			return -errno;
		}
	}
}

/* In the child, which a disk that hangs keeps and nobody waits for. */
static void disks_measure(const struct show *show, int to)
{
	struct disk_report report = { .id = 0 };
	const struct destination *d;

	TAILQ_FOREACH(d, &show->destinations, entry) {
		if (d->config->path != NULL) {
			report.error = disk_free(d->config->path, &report.free_bytes);
			(void)!write(to, &report, sizeof(report));
			report.id++;
		}
	}
}

static void disks_told(evutil_socket_t fd, short what, void *context)
{
	struct preflight *p = context;
	struct disk_report report;
	ssize_t got = 0;

	while ((what & EV_READ) != 0 && (got = read(fd, &report, sizeof(report))) > 0) {
		json_t *disk = json_array_get(p->disks, report.id);

		json_object_set_new(disk, "error",
				    report.error < 0 ? json_string(strerror(-report.error))
						     : json_null());
		json_object_set_new(disk, "free_bytes", json_integer(report.free_bytes));
	}
	if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	event_free(p->disk);
	p->disk = NULL;
	close(p->disk_fd);
	preflight_finish_if_done(p);
}

static void disks_listen(struct preflight *p, int fd)
{
	p->disk_fd = fd;
	p->disk = event_new(p->supervisor->base, fd, EV_READ | EV_PERSIST, disks_told, p);
	if (p->disk == NULL) {
		abort(); /* libevent is out of memory for a few bytes: nothing can be saved */
	}
	event_add(p->disk, &(struct timeval){ .tv_sec = DISKS_S });
}

static void disks_look(struct preflight *p, const struct show *show)
{
	int ends[2];

	if (json_array_size(p->disks) == 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
		return;
	}
	pid_t pid = errand_fork(p->supervisor, ends[1]);
	if (pid == 0) {
		disks_measure(show, ERRAND_ANSWER_FD);
		_exit(0);
	}
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return;
	}
	disks_listen(p, ends[0]);
}

static bool preflight_start_probe(struct preflight *p, const struct show *show)
{
	struct ipc_probe_start start = { .reserved = 0 };
	const char *path = config_ca_file(show->supervisor->config, keys_environment,
					  show->supervisor);
	int trust = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char label[2 * IPC_NAME];

	text_format(label, sizeof(label), "probe %s", show->config->name);
	p->child = child_spawn(show->supervisor, ROLE_PROBE, &preflight_ops, p, label);
	if (p->child != NULL) {
		child_send(p->child, IPC_PROBE_START, &start, &trust, trust >= 0 ? 1 : 0);
	}
	if (trust >= 0) {
		close(trust);
	}
	return p->child != NULL;
}

static unsigned preflight_count(const struct supervisor *sup)
{
	const struct preflight *p;
	unsigned count = 0;

	LIST_FOREACH(p, &sup->preflights, entry) {
		count++;
	}
	return count;
}

int preflight_begin(struct show *show, const void *client)
{
	struct preflight *p = NULL;
	const struct destination *d;

	if (preflight_count(show->supervisor) >= PREFLIGHTS_MAX) {
		return -EBUSY;
	}
	p = calloc(1, sizeof(*p));
	if (p == NULL) {
		return -ENOMEM;
	}
	*p = (struct preflight){ .supervisor = show->supervisor,
				 .client = client,
				 .destinations = json_array(),
				 .disks = json_array() };
	LIST_INSERT_HEAD(&show->supervisor->preflights, p, entry);
	preflight_start_probe(p, show);
	TAILQ_FOREACH(d, &show->destinations, entry) {
		preflight_ask_destination(p, d);
		if (d->config->path != NULL) {
			json_array_append_new(p->disks, json_pack("{s:s, s:s, s:i}", "destination",
								  d->config->name, "error",
								  "the disk does not answer",
								  "free_bytes", 0));
		}
	}
	disks_look(p, show);
	preflight_finish_if_done(p);
	return 0;
}
