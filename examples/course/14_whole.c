// SPDX-License-Identifier: Apache-2.0
/* 14_whole.c: forty traders, four stations with berths and a market, a rescue service and a bad
 * radio; and nothing is lost or made from nothing. Chapter 14 of the course (docs/course/). */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef GRADE /* the exercises try others */
#define GRADE ALDIS_EFFECT_ONCE
#define CLOSING_NS (2 * ALDIS_HOUR) /* then nobody sets out any more */
#endif

enum { STATIONS = 4, SHIPS = 40, BERTHS = 3, STOCK_T = 500, STOCK_MAX_T = 1000, HOLD_T = 50 };
enum { PURSE = 1000, TREASURY = 100000, SPEED_KM_S = 30, BREAKS_ONE_IN = 50 };
static const int64_t places_km[STATIONS] = {0, 3000, 5000, 9000}; /* the first two have mines */

/* ---- What they say to each other ---- */

struct deal { /* what a ship gets, or gets back */
    int64_t tonnes, credits;
};
struct price {
    int64_t station, credits;
};
struct books { /* what somebody owns, and has done */
    int64_t credits, ore_t, made_t, used_t;
    int64_t dockings, asked_again, deals, rescued;
};
ALDIS_SIGNAL(request_docking);
ALDIS_SIGNAL(permission);
ALDIS_REQUEST(request_docking, permission);
ALDIS_SIGNAL(undock);
ALDIS_MESSAGE(buy, int64_t);  /* credits: ore for them, and the change */
ALDIS_MESSAGE(sell, int64_t); /* tonnes: credits for them, and what is not wanted */
ALDIS_MESSAGE(settled, struct deal);
ALDIS_MESSAGE(price, struct price);
ALDIS_SIGNAL(distress);
ALDIS_SIGNAL(repaired);
ALDIS_SIGNAL(set_out); /* from here on: one's own timers */
ALDIS_SIGNAL(arrive);
ALDIS_SIGNAL(call_again);
ALDIS_SIGNAL(leave);
ALDIS_SIGNAL(produce);
ALDIS_SIGNAL(count); /* the books */
ALDIS_SIGNAL(report);
ALDIS_MESSAGE(books, struct books);

#define STATION_PROTOCOL(X, kind)                                                                  \
    X(kind, request_docking)                                                                       \
    X(kind, undock)                                                                                \
    X(kind, buy) X(kind, sell) X(kind, produce) X(kind, report) X(kind, aldis_delivered)
ALDIS_PROTOCOL(station, STATION_PROTOCOL);
#define SHIP_PROTOCOL(X, kind)                                                                     \
    X(kind, set_out)                                                                               \
    X(kind, arrive)                                                                                \
    X(kind, call_again)                                                                            \
    X(kind, leave)                                                                                 \
    X(kind, settled)                                                                               \
    X(kind, price) X(kind, repaired) X(kind, report) X(kind, aldis_delivered)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);
#define RESCUE_PROTOCOL(X, kind) X(kind, distress)
ALDIS_PROTOCOL(rescue, RESCUE_PROTOCOL);
#define LEDGER_PROTOCOL(X, kind) X(kind, count) X(kind, books)
ALDIS_PROTOCOL(ledger, LEDGER_PROTOCOL);

/* Whatever moves money, goods or berths is sent so: with exactly one effect. */
static const aldis_reliable_opts surely = {.grade = GRADE, .max_attempts = 51};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- Stations: berths and a market ---- */

struct station {
    int64_t number;
    struct books own;
    aldis_id berths[BERTHS];
    aldis_timer timer;
};
static station_ref stations[STATIONS]; /* set before a run, and constant in it */

static aldis_err station_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct station *self = state;
    *self = (struct station){.number = *(const int64_t *)arg,
                             .own = {.credits = TREASURY, .ore_t = STOCK_T}};
    return aldis_timer_every(ctx, ALDIS_MINUTE, produce, &self->timer);
}

static aldis_id *berth_of(struct station *self, aldis_id ship)
{
    for (int i = 0; i < BERTHS; i++)
        if (aldis_id_equal(self->berths[i], ship))
            return &self->berths[i];
    return NULL;
}

