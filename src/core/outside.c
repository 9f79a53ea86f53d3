// SPDX-License-Identifier: Apache-2.0
/* outside.c: calls from threads that are not workers. Layer: core.
 *
 * They share one pool and one set of counters, under the system's lock; a message goes into the
 * inbox of its receiver's shard as a chain of one. Outside threads are few and not the hot path. */
#include "core/outside.h"
#include "base/clock.h"
#include "base/error.h"
#include "core/deliver.h"
#include "core/futex.h"
#include "core/lifecycle.h"
#include "core/memory.h"
#include "core/report.h"
#include "core/send.h"
#include "core/tracked.h"
#include "core/virtual.h"
#include "core/vsend.h"
#include "core/window.h"
#include <string.h>

enum { NAP_FIRST_NS = 20000, NAP_LAST_NS = 1000000, STOP_PORTION = 1024, STOP_PORTIONS = 256 };

static aldis_err check_open(aldis_system *system, const char *call)
{
    aldis_err err = aldis__system_check_outside(system, call);
    if (err != ALDIS_OK)
        return err;
    /* Relaxed: a call that just slips through is stopped with the rest. */
    if (aldis__load_relaxed(&system->stopping))
        return aldis__error_set(ALDIS_ESTATE, aldis_nobody(), "", "%s: the system has stopped",
                                call);
    return ALDIS_OK;
}

/* Under the lock. Takes msg. */
static void push(aldis_system *system, uint32_t shard_index, struct aldis__msg *msg)
{
    struct aldis__shard *shard = &system->shards[shard_index];
    aldis__inbox_push(&shard->inbox, msg, msg, 1);
    aldis__worker_wake(&system->workers[aldis__handover_whom_to_wake(&shard->handover)]);
}

void aldis__outside_push(aldis_system *system, struct aldis__msg *msg)
{
    uint64_t index = aldis__id_index(msg->to, system->node_base);
    push(system, aldis__word_home(aldis__directory_read(&system->directory[index])), msg);
}

/* Is there room for a message from outside, as far as can be seen from here? */
static aldis_err check_room(aldis_system *system, aldis_id to, uint32_t type, uint64_t word)
{
    bool full = word & ALDIS__WORD_FULL;
    bool crowded = !system->virtual_time &&
                   aldis__inbox_count(&system->shards[aldis__word_home(word)].inbox) >=
                       system->opts.inflight_msgs;
    if (!full && !crowded)
        return ALDIS_OK;
    const char *name = aldis__type_info(type)->name;
    return aldis__error_set(ALDIS_EAGAIN, to, name, "send: %s to actor %016llx: %s", name,
                            (unsigned long long)to.bits,
                            full ? "its mailbox is full" : "too many messages are on their way");
}

/* Under the lock: a plain message without a track. */
static aldis_err send_locked(aldis_system *system, const struct aldis__parcel *parcel,
                             uint32_t index, const struct aldis__track *track)
{
    uint64_t word;
    const aldis_send_opts *opts = parcel->opts;
    const char *name = parcel->type->name;
    aldis_err err = aldis__send_check_receiver(system, parcel->to, index, &word);
    if (err == ALDIS_OK)
        err = check_room(system, parcel->to, index, word);
    if (err != ALDIS_OK)
        return err;
    struct aldis__pool *pool = system->pools[system->worker_count];
    struct aldis__msg *msg =
        track ? aldis__parcel_build(pool, parcel, index, track)
              : aldis__send_build(pool, parcel->type, index, parcel->payload, parcel->size);
    bool has_room = !system->memory || !system->virtual_time ||
                    (msg && aldis__memory_spend(&system->workers[0], aldis__memory_of(msg), false));
    if (msg && !has_room)
        aldis__pool_free(pool, msg);
    if (!msg || !has_room)
        return aldis__error_set(ALDIS_ENOMEM, parcel->to, name,
                                "send: %s: memory, or the budget for it (option memory_max), is "
                                "used up",
                                name);
    unsigned rank = opts ? aldis__lane_rank(opts->lane) : ALDIS__RANK_NORMAL;
    msg->to = parcel->to;
    msg->from = aldis_nobody();
    msg->lane_class = (uint8_t)(aldis__msg_class(msg) | rank << 4);
    msg->pool_stamp = aldis__stamp_now(pool->index, aldis__clock_monotonic_ns() - system->epoch_ns);
    if (system->virtual_time) {
        err =
            aldis__virtual_outside(system, msg, aldis__word_home(word), opts ? opts->delay_ns : 0);
        if (err != ALDIS_OK && system->memory)
            aldis__memory_unspend(&system->workers[0], aldis__memory_of(msg));
        if (err != ALDIS_OK)
            aldis__pool_free(pool, msg);
        return err;
    }
    push(system, aldis__word_home(word), msg);
    return ALDIS_OK;
}

