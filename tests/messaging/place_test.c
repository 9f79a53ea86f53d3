// SPDX-License-Identifier: Apache-2.0
/* place_test.c: positions, spheres, the nearest, and watches; in both clocks. What is found is
 * compared with looking at everybody. */
#include "core/fixture.h"

#include "base/hash.h"
#include <math.h>
#include <stdlib.h>

/* ------------------------------------------------------------------ scouts */

struct scout;

/* Do something inside a scout. */
struct order {
    aldis_err (*run)(struct scout *self, const struct order *order, aldis_ctx *ctx);
    aldis_sphere sphere;
    uint64_t a, b;
};
ALDIS_MESSAGE(order, struct order);
ALDIS_MESSAGE(hail, uint64_t);

#define SCOUT_PROTOCOL(X, kind)                                                                    \
    X(kind, order) X(kind, hail) X(kind, aldis_entered) X(kind, aldis_left) X(kind, aldis_moved)
ALDIS_PROTOCOL(scout, SCOUT_PROTOCOL);
#define DEAF_PROTOCOL(X, kind) X(kind, order)
ALDIS_PROTOCOL(deaf, DEAF_PROTOCOL);

enum { SCOUTS = 64, SEEN_MAX = 4096 };

struct scout {
    uint32_t number;
};

/* What the test's thread and the scouts share; the scouts write between two settles. */
static aldis_place sol;
static scout_ref scouts[SCOUTS];
static uint64_t hails[SCOUTS];
static struct seen {
    char what; /* + - ~ */
    aldis_id actor;
    uint32_t tag;
    double x;
} seen[SCOUTS][SEEN_MAX];
static uint32_t seen_count[SCOUTS];
static aldis_err outcome;
static aldis_fanout fanout;
static aldis_found found[SCOUTS];
static size_t found_count;

static aldis_err scout_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct scout *self = state;
    (void)ctx;
    memcpy(&self->number, arg, sizeof self->number);
    return ALDIS_OK;
}

static aldis_err scout_on_order(struct scout *self, const struct order *order, aldis_ctx *ctx)
{
    return order->run(self, order, ctx);
}

static aldis_err scout_on_hail(struct scout *self, const uint64_t *value, aldis_ctx *ctx)
{
    (void)value;
    (void)ctx;
    hails[self->number]++;
    return ALDIS_OK;
}

static aldis_err note(const struct scout *self, char what, const aldis_place_event *event)
{
    EXPECT_UINT(event->place.number, sol.number);
    if (seen_count[self->number] < SEEN_MAX)
        seen[self->number][seen_count[self->number]++] =
            (struct seen){what, event->actor, event->tag, event->at.x};
    return ALDIS_OK;
}

static aldis_err scout_on_aldis_entered(struct scout *self, const aldis_place_event *event,
                                        aldis_ctx *ctx)
{
    (void)ctx;
    return note(self, '+', event);
}

static aldis_err scout_on_aldis_left(struct scout *self, const aldis_place_event *event,
                                     aldis_ctx *ctx)
{
    (void)ctx;
    return note(self, '-', event);
}

static aldis_err scout_on_aldis_moved(struct scout *self, const aldis_place_event *event,
                                      aldis_ctx *ctx)
{
    (void)ctx;
    return note(self, '~', event);
}

static aldis_err deaf_on_order(struct scout *self, const struct order *order, aldis_ctx *ctx)
{
    return order->run(self, order, ctx);
}

ALDIS_BEHAVIOUR(scout, struct scout, SCOUT_PROTOCOL, .on_start = scout_start);
ALDIS_BEHAVIOUR(deaf, struct scout, DEAF_PROTOCOL);

static void open_world(struct fixture *f, const aldis_place_opts *opts)
{
    aldis_place_opts quick = opts ? *opts : (aldis_place_opts){0};
    quick.refresh_ns = 1; /* live: what is waited for is not the wall clock */
    fixture_open(f, NULL);
    CHECK_OK(aldis_place_open(f->system, "sol", &quick, &sol));
    memset(hails, 0, sizeof hails);
    memset(seen_count, 0, sizeof seen_count);
}

static void spawn_scout(struct fixture *f, uint32_t number, const aldis_mailbox_opts *mailbox)
{
    aldis_spawn_opts opts = {.arg = &number,
                             .arg_size = sizeof number,
                             .placement = ALDIS_PLACE_SHARD,
                             .shard = number % aldis_system_shards(f->system)};
    if (mailbox)
        opts.mailbox = *mailbox;
    CHECK_OK(aldis_spawn(f->system, scout, &scouts[number], &opts));
}

static void spawn_scouts(struct fixture *f, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        spawn_scout(f, i, NULL);
}

/* From outside: make a scout run a function. */
static void order(struct fixture *f, uint32_t number,
                  aldis_err (*run)(struct scout *self, const struct order *order, aldis_ctx *ctx),
                  struct order what)
{
    what.run = run;
    CHECK_OK(aldis_send_copy(f->system, scouts[number], order, &what));
}

