// SPDX-License-Identifier: Apache-2.0
/* program.c: see program.h. */
#include "program.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 3, CHILDREN_MAX = 4, PAUSES = 3 };

/* ------------------------------------------------------------------ chance */

/* SplitMix64: G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators",
 * OOPSLA'14. */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t draw_below(uint64_t *state, uint64_t bound)
{
    return draw(state) % bound;
}

static void learn(struct player *self, uint64_t fact)
{
    self->chance ^= fact * UINT64_C(0xff51afd7ed558ccd);
    (void)draw(&self->chance);
}

/* ------------------------------------------------------------------ records */

static void write_down(struct player *self, const struct stage *stage, enum record_type type,
                       const struct note *note)
{
    struct journal *journal = &self->show->journals[self->home];
    if (journal->count == journal->capacity) {
        size_t capacity = journal->capacity ? 2 * journal->capacity : 256;
        struct record *records = realloc(journal->records, capacity * sizeof *records);
        if (!records)
            abort();
        journal->records = records;
        journal->capacity = capacity;
    }
    struct record *record = &journal->records[journal->count++];
    memset(record, 0, sizeof *record);
    record->at_ns = stage->now(stage->run);
    record->receiver = stage->self(stage->run);
    record->type = type;
    if (type == RECORD_NOTE || type == RECORD_TICK)
        record->sender = stage->sender(stage->run);
    if (note)
        record->note = *note;
}

/* ------------------------------------------------------------------ what a player does */

static uint64_t somebody(struct player *self)
{
    return self->friends[draw_below(&self->chance, PLAYER_FRIENDS)];
}

static void remember(struct player *self, uint64_t friend)
{
    if (friend)
        self->friends[draw_below(&self->chance, PLAYER_FRIENDS)] = friend;
}

static aldis_lane some_lane(struct player *self)
{
    static const aldis_lane lanes[8] = {ALDIS_LANE_NORMAL, ALDIS_LANE_NORMAL, ALDIS_LANE_NORMAL,
                                        ALDIS_LANE_NORMAL, ALDIS_LANE_HIGH,   ALDIS_LANE_CRITICAL,
                                        ALDIS_LANE_LOW,    ALDIS_LANE_NORMAL};
    return lanes[draw_below(&self->chance, 8)];
}

/* For another: never below the lookahead, if there is one. */
static aldis_ns some_delay(struct player *self, const struct stage *stage)
{
    uint64_t ahead = (uint64_t)self->show->lookahead_ns;
    if (self->show->kind == SHOW_ZERO && draw_below(&self->chance, 3) > 0)
        return (aldis_ns)draw_below(&self->chance, 2) - 1;
    switch (draw_below(&self->chance, self->show->kind == SHOW_SMALL ? 7 : 3)) {
    case 0:
        return -1; /* the default: the lookahead */
    case 1:
        return (aldis_ns)ahead;
    case 2: /* to the beginning of a window */
        return (aldis_ns)(2 * ahead - (uint64_t)stage->now(stage->run) % ahead);
    case 3:
        return (aldis_ns)(ahead + draw_below(&self->chance, ahead));
    case 4:
        return (aldis_ns)(3 * ahead);
    case 5:
        return (aldis_ns)(ahead + draw_below(&self->chance, 80 * ahead));
    default:
        return (aldis_ns)(ahead + draw_below(&self->chance, 5000 * ahead));
    }
}

/* For itself: often within the same window. */
static aldis_ns own_delay(struct player *self)
{
    uint64_t ahead = (uint64_t)self->show->lookahead_ns;
    switch (draw_below(&self->chance, 4)) {
    case 0:
        return 0;
    case 1:
        return (aldis_ns)draw_below(&self->chance, 3);
    case 2:
        return (aldis_ns)draw_below(&self->chance, ahead);
    default:
        return (aldis_ns)draw_below(&self->chance, 4 * ahead);
    }
}

static void say(struct player *self, const struct stage *stage, uint64_t to, aldis_ns delay_ns,
                uint32_t hops)
{
    struct note note = {.seq = self->said++, .value = self->chance, .hops = hops};
    note.friend = somebody(self);
    learn(self, stage->send(stage->run, to, &note, delay_ns, some_lane(self)));
}

static void speak(struct player *self, const struct stage *stage, uint32_t hops)
{
    uint64_t to = somebody(self);
    aldis_ns delay_ns = to == stage->self(stage->run) ? own_delay(self) : some_delay(self, stage);
    say(self, stage, to, delay_ns, hops);
}

