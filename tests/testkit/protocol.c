// SPDX-License-Identifier: Apache-2.0
/* protocol.c: see protocol.h.
 *
 * Senders number what they are given, keep it on a disk and repeat it until it is acknowledged; one
 * receiver takes each stream in order, keeps on its disk how far it is, and acknowledges that. A
 * disk is memory that a restart does not clear; what was written is safe only when its sync is
 * over. A trial has a process of its own, so all this may be static. */
#include "protocol.h"

#include <stdlib.h>
#include <string.h>

enum { SENDERS = 3, EACH = 40, WINDOW = 8, TAKEN_MAX = SENDERS * EACH * 4 };

struct data {
    int32_t sender, epoch, number, id;
};
struct ack {
    int32_t epoch, up_to;
};
struct synced {
    uint64_t life; /* of the actor that asked for it */
};
ALDIS_MESSAGE(dst_data, struct data);
ALDIS_MESSAGE(dst_ack, struct ack);
ALDIS_MESSAGE(dst_synced, struct synced);
ALDIS_SIGNAL(dst_submit);
ALDIS_SIGNAL(dst_repeat);

#define SENDER_PROTOCOL(X, kind)                                                                   \
    X(kind, dst_submit) X(kind, dst_repeat) X(kind, dst_synced) X(kind, dst_ack)
#define RECEIVER_PROTOCOL(X, kind) X(kind, dst_data) X(kind, dst_synced)
#define BOSS_PROTOCOL(X, kind) X(kind, dst_submit)
ALDIS_PROTOCOL(dst_sender, SENDER_PROTOCOL);
ALDIS_PROTOCOL(dst_receiver, RECEIVER_PROTOCOL);
ALDIS_PROTOCOL(dst_boss, BOSS_PROTOCOL);

/* What a sender keeps. */
struct outbox {
    int32_t count, acked, epoch, ids[EACH];
};
/* What the receiver keeps. */
struct inbox {
    int32_t next[SENDERS], epoch[SENDERS], ring[SENDERS][WINDOW], taken_count, taken[TAKEN_MAX];
};

static enum protocol_bug bug;
static struct {
    struct outbox disk;
    uint64_t life;
    int32_t submitted;
} senders[SENDERS];
static struct {
    struct inbox disk;
    uint64_t life;
} receiver_disk;
static bool accepted[SENDERS * EACH];
static int repeats;

/* ------------------------------------------------------------------ senders */

struct dst_sender {
    int32_t index, tries;
    dst_receiver_ref receiver;
    struct outbox now, writing;
    bool is_syncing;
    aldis_timer submit, repeat;
};

struct sender_arg {
    int32_t index;
    dst_receiver_ref receiver;
};

static void sender_sync(struct dst_sender *self, aldis_ctx *ctx)
{
    dst_sender_ref me = {.id = aldis_self(ctx)};
    if (self->is_syncing)
        return;
    self->is_syncing = true;
    self->writing = self->now;
    aldis_ns delay_ns = (aldis_ns)(1 + aldis_random_below(ctx, 60)) * ALDIS_MS;
    (void)aldis_send_after(ctx, delay_ns, me, dst_synced, .life = senders[self->index].life);
}

static void transmit(struct dst_sender *self, aldis_ctx *ctx)
{
    int32_t end = bug == BUG_SEND_BEFORE_SYNC ? self->now.count : senders[self->index].disk.count;
    for (int32_t i = self->now.acked; i < end && i < self->now.acked + WINDOW; i++)
        (void)aldis_send(ctx, self->receiver, dst_data, .sender = self->index,
                         .epoch = self->now.epoch, .number = i, .id = self->now.ids[i]);
}

static aldis_err arm(struct dst_sender *self, aldis_ctx *ctx)
{
    aldis_err err = aldis_timer_once(ctx, (aldis_ns)(20 + aldis_random_below(ctx, 200)) * ALDIS_MS,
                                     dst_submit, &self->submit);
    return err != ALDIS_OK
               ? err
               : aldis_timer_once(ctx, (aldis_ns)(50 + aldis_random_below(ctx, 50)) * ALDIS_MS,
                                  dst_repeat, &self->repeat);
}

