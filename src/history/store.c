/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The database (store.h). Runs in history. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include <understudy/text.h>

#include "store.h"

#define BUSY_MS 2000 /* a reader may hold a checkpoint up for a moment */

/* ---- errors ---- */

static int errno_of(int result)
{
	switch (result & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return 0;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return -EROFS;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	default:
		return -EIO;
	}
}

const char *store_why(const struct store *s)
{
	return s->db != NULL ? sqlite3_errmsg(s->db) : "the database is not open";
}

/* ---- statements ---- */

static void bind_values(sqlite3_stmt *statement, const char *types, va_list values)
{
	for (int i = 1; *types != '\0'; i++, types++) {
		if (*types == 's') {
			sqlite3_bind_text(statement, i, va_arg(values, const char *), -1,
					  SQLITE_TRANSIENT);
		} else {
			sqlite3_bind_int64(statement, i, va_arg(values, int64_t));
		}
	}
}

/* Carries out one statement; `types` says of each value whether it is an (i)nt64_t or a
 * (s)tring. */
static int execute(struct store *s, const char *sql, const char *types, ...)
{
	sqlite3_stmt *statement = NULL;
	int result = sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL);
	va_list values;

	if (result == SQLITE_OK) {
		va_start(values, types);
		bind_values(statement, types, values);
		va_end(values);
		do {
			result = sqlite3_step(statement);
		} while (result == SQLITE_ROW);
	}
	sqlite3_finalize(statement);
	return errno_of(result);
}

/* The first column of the first row, or `otherwise`. */
static int64_t ask(struct store *s, const char *sql, int64_t value, int64_t otherwise)
{
	sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL) == SQLITE_OK) {
		sqlite3_bind_int64(statement, 1, value);
		if (sqlite3_step(statement) == SQLITE_ROW) {
			otherwise = sqlite3_column_int64(statement, 0);
		}
	}
	sqlite3_finalize(statement);
	return otherwise;
}

static int begin(struct store *s)
{
	int result = s->is_writing ? 0 : execute(s, "BEGIN IMMEDIATE", "");

	s->is_writing = s->is_writing || result == 0;
	return result;
}

int store_commit(struct store *s)
{
	int result = s->is_writing ? execute(s, "COMMIT", "") : 0;

	s->is_writing = false;
	return result;
}

/* ---- opening ---- */

/* Files are named from the directory we are in: the way to it from the root may be closed to us,
 * and SQLite would look at every part of it. */
static int keep_name(sqlite3_vfs *vfs, const char *name, int size, char *to)
{
	(void)vfs;
	return text_copy(to, (size_t)size, name) ? SQLITE_OK : SQLITE_CANTOPEN;
}

static const char *register_here(void)
{
	static sqlite3_vfs here; /* SQLite's own system layer, but for the names */

	if (here.zName == NULL) {
		here = *sqlite3_vfs_find(NULL);
		here.zName = "here";
		here.xFullPathname = keep_name;
		sqlite3_vfs_register(&here, 0);
	}
	return here.zName;
}

/* Each brings the database from its place in this list to the next; none is ever changed. */
static const char *const migrations[] = {
	"CREATE TABLE run (id INTEGER PRIMARY KEY, boot INTEGER NOT NULL,"
	"  began_boot_us INTEGER NOT NULL, began_wall_us INTEGER NOT NULL,"
	"  last_boot_us INTEGER NOT NULL, last_wall_us INTEGER NOT NULL);"
	"CREATE TABLE event (seq INTEGER PRIMARY KEY, run INTEGER NOT NULL, id INTEGER NOT NULL,"
	"  boot_us INTEGER NOT NULL, wall_us INTEGER NOT NULL, show TEXT NOT NULL,"
	"  kind TEXT NOT NULL, text TEXT NOT NULL, extra TEXT NOT NULL, UNIQUE (run, id));"
	"CREATE INDEX event_by_time ON event (wall_us);"
	"CREATE TABLE state (seq INTEGER PRIMARY KEY, run INTEGER NOT NULL,"
	"  boot_us INTEGER NOT NULL, wall_us INTEGER NOT NULL, what INTEGER NOT NULL,"
	"  show TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, class INTEGER NOT NULL,"
	"  cause TEXT NOT NULL);"
	"CREATE INDEX state_by_name ON state (what, show, name, seq);"
	"CREATE TABLE drill (seq INTEGER PRIMARY KEY, run INTEGER NOT NULL,"
	"  boot_us INTEGER NOT NULL, wall_us INTEGER NOT NULL, show TEXT NOT NULL,"
	"  scenario TEXT NOT NULL, passed INTEGER NOT NULL, report TEXT NOT NULL);"
	"CREATE TABLE lost (seq INTEGER PRIMARY KEY, run INTEGER NOT NULL,"
	"  boot_us INTEGER NOT NULL, wall_us INTEGER NOT NULL, count INTEGER NOT NULL);",
};
#define SCHEMA_VERSION ((int64_t)(sizeof(migrations) / sizeof(migrations[0])))

