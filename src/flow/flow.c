// SPDX-License-Identifier: Apache-2.0
/* flow.c: the flow controller of an actor. Layer: flow.
 *
 * Everything here belongs to the actor that made the controller and runs on the worker of its
 * shard. A message that holds a permit is tracked (core/tracked.h); its track names the owner (a)
 * and the controller (b). When it is done with, the permit goes back: directly, live and where the
 * owner lives on the same worker; else by a posted message, in virtual time always, so that it
 * arrives in logical order. */
#include "flow/flow.h"

#include "base/error.h"
#include "core/mailbox.h"
#include "core/part.h"
#include "core/send.h"
#include "core/timer.h"
#include "core/tracked.h"
#include <stdlib.h>
#include <string.h>

enum { CONCURRENT_MAX = 1 << 30, QUEUE_MAX = 1 << 20, BURST_SECONDS = 10 };

/* A send that waits. */
struct waiting {
    struct waiting *next;
    aldis_id to;
    aldis_type *type;
    aldis_send_opts opts;
    aldis_ns deadline_ns;
    size_t size;
    _Alignas(16) unsigned char payload[];
};

struct aldis_flow {
    aldis_flow *next, **link; /* of its owner's list */
    aldis_id owner;
    aldis_flow_opts opts;
    aldis_bucket bucket;
    uint32_t in_flight, in_flight_peak, queued;
    bool ended;   /* only its permits are still under way */
    bool pumping; /* a message is under way that will look at the queue */
    struct waiting *first, **last;
    aldis_ns earliest_ns; /* no waiting send expires before */
    uint64_t submitted, sent, refused, rate_limited, expired, discarded;
};

/* What an actor that has controllers keeps. */
struct flows {
    struct aldis__part part;
    struct aldis__alarm alarm; /* for the next token or time-out of any */
    aldis_flow *first;
};

/* ------------------------------------------------------------------ making and ending */

static aldis_err refuse_option(const char *name, uint64_t found, uint64_t low, uint64_t high)
{
    return aldis__error_set(
        ALDIS_EINVAL, aldis_nobody(), "", "flow: %s is %llu; allowed: %llu to %llu", name,
        (unsigned long long)found, (unsigned long long)low, (unsigned long long)high);
}

aldis_err aldis__flow_resolve(const aldis_flow_opts *opts, aldis_flow_opts *out_opts)
{
    if (!opts)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "flow: opts is NULL");
    *out_opts = *opts;
    if (opts->concurrent_max == 0 || opts->concurrent_max > CONCURRENT_MAX)
        return refuse_option("concurrent_max", opts->concurrent_max, 1, CONCURRENT_MAX);
    if (opts->queue_max > QUEUE_MAX)
        return refuse_option("queue_max", opts->queue_max, 0, QUEUE_MAX);
    if (opts->rate.tokens == 0 && (opts->rate.burst || opts->rate.period_ns))
        return refuse_option("rate.tokens", 0, 1, 1000000000);
    aldis_rate *rate = &out_opts->rate;
    if (rate->tokens && !rate->period_ns)
        rate->period_ns = ALDIS_SECOND;
    if (rate->tokens && !rate->burst && rate->period_ns > 0) {
        /* In floating point: it is a default, and 10^9 tokens each nanosecond do not fit. */
        double burst =
            (double)rate->tokens * BURST_SECONDS * (double)ALDIS_SECOND / (double)rate->period_ns;
        rate->burst = burst < 1 ? 1 : burst > 1e9 ? 1000000000 : (uint64_t)burst;
    }
    for (unsigned lane = 0; lane <= ALDIS_LANE_LOW; lane++) {
        if (out_opts->costs[lane] == 0)
            out_opts->costs[lane] = 1;
        if (rate->tokens && out_opts->costs[lane] > rate->burst)
            return refuse_option("costs", out_opts->costs[lane], 1, rate->burst);
    }
    return ALDIS_OK;
}

