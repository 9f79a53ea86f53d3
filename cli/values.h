// SPDX-License-Identifier: Apache-2.0
/* values.h: the values of options, taken strictly. Layer: cli.
 *
 * Each function reads the whole text or none of it: no sign, nothing before or after the value. On
 * a wrong text it ends the program through argp_error (status 64), which names the option, what was
 * found and what is allowed. */
#ifndef ALDIS_CLI_VALUES_H
#define ALDIS_CLI_VALUES_H

#include <aldis/types.h>
#include <argp.h>

/** A whole number in decimal digits, min .. max. */
uint64_t value_whole(const struct argp_state *state, const char *option, const char *text,
                     uint64_t min, uint64_t max);

/** A factor: decimal digits with at most one point among them, 0.000001 .. 1000000. */
double value_factor(const struct argp_state *state, const char *option, const char *text);

/** A decimal number without sign or exponent, such as 0.25: min .. max; `allowed` says so. */
double value_decimal(const struct argp_state *state, const char *option, const char *text,
                     double min, double max, const char *allowed);

/** A duration: a whole number, a blank or none, and ms, s, m, min, h or d; 1ms .. 106751d. */
aldis_ns value_duration(const struct argp_state *state, const char *option, const char *text);

#endif
