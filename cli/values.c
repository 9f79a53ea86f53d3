// SPDX-License-Identifier: Apache-2.0
/* values.c: strict numbers and durations. Layer: cli. */
#include "values.h"

#include "digits.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

uint64_t value_whole(const struct argp_state *state, const char *option, const char *text,
                     uint64_t min, uint64_t max)
{
    uint64_t value = 0;
    const char *rest;
    if (!digits_u64(text, &value, &rest) || *rest != '\0' || value < min || value > max)
        argp_error(state, "%s: found '%s', allowed: a whole number from %" PRIu64 " to %" PRIu64,
                   option, text, min, max);
    return value;
}

double value_decimal(const struct argp_state *state, const char *option, const char *text,
                     double min, double max, const char *allowed)
{
    size_t whole = strspn(text, "0123456789"), length = whole;
    if (whole && text[whole] == '.')
        length += 1 + strspn(text + whole + 1, "0123456789");
    double value = length <= 40 && length > 0 && text[length - 1] != '.' ? strtod(text, NULL) : -1;
    if (text[length] != '\0' || !(value >= min && value <= max))
        argp_error(state, "%s: found '%s', allowed: %s", option, text, allowed);
    return value;
}

double value_factor(const struct argp_state *state, const char *option, const char *text)
{
    return value_decimal(state, option, text, 1e-6, 1e6,
                         "a number from 0.000001 to 1000000, such as 2.5");
}

aldis_ns value_duration(const struct argp_state *state, const char *option, const char *text)
{
    static const struct {
        const char *name;
        aldis_ns ns;
    } units[] = {{"ms", ALDIS_MS},      {"s", ALDIS_SECOND}, {"m", ALDIS_MINUTE},
                 {"min", ALDIS_MINUTE}, {"h", ALDIS_HOUR},   {"d", 24 * ALDIS_HOUR}};
    uint64_t value = 0;
    const char *rest = "";
    if (digits_u64(text, &value, &rest))
        rest += *rest == ' ';
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(rest, units[i].name) == 0 && value >= 1 &&
            value <= (uint64_t)(ALDIS_FOREVER / units[i].ns))
            return (aldis_ns)value * units[i].ns;
    argp_error(
        state,
        "%s: found '%s', allowed: a whole number and ms, s, m, min, h or d, from 1ms to 106751d "
        "(such as 90s)",
        option, text);
    return 0; /* never: argp_error ends the program */
}
