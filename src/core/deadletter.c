// SPDX-License-Identifier: Apache-2.0
/* deadletter.c: see deadletter.h. Layer: core.
 *
 * The queue of the system is under a lock of its own, which is taken last. In virtual time nobody
 * else touches it while the one actor that may read it does, and the lock decides nothing. */
#include "core/deadletter.h"

#include "base/error.h"
#include "base/log.h"
#include "core/deliver.h"
#include "core/outside.h"
#include "core/send.h"
#include "core/tracked.h"
#include <aldis/blob.h>
#include <stdlib.h>
#include <string.h>

enum { SHED_PART = 4 }; /* of what is kept, a quarter at most was shed */

struct aldis__letters {
    pthread_mutex_t lock;
    struct aldis__letter_box queue; /* oldest first */
    uint64_t seen;
    uint64_t told;   /* announced so far, of the first-time letters */
    uint64_t firsts; /* letters that are no second deaths */
    aldis_id handler;
    uint64_t msgs_max, bytes_max;
    uint64_t shed_max; /* of the msgs_max */
};

/* Carried by what is sent again, so that a second death is known. */
static const struct aldis__tracker again = {.name = "aldis.again"};

/* ------------------------------------------------------------------ boxes */

static void box_init(struct aldis__letter_box *box)
{
    memset(box, 0, sizeof *box);
    box->tail = &box->head;
}

static void box_push(struct aldis__letter_box *box, struct aldis__letter *letter)
{
    letter->next = NULL;
    *box->tail = letter;
    box->tail = &letter->next;
    box->count++;
    box->bytes += letter->size;
    box->shed += letter->reason == ALDIS_ESHED;
}

static struct aldis__letter *box_pop(struct aldis__letter_box *box)
{
    struct aldis__letter *letter = box->head;
    if (!letter)
        return NULL;
    box->head = letter->next;
    if (!box->head)
        box->tail = &box->head;
    box->count--;
    box->bytes -= letter->size;
    box->shed -= letter->reason == ALDIS_ESHED;
    return letter;
}

static void letter_free(struct aldis__letter *letter)
{
    aldis_blob_unref(letter->blob);
    free(letter);
}

/* The oldest that was shed, of which there is one. */
static struct aldis__letter *box_pop_shed(struct aldis__letter_box *box)
{
    struct aldis__letter **link = &box->head;
    while ((*link)->reason != ALDIS_ESHED)
        link = &(*link)->next;
    struct aldis__letter *letter = *link;
    *link = letter->next;
    if (!letter->next)
        box->tail = link;
    box->count--;
    box->bytes -= letter->size;
    box->shed--;
    return letter;
}

/* The oldest make room. No box need keep more than the queue: it would not get past that. An
 * overload sheds thousands: it must not push out the few that died. */
static void box_bound(const struct aldis__letters *letters, struct aldis__letter_box *box)
{
    while (box->shed > letters->shed_max) {
        letter_free(box_pop_shed(box));
        box->lost++;
    }
    while (box->count > letters->msgs_max || box->bytes > letters->bytes_max) {
        struct aldis__letter *oldest = box_pop(box);
        if (!oldest)
            return;
        letter_free(oldest);
        box->lost++;
    }
}

static void box_fini(struct aldis__letter_box *box)
{
    struct aldis__letter *letter;
    while (box->tail && (letter = box_pop(box)))
        letter_free(letter);
}

/* ------------------------------------------------------------------ keeping */

/* Notices of the runtime are answers to somebody who is not there any more: nobody misses them. And
 * what its tracker brings to somebody else is not dead. */
static bool is_letter(struct aldis__msg *msg)
{
    return msg->type >= ALDIS__TYPE_STATUS && msg->type != ALDIS__TYPE_DOWN &&
           msg->type != ALDIS__TYPE_DEAD_NOTICE && !aldis__msg_is_moved(msg);
}

