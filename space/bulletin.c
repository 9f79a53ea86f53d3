// SPDX-License-Identifier: Apache-2.0
/* bulletin.c: see bulletin.h. */
#include "bulletin.h"

#include "books.h"

#include <stdlib.h>

/* Of four rounds one is being written, perhaps two in one window, and two are read. */
enum { ROUNDS = 4, ROUND_LOOKAHEADS_MIN = 4 };
/* The stocks at the start are the round before the first. */
enum { ROUND_BIAS = 2, START_ROUND = -1 };

/* Whole words are all that is needed. The order that C gives by itself is stronger, and costs a few
 * cycles a write; a client of the library names no other one. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Watomic-implicit-seq-cst"
#endif

/* A word is what was published, below, and in which round, above. */
struct bulletin {
    aldis_ns round_ns, least_ns;
    uint32_t items; /* of a station: its commodities, and its funds */
    _Atomic uint64_t words[];
};

static uint32_t items_of(const struct scenario *scenario)
{
    return scenario->market.commodities.count + 1;
}

uint64_t bulletin_bytes(const struct scenario *scenario)
{
    uint64_t words = (uint64_t)scenario->stations.count * items_of(scenario) * ROUNDS;
    return sizeof(struct bulletin) + words * sizeof(uint64_t);
}

static int64_t round_at(const struct bulletin *bulletin, aldis_ns now_ns)
{
    return now_ns / bulletin->round_ns;
}

static size_t place_of(const struct bulletin *bulletin, uint32_t station, uint32_t item,
                       int64_t round)
{
    size_t items = (size_t)station * bulletin->items + item;
    return items * ROUNDS + (size_t)(round + ROUNDS) % ROUNDS;
}

static void write(struct bulletin *bulletin, uint32_t station, uint32_t item, int64_t round,
                  int64_t value)
{
    uint64_t word = value < 0 ? 0 : value < UINT32_MAX ? (uint64_t)value : UINT32_MAX;
    word |= (uint64_t)(uint32_t)(round + ROUND_BIAS) << 32;
    bulletin->words[place_of(bulletin, station, item, round)] = word;
}

static int64_t read(const struct bulletin *bulletin, uint32_t station, uint32_t item,
                    aldis_ns now_ns)
{
    int64_t last = round_at(bulletin, now_ns - bulletin->least_ns) - 1;
    for (int64_t round = last; round > last - 2; round--) {
        uint64_t word = bulletin->words[place_of(bulletin, station, item, round)];
        if (word >> 32 == (uint32_t)(round + ROUND_BIAS))
            return (uint32_t)word;
    }
    return -1;
}

struct bulletin *bulletin_create(const struct scenario *scenario)
{
    struct bulletin *bulletin = calloc(1, bulletin_bytes(scenario));
    if (!bulletin)
        return NULL;
    const struct scenario_market *market = &scenario->market;
    bulletin->least_ns = scenario->lookahead_ns;
    bulletin->round_ns = ROUND_LOOKAHEADS_MIN * scenario->lookahead_ns;
    if (bulletin->round_ns < market->update_ns || bulletin->round_ns == 0)
        bulletin->round_ns = market->update_ns > 0 ? market->update_ns : ALDIS_SECOND;
    bulletin->items = items_of(scenario);
    for (uint32_t i = 0; i < scenario->stations.count; i++) {
        const struct scenario_station *station = &scenario->stations.items[i];
        for (uint32_t j = 0; j < market->commodities.count; j++)
            if (station->goods[j].target > 0)
                write(bulletin, i, j, START_ROUND,
                      market_price(&market->commodities.items[j], &station->goods[j],
                                   station->goods[j].stock));
        write(bulletin, i, bulletin->items - 1, START_ROUND, station->credits);
    }
    return bulletin;
}

void bulletin_destroy(struct bulletin *bulletin)
{
    free(bulletin);
}

void bulletin_tell(struct bulletin *bulletin, uint32_t station, uint32_t good, int64_t cents,
                   aldis_ns now_ns)
{
    write(bulletin, station, good, round_at(bulletin, now_ns), cents);
}

void bulletin_tell_funds(struct bulletin *bulletin, uint32_t station, int64_t cents,
                         aldis_ns now_ns)
{
    write(bulletin, station, bulletin->items - 1, round_at(bulletin, now_ns), cents / CENTS);
}

int64_t bulletin_price(const struct bulletin *bulletin, uint32_t station, uint32_t good,
                       aldis_ns now_ns)
{
    int64_t price = read(bulletin, station, good, now_ns);
    return price > 0 ? price : 0;
}

int64_t bulletin_funds(const struct bulletin *bulletin, uint32_t station, aldis_ns now_ns)
{
    return read(bulletin, station, bulletin->items - 1, now_ns) * CENTS;
}
