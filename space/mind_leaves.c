// SPDX-License-Identifier: Apache-2.0
/* mind_leaves.c: what the leaves of a ship's mind ask and do. See mind_leaves.h. Layer: space.
 *
 * An asynchronous leaf sets the ship on its way, and finds by the ship's state how that goes: the
 * ship knows no leaves. */
#include "mind_leaves.h"

#include "ship.h"

/* What a leaf of a ship is given. */
struct thought {
    struct ship *ship;
    aldis_ctx *ctx;
    aldis_err err; /* the first */
};

#define LEAF(name)                                                                                 \
    static enum mind_status name(struct mind_turn *turn, const struct mind_value *value,           \
                                 aldis_ns *memory, bool starts)

static struct ship *ship_of(const struct mind_turn *turn)
{
    return ((const struct thought *)turn->actor)->ship;
}

static aldis_ctx *ctx_of(const struct mind_turn *turn)
{
    return ((const struct thought *)turn->actor)->ctx;
}

static enum mind_status is(bool true_)
{
    return true_ ? MIND_SUCCESS : MIND_FAILURE;
}

/* What was done: it is under way now, or has failed. */
static enum mind_status done(const struct mind_turn *turn, aldis_err err)
{
    struct thought *thought = turn->actor;
    if (thought->err == ALDIS_OK)
        thought->err = err;
    return err == ALDIS_OK ? MIND_RUNNING : MIND_FAILURE;
}

/* ---- Questions ---- */

#define UNUSED ((void)value, (void)memory, (void)starts)

LEAF(has_goal)
{
    UNUSED;
    return is(ship_of(turn)->order > 0);
}

LEAF(is_loaded)
{
    UNUSED;
    const struct account *account = &ship_of(turn)->account;
    for (uint32_t i = 0; i < account->shape->kinds; i++)
        if (account_goods(account)[i] > 0)
            return MIND_SUCCESS;
    return MIND_FAILURE;
}

LEAF(fuel_below)
{
    UNUSED;
    const struct account *account = &ship_of(turn)->account;
    return is((double)account->fuel < value->number * (double)account->shape->tank);
}

LEAF(is_damaged)
{
    UNUSED;
    const struct ship *self = ship_of(turn);
    return is((self->flags & SHIP_DAMAGED) || self->ill);
}

LEAF(is_docked)
{
    UNUSED;
    return is(ship_of(turn)->state == SHIP_docked);
}

LEAF(call_heard)
{
    UNUSED;
    const struct ship *self = ship_of(turn);
    return is((self->flags & SHIP_CALLED) &&
              turn->now_ns - self->extra->rare->rescue.heard_ns <= CALL_AGAIN_NS);
}

LEAF(hazard_near)
{
    UNUSED;
    const struct ship *self = ship_of(turn);
    for (uint32_t i = 0; self->extra && i < self->extra->hazard_count; i++) {
        const struct ship_hazard *hazard = &self->extra->hazards[i];
        double age = (double)(turn->now_ns - hazard->at_ns) * 1e-9;
        struct vec centre = vec_add(hazard->location, vec_scale(hazard->velocity, age));
        if (hazard->until_ns > turn->now_ns &&
            vec_length(vec_sub(centre, self->motion.position)) < hazard->radius + value->number)
            return MIND_SUCCESS;
    }
    return MIND_FAILURE;
}

LEAF(has_chance)
{
    UNUSED;
    return is(aldis_random_unit(ctx_of(turn)) < value->number);
}

/* ---- Where to ---- */

enum choice { CHOOSE_ROUTE, CHOOSE_NEAREST, CHOOSE_PROFIT, CHOOSE_PRODUCER, CHOOSE_CONSUMER };
static const char *const choices[] = {"route", "nearest", "profit", "producer", "consumer", NULL};

static const struct scenario_goods *goods_at(const struct ship *self, uint32_t station)
{
    return ship_chart(self)->scenario->stations.items[station].goods;
}

