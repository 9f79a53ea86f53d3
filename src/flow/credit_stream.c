// SPDX-License-Identifier: Apache-2.0
/* credit_stream.c: a credit stream at its sender. Layer: flow. See credit.h. Threads: the worker of
 * the sender's shard.
 *
 * Invariants of a stream:
 *   sent <= limit
 *   messages wait in the outbox, or a send was refused for lack of credit  =>  starving
 *   starving  =>  the receiver knows it (noted), or has been asked and will be again */
#include "flow/credit.h"

#include "base/error.h"
#include "base/hash.h"
#include "core/backpressure.h"
#include "core/mailbox.h"
#include "core/part.h"
#include "core/send.h"
#include "core/timer.h"
#include "core/virtual.h"
#include "flow/outbox.h"
#include <stdlib.h>
#include <string.h>

enum { OUTBOX_MSGS = 1024, OUTBOX_BYTES = 1 << 20, ASK_DOUBLINGS = 6 };

struct stream {
    struct aldis__link link; /* of the table, by receiver */
    struct streams *streams; /* its actor's */
    struct stream *next, **place;
    struct stream *starving_next, **starving_place;
    aldis_id to;
    aldis_type *known; /* a type that the receiver accepts */
    uint64_t version, limit, sent;
    uint32_t serial, slot;
    aldis_credit_opts opts;
    aldis_send_opts send_opts;

    struct aldis__outbox outbox;

    bool starving, noted;
    bool refused_one;  /* for lack of credit: its sender wants to hear of credit */
    bool refused_full; /* since the outbox was full: it wants to hear of room */
    bool noticing;     /* a notice is under way */
    bool untold;       /* there was no memory for a notice */
    aldis_ns ask_ns;   /* when to ask again */
    aldis_ns ask_wait_ns;

    uint64_t submitted, refused, expired, discarded, notices, refreshes;
    uint32_t discarded_at_end;
    aldis_err result;
};

/* What an actor that has streams keeps. */
struct streams {
    struct aldis__part part;
    struct aldis__table table;
    struct aldis__alarm alarm;
    struct stream *first;
    struct stream *starving;
    struct stream *recent; /* the last one used */
    uint32_t last_serial;
    uint32_t untold;
    uint32_t asking; /* starving, and not noted */
    bool expires;    /* some of its streams have messages that expire */
};

static const struct aldis__tracker notice_tracker, alarm_tracker, last_report_tracker;

/* ------------------------------------------------------------------ finding */

static void end_all(struct aldis__worker *worker, struct aldis__cell *cell,
                    struct aldis__part *part);
static void free_all(struct aldis__part *part);

static const struct aldis__part_class streams_class = {"credit streams", sizeof(struct streams),
                                                       end_all, end_all, free_all};

static inline struct streams *streams_of(const struct aldis__cell *cell)
{
    return (struct streams *)(void *)aldis__part_of(cell, &streams_class);
}

static struct stream *find(const struct streams *streams, aldis_id to)
{
    uint64_t hash = aldis__mix64(to.bits);
    struct aldis__link *link = aldis__table_first(&streams->table, hash);
    while (link && !aldis_id_equal(((struct stream *)(void *)link)->to, to))
        link = aldis__table_next(link->next, hash);
    return (struct stream *)(void *)link;
}

/* The stream of this name; NULL: it is over. */
static struct stream *find_serial(struct aldis__cell *cell, aldis_id to, uint64_t serial)
{
    struct streams *streams = streams_of(cell);
    struct stream *stream = streams ? find(streams, to) : NULL;
    return stream && stream->serial == serial ? stream : NULL;
}

/* The stream of this actor; NULL: there is none, and the error is set. */
static struct stream *lookup(const aldis_ctx *ctx, aldis_id to)
{
    if (aldis__ctx_check(ctx, "credit") != ALDIS_OK)
        return NULL;
    struct streams *streams = streams_of(ctx->cell);
    struct stream *stream = streams ? streams->recent : NULL;
    if (!stream || !aldis_id_equal(stream->to, to))
        stream = streams ? find(streams, to) : NULL;
    if (stream)
        streams->recent = stream;
    else
        (void)aldis__error_set(ALDIS_ENOTFOUND, to, "", "credit: there is no stream to it");
    return stream;
}

