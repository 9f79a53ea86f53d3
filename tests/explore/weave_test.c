// SPDX-License-Identifier: Apache-2.0
/* weave_test.c: the explorer against the classic litmus tests, whose allowed outcomes are known:
 * it must reach every outcome that C11 allows (but for load buffering) and no other. */
#include "model.h"

static _Atomic(uint32_t) x, y;
static uint32_t r1, r2, r3, r4;
static uint32_t plain;
/* Bit n: some execution ended with the registers r1..r4 forming the binary number n. */
static uint32_t outcomes;
static memory_order writes, reads, updates;

static void setup(void)
{
    atomic_store_explicit(&x, 0, memory_order_relaxed);
    atomic_store_explicit(&y, 0, memory_order_relaxed);
    r1 = r2 = r3 = r4 = 0;
    plain = 0;
    weave_watch(&plain, sizeof plain);
}

static void record(void)
{
    outcomes |= 1u << (r1 << 3 | r2 << 2 | r3 << 1 | r4);
}

static bool reached(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return outcomes >> (a << 3 | b << 2 | c << 1 | d) & 1;
}

/* Bring *result to what the model says of these threads under the given orders. */
static void explore(struct weave_result *result, void (*finish)(void), memory_order w,
                    memory_order r, void (*const threads[4])(void))
{
    struct weave_model model = {
        .name = "litmus", .setup = setup, .finish = finish, .preemptions = 4};
    for (int i = 0; i < 4; i++)
        model.threads[i] = threads[i];
    outcomes = 0;
    writes = w;
    reads = r;
    weave_explore(&model, NULL, result);
}

