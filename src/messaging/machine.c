// SPDX-License-Identifier: Apache-2.0
/* machine.c: running state machines. Layer: messaging, on the core's public calls.
 *
 * After Harel, "Statecharts: a visual formalism for complex systems", Science of Computer
 * Programming 8 (1987), without parallel states: those are several actors. Everything here belongs
 * to the actor whose handler runs. */
#include "messaging/machine.h"

#include "base/atomic.h"
#include "base/error.h"
#include <aldis/stash.h>
#include <string.h>

enum { NONE = UINT8_MAX };

/* ------------------------------------------------------------------ what rows may do */

aldis_err aldis_go(void *self, const void *payload, aldis_ctx *ctx)
{
    (void)self;
    (void)payload;
    (void)ctx;
    return ALDIS_OK;
}

aldis_err aldis_ignore(void *self, const void *payload, aldis_ctx *ctx)
{
    (void)self;
    (void)payload;
    (void)ctx;
    return ALDIS_OK;
}

aldis_err aldis_defer(void *self, const void *payload, aldis_ctx *ctx)
{
    (void)self;
    (void)payload;
    return aldis_stash(ctx);
}

aldis_err aldis_refuse(void *self, const void *payload, aldis_ctx *ctx)
{
    (void)self;
    (void)payload;
    return aldis_reject(ctx, ALDIS_EREFUSED);
}

aldis_err aldis_nothing(void *self, aldis_ctx *ctx)
{
    (void)self;
    (void)ctx;
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ the tree of states */

/* The innermost state that holds both: both stand behind it in the list. */
static uint32_t common(const aldis_machine_table *table, uint32_t a, uint32_t b)
{
    while (a != b) {
        if (a > b)
            a = table->states[a].parent;
        else
            b = table->states[b].parent;
    }
    return a;
}

static bool has_children(const aldis_machine_table *table, uint32_t state)
{
    return state + 1 < table->state_count && table->states[state + 1].parent == state;
}

/* The row for the event of this state or of the innermost one around it; NULL: none. */
static const aldis_machine_row *find_row(const aldis_machine_table *table, uint32_t event,
                                         uint32_t *state)
{
    for (;;) {
        const aldis_machine_row *row = aldis__row_of(table, *state, event);
        if (row->handle)
            return row;
        if (*state == ALDIS__TOP)
            return NULL;
        *state = table->states[*state].parent;
    }
}

/* ------------------------------------------------------------------ are the tables sound? */

static aldis_err unsound(const aldis_machine_table *table, const char *what, const char *name)
{
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "machine %s: %s %s", table->name,
                            name, what);
}

static aldis_err check_state(const aldis_machine_table *table, uint32_t state)
{
    const aldis_machine_state *s = &table->states[state];
    /* Between it and its parent stand only siblings and what lies within them. */
    if (s->parent >= state || !aldis__is_within(table, state - 1, s->parent))
        return unsound(table, "does not stand right behind the state that it lies within", s->name);
    if (aldis__depth_of(table, state) > ALDIS_MACHINE_DEPTH_MAX)
        return unsound(table, "lies too deep (see ALDIS_MACHINE_DEPTH_MAX)", s->name);
    if (s->timeout_ns < 0)
        return unsound(table, "has a negative time-out", s->name);
    if (s->timeout_ns == 0)
        return ALDIS_OK;
    for (uint32_t event = 0; event < table->event_count; event++)
        if (table->events[event].is_timeout && find_row(table, event, &(uint32_t){state}))
            return ALDIS_OK;
    return unsound(table, "has a time-out but no row for aldis_state_timeout", s->name);
}

static bool is_named(const aldis_machine_row *row, const char *name)
{
    return strcmp(row->handler_name, name) == 0;
}

static aldis_err check_row(const aldis_machine_table *table, uint32_t state, uint32_t event)
{
    const aldis_machine_row *row = aldis__row_of(table, state, event);
    const char *name = table->events[event].type->name;
    bool stays = row->targets == ALDIS__STAY_BIT;
    bool defers = is_named(row, "aldis_defer");
    if ((defers || is_named(row, "aldis_refuse") || is_named(row, "aldis_ignore")) && !stays)
        return unsound(table, "is ignored, deferred or refused: its target must be stay", name);
    if (is_named(row, "aldis_go") && (stays || (row->targets & (row->targets - 1))))
        return unsound(table, "does nothing but go: it needs one target", name);
    if (defers && table->events[event].is_timeout)
        return unsound(table, "cannot be deferred", name);
    return row->targets & 1 ? unsound(table, "has top as its target", name) : ALDIS_OK;
}