/* ------------------------------------------------------------------ telling the receiver */

static void report_by(const struct aldis__tracker *tracker, struct aldis__worker *worker,
                      struct aldis__cell *cell, const struct stream *stream, uint32_t flags)
{
    bool kept = (cell->flags & ALDIS__CELL_OVERFLOW) && aldis__overflow_has(cell, stream->to);
    const struct aldis__track track = {tracker, ALDIS_FOREVER, stream->serial, stream->slot};
    const struct aldis__credit_report told = {
        .version = stream->version,
        .limit = stream->limit,
        .sent = stream->sent,
        .transit_ns = worker->ctx.system->virtual_time
                          ? aldis__virtual_transit(worker->ctx.system, cell, stream->to)
                          : 0,
        .flags = flags | (kept ? (uint32_t)ALDIS__CREDIT_KEPT : 0),
        .lane = (uint32_t)stream->opts.lane};
    aldis__post_tracked(worker, cell->id, stream->to, &track, &told, sizeof told);
}

static void report(struct aldis__worker *worker, struct aldis__cell *cell,
                   const struct stream *stream, uint32_t flags)
{
    report_by(&aldis__credit_report_tracker, worker, cell, stream, flags);
}

/* Of a stream that this actor does not know (any more). */
static void report_unknown(struct aldis__worker *worker, struct aldis__cell *cell, aldis_id to,
                           const struct aldis__track *grant)
{
    const struct aldis__track track = {&aldis__credit_report_tracker, ALDIS_FOREVER, grant->a,
                                       grant->b};
    const struct aldis__credit_report told = {.flags =
                                                  ALDIS__CREDIT_CLOSED | ALDIS__CREDIT_UNKNOWN};
    aldis__post_tracked(worker, cell->id, to, &track, &told, sizeof told);
}

/* See to it that something happens in time, if need be. Without memory: at the next occasion. */
static void set_alarm(aldis_ctx *ctx, const struct stream *stream)
{
    aldis_ns due_ns = stream->noted ? ALDIS_FOREVER : stream->ask_ns;
    if (stream->outbox.first && stream->outbox.first->deadline_ns < due_ns)
        due_ns = stream->outbox.first->deadline_ns;
    if (due_ns < ALDIS_FOREVER)
        (void)aldis__alarm_set(aldis__worker_of(ctx), ctx->cell, &stream->streams->alarm, due_ns,
                               &alarm_tracker);
}

/* It needs credit and has none. told: the receiver will know it from the last message. */
static void starve(aldis_ctx *ctx, struct stream *stream, bool told)
{
    struct streams *streams = stream->streams;
    if (!stream->starving) {
        stream->starving = true;
        stream->noted = false;
        streams->asking++;
        stream->ask_wait_ns = stream->opts.refresh_ns;
        stream->ask_ns = aldis__credit_later(aldis_now(ctx), stream->ask_wait_ns);
        stream->starving_next = streams->starving;
        stream->starving_place = &streams->starving;
        if (stream->starving_next)
            stream->starving_next->starving_place = &stream->starving_next;
        streams->starving = stream;
        if (!told)
            report(aldis__worker_of(ctx), ctx->cell, stream, ALDIS__CREDIT_HUNGRY);
    }
    set_alarm(ctx, stream);
}

/* What is known to all need not be looked at again: a system with no alarm is at rest. */
static void rest(struct aldis__worker *worker, struct streams *streams)
{
    if (!streams->asking && !streams->untold && (!streams->starving || !streams->expires))
        aldis__alarm_clear(worker, &streams->alarm);
}

static void note(struct aldis__worker *worker, struct stream *stream)
{
    if (!stream->starving || stream->noted)
        return;
    stream->noted = true;
    stream->streams->asking--;
    rest(worker, stream->streams);
}

static void starve_no_more(struct aldis__worker *worker, struct stream *stream)
{
    struct streams *streams = stream->streams;
    if (!stream->starving)
        return;
    stream->starving = false;
    *stream->starving_place = stream->starving_next;
    if (stream->starving_next)
        stream->starving_next->starving_place = stream->starving_place;
    streams->asking -= !stream->noted;
    rest(worker, streams);
}

