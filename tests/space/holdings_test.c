// SPDX-License-Identifier: Apache-2.0
/* holdings_test.c: whose things appeared or vanished since all was there. */
#include "holdings.h"

#include "stage.h"
#include "tiny.h"

static const char *changes(const struct holdings *holdings, uint32_t lines)
{
    static char printed[1024];
    memset(printed, 0, sizeof printed);
    FILE *out = fmemopen(printed, sizeof printed - 1, "w");
    holdings_print_changes(holdings, &stage.books, stage.scenario, 7, lines, out);
    fclose(out);
    return printed;
}

/* What is burnt, held for a trade, made or used up is nobody's loss; a nano that is gone is. */
TEST(who_has_lost_something_is_named)
{
    stage_open(tiny_scenario(), 1);
    struct holdings *holdings = holdings_create(&stage.books);
    holdings_note(holdings, &stage.books);
    struct account *ship = &stage_page(1)->account;
    struct station_page *station = &stage.books.stations[2];
    const struct terms most = {.credits = 100, .fuel = 5};
    account_burn(ship, 1000);
    CHECK_INT(account_hold(ship, &most, aldis_nobody(), 0, ALDIS_HOUR), ACCOUNT_DONE);
    account_goods(&station->account)[0] -= 30;
    station->used[0] += 30;
    CHECK_STR(changes(holdings, 64), "");
    ship->fuel -= 1;
    station->account.credits += 20;
    account_goods(&station->account)[0] += 3;
    CHECK_STR(changes(holdings, 64),
              "{\"at_ns\":7,\"event\":\"has_changed\",\"actor\":\"Gamma\",\"thing\":\"cents\","
              "\"amount\":20}\n"
              "{\"at_ns\":7,\"event\":\"has_changed\",\"actor\":\"Gamma\",\"thing\":\"water\","
              "\"amount\":3}\n"
              "{\"at_ns\":7,\"event\":\"has_changed\",\"actor\":\"ship-2\",\"thing\":\"fuel\","
              "\"amount\":-1}\n");
    CHECK(strchr(changes(holdings, 1), '\n') == strrchr(changes(holdings, 1), '\n'));
    holdings_note(holdings, &stage.books);
    CHECK_STR(changes(holdings, 64), "");
    holdings_destroy(holdings);
    stage.books.start = books_totals(&stage.books);
    stage_close();
}

/* Each thing alone: money, fuel, burnt or not, and every commodity, here and there. */
TEST(whatever_is_missing_or_too_much_is_named)
{
    stage_open(tiny_scenario(), 1);
    char text[160];
    struct account *ship = &stage_page(0)->account;
    CHECK(books_balance(&stage.books, stage.scenario, text, sizeof text));
    ship->credits += 1;
    CHECK(!books_balance(&stage.books, stage.scenario, text, sizeof text));
    CHECK(strncmp(text, "credits (cents): ", 17) == 0 && strstr(text, " now, +1") != NULL);
    ship->credits -= 1;
    ship->burnt += 2;
    CHECK(!books_balance(&stage.books, stage.scenario, text, sizeof text));
    CHECK(strncmp(text, "fuel (nano): ", 13) == 0 && strstr(text, " now, +2") != NULL);
    ship->burnt -= 2;
    stage.books.stations[1].made[0] += 3;
    CHECK(!books_balance(&stage.books, stage.scenario, text, sizeof text));
    CHECK(strncmp(text, "water: ", 7) == 0 && strstr(text, " now, -3") != NULL);
    stage.books.stations[1].made[0] -= 3;
    CHECK(books_balance(&stage.books, stage.scenario, text, sizeof text));
    CHECK_STR(text, "balanced");
    stage_close();
}
