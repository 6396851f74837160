/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The supervisor's inventory: what it owns and how it hangs together.
 *
 *   supervisor --- listener*         TCP sockets encoders come to
 *      |---------- srt port*       one UDP socket and the ingest-srt worker behind it each
 *      |---------- connection*       one ingest worker each; before and after its key is known
 *      |---------- show*
 *      |             |--- feed*      in order of preference
 *      |             |     |-- source*   one connection's ring (feed + incarnation)
 *      |             |     '-- pull      of a feed that we fetch: its connection, or when to try
 *      |             |--- switch     the worker that owns the timeline, and the show ring
 *      |             |--- relay*     workers that read the show ring
 *      |             '--- destination*   each carried by one relay
 *      |---------- resolver          at most one, while there are names to look up
 *      |---------- history           the writer of the history, and its readers
 *      |---------- errand*           processes that see to files
 *      |---------- errand*           what others do with files, a process each
 *      |---------- child*            every worker process, whoever owns it
 *      '---------- control           the Unix socket, its clients, the recent events
 *
 * Ownership: the lists above own their members. A child knows its owner; an owner's pointer to
 * its child is NULL whenever no process runs. Descriptors of rings and wake-ups stay open here
 * as long as a restarted worker may need them.
 */
#ifndef SUPERVISOR_PRIVATE_H
#define SUPERVISOR_PRIVATE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include <event2/event.h>
#include <jansson.h>

#include <understudy/config.h>
#include <understudy/ipc.h>
#include <understudy/policy.h>
#include <understudy/supervisor.h>
#include <understudy/worker.h>

#include "errand.h"
#include "history.h"
#include "pull.h"
#include "slate.h"

#define LOG_LINE_MAX 1024

struct supervisor;
struct child;
struct feed;

/* ---- child.c: worker processes ---- */

struct child_ops {
	/* A message arrived; ownership of `m` stays with the caller. */
	void (*message)(struct child *child, struct ipc_message *m);
	/* The process is gone and reaped; `cause` for people. The child is freed afterwards. */
	void (*exited)(struct child *child, const char *cause);
};

/* An order the worker's socket has no room for yet. */
struct order {
	TAILQ_ENTRY(order) entry;
	enum ipc_type type;
	int fds[IPC_FDS_MAX]; /* ours: duplicates */
	unsigned fd_count;
	alignas(16) unsigned char body[];
};

struct child {
	TAILQ_ENTRY(child) entry;
	struct supervisor *supervisor;
	const struct child_ops *ops;
	void *owner; /* connection, show, relay or resolver, by role */
	enum worker_role role;
	pid_t pid;
	int control_fd, log_fd;
	struct event *control_event, *log_event, *writable, *deadline;
	struct event *watch; /* goes off every second in which it tells nothing ... */
	int64_t watch_us;    /* ... then */
	unsigned silent_s;   /* so many it told nothing; of those without a turn for us none */
	int64_t heard_us;    /* it last told something */
	TAILQ_HEAD(, order) orders;
	unsigned order_count;
	int64_t started_us, stopped_us;
	char *file;               /* which it writes, owned; NULL: none */
	bool is_stopping;         /* told to stop: its end is no news */
	bool has_failed;          /* it was killed or ended with an error */
	bool is_reaped;           /* its pid may be somebody else's by now */
	char label[2 * IPC_NAME]; /* "switch main", for log lines */
	char line[LOG_LINE_MAX];  /* unfinished log line */
	size_t line_bytes;
};
TAILQ_HEAD(child_list, child);

/* Starts a worker; NULL if it cannot be started (logged). */
struct child *child_spawn(struct supervisor *sup, enum worker_role role,
			  const struct child_ops *ops, void *owner, const char *label);
/* Takes over a process that was started by our predecessor before re-execution. */
struct child *child_adopt(struct supervisor *sup, enum worker_role role,
			  const struct child_ops *ops, void *owner, const char *label, pid_t pid,
			  int control_fd, int log_fd, int64_t started_us);
/* Sends one order; a worker that does not take it is killed. False if it was not taken. */
bool child_send(struct child *child, enum ipc_type type, const void *body, const int *fds,
		unsigned fd_count);
