// SPDX-License-Identifier: Apache-2.0
/* shed.c: see shed.h. Layer: core. */
#include "core/shed.h"

#include "base/clock.h"
#include "base/error.h"
#include "core/deliver.h"
#include "core/tracked.h"
#include <stdlib.h>

enum {
    INTERVAL_TARGETS = 10, /* the default interval */
    REMEMBERED = 16,       /* intervals for which a rate that was found is good still */
    STAMP_STEPS = 32       /* live: units of a stamp in the target, at least */
};
#define TARGET_MIN_NS ALDIS_US
#define TARGET_MAX_NS ALDIS_HOUR
#define INTERVAL_MAX_NS (24 * ALDIS_HOUR)

/* ------------------------------------------------------------------ options */

static aldis_err refuse_time(const char *field, aldis_ns found, aldis_ns low, aldis_ns high)
{
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                            "mailbox.%s is %lld; allowed: %lld to %lld ns", field, (long long)found,
                            (long long)low, (long long)high);
}

aldis_err aldis__shed_resolve(const aldis_mailbox_opts *opts,
                              const struct aldis__shed_opts *defaults,
                              struct aldis__shed_opts *out_opts)
{
    struct aldis__shed_opts shed = *defaults;
    if (opts->shed_target_ns == ALDIS_FOREVER) {
        shed.target_ns = 0;
    } else if (opts->shed_target_ns) {
        if (opts->shed_target_ns < TARGET_MIN_NS || opts->shed_target_ns > TARGET_MAX_NS)
            return refuse_time("shed_target_ns", opts->shed_target_ns, TARGET_MIN_NS,
                               TARGET_MAX_NS);
        shed.target_ns = opts->shed_target_ns;
        shed.interval_ns = INTERVAL_TARGETS * shed.target_ns;
    }
    if (opts->shed_interval_ns) {
        if (opts->shed_interval_ns < shed.target_ns || opts->shed_interval_ns < TARGET_MIN_NS ||
            opts->shed_interval_ns > INTERVAL_MAX_NS)
            return refuse_time("shed_interval_ns", opts->shed_interval_ns,
                               shed.target_ns > TARGET_MIN_NS ? shed.target_ns : TARGET_MIN_NS,
                               INTERVAL_MAX_NS);
        shed.interval_ns = opts->shed_interval_ns;
    }
    *out_opts = shed;
    return ALDIS_OK;
}

bool aldis__shed_create(const aldis_system *system, struct aldis__cell *cell,
                        const struct aldis__shed_opts *opts)
{
    struct aldis__cell_ext *ext = aldis__cell_extend(cell);
    struct aldis__shed *shed = ext ? calloc(1, sizeof *shed) : NULL;
    if (!shed)
        return false;
    shed->target_ns = opts->target_ns;
    shed->interval_ns = opts->interval_ns;
    while (shed->shift < ALDIS__STAMP_SHIFT &&
           (ALDIS_NS << (shed->shift + 1)) <= shed->target_ns / STAMP_STEPS)
        shed->shift++;
    ext->shed = shed;
    cell->flags |= ALDIS__CELL_SHEDS;
    if (!system->virtual_time)
        cell->flags |= ALDIS__CELL_STAMPS;
    return true;
}

/* ------------------------------------------------------------------ how long they have waited */

/* Not the worker's time, which is read once a round: a round of slow handlers may be longer than
 * what a message may wait. */
static aldis_ns now_of(const struct aldis__worker *worker)
{
    const aldis_system *system = worker->ctx.system;
    return system->virtual_time ? worker->ctx.now_ns
                                : aldis__clock_monotonic_ns() - system->epoch_ns;
}

static uint32_t stamp_at(const struct aldis__shed *shed, aldis_ns at_ns)
{
    return (uint32_t)((uint64_t)at_ns >> shed->shift) & ALDIS__STAMP_MASK;
}

aldis_ns aldis__shed_age(const struct aldis__cell *cell, const struct aldis__msg *msg,
                         aldis_ns now_ns)
{
    const struct aldis__shed *shed = cell->ext->shed;
    return (aldis_ns)((stamp_at(shed, now_ns) - msg->pool_stamp) & ALDIS__STAMP_MASK)
           << shed->shift;
}

static void set_stamp(const struct aldis__worker *worker, const struct aldis__shed *shed,
                      struct aldis__msg *msg, aldis_ns now_ns)
{
    if (worker->ctx.system->virtual_time)
        aldis__msg_stamp(msg)->at_ns = now_ns;
    else
        msg->pool_stamp = (msg->pool_stamp & ~ALDIS__STAMP_MASK) | stamp_at(shed, now_ns);
}

void aldis__shed_stamp(struct aldis__worker *worker, struct aldis__cell *cell,
                       struct aldis__msg *msg)
{
    set_stamp(worker, cell->ext->shed, msg, now_of(worker));
}

void aldis__shed_stamp_list(struct aldis__worker *worker, struct aldis__cell *cell,
                            struct aldis__msg *msg)
{
    aldis_ns now_ns = now_of(worker);
    for (; msg; msg = msg->next)
        set_stamp(worker, cell->ext->shed, msg, now_ns);
}

static aldis_ns waited(const struct aldis__worker *worker, const struct aldis__cell *cell,
                       struct aldis__msg *msg, aldis_ns now_ns)
{
    return worker->ctx.system->virtual_time ? now_ns - aldis__msg_stamp(msg)->at_ns
                                            : aldis__shed_age(cell, msg, now_ns);
}

/* ------------------------------------------------------------------ the rule of one lane */

