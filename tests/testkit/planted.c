// SPDX-License-Identifier: Apache-2.0
/* planted.c: see planted.h. */
#include "planted.h"

#include "core/deliver.h"
#include "core/link.h"
#include "core/mailbox.h"
#include "delivery/receiver.h"
#include "delivery/reliable.h"
#include "delivery/sender.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum planted_bug planted_bug;

/* `aldis` with a bug: the tests of the program name it. */
__attribute__((constructor)) static void read_environment(void)
{
    static const char *const words[] = {
#define WORD(name, word) word,
        PLANTED_BUGS(WORD)
#undef WORD
    };
    const char *wanted = getenv("ALDIS_PLANTED");
    for (size_t i = 0; wanted && i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i], wanted) == 0)
            planted_bug = (enum planted_bug)i;
}

bool __real_aldis__filter_has(const struct aldis__filter *filter, uint64_t number);
bool __wrap_aldis__filter_has(const struct aldis__filter *filter, uint64_t number);
bool __real_aldis__filter_add(struct aldis__filter *filter, uint64_t number);
bool __wrap_aldis__filter_add(struct aldis__filter *filter, uint64_t number);
void __real_aldis__filter_advance(struct aldis__filter *filter, uint64_t number);
void __wrap_aldis__filter_advance(struct aldis__filter *filter, uint64_t number);
uint32_t __real_aldis__sender_pop_due(struct aldis__sender *sender, aldis_ns now_ns);
uint32_t __wrap_aldis__sender_pop_due(struct aldis__sender *sender, aldis_ns now_ns);
void __real_aldis__sender_restart(struct aldis__worker *worker, struct aldis__cell *cell,
                                  struct aldis__part *part);
void __wrap_aldis__sender_restart(struct aldis__worker *worker, struct aldis__cell *cell,
                                  struct aldis__part *part);
aldis_ns __real_aldis__link_pass(const struct aldis__cell *sender, aldis_id to, aldis_ns at_ns);
aldis_ns __wrap_aldis__link_pass(const struct aldis__cell *sender, aldis_id to, aldis_ns at_ns);
struct aldis__msg *__real_aldis__mailbox_pop_lanes(struct aldis__cell *cell);
struct aldis__msg *__wrap_aldis__mailbox_pop_lanes(struct aldis__cell *cell);
void __real_aldis__refuse(struct aldis__worker *worker, struct aldis__msg *msg,
                          enum aldis__fate fate, aldis_err reason);
void __wrap_aldis__refuse(struct aldis__worker *worker, struct aldis__msg *msg,
                          enum aldis__fate fate, aldis_err reason);

/* ------------------------------------------------------------------ the receiver's side */

/* Taken before what they follow: of which sender, which number. */
static struct {
    aldis_id sender;
    uint64_t number;
} taken[256];
static size_t taken_count;
static uint64_t done_before; /* the gap is closed while the message is handled */

static bool was_taken(aldis_id sender, uint64_t number)
{
    for (size_t i = 0; i < taken_count; i++)
        if (taken[i].number == number && aldis_id_equal(taken[i].sender, sender))
            return true;
    return false;
}

/* Until its handler has run the message counts as the next one of its stream: filter_add puts the
 * true count back. */
static bool let_in(const struct aldis__filter *filter, uint64_t number)
{
    done_before = filter->done + 1;
    ((struct aldis__filter *)(uintptr_t)filter)->done = number - 1;
    return false;
}

bool __wrap_aldis__filter_has(const struct aldis__filter *filter, uint64_t number)
{
    if (planted_bug == PLANTED_TAKES_GAPS && was_taken(filter->sender, number))
        return true;
    if (planted_bug == PLANTED_TAKES_GAPS && number > filter->done + 1 && taken_count < 256)
        return let_in(filter, number);
    if (planted_bug == PLANTED_FILTER_WINDOW && number + 8 < filter->done)
        return let_in(filter, number);
    if (planted_bug == PLANTED_FILTER_FORGETS && number % 8 == 0 && number <= filter->done)
        return let_in(filter, number);
    return __real_aldis__filter_has(filter, number);
}

bool __wrap_aldis__filter_add(struct aldis__filter *filter, uint64_t number)
{
    if (done_before) {
        if (planted_bug == PLANTED_TAKES_GAPS) {
            taken[taken_count].sender = filter->sender;
            taken[taken_count++].number = number;
        }
        filter->done = done_before - 1;
        done_before = 0;
        return true;
    }
    bool added = __real_aldis__filter_add(filter, number);
    while (planted_bug == PLANTED_TAKES_GAPS && was_taken(filter->sender, filter->done + 1))
        added = __real_aldis__filter_add(filter, filter->done + 1);
    return added;
}

void __wrap_aldis__filter_advance(struct aldis__filter *filter, uint64_t number)
{
    if (planted_bug == PLANTED_SKIPS)
        number += 2;
    __real_aldis__filter_advance(filter, number);
}

/* ------------------------------------------------------------------ the sender's side */

uint32_t __wrap_aldis__sender_pop_due(struct aldis__sender *sender, aldis_ns now_ns)
{
    uint32_t slot = __real_aldis__sender_pop_due(sender, now_ns);
    if (slot == ALDIS__PENDING_NONE || aldis__sender_at(sender, slot)->attempts < 3)
        return slot;
    if (planted_bug == PLANTED_GIVES_UP)
        return ALDIS__PENDING_NONE;
    if (planted_bug == PLANTED_TELLS_NOBODY) {
        aldis__sender_release(sender, slot, false);
        return ALDIS__PENDING_NONE;
    }
    return slot;
}

void __wrap_aldis__sender_restart(struct aldis__worker *worker, struct aldis__cell *cell,
                                  struct aldis__part *part)
{
    struct aldis__sender *sender = (struct aldis__sender *)(void *)part;
    for (uint32_t i = 0; planted_bug == PLANTED_RENUMBERS && i < sender->stream_count; i++)
        if (sender->streams[i].next_number > 1)
            sender->streams[i].next_number--;
    __real_aldis__sender_restart(worker, cell, part);
}

/* ------------------------------------------------------------------ the core */

aldis_ns __wrap_aldis__link_pass(const struct aldis__cell *sender, aldis_id to, aldis_ns at_ns)
{
    aldis_ns passed_ns = __real_aldis__link_pass(sender, to, at_ns);
    return planted_bug == PLANTED_LINKS_OVERTAKE ? at_ns : passed_ns;
}

struct aldis__msg *__wrap_aldis__mailbox_pop_lanes(struct aldis__cell *cell)
{
    struct aldis__msg *first = cell->head, *second = first ? first->next : NULL;
    if (planted_bug == PLANTED_TURNS_SWAP && second && aldis_id_equal(first->from, second->from)) {
        first->next = second->next;
        second->next = first;
        cell->head = second;
        if (cell->tail == second)
            cell->tail = first;
    }
    return __real_aldis__mailbox_pop_lanes(cell);
}

void __wrap_aldis__refuse(struct aldis__worker *worker, struct aldis__msg *msg,
                          enum aldis__fate fate, aldis_err reason)
{
    if (planted_bug == PLANTED_CRASHES && reason == ALDIS_ECOMM)
        abort();
    while (planted_bug == PLANTED_HANGS && reason == ALDIS_ECOMM)
        pause();
    __real_aldis__refuse(worker, msg, fate, reason);
}