/* ------------------------------------------------------------------ telling the sender */

/* Is there what a refused send was told to wait for? */
static bool is_good_news(const struct stream *stream)
{
    return (stream->refused_one && !stream->outbox.first && stream->sent < stream->limit) ||
           (stream->refused_full && stream->outbox.count <= stream->opts.outbox_msgs / 2);
}

/* To the running actor, whose own stream it is. What it says is filled in when its turn comes. */
static void notify(aldis_ctx *ctx, struct stream *stream)
{
    struct streams *streams = stream->streams;
    bool ended = stream->result != ALDIS_OK;
    if (stream->noticing || (!ended && !is_good_news(stream)))
        return;
    const struct aldis__track track = {&notice_tracker, ALDIS_FOREVER, stream->serial,
                                       stream->to.bits};
    const aldis_credit_notice blank = {.context = 0};
    const struct aldis__parcel parcel = {
        ctx->cell->id, &aldis_credit_notice_type, &blank, sizeof blank, NULL, NULL};
    stream->noticing = aldis__send_tracked(ctx, &parcel, &track) == ALDIS_OK;
    if (stream->noticing)
        return;
    streams->untold += !stream->untold;
    stream->untold = true;
    (void)aldis__alarm_set(aldis__worker_of(ctx), ctx->cell, &streams->alarm,
                           aldis_now(ctx) + ALDIS_MS, &alarm_tracker);
}

static enum aldis__admission admit_notice(struct aldis__worker *worker, struct aldis__cell *cell,
                                          struct aldis__msg *msg, struct aldis__track *track)
{
    const aldis_id to = {track->b};
    struct stream *stream = find_serial(cell, to, track->a);
    if (!stream)
        return ALDIS__ADMIT_DROP;
    bool ended = stream->result != ALDIS_OK;
    stream->noticing = ended; /* the last one is never repeated */
    if (!ended && !is_good_news(stream)) {
        if (stream->refused_one && !stream->outbox.first)
            starve(&worker->ctx, stream, false);
        return ALDIS__ADMIT_DROP; /* the credit has been used meanwhile; more will be told */
    }
    stream->refused_one = stream->refused_full = false;
    stream->notices += !ended;
    aldis_credit_notice *notice = aldis__msg_body(msg);
    *notice = (aldis_credit_notice){.to = to,
                                    .context = stream->opts.context,
                                    .available = (uint32_t)(stream->limit - stream->sent),
                                    .room = stream->opts.outbox_msgs - stream->outbox.count,
                                    .result = (uint32_t)stream->result,
                                    .discarded = stream->discarded_at_end};
    if (ended)
        notice->room = 0;
    return ALDIS__ADMIT_HANDLE;
}

static aldis_err on_notice_lost(struct aldis__worker *worker, struct aldis__cell *cell,
                                struct aldis__msg *msg, struct aldis__track *track)
{
    aldis_id to;
    memcpy(&to, aldis__msg_payload(msg, NULL), sizeof to);
    struct stream *stream = find_serial(cell, to, track->a);
    if (stream) {
        stream->noticing = false;
        notify(&worker->ctx, stream);
    }
    return ALDIS_OK;
}

static const struct aldis__tracker notice_lost_tracker = {
    .name = "credit notice lost", .handle = on_notice_lost, .steadfast = true};

/* Its mailbox has dropped it to make room. */
static void notice_ended(struct aldis__worker *worker, struct aldis__msg *msg,
                         struct aldis__track *track, enum aldis__fate fate, aldis_err reason)
{
    (void)fate, (void)reason;
    const aldis_id to = {track->b};
    const struct aldis__track lost = {&notice_lost_tracker, ALDIS_FOREVER, track->a, 0};
    if (worker)
        aldis__credit_tell_self(worker, msg->to, to, &lost);
}

static const struct aldis__tracker notice_tracker = {
    .name = "credit notice", .reserved = true, .admit = admit_notice, .ended = notice_ended};

/* ------------------------------------------------------------------ the outbox */

static void discard(struct aldis__worker *worker, struct aldis__cell *cell, struct stream *stream,
                    aldis_err reason)
{
    stream->discarded +=
        aldis__outbox_bury(&stream->outbox, worker, cell, stream->to, stream->opts.lane, reason);
}

