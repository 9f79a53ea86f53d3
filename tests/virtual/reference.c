// SPDX-License-Identifier: Apache-2.0
/* reference.c: see reference.h.
 *
 * Messages under way are in one heap, by time. A window takes from it all that lies before its end
 * into a second heap, in the order of a window, and handles that. What a handler changes for others
 * is noted and done at the window's end. */
#include "reference.h"

#include <stdlib.h>
#include <string.h>

enum { NODE = 1, NODE_SHIFT = 56, SHARD_SHIFT = 44, SLOT_SHIFT = 20, SHARES_OF_LOW = 16 };

/* Lanes in the order in which they are served. */
enum { CONTROL, CRITICAL, HIGH, NORMAL, LOW, RANKS };

enum what { NOTE, TICK, START, RESUME, STOP, CHILD_ENDED };

struct message {
    aldis_ns at_ns;
    uint32_t step, rank;
    uint64_t from, order; /* order: the sender's sequence */
    uint64_t to;
    uint32_t home; /* the receiver's shard */
    enum what what;
    struct note note;
};

struct heap {
    struct message *items;
    size_t count, capacity;
    bool (*before)(const struct message *a, const struct message *b);
};

struct actor {
    uint64_t id;
    struct birth birth;
    struct player player;
    uint64_t sequence;     /* of what it sends */
    uint64_t change_count; /* of what it changes for others, in this window */
    uint64_t change_round;
    uint32_t children;                  /* that have not ended */
    struct message box[PLAYER_MAILBOX]; /* in order of arrival */
    uint32_t boxed, turns_since_low;
    bool started, asleep; /* asleep: busy */
    bool stopping, ended;
    bool known_closing, known_ended; /* what the others see: facts of a window's start */
};

struct slots {
    struct actor **actors; /* by slot: the last one to have it */
    uint32_t *free;        /* slots of ended actors: the last freed is the next used */
    uint32_t end, capacity, free_count;
};

enum change_kind { BEGIN, COMMAND_STOP, CLOSE, END };

/* What takes effect at the end of the window. */
struct change {
    aldis_ns at_ns;
    uint32_t step;
    uint64_t actor, count; /* who, and its how-manieth */
    enum change_kind kind;
    uint64_t target;
};

struct reference {
    struct show *show;
    struct heap future, sweep;
    struct slots *slots; /* by birth shard; the last is for those spawned from outside */
    struct change *changes;
    size_t change_count, change_capacity;
    aldis_ns lookahead_ns;
    bool zero;               /* a window is one round of an instant */
    uint64_t round;          /* windows so far */
    aldis_ns now_ns, end_ns; /* all before now_ns is done; end of the window */
    bool in_window;
    uint64_t sequence, outside_sequence; /* of what the executor and the outside send */
    /* the running player */
    struct actor *actor;
    aldis_ns at_ns, busy_ns;
    uint32_t step;
    uint64_t sender;
};

static void *grown(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity ? 2 * *capacity : 64;
    items = realloc(items, *capacity * size);
    if (!items)
        abort();
    return items;
}

/* ------------------------------------------------------------------ order */

static bool earlier(const struct message *a, const struct message *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->step < b->step;
}

/* (receiver, time, microstep, lane, sender, sequence); a shard's receivers together, by slot. */
static bool first_in_window(const struct message *a, const struct message *b)
{
    if (a->home != b->home)
        return a->home < b->home;
    if (a->to >> SLOT_SHIFT != b->to >> SLOT_SHIFT)
        return a->to >> SLOT_SHIFT < b->to >> SLOT_SHIFT;
    if (a->at_ns != b->at_ns)
        return a->at_ns < b->at_ns;
    if (a->step != b->step)
        return a->step < b->step;
    if (a->rank != b->rank)
        return a->rank < b->rank;
    if (a->from != b->from)
        return a->from < b->from;
    return a->order < b->order;
}

static void heap_push(struct heap *heap, const struct message *message)
{
    heap->items = grown(heap->items, heap->count, &heap->capacity, sizeof *heap->items);
    size_t i = heap->count++;
    for (; i > 0 && heap->before(message, &heap->items[(i - 1) / 2]); i = (i - 1) / 2)
        heap->items[i] = heap->items[(i - 1) / 2];
    heap->items[i] = *message;
}

