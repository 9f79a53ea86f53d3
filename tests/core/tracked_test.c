// SPDX-License-Identifier: Apache-2.0
/* tracked_test.c: each tracked message has one fate, and its tracker hears of it once. */
#include "core/tracked.h"
#include "core/worker.h"
#include "fixture.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { SERIALS = 4096 };

/* By serial: what became of the message. Any thread. */
static _Atomic(uint32_t) handled[SERIALS], ended[SERIALS], last_fate[SERIALS], last_err[SERIALS];
static _Atomic(uint32_t) destroyed;

static void reset(void)
{
    for (int i = 0; i < SERIALS; i++) {
        atomic_store(&handled[i], 0);
        atomic_store(&ended[i], 0);
        atomic_store(&last_fate[i], 99);
        atomic_store(&last_err[i], 99);
    }
    atomic_store(&destroyed, 0);
}

static void on_handled(struct aldis__worker *worker, struct aldis__cell *cell,
                       struct aldis__msg *msg, struct aldis__track *track, aldis_err err)
{
    EXPECT(worker->ctx.cell == cell && worker->ctx.msg == msg && worker->ctx.track == track);
    atomic_fetch_add(&handled[track->a], 1);
    atomic_store(&last_err[track->a], err);
}

static void on_ended(struct aldis__worker *worker, struct aldis__msg *msg,
                     struct aldis__track *track, enum aldis__fate fate, aldis_err reason)
{
    EXPECT(msg->flags & ALDIS__MSG_TRACKED);
    if (!worker)
        atomic_fetch_add(&destroyed, 1);
    atomic_fetch_add(&ended[track->a], 1);
    atomic_store(&last_fate[track->a], fate);
    atomic_store(&last_err[track->a], reason);
}

static const struct aldis__tracker plain = {
    .name = "plain", .handled = on_handled, .ended = on_ended};

static aldis_err send_num(aldis_ctx *ctx, aldis_id to, const struct aldis__tracker *tracker,
                          uint64_t serial, const aldis_send_opts *opts)
{
    const struct aldis__parcel parcel = {to, &num_type, &serial, sizeof serial, opts, NULL};
    const struct aldis__track track = {tracker, ALDIS_FOREVER, serial, 0};
    return aldis__send_tracked(ctx, &parcel, &track);
}

/* Send serials [a, b) to act->id; how many were accepted is noted as a fate, too. */
static aldis_err send_many(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint64_t serial = act->a; serial < act->b; serial++)
        if (send_num(ctx, act->id, &plain, serial, NULL) != ALDIS_OK) {
            EXPECT_UINT(atomic_load(&handled[serial]) + atomic_load(&ended[serial]), 0);
            atomic_store(&last_fate[serial], 77); /* refused at once */
        }
    return ALDIS_OK;
}

/* Each of [0, n) was refused at once, or has one fate. How many were handled. */
static uint32_t check_fates(uint32_t n)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t fates = atomic_load(&handled[i]) + atomic_load(&ended[i]);
        CHECK_UINT(fates, atomic_load(&last_fate[i]) == 77 ? 0 : 1);
        sum += atomic_load(&handled[i]);
    }
    return sum;
}

static const aldis_overflow_policy policies[] = {ALDIS_WAIT, ALDIS_REJECT, ALDIS_DROP_NEWEST,
                                                 ALDIS_DROP_OLDEST, ALDIS_UNBOUNDED};

TEST_EACH(each_has_one_fate_under_every_policy)
{
    for (size_t p = 0; p < sizeof policies / sizeof policies[0]; p++) {
        reset();
        fixture_open(f, NULL);
        aldis_spawn_opts opts = {.placement = ALDIS_PLACE_SHARD, .shard = 5};
        opts.mailbox = (aldis_mailbox_opts){.capacity_msgs = 8, .policy = policies[p]};
        puppet_ref to = fixture_spawn(f, NULL, &opts);
        for (uint32_t i = 0; i < 4; i++) {
            puppet_ref from = fixture_spawn(
                f, NULL, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = 2 * i + 1});
            fixture_tell(f, from, send_many,
                         (struct act){.id = to.id, .a = 100 * i, .b = 100 * i + 100});
        }
        fixture_settle(f);
        uint32_t sum = check_fates(400);
        CHECK(policies[p] == ALDIS_WAIT || policies[p] == ALDIS_UNBOUNDED ? sum == 400 : sum >= 8);
        CHECK_UINT(fixture_counts(f, "num").handled, sum);
        fixture_close(f);
    }
}

