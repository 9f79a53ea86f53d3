// SPDX-License-Identifier: Apache-2.0
/* credit.c: a receiver's end of credit streams: its messages, what senders report, and its calls.
 * Layer: flow. See credit.h and creditor.h. Threads: the worker of the receiver's shard. */
#include "base/error.h"
#include "core/mailbox.h"
#include "flow/creditor.h"
#include <stdlib.h>
#include <string.h>

enum {
    WINDOW = 64,
    WINDOW_MAX = 65536,
    TOTAL = 1024,
    TOTAL_MAX = 1 << 24,
    STREAMS = 65536,
    STREAMS_MAX = 1 << 20
};

/* ------------------------------------------------------------------ the actor's part */

/* Its senders are told; what they have sent becomes dead letters by itself. */
static void end_creditor(struct aldis__worker *worker, struct aldis__cell *cell,
                         struct aldis__part *part)
{
    struct aldis__creditor *creditor = (struct aldis__creditor *)(void *)part;
    for (uint32_t slot = 0; slot < creditor->slot_count; slot++) {
        struct aldis__account *account = creditor->accounts[slot];
        if (!account || account->closing)
            continue;
        account->reason = ALDIS_ESTALE;
        aldis__account_tell(worker, cell, account, 0);
    }
}

/* What the failed incarnation owed, its successor knows nothing of, unless the terms say so. Its
 * alarm has gone with it. */
static void restart_creditor(struct aldis__worker *worker, struct aldis__cell *cell,
                             struct aldis__part *part)
{
    struct aldis__creditor *creditor = (struct aldis__creditor *)(void *)part;
    for (uint32_t slot = 0; !creditor->terms.lasting && slot < creditor->slot_count; slot++) {
        struct aldis__account *account = creditor->accounts[slot];
        uint64_t owed = account ? account->owed : 0;
        if (!owed)
            continue;
        account->owed = 0;
        creditor->owed -= owed;
        aldis__creditor_settle(worker, cell, account, owed, 0);
    }
    aldis__creditor_restarted(worker, cell);
}

static void free_creditor(struct aldis__part *part)
{
    struct aldis__creditor *creditor = (struct aldis__creditor *)(void *)part;
    for (uint32_t slot = 0; slot < creditor->slot_count; slot++)
        free(creditor->accounts[slot]);
    free(creditor->accounts);
    free(creditor->free_slots);
    aldis__table_fini(&creditor->table);
}

static const struct aldis__part_class creditor_class = {
    "creditor", sizeof(struct aldis__creditor), end_creditor, restart_creditor, free_creditor};

struct aldis__creditor *aldis__creditor_of(const struct aldis__cell *cell)
{
    return (struct aldis__creditor *)(void *)aldis__part_of(cell, &creditor_class);
}

/* ------------------------------------------------------------------ messages */

static enum aldis__admission quietly(struct aldis__msg *msg, struct aldis__track *track)
{
    msg->flags &= (uint8_t)~ALDIS__MSG_NOTICE;
    track->b |= ALDIS__CREDIT_COPY; /* its end means nothing */
    return ALDIS__ADMIT_DROP;
}

static struct aldis__account *account_of(const struct aldis__creditor *creditor,
                                         const struct aldis__msg *msg,
                                         const struct aldis__track *track)
{
    return creditor ? aldis__account_at(creditor, aldis__credit_slot(track->b),
                                        aldis__credit_serial(track->b), msg->from)
                    : NULL;
}

static enum aldis__admission admit(struct aldis__worker *worker, struct aldis__cell *cell,
                                   struct aldis__msg *msg, struct aldis__track *track)
{
    if (track->b & ALDIS__CREDIT_SEEN)
        return ALDIS__ADMIT_HANDLE; /* it was kept aside, or is tried again */
    struct aldis__creditor *creditor = aldis__creditor_of(cell);
    struct aldis__account *account = account_of(creditor, msg, track);
    if (aldis__unlikely(!account || !aldis__account_see(account, track->a))) {
        if (creditor)
            creditor->duplicates++;
        return quietly(msg, track);
    }
    track->b |= ALDIS__CREDIT_SEEN;
    if (account->confirm_ns && track->a > account->shown)
        aldis__account_confirmed(worker, creditor, account);
    if (aldis__unlikely(account->top > account->base))
        aldis__account_suspect(worker, cell, account, false);
    if ((track->b & ALDIS__CREDIT_MORE) && !account->closing && track->a == account->promised) {
        aldis__account_set_hungry(creditor, account, true);
        if (account->known_sent < track->a)
            account->known_sent = track->a;
        /* Granted by hand, it may take its time: let the sender rest. */
        if (!aldis__creditor_provide(worker, cell, account) && creditor->terms.manual)
            aldis__account_tell(worker, cell, account, ALDIS__CREDIT_NOTED);
    }
    return ALDIS__ADMIT_HANDLE;
}

