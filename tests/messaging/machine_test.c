// SPDX-License-Identifier: Apache-2.0
/* machine_test.c: state machines: transitions, hierarchy, time-outs, deferred messages, prints. */
#include "core/fixture.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>

/* What the one machine of a case has done, as words. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char words[4096]; /* under lock */

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    pthread_mutex_lock(&lock);
    size_t used = strlen(words);
    va_list args;
    va_start(args, format);
    vsnprintf(words + used, sizeof words - used, format, args);
    va_end(args);
    pthread_mutex_unlock(&lock);
}

/* What was said since the last time. */
static const char *said(void)
{
    static char copy[sizeof words];
    pthread_mutex_lock(&lock);
    memcpy(copy, words, sizeof copy);
    words[0] = '\0';
    pthread_mutex_unlock(&lock);
    return copy;
}

/* ------------------------------------------------------------------ a machine of all shapes */

ALDIS_MESSAGE(hop, uint32_t); /* enum tree_state; 1000: choose none; 2000: fail */
ALDIS_SIGNAL(again);
ALDIS_SIGNAL(inward);
ALDIS_SIGNAL(outward);
ALDIS_MESSAGE(later, uint32_t);
ALDIS_MESSAGE(never, uint32_t);
ALDIS_SIGNAL(lost);
ALDIS_SIGNAL(choose);
ALDIS_MESSAGE(patience, aldis_ns);

#define TREE_PROTOCOL(X, kind)                                                                     \
    X(kind, hop)                                                                                   \
    X(kind, again)                                                                                 \
    X(kind, inward)                                                                                \
    X(kind, outward)                                                                               \
    X(kind, later)                                                                                 \
    X(kind, never) X(kind, lost) X(kind, choose) X(kind, patience) X(kind, aldis_state_timeout)
ALDIS_PROTOCOL(tree, TREE_PROTOCOL);

struct tree {
    aldis_machine machine;
    aldis_ns patience_ns;
};

// clang-format off
#define TREE_STATES(S, kind)                                                                       \
    S(kind, a,    top, enter_a,    leave_a,       0)                                               \
    S(kind, a1,   a,   enter_a1,   leave_a1,      0)                                               \
    S(kind, a11,  a1,  enter_a11,  leave_a11,     0)                                               \
    S(kind, a111, a11, enter_a111, leave_a111,    0)                                               \
    S(kind, a2,   a,   enter_a2,   leave_a2,      0)                                               \
    S(kind, b,    top, enter_b,    leave_b,       50 * ALDIS_MS)                                   \
    S(kind, b1,   b,   enter_b1,   leave_b1,      20 * ALDIS_MS)                                   \
    S(kind, c,    top, enter_c,    fail_to_leave, 0)
// clang-format on
ALDIS_STATES(tree, TREE_STATES);