static void free_flow(aldis_flow *flow)
{
    *flow->link = flow->next;
    if (flow->next)
        flow->next->link = flow->link;
    free(flow);
}

/* What waits is not sent any more. */
static void discard_queue(struct aldis__worker *worker, aldis_flow *flow)
{
    while (flow->first) {
        struct waiting *entry = flow->first;
        const struct aldis__parcel parcel = {.to = entry->to,
                                             .type = entry->type,
                                             .payload = entry->payload,
                                             .size = entry->size,
                                             .opts = &entry->opts};
        flow->first = entry->next;
        flow->queued--;
        flow->discarded++;
        aldis__parcel_bury(worker, flow->owner, &parcel, ALDIS_ESTATE);
        free(entry);
    }
    flow->last = &flow->first;
}

static void end_flow(struct aldis__worker *worker, aldis_flow *flow)
{
    discard_queue(worker, flow);
    flow->ended = true;
    if (flow->in_flight == 0)
        free_flow(flow);
}

static void end_all(struct aldis__worker *worker, struct aldis__cell *cell,
                    struct aldis__part *part)
{
    (void)cell;
    struct flows *flows = (struct flows *)(void *)part;
    for (aldis_flow *flow = flows->first, *next; flow; flow = next) {
        next = flow->next;
        if (!flow->ended)
            end_flow(worker, flow);
    }
    aldis__alarm_forget(worker, &flows->alarm);
}

static void free_all(struct aldis__part *part)
{
    struct flows *flows = (struct flows *)(void *)part;
    while (flows->first) {
        while (flows->first->first) { /* the system is destroyed */
            struct waiting *entry = flows->first->first;
            flows->first->first = entry->next;
            free(entry);
        }
        free_flow(flows->first);
    }
}

static const struct aldis__part_class flows_class = {"flows", sizeof(struct flows), end_all,
                                                     end_all, free_all};

static struct flows *flows_of(const struct aldis__cell *cell)
{
    return (struct flows *)(void *)aldis__part_of(cell, &flows_class);
}

aldis_err aldis_flow_create(aldis_ctx *ctx, const aldis_flow_opts *opts, aldis_flow **out_flow)
{
    aldis_flow_opts filled;
    aldis_bucket bucket = {.now_ns = 0};
    aldis_err err = aldis__ctx_check(ctx, "flow");
    if (err == ALDIS_OK && !out_flow)
        err = aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "flow: out_flow is NULL");
    if (err == ALDIS_OK)
        err = aldis__flow_resolve(opts, &filled);
    if (err == ALDIS_OK && aldis__flow_has_rate(&filled))
        err = aldis_bucket_init(&bucket, &filled.rate, aldis_now(ctx));
    if (err != ALDIS_OK)
        return err;
    struct flows *flows = (struct flows *)(void *)aldis__part_make(ctx->cell, &flows_class);
    aldis_flow *flow = flows ? calloc(1, sizeof *flow) : NULL;
    if (!flow)
        return aldis__error_set(ALDIS_ENOMEM, ctx->cell->id, "", NULL);
    flow->owner = ctx->cell->id;
    flow->opts = filled;
    flow->bucket = bucket;
    flow->last = &flow->first;
    flow->earliest_ns = ALDIS_FOREVER;
    flow->next = flows->first;
    flow->link = &flows->first;
    if (flow->next)
        flow->next->link = &flow->next;
    flows->first = flow;
    *out_flow = flow;
    return ALDIS_OK;
}

static aldis_err check(const aldis_ctx *ctx, const aldis_flow *flow)
{
    aldis_err err = aldis__ctx_check(ctx, "flow");
    if (err != ALDIS_OK || (flow && aldis_id_equal(flow->owner, ctx->cell->id) && !flow->ended))
        return err;
    return aldis__error_set(ALDIS_EINVAL, ctx->cell->id, "",
                            "flow: the controller is NULL, has ended, or is another actor's");
}

