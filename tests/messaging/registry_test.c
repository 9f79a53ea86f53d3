// SPDX-License-Identifier: Apache-2.0
/* registry_test.c: the tables of the router by themselves: order, holes, bounds, and what happens
 * when memory runs out at any of their allocations. */
#include "harness.h"

#include "base/philox.h"
#include "messaging/snapshot.h"
#include <stdlib.h>

/* ------------------------------------------------------------------ a malloc that fails */

/* The n-th allocation from now on fails, and all after it; 0: none does. */
static uint64_t fail_at, allocations;

static bool fails(void)
{
    return ++allocations >= fail_at && fail_at;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return fails() ? NULL : __real_realloc(p, size);
}

/* ------------------------------------------------------------------ helpers */

static struct aldis__registry registry;
static bool first;

static struct aldis__key key_of(const char *text)
{
    struct aldis__key key;
    CHECK_OK(aldis__key_pattern("test", text, &key));
    return key;
}

static aldis_err subscribe(uint64_t actor, const char *topic)
{
    struct aldis__key key = key_of(topic);
    return aldis__registry_subscribe(&registry, (aldis_id){actor}, &key, NULL, &first);
}

static aldis_err subscribe_in(uint64_t actor, const char *pattern, const char *group)
{
    struct aldis__key key = key_of(pattern);
    const struct aldis__terms terms = {.group = key_of(group)};
    return aldis__registry_subscribe(&registry, (aldis_id){actor}, &key, &terms, &first);
}

static void unsubscribe(uint64_t actor, const char *topic)
{
    struct aldis__key key = key_of(topic);
    aldis__registry_unsubscribe(&registry, (aldis_id){actor}, &key);
}

static aldis_err name(uint64_t actor, const char *text)
{
    struct aldis__key key = key_of(text);
    return aldis__registry_register(&registry, (aldis_id){actor}, &key, &first);
}

static uint64_t holder(const char *text)
{
    struct aldis__key key = key_of(text);
    return aldis__registry_lookup(&registry, &key).bits;
}

/* The subscribers of a topic, in order; the invariants of registry.h on the way. */
static size_t members(const char *text, uint64_t *out, size_t max)
{
    struct aldis__key key = key_of(text);
    const struct aldis__topic *topic = aldis__registry_topic(&registry, &key);
    size_t count = 0;
    for (size_t i = 0; topic && i < topic->length; i++) {
        const struct aldis__topic_entry *entry = &topic->entries[i];
        if (aldis_id_is_nobody(entry->actor))
            continue;
        CHECK_UINT(entry->subscription->index, i);
        CHECK_UINT(entry->subscription->actor->id.bits, entry->actor.bits);
        if (count < max)
            out[count] = entry->actor.bits;
        count++;
    }
    if (topic) {
        CHECK_UINT(topic->live, count);
        CHECK(topic->length <= topic->capacity);
        CHECK(topic->length - topic->live <= topic->live + 33);
    }
    return count;
}

static void check_empty(void)
{
    CHECK_UINT(registry.actors.count, 0);
    CHECK_UINT(registry.topics.count, 0);
    CHECK_UINT(registry.subscriptions.count, 0);
    CHECK_UINT(registry.names.count, 0);
    CHECK_UINT(registry.groups.count, 0);
    CHECK_UINT(registry.patterns.nodes.count, 0);
    CHECK_UINT(registry.watched.nodes.count, 0);
}

/* ------------------------------------------------------------------ order and ends */

TEST(nothing_is_left_when_all_have_ended)
{
    aldis__registry_init(&registry);
    for (uint64_t actor = 1; actor <= 100; actor++) {
        char text[16];
        CHECK_OK(subscribe(actor, "a"));
        CHECK(first);
        CHECK_OK(subscribe(actor, "b"));
        CHECK(!first);
        snprintf(text, sizeof text, "n%d", (int)actor);
        CHECK_OK(name(actor, text));
    }
    CHECK_UINT(members("a", NULL, 0), 100);
    for (uint64_t actor = 100; actor >= 1; actor--)
        aldis__registry_forget(&registry, (aldis_id){actor});
    aldis__registry_forget(&registry, (aldis_id){1});
    check_empty();
    aldis__registry_fini(&registry);
}

TEST(an_actor_without_anything_is_met_for_the_first_time_again)
{
    aldis__registry_init(&registry);
    CHECK_OK(subscribe(1, "a"));
    CHECK(first);
    CHECK_OK(subscribe(1, "a"));
    CHECK(!first);
    unsubscribe(1, "a");
    check_empty();
    CHECK_OK(name(1, "a"));
    CHECK(first);
    struct aldis__key key = key_of("a");
    CHECK(aldis__registry_unregister(&registry, &key));
    CHECK(!aldis__registry_unregister(&registry, &key));
    check_empty();
    aldis__registry_fini(&registry);
}

