// SPDX-License-Identifier: Apache-2.0
/* shed_test.c: mailboxes that shed what has waited too long: the rule, and who hears of it. */
#include "fixture.h"

enum { SERVICE_MS = 1 };

/* ------------------------------------------------------------------ a server and its load */

/* Takes 1 ms for each message. In its memory: 0: the longest wait of what it handled. */
static aldis_err serve(struct puppet *self, uint64_t sent_ns, aldis_ctx *ctx)
{
    uint64_t waited_ns = (uint64_t)aldis_now(ctx) - sent_ns;
    if (waited_ns > self->memory[0])
        self->memory[0] = waited_ns;
    return aldis_busy(ctx, SERVICE_MS * ALDIS_MS);
}

static const struct script server = {.name = "server", .num = serve};

static aldis_err look_at_longest(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)ctx;
    EXPECT(self->memory[0] >= act->a);
    EXPECT(self->memory[0] <= act->b);
    return ALDIS_OK;
}

static puppet_ref spawn_server(struct fixture *f, aldis_ns target_ns, aldis_ns interval_ns)
{
    return fixture_spawn(f, &server,
                         &(aldis_spawn_opts){.mailbox = {.capacity_msgs = 100000,
                                                         .policy = ALDIS_REJECT,
                                                         .shed_target_ns = target_ns,
                                                         .shed_interval_ns = interval_ns}});
}

