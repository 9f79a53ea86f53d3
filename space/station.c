// SPDX-License-Identifier: Apache-2.0
/* station.c: the actor that gives berths to ships, serves them and lets them go. Layer: space.
 *
 * The rules of berths and queue are dock.c's; here they become messages and times. Every step has a
 * time-out, so that a ship that is gone cannot keep a berth: a permission expires, and after its
 * service a ship has as long again to leave. */
#include "station.h"

#include "bounds.h"
#include "digest.h"
#include "mind_leaves.h"

#include <aldis/credit.h>
#include <aldis/timer.h>

aldis_ns station_signal_ns(const struct station *self, aldis_ctx *ctx, aldis_id to)
{
    if (!self->chart->signals)
        return 0;
    struct vec here = scenario_station_position(self->chart->scenario, self->index, aldis_now(ctx));
    const struct speaker me = {self->index, here};
    if (dock_has(self->dock, to))
        return signals_delay_to(self->chart, ctx, &me, to, here);
    return signals_delay(self->chart, ctx, &me, to);
}

aldis_err station_reply(const struct station *self, aldis_ctx *ctx, aldis_type *type,
                        const void *payload, size_t size)
{
    return reply_after(ctx, station_signal_ns(self, ctx, aldis_sender(ctx)), type, payload, size);
}

/* In place of a berth's number: look at all of them, so often. */
#define BERTHS_ALL UINT32_MAX
#define LOOK_NS ALDIS_MINUTE

/* A berth has one timer that counts, the one that was armed last. */
static aldis_err arm(struct station *self, aldis_ctx *ctx, uint32_t berth, uint32_t change,
                     aldis_ns delay_ns)
{
    station_ref me = {.id = aldis_self(ctx)};
    const struct berth_due due = {.berth = berth, .change = change};
    aldis_timer timer;
    self->dock->berths[berth].timer_ns = aldis_now(ctx) + delay_ns;
    if (aldis_send_after(ctx, delay_ns, me, berth_due, .berth = berth, .change = change) ==
        ALDIS_OK)
        return ALDIS_OK;
    /* It has sent too much in this window. A timer has a place of its own, and costs more. */
    return aldis_timer_start_raw(ctx, &(aldis_timer_opts){.delay_ns = delay_ns}, &berth_due_type,
                                 &due, sizeof due, &timer);
}

/* Have patience with the ship in a berth. */
static aldis_err arm_patience(struct station *self, aldis_ctx *ctx, uint32_t berth, uint32_t change)
{
    aldis_ns delay_ns = self->dock->station->permission_ns;
    return arm(self, ctx, berth, change, delay_ns < NAP_NS ? delay_ns : NAP_NS);
}

/* Again, after a crash: the page knows all but the timers. Those that are left are void. */
static aldis_err go_on(struct station *self, aldis_ctx *ctx)
{
    aldis_err err = station_arm_market(self, ctx);
    for (uint32_t i = 0; err == ALDIS_OK && i < self->dock->berth_count; i++) {
        struct dock_berth *berth = &self->dock->berths[i];
        if (berth->state == BERTH_FREE)
            continue;
        aldis_ns left_ns = dock_due(self->dock, berth) - aldis_now(ctx);
        err = arm(self, ctx, i, ++berth->change, left_ns > 0 ? left_ns : 0);
    }
    return err;
}

/* false: it is gone, and the runtime has counted the message as refused. */
static bool tell(const struct station *self, aldis_ctx *ctx, aldis_id ship,
                 const DockingPermission *answer)
{
    const aldis_send_item item = {
        .to = ship, .type = &docking_permission_type, .payload = answer, .size = sizeof *answer};
    return send_surely(ctx, &item, self->chart->scenario, (uint64_t)answer->visit,
                       station_signal_ns(self, ctx, ship)) == ALDIS_OK;
}

static void refuse(const struct station *self, aldis_ctx *ctx, aldis_id ship, Refusal reason,
                   aldis_ns visit)
{
    NEW_MESSAGE(DockingPermission, answer);
    answer.verdict = DOCKING_REFUSED;
    answer.reason = reason;
    answer.visit = visit;
    tell(self, ctx, ship, &answer);
}

/* What it has asked for is over: its credit comes back, and another may ask. */
static void give_back(const struct station *self, aldis_ctx *ctx, aldis_id ship)
{
    if (self->chart->scenario->limits.docking_credit.total > 0)
        (void)aldis_credit_grant(ctx, ship, 1); /* none is owed to one that asked again */
}

