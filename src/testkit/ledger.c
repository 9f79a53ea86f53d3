// SPDX-License-Identifier: Apache-2.0
/* ledger.c: see ledger.h. Layer: testkit. */
#include "testkit/ledger.h"

#include "base/hash.h"
#include "core/system.h"
#include "core/virtual.h"
#include "delivery/reliable.h"
#include "messaging/table.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BITS_FIRST = 256 };
#define STUCK_NS (10 * ALDIS_MINUTE)
/* Above it a sequence is not its sender's own: a copy, a message of the runtime, from outside. */
#define SEQUENCE_OWN (UINT64_C(1) << (ALDIS__SEQUENCE_BITS - 3))

/* A set of numbers. */
struct bits {
    uint8_t *bytes;
    uint64_t count; /* of numbers it has room for */
};

/* The reliable messages of one sender to one receiver; the numbered, or the loose ones. */
struct stream {
    struct aldis__link by_ends;
    aldis_id from, to;     /* `from`: an endpoint, if they are durable */
    uint64_t life;         /* of loose ones: see life_of() */
    uint64_t last_ordered; /* done */
    struct bits begun, done, told;
    struct bits failed; /* told, and the handler failed: it may be told again */
    struct bits flying; /* at the end: pending, or its confirmation is under way */
};

/* The plain messages of one sender to one receiver on one lane. Nobody sends on the control lane:
 * its record stands for the link, of whatever lane. */
struct lane {
    struct aldis__link by_ends;
    aldis_id from, to;
    uint8_t rank;
    bool keeps_order;        /* the link, ... */
    uint64_t kept_since;     /* ... since this message */
    bool any;                /* was handled */
    uint64_t sequence, step; /* of the latest one that was */
    aldis_ns at_ns;
    uint64_t free_up_to; /* up to here its receiver has changed the order itself */
};

struct aldis__ledger {
    pthread_mutex_t lock;
    aldis__violation_fn fn;
    void *arg;
    struct aldis__table streams, lanes;
};

struct aldis__ledger *aldis__ledger_create(aldis__violation_fn fn, void *arg)
{
    struct aldis__ledger *ledger = calloc(1, sizeof *ledger);
    if (!ledger)
        return NULL;
    pthread_mutex_init(&ledger->lock, NULL);
    ledger->fn = fn;
    ledger->arg = arg;
    return ledger;
}

static void free_records(struct aldis__table *table, void (*fini)(struct aldis__link *record))
{
    for (size_t i = 0; i < table->capacity; i++) {
        struct aldis__link *link = table->buckets[i];
        while (link) {
            struct aldis__link *next = link->next;
            if (fini)
                fini(link);
            free(link);
            link = next;
        }
    }
    aldis__table_fini(table);
}

static void fini_stream(struct aldis__link *record)
{
    struct stream *stream = (struct stream *)(void *)record;
    free(stream->begun.bytes);
    free(stream->done.bytes);
    free(stream->told.bytes);
    free(stream->failed.bytes);
    free(stream->flying.bytes);
}

void aldis__ledger_destroy(struct aldis__ledger *ledger)
{
    if (!ledger)
        return;
    free_records(&ledger->streams, fini_stream);
    free_records(&ledger->lanes, NULL);
    pthread_mutex_destroy(&ledger->lock);
    free(ledger);
}

static __attribute__((format(printf, 3, 4))) void violate(struct aldis__ledger *ledger,
                                                          aldis_violation violation,
                                                          const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ledger->fn(ledger->arg, violation, text);
}

/* A trial without memory says nothing of the program. */
static void no_memory(struct aldis__ledger *ledger)
{
    violate(ledger, ALDIS_VIOLATION_UNEXPECTED, "no memory to look at the deliveries");
}

/* ------------------------------------------------------------------ sets of numbers */

/* Loose numbers are sparse: a sender that was forgotten begins again much higher. Each so many of
 * them have a record of their own; the numbered have one. */
enum { LIFE_SHIFT = 20 };

static uint64_t life_of(uint64_t number)
{
    return number & ALDIS__NUMBER_LOOSE ? number >> LIFE_SHIFT : 0;
}