/* a messages at once, then b more, one in each service time: the wait stays what it is then. */
static aldis_err load(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    uint64_t now_ns = (uint64_t)aldis_now(ctx);
    for (uint64_t i = 0; i < act->a + act->b; i++) {
        aldis_ns late_ns = i < act->a ? 0 : (aldis_ns)(i - act->a + 1) * SERVICE_MS * ALDIS_MS;
        uint64_t arrives_ns = now_ns + (uint64_t)(ALDIS_MS + late_ns);
        EXPECT_OK(aldis_ctx_send_opts_raw(ctx, act->id, &num_type, &arrives_ns, sizeof arrives_ns,
                                          &(aldis_send_opts){.delay_ns = ALDIS_MS + late_ns}));
    }
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ options */

TEST(options_are_checked)
{
    static const struct {
        aldis_ns target_ns, interval_ns;
        const char *field;
    } wrong[] = {{999, 0, "shed_target_ns is 999; allowed: 1000 to 3600000000000 ns"},
                 {-1, 0, "shed_target_ns is -1"},
                 {ALDIS_HOUR + 1, 0, "shed_target_ns"},
                 {ALDIS_MS, 999999, "shed_interval_ns is 999999; allowed: 1000000 to"},
                 {ALDIS_MS, 24 * ALDIS_HOUR + 1, "shed_interval_ns"},
                 {0, -1, "shed_interval_ns"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        aldis_system *system = NULL;
        aldis_system_opts opts = {.mailbox = {.shed_target_ns = wrong[i].target_ns,
                                              .shed_interval_ns = wrong[i].interval_ns}};
        CHECK_ERR(aldis_system_create(&opts, &system), ALDIS_EINVAL);
        if (!strstr(aldis_error_last()->text, wrong[i].field))
            test_fail(__FILE__, __LINE__, "%s is not in \"%s\"", wrong[i].field,
                      aldis_error_last()->text);
    }
}

/* The system's target holds for all, but for those that say they have none. */
TEST_VIRTUAL(options_are_inherited)
{
    fixture_open(f, &(aldis_system_opts){.mailbox = {.shed_target_ns = 10 * ALDIS_MS}});
    const aldis_mailbox_opts large = {.capacity_msgs = 1000, .policy = ALDIS_REJECT};
    aldis_mailbox_opts never = large;
    never.shed_target_ns = ALDIS_FOREVER;
    puppet_ref source = fixture_spawn(f, &(struct script){.tag = 1}, NULL);
    puppet_ref sheds = fixture_spawn(f, &server, &(aldis_spawn_opts){.mailbox = large});
    puppet_ref keeps = fixture_spawn(f, &server, &(aldis_spawn_opts){.mailbox = never});
    fixture_tell(f, source, load, (struct act){.id = sheds.id, .a = 500});
    fixture_tell(f, source, load, (struct act){.id = keeps.id, .a = 500});
    fixture_settle(f);
    CHECK_UINT(fixture_status(f, keeps.id).shed_msgs, 0);
    CHECK_UINT(fixture_status(f, keeps.id).handled_msgs, 500);
    /* 100 ms are served (the interval is ten targets), and what is left then is late. */
    CHECK_UINT(fixture_status(f, sheds.id).shed_msgs + fixture_status(f, sheds.id).handled_msgs,
               500);
    CHECK(fixture_status(f, sheds.id).handled_msgs >= 100);
    CHECK(fixture_status(f, sheds.id).handled_msgs <= 110);
}

/* ------------------------------------------------------------------ the rule */

/* Between half the target and the target it sheds at the times of RFC 8289: an interval after the
 * first, then interval / sqrt(count) after the one before. */
static bool note_letter(void *arg, const aldis_dead_letter *letter)
{
    (void)arg;
    trace_add(7, letter->number, letter->at_ns);
    return true;
}

TEST_VIRTUAL(sheds_at_the_times_of_the_control_law)
{
    enum { FIRST = 150, SHED = 8 };
    /* 1000 / sqrt(n) ms, to be exact to the time of one message. */
    static const int64_t gap_us[SHED] = {0,      1000000, 707107, 577350,
                                         500000, 447214,  408248, 377964};
    fixture_open(f, &(aldis_system_opts){.dead_letters_max = 100});
    puppet_ref source = fixture_spawn(f, &(struct script){.tag = 1}, NULL);
    puppet_ref target = spawn_server(f, 200 * ALDIS_MS, ALDIS_SECOND);
    fixture_tell(f, source, load, (struct act){.id = target.id, .a = FIRST, .b = 6000});
    fixture_settle(f);
    CHECK_OK(aldis_system_dead_letters(
        f->system, &(aldis_dead_letter_filter){.reason = ALDIS_ESHED}, note_letter, NULL, NULL));
    CHECK(trace_count() >= SHED);
    int64_t due_us = trace_at(0).at_ns / 1000;
    /* An interval after the wait passed half of the target, when half of it had been served. */
    CHECK(due_us >= 1100000 && due_us <= 1105000);
    for (size_t i = 1; i < SHED; i++) {
        due_us += gap_us[i];
        int64_t found_us = trace_at(i).at_ns / 1000;
        if (found_us < due_us - 1 || found_us > due_us + 1000 * SERVICE_MS)
            test_fail(__FILE__, __LINE__, "message %zu was shed at %lld us, not %lld", i,
                      (long long)found_us, (long long)due_us);
    }
    fixture_tell(f, target, look_at_longest, (struct act){.a = 100000000, .b = 200000000});
    fixture_settle(f);
}

/* A burst that is over within an interval is served whole, whatever it waits. */
TEST_VIRTUAL(a_burst_is_not_shed)
{
    fixture_open(f, NULL);
    puppet_ref source = fixture_spawn(f, &(struct script){.tag = 1}, NULL);
    puppet_ref target = spawn_server(f, 10 * ALDIS_MS, ALDIS_SECOND);
    fixture_tell(f, source, load, (struct act){.id = target.id, .a = 900});
    fixture_settle(f);
    CHECK_UINT(fixture_status(f, target.id).handled_msgs, 900);
    CHECK_UINT(fixture_status(f, target.id).shed_msgs, 0);
    fixture_tell(f, target, look_at_longest, (struct act){.a = 890000000, .b = 910000000});
    fixture_settle(f);
}

/* The last one that waits is handled, whatever it has waited: nothing would be won. */
static aldis_err serve_slowly(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    (void)value;
    return aldis_busy(ctx, ALDIS_SECOND);
}

TEST_VIRTUAL(the_last_one_is_handled)
{
    fixture_open(f, NULL);
    puppet_ref source = fixture_spawn(f, &(struct script){.tag = 1}, NULL);
    puppet_ref target =
        fixture_spawn(f, &(struct script){.num = serve_slowly},
                      &(aldis_spawn_opts){.mailbox = {.shed_target_ns = 10 * ALDIS_MS,
                                                      .shed_interval_ns = 10 * ALDIS_MS}});
    fixture_tell(f, source, load, (struct act){.id = target.id, .a = 50});
    fixture_settle(f);
    /* The first at once; the second begins the interval; the third is late, and so are all others
     * but the last. */
    CHECK_UINT(fixture_status(f, target.id).handled_msgs, 3);
    CHECK_UINT(fixture_status(f, target.id).shed_msgs, 47);
}

/* ------------------------------------------------------------------ lanes, and who is spared */

static aldis_err load_lanes(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    static const aldis_lane lanes[] = {ALDIS_LANE_CRITICAL, ALDIS_LANE_HIGH, ALDIS_LANE_NORMAL,
                                       ALDIS_LANE_LOW};
    (void)self;
    for (uint64_t i = 0; i < act->a; i++)
        for (size_t lane = 0; lane < 4; lane++) {
            uint64_t value = lane << 32;
            EXPECT_OK(aldis_ctx_send_opts_raw(ctx, act->id, &num_type, &value, sizeof value,
                                              &(aldis_send_opts){.lane = lanes[lane]}));
        }
    return ALDIS_OK;
}

static aldis_err serve_lane(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    self->memory[value >> 32]++;
    return aldis_busy(ctx, SERVICE_MS * ALDIS_MS);
}

static aldis_err look_at_lanes(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)ctx;
    EXPECT_UINT(self->memory[0], act->a); /* critical: all */
    EXPECT(self->memory[1] < act->a);     /* high: some were shed */
    EXPECT_UINT(self->memory[1] + self->memory[2] + self->memory[3], act->b);
    return ALDIS_OK;
}

/* 100 of each lane at once, 1 ms each. The critical ones are late, too, and never shed; the high
 * ones come next and shed all that is below them before any of themselves. */
TEST_VIRTUAL(the_lowest_lane_goes_first_and_the_critical_one_never)
{
    fixture_open(f, NULL);
    puppet_ref source = fixture_spawn(f, &(struct script){.tag = 1}, NULL);
    puppet_ref target =
        fixture_spawn(f, &(struct script){.num = serve_lane},
                      &(aldis_spawn_opts){.mailbox = {.shed_target_ns = 20 * ALDIS_MS,
                                                      .shed_interval_ns = 50 * ALDIS_MS}});
    fixture_tell(f, source, load_lanes, (struct act){.id = target.id, .a = 100});
    fixture_settle(f);
    aldis_stats stats;
    CHECK_OK(aldis_system_stats(f->system, &stats));
    uint64_t high = stats.shed[ALDIS_LANE_HIGH], normal = stats.shed[ALDIS_LANE_NORMAL],
             low = stats.shed[ALDIS_LANE_LOW];
    CHECK_UINT(stats.shed[ALDIS_LANE_CRITICAL], 0);
    CHECK_UINT(fixture_counts(f, "num").dropped, high + normal + low);
    aldis_stats_fini(&stats);
    CHECK_UINT(fixture_status(f, target.id).shed_msgs, high + normal + low);
    /* The low lane has had its sixteenth of the turns until then. */
    CHECK(low >= 90 && low < 100);
    CHECK_UINT(normal, 100);
    CHECK(high > 0 && high < 100);
    fixture_tell(f, target, look_at_lanes, (struct act){.a = 100, .b = 300 - high - normal - low});
    fixture_settle(f);
}

/* What an actor sends itself, and its timers, are its own work in progress. */
static aldis_err load_itself(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    uint64_t value = 1;
    for (uint64_t i = 0; i < act->a; i++)
        EXPECT_OK(aldis_ctx_send_opts_raw(ctx, aldis_self(ctx), &num_type, &value, sizeof value,
                                          &(aldis_send_opts){.delay_ns = ALDIS_MS}));
    EXPECT_OK(aldis_timer_every(ctx, 10 * ALDIS_MS, tick, &self->timer));
    return ALDIS_OK;
}

static aldis_err tick_ten(struct puppet *self, aldis_ctx *ctx)
{
    if (++self->memory[3] == 10)
        EXPECT_OK(aldis_timer_cancel(ctx, self->timer));
    return ALDIS_OK;
}

TEST_VIRTUAL(its_own_messages_are_spared)
{
    fixture_open(f, NULL);
    puppet_ref target =
        fixture_spawn(f, &(struct script){.num = serve_slowly, .tick = tick_ten},
                      &(aldis_spawn_opts){.mailbox = {.shed_target_ns = 10 * ALDIS_MS,
                                                      .shed_interval_ns = 10 * ALDIS_MS}});
    fixture_tell(f, target, load_itself, (struct act){.a = 20});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").handled, 20);
    CHECK_UINT(fixture_status(f, target.id).shed_msgs, 0);
}

/* What is taken from the stash has not waited for its turn. */
static aldis_err stash_first(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)value;
    if (self->memory[0] == 0)
        return aldis_stash(ctx);
    return aldis_busy(ctx, SERVICE_MS * ALDIS_MS);
}

