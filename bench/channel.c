// SPDX-License-Identifier: Apache-2.0
/* channel.c: channel-mpsc and channel-oneshot: two producing threads and one that consumes; no
 * actors. Layer: bench.
 *
 * Beside each rate stands what the machine asks for handing one cache line to another thread and
 * nothing else (hand_over_ns), measured just before: the best of many trials. It is compared with
 * the best twentieth of the run (best_ns_per_message), so that what other programs take meanwhile
 * is left out of both. */
#include "bench.h"

#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

enum {
    PRODUCERS = 2,
    CAPACITY = 1024, /* as a mailbox by default */
    BATCH = 512,     /* oneshots that a producer is given at once */
    PARTS = 2,       /* batches under way to each */
    TRIPS = 2000,    /* round trips of a trial of the bare hand-over */
    TRIALS = 25,     /* the best counts: others include time slices of other programs */
    SPINS = 4096,
    PARTS_OF_RUN = 20
};

ALDIS_MESSAGE(note, struct bench_note);
ALDIS_CHANNEL(note);

static struct bench_note make_note(uint32_t from, uint64_t seq)
{
    struct bench_note made = {.from = from, .position = {1.0F, 2.0F, 3.0F}, .seq = seq};
    return made;
}

static bool start(struct bench *bench, pthread_t *thread, void *(*body)(void *), void *arg)
{
    if (pthread_create(thread, NULL, body, arg) == 0)
        return true;
    (void)bench_fault(bench, NULL, "a thread could not be started");
    return false;
}

/* ------------------------------------------------------------------ the yardstick */

#ifdef __clang__
#pragma clang diagnostic ignored "-Watomic-implicit-seq-cst" /* the line is handed over plainly */
#endif

/* One line, which goes to and fro: the number in it is even when it is the first thread's. */
static _Alignas(64) _Atomic(uint64_t) line;

/* Where the other thread does not run just now, let it: there may be one core only. */
static void await(uint64_t value)
{
    for (uint32_t spins = 1; line != value; spins++)
        if (spins % SPINS == 0)
            sched_yield();
}

static void *hand_back(void *arg)
{
    (void)arg;
    for (uint64_t trip = 0; trip < (uint64_t)TRIPS * TRIALS; trip++) {
        await(2 * trip + 1);
        line = 2 * trip + 2;
    }
    return NULL;
}

static aldis_ns now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (aldis_ns)t.tv_sec * ALDIS_SECOND + t.tv_nsec;
}

/* Nanoseconds to hand the line over once. 0: no thread. */
static double measure_hand_over(struct bench *bench)
{
    pthread_t other;
    line = 0;
    if (!start(bench, &other, hand_back, NULL))
        return 0;
    aldis_ns best_ns = ALDIS_FOREVER;
    uint64_t trip = 0;
    for (int trial = 0; trial < TRIALS; trial++) {
        aldis_ns start_ns = now_ns();
        for (int i = 0; i < TRIPS; i++, trip++) {
            line = 2 * trip + 1;
            await(2 * trip + 2);
        }
        aldis_ns took_ns = now_ns() - start_ns;
        best_ns = took_ns < best_ns ? took_ns : best_ns;
    }
    pthread_join(other, NULL);
    return (double)best_ns / (2.0 * TRIPS);
}

/* What the consumer has seen. */
struct tally {
    struct bench *bench;
    uint64_t next[PRODUCERS]; /* number of the message to come, by producer */
    uint64_t part, part_left; /* messages of a twentieth */
    aldis_ns part_start_ns;
    double best_ns; /* of a message */
};

static struct tally tally_start(struct bench *bench)
{
    uint64_t part = bench->opts.n / PARTS_OF_RUN + 1;
    bench_start(bench);
    return (struct tally){.bench = bench,
                          .part = part,
                          .part_left = part,
                          .part_start_ns = bench->start_ns,
                          .best_ns = 1e18};
}

/* Checks one message that came; returns false on a fault. */
static bool tally_note(struct tally *tally, const struct bench_note *it)
{
    if (it->from >= PRODUCERS || it->seq != tally->next[it->from]) {
        (void)bench_fault(tally->bench, NULL, "message %" PRIu64 " of producer %" PRIu32 " came",
                          it->seq, it->from);
        return false;
    }
    tally->next[it->from]++;
    if (--tally->part_left == 0) {
        aldis_ns end_ns = now_ns();
        double each_ns = (double)(end_ns - tally->part_start_ns) / (double)tally->part;
        tally->best_ns = each_ns < tally->best_ns ? each_ns : tally->best_ns;
        tally->part_start_ns = end_ns;
        tally->part_left = tally->part;
    }
    return true;
}

