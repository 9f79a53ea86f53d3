// SPDX-License-Identifier: Apache-2.0
/* station.h: a station, for the files that make it up: station.c has the docks, station_market.c
 * the market and the services. Layer: space. */
#ifndef SPACE_STATION_H
#define SPACE_STATION_H

#include "books.h"

#include <string.h>

/** All that changes stands in its page. */
struct station {
    const struct chart *chart;
    struct station_page *page;
    uint32_t index;
    struct dock *dock; /**< the page's */
};

/** What a station is spawned with. */
struct station_arg {
    const struct chart *chart;
    uint32_t station;
    uint32_t unused;
};

/** The delay of a message to a ship, or whoever it is: see signals_delay. Who is in the docks, or
 *  waits for a berth, is here. */
aldis_ns station_signal_ns(const struct station *self, aldis_ctx *ctx, aldis_id to);
/** Send a copy of what p points to, in the time that a signal takes. */
#define STATION_SAY(self, ctx, to, name, p)                                                        \
    aldis_send_with((ctx), (to), name, (p),                                                        \
                    &(aldis_send_opts){.delay_ns = station_signal_ns((self), (ctx), (to).id)})
/** As aldis_reply_raw, in the time that a signal takes. */
aldis_err station_reply(const struct station *self, aldis_ctx *ctx, aldis_type *type,
                        const void *payload, size_t size);

/* ---- station_market.c ---- */

aldis_err station_open_market(struct station *self, aldis_ctx *ctx);
/** Of an open one: go on, after a crash. */
aldis_err station_arm_market(const struct station *self, aldis_ctx *ctx);
aldis_err station_tell_prices(struct station *self, aldis_ctx *ctx);
/** Which of the services asked for there are, into *out. Returns how long they take beside the
 *  usual one. */
aldis_ns station_judge_services(const struct station *self, const RequestServices *msg,
                                aldis_id ship, ServiceAvailability *out);
aldis_err station_take_order(struct station *self, const MarketOrder *msg, aldis_ctx *ctx);
aldis_err station_close_trade(struct station *self, const TradeSettled *msg, aldis_ctx *ctx);
aldis_err station_produce(struct station *self, aldis_ctx *ctx);

#endif
