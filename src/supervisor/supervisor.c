/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The process behind `understudy run`: start, signals, loop, end. It blocks on nothing but its
 * event loop; everything slow or dangerous is somebody else's work.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/log.h>
#include <understudy/text.h>

#include "supervisor.h"

#define WORKER_USER "understudy"
#define NOBODY 65534
#define NAME_COLUMNS 10
#define SPARE_DESCRIPTORS 65536

/* ---- log ---- */

static struct supervisor *log_owner; /* whose secrets our own lines must not show */

static void log_stamped(enum log_level level, const char *line)
{
	char when[32], text[LOG_LINE_MAX];
	char out[LOG_LINE_MAX + 64];

	status_time(when, clock_wall_us());
	text_copy(text, sizeof(text), line);
	secrets_redact(&log_owner->secrets, text);
	text_format(out, sizeof(out), "%s %-5s %s\n", when, log_level_str(level), text);
	(void)!write(STDERR_FILENO, out, strlen(out)); /* nowhere to complain to */
}

/* ---- config ---- */

/* Old and new program, and the process that checks, must all see the same file. */
static int load_snapshot(struct supervisor *sup, struct config **ret,
			 struct config_findings *findings)
{
	struct stat st;
	void *text = MAP_FAILED;

	if (fstat(sup->config_fd, &st) == 0) {
		text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, sup->config_fd, 0);
	}
	if (text == MAP_FAILED) {
		log_error("cannot read the config: %s", strerror(errno));
		return -EINVAL;
	}
	int result = config_load_text(sup->options.config_path, text, (size_t)st.st_size,
				      keys_environment, sup, ret, findings);
	munmap(text, (size_t)st.st_size);
	return result;
}

int supervisor_load_config(struct supervisor *sup, struct config **ret)
{
	struct config_findings findings = { .leaves_recordings = true }; /* a disk may hang */
	const char *path = sup->options.config_path;
	int result;

	if (sup->config_fd >= 0) {
		result = load_snapshot(sup, ret, &findings);
	} else if (path != NULL) {
		result = config_load(path, keys_environment, sup, ret, &findings);
	} else {
		result = config_load_text("the default show", config_default_text,
					  config_default_size, keys_environment, sup, ret,
					  &findings);
	}
	for (size_t i = 0; i < findings.count; i++) {
		const struct config_finding *f = &findings.items[i];
		enum log_level level = f->severity == CONFIG_ERROR ? LOG_ERROR : LOG_WARN;
		char line[LOG_LINE_MAX];

		if (sup->config_fd >= 0 && level != LOG_ERROR) {
			continue; /* the reload that follows says it */
		}
		config_finding_format(line, sizeof(line), path != NULL ? path : "the default show",
				      f);
		log_line(level, "%s", line);
	}
	config_findings_finish(&findings);
	return result;
}

void supervisor_drop_snapshot(struct supervisor *sup)
{
	if (sup->config_fd >= 0) {
		close(sup->config_fd);
	}
	sup->config_fd = -1;
}

static void places_choose(struct supervisor *sup)
{
	const struct config *config = sup->config;

	if (config->state_directory != NULL) {
		text_copy(sup->state_directory, sizeof(sup->state_directory),
			  config->state_directory);
	}
	text_copy(sup->socket_path, sizeof(sup->socket_path),
		  config->socket != NULL ? config->socket : config_default_socket());
}

/* The embedded show needs its keys before its config can be read. */
static int prepare_default_show(struct supervisor *sup)
{
	char inside[sizeof(sup->state_directory) + 2];

	text_copy(sup->state_directory, sizeof(sup->state_directory),
		  config_default_state_directory());
	if (sup->options.config_path != NULL) {
		return 0;
	}
	text_format(inside, sizeof(inside), "%s/", sup->state_directory);
	int result = files_make_parents(inside, 0750);
	if (result < 0) {
		log_error("cannot make state_directory path=%s: %s", sup->state_directory,
			  strerror(-result));
		return result;
	}
	return keys_generate(sup, sup->state_directory);
}

/* ---- the process ---- */

