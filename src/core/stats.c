// SPDX-License-Identifier: Apache-2.0
/* stats.c: counting everything, and the audit. Layer: core.
 *
 * Counters have one writer each, its worker; they are added up while the workers are held. What is
 * queued is counted by walking to every place where a message can be, never as a difference: that
 * is what makes the audit a proof. */
#include <aldis/stats.h>

#include "base/error.h"
#include "core/control.h"
#include "core/cycle.h"
#include "core/live.h"
#include "core/memory.h"
#include "core/send.h"
#include "core/supervise.h"
#include "core/system.h"
#include "core/timer.h"
#include "core/virtual.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ the walk */

struct visitor {
    void (*visit)(void *arg, struct aldis__msg *msg);
    void *arg;
};

static void walk_list(const struct visitor *v, struct aldis__msg *msg)
{
    for (; msg; msg = msg->next)
        v->visit(v->arg, msg);
}

static void walk_cell(const struct visitor *v, struct aldis__cell *cell)
{
    walk_list(v, cell->head);
    struct aldis__cell_ext *ext = cell->ext;
    if (!ext)
        return;
    for (unsigned rank = 0; rank < ALDIS__RANK_COUNT; rank++)
        if (rank != ALDIS__RANK_NORMAL)
            walk_list(v, ext->lanes[rank].head);
    walk_list(v, ext->held.head);
    walk_list(v, ext->stash.head);
    walk_list(v, ext->aside.head);
    if (ext->life)
        walk_list(v, ext->life->retry);
    for (uint32_t i = 0; i < ext->overflow_count; i++)
        walk_list(v, ext->overflow[i].queue.head);
}

static void walk_cells(aldis_system *system, const struct visitor *v)
{
    for (uint32_t birth = 0; birth <= system->shard_count; birth++)
        for (uint32_t slot = 0; slot < system->shards[birth].slot_end; slot++)
            walk_cell(v, aldis__system_cell(system, (uint64_t)birth << ALDIS__SLOT_BITS | slot));
}

static struct aldis__msg *inbox_peek(struct aldis__inbox *inbox)
{
    /* N1 acquire: pairs with I1 in aldis__inbox_push(). The workers are held: nobody takes. */
    return (struct aldis__msg *)(uintptr_t)(aldis__load_acquire(&inbox->head) &
                                            ALDIS__INBOX_POINTER);
}

void aldis__system_walk(aldis_system *system, void (*visit)(void *arg, struct aldis__msg *msg),
                        void *arg)
{
    struct visitor v = {visit, arg};
    for (uint32_t i = 0; i < system->shard_count; i++) {
        walk_list(&v, inbox_peek(&system->shards[i].inbox));
        aldis__timers_walk(&system->shards[i], visit, arg);
        if (system->virtual_time)
            aldis__vqueue_walk(&system->shards[i].future, visit, arg);
        for (uint32_t w = 0; w < system->worker_count; w++)
            if (system->workers[w].out[i].count)
                walk_list(&v, system->workers[w].out[i].newest);
    }
    walk_cells(system, &v);
}

/* ------------------------------------------------------------------ snapshot */

static void count_queued(void *arg, struct aldis__msg *msg)
{
    aldis_type_stats *types = arg;
    types[msg->type].queued++;
}

static void add_counts(aldis_type_stats *to, const aldis_type_stats *from)
{
    to->sent += from->sent;
    to->handled += from->handled;
    to->failed += from->failed;
    to->rejected += from->rejected;
    to->dropped += from->dropped;
    to->expired += from->expired;
    to->dead += from->dead;
    to->queued += from->queued;
}

/* By type index, queued included; the workers are held. */
static void count_types(aldis_system *system, aldis_type_stats *types, uint32_t count)
{
    for (uint32_t t = 1; t < count; t++) {
        types[t].name = aldis__type_info(t)->name;
        add_counts(&types[t], &system->outside_counts[t]);
        for (uint32_t w = 0; w < system->worker_count; w++)
            add_counts(&types[t], &system->workers[w].counts[t]);
    }
    aldis__system_walk(system, count_queued, types);
}

