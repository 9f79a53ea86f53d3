// SPDX-License-Identifier: Apache-2.0
/* report.c: naming the field at fault. Layer: wire. Runs only when something is wrong, so the walks
 * keep no path: it is put together from the inside out while they return. */
#include "wire/schema.h"

#include <stdarg.h>
#include <stdio.h>

/* Put part before the path. A path that is too long loses its outer end. */
static void prepend(aldis_wire_report *report, const char *part)
{
    char rest[sizeof report->field];
    memcpy(rest, report->field, sizeof rest);
    size_t room = sizeof rest - 1 - strlen(rest), length = strlen(part);
    bool is_cut = length > room;
    snprintf(report->field, sizeof report->field, "%s%s", part + (is_cut ? length - room : 0),
             rest);
    if (is_cut)
        memset(report->field, '.', 3);
}

/* "name" or "name[3]" */
static void prepend_value(aldis_wire_report *report, const aldis_wire_field *field, uint32_t index)
{
    if (index != ALDIS__WIRE_NO_INDEX && aldis__wire_is_array(field)) {
        char number[16];
        snprintf(number, sizeof number, "[%u]", index);
        prepend(report, number);
    }
    prepend(report, field->name);
}

bool aldis__wire_blame(aldis_wire_report *report, const aldis_wire_field *field, uint32_t index,
                       const char *format, ...)
{
    report->err = ALDIS_ECODEC;
    report->field[0] = '\0';
    prepend_value(report, field, index);
    va_list args;
    va_start(args, format);
    vsnprintf(report->text, sizeof report->text, format, args);
    va_end(args);
    return false;
}

bool aldis__wire_within(aldis_wire_report *report, const aldis_wire_field *field, uint32_t index)
{
    if (report->field[0])
        prepend(report, ".");
    prepend_value(report, field, index);
    return false;
}
