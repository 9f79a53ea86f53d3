// SPDX-License-Identifier: Apache-2.0
/* shrink.c: the fewest faults that still make a trial fail. Layer: testkit. */
#include "testkit/search.h"
#include <stdlib.h>
#include <string.h>

enum { NARROWEST = 512 }; /* part of the time that a plan acts */

struct shrinking {
    struct aldis__search *search;
    struct aldis__job *job; /* its report is that of the last try */
    aldis_violation violation;
    /* first the rules ... */
    aldis_fault_plan plan;
    aldis_fault_rule rules[ALDIS__RULES_MAX];
    /* ... then what is left of the single faults */
    struct aldis__told_fault *all;
    aldis_fault *some; /* room for one try */
    uint32_t *kept;    /* indices of those that are still needed */
    size_t count;
};

/* Does it still fail in the same way with this plan? */
static aldis_err plan_fails(struct shrinking *s, const aldis_fault_plan *plan, bool *out)
{
    struct aldis__search *search = s->search;
    *out = false;
    if (search->finding->shrink_trials >= search->opts.shrink_trials ||
        !aldis__search_go_on(search, true))
        return ALDIS_ETIMEDOUT;
    aldis_err err = aldis__job_start(s->job, &search->opts, search->fn, search->arg,
                                     search->finding->seed, plan);
    if (err != ALDIS_OK)
        return err;
    search->finding->shrink_trials++;
    while (!aldis__jobs_wait(s->job, 1, ALDIS__WAIT_MS))
        ;
    *out = s->job->report->violation == s->violation;
    if (*out) /* what the finding says is to be what its faults do */
        memcpy(search->finding->text, s->job->report->text, sizeof search->finding->text);
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ rules */

/* The faults of a try that fails are those to go on with. */
static bool remember(struct shrinking *s)
{
    const struct aldis__trial_report *report = s->job->report;
    size_t count = report->fault_count;
    struct aldis__told_fault *all = calloc(count + 1, sizeof *all);
    if (!all)
        return false;
    memcpy(all, report->faults, count * sizeof *all);
    free(s->all);
    s->all = all;
    s->count = count;
    return true;
}

static aldis_err try_rules(struct shrinking *s, const aldis_fault_rule *rules, size_t count,
                           bool *out_fails)
{
    aldis_fault_plan plan = s->plan;
    plan.rules = rules;
    plan.rule_count = count;
    aldis_err err = plan_fails(s, &plan, out_fails);
    if (err != ALDIS_OK || !*out_fails)
        return err;
    memcpy(s->rules, rules, count * sizeof *rules);
    s->plan.rule_count = count;
    return remember(s) ? ALDIS_OK : ALDIS_ENOMEM;
}

static aldis_err drop_rules(struct shrinking *s)
{
    aldis_fault_rule rules[ALDIS__RULES_MAX];
    for (size_t i = s->plan.rule_count; i-- > 0;) {
        size_t count = s->plan.rule_count;
        bool fails;
        memcpy(rules, s->rules, i * sizeof *rules);
        memcpy(rules + i, s->rules + i + 1, (count - i - 1) * sizeof *rules);
        aldis_err err = try_rules(s, rules, count - 1, &fails);
        if (err != ALDIS_OK)
            return err;
    }
    return ALDIS_OK;
}

/* All rules act in [begin, end) only. */
static aldis_err try_span(struct shrinking *s, aldis_ns begin_ns, aldis_ns end_ns, bool *out_fails)
{
    aldis_fault_rule rules[ALDIS__RULES_MAX];
    for (size_t i = 0; i < s->plan.rule_count; i++) {
        rules[i] = s->rules[i];
        if (rules[i].begin_ns < begin_ns)
            rules[i].begin_ns = begin_ns;
        if (rules[i].end_ns == 0 || rules[i].end_ns > end_ns)
            rules[i].end_ns = end_ns;
        if (rules[i].begin_ns > rules[i].end_ns)
            rules[i].begin_ns = rules[i].end_ns;
    }
    return try_rules(s, rules, s->plan.rule_count, out_fails);
}

/* As short a time as will do: from the end, then from the beginning. */
static aldis_err narrow(struct shrinking *s)
{
    aldis_ns begin_ns = 0, end_ns = 1;
    for (size_t i = 0; i < s->count; i++)
        if (s->all[i].fault.at_ns >= end_ns)
            end_ns = s->all[i].fault.at_ns + 1;
    aldis_err err = ALDIS_OK;
    bool fails;
    aldis_ns whole_ns = end_ns;
    for (aldis_ns step_ns = whole_ns / 2; err == ALDIS_OK && step_ns > whole_ns / NARROWEST;) {
        err = try_span(s, begin_ns, end_ns - step_ns, &fails);
        end_ns -= fails ? step_ns : 0;
        step_ns = fails && step_ns < end_ns - begin_ns ? step_ns : step_ns / 2;
    }
    for (aldis_ns step_ns = (end_ns - begin_ns) / 2;
         err == ALDIS_OK && step_ns > whole_ns / NARROWEST;) {
        err = try_span(s, begin_ns + step_ns, end_ns, &fails);
        begin_ns += fails ? step_ns : 0;
        step_ns = fails && step_ns < end_ns - begin_ns ? step_ns : step_ns / 2;
    }
    return err;
}

/* A system that has taken another turn makes other single faults out of the same rules, and often
 * fails as well. So rules are shrunk first, and only then what they have done. */
static aldis_err shrink_rules(struct shrinking *s)
{
    const aldis_fault_plan *given = s->search->opts.plan;
    s->plan = *given;
    if (given->rule_count > ALDIS__RULES_MAX)
        return ALDIS_OK;
    if (given->rule_count)
        memcpy(s->rules, given->rules, given->rule_count * sizeof *given->rules);
    aldis_err err = drop_rules(s);
    if (err == ALDIS_OK)
        err = narrow(s);
    return err == ALDIS_OK ? drop_rules(s) : err;
}

/* ------------------------------------------------------------------ single faults */

static aldis_err still_fails(struct shrinking *s, const uint32_t *kept, size_t count, bool *out)
{
    for (size_t i = 0; i < count; i++)
        s->some[i] = s->all[kept[i]].fault;
    aldis_fault_plan plan = {
        .heal_ns = s->search->opts.plan->heal_ns, .faults = s->some, .fault_count = count};
    return plan_fails(s, &plan, out);
}

/* Leave out all of one kind. Whole kinds are often no part of the matter. */
static aldis_err try_without_kind(struct shrinking *s, aldis_fault_kind kind, uint32_t *rest)
{
    size_t count = 0;
    bool less = false;
    for (size_t i = 0; i < s->count; i++)
        if (s->all[s->kept[i]].fault.kind != kind)
            rest[count++] = s->kept[i];
    if (count == s->count)
        return ALDIS_OK;
    aldis_err err = still_fails(s, rest, count, &less);
    if (err == ALDIS_OK && less) {
        memcpy(s->kept, rest, count * sizeof *rest);
        s->count = count;
    }
    return err;
}

/* Leave out kept[begin .. end); *out_less: it still failed, and they are gone. */
static aldis_err try_without(struct shrinking *s, size_t begin, size_t end, uint32_t *rest,
                             bool *out_less)
{
    memcpy(rest, s->kept, begin * sizeof *rest);
    memcpy(rest + begin, s->kept + end, (s->count - end) * sizeof *rest);
    size_t count = s->count - (end - begin);
    aldis_err err = still_fails(s, rest, count, out_less);
    if (err == ALDIS_OK && *out_less) {
        memcpy(s->kept, rest, count * sizeof *rest);
        s->count = count;
    }
    return err;
}

/* ddmin, by complements: what is not needed goes, in large parts first, then in smaller ones. Ends
 * when no single one can go any more. From the last to the first: without a fault the run is
 * another one from there on, and the faults before it still mean what they meant. A part that was
 * needed is not tried again before all have had their turn: that saves most of the runs. */
static aldis_err minimise(struct shrinking *s, uint32_t *rest)
{
    size_t part = s->count / 2 > 0 ? s->count / 2 : 1;
    for (bool any = true; s->count > 0 && (part > 1 || any); part = part > 1 ? part / 2 : 1) {
        any = false;
        for (size_t end = s->count; end > 0;) {
            size_t begin = end > part ? end - part : 0;
            bool less = false;
            aldis_err err = try_without(s, begin, end, rest, &less);
            if (err != ALDIS_OK)
                return err;
            any = any || less;
            end = begin;
        }
        if (part == 1 && !any)
            break;
        any = true;
    }
    return ALDIS_OK;
}

static aldis_err shrink_faults(struct shrinking *s)
{
    aldis_finding *finding = s->search->finding;
    uint32_t *rest = calloc(s->count + 1, sizeof *rest);
    bool fails = false;
    s->some = calloc(s->count + 1, sizeof *s->some);
    s->kept = calloc(s->count + 1, sizeof *s->kept);
    if (!rest || !s->some || !s->kept) {
        free(rest);
        return ALDIS_ENOMEM;
    }
    for (uint32_t i = 0; i < s->count; i++)
        s->kept[i] = i;
    aldis_err err = still_fails(s, s->kept, s->count, &fails);
    if (err == ALDIS_OK && fails) {
        bool empty = false;
        err = still_fails(s, s->kept, 0, &empty);
        if (empty)
            s->count = 0;
        for (int kind = 0; err == ALDIS_OK && kind < ALDIS_FAULT_KIND_COUNT; kind++)
            err = try_without_kind(s, (aldis_fault_kind)kind, rest);
        if (err == ALDIS_OK)
            err = minimise(s, rest);
        finding->is_shrunk = err == ALDIS_OK;
    }
    free(rest);
    return err;
}

/* The finding gets the faults that are left, with their names. */
static aldis_err give_faults(struct shrinking *s)
{
    aldis_finding *finding = s->search->finding;
    struct aldis__told_fault *told = calloc(s->count + 1, sizeof *told);
    finding->faults = calloc(s->count + 1, sizeof *finding->faults);
    finding->names = told;
    if (!told || !finding->faults)
        return ALDIS_ENOMEM;
    for (size_t i = 0; i < s->count; i++) {
        told[i] = s->all[s->kept[i]];
        finding->faults[i] = told[i].fault;
        finding->faults[i].actor_kind = told[i].actor_kind;
        finding->faults[i].other_kind = told[i].other_kind;
        finding->faults[i].type_name = told[i].type_name;
    }
    finding->fault_count = s->count;
    return ALDIS_OK;
}

aldis_err aldis__search_shrink(struct aldis__search *search, struct aldis__job *best)
{
    struct shrinking *s = calloc(1, sizeof *s);
    if (!s)
        return ALDIS_ENOMEM;
    s->search = search;
    s->job = best;
    s->violation = best->report->violation;
    aldis_err err = remember(s) ? shrink_rules(s) : ALDIS_ENOMEM;
    if (err == ALDIS_OK || err == ALDIS_ETIMEDOUT)
        err = shrink_faults(s);
    aldis_err given = s->kept ? give_faults(s) : ALDIS_ENOMEM;
    free(s->all);
    free(s->some);
    free(s->kept);
    free(s);
    if (err ==
        ALDIS_ETIMEDOUT) /* it was enough, or the user has had enough: what there is counts */
        err = ALDIS_OK;
    return err == ALDIS_OK ? given : err;
}
