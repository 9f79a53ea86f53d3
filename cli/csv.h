// SPDX-License-Identifier: Apache-2.0
/* csv.h: reads comma-separated values (RFC 4180), row by row, and says where each stands. Layer:
 * cli. */
#ifndef ALDIS_CLI_CSV_H
#define ALDIS_CLI_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CSV_FIELDS_MAX = 64, CSV_FIELD_BYTES = 256, CSV_BYTES_MAX = 16 << 20 };

struct csv {
    const char *path;
    char *text;
    size_t size, at;
    uint32_t line;                                /* of the row that was read last */
    uint32_t count;                               /* its fields */
    uint32_t columns[CSV_FIELDS_MAX];             /* where each begins, in characters from 1 */
    char fields[CSV_FIELDS_MAX][CSV_FIELD_BYTES]; /* without quotes */
    char names[CSV_FIELDS_MAX][CSV_FIELD_BYTES];  /* of the columns: the first row */
    uint32_t name_count;
    uint32_t errors; /* told on standard error so far */
    uint32_t next_line;
};

/** Open a file and read its first row, the names of the columns. Returns an exit status. */
int csv_open(struct csv *csv, const char *path);
void csv_close(struct csv *csv);

/** The column of a name, or of one that begins with it and '_', as in x_pc. False: none. */
bool csv_column(const struct csv *csv, const char *name, uint32_t *out);

/** Read the next row with as many fields as there are columns; what is wrong with others is told.
 *  false: there is no more. */
bool csv_next(struct csv *csv);

/** Tell what is wrong with a field of the last row: "path:line:column: name: text". */
void csv_error(struct csv *csv, uint32_t field, const char *text);

/** A field as a finite number, or as a name of 1 to 50 printable bytes; else it is told. */
bool csv_number(struct csv *csv, uint32_t field, double *out);
bool csv_name(struct csv *csv, uint32_t field);

#endif
