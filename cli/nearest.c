// SPDX-License-Identifier: Apache-2.0
/* nearest.c: the distance between two words in insertions, deletions, substitutions and swaps of
 * neighbours (optimal string alignment; Damerau 1964). Layer: cli. */
#include "nearest.h"

#include <string.h>

enum { WORD_MAX = 31 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t cost[WORD_MAX + 1][WORD_MAX + 1];
    for (size_t i = 0; i <= a_size; i++)
        cost[i][0] = i;
    for (size_t j = 0; j <= b_size; j++)
        cost[0][j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        for (size_t j = 1; j <= b_size; j++) {
            size_t changed = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            cost[i][j] = least(changed, least(cost[i - 1][j], cost[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                cost[i][j] = least(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    }
    return cost[a_size][b_size];
}

void nearest_offer(struct nearest *nearest, const char *written, const char *candidate)
{
    size_t written_size = strlen(written), size = strlen(candidate);
    if (written_size == 0 || written_size > WORD_MAX || size > WORD_MAX)
        return;
    size_t found = distance(written, written_size, candidate, size);
    /* Up to a third of the word may differ; what starts the same is near, too. */
    size_t allowed = 1 + least(written_size, size) / 3;
    if (strncmp(written, candidate, least(written_size, size)) == 0)
        allowed = WORD_MAX;
    if (found <= allowed && (!nearest->word || found < nearest->distance)) {
        nearest->word = candidate;
        nearest->distance = found;
    }
}
