// SPDX-License-Identifier: Apache-2.0
/* explore.c: a model run in every order of its messages. Layer: testkit.
 *
 * Stateless search by replay (Godefroid, "Model checking for programming languages using
 * VeriSoft", POPL 1997), without reduction: a run is steered by a list of choices, one for each
 * moment at which several messages could come first; the next run takes the next branch of the last
 * choice that has one. One shard and one worker: so one look at a window sees all that could come
 * in it. What is not chosen waits for the next window, one lookahead later, and competes again. */
#include "testkit/testkit.h"

#include "base/error.h"
#include "core/deliver.h"
#include "core/window.h"
#include <stdlib.h>
#include <string.h>

enum { CHOICES_MAX = 4096 };

struct choice {
    uint32_t taken, count;
};

struct aldis__explorer {
    aldis_testkit *kit;
    struct choice choices[CHOICES_MAX]; /* of this run; those before `forced` are replayed */
    uint32_t depth, forced;
    bool too_deep, diverged;
    char order[sizeof((aldis_testkit_orders *)0)->failing];
};

const char *aldis__explorer_order(const struct aldis__explorer *explorer)
{
    return explorer->order;
}

static bool is_steered(const struct aldis__msg *msg)
{
    return msg->type >= ALDIS__TYPE_STATUS && aldis__msg_rank(msg) != ALDIS__RANK_CONTROL;
}

static uint64_t sequence_of(struct aldis__msg *msg)
{
    const uint64_t outside = UINT64_C(1) << (ALDIS__SEQUENCE_BITS - 2);
    uint64_t sequence = aldis__msg_stamp(msg)->order & ((UINT64_C(1) << ALDIS__SEQUENCE_BITS) - 1);
    return sequence ^ outside; /* what the model has put in comes before what it has caused */
}

/* From one sender to one receiver only the first may come. */
static bool is_first_of_its_pair(const struct aldis__sort_entry *entries, size_t count, size_t i)
{
    struct aldis__msg *msg = entries[i].msg;
    for (size_t j = 0; j < count; j++) {
        struct aldis__msg *other = entries[j].msg;
        if (is_steered(other) && aldis_id_equal(other->from, msg->from) &&
            aldis_id_equal(other->to, msg->to) && sequence_of(other) < sequence_of(msg))
            return false;
    }
    return true;
}

/* Candidates in an order that is the same in every run: by receiver, sender, sequence. */
static bool stands_before(struct aldis__msg *a, struct aldis__msg *b)
{
    if (a->to.bits != b->to.bits)
        return a->to.bits < b->to.bits;
    if (a->from.bits != b->from.bits)
        return a->from.bits < b->from.bits;
    return sequence_of(a) < sequence_of(b);
}

static const char *kind_name(const aldis_testkit *kit, aldis_id actor)
{
    aldis_system *system = kit->system;
    uint64_t index = aldis__id_index(actor, system->node_base);
    if (aldis_id_is_nobody(actor) || index >= system->index_limit)
        return "outside";
    uint64_t word = aldis__directory_read(&system->directory[index]);
    return aldis__system_kind(system, aldis__word_kind(word))->behaviour->name;
}

static void note(struct aldis__explorer *explorer, const struct aldis__msg *msg)
{
    size_t used = strlen(explorer->order);
    snprintf(explorer->order + used, sizeof explorer->order - used, "%s%s>%s %s", used ? ", " : "",
             kind_name(explorer->kit, msg->from), kind_name(explorer->kit, msg->to),
             aldis__type_info(msg->type)->name);
}

/* Which of `count` branches this run takes. */
static uint32_t decide(struct aldis__explorer *explorer, uint32_t count)
{
    if (explorer->depth == CHOICES_MAX) {
        explorer->too_deep = true;
        return 0;
    }
    struct choice *choice = &explorer->choices[explorer->depth++];
    if (explorer->depth > explorer->forced)
        *choice = (struct choice){0, count};
    if (choice->count != count)
        explorer->diverged = true;
    return choice->taken < count ? choice->taken : 0;
}