static aldis_err do_set(struct scout *self, const struct order *order, aldis_ctx *ctx)
{
    (void)self;
    const aldis_point *at = &order->sphere.centre;
    EXPECT_OK(aldis_place_set(ctx, sol, at->x, at->y, at->z));
    return ALDIS_OK;
}

static aldis_err do_leave(struct scout *self, const struct order *order, aldis_ctx *ctx)
{
    (void)self;
    (void)order;
    EXPECT_OK(aldis_place_leave(ctx, sol));
    return ALDIS_OK;
}

static aldis_err do_tell(struct scout *self, const struct order *order, aldis_ctx *ctx)
{
    (void)self;
    uint64_t value = 1;
    fanout = (aldis_fanout){77, 77, 77, 77};
    outcome = aldis_place_tell_raw(
        ctx, sol, &order->sphere,
        &(aldis_send_item){.type = &hail_type, .payload = &value, .size = sizeof value},
        (unsigned)order->a, &fanout);
    return ALDIS_OK;
}

static aldis_err do_within(struct scout *self, const struct order *order, aldis_ctx *ctx)
{
    (void)self;
    outcome = aldis_place_within(ctx, sol, &order->sphere, found, SCOUTS, &found_count);
    return ALDIS_OK;
}

static aldis_err do_nearest(struct scout *self, const struct order *order, aldis_ctx *ctx)
{
    (void)self;
    uint32_t count = 0;
    outcome = aldis_place_nearest(ctx, sol, order->sphere.centre, order->sphere.kind,
                                  (uint32_t)order->a, found, &count);
    found_count = count;
    return ALDIS_OK;
}

static aldis_err do_watch(struct scout *self, const struct order *order, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_OK(aldis_place_watch(ctx, sol, &order->sphere, (uint32_t)order->b, (unsigned)order->a));
    return ALDIS_OK;
}

static aldis_err do_unwatch(struct scout *self, const struct order *order, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_OK(aldis_place_unwatch(ctx, sol, (uint32_t)order->b));
    return ALDIS_OK;
}

static aldis_point seen_at;

/* Scout b, or whoever has the id in a. */
static aldis_err do_where(struct scout *self, const struct order *order, aldis_ctx *ctx)
{
    (void)self;
    aldis_id who = order->a ? (aldis_id){order->a} : scouts[order->b].id;
    seen_at = (aldis_point){-7, -7, -7};
    outcome = aldis_place_where(ctx, sol, who, &seen_at);
    return ALDIS_OK;
}

static void set(struct fixture *f, uint32_t number, double x, double y, double z)
{
    order(f, number, do_set, (struct order){.sphere.centre = {x, y, z}});
}

static void watch(struct fixture *f, uint32_t number, double x, double radius, unsigned flags)
{
    order(f, number, do_watch,
          (struct order){.sphere = {{x, 0, 0}, radius, NULL}, .a = flags, .b = 7});
}

/* What a scout has been told since the last look: "+3@1 -3@5 ..." by number and x. */
static const char *told(uint32_t number)
{
    static char text[8192];
    size_t size = 0;
    text[0] = 0;
    for (uint32_t i = 0; i < seen_count[number]; i++) {
        const struct seen *s = &seen[number][i];
        uint32_t who = 0;
        while (who < SCOUTS && !aldis_id_equal(scouts[who].id, s->actor))
            who++;
        CHECK(size < sizeof text - 64);
        size += (size_t)snprintf(text + size, sizeof text - size, "%s%c%u@%g", i ? " " : "",
                                 s->what, who, s->x);
    }
    seen_count[number] = 0;
    return text;
}

/* ------------------------------------------------------------------ telling and looking */

static void look_for(struct fixture *f, uint32_t asker, uint32_t number)
{
    order(f, asker, do_where, (struct order){.b = number});
    fixture_settle(f);
}

TEST_EACH(where_an_actor_is_can_be_asked)
{
    open_world(f, &(aldis_place_opts){.lookup = true});
    spawn_scouts(f, SCOUTS);
    look_for(f, 0, 1);
    CHECK_ERR(outcome, ALDIS_ENOTFOUND); /* nobody has said anything yet */
    for (uint32_t round = 1; round <= 3; round++) {
        for (uint32_t i = 0; i < SCOUTS; i += round)
            set(f, i, 100.0 * round + i, i, -1.0 * i);
        fixture_settle(f);
        for (uint32_t i = 0; i < SCOUTS; i += round) {
            look_for(f, (i + 1) % SCOUTS, i);
            CHECK_ERR(outcome, ALDIS_OK);
            CHECK(seen_at.x == 100.0 * round + i && seen_at.y == i && seen_at.z == -1.0 * i);
        }
    }
    look_for(f, 0, 1); /* not set since the first round */
    CHECK(seen_at.x == 101);
    for (uint32_t i = 0; i < SCOUTS; i += 2)
        order(f, i, do_leave, (struct order){.a = 0});
    CHECK_OK(aldis_stop(f->system, scouts[1].id));
    fixture_settle(f);
    for (uint32_t i = 0; i < SCOUTS; i++) {
        look_for(f, 3, i);
        CHECK_ERR(outcome, i == 1 || i % 2 == 0 ? ALDIS_ENOTFOUND : ALDIS_OK);
        CHECK((outcome == ALDIS_OK) == (seen_at.y == i));
    }
    set(f, 2, 5, 2, 0); /* back again */
    fixture_settle(f);
    look_for(f, 2, 2);
    CHECK(outcome == ALDIS_OK && seen_at.x == 5);
}

