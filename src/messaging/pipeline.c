// SPDX-License-Identifier: Apache-2.0
/* pipeline.c: stages, their workers, and the order of their results. Layer: messaging. See
 * aldis/pipeline.h.
 *
 * A stage and its workers are actors of one behaviour in two roles. An item goes from stage to
 * stage as a tracked message: when the next has taken it, or it has ended, a small post gives its
 * sender the credit back. A stage with workers numbers its items; each goes to the worker with the
 * fewest, the result comes back to a place that the stage keeps for it, and leaves in turn.
 *
 *     outstanding = with workers + waiting for their turn + sent on and not taken yet <= credit
 *
 * so the ring of results, of `credit` places, always has the place of an item's number free. */
#include "base/error.h"
#include "base/log.h"
#include "core/part.h"
#include "core/stash.h"
#include "core/system.h"
#include "core/tracked.h"
#include <aldis/pipeline.h>
#include <stdlib.h>
#include <string.h>

enum {
    PARALLEL_MAX = 256,
    TRIES_MAX = 1000,
    CREDIT_MAX = 65536,
    CREDIT_DEFAULT = 64,
    CREDIT_PER_WORKER = 4
};

/* What becomes of a number: its result is not there yet, is there, or will never come. */
enum { WAITS = 0, READY, ASIDE };

struct stage_worker {
    aldis_id id;
    uint32_t items; /* with it now */
};

/* What an actor in either role keeps; freed with it, however it ends. */
struct stage {
    struct aldis__part part;
    aldis_stage_opts opts; /* defaults filled in */
    unsigned char *result; /* one */
    /* of a stage */
    aldis_id next; /* stage, or sink */
    uint32_t outstanding;
    bool choked;
    uint64_t number_in, number_out; /* of the next item, of the next result */
    struct stage_worker *workers;   /* NULL: it works itself */
    unsigned char *ring;            /* results that wait for their turn, by number */
    uint8_t *ready;                 /* WAITS, READY, ASIDE */
    bool is_worker;
};

/* What a spawn brings: the stages from this one on. A worker: only its own. */
struct stage_arg {
    aldis_id sink;
    uint32_t count; /* 0: it is a worker */
    uint32_t reserved;
    aldis_stage_opts stages[];
};

static void stage_fini(struct aldis__part *part)
{
    struct stage *stage = (struct stage *)(void *)part;
    free(stage->result);
    free(stage->workers);
    free(stage->ring);
    free(stage->ready);
}

static const struct aldis__part_class stage_class = {
    .name = "stage", .size = sizeof(struct stage), .fini = stage_fini};

static struct stage *stage_of(const struct aldis__cell *cell)
{
    return (struct stage *)(void *)aldis__part_of(cell, &stage_class);
}

/* ------------------------------------------------------------------ credit */

static aldis_err credit_handle(struct aldis__worker *worker, struct aldis__cell *cell,
                               struct aldis__msg *msg, struct aldis__track *track);

static const struct aldis__tracker credit = {.name = "credit", .handle = credit_handle};

static void take_credit(struct aldis__cell *cell, struct stage *stage)
{
    if (++stage->outstanding < stage->opts.credit_msgs)
        return;
    stage->choked = true;
    aldis__cell_choke(cell);
}

static void give_credit(struct aldis__cell *cell, struct stage *stage)
{
    if (stage->outstanding > 0)
        stage->outstanding--;
    if (!stage->choked)
        return;
    stage->choked = false;
    aldis__cell_unchoke(cell);
}

static aldis_err credit_handle(struct aldis__worker *worker, struct aldis__cell *cell,
                               struct aldis__msg *msg, struct aldis__track *track)
{
    (void)worker, (void)msg, (void)track;
    struct stage *stage = stage_of(cell);
    if (stage)
        give_credit(cell, stage);
    return ALDIS_OK;
}

