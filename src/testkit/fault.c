// SPDX-License-Identifier: Apache-2.0
/* fault.c: plans of faults, and their answers to the core. Layer: testkit.
 *
 * An answer depends on the site and on the plan only: each rule draws by Philox, keyed by the
 * plan's seed and the rule, counted by (actor, its message's number). So nothing is remembered
 * between two answers, and all workers may ask at once; only counts and the listener are shared.
 * Faults that are given singly are found in a sorted list. */
#include <aldis/fault.h>

#include "base/atomic.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/philox.h"
#include "core/fault.h"
#include "core/system.h"
#include "core/window.h"
#include "testkit/ledger.h"
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    RULES_MAX = 64,
    FAULTS_MAX = 1 << 20,
    DELAY_LOOKAHEADS = 10, /* defaults */
    SPAN_LOOKAHEADS = 100
};

/* Ids without their node: the same run in another process, or beside another system. */
#define LOCAL_BITS (~(UINT64_C(0xff) << ALDIS__NODE_SHIFT))

/* A rule as it is asked. */
struct rule {
    aldis_fault_rule given; /* defaults filled in */
    uint64_t key;
};

struct injector {
    aldis_ns heal_ns;
    struct rule *rules;
    size_t rule_count;
    aldis_fault *faults; /* by actor, number, kind */
    size_t fault_count;
    _Atomic(uint64_t) counts[ALDIS_FAULT_KIND_COUNT];
    pthread_mutex_t lock; /* one call of the listener at a time */
    aldis_fault_fn fn;    /* written between windows */
    void *fn_arg;
    struct aldis__ledger *ledger; /* NULL: nobody looks on */
};

/* ------------------------------------------------------------------ single faults */

static int compare_places(const aldis_fault *a, const aldis_fault *b)
{
    uint64_t x = a->actor.bits & LOCAL_BITS, y = b->actor.bits & LOCAL_BITS;
    if (x != y)
        return x < y ? -1 : 1;
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return 0;
}

static int compare_faults(const void *a, const void *b)
{
    const aldis_fault *x = a, *y = b;
    int place = compare_places(x, y);
    return place ? place : (x->kind > y->kind) - (x->kind < y->kind);
}

