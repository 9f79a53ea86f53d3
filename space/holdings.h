// SPDX-License-Identifier: Apache-2.0
/* holdings.h: what each account had when all was there. Layer: space.
 *
 * Should something be missing or too much, the accounts that have more or less than then are those
 * that traded since, and the one that is to blame. What is held for an open trade and what was
 * burnt counts as theirs; what a station has made and used up does not. */
#ifndef SPACE_HOLDINGS_H
#define SPACE_HOLDINGS_H

#include "books.h"

#include <stdio.h>

struct holdings;

/** Nothing is noted yet. NULL: no memory. */
struct holdings *holdings_create(const struct books *books);
void holdings_destroy(struct holdings *holdings);

/** What each has now. The actors must be at rest. */
void holdings_note(struct holdings *holdings, const struct books *books);

/** At rest: has an account more or less of anything than was noted? */
bool holdings_have_changed(const struct holdings *holdings, const struct books *books,
                           uint32_t account);

/** At rest: print a JSON line for each account and kind of thing of which it has more or less than
 *  was noted; at most so many. */
void holdings_print_changes(const struct holdings *holdings, const struct books *books,
                            const struct scenario *scenario, aldis_ns now_ns, uint32_t lines,
                            FILE *out);

#endif