static struct message heap_pop(struct heap *heap)
{
    struct message first = heap->items[0], last = heap->items[--heap->count];
    size_t i = 0, child;
    while ((child = 2 * i + 1) < heap->count) {
        if (child + 1 < heap->count && heap->before(&heap->items[child + 1], &heap->items[child]))
            child++;
        if (!heap->before(&heap->items[child], &last))
            break;
        heap->items[i] = heap->items[child];
        i = child;
    }
    heap->items[i] = last;
    return first;
}

static int compare_changes(const void *a, const void *b)
{
    const struct change *x = a, *y = b;
    if (x->at_ns != y->at_ns)
        return x->at_ns < y->at_ns ? -1 : 1;
    if (x->step != y->step)
        return x->step < y->step ? -1 : 1;
    if (x->actor != y->actor)
        return x->actor < y->actor ? -1 : 1;
    return x->count < y->count ? -1 : x->count > y->count;
}

/* ------------------------------------------------------------------ actors and ids */

static struct actor **slot_of(struct reference *r, uint64_t id)
{
    uint32_t birth = (uint32_t)(id >> SHARD_SHIFT) & 0xfff;
    return &r->slots[birth].actors[(id >> SLOT_SHIFT) & 0xffffff];
}

/* NULL: another has its slot already. */
static struct actor *find(struct reference *r, uint64_t id)
{
    struct actor *actor = id ? *slot_of(r, id) : NULL;
    return actor && actor->id == id ? actor : NULL;
}

static struct actor *new_actor(struct reference *r, uint32_t birth_shard, const struct birth *birth)
{
    struct slots *slots = &r->slots[birth_shard];
    uint32_t slot = slots->free_count ? slots->free[--slots->free_count] : slots->end++;
    if (slot >= slots->capacity) {
        size_t capacity = slots->capacity;
        slots->actors = grown(slots->actors, capacity, &capacity, sizeof *slots->actors);
        slots->free = realloc(slots->free, capacity * sizeof *slots->free);
        if (!slots->free)
            abort();
        memset(slots->actors + slots->capacity, 0,
               (capacity - slots->capacity) * sizeof *slots->actors);
        slots->capacity = (uint32_t)capacity;
    }
    struct actor *old = slots->actors[slot], *actor = calloc(1, sizeof *actor);
    if (!actor)
        abort();
    uint64_t generation = old ? (old->id & 0xfffff) + 1 : 1;
    actor->id = (uint64_t)NODE << NODE_SHIFT | (uint64_t)birth_shard << SHARD_SHIFT |
                (uint64_t)slot << SLOT_SHIFT | generation;
    actor->birth = *birth;
    slots->actors[slot] = actor;
    free(old);
    return actor;
}

/* What a sender or a stopper is told of another. */
static aldis_err look_at(struct reference *r, uint64_t id)
{
    const struct actor *actor = find(r, id);
    if (!actor || actor->known_ended)
        return ALDIS_ESTALE;
    return actor->known_closing ? ALDIS_ESHUTDOWN : ALDIS_OK;
}

/* ------------------------------------------------------------------ messages and changes */

static void schedule(struct reference *r, const struct message *message)
{
    bool now = r->in_window && !r->zero && message->at_ns < r->end_ns;
    heap_push(now ? &r->sweep : &r->future, message);
}

/* From the running player. */
static void send_at(struct reference *r, struct message message, aldis_ns at_ns)
{
    message.at_ns = at_ns;
    message.step = at_ns == r->at_ns ? r->step + 1 : 0;
    message.from = r->actor->id;
    message.order = r->actor->sequence++;
    schedule(r, &message);
}

/* From the executor itself, at the end of a window. */
static void tell(struct reference *r, enum what what, uint64_t from, uint64_t to)
{
    struct actor *actor = find(r, to);
    struct message message = {.at_ns = r->end_ns,
                              .rank = CONTROL,
                              .from = from,
                              .order = r->sequence++,
                              .to = to,
                              .what = what};
    if (!actor)
        return;
    message.home = actor->birth.home;
    schedule(r, &message);
}

