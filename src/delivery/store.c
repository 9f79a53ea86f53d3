// SPDX-License-Identifier: Apache-2.0
/* store.c: see store.h. Layer: delivery. */
#include "delivery/store.h"

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/hash.h"
#include "core/window.h"
#include "messaging/table.h"
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    APPLICATION_ID = 0x414c4453, /* "ALDS" */
    SCHEMA_VERSION = 1,
    QUEUE_DEFAULT = 16384,
    QUEUE_MAX = 1 << 24,
    BATCH_MAX = 4096,
    NAP_MS = 50,
    ENDPOINTS_MAX = (1 << 18) - 1
};

struct endpoint {
    struct aldis__link by_name;
    char *name;
    uint32_t number;
    aldis_system *system;
    aldis_id actor;
    bool save_failed; /* and no whole one has been committed since */
    uint64_t window;  /* virtual time: others see it from the next one on */
};

enum statement {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_NAME,
    SQL_ACCEPT,
    SQL_NEXT,
    SQL_CONFIRM,
    SQL_STATE,
    SQL_DONE,
    SQL_COUNT
};

static const char *const texts[SQL_COUNT] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_NAME] = "INSERT OR IGNORE INTO endpoint(id, name) VALUES(?1, ?2)",
    [SQL_ACCEPT] = "INSERT INTO outbox(sender, receiver, number, context, frame) "
                   "VALUES(?1, ?2, ?3, ?4, ?5)",
    [SQL_NEXT] = "INSERT INTO stream(sender, receiver, next) VALUES(?1, ?2, ?3 + 1) "
                 "ON CONFLICT(sender, receiver) DO UPDATE SET next = ?3 + 1",
    [SQL_CONFIRM] = "DELETE FROM outbox WHERE sender = ?1 AND receiver = ?2 AND number = ?3",
    [SQL_STATE] = "UPDATE endpoint SET state = ?1, crc = ?2 WHERE id = ?3",
    [SQL_DONE] = "INSERT INTO inbox(receiver, sender, done) VALUES(?1, ?2, ?3) "
                 "ON CONFLICT(receiver, sender) DO UPDATE SET done = max(done, ?3)",
};

static const char schema[] =
    "CREATE TABLE endpoint(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, state BLOB, crc INT);"
    "CREATE TABLE stream(sender INT, receiver INT, next INT, PRIMARY KEY(sender, receiver)) "
    "WITHOUT ROWID;"
    "CREATE TABLE outbox(sender INT, receiver INT, number INT, context INT, frame BLOB, "
    "PRIMARY KEY(sender, receiver, number)) WITHOUT ROWID;"
    "CREATE TABLE inbox(receiver INT, sender INT, done INT, PRIMARY KEY(receiver, sender)) "
    "WITHOUT ROWID;";

struct aldis_store {
    sqlite3 *db; /* under db_lock */
    sqlite3_stmt *statements[SQL_COUNT];
    pthread_mutex_t db_lock;
    aldis_store_opts opts;

    pthread_mutex_t serial; /* virtual time: one change after the other */
    pthread_mutex_t lock;   /* all below */
    pthread_cond_t work, idle;
    struct aldis__change *first, **last;
    uint64_t queued; /* waiting, or being committed */
    bool stopping, failed, committing;
    bool synchronous;            /* of virtual time: the thread leaves the queue to those who put */
    struct endpoint **endpoints; /* by number; 0 is none */
    struct aldis__table names;
    uint32_t endpoint_count, endpoint_capacity;
    aldis_store_stats stats;
    pthread_t thread;
};

/* ------------------------------------------------------------------ the file */

static aldis_err sql_error(aldis_store *store, aldis_err err, const char *path, const char *doing)
{
    return aldis__error_set(err, aldis_nobody(), "", "store %s: %s: %s", path, doing,
                            store->db ? sqlite3_errmsg(store->db) : "out of memory");
}

static int number_of(sqlite3 *db, const char *query, sqlite3_int64 *out_number)
{
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(db, query, -1, &statement, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
        if (code == SQLITE_ROW)
            *out_number = sqlite3_column_int64(statement, 0);
        code = sqlite3_finalize(statement);
    }
    return code;
}

