// SPDX-License-Identifier: Apache-2.0
/* testkit.h: what the parts of the test kit share. Layer: testkit.
 *
 * A kit belongs to the thread of its test; workers touch it only inside a run, under `lock`. */
#ifndef ALDIS_TESTKIT_TESTKIT_H
#define ALDIS_TESTKIT_TESTKIT_H

#include "core/watch.h"
#include <aldis/testkit.h>

enum { ALDIS__FAULTS_MAX = 64 };

struct aldis__testkit_fault {
    aldis_testkit_match match;
    aldis_ns delay_ns; /* 0: drop */
};

/* A message that a probe has got. */
struct aldis__probed {
    struct aldis__probed *next;
    const char *type_name;
    aldis_id from;
    size_t size;
    _Alignas(16) unsigned char bytes[];
};

struct aldis_probe {
    aldis_testkit *kit;
    aldis_probe *next; /* of the kit's */
    aldis_id id;
    const char *kind_name;
    struct aldis__probed *head, **tail; /* not expected yet */
    struct aldis__probed *shown;        /* what the last expectation gave */
};

/* Chooses what comes next, when a model is explored: see explore.c. */
struct aldis__explorer;

struct aldis_testkit {
    struct aldis__sieve sieve; /* first, so that one cast leads back */
    aldis_system *system;
    aldis_testkit_opts opts;
    aldis_probe *probes;
    struct aldis__explorer *explorer; /* NULL: none */
    bool failed;
    pthread_mutex_t lock;
    struct aldis__testkit_fault faults[ALDIS__FAULTS_MAX]; /* under lock; oldest first */
    uint32_t fault_count;                                  /* under lock */
    aldis_handled *trace;                                  /* under lock: a ring */
    uint64_t traced;                                       /* under lock: in all */
};

/** Which of a window's entries come in it: one of those that could come first, the runtime's own,
 *  and nothing else. The others are put into the next window. How many are left. */
size_t aldis__explorer_choose(struct aldis__explorer *explorer, struct aldis__worker *worker,
                              struct aldis__shard *shard, struct aldis__sort_entry *entries,
                              size_t count);
/** The order so far, as words. */
const char *aldis__explorer_order(const struct aldis__explorer *explorer);

/** Put a message of the window that runs into a later moment. */
void aldis__testkit_postpone(struct aldis__worker *worker, struct aldis__shard *shard,
                             struct aldis__msg *msg, aldis_ns at_ns);

#endif