/* As dock_leave. */
static bool let_go(struct station *self, aldis_ctx *ctx, aldis_id ship)
{
    if (!dock_leave(self->dock, ship, aldis_now(ctx)))
        return false;
    give_back(self, ctx, ship);
    return true;
}

/* A ship that cannot be told is gone: its berth is free again. */
static aldis_err grant(struct station *self, aldis_ctx *ctx, const struct dock_answer *answer)
{
    NEW_MESSAGE(DockingPermission, permission);
    permission.verdict = DOCKING_GRANTED;
    permission.berth = answer->berth;
    permission.visit = dock_visit(self->dock, answer->ship);
    if (!tell(self, ctx, answer->ship, &permission)) {
        let_go(self, ctx, answer->ship);
        return ALDIS_OK;
    }
    if (!answer->anew)
        return ALDIS_OK;
    self->page->grants++;
    self->page->wait_total_ns += answer->wait_ns;
    return arm_patience(self, ctx, answer->berth, answer->change);
}

/* Closed by the weather; otherwise its mind closes them, or an order: see page->shut, paused, ends.
 * */
static bool is_storm(const struct station *self, aldis_ns now_ns)
{
    return self->page->weather == WEATHER_EXTREME && self->page->weather_until_ns > now_ns;
}

/* Offer what is free to whoever waits, and has not waited too long. In a storm nobody comes in. */
static aldis_err serve_queue(struct station *self, aldis_ctx *ctx)
{
    struct dock_answer answer;
    aldis_err err = ALDIS_OK;
    aldis_id late;
    aldis_ns visit = self->dock->queue[0].visit; /* of the first, which is the one that goes */
    for (; dock_shed(self->dock, aldis_now(ctx), &late); visit = self->dock->queue[0].visit) {
        refuse(self, ctx, late, REFUSAL_QUEUE_FULL, visit);
        give_back(self, ctx, late);
    }
    bool open = !is_storm(self, aldis_now(ctx)) && !self->page->paused;
    while (open && err == ALDIS_OK && dock_next(self->dock, aldis_now(ctx), &answer))
        err = grant(self, ctx, &answer);
    return err;
}

/* Refused are: those who cannot be, and all who come while the docks are closed. */
static Refusal judge_request(struct station *self, const RequestDocking *msg, aldis_ctx *ctx)
{
    uint64_t tonnes = 0;
    for (uint32_t i = 0; i < msg->manifest_count; i++) {
        if (msg->manifest[i].commodity >= self->page->account.shape->kinds)
            return REFUSAL_UNKNOWN_GOODS;
        tonnes += msg->manifest[i].tonnes;
    }
    if (tonnes > msg->specs.cargo)
        return REFUSAL_BAD_SPECS;
    station_think(self, ctx);
    bool waits = dock_visit(self->dock, aldis_sender(ctx)) == msg->visit;
    const struct station_page *page = self->page;
    bool closed =
        !waits && (page->shut || page->paused || page->ends || is_storm(self, aldis_now(ctx)));
    return closed ? REFUSAL_CLOSED : REFUSAL_NONE;
}

static void tell_queued(struct station *self, aldis_ctx *ctx, const struct dock_answer *answer)
{
    NEW_MESSAGE(DockingPermission, wait);
    wait.verdict = DOCKING_QUEUED;
    wait.place = answer->place;
    wait.estimated_wait_ns = answer->estimated_wait_ns;
    wait.visit = dock_visit(self->dock, answer->ship);
    if (!tell(self, ctx, answer->ship, &wait))
        let_go(self, ctx, answer->ship);
}

/* Too many ask: when there will be a token again is told; until then it had better not ask. */
static void put_off(struct station *self, aldis_ctx *ctx, aldis_id ship, aldis_ns visit,
                    aldis_ns wait_ns)
{
    NEW_MESSAGE(DockingPermission, answer);
    answer.verdict = DOCKING_REFUSED;
    answer.reason = REFUSAL_RATE;
    answer.visit = visit;
    answer.estimated_wait_ns = wait_ns;
    self->page->over_rate++;
    tell(self, ctx, ship, &answer);
}

/* Is there a token for this request? What has been taken in already needs none when it is asked
 * again. Else so long it takes until there is one. */
static bool take_in(struct station *self, aldis_ctx *ctx, aldis_ns *out_wait_ns)
{
    return self->chart->scenario->limits.docking_rate.requests == 0 ||
           dock_has(self->dock, aldis_sender(ctx)) ||
           aldis_bucket_try_consume(&self->page->rate, 1, aldis_now(ctx), out_wait_ns) == ALDIS_OK;
}

