// SPDX-License-Identifier: Apache-2.0
/* stats_test.c: counters, their print, and an audit that finds every lost and invented message. */
#include "core/cell.h"
#include "core/system.h"
#include "fixture.h"

#include <stdlib.h>

static aldis_err fail_on_odd(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    return value % 2 ? aldis_fail(ctx, "odd") : ALDIS_OK;
}

/* ------------------------------------------------------------------ counters */

static aldis_err send_mix(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id}, nobody = {.id = ALDIS_NOBODY_INIT};
    for (uint64_t i = 0; i < 10; i++) {
        EXPECT_OK(aldis_send(ctx, to, num, i));
        EXPECT_ERR(aldis_send(ctx, nobody, num, i), ALDIS_ENOTFOUND);
        EXPECT_OK(aldis_signal(ctx, to, tick));
    }
    return ALDIS_OK;
}

TEST_EACH(each_message_is_counted_by_type_and_fate)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    for (uint32_t shard = 0; shard < 4; shard++) {
        puppet_ref q =
            fixture_spawn(f, &(struct script){.num = fail_on_odd},
                          &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = shard});
        fixture_tell(f, p, send_mix, (struct act){.id = q.id});
        fixture_settle(f);
    }
    aldis_stats stats;
    CHECK_OK(aldis_system_stats(f->system, &stats));
    const aldis_type_stats *nums = aldis_stats_type(&stats, "num");
    CHECK(nums != NULL);
    CHECK_UINT(nums->sent, 80);
    CHECK_UINT(nums->handled, 40);
    CHECK_UINT(nums->failed, 20);
    CHECK_UINT(nums->rejected, 40);
    CHECK_UINT(aldis_stats_type(&stats, "tick")->handled, 40);
    CHECK_UINT(stats.active_actors, 5);
    CHECK_UINT(stats.spawned, 5);
    CHECK_UINT(stats.ended, 0);
    CHECK_UINT(stats.failed_deliveries, 40);
    CHECK(aldis_stats_type(&stats, "no such type") == NULL);
    CHECK(aldis_stats_type(NULL, "num") == NULL);
    CHECK(aldis_stats_type(&stats, NULL) == NULL);
    uint64_t sent = 0, handled = 0, actors = 0;
    for (size_t i = 0; i < stats.type_count; i++) {
        sent += stats.types[i].sent;
        handled += stats.types[i].handled;
        if (i > 0)
            CHECK(strcmp(stats.types[i - 1].name, stats.types[i].name) < 0);
    }
    for (size_t i = 0; i < stats.shard_count; i++)
        actors += stats.shards[i].actors;
    CHECK_UINT(stats.total.sent, sent);
    CHECK_UINT(stats.total.handled, handled);
    CHECK_UINT(actors, 5);
    aldis_stats_fini(&stats);
    aldis_stats_fini(&stats); /* twice is once */
    aldis_stats_fini(NULL);
    CHECK_ERR(aldis_system_stats(NULL, &stats), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_stats(f->system, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_audit(NULL, NULL), ALDIS_EINVAL);
    CHECK_OK(aldis_system_audit(f->system, NULL));
}

TEST_EACH(what_waits_is_counted_where_it_waits)
{
    fixture_open(f, NULL);
    for (uint32_t shard = 0; shard < 8; shard++) {
        puppet_ref q = fixture_spawn(
            f, NULL, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = shard});
        CHECK_OK(aldis_pause(f->system, q.id));
        fixture_settle(f);
        for (uint64_t i = 0; i < 10 * shard; i++)
            CHECK_OK(aldis_send(f->system, q, num, i));
    }
    fixture_settle(f);
    aldis_stats stats;
    CHECK_OK(aldis_system_stats(f->system, &stats));
    CHECK_UINT(stats.shard_count, 8);
    for (size_t i = 0; i < 8; i++) {
        CHECK_UINT(stats.shards[i].depth_msgs, 10 * i);
        CHECK_UINT(stats.shards[i].actors, 1);
    }
    CHECK_UINT(aldis_stats_type(&stats, "num")->queued, 280);
    aldis_stats_fini(&stats);
}

/* ------------------------------------------------------------------ print */

static char *print_to_string(const aldis_stats *stats, aldis_stats_format format)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    CHECK(out != NULL);
    CHECK_OK(aldis_stats_print(stats, out, format));
    fclose(out);
    return text;
}

/* Braces, brackets and quotes pair up; nothing else is looked at. */
static bool is_paired(const char *json)
{
    char open[64];
    size_t depth = 0;
    bool quoted = false;
    for (const char *c = json; *c; c++) {
        if (quoted) {
            if (*c == '\\')
                c++;
            else if (*c == '"')
                quoted = false;
            else if ((unsigned char)*c < 0x20)
                return false;
            continue;
        }
        if (*c == '"')
            quoted = true;
        else if ((*c == '{' || *c == '[') && depth < sizeof open)
            open[depth++] = *c == '{' ? '}' : ']';
        else if ((*c == '}' || *c == ']') && (depth == 0 || open[--depth] != *c))
            return false;
    }
    return depth == 0 && !quoted;
}

static aldis_type hostile = {"a\"b\\c\n\x01}", 0, 0, NULL, 0};