static aldis_err station_on_request_docking(struct station *self, const aldis_none *msg,
                                            aldis_ctx *ctx)
{
    (void)msg;
    aldis_id *berth = berth_of(self, aldis_sender(ctx)); /* it asks again: the same one */
    if (!berth)
        berth = berth_of(self, aldis_nobody());
    if (!berth)
        return aldis_reply_error(ctx, ALDIS_EFULL);
    *berth = aldis_sender(ctx);
    return aldis_reply_signal(ctx, permission);
}

static aldis_err station_on_undock(struct station *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    aldis_id *berth = berth_of(self, aldis_sender(ctx));
    if (berth)
        *berth = aldis_nobody();
    return ALDIS_OK;
}

/* The more there is, the cheaper it is: 30 credits down to 10. */
static int64_t price_of(const struct station *self)
{
    return 30 - 20 * self->own.ore_t / STOCK_MAX_T;
}

static aldis_err settle(struct station *self, aldis_ctx *ctx, struct deal deal)
{
    ship_ref ship = {.id = aldis_sender(ctx)};
    aldis_err err = aldis_publish(ctx, "market.sol.ore", NULL, price, .station = self->number,
                                  .credits = price_of(self));
    return err != ALDIS_OK
               ? err
               : aldis_send_reliable(ctx, ship, settled, NULL, &surely, deal.tonnes, deal.credits);
}

static aldis_err station_on_buy(struct station *self, const int64_t *credits, aldis_ctx *ctx)
{
    int64_t price = price_of(self);
    int64_t tonnes = least(least(HOLD_T, self->own.ore_t), *credits / price);
    self->own.ore_t -= tonnes;
    self->own.credits += tonnes * price;
    return settle(self, ctx, (struct deal){tonnes, *credits - tonnes * price});
}

static aldis_err station_on_sell(struct station *self, const int64_t *tonnes, aldis_ctx *ctx)
{
    int64_t price = price_of(self), room_t = STOCK_MAX_T - self->own.ore_t;
    int64_t taken = least(least(*tonnes, room_t), self->own.credits / price);
    self->own.ore_t += taken;
    self->own.credits -= taken * price;
    return settle(self, ctx, (struct deal){*tonnes - taken, taken * price});
}

/* Mines make ore, the others use it up. */
static aldis_err station_on_produce(struct station *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    if (aldis_now(ctx) >= CLOSING_NS)
        return aldis_timer_cancel(ctx, self->timer);
    int64_t made_t = self->number < 2 ? least(20, STOCK_MAX_T - self->own.ore_t) : 0;
    int64_t used_t = self->number < 2 ? 0 : least(20, self->own.ore_t);
    self->own.ore_t += made_t - used_t;
    self->own.made_t += made_t;
    self->own.used_t += used_t;
    return ALDIS_OK;
}

static aldis_err station_on_report(struct station *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    return aldis_reply_raw(ctx, &books_type, &self->own, sizeof self->own);
}

static aldis_err station_on_aldis_delivered(struct station *self, const aldis_delivered *msg,
                                            aldis_ctx *ctx)
{
    (void)self;
    ALDIS_REQUIRE(ctx, msg->result == ALDIS_OK); /* with 50 repeats; if not, say so loudly */
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(station, struct station, STATION_PROTOCOL, .on_start = station_start);

/* ---- Ships ---- */

struct ship {
    int at, to;               /* stations */
    bool broken, dealing;     /* it waits for help; for a deal to be settled */
    int64_t prices[STATIONS]; /* as far as it has heard */
    struct books own;
    aldis_timer timer;
};

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct ship *self = state;
    *self = (struct ship){.at = *(const int *)arg % STATIONS, .own = {.credits = PURSE}};
    for (int i = 0; i < STATIONS; i++)
        self->prices[i] = 20;
    aldis_err err = aldis_subscribe(ctx, "market.*.ore");
    if (err != ALDIS_OK)
        return err;
    aldis_ns wait_ns = (aldis_ns)aldis_random_below(ctx, 60) * ALDIS_SECOND;
    return aldis_timer_once(ctx, wait_ns, set_out, &self->timer);
}

static aldis_err ship_on_price(struct ship *self, const struct price *msg, aldis_ctx *ctx)
{
    (void)ctx;
    self->prices[msg->station] = msg->credits;
    return ALDIS_OK;
}

