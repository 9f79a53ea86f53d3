// SPDX-License-Identifier: Apache-2.0
/* payload_test.c: payloads of all sizes by every way of sending: copied, built in place, as a
 * blob. */
#include "fixture.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { GOT = 1, BUILT };

/* Byte i of a payload of `size` bytes: any shift, cut or mix-up shows. */
static unsigned char pattern(size_t size, size_t i)
{
    return (unsigned char)((i * 131 + size * 7 + (i >> 8)) & 0xff);
}

static void fill(unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = pattern(size, i);
}

static aldis_err check_raw(struct puppet *self, const unsigned char *bytes, size_t size,
                           aldis_ctx *ctx)
{
    (void)self;
    size_t wrong = 0;
    EXPECT((uintptr_t)bytes % 16 == 0);
    for (size_t i = 0; i < size; i++)
        wrong += bytes[i] != pattern(size, i);
    EXPECT_UINT(wrong, 0);
    trace_add(GOT, size, aldis_now(ctx));
    return ALDIS_OK;
}

static const struct script checker = {.raw = check_raw};

/* Around every size at which something changes: blocks, classes, slabs, the largest. */
static const size_t sizes[] = {
    0,    1,    7,    8,    15,   16,   17,   31,   32,    33,    47,    48,    49,    63,   64,
    65,   95,   96,   127,  128,  200,  255,  256,  257,   479,   480,   500,   511,   512,  700,
    1000, 1023, 1024, 1025, 2000, 2047, 2048, 3000, 4031,  4032,  4033,  4047,  4048,  4049, 4063,
    4064, 4065, 4095, 4096, 4097, 5000, 8192, 9999, 16384, 32768, 65519, 65520, 65535, 65536};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static aldis_err send_all_sizes(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    unsigned char *bytes = malloc(ALDIS_PAYLOAD_MAX);
    EXPECT(bytes != NULL);
    for (size_t i = 0; bytes && i < SIZES; i++) {
        fill(bytes, sizes[i]);
        EXPECT_OK(aldis_ctx_send_raw(ctx, act->id, &raw_type, bytes, sizes[i]));
        memset(bytes, 0xee, sizes[i]);
        unsigned char *built = aldis_build_raw(ctx, act->id, &raw_type, sizes[i]);
        EXPECT(built != NULL);
        if (!built)
            continue;
        EXPECT((uintptr_t)built % 16 == 0);
        fill(built, sizes[i]);
        EXPECT_OK(aldis_post(ctx, built));
    }
    free(bytes);
    return ALDIS_OK;
}

TEST_EACH(payloads_of_every_size_arrive_whole_and_in_order)
{
    fixture_open(f, NULL);
    puppet_ref p =
        fixture_spawn(f, NULL, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = 0});
    for (uint32_t shard = 0; shard < 4; shard++) {
        puppet_ref q = fixture_spawn(f, &checker,
                                     &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD,
                                                         .shard = shard,
                                                         .mailbox = {.capacity_bytes = 64 << 20}});
        size_t before = trace_count();
        fixture_tell(f, p, send_all_sizes, (struct act){.id = q.id});
        fixture_settle(f);
        CHECK_UINT(trace_count(), before + 2 * SIZES);
        for (size_t i = 0; i < 2 * SIZES; i++)
            CHECK_UINT(trace_at(before + i).tag, sizes[i / 2]);
    }
}

TEST_EACH(payloads_from_outside_arrive_whole)
{
    fixture_open(f, NULL);
    puppet_ref q = fixture_spawn(f, &checker, NULL);
    unsigned char *bytes = malloc(ALDIS_PAYLOAD_MAX);
    CHECK(bytes != NULL);
    for (size_t i = 0; i < SIZES; i++) {
        fill(bytes, sizes[i]);
        aldis_err err =
            aldis_system_send_until_raw(f->system, q.id, &raw_type, bytes, sizes[i],
                                        f->clock == ALDIS_CLOCK_LIVE ? 30 * ALDIS_SECOND : 0);
        memset(bytes, 0xee, sizes[i]);
        if (err != ALDIS_OK) {
            free(bytes);
            CHECK_ERR(err, ALDIS_OK);
        }
    }
    free(bytes);
    fixture_settle(f);
    CHECK_UINT(trace_count(), SIZES);
    for (size_t i = 0; i < SIZES; i++)
        CHECK_UINT(trace_at(i).tag, sizes[i]);
}

