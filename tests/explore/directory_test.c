// SPDX-License-Identifier: Apache-2.0
/* directory_test.c: an actor stops, its slot is used again for one of the next generation, perhaps
 * on another worker, while others send to both and one walks the directory. A message never reaches
 * an actor of another generation, none is lost, and a cell is touched by its owner only: cells are
 * watched. The steps are those of spawn.c, lifecycle.c, send.c and deliver.c.
 *
 *   thread 1, home:   owns the shard where generation 1 lives; sends to it, stops it, walks
 *   thread 2, birth:  owns the shard that gave the slot, gets it back, spawns generation 2 at home
 *                     or beside itself, sends to it
 *   thread 3, sender: sends to generation 1, and to generation 2 as soon as it hears of it */
#include "weave.h"

#include "core/directory.h"
#include "core/inbox.h"

#include "model.h"

enum { HOME, BIRTH, SENDER, SHARDS = 2 };
enum { MESSAGES = 8 };

static aldis__word word;
static struct aldis__inbox inboxes[SHARDS];
static _Atomic(uint64_t) heard_of; /* the id of generation 2, passed on by its spawner */

/* Plain memory: of the owner of the actor's home shard, or of who has the slot. */
static struct {
    aldis_id id;
    uint32_t life; /* which actor it really is */
    uint32_t received;
} cell;

static struct message {
    struct aldis__msg msg;
    uint32_t life; /* of the actor that it was meant for */
    bool is_slot;  /* the slot comes back to its birth shard */
} messages[MESSAGES];
static uint32_t used[4], sent[4], handled[4], dead[4]; /* by thread */
static aldis_id id1, id2;

/* What is done wrong on purpose. */
static enum fault {
    RIGHT,
    CELL_BEFORE_WORD,   /* delivery looks at the cell before the word */
    SAME_GENERATION,    /* the slot is used again under the old generation */
    PUBLISHED_TOO_SOON, /* before the cell is ready */
    CLOSED_TOO_LATE     /* after the slot has gone back */
} fault;

static void setup(void)
{
    memset(&cell, 0, sizeof cell);
    memset(messages, 0, sizeof messages);
    memset(used, 0, sizeof used);
    memset(sent, 0, sizeof sent);
    memset(handled, 0, sizeof handled);
    memset(dead, 0, sizeof dead);
    weave_watch(&cell, sizeof cell);
    weave_watch(messages, sizeof messages);
    for (uint32_t i = 0; i < SHARDS; i++)
        aldis__store_relaxed(&inboxes[i].head, 0);
    aldis__store_relaxed(&heard_of, 0);
    id1 = aldis__id_make(1, BIRTH, 5, 1);
    id2 = aldis__id_make(1, BIRTH, 5, fault == SAME_GENERATION ? 1 : 2);
    cell.id = id1;
    cell.life = 1;
    aldis__directory_publish(&word, 1, HOME, 0, 0);
}

static void push(uint32_t shard, uint32_t life, aldis_id to, bool is_slot)
{
    struct message *message = &messages[weave_self() * 2 + (int)used[weave_self()]++];
    message->msg.to = to;
    message->life = life;
    message->is_slot = is_slot;
    aldis__inbox_push(&inboxes[shard], &message->msg, &message->msg, 1);
}

static void handle(uint32_t life)
{
    WEAVE_ASSERT(cell.life == life);
    cell.received++;
    handled[weave_self()]++;
}

/* From an actor of a worker that owns `shard` (or none, SENDER). */
static void send(uint32_t shard, uint32_t life, aldis_id to)
{
    uint64_t found = aldis__directory_read(&word);
    if (!aldis__word_is_open(found, to)) {
        WEAVE_ASSERT(life == 1); /* nobody stops the second one */
        return;
    }
    sent[weave_self()]++;
    if (aldis__word_home(found) == shard)
        handle(life);
    else
        push(aldis__word_home(found), life, to, false);
}