static aldis_err sender_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct dst_sender *self = state;
    const struct sender_arg *given = arg;
    self->index = given->index;
    self->receiver = given->receiver;
    self->now = senders[self->index].disk;
    if (senders[self->index].life++ > 0 && bug == BUG_RENUMBERS) {
        int32_t left = self->now.count - self->now.acked;
        memmove(self->now.ids, self->now.ids + self->now.acked, (size_t)left * sizeof(int32_t));
        self->now.count = left;
        self->now.acked = 0;
        self->now.epoch++;
        senders[self->index].disk = self->now;
    }
    transmit(self, ctx);
    return arm(self, ctx);
}

static aldis_err dst_sender_on_dst_submit(struct dst_sender *self, const aldis_none *msg,
                                          aldis_ctx *ctx)
{
    (void)msg;
    int32_t *submitted = &senders[self->index].submitted;
    if (*submitted == EACH)
        return ALDIS_OK;
    /* Ids are given in the order of asking, so that the order of taking can be checked. */
    int32_t id = self->index * EACH + (*submitted)++;
    self->now.ids[self->now.count++] = id;
    if (bug == BUG_ACCEPT_BEFORE_SYNC)
        accepted[id] = true;
    sender_sync(self, ctx);
    transmit(self, ctx);
    return aldis_timer_once(ctx, (aldis_ns)(20 + aldis_random_below(ctx, 200)) * ALDIS_MS,
                            dst_submit, &self->submit);
}

static aldis_err dst_sender_on_dst_repeat(struct dst_sender *self, const aldis_none *msg,
                                          aldis_ctx *ctx)
{
    (void)msg;
    if (self->now.acked < self->now.count && (bug != BUG_GIVES_UP || self->tries++ < 3)) {
        repeats++;
        if (bug == BUG_CRASHES && repeats == 2)
            abort();
        while (bug == BUG_HANGS && repeats >= 2)
            ;
        transmit(self, ctx);
    }
    return aldis_timer_once(ctx, (aldis_ns)(50 + aldis_random_below(ctx, 50)) * ALDIS_MS,
                            dst_repeat, &self->repeat);
}

static aldis_err dst_sender_on_dst_synced(struct dst_sender *self, const struct synced *msg,
                                          aldis_ctx *ctx)
{
    struct outbox *disk = &senders[self->index].disk;
    if (msg->life != senders[self->index].life)
        return ALDIS_OK;
    for (int32_t i = disk->count; i < self->writing.count; i++)
        accepted[self->writing.ids[i]] = true;
    *disk = self->writing;
    self->is_syncing = false;
    transmit(self, ctx);
    if (disk->count != self->now.count || disk->acked != self->now.acked)
        sender_sync(self, ctx);
    return ALDIS_OK;
}

