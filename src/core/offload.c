// SPDX-License-Identifier: Apache-2.0
/* offload.c: blocking work on a pool of threads. Layer: core.
 *
 * Threads are made when a job finds none idle, up to the option's number. A job's result comes back
 * through the inbox of its actor's shard, like any message from outside. */
#include "core/offload.h"

#include "base/error.h"
#include "core/live.h"
#include "core/outside.h"
#include "core/send.h"
#include <stdlib.h>
#include <string.h>

struct job {
    struct job *next;
    aldis_job run;
    aldis_id actor;
    aldis_type *type;
    _Alignas(16) unsigned char arg[];
};

struct aldis__offload {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct job *head, **tail;
    uint32_t waiting, idle, thread_count;
    bool quit;
    pthread_t threads[];
};

aldis_err aldis__offload_create(aldis_system *system)
{
    struct aldis__offload *pool =
        calloc(1, sizeof *pool + system->opts.offload_threads * sizeof pool->threads[0]);
    if (!pool)
        return ALDIS_ENOMEM;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pool->tail = &pool->head;
    system->offload = pool;
    return ALDIS_OK;
}

void aldis__offload_stop(aldis_system *system)
{
    struct aldis__offload *pool = system->offload;
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->quit = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (uint32_t i = 0; i < pool->thread_count; i++)
        pthread_join(pool->threads[i], NULL);
}

void aldis__offload_destroy(aldis_system *system)
{
    struct aldis__offload *pool = system->offload;
    if (!pool)
        return;
    struct job *job;
    while ((job = pool->head)) {
        pool->head = job->next;
        free(job);
    }
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
    system->offload = NULL;
}

/* Run the job; its result, or the reason why there is none, goes to its actor. */
static void run_job(aldis_system *system, struct job *job)
{
    void *result = calloc(1, job->type->size ? job->type->size : 1);
    aldis_err err = result ? job->run(job->arg, result) : ALDIS_ENOMEM;
    aldis__outside_result(system, job->actor, job->type, err, result);
    free(result);
    free(job);
    aldis__announce_idle(system); /* its result, if any, has woken a worker by now */
}

static void *thread_main(void *argument)
{
    aldis_system *system = argument;
    struct aldis__offload *pool = system->offload;
    pthread_mutex_lock(&pool->lock);
    while (!pool->quit) {
        struct job *job = pool->head;
        if (!job) {
            pool->idle++;
            pthread_cond_wait(&pool->work, &pool->lock);
            pool->idle--;
            continue;
        }
        pool->head = job->next;
        if (!pool->head)
            pool->tail = &pool->head;
        pool->waiting--;
        pthread_mutex_unlock(&pool->lock);
        run_job(system, job);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* Under the pool's lock: see that some thread will take the job. */
static aldis_err ensure_thread(aldis_system *system)
{
    struct aldis__offload *pool = system->offload;
    if (pool->idle > pool->waiting || pool->thread_count == system->opts.offload_threads)
        return ALDIS_OK;
    aldis_err err = aldis__thread_start(&pool->threads[pool->thread_count], thread_main, system,
                                        "aldis-o", pool->thread_count);
    if (err == ALDIS_OK)
        pool->thread_count++;
    return pool->thread_count ? ALDIS_OK : err;
}

static aldis_err enqueue(aldis_system *system, struct job *job)
{
    struct aldis__offload *pool = system->offload;
    pthread_mutex_lock(&pool->lock);
    aldis_err err = ALDIS_OK;
    if (pool->quit)
        err = aldis__error_set(ALDIS_ESHUTDOWN, job->actor, job->type->name,
                               "offload: the system ends");
    else if (pool->waiting >= system->opts.offload_queue)
        err =
            aldis__error_set(ALDIS_EAGAIN, job->actor, job->type->name,
                             "offload: %u jobs wait already (option offload_queue)", pool->waiting);
    if (err == ALDIS_OK)
        err = ensure_thread(system);
    if (err == ALDIS_OK) {
        /* L4 acq_rel: pairs with L3 in is_idle(). This worker is not idle, so the system was
         * not. */
        (void)aldis__fetch_sub_acq_rel(&system->idle_workers, 1);
        job->next = NULL;
        *pool->tail = job;
        pool->tail = &job->next;
        pool->waiting++;
        pthread_cond_signal(&pool->work);
    }
    pthread_mutex_unlock(&pool->lock);
    return err;
}

/* Virtual time: now, here; the result arrives after the default delay. */
static aldis_err run_at_once(aldis_ctx *ctx, aldis_job job, const void *arg, aldis_type *result)
{
    struct aldis__worker *worker = aldis__worker_of(ctx);
    void *out = calloc(1, result->size ? result->size : 1);
    if (!out)
        return aldis__error_set(ALDIS_ENOMEM, ctx->cell->id, result->name, "offload");
    aldis_err err = job(arg, out);
    if (err == ALDIS_OK) {
        err =
            aldis_ctx_send_raw(ctx, ctx->cell->id, result, result->size ? out : NULL, result->size);
    } else {
        struct aldis__refusal refusal = {ctx->cell->id, aldis__type_index(result), 1, err};
        aldis__post_runtime(worker, ctx->cell->id, ctx->cell->id, ALDIS__TYPE_UNDELIVERED, &refusal,
                            sizeof refusal);
        err = ALDIS_OK; /* the job was run; how it went is told by the notice */
    }
    free(out);
    return err;
}

aldis_err aldis_offload(aldis_ctx *ctx, aldis_job job, const void *arg, size_t arg_size,
                        aldis_type *result)
{
    if (!aldis__ctx_is_mine(ctx))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "offload: the context belongs to another handler or thread");
    if (!job || !result || result->size > ALDIS_PAYLOAD_MAX || arg_size > ALDIS_PAYLOAD_MAX ||
        (arg_size && !arg))
        return aldis__error_set(ALDIS_EINVAL, ctx->cell->id, "",
                                "offload: job, arg (up to %u bytes) and a result type of fixed "
                                "size are needed",
                                ALDIS_PAYLOAD_MAX);
    uint32_t index = aldis__type_index(result);
    if (!index)
        return aldis_error_last()->err;
    if (!ctx->cell->kind->handle[index])
        return aldis__error_set(ALDIS_EUNACCEPTED, ctx->cell->id, result->name,
                                "offload: %s does not accept %s", ctx->cell->kind->behaviour->name,
                                result->name);
    if (ctx->system->virtual_time)
        return run_at_once(ctx, job, arg, result);
    struct job *entry = calloc(1, sizeof *entry + arg_size);
    if (!entry)
        return aldis__error_set(ALDIS_ENOMEM, ctx->cell->id, result->name, "offload");
    entry->run = job;
    entry->actor = ctx->cell->id;
    entry->type = result;
    if (arg_size)
        memcpy(entry->arg, arg, arg_size);
    aldis_err err = enqueue(ctx->system, entry);
    if (err != ALDIS_OK)
        free(entry);
    return err;
}
