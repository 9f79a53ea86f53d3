// SPDX-License-Identifier: Apache-2.0
/* witness.c: see witness.h. */
#include "witness.h"

#include "chronicle.h"

#include <pthread.h>
#include <stdlib.h>

struct witness {
    pthread_mutex_t lock; /* several workers note at once */
    aldis_handled *noted;
    size_t count, capacity;
};

struct witness *witness_create(void)
{
    struct witness *witness = calloc(1, sizeof *witness);
    if (witness && pthread_mutex_init(&witness->lock, NULL) != 0) {
        free(witness);
        return NULL;
    }
    return witness;
}

void witness_destroy(struct witness *witness)
{
    if (!witness)
        return;
    pthread_mutex_destroy(&witness->lock);
    free(witness->noted);
    free(witness);
}

static bool has_room(struct witness *witness)
{
    if (witness->count < witness->capacity)
        return true;
    size_t capacity = witness->capacity > 0 ? 2 * witness->capacity : 256;
    aldis_handled *noted = realloc(witness->noted, capacity * sizeof *noted);
    if (!noted)
        return false;
    witness->noted = noted;
    witness->capacity = capacity;
    return true;
}

static void note(void *arg, const aldis_handled *handled)
{
    struct witness *witness = arg;
    pthread_mutex_lock(&witness->lock);
    if (has_room(witness)) /* else the verdict stands without all of its evidence */
        witness->noted[witness->count++] = *handled;
    pthread_mutex_unlock(&witness->lock);
}

aldis_err witness_watch(struct witness *witness, aldis_system *system)
{
    return aldis_system_on_handled(system, note, witness);
}

void witness_forget(struct witness *witness)
{
    witness->count = 0;
}

/* ---- What led to it ---- */

struct owner {
    aldis_id actor;
    uint32_t account;
};

static int compare_owners(const void *a, const void *b)
{
    const struct owner *x = a, *y = b;
    return x->actor.bits < y->actor.bits ? -1 : x->actor.bits > y->actor.bits;
}

/* All that have accounts, by id; their number. NULL: no memory. */
static struct owner *list_owners(const struct chart *chart, size_t *out_count)
{
    const struct books *books = chart->books;
    uint32_t count = 0;
    struct owner *owners = calloc(books_accounts(books), sizeof *owners);
    if (!owners)
        return NULL;
    for (uint32_t i = 0; i < books->station_count; i++)
        owners[count++] = (struct owner){chart->stations[i].id, i};
    for (uint32_t i = 0; books->ids && i < books->ship_count; i++)
        owners[count++] = (struct owner){books->ids[i], books->station_count + 1 + i};
    qsort(owners, count, sizeof *owners, compare_owners);
    *out_count = count;
    return owners;
}

/* The account of an actor; that of the services for any of those, and for nobody. */
static uint32_t account_of(const struct chart *chart, const struct owner *owners, size_t count,
                           aldis_id actor)
{
    const struct owner key = {.actor = actor};
    const struct owner *owner =
        count > 0 ? bsearch(&key, owners, count, sizeof *owners, compare_owners) : NULL;
    return owner ? owner->account : chart->books->station_count;
}

/* The order in which a window's messages are handled: see the run print. */
static int compare(const void *a, const void *b)
{
    const aldis_handled *x = a, *y = b;
    if (x->at_ns != y->at_ns)
        return x->at_ns < y->at_ns ? -1 : 1;
    if (x->microstep != y->microstep)
        return x->microstep < y->microstep ? -1 : 1;
    if (!aldis_id_equal(x->receiver, y->receiver))
        return x->receiver.bits < y->receiver.bits ? -1 : 1;
    if (!aldis_id_equal(x->sender, y->sender))
        return x->sender.bits < y->sender.bits ? -1 : 1;
    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

void witness_print(struct witness *witness, const struct holdings *holdings,
                   const struct chart *chart, uint32_t lines, FILE *out)
{
    size_t kept = 0, count = 0;
    struct owner *owners = list_owners(chart, &count);
    for (size_t i = 0; owners && i < witness->count; i++) {
        uint32_t account = account_of(chart, owners, count, witness->noted[i].receiver);
        if (holdings_have_changed(holdings, chart->books, account))
            witness->noted[kept++] = witness->noted[i];
    }
    if (kept > 0)
        qsort(witness->noted, kept, sizeof *witness->noted, compare);
    for (size_t i = kept > lines ? kept - lines : 0; i < kept; i++) {
        const aldis_handled *handled = &witness->noted[i];
        const struct chronicle_message message = {
            .at_ns = handled->at_ns,
            .type_name = handled->type_name,
            .account = account_of(chart, owners, count, handled->receiver),
            .from = account_of(chart, owners, count, handled->sender),
            .sequence = handled->sequence};
        chronicle_print_message(chart->scenario, &message, out);
    }
    free(owners);
    witness->count = 0; /* it is in another order now, and not whole */
}
