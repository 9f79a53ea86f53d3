// SPDX-License-Identifier: Apache-2.0
/* bounds.c: see bounds.h. */
#include "bounds.h"

#include <inttypes.h>
#include <string.h>

/* What the scenario does not say stays as the kind has it. */
static void bound(aldis_mailbox_opts *opts, const struct scenario_mailbox *box)
{
    if (box->capacity > 0)
        opts->capacity_msgs = box->capacity;
    if (box->bytes > 0)
        opts->capacity_bytes = (uint32_t)box->bytes;
    if (box->policy != ALDIS_POLICY_DEFAULT)
        opts->policy = (aldis_overflow_policy)box->policy;
    if (box->shed_target_ns > 0)
        opts->shed_target_ns = box->shed_target_ns;
    if (box->shed_interval_ns > 0)
        opts->shed_interval_ns = box->shed_interval_ns;
}

void bounds_make_kinds(const struct scenario_limits *limits, aldis_behaviour out[SCENARIO_ACTORS])
{
    static const aldis_behaviour *const kinds[SCENARIO_ACTORS] = {
        [ACTOR_SHIP] = &ship_behaviour,
        [ACTOR_STATION] = &station_behaviour,
        [ACTOR_RESCUE] = &rescue_behaviour};
    for (uint32_t i = 0; i < SCENARIO_ACTORS; i++) {
        out[i] = *kinds[i];
        bound(&out[i].mailbox, &limits->mailbox.of[i]);
    }
}

bool bounds_have_mailboxes(const struct scenario_limits *limits)
{
    static const struct scenario_mailbox none;
    for (uint32_t i = 0; i < SCENARIO_ACTORS; i++)
        if (memcmp(&limits->mailbox.of[i], &none, sizeof none) != 0)
            return true;
    return false;
}

/* The runtime's own messages no mailbox refuses. What is dropped of them are confirmations that
 * nobody waits for any more. */
static bool is_ours(const aldis_type_stats *type)
{
    return strncmp(type->name, "aldis", 5) != 0;
}

aldis_err bounds_drain(aldis_system *system, aldis_stats *seen, FILE *out)
{
    aldis_stats now;
    aldis_err err = aldis_system_stats(system, &now);
    if (err != ALDIS_OK)
        return err;
    for (size_t i = 0; i < now.type_count; i++) {
        static const aldis_type_stats none;
        const aldis_type_stats *type = &now.types[i];
        const aldis_type_stats *before = aldis_stats_type(seen, type->name);
        if (!before)
            before = &none;
        uint64_t dropped = type->dropped - before->dropped;
        uint64_t rejected = type->rejected - before->rejected;
        if (is_ours(type) && dropped + rejected > 0)
            fprintf(out,
                    "{\"at_ns\":%" PRId64 ",\"event\":\"limited\",\"actor\":\"mailboxes\","
                    "\"message\":\"%s\",\"dropped\":%" PRIu64 ",\"rejected\":%" PRIu64 "}\n",
                    aldis_system_now(system), type->name, dropped, rejected);
    }
    if (now.memory_refusals > seen->memory_refusals)
        fprintf(out,
                "{\"at_ns\":%" PRId64 ",\"event\":\"limited\",\"actor\":\"memory\","
                "\"refused\":%" PRIu64 "}\n",
                aldis_system_now(system), now.memory_refusals - seen->memory_refusals);
    aldis_stats_fini(seen);
    *seen = now;
    return ALDIS_OK;
}

void bounds_report(const struct scenario_limits *limits, struct space_report *report)
{
    struct space_limits_report *out = &report->limits;
    const aldis_stats *stats = &report->stats;
    *out = (struct space_limits_report){.given = limits->given,
                                        .mailboxes = bounds_have_mailboxes(limits),
                                        .parked = stats->parked,
                                        .rate = limits->docking_rate.requests > 0,
                                        .credit = limits->docking_credit.total > 0,
                                        .memory_max = limits->memory,
                                        .memory_peak = stats->memory_peak_bytes,
                                        .memory_refusals = stats->memory_refusals};
    for (size_t i = 0; i < stats->type_count; i++) {
        if (!is_ours(&stats->types[i]))
            continue;
        out->dropped += stats->types[i].dropped;
        out->rejected += stats->types[i].rejected;
    }
    for (size_t i = 0; i < sizeof stats->shed / sizeof stats->shed[0]; i++)
        out->shed += stats->shed[i];
}
