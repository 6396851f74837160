/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a preflight wants to know of the world: whether destinations can be reached (by a probe,
 * which publishes nothing), how much room the recordings' disks have, whether the clock is right.
 * The client gets its answer when all is known or the probe has ended.
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

struct preflight {
	LIST_ENTRY(preflight) entry;
	struct supervisor *supervisor;
	const void *client; /* who asked; NULL: has gone */
	struct child *child;
	json_t *destinations; /* an answer for each question, at its number */
	json_t *disks;
	unsigned pending;
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
	if (p->pending == 0) {
		preflight_finish(p);
	}
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

	log_warn("the probe %s: what it did not reach is not known", cause);
	resolver_forget(p->supervisor, child);
	p->child = NULL;
	preflight_finish(p);
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

static void preflight_measure_disk(struct preflight *p, const struct destination *d)
{
	int64_t bytes = 0;
	int error = disk_free(d->config->path, &bytes);

	json_array_append_new(p->disks,
			      json_pack("{s:s, s:s?, s:I}", "destination", d->config->name, "error",
					error < 0 ? strerror(-error) : NULL, "free_bytes",
					(json_int_t)bytes));
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

bool preflight_begin(struct show *show, const void *client)
{
	struct preflight *p = calloc(1, sizeof(*p));
	const struct destination *d;

	if (p == NULL) {
		return false;
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
			preflight_measure_disk(p, d);
		}
	}
	if (p->pending == 0) {
		preflight_finish(p);
	}
	return true;
}
