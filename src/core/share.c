// SPDX-License-Identifier: Apache-2.0
/* share.c: see share.h. Layer: core. */
#include "core/share.h"

enum {
    SCALE = 1024,
    WEIGHT = 4,       /* a sample moves the mean by 1/WEIGHT */
    OUTLIER = 4,      /* the machine was elsewhere: counts as so many times the mean at most */
    INTERVAL_MIN = 8, /* windows between two tries of the slower way ... */
    INTERVAL_MAX = 1024
};

static struct aldis__share_class *class_of(struct aldis__share *share, uint64_t events)
{
    unsigned log2 = events ? 63 - (unsigned)__builtin_clzll(events) : 0;
    return &share->classes[log2 < ALDIS__SHARE_CLASSES ? log2 : ALDIS__SHARE_CLASSES - 1];
}

/* More workers burn more, so they have to be faster by a tenth. */
static bool pays(uint64_t alone, uint64_t shared)
{
    return shared * 10 < alone * 9;
}

static bool class_pays(const struct aldis__share_class *class)
{
    return pays(class->alone, class->shared);
}

bool aldis__share_choose(struct aldis__share *share, uint64_t events)
{
    struct aldis__share_class *class = class_of(share, events);
    if (class->alone == 0)
        return false;
    if (class->shared == 0)
        return true;
    if (class->interval == 0)
        class->interval = INTERVAL_MIN;
    if (++class->since < class->interval)
        return class_pays(class);
    class->since = 0;
    if (class->interval < INTERVAL_MAX)
        class->interval *= 2;
    return !class_pays(class);
}

void aldis__share_note(struct aldis__share *share, uint64_t events, bool shared, aldis_ns ns)
{
    struct aldis__share_class *class = class_of(share, events);
    uint64_t *mean = shared ? &class->shared : &class->alone;
    uint64_t sample = (uint64_t)ns * SCALE / (events ? events : 1) + 1;
    if (*mean == 0)
        *mean = sample;
    else if (sample > OUTLIER * *mean)
        sample = OUTLIER * *mean;
    /* A sample that says the opposite: look again soon. */
    if (pays(shared ? class->alone : sample, shared ? sample : class->shared) != class_pays(class))
        class->interval = INTERVAL_MIN;
    *mean = *mean - *mean / WEIGHT + sample / WEIGHT;
    *mean += *mean == 0; /* 0 says that it is not known */
}
