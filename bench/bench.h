// SPDX-License-Identifier: Apache-2.0
/* bench.h: the workloads behind `aldis bench`, and what each of them measures. Layer: bench.
 *
 * A workload is a set of actors as a user would write them: the public headers, typed sends, every
 * default left alone. One run makes a live system, lets the set start, sends it `go`, waits until
 * it halts itself, and then checks the counts against the library's statistics and audit. A
 * workload in virtual time chooses the system's options and runs it by itself.
 *
 * Threads: struct bench belongs to the main thread before and after aldis_system_run. Between, each
 * field has one writing actor: the starter writes the start, the finisher the end. The first send
 * to an actor carries what was written before it, and aldis_halt makes aldis_system_run return
 * after what its handler wrote, so neither side needs a lock. Only the fault may come from several
 * actors at once and has one. */
#ifndef ALDIS_BENCH_BENCH_H
#define ALDIS_BENCH_BENCH_H

#include <aldis/aldis.h>
#include <pthread.h>

enum {
    /* What a producer sends in one turn before it gives the others a chance by a `go` to itself: so
     * many that the `go` costs little, so few that what waits stays in the cache. A producer whose
     * receiver is full is parked after its turn, and its `go` waits with it until there is room:
     * that is all the flow control these actors need. */
    BENCH_BATCH_MSGS = 128,
    BENCH_EXTRAS_MAX = 8,
    BENCH_FAULT_SIZE = 240
};

/** The payload of every message that is counted: 32 bytes, by value. */
struct bench_note {
    uint32_t from, to; /**< the actors' own numbers */
    uint32_t kind;
    float position[3];
    uint64_t seq;
};
_Static_assert(sizeof(struct bench_note) == 32, "the payload of all workloads is 32 bytes");

/** What is asked for. */
struct bench_opts {
    uint64_t n;       /**< the workload's N: 1 .. its n_max */
    uint32_t workers; /**< 1 .. 255 */
    bool apart;       /**< deal the actors over shards of all workers; needs two workers */
    /* of those workloads only that take them: see BENCH_TAKES_... */
    double end_s;       /**< virtual seconds to run: above 0 */
    double remote;      /**< part of the events that go to any actor: 0 .. 1 */
    double lookahead_s; /**< virtual seconds: above 0 and below 1, the mean delay */
    uint64_t start;     /**< events of each actor: 1 or more */
    uint64_t seed;
    bool effect_once;  /**< reliable: instead of at-least-once */
    double share;      /**< part of the ships that tell in a tick: 0 .. 1 */
    double radius;     /**< metres that they tell: above 0; 0: the usual */
    uint64_t compared; /**< events of the plain executor that the run is compared with; 0: none */
};

/** Options that a workload takes beside n and workers. */
enum bench_takes {
    BENCH_TAKES_END = 1u << 0,
    BENCH_TAKES_REMOTE = 1u << 1,
    BENCH_TAKES_LOOKAHEAD = 1u << 2,
    BENCH_TAKES_START = 1u << 3,
    BENCH_TAKES_SEED = 1u << 4,
    BENCH_TAKES_SHARE = 1u << 5,
    BENCH_TAKES_RADIUS = 1u << 6,
    BENCH_TAKES_GRADE = 1u << 8
};

/** A further figure of one workload. */
struct bench_extra {
    const char *name; /**< as in JSON; static */
    double value;
};

/** What came out. Holds no pointers of its own, so it may be copied to another process that runs
 *  the same program without a change of layout (a fork). */
struct bench_result {
    double seconds; /**< monotonic, from the first message to the last expected effect */
    double rate;    /**< operations per second */
    double cpu_s;   /**< of the whole process, user and system, within `seconds` */
    uint64_t peak_rss_bytes;
    uint64_t parked;    /**< times that a sender was parked */
    uint64_t handovers; /**< shards given from worker to worker */
    uint64_t run_print; /**< if has_run_print: of a run in virtual time */
    bool has_run_print;
    struct bench_extra extras[BENCH_EXTRAS_MAX];
    size_t extra_count;
};

/** One run in progress. */
struct bench {
    struct bench_opts opts;
    uint32_t shards;                   /**< of the system */
    aldis_ns start_ns, end_ns;         /**< CLOCK_MONOTONIC */
    aldis_ns cpu_start_ns, cpu_end_ns; /**< CLOCK_PROCESS_CPUTIME_ID */
    uint64_t operations; /**< that `rate` counts, if not N times ops_per_n: set by run */
    struct bench_result result;
    void *set; /**< what the workload's actors share, read only once they run; NULL if nothing */
    pthread_mutex_t fault_lock;
    char fault[BENCH_FAULT_SIZE]; /**< the first thing that went wrong, or "" */
};

struct bench_workload {
    const char *name;
    const char *unit;   /**< of one operation, plural */
    const char *what_n; /**< of N, plural */
    uint64_t n_default; /**< about one second */
    uint64_t n_max;
    uint64_t ops_per_n; /**< operations that `rate` counts for one N; 0: see bench->operations */
    bool may_be_apart;
    bool repeats;   /**< on a slow disk messages are sent again, and the repeats dropped */
    unsigned takes; /**< of BENCH_TAKES_... */
    /** Are these options, each in its range, impossible together? Then say why. May be NULL. */
    bool (*refuse)(const struct bench_opts *opts, char *out_text, size_t size);
    /** Spawn the actor that makes the others and, once all have started, gets the signal `go`.
     *  NULL where run or measure is set. */
    aldis_err (*start)(struct bench *bench, aldis_system *system, aldis_id *out_root);
    /** Compare what the workload must have sent with the statistics; report with bench_fault. */
    void (*check)(struct bench *bench, const aldis_stats *stats);
    /** Free bench->set and the like; may be NULL. */
    void (*finish)(struct bench *bench);
    /** Choose the options of the system, in which the workers are set. May be NULL. */
    aldis_err (*configure)(struct bench *bench, aldis_system_opts *opts);
    /** Instead of start: let the system do its work, between bench_start and bench_end. */
    aldis_err (*run)(struct bench *bench, aldis_system *system);
    /** Instead of start: measure without actors, between bench_start and bench_end. */
    void (*measure)(struct bench *bench);
};