static void expire(aldis_ctx *ctx, struct stream *stream)
{
    stream->expired += aldis__outbox_expire(&stream->outbox, ctx, stream->to);
}

/* ------------------------------------------------------------------ its end */

/* It has ended otherwise than by its sender, which is the running actor. */
static void end(aldis_ctx *ctx, struct stream *stream, aldis_err reason)
{
    struct aldis__worker *worker = aldis__worker_of(ctx);
    uint64_t discarded = stream->discarded;
    stream->result = reason;
    stream->limit = stream->sent;
    stream->known = NULL;
    discard(worker, ctx->cell, stream, reason);
    stream->discarded_at_end = (uint32_t)(stream->discarded - discarded);
    starve_no_more(worker, stream);
    notify(ctx, stream);
}

static void forget(struct stream *stream)
{
    struct streams *streams = stream->streams;
    *stream->place = stream->next;
    if (stream->next)
        stream->next->place = stream->place;
    if (streams->recent == stream)
        streams->recent = NULL;
    streams->untold -= stream->untold;
    aldis__table_remove(&streams->table, &stream->link);
    free(stream);
}

static void close_stream(struct aldis__worker *worker, struct aldis__cell *cell,
                         struct stream *stream)
{
    discard(worker, cell, stream, ALDIS_ESTATE);
    if (stream->result == ALDIS_OK)
        report_by(&last_report_tracker, worker, cell, stream, ALDIS__CREDIT_CLOSED);
    starve_no_more(worker, stream);
    forget(stream);
}

/* The actor ends, or its incarnation. */
static void end_all(struct aldis__worker *worker, struct aldis__cell *cell,
                    struct aldis__part *part)
{
    struct streams *streams = (struct streams *)(void *)part;
    while (streams->first)
        close_stream(worker, cell, streams->first);
    aldis__alarm_forget(worker, &streams->alarm);
}

static void free_all(struct aldis__part *part)
{
    struct streams *streams = (struct streams *)(void *)part;
    while (streams->first) {
        aldis__outbox_fini(&streams->first->outbox);
        forget(streams->first);
    }
    aldis__table_fini(&streams->table);
}

/* Its receiver was not there to hear a report. */
static aldis_err on_gone(struct aldis__worker *worker, struct aldis__cell *cell,
                         struct aldis__msg *msg, struct aldis__track *track)
{
    aldis_id to;
    memcpy(&to, aldis__msg_payload(msg, NULL), sizeof to);
    struct stream *stream = find_serial(cell, to, track->a);
    if (stream && stream->result == ALDIS_OK)
        end(&worker->ctx, stream, ALDIS_ESTALE);
    return ALDIS_OK;
}

static const struct aldis__tracker gone_tracker = {
    .name = "credit receiver gone", .handle = on_gone, .steadfast = true};

static void report_ended(struct aldis__worker *worker, struct aldis__msg *msg,
                         struct aldis__track *track, enum aldis__fate fate, aldis_err reason)
{
    (void)reason;
    const struct aldis__track gone = {&gone_tracker, ALDIS_FOREVER, track->a, 0};
    if (worker && fate == ALDIS__DEAD)
        aldis__credit_tell_self(worker, msg->from, msg->to, &gone);
}

const struct aldis__tracker aldis__credit_report_tracker = {.name = "credit report",
                                                            .handle = aldis__credit_on_report,
                                                            .ended = report_ended,
                                                            .duplicate = aldis__tracked_same,
                                                            .steadfast = true};

/* Nobody is there to repeat it: so it is the runtime's own to tell, like the end of an actor, and
 * no fault plan loses it. */
static const struct aldis__tracker last_report_tracker = {
    .name = "last credit report", .handle = aldis__credit_on_report, .steadfast = true};

void aldis__credit_tell_self(struct aldis__worker *worker, aldis_id actor, aldis_id peer,
                             const struct aldis__track *track)
{
    aldis_system *system = worker->ctx.system;
    uint64_t place = aldis__id_index(actor, system->node_base);
    if (aldis__word_is_alive(aldis__directory_read(&system->directory[place]), actor))
        aldis__post_tracked(worker, actor, actor, track, &peer, sizeof peer);
}

/* ------------------------------------------------------------------ sending */