/* Structs whose sizes differ by one byte: each message carries its own and no more. */
/* clang-format off */
#define STRUCTS(X)                                                                                 \
    X(s1, 1)                                                                                       \
    X(s7, 7)                                                                                       \
    X(s8, 8)                                                                                       \
    X(s9, 9)                                                                                       \
    X(s15, 15)                                                                                     \
    X(s16, 16)                                                                                     \
    X(s17, 17)                                                                                     \
    X(s24, 24) X(s31, 31) X(s32, 32) X(s33, 33) X(s64, 64) X(s100, 100) X(s4000, 4000)             \
        X(s4096, 4096) X(s9000, 9000)
/* clang-format on */
#define DECLARE(name_, size_)                                                                      \
    struct name_ {                                                                                 \
        unsigned char bytes[size_];                                                                \
    };                                                                                             \
    ALDIS_MESSAGE(name_, struct name_);
STRUCTS(DECLARE)
/* clang-format off */
#define SIZED_PROTOCOL(X, kind)                                                                    \
    X(kind, s1)                                                                                    \
    X(kind, s7)                                                                                    \
    X(kind, s8)                                                                                    \
    X(kind, s9)                                                                                    \
    X(kind, s15)                                                                                   \
    X(kind, s16)                                                                                   \
    X(kind, s17)                                                                                   \
    X(kind, s24) X(kind, s31) X(kind, s32) X(kind, s33) X(kind, s64) X(kind, s100) X(kind, s4000)  \
        X(kind, s4096) X(kind, s9000)
/* clang-format on */
ALDIS_PROTOCOL(sized, SIZED_PROTOCOL);
#define HANDLE(name_, size_)                                                                       \
    static aldis_err sized_on_##name_(struct puppet *self, const struct name_ *msg,                \
                                      aldis_ctx *ctx)                                              \
    {                                                                                              \
        EXPECT_UINT(aldis_payload_size(ctx), size_);                                               \
        return check_raw(self, msg->bytes, size_, ctx);                                            \
    }
STRUCTS(HANDLE)
ALDIS_BEHAVIOUR(sized, struct puppet, SIZED_PROTOCOL);

static aldis_err send_structs(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    sized_ref to = {.id = act->id};
#define SEND(name_, size_)                                                                         \
    do {                                                                                           \
        static struct name_ copy;                                                                  \
        fill(copy.bytes, size_);                                                                   \
        EXPECT_OK(aldis_send_copy(ctx, to, name_, &copy));                                         \
        struct name_ *built = aldis_build(ctx, to, name_);                                         \
        EXPECT(built != NULL);                                                                     \
        if (built) {                                                                               \
            *built = copy;                                                                         \
            EXPECT_OK(aldis_post(ctx, built));                                                     \
        }                                                                                          \
    } while (0);
    if (act->a == aldis_random_below(ctx, 1)) { /* one thread at a time uses the statics */
        STRUCTS(SEND)
    }
    return ALDIS_OK;
}

TEST_EACH(structs_of_every_size_arrive_whole)
{
    fixture_open(f, NULL);
    puppet_ref p =
        fixture_spawn(f, NULL, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = 0});
    for (uint32_t shard = 0; shard < 4; shard++) {
        sized_ref q;
        CHECK_OK(aldis_spawn(f->system, sized, &q,
                             &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = shard}));
        fixture_tell(f, p, send_structs, (struct act){.id = q.id});
        fixture_settle(f);
    }
    CHECK_UINT(trace_count(), 4 * 2 * 16);
}

