// SPDX-License-Identifier: Apache-2.0
/* store.c: the queue of changes, the thread that commits them, and who is who. See store.h; the
 * file itself is file.c's. Layer: delivery. */
#include "delivery/store.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "core/window.h"
#include "delivery/file.h"
#include "messaging/table.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
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

struct aldis_store {
    struct aldis__file file; /* under db_lock */
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

/* ------------------------------------------------------------------ committing */

/* All of a batch, or nothing of it. */
static aldis_err commit(aldis_store *store, struct aldis__change *batch)
{
    pthread_mutex_lock(&store->lock);
    for (struct aldis__change *each = batch; each; each = each->next)
        each->refused = each->kind == ALDIS__CHANGE_SAVE && !each->whole &&
                        store->endpoints[each->receiver]->save_failed;
    pthread_mutex_unlock(&store->lock);
    pthread_mutex_lock(&store->db_lock);
    aldis_err err = aldis__file_commit(&store->file, batch);
    pthread_mutex_unlock(&store->db_lock);
    return err;
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
    if (!wait_until_committed(store))
        return aldis__error_set(ALDIS_EIO, aldis_nobody(), "",
                                "store: what waits cannot be committed");
    pthread_mutex_lock(&store->db_lock);
    aldis_err err = aldis__file_read(&store->file, endpoint, reader);
    pthread_mutex_unlock(&store->db_lock);
    return err;
}

/* ------------------------------------------------------------------ life */

static bool take_name(void *arg, uint64_t number, const char *name)
{
    return number > 0 && number <= ENDPOINTS_MAX && strlen(name) <= ALDIS_DURABLE_NAME_MAX &&
           set_name(arg, (uint32_t)number, name);
}

static void free_store(aldis_store *store)
{
    aldis__file_close(&store->file);
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
    aldis_err err = aldis__file_open(&store->file, path, store->opts.unsynced);
    if (err == ALDIS_OK && !aldis__file_names(&store->file, take_name, store))
        err = aldis__error_set(ALDIS_ECODEC, aldis_nobody(), "",
                               "store %s: it is damaged: its names cannot be read", path);
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
