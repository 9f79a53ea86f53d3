// SPDX-License-Identifier: Apache-2.0
/* 14_2.c: the whole, for several seeds: other runs, other faults, and the books must agree in each.
 * Chapter 14, exercise 2. */
#define NO_MAIN
#include "../14_whole.c"

int main(void)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        printf("seed %" PRIu64 ":\n", seed);
        run(seed, 2);
    }
    return 0;
}
