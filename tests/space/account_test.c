// SPDX-License-Identifier: Apache-2.0
/* account_test.c: exchanges between two accounts, with messages that are lost, copied and late, and
 * sides that forget what they were about: nothing is created or lost, and in the end both have
 * settled or neither. */
#include "account.h"
#include "chance.h"
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#define KINDS 3
#define SEEDS 400
#define MAIL_MAX 64

struct book {
    struct seat {
        struct account account;
        uint32_t goods[KINDS];
    } seats[2];
};

static const struct account_shape shape = {
    .tank = 2000, .capacity = 500, .kinds = KINDS, .goods_at = offsetof(struct seat, goods)};

static struct account *at(const void *book, uint32_t index)
{
    return (struct account *)(uintptr_t) & ((const struct book *)book)->seats[index].account;
}

static void open_book(struct book *book)
{
    *book = (struct book){.seats = {{.goods = {100, 50, 0}}, {.goods = {10, 0, 400}}}};
    for (uint32_t i = 0; i < 2; i++)
        book->seats[i].account = (struct account){
            .shape = &shape, .credits = 50000, .fuel = 1000, .used = i == 0 ? 150 : 410};
}

static void close_book(struct book *book)
{
    account_fini(&book->seats[0].account);
    account_fini(&book->seats[1].account);
}

static void check_totals(const struct book *book, const struct totals *start, uint64_t seed)
{
    struct totals now = account_totals(book, at, 2);
    if (memcmp(&now, start, sizeof now) != 0)
        test_fail(__FILE__, __LINE__,
                  "seed %" PRIu64 ": credits %" PRId64 ", fuel %" PRId64 ", goods %" PRId64
                  " %" PRId64 " %" PRId64 "; at the start %" PRId64 ", %" PRId64 ", %" PRId64
                  " %" PRId64 " %" PRId64,
                  seed, now.credits, now.fuel, now.goods[0], now.goods[1], now.goods[2],
                  start->credits, start->fuel, start->goods[0], start->goods[1], start->goods[2]);
}

static const aldis_id responder_id = {8};

static struct record trade_of(uint64_t number, struct terms terms)
{
    return (struct record){
        .number = number, .peer_account = 0, .valid_until_ns = 100, .terms = terms};
}

TEST(an_exchange_moves_both_halves)
{
    struct book book;
    open_book(&book);
    struct totals start = account_totals(&book, at, 2);
    struct terms terms = {.credits = 3000, .fuel = -200, .goods = {20, 0, -100}};
    CHECK_INT(account_hold(&book.seats[0].account, &terms, responder_id, 1, 100), ACCOUNT_DONE);
    CHECK_INT(book.seats[0].account.credits, 47000);
    CHECK_UINT(book.seats[0].goods[0], 80);
    check_totals(&book, &start, 0);
    struct record trade = trade_of(book.seats[0].account.dealings->pending->number, terms);
    CHECK_INT(account_take(&book.seats[1].account, &trade, 50), ACCOUNT_DONE);
    check_totals(&book, &start, 0);
    CHECK(account_settle(&book.seats[0].account, trade.number, &terms));
    check_totals(&book, &start, 0);
    CHECK(!account_is_open(&book.seats[0].account));
    CHECK_INT(book.seats[0].account.fuel, 1200);
    CHECK_INT(book.seats[1].account.fuel, 800);
    CHECK_INT(book.seats[1].account.credits, 53000);
    CHECK_UINT(book.seats[0].goods[2], 100);
    CHECK_UINT(book.seats[1].goods[0], 30);
    CHECK_UINT(account_room(&book.seats[0].account), 500 - 150 + 20 - 100);
    close_book(&book);
}