static aldis_err answer_request(struct station *self, const RequestDocking *msg, aldis_ctx *ctx)
{
    aldis_id ship = aldis_sender(ctx);
    aldis_ns wait_ns;
    if (!take_in(self, ctx, &wait_ns)) {
        put_off(self, ctx, ship, msg->visit, wait_ns);
        return ALDIS_OK;
    }
    struct dock_answer answer = dock_ask(self->dock, ship, msg->specs.length, aldis_now(ctx));
    dock_set_visit(self->dock, ship, msg->visit);
    switch (answer.verdict) {
    case DOCK_GRANTED:
        return grant(self, ctx, &answer);
    case DOCK_QUEUED:
        tell_queued(self, ctx, &answer);
        /* A storm may have passed without a word of its end. */
        return serve_queue(self, ctx);
    case DOCK_FULL:
        refuse(self, ctx, ship, REFUSAL_QUEUE_FULL, msg->visit);
        break;
    case DOCK_TOO_LONG:
        refuse(self, ctx, ship, REFUSAL_TOO_LONG, msg->visit);
        break;
    }
    return ALDIS_OK;
}

/* Keep the page's figures of the docks up to date. */
static void note_docks(struct station *self, aldis_ctx *ctx)
{
    uint32_t taken = 0;
    for (uint32_t i = 0; i < self->dock->berth_count; i++)
        taken += self->dock->berths[i].state != BERTH_FREE;
    self->page->berths_taken = taken;
    self->page->queue = self->dock->queue_count;
    if (self->page->ends && taken == 0)
        (void)aldis_stop(ctx, aldis_self(ctx)); /* the last one has left */
}

static aldis_err station_on_request_docking(struct station *self, const RequestDocking *msg,
                                            aldis_ctx *ctx)
{
    bounds_work(self->chart, ctx, ACTOR_STATION);
    aldis_id ship = aldis_sender(ctx);
    if (aldis_id_is_nobody(ship))
        return aldis_fail(ctx, "docking asked for nobody");
    aldis_err err = check_message(ctx, &request_docking_type, msg);
    Refusal reason = err == ALDIS_OK ? judge_request(self, msg, ctx) : REFUSAL_BAD_SPECS;
    aldis_ns known_ns = dock_visit(self->dock, ship);
    if (err != ALDIS_OK)
        (void)aldis_ack(ctx);         /* it would not be better the next time */
    else if (known_ns > msg->visit) { /* of a visit that is over */
        give_back(self, ctx, ship);
        return ALDIS_OK;
    }
    if (err == ALDIS_OK && known_ns >= 0 && known_ns < msg->visit && let_go(self, ctx, ship))
        err = serve_queue(self, ctx); /* its word of leaving has not come */
    if (reason != REFUSAL_NONE)
        refuse(self, ctx, ship, reason, msg->visit);
    else if (err == ALDIS_OK)
        err = answer_request(self, msg, ctx);
    if (!dock_has(self->dock, ship))
        give_back(self, ctx, ship); /* it was refused */
    note_docks(self, ctx);
    return err;
}

/* Each service takes 0.75 to 1.25 of the station's mean. */
static aldis_ns draw_service(const struct station *self, aldis_ctx *ctx)
{
    aldis_ns mean_ns = self->dock->station->service_ns;
    return mean_ns - mean_ns / 4 + (aldis_ns)aldis_random_below(ctx, (uint64_t)mean_ns / 2 + 1);
}

static aldis_err station_on_docked(struct station *self, const Docked *msg, aldis_ctx *ctx)
{
    bounds_work(self->chart, ctx, ACTOR_STATION);
    uint32_t change;
    aldis_id ship = aldis_sender(ctx);
    if (aldis_id_is_nobody(ship))
        return aldis_fail(ctx, "docked by nobody");
    aldis_ns service_ns = draw_service(self, ctx);
    enum dock_arrival arrival = DOCK_NOT_HELD;
    if (dock_visit(self->dock, ship) == msg->visit)
        arrival = dock_arrive(self->dock, ship, msg->berth, aldis_now(ctx), service_ns, &change);
    switch (arrival) {
    case DOCK_ARRIVED:
        self->page->dockings++;
        return arm(self, ctx, msg->berth, change, service_ns);
    case DOCK_THERE_ALREADY:
        break;
    case DOCK_NOT_HELD:
        refuse(self, ctx, ship, REFUSAL_EXPIRED, msg->visit);
        break;
    }
    return ALDIS_OK;
}

