// SPDX-License-Identifier: Apache-2.0
/* ctx.c: the facts and small requests of a running handler. Layer: core. */
#include "base/error.h"
#include "base/log.h"
#include "base/philox.h"
#include "core/deliver.h"
#include "core/futex.h"
#include "core/lifecycle.h"
#include "core/send.h"
#include "core/supervise.h"
#include "core/virtual.h"
#include <limits.h>
#include <stdio.h>

/* Threads that are not workers have this one, so that the hot path needs no look at NULL. */
struct aldis__worker aldis__no_worker = {.ctx = {.special = true}};
__thread struct aldis__worker *aldis__this_worker __attribute__((tls_model("initial-exec"))) =
    &aldis__no_worker;

aldis_id aldis_self(const aldis_ctx *ctx)
{
    return ctx && ctx->cell ? ctx->cell->id : aldis_nobody();
}

aldis_id aldis_sender(const aldis_ctx *ctx)
{
    return ctx && ctx->msg ? ctx->msg->from : aldis_nobody();
}

aldis_id aldis_parent(const aldis_ctx *ctx)
{
    return ctx && ctx->cell ? ctx->cell->parent : aldis_nobody();
}

aldis_system *aldis_system_of(const aldis_ctx *ctx)
{
    return ctx ? ctx->system : NULL;
}

size_t aldis_payload_size(const aldis_ctx *ctx)
{
    size_t size = 0;
    if (ctx && ctx->msg)
        (void)aldis__msg_payload(ctx->msg, &size);
    return size;
}

aldis_ns aldis_now(const aldis_ctx *ctx)
{
    return ctx ? ctx->now_ns + ctx->busy_ns : 0;
}

/* ------------------------------------------------------------------ randomness */

/* A block gives two numbers. Counter: (block within the message, message, actor); key: the seed.
 * The node is left out of the actor's number, so that two systems of one process with the same seed
 * draw the same. Each message has blocks of its own, so that the second half of a block is wanted
 * only while the worker still has it: most handlers draw more than once. (It must not depend on
 * whether it has: that is a matter of who else ran here.) */
static __attribute__((noinline)) uint64_t draw_block(aldis_ctx *ctx, uint32_t draw)
{
    const struct aldis__cell *cell = ctx->cell;
    uint64_t seed = ctx->system->opts.seed;
    uint64_t actor = cell->id.bits & ~(UINT64_C(0xff) << ALDIS__NODE_SHIFT);
    uint32_t counter[4] = {draw >> 1, (uint32_t)cell->handled, (uint32_t)actor,
                           (uint32_t)(actor >> 32)};
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t block[4];
    aldis__philox(counter, key, block);
    uint64_t first = (uint64_t)block[1] << 32 | block[0];
    uint64_t second = (uint64_t)block[3] << 32 | block[2];
    ctx->drawn = second;
    ctx->drawn_actor = cell->id;
    ctx->drawn_message = cell->handled;
    ctx->drawn_number = draw | 1;
    return draw & 1 ? second : first;
}

uint64_t aldis_random(aldis_ctx *ctx)
{
    if (aldis__unlikely(!ctx || !ctx->cell))
        return 0;
    struct aldis__cell *cell = ctx->cell;
    uint32_t message = (uint32_t)cell->handled + 1;
    if (cell->drew != message) {
        cell->drew = message;
        cell->draws = 0;
    }
    uint32_t draw = cell->draws++;
    if ((draw & 1) && ctx->drawn_number == draw && ctx->drawn_message == cell->handled &&
        aldis_id_equal(ctx->drawn_actor, cell->id))
        return ctx->drawn;
    return draw_block(ctx, draw);
}

double aldis_random_unit(aldis_ctx *ctx)
{
    return (double)(aldis_random(ctx) >> 11) * 0x1p-53;
}

__extension__ typedef unsigned __int128 wide; /* gcc and clang have it on all 64-bit machines */

/* Lemire, "Fast Random Integer Generation in an Interval", ACM TOMACS 2019. */
uint64_t aldis_random_below(aldis_ctx *ctx, uint64_t bound)
{
    if (bound == 0)
        return 0;
    wide product = (wide)aldis_random(ctx) * bound;
    uint64_t low = (uint64_t)product;
    if (low < bound) {
        uint64_t threshold = -bound % bound;
        while (low < threshold) {
            if (!ctx || !ctx->cell)
                return 0;
            product = (wide)aldis_random(ctx) * bound;
            low = (uint64_t)product;
        }
    }
    return (uint64_t)(product >> 64);
}

/* ------------------------------------------------------------------ requests */

aldis_err aldis__ctx_foreign(const char *call)
{
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                            "%s: the context is not that of the handler that runs on this thread",
                            call);
}

aldis_err aldis_busy(aldis_ctx *ctx, aldis_ns ns)
{
    aldis_err err = aldis__ctx_check(ctx, "aldis_busy");
    if (err != ALDIS_OK)
        return err;
    if (ns < 0)
        return aldis__error_set(ALDIS_EINVAL, ctx->cell->id, "",
                                "aldis_busy: %lld ns; allowed: 0 or more", (long long)ns);
    if (!ctx->system->virtual_time)
        return ALDIS_OK;
    if (ns > ALDIS_FOREVER - 1 - ctx->now_ns - ctx->busy_ns)
        ns = ALDIS_FOREVER - 1 - ctx->now_ns - ctx->busy_ns;
    ctx->busy_ns += ns;
    return ALDIS_OK;
}

