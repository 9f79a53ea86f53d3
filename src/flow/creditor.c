// SPDX-License-Identifier: Apache-2.0
/* creditor.c: the accounts of a receiver, and their numbers. Layer: flow. See
 * creditor.h. */
#include "flow/creditor.h"

#include "base/hash.h"
#include <stdlib.h>

enum { RANGE_WINDOWS = 4, RANGE_MIN = 64, SLOTS_FIRST = 8 };

/* ------------------------------------------------------------------ slots */

static bool grow(struct aldis__creditor *creditor)
{
    uint32_t capacity = creditor->slot_capacity ? 2 * creditor->slot_capacity : SLOTS_FIRST;
    struct aldis__account **accounts =
        realloc(creditor->accounts, capacity * sizeof(struct aldis__account *));
    if (!accounts)
        return false;
    creditor->accounts = accounts;
    uint32_t *free_slots = realloc(creditor->free_slots, capacity * sizeof *free_slots);
    if (!free_slots)
        return false;
    creditor->free_slots = free_slots;
    creditor->slot_capacity = capacity;
    return true;
}

aldis_err aldis__account_open(struct aldis__creditor *creditor, aldis_id sender, uint32_t serial,
                              struct aldis__account **out_account)
{
    if (creditor->open + creditor->closing >= creditor->terms.streams_max)
        return ALDIS_EFULL;
    uint32_t window = creditor->terms.window, range = RANGE_MIN;
    while (range < RANGE_WINDOWS * window)
        range *= 2;
    if ((!creditor->free_count && creditor->slot_count == creditor->slot_capacity &&
         !grow(creditor)) ||
        !aldis__table_reserve(&creditor->table))
        return ALDIS_ENOMEM;
    struct aldis__account *account = calloc(1, sizeof *account + range / 8);
    if (!account)
        return ALDIS_ENOMEM;
    account->sender = sender;
    account->serial = serial;
    account->slot = creditor->free_count ? creditor->free_slots[--creditor->free_count]
                                         : creditor->slot_count++;
    account->window = window;
    account->range = range;
    creditor->accounts[account->slot] = account;
    aldis__table_add(&creditor->table, &account->link, aldis__mix64(sender.bits));
    creditor->open++;
    aldis__creditor_reshare(creditor);
    *out_account = account;
    return ALDIS_OK;
}

void aldis__account_free(struct aldis__creditor *creditor, struct aldis__account *account)
{
    creditor->accounts[account->slot] = NULL;
    creditor->free_slots[creditor->free_count++] = account->slot;
    aldis__table_remove(&creditor->table, &account->link);
    free(account);
}

struct aldis__account *aldis__account_first(const struct aldis__creditor *creditor, aldis_id sender)
{
    struct aldis__link *link = aldis__table_first(&creditor->table, aldis__mix64(sender.bits));
    while (link && !aldis_id_equal(((struct aldis__account *)(void *)link)->sender, sender))
        link = aldis__table_next(link->next, link->hash);
    return (struct aldis__account *)(void *)link;
}

struct aldis__account *aldis__account_next(const struct aldis__account *account)
{
    struct aldis__link *link = aldis__table_next(account->link.next, account->link.hash);
    while (link &&
           !aldis_id_equal(((struct aldis__account *)(void *)link)->sender, account->sender))
        link = aldis__table_next(link->next, link->hash);
    return (struct aldis__account *)(void *)link;
}

/* ------------------------------------------------------------------ numbers */

static inline bool has_bit(const struct aldis__account *account, uint64_t number)
{
    uint64_t place = number & (account->range - 1);
    return account->bits[place / 64] >> (place % 64) & 1;
}

static inline void flip_bit(struct aldis__account *account, uint64_t number)
{
    uint64_t place = number & (account->range - 1);
    account->bits[place / 64] ^= UINT64_C(1) << (place % 64);
}

static void advance(struct aldis__account *account)
{
    while (account->base < account->top && has_bit(account, account->base + 1))
        flip_bit(account, ++account->base);
}

bool aldis__account_see(struct aldis__account *account, uint64_t number)
{
    if (number > account->promised)
        return false; /* of another account of the stream, which a late report has opened again */
    if (number == account->base + 1 && account->top == account->base) { /* in order */
        account->base = account->top = number;
        return true;
    }
    if (number <= account->base || number - account->base > account->range ||
        has_bit(account, number))
        return false;
    flip_bit(account, number);
    if (number > account->top)
        account->top = number;
    advance(account);
    return true;
}

uint64_t aldis__account_lose(struct aldis__account *account, uint64_t upto)
{
    uint64_t lost = 0;
    while (account->base < upto) {
        if (account->base < account->top && has_bit(account, account->base + 1))
            flip_bit(account, account->base + 1);
        else
            lost++;
        account->base++;
    }
    if (account->top < account->base)
        account->top = account->base;
    advance(account);
    return lost;
}