/* STOP, and SIGKILL if it is still there after a second. */
void child_stop(struct child *child, bool unpublish);
void child_kill(struct child *child, const char *why);
/* The owner goes away before the process: nobody is told of its end. */
void child_disown(struct child *child);
/* The worker's output can be read; all that is left of it is to be, as it has ended. */
void child_log_ready(evutil_socket_t fd, short what, void *child);
void child_log_finish(struct child *child);
/* The file that it writes from now on (NULL: none). To write it to its end it has more time when it
 * is told to stop; when it has ended, a file that is empty is removed. */
void child_set_file(struct child *child, const char *path);
/* At the end of all: waits for a child that was killed. */
void child_bury(struct child *child);
/* Takes what it has said so far. */
void child_hear(struct child *child);
/* SIGCHLD: reaps every child that has ended. */
void child_reap_all(struct supervisor *sup);
/* Opens the workers' programs beside our own or in libexec. 0 or negative errno (logged). */
int child_open_programs(struct supervisor *sup);
const struct child_ops *child_ops_of(enum worker_role role);

/* ---- listener.c, connection.c: encoders come in ---- */

struct listener {
	struct supervisor *supervisor;
	char address[IPC_NAME + IPC_HOST]; /* as configured */
	char bound[IPC_NAME];              /* with the real port */
	bool is_tls;
	int fd; /* -1 = not listening */
	struct event *event;
};

struct connection {
	TAILQ_ENTRY(connection) entry;
	struct supervisor *supervisor;
	struct child *child;
	struct source *source; /* NULL until its key was accepted */
	uint64_t id;
	uint64_t address_key; /* hash of the peer's address, for limits */
	unsigned questions;   /* PUBLISH_ASKs so far */
	bool is_tls;
	bool is_srt;               /* its worker is an ingest-av behind an SRT port */
	struct srt_port *srt_port; /* of those: which; NULL once that is closed */
	struct feed *pulled;       /* not NULL: its worker fetches this feed */
	struct child *tunnel;      /* of those by RTMP: the second process; NULL once it is gone */
	int64_t ready_us;          /* of those: since when there is media, 0 = none yet */
	uint64_t caller;           /* ingest-srt's number of it, 0 = gone there */
	struct ipc_caller_status srt;
	struct ipc_ts_status ts;
	struct ipc_ingest_status status;
	char peer[IPC_NAME];
	char cause[IPC_TEXT]; /* why it ended, as its worker said */
};
TAILQ_HEAD(connection_list, connection);

int listener_open(struct supervisor *sup, struct listener *l, const char *address, bool is_tls);
void listener_adopt(struct supervisor *sup, struct listener *l, const char *address, bool is_tls,
		    int fd);
void listener_close(struct listener *l);
/* Accepting pauses while too many connections have not shown a key yet. */
void listener_update(struct supervisor *sup);

extern const struct child_ops connection_ops;
/* A caller of an SRT port who has shown the feed's key; `stream` (not taken) is where its
 * transport stream comes from. False if it is refused or cannot be carried (logged). */
bool connection_create_srt(struct srt_port *port, struct feed *feed, uint64_t caller,
			   const char *peer, int stream);
void connection_create(struct supervisor *sup, int fd, bool is_tls, uint64_t address_key,
		       const char *peer);
unsigned connection_count_unauthorised(const struct supervisor *sup, uint64_t address_key);
/* Ends a live connection at once; its source is closed with `cause`. */
void connection_end(struct connection *c, const char *cause);
void connection_free(struct connection *c);
/* Why it ends, in a worker's words: the first to say so counts. */
void connection_note_cause(struct connection *c, const struct ipc_ingest_closed *closed);

/* ---- srt.c: SRT ports ---- */

#define SRT_PORT_NAME (2 * IPC_NAME)

struct srt_port {
	TAILQ_ENTRY(srt_port) entry;
	struct supervisor *supervisor;
	struct child *child; /* ingest-srt */
	bool is_leaving;     /* closed with the last connection of it that is to go */
	int fd;
	char name[SRT_PORT_NAME];          /* "": for all feeds; SHOW/FEED: for that one alone */
	char address[IPC_NAME + IPC_HOST]; /* as configured */
	char bound[IPC_NAME];              /* with the real port */
	struct restart restart;
	struct event *retry;
};
TAILQ_HEAD(srt_port_list, srt_port);