static aldis_err check_damage(aldis_store *store, const char *path)
{
    sqlite3_stmt *statement;
    aldis_err err = ALDIS_OK;
    if (sqlite3_prepare_v2(store->db, "PRAGMA quick_check(1)", -1, &statement, NULL) != SQLITE_OK)
        return sql_error(store, ALDIS_ECODEC, path, "it is damaged");
    const char *said = sqlite3_step(statement) == SQLITE_ROW
                           ? (const char *)sqlite3_column_text(statement, 0)
                           : NULL;
    if (!said || strcmp(said, "ok") != 0)
        err = aldis__error_set(ALDIS_ECODEC, aldis_nobody(), "", "store %s: it is damaged: %s",
                               path, said ? said : sqlite3_errmsg(store->db));
    sqlite3_finalize(statement);
    return err;
}

/* What is in it: nothing, our tables, or something else. */
static aldis_err identify(aldis_store *store, const char *path)
{
    sqlite3_int64 tables = 0, application = 0, version = 0;
    int code = number_of(store->db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (code == SQLITE_OK)
        code = number_of(store->db, "PRAGMA application_id", &application);
    if (code == SQLITE_OK)
        code = number_of(store->db, "PRAGMA user_version", &version);
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
        return sql_error(store, ALDIS_ECODEC, path, "it is no store");
    if (code != SQLITE_OK)
        return sql_error(store, ALDIS_EIO, path,
                         code == SQLITE_BUSY ? "another process has it open" : "it cannot be read");
    if (tables == 0)
        return ALDIS_OK;
    if (application != APPLICATION_ID)
        return aldis__error_set(ALDIS_ECODEC, aldis_nobody(), "",
                                "store %s: it is another program's database", path);
    if (version != SCHEMA_VERSION)
        return aldis__error_set(ALDIS_ECODEC, aldis_nobody(), "",
                                "store %s: it has version %lld; known is %d", path,
                                (long long)version, SCHEMA_VERSION);
    return check_damage(store, path);
}

/* Exclusive: whoever comes second is refused at once, and WAL needs no shared memory file. */
static aldis_err prepare_file(aldis_store *store, const char *path)
{
    sqlite3_int64 application = 0;
    char text[128];
    snprintf(text, sizeof text,
             "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = %s;"
             "BEGIN IMMEDIATE; COMMIT",
             store->opts.unsynced ? "OFF" : "FULL");
    int code = sqlite3_exec(store->db, text, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = number_of(store->db, "PRAGMA application_id", &application);
    if (code == SQLITE_OK && application != APPLICATION_ID) {
        char *create = sqlite3_mprintf("BEGIN; %s PRAGMA application_id = %d; "
                                       "PRAGMA user_version = %d; COMMIT",
                                       schema, APPLICATION_ID, SCHEMA_VERSION);
        code = create ? sqlite3_exec(store->db, create, NULL, NULL, NULL) : SQLITE_NOMEM;
        sqlite3_free(create);
    }
    for (int i = 0; code == SQLITE_OK && i < SQL_COUNT; i++)
        code = sqlite3_prepare_v3(store->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                  &store->statements[i], NULL);
    if (code == SQLITE_OK)
        return ALDIS_OK;
    return sql_error(store, code == SQLITE_NOMEM ? ALDIS_ENOMEM : ALDIS_EIO, path,
                     code == SQLITE_BUSY ? "another process has it open" : "it cannot be written");
}

static aldis_err open_file(aldis_store *store, const char *path)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &store->db, flags, NULL) != SQLITE_OK)
        return sql_error(store, ALDIS_EIO, path, "it cannot be opened");
    sqlite3_extended_result_codes(store->db, 0);
    if (sqlite3_db_readonly(store->db, "main") == 1)
        return aldis__error_set(ALDIS_EIO, aldis_nobody(), "", "store %s: it is read-only", path);
    aldis_err err = identify(store, path);
    return err == ALDIS_OK ? prepare_file(store, path) : err;
}

/* ------------------------------------------------------------------ committing */

