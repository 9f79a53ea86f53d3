// SPDX-License-Identifier: Apache-2.0
/* mind_test.c: behaviour trees without any actor: what each node does, what is refused, and that
 * two exclusive children never run at once. */
#include "mind.h"

#include "chance.h"
#include "harness.h"

#include <stdlib.h>

/* ---- Leaves that do what they are told, and a log: +a starts, a goes on, -a is halted ---- */

struct toy {
    enum mind_status says[8]; /* of the leaves a to h */
    char log[256];
};

static void note(struct toy *toy, const char *mark, uint32_t leaf)
{
    size_t used = strlen(toy->log);
    snprintf(toy->log + used, sizeof toy->log - used, "%s%s%c", used > 0 ? " " : "", mark,
             (int)('a' + leaf));
}

static enum mind_status act(struct mind_turn *turn, const struct mind_value *value,
                            aldis_ns *memory, bool starts)
{
    struct toy *toy = turn->actor;
    note(toy, starts ? "+" : "", value->count);
    CHECK_INT(*memory, starts ? 0 : value->count + 1);
    *memory = value->count + 1;
    return toy->says[value->count];
}

static void stop(struct mind_turn *turn, const struct mind_value *value, aldis_ns *memory)
{
    CHECK_INT(*memory, value->count + 1);
    note(turn->actor, "-", value->count);
}

static enum mind_status ask(struct mind_turn *turn, const struct mind_value *value,
                            aldis_ns *memory, bool starts)
{
    struct toy *toy = turn->actor;
    (void)memory;
    CHECK(starts);
    note(toy, "?", value->count);
    return toy->says[value->count];
}

static const struct mind_leaf leaves[] = {{.name = "act", .tick = act, .halt = stop},
                                          {.name = "ask", .tick = ask, .asks = true},
                                          {.name = NULL}};

#define ACT(depth_, id)                                                                            \
    {                                                                                              \
        .depth = (depth_), .kind = MIND_leaf, .leaf = "act", .value = {.count = (id) - 'a' }       \
    }
#define ASK(depth_, id)                                                                            \
    {                                                                                              \
        .depth = (depth_), .kind = MIND_leaf, .leaf = "ask", .value = {.count = (id) - 'a' }       \
    }
#define NODE_WITH(depth_, kind_, ...)                                                              \
    {                                                                                              \
        .depth = (depth_), .kind = MIND_##kind_, .value = { __VA_ARGS__ }                          \
    }
#define NODE(depth_, kind_) NODE_WITH(depth_, kind_, 0)

static struct mind_tree tree;
static uint64_t place[sizeof(struct mind) / sizeof(uint64_t) + MIND_NODES_MAX];
static struct mind *const mind = (struct mind *)(void *)place;
static struct toy toy;

static void make(const struct mind_step *steps, uint32_t count, uint32_t budget)
{
    CHECK_STR(mind_fault_text(mind_make(&tree, leaves, budget, steps, count, NULL)),
              "nothing is wrong");
    CHECK(mind_bytes(&tree) <= sizeof place);
    memset(place, 0, sizeof place);
    memset(&toy, 0, sizeof toy);
}
#define MAKE(...)                                                                                  \
    do {                                                                                           \
        static const struct mind_step steps_[] = {__VA_ARGS__};                                    \
        make(steps_, sizeof steps_ / sizeof steps_[0], 0);                                         \
    } while (0)

static enum mind_status tick_at(aldis_ns now_ns, aldis_ns *out_wake_ns)
{
    struct mind_turn turn = {.actor = &toy, .now_ns = now_ns};
    toy.log[0] = '\0';
    enum mind_status status = mind_tick(&tree, mind, &turn);
    if (out_wake_ns)
        *out_wake_ns = turn.wake_ns;
    return status;
}

/* One tick: what it does, and how it ends. */
static void expect(const char *log, enum mind_status expected)
{
    enum mind_status found = tick_at(0, NULL);
    CHECK_STR(toy.log, log);
    CHECK_INT(found, expected);
}

static void say(char leaf, enum mind_status status)
{
    toy.says[leaf - 'a'] = status;
}

/* ---- What each node does ---- */

TEST(a_sequence_goes_on_where_it_was_and_ends_with_the_first_that_fails)
{
    MAKE(NODE(0, sequence), ACT(1, 'a'), ACT(1, 'b'), ACT(1, 'c'));
    say('b', MIND_RUNNING);
    expect("+a +b", MIND_RUNNING);
    expect("b", MIND_RUNNING);
    say('b', MIND_SUCCESS);
    expect("b +c", MIND_SUCCESS);
    say('b', MIND_FAILURE);
    expect("+a +b", MIND_FAILURE);
}

