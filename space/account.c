// SPDX-License-Identifier: Apache-2.0
/* account.c: see account.h. */
#include "account.h"

#include <stdlib.h>
#include <string.h>

uint32_t account_room(const struct account *account)
{
    return account->shape->capacity == 0 ? UINT32_MAX : account->shape->capacity - account->used;
}

bool account_is_open(const struct account *account)
{
    return account_pending(account) != NULL;
}

static int64_t given(int64_t amount)
{
    return amount > 0 ? amount : 0;
}

int64_t account_fuel_room(const struct account *account)
{
    const struct pending *pending = account_pending(account);
    int64_t room = account->shape->tank - account->fuel;
    return pending ? room - pending->held.fuel - pending->fuel_room : room;
}

/* Tonnes that one side of the terms would get; sign 1: the initiator, -1: the responder. */
static uint64_t tonnes_to_get(const struct account *account, const struct terms *terms, int sign)
{
    uint64_t tonnes = 0;
    for (uint32_t i = 0; i < account->shape->kinds; i++)
        tonnes += (uint64_t)given(-sign * (int64_t)terms->goods[i]);
    return tonnes;
}

/* Has the account what one side of the terms gives, and room for what it gets? */
static enum account_verdict can_do(const struct account *account, const struct terms *terms,
                                   int sign)
{
    if (given(sign * terms->credits) > account->credits)
        return ACCOUNT_NO_MONEY;
    if (given(sign * terms->fuel) > account->fuel)
        return ACCOUNT_NO_STOCK;
    if (given(-sign * terms->fuel) > account_fuel_room(account))
        return ACCOUNT_NO_ROOM;
    for (uint32_t i = 0; i < account->shape->kinds; i++)
        if (given(sign * (int64_t)terms->goods[i]) > account_goods(account)[i])
            return ACCOUNT_NO_STOCK;
    for (uint32_t i = account->shape->kinds; i < SCENARIO_COMMODITIES_MAX; i++)
        if (terms->goods[i] != 0)
            return ACCOUNT_NO_STOCK; /* there is no such thing */
    uint64_t room = account_room(account);
    return tonnes_to_get(account, terms, sign) > room ? ACCOUNT_NO_ROOM : ACCOUNT_DONE;
}

/* ---- What is under way ---- */

/* A record as it is kept: with the commodities that there are, and no more. A station keeps those
 * of all trades of the last half minute. */
struct kept {
    uint64_t number;
    aldis_ns valid_until_ns;
    int64_t credits, fuel;
    uint32_t peer_account;
    uint16_t reason;
    bool settled, refused;
    int32_t goods[];
};

static size_t kept_bytes(const struct account *account)
{
    size_t bytes = sizeof(struct kept) + account->shape->kinds * sizeof(int32_t);
    return (bytes + 7) / 8 * 8;
}

static struct kept *kept_at(const struct account *account, uint32_t place)
{
    return (struct kept *)(void *)(account->dealings->records + place * kept_bytes(account));
}

static struct record unpack(const struct account *account, const struct kept *kept)
{
    struct record record = {.number = kept->number,
                            .peer_account = kept->peer_account,
                            .settled = kept->settled,
                            .refused = kept->refused,
                            .reason = kept->reason,
                            .valid_until_ns = kept->valid_until_ns,
                            .terms = {.credits = kept->credits, .fuel = kept->fuel}};
    memcpy(record.terms.goods, kept->goods, account->shape->kinds * sizeof kept->goods[0]);
    return record;
}

/* After the last one: there is room for it. refused: nothing has changed hands. */
static void keep(struct account *account, const struct record *record, bool refused)
{
    struct kept *kept = kept_at(account, account->dealings->count++);
    memset(kept, 0, kept_bytes(account));
    kept->number = record->number;
    kept->valid_until_ns = record->valid_until_ns;
    kept->peer_account = record->peer_account;
    kept->reason = (uint16_t)record->reason;
    kept->settled = kept->refused = refused;
    if (refused)
        return;
    kept->credits = record->terms.credits;
    kept->fuel = record->terms.fuel;
    memcpy(kept->goods, record->terms.goods, account->shape->kinds * sizeof kept->goods[0]);
}

/* Room for so many records. false: no memory, and nothing has changed. */
static bool resize_dealings(struct account *account, uint32_t capacity)
{
    struct dealings *dealings = account->dealings;
    size_t bytes = sizeof *dealings + capacity * kept_bytes(account);
    struct dealings *resized = realloc(dealings, bytes);
    if (!resized)
        return false;
    if (!dealings)
        *resized = (struct dealings){.pending = NULL};
    resized->capacity = capacity;
    account->dealings = resized;
    return true;
}

/* Nothing is, any more? */
static void drop_dealings(struct account *account)
{
    const struct dealings *dealings = account->dealings;
    if (!dealings || dealings->pending || dealings->count > 0)
        return;
    free(account->dealings);
    account->dealings = NULL;
}

