// SPDX-License-Identifier: Apache-2.0
/* overload_test.c: a station that gets twice what it can serve, for five minutes of virtual time,
 * on three lanes: what it serves has not waited long, the rest is shed, the lowest lane first, and
 * a second after the rush nothing of it is left. The same on any number of workers. */
#include "core/window.h"
#include "harness.h"
#include <aldis/aldis.h>

#define TARGET_NS (100 * ALDIS_MS) /* what is served has waited less */
enum {
    SERVICE_MS = 10, /* the station serves 100 a second */
    RUSH_S = 300,    /* so long 200 a second come, */
    END_S = 320,     /* and then 50 */
    BINS = 2000      /* of waits, by the millisecond */
};

enum lane { HIGH, NORMAL, LOW, LANES };
static const aldis_lane lanes[LANES] = {ALDIS_LANE_HIGH, ALDIS_LANE_NORMAL, ALDIS_LANE_LOW};

/* The rush is found out in the first two seconds; it is normal again a second after the end. */
enum phase { ONSET, RUSH, AFTER, CALM, PHASES };

static enum phase phase_at(aldis_ns at_ns)
{
    if (at_ns < 2 * ALDIS_SECOND)
        return ONSET;
    if (at_ns < RUSH_S * ALDIS_SECOND)
        return RUSH;
    return at_ns < (RUSH_S + 1) * ALDIS_SECOND ? AFTER : CALM;
}

/* Of one run; the station's shard alone writes what it serves, the sources theirs. */
struct tally {
    uint64_t sent[LANES];
    uint64_t served[PHASES][LANES], shed[PHASES][LANES];
    uint64_t waits[PHASES][BINS];
    aldis_ns longest_ns[PHASES];
    uint64_t print;
};
static struct tally *tally; /* of the run */

/* ------------------------------------------------------------------ the station and its sources */

struct job {
    aldis_ns arrives_ns;
    uint64_t lane;
};
ALDIS_MESSAGE(job, struct job);
ALDIS_SIGNAL(next);
#define STATION_PROTOCOL(X, kind) X(kind, job)
ALDIS_PROTOCOL(station, STATION_PROTOCOL);
#define SOURCE_PROTOCOL(X, kind) X(kind, next)
ALDIS_PROTOCOL(source, SOURCE_PROTOCOL);

struct station {
    uint64_t served;
};

static aldis_err station_on_job(struct station *self, const struct job *job, aldis_ctx *ctx)
{
    aldis_ns now_ns = aldis_now(ctx), waited_ns = now_ns - job->arrives_ns;
    enum phase phase = phase_at(now_ns);
    aldis_ns bin = waited_ns / ALDIS_MS;
    self->served++;
    tally->served[phase][job->lane]++;
    tally->waits[phase][bin < BINS ? bin : BINS - 1]++;
    if (waited_ns > tally->longest_ns[phase])
        tally->longest_ns[phase] = waited_ns;
    return aldis_busy(ctx, SERVICE_MS * ALDIS_MS);
}

ALDIS_BEHAVIOUR(station, struct station, STATION_PROTOCOL,
                .mailbox = {
                    .capacity_msgs = 100000, .policy = ALDIS_REJECT, .shed_target_ns = TARGET_NS});

/* One for each lane, at random moments: a third of the load. */
struct source {
    station_ref station;
    uint64_t lane;
};

static aldis_err send_later(struct source *self, aldis_ctx *ctx)
{
    aldis_ns mean_ns = LANES * SERVICE_MS * ALDIS_MS;
    mean_ns = aldis_now(ctx) < RUSH_S * ALDIS_SECOND ? mean_ns / 2 : 2 * mean_ns;
    aldis_ns gap_ns = (aldis_ns)aldis_random_below(ctx, 2 * (uint64_t)mean_ns);
    (void)self;
    return aldis_signal_after(ctx, gap_ns, (source_ref){.id = aldis_self(ctx)}, next);
}

static aldis_err source_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct source *self = state;
    *self = *(const struct source *)arg;
    return send_later(self, ctx);
}

static aldis_err source_on_next(struct source *self, const aldis_none *none, aldis_ctx *ctx)
{
    const struct job job = {aldis_now(ctx) + ALDIS_MS, self->lane};
    const aldis_send_opts opts = {.lane = lanes[self->lane]};
    (void)none;
    tally->sent[self->lane]++;
    aldis_err err =
        aldis_ctx_send_opts_raw(ctx, self->station.id, &job_type, &job, sizeof job, &opts);
    return err == ALDIS_OK ? send_later(self, ctx) : err;
}

ALDIS_BEHAVIOUR(source, struct source, SOURCE_PROTOCOL, .on_start = source_start);

/* What is shed is told to this hook, with the payload. */
static void count_shed(void *arg, const aldis_dead_letter *letter)
{
    const struct job *job = letter->payload;
    (void)arg;
    if (letter->reason == ALDIS_ESHED)
        tally->shed[phase_at(letter->at_ns)][job->lane]++;
}

/* ------------------------------------------------------------------ the run */