static void handled(struct aldis__worker *worker, struct aldis__cell *cell, struct aldis__msg *msg,
                    struct aldis__track *track, aldis_err err)
{
    struct aldis__creditor *creditor = aldis__creditor_of(cell);
    struct aldis__account *account = account_of(creditor, msg, track);
    if (!account)
        return;
    if (creditor->terms.manual && err == ALDIS_OK) {
        account->owed++;
        creditor->owed++;
        return;
    }
    aldis__creditor_settle(worker, cell, account, 1, 0);
}

/* A message of `sender` will not be handled: a its number. */
static aldis_err on_ended(struct aldis__worker *worker, struct aldis__cell *cell,
                          struct aldis__msg *msg, struct aldis__track *track)
{
    struct aldis__creditor *creditor = aldis__creditor_of(cell);
    aldis_id sender;
    memcpy(&sender, aldis__msg_payload(msg, NULL), sizeof sender);
    struct aldis__account *account = creditor
                                         ? aldis__account_at(creditor, aldis__credit_slot(track->b),
                                                             aldis__credit_serial(track->b), sender)
                                         : NULL;
    if (!account)
        return ALDIS_OK;
    if ((track->b & ALDIS__CREDIT_SEEN) || aldis__account_see(account, track->a)) {
        aldis__account_suspect(worker, cell, account, false);
        aldis__creditor_settle(worker, cell, account, 1, 0);
    }
    return ALDIS_OK;
}

static const struct aldis__tracker ended_tracker = {
    .name = "credit back", .handle = on_ended, .steadfast = true};

static void ended(struct aldis__worker *worker, struct aldis__msg *msg, struct aldis__track *track,
                  enum aldis__fate fate, aldis_err reason)
{
    bool seen = track->b & ALDIS__CREDIT_SEEN;
    /* Nobody hears of what a link loses (see core/tracked.h), or of a copy, but by its number. */
    bool silent = (fate == ALDIS__DROPPED && reason == ALDIS_ECOMM) ||
                  (!seen && (track->b & ALDIS__CREDIT_COPY));
    if (!worker || silent)
        return;
    const struct aldis__track back = {&ended_tracker, ALDIS_FOREVER, track->a, track->b};
    aldis__credit_tell_self(worker, msg->to, msg->from, &back);
}

static void duplicate(struct aldis__track *track)
{
    track->b |= ALDIS__CREDIT_COPY;
}

const struct aldis__tracker aldis__credit_message_tracker = {.name = "credit message",
                                                             .reserved = true,
                                                             .admit = admit,
                                                             .handled = handled,
                                                             .ended = ended,
                                                             .duplicate = duplicate};

/* ------------------------------------------------------------------ what senders report */

/* Of a stream that has no account. */
static void turn_away(struct aldis__worker *worker, struct aldis__cell *cell, aldis_id sender,
                      uint64_t serial, aldis_err reason)
{
    const struct aldis__track track = {&aldis__credit_grant_tracker, ALDIS_FOREVER, serial,
                                       ALDIS__CREDIT_SLOT_NONE};
    const struct aldis__credit_grant grant = {.reason = (uint32_t)reason};
    aldis__post_tracked(worker, cell->id, sender, &track, &grant, sizeof grant);
}

/* Its sender has gone, or has begun anew: nothing more will come than what is under way. */
static void abandon(struct aldis__worker *worker, struct aldis__cell *cell,
                    struct aldis__account *account)
{
    aldis__account_confirmed(worker, aldis__creditor_of(cell), account);
    account->known_sent = account->promised;
    aldis__account_suspect(worker, cell, account, false);
    aldis__account_close(worker, cell, account, account->promised);
}

/* A sender has one stream at a time. True: this one is the newest; older ones are over, whose last
 * reports were lost. */
static bool is_newest(struct aldis__worker *worker, struct aldis__cell *cell, aldis_id sender,
                      uint32_t serial)
{
    struct aldis__account *account = aldis__account_first(aldis__creditor_of(cell), sender), *next;
    for (; account; account = next) {
        next = aldis__account_next(account);
        if (account->serial > serial)
            return false;
        if (!account->closing)
            abandon(worker, cell, account);
    }
    return true;
}

