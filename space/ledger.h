// SPDX-License-Identifier: Apache-2.0
/* ledger.h: what the ledger hands over. Layer: space. */
#ifndef SPACE_LEDGER_H
#define SPACE_LEDGER_H

#include "space.h"

/** Written by the ledger when it stops. The program that gave it reads it after aldis_system_stop,
 *  when no actor is left. */
struct ledger_result {
    uint64_t refusals;
    struct space_times waits, wait_errors;
};

struct ledger_arg {
    struct ledger_result *result; /**< borrowed until the ledger has stopped */
};

#endif