static aldis_err station_on_undock(struct station *self, const Undock *msg, aldis_ctx *ctx)
{
    bounds_work(self->chart, ctx, ACTOR_STATION);
    /* It may have nothing here any more: its word may have crossed our time-out. Or it may be here
     * again already, and its word is late. */
    if (dock_visit(self->dock, aldis_sender(ctx)) > msg->visit)
        return ALDIS_OK;
    let_go(self, ctx, aldis_sender(ctx));
    aldis_err err = serve_queue(self, ctx);
    note_docks(self, ctx);
    return err;
}

/* The ship in the berth has been served: false if it is gone. */
static bool end_service(struct station *self, aldis_ctx *ctx, const struct dock_berth *berth)
{
    NEW_MESSAGE(ServiceDone, word);
    word.visit = berth->visit;
    const aldis_send_item item = {
        .to = berth->ship, .type = &service_done_type, .payload = &word, .size = sizeof word};
    self->page->served++;
    return send_surely(ctx, &item, self->chart->scenario, (uint64_t)word.visit,
                       station_signal_ns(self, ctx, berth->ship)) == ALDIS_OK;
}

/* A ship that has not confirmed what it was told, in all attempts, is gone, or was not reached:
 * what it had is free again. If it comes all the same, it hears that its permission has expired. */
static aldis_err station_on_aldis_delivered(struct station *self, const aldis_delivered *msg,
                                            aldis_ctx *ctx)
{
    if (msg->result == ALDIS_OK || dock_visit(self->dock, msg->id.to) != (aldis_ns)msg->context)
        return ALDIS_OK;
    let_go(self, ctx, msg->id.to);
    aldis_err err = serve_queue(self, ctx);
    note_docks(self, ctx);
    return err;
}

/* Our own mailbox was full when timers of berths were due, or there was no memory to arm them: look
 * at those berths soon. */
static void look_again(struct station *self, aldis_ctx *ctx)
{
    for (uint32_t i = 0; i < self->dock->berth_count; i++) {
        const struct dock_berth *berth = &self->dock->berths[i];
        if (berth->state != BERTH_FREE && berth->timer_ns <= aldis_now(ctx))
            (void)arm(self, ctx, i, berth->change, ALDIS_SECOND);
    }
}

static aldis_err station_on_berth_due(struct station *self, const struct berth_due *msg,
                                      aldis_ctx *ctx)
{
    if (msg->berth == BERTHS_ALL) {
        look_again(self, ctx);
        return ALDIS_OK;
    }
    const struct dock_berth *berth = dock_since(self->dock, msg->berth, msg->change);
    if (!berth || berth->timer_ns > aldis_now(ctx) + self->chart->early_ns)
        return ALDIS_OK; /* it has gone on in time, or is looked at later */
    aldis_id ship = berth->ship;
    aldis_ns left_ns = dock_due(self->dock, berth) - aldis_now(ctx);
    if (berth->state != BERTH_TAKEN && left_ns > 0)
        return arm(self, ctx, msg->berth, msg->change, left_ns < NAP_NS ? left_ns : NAP_NS);
    switch (berth->state) {
    case BERTH_FREE:
        return ALDIS_OK;
    case BERTH_HELD:
        refuse(self, ctx, ship, REFUSAL_EXPIRED, berth->visit);
        break;
    case BERTH_TAKEN:
        if (end_service(self, ctx, berth))
            return arm_patience(self, ctx, msg->berth,
                                dock_served(self->dock, msg->berth, aldis_now(ctx)));
        break;
    case BERTH_LEAVING:
        break; /* it has had its time to leave */
    }
    let_go(self, ctx, ship);
    aldis_err err = serve_queue(self, ctx);
    note_docks(self, ctx);
    return err;
}

static aldis_err station_on_weather_alert(struct station *self, const WeatherAlert *msg,
                                          aldis_ctx *ctx)
{
    bounds_work(self->chart, ctx, ACTOR_STATION);
    aldis_err err = check_message(ctx, &weather_alert_type, msg);
    if (err != ALDIS_OK)
        return err;
    /* Where regions overlap, the worst counts. */
    bool other =
        self->page->weather_region != msg->region && self->page->weather_until_ns > aldis_now(ctx);
    if (other && self->page->weather > msg->level)
        return ALDIS_OK;
    self->page->weather_region = msg->region;
    self->page->weather = msg->level;
    self->page->weather_until_ns = msg->until_ns;
    err = serve_queue(self, ctx); /* it may be over */
    note_docks(self, ctx);
    return err;
}