/* ------------------------------------------------------------------ build, post, discard */

static aldis_err build_and_misuse(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    num_payload *a = aldis_build(ctx, to, num), *b = aldis_build(ctx, to, num),
                *c = aldis_build(ctx, to, num);
    EXPECT(a && b && c && a != b && b != c && a != c);
    if (!a || !b || !c)
        return ALDIS_ENOMEM;
    *a = 1;
    *b = 2;
    *c = 3;
    EXPECT_OK(aldis_post(ctx, b)); /* in any order */
    EXPECT_ERR(aldis_post(ctx, b), ALDIS_EINVAL);
    aldis_discard(ctx, b); /* not ours any more: nothing happens */
    aldis_discard(ctx, a);
    EXPECT_ERR(aldis_post(ctx, a), ALDIS_EINVAL);
    aldis_discard(ctx, a);
    EXPECT_OK(aldis_post(ctx, c));
    num_payload local = 4;
    EXPECT_ERR(aldis_post(ctx, &local), ALDIS_EINVAL);
    EXPECT_ERR(aldis_post(ctx, NULL), ALDIS_EINVAL);
    aldis_discard(ctx, &local);
    aldis_discard(ctx, NULL);
    static const unsigned char bytes[4];
    EXPECT_ERR(aldis_post(ctx, (void *)(uintptr_t)bytes), ALDIS_EINVAL);
    EXPECT(aldis_build_raw(ctx, to.id, &raw_type, ALDIS_PAYLOAD_MAX + 1) == NULL);
    EXPECT_ERR(aldis_error_last()->err, ALDIS_ETOOLARGE);
    EXPECT(aldis_build_raw(ctx, to.id, NULL, 0) == NULL);
    EXPECT_ERR(aldis_error_last()->err, ALDIS_EINVAL);
    EXPECT(aldis_build_raw(ctx, to.id, &num_type, 3) == NULL);
    EXPECT_ERR(aldis_error_last()->err, ALDIS_EINVAL);
    return ALDIS_OK;
}

static aldis_err trace_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    trace_add(GOT, value, aldis_now(ctx));
    return ALDIS_OK;
}

TEST_EACH(a_build_ends_once)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL),
               q = fixture_spawn(f, &(struct script){.num = trace_num}, NULL);
    fixture_tell(f, p, build_and_misuse, (struct act){.id = q.id});
    fixture_tell(f, q, build_and_misuse, (struct act){.id = q.id});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(GOT), 4);
    CHECK_UINT(fixture_counts(f, "num").sent, 4);
    CHECK(trace_find(GOT, 1) == TRACE_MAX);
}

static aldis_err forget_builds(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    for (size_t i = 0; i < 100; i++) {
        EXPECT(aldis_build(ctx, to, num) != NULL);
        EXPECT(aldis_build_raw(ctx, to.id, &raw_type, 60000) != NULL);
    }
    return ALDIS_OK;
}

/* The sanitizers find what is not freed. */
TEST_EACH(a_forgotten_build_is_given_up)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    for (int i = 0; i < 10; i++)
        fixture_tell(f, p, forget_builds, (struct act){.id = p.id});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").sent, 0);
    CHECK_UINT(fixture_counts(f, "raw").sent, 0);
}

static aldis_err keep_build(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    puppet_ref to = {.id = act->id};
    self->pointer = aldis_build(ctx, to, num);
    EXPECT(self->pointer != NULL);
    return ALDIS_OK;
}

static aldis_err post_kept(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)act;
    EXPECT_ERR(aldis_post(ctx, self->pointer), ALDIS_EINVAL);
    return ALDIS_OK;
}

/* Not even by the next message of the same turn. */
TEST_EACH(a_build_ends_with_its_handler)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    CHECK_OK(aldis_pause(f->system, p.id));
    fixture_settle(f);
    for (int i = 0; i < 5; i++) {
        fixture_tell(f, p, keep_build, (struct act){.id = p.id});
        fixture_tell(f, p, post_kept, (struct act){.id = p.id});
    }
    CHECK_OK(aldis_resume(f->system, p.id));
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").sent, 0);
}

