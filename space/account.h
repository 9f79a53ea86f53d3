// SPDX-License-Identifier: Apache-2.0
/* account.h: what an actor owns, and how two of them exchange it so that nothing is created or
 * lost. Layer: space. Pure: no actor, no clock.
 *
 * Everything is a whole number: money in cents, goods in tonnes, fuel in nano (1e-9 of a unit). An
 * account is written by its own actor only; it lies outside the actor, so that a crash does not
 * take it, as on a disk.
 *
 * An exchange is decided in one place, by the responder:
 *
 *   initiator: account_hold     what it would give leaves its purse and hold, and is held
 *              -> offer         with a number of its own, and a time after which it is void
 *   responder: account_take     both halves of its side at once, and a record of it; or nothing
 *              -> answer        accepted (what changes hands) or refused
 *   initiator: account_settle   the same halves on its side; what was held beyond them comes back
 *              -> settled       the responder may forget the record
 *
 * An initiator that hears nothing asks again with the same number, and never gives up what it holds
 * before it has heard: a responder that has decided finds its record and answers the same; one that
 * has not decides now. What was refused is kept on record, too, or a copy could be taken after the
 * initiator has heard of the refusal. A record is kept until it is settled and void, so a late copy
 * of an offer meets either the record or its own end; a responder that has no room for one more
 * says nothing at all. So neither loss nor copies nor a crash between any two steps leaves one side
 * with both halves, or none. */
#ifndef SPACE_ACCOUNT_H
#define SPACE_ACCOUNT_H

#include "proto/space.pb.h"
#include "scenario.h"

#include <aldis/types.h>

#define ACCOUNT_RECORDS_MAX 1024

/** What changes hands: positive from the initiator to the responder, negative the other way. */
struct terms {
    int64_t credits; /**< cents */
    int64_t fuel;    /**< nano */
    int32_t goods[SCENARIO_COMMODITIES_MAX];
};

/** What was sent, to be sent again. */
struct offer {
    bool is_order;
    union {
        MarketOrder order;
        TradeOffer trade;
    };
};

/** An initiator's open trade. */
struct pending {
    uint64_t number;
    aldis_id peer;
    uint32_t peer_account;
    uint32_t room;     /**< tonnes of the hold kept free for it */
    int64_t fuel_room; /**< nano of the tank kept free for it */
    aldis_ns valid_until_ns;
    struct terms held; /**< none negative: what has left purse, tank and hold */
    struct offer offer;
};

/** What a responder has decided about the trade `number` of `peer`. */
struct record {
    uint64_t number;
    uint32_t peer_account; /**< accounts outlive ids: another actor may go on with a page */
    bool settled;          /**< the initiator has heard, or it was refused */
    bool refused;          /**< nothing was done; reason: why */
    uint32_t reason;
    aldis_ns valid_until_ns;
    struct terms terms;
};

/** What is under way with others. */
struct dealings {
    struct pending *pending;  /**< NULL: none is open */
    uint32_t count, capacity; /**< of records */
    char records[];           /**< first to last, each as large as it is: see account.c */
};

/** What is the same for all accounts of a kind, as of a fleet of a million. Constant. */
struct account_shape {
    int64_t tank;      /**< nano of fuel that one can hold */
    uint32_t capacity; /**< tonnes that it can hold; 0: no bound */
    uint32_t kinds;    /**< commodities: SCENARIO_COMMODITIES_MAX at most */
    uint32_t goods_at; /**< bytes from an account to its goods, in what both are part of */
};

/** Small, since each ship has one. Zero at first, but for its shape and what it owns. */
struct account {
    const struct account_shape *shape; /**< borrowed */
    int64_t credits, fuel;             /**< free: not held */
    int64_t burnt;                     /**< fuel that is gone, for the ledger */
    struct dealings *dealings;         /**< NULL: nothing is under way */
    uint32_t used;                     /**< tonnes: stored, kept free or held */
    uint32_t numbers;                  /**< trades begun */
};
_Static_assert(sizeof(struct account) == 48, "a part of a ship's page");

/** Its free goods: tonnes of each commodity. */
static inline uint32_t *account_goods(const struct account *account)
{
    uintptr_t at = (uintptr_t)account;
    return (uint32_t *)(at + account->shape->goods_at);
}

enum account_verdict {
    ACCOUNT_DONE = 0,
    ACCOUNT_NO_ROOM,
    ACCOUNT_NO_MONEY,
    ACCOUNT_NO_STOCK, /**< goods or fuel */
    ACCOUNT_EXPIRED,
    ACCOUNT_BUSY /**< too many are open, or no memory */
};

/** Tonnes that still fit. */
uint32_t account_room(const struct account *account);

/** Nano of fuel that still fit: what is held, and what may come of an open trade, has its place. */
int64_t account_fuel_room(const struct account *account);

/** The open trade, or NULL. */
static inline struct pending *account_pending(const struct account *account)
{
    return account->dealings ? account->dealings->pending : NULL;
}

/**
 * Begin a trade: hold what `most` says that the account would give, keep room for what it would
 * get. Its number is then that of account_pending().
 */
enum account_verdict account_hold(struct account *account, const struct terms *most, aldis_id peer,
                                  uint32_t peer_account, aldis_ns valid_until_ns);

/** Is one open? */
bool account_is_open(const struct account *account);

/** The answer to the open trade: terms, none beyond what was held; NULL: refused. false: it has
 *  another number, so it is about one that was settled before, or the terms are not covered. */
bool account_settle(struct account *account, uint64_t number, const struct terms *terms);

/** The record of a trade that this account has taken or refused. false: there is none. */
bool account_find(const struct account *account, uint32_t peer_account, uint64_t number,
                  struct record *out);

/** Take a trade: do this side of it and keep a record. Nothing changes unless ACCOUNT_DONE. */
enum account_verdict account_take(struct account *account, const struct record *trade,
                                  aldis_ns now_ns);

/** Put on record that a trade was refused, with its reason. false: there is no room for that, and
 *  the initiator is not to be answered, unless the offer is void by now. */
bool account_refuse(struct account *account, const struct record *trade, aldis_ns now_ns);

/** A verdict in the words of the schema. */
Refusal account_refusal(enum account_verdict verdict);

/** What the initiator is told of a decision; *out is written whole, with its padding. */
void account_answer(const struct record *decided, TradeAnswer *out);
/** What changes hands by such an answer. */
struct terms account_answer_terms(const TradeAnswer *answer);

/** The initiator has heard. Whatever is settled and void by now is forgotten. */
void account_settled(struct account *account, uint32_t peer_account, uint64_t number,
                     aldis_ns now_ns);

/** Burn up to nano of fuel. Returns what was burnt. */
int64_t account_burn(struct account *account, int64_t nano);

void account_fini(struct account *account);

/* ---- All of them ---- */

/** Totals; what is under way between two accounts is counted once. */
struct totals {
    int64_t credits;
    int64_t fuel; /**< with what was burnt */
    int64_t goods[SCENARIO_COMMODITIES_MAX];
};

/** Gives the account of a place in the books. */
typedef struct account *(*account_at)(const void *books, uint32_t index);

/** Is what it keeps for open trades, and the room that it has, as it should be? Else what is not.
 *  Static text; NULL: all is. */
const char *account_fault(const struct account *account);

/** Add up count accounts. The actors must be at rest: between two windows, or stopped. */
struct totals account_totals(const void *books, account_at at, uint32_t count);

#endif
