// SPDX-License-Identifier: Apache-2.0
/* 12_capacity.c: two ships report faster than a station can read: five policies of a full mailbox,
 * then batches, then a sender that holds itself back. Chapter 12 of the course (docs/course/). */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdio.h>

enum { SHIPS = 2, REPORTS = 20, BATCH = 10, ROOM = 4 };

struct report {
    uint32_t ship, number;
};
struct bundle {
    uint32_t count;
    struct report reports[BATCH];
};
ALDIS_MESSAGE(report, struct report);
ALDIS_MESSAGE(bundle, struct bundle);
ALDIS_SIGNAL(go);
ALDIS_SIGNAL(summary);

#define STATION_PROTOCOL(X, kind) X(kind, report) X(kind, bundle) X(kind, summary)
ALDIS_PROTOCOL(station, STATION_PROTOCOL);
#define SHIP_PROTOCOL(X, kind) X(kind, go)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

struct station {
    uint32_t newest[SHIPS];
    aldis_ns done_ns;
};

/* To read one message takes 100 ms, whatever is in it. */
static aldis_err station_on_report(struct station *self, const struct report *msg, aldis_ctx *ctx)
{
    self->newest[msg->ship] = msg->number;
    self->done_ns = aldis_now(ctx) + 100 * ALDIS_MS;
    return aldis_busy(ctx, 100 * ALDIS_MS);
}

static aldis_err station_on_bundle(struct station *self, const struct bundle *msg, aldis_ctx *ctx)
{
    for (uint32_t i = 0; i < msg->count; i++)
        self->newest[msg->reports[i].ship] = msg->reports[i].number;
    self->done_ns = aldis_now(ctx) + 100 * ALDIS_MS;
    return aldis_busy(ctx, 100 * ALDIS_MS);
}

static aldis_err station_on_summary(struct station *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    (void)ctx;
    printf("%6.1f s   %2" PRIu32 ", %2" PRIu32 "\n", (double)self->done_ns / ALDIS_SECOND,
           self->newest[0], self->newest[1]);
    return ALDIS_OK;
}

/* For ALDIS_KEEP_NEWEST: of two reports of one ship the newer stands for both. */
static uint64_t about(const char *type_name, const void *payload, size_t size)
{
    (void)type_name;
    return size == sizeof(struct report) ? ((const struct report *)payload)->ship : UINT64_MAX;
}
ALDIS_BEHAVIOUR(station, struct station, STATION_PROTOCOL, .message_key = about);

enum how { ONE_BY_ONE, IN_BUNDLES, WITH_PERMITS };
struct ship {
    station_ref station;
    uint32_t number;
    enum how how;
    aldis_flow *flow;
};

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct ship *self = state;
    *self = *(const struct ship *)arg;
    return aldis_flow_create(
        ctx, &(aldis_flow_opts){.concurrent_max = ROOM / SHIPS, .queue_max = REPORTS}, &self->flow);
}

static aldis_err ship_on_go(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    struct bundle bundle = {0};
    aldis_err err = ALDIS_OK;
    for (uint32_t i = 1; i <= REPORTS && err == ALDIS_OK; i++) {
        const struct report report = {self->number, i};
        if (self->how == ONE_BY_ONE) {
            err = aldis_send_copy(ctx, self->station, report, &report);
        } else if (self->how == WITH_PERMITS) {
            err = aldis_flow_send(ctx, self->flow, ALDIS_FOREVER, self->station, report,
                                  self->number, i);
        } else {
            bundle.reports[bundle.count++] = report;
            if (bundle.count < BATCH)
                continue;
            err = aldis_send_copy(ctx, self->station, bundle, &bundle);
            bundle.count = 0;
        }
    }
    return err;
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start);

static aldis_err burst(const char *name, aldis_overflow_policy policy, enum how how)
{
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1};
    const aldis_spawn_opts mailbox = {.mailbox = {.capacity_msgs = ROOM, .policy = policy}};
    aldis_system *system;
    station_ref station;
    aldis_stats stats;
    aldis_err err = aldis_system_create(&opts, &system);
    if (err != ALDIS_OK)
        return err;
    err = aldis_spawn(system, station, &station, &mailbox);
    for (uint32_t i = 0; i < SHIPS && err == ALDIS_OK; i++) {
        struct ship self = {.station = station, .number = i, .how = how};
        ship_ref ship;
        err = aldis_spawn(system, ship, &ship, &(aldis_spawn_opts){ALDIS_ARG(&self)});
        if (err == ALDIS_OK)
            err = aldis_signal(system, ship, go);
    }
    if (err == ALDIS_OK)
        err = aldis_system_run(system, ALDIS_FOREVER, NULL);
    if (err == ALDIS_OK && (err = aldis_system_stats(system, &stats)) == ALDIS_OK) {
        const aldis_type_stats *row =
            aldis_stats_type(&stats, how == IN_BUNDLES ? "bundle" : "report");
        if (row)
            printf("%-20s  %4" PRIu64 " %7" PRIu64 " %8" PRIu64 " %7" PRIu64, name, row->sent,
                   row->handled, row->rejected, row->dropped);
        aldis_stats_fini(&stats);
    }
    if (err == ALDIS_OK)
        err = aldis_signal(system, station, summary);
    if (err == ALDIS_OK)
        err = aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_audit audit;
    if (err == ALDIS_OK)
        err = aldis_system_audit(system, &audit);
    aldis_system_destroy(system);
    return err;
}

int main(void)
{
    static const struct {
        const char *name;
        aldis_overflow_policy policy;
        enum how how;
    } ways[] = {{"reject", ALDIS_REJECT, ONE_BY_ONE},
                {"drop newest", ALDIS_DROP_NEWEST, ONE_BY_ONE},
                {"drop oldest", ALDIS_DROP_OLDEST, ONE_BY_ONE},
                {"keep newest per ship", ALDIS_KEEP_NEWEST, ONE_BY_ONE},
                {"wait (default)", ALDIS_WAIT, ONE_BY_ONE},
                {"reject, in bundles", ALDIS_REJECT, IN_BUNDLES},
                {"reject, with permits", ALDIS_REJECT, WITH_PERMITS}};
    puts("the mailbox's policy  sent handled rejected dropped   done    newest known");
    for (int i = 0; i < 7; i++) {
        aldis_err err = burst(ways[i].name, ways[i].policy, ways[i].how);
        if (err != ALDIS_OK) {
            fprintf(stderr, "12_capacity: %s\n", aldis_error_text(err));
            return 1;
        }
    }
    puts("audit: balanced, each time");
    return 0;
}