/* The first fault at that place; count: none is there or behind. */
static size_t first_at(const struct injector *injector, aldis_id actor, uint64_t number)
{
    const aldis_fault wanted = {.actor = actor, .number = number};
    size_t low = 0, high = injector->fault_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_places(&injector->faults[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const aldis_fault *fault, const struct aldis__fault_site *site)
{
    return ((fault->actor.bits ^ site->actor.bits) & LOCAL_BITS) == 0 &&
           fault->number == site->number;
}

/* ------------------------------------------------------------------ rules */

struct draw {
    double unit; /* 0 .. 1, 1 excluded */
    uint64_t word;
};

static struct draw draw(const struct rule *rule, uint64_t a, uint64_t b)
{
    const uint32_t counter[4] = {(uint32_t)a, (uint32_t)(a >> 32), (uint32_t)b,
                                 (uint32_t)(b >> 32)};
    const uint32_t key[2] = {(uint32_t)rule->key, (uint32_t)(rule->key >> 32)};
    uint32_t out[4];
    aldis__philox(counter, key, out);
    uint64_t first = (uint64_t)out[1] << 32 | out[0];
    return (struct draw){(double)(first >> 11) * 0x1p-53, (uint64_t)out[3] << 32 | out[2]};
}

static aldis_ns length_of(const struct rule *rule, uint64_t word)
{
    uint64_t span = (uint64_t)(rule->given.max_ns - rule->given.min_ns) + 1;
    return rule->given.min_ns + (aldis_ns)(word % span);
}

static bool is_named(const char *wanted, const char *found)
{
    return wanted[0] == '\0' || strcmp(wanted, found) == 0;
}

/* Does the rule act here? Then for how long. */
static bool acts(const struct rule *rule, const struct aldis__fault_site *site, aldis_ns *out_ns)
{
    const aldis_fault_rule *given = &rule->given;
    bool of_message = !aldis_fault_is_of_actor(given->kind);
    if (site->now_ns < given->begin_ns || site->now_ns >= given->end_ns ||
        !is_named(given->from, of_message ? site->actor_kind : site->other_kind) ||
        !is_named(given->to, of_message ? site->other_kind : site->actor_kind) ||
        !is_named(given->type, site->type_name))
        return false;
    uint64_t actor = site->actor.bits & LOCAL_BITS, other = site->other.bits & LOCAL_BITS;
    struct draw drawn;
    if (given->kind == ALDIS_FAULT_CUT)
        drawn = draw(rule, aldis__mix64(actor ^ aldis__mix64(other)),
                     (uint64_t)site->now_ns / (uint64_t)given->max_ns);
    else
        drawn = draw(rule, actor, site->number);
    *out_ns = length_of(rule, drawn.word);
    if (given->every)
        return site->number % given->every == given->every - 1;
    return drawn.unit < given->chance;
}

/* ------------------------------------------------------------------ answers */

static void note(struct injector *injector, aldis_fault_kind kind,
                 const struct aldis__fault_site *site, aldis_ns ns)
{
    /* Relaxed: a mere count, read when nothing runs. */
    (void)aldis__fetch_add_relaxed(&injector->counts[kind], 1);
    if (!injector->fn)
        return;
    aldis_fault fault = {.kind = kind == ALDIS_FAULT_CUT ? ALDIS_FAULT_LOSS : kind,
                         .actor = site->actor,
                         .other = site->other,
                         .number = site->number,
                         .ns = ns,
                         .at_ns = site->now_ns,
                         .actor_kind = site->actor_kind,
                         .other_kind = site->other_kind,
                         .type_name = site->type_name};
    pthread_mutex_lock(&injector->lock);
    injector->fn(injector->fn_arg, &fault);
    pthread_mutex_unlock(&injector->lock);
}

/* What the plan has for a site: bit 1 << kind, and the lengths by kind. */
static unsigned answer(struct injector *injector, const struct aldis__fault_site *site,
                       bool of_message, aldis_ns lengths[ALDIS_FAULT_KIND_COUNT])
{
    unsigned found = 0;
    if (site->now_ns >= injector->heal_ns)
        return 0;
    for (size_t i = first_at(injector, site->actor, site->number);
         i < injector->fault_count && is_at(&injector->faults[i], site); i++) {
        aldis_fault_kind kind = injector->faults[i].kind;
        if (aldis_fault_is_of_actor(kind) == of_message)
            continue;
        found |= 1u << kind;
        lengths[kind] = injector->faults[i].ns;
    }
    for (size_t i = 0; i < injector->rule_count; i++) {
        const struct rule *rule = &injector->rules[i];
        aldis_fault_kind kind = rule->given.kind;
        aldis_ns ns;
        if (aldis_fault_is_of_actor(kind) == of_message || (found & 1u << kind) ||
            !acts(rule, site, &ns))
            continue;
        found |= 1u << kind;
        lengths[kind] = ns;
    }
    return found;
}

static struct aldis__fault_send on_send(void *arg, const struct aldis__fault_site *site)
{
    struct injector *injector = arg;
    struct aldis__fault_send out = {0};
    aldis_ns lengths[ALDIS_FAULT_KIND_COUNT] = {0};
    if (injector->ledger)
        aldis__ledger_sent(injector->ledger, site);
    unsigned found = answer(injector, site, true, lengths);
    if (found & (1u << ALDIS_FAULT_LOSS | 1u << ALDIS_FAULT_CUT)) {
        bool lost = found & 1u << ALDIS_FAULT_LOSS;
        out.lose = true;
        note(injector, lost ? ALDIS_FAULT_LOSS : ALDIS_FAULT_CUT, site, 0);
    } else if (found & 1u << ALDIS_FAULT_DELAY) {
        out.delay_ns = lengths[ALDIS_FAULT_DELAY];
        note(injector, ALDIS_FAULT_DELAY, site, out.delay_ns);
    }
    /* A link that is cut takes both. */
    if ((found & 1u << ALDIS_FAULT_DUPLICATE) && !(found & 1u << ALDIS_FAULT_CUT)) {
        out.copy = true;
        out.copied_ns = lengths[ALDIS_FAULT_DUPLICATE];
        note(injector, ALDIS_FAULT_DUPLICATE, site, out.copied_ns);
    }
    return out;
}

static struct aldis__fault_turn on_handled(void *arg, const struct aldis__fault_site *site)
{
    struct injector *injector = arg;
    struct aldis__fault_turn out = {0};
    aldis_ns lengths[ALDIS_FAULT_KIND_COUNT] = {0};
    unsigned found = answer(injector, site, false, lengths);
    if (found & 1u << ALDIS_FAULT_PAUSE) {
        out.pause_ns = lengths[ALDIS_FAULT_PAUSE];
        note(injector, ALDIS_FAULT_PAUSE, site, out.pause_ns);
    }
    if (found & 1u << ALDIS_FAULT_CRASH) {
        out.crash = true;
        note(injector, ALDIS_FAULT_CRASH, site, 0);
    }
    if (found & 1u << ALDIS_FAULT_RESTART) {
        out.restart = true;
        note(injector, ALDIS_FAULT_RESTART, site, 0);
    }
    return out;
}

static void on_heard(void *arg, const struct aldis__heard *heard)
{
    aldis__ledger_heard(((struct injector *)arg)->ledger, heard);
}

/* ------------------------------------------------------------------ checking a plan */

static aldis_err refuse_rule(size_t index, const char *field, const char *allowed)
{
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "inject: rules[%zu].%s; allowed: %s",
                            index, field, allowed);
}

static aldis_err check_rule(const aldis_fault_rule *rule, size_t index)
{
    if ((unsigned)rule->kind >= ALDIS_FAULT_KIND_COUNT)
        return refuse_rule(index, "kind", "one of the kinds of fault");
    if (!(rule->chance >= 0 && rule->chance <= 1)) /* not a number, too */
        return refuse_rule(index, "chance", "0 to 1");
    if (rule->every && (!aldis_fault_is_of_actor(rule->kind) || rule->chance > 0))
        return refuse_rule(index, "every", "for pause, crash and restart only, without chance");
    if (rule->min_ns < 0 || rule->max_ns < 0 || (rule->max_ns && rule->min_ns > rule->max_ns))
        return refuse_rule(index, "min_ns", "0 or more, and not above max_ns");
    if (rule->begin_ns < 0 || rule->end_ns < 0 || (rule->end_ns && rule->begin_ns > rule->end_ns))
        return refuse_rule(index, "begin_ns", "0 or more, and not after end_ns");
    if (!memchr(rule->from, 0, sizeof rule->from) || !memchr(rule->to, 0, sizeof rule->to) ||
        !memchr(rule->type, 0, sizeof rule->type))
        return refuse_rule(index, "from, to or type", "at most 63 bytes");
    return ALDIS_OK;
}

static aldis_err check_plan(const aldis_fault_plan *plan)
{
    if (plan->heal_ns < 0 || plan->rule_count > RULES_MAX || plan->fault_count > FAULTS_MAX ||
        (plan->rule_count && !plan->rules) || (plan->fault_count && !plan->faults))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "inject: heal_ns %lld, %zu rules, %zu faults; allowed: 0 or more, "
                                "0 to %d, 0 to %d",
                                (long long)plan->heal_ns, plan->rule_count, plan->fault_count,
                                RULES_MAX, FAULTS_MAX);
    for (size_t i = 0; i < plan->fault_count; i++)
        if ((unsigned)plan->faults[i].kind >= ALDIS_FAULT_KIND_COUNT || plan->faults[i].ns < 0)
            return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "inject: faults[%zu]", i);
    for (size_t i = 0; i < plan->rule_count; i++) {
        aldis_err err = check_rule(&plan->rules[i], i);
        if (err != ALDIS_OK)
            return err;
    }
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ making an injector */