static aldis_err take_back(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)act;
    self->memory[0] = 1;
    return aldis_unstash_all(ctx);
}

TEST_VIRTUAL(the_stash_is_no_queue)
{
    fixture_open(f, NULL);
    puppet_ref source = fixture_spawn(f, &(struct script){.tag = 1}, NULL);
    puppet_ref target =
        fixture_spawn(f, &(struct script){.num = stash_first},
                      &(aldis_spawn_opts){.mailbox = {.shed_target_ns = 100 * ALDIS_MS,
                                                      .shed_interval_ns = 100 * ALDIS_MS}});
    fixture_tell(f, source, load, (struct act){.id = target.id, .a = 40});
    fixture_settle(f);
    CHECK_OK(aldis_system_run(f->system, 10 * ALDIS_SECOND, NULL));
    fixture_tell(f, target, take_back, (struct act){0});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").handled, 40);
    CHECK_UINT(fixture_status(f, target.id).shed_msgs, 0);
}

/* ------------------------------------------------------------------ who hears of it */

static void count_undelivered(struct puppet *self, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    (void)ctx;
    EXPECT_UINT(notice->reason, ALDIS_ESHED);
    self->memory[1] += notice->count;
}

static aldis_err look_at_undelivered(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)ctx;
    EXPECT_UINT(self->memory[1], act->a);
    return ALDIS_OK;
}