static int run(aldis_store *store, enum statement which)
{
    sqlite3_stmt *statement = store->statements[which];
    int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int write_done(aldis_store *store, struct aldis__change *change)
{
    sqlite3_stmt *statement = store->statements[SQL_DONE];
    const struct aldis__done *done = aldis__change_done(change);
    int code = SQLITE_OK;
    for (uint32_t i = 0; i < change->done_count && code == SQLITE_OK; i++) {
        sqlite3_bind_int64(statement, 1, change->receiver);
        sqlite3_bind_int64(statement, 2, done[i].sender);
        sqlite3_bind_int64(statement, 3, (sqlite3_int64)done[i].number);
        code = run(store, SQL_DONE);
    }
    return code;
}

static int write_stream(aldis_store *store, enum statement which,
                        const struct aldis__change *change)
{
    sqlite3_stmt *statement = store->statements[which];
    sqlite3_bind_int64(statement, 1, change->sender);
    sqlite3_bind_int64(statement, 2, change->receiver);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)change->number);
    if (which == SQL_ACCEPT) {
        sqlite3_bind_int64(statement, 4, (sqlite3_int64)change->context);
        sqlite3_bind_blob64(statement, 5, change->bytes, change->size, SQLITE_STATIC);
    }
    return run(store, which);
}

static int write_state(aldis_store *store, const struct aldis__change *change)
{
    sqlite3_stmt *statement = store->statements[SQL_STATE];
    if (change->size == 0)
        return SQLITE_OK;
    sqlite3_bind_blob64(statement, 1, change->bytes, change->size, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, aldis__crc32c(0, change->bytes, change->size));
    sqlite3_bind_int64(statement, 3, change->receiver);
    return run(store, SQL_STATE);
}

static bool save_is_refused(aldis_store *store, const struct aldis__change *change)
{
    pthread_mutex_lock(&store->lock);
    bool refused = store->endpoints[change->receiver]->save_failed && !change->whole;
    pthread_mutex_unlock(&store->lock);
    return refused;
}

static int write_change(aldis_store *store, struct aldis__change *change)
{
    int code = SQLITE_OK;
    switch (change->kind) {
    case ALDIS__CHANGE_NAME:
        sqlite3_bind_int64(store->statements[SQL_NAME], 1, change->receiver);
        sqlite3_bind_text(store->statements[SQL_NAME], 2, (const char *)change->bytes,
                          (int)change->size, SQLITE_STATIC);
        return run(store, SQL_NAME);
    case ALDIS__CHANGE_ACCEPT:
        code = write_stream(store, SQL_ACCEPT, change);
        return code == SQLITE_OK ? write_stream(store, SQL_NEXT, change) : code;
    case ALDIS__CHANGE_CONFIRM:
        return write_stream(store, SQL_CONFIRM, change);
    case ALDIS__CHANGE_SAVE:
        change->refused = save_is_refused(store, change);
        if (!change->refused)
            code = write_state(store, change);
        return code == SQLITE_OK && !change->refused ? write_done(store, change) : code;
    }
    return code;
}

/* All of a batch, or nothing of it. */
static aldis_err commit(aldis_store *store, struct aldis__change *batch)
{
    pthread_mutex_lock(&store->db_lock);
    int code = run(store, SQL_BEGIN);
    for (struct aldis__change *each = batch; each && code == SQLITE_OK; each = each->next)
        code = write_change(store, each);
    if (code == SQLITE_OK)
        code = run(store, SQL_COMMIT);
    if (code != SQLITE_OK && !sqlite3_get_autocommit(store->db))
        (void)run(store, SQL_ROLLBACK);
    pthread_mutex_unlock(&store->db_lock);
    return code == SQLITE_OK ? ALDIS_OK : ALDIS_EIO;
}

static void count(aldis_store *store, const struct aldis__change *batch, aldis_err err)
{
    bool good = err == ALDIS_OK;
    store->stats.commits += good;
    store->stats.failed_commits += !good;
    for (const struct aldis__change *each = batch; each; each = each->next) {
        if (each->kind == ALDIS__CHANGE_ACCEPT) {
            store->stats.accepted += good;
            store->stats.refused += !good;
        }
        if (each->kind != ALDIS__CHANGE_SAVE)
            continue;
        store->stats.saved += good && !each->refused;
        if (!good)
            store->endpoints[each->receiver]->save_failed = true;
        else if (each->whole)
            store->endpoints[each->receiver]->save_failed = false;
    }
}

/* Names and confirmations must come some day: they are put again, first. The others' actors are
 * told, and decide. */
