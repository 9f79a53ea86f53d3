// SPDX-License-Identifier: Apache-2.0
/* ship.c: the actor that flies from station to station. Layer: space.
 *
 * A ship is a state machine with one table: SHIP_TABLE below says for each message what it does in
 * each state. It has one timer: the next look at its position while it is under way, or the end of
 * its patience while it is at rest. */
#include "course.h"
#include "digest.h"
#include "protocol.h"

#include <aldis/timer.h>

#define HAZARDS_MAX 4
#define PUSH_PER_SECOND 0.05
#define CARGO_ITEMS_MAX 3
/* A ship that waits asks again this often, should the permission not have reached it. */
#define ASK_AGAIN_NS (5 * ALDIS_MINUTE)

struct ship {
    struct chart chart;
    enum space_ship_state state;
    uint32_t fleet;
    uint32_t station; /* where it is, or goes */
    uint32_t leg;     /* of the fleet's route */
    uint32_t order;   /* a station that it was sent to while docked, + 1; 0: none */
    uint32_t berth;
    struct motion motion;
    struct vec aim;
    aldis_ns moved_ns; /* the time of motion */
    aldis_ns asked_ns, estimate_ns, wait_ns;
    aldis_timer timer;
    struct navigation_hazard hazards[HAZARDS_MAX]; /* known; the past ones are free places */
    uint32_t prices[SCENARIO_COMMODITIES_MAX];     /* as last heard */
    struct manifest_item cargo[CARGO_ITEMS_MAX];
    uint32_t cargo_count;
};

/* ---- What a ship knows ---- */

static const struct scenario_fleet *fleet_of(const struct ship *self)
{
    return &self->chart.scenario->fleets.items[self->fleet];
}

static const struct scenario_class *class_of(const struct ship *self)
{
    return &self->chart.scenario->classes.items[fleet_of(self)->class];
}

static struct thrust thrust_of(const struct ship *self)
{
    const struct scenario_class *class = class_of(self);
    return (struct thrust){.speed = class->speed, .acceleration = class->acceleration};
}

static station_ref station_of(const struct ship *self)
{
    return self->chart.stations[self->station];
}

static bool takes_us(const struct ship *self, uint32_t station)
{
    return scenario_station_takes(&self->chart.scenario->stations.items[station], class_of(self));
}

/* ---- From state to state ---- */

static aldis_err arm_tick(struct ship *self, aldis_ctx *ctx, aldis_ns delay_ns)
{
    return aldis_timer_once(ctx, delay_ns, ship_tick, &self->timer);
}

static aldis_err arm_wake(struct ship *self, aldis_ctx *ctx, aldis_ns delay_ns)
{
    return aldis_timer_once(ctx, delay_ns, ship_wake, &self->timer);
}

static void disarm(struct ship *self, aldis_ctx *ctx)
{
    if (self->timer.bits != 0)
        (void)aldis_timer_cancel(ctx, self->timer);
    self->timer = (aldis_timer){0};
}

/* Leave a state and its timer behind, and tell the ledger. A ship goes on without one. */
static void enter(struct ship *self, aldis_ctx *ctx, enum space_ship_state state)
{
    disarm(self, ctx);
    enum space_ship_state from = self->state;
    self->state = state;
    (void)aldis_send(ctx, self->chart.ledger, ship_changed, .from = from, .to = state,
                     .station = self->station, .wait_ns = self->wait_ns,
                     .estimate_ns = self->estimate_ns);
}

/* Idle for up to rest_ns, at random, and no less than a hundredth of it: ships that were refused
 * together do not come back together. */
static aldis_err rest(struct ship *self, aldis_ctx *ctx)
{
    aldis_ns rest_ns = fleet_of(self)->rest_ns;
    enter(self, ctx, SHIP_idle);
    return arm_wake(self, ctx,
                    rest_ns / 100 + (aldis_ns)aldis_random_below(ctx, (uint64_t)rest_ns + 1));
}