static void run(uint32_t workers, struct tally *out_tally)
{
    aldis_system *system;
    station_ref station;
    aldis_stats stats;
    tally = out_tally;
    memset(tally, 0, sizeof *tally);
    const aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL,
                                    .workers = workers,
                                    .shards = 8,
                                    .seed = 7,
                                    .on_dead_letter = count_shed};
    aldis__window_test = (struct aldis__window_test){.share_min = 2};
    CHECK_OK(aldis_system_create(&opts, &system));
    CHECK_OK(aldis_spawn(system, station, &station, NULL));
    for (uint64_t lane = 0; lane < LANES; lane++) {
        const struct source arg = {station, lane};
        source_ref source;
        CHECK_OK(aldis_spawn(system, source, &source,
                             &(aldis_spawn_opts){.arg = &arg, .arg_size = sizeof arg}));
    }
    CHECK_OK(aldis_system_run(system, END_S * ALDIS_SECOND, NULL));
    tally->print = aldis_system_run_print(system);
    CHECK_OK(aldis_system_audit(system, NULL));
    CHECK_OK(aldis_system_stats(system, &stats));
    const aldis_type_stats *jobs = aldis_stats_type(&stats, "job");
    for (uint64_t lane = 0; lane < LANES; lane++) {
        uint64_t shed = 0;
        for (unsigned phase = 0; phase < PHASES; phase++)
            shed += tally->shed[phase][lane];
        CHECK_UINT(stats.shed[lanes[lane]], shed);
    }
    CHECK_UINT(jobs->rejected + jobs->expired + jobs->dead, 0);
    CHECK_UINT(jobs->dropped, stats.shed[ALDIS_LANE_HIGH] + stats.shed[ALDIS_LANE_NORMAL] +
                                  stats.shed[ALDIS_LANE_LOW]);
    CHECK_UINT(jobs->sent, tally->sent[HIGH] + tally->sent[NORMAL] + tally->sent[LOW]);
    aldis_stats_fini(&stats);
    aldis_system_destroy(system);
    aldis__window_test = (struct aldis__window_test){0};
}

static uint64_t total(const uint64_t *counts, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += counts[i];
    return sum;
}

/* The wait, in whole ms, that so many in a thousand of what was served did not go beyond. */
static uint64_t percentile(const uint64_t *waits, uint64_t per_mille)
{
    uint64_t all = total(waits, BINS), seen = 0;
    for (uint64_t bin = 0; bin < BINS; bin++)
        if ((seen += waits[bin]) * 1000 >= all * per_mille)
            return bin + 1;
    return BINS;
}

static struct tally one, other;

/* On one worker; all cases look at the same run. */
static void run_once(void)
{
    if (!one.print)
        run(1, &one);
}

TEST(twice_the_capacity_for_five_minutes)
{
    run_once();
    /* The load is what it is to be. */
    uint64_t sent = total(one.sent, LANES);
    CHECK(sent > 60000 && sent < 62000);
    /* It served all it could, and what it served had waited less than the target. */
    uint64_t served = total(one.served[ONSET], LANES) + total(one.served[RUSH], LANES);
    CHECK(served >= RUSH_S * 1000 / SERVICE_MS * 99 / 100);
    CHECK_INT(one.longest_ns[RUSH] <= TARGET_NS, true);
    CHECK(percentile(one.waits[RUSH], 990) <= TARGET_NS / ALDIS_MS);
    CHECK(percentile(one.waits[RUSH], 500) <= TARGET_NS / ALDIS_MS / 2 + 10);
    /* Of all five minutes, the first seconds included, too. */
    uint64_t waits[BINS];
    for (size_t bin = 0; bin < BINS; bin++)
        waits[bin] = one.waits[ONSET][bin] + one.waits[RUSH][bin];
    CHECK(percentile(waits, 990) <= TARGET_NS / ALDIS_MS);
    /* The rest was shed: nothing of the high lane, half of the normal one, and of the low one all
     * but its sixteenth of the turns. */
    CHECK_UINT(one.shed[RUSH][HIGH], 0);
    CHECK(one.served[RUSH][HIGH] * 1000 > one.sent[HIGH] * 950);
    uint64_t normal = one.served[RUSH][NORMAL] + one.shed[RUSH][NORMAL];
    uint64_t low = one.served[RUSH][LOW] + one.shed[RUSH][LOW];
    CHECK(one.shed[RUSH][NORMAL] * 100 > normal * 45 && one.shed[RUSH][NORMAL] * 100 < normal * 65);
    CHECK(one.shed[RUSH][LOW] * 100 > low * 85);
    CHECK(one.served[RUSH][LOW] * 16 <= served);
}

TEST(a_second_after_the_rush_service_is_normal)
{
    run_once();
    CHECK(total(one.served[CALM], LANES) > 800);
    CHECK_UINT(total(one.shed[CALM], LANES), 0);
    /* At half its capacity a station of this kind has short queues. */
    CHECK(one.longest_ns[CALM] < TARGET_NS);
    CHECK(percentile(one.waits[CALM], 900) <= 3 * SERVICE_MS);
}

TEST(the_same_is_shed_on_any_number_of_workers)
{
    static const uint32_t workers[] = {2, 4};
    run_once();
    for (size_t i = 0; i < 2; i++) {
        run(workers[i], &other);
        CHECK_UINT(other.print, one.print);
        CHECK_INT(memcmp(&one, &other, sizeof one), 0);
    }
}
