// SPDX-License-Identifier: Apache-2.0
/* link.c: see link.h. Layer: core.
 *
 * An array sorted by id: actors open their links in the order in which they come to know each
 * other, which is about that of the ids, and then only look them up. */
#include "core/link.h"

#include "base/error.h"
#include "core/mailbox.h"
#include "core/system.h"
#include "core/worker.h"
#include <stdlib.h>
#include <string.h>

/* Where `to` stands, or would stand. */
static uint32_t place_of(const struct aldis__links *links, aldis_id to)
{
    uint32_t low = 0, high = links ? links->count : 0;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (links->items[middle].to.bits < to.bits)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct aldis__link *find(struct aldis__links *links, aldis_id to)
{
    uint32_t place = place_of(links, to);
    bool found = links && place < links->count && aldis_id_equal(links->items[place].to, to);
    return found ? &links->items[place] : NULL;
}

aldis_ns aldis__link_delay(const struct aldis__cell *sender, aldis_id to, aldis_ns default_ns)
{
    const struct aldis__link *link = find(sender->ext->links, to);
    return link && link->latency_ns ? link->latency_ns : default_ns;
}

bool aldis__link_is_fifo(const struct aldis__cell *sender, aldis_id to)
{
    const struct aldis__link *link = find(sender->ext->links, to);
    return link && link->fifo;
}

aldis_ns aldis__link_pass(const struct aldis__cell *sender, aldis_id to, aldis_ns at_ns)
{
    struct aldis__link *link = find(sender->ext->links, to);
    if (!link)
        return at_ns;
    if (link->fifo && at_ns < link->last_ns)
        at_ns = link->last_ns;
    if (at_ns > link->last_ns)
        link->last_ns = at_ns;
    return at_ns;
}

/* A new link among the others. NULL: out of memory. */
static struct aldis__link *add(struct aldis__cell *cell, aldis_id to)
{
    struct aldis__cell_ext *ext = aldis__cell_extend(cell);
    if (!ext)
        return NULL;
    struct aldis__links *links = ext->links;
    if (!links || links->count == links->capacity) {
        uint32_t capacity = links ? 2 * links->capacity : 4;
        struct aldis__links *grown =
            realloc(links, sizeof *links + capacity * sizeof links->items[0]);
        if (!grown)
            return NULL;
        if (!links)
            grown->count = 0;
        grown->capacity = capacity;
        links = ext->links = grown;
    }
    struct aldis__link *link = &links->items[place_of(links, to)];
    size_t behind = (size_t)(&links->items[links->count] - link);
    memmove(link + 1, link, behind * sizeof *link);
    links->count++;
    *link = (struct aldis__link){.to = to};
    return link;
}

/* ------------------------------------------------------------------ public */

static aldis_err check(const aldis_ctx *ctx, aldis_id to)
{
    if (!aldis__ctx_is_mine(ctx))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "link: the context belongs to another handler or thread");
    if (aldis_id_is_nobody(to))
        return aldis__error_set(ALDIS_EINVAL, to, "", "link: to nobody");
    if (!ctx->system->virtual_time)
        return aldis__error_set(ALDIS_ESTATE, to, "", "link: the system is live");
    return ALDIS_OK;
}

static aldis_err check_latency(const aldis_ctx *ctx, aldis_id to, aldis_ns latency_ns)
{
    const aldis_system_opts *opts = &ctx->system->opts;
    if (latency_ns < 0)
        return aldis__error_set(ALDIS_EINVAL, to, "",
                                "link: latency_ns is %lld; allowed: 0 or more",
                                (long long)latency_ns);
    bool any = opts->zero_delay || opts->raise_short_delays || aldis_id_equal(to, ctx->cell->id);
    if (latency_ns > 0 && latency_ns < opts->lookahead_ns && !any)
        return aldis__error_set(ALDIS_ELOOKAHEAD, to, "",
                                "link: a latency of %lld ns is below the lookahead of %lld ns",
                                (long long)latency_ns, (long long)opts->lookahead_ns);
    return ALDIS_OK;
}

aldis_err aldis_link_open(aldis_ctx *ctx, aldis_id to, const aldis_link_opts *opts)
{
    static const aldis_link_opts defaults;
    if (!opts)
        opts = &defaults;
    aldis_err err = check(ctx, to);
    if (err == ALDIS_OK)
        err = check_latency(ctx, to, opts->latency_ns);
    if (err != ALDIS_OK)
        return err;
    struct aldis__cell *cell = ctx->cell;
    struct aldis__links *links = cell->ext ? cell->ext->links : NULL;
    struct aldis__link *link = find(links, to);
    if (!link && links && links->count == ALDIS__LINKS_PER_ACTOR)
        return aldis__error_set(ALDIS_EAGAIN, to, "", "link: the actor has %d already",
                                ALDIS__LINKS_PER_ACTOR);
    if (!link)
        link = add(cell, to);
    if (!link)
        return aldis__error_set(ALDIS_ENOMEM, to, "", "link");
    link->latency_ns = opts->latency_ns;
    link->fifo = opts->fifo;
    cell->flags |= ALDIS__CELL_LINKED;
    return ALDIS_OK;
}

aldis_err aldis_link_close(aldis_ctx *ctx, aldis_id to)
{
    aldis_err err = check(ctx, to);
    if (err != ALDIS_OK)
        return err;
    struct aldis__cell *cell = ctx->cell;
    struct aldis__links *links = cell->ext ? cell->ext->links : NULL;
    struct aldis__link *link = find(links, to);
    if (!link)
        return aldis__error_set(ALDIS_ENOTFOUND, to, "", "link: there is none to this actor");
    size_t behind = (size_t)(&links->items[links->count] - (link + 1));
    memmove(link, link + 1, behind * sizeof *link);
    if (--links->count == 0)
        cell->flags &= ~(uint32_t)ALDIS__CELL_LINKED;
    return ALDIS_OK;
}
