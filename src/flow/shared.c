// SPDX-License-Identifier: Apache-2.0
/* shared.c: the flow controller of threads that are not actors. Layer: flow.
 *
 * Permits are the tickets of a gate (messaging/gate.h): taken by any thread, given back by
 * whichever worker is done with the message. It outlives its handle until the last permit is back.
 */
#include "flow/flow.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "core/futex.h"
#include "core/tracked.h"
#include "messaging/gate.h"
#include <stdlib.h>
#include <string.h>

struct aldis_shared_flow {
    struct aldis__gate gate;
    aldis_system *system;
    aldis_flow_opts opts;
    aldis_shared_bucket *bucket; /* NULL: no rate */
    _Atomic(uint32_t) refs;      /* the handle's, and one for each permit */
    _Atomic(uint32_t) waiting;   /* threads */
    _Atomic(uint64_t) peak, sent, refused, rate_limited, expired;
};

/* A token that comes sooner is waited for so long: at high rates not each has its own sleep. */
enum { NAP_MIN_NS = 1000 };

static void unref(aldis_shared_flow *flow)
{
    /* SF1 acq_rel: pairs with itself: whoever frees it comes after all who have used it. */
    if (aldis__fetch_sub_acq_rel(&flow->refs, 1) > 1)
        return;
    aldis_shared_bucket_destroy(flow->bucket);
    free(flow);
}

static void count(_Atomic(uint64_t) *counter)
{
    (void)aldis__fetch_add_relaxed(counter, 1); /* relaxed: a counter */
}

aldis_err aldis_shared_flow_create(aldis_system *system, const aldis_flow_opts *opts,
                                   aldis_shared_flow **out_flow)
{
    aldis_flow_opts filled;
    if (!system || !out_flow)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "flow: system or out_flow is NULL");
    aldis_err err = aldis__flow_resolve(opts, &filled);
    if (err != ALDIS_OK)
        return err;
    aldis_shared_flow *flow = aligned_alloc(64, (sizeof *flow + 63) & ~(size_t)63);
    if (!flow)
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", NULL);
    memset(flow, 0, sizeof *flow);
    if (aldis__flow_has_rate(&filled))
        err = aldis_shared_bucket_create(&filled.rate, aldis__clock_monotonic_ns(), &flow->bucket);
    if (err != ALDIS_OK) {
        free(flow);
        return err;
    }
    aldis__gate_init(&flow->gate, filled.concurrent_max, filled.concurrent_max);
    aldis__store_relaxed(&flow->refs, 1); /* relaxed: nobody else knows it yet */
    flow->system = system;
    flow->opts = filled;
    *out_flow = flow;
    return ALDIS_OK;
}

void aldis_shared_flow_destroy(aldis_shared_flow *flow)
{
    if (flow)
        unref(flow);
}

/* ------------------------------------------------------------------ permits */

static void release(aldis_shared_flow *flow)
{
    aldis__gate_leave(&flow->gate);
    unref(flow);
}

static void permit_handled(struct aldis__worker *worker, struct aldis__cell *cell,
                           struct aldis__msg *msg, struct aldis__track *track, aldis_err err)
{
    (void)worker, (void)cell, (void)msg, (void)err;
    release((aldis_shared_flow *)(uintptr_t)track->a);
}

static void permit_ended(struct aldis__worker *worker, struct aldis__msg *msg,
                         struct aldis__track *track, enum aldis__fate fate, aldis_err reason)
{
    (void)worker, (void)msg, (void)fate, (void)reason;
    release((aldis_shared_flow *)(uintptr_t)track->a);
}

static const struct aldis__tracker permit_tracker = {
    .name = "shared permit", .handled = permit_handled, .ended = permit_ended};