TEST_VIRTUAL(the_sender_is_told_and_the_letters_are_listed)
{
    fixture_open(f, &(aldis_system_opts){.dead_letters_max = 40});
    puppet_ref source = fixture_spawn(f, &(struct script){.undelivered = count_undelivered}, NULL);
    puppet_ref target = spawn_server(f, 10 * ALDIS_MS, 10 * ALDIS_MS);
    puppet_ref ended = fixture_spawn(f, &(struct script){.tag = 2}, NULL);
    /* Three that died, before the overload. */
    puppet_ref other = fixture_spawn(f, &(struct script){.tag = 3}, NULL);
    fixture_tell(f, other, load, (struct act){.id = ended.id, .a = 3});
    CHECK_OK(aldis_stop(f->system, ended.id));
    fixture_settle(f);
    uint64_t dead = fixture_counts(f, "num").dead;
    fixture_tell(f, source, load, (struct act){.id = target.id, .a = 500});
    fixture_settle(f);
    uint64_t shed = fixture_status(f, target.id).shed_msgs;
    CHECK(shed > 400);
    fixture_tell(f, source, look_at_undelivered, (struct act){.a = shed});
    aldis_dead_letter_counts counts;
    CHECK_OK(aldis_system_dead_letters(
        f->system, &(aldis_dead_letter_filter){.reason = ALDIS_ESHED}, note_letter, NULL, &counts));
    CHECK_UINT(trace_count_of(7), 10); /* a quarter of the 40 */
    CHECK_UINT(counts.seen, shed + dead);
    CHECK_UINT(counts.kept, 10 + dead); /* the overload has not pushed them out */
    CHECK_UINT(counts.overwritten, shed - 10);
    fixture_settle(f);
}

ALDIS_MESSAGE(question, uint64_t);
ALDIS_MESSAGE(reply, uint64_t);
ALDIS_REQUEST(question, reply);
#define ORACLE_PROTOCOL(X, kind) X(kind, question)
ALDIS_PROTOCOL(oracle, ORACLE_PROTOCOL);
struct oracle {
    uint64_t asked;
};