/* NULL: no memory, or it has begun more trades than it can count. */
static struct pending *open_pending(struct account *account)
{
    if (account->numbers == UINT32_MAX || (!account->dealings && !resize_dealings(account, 0)))
        return NULL;
    struct pending *pending = calloc(1, sizeof *pending);
    account->dealings->pending = pending;
    drop_dealings(account); /* there was no memory */
    return pending;
}

/* ---- Both sides of a trade ---- */

enum account_verdict account_hold(struct account *account, const struct terms *most, aldis_id peer,
                                  uint32_t peer_account, aldis_ns valid_until_ns)
{
    if (account_is_open(account))
        return ACCOUNT_BUSY;
    enum account_verdict verdict = can_do(account, most, 1);
    if (verdict != ACCOUNT_DONE)
        return verdict;
    struct pending *pending = open_pending(account);
    if (!pending)
        return ACCOUNT_BUSY;
    pending->number = ++account->numbers;
    pending->peer = peer;
    pending->peer_account = peer_account;
    pending->room = (uint32_t)tonnes_to_get(account, most, 1);
    pending->fuel_room = given(-most->fuel);
    pending->valid_until_ns = valid_until_ns;
    pending->held.credits = given(most->credits);
    pending->held.fuel = given(most->fuel);
    account->credits -= pending->held.credits;
    account->fuel -= pending->held.fuel;
    account->used += pending->room;
    for (uint32_t i = 0; i < account->shape->kinds; i++) {
        pending->held.goods[i] = (int32_t)given(most->goods[i]);
        account_goods(account)[i] -= (uint32_t)pending->held.goods[i];
    }
    return ACCOUNT_DONE;
}

/* The responder may give less than was asked for, and never takes more than was held. */
static bool is_covered(const struct account *account, const struct terms *terms)
{
    const struct pending *pending = account_pending(account);
    bool covered = given(terms->credits) <= pending->held.credits &&
                   given(terms->fuel) <= pending->held.fuel &&
                   given(-terms->fuel) <= pending->fuel_room &&
                   tonnes_to_get(account, terms, 1) <= pending->room;
    for (uint32_t i = 0; covered && i < SCENARIO_COMMODITIES_MAX; i++)
        covered =
            given(terms->goods[i]) <= (i < account->shape->kinds ? pending->held.goods[i] : 0) &&
            (i < account->shape->kinds || terms->goods[i] == 0);
    return covered;
}

bool account_settle(struct account *account, uint64_t number, const struct terms *terms)
{
    static const struct terms nothing;
    struct pending *pending = account_pending(account);
    if (!pending || pending->number != number)
        return false;
    if (!terms)
        terms = &nothing;
    if (!is_covered(account, terms))
        return false;
    account->credits += pending->held.credits - terms->credits;
    account->fuel += pending->held.fuel - terms->fuel;
    account->used -= pending->room;
    for (uint32_t i = 0; i < account->shape->kinds; i++) {
        account_goods(account)[i] += (uint32_t)(pending->held.goods[i] - terms->goods[i]);
        account->used -= (uint32_t)terms->goods[i];
    }
    free(pending);
    account->dealings->pending = NULL;
    drop_dealings(account);
    return true;
}

static struct kept *find(const struct account *account, uint32_t peer_account, uint64_t number)
{
    for (uint32_t i = 0; account->dealings && i < account->dealings->count; i++) {
        struct kept *kept = kept_at(account, i);
        if (kept->number == number && kept->peer_account == peer_account)
            return kept;
    }
    return NULL;
}

bool account_find(const struct account *account, uint32_t peer_account, uint64_t number,
                  struct record *out)
{
    const struct kept *kept = find(account, peer_account, number);
    if (kept)
        *out = unpack(account, kept);
    return kept != NULL;
}

static void forget(struct account *account, aldis_ns now_ns)
{
    struct dealings *dealings = account->dealings;
    uint32_t kept = 0;
    if (!dealings)
        return;
    for (uint32_t i = 0; i < dealings->count; i++) {
        const struct kept *record = kept_at(account, i);
        if (!record->settled || record->valid_until_ns >= now_ns)
            memmove(kept_at(account, kept++), record, kept_bytes(account));
    }
    dealings->count = kept;
    drop_dealings(account);
}

/* Room for one more record. */
static bool make_room(struct account *account, aldis_ns now_ns)
{
    if (account->dealings && account->dealings->count == account->dealings->capacity)
        forget(account, now_ns);
    const struct dealings *dealings = account->dealings;
    if (!dealings)
        return resize_dealings(account, 1);
    if (dealings->count < dealings->capacity)
        return true;
    uint32_t more = dealings->capacity > 0 ? 2 * dealings->capacity : 1;
    return more <= ACCOUNT_RECORDS_MAX && resize_dealings(account, more);
}

