// SPDX-License-Identifier: Apache-2.0
/* limits_text.c: says what the limits of a scenario mean, and warns of those that mean little. See
 * space.h. */
#include "bounds.h"
#include "scenario_parts.h"

#include <inttypes.h>

/* Of the library: see aldis_mailbox_opts. */
enum { CAPACITY = 1024, CAPACITY_BYTES = 1 << 20 };

static const char *const kind_names[SCENARIO_ACTORS] = {
    [ACTOR_SHIP] = "ship", [ACTOR_STATION] = "station", [ACTOR_RESCUE] = "rescue"};

static const char *time_text(aldis_ns ns, char out[32])
{
    return schema_amount(VALUE_TIME, (double)ns * 1e-9, out, 32);
}

/* Whole KiB as such: capacities are mostly powers of two. */
static const char *bytes_text(uint64_t bytes, char out[32])
{
    if (bytes % 1024 == 0 || bytes < 1000000)
        return schema_amount(VALUE_BYTES, (double)bytes, out, 32);
    snprintf(out, 32, "%.4g MB", (double)bytes * 1e-6);
    return out;
}

/* What becomes of one message more than there is room for. */
static const char *policy_text(aldis_overflow_policy policy)
{
    switch (policy) {
    case ALDIS_POLICY_DEFAULT:
    case ALDIS_WAIT:
        return "; who sends one more is held up";
    case ALDIS_REJECT:
        return "; one more is rejected";
    case ALDIS_DROP_NEWEST:
        return "; one more is dropped";
    case ALDIS_DROP_OLDEST:
        return "; for one more the oldest is dropped";
    case ALDIS_KEEP_NEWEST:
        return "; one more replaces those of its type";
    case ALDIS_UNBOUNDED:
        break;
    }
    return "";
}

static void print_mailbox(const struct scenario_mailbox *box, const aldis_mailbox_opts *opts,
                          FILE *out)
{
    char text[32];
    if (opts->policy == ALDIS_UNBOUNDED)
        fprintf(out, "as many messages as come");
    else
        fprintf(out, "%u messages, %s", opts->capacity_msgs > 0 ? opts->capacity_msgs : CAPACITY,
                bytes_text(opts->capacity_bytes > 0 ? opts->capacity_bytes : CAPACITY_BYTES, text));
    fputs(policy_text(opts->policy), out);
    if (box->handling_ns > 0)
        fprintf(out, "; each takes %s, so %.4g a second at the most",
                time_text(box->handling_ns, text), 1e9 / (double)box->handling_ns);
    if (box->shed_target_ns > 0)
        fprintf(out, "; under load what has waited %s is dropped",
                time_text(box->shed_target_ns, text));
    fputc('\n', out);
}

static void print_mailboxes(const struct scenario *scenario, const char *path, FILE *out)
{
    aldis_behaviour kinds[SCENARIO_ACTORS];
    static const struct scenario_mailbox none;
    bounds_make_kinds(&scenario->limits, kinds);
    for (uint32_t i = 0; i < SCENARIO_ACTORS; i++) {
        const struct scenario_mailbox *box = &scenario->limits.mailbox.of[i];
        if (memcmp(box, &none, sizeof none) == 0 ||
            (i == ACTOR_RESCUE && scenario->rescue.tugs == 0))
            continue;
        fprintf(out, "%s: limits.mailbox.%s: ", path, kind_names[i]);
        print_mailbox(box, &kinds[i].mailbox, out);
    }
}

void scenario_limits_print(const struct scenario *scenario, const char *path, FILE *out)
{
    const struct scenario_limits *limits = &scenario->limits;
    const struct scenario_rate *rate = &limits->docking_rate;
    char text[32];
    print_mailboxes(scenario, path, out);
    if (limits->memory > 0)
        fprintf(out, "%s: limits.memory: %s for all actors and messages\n", path,
                bytes_text(limits->memory, text));
    if (rate->requests > 0)
        fprintf(out,
                "%s: limits.docking_rate: each station takes in %u requests in %s, %u of them at "
                "once; one more is put off\n",
                path, rate->requests, time_text(rate->per_ns, text), rate->burst);
    if (limits->docking_credit.total > 0)
        fprintf(out,
                "%s: limits.docking_credit: %u ships at a time may ask, wait or be in a berth at "
                "one station; others are held back\n",
                path, limits->docking_credit.total);
}

/* ---- Warnings ---- */

static uint32_t berths_of(const struct scenario_station *station)
{
    return station->berths + station->large_berths;
}

/* Ships a second, should one come as soon as another leaves. */
static double serves(const struct scenario_station *station)
{
    return berths_of(station) / ((double)(station->service_ns + station->approach_ns) * 1e-9);
}

static uint32_t warn_of_mailboxes(const struct scenario *scenario, const char *path, FILE *out)
{
    for (uint32_t i = 0; i < SCENARIO_ACTORS; i++)
        if (scenario->limits.mailbox.of[i].handling_ns > 0)
            return 0;
    if (!bounds_have_mailboxes(&scenario->limits))
        return 0;
    scenario_warning_begin(path, scenario->limits.line, out);
    fputs("limits.mailbox: without a `handling` a message takes no time, so in virtual time none "
          "waits, and no bound bites\n",
          out);
    return 1;
}

/* Of the stations for which the rate or the credit is too small, the one for which it is most. */
static uint32_t warn_of_docking(const struct scenario *scenario, const char *path, FILE *out)
{
    const struct scenario_limits *limits = &scenario->limits;
    const struct scenario_station *most = scenario->stations.items, *fastest = most;
    double per_s = (double)limits->docking_rate.per_ns * 1e-9;
    uint32_t warnings = 0;
    for (uint32_t i = 1; i < scenario->stations.count; i++) {
        const struct scenario_station *station = &scenario->stations.items[i];
        most = berths_of(station) > berths_of(most) ? station : most;
        fastest = serves(station) > serves(fastest) ? station : fastest;
    }
    if (limits->docking_rate.requests > 0 &&
        limits->docking_rate.requests < serves(fastest) * per_s) {
        char text[32];
        scenario_warning_begin(path, limits->line, out);
        fprintf(out, "limits.docking_rate: %u requests in %s; \"%s\" could serve %.3g ships\n",
                limits->docking_rate.requests, time_text(limits->docking_rate.per_ns, text),
                fastest->name, serves(fastest) * per_s);
        warnings++;
    }
    if (limits->docking_credit.total > 0 && limits->docking_credit.total < berths_of(most)) {
        scenario_warning_begin(path, limits->line, out);
        fprintf(out, "limits.docking_credit: %u ships at a time; \"%s\" has %u berths\n",
                limits->docking_credit.total, most->name, berths_of(most));
        warnings++;
    }
    return warnings;
}

uint32_t limits_warnings_print(const struct scenario *scenario, const char *path, FILE *out)
{
    if (!scenario->limits.given)
        return 0;
    return warn_of_mailboxes(scenario, path, out) + warn_of_docking(scenario, path, out);
}