aldis_err aldis_flow_destroy(aldis_ctx *ctx, aldis_flow *flow)
{
    aldis_err err = check(ctx, flow);
    if (err == ALDIS_OK)
        end_flow(aldis__worker_of(ctx), flow);
    return err;
}

/* ------------------------------------------------------------------ permits come back */

static const struct aldis__tracker release_tracker, pump_tracker;

/* On the owner's worker. */
static void release_here(struct aldis__worker *worker, aldis_flow *flow)
{
    flow->in_flight--;
    if (flow->ended && flow->in_flight == 0) {
        free_flow(flow);
    } else if (flow->first && !flow->pumping) {
        const struct aldis__track track = {&pump_tracker, ALDIS_FOREVER, flow->owner.bits,
                                           (uint64_t)(uintptr_t)flow};
        flow->pumping = true;
        aldis__post_tracked(worker, flow->owner, flow->owner, &track, NULL, 0);
    }
}

static void release(struct aldis__worker *worker, aldis_id from, const struct aldis__track *track)
{
    aldis_system *system = worker->ctx.system;
    aldis_id owner = {track->a};
    if (!system->virtual_time) {
        uint64_t place = aldis__id_index(owner, system->node_base);
        uint64_t word = aldis__directory_read(&system->directory[place]);
        if (!aldis__word_is_alive(word, owner))
            return; /* the controller has ended with its owner */
        struct aldis__shard *shard = &system->shards[aldis__word_home(word)];
        if (aldis__handover_owner(&shard->handover) == worker->index) {
            if (!(aldis__system_cell(system, place)->flags & ALDIS__CELL_ENDED))
                release_here(worker, (aldis_flow *)(uintptr_t)track->b);
            return;
        }
    }
    const struct aldis__track back = {&release_tracker, ALDIS_FOREVER, track->a, track->b};
    aldis__post_tracked(worker, from, owner, &back, NULL, 0);
}

static void permit_handled(struct aldis__worker *worker, struct aldis__cell *cell,
                           struct aldis__msg *msg, struct aldis__track *track, aldis_err err)
{
    (void)msg, (void)err;
    release(worker, cell->id, track);
}

static void permit_ended(struct aldis__worker *worker, struct aldis__msg *msg,
                         struct aldis__track *track, enum aldis__fate fate, aldis_err reason)
{
    (void)fate, (void)reason;
    if (worker)
        release(worker, msg->to, track);
}

static const struct aldis__tracker permit_tracker = {
    .name = "permit", .handled = permit_handled, .ended = permit_ended};

/* ------------------------------------------------------------------ sending */

static inline uint32_t cost_of(const aldis_flow *flow, const aldis_send_opts *opts)
{
    unsigned lane = opts ? (unsigned)opts->lane : ALDIS_LANE_NORMAL;
    return lane <= ALDIS_LANE_LOW ? flow->opts.costs[lane] : 1;
}

/* Permit, tokens, send. ALDIS_EAGAIN, ALDIS_ERATE: nothing was done. */
static aldis_err pass(aldis_ctx *ctx, aldis_flow *flow, const struct aldis__parcel *parcel,
                      aldis_ns *out_wait_ns)
{
    bool rated = aldis__flow_has_rate(&flow->opts);
    uint32_t cost = cost_of(flow, parcel->opts);
    if (flow->in_flight >= flow->opts.concurrent_max)
        return ALDIS_EAGAIN;
    if (rated &&
        aldis_bucket_try_consume(&flow->bucket, cost, aldis_now(ctx), out_wait_ns) != ALDIS_OK)
        return ALDIS_ERATE;
    const struct aldis__track track = {&permit_tracker, ALDIS_FOREVER, flow->owner.bits,
                                       (uint64_t)(uintptr_t)flow};
    flow->in_flight++;
    aldis_err err = aldis__send_tracked(ctx, parcel, &track);
    if (aldis__likely(err == ALDIS_OK)) {
        flow->sent++;
        if (flow->in_flight > flow->in_flight_peak)
            flow->in_flight_peak = flow->in_flight;
        return ALDIS_OK;
    }
    flow->in_flight--;
    if (rated)
        aldis_bucket_give_back(&flow->bucket, cost);
    /* Not to be taken for the controller's own. */
    return err == ALDIS_EAGAIN || err == ALDIS_ERATE ? ALDIS_ECOMM : err;
}

