// SPDX-License-Identifier: Apache-2.0
/* testkit.c: a system in virtual time under a test's control. Layer: testkit. */
#include "testkit/testkit.h"

#include "base/error.h"
#include "core/deliver.h"
#include "core/timer.h"
#include "core/window.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { TRACE_DEFAULT = 32, TRACE_MAX = 65536, REPORT_LINE_MAX = 160 };

/* ------------------------------------------------------------------ failing */

static void abort_on_failure(void *arg, const char *text)
{
    (void)arg;
    fprintf(stderr, "%s\n", text);
    abort();
}

static void report_trace(aldis_testkit *kit, FILE *out)
{
    pthread_mutex_lock(&kit->lock);
    uint64_t kept = kit->opts.trace_msgs;
    uint64_t first = kit->traced > kept ? kit->traced - kept : 0;
    fprintf(out, "the last %" PRIu64 " of %" PRIu64 " messages:", kit->traced - first, kit->traced);
    for (uint64_t i = first; i < kit->traced; i++) {
        const aldis_handled *h = &kit->trace[i % kept];
        fprintf(out, "\n  %12.6f ms  %016" PRIx64 " -> %016" PRIx64 " (%s)  %s, %zu bytes",
                (double)h->at_ns * 1e-6, h->sender.bits, h->receiver.bits, h->kind_name,
                h->type_name, h->size);
    }
    pthread_mutex_unlock(&kit->lock);
}

static __attribute__((format(printf, 2, 0))) void fail_list(aldis_testkit *kit, const char *format,
                                                            va_list args)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    kit->failed = true;
    if (out) {
        vfprintf(out, format, args);
        fprintf(out, "\nseed %" PRIu64 ", at %.6f ms; ", kit->opts.system.seed,
                (double)aldis_system_now(kit->system) * 1e-6);
        if (kit->explorer)
            fprintf(out, "order: %s; ", aldis__explorer_order(kit->explorer));
        report_trace(kit, out);
        if (fclose(out) != 0) {
            free(text);
            text = NULL;
        }
    }
    kit->opts.on_failure(kit->opts.on_failure_arg, text ? text : "failed, and memory is out");
    free(text); /* a harness that jumps out of the test leaks it */
}

void aldis_testkit_fail(aldis_testkit *kit, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail_list(kit, format, args);
    va_end(args);
}

/* ------------------------------------------------------------------ what goes through the sieve */

static bool is_match(const aldis_testkit_match *match, const struct aldis__msg *msg)
{
    return (aldis_id_is_nobody(match->from) || aldis_id_equal(match->from, msg->from)) &&
           (aldis_id_is_nobody(match->to) || aldis_id_equal(match->to, msg->to)) &&
           (!match->type || strcmp(match->type->name, aldis__type_info(msg->type)->name) == 0);
}

/* Take the oldest fault that is for this message. */
static bool take_fault(aldis_testkit *kit, const struct aldis__msg *msg,
                       struct aldis__testkit_fault *out_fault)
{
    bool found = false;
    pthread_mutex_lock(&kit->lock);
    for (uint32_t i = 0; !found && i < kit->fault_count; i++) {
        if (!is_match(&kit->faults[i].match, msg))
            continue;
        found = true;
        *out_fault = kit->faults[i];
        kit->fault_count--;
        memmove(&kit->faults[i], &kit->faults[i + 1],
                (kit->fault_count - i) * sizeof kit->faults[0]);
    }
    pthread_mutex_unlock(&kit->lock);
    return found;
}

void aldis__testkit_postpone(struct aldis__worker *worker, struct aldis__shard *shard,
                             struct aldis__msg *msg, aldis_ns at_ns)
{
    (void)worker;
    struct aldis__stamp *stamp = aldis__msg_stamp(msg);
    stamp->at_ns = at_ns;
    stamp->order &= (UINT64_C(1) << ALDIS__SEQUENCE_BITS) - 1; /* the first round of its instant */
    aldis__vqueue_add(&shard->future, msg);
}