static aldis_err stop_at_20(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)value;
    EXPECT_OK(aldis_busy(ctx, ALDIS_MS)); /* virtual time: the others wait in the mailbox */
    return self->count == 20 ? aldis_kill(ctx, aldis_self(ctx)) : ALDIS_OK;
}

TEST_EACH(each_has_one_fate_when_the_receiver_is_killed)
{
    reset();
    fixture_open(f, NULL);
    const struct script script = {.num = stop_at_20};
    aldis_spawn_opts opts = {.placement = ALDIS_PLACE_SHARD, .shard = 5};
    opts.mailbox = (aldis_mailbox_opts){.capacity_msgs = 50};
    puppet_ref to = fixture_spawn(f, &script, &opts);
    for (uint32_t i = 0; i < 4; i++) {
        puppet_ref from = fixture_spawn(f, NULL, NULL);
        fixture_tell(f, from, send_many,
                     (struct act){.id = to.id, .a = 100 * i, .b = 100 * i + 100});
    }
    fixture_settle(f);
    /* In virtual time the command comes at the end of the window. */
    uint32_t sum = check_fates(400);
    CHECK(sum == 20 || (f->clock == ALDIS_CLOCK_VIRTUAL && sum == 21));
    CHECK(fixture_counts(f, "num").dead > 0);
}

static aldis_err fail_odd(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    return value % 2 ? aldis_fail(ctx, "odd") : ALDIS_OK;
}

TEST_EACH(the_handlers_error_is_told)
{
    reset();
    fixture_open(f, NULL);
    puppet_ref to = fixture_spawn(f, &(struct script){.num = fail_odd}, NULL);
    puppet_ref from = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, from, send_many, (struct act){.id = to.id, .b = 10});
    fixture_settle(f);
    CHECK_UINT(check_fates(10), 10);
    for (int i = 0; i < 10; i++)
        CHECK_INT(atomic_load(&last_err[i]), i % 2 ? ALDIS_EHANDLER : ALDIS_OK);
    CHECK_UINT(fixture_counts(f, "num").failed, 5);
}

/* ------------------------------------------------------------------ sizes, blobs, outside */

static aldis_err check_bytes(struct puppet *self, const unsigned char *bytes, size_t size,
                             aldis_ctx *ctx)
{
    (void)self;
    const struct aldis__track *track = aldis__ctx_track(ctx);
    EXPECT(track != NULL && track->b == size);
    EXPECT((uintptr_t)bytes % 16 == 0);
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != (unsigned char)(size + i)) {
            EXPECT_UINT(bytes[i], (unsigned char)(size + i));
            break;
        }
    trace_add(1, size, aldis_now(ctx));
    return ALDIS_OK;
}

static const size_t sizes[] = {0,   1,   15,  16,   17,   31,   32,   33,   64,   65,    127,
                               200, 416, 480, 1000, 2000, 3968, 4016, 4064, 8192, 65535, 65536};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static void fill(unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(size + i);
}

static aldis_err send_sizes(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    static const aldis_lane lanes[] = {ALDIS_LANE_NORMAL, ALDIS_LANE_HIGH, ALDIS_LANE_LOW};
    unsigned char *bytes = malloc(ALDIS_PAYLOAD_MAX);
    EXPECT(bytes != NULL);
    for (size_t i = 0; bytes && i < SIZES; i++) {
        const aldis_send_opts opts = {.lane = lanes[i % 3]};
        fill(bytes, sizes[i]);
        struct aldis__parcel parcel = {act->id, &raw_type, bytes, sizes[i], &opts, NULL};
        struct aldis__track track = {&plain, ALDIS_FOREVER, i, sizes[i]};
        EXPECT_OK(aldis__send_tracked(ctx, &parcel, &track));
        aldis_blob *blob = NULL;
        if (!sizes[i] || aldis_blob_create(bytes, sizes[i], &blob, NULL) != ALDIS_OK)
            continue;
        parcel = (struct aldis__parcel){.to = act->id, .type = &raw_type, .blob = blob};
        track.a = SIZES + i;
        EXPECT_OK(aldis__send_tracked(ctx, &parcel, &track));
        aldis_blob_unref(blob);
    }
    free(bytes);
    return ALDIS_OK;
}