static aldis_err dst_sender_on_dst_ack(struct dst_sender *self, const struct ack *msg,
                                       aldis_ctx *ctx)
{
    if (msg->epoch != self->now.epoch || msg->up_to <= self->now.acked ||
        msg->up_to > self->now.count)
        return ALDIS_OK;
    self->now.acked = msg->up_to;
    self->tries = 0;
    sender_sync(self, ctx);
    transmit(self, ctx);
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(dst_sender, struct dst_sender, SENDER_PROTOCOL, .on_start = sender_start,
                .restart = {.mode = ALDIS_RESTART_ON_FAILURE});

/* ------------------------------------------------------------------ the receiver */

struct dst_receiver {
    struct inbox now, writing;
    dst_sender_ref senders[SENDERS];
    bool owes[SENDERS], is_syncing;
};

static void receiver_sync(struct dst_receiver *self, aldis_ctx *ctx)
{
    dst_receiver_ref me = {.id = aldis_self(ctx)};
    if (self->is_syncing)
        return;
    self->is_syncing = true;
    self->writing = self->now;
    aldis_ns delay_ns = (aldis_ns)(1 + aldis_random_below(ctx, 60)) * ALDIS_MS;
    (void)aldis_send_after(ctx, delay_ns, me, dst_synced, .life = receiver_disk.life);
}

static void acknowledge(struct dst_receiver *self, int sender, aldis_ctx *ctx)
{
    const struct inbox *known = bug == BUG_ACK_BEFORE_SYNC ? &self->now : &receiver_disk.disk;
    if (!aldis_id_is_nobody(self->senders[sender].id))
        (void)aldis_send(ctx, self->senders[sender], dst_ack, .epoch = self->now.epoch[sender],
                         .up_to = known->next[sender]);
}

static aldis_err receiver_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct dst_receiver *self = state;
    (void)arg;
    (void)ctx;
    self->now = receiver_disk.disk;
    if (receiver_disk.life++ > 0 && bug == BUG_FILTER_IN_MEMORY)
        for (int s = 0; s < SENDERS; s++)
            self->now.next[s] = -1;
    return ALDIS_OK;
}

/* Is it the one to take now? */
static bool is_next(const struct inbox *inbox, const struct data *msg)
{
    int32_t next = inbox->next[msg->sender];
    if (bug == BUG_FILTER_IN_MEMORY && next < 0)
        return true;
    if (bug == BUG_FILTER_WINDOW && msg->number < next &&
        inbox->ring[msg->sender][msg->number % WINDOW] != msg->number)
        return true;
    if (bug == BUG_TAKES_GAPS && msg->number > next)
        return true;
    return msg->number == next;
}

static aldis_err dst_receiver_on_dst_data(struct dst_receiver *self, const struct data *msg,
                                          aldis_ctx *ctx)
{
    struct inbox *inbox = &self->now;
    int s = msg->sender;
    self->senders[s].id = aldis_sender(ctx);
    if (msg->epoch > inbox->epoch[s]) {
        inbox->epoch[s] = msg->epoch;
        inbox->next[s] = 0;
    }
    if (msg->epoch < inbox->epoch[s])
        return ALDIS_OK;
    if (is_next(inbox, msg) && inbox->taken_count < TAKEN_MAX) {
        if (msg->number >= inbox->next[s])
            inbox->next[s] = msg->number + 1;
        inbox->ring[s][msg->number % WINDOW] = msg->number;
        inbox->taken[inbox->taken_count++] = msg->id;
    }
    self->owes[s] = true;
    receiver_sync(self, ctx);
    if (bug == BUG_ACK_BEFORE_SYNC)
        acknowledge(self, s, ctx);
    return ALDIS_OK;
}

