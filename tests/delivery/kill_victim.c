// SPDX-License-Identifier: Apache-2.0
/* kill_victim.c: a process that ends without a warning, for kill_test.py.
 *
 *     kill_victim STORE run SERIAL COUNT EVENTS   prints "accepted SERIAL" for each payment; kills
 *                                                 itself at the EVENTS-th thing that it is told (0:
 *                                                 it waits to be killed, or to come to rest)
 *     kill_victim STORE broken SERIAL COUNT 0     acknowledges first and commits the effect later;
 *                                                 ends when its acknowledgements are committed
 *     kill_victim STORE report                    waits until nothing is pending, prints books */
#include "delivery/store.h"
#include "till.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t events, events_max; /* told to the till, on its worker */

static void count_event(void)
{
    if (++events == events_max)
        (void)kill(getpid(), SIGKILL);
}

/* Written at once: a line that is there was there before the kill. */
static void say_accepted(uint64_t serial, aldis_err result)
{
    char line[64];
    count_event();
    int size = snprintf(line, sizeof line, "%s %" PRIu64 "\n",
                        result == ALDIS_OK ? "accepted" : "refused", serial);
    if (write(STDOUT_FILENO, line, (size_t)size) != size)
        _exit(4);
}

static void report(void)
{
    const struct books *books = &till_world.books;
    printf("count %" PRIu64 " duplicates %" PRIu64 " unordered %" PRIu64 "\nseen", books->count,
           books->duplicates, books->unordered);
    for (unsigned i = 0; i < SERIALS_MAX; i++)
        if (books->seen[i / 8] >> i % 8 & 1)
            printf(" %u", i);
    printf("\n");
}

static int fail(const char *what)
{
    fprintf(stderr, "kill_victim: %s: %s\n", what, aldis_error_last()->text);
    return 1;
}

int main(int argc, char **argv)
{
    bool broken = argc == 6 && strcmp(argv[2], "broken") == 0;
    bool runs = broken || (argc == 6 && strcmp(argv[2], "run") == 0);
    if (!runs && !(argc == 3 && strcmp(argv[2], "report") == 0))
        return 64;
    aldis__delivery_acks_first = broken;
    if (runs)
        events_max = strtoull(argv[5], NULL, 10);
    aldis_system *system;
    aldis_system_opts opts = {.workers = 2, .shards = 4};
    aldis_store_opts store_opts = {.unsynced = true}; /* a kill is no power failure */
    till_world.till_name = "till";
    till_world.on_accepted = say_accepted;
    till_world.on_delivered = count_event;
    if (aldis_store_open(argv[1], &store_opts, &till_world.store) != ALDIS_OK)
        return fail("store");
    if (aldis_system_create(&opts, &system) != ALDIS_OK)
        return fail("system");
    ledger_ref ledger;
    till_ref till;
    aldis_err err = aldis_spawn(system, ledger, &ledger, NULL);
    if (err == ALDIS_OK)
        err = aldis_spawn(system, till, &till, NULL);
    if (err == ALDIS_OK && runs)
        err = aldis_send(system, till, sale, .serial = strtoull(argv[3], NULL, 10),
                         .count = strtoull(argv[4], NULL, 10));
    if (err != ALDIS_OK)
        return fail("actors");
    /* Idle when nothing is pending any more. */
    aldis_run_end end;
    if (aldis_system_run(system, 100 * ALDIS_SECOND, &end) != ALDIS_OK || end != ALDIS_RUN_IDLE)
        return fail("it does not come to rest");
    if (!runs)
        report();
    aldis_system_destroy(system);
    return aldis_store_close(till_world.store) == ALDIS_OK ? 0 : fail("close");
}
