// SPDX-License-Identifier: Apache-2.0
/* ledger.h: what the ledger hands over. Layer: space. */
#ifndef SPACE_LEDGER_H
#define SPACE_LEDGER_H

#include "histogram.h"

/** Written by the ledger only, so that a crash does not take it. The program that gave it reads it
 *  after aldis_system_stop, when no actor is left. Zeroes: nothing has come. */
struct ledger_page {
    uint64_t refusals;
    struct histogram waits, wait_errors, holds;
};

struct ledger_arg {
    struct ledger_page *page; /**< borrowed until the ledger has stopped */
};

#endif
