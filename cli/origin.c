// SPDX-License-Identifier: Apache-2.0
/* origin.c: see origin.h. Layer: cli. */
#include "origin.h"

#include "command.h"
#include "digits.h"
#include "input.h"

#include <aldis/version.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SETTING_MARK = 0x1f };

struct origin origin_of(const struct input *input, const struct space_run_facts *facts)
{
    struct origin origin = {.seed = facts->seed,
                            .shards = facts->shards,
                            .until_ns = facts->until_ns,
                            .content = facts->content};
    snprintf(origin.version, sizeof origin.version, "%s", aldis_version());
    char *whole = realpath(input->path, NULL); /* so that it is found from any folder */
    snprintf(origin.scenario, sizeof origin.scenario, "%s", whole ? whole : input->path);
    free(whole);
    for (size_t i = 0; i < input->count; i++) {
        size_t used = strlen(origin.scenario);
        snprintf(origin.scenario + used, sizeof origin.scenario - used, "%c%s", SETTING_MARK,
                 input->settings[i]);
    }
    return origin;
}

struct space_run_opts origin_run_opts(const struct origin *origin)
{
    return (struct space_run_opts){.has_seed = true,
                                   .seed = origin->seed,
                                   .shards = origin->shards,
                                   .until_ns = origin->until_ns};
}

/* ---- Text ---- */

static void print_path(const char *path, FILE *out)
{
    for (const char *at = path; *at; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte < 0x20 || byte == 0x7f || byte == '%')
            fprintf(out, "%%%02X", byte);
        else
            fputc(byte, out);
    }
}

void origin_print(const struct origin *origin, FILE *out)
{
    fprintf(out, "version %s\nscenario ", origin->version);
    print_path(origin->scenario, out);
    fprintf(out,
            "\ncontent %016" PRIx64 "\nseed %" PRIu64 "\nshards %" PRIu32 "\nuntil_ns %" PRId64
            "\n",
            origin->content, origin->seed, origin->shards, origin->until_ns);
}

static bool parse_path(char path[ORIGIN_PATH_SIZE], const char *text)
{
    size_t length = 0;
    for (const char *at = text; *at; at++) {
        int byte = (unsigned char)*at;
        if (byte == '%') {
            int high = digits_hex(at[1], 'A'), low = high < 0 ? -1 : digits_hex(at[2], 'A');
            byte = high << 4 | low;
            if (low < 0 || byte == 0)
                return false;
            at += 2;
        }
        if (length + 1 == ORIGIN_PATH_SIZE)
            return false;
        path[length++] = (char)byte;
    }
    path[length] = '\0';
    return length > 0;
}

static bool parse_version(char version[32], const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length >= 32)
        return false;
    memcpy(version, text, length + 1);
    return true;
}

static bool parse_whole(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    const char *rest;
    return digits_u64(text, out, &rest) && *rest == '\0' && *out >= min && *out <= max;
}

bool origin_parse_line(struct origin *origin, uint32_t number, const char *line)
{
    static const char *const keys[ORIGIN_LINES] = {"version ", "scenario ", "content ",
                                                   "seed ",    "shards ",   "until_ns "};
    const char *rest, *value = line + strlen(keys[number]);
    uint64_t whole = 0;
    bool good = strncmp(line, keys[number], strlen(keys[number])) == 0;
    if (!good)
        return false;
    switch (number) {
    case 0:
        return parse_version(origin->version, value);
    case 1:
        return parse_path(origin->scenario, value);
    case 2:
        return digits_hex64(value, &origin->content, &rest) && *rest == '\0';
    case 3:
        return parse_whole(value, 0, UINT64_MAX, &origin->seed);
    case 4:
        good = parse_whole(value, 1, 4094, &whole);
        origin->shards = (uint32_t)whole;
        return good;
    case 5:
        good = parse_whole(value, 1, INT64_MAX, &whole);
        origin->until_ns = (aldis_ns)whole;
        return good;
    }
    return false;
}

/* ---- Again ---- */

int origin_load(const struct origin *origin, const char *who, struct scenario **out_scenario)
{
    *out_scenario = NULL;
    if (strcmp(origin->version, aldis_version()) != 0) {
        fprintf(stderr,
                "%s: the run was made by version %s and this is %s: it cannot be repeated\n", who,
                origin->version, aldis_version());
        return EXIT_BAD_CONTENT;
    }
    char text[ORIGIN_PATH_SIZE];
    struct input input = {.path = text};
    memcpy(text, origin->scenario, sizeof text);
    for (char *mark = strchr(text, SETTING_MARK); mark; mark = strchr(mark + 1, SETTING_MARK)) {
        *mark = '\0';
        if (input.count < INPUT_SETTINGS_MAX)
            input.settings[input.count++] = mark + 1;
    }
    int status = input_read(&input, out_scenario);
    if (status != EXIT_GOOD)
        return status;
    if (scenario_content(*out_scenario) == origin->content)
        return EXIT_GOOD;
    fprintf(stderr, "%s: %s has changed since the run was made: it cannot be repeated\n", who,
            text);
    scenario_destroy(*out_scenario);
    *out_scenario = NULL;
    return EXIT_BAD_CONTENT;
}
