// SPDX-License-Identifier: Apache-2.0
/* window.c: one shard's share of a window of virtual time. Layer: core.
 *
 * The bucket of a window is a list in no order. It is sorted by receiver first: actors cannot reach
 * each other inside a window, so each one's messages may run together, and sweeping through the
 * tables in their own order is what makes large systems fast. Then each receiver's few messages are
 * sorted among themselves. */
#include "core/window.h"

#include "base/error.h"
#include "base/hash.h"
#include "core/deliver.h"
#include "core/lifecycle.h"
#include "core/memory.h"
#include "core/timer.h"
#include "core/turn.h"
#include "core/virtual.h"
#include <stdlib.h>
#include <string.h>

enum {
    INSERTION_MAX = 24, /* up to so many are sorted by insertion */
    RADIX_BITS = 8,
    RADIX_SIZE = 1 << RADIX_BITS,
    PREFETCH_FAR = 16,    /* entries ahead: the message and the cell */
    PREFETCH_NEAR = 6,    /* the state */
    PREFETCH_ALL_MAX = 64 /* a bucket so small is fetched whole, before it is sorted */
};

/* ------------------------------------------------------------------ order */

/* (time, microstep, lane, sender, sequence): is a before b? Both have the same receiver. */
static inline bool comes_before(struct aldis__msg *a, struct aldis__msg *b)
{
    const struct aldis__stamp *x = aldis__msg_stamp(a), *y = aldis__msg_stamp(b);
    if (x->at_ns != y->at_ns)
        return x->at_ns < y->at_ns;
    uint64_t x_step = x->order >> ALDIS__SEQUENCE_BITS, y_step = y->order >> ALDIS__SEQUENCE_BITS;
    if (x_step != y_step)
        return x_step < y_step;
    unsigned x_rank = aldis__msg_rank(a), y_rank = aldis__msg_rank(b);
    if (x_rank != y_rank)
        return x_rank < y_rank;
    if (a->from.bits != b->from.bits)
        return a->from.bits < b->from.bits;
    return x->order < y->order;
}

static bool entry_before(const struct aldis__sort_entry *a, const struct aldis__sort_entry *b)
{
    if (a->receiver != b->receiver)
        return a->receiver < b->receiver;
    return comes_before(a->msg, b->msg);
}

static void insertion_sort(struct aldis__sort_entry *entries, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct aldis__sort_entry entry = entries[i];
        size_t j = i;
        for (; j > 0 && entry_before(&entry, &entries[j - 1]); j--)
            entries[j] = entries[j - 1];
        entries[j] = entry;
    }
}

/* For the rare receiver with many messages. */
static void merge_sort(struct aldis__sort_entry *entries, size_t count,
                       struct aldis__sort_entry *spare)
{
    if (count <= INSERTION_MAX) {
        insertion_sort(entries, count);
        return;
    }
    size_t half = count / 2;
    merge_sort(entries, half, spare);
    merge_sort(entries + half, count - half, spare);
    memcpy(spare, entries, half * sizeof *spare);
    size_t i = 0, j = half, k = 0;
    while (i < half && j < count)
        entries[k++] = entry_before(&entries[j], &spare[i]) ? entries[j++] : spare[i++];
    memcpy(entries + k, spare + i, (half - i) * sizeof *spare);
}

/* The messages of one receiver. They have come in the order of their senders, mostly, which is the
 * one that they are to have. */
static void sort_receiver(struct aldis__worker *worker, struct aldis__sort_entry *entries,
                          size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (aldis__unlikely(comes_before(entries[i].msg, entries[i - 1].msg))) {
            merge_sort(entries, count, worker->sort_spare);
            return;
        }
}

