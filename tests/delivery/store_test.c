// SPDX-License-Identifier: Apache-2.0
/* store_test.c: durable messages, through ends of the process that are orderly; and what a store
 * refuses. The disorderly ends are kill_test.py's. */
#include "harness.h"
#include "till.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];

static const char *path_of(const char *name)
{
    static char path[128];
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "/tmp/aldis-store-XXXXXX");
        CHECK(mkdtemp(folder) != NULL);
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void remove_store(const char *name)
{
    char path[160];
    static const char *const suffixes[] = {"", "-wal", "-journal", "-shm"};
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s%s", path_of(name), suffixes[i]);
        (void)remove(path);
    }
    (void)rmdir(folder);
    folder[0] = '\0';
}

static aldis_store *open_store(const char *name)
{
    aldis_store *store = NULL;
    CHECK_ERR(aldis_store_open(path_of(name), &(aldis_store_opts){.unsynced = true}, &store),
              ALDIS_OK);
    return store;
}

struct run {
    aldis_clock clock;
    uint32_t workers;
    bool till, ledger;
    uint64_t serial, count;
    uint64_t stop_after; /* delivered */
    bool till_fails;
};

/* One life of a process: its print. */
static uint64_t live_through(const char *name, struct run run)
{
    till_world = (struct till_world){.store = open_store(name),
                                     .till_name = "till",
                                     .stop_after = run.stop_after,
                                     .till_fails = run.till_fails};
    aldis_system *system = NULL;
    aldis_system_opts opts = {.clock = run.clock, .workers = run.workers, .shards = 8};
    CHECK_ERR(aldis_system_create(&opts, &system), ALDIS_OK);
    till_ref till = {.id = aldis_nobody()};
    ledger_ref ledger;
    if (run.ledger)
        CHECK_ERR(aldis_spawn(system, ledger, &ledger, NULL), ALDIS_OK);
    if (run.till)
        CHECK_ERR(aldis_spawn(system, till, &till, NULL), ALDIS_OK);
    if (run.count)
        CHECK_ERR(aldis_send(system, till, sale, .serial = run.serial, .count = run.count),
                  ALDIS_OK);
    aldis_ns until_ns = run.clock == ALDIS_CLOCK_LIVE ? 60 * ALDIS_SECOND : 10 * ALDIS_SECOND;
    CHECK_ERR(aldis_system_run(system, until_ns, NULL), ALDIS_OK);
    uint64_t print = aldis_system_run_print(system);
    aldis_audit audit;
    CHECK_ERR(aldis_system_audit(system, &audit), ALDIS_OK);
    CHECK(audit.balanced);
    aldis_system_destroy(system);
    CHECK_ERR(aldis_store_close(till_world.store), ALDIS_OK);
    return print;
}

static const struct {
    aldis_clock clock;
    uint32_t workers;
} worlds[] = {{ALDIS_CLOCK_LIVE, 1},
              {ALDIS_CLOCK_LIVE, 2},
              {ALDIS_CLOCK_VIRTUAL, 1},
              {ALDIS_CLOCK_VIRTUAL, 2},
              {ALDIS_CLOCK_VIRTUAL, 4}};

TEST(each_payment_is_accepted_and_booked_once)
{
    for (size_t w = 0; w < sizeof worlds / sizeof worlds[0]; w++) {
        live_through("once", (struct run){worlds[w].clock, worlds[w].workers, true, true, 0, 500,
                                          500, false});
        CHECK_UINT(till_world.accepted, 500);
        CHECK_UINT(till_world.delivered, 500);
        CHECK_UINT(till_world.books.count, 500);
        CHECK_UINT(till_world.books.cents, 5 * 4950);
        CHECK_UINT(till_world.books.duplicates + till_world.books.unordered, 0);
        /* The next life finds the books, and nothing to send. */
        live_through("once", (struct run){ALDIS_CLOCK_VIRTUAL, 1, true, true, 500, 10, 0, false});
        CHECK(till_world.restored);
        CHECK_UINT(till_world.books.count, 510);
        CHECK_UINT(till_world.delivered, 10);
        CHECK_UINT(till_world.books.duplicates + till_world.books.unordered, 0);
        remove_store("once");
    }
}