/* ---- Control ---- */

/* Nobody comes in until it is resumed; who waits keeps its place, and who is in is served. */
static aldis_err station_on_pause(struct station *self, const Pause *msg, aldis_ctx *ctx)
{
    (void)msg;
    bounds_work(self->chart, ctx, ACTOR_STATION);
    self->page->paused = true;
    return ALDIS_OK;
}

static aldis_err station_on_resume(struct station *self, const Resume *msg, aldis_ctx *ctx)
{
    (void)msg;
    bounds_work(self->chart, ctx, ACTOR_STATION);
    self->page->paused = false;
    aldis_err err = serve_queue(self, ctx);
    note_docks(self, ctx);
    return err;
}

/* Whoever waits or is on the way is refused by name, as are those who ask until the end; who is in
 * a berth has been served, and has the usual time to trade and to leave. */
static aldis_err station_on_shutdown(struct station *self, const Shutdown *msg, aldis_ctx *ctx)
{
    (void)msg;
    bounds_work(self->chart, ctx, ACTOR_STATION);
    aldis_err err = ALDIS_OK;
    self->page->ends = true;
    while (self->dock->queue_count > 0) {
        struct dock_place place = self->dock->queue[0];
        let_go(self, ctx, place.ship);
        refuse(self, ctx, place.ship, REFUSAL_CLOSED, place.visit);
    }
    for (uint32_t i = 0; i < self->dock->berth_count; i++) {
        struct dock_berth berth = self->dock->berths[i];
        if (berth.state == BERTH_TAKEN && end_service(self, ctx, &berth)) {
            aldis_err armed =
                arm_patience(self, ctx, i, dock_served(self->dock, i, aldis_now(ctx)));
            err = err != ALDIS_OK ? err : armed;
        } else if (berth.state == BERTH_TAKEN || berth.state == BERTH_HELD) {
            let_go(self, ctx, berth.ship);
            if (berth.state == BERTH_HELD)
                refuse(self, ctx, berth.ship, REFUSAL_CLOSED, berth.visit);
        }
    }
    note_docks(self, ctx);
    return err;
}

static const char *state_of(const struct station *self, aldis_ns now_ns)
{
    if (self->page->ends)
        return "ends";
    if (self->page->paused)
        return "paused";
    return self->page->shut || is_storm(self, now_ns) ? "closed" : "open";
}

static aldis_err station_on_get_status(struct station *self, const GetStatus *msg, aldis_ctx *ctx)
{
    (void)msg;
    bounds_work(self->chart, ctx, ACTOR_STATION);
    if (aldis_id_is_nobody(aldis_sender(ctx)))
        return aldis_fail(ctx, "status asked for nobody");
    const struct account *account = &self->page->account;
    NEW_MESSAGE(StationStatus, status);
    snprintf(status.state, sizeof status.state, "%s", state_of(self, aldis_now(ctx)));
    status.station = self->index;
    status.berths = self->dock->berth_count;
    status.berths_taken = self->page->berths_taken;
    status.queue = self->page->queue;
    status.spares = self->page->spares;
    status.fuel = (uint64_t)account->fuel;
    status.credits = account->credits;
    status.stock_count = (pb_size_t)account->shape->kinds;
    memcpy(status.stock, account_goods(account), status.stock_count * sizeof status.stock[0]);
    /* One that cannot be told does not want to know: the runtime has counted it. */
    (void)station_reply(self, ctx, &station_status_type, &status, sizeof status);
    return ALDIS_OK;
}

/* ---- The market and the services: station_market.c ---- */

static aldis_err station_on_request_prices(struct station *self, const RequestPrices *msg,
                                           aldis_ctx *ctx)
{
    bounds_work(self->chart, ctx, ACTOR_STATION);
    (void)msg;
    return station_tell_prices(self, ctx);
}

