// SPDX-License-Identifier: Apache-2.0
/* durable.c: messages and states that outlive the process. A till pays into a ledger, and is killed
 * in the middle; the next process goes on with the same file. */
#include "payment.pb.h"

#include <aldis/aldis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

ALDIS_WIRE_STRUCT(Payment);
ALDIS_MESSAGE_CODEC(payment, Payment, 0, ALDIS_CODEC(Payment)); /* Protocol Buffers in the file */
struct sale {
    uint32_t number, cents;
};
ALDIS_MESSAGE(sale, struct sale);

#define LEDGER_PROTOCOL(X, kind) X(kind, payment)
#define TILL_PROTOCOL(X, kind) X(kind, sale) X(kind, aldis_accepted) X(kind, aldis_delivered)
ALDIS_PROTOCOL(ledger, LEDGER_PROTOCOL);
ALDIS_PROTOCOL(till, TILL_PROTOCOL);

struct setting {
    aldis_store *store;
    uint32_t killed_after; /* so many payments were accepted; 0: never */
};

struct ledger {
    struct {
        uint32_t payments, cents;
    } kept; /* this part is durable */
};

static aldis_err ledger_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct ledger *self = state;
    const struct setting *setting = arg;
    aldis_err err = aldis_durable_open(ctx, setting->store, "ledger", NULL);
    printf("  ledger: begins with %u payments, %u cents\n", self->kept.payments, self->kept.cents);
    return err;
}

static aldis_err ledger_on_payment(struct ledger *self, const Payment *msg, aldis_ctx *ctx)
{
    (void)ctx;
    self->kept.payments++;
    self->kept.cents += msg->cents;
    printf("  ledger: payment %u, now %u cents\n", (unsigned)msg->number, self->kept.cents);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(ledger, struct ledger, LEDGER_PROTOCOL, .on_start = ledger_start,
                .durable = ALDIS_DURABLE(struct ledger, kept));

struct till {
    struct setting setting;
};

static aldis_err till_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct till *self = state;
    self->setting = *(const struct setting *)arg;
    return aldis_durable_open(ctx, self->setting.store, "till", NULL);
}

static aldis_err till_on_sale(struct till *self, const struct sale *msg, aldis_ctx *ctx)
{
    (void)self;
    return aldis_send_durable(ctx, "ledger", payment, msg->number, NULL, .number = msg->number,
                              .cents = msg->cents);
}

/* The payment is in the file: from now on it will be booked, whatever happens. */
static aldis_err till_on_aldis_accepted(struct till *self, const aldis_accepted *msg,
                                        aldis_ctx *ctx)
{
    (void)ctx;
    printf("  till: payment %u is accepted\n", (unsigned)msg->context);
    if (msg->context == self->setting.killed_after) {
        fflush(stdout);
        raise(SIGKILL);
    }
    return ALDIS_OK;
}

static aldis_err till_on_aldis_delivered(struct till *self, const aldis_delivered *msg,
                                         aldis_ctx *ctx)
{
    (void)self;
    (void)ctx;
    printf("  till: payment %u is booked\n", (unsigned)msg->context);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(till, struct till, TILL_PROTOCOL, .on_start = till_start);

static aldis_err run_shop(const char *path, uint32_t sales, uint32_t killed_after)
{
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL};
    struct setting setting = {.killed_after = killed_after};
    aldis_spawn_opts spawn = {ALDIS_ARG(&setting)};
    aldis_system *system = NULL;
    ledger_ref ledger;
    till_ref till;
    aldis_err err = aldis_store_open(path, NULL, &setting.store);
    if (err == ALDIS_OK)
        err = aldis_system_create(&opts, &system);
    if (err == ALDIS_OK)
        err = aldis_spawn(system, ledger, &ledger, &spawn);
    if (err == ALDIS_OK)
        err = aldis_spawn(system, till, &till, &spawn);
    for (uint32_t i = 1; err == ALDIS_OK && i <= sales; i++)
        err = aldis_send_after(system, i * ALDIS_SECOND, till, sale, .number = i, .cents = 100 * i);
    if (err == ALDIS_OK)
        err = aldis_system_run(system, ALDIS_FOREVER, NULL);
    if (err != ALDIS_OK)
        fprintf(stderr, "durable: %s\n", aldis_error_last()->text);
    aldis_system_destroy(system);
    aldis_err close_err = aldis_store_close(setting.store);
    return err != ALDIS_OK ? err : close_err;
}

int main(void)
{
    char folder[] = "/tmp/aldis-durable-XXXXXX", path[sizeof folder + sizeof "/shop.db"];
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/shop.db", folder);

    puts("the first process:");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        return run_shop(path, 5, 3) != ALDIS_OK; /* does not come back */
    int status = 0;
    waitpid(child, &status, 0);
    printf("... is ended by signal %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);

    puts("the second process:");
    aldis_err err = run_shop(path, 0, 0);
    unlink(path);
    rmdir(folder);
    return err != ALDIS_OK;
}
