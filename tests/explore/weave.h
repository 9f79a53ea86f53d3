// SPDX-License-Identifier: Apache-2.0
/* weave.h: an explorer for lock-free code. It runs the unchanged production headers on a few
 * threads of its own and tries every schedule up to a bound of preemptions, and in each of them
 * every value that the C11 memory model lets each load return.
 *
 * Include it before the headers under test: it takes the place of the generic operations of
 * <stdatomic.h>. Compile the program with -fsanitize=thread and link it without: the calls that
 * the compiler then makes for each plain load and store come to weave.c, which checks those that
 * touch memory named by weave_watch for data races.
 *
 * The model (after Kang et al., "A promising semantics", POPL 2017, without promises; Lahav et al.,
 * "Repairing sequential consistency in C/C++11", PLDI 2017): each location has its stores in
 * modification order, each thread a view: the oldest store of each location that it may still read,
 * and how much of each other thread it has seen. A release hands on the writer's view with the
 * store, an acquire joins it to the reader's. A store may take any place in modification order that
 * coherence and the atomicity of read-modify-writes allow. Weak compare-and-swaps may fail for no
 * reason. Executions that reach a state met before are not followed twice (states are compared by
 * a 64-bit digest of what each thread has done and read, and of the modification orders).
 *
 * What it finds: failed WEAVE_ASSERTs, data races, sleepers that nobody wakes, endless executions.
 * What it cannot find: behaviours that need a load to read a store that comes after it in every
 * order (load buffering; no compiler or processor we know does that across an acquire or a
 * read-modify-write), more preemptions than the bound, more threads and messages than the model
 * has. Fences are not modelled: the library has none.
 *
 * What models may do: touch shared memory through atomics and watched plain memory only. Other
 * memory shared by their threads must be written in an order that those determine. */
#ifndef ALDIS_TESTS_EXPLORE_WEAVE_H
#define ALDIS_TESTS_EXPLORE_WEAVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEAVE_THREADS 5 /* most threads of a model */

/** What is explored. All memory it uses is static: setup must bring it to the same state always. */
struct weave_model {
    const char *name;
    void (*setup)(void);                  /* before the threads, alone */
    void (*threads[WEAVE_THREADS])(void); /* the first NULL ends the list */
    void (*finish)(void);                 /* after the threads, alone; may be NULL */
    int preemptions;                      /* the bound */
    bool may_sleep;                       /* threads may be asleep at the end: finish looks */
};

enum weave_op {
    WEAVE_LOAD,
    WEAVE_STORE,
    WEAVE_EXCHANGE,
    WEAVE_ADD,
    WEAVE_SUB,
    WEAVE_OR,
    WEAVE_AND,
    WEAVE_CAS
};

/** One place in the source that touches an atomic. */
struct weave_site {
    const char *function;
    int line;
    enum weave_op op;
    memory_order order;
};

/** Explore as if the operation at `site` had order `weaker`. */
struct weave_weakening {
    struct weave_site site;
    memory_order weaker;
};

struct weave_result {
    bool failed;
    char failure[160];
    uint64_t executions; /* run to their end */
    uint64_t known;      /* given up at a state met before */
    uint64_t states;
    uint64_t cut; /* given up for their length: the exploration is then not exhaustive */
};

/**
 * Explore model until it fails or nothing is left to try. With WEAVE_TRACE set in the environment
 * the failing execution is printed, operation by operation.
 *
 * weakening: may be NULL.
 */
void weave_explore(const struct weave_model *model, const struct weave_weakening *weakening,
                   struct weave_result *out_result);

/** The sites that the last exploration met, and their number. Borrowed until the next one. */
const struct weave_site *weave_sites(size_t *out_count);

/* For models, from their threads: */

/** Have plain accesses to these bytes checked for data races. From setup only. */
void weave_watch(const void *memory, size_t size);
/** The number of the running thread: 1 is threads[0]; 0 in setup and finish. */
int weave_self(void);
/** Any number below options: every one is tried. */
int weave_choose(int options);
/** The futex: sleep if the word (an atomic of that size) has this value, until weave_wake. */
void weave_sleep_while(const volatile void *word, size_t size, uint64_t value);
void weave_wake(const volatile void *word);
/** Is the thread asleep? For finish, in models that may sleep. */
bool weave_is_asleep(int thread);
/** Ends the execution as failed (in setup and finish: marks it). text: static. */
void weave_fail(const char *text);