/* Tonnes an hour that it makes; or uses of what is in the hold or is made where the ship is. */
static double goods_of(const struct ship *self, uint32_t station, bool makes)
{
    double tonnes = 0;
    for (uint32_t i = 0; i < self->account.shape->kinds; i++) {
        bool carried =
            account_goods(&self->account)[i] > 0 || goods_at(self, self->station)[i].makes > 0;
        if (makes)
            tonnes += goods_at(self, station)[i].makes;
        else if (carried)
            tonnes += goods_at(self, station)[i].uses;
    }
    return tonnes;
}

/* Of all that it can reach, the best has the most of this; nothing is not worth a way. */
static double worth(const struct ship *self, enum choice choice, uint32_t station, double distance,
                    aldis_ns now_ns)
{
    switch (choice) {
    case CHOOSE_NEAREST:
        return 1 / (1 + distance);
    case CHOOSE_PROFIT:
        return ship_gain_at(self, station, now_ns);
    case CHOOSE_PRODUCER:
        return goods_of(self, station, true) / (1 + distance);
    case CHOOSE_CONSUMER:
        return goods_of(self, station, false) / (1 + distance);
    case CHOOSE_ROUTE:
        break;
    }
    return 0;
}

/* The best of those that take it and are within reach; of equal ones the first. */
LEAF(choose)
{
    (void)memory;
    (void)starts;
    struct ship *self = ship_of(turn);
    const struct scenario *scenario = ship_chart(self)->scenario;
    enum choice choice = (enum choice)value->count;
    if (choice == CHOOSE_ROUTE) {
        ship_set_goal(self, ship_choose_station(self, ctx_of(turn)));
        return MIND_SUCCESS;
    }
    double best = 0, reach = ship_reach(self);
    uint32_t chosen = SHIP_NO_STATION;
    for (uint32_t i = 0; i < scenario->stations.count; i++) {
        struct vec way =
            vec_sub(scenario_station_position(scenario, i, turn->now_ns), self->motion.position);
        double distance = vec_length(way);
        if (!ship_fits(self, i) || distance * 1.1 >= reach ||
            (i == self->station && choice != CHOOSE_NEAREST))
            continue;
        double found = worth(self, choice, i, distance, turn->now_ns);
        if (found > best) {
            best = found;
            chosen = i;
        }
    }
    if (chosen != SHIP_NO_STATION)
        ship_set_goal(self, chosen);
    return is(chosen != SHIP_NO_STATION);
}

/* ---- Journeys ---- */

static bool is_at(const struct ship *self, uint32_t station, aldis_ns now_ns)
{
    struct vec way = vec_sub(scenario_station_position(ship_chart(self)->scenario, station, now_ns),
                             self->motion.position);
    return vec_length(way) < 2 * ship_class(self)->arrival;
}

/* On to its goal from whatever it does. */
static aldis_err set_out(struct ship *self, aldis_ctx *ctx)
{
    uint32_t goal = self->order - UINT32_C(1);
    if (self->state == SHIP_docked)
        ship_give_up(self, ctx);
    if (self->state != SHIP_flying)
        return ship_depart(self, ctx);
    self->order = 0;
    return ship_turn_to(self, ctx, goal);
}

/* memory: the station that it goes to, + 1; below 0 when it is there. */
LEAF(dock)
{
    (void)value;
    struct ship *self = ship_of(turn);
    if (starts && self->order == 0)
        return MIND_FAILURE;
    if (starts) {
        *memory = self->order;
        bool here = self->state == SHIP_idle && self->order == self->station + 1;
        if (!here || !is_at(self, self->station, self->moved_ns))
            return done(turn, set_out(self, ctx_of(turn)));
        self->order = 0;
        return done(turn, ship_ask_for_berth(self, ctx_of(turn)));
    }
    if (self->state == SHIP_docked)
        return is(self->station + 1 == *memory);
    if (self->state == SHIP_idle && self->order == *memory) /* the weather had held it */
        return done(turn, set_out(self, ctx_of(turn)));
    return self->state == SHIP_idle ? MIND_FAILURE : MIND_RUNNING;
}