TEST_EACH(where_is_refused_without_lookup_and_of_strangers)
{
    open_world(f, NULL);
    spawn_scouts(f, 2);
    set(f, 1, 1, 2, 3);
    fixture_settle(f);
    look_for(f, 0, 1);
    CHECK_ERR(outcome, ALDIS_ESTATE);
    CHECK_OK(aldis_place_open(f->system, "sky", &(aldis_place_opts){.lookup = true}, &sol));
    order(f, 0, do_where, (struct order){.a = UINT64_MAX});
    fixture_settle(f);
    CHECK_ERR(outcome, ALDIS_ENOTFOUND);
    CHECK_ERR(aldis_place_where(NULL, sol, scouts[1].id, &seen_at), ALDIS_EINVAL);
}

TEST_EACH(tell_reaches_those_inside_once)
{
    open_world(f, NULL);
    spawn_scouts(f, 6);
    for (uint32_t i = 0; i < 5; i++)
        set(f, i, 10.0 * i, 0, 0); /* scout 5 is nowhere */
    fixture_settle(f);
    order(f, 1, do_tell, (struct order){.sphere = {{10, 0, 0}, 10, NULL}});
    fixture_settle(f);
    CHECK_ERR(outcome, ALDIS_OK);
    CHECK_UINT(fanout.matched, 2); /* the surface belongs to it; not to itself */
    CHECK_UINT(fanout.delivered, 2);
    CHECK_UINT(hails[0] + hails[2], 2);
    CHECK_UINT(hails[1] + hails[3] + hails[4] + hails[5], 0);
    order(f, 1, do_tell,
          (struct order){.sphere = {{10, 0, 0}, 10, NULL}, .a = ALDIS_FANOUT_TO_SELF});
    fixture_settle(f);
    CHECK_UINT(fanout.matched, 3);
    CHECK_UINT(hails[1], 1);
    order(f, 5, do_tell,
          (struct order){.sphere = {{-10, 0, 0}, 5, NULL}, .a = ALDIS_FANOUT_SOMEONE});
    fixture_settle(f);
    CHECK_ERR(outcome, ALDIS_ENOSUBS);
}

TEST_EACH(kinds_are_told_apart)
{
    open_world(f, NULL);
    spawn_scouts(f, 3);
    deaf_ref deaf;
    CHECK_OK(aldis_spawn(f->system, deaf, &deaf, NULL));
    struct order here = {.run = do_set};
    CHECK_OK(aldis_send_copy(f->system, deaf, order, &here));
    for (uint32_t i = 0; i < 3; i++)
        set(f, i, 0, 0, 0);
    fixture_settle(f);
    order(f, 0, do_tell, (struct order){.sphere = {{0, 0, 0}, 1, NULL}});
    fixture_settle(f);
    CHECK_UINT(fanout.matched, 2);
    CHECK_UINT(fanout.skipped, 1); /* the deaf one does not accept it */
    order(f, 0, do_tell, (struct order){.sphere = {{0, 0, 0}, 1, &scout_behaviour}});
    fixture_settle(f);
    CHECK_UINT(fanout.matched, 2);
    CHECK_UINT(fanout.skipped, 0);
    order(f, 0, do_within, (struct order){.sphere = {{0, 0, 0}, 1, &deaf_behaviour}});
    fixture_settle(f);
    CHECK_UINT(found_count, 1);
    CHECK_UINT(found[0].actor.bits, deaf.id.bits);
    order(f, 0, do_nearest, (struct order){.sphere.kind = &deaf_behaviour, .a = 3});
    fixture_settle(f);
    CHECK_UINT(found_count, 1);
    CHECK_UINT(found[0].actor.bits, deaf.id.bits);
}