/* ---- Cargo ---- */

/* Share the hold among up to three goods at random, at the prices last heard. */
static void load_cargo(struct ship *self, aldis_ctx *ctx)
{
    uint32_t goods = self->chart.scenario->market.commodities.count;
    uint32_t left = class_of(self)->cargo_t;
    self->cargo_count = 0;
    while (goods > 0 && left > 0 && self->cargo_count < CARGO_ITEMS_MAX) {
        uint32_t kind = (uint32_t)aldis_random_below(ctx, goods);
        bool last = self->cargo_count == CARGO_ITEMS_MAX - 1;
        uint32_t tonnes = last ? left : 1 + (uint32_t)aldis_random_below(ctx, left);
        self->cargo[self->cargo_count++] = (struct manifest_item){
            .commodity = kind, .tonnes = tonnes, .unit_value = self->prices[kind]};
        left -= tonnes;
    }
}

/* ---- Flying ---- */

static struct vec station_position(const struct ship *self, aldis_ns now_ns)
{
    return scenario_station_position(self->chart.scenario, self->station, now_ns);
}

/* Look again after a tick, or on arrival if that is sooner. */
static aldis_err keep_course(struct ship *self, aldis_ctx *ctx)
{
    struct thrust thrust = thrust_of(self);
    aldis_ns tick_ns = self->chart.scenario->tick_ns;
    double eta_ns = motion_eta(&self->motion, self->aim, &thrust) * 1e9;
    return arm_tick(self, ctx, eta_ns < (double)tick_ns ? (aldis_ns)eta_ns + 1 : tick_ns);
}

/* Aim at where the station will be. */
static aldis_err steer(struct ship *self, aldis_ctx *ctx)
{
    struct thrust thrust = thrust_of(self);
    self->aim =
        course_meet(self->chart.scenario, self->station, &self->motion, &thrust, self->moved_ns);
    return keep_course(self, ctx);
}

static aldis_err fly_to(struct ship *self, aldis_ctx *ctx, uint32_t station)
{
    self->station = station;
    self->moved_ns = aldis_now(ctx);
    enter(self, ctx, SHIP_flying);
    return steer(self, ctx);
}

/* The next on the route, or any other that has a berth for us. */
static uint32_t choose_destination(struct ship *self, aldis_ctx *ctx)
{
    const struct scenario_route *route = &fleet_of(self)->route;
    if (self->order > 0) {
        uint32_t ordered = self->order - 1;
        self->order = 0;
        return ordered;
    }
    if (route->count > 0) {
        self->leg = (self->leg + 1) % route->count;
        return route->stations[self->leg];
    }
    uint32_t count = self->chart.scenario->stations.count, able = 0;
    for (uint32_t i = 0; i < count; i++)
        able += i != self->station && takes_us(self, i);
    uint64_t pick = aldis_random_below(ctx, able);
    uint32_t chosen = self->station;
    for (uint32_t i = 0; i < count; i++)
        if (i != self->station && takes_us(self, i) && pick-- == 0)
            chosen = i;
    return chosen;
}

static aldis_err depart(struct ship *self, aldis_ctx *ctx)
{
    /* Clamped to the station it has gone round with it; it casts off at rest. */
    self->motion = (struct motion){.position = station_position(self, aldis_now(ctx))};
    load_cargo(self, ctx);
    return fly_to(self, ctx, choose_destination(self, ctx));
}

/* Hazards that we are in drive us off the course. false: there are none. */
static bool drift(struct ship *self, aldis_ns now_ns, double seconds)
{
    struct vec before = self->motion.position;
    for (uint32_t i = 0; i < HAZARDS_MAX; i++) {
        const struct navigation_hazard *hazard = &self->hazards[i];
        if (hazard->until_ns > now_ns)
            self->motion.position = motion_pushed(self->motion.position, hazard->place,
                                                  hazard->radius, PUSH_PER_SECOND, seconds);
    }
    return vec_length(vec_sub(self->motion.position, before)) > 0;
}