TEST_EACH(every_size_and_blob_arrives_whole)
{
    reset();
    fixture_open(f, NULL);
    for (uint32_t shard = 0; shard < 3; shard++) {
        reset();
        puppet_ref from =
            fixture_spawn(f, NULL, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = 0});
        puppet_ref to = fixture_spawn(f, &(struct script){.raw = check_bytes},
                                      &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD,
                                                          .shard = shard,
                                                          .mailbox = {.capacity_bytes = 1 << 21}});
        fixture_tell(f, from, send_sizes, (struct act){.id = to.id});
        fixture_settle(f);
        for (uint32_t i = 0; i < 2 * SIZES; i++)
            CHECK_UINT(atomic_load(&handled[i]), i == SIZES ? 0 : 1);
    }
    CHECK_UINT(trace_count(), 3 * (2 * SIZES - 1));
}

TEST_EACH(from_outside_it_is_the_same)
{
    reset();
    fixture_open(f, NULL);
    puppet_ref to = fixture_spawn(f, NULL, NULL);
    for (uint64_t serial = 0; serial < 20; serial++) {
        const struct aldis__parcel parcel = {
            .to = to.id, .type = &num_type, .payload = &serial, .size = sizeof serial};
        const struct aldis__track track = {&plain, serial == 3 ? 0 : ALDIS_FOREVER, serial, 0};
        CHECK_OK(aldis__outside_send_tracked(f->system, &parcel, &track));
    }
    fixture_settle(f);
    CHECK_UINT(check_fates(20), 19);
    CHECK_UINT(atomic_load(&last_fate[3]), ALDIS__EXPIRED);
    CHECK_UINT(fixture_counts(f, "num").expired, 1);
    CHECK_OK(aldis_stop(f->system, to.id));
    fixture_settle(f);
    const struct aldis__parcel late = {
        .to = to.id, .type = &num_type, .payload = "12345678", .size = 8};
    const struct aldis__track track = {&plain, ALDIS_FOREVER, 30, 0};
    CHECK_ERR(aldis__outside_send_tracked(f->system, &late, &track), ALDIS_ESTALE);
    CHECK_UINT(atomic_load(&ended[30]), 0);
}

/* ------------------------------------------------------------------ deadlines, drops, holds */

static aldis_err send_with_deadlines(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint64_t serial = 0; serial < 20; serial++) {
        const struct aldis__parcel parcel = {
            .to = act->id, .type = &num_type, .payload = &serial, .size = sizeof serial};
        /* The even ones are late before they are sent. */
        const struct aldis__track track = {&plain, serial % 2 ? ALDIS_FOREVER : aldis_now(ctx),
                                           serial, 0};
        EXPECT_OK(aldis__send_tracked(ctx, &parcel, &track));
    }
    return ALDIS_OK;
}

TEST_EACH(a_late_one_is_not_handled_but_expired)
{
    reset();
    fixture_open(f, NULL);
    puppet_ref to = fixture_spawn(f, NULL, NULL), from = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, from, send_with_deadlines, (struct act){.id = to.id});
    fixture_settle(f);
    CHECK_UINT(check_fates(20), 10);
    for (int i = 0; i < 20; i += 2) {
        CHECK_UINT(atomic_load(&last_fate[i]), ALDIS__EXPIRED);
        CHECK_INT(atomic_load(&last_err[i]), ALDIS_EEXPIRED);
    }
    CHECK_UINT(fixture_counts(f, "num").expired, 10);
}

/* In order of their serials; a repeated one is dropped. The next one is the actor's count. */
static enum aldis__admission admit_in_order(struct aldis__worker *worker, struct aldis__cell *cell,
                                            struct aldis__msg *msg, struct aldis__track *track)
{
    (void)worker, (void)msg;
    struct puppet *self = cell->state;
    return track->a < self->count   ? ALDIS__ADMIT_DROP
           : track->a > self->count ? ALDIS__ADMIT_HOLD
                                    : ALDIS__ADMIT_HANDLE;
}

static void retry_others(struct aldis__worker *worker, struct aldis__cell *cell,
                         struct aldis__msg *msg, struct aldis__track *track, aldis_err err)
{
    on_handled(worker, cell, msg, track, err);
    aldis__tracked_retry(worker, cell);
}

static const struct aldis__tracker in_order = {
    .name = "in order", .admit = admit_in_order, .handled = retry_others, .ended = on_ended};

static aldis_err send_backwards(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint64_t n = act->b; n-- > 0;)
        EXPECT_OK(send_num(ctx, act->id, &in_order, n, NULL));
    return ALDIS_OK;
}