/* By receiver only: least significant digit first, digits in which all agree left out. */
static void radix_sort(struct aldis__worker *worker, size_t count)
{
    struct aldis__sort_entry *from = worker->sort, *to = worker->sort_spare;
    uint64_t differ = 0;
    for (size_t i = 1; i < count; i++)
        differ |= from[i].receiver ^ from[0].receiver;
    for (unsigned shift = 0; shift < 64 && differ >> shift; shift += RADIX_BITS) {
        if (((differ >> shift) & (RADIX_SIZE - 1)) == 0)
            continue;
        size_t start[RADIX_SIZE] = {0}, sum = 0;
        for (size_t i = 0; i < count; i++)
            start[(from[i].receiver >> shift) & (RADIX_SIZE - 1)]++;
        for (size_t d = 0; d < RADIX_SIZE; d++) {
            size_t n = start[d];
            start[d] = sum;
            sum += n;
        }
        for (size_t i = 0; i < count; i++)
            to[start[(from[i].receiver >> shift) & (RADIX_SIZE - 1)]++] = from[i];
        struct aldis__sort_entry *swap = from;
        from = to;
        to = swap;
    }
    worker->sort = from;
    worker->sort_spare = to;
}

static void sort_window(struct aldis__worker *worker, size_t count)
{
    if (aldis__unlikely(aldis__window_test.unsorted))
        return;
    if (count <= INSERTION_MAX)
        insertion_sort(worker->sort, count);
    else
        radix_sort(worker, count);
}

/* ------------------------------------------------------------------ the run print */

/* Ids without their node: two systems of one process have different ones. */
#define LOCAL_BITS (~(UINT64_C(0xff) << ALDIS__NODE_SHIFT))

static ALDIS_COLD void tell_watch(struct aldis__worker *worker, const struct aldis__cell *cell,
                                  struct aldis__msg *msg, uint64_t state)
{
    const struct aldis__type_info *type = aldis__type_info(msg->type);
    size_t size;
    const void *payload = aldis__msg_payload(msg, &size);
    uint64_t record[6] = {(uint64_t)worker->ctx.now_ns,        msg->to.bits & LOCAL_BITS,
                          msg->from.bits & LOCAL_BITS,         aldis__msg_stamp(msg)->order,
                          (uint64_t)type->number << 32 | size, state};
    aldis__watch_handled(worker, cell, msg, record, payload, size);
}

/* (time, receiver, sender, order, type and size, state), then the payload. */
static inline void digest(struct aldis__worker *worker, struct aldis__shard *shard,
                          const struct aldis__cell *cell, struct aldis__msg *msg,
                          const void *payload, size_t size)
{
    uint64_t state = 0;
    if (aldis__unlikely(cell->kind->has_digest))
        state = cell->kind->behaviour->digest(cell->state);
    uint64_t number = aldis__type_info(msg->type)->number;
    uint64_t value = aldis__digest_pair(shard->window_digest, (uint64_t)worker->ctx.now_ns,
                                        msg->to.bits & LOCAL_BITS);
    value = aldis__digest_pair(value, msg->from.bits & LOCAL_BITS, aldis__msg_stamp(msg)->order);
    value = aldis__digest_pair(value, number << 32 | size, state);
    uint64_t words[2];
    if (size == sizeof words[0]) {
        memcpy(words, payload, sizeof words[0]);
        value = aldis__digest_pair(value, words[0], 0);
    } else if (size == sizeof words) {
        memcpy(words, payload, sizeof words);
        value = aldis__digest_pair(value, words[0], words[1]);
    } else if (size) {
        value = aldis__digest_bytes(value, payload, size);
    }
    shard->window_digest = value;
    if (aldis__unlikely(worker->ctx.system->virtual_engine->watch.on_handled != NULL))
        tell_watch(worker, cell, msg, state);
}

void aldis__window_digest(struct aldis__worker *worker, struct aldis__shard *shard,
                          const struct aldis__cell *cell, struct aldis__msg *msg)
{
    size_t size;
    const void *payload = aldis__msg_payload(msg, &size);
    digest(worker, shard, cell, msg, payload, size);
}

/* ------------------------------------------------------------------ running */

/* Handle what the actor may handle now: commands, then mail, as in live mode. */
static void run_queued(struct aldis__worker *worker, struct aldis__shard *shard)
{
    struct aldis__cell *cell;
    while ((cell = shard->run_head)) {
        shard->run_head = cell->run_next;
        aldis__turn_special(worker, shard, cell);
    }
}