/* Carry the motion on to now. false: it has left its course, or has come to the end of it. */
static bool move(struct ship *self, aldis_ns now_ns)
{
    struct thrust thrust = thrust_of(self);
    double seconds = (double)(now_ns - self->moved_ns) * 1e-9;
    self->moved_ns = now_ns;
    motion_advance(&self->motion, self->aim, &thrust, seconds);
    bool drifted = drift(self, now_ns, seconds);
    return !drifted && vec_length(self->motion.velocity) > 0;
}

/* Where the station is costs more than all the rest of a look; most ships are not at rest. */
static bool has_arrived(const struct ship *self, aldis_ns now_ns)
{
    if (vec_length(self->motion.velocity) > 0)
        return false;
    struct vec way = vec_sub(station_position(self, now_ns), self->motion.position);
    return vec_length(way) <= class_of(self)->arrival;
}

/* ---- At a station ---- */

static aldis_err send_request(struct ship *self, aldis_ctx *ctx)
{
    const struct scenario_class *class = class_of(self);
    struct request_docking request = {.specs = {.class = fleet_of(self)->class,
                                                .cargo_t = class->cargo_t,
                                                .length_m = class->length_m,
                                                .mass_t = class->mass_t},
                                      .item_count = self->cargo_count};
    for (uint32_t i = 0; i < self->cargo_count; i++)
        request.items[i] = self->cargo[i];
    /* A station that is gone: try another after a rest. */
    if (aldis_send_copy(ctx, station_of(self), request_docking, &request) != ALDIS_OK)
        return rest(self, ctx);
    return arm_wake(self, ctx, ASK_AGAIN_NS);
}

static aldis_err ask_for_berth(struct ship *self, aldis_ctx *ctx)
{
    self->asked_ns = aldis_now(ctx);
    self->estimate_ns = 0;
    enter(self, ctx, SHIP_waiting);
    return send_request(self, ctx);
}

/* Give up what we have or hope for here. What cannot be told to a station that is gone is lost. */
static void give_up(struct ship *self, aldis_ctx *ctx)
{
    (void)aldis_signal(ctx, station_of(self), undock);
}

static aldis_err go_to_berth(struct ship *self, aldis_ctx *ctx, uint32_t berth)
{
    const struct scenario_station *station = &self->chart.scenario->stations.items[self->station];
    self->berth = berth;
    self->wait_ns = aldis_now(ctx) - self->asked_ns;
    enter(self, ctx, SHIP_docking);
    return arm_tick(self, ctx, station->approach_ns);
}

/* The longest that a service takes, and time to hear of its end. */
static aldis_ns patience_ns(const struct ship *self)
{
    const struct scenario_station *station = &self->chart.scenario->stations.items[self->station];
    return 2 * station->service_ns + station->permission_ns;
}

/* ---- Actions: what a message does in a state ---- */

static aldis_err refuse_tick(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)msg;
    return aldis_fail(ctx, "a tick for a ship that is not under way");
}

static aldis_err refuse_wake(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)msg;
    return aldis_fail(ctx, "a wake for a ship that is not at rest");
}

static bool is_station(const struct ship *self, const struct set_destination *msg)
{
    return msg->station < self->chart.scenario->stations.count && takes_us(self, msg->station);
}

static aldis_err order_idle(struct ship *self, const struct set_destination *msg, aldis_ctx *ctx)
{
    if (!is_station(self, msg))
        return aldis_fail(ctx, "ordered to a station that cannot take the ship");
    self->order = msg->station + 1;
    return depart(self, ctx);
}

static aldis_err order_flying(struct ship *self, const struct set_destination *msg, aldis_ctx *ctx)
{
    if (!is_station(self, msg))
        return aldis_fail(ctx, "ordered to a station that cannot take the ship");
    (void)move(self, aldis_now(ctx)); /* the new course is planned in any case */
    self->station = msg->station;
    disarm(self, ctx);
    return steer(self, ctx);
}

