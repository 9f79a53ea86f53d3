// SPDX-License-Identifier: Apache-2.0
/* report.c: see report.h. Layer: core. */
#include "core/report.h"

#include "base/error.h"
#include "base/log.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* One line for a type of which anything was dropped since `before`. */
static void report_type(FILE *out, const aldis_type_stats *after, const aldis_type_stats *before)
{
    static const aldis_type_stats none;
    const aldis_type_stats *b = before ? before : &none;
    uint64_t dead = after->dead - b->dead, rejected = after->rejected - b->rejected;
    uint64_t dropped = after->dropped - b->dropped, expired = after->expired - b->expired;
    if (dead + rejected + dropped + expired == 0 || strncmp(after->name, "aldis.", 6) == 0)
        return;
    fprintf(out,
            "%s: %" PRIu64 " dead, %" PRIu64 " rejected, %" PRIu64 " dropped, %" PRIu64
            " expired\n",
            after->name, dead, rejected, dropped, expired);
}

static void log_lines(char *text)
{
    for (char *next, *line = text; *line; line = next) {
        next = line + strcspn(line, "\n");
        aldis__log(ALDIS_LOG_WARN, "stop: %.*s", (int)(next - line), line);
        next += *next == '\n';
    }
}

void aldis__report_stop(aldis_system *system, const aldis_stats *before, uint64_t killed)
{
    aldis_stats after;
    char *text = NULL;
    size_t size = 0;
    if (!before || aldis_system_stats(system, &after) != ALDIS_OK)
        return; /* no memory to count with: the figures are in the statistics still */
    FILE *out = open_memstream(&text, &size);
    if (out) {
        for (size_t i = 0; i < after.type_count; i++)
            report_type(out, &after.types[i], aldis_stats_type(before, after.types[i].name));
        if (killed)
            fprintf(out, "%" PRIu64 " actors had not ended in time and were killed\n", killed);
        fclose(out);
    }
    aldis_stats_fini(&after);
    if (text)
        log_lines(text);
    aldis__system_lock(system);
    free(system->stop_report);
    system->stop_report = text;
    aldis__system_unlock(system);
}

aldis_err aldis_system_stop_report(aldis_system *system, FILE *out)
{
    aldis_err err = aldis__system_check_outside(system, "stop_report");
    if (err != ALDIS_OK)
        return err;
    if (!out)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "stop_report: out is NULL");
    aldis__system_lock(system);
    const char *text = system->stop_report;
    bool stopped = text != NULL;
    if (stopped)
        fputs(*text ? text : "nothing was dropped\n", out);
    aldis__system_unlock(system);
    if (!stopped)
        return aldis__error_set(ALDIS_ESTATE, aldis_nobody(), "",
                                "stop_report: the system has not been stopped");
    if (fflush(out) != 0 || ferror(out))
        return aldis__error_set(ALDIS_EIO, aldis_nobody(), "", "stop_report: writing failed");
    return ALDIS_OK;
}