static struct aldis__letter *copy(struct aldis__msg *msg, uint64_t bytes_max)
{
    size_t size;
    const void *payload = aldis__msg_payload(msg, &size);
    bool is_blob = msg->flags & ALDIS__MSG_BLOB;
    bool partial = size > bytes_max;
    size_t inline_bytes = is_blob || partial ? 0 : size;
    struct aldis__letter *letter = malloc(sizeof *letter + inline_bytes);
    if (!letter)
        return NULL;
    memset(letter, 0, sizeof *letter);
    letter->from = msg->from;
    letter->to = msg->to;
    letter->size = partial ? 0 : (uint32_t)size;
    letter->type = msg->type;
    letter->rank = (uint8_t)aldis__msg_rank(msg);
    letter->partial = partial;
    letter->again = (msg->flags & ALDIS__MSG_TRACKED) && aldis__msg_track(msg)->tracker == &again;
    if (is_blob && !partial)
        letter->blob = aldis_blob_ref(*(aldis_blob **)aldis__msg_body(msg));
    if (inline_bytes)
        memcpy(letter->payload, payload, inline_bytes);
    return letter;
}

static void tell_hook(const struct aldis_system_opts *opts, struct aldis__msg *msg,
                      aldis_err reason, aldis_ns at_ns)
{
    size_t size;
    const void *payload = aldis__msg_payload(msg, &size);
    const aldis_dead_letter letter = {.type_name = aldis__type_info(msg->type)->name,
                                      .from = msg->from,
                                      .to = msg->to,
                                      .reason = reason,
                                      .payload = payload,
                                      .size = size,
                                      .at_ns = at_ns};
    opts->on_dead_letter(opts->on_dead_letter_arg, &letter);
}

void aldis__letter_keep(struct aldis__worker *worker, struct aldis__msg *msg, aldis_err reason)
{
    aldis_system *system = worker->ctx.system;
    struct aldis__letter_box *box = worker->letters;
    if (!is_letter(msg))
        return;
    if (system->opts.on_dead_letter)
        tell_hook(&system->opts, msg, reason, worker->ctx.now_ns);
    worker->has_letters = true;
    struct aldis__letter *letter = copy(msg, system->letters->bytes_max);
    if (!letter) {
        box->lost++;
        return;
    }
    letter->reason = reason;
    letter->at_ns = worker->ctx.now_ns;
    box_push(box, letter);
    box_bound(system->letters, box);
}

void aldis__dead_letter_tell(aldis_system *system, struct aldis__msg *msg, aldis_err reason)
{
    if (is_letter(msg))
        tell_hook(&system->opts, msg, reason, system->workers[0].ctx.now_ns);
}

/* ------------------------------------------------------------------ the queue */

/* Under the lock. */
static void enqueue(struct aldis__letters *letters, struct aldis__letter *letter)
{
    letter->number = ++letters->seen;
    letters->firsts += !letter->again;
    box_push(&letters->queue, letter);
    box_bound(letters, &letters->queue);
}

/* Under the lock. What a box has lost has passed through it all the same. */
static void take_losses(struct aldis__letters *letters, struct aldis__letter_box *box)
{
    letters->seen += box->lost;
    letters->firsts += box->lost;
    letters->queue.lost += box->lost;
    box->lost = 0;
}

static void announce(struct aldis__worker *worker)
{
    struct aldis__letters *letters = worker->ctx.system->letters;
    pthread_mutex_lock(&letters->lock);
    const aldis_dead_notice notice = {letters->firsts - letters->told, letters->seen};
    aldis_id handler = letters->handler;
    letters->told = letters->firsts;
    pthread_mutex_unlock(&letters->lock);
    if (notice.count && !aldis_id_is_nobody(handler))
        aldis__post_runtime(worker, aldis_nobody(), handler, ALDIS__TYPE_DEAD_NOTICE, &notice,
                            sizeof notice);
}

static void flush_box(struct aldis__letters *letters, struct aldis__letter_box *box)
{
    struct aldis__letter *letter;
    pthread_mutex_lock(&letters->lock);
    take_losses(letters, box);
    while ((letter = box_pop(box)))
        enqueue(letters, letter);
    pthread_mutex_unlock(&letters->lock);
}