static void process_prepare(struct supervisor *sup)
{
	struct rlimit files = { SPARE_DESCRIPTORS, SPARE_DESCRIPTORS }, now, none = { 0, 0 };
	const struct passwd *user = getpwnam(WORKER_USER);

	if (getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_max < files.rlim_max) {
		files.rlim_cur = files.rlim_max = now.rlim_max;
	}
	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	signal(SIGPIPE, SIG_IGN);
	sup->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	sup->drops_privileges = geteuid() == 0;
	sup->worker_uid = user != NULL ? user->pw_uid : NOBODY;
	sup->worker_gid = user != NULL ? user->pw_gid : NOBODY;
}

static int find_ourselves(struct supervisor *sup)
{
	ssize_t size = readlink("/proc/self/exe", sup->exe_path, sizeof(sup->exe_path) - 1);

	if (size <= 0) {
		log_error("cannot find our own program: is /proc mounted?");
		return -ENOENT;
	}
	sup->exe_path[size] = '\0';
	return child_open_programs(sup);
}

/* ---- what people see at the start ---- */

static void announce_listener(const struct listener *l)
{
	if (l->event != NULL) {
		printf("listening %s %s\n", l->is_tls ? "rtmps" : "rtmp", l->bound);
	}
}

/* 0.0.0.0:1935 is no address to type into an encoder: the host's name is. */
static void announce_url(const char *scheme, const char *bound, const char *path)
{
	char host[HOST_NAME_MAX + 1] = "localhost";
	const char *port = strrchr(bound, ':');

	if (strncmp(bound, "0.0.0.0:", 8) == 0 || strncmp(bound, "[::]:", 5) == 0) {
		gethostname(host, sizeof(host) - 1);
		printf("%s://%s%s%s", scheme, host, port, path);
	} else {
		printf("%s://%s%s", scheme, bound, path);
	}
}

static void announce_key(const struct supervisor *sup, const struct feed *feed)
{
	if (feed->config->key == NULL) {
		printf("not published to us");
	} else if (sup->options.config_path != NULL) {
		printf("stream key: as configured");
	} else if (isatty(STDOUT_FILENO)) {
		printf("stream key: %s", feed->config->key);
	} else {
		/* Output that goes to a journal must not hold a key. */
		printf("stream key: in %s/keys/%s-%s.key", sup->state_directory,
		       feed->show->config->name, feed->config->name);
	}
}

/* Names of a show stand in a column of this width. */
static int name_columns(const struct show *show)
{
	const struct feed *feed;
	const struct destination *d;
	size_t widest = NAME_COLUMNS;

	TAILQ_FOREACH(feed, &show->feeds, entry) {
		size_t size = strlen(feed->config->name);
		widest = size > widest ? size : widest;
	}
	TAILQ_FOREACH(d, &show->destinations, entry) {
		size_t size = strlen(d->config->name);
		widest = size > widest ? size : widest;
	}
	return (int)widest;
}

static void announce_feed(const struct supervisor *sup, const struct feed *feed, int columns)
{
	const struct listener *l = sup->rtmp.event != NULL ? &sup->rtmp : &sup->rtmps;
	const struct srt_port *port = srt_port_of(sup, feed);
	char place[IPC_NAME];

	if (pull_is_pulled(feed)) {
		pull_place(feed->config, place, sizeof(place));
		printf("  %s    %-*s %s\n", feed->config->file != NULL ? "play" : "pull", columns,
		       feed->config->name, place);
		return;
	}
	printf("  publish %-*s ", columns, feed->config->name);
	if (l->event != NULL && feed->config->key != NULL) {
		announce_url(l->is_tls ? "rtmps" : "rtmp", l->bound, "/live");
		printf("   ");
	}
	if (port != NULL) {
		announce_url("srt", port->bound, "?streamid=KEY");
		printf("   ");
	}
	announce_key(sup, feed);
	printf("\n");
}