extern const struct child_ops srt_ops;
/* Opens, moves or closes the ports as configured, and sees that their processes run. 0 or negative
 * errno (logged). */
int srt_sync(struct supervisor *sup, const struct config *config);
/* Takes over a port that was opened by our predecessor before re-execution. */
struct srt_port *srt_adopt(struct supervisor *sup, const char *name, const char *address, int fd);
void srt_finish(struct supervisor *sup);
/* Nobody is leaving any more: closes what was kept open for those who were. */
void srt_settle(struct supervisor *sup);
/* Where the feed's encoder may call by SRT, or NULL. */
const struct srt_port *srt_port_of(const struct supervisor *sup, const struct feed *feed);
/* Gives each ingest-srt the table of those who may publish there. */
void srt_tell_feeds(struct supervisor *sup);
/* Hangs up on a caller; nothing if the port or the caller (0) is gone. */
void srt_drop(struct srt_port *port, uint64_t caller);
uint32_t srt_latency_ms(const struct supervisor *sup, const struct config_feed *feed);

/* ---- keys.c: who may publish ---- */

/* The feed whose key is in the publish command, or NULL. Looks at every key, in constant time. */
struct feed *keys_find_feed(struct supervisor *sup, const char *app, const char *stream);
/* Makes the embedded show's keys in the state directory unless they are there. */
int keys_generate(struct supervisor *sup, const char *state_directory);
const char *keys_environment(void *supervisor, const char *name);

/* ---- show.c, feed.c, relay.c: what is on air ---- */

struct source {
	TAILQ_ENTRY(source) entry;
	struct feed *feed;
	struct connection *connection; /* NULL once it is gone */
	const struct config_feed
		*config; /* it was let in by, and still fits if it is not leaving */
	uint32_t incarnation;
	int ring_fd, wake_fd; /* wake_fd -1: the switch looks by itself */
	bool is_ready;        /* mapped and sealed by its writer, checked by us */
	bool is_closed;
	bool is_leaving;   /* to go when the show can do without it (leave.c) ... */
	bool is_returning; /* ... and not any more, of which the switch may have heard too late */
	struct event *leave_end;
	bool is_withheld; /* unknown to the switch, while a rehearsal has its feed pulled */
	char cause[IPC_TEXT];
};
TAILQ_HEAD(source_list, source);

struct feed {
	TAILQ_ENTRY(feed) entry;
	struct show *show;
	const struct config_feed *config;
	uint16_t id;
	int64_t takeover_us;                      /* when a second connection last took over */
	unsigned takeovers;                       /* in quick succession */
	uint32_t told_incarnation, told_mismatch; /* people were told of its format */
	struct source_list sources;
	struct pull pull;
	struct account account;
	struct slate slate;
	uint16_t encode;   /* as the witness was told, 0: it is nobody's twin ... */
	int64_t encode_us; /* ... and the last time that it was so */
	bool is_leaving;   /* not in the config any more; its last connection still is there */
};
TAILQ_HEAD(feed_list, feed);

struct relay {
	TAILQ_ENTRY(relay) entry;
	struct show *show;
	enum worker_role role;
	struct child *child;
	uint32_t reader; /* its number towards the switch */
	int wake_fd;
	int64_t batch_us; /* as its worker was told; 0: the switch wakes it */
	bool is_shared;   /* carries every destination that is not isolated */
	struct restart restart;
	struct event *retry;
	int64_t cut_until_us; /* a rehearsal: not started before */
	bool is_opening;      /* its recording's file */
};
TAILQ_HEAD(relay_list, relay);

struct destination {
	TAILQ_ENTRY(destination) entry;
	struct show *show;
	const struct config_destination *config;
	struct relay *relay;       /* NULL while the show is not started */
	struct stand_in *stand_in; /* plays it in a rehearsal (practice.c); else NULL */
	bool is_paused;            /* administrative: not served until the operator resumes it */
	uint32_t id;
	struct ipc_destination_status status;
	int64_t silence_us;  /* RTMP: longest time without a write since the witness's last mark */
	bool is_just_marked; /* the next status is of a time that began before it */
	struct account account;
};
TAILQ_HEAD(destination_list, destination);