TEST(a_live_system_is_not_idle_before_the_store_has_answered)
{
    for (uint32_t i = 0; i < 20; i++) {
        live_through("idle",
                     (struct run){ALDIS_CLOCK_LIVE, 1 + i % 2, true, true, 0, 10, 0, false});
        CHECK_UINT(till_world.accepted, 10);
        CHECK_UINT(till_world.delivered, 10);
        CHECK_UINT(till_world.books.count, 10);
        remove_store("idle");
    }
}

TEST(what_was_accepted_arrives_in_the_next_life)
{
    live_through("later", (struct run){ALDIS_CLOCK_VIRTUAL, 2, true, false, 0, 200, 0, false});
    CHECK_UINT(till_world.accepted, 200);
    CHECK_UINT(till_world.delivered, 0);
    live_through("later", (struct run){ALDIS_CLOCK_LIVE, 2, true, true, 200, 100, 300, false});
    CHECK_UINT(till_world.accepted, 100);
    CHECK_UINT(till_world.delivered, 300);
    CHECK_UINT(till_world.books.count, 300);
    CHECK_UINT(till_world.books.duplicates + till_world.books.unordered, 0);
    remove_store("later");
}

/* The store answers while the till is down. */
TEST(a_till_that_is_restarted_is_told_of_all_that_it_sent)
{
    for (size_t w = 0; w < sizeof worlds / sizeof worlds[0]; w++) {
        live_through("restart",
                     (struct run){worlds[w].clock, worlds[w].workers, true, true, 0, 50, 50, true});
        CHECK_UINT(till_world.till_starts, 2);
        CHECK_UINT(till_world.accepted, 50);
        CHECK_UINT(till_world.delivered, 50);
        CHECK_UINT(till_world.books.count, 50);
        CHECK_UINT(till_world.books.duplicates + till_world.books.unordered, 0);
        remove_store("restart");
    }
}

TEST(more_than_a_stream_holds_waits)
{
    live_through("many", (struct run){ALDIS_CLOCK_VIRTUAL, 1, true, true, 0, 3000, 0, false});
    CHECK(till_world.again > 0);
    CHECK_UINT(till_world.books.count, 3000);
    CHECK_UINT(till_world.books.duplicates + till_world.books.unordered, 0);
    remove_store("many");
}

TEST(the_same_run_on_any_number_of_workers)
{
    uint64_t prints[3];
    static const uint32_t workers[3] = {1, 2, 4};
    for (size_t i = 0; i < 3; i++) {
        prints[i] = live_through(
            "equal", (struct run){ALDIS_CLOCK_VIRTUAL, workers[i], true, true, 0, 300, 0, false});
        remove_store("equal");
    }
    CHECK_UINT(prints[1], prints[0]);
    CHECK_UINT(prints[2], prints[0]);
}

/* ------------------------------------------------------------------ refusals */

static void expect_refusal(const char *name, aldis_err expected, const char *word)
{
    aldis_store *store = NULL;
    CHECK_ERR(aldis_store_open(path_of(name), NULL, &store), expected);
    CHECK(strstr(aldis_error_last()->text, word) != NULL);
    if (!strstr(aldis_error_last()->text, word))
        printf("# the text is: %s\n", aldis_error_last()->text);
    CHECK(store == NULL);
}

TEST(a_store_is_open_once)
{
    aldis_store *store = open_store("locked");
    expect_refusal("locked", ALDIS_EIO, "another process has it open");
    CHECK_ERR(aldis_store_close(store), ALDIS_OK);
    store = open_store("locked");
    CHECK_ERR(aldis_store_close(store), ALDIS_OK);
    remove_store("locked");
}

