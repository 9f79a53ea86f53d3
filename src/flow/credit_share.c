// SPDX-License-Identifier: Apache-2.0
/* credit_share.c: which sender is granted how much, and when it is told. Layer: flow. See
 * creditor.h.
 *
 * While there is credit for all, each stream that wants it is filled up to its window, in batches
 * of a quarter. Where there is not, those that want it wait in order, each is given up to an equal
 * share, and what others hold and do not use is taken back: only a sender can say what it has not
 * used, so it is asked, and keeps what it has used meanwhile. */
#include "flow/creditor.h"

#include "core/mailbox.h"
#include "core/send.h"
#include "core/window.h"

enum { BATCHES = 4, KEPT_PATIENCE = 64 };

static const struct aldis__tracker alarm_tracker, mark_tracker;

/* ------------------------------------------------------------------ alarms */

/* How exactly what is to be done later is done in time. */
static aldis_ns tick_of(const struct aldis__creditor *creditor)
{
    aldis_ns refresh_ns = creditor->terms.refresh_ns, lost_ns = creditor->terms.lost_after_ns;
    aldis_ns tick_ns = (refresh_ns < lost_ns ? refresh_ns : lost_ns) / 2;
    return tick_ns ? tick_ns : 1;
}

/* One more reason. Without memory: the next one. */
static void await_alarm(struct aldis__worker *worker, struct aldis__cell *cell,
                        struct aldis__creditor *creditor)
{
    creditor->pending++;
    (void)aldis__alarm_set(worker, cell, &creditor->alarm,
                           aldis__credit_later(worker->ctx.now_ns, tick_of(creditor)),
                           &alarm_tracker);
}

static void await_no_more(struct aldis__worker *worker, struct aldis__creditor *creditor)
{
    if (--creditor->pending == 0)
        aldis__alarm_clear(worker, &creditor->alarm);
}

void aldis__account_await(struct aldis__worker *worker, struct aldis__cell *cell,
                          struct aldis__account *account)
{
    struct aldis__creditor *creditor = aldis__creditor_of(cell);
    bool awaited = account->confirm_ns != 0;
    account->confirm_ns = aldis__credit_later(worker->ctx.now_ns, creditor->terms.refresh_ns);
    if (!awaited)
        await_alarm(worker, cell, creditor);
}

void aldis__account_confirmed(struct aldis__worker *worker, struct aldis__creditor *creditor,
                              struct aldis__account *account)
{
    if (account->confirm_ns) {
        account->confirm_ns = 0;
        await_no_more(worker, creditor);
    }
}

/* ------------------------------------------------------------------ telling */

void aldis__account_tell(struct aldis__worker *worker, struct aldis__cell *cell,
                         struct aldis__account *account, uint32_t flags)
{
    const struct aldis__track track = {&aldis__credit_grant_tracker, ALDIS_FOREVER, account->serial,
                                       account->slot};
    const struct aldis__credit_grant grant = {.version = account->version,
                                              .limit = account->told,
                                              .shown = account->shown,
                                              .heard = account->known_sent,
                                              .flags = flags,
                                              .reason = account->reason};
    aldis__post_tracked(worker, cell->id, account->sender, &track, &grant, sizeof grant);
}

static void give(struct aldis__worker *worker, struct aldis__cell *cell,
                 struct aldis__account *account, uint64_t count)
{
    struct aldis__creditor *creditor = aldis__creditor_of(cell);
    bool hungry = account->hungry;
    account->shown = account->promised;
    account->promised += count;
    account->told = account->promised;
    account->version++;
    creditor->granted += count;
    creditor->outstanding += count;
    aldis__account_set_hungry(creditor, account, false);
    aldis__account_tell(worker, cell, account, hungry ? (uint32_t)ALDIS__CREDIT_CONFIRM : 0);
    if (hungry)
        aldis__account_await(worker, cell, account);
}