static void settle(aldis_store *store, struct aldis__change *batch, aldis_err err)
{
    struct aldis__change *again = NULL, **link = &again;
    uint64_t settled = 0;
    while (batch) {
        struct aldis__change *change = batch;
        batch = change->next;
        if (err != ALDIS_OK && !change->system) {
            change->next = NULL;
            *link = change;
            link = &change->next;
            continue;
        }
        if (change->system)
            aldis__durable_committed(change, change->refused ? ALDIS_EIO : err);
        free(change);
        settled++;
    }
    pthread_mutex_lock(&store->lock);
    if (again) {
        *link = store->first;
        if (!store->first)
            store->last = link;
        store->first = again;
    }
    store->failed = err != ALDIS_OK;
    store->queued -= settled;
    pthread_mutex_unlock(&store->lock);
}

/* Under the lock: what waits, at most BATCH_MAX changes. */
static struct aldis__change *take_batch(aldis_store *store)
{
    struct aldis__change *batch = store->first, **link = &store->first;
    for (int i = 0; i < BATCH_MAX && *link; i++)
        link = &(*link)->next;
    store->first = *link;
    if (!store->first)
        store->last = &store->first;
    *link = NULL;
    return batch == store->first ? NULL : batch;
}

/* Under the lock, which it leaves meanwhile. */
static aldis_err commit_batch(aldis_store *store, struct aldis__change *batch)
{
    store->committing = true;
    pthread_mutex_unlock(&store->lock);
    aldis_err err = commit(store, batch);
    pthread_mutex_lock(&store->lock);
    count(store, batch, err);
    pthread_mutex_unlock(&store->lock);
    settle(store, batch, err);
    pthread_mutex_lock(&store->lock);
    store->committing = false;
    pthread_cond_broadcast(&store->idle);
    return err;
}

static void nap(aldis_store *store)
{
    aldis_ns at_ns = aldis__clock_monotonic_ns() + NAP_MS * ALDIS_MS;
    struct timespec until = {at_ns / ALDIS_SECOND, at_ns % ALDIS_SECOND};
    pthread_cond_timedwait(&store->work, &store->lock, &until);
}

static void *thread_main(void *argument)
{
    aldis_store *store = argument;
    pthread_mutex_lock(&store->lock);
    for (;;) {
        while ((!store->first || store->committing || store->synchronous) && !store->stopping)
            pthread_cond_wait(&store->work, &store->lock);
        if (!store->first || (store->stopping && store->failed))
            break;
        aldis_err err = commit_batch(store, take_batch(store));
        if (err != ALDIS_OK && !store->stopping)
            nap(store); /* a full disk is not emptied sooner by asking more often */
    }
    pthread_mutex_unlock(&store->lock);
    return NULL;
}

struct aldis__change *aldis__change_new(enum aldis__change_kind kind, size_t size)
{
    struct aldis__change *change = calloc(1, sizeof *change + size + 8); /* 8: see done */
    if (change) {
        change->kind = kind;
        change->size = size;
    }
    return change;
}

static void append(aldis_store *store, struct aldis__change *change)
{
    change->next = NULL;
    *store->last = change;
    store->last = &change->next;
    store->queued++;
}

/* Virtual time: all that waits, now. */
static void commit_now(aldis_store *store)
{
    pthread_mutex_lock(&store->lock);
    while (store->committing)
        pthread_cond_wait(&store->idle, &store->lock);
    while (store->first && commit_batch(store, take_batch(store)) == ALDIS_OK)
        ;
    pthread_mutex_unlock(&store->lock);
}

aldis_err aldis__store_put(aldis_store *store, struct aldis__change *change)
{
    bool now = change->system && change->system->virtual_time;
    if (now)
        pthread_mutex_lock(&store->serial);
    pthread_mutex_lock(&store->lock);
    bool full = store->queued >= store->opts.queue_max && change->kind == ALDIS__CHANGE_ACCEPT;
    if (!full) {
        append(store, change);
        if (!now)
            pthread_cond_signal(&store->work);
    }
    pthread_mutex_unlock(&store->lock);
    if (now && !full)
        commit_now(store);
    if (now)
        pthread_mutex_unlock(&store->serial);
    if (!full)
        return ALDIS_OK;
    return aldis__error_set(ALDIS_EAGAIN, aldis_nobody(), "",
                            "store: %u changes wait to be committed (option queue_max)",
                            store->opts.queue_max);
}

/* ------------------------------------------------------------------ endpoints */

static uint64_t hash_of(const char *name)
{
    return aldis__fnv64(ALDIS__FNV64_START, name, strlen(name));
}