static void count_shards(aldis_system *system, aldis_stats *stats)
{
    for (uint32_t i = 0; i < system->shard_count; i++)
        stats->shards[i].actors = system->shards[i].actors;
    for (uint32_t birth = 0; birth <= system->shard_count; birth++)
        for (uint32_t slot = 0; slot < system->shards[birth].slot_end; slot++) {
            uint64_t index = (uint64_t)birth << ALDIS__SLOT_BITS | slot;
            uint64_t word = aldis__directory_read(&system->directory[index]);
            struct aldis__cell *cell = aldis__system_cell(system, index);
            if (cell->depth > 0)
                stats->shards[aldis__word_home(word)].depth_msgs += (uint64_t)cell->depth;
        }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const aldis_type_stats *)a)->name, ((const aldis_type_stats *)b)->name);
}

static void total(aldis_stats *stats)
{
    stats->total.name = "total";
    for (size_t i = 0; i < stats->type_count; i++)
        add_counts(&stats->total, &stats->types[i]);
    stats->failed_deliveries =
        stats->total.rejected + stats->total.dropped + stats->total.expired + stats->total.dead;
}

static aldis_err no_memory(void)
{
    return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "statistics");
}

aldis_err aldis_system_stats(aldis_system *system, aldis_stats *out_stats)
{
    aldis_err err = aldis__system_check_outside(system, "stats");
    if (err != ALDIS_OK)
        return err;
    if (!out_stats)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "stats: out_stats is NULL");
    aldis_stats stats = {0};
    aldis_type_stats *types = calloc(ALDIS__TYPES_MAX, sizeof *types);
    stats.shards = calloc(system->shard_count, sizeof *stats.shards);
    if (!types || !stats.shards) {
        free(types);
        free(stats.shards);
        return no_memory();
    }
    aldis__system_hold(system);
    uint32_t count = aldis__type_count();
    if (count == 0)
        count = 1; /* not even the runtime's own are known yet */
    count_types(system, types, count);
    count_shards(system, &stats);
    stats.active_actors = aldis__system_actors(system);
    for (uint32_t i = 0; i <= system->shard_count; i++) {
        stats.spawned += system->shards[i].spawned;
        stats.restarts += system->shards[i].restarts;
        stats.ended += system->shards[i].ended;
    }
    stats.cycles = aldis__cycles_found(system);
    for (uint32_t w = 0; w < system->worker_count; w++) {
        stats.parked += system->workers[w].parked;
        stats.handovers += system->workers[w].handovers;
        stats.memory_refusals += system->workers[w].memory_refusals;
        for (unsigned rank = 0; rank < ALDIS__RANK_COUNT; rank++)
            stats.shed[aldis__rank_lane(rank)] += system->workers[w].shed[rank];
    }
    if (system->memory) {
        /* Relaxed: the workers are held. */
        stats.memory_bytes = aldis__load_relaxed(&system->memory->taken);
        stats.memory_peak_bytes = aldis__load_relaxed(&system->memory->peak);
    }
    /* Relaxed: a counter of the watching thread. */
    stats.over_budget = aldis__load_relaxed(&system->over_budget);
    aldis__system_release(system);
    memmove(types, types + 1, (count - 1) * sizeof *types); /* index 0 is no type */
    stats.types = types;
    stats.type_count = count - 1;
    stats.shard_count = system->shard_count;
    qsort(stats.types, stats.type_count, sizeof *stats.types, by_name);
    total(&stats);
    *out_stats = stats;
    return ALDIS_OK;
}

void aldis_stats_fini(aldis_stats *stats)
{
    if (!stats)
        return;
    free(stats->types);
    free(stats->shards);
    memset(stats, 0, sizeof *stats);
}

const aldis_type_stats *aldis_stats_type(const aldis_stats *stats, const char *name)
{
    for (size_t i = 0; stats && name && i < stats->type_count; i++)
        if (strcmp(stats->types[i].name, name) == 0)
            return &stats->types[i];
    return NULL;
}

/* ------------------------------------------------------------------ printing */

static void print_row(const aldis_type_stats *t, FILE *out)
{
    fprintf(out,
            "%-24s %12" PRIu64 " %12" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64
            " %9" PRIu64 "\n",
            t->name, t->sent, t->handled, t->rejected, t->dropped, t->expired, t->dead, t->queued);
}

