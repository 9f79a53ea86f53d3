// SPDX-License-Identifier: Apache-2.0
/* atomic.h: the only file that names memory orders. Layer: base.
 *
 * The order is part of each helper's name, so a reader sees at the call what is paid and what is
 * promised. There are no stand-alone fences: the order stands on the operation, where the thread
 * sanitizer and a reader can follow it. Every ordered access outside this file carries a label and
 * names its partner; relaxed accesses say why that is enough. tools/check_atomics.py holds to
 * it. */
#ifndef ALDIS_BASE_ATOMIC_H
#define ALDIS_BASE_ATOMIC_H

#include <stdatomic.h>

/* Relaxed: the value alone, no promise about other memory. */
#define aldis__load_relaxed(p) atomic_load_explicit((p), memory_order_relaxed)
#define aldis__store_relaxed(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)
#define aldis__fetch_add_relaxed(p, v) atomic_fetch_add_explicit((p), (v), memory_order_relaxed)

#define aldis__cas_weak_relaxed(p, expected, v)                                                    \
    atomic_compare_exchange_weak_explicit((p), (expected), (v), memory_order_relaxed,              \
                                          memory_order_relaxed)

/* Acquire and release: what was written before the release is seen after the acquire. */
#define aldis__load_acquire(p) atomic_load_explicit((p), memory_order_acquire)
#define aldis__store_release(p, v) atomic_store_explicit((p), (v), memory_order_release)
#define aldis__exchange_acquire(p, v) atomic_exchange_explicit((p), (v), memory_order_acquire)
#define aldis__exchange_acq_rel(p, v) atomic_exchange_explicit((p), (v), memory_order_acq_rel)
#define aldis__fetch_add_acq_rel(p, v) atomic_fetch_add_explicit((p), (v), memory_order_acq_rel)
#define aldis__fetch_sub_acq_rel(p, v) atomic_fetch_sub_explicit((p), (v), memory_order_acq_rel)
#define aldis__fetch_and_acq_rel(p, v) atomic_fetch_and_explicit((p), (v), memory_order_acq_rel)
#define aldis__fetch_or_acq_rel(p, v) atomic_fetch_or_explicit((p), (v), memory_order_acq_rel)
/* Compare and swap; on failure *expected is reloaded, relaxed. The weak one may fail for no
 * reason. */
#define aldis__cas_weak_release(p, expected, v)                                                    \
    atomic_compare_exchange_weak_explicit((p), (expected), (v), memory_order_release,              \
                                          memory_order_relaxed)
#define aldis__cas_weak_acq_rel(p, expected, v)                                                    \
    atomic_compare_exchange_weak_explicit((p), (expected), (v), memory_order_acq_rel,              \
                                          memory_order_relaxed)
#define aldis__cas_strong_acq_rel(p, expected, v)                                                  \
    atomic_compare_exchange_strong_explicit((p), (expected), (v), memory_order_acq_rel,            \
                                            memory_order_relaxed)

/* The same for a plain object of a public struct, which C++ must be able to read. */
#define aldis__plain_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define aldis__plain_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

/** Tells the processor that this thread spins. */
static inline void aldis__cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