struct show {
	TAILQ_ENTRY(show) entry;
	struct supervisor *supervisor;
	const struct config_show *config;
	int64_t lowered_from_us, lowered_us; /* the delay before it was made shorter, and when */
	struct feed_list feeds;
	struct relay_list relays;
	struct destination_list destinations;
	struct child *switcher; /* the switch */
	int ring_fd, old_ring_fd;
	bool is_ring_ready;
	struct child *witness; /* while somebody watches */
	bool is_watched;
	struct practice *practice; /* rehearsed in private; else NULL */
	bool is_started;           /* administrative: destinations shall be served */
	bool is_on_air; /* a destination has been live since: the reference format is settled */
	uint16_t taken_feed;
	uint16_t next_feed_id;
	uint32_t next_incarnation;
	struct restart restart;
	struct event *retry;
	struct ipc_switch_status status;
	bool is_inherited;            /* was there before the last re-execution */
	char off_cause[LEDGER_CAUSE]; /* why it went off air last, "" = it never did */
	struct account account;
};
TAILQ_HEAD(show_list, show);

extern const struct child_ops show_ops, relay_ops;

struct show *show_create(struct supervisor *sup, const struct config_show *config);
void show_destroy(struct show *show);
struct show *show_find(struct supervisor *sup, const char *name);
void show_start_switch(struct show *show);
/* Tells the running switch to end; it is started again with the config of that moment and goes
 * on where it was. */
void show_restart_switch(struct show *show);
void show_go(struct show *show);  /* start: serve destinations */
void show_end(struct show *show); /* end: unpublish them */
void show_take(struct show *show, uint16_t feed);
/* Nothing is taken any more, and what waits for the word (return: manual) may return. What that
 * meant, for people; NULL: nothing. */
const char *show_give_back(struct show *show);
/* The thresholds of its feeds' health were changed. */
void show_tell_thresholds(struct show *show);
/* A destination went live. */
void show_settle_reference(struct show *show);
void show_tell_settled(struct show *show, bool is_settled);
/* What SRT told of the feed's connection so far. */
void show_note_loss(struct show *show, const struct source *source,
		    const struct ipc_caller_status *srt);
/* The config in force is about to give way to one with a shorter delay. */
void show_note_lower_delay(struct show *show);
/* How much of the past the feed's ring holds. */
int64_t feed_span_us(const struct feed *feed);
int64_t show_feed_gather_us(const struct show *show);
/* How often the switch looks; 0 without a delay. */
int64_t show_round_us(const struct show *show);

struct feed *feed_create(struct show *show, const struct config_feed *config);
void feed_destroy(struct feed *feed, const char *cause);
/* One of its sources is gone: it may have been the last of a feed that was removed, which is
 * destroyed then. */
void feed_settle(struct feed *feed);
struct feed *feed_find(struct show *show, const char *name);
struct feed *feed_by_id(struct show *show, uint16_t id);
/* The feed's open source or NULL. */
struct source *feed_current(const struct feed *feed);
/* The newest source with an encoder behind it that is not leaving, open or not; or NULL. */
struct source *feed_connected(const struct feed *feed);
/* A new ring for a connection whose key was accepted; ends the earlier connection. NULL if
 * refused (`reason` says why, for the encoder's user). */
struct source *feed_publish(struct feed *feed, struct connection *c, char reason[IPC_TEXT]);
bool source_ready(struct source *source);
void source_close(struct source *source, const char *cause);
void source_release(struct source *source);
void source_announce(struct source *source);
/* The encoder's connection goes on as a new source, as if it had come back. */
void source_renew(struct source *source);
/* After the delay was changed: how much of the past the feeds' rings have to hold now, and how
 * often encoders are listened to. */
void show_tell_pace(struct show *show);

/* ---- leave.c: connections that a reload takes away ---- */

