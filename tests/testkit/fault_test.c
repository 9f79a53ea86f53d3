// SPDX-License-Identifier: Apache-2.0
/* fault_test.c: what each kind of fault does, that it is counted, and that the same plan gives the
 * same run on any number of workers. */
#include "../core/fixture.h"

#include <math.h>
#include <stdlib.h>

enum { HANDLED = 1, SENDS = 20000 };
#define LOOKAHEAD ALDIS_MS

static void inject(struct fixture *f, const aldis_fault_rule *rules, size_t count)
{
    aldis_fault_plan plan = {.seed = 11, .rules = rules, .rule_count = count};
    CHECK_OK(aldis_system_inject(f->system, &plan));
}

static uint64_t injected(struct fixture *f, aldis_fault_kind kind)
{
    uint64_t counts[ALDIS_FAULT_KIND_COUNT];
    CHECK_OK(aldis_system_fault_counts(f->system, counts));
    return counts[kind];
}

/* Sends act->a numbers to act->id, ten in a millisecond; value: the number. */
static aldis_err send_some(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    puppet_ref to = {.id = act->id}, me = {.id = aldis_self(ctx)};
    for (int i = 0; i < 10 && self->memory[0] < act->a; i++)
        EXPECT_OK(aldis_send(ctx, to, num, self->memory[0]++));
    if (self->memory[0] < act->a)
        EXPECT_OK(aldis_send_after(ctx, LOOKAHEAD, me, act, .run = send_some, .id = act->id,
                                   .a = act->a));
    return ALDIS_OK;
}

/* Counts what comes, and how often it was not the next. memory: [1] the last, [2] steps back. */
static aldis_err count_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)ctx;
    self->memory[2] += value < self->memory[1];
    self->memory[1] = value;
    return ALDIS_OK;
}

static aldis_err show_memory(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)ctx;
    memcpy((void *)(uintptr_t)act->a, self->memory, sizeof self->memory);
    return ALDIS_OK;
}

static const struct script counter = {.num = count_num};

/* SENDS numbers from one to the other, with faults; what became of them. */
static aldis_type_stats flow(struct fixture *f, const aldis_fault_rule *rules, size_t count,
                             uint64_t out_memory[4])
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    puppet_ref q =
        fixture_spawn(f, &counter, &(aldis_spawn_opts){.mailbox = {.policy = ALDIS_UNBOUNDED}});
    fixture_settle(f);
    inject(f, rules, count);
    fixture_tell(f, p, send_some, (struct act){.id = q.id, .a = SENDS});
    fixture_settle(f);
    if (out_memory) {
        fixture_tell(f, q, show_memory, (struct act){.id = q.id, .a = (uintptr_t)out_memory});
        fixture_settle(f);
    }
    return fixture_counts(f, "num");
}

/* Within five standard deviations of a binomial. */
static void check_part(uint64_t found, uint64_t of, double chance)
{
    double expected = chance * (double)of;
    double slack = 5 * sqrt((double)of * chance * (1 - chance));
    if (fabs((double)found - expected) > slack)
        test_fail(__FILE__, __LINE__, "%" PRIu64 " of %" PRIu64 ", expected %.0f +- %.0f", found,
                  of, expected, slack);
}

TEST_VIRTUAL(lost_messages_are_dropped_and_counted)
{
    aldis_fault_rule rules[] = {{.kind = ALDIS_FAULT_LOSS, .chance = 0.2}};
    aldis_type_stats counts = flow(f, rules, 1, NULL);
    CHECK_UINT(counts.sent, SENDS);
    CHECK_UINT(counts.handled + counts.dropped, SENDS);
    CHECK_UINT(injected(f, ALDIS_FAULT_LOSS), counts.dropped);
    check_part(counts.dropped, SENDS, 0.2);
}

TEST_VIRTUAL(copies_are_sent_and_counted)
{
    aldis_fault_rule rules[] = {{.kind = ALDIS_FAULT_DUPLICATE, .chance = 0.3}};
    uint64_t memory[4];
    aldis_type_stats counts = flow(f, rules, 1, memory);
    CHECK_UINT(counts.handled, counts.sent);
    CHECK_UINT(injected(f, ALDIS_FAULT_DUPLICATE), counts.sent - SENDS);
    check_part(counts.sent - SENDS, SENDS, 0.3);
    CHECK(memory[2] > 1000); /* a copy comes late */
}

