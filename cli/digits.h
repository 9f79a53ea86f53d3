// SPDX-License-Identifier: Apache-2.0
/* digits.h: numbers in text, taken strictly: no sign, no blank, nothing beyond 64 bits. Layer:
 * cli. */
#ifndef ALDIS_CLI_DIGITS_H
#define ALDIS_CLI_DIGITS_H

#include <stdbool.h>
#include <stdint.h>

/** Read decimal digits, one or more. *rest gets what follows them; rest may be the address of text.
 *  False: there is no such number, and nothing is written. */
bool digits_u64(const char *text, uint64_t *out, const char **rest);

/** Read 16 hexadecimal digits, a to f small, in the same way. */
bool digits_hex64(const char *text, uint64_t *out, const char **rest);

/** The value of one hexadecimal digit whose ten is 'a' or 'A'; -1: it is none. */
int digits_hex(char c, char ten);

#endif