/* It goes when the show has left it; at once if nobody sees it. */
void source_leave(struct source *source, const char *cause);
/* It may stay, as another reload has it. */
void source_stay(struct source *source);
/* Tells the switch whether it is leaving. */
void leave_tell(const struct source *source);
/* It ends in another way. */
void leave_forget(struct source *source);
/* The switch has released it. False: it was closed before, and is the caller's. */
bool leave_released(struct source *source);
/* The show has ended: nobody has to wait. */
void leave_all(struct show *show, const char *cause);
/* Why the feed is leaving, or what comes of it; NULL: it is not. */
const char *leave_cause(const struct feed *feed);
/* A connection of the feed is leaving. */
bool leave_is_under_way(const struct feed *feed);
bool leave_is_pending(const struct supervisor *sup);
/* Keeps what was replaced (taken) for as long as somebody is leaving, and its secrets secret. */
void leave_keep_config(struct supervisor *sup, struct config *config);
void leave_drop_configs(struct supervisor *sup);
/* A re-execution has to wait for those who are leaving. */
void leave_await(struct supervisor *sup);
/* Somebody is gone. If nobody is leaving any more, what waited for that is done. */
void leave_settle(struct supervisor *sup);

struct destination *destination_create(struct show *show, const struct config_destination *config);
void destination_remove(struct destination *d, bool unpublish);
struct destination *destination_by_id(struct show *show, uint32_t id);
struct destination *destination_find(struct show *show, const char *name);
/* Leaves the destination without ending its broadcast; `why` it rests, for people. */
void destination_rest(struct destination *d, const char *why);
/* The same until the operator resumes it. */
void destination_pause(struct destination *d);
void destination_resume(struct destination *d);
/* A rehearsal: loses its connection, and gets none until then; 0 ends it. */
void destination_cut(struct destination *d, int64_t until_us);
void destination_assign(struct destination *d);
/* Tells its relay of it. */
void destination_send(struct destination *d);
struct relay *relay_create(struct show *show, enum worker_role role, bool is_shared);
void relay_destroy(struct relay *relay, bool unpublish);
/* Whether the switch wakes it or how often it looks by itself, until the next switch or the next
 * worker; tells the switch. */
void relay_choose_batch(struct relay *relay);
void relay_start(struct relay *relay);
void endpoint_fill(struct ipc_endpoint *to, const struct config_endpoint *from);
void relay_give_ring(struct relay *relay);
bool relay_is_idle(const struct relay *relay);
/* Of a relay that is not shared. */
struct destination *relay_only_destination(const struct relay *relay);

/* ---- output.c: destinations other than RTMP ---- */

/* ROLE_NONE: the destination is not of this kind. */
enum worker_role output_role(const struct config_destination *config);
/* `file` is for FLV; -1 = none. */
void output_brief(struct relay *relay, struct destination *d, int file);
/* The show is over, and its worker unheard from now on: tells the players of a playlist. */
void output_over(const struct destination *d);
/* False if the message is not its business. */
bool output_message(struct relay *relay, struct destination *d, const struct ipc_message *m);

/* ---- explain.c ---- */

/* The show's part of the status, with what `explain` needs of its configuration. */
json_t *explain_json(struct show *show);

/* ---- resolver.c: names ---- */

struct resolver;
extern const struct child_ops resolver_ops;
void resolver_ask(struct supervisor *sup, struct child *relay, const struct ipc_resolve_ask *ask);
/* Answers to a worker that has ended go nowhere. */
void resolver_forget(struct supervisor *sup, const struct child *relay);
void resolver_finish(struct supervisor *sup);

/* ---- events.c, control.c, status.c: people ---- */

struct control;
/* One thing people want to know: logged, kept, sent to followers. `extra` (taken, may be NULL)
 * joins the event's JSON object. */
void events_add(struct supervisor *sup, const char *show, const char *kind, json_t *extra,
		const char *format, ...) __attribute__((format(printf, 5, 6)));
int control_open(struct supervisor *sup, const char *path);
void control_adopt(struct supervisor *sup, int fd, int lock_fd);
void control_close(struct supervisor *sup);
void control_publish(struct supervisor *sup, json_t *event);
/* A reply (taken) to a client that waits for it, if it is still there. */
void control_answer(struct supervisor *sup, const void *client, json_t *reply);
/* What the witness told (taken), to those who watch the show. */
void control_tell_watchers(struct supervisor *sup, const char *show, const char *what,
			   json_t *told);