static void recall(struct aldis__worker *worker, struct aldis__cell *cell,
                   struct aldis__account *account, uint64_t count)
{
    account->recalling = true;
    account->shown = UINT64_MAX;
    account->told = account->promised - count;
    account->version++;
    aldis__account_tell(worker, cell, account, ALDIS__CREDIT_CONFIRM);
    aldis__account_await(worker, cell, account);
}

void aldis__account_set_hungry(struct aldis__creditor *creditor, struct aldis__account *account,
                               bool hungry)
{
    creditor->hungry += (uint32_t)hungry - (uint32_t)account->hungry;
    account->hungry = hungry;
}

/* ------------------------------------------------------------------ shares */

void aldis__creditor_reshare(struct aldis__creditor *creditor)
{
    uint32_t total = creditor->terms.total;
    uint32_t share = creditor->open ? total / creditor->open : total;
    share = share ? share : 1;
    creditor->share = share < creditor->terms.window ? share : creditor->terms.window;
}

/* Opened on other terms, it keeps its window. */
static uint64_t share_of(const struct aldis__creditor *creditor,
                         const struct aldis__account *account)
{
    return creditor->share < account->window ? creditor->share : account->window;
}

static uint64_t free_of(const struct aldis__creditor *creditor)
{
    uint64_t total = creditor->terms.total;
    return total > creditor->outstanding ? total - creditor->outstanding : 0;
}

static void unqueue(struct aldis__creditor *creditor, struct aldis__account *account)
{
    if (!account->place)
        return;
    *account->place = account->next;
    if (account->next)
        account->next->place = account->place;
    else
        creditor->last = account->place;
    account->place = NULL;
}

static void enqueue(struct aldis__creditor *creditor, struct aldis__account *account)
{
    if (account->place)
        return;
    account->next = NULL;
    account->place = creditor->last;
    *creditor->last = account;
    creditor->last = &account->next;
}

/* How much it may be given, if there is enough: up to `cap` credits in all. */
static uint64_t lack_of(const struct aldis__account *account, uint64_t cap)
{
    uint64_t held = aldis__account_outstanding(account);
    uint64_t ahead = account->promised - account->base; /* its bits must tell all numbers apart */
    uint64_t lack = cap > held ? cap - held : 0, room = account->range - ahead;
    return lack < room ? lack : room;
}

/* Worth a grant of its own? */
static bool is_batch(const struct aldis__account *account, uint64_t count, uint64_t cap)
{
    return count > 0 && (count >= cap / BATCHES || aldis__account_outstanding(account) == 0);
}

/* Ask back what an account holds and has not used, as far as we know, beyond `allowed`. Returns how
 * much it may bring. */
static uint64_t ask_back(struct aldis__worker *worker, struct aldis__cell *cell,
                         struct aldis__account *account, uint64_t allowed)
{
    uint64_t held = aldis__account_outstanding(account);
    uint64_t sent = account->known_sent > account->top ? account->known_sent : account->top;
    uint64_t unused = account->promised > sent ? account->promised - sent : 0;
    bool was_hungry = account->confirm_ns != 0; /* it has not heard yet what it was given */
    if (account->closing || account->recalling || account->place || was_hungry || held <= allowed ||
        !unused)
        return 0;
    uint64_t count = held - allowed < unused ? held - allowed : unused;
    recall(worker, cell, account, count);
    return count;
}

