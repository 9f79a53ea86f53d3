// SPDX-License-Identifier: Apache-2.0
/* machine.h: a behaviour that is a state machine, written as two tables. Layer: public.
 *
 *     struct door {
 *         aldis_machine machine;      // a member of this name
 *         uint32_t rings;
 *     };
 *
 *     #define DOOR_STATES(S, kind)
 *         //      state   within   on entry        on exit        at most
 *         S(kind, shut,   top,     aldis_nothing,  aldis_nothing, 0)
 *         S(kind, open,   top,     let_light_in,   aldis_nothing, 10 * ALDIS_SECOND)
 *         S(kind, locked, top,     aldis_nothing,  aldis_nothing, 0)
 *     ALDIS_STATES(door, DOOR_STATES);
 *
 *     ... the handlers ...
 *
 *     #define DOOR_TABLE(T, kind)
 *         //      in      on                   do            then
 *         T(kind, shut,   push,                aldis_go,     open)
 *         T(kind, shut,   turn_key,            aldis_go,     locked)
 *         T(kind, open,   push,                swing,        stay)
 *         T(kind, open,   turn_key,            aldis_refuse, stay)
 *         T(kind, open,   aldis_state_timeout, aldis_go,     shut)
 *         T(kind, locked, push,                aldis_defer,  stay)
 *         T(kind, locked, turn_key,            try_key,      shut, stay)
 *         T(kind, top,    ring,                chime,        stay)
 *
 *     ALDIS_MACHINE(door, struct door, DOOR_PROTOCOL, DOOR_STATES, DOOR_TABLE, shut,
 *                   .on_start = door_start);
 *
 * (A backslash ends each line but the last.) A handler is a function as of a plain behaviour; one
 * with another signature, a state or message that is not listed, and two rows for one pair do not
 * compile. What is wrong with the tables otherwise is ALDIS_EINVAL when an actor starts.
 *
 * States lie within each other, all of them within `top`; a state's children stand right behind it
 * in the list, the one that it is entered by first. A message is for the innermost state that has a
 * row for it. One that no state has a row for is ALDIS_ETRANSITION: the handler fails, naming
 * state and message.
 *
 * A row with one target goes there when its handler has returned ALDIS_OK: states are left from the
 * inside up to the one that holds both source and target, and entered from there down; so a row
 * whose target is its own state leaves and enters it again. `stay` leaves all as it is. Of a row
 * with several targets the handler chooses one with aldis_become. After each transition the
 * messages that were deferred are handled again, in order, before all others; they lie in the
 * actor's stash (stash.h), whose bound is theirs.
 *
 * A state that is not left within its time gets the message `aldis_state_timeout`, which the
 * protocol must list and the state, or one that it lies within, have a row for. It never comes
 * after the state was left. */
#ifndef ALDIS_MACHINE_H
#define ALDIS_MACHINE_H

#include <aldis/actor.h>
#include <aldis/message.h>
#include <aldis/timer.h>
#include <stdio.h>

/** States within states, `top` not counted. */
#define ALDIS_MACHINE_DEPTH_MAX 4
/** States of a machine, `top` among them. */
#define ALDIS_MACHINE_STATES_MAX 63

/** The time of a state is over. */
typedef struct aldis_state_timeout {
    uint32_t state; /**< enum kind_state: the state whose time it was */
    uint32_t reserved;
} aldis_state_timeout;
ALDIS_MESSAGE(aldis_state_timeout, aldis_state_timeout);

/** One state of a machine; made by ALDIS_MACHINE. */
typedef struct aldis_machine_state {
    const char *name;
    uint32_t parent;
    aldis_err (*enter)(void *self, aldis_ctx *ctx);
    aldis_err (*leave)(void *self, aldis_ctx *ctx);
    const char *enter_name, *leave_name;
    aldis_ns timeout_ns; /**< 0: none */
} aldis_machine_state;

/** What a state does on a message; handle NULL: there is no such row. */
typedef struct aldis_machine_row {
    aldis_err (*handle)(void *self, const void *payload, aldis_ctx *ctx);
    const char *handler_name;
    uint64_t targets; /**< bit n: enum kind_state n */
} aldis_machine_row;

/** One message that a machine knows. */
typedef struct aldis_machine_event {
    aldis_type *type;
    bool is_timeout;
} aldis_machine_event;

