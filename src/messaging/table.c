// SPDX-License-Identifier: Apache-2.0
/* table.c: see table.h. Layer: messaging. */
#include "messaging/table.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 16 };

static void put(struct aldis__link **buckets, size_t capacity, struct aldis__link *link)
{
    struct aldis__link **bucket = &buckets[link->hash & (capacity - 1)];
    link->next = *bucket;
    *bucket = link;
}

bool aldis__table_reserve(struct aldis__table *table)
{
    if (table->count < table->capacity)
        return true;
    size_t capacity = table->capacity ? 2 * table->capacity : FIRST_CAPACITY;
    struct aldis__link **buckets = calloc(capacity, sizeof(struct aldis__link *));
    if (!buckets)
        return table->capacity > 0;
    for (size_t i = 0; i < table->capacity; i++) {
        struct aldis__link *link = table->buckets[i];
        while (link) {
            struct aldis__link *next = link->next;
            put(buckets, capacity, link);
            link = next;
        }
    }
    free(table->buckets);
    table->buckets = buckets;
    table->capacity = capacity;
    return true;
}

void aldis__table_add(struct aldis__table *table, struct aldis__link *link, uint64_t hash)
{
    link->hash = hash;
    put(table->buckets, table->capacity, link);
    table->count++;
}

void aldis__table_remove(struct aldis__table *table, struct aldis__link *link)
{
    struct aldis__link **place = &table->buckets[link->hash & (table->capacity - 1)];
    while (*place != link)
        place = &(*place)->next;
    *place = link->next;
    table->count--;
}

void aldis__table_fini(struct aldis__table *table)
{
    free(table->buckets);
    *table = (struct aldis__table){0};
}