aldis_err aldis_flow_try_send_raw(aldis_ctx *ctx, aldis_flow *flow, aldis_id to, aldis_type *type,
                                  const void *payload, size_t size, const aldis_send_opts *opts)
{
    aldis_err err = check(ctx, flow);
    if (aldis__unlikely(err != ALDIS_OK))
        return err;
    const struct aldis__parcel parcel = {to, type, payload, size, opts, NULL};
    flow->submitted++;
    err = flow->first ? ALDIS_EAGAIN : pass(ctx, flow, &parcel, NULL);
    if (aldis__likely(err == ALDIS_OK))
        return ALDIS_OK;
    if (err == ALDIS_ERATE)
        flow->rate_limited++;
    else
        flow->refused++;
    if (err == ALDIS_EAGAIN || err == ALDIS_ERATE)
        return aldis__error_set(err, to, type ? type->name : "", NULL);
    return err;
}

/* ------------------------------------------------------------------ waiting */

/* One that waited will not be sent: on_undelivered hears of it. */
static void tell(aldis_ctx *ctx, const struct waiting *entry, aldis_err reason)
{
    if (!(aldis__ctx_send_flags(ctx) & ALDIS__MSG_NOTICE))
        return;
    struct aldis__refusal refusal = {entry->to, aldis__type_index(entry->type), 1, reason};
    aldis__post_runtime(aldis__worker_of(ctx), ctx->cell->id, ctx->cell->id,
                        ALDIS__TYPE_UNDELIVERED, &refusal, sizeof refusal);
}

static void expire(aldis_ctx *ctx, aldis_flow *flow)
{
    aldis_ns now_ns = aldis_now(ctx), earliest_ns = ALDIS_FOREVER;
    if (now_ns < flow->earliest_ns)
        return;
    struct waiting **link = &flow->first;
    while (*link) {
        struct waiting *entry = *link;
        if (entry->deadline_ns > now_ns) {
            earliest_ns = entry->deadline_ns < earliest_ns ? entry->deadline_ns : earliest_ns;
            link = &entry->next;
            continue;
        }
        uint32_t type = aldis__type_index(entry->type);
        *link = entry->next;
        flow->queued--;
        flow->expired++;
        aldis__worker_of(ctx)->counts[type].sent++;
        aldis__worker_of(ctx)->counts[type].expired++;
        tell(ctx, entry, ALDIS_EEXPIRED);
        free(entry);
    }
    flow->last = link;
    flow->earliest_ns = earliest_ns;
}

static const struct aldis__tracker alarm_tracker;

static bool set_alarm(aldis_ctx *ctx, aldis_ns due_ns)
{
    return due_ns == ALDIS_FOREVER ||
           aldis__alarm_set(aldis__worker_of(ctx), ctx->cell, &flows_of(ctx->cell)->alarm, due_ns,
                            &alarm_tracker);
}

