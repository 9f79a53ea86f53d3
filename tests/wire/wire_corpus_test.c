// SPDX-License-Identifier: Apache-2.0
/* The fuzzer's corpus, replayed: good-* is accepted, bad-* is refused, anything else (what a
 * fuzzer has found) only must not break a promise. The directory comes from the build. */
#include "harness.h"

#include "fuzz_wire.h"
#include <dirent.h>

static void replay(const char *name)
{
    static uint8_t input[8192];
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", ALDIS_CORPUS, name);
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    size_t size = fread(input, 1, sizeof input, file);
    fclose(file);
    bool accepted = fuzz_wire_accepts(input, size);
    bool must = strncmp(name, "good-", 5) == 0, must_not = strncmp(name, "bad-", 4) == 0;
    if ((must && !accepted) || (must_not && accepted))
        test_fail(__FILE__, __LINE__, "%s was %s", name, accepted ? "accepted" : "refused");
}

TEST(corpus_is_accepted_and_refused_as_its_names_say)
{
    DIR *directory = opendir(ALDIS_CORPUS);
    CHECK(directory != NULL);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_name[0] == '.')
            continue;
        replay(entry->d_name);
        count++;
    }
    closedir(directory);
    CHECK(count >= 50);
}
