// SPDX-License-Identifier: Apache-2.0
/* router.c: reach actors by name, and all of a kind at once. In virtual time, so that the order of
 * what is printed is always the same. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdio.h>

struct hail {
    char from[16];
};
ALDIS_MESSAGE(hail, struct hail);
ALDIS_MESSAGE(storm, uint32_t);
ALDIS_SIGNAL(sail);

#define PORT_PROTOCOL(X, kind) X(kind, hail) X(kind, storm)
ALDIS_PROTOCOL(port, PORT_PROTOCOL);
#define SHIP_PROTOCOL(X, kind) X(kind, sail) X(kind, storm)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

struct port {
    int hails;
};

static aldis_err port_on_hail(struct port *self, const struct hail *msg, aldis_ctx *ctx)
{
    (void)ctx;
    printf("port: hail number %d, from %s\n", ++self->hails, msg->from);
    return ALDIS_OK;
}

static aldis_err port_on_storm(struct port *self, const uint32_t *force, aldis_ctx *ctx)
{
    (void)self;
    (void)ctx;
    printf("port: storm of force %" PRIu32 "\n", *force);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(port, struct port, PORT_PROTOCOL);

struct ship {
    port_ref port; /* looked up once, then sent to like any other reference */
};

static aldis_err ship_on_sail(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    aldis_err err = aldis_send_name(ctx, "port of Kiel", hail, .from = "a stranger");
    if (err == ALDIS_OK)
        err = aldis_ctx_lookup(ctx, "port of Kiel", &self->port.id);
    if (err == ALDIS_OK)
        err = aldis_send(ctx, self->port, hail, .from = "a friend");
    aldis_fanout fanout;
    if (err == ALDIS_OK)
        err = aldis_broadcast(ctx, &fanout, storm, 9);
    if (err == ALDIS_OK)
        printf("ship: warned %" PRIu64 " others\n", fanout.delivered);
    return err;
}

static aldis_err ship_on_storm(struct ship *self, const uint32_t *force, aldis_ctx *ctx)
{
    (void)self;
    (void)ctx;
    printf("ship: reefing for force %" PRIu32 "\n", *force);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL);

int main(void)
{
    aldis_system *system;
    port_ref port;
    ship_ref first, second;
    aldis_id found;
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL};
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, port, &port, NULL) != ALDIS_OK ||
        aldis_spawn(system, ship, &first, NULL) != ALDIS_OK ||
        aldis_spawn(system, ship, &second, NULL) != ALDIS_OK ||
        aldis_system_register(system, port.id, "port of Kiel") != ALDIS_OK) {
        fprintf(stderr, "router: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_err err = aldis_system_register(system, first.id, "port of Kiel");
    printf("a second holder: %s\n", aldis_error_text(err));
    aldis_signal(system, first, sail);
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_stop(system, port.id); /* which takes its name back */
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    err = aldis_system_lookup(system, "port of Kiel", &found);
    printf("after the stop: %s\n", aldis_error_text(err));
    aldis_audit audit;
    err = aldis_system_audit(system, &audit);
    printf("audit: %s\n", audit.text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