/* False: it does not come now. */
static bool suffer(aldis_testkit *kit, struct aldis__worker *worker, struct aldis__shard *shard,
                   struct aldis__msg *msg)
{
    struct aldis__testkit_fault fault;
    const struct aldis__virtual *engine = kit->system->virtual_engine;
    if (msg->type < ALDIS__TYPE_STATUS || !take_fault(kit, msg, &fault))
        return true;
    if (fault.delay_ns == 0) {
        worker->counts[msg->type].dropped++;
        if (msg->flags & ALDIS__MSG_TIMER)
            aldis__timer_forget(worker, msg);
        aldis__pool_free(worker->pool, msg);
        return false;
    }
    aldis_ns at_ns = aldis__msg_stamp(msg)->at_ns;
    at_ns = fault.delay_ns < ALDIS_FOREVER - 1 - at_ns ? at_ns + fault.delay_ns : ALDIS_FOREVER - 1;
    if (at_ns < engine->end_ns) {
        aldis__msg_stamp(msg)->at_ns = at_ns; /* in this window still */
        return true;
    }
    aldis__testkit_postpone(worker, shard, msg, at_ns);
    return false;
}

static size_t sift(struct aldis__sieve *sieve, struct aldis__worker *worker,
                   struct aldis__shard *shard, struct aldis__sort_entry *entries, size_t count)
{
    aldis_testkit *kit = (aldis_testkit *)(void *)sieve;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (suffer(kit, worker, shard, entries[i].msg))
            entries[kept++] = entries[i];
    return kit->explorer ? aldis__explorer_choose(kit->explorer, worker, shard, entries, kept)
                         : kept;
}

static aldis_err add_fault(aldis_testkit *kit, const aldis_testkit_match *match, aldis_ns delay_ns)
{
    aldis_err err = ALDIS_OK;
    pthread_mutex_lock(&kit->lock);
    if (kit->fault_count == ALDIS__FAULTS_MAX)
        err = aldis__error_set(ALDIS_EFULL, aldis_nobody(), "",
                               "testkit: %d faults wait for their message", ALDIS__FAULTS_MAX);
    else
        kit->faults[kit->fault_count++] = (struct aldis__testkit_fault){*match, delay_ns};
    pthread_mutex_unlock(&kit->lock);
    return err;
}

aldis_err aldis_testkit_drop(aldis_testkit *kit, const aldis_testkit_match *match)
{
    if (!kit || !match)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "testkit: an argument is NULL");
    return add_fault(kit, match, 0);
}

aldis_err aldis_testkit_delay(aldis_testkit *kit, const aldis_testkit_match *match,
                              aldis_ns delay_ns)
{
    if (!kit || !match || delay_ns <= 0)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "testkit: a delay of %lld ns; allowed: 1 or more",
                                (long long)delay_ns);
    return add_fault(kit, match, delay_ns);
}

/* ------------------------------------------------------------------ life */

static void note_handled(void *arg, const aldis_handled *handled)
{
    aldis_testkit *kit = arg;
    pthread_mutex_lock(&kit->lock);
    kit->trace[kit->traced++ % kit->opts.trace_msgs] = *handled;
    pthread_mutex_unlock(&kit->lock);
}

static void free_kit(aldis_testkit *kit)
{
    aldis_system_destroy(kit->system);
    for (aldis_probe *probe = kit->probes, *next; probe; probe = next) {
        next = probe->next;
        for (struct aldis__probed *msg = probe->head, *after; msg; msg = after) {
            after = msg->next;
            free(msg);
        }
        free(probe->shown);
        free(probe);
    }
    pthread_mutex_destroy(&kit->lock);
    free(kit->trace);
    free(kit);
}

