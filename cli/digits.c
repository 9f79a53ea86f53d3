// SPDX-License-Identifier: Apache-2.0
/* digits.c: see digits.h. Layer: cli. */
#include "digits.h"

bool digits_u64(const char *text, uint64_t *out, const char **rest)
{
    uint64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (at == text)
        return false;
    *out = value;
    *rest = at;
    return true;
}

int digits_hex(char c, char ten)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= ten && c < ten + 6 ? c - ten + 10 : -1;
}

bool digits_hex64(const char *text, uint64_t *out, const char **rest)
{
    uint64_t value = 0;
    for (int i = 0; i < 16; i++) {
        int digit = digits_hex(text[i], 'a');
        if (digit < 0)
            return false;
        value = value << 4 | (uint64_t)digit;
    }
    *out = value;
    *rest = text + 16;
    return true;
}
