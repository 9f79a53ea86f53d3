// SPDX-License-Identifier: Apache-2.0
/* bulletin.h: the prices of the sector, as its stations have published them. Layer: space.
 *
 * Each station publishes when its market opens and at each of its updates. Publications are put
 * together by rounds of one update's length, and no shorter than four times the lookahead. A reader
 * sees the last round that had ended a lookahead ago, or the one before it where a station has said
 * nothing in that one; a station that has missed both is not in the bulletin.
 *
 * So what is read was never written in the same window, and is the same on any number of workers. A
 * place is written again four rounds later. Under the live clock a reader that was held up for so
 * long may see a newer price; the words are atomic, so it never sees half of one. */
#ifndef SPACE_BULLETIN_H
#define SPACE_BULLETIN_H

#include "scenario.h"

struct bulletin;

/** With the prices of the stocks at the start. NULL: no memory. */
struct bulletin *bulletin_create(const struct scenario *scenario);
void bulletin_destroy(struct bulletin *bulletin);
uint64_t bulletin_bytes(const struct scenario *scenario);

/** Publish a commodity's price, in cents a tonne; 0: the station does not trade it. */
void bulletin_tell(struct bulletin *bulletin, uint32_t station, uint32_t good, int64_t cents,
                   aldis_ns now_ns);
/** Publish what the station can pay with, in cents. */
void bulletin_tell_funds(struct bulletin *bulletin, uint32_t station, int64_t cents,
                         aldis_ns now_ns);

/** The price, in cents a tonne, before what the station adds or takes off; 0: none is known. */
int64_t bulletin_price(const struct bulletin *bulletin, uint32_t station, uint32_t good,
                       aldis_ns now_ns);
/** What the station can pay with, in cents; below 0: none is known. */
int64_t bulletin_funds(const struct bulletin *bulletin, uint32_t station, aldis_ns now_ns);

#endif