static void announce(const struct supervisor *sup)
{
	const struct show *show;
	const struct feed *feed;
	const struct destination *d;
	const struct srt_port *port;

	announce_listener(&sup->rtmp);
	announce_listener(&sup->rtmps);
	TAILQ_FOREACH(port, &sup->srt_ports, entry) {
		printf("listening srt %s%s%s\n", port->bound, port->name[0] != '\0' ? " for " : "",
		       port->name);
	}
	TAILQ_FOREACH(show, &sup->shows, entry) {
		int columns = name_columns(show);

		printf("show %s\n", show->config->name);
		TAILQ_FOREACH(feed, &show->feeds, entry) {
			announce_feed(sup, feed, columns);
		}
		TAILQ_FOREACH(d, &show->destinations, entry) {
			char url[512];

			config_redact_url(url, sizeof(url), d->config->url);
			printf("  send to %-*s %s\n", columns, d->config->name, url);
		}
	}
	printf("ready\n");
	fflush(stdout);
}

/* ---- signals and the end ---- */

static void end_now(struct supervisor *sup)
{
	struct child *child;

	TAILQ_FOREACH(child, &sup->children, entry) {
		child_kill(child, NULL);
	}
}

static void end_begin(struct supervisor *sup, const char *why)
{
	struct child *child;

	if (sup->is_ending) {
		end_now(sup); /* asked twice: at once */
		return;
	}
	log_info("ending: %s; destinations are left as they are, so that platforms hold the "
		 "broadcast",
		 why);
	notify_send("STOPPING=1");
	sup->is_ending = true;
	listener_close(&sup->rtmp);
	listener_close(&sup->rtmps);
	TAILQ_FOREACH(child, &sup->children, entry) {
		child_stop(child, false);
	}
	if (TAILQ_EMPTY(&sup->children)) {
		event_base_loopbreak(sup->base);
	}
}

static void take_signal(struct supervisor *sup, uint32_t number)
{
	switch (number) {
	case SIGCHLD:
		child_reap_all(sup);
		if (sup->is_ending && TAILQ_EMPTY(&sup->children)) {
			event_base_loopbreak(sup->base);
		}
		break;
	case SIGHUP:
		if (sup->validator != 0) {
			sup->is_reload_due = true; /* what is being checked must not change */
		} else if (!sup->is_ending) {
			reload_config(sup);
		}
		break;
	case SIGUSR2:
		if (!sup->is_ending) {
			reexec_begin(sup);
		}
		break;
	default:
		end_begin(sup, number == SIGINT ? "SIGINT" : "SIGTERM");
		break;
	}
}

/* One at a time: it may be that what it leads to executes another program. */
static void on_signal(evutil_socket_t fd, short what, void *context)
{
	struct signalfd_siginfo info;

	(void)what;
	if (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		take_signal(context, info.ssi_signo);
	}
}

/* Blocked for good, and read when their turn has come: what has not been read is still there for
 * the program that is executed in our place. */
static void signals_block(sigset_t *ret)
{
	static const int numbers[] = { SIGCHLD, SIGHUP, SIGUSR2, SIGINT, SIGTERM };

	sigemptyset(ret);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		sigaddset(ret, numbers[i]);
	}
	sigprocmask(SIG_BLOCK, ret, NULL);
	signal(SIGCHLD, SIG_DFL); /* ignored by whoever started us, nobody's end would be told */
}

static int loop_prepare(struct supervisor *sup, const sigset_t *signals)
{
	sup->base = event_base_new();
	sup->signal_fd = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (sup->base == NULL || sup->signal_fd < 0) {
		log_error("cannot make an event loop: %s", strerror(errno));
		return -ENOMEM;
	}
	sup->signal = event_new(sup->base, sup->signal_fd, EV_READ | EV_PERSIST, on_signal, sup);
	event_add(sup->signal, NULL);
	return 0;
}

/* ---- start ---- */

static int start_afresh(struct supervisor *sup)
{
	struct show *show;
	int result = control_open(sup, sup->socket_path);

	if (result == 0) {
		result = reload_listeners(sup, sup->config);
	}
	for (unsigned i = 0; result == 0 && i < sup->config->shows_count; i++) {
		show = show_create(sup, &sup->config->shows[i]);
		if (show == NULL) {
			return -ENOMEM;
		}
		show->is_started = show->config->autostart;
		show_start_switch(show);
		if (show->is_started) {
			show_go(show);
		}
	}
	if (result == 0) {
		srt_tell_feeds(sup); /* of all shows, now that they are there */
		history_begin(sup);
		history_tell_all(sup);
		announce(sup);
	}
	return result;
}