/** The tables of a kind: `kind_machine`, made by ALDIS_MACHINE. */
typedef struct aldis_machine_table {
    const char *name;
    const aldis_machine_state *states; /**< [0] is top */
    const aldis_machine_event *events; /**< as in the protocol */
    const aldis_machine_row *rows;     /**< by state, then event */
    uint32_t state_count, event_count, initial;
    uint32_t *checked; /**< private */
} aldis_machine_table;

/** Where an actor's machine is: a member `machine` of its state. All fields are private. */
typedef struct aldis_machine {
    const aldis_machine_table *table; /* NULL: not started */
    const aldis_machine_row *row;     /* of the handler that runs; NULL: none does */
    aldis_ns since_ns;                /* when the innermost state was entered */
    uint8_t state;                    /* the innermost */
    uint8_t chosen;                   /* by the handler that runs */
    uint16_t event;                   /* that it handles */
    uint32_t transitions;
    aldis_timer
        timeouts[ALDIS_MACHINE_DEPTH_MAX]; /* of the states that it is in, outermost first */
} aldis_machine;

typedef enum aldis_machine_format { ALDIS_MACHINE_TEXT, ALDIS_MACHINE_DOT } aldis_machine_format;

#ifdef __cplusplus
extern "C" {
#endif

/* What a row may do instead of calling a handler of its own. */
/** Nothing but go to its target. */
ALDIS_API aldis_err aldis_go(void *self, const void *payload, aldis_ctx *ctx);
/** Nothing, on purpose. */
ALDIS_API aldis_err aldis_ignore(void *self, const void *payload, aldis_ctx *ctx);
/** Keep the message until the next transition: aldis_stash. A full stash rejects it. */
ALDIS_API aldis_err aldis_defer(void *self, const void *payload, aldis_ctx *ctx);
/** Reject it with ALDIS_EREFUSED, which its sender is told: aldis_reject. */
ALDIS_API aldis_err aldis_refuse(void *self, const void *payload, aldis_ctx *ctx);
/** On entry or on exit: nothing. */
ALDIS_API aldis_err aldis_nothing(void *self, aldis_ctx *ctx);

/**
 * Choose a target of the row whose handler runs; the last choice counts. See aldis_become.
 *
 * Thread: the worker that runs the handler.          Blocks: never.
 * Errors: ALDIS_ETRANSITION it is none of the row's targets, naming state, message and target;
 *         ALDIS_ESTATE no row's handler runs.
 */
ALDIS_API aldis_err aldis_machine_become(aldis_machine *machine, uint32_t state);

/** Is this state, or one within it, the present one? */
ALDIS_API bool aldis_machine_is_in(const aldis_machine *machine, uint32_t state);

/** The name of the innermost state; "" before the start. Owner: static. */
ALDIS_API const char *aldis_machine_state_name(const aldis_machine *machine);

/**
 * Give the state that is being entered (in its entry function; else the innermost state) another
 * time, from now on.
 *
 * timeout_ns: 1 or more; ALDIS_FOREVER: none.
 * Thread: the worker that runs the handler.          Blocks: never.
 * Errors: ALDIS_EINVAL zero or negative, a foreign context; ALDIS_ESTATE not started, or in `top`;
 *         ALDIS_ESHUTDOWN the actor stops; as aldis_timer_start_raw.
 */
ALDIS_API aldis_err aldis_machine_set_timeout(aldis_ctx *ctx, aldis_machine *machine,
                                              aldis_ns timeout_ns);

/** Print a machine's tables: as text, or for Graphviz (`dot -Tsvg`). Errors: ALDIS_EINVAL;
 *  ALDIS_EIO. */
ALDIS_API aldis_err aldis_machine_print(const aldis_machine_table *table, FILE *out,
                                        aldis_machine_format format);

/* Called by what ALDIS_MACHINE defines. */
ALDIS_API aldis_err aldis_machine_start_(aldis_machine *machine, const aldis_machine_table *table,
                                         void *self, aldis_ctx *ctx);
ALDIS_API aldis_err aldis_machine_handle_(aldis_machine *machine, uint32_t event, void *self,
                                          const void *payload, aldis_ctx *ctx);

#ifdef __cplusplus
}
#else
/** In a handler: go to this state, one of the row's targets:
 *  `return aldis_become(door, self, open);`. */
#define aldis_become(kind, self, state) aldis_machine_become(&(self)->machine, kind##_state_##state)
/** Is the actor in this state, or in one within it? */
#define aldis_is_in(kind, self, state) aldis_machine_is_in(&(self)->machine, kind##_state_##state)

