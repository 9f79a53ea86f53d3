// SPDX-License-Identifier: Apache-2.0
/* check.h: assertions about our own code, and hints to the compiler. Layer: base. */
#ifndef ALDIS_BASE_CHECK_H
#define ALDIS_BASE_CHECK_H

#include <aldis/types.h>

#define aldis__likely(x) __builtin_expect(!!(x), 1)
#define aldis__unlikely(x) __builtin_expect(!!(x), 0)
#define ALDIS_COLD __attribute__((cold, noinline))

/** Prints the broken invariant and aborts: the one place where the library writes by itself. */
_Noreturn void aldis__check_failed(const char *file, int line, const char *condition);

/** An invariant of ours. Stays on in release builds: a wrong run is worse than a stopped one. */
#define ALDIS_CHECK(condition)                                                                     \
    (aldis__likely(condition) ? (void)0 : aldis__check_failed(__FILE__, __LINE__, #condition))

/** One that costs too much for release; on in sanitizer builds. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(ALDIS_EXPENSIVE_CHECKS)
#define ALDIS_CHECK_EXPENSIVE(condition) ALDIS_CHECK(condition)
#else
#define ALDIS_CHECK_EXPENSIVE(condition) ((void)0)
#endif

#endif