static void destroy(void *arg)
{
    struct injector *injector = arg;
    if (!injector)
        return;
    pthread_mutex_destroy(&injector->lock);
    free(injector->rules);
    free(injector->faults);
    aldis__ledger_destroy(injector->ledger);
    free(injector);
}

static struct rule rule_of(const aldis_fault_rule *given, uint64_t seed, size_t index,
                           aldis_ns lookahead_ns)
{
    struct rule rule = {.given = *given};
    bool is_short = given->kind == ALDIS_FAULT_DELAY || given->kind == ALDIS_FAULT_DUPLICATE;
    if (rule.given.max_ns == 0)
        rule.given.max_ns = (is_short ? DELAY_LOOKAHEADS : SPAN_LOOKAHEADS) * lookahead_ns;
    if (rule.given.max_ns < rule.given.min_ns)
        rule.given.max_ns = rule.given.min_ns;
    if (rule.given.end_ns == 0)
        rule.given.end_ns = ALDIS_FOREVER;
    /* Apart from the streams of the actors, which are keyed by the seed itself. */
    rule.key = aldis__mix64(aldis__mix64(seed ^ UINT64_C(0x6661756c74)) + index);
    return rule;
}

static bool has_restarts(const aldis_fault_plan *plan)
{
    for (size_t i = 0; i < plan->rule_count; i++)
        if (plan->rules[i].kind == ALDIS_FAULT_RESTART)
            return true;
    for (size_t i = 0; i < plan->fault_count; i++)
        if (plan->faults[i].kind == ALDIS_FAULT_RESTART)
            return true;
    return false;
}