// clang-format off
#define ALDIS_FITS_STATE_(function, self)                                                          \
    _Generic(&function, aldis_err (*)(self *, aldis_ctx *): 1,                                     \
             aldis_err (*)(void *, aldis_ctx *): 1, default: 0)
#define ALDIS_FITS_MESSAGE_(function, self, payload)                                               \
    _Generic(&function, aldis_err (*)(self *, const payload *, aldis_ctx *): 1,                    \
             aldis_err (*)(void *, const void *, aldis_ctx *): 1, default: 0)
#define ALDIS_IS_TIMEOUT_(payload)                                                                 \
    _Generic((const payload *)0, const aldis_state_timeout *: true, default: false)
// clang-format on

#define ALDIS_STATE_ENUM_(kind, name, parent, enter, leave, timeout) kind##_state_##name,
#define ALDIS_STATE_THUNKS_(kind, name, parent, enter, leave, timeout)                             \
    ALDIS_STATE_THUNK_(kind, name, enter, entry)                                                   \
    ALDIS_STATE_THUNK_(kind, name, leave, exit)
#define ALDIS_STATE_THUNK_(kind, name, hook, which)                                                \
    _Static_assert(ALDIS_FITS_STATE_(hook, kind##_self_),                                          \
                   "state " #name ": " #hook " is no function to call on " #which);                \
    static aldis_err kind##_##which##_of_##name##_(void *self, aldis_ctx *ctx)                     \
    {                                                                                              \
        return (&hook)(self, ctx);                                                                 \
    }
#define ALDIS_STATE_(kind, name, parent, enter, leave, timeout)                                    \
    [kind##_state_##name] = {#name,                                                                \
                             kind##_state_##parent,                                                \
                             kind##_entry_of_##name##_,                                            \
                             kind##_exit_of_##name##_,                                             \
                             #enter,                                                               \
                             #leave,                                                               \
                             (timeout)},

#define ALDIS_TARGET_(kind, name) (UINT64_C(1) << kind##_state_##name)
#define ALDIS_TARGETS_1_(kind, a) ALDIS_TARGET_(kind, a)
#define ALDIS_TARGETS_2_(kind, a, ...) ALDIS_TARGET_(kind, a) | ALDIS_TARGETS_1_(kind, __VA_ARGS__)
#define ALDIS_TARGETS_3_(kind, a, ...) ALDIS_TARGET_(kind, a) | ALDIS_TARGETS_2_(kind, __VA_ARGS__)
#define ALDIS_TARGETS_4_(kind, a, ...) ALDIS_TARGET_(kind, a) | ALDIS_TARGETS_3_(kind, __VA_ARGS__)
#define ALDIS_TARGETS_5_(kind, a, ...) ALDIS_TARGET_(kind, a) | ALDIS_TARGETS_4_(kind, __VA_ARGS__)
#define ALDIS_TARGETS_6_(kind, a, ...) ALDIS_TARGET_(kind, a) | ALDIS_TARGETS_5_(kind, __VA_ARGS__)
#define ALDIS_TARGETS_7_(kind, a, ...) ALDIS_TARGET_(kind, a) | ALDIS_TARGETS_6_(kind, __VA_ARGS__)
#define ALDIS_TARGETS_8_(kind, a, ...) ALDIS_TARGET_(kind, a) | ALDIS_TARGETS_7_(kind, __VA_ARGS__)
#define ALDIS_COUNTED_(a, b, c, d, e, f, g, h, count, ...) ALDIS_TARGETS_##count##_
#define ALDIS_TARGETS_(kind, ...)                                                                  \
    ALDIS_COUNTED_(__VA_ARGS__, 8, 7, 6, 5, 4, 3, 2, 1, 0)(kind, __VA_ARGS__)

#define ALDIS_ROW_THUNK_(kind, state, message, handler, ...)                                       \
    _Static_assert(ALDIS_FITS_MESSAGE_(handler, kind##_self_, message##_payload), #state           \
                   ", " #message ": the signature of " #handler " does not fit the message");      \
    static aldis_err kind##_in_##state##_on_##message##_(void *self, const void *payload,          \
                                                         aldis_ctx *ctx)                           \
    {                                                                                              \
        return (&handler)(self, payload, ctx);                                                     \
    }
#define ALDIS_ROW_(kind, state, message, handler, ...)                                             \
    [kind##_state_##state][kind##_event_##message] = {                                             \
        kind##_in_##state##_on_##message##_, #handler, ALDIS_TARGETS_(kind, __VA_ARGS__)},

#define ALDIS_EVENT_ENUM_(kind, name) kind##_event_##name,
#define ALDIS_EVENT_(kind, name) {&name##_type, ALDIS_IS_TIMEOUT_(name##_payload)},
#define ALDIS_EVENT_THUNK_(kind, name)                                                             \
    static aldis_err kind##_thunk_##name(void *self, const void *payload, aldis_ctx *ctx)          \
    {                                                                                              \
        return aldis_machine_handle_(&((kind##_self_ *)self)->machine, kind##_event_##name, self,  \
                                     payload, ctx);                                                \
    }
#define ALDIS_EVENT_ENTRY_(kind, name) {&name##_type, kind##_thunk_##name},

/** Declare `enum kind_state`: kind_state_top, then kind_state_name for each state. Stands above the
 *  handlers. */
#define ALDIS_STATES(kind, STATES)                                                                 \
    enum kind##_state{kind##_state_top, STATES(ALDIS_STATE_ENUM_, kind) kind##_state_count,        \
                      kind##_state_stay = ALDIS_MACHINE_STATES_MAX};                               \
    _Static_assert((int)kind##_state_count <= ALDIS_MACHINE_STATES_MAX,                            \
                   #kind ": it has too many states")

/**
 * Define `kind_behaviour`, which runs the machine of these tables, and `kind_machine`, which
 * aldis_machine_print prints: ALDIS_MACHINE(kind, state type, PROTOCOL, STATES, TABLE, initial
 * state), and after those any hooks or a mailbox as designated initialisers, but for state_name and
 * on_started, which are the machine's. The state type has a member `aldis_machine machine`. The
 * machine enters the initial state after a successful on_start.
 */
#define ALDIS_MACHINE(kind, state, PROTOCOL, STATES, TABLE, ...)                                   \
    ALDIS_MACHINE_(kind, state, PROTOCOL, STATES, TABLE, __VA_ARGS__,                              \
                   .handler_count = kind##_event_count)
#define ALDIS_MACHINE_(kind, state, PROTOCOL, STATES, TABLE, initial_state, ...)                   \
    typedef state kind##_self_;                                                                    \
    enum kind##_event{PROTOCOL(ALDIS_EVENT_ENUM_, kind) kind##_event_count};                       \
    STATES(ALDIS_STATE_THUNKS_, kind)                                                              \
    TABLE(ALDIS_ROW_THUNK_, kind)                                                                  \
    static const aldis_machine_state kind##_states_[] = {                                          \
        [kind##_state_top] = {"top", 0, aldis_nothing, aldis_nothing, "aldis_nothing",             \
                              "aldis_nothing", 0},                                                 \
        STATES(ALDIS_STATE_, kind)};                                                               \
    static const aldis_machine_row kind##_rows_[kind##_state_count][kind##_event_count] = {        \
        TABLE(ALDIS_ROW_, kind)};                                                                  \
    static const aldis_machine_event kind##_events_[] = {PROTOCOL(ALDIS_EVENT_, kind)};            \
    static uint32_t kind##_checked_;                                                               \
    extern const aldis_machine_table kind##_machine;                                               \
    const aldis_machine_table kind##_machine = {#kind,                                             \
                                                kind##_states_,                                    \
                                                kind##_events_,                                    \
                                                &kind##_rows_[0][0],                               \
                                                kind##_state_count,                                \
                                                kind##_event_count,                                \
                                                kind##_state_##initial_state,                      \
                                                &kind##_checked_};                                 \
    PROTOCOL(ALDIS_EVENT_THUNK_, kind)                                                             \
    static const aldis_handler_entry kind##_handlers_[] = {PROTOCOL(ALDIS_EVENT_ENTRY_, kind)};    \
    static aldis_err kind##_started_(void *self, aldis_ctx *ctx)                                   \
    {                                                                                              \
        return aldis_machine_start_(&((kind##_self_ *)self)->machine, &kind##_machine, self, ctx); \
    }                                                                                              \
    static const char *kind##_state_name_(const void *self)                                        \
    {                                                                                              \
        return aldis_machine_state_name(&((const kind##_self_ *)self)->machine);                   \
    }                                                                                              \
    const aldis_behaviour kind##_behaviour = {.name = #kind,                                       \
                                              .state_size = sizeof(state),                         \
                                              .handlers = kind##_handlers_,                        \
                                              .on_started = kind##_started_,                       \
                                              .state_name = kind##_state_name_,                    \
                                              __VA_ARGS__}
#endif

#endif
