// SPDX-License-Identifier: Apache-2.0
/* stress_test.c: the live runtime under load, for the thread sanitizer above all: shards change
 * hands while their actors talk, slots are used again while others still hold the old ids. Nothing
 * is lost, each pair's order holds, and no message reaches an actor it was not meant for.
 *
 * The waits are for events: a phase of traffic is repeated until enough shards have changed
 * hands. */
#include "harness.h"
#include <aldis/aldis.h>

#include <stdatomic.h>
#include <stdlib.h>

/* ------------------------------------------------------------------ sends and hand-overs */

enum { PEERS = 64, SHARDS = 16, WORKERS = 4, HANDOVERS = 50, PHASES_MAX = 10000 };
/* The work of a phase: so many peers send so many words, each passed on so often. */
enum { TALKERS = 8, WORDS = 200, HOPS = 30 };

struct kick {
    uint32_t sends, hops;
};

struct word {
    uint32_t from;   /* index of the sender */
    uint32_t hops;   /* how often it is still to be passed on */
    uint64_t number; /* of this sender to this receiver: 1, 2, 3, ... */
};

ALDIS_MESSAGE(kick, struct kick);
ALDIS_MESSAGE(word, struct word);
#define PEER_PROTOCOL(X, kind) X(kind, kick) X(kind, word)
ALDIS_PROTOCOL(peer, PEER_PROTOCOL);

struct peer {
    uint32_t index;
    uint64_t sent_to[PEERS], received_from[PEERS];
};

static peer_ref peers[PEERS]; /* written before the first kick, then read only */
/* Words go to peers of a higher index only: else small mailboxes would make peers wait for each
 * other in a circle. */
static bool upwards; /* written likewise */
static atomic_uint_fast64_t out_of_order, refused, said, heard;

static void say(struct peer *self, aldis_ctx *ctx, uint32_t hops)
{
    uint32_t first = upwards ? self->index + 1 : 0;
    if (first == PEERS)
        return;
    uint32_t to = first + (uint32_t)aldis_random_below(ctx, PEERS - first);
    atomic_fetch_add_explicit(&said, 1, memory_order_relaxed);
    if (aldis_send(ctx, peers[to], word, self->index, hops, self->sent_to[to] + 1) == ALDIS_OK)
        self->sent_to[to]++;
    else
        atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
}

static aldis_err peer_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    ((struct peer *)state)->index = *(const uint32_t *)arg;
    return ALDIS_OK;
}

static aldis_err peer_on_kick(struct peer *self, const struct kick *msg, aldis_ctx *ctx)
{
    for (uint32_t i = 0; i < msg->sends; i++)
        say(self, ctx, msg->hops);
    return ALDIS_OK;
}