static aldis_err order_queued(struct ship *self, const struct set_destination *msg, aldis_ctx *ctx)
{
    if (!is_station(self, msg))
        return aldis_fail(ctx, "ordered to a station that cannot take the ship");
    self->order = msg->station + 1;
    give_up(self, ctx);
    return depart(self, ctx);
}

/* The service is not broken off; the order is carried out after it. */
static aldis_err order_docked(struct ship *self, const struct set_destination *msg, aldis_ctx *ctx)
{
    if (!is_station(self, msg))
        return aldis_fail(ctx, "ordered to a station that cannot take the ship");
    self->order = msg->station + 1;
    return ALDIS_OK;
}

static aldis_err fly_on(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    aldis_ns now_ns = aldis_now(ctx);
    self->timer = (aldis_timer){0};
    bool on_course = move(self, now_ns);
    if (has_arrived(self, now_ns))
        return ask_for_berth(self, ctx);
    return on_course ? keep_course(self, ctx) : steer(self, ctx);
}

static aldis_err reach_berth(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    self->timer = (aldis_timer){0};
    if (aldis_send(ctx, station_of(self), docked, .berth = self->berth) != ALDIS_OK)
        return rest(self, ctx);
    enter(self, ctx, SHIP_docked);
    return arm_wake(self, ctx, patience_ns(self));
}

static aldis_err wake_idle(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    self->timer = (aldis_timer){0};
    return depart(self, ctx);
}

static aldis_err ask_again(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    self->timer = (aldis_timer){0};
    return send_request(self, ctx);
}

/* Nobody has told us that the service is over: leave all the same. */
static aldis_err lose_patience(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    self->timer = (aldis_timer){0};
    give_up(self, ctx);
    return rest(self, ctx);
}

/* An answer to a request that we have given up since. */
static aldis_err decline(struct ship *self, const struct docking_permission *msg, aldis_ctx *ctx)
{
    (void)self;
    station_ref from = {.id = aldis_sender(ctx)};
    if (msg->verdict != DOCKING_REFUSED)
        (void)aldis_signal(ctx, from, undock);
    return ALDIS_OK;
}

static aldis_err hear_answer(struct ship *self, const struct docking_permission *msg,
                             aldis_ctx *ctx)
{
    if (!aldis_id_equal(aldis_sender(ctx), station_of(self).id))
        return decline(self, msg, ctx); /* from where we were before */
    switch (msg->verdict) {
    case DOCKING_GRANTED:
        return go_to_berth(self, ctx, msg->berth);
    case DOCKING_QUEUED:
        if (self->estimate_ns == 0)
            self->estimate_ns = msg->estimated_wait_ns;
        return ALDIS_OK;
    case DOCKING_REFUSED:
        break;
    }
    (void)aldis_signal(ctx, self->chart.ledger, ship_refused);
    return rest(self, ctx);
}

/* On the way to the berth or in it, the only news is that the permission has expired: ask again. */
static aldis_err hear_expiry(struct ship *self, const struct docking_permission *msg,
                             aldis_ctx *ctx)
{
    if (!aldis_id_equal(aldis_sender(ctx), station_of(self).id))
        return decline(self, msg, ctx);
    return msg->verdict == DOCKING_REFUSED ? ask_for_berth(self, ctx) : ALDIS_OK;
}

static aldis_err leave_berth(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    if (!aldis_id_equal(aldis_sender(ctx), station_of(self).id))
        return ALDIS_OK;
    give_up(self, ctx);
    return self->order > 0 ? depart(self, ctx) : rest(self, ctx);
}

/* The end of a service that we have left already. */
static aldis_err left_already(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)msg;
    (void)ctx;
    return ALDIS_OK;
}

