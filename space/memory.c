// SPDX-License-Identifier: Apache-2.0
/* memory.c: see memory.h. The files are those of proc(5), cgroups(7), and of the kernel's documents
 * on cgroup-v2 and cgroup-v1. */
#include "memory.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define PATH_BYTES 1024

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t of_machine(const char *root)
{
    char path[PATH_BYTES], line[128];
    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    FILE *file = fopen(path, "r");
    unsigned long long kib = 0;
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file))
        found = sscanf(line, "MemAvailable: %llu kB", &kib) == 1;
    if (file)
        fclose(file);
    return found ? kib * 1024u : UINT64_MAX;
}

/* A file that holds one number; false: there is none, or it says "max". */
static bool read_number(const char *folder, const char *name, uint64_t *out)
{
    char path[PATH_BYTES + 64];
    unsigned long long number = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    bool found = file && fscanf(file, "%llu", &number) == 1;
    if (file)
        fclose(file);
    *out = number;
    return found;
}

/* Files that are kept in memory count as used, and are given up when it is needed. */
static uint64_t of_files(const char *folder)
{
    char path[PATH_BYTES + 64], line[128], name[64];
    unsigned long long bytes;
    uint64_t sum = 0;
    snprintf(path, sizeof path, "%s/memory.stat", folder);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "%63s %llu", name, &bytes) != 2)
            continue;
        if (strcmp(name, "inactive_file") == 0 || strcmp(name, "active_file") == 0)
            sum += bytes;
    }
    if (file)
        fclose(file);
    return sum;
}

/* What is left of one group's limit. */
static uint64_t left_in(const char *folder, const char *limit_name, const char *used_name)
{
    uint64_t limit, used;
    if (!read_number(folder, limit_name, &limit) || !read_number(folder, used_name, &used))
        return UINT64_MAX;
    uint64_t files = of_files(folder);
    used = used > files ? used - files : 0;
    return limit > used ? limit - used : 0;
}

/* The group and all above it, as far as they are to be seen: each may have a limit. */
static uint64_t left_above(const char *mount, char *group, const char *limit_name,
                           const char *used_name)
{
    uint64_t left = UINT64_MAX;
    for (;;) {
        char folder[PATH_BYTES];
        snprintf(folder, sizeof folder, "%s%s", mount, group);
        left = least(left, left_in(folder, limit_name, used_name));
        char *end = strrchr(group, '/');
        if (!end)
            return left;
        *end = '\0';
    }
}

/* Lines as "0::/a/b" (version 2) and "4:memory:/a/b" (version 1). */
static uint64_t of_groups(const char *root)
{
    char path[PATH_BYTES], mount[PATH_BYTES], line[512], controllers[64];
    uint64_t left = UINT64_MAX;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        char *first = strchr(line, ':'), *second = first ? strchr(first + 1, ':') : NULL;
        if (!second || (size_t)(second - first) > sizeof controllers)
            continue;
        snprintf(controllers, sizeof controllers, "%.*s", (int)(second - first - 1), first + 1);
        bool first_version = strcmp(controllers, "memory") == 0;
        if (!first_version && controllers[0] != '\0')
            continue;
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup%s", root, first_version ? "/memory" : "");
        left = least(left, first_version
                               ? left_above(mount, second + 1, "memory.limit_in_bytes",
                                            "memory.usage_in_bytes")
                               : left_above(mount, second + 1, "memory.max", "memory.current"));
    }
    if (file)
        fclose(file);
    return left;
}

uint64_t memory_at_hand(const char *root)
{
    return least(of_machine(root), of_groups(root));
}
