// SPDX-License-Identifier: Apache-2.0
/* file.c: see file.h. Layer: delivery. */
#include "delivery/file.h"

#include "base/crc32c.h"
#include "base/error.h"
#include "wire/frame.h"
#include <stdio.h>
#include <string.h>

enum {
    APPLICATION_ID = 0x414c4453, /* "ALDS" */
    SCHEMA_VERSION = 1
};

static const char *const texts[ALDIS__SQL_COUNT] = {
    [ALDIS__SQL_BEGIN] = "BEGIN IMMEDIATE",
    [ALDIS__SQL_COMMIT] = "COMMIT",
    [ALDIS__SQL_ROLLBACK] = "ROLLBACK",
    [ALDIS__SQL_NAME] = "INSERT OR IGNORE INTO endpoint(id, name) VALUES(?1, ?2)",
    [ALDIS__SQL_ACCEPT] = "INSERT INTO outbox(sender, receiver, number, context, frame) "
                          "VALUES(?1, ?2, ?3, ?4, ?5)",
    [ALDIS__SQL_NEXT] = "INSERT INTO stream(sender, receiver, next) VALUES(?1, ?2, ?3 + 1) "
                        "ON CONFLICT(sender, receiver) DO UPDATE SET next = ?3 + 1",
    [ALDIS__SQL_CONFIRM] = "DELETE FROM outbox WHERE sender = ?1 AND receiver = ?2 AND number = ?3",
    [ALDIS__SQL_STATE] = "UPDATE endpoint SET state = ?1, crc = ?2 WHERE id = ?3",
    [ALDIS__SQL_DONE] = "INSERT INTO inbox(receiver, sender, done) VALUES(?1, ?2, ?3) "
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

/* ------------------------------------------------------------------ opening */

static aldis_err sql_error(struct aldis__file *file, aldis_err err, const char *path,
                           const char *doing)
{
    return aldis__error_set(err, aldis_nobody(), "", "store %s: %s: %s", path, doing,
                            file->db ? sqlite3_errmsg(file->db) : "out of memory");
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

static aldis_err damaged(const char *path, const char *what)
{
    return aldis__error_set(ALDIS_ECODEC, aldis_nobody(), "", "store %s: it is damaged: %s", path,
                            what);
}

/* The pages and their indexes. */
static aldis_err check_pages(struct aldis__file *file, const char *path)
{
    sqlite3_stmt *row = NULL;
    const char *said = NULL;
    if (sqlite3_prepare_v2(file->db, "PRAGMA quick_check(1)", -1, &row, NULL) == SQLITE_OK &&
        sqlite3_step(row) == SQLITE_ROW)
        said = (const char *)sqlite3_column_text(row, 0);
    aldis_err err = ALDIS_OK;
    if (!said || strcmp(said, "ok") != 0)
        err = damaged(path, said ? said : sqlite3_errmsg(file->db));
    sqlite3_finalize(row);
    return err;
}

static bool is_frame(sqlite3_stmt *row)
{
    return aldis__frame_is_whole(sqlite3_column_blob(row, 0), (size_t)sqlite3_column_bytes(row, 0));
}

static bool is_state(sqlite3_stmt *row)
{
    return (uint32_t)sqlite3_column_int64(row, 1) ==
           aldis__crc32c(0, sqlite3_column_blob(row, 0), (size_t)sqlite3_column_bytes(row, 0));
}

/* What lies in the pages has checksums of its own. */
static aldis_err check_rows(struct aldis__file *file, const char *path, const char *query,
                            bool (*is_good)(sqlite3_stmt *row), const char *what)
{
    sqlite3_stmt *row = NULL;
    bool good = true;
    int code = sqlite3_prepare_v2(file->db, query, -1, &row, NULL);
    while (code == SQLITE_OK && good && (code = sqlite3_step(row)) == SQLITE_ROW) {
        good = is_good(row);
        code = SQLITE_OK;
    }
    aldis_err err = ALDIS_OK;
    if (!good)
        err = damaged(path, what);
    else if (code != SQLITE_DONE)
        err = damaged(path, sqlite3_errmsg(file->db));
    sqlite3_finalize(row);
    return err;
}

static aldis_err check_damage(struct aldis__file *file, const char *path)
{
    aldis_err err = check_pages(file, path);
    if (err == ALDIS_OK)
        err = check_rows(file, path, "SELECT frame FROM outbox", is_frame,
                         "the checksum of a message is wrong");
    if (err == ALDIS_OK)
        err = check_rows(file, path, "SELECT state, crc FROM endpoint WHERE state IS NOT NULL",
                         is_state, "the checksum of a saved state is wrong");
    return err;
}

/* What is in it: nothing, our tables, or something else. */
static aldis_err identify(struct aldis__file *file, const char *path)
{
    sqlite3_int64 tables = 0, application = 0, version = 0;
    int code = number_of(file->db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (code == SQLITE_OK)
        code = number_of(file->db, "PRAGMA application_id", &application);
    if (code == SQLITE_OK)
        code = number_of(file->db, "PRAGMA user_version", &version);
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
        return sql_error(file, ALDIS_ECODEC, path,
                         code == SQLITE_NOTADB ? "it is no store" : "it is damaged");
    if (code != SQLITE_OK)
        return sql_error(file, ALDIS_EIO, path,
                         code == SQLITE_BUSY ? "another process has it open" : "it cannot be read");
    if (tables == 0 && application == 0)
        return ALDIS_OK; /* empty: it becomes a store */
    if (application != APPLICATION_ID)
        return aldis__error_set(ALDIS_ECODEC, aldis_nobody(), "",
                                "store %s: it is another program's database", path);
    if (version != SCHEMA_VERSION)
        return aldis__error_set(ALDIS_ECODEC, aldis_nobody(), "",
                                "store %s: it has version %lld; known is %d", path,
                                (long long)version, SCHEMA_VERSION);
    return check_damage(file, path);
}

/* Exclusive: whoever comes second is refused at once, and WAL needs no shared memory file. */
static aldis_err take_over(struct aldis__file *file, const char *path, bool unsynced)
{
    sqlite3_int64 application = 0;
    char text[128];
    snprintf(text, sizeof text,
             "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = %s;"
             "BEGIN IMMEDIATE; COMMIT",
             unsynced ? "OFF" : "FULL");
    int code = sqlite3_exec(file->db, text, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = number_of(file->db, "PRAGMA application_id", &application);
    if (code == SQLITE_OK && application != APPLICATION_ID) {
        char *create = sqlite3_mprintf("BEGIN; %s PRAGMA application_id = %d; "
                                       "PRAGMA user_version = %d; COMMIT",
                                       schema, APPLICATION_ID, SCHEMA_VERSION);
        code = create ? sqlite3_exec(file->db, create, NULL, NULL, NULL) : SQLITE_NOMEM;
        sqlite3_free(create);
    }
    if (code == SQLITE_OK)
        return ALDIS_OK;
    return sql_error(file, code == SQLITE_NOMEM ? ALDIS_ENOMEM : ALDIS_EIO, path,
                     code == SQLITE_BUSY ? "another process has it open" : "it cannot be written");
}

static aldis_err prepare(struct aldis__file *file, const char *path)
{
    int code = SQLITE_OK;
    for (int i = 0; code == SQLITE_OK && i < ALDIS__SQL_COUNT; i++)
        code = sqlite3_prepare_v3(file->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                  &file->statements[i], NULL);
    if (code == SQLITE_OK)
        return ALDIS_OK;
    return code == SQLITE_NOMEM ? sql_error(file, ALDIS_ENOMEM, path, "it cannot be used")
                                : damaged(path, sqlite3_errmsg(file->db));
}

static aldis_err open_all(struct aldis__file *file, const char *path, bool unsynced)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &file->db, flags, NULL) != SQLITE_OK)
        return sql_error(file, ALDIS_EIO, path, "it cannot be opened");
    sqlite3_extended_result_codes(file->db, 0);
    if (sqlite3_db_readonly(file->db, "main") == 1)
        return aldis__error_set(ALDIS_EIO, aldis_nobody(), "", "store %s: it is read-only", path);
    aldis_err err = identify(file, path);
    if (err == ALDIS_OK)
        err = take_over(file, path, unsynced);
    return err == ALDIS_OK ? prepare(file, path) : err;
}

aldis_err aldis__file_open(struct aldis__file *file, const char *path, bool unsynced)
{
    *file = (struct aldis__file){.db = NULL};
    aldis_err err = open_all(file, path, unsynced);
    if (err != ALDIS_OK)
        aldis__file_close(file);
    return err;
}

void aldis__file_close(struct aldis__file *file)
{
    for (int i = 0; i < ALDIS__SQL_COUNT; i++)
        sqlite3_finalize(file->statements[i]);
    sqlite3_close(file->db);
    *file = (struct aldis__file){.db = NULL};
}

/* ------------------------------------------------------------------ writing */

static int run(struct aldis__file *file, int which)
{
    sqlite3_stmt *statement = file->statements[which];
    int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int write_done(struct aldis__file *file, struct aldis__change *change)
{
    sqlite3_stmt *statement = file->statements[ALDIS__SQL_DONE];
    const struct aldis__done *done = aldis__change_done(change);
    int code = SQLITE_OK;
    for (uint32_t i = 0; i < change->done_count && code == SQLITE_OK; i++) {
        sqlite3_bind_int64(statement, 1, change->receiver);
        sqlite3_bind_int64(statement, 2, done[i].sender);
        sqlite3_bind_int64(statement, 3, (sqlite3_int64)done[i].number);
        code = run(file, ALDIS__SQL_DONE);
    }
    return code;
}

static int write_stream(struct aldis__file *file, int which, const struct aldis__change *change)
{
    sqlite3_stmt *statement = file->statements[which];
    sqlite3_bind_int64(statement, 1, change->sender);
    sqlite3_bind_int64(statement, 2, change->receiver);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)change->number);
    if (which == ALDIS__SQL_ACCEPT) {
        sqlite3_bind_int64(statement, 4, (sqlite3_int64)change->context);
        sqlite3_bind_blob64(statement, 5, change->bytes, change->size, SQLITE_STATIC);
    }
    return run(file, which);
}