TEST_EACH(who_leaves_or_ends_is_found_no_more)
{
    open_world(f, NULL);
    spawn_scouts(f, 4);
    for (uint32_t i = 0; i < 4; i++)
        set(f, i, i, 0, 0);
    fixture_settle(f);
    order(f, 1, do_leave, (struct order){0});
    order(f, 1, do_leave, (struct order){0});
    CHECK_OK(aldis_stop(f->system, scouts[2].id));
    fixture_settle(f);
    order(f, 0, do_within, (struct order){.sphere = {{0, 0, 0}, 100, NULL}});
    fixture_settle(f);
    CHECK_UINT(found_count, 2);
    aldis_place_stats stats;
    CHECK_OK(aldis_place_get_stats(f->system, sol, &stats));
    CHECK_UINT(stats.members, 2);
    set(f, 1, 5, 0, 0); /* and comes back */
    fixture_settle(f);
    order(f, 0, do_nearest, (struct order){.a = 9});
    fixture_settle(f);
    CHECK_UINT(found_count, 2);
    CHECK_UINT(found[0].actor.bits, scouts[3].id.bits);
    CHECK_UINT(found[1].actor.bits, scouts[1].id.bits);
    CHECK(found[0].distance == 3 && found[1].distance == 5);
}

/* ------------------------------------------------------------------ against brute force */

struct model {
    uint64_t state;
    bool here[SCOUTS];
    aldis_point at[SCOUTS];
};

static uint64_t draw(struct model *m)
{
    m->state += UINT64_C(0x9e3779b97f4a7c15);
    return aldis__mix64(m->state);
}

static double coordinate(struct model *m, unsigned world)
{
    double unit = (double)(draw(m) >> 11) * 0x1p-53;
    switch (world) {
    case 0:
        return unit * 100 - 50;
    case 1: /* clusters far out */
        return 1e9 * (double)(draw(m) % 2) + unit;
    case 2: /* a lattice: many at equal distances, many at one point */
        return (double)(draw(m) % 4);
    default:
        return 3e15 + floor(unit * 8);
    }
}

static double distance2(const struct model *m, uint32_t i, const aldis_point *c)
{
    double dx = m->at[i].x - c->x, dy = m->at[i].y - c->y, dz = m->at[i].z - c->z;
    return dx * dx + dy * dy + dz * dz;
}

static void check_within(const struct model *m, const aldis_sphere *sphere)
{
    size_t count = 0;
    for (uint32_t i = 0; i < SCOUTS; i++)
        count += m->here[i] && distance2(m, i, &sphere->centre) <= sphere->radius * sphere->radius;
    CHECK_UINT(found_count, count);
    for (size_t k = 0; k < found_count; k++) {
        uint32_t who = 0;
        CHECK(k == 0 || found[k - 1].actor.bits < found[k].actor.bits);
        while (who < SCOUTS && !aldis_id_equal(scouts[who].id, found[k].actor))
            who++;
        CHECK(who < SCOUTS && m->here[who] && found[k].at.x == m->at[who].x);
        CHECK(found[k].distance == sqrt(distance2(m, who, &sphere->centre)));
    }
}

/* Asked by scout 0, which is not among them. */
static void check_nearest(const struct model *m, const aldis_point *from, uint64_t wanted)
{
    bool taken[SCOUTS] = {true};
    uint64_t others = 0;
    for (uint32_t i = 1; i < SCOUTS; i++)
        others += m->here[i];
    CHECK_UINT(found_count, wanted < others ? wanted : others);
    for (size_t k = 0; k < found_count; k++) {
        uint32_t best = SCOUTS;
        for (uint32_t i = 1; i < SCOUTS; i++) {
            if (!m->here[i] || taken[i])
                continue;
            double d = distance2(m, i, from);
            double b = best < SCOUTS ? distance2(m, best, from) : 0;
            if (best == SCOUTS || d < b || (!(d > b) && scouts[i].id.bits < scouts[best].id.bits))
                best = i;
        }
        CHECK(best < SCOUTS);
        taken[best] = true;
        CHECK_UINT(found[k].actor.bits, scouts[best].id.bits);
    }
}

static void move_some(struct fixture *f, struct model *m, unsigned world)
{
    uint64_t share = 1 + draw(m) % 8; /* few or many change: both ways into the grid */
    for (uint32_t i = 0; i < SCOUTS; i++) {
        if (draw(m) % share)
            continue;
        if (m->here[i] && draw(m) % 8 == 0) {
            m->here[i] = false;
            order(f, i, do_leave, (struct order){0});
            continue;
        }
        m->here[i] = true;
        m->at[i] = (aldis_point){coordinate(m, world), coordinate(m, world), coordinate(m, world)};
        set(f, i, m->at[i].x, m->at[i].y, m->at[i].z);
    }
    fixture_settle(f);
}