/* Somebody waits, and there is too little: look for what others do not use, at most once a tick. */
static void look_for_unused(struct aldis__worker *worker, struct aldis__cell *cell,
                            struct aldis__creditor *creditor)
{
    aldis_ns now_ns = worker->ctx.now_ns;
    if (!creditor->first || creditor->recall_later)
        return;
    if (creditor->recalled_ns && now_ns - creditor->recalled_ns < tick_of(creditor)) {
        creditor->recall_later = true;
        await_alarm(worker, cell, creditor);
        return;
    }
    creditor->recalled_ns = now_ns ? now_ns : 1;
    uint64_t wanted = 0;
    uint64_t allowed = creditor->open > creditor->terms.total ? 0 : creditor->share;
    for (const struct aldis__account *account = creditor->first; account; account = account->next)
        wanted += lack_of(account, share_of(creditor, account));
    for (uint32_t i = 0; i < creditor->slot_count && wanted > 0; i++) {
        uint32_t slot = creditor->recall_next++ % creditor->slot_count;
        struct aldis__account *account = creditor->accounts[slot];
        uint64_t found = account ? ask_back(worker, cell, account, allowed) : 0;
        wanted -= found < wanted ? found : wanted;
    }
}

static bool may_grant(const struct aldis__cell *cell)
{
    return !(cell->flags & (ALDIS__CELL_DRAINING | ALDIS__CELL_STOPPING));
}

bool aldis__creditor_provide(struct aldis__worker *worker, struct aldis__cell *cell,
                             struct aldis__account *account)
{
    struct aldis__creditor *creditor = aldis__creditor_of(cell);
    if (account->closing || account->recalling || account->place || !may_grant(cell))
        return false;
    uint64_t cap =
        account->hungry && !creditor->first ? account->window : share_of(creditor, account);
    uint64_t lack = lack_of(account, cap), free = free_of(creditor);
    if (lack == 0)
        return false;
    if (creditor->first || lack > free) {
        if (account->hungry) {
            uint64_t version = account->version;
            enqueue(creditor, account);
            aldis__creditor_serve(worker, cell);
            return account->version != version;
        }
        lack = creditor->first ? 0 : free;
    }
    if (!is_batch(account, lack, cap))
        return false;
    give(worker, cell, account, lack);
    return true;
}

void aldis__creditor_serve(struct aldis__worker *worker, struct aldis__cell *cell)
{
    struct aldis__creditor *creditor = aldis__creditor_of(cell);
    struct aldis__account *account;
    while ((account = creditor->first) && may_grant(cell)) {
        uint64_t share = share_of(creditor, account);
        uint64_t cap = account->next ? share : account->window;
        uint64_t lack = lack_of(account, cap), free = free_of(creditor);
        uint64_t count = lack < free ? lack : free;
        if (lack > 0 && !is_batch(account, count, share < lack ? share : lack))
            break;
        unqueue(creditor, account);
        if (count)
            give(worker, cell, account, count);
    }
    look_for_unused(worker, cell, creditor);
}

void aldis__creditor_take_back(struct aldis__creditor *creditor, struct aldis__account *account,
                               uint64_t limit)
{
    uint64_t count = account->promised > limit ? account->promised - limit : 0;
    account->promised -= count;
    account->told = account->promised;
    creditor->outstanding -= count;
    creditor->taken_back += count;
}

/* ------------------------------------------------------------------ coming back */

/* Frees a closed account with nothing left. */
static void finish(struct aldis__worker *worker, struct aldis__creditor *creditor,
                   struct aldis__account *account)
{
    if (aldis__account_outstanding(account) || account->marking ||
        (account->reason && account->confirm_ns)) /* its sender has still to hear that it ended */
        return;
    aldis__account_confirmed(worker, creditor, account);
    if (account->suspect_ns)
        await_no_more(worker, creditor);
    creditor->closing--;
    aldis__account_free(creditor, account);
}

void aldis__creditor_settle(struct aldis__worker *worker, struct aldis__cell *cell,
                            struct aldis__account *account, uint64_t returned, uint64_t lost)
{
    struct aldis__creditor *creditor = aldis__creditor_of(cell);
    account->returned += returned;
    account->lost += lost;
    creditor->returned += returned;
    creditor->lost += lost;
    creditor->outstanding -= returned + lost;
    if (account->closing)
        finish(worker, creditor, account);
    else
        (void)aldis__creditor_provide(worker, cell, account);
    if (creditor->first)
        aldis__creditor_serve(worker, cell);
}

