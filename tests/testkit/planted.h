// SPDX-License-Identifier: Apache-2.0
/* planted.h: bugs planted in the library's own delivery, for the tests of the explorer. The linker
 * leads some calls inside the library through planted.c (--wrap): the library itself knows nothing
 * of this. */
#ifndef ALDIS_TESTS_TESTKIT_PLANTED_H
#define ALDIS_TESTS_TESTKIT_PLANTED_H

/** X(name, word) */
#define PLANTED_BUGS(X)                                                                            \
    X(NOTHING, "nothing")                                                                          \
    X(FILTER_WINDOW, "filter-window")   /* old repeats are taken as new */                         \
    X(FILTER_FORGETS, "filter-forgets") /* of one message in eight it forgets that it was done */  \
    X(TAKES_GAPS, "takes-gaps")         /* an ordered message is taken before its predecessor */   \
    X(SKIPS, "skips")                   /* what is before a message counts as given up */          \
    X(GIVES_UP, "gives-up")             /* after three attempts nobody looks any more */           \
    X(TELLS_NOBODY, "tells-nobody")     /* after three attempts, of the failure */                 \
    X(RENUMBERS, "renumbers")           /* a restarted sender uses its last number again */        \
    X(LINKS_OVERTAKE, "links-overtake") /* a link that is to keep the order does not */            \
    X(TURNS_SWAP, "turns-swap") /* of two messages that wait the second is handled first */        \
    X(CRASHES, "crashes")       /* the process, when a message is lost */                          \
    X(HANGS, "hangs")           /* the process, likewise */

enum planted_bug {
#define PLANTED_ENUM(name, word) PLANTED_##name,
    PLANTED_BUGS(PLANTED_ENUM)
#undef PLANTED_ENUM
};

/** Which one there is. */
extern enum planted_bug planted_bug;

#endif