static void give_birth(struct player *self, const struct stage *stage, uint32_t hops)
{
    if (self->depth >= DEPTH_MAX || self->children >= CHILDREN_MAX)
        return;
    struct birth birth = {.show = self->show,
                          .chance = draw(&self->chance),
                          .parent = stage->self(stage->run),
                          .home = (uint32_t)draw_below(&self->chance, self->show->shards),
                          .depth = self->depth + 1,
                          .kind = (enum player_kind)draw_below(&self->chance, PLAYER_KINDS)};
    uint64_t child = 0;
    learn(self, stage->spawn(stage->run, &birth, &child));
    learn(self, child);
    self->children++;
    remember(self, child);
    say(self, stage, child, some_delay(self, stage), hops); /* before it has started */
}

static void too_soon(struct player *self, const struct stage *stage, uint32_t hops)
{
    uint64_t to = somebody(self);
    if (to != stage->self(stage->run))
        say(self, stage, to,
            (aldis_ns)draw_below(&self->chance, (uint64_t)self->show->lookahead_ns), hops);
}

static void do_something(struct player *self, const struct stage *stage, uint32_t hops)
{
    uint64_t dice = draw_below(&self->chance, 100);
    if (dice < 50)
        speak(self, stage, hops);
    else if (dice < 60)
        say(self, stage, stage->self(stage->run), own_delay(self), hops);
    else if (dice < 66)
        learn(self, stage->tick(stage->run, own_delay(self)));
    else if (dice < 76)
        give_birth(self, stage, hops);
    else if (dice < 79)
        learn(self, stage->stop(stage->run, somebody(self)));
    else if (dice < 96)
        stage->busy(stage->run, own_delay(self));
    else
        too_soon(self, stage, hops);
}

void player_start(struct player *self, const struct birth *birth, const struct stage *stage)
{
    self->show = birth->show;
    self->chance = birth->chance;
    self->home = birth->home;
    self->depth = birth->depth;
    for (int i = 0; i < PLAYER_FRIENDS; i++)
        self->friends[i] = stage->self(stage->run);
    remember(self, birth->parent);
    write_down(self, stage, RECORD_START, NULL);
}

void player_on_note(struct player *self, const struct note *note, const struct stage *stage)
{
    write_down(self, stage, RECORD_NOTE, note);
    learn(self, note->value + note->seq);
    learn(self, stage->sender(stage->run));
    learn(self, (uint64_t)stage->now(stage->run));
    remember(self, note->friend);
    remember(self, stage->sender(stage->run));
    if (note->hops == 0)
        return;
    speak(self, stage, note->hops - 1);
    while (draw_below(&self->chance, 100) < 35)
        do_something(self, stage, note->hops - 1);
}

void player_on_tick(struct player *self, const struct stage *stage)
{
    write_down(self, stage, RECORD_TICK, NULL);
    learn(self, (uint64_t)stage->now(stage->run));
}

void player_stop(struct player *self, const struct stage *stage)
{
    write_down(self, stage, RECORD_STOP, NULL);
}

uint64_t player_digest(const struct player *self)
{
    return self->chance;
}

/* ------------------------------------------------------------------ shows */

void show_init(struct show *show, uint64_t seed, enum show_kind kind)
{
    static const aldis_ns lookaheads[4] = {1, 8, 1000, 100 * ALDIS_MS};
    uint64_t chance = seed;
    bool small = kind == SHOW_SMALL;
    *show = (struct show){.seed = seed, .kind = kind};
    show->shards = (uint32_t)(1 + draw_below(&chance, small ? 9 : 64));
    show->players =
        (uint32_t)(small ? 5 + draw_below(&chance, 60) : 800 + draw_below(&chance, 400));
    show->hops = small ? 18 : 7;
    show->lookahead_ns = kind == SHOW_ZERO ? 1 : lookaheads[draw_below(&chance, 4)];
    show->journals = calloc(show->shards, sizeof *show->journals);
    if (!show->journals)
        abort();
}

void show_fini(struct show *show)
{
    for (uint32_t i = 0; i < show->shards; i++)
        free(show->journals[i].records);
    free(show->journals);
    show->journals = NULL;
}

