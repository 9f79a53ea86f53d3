// SPDX-License-Identifier: Apache-2.0
/* philox.h: Philox4x32-10, the counter-based random function. Layer: base. Threads: any; it is a
 * pure function. Memory: none.
 *
 * Source: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel Random Numbers: As Easy as
 * 1, 2, 3", SC'11. Having no state is the point: a draw depends on who draws and which draw it is,
 * never on what was drawn before on the same thread. */
#ifndef ALDIS_BASE_PHILOX_H
#define ALDIS_BASE_PHILOX_H

#include <stdint.h>

/** out = four random words, the same for ever for the same counter and key. out may be counter. */
static inline void aldis__philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t product0 = (uint64_t)0xD2511F53u * c0;
        uint64_t product1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(product1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)product1;
        c2 = (uint32_t)(product0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)product0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

#endif