static aldis_err send_counted(aldis_system *system, const struct aldis__parcel *parcel,
                              uint32_t index, const struct aldis__track *track)
{
    aldis_err err = send_locked(system, parcel, index, track);
    system->outside_counts[index].sent++;
    if (err != ALDIS_OK)
        system->outside_counts[index].rejected++;
    if (system->memory && !system->virtual_time)
        aldis__memory_sent_outside(system);
    return err;
}

aldis_err aldis__outside_send_tracked(aldis_system *system, const struct aldis__parcel *parcel,
                                      const struct aldis__track *track)
{
    uint32_t index;
    const aldis_send_opts *opts = parcel->opts;
    aldis_err err = check_open(system, "send");
    if (err == ALDIS_OK)
        err = aldis__parcel_check(parcel, &index);
    if (err == ALDIS_OK)
        err = aldis__send_check_opts(opts, parcel->type);
    if (err == ALDIS_OK && opts && opts->delay_ns > 0 && !system->virtual_time)
        err = aldis__error_set(ALDIS_EINVAL, parcel->to, parcel->type->name,
                               "send: a delay from outside needs virtual time; live, let an actor "
                               "send it");
    if (err != ALDIS_OK)
        return err;
    aldis__system_lock(system);
    err = send_counted(system, parcel, index, track);
    aldis__system_unlock(system);
    return err;
}

aldis_err aldis_system_send_opts_raw(aldis_system *system, aldis_id to, aldis_type *type,
                                     const void *payload, size_t size, const aldis_send_opts *opts)
{
    const struct aldis__parcel parcel = {to, type, payload, size, opts, NULL};
    return aldis__outside_send_tracked(system, &parcel, NULL);
}

aldis_err aldis_system_send_raw(aldis_system *system, aldis_id to, aldis_type *type,
                                const void *payload, size_t size)
{
    return aldis_system_send_opts_raw(system, to, type, payload, size, NULL);
}

aldis_err aldis_system_send_until_raw(aldis_system *system, aldis_id to, aldis_type *type,
                                      const void *payload, size_t size, aldis_ns timeout_ns)
{
    if (timeout_ns < 0)
        return aldis__error_set(ALDIS_EINVAL, to, type ? type->name : "",
                                "send: timeout %lld ns; allowed: 0 or more", (long long)timeout_ns);
    aldis_ns start_ns = aldis__clock_monotonic_ns();
    _Atomic(uint32_t) never = 0; /* slept on for its time-out only */
    aldis_ns nap_ns = NAP_FIRST_NS;
    for (;;) {
        aldis_err err = aldis_system_send_raw(system, to, type, payload, size);
        if (err != ALDIS_EAGAIN)
            return err;
        aldis_ns waited_ns = aldis__clock_monotonic_ns() - start_ns;
        if (waited_ns >= timeout_ns)
            return aldis__error_set(ALDIS_ETIMEDOUT, to, type->name,
                                    "send: no room for %s within %lld ns", type->name,
                                    (long long)timeout_ns);
        if (nap_ns > timeout_ns - waited_ns)
            nap_ns = timeout_ns - waited_ns;
        aldis__futex_wait(&never, 0, nap_ns);
        if (nap_ns < NAP_LAST_NS)
            nap_ns *= 2;
    }
}

aldis_err aldis__outside_post(aldis_system *system, aldis_id from, aldis_id to, uint32_t type,
                              const void *payload)
{
    struct aldis__pool *pool = system->pools[system->worker_count];
    size_t size = payload ? aldis__type_info(type)->size : 0;
    struct aldis__msg *msg = aldis__pool_alloc_reserve(pool, size);
    if (!msg)
        return aldis__error_set(ALDIS_ENOMEM, to, "", "%s", aldis__type_info(type)->name);
    msg->to = to;
    msg->from = from;
    msg->type = (uint16_t)type;
    msg->flags = 0;
    msg->lane_class = (uint8_t)(ALDIS__RANK_CONTROL << 4 | aldis__msg_class(msg));
    msg->pool_stamp = pool->index << 24;
    if (size)
        memcpy(aldis__msg_inline(msg), payload, size);
    system->outside_counts[type].sent++;
    uint32_t home = aldis__word_home(
        aldis__directory_read(&system->directory[aldis__id_index(to, system->node_base)]));
    if (!system->virtual_time) {
        push(system, home, msg);
        return ALDIS_OK;
    }
    aldis_err err = aldis__virtual_outside(system, msg, home, ALDIS_NO_DELAY);
    if (err != ALDIS_OK) {
        system->outside_counts[type].rejected++;
        aldis__pool_free(pool, msg);
    }
    return err;
}

