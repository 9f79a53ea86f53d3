// SPDX-License-Identifier: Apache-2.0
/* faults.c: see faults.h. Layer: cli. */
#include "faults.h"

#include "command.h"
#include "digits.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ONCE "once:"
#define HEAL "heal/"

static bool read_kind(const char *text, size_t size, aldis_fault_kind *out)
{
    for (int kind = 0; kind < ALDIS_FAULT_KIND_COUNT; kind++) {
        const char *name = aldis_fault_kind_name((aldis_fault_kind)kind);
        if (strlen(name) == size && strncmp(name, text, size) == 0) {
            *out = (aldis_fault_kind)kind;
            return true;
        }
    }
    return false;
}

/* KIND/ACTOR/NUMBER[/NS]; *rest gets what follows. */
static bool read_one(const char *text, aldis_fault *out, const char **rest)
{
    size_t size = strcspn(text, "/");
    uint64_t ns = 0;
    *out = (aldis_fault){.kind = ALDIS_FAULT_LOSS};
    if (!read_kind(text, size, &out->kind) || text[size] != '/' ||
        !digits_hex64(text + size + 1, &out->actor.bits, rest) || **rest != '/' ||
        !digits_u64(*rest + 1, &out->number, rest))
        return false;
    if (**rest == '/' && (!digits_u64(*rest + 1, &ns, rest) || ns > ALDIS_FOREVER / 2))
        return false;
    out->ns = (aldis_ns)ns;
    return **rest == '\0' || **rest == ',';
}

/* heal/NS */
static bool read_heal(const char *text, aldis_ns *out_ns, const char **rest)
{
    uint64_t ns = 0;
    if (!digits_u64(text + strlen(HEAL), &ns, rest) || ns > ALDIS_FOREVER / 2)
        return false;
    *out_ns = (aldis_ns)ns;
    return **rest == '\0' || **rest == ',';
}

static int read_single(const char *value, const char *who, struct faults *out)
{
    size_t count = 1;
    for (const char *p = value; *p; p++)
        count += *p == ',';
    out->single = calloc(count, sizeof *out->single);
    if (!out->single)
        return EXIT_SYSTEM;
    const char *at = value + strlen(ONCE);
    while (*at) {
        const char *rest = at;
        bool heals = strncmp(at, HEAL, strlen(HEAL)) == 0;
        if (!(heals ? read_heal(at, &out->plan.heal_ns, &rest)
                    : read_one(at, &out->single[out->plan.fault_count], &rest))) {
            fprintf(stderr,
                    "%s: --faults: found '%.60s', allowed: KIND/ACTOR/NUMBER, "
                    "KIND/ACTOR/NUMBER/NS or heal/NS, with a comma between two\n",
                    who, at);
            return EXIT_MISUSE;
        }
        out->plan.fault_count += !heals;
        at = *rest == ',' ? rest + 1 : rest;
    }
    out->plan.faults = out->single;
    return EXIT_GOOD;
}

int faults_read(const char *value, const char *who, struct faults *out_faults)
{
    static struct scenario_errors errors;
    *out_faults = (struct faults){.file = NULL};
    const aldis_fault_plan *named = aldis_fault_plan_named(value);
    if (named) {
        out_faults->plan = *named;
        return EXIT_GOOD;
    }
    if (strncmp(value, ONCE, strlen(ONCE)) == 0)
        return read_single(value, who, out_faults);
    enum scenario_status status = space_faults_load(value, &out_faults->file, &errors);
    switch (status) {
    case SCENARIO_OK:
        out_faults->plan = *space_faults_plan(out_faults->file);
        return EXIT_GOOD;
    case SCENARIO_BAD:
        break;
    case SCENARIO_NO_INPUT:
        scenario_errors_print(&errors, stderr);
        fprintf(stderr, "%s: --faults: allowed: light, heavy, or a YAML file\n", who);
        return EXIT_NO_INPUT;
    case SCENARIO_NO_MEMORY:
        return EXIT_SYSTEM;
    }
    scenario_errors_print(&errors, stderr);
    return EXIT_BAD_CONTENT;
}

void faults_fini(struct faults *faults)
{
    space_faults_destroy(faults->file);
    free(faults->single);
    *faults = (struct faults){.file = NULL};
}

void faults_write(const aldis_fault *faults, size_t count, aldis_ns heal_ns, FILE *out)
{
    fputs(ONCE, out);
    if (heal_ns)
        fprintf(out, HEAL "%" PRId64 "%s", heal_ns, count ? "," : "");
    for (size_t i = 0; i < count; i++) {
        const aldis_fault *fault = &faults[i];
        fprintf(out, "%s%s/%016" PRIx64 "/%" PRIu64, i ? "," : "",
                aldis_fault_kind_name(fault->kind), fault->actor.bits, fault->number);
        if (fault->ns)
            fprintf(out, "/%" PRId64, fault->ns);
    }
}
