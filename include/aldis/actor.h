// SPDX-License-Identifier: Apache-2.0
/* actor.h: behaviours, and what a handler may ask of the runtime. Layer: public.
 *
 *     static aldis_err pong_on_ping(struct pong *self, const struct ping *msg, aldis_ctx *ctx);
 *     static aldis_err pong_on_go(struct pong *self, const aldis_none *msg, aldis_ctx *ctx);
 *     ALDIS_BEHAVIOUR(pong, struct pong, PONG_PROTOCOL, .on_start = pong_start);
 *
 * One handler for each message of the protocol, named kind_on_message; a missing handler, or one of
 * another signature, does not compile. A handler runs alone, to its end, and never blocks. */
#ifndef ALDIS_ACTOR_H
#define ALDIS_ACTOR_H

#include <aldis/error.h>
#include <aldis/message.h>
#include <aldis/supervise.h>
#include <aldis/types.h>

/** One entry of a dispatch table. `handle` is the typed handler behind a thunk. */
typedef struct aldis_handler_entry {
    aldis_type *type;
    aldis_err (*handle)(void *state, const void *payload, aldis_ctx *ctx);
} aldis_handler_entry;

/** Told to a sender whose message was refused or dropped after its send had returned ALDIS_OK. */
typedef struct aldis_undelivered {
    const char *type_name; /**< static */
    aldis_id to;
    aldis_err reason; /**< ALDIS_EFULL, ALDIS_EDROPPED, ALDIS_ESHED, ALDIS_ESTALE, ... */
    uint32_t count;   /**< how many like it, one after the other: 1 or more */
} aldis_undelivered;

/** Told to a parent, once for each child that ends. */
typedef struct aldis_child_ended {
    aldis_id child;
    aldis_end_reason reason;
    aldis_err err; /**< why it failed; ALDIS_ENDED_START_FAILED: what on_start returned */
} aldis_child_ended;

/** The answer to aldis_get_status. A kind that asks lists `aldis_status` in its protocol. */
typedef struct aldis_status {
    aldis_id actor;
    char state_name[32];     /**< from the behaviour's state_name, else "running", "paused", ... */
    uint32_t depth_msgs;     /**< waiting now */
    uint32_t peak_msgs;      /**< most that ever waited */
    uint64_t handled_msgs;   /**< since the spawn */
    aldis_ns running_ns;     /**< since the last start */
    aldis_ns oldest_wait_ns; /**< age of the oldest waiting message; 0 when none waits. From its
                                  arrival; live, of a mailbox that sheds nothing: from its send */
    uint32_t restarts;       /**< since the spawn; of actors without a restart mode: 0 */
    uint32_t stashed_msgs;   /**< kept aside now: see stash.h */
    uint32_t capacity_msgs;  /**< of its mailbox, now */
    uint32_t held_msgs;      /**< that wait beyond it; their senders are parked */
    uint64_t shed_msgs;      /**< since the spawn, since they had waited too long */
} aldis_status;
ALDIS_MESSAGE(aldis_status, aldis_status);

/** The part of a state that is saved after each message handled, with what is known of the messages
 *  that are done (see delivery.h), and put back into the zeroed state before on_start when the
 *  actor is restarted. */
typedef struct aldis_durable {
    size_t offset, size; /**< bytes, inside the state */
} aldis_durable;

/** What a kind of actor does. Made by ALDIS_BEHAVIOUR; static and constant for the life of its
 *  systems. */