TEST_VIRTUAL(delayed_messages_come_out_of_order)
{
    aldis_fault_rule rules[] = {{.kind = ALDIS_FAULT_DELAY, .chance = 0.5}};
    uint64_t memory[4];
    aldis_type_stats counts = flow(f, rules, 1, memory);
    CHECK_UINT(counts.sent, SENDS);
    CHECK_UINT(counts.handled, SENDS);
    check_part(injected(f, ALDIS_FAULT_DELAY), SENDS, 0.5);
    CHECK(memory[2] > 1000);
}

TEST_VIRTUAL(all_at_once_balance)
{
    aldis_fault_rule rules[] = {{.kind = ALDIS_FAULT_LOSS, .chance = 0.2},
                                {.kind = ALDIS_FAULT_DUPLICATE, .chance = 0.2},
                                {.kind = ALDIS_FAULT_DELAY, .chance = 0.3},
                                {.kind = ALDIS_FAULT_CUT, .chance = 0.1},
                                {.kind = ALDIS_FAULT_PAUSE, .chance = 0.001},
                                {.kind = ALDIS_FAULT_CRASH, .chance = 0.001},
                                {.kind = ALDIS_FAULT_RESTART, .chance = 0.001}};
    aldis_type_stats counts = flow(f, rules, 7, NULL);
    CHECK_UINT(counts.sent, SENDS + injected(f, ALDIS_FAULT_DUPLICATE));
    CHECK_UINT(counts.dropped, injected(f, ALDIS_FAULT_LOSS) + injected(f, ALDIS_FAULT_CUT));
    CHECK_UINT(counts.sent, counts.handled + counts.dropped);
    for (int kind = 0; kind < ALDIS_FAULT_KIND_COUNT; kind++)
        CHECK(injected(f, (aldis_fault_kind)kind) > 0);
}

/* ------------------------------------------------------------------ who, when */

static aldis_err trace_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    trace_add(HANDLED, self->script.tag << 32 | value, aldis_now(ctx));
    return ALDIS_OK;
}

TEST_VIRTUAL(a_cut_takes_all_of_one_way_for_a_while)
{
    aldis_fault_rule rules[] = {{.kind = ALDIS_FAULT_CUT, .chance = 0.3, .max_ns = 20 * LOOKAHEAD}};
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    puppet_ref q = fixture_spawn(f, &(struct script){.num = trace_num}, NULL);
    fixture_settle(f);
    inject(f, rules, 1);
    fixture_tell(f, p, send_some, (struct act){.id = q.id, .a = SENDS});
    fixture_settle(f);
    /* In each span of 20 ms all 200 or none. */
    uint64_t spans = SENDS / 200 + 2, whole = 0;
    uint64_t *by_span = calloc(spans, sizeof *by_span);
    for (size_t i = 0; i < trace_count(); i++)
        by_span[(uint64_t)(trace_at(i).at_ns - LOOKAHEAD) / (20 * LOOKAHEAD)]++;
    for (uint64_t i = 1; i + 2 < spans; i++) {
        CHECK(by_span[i] == 0 || by_span[i] == 200);
        whole += by_span[i] == 200;
    }
    free(by_span);
    check_part(whole, spans - 3, 0.7);
    CHECK_UINT(injected(f, ALDIS_FAULT_CUT), SENDS - trace_count());
}

TEST_VIRTUAL(a_rule_is_for_whom_it_names_and_when)
{
    static const struct {
        aldis_fault_rule rule;
        bool acts;
    } cases[] = {
        {{.from = "puppet"}, true},
        {{.to = "puppet"}, true},
        {{.type = "num"}, true},
        {{.from = "plain"}, false},
        {{.to = "stranger"}, false},
        {{.type = "act"}, false},
        {{.begin_ns = 500 * LOOKAHEAD}, true},
        {{.begin_ns = ALDIS_HOUR}, false},
        {{.end_ns = 1000 * LOOKAHEAD}, true},
        {{.end_ns = 1}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        aldis_fault_rule rule = cases[i].rule;
        rule.kind = ALDIS_FAULT_LOSS;
        rule.chance = 1;
        aldis_type_stats counts = flow(f, &rule, 1, NULL);
        CHECK_UINT(counts.dropped > 0, cases[i].acts);
        if (rule.begin_ns == 500 * LOOKAHEAD || rule.end_ns == 1000 * LOOKAHEAD)
            CHECK(counts.handled > 0);
        fixture_close(f);
    }
    fixture_open(f, NULL);
}

TEST_VIRTUAL(nothing_goes_wrong_after_the_plan_has_healed)
{
    aldis_fault_rule rule = {.kind = ALDIS_FAULT_LOSS, .chance = 1};
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), q = fixture_spawn(f, &counter, NULL);
    fixture_settle(f);
    aldis_ns now_ns = aldis_system_now(f->system);
    CHECK_OK(aldis_system_inject(
        f->system,
        &(aldis_fault_plan){.rules = &rule, .rule_count = 1, .heal_ns = now_ns + 100 * LOOKAHEAD}));
    fixture_tell(f, p, send_some, (struct act){.id = q.id, .a = SENDS});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").dropped, 1000);
    CHECK_UINT(fixture_counts(f, "num").handled, SENDS - 1000);
    /* And nothing at all without one. */
    CHECK_OK(aldis_system_inject(f->system, NULL));
    fixture_tell(f, p, send_some, (struct act){.id = q.id, .a = SENDS + 100});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").handled, SENDS - 1000 + 100);
    CHECK_UINT(injected(f, ALDIS_FAULT_LOSS), 0);
}