static void start_inherited(struct supervisor *sup, const json_t *state)
{
	for (unsigned i = 0; i < sup->config->shows_count; i++) {
		show_create(sup, &sup->config->shows[i]);
	}
	reexec_restore(sup, state);
	supervisor_drop_snapshot(sup);
	/* Ends that came while nobody listened. */
	child_reap_all(sup);
	log_info("re-executed: version %s goes on with everything kept", UNDERSTUDY_VERSION);
	reload_config(sup); /* the file as it is by now */
}

static void supervisor_finish(struct supervisor *sup)
{
	struct show *show;

	sup->is_ending = true;
	while (!TAILQ_EMPTY(&sup->connections)) {
		struct connection *c = TAILQ_FIRST(&sup->connections);

		child_disown(c->child);
		if (c->tunnel != NULL) {
			child_disown(c->tunnel);
		}
		if (c->source != NULL) {
			c->source->connection = NULL;
		}
		connection_free(c);
	}
	while ((show = TAILQ_FIRST(&sup->shows)) != NULL) {
		show_destroy(show);
	}
	errand_finish(sup);
	resolver_finish(sup);
	history_finish(sup);
	control_close(sup);
	listener_close(&sup->rtmp);
	listener_close(&sup->rtmps);
	srt_finish(sup);
	if (sup->signal != NULL) {
		event_free(sup->signal);
	}
	if (sup->signal_fd >= 0) {
		close(sup->signal_fd);
	}
	if (sup->reexec_due != NULL) {
		event_free(sup->reexec_due);
	}
	secrets_finish(&sup->secrets);
	leave_drop_configs(sup);
	config_destroy(&sup->config);
	json_decref(sup->events);
	explicit_bzero(sup->generated, sizeof(sup->generated));
}

static void children_bury(struct supervisor *sup)
{
	while (!TAILQ_EMPTY(&sup->children)) {
		struct child *child = TAILQ_FIRST(&sup->children);

		child_kill(child, NULL);
		child_disown(child);
		child_bury(child);
	}
	if (sup->base != NULL) {
		event_base_free(sup->base);
	}
}

static int supervisor_start(struct supervisor *sup, const sigset_t *signals,
			    const json_t *inherited, bool check_only)
{
	int result = prepare_default_show(sup);

	if (result == 0 && supervisor_load_config(sup, &sup->config) < 0) {
		return 2;
	}
	if (result == 0) {
		secrets_collect(&sup->secrets, sup->config);
		places_choose(sup);
		result = find_ourselves(sup);
	}
	if (result == 0 && inherited != NULL) {
		result = reexec_validate(sup, inherited);
	}
	if (result < 0 || check_only) {
		return result < 0 ? 1 : 0;
	}
	if (loop_prepare(sup, signals) < 0) {
		return 1;
	}
	if (inherited != NULL) {
		start_inherited(sup, inherited);
	} else if (start_afresh(sup) < 0) {
		return 1;
	}
	notify_send("READY=1");
	event_base_dispatch(sup->base);
	return 0;
}

int supervisor_run(const struct supervisor_options *options)
{
	static struct supervisor supervisor; /* one a process; the log needs to find it */
	struct supervisor *sup = &supervisor;
	bool check_only = false;
	sigset_t signals;

	*sup = (struct supervisor){ .options = *options,
				    .rtmp = { .fd = -1 },
				    .rtmps = { .fd = -1 },
				    .config_fd = -1,
				    .signal_fd = -1,
				    .events = json_array() };
	TAILQ_INIT(&sup->srt_ports);
	TAILQ_INIT(&sup->connections);
	TAILQ_INIT(&sup->children);
	TAILQ_INIT(&sup->shows);
	TAILQ_INIT(&sup->errands);
	TAILQ_INIT(&sup->faults);
	LIST_INIT(&sup->preflights);
	LIST_INIT(&sup->old_configs);
	log_owner = sup;
	log_set_sink(log_stamped);
	signals_block(&signals);
	json_t *inherited = reexec_inherit(sup, &check_only);
	secrets_hide_environment();
	process_prepare(sup);
	int code = supervisor_start(sup, &signals, inherited, check_only);
	json_decref(inherited);
	supervisor_finish(sup);
	children_bury(sup);
	log_set_sink(NULL);
	return code;
}
