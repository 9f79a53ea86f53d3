// SPDX-License-Identifier: Apache-2.0
/* report.c: prints what a run did. See space.h. */
#include "space.h"

#include <inttypes.h>
#include <string.h>

const char *space_end_name(aldis_run_end end_reason)
{
    switch (end_reason) {
    case ALDIS_RUN_UNTIL:
        return "until";
    case ALDIS_RUN_IDLE:
        return "idle";
    case ALDIS_RUN_HALTED:
        return "halted";
    case ALDIS_RUN_LOOP:
        return "loop";
    case ALDIS_RUN_LAG:
        return "lag";
    }
    return "unknown";
}

/* The same for people. */
static const char *end_text(aldis_run_end end_reason)
{
    switch (end_reason) {
    case ALDIS_RUN_UNTIL:
        return "time is up";
    case ALDIS_RUN_IDLE:
        return "nothing is left to happen";
    case ALDIS_RUN_HALTED:
        return "ended before its time";
    case ALDIS_RUN_LOOP:
        return "messages go round";
    case ALDIS_RUN_LAG:
        return "too far behind";
    }
    return "nobody knows why";
}

#define STATE_NAME(name) #name,
static const char *const state_names[] = {SPACE_SHIP_STATES(STATE_NAME)};
#undef STATE_NAME

/* ---- For people: no line is longer than 80 columns, as long as the figures are not ---- */

enum { MANY_SHIPS = 10000 };

static double seconds(aldis_ns ns)
{
    return (double)ns * 1e-9;
}

static void print_pace(const aldis_pace_report *p, FILE *out)
{
    fprintf(out,
            "behind the wall clock p50 %.1f ms, p99 %.1f ms, max %.1f ms of %" PRIu64
            " windows\ninputs %" PRIu64 ", refused %" PRIu64 "\n",
            (double)p->lag_ns_p50 * 1e-6, (double)p->lag_ns_p99 * 1e-6,
            (double)p->lag_ns_max * 1e-6, p->windows, p->inputs, p->refused);
}

static void print_memory(const struct space_report *r, FILE *out)
{
    uint64_t ships = 0;
    for (uint32_t i = 0; i < SPACE_SHIP_STATE_COUNT; i++)
        ships += r->ships[i];
    fprintf(out, "memory %.1f MB at the most, %.1f MB expected", (double)r->bytes_peak * 1e-6,
            (double)r->bytes_needed * 1e-6);
    if (ships >= MANY_SHIPS) /* with few, all the rest is more */
        fprintf(out, "; %" PRIu64 " bytes a ship", r->bytes_peak / ships);
    fputc('\n', out);
}

static void print_head(const struct space_report *r, FILE *out)
{
    aldis_ns s = r->virtual_ns / ALDIS_SECOND;
    fprintf(out,
            "%s: %" PRId64 " h %02" PRId64 " min %02" PRId64
            " s of %s time in %.3f s, end: %s (%s)\n",
            r->scenario, s / 3600, s / 60 % 60, s % 60, r->live ? "wall" : "virtual", r->wall_s,
            space_end_name(r->end_reason), end_text(r->end_reason));
    fprintf(out, "seed %" PRIu64 ", workers %u, shards %u, run print ", r->seed, r->workers,
            r->shards);
    if (r->live)
        fprintf(out, "none (live)\n");
    else
        fprintf(out, "%016" PRIx64 "\n", r->run_print);
    if (r->paced)
        print_pace(&r->pace, out);
    if (r->bytes_peak > 0)
        print_memory(r, out);
    fputc('\n', out);
}

static void print_ships(const struct space_report *r, FILE *out)
{
    uint64_t all = 0;
    for (uint32_t i = 0; i < SPACE_SHIP_STATE_COUNT; i++)
        all += r->ships[i];
    fprintf(out, "%-20s  all %" PRIu64 "\n", "ships", all);
    for (uint32_t i = 0; i < SPACE_SHIP_STATE_COUNT; i++)
        fprintf(out, "  %s %" PRIu64, state_names[i], r->ships[i]);
    fputc('\n', out);
    fprintf(out, "%-20s  %" PRIu64 ", refused %" PRIu64 "\n", "dockings", r->dockings, r->refusals);
    if (r->near_misses > 0)
        fprintf(out, "%-20s  %" PRIu64 "\n", "near misses", r->near_misses);
    if (r->near_misses_left_out > 0)
        fprintf(out, "%-20s  %" PRIu64 " courses or pairs, for lack of room\n", "not looked at",
                r->near_misses_left_out);
    fprintf(out, "%-20s  p50 %.1f s, p99 %.1f s, max %.1f s\n", "waits for a berth",
            seconds(r->waits.p50_ns), seconds(r->waits.p99_ns), seconds(r->waits.max_ns));
    fprintf(out, "%-20s  p50 %.1f s, p99 %.1f s, max %.1f s\n\n", "estimates off by",
            seconds(r->wait_errors.p50_ns), seconds(r->wait_errors.p99_ns),
            seconds(r->wait_errors.max_ns));
}