static int write_state(struct aldis__file *file, const struct aldis__change *change)
{
    sqlite3_stmt *statement = file->statements[ALDIS__SQL_STATE];
    if (change->size == 0)
        return SQLITE_OK;
    sqlite3_bind_blob64(statement, 1, change->bytes, change->size, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, aldis__crc32c(0, change->bytes, change->size));
    sqlite3_bind_int64(statement, 3, change->receiver);
    return run(file, ALDIS__SQL_STATE);
}

static int write_change(struct aldis__file *file, struct aldis__change *change)
{
    int code = SQLITE_OK;
    switch (change->kind) {
    case ALDIS__CHANGE_NAME:
        sqlite3_bind_int64(file->statements[ALDIS__SQL_NAME], 1, change->receiver);
        sqlite3_bind_text(file->statements[ALDIS__SQL_NAME], 2, (const char *)change->bytes,
                          (int)change->size, SQLITE_STATIC);
        return run(file, ALDIS__SQL_NAME);
    case ALDIS__CHANGE_ACCEPT:
        code = write_stream(file, ALDIS__SQL_ACCEPT, change);
        return code == SQLITE_OK ? write_stream(file, ALDIS__SQL_NEXT, change) : code;
    case ALDIS__CHANGE_CONFIRM:
        return write_stream(file, ALDIS__SQL_CONFIRM, change);
    case ALDIS__CHANGE_SAVE:
        code = write_state(file, change);
        return code == SQLITE_OK ? write_done(file, change) : code;
    }
    return code;
}