#define HOOKS(state)                                                                               \
    static aldis_err enter_##state(struct tree *self, aldis_ctx *ctx)                              \
    {                                                                                              \
        (void)self;                                                                                \
        (void)ctx;                                                                                 \
        say("+" #state " ");                                                                       \
        return ALDIS_OK;                                                                           \
    }                                                                                              \
    static aldis_err leave_##state(struct tree *self, aldis_ctx *ctx)                              \
    {                                                                                              \
        (void)self;                                                                                \
        (void)ctx;                                                                                 \
        say("-" #state " ");                                                                       \
        return ALDIS_OK;                                                                           \
    }
HOOKS(a)
HOOKS(a1)
HOOKS(a11)
HOOKS(a111)
HOOKS(a2)
HOOKS(b)
HOOKS(b1)

static aldis_err enter_c(struct tree *self, aldis_ctx *ctx)
{
    say("+c ");
    EXPECT_ERR(aldis_become(tree, self, a), ALDIS_ESTATE); /* not in a handler of a row */
    return self->patience_ns ? aldis_machine_set_timeout(ctx, &self->machine, self->patience_ns)
                             : ALDIS_OK;
}

static aldis_err fail_to_leave(struct tree *self, aldis_ctx *ctx)
{
    (void)self;
    say("-c ");
    return aldis_fail(ctx, "the door sticks");
}

static aldis_err hop_to(struct tree *self, const uint32_t *target, aldis_ctx *ctx)
{
    if (*target == 2000)
        return aldis_fail(ctx, "hopeless");
    return *target == 1000 ? ALDIS_OK : aldis_machine_become(&self->machine, *target);
}

static aldis_err note_later(struct tree *self, const uint32_t *value, aldis_ctx *ctx)
{
    (void)self;
    (void)ctx;
    say("%u ", *value);
    return ALDIS_OK;
}

static aldis_err note_timeout(struct tree *self, const aldis_state_timeout *msg, aldis_ctx *ctx)
{
    EXPECT(aldis_machine_is_in(&self->machine, msg->state));
    say("timeout@%d ", (int)(aldis_now(ctx) / ALDIS_MS));
    return ALDIS_OK;
}

static aldis_err have_patience(struct tree *self, const aldis_ns *ns, aldis_ctx *ctx)
{
    EXPECT_ERR(aldis_machine_set_timeout(ctx, &self->machine, 0), ALDIS_EINVAL);
    EXPECT_ERR(aldis_machine_set_timeout(ctx, &self->machine, -1), ALDIS_EINVAL);
    EXPECT_ERR(aldis_machine_set_timeout(ctx, NULL, 1), ALDIS_EINVAL);
    self->patience_ns = *ns == ALDIS_FOREVER ? 0 : *ns;
    return aldis_machine_set_timeout(ctx, &self->machine, *ns);
}

static aldis_err choose_badly(struct tree *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    (void)ctx;
    EXPECT_ERR(aldis_machine_become(&self->machine, 40), ALDIS_EINVAL);
    EXPECT_OK(aldis_become(tree, self, a2));
    EXPECT_OK(aldis_become(tree, self, b)); /* the last choice counts */
    aldis_err err = aldis_become(tree, self, c);
    EXPECT_ERR(err, ALDIS_ETRANSITION);
    EXPECT(strcmp(aldis_error_last()->text,
                  "tree in state c: on choose no transition to c is declared") == 0);
    EXPECT_ERR(aldis_become(tree, self, stay), ALDIS_ETRANSITION);
    return ALDIS_OK;
}

static aldis_err choose_nothing(struct tree *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)msg;
    (void)ctx;
    return ALDIS_OK;
}

// clang-format off
#define TREE_TABLE(T, kind)                                                                        \
    T(kind, top,  hop,                 hop_to,         a, a1, a111, a2, b, b1, c, stay)            \
    T(kind, a,    again,               aldis_go,       a)                                          \
    T(kind, a11,  again,               aldis_go,       a11)                                        \
    T(kind, a,    inward,              aldis_go,       a2)                                         \
    T(kind, a111, outward,             aldis_go,       a1)                                         \
    T(kind, a,    later,               aldis_defer,    stay)                                       \
    T(kind, top,  later,               note_later,     stay)                                       \
    T(kind, a,    never,               aldis_refuse,   stay)                                       \
    T(kind, b,    never,               aldis_ignore,   stay)                                       \
    T(kind, b1,   lost,                aldis_ignore,   stay)                                       \
    T(kind, c,    choose,              choose_badly,   a2, b)                                      \
    T(kind, a,    choose,              choose_nothing, a2, b)                                      \
    T(kind, top,  patience,            have_patience,  stay)                                       \
    T(kind, top,  aldis_state_timeout, note_timeout,   stay)                                       \
    T(kind, b,    aldis_state_timeout, note_timeout,   a2)
// clang-format on

ALDIS_MACHINE(tree, struct tree, TREE_PROTOCOL, TREE_STATES, TREE_TABLE, a);

static tree_ref plant(struct fixture *f)
{
    tree_ref tree;
    (void)said();
    CHECK_OK(aldis_spawn(f->system, tree, &tree, NULL));
    return tree;
}

static void check_said(struct fixture *f, tree_ref tree, const char *state, const char *expected)
{
    fixture_settle(f);
    CHECK_STR(said(), expected);
    CHECK_STR(fixture_status(f, tree.id).state_name, state);
}

/* ------------------------------------------------------------------ transitions */

TEST_EACH(states_are_left_and_entered_in_order)
{
    fixture_open(f, NULL);
    tree_ref tree = plant(f);
    check_said(f, tree, "a111", "+a +a1 +a11 +a111 ");
    static const struct {
        uint32_t to;
        const char *state, *expected;
    } hops[] = {
        {tree_state_a2, "a2", "-a111 -a11 -a1 -a +a +a2 "}, /* by a row of top: a is left too */
        {tree_state_a111, "a111", "-a2 -a +a +a1 +a11 +a111 "},
        {tree_state_stay, "a111", ""},
        {1000, "a111", ""},
        {tree_state_b, "b1", "-a111 -a11 -a1 -a +b +b1 "},
        {tree_state_c, "c", "-b1 -b +c "},
    };
    for (size_t i = 0; i < sizeof hops / sizeof hops[0]; i++) {
        CHECK_OK(aldis_send(f->system, tree, hop, hops[i].to));
        if (hops[i].to == tree_state_b) /* its time must not be up before it is left again */
            CHECK_OK(aldis_send(f->system, tree, hop, hops[++i].to));
        if (i == 5)
            check_said(f, tree, "c", "-a111 -a11 -a1 -a +b +b1 -b1 -b +c ");
        else
            check_said(f, tree, hops[i].state, hops[i].expected);
    }
    CHECK_UINT(fixture_counts(f, "hop").failed, 0);
}

TEST_EACH(a_transition_to_itself_leaves_and_enters)
{
    fixture_open(f, NULL);
    tree_ref tree = plant(f);
    check_said(f, tree, "a111", "+a +a1 +a11 +a111 ");
    CHECK_OK(aldis_signal(f->system, tree, again)); /* of a11, the innermost that has a row */
    check_said(f, tree, "a111", "-a111 -a11 +a11 +a111 ");
    CHECK_OK(aldis_signal(f->system, tree, outward)); /* to a1, which is left too */
    check_said(f, tree, "a111", "-a111 -a11 -a1 +a1 +a11 +a111 ");
    CHECK_OK(aldis_signal(f->system, tree, inward)); /* of a, to within a */
    check_said(f, tree, "a2", "-a111 -a11 -a1 -a +a +a2 ");
    CHECK_OK(aldis_signal(f->system, tree, again)); /* of a */
    check_said(f, tree, "a111", "-a2 -a +a +a1 +a11 +a111 ");
}

/* ------------------------------------------------------------------ what is not declared */

static void keep_line(void *arg, aldis_log_level level, const char *line)
{
    (void)arg;
    (void)level;
    const char *fault = strstr(line, "handler of");
    say("[%s]", fault ? fault : line);
}

TEST_EACH(an_undeclared_message_is_an_error_with_both_names)
{
    aldis_log_set(keep_line, NULL, ALDIS_LOG_WARN);
    fixture_open(f, NULL);
    tree_ref tree = plant(f);
    check_said(f, tree, "a111", "+a +a1 +a11 +a111 ");
    CHECK_OK(aldis_signal(f->system, tree, lost));
    check_said(f, tree, "a111",
               "[handler of lost failed: no such transition is declared: "
               "tree in state a111: on lost no transition is declared]");
    aldis_type_stats counts = fixture_counts(f, "lost");
    CHECK_UINT(counts.handled, 1);
    CHECK_UINT(counts.failed, 1);
    /* Nor may a handler leave open where to go. */
    CHECK_OK(aldis_signal(f->system, tree, choose));
    check_said(f, tree, "a111",
               "[handler of choose failed: no such transition is declared: "
               "tree in state a111: on choose no transition to stay is declared]");
    aldis_log_set(NULL, NULL, ALDIS_LOG_WARN);
}

TEST_EACH(a_handler_may_choose_only_what_is_declared)
{
    fixture_open(f, NULL);
    tree_ref tree = plant(f);
    CHECK_OK(aldis_send(f->system, tree, hop, tree_state_c));
    check_said(f, tree, "c", "+a +a1 +a11 +a111 -a111 -a11 -a1 -a +c ");
    CHECK_OK(aldis_signal(f->system, tree, choose));
    CHECK_OK(aldis_send(f->system, tree, hop, tree_state_a2));
    check_said(f, tree, "a2", "-c +b +b1 -b1 -b +a +a2 ");
    CHECK_UINT(fixture_counts(f, "choose").failed, 1); /* leaving c failed; it went all the same */
}

TEST_EACH(a_handler_that_fails_stays_where_it_is)
{
    fixture_open(f, NULL);
    tree_ref tree = plant(f);
    CHECK_OK(aldis_send(f->system, tree, hop, 2000));
    check_said(f, tree, "a111", "+a +a1 +a11 +a111 ");
    CHECK_UINT(fixture_counts(f, "hop").failed, 1);
}

/* ------------------------------------------------------------------ deferred, refused, ignored */

static aldis_err send_to_tree(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    tree_ref tree = {.id = act->id};
    for (uint32_t i = 0; i < act->a; i++) {
        if (act->b)
            EXPECT_OK(aldis_send(ctx, tree, never, i));
        else
            EXPECT_OK(aldis_send(ctx, tree, later, i));
    }
    return ALDIS_OK;
}

static void note_refusal(struct puppet *self, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    (void)self;
    (void)ctx;
    say("%s %s x%u ", notice->type_name, aldis_error_name(notice->reason), notice->count);
}

TEST_EACH(deferred_messages_are_handled_after_the_next_transition)
{
    fixture_open(f, NULL);
    tree_ref tree = plant(f);
    puppet_ref p = fixture_spawn(f, &(struct script){.undelivered = note_refusal}, NULL);
    fixture_tell(f, p, send_to_tree, (struct act){.id = tree.id, .a = 5});
    check_said(f, tree, "a111", "+a +a1 +a11 +a111 ");
    CHECK_UINT(fixture_counts(f, "later").queued, 5);
    fixture_check(f);
    CHECK_OK(aldis_send(f->system, tree, hop, 1000)); /* no transition */
    check_said(f, tree, "a111", "");
    CHECK_OK(aldis_signal(f->system, tree, inward)); /* a transition; deferred again */
    check_said(f, tree, "a2", "-a111 -a11 -a1 -a +a +a2 ");
    CHECK_UINT(fixture_counts(f, "later").queued, 5);
    CHECK_UINT(fixture_counts(f, "later").handled, 0);
    fixture_tell(f, p, send_to_tree, (struct act){.id = tree.id, .a = 2});
    fixture_settle(f);
    CHECK_OK(aldis_send(f->system, tree, hop, tree_state_c));
    check_said(f, tree, "c", "-a2 -a +c 0 1 2 3 4 0 1 ");
    CHECK_UINT(fixture_counts(f, "later").handled, 7);
}

TEST_EACH(a_full_stash_refuses_what_is_deferred)
{
    fixture_open(f, &(aldis_system_opts){.mailbox = {.stash_msgs = 3}});
    tree_ref tree = plant(f);
    puppet_ref p = fixture_spawn(f, &(struct script){.undelivered = note_refusal}, NULL);
    fixture_settle(f);
    (void)said();
    fixture_tell(f, p, send_to_tree, (struct act){.id = tree.id, .a = 5});
    fixture_settle(f);
    CHECK_STR(said(), "later ALDIS_EFULL x1 later ALDIS_EFULL x1 ");
    CHECK_UINT(fixture_counts(f, "later").rejected, 2);
    CHECK_UINT(fixture_counts(f, "later").failed, 0);
}

TEST_EACH(a_refusal_is_told_and_what_is_ignored_is_not)
{
    fixture_open(f, NULL);
    tree_ref tree = plant(f);
    puppet_ref p = fixture_spawn(f, &(struct script){.undelivered = note_refusal}, NULL);
    fixture_settle(f);
    (void)said();
    fixture_tell(f, p, send_to_tree, (struct act){.id = tree.id, .a = 1, .b = 1});
    fixture_settle(f);
    CHECK_STR(said(), "never ALDIS_EREFUSED x1 ");
    CHECK_UINT(fixture_counts(f, "never").rejected, 1);
    CHECK_UINT(fixture_counts(f, "never").failed, 0);
}

/* ------------------------------------------------------------------ time-outs */

TEST_VIRTUAL(states_time_out)
{
    fixture_open(f, NULL);
    tree_ref tree = plant(f);
    fixture_settle(f);
    (void)said();
    CHECK_OK(aldis_send(f->system, tree, hop, tree_state_b));
    /* First b1, for which b has a row that leaves b with it; so the time of b never comes. */
    check_said(f, tree, "a2", "-a111 -a11 -a1 -a +b +b1 timeout@21 -b1 -b +a +a2 ");
}

TEST_VIRTUAL(the_time_of_a_state_goes_on_while_the_states_within_change)
{
    fixture_open(f, NULL);
    tree_ref tree = plant(f);
    fixture_settle(f);
    (void)said();
    CHECK_OK(aldis_send(f->system, tree, hop, tree_state_c));
    CHECK_OK(aldis_send(f->system, tree, patience, 30 * ALDIS_MS));
    aldis_ns begin_ns = aldis_system_now(f->system);
    fixture_settle(f);
    char expected[64];
    snprintf(expected, sizeof expected, "-a111 -a11 -a1 -a +c timeout@%d ",
             (int)(begin_ns / ALDIS_MS) + 30);
    CHECK_STR(said(), expected);
    /* Its entry asks for the same time; renewed before it is up, and then given up. */
    CHECK_OK(aldis_send(f->system, tree, hop, tree_state_c));
    CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + 20 * ALDIS_MS, NULL));
    CHECK_OK(aldis_send(f->system, tree, patience, 30 * ALDIS_MS));
    CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + 20 * ALDIS_MS, NULL));
    CHECK_OK(aldis_send(f->system, tree, patience, ALDIS_FOREVER));
    fixture_settle(f);
    CHECK_STR(said(), "-c +c ");
    CHECK_UINT(fixture_counts(f, "aldis_state_timeout").handled, 1);
}

