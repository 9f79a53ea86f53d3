// SPDX-License-Identifier: Apache-2.0
/* share.h: does it pay to share a window among the workers? Layer: core. Threads: the one that runs
 * the system. Memory: none.
 *
 * Whether it does depends on the machine, on what else runs there, and on the handlers, so both
 * ways are timed, and the faster one is taken. The wall clock is looked at for this alone: a window
 * has the same result either way. */
#ifndef ALDIS_CORE_SHARE_H
#define ALDIS_CORE_SHARE_H

#include <aldis/types.h>

enum { ALDIS__SHARE_CLASSES = 24 };

/* Windows with 2^n .. 2^(n+1)-1 events. Zeroed at first. */
struct aldis__share_class {
    uint64_t alone, shared; /* ns for 1024 events, a moving mean; 0: not known yet */
    uint32_t since;         /* windows since the other way was tried */
    uint32_t interval;      /* ... until it is tried again */
};

struct aldis__share {
    struct aldis__share_class classes[ALDIS__SHARE_CLASSES];
};

/** Share the next window, which has so many events? */
bool aldis__share_choose(struct aldis__share *share, uint64_t events);

/** It took ns of wall time. */
void aldis__share_note(struct aldis__share *share, uint64_t events, bool shared, aldis_ns ns);

#endif