TEST(a_selector_goes_on_where_it_was_and_ends_with_the_first_that_succeeds)
{
    MAKE(NODE(0, selector), ACT(1, 'a'), ACT(1, 'b'), ACT(1, 'c'));
    say('a', MIND_FAILURE);
    say('b', MIND_RUNNING);
    expect("+a +b", MIND_RUNNING);
    expect("b", MIND_RUNNING);
    say('b', MIND_FAILURE);
    say('c', MIND_FAILURE);
    expect("b +c", MIND_FAILURE);
    say('b', MIND_SUCCESS);
    expect("+a +b", MIND_SUCCESS);
}

TEST(a_reactive_selector_turns_to_what_comes_first_and_halts_the_rest_before)
{
    MAKE(NODE(0, reactive_selector), NODE(1, sequence), ASK(2, 'a'), ACT(2, 'b'), ACT(1, 'c'));
    say('a', MIND_FAILURE);
    say('b', MIND_RUNNING);
    say('c', MIND_RUNNING);
    expect("?a +c", MIND_RUNNING);
    expect("?a c", MIND_RUNNING);
    say('a', MIND_SUCCESS);
    expect("?a -c +b", MIND_RUNNING);
    expect("b", MIND_RUNNING); /* the sequence has its memory: it is not asked again */
    say('b', MIND_FAILURE);
    expect("b +c", MIND_RUNNING);
}

TEST(a_reactive_sequence_halts_what_runs_when_a_condition_fails)
{
    MAKE(NODE(0, reactive_sequence), ASK(1, 'a'), ACT(1, 'b'));
    say('b', MIND_RUNNING);
    expect("?a +b", MIND_RUNNING);
    expect("?a b", MIND_RUNNING);
    say('a', MIND_FAILURE);
    expect("?a -b", MIND_FAILURE);
    expect("?a", MIND_FAILURE);
}

TEST(a_parallel_ends_with_as_many_as_it_needs_and_halts_the_others)
{
    MAKE(NODE_WITH(0, parallel, .count = 2), ACT(1, 'a'), ACT(1, 'b'), ACT(1, 'c'));
    say('a', MIND_RUNNING);
    say('b', MIND_RUNNING);
    say('c', MIND_SUCCESS);
    expect("+a +b +c", MIND_RUNNING);
    expect("a b", MIND_RUNNING); /* c has ended */
    say('b', MIND_SUCCESS);
    expect("a b -a", MIND_SUCCESS);
    say('b', MIND_FAILURE);
    say('c', MIND_FAILURE);
    expect("+a +b +c -a", MIND_FAILURE); /* two can succeed no more */
}

TEST(decorators_change_what_their_child_says)
{
    MAKE(NODE(0, invert), ACT(1, 'a'));
    expect("+a", MIND_FAILURE);
    say('a', MIND_FAILURE);
    expect("+a", MIND_SUCCESS);
    say('a', MIND_RUNNING);
    expect("+a", MIND_RUNNING);
    MAKE(NODE(0, always), ACT(1, 'a'));
    say('a', MIND_FAILURE);
    expect("+a", MIND_SUCCESS);
    MAKE(NODE(0, never), ACT(1, 'a'));
    expect("+a", MIND_FAILURE);
}

TEST(repeat_and_retry_count_their_rounds)
{
    MAKE(NODE_WITH(0, repeat, .count = 3), ACT(1, 'a'));
    expect("+a +a +a", MIND_SUCCESS);
    say('a', MIND_RUNNING);
    expect("+a", MIND_RUNNING);
    say('a', MIND_SUCCESS);
    expect("a +a +a", MIND_SUCCESS);
    say('a', MIND_FAILURE);
    expect("+a", MIND_FAILURE);
    MAKE(NODE_WITH(0, retry, .count = 2), ACT(1, 'a'));
    expect("+a", MIND_SUCCESS);
    say('a', MIND_FAILURE);
    expect("+a +a", MIND_FAILURE);
}

TEST(a_timeout_halts_its_child_and_says_when_to_come_back)
{
    aldis_ns wake_ns;
    MAKE(NODE_WITH(0, timeout, .time_ns = 100), ACT(1, 'a'));
    say('a', MIND_RUNNING);
    CHECK_INT(tick_at(1000, &wake_ns), MIND_RUNNING);
    CHECK_INT(wake_ns, 1100);
    CHECK_INT(tick_at(1099, &wake_ns), MIND_RUNNING);
    CHECK_INT(tick_at(1100, &wake_ns), MIND_FAILURE);
    CHECK_STR(toy.log, "a -a");
    CHECK_INT(tick_at(1101, &wake_ns), MIND_RUNNING);
    CHECK_INT(wake_ns, 1201);
    say('a', MIND_SUCCESS);
    CHECK_INT(tick_at(1300, &wake_ns), MIND_SUCCESS); /* late, but done */
}

