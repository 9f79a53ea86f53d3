// SPDX-License-Identifier: Apache-2.0
/* memory_test.c: the memory at hand, read from files that the test writes. */
#include "memory.h"

#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static void open_root(void)
{
    snprintf(root, sizeof root, "/tmp/aldis-memory-XXXXXX");
    CHECK(mkdtemp(root) != NULL);
}

/* Below root, with all folders that it needs. */
static void put(const char *path, const char *text)
{
    char whole[512];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *at = whole + strlen(root) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        (void)mkdir(whole, 0700);
        *at = '/';
    }
    FILE *file = fopen(whole, "w");
    CHECK(file != NULL);
    fputs(text, file);
    fclose(file);
}

static void close_root(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", root);
    CHECK_INT(system(command), 0);
}

TEST(what_says_nothing_has_no_bound)
{
    open_root();
    CHECK_UINT(memory_at_hand(root), UINT64_MAX);
    close_root();
}

TEST(the_machine_says_what_is_available)
{
    open_root();
    put("/proc/meminfo", "MemTotal:  99 kB\nMemFree:  1 kB\nMemAvailable:   2000 kB\n");
    CHECK_UINT(memory_at_hand(root), 2048000);
    close_root();
}

TEST(a_group_or_one_above_it_may_allow_less)
{
    open_root();
    put("/proc/meminfo", "MemAvailable:   2000 kB\n");
    put("/proc/self/cgroup", "0::/box/run\n");
    put("/sys/fs/cgroup/box/run/memory.max", "max\n");
    put("/sys/fs/cgroup/box/run/memory.current", "7000\n");
    CHECK_UINT(memory_at_hand(root), 2048000);
    put("/sys/fs/cgroup/box/memory.max", "1000000\n");
    put("/sys/fs/cgroup/box/memory.current", "400000\n");
    CHECK_UINT(memory_at_hand(root), 600000);
    put("/sys/fs/cgroup/box/memory.current", "1000001\n");
    CHECK_UINT(memory_at_hand(root), 0);
    /* What is kept of files is given up when it is needed. */
    put("/sys/fs/cgroup/box/memory.stat", "anon 1\nfile 900001\nactive_file 300000\n"
                                          "inactive_file 500000\nslab 9\n");
    CHECK_UINT(memory_at_hand(root), 799999);
    close_root();
}

/* In a container the group is the root of what is to be seen. */
TEST(a_container_has_its_limit_at_the_root)
{
    open_root();
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/memory.max", "5000\n");
    put("/sys/fs/cgroup/memory.current", "1000\n");
    CHECK_UINT(memory_at_hand(root), 4000);
    close_root();
}

TEST(the_first_version_of_groups_has_other_names)
{
    open_root();
    put("/proc/self/cgroup", "5:cpu,cpuacct:/\n4:memory:/box\n1:name=systemd:/x\n");
    put("/sys/fs/cgroup/memory/box/memory.limit_in_bytes", "9000\n");
    put("/sys/fs/cgroup/memory/box/memory.usage_in_bytes", "2000\n");
    CHECK_UINT(memory_at_hand(root), 7000);
    close_root();
}