/* The integer part of the square root, bit by bit. */
static uint64_t square_root(uint64_t x)
{
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 62; bit; bit >>= 2) {
        if (x >= root + bit) {
            x -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    return root;
}

/* The next time is interval / sqrt(count) after this one. */
static aldis_ns control_law(aldis_ns at_ns, aldis_ns interval_ns, uint32_t count)
{
    uint64_t root = square_root((uint64_t)count << 32); /* of count, 16 bits behind the point */
    return at_ns + (aldis_ns)(((uint64_t)interval_ns << 16) / root);
}

static void begin(const struct aldis__shed *shed, struct aldis__shed_lane *lane, aldis_ns now_ns)
{
    uint32_t shed_last_time = lane->count - lane->last;
    bool is_recent = now_ns - lane->next_ns < REMEMBERED * shed->interval_ns;
    lane->count = shed_last_time > 1 && is_recent ? shed_last_time : 1;
    lane->last = lane->count;
    lane->next_ns = control_law(now_ns, shed->interval_ns, lane->count);
    lane->shedding = true;
}

/* The mailbox is overloaded from when a lane begins to shed until nothing was shed for an interval.
 * As long as it is, what is over the target goes at once. */
static bool is_overloaded(const struct aldis__shed *shed, aldis_ns now_ns)
{
    return shed->msgs > 0 && now_ns - shed->last_ns < shed->interval_ns;
}

/* What was taken from the lane has waited so long; `is_last`: nothing waits behind it. Is something
 * to be shed now? But for the line about the target, this is RFC 8289, section 5.6. */
static bool must_shed(const struct aldis__shed *shed, struct aldis__shed_lane *lane,
                      aldis_ns waited_ns, aldis_ns now_ns, bool is_last)
{
    if (waited_ns < shed->target_ns / 2 || is_last) {
        lane->due_ns = 0;
        lane->shedding = false;
        return false;
    }
    if (lane->due_ns == 0)
        lane->due_ns = now_ns + shed->interval_ns;
    if (waited_ns > shed->target_ns && is_overloaded(shed, now_ns))
        return true;
    if (now_ns < lane->due_ns)
        return false;
    if (!lane->shedding) {
        begin(shed, lane, now_ns);
        return true;
    }
    if (now_ns < lane->next_ns)
        return false;
    lane->count++;
    lane->next_ns = control_law(lane->next_ns, shed->interval_ns, lane->count);
    return true;
}

/* ------------------------------------------------------------------ taking and shedding */

/* What is never shed: the most urgent lane; answers that were asked for; what an actor sends
 * itself, its timers too. */
static bool is_exempt(const struct aldis__cell *cell, struct aldis__msg *msg)
{
    return aldis__msg_rank(msg) <= ALDIS__RANK_CRITICAL || (msg->flags & ALDIS__MSG_TIMER) ||
           aldis_id_equal(msg->from, cell->id) || msg->type < ALDIS__TYPE_STATUS ||
           aldis__msg_is_reserved(msg);
}

static void shed_one(struct aldis__worker *worker, struct aldis__cell *cell, struct aldis__msg *msg,
                     aldis_ns now_ns)
{
    struct aldis__shed *shed = cell->ext->shed;
    shed->msgs++;
    shed->last_ns = now_ns;
    worker->shed[aldis__msg_rank(msg)]++;
    aldis__refuse(worker, msg, ALDIS__DROPPED, ALDIS_ESHED);
}

/* The oldest message of the lowest lane below `rank` that has one to shed, or NULL. */
static struct aldis__msg *pop_lower(struct aldis__cell *cell, unsigned rank)
{
    for (unsigned lane = ALDIS__RANK_LOW; lane > rank; lane--) {
        struct aldis__msg *head =
            lane == ALDIS__RANK_NORMAL ? cell->head : cell->ext->lanes[lane].head;
        if (head && !is_exempt(cell, head))
            return aldis__mailbox_pop_lane(cell, lane);
    }
    return NULL;
}

/* As long as a lane is late and there is something in a lower one, that goes first. False: it is
 * the turn of msg itself. */
static bool may_be_handled(struct aldis__worker *worker, struct aldis__cell *cell,
                           struct aldis__msg *msg, aldis_ns now_ns)
{
    struct aldis__shed *shed = cell->ext->shed;
    unsigned rank = aldis__msg_rank(msg);
    if (is_exempt(cell, msg))
        return true;
    aldis_ns waited_ns = waited(worker, cell, msg, now_ns);
    while (must_shed(shed, &shed->lanes[rank], waited_ns, now_ns, cell->depth == 0)) {
        struct aldis__msg *lower = pop_lower(cell, rank);
        if (!lower)
            return false;
        shed_one(worker, cell, lower, now_ns);
    }
    return true;
}

/* Nothing waits: no lane is late. */
static void calm_down(struct aldis__shed *shed)
{
    for (unsigned rank = 0; rank < ALDIS__RANK_COUNT; rank++) {
        shed->lanes[rank].due_ns = 0;
        shed->lanes[rank].shedding = false;
    }
}

struct aldis__msg *aldis__shed_pop(struct aldis__worker *worker, struct aldis__cell *cell)
{
    struct aldis__cell_ext *ext = cell->ext;
    aldis_ns now_ns = now_of(worker);
    for (;;) {
        uint32_t turns_since_low = ext->turns_since_low;
        struct aldis__msg *msg = aldis__mailbox_pop_lanes(cell);
        if (!msg) {
            calm_down(ext->shed);
            return NULL;
        }
        if (may_be_handled(worker, cell, msg, now_ns))
            return msg;
        ext->turns_since_low = turns_since_low; /* it was no turn */
        shed_one(worker, cell, msg, now_ns);
    }
}
