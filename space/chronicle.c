// SPDX-License-Identifier: Apache-2.0
/* chronicle.c: see chronicle.h. */
#include "chronicle.h"

#include "flights.h"
#include "ship.h"

#include <inttypes.h>
#include <stdlib.h>

enum { EVIDENCE = 256 }; /* of each shard; a power of two */

enum entry_kind {
    ENTRY_STATE,
    ENTRY_REFUSAL,
    ENTRY_HELD,
    ENTRY_LET_IN,
    ENTRY_EMERGENCY,
    ENTRY_OFFERED,
    ENTRY_TRADE,
    ENTRY_TAKEN,
    ENTRY_NEAR_MISS,
    ENTRY_HAZARD,
    ENTRY_HAZARD_OVER,
    ENTRY_WEATHER
};

struct entry {
    aldis_ns at_ns;
    uint32_t account;
    uint32_t kind;
    uint64_t order; /* of the shard's entries */
    const char *name;
    uint64_t number;
    uint32_t peer, from, to, good; /* good: the first that changes hands, or RESOURCE_FUEL */
    int64_t credits, amount;
    double place[3], size;
};

struct list {
    _Alignas(64) struct entry *entries;
    size_t count, capacity;
    uint64_t order, lost;
};

struct chronicle {
    bool capture;
    uint32_t shards, stations, ships;
    struct list *lists;
    struct entry *sorted; /* for reading */
};

struct chronicle *chronicle_create(uint32_t shards, uint32_t stations, uint32_t ships, bool capture)
{
    struct chronicle *chronicle = calloc(1, sizeof *chronicle);
    if (!chronicle)
        return NULL;
    *chronicle = (struct chronicle){
        .capture = capture, .shards = shards, .stations = stations, .ships = ships};
    size_t size = shards * sizeof *chronicle->lists;
    chronicle->lists = aligned_alloc(64, size);
    if (!chronicle->lists) {
        free(chronicle);
        return NULL;
    }
    memset(chronicle->lists, 0, size);
    return chronicle;
}

void chronicle_destroy(struct chronicle *chronicle)
{
    if (!chronicle)
        return;
    for (uint32_t i = 0; i < chronicle->shards; i++)
        free(chronicle->lists[i].entries);
    free(chronicle->lists);
    free(chronicle->sorted);
    free(chronicle);
}

uint32_t chronicle_shard(const struct chronicle *chronicle, uint32_t account)
{
    if (account <= chronicle->stations)
        return account % chronicle->shards;
    uint64_t ship = account - chronicle->stations - 1;
    return (uint32_t)(ship * chronicle->shards / chronicle->ships);
}

/* Room for one more; without memory the entry is lost, and the next drain says so. */
static struct entry *next_entry(struct chronicle *chronicle, struct list *list)
{
    if (!chronicle->capture && list->count == EVIDENCE)
        return &list->entries[list->order % EVIDENCE];
    if (list->count == list->capacity) {
        size_t capacity = list->capacity > 0 ? 2 * list->capacity : EVIDENCE;
        struct entry *entries = realloc(list->entries, capacity * sizeof *entries);
        if (!entries) {
            list->lost++;
            return NULL;
        }
        list->entries = entries;
        list->capacity = capacity;
    }
    return &list->entries[list->count++];
}

static void add(struct chronicle *chronicle, aldis_ctx *ctx, struct entry entry)
{
    struct list *list = &chronicle->lists[chronicle_shard(chronicle, entry.account)];
    struct entry *place = next_entry(chronicle, list);
    entry.at_ns = aldis_now(ctx);
    entry.order = list->order++;
    if (place)
        *place = entry;
}

/* ---- In an actor ---- */

void chronicle_state(struct chronicle *chronicle, aldis_ctx *ctx, const struct ship *ship,
                     enum space_ship_state to)
{
    if (chronicle && chronicle->capture)
        add(chronicle, ctx,
            (struct entry){.account = ship_account(ship),
                           .kind = ENTRY_STATE,
                           .from = ship->state,
                           .to = to,
                           .peer = ship->station});
}

void chronicle_refusal(struct chronicle *chronicle, aldis_ctx *ctx, const struct ship *ship,
                       Refusal reason, aldis_ns again_ns)
{
    if (chronicle && chronicle->capture)
        add(chronicle, ctx,
            (struct entry){.account = ship_account(ship),
                           .kind = ENTRY_REFUSAL,
                           .name = refusal_text(reason),
                           .amount = again_ns,
                           .peer = ship->station});
}