typedef struct aldis_behaviour {
    const char *name;
    size_t state_size; /**< bytes, 0 .. 1 MiB; zeroed before on_start */
    const aldis_handler_entry *handlers;
    size_t handler_count;

    /* Hooks: all may be NULL; state is the actor's own. */

    /** Before the first message. arg is what the spawner gave, or NULL. An error ends the actor at
     *  once (on_stop does not run) and its parent is told. */
    aldis_err (*on_start)(void *state, const void *arg, aldis_ctx *ctx);
    /** Right after a successful on_start. Not for users: a helper that makes behaviours (such as
     *  machine.h) begins its own work here. An error is one of the start. */
    aldis_err (*on_started)(void *state, aldis_ctx *ctx);
    /** Once after a successful start, when the actor stops, has drained, or has failed and is to be
     *  restarted or to end; never when it is killed. */
    void (*on_stop)(void *state, aldis_ctx *ctx);
    /** A message that this actor sent was refused after the send had returned. */
    void (*on_undelivered)(void *state, const aldis_undelivered *notice, aldis_ctx *ctx);
    /** A child has ended. */
    void (*on_child_ended)(void *state, const aldis_child_ended *notice, aldis_ctx *ctx);
    /** A one-word name of the state, for reports; static, shorter than 32 bytes. */
    const char *(*state_name)(const void *state);
    /** A digest of the state for the run print (virtual time): equal states give equal digests. */
    uint64_t (*digest)(const void *state);
    /** For a mailbox with ALDIS_KEEP_NEWEST: what a message is about (a ship's number, say). Of two
     *  with the same type, lane and key the newer one stands for both. NULL: the type is enough.
     *  The same for the same bytes; it sees nothing else. */
    uint64_t (*message_key)(const char *type_name, const void *payload, size_t size);

    aldis_mailbox_opts mailbox; /**< zeroes: the system's default */

    aldis_restart_opts restart;       /**< when it fails: see supervise.h */
    aldis_supervisor_opts supervisor; /**< when its children fail */
    aldis_budget_opts budget;         /**< of its handlers' time */
    aldis_durable durable;            /**< from ALDIS_DURABLE; zeroes: none */
} aldis_behaviour;

/** The member of a state that outlives a restart: .durable = ALDIS_DURABLE(struct counter, kept) */
#define ALDIS_DURABLE(state, member)                                                               \
    {                                                                                              \
        offsetof(state, member), sizeof(((state *)NULL)->member)                                   \
    }