TEST(another_database_is_refused)
{
    sqlite3 *db;
    CHECK_INT(sqlite3_open(path_of("foreign"), &db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, "CREATE TABLE songs(title TEXT)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    expect_refusal("foreign", ALDIS_ECODEC, "another program's");
    remove_store("foreign");
    CHECK_INT(sqlite3_open(path_of("blank"), &db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, "PRAGMA application_id = 7", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    expect_refusal("blank", ALDIS_ECODEC, "another program's");
    remove_store("blank");
}

static void change_store(const char *name, const char *sql)
{
    sqlite3 *db;
    aldis_store *store = open_store(name);
    CHECK_ERR(aldis_store_close(store), ALDIS_OK);
    CHECK_INT(sqlite3_open(path_of(name), &db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

TEST(a_store_of_another_version_or_without_its_tables_is_refused)
{
    change_store("version", "PRAGMA user_version = 9");
    expect_refusal("version", ALDIS_ECODEC, "it has version 9; known is 1");
    remove_store("version");
    change_store("tables", "DROP TABLE outbox");
    expect_refusal("tables", ALDIS_ECODEC, "damaged: no such table: outbox");
    remove_store("tables");
}

/* Sound pages, with something else in them than was written. */
TEST(what_lies_in_a_store_has_checksums)
{
    live_through("bits", (struct run){ALDIS_CLOCK_VIRTUAL, 1, true, true, 0, 5, 0, false});
    change_store("bits", "UPDATE endpoint SET state = zeroblob(length(state))");
    expect_refusal("bits", ALDIS_ECODEC, "damaged: the checksum of a saved state is wrong");
    remove_store("bits");
    live_through("bits", (struct run){ALDIS_CLOCK_VIRTUAL, 1, true, false, 0, 5, 0, false});
    change_store("bits", "UPDATE outbox SET frame = zeroblob(length(frame)) WHERE number = 3");
    expect_refusal("bits", ALDIS_ECODEC, "damaged: the checksum of a message is wrong");
    remove_store("bits");
}

static void write_file(const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(path_of(name), "wb");
    CHECK(file != NULL);
    CHECK_UINT(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

TEST(what_is_no_database_is_refused)
{
    char text[4096];
    memset(text, 'x', sizeof text);
    write_file("text", text, sizeof text);
    expect_refusal("text", ALDIS_ECODEC, "no store");
    remove_store("text");
    expect_refusal("no-folder/store", ALDIS_EIO, "cannot be opened");
    remove_store("no-folder");
}

TEST(a_damaged_store_is_refused)
{
    static char bytes[1 << 20];
    live_through("broken", (struct run){ALDIS_CLOCK_VIRTUAL, 1, true, false, 0, 500, 0, false});
    FILE *file = fopen(path_of("broken"), "rb");
    CHECK(file != NULL);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    CHECK(size > 16384);
    for (size_t i = 4096; i < size; i += 512) /* all over it, but not its first page */
        memset(bytes + i, 0xa5, 64);
    write_file("broken", bytes, size);
    expect_refusal("broken", ALDIS_ECODEC, "it is damaged");
    for (size_t left = 100; left < size; left *= 4) { /* and cut off */
        write_file("broken", bytes, left);
        expect_refusal("broken", ALDIS_ECODEC, "it is damaged");
    }
    remove_store("broken");
}

TEST(a_store_that_cannot_be_written_is_refused)
{
    aldis_store *store = open_store("readonly");
    CHECK_ERR(aldis_store_close(store), ALDIS_OK);
    CHECK_INT(chmod(path_of("readonly"), 0444), 0);
    CHECK_INT(chmod(folder, 0755), 0);
    pid_t child = fork(); /* root may write everything: so as somebody else */
    CHECK(child >= 0);
    if (child == 0) {
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(2);
        store = NULL;
        aldis_err err = aldis_store_open(path_of("readonly"), NULL, &store);
        _exit(err == ALDIS_EIO && !store && strstr(aldis_error_last()->text, "read-only") ? 0 : 1);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK_INT(status, 0);
    remove_store("readonly");
    expect_refusal(".", ALDIS_EIO, "cannot be opened"); /* a folder */
    remove_store("none");
}

/* A limit for the size of files stands for a full disk. */
TEST(on_a_full_disk_sends_are_refused_and_nothing_is_lost)
{
    live_through("full", (struct run){ALDIS_CLOCK_VIRTUAL, 1, true, false, 0, 100, 0, false});
    struct rlimit before, small = {0};
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    till_world = (struct till_world){.store = open_store("full"), .till_name = "till"};
    aldis_system *system = NULL;
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .shards = 8};
    CHECK_ERR(aldis_system_create(&opts, &system), ALDIS_OK);
    till_ref till;
    CHECK_ERR(aldis_spawn(system, till, &till, NULL), ALDIS_OK);
    CHECK_ERR(aldis_system_run(system, ALDIS_SECOND, NULL), ALDIS_OK);
    small = (struct rlimit){4096, before.rlim_max};
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &small), 0);
    CHECK_ERR(aldis_send(system, till, sale, .serial = 100, .count = 20), ALDIS_OK);
    CHECK_ERR(aldis_system_run(system, 2 * ALDIS_SECOND, NULL), ALDIS_OK);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &before), 0);
    CHECK_UINT(till_world.accepted, 0);
    CHECK_UINT(till_world.refused, 20);
    CHECK_ERR(aldis_send(system, till, sale, .serial = 200, .count = 20), ALDIS_OK);
    CHECK_ERR(aldis_system_run(system, 3 * ALDIS_SECOND, NULL), ALDIS_OK);
    CHECK_UINT(till_world.accepted, 20);
    aldis_system_destroy(system);
    CHECK_ERR(aldis_store_close(till_world.store), ALDIS_OK);
    live_through("full", (struct run){ALDIS_CLOCK_VIRTUAL, 1, true, true, 0, 0, 0, false});
    CHECK_UINT(till_world.books.count, 120);
    CHECK_UINT(till_world.books.duplicates + till_world.books.unordered, 0);
    remove_store("full");
}

/* The effect of a message is in the ledger's memory and could not be saved. A later save, for
 * another till, holds it too: so it has to name the first as done, or that would be booked twice in
 * the next life. */
TEST(an_effect_that_could_not_be_saved_is_not_kept_without_its_message)
{
    live_through("half", (struct run){ALDIS_CLOCK_VIRTUAL, 1, true, true, 0, 3, 0, false});
    struct rlimit before, small = {0};
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    till_world = (struct till_world){.store = open_store("half"), .till_name = "till"};
    aldis_system *system = NULL;
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .shards = 8};
    CHECK_ERR(aldis_system_create(&opts, &system), ALDIS_OK);
    ledger_ref ledger;
    till_ref till, other;
    CHECK_ERR(aldis_spawn(system, ledger, &ledger, NULL), ALDIS_OK);
    CHECK_ERR(aldis_spawn(system, till, &till, NULL), ALDIS_OK);
    CHECK_ERR(aldis_system_run(system, 10 * ALDIS_MS, NULL), ALDIS_OK);
    till_world.till_name = "other";
    CHECK_ERR(aldis_spawn(system, till, &other, NULL), ALDIS_OK);
    CHECK_ERR(aldis_system_run(system, 20 * ALDIS_MS, NULL), ALDIS_OK);
    /* Accepted and sent, but not handled yet. */
    CHECK_ERR(aldis_send(system, till, sale, .serial = 100, .count = 1), ALDIS_OK);
    aldis_ns now_ns = aldis_system_now(system); /* it was idle before its 20 ms were over */
    aldis_store_stats stats = {.accepted = 0};
    while (stats.accepted == 0 && now_ns < ALDIS_SECOND) {
        CHECK_ERR(aldis_system_run(system, now_ns += ALDIS_MS, NULL), ALDIS_OK);
        aldis_store_get_stats(till_world.store, &stats);
    }
    CHECK_UINT(till_world.accepted, 0); /* the till has not been told yet */
    small = (struct rlimit){4096, before.rlim_max};
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &small), 0);
    CHECK_ERR(aldis_system_run(system, now_ns += 10 * ALDIS_MS, NULL), ALDIS_OK);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &before), 0);
    CHECK_UINT(till_world.books.count, 4); /* in memory */
    aldis_store_get_stats(till_world.store, &stats);
    CHECK(stats.failed_commits > 0);
    CHECK_UINT(till_world.delivered, 0);
    /* The first till asks again only a second after it sent. */
    CHECK_ERR(aldis_send(system, other, sale, .serial = 200, .count = 1), ALDIS_OK);
    CHECK_ERR(aldis_system_run(system, now_ns += 100 * ALDIS_MS, NULL), ALDIS_OK);
    CHECK_UINT(till_world.delivered, 1);
    aldis_system_destroy(system);
    CHECK_ERR(aldis_store_close(till_world.store), ALDIS_OK);
    live_through("half", (struct run){ALDIS_CLOCK_VIRTUAL, 1, true, true, 0, 0, 0, false});
    CHECK_UINT(till_world.books.count, 5);
    CHECK_UINT(till_world.books.duplicates, 0);
    remove_store("half");
}

