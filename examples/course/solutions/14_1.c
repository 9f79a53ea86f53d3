// SPDX-License-Identifier: Apache-2.0
/* 14_1.c: the whole, with deals at least once instead of exactly once: what do the books say?
 * For a quarter of an hour only, since what is doubled doubles again. Chapter 14, exercise 1. */
#define GRADE ALDIS_AT_LEAST_ONCE
#define CLOSING_NS (15 * ALDIS_MINUTE)
#define NO_MAIN
#include "../14_whole.c"

int main(void)
{
    run(1, 1);
    return 0;
}