/* Under the lock. */
static uint32_t find(const aldis_store *store, const char *name)
{
    uint64_t hash = hash_of(name);
    struct aldis__link *link = aldis__table_first(&store->names, hash);
    for (; link; link = aldis__table_next(link->next, hash)) {
        const struct endpoint *entry = (const struct endpoint *)(const void *)link;
        if (strcmp(entry->name, name) == 0)
            return entry->number;
    }
    return 0;
}

static bool reserve_number(aldis_store *store, uint32_t number)
{
    if (number < store->endpoint_capacity)
        return true;
    uint32_t capacity = store->endpoint_capacity ? store->endpoint_capacity : 16;
    while (capacity <= number)
        capacity *= 2;
    struct endpoint **endpoints = realloc(store->endpoints, capacity * sizeof(struct endpoint *));
    if (!endpoints)
        return false;
    memset(endpoints + store->endpoint_capacity, 0,
           (capacity - store->endpoint_capacity) * sizeof(struct endpoint *));
    store->endpoints = endpoints;
    store->endpoint_capacity = capacity;
    return true;
}

/* Under the lock: endpoint `number`, which is none yet, has this name. */
static bool set_name(aldis_store *store, uint32_t number, const char *name)
{
    struct endpoint *entry = calloc(1, sizeof *entry);
    char *copy = strdup(name);
    if (!entry || !copy || !reserve_number(store, number) || store->endpoints[number] ||
        !aldis__table_reserve(&store->names)) {
        free(entry);
        free(copy);
        return false;
    }
    entry->name = copy;
    entry->number = number;
    aldis__table_add(&store->names, &entry->by_name, hash_of(name));
    store->endpoints[number] = entry;
    if (number > store->endpoint_count)
        store->endpoint_count = number;
    return true;
}

uint32_t aldis__store_endpoint(aldis_store *store, const char *name)
{
    size_t size = strlen(name);
    struct aldis__change *change = aldis__change_new(ALDIS__CHANGE_NAME, size);
    pthread_mutex_lock(&store->lock);
    uint32_t number = find(store, name);
    if (!number && change && store->endpoint_count < ENDPOINTS_MAX &&
        set_name(store, store->endpoint_count + 1, name)) {
        number = store->endpoint_count;
        memcpy(change->bytes, name, size);
        change->receiver = number;
        append(store, change);
        change = NULL;
    }
    pthread_mutex_unlock(&store->lock);
    free(change);
    return number;
}

aldis_id aldis__store_actor(aldis_store *store, uint32_t endpoint)
{
    pthread_mutex_lock(&store->lock);
    const struct endpoint *entry = store->endpoints[endpoint];
    aldis_id actor = entry->actor;
    if (!aldis_id_is_nobody(actor) && entry->system->virtual_time &&
        entry->window == entry->system->virtual_engine->window)
        actor = aldis_nobody();
    pthread_mutex_unlock(&store->lock);
    return actor;
}

aldis_err aldis__store_occupy(aldis_store *store, uint32_t endpoint, aldis_system *system,
                              aldis_id actor)
{
    pthread_mutex_lock(&store->lock);
    struct endpoint *entry = store->endpoints[endpoint];
    bool taken = !aldis_id_is_nobody(entry->actor) && !aldis_id_equal(entry->actor, actor);
    char name[ALDIS_DURABLE_NAME_MAX + 1];
    snprintf(name, sizeof name, "%s", entry->name);
    if (!taken) {
        if (system->virtual_time && !aldis_id_equal(entry->actor, actor))
            entry->window = system->virtual_engine->window;
        entry->actor = actor;
        entry->system = system;
        store->synchronous = system->virtual_time;
    }
    pthread_mutex_unlock(&store->lock);
    if (!taken)
        return ALDIS_OK;
    return aldis__error_set(ALDIS_EEXISTS, actor, "", "store: another actor is '%s' now", name);
}

void aldis__store_vacate(aldis_store *store, uint32_t endpoint, aldis_id actor)
{
    pthread_mutex_lock(&store->lock);
    struct endpoint *entry = store->endpoints[endpoint];
    if (aldis_id_equal(entry->actor, actor))
        entry->actor = aldis_nobody();
    pthread_mutex_unlock(&store->lock);
}

