// SPDX-License-Identifier: Apache-2.0
/* watch_test.c: windows and handled messages, as those see them who look on. */
#include "fixture.h"

#include <pthread.h>
#include <stdlib.h>

enum { PUPPETS = 40, HOPS = 30, WINDOWS_MAX = 4096, HANDLED_MAX = 1 << 15 };

/* ---- A run in which everybody passes numbers on, by chance ---- */

static puppet_ref puppets[PUPPETS];

static aldis_err pass_on(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    if (value == 0)
        return ALDIS_OK;
    puppet_ref to = puppets[aldis_random_below(ctx, PUPPETS)];
    aldis_ns delay_ns = ALDIS_MS + (aldis_ns)aldis_random_below(ctx, 40) * 100 * ALDIS_US;
    EXPECT_OK(aldis_send_after(ctx, delay_ns, to, num, value - 1));
    return ALDIS_OK;
}

static aldis_system *open_system(uint32_t workers, uint64_t seed)
{
    static const struct script script = {.num = pass_on};
    aldis_system *system;
    aldis_system_opts opts = {
        .clock = ALDIS_CLOCK_VIRTUAL, .workers = workers, .shards = 8, .seed = seed};
    CHECK_OK(aldis_system_create(&opts, &system));
    for (uint32_t i = 0; i < PUPPETS; i++) {
        aldis_spawn_opts spawn = {
            .arg = &script, .arg_size = sizeof script, .placement = ALDIS_PLACE_ANYWHERE};
        CHECK_OK(aldis_spawn(system, puppet, &puppets[i], &spawn));
        CHECK_OK(aldis_send(system, puppets[i], num, HOPS));
    }
    return system;
}

static void close_system(aldis_system *system)
{
    CHECK_OK(aldis_system_audit(system, NULL));
    aldis_system_destroy(system);
}

/* ---- Notes ---- */