static int migrate(struct store *s, int64_t from)
{
	char version[40];
	int result = begin(s);

	for (int64_t i = from; result == 0 && i < SCHEMA_VERSION; i++) {
		result = errno_of(sqlite3_exec(s->db, migrations[i], NULL, NULL, NULL));
	}
	text_format(version, sizeof(version), "PRAGMA user_version = %d", (int)SCHEMA_VERSION);
	if (result == 0) {
		result = execute(s, version, "");
	}
	return result == 0 ? store_commit(s) : result;
}

static int prepare(struct store *s, bool may_write)
{
	int64_t version;
	int result = 0;

	sqlite3_busy_timeout(s->db, BUSY_MS);
	if (may_write) {
		/* Space that was freed goes back to the disk. Before the first table only. */
		result = execute(s, "PRAGMA auto_vacuum = INCREMENTAL", "");
		result = result < 0 ? result : execute(s, "PRAGMA journal_mode = WAL", "");
		/* A power cut may cost the last seconds, never the database. */
		result = result < 0 ? result : execute(s, "PRAGMA synchronous = NORMAL", "");
		result = result < 0 ? result
				    : execute(s, "PRAGMA journal_size_limit = 4194304", "");
	}
	result = result < 0 ? result : execute(s, "PRAGMA temp_store = MEMORY", "");
	result = result < 0 ? result : execute(s, "SELECT count(*) FROM sqlite_schema", "");
	version = result < 0 ? 0 : ask(s, "PRAGMA user_version", 0, 0);
	if (result == 0 && version > SCHEMA_VERSION) {
		return -ENOTSUP;
	}
	if (result == 0 && version < SCHEMA_VERSION) {
		result = may_write ? migrate(s, version) : -ENOENT;
	}
	return result;
}

int store_open(struct store *s, const char *file, bool may_write, char why[IPC_TEXT])
{
	int flags = may_write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READWRITE;
	int result;

	*s = (struct store){ .db = NULL };
	result = errno_of(
		sqlite3_open_v2(file, &s->db, flags | SQLITE_OPEN_NOMUTEX, register_here()));
	if (result == 0) {
		result = prepare(s, may_write);
	}
	if (result < 0) {
		text_copy(why, IPC_TEXT,
			  result == -ENOTSUP  ? "it was made by a newer version of understudy"
			  : result == -ENOENT ? "there is no history yet"
					      : store_why(s));
		store_close(s);
	}
	return result;
}

void store_close(struct store *s)
{
	sqlite3_close_v2(s->db);
	*s = (struct store){ .db = NULL };
}

/* ---- records ---- */

int store_begin_run(struct store *s, const struct ipc_history_start *start)
{
	int result = begin(s);

	s->run = ask(s, "SELECT max(id) FROM run WHERE began_wall_us = ?", start->began.wall_us, 0);
	if (result < 0 || s->run != 0) {
		return result; /* a writer was replaced: the run goes on */
	}
	result = execute(s,
			 "INSERT INTO run (boot, began_boot_us, began_wall_us, last_boot_us,"
			 " last_wall_us) VALUES (?1, ?2, ?3, ?2, ?3)",
			 "iii", (int64_t)start->boot, start->began.boot_us, start->began.wall_us);
	s->run = sqlite3_last_insert_rowid(s->db);
	return result;
}

int store_event(struct store *s, const struct ipc_history_event *e)
{
	int result = begin(s);

	return result < 0 ? result
			  : execute(s,
				    "INSERT OR IGNORE INTO event (run, id, boot_us, wall_us, show,"
				    " kind, text, extra) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
				    "iiiissss", s->run, e->id, e->at.boot_us, e->at.wall_us,
				    e->show, e->kind, e->text, e->extra);
}

int store_state(struct store *s, const struct ipc_history_state *state)
{
	int result = begin(s);

	return result < 0 ? result
			  : execute(s,
				    "INSERT INTO state (run, boot_us, wall_us, what, show, name,"
				    " state, class, cause) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
				    "iiiisssis", s->run, state->at.boot_us, state->at.wall_us,
				    (int64_t)state->what, state->show, state->name, state->state,
				    (int64_t)state->class, state->cause);
}

/* The state now in force of everything that has had one. */
#define NEWEST "SELECT max(seq) FROM state GROUP BY what, show, name"

int store_whole(struct store *s, const struct ledger_time *at)
{
	int result = begin(s);

	return result < 0 ? result
			  : execute(s,
				    "INSERT INTO state (run, boot_us, wall_us, what, show, name,"
				    " state, class, cause)"
				    " SELECT ?1, ?2, ?3, what, show, name, 'gone', ?4,"
				    " 'not in the configuration' FROM state"
				    " WHERE seq IN (" NEWEST ") AND run <> ?1 AND state <> 'gone'",
				    "iiii", s->run, at->boot_us, at->wall_us, (int64_t)LEDGER_REST);
}

