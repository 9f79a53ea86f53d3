// SPDX-License-Identifier: Apache-2.0
/* fixture.h: systems and actors for the tests of the core.
 *
 * TEST_EACH runs its body under both clocks with 1, 2 and 4 workers, as six cases. Whatever the
 * body does, the case ends with the audit: a message that was lost or invented fails it.
 *
 * A puppet is an actor that does what the test's own functions say: its script comes with its
 * spawn, and `act` messages carry further functions. CHECK is for the test's thread; handlers use
 * EXPECT, which notes the first failure for the end of the case. */
#ifndef ALDIS_TESTS_CORE_FIXTURE_H
#define ALDIS_TESTS_CORE_FIXTURE_H

#include "harness.h"
#include <aldis/aldis.h>

struct puppet;

/* Do something inside an actor. */
struct act {
    aldis_err (*run)(struct puppet *self, const struct act *act, aldis_ctx *ctx);
    aldis_id id;
    uint64_t a, b;
};
ALDIS_MESSAGE(act, struct act);
ALDIS_MESSAGE(num, uint64_t);
ALDIS_SIGNAL(tick);
/* Bytes of any number. */
typedef unsigned char raw_payload;
ALDIS_UNUSED_ static aldis_type raw_type = {"raw", 0, ALDIS_SIZE_VARIES, NULL, 0};
/* Accepted by `stranger` only. */
ALDIS_MESSAGE(odd, uint32_t);

#define PUPPET_PROTOCOL(X, kind)                                                                   \
    X(kind, act)                                                                                   \
    X(kind, num)                                                                                   \
    X(kind, tick)                                                                                  \
    X(kind, raw) X(kind, aldis_status) X(kind, aldis_down) X(kind, aldis_credit_notice)
ALDIS_PROTOCOL(puppet, PUPPET_PROTOCOL);
#define PLAIN_PROTOCOL(X, kind) X(kind, act) X(kind, num)
ALDIS_PROTOCOL(plain, PLAIN_PROTOCOL);
#define STRANGER_PROTOCOL(X, kind) X(kind, odd)
ALDIS_PROTOCOL(stranger, STRANGER_PROTOCOL);

/* What a puppet does; NULL: nothing, successfully. Copied into its state. */
struct script {
    const char *name; /* for the state's name */
    uint64_t tag;
    void *user;
    aldis_err (*start)(struct puppet *self, aldis_ctx *ctx);
    void (*stop)(struct puppet *self, aldis_ctx *ctx);
    void (*undelivered)(struct puppet *self, const aldis_undelivered *notice, aldis_ctx *ctx);
    void (*child_ended)(struct puppet *self, const aldis_child_ended *notice, aldis_ctx *ctx);
    aldis_err (*num)(struct puppet *self, uint64_t value, aldis_ctx *ctx);
    aldis_err (*tick)(struct puppet *self, aldis_ctx *ctx);
    aldis_err (*raw)(struct puppet *self, const unsigned char *bytes, size_t size, aldis_ctx *ctx);
    void (*status)(struct puppet *self, const aldis_status *status, aldis_ctx *ctx);
    aldis_err (*down)(struct puppet *self, const aldis_down *down, aldis_ctx *ctx);
    aldis_err (*credit)(struct puppet *self, const aldis_credit_notice *notice, aldis_ctx *ctx);
};

struct puppet {
    struct script script;
    uint64_t count; /* nums and ticks handled */
    uint64_t last;  /* num */
    aldis_timer timer;
    aldis_monitor_ref monitor;
    uint64_t memory[4]; /* the test's own */
    void *pointer;
};

struct fixture {
    aldis_clock clock;
    uint32_t workers;
    aldis_system *system;
};