void chronicle_held(struct chronicle *chronicle, aldis_ctx *ctx, const struct ship *ship)
{
    if (chronicle && chronicle->capture)
        add(chronicle, ctx,
            (struct entry){
                .account = ship_account(ship), .kind = ENTRY_HELD, .peer = ship->station});
}

void chronicle_let_in(struct chronicle *chronicle, aldis_ctx *ctx, const struct ship *ship,
                      aldis_ns waited_ns)
{
    if (chronicle && chronicle->capture)
        add(chronicle, ctx,
            (struct entry){.account = ship_account(ship),
                           .kind = ENTRY_LET_IN,
                           .amount = waited_ns,
                           .peer = ship->station});
}

void chronicle_emergency(struct chronicle *chronicle, aldis_ctx *ctx, const struct ship *ship,
                         EmergencyKind kind)
{
    static const char *const names[] = {"engine_failure", "hull_breach", "crew_medical", "pirates",
                                        "out_of_fuel"};
    if (chronicle && chronicle->capture)
        add(chronicle, ctx,
            (struct entry){.account = ship_account(ship),
                           .kind = ENTRY_EMERGENCY,
                           .name = names[kind],
                           .place = {ship->motion.position.x, ship->motion.position.y,
                                     ship->motion.position.z}});
}

static struct entry trade_entry(const TradeAnswer *answer)
{
    struct entry entry = {.number = answer->number,
                          .credits = answer->credits,
                          .name = answer->accepted ? "accepted" : refusal_text(answer->reason),
                          .good = RESOURCE_FUEL,
                          .amount = answer->fuel};
    for (uint32_t i = 0; i < SCENARIO_COMMODITIES_MAX; i++) {
        if (answer->goods[i] != 0) {
            entry.good = i;
            entry.amount = answer->goods[i];
            break;
        }
    }
    return entry;
}

void chronicle_offered(struct chronicle *chronicle, aldis_ctx *ctx, uint32_t account,
                       const struct pending *pending, const struct terms *terms)
{
    if (!chronicle)
        return;
    TradeAnswer said = {.number = pending->number,
                        .credits = terms->credits,
                        .fuel = terms->fuel,
                        .accepted = true};
    memcpy(said.goods, terms->goods, sizeof said.goods);
    struct entry entry = trade_entry(&said);
    entry.kind = ENTRY_OFFERED;
    entry.name = "offered";
    entry.account = account;
    entry.peer = pending->peer_account;
    add(chronicle, ctx, entry);
}

void chronicle_settled(struct chronicle *chronicle, aldis_ctx *ctx, uint32_t account,
                       uint32_t responder, const TradeAnswer *answer)
{
    if (!chronicle)
        return;
    struct entry entry = trade_entry(answer);
    entry.kind = ENTRY_TRADE;
    entry.account = account;
    entry.peer = responder;
    add(chronicle, ctx, entry);
}

void chronicle_taken(struct chronicle *chronicle, aldis_ctx *ctx, uint32_t account,
                     uint32_t initiator, const TradeAnswer *answer)
{
    if (!chronicle)
        return;
    struct entry entry = trade_entry(answer);
    entry.kind = ENTRY_TAKEN;
    entry.account = account;
    entry.peer = initiator;
    add(chronicle, ctx, entry);
}

void chronicle_hazard(struct chronicle *chronicle, aldis_ctx *ctx, const NavigationHazard *hazard,
                      bool ends)
{
    static const char *const names[] = {"asteroid", "debris", "energy_storm", "pirates"};
    if (chronicle && chronicle->capture)
        add(chronicle, ctx,
            (struct entry){.account = chronicle->stations,
                           .kind = ends ? ENTRY_HAZARD_OVER : ENTRY_HAZARD,
                           .name = names[hazard->kind],
                           .number = hazard->number,
                           .place = {hazard->location.x, hazard->location.y, hazard->location.z},
                           .size = hazard->radius});
}

void chronicle_weather(struct chronicle *chronicle, aldis_ctx *ctx, uint32_t region,
                       WeatherLevel level)
{
    static const char *const names[] = {"low", "moderate", "high", "extreme"};
    if (chronicle && chronicle->capture)
        add(chronicle, ctx,
            (struct entry){.account = chronicle->stations,
                           .kind = ENTRY_WEATHER,
                           .name = names[level],
                           .peer = region});
}