/* Half of them follow the prices, half try their luck. */
static int choose(const struct ship *self, aldis_ctx *ctx)
{
    int best = (self->at + 1 + (int)aldis_random_below(ctx, STATIONS - 1)) % STATIONS;
    if (aldis_random_below(ctx, 2) == 0)
        return best;
    for (int i = 0; i < STATIONS; i++) {
        int64_t gain = self->prices[i] - self->prices[best];
        if (i != self->at && (self->own.ore_t > 0 ? gain > 0 : gain < 0))
            best = i;
    }
    return best;
}

static aldis_err fly(struct ship *self, aldis_ctx *ctx)
{
    int64_t way_km = llabs(places_km[self->to] - places_km[self->at]);
    return aldis_timer_once(ctx, way_km * ALDIS_SECOND / SPEED_KM_S, arrive, &self->timer);
}

/* A call may be lost, and so may help: call again until it comes. */
static aldis_err ship_on_call_again(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    aldis_err err = aldis_publish_raw(ctx, "sector.distress", &distress_type, NULL, 0,
                                      ALDIS_FANOUT_SOMEONE, NULL);
    return err != ALDIS_OK ? err : aldis_timer_once(ctx, ALDIS_MINUTE, call_again, &self->timer);
}

static aldis_err ship_on_repaired(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    if (!self->broken)
        return ALDIS_OK; /* it was sent twice */
    self->broken = false;
    self->own.rescued++;
    aldis_err err = aldis_timer_cancel(ctx, self->timer);
    return err != ALDIS_OK ? err : fly(self, ctx);
}

static aldis_err ship_on_set_out(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    if (aldis_now(ctx) >= CLOSING_NS)
        return ALDIS_OK;
    self->to = choose(self, ctx);
    self->broken = aldis_random_below(ctx, BREAKS_ONE_IN) == 0;
    return self->broken ? ship_on_call_again(self, NULL, ctx) : fly(self, ctx);
}

static aldis_err ship_on_permission(struct ship *self, const aldis_answer *answer,
                                    const aldis_none *permission, aldis_ctx *ctx)
{
    (void)answer;
    if (!permission) { /* no berth, or no answer: come again, not all at once */
        self->own.asked_again++;
        aldis_ns wait_ns = (5 + (aldis_ns)aldis_random_below(ctx, 10)) * ALDIS_SECOND;
        return aldis_timer_once(ctx, wait_ns, arrive, &self->timer);
    }
    self->own.dockings++;
    self->at = self->to;
    self->dealing = true;
    int64_t credits = self->own.credits, tonnes = self->own.ore_t;
    if (tonnes > 0) {
        self->own.ore_t = 0; /* it is in the message now */
        return aldis_send_reliable(ctx, stations[self->at], sell, NULL, &surely, tonnes);
    }
    self->own.credits = 0;
    return aldis_send_reliable(ctx, stations[self->at], buy, NULL, &surely, credits);
}
ALDIS_ON_REPLY(ship_on_permission, struct ship, request_docking);

static aldis_err ship_on_arrive(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    return aldis_ask_signal(ctx, stations[self->to], request_docking, ship_on_permission, NULL);
}

static aldis_err ship_on_settled(struct ship *self, const struct deal *deal, aldis_ctx *ctx)
{
    self->own.ore_t += deal->tonnes;
    self->own.credits += deal->credits;
    if (!self->dealing)
        return ALDIS_OK; /* it came twice: see exercise 1 */
    self->dealing = false;
    self->own.deals++;
    return aldis_timer_once(ctx, 30 * ALDIS_SECOND, leave, &self->timer);
}

enum { UNDOCKING = 1 };

static aldis_err ship_on_leave(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    aldis_reliable_opts how = surely;
    how.context = UNDOCKING;
    return aldis_send_reliable(ctx, stations[self->at], undock, NULL, &how, 0);
}

/* It sets out when the station has heard that the berth is free, and not before. */
static aldis_err ship_on_aldis_delivered(struct ship *self, const aldis_delivered *msg,
                                         aldis_ctx *ctx)
{
    ALDIS_REQUIRE(ctx, msg->result == ALDIS_OK);
    return msg->context == UNDOCKING ? ship_on_set_out(self, NULL, ctx) : ALDIS_OK;
}

static aldis_err ship_on_report(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    return aldis_reply_raw(ctx, &books_type, &self->own, sizeof self->own);
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start);

/* ---- The rescue service, and the ledger ---- */

