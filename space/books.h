// SPDX-License-Identifier: Apache-2.0
/* books.h: what all actors of a run look at, and what each of them keeps. Layer: space.
 *
 * The chart is finished before the first ship is spawned and constant from then on. The books hold
 * a page for each ship and station: all of its state. A page is written by its own actor only, and
 * read by the run at rest: between two windows, or when all have stopped. So a page is as private
 * as state is; it lies outside the actor so that a crash does not take it, as on a disk. */
#ifndef SPACE_BOOKS_H
#define SPACE_BOOKS_H

#include "account.h"
#include "dock.h"
#include "nearby.h"
#include "protocol.h"
#include "signals.h"

#include <aldis/rate.h>

struct bulletin;
struct chronicle;
struct ship;

/** A course that passes a hazard keeps this far off its centre, as a part of its radius. */
#define HAZARD_BERTH 1.1

/** All that a station is. */
struct station_page {
    struct account account;
    aldis_bucket rate;  /**< of requests; see scenario_rate */
    uint64_t over_rate; /**< requests that were refused for it */
    uint64_t dockings;
    uint64_t grants;                         /**< of a berth */
    aldis_ns wait_total_ns;                  /**< from the request to the grant */
    aldis_ns market_ns;                      /**< when it last made, used and told */
    uint64_t made[SCENARIO_COMMODITIES_MAX]; /**< tonnes, for the ledger */
    uint64_t used[SCENARIO_COMMODITIES_MAX];
    uint32_t spares;
    uint32_t queue; /**< ships that wait */
    uint32_t berths_taken;
    uint32_t served;
    bool open;   /**< it has started before: what starts is a restart */
    bool shut;   /**< its mind has closed the docks */
    bool paused; /**< an order has */
    bool ends;   /**< it is being shut down: it stops when its berths are empty */
    WeatherLevel weather;
    uint32_t weather_region;
    aldis_ns weather_until_ns;
    uint32_t goods[SCENARIO_COMMODITIES_MAX]; /**< of its account */
    int64_t told[SCENARIO_COMMODITIES_MAX];   /**< the prices that it last told, cents */
    struct dock dock;
};

/** The memory of all minds, of equal size within a fleet. */
struct minds {
    char *bytes;
    uint64_t *fleet_at, *station_at; /**< where those of a fleet begin, and a station's is */
};

struct hazards;
struct rescue;
struct ship_kin;
struct traffic;
struct weather;

/** Accounts are numbered: stations first, then the rescue service, then ships. */
struct books {
    struct station_page *stations;
    struct account rescue;
    uint32_t rescue_goods[SCENARIO_COMMODITIES_MAX]; /**< of its account */
    struct hazards *hazard_page; /**< of the services: made by them when they first start */
    struct rescue *rescue_page;
    struct weather *weather_page;
    struct traffic *traffic_page;
    char *ships;           /**< their pages, one after the other: books_ship() */
    struct ship_kin *kins; /**< what those of a fleet share, in the order of the fleets */
    aldis_id *ids;         /**< of the ships, for who tells what happened; NULL: nobody does */
    char *docks;           /**< of all stations */
    struct account_shape station_shape, rescue_shape;
    size_t ship_bytes; /**< of one page, with its goods */
    uint32_t station_count, ship_count, kinds;
    struct totals start; /**< when the run began */
    struct minds minds;
    struct bulletin *bulletin;     /**< the prices that all may know */
    uint64_t near_misses;          /**< that traffic control has named */
    uint64_t near_misses_left_out; /**< courses and pairs that it had no room for */
};

struct chart {
    const struct scenario *scenario;
    struct books *books;         /**< each actor looks at its own page, and at those of the dead */
    const station_ref *stations; /**< of the scenario's stations, in their order */
    ledger_ref ledger;
    rescue_ref rescue;   /**< nobody: there is none */
    traffic_ref traffic; /**< nobody: there is none */
    struct nearby nearby;
    struct signals *signals;     /**< NULL: messages take no more than the lookahead */
    struct chronicle *chronicle; /**< NULL: nobody wants to know */
    aldis_ns early_ns;           /**< a timer may come so much before its time */
};

/** Make the pages of a scenario, with what each has at the start. chart: borrowed; what the ships
 *  look at once they start. false: no memory. */
bool books_init(struct books *books, const struct scenario *scenario, const struct chart *chart);
/** Note the ids of the ships from now on. false: no memory. */
bool books_note_ids(struct books *books);
void books_fini(struct books *books);

/** The page of a ship: from 0, in the order of the fleets. */
static inline struct ship *books_ship(const struct books *books, uint32_t number)
{
    return (struct ship *)(void *)(books->ships + number * books->ship_bytes);
}

/** How many accounts there are; the account of a number. */
uint32_t books_accounts(const struct books *books);
struct account *books_account(const void *books, uint32_t index);

/** The numbers of speakers that have no account, and how many speakers there are: see signals.h. */
#define SPEAKER_HAZARDS(books) (books_accounts(books))
#define SPEAKER_WEATHER(books) (books_accounts(books) + 1)
#define SPEAKERS(books) (books_accounts(books) + 2)

/** What lives at a place of the hazards' page, below SCENARIO_HAZARDS_LIVE_MAX, as it was told
 *  last. NULL: nothing; page NULL: there are no hazards. */
const NavigationHazard *hazards_at(const struct hazards *page, uint32_t place);
/** Its end, with the books. NULL: nothing. */
void traffic_page_destroy(struct traffic *page);
/** The weather of a region. page NULL: there is none yet. */
WeatherLevel weather_at(const struct weather *page, uint32_t region);
/** How long until a tug is with a ship that has called, at most, by what the rescue service has to
 *  do before: 0 when it knows of no call of the ship of that account. page NULL: there is no
 *  service. Those who have called later change nothing in it; one whose fuel has to wait for an
 *  answer may. */
aldis_ns rescue_wait_ns(const struct rescue *page, uint32_t account, aldis_ns now_ns);

/** Settle the open trade of an account of that number, whose responder has ended for good. */
void books_settle_with_dead(const struct books *books, struct account *account, uint32_t index);

/** Totals now, less what was made and with what was used up: to be equal to books->start. The
 *  actors must be at rest. */
struct totals books_totals(const struct books *books);

/** Is everything still there, and each account in itself as it should be? Else text says what is
 *  not, and how much. The actors must be at rest. */
bool books_balance(const struct books *books, const struct scenario *scenario, char *text,
                   size_t size);

/** A station buys so much below the price, and sells so much above it. */
#define MARKET_SPREAD_PERCENT 2

/** Cents for one tonne of a station's goods at a stock: the commodity's price at its target, more
 *  below it and less above it, within the commodity's swing. */
int64_t market_price(const struct scenario_commodity *commodity, const struct scenario_goods *goods,
                     int64_t stock);

#endif