static aldis_err build_for_nobody(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    puppet_ref nobody = {.id = ALDIS_NOBODY_INIT};
    num_payload *built = aldis_build(ctx, nobody, num);
    EXPECT(built != NULL); /* the receiver is looked at by the post */
    EXPECT_ERR(aldis_post(ctx, built), ALDIS_ENOTFOUND);
    EXPECT_ERR(aldis_post(ctx, built), ALDIS_EINVAL); /* it was taken all the same */
    return ALDIS_OK;
}

TEST_EACH(a_post_takes_the_payload_even_if_it_fails)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, p, build_for_nobody, (struct act){.a = 0});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").rejected, 1);
}

/* ------------------------------------------------------------------ blobs */

enum { BLOB_BYTES = 1 << 20 };

static aldis_err send_blob(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    aldis_blob *blob = self->script.user;
    for (uint64_t i = 0; i < act->a; i++)
        EXPECT_ERR(aldis_send_blob_raw(ctx, act->id, &raw_type, blob), (aldis_err)act->b);
    return ALDIS_OK;
}

static aldis_err check_blob(struct puppet *self, const unsigned char *bytes, size_t size,
                            aldis_ctx *ctx)
{
    EXPECT_UINT(size, BLOB_BYTES);
    EXPECT(bytes == self->script.user); /* not copied */
    for (size_t i = 0; i < size; i += 4099)
        EXPECT(bytes[i] == pattern(size, i));
    trace_add(GOT, size, aldis_now(ctx));
    return ALDIS_OK;
}

static aldis_blob *make_blob(size_t size)
{
    aldis_blob *blob;
    void *bytes;
    CHECK_OK(aldis_blob_create(NULL, size, &blob, &bytes));
    fill(bytes, size);
    size_t found = 0;
    CHECK(aldis_blob_data(blob, &found) == bytes);
    CHECK_UINT(found, size);
    return blob;
}

TEST_EACH(a_blob_is_sent_without_a_copy_and_outlives_its_maker)
{
    fixture_open(f, NULL);
    aldis_blob *blob = make_blob(BLOB_BYTES);
    void *bytes = (void *)(uintptr_t)aldis_blob_data(blob, NULL);
    puppet_ref p = fixture_spawn(f, &(struct script){.user = blob}, NULL);
    for (uint32_t shard = 0; shard < 8; shard++) {
        puppet_ref q =
            fixture_spawn(f, &(struct script){.raw = check_blob, .user = bytes},
                          &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = shard});
        fixture_tell(f, p, send_blob, (struct act){.id = q.id, .a = 10});
    }
    fixture_settle(f);
    CHECK_UINT(trace_count_of(GOT), 80);
    /* Some that are never handled: dead letters, and what a destroyed system holds. */
    puppet_ref paused = fixture_spawn(f, NULL, NULL), dead = fixture_spawn(f, NULL, NULL);
    CHECK_OK(aldis_pause(f->system, paused.id));
    CHECK_OK(aldis_pause(f->system, dead.id));
    fixture_settle(f);
    fixture_tell(f, p, send_blob, (struct act){.id = paused.id, .a = 10});
    fixture_tell(f, p, send_blob, (struct act){.id = dead.id, .a = 10});
    fixture_settle(f);
    CHECK_OK(aldis_stop(f->system, dead.id));
    fixture_settle(f);
    fixture_tell(f, p, send_blob, (struct act){.id = dead.id, .a = 10, .b = ALDIS_ESTALE});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "raw").queued, 10);
    CHECK_UINT(fixture_counts(f, "raw").dead, 10);
    aldis_blob_unref(blob); /* ours; the ten that wait hold it */
}