static aldis_err rescue_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)state;
    (void)arg;
    return aldis_subscribe(ctx, "sector.distress");
}

static aldis_err rescue_on_distress(int *calls, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    ++*calls;
    ship_ref ship = {.id = aldis_sender(ctx)};
    return aldis_signal_after(ctx, 40 * ALDIS_SECOND, ship, repaired);
}
ALDIS_BEHAVIOUR(rescue, int, RESCUE_PROTOCOL, .on_start = rescue_start);

struct ledger {
    struct books sum;
    uint64_t missing;
};

static aldis_err ledger_on_count(struct ledger *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    aldis_fanout fanout;
    aldis_err err = aldis_broadcast_raw(ctx, NULL, &report_type, NULL, 0, 0, &fanout);
    self->missing = fanout.delivered;
    return err;
}

static aldis_err ledger_on_books(struct ledger *self, const struct books *part, aldis_ctx *ctx)
{
    struct books *sum = &self->sum;
    (void)ctx;
    sum->credits += part->credits;
    sum->ore_t += part->ore_t;
    sum->made_t += part->made_t;
    sum->used_t += part->used_t;
    sum->dockings += part->dockings;
    sum->asked_again += part->asked_again;
    sum->deals += part->deals;
    sum->rescued += part->rescued;
    if (--self->missing > 0)
        return ALDIS_OK;
    printf("%" PRId64 " dockings, asked again %" PRId64 " times, %" PRId64 " deals, %" PRId64
           " rescued\n",
           sum->dockings, sum->asked_again, sum->deals, sum->rescued);
    printf("credits: %d at the start, %" PRId64 " at the end\n",
           SHIPS * PURSE + STATIONS * TREASURY, sum->credits);
    printf("ore: %d t at the start, %" PRId64 " made, %" PRId64 " used; %" PRId64 " at the end\n",
           STATIONS * STOCK_T, sum->made_t, sum->used_t, sum->ore_t);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(ledger, struct ledger, LEDGER_PROTOCOL);

/* ---- A run ---- */

static void must(aldis_err err)
{
    if (err == ALDIS_OK)
        return;
    fprintf(stderr, "14_whole: %s\n", aldis_error_last()->text);
    exit(1);
}

static uint64_t run(uint64_t seed, uint32_t workers)
{
    static const aldis_fault_rule rules[] = {{.kind = ALDIS_FAULT_LOSS, .chance = 0.1},
                                             {.kind = ALDIS_FAULT_DUPLICATE, .chance = 0.1},
                                             {.kind = ALDIS_FAULT_DELAY, .chance = 0.1}};
    const aldis_fault_plan plan = {.rules = rules, .rule_count = 3, .heal_ns = CLOSING_NS};
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL,
                              .seed = seed,
                              .workers = workers,
                              .lookahead_ns = ALDIS_SECOND};
    aldis_system *system;
    rescue_ref rescue;
    ledger_ref ledger;
    must(aldis_system_create(&opts, &system));
    for (int64_t i = 0; i < STATIONS; i++)
        must(aldis_spawn(system, station, &stations[i], &(aldis_spawn_opts){ALDIS_ARG(&i)}));
    must(aldis_spawn(system, rescue, &rescue, NULL));
    must(aldis_spawn(system, ledger, &ledger, NULL));
    for (int i = 0; i < SHIPS; i++) {
        ship_ref ship;
        must(aldis_spawn(system, ship, &ship, &(aldis_spawn_opts){ALDIS_ARG(&i)}));
    }
    must(aldis_system_inject(system, &plan));
    must(aldis_system_run(system, ALDIS_FOREVER, NULL)); /* until all have come to rest */
    must(aldis_signal_after(system, ALDIS_HOUR, ledger, count));
    must(aldis_system_run(system, ALDIS_FOREVER, NULL));
    uint64_t print = aldis_system_run_print(system);
    aldis_audit audit;
    must(aldis_system_audit(system, &audit));
    printf("audit: %s\n", audit.text);
    aldis_system_destroy(system);
    return print;
}

#ifndef NO_MAIN /* the exercises have their own */
int main(void)
{
    puts("on one thread:");
    uint64_t print = run(1, 1);
    puts("on four:");
    puts(run(1, 4) == print ? "the same run" : "another run");
    return 0;
}
#endif