static void post_credit(struct aldis__worker *worker, const struct aldis__msg *msg)
{
    const struct aldis__track track = {&credit, ALDIS_FOREVER, 0, 0};
    aldis__post_tracked(worker, msg->to, msg->from, &track, NULL, 0);
}

static void item_handled(struct aldis__worker *worker, struct aldis__cell *cell,
                         struct aldis__msg *msg, struct aldis__track *track, aldis_err err)
{
    (void)cell, (void)track, (void)err;
    post_credit(worker, msg);
}

static void item_ended(struct aldis__worker *worker, struct aldis__msg *msg,
                       struct aldis__track *track, enum aldis__fate fate, aldis_err reason)
{
    (void)track, (void)fate, (void)reason;
    if (worker)
        post_credit(worker, msg);
}

/* An item on its way to the next stage, or to the sink. */
static const struct aldis__tracker item = {
    .name = "pipeline item", .handled = item_handled, .ended = item_ended};

/* ------------------------------------------------------------------ results */

/* Send one on. A next stage that does not take it has ended, or is a sink that never would: then it
 * is counted as rejected, and the row goes on. */
static void emit(aldis_ctx *ctx, struct stage *stage, const void *result)
{
    aldis_type *type = stage->opts.stage->out;
    const struct aldis__track track = {&item, ALDIS_FOREVER, 0, 0};
    const struct aldis__parcel parcel = {
        .to = stage->next, .type = type, .payload = result, .size = type->size};
    aldis_err err = aldis__send_tracked(ctx, &parcel, &track);
    if (err == ALDIS_OK)
        return;
    aldis__log(ALDIS_LOG_WARN, "pipeline: stage %s could not send on %s: %s",
               stage->opts.stage->behaviour->name, type->name, aldis_error_text(err));
    give_credit(ctx->cell, stage);
}

/* All whose turn it is. */
static void emit_in_order(aldis_ctx *ctx, struct stage *stage)
{
    size_t size = stage->opts.stage->out->size;
    for (;;) {
        uint32_t place = (uint32_t)(stage->number_out % stage->opts.credit_msgs);
        uint8_t ready = stage->ready[place];
        if (stage->number_out == stage->number_in || ready == WAITS)
            return;
        stage->ready[place] = WAITS;
        stage->number_out++;
        if (ready == READY)
            emit(ctx, stage, stage->ring + place * size);
        else
            give_credit(ctx->cell, stage);
    }
}

static void release_worker(struct stage *stage, aldis_id id)
{
    for (uint32_t i = 0; i < stage->opts.parallel; i++)
        if (aldis_id_equal(stage->workers[i].id, id) && stage->workers[i].items > 0)
            stage->workers[i].items--;
}

/* A worker has the result of number a, or none; msg is from it. */
static aldis_err settle(struct aldis__worker *worker, struct aldis__cell *cell,
                        const struct aldis__msg *msg, uint64_t number, const void *result)
{
    struct stage *stage = stage_of(cell);
    if (!stage || !stage->workers)
        return ALDIS_OK; /* of before a restart */
    release_worker(stage, msg->from);
    if (number < stage->number_out || number >= stage->number_in)
        return ALDIS_OK;
    uint32_t place = (uint32_t)(number % stage->opts.credit_msgs);
    size_t size = stage->opts.stage->out->size;
    if (result && size)
        memcpy(stage->ring + place * size, result, size);
    stage->ready[place] = result ? READY : ASIDE;
    emit_in_order(&worker->ctx, stage);
    return ALDIS_OK;
}

static aldis_err result_handle(struct aldis__worker *worker, struct aldis__cell *cell,
                               struct aldis__msg *msg, struct aldis__track *track)
{
    return settle(worker, cell, msg, track->a, aldis__msg_payload(msg, NULL));
}

static aldis_err aside_handle(struct aldis__worker *worker, struct aldis__cell *cell,
                              struct aldis__msg *msg, struct aldis__track *track)
{
    return settle(worker, cell, msg, track->a, NULL);
}