static void spawn_again(void)
{
    uint32_t home = weave_choose(2) ? HOME : BIRTH;
    uint32_t generation = aldis__id_generation(id2);
    if (fault == PUBLISHED_TOO_SOON)
        aldis__directory_publish(&word, generation, home, 0, 0);
    cell.id = id2;
    cell.life = 2;
    cell.received = 0;
    if (fault != PUBLISHED_TOO_SOON)
        aldis__directory_publish(&word, generation, home, 0, 0);
    aldis__store_release(&heard_of, id2.bits);
    send(BIRTH, 2, id2);
}

static void deliver(struct message *message)
{
    if (message->is_slot) {
        spawn_again();
        return;
    }
    if (fault == CELL_BEFORE_WORD && cell.id.bits != message->msg.to.bits) {
        dead[weave_self()]++;
        return;
    }
    if (aldis__word_is_alive(aldis__directory_read(&word), message->msg.to))
        handle(message->life);
    else
        dead[weave_self()]++;
}

static void take(uint32_t shard)
{
    struct aldis__msg *msg = aldis__chain_reverse(aldis__inbox_take(&inboxes[shard]));
    while (msg) {
        struct aldis__msg *next = msg->next;
        deliver((struct message *)(void *)msg);
        msg = next;
    }
}

static void stop(void)
{
    if (fault != CLOSED_TOO_LATE)
        aldis__directory_set_flags(&word, 0, ALDIS__WORD_ALIVE);
    cell.received = 0;
    push(BIRTH, 1, id1, true);
    if (fault == CLOSED_TOO_LATE)
        aldis__directory_set_flags(&word, 0, ALDIS__WORD_ALIVE);
}

/* A broadcast of this worker: to every actor that lives here. */
static void walk(void)
{
    uint64_t found = aldis__directory_read(&word);
    if ((found & ALDIS__WORD_ALIVE) && aldis__word_home(found) == HOME)
        WEAVE_ASSERT(cell.life == (found & ALDIS__GEN_MASK));
}

static void home(void)
{
    send(HOME, 1, id1);
    stop();
    take(HOME);
    walk();
}

static void birth(void)
{
    take(BIRTH);
    take(BIRTH);
}

static void sender(void)
{
    send(SENDER, 1, id1);
    /* Acquire: pairs with the release in spawn_again(). */
    if (aldis__load_acquire(&heard_of))
        send(SENDER, 2, id2);
}

static void finish(void)
{
    uint32_t all_sent = 0, all_ended = 0;
    take(HOME);
    take(BIRTH);
    take(HOME); /* the slot may have come only now */
    for (uint32_t i = 0; i < 4; i++) {
        all_sent += sent[i];
        all_ended += handled[i] + dead[i];
    }
    WEAVE_ASSERT(all_sent == all_ended);
}

static const struct weave_model model = {.name = "directory",
                                         .setup = setup,
                                         .threads = {home, birth, sender},
                                         .finish = finish,
                                         .preemptions = 3};

TEST(directory_never_leads_to_another_generation)
{
    fault = RIGHT;
    model_holds(&model);
}

/* Who may touch the cell after a change of flags made that change itself, or had the shard handed
 * over since. The acquire of a push is needed for parking only. */
static const struct model_order spare[] = {
    {"aldis__directory_set_flags", WEAVE_STORE, memory_order_relaxed},
    {"aldis__inbox_push", WEAVE_CAS, memory_order_release},
    {"aldis__inbox_take", WEAVE_EXCHANGE, memory_order_acquire},
};

TEST(directory_needs_its_orders)
{
    fault = RIGHT;
    model_needs_its_orders(&model, spare, sizeof spare / sizeof spare[0]);
}

static void check_fault(enum fault kind, const char *name)
{
    struct weave_model broken = model;
    broken.name = name;
    fault = kind;
    model_fails(&broken);
}

TEST(directory_with_the_cell_read_before_the_word_fails)
{
    check_fault(CELL_BEFORE_WORD, "directory, cell read before the word");
}

TEST(directory_with_one_generation_for_two_actors_fails)
{
    check_fault(SAME_GENERATION, "directory, one generation for two actors");
}

TEST(directory_published_before_the_cell_is_ready_fails)
{
    check_fault(PUBLISHED_TOO_SOON, "directory, published too soon");
}

TEST(directory_closed_after_the_slot_went_back_fails)
{
    check_fault(CLOSED_TOO_LATE, "directory, closed too late");
}