enum account_verdict account_take(struct account *account, const struct record *trade,
                                  aldis_ns now_ns)
{
    if (now_ns > trade->valid_until_ns)
        return ACCOUNT_EXPIRED;
    enum account_verdict verdict = can_do(account, &trade->terms, -1);
    if (verdict != ACCOUNT_DONE)
        return verdict;
    if (!make_room(account, now_ns))
        return ACCOUNT_BUSY;
    keep(account, trade, false);
    account->credits += trade->terms.credits;
    account->fuel += trade->terms.fuel;
    for (uint32_t i = 0; i < account->shape->kinds; i++) {
        account_goods(account)[i] += (uint32_t)trade->terms.goods[i];
        account->used += (uint32_t)trade->terms.goods[i];
    }
    return ACCOUNT_DONE;
}

bool account_refuse(struct account *account, const struct record *trade, aldis_ns now_ns)
{
    if (now_ns > trade->valid_until_ns)
        return true; /* so is every copy that comes later */
    if (!make_room(account, now_ns))
        return false;
    keep(account, trade, true);
    return true;
}

Refusal account_refusal(enum account_verdict verdict)
{
    static const Refusal refusals[] = {
        [ACCOUNT_DONE] = REFUSAL_NONE,         [ACCOUNT_NO_ROOM] = REFUSAL_NO_ROOM,
        [ACCOUNT_NO_MONEY] = REFUSAL_NO_MONEY, [ACCOUNT_NO_STOCK] = REFUSAL_NO_STOCK,
        [ACCOUNT_EXPIRED] = REFUSAL_EXPIRED,   [ACCOUNT_BUSY] = REFUSAL_BUSY};
    return refusals[verdict];
}

void account_answer(const struct record *decided, TradeAnswer *out)
{
    memset(out, 0, sizeof *out);
    out->number = decided->number;
    out->accepted = !decided->refused;
    out->reason = (Refusal)decided->reason;
    out->credits = decided->terms.credits;
    out->fuel = decided->terms.fuel;
    memcpy(out->goods, decided->terms.goods, sizeof out->goods);
}

struct terms account_answer_terms(const TradeAnswer *answer)
{
    struct terms terms = {.credits = answer->credits, .fuel = answer->fuel};
    memcpy(terms.goods, answer->goods, sizeof terms.goods);
    return terms;
}

void account_settled(struct account *account, uint32_t peer_account, uint64_t number,
                     aldis_ns now_ns)
{
    struct kept *kept = find(account, peer_account, number);
    if (kept)
        kept->settled = true;
    forget(account, now_ns);
}

int64_t account_burn(struct account *account, int64_t nano)
{
    if (nano > account->fuel)
        nano = account->fuel;
    account->fuel -= nano;
    account->burnt += nano;
    return nano;
}

void account_fini(struct account *account)
{
    free(account_pending(account));
    free(account->dealings);
    account->dealings = NULL;
}

/* ---- All of them ---- */

static void add(struct totals *totals, const struct account *account)
{
    totals->credits += account->credits;
    totals->fuel += account->fuel + account->burnt;
    for (uint32_t i = 0; i < account->shape->kinds; i++)
        totals->goods[i] += account_goods(account)[i];
}

/* What is held, less what the responder has already booked: of a trade that it has taken both its
 * halves are on its side, and none on the initiator's. */
static void add_pending(struct totals *totals, const struct pending *pending,
                        const struct record *taken)
{
    static const struct terms nothing;
    const struct terms *terms = taken && !taken->refused ? &taken->terms : &nothing;
    totals->credits += pending->held.credits - terms->credits;
    totals->fuel += pending->held.fuel - terms->fuel;
    for (uint32_t i = 0; i < SCENARIO_COMMODITIES_MAX; i++)
        totals->goods[i] += pending->held.goods[i] - terms->goods[i];
}

const char *account_fault(const struct account *account)
{
    const struct pending *pending = account_pending(account);
    int64_t stored = pending ? pending->room : 0;
    for (uint32_t i = 0; i < account->shape->kinds; i++)
        stored += (int64_t)account_goods(account)[i] + (pending ? pending->held.goods[i] : 0);
    if (account->credits < 0)
        return "a purse below zero";
    if (account->fuel < 0 || (account->shape->tank > 0 && account_fuel_room(account) < 0))
        return "a tank below zero, or too full";
    /* One without a hold is full for ever. */
    if (account->shape->capacity > 1 &&
        (stored != account->used || account->used > account->shape->capacity))
        return "a hold with other room than its goods leave";
    return NULL;
}

struct totals account_totals(const void *books, account_at at, uint32_t count)
{
    struct totals totals = {0};
    for (uint32_t i = 0; i < count; i++) {
        const struct account *account = at(books, i);
        add(&totals, account);
        const struct pending *pending = account_pending(account);
        if (!pending)
            continue;
        struct record taken;
        bool found = pending->peer_account < count &&
                     account_find(at(books, pending->peer_account), i, pending->number, &taken);
        add_pending(&totals, pending, found ? &taken : NULL);
    }
    return totals;
}