static aldis_err note_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    trace_add(1, value, aldis_now(ctx));
    return ALDIS_OK;
}

TEST_EACH(what_is_held_waits_for_the_one_before)
{
    reset();
    fixture_open(f, NULL);
    puppet_ref to = fixture_spawn(f, &(struct script){.num = note_num}, NULL);
    puppet_ref from = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, from, send_backwards, (struct act){.id = to.id, .b = 50});
    fixture_settle(f);
    CHECK_UINT(check_fates(50), 50);
    for (size_t i = 0; i < 50; i++)
        CHECK_UINT(trace_at(i).tag, i);
    /* Once more: all of them are repeated. */
    fixture_tell(f, from, send_backwards, (struct act){.id = to.id, .b = 50});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").dropped, 50);
    CHECK_UINT(trace_count(), 50);
}

static aldis_err send_later_ones(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint64_t n = 1; n < 10; n++)
        EXPECT_OK(send_num(ctx, act->id, &in_order, n, NULL));
    return ALDIS_OK;
}

TEST_EACH(what_is_held_for_ever_is_queued_and_dies_with_its_actor)
{
    reset();
    fixture_open(f, NULL);
    puppet_ref to = fixture_spawn(f, NULL, NULL), from = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, from, send_later_ones, (struct act){.id = to.id});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").queued, 9);
    fixture_check(f);
    CHECK_OK(aldis_stop(f->system, to.id));
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").dead, 9);
    for (int i = 1; i < 10; i++)
        CHECK_UINT(atomic_load(&ended[i]), 1);
}

TEST_EACH(a_system_that_is_destroyed_ends_what_waits)
{
    reset();
    fixture_open(f, NULL);
    puppet_ref to = fixture_spawn(f, NULL, NULL), from = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, from, send_later_ones, (struct act){.id = to.id});
    fixture_settle(f);
    fixture_close(f);
    CHECK_UINT(atomic_load(&destroyed), 9);
    for (int i = 1; i < 10; i++)
        CHECK_INT(atomic_load(&last_err[i]), ALDIS_ESHUTDOWN);
}

/* ------------------------------------------------------------------ reserved places, posts */

static aldis_err handle_reserved(struct aldis__worker *worker, struct aldis__cell *cell,
                                 struct aldis__msg *msg, struct aldis__track *track)
{
    (void)cell, (void)track;
    trace_add(2, *(const uint32_t *)aldis__msg_payload(msg, NULL), worker->ctx.now_ns);
    return ALDIS_OK;
}

static const struct aldis__tracker reserved = {.name = "reserved",
                                               .reserved = true,
                                               .handle = handle_reserved,
                                               .handled = on_handled,
                                               .ended = on_ended};

/* Fill the mailbox of act->id, then send it 100 messages that it does not list. */
static aldis_err fill_and_answer(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint64_t i = 0; i < 30; i++)
        (void)aldis_ctx_send_raw(ctx, act->id, &num_type, &i, sizeof i);
    for (uint32_t i = 0; i < 100; i++) {
        const struct aldis__parcel parcel = {
            .to = act->id, .type = &odd_type, .payload = &i, .size = sizeof i};
        const struct aldis__track track = {&reserved, ALDIS_FOREVER, i, 0};
        EXPECT_OK(aldis__send_tracked(ctx, &parcel, &track));
    }
    return ALDIS_OK;
}

TEST_EACH(a_reserved_place_is_there_in_a_full_mailbox)
{
    for (size_t p = 0; p < 2; p++) {
        reset();
        trace_clear();
        fixture_open(f, NULL);
        for (uint32_t shard = 1; shard < 3; shard++) {
            reset();
            trace_clear();
            aldis_spawn_opts opts = {.placement = ALDIS_PLACE_SHARD, .shard = shard};
            opts.mailbox = (aldis_mailbox_opts){.capacity_msgs = 8, .policy = policies[p]};
            puppet_ref to = fixture_spawn(f, &(struct script){.num = note_num}, &opts);
            puppet_ref from = fixture_spawn(
                f, NULL, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = 1});
            fixture_tell(f, from, fill_and_answer, (struct act){.id = to.id});
            fixture_settle(f);
            CHECK_UINT(check_fates(100), 100);
            CHECK_UINT(trace_count_of(2), 100);
            /* They come behind what was sent before them, and in order. */
            if (policies[p] == ALDIS_WAIT) {
                CHECK_UINT(trace_count_of(1), 30);
                CHECK_UINT(trace_find(2, 0), 30);
            }
            for (uint32_t i = 1; i < 100; i++)
                CHECK(trace_find(2, i) == trace_find(2, i - 1) + 1);
        }
        fixture_close(f);
    }
}

