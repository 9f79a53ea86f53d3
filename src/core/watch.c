// SPDX-License-Identifier: Apache-2.0
/* watch.c: see watch.h. Layer: core. */
#include "core/watch.h"

#include "base/error.h"
#include "base/hash.h"
#include "core/window.h"

static uint64_t count_events(const aldis_system *system)
{
    uint64_t events = 0;
    for (uint32_t i = 0; i < system->worker_count; i++)
        events += system->workers[i].window_events;
    return events;
}

void aldis__watch_window(aldis_system *system, aldis_ns start_ns)
{
    struct aldis__virtual *engine = system->virtual_engine;
    uint64_t events = count_events(system);
    aldis_window window = {.index = engine->windows - 1,
                           .start_ns = start_ns,
                           .end_ns = engine->end_ns,
                           .events = events - engine->watch.events,
                           .print = engine->print};
    engine->watch.events = events;
    engine->watch.on_window(engine->watch.window_arg, &window);
}

void aldis__watch_handled(struct aldis__worker *worker, const struct aldis__cell *cell,
                          struct aldis__msg *msg, const uint64_t record[6], const void *payload,
                          size_t size)
{
    const struct aldis__virtual *engine = worker->ctx.system->virtual_engine;
    uint64_t digest = aldis__digest_bytes(0, record, 6 * sizeof record[0]);
    aldis_handled handled = {.window = engine->windows,
                             .at_ns = worker->ctx.now_ns,
                             .microstep = worker->ctx.microstep,
                             .receiver = msg->to,
                             .sender = msg->from,
                             .sequence = aldis__msg_stamp(msg)->order &
                                         ((UINT64_C(1) << ALDIS__SEQUENCE_BITS) - 1),
                             .kind_name = cell->kind->behaviour->name,
                             .type_name = aldis__type_info(msg->type)->name,
                             .size = size,
                             .digest = size ? aldis__digest_bytes(digest, payload, size) : digest};
    engine->watch.on_handled(engine->watch.handled_arg, &handled);
}

/* ------------------------------------------------------------------ from outside */

static aldis_err check(aldis_system *system, const char *call)
{
    aldis_err err = aldis__system_check_outside(system, call);
    if (err == ALDIS_OK && !system->virtual_time)
        err = aldis__error_set(ALDIS_ESTATE, aldis_nobody(), "", "%s: the system is live", call);
    return err;
}

aldis_err aldis_system_on_window(aldis_system *system, aldis_window_fn fn, void *arg)
{
    aldis_err err = check(system, "on_window");
    if (err != ALDIS_OK)
        return err;
    aldis__system_lock(system);
    struct aldis__watch *watch = &system->virtual_engine->watch;
    watch->on_window = fn;
    watch->window_arg = arg;
    watch->events = count_events(system);
    aldis__system_unlock(system);
    return ALDIS_OK;
}

aldis_err aldis_system_on_handled(aldis_system *system, aldis_handled_fn fn, void *arg)
{
    aldis_err err = check(system, "on_handled");
    if (err != ALDIS_OK)
        return err;
    aldis__system_lock(system);
    struct aldis__watch *watch = &system->virtual_engine->watch;
    watch->on_handled = fn;
    watch->handled_arg = arg;
    aldis__system_unlock(system);
    return ALDIS_OK;
}