/* ------------------------------------------------------------------ other states */

/* A ledger of another version of the program, whose books are smaller. It tries twice: as one that
 * is restarted would. */
static aldis_err small_first, small_second, small_send;
static char small_text[200];

struct small_ledger {
    uint64_t count;
};

static aldis_err small_ledger_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)state;
    (void)arg;
    small_first = aldis_durable_open(ctx, till_world.store, "ledger", NULL);
    snprintf(small_text, sizeof small_text, "%s", aldis_error_last()->text);
    small_second = aldis_durable_open(ctx, till_world.store, "ledger", NULL);
    small_send = aldis_send_durable(ctx, "ledger", payment, 0, NULL, .serial = 1);
    return ALDIS_OK;
}

static aldis_err small_ledger_on_payment(struct small_ledger *self, const Payment *msg,
                                         aldis_ctx *ctx)
{
    (void)msg;
    (void)ctx;
    self->count++;
    return ALDIS_OK;
}
ALDIS_PROTOCOL(small_ledger, LEDGER_PROTOCOL);
ALDIS_BEHAVIOUR(small_ledger, struct small_ledger, LEDGER_PROTOCOL, .on_start = small_ledger_start,
                .durable = ALDIS_DURABLE(struct small_ledger, count));

TEST(a_state_of_another_size_is_refused_and_stays)
{
    live_through("size", (struct run){ALDIS_CLOCK_VIRTUAL, 1, true, true, 0, 30, 0, false});
    live_through("size", (struct run){ALDIS_CLOCK_VIRTUAL, 1, true, false, 30, 20, 0, false});
    till_world = (struct till_world){.store = open_store("size"), .till_name = "till"};
    aldis_system *system = NULL;
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .shards = 8};
    CHECK_ERR(aldis_system_create(&opts, &system), ALDIS_OK);
    small_ledger_ref small;
    till_ref till;
    CHECK_ERR(aldis_spawn(system, small_ledger, &small, NULL), ALDIS_OK);
    CHECK_ERR(aldis_system_run(system, 10 * ALDIS_MS, NULL), ALDIS_OK);
    CHECK_ERR(small_first, ALDIS_ECODEC);
    char sizes[80];
    snprintf(sizes, sizeof sizes, "the saved state has %zu bytes, that of small_ledger 8",
             sizeof(struct books));
    CHECK(strstr(small_text, sizes) != NULL);
    CHECK_ERR(small_second, ALDIS_ECODEC);
    CHECK_ERR(small_send, ALDIS_ESTATE);
    CHECK_ERR(aldis_spawn(system, till, &till, NULL), ALDIS_OK); /* with 20 to send */
    CHECK_ERR(aldis_system_run(system, ALDIS_SECOND, NULL), ALDIS_OK);
    CHECK_UINT(till_world.delivered, 0);
    aldis_system_destroy(system);
    CHECK_ERR(aldis_store_close(till_world.store), ALDIS_OK);
    live_through("size", (struct run){ALDIS_CLOCK_VIRTUAL, 1, true, true, 0, 0, 0, false});
    CHECK_UINT(till_world.books.count, 50);
    CHECK_UINT(till_world.books.duplicates + till_world.books.unordered, 0);
    remove_store("size");
}