/* Will no other message fare better? */
static bool is_final(aldis_err err)
{
    return err == ALDIS_ESTALE || err == ALDIS_ENOTFOUND || err == ALDIS_ESHUTDOWN;
}

/* There is credit. */
static inline aldis_err transmit(aldis_ctx *ctx, struct stream *stream,
                                 const struct aldis__parcel *parcel, aldis_ns deadline_ns,
                                 bool more)
{
    const struct aldis__track track = {&aldis__credit_message_tracker, deadline_ns,
                                       stream->sent + 1,
                                       stream->slot | (more ? ALDIS__CREDIT_MORE : 0) |
                                           (uint64_t)stream->serial << ALDIS__CREDIT_SERIAL_SHIFT};
    aldis_err err = aldis__send_tracked(ctx, parcel, &track);
    stream->sent += err == ALDIS_OK;
    return err;
}

static inline const aldis_send_opts *opts_of(const struct stream *stream)
{
    return stream->opts.lane == ALDIS_LANE_NORMAL ? NULL : &stream->send_opts;
}

static inline aldis_ns deadline_of(const aldis_ctx *ctx, const struct stream *stream)
{
    aldis_ns expiry_ns = stream->opts.expiry_ns;
    return expiry_ns ? aldis__credit_later(aldis_now(ctx), expiry_ns) : ALDIS_FOREVER;
}

/* Send what can go, in order; say what cannot. */
static void pump(aldis_ctx *ctx, struct stream *stream)
{
    bool told = false;
    expire(ctx, stream);
    while (stream->outbox.first && stream->sent < stream->limit) {
        struct aldis__outbox_entry *entry = aldis__outbox_pop(&stream->outbox);
        const struct aldis__parcel parcel = {stream->to,  entry->type,     entry->payload,
                                             entry->size, opts_of(stream), NULL};
        bool more = stream->outbox.first && stream->sent + 1 == stream->limit;
        aldis_err err = transmit(ctx, stream, &parcel, entry->deadline_ns, more);
        told = more && err == ALDIS_OK;
        if (err != ALDIS_OK) {
            stream->refused++;
            aldis__outbox_tell(aldis__worker_of(ctx), ctx->cell, stream->to, entry, err);
        }
        free(entry);
        if (is_final(err)) {
            end(ctx, stream, err);
            return;
        }
    }
    if (stream->outbox.first)
        starve(ctx, stream, told);
    notify(ctx, stream);
}

/* Credit has come, or was taken back. */
static void adopt(aldis_ctx *ctx, struct stream *stream, const struct aldis__credit_grant *grant,
                  uint32_t slot)
{
    bool is_new = grant->version > stream->version;
    if (is_new) {
        stream->version = grant->version;
        stream->slot = slot;
        stream->limit = grant->limit > stream->sent ? grant->limit : stream->sent;
    }
    if ((grant->flags & ALDIS__CREDIT_NOTED) && grant->heard == stream->sent)
        note(aldis__worker_of(ctx), stream); /* else it is a late one, of another time */
    if (stream->sent < stream->limit) {
        starve_no_more(aldis__worker_of(ctx), stream);
        pump(ctx, stream);
    }
    if (stream->result == ALDIS_OK && (grant->flags & ALDIS__CREDIT_CONFIRM) &&
        (!is_new || stream->sent <= grant->shown))
        report(aldis__worker_of(ctx), ctx->cell, stream, 0);
}

aldis_err aldis__credit_on_grant(struct aldis__worker *worker, struct aldis__cell *cell,
                                 struct aldis__msg *msg, struct aldis__track *track)
{
    struct aldis__credit_grant grant;
    struct stream *stream = find_serial(cell, msg->from, track->a);
    memcpy(&grant, aldis__msg_payload(msg, NULL), sizeof grant);
    if (!stream) {
        report_unknown(worker, cell, msg->from, track);
        return ALDIS_OK;
    }
    if (stream->result == ALDIS_OK && grant.reason == ALDIS_OK) {
        if (grant.version >= stream->version)
            adopt(&worker->ctx, stream, &grant, aldis__credit_slot(track->b));
        return ALDIS_OK;
    }
    stream->slot = aldis__credit_slot(track->b);
    report(worker, cell, stream, ALDIS__CREDIT_CLOSED);
    if (stream->result == ALDIS_OK)
        end(&worker->ctx, stream, (aldis_err)grant.reason);
    return ALDIS_OK;
}