TEST_EACH(a_time_out_never_comes_after_its_state)
{
    fixture_open(f, NULL);
    tree_ref tree = plant(f);
    fixture_settle(f);
    for (int i = 0; i < 50; i++) {
        CHECK_OK(aldis_send(f->system, tree, hop, tree_state_b));
        CHECK_OK(aldis_send(f->system, tree, hop, tree_state_a2));
    }
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "aldis_state_timeout").sent, 0);
    /* Made by hand, for a state that it is not in, or that there is not: as if it were late. */
    for (uint32_t state = 0; state < 70; state++)
        if (state < tree_state_a || state > tree_state_a2 || state == tree_state_a1)
            CHECK_OK(aldis_send(f->system, tree, aldis_state_timeout, .state = state));
    (void)said();
    check_said(f, tree, "a2", "");
    CHECK_UINT(fixture_counts(f, "aldis_state_timeout").failed, 0);
}

/* ------------------------------------------------------------------ one run on any workers */

TEST(machines_leave_one_run_print)
{
    uint64_t print = 0;
    for (uint32_t workers = 1; workers <= 4; workers *= 2) {
        struct fixture f = {ALDIS_CLOCK_VIRTUAL, workers, NULL};
        fixture_open(&f, NULL);
        for (uint32_t i = 0; i < 16; i++) {
            tree_ref tree;
            CHECK_OK(aldis_spawn(f.system, tree, &tree, NULL));
            aldis_spawn_opts there = {.placement = ALDIS_PLACE_SHARD, .shard = i % 8};
            puppet_ref p = fixture_spawn(&f, NULL, &there);
            fixture_tell(&f, p, send_to_tree, (struct act){.id = tree.id, .a = 10});
            CHECK_OK(aldis_send_after(f.system, 5 * ALDIS_MS, tree, hop, tree_state_b));
            CHECK_OK(aldis_send_after(f.system, 50 * ALDIS_MS, tree, hop, tree_state_c));
        }
        fixture_settle(&f);
        CHECK_UINT(fixture_counts(&f, "later").handled, 160);
        if (workers > 1)
            CHECK_UINT(aldis_system_run_print(f.system), print);
        print = aldis_system_run_print(f.system);
        fixture_close(&f);
    }
    (void)said();
}

