// SPDX-License-Identifier: Apache-2.0
/* library.c: see library.h. */
#include "library.h"

#include <aldis/aldis.h>
#include <stdio.h>
#include <string.h>

/* Names of their own: a process may run a scenario, too, which has ticks. */
ALDIS_MESSAGE(show_note, struct note);
ALDIS_SIGNAL(show_tick);

#define PLAYER_PROTOCOL(X, kind) X(kind, show_note) X(kind, show_tick)
ALDIS_PROTOCOL(newest, PLAYER_PROTOCOL);
ALDIS_PROTOCOL(oldest, PLAYER_PROTOCOL);

/* ------------------------------------------------------------------ the players' calls */

static aldis_ns stage_now(void *run)
{
    return aldis_now(run);
}

static uint64_t stage_self(void *run)
{
    return aldis_self(run).bits;
}

static uint64_t stage_sender(void *run)
{
    return aldis_sender(run).bits;
}

/* For the library 0 means the default delay. */
static aldis_ns written_delay(aldis_ns delay_ns)
{
    return delay_ns < 0 ? 0 : delay_ns == 0 ? ALDIS_NO_DELAY : delay_ns;
}

static aldis_err stage_send(void *run, uint64_t to, const struct note *note, aldis_ns delay_ns,
                            aldis_lane lane)
{
    aldis_send_opts opts = {written_delay(delay_ns), lane};
    return aldis_ctx_send_opts_raw(run, (aldis_id){to}, &show_note_type, note, sizeof *note, &opts);
}

static aldis_err stage_tick(void *run, aldis_ns delay_ns)
{
    aldis_send_opts opts = {.delay_ns = written_delay(delay_ns)};
    return aldis_ctx_send_opts_raw(run, aldis_self(run), &show_tick_type, NULL, 0, &opts);
}

static const aldis_behaviour *behaviour_of(enum player_kind kind);

static aldis_spawn_opts spawn_opts(const struct birth *birth)
{
    return (aldis_spawn_opts){.arg = birth,
                              .arg_size = sizeof *birth,
                              .placement = ALDIS_PLACE_SHARD,
                              .shard = birth->home};
}

static aldis_err stage_spawn(void *run, const struct birth *birth, uint64_t *out_id)
{
    aldis_spawn_opts opts = spawn_opts(birth);
    aldis_id id;
    aldis_err err = aldis_ctx_spawn_raw(run, behaviour_of(birth->kind), &opts, &id);
    if (err == ALDIS_OK)
        *out_id = id.bits;
    return err;
}

static aldis_err stage_stop(void *run, uint64_t whom)
{
    return aldis_ctx_command(run, (aldis_id){whom}, ALDIS_CMD_STOP, 0);
}

static void stage_busy(void *run, aldis_ns ns)
{
    (void)aldis_busy(run, ns);
}

static struct stage stage_of(aldis_ctx *ctx)
{
    return (struct stage){ctx,        stage_now,   stage_self, stage_sender, stage_send,
                          stage_tick, stage_spawn, stage_stop, stage_busy};
}

/* ------------------------------------------------------------------ behaviours */

static aldis_err on_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct stage stage = stage_of(ctx);
    player_start(state, arg, &stage);
    return ALDIS_OK;
}

static void on_stop(void *state, aldis_ctx *ctx)
{
    struct stage stage = stage_of(ctx);
    player_stop(state, &stage);
}

static uint64_t digest(const void *state)
{
    return player_digest(state);
}

static aldis_err newest_on_show_note(struct player *self, const struct note *msg, aldis_ctx *ctx)
{
    struct stage stage = stage_of(ctx);
    player_on_note(self, msg, &stage);
    return ALDIS_OK;
}