/* In its record. */
static uint64_t place_of(uint64_t number)
{
    return number & ALDIS__NUMBER_LOOSE ? number & ((UINT64_C(1) << LIFE_SHIFT) - 1) : number;
}

/* As it is told. */
static unsigned long long plain(uint64_t number)
{
    return number & ~ALDIS__NUMBER_LOOSE;
}

static bool bits_has(const struct bits *bits, uint64_t number)
{
    uint64_t place = place_of(number);
    return place < bits->count && (bits->bytes[place / 8] >> (place % 8) & 1);
}

/* False: out of memory. */
static bool bits_add(struct bits *bits, uint64_t number)
{
    uint64_t place = place_of(number), count = bits->count ? bits->count : BITS_FIRST;
    while (count <= place)
        count *= 2;
    if (count > bits->count) {
        uint8_t *bytes = realloc(bits->bytes, count / 8);
        if (!bytes)
            return false;
        memset(bytes + bits->count / 8, 0, (count - bits->count) / 8);
        *bits = (struct bits){bytes, count};
    }
    bits->bytes[place / 8] |= (uint8_t)(1u << (place % 8));
    return true;
}

/* ------------------------------------------------------------------ records */

static uint64_t hash_of(aldis_id from, aldis_id to, uint64_t which)
{
    return aldis__mix64(from.bits ^ aldis__mix64(to.bits + which));
}

static struct stream *find_stream(const struct aldis__ledger *ledger, aldis_id from, aldis_id to,
                                  uint64_t number)
{
    uint64_t life = life_of(number), hash = hash_of(from, to, life);
    struct aldis__link *link = aldis__table_first(&ledger->streams, hash);
    for (; link; link = aldis__table_next(link->next, hash)) {
        struct stream *stream = (struct stream *)(void *)link;
        if (aldis_id_equal(stream->from, from) && aldis_id_equal(stream->to, to) &&
            stream->life == life)
            return stream;
    }
    return NULL;
}

/* The record that this number belongs to. */
static struct stream *make_stream(struct aldis__ledger *ledger, aldis_id from, aldis_id to,
                                  uint64_t number)
{
    struct stream *stream = find_stream(ledger, from, to, number);
    if (stream || !aldis__table_reserve(&ledger->streams) || !(stream = calloc(1, sizeof *stream)))
        return stream;
    stream->from = from;
    stream->to = to;
    stream->life = life_of(number);
    aldis__table_add(&ledger->streams, &stream->by_ends, hash_of(from, to, stream->life));
    return stream;
}

static struct lane *find_lane(const struct aldis__ledger *ledger, aldis_id from, aldis_id to,
                              uint8_t rank)
{
    uint64_t hash = hash_of(from, to, rank);
    struct aldis__link *link = aldis__table_first(&ledger->lanes, hash);
    for (; link; link = aldis__table_next(link->next, hash)) {
        struct lane *lane = (struct lane *)(void *)link;
        if (aldis_id_equal(lane->from, from) && aldis_id_equal(lane->to, to) && lane->rank == rank)
            return lane;
    }
    return NULL;
}

static struct lane *make_lane(struct aldis__ledger *ledger, aldis_id from, aldis_id to,
                              uint8_t rank)
{
    struct lane *lane = find_lane(ledger, from, to, rank);
    if (lane || !aldis__table_reserve(&ledger->lanes) || !(lane = calloc(1, sizeof *lane)))
        return lane;
    lane->from = from;
    lane->to = to;
    lane->rank = rank;
    aldis__table_add(&ledger->lanes, &lane->by_ends, hash_of(from, to, rank));
    return lane;
}

/* ------------------------------------------------------------------ plain messages */

void aldis__ledger_sent(struct aldis__ledger *ledger, const struct aldis__fault_site *site)
{
    pthread_mutex_lock(&ledger->lock);
    struct lane *link = site->fifo
                            ? make_lane(ledger, site->actor, site->other, ALDIS__RANK_CONTROL)
                            : find_lane(ledger, site->actor, site->other, ALDIS__RANK_CONTROL);
    if (site->fifo && !link)
        no_memory(ledger);
    if (link && site->fifo && !link->keeps_order)
        link->kept_since = site->number;
    if (link)
        link->keeps_order = site->fifo;
    pthread_mutex_unlock(&ledger->lock);
}