static aldis_err check_event(const aldis_machine_table *table, uint32_t event)
{
    bool known = false;
    for (uint32_t state = 0; state < table->state_count; state++) {
        if (!aldis__row_of(table, state, event)->handle)
            continue;
        known = true;
        aldis_err err = check_row(table, state, event);
        if (err != ALDIS_OK)
            return err;
    }
    return known ? ALDIS_OK
                 : unsound(table, "is in its protocol, but no state has a row for it",
                           table->events[event].type->name);
}

/* Once for each table: it does not change. */
static aldis_err check(const aldis_machine_table *table)
{
    /* M1 acquire: pairs with M2 below. There is nothing to see but the word itself. */
    if (aldis__plain_load_acquire(table->checked))
        return ALDIS_OK;
    aldis_err err = ALDIS_OK;
    for (uint32_t state = 1; err == ALDIS_OK && state < table->state_count; state++)
        err = check_state(table, state);
    for (uint32_t event = 0; err == ALDIS_OK && event < table->event_count; event++)
        err = check_event(table, event);
    if (err == ALDIS_OK && table->initial == ALDIS__TOP)
        err = unsound(table, "cannot be the first state", "top");
    if (err == ALDIS_OK)
        aldis__plain_store_release(table->checked, 1); /* M2 release: pairs with M1 above. */
    return err;
}

/* ------------------------------------------------------------------ time-outs */

static aldis_timer *timer_of(aldis_machine *machine, uint32_t state)
{
    return &machine->timeouts[aldis__depth_of(machine->table, state) - 1];
}

static void disarm(aldis_machine *machine, uint32_t state, aldis_ctx *ctx)
{
    aldis_timer *timer = timer_of(machine, state);
    if (timer->bits)
        (void)aldis_timer_cancel(ctx, *timer); /* not there: it has fired */
    timer->bits = 0;
}

static aldis_err arm(aldis_machine *machine, uint32_t state, aldis_ns timeout_ns, aldis_ctx *ctx)
{
    aldis_state_timeout timeout = {.state = state};
    aldis_timer_opts opts = {.delay_ns = timeout_ns};
    return aldis_timer_start_raw(ctx, &opts, &aldis_state_timeout_type, &timeout, sizeof timeout,
                                 timer_of(machine, state));
}

aldis_err aldis_machine_set_timeout(aldis_ctx *ctx, aldis_machine *machine, aldis_ns timeout_ns)
{
    if (!machine || timeout_ns <= 0)
        return aldis__error_set(ALDIS_EINVAL, aldis_self(ctx), "",
                                "machine: a time-out of %lld ns; allowed: 1 or more",
                                (long long)timeout_ns);
    if (!machine->table || machine->state == ALDIS__TOP)
        return aldis__error_set(ALDIS_ESTATE, aldis_self(ctx), "",
                                "machine: no state is there that could time out");
    aldis_timer old = *timer_of(machine, machine->state);
    aldis_err err = ALDIS_OK;
    if (timeout_ns == ALDIS_FOREVER)
        timer_of(machine, machine->state)->bits = 0;
    else
        err = arm(machine, machine->state, timeout_ns, ctx);
    if (err == ALDIS_OK && old.bits)
        (void)aldis_timer_cancel(ctx, old);
    return err;
}

/* ------------------------------------------------------------------ transitions */

static void keep_first(aldis_err *first, aldis_err err)
{
    if (*first == ALDIS_OK)
        *first = err;
}

/* Enter the states below machine->state down to target, and the first ones within that. */
static aldis_err enter(aldis_machine *machine, uint32_t target, void *self, aldis_ctx *ctx)
{
    const aldis_machine_table *table = machine->table;
    aldis_err first = ALDIS_OK;
    while (machine->state != target || has_children(table, target)) {
        uint32_t next = target;
        if (machine->state == target)
            next = target = target + 1;
        while (table->states[next].parent != machine->state)
            next = table->states[next].parent;
        machine->state = (uint8_t)next;
        if (table->states[next].timeout_ns)
            keep_first(&first, arm(machine, next, table->states[next].timeout_ns, ctx));
        keep_first(&first, table->states[next].enter(self, ctx));
    }
    machine->since_ns = aldis_now(ctx);
    return first;
}

static aldis_err leave(aldis_machine *machine, uint32_t outer, void *self, aldis_ctx *ctx)
{
    const aldis_machine_table *table = machine->table;
    aldis_err first = ALDIS_OK;
    while (machine->state != outer) {
        uint32_t state = machine->state;
        disarm(machine, state, ctx);
        keep_first(&first, table->states[state].leave(self, ctx));
        disarm(machine, state, ctx); /* should its exit have armed it again */
        machine->state = (uint8_t)table->states[state].parent;
    }
    return first;
}

