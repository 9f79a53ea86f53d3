// SPDX-License-Identifier: Apache-2.0
/* nearest.h: which word was meant. Layer: cli. */
#ifndef ALDIS_CLI_NEAREST_H
#define ALDIS_CLI_NEAREST_H

#include <stddef.h>

/** The best match so far; zeroes at first. */
struct nearest {
    const char *word; /**< NULL: none is near */
    size_t distance;
};

/** Offer one candidate for what the user wrote. Both may be of any length; words longer than 31
 *  characters are never near. */
void nearest_offer(struct nearest *nearest, const char *written, const char *candidate);

#endif