/* Did a message that was sent before the lane's latest have to be handled before it, too? */
static bool is_late(const struct aldis__ledger *ledger, const struct lane *lane, aldis_ns at_ns,
                    uint64_t step, uint64_t sequence)
{
    const struct lane *link = find_lane(ledger, lane->from, lane->to, ALDIS__RANK_CONTROL);
    if (link && link->keeps_order && sequence >= link->kept_since)
        return true;
    return at_ns != lane->at_ns ? at_ns < lane->at_ns : step <= lane->step;
}

static void hear_plain(struct aldis__ledger *ledger, const struct aldis__heard *heard)
{
    uint64_t sequence = heard->stamp.order & ((UINT64_C(1) << ALDIS__SEQUENCE_BITS) - 1);
    uint64_t step = heard->stamp.order >> ALDIS__SEQUENCE_BITS;
    if (sequence >= SEQUENCE_OWN || aldis_id_is_nobody(heard->from) ||
        aldis_id_equal(heard->from, heard->cell->id) || (heard->flags & ALDIS__MSG_TIMER))
        return;
    struct lane *lane = make_lane(ledger, heard->from, heard->cell->id, heard->rank);
    if (!lane) {
        no_memory(ledger);
        return;
    }
    if (!heard->payload || heard->err != ALDIS_OK) { /* kept, rejected, or tried again */
        if (sequence > lane->free_up_to)
            lane->free_up_to = sequence;
        return;
    }
    bool before = lane->any && sequence < lane->sequence;
    if (before && sequence > lane->free_up_to &&
        is_late(ledger, lane, heard->stamp.at_ns, step, sequence))
        violate(ledger, ALDIS_VIOLATION_ORDER,
                "%s (%016llx) handled %s, message %llu of %016llx, after its message %llu, at "
                "%.3f s",
                heard->cell->kind->behaviour->name, (unsigned long long)heard->cell->id.bits,
                aldis__type_info(heard->type)->name, (unsigned long long)sequence,
                (unsigned long long)heard->from.bits, (unsigned long long)lane->sequence,
                (double)heard->now_ns * 1e-9);
    if (before)
        return;
    lane->any = true;
    lane->sequence = sequence;
    lane->step = step;
    lane->at_ns = heard->stamp.at_ns;
}

/* ------------------------------------------------------------------ reliable messages */

static void violate_stream(struct aldis__ledger *ledger, aldis_violation violation,
                           const struct aldis__heard *heard, const char *what, uint64_t other)
{
    char behind[32] = "";
    if (other)
        snprintf(behind, sizeof behind, " %llu", (unsigned long long)other);
    violate(ledger, violation, "%s (%016llx) handled %s, number %llu of %016llx, %s%s, at %.3f s",
            heard->cell->kind->behaviour->name, (unsigned long long)heard->cell->id.bits,
            aldis__type_info(heard->type)->name, plain(heard->track->a),
            (unsigned long long)heard->from.bits, what, behind, (double)heard->now_ns * 1e-9);
}

static void hear_reliable(struct aldis__ledger *ledger, const struct aldis__heard *heard)
{
    const struct aldis__track *track = heard->track;
    uint64_t number = track->a;
    bool loose = (number & ALDIS__NUMBER_LOOSE) != 0;
    struct stream *stream =
        make_stream(ledger, aldis__reliable_stream(heard->from, track), heard->cell->id, number);
    /* Done: its handler has succeeded, or has said so itself. */
    bool done = (heard->err == ALDIS_OK && !(track->b & ALDIS__FLAG_SETTLED)) ||
                (track->b & ALDIS__FLAG_ACKED);
    if (!stream) {
        no_memory(ledger);
        return;
    }
    if (aldis__grade_of(track->b) == ALDIS_AT_MOST_ONCE && bits_has(&stream->begun, number))
        violate_stream(ledger, ALDIS_VIOLATION_DUPLICATE, heard, "a second time, at most once", 0);
    if (!loose && done && bits_has(&stream->done, number))
        violate_stream(ledger, ALDIS_VIOLATION_DUPLICATE, heard, "a second time", 0);
    if ((track->b & ALDIS__FLAG_ORDERED) && number < stream->last_ordered)
        violate_stream(ledger, ALDIS_VIOLATION_ORDER, heard, "after number", stream->last_ordered);
    if (!bits_add(&stream->begun, number) || (done && !bits_add(&stream->done, number)))
        no_memory(ledger);
    if ((track->b & ALDIS__FLAG_ORDERED) && done && number > stream->last_ordered)
        stream->last_ordered = number;
}