/* What is not at rest is in another class from a moment on, without having changed its state. */
static int set_all(struct store *s, const struct ledger_time *at, enum ledger_class class,
		   const char *state, const char *cause)
{
	return execute(s,
		       "INSERT INTO state (run, boot_us, wall_us, what, show, name, state, class,"
		       " cause) SELECT ?1, ?2, ?3, what, show, name, ?4, ?5, ?6 FROM state"
		       " WHERE seq IN (" NEWEST ") AND run = ?1 AND class NOT IN (?7, 0)",
		       "iiisisi", s->run, at->boot_us, at->wall_us, state, (int64_t) class, cause,
		       (int64_t)LEDGER_REST);
}

int store_lost(struct store *s, const struct ledger_time *at, uint64_t count)
{
	int result = begin(s);

	if (result == 0) {
		result = execute(s,
				 "INSERT INTO lost (run, boot_us, wall_us, count)"
				 " VALUES (?, ?, ?, ?)",
				 "iiii", s->run, at->boot_us, at->wall_us, (int64_t)count);
	}
	return result < 0 ? result
			  : set_all(s, at, LEDGER_UNKNOWN, "unknown",
				    "the history could not be written");
}

int store_sleep(struct store *s, const struct ledger_time *from, const struct ledger_time *to)
{
	int64_t before;
	int result = begin(s);

	if (result < 0) {
		return result;
	}
	before = ask(s, "SELECT max(seq) FROM state", 0, 0);
	result = set_all(s, from, LEDGER_OFF, "asleep", LEDGER_ASLEEP);
	/* Afterwards it is as it was, until something else is told. */
	return result < 0 ? result
			  : execute(s,
				    "INSERT INTO state (run, boot_us, wall_us, what, show, name,"
				    " state, class, cause) SELECT ?1, ?2, ?3, what, show, name,"
				    " state, class, cause FROM state WHERE seq IN"
				    " (SELECT max(seq) FROM state WHERE seq <= ?4"
				    "  GROUP BY what, show, name) AND run = ?1"
				    " AND class NOT IN (?5, 0)",
				    "iiiii", s->run, to->boot_us, to->wall_us, before,
				    (int64_t)LEDGER_REST);
}

int store_drill(struct store *s, const struct ipc_history_drill *d)
{
	int result = begin(s);

	return result < 0 ? result
			  : execute(s,
				    "INSERT INTO drill (run, boot_us, wall_us, show, scenario,"
				    " passed, report) VALUES (?, ?, ?, ?, ?, ?, ?)",
				    "iiissis", s->run, d->at.boot_us, d->at.wall_us, d->show,
				    d->scenario, (int64_t)d->passed, d->report);
}

int store_beat(struct store *s, const struct ledger_time *at)
{
	int result = begin(s);

	return result < 0 ? result
			  : execute(s,
				    "UPDATE run SET last_boot_us = max(last_boot_us, ?1),"
				    " last_wall_us = ?2 WHERE id = ?3",
				    "iii", at->boot_us, at->wall_us, s->run);
}

/* ---- forgetting ---- */

int64_t store_bytes(struct store *s)
{
	return (ask(s, "PRAGMA page_count", 0, 0) - ask(s, "PRAGMA freelist_count", 0, 0)) *
	       ask(s, "PRAGMA page_size", 0, 4096);
}

static int forget(struct store *s, int64_t before_us)
{
	int result = execute(s, "DELETE FROM event WHERE wall_us < ?", "i", before_us);

	result = result < 0 ? result
			    : execute(s, "DELETE FROM drill WHERE wall_us < ?", "i", before_us);
	result = result < 0 ? result
			    : execute(s, "DELETE FROM lost WHERE wall_us < ?", "i", before_us);
	/* Of each thing the last state before stays: it was in force then. */
	result = result < 0 ? result
			    : execute(s,
				      "DELETE FROM state WHERE wall_us < ?1 AND seq NOT IN"
				      " (SELECT max(seq) FROM state WHERE wall_us < ?1"
				      "  GROUP BY what, show, name)",
				      "i", before_us);
	return result < 0 ? result
			  : execute(s,
				    "DELETE FROM run WHERE last_wall_us < ? AND id NOT IN"
				    " (SELECT run FROM state UNION SELECT run FROM event"
				    "  UNION SELECT max(id) FROM run)",
				    "i", before_us);
}

int store_prune(struct store *s, int64_t before_us, int64_t most_bytes)
{
	int result = begin(s);

	result = result < 0 ? result : forget(s, before_us);
	/* A tenth at a time; every round forgets something, as long as there is something. */
	while (result == 0 && store_bytes(s) > most_bytes) {
		int64_t count = ask(s, "SELECT count(*) FROM event", 0, 0);

		if (count == 0) {
			break;
		}
		int64_t until_us = ask(s,
				       "SELECT wall_us FROM event ORDER BY wall_us LIMIT 1"
				       " OFFSET ?",
				       count / 10, before_us);
		result = forget(s, until_us + 1);
	}
	result = result < 0 ? result : store_commit(s);
	return result < 0 ? result : execute(s, "PRAGMA incremental_vacuum", "");
}