/* ------------------------------------------------------------------ unsound tables */

/* Each is the tree's table with one mistake. */
struct mistake {
    const char *text;
    uint32_t state; /* of which this becomes */
    aldis_machine_state becomes;
    uint32_t row_state, row_event; /* of which this becomes, if it has a name */
    aldis_machine_row row;
    uint32_t initial;
};

#define ROW(name, targets)                                                                         \
    {                                                                                              \
        name, #name, targets                                                                       \
    }
#define STAY_BIT (UINT64_C(1) << tree_state_stay)

static const struct mistake mistakes[] = {
    {"b1 does not stand right behind the state that it lies within",
     tree_state_b1,
     {"b1", tree_state_a, aldis_nothing, aldis_nothing, "", "", 0},
     0,
     0,
     {0},
     tree_state_a},
    {"b1 does not stand right behind the state that it lies within",
     tree_state_b1,
     {"b1", tree_state_c, aldis_nothing, aldis_nothing, "", "", 0},
     0,
     0,
     {0},
     tree_state_a},
    {"a2 lies too deep (see ALDIS_MACHINE_DEPTH_MAX)",
     tree_state_a2,
     {"a2", tree_state_a111, aldis_nothing, aldis_nothing, "", "", 0},
     0,
     0,
     {0},
     tree_state_a},
    {"b1 has a negative time-out",
     tree_state_b1,
     {"b1", tree_state_b, aldis_nothing, aldis_nothing, "", "", -1},
     0,
     0,
     {0},
     tree_state_a},
    {"hop is ignored, deferred or refused: its target must be stay",
     0,
     {0},
     tree_state_c,
     tree_event_hop,
     ROW(aldis_ignore, STAY_BIT | 2),
     tree_state_a},
    {"hop is ignored, deferred or refused: its target must be stay",
     0,
     {0},
     tree_state_c,
     tree_event_hop,
     ROW(aldis_defer, 2),
     tree_state_a},
    {"hop is ignored, deferred or refused: its target must be stay",
     0,
     {0},
     tree_state_c,
     tree_event_hop,
     ROW(aldis_refuse, 2),
     tree_state_a},
    {"hop does nothing but go: it needs one target",
     0,
     {0},
     tree_state_c,
     tree_event_hop,
     ROW(aldis_go, STAY_BIT),
     tree_state_a},
    {"hop does nothing but go: it needs one target",
     0,
     {0},
     tree_state_c,
     tree_event_hop,
     ROW(aldis_go, 6),
     tree_state_a},
    {"hop has top as its target",
     0,
     {0},
     tree_state_c,
     tree_event_hop,
     ROW(aldis_go, 1),
     tree_state_a},
    {"aldis_state_timeout cannot be deferred",
     0,
     {0},
     tree_state_c,
     tree_event_aldis_state_timeout,
     ROW(aldis_defer, STAY_BIT),
     tree_state_a},
    {"top cannot be the first state", 0, {0}, 0, 0, {0}, tree_state_top},
};

