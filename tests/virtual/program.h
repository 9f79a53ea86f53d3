// SPDX-License-Identifier: Apache-2.0
/* program.h: random programs of actors, written for any executor of virtual time.
 *
 * A player hears notes and ticks, and by its own generator sends, ticks, spawns, stops, or is busy.
 * All that it learns (who sent, what, and how its calls were answered) goes into that generator, so
 * that a difference between two executors does not stay small. Whatever a player handles is written
 * down; two executors are equal if each player's records are.
 *
 * An executor is a struct stage: the library's is library.c, the independent one reference.c. */
#ifndef ALDIS_TESTS_VIRTUAL_PROGRAM_H
#define ALDIS_TESTS_VIRTUAL_PROGRAM_H

#include <aldis/actor.h>
#include <aldis/message.h>

/* The payload of every message but ticks, which have none. */
struct note {
    uint64_t seq;    /* how many notes its sender had sent before */
    uint64_t friend; /* somebody to write to */
    uint64_t value;
    uint32_t hops; /* how far its consequences may go */
    uint32_t spare;
};

enum record_type { RECORD_START, RECORD_NOTE, RECORD_TICK, RECORD_STOP };

/* One message that was handled, or the start or stop of the receiver. */
struct record {
    aldis_ns at_ns;
    uint64_t receiver, sender;
    uint32_t type;
    struct note note; /* zeroes where there is none */
};

/* What the players of one shard have handled, in order. */
struct journal {
    struct record *records;
    size_t count, capacity;
};

/* What kind of programs. */
enum show_kind {
    SHOW_SMALL, /* few players, delays of all lengths */
    SHOW_DENSE, /* most messages come one lookahead later: many in each window */
    SHOW_ZERO   /* zero delays to others: many messages in each round of an instant */
};

/* A program, and what became of it on one executor. */
struct show {
    uint64_t seed;
    uint32_t shards;
    uint32_t players; /* at the beginning */
    uint32_t hops;    /* of the first notes: how long it lasts, about */
    enum show_kind kind;
    aldis_ns lookahead_ns;    /* SHOW_ZERO: the scale of delays only */
    struct journal *journals; /* by home shard: written by whoever runs it */
};

/* What a player's mailbox does when it is full; it holds few. */
enum player_kind { PLAYER_DROPS_NEWEST, PLAYER_DROPS_OLDEST, PLAYER_KINDS };
enum { PLAYER_MAILBOX = 4 };

/* What is given to a new player. */
struct birth {
    struct show *show;
    uint64_t chance;
    uint64_t parent; /* 0: none */
    uint32_t home;   /* shard */
    uint32_t depth;  /* generations before it */
    enum player_kind kind;
};

enum { PLAYER_FRIENDS = 4 };

struct player {
    struct show *show;
    uint64_t chance; /* state of its generator */
    uint64_t friends[PLAYER_FRIENDS];
    uint64_t said; /* notes sent */
    uint32_t home, depth, children;
};

/* An executor, as a running player and as the one who begins the show sees it. `run` is its own. */
struct stage {
    void *run;
    /* for the running player; delay_ns < 0: the default */
    aldis_ns (*now)(void *run);
    uint64_t (*self)(void *run);
    uint64_t (*sender)(void *run);
    aldis_err (*send)(void *run, uint64_t to, const struct note *note, aldis_ns delay_ns,
                      aldis_lane lane);
    aldis_err (*tick)(void *run, aldis_ns delay_ns); /* to itself */
    aldis_err (*spawn)(void *run, const struct birth *birth, uint64_t *out_id);
    aldis_err (*stop)(void *run, uint64_t whom);
    void (*busy)(void *run, aldis_ns ns);
};

/* From outside. */
struct theatre {
    void *run;
    uint64_t (*spawn)(void *run, const struct birth *birth);
    void (*send)(void *run, uint64_t to, const struct note *note, aldis_ns delay_ns);
    void (*run_until)(void *run, aldis_ns until_ns);
};

/* The players' handlers. */
void player_start(struct player *self, const struct birth *birth, const struct stage *stage);
void player_on_note(struct player *self, const struct note *note, const struct stage *stage);
void player_on_tick(struct player *self, const struct stage *stage);
void player_stop(struct player *self, const struct stage *stage);
uint64_t player_digest(const struct player *self);

/* Make a program from a seed; end it with show_fini. */
void show_init(struct show *show, uint64_t seed, enum show_kind kind);
void show_fini(struct show *show);
/* Let it run on an executor, whole, but with a few pauses. */
void show_perform(struct show *show, const struct theatre *theatre);

/* How many records there are. */
size_t show_count(const struct show *show);
/* The first difference, receiver by receiver, as text; "": there is none. */
void show_compare(const struct show *a, const struct show *b, char *out_text, size_t size);

#endif