/* Keep the warning in place of a past one, else of the one that ends first, if that is sooner. */
static aldis_err note_hazard(struct ship *self, const struct navigation_hazard *msg, aldis_ctx *ctx)
{
    (void)ctx;
    struct navigation_hazard *first = &self->hazards[0];
    for (uint32_t i = 1; i < HAZARDS_MAX; i++)
        if (self->hazards[i].until_ns < first->until_ns)
            first = &self->hazards[i];
    if (msg->until_ns > first->until_ns)
        *first = *msg;
    return ALDIS_OK;
}

static aldis_err note_prices(struct ship *self, const struct market_update *msg, aldis_ctx *ctx)
{
    (void)ctx;
    for (uint32_t i = 0; i < msg->change_count; i++)
        self->prices[msg->changes[i].commodity] = msg->changes[i].price;
    return ALDIS_OK;
}

/* ---- The table ---- */

// clang-format off
#define SHIP_TABLE(X)                                                                             \
    /* message             idle          flying        waiting       docking       docked */      \
    X(set_destination,    order_idle,   order_flying, order_queued, order_queued, order_docked)   \
    X(ship_tick,          refuse_tick,  fly_on,       refuse_tick,  reach_berth,  refuse_tick)    \
    X(ship_wake,          wake_idle,    refuse_wake,  ask_again,    refuse_wake,  lose_patience)  \
    X(docking_permission, decline,      decline,      hear_answer,  hear_expiry,  hear_expiry)    \
    X(service_done,       left_already, left_already, left_already, left_already, leave_berth)    \
    X(navigation_hazard,  note_hazard,  note_hazard,  note_hazard,  note_hazard,  note_hazard)    \
    X(market_update,      note_prices,  note_prices,  note_prices,  note_prices,  note_prices)
// clang-format on

_Static_assert(SHIP_docked == 4 && SPACE_SHIP_STATE_COUNT == 5, "the table's columns");

/* The handler of a message: its row of the table. */
#define SHIP_ROW(message, idle, flying, waiting, docking, docked_)                                 \
    static aldis_err ship_on_##message(struct ship *self, const message##_payload *msg,            \
                                       aldis_ctx *ctx)                                             \
    {                                                                                              \
        static aldis_err (*const row[])(struct ship *, const message##_payload *,                  \
                                        aldis_ctx *) = {idle, flying, waiting, docking, docked_};  \
        return row[self->state](self, msg, ctx);                                                   \
    }
SHIP_TABLE(SHIP_ROW)

/* ---- Life ---- */

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct ship *self = state;
    const struct ship_arg *given = arg;
    self->chart = given->chart;
    self->fleet = given->fleet;
    self->station = given->home;
    self->leg = given->leg;
    self->state = SHIP_idle;
    const struct scenario_market *market = &self->chart.scenario->market;
    for (uint32_t i = 0; i < market->commodities.count; i++)
        self->prices[i] = market->commodities.items[i].price;
    uint64_t departure_ns = (uint64_t)fleet_of(self)->departure_ns;
    return arm_wake(self, ctx, (aldis_ns)aldis_random_below(ctx, departure_ns + 1));
}

/* What we sent to the station did not reach it, and no answer will come. */
static void ship_undelivered(void *state, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    struct ship *self = state;
    bool at_station =
        self->state == SHIP_waiting || self->state == SHIP_docking || self->state == SHIP_docked;
    if (at_station && aldis_id_equal(notice->to, station_of(self).id))
        (void)rest(self, ctx);
}

static const char *ship_state_name(const void *state)
{
#define STATE_NAME(name) #name,
    static const char *const names[] = {SPACE_SHIP_STATES(STATE_NAME)};
#undef STATE_NAME
    return names[((const struct ship *)state)->state];
}

static uint64_t ship_digest(const void *state)
{
    const struct ship *self = state;
    uint64_t digest = digest_mix(self->state, self->station);
    digest = digest_vec(digest, self->motion.position);
    digest = digest_vec(digest, self->motion.velocity);
    return digest_mix(digest, (uint64_t)self->moved_ns);
}

ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start,
                .on_undelivered = ship_undelivered, .state_name = ship_state_name,
                .digest = ship_digest);