static aldis_machine_state wrong_states[tree_state_count];
static aldis_machine_row wrong_rows[tree_state_count * tree_event_count];
static aldis_machine_table wrong_table;
static uint32_t wrong_checked;

/* Make wrong_table the tree's. */
static void copy_table(void)
{
    memcpy(wrong_states, tree_machine.states, sizeof wrong_states);
    memcpy(wrong_rows, tree_machine.rows, sizeof wrong_rows);
    wrong_table = tree_machine;
    wrong_table.states = wrong_states;
    wrong_table.rows = wrong_rows;
    wrong_table.checked = &wrong_checked;
    wrong_checked = 0;
}

static aldis_err start_wrong(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    struct tree tree;
    const char *text = *(const char *const *)(uintptr_t)act->a;
    aldis_err err = aldis_machine_start_(&tree.machine, &wrong_table, &tree, ctx);
    EXPECT_ERR(err, ALDIS_EINVAL);
    char expected[256];
    snprintf(expected, sizeof expected, "machine tree: %s", text);
    if (strcmp(aldis_error_last()->text, expected) != 0)
        fixture_note(__FILE__, __LINE__, "\"%s\" in place of \"%s\"", aldis_error_last()->text,
                     expected);
    return ALDIS_OK;
}

TEST_VIRTUAL(an_unsound_table_is_refused_at_the_start)
{
    static const char *const unknown = "lost is in its protocol, but no state has a row for it";
    static const char *const timeless = "b has a time-out but no row for aldis_state_timeout";
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        const struct mistake *m = &mistakes[i];
        copy_table();
        if (m->becomes.name)
            wrong_states[m->state] = m->becomes;
        if (m->row.handler_name)
            wrong_rows[m->row_state * tree_event_count + m->row_event] = m->row;
        wrong_table.initial = m->initial;
        fixture_tell(f, p, start_wrong, (struct act){.a = (uintptr_t)&m->text});
        fixture_settle(f);
    }
    copy_table();
    for (uint32_t state = 0; state < tree_state_count; state++)
        wrong_rows[state * tree_event_count + tree_event_lost].handle = NULL;
    fixture_tell(f, p, start_wrong, (struct act){.a = (uintptr_t)&unknown});
    fixture_settle(f);
    copy_table();
    for (uint32_t state = 0; state < tree_state_count; state++)
        wrong_rows[state * tree_event_count + tree_event_aldis_state_timeout].handle = NULL;
    fixture_tell(f, p, start_wrong, (struct act){.a = (uintptr_t)&timeless});
    fixture_settle(f);
}