/* A stream that had a grant had an account: that is over, and its sender is told again. */
static struct aldis__account *open_account(struct aldis__worker *worker, struct aldis__cell *cell,
                                           aldis_id sender, uint32_t serial,
                                           const struct aldis__credit_report *report)
{
    struct aldis__creditor *creditor = aldis__creditor_of(cell);
    struct aldis__account *account = NULL;
    bool opens = creditor && creditor->accepts && report->version == 0 &&
                 is_newest(worker, cell, sender, serial);
    aldis_err err =
        opens ? aldis__account_open(creditor, sender, serial, &account) : ALDIS_EREFUSED;
    if (err != ALDIS_OK) {
        turn_away(worker, cell, sender, serial, err);
        return NULL;
    }
    account->version = 1; /* the sender knows of 0, and takes the first grant for news */
    return account;
}

/* It has heard of the newest grant. */
static void hear_of_grant(struct aldis__worker *worker, struct aldis__creditor *creditor,
                          struct aldis__account *account, uint64_t limit)
{
    aldis__account_confirmed(worker, creditor, account);
    aldis__creditor_take_back(creditor, account, limit > account->top ? limit : account->top);
    account->recalling = false;
}

/* The account of an open stream is `known`, or was opened by this report. */
static void take_report(struct aldis__worker *worker, struct aldis__cell *cell,
                        struct aldis__account *account, const struct aldis__credit_report *report)
{
    struct aldis__creditor *creditor = aldis__creditor_of(cell);
    uint64_t sent = account->known_sent > account->top ? account->known_sent : account->top;
    bool is_late = report->sent < sent; /* it has sent more since */
    /* What it was given meanwhile may still its hunger. */
    bool is_fed = report->version < account->version && account->told > report->sent;
    bool hungry = (report->flags & ALDIS__CREDIT_HUNGRY) && !is_late && !is_fed;
    account->transit_ns = report->transit_ns;
    account->lane = (uint8_t)report->lane;
    if (report->sent > account->known_sent)
        account->known_sent = report->sent;
    if (report->version == account->version)
        hear_of_grant(worker, creditor, account, report->limit);
    aldis__account_suspect(worker, cell, account, report->flags & ALDIS__CREDIT_KEPT);
    if (hungry)
        aldis__account_set_hungry(creditor, account, true);
    bool granted = aldis__creditor_provide(worker, cell, account);
    if (!granted && (hungry || report->version < account->version))
        aldis__account_tell(worker, cell, account, hungry ? (uint32_t)ALDIS__CREDIT_NOTED : 0);
    if (creditor->first) /* what it does not use may be had now */
        aldis__creditor_serve(worker, cell);
}

aldis_err aldis__credit_on_report(struct aldis__worker *worker, struct aldis__cell *cell,
                                  struct aldis__msg *msg, struct aldis__track *track)
{
    struct aldis__creditor *creditor = aldis__creditor_of(cell);
    struct aldis__credit_report report;
    memcpy(&report, aldis__msg_payload(msg, NULL), sizeof report);
    struct aldis__account *account = creditor ? aldis__account_first(creditor, msg->from) : NULL;
    while (account && account->serial != track->a)
        account = aldis__account_next(account);
    bool closed = report.flags & ALDIS__CREDIT_CLOSED;
    if (!account && !closed)
        account = open_account(worker, cell, msg->from, (uint32_t)track->a, &report);
    if (!account)
        return ALDIS_OK;
    if (closed) {
        bool unknown = report.flags & ALDIS__CREDIT_UNKNOWN;
        uint64_t final = unknown ? account->promised : report.sent;
        aldis__account_confirmed(worker, creditor, account);
        if (final > account->known_sent)
            account->known_sent = final;
        aldis__account_suspect(worker, cell, account, report.flags & ALDIS__CREDIT_KEPT);
        aldis__account_close(worker, cell, account, final);
    } else if (!account->closing) {
        take_report(worker, cell, account, &report);
    } else if (account->reason != ALDIS_OK) {
        aldis__account_tell(worker, cell, account, ALDIS__CREDIT_CONFIRM);
    }
    return ALDIS_OK;
}

/* Its sender was not there to hear of a grant. */
static aldis_err on_gone(struct aldis__worker *worker, struct aldis__cell *cell,
                         struct aldis__msg *msg, struct aldis__track *track)
{
    struct aldis__creditor *creditor = aldis__creditor_of(cell);
    aldis_id sender;
    memcpy(&sender, aldis__msg_payload(msg, NULL), sizeof sender);
    struct aldis__account *account =
        creditor ? aldis__account_at(creditor, (uint32_t)track->b, (uint32_t)track->a, sender)
                 : NULL;
    if (!account)
        return ALDIS_OK;
    abandon(worker, cell, account);
    return ALDIS_OK;
}