#define WEAVE_ASSERT(condition) ((condition) ? (void)0 : weave_fail("false: " #condition))

/* What the generics below call. */
struct weave_access {
    const volatile void *address; /* values are kept by the explorer: nothing is written there */
    size_t size;
    enum weave_op op;
    memory_order order, failure_order;
    bool weak;
    uint64_t operand;
    const char *function;
    int line;
};
/** Returns what was read (of a store: 0). */
uint64_t weave_perform(const struct weave_access *access);
/** Returns whether it swapped; *expected becomes what was read. */
bool weave_swap(const struct weave_access *access, uint64_t *expected);

/* The type of *p without _Atomic; nothing is evaluated. */
#ifdef __clang__
#define WEAVE_VALUE_(p) __typeof__(__c11_atomic_load((p), memory_order_relaxed))
#else
#define WEAVE_VALUE_(p) __typeof__((void)0, *(p))
#endif
#define WEAVE_BITS_(v) ((uint64_t)(uintptr_t)(v))
#define WEAVE_PERFORM_(p, op_, v, o)                                                               \
    ((WEAVE_VALUE_(p))(uintptr_t)weave_perform(&(struct weave_access){.address = (p),              \
                                                                      .size = sizeof *(p),         \
                                                                      .op = (op_),                 \
                                                                      .order = (o),                \
                                                                      .operand = WEAVE_BITS_(v),   \
                                                                      .function = __func__,        \
                                                                      .line = __LINE__}))
#define WEAVE_SWAP_(p, e, v, success, failure, weak_)                                              \
    __extension__({                                                                                \
        uint64_t weave_read_ = WEAVE_BITS_(*(e));                                                  \
        bool weave_done_ = weave_swap(&(struct weave_access){.address = (p),                       \
                                                             .size = sizeof *(p),                  \
                                                             .op = WEAVE_CAS,                      \
                                                             .order = (success),                   \
                                                             .failure_order = (failure),           \
                                                             .weak = (weak_),                      \
                                                             .operand = WEAVE_BITS_(v),            \
                                                             .function = __func__,                 \
                                                             .line = __LINE__},                    \
                                      &weave_read_);                                               \
        *(e) = (WEAVE_VALUE_(p))(uintptr_t)weave_read_;                                            \
        weave_done_;                                                                               \
    })

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_exchange_explicit
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub_explicit
#undef atomic_fetch_or_explicit
#undef atomic_fetch_and_explicit
#undef atomic_compare_exchange_weak_explicit
#undef atomic_compare_exchange_strong_explicit
#undef atomic_thread_fence
#define atomic_load_explicit(p, o) WEAVE_PERFORM_((p), WEAVE_LOAD, 0, (o))
#define atomic_store_explicit(p, v, o) ((void)WEAVE_PERFORM_((p), WEAVE_STORE, (v), (o)))
#define atomic_exchange_explicit(p, v, o) WEAVE_PERFORM_((p), WEAVE_EXCHANGE, (v), (o))
#define atomic_fetch_add_explicit(p, v, o) WEAVE_PERFORM_((p), WEAVE_ADD, (v), (o))
#define atomic_fetch_sub_explicit(p, v, o) WEAVE_PERFORM_((p), WEAVE_SUB, (v), (o))
#define atomic_fetch_or_explicit(p, v, o) WEAVE_PERFORM_((p), WEAVE_OR, (v), (o))
#define atomic_fetch_and_explicit(p, v, o) WEAVE_PERFORM_((p), WEAVE_AND, (v), (o))
#define atomic_compare_exchange_weak_explicit(p, e, v, s, f) WEAVE_SWAP_((p), (e), (v), (s), (f), 1)
#define atomic_compare_exchange_strong_explicit(p, e, v, s, f)                                     \
    WEAVE_SWAP_((p), (e), (v), (s), (f), 0)
#define atomic_thread_fence(o) weave_has_no_fences /* does not compile: see above */

#endif