aldis_err aldis__file_commit(struct aldis__file *file, struct aldis__change *batch)
{
    int code = run(file, ALDIS__SQL_BEGIN);
    for (struct aldis__change *each = batch; each && code == SQLITE_OK; each = each->next)
        if (!each->refused)
            code = write_change(file, each);
    if (code == SQLITE_OK)
        code = run(file, ALDIS__SQL_COMMIT);
    if (code != SQLITE_OK && !sqlite3_get_autocommit(file->db))
        (void)run(file, ALDIS__SQL_ROLLBACK);
    return code == SQLITE_OK ? ALDIS_OK : ALDIS_EIO;
}

/* ------------------------------------------------------------------ reading */

typedef aldis_err (*row_fn)(const struct aldis__store_reader *reader, sqlite3_stmt *row);

static aldis_err read_state(const struct aldis__store_reader *reader, sqlite3_stmt *row)
{
    const void *bytes = sqlite3_column_blob(row, 0);
    if (!bytes)
        return ALDIS_OK;
    if (!is_state(row))
        return aldis__error_set(ALDIS_ECODEC, aldis_nobody(), "",
                                "store: the checksum of a saved state is wrong");
    return reader->state(reader->arg, bytes, (size_t)sqlite3_column_bytes(row, 0));
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

static aldis_err read_rows(struct aldis__file *file, const char *query, uint32_t endpoint,
                           row_fn fn, const struct aldis__store_reader *reader)
{
    sqlite3_stmt *row = NULL;
    aldis_err err = ALDIS_OK;
    int code = sqlite3_prepare_v2(file->db, query, -1, &row, NULL);
    if (code == SQLITE_OK)
        sqlite3_bind_int64(row, 1, endpoint);
    while (code == SQLITE_OK && err == ALDIS_OK && (code = sqlite3_step(row)) == SQLITE_ROW) {
        err = fn(reader, row);
        code = SQLITE_OK;
    }
    if (err == ALDIS_OK && code != SQLITE_DONE)
        err =
            aldis__error_set(ALDIS_EIO, aldis_nobody(), "", "store: %s", sqlite3_errmsg(file->db));
    sqlite3_finalize(row);
    return err;
}

aldis_err aldis__file_read(struct aldis__file *file, uint32_t endpoint,
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
    aldis_err err = ALDIS_OK;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && err == ALDIS_OK; i++)
        err = read_rows(file, parts[i].query, endpoint, parts[i].fn, reader);
    return err;
}

bool aldis__file_names(struct aldis__file *file,
                       bool (*take)(void *arg, uint64_t number, const char *name), void *arg)
{
    sqlite3_stmt *row = NULL;
    int code = sqlite3_prepare_v2(file->db, "SELECT id, name FROM endpoint", -1, &row, NULL);
    bool good = true;
    while (good && code == SQLITE_OK && (code = sqlite3_step(row)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(row, 1);
        good = name && take(arg, (uint64_t)sqlite3_column_int64(row, 0), name);
        code = SQLITE_OK;
    }
    sqlite3_finalize(row);
    return good && code == SQLITE_DONE;
}
