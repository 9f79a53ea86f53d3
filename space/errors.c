// SPDX-License-Identifier: Apache-2.0
/* errors.c: see errors.h. */
#include "errors.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_BYTES 40

void errors_add(struct scenario_errors *errors, uint32_t line, uint32_t column, const char *format,
                ...)
{
    if (errors->count == SCENARIO_ERRORS_MAX) {
        errors->more++;
        return;
    }
    struct scenario_error *error = &errors->items[errors->count++];
    error->file = errors->file;
    error->line = line;
    error->column = column;
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
}

static int compare(const void *left, const void *right)
{
    const struct scenario_error *a = left, *b = right;
    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    if (a->column != b->column)
        return a->column < b->column ? -1 : 1;
    return strcmp(a->text, b->text);
}

void errors_sort(struct scenario_errors *errors)
{
    qsort(errors->items, errors->count, sizeof errors->items[0], compare);
}

uint32_t errors_add_file(struct scenario_errors *errors, const char *name)
{
    if (errors->file_count == SCENARIO_FILES_MAX)
        return 0;
    char *copy = errors->files[errors->file_count++];
    snprintf(copy, sizeof errors->files[0], "%s", name);
    return errors->file_count;
}

size_t utf8_length(const unsigned char *text, size_t size)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = text[0];
    size_t length = first < 0x80             ? 1
                    : (first & 0xe0) == 0xc0 ? 2
                    : (first & 0xf0) == 0xe0 ? 3
                    : (first & 0xf8) == 0xf0 ? 4
                                             : 0;
    if (length < 2)
        return length;
    if (length > size)
        return 0;
    uint32_t code = first & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3fu);
    }
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return code < least[length] || code > 0x10ffff || surrogate ? 0 : length;
}

/* A C1 control (U+0080 .. U+009F) could steer a terminal as its ASCII brothers do. */
static bool is_printable(const unsigned char *text, size_t length)
{
    if (length == 1)
        return text[0] >= 0x20 && text[0] != 0x7f;
    return !(length == 2 && text[0] == 0xc2 && text[1] < 0xa0);
}

bool text_is_printable(const char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        const unsigned char *at = (const unsigned char *)text + i;
        size_t length = utf8_length(at, size - i);
        if (length == 0 || !is_printable(at, length))
            return false;
        i += length;
    }
    return true;
}

const char *errors_quote(char out[ERRORS_QUOTE_BYTES], const char *text, size_t size)
{
    size_t used = 0, i = 0;
    out[used++] = '"';
    while (i < size && used < SHOWN_BYTES) {
        const unsigned char *at = (const unsigned char *)text + i;
        size_t length = utf8_length(at, size - i);
        if (length > 0 && is_printable(at, length)) {
            memcpy(out + used, at, length);
            used += length;
            i += length;
        } else {
            used += (size_t)snprintf(out + used, ERRORS_QUOTE_BYTES - used, "\\x%02x", *at);
            i++;
        }
    }
    snprintf(out + used, ERRORS_QUOTE_BYTES - used, i < size ? "...\"" : "\"");
    return out;
}

void scenario_errors_print(const struct scenario_errors *errors, FILE *out)
{
    for (uint32_t i = 0; i < errors->count; i++) {
        const struct scenario_error *error = &errors->items[i];
        const char *path = error->file > 0 ? errors->files[error->file - 1] : errors->path;
        if (error->line == 0)
            fprintf(out, "%s: %s\n", path, error->text);
        else
            fprintf(out, "%s:%u:%u: %s\n", path, error->line, error->column, error->text);
    }
    if (errors->more > 0)
        fprintf(out, "%s: and %u more like these\n", errors->path, errors->more);
}