/* ------------------------------------------------------------------ before the start, printing */

TEST(a_machine_that_has_not_started_is_nowhere)
{
    aldis_machine machine = {0};
    CHECK_STR(aldis_machine_state_name(&machine), "");
    CHECK_STR(aldis_machine_state_name(NULL), "");
    CHECK(!aldis_machine_is_in(&machine, tree_state_top));
    CHECK(!aldis_machine_is_in(NULL, tree_state_top));
    CHECK_ERR(aldis_machine_become(&machine, tree_state_a), ALDIS_ESTATE);
    CHECK_ERR(aldis_machine_set_timeout(NULL, &machine, 1), ALDIS_ESTATE);
}

static const char tree_text[] = "machine tree, begins in a\n"
                                "top\n"
                                "    hop: hop_to -> a | a1 | a111 | a2 | b | b1 | c | stay\n"
                                "    later: note_later\n"
                                "    patience: have_patience\n"
                                "    aldis_state_timeout: note_timeout\n"
                                "  a, entry enter_a, exit leave_a\n"
                                "      again -> a\n"
                                "      inward -> a2\n"
                                "      later: deferred\n"
                                "      never: refused\n"
                                "      choose: choose_nothing -> a2 | b\n"
                                "    a1, entry enter_a1, exit leave_a1\n"
                                "      a11, entry enter_a11, exit leave_a11\n"
                                "          again -> a11\n"
                                "        a111, entry enter_a111, exit leave_a111\n"
                                "            outward -> a1\n"
                                "    a2, entry enter_a2, exit leave_a2\n"
                                "  b, entry enter_b, exit leave_b, at most 50 ms\n"
                                "      never: ignored\n"
                                "      aldis_state_timeout: note_timeout -> a2\n"
                                "    b1, entry enter_b1, exit leave_b1, at most 20 ms\n"
                                "        lost: ignored\n"
                                "  c, entry enter_c, exit fail_to_leave\n"
                                "      choose: choose_badly -> a2 | b\n";