static void ask(struct fixture *f, struct model *m, unsigned world)
{
    static const double radii[] = {0, 1, 2, 5, 30, 1e9, 1e16};
    struct order o = {.sphere = {{coordinate(m, world), coordinate(m, world), coordinate(m, world)},
                                 radii[draw(m) % 7],
                                 NULL}};
    order(f, 0, do_within, o);
    fixture_settle(f);
    CHECK_ERR(outcome, ALDIS_OK);
    check_within(m, &o.sphere);
    o.a = 1 + draw(m) % (SCOUTS + 4);
    o.a = o.a > SCOUTS ? SCOUTS : o.a;
    order(f, 0, do_nearest, o);
    fixture_settle(f);
    CHECK_ERR(outcome, ALDIS_OK);
    check_nearest(m, &o.sphere.centre, o.a);
    uint64_t expected = 0, hailed = 0;
    memset(hails, 0, sizeof hails);
    o.a = 0;
    order(f, 0, do_tell, o);
    fixture_settle(f);
    for (uint32_t i = 1; i < SCOUTS; i++) {
        bool inside =
            m->here[i] && distance2(m, i, &o.sphere.centre) <= o.sphere.radius * o.sphere.radius;
        CHECK_UINT(hails[i], inside);
        expected += inside;
        hailed += hails[i];
    }
    CHECK_UINT(hailed, expected);
}

TEST_EACH(what_is_found_is_what_looking_at_everybody_finds)
{
    unsigned rounds = f->clock == ALDIS_CLOCK_LIVE ? 2 : 8;
    open_world(f, NULL);
    spawn_scouts(f, SCOUTS);
    struct model m = {.state = f->workers};
    for (unsigned world = 0; world < 4; world++)
        for (unsigned round = 0; round < rounds; round++) {
            move_some(f, &m, world);
            for (unsigned q = 0; q < rounds / 2; q++)
                ask(f, &m, world);
        }
}

/* ------------------------------------------------------------------ when it is seen */

static aldis_err set_and_look(struct scout *self, const struct order *o, aldis_ctx *ctx)
{
    (void)o;
    EXPECT_OK(aldis_place_set(ctx, sol, 1, 1, 1));
    EXPECT_OK(aldis_place_set(ctx, sol, 2, 2, 2));
    aldis_sphere sphere = {{0, 0, 0}, 100, NULL};
    EXPECT_OK(aldis_place_within(ctx, sol, &sphere, found, SCOUTS, &found_count));
    EXPECT_UINT(found_count, 0);
    EXPECT_ERR(aldis_place_where(ctx, sol, aldis_self(ctx), &seen_at), ALDIS_ENOTFOUND);
    struct order next = {.run = do_within, .sphere = sphere};
    return aldis_send_copy(ctx, scouts[self->number], order, &next);
}

TEST_VIRTUAL(a_window_sees_positions_as_at_its_start)
{
    open_world(f, &(aldis_place_opts){.lookup = true});
    spawn_scouts(f, 1);
    order(f, 0, set_and_look, (struct order){0});
    fixture_settle(f);
    CHECK_UINT(found_count, 1);
    CHECK(found[0].at.x == 2);
    look_for(f, 0, 0);
    CHECK(seen_at.x == 2);
    aldis_place_stats stats;
    CHECK_OK(aldis_place_get_stats(f->system, sol, &stats));
    CHECK_UINT(stats.sets, 2);
    CHECK_UINT(stats.merged, 1);
}

/* ------------------------------------------------------------------ refusals */

static aldis_err try_bad(struct scout *self, const struct order *o, aldis_ctx *ctx)
{
    static const double bad[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, 1.1e150, -1e300};
    (void)self;
    (void)o;
    size_t count;
    uint32_t few;
    uint64_t value = 1;
    aldis_send_item item = {.type = &hail_type, .payload = &value, .size = sizeof value};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        for (int d = 0; d < 4; d++) {
            double v[4] = {0, 0, 0, 1};
            v[d] = bad[i];
            aldis_sphere sphere = {{v[0], v[1], v[2]}, v[3], NULL};
            if (d < 3) {
                EXPECT_ERR(aldis_place_set(ctx, sol, v[0], v[1], v[2]), ALDIS_EINVAL);
                EXPECT_ERR(aldis_place_nearest(ctx, sol, sphere.centre, NULL, 1, found, &few),
                           ALDIS_EINVAL);
            }
            EXPECT_ERR(aldis_place_tell_raw(ctx, sol, &sphere, &item, 0, NULL), ALDIS_EINVAL);
            EXPECT_ERR(aldis_place_within(ctx, sol, &sphere, found, 1, &count), ALDIS_EINVAL);
            EXPECT_ERR(aldis_place_watch(ctx, sol, &sphere, 0, 0), ALDIS_EINVAL);
        }
    aldis_sphere negative = {{0, 0, 0}, -1e-300, NULL}, good = {{0, 0, 0}, 1, NULL};
    EXPECT_ERR(aldis_place_tell_raw(ctx, sol, &negative, &item, 0, NULL), ALDIS_EINVAL);
    EXPECT_ERR(aldis_place_watch(ctx, sol, &negative, 0, 0), ALDIS_EINVAL);
    EXPECT_ERR(aldis_place_watch(ctx, sol, NULL, 0, 0), ALDIS_EINVAL);
    EXPECT_ERR(aldis_place_watch(ctx, sol, &good, 0, 4), ALDIS_EINVAL);
    EXPECT_ERR(aldis_place_tell_raw(ctx, sol, &good, &item, 8, NULL), ALDIS_EINVAL);
    EXPECT_ERR(aldis_place_tell_raw(ctx, sol, &good, NULL, 0, NULL), ALDIS_EINVAL);
    EXPECT_ERR(aldis_place_nearest(ctx, sol, good.centre, NULL, 0, found, &few), ALDIS_EINVAL);
    EXPECT_ERR(aldis_place_within(ctx, sol, &good, NULL, 1, &count), ALDIS_EINVAL);
    EXPECT_ERR(aldis_place_set(ctx, (aldis_place){0}, 0, 0, 0), ALDIS_EINVAL);
    EXPECT_ERR(aldis_place_leave(ctx, (aldis_place){sol.number + 1}), ALDIS_EINVAL);
    EXPECT_ERR(aldis_place_unwatch(ctx, (aldis_place){UINT32_MAX}, 0), ALDIS_EINVAL);
    aldis_place other;
    EXPECT_ERR(aldis_place_open(aldis_system_of(ctx), "here", NULL, &other), ALDIS_ESTATE);
    EXPECT_OK(aldis_place_find(aldis_system_of(ctx), "sol", &other));
    EXPECT_UINT(other.number, sol.number);
    EXPECT_ERR(aldis_place_find(aldis_system_of(ctx), "nowhere", &other), ALDIS_ENOTFOUND);
    return ALDIS_OK;
}