static uint64_t shed_in_all(const aldis_stats *stats)
{
    return stats->shed[ALDIS_LANE_HIGH] + stats->shed[ALDIS_LANE_NORMAL] +
           stats->shed[ALDIS_LANE_LOW];
}

static void print_text(const aldis_stats *stats, FILE *out)
{
    fprintf(out, "%-24s %12s %12s %9s %9s %9s %9s %9s\n", "message", "sent", "handled", "rejected",
            "dropped", "expired", "dead", "queued");
    for (size_t i = 0; i < stats->type_count; i++)
        if (stats->types[i].sent)
            print_row(&stats->types[i], out);
    print_row(&stats->total, out);
    fprintf(out,
            "actors %" PRIu64 " (spawned %" PRIu64 ", ended %" PRIu64
            "), failed deliveries %" PRIu64 ", senders parked %" PRIu64 ", cycles %" PRIu64
            ", hand-overs %" PRIu64 ", shed %" PRIu64 "\n",
            stats->active_actors, stats->spawned, stats->ended, stats->failed_deliveries,
            stats->parked, stats->cycles, stats->handovers, shed_in_all(stats));
}

/* Names come from programs: keep the output JSON whatever they hold. */
static void print_json_string(const char *s, FILE *out)
{
    fputc('"', out);
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            fprintf(out, "\\%c", *s);
        else if ((unsigned char)*s < 0x20)
            fprintf(out, "\\u%04x", (unsigned)*s);
        else
            fputc(*s, out);
    }
    fputc('"', out);
}

static void print_json_row(const aldis_type_stats *t, FILE *out)
{
    print_json_string(t->name, out);
    fprintf(out,
            ":{\"sent\":%" PRIu64 ",\"handled\":%" PRIu64 ",\"rejected\":%" PRIu64
            ",\"dropped\":%" PRIu64 ",\"expired\":%" PRIu64 ",\"dead\":%" PRIu64
            ",\"queued\":%" PRIu64 "}",
            t->sent, t->handled, t->rejected, t->dropped, t->expired, t->dead, t->queued);
}

static void print_json(const aldis_stats *stats, FILE *out)
{
    fputs("{\"messages\":{", out);
    for (size_t i = 0, printed = 0; i < stats->type_count; i++) {
        if (!stats->types[i].sent)
            continue;
        if (printed++)
            fputc(',', out);
        print_json_row(&stats->types[i], out);
    }
    fputs("},", out);
    print_json_row(&stats->total, out);
    fprintf(out,
            ",\"failed_deliveries\":%" PRIu64 ",\"active_actors\":%" PRIu64 ",\"spawned\":%" PRIu64
            ",\"ended\":%" PRIu64 ",\"parked\":%" PRIu64 ",\"cycles\":%" PRIu64
            ",\"handovers\":%" PRIu64 ",\"restarts\":%" PRIu64 ",\"over_budget\":%" PRIu64
            ",\"shed\":%" PRIu64 ",\"shards\":[",
            stats->failed_deliveries, stats->active_actors, stats->spawned, stats->ended,
            stats->parked, stats->cycles, stats->handovers, stats->restarts, stats->over_budget,
            shed_in_all(stats));
    for (size_t i = 0; i < stats->shard_count; i++)
        fprintf(out, "%s{\"actors\":%" PRIu64 ",\"depth\":%" PRIu64 "}", i ? "," : "",
                stats->shards[i].actors, stats->shards[i].depth_msgs);
    fputs("]}\n", out);
}

aldis_err aldis_stats_print(const aldis_stats *stats, FILE *out, aldis_stats_format format)
{
    if (!stats || !out)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "stats: an argument is NULL");
    if ((unsigned)format > ALDIS_STATS_JSON)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "stats: format %d", (int)format);
    switch (format) {
    case ALDIS_STATS_TEXT:
        print_text(stats, out);
        break;
    case ALDIS_STATS_JSON:
        print_json(stats, out);
        break;
    }
    if (fflush(out) != 0 || ferror(out))
        return aldis__error_set(ALDIS_EIO, aldis_nobody(), "", "stats: writing failed");
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ audit */

static uint64_t accounted(const aldis_type_stats *t)
{
    return t->handled + t->rejected + t->dropped + t->expired + t->dead + t->queued;
}