aldis_err aldis__outside_post_tracked(aldis_system *system, aldis_id to,
                                      const struct aldis__track *track, const void *payload,
                                      size_t size)
{
    ALDIS_CHECK(size <= ALDIS__POST_BYTES_MAX && !system->virtual_time);
    aldis_err err = check_open(system, "post");
    if (err != ALDIS_OK)
        return err;
    aldis__system_lock(system);
    struct aldis__pool *pool = system->pools[system->worker_count];
    struct aldis__msg *msg =
        aldis__pool_alloc_reserve(pool, sizeof *track + sizeof(struct aldis__msg_varying) + size);
    if (msg) {
        msg->to = msg->from = to;
        msg->type = ALDIS__TYPE_TRACK;
        msg->flags = ALDIS__MSG_TRACKED | ALDIS__MSG_VARIES;
        msg->lane_class = (uint8_t)(ALDIS__RANK_CONTROL << 4 | aldis__msg_class(msg));
        msg->pool_stamp = pool->index << 24;
        *aldis__msg_track(msg) = *track;
        struct aldis__msg_varying *varying = aldis__msg_body(msg);
        *varying = (struct aldis__msg_varying){.size = size};
        memcpy(varying + 1, payload, size);
        system->outside_counts[ALDIS__TYPE_TRACK].sent++;
        uint64_t place = aldis__id_index(to, system->node_base);
        push(system, aldis__word_home(aldis__directory_read(&system->directory[place])), msg);
    }
    aldis__system_unlock(system);
    return msg ? ALDIS_OK : aldis__error_set(ALDIS_ENOMEM, to, "", "post");
}

aldis_err aldis__outside_command(aldis_system *system, aldis_id actor, aldis_command command,
                                 aldis_ns deadline_ns)
{
    uint64_t word;
    aldis_err err = aldis__command_check(system, actor, command, deadline_ns, &word);
    struct aldis__command payload = {(uint32_t)command, false, deadline_ns};
    if (err == ALDIS_OK)
        err = aldis__outside_post(system, aldis_nobody(), actor, ALDIS__TYPE_COMMAND, &payload);
    return err;
}

aldis_err aldis_system_command(aldis_system *system, aldis_id actor, aldis_command command,
                               aldis_ns deadline_ns)
{
    aldis_err err = check_open(system, "command");
    if (err != ALDIS_OK)
        return err;
    aldis__system_lock(system);
    err = aldis__outside_command(system, actor, command, deadline_ns);
    aldis__system_unlock(system);
    return err;
}

/* ------------------------------------------------------------------ inputs, once more */

static aldis_err check_input(aldis_system *system, const aldis_input *input)
{
    if (!input || input->kind == ALDIS_INPUT_SPAWN || (unsigned)input->kind > ALDIS_INPUT_SPAWN)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "input: neither a message nor a command");
    if (!system->virtual_time)
        return aldis__error_set(ALDIS_ESTATE, aldis_nobody(), "", "input: the system is live");
    if (input->sequence >> ALDIS__SEQUENCE_BITS || input->at_ns == ALDIS_FOREVER)
        return aldis__error_set(ALDIS_EINVAL, input->to, "",
                                "input: sequence %llu at %lld ns; allowed: sequences below 2^48",
                                (unsigned long long)input->sequence, (long long)input->at_ns);
    return ALDIS_OK;
}

/* Under the lock. */
static aldis_err input_locked(aldis_system *system, const aldis_input *input)
{
    struct aldis__virtual *engine = system->virtual_engine;
    aldis_err err;
    if (input->at_ns < engine->now_ns)
        return aldis__error_set(ALDIS_ESTATE, input->to, "",
                                "input: its time %lld ns is over: it is %lld ns",
                                (long long)input->at_ns, (long long)engine->now_ns);
    engine->given = input;
    if (input->kind == ALDIS_INPUT_COMMAND) {
        err = aldis__outside_command(system, input->to, input->command, input->deadline_ns);
        engine->given = NULL;
        return err;
    }
    aldis_type type = {input->type_name, input->type_number, input->type_size, NULL, 0};
    aldis_send_opts opts = {.lane = input->lane};
    uint32_t index = 0;
    err = aldis__send_check_type(&type, input->payload, input->size, &index);
    if (err == ALDIS_OK)
        err = aldis__send_check_opts(&opts, &type);
    if (err == ALDIS_OK) {
        const struct aldis__parcel parcel = {input->to,   &type, input->payload,
                                             input->size, &opts, NULL};
        err = send_counted(system, &parcel, index, NULL);
    }
    engine->given = NULL;
    return err;
}

