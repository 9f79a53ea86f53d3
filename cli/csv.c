// SPDX-License-Identifier: Apache-2.0
/* csv.c: see csv.h. Layer: cli. */
#include "csv.h"

#include "../space/errors.h"

#include "command.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { ERRORS_SHOWN = 20, NAME_BYTES = 50 };

void csv_error(struct csv *csv, uint32_t field, const char *text)
{
    if (csv->errors++ < ERRORS_SHOWN)
        fprintf(stderr, "%s:%u:%u: %s%s%s\n", csv->path, csv->line,
                field < csv->count ? csv->columns[field] : 1,
                field < csv->name_count ? csv->names[field] : "",
                field < csv->name_count ? ": " : "", text);
}

/* One field; gives whether the row goes on. */
static bool read_field(struct csv *csv, uint32_t *column)
{
    char *out = csv->fields[csv->count];
    size_t length = 0;
    bool quoted = csv->at < csv->size && csv->text[csv->at] == '"', closed = !quoted;
    bool stray = false; /* behind the closing quote */
    csv->columns[csv->count] = *column;
    if (quoted) {
        csv->at++;
        ++*column;
    }
    for (; csv->at < csv->size; csv->at++, ++*column) {
        char c = csv->text[csv->at];
        if (!closed && c == '"' && csv->at + 1 < csv->size && csv->text[csv->at + 1] == '"') {
            csv->at++;
            ++*column;
        } else if (!closed && c == '"') {
            closed = true;
            continue;
        } else if (closed && (c == ',' || c == '\n')) {
            break;
        } else if (closed && c == '\r') {
            continue;
        }
        if (c == '\n')
            csv->next_line++;
        stray = stray || (quoted && closed);
        if (length < CSV_FIELD_BYTES)
            out[length++] = c;
    }
    csv->count++;
    if (!closed || stray)
        csv_error(csv, csv->count - 1, closed ? "text behind the quote" : "the quote has no end");
    else if (length == CSV_FIELD_BYTES)
        csv_error(csv, csv->count - 1, "longer than 255 bytes");
    out[length < CSV_FIELD_BYTES ? length : CSV_FIELD_BYTES - 1] = '\0';
    bool more = csv->at < csv->size && csv->text[csv->at] == ',';
    csv->at += csv->at < csv->size;
    ++*column;
    return more;
}

static bool read_row(struct csv *csv)
{
    uint32_t column = 1;
    csv->count = 0;
    if (csv->at >= csv->size)
        return false;
    csv->line = csv->next_line++;
    while (read_field(csv, &column))
        if (csv->count == CSV_FIELDS_MAX) {
            csv_error(csv, UINT32_MAX, "more than 64 fields");
            while (csv->at < csv->size && csv->text[csv->at++] != '\n')
                ;
            return true;
        }
    return true;
}

bool csv_next(struct csv *csv)
{
    while (read_row(csv)) {
        if (csv->count == csv->name_count)
            return true;
        if (csv->count == 1 && csv->fields[0][0] == '\0')
            continue; /* an empty line */
        char text[64];
        snprintf(text, sizeof text, "found %u fields, allowed: %u as in line 1", csv->count,
                 csv->name_count);
        csv_error(csv, UINT32_MAX, text);
    }
    return false;
}

static int fail(const char *path, const char *why)
{
    fprintf(stderr, "%s: cannot be read: %s\n", path, why);
    return EXIT_NO_INPUT;
}

/* Of the first row. A name that a terminal would not show as it stands is none. */
static void name_columns(struct csv *csv)
{
    char text[192], quote[ERRORS_QUOTE_BYTES];
    for (uint32_t i = 0; i < csv->count; i++) {
        size_t length = strlen(csv->fields[i]);
        memcpy(csv->names[i], csv->fields[i], length + 1);
        if (text_is_printable(csv->names[i], length))
            continue;
        csv->names[i][0] = '\0';
        snprintf(text, sizeof text, "found column %s, allowed: printable UTF-8",
                 errors_quote(quote, csv->fields[i], length));
        csv_error(csv, UINT32_MAX, text);
    }
    csv->name_count = csv->count;
}

int csv_open(struct csv *csv, const char *path)
{
    struct stat info;
    *csv = (struct csv){.path = path, .next_line = 1};
    if (stat(path, &info) != 0)
        return fail(path, strerror(errno));
    if (!S_ISREG(info.st_mode) || info.st_size > CSV_BYTES_MAX)
        return fail(path, "not a regular file of up to 16 MiB");
    FILE *file = fopen(path, "rb");
    if (!file)
        return fail(path, strerror(errno));
    csv->text = malloc((size_t)info.st_size + 1);
    if (csv->text)
        csv->size = fread(csv->text, 1, (size_t)info.st_size, file);
    bool good = csv->text && !ferror(file);
    fclose(file);
    if (!good)
        return csv->text ? fail(path, "reading failed") : EXIT_SYSTEM;
    if (memchr(csv->text, '\0', csv->size))
        return fail(path, "it holds a zero byte: it is not text");
    if (csv->size >= 3 && memcmp(csv->text, "\xef\xbb\xbf", 3) == 0)
        csv->at = 3;
    if (!read_row(csv))
        return fail(path, "it is empty");
    name_columns(csv);
    if (csv->count == 1 && strpbrk(csv->names[0], ";\t|"))
        csv_error(csv, UINT32_MAX, "found other separators of fields, allowed: commas");
    return EXIT_GOOD;
}

void csv_close(struct csv *csv)
{
    if (csv->errors > ERRORS_SHOWN)
        fprintf(stderr, "%s: and %u more like these\n", csv->path, csv->errors - ERRORS_SHOWN);
    free(csv->text);
    csv->text = NULL;
}

bool csv_column(const struct csv *csv, const char *name, uint32_t *out)
{
    size_t length = strlen(name);
    for (int loose = 0; loose < 2; loose++)
        for (uint32_t i = 0; i < csv->name_count; i++)
            if (strncmp(csv->names[i], name, length) == 0 &&
                csv->names[i][length] == (loose ? '_' : '\0')) {
                *out = i;
                return true;
            }
    return false;
}

bool csv_number(struct csv *csv, uint32_t field, double *out)
{
    char *end, text[192], quote[ERRORS_QUOTE_BYTES];
    const char *value = csv->fields[field];
    *out = strtod(value, &end);
    if (end != value && *end == '\0' && isfinite(*out) && strpbrk(value, "xXpP ") == NULL)
        return true;
    snprintf(text, sizeof text, "found %s, allowed: a number",
             errors_quote(quote, value, strlen(value)));
    csv_error(csv, field, text);
    return false;
}

bool csv_name(struct csv *csv, uint32_t field)
{
    const char *name = csv->fields[field];
    size_t length = strlen(name);
    bool good = length > 0 && length <= NAME_BYTES && name[0] != ' ' && name[length - 1] != ' ' &&
                text_is_printable(name, length);
    char text[192], quote[ERRORS_QUOTE_BYTES];
    snprintf(text, sizeof text, "found %s, allowed: 1 to %d bytes of printable UTF-8",
             errors_quote(quote, name, length), NAME_BYTES);
    if (!good)
        csv_error(csv, field, text);
    return good;
}