void show_perform(struct show *show, const struct theatre *theatre)
{
    uint64_t chance = ~show->seed;
    uint64_t *ids = calloc(show->players, sizeof *ids);
    if (!ids)
        abort();
    for (uint32_t i = 0; i < show->players; i++) {
        struct birth birth = {.show = show,
                              .chance = draw(&chance),
                              .home = (uint32_t)draw_below(&chance, show->shards),
                              .kind = (enum player_kind)draw_below(&chance, PLAYER_KINDS)};
        ids[i] = theatre->spawn(theatre->run, &birth);
    }
    uint64_t ahead = (uint64_t)show->lookahead_ns;
    aldis_ns until_ns = 0;
    for (uint32_t pause = 0; pause <= PAUSES; pause++) {
        for (uint32_t i = 0; i < show->players; i++) {
            struct note note = {.seq = pause,
                                .friend = ids[draw_below(&chance, show->players)],
                                .value = draw(&chance),
                                .hops = show->hops};
            aldis_ns delay_ns = (aldis_ns)draw_below(&chance, 2 * ahead);
            if (pause == 0 || draw_below(&chance, 8) == 0)
                theatre->send(theatre->run, ids[i], &note, delay_ns);
        }
        until_ns += (aldis_ns)draw_below(&chance, 12 * ahead); /* seldom where a window ends */
        theatre->run_until(theatre->run, pause < PAUSES ? until_ns : ALDIS_FOREVER);
    }
    free(ids);
}

/* ------------------------------------------------------------------ comparing */

size_t show_count(const struct show *show)
{
    size_t count = 0;
    for (uint32_t i = 0; i < show->shards; i++)
        count += show->journals[i].count;
    return count;
}

struct place {
    const struct record *record;
    size_t index;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->record->receiver != y->record->receiver)
        return x->record->receiver < y->record->receiver ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* The records of one shard, receiver by receiver, in each one's order. */
static struct place *by_receiver(const struct journal *journal)
{
    struct place *places = calloc(journal->count + 1, sizeof *places);
    if (!places)
        abort();
    for (size_t i = 0; i < journal->count; i++)
        places[i] = (struct place){&journal->records[i], i};
    qsort(places, journal->count, sizeof *places, compare_places);
    return places;
}

static bool same_record(const struct record *a, const struct record *b)
{
    return a->at_ns == b->at_ns && a->receiver == b->receiver && a->sender == b->sender &&
           a->type == b->type && memcmp(&a->note, &b->note, sizeof a->note) == 0;
}

static void print_record(const struct record *record, char *text, size_t size)
{
    static const char *const names[] = {"start", "note", "tick", "stop"};
    if (!record)
        snprintf(text, size, "nothing");
    else
        snprintf(text, size,
                 "%s at %" PRId64 " from %016" PRIx64 " seq %" PRIu64 " hops %" PRIu32
                 " value %016" PRIx64,
                 names[record->type], record->at_ns, record->sender, record->note.seq,
                 record->note.hops, record->note.value);
}

void show_compare(const struct show *a, const struct show *b, char *out_text, size_t size)
{
    out_text[0] = '\0';
    const struct record *first_a = NULL, *first_b = NULL;
    for (uint32_t shard = 0; shard < a->shards; shard++) {
        const struct journal *x = &a->journals[shard], *y = &b->journals[shard];
        struct place *in_a = by_receiver(x), *in_b = by_receiver(y);
        size_t i = 0;
        while (i < x->count && i < y->count && same_record(in_a[i].record, in_b[i].record))
            i++;
        const struct record *ra = i < x->count ? in_a[i].record : NULL;
        const struct record *rb = i < y->count ? in_b[i].record : NULL;
        /* Of all shards the earliest: what comes later may be its consequence. */
        aldis_ns at = ra && (!rb || ra->at_ns < rb->at_ns) ? ra->at_ns : rb ? rb->at_ns : 0;
        aldis_ns best = first_a && (!first_b || first_a->at_ns < first_b->at_ns) ? first_a->at_ns
                        : first_b                                                ? first_b->at_ns
                                                                                 : ALDIS_FOREVER;
        if ((ra || rb) && at < best) {
            first_a = ra;
            first_b = rb;
        }
        free(in_a);
        free(in_b);
    }
    if (!first_a && !first_b)
        return;
    static const char *const kinds[] = {"small", "dense", "zero"};
    char text_a[160], text_b[160];
    print_record(first_a, text_a, sizeof text_a);
    print_record(first_b, text_b, sizeof text_b);
    snprintf(out_text, size,
             "seed %" PRIu64 " (%s): actor %016" PRIx64 ": %s; expected (actor %016" PRIx64 "): %s",
             a->seed, kinds[a->kind], first_a ? first_a->receiver : 0, text_a,
             first_b ? first_b->receiver : 0, text_b);
}