/* By a row of `source`. All of it happens, whatever fails on the way. */
static aldis_err go(aldis_machine *machine, uint32_t source, uint32_t target, void *self,
                    aldis_ctx *ctx)
{
    const aldis_machine_table *table = machine->table;
    uint32_t outer = common(table, source, target);
    if (outer == source || outer == target)
        outer = table->states[outer].parent;
    aldis_err first = leave(machine, outer, self, ctx);
    keep_first(&first, enter(machine, target, self, ctx));
    machine->transitions++;
    keep_first(&first, aldis_unstash_all(ctx));
    return first;
}

aldis_err aldis_machine_start_(aldis_machine *machine, const aldis_machine_table *table, void *self,
                               aldis_ctx *ctx)
{
    aldis_err err = check(table);
    if (err != ALDIS_OK)
        return err;
    memset(machine, 0, sizeof *machine);
    machine->table = table;
    return enter(machine, table->initial, self, ctx);
}

/* ------------------------------------------------------------------ handling */

static aldis_err undeclared(const aldis_machine *machine, uint32_t state, const char *target,
                            aldis_ctx *ctx)
{
    const aldis_machine_table *table = machine->table;
    const char *event = table->events[machine->event].type->name;
    const char *name = table->states[state].name;
    aldis_id self = aldis_self(ctx);
    char text[256];
    snprintf(text, sizeof text, "%s in state %s: on %s no transition%s%s is declared", table->name,
             name, event, target ? " to " : "", target ? target : "");
    if (ctx)
        (void)aldis_fail(ctx, text); /* for the log; it has an error of its own */
    return aldis__error_set(ALDIS_ETRANSITION, self, event, "%s", text);
}

/* The handler has chosen none of several targets, or there is one. */
static uint32_t target_of(const aldis_machine *machine, const aldis_machine_row *row)
{
    if (machine->chosen != NONE)
        return machine->chosen;
    if (row->targets & ALDIS__STAY_BIT)
        return ALDIS__STAY;
    bool is_single = !(row->targets & (row->targets - 1));
    return is_single ? (uint32_t)__builtin_ctzll(row->targets) : NONE;
}

aldis_err aldis_machine_handle_(aldis_machine *machine, uint32_t event, void *self,
                                const void *payload, aldis_ctx *ctx)
{
    const aldis_machine_table *table = machine->table;
    uint32_t state = machine->state;
    if (table->events[event].is_timeout) {
        state = ((const aldis_state_timeout *)payload)->state;
        /* Whoever sends one by hand, or keeps one in the stash, must not confuse the machine. */
        if (state == ALDIS__TOP || state >= table->state_count ||
            !aldis__is_within(table, machine->state, state))
            return ALDIS_OK;
        timer_of(machine, state)->bits = 0;
    }
    uint32_t inner = state;
    const aldis_machine_row *row = find_row(table, event, &state);
    machine->event = (uint16_t)event;
    if (!row)
        return undeclared(machine, inner, NULL, ctx);
    machine->row = row;
    machine->chosen = NONE;
    aldis_err err = row->handle(self, payload, ctx);
    machine->row = NULL;
    if (err != ALDIS_OK)
        return err;
    uint32_t target = target_of(machine, row);
    if (target == ALDIS__STAY)
        return ALDIS_OK;
    if (target == NONE)
        return undeclared(machine, inner, "stay", ctx);
    return go(machine, state, target, self, ctx);
}

aldis_err aldis_machine_become(aldis_machine *machine, uint32_t state)
{
    if (!machine || !machine->row)
        return aldis__error_set(ALDIS_ESTATE, aldis_nobody(), "",
                                "become: no handler of a machine's row runs");
    const aldis_machine_table *table = machine->table;
    if (state != ALDIS__STAY && state >= table->state_count)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "become: no state %u of %s",
                                state, table->name);
    if (!(machine->row->targets >> state & 1))
        return undeclared(machine, machine->state,
                          state == ALDIS__STAY ? "stay" : table->states[state].name, NULL);
    machine->chosen = (uint8_t)state;
    return ALDIS_OK;
}

bool aldis_machine_is_in(const aldis_machine *machine, uint32_t state)
{
    return machine && machine->table && state < machine->table->state_count &&
           aldis__is_within(machine->table, machine->state, state);
}

const char *aldis_machine_state_name(const aldis_machine *machine)
{
    return machine && machine->table ? machine->table->states[machine->state].name : "";
}
