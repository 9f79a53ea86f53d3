// SPDX-License-Identifier: Apache-2.0
/* chain.c: see chain.h. Layer: cli. */
#include "chain.h"

#include "command.h"
#include "digits.h"
#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

static const char first_line[] = "aldis windows 1";

/* ---- Writing ---- */

int chain_create(struct chain_writer *writer, const char *path)
{
    *writer = (struct chain_writer){.path = path, .file = output_create(path)};
    return writer->file ? EXIT_GOOD : EXIT_NO_OUTPUT;
}

void chain_write_origin(struct chain_writer *writer, const struct origin *origin)
{
    fprintf(writer->file, "%s\n", first_line);
    origin_print(origin, writer->file);
}

void chain_write_window(struct chain_writer *writer, const aldis_window *window)
{
    fprintf(writer->file, "window %" PRIu64 " %" PRId64 " %" PRId64 " %" PRIu64 " %016" PRIx64 "\n",
            window->index, window->start_ns, window->end_ns, window->events, window->print);
    writer->windows = window->index + 1;
    writer->print = window->print;
}

void chain_write_end(struct chain_writer *writer, aldis_run_end end_reason, uint64_t inputs)
{
    fprintf(writer->file, "end %s %" PRIu64 " %016" PRIx64 " %" PRIu64 "\n",
            space_end_name(end_reason), writer->windows, writer->print, inputs);
}

int chain_close(struct chain_writer *writer)
{
    int status = output_close(writer->file, writer->path);
    writer->file = NULL;
    return status;
}

/* ---- Reading ---- */

static int bad(const struct chain_reader *reader, const char *what)
{
    fprintf(stderr, "%s:%" PRIu64 ": %s\n", reader->path, reader->line, what);
    return EXIT_BAD_CONTENT;
}

/* The next line without its newline; false: there is none, it is too long, or it was cut. */
static bool read_line(struct chain_reader *reader, char line[ORIGIN_LINE_SIZE])
{
    reader->line++;
    if (!fgets(line, ORIGIN_LINE_SIZE, reader->file))
        return false;
    char *newline = strchr(line, '\n');
    if (!newline)
        return false;
    *newline = '\0';
    return true;
}

int chain_open(struct chain_reader *reader, const char *path)
{
    char line[ORIGIN_LINE_SIZE];
    struct stat facts;
    *reader = (struct chain_reader){.path = path};
    if (stat(path, &facts) == 0 && !S_ISREG(facts.st_mode))
        errno = EINVAL;
    else
        reader->file = fopen(path, "r");
    if (!reader->file) {
        fprintf(stderr, "%s: cannot be read: %s\n", path,
                errno == EINVAL ? "not a regular file" : strerror(errno));
        return EXIT_NO_INPUT;
    }
    if (!read_line(reader, line) || strcmp(line, first_line) != 0)
        return bad(reader, "not a file of aldis run --print-windows, or of another version");
    for (uint32_t i = 0; i < ORIGIN_LINES; i++)
        if (!read_line(reader, line) || !origin_parse_line(&reader->origin, i, line))
            return bad(reader, "the head is wrong or cut short");
    return EXIT_GOOD;
}

/* " 12": a blank and a number. */
static bool next_u64(const char **at, uint64_t *out)
{
    return **at == ' ' && digits_u64(*at + 1, out, at);
}

static bool next_hex(const char **at, uint64_t *out)
{
    return **at == ' ' && digits_hex64(*at + 1, out, at);
}

static bool parse_window(const char *at, aldis_window *window)
{
    uint64_t start, end;
    if (!next_u64(&at, &window->index) || !next_u64(&at, &start) || !next_u64(&at, &end) ||
        !next_u64(&at, &window->events) || !next_hex(&at, &window->print) || *at != '\0' ||
        start >= end || end > INT64_MAX)
        return false;
    window->start_ns = (aldis_ns)start;
    window->end_ns = (aldis_ns)end;
    return true;
}

static bool parse_end(const char *at, struct chain_end *end)
{
    size_t length = *at == ' ' ? strcspn(at + 1, " ") : 0;
    if (length == 0 || length >= sizeof end->reason)
        return false;
    memcpy(end->reason, at + 1, length);
    end->reason[length] = '\0';
    at += 1 + length;
    return next_u64(&at, &end->windows) && next_hex(&at, &end->print) &&
           next_u64(&at, &end->inputs) && *at == '\0';
}

int chain_next(struct chain_reader *reader)
{
    char line[ORIGIN_LINE_SIZE];
    if (!read_line(reader, line))
        return bad(reader, "the file is cut short: it has no line 'end'");
    if (strncmp(line, "end", 3) == 0) {
        if (!parse_end(line + 3, &reader->end) || reader->end.windows != reader->windows ||
            reader->end.print != reader->print || fgetc(reader->file) != EOF)
            return bad(reader, "the end is wrong");
        reader->ended = true;
        return EXIT_GOOD;
    }
    if (strncmp(line, "window", 6) != 0 || !parse_window(line + 6, &reader->window) ||
        reader->window.index != reader->windows)
        return bad(reader, "neither the next window nor the end");
    reader->windows++;
    reader->print = reader->window.print;
    return EXIT_GOOD;
}

void chain_reader_fini(struct chain_reader *reader)
{
    if (reader->file)
        fclose(reader->file);
    reader->file = NULL;
}
