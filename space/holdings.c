// SPDX-License-Identifier: Apache-2.0
/* holdings.c: see holdings.h. */
#include "holdings.h"

#include "chronicle.h"

#include <stdlib.h>

struct holdings {
    uint32_t accounts, unused;
    int64_t amounts[]; /* of each account: credits, fuel, and its goods */
};

static uint32_t things(const struct books *books)
{
    return 2 + books->kinds;
}

/* Of one account, one of its things. */
static int64_t amount_of(const struct books *books, uint32_t index, uint32_t thing)
{
    static const struct terms nothing;
    const struct account *account = books_account(books, index);
    const struct pending *pending = account_pending(account);
    const struct terms *held = pending ? &pending->held : &nothing;
    if (thing == 0)
        return account->credits + held->credits;
    if (thing == 1)
        return account->fuel + account->burnt + held->fuel;
    uint32_t good = thing - 2;
    int64_t amount = (int64_t)account_goods(account)[good] + held->goods[good];
    if (index >= books->station_count)
        return amount;
    const struct station_page *page = &books->stations[index];
    return amount + (int64_t)page->used[good] - (int64_t)page->made[good];
}

struct holdings *holdings_create(const struct books *books)
{
    uint32_t accounts = books_accounts(books);
    size_t count = (size_t)accounts * things(books);
    struct holdings *holdings = calloc(1, sizeof *holdings + count * sizeof holdings->amounts[0]);
    if (holdings)
        holdings->accounts = accounts;
    return holdings;
}

void holdings_destroy(struct holdings *holdings)
{
    free(holdings);
}

void holdings_note(struct holdings *holdings, const struct books *books)
{
    int64_t *amount = holdings->amounts;
    for (uint32_t i = 0; i < holdings->accounts; i++)
        for (uint32_t thing = 0; thing < things(books); thing++)
            *amount++ = amount_of(books, i, thing);
}

bool holdings_have_changed(const struct holdings *holdings, const struct books *books,
                           uint32_t account)
{
    const int64_t *amount = &holdings->amounts[(size_t)account * things(books)];
    for (uint32_t thing = 0; thing < things(books); thing++)
        if (amount_of(books, account, thing) != amount[thing])
            return true;
    return false;
}

static const char *thing_name(const struct scenario *scenario, uint32_t thing)
{
    if (thing == 0)
        return "cents";
    return thing == 1 ? "fuel" : scenario->market.commodities.items[thing - 2].name;
}

void holdings_print_changes(const struct holdings *holdings, const struct books *books,
                            const struct scenario *scenario, aldis_ns now_ns, uint32_t lines,
                            FILE *out)
{
    const int64_t *amount = holdings->amounts;
    for (uint32_t i = 0; i < holdings->accounts; i++) {
        for (uint32_t thing = 0; thing < things(books); thing++) {
            int64_t change = amount_of(books, i, thing) - *amount++;
            if (change == 0 || lines == 0)
                continue;
            lines--;
            chronicle_print_change(scenario, now_ns, i, thing_name(scenario, thing), change, out);
        }
    }
}