/* What an actor sends itself and its timers are no links. */
static aldis_err tick_on(struct puppet *self, aldis_ctx *ctx)
{
    puppet_ref me = {.id = aldis_self(ctx)};
    if (self->count < 1000)
        EXPECT_OK(aldis_signal(ctx, me, tick));
    if (self->count == 1)
        EXPECT_OK(aldis_timer_every(ctx, LOOKAHEAD, tick, &self->timer));
    if (self->count == 1500)
        EXPECT_OK(aldis_timer_cancel(ctx, self->timer));
    return ALDIS_OK;
}

TEST_VIRTUAL(what_an_actor_sends_itself_always_arrives)
{
    aldis_fault_rule rules[] = {{.kind = ALDIS_FAULT_LOSS, .chance = 1},
                                {.kind = ALDIS_FAULT_DUPLICATE, .chance = 1}};
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &(struct script){.tick = tick_on}, NULL);
    inject(f, rules, 2);
    CHECK_OK(aldis_signal(f->system, p, tick)); /* from outside: no link either */
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "tick").dropped, 0);
    CHECK(fixture_counts(f, "tick").handled >= 1500);
    CHECK_UINT(injected(f, ALDIS_FAULT_DUPLICATE), 0);
}

/* ------------------------------------------------------------------ actors */

TEST_VIRTUAL(a_crash_is_a_failure_of_the_handler)
{
    aldis_fault_rule rules[] = {{.kind = ALDIS_FAULT_CRASH, .every = 1000, .type = "num"}};
    aldis_type_stats counts = flow(f, rules, 1, NULL);
    CHECK_UINT(counts.handled, SENDS);
    CHECK_UINT(injected(f, ALDIS_FAULT_CRASH), counts.failed);
    CHECK_UINT(counts.failed, SENDS / 1000);
}

/* As any failure: here it is restarted, and the message is a dead letter. */
TEST_VIRTUAL(a_crash_is_for_the_supervision)
{
    aldis_fault_rule rules[] = {{.kind = ALDIS_FAULT_CRASH, .every = 4000, .type = "num"}};
    aldis_spawn_opts opts = {.mailbox = {.policy = ALDIS_UNBOUNDED},
                             .restart = {.mode = ALDIS_RESTART_ON_FAILURE}};
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), q = fixture_spawn(f, &counter, &opts);
    fixture_settle(f);
    inject(f, rules, 1);
    fixture_tell(f, p, send_some, (struct act){.id = q.id, .a = SENDS});
    fixture_settle(f);
    CHECK_UINT(injected(f, ALDIS_FAULT_CRASH), SENDS / 4000);
    CHECK_UINT(fixture_status(f, q.id).restarts, SENDS / 4000);
    CHECK_UINT(fixture_counts(f, "num").dead, SENDS / 4000);
    CHECK_UINT(fixture_counts(f, "num").handled, SENDS - SENDS / 4000);
}

static aldis_err count_starts(struct puppet *self, aldis_ctx *ctx)
{
    (void)ctx;
    ++*(uint64_t *)self->script.user;
    return ALDIS_OK;
}

static aldis_err count_here(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)value;
    (void)ctx;
    self->memory[3]++;
    return ALDIS_OK;
}

/* Arm a timer that is to be gone after a restart. */
static aldis_err arm_timer(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)act;
    return aldis_timer_every(ctx, ALDIS_SECOND, tick, &self->timer);
}