void chronicle_near_miss(struct chronicle *chronicle, aldis_ctx *ctx, const struct books *books,
                         const struct near_miss *near)
{
    if (chronicle && chronicle->capture)
        add(chronicle, ctx,
            (struct entry){.account = books->station_count,
                           .kind = ENTRY_NEAR_MISS,
                           .from = books->station_count + 1 + near->one,
                           .peer = books->station_count + 1 + near->other,
                           .amount = near->at_ns,
                           .size = near->distance});
}

/* ---- At rest ---- */

static int compare(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->at_ns != y->at_ns)
        return x->at_ns < y->at_ns ? -1 : 1;
    if (x->account != y->account)
        return x->account < y->account ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* false: no memory. */
static bool sort_all(struct chronicle *chronicle, size_t *out_count)
{
    size_t count = 0;
    *out_count = 0;
    for (uint32_t i = 0; i < chronicle->shards; i++)
        count += chronicle->lists[i].count;
    free(chronicle->sorted);
    chronicle->sorted = malloc((count > 0 ? count : 1) * sizeof *chronicle->sorted);
    if (!chronicle->sorted)
        return false;
    size_t at = 0;
    for (uint32_t i = 0; i < chronicle->shards; i++) {
        const struct list *list = &chronicle->lists[i];
        if (list->count > 0)
            memcpy(&chronicle->sorted[at], list->entries, list->count * sizeof list->entries[0]);
        at += list->count;
    }
    qsort(chronicle->sorted, count, sizeof *chronicle->sorted, compare);
    *out_count = count;
    return true;
}

static void print_name(const char *key, const char *text, FILE *out)
{
    fprintf(out, ",\"%s\":\"", key);
    for (const char *at = text; *at; at++)
        fprintf(out, *at == '"' || *at == '\\' ? "\\%c" : "%c", *at);
    fputc('"', out);
}

/* "ship-12", as the run names it, a station's name, or "rescue". */
static void print_account(const char *key, uint32_t account, const struct scenario *scenario,
                          FILE *out)
{
    uint32_t stations = scenario->stations.count;
    char text[32];
    snprintf(text, sizeof text, "ship-%u", account - stations);
    if (account < stations)
        print_name(key, scenario->stations.items[account].name, out);
    else
        print_name(key, account == stations ? "service" : text, out);
}

static const char *good_name(uint32_t good, const struct scenario *scenario)
{
    return good < scenario->market.commodities.count ? scenario->market.commodities.items[good].name
                                                     : "fuel";
}

static void print_entry(const struct entry *e, const struct scenario *scenario, FILE *out)
{
#define STATE_NAME(name) #name,
    static const char *const states[] = {SPACE_SHIP_STATES(STATE_NAME)};
#undef STATE_NAME
    static const char *const kinds[] = {
        "state",         "refused",     "held",      "let_in", "emergency",   "trade_offered",
        "trade_settled", "trade_taken", "near_miss", "hazard", "hazard_over", "weather"};
    fprintf(out, "{\"at_ns\":%" PRId64, e->at_ns);
    print_name("event", kinds[e->kind], out);
    print_account("actor", e->account, scenario, out);
    switch ((enum entry_kind)e->kind) {
    case ENTRY_STATE:
        fprintf(out, ",\"from\":\"%s\",\"to\":\"%s\"", states[e->from], states[e->to]);
        print_account("station", e->peer, scenario, out);
        break;
    case ENTRY_REFUSAL:
        print_name("reason", e->name, out);
        print_account("station", e->peer, scenario, out);
        if (e->amount > 0)
            fprintf(out, ",\"again_ns\":%" PRId64, e->at_ns + e->amount);
        break;
    case ENTRY_HELD:
        print_account("station", e->peer, scenario, out);
        break;
    case ENTRY_LET_IN:
        print_account("station", e->peer, scenario, out);
        fprintf(out, ",\"waited_ns\":%" PRId64, e->amount);
        break;
    case ENTRY_EMERGENCY:
        print_name("kind", e->name, out);
        fprintf(out, ",\"place\":[%.9g,%.9g,%.9g]", e->place[0], e->place[1], e->place[2]);
        break;
    case ENTRY_OFFERED:
    case ENTRY_TRADE:
    case ENTRY_TAKEN:
        print_name("result", e->name, out);
        print_account("with", e->peer, scenario, out);
        print_name("good", good_name(e->good, scenario), out);
        fprintf(out, ",\"number\":%" PRIu64 ",\"amount\":%" PRId64 ",\"cents\":%" PRId64, e->number,
                e->amount, e->credits);
        break;
    case ENTRY_NEAR_MISS:
        print_account("ship", e->from, scenario, out);
        print_account("with", e->peer, scenario, out);
        fprintf(out, ",\"distance\":%.9g,\"closest_ns\":%" PRId64, e->size, e->amount);
        break;
    case ENTRY_HAZARD:
    case ENTRY_HAZARD_OVER:
        print_name("kind", e->name, out);
        fprintf(out, ",\"number\":%" PRIu64 ",\"place\":[%.9g,%.9g,%.9g],\"radius\":%.9g",
                e->number, e->place[0], e->place[1], e->place[2], e->size);
        break;
    case ENTRY_WEATHER:
        print_name("region", scenario->weather.items[e->peer].name, out);
        print_name("level", e->name, out);
        break;
    }
    fputs("}\n", out);
}