aldis_err aldis_system_input(aldis_system *system, const aldis_input *input)
{
    /* In on_window this thread has the lock. */
    bool inside = system && !aldis__system_is_foreign(system) &&
                  aldis__this_worker->ctx.system == system && system->virtual_time &&
                  system->virtual_engine->watch.telling;
    aldis_err err = inside ? ALDIS_OK : check_open(system, "input");
    if (err == ALDIS_OK)
        err = check_input(system, input);
    if (err != ALDIS_OK)
        return err;
    if (!inside)
        aldis__system_lock(system);
    err = input_locked(system, input);
    if (!inside)
        aldis__system_unlock(system);
    return err;
}

/* ------------------------------------------------------------------ spawning */

static void start_locked(aldis_system *system, aldis_id actor, aldis_id parent)
{
    if (system->virtual_time)
        aldis__virtual_outside_start(system, actor);
    /* Without memory for these two, the actor starts with its first message, and its parent does
     * not know it. */
    (void)aldis__outside_post(system, aldis_nobody(), actor, ALDIS__TYPE_RUN, NULL);
    if (!aldis_id_is_nobody(parent))
        (void)aldis__outside_post(system, actor, parent, ALDIS__TYPE_ADOPT, NULL);
}

aldis_err aldis_system_spawn_raw(aldis_system *system, const aldis_behaviour *behaviour,
                                 const aldis_spawn_opts *opts, aldis_id *out_id)
{
    aldis_err err = check_open(system, "spawn");
    if (err != ALDIS_OK)
        return err;
    uint32_t home;
    aldis__system_lock(system);
    err = check_open(system, "spawn"); /* again: under the lock it stays so */
    if (err == ALDIS_OK) {
        pthread_mutex_lock(&system->table_lock);
        err = aldis__outside_spawn(system, behaviour, opts, out_id, &home);
        pthread_mutex_unlock(&system->table_lock);
    }
    if (err == ALDIS_OK)
        start_locked(system, *out_id, opts ? opts->parent : aldis_nobody());
    aldis__system_unlock(system);
    return err;
}

/* ------------------------------------------------------------------ results of jobs */

/* Under the lock. The place for a result is not looked for: a job was accepted, so is its
 * result. If the actor has ended meanwhile, the worker that gets it finds it dead. */
static void push_result(aldis_system *system, aldis_id actor, const aldis_type *type,
                        uint32_t index, const void *result)
{
    struct aldis__pool *pool = system->pools[system->worker_count];
    struct aldis__msg *msg =
        aldis__send_build(pool, type, index, type->size ? result : NULL, type->size);
    system->outside_counts[index].sent++;
    if (!msg) {
        system->outside_counts[index].rejected++;
        return;
    }
    msg->to = msg->from = actor;
    msg->lane_class = (uint8_t)(msg->lane_class | ALDIS__RANK_NORMAL << 4);
    msg->pool_stamp = aldis__stamp_now(pool->index, aldis__clock_monotonic_ns() - system->epoch_ns);
    uint64_t place = aldis__id_index(actor, system->node_base);
    push(system, aldis__word_home(aldis__directory_read(&system->directory[place])), msg);
}

void aldis__outside_result(aldis_system *system, aldis_id actor, aldis_type *type, aldis_err err,
                           const void *result)
{
    uint32_t index = aldis__type_index(type);
    uint64_t word;
    aldis__system_lock(system);
    if (err == ALDIS_OK) {
        push_result(system, actor, type, index, result);
    } else if (aldis__send_check_receiver(system, actor, index, &word) == ALDIS_OK) {
        struct aldis__refusal refusal = {actor, index, 1, err};
        (void)aldis__outside_post(system, actor, actor, ALDIS__TYPE_UNDELIVERED, &refusal);
    }
    aldis__system_unlock(system);
}

/* ------------------------------------------------------------------ stopping all */

static uint64_t count_actors(aldis_system *system)
{
    aldis__system_hold(system);
    uint64_t actors = aldis__system_actors(system);
    aldis__system_release(system);
    return actors;
}

/* How far command_all has come. */
struct command_cursor {
    uint32_t birth, slot;
};

/* Under the lock, workers held: command the next actors that have no parent, or any, `left` of them
 * at most. False: those were all. */