void aldis__store_detach(aldis_store *store, uint32_t endpoint)
{
    pthread_mutex_lock(&store->lock);
    struct endpoint *entry = store->endpoints[endpoint];
    while (store->committing) /* what is being committed may tell it yet */
        pthread_cond_wait(&store->idle, &store->lock);
    for (struct aldis__change *each = store->first; each; each = each->next)
        if (each->system == entry->system)
            each->system = NULL;
    entry->actor = aldis_nobody();
    pthread_mutex_unlock(&store->lock);
}

/* ------------------------------------------------------------------ reading */

typedef aldis_err (*row_fn)(const struct aldis__store_reader *reader, sqlite3_stmt *row);

static aldis_err read_state(const struct aldis__store_reader *reader, sqlite3_stmt *row)
{
    const void *bytes = sqlite3_column_blob(row, 0);
    int size = sqlite3_column_bytes(row, 0);
    if (!bytes)
        return ALDIS_OK;
    if ((uint32_t)sqlite3_column_int64(row, 1) != aldis__crc32c(0, bytes, (size_t)size))
        return aldis__error_set(ALDIS_ECODEC, aldis_nobody(), "",
                                "store: the checksum of a saved state is wrong");
    return reader->state(reader->arg, bytes, (size_t)size);
}

static aldis_err read_done(const struct aldis__store_reader *reader, sqlite3_stmt *row)
{
    return reader->done(reader->arg, (uint32_t)sqlite3_column_int64(row, 0),
                        (uint64_t)sqlite3_column_int64(row, 1));
}

static aldis_err read_next(const struct aldis__store_reader *reader, sqlite3_stmt *row)
{
    return reader->next(reader->arg, (uint32_t)sqlite3_column_int64(row, 0),
                        (uint64_t)sqlite3_column_int64(row, 1));
}

static aldis_err read_pending(const struct aldis__store_reader *reader, sqlite3_stmt *row)
{
    return reader->pending(reader->arg, (uint32_t)sqlite3_column_int64(row, 0),
                           (uint64_t)sqlite3_column_int64(row, 1),
                           (uint64_t)sqlite3_column_int64(row, 2), sqlite3_column_blob(row, 3),
                           (size_t)sqlite3_column_bytes(row, 3));
}

static aldis_err read_rows(aldis_store *store, const char *query, uint32_t endpoint, row_fn fn,
                           const struct aldis__store_reader *reader)
{
    sqlite3_stmt *row = NULL;
    aldis_err err = ALDIS_OK;
    int code = sqlite3_prepare_v2(store->db, query, -1, &row, NULL);
    if (code == SQLITE_OK)
        sqlite3_bind_int64(row, 1, endpoint);
    while (code == SQLITE_OK && err == ALDIS_OK && (code = sqlite3_step(row)) == SQLITE_ROW) {
        err = fn(reader, row);
        code = SQLITE_OK;
    }
    if (err == ALDIS_OK && code != SQLITE_DONE)
        err =
            aldis__error_set(ALDIS_EIO, aldis_nobody(), "", "store: %s", sqlite3_errmsg(store->db));
    sqlite3_finalize(row);
    return err;
}

/* False: what waits cannot be committed. */
static bool wait_until_committed(aldis_store *store)
{
    pthread_mutex_lock(&store->lock);
    bool now = store->synchronous;
    pthread_mutex_unlock(&store->lock);
    if (now) {
        pthread_mutex_lock(&store->serial);
        commit_now(store);
        pthread_mutex_unlock(&store->serial);
    }
    pthread_mutex_lock(&store->lock);
    pthread_cond_signal(&store->work);
    while (store->queued > 0 && !store->failed && !now)
        pthread_cond_wait(&store->idle, &store->lock);
    bool good = store->queued == 0;
    pthread_mutex_unlock(&store->lock);
    return good;
}

aldis_err aldis__store_read(aldis_store *store, uint32_t endpoint,
                            const struct aldis__store_reader *reader)
{
    static const struct {
        const char *query;
        row_fn fn;
    } parts[] = {
        {"SELECT state, crc FROM endpoint WHERE id = ?1", read_state},
        {"SELECT sender, done FROM inbox WHERE receiver = ?1", read_done},
        {"SELECT receiver, next FROM stream WHERE sender = ?1 ORDER BY receiver", read_next},
        {"SELECT receiver, number, context, frame FROM outbox WHERE sender = ?1 "
         "ORDER BY receiver, number",
         read_pending},
    };
    if (!wait_until_committed(store))
        return aldis__error_set(ALDIS_EIO, aldis_nobody(), "",
                                "store: what waits cannot be committed");
    aldis_err err = ALDIS_OK;
    pthread_mutex_lock(&store->db_lock);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && err == ALDIS_OK; i++)
        err = read_rows(store, parts[i].query, endpoint, parts[i].fn, reader);
    pthread_mutex_unlock(&store->db_lock);
    return err;
}