static void change(struct reference *r, enum change_kind kind, uint64_t target)
{
    struct actor *actor = r->actor;
    if (actor->change_round != r->round)
        actor->change_count = 0;
    actor->change_round = r->round;
    r->changes = grown(r->changes, r->change_count, &r->change_capacity, sizeof *r->changes);
    r->changes[r->change_count] = (struct change){.at_ns = r->at_ns,
                                                  .step = r->step,
                                                  .actor = actor->id,
                                                  .count = actor->change_count++,
                                                  .kind = kind,
                                                  .target = target};
    r->change_count++;
}

static void make_changes(struct reference *r)
{
    if (r->change_count)
        qsort(r->changes, r->change_count, sizeof *r->changes, compare_changes);
    for (size_t i = 0; i < r->change_count; i++) {
        const struct change *c = &r->changes[i];
        struct actor *actor = find(r, c->target);
        switch (c->kind) {
        case BEGIN:
            tell(r, START, 0, c->target);
            break;
        case COMMAND_STOP:
            tell(r, STOP, 0, c->target);
            break;
        case CLOSE:
            actor->known_closing = true;
            break;
        case END: {
            struct slots *slots = &r->slots[(actor->id >> SHARD_SHIFT) & 0xfff];
            actor->known_ended = true;
            tell(r, CHILD_ENDED, actor->id, actor->birth.parent);
            slots->free[slots->free_count++] = (uint32_t)(actor->id >> SLOT_SHIFT) & 0xffffff;
            break;
        }
        }
    }
    r->change_count = 0;
}

/* ------------------------------------------------------------------ the players' calls */

static aldis_ns stage_now(void *run)
{
    struct reference *r = run;
    return r->at_ns + r->busy_ns;
}

static uint64_t stage_self(void *run)
{
    return ((struct reference *)run)->actor->id;
}

static uint64_t stage_sender(void *run)
{
    return ((struct reference *)run)->sender;
}

static uint32_t rank_of(aldis_lane lane)
{
    switch (lane) {
    case ALDIS_LANE_NORMAL:
        return NORMAL;
    case ALDIS_LANE_CONTROL:
        return CONTROL;
    case ALDIS_LANE_CRITICAL:
        return CRITICAL;
    case ALDIS_LANE_HIGH:
        return HIGH;
    case ALDIS_LANE_LOW:
        return LOW;
    }
    return RANKS;
}

static aldis_err stage_send(void *run, uint64_t to, const struct note *note, aldis_ns delay_ns,
                            aldis_lane lane)
{
    struct reference *r = run;
    aldis_err err = look_at(r, to);
    if (err != ALDIS_OK)
        return err;
    if (delay_ns < 0)
        delay_ns = r->lookahead_ns;
    if (delay_ns < r->lookahead_ns && to != r->actor->id)
        return ALDIS_ELOOKAHEAD;
    struct message message = {
        .to = to, .home = find(r, to)->birth.home, .rank = rank_of(lane), .note = *note};
    send_at(r, message, r->at_ns + r->busy_ns + delay_ns);
    return ALDIS_OK;
}

static aldis_err stage_tick(void *run, aldis_ns delay_ns)
{
    struct reference *r = run;
    aldis_err err = look_at(r, r->actor->id);
    struct message message = {
        .to = r->actor->id, .home = r->actor->birth.home, .rank = NORMAL, .what = TICK};
    if (err == ALDIS_OK)
        send_at(r, message, r->at_ns + r->busy_ns + delay_ns);
    return err;
}

static aldis_err stage_spawn(void *run, const struct birth *birth, uint64_t *out_id)
{
    struct reference *r = run;
    *out_id = new_actor(r, r->actor->birth.home, birth)->id;
    r->actor->children++;
    change(r, BEGIN, *out_id);
    return ALDIS_OK;
}

static aldis_err stage_stop(void *run, uint64_t whom)
{
    struct reference *r = run;
    if (look_at(r, whom) == ALDIS_ESTALE)
        return ALDIS_ESTALE;
    change(r, COMMAND_STOP, whom);
    return ALDIS_OK;
}

static void stage_busy(void *run, aldis_ns ns)
{
    ((struct reference *)run)->busy_ns += ns;
}

/* ------------------------------------------------------------------ handling */