aldis_err aldis_system_audit(aldis_system *system, aldis_audit *out_audit)
{
    aldis_audit audit = {true, "balanced"};
    aldis_err err = aldis__system_check_outside(system, "audit");
    if (err != ALDIS_OK)
        return err;
    aldis_type_stats *types = calloc(ALDIS__TYPES_MAX, sizeof *types);
    if (!types)
        return no_memory();
    aldis__system_hold(system);
    uint32_t count = aldis__type_count();
    count_types(system, types, count);
    aldis__system_release(system);
    for (uint32_t i = 1; i < count && audit.balanced; i++) {
        const aldis_type_stats *t = &types[i];
        if (t->sent == accounted(t))
            continue;
        audit.balanced = false;
        snprintf(audit.text, sizeof audit.text,
                 "%s: sent %" PRIu64 " but handled %" PRIu64 " rejected %" PRIu64
                 " dropped %" PRIu64 " expired %" PRIu64 " dead %" PRIu64 " queued %" PRIu64,
                 t->name, t->sent, t->handled, t->rejected, t->dropped, t->expired, t->dead,
                 t->queued);
        err = aldis__error_set(ALDIS_EAUDIT, aldis_nobody(), t->name, "%s", audit.text);
    }
    free(types);
    if (out_audit)
        *out_audit = audit;
    return err;
}

/* ------------------------------------------------------------------ one actor, high water */

aldis_err aldis_system_status(aldis_system *system, aldis_id actor, aldis_status *out_status)
{
    aldis_err err = aldis__system_check_outside(system, "status");
    if (err != ALDIS_OK)
        return err;
    if (!out_status)
        return aldis__error_set(ALDIS_EINVAL, actor, "", "status: out_status is NULL");
    uint64_t place = aldis__id_index(actor, system->node_base);
    if (place >= system->index_limit)
        return aldis__error_set(ALDIS_ENOTFOUND, actor, "", "status: no such actor");
    aldis__system_hold(system);
    uint64_t word = aldis__directory_read(&system->directory[place]);
    if (aldis__word_is_alive(word, actor)) {
        /* Any worker's view of now will do; its clock is at most one round old. */
        struct aldis__worker *worker = &system->workers[0];
        worker->ctx.now_ns = aldis_system_now(system);
        aldis__status_fill(worker, aldis__system_cell(system, place), out_status);
    } else {
        err = aldis__word_has_known(word, actor) ? ALDIS_ESTALE : ALDIS_ENOTFOUND;
    }
    aldis__system_release(system);
    if (err != ALDIS_OK)
        aldis__error_set(err, actor, "", "status: the actor is not there (any more)");
    return err;
}

/* Pushes must look at the depth again from half the mark on. */
static void lower_marks(aldis_system *system, uint32_t high_msgs)
{
    for (uint32_t birth = 0; birth <= system->shard_count; birth++)
        for (uint32_t slot = 0; slot < system->shards[birth].slot_end; slot++) {
            struct aldis__cell *cell =
                aldis__system_cell(system, (uint64_t)birth << ALDIS__SLOT_BITS | slot);
            if (cell->mark >= (int32_t)(high_msgs / 2))
                cell->mark = (int32_t)(high_msgs / 2) - 1;
        }
}

aldis_err aldis_system_on_high_water(aldis_system *system, uint32_t high_msgs,
                                     aldis_high_water_fn fn, void *arg)
{
    aldis_err err = aldis__system_check_outside(system, "on_high_water");
    if (err != ALDIS_OK)
        return err;
    if (high_msgs == 1 || high_msgs > (1u << 30) || (high_msgs && !fn))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "on_high_water: high_msgs is %u, fn %s; allowed: 2 to 2^30 and a "
                                "function, or 0 for off",
                                high_msgs, fn ? "given" : "NULL");
    aldis__system_hold(system);
    system->high_water_fn = fn;
    system->high_water_arg = arg;
    /* Relaxed: the release of the workers orders it. */
    aldis__store_relaxed(&system->high_water, high_msgs);
    if (high_msgs)
        lower_marks(system, high_msgs);
    aldis__system_release(system);
    return ALDIS_OK;
}