static aldis_err answer_the_dead(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    const struct aldis__parcel parcel = {
        .to = act->id, .type = &odd_type, .payload = "1234", .size = 4};
    const struct aldis__track track = {&reserved, ALDIS_FOREVER, 0, 0};
    EXPECT_ERR(aldis__send_tracked(ctx, &parcel, &track), ALDIS_ESTALE);
    return ALDIS_OK;
}

TEST_EACH(an_answer_to_the_dead_is_a_dead_letter)
{
    reset();
    fixture_open(f, NULL);
    puppet_ref to = fixture_spawn(f, NULL, NULL), from = fixture_spawn(f, NULL, NULL);
    CHECK_OK(aldis_stop(f->system, to.id));
    fixture_settle(f);
    fixture_tell(f, from, answer_the_dead, (struct act){.id = to.id});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "odd").dead, 1);
    CHECK_UINT(atomic_load(&ended[0]), 0);
}

static aldis_err handle_post(struct aldis__worker *worker, struct aldis__cell *cell,
                             struct aldis__msg *msg, struct aldis__track *track)
{
    (void)cell;
    size_t size;
    const char *bytes = aldis__msg_payload(msg, &size);
    EXPECT_UINT(size, track->b);
    EXPECT(size == 0 || bytes[size - 1] == 'x');
    trace_add(3, track->a, worker->ctx.now_ns);
    return ALDIS_OK;
}

static const struct aldis__tracker posted = {
    .name = "posted", .handle = handle_post, .handled = on_handled, .ended = on_ended};

static aldis_err post_some(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    char bytes[ALDIS__POST_BYTES_MAX];
    memset(bytes, 'x', sizeof bytes);
    for (uint64_t i = act->a; i <= act->b; i++) {
        const struct aldis__track track = {&posted, ALDIS_FOREVER, i, i % 65};
        aldis__post_tracked(aldis__worker_of(ctx), aldis_self(ctx), act->id, &track, bytes, i % 65);
    }
    return ALDIS_OK;
}

TEST_EACH(posts_reach_even_who_is_paused_and_end_with_the_dead)
{
    reset();
    fixture_open(f, NULL);
    puppet_ref to = fixture_spawn(f, NULL, NULL), from = fixture_spawn(f, NULL, NULL);
    CHECK_OK(aldis_pause(f->system, to.id));
    fixture_settle(f);
    fixture_tell(f, from, post_some, (struct act){.id = to.id, .b = 64});
    fixture_settle(f);
    CHECK_UINT(check_fates(65), 65);
    for (uint64_t i = 0; i < 65; i++)
        CHECK_UINT(trace_at(i).tag, i);
    CHECK_OK(aldis_kill(f->system, to.id));
    fixture_settle(f);
    fixture_tell(f, from, post_some, (struct act){.id = to.id, .a = 100, .b = 110});
    fixture_settle(f);
    for (int i = 100; i <= 110; i++)
        CHECK_UINT(atomic_load(&last_fate[i]), ALDIS__DEAD);
}

/* ------------------------------------------------------------------ equal runs */

TEST(equal_runs_on_any_workers)
{
    uint64_t print = 0;
    for (uint32_t workers = 1; workers <= 4; workers *= 2) {
        reset();
        struct fixture f = {ALDIS_CLOCK_VIRTUAL, workers, NULL};
        fixture_open(&f, NULL);
        aldis_spawn_opts opts = {.mailbox = {.capacity_msgs = 20, .policy = ALDIS_DROP_OLDEST}};
        puppet_ref to = fixture_spawn(&f, NULL, &opts);
        for (uint32_t i = 0; i < 40; i++) {
            puppet_ref from = fixture_spawn(&f, NULL, NULL);
            fixture_tell(&f, from, send_many,
                         (struct act){.id = to.id, .a = 100 * i, .b = 100 * i + 100});
        }
        fixture_settle(&f);
        check_fates(4000);
        uint64_t found = aldis_system_run_print(f.system);
        if (workers == 1)
            print = found;
        CHECK_UINT(found, print);
        fixture_close(&f);
    }
}
