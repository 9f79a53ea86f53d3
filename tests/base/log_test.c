// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

#include "base/log.h"

struct sink {
    int lines;
    aldis_log_level level;
    char line[1024];
};

static void keep(void *arg, aldis_log_level level, const char *line)
{
    struct sink *sink = arg;
    sink->lines++;
    sink->level = level;
    snprintf(sink->line, sizeof sink->line, "%s", line);
}

static int evaluated;

static int evaluate(void)
{
    return ++evaluated;
}

TEST(log_is_silent_by_default_and_evaluates_nothing)
{
    evaluated = 0;
    aldis__log(ALDIS_LOG_ERROR, "%d", evaluate());
    CHECK_INT(evaluated, 0);
}

TEST(log_hook_gets_its_level_and_what_is_more_important)
{
    struct sink sink = {0};
    aldis_log_set(keep, &sink, ALDIS_LOG_WARN);
    aldis__log(ALDIS_LOG_ERROR, "worker %d: %s", 3, "stuck");
    CHECK_INT(sink.lines, 1);
    CHECK_INT(sink.level, ALDIS_LOG_ERROR);
    CHECK_STR(sink.line, "worker 3: stuck");
    aldis__log(ALDIS_LOG_WARN, "w");
    CHECK_INT(sink.lines, 2);
    aldis__log(ALDIS_LOG_INFO, "i");
    aldis__log(ALDIS_LOG_DEBUG, "d");
    CHECK_INT(sink.lines, 2);
    aldis_log_set(NULL, NULL, ALDIS_LOG_DEBUG);
    aldis__log(ALDIS_LOG_ERROR, "gone");
    CHECK_INT(sink.lines, 2);
}

TEST(log_line_that_is_too_long_is_cut)
{
    struct sink sink = {0};
    aldis_log_set(keep, &sink, ALDIS_LOG_DEBUG);
    aldis__log(ALDIS_LOG_DEBUG, "%0900d", 1);
    aldis_log_set(NULL, NULL, ALDIS_LOG_ERROR);
    CHECK_UINT(strlen(sink.line), 511);
}
