// SPDX-License-Identifier: Apache-2.0
/* economy_test.c: the scenarios with markets, for some hours: who trades in them earns, and nobody
 * is left without money or fuel. HOURS: how long; the long suite has a day. */
#include "run.h"
#include "ship.h"
#include "shipped.h"

#include <stdlib.h>

enum { FLEETS_MAX = 16 };

/* What the ships of a fleet have. */
struct wealth {
    int64_t purses, goods; /* cents; goods: what they have cost */
    int64_t median;        /* of both together */
    uint32_t poor, dry;    /* less than 100 credits; in want of fuel */
};

struct seen {
    const struct scenario *scenario;
    struct wealth begin[FLEETS_MAX], now[FLEETS_MAX];
    uint32_t dry_most;
};

static int by_cents(const void *a, const void *b)
{
    const int64_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static struct wealth wealth_of(const struct books *books, const struct scenario_fleet *fleet)
{
    struct wealth wealth = {0};
    int64_t *owned = calloc(fleet->count, sizeof *owned);
    CHECK(owned != NULL);
    for (uint32_t i = 0; i < fleet->count; i++) {
        const struct ship *ship = books_ship(books, fleet->first + i);
        const struct pending *pending = account_pending(&ship->account);
        int64_t purse = ship->account.credits + (pending ? pending->held.credits : 0), goods = 0;
        for (uint32_t j = 0; j < books->kinds; j++)
            goods += (account_goods(&ship->account)[j] +
                      (pending ? (int64_t)pending->held.goods[j] : 0)) *
                     ship_prices(ship)[j];
        owned[i] = purse + goods;
        wealth.purses += purse;
        wealth.goods += goods;
        wealth.poor += purse < 100 * CENTS;
        wealth.dry += ship->state == SHIP_emergency && ship->extra && ship->extra->rare &&
                      ship->extra->rare->emergency.kind == EMERGENCY_OUT_OF_FUEL;
    }
    qsort(owned, fleet->count, sizeof *owned, by_cents);
    wealth.median = owned[fleet->count / 2];
    free(owned);
    return wealth;
}

static bool look(void *arg, const struct space_progress *progress)
{
    struct seen *seen = arg;
    const struct run *run = progress->run;
    uint32_t dry = 0;
    for (uint32_t i = 0; i < seen->scenario->fleets.count; i++) {
        seen->now[i] = wealth_of(&run->books, &seen->scenario->fleets.items[i]);
        dry += seen->now[i].dry;
        if (progress->now_ns == 0)
            seen->begin[i] = seen->now[i];
    }
    seen->dry_most = dry > seen->dry_most ? dry : seen->dry_most;
    return true;
}

/* What its traders own at the end of it, of what they had. */
static void live(const char *name, struct seen *seen)
{
    struct scenario *scenario = shipped_load(name, NULL, 0);
    *seen = (struct seen){.scenario = scenario};
    struct space_report report =
        shipped_run(scenario, (struct space_run_opts){.workers = 2,
                                                      .until_ns = HOURS * ALDIS_HOUR,
                                                      .piece_ns = 10 * ALDIS_MINUTE,
                                                      .arg = seen,
                                                      .on_progress = look});
    for (uint32_t i = 0; i < scenario->fleets.count; i++) {
        const struct wealth *begin = &seen->begin[i], *now = &seen->now[i];
        const struct scenario_fleet *fleet = &scenario->fleets.items[i];
        printf("# %-12s purses %.3f and goods %.3f of the purses at the start, median %.3f\n",
               fleet->name, (double)now->purses / (double)begin->purses,
               (double)now->goods / (double)begin->purses,
               (double)now->median / (double)begin->median);
        CHECK_UINT(now->poor, 0);
    }
    CHECK(seen->dry_most <= scenario->ship_count / 25); /* they help each other, or are helped */
    space_report_fini(&report);
    scenario_destroy(scenario);
}

/* Over all fleets but the last so many, which do not trade. */
static double earned(const struct seen *seen, uint32_t count)
{
    int64_t before = 0, after = 0;
    for (uint32_t i = 0; i < count; i++) {
        before += seen->begin[i].purses;
        after += seen->now[i].purses + seen->now[i].goods;
        /* No fleet lives on what it has brought, nor most of its ships. */
        CHECK(seen->now[i].median > seen->begin[i].median * 95 / 100);
        CHECK(seen->now[i].purses + seen->now[i].goods > seen->begin[i].purses * 97 / 100);
    }
    return (double)(after - before) / (double)before;
}

TEST(the_fleets_of_trade_routes_earn)
{
    struct seen seen;
    live("trade-routes", &seen);
    CHECK(earned(&seen, 5) > 0);
}

TEST(minds_that_trade_earn)
{
    struct seen seen;
    live("minds", &seen);
    CHECK(earned(&seen, 3) > 0);
}

TEST(the_ships_of_harbour_live_by_their_trade)
{
    struct seen seen;
    live("harbour", &seen);
    CHECK(earned(&seen, 4) > 0);
}