TEST_VIRTUAL(a_restart_needs_no_restart_mode)
{
    const aldis_fault_rule rules[] = {{.kind = ALDIS_FAULT_RESTART, .every = 4000, .type = "num"}};
    const aldis_restart_mode modes[] = {ALDIS_RESTART_DEFAULT, ALDIS_RESTART_NEVER};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        uint64_t starts = 0, memory[4];
        const struct script script = {.num = count_here, .start = count_starts, .user = &starts};
        aldis_spawn_opts opts = {.mailbox = {.policy = ALDIS_UNBOUNDED},
                                 .restart = {.mode = modes[i]}};
        fixture_open(f, NULL);
        inject(f, rules, 1);
        puppet_ref p = fixture_spawn(f, NULL, NULL), q = fixture_spawn(f, &script, &opts);
        fixture_tell(f, q, arm_timer, (struct act){0});
        fixture_tell(f, p, send_some, (struct act){.id = q.id, .a = SENDS});
        fixture_settle(f); /* so the timer is gone: it would never be at rest */
        CHECK_UINT(injected(f, ALDIS_FAULT_RESTART), SENDS / 4000);
        CHECK_UINT(starts, 1 + SENDS / 4000);
        CHECK_UINT(fixture_status(f, q.id).restarts, SENDS / 4000);
        CHECK_UINT(fixture_counts(f, "num").dead, SENDS / 4000);
        CHECK_UINT(fixture_counts(f, "num").handled, SENDS - SENDS / 4000);
        fixture_tell(f, q, show_memory, (struct act){.a = (uintptr_t)memory});
        fixture_settle(f);
        CHECK_UINT(memory[3], 1); /* the last but one was one after which it began again */
        fixture_close(f);
    }
}

/* One that could be restarted by the plan is not by anything else. */
TEST_VIRTUAL(a_failure_is_no_restart_because_a_plan_has_some)
{
    const aldis_fault_rule rules[] = {{.kind = ALDIS_FAULT_RESTART, .every = 1000, .type = "odd"},
                                      {.kind = ALDIS_FAULT_CRASH, .every = 1000, .type = "num"}};
    aldis_spawn_opts opts = {.mailbox = {.policy = ALDIS_UNBOUNDED}};
    fixture_open(f, NULL);
    inject(f, rules, 2);
    puppet_ref p = fixture_spawn(f, NULL, NULL), q = fixture_spawn(f, &counter, &opts);
    fixture_tell(f, p, send_some, (struct act){.id = q.id, .a = SENDS});
    fixture_settle(f);
    CHECK_UINT(fixture_status(f, q.id).restarts, 0);
    CHECK_UINT(fixture_counts(f, "num").failed, SENDS / 1000);
    CHECK_UINT(fixture_counts(f, "num").handled, SENDS);
}

TEST_VIRTUAL(a_pause_makes_mail_wait)
{
    aldis_fault_rule rules[] = {{.kind = ALDIS_FAULT_PAUSE,
                                 .every = 100,
                                 .min_ns = 30 * LOOKAHEAD,
                                 .max_ns = 30 * LOOKAHEAD}};
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    puppet_ref q = fixture_spawn(f, &(struct script){.num = trace_num}, NULL);
    fixture_settle(f);
    inject(f, rules, 1);
    fixture_tell(f, p, send_some, (struct act){.id = q.id, .a = 1000});
    fixture_settle(f);
    CHECK_UINT(trace_count(), 1000);
    for (size_t i = 1; i < trace_count(); i++) {
        CHECK_UINT(trace_at(i).tag, i);
        aldis_ns gap_ns = trace_at(i).at_ns - trace_at(i - 1).at_ns;
        CHECK_INT(gap_ns >= 30 * LOOKAHEAD, i % 100 == 0);
    }
    CHECK(injected(f, ALDIS_FAULT_PAUSE) >= 10);
}

/* ------------------------------------------------------------------ payloads of all sorts */

static aldis_err check_raw(struct puppet *self, const unsigned char *bytes, size_t size,
                           aldis_ctx *ctx)
{
    (void)self;
    for (size_t i = 0; i < size; i++)
        EXPECT_UINT(bytes[i], (size + i) & 0xff);
    trace_add(HANDLED, size, aldis_now(ctx));
    return ALDIS_OK;
}