/* The chosen one of the candidates; NULL: there is none. */
static struct aldis__msg *choose(struct aldis__explorer *explorer,
                                 const struct aldis__sort_entry *entries, size_t count)
{
    uint32_t candidates = 0;
    for (size_t i = 0; i < count; i++)
        candidates += is_steered(entries[i].msg) && is_first_of_its_pair(entries, count, i);
    if (candidates == 0)
        return NULL;
    uint32_t nth = candidates > 1 ? decide(explorer, candidates) : 0;
    struct aldis__msg *last = NULL;
    for (uint32_t round = 0; round <= nth; round++) { /* the next above the last one */
        struct aldis__msg *best = NULL;
        for (size_t i = 0; i < count; i++) {
            struct aldis__msg *msg = entries[i].msg;
            if (is_steered(msg) && is_first_of_its_pair(entries, count, i) &&
                (!last || stands_before(last, msg)) && (!best || stands_before(msg, best)))
                best = msg;
        }
        last = best;
    }
    note(explorer, last);
    return last;
}

size_t aldis__explorer_choose(struct aldis__explorer *explorer, struct aldis__worker *worker,
                              struct aldis__shard *shard, struct aldis__sort_entry *entries,
                              size_t count)
{
    const struct aldis__virtual *engine = explorer->kit->system->virtual_engine;
    struct aldis__msg *chosen = choose(explorer, entries, count);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct aldis__msg *msg = entries[i].msg;
        if (msg == chosen || !is_steered(msg))
            entries[kept++] = entries[i];
        else
            aldis__testkit_postpone(worker, shard, msg, engine->end_ns);
    }
    return kept;
}

/* The next list of choices. False: all have been tried. */
static bool next_branch(struct aldis__explorer *explorer)
{
    while (explorer->depth > 0) {
        struct choice *choice = &explorer->choices[explorer->depth - 1];
        if (++choice->taken < choice->count) {
            explorer->forced = explorer->depth;
            return true;
        }
        explorer->depth--;
    }
    return false;
}

static void only_note(void *arg, const char *text)
{
    (void)arg;
    (void)text;
}

static aldis_err run_once(struct aldis__explorer *explorer, const aldis_testkit_opts *opts,
                          aldis_testkit_model_fn model, void *arg, bool *out_failed)
{
    aldis_testkit *kit;
    aldis_err err = aldis_testkit_create(opts, &kit);
    if (err != ALDIS_OK)
        return err;
    kit->explorer = explorer;
    explorer->kit = kit;
    explorer->depth = 0;
    explorer->order[0] = '\0';
    model(kit, arg);
    bool failed = kit->failed;
    err = aldis_testkit_destroy(kit);
    *out_failed = failed || err == ALDIS_EAUDIT;
    return err == ALDIS_EAUDIT ? ALDIS_OK : err;
}

aldis_err aldis_testkit_explore(const aldis_testkit_opts *opts, aldis_testkit_model_fn model,
                                void *arg, uint64_t orders_max, aldis_testkit_orders *out_orders)
{
    if (!model || !out_orders || orders_max == 0)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "explore: an argument is NULL, or orders_max is 0");
    struct aldis__explorer *explorer = calloc(1, sizeof *explorer);
    if (!explorer)
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "explore");
    aldis_testkit_opts filled = opts ? *opts : (aldis_testkit_opts){0};
    filled.system.workers = 1;
    filled.system.shards = 1;
    if (!filled.on_failure)
        filled.on_failure = only_note;
    aldis_testkit_orders orders = {0};
    aldis_err err = ALDIS_OK;
    bool more = true;
    while (more && err == ALDIS_OK && !orders.failed && orders.orders < orders_max) {
        err = run_once(explorer, &filled, model, arg, &orders.failed);
        orders.orders++;
        more = !explorer->diverged && next_branch(explorer);
    }
    if (err == ALDIS_OK && explorer->diverged)
        err = aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                               "explore: the model does not do the same when it is run again");
    orders.complete = !more && !explorer->too_deep && !explorer->diverged;
    if (err == ALDIS_OK && orders.failed) {
        memcpy(orders.failing, explorer->order, sizeof orders.failing);
        err = aldis__error_set(ALDIS_EHANDLER, aldis_nobody(), "", "explore: order %llu fails: %s",
                               (unsigned long long)orders.orders, orders.failing);
    }
    *out_orders = orders;
    free(explorer);
    return err;
}