TEST_EACH(what_is_no_number_is_refused)
{
    open_world(f, NULL);
    spawn_scouts(f, 1);
    order(f, 0, try_bad, (struct order){0});
    fixture_settle(f);
    aldis_place_stats stats;
    CHECK_OK(aldis_place_get_stats(f->system, sol, &stats));
    CHECK_UINT(stats.members, 0);
    CHECK_ERR(aldis_place_set(NULL, sol, 0, 0, 0), ALDIS_EINVAL);
    CHECK_ERR(aldis_place_get_stats(f->system, (aldis_place){99}, &stats), ALDIS_EINVAL);
}

TEST_EACH(places_have_names_and_options)
{
    open_world(f, NULL);
    aldis_place place;
    char name[16];
    CHECK_ERR(aldis_place_open(f->system, "sol", NULL, &place), ALDIS_EEXISTS);
    CHECK_ERR(aldis_place_open(f->system, "", NULL, &place), ALDIS_EINVAL);
    CHECK_ERR(aldis_place_open(f->system, "a", NULL, NULL), ALDIS_EINVAL);
    const aldis_place_opts bad[] = {{.cell = -1},
                                    {.cell = (double)NAN},
                                    {.cell = 1e151},
                                    {.refresh_ns = -1},
                                    {.members_max = (1u << 24) + 1},
                                    {.events_max = UINT32_MAX},
                                    {.watches_max = UINT32_MAX}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_ERR(aldis_place_open(f->system, "a", &bad[i], &place), ALDIS_EINVAL);
    for (uint32_t i = 2; i <= ALDIS_PLACES_MAX; i++) {
        snprintf(name, sizeof name, "p%u", i);
        CHECK_OK(aldis_place_open(f->system, name, NULL, &place));
        CHECK_UINT(place.number, i);
    }
    CHECK_ERR(aldis_place_open(f->system, "more", NULL, &place), ALDIS_EFULL);
    fixture_settle(f);
}

static aldis_err set_once(struct scout *self, const struct order *o, aldis_ctx *ctx)
{
    (void)self;
    aldis_err err = aldis_place_set(ctx, sol, (double)o->a, 0, 0);
    EXPECT(err == ALDIS_OK || err == ALDIS_EFULL);
    return ALDIS_OK;
}

TEST_EACH(members_are_bounded_and_those_refused_counted)
{
    open_world(f, &(aldis_place_opts){.members_max = 5});
    spawn_scouts(f, 8);
    for (uint32_t i = 0; i < 8; i++)
        order(f, i, set_once, (struct order){.a = i});
    fixture_settle(f);
    aldis_place_stats stats;
    CHECK_OK(aldis_place_get_stats(f->system, sol, &stats));
    CHECK_UINT(stats.members, 5);
    CHECK_UINT(stats.members_refused, 3);
    order(f, 0, do_within, (struct order){.sphere = {{0, 0, 0}, 100, NULL}});
    fixture_settle(f);
    CHECK_UINT(found_count, 5);
}

/* ------------------------------------------------------------------ watches */

TEST_EACH(a_watcher_is_told_who_enters_and_leaves)
{
    open_world(f, NULL);
    spawn_scouts(f, 5);
    set(f, 1, 1, 0, 0);
    set(f, 2, 50, 0, 0);
    fixture_settle(f);
    watch(f, 0, 0, 10, 0);
    fixture_settle(f);
    CHECK_STR(told(0), "+1@1"); /* it is in it already */
    set(f, 2, 10, 0, 0);
    fixture_settle(f);
    set(f, 1, 2, 0, 0); /* within: not told */
    set(f, 0, 0, 0, 0); /* never about itself */
    fixture_settle(f);
    set(f, 1, 11, 0, 0);
    fixture_settle(f);
    CHECK_STR(told(0), "+2@10 -1@2");
    CHECK_OK(aldis_stop(f->system, scouts[2].id));
    fixture_settle(f);
    CHECK_STR(told(0), "-2@10");
    set(f, 3, 5, 0, 0);
    fixture_settle(f);
    order(f, 3, do_leave, (struct order){0});
    fixture_settle(f);
    CHECK_STR(told(0), "+3@5 -3@5");
    order(f, 0, do_unwatch, (struct order){.b = 7});
    fixture_settle(f);
    set(f, 3, 5, 0, 0);
    fixture_settle(f);
    CHECK_STR(told(0), "");
    aldis_place_stats stats;
    CHECK_OK(aldis_place_get_stats(f->system, sol, &stats));
    CHECK_UINT(stats.events, 6);
    CHECK_UINT(stats.events_waiting + stats.watches, 0);
}

TEST_EACH(a_watch_may_move_with_its_watcher)
{
    open_world(f, NULL);
    spawn_scouts(f, 3);
    set(f, 1, 0, 0, 0);
    set(f, 2, 100, 0, 0);
    watch(f, 0, 0, 10, ALDIS_WATCH_AROUND_ME); /* which is nowhere yet */
    fixture_settle(f);
    CHECK_STR(told(0), "");
    set(f, 0, 5, 0, 0);
    fixture_settle(f);
    CHECK_STR(told(0), "+1@0");
    set(f, 0, 95, 0, 0);
    fixture_settle(f);
    CHECK_STR(told(0), "-1@0 +2@100");
    order(f, 0, do_leave, (struct order){0});
    fixture_settle(f);
    CHECK_STR(told(0), "-2@100");
}

TEST_EACH(moves_are_told_on_request)
{
    open_world(f, NULL);
    spawn_scouts(f, 3);
    set(f, 1, 1, 0, 0);
    set(f, 2, 2, 0, 0);
    fixture_settle(f);
    watch(f, 0, 0, 10, ALDIS_WATCH_MOVES);
    fixture_settle(f);
    CHECK_STR(told(0), "+1@1 +2@2");
    set(f, 1, 3, 0, 0);
    set(f, 2, 2, 0, 0); /* not a move */
    fixture_settle(f);
    CHECK_STR(told(0), "~1@3");
    set(f, 2, 20, 0, 0);
    fixture_settle(f);
    set(f, 1, 4, 0, 0);
    fixture_settle(f);
    CHECK_STR(told(0), "-2@2 ~1@4");
    watch(f, 0, 20, 10, ALDIS_WATCH_MOVES); /* the same tag: it goes on from what it has told */
    fixture_settle(f);
    CHECK_STR(told(0), "-1@4 +2@20");
}

TEST_EACH(a_watch_may_be_for_one_kind)
{
    open_world(f, NULL);
    spawn_scouts(f, 2);
    deaf_ref deaf;
    CHECK_OK(aldis_spawn(f->system, deaf, &deaf, NULL));
    struct order here = {.run = do_set};
    CHECK_OK(aldis_send_copy(f->system, deaf, order, &here));
    set(f, 1, 0, 0, 0);
    order(f, 0, do_watch, (struct order){.sphere = {{0, 0, 0}, 1, &scout_behaviour}, .b = 1});
    order(f, 0, do_watch, (struct order){.sphere = {{0, 0, 0}, 1, &deaf_behaviour}, .b = 2});
    fixture_settle(f);
    CHECK_UINT(seen_count[0], 2);
    for (uint32_t i = 0; i < 2; i++)
        CHECK_UINT(seen[0][i].actor.bits, seen[0][i].tag == 1 ? scouts[1].id.bits : deaf.id.bits);
}

/* All at once: whether one is too many is found at once or, in virtual time, by the keeper. */
static aldis_err watch_if_room(struct scout *self, const struct order *o, aldis_ctx *ctx)
{
    (void)self;
    aldis_err err = aldis_place_watch(ctx, sol, &o->sphere, 0, 0);
    EXPECT(err == ALDIS_OK || (err == ALDIS_EFULL && !aldis_system_windows(aldis_system_of(ctx))));
    return ALDIS_OK;
}

static aldis_err watch_deaf(struct scout *self, const struct order *o, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_ERR(aldis_place_watch(ctx, sol, &o->sphere, 0, 0), (aldis_err)o->a);
    return ALDIS_OK;
}

TEST_EACH(a_watcher_must_be_able_to_hear)
{
    open_world(f, &(aldis_place_opts){.watches_max = 2});
    deaf_ref deaf;
    CHECK_OK(aldis_spawn(f->system, deaf, &deaf, NULL));
    struct order o = {.run = watch_deaf, .a = ALDIS_EUNACCEPTED};
    CHECK_OK(aldis_send_copy(f->system, deaf, order, &o));
    spawn_scout(f, 0, &(aldis_mailbox_opts){.policy = ALDIS_DROP_OLDEST});
    order(f, 0, watch_deaf, (struct order){.a = ALDIS_ESTATE});
    for (uint32_t i = 1; i < 6; i++) {
        spawn_scout(f, i, NULL);
        if (i < 4)
            order(f, i, watch_if_room, (struct order){.sphere.radius = 1});
    }
    fixture_settle(f);
    order(f, 5, watch_deaf, (struct order){.a = ALDIS_EFULL});
    fixture_settle(f);
    aldis_place_stats stats;
    CHECK_OK(aldis_place_get_stats(f->system, sol, &stats));
    CHECK_UINT(stats.watches, 2);
    CHECK(stats.watches_refused <= 1);
    if (f->clock == ALDIS_CLOCK_VIRTUAL)
        CHECK_UINT(stats.watches_refused, 1);
}

/* ------------------------------------------------------------------ overload */

/* A paused watcher with room for four: all enters and leaves wait, and come in order. */
TEST_EACH(enters_and_leaves_are_never_lost)
{
    enum { ROUNDS = 30 };
    open_world(f, NULL);
    spawn_scout(f, 0, &(aldis_mailbox_opts){.capacity_msgs = 4});
    spawn_scout(f, 1, NULL);
    spawn_scout(f, 2, NULL);
    watch(f, 0, 0, 10, 0);
    watch(f, 2, 0, 10, 0);
    fixture_settle(f);
    CHECK_OK(aldis_pause(f->system, scouts[0].id));
    fixture_settle(f);
    for (unsigned i = 0; i < ROUNDS; i++) {
        set(f, 1, i % 2 ? 99 : i % 8, 0, 0);
        fixture_settle(f);
    }
    CHECK_UINT(seen_count[0], 0);
    char other[8192];
    strcpy(other, told(2)); /* one that is full does not hold up the others */
    CHECK(strlen(other) > 4 * ROUNDS);
    aldis_place_stats stats;
    CHECK_OK(aldis_place_get_stats(f->system, sol, &stats));
    CHECK(stats.events_waiting >= 10);
    CHECK_OK(aldis_resume(f->system, scouts[0].id));
    fixture_settle(f);
    CHECK_UINT(seen_count[0], ROUNDS);
    CHECK_STR(told(0), other);
    CHECK_OK(aldis_place_get_stats(f->system, sol, &stats));
    CHECK_UINT(stats.events_waiting + stats.events_cancelled, 0);
}

/* Beyond events_max what cancels itself does; the picture stays right; moves wait as the newest. */
TEST_EACH(beyond_the_bound_pairs_cancel_each_other)
{
    enum { ROUNDS = 61 };
    open_world(f, &(aldis_place_opts){.events_max = 8});
    spawn_scout(f, 0, &(aldis_mailbox_opts){.capacity_msgs = 2});
    spawn_scout(f, 1, NULL);
    spawn_scout(f, 2, NULL);
    set(f, 2, 1, 0, 0);
    watch(f, 0, 0, 10, ALDIS_WATCH_MOVES);
    fixture_settle(f);
    CHECK_STR(told(0), "+2@1");
    CHECK_OK(aldis_pause(f->system, scouts[0].id));
    fixture_settle(f);
    for (unsigned i = 0; i < ROUNDS; i++) {
        set(f, 1, i % 2 ? 99 : 3, 0, 0);
        set(f, 2, 2 + 0.01 * i, 0, 0);
        fixture_settle(f);
        aldis_place_stats stats;
        CHECK_OK(aldis_place_get_stats(f->system, sol, &stats));
        CHECK(stats.events_waiting <= 8);
    }
    CHECK_OK(aldis_resume(f->system, scouts[0].id));
    fixture_settle(f);
    aldis_place_stats stats;
    CHECK_OK(aldis_place_get_stats(f->system, sol, &stats));
    uint64_t events = 0;
    bool inside = false;
    double last = 0;
    for (uint32_t i = 0; i < seen_count[0]; i++) {
        const struct seen *s = &seen[0][i];
        if (aldis_id_equal(s->actor, scouts[2].id)) {
            CHECK_INT(s->what, '~');
            last = s->x;
            continue;
        }
        CHECK_INT(s->what, inside ? '-' : '+');
        inside = !inside;
        events++;
    }
    CHECK(inside);
    CHECK(stats.events_cancelled > 0 && stats.events_cancelled % 2 == 0);
    CHECK_UINT(events + stats.events_cancelled, ROUNDS);
    CHECK(last == 2 + 0.01 * (ROUNDS - 1)); /* the newest, at last */
    CHECK(seen_count[0] - events < 8);
}
