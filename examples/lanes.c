// SPDX-License-Identifier: Apache-2.0
/* lanes.c: urgent messages overtake the others, and the lowest lane is not forgotten. */
#include <aldis/aldis.h>
#include <stdio.h>

ALDIS_MESSAGE(order, char);
#define BRIDGE_PROTOCOL(X, kind) X(kind, order)
ALDIS_PROTOCOL(bridge, BRIDGE_PROTOCOL);

static aldis_err bridge_on_order(int *handled, const char *lane, aldis_ctx *ctx)
{
    (void)ctx;
    putchar(*lane);
    if (++*handled % 16 == 0)
        putchar('\n');
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(bridge, int, BRIDGE_PROTOCOL);

int main(void)
{
    static const struct {
        char name;
        aldis_lane lane;
        int count;
    } sent[] = {{'l', ALDIS_LANE_LOW, 4},
                {'n', ALDIS_LANE_NORMAL, 30},
                {'h', ALDIS_LANE_HIGH, 8},
                {'C', ALDIS_LANE_CRITICAL, 6}};
    aldis_system *system;
    bridge_ref bridge;
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL};
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, bridge, &bridge, NULL) != ALDIS_OK)
        return 1;
    aldis_pause(system, bridge.id); /* let it all pile up */
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    for (size_t i = 0; i < 4; i++)
        for (int n = 0; n < sent[i].count; n++)
            aldis_send_with(system, bridge, order, &sent[i].name,
                            &(aldis_send_opts){.lane = sent[i].lane});
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_resume(system, bridge.id); /* a command: it overtakes everything */
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_system_destroy(system);
    return 0;
}
