// SPDX-License-Identifier: Apache-2.0
/* books.c: see books.h. */
#include "books.h"

#include "bulletin.h"
#include "dock.h"
#include "mind_leaves.h"
#include "ship.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>

/* What a run takes at the height of its activity, in bytes: from the sizes of what is kept, and
 * from runs measured (docs/design/space.md, needs_test.c). */
enum {
    FIXED_BYTES = 9 << 20,    /* the program, the runtime's shards, the chronicle */
    STATION_BYTES = 8 * 1024, /* its actor, its timers, its trades */
    ACTOR_BYTES = 210,        /* a ship's cell, word and state, its timer under way */
    PLACE_BYTES = 60,         /* where it is */
    FLIGHT_BYTES = 700,       /* its course as traffic control knows it, and its box */
    BUSY_BYTES = 250, /* messages besides its timer in the pools of all workers; warnings; trades */
    CREDIT_BYTES = 1500, /* its credit stream, at both ends */
    SIGNAL_BYTES = 256   /* where it is, by its id, and its messages under way */
};

static size_t docks_bytes(const struct scenario *scenario)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < scenario->stations.count; i++)
        bytes += dock_bytes(&scenario->stations.items[i]);
    return bytes;
}

uint64_t scenario_bytes_needed(const struct scenario *scenario)
{
    uint64_t page = ship_page_bytes(scenario->market.commodities.count);
    uint64_t ship = page + ACTOR_BYTES + PLACE_BYTES + BUSY_BYTES;
    if (scenario->traffic.every_ns > 0)
        ship += FLIGHT_BYTES;
    if (scenario->signals.speed > 0)
        ship += SIGNAL_BYTES;
    if (scenario->limits.docking_credit.total > 0)
        ship += CREDIT_BYTES;
    uint64_t station = sizeof(struct station_page) + STATION_BYTES;
    return scenario->ship_count * ship + scenario->stations.count * station +
           docks_bytes(scenario) / 2 + bulletin_bytes(scenario) + minds_bytes(scenario) +
           FIXED_BYTES;
}

uint32_t books_accounts(const struct books *books)
{
    return books->station_count + 1 + books->ship_count;
}

struct account *books_account(const void *arg, uint32_t index)
{
    const struct books *books = arg;
    if (index < books->station_count)
        return &books->stations[index].account;
    if (index == books->station_count)
        return (struct account *)(uintptr_t)&books->rescue;
    return &books_ship(books, index - books->station_count - 1)->account;
}

static void open_station(struct books *books, const struct scenario *scenario, uint32_t index)
{
    const struct scenario_station *station = &scenario->stations.items[index];
    struct station_page *page = &books->stations[index];
    page->account.credits = (int64_t)station->credits * CENTS;
    page->account.fuel = (int64_t)(station->fuel * FUEL_NANO);
    page->account.shape = &books->station_shape;
    page->spares = station->spares;
    for (uint32_t i = 0; i < books->kinds; i++) {
        page->goods[i] = station->goods[i].stock;
        page->account.used += station->goods[i].stock;
    }
}

/* No hold at all: one that is always full, since no capacity would be no bound. */
static void open_fleet(struct books *books, const struct scenario *scenario, uint32_t index,
                       const struct chart *chart)
{
    const struct scenario_fleet *fleet = &scenario->fleets.items[index];
    const struct scenario_class *class = &scenario->classes.items[fleet->class];
    struct ship_kin *kin = &books->kins[index];
    *kin = (struct ship_kin){.chart = chart,
                             .fleet = fleet,
                             .class = class,
                             .ships = books->ships,
                             .ship_bytes = books->ship_bytes,
                             .first_account = books->station_count + 1,
                             .number = index};
    kin->shape.tank = (int64_t)(class->tank * FUEL_NANO);
    kin->shape.capacity = class->cargo_t > 0 ? class->cargo_t : 1;
    kin->shape.kinds = books->kinds;
    kin->shape.goods_at = sizeof(struct ship) - offsetof(struct ship, account);
    for (uint32_t i = 0; i < fleet->count; i++) {
        struct account *account = &books_ship(books, fleet->first + i)->account;
        account->shape = &kin->shape;
        account->credits = (int64_t) class->purse * CENTS;
        account->fuel = kin->shape.tank;
        account->used = class->cargo_t > 0 ? 0 : 1;
    }
}

/* Room for all, zeroed. */
static bool make_room(struct books *books, const struct scenario *scenario)
{
    size_t ships = (scenario->ship_count * books->ship_bytes + 63) / 64 * 64;
    books->stations = calloc(books->station_count, sizeof *books->stations);
    books->kins = calloc(scenario->fleets.count, sizeof *books->kins);
    books->ships = aligned_alloc(64, ships);
    books->docks = calloc(1, docks_bytes(scenario) + 1);
    books->bulletin = bulletin_create(scenario);
    if (books->ships)
        memset(books->ships, 0, ships);
    bool minds = minds_init(&books->minds, scenario);
    return books->stations && books->kins && books->ships && books->docks && books->bulletin &&
           minds;
}

/* Permission, docked, served and undock are messages; so are an order, of fuel, and its answer. */
static aldis_ns first_turn_ns(const struct scenario *scenario,
                              const struct scenario_station *station)
{
    return station->approach_ns + station->service_ns + 6 * scenario->lookahead_ns;
}