static aldis_err peer_on_word(struct peer *self, const struct word *msg, aldis_ctx *ctx)
{
    atomic_fetch_add_explicit(&heard, 1, memory_order_relaxed);
    if (msg->number != ++self->received_from[msg->from])
        atomic_fetch_add_explicit(&out_of_order, 1, memory_order_relaxed);
    if (msg->hops)
        say(self, ctx, msg->hops - 1);
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(peer, struct peer, PEER_PROTOCOL, .on_start = peer_start);

static void check_audit(aldis_system *system)
{
    aldis_audit audit;
    CHECK_OK(aldis_system_audit(system, &audit));
    CHECK_STR(audit.text, "balanced");
}

/* One phase: a few peers, of a few shards only, get a burst of work; the other workers, idle, ask
 * for shards. Returns how many shards have changed hands since the beginning. */
static uint64_t run_phase(aldis_system *system, uint32_t phase)
{
    aldis_run_end end;
    aldis_stats stats;
    const struct kick burst = {.sends = WORDS, .hops = HOPS};
    for (uint32_t i = 0; i < TALKERS; i++) /* a mailbox may be full of words by now */
        CHECK_OK(aldis_system_send_until_raw(system, peers[(phase * TALKERS + i) % PEERS].id,
                                             &kick_type, &burst, sizeof burst, ALDIS_FOREVER));
    CHECK_OK(aldis_system_run(system, ALDIS_FOREVER, &end));
    CHECK_INT(end, ALDIS_RUN_IDLE);
    CHECK_OK(aldis_system_stats(system, &stats));
    const aldis_type_stats *words = aldis_stats_type(&stats, "word");
    uint64_t handled = words ? words->handled : 0, queued = words ? words->queued : 0;
    uint64_t handovers = stats.handovers;
    aldis_stats_fini(&stats);
    CHECK_UINT(handled, atomic_load(&said));
    CHECK_UINT(queued, 0);
    return handovers;
}

static void create_peers(const aldis_system_opts *opts, aldis_system **out_system)
{
    aldis_system *system;
    CHECK_OK(aldis_system_create(opts, &system));
    *out_system = system;
    atomic_store(&out_of_order, 0);
    atomic_store(&refused, 0);
    atomic_store(&said, 0);
    atomic_store(&heard, 0);
    for (uint32_t i = 0; i < PEERS; i++) {
        aldis_spawn_opts where = {.arg = &i,
                                  .arg_size = sizeof i,
                                  .placement = ALDIS_PLACE_SHARD,
                                  .shard = i % opts->shards};
        CHECK_OK(aldis_spawn(system, peer, &peers[i], &where));
    }
}

static void check_words(uint64_t expected)
{
    CHECK_UINT(atomic_load(&out_of_order), 0);
    CHECK_UINT(atomic_load(&refused), 0);
    CHECK_UINT(atomic_load(&said), expected);
    CHECK_UINT(atomic_load(&heard), expected);
}

static void check_traffic(uint32_t capacity_msgs)
{
    aldis_system *system;
    create_peers(&(aldis_system_opts){.workers = WORKERS,
                                      .shards = SHARDS,
                                      .seed = 7,
                                      .mailbox = {.capacity_msgs = capacity_msgs}},
                 &system);
    uint32_t phase = 0;
    uint64_t handovers = 0;
    while (handovers < HANDOVERS && phase < PHASES_MAX)
        handovers = run_phase(system, phase++);
    printf("# %u phases, %" PRIu64 " hand-overs\n", phase, handovers);
    check_audit(system);
    aldis_system_destroy(system);
    check_words(upwards ? atomic_load(&said) : (uint64_t)phase * TALKERS * WORDS * (HOPS + 1));
    CHECK(handovers >= HANDOVERS);
}

TEST(stress_hand_overs_lose_nothing_and_keep_each_pairs_order)
{
    upwards = false;
    check_traffic(0);
}

TEST(stress_hand_overs_with_parked_senders)
{
    upwards = true;
    check_traffic(4);
}

/* More than a chain at once, again and again, to another worker's shard. */
TEST(stress_long_chains_to_another_worker)
{
    aldis_system *system;
    aldis_run_end end;
    upwards = false;
    create_peers(&(aldis_system_opts){.workers = 2, .shards = 2}, &system);
    for (int burst = 0; burst < 4; burst++)
        CHECK_OK(aldis_send(system, peers[0], kick, .sends = 5000, .hops = 0));
    CHECK_OK(aldis_system_run(system, ALDIS_FOREVER, &end));
    check_audit(system);
    aldis_system_destroy(system);
    check_words(20000);
}

/* ------------------------------------------------------------------ stale ids */

enum { NESTS = 8, LIVES = 100000 };

struct serial {
    uint64_t serial;
};
struct stale {
    aldis_id id;
    uint64_t serial;
};

ALDIS_MESSAGE(hello, struct serial);
ALDIS_MESSAGE(probe, struct stale);
ALDIS_SIGNAL(begin);
#define CHICK_PROTOCOL(X, kind) X(kind, hello)
ALDIS_PROTOCOL(chick, CHICK_PROTOCOL);
#define NEST_PROTOCOL(X, kind) X(kind, begin)
ALDIS_PROTOCOL(nest, NEST_PROTOCOL);
#define PROBER_PROTOCOL(X, kind) X(kind, probe)
ALDIS_PROTOCOL(prober, PROBER_PROTOCOL);

static prober_ref probers[NESTS];
static atomic_uint_fast64_t greeted, strangers, stale_refused, stale_accepted, lives;

static aldis_err chick_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    *(struct serial *)state = *(const struct serial *)arg;
    return ALDIS_OK;
}