TEST(what_is_not_there_is_refused_by_name_and_nothing_changes)
{
    static const struct {
        struct terms terms;
        enum account_verdict initiator, responder;
    } cases[] = {
        {{.credits = 50001}, ACCOUNT_NO_MONEY, ACCOUNT_DONE},
        {{.credits = -50001}, ACCOUNT_DONE, ACCOUNT_NO_MONEY},
        {{.goods = {101}}, ACCOUNT_NO_STOCK, ACCOUNT_NO_ROOM},
        {{.goods = {-11}}, ACCOUNT_DONE, ACCOUNT_NO_STOCK},
        {{.goods = {0, 0, -351}}, ACCOUNT_NO_ROOM, ACCOUNT_DONE},
        {{.goods = {91}}, ACCOUNT_DONE, ACCOUNT_NO_ROOM},
        {{.fuel = 1001}, ACCOUNT_NO_STOCK, ACCOUNT_NO_ROOM},
        {{.fuel = -1001}, ACCOUNT_NO_ROOM, ACCOUNT_NO_STOCK},
        {{.goods = {[15] = 1}}, ACCOUNT_NO_STOCK, ACCOUNT_NO_STOCK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct book book;
        open_book(&book);
        struct record trade = trade_of(1, cases[i].terms);
        CHECK_INT(account_take(&book.seats[1].account, &trade, 0), cases[i].responder);
        CHECK_INT(account_hold(&book.seats[0].account, &cases[i].terms, responder_id, 1, 100),
                  cases[i].initiator);
        CHECK_UINT(account_is_open(&book.seats[0].account), cases[i].initiator == ACCOUNT_DONE);
        close_book(&book);
    }
}

/* Of records of several sizes, in and after the room that grows for them. */
TEST(a_record_is_kept_as_it_was_taken)
{
    struct book book;
    open_book(&book);
    struct account *account = &book.seats[1].account;
    for (uint32_t i = 1; i <= 9; i++) {
        struct record trade = trade_of(
            i, (struct terms){.credits = (int32_t)i, .fuel = -(int32_t)i, .goods = {1, 0, -2}});
        trade.peer_account = i % 2;
        CHECK_INT(account_take(account, &trade, 0), ACCOUNT_DONE);
    }
    for (uint32_t i = 1; i <= 9; i++) {
        struct record found;
        CHECK(!account_find(account, 1 - i % 2, i, &found));
        CHECK(account_find(account, i % 2, i, &found));
        CHECK(!found.refused && !found.settled);
        CHECK_INT(found.valid_until_ns, 100);
        CHECK_INT(found.terms.credits, i);
        CHECK_INT(found.terms.fuel, -(int64_t)i);
        CHECK(found.terms.goods[0] == 1 && found.terms.goods[1] == 0 &&
              found.terms.goods[2] == -2 && found.terms.goods[3] == 0);
        account_settled(account, i % 2, i, i < 5 ? 100 : 101); /* not void yet: it stays */
        CHECK_INT(account_find(account, i % 2, i, &found), i < 5);
    }
    close_book(&book);
}

TEST(an_offer_is_void_after_its_time_and_a_second_one_has_to_wait)
{
    struct book book;
    open_book(&book);
    struct record late = trade_of(1, (struct terms){.credits = 1});
    CHECK_INT(account_take(&book.seats[1].account, &late, 101), ACCOUNT_EXPIRED);
    CHECK_INT(account_take(&book.seats[1].account, &late, 100), ACCOUNT_DONE);
    CHECK_INT(account_hold(&book.seats[0].account, &late.terms, responder_id, 1, 100),
              ACCOUNT_DONE);
    CHECK_INT(account_hold(&book.seats[0].account, &late.terms, responder_id, 1, 100),
              ACCOUNT_BUSY);
    close_book(&book);
}

/* Fuel that is ordered has its place in the tank, whatever else comes meanwhile. */
TEST(a_tank_is_never_filled_twice)
{
    struct book book;
    open_book(&book);
    struct account *ship = &book.seats[0].account; /* 1000 of 2000 */
    const struct terms order = {.fuel = -600}, gift = {.fuel = 600}, small = {.fuel = 400};
    CHECK_INT(account_hold(ship, &order, responder_id, 1, 100), ACCOUNT_DONE);
    CHECK_INT(account_fuel_room(ship), 400);
    CHECK_INT(
        account_take(
            ship,
            &(struct record){.number = 1, .peer_account = 1, .valid_until_ns = 100, .terms = gift},
            0),
        ACCOUNT_NO_ROOM);
    CHECK_INT(
        account_take(
            ship,
            &(struct record){.number = 2, .peer_account = 1, .valid_until_ns = 100, .terms = small},
            0),
        ACCOUNT_DONE);
    CHECK(!account_settle(ship, 1, &(struct terms){.fuel = -601}));
    CHECK(account_settle(ship, 1, &order));
    CHECK_INT(ship->fuel, 2000);
    CHECK_INT(account_fuel_room(ship), 0);
    close_book(&book);
}

TEST(an_answer_on_other_terms_or_to_another_trade_is_refused)
{
    struct book book;
    open_book(&book);
    struct terms terms = {.credits = 100, .goods = {-5}}, more = {.credits = 101, .goods = {-5}};
    struct terms other = {.credits = 100, .goods = {-6}}, less = {.credits = 90, .goods = {-5}};
    CHECK_INT(account_hold(&book.seats[0].account, &terms, responder_id, 1, 100), ACCOUNT_DONE);
    uint64_t number = book.seats[0].account.dealings->pending->number;
    CHECK(!account_settle(&book.seats[0].account, number + 1, &terms));
    CHECK(!account_settle(&book.seats[0].account, number, &more));
    CHECK(!account_settle(&book.seats[0].account, number, &other));
    CHECK(account_settle(&book.seats[0].account, number, &less));
    CHECK(!account_settle(&book.seats[0].account, number, &less)); /* once */
    CHECK_INT(book.seats[0].account.credits, 50000 - 90);
    close_book(&book);
}

TEST(records_are_bounded_and_forgotten_when_settled_and_void)
{
    struct book book;
    open_book(&book);
    for (uint64_t i = 1; i <= ACCOUNT_RECORDS_MAX; i++) {
        struct record trade = trade_of(i, (struct terms){.credits = 1});
        CHECK_INT(account_take(&book.seats[1].account, &trade, 0), ACCOUNT_DONE);
    }
    struct record more = trade_of(ACCOUNT_RECORDS_MAX + 1, (struct terms){.credits = 1});
    CHECK_INT(account_take(&book.seats[1].account, &more, 0), ACCOUNT_BUSY);
    for (uint64_t i = 1; i <= ACCOUNT_RECORDS_MAX; i++)
        account_settled(&book.seats[1].account, 0, i, 50);
    CHECK_UINT(book.seats[1].account.dealings->count,
               ACCOUNT_RECORDS_MAX); /* a late copy may come */
    account_settled(&book.seats[1].account, 0, 1, 101);
    CHECK(book.seats[1].account.dealings == NULL);
    close_book(&book);
}

/* A copy of an offer that was refused must not be taken: the initiator may have heard by then. */
TEST(what_was_refused_stays_refused)
{
    struct book book;
    open_book(&book);
    struct record trade = trade_of(1, (struct terms){.goods = {0, 0, -401}});
    CHECK_INT(account_take(&book.seats[1].account, &trade, 0), ACCOUNT_NO_STOCK);
    CHECK(account_refuse(&book.seats[1].account, &trade, 0));
    book.seats[1].goods[2] += 10; /* now it has enough */
    struct record found;
    CHECK(account_find(&book.seats[1].account, 0, 1, &found));
    CHECK(found.refused);
    account_settled(&book.seats[1].account, 0, 0, 100);
    CHECK(account_find(&book.seats[1].account, 0, 1, &found));
    account_settled(&book.seats[1].account, 0, 0, 101);
    CHECK(!account_find(&book.seats[1].account, 0, 1, &found));
    CHECK_INT(account_take(&book.seats[1].account, &trade, 101), ACCOUNT_EXPIRED);
    CHECK(account_refuse(&book.seats[1].account, &trade, 101));
    CHECK(book.seats[1].account.dealings == NULL);
    close_book(&book);
}

/* ---- Two sides and a bad line between them ---- */

enum letter_kind { LETTER_OFFER, LETTER_ACCEPTED, LETTER_REFUSED, LETTER_SETTLED };

struct letter {
    enum letter_kind kind;
    uint64_t number;
    aldis_ns valid_until_ns;
    struct terms terms;
};

struct line {
    struct letter letters[MAIL_MAX]; /* under way, in no order */
    uint32_t count;
    struct chance chance;
    bool broken; /* loses and copies */
};

static void post(struct line *line, struct letter letter)
{
    uint64_t copies = line->broken ? chance_below(&line->chance, 4) : 1; /* 0: lost */
    for (uint64_t i = 0; i < copies && line->count < MAIL_MAX; i++)
        line->letters[line->count++] = letter;
}

static void hear_offer(struct book *book, struct line *line, const struct letter *letter,
                       aldis_ns now_ns)
{
    struct account *account = &book->seats[1].account;
    struct record done;
    struct letter answer = {.kind = LETTER_ACCEPTED, .number = letter->number};
    if (account_find(account, 0, letter->number, &done)) {
        answer.terms = done.terms;
        answer.kind = done.refused ? LETTER_REFUSED : LETTER_ACCEPTED;
        post(line, answer);
        return;
    }
    struct record trade = {
        .number = letter->number, .valid_until_ns = letter->valid_until_ns, .terms = letter->terms};
    answer.terms = letter->terms;
    if (account_take(account, &trade, now_ns) != ACCOUNT_DONE) {
        answer.kind = LETTER_REFUSED;
        if (!account_refuse(account, &trade, now_ns))
            return;
    }
    post(line, answer);
}

static void hear(struct book *book, struct line *line, const struct letter *letter, aldis_ns now_ns)
{
    struct account *initiator = &book->seats[0].account;
    switch (letter->kind) {
    case LETTER_OFFER:
        hear_offer(book, line, letter, now_ns);
        break;
    case LETTER_ACCEPTED:
        (void)account_settle(initiator, letter->number, &letter->terms);
        post(line, (struct letter){.kind = LETTER_SETTLED, .number = letter->number});
        break;
    case LETTER_REFUSED:
        (void)account_settle(initiator, letter->number, NULL);
        break;
    case LETTER_SETTLED:
        account_settled(&book->seats[1].account, 0, letter->number, now_ns);
        break;
    }
}

static int32_t random_tonnes(struct chance *chance)
{
    return (int32_t)chance_below(chance, 61) - 30;
}

/* The initiator offers, or asks again for what is open: all that a side may do at any moment, and
 * all that it does after a crash. */
static void offer_or_ask(struct book *book, struct line *line, aldis_ns now_ns)
{
    struct account *account = &book->seats[0].account;
    static struct terms open_terms; /* as the sender's copy of what it has sent */
    if (!account_is_open(account)) {
        open_terms = (struct terms){.credits = (int64_t)chance_below(&line->chance, 4000) - 2000,
                                    .fuel = (int64_t)chance_below(&line->chance, 200) - 100};
        for (uint32_t i = 0; i < KINDS; i++)
            open_terms.goods[i] = random_tonnes(&line->chance);
        if (account_hold(account, &open_terms, responder_id, 1, now_ns + 20) != ACCOUNT_DONE)
            return;
    }
    post(line, (struct letter){.kind = LETTER_OFFER,
                               .number = account->dealings->pending->number,
                               .valid_until_ns = account->dealings->pending->valid_until_ns,
                               .terms = open_terms});
}

static void live(uint64_t seed)
{
    struct book book;
    struct line line = {.chance = {seed}, .broken = true};
    open_book(&book);
    struct totals start = account_totals(&book, at, 2);
    aldis_ns now_ns = 0;
    for (uint32_t step = 0; step < 1500; step++) {
        line.broken = step < 1200; /* at last the line is good again: all is settled */
        now_ns += (aldis_ns)chance_below(&line.chance, 3);
        if (line.count > 0 && (chance_below(&line.chance, 3) > 0 || !line.broken)) {
            uint32_t pick = (uint32_t)chance_below(&line.chance, line.count);
            struct letter letter = line.letters[pick];
            line.letters[pick] = line.letters[--line.count];
            hear(&book, &line, &letter, now_ns);
        } else if (line.broken || account_is_open(&book.seats[0].account)) {
            offer_or_ask(&book, &line, now_ns);
        }
        check_totals(&book, &start, seed);
    }
    CHECK(!account_is_open(&book.seats[0].account));
    CHECK(book.seats[0].account.numbers > 10);
    account_settled(&book.seats[1].account, 0, 0, now_ns + 1000);
    /* Nothing is held any more: the plain sums are the totals. */
    CHECK_INT(book.seats[0].account.credits + book.seats[1].account.credits, start.credits);
    CHECK_INT(book.seats[0].account.fuel + book.seats[1].account.fuel, start.fuel);
    for (uint32_t i = 0; i < KINDS; i++)
        CHECK_INT(book.seats[0].goods[i] + book.seats[1].goods[i], start.goods[i]);
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t used = 0;
        for (uint32_t j = 0; j < KINDS; j++)
            used += book.seats[i].goods[j];
        CHECK_UINT(book.seats[i].account.used, used);
    }
    close_book(&book);
}

TEST(nothing_is_lost_or_made_on_a_line_that_loses_copies_and_delays)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        live(seed);
}