static void report(struct bench *bench, const struct tally *tally, double hand_over_ns)
{
    double each_ns = (double)(bench->end_ns - bench->start_ns) / (double)bench->opts.n;
    double best_ns = each_ns < tally->best_ns ? each_ns : tally->best_ns;
    bench_add_extra(bench, "ns_per_message", each_ns);
    bench_add_extra(bench, "best_ns_per_message", best_ns);
    bench_add_extra(bench, "hand_over_ns", hand_over_ns);
    bench_add_extra(bench, "hand_overs", best_ns / hand_over_ns);
}

/* ------------------------------------------------------------------ channel-mpsc */

struct mpsc_producer {
    note_tx to;
    uint32_t number;
    uint64_t count;
    pthread_t thread;
};

static void *mpsc_produce(void *arg)
{
    struct mpsc_producer *self = arg;
    aldis_err err = ALDIS_OK;
    for (uint64_t seq = 0; seq < self->count && err == ALDIS_OK; seq++) {
        struct bench_note it = make_note(self->number, seq);
        err = aldis_channel_send_until_raw(self->to.raw, &it, sizeof it, ALDIS_FOREVER);
    }
    aldis_tx_drop(self->to.raw);
    return NULL;
}

static void mpsc_consume(struct bench *bench, note_rx from, struct tally *tally)
{
    struct bench_note it;
    while (aldis_channel_receive(from, note, &it) == ALDIS_OK)
        if (!tally_note(tally, &it))
            break;
    bench_end(bench, NULL);
    aldis_channel_stats stats;
    aldis_rx_stats(from.raw, &stats);
    if (stats.sent != bench->opts.n || stats.received != bench->opts.n)
        (void)bench_fault(bench, NULL, "%" PRIu64 " sent, %" PRIu64 " received", stats.sent,
                          stats.received);
}

static void mpsc_measure(struct bench *bench)
{
    struct mpsc_producer producers[PRODUCERS];
    note_tx to;
    note_rx from;
    double hand_over_ns = measure_hand_over(bench);
    if (hand_over_ns == 0)
        return;
    if (aldis_channel_create(note, &to, &from, &(aldis_channel_opts){.capacity_msgs = CAPACITY}) !=
        ALDIS_OK) {
        (void)bench_refused(bench, NULL, ALDIS_ENOMEM);
        return;
    }
    uint32_t started = 0;
    struct tally tally = tally_start(bench);
    for (; started < PRODUCERS; started++) {
        struct mpsc_producer *producer = &producers[started];
        *producer = (struct mpsc_producer){.number = started,
                                           .count = bench_share(bench->opts.n, PRODUCERS, started)};
        (void)aldis_tx_clone(to.raw, &producer->to.raw);
        if (!start(bench, &producer->thread, mpsc_produce, producer)) {
            aldis_tx_drop(producer->to.raw);
            break;
        }
    }
    aldis_tx_drop(to.raw);
    mpsc_consume(bench, from, &tally);
    aldis_rx_drop(from.raw);
    while (started > 0)
        pthread_join(producers[--started].thread, NULL);
    report(bench, &tally, hand_over_ns);
}

const struct bench_workload bench_channel_mpsc = {
    .name = "channel-mpsc",
    .unit = "messages",
    .what_n = "messages",
    .n_default = 10000000,
    .n_max = 1000000000000,
    .ops_per_n = 1,
    .measure = mpsc_measure,
};

/* ------------------------------------------------------------------ channel-oneshot */

/* Which part of its producer's oneshots is ready, and how many they are. */
struct part {
    uint32_t index, count;
};
ALDIS_MESSAGE(part, struct part);
ALDIS_CHANNEL(part);

struct oneshot_producer {
    part_tx order_to;
    part_rx orders;
    uint32_t number;
    pthread_t thread;
    uint64_t left; /* to make: the consumer's, as all from here */
    struct part under_way[PARTS];
    note_tx to[PARTS][BATCH]; /* the producer's while the part is ordered */
    note_rx from[PARTS][BATCH];
};