static aldis_err station_on_request_services(struct station *self, const RequestServices *msg,
                                             aldis_ctx *ctx)
{
    bounds_work(self->chart, ctx, ACTOR_STATION);
    aldis_err err = check_message(ctx, &request_services_type, msg);
    if (err != ALDIS_OK)
        return err;
    aldis_id ship = aldis_sender(ctx);
    uint32_t berth, change;
    NEW_MESSAGE(ServiceAvailability, answer);
    aldis_ns more_ns = station_judge_services(self, msg, ship, &answer);
    if (msg->quarters)
        dock_house(self->dock, ship);
    if (more_ns > 0 && dock_prolong(self->dock, ship, more_ns, &berth, &change))
        err = arm(self, ctx, berth, change, dock_service_end(self->dock, ship) - aldis_now(ctx));
    answer.done_at_ns = dock_service_end(self->dock, ship);
    if (answer.done_at_ns == 0) /* not in a berth: on average, if it were now */
        answer.done_at_ns = aldis_now(ctx) + self->dock->station->service_ns + more_ns;
    (void)station_reply(self, ctx, &service_availability_type, &answer, sizeof answer);
    return err;
}

static aldis_err station_on_market_order(struct station *self, const MarketOrder *msg,
                                         aldis_ctx *ctx)
{
    bounds_work(self->chart, ctx, ACTOR_STATION);
    aldis_err err = check_message(ctx, &market_order_type, msg);
    return err == ALDIS_OK ? station_take_order(self, msg, ctx) : err;
}

static aldis_err station_on_trade_settled(struct station *self, const TradeSettled *msg,
                                          aldis_ctx *ctx)
{
    bounds_work(self->chart, ctx, ACTOR_STATION);
    return station_close_trade(self, msg, ctx);
}

static aldis_err station_on_market_due(struct station *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    return station_produce(self, ctx);
}

/* A ship had ended before our word reached it: nothing here is for it any more. */
static void station_undelivered(void *state, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    struct station *self = state;
    if (aldis_id_equal(notice->to, aldis_self(ctx)))
        look_again(self, ctx);
    if (notice->reason != ALDIS_ESTALE || !let_go(self, ctx, notice->to))
        return;
    (void)serve_queue(self, ctx); /* without memory for its timer a permission does not expire */
    note_docks(self, ctx);
}

/* ---- Life ---- */

static aldis_err grant_credit(const struct station *self, aldis_ctx *ctx)
{
    uint32_t total = self->chart->scenario->limits.docking_credit.total;
    const aldis_credit_terms terms = {
        .window = 1, .total = total, .streams_max = 1 << 20, .manual = true, .lasting = true};
    return total > 0 ? aldis_credit_accept(ctx, &terms) : ALDIS_OK;
}

/* Where there is a budget of memory the timer of a berth may be refused. This one is made while
 * there is room, and looks at all of them at times. */
static aldis_err watch_berths(const struct station *self, aldis_ctx *ctx)
{
    aldis_timer timer;
    const struct berth_due look = {.berth = BERTHS_ALL};
    const aldis_timer_opts opts = {.delay_ns = LOOK_NS, .period_ns = LOOK_NS};
    if (self->chart->scenario->limits.memory == 0)
        return ALDIS_OK;
    return aldis_timer_every_raw(ctx, &opts, &berth_due_type, &look, sizeof look, &timer);
}

static aldis_err station_start(void *state, const void *arg, aldis_ctx *ctx)
{
    const struct station_arg *given = arg;
    struct station *self = state;
    self->chart = given->chart;
    self->index = given->station;
    self->page = &given->chart->books->stations[given->station];
    self->dock = &self->page->dock;
    aldis_err err = grant_credit(self, ctx);
    if (err == ALDIS_OK)
        err = watch_berths(self, ctx);
    if (err != ALDIS_OK)
        return err;
    if (self->page->open)
        return go_on(self, ctx);
    const struct scenario_rate *rate = &self->chart->scenario->limits.docking_rate;
    const aldis_rate tokens = {
        .tokens = rate->requests, .period_ns = rate->per_ns, .burst = rate->burst};
    if (rate->requests > 0)
        err = aldis_bucket_init(&self->page->rate, &tokens, aldis_now(ctx));
    return err == ALDIS_OK ? station_open_market(self, ctx) : err;
}

static uint64_t station_digest(const void *state)
{
    const struct station *self = state;
    uint64_t digest = digest_mix(self->page->served, self->dock->history);
    digest = digest_mix(digest, (uint64_t)self->page->account.credits);
    digest = digest_mix(digest, (uint64_t)self->page->account.fuel);
    for (uint32_t i = 0; i < self->page->account.shape->kinds; i++)
        digest = digest_mix(digest, account_goods(&self->page->account)[i]);
    return digest;
}

ALDIS_BEHAVIOUR(station, struct station, STATION_PROTOCOL, .on_start = station_start,
                .on_undelivered = station_undelivered, .digest = station_digest);