static const char *const dot_lines[] = {
    "digraph tree {\n  compound=true;\n",
    "  begin -> a111 [lhead=cluster_a];\n",
    "  subgraph cluster_a {\n    label=\"a\\nentry / enter_a\\lexit / leave_a\\l"
    "later / deferred\\lnever / refused\\l\"; style=rounded;\n",
    "        a111 [label=\"a111\\nentry / enter_a111\\lexit / leave_a111\\l\"];\n      }\n    }\n"
    "    a2 [label=",
    "at most 20 ms\\llost / ignored\\l\"];\n  }\n  c [label=",
    "  a111 -> a111 [label=\"outward\"];\n",
    "  a111 -> a2 [label=\"inward\"];\n",
    "  a111 -> b1 [label=\"choose / choose_nothing\", ltail=cluster_a, lhead=cluster_b, "
    "style=dashed];\n",
    "  any_state -> b1 [label=\"hop / hop_to\", style=dashed];\n",
    "  b1 -> a2 [label=\"aldis_state_timeout / note_timeout\", ltail=cluster_b];\n  c -> a2 [",
};

static char *print(const aldis_machine_table *table, aldis_machine_format format)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    CHECK(out != NULL);
    CHECK_OK(aldis_machine_print(table, out, format));
    CHECK(fclose(out) == 0);
    return text;
}

