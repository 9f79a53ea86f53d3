// SPDX-License-Identifier: Apache-2.0
/* hello.c: one actor, one message, and the audit. */
#include <aldis/aldis.h>
#include <stdio.h>

struct greeting {
    char name[16];
};
ALDIS_MESSAGE(greeting, struct greeting);

#define GREETER_PROTOCOL(X, kind) X(kind, greeting)
ALDIS_PROTOCOL(greeter, GREETER_PROTOCOL);

struct greeter {
    int greeted;
};

static aldis_err greeter_on_greeting(struct greeter *self, const struct greeting *msg,
                                     aldis_ctx *ctx)
{
    (void)ctx;
    printf("hello, %s: you are number %d\n", msg->name, ++self->greeted);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(greeter, struct greeter, GREETER_PROTOCOL);

int main(void)
{
    aldis_system *system;
    greeter_ref greeter;
    if (aldis_system_create(NULL, &system) != ALDIS_OK ||
        aldis_spawn(system, greeter, &greeter, NULL) != ALDIS_OK) {
        fprintf(stderr, "hello: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_send(system, greeter, greeting, .name = "Ada");
    aldis_send(system, greeter, greeting, .name = "Grace");
    aldis_system_run(system, ALDIS_FOREVER, NULL); /* until nothing is left to do */
    aldis_audit audit;
    aldis_system_audit(system, &audit);
    printf("audit: %s\n", audit.text);
    aldis_system_destroy(system);
    return 0;
}
