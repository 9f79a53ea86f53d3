// SPDX-License-Identifier: Apache-2.0
/* outbox.c: see outbox.h. Layer: flow. */
#include "flow/outbox.h"

#include "core/send.h"
#include <stdlib.h>
#include <string.h>

void aldis__outbox_init(struct aldis__outbox *outbox)
{
    *outbox = (struct aldis__outbox){.first = NULL};
    outbox->last = &outbox->first;
}

void aldis__outbox_fini(struct aldis__outbox *outbox)
{
    while (outbox->first)
        free(aldis__outbox_pop(outbox));
}

bool aldis__outbox_push(struct aldis__outbox *outbox, const struct aldis__parcel *parcel,
                        aldis_ns deadline_ns)
{
    struct aldis__outbox_entry *entry = malloc(sizeof *entry + parcel->size);
    if (!entry)
        return false;
    *entry = (struct aldis__outbox_entry){
        .type = parcel->type, .deadline_ns = deadline_ns, .size = parcel->size};
    if (parcel->size)
        memcpy(entry->payload, parcel->payload, parcel->size);
    *outbox->last = entry;
    outbox->last = &entry->next;
    outbox->bytes += parcel->size;
    if (++outbox->count > outbox->peak)
        outbox->peak = outbox->count;
    return true;
}

struct aldis__outbox_entry *aldis__outbox_pop(struct aldis__outbox *outbox)
{
    struct aldis__outbox_entry *entry = outbox->first;
    outbox->first = entry->next;
    if (!outbox->first)
        outbox->last = &outbox->first;
    outbox->count--;
    outbox->bytes -= entry->size;
    return entry;
}

uint64_t aldis__outbox_bury(struct aldis__outbox *outbox, struct aldis__worker *worker,
                            const struct aldis__cell *cell, aldis_id to, aldis_lane lane,
                            aldis_err reason)
{
    const aldis_send_opts opts = {.lane = lane};
    uint64_t buried = 0;
    for (; outbox->first; buried++) {
        struct aldis__outbox_entry *entry = aldis__outbox_pop(outbox);
        const struct aldis__parcel parcel = {.to = to,
                                             .type = entry->type,
                                             .payload = entry->payload,
                                             .size = entry->size,
                                             .opts = &opts};
        aldis__parcel_bury(worker, cell->id, &parcel, reason);
        free(entry);
    }
    return buried;
}

uint64_t aldis__outbox_expire(struct aldis__outbox *outbox, aldis_ctx *ctx, aldis_id to)
{
    struct aldis__worker *worker = aldis__worker_of(ctx);
    uint64_t expired = 0;
    for (; outbox->first && outbox->first->deadline_ns <= aldis_now(ctx); expired++) {
        struct aldis__outbox_entry *entry = aldis__outbox_pop(outbox);
        uint32_t index = aldis__type_index(entry->type);
        worker->counts[index].sent++;
        worker->counts[index].expired++;
        aldis__outbox_tell(worker, ctx->cell, to, entry, ALDIS_EEXPIRED);
        free(entry);
    }
    return expired;
}

void aldis__outbox_tell(struct aldis__worker *worker, const struct aldis__cell *cell, aldis_id to,
                        const struct aldis__outbox_entry *entry, aldis_err reason)
{
    if (!cell->kind->wants_undelivered)
        return;
    struct aldis__refusal refusal = {to, aldis__type_index(entry->type), 1, reason};
    aldis__post_runtime(worker, cell->id, cell->id, ALDIS__TYPE_UNDELIVERED, &refusal,
                        sizeof refusal);
}