static bool command_more(aldis_system *system, aldis_command command, bool roots_only,
                         struct command_cursor *at, uint32_t left)
{
    for (; at->birth <= system->shard_count; at->birth++, at->slot = 0) {
        const struct aldis__shard *shard = &system->shards[at->birth];
        for (; at->slot < shard->slot_end; at->slot++) {
            uint64_t index = (uint64_t)at->birth << ALDIS__SLOT_BITS | at->slot;
            const struct aldis__cell *cell = aldis__system_cell(system, index);
            uint64_t word = aldis__directory_read(&system->directory[index]);
            if (!cell->kind || !aldis__word_is_alive(word, cell->id) ||
                (roots_only && !aldis_id_is_nobody(cell->parent)))
                continue;
            if (left-- == 0)
                return true;
            (void)aldis__outside_command(system, cell->id, command, 0);
        }
    }
    return false;
}

/* Command all of them. In virtual time in portions, a nanosecond apart: to tell a million actors at
 * one instant would take a message, an extension and two changes for each of them at once, more
 * than the actors themselves. */
static void command_all(aldis_system *system, aldis_command command, bool roots_only)
{
    struct command_cursor at = {0};
    uint64_t actors = count_actors(system);
    uint32_t portion = UINT32_MAX;
    if (system->virtual_time)
        portion =
            (uint32_t)(actors > (uint64_t)STOP_PORTION * STOP_PORTIONS ? actors / STOP_PORTIONS
                                                                       : STOP_PORTION);
    bool more = true;
    while (more) {
        aldis__system_hold(system);
        more = command_more(system, command, roots_only, &at, portion);
        aldis__system_release(system);
        /* Should another thread run the system, it is that one that lets them end. */
        if (more)
            (void)aldis__system_run(system, aldis__virtual_add_time(aldis__virtual_now(system), 1),
                                    NULL);
    }
}

/* Virtual: run until nothing happens. False: another thread runs the system. */
static bool run_to_end(aldis_system *system)
{
    aldis_run_end end = ALDIS_RUN_HALTED;
    aldis_err err = ALDIS_OK;
    while (err == ALDIS_OK && end == ALDIS_RUN_HALTED) /* a halt is for runs, not for this one */
        err = aldis__system_run(system, ALDIS_FOREVER, &end);
    return err != ALDIS_ESTATE;
}

/* Until all have ended, or the time is over. */
static bool wait_for_end(aldis_system *system, aldis_ns timeout_ns)
{
    aldis_ns start_ns = aldis__clock_monotonic_ns();
    _Atomic(uint32_t) never = 0;
    aldis_ns nap_ns = NAP_FIRST_NS;
    if (system->virtual_time && run_to_end(system))
        return count_actors(system) == 0;
    while (count_actors(system) > 0) {
        if (system->virtual_time && run_to_end(system))
            return count_actors(system) == 0;
        if (aldis__clock_monotonic_ns() - start_ns >= timeout_ns)
            return false;
        aldis__futex_wait(&never, 0, nap_ns);
        if (nap_ns < NAP_LAST_NS)
            nap_ns *= 2;
    }
    return true;
}

/* How many had to be killed. */
static uint64_t stop_all(aldis_system *system, aldis_ns timeout_ns)
{
    aldis__system_hold(system);
    /* Relaxed: a request; see check_open() above. */
    aldis__store_relaxed(&system->stopping, true);
    aldis__system_release(system);
    command_all(system, ALDIS_CMD_STOP, true);
    if (wait_for_end(system, timeout_ns))
        return 0;
    uint64_t left = count_actors(system);
    command_all(system, ALDIS_CMD_KILL, false);
    (void)wait_for_end(system, ALDIS_FOREVER);
    return left ? left : 1;
}

aldis_err aldis_system_stop(aldis_system *system, aldis_ns timeout_ns)
{
    aldis_err err = check_open(system, "stop");
    if (err != ALDIS_OK)
        return err;
    if (timeout_ns < 0)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "stop: timeout %lld ns; allowed: 0 or more", (long long)timeout_ns);
    aldis_stats before;
    bool counted = aldis_system_stats(system, &before) == ALDIS_OK;
    uint64_t killed = stop_all(system, timeout_ns);
    aldis__report_stop(system, counted ? &before : NULL, killed);
    if (counted)
        aldis_stats_fini(&before);
    if (killed == 0)
        return ALDIS_OK;
    return aldis__error_set(ALDIS_ETIMEDOUT, aldis_nobody(), "",
                            "stop: %llu actors had not ended in time and were killed",
                            (unsigned long long)killed);
}