/* Send what can go, in order; set the alarm for what cannot. */
static void pump(aldis_ctx *ctx, aldis_flow *flow)
{
    aldis_ns due_ns;
    expire(ctx, flow);
    due_ns = flow->earliest_ns;
    while (flow->first) {
        struct waiting *entry = flow->first;
        const struct aldis__parcel parcel = {entry->to,   entry->type,  entry->payload,
                                             entry->size, &entry->opts, NULL};
        aldis_ns wait_ns = 0, now_ns = aldis_now(ctx);
        aldis_err err = pass(ctx, flow, &parcel, &wait_ns);
        if (err == ALDIS_ERATE && wait_ns < due_ns - now_ns)
            due_ns = now_ns + wait_ns;
        if (err == ALDIS_ERATE || err == ALDIS_EAGAIN)
            break;
        flow->first = entry->next;
        if (!flow->first)
            flow->last = &flow->first;
        flow->queued--;
        if (err != ALDIS_OK) {
            flow->refused++;
            tell(ctx, entry, err);
        }
        free(entry);
    }
    /* Its record is there since the first wait. */
    if (flow->first)
        (void)set_alarm(ctx, due_ns);
}

static aldis_err alarm_handle(struct aldis__worker *worker, struct aldis__cell *cell,
                              struct aldis__msg *msg, struct aldis__track *track)
{
    (void)msg;
    struct flows *flows = flows_of(cell);
    if (!flows || !aldis__alarm_came(&flows->alarm, track))
        return ALDIS_OK;
    for (aldis_flow *flow = flows->first; flow; flow = flow->next)
        if (!flow->ended && flow->first)
            pump(&worker->ctx, flow);
    return ALDIS_OK;
}

static const struct aldis__tracker alarm_tracker = {.name = "flow alarm", .handle = alarm_handle};

static aldis_err pump_handle(struct aldis__worker *worker, struct aldis__cell *cell,
                             struct aldis__msg *msg, struct aldis__track *track)
{
    (void)cell, (void)msg;
    aldis_flow *flow = (aldis_flow *)(uintptr_t)track->b;
    struct flows *flows = flows_of(cell);
    aldis_flow *found = flows ? flows->first : NULL;
    while (found && found != flow) /* it may have ended meanwhile */
        found = found->next;
    if (!found || found->ended)
        return ALDIS_OK;
    flow->pumping = false;
    pump(&worker->ctx, flow);
    return ALDIS_OK;
}

static const struct aldis__tracker pump_tracker = {.name = "flow queue", .handle = pump_handle};

/* The track's controller is there as long as a permit of it is under way. */
static aldis_err release_handle(struct aldis__worker *worker, struct aldis__cell *cell,
                                struct aldis__msg *msg, struct aldis__track *track)
{
    (void)msg;
    aldis_flow *flow = (aldis_flow *)(uintptr_t)track->b;
    bool is_down = cell->flags & (ALDIS__CELL_FAILING | ALDIS__CELL_FAILED);
    flow->in_flight--;
    if (flow->ended && flow->in_flight == 0)
        free_flow(flow);
    else if (!flow->ended && flow->first && !is_down) /* its restart will end the controller */
        pump(&worker->ctx, flow);
    return ALDIS_OK;
}

static const struct aldis__tracker release_tracker = {
    .name = "permit back", .steadfast = true, .handle = release_handle};

/* due_ns: when to look at the queue, at the latest. */
static aldis_err enqueue(aldis_ctx *ctx, aldis_flow *flow, const struct aldis__parcel *parcel,
                         aldis_ns deadline_ns, aldis_ns due_ns)
{
    uint32_t index;
    uint64_t word;
    aldis_err err = aldis__parcel_check(parcel, &index);
    if (err == ALDIS_OK)
        err = aldis__send_check_opts(parcel->opts, parcel->type);
    if (err == ALDIS_OK) /* what cannot be sent now need not wait */
        err = aldis__send_check_receiver(ctx->system, parcel->to, index, &word);
    if (err != ALDIS_OK)
        return err;
    if (flow->queued >= flow->opts.queue_max)
        return aldis__error_set(ALDIS_EFULL, parcel->to, parcel->type->name, NULL);
    /* The alarm first: without one it might wait for ever. One that comes for nothing does no
     * harm. */
    bool is_set = set_alarm(ctx, due_ns);
    struct waiting *entry = is_set ? malloc(sizeof *entry + parcel->size) : NULL;
    if (!entry)
        return aldis__error_set(ALDIS_ENOMEM, parcel->to, parcel->type->name, NULL);
    *entry =
        (struct waiting){.to = parcel->to,
                         .type = parcel->type,
                         .opts = parcel->opts ? *parcel->opts : (aldis_send_opts){.delay_ns = 0},
                         .deadline_ns = deadline_ns,
                         .size = parcel->size};
    if (parcel->size)
        memcpy(entry->payload, parcel->payload, parcel->size);
    *flow->last = entry;
    flow->last = &entry->next;
    flow->queued++;
    if (deadline_ns < flow->earliest_ns)
        flow->earliest_ns = deadline_ns;
    return ALDIS_OK;
}