void aldis__letters_flush(struct aldis__worker *worker)
{
    worker->has_letters = false;
    flush_box(worker->ctx.system->letters, worker->letters);
    announce(worker);
}

static int by_time(const void *a, const void *b)
{
    const struct aldis__letter *x = *(const struct aldis__letter *const *)a;
    const struct aldis__letter *y = *(const struct aldis__letter *const *)b;
    if (x->at_ns != y->at_ns)
        return x->at_ns < y->at_ns ? -1 : 1;
    if (x->box != y->box)
        return x->box < y->box ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* All boxes in the order of time, then of shards: no thread is named. */
static void gather_sorted(aldis_system *system, uint64_t count)
{
    struct aldis__letters *letters = system->letters;
    struct aldis__letter **sorted = malloc(count * sizeof(struct aldis__letter *));
    size_t filled = 0;
    for (uint32_t i = 0; i <= system->shard_count; i++) {
        struct aldis__letter_box *box = &system->shards[i].letters;
        struct aldis__letter *letter;
        uint64_t nth = 0;
        while (sorted && (letter = box_pop(box))) {
            letter->box = i;
            letter->number = nth++;
            sorted[filled++] = letter;
        }
        take_losses(letters, box);
        if (!sorted) { /* without memory to order them they go by shards */
            while ((letter = box_pop(box)))
                enqueue(letters, letter);
        }
    }
    if (sorted)
        qsort(sorted, filled, sizeof(struct aldis__letter *), by_time);
    for (size_t i = 0; i < filled; i++)
        enqueue(letters, sorted[i]);
    free(sorted);
}

void aldis__letters_gather(aldis_system *system)
{
    bool any = false;
    uint64_t count = 1;
    for (uint32_t w = 0; w < system->worker_count; w++) {
        any |= system->workers[w].has_letters;
        system->workers[w].has_letters = false;
    }
    if (aldis__likely(!any))
        return;
    for (uint32_t i = 0; i <= system->shard_count; i++)
        count += system->shards[i].letters.count;
    pthread_mutex_lock(&system->letters->lock);
    gather_sorted(system, count);
    pthread_mutex_unlock(&system->letters->lock);
    announce(&system->workers[0]);
}

bool aldis__letters_create(aldis_system *system)
{
    struct aldis__letters *letters = calloc(1, sizeof *letters);
    if (!letters)
        return false;
    pthread_mutex_init(&letters->lock, NULL);
    box_init(&letters->queue);
    letters->msgs_max = system->opts.dead_letters_max;
    letters->bytes_max = system->opts.dead_letter_bytes;
    letters->shed_max = (letters->msgs_max + SHED_PART - 1) / SHED_PART;
    system->letters = letters;
    for (uint32_t i = 0; i <= system->shard_count; i++)
        box_init(&system->shards[i].letters);
    for (uint32_t i = 0; i < system->worker_count; i++) {
        struct aldis__worker *worker = &system->workers[i];
        box_init(&worker->own_letters);
        worker->letters = system->virtual_time ? &system->shards[system->shard_count].letters
                                               : &worker->own_letters;
    }
    return true;
}

void aldis__letters_destroy(aldis_system *system)
{
    for (uint32_t i = 0; system->shards && i <= system->shard_count; i++)
        box_fini(&system->shards[i].letters);
    for (uint32_t i = 0; system->workers && i < system->worker_count; i++)
        box_fini(&system->workers[i].own_letters);
    if (!system->letters)
        return;
    box_fini(&system->letters->queue);
    pthread_mutex_destroy(&system->letters->lock);
    free(system->letters);
    system->letters = NULL;
}

/* ------------------------------------------------------------------ reading */

static bool matches(const struct aldis__letter *letter, const aldis_dead_letter_filter *filter)
{
    return (filter->reason == ALDIS_OK || letter->reason == filter->reason) &&
           (aldis_id_is_nobody(filter->to) || aldis_id_equal(letter->to, filter->to)) &&
           letter->number > filter->after &&
           (!filter->type_name ||
            strcmp(aldis__type_info(letter->type)->name, filter->type_name) == 0);
}

static const aldis_dead_letter_filter all;

static void read_letters(struct aldis__letters *letters, const aldis_dead_letter_filter *filter,
                         aldis_dead_letter_fn fn, void *arg, aldis_dead_letter_counts *out_counts)
{
    pthread_mutex_lock(&letters->lock);
    if (out_counts)
        *out_counts = (aldis_dead_letter_counts){letters->queue.count, letters->queue.bytes,
                                                 letters->seen, letters->queue.lost};
    for (struct aldis__letter *letter = fn ? letters->queue.head : NULL; letter;
         letter = letter->next) {
        if (!matches(letter, filter ? filter : &all))
            continue;
        size_t size = letter->size;
        const aldis_dead_letter view = {
            .type_name = aldis__type_info(letter->type)->name,
            .from = letter->from,
            .to = letter->to,
            .reason = letter->reason,
            .payload = letter->blob ? aldis_blob_data(letter->blob, &size) : letter->payload,
            .size = size,
            .at_ns = letter->at_ns,
            .number = letter->number,
            .again = letter->again,
            .partial = letter->partial};
        if (!fn(arg, &view))
            break;
    }
    pthread_mutex_unlock(&letters->lock);
}

/* Workers held. In virtual time the end of the last window has done it. */
static void flush_all(aldis_system *system)
{
    for (uint32_t i = 0; !system->virtual_time && i < system->worker_count; i++)
        flush_box(system->letters, &system->workers[i].own_letters);
}

aldis_err aldis_system_dead_letters(aldis_system *system, const aldis_dead_letter_filter *filter,
                                    aldis_dead_letter_fn fn, void *arg,
                                    aldis_dead_letter_counts *out_counts)
{
    aldis_err err = aldis__system_check_outside(system, "dead_letters");
    if (err != ALDIS_OK)
        return err;
    aldis__system_hold(system);
    flush_all(system);
    read_letters(system->letters, filter, fn, arg, out_counts);
    aldis__system_release(system);
    return ALDIS_OK;
}

static aldis_err check_handler(aldis_ctx *ctx)
{
    if (!aldis__ctx_is_mine(ctx))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "dead_letters: the context belongs to another handler or thread");
    struct aldis__letters *letters = ctx->system->letters;
    pthread_mutex_lock(&letters->lock);
    bool is_handler = aldis_id_equal(letters->handler, ctx->cell->id);
    pthread_mutex_unlock(&letters->lock);
    if (is_handler)
        return ALDIS_OK;
    return aldis__error_set(ALDIS_ESTATE, ctx->cell->id, "",
                            "dead_letters: another actor handles them, or none: see "
                            "aldis_system_dead_letters_to");
}