/* memory: the station. */
LEAF(visit)
{
    (void)value;
    struct ship *self = ship_of(turn);
    if (starts && self->order == 0)
        return MIND_FAILURE;
    bool held = !starts && self->state == SHIP_idle && self->order == *memory;
    if (starts)
        *memory = self->order;
    if (starts || held) {
        aldis_err err = set_out(self, ctx_of(turn));
        if (self->state == SHIP_flying)
            self->flags |= SHIP_VISITS;
        return done(turn, err);
    }
    if (self->state == SHIP_idle)
        return is(self->station + 1 == *memory);
    return self->state == SHIP_docked ? MIND_SUCCESS : MIND_RUNNING;
}

/* It turns to something else, or in the end makes fast where it was to look only. */
static void end_visit(struct mind_turn *turn, const struct mind_value *value, aldis_ns *memory)
{
    (void)value;
    (void)memory;
    ship_of(turn)->flags &= (uint8_t)~SHIP_VISITS;
}

/* memory: until when. */
LEAF(wait_for)
{
    if (starts)
        *memory = turn->now_ns + value->time_ns;
    if (turn->now_ns >= *memory)
        return MIND_SUCCESS;
    if (*memory < turn->wake_ns)
        turn->wake_ns = *memory;
    return MIND_RUNNING;
}

LEAF(trade)
{
    (void)value;
    (void)memory;
    struct ship *self = ship_of(turn);
    if (!starts)
        return self->state == SHIP_idle ? MIND_SUCCESS : MIND_RUNNING;
    if (self->state != SHIP_docked)
        return MIND_FAILURE;
    return done(turn, ship_begin_business(self, ctx_of(turn)));
}

/* ---- Others ---- */

LEAF(answer_call)
{
    struct ship *self = ship_of(turn);
    if (starts) {
        if (call_heard(turn, value, memory, starts) != MIND_SUCCESS ||
            (self->state != SHIP_idle && self->state != SHIP_flying))
            return MIND_FAILURE;
        return done(turn, ship_answer_call(self, ctx_of(turn)));
    }
    if (self->state == SHIP_flying && self->mission == MISSION_RESCUE)
        return MIND_RUNNING;
    return is(self->state == SHIP_idle);
}

/* The caller is told that nobody comes, when the ship turns to something else (ship_turn_to); one
 * that ends on the way goes on to where it went before. */

#define PREY_MAX 8

/* One of those that were near at their last look, at random. */
LEAF(raid)
{
    (void)memory;
    (void)starts;
    struct ship *self = ship_of(turn);
    struct vec at = self->motion.position;
    aldis_found found[PREY_MAX];
    uint32_t count = 0, near = 0;
    if (aldis_place_nearest(ctx_of(turn), ship_chart(self)->nearby.sky,
                            (aldis_point){at.x, at.y, at.z}, ship_chart(self)->nearby.ships,
                            PREY_MAX, found, &count) != ALDIS_OK)
        return MIND_FAILURE;
    while (near < count && found[near].distance < value->number)
        near++;
    if (near == 0)
        return MIND_FAILURE;
    ship_ref prey = {.id = found[aldis_random_below(ctx_of(turn), near)].actor};
    NEW_MESSAGE(HandleEmergency, fright);
    fright.kind = EMERGENCY_PIRATES;
    return is(SHIP_SAY(self, ctx_of(turn), prey, handle_emergency, &fright) == ALDIS_OK);
}

#define DAY_S 86400.0
#define ASKS(name_, tick_) .name = (name_), .tick = (tick_), .asks = true
#define ACTS(name_, tick_) .name = (name_), .tick = (tick_)
#define STEERS(name_, tick_) ACTS(name_, tick_), .steers = true

const struct mind_leaf ship_leaves[] = {
    {ASKS("has_goal", has_goal)},
    {ASKS("loaded", is_loaded)},
    {ASKS("fuel_below", fuel_below), .param = MIND_NUMBER, .max = 1},
    {ASKS("damaged", is_damaged)},
    {ASKS("docked", is_docked)},
    {ASKS("call_heard", call_heard)},
    {ASKS("hazard_near", hazard_near), .param = MIND_DISTANCE, .max = 1e9},
    {ASKS("chance", has_chance), .param = MIND_NUMBER, .max = 1},
    {STEERS("choose", choose), .param = MIND_WORD, .words = choices},
    {STEERS("dock", dock)},
    {STEERS("visit", visit), .halt = end_visit},
    {ACTS("wait", wait_for), .param = MIND_TIME, .min = 1e-3, .max = 30 * DAY_S},
    {STEERS("trade", trade)},
    {STEERS("answer_call", answer_call)},
    {ACTS("raid", raid), .param = MIND_DISTANCE, .max = 1e9},
    {.name = NULL}};