static const struct aldis__tracker result_tracker = {
    .name = "pipeline result", .reserved = true, .handle = result_handle};
static const struct aldis__tracker aside_tracker = {.name = "set aside", .handle = aside_handle};

/* ------------------------------------------------------------------ work */

/* It failed too often, or its worker has ended. */
static void work_ended(struct aldis__worker *worker, struct aldis__msg *msg,
                       struct aldis__track *track, enum aldis__fate fate, aldis_err reason)
{
    (void)fate, (void)reason;
    const struct aldis__track told = {&aside_tracker, ALDIS_FOREVER, track->a, 0};
    if (worker)
        aldis__post_tracked(worker, msg->to, msg->from, &told, NULL, 0);
}

static const struct aldis__tracker work = {.name = "pipeline work", .ended = work_ended};

/* Run the function, as often as it may fail. */
static aldis_err run(aldis_ctx *ctx, struct stage *stage, const void *payload)
{
    const aldis_stage *what = stage->opts.stage;
    aldis_err err = ALDIS_OK;
    for (uint32_t i = 0; i < stage->opts.tries; i++) {
        memset(stage->result, 0, what->out->size);
        err = what->run(payload, stage->result, ctx);
        if (err == ALDIS_OK)
            return ALDIS_OK;
    }
    aldis__log(ALDIS_LOG_WARN, "pipeline: stage %s sets %s aside after %u tries: %s",
               what->behaviour->name, what->in->name, stage->opts.tries, aldis_error_text(err));
    return err;
}

static aldis_err work_on(aldis_ctx *ctx, struct stage *stage, const void *payload)
{
    aldis_type *type = stage->opts.stage->out;
    if (run(ctx, stage, payload) != ALDIS_OK || !ctx->track)
        return aldis__dead_letter(ctx, ALDIS_EHANDLER);
    const struct aldis__track track = {&result_tracker, ALDIS_FOREVER, ctx->track->a, 0};
    const aldis_send_opts opts = {.lane = ALDIS_LANE_CONTROL}; /* the stage may be choked */
    const struct aldis__parcel parcel = {.to = ctx->msg->from,
                                         .type = type,
                                         .payload = stage->result,
                                         .size = type->size,
                                         .opts = &opts};
    aldis_err err = aldis__send_tracked(ctx, &parcel, &track);
    return err == ALDIS_OK || err == ALDIS_ESTALE ? ALDIS_OK : aldis__dead_letter(ctx, err);
}

static aldis_err hand_out(aldis_ctx *ctx, struct stage *stage, const void *payload)
{
    aldis_type *type = stage->opts.stage->in;
    const struct aldis__track track = {&work, ALDIS_FOREVER, stage->number_in, 0};
    struct aldis__parcel parcel = {.type = type, .payload = payload, .size = type->size};
    struct stage_worker *least = &stage->workers[0];
    for (uint32_t i = 1; i < stage->opts.parallel; i++)
        if (stage->workers[i].items < least->items)
            least = &stage->workers[i];
    parcel.to = least->id;
    aldis_err err = aldis__send_tracked(ctx, &parcel, &track);
    if (err != ALDIS_OK)
        return aldis__dead_letter(ctx, err);
    least->items++;
    stage->number_in++;
    take_credit(ctx->cell, stage);
    return ALDIS_OK;
}