/* aldis__turn_end(), for an actor that has nothing to do and nobody to tell. */
static inline void leave(struct aldis__worker *worker, struct aldis__shard *shard,
                         struct aldis__cell *cell)
{
    const uint32_t busy = ALDIS__CELL_FULL | ALDIS__CELL_HELD | ALDIS__CELL_URGENT;
    if (aldis__unlikely(worker->ctx.built || cell->depth > 0 || (cell->flags & busy))) {
        aldis__turn_end(worker, shard, cell);
        return;
    }
    aldis__ctx_leave(worker);
    cell->flags &= ~(uint32_t)ALDIS__CELL_QUEUED;
}

/* The common case: an actor that waits for nothing handles a message as it arrives. */
static inline void handle_at_once(struct aldis__worker *worker, struct aldis__shard *shard,
                                  struct aldis__cell *cell, struct aldis__msg *msg)
{
    aldis_ctx *ctx = &worker->ctx;
    uint32_t type = msg->type;
    const void *payload = aldis__msg_inline(msg);
    size_t size = aldis__type_info(type)->size;
    unsigned special = msg->flags & (ALDIS__MSG_INDIRECT | ALDIS__MSG_TIMER);
    cell->flags |= ALDIS__CELL_QUEUED;
    if (cell->peak == 0)
        cell->peak = 1;
    aldis__ctx_enter(worker, shard, cell);
    if (special == ALDIS__MSG_SHARED) {
        payload = aldis__msg_shared_payload(msg);
        size = aldis__msg_shared_size(msg);
    } else if (aldis__unlikely(special)) {
        aldis__turn_handle(worker, shard, cell, msg);
        aldis__turn_end(worker, shard, cell);
        return;
    }
    /* aldis__turn_handle() for a plain message, without the calls. */
    ctx->msg = msg;
    aldis_err err = cell->kind->handle[type](cell->state, payload, ctx);
    worker->counts[type].handled++;
    if (aldis__likely(!aldis__ctx_has_settled(ctx, cell->handled)))
        digest(worker, shard, cell, msg, payload, size);
    cell->handled++;
    if (aldis__likely(err == ALDIS_OK) ||
        !aldis__turn_handler_failed(worker, shard, cell, msg, err))
        aldis__pool_free(worker->pool, msg);
    if (aldis__unlikely(ctx->busy_ns))
        aldis__virtual_be_busy(worker, cell);
    leave(worker, shard, cell);
}

static void run_message(struct aldis__worker *worker, struct aldis__shard *shard,
                        struct aldis__cell *cell, struct aldis__msg *msg)
{
    const struct aldis__stamp *stamp = aldis__msg_stamp(msg);
    worker->ctx.now_ns = stamp->at_ns;
    worker->ctx.microstep = (uint32_t)(stamp->order >> ALDIS__SEQUENCE_BITS);
    worker->window_events++;
    if (aldis__unlikely(msg->flags & ALDIS__MSG_TIMER) && !aldis__timer_arrived(worker, shard, msg))
        return;
    const uint32_t special = ALDIS__CELL_SPECIAL | ALDIS__CELL_QUEUED | ALDIS__CELL_HELD;
    if (aldis__likely(!(cell->flags & special) && !cell->head &&
                      aldis__msg_rank(msg) != ALDIS__RANK_CONTROL)) {
        handle_at_once(worker, shard, cell, msg);
    } else {
        aldis__deliver(worker, msg);
    }
    if (aldis__unlikely(shard->run_head != NULL))
        run_queued(worker, shard);
}

