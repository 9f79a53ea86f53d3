// SPDX-License-Identifier: Apache-2.0
/* watch.c: see watch.h. Layer: core. */
#include "core/watch.h"

#include "base/error.h"
#include "base/hash.h"
#include "core/deliver.h"
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
    engine->watch.telling = true;
    engine->watch.on_window(engine->watch.window_arg, &window);
    engine->watch.telling = false;
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

static aldis_lane lane_of(const struct aldis__msg *msg)
{
    static const aldis_lane lanes[ALDIS__RANK_COUNT] = {ALDIS_LANE_CONTROL, ALDIS_LANE_CRITICAL,
                                                        ALDIS_LANE_HIGH, ALDIS_LANE_NORMAL,
                                                        ALDIS_LANE_LOW};
    return lanes[aldis__msg_rank(msg)];
}

void aldis__watch_input(aldis_system *system, struct aldis__msg *msg)
{
    const struct aldis__virtual *engine = system->virtual_engine;
    const struct aldis__stamp *stamp = aldis__msg_stamp(msg);
    const struct aldis__type_info *type = aldis__type_info(msg->type);
    aldis_input input = {.window = engine->windows,
                         .now_ns = engine->now_ns,
                         .at_ns = stamp->at_ns,
                         .sequence = stamp->order,
                         .to = msg->to};
    if (msg->type == ALDIS__TYPE_COMMAND) {
        const struct aldis__command *command = aldis__msg_payload(msg, NULL);
        input.kind = ALDIS_INPUT_COMMAND;
        input.command = (aldis_command)command->command;
        input.deadline_ns = command->deadline_ns;
    } else if (msg->type == ALDIS__TYPE_RUN) {
        input.kind = ALDIS_INPUT_SPAWN;
    } else if (msg->type >= ALDIS__TYPE_STATUS) {
        input.type_name = type->name;
        input.type_number = type->number;
        input.type_size = type->size;
        input.lane = lane_of(msg);
        input.payload = aldis__msg_payload(msg, &input.size);
    } else {
        return; /* the runtime's own: it belongs to a spawn */
    }
    engine->watch.on_input(engine->watch.input_arg, &input);
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

aldis_err aldis_system_on_input(aldis_system *system, aldis_input_fn fn, void *arg)
{
    aldis_err err = check(system, "on_input");
    if (err != ALDIS_OK)
        return err;
    aldis__system_lock(system);
    struct aldis__watch *watch = &system->virtual_engine->watch;
    watch->on_input = fn;
    watch->input_arg = arg;
    aldis__system_unlock(system);
    return ALDIS_OK;
}