bool books_init(struct books *books, const struct scenario *scenario, const struct chart *chart)
{
    uint32_t kinds = scenario->market.commodities.count;
    *books = (struct books){.station_count = scenario->stations.count,
                            .ship_count = scenario->ship_count,
                            .kinds = kinds,
                            .ship_bytes = ship_page_bytes(kinds)};
    if (!make_room(books, scenario)) {
        books_fini(books);
        return false;
    }
    books->station_shape = (struct account_shape){
        .tank = INT64_MAX, .kinds = kinds, .goods_at = offsetof(struct station_page, goods)};
    books->rescue_shape = books->station_shape;
    books->rescue_shape.goods_at =
        offsetof(struct books, rescue_goods) - offsetof(struct books, rescue);
    books->rescue.shape = &books->rescue_shape;
    books->rescue.fuel = (int64_t)(scenario->rescue.fuel * FUEL_NANO);
    char *dock = books->docks;
    for (uint32_t i = 0; i < books->station_count; i++) {
        open_station(books, scenario, i);
        dock_init(&books->stations[i].dock, &scenario->stations.items[i],
                  first_turn_ns(scenario, &scenario->stations.items[i]), dock);
        dock += dock_bytes(&scenario->stations.items[i]);
    }
    for (uint32_t i = 0; i < scenario->fleets.count; i++)
        open_fleet(books, scenario, i, chart);
    books->start = books_totals(books);
    return true;
}

bool books_note_ids(struct books *books)
{
    books->ids = calloc(books->ship_count, sizeof *books->ids);
    return books->ids != NULL;
}

void books_fini(struct books *books)
{
    for (uint32_t i = 0; books->stations && i < books->station_count; i++)
        account_fini(&books->stations[i].account);
    for (uint32_t i = 0; books->ships && i < books->ship_count; i++) {
        account_fini(&books_ship(books, i)->account);
        ship_free_extra(books_ship(books, i));
    }
    account_fini(&books->rescue);
    free(books->stations);
    free(books->ships);
    free(books->kins);
    free(books->ids);
    free(books->docks);
    bulletin_destroy(books->bulletin);
    free(books->hazard_page);
    free(books->rescue_page);
    free(books->weather_page);
    traffic_page_destroy(books->traffic_page);
    minds_fini(&books->minds);
    *books = (struct books){0};
}

/* The dead change their pages no more: their records are read there, as from a disk. What they have
 * taken is settled, anything else has never happened. */
void books_settle_with_dead(const struct books *books, struct account *account, uint32_t index)
{
    const struct pending *pending = account->dealings->pending;
    const struct account *responder = books_account(books, pending->peer_account);
    struct record record;
    bool taken = account_find(responder, index, pending->number, &record) && !record.refused;
    (void)account_settle(account, pending->number, taken ? &record.terms : NULL);
}

struct totals books_totals(const struct books *books)
{
    struct totals totals = account_totals(books, books_account, books_accounts(books));
    for (uint32_t i = 0; i < books->station_count; i++)
        for (uint32_t j = 0; j < books->kinds; j++)
            totals.goods[j] +=
                (int64_t)books->stations[i].used[j] - (int64_t)books->stations[i].made[j];
    return totals;
}

static bool accounts_are_sound(const struct books *books, char *text, size_t size)
{
    for (uint32_t i = 0; i < books_accounts(books); i++) {
        const char *fault = account_fault(books_account(books, i));
        if (fault) {
            snprintf(text, size, "account %" PRIu32 ": %s", i, fault);
            return false;
        }
    }
    return true;
}

bool books_balance(const struct books *books, const struct scenario *scenario, char *text,
                   size_t size)
{
    struct totals now = books_totals(books);
    const char *what = NULL;
    int64_t from = 0, to = 0;
    if (now.credits != books->start.credits) {
        what = "credits (cents)";
        from = books->start.credits;
        to = now.credits;
    } else if (now.fuel != books->start.fuel) {
        what = "fuel (nano)";
        from = books->start.fuel;
        to = now.fuel;
    }
    for (uint32_t i = 0; !what && i < books->kinds; i++) {
        if (now.goods[i] == books->start.goods[i])
            continue;
        what = scenario->market.commodities.items[i].name;
        from = books->start.goods[i];
        to = now.goods[i];
    }
    if (what)
        snprintf(text, size, "%s: %" PRId64 " at the start, %" PRId64 " now, %+" PRId64, what, from,
                 to, to - from);
    else if (accounts_are_sound(books, text, size))
        snprintf(text, size, "balanced");
    else
        return false;
    return what == NULL;
}

/* base + swing x (target - stock) / target, and never beyond base +- swing. */
int64_t market_price(const struct scenario_commodity *commodity, const struct scenario_goods *goods,
                     int64_t stock)
{
    int64_t base = (int64_t)commodity->price * CENTS, swing = (int64_t)commodity->swing * CENTS;
    int64_t target = goods->target;
    int64_t missing = target - stock;
    if (missing < -target)
        missing = -target;
    if (missing > target)
        missing = target;
    return base + swing * missing / target;
}