aldis_err aldis_flow_send_raw(aldis_ctx *ctx, aldis_flow *flow, aldis_ns timeout_ns, aldis_id to,
                              aldis_type *type, const void *payload, size_t size,
                              const aldis_send_opts *opts)
{
    aldis_err err = check(ctx, flow);
    if (err == ALDIS_OK && timeout_ns < 1)
        err = aldis__error_set(ALDIS_EINVAL, to, type ? type->name : "",
                               "flow: timeout %lld ns; allowed: 1 or more", (long long)timeout_ns);
    if (err != ALDIS_OK)
        return err;
    const struct aldis__parcel parcel = {to, type, payload, size, opts, NULL};
    aldis_ns now_ns = aldis_now(ctx), wait_ns = 0, due_ns = ALDIS_FOREVER;
    aldis_ns deadline_ns =
        timeout_ns >= ALDIS_FOREVER - now_ns ? ALDIS_FOREVER : now_ns + timeout_ns;
    flow->submitted++;
    err = flow->first ? ALDIS_EAGAIN : pass(ctx, flow, &parcel, &wait_ns);
    if (err == ALDIS_ERATE)
        due_ns = now_ns + wait_ns;
    if (err == ALDIS_EAGAIN || err == ALDIS_ERATE) {
        due_ns = deadline_ns < due_ns ? deadline_ns : due_ns;
        err = enqueue(ctx, flow, &parcel, deadline_ns, due_ns);
    }
    if (err != ALDIS_OK)
        flow->refused++;
    return err;
}

/* ------------------------------------------------------------------ figures */

aldis_ns aldis_flow_wait(const aldis_ctx *ctx, const aldis_flow *flow, aldis_lane lane)
{
    aldis_ns wait_ns = 0;
    if (check(ctx, flow) != ALDIS_OK || !aldis__flow_has_rate(&flow->opts))
        return 0;
    aldis_bucket copy = flow->bucket;
    const aldis_send_opts opts = {.lane = lane};
    (void)aldis_bucket_try_consume(&copy, cost_of(flow, &opts), aldis_now(ctx), &wait_ns);
    return wait_ns;
}

void aldis_flow_get_stats(const aldis_ctx *ctx, const aldis_flow *flow, aldis_flow_stats *out_stats)
{
    if (check(ctx, flow) != ALDIS_OK || !out_stats)
        return;
    bool rated = aldis__flow_has_rate(&flow->opts);
    *out_stats = (aldis_flow_stats){
        .concurrent_max = flow->opts.concurrent_max,
        .in_flight = flow->in_flight,
        .in_flight_peak = flow->in_flight_peak,
        .available = flow->opts.concurrent_max - flow->in_flight,
        .queue_max = flow->opts.queue_max,
        .queued = flow->queued,
        .submitted = flow->submitted,
        .sent = flow->sent,
        .refused = flow->refused,
        .rate_limited = flow->rate_limited,
        .expired = flow->expired,
        .discarded = flow->discarded,
        .tokens = rated ? aldis_bucket_available(&flow->bucket, aldis_now(ctx)) : 0,
        .rate = flow->opts.rate};
}