static void ask_again(aldis_ctx *ctx, struct stream *stream)
{
    aldis_ns now_ns = aldis_now(ctx), refresh_ns = stream->opts.refresh_ns;
    if (stream->noted || stream->ask_ns > now_ns)
        return;
    if (stream->ask_wait_ns / refresh_ns < (1 << ASK_DOUBLINGS))
        stream->ask_wait_ns = aldis__credit_later(stream->ask_wait_ns, stream->ask_wait_ns);
    stream->ask_ns = aldis__credit_later(now_ns, stream->ask_wait_ns);
    stream->refreshes++;
    report(aldis__worker_of(ctx), ctx->cell, stream, ALDIS__CREDIT_HUNGRY);
}

static void tell_untold(aldis_ctx *ctx, struct streams *streams)
{
    for (struct stream *stream = streams->first; stream && streams->untold; stream = stream->next) {
        if (!stream->untold)
            continue;
        stream->untold = false;
        streams->untold--;
        notify(ctx, stream);
        if (stream->untold)
            return; /* there is no memory yet */
    }
}

static aldis_err on_alarm(struct aldis__worker *worker, struct aldis__cell *cell,
                          struct aldis__msg *msg, struct aldis__track *track)
{
    (void)msg;
    struct streams *streams = streams_of(cell);
    if (!streams || !aldis__alarm_came(&streams->alarm, track))
        return ALDIS_OK;
    tell_untold(&worker->ctx, streams);
    for (struct stream *stream = streams->starving, *next; stream; stream = next) {
        next = stream->starving_next;
        expire(&worker->ctx, stream);
        notify(&worker->ctx, stream);
        if (!stream->outbox.first && !stream->refused_one) {
            starve_no_more(worker, stream); /* it wants no credit any more */
            continue;
        }
        ask_again(&worker->ctx, stream);
        set_alarm(&worker->ctx, stream);
    }
    return ALDIS_OK;
}

static const struct aldis__tracker alarm_tracker = {.name = "credit alarm", .handle = on_alarm};

/* ------------------------------------------------------------------ public: sending */

/* May this be sent to the stream's receiver? */
static aldis_err check_message(aldis_ctx *ctx, struct stream *stream, aldis_type *type,
                               const void *payload, size_t size)
{
    uint32_t index;
    uint64_t word;
    if (stream->result != ALDIS_OK)
        return aldis__error_set(stream->result, stream->to, type ? type->name : "",
                                "credit: the stream has ended");
    aldis_err err = aldis__send_check_type(type, payload, size, &index);
    if (err == ALDIS_OK)
        err = aldis__send_check_receiver(ctx->system, stream->to, index, &word);
    if (err == ALDIS_OK)
        stream->known = type;
    return err;
}

static aldis_err refuse(aldis_ctx *ctx, struct stream *stream, aldis_err err)
{
    stream->refused++;
    if (stream->result == ALDIS_OK && is_final(err)) {
        if (err == ALDIS_ESHUTDOWN) /* it is there yet */
            report(aldis__worker_of(ctx), ctx->cell, stream, ALDIS__CREDIT_CLOSED);
        end(ctx, stream, err);
    }
    return err;
}

aldis_err aldis_credit_try_send_raw(aldis_ctx *ctx, aldis_id to, aldis_type *type,
                                    const void *payload, size_t size)
{
    aldis_err err = ALDIS_OK;
    struct stream *stream = lookup(ctx, to);
    if (aldis__unlikely(!stream))
        return aldis_error_last()->err;
    stream->submitted++;
    if (aldis__unlikely(type != stream->known || !type))
        err = check_message(ctx, stream, type, payload, size);
    const struct aldis__parcel parcel = {to, type, payload, size, opts_of(stream), NULL};
    bool goes = stream->sent < stream->limit && !stream->outbox.first;
    if (aldis__likely(err == ALDIS_OK && goes))
        err = transmit(ctx, stream, &parcel, deadline_of(ctx, stream), false);
    else if (err == ALDIS_OK)
        err = ALDIS_EAGAIN;
    if (aldis__likely(err == ALDIS_OK))
        return ALDIS_OK;
    if (err == ALDIS_EAGAIN && !goes) {
        stream->refused_one = true;
        starve(ctx, stream, false);
        (void)aldis__error_set(err, to, type->name, "credit: %s",
                               stream->outbox.first ? "others wait for it" : "there is none");
    }
    return refuse(ctx, stream, err);
}

