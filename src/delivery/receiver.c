// SPDX-License-Identifier: Apache-2.0
/* receiver.c: see receiver.h. Layer: delivery. */
#include "delivery/receiver.h"

#include "base/hash.h"
#include <stdlib.h>
#include <string.h>

enum { FILTERS_FIRST = 4, WORD_BITS = 64 };

static void fini(struct aldis__part *part)
{
    struct aldis__receiver *receiver = (struct aldis__receiver *)(void *)part;
    for (uint32_t i = 0; i < receiver->filter_size; i++)
        free(receiver->filters[i].ahead);
    free(receiver->filters);
}

/* Nothing to do at a restart: what is done stays done. */
static const struct aldis__part_class receiver_class = {
    .name = "aldis.delivery.receiver", .size = sizeof(struct aldis__receiver), .fini = fini};

struct aldis__receiver *aldis__receiver_of(const struct aldis__cell *cell)
{
    return (struct aldis__receiver *)(void *)aldis__part_of(cell, &receiver_class);
}

struct aldis__receiver *aldis__receiver_make(struct aldis__cell *cell)
{
    return (struct aldis__receiver *)(void *)aldis__part_make(cell, &receiver_class);
}

/* ------------------------------------------------------------------ filters */

static struct aldis__filter *place_of(struct aldis__filter *filters, uint32_t size, aldis_id sender)
{
    for (uint32_t i = (uint32_t)aldis__mix64(sender.bits);; i++) {
        struct aldis__filter *filter = &filters[i & (size - 1)];
        if (aldis_id_is_nobody(filter->sender) || aldis_id_equal(filter->sender, sender))
            return filter;
    }
}

static bool grow(struct aldis__receiver *receiver)
{
    uint32_t size = receiver->filter_size ? 2 * receiver->filter_size : FILTERS_FIRST;
    struct aldis__filter *filters = calloc(size, sizeof *filters);
    if (!filters)
        return false;
    for (uint32_t i = 0; i < receiver->filter_size; i++) {
        const struct aldis__filter *filter = &receiver->filters[i];
        if (!aldis_id_is_nobody(filter->sender))
            *place_of(filters, size, filter->sender) = *filter;
    }
    free(receiver->filters);
    receiver->filters = filters;
    receiver->filter_size = size;
    return true;
}

struct aldis__filter *aldis__filter_of(struct aldis__receiver *receiver, aldis_id sender)
{
    struct aldis__filter *filter = NULL;
    if (receiver->filter_size)
        filter = place_of(receiver->filters, receiver->filter_size, sender);
    if (filter && !aldis_id_is_nobody(filter->sender))
        return filter;
    if (2 * (receiver->filter_count + 1) > receiver->filter_size && !grow(receiver))
        return NULL;
    filter = place_of(receiver->filters, receiver->filter_size, sender);
    filter->sender = sender;
    receiver->filter_count++;
    return filter;
}

bool aldis__filter_has(const struct aldis__filter *filter, uint64_t number)
{
    if (number <= filter->done)
        return true;
    uint64_t bit = number - filter->done - 1;
    return filter->ahead && bit < ALDIS__FILTER_WORDS * WORD_BITS &&
           (filter->ahead[bit / WORD_BITS] >> (bit % WORD_BITS) & 1);
}

/* The bits move down by so many numbers. */
static void shift(struct aldis__filter *filter, uint64_t numbers)
{
    uint64_t *ahead = filter->ahead;
    if (!ahead)
        return;
    uint64_t words = numbers / WORD_BITS, bits = numbers % WORD_BITS;
    for (uint64_t i = 0; i < ALDIS__FILTER_WORDS; i++) {
        uint64_t from = i + words;
        uint64_t low = from < ALDIS__FILTER_WORDS ? ahead[from] : 0;
        uint64_t high = from + 1 < ALDIS__FILTER_WORDS ? ahead[from + 1] : 0;
        ahead[i] = bits ? low >> bits | high << (WORD_BITS - bits) : low;
    }
    filter->ahead_count = 0;
    for (uint64_t i = 0; i < ALDIS__FILTER_WORDS; i++)
        filter->ahead_count += (uint32_t)__builtin_popcountll(ahead[i]);
}

/* All numbers up to `done` are done, and so are those that follow it without a gap. */
static void settle(struct aldis__filter *filter, uint64_t done)
{
    shift(filter, done - filter->done);
    filter->done = done;
    while (filter->ahead_count && (filter->ahead[0] & 1)) {
        uint64_t run = (uint64_t)__builtin_ctzll(~filter->ahead[0] | UINT64_C(1) << 63);
        run = run ? run : 1;
        shift(filter, run);
        filter->done += run;
    }
    if (filter->ahead && filter->ahead_count == 0) {
        free(filter->ahead);
        filter->ahead = NULL;
    }
}

void aldis__filter_advance(struct aldis__filter *filter, uint64_t number)
{
    if (number > filter->done)
        settle(filter, number);
}

bool aldis__filter_add(struct aldis__filter *filter, uint64_t number)
{
    if (number <= filter->done)
        return true;
    if (number == filter->done + 1) {
        if (!filter->ahead)
            filter->done = number;
        else
            settle(filter, number);
        return true;
    }
    if (number - filter->done > ALDIS__FILTER_WORDS * WORD_BITS)
        return false; /* only of a token that somebody made up */
    if (!filter->ahead)
        filter->ahead = calloc(ALDIS__FILTER_WORDS, sizeof *filter->ahead);
    if (!filter->ahead)
        return false;
    uint64_t bit = number - filter->done - 1;
    uint64_t *word = &filter->ahead[bit / WORD_BITS], mask = UINT64_C(1) << (bit % WORD_BITS);
    filter->ahead_count += (*word & mask) == 0;
    *word |= mask;
    return true;
}