#define FIXTURE_CASE_(name_, clock_, CLOCK_, workers_)                                             \
    TEST(name_##_##clock_##_##workers_)                                                            \
    {                                                                                              \
        fixture_case(ALDIS_CLOCK_##CLOCK_, workers_, each_##name_);                                \
    }
#define TEST_VIRTUAL(name_)                                                                        \
    static void each_##name_(struct fixture *f);                                                   \
    FIXTURE_CASE_(name_, virtual, VIRTUAL, 1)                                                      \
    FIXTURE_CASE_(name_, virtual, VIRTUAL, 2)                                                      \
    FIXTURE_CASE_(name_, virtual, VIRTUAL, 4)                                                      \
    static void each_##name_(struct fixture *f)
#define TEST_LIVE(name_)                                                                           \
    static void each_##name_(struct fixture *f);                                                   \
    FIXTURE_CASE_(name_, live, LIVE, 1)                                                            \
    FIXTURE_CASE_(name_, live, LIVE, 2)                                                            \
    FIXTURE_CASE_(name_, live, LIVE, 4)                                                            \
    static void each_##name_(struct fixture *f)
#define TEST_EACH(name_)                                                                           \
    static void each_##name_(struct fixture *f);                                                   \
    FIXTURE_CASE_(name_, live, LIVE, 1)                                                            \
    FIXTURE_CASE_(name_, live, LIVE, 2)                                                            \
    FIXTURE_CASE_(name_, live, LIVE, 4)                                                            \
    FIXTURE_CASE_(name_, virtual, VIRTUAL, 1)                                                      \
    FIXTURE_CASE_(name_, virtual, VIRTUAL, 2)                                                      \
    FIXTURE_CASE_(name_, virtual, VIRTUAL, 4)                                                      \
    static void each_##name_(struct fixture *f)

/** Run body, then fixture_close(). */
void fixture_case(aldis_clock clock, uint32_t workers, void (*body)(struct fixture *f));

/** Make the system: clock and workers are the fixture's, 8 shards unless opts says otherwise. */
void fixture_open(struct fixture *f, const aldis_system_opts *opts);
/** Let everything happen that is going to happen. */
void fixture_settle(struct fixture *f);
/** Let it run until `count` messages of the type have been handled; timers may be armed. In virtual
 *  time at most a lookahead more than needed goes by. */
void fixture_await(struct fixture *f, const char *type_name, uint64_t count);
/** What EXPECT has noted fails the case; then the audit. */
void fixture_check(struct fixture *f);
/** fixture_check(), and the end of the system. */
void fixture_close(struct fixture *f);

/** Spawn a puppet from outside; opts may be NULL, its arg is the script's. */
puppet_ref fixture_spawn(struct fixture *f, const struct script *script,
                         const aldis_spawn_opts *opts);
/** Spawn a puppet from a handler. */
puppet_ref puppet_spawn(aldis_ctx *ctx, const struct script *script, const aldis_spawn_opts *opts);
/** From outside: make the puppet run a function. */
void fixture_tell(struct fixture *f, puppet_ref to,
                  aldis_err (*run)(struct puppet *self, const struct act *act, aldis_ctx *ctx),
                  struct act act);
/** The system's figures of one message type, by its name. */
aldis_type_stats fixture_counts(struct fixture *f, const char *type_name);
/** The state of an actor from outside. */
aldis_status fixture_status(struct fixture *f, aldis_id actor);

/* ------------------------------------------------------------------ from handlers */

/** Note a failure; only the first of a case is kept. printf-like. */
void fixture_note(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fixture_note(__FILE__, __LINE__, "%s is false", #condition);                           \
    } while (0)
#define EXPECT_UINT(found, expected)                                                               \
    do {                                                                                           \
        uint64_t found_ = (uint64_t)(found), expected_ = (uint64_t)(expected);                     \
        if (found_ != expected_)                                                                   \
            fixture_note(__FILE__, __LINE__, "%s is %" PRIu64 ", expected %" PRIu64, #found,       \
                         found_, expected_);                                                       \
    } while (0)
#define EXPECT_ERR(call, expected)                                                                 \
    do {                                                                                           \
        aldis_err found_ = (call), expected_ = (expected);                                         \
        if (found_ != expected_)                                                                   \
            fixture_note(__FILE__, __LINE__, "%s gives %s (%s), expected %s", #call,               \
                         aldis_error_name(found_), aldis_error_last()->text,                       \
                         aldis_error_name(expected_));                                             \
    } while (0)
#define EXPECT_OK(call) EXPECT_ERR(call, ALDIS_OK)

/* ------------------------------------------------------------------ what happened, in order */

enum { TRACE_MAX = 1 << 16 };

struct trace_entry {
    uint64_t what, tag;
    aldis_ns at_ns;
};

/** Note that something has happened; what happened before in the sense of messages stands before.
 *  Any thread. fixture_case empties the list. */
void trace_add(uint64_t what, uint64_t tag, aldis_ns at_ns);
size_t trace_count(void);
void trace_clear(void);
struct trace_entry trace_at(size_t index);
/** Index of the first such entry; TRACE_MAX: there is none. */
size_t trace_find(uint64_t what, uint64_t tag);
/** How many entries say so. */
size_t trace_count_of(uint64_t what);

#endif
