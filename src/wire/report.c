// SPDX-License-Identifier: Apache-2.0
/* report.c: naming the field at fault. Layer: wire. Runs only when something is wrong, so the walks
 * keep no path: it is put together from the inside out while they return. */
#include "wire/schema.h"

#include <stdarg.h>
#include <stdio.h>

/* Put "name" or "name[3]" before `rest`. A path that is too long loses its outer end. */
static void set_path(aldis_wire_report *report, const aldis_wire_field *field, uint32_t index,
                     const char *rest)
{
    char path[sizeof report->field + 128], number[16] = "";
    if (index != ALDIS__WIRE_NO_INDEX && aldis__wire_is_array(field))
        snprintf(number, sizeof number, "[%u]", index);
    int length =
        snprintf(path, sizeof path, "%s%s%s%s", field->name, number, rest[0] ? "." : "", rest);
    char *from = path;
    if (length >= (int)sizeof path)
        length = sizeof path - 1;
    if (length >= (int)sizeof report->field) {
        from += length - (int)(sizeof report->field - 1);
        memcpy(from, "...", 3);
    }
    memcpy(report->field, from, strlen(from) + 1);
}

bool aldis__wire_blame(aldis_wire_report *report, const aldis_wire_field *field, uint32_t index,
                       const char *format, ...)
{
    report->err = ALDIS_ECODEC;
    set_path(report, field, index, "");
    va_list args;
    va_start(args, format);
    vsnprintf(report->text, sizeof report->text, format, args);
    va_end(args);
    return false;
}

bool aldis__wire_within(aldis_wire_report *report, const aldis_wire_field *field, uint32_t index)
{
    char inner[sizeof report->field];
    memcpy(inner, report->field, sizeof inner);
    set_path(report, field, index, inner);
    return false;
}