/* A binary heap (Williams 1964): what an actor sends itself may be many, and in any order. */
bool aldis__window_add_self(struct aldis__worker *worker, struct aldis__msg *msg)
{
    if (worker->self_count == worker->self_capacity) {
        size_t capacity = worker->self_capacity ? 2 * worker->self_capacity : 64;
        struct aldis__msg **self = realloc(worker->self, capacity * sizeof(struct aldis__msg *));
        if (!self) {
            worker->fatal = ALDIS_ENOMEM;
            return false;
        }
        worker->self = self;
        worker->self_capacity = capacity;
    }
    struct aldis__msg **heap = worker->self;
    size_t place = worker->self_count++;
    while (place > 0 && comes_before(msg, heap[(place - 1) / 2])) {
        heap[place] = heap[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    heap[place] = msg;
    return true;
}

static struct aldis__msg *pop_self(struct aldis__worker *worker)
{
    struct aldis__msg **heap = worker->self;
    struct aldis__msg *first = heap[0], *last = heap[--worker->self_count];
    size_t place = 0, child;
    while ((child = 2 * place + 1) < worker->self_count) {
        if (child + 1 < worker->self_count && comes_before(heap[child + 1], heap[child]))
            child++;
        if (!comes_before(heap[child], last))
            break;
        heap[place] = heap[child];
        place = child;
    }
    heap[place] = last;
    return first;
}

/* All messages of one receiver in this window, and those that it sends itself meanwhile. */
static void run_receiver(struct aldis__worker *worker, struct aldis__shard *shard,
                         struct aldis__sort_entry *entries, size_t count)
{
    aldis_system *system = worker->ctx.system;
    uint64_t place = entries[0].receiver;
    struct aldis__cell *cell = aldis__system_cell(system, place);
    worker->run_receiver = place;
    if (aldis__unlikely(system->memory != NULL))
        aldis__memory_receiver_begins(worker);
    worker->run_sent = 0;
    worker->run_ops = 0;
    size_t next = 0;
    while (next < count || worker->self_count) {
        bool own = worker->self_count &&
                   (next == count || !comes_before(entries[next].msg, worker->self[0]));
        struct aldis__msg *msg = own ? pop_self(worker) : entries[next++].msg;
        uint64_t word = aldis__directory_read(&system->directory[place]);
        if (aldis__unlikely(!aldis__word_is_alive(word, msg->to) ||
                            (cell->flags & ALDIS__CELL_ENDED))) {
            worker->ctx.now_ns = aldis__msg_stamp(msg)->at_ns;
            worker->ctx.microstep =
                (uint32_t)(aldis__msg_stamp(msg)->order >> ALDIS__SEQUENCE_BITS);
            worker->window_events++;
            aldis__deliver(worker, msg);
        } else {
            run_message(worker, shard, cell, msg);
        }
    }
    worker->run_receiver = UINT64_MAX;
}

static bool reserve_sort(struct aldis__worker *worker, size_t count)
{
    if (count <= worker->sort_capacity)
        return true;
    size_t capacity = worker->sort_capacity ? worker->sort_capacity : 256;
    while (capacity < count)
        capacity *= 2;
    struct aldis__sort_entry *sort = malloc(capacity * sizeof *sort);
    struct aldis__sort_entry *spare = malloc(capacity * sizeof *spare);
    if (!sort || !spare) {
        free(sort);
        free(spare);
        return false;
    }
    if (worker->sort_capacity)
        memcpy(sort, worker->sort, worker->sort_capacity * sizeof *sort);
    free(worker->sort);
    free(worker->sort_spare);
    worker->sort = sort;
    worker->sort_spare = spare;
    worker->sort_capacity = capacity;
    return true;
}

/* A cut window ends before its bucket does: what comes later goes back. */
static size_t put_back_later(struct aldis__worker *worker, struct aldis__shard *shard, size_t count,
                             aldis_ns end_ns)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (aldis__msg_stamp(worker->sort[i].msg)->at_ns < end_ns)
            worker->sort[kept++] = worker->sort[i];
        else
            aldis__vqueue_add(&shard->future, worker->sort[i].msg);
    }
    return kept;
}

