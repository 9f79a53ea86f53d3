// SPDX-License-Identifier: Apache-2.0
/* signals.h: how long a message takes from one actor to another. Layer: space.
 *
 * In a scenario with a signal speed a message arrives after distance / speed, and never before the
 * lookahead is over. The distance is that at the time of sending: from where the sender is to where
 * the receiver is known to be. Stations are known exactly, by their orbits, and the rescue service
 * is at its station; a ship is where it has said last, which it does at each look and whenever its
 * state changes. Between two actors no message overtakes an earlier one. Who is nowhere (the
 * ledger) is everywhere: it hears after the lookahead. */
#ifndef SPACE_SIGNALS_H
#define SPACE_SIGNALS_H

#include "maths.h"
#include "scenario.h"

#include <aldis/place.h>

struct chart;

/** What a run keeps for it; NULL in its chart: every message takes the lookahead. */
struct signals;

/** Who speaks, and where it is now. Its number is that of its account; hazards and weather have
 *  the two after the last one. */
struct speaker {
    uint32_t number;
    struct vec place;
};

/** least_ns: no message takes less. NULL: no memory. */
struct signals *signals_create(const struct scenario *scenario, uint32_t speakers,
                               aldis_ns least_ns);
void signals_destroy(struct signals *signals);

/** The chart's stations and rescue service have been spawned: they can be heard of. false: no
 *  memory. */
bool signals_know_stations(const struct chart *chart);

/** The delay of a message that is sent now: for aldis_send_opts, so 0 is the default. Asking is
 *  sending: the next one to the same receiver comes no earlier. */
aldis_ns signals_delay(const struct chart *chart, aldis_ctx *ctx, const struct speaker *from,
                       aldis_id to);
/** The same to who is at a place. */
aldis_ns signals_delay_to(const struct chart *chart, aldis_ctx *ctx, const struct speaker *from,
                          aldis_id to, struct vec there);

/** How long a signal takes over a distance, u; 0 where it takes no time. */
aldis_ns signals_time(const struct chart *chart, double distance);

#endif
