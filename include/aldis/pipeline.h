// SPDX-License-Identifier: Apache-2.0
/* pipeline.h: chains of stages with credit between them, results in order. Layer: public.
 *
 * A stage is a function that makes a message of one type into one of another:
 *
 *     static aldis_err saw(const trunk_payload *trunk, plank_payload *plank, aldis_ctx *ctx);
 *     ALDIS_STAGE(saw, trunk, plank);               // gives saw_ref and saw_stage
 *
 * A pipeline is a row of stages; what comes out of the last goes to the sink, an actor that lists
 * that type in its protocol:
 *
 *     const aldis_stage_opts stages[] = {{.stage = &saw_stage, .parallel = 8},
 *                                        {.stage = &plane_stage, .tries = 3}};
 *     err = aldis_pipeline_spawn(ctx, saw, &saw, stages, 2, sink.id);
 *     err = aldis_send(ctx, saw, trunk, .length = 4);
 *
 * Order: results leave a stage in the order in which its items came in, however many workers it has
 * and however long each takes.
 *
 * Credit: a stage works on at most `credit_msgs` items that the next has not taken yet; then it
 * takes no more, its mailbox fills, and its senders wait (ALDIS_WAIT). So a slow sink slows the
 * whole row, and what is inside is bounded.
 *
 * Poison: an item whose function fails is tried again at once, `tries` times in all; then it is set
 * aside as a dead letter (ALDIS_EHANDLER, with its payload), and the others go on without it.
 *
 * Statistics: what goes from a stage to a worker of it, and back, are messages, too, and counted.
 * With parallel workers an item counts twice, and so does its result.
 *
 * Each stage is an actor, its workers and the next stage are its children: who stops the first
 * stops all, and what is inside then becomes dead letters. */
#ifndef ALDIS_PIPELINE_H
#define ALDIS_PIPELINE_H

#include <aldis/actor.h>

/** What a stage does. Made by ALDIS_STAGE. */
typedef struct aldis_stage {
    const aldis_behaviour *behaviour;
    aldis_type *in, *out; /**< of fixed size */
    aldis_err (*run)(const void *in, void *out, aldis_ctx *ctx);
} aldis_stage;

/** One stage of a pipeline. Zeroes are the defaults. */
typedef struct aldis_stage_opts {
    const aldis_stage *stage;
    uint32_t parallel;    /**< workers: 1 .. 256; default 1, which is the stage's actor itself */
    uint32_t tries;       /**< of one item: 1 .. 1000; default 1 */
    uint32_t credit_msgs; /**< `parallel` .. 65536; default 64, or 4 for each worker if more */
    uint32_t reserved;
} aldis_stage_opts;

enum { ALDIS_PIPELINE_STAGES_MAX = 64 };

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Spawn a pipeline of `count` stages, each of which takes what the one before gives.
 *
 * sink:   gets the results, in order, from the last stage; it has room if its policy is to wait.
 * out_id: the first stage's actor: items are sent to it.
 * Owner:  borrows stages; what they point to is static.
 * Thread: as aldis_ctx_spawn_raw and aldis_system_spawn_raw.          Blocks: never.
 * Errors: as those; ALDIS_EINVAL also: a bad option, no stage or more than 64, a stage that does
 *         not take what the one before gives, a type of varying size.
 */
ALDIS_API aldis_err aldis_ctx_pipeline_spawn_raw(aldis_ctx *ctx, const aldis_stage_opts *stages,
                                                 size_t count, aldis_id sink, aldis_id *out_id);
ALDIS_API aldis_err aldis_system_pipeline_spawn_raw(aldis_system *system,
                                                    const aldis_stage_opts *stages, size_t count,
                                                    aldis_id sink, aldis_id *out_id);

/* What ALDIS_STAGE puts into a behaviour. */
ALDIS_API aldis_err aldis_stage_on_start(void *state, const void *arg, aldis_ctx *ctx);
ALDIS_API void aldis_stage_on_child_ended(void *state, const aldis_child_ended *notice,
                                          aldis_ctx *ctx);
ALDIS_API aldis_err aldis_stage_on_item(void *state, const void *payload, aldis_ctx *ctx);

#ifdef __cplusplus
}
#else

/* The type of the function of a stage. */
#define ALDIS_RUNS_(in, out) aldis_err (*)(const in##_payload *, out##_payload *, aldis_ctx *)

/** Make a stage of function `kind`, which turns message `in` into message `out`. It stands below
 *  the function. The results are zeroed before the function fills them in. */
#define ALDIS_STAGE(kind, in, out)                                                                 \
    _Static_assert(_Generic(&kind, ALDIS_RUNS_(in, out): 1, default: 0),                           \
                            #kind ": the signature does not fit a stage from " #in " to " #out);   \
    struct kind##_accepts {                                                                        \
        const in##_payload *in;                                                                    \
    };                                                                                             \
    typedef struct kind##_ref {                                                                    \
        union {                                                                                    \
            aldis_id id;                                                                           \
            const struct kind##_accepts *accepts_;                                                 \
        };                                                                                         \
    } kind##_ref;                                                                                  \
    static aldis_err kind##_run_(const void *item, void *result, aldis_ctx *ctx)                   \
    {                                                                                              \
        return (&kind)(item, result, ctx);                                                         \
    }                                                                                              \
    static const aldis_handler_entry kind##_handlers_[] = {{&in##_type, aldis_stage_on_item}};     \
    static const aldis_behaviour kind##_behaviour = {.name = #kind,                                \
                                                     .state_size = sizeof(void *),                 \
                                                     .handlers = kind##_handlers_,                 \
                                                     .handler_count = 1,                           \
                                                     .on_start = aldis_stage_on_start,             \
                                                     .on_child_ended =                             \
                                                         aldis_stage_on_child_ended};              \
    static const aldis_stage kind##_stage = {&kind##_behaviour, &in##_type, &out##_type,           \
                                             kind##_run_}

/** Spawn a pipeline whose first stage is `kind`; `from` is a context or a system. */
#define aldis_pipeline_spawn(from, kind, out_ref, stages, count, sink)                             \
    ALDIS_FROM_(from, pipeline_spawn_raw)((from), (stages), (count), (sink),                       \
                                          &_Generic((out_ref), kind##_ref *: (out_ref))->id)
#endif

#endif