static void print_stations(const struct space_report *r, FILE *out)
{
    fprintf(out, "%-20s  %10s  %12s\n", "station", "dockings", "mean wait");
    for (uint32_t i = 0; i < r->station_count; i++)
        fprintf(out, "%-20s  %10" PRIu64 "  %10.1f s\n", r->stations[i].name,
                r->stations[i].dockings, seconds(r->stations[i].wait_mean_ns));
    fputc('\n', out);
}

static void print_limits(const struct space_limits_report *l, FILE *out)
{
    if (l->mailboxes)
        fprintf(out,
                "%-20s  dropped %" PRIu64 " (%" PRIu64 " had waited too long%s), rejected %" PRIu64
                "\n",
                "mailboxes", l->dropped, l->shed, l->faults ? "; faults included" : "",
                l->rejected);
    if (l->mailboxes && l->parked > 0)
        fprintf(out, "%-20s  %" PRIu64 " times a sender had to wait\n", "", l->parked);
    if (l->memory_max > 0)
        fprintf(out, "%-20s  %.1f MB of %.1f MB at most, refused %" PRIu64 " times\n", "memory",
                (double)l->memory_peak / 1e6, (double)l->memory_max / 1e6, l->memory_refusals);
    if (l->rate)
        fprintf(out, "%-20s  refused %" PRIu64 " requests\n", "docking rate", l->over_rate);
    if (l->credit)
        fprintf(out, "%-20s  %" PRIu64 " held back for p50 %.1f s, p99 %.1f s, max %.1f s\n",
                "docking credit", l->holds.count, seconds(l->holds.p50_ns),
                seconds(l->holds.p99_ns), seconds(l->holds.max_ns));
    if (l->given)
        fputc('\n', out);
}

static void print_type(const aldis_type_stats *t, const char *name, FILE *out)
{
    fprintf(out,
            "%-20s %9" PRIu64 " %9" PRIu64 " %8" PRIu64 " %7" PRIu64 " %7" PRIu64 " %6" PRIu64
            " %6" PRIu64 "\n",
            name, t->sent, t->handled, t->rejected, t->dropped, t->expired, t->dead, t->queued);
}

static void print_text(const struct space_report *r, FILE *out)
{
    print_head(r, out);
    print_ships(r, out);
    print_stations(r, out);
    print_limits(&r->limits, out);
    fprintf(out, "%-20s %9s %9s %8s %7s %7s %6s %6s\n", "message", "sent", "handled", "rejected",
            "dropped", "expired", "dead", "queued");
    for (size_t i = 0; i < r->stats.type_count; i++)
        if (r->stats.types[i].sent > 0)
            print_type(&r->stats.types[i], r->stats.types[i].name, out);
    print_type(&r->stats.total, "all", out);
    fprintf(out, "\naudit: %s\nbalance: %s\n", r->audit.text,
            r->balance[0] ? r->balance : "not looked at");
}

/* ---- For programs ---- */

static void print_string(const char *text, FILE *out)
{
    fputc('"', out);
    for (const char *at = text; *at; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte == '"' || byte == '\\')
            fprintf(out, "\\%c", byte);
        else if (byte < 0x20)
            fprintf(out, "\\u%04x", byte);
        else
            fputc(byte, out);
    }
    fputc('"', out);
}

static void print_times(const char *name, const struct space_times *times, FILE *out)
{
    fprintf(out,
            ",\"%s\":{\"count\":%" PRIu64 ",\"p50_ns\":%" PRId64 ",\"p99_ns\":%" PRId64
            ",\"max_ns\":%" PRId64 "}",
            name, times->count, times->p50_ns, times->p99_ns, times->max_ns);
}

/* What the ships and stations did. */
static void print_traffic(const struct space_report *r, FILE *out)
{
    fprintf(out, ",\"ships\":{");
    for (uint32_t i = 0; i < SPACE_SHIP_STATE_COUNT; i++)
        fprintf(out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "", state_names[i], r->ships[i]);
    fprintf(out, "},\"dockings\":%" PRIu64 ",\"refusals\":%" PRIu64 ",\"near_misses\":%" PRIu64,
            r->dockings, r->refusals, r->near_misses);
    fprintf(out, ",\"near_misses_left_out\":%" PRIu64, r->near_misses_left_out);
    print_times("waits", &r->waits, out);
    print_times("estimates_off_by", &r->wait_errors, out);
    fprintf(out, ",\"stations\":[");
    for (uint32_t i = 0; i < r->station_count; i++) {
        fprintf(out, "%s{\"name\":", i > 0 ? "," : "");
        print_string(r->stations[i].name, out);
        fprintf(out, ",\"dockings\":%" PRIu64 ",\"wait_mean_ns\":%" PRId64 "}",
                r->stations[i].dockings, r->stations[i].wait_mean_ns);
    }
    fputc(']', out);
}