aldis_err aldis_testkit_create(const aldis_testkit_opts *opts, aldis_testkit **out_kit)
{
    if (!out_kit || (opts && opts->trace_msgs > TRACE_MAX))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "testkit: out_kit is NULL, or trace_msgs is not 1 to %d",
                                TRACE_MAX);
    aldis_testkit *kit = calloc(1, sizeof *kit);
    if (!kit)
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "testkit");
    pthread_mutex_init(&kit->lock, NULL);
    if (opts)
        kit->opts = *opts;
    kit->opts.system.clock = ALDIS_CLOCK_VIRTUAL;
    if (!kit->opts.trace_msgs)
        kit->opts.trace_msgs = TRACE_DEFAULT;
    if (!kit->opts.on_failure)
        kit->opts.on_failure = abort_on_failure;
    kit->sieve.sift = sift;
    kit->trace = calloc(kit->opts.trace_msgs, sizeof *kit->trace);
    aldis_err err = kit->trace ? aldis_system_create(&kit->opts.system, &kit->system)
                               : aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "testkit");
    if (err == ALDIS_OK)
        err = aldis_system_on_handled(kit->system, note_handled, kit);
    if (err != ALDIS_OK) {
        free_kit(kit);
        return err;
    }
    kit->system->virtual_engine->watch.sieve = &kit->sieve;
    *out_kit = kit;
    return ALDIS_OK;
}

aldis_err aldis_testkit_destroy(aldis_testkit *kit)
{
    if (!kit)
        return ALDIS_OK;
    aldis_audit audit;
    aldis_err err = aldis_system_audit(kit->system, &audit);
    if (err == ALDIS_EAUDIT)
        aldis_testkit_fail(kit, "the audit does not balance: %s", audit.text);
    free_kit(kit);
    return err;
}

aldis_system *aldis_testkit_system(aldis_testkit *kit)
{
    return kit ? kit->system : NULL;
}

/* ------------------------------------------------------------------ time */

static void check_run(aldis_testkit *kit, aldis_err err)
{
    if (err != ALDIS_OK)
        aldis_testkit_fail(kit, "the run failed: %s", aldis_error_last()->text);
}

bool aldis_testkit_step(aldis_testkit *kit)
{
    uint64_t windows = aldis_system_windows(kit->system);
    aldis_run_end end;
    /* A halt that was asked for before the run lets no window run; so this asks inside it. */
    kit->system->virtual_engine->watch.one_window = true;
    check_run(kit, aldis_system_run(kit->system, ALDIS_FOREVER, &end));
    kit->system->virtual_engine->watch.one_window = false;
    return aldis_system_windows(kit->system) > windows;
}

aldis_err aldis_testkit_advance(aldis_testkit *kit, aldis_ns ns)
{
    if (!kit || ns < 0)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "testkit: %lld ns of time; allowed: 0 or more", (long long)ns);
    aldis_ns now_ns = aldis_system_now(kit->system);
    aldis_ns until_ns = ns < ALDIS_FOREVER - now_ns ? now_ns + ns : ALDIS_FOREVER;
    aldis_run_end end;
    aldis_err err = aldis_system_run(kit->system, until_ns, &end);
    check_run(kit, err);
    /* Nothing happens any more: time goes by all the same. */
    struct aldis__virtual *engine = kit->system->virtual_engine;
    if (err == ALDIS_OK && end == ALDIS_RUN_IDLE && until_ns != ALDIS_FOREVER &&
        engine->now_ns < until_ns)
        engine->now_ns = until_ns;
    return err;
}

/* ------------------------------------------------------------------ messages */

struct stamp_search {
    uint64_t order;
    aldis_id from;
};

static void set_sender(void *arg, struct aldis__msg *msg)
{
    const struct stamp_search *search = arg;
    if (aldis_id_is_nobody(msg->from) && aldis__msg_stamp(msg)->order == search->order)
        msg->from = search->from;
}