static void note_peak(aldis_shared_flow *flow)
{
    /* Relaxed: figures. */
    uint64_t tail = aldis__load_relaxed(&flow->gate.tail) >> ALDIS__GATE_TICKET_SHIFT;
    uint64_t head = aldis__load_relaxed(&flow->gate.head) >> ALDIS__GATE_TAKEN_SHIFT;
    uint64_t peak = aldis__load_relaxed(&flow->peak);
    while (tail - head > peak && tail - head <= flow->opts.concurrent_max &&
           !aldis__cas_weak_relaxed(&flow->peak, &peak, tail - head)) /* relaxed: a figure */
        continue;
}

/* Permit, token, send. ALDIS_EAGAIN: no permit, or no room; ALDIS_ERATE. Nothing was done then. */
static aldis_err pass(aldis_shared_flow *flow, const struct aldis__parcel *parcel,
                      aldis_ns *out_wait_ns)
{
    uint64_t ticket;
    if (aldis__gate_enter(&flow->gate, &ticket) != ALDIS_OK)
        return ALDIS_EAGAIN;
    uint32_t cost = flow->opts.costs[ALDIS_LANE_NORMAL];
    (void)aldis__fetch_add_relaxed(&flow->refs, 1); /* relaxed: the caller has one */
    if (flow->bucket &&
        aldis_shared_bucket_try_consume(flow->bucket, cost, aldis__clock_monotonic_ns(),
                                        out_wait_ns) != ALDIS_OK) {
        release(flow);
        return ALDIS_ERATE;
    }
    note_peak(flow);
    const struct aldis__track track = {&permit_tracker, ALDIS_FOREVER, (uint64_t)(uintptr_t)flow,
                                       0};
    aldis_err err = aldis__outside_send_tracked(flow->system, parcel, &track);
    if (err != ALDIS_OK) {
        if (flow->bucket)
            aldis_shared_bucket_give_back(flow->bucket, cost);
        release(flow);
    }
    return err;
}

static aldis_err note_result(aldis_shared_flow *flow, aldis_err err)
{
    if (err == ALDIS_OK)
        count(&flow->sent);
    else if (err == ALDIS_ERATE)
        count(&flow->rate_limited);
    else if (err == ALDIS_ETIMEDOUT)
        count(&flow->expired);
    else
        count(&flow->refused);
    return err;
}

static aldis_err check(const aldis_shared_flow *flow)
{
    if (flow)
        return ALDIS_OK;
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "flow: the controller is NULL");
}

static aldis_err refuse(aldis_err err, const struct aldis__parcel *parcel)
{
    return aldis__error_set(err, parcel->to, parcel->type ? parcel->type->name : "", NULL);
}

aldis_err aldis_shared_flow_try_send_raw(aldis_shared_flow *flow, aldis_id to, aldis_type *type,
                                         const void *payload, size_t size)
{
    aldis_err err = check(flow);
    if (err != ALDIS_OK)
        return err;
    const struct aldis__parcel parcel = {to, type, payload, size, NULL, NULL};
    err = note_result(flow, pass(flow, &parcel, NULL));
    return err == ALDIS_EAGAIN || err == ALDIS_ERATE ? refuse(err, &parcel) : err;
}

/* Until a permit has come back; or, where none is lacking, for a while. */
static void wait_for(aldis_shared_flow *flow, aldis_err why, aldis_ns token_ns, aldis_ns left_ns)
{
    _Atomic(uint32_t) never = 0; /* slept on for its time-out only */
    uint32_t room;
    if (why == ALDIS_EAGAIN && !aldis__gate_listen(&flow->gate, &room)) {
        aldis__futex_wait(&flow->gate.room, room, left_ns);
        return;
    }
    /* With a permit left it is the receiver that is full, and nobody tells of its room. */
    aldis_ns nap_ns = why == ALDIS_EAGAIN ? ALDIS_MS : token_ns;
    nap_ns = nap_ns > NAP_MIN_NS ? nap_ns : NAP_MIN_NS;
    aldis__futex_wait(&never, 0, nap_ns < left_ns ? nap_ns : left_ns);
}