static const struct aldis__tracker gone_tracker = {
    .name = "credit sender gone", .handle = on_gone, .steadfast = true};

static void grant_ended(struct aldis__worker *worker, struct aldis__msg *msg,
                        struct aldis__track *track, enum aldis__fate fate, aldis_err reason)
{
    (void)reason;
    const struct aldis__track gone = {&gone_tracker, ALDIS_FOREVER, track->a, track->b};
    if (worker && fate == ALDIS__DEAD && track->b != ALDIS__CREDIT_SLOT_NONE)
        aldis__credit_tell_self(worker, msg->from, msg->to, &gone);
}

const struct aldis__tracker aldis__credit_grant_tracker = {.name = "credit grant",
                                                           .handle = aldis__credit_on_grant,
                                                           .ended = grant_ended,
                                                           .duplicate = aldis__tracked_same,
                                                           .steadfast = true};

/* ------------------------------------------------------------------ public */

static aldis_err refuse_term(const char *name, long long found, long long high)
{
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                            "credit_accept: %s is %lld; allowed: 0 (the default) to %lld", name,
                            found, high);
}

static aldis_err refuse_wait(const char *name, aldis_ns found)
{
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                            "credit_accept: %s is %lld; allowed: %lld (1 us) or more, or 0 for 1 s",
                            name, (long long)found, (long long)ALDIS__CREDIT_WAIT_MIN_NS);
}

static aldis_err resolve(const aldis_credit_terms *given, aldis_credit_terms *out)
{
    aldis_credit_terms terms = given ? *given : (aldis_credit_terms){.window = 0};
    if (terms.window > WINDOW_MAX)
        return refuse_term("window", terms.window, WINDOW_MAX);
    if (terms.total > TOTAL_MAX)
        return refuse_term("total", terms.total, TOTAL_MAX);
    if (terms.streams_max > STREAMS_MAX)
        return refuse_term("streams_max", terms.streams_max, STREAMS_MAX);
    if (terms.refresh_ns < ALDIS__CREDIT_WAIT_MIN_NS && terms.refresh_ns != 0)
        return refuse_wait("refresh_ns", terms.refresh_ns);
    if (terms.lost_after_ns < ALDIS__CREDIT_WAIT_MIN_NS && terms.lost_after_ns != 0)
        return refuse_wait("lost_after_ns", terms.lost_after_ns);
    if (terms.lasting && !terms.manual)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "lasting without manual");
    if (!terms.window)
        terms.window = terms.total && terms.total < WINDOW ? terms.total : WINDOW;
    if (!terms.total)
        terms.total = terms.window > TOTAL ? terms.window : TOTAL;
    if (terms.window > terms.total)
        return refuse_term("window", terms.window, terms.total);
    terms.streams_max = terms.streams_max ? terms.streams_max : STREAMS;
    terms.refresh_ns = terms.refresh_ns ? terms.refresh_ns : ALDIS_SECOND;
    terms.lost_after_ns = terms.lost_after_ns ? terms.lost_after_ns : ALDIS_SECOND;
    *out = terms;
    return ALDIS_OK;
}

aldis_err aldis_credit_accept(aldis_ctx *ctx, const aldis_credit_terms *terms)
{
    aldis_credit_terms resolved;
    aldis_err err = aldis__ctx_check(ctx, "credit_accept");
    if (err == ALDIS_OK)
        err = resolve(terms, &resolved);
    if (err != ALDIS_OK)
        return err;
    struct aldis__creditor *creditor =
        (struct aldis__creditor *)(void *)aldis__part_make(ctx->cell, &creditor_class);
    if (!creditor)
        return aldis__error_set(ALDIS_ENOMEM, ctx->cell->id, "", "credit_accept");
    if (!creditor->last)
        creditor->last = &creditor->first;
    creditor->terms = resolved;
    creditor->accepts = true;
    aldis__creditor_reshare(creditor);
    aldis__creditor_serve(aldis__worker_of(ctx), ctx->cell); /* there may be more than before */
    return ALDIS_OK;
}

/* The oldest stream of a sender whose receiver owes it something. */
static struct aldis__account *oldest_owed(const struct aldis__creditor *creditor, aldis_id sender)
{
    struct aldis__account *oldest = NULL, *account = aldis__account_first(creditor, sender);
    for (; account; account = aldis__account_next(account))
        if (account->owed && (!oldest || account->serial < oldest->serial))
            oldest = account;
    return oldest;
}

