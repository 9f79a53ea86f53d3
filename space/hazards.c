// SPDX-License-Identifier: Apache-2.0
/* hazards.c: the actor that lets hazards appear, move and die by the scenario's schedules, and
 * warns those near them. Layer: space. */
#include "books.h"
#include "chronicle.h"
#include "digest.h"
#include "motion.h"
#include "nearby.h"

#include <aldis/timer.h>
#include <stdlib.h>
#include <string.h>

/* Of one that lives longer, newcomers near it are told this often. How far off they are told is the
 * way that ships make meanwhile: seldom and far is more work than often and near. */
#define TELL_AGAIN_NS (5 * ALDIS_SECOND)

struct live {
    NavigationHazard hazard;
    bool lives;
};

/* Its page in the books, so that a restart goes on with what there is; and what it has sent itself
 * still comes. */
struct hazards {
    const struct chart *chart;
    double reach;                        /* so far off a ship has to know of it */
    double stretch;                      /* of the radius that is told, for the signal's own time */
    uint32_t seen[SCENARIO_HAZARDS_MAX]; /* hazards of each schedule so far */
    uint32_t told;                       /* of all schedules: the number of the last one */
    uint32_t left_out;                   /* for lack of a place */
    struct live live[SCENARIO_HAZARDS_LIVE_MAX];
};

/* The actor. */
struct hazards_actor {
    struct hazards *page;
};

/* The next hazard of a schedule comes after 0.5 to 1.5 of its mean time. */
static aldis_err arm(const struct hazards *self, aldis_ctx *ctx, uint32_t schedule)
{
    aldis_ns every_ns = self->chart->scenario->hazards.items[schedule].every_ns;
    aldis_ns delay_ns = every_ns / 2 + (aldis_ns)aldis_random_below(ctx, (uint64_t)every_ns + 1);
    hazards_ref me = {.id = aldis_self(ctx)};
    return aldis_send_after(ctx, delay_ns, me, hazard_due, .schedule = schedule);
}

/* From one telling to the next, until that is heard. */
static double seconds_between(const struct scenario *scenario)
{
    return (double)(TELL_AGAIN_NS + 2 * scenario->lookahead_ns) * 1e-9;
}

static aldis_err hazards_start(void *state, const void *arg, aldis_ctx *ctx)
{
    const struct chart *chart = *(const struct chart *const *)arg;
    struct hazards **page = &chart->books->hazard_page;
    bool again = *page != NULL;
    if (!again)
        *page = calloc(1, sizeof **page);
    struct hazards *self = ((struct hazards_actor *)state)->page = *page;
    if (again || !self)
        return again ? ALDIS_OK : ALDIS_ENOMEM;
    self->chart = chart;
    double fastest = 0;
    const struct scenario *scenario = self->chart->scenario;
    for (uint32_t i = 0; i < scenario->classes.count; i++) {
        const struct scenario_class *class = &scenario->classes.items[i];
        const struct thrust thrust = {.speed = class->speed, .acceleration = class->acceleration};
        double reach = motion_foresight(&thrust, seconds_between(scenario));
        self->reach = reach > self->reach ? reach : self->reach;
        fastest =
            fastest > scenario->classes.items[i].speed ? fastest : scenario->classes.items[i].speed;
    }
    /* A ship that comes nearer while the warning is on its way is to be among those told. */
    double signal = scenario->signals.speed;
    self->stretch = signal > fastest ? 1 / (1 - fastest / signal) : 1;
    aldis_err err = ALDIS_OK;
    for (uint32_t i = 0; err == ALDIS_OK && i < scenario->hazards.count; i++)
        err = arm(self, ctx, i);
    return err;
}

/* Somewhere on the way from one station to another. */
static struct vec choose_place(const struct scenario *scenario, aldis_ctx *ctx)
{
    uint32_t count = scenario->stations.count;
    uint32_t from = (uint32_t)aldis_random_below(ctx, count);
    uint32_t to = (from + 1 + (uint32_t)aldis_random_below(ctx, count - 1)) % count;
    struct vec start = scenario_station_position(scenario, from, aldis_now(ctx));
    struct vec end = scenario_station_position(scenario, to, aldis_now(ctx));
    return vec_add(start, vec_scale(vec_sub(end, start), aldis_random_unit(ctx)));
}