void aldis__account_close(struct aldis__worker *worker, struct aldis__cell *cell,
                          struct aldis__account *account, uint64_t final)
{
    struct aldis__creditor *creditor = aldis__creditor_of(cell);
    if (!account->closing) {
        account->closing = true;
        creditor->open--;
        creditor->closing++;
        aldis__creditor_reshare(creditor);
        unqueue(creditor, account);
        aldis__account_set_hungry(creditor, account, false);
    }
    aldis__creditor_take_back(creditor, account, final > account->top ? final : account->top);
    finish(worker, creditor, account);
    if (creditor->first)
        aldis__creditor_serve(worker, cell);
}

/* ------------------------------------------------------------------ what may be lost */

/* Live, and on good links, each message's end is told. A gap in the numbers may be older than the
 * end of a fault plan. */
static bool may_have_lost(const aldis_system *system, const struct aldis__account *account)
{
    return system->virtual_time &&
           (system->virtual_engine->faults.arg || account->top > account->base);
}

void aldis__account_suspect(struct aldis__worker *worker, struct aldis__cell *cell,
                            struct aldis__account *account, bool kept)
{
    struct aldis__creditor *creditor = aldis__creditor_of(cell);
    uint64_t upto = account->known_sent > account->top ? account->known_sent : account->top;
    upto = upto < account->promised ? upto : account->promised;
    if (upto <= account->base || account->suspect_ns || account->marking ||
        !may_have_lost(worker->ctx.system, account))
        return;
    aldis_ns wait_ns = creditor->terms.lost_after_ns;
    if (kept)
        wait_ns = wait_ns < ALDIS_FOREVER / KEPT_PATIENCE ? KEPT_PATIENCE * wait_ns : ALDIS_FOREVER;
    account->suspect_upto = upto;
    account->suspect_ns =
        aldis__credit_later(aldis__credit_later(worker->ctx.now_ns, wait_ns), account->transit_ns);
    await_alarm(worker, cell, creditor);
}

/* What was under way has arrived by now, and waits in the mailbox before this mark, or is lost. */
static void send_mark(aldis_ctx *ctx, struct aldis__account *account)
{
    static aldis_type mark_type = {"aldis.credit-mark", 0, 0, NULL, 0};
    const aldis_send_opts opts = {.lane = (aldis_lane)account->lane};
    const struct aldis__track track = {&mark_tracker, ALDIS_FOREVER, account->suspect_upto,
                                       account->slot | (uint64_t)account->serial
                                                           << ALDIS__CREDIT_SERIAL_SHIFT};
    const struct aldis__parcel parcel = {ctx->cell->id, &mark_type, NULL, 0, &opts, NULL};
    account->marking = aldis__send_tracked(ctx, &parcel, &track) == ALDIS_OK;
}

/* The account of a mark. Its sender need not be compared: it stays while a mark is under way. */
static struct aldis__account *marked(const struct aldis__cell *cell,
                                     const struct aldis__track *track)
{
    const struct aldis__creditor *creditor = aldis__creditor_of(cell);
    uint32_t slot = aldis__credit_slot(track->b);
    struct aldis__account *account = slot < creditor->slot_count ? creditor->accounts[slot] : NULL;
    return account && account->serial == aldis__credit_serial(track->b) ? account : NULL;
}

static aldis_err on_mark(struct aldis__worker *worker, struct aldis__cell *cell,
                         struct aldis__msg *msg, struct aldis__track *track)
{
    (void)msg;
    struct aldis__account *account = marked(cell, track);
    if (!account)
        return ALDIS_OK;
    account->marking = false;
    /* Not what it had credit for, but, as was heard meanwhile, never sent. */
    uint64_t upto = track->a < account->promised ? track->a : account->promised;
    uint64_t lost = aldis__account_lose(account, upto);
    aldis__account_suspect(worker, cell, account, false);
    aldis__creditor_settle(worker, cell, account, 0, lost);
    return ALDIS_OK;
}

