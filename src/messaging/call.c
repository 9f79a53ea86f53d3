// SPDX-License-Identifier: Apache-2.0
/* call.c: asking from outside threads. Layer: messaging.
 *
 * A caller waits with its answer's place on its own stack; a list of those that wait tells whether
 * it still does. It has as many entries as there are blocked threads in the process: few. */
#include "base/clock.h"
#include "base/error.h"
#include "core/futex.h"
#include "core/system.h"
#include "messaging/ask.h"
#include <limits.h>
#include <pthread.h>
#include <string.h>

struct call {
    struct call *next, **link;
    uint64_t ticket;
    void *reply;
    size_t size;
    aldis_err err;
    _Atomic(uint32_t) done; /* futex */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct call *calls; /* that wait; under the lock, as the tickets */
static uint64_t last_ticket;

bool aldis__call_complete(uint64_t ticket, aldis_err err, const void *payload, size_t size)
{
    pthread_mutex_lock(&lock);
    struct call *call = calls;
    while (call && call->ticket != ticket)
        call = call->next;
    /* Relaxed: written under this lock only. */
    bool waits = call && !aldis__load_relaxed(&call->done);
    if (waits) {
        call->err = err;
        if (err == ALDIS_OK && size)
            memcpy(call->reply, payload, size < call->size ? size : call->size);
        /* C1 release: pairs with C2 in await(): the answer is complete. */
        aldis__store_release(&call->done, 1);
        aldis__futex_wake(&call->done, INT_MAX); /* under the lock: the caller is still there */
    }
    pthread_mutex_unlock(&lock);
    return waits;
}

static void enlist(struct call *call)
{
    pthread_mutex_lock(&lock);
    call->ticket = ++last_ticket;
    call->next = calls;
    call->link = &calls;
    if (calls)
        calls->link = &call->next;
    calls = call;
    pthread_mutex_unlock(&lock);
}

static void strike_off(struct call *call)
{
    pthread_mutex_lock(&lock);
    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
    pthread_mutex_unlock(&lock);
}

/* False: there was no answer in time. */
static bool await(struct call *call, aldis_ns timeout_ns)
{
    aldis_ns start_ns = aldis__clock_monotonic_ns();
    /* C2 acquire: pairs with C1 in aldis__call_complete(). */
    while (!aldis__load_acquire(&call->done)) {
        aldis_ns left_ns = ALDIS_FOREVER;
        if (timeout_ns != ALDIS_FOREVER)
            left_ns = timeout_ns - (aldis__clock_monotonic_ns() - start_ns);
        if (left_ns <= 0)
            return false;
        aldis__futex_wait(&call->done, 0, left_ns);
    }
    return true;
}

static aldis_err check_call(const aldis_request *request, const void *out_reply,
                            aldis_ns timeout_ns)
{
    if (!request || !request->type || !request->reply)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "call: the request is NULL");
    const char *name = request->type->name;
    if (timeout_ns < 0)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), name,
                                "call: timeout %lld ns; allowed: 1 or more, or 0 for the default",
                                (long long)timeout_ns);
    if (request->type->size == ALDIS_SIZE_VARIES || request->reply->size == ALDIS_SIZE_VARIES)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), name,
                                "call: %s or its reply is of varying size", name);
    if (!out_reply && request->reply->size)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), name, "call: out_reply is NULL");
    return aldis__request_resolve(request);
}

aldis_err aldis_call_raw(aldis_system *system, aldis_id to, const aldis_request *request,
                         const void *payload, void *out_reply, aldis_ns timeout_ns)
{
    aldis_err err = aldis__system_check_outside(system, "call");
    if (err == ALDIS_OK)
        err = check_call(request, out_reply, timeout_ns);
    if (err != ALDIS_OK)
        return err;
    if (timeout_ns == 0)
        timeout_ns = ALDIS_ASK_TIMEOUT_DEFAULT;
    struct call call = {.reply = out_reply, .size = request->reply->size};
    enlist(&call);
    struct aldis__track track = {&aldis__ask_request, ALDIS_FOREVER, aldis_nobody().bits,
                                 call.ticket};
    aldis_ns now_ns = aldis_system_now(system);
    if (!system->virtual_time && timeout_ns < ALDIS_FOREVER - now_ns)
        track.deadline_ns = now_ns + timeout_ns;
    const struct aldis__parcel parcel = {
        .to = to, .type = request->type, .payload = payload, .size = request->type->size};
    err = aldis__outside_send_tracked(system, &parcel, &track);
    bool answered = err == ALDIS_OK && await(&call, timeout_ns);
    strike_off(&call);
    if (err != ALDIS_OK)
        return err;
    /* It may have come between the last look and the list; then it counts as handled. Relaxed: the
     * lock has ordered it. */
    if (!answered && !aldis__load_relaxed(&call.done))
        return aldis__error_set(ALDIS_ETIMEDOUT, to, request->type->name,
                                "call: no answer to %s within %lld ns", request->type->name,
                                (long long)timeout_ns);
    if (call.err != ALDIS_OK)
        return aldis__error_set(call.err, to, request->type->name, "call: %s to actor %016llx: %s",
                                request->type->name, (unsigned long long)to.bits,
                                aldis_error_text(call.err));
    return ALDIS_OK;
}