/* Any way, all as likely. */
static struct vec choose_heading(aldis_ctx *ctx)
{
    double height = 2 * aldis_random_unit(ctx) - 1, angle = MATHS_TAU * aldis_random_unit(ctx);
    double flat = maths_sqrt(1 - height * height);
    return (struct vec){flat * maths_cos(angle), flat * maths_sin(angle), height};
}

/* Tell those near where it is now, and come back to it while it lives. */
static aldis_err tell(struct hazards *self, aldis_ctx *ctx, uint32_t index)
{
    struct live *live = &self->live[index];
    NavigationHazard *hazard = &live->hazard;
    aldis_ns now_ns = aldis_now(ctx);
    double age = (double)(now_ns - hazard->at_ns) * 1e-9;
    struct vec place =
        vec_add(vec_of(&hazard->location), vec_scale(vec_of(&hazard->velocity), age));
    hazard->location = wire_vec(place);
    hazard->at_ns = now_ns;
    if (now_ns >= hazard->until_ns) {
        live->lives = false;
        chronicle_hazard(self->chart->chronicle, ctx, hazard, true);
        return ALDIS_OK;
    }
    aldis_ns left_ns = hazard->until_ns - now_ns;
    aldis_ns next_ns = left_ns < TELL_AGAIN_NS ? left_ns : TELL_AGAIN_NS;
    hazard->again_ns = now_ns + next_ns;
    double own_way = vec_length(vec_of(&hazard->velocity)) * seconds_between(self->chart->scenario);
    const struct speaker here = {SPEAKER_HAZARDS(self->chart->books), place};
    aldis_err err = nearby_tell(
        ctx, self->chart, &here,
        (hazard->radius * HAZARD_BERTH + own_way + self->reach) * self->stretch,
        &(aldis_send_item){
            .type = &navigation_hazard_type, .payload = hazard, .size = sizeof *hazard});
    hazards_ref me = {.id = aldis_self(ctx)};
    aldis_err armed = aldis_send_after(ctx, next_ns, me, hazard_due, .hazard = index + 1);
    return err != ALDIS_OK ? err : armed;
}

static aldis_err appear(struct hazards *self, aldis_ctx *ctx, const struct scenario_hazard *plan)
{
    uint32_t index = 0;
    while (index < SCENARIO_HAZARDS_LIVE_MAX && self->live[index].lives)
        index++;
    struct vec place = choose_place(self->chart->scenario, ctx);
    struct vec velocity = vec_scale(choose_heading(ctx), plan->speed);
    if (index == SCENARIO_HAZARDS_LIVE_MAX) {
        self->left_out++;
        return ALDIS_OK;
    }
    NEW_MESSAGE(NavigationHazard, hazard);
    hazard.kind = (HazardKind)plan->kind;
    hazard.number = ++self->told;
    hazard.radius = plan->radius;
    hazard.location = wire_vec(place);
    hazard.velocity = wire_vec(velocity);
    hazard.at_ns = aldis_now(ctx);
    hazard.until_ns = aldis_now(ctx) + plan->life_ns;
    self->live[index] = (struct live){.hazard = hazard, .lives = true};
    chronicle_hazard(self->chart->chronicle, ctx, &hazard, false);
    return tell(self, ctx, index);
}

static aldis_err hazards_on_hazard_due(struct hazards_actor *actor, const struct hazard_due *msg,
                                       aldis_ctx *ctx)
{
    struct hazards *self = actor->page;
    if (msg->hazard > 0)
        return tell(self, ctx, msg->hazard - 1);
    const struct scenario_hazard *plan = &self->chart->scenario->hazards.items[msg->schedule];
    aldis_err err = appear(self, ctx, plan);
    self->seen[msg->schedule]++;
    bool more = plan->count == 0 || self->seen[msg->schedule] < plan->count;
    aldis_err armed = more ? arm(self, ctx, msg->schedule) : ALDIS_OK;
    return err != ALDIS_OK ? err : armed;
}

const NavigationHazard *hazards_at(const struct hazards *page, uint32_t place)
{
    return page && page->live[place].lives ? &page->live[place].hazard : NULL;
}

static uint64_t hazards_digest(const void *state)
{
    const struct hazards *self = ((const struct hazards_actor *)state)->page;
    uint64_t digest = 0;
    for (uint32_t i = 0; i < self->chart->scenario->hazards.count; i++)
        digest = digest_mix(digest, self->seen[i]);
    return digest;
}

ALDIS_BEHAVIOUR(hazards, struct hazards_actor, HAZARDS_PROTOCOL, .on_start = hazards_start,
                .digest = hazards_digest);