static aldis_err enqueue(aldis_ctx *ctx, struct stream *stream, const struct aldis__parcel *parcel)
{
    const aldis_credit_opts *opts = &stream->opts;
    if (stream->outbox.count >= opts->outbox_msgs ||
        (stream->outbox.count && stream->outbox.bytes + parcel->size > opts->outbox_bytes)) {
        stream->refused_full = true;
        return aldis__error_set(ALDIS_EFULL, stream->to, parcel->type->name,
                                "credit: %u messages of %llu bytes wait in the outbox",
                                stream->outbox.count, (unsigned long long)stream->outbox.bytes);
    }
    if (!aldis__outbox_push(&stream->outbox, parcel, deadline_of(ctx, stream)))
        return aldis__error_set(ALDIS_ENOMEM, stream->to, parcel->type->name, NULL);
    if (!stream->starving || stream->outbox.count == 1)
        starve(ctx, stream, false);
    return ALDIS_OK;
}

aldis_err aldis_credit_send_raw(aldis_ctx *ctx, aldis_id to, aldis_type *type, const void *payload,
                                size_t size)
{
    aldis_err err = ALDIS_OK;
    struct stream *stream = lookup(ctx, to);
    if (!stream)
        return aldis_error_last()->err;
    stream->submitted++;
    bool goes = stream->sent < stream->limit && !stream->outbox.first;
    if (!goes || type != stream->known || !type) /* what waits has been looked at whole */
        err = check_message(ctx, stream, type, payload, size);
    const struct aldis__parcel parcel = {to, type, payload, size, opts_of(stream), NULL};
    if (aldis__likely(err == ALDIS_OK && goes))
        err = transmit(ctx, stream, &parcel, deadline_of(ctx, stream), false);
    else if (err == ALDIS_OK)
        err = enqueue(ctx, stream, &parcel);
    return aldis__likely(err == ALDIS_OK) ? ALDIS_OK : refuse(ctx, stream, err);
}

/* ------------------------------------------------------------------ public: opening and closing */

static aldis_err refuse_option(const char *name, long long found, const char *allowed)
{
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                            "credit_open: %s is %lld; allowed: %s", name, found, allowed);
}

static aldis_err resolve(const aldis_credit_opts *given, aldis_credit_opts *out)
{
    aldis_credit_opts opts = given ? *given : (aldis_credit_opts){.context = 0};
    unsigned rank = aldis__lane_rank(opts.lane);
    if (opts.outbox_msgs > 1 << 20)
        return refuse_option("outbox_msgs", opts.outbox_msgs, "1 to 1048576");
    if (opts.outbox_bytes > INT32_MAX)
        return refuse_option("outbox_bytes", opts.outbox_bytes, "1 to 2147483647");
    if (rank == ALDIS__RANK_COUNT || rank == ALDIS__RANK_CONTROL)
        return refuse_option("lane", (int)opts.lane, "normal, critical, high, low");
    if (opts.expiry_ns < 0)
        return refuse_option("expiry_ns", opts.expiry_ns, "0 (never) or more");
    if (opts.refresh_ns < ALDIS__CREDIT_WAIT_MIN_NS && opts.refresh_ns != 0)
        return refuse_option("refresh_ns", opts.refresh_ns, "1000 (1 us) or more, or 0 for 1 s");
    opts.outbox_msgs = opts.outbox_msgs ? opts.outbox_msgs : OUTBOX_MSGS;
    opts.outbox_bytes = opts.outbox_bytes ? opts.outbox_bytes : OUTBOX_BYTES;
    opts.refresh_ns = opts.refresh_ns ? opts.refresh_ns : ALDIS_SECOND;
    *out = opts;
    return ALDIS_OK;
}

