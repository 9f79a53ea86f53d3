// SPDX-License-Identifier: Apache-2.0
/* account.c: see account.h. */
#include "account.h"

#include <stdlib.h>
#include <string.h>

uint32_t account_room(const struct account *account)
{
    return account->capacity == 0 ? UINT32_MAX : account->capacity - account->used;
}

bool account_is_open(const struct account *account)
{
    return account->pending != NULL;
}

static int64_t given(int64_t amount)
{
    return amount > 0 ? amount : 0;
}

/* Tonnes that one side of the terms would get; sign 1: the initiator, -1: the responder. */
static uint64_t tonnes_to_get(const struct account *account, const struct terms *terms, int sign)
{
    uint64_t tonnes = 0;
    for (uint32_t i = 0; i < account->kinds; i++)
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
    if (given(-sign * terms->fuel) > account->tank - account->fuel)
        return ACCOUNT_NO_ROOM;
    for (uint32_t i = 0; i < SCENARIO_COMMODITIES_MAX; i++) {
        int64_t tonnes = given(sign * (int64_t)terms->goods[i]);
        if (tonnes > (i < account->kinds ? account->goods[i] : 0))
            return ACCOUNT_NO_STOCK;
    }
    uint64_t room = account_room(account);
    return tonnes_to_get(account, terms, sign) > room ? ACCOUNT_NO_ROOM : ACCOUNT_DONE;
}

enum account_verdict account_hold(struct account *account, const struct terms *most, aldis_id peer,
                                  uint32_t peer_account, aldis_ns valid_until_ns)
{
    if (account_is_open(account))
        return ACCOUNT_BUSY;
    enum account_verdict verdict = can_do(account, most, 1);
    if (verdict != ACCOUNT_DONE)
        return verdict;
    struct pending *pending = calloc(1, sizeof *pending);
    if (!pending)
        return ACCOUNT_BUSY;
    account->pending = pending;
    pending->number = ++account->numbers;
    pending->peer = peer;
    pending->peer_account = peer_account;
    pending->room = (uint32_t)tonnes_to_get(account, most, 1);
    pending->valid_until_ns = valid_until_ns;
    pending->held.credits = given(most->credits);
    pending->held.fuel = given(most->fuel);
    account->credits -= pending->held.credits;
    account->fuel -= pending->held.fuel;
    account->used += pending->room;
    for (uint32_t i = 0; i < account->kinds; i++) {
        pending->held.goods[i] = (int32_t)given(most->goods[i]);
        account->goods[i] -= (uint32_t)pending->held.goods[i];
    }
    return ACCOUNT_DONE;
}

/* The responder may give less than was asked for, and never takes more than was held. */
static bool is_covered(const struct account *account, const struct terms *terms)
{
    const struct pending *pending = account->pending;
    bool covered = given(terms->credits) <= pending->held.credits &&
                   given(terms->fuel) <= pending->held.fuel &&
                   tonnes_to_get(account, terms, 1) <= pending->room;
    for (uint32_t i = 0; covered && i < SCENARIO_COMMODITIES_MAX; i++)
        covered = given(terms->goods[i]) <= (i < account->kinds ? pending->held.goods[i] : 0) &&
                  (i < account->kinds || terms->goods[i] == 0);
    return covered;
}

bool account_settle(struct account *account, uint64_t number, const struct terms *terms)
{
    static const struct terms nothing;
    struct pending *pending = account->pending;
    if (!account_is_open(account) || pending->number != number)
        return false;
    if (!terms)
        terms = &nothing;
    if (!is_covered(account, terms))
        return false;
    account->credits += pending->held.credits - terms->credits;
    account->fuel += pending->held.fuel - terms->fuel;
    account->used -= pending->room;
    for (uint32_t i = 0; i < account->kinds; i++) {
        account->goods[i] += (uint32_t)(pending->held.goods[i] - terms->goods[i]);
        account->used -= (uint32_t)terms->goods[i];
    }
    free(pending);
    account->pending = NULL;
    return true;
}

static uint32_t find(const struct account *account, uint32_t peer_account, uint64_t number)
{
    uint32_t i = 0;
    while (i < account->record_count && (account->records[i].number != number ||
                                         account->records[i].peer_account != peer_account))
        i++;
    return i;
}

const struct record *account_find(const struct account *account, uint32_t peer_account,
                                  uint64_t number)
{
    uint32_t i = find(account, peer_account, number);
    return i < account->record_count ? &account->records[i] : NULL;
}

static void forget(struct account *account, aldis_ns now_ns)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < account->record_count; i++) {
        const struct record *record = &account->records[i];
        if (!record->settled || record->valid_until_ns >= now_ns)
            account->records[kept++] = *record;
    }
    account->record_count = kept;
}

/* Room for one more record: the array grows by doubling, as long as it holds a power of two. */
static bool make_room(struct account *account, aldis_ns now_ns)
{
    uint32_t count = account->record_count;
    if (count > 0 && (count & (count - 1)) == 0)
        forget(account, now_ns);
    count = account->record_count;
    if (count >= ACCOUNT_RECORDS_MAX)
        return false;
    if (count == 0 ? account->records != NULL : (count & (count - 1)) != 0)
        return true;
    uint32_t capacity = count == 0 ? 1 : 2 * count;
    struct record *records = realloc(account->records, capacity * sizeof *records);
    if (!records)
        return false;
    account->records = records;
    return true;
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
    struct record *record = &account->records[account->record_count++];
    *record = *trade;
    record->settled = record->refused = false;
    account->credits += trade->terms.credits;
    account->fuel += trade->terms.fuel;
    for (uint32_t i = 0; i < account->kinds; i++) {
        account->goods[i] += (uint32_t)trade->terms.goods[i];
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
    struct record *record = &account->records[account->record_count++];
    *record = *trade;
    record->terms = (struct terms){0};
    record->refused = record->settled = true;
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
    uint32_t i = find(account, peer_account, number);
    if (i < account->record_count)
        account->records[i].settled = true;
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
    free(account->pending);
    free(account->records);
    account->pending = NULL;
    account->records = NULL;
    account->record_count = 0;
}

/* ---- All of them ---- */

static void add(struct totals *totals, const struct account *account)
{
    totals->credits += account->credits;
    totals->fuel += account->fuel + account->burnt;
    for (uint32_t i = 0; i < account->kinds; i++)
        totals->goods[i] += account->goods[i];
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

struct totals account_totals(const void *books, account_at at, uint32_t count)
{
    struct totals totals = {0};
    for (uint32_t i = 0; i < count; i++) {
        const struct account *account = at(books, i);
        add(&totals, account);
        if (!account_is_open(account))
            continue;
        const struct pending *pending = account->pending;
        const struct record *taken = NULL;
        if (pending->peer_account < count)
            taken = account_find(at(books, pending->peer_account), i, pending->number);
        add_pending(&totals, pending, taken);
    }
    return totals;
}
