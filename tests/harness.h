// SPDX-License-Identifier: Apache-2.0
/* harness.h: a test program is a file of TEST(...) cases; they register themselves and print TAP.
 *
 *     TEST(mailbox_pop_on_empty_returns_null) { CHECK(pop(&box) == NULL); }
 *
 * `program NAME` runs one case, `program --list` names them. A failed CHECK prints both values and
 * ends its case; the others go on. Checks are for the thread that runs the case only. */
#ifndef ALDIS_TESTS_HARNESS_H
#define ALDIS_TESTS_HARNESS_H

#include <aldis/error.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct test_case {
    const char *name;
    void (*run)(void);
    struct test_case *next;
};

void test_register(struct test_case *test);
/** Ends the running case as failed. printf-like; never returns. */
_Noreturn void test_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** Ends the running case as skipped. Never returns. */
_Noreturn void test_skip(const char *reason);

#define TEST(name_)                                                                                \
    static void test_run_##name_(void);                                                            \
    __attribute__((constructor)) static void test_add_##name_(void)                                \
    {                                                                                              \
        static struct test_case test = {#name_, test_run_##name_, NULL};                           \
        test_register(&test);                                                                      \
    }                                                                                              \
    static void test_run_##name_(void)

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            test_fail(__FILE__, __LINE__, "%s is false", #condition);                              \
    } while (0)
#define CHECK_INT(found, expected)                                                                 \
    do {                                                                                           \
        int64_t found_ = (int64_t)(found), expected_ = (int64_t)(expected);                        \
        if (found_ != expected_)                                                                   \
            test_fail(__FILE__, __LINE__, "%s is %" PRId64 ", expected %" PRId64, #found, found_,  \
                      expected_);                                                                  \
    } while (0)
#define CHECK_UINT(found, expected)                                                                \
    do {                                                                                           \
        uint64_t found_ = (uint64_t)(found), expected_ = (uint64_t)(expected);                     \
        if (found_ != expected_)                                                                   \
            test_fail(__FILE__, __LINE__,                                                          \
                      "%s is %" PRIu64 " (%#" PRIx64 "), expected %" PRIu64 " (%#" PRIx64 ")",     \
                      #found, found_, found_, expected_, expected_);                               \
    } while (0)
#define CHECK_STR(found, expected)                                                                 \
    do {                                                                                           \
        const char *found_ = (found), *expected_ = (expected);                                     \
        if (strcmp(found_, expected_) != 0)                                                        \
            test_fail(__FILE__, __LINE__, "%s is \"%s\", expected \"%s\"", #found, found_,         \
                      expected_);                                                                  \
    } while (0)
/** The call returns ALDIS_OK. */
#define CHECK_OK(call) CHECK_ERR(call, ALDIS_OK)
/** The call returns this error. */
#define CHECK_ERR(call, expected)                                                                  \
    do {                                                                                           \
        aldis_err found_ = (call), expected_ = (expected);                                         \
        if (found_ != expected_)                                                                   \
            test_fail(__FILE__, __LINE__, "%s gives %s (%s), expected %s", #call,                  \
                      aldis_error_name(found_), aldis_error_last()->text,                          \
                      aldis_error_name(expected_));                                                \
    } while (0)
#define SKIP(reason) test_skip(reason)

#endif