/* Against a plain list, for many random changes: the order of subscription is kept. */
TEST(order_is_that_of_subscription_whatever_comes_and_goes)
{
    enum { ACTORS = 200, STEPS = 20000 };
    uint64_t list[ACTORS], found[ACTORS];
    size_t count = 0;
    aldis__registry_init(&registry);
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t counter[4] = {step}, seed[2] = {7}, draw[4];
        aldis__philox(counter, seed, draw);
        uint64_t actor = 1 + draw[0] % ACTORS;
        size_t at = 0;
        while (at < count && list[at] != actor)
            at++;
        /* Long phases of growing and of shrinking, so that the holes are closed up at times. */
        bool grow = draw[1] % 8 < (step / 1000 % 2 ? 2u : 6u);
        if (grow) {
            CHECK_OK(subscribe(actor, "t"));
            if (at == count)
                list[count++] = actor;
        } else if (at < count) {
            if (draw[2] % 2)
                unsubscribe(actor, "t");
            else
                aldis__registry_forget(&registry, (aldis_id){actor});
            memmove(list + at, list + at + 1, (count - at - 1) * sizeof *list);
            count--;
        }
        if (step % 97 == 0) {
            CHECK_UINT(members("t", found, ACTORS), count);
            CHECK(memcmp(list, found, count * sizeof *list) == 0);
        }
    }
    aldis__registry_fini(&registry);
}

TEST(a_hundred_thousand_come_and_go)
{
    enum { MANY = 100000 };
    aldis__registry_init(&registry);
    for (uint64_t actor = 1; actor <= MANY; actor++)
        CHECK_OK(subscribe(actor, "t"));
    CHECK_UINT(members("t", NULL, 0), MANY);
    /* From the front, which would be the dearest to close up each time. */
    for (uint64_t actor = 1; actor < MANY; actor++)
        aldis__registry_forget(&registry, (aldis_id){actor});
    uint64_t last;
    CHECK_UINT(members("t", &last, 1), 1);
    CHECK_UINT(last, MANY);
    aldis__registry_fini(&registry);
}

/* ------------------------------------------------------------------ bounds */

TEST(the_bounds_hold)
{
    aldis__registry_init(&registry);
    registry.names_max = 2;
    registry.subscriptions_max = 2;
    CHECK_OK(name(1, "a"));
    CHECK_OK(name(1, "b"));
    CHECK_ERR(name(2, "c"), ALDIS_EFULL);
    CHECK_OK(subscribe(1, "a"));
    CHECK_OK(subscribe(2, "a"));
    CHECK_ERR(subscribe(3, "b"), ALDIS_EFULL);
    CHECK_UINT(registry.topics.count, 1);
    CHECK_UINT(registry.actors.count, 2);
    aldis__registry_fini(&registry);
}

/* ------------------------------------------------------------------ snapshots */

TEST(a_snapshot_is_current_until_somebody_comes_or_leaves)
{
    struct aldis__view view = {0};
    aldis__registry_init(&registry);
    struct aldis__key key = key_of("t");
    CHECK(aldis__snapshot_find(&view, &key) == NULL);
    struct aldis__snapshot *snapshot = aldis__snapshot_make(&view, &registry, &key);
    CHECK(snapshot != NULL);
    CHECK(!aldis__snapshot_is_current(snapshot));
    CHECK(aldis__snapshot_refresh(snapshot, &registry));
    CHECK(aldis__snapshot_is_current(snapshot));
    CHECK_UINT(snapshot->list.count, 0);
    CHECK_OK(subscribe(1, "t"));
    CHECK(!aldis__snapshot_is_current(snapshot));
    CHECK_OK(subscribe(2, "t"));
    CHECK(aldis__snapshot_refresh(snapshot, &registry));
    CHECK_UINT(snapshot->list.count, 2);
    CHECK_OK(subscribe(2, "t")); /* the second is one: nothing moves */
    CHECK(aldis__snapshot_is_current(snapshot));
    unsubscribe(1, "t");
    CHECK(!aldis__snapshot_is_current(snapshot));
    CHECK(aldis__snapshot_refresh(snapshot, &registry));
    CHECK_UINT(snapshot->list.count, 1);
    CHECK_UINT(snapshot->list.ids[0].bits, 2);
    /* An end moves nothing: the directory tells. */
    aldis__registry_forget(&registry, (aldis_id){2});
    CHECK(aldis__snapshot_is_current(snapshot));
    CHECK(aldis__snapshot_find(&view, &key) == snapshot);
    CHECK_UINT(registry.topics.count, 1); /* watched */
    aldis__view_fini(&view, &registry);
    check_empty();
    aldis__registry_fini(&registry);
}