int control_fds(const struct supervisor *sup, int *ret_lock_fd);
json_t *status_json(struct supervisor *sup);
/* warnings.c: what the operator should mend before the event. */
json_t *warnings_json(const struct show *show);
const struct timeline_feed_status *status_of_feed(const struct show *show, uint16_t id);
json_t *status_since_json(int64_t monotonic_us);
/* RFC 3339 with milliseconds, UTC. */
void status_time(char to[32], int64_t wall_us);

/* ---- secrets.c ---- */

struct secrets {
	char **items; /* the longest first */
	size_t count, room;
};
void secrets_collect(struct secrets *s, const struct config *config);
/* Those of this one, too. */
void secrets_keep(struct secrets *s, const struct config *config);
void secrets_finish(struct secrets *s);
/* Replaces every secret in a line by stars, in place (the line never grows). */
void secrets_redact(const struct secrets *s, char *line);
/* Moves the environment out of the pages /proc/PID/environ shows, and overwrites those. */
void secrets_hide_environment(void);

/* ---- files.c ---- */

/* Makes the directories above `path`. 0 or -errno. */
int files_make_parents(const char *path, mode_t mode);
/* A copy in memory of a regular file of at most so many bytes. The descriptor (close-on-exec) or a
 * negative errno. */
int files_snapshot(const char *path, off_t most_bytes);
/* A regular file to read; `ret` tells it from later ones. The descriptor or a negative errno. */
int files_open_regular(const char *path, struct ipc_file_mark *ret);
/* Every descriptor a successor needs loses or regains its close-on-exec flag. */
void files_set_cloexec(int fd, bool on);

/* ---- reload.c, reexec.c, notify.c ---- */

/* 0, or -EINVAL with every finding logged. */
int supervisor_load_config(struct supervisor *sup, struct config **ret);
void supervisor_drop_snapshot(struct supervisor *sup);
/* SIGHUP. False, with everything as it was, if the file has errors. */
bool reload_config(struct supervisor *sup);
int reload_listeners(struct supervisor *sup, const struct config *config);
/* SIGUSR2: asks a new process whether it understands our state; if so, becomes it. */
void reexec_begin(struct supervisor *sup);
/* A child that is not a worker: the validator. True if `pid` was it. */
bool reexec_reaped(struct supervisor *sup, pid_t pid, int status);
/* The state handed over by the predecessor; NULL if there was none. */
json_t *reexec_inherit(struct supervisor *sup, bool *ret_check_only);
/* Stands for the messages to and from workers as this program knows them. */
int64_t reexec_messages_mark(void);

/* ---- inherit.c ---- */

#define STATE_VERSION 6
/* Does the state fit this program and the config? 0 or -EINVAL (said). */
int reexec_validate(const struct supervisor *sup, const json_t *state);
void reexec_restore(struct supervisor *sup, const json_t *state);
void notify_send(const char *message);

/* Of rehearsals: see rehearsal.h. */
TAILQ_HEAD(fault_list, fault);
LIST_HEAD(preflight_list, preflight);
LIST_HEAD(old_config_list, old_config); /* leave.c */

struct supervisor {
	struct supervisor_options options;
	struct event_base *base;
	struct config *config;
	struct secrets secrets;
	char state_directory[256], socket_path[256], exe_path[256];
	char generated[2][64]; /* keys of the embedded show */
	int programs[ROLES];
	int null_fd;
	uid_t worker_uid;
	gid_t worker_gid;
	bool drops_privileges, is_ending;
	struct listener rtmp, rtmps;
	struct srt_port_list srt_ports;
	struct connection_list connections;
	struct child_list children;
	struct show_list shows;
	struct errand_list errands;
	struct rate_table failures;
	struct resolver *resolver;
	struct control *control;
	struct fault_list faults;
	struct preflight_list preflights;
	json_t *events;     /* array, newest last */
	int64_t last_event; /* its id */
	struct history history;
	uint64_t next_connection;
	uint32_t next_destination, next_reader;
	int signal_fd;
	struct event *signal;
	pid_t validator;          /* 0 = none runs */
	int config_fd;            /* the file as it was when a re-execution began; else -1 */
	bool is_reload_due;       /* ordered meanwhile */
	struct event *reexec_due; /* one waits until nobody is leaving, or until this goes off */
	struct old_config_list old_configs;
};

#endif
