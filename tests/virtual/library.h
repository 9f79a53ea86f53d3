// SPDX-License-Identifier: Apache-2.0
/* library.h: a show performed by the library, in virtual time. */
#ifndef ALDIS_TESTS_VIRTUAL_LIBRARY_H
#define ALDIS_TESTS_VIRTUAL_LIBRARY_H

#include "program.h"

/** What one performance gives beside the show's journals. */
struct library_result {
    uint64_t run_print, windows, handled;
    char fault[200]; /* "": no call failed, and the audit balances */
};

/** Perform the show. */
void library_perform(struct show *show, uint32_t workers, struct library_result *out_result);

#endif
