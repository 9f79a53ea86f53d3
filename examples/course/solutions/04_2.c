// SPDX-License-Identifier: Apache-2.0
/* 04_2.c: a broadcast channel: everybody who listens hears everything, and who is too slow is told
 * how much he has missed. Chapter 4, exercise 2. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdio.h>

ALDIS_MESSAGE(news, int32_t);
ALDIS_CHANNEL(news);

/* All that is there for this listener now. */
static void hear(const char *who, news_rx from)
{
    int32_t number;
    aldis_err err;
    printf("%s:", who);
    while ((err = aldis_channel_try_receive(from, news, &number)) != ALDIS_EAGAIN) {
        if (err == ALDIS_EMISSED)
            printf(" (missed %" PRIu64 ")", aldis_rx_missed(from.raw));
        else if (err == ALDIS_OK)
            printf(" %d", (int)number);
        else
            break;
    }
    puts("");
}

int main(void)
{
    news_tx to;
    news_rx quick, slow;
    aldis_channel_opts opts = {.kind = ALDIS_CHANNEL_BROADCAST, .capacity_msgs = 4};
    if (aldis_channel_create(news, &to, &quick, &opts) != ALDIS_OK ||
        aldis_rx_clone(quick.raw, &slow.raw) != ALDIS_OK) {
        fprintf(stderr, "04_2: %s\n", aldis_error_last()->text);
        return 1;
    }
    for (int32_t i = 1; i <= 9; i++) {
        (void)aldis_channel_send(to, news, i); /* never waits: the slow one harms only itself */
        if (i % 3 == 0)
            hear("quick", quick);
    }
    hear("slow", slow);
    aldis_tx_drop(to.raw);
    aldis_rx_drop(quick.raw);
    aldis_rx_drop(slow.raw);
    return 0;
}
