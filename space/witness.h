// SPDX-License-Identifier: Apache-2.0
/* witness.h: the messages that were handled since everything was last there. Layer: space.
 *
 * Should something be missing after a window, or too much, one of its messages made it so: those
 * that came to the accounts that have more or less now, and who sent them. Only a run that looks
 * after every window has a witness, since it takes note of every message. */
#ifndef SPACE_WITNESS_H
#define SPACE_WITNESS_H

#include "holdings.h"

struct witness;

/** NULL: no memory. */
struct witness *witness_create(void);
void witness_destroy(struct witness *witness);

/** Take note of what is handled from now on, in virtual time. The witness is to outlive the system,
 *  or the call of aldis_system_on_handled() that puts another in its place. */
aldis_err witness_watch(struct witness *witness, aldis_system *system);

/** Between two windows: all is there; what was noted so far does not matter. */
void witness_forget(struct witness *witness);

/** Between two windows: print a JSON line for each message that was noted and came to an account
 *  that has more or less than holdings say, in their order in time: at most the last `lines`. */
void witness_print(struct witness *witness, const struct holdings *holdings,
                   const struct chart *chart, uint32_t lines, FILE *out);

#endif