static void violate_told(struct aldis__ledger *ledger, aldis_violation violation,
                         const struct aldis__heard *heard, const char *what)
{
    const aldis_delivered *told = heard->payload;
    violate(ledger, violation,
            "%s (%016llx) was told that its number %llu to %016llx has arrived, at %.3f s: %s",
            heard->cell->kind->behaviour->name, (unsigned long long)heard->cell->id.bits,
            plain(told->id.number), (unsigned long long)told->id.to.bits,
            (double)heard->now_ns * 1e-9, what);
}

/* Durable: by another actor of the receiver's name. */
static bool was_begun_elsewhere(const struct aldis__ledger *ledger, const struct stream *stream,
                                uint64_t number)
{
    for (size_t i = 0; i < ledger->streams.capacity; i++)
        for (struct aldis__link *link = ledger->streams.buckets[i]; link; link = link->next) {
            const struct stream *other = (const struct stream *)(void *)link;
            if (aldis_id_equal(other->from, stream->from) && bits_has(&other->begun, number))
                return true;
        }
    return false;
}

static void hear_told(struct aldis__ledger *ledger, const struct aldis__heard *heard)
{
    const aldis_delivered *told = heard->payload;
    uint64_t number = told->id.number;
    aldis_id from = aldis__reliable_stream(heard->from, heard->track);
    bool durable = aldis__is_endpoint(from);
    struct stream *stream =
        make_stream(ledger, durable ? from : told->id.from, told->id.to, number);
    if (!stream) {
        no_memory(ledger);
        return;
    }
    if (bits_has(&stream->told, number) && !bits_has(&stream->failed, number))
        violate_told(ledger, ALDIS_VIOLATION_UNEXPECTED, heard, "a second time");
    if (told->result == ALDIS_OK && !bits_has(&stream->begun, number) &&
        !(durable && was_begun_elsewhere(ledger, stream, number)))
        violate_told(ledger, ALDIS_VIOLATION_LOST, heard, "no handler has had it");
    if (!bits_add(&stream->told, number) ||
        (heard->err != ALDIS_OK && !bits_add(&stream->failed, number)))
        no_memory(ledger);
}

void aldis__ledger_heard(struct aldis__ledger *ledger, const struct aldis__heard *heard)
{
    pthread_mutex_lock(&ledger->lock);
    if (heard->type == ALDIS__TYPE_DELIVERED)
        hear_told(ledger, heard);
    else if (heard->track && aldis__reliable_is(heard->track))
        hear_reliable(ledger, heard);
    else if (!(heard->flags & ALDIS__MSG_TRACKED)) /* others may be held back, by causal order */
        hear_plain(ledger, heard);
    pthread_mutex_unlock(&ledger->lock);
}

/* ------------------------------------------------------------------ the end of a run */

struct closing {
    struct aldis__ledger *ledger;
    aldis_ns now_ns, healed_ns;
};

/* Confirmations under way: their senders will be told. What is no confirmation yet (an
 * acknowledgement, filled in when it comes) has no number. */
static void note_flying(void *arg, struct aldis__msg *msg)
{
    const struct closing *closing = arg;
    if (msg->type != ALDIS__TYPE_DELIVERED)
        return;
    const aldis_delivered *told = aldis__msg_body(msg);
    if (told->id.number == 0)
        return;
    struct stream *stream =
        make_stream(closing->ledger, told->id.from, told->id.to, told->id.number);
    if (!stream || !bits_add(&stream->flying, told->id.number))
        no_memory(closing->ledger);
}

