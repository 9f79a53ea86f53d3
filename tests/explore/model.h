// SPDX-License-Identifier: Apache-2.0
/* model.h: what the programs in this folder check of their models, for tests/harness.h.
 *
 *     static const struct weave_model right = {...};
 *     TEST(inbox_holds) { model_holds(&right); }
 *     TEST(inbox_needs_its_orders) { model_needs_its_orders(&right, spare, 1); }
 *     TEST(inbox_without_x_fails) { model_fails(&the_same_without_x); } */
#ifndef ALDIS_TESTS_EXPLORE_MODEL_H
#define ALDIS_TESTS_EXPLORE_MODEL_H

#include "weave.h"

#include "harness.h"

/** An operation by the function that it stands in, with a weaker order than it has there. */
struct model_order {
    const char *function;
    enum weave_op op;
    memory_order weaker;
};

static const char *model_order_name(memory_order order)
{
    static const char *const names[] = {"relaxed", "consume", "acquire",
                                        "release", "acq_rel", "seq_cst"};
    return names[order];
}

static const char *model_op_name(enum weave_op op)
{
    static const char *const names[] = {"load",      "store",    "exchange",  "fetch_add",
                                        "fetch_sub", "fetch_or", "fetch_and", "cas"};
    return names[op];
}

/** The model never fails, and all of it was explored. */
static inline void model_holds(const struct weave_model *model)
{
    struct weave_result result;
    weave_explore(model, NULL, &result);
    printf("# %s: %" PRIu64 " executions, %" PRIu64 " more given up at one of %" PRIu64
           " known states, preemption bound %d\n",
           model->name, result.executions, result.known, result.states, model->preemptions);
    if (result.failed)
        test_fail(__FILE__, __LINE__, "%s: %s (execution %" PRIu64 "; WEAVE_TRACE=1 prints it)",
                  model->name, result.failure, result.executions);
    CHECK_UINT(result.cut, 0);
}

/** The model fails: the explorer finds what was broken on purpose. */
static inline void model_fails(const struct weave_model *model)
{
    struct weave_result result;
    weave_explore(model, NULL, &result);
    printf("# %s: %s, in %" PRIu64 " executions\n", model->name,
           result.failed ? result.failure : "NOT FOUND", result.executions + result.known);
    CHECK(result.failed);
}

/* The next weaker orders of one; returns how many. */
static inline size_t model_weaker(memory_order order, enum weave_op op, memory_order out_weaker[2])
{
    switch (order) {
    case memory_order_seq_cst:
        out_weaker[0] = op == WEAVE_LOAD    ? memory_order_acquire
                        : op == WEAVE_STORE ? memory_order_release
                                            : memory_order_acq_rel;
        return 1;
    case memory_order_acq_rel:
        out_weaker[0] = memory_order_acquire;
        out_weaker[1] = memory_order_release;
        return 2;
    case memory_order_acquire:
    case memory_order_consume:
    case memory_order_release:
        out_weaker[0] = memory_order_relaxed;
        return 1;
    case memory_order_relaxed:
        break;
    }
    return 0;
}

/** With any of these weaker orders the model fails. Of the others nothing is said: for models too
 *  large to be explored once for each. */
static inline void model_needs(const struct weave_model *model, const struct model_order *needed,
                               size_t needed_count)
{
    struct weave_result result;
    struct weave_site sites[64];
    size_t count;
    weave_explore(model, NULL, &result);
    const struct weave_site *met = weave_sites(&count);
    memcpy(sites, met, count * sizeof sites[0]);
    for (size_t n = 0; n < needed_count; n++) {
        size_t i = 0;
        while (i < count &&
               (strcmp(sites[i].function, needed[n].function) != 0 || sites[i].op != needed[n].op))
            i++;
        if (i == count)
            test_fail(__FILE__, __LINE__, "no %s in %s is met", model_op_name(needed[n].op),
                      needed[n].function);
        weave_explore(model, &(struct weave_weakening){sites[i], needed[n].weaker}, &result);
        printf("# %s: %s in %s %s -> %s: %s, %" PRIu64 " executions\n", model->name,
               model_op_name(sites[i].op), sites[i].function, model_order_name(sites[i].order),
               model_order_name(needed[n].weaker), result.failed ? result.failure : "NOT FOUND",
               result.executions + result.known);
        CHECK(result.failed);
    }
}

/** Weaken each ordered operation that the model runs, one at a time, to each next weaker order: the
 *  model fails, but for those named in spare, for which it must not. */
static inline void model_needs_its_orders(const struct weave_model *model,
                                          const struct model_order *spare, size_t spare_count)
{
    struct weave_result result;
    struct weave_site sites[64];
    size_t count;
    weave_explore(model, NULL, &result);
    const struct weave_site *met = weave_sites(&count);
    memcpy(sites, met, count * sizeof sites[0]);
    for (size_t i = 0; i < count; i++) {
        memory_order weaker[2];
        size_t weaker_count = model_weaker(sites[i].order, sites[i].op, weaker);
        for (size_t w = 0; w < weaker_count; w++) {
            bool is_spare = false;
            for (size_t s = 0; s < spare_count; s++)
                is_spare = is_spare || (strcmp(spare[s].function, sites[i].function) == 0 &&
                                        spare[s].op == sites[i].op && spare[s].weaker == weaker[w]);
            weave_explore(model, &(struct weave_weakening){sites[i], weaker[w]}, &result);
            printf("# %s: %s in %s %s -> %s: %s, %" PRIu64 " executions\n", model->name,
                   model_op_name(sites[i].op), sites[i].function, model_order_name(sites[i].order),
                   model_order_name(weaker[w]),
                   result.failed ? result.failure : (is_spare ? "not needed here" : "NOT FOUND"),
                   result.executions + result.known);
            if (result.failed == is_spare)
                test_fail(__FILE__, __LINE__, "%s: the weaker order %s", sites[i].function,
                          result.failed ? "fails, but is listed as spare" : "does not fail");
        }
    }
}

#endif