/* ------------------------------------------------------------------ names */

TEST(a_name_is_one_actor)
{
    till_world = (struct till_world){.store = open_store("names"), .till_name = "ledger"};
    aldis_system *system = NULL;
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .shards = 8};
    CHECK_ERR(aldis_system_create(&opts, &system), ALDIS_OK);
    ledger_ref ledger;
    till_ref till;
    CHECK_ERR(aldis_spawn(system, ledger, &ledger, NULL), ALDIS_OK);
    CHECK_ERR(aldis_system_run(system, ALDIS_SECOND, NULL), ALDIS_OK);
    CHECK_ERR(till_world.ledger_err, ALDIS_OK);
    CHECK_ERR(aldis_spawn(system, till, &till, NULL), ALDIS_OK);
    CHECK_ERR(aldis_system_run(system, 2 * ALDIS_SECOND, NULL), ALDIS_OK);
    CHECK_ERR(till_world.till_err, ALDIS_EEXISTS);
    /* After its end the name is free. */
    CHECK_ERR(aldis_stop(system, ledger.id), ALDIS_OK);
    CHECK_ERR(aldis_system_run(system, 3 * ALDIS_SECOND, NULL), ALDIS_OK);
    CHECK_ERR(aldis_spawn(system, till, &till, NULL), ALDIS_OK);
    CHECK_ERR(aldis_system_run(system, 4 * ALDIS_SECOND, NULL), ALDIS_OK);
    CHECK_ERR(till_world.till_err, ALDIS_OK);
    aldis_system_destroy(system);
    CHECK_ERR(aldis_store_close(till_world.store), ALDIS_OK);
    remove_store("names");
}