extern const struct bench_workload bench_ping_pong, bench_counting;           /* pair.c */
extern const struct bench_workload bench_fan_in, bench_fork_join_throughput;  /* fan.c */
extern const struct bench_workload bench_timers;                              /* timers.c */
extern const struct bench_workload bench_thread_ring;                         /* ring.c */
extern const struct bench_workload bench_fork_join_create, bench_idle_memory; /* create.c */
extern const struct bench_workload bench_big;                                 /* big.c */
extern const struct bench_workload bench_chameneos;                           /* chameneos.c */
extern const struct bench_workload bench_request_response;                    /* ask.c */
extern const struct bench_workload bench_pipeline;                            /* pipeline.c */
extern const struct bench_workload bench_broadcast;                           /* broadcast.c */
extern const struct bench_workload bench_wildcards;                           /* wildcards.c */
extern const struct bench_workload bench_priority;                            /* priority.c */
extern const struct bench_workload bench_router, bench_router_4;              /* router.c */
extern const struct bench_workload bench_flow;                                /* flow.c */
extern const struct bench_workload bench_credit;                              /* credit.c */
extern const struct bench_workload bench_channel_mpsc, bench_channel_oneshot; /* channel.c */
extern const struct bench_workload bench_codec;                               /* codec.c */
extern const struct bench_workload bench_reliable, bench_retry_table;         /* reliable.c */
extern const struct bench_workload bench_durable;                             /* durable.c */
extern const struct bench_workload bench_phold;                               /* phold.c */
extern const struct bench_workload bench_swarm;                               /* swarm.c */

/** How a run ended. */
enum bench_outcome {
    BENCH_GOOD = 0,
    BENCH_WRONG, /**< a count, the audit, or an actor says that the run was not right */
    BENCH_SYSTEM /**< the machine refused: memory, threads */
};

/** All workloads, in the order of docs/bench.md. */
extern const struct bench_workload *const bench_workloads[];
extern const size_t bench_workload_count;

/** NULL: there is none of that name. */
const struct bench_workload *bench_find(const char *name);

/**
 * Run one workload once.
 *
 * opts:       in range (see the workload); apart only where may_be_apart, with 2 workers or more.
 * out_result: written on BENCH_GOOD.
 * out_fault:  BENCH_FAULT_SIZE bytes; one line that says what was wrong, or "".
 * Thread:     one at a time.          Blocks: until the run has ended.
 */
enum bench_outcome bench_run(const struct bench_workload *workload, const struct bench_opts *opts,
                             struct bench_result *out_result, char *out_fault);

/* For the workloads. Every state begins with `struct bench *bench`. */

/** Note the first and the last moment; bench_end halts the system too (ctx NULL: there is none). */
void bench_start(struct bench *bench);
void bench_end(struct bench *bench, aldis_ctx *ctx);

/** Note what is wrong (the first one stays) and halt. Returns what a handler returns then. */
aldis_err bench_fault(struct bench *bench, aldis_ctx *ctx, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** err of a send or spawn as a handler's result: ALDIS_OK, or the end of the run. */
aldis_err bench_refused(struct bench *bench, aldis_ctx *ctx, aldis_err err);
static inline aldis_err bench_checked(struct bench *bench, aldis_ctx *ctx, aldis_err err)
{
    return __builtin_expect(err == ALDIS_OK, 1) ? ALDIS_OK : bench_refused(bench, ctx, err);
}

/** The hook of every workload's actors: a refusal after the send fails the run. */
void bench_on_undelivered(void *state, const aldis_undelivered *notice, aldis_ctx *ctx);

/** Where actor `number` of a set is to live: beside its parent, or with --apart on shard
 *  number % shards, so that neighbours belong to different workers. arg is copied by the spawn. */
aldis_spawn_opts bench_place(const struct bench *bench, uint32_t number, const void *arg,
                             size_t arg_size);

/** What the first actor of a set is given, and any other that needs no more. */
struct bench_arg {
    struct bench *bench;
};

/** The bench in an argument that is, or begins as, a struct bench_arg. */
static inline struct bench *bench_given(const void *arg)
{
    return ((const struct bench_arg *)arg)->bench;
}

/** Spawn the actor that sets up the rest, on shard 0; its argument is a struct bench_arg. */
aldis_err bench_spawn_root(struct bench *bench, aldis_system *system,
                           const aldis_behaviour *behaviour, aldis_id *out_id);

/** Part `index` of `total` things dealt to `parts`: the first ones get the remainder. */
uint64_t bench_share(uint64_t total, uint32_t parts, uint32_t index);

/** The random numbers of the workloads: x is the actor's number + 1 at first. */
static inline uint32_t bench_random(uint32_t *x)
{
    *x = (*x * 1103515245u + 12345u) & 0x7fffffffu;
    return *x >> 8;
}

/** Fail the run unless `sent` and `handled` of this message type are both `expected`. */
void bench_expect(struct bench *bench, const aldis_stats *stats, const char *type,
                  uint64_t expected);

/** Resident bytes of this process now, and the most that ever were. */
uint64_t bench_resident_bytes(void);
uint64_t bench_peak_bytes(void);

/** CPU time of this process so far. */
aldis_ns bench_cpu_ns(void);

void bench_add_extra(struct bench *bench, const char *name, double value);

#endif