aldis_err aldis_stage_on_item(void *state, const void *payload, aldis_ctx *ctx)
{
    (void)state;
    struct stage *stage = stage_of(ctx->cell);
    if (!stage)
        return ALDIS_ESTATE;
    if (stage->is_worker)
        return work_on(ctx, stage, payload);
    if (stage->workers)
        return hand_out(ctx, stage, payload);
    if (run(ctx, stage, payload) != ALDIS_OK)
        return aldis__dead_letter(ctx, ALDIS_EHANDLER);
    take_credit(ctx->cell, stage);
    emit(ctx, stage, stage->result);
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ life */

static aldis_err spawn_worker(aldis_ctx *ctx, const struct stage *stage, aldis_id *out_id)
{
    unsigned char given[sizeof(struct stage_arg) + sizeof stage->opts] = {0}; /* count is 0 */
    memcpy(given + offsetof(struct stage_arg, stages), &stage->opts, sizeof stage->opts);
    const aldis_spawn_opts spawn = {
        .arg = given, .arg_size = sizeof given, .placement = ALDIS_PLACE_ANYWHERE};
    return aldis_ctx_spawn_raw(ctx, stage->opts.stage->behaviour, &spawn, out_id);
}

/* A worker that has ended is replaced; what it had is set aside. */
void aldis_stage_on_child_ended(void *state, const aldis_child_ended *notice, aldis_ctx *ctx)
{
    (void)state;
    struct stage *stage = stage_of(ctx->cell);
    for (uint32_t i = 0; stage && stage->workers && i < stage->opts.parallel; i++) {
        if (!aldis_id_equal(stage->workers[i].id, notice->child))
            continue;
        stage->workers[i].items = 0;
        (void)spawn_worker(ctx, stage, &stage->workers[i].id);
    }
}

static aldis_err no_memory(void)
{
    return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "pipeline: a stage");
}

static aldis_err start_workers(aldis_ctx *ctx, struct stage *stage)
{
    size_t credits = stage->opts.credit_msgs, size = stage->opts.stage->out->size;
    stage->workers = calloc(stage->opts.parallel, sizeof *stage->workers);
    stage->ring = malloc(credits * size + 1);
    stage->ready = calloc(credits, 1);
    if (!stage->workers || !stage->ring || !stage->ready)
        return no_memory();
    aldis_err err = ALDIS_OK;
    for (uint32_t i = 0; err == ALDIS_OK && i < stage->opts.parallel; i++)
        err = spawn_worker(ctx, stage, &stage->workers[i].id);
    return err;
}

/* The rest of the row: the next stage is a child. */
static aldis_err start_next(aldis_ctx *ctx, struct stage *stage, const struct stage_arg *given)
{
    stage->next = given->sink;
    if (given->count == 1)
        return ALDIS_OK;
    size_t size = sizeof *given + (given->count - 1) * sizeof given->stages[0];
    struct stage_arg *rest = malloc(size);
    if (!rest)
        return no_memory();
    *rest = (struct stage_arg){given->sink, given->count - 1, 0};
    memcpy(rest->stages, given->stages + 1, (given->count - 1) * sizeof given->stages[0]);
    const aldis_spawn_opts spawn = {.arg = rest, .arg_size = size};
    aldis_err err =
        aldis_ctx_spawn_raw(ctx, rest->stages[0].stage->behaviour, &spawn, &stage->next);
    free(rest);
    return err;
}

aldis_err aldis_stage_on_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)state;
    const struct stage_arg *given = arg;
    if (!given)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "pipeline: spawn it with aldis_pipeline_spawn");
    struct stage *stage = (struct stage *)(void *)aldis__part_make(ctx->cell, &stage_class);
    if (!stage)
        return no_memory();
    stage->opts = given->stages[0];
    stage->result = malloc(stage->opts.stage->out->size + (size_t)1);
    if (!stage->result)
        return no_memory();
    stage->is_worker = given->count == 0;
    if (stage->is_worker)
        return ALDIS_OK;
    aldis_err err = start_next(ctx, stage, given);
    if (err == ALDIS_OK && stage->opts.parallel > 1)
        err = start_workers(ctx, stage);
    return err;
}

/* ------------------------------------------------------------------ spawning */

static aldis_err refuse(size_t index, const char *what, unsigned long long found,
                        const char *allowed)
{
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                            "pipeline: stage %zu: %s is %llu; allowed: %s", index, what, found,
                            allowed);
}