#define EXPLORE(w, r, ...)                                                                         \
    do {                                                                                           \
        struct weave_result result_;                                                               \
        void (*const threads_[4])(void) = {__VA_ARGS__};                                           \
        explore(&result_, record, memory_order_##w, memory_order_##r, threads_);                   \
        CHECK_STR(result_.failure, "");                                                            \
        CHECK_UINT(result_.cut, 0);                                                                \
    } while (0)

static void write_x_read_y(void)
{
    atomic_store_explicit(&x, 1, writes);
    r1 = atomic_load_explicit(&y, reads);
}

static void write_y_read_x(void)
{
    atomic_store_explicit(&y, 1, writes);
    r2 = atomic_load_explicit(&x, reads);
}

TEST(weave_store_buffering)
{
    EXPLORE(release, acquire, write_x_read_y, write_y_read_x);
    CHECK(reached(0, 0, 0, 0));
    CHECK(reached(1, 1, 0, 0) && reached(1, 0, 0, 0) && reached(0, 1, 0, 0));
    EXPLORE(seq_cst, seq_cst, write_x_read_y, write_y_read_x);
    CHECK(!reached(0, 0, 0, 0));
    CHECK(reached(1, 1, 0, 0) && reached(1, 0, 0, 0) && reached(0, 1, 0, 0));
    EXPLORE(seq_cst, acquire, write_x_read_y, write_y_read_x);
    CHECK(reached(0, 0, 0, 0));
}

static void write_x_then_y(void)
{
    atomic_store_explicit(&x, 1, memory_order_relaxed);
    atomic_store_explicit(&y, 1, writes);
}

static void read_y_then_x(void)
{
    r1 = atomic_load_explicit(&y, reads);
    r2 = atomic_load_explicit(&x, memory_order_relaxed);
}

TEST(weave_message_passing)
{
    EXPLORE(release, acquire, write_x_then_y, read_y_then_x);
    CHECK(!reached(1, 0, 0, 0));
    CHECK(reached(1, 1, 0, 0) && reached(0, 0, 0, 0) && reached(0, 1, 0, 0));
    EXPLORE(relaxed, acquire, write_x_then_y, read_y_then_x);
    CHECK(reached(1, 0, 0, 0));
    EXPLORE(release, relaxed, write_x_then_y, read_y_then_x);
    CHECK(reached(1, 0, 0, 0));
}

static void read_x_twice(void)
{
    r1 = atomic_load_explicit(&x, memory_order_relaxed);
    r2 = atomic_load_explicit(&x, memory_order_relaxed);
}

static void write_x(void)
{
    atomic_store_explicit(&x, 1, writes);
}

TEST(weave_reads_of_one_location_never_go_back)
{
    EXPLORE(relaxed, relaxed, write_x, read_x_twice);
    CHECK(!reached(1, 0, 0, 0));
    CHECK(reached(0, 1, 0, 0) && reached(0, 0, 0, 0) && reached(1, 1, 0, 0));
}

static void x1_y2(void)
{
    atomic_store_explicit(&x, 1, writes);
    atomic_store_explicit(&y, 2, writes);
}

static void y1_x2(void)
{
    atomic_store_explicit(&y, 1, writes);
    atomic_store_explicit(&x, 2, writes);
}

static void record_last_stores(void)
{
    r1 = atomic_load_explicit(&x, memory_order_relaxed) == 1;
    r2 = atomic_load_explicit(&y, memory_order_relaxed) == 1;
    record();
}

TEST(weave_two_writes_twice)
{
    struct weave_result result;
    void (*const threads[4])(void) = {x1_y2, y1_x2};
    /* Both first stores last in their modification orders: no interleaving does that. */
    explore(&result, record_last_stores, memory_order_release, memory_order_relaxed, threads);
    CHECK(reached(1, 1, 0, 0));
    explore(&result, record_last_stores, memory_order_seq_cst, memory_order_relaxed, threads);
    CHECK(!reached(1, 1, 0, 0));
    CHECK(reached(0, 0, 0, 0) && reached(1, 0, 0, 0) && reached(0, 1, 0, 0));
}

static void write_y(void)
{
    atomic_store_explicit(&y, 1, writes);
}

static void read_x_then_y(void)
{
    r1 = atomic_load_explicit(&x, reads);
    r2 = atomic_load_explicit(&y, reads);
}

static void read_y_then_x_too(void)
{
    r3 = atomic_load_explicit(&y, reads);
    r4 = atomic_load_explicit(&x, reads);
}

TEST(weave_independent_reads_of_independent_writes)
{
    EXPLORE(release, acquire, write_x, write_y, read_x_then_y, read_y_then_x_too);
    CHECK(reached(1, 0, 1, 0));
    EXPLORE(seq_cst, seq_cst, write_x, write_y, read_x_then_y, read_y_then_x_too);
    CHECK(!reached(1, 0, 1, 0));
    CHECK(reached(1, 0, 1, 1) && reached(1, 1, 1, 0) && reached(1, 1, 1, 1));
}

static void add_to_x(void)
{
    r1 += atomic_fetch_add_explicit(&x, 1, memory_order_relaxed);
}

static void record_sum(void)
{
    uint32_t sum = atomic_load_explicit(&x, memory_order_relaxed);
    WEAVE_ASSERT(sum == 3);
    WEAVE_ASSERT(r1 == 0 + 1 + 2);
    record();
}

TEST(weave_read_modify_writes_lose_nothing)
{
    struct weave_result result;
    void (*const threads[4])(void) = {add_to_x, add_to_x, add_to_x};
    explore(&result, record_sum, memory_order_relaxed, memory_order_relaxed, threads);
    CHECK_STR(result.failure, "");
}

static void load_and_store(void)
{
    uint32_t old = atomic_load_explicit(&x, memory_order_seq_cst);
    atomic_store_explicit(&x, old + 1, memory_order_seq_cst);
}

TEST(weave_a_load_and_a_store_lose_an_addition)
{
    struct weave_result result;
    void (*const threads[4])(void) = {load_and_store, load_and_store, load_and_store};
    explore(&result, record_sum, memory_order_relaxed, memory_order_relaxed, threads);
    CHECK(result.failed);
}

/* Release sequences: the flag is set by a release, then changed by another thread. */
static void publish(void)
{
    plain = 7;
    atomic_store_explicit(&y, 1, memory_order_release);
}

static void change_by_rmw(void)
{
    uint32_t one = 1;
    atomic_compare_exchange_strong_explicit(&y, &one, 2, memory_order_relaxed,
                                            memory_order_relaxed);
}

static void change_by_store(void)
{
    if (atomic_load_explicit(&y, memory_order_relaxed) == 1)
        atomic_store_explicit(&y, 2, memory_order_relaxed);
}

static void read_after_change(void)
{
    if (atomic_load_explicit(&y, memory_order_acquire) == 2)
        WEAVE_ASSERT(plain == 7);
}

TEST(weave_release_sequences_go_on_through_rmws_only)
{
    struct weave_result result;
    void (*const by_rmw[4])(void) = {publish, change_by_rmw, read_after_change};
    explore(&result, record, memory_order_relaxed, memory_order_relaxed, by_rmw);
    CHECK_STR(result.failure, "");
    void (*const by_store[4])(void) = {publish, change_by_store, read_after_change};
    explore(&result, record, memory_order_relaxed, memory_order_relaxed, by_store);
    CHECK(result.failed && strstr(result.failure, "data race"));
}

static void write_plain(void)
{
    plain = 1;
}

/* The release comes before the plain write: it does not order it. */
static void release_then_write_plain(void)
{
    atomic_store_explicit(&y, 1, memory_order_release);
    plain = 1;
}

static void acquire_then_read_plain(void)
{
    if (atomic_load_explicit(&y, memory_order_acquire) == 1)
        r1 = plain;
}

TEST(weave_finds_data_races_on_plain_memory)
{
    struct weave_result result;
    void (*const two_writers[4])(void) = {write_plain, write_plain};
    explore(&result, record, memory_order_relaxed, memory_order_relaxed, two_writers);
    CHECK(result.failed && strstr(result.failure, "data race"));
    void (*const too_late[4])(void) = {release_then_write_plain, acquire_then_read_plain};
    explore(&result, record, memory_order_relaxed, memory_order_relaxed, too_late);
    CHECK(result.failed && strstr(result.failure, "data race"));
    void (*const ordered[4])(void) = {publish, acquire_then_read_plain};
    explore(&result, NULL, memory_order_relaxed, memory_order_relaxed, ordered);
    CHECK_STR(result.failure, "");
}

static void take_by_weak_cas(void)
{
    uint32_t zero = 0;
    r1 = !atomic_compare_exchange_weak_explicit(&x, &zero, 1, memory_order_relaxed,
                                                memory_order_relaxed);
}

TEST(weave_weak_compare_and_swap_may_fail_for_no_reason)
{
    EXPLORE(relaxed, relaxed, take_by_weak_cas);
    CHECK(reached(0, 0, 0, 0) && reached(1, 0, 0, 0));
}

static void sleep_on_x(void)
{
    weave_sleep_while(&x, sizeof x, 0);
}

static void wake_x(void)
{
    atomic_store_explicit(&x, updates == memory_order_relaxed, memory_order_relaxed);
    weave_wake(&x);
}

TEST(weave_finds_a_lost_wake_up)
{
    struct weave_result result;
    void (*const threads[4])(void) = {sleep_on_x, wake_x};
    updates = memory_order_relaxed; /* the waker changes the word */
    explore(&result, record, memory_order_relaxed, memory_order_relaxed, threads);
    CHECK_STR(result.failure, "");
    updates = memory_order_seq_cst; /* it does not: the sleeper may come just after it */
    explore(&result, record, memory_order_relaxed, memory_order_relaxed, threads);
    CHECK(result.failed && strstr(result.failure, "wake-up"));
}

static void spin(void)
{
    while (atomic_load_explicit(&x, memory_order_relaxed) == 0)
        ;
}

TEST(weave_cuts_off_what_never_ends)
{
    struct weave_result result;
    void (*const threads[4])(void) = {spin, write_x};
    explore(&result, record, memory_order_relaxed, memory_order_relaxed, threads);
    CHECK(result.cut > 0);
}

/* Three preemptions are needed to see two values of the other thread before its last one. */
static void write_x_three_times(void)
{
    atomic_store_explicit(&x, 1, memory_order_seq_cst);
    atomic_store_explicit(&x, 2, memory_order_seq_cst);
    atomic_store_explicit(&x, 3, memory_order_seq_cst);
}

static void see_one_then_two(void)
{
    uint32_t first = atomic_load_explicit(&x, memory_order_seq_cst);
    uint32_t second = atomic_load_explicit(&x, memory_order_seq_cst);
    WEAVE_ASSERT(!(first == 1 && second == 2));
}

TEST(weave_obeys_the_preemption_bound)
{
    struct weave_model model = {.name = "bound",
                                .setup = setup,
                                .finish = record,
                                .threads = {write_x_three_times, see_one_then_two}};
    for (model.preemptions = 0; model.preemptions < 4; model.preemptions++) {
        struct weave_result result;
        weave_explore(&model, NULL, &result);
        CHECK_INT(result.failed, model.preemptions >= 3);
    }
}

TEST(weave_weakens_one_site)
{
    struct weave_model model = {.name = "weakening",
                                .setup = setup,
                                .finish = record,
                                .threads = {publish, acquire_then_read_plain},
                                .preemptions = 2};
    model_holds(&model);
    model_needs_its_orders(&model, NULL, 0);
}