static aldis_err on_mark_lost(struct aldis__worker *worker, struct aldis__cell *cell,
                              struct aldis__msg *msg, struct aldis__track *track)
{
    (void)msg;
    struct aldis__account *account = marked(cell, track);
    if (!account)
        return ALDIS_OK;
    account->marking = false;
    aldis__account_suspect(worker, cell, account, false);
    aldis__creditor_settle(worker, cell, account, 0, 0);
    return ALDIS_OK;
}

static const struct aldis__tracker mark_lost_tracker = {
    .name = "credit mark lost", .handle = on_mark_lost, .steadfast = true};

/* The mailbox has dropped it. */
static void mark_ended(struct aldis__worker *worker, struct aldis__msg *msg,
                       struct aldis__track *track, enum aldis__fate fate, aldis_err reason)
{
    (void)fate, (void)reason;
    const struct aldis__track lost = {&mark_lost_tracker, ALDIS_FOREVER, 0, track->b};
    if (worker)
        aldis__credit_tell_self(worker, msg->to, msg->to, &lost);
}

static const struct aldis__tracker mark_tracker = {
    .name = "credit mark", .reserved = true, .handle = on_mark, .ended = mark_ended};

/* ------------------------------------------------------------------ the alarm */

static void look_at(aldis_ctx *ctx, struct aldis__creditor *creditor,
                    struct aldis__account *account)
{
    struct aldis__worker *worker = aldis__worker_of(ctx);
    if (account->suspect_ns && account->suspect_ns <= ctx->now_ns) {
        account->suspect_ns = 0;
        creditor->pending--;
        if (account->base < account->suspect_upto)
            send_mark(ctx, account);
        if (!account->marking)
            aldis__account_suspect(worker, ctx->cell, account, false);
    }
    if (account->confirm_ns && account->confirm_ns <= ctx->now_ns) {
        creditor->refreshes++;
        account->confirm_ns = aldis__credit_later(ctx->now_ns, creditor->terms.refresh_ns);
        aldis__account_tell(worker, ctx->cell, account, ALDIS__CREDIT_CONFIRM);
    }
}

static aldis_err on_alarm(struct aldis__worker *worker, struct aldis__cell *cell,
                          struct aldis__msg *msg, struct aldis__track *track)
{
    (void)msg;
    struct aldis__creditor *creditor = aldis__creditor_of(cell);
    if (!aldis__alarm_came(&creditor->alarm, track))
        return ALDIS_OK;
    for (uint32_t slot = 0; slot < creditor->slot_count; slot++)
        if (creditor->accounts[slot])
            look_at(&worker->ctx, creditor, creditor->accounts[slot]);
    if (creditor->recall_later) {
        creditor->recall_later = false;
        creditor->pending--;
        creditor->recalled_ns = 0;
        look_for_unused(worker, cell, creditor);
    }
    if (creditor->pending)
        (void)aldis__alarm_set(worker, cell, &creditor->alarm,
                               aldis__credit_later(worker->ctx.now_ns, tick_of(creditor)),
                               &alarm_tracker);
    return ALDIS_OK;
}

static const struct aldis__tracker alarm_tracker = {.name = "credit alarm", .handle = on_alarm};

void aldis__creditor_restarted(struct aldis__worker *worker, struct aldis__cell *cell)
{
    struct aldis__creditor *creditor = aldis__creditor_of(cell);
    aldis__alarm_forget(worker, &creditor->alarm);
    if (creditor->pending)
        (void)aldis__alarm_set(worker, cell, &creditor->alarm,
                               aldis__credit_later(worker->ctx.now_ns, tick_of(creditor)),
                               &alarm_tracker);
}