static aldis_err send_sizes(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    static const size_t sizes[] = {1, 40, 1000, 65536};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        aldis_blob *blob;
        void *bytes;
        EXPECT_OK(aldis_blob_create(NULL, sizes[k], &blob, &bytes));
        for (size_t i = 0; i < sizes[k]; i++)
            ((unsigned char *)bytes)[i] = (unsigned char)(sizes[k] + i);
        EXPECT_OK(aldis_ctx_send_raw(ctx, act->id, &raw_type, bytes, sizes[k]));
        EXPECT_OK(aldis_publish_raw(ctx, "all", &raw_type, bytes, sizes[k], 0, NULL));
        EXPECT_OK(aldis_send_blob_raw(ctx, act->id, &raw_type, blob));
        aldis_blob_unref(blob);
    }
    return ALDIS_OK;
}

/* Sent, published and as a blob, 4 sizes each, to q; published to another, too. */
TEST_VIRTUAL(every_kind_of_payload_can_be_lost_and_doubled)
{
    for (int round = 0; round < 3; round++) {
        aldis_fault_rule rules[] = {
            {.kind = ALDIS_FAULT_LOSS, .chance = round != 1},
            {.kind = ALDIS_FAULT_DUPLICATE, .chance = round != 0},
        };
        fixture_open(f, NULL);
        trace_clear();
        puppet_ref p = fixture_spawn(f, NULL, NULL);
        for (uint32_t i = 0; i < 2; i++) {
            puppet_ref q =
                fixture_spawn(f, &(struct script){.raw = check_raw},
                              &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = i});
            CHECK_OK(aldis_system_subscribe(f->system, q.id, "all"));
            fixture_settle(f);
            inject(f, rules, 2);
            if (i == 1)
                fixture_tell(f, p, send_sizes, (struct act){.id = q.id});
            fixture_settle(f);
        }
        static const uint64_t copies[] = {0, 2, 1}; /* lost; doubled; lost, but for the copy */
        CHECK_UINT(fixture_counts(f, "raw").handled, copies[round] * 16);
        CHECK_UINT(fixture_counts(f, "raw").dropped, (round != 1) * 16);
        CHECK_UINT(trace_count(), copies[round] * 16);
        fixture_close(f);
    }
    fixture_open(f, NULL);
}

/* ------------------------------------------------------------------ the same run again */

enum { NOTED_MAX = 100000, CHATTERS = 32 };
static struct {
    aldis_fault faults[NOTED_MAX];
    size_t count;
} noted;

static void note_fault(void *arg, const aldis_fault *fault)
{
    (void)arg;
    if (noted.count < NOTED_MAX)
        noted.faults[noted.count++] = *fault;
}

/* Many who talk to each other through small mailboxes, so that some messages wait at their
 * senders. */
static aldis_err chat(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    const aldis_id *all = self->script.user;
    uint64_t above = self->script.tag + 1; /* no rings: they would park each other for ever */
    if (above == CHATTERS)
        return ALDIS_OK;
    puppet_ref to = {.id = all[above + aldis_random_below(ctx, CHATTERS - above)]};
    if (aldis_random_below(ctx, 4) == 0)
        (void)aldis_busy(ctx, LOOKAHEAD / 3);
    for (uint64_t i = 0; i < 1 + aldis_random_below(ctx, 3); i++)
        (void)aldis_send(ctx, to, num, value);
    return ALDIS_OK;
}

static const aldis_fault_rule chat_rules[] = {
    {.kind = ALDIS_FAULT_LOSS, .chance = 0.05},  {.kind = ALDIS_FAULT_DUPLICATE, .chance = 0.05},
    {.kind = ALDIS_FAULT_DELAY, .chance = 0.3},  {.kind = ALDIS_FAULT_CUT, .chance = 0.05},
    {.kind = ALDIS_FAULT_PAUSE, .chance = 0.02}, {.kind = ALDIS_FAULT_CRASH, .chance = 0.02}};

static uint64_t chat_print(struct fixture *f, const aldis_fault_plan *plan)
{
    static aldis_id all[CHATTERS];
    fixture_open(f, &(aldis_system_opts){.seed = 5});
    for (uint32_t i = 0; i < CHATTERS; i++)
        all[i] = fixture_spawn(f, &(struct script){.num = chat, .tag = i, .user = all},
                               &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD,
                                                   .shard = i % 8,
                                                   .mailbox = {.capacity_msgs = 4}})
                     .id;
    fixture_settle(f);
    CHECK_OK(aldis_system_inject(f->system, plan));
    noted.count = 0;
    CHECK_OK(aldis_system_on_fault(f->system, note_fault, NULL));
    for (uint32_t i = 0; i < 20 * CHATTERS; i++) {
        puppet_ref to = {.id = all[i % CHATTERS]};
        CHECK_OK(aldis_send_after(f->system, (aldis_ns)i * LOOKAHEAD / 8, to, num, i));
    }
    fixture_settle(f);
    uint64_t print = aldis_system_run_print(f->system);
    fixture_close(f);
    return print;
}

