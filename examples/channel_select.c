// SPDX-License-Identifier: Apache-2.0
/* channel_select.c: one thread waits for several things at once: work, an order to stop, and news
 * that everybody gets. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdio.h>

ALDIS_MESSAGE(work, uint32_t);
ALDIS_MESSAGE(news, uint32_t);
ALDIS_SIGNAL(stop);
ALDIS_CHANNEL(work);
ALDIS_CHANNEL(news);
ALDIS_CHANNEL(stop);

int main(void)
{
    work_tx work_to;
    work_rx work_from;
    news_tx news_to;
    news_rx news_from;
    stop_tx stop_to;
    stop_rx stop_from;
    if (aldis_channel_create(work, &work_to, &work_from,
                             &(aldis_channel_opts){.capacity_msgs = 8}) != ALDIS_OK ||
        aldis_channel_create(news, &news_to, &news_from,
                             &(aldis_channel_opts){.kind = ALDIS_CHANNEL_BROADCAST,
                                                   .capacity_msgs = 2}) != ALDIS_OK ||
        aldis_channel_create(stop, &stop_to, &stop_from,
                             &(aldis_channel_opts){.kind = ALDIS_CHANNEL_ONESHOT}) != ALDIS_OK)
        return 1;
    for (uint32_t i = 1; i <= 3; i++) {
        (void)aldis_channel_try_send(work_to, work, i);
        (void)aldis_channel_try_send(news_to, news, 10 * i); /* of three, two fit */
    }

    aldis_rx *all[] = {work_from.raw, news_from.raw, stop_from.raw};
    size_t which;
    uint32_t number;
    aldis_none none;
    /* Those that are ready take turns; when nothing more comes in time, it is time to stop. */
    while (aldis_select(all, 3, ALDIS_MS, &which) == ALDIS_OK && which != 2) {
        aldis_err err = which == 0 ? aldis_channel_try_receive(work_from, work, &number)
                                   : aldis_channel_try_receive(news_from, news, &number);
        if (err == ALDIS_EMISSED)
            printf("missed %" PRIu64 " news\n", aldis_rx_missed(news_from.raw));
        else
            printf("%s %" PRIu32 "\n", which == 0 ? "work" : "news", number);
    }
    (void)aldis_channel_try_send(stop_to, stop, 0); /* a oneshot's send takes its sender */
    if (aldis_select(all, 3, ALDIS_FOREVER, &which) == ALDIS_OK && which == 2 &&
        aldis_channel_try_receive(stop_from, stop, &none) == ALDIS_OK) /* and its receive */
        printf("stop\n");

    aldis_rx_drop(work_from.raw);
    aldis_err err = aldis_channel_try_send(work_to, work, 4);
    printf("work after its receiver has gone: %s\n", aldis_error_text(err));
    aldis_tx_drop(work_to.raw);
    aldis_tx_drop(news_to.raw);
    aldis_rx_drop(news_from.raw);
    return 0;
}