static void *oneshot_produce(void *arg)
{
    struct oneshot_producer *self = arg;
    struct part part;
    uint64_t seq = 0;
    while (aldis_channel_receive(self->orders, part, &part) == ALDIS_OK)
        for (uint32_t i = 0; i < part.count; i++) {
            struct bench_note it = make_note(self->number, seq++);
            if (aldis_channel_try_send_raw(self->to[part.index][i].raw, &it, sizeof it) != ALDIS_OK)
                aldis_tx_drop(self->to[part.index][i].raw);
        }
    return NULL;
}

/* Make one part's oneshots and order their sends. */
static bool order(struct bench *bench, struct oneshot_producer *producer, uint32_t index)
{
    struct part part = {index, 0};
    for (; part.count < BATCH && producer->left > 0; part.count++, producer->left--)
        if (aldis_channel_create(
                note, &producer->to[index][part.count], &producer->from[index][part.count],
                &(aldis_channel_opts){.kind = ALDIS_CHANNEL_ONESHOT}) != ALDIS_OK) {
            (void)bench_refused(bench, NULL, ALDIS_ENOMEM);
            break;
        }
    producer->under_way[index] = part;
    return part.count == 0 ||
           aldis_channel_send(producer->order_to, part, part.index, part.count) == ALDIS_OK;
}

static bool collect(struct bench *bench, struct oneshot_producer *producer, uint32_t index,
                    struct tally *tally)
{
    for (uint32_t i = 0; i < producer->under_way[index].count; i++) {
        struct bench_note it;
        if (aldis_channel_receive(producer->from[index][i], note, &it) != ALDIS_OK) {
            (void)bench_fault(bench, NULL, "a oneshot ended without its message");
            return false;
        }
        if (!tally_note(tally, &it))
            return false;
    }
    return true;
}

static void oneshot_consume(struct bench *bench, struct oneshot_producer *producers,
                            struct tally *tally)
{
    bool good = true;
    *tally = tally_start(bench);
    for (uint32_t part = 0; part < PARTS && good; part++)
        for (uint32_t i = 0; i < PRODUCERS && good; i++)
            good = order(bench, &producers[i], part);
    while (good && tally->next[0] + tally->next[1] < bench->opts.n)
        for (uint32_t part = 0; part < PARTS && good; part++)
            for (uint32_t i = 0; i < PRODUCERS && good; i++)
                good =
                    collect(bench, &producers[i], part, tally) && order(bench, &producers[i], part);
    bench_end(bench, NULL);
}

static void oneshot_measure(struct bench *bench)
{
    double hand_over_ns = measure_hand_over(bench);
    struct oneshot_producer *producers = calloc(PRODUCERS, sizeof *producers);
    if (hand_over_ns == 0 || !producers) {
        (void)bench_fault(bench, NULL, "out of memory");
        free(producers);
        return;
    }
    uint32_t started = 0;
    struct tally tally;
    for (; started < PRODUCERS; started++) {
        struct oneshot_producer *producer = &producers[started];
        producer->number = started;
        producer->left = bench_share(bench->opts.n, PRODUCERS, started);
        if (aldis_channel_create(part, &producer->order_to, &producer->orders,
                                 &(aldis_channel_opts){.capacity_msgs = PARTS}) != ALDIS_OK ||
            !start(bench, &producer->thread, oneshot_produce, producer))
            break;
    }
    if (started == PRODUCERS)
        oneshot_consume(bench, producers, &tally);
    for (uint32_t i = 0; i < PRODUCERS; i++)
        aldis_tx_drop(producers[i].order_to.raw);
    for (uint32_t i = 0; i < started; i++)
        pthread_join(producers[i].thread, NULL);
    for (uint32_t i = 0; i < PRODUCERS; i++)
        aldis_rx_drop(producers[i].orders.raw);
    free(producers);
    if (started == PRODUCERS)
        report(bench, &tally, hand_over_ns);
    else
        (void)bench_fault(bench, NULL, "out of memory");
}

const struct bench_workload bench_channel_oneshot = {
    .name = "channel-oneshot",
    .unit = "messages",
    .what_n = "messages",
    .n_default = 5000000,
    .n_max = 1000000000000,
    .ops_per_n = 1,
    .measure = oneshot_measure,
};
