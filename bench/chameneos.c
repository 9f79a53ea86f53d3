// SPDX-License-Identifier: Apache-2.0
/* chameneos.c: creatures that meet two by two in a mall and change colour. Layer: bench.
 *
 * After the chameneos of the Savina suite (Imam & Sarkar, "Savina - an actor benchmark suite",
 * AGERE 2014), there after Kaiser & Pradat-Peyre, "Chameneos, a concurrency game", 2003. A creature
 * asks the mall for company; the mall keeps the first and sends it the second; the first answers
 * the second, both take the third colour, and both ask again. Four messages a meeting. */
#include "bench.h"

#include <inttypes.h>
#include <stdlib.h>

enum { CREATURES = 100, COLOURS = 3 };

ALDIS_MESSAGE(meet, struct bench_note);    /* to the mall; kind: the colour */
ALDIS_MESSAGE(partner, struct bench_note); /* to the first; from: the second, kind: its colour */
ALDIS_MESSAGE(change, struct bench_note);  /* to the second; kind: the first's colour */
ALDIS_SIGNAL(closed);                      /* to a creature: the mall has closed */
ALDIS_MESSAGE(report, uint64_t);           /* to the mall: meetings of one creature */
ALDIS_SIGNAL(go);

#define MALL_PROTOCOL(X, kind) X(kind, go) X(kind, meet) X(kind, report)
#define CREATURE_PROTOCOL(X, kind) X(kind, go) X(kind, partner) X(kind, change) X(kind, closed)
ALDIS_PROTOCOL(mall, MALL_PROTOCOL);
ALDIS_PROTOCOL(creature, CREATURE_PROTOCOL);

struct mall {
    struct bench *bench;
    creature_ref creatures[CREATURES];
    uint64_t left;    /* meetings */
    uint64_t reports; /* creatures that have told their meetings */
    uint64_t sum;     /* of those */
    struct bench_note first;
    bool waits; /* somebody does: first */
};

struct creature {
    struct bench *bench;
    mall_ref mall;
    const creature_ref *all; /* written before the first message is sent */
    uint32_t number, colour;
    uint64_t meetings;
};

struct creature_arg {
    struct bench_arg base;
    const creature_ref *all;
    uint32_t number;
    uint32_t reserved;
};

/* Two of one colour keep it; else both take the third. */
static uint32_t complement(uint32_t a, uint32_t b)
{
    return a == b ? a : COLOURS - a - b;
}

static aldis_err creature_start(void *state, const void *arg, aldis_ctx *ctx)
{
    const struct creature_arg *given = arg;
    struct creature *self = state;
    self->bench = bench_given(arg);
    self->mall = (mall_ref){.id = aldis_parent(ctx)};
    self->all = given->all;
    self->number = given->number;
    self->colour = given->number % COLOURS;
    return ALDIS_OK;
}

static aldis_err enter(struct creature *self, aldis_ctx *ctx)
{
    return bench_checked(self->bench, ctx,
                         aldis_send(ctx, self->mall, meet, .from = self->number,
                                    .kind = self->colour, .seq = self->meetings));
}

static aldis_err creature_on_go(struct creature *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    return enter(self, ctx);
}

static aldis_err creature_on_partner(struct creature *self, const struct bench_note *msg,
                                     aldis_ctx *ctx)
{
    aldis_err err =
        bench_checked(self->bench, ctx,
                      aldis_send(ctx, self->all[msg->from], change, .from = self->number,
                                 .to = msg->from, .kind = self->colour, .seq = msg->seq));
    if (err != ALDIS_OK)
        return err;
    self->colour = complement(self->colour, msg->kind);
    self->meetings++;
    return enter(self, ctx);
}

static aldis_err creature_on_change(struct creature *self, const struct bench_note *msg,
                                    aldis_ctx *ctx)
{
    if (msg->seq != self->meetings || msg->kind >= COLOURS)
        return bench_fault(self->bench, ctx,
                           "creature %" PRIu32 ": an answer to meeting %" PRIu64 " came, %" PRIu64
                           " was due",
                           self->number, msg->seq, self->meetings);
    self->colour = complement(self->colour, msg->kind);
    self->meetings++;
    return enter(self, ctx);
}

static aldis_err creature_on_closed(struct creature *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    return bench_checked(self->bench, ctx,
                         aldis_send_copy(ctx, self->mall, report, &self->meetings));
}

ALDIS_BEHAVIOUR(creature, struct creature, CREATURE_PROTOCOL, .on_start = creature_start,
                .on_undelivered = bench_on_undelivered);

static aldis_err mall_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct mall *self = state;
    self->bench = bench_given(arg);
    self->left = self->bench->opts.n;
    aldis_err err = ALDIS_OK;
    for (uint32_t i = 0; err == ALDIS_OK && i < CREATURES; i++) {
        struct creature_arg given = {{self->bench}, self->creatures, i, 0};
        aldis_spawn_opts place = bench_place(self->bench, i + 1, &given, sizeof given);
        err = bench_checked(self->bench, ctx,
                            aldis_spawn(ctx, creature, &self->creatures[i], &place));
    }
    return err;
}

static aldis_err mall_on_go(struct mall *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    bench_start(self->bench);
    aldis_err err = ALDIS_OK;
    for (uint32_t i = 0; err == ALDIS_OK && i < CREATURES; i++)
        err = bench_checked(self->bench, ctx, aldis_signal(ctx, self->creatures[i], go));
    return err;
}

static aldis_err mall_on_meet(struct mall *self, const struct bench_note *msg, aldis_ctx *ctx)
{
    if (msg->from >= CREATURES || msg->kind >= COLOURS)
        return bench_fault(self->bench, ctx, "creature %" PRIu32 " of colour %" PRIu32, msg->from,
                           msg->kind);
    if (self->left == 0)
        return bench_checked(self->bench, ctx,
                             aldis_signal(ctx, self->creatures[msg->from], closed));
    if (!self->waits) {
        self->first = *msg;
        self->waits = true;
        return ALDIS_OK;
    }
    self->waits = false;
    self->left--;
    return bench_checked(self->bench, ctx,
                         aldis_send_copy(ctx, self->creatures[self->first.from], partner, msg));
}

static aldis_err mall_on_report(struct mall *self, const uint64_t *meetings, aldis_ctx *ctx)
{
    self->sum += *meetings;
    if (++self->reports < CREATURES)
        return ALDIS_OK;
    if (self->sum != 2 * self->bench->opts.n)
        return bench_fault(self->bench, ctx,
                           "the creatures count %" PRIu64 " meetings, expected %" PRIu64, self->sum,
                           2 * self->bench->opts.n);
    bench_end(self->bench, ctx);
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(mall, struct mall, MALL_PROTOCOL, .on_start = mall_start,
                .on_undelivered = bench_on_undelivered);

static aldis_err chameneos_start(struct bench *bench, aldis_system *system, aldis_id *out_root)
{
    return bench_spawn_root(bench, system, &mall_behaviour, out_root);
}

static void chameneos_check(struct bench *bench, const aldis_stats *stats)
{
    bench_expect(bench, stats, "meet", 2 * bench->opts.n + CREATURES);
    bench_expect(bench, stats, "partner", bench->opts.n);
    bench_expect(bench, stats, "change", bench->opts.n);
    bench_expect(bench, stats, "report", CREATURES);
}

const struct bench_workload bench_chameneos = {
    .name = "chameneos",
    .unit = "meetings",
    .what_n = "meetings",
    .n_default = 8000000,
    .n_max = 1000000000000,
    .ops_per_n = 1,
    .may_be_apart = true,
    .start = chameneos_start,
    .check = chameneos_check,
};