TEST(the_same_plan_gives_the_same_run)
{
    struct fixture f = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1};
    const aldis_fault_plan plan = {.rules = chat_rules, .rule_count = 6};
    uint64_t first = chat_print(&f, &plan);
    size_t count = noted.count;
    CHECK(count > 500);
    for (f.workers = 2; f.workers <= 4; f.workers += 2) {
        CHECK_UINT(chat_print(&f, &plan), first);
        CHECK_UINT(noted.count, count);
    }
    aldis_fault_plan other = {.seed = 6, .rules = chat_rules, .rule_count = 6};
    CHECK(chat_print(&f, &other) != first);
    other.seed = 5; /* the system's */
    CHECK_UINT(chat_print(&f, &other), first);
}

/* What has happened, given as single faults, makes it happen again; with one less it does not. */
TEST(single_faults_repeat_a_run)
{
    struct fixture f = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 2};
    const aldis_fault_plan plan = {.rules = chat_rules, .rule_count = 6};
    static aldis_fault single[NOTED_MAX];
    uint64_t first = chat_print(&f, &plan);
    size_t count = noted.count;
    memcpy(single, noted.faults, count * sizeof *single);
    const aldis_fault_plan again = {.faults = single, .fault_count = count};
    CHECK_UINT(chat_print(&f, &again), first);
    CHECK_UINT(noted.count, count);
    const aldis_fault_plan less = {.faults = single + 1, .fault_count = count - 1};
    CHECK(chat_print(&f, &less) != first);
    CHECK(chat_print(&f, &(aldis_fault_plan){.seed = 1}) != first);
    CHECK_UINT(noted.count, 0);
}

/* ------------------------------------------------------------------ wrong plans */

TEST_VIRTUAL(wrong_plans_are_refused)
{
    static const aldis_fault_rule wrong[] = {
        {.kind = (aldis_fault_kind)ALDIS_FAULT_KIND_COUNT},
        {.kind = ALDIS_FAULT_LOSS, .chance = -0.1},
        {.kind = ALDIS_FAULT_LOSS, .chance = 1.1},
        {.kind = ALDIS_FAULT_LOSS, .chance = (double)NAN},
        {.kind = ALDIS_FAULT_LOSS, .every = 10},
        {.kind = ALDIS_FAULT_CRASH, .every = 10, .chance = 0.5},
        {.kind = ALDIS_FAULT_DELAY, .min_ns = -1},
        {.kind = ALDIS_FAULT_DELAY, .min_ns = 2, .max_ns = 1},
        {.kind = ALDIS_FAULT_DELAY, .begin_ns = 2, .end_ns = 1},
    };
    fixture_open(f, NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        aldis_fault_plan plan = {.rules = &wrong[i], .rule_count = 1};
        CHECK_ERR(aldis_system_inject(f->system, &plan), ALDIS_EINVAL);
    }
    aldis_fault_rule unended = {.chance = 0.5};
    memset(unended.to, 'x', sizeof unended.to);
    aldis_fault fault = {.ns = -1};
    const aldis_fault_plan plans[] = {{.heal_ns = -1},
                                      {.rule_count = 1},
                                      {.fault_count = 1},
                                      {.rules = wrong, .rule_count = 65},
                                      {.rules = &unended, .rule_count = 1},
                                      {.faults = &fault, .fault_count = 1}};
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++)
        CHECK_ERR(aldis_system_inject(f->system, &plans[i]), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_on_fault(f->system, note_fault, NULL), ALDIS_ESTATE);
    CHECK_ERR(aldis_system_inject(NULL, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_fault_counts(f->system, NULL), ALDIS_EINVAL);
    CHECK_OK(aldis_system_inject(f->system, aldis_fault_plan_named("light")));
    CHECK_OK(aldis_system_inject(f->system, aldis_fault_plan_named("heavy")));
    CHECK(aldis_fault_plan_named("none") == NULL);
    CHECK_STR(aldis_fault_kind_name(ALDIS_FAULT_CRASH), "crash");
}

TEST_LIVE(a_live_system_has_no_faults)
{
    fixture_open(f, NULL);
    CHECK_ERR(aldis_system_inject(f->system, NULL), ALDIS_ESTATE);
}