static aldis_err chick_on_hello(struct serial *self, const struct serial *msg, aldis_ctx *ctx)
{
    (void)ctx;
    atomic_fetch_add_explicit(self->serial == msg->serial ? &greeted : &strangers, 1,
                              memory_order_relaxed);
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(chick, struct serial, CHICK_PROTOCOL, .on_start = chick_start);

static void try_stale(aldis_ctx *ctx, aldis_id id, uint64_t serial)
{
    aldis_err err = aldis_send(ctx, (chick_ref){.id = id}, hello, .serial = serial);
    atomic_fetch_add_explicit(err == ALDIS_ESTALE ? &stale_refused : &stale_accepted, 1,
                              memory_order_relaxed);
}

static aldis_err prober_on_probe(aldis_none *self, const struct stale *msg, aldis_ctx *ctx)
{
    (void)self;
    try_stale(ctx, msg->id, msg->serial);
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(prober, aldis_none, PROBER_PROTOCOL);

struct nest {
    uint64_t spawned, serial;
    uint32_t index;
    chick_ref child;
};

/* A child somewhere, a greeting for it, and its end. */
static aldis_err raise_one(struct nest *self, aldis_ctx *ctx)
{
    struct serial name = {(uint64_t)self->index << 32 | ++self->spawned};
    aldis_spawn_opts opts = {.arg = &name,
                             .arg_size = sizeof name,
                             .placement =
                                 self->spawned % 2 ? ALDIS_PLACE_ANYWHERE : ALDIS_PLACE_BESIDE};
    self->serial = name.serial;
    aldis_err err = aldis_spawn(ctx, chick, &self->child, &opts);
    if (err == ALDIS_OK)
        err = aldis_send(ctx, self->child, hello, .serial = name.serial);
    if (err == ALDIS_OK)
        err = aldis_drain(ctx, self->child.id, ALDIS_FOREVER);
    return err;
}

static aldis_err nest_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    ((struct nest *)state)->index = *(const uint32_t *)arg;
    return ALDIS_OK;
}

static aldis_err nest_on_begin(struct nest *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    return raise_one(self, ctx);
}

static void nest_child_ended(void *state, const aldis_child_ended *notice, aldis_ctx *ctx)
{
    struct nest *self = state;
    atomic_fetch_add_explicit(&lives, 1, memory_order_relaxed);
    uint64_t serial = self->serial;
    uint32_t next = (self->index + (uint32_t)self->spawned) % NESTS;
    /* The slot may have a new tenant when the prober comes to try the old id. */
    (void)aldis_send(ctx, probers[next], probe, notice->child, serial);
    if (self->spawned < LIVES / NESTS && raise_one(self, ctx) != ALDIS_OK)
        atomic_fetch_add_explicit(&strangers, 1, memory_order_relaxed);
    try_stale(ctx, notice->child, serial);
}

ALDIS_BEHAVIOUR(nest, struct nest, NEST_PROTOCOL, .on_start = nest_start,
                .on_child_ended = nest_child_ended);

TEST(stress_stale_ids_never_reach_a_new_actor)
{
    aldis_system *system;
    aldis_run_end end;
    nest_ref nests[NESTS];
    CHECK_OK(
        aldis_system_create(&(aldis_system_opts){.workers = WORKERS, .shards = SHARDS}, &system));
    for (uint32_t i = 0; i < NESTS; i++) {
        aldis_spawn_opts opts = {.arg = &i,
                                 .arg_size = sizeof i,
                                 .placement = ALDIS_PLACE_SHARD,
                                 .shard = i * SHARDS / NESTS};
        CHECK_OK(aldis_spawn(system, prober, &probers[i], &opts));
        CHECK_OK(aldis_spawn(system, nest, &nests[i], &opts));
    }
    for (uint32_t i = 0; i < NESTS; i++)
        CHECK_OK(aldis_signal(system, nests[i], begin));
    CHECK_OK(aldis_system_run(system, ALDIS_FOREVER, &end));
    CHECK_INT(end, ALDIS_RUN_IDLE);
    check_audit(system);
    aldis_system_destroy(system);
    CHECK_UINT(atomic_load(&lives), LIVES);
    CHECK_UINT(atomic_load(&greeted), LIVES);
    CHECK_UINT(atomic_load(&strangers), 0);
    CHECK_UINT(atomic_load(&stale_accepted), 0);
    CHECK_UINT(atomic_load(&stale_refused), 2 * LIVES);
}