static aldis_err send_blob_badly(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    aldis_blob *blob = self->script.user;
    EXPECT_ERR(aldis_send_blob_raw(ctx, act->id, &raw_type, NULL), ALDIS_EINVAL);
    EXPECT_ERR(aldis_send_blob_raw(ctx, act->id, NULL, blob), ALDIS_EINVAL);
    EXPECT_ERR(aldis_send_blob_raw(ctx, act->id, &num_type, blob), ALDIS_EINVAL);
    EXPECT_ERR(aldis_send_blob_raw(ctx, aldis_nobody(), &raw_type, blob), ALDIS_ENOTFOUND);
    return ALDIS_OK;
}

TEST_EACH(blobs_are_refused_by_name)
{
    aldis_blob *none = NULL;
    CHECK_ERR(aldis_blob_create("x", 0, &none, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_blob_create("x", 1, NULL, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_blob_create(NULL, SIZE_MAX, &none, NULL), ALDIS_EINVAL);
    CHECK(none == NULL);
    aldis_blob_unref(NULL);
    fixture_open(f, NULL);
    aldis_blob *blob = make_blob(100);
    CHECK(aldis_blob_ref(blob) == blob);
    aldis_blob_unref(blob);
    puppet_ref p = fixture_spawn(f, &(struct script){.user = blob}, NULL);
    fixture_tell(f, p, send_blob_badly, (struct act){.id = p.id});
    fixture_settle(f);
    aldis_blob_unref(blob);
    CHECK_UINT(fixture_counts(f, "raw").rejected, 1);
}

/* References given up on every worker at once: the last one frees. */
static aldis_err take_blob(struct puppet *self, const unsigned char *bytes, size_t size,
                           aldis_ctx *ctx)
{
    (void)ctx;
    EXPECT(bytes[size - 1] == pattern(size, size - 1));
    atomic_fetch_add((_Atomic(uint64_t) *)self->script.user, 1);
    return ALDIS_OK;
}

TEST_EACH(a_blob_goes_to_many_at_once)
{
    static _Atomic(uint64_t) taken;
    atomic_store(&taken, 0);
    fixture_open(f, NULL);
    aldis_blob *blob = make_blob(BLOB_BYTES);
    puppet_ref p = fixture_spawn(f, &(struct script){.user = blob}, NULL);
    for (uint32_t i = 0; i < 64; i++) {
        puppet_ref q =
            fixture_spawn(f, &(struct script){.raw = take_blob, .user = &taken},
                          &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = i % 8});
        fixture_tell(f, p, send_blob, (struct act){.id = q.id, .a = 50});
    }
    fixture_settle(f);
    CHECK_UINT(atomic_load(&taken), 64 * 50);
    aldis_blob_unref(blob);
}

/* ------------------------------------------------------------------ padding */

struct gapped {
    uint8_t small;
    uint64_t large;
    uint16_t last;
};
ALDIS_MESSAGE(gapped, struct gapped);

#ifdef ALDIS_CLEARS_PADDING_
/* Stands where the payload will: what is left undefined shows. */
static __attribute__((noinline)) void dirty_the_stack(void)
{
    volatile unsigned char garbage[512];
    for (size_t i = 0; i < sizeof garbage; i++)
        garbage[i] = 0xa5;
}

static __attribute__((noinline)) unsigned bytes_set(const volatile uint8_t *value)
{
    const struct gapped *payload = ALDIS_NEW_(gapped, .small = *value, .large = *value, .last = 1);
    unsigned char bytes[sizeof *payload];
    memcpy(bytes, payload, sizeof bytes);
    unsigned count = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        count += bytes[i] != 0;
    return count;
}
#endif

TEST(padding_is_zero_where_fields_are_given)
{
#ifdef ALDIS_CLEARS_PADDING_
    static const volatile uint8_t one = 1;
    dirty_the_stack();
    CHECK_UINT(bytes_set(&one), 3);
#else
    SKIP("the compiler cannot clear padding");
#endif
}