#ifndef __cplusplus
#define ALDIS_PAIR_KIND_(kind, state) kind
#define ALDIS_PAIR_STATE_(kind, state) state
#define ALDIS_THUNK_(pair, name) ALDIS_THUNK2_(ALDIS_PAIR_KIND_ pair, ALDIS_PAIR_STATE_ pair, name)
#define ALDIS_THUNK2_(kind, state, name) ALDIS_THUNK3_(kind, state, name)
#define ALDIS_THUNK3_(kind, state, name)                                                           \
    _Static_assert(                                                                                \
        _Generic(&kind##_on_##name,                                                     \
                            aldis_err (*)(state *, const name##_payload *, aldis_ctx *): 1,        \
                            default: 0),      \
                 #kind "_on_" #name ": the handler's signature does not fit the message");         \
    static aldis_err kind##_thunk_##name(void *self, const void *payload, aldis_ctx *ctx)          \
    {                                                                                              \
        return (&kind##_on_##name)(self, payload, ctx);                                            \
    }
#define ALDIS_ENTRY_(pair, name) ALDIS_ENTRY2_(ALDIS_PAIR_KIND_ pair, name)
#define ALDIS_ENTRY2_(kind, name) ALDIS_ENTRY3_(kind, name)
#define ALDIS_ENTRY3_(kind, name) {&name##_type, kind##_thunk_##name},

/**
 * Define `kind_behaviour`: ALDIS_BEHAVIOUR(kind, state type, LIST), and after those any hooks or a
 * mailbox as designated initialisers. The handlers stand above it.
 */
#define ALDIS_BEHAVIOUR(kind, state, ...)                                                          \
    ALDIS_BEHAVIOUR_(kind, state, __VA_ARGS__,                                                     \
                     .handler_count = sizeof kind##_handlers_ / sizeof kind##_handlers_[0])
#define ALDIS_BEHAVIOUR_(kind, state, LIST, ...)                                                   \
    LIST(ALDIS_THUNK_, (kind, state))                                                              \
    static const aldis_handler_entry kind##_handlers_[] = {LIST(ALDIS_ENTRY_, (kind, state))};     \
    const aldis_behaviour kind##_behaviour = {                                                     \
        .name = #kind, .state_size = sizeof(state), .handlers = kind##_handlers_, __VA_ARGS__}
#endif

/** Where a new actor lives. */
typedef enum aldis_placement {
    ALDIS_PLACE_BESIDE = 0, /**< on its parent's shard; without a parent as ALDIS_PLACE_ANYWHERE */
    ALDIS_PLACE_ANYWHERE,   /**< on a shard hashed from (parent, how many it has spawned) */
    ALDIS_PLACE_SHARD       /**< on the shard given in the options */
} aldis_placement;

/** How to spawn. Zeroes are the defaults; the pointer to it may be NULL. */
typedef struct aldis_spawn_opts {
    const void *arg; /**< for on_start; borrowed and copied; see ALDIS_ARG */
    size_t arg_size; /**< bytes, 0 .. ALDIS_PAYLOAD_MAX */
    aldis_placement placement;
    uint32_t shard;             /**< for ALDIS_PLACE_SHARD: 0 .. shards-1 */
    aldis_mailbox_opts mailbox; /**< zeroes: the behaviour's */
    aldis_id parent;            /**< nobody: the spawning actor; from outside: none */
    aldis_restart_opts restart; /**< mode ALDIS_RESTART_DEFAULT: the behaviour's */
} aldis_spawn_opts;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Start an actor. Its id is known at once, the same for any number of workers; messages sent to it
 * before it has started are kept. In virtual time it starts at the end of the window.
 *
 * behaviour: static, with at least one handler.
 * Owner:  borrows opts and its arg for the call.
 * Thread: the worker that runs the handler (aldis_system_spawn_raw: any but the workers).
 * Blocks: never.
 * Errors: ALDIS_EINVAL no handler table, a bad option, a foreign context; ALDIS_ESTATE the system
 *         has stopped; ALDIS_ESHUTDOWN the spawner is stopping; ALDIS_ENOTFOUND, ALDIS_ESTALE the
 *         parent; ALDIS_EEXISTS two message types share a number; ALDIS_EFULL no slot is left in
 *         the shard; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_ctx_spawn_raw(aldis_ctx *ctx, const aldis_behaviour *behaviour,
                                        const aldis_spawn_opts *opts, aldis_id *out_id);
ALDIS_API aldis_err aldis_system_spawn_raw(aldis_system *system, const aldis_behaviour *behaviour,
                                           const aldis_spawn_opts *opts, aldis_id *out_id);

/** The three ways to end an actor, and to hold it. All overtake ordinary mail; from outside use
 *  the aldis_system_ form. Errors: ALDIS_ENOTFOUND; ALDIS_ESTALE it has ended already (stop twice);
 *  ALDIS_EINVAL; ALDIS_ENOMEM. */
typedef enum aldis_command {
    ALDIS_CMD_STOP,  /**< after the current message; children first; waiting mail: dead letters */
    ALDIS_CMD_DRAIN, /**< handle what is queued, refuse new mail (ALDIS_ESHUTDOWN), then stop */
    ALDIS_CMD_KILL,  /**< as stop, without on_stop */
    ALDIS_CMD_PAUSE, /**< handle nothing but commands; mail is kept, within the bound */
    ALDIS_CMD_RESUME
} aldis_command;
ALDIS_API aldis_err aldis_ctx_command(aldis_ctx *ctx, aldis_id actor, aldis_command command,
                                      aldis_ns deadline_ns);
ALDIS_API aldis_err aldis_system_command(aldis_system *system, aldis_id actor,
                                         aldis_command command, aldis_ns deadline_ns);

/** Ask an actor for its aldis_status; it comes as a message. Errors: as a send; ALDIS_EUNACCEPTED
 *  the caller's own protocol does not list aldis_status. */
ALDIS_API aldis_err aldis_get_status(aldis_ctx *ctx, aldis_id actor);

/** Does the actor run no more? Nobody and unknown ids are closed. From outside, the answer may be
 *  old when it arrives. Thread: as the other calls of its first argument. */
ALDIS_API bool aldis_ctx_is_closed(aldis_ctx *ctx, aldis_id actor);
ALDIS_API bool aldis_system_is_closed(aldis_system *system, aldis_id actor);

/* The facts of the running handler; ctx must be the one it was given. */
/** This actor. */
ALDIS_API aldis_id aldis_self(const aldis_ctx *ctx);
/** Who sent the message, stamped by the runtime; nobody: it came from outside. */
ALDIS_API aldis_id aldis_sender(const aldis_ctx *ctx);
/** Nobody: it has none. */
ALDIS_API aldis_id aldis_parent(const aldis_ctx *ctx);
ALDIS_API aldis_system *aldis_system_of(const aldis_ctx *ctx);
/** Bytes of the message being handled. */
ALDIS_API size_t aldis_payload_size(const aldis_ctx *ctx);

/** Now, in nanoseconds of the system's clock: live, since the system was made, read once a round;
 *  virtual, the time of the message being handled (or later, after aldis_busy). */
ALDIS_API aldis_ns aldis_now(const aldis_ctx *ctx);

/** 64 random bits of this actor's own stream (Philox4x32-10 keyed by seed and actor; Salmon et al.,
 *  SC'11): the same draws in every run with this seed. */
ALDIS_API uint64_t aldis_random(aldis_ctx *ctx);
/** Uniform in [0, 1), 53 bits. */
ALDIS_API double aldis_random_unit(aldis_ctx *ctx);
/** Uniform in [0, bound), without bias (Lemire 2019). bound 0 gives 0. */
ALDIS_API uint64_t aldis_random_below(aldis_ctx *ctx, uint64_t bound);

/** Virtual time: this handler takes ns (0 or more) of the actor's time; what arrives meanwhile
 *  waits in its mailbox. Calls add up. Live: no effect. Errors: ALDIS_EINVAL negative. */
ALDIS_API aldis_err aldis_busy(aldis_ctx *ctx, aldis_ns ns);

/** Say why the handler fails; the text is kept for the log (copied, 127 bytes at most).
 *  Use as `return aldis_fail(ctx, "no berth");`. Returns ALDIS_EHANDLER. An actor with a restart
 *  mode fails also if the handler then returns ALDIS_OK (its message counts as handled), and by a
 *  call from a hook. */
ALDIS_API aldis_err aldis_fail(aldis_ctx *ctx, const char *text);

#ifdef __cplusplus
}
#endif

#ifndef __cplusplus
/** Start an actor of `kind`: aldis_spawn(ctx, pong, &ref, &(aldis_spawn_opts){...}), ref a
 *  pong_ref; NULL in place of the options for the defaults. `from` is a handler's context or, in a
 *  thread of your own, the system. (The options come last so that a literal with commas needs no
 *  brackets.) */
#define aldis_spawn(from, kind, out_ref, ...)                                                      \
    ALDIS_FROM_(from, spawn_raw)((from), &kind##_behaviour, (__VA_ARGS__),                         \
                                 &_Generic((out_ref), kind##_ref *: (out_ref))->id)
/** In such a literal, what p points to as the argument of on_start:
 *  aldis_spawn(ctx, pong, &ref, &(aldis_spawn_opts){ALDIS_ARG(&settings)}). */
#define ALDIS_ARG(p) .arg = (p), .arg_size = sizeof *(p)
#define aldis_stop(from, actor) ALDIS_FROM_(from, command)((from), (actor), ALDIS_CMD_STOP, 0)
#define aldis_kill(from, actor) ALDIS_FROM_(from, command)((from), (actor), ALDIS_CMD_KILL, 0)
#define aldis_pause(from, actor) ALDIS_FROM_(from, command)((from), (actor), ALDIS_CMD_PAUSE, 0)
#define aldis_resume(from, actor) ALDIS_FROM_(from, command)((from), (actor), ALDIS_CMD_RESUME, 0)
/** Drain within timeout_ns (ALDIS_FOREVER: no deadline); what is left then becomes dead letters. */
#define aldis_drain(from, actor, timeout_ns)                                                       \
    ALDIS_FROM_(from, command)((from), (actor), ALDIS_CMD_DRAIN, (timeout_ns))
#define aldis_is_closed(from, actor) ALDIS_FROM_(from, is_closed)((from), (actor))
#endif

#endif