aldis_err aldis_testkit_send_raw(aldis_testkit *kit, aldis_id from, aldis_id to, aldis_type *type,
                                 const void *payload, size_t size)
{
    struct stamp_search search = {kit->system->outside_sequence, from};
    aldis_err err = aldis_system_send_raw(kit->system, to, type, payload, size);
    if (err != ALDIS_OK || aldis_id_is_nobody(from))
        return err;
    aldis__system_hold(kit->system);
    aldis__system_walk(kit->system, set_sender, &search);
    aldis__system_release(kit->system);
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ probes */

aldis_err aldis_probe_start_(void *state, const void *arg, aldis_ctx *ctx)
{
    aldis_probe *probe = *(aldis_probe *const *)arg;
    *(aldis_probe **)state = probe;
    probe->id = aldis_self(ctx);
    return ALDIS_OK;
}

aldis_err aldis_probe_take_(void *state, const aldis_type *type, const void *payload,
                            aldis_ctx *ctx)
{
    aldis_probe *probe = *(aldis_probe **)state;
    size_t size = aldis_payload_size(ctx);
    struct aldis__probed *msg = malloc(sizeof *msg + size);
    if (!msg)
        return aldis_fail(ctx, "a probe is out of memory");
    *msg = (struct aldis__probed){NULL, type->name, aldis_sender(ctx), size};
    if (size)
        memcpy(msg->bytes, payload, size);
    *probe->tail = msg;
    probe->tail = &msg->next;
    return ALDIS_OK;
}

aldis_probe *aldis_testkit_probe_raw(aldis_testkit *kit, const aldis_behaviour *behaviour,
                                     aldis_id *out_id)
{
    aldis_probe *probe = calloc(1, sizeof *probe);
    aldis_spawn_opts opts = {.arg = &probe, .arg_size = sizeof(aldis_probe *)};
    if (!probe || aldis_system_spawn_raw(kit->system, behaviour, &opts, out_id) != ALDIS_OK) {
        aldis_testkit_fail(kit, "no probe: %s", probe ? aldis_error_last()->text : "out of memory");
        free(probe);
        return NULL;
    }
    probe->kit = kit;
    probe->id = *out_id;
    probe->kind_name = behaviour->name;
    probe->tail = &probe->head;
    probe->next = kit->probes;
    kit->probes = probe;
    return probe;
}

static aldis_ns later(const aldis_testkit *kit, aldis_ns ns)
{
    aldis_ns now_ns = aldis_system_now(kit->system);
    return ns < ALDIS_FOREVER - now_ns ? now_ns + ns : ALDIS_FOREVER;
}

/* Run until the probe has got something, or time is up. */
static void await(aldis_probe *probe, aldis_ns within_ns)
{
    aldis_testkit *kit = probe->kit;
    aldis_ns until_ns = later(kit, within_ns);
    struct aldis__watch *watch = &kit->system->virtual_engine->watch;
    bool goes_on = true;
    while (!probe->head && goes_on) {
        uint64_t windows = aldis_system_windows(kit->system);
        aldis_run_end end;
        watch->one_window = true;
        aldis_err err = aldis_system_run(kit->system, until_ns, &end);
        watch->one_window = false;
        check_run(kit, err);
        goes_on = err == ALDIS_OK && aldis_system_windows(kit->system) > windows;
    }
}

const void *aldis_probe_expect_raw(aldis_probe *probe, const aldis_type *type, aldis_ns within_ns,
                                   size_t *out_size)
{
    free(probe->shown);
    probe->shown = NULL;
    await(probe, within_ns < ALDIS_FOREVER ? within_ns + 1 : within_ns); /* to its end */
    struct aldis__probed *msg = probe->head;
    if (!msg || strcmp(msg->type_name, type->name) != 0) {
        aldis_testkit_fail(probe->kit, "probe %s: expected %s within %.6f ms, got %s",
                           probe->kind_name, type->name, (double)within_ns * 1e-6,
                           msg ? msg->type_name : "nothing");
        return NULL;
    }
    probe->head = msg->next;
    if (!probe->head)
        probe->tail = &probe->head;
    probe->shown = msg;
    if (out_size)
        *out_size = msg->size;
    return msg->bytes;
}

bool aldis_expect_none(aldis_probe *probe, aldis_ns within_ns)
{
    aldis_testkit *kit = probe->kit;
    aldis_ns until_ns = later(kit, within_ns);
    await(probe, within_ns);
    if (probe->head) {
        aldis_testkit_fail(kit, "probe %s: expected nothing within %.6f ms, got %s",
                           probe->kind_name, (double)within_ns * 1e-6, probe->head->type_name);
        return false;
    }
    aldis_ns now_ns = aldis_system_now(kit->system);
    if (until_ns != ALDIS_FOREVER && until_ns > now_ns)
        (void)aldis_testkit_advance(kit, until_ns - now_ns);
    return true;
}

aldis_id aldis_probe_sender(const aldis_probe *probe)
{
    return probe && probe->shown ? probe->shown->from : aldis_nobody();
}
