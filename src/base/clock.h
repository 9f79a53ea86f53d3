// SPDX-License-Identifier: Apache-2.0
/* clock.h: the only place in the library that reads a clock of the machine. Layer: base. Threads:
 * any. Memory: none. A system in virtual time never calls it for anything that shows in a result.
 * */
#ifndef ALDIS_BASE_CLOCK_H
#define ALDIS_BASE_CLOCK_H

#include <aldis/types.h>

/** Nanoseconds since an arbitrary start, never going back, the same for all threads. About 20 to
 *  30 ns. */
aldis_ns aldis__clock_monotonic_ns(void);

/** Processor time that the calling thread has used, in nanoseconds. A system call: a few 100 ns. */
aldis_ns aldis__clock_thread_cpu_ns(void);

#endif