/* Let the player handle the message; then it may be busy for a while. */
static void handle(struct reference *r, struct actor *actor, const struct message *message)
{
    struct stage stage = {r,          stage_now,   stage_self, stage_sender, stage_send,
                          stage_tick, stage_spawn, stage_stop, stage_busy};
    r->busy_ns = 0;
    r->sender = message->from;
    switch (message->what) {
    case NOTE:
        player_on_note(&actor->player, &message->note, &stage);
        break;
    case TICK:
        player_on_tick(&actor->player, &stage);
        break;
    case START:
        player_start(&actor->player, &actor->birth, &stage);
        break;
    case STOP:
    case CHILD_ENDED:
        player_stop(&actor->player, &stage);
        break;
    case RESUME:
        break;
    }
    if (r->busy_ns > 0) {
        struct message resume = {
            .to = actor->id, .home = actor->birth.home, .rank = CONTROL, .what = RESUME};
        actor->asleep = true;
        send_at(r, resume, r->at_ns + r->busy_ns);
    }
    r->busy_ns = 0;
}

static void remove_at(struct actor *actor, uint32_t index)
{
    actor->boxed--;
    memmove(&actor->box[index], &actor->box[index + 1],
            (actor->boxed - index) * sizeof *actor->box);
}

/* The oldest of a lane; boxed: there is none. */
static uint32_t oldest_of(const struct actor *actor, uint32_t rank)
{
    uint32_t i = 0;
    while (i < actor->boxed && actor->box[i].rank != rank)
        i++;
    return i;
}

/* By lane; while any lane but normal has mail, each sixteenth turn is for the lowest. */
static uint32_t next_of(struct actor *actor)
{
    uint32_t normal = 0;
    for (uint32_t i = 0; i < actor->boxed; i++)
        normal += actor->box[i].rank == NORMAL;
    if (normal == actor->boxed)
        return 0;
    if (++actor->turns_since_low >= SHARES_OF_LOW) {
        actor->turns_since_low = 0;
        uint32_t low = oldest_of(actor, LOW);
        if (low < actor->boxed)
            return low;
    }
    uint32_t rank = CRITICAL;
    while (oldest_of(actor, rank) == actor->boxed)
        rank++;
    return oldest_of(actor, rank);
}

/* The oldest of the lowest lane makes room, but not for a message of a lane below it. */
static bool make_room(struct actor *actor, uint32_t rank)
{
    if (actor->birth.kind == PLAYER_DROPS_NEWEST)
        return false;
    for (uint32_t lane = LOW; lane >= rank; lane--) {
        uint32_t oldest = oldest_of(actor, lane);
        if (oldest < actor->boxed) {
            remove_at(actor, oldest);
            return true;
        }
    }
    return false;
}

static void put_in_box(struct actor *actor, const struct message *message)
{
    if (actor->boxed < PLAYER_MAILBOX || make_room(actor, message->rank))
        actor->box[actor->boxed++] = *message;
}

static void wake(struct reference *r, struct actor *actor)
{
    actor->asleep = false;
    while (!actor->asleep && !actor->stopping && actor->boxed > 0) {
        uint32_t next = next_of(actor);
        struct message message = actor->box[next];
        remove_at(actor, next);
        handle(r, actor, &message);
    }
}

/* At its time, or just before its first message: with zero delays that may come in the same
 * instant. */
static void start(struct reference *r, struct actor *actor)
{
    const struct message message = {.what = START};
    if (!actor->started)
        handle(r, actor, &message);
    actor->started = true;
}

/* A stopping actor ends when its children have. */
static void try_end(struct reference *r, struct actor *actor, const struct message *message)
{
    if (!actor->stopping || actor->children > 0)
        return;
    handle(r, actor, message);
    actor->ended = true;
    change(r, END, actor->id);
}

static void begin_stop(struct reference *r, struct actor *actor)
{
    if (actor->stopping)
        return;
    actor->stopping = true;
    change(r, CLOSE, actor->id);
    for (uint32_t s = 0; s <= r->show->shards; s++)
        for (uint32_t i = 0; i < r->slots[s].end; i++) {
            const struct actor *child = r->slots[s].actors[i];
            if (child->birth.parent == actor->id && !child->known_ended)
                change(r, COMMAND_STOP, child->id);
        }
}