void chronicle_print_change(const struct scenario *scenario, aldis_ns at_ns, uint32_t account,
                            const char *thing, int64_t change, FILE *out)
{
    fprintf(out, "{\"at_ns\":%" PRId64, at_ns);
    print_name("event", "has_changed", out);
    print_account("actor", account, scenario, out);
    print_name("thing", thing, out);
    fprintf(out, ",\"amount\":%" PRId64 "}\n", change);
}

void chronicle_print_message(const struct scenario *scenario,
                             const struct chronicle_message *message, FILE *out)
{
    fprintf(out, "{\"at_ns\":%" PRId64, message->at_ns);
    print_name("event", "handled", out);
    print_account("actor", message->account, scenario, out);
    print_name("message", message->type_name, out);
    print_account("from", message->from, scenario, out);
    fprintf(out, ",\"sequence\":%" PRIu64 "}\n", message->sequence);
}

aldis_err chronicle_drain(struct chronicle *chronicle, const struct scenario *scenario, FILE *out)
{
    size_t count;
    bool whole = sort_all(chronicle, &count);
    for (size_t i = 0; i < count; i++)
        print_entry(&chronicle->sorted[i], scenario, out);
    for (uint32_t i = 0; i < chronicle->shards; i++) {
        whole = whole && chronicle->lists[i].lost == 0;
        chronicle->lists[i].count = 0;
    }
    if (!whole)
        return ALDIS_ENOMEM;
    return ferror(out) ? ALDIS_EIO : ALDIS_OK;
}

static bool is_trade(const struct entry *e)
{
    return e->kind == ENTRY_OFFERED || e->kind == ENTRY_TRADE || e->kind == ENTRY_TAKEN;
}

static bool same_trade(const struct entry *a, const struct entry *b)
{
    uint32_t one = a->kind == ENTRY_TAKEN ? a->peer : a->account;
    uint32_t other = b->kind == ENTRY_TAKEN ? b->peer : b->account;
    return one == other && a->number == b->number;
}

/* Is it of a trade that was made since then? Those stand at the end. */
static bool has_part(const struct chronicle *chronicle, size_t count, const struct entry *e,
                     aldis_ns since_ns)
{
    for (size_t i = count; i-- > 0 && chronicle->sorted[i].at_ns >= since_ns;)
        if (is_trade(&chronicle->sorted[i]) && same_trade(&chronicle->sorted[i], e))
            return true;
    return false;
}

/* Keep the trades only, and of those the ones made since then, if there are any. */
static size_t keep_chain(const struct chronicle *chronicle, size_t count, aldis_ns since_ns)
{
    struct entry *sorted = chronicle->sorted;
    size_t trades = 0, kept = 0;
    for (size_t i = 0; i < count; i++)
        if (is_trade(&sorted[i]))
            sorted[trades++] = sorted[i];
    if (trades == 0 || sorted[trades - 1].at_ns < since_ns)
        return trades;
    /* Backwards, since what is looked for stands behind. */
    for (size_t i = trades; i-- > 0;)
        if (has_part(chronicle, trades, &sorted[i], since_ns))
            sorted[trades - ++kept] = sorted[i];
    memmove(sorted, &sorted[trades - kept], kept * sizeof *sorted);
    return kept;
}

void chronicle_evidence(struct chronicle *chronicle, const struct scenario *scenario,
                        aldis_ns since_ns, FILE *out, uint32_t lines, uint32_t else_lines)
{
    size_t count;
    (void)sort_all(chronicle, &count); /* without memory the verdict stands without its evidence */
    count = keep_chain(chronicle, count, since_ns);
    if (count == 0 || chronicle->sorted[count - 1].at_ns < since_ns)
        lines = else_lines;
    for (size_t i = count > lines ? count - lines : 0; i < count; i++)
        print_entry(&chronicle->sorted[i], scenario, out);
}