/* ---- Ticks ---- */

struct mind *ship_mind(const struct ship *self, const struct mind_tree **out_tree)
{
    const struct scenario_fleet *fleet = ship_fleet(self);
    const struct minds *minds = &ship_chart(self)->books->minds;
    *out_tree = NULL;
    if (fleet->mind == 0)
        return NULL;
    uint32_t number = ship_number(self) - fleet->first;
    *out_tree = &ship_chart(self)->scenario->minds.items[fleet->mind - 1].tree;
    char *of_fleet = minds->bytes + minds->fleet_at[ship_kin(self)->number];
    return (struct mind *)(void *)(of_fleet + number * mind_bytes(*out_tree));
}

bool ship_has_mind(const struct ship *self)
{
    return ship_fleet(self)->mind > 0;
}

bool ship_is_pirate(const struct ship *self)
{
    const struct mind_tree *tree;
    if (!ship_mind(self, &tree))
        return false;
    for (uint32_t i = 0; i < tree->count; i++)
        if (tree->nodes[i].kind == MIND_leaf && tree->leaves[tree->nodes[i].leaf].tick == raid)
            return true;
    return false;
}

/* true: the ship has been set on something, and its timer with it. out_wake_ns: when to think again
 * at the latest. */
static bool think(struct ship *self, aldis_ctx *ctx, aldis_err *out_err, aldis_ns *out_wake_ns)
{
    const struct mind_tree *tree;
    struct mind *mind = ship_mind(self, &tree);
    *out_err = ALDIS_OK;
    *out_wake_ns = ALDIS_FOREVER;
    if (!mind)
        return false;
    struct thought thought = {.ship = self, .ctx = ctx};
    struct mind_turn turn = {.actor = &thought, .now_ns = aldis_now(ctx)};
    aldis_ns due_ns = self->due_ns;
    self->due_ns = ALDIS_FOREVER; /* whatever it is set on arms its timer */
    /* One that has ended begins anew at once, but no oftener. */
    for (int rounds = 0; rounds < 2 && self->due_ns == ALDIS_FOREVER && thought.err == ALDIS_OK;
         rounds++)
        if (mind_tick(tree, mind, &turn) == MIND_RUNNING)
            break;
    *out_err = thought.err;
    *out_wake_ns = turn.wake_ns;
    bool is_set = self->due_ns != ALDIS_FOREVER;
    if (!is_set)
        self->due_ns = due_ns;
    return is_set || thought.err != ALDIS_OK;
}

/* Nothing to do: think again when something is due, or after a rest. */
aldis_err ship_think_at_rest(struct ship *self, aldis_ctx *ctx)
{
    aldis_err err;
    aldis_ns wake_ns, now_ns = aldis_now(ctx);
    if (think(self, ctx, &err, &wake_ns))
        return err;
    aldis_ns rest_ns = ship_fleet(self)->rest_ns;
    if (rest_ns < ship_chart(self)->scenario->tick_ns)
        rest_ns = ship_chart(self)->scenario->tick_ns;
    bool soon = wake_ns < ALDIS_FOREVER;
    return ship_arm(self, ctx, soon ? wake_ns - now_ns : rest_ns);
}

aldis_err ship_think_in_berth(struct ship *self, aldis_ctx *ctx)
{
    aldis_err err;
    aldis_ns wake_ns;
    if (think(self, ctx, &err, &wake_ns))
        return err;
    ship_give_up(self, ctx);
    return ship_rest(self, ctx);
}

bool ship_think_under_way(struct ship *self, aldis_ctx *ctx, aldis_err *out_err)
{
    aldis_ns wake_ns;
    return think(self, ctx, out_err, &wake_ns);
}