static aldis_err newest_on_show_tick(struct player *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    struct stage stage = stage_of(ctx);
    player_on_tick(self, &stage);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(newest, struct player, PLAYER_PROTOCOL, .on_start = on_start, .on_stop = on_stop,
                .digest = digest,
                .mailbox = {.capacity_msgs = PLAYER_MAILBOX, .policy = ALDIS_DROP_NEWEST});

static aldis_err oldest_on_show_note(struct player *self, const struct note *msg, aldis_ctx *ctx)
{
    return newest_on_show_note(self, msg, ctx);
}

static aldis_err oldest_on_show_tick(struct player *self, const aldis_none *msg, aldis_ctx *ctx)
{
    return newest_on_show_tick(self, msg, ctx);
}
ALDIS_BEHAVIOUR(oldest, struct player, PLAYER_PROTOCOL, .on_start = on_start, .on_stop = on_stop,
                .digest = digest,
                .mailbox = {.capacity_msgs = PLAYER_MAILBOX, .policy = ALDIS_DROP_OLDEST});

static const aldis_behaviour *behaviour_of(enum player_kind kind)
{
    return kind == PLAYER_DROPS_OLDEST ? &oldest_behaviour : &newest_behaviour;
}

/* ------------------------------------------------------------------ from outside */

struct library {
    aldis_system *system;
    struct library_result *result;
};

static void note_fault(struct library *library, const char *what, aldis_err err)
{
    struct library_result *result = library->result;
    if (err != ALDIS_OK && result->fault[0] == '\0')
        snprintf(result->fault, sizeof result->fault, "%s: %s: %s", what, aldis_error_name(err),
                 aldis_error_last()->text);
}

static uint64_t outside_spawn(void *run, const struct birth *birth)
{
    struct library *library = run;
    aldis_spawn_opts opts = spawn_opts(birth);
    aldis_id id = ALDIS_NOBODY_INIT;
    note_fault(library, "spawn",
               aldis_system_spawn_raw(library->system, behaviour_of(birth->kind), &opts, &id));
    return id.bits;
}

static void outside_send(void *run, uint64_t to, const struct note *note, aldis_ns delay_ns)
{
    struct library *library = run;
    aldis_send_opts opts = {.delay_ns = written_delay(delay_ns)};
    /* Some players have ended by now, or are about to: that is part of the show. */
    aldis_err err = aldis_system_send_opts_raw(library->system, (aldis_id){to}, &show_note_type,
                                               note, sizeof *note, &opts);
    if (err != ALDIS_ESTALE && err != ALDIS_ESHUTDOWN)
        note_fault(library, "send", err);
}

static void run_until(void *run, aldis_ns until_ns)
{
    struct library *library = run;
    note_fault(library, "run", aldis_system_run(library->system, until_ns, NULL));
}

void library_perform(struct show *show, uint32_t workers, struct library_result *out_result)
{
    *out_result = (struct library_result){0};
    struct library library = {NULL, out_result};
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL,
                              .seed = show->seed,
                              .workers = workers,
                              .shards = show->shards,
                              .node = 1, /* the ids of the reference */
                              .lookahead_ns = show->kind == SHOW_ZERO ? 0 : show->lookahead_ns,
                              .zero_delay = show->kind == SHOW_ZERO};
    aldis_err err = aldis_system_create(&opts, &library.system);
    if (err != ALDIS_OK) {
        note_fault(&library, "create", err);
        return;
    }
    struct theatre theatre = {&library, outside_spawn, outside_send, run_until};
    show_perform(show, &theatre);
    out_result->run_print = aldis_system_run_print(library.system);
    out_result->windows = aldis_system_windows(library.system);
    aldis_audit audit;
    err = aldis_system_audit(library.system, &audit);
    note_fault(&library, audit.text, err);
    aldis_stats stats;
    err = aldis_system_stats(library.system, &stats);
    note_fault(&library, "stats", err);
    if (err == ALDIS_OK) {
        out_result->handled = stats.total.handled;
        aldis_stats_fini(&stats);
    }
    aldis_system_destroy(library.system);
}