static void note_pending(const struct closing *closing, const struct aldis__cell *cell,
                         const struct aldis__pending *pending)
{
    struct aldis__ledger *ledger = closing->ledger;
    struct stream *stream = make_stream(ledger, cell->id, pending->to, pending->number);
    if (!stream || !bits_add(&stream->flying, pending->number))
        no_memory(ledger);
    aldis_ns since_ns =
        pending->sent_ns > closing->healed_ns ? pending->sent_ns : closing->healed_ns;
    if (closing->healed_ns == 0 || closing->now_ns - since_ns < STUCK_NS + pending->wait_max_ns)
        return;
    violate(ledger, ALDIS_VIOLATION_STUCK,
            "%s (%016llx): its %s, number %llu to %016llx, is pending since %.3f s, after %u "
            "attempts",
            cell->kind->behaviour->name, (unsigned long long)cell->id.bits,
            pending->type ? pending->type->name : "message", plain(pending->number),
            (unsigned long long)pending->to.bits, (double)pending->sent_ns * 1e-9,
            pending->attempts);
}

/* All numbers from `first` on and below `next` were accepted: their sender was told of each, or
 * will be. */
static void check_numbers(const struct closing *closing, const struct aldis__cell *cell,
                          aldis_id to, uint64_t first, uint64_t next)
{
    for (uint64_t number = first; number < next; number++) {
        const struct stream *stream = find_stream(closing->ledger, cell->id, to, number);
        if (!stream || (!bits_has(&stream->told, number) && !bits_has(&stream->flying, number)))
            violate(closing->ledger, ALDIS_VIOLATION_LOST,
                    "%s (%016llx) was never told what became of its number %llu to %016llx",
                    cell->kind->behaviour->name, (unsigned long long)cell->id.bits, plain(number),
                    (unsigned long long)to.bits);
    }
}

static void check_unsent(const struct closing *closing, const struct aldis__cell *cell, aldis_id to,
                         uint64_t next)
{
    const struct stream *stream = find_stream(closing->ledger, cell->id, to, next);
    for (uint64_t number = next; stream && number < stream->begun.count; number++)
        if (bits_has(&stream->begun, number))
            violate(closing->ledger, ALDIS_VIOLATION_UNEXPECTED,
                    "number %llu of %s (%016llx) to %016llx was never sent, and has arrived",
                    plain(number), cell->kind->behaviour->name, (unsigned long long)cell->id.bits,
                    (unsigned long long)to.bits);
}

/* Durable streams are between names, and go on in other lives: what is pending there is seen, but
 * not the numbers of all that was told. */
static void close_sender(const struct closing *closing, const struct aldis__cell *cell)
{
    const struct aldis__sender *sender = aldis__sender_of(cell);
    for (uint32_t i = 0; sender && i < sender->stream_count; i++) {
        const struct aldis__stream *sent = &sender->streams[i];
        bool loose = (sent->next_number & ALDIS__NUMBER_LOOSE) != 0;
        for (uint32_t slot = sent->first; slot != ALDIS__PENDING_NONE;
             slot = aldis__sender_at(sender, slot)->next)
            note_pending(closing, cell, aldis__sender_at(sender, slot));
        if (aldis__is_endpoint(sent->to))
            continue;
        check_numbers(closing, cell, sent->to, loose ? sender->first_loose : 1, sent->next_number);
        if (!loose)
            check_unsent(closing, cell, sent->to, sent->next_number);
    }
}

void aldis__ledger_close(struct aldis__ledger *ledger, aldis_system *system, aldis_ns healed_ns)
{
    struct closing closing = {ledger, aldis__virtual_now(system), healed_ns};
    pthread_mutex_lock(&ledger->lock);
    for (size_t i = 0; i < ledger->streams.capacity; i++)
        for (struct aldis__link *link = ledger->streams.buckets[i]; link; link = link->next) {
            struct bits *flying = &((struct stream *)(void *)link)->flying;
            if (flying->count)
                memset(flying->bytes, 0, flying->count / 8);
        }
    aldis__system_walk(system, note_flying, &closing);
    for (uint32_t birth = 0; birth <= system->shard_count; birth++)
        for (uint32_t slot = 0; slot < system->shards[birth].slot_end; slot++) {
            uint64_t place = (uint64_t)birth << ALDIS__SLOT_BITS | slot;
            const struct aldis__cell *cell = aldis__system_cell(system, place);
            if (aldis__word_is_alive(aldis__directory_read(&system->directory[place]), cell->id))
                close_sender(&closing, cell);
        }
    pthread_mutex_unlock(&ledger->lock);
}