/* Topics that are published to once and never again, each another one: the view does not keep
 * them. */
TEST(a_view_is_bounded)
{
    enum { TOPICS = 200000, BOUND = 40000 };
    struct aldis__view view = {0};
    size_t most = 0;
    aldis__registry_init(&registry);
    for (int i = 0; i < TOPICS; i++) {
        char text[16];
        snprintf(text, sizeof text, "t%d", i);
        struct aldis__key key = key_of(text);
        CHECK(aldis__snapshot_make(&view, &registry, &key) != NULL);
        if (view.count > most)
            most = view.count;
    }
    CHECK(most < BOUND);
    CHECK_UINT(registry.topics.count, view.count);
    aldis__view_fini(&view, &registry);
    check_empty();
    aldis__registry_fini(&registry);
}

/* What is in use stays when a view lets go of the rest. */
TEST(a_snapshot_in_use_stays)
{
    enum { TOPICS = 2000 };
    struct aldis__view view = {0};
    struct aldis__key kept = key_of("kept");
    aldis__registry_init(&registry);
    struct aldis__snapshot *snapshot = aldis__snapshot_make(&view, &registry, &kept);
    for (int i = 0; i < TOPICS; i++) {
        char text[16];
        snprintf(text, sizeof text, "t%d", i);
        struct aldis__key key = key_of(text);
        CHECK(aldis__snapshot_find(&view, &key) == NULL);
        CHECK(aldis__snapshot_make(&view, &registry, &key) != NULL);
        CHECK(aldis__snapshot_find(&view, &key) != NULL);
        CHECK(aldis__snapshot_find(&view, &kept) == snapshot);
    }
    CHECK(view.count < TOPICS); /* some were let go of */
    aldis__view_fini(&view, &registry);
    check_empty();
    aldis__registry_fini(&registry);
}

/* ------------------------------------------------------------------ out of memory */

/* Something of everything; gives the first error. What was done before it stays. */
static aldis_err do_everything(struct aldis__view *view, int *out_done)
{
    static const char *const topics[] = {"a", "b", "c.d", "e.f.g"};
    aldis_err err = ALDIS_OK;
    *out_done = 0;
    for (uint64_t actor = 1; actor <= 40 && err == ALDIS_OK; actor++) {
        char text[16];
        struct aldis__key key = key_of(topics[actor % 4]);
        snprintf(text, sizeof text, "n%d", (int)actor);
        err = subscribe(actor, topics[actor % 4]);
        if (err == ALDIS_OK && actor % 3 == 0)
            err = subscribe(actor, actor % 2 ? "c.*" : ">");
        if (err == ALDIS_OK && actor % 5 == 0)
            err = subscribe_in(actor, "e.*.g", actor % 2 ? "one" : "two");
        if (err == ALDIS_OK)
            err = name(actor, text);
        if (err != ALDIS_OK)
            break;
        struct aldis__snapshot *snapshot = aldis__snapshot_find(view, &key);
        if (!snapshot)
            snapshot = aldis__snapshot_make(view, &registry, &key);
        if (!snapshot || !aldis__snapshot_refresh(snapshot, &registry))
            err = ALDIS_ENOMEM;
        else
            ++*out_done;
    }
    return err;
}

TEST(any_allocation_may_fail)
{
    struct aldis__view view = {0};
    int done, failures = 0;
    aldis_err err = ALDIS_ENOMEM;
    for (uint64_t n = 1; err != ALDIS_OK; n++) {
        aldis__registry_init(&registry);
        allocations = 0;
        fail_at = n;
        err = do_everything(&view, &done);
        fail_at = 0;
        if (err != ALDIS_OK) {
            CHECK_ERR(err, ALDIS_ENOMEM);
            failures++;
        }
        /* What had succeeded is there, and everything goes on from here. */
        CHECK(members("a", NULL, 0) + members("b", NULL, 0) + members("c.d", NULL, 0) +
                  members("e.f.g", NULL, 0) >=
              (size_t)done);
        CHECK_UINT(registry.actors.count >= (size_t)done, 1);
        if (done > 0)
            CHECK_UINT(holder("n1"), 1);
        CHECK_OK(subscribe(1000, "a"));
        CHECK_OK(name(1000, "last"));
        for (uint64_t actor = 1; actor <= 1000; actor++)
            aldis__registry_forget(&registry, (aldis_id){actor});
        aldis__view_fini(&view, &registry);
        check_empty();
        aldis__registry_fini(&registry);
    }
    CHECK(failures > 100); /* or the wrappers were not called */
}