/* Those that the scenario has. */
static void print_json_limits(const struct space_limits_report *l, FILE *out)
{
    const char *comma = "";
    fprintf(out, ",\"limits\":{");
    if (l->mailboxes) {
        fprintf(out,
                "\"mailbox\":{\"dropped\":%" PRIu64 ",\"shed\":%" PRIu64 ",\"rejected\":%" PRIu64
                ",\"parked\":%" PRIu64 "}",
                l->dropped, l->shed, l->rejected, l->parked);
        comma = ",";
    }
    if (l->rate) {
        fprintf(out, "%s\"docking_rate\":{\"refused\":%" PRIu64 "}", comma, l->over_rate);
        comma = ",";
    }
    if (l->credit) {
        fprintf(out,
                "%s\"docking_credit\":{\"held\":%" PRIu64 ",\"p50_ns\":%" PRId64
                ",\"p99_ns\":%" PRId64 ",\"max_ns\":%" PRId64 "}",
                comma, l->holds.count, l->holds.p50_ns, l->holds.p99_ns, l->holds.max_ns);
        comma = ",";
    }
    if (l->memory_max > 0)
        fprintf(out,
                "%s\"memory\":{\"max_bytes\":%" PRIu64 ",\"peak_bytes\":%" PRIu64
                ",\"refused\":%" PRIu64 "}",
                comma, l->memory_max, l->memory_peak, l->memory_refusals);
    fputc('}', out);
}

static void print_json(const struct space_report *r, FILE *out)
{
    if (r->live)
        fprintf(out, "{\"run_print\":null");
    else
        fprintf(out, "{\"run_print\":\"%016" PRIx64 "\"", r->run_print);
    fprintf(out,
            ",\"seed\":%" PRIu64 ",\"workers\":%u,\"shards\":%u,\"virtual_ns\":%" PRId64
            ",\"wall_s\":%.6f",
            r->seed, r->workers, r->shards, r->virtual_ns, r->wall_s);
    fprintf(out, ",\"scenario\":");
    print_string(r->scenario, out);
    print_traffic(r, out);
    fprintf(out, ",\"messages\":{");
    for (size_t i = 0; i < r->stats.type_count; i++) {
        const aldis_type_stats *t = &r->stats.types[i];
        if (i > 0)
            fputc(',', out);
        print_string(t->name, out);
        fprintf(out,
                ":{\"sent\":%" PRIu64 ",\"handled\":%" PRIu64 ",\"rejected\":%" PRIu64
                ",\"dropped\":%" PRIu64 ",\"expired\":%" PRIu64 ",\"dead\":%" PRIu64
                ",\"queued\":%" PRIu64 "}",
                t->sent, t->handled, t->rejected, t->dropped, t->expired, t->dead, t->queued);
    }
    fprintf(out, "},\"audit\":");
    print_string(r->audit.text, out);
    fprintf(out, ",\"balance\":");
    if (r->balance[0])
        print_string(r->balance, out);
    else
        fprintf(out, "null");
    if (r->paced)
        fprintf(out,
                ",\"pace\":{\"windows\":%" PRIu64 ",\"lag_ns_p50\":%" PRId64
                ",\"lag_ns_p99\":%" PRId64 ",\"lag_ns_max\":%" PRId64 ",\"inputs\":%" PRIu64
                ",\"refused\":%" PRIu64 "}",
                r->pace.windows, r->pace.lag_ns_p50, r->pace.lag_ns_p99, r->pace.lag_ns_max,
                r->pace.inputs, r->pace.refused);
    if (r->limits.given)
        print_json_limits(&r->limits, out);
    fprintf(out, ",\"end_reason\":");
    print_string(space_end_name(r->end_reason), out);
    fprintf(out, ",\"bytes_needed\":%" PRIu64 ",\"bytes_peak\":%" PRIu64 "}\n", r->bytes_needed,
            r->bytes_peak);
}

aldis_err space_report_print(const struct space_report *report, FILE *out,
                             enum space_report_format format)
{
    switch (format) {
    case SPACE_TEXT:
        print_text(report, out);
        break;
    case SPACE_JSON:
        print_json(report, out);
        break;
    }
    return fflush(out) == 0 && !ferror(out) ? ALDIS_OK : ALDIS_EIO;
}