aldis_err aldis_ctx_dead_letters(aldis_ctx *ctx, const aldis_dead_letter_filter *filter,
                                 aldis_dead_letter_fn fn, void *arg,
                                 aldis_dead_letter_counts *out_counts)
{
    aldis_err err = check_handler(ctx);
    if (err == ALDIS_OK)
        read_letters(ctx->system->letters, filter, fn, arg, out_counts);
    return err;
}

/* ------------------------------------------------------------------ sending again */

/* Take those out of the queue that may be sent again. */
static void take_matching(struct aldis__letters *letters, const aldis_dead_letter_filter *filter,
                          struct aldis__letter_box *out_box)
{
    const aldis_dead_letter_filter *wanted = filter ? filter : &all;
    struct aldis__letter *letter;
    struct aldis__letter_box rest;
    box_init(out_box);
    box_init(&rest);
    pthread_mutex_lock(&letters->lock);
    while ((letter = box_pop(&letters->queue))) {
        bool take =
            matches(letter, wanted) && !letter->partial && (!letter->again || wanted->twice);
        box_push(take ? out_box : &rest, letter);
    }
    while ((letter = box_pop(&rest)))
        box_push(&letters->queue, letter);
    pthread_mutex_unlock(&letters->lock);
}

/* Put back those that nobody took; newer ones may have come meanwhile. */
static void put_back(struct aldis__letters *letters, struct aldis__letter_box *refused)
{
    struct aldis__letter_box newer, *queue = &letters->queue;
    struct aldis__letter *letter;
    if (refused->count == 0)
        return;
    box_init(&newer);
    pthread_mutex_lock(&letters->lock);
    while ((letter = box_pop(queue)))
        box_push(&newer, letter);
    while (newer.head || refused->head) {
        bool old = !newer.head || (refused->head && refused->head->number < newer.head->number);
        box_push(queue, box_pop(old ? refused : &newer));
    }
    box_bound(letters, queue);
    pthread_mutex_unlock(&letters->lock);
}

