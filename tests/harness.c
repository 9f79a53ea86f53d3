// SPDX-License-Identifier: Apache-2.0
/* harness.c: runs the registered cases in the order of the file and prints TAP. See harness.h. */
#include "harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

enum outcome { PASSED, FAILED, SKIPPED };

static struct test_case *first_case, **last_link = &first_case;
static jmp_buf case_end;
static const char *skip_reason;

void test_register(struct test_case *test)
{
    *last_link = test;
    last_link = &test->next;
}

void test_fail(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("# %s:%d: ", file, line);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    longjmp(case_end, FAILED);
}

void test_skip(const char *reason)
{
    skip_reason = reason;
    longjmp(case_end, SKIPPED);
}

static int run_case(const struct test_case *test, int number)
{
    int outcome = setjmp(case_end);
    if (outcome == PASSED)
        test->run();
    printf("%s %d - %s", outcome == FAILED ? "not ok" : "ok", number, test->name);
    if (outcome == SKIPPED)
        printf(" # SKIP %s", skip_reason);
    putchar('\n');
    fflush(stdout);
    return outcome == FAILED;
}

int main(int argc, char **argv)
{
    const char *only = argc > 1 ? argv[1] : NULL;
    int count = 0, failed = 0;
    if (only && strcmp(only, "--list") == 0) {
        for (const struct test_case *t = first_case; t; t = t->next)
            puts(t->name);
        return 0;
    }
    for (const struct test_case *t = first_case; t; t = t->next)
        if (!only || strcmp(only, t->name) == 0)
            failed += run_case(t, ++count);
    printf("1..%d\n", count);
    if (count == 0)
        fprintf(stderr, "no case is named %s; --list names them\n", only ? only : "(none)");
    return failed || count == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