static struct injector *create(const aldis_system *system, const aldis_fault_plan *plan)
{
    struct injector *injector = calloc(1, sizeof *injector);
    if (!injector)
        return NULL;
    pthread_mutex_init(&injector->lock, NULL);
    injector->heal_ns = plan->heal_ns ? plan->heal_ns : ALDIS_FOREVER;
    injector->rules = calloc(plan->rule_count + 1, sizeof *injector->rules);
    injector->faults = calloc(plan->fault_count + 1, sizeof *injector->faults);
    if (!injector->rules || !injector->faults) {
        destroy(injector);
        return NULL;
    }
    uint64_t seed = plan->seed ? plan->seed : system->opts.seed;
    injector->rule_count = plan->rule_count;
    for (size_t i = 0; i < plan->rule_count; i++)
        injector->rules[i] = rule_of(&plan->rules[i], seed, i, system->opts.lookahead_ns);
    injector->fault_count = plan->fault_count;
    if (plan->fault_count)
        memcpy(injector->faults, plan->faults, plan->fault_count * sizeof *plan->faults);
    qsort(injector->faults, injector->fault_count, sizeof *injector->faults, compare_faults);
    return injector;
}

/* ------------------------------------------------------------------ public */

static aldis_err check_system(aldis_system *system, const char *call)
{
    aldis_err err = aldis__system_check_outside(system, call);
    if (err == ALDIS_OK && !system->virtual_time)
        err = aldis__error_set(ALDIS_ESTATE, aldis_nobody(), "", "%s: the system is live", call);
    return err;
}