/* By an actor, or (ctx NULL) from outside. */
static aldis_err send_again(aldis_system *system, aldis_ctx *ctx,
                            const struct aldis__letter *letter, aldis_id to)
{
    const struct aldis__type_info *info = aldis__type_info(letter->type);
    const aldis_send_opts opts = {.lane = aldis__rank_lane(letter->rank)};
    const struct aldis__track track = {.tracker = &again, .deadline_ns = ALDIS_FOREVER};
    aldis_type type = {info->name, info->number, info->size, NULL, 0};
    const struct aldis__parcel parcel = {.to = aldis_id_is_nobody(to) ? letter->to : to,
                                         .type = &type,
                                         .payload = letter->payload,
                                         .size = letter->blob ? 0 : letter->size,
                                         .opts = &opts,
                                         .blob = letter->blob};
    return ctx ? aldis__send_tracked(ctx, &parcel, &track)
               : aldis__outside_send_tracked(system, &parcel, &track);
}

static void resend(aldis_system *system, aldis_ctx *ctx, const aldis_dead_letter_filter *filter,
                   aldis_id to, aldis_resent *out_resent)
{
    struct aldis__letter_box taken, refused;
    struct aldis__letter *letter;
    aldis_resent resent = {0, 0};
    take_matching(system->letters, filter, &taken);
    box_init(&refused);
    while ((letter = box_pop(&taken))) {
        if (send_again(system, ctx, letter, to) == ALDIS_OK) {
            resent.sent++;
            letter_free(letter);
        } else {
            resent.refused++;
            box_push(&refused, letter);
        }
    }
    put_back(system->letters, &refused);
    if (out_resent)
        *out_resent = resent;
}

aldis_err aldis_system_dead_letters_resend(aldis_system *system,
                                           const aldis_dead_letter_filter *filter, aldis_id to,
                                           aldis_resent *out_resent)
{
    aldis_err err = aldis__system_check_outside(system, "dead_letters_resend");
    if (err != ALDIS_OK)
        return err;
    aldis__system_hold(system);
    flush_all(system);
    aldis__system_release(system);
    resend(system, NULL, filter, to, out_resent);
    return ALDIS_OK;
}

aldis_err aldis_ctx_dead_letters_resend(aldis_ctx *ctx, const aldis_dead_letter_filter *filter,
                                        aldis_id to, aldis_resent *out_resent)
{
    aldis_err err = check_handler(ctx);
    if (err == ALDIS_OK)
        resend(ctx->system, ctx, filter, to, out_resent);
    return err;
}

aldis_err aldis_system_dead_letters_to(aldis_system *system, aldis_id actor)
{
    aldis_err err = aldis__system_check_outside(system, "dead_letters_to");
    uint64_t word;
    if (err == ALDIS_OK && !aldis_id_is_nobody(actor))
        err = aldis__send_check_receiver(system, actor, ALDIS__TYPE_DEAD_NOTICE, &word);
    if (err != ALDIS_OK)
        return err;
    aldis__system_lock(system);
    pthread_mutex_lock(&system->letters->lock);
    system->letters->handler = actor;
    pthread_mutex_unlock(&system->letters->lock);
    aldis__system_unlock(system);
    return ALDIS_OK;
}
