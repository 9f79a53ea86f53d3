// SPDX-License-Identifier: Apache-2.0
/* file.h: the SQLite file of a store: what is in it, and how it is read and written. Layer:
 * delivery. Threads: the store's lock (db_lock). */
#ifndef ALDIS_DELIVERY_FILE_H
#define ALDIS_DELIVERY_FILE_H

#include "delivery/store.h"
#include <sqlite3.h>

enum {
    ALDIS__SQL_BEGIN,
    ALDIS__SQL_COMMIT,
    ALDIS__SQL_ROLLBACK,
    ALDIS__SQL_NAME,
    ALDIS__SQL_ACCEPT,
    ALDIS__SQL_NEXT,
    ALDIS__SQL_CONFIRM,
    ALDIS__SQL_STATE,
    ALDIS__SQL_DONE,
    ALDIS__SQL_COUNT
};

struct aldis__file {
    sqlite3 *db;
    sqlite3_stmt *statements[ALDIS__SQL_COUNT];
};

/** Open it, or make it; all of it is checked. On an error there is nothing to close.
 *  ALDIS_EIO, ALDIS_ECODEC, ALDIS_ENOMEM, with the reason. */
aldis_err aldis__file_open(struct aldis__file *file, const char *path, bool unsynced);
void aldis__file_close(struct aldis__file *file);

/** Write all changes of a list that are not refused, or nothing of it. ALDIS_EIO. */
aldis_err aldis__file_commit(struct aldis__file *file, struct aldis__change *batch);

/** What an endpoint has. ALDIS_EIO; else what a call of the reader returned. */
aldis_err aldis__file_read(struct aldis__file *file, uint32_t endpoint,
                           const struct aldis__store_reader *reader);
/** All endpoints; take returns whether it could. False: not all could be read or taken. */
bool aldis__file_names(struct aldis__file *file,
                       bool (*take)(void *arg, uint64_t number, const char *name), void *arg);

#endif