/* Take the bucket into worker->sort. */
static size_t gather(struct aldis__worker *worker, struct aldis__shard *shard)
{
    struct aldis__virtual *engine = worker->ctx.system->virtual_engine;
    size_t count = aldis__vqueue_open(&shard->future, engine->window);
    if (!reserve_sort(worker, count)) {
        worker->fatal = ALDIS_ENOMEM; /* all stays queued; the run ends with this window */
        return 0;
    }
    aldis__vqueue_take(&shard->future, worker->sort);
    uint64_t whole_end = (engine->window + 1) * (uint64_t)engine->quantum_ns;
    if ((uint64_t)engine->end_ns < whole_end)
        count = put_back_later(worker, shard, count, engine->end_ns);
    struct aldis__sieve *sieve = engine->watch.sieve;
    if (aldis__unlikely(sieve != NULL))
        count = sieve->sift(sieve, worker, shard, worker->sort, count);
    return count;
}

/* gcc 12 takes a function that only prefetches for one that does nothing, and leaves out its calls
 * unless they are inlined before it looks. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Bring what the run will need into the cache: first the message, the cell and its word, then,
 * nearer, what these point to. Entries of one receiver stand together, mostly. */
static ALWAYS_INLINE void prefetch_far(aldis_system *system, const struct aldis__sort_entry *entry,
                                       bool is_next)
{
    __builtin_prefetch((const char *)entry->msg - sizeof(struct aldis__stamp));
    if (is_next)
        return;
    const struct aldis__cell *cell = aldis__system_cell(system, entry->receiver);
    __builtin_prefetch(
        (const void *)((uintptr_t)system->directory + entry->receiver * sizeof(aldis__word)));
    __builtin_prefetch(cell);
    __builtin_prefetch(&cell->ext);
}

static ALWAYS_INLINE void prefetch_near(aldis_system *system, const struct aldis__shard *shard,
                                        const struct aldis__sort_entry *entry, bool is_next)
{
    if (entry->msg->flags & ALDIS__MSG_SHARED)
        __builtin_prefetch(aldis__msg_shared_payload(entry->msg));
    if (is_next)
        return;
    /* Mail for the dead: the cell may be in the hands of the worker that uses the slot again. */
    uint64_t word = aldis__directory_read(&system->directory[entry->receiver]);
    if ((word & ALDIS__WORD_ALIVE) && aldis__word_home(word) == shard->index)
        __builtin_prefetch(aldis__system_cell(system, entry->receiver)->state);
}

/* Is the entry for the same receiver as the one before it? */
static inline bool is_next(const struct aldis__sort_entry *entries, size_t i)
{
    return i > 0 && entries[i].receiver == entries[i - 1].receiver;
}

void aldis__window_run(struct aldis__worker *worker, struct aldis__shard *shard)
{
    aldis_system *system = worker->ctx.system;
    struct aldis__letter_box *letters_before = worker->letters;
    worker->letters = &shard->letters;
    worker->run_shard = shard->index;
    shard->window_digest = 0;
    if (aldis__unlikely(system->memory != NULL))
        aldis__memory_shard_begins(worker);
    size_t count = gather(worker, shard);
    size_t far = 0, near = 0; /* fetched so far */
    if (count <= PREFETCH_ALL_MAX)
        for (; far < count; far++)
            prefetch_far(system, &worker->sort[far], false); /* the sort gives them time to come */
    sort_window(worker, count);
    struct aldis__sort_entry *entries = worker->sort;
    for (size_t i = 0; i < count;) {
        /* If the last receiver had more: those are handled, and their blocks free. */
        far = far < i ? i : far;
        near = near < i ? i : near;
        for (; far < count && far < i + PREFETCH_FAR; far++)
            prefetch_far(system, &entries[far], is_next(entries, far));
        for (; near < count && near < i + PREFETCH_NEAR; near++)
            prefetch_near(system, shard, &entries[near], is_next(entries, near));
        size_t same = 1;
        while (i + same < count && entries[i + same].receiver == entries[i].receiver)
            same++;
        sort_receiver(worker, entries + i, same);
        run_receiver(worker, shard, entries + i, same);
        i += same;
    }
    worker->letters = letters_before;
}