struct notes {
    aldis_window windows[WINDOWS_MAX];
    size_t window_count;
    aldis_handled handled[HANDLED_MAX];
    size_t handled_count;
    aldis_system *system;
    uint64_t halt_after; /* windows; 0: never */
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of handled */

static void note_window(void *arg, const aldis_window *window)
{
    struct notes *notes = arg;
    if (notes->window_count < WINDOWS_MAX)
        notes->windows[notes->window_count++] = *window;
    if (notes->window_count == notes->halt_after)
        aldis_system_halt(notes->system);
}

static void note_handled(void *arg, const aldis_handled *handled)
{
    struct notes *notes = arg;
    pthread_mutex_lock(&lock);
    if (notes->handled_count < HANDLED_MAX)
        notes->handled[notes->handled_count++] = *handled;
    pthread_mutex_unlock(&lock);
}

static void watched_run(struct notes *notes, uint32_t workers, uint64_t seed, uint64_t halt_after)
{
    aldis_system *system = open_system(workers, seed);
    *notes = (struct notes){.system = system, .halt_after = halt_after};
    CHECK_OK(aldis_system_on_window(system, note_window, notes));
    CHECK_OK(aldis_system_on_handled(system, note_handled, notes));
    aldis_run_end end;
    CHECK_OK(aldis_system_run(system, ALDIS_FOREVER, &end));
    CHECK_INT(end, halt_after ? ALDIS_RUN_HALTED : ALDIS_RUN_IDLE);
    CHECK_UINT(notes->windows[notes->window_count - 1].print, aldis_system_run_print(system));
    CHECK_UINT(notes->window_count, aldis_system_windows(system));
    close_system(system);
}

static struct notes one, other;

TEST(windows_follow_each_other_and_end_in_the_run_print)
{
    watched_run(&one, 2, 1, 0);
    CHECK(one.window_count > 20 && one.window_count < WINDOWS_MAX);
    uint64_t events = 0;
    for (size_t i = 0; i < one.window_count; i++) {
        const aldis_window *window = &one.windows[i];
        CHECK_UINT(window->index, i);
        CHECK_INT(window->end_ns - window->start_ns, ALDIS_MS);
        CHECK(i == 0 || window->start_ns >= one.windows[i - 1].end_ns);
        CHECK(i == 0 || window->print != one.windows[i - 1].print);
        events += window->events;
    }
    /* Every number, and for each actor the message that starts it. */
    CHECK_UINT(events, PUPPETS * (HOPS + 1) + PUPPETS);
}

TEST(windows_are_the_same_on_any_number_of_workers)
{
    watched_run(&one, 1, 1, 0);
    for (uint32_t workers = 2; workers <= 4; workers++) {
        watched_run(&other, workers, 1, 0);
        CHECK_UINT(other.window_count, one.window_count);
        for (size_t i = 0; i < one.window_count; i++) {
            CHECK_INT(other.windows[i].start_ns, one.windows[i].start_ns);
            CHECK_INT(other.windows[i].end_ns, one.windows[i].end_ns);
            CHECK_UINT(other.windows[i].events, one.windows[i].events);
            CHECK_UINT(other.windows[i].print, one.windows[i].print);
        }
    }
    watched_run(&other, 1, 2, 0);
    CHECK(other.windows[1].print != one.windows[1].print);
}

static int by_digest(const void *a, const void *b)
{
    const aldis_handled *x = a, *y = b;
    return x->digest < y->digest ? -1 : x->digest > y->digest;
}

TEST(every_handled_message_is_told_once)
{
    watched_run(&one, 1, 1, 0);
    CHECK_UINT(one.handled_count, PUPPETS * (HOPS + 1));
    for (size_t i = 0; i < one.handled_count; i++) {
        const aldis_handled *handled = &one.handled[i];
        CHECK(handled->window < one.window_count);
        const aldis_window *window = &one.windows[handled->window];
        CHECK(handled->at_ns >= window->start_ns && handled->at_ns < window->end_ns);
        CHECK(i == 0 || handled->window >= one.handled[i - 1].window);
        CHECK_STR(handled->type_name, "num");
        CHECK_STR(handled->kind_name, "puppet");
        CHECK_UINT(handled->size, sizeof(num_payload));
        CHECK(!aldis_id_is_nobody(handled->receiver));
    }
    watched_run(&other, 4, 1, 0);
    CHECK_UINT(other.handled_count, one.handled_count);
    qsort(one.handled, one.handled_count, sizeof one.handled[0], by_digest);
    qsort(other.handled, other.handled_count, sizeof other.handled[0], by_digest);
    for (size_t i = 0; i < one.handled_count; i++)
        CHECK_UINT(other.handled[i].digest, one.handled[i].digest);
}

TEST(one_worker_tells_the_messages_in_the_same_order_twice)
{
    watched_run(&one, 1, 3, 0);
    watched_run(&other, 1, 3, 0);
    CHECK_UINT(other.handled_count, one.handled_count);
    for (size_t i = 0; i < one.handled_count; i++)
        CHECK_UINT(other.handled[i].digest, one.handled[i].digest);
}

TEST(a_watcher_can_end_the_run_after_a_window)
{
    watched_run(&one, 2, 1, 0);
    watched_run(&other, 2, 1, 7);
    CHECK_UINT(other.window_count, 7);
    CHECK_UINT(other.windows[6].print, one.windows[6].print);
}

TEST(looking_on_changes_nothing)
{
    watched_run(&one, 1, 5, 0);
    aldis_system *system = open_system(1, 5);
    CHECK_OK(aldis_system_run(system, ALDIS_FOREVER, NULL));
    CHECK_UINT(aldis_system_run_print(system), one.windows[one.window_count - 1].print);
    close_system(system);
}

TEST(a_watcher_can_leave)
{
    aldis_system *system = open_system(1, 1);
    one = (struct notes){.system = system};
    CHECK_OK(aldis_system_on_window(system, note_window, &one));
    CHECK_OK(aldis_system_on_handled(system, note_handled, &one));
    CHECK_OK(aldis_system_run(system, 5 * ALDIS_MS, NULL));
    size_t windows = one.window_count, handled = one.handled_count;
    CHECK(windows > 0 && handled > 0);
    CHECK_OK(aldis_system_on_window(system, NULL, NULL));
    CHECK_OK(aldis_system_on_handled(system, NULL, NULL));
    CHECK_OK(aldis_system_run(system, ALDIS_FOREVER, NULL));
    CHECK_UINT(one.window_count, windows);
    CHECK_UINT(one.handled_count, handled);
    close_system(system);
}

static aldis_err watch_from_inside(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    EXPECT_ERR(aldis_system_on_window(aldis_system_of(ctx), note_window, &one), ALDIS_ESTATE);
    EXPECT_ERR(aldis_system_on_handled(aldis_system_of(ctx), note_handled, &one), ALDIS_ESTATE);
    return ALDIS_OK;
}

TEST_VIRTUAL(a_handler_is_refused)
{
    fixture_open(f, NULL);
    puppet_ref puppet = fixture_spawn(f, &(struct script){0}, NULL);
    fixture_tell(f, puppet, watch_from_inside, (struct act){0});
    fixture_settle(f);
}

TEST_LIVE(a_live_system_is_refused)
{
    fixture_open(f, NULL);
    CHECK_ERR(aldis_system_on_window(f->system, note_window, &one), ALDIS_ESTATE);
    CHECK_ERR(aldis_system_on_handled(f->system, note_handled, &one), ALDIS_ESTATE);
}

TEST(no_system_is_refused)
{
    CHECK_ERR(aldis_system_on_window(NULL, note_window, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_on_handled(NULL, note_handled, NULL), ALDIS_EINVAL);
}

/* ---- Inputs ---- */

static aldis_input inputs[8];
static size_t input_count;
static uint64_t input_value;

static void note_input(void *arg, const aldis_input *input)
{
    (void)arg;
    if (input_count < 8)
        inputs[input_count++] = *input;
    if (input->kind == ALDIS_INPUT_MESSAGE)
        memcpy(&input_value, input->payload, sizeof input_value);
}

TEST_VIRTUAL(inputs_are_told_with_their_stamp)
{
    fixture_open(f, NULL);
    puppet_ref puppet = fixture_spawn(f, &(struct script){0}, NULL);
    CHECK_OK(aldis_system_run(f->system, 5 * ALDIS_MS + 1, NULL));
    uint64_t windows = aldis_system_windows(f->system);
    input_count = 0;
    CHECK_OK(aldis_system_on_input(f->system, note_input, NULL));
    aldis_send_opts opts = {.delay_ns = 3, .lane = ALDIS_LANE_LOW};
    uint64_t value = 42;
    CHECK_OK(
        aldis_system_send_opts_raw(f->system, puppet.id, &num_type, &value, sizeof value, &opts));
    CHECK_OK(aldis_drain(f->system, puppet.id, 77));
    fixture_spawn(f, &(struct script){0}, NULL);
    aldis_id nobody = aldis_nobody();
    CHECK_ERR(aldis_stop(f->system, nobody), ALDIS_ENOTFOUND); /* what is refused is no input */
    CHECK_OK(aldis_system_on_input(f->system, NULL, NULL));
    CHECK_OK(aldis_send(f->system, puppet, num, 1));
    CHECK_UINT(input_count, 3);
    CHECK_INT(inputs[0].kind, ALDIS_INPUT_MESSAGE);
    CHECK_INT(inputs[0].now_ns, aldis_system_now(f->system));
    CHECK_INT(inputs[0].at_ns, inputs[0].now_ns + 3);
    CHECK_UINT(inputs[0].window, windows);
    CHECK_UINT(inputs[0].to.bits, puppet.id.bits);
    CHECK_STR(inputs[0].type_name, "num");
    CHECK_UINT(inputs[0].type_size, sizeof value);
    CHECK_UINT(inputs[0].size, sizeof value);
    CHECK_INT(inputs[0].lane, ALDIS_LANE_LOW);
    CHECK_UINT(input_value, 42);
    CHECK_INT(inputs[1].kind, ALDIS_INPUT_COMMAND);
    CHECK_INT(inputs[1].command, ALDIS_CMD_DRAIN);
    CHECK_INT(inputs[1].deadline_ns, 77);
    CHECK(inputs[1].sequence > inputs[0].sequence);
    CHECK_INT(inputs[2].kind, ALDIS_INPUT_SPAWN);
    fixture_settle(f);
}

static aldis_err input_from_inside(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    EXPECT_ERR(aldis_system_input(aldis_system_of(ctx), &inputs[0]), ALDIS_ESTATE);
    EXPECT_ERR(aldis_system_on_input(aldis_system_of(ctx), note_input, NULL), ALDIS_ESTATE);
    return ALDIS_OK;
}

TEST_VIRTUAL(an_input_arrives_when_it_says)
{
    fixture_open(f, NULL);
    puppet_ref puppet = fixture_spawn(f, &(struct script){0}, NULL);
    uint64_t value = 42;
    aldis_input input = {.at_ns = 7 * ALDIS_MS + 7,
                         .sequence = 1000,
                         .to = puppet.id,
                         .type_name = "num",
                         .type_size = sizeof value,
                         .payload = &value,
                         .size = sizeof value};
    CHECK_OK(aldis_system_input(f->system, &input));
    CHECK_OK(aldis_system_run(f->system, 7 * ALDIS_MS + 7, NULL));
    CHECK_UINT(fixture_counts(f, "num").handled, 0);
    CHECK_OK(aldis_system_run(f->system, 7 * ALDIS_MS + 8, NULL));
    CHECK_UINT(fixture_counts(f, "num").handled, 1);
    CHECK_ERR(aldis_system_input(f->system, &input), ALDIS_ESTATE); /* its time is over */
    input.at_ns = ALDIS_SECOND;
    input.type_size = 4;
    input.size = 4;
    CHECK_ERR(aldis_system_input(f->system, &input), ALDIS_EINVAL); /* not this type's size */
    input.kind = ALDIS_INPUT_SPAWN;
    CHECK_ERR(aldis_system_input(f->system, &input), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_input(f->system, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_input(NULL, &input), ALDIS_EINVAL);
    fixture_tell(f, puppet, input_from_inside, (struct act){0});
    fixture_settle(f);
}