aldis_err aldis__ledger_inject(aldis_system *system, const aldis_fault_plan *plan,
                               struct aldis__ledger *ledger)
{
    struct aldis__faults faults = {.on_send = on_send,
                                   .on_handled = on_handled,
                                   .on_heard = ledger ? on_heard : NULL,
                                   .destroy = destroy};
    aldis_err err = check_system(system, "inject");
    if (err == ALDIS_OK && plan)
        err = check_plan(plan);
    if (err != ALDIS_OK)
        return err;
    if (plan && !(faults.arg = create(system, plan)))
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "inject");
    if (plan) {
        ((struct injector *)faults.arg)->ledger = ledger;
        faults.restarts = has_restarts(plan);
    }
    aldis__system_lock(system);
    aldis__faults_set(system, &faults);
    aldis__system_unlock(system);
    return ALDIS_OK;
}

aldis_err aldis_system_inject(aldis_system *system, const aldis_fault_plan *plan)
{
    return aldis__ledger_inject(system, plan, NULL);
}

struct aldis__ledger *aldis__ledger_of(const aldis_system *system)
{
    const struct injector *injector =
        system->virtual_time ? system->virtual_engine->faults.arg : NULL;
    return injector ? injector->ledger : NULL;
}

aldis_err aldis_system_on_fault(aldis_system *system, aldis_fault_fn fn, void *arg)
{
    aldis_err err = check_system(system, "on_fault");
    if (err != ALDIS_OK)
        return err;
    aldis__system_lock(system);
    struct injector *injector = system->virtual_engine->faults.arg;
    if (injector) {
        injector->fn = fn;
        injector->fn_arg = arg;
    } else {
        err = aldis__error_set(ALDIS_ESTATE, aldis_nobody(), "", "on_fault: there is no plan");
    }
    aldis__system_unlock(system);
    return err;
}

aldis_err aldis_system_fault_counts(aldis_system *system,
                                    uint64_t out_counts[ALDIS_FAULT_KIND_COUNT])
{
    aldis_err err = check_system(system, "fault_counts");
    if (err == ALDIS_OK && !out_counts)
        err = aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "fault_counts: out is NULL");
    if (err != ALDIS_OK)
        return err;
    aldis__system_lock(system);
    struct injector *injector = system->virtual_engine->faults.arg;
    for (int i = 0; i < ALDIS_FAULT_KIND_COUNT; i++)
        /* Relaxed: between two windows nobody counts. */
        out_counts[i] = injector ? aldis__load_relaxed(&injector->counts[i]) : 0;
    aldis__system_unlock(system);
    return ALDIS_OK;
}

const aldis_fault_plan *aldis_fault_plan_named(const char *name)
{
    static const aldis_fault_rule light_rules[] = {
        {.kind = ALDIS_FAULT_LOSS, .chance = 0.01},
        {.kind = ALDIS_FAULT_DUPLICATE, .chance = 0.01},
        {.kind = ALDIS_FAULT_DELAY, .chance = 0.05},
    };
    static const aldis_fault_rule heavy_rules[] = {
        {.kind = ALDIS_FAULT_LOSS, .chance = 0.2},
        {.kind = ALDIS_FAULT_DUPLICATE, .chance = 0.2},
        {.kind = ALDIS_FAULT_DELAY, .chance = 0.3},
        {.kind = ALDIS_FAULT_CUT, .chance = 0.02},
        {.kind = ALDIS_FAULT_PAUSE, .chance = 0.001},
        {.kind = ALDIS_FAULT_CRASH, .chance = 0.001},
        {.kind = ALDIS_FAULT_RESTART, .chance = 0.001},
    };
    static const aldis_fault_plan light = {.rules = light_rules, .rule_count = 3};
    static const aldis_fault_plan heavy = {.rules = heavy_rules, .rule_count = 7};
    if (name && strcmp(name, "light") == 0)
        return &light;
    return name && strcmp(name, "heavy") == 0 ? &heavy : NULL;
}

const char *aldis_fault_kind_name(aldis_fault_kind kind)
{
    static const char *const names[] = {
#define WORD(name, word) word,
        ALDIS_FAULT_KINDS(WORD)
#undef WORD
    };
    return (unsigned)kind < ALDIS_FAULT_KIND_COUNT ? names[kind] : "fault";
}
