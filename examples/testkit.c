// SPDX-License-Identifier: Apache-2.0
/* testkit.c: test an actor: a probe, a lost message, and every order of six messages. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdio.h>

ALDIS_MESSAGE(pay, int64_t);
ALDIS_MESSAGE(take, int64_t);
ALDIS_MESSAGE(balance, int64_t);

#define ACCOUNT_PROTOCOL(X, kind) X(kind, pay) X(kind, take)
ALDIS_PROTOCOL(account, ACCOUNT_PROTOCOL);
#define CLIENT_PROTOCOL(X, kind) X(kind, balance)
ALDIS_PROTOCOL(client, CLIENT_PROTOCOL);
ALDIS_PROBE(client, CLIENT_PROTOCOL); /* plays the part of a client */

/* The actor under test: an account that must never fall below zero. */
struct account {
    int64_t credits;
};

static aldis_err answer(struct account *self, aldis_ctx *ctx)
{
    return aldis_reply(ctx, balance, self->credits);
}

static aldis_err account_on_pay(struct account *self, const int64_t *credits, aldis_ctx *ctx)
{
    self->credits += *credits;
    return answer(self, ctx);
}

static aldis_err account_on_take(struct account *self, const int64_t *credits, aldis_ctx *ctx)
{
    self->credits -= *credits; /* the mistake: nobody asks whether there is enough */
    return answer(self, ctx);
}
ALDIS_BEHAVIOUR(account, struct account, ACCOUNT_PROTOCOL);

static void test_a_payment(void)
{
    aldis_testkit *kit;
    if (aldis_testkit_create(NULL, &kit) != ALDIS_OK)
        return;
    client_ref client;
    account_ref account;
    aldis_probe *probe = aldis_testkit_probe(kit, client, &client);
    if (aldis_spawn(aldis_testkit_system(kit), account, &account, NULL) != ALDIS_OK)
        aldis_testkit_fail(kit, "no account: %s", aldis_error_last()->text);

    aldis_testkit_send_as(kit, client.id, account, pay, 100);
    const int64_t *credits = aldis_expect(probe, balance, 10 * ALDIS_MS);
    printf("balance %" PRId64 "\n", credits ? *credits : -1);

    aldis_testkit_drop(kit, &(aldis_testkit_match){.to = account.id, .type = &pay_type});
    aldis_testkit_send_as(kit, client.id, account, pay, 50);
    if (aldis_expect_none(probe, ALDIS_SECOND))
        printf("the payment was lost, and nobody answers\n");
    aldis_testkit_destroy(kit);
}

/* Two clients, three messages each. */
static void pay_and_take(aldis_testkit *kit, void *arg)
{
    (void)arg;
    client_ref payer, taker;
    account_ref account;
    aldis_testkit_probe(kit, client, &payer);
    aldis_probe *probe = aldis_testkit_probe(kit, client, &taker);
    if (aldis_spawn(aldis_testkit_system(kit), account, &account, NULL) != ALDIS_OK)
        aldis_testkit_fail(kit, "no account: %s", aldis_error_last()->text);
    for (int64_t i = 1; i <= 3; i++) {
        aldis_testkit_send_as(kit, payer.id, account, pay, 10 * i);
        aldis_testkit_send_as(kit, taker.id, account, take, 10 * i);
    }
    for (int i = 1; i <= 3; i++) {
        const int64_t *credits = aldis_expect(probe, balance, ALDIS_SECOND);
        if (credits && *credits < 0)
            aldis_testkit_fail(kit, "the account is overdrawn: %" PRId64, *credits);
    }
}

int main(void)
{
    test_a_payment();
    aldis_testkit_orders orders;
    aldis_err err = aldis_testkit_explore(NULL, pay_and_take, NULL, 1000, &orders);
    printf("order %" PRIu64 " %s: %s\n", orders.orders, orders.failed ? "fails" : "is fine",
           orders.failing);
    return err != ALDIS_EHANDLER; /* this account is wrong, and the test has found it */
}