static aldis_err oracle_on_question(struct oracle *self, const uint64_t *value, aldis_ctx *ctx)
{
    self->asked++;
    EXPECT_OK(aldis_busy(ctx, SERVICE_MS * ALDIS_MS));
    return aldis_reply(ctx, reply, *value);
}
ALDIS_BEHAVIOUR(oracle, struct oracle, ORACLE_PROTOCOL);

static aldis_err answered(struct puppet *self, const aldis_answer *answer, const uint64_t *value,
                          aldis_ctx *ctx)
{
    (void)ctx;
    (void)value;
    self->memory[answer->err != ALDIS_OK]++;
    if (answer->err != ALDIS_OK)
        EXPECT_UINT(answer->err, ALDIS_ESHED);
    return ALDIS_OK;
}
ALDIS_ON_REPLY(answered, struct puppet, question);

static aldis_err ask_many(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    oracle_ref oracle = {.id = act->id};
    for (uint64_t i = 0; i < act->a; i++)
        EXPECT_OK(aldis_ask(ctx, oracle, question, answered,
                            aldis_ask_with(.timeout_ns = ALDIS_FOREVER), i));
    return ALDIS_OK;
}

static aldis_err look_at_answers(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)ctx;
    EXPECT_UINT(self->memory[0], act->a);
    EXPECT_UINT(self->memory[1], act->b);
    return ALDIS_OK;
}

/* Its asks are answered all the same, with the reason; the permits of its sender come back. */
TEST_VIRTUAL(who_asked_gets_an_answer)
{
    fixture_open(f, NULL);
    oracle_ref oracle;
    CHECK_OK(aldis_spawn(f->system, oracle, &oracle,
                         &(aldis_spawn_opts){.mailbox = {.shed_target_ns = 10 * ALDIS_MS,
                                                         .shed_interval_ns = 10 * ALDIS_MS}}));
    puppet_ref asker = fixture_spawn(f, &(struct script){.tag = 1}, NULL);
    fixture_tell(f, asker, ask_many, (struct act){.id = oracle.id, .a = 200});
    fixture_settle(f);
    uint64_t shed = fixture_status(f, oracle.id).shed_msgs;
    CHECK(shed > 100);
    fixture_tell(f, asker, look_at_answers, (struct act){.a = 200 - shed, .b = shed});
    fixture_settle(f);
}

static aldis_err send_with_permits(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    aldis_flow *flow;
    uint64_t value = 0;
    EXPECT_OK(aldis_flow_create(ctx, &(aldis_flow_opts){.concurrent_max = 1000}, &flow));
    self->pointer = flow;
    for (uint64_t i = 0; i < act->a; i++)
        EXPECT_OK(
            aldis_flow_try_send_raw(ctx, flow, act->id, &num_type, &value, sizeof value, NULL));
    return ALDIS_OK;
}

static aldis_err look_at_permits(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)act;
    aldis_flow_stats stats;
    aldis_flow_get_stats(ctx, self->pointer, &stats);
    EXPECT_UINT(stats.in_flight, 0);
    EXPECT_UINT(stats.available, 1000);
    return ALDIS_OK;
}

TEST_VIRTUAL(permits_come_back)
{
    fixture_open(f, NULL);
    puppet_ref source = fixture_spawn(f, &(struct script){.tag = 1}, NULL);
    puppet_ref target = spawn_server(f, 10 * ALDIS_MS, 10 * ALDIS_MS);
    fixture_tell(f, source, send_with_permits, (struct act){.id = target.id, .a = 500});
    fixture_settle(f);
    CHECK(fixture_status(f, target.id).shed_msgs > 400);
    fixture_tell(f, source, look_at_permits, (struct act){0});
    fixture_settle(f);
}

/* A reliable send is tried again, and arrives when there is room in time. */
#define SENDER_PROTOCOL(X, kind) X(kind, num) X(kind, aldis_delivered)
ALDIS_PROTOCOL(sender, SENDER_PROTOCOL);
struct sender {
    aldis_id to;
    uint64_t confirmed, attempts;
};

static aldis_err sender_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct sender *self = state;
    (void)ctx;
    self->to = *(const aldis_id *)arg;
    return ALDIS_OK;
}

static aldis_err sender_on_num(struct sender *self, const num_payload *count, aldis_ctx *ctx)
{
    const aldis_reliable_opts opts = {.max_attempts = 20};
    aldis_message_id id;
    for (uint64_t i = 0; i < *count; i++)
        EXPECT_OK(aldis_send_reliable_raw(ctx, self->to, &num_type, &i, sizeof i, &opts, &id));
    return ALDIS_OK;
}