static aldis_err pass_until(aldis_shared_flow *flow, const struct aldis__parcel *parcel,
                            aldis_ns timeout_ns)
{
    aldis_ns start_ns = aldis__clock_monotonic_ns(), wait_ns = 0;
    aldis_err err;
    while ((err = pass(flow, parcel, &wait_ns)) == ALDIS_EAGAIN || err == ALDIS_ERATE) {
        aldis_ns waited_ns = aldis__clock_monotonic_ns() - start_ns;
        if (waited_ns >= timeout_ns)
            return refuse(ALDIS_ETIMEDOUT, parcel);
        wait_for(flow, err, wait_ns,
                 timeout_ns == ALDIS_FOREVER ? ALDIS_FOREVER : timeout_ns - waited_ns);
    }
    return err;
}

aldis_err aldis_shared_flow_send_until_raw(aldis_shared_flow *flow, aldis_id to, aldis_type *type,
                                           const void *payload, size_t size, aldis_ns timeout_ns)
{
    aldis_err err = check(flow);
    if (err == ALDIS_OK && timeout_ns < 0)
        err = aldis__error_set(ALDIS_EINVAL, to, type ? type->name : "",
                               "flow: timeout %lld ns; allowed: 0 or more", (long long)timeout_ns);
    if (err != ALDIS_OK)
        return err;
    const struct aldis__parcel parcel = {to, type, payload, size, NULL, NULL};
    aldis_ns wait_ns;
    err = pass(flow, &parcel, &wait_ns);
    if (err != ALDIS_EAGAIN && err != ALDIS_ERATE)
        return note_result(flow, err);
    /* Relaxed: a bound on how many wait, and a figure. */
    if (aldis__fetch_add_relaxed(&flow->waiting, 1) >= flow->opts.queue_max)
        err = refuse(ALDIS_EFULL, &parcel);
    else
        err = pass_until(flow, &parcel, timeout_ns);
    (void)aldis__fetch_add_relaxed(&flow->waiting, UINT32_MAX); /* relaxed: one less */
    return note_result(flow, err);
}

void aldis_shared_flow_get_stats(aldis_shared_flow *flow, aldis_flow_stats *out_stats)
{
    if (!flow || !out_stats)
        return;
    /* Relaxed, all of them: exact only while nobody uses it. */
    uint64_t head = aldis__load_relaxed(&flow->gate.head) >> ALDIS__GATE_TAKEN_SHIFT;
    uint64_t tail = aldis__load_relaxed(&flow->gate.tail) >> ALDIS__GATE_TICKET_SHIFT;
    /* Between the two reads permits may have come back and gone out again. */
    uint64_t most = flow->opts.concurrent_max;
    uint32_t in_flight = (uint32_t)(tail - head < most ? tail - head : most);
    *out_stats = (aldis_flow_stats){.concurrent_max = flow->opts.concurrent_max,
                                    .in_flight = in_flight,
                                    .in_flight_peak = (uint32_t)aldis__load_relaxed(&flow->peak),
                                    .available = flow->opts.concurrent_max - in_flight,
                                    .queue_max = flow->opts.queue_max,
                                    .queued = aldis__load_relaxed(&flow->waiting),
                                    .sent = aldis__load_relaxed(&flow->sent),
                                    .refused = aldis__load_relaxed(&flow->refused),
                                    .rate_limited = aldis__load_relaxed(&flow->rate_limited),
                                    .expired = aldis__load_relaxed(&flow->expired),
                                    .rate = flow->opts.rate};
    out_stats->submitted = out_stats->sent + out_stats->refused + out_stats->rate_limited +
                           out_stats->expired + out_stats->queued;
    if (flow->bucket)
        out_stats->tokens =
            aldis_shared_bucket_available(flow->bucket, aldis__clock_monotonic_ns());
}