TEST(a_machine_prints_its_tables)
{
    char *text = print(&tree_machine, ALDIS_MACHINE_TEXT);
    CHECK_STR(text, tree_text);
    free(text);
    text = print(&tree_machine, ALDIS_MACHINE_DOT);
    for (size_t i = 0; i < sizeof dot_lines / sizeof dot_lines[0]; i++)
        if (!strstr(text, dot_lines[i]))
            test_fail(__FILE__, __LINE__, "\"%s\" is not in\n%s", dot_lines[i], text);
    int depth = 0;
    for (const char *c = text; *c; c++)
        depth += *c == '{' ? 1 : *c == '}' ? -1 : 0;
    CHECK_INT(depth, 0);
    free(text);
    CHECK_ERR(aldis_machine_print(NULL, stdout, ALDIS_MACHINE_TEXT), ALDIS_EINVAL);
    CHECK_ERR(aldis_machine_print(&tree_machine, NULL, ALDIS_MACHINE_TEXT), ALDIS_EINVAL);
    CHECK_ERR(aldis_machine_print(&tree_machine, stdout, (aldis_machine_format)2), ALDIS_EINVAL);
    FILE *full = fopen("/dev/full", "w");
    if (full) {
        CHECK_ERR(aldis_machine_print(&tree_machine, full, ALDIS_MACHINE_DOT), ALDIS_EIO);
        (void)fclose(full);
    }
}