TEST(a_cooldown_outlasts_the_rounds_of_the_tree)
{
    MAKE(NODE_WITH(0, cooldown, .time_ns = 100), ACT(1, 'a'));
    CHECK_INT(tick_at(5, NULL), MIND_SUCCESS);
    CHECK_INT(tick_at(104, NULL), MIND_FAILURE);
    CHECK_STR(toy.log, "");
    CHECK_INT(tick_at(105, NULL), MIND_SUCCESS);
    say('a', MIND_RUNNING);
    CHECK_INT(tick_at(300, NULL), MIND_RUNNING);
    CHECK_INT(tick_at(301, NULL), MIND_RUNNING); /* it goes on: no cooldown before the end */
}

TEST(a_tick_visits_no_more_than_its_budget_and_the_next_goes_on)
{
    static const struct mind_step steps[] = {NODE(0, sequence), ACT(1, 'a'), ACT(1, 'b'),
                                             ACT(1, 'c'), ACT(1, 'd')};
    make(steps, 5, 3);
    expect("+a +b", MIND_RUNNING);
    expect("+c +d", MIND_SUCCESS);
    CHECK_UINT(mind->ticks, 2);
    CHECK_UINT(mind->overruns, 1);
    MAKE(NODE(0, repeat), ACT(1, 'a')); /* for ever, and it never has to wait */
    CHECK_INT(tick_at(0, NULL), MIND_RUNNING);
    CHECK_INT(mind->memory[0], MIND_BUDGET_DEFAULT - 1);
    CHECK_UINT(mind->overruns, 1);
}

TEST(a_halted_mind_begins_anew)
{
    MAKE(NODE(0, sequence), ACT(1, 'a'), ACT(1, 'b'));
    say('b', MIND_RUNNING);
    expect("+a +b", MIND_RUNNING);
    struct mind_turn turn = {.actor = &toy};
    toy.log[0] = '\0';
    mind_halt(&tree, mind, &turn);
    CHECK_STR(toy.log, "-b");
    expect("+a +b", MIND_RUNNING);
}

TEST(the_active_path_is_told)
{
    char text[128], small[8];
    MAKE(NODE(0, selector), NODE(1, sequence), ASK(2, 'a'), NODE_WITH(2, parallel, .count = 3),
         ACT(3, 'b'), NODE(3, invert), ACT(4, 'c'), ACT(3, 'd'));
    CHECK_STR(mind_path(&tree, mind, text, sizeof text), "");
    say('b', MIND_RUNNING);
    say('c', MIND_RUNNING);
    expect("?a +b +c +d", MIND_RUNNING);
    CHECK_STR(mind_path(&tree, mind, text, sizeof text),
              "selector > sequence > parallel > (act + invert > act)");
    say('c', MIND_FAILURE);
    say('d', MIND_FAILURE);
    expect("b c", MIND_RUNNING);
    CHECK_STR(mind_path(&tree, mind, text, sizeof text), "selector > sequence > parallel > act");
    CHECK_STR(mind_path(&tree, mind, small, sizeof small), "selecto");
}

/* ---- What is refused ---- */

static void refused(const struct mind_step *steps, uint32_t count, enum mind_fault fault,
                    uint32_t step)
{
    uint32_t found_step = 99;
    CHECK_STR(mind_fault_text(mind_make(&tree, leaves, 0, steps, count, &found_step)),
              mind_fault_text(fault));
    CHECK_UINT(found_step, step);
    CHECK_UINT(tree.count, 0);
}
#define REFUSED(fault, step, ...)                                                                  \
    do {                                                                                           \
        static const struct mind_step steps_[] = {__VA_ARGS__};                                    \
        refused(steps_, sizeof steps_ / sizeof steps_[0], fault, step);                            \
    } while (0)

TEST(trees_that_mean_nothing_are_refused_with_the_step)
{
    refused(NULL, 0, MIND_EMPTY, 0);
    REFUSED(MIND_EMPTY, 0, NODE(0, sequence));
    REFUSED(MIND_EMPTY, 2, NODE(0, sequence), ACT(1, 'a'), NODE(1, selector), ACT(1, 'b'));
    REFUSED(MIND_ONE_CHILD, 1, NODE(0, selector), NODE(1, invert), ACT(2, 'a'), ACT(2, 'b'));
    REFUSED(MIND_NO_CHILDREN, 0, ACT(0, 'a'), ACT(1, 'b'));
    REFUSED(MIND_BAD_DEPTH, 1, ACT(0, 'a'), ACT(0, 'b'));
    REFUSED(MIND_BAD_DEPTH, 1, NODE(0, sequence), ACT(2, 'b'));
    REFUSED(MIND_UNKNOWN_LEAF, 1, NODE(0, sequence), {.depth = 1, .kind = MIND_leaf, .leaf = "x"});
    REFUSED(MIND_BAD_VALUE, 0, NODE_WITH(0, parallel, .count = 2), ACT(1, 'a'));
    REFUSED(MIND_BAD_VALUE, 0, NODE(0, parallel), ACT(1, 'a'));
    struct mind_step many[MIND_NODES_MAX + 1] = {NODE(0, sequence)};
    for (uint32_t i = 1; i <= MIND_NODES_MAX; i++)
        many[i] = (struct mind_step)ACT(1, 'a');
    refused(many, MIND_NODES_MAX + 1, MIND_TOO_LARGE, MIND_NODES_MAX);
    make(many, MIND_NODES_MAX, 0);
}

