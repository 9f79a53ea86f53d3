// SPDX-License-Identifier: Apache-2.0
/* log.c: the log hook of the process. Layer: base. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

int aldis__log_level_max;
static aldis_log_fn hook;
static void *hook_arg;

void aldis_log_set(aldis_log_fn fn, void *arg, aldis_log_level level)
{
    hook = fn;
    hook_arg = arg;
    aldis__log_level_max = fn ? (int)level : 0;
}

void aldis__log_line(aldis_log_level level, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (length >= 0 && hook)
        hook(hook_arg, level, line);
}