aldis_err aldis_credit_grant(aldis_ctx *ctx, aldis_id sender, uint32_t count)
{
    aldis_err err = aldis__ctx_check(ctx, "credit_grant");
    if (err != ALDIS_OK)
        return err;
    struct aldis__creditor *creditor = aldis__creditor_of(ctx->cell);
    uint64_t owed = 0;
    struct aldis__account *account = creditor ? aldis__account_first(creditor, sender) : NULL;
    for (; account; account = aldis__account_next(account))
        owed += account->owed;
    if (count == 0 || count > owed)
        return aldis__error_set(ALDIS_EINVAL, sender, "", "credit_grant: %u; owed: %llu", count,
                                (unsigned long long)owed);
    while (count && (account = oldest_owed(creditor, sender))) {
        uint64_t part = account->owed < count ? account->owed : count;
        account->owed -= part;
        creditor->owed -= part;
        count -= (uint32_t)part;
        aldis__creditor_settle(aldis__worker_of(ctx), ctx->cell, account, part, 0);
    }
    return ALDIS_OK;
}

static struct aldis__account *open_one(const struct aldis__creditor *creditor, aldis_id sender)
{
    struct aldis__account *account = creditor ? aldis__account_first(creditor, sender) : NULL;
    while (account && account->closing)
        account = aldis__account_next(account);
    return account;
}

aldis_err aldis_credit_refuse(aldis_ctx *ctx, aldis_id sender)
{
    aldis_err err = aldis__ctx_check(ctx, "credit_refuse");
    if (err != ALDIS_OK)
        return err;
    struct aldis__creditor *creditor = aldis__creditor_of(ctx->cell);
    struct aldis__account *account = open_one(creditor, sender);
    if (!account)
        return aldis__error_set(ALDIS_ENOTFOUND, sender, "", "credit_refuse: it has no stream");
    struct aldis__worker *worker = aldis__worker_of(ctx);
    account->reason = ALDIS_EREFUSED;
    account->shown = UINT64_MAX; /* no message shows that it has heard of this */
    aldis__account_tell(worker, ctx->cell, account, ALDIS__CREDIT_CONFIRM);
    aldis__account_await(worker, ctx->cell, account); /* until it says how much it has sent */
    aldis__account_close(worker, ctx->cell, account, account->promised);
    return ALDIS_OK;
}

static void add_account(aldis_credit_books *books, const struct aldis__account *account)
{
    books->streams += !account->closing;
    books->closing += account->closing;
    books->hungry += account->hungry;
    books->outstanding += aldis__account_outstanding(account);
    books->owed += account->owed;
    books->granted += account->promised; /* what was taken back is in neither */
    books->returned += account->returned;
    books->lost += account->lost;
}

aldis_err aldis_credit_get_books(aldis_ctx *ctx, aldis_id sender, aldis_credit_books *out_books)
{
    aldis_err err = aldis__ctx_check(ctx, "credit_get_books");
    struct aldis__creditor *creditor = err == ALDIS_OK ? aldis__creditor_of(ctx->cell) : NULL;
    if (err == ALDIS_OK && !out_books)
        err = aldis__error_set(ALDIS_EINVAL, sender, "", "credit_get_books: out_books is NULL");
    struct aldis__account *account = creditor ? aldis__account_first(creditor, sender) : NULL;
    if (err == ALDIS_OK && (!creditor || (!account && !aldis_id_is_nobody(sender))))
        err = aldis__error_set(ALDIS_ENOTFOUND, sender, "", "credit_get_books: no streams");
    if (err != ALDIS_OK)
        return err;
    aldis_credit_books books = {.share = creditor->share};
    if (aldis_id_is_nobody(sender)) {
        books = (aldis_credit_books){.streams = creditor->open,
                                     .closing = creditor->closing,
                                     .hungry = creditor->hungry,
                                     .share = books.share,
                                     .outstanding = creditor->outstanding,
                                     .owed = creditor->owed,
                                     .granted = creditor->granted,
                                     .returned = creditor->returned,
                                     .taken_back = creditor->taken_back,
                                     .lost = creditor->lost,
                                     .duplicates = creditor->duplicates,
                                     .refreshes = creditor->refreshes};
    } else {
        for (; account; account = aldis__account_next(account))
            add_account(&books, account);
    }
    *out_books = books;
    return ALDIS_OK;
}
