// SPDX-License-Identifier: Apache-2.0
/* traffic.c: traffic control: names ships under way that have come too near each other. Layer:
 * space.
 *
 * Ships under way tell it their courses (flights.h). Every so often it judges the time since its
 * last look, up to what all that was told has come of: two lookaheads ago. Near a station all ships
 * are near each other, and its pilots see to them: there it does not look. */
#include "books.h"
#include "chronicle.h"
#include "digest.h"
#include "flights.h"

#include <stdlib.h>

/* A ship under way tells its course again every four ticks; it may be lost once. */
#define LASTS_TICKS 9

/* Its page in the books, so that a restart goes on with what there is; and what it has sent itself
 * still comes. */
struct traffic {
    const struct chart *chart;
    struct flights *flights;
    aldis_ns due_ns; /* when it looks next */
};

/* The actor. */
struct traffic_actor {
    struct traffic *page;
};

static aldis_err arm(struct traffic *self, aldis_ctx *ctx, aldis_ns delay_ns)
{
    traffic_ref me = {.id = aldis_self(ctx)};
    self->due_ns = aldis_now(ctx) + delay_ns;
    return aldis_signal_after(ctx, delay_ns, me, traffic_due);
}

static aldis_err traffic_start(void *state, const void *arg, aldis_ctx *ctx)
{
    const struct chart *chart = *(const struct chart *const *)arg;
    struct traffic **page = &chart->books->traffic_page;
    bool again = *page != NULL;
    if (!again)
        *page = calloc(1, sizeof **page);
    struct traffic *self = ((struct traffic_actor *)state)->page = *page;
    if (again || !self)
        return again ? ALDIS_OK : ALDIS_ENOMEM;
    self->chart = chart;
    self->flights = flights_create(chart->scenario->ship_count);
    return self->flights ? arm(self, ctx, chart->scenario->traffic.every_ns) : ALDIS_ENOMEM;
}

void traffic_page_destroy(struct traffic *page)
{
    if (page)
        flights_destroy(page->flights);
    free(page);
}

static aldis_err traffic_on_ship_course(struct traffic_actor *actor, const struct ship_course *msg,
                                        aldis_ctx *ctx)
{
    const struct traffic *self = actor->page;
    const struct scenario *scenario = self->chart->scenario;
    if (msg->ship >= scenario->ship_count)
        return aldis_fail(ctx, "the course of a ship that there is not");
    flights_note(self->flights, msg, LASTS_TICKS * scenario->tick_ns + 2 * scenario->lookahead_ns);
    return ALDIS_OK;
}

struct look {
    const struct chart *chart;
    aldis_ctx *ctx;
};

static void on_near(void *arg, const struct near_miss *near)
{
    const struct look *look = arg;
    look->chart->books->near_misses++;
    chronicle_near_miss(look->chart->chronicle, look->ctx, look->chart->books, near);
}

static aldis_err traffic_on_traffic_due(struct traffic_actor *actor, const aldis_none *msg,
                                        aldis_ctx *ctx)
{
    (void)msg;
    struct traffic *self = actor->page;
    if (aldis_now(ctx) < self->due_ns)
        return ALDIS_OK; /* a late one */
    struct look look = {.chart = self->chart, .ctx = ctx};
    flights_judge(self->flights, self->chart->scenario,
                  aldis_now(ctx) - 2 * self->chart->scenario->lookahead_ns, on_near, &look);
    self->chart->books->near_misses_left_out = flights_left_out(self->flights);
    return arm(self, ctx, self->chart->scenario->traffic.every_ns);
}

/* Its own mailbox was full when it was to look: it looks soon. */
static void traffic_undelivered(void *state, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    struct traffic *self = ((const struct traffic_actor *)state)->page;
    if (aldis_id_equal(notice->to, aldis_self(ctx)) && self->due_ns <= aldis_now(ctx))
        (void)arm(self, ctx, ALDIS_SECOND);
}

static uint64_t traffic_digest(const void *state)
{
    const struct traffic *self = ((const struct traffic_actor *)state)->page;
    return digest_mix(0, self->chart->books->near_misses);
}

/* What it is told is repeated, so no ship is held up for it. */
ALDIS_BEHAVIOUR(traffic, struct traffic_actor, TRAFFIC_PROTOCOL, .on_start = traffic_start,
                .on_undelivered = traffic_undelivered, .digest = traffic_digest,
                .mailbox = {.capacity_msgs = 65536,
                            .capacity_bytes = 64u << 20,
                            .policy = ALDIS_DROP_NEWEST});