/* ------------------------------------------------------------------ life */

static aldis_err load_names(aldis_store *store, const char *path)
{
    sqlite3_stmt *row = NULL;
    int code = sqlite3_prepare_v2(store->db, "SELECT id, name FROM endpoint", -1, &row, NULL);
    bool good = true;
    while (good && code == SQLITE_OK && (code = sqlite3_step(row)) == SQLITE_ROW) {
        sqlite3_int64 number = sqlite3_column_int64(row, 0);
        const char *name = (const char *)sqlite3_column_text(row, 1);
        good = number > 0 && number <= ENDPOINTS_MAX && name &&
               strlen(name) <= ALDIS_DURABLE_NAME_MAX && set_name(store, (uint32_t)number, name);
        code = SQLITE_OK;
    }
    sqlite3_finalize(row);
    return good && code == SQLITE_DONE
               ? ALDIS_OK
               : sql_error(store, ALDIS_ECODEC, path, "its names cannot be read");
}

static void free_store(aldis_store *store)
{
    for (int i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(store->statements[i]);
    sqlite3_close(store->db);
    for (uint32_t i = 0; i < store->endpoint_capacity; i++) {
        if (store->endpoints[i])
            free(store->endpoints[i]->name);
        free(store->endpoints[i]);
    }
    free(store->endpoints);
    aldis__table_fini(&store->names);
    while (store->first) {
        struct aldis__change *change = store->first;
        store->first = change->next;
        free(change);
    }
    pthread_mutex_destroy(&store->serial);
    pthread_mutex_destroy(&store->lock);
    pthread_mutex_destroy(&store->db_lock);
    pthread_cond_destroy(&store->work);
    pthread_cond_destroy(&store->idle);
    free(store);
}

aldis_err aldis_store_open(const char *path, const aldis_store_opts *opts, aldis_store **out_store)
{
    if (!path || !*path || !out_store || (opts && opts->queue_max > QUEUE_MAX))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "store_open: %s",
                                !path || !*path || !out_store ? "path or out_store is NULL or empty"
                                                              : "queue_max; allowed: 1 to 2^24");
    aldis_store *store = calloc(1, sizeof *store);
    if (!store)
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "store_open");
    store->opts = opts ? *opts : (aldis_store_opts){.queue_max = 0};
    if (store->opts.queue_max == 0)
        store->opts.queue_max = QUEUE_DEFAULT;
    store->last = &store->first;
    pthread_mutex_init(&store->serial, NULL);
    pthread_mutex_init(&store->lock, NULL);
    pthread_mutex_init(&store->db_lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&store->work, &attr);
    pthread_cond_init(&store->idle, NULL);
    pthread_condattr_destroy(&attr);
    aldis_err err = open_file(store, path);
    if (err == ALDIS_OK)
        err = load_names(store, path);
    if (err == ALDIS_OK)
        err = aldis__thread_start(&store->thread, thread_main, store, "aldis-store", 0);
    if (err != ALDIS_OK) {
        free_store(store);
        return err;
    }
    *out_store = store;
    return ALDIS_OK;
}

aldis_err aldis_store_close(aldis_store *store)
{
    if (!store)
        return ALDIS_OK;
    pthread_mutex_lock(&store->lock);
    store->stopping = true;
    pthread_cond_signal(&store->work);
    pthread_mutex_unlock(&store->lock);
    pthread_join(store->thread, NULL);
    bool lost = store->first != NULL;
    free_store(store);
    return lost ? aldis__error_set(ALDIS_EIO, aldis_nobody(), "",
                                   "store_close: what waited could not be committed")
                : ALDIS_OK;
}

void aldis_store_get_stats(aldis_store *store, aldis_store_stats *out_stats)
{
    pthread_mutex_lock(&store->lock);
    *out_stats = store->stats;
    out_stats->queued = store->queued;
    pthread_mutex_unlock(&store->lock);
}