static aldis_err dst_receiver_on_dst_synced(struct dst_receiver *self, const struct synced *msg,
                                            aldis_ctx *ctx)
{
    if (msg->life != receiver_disk.life)
        return ALDIS_OK;
    receiver_disk.disk = self->writing;
    self->is_syncing = false;
    for (int s = 0; s < SENDERS; s++) {
        if (self->owes[s])
            acknowledge(self, s, ctx);
        self->owes[s] = receiver_disk.disk.next[s] != self->now.next[s];
    }
    if (memcmp(&receiver_disk.disk, &self->now, sizeof self->now) != 0)
        receiver_sync(self, ctx);
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(dst_receiver, struct dst_receiver, RECEIVER_PROTOCOL, .on_start = receiver_start,
                .restart = {.mode = ALDIS_RESTART_ON_FAILURE});

/* ------------------------------------------------------------------ who restarts them */

struct dst_boss {
    uint32_t unused;
};

static aldis_err boss_start(void *state, const void *arg, aldis_ctx *ctx)
{
    dst_receiver_ref receiver;
    (void)state;
    (void)arg;
    aldis_err err = aldis_spawn(ctx, dst_receiver, &receiver, NULL);
    for (int32_t s = 0; s < SENDERS && err == ALDIS_OK; s++) {
        dst_sender_ref sender;
        struct sender_arg given = {.index = s, .receiver = receiver};
        err = aldis_spawn(ctx, dst_sender, &sender,
                          &(aldis_spawn_opts){.arg = &given, .arg_size = sizeof given});
    }
    return err;
}

static aldis_err dst_boss_on_dst_submit(struct dst_boss *self, const aldis_none *msg,
                                        aldis_ctx *ctx)
{
    (void)self, (void)msg, (void)ctx;
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(dst_boss, struct dst_boss, BOSS_PROTOCOL, .on_start = boss_start,
                .supervisor = {.intensity = 1000});

/* ------------------------------------------------------------------ a trial */

/* Over what the receiver's disk holds in the end. */
static void check(aldis_trial *trial)
{
    const struct inbox *inbox = &receiver_disk.disk;
    int32_t times[SENDERS * EACH] = {0}, last[SENDERS] = {-1, -1, -1};
    for (int32_t i = 0; i < inbox->taken_count; i++) {
        int32_t id = inbox->taken[i];
        if (id < 0 || id >= SENDERS * EACH)
            aldis_trial_fail(trial, ALDIS_VIOLATION_UNEXPECTED, "id %d", id);
        else if (times[id]++)
            aldis_trial_fail(trial, ALDIS_VIOLATION_DUPLICATE, "id %d", id);
        else if (id < last[id / EACH])
            aldis_trial_fail(trial, ALDIS_VIOLATION_ORDER, "id %d after %d", id, last[id / EACH]);
        else
            last[id / EACH] = id;
    }
    for (int32_t id = 0; id < SENDERS * EACH; id++)
        if (accepted[id] && !times[id])
            aldis_trial_fail(trial, ALDIS_VIOLATION_LOST, "id %d", id);
}

const aldis_fault_plan *protocol_plan(void)
{
    static const aldis_fault_rule rules[] = {
        {.kind = ALDIS_FAULT_LOSS, .chance = 0.2},
        {.kind = ALDIS_FAULT_DUPLICATE, .chance = 0.15, .max_ns = 400 * ALDIS_MS},
        {.kind = ALDIS_FAULT_DELAY, .chance = 0.3, .max_ns = 400 * ALDIS_MS},
        {.kind = ALDIS_FAULT_CUT, .chance = 0.1, .max_ns = 700 * ALDIS_MS},
        {.kind = ALDIS_FAULT_CRASH, .chance = 0.003, .to = "dst_receiver"},
        {.kind = ALDIS_FAULT_CRASH, .chance = 0.003, .to = "dst_sender"},
    };
    static const aldis_fault_plan plan = {
        .rules = rules, .rule_count = sizeof rules / sizeof rules[0], .heal_ns = 9 * ALDIS_SECOND};
    return &plan;
}

void protocol_trial(void *arg, aldis_trial *trial)
{
    aldis_system *system;
    dst_boss_ref boss;
    aldis_audit audit;
    aldis_system_opts opts = {
        .clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .shards = 4, .seed = aldis_trial_seed(trial)};
    bug = *(const enum protocol_bug *)arg;
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, dst_boss, &boss, NULL) != ALDIS_OK ||
        aldis_trial_inject(trial, system) != ALDIS_OK ||
        aldis_system_run(system, 30 * ALDIS_SECOND, NULL) != ALDIS_OK)
        aldis_trial_fail(trial, ALDIS_VIOLATION_UNEXPECTED, "%s", aldis_error_last()->text);
    if (aldis_system_audit(system, &audit) != ALDIS_OK || !audit.balanced)
        aldis_trial_fail(trial, ALDIS_VIOLATION_UNEXPECTED, "audit: %s", audit.text);
    check(trial);
    aldis_system_destroy(system);
}