static bool is_fixed(const aldis_type *type)
{
    return type && type->size != ALDIS_SIZE_VARIES;
}

/* Check one, and fill in what is left out. */
static aldis_err fill_stage(const aldis_stage_opts *opts, size_t index, aldis_stage_opts *out)
{
    const aldis_stage *stage = opts->stage;
    *out = *opts;
    if (!stage || !stage->run || !stage->behaviour || !is_fixed(stage->in) || !is_fixed(stage->out))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "pipeline: stage %zu is missing, or of a type of varying size",
                                index);
    if (!out->parallel)
        out->parallel = 1;
    if (!out->tries)
        out->tries = 1;
    if (!out->credit_msgs)
        out->credit_msgs = out->parallel * CREDIT_PER_WORKER > CREDIT_DEFAULT
                               ? out->parallel * CREDIT_PER_WORKER
                               : CREDIT_DEFAULT;
    if (out->parallel > PARALLEL_MAX)
        return refuse(index, "parallel", out->parallel, "1 to 256");
    if (out->tries > TRIES_MAX)
        return refuse(index, "tries", out->tries, "1 to 1000");
    if (out->credit_msgs > CREDIT_MAX || out->credit_msgs < out->parallel)
        return refuse(index, "credit_msgs", out->credit_msgs, "its workers to 65536");
    return ALDIS_OK;
}

static aldis_err pack(const aldis_stage_opts *stages, size_t count, struct stage_arg *out)
{
    for (size_t i = 0; i < count; i++) {
        aldis_err err = fill_stage(&stages[i], i, &out->stages[i]);
        if (err != ALDIS_OK)
            return err;
        uint32_t in = aldis__type_index(stages[i].stage->in);
        if (!in || !aldis__type_index(stages[i].stage->out))
            return aldis_error_last()->err;
        if (i > 0 && in != aldis__type_index(stages[i - 1].stage->out))
            return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), stages[i].stage->in->name,
                                    "pipeline: stage %zu takes %s, the one before gives %s", i,
                                    stages[i].stage->in->name, stages[i - 1].stage->out->name);
    }
    return ALDIS_OK;
}

static aldis_err spawn(aldis_ctx *ctx, aldis_system *system, const aldis_stage_opts *stages,
                       size_t count, aldis_id sink, aldis_id *out_id)
{
    if (!stages || count == 0 || count > ALDIS_PIPELINE_STAGES_MAX)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "pipeline: %zu stages; allowed: 1 to %d", stages ? count : 0,
                                ALDIS_PIPELINE_STAGES_MAX);
    size_t size = sizeof(struct stage_arg) + count * sizeof *stages;
    struct stage_arg *arg = calloc(1, size);
    if (!arg)
        return no_memory();
    arg->sink = sink;
    arg->count = (uint32_t)count;
    const aldis_spawn_opts spawn = {.arg = arg, .arg_size = size};
    aldis_err err = pack(stages, count, arg);
    if (err == ALDIS_OK)
        err = ctx ? aldis_ctx_spawn_raw(ctx, stages[0].stage->behaviour, &spawn, out_id)
                  : aldis_system_spawn_raw(system, stages[0].stage->behaviour, &spawn, out_id);
    free(arg);
    return err;
}

aldis_err aldis_ctx_pipeline_spawn_raw(aldis_ctx *ctx, const aldis_stage_opts *stages, size_t count,
                                       aldis_id sink, aldis_id *out_id)
{
    if (!ctx)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "pipeline: the context is NULL");
    return spawn(ctx, NULL, stages, count, sink, out_id);
}

aldis_err aldis_system_pipeline_spawn_raw(aldis_system *system, const aldis_stage_opts *stages,
                                          size_t count, aldis_id sink, aldis_id *out_id)
{
    return spawn(NULL, system, stages, count, sink, out_id);
}