static aldis_err check_open(aldis_ctx *ctx, aldis_id to)
{
    uint32_t index = aldis__type_index(&aldis_credit_notice_type);
    uint64_t word = 0;
    if (!index)
        return aldis_error_last()->err;
    if (!ctx->cell->kind->handle[index])
        return aldis__error_set(ALDIS_EUNACCEPTED, ctx->cell->id, "aldis_credit_notice",
                                "credit_open: %s does not list aldis_credit_notice in its protocol",
                                ctx->cell->kind->behaviour->name);
    if (aldis_id_equal(to, ctx->cell->id))
        return aldis__error_set(ALDIS_EINVAL, to, "", "credit_open: a stream to itself");
    aldis_err err = aldis__send_check_place(ctx->system, to, index, &word);
    if (err == ALDIS_OK && !aldis__word_is_alive(word, to))
        err = aldis__error_set(aldis__word_has_known(word, to) ? ALDIS_ESTALE : ALDIS_ENOTFOUND, to,
                               "", "credit_open: the receiver has ended, or never was");
    if (err == ALDIS_OK && (word & ALDIS__WORD_CLOSING))
        err = aldis__error_set(ALDIS_ESHUTDOWN, to, "", "credit_open: the receiver drains");
    return err;
}

aldis_err aldis_credit_open(aldis_ctx *ctx, aldis_id to, const aldis_credit_opts *opts)
{
    aldis_credit_opts filled = {.context = 0};
    aldis_err err = aldis__ctx_check(ctx, "credit");
    if (err == ALDIS_OK)
        err = resolve(opts, &filled);
    if (err == ALDIS_OK)
        err = check_open(ctx, to);
    if (err != ALDIS_OK)
        return err;
    struct streams *streams = (struct streams *)(void *)aldis__part_make(ctx->cell, &streams_class);
    struct stream *old = streams ? find(streams, to) : NULL;
    if (old && old->result == ALDIS_OK)
        return aldis__error_set(ALDIS_EEXISTS, to, "", "credit_open: there is a stream to it");
    struct stream *stream =
        streams && aldis__table_reserve(&streams->table) ? calloc(1, sizeof *stream) : NULL;
    if (!stream)
        return aldis__error_set(ALDIS_ENOMEM, to, "", "credit_open");
    if (old)
        forget(old);
    stream->streams = streams;
    stream->to = to;
    stream->serial = ++streams->last_serial;
    stream->slot = ALDIS__CREDIT_SLOT_NONE;
    stream->opts = filled;
    streams->expires |= filled.expiry_ns != 0;
    stream->send_opts.lane = filled.lane;
    aldis__outbox_init(&stream->outbox);
    stream->next = streams->first;
    stream->place = &streams->first;
    if (stream->next)
        stream->next->place = &stream->next;
    streams->first = stream;
    aldis__table_add(&streams->table, &stream->link, aldis__mix64(to.bits));
    report(aldis__worker_of(ctx), ctx->cell, stream, 0);
    return ALDIS_OK;
}

aldis_err aldis_credit_close(aldis_ctx *ctx, aldis_id to)
{
    struct stream *stream = lookup(ctx, to);
    if (!stream)
        return aldis_error_last()->err;
    close_stream(aldis__worker_of(ctx), ctx->cell, stream);
    return ALDIS_OK;
}

aldis_err aldis_credit_get_stats(aldis_ctx *ctx, aldis_id to, aldis_credit_stats *out_stats)
{
    const struct stream *stream = lookup(ctx, to);
    if (!stream)
        return aldis_error_last()->err;
    if (!out_stats)
        return aldis__error_set(ALDIS_EINVAL, to, "", "credit_get_stats: out_stats is NULL");
    *out_stats = (aldis_credit_stats){.granted = stream->limit,
                                      .available = stream->limit - stream->sent,
                                      .submitted = stream->submitted,
                                      .sent = stream->sent,
                                      .refused = stream->refused,
                                      .expired = stream->expired,
                                      .discarded = stream->discarded,
                                      .waiting = stream->outbox.count,
                                      .waiting_peak = stream->outbox.peak,
                                      .waiting_bytes = stream->outbox.bytes,
                                      .notices = stream->notices,
                                      .refreshes = stream->refreshes,
                                      .result = stream->result};
    return ALDIS_OK;
}