static aldis_err fail_with(aldis_ctx *ctx, aldis_err err, const char *text)
{
    struct aldis__cell *cell = ctx->cell;
    ctx->failed = cell->handled + 1; /* the turn counts first, then looks */
    ctx->failed_actor = cell->id;
    snprintf(ctx->fail_text, sizeof ctx->fail_text, "%s", text ? text : "");
    /* Whatever the handler returns; a hook returns nothing. */
    if (aldis__is_supervised(cell)) {
        if (!ctx->msg)
            aldis__log(ALDIS_LOG_WARN, "actor %016llx (%s): a hook failed: %s",
                       (unsigned long long)cell->id.bits, cell->kind->behaviour->name,
                       ctx->fail_text);
        aldis__cell_fail(aldis__worker_of(ctx), ctx->shard, cell, err);
    }
    return aldis__error_set(err, cell->id, "", "%s", ctx->fail_text);
}

aldis_err aldis_fail(aldis_ctx *ctx, const char *text)
{
    if (aldis__ctx_check(ctx, "aldis_fail") != ALDIS_OK)
        return ALDIS_EHANDLER;
    return fail_with(ctx, ALDIS_EHANDLER, text);
}

aldis_err aldis_broken_contract(aldis_ctx *ctx, const char *text)
{
    if (aldis__ctx_check(ctx, "ALDIS_REQUIRE") != ALDIS_OK)
        return ALDIS_ECONTRACT;
    return fail_with(ctx, ALDIS_ECONTRACT, text);
}

void aldis_halt(aldis_ctx *ctx)
{
    if (aldis__ctx_check(ctx, "aldis_halt") != ALDIS_OK)
        return;
    if (ctx->system->virtual_time)
        aldis__virtual_halt(aldis__worker_of(ctx));
    else
        aldis_system_halt(ctx->system);
}

/* ------------------------------------------------------------------ commands and questions */

static aldis_err check_target(aldis_system *system, aldis_id actor, const char *call,
                              uint64_t *out_word)
{
    uint64_t place = aldis__id_index(actor, system->node_base);
    if (place >= system->index_limit)
        return aldis__error_set(ALDIS_ENOTFOUND, actor, "", "%s: no actor %016llx", call,
                                (unsigned long long)actor.bits);
    uint64_t word = aldis__directory_read(&system->directory[place]);
    if (!aldis__word_is_alive(word, actor))
        return aldis__error_set(aldis__word_has_known(word, actor) ? ALDIS_ESTALE : ALDIS_ENOTFOUND,
                                actor, "", "%s: actor %016llx is not there (any more)", call,
                                (unsigned long long)actor.bits);
    *out_word = word;
    return ALDIS_OK;
}

aldis_err aldis__command_check(aldis_system *system, aldis_id actor, aldis_command command,
                               aldis_ns deadline_ns, uint64_t *out_word)
{
    if ((unsigned)command > ALDIS_CMD_RESUME)
        return aldis__error_set(ALDIS_EINVAL, actor, "", "command %d; allowed: 0 to %d",
                                (int)command, (int)ALDIS_CMD_RESUME);
    if (command == ALDIS_CMD_DRAIN && deadline_ns < 0)
        return aldis__error_set(ALDIS_EINVAL, actor, "", "drain: %lld ns; allowed: 0 or more",
                                (long long)deadline_ns);
    return check_target(system, actor, "command", out_word);
}

aldis_err aldis_ctx_command(aldis_ctx *ctx, aldis_id actor, aldis_command command,
                            aldis_ns deadline_ns)
{
    aldis_err err = aldis__ctx_check(ctx, "command");
    uint64_t word = 0;
    if (err == ALDIS_OK)
        err = aldis__command_check(ctx->system, actor, command, deadline_ns, &word);
    if (err != ALDIS_OK)
        return err;
    /* An actor that is stopping already, and is not to be killed, has ended as far as this caller
     * is
     * concerned: stop twice is an error. */
    if ((word & ALDIS__WORD_CLOSING) && command == ALDIS_CMD_DRAIN)
        return aldis__error_set(ALDIS_ESTALE, actor, "", "drain: the actor is ending already");
    bool stops_itself = command == ALDIS_CMD_STOP && aldis_id_equal(actor, ctx->cell->id);
    if (!stops_itself || !aldis__cell_stop_self(ctx))
        aldis__post_command(aldis__worker_of(ctx), ctx->cell->id, actor, command, deadline_ns);
    return ALDIS_OK;
}

aldis_err aldis_get_status(aldis_ctx *ctx, aldis_id actor)
{
    aldis_err err = aldis__ctx_check(ctx, "aldis_get_status");
    uint64_t word;
    if (err == ALDIS_OK)
        err = check_target(ctx->system, actor, "aldis_get_status", &word);
    if (err != ALDIS_OK)
        return err;
    if (!ctx->cell->kind->handle[ALDIS__TYPE_STATUS])
        return aldis__error_set(ALDIS_EUNACCEPTED, actor, "aldis_status",
                                "aldis_get_status: %s does not list aldis_status in its protocol",
                                ctx->cell->kind->behaviour->name);
    aldis__post_runtime(aldis__worker_of(ctx), ctx->cell->id, actor, ALDIS__TYPE_GET_STATUS, NULL,
                        0);
    return ALDIS_OK;
}

static bool is_closed(aldis_system *system, aldis_id actor)
{
    uint64_t place = aldis__id_index(actor, system->node_base);
    return place >= system->index_limit ||
           !aldis__word_is_alive(aldis__directory_read(&system->directory[place]), actor);
}

bool aldis_ctx_is_closed(aldis_ctx *ctx, aldis_id actor)
{
    return !ctx || is_closed(ctx->system, actor);
}

bool aldis_system_is_closed(aldis_system *system, aldis_id actor)
{
    return !system || is_closed(system, actor);
}