TEST_EACH(stats_are_printed_as_text_and_json)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    for (uint64_t i = 0; i < 12345; i++)
        CHECK_OK(aldis_system_send_until_raw(f->system, p.id, &num_type, &i, sizeof i,
                                             60 * ALDIS_SECOND));
    CHECK_ERR(aldis_system_send_raw(f->system, p.id, &hostile, NULL, 0), ALDIS_EUNACCEPTED);
    fixture_settle(f);
    aldis_stats stats;
    CHECK_OK(aldis_system_stats(f->system, &stats));
    char *text = print_to_string(&stats, ALDIS_STATS_TEXT);
    CHECK(strstr(text, "num") != NULL && strstr(text, "12345") != NULL);
    CHECK(strstr(text, "total") != NULL);
    CHECK(strstr(text, "odd") == NULL); /* rows without messages are left out */
    free(text);
    char *json = print_to_string(&stats, ALDIS_STATS_JSON);
    CHECK(is_paired(json));
    CHECK(strstr(json, "\"num\":{\"sent\":12345,\"handled\":12345,") != NULL ||
          f->clock == ALDIS_CLOCK_LIVE);
    CHECK(strstr(json, "\"a\\\"b\\\\c\\u000a\\u0001}\":") != NULL);
    CHECK(strstr(json, "\"active_actors\":1") != NULL);
    free(json);
    CHECK_ERR(aldis_stats_print(NULL, stdout, ALDIS_STATS_TEXT), ALDIS_EINVAL);
    CHECK_ERR(aldis_stats_print(&stats, NULL, ALDIS_STATS_TEXT), ALDIS_EINVAL);
    CHECK_ERR(aldis_stats_print(&stats, stdout, (aldis_stats_format)7), ALDIS_EINVAL);
    FILE *full = fopen("/dev/full", "w");
    if (full) {
        CHECK_ERR(aldis_stats_print(&stats, full, ALDIS_STATS_JSON), ALDIS_EIO);
        fclose(full);
    }
    aldis_stats_fini(&stats);
}

/* ------------------------------------------------------------------ the audit finds it */

/* What went wrong, planted in the inside of a system that stands still; and taken back. */
static uint64_t *a_counter(aldis_system *system, unsigned which)
{
    struct aldis_type_stats *counts = &system->workers[0].counts[aldis__type_index(&num_type)];
    uint64_t *all[] = {&counts->sent,    &counts->handled, &counts->rejected,
                       &counts->dropped, &counts->expired, &counts->dead};
    return all[which];
}

static void check_found(struct fixture *f)
{
    aldis_audit audit = {true, ""};
    CHECK_ERR(aldis_system_audit(f->system, &audit), ALDIS_EAUDIT);
    CHECK(!audit.balanced);
    CHECK(strncmp(audit.text, "num: sent ", 10) == 0);
    CHECK(strcmp(aldis_error_last()->type_name, "num") == 0);
    CHECK_ERR(aldis_system_audit(f->system, NULL), ALDIS_EAUDIT);
}

TEST_EACH(the_audit_finds_a_wrong_count_of_each_fate)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    for (uint64_t i = 0; i < 10; i++)
        CHECK_OK(aldis_send(f->system, p, num, i));
    fixture_settle(f);
    fixture_check(f);
    for (unsigned which = 0; which < 6; which++) {
        uint64_t *counter = a_counter(f->system, which);
        ++*counter;
        check_found(f);
        --*counter;
        fixture_check(f);
    }
}

TEST_EACH(the_audit_finds_a_message_that_was_lost_or_doubled)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    CHECK_OK(aldis_pause(f->system, p.id));
    fixture_settle(f);
    for (uint64_t i = 0; i < 10; i++)
        CHECK_OK(aldis_send(f->system, p, num, i));
    fixture_settle(f);
    uint64_t place = aldis__id_index(p.id, f->system->node_base);
    struct aldis__cell *cell = aldis__system_cell(f->system, place);
    struct aldis__msg *first = cell->head;
    CHECK(first != NULL && first->next != NULL);
    cell->head = first->next; /* out of the mailbox: it would never be handled */
    check_found(f);
    cell->head = first;
    fixture_check(f);
    struct aldis__msg twin = *first; /* one that nobody has sent */
    cell->head = &twin;
    twin.next = first;
    check_found(f);
    cell->head = first;
    fixture_check(f);
    CHECK_OK(aldis_resume(f->system, p.id));
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").handled, 10);
}

/* An audit while everybody works finds a quiet point every time. */
static aldis_err keep_going(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    if (act->a > 0)
        EXPECT_OK(
            aldis_send(ctx, to, act, .run = keep_going, .id = aldis_self(ctx), .a = act->a - 1));
    return ALDIS_OK;
}

TEST_LIVE(audits_balance_at_any_moment)
{
    fixture_open(f, NULL);
    puppet_ref all[32];
    for (uint32_t i = 0; i < 32; i++)
        all[i] = fixture_spawn(f, NULL,
                               &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = i % 8});
    for (uint32_t i = 0; i < 32; i++)
        fixture_tell(f, all[i], keep_going, (struct act){.id = all[(i + 1) % 32].id, .a = 20000});
    for (int i = 0; i < 50; i++)
        fixture_check(f);
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "act").handled, 32 * 20001);
}