/* ---- Properties, over trees by seed ---- */

static struct {
    struct chance chance;
    bool running[MIND_NODES_MAX];
    uint32_t visits, starts;
} wild;

/* The first node that is above both. */
static uint32_t common(uint32_t a, uint32_t b)
{
    while (tree.nodes[a].end <= b)
        a = tree.nodes[a].parent;
    return a;
}

static enum mind_status act_wildly(struct mind_turn *turn, const struct mind_value *value,
                                   aldis_ns *memory, bool starts)
{
    (void)turn;
    (void)memory;
    uint32_t me = value->count;
    CHECK_INT(starts, !wild.running[me]);
    for (uint32_t i = 0; starts && i < tree.count; i++) {
        if (!wild.running[i])
            continue;
        uint32_t above = common(i < me ? i : me, i < me ? me : i);
        CHECK_STR(mind_kind_name((enum mind_kind)tree.nodes[above].kind), "parallel");
    }
    wild.visits++;
    wild.starts += starts;
    enum mind_status says = (enum mind_status)chance_below(&wild.chance, 3);
    wild.running[me] = says == MIND_RUNNING;
    return says;
}

static void stop_wildly(struct mind_turn *turn, const struct mind_value *value, aldis_ns *memory)
{
    (void)turn;
    (void)memory;
    CHECK(wild.running[value->count]);
    wild.running[value->count] = false;
}

static const struct mind_leaf wild_leaves[] = {
    {.name = "act", .tick = act_wildly, .halt = stop_wildly}, {.name = NULL}};

/* A tree of any shape; returns the steps used. */
static uint32_t grow(struct mind_step *steps, uint32_t used, uint32_t depth, uint32_t room)
{
    struct mind_step *step = &steps[used];
    uint32_t children = 0, first = used++;
    *step = (struct mind_step){.depth = depth, .kind = MIND_leaf, .leaf = "act"};
    step->value.count = first;
    if (room < 4 || (depth > 0 && chance_below(&wild.chance, 3) == 0))
        return used;
    step->kind = (enum mind_kind)chance_below(&wild.chance, MIND_leaf);
    bool decorator = step->kind >= MIND_invert;
    uint32_t wanted = decorator ? 1 : 2 + (uint32_t)chance_below(&wild.chance, 2);
    for (; children < wanted; children++)
        used = grow(steps, used, depth + 1, (room - 1) / wanted);
    step->value.count = 1 + (uint32_t)chance_below(&wild.chance, children);
    step->value.time_ns = (aldis_ns)chance_below(&wild.chance, 5);
    return used;
}

static void check_at_rest(bool expected)
{
    for (uint32_t i = 0; i < tree.count; i++) {
        bool running = mind->running >> i & 1;
        CHECK_INT(running, wild.running[i]);
        CHECK(!expected || !running);
    }
    CHECK(!expected || mind->active == 0);
}

TEST(two_exclusive_children_never_run_at_once)
{
    struct mind_step steps[MIND_NODES_MAX];
    uint32_t parallels = 0, cut = 0;
    wild.starts = 0;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        wild.chance.state = seed;
        memset(wild.running, 0, sizeof wild.running);
        memset(place, 0, sizeof place);
        uint32_t count = grow(steps, 0, 0, 60), where;
        uint32_t budget = seed % 3 == 0 ? 3 : 0;
        enum mind_fault fault = mind_make(&tree, wild_leaves, budget, steps, count, &where);
        CHECK_STR(mind_fault_text(fault), "nothing is wrong");
        for (aldis_ns now_ns = 0; now_ns < 30; now_ns++) {
            struct mind_turn turn = {.now_ns = now_ns};
            wild.visits = 0;
            enum mind_status status = mind_tick(&tree, mind, &turn);
            CHECK(wild.visits <= tree.budget);
            check_at_rest(status != MIND_RUNNING);
            parallels += (mind->running & (mind->running - 1)) != 0;
        }
        cut += mind->overruns > 0;
        struct mind_turn turn = {.now_ns = 30};
        mind_halt(&tree, mind, &turn);
        check_at_rest(true);
    }
    /* It has been tried. */
    CHECK(wild.starts > 50000);
    CHECK(parallels > 1000);
    CHECK(cut > 100);
}