static aldis_err sender_on_aldis_delivered(struct sender *self, const aldis_delivered *told,
                                           aldis_ctx *ctx)
{
    (void)ctx;
    EXPECT_UINT(told->result, ALDIS_OK);
    self->attempts += told->attempts;
    trace_add(++self->confirmed, self->attempts, 0);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(sender, struct sender, SENDER_PROTOCOL, .on_start = sender_start);

static aldis_err serve_shortly(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    (void)value;
    return aldis_busy(ctx, SERVICE_MS * ALDIS_MS);
}

TEST_VIRTUAL(reliable_sends_are_tried_again)
{
    enum { COUNT = 200 };
    const uint64_t count = COUNT;
    sender_ref sender;
    fixture_open(f, NULL);
    puppet_ref target =
        fixture_spawn(f, &(struct script){.num = serve_shortly},
                      &(aldis_spawn_opts){.mailbox = {.shed_target_ns = 10 * ALDIS_MS,
                                                      .shed_interval_ns = 10 * ALDIS_MS}});
    CHECK_OK(aldis_spawn(f->system, sender, &sender,
                         &(aldis_spawn_opts){.arg = &target.id, .arg_size = sizeof target.id}));
    CHECK_OK(aldis_send_copy(f->system, sender, num, &count));
    fixture_settle(f);
    uint64_t shed = fixture_status(f, target.id).shed_msgs;
    CHECK(shed > 100);
    size_t last = trace_find(COUNT, COUNT + shed);
    CHECK(last < TRACE_MAX); /* all confirmed, and each that was shed was sent once more */
}

/* ------------------------------------------------------------------ live */

/* Takes 3 ms of the machine's time. */
static aldis_err spin(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    (void)value;
    aldis_system *system = aldis_system_of(ctx);
    for (aldis_ns until_ns = aldis_system_now(system) + 3 * ALDIS_MS;
         aldis_system_now(system) < until_ns;)
        ;
    return ALDIS_OK;
}

static aldis_err send_now(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    uint64_t value = 0;
    for (uint64_t i = 0; i < act->a; i++)
        EXPECT_OK(aldis_ctx_send_raw(ctx, act->id, &num_type, &value, sizeof value));
    return ALDIS_OK;
}

/* All 30 wait at once: the third to be looked at has been over the target for an interval, however
 * slow the machine. Nothing that waits longer than that is left but the last. */
TEST_LIVE(live_it_sheds_by_the_clock)
{
    fixture_open(f, NULL);
    puppet_ref target =
        fixture_spawn(f, &(struct script){.num = spin},
                      &(aldis_spawn_opts){.mailbox = {.shed_target_ns = 2 * ALDIS_MS,
                                                      .shed_interval_ns = 2 * ALDIS_MS}});
    puppet_ref source = fixture_spawn(f, &(struct script){.tag = 1}, NULL);
    fixture_tell(f, source, send_now, (struct act){.id = target.id, .a = 30});
    fixture_settle(f);
    aldis_status status = fixture_status(f, target.id);
    CHECK_UINT(status.shed_msgs + status.handled_msgs, 30);
    CHECK(status.handled_msgs >= 2 && status.shed_msgs >= 1);
    CHECK_UINT(fixture_counts(f, "num").dropped, status.shed_msgs);
}

/* One that keeps up sheds nothing. */
TEST_LIVE(live_without_overload_nothing_is_shed)
{
    fixture_open(f, NULL);
    puppet_ref target = fixture_spawn(
        f, &(struct script){.tag = 3},
        &(aldis_spawn_opts){.mailbox = {.shed_target_ns = ALDIS_HOUR, .capacity_msgs = 64}});
    puppet_ref source = fixture_spawn(f, &(struct script){.tag = 1}, NULL);
    fixture_tell(f, source, send_now, (struct act){.id = target.id, .a = 1000});
    fixture_settle(f);
    CHECK_UINT(fixture_status(f, target.id).handled_msgs, 1000);
    CHECK_UINT(fixture_status(f, target.id).shed_msgs, 0);
}