static void arrive(struct reference *r, const struct message *message)
{
    struct actor *actor = find(r, message->to);
    if (!actor || actor->ended || actor->known_ended)
        return;
    r->actor = actor;
    r->at_ns = message->at_ns;
    r->step = message->step;
    switch (message->what) {
    case START:
        start(r, actor);
        break;
    case RESUME:
        wake(r, actor);
        break;
    case STOP:
        begin_stop(r, actor);
        try_end(r, actor, message);
        break;
    case CHILD_ENDED:
        actor->children--;
        try_end(r, actor, message);
        break;
    case NOTE:
    case TICK:
        start(r, actor);
        if (actor->asleep && !actor->stopping)
            put_in_box(actor, message);
        else if (!actor->stopping)
            handle(r, actor, message);
        break;
    }
}

/* ------------------------------------------------------------------ windows */

/* The next window: [begin, end), all of it, or one round of an instant. False: it is not before
 * until_ns. */
static bool begin_window(struct reference *r, aldis_ns until_ns)
{
    const struct message *next = &r->future.items[0];
    aldis_ns width_ns = r->zero ? 1 : r->lookahead_ns;
    aldis_ns begin_ns = next->at_ns / width_ns * width_ns;
    if (begin_ns < r->now_ns && !r->zero)
        begin_ns = r->now_ns; /* the rest of a window that a pause has cut */
    if (begin_ns >= until_ns)
        return false;
    r->end_ns = next->at_ns / width_ns * width_ns + width_ns;
    if (r->end_ns > until_ns)
        r->end_ns = until_ns;
    uint32_t step = next->step;
    while (r->future.count > 0 && r->future.items[0].at_ns < r->end_ns &&
           (!r->zero || r->future.items[0].step == step)) {
        struct message message = heap_pop(&r->future);
        heap_push(&r->sweep, &message);
    }
    return true;
}

static void run_until(void *run, aldis_ns until_ns)
{
    struct reference *r = run;
    while (r->future.count > 0) {
        if (!begin_window(r, until_ns)) {
            r->now_ns = r->now_ns > until_ns ? r->now_ns : until_ns;
            return;
        }
        r->round++;
        r->in_window = true;
        while (r->sweep.count > 0) {
            struct message message = heap_pop(&r->sweep);
            arrive(r, &message);
        }
        r->in_window = false;
        make_changes(r);
        r->now_ns = r->end_ns;
    }
}

/* ------------------------------------------------------------------ from outside */

static uint64_t outside_spawn(void *run, const struct birth *birth)
{
    struct reference *r = run;
    struct actor *actor = new_actor(r, r->show->shards, birth);
    struct message start = {.at_ns = r->now_ns,
                            .rank = CONTROL,
                            .order = r->outside_sequence++,
                            .to = actor->id,
                            .home = birth->home,
                            .what = START};
    schedule(r, &start);
    return actor->id;
}

static void outside_send(void *run, uint64_t to, const struct note *note, aldis_ns delay_ns)
{
    struct reference *r = run;
    if (look_at(r, to) != ALDIS_OK)
        return;
    struct message message = {.at_ns = r->now_ns + delay_ns,
                              .rank = NORMAL,
                              .order = r->outside_sequence++,
                              .to = to,
                              .home = find(r, to)->birth.home,
                              .note = *note};
    schedule(r, &message);
}

void reference_perform(struct show *show)
{
    struct reference r = {.show = show,
                          .zero = show->kind == SHOW_ZERO,
                          .future.before = earlier,
                          .sweep.before = first_in_window};
    r.lookahead_ns = r.zero ? 0 : show->lookahead_ns;
    r.slots = calloc(show->shards + 1, sizeof *r.slots);
    if (!r.slots)
        abort();
    struct theatre theatre = {&r, outside_spawn, outside_send, run_until};
    show_perform(show, &theatre);
    for (uint32_t s = 0; s <= show->shards; s++) {
        for (uint32_t i = 0; i < r.slots[s].end; i++)
            free(r.slots[s].actors[i]);
        free(r.slots[s].actors);
        free(r.slots[s].free);
    }
    free(r.slots);
    free(r.future.items);
    free(r.sweep.items);
    free(r.changes);
}
